"""F12: the source in the prompt against the source in the weights, by program length."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import PercentFormatter

from pbb.analysis.statistics import CLUSTER, chance, contrast
from pbb.figures import style
from pbb.figures.tables import PANEL, TABLE, asked_by_name, final, headline_of, panel_name, points, sizes, usable

ID, NAME, TITLE = "F12", "F12_in_context", "The source in the prompt against the source in the weights"
CLAIM = "Execution in context is more reliable than PBB (C7)."
_PROMPT, _WEIGHTS, _CONTROL = "in_context", "proactive", "stage_1_only"
_GAP = "in_context minus proactive"
_SHIFT = {"cot": -0.1, "recite": 0.0, "direct": 0.1}  # so that intervals do not cover each other
_BY = [column for column in PANEL if column != "statements"]


def select(records: pd.DataFrame) -> pd.DataFrame:
    """The rows that this figure is drawn from: the end of PBB and its control, and the base model in context.

    Of recite-then-run only Proactive's answers count, and of these only where what it recited is the source: then
    the finetuned model too ran the source that was in its prompt. `recall` has the sources to compare with.
    """
    rows = final(asked_by_name(records, style.MODES))
    in_prompt = (rows["curriculum"] == _PROMPT) & rows["answer_mode"].isin(list(style.PLAIN_MODE))
    in_weights = (rows["curriculum"] == _WEIGHTS) & rows["answer_mode"].isin(["cot", "direct", "recall"])
    control = (rows["curriculum"] == _CONTROL) & rows["answer_mode"].isin(["cot", "direct"])
    recited = (rows["curriculum"] == _WEIGHTS) & (rows["answer_mode"] == "recite")
    return pd.concat([rows[in_prompt | in_weights | control], _exactly(rows[recited], rows)], ignore_index=True)


def _exactly(recited: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """Those of `recited` whose prompt begins with the source itself."""
    sources = rows.loc[rows["answer_mode"] == "recall", ["experiment", "program", "expected"]]
    found = recited.merge(sources.rename(columns={"expected": "source"}), on=["experiment", "program"])
    exact = [prompt.startswith(f"{source}\n") for prompt, source in zip(found["prompt"], found["source"], strict=True)]
    return found.loc[exact, list(rows.columns)]


def _answers(records: pd.DataFrame) -> pd.DataFrame:
    """The executions among the rows, with the in-context modes named as their plain ones."""
    rows = select(records)
    rows = rows[rows["answer_mode"] != "recall"]
    return rows.assign(answer_mode=rows["answer_mode"].replace(style.PLAIN_MODE))


def table(records: pd.DataFrame) -> pd.DataFrame:
    """One row a plotted point; x is the number of statements.

    In rows of arm "in_context minus proactive", estimate, low and high are differences of accuracy over the same
    questions; in its mode "recite", both models have the source in their prompt. Arm "chance" is the best guess.
    """
    rows = _answers(records)
    parts = [points(rows)]
    for key, panel in rows.groupby(PANEL):
        where = dict(zip(PANEL, key, strict=True))
        parts.append(pd.DataFrame([where | {"arm": "chance", "estimate": chance(panel)}]))
        for mode in _SHIFT:
            if gap := _gap(panel, mode):
                parts.append(pd.DataFrame([where | {"arm": _GAP, "answer_mode": mode} | gap]))
    drawn = pd.concat([part for part in parts if len(part)], ignore_index=True).reindex(columns=TABLE)
    return drawn.assign(x=drawn["statements"].astype(float))


def _gap(panel: pd.DataFrame, mode: str) -> dict[str, Any]:
    """In context minus Proactive, paired by question; empty where one of them was not asked."""
    above = panel[(panel["curriculum"] == _PROMPT) & (panel["answer_mode"] == mode.replace("recite", "cot"))]
    below = panel[(panel["curriculum"] == _WEIGHTS) & (panel["answer_mode"] == mode)]
    shared = above[CLUSTER].drop_duplicates().merge(below[CLUSTER].drop_duplicates())
    if shared.empty:
        return {}
    found = contrast(above.merge(shared), below.merge(shared))
    return {name: getattr(found, name) for name in ("estimate", "low", "high", "questions", "programs", "seeds")}


def cells(records: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Headline values: in context and Proactive, by mode and length."""
    found = {}
    for key, panel in _answers(records).groupby(PANEL):
        for arm in (_PROMPT, _WEIGHTS):
            for mode in _SHIFT:
                cell = panel[(panel["curriculum"] == arm) & (panel["answer_mode"] == mode)]
                if len(cell):
                    found[f"{style.ARMS[arm].label}, {style.MODES[mode].label}; {panel_name(key)}"] = cell
    return found


