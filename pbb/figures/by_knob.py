"""Accuracy at the end of training against one knob of an experiment: what F03, F04, F09 and F10 share.

A line is an answer mode of a trained arm over the knob's values. It is read against the same mode of the control that
never saw the sources, the base model with the source in its prompt, and the best guess. Models stand in order of
size, numbers on a log scale.
"""

from __future__ import annotations

import math
import re
import textwrap
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NamedTuple

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from pbb.analysis.statistics import chance, permuted_control
from pbb.figures import style
from pbb.figures.tables import PANEL, TABLE, asked_by_name, final, panel_name, points, sizes, usable
from pbb.models.model_size import Shape
from pbb.registry import TINY_NAMES, ModelError, config_of
from pbb.store import RecordsError

TRAINED = ("homogeneous", "proactive", "retroactive")
CONTROL, CEILING = "stage_1_only", "in_context"
_DASHES: dict[str, Any] = {CONTROL: (0, (4, 2)), CEILING: ":"}
_IN_CONTEXT = {plain: mode for mode, plain in style.PLAIN_MODE.items()}


@dataclass(frozen=True)
class Knob:
    """What a figure varies, and the answers that it shows."""

    column: str  # of the records: "model", or one of `pbb.records.KNOBS`
    label: str  # of the axis
    modes: tuple[str, ...]  # asked by name
    counted: str = ""  # what its numbers count, in the plural: "w/ IO programs"; a model is named by its panel
    permuted: bool = False  # show direct answers scored against other inputs too

    @property
    def fixed(self) -> list[str]:
        """What a panel of the figure holds fixed."""
        return [column for column in PANEL if column != self.column]

    @property
    def lines(self) -> list[Line]:
        """The figure's lines: one for each answer mode."""
        return [Line({"answer_mode": mode}, style.MODES[mode]) for mode in self.modes]


class Line(NamedTuple):
    """Those rows of a figure's table that are one line, by columns and their values; and how they look."""

    where: Mapping[str, str]
    look: style.Look

    def rows(self, drawn: pd.DataFrame, arm: str) -> pd.DataFrame:
        """This line's points of `arm`; the ceiling's in the in-context mode of the same form."""
        where = dict(self.where)
        if arm == CEILING:
            where["answer_mode"] = _IN_CONTEXT.get(where["answer_mode"], "")
        return of(drawn, where | {"arm": arm})


# --------------------------------------------------------------------------------------- records to points
def select(records: pd.DataFrame, knob: Knob) -> pd.DataFrame:
    """The rows that a figure of `knob` is drawn from: where the trained arms, the control and the ceiling end.

    Raises:
        RecordsError: two experiments differ in more than the knob, and would fall on one point.
    """
    modes = [*knob.modes, *(_IN_CONTEXT[mode] for mode in knob.modes if mode in _IN_CONTEXT)]
    rows = final(asked_by_name(records, modes))
    rows = rows[rows["curriculum"].isin([*TRAINED, CONTROL, CEILING])]
    rows = rows[(rows["curriculum"] == CEILING) == rows["answer_mode"].isin(list(style.PLAIN_MODE))]
    owners = rows[[*knob.fixed, knob.column, "curriculum", "seed", "experiment"]].drop_duplicates()
    if (twice := owners[owners.duplicated(list(owners.columns[:-1]), keep=False)]).size:
        one, other = sorted(twice["experiment"])[:2]
        raise RecordsError(
            f"experiment: {one} and {other} differ in more than {knob.column} and would fall on one point; a figure "
            "shows one of them. Draw one, and give the other as its reference"
        )
    return rows


