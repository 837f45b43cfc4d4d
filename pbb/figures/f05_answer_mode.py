"""F05: direct answers, CoT and recite-then-run on w/o IO programs, by program length, and on sums."""

from __future__ import annotations

import textwrap
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from pbb.analysis.statistics import chance, permuted_control
from pbb.figures import style
from pbb.figures.tables import PANEL, TABLE, asked_by_name, final, headline_of, panel_name, points, sizes, usable

ID, NAME, TITLE = "F05", "F05_answer_mode", "w/o IO accuracy by answer mode and program length"
CLAIM = "Direct answers work, above their controls; CoT is more reliable (C3)."
_MODES = tuple(style.MODES)
_TRAINED = ("homogeneous", "proactive", "retroactive")
_CONTROL = "stage_1_only"
_SHIFT = {
    "cot": -0.09,
    "recite": 0.0,
    "direct": 0.09,
    "recall": -0.18,
}  # so that intervals do not cover each other
_BY = [column for column in PANEL if column != "statements"]
_OF_LENGTHS = "arithmetic"  # the domain whose panels have the length of programs as their axis


def select(records: pd.DataFrame) -> pd.DataFrame:
    """The rows that this figure is drawn from: where the trained arms, the control and the ceiling end."""
    arms = [*_TRAINED, _CONTROL, "in_context"]
    rows = final(asked_by_name(records, _MODES))
    rows = rows[rows["curriculum"].isin(arms)]
    return rows[(rows["curriculum"] == "in_context") == rows["answer_mode"].isin(list(style.PLAIN_MODE))]


def table(records: pd.DataFrame) -> pd.DataFrame:
    """One row a plotted point; x is the number of statements.

    Arm "<arm>, permuted" holds its direct answers scored against other inputs; "chance" the best guess.
    """
    rows = select(records)
    parts = [points(rows)]
    direct = rows[(rows["answer_mode"] == "direct") & rows["curriculum"].isin(_TRAINED)]
    for (arm, *_), cell in direct.groupby(["curriculum", *PANEL]):
        parts.append(points(permuted_control(cell)).assign(arm=f"{arm}, permuted"))
    for key, panel in rows[rows["answer_mode"] != "recall"].groupby(PANEL):
        guess = dict(zip(PANEL, key, strict=True)) | {"arm": "chance", "estimate": chance(panel)}
        parts.append(pd.DataFrame([guess]))
    return pd.concat([part for part in parts if len(part)], ignore_index=True).assign(
        x=lambda all_: all_["statements"].astype(float)
    )[TABLE]