def headline(records: pd.DataFrame) -> pd.DataFrame:
    return headline_of(cells(records))


def caption(records: pd.DataFrame) -> str:
    return _caption(table(records))


def _caption(drawn: pd.DataFrame) -> str:
    text = (
        "The same w/o IO programs and inputs, with the source in the prompt of the untuned base model (in context), "
        "or in the weights after Proactive-PBB, asked by name. "
    )
    if (drawn["answer_mode"] == "recite").any():
        text += (
            "Recite, then run: the finetuned model writes the source first and runs what it wrote; only answers "
            "after an exact recitation, so that the source is in its prompt too. "
        )
    asked = drawn[~drawn["arm"].isin(["chance", _GAP])]
    return (
        f"{text}Dashed: the control that never saw the sources (Stage 1 only). Grey: the best guess without knowledge "
        "of the program. (c) Points by which in context is ahead, paired by program and input. Bars: 95\u00a0% "
        f"bootstrap intervals, clustered by program and seed. {sizes(asked)}."
    )


def draw(
    records: pd.DataFrame,
    reference: pd.DataFrame | None = None,
    *,
    variant: str = "this run",
    allow_smoke: bool = False,
) -> Figure:
    """The figure, a row of panels for each model: CoT, direct, and the gaps; `reference` is drawn faintly behind."""
    records = usable(records, allow_smoke=allow_smoke)
    front = table(records)
    behind = front[:0] if reference is None else table(usable(reference, allow_smoke=allow_smoke))
    panels = list(front[_BY].drop_duplicates().itertuples(index=False, name=None))
    with style.theme():
        figure = style.Picture(figsize=(style.DOUBLE, 2.6))
        grid = figure.subplots(len(panels), 3, squeeze=False)
        for row, panel in enumerate(panels):
            ours, theirs = _of(front, panel), _of(behind, panel)
            for axes, modes in zip(grid[row], (("cot", "recite"), ("direct",), tuple(_SHIFT)), strict=True):
                lengths = sorted({*ours["statements"], *theirs["statements"]})
                axes.set_xticks(lengths)
                axes.set_xlim(lengths[0] - 0.4, lengths[-1] + 0.4)
                axes.set_xlabel("statements in the program")
                axes.grid(axis="x", visible=False)
                for drawn, faint in ((theirs, True), (ours, False)):
                    for mode in modes:
                        (_gaps if len(modes) == 3 else _accuracies)(axes, drawn, mode, faint)
            for axes, mode in zip(grid[row], ("cot", "direct"), strict=False):
                style.percent_axis(axes)
                axes.set_title(f"{'ab'[mode == 'direct']}  {style.MODES[mode].label}")
                guess = ours[ours["arm"] == "chance"]
                axes.hlines(guess["estimate"], guess["x"] - 0.32, guess["x"] + 0.32, color=style.MUTED, linewidth=0.9)
            if len(panels) > 1:
                grid[row, 0].set_title(f"a  CoT; {panel[0]}, {panel[1]}, {panel[2]}")
            grid[row, 0].set_ylabel("w/o IO accuracy")
            _finish_gaps(grid[row, 2])
        rows = _legend(figure, front, variant if reference is not None else None)
        style.with_caption(figure, _caption(front), panels=2.2 * len(panels) + 0.15 * rows)
        if (records["preset"] == "smoke").any():
            style.stamp_smoke(figure)
    return figure