def table(records: pd.DataFrame, knob: Knob) -> pd.DataFrame:
    """One row a plotted point, columns TABLE; x is the knob's value (of a model: its parameters; NaN if unknown).

    Arm "<arm>, permuted" holds direct answers scored against other inputs; "chance" the best guess.
    """
    rows = select(records, knob)
    if rows.empty:
        raise RecordsError(
            f"curriculum: these records hold none of {', '.join([*TRAINED, CONTROL, CEILING])}, asked about w/o IO "
            f"programs by {', '.join(knob.modes)}"
        )
    parts = []
    for value, here in rows.groupby(knob.column):
        found = [points(here)]
        direct = here[(here["answer_mode"] == "direct") & here["curriculum"].isin(TRAINED)]
        for (arm, *_), cell in direct.groupby(["curriculum", *PANEL]) if knob.permuted else ():
            found.append(points(permuted_control(cell)).assign(arm=f"{arm}, permuted"))
        for key, panel in here[here["answer_mode"] != "recall"].groupby(PANEL):
            guess = dict(zip(PANEL, key, strict=True)) | {"arm": "chance", "estimate": chance(panel)}
            found.append(pd.DataFrame([guess]))
        x = parameters(value) if isinstance(value, str) else float(value)
        parts += [part.assign(x=x) for part in found]
    return pd.concat(parts, ignore_index=True)[TABLE]


def cells(records: pd.DataFrame, knob: Knob) -> dict[str, pd.DataFrame]:
    """Rows behind each headline value: trained arms and the control, by mode, panel and the knob's value."""
    rows = select(records, knob)
    found = {}
    for (*key, value), panel in rows.groupby([*PANEL, knob.column if knob.counted else "preset"]):
        where = panel_name(tuple(key)) + (f", {_count(value, knob.counted)}" if knob.counted else "")
        for arm in (*TRAINED, CONTROL):
            for mode in knob.modes:
                cell = panel[(panel["curriculum"] == arm) & (panel["answer_mode"] == mode)]
                if len(cell) and not (arm == CONTROL and mode == "recall"):
                    found[f"{style.ARMS[arm].label}, {style.MODES[mode].label}; {where}"] = cell
    return found


def _count(value: int, things: str) -> str:
    return f"{value:,} {things.removesuffix('s') if value == 1 else things}"


def parameters(model: str) -> float:
    """How many parameters a model has: a tiny one's own, else what its name says ("135m", "1B"); NaN if nothing."""
    if model in TINY_NAMES:
        with suppress(ModelError):  # its weights were deleted
            shape = Shape.of(config_of(model))
            return float(shape.parameters) if shape else math.nan
    said = re.search(r"(?<![a-z\d.])(\d+(?:\.\d+)?)([mb])(?![a-z\d])", model.lower())
    return float(said[1]) * {"m": 1e6, "b": 1e9}[said[2]] if said else math.nan


# --------------------------------------------------------------------------------------------- the caption
def caption(drawn: pd.DataFrame, opening: str) -> str:
    """`opening`, then what the figure's marks mean, how wide its intervals are made, and how many answers it has."""
    arms, modes = set(drawn["arm"]), set(drawn["answer_mode"])
    asked = drawn[(drawn["arm"] != "chance") & (drawn["answer_mode"] != "recall")]
    said = [opening]
    if CONTROL in arms:
        said.append("Dashed: the control that never saw their source (Stage 1 only).")
    if any(str(arm).endswith("permuted") for arm in arms):
        said.append("Crosses: direct answers scored against the answer to another input of the program.")
    if CEILING in arms:
        said.append("Dotted: the base model with the source in its prompt.")
    if "recall" in modes:
        said.append("Stars: what was taught, recited exactly.")
    said.append(f"Bars: 95\u00a0% bootstrap intervals, clustered by program and seed. {sizes(asked)}.")
    return " ".join([*said, "Grey: the best guess without knowledge of the program."])


def tokens(drawn: pd.DataFrame) -> str:
    """How much each trained arm was trained on, and whether that is the same at all points of a line."""
    told = []
    for arm in TRAINED:
        if (mine := drawn.loc[drawn["arm"] == arm, "tokens"]).size:
            least, most = (_amount(value) for value in (mine.min(), mine.max()))
            same = f"{most} tokens at every point" if least == most else f"{least} to {most} tokens"
            told.append(f"{style.ARMS[arm].label}: {same}.")
    return " ".join(told)


def _amount(number: float) -> str:
    return f"{number / 1e6:.1f} M" if number >= 1e5 else f"{number / 1e3:.0f} k"