def cells(records: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Headline values: each trained arm and the control, by mode and length."""
    found = {}
    rows = select(records)
    for key, panel in rows.groupby(PANEL):
        for arm in (*_TRAINED, _CONTROL):
            for mode in ("cot", "recite", "direct", "recall"):
                cell = panel[(panel["curriculum"] == arm) & (panel["answer_mode"] == mode)]
                if len(cell) and (arm != _CONTROL or mode == "direct"):
                    found[f"{style.ARMS[arm].label}, {style.MODES[mode].label}; {panel_name(key)}"] = cell
    return found


def headline(records: pd.DataFrame) -> pd.DataFrame:
    return headline_of(cells(records))


def caption(records: pd.DataFrame) -> str:
    return _caption(table(records))


def _caption(drawn: pd.DataFrame) -> str:
    asked = drawn[(drawn["arm"] != "chance") & (drawn["answer_mode"] != "recall")]
    sums = "Sums: programs that add one number of up to three digits. " if (drawn["domain"] == "sums").any() else ""
    return (
        f"Programs without input/output examples (w/o IO), asked by name at the end of training. {sums}Dashed: the "
        "control that never saw their source (Stage 1 only). Crosses: the same direct answers scored against "
        "the answer to another input of the program. Dotted: the base model with the source in its prompt. "
        "Stars: the source recited exactly. Bars: 95\u00a0% bootstrap intervals, clustered by program and "
        f"seed. {sizes(asked)}. Grey: the best guess without knowledge of the program."
    )


def draw(
    records: pd.DataFrame,
    reference: pd.DataFrame | None = None,
    *,
    variant: str = "this run",
    allow_smoke: bool = False,
) -> Figure:
    """The figure; `reference` is drawn faintly behind.

    By length of programs there is a panel for each trained arm and model; of programs that have one length alone, one
    for each model.
    """
    records = usable(records, allow_smoke=allow_smoke)
    front = table(records)
    behind = front[:0] if reference is None else table(usable(reference, allow_smoke=allow_smoke))
    panels = _panels(front)
    with style.theme():
        figure = style.Picture(figsize=(style.COLUMN if len(panels) == 1 else style.DOUBLE, 3))
        columns = min(2, len(panels))
        grid = figure.subplots(-(-len(panels) // columns), columns, squeeze=False, sharey=True)
        for axes, (here, arms) in zip(grid.flat, panels, strict=False):
            _panel(axes, _of(front, here), _of(behind, here), arms, by_length=here["domain"] == _OF_LENGTHS)
            what = style.ARMS[arms[0]].label if here["domain"] == _OF_LENGTHS else here["domain"].capitalize()
            axes.set_title(f"{what}, {here['model']}")
        for axes in list(grid.flat)[len(panels) :]:
            axes.set_visible(False)
        for axes in grid[:, 0]:
            axes.set_ylabel("w/o IO accuracy")
        rows = _legend(figure, front, variant if reference is not None else None)
        style.with_caption(figure, _caption(front), panels=2.35 * len(grid) + 0.15 * rows)
        if (records["preset"] == "smoke").any():
            style.stamp_smoke(figure)
    return figure


def _panels(front: pd.DataFrame) -> list[tuple[dict[str, str], list[str]]]:
    """What each panel holds, and its arms: a single one along the lengths of programs, else all side by side."""
    found: list[tuple[dict[str, str], list[str]]] = []
    for key, cell in front.groupby(_BY):
        here = dict(zip(_BY, key, strict=True))
        arms = [arm for arm in _TRAINED if arm in set(cell["arm"])] or [_CONTROL]
        found += [(here, [arm]) for arm in arms] if here["domain"] == _OF_LENGTHS else [(here, arms)]
    return found


def _of(drawn: pd.DataFrame, here: dict[str, str]) -> pd.DataFrame:
    return drawn[(drawn[list(here)] == list(here.values())).all(axis=1)]


def _panel(axes: Axes, ours: pd.DataFrame, theirs: pd.DataFrame, arms: list[str], *, by_length: bool) -> None:
    style.percent_axis(axes)
    places = sorted({*ours["statements"], *theirs["statements"]}) if by_length else list(range(len(arms)))
    axes.set_xticks(places, None if by_length else [textwrap.fill(style.ARMS[arm].label, 12) for arm in arms])
    axes.set_xlim(places[0] - 0.4, places[-1] + 0.4)
    if by_length:
        axes.set_xlabel("statements in the program")
    axes.grid(axis="x", visible=False)
    for drawn, faint in ((theirs, True), (ours, False)):
        for place, arm in enumerate(arms):
            _answers(axes, drawn if by_length else drawn.assign(x=float(place)), arm, faint)


def _answers(axes: Axes, drawn: pd.DataFrame, arm: str, faint: bool) -> None:
    """A trained arm's accuracy in each mode, over what it is read against unless `faint`."""
    if not faint:
        _lighter(axes, drawn, arm)
    for mode, look in style.MODES.items():
        if mode not in _SHIFT:
            continue
        line = _series(drawn, arm, mode)
        kind = style.marked(look, faint)
        x = line["x"] + _SHIFT[mode]
        axes.plot(x, line["estimate"], linestyle="none" if mode == "recall" else "-", **kind)
        axes.vlines(x, line["low"], line["high"], color=look.color, linewidth=0.9, alpha=kind["alpha"], zorder=2)


def _lighter(axes: Axes, drawn: pd.DataFrame, arm: str) -> None:
    """What a trained arm is read against: control, permuted answers, ceiling, chance."""
    for mode in ("cot", "recite", "direct"):
        _level(axes, _series(drawn, _CONTROL, mode), style.MODES[mode].color, (0, (4, 2)), _SHIFT[mode])
    for mode, plain in style.PLAIN_MODE.items():
        _level(axes, _series(drawn, "in_context", mode), style.MODES[mode].color, ":", _SHIFT[plain])
    permuted = _series(drawn, f"{arm}, permuted", "direct")
    x = permuted["x"] + _SHIFT["direct"] + 0.09
    axes.plot(
        x,
        permuted["estimate"],
        linestyle="none",
        marker="x",
        markersize=3.6,
        color=style.MODES["direct"].color,
    )
    axes.vlines(x, permuted["low"], permuted["high"], color=style.MODES["direct"].color, linewidth=0.6, alpha=0.7)
    guess = drawn[drawn["arm"] == "chance"].sort_values("x")
    axes.hlines(guess["estimate"], guess["x"] - 0.32, guess["x"] + 0.32, color=style.MUTED, linewidth=0.9, zorder=1)


def _level(axes: Axes, line: pd.DataFrame, color: str, dashes: object, shift: float) -> None:
    """A light line over the lengths; a short one where there is a single length."""
    if len(line) == 1:
        y = line["estimate"].iloc[0]
        axes.hlines(y, line["x"] - 0.3, line["x"] + 0.3, color=color, linestyle=dashes, linewidth=1.0, alpha=0.6)
    elif len(line):
        axes.plot(line["x"] + shift, line["estimate"], color=color, linestyle=dashes, linewidth=1.0, alpha=0.6)
    axes.vlines(line["x"] + shift, line["low"], line["high"], color=color, linewidth=0.6, alpha=0.5)


def _series(drawn: pd.DataFrame, arm: str, mode: str) -> pd.DataFrame:
    return drawn[(drawn["arm"] == arm) & (drawn["answer_mode"] == mode)].sort_values("x")


def _legend(figure: Figure, front: pd.DataFrame, variant: str | None) -> int:
    """Legend above the panels: colours name modes, line styles what they are read against. Returns rows."""
    entries: list[tuple[Line2D, str]] = []
    for mode in _SHIFT:
        if (front["answer_mode"] == mode).any():
            line = Line2D([], [], linestyle="none" if mode == "recall" else "-", **style.marked(style.MODES[mode]))
            entries.append((line, style.MODES[mode].label))
    against: dict[str, tuple[pd.Series, dict[str, Any]]] = {
        "Stage 1 only": (front["arm"] == _CONTROL, {"linestyle": (0, (4, 2))}),
        "In context": (front["arm"] == "in_context", {"linestyle": ":"}),
        "Direct, permuted": (
            front["arm"].str.endswith("permuted"),
            {"linestyle": "none", "marker": "x", "color": style.MODES["direct"].color},
        ),
        "Best guess": (front["arm"] == "chance", {"linestyle": "-", "linewidth": 0.9}),
    }
    for label, (present, kind) in against.items():
        if present.any():
            look: dict[str, Any] = {"color": style.MUTED, "linewidth": 1.0} | kind
            entries.append((Line2D([], [], **look), label))
    if variant is not None:
        for alpha, label in ((1.0, variant), (style.REFERENCE_ALPHA, "committed reference")):
            entries.append((Line2D([], [], color=style.INK, marker="o", markersize=3.4, alpha=alpha), label))
    columns = 2 if figure.get_figwidth() < 4 else 4
    figure.legend(*zip(*entries, strict=True), loc="outside upper center", ncols=columns, columnspacing=1.4)
    return -(-len(entries) // columns)