def _of(drawn: pd.DataFrame, panel: tuple) -> pd.DataFrame:
    return drawn[(drawn[_BY] == list(panel)).all(axis=1)]


def _series(drawn: pd.DataFrame, arm: str, mode: str) -> pd.DataFrame:
    return drawn[(drawn["arm"] == arm) & (drawn["answer_mode"] == mode)].sort_values("x")


def _look(arm: str, mode: str) -> style.Look:
    return style.MODES[f"in_context_{mode}" if arm == _PROMPT else mode]


def _accuracies(axes: Axes, drawn: pd.DataFrame, mode: str, faint: bool) -> None:
    """One mode of every arm over the lengths: in context hollow and dotted, the control dashed."""
    for arm, dashes in ((_CONTROL, (0, (4, 2))), (_PROMPT, ":"), (_WEIGHTS, "-")):
        line = _series(drawn, arm, mode)
        if line.empty:
            continue
        kind = style.marked(_look(arm, mode), faint)
        if arm == _CONTROL:
            kind |= {"marker": "_", "markersize": 7}
        x = line["x"] + (_SHIFT["recite"] if mode == "recite" else {_PROMPT: -0.1, _WEIGHTS: 0.1}.get(arm, 0.0))
        axes.plot(x, line["estimate"], linestyle=dashes, **kind)
        axes.vlines(x, line["low"], line["high"], color=kind["color"], linewidth=0.9, alpha=kind["alpha"], zorder=2)


def _gaps(axes: Axes, drawn: pd.DataFrame, mode: str, faint: bool) -> None:
    gap = _series(drawn, _GAP, mode)
    kind = style.marked(style.MODES[mode], faint)
    x = gap["x"] + _SHIFT[mode]
    axes.plot(x, gap["estimate"], **kind)
    axes.vlines(x, gap["low"], gap["high"], color=kind["color"], linewidth=0.9, alpha=kind["alpha"], zorder=2)


def _finish_gaps(axes: Axes) -> None:
    axes.set_title("c  In context minus weights")
    axes.axhline(0, color=style.INK, linewidth=0.8, zorder=1)
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=""))
    axes.set_ylabel("points")
    low, high = axes.get_ylim()
    axes.set_ylim(min(low, -0.1), max(high, 0.1))


def _legend(figure: Figure, front: pd.DataFrame, variant: str | None) -> int:
    """Legend above the panels: colours name modes, line styles where the source is. Returns its rows."""
    entries: list[tuple[Line2D, str]] = []
    for arm, mode, dashes, label in (
        (_PROMPT, "cot", ":", "CoT, in context"),
        (_WEIGHTS, "cot", "-", "CoT, in the weights"),
        (_WEIGHTS, "recite", "-", "Recite, then run"),
        (_PROMPT, "direct", ":", "Direct, in context"),
        (_WEIGHTS, "direct", "-", "Direct, in the weights"),
    ):
        if len(_series(front, arm, mode)):
            entries.append((Line2D([], [], linestyle=dashes, **style.marked(_look(arm, mode))), label))
    if (front["arm"] == _CONTROL).any():
        dashed = Line2D([], [], color=style.MUTED, linestyle=(0, (4, 2)))
        entries.append((dashed, style.ARMS[_CONTROL].label))
    entries.append((Line2D([], [], color=style.MUTED, linewidth=0.9), "Best guess"))
    if variant is not None:
        for alpha, label in ((1.0, variant), (style.REFERENCE_ALPHA, "committed reference")):
            entries.append((Line2D([], [], color=style.INK, marker="o", markersize=3.4, alpha=alpha), label))
    figure.legend(*zip(*entries, strict=True), loc="outside upper center", ncols=4, columnspacing=1.4)
    return -(-len(entries) // 4)