# --------------------------------------------------------------------------------------------- the picture
def draw(
    knob: Knob,
    caption_of: Callable[[pd.DataFrame], str],
    records: pd.DataFrame,
    reference: pd.DataFrame | None,
    variant: str,
    allow_smoke: bool,
) -> Figure:
    """A figure with a panel for each trained arm and for what it holds fixed; `reference` stands faintly behind."""
    front, behind = tables(lambda rows: table(rows, knob), records, reference, allow_smoke)
    panels = panels_of(front, knob.fixed)
    with style.theme():
        figure = style.Picture(figsize=(style.COLUMN if len(panels) == 1 else style.DOUBLE, 3))
        columns = min(2, len(panels))
        grid = figure.subplots(-(-len(panels) // columns), columns, squeeze=False, sharey=True)
        for axes, (here, arm) in zip(grid.flat, panels, strict=False):
            style.percent_axis(axes)
            places = axis(axes, knob, front, behind)
            draw_lines(axes, knob.lines, of(front, here), of(behind, here), arm, knob, places)
            axes.set_title(title(arm, here))
        for axes in list(grid.flat)[len(panels) :]:
            axes.set_visible(False)
        for axes in grid[:, 0]:
            axes.set_ylabel("w/o IO accuracy")
        rows = legend(figure, knob.lines, front, variant if reference is not None else None)
        style.with_caption(figure, caption_of(front), panels=2.35 * len(grid) + 0.15 * rows)
        if (records["preset"] == "smoke").any():
            style.stamp_smoke(figure)
    return figure


def tables(
    table_of: Callable[[pd.DataFrame], pd.DataFrame],
    records: pd.DataFrame,
    reference: pd.DataFrame | None,
    allow_smoke: bool,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The tables of `records` and of `reference` (empty without one), once both are known to be usable."""
    front = table_of(usable(records, allow_smoke=allow_smoke))
    return front, front[:0] if reference is None else table_of(usable(reference, allow_smoke=allow_smoke))


def panels_of(front: pd.DataFrame, fixed: list[str]) -> list[tuple[dict[str, Any], str]]:
    """(what it holds fixed, its arm) for each panel: a trained arm's; where there is none, the control's."""
    arms = next(arms for arms in (TRAINED, (CONTROL,), (CEILING,)) if front["arm"].isin(arms).any())
    keys = front.loc[front["arm"].isin(arms), [*fixed, "arm"]].drop_duplicates().itertuples(index=False, name=None)
    return [(dict(zip(fixed, key, strict=True)), arm) for *key, arm in keys]


def of(drawn: pd.DataFrame, here: Mapping[str, Any]) -> pd.DataFrame:
    """The rows of a table whose columns have the values of `here`."""
    return drawn[(drawn[list(here)] == list(here.values())).all(axis=1)]


def title(arm: str, here: Mapping[str, Any]) -> str:
    """What a panel shows: its arm, and what it holds fixed."""
    words = [style.ARMS[arm].label, here.get("model", "")]
    arithmetic = here["domain"] == "arithmetic"
    words.append(_count(here["statements"], "statements") if arithmetic else here["domain"])
    words.append("" if here.get("representation", "code") == "code" else here["representation"])
    return ", ".join(filter(None, words))


def axis(axes: Axes, knob: Knob, front: pd.DataFrame, behind: pd.DataFrame) -> dict[Any, float]:
    """Set up the x axis of a panel; returns where each of the knob's values stands on it."""
    column = _column(knob)
    values = sorted({*front[column], *behind[column]})
    if column == "model":
        values.sort(key=lambda model: (math.isnan(size := parameters(model)), size, model))
        places = {model: float(index) for index, model in enumerate(values)}
        labels = [_model_label(model) for model in values]
    else:
        places = {value: math.log10(value) for value in values}
        labels = [f"{value:,.0f}" for value in values]
    at, margin = list(places.values()), 0.2 * _span(places)
    for index in range(1, len(labels)):  # of two labels that would touch, the second goes a line down
        if at[index] - at[index - 1] < margin and not labels[index - 1].startswith("\n"):
            labels[index] = f"\n{labels[index]}"
    axes.set_xticks(at, labels)
    axes.set_xlim(at[0] - margin, at[-1] + margin)
    axes.set_xlabel(knob.label)
    axes.grid(axis="x", visible=False)
    return places


def _column(knob: Knob) -> str:
    """The column of a figure's table that has the knob's value."""
    return "model" if knob.column == "model" else "x"


def _places(rows: pd.DataFrame, knob: Knob, places: Mapping[Any, float]) -> pd.Series:
    return rows[_column(knob)].map(places).astype(float)  # of no rows, it would be a column of words


def _span(places: Mapping[Any, float]) -> float:
    return (max(places.values()) - min(places.values())) or 1.0


def _model_label(model: str) -> str:
    name, size = textwrap.fill(model.rsplit("/", 1)[-1], 9), parameters(model)
    if math.isnan(size):
        return name
    amount = f"{size / 1e9:.3g} B" if size >= 1e9 else f"{size / 1e6:.{0 if size >= 1e7 else 1}f} M"
    return f"{name}\n{amount}"


def draw_lines(
    axes: Axes,
    lines: Sequence[Line],
    ours: pd.DataFrame,
    theirs: pd.DataFrame,
    arm: str,
    knob: Knob,
    places: Mapping[Any, float],
) -> None:
    """Each line of `arm`, over what it is read against and over the reference; neighbours stand a little apart."""
    span = _span(places)
    guess = ours[ours["arm"] == "chance"]
    x = _places(guess, knob, places)
    axes.hlines(guess["estimate"], x - 0.12 * span, x + 0.12 * span, color=style.MUTED, linewidth=0.9, zorder=1)
    for index, line in enumerate(lines):
        shift = (index - (len(lines) - 1) / 2) * 0.03 * span

        def placed(drawn: pd.DataFrame, arm: str, line: Line = line, shift: float = shift) -> pd.DataFrame:
            rows = line.rows(drawn, arm)
            return rows.assign(at=_places(rows, knob, places) + shift).sort_values("at")

        color, recall = line.look.color, line.where["answer_mode"] == "recall"
        for other in (CONTROL, CEILING) if arm in TRAINED and not recall else ():
            rows = placed(ours, other)
            ends = rows["at"] - 0.1 * span, rows["at"] + 0.1 * span
            if other == CEILING and knob.column != "model":
                ends = axes.get_xlim()  # the base model knows none of the programs or templates, however many
            _level(axes, rows, ends, color=color, linestyle=_DASHES[other], linewidth=1.0, alpha=0.6)
            axes.vlines(rows["at"], rows["low"], rows["high"], color=color, linewidth=0.6, alpha=0.5)
        if knob.permuted and line.where["answer_mode"] == "direct":
            rows = placed(ours, f"{arm}, permuted")
            x = rows["at"] + 0.03 * span
            axes.plot(x, rows["estimate"], linestyle="none", marker="x", markersize=3.6, color=color)
            axes.vlines(x, rows["low"], rows["high"], color=color, linewidth=0.6, alpha=0.7)
        for drawn, faint in ((theirs, True), (ours, False)):
            rows, kind = placed(drawn, arm), style.marked(line.look, faint)
            axes.plot(rows["at"], rows["estimate"], linestyle="none" if recall else "-", **kind)
            bars: dict[str, Any] = {"linewidth": 0.9, "alpha": kind["alpha"], "zorder": 2}
            axes.vlines(rows["at"], rows["low"], rows["high"], color=color, **bars)


def _level(axes: Axes, rows: pd.DataFrame, ends: tuple[Any, Any], **kind: Any) -> None:
    """A light line over the knob's values; from one of `ends` to the other where there is a single point."""
    if len(rows) == 1:
        axes.hlines(rows["estimate"], *ends, **kind)
    else:
        axes.plot(rows["at"], rows["estimate"], **kind)


def legend(figure: Figure, lines: Sequence[Line], front: pd.DataFrame, variant: str | None) -> int:
    """Legend above the panels: colours name lines, strokes what they are read against. Returns its number of rows."""
    entries: list[tuple[Line2D, str]] = []
    for line in lines:
        if len(of(front, line.where)):
            recall = line.where["answer_mode"] == "recall"
            handle = Line2D([], [], linestyle="none" if recall else "-", **style.marked(line.look))
            entries.append((handle, line.look.label))
    against: dict[str, tuple[pd.Series, dict[str, Any]]] = {
        "Stage 1 only": (front["arm"] == CONTROL, {"linestyle": _DASHES[CONTROL]}),
        "In context": (front["arm"] == CEILING, {"linestyle": _DASHES[CEILING]}),
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
