"""Accuracy at the end of training against one knob of an experiment: F03, F09 and F10; F04, F05 and F12 build on it.

A line is an answer mode of a trained arm over the knob's values. It is read against the same mode of the control that
never saw the sources, the base model with the source in its prompt, and the best guess. Models stand in order of
size, numbers on a log scale.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import pandas as pd
from matplotlib.axes import Axes

from pbb.analysis import tables
from pbb.analysis.copies import sources, with_copies
from pbb.analysis.labels import IN_CONTEXT, by_length, counted, statements
from pbb.analysis.statistics import contrast
from pbb.analysis.tables import APART, CEILING, CHANCE, CONTROL, COPY, PERMUTED, TRAINED, Cells, of, parameters
from pbb.arms import ARMS
from pbb.figures import style
from pbb.figures.base import BARS, GUESS, Chart, layers, panels_in

GAP = "difference"  # in the column `representation` of a table
_ASKED = (*TRAINED, CONTROL, CEILING)
_DASHES: dict[str, Any] = {CONTROL: style.DASHED, CEILING: ":", CHANCE: "-", COPY: "-."}
_SCORED = {PERMUTED: "x", APART: "+"}
# What lines are read against, by the end of an arm's name: in the legend, and its look there.
_CROSS: dict[str, Any] = {"dashes": "none", "linewidth": 1.0, "color": style.MODES["direct"].color}
_LEGEND: dict[str, tuple[str, dict[str, Any]]] = {
    CONTROL: ("Stage 1 only", {"dashes": _DASHES[CONTROL], "linewidth": 1.0}),
    CEILING: ("In context", {"dashes": _DASHES[CEILING], "linewidth": 1.0}),
    **{how: (f"Direct, {how}", _CROSS | {"marker": marker}) for how, marker in _SCORED.items()},
    CHANCE: ("Best guess", {}),
    COPY: ("Best copy", {"dashes": _DASHES[COPY]}),
}
_CAPTION = {  # and in the caption
    CONTROL: "Dashed: the control that never saw their source (Stage 1 only).",
    PERMUTED: "Crosses: direct answers scored against the right answers to the program's other inputs.",
    APART: "Pluses: direct answers where the right one is neither a number of the source nor the input; faint: of "
    "Stage 1 only.",
    CEILING: "Dotted: the base model with the source in its prompt.",
}


class Line(NamedTuple):
    """Those rows of a figure's table that are one line, by columns and their values; and how they look."""

    where: Mapping[str, str]
    look: style.Look
    shift: float | None = None  # of its marks, so that intervals do not cover each other; None: by its rank

    @property
    def mode(self) -> str:
        return self.where["answer_mode"]

    @property
    def dashes(self) -> str:
        return "none" if self.mode == "recall" else "-"

    def rows(self, drawn: pd.DataFrame, arm: str) -> pd.DataFrame:
        """This line's points of `arm`; the ceiling's in the in-context mode of the same form."""
        mode = IN_CONTEXT.get(self.mode, "") if arm == CEILING else self.mode
        return of(drawn, {**self.where, "answer_mode": mode, "arm": arm})


class Scale(NamedTuple):
    """Where the values of a knob stand on the x axis, and how wide the marks around them are, in its units."""

    places: Mapping[Any, float]  # of the values of `column`
    column: str  # of the figure's table
    beside: float  # from a direct answer to its permuted control
    guess: float  # half of a best guess
    level: float  # half of a control's or ceiling's single point

    def of(self, rows: pd.DataFrame) -> pd.Series:
        return rows[self.column].map(self.places).astype(float)  # of no rows, it would be a column of words


@dataclass(frozen=True, kw_only=True)
class ByKnob(Chart):
    """A figure with a panel for each trained arm and for what it holds fixed."""

    NAME: str
    TITLE: str
    CLAIM: str
    VARIES: str  # of the columns of records: "model", or one of `pbb.records.KNOBS`
    label: str  # of the x axis
    MODES: tuple[str, ...]  # asked by name
    opening: str  # of its caption; {tokens} is how much was trained on
    things: str = ""  # what its numbers count, in the plural: "w/ IO programs"; a model is named by its panel
    scored: bool = False  # show direct answers scored otherwise too: against other inputs, and without copies
    NEEDS = f"w/o IO programs, asked of {', '.join(_ASKED)}"

    # ------------------------------------------------------------------------------------- records to points
    def select(self, records: pd.DataFrame) -> pd.DataFrame:
        """Where the trained arms, the control and the ceiling end."""
        return tables.at_the_end(records, _ASKED, self.MODES)

    def parts(self, rows: pd.DataFrame) -> Iterator[pd.DataFrame]:
        """x is the knob's value (of a model: its parameters; NaN if unknown).

        Of direct answers arm "<arm>, permuted" is scored against other inputs, "<arm>, copies left out" where the
        answer cannot be copied. Arm "chance" is the best guess, "copy" the best rule for copying.
        """
        by_value = [(math.nan, rows)] if self.VARIES == "statements" else rows.groupby(self.VARIES)
        for value, here in by_value:
            known = sources(here)
            found = [tables.points(here), tables.guesses(here[here["answer_mode"] != "recall"], known=known)]
            if self.scored:
                found.insert(1, tables.direct_points(here, known))
            drawn = tables.stacked(found)
            at = drawn["statements"] if self.VARIES == "statements" else value
            yield drawn.assign(x=parameters(value) if isinstance(value, str) else at).astype({"x": float})

    def values(self, rows: pd.DataFrame) -> Cells:
        """Trained arms and the control, by mode, panel and the knob's value."""
        found: Cells = {}
        for value, here in rows.groupby(self.VARIES) if self.things else [(0, rows)]:
            told = f", {counted(value, self.things)}" if self.things else ""
            found |= tables.cells(here, (*TRAINED, CONTROL), self.MODES, where=told)
            if self.scored:
                direct = with_copies(of(here, {"answer_mode": "direct"}), sources(here))
                apart = direct[direct["copied"].eq(False).fillna(False)]
                found |= tables.cells(apart, (*TRAINED, CONTROL), self.MODES, APART, told)
        return {value: cell for value, cell in found.items() if (value.arm, value.mode) != (CONTROL, "recall")}

    # --------------------------------------------------------------------------------------------- the picture
    def more(self, drawn: pd.DataFrame) -> str:
        """What the caption says after its opening."""
        return ""

    def words(self, drawn: pd.DataFrame, rows: pd.DataFrame) -> str:
        """The opening, then what the marks mean, how intervals are made, and how many answers there are."""
        said = [self.opening.format(tokens=_tokens(drawn)).strip() + self.more(drawn)]
        drawn = drawn[drawn["representation"] != GAP]
        said += [text for end, text in _CAPTION.items() if drawn["arm"].str.endswith(end).any()]
        asked = drawn["arm"].isin(ARMS) & (drawn["answer_mode"] != "recall")
        if "recall" in self.MODES and (drawn["answer_mode"] == "recall").any():
            said.append("Stars: what was taught, recited exactly.")
        said.append(f"Bars: {BARS}. {tables.sizes(drawn[asked])}. Grey: {GUESS}.")
        if (drawn["arm"] == COPY).any():
            said.append("Grey, dash-dotted: the best rule for copying, such as always the first number of the source.")
        return " ".join(said)

    def panels(self, figure: style.Picture, front: pd.DataFrame, behind: pd.DataFrame) -> float:
        panels = self.shown(front)
        if len(panels) == 1:
            figure.set_figwidth(style.COLUMN)
        columns = min(2, len(panels))
        grid = figure.subplots(-(-len(panels) // columns), columns, squeeze=False, sharey=True)
        for axes, (here, arms) in zip(grid.flat, panels, strict=False):
            style.percent_axis(axes)
            self.panel(axes, here, arms, front, behind)
        for axes in list(grid.flat)[len(panels) :]:
            axes.set_visible(False)
        for axes in grid[:, 0]:
            axes.set_ylabel(self.LABEL)
        return 2.35 * len(grid)

    def shown(self, front: pd.DataFrame) -> list[tuple[dict[str, Any], list[str]]]:
        """What each panel holds fixed, and its arms."""
        return [(here, [arm]) for here, arm in arm_panels(front, self.FIXED)]

    def panel(
        self, axes: Axes, here: dict[str, Any], arms: list[str], front: pd.DataFrame, behind: pd.DataFrame
    ) -> None:
        """Draw one panel."""
        scale = self.axis(axes, front, behind)
        self.draw_lines(axes, self.lines(), of(front, here), of(behind, here), arms[0], scale)
        axes.set_title(title(arms[0], here))

    def lines(self) -> list[Line]:
        """The figure's lines: one for each answer mode."""
        return [Line({"answer_mode": mode}, style.MODES[mode]) for mode in self.MODES]

    def axis(self, axes: Axes, front: pd.DataFrame, behind: pd.DataFrame) -> Scale:
        """Set up the x axis of a panel."""
        column = "model" if self.VARIES == "model" else "x"
        values = sorted({*front[column], *behind[column]})
        if column == "model":
            values.sort(key=lambda model: (math.isnan(size := parameters(model)), size, model))
            places = {model: float(index) for index, model in enumerate(values)}
            labels = [_model_label(model) for model in values]
        else:
            places = {value: value if self.VARIES == "statements" else math.log10(value) for value in values}
            labels = [f"{value:,.0f}" for value in values]
        at = list(places.values())
        span = (max(at) - min(at)) or 1.0
        for index in range(1, len(labels)):  # of two labels that would touch, the second goes a line down
            if at[index] - at[index - 1] < 0.2 * span and not labels[index - 1].startswith("\n"):
                labels[index] = f"\n{labels[index]}"
        axes.set_xticks(at, labels)
        axes.set_xlim(at[0] - 0.2 * span, at[-1] + 0.2 * span)
        axes.set_xlabel(self.label)
        axes.grid(axis="x", visible=False)
        return Scale(places, column, 0.03 * span, 0.12 * span, 0.1 * span)

    def draw_lines(
        self, axes: Axes, lines: Sequence[Line], ours: pd.DataFrame, theirs: pd.DataFrame, arm: str, scale: Scale
    ) -> None:
        """Each line of `arm`, over what it is read against and over the reference; neighbours stand a little apart."""
        for guesser in (CHANCE, COPY):
            guess = of(ours, {"arm": guesser})
            ends = scale.of(guess) - scale.guess, scale.of(guess) + scale.guess
            grey: dict[str, Any] = {"color": style.MUTED, "linestyle": _DASHES[guesser], "linewidth": 0.9, "zorder": 1}
            axes.hlines(guess["estimate"], *ends, **grey)
        for index, line in enumerate(lines):
            shift = (index - (len(lines) - 1) / 2) * scale.beside if line.shift is None else line.shift

            def placed(drawn: pd.DataFrame, arm: str, line: Line = line, shift: float = shift) -> pd.DataFrame:
                rows = line.rows(drawn, arm)
                return rows.assign(at=scale.of(rows) + shift).sort_values("at")

            color = line.look.color
            for other in (CONTROL, CEILING) if arm in TRAINED and line.mode != "recall" else ():
                rows = placed(ours, other)
                ends = rows["at"] - scale.level, rows["at"] + scale.level
                if other == CEILING and self.things:
                    ends = axes.get_xlim()  # the base model knows none of the programs or templates, however many
                light: dict[str, Any] = {"color": color, "linestyle": _DASHES[other], "linewidth": 1.0, "alpha": 0.6}
                if len(rows) == 1:
                    axes.hlines(rows["estimate"], *ends, **light)
                else:
                    axes.plot(rows["at"], rows["estimate"], **light)
                axes.vlines(rows["at"], rows["low"], rows["high"], color=color, linewidth=0.6, alpha=0.5)
            for beside, (how, marker) in enumerate(_SCORED.items(), 1) if line.mode == "direct" else ():
                for one, alpha in ((arm, 1.0), (CONTROL, 0.45)):
                    rows = placed(ours, f"{one}, {how}")
                    x = rows["at"] + beside * scale.beside
                    axes.plot(x, rows["estimate"], marker, markersize=3.6, color=color, alpha=alpha)
                    axes.vlines(x, rows["low"], rows["high"], color=color, linewidth=0.6, alpha=0.7 * alpha)
            for drawn, faint in layers(ours, theirs):
                rows = placed(drawn, arm)
                style.series(axes, rows["at"], rows, line.look, faint, line.dashes)

    def named(self, front: pd.DataFrame) -> list[Line]:
        """The lines that stand in the legend, if they are there."""
        return self.lines()

    def legend(self, front: pd.DataFrame) -> list[style.Entry]:
        """Colours name lines, strokes what they are read against."""
        lines = [line for line in self.named(front) if len(of(front, line.where))]
        against = [look for end, look in _LEGEND.items() if front["arm"].str.endswith(end).any()]
        return [
            *(style.entry(line.look, dashes=line.dashes) for line in lines),
            *(style.stroke(label, **kind) for label, kind in against),
        ]


def _tokens(drawn: pd.DataFrame) -> str:
    """How much each trained arm was trained on, and whether that is the same at all points of a line."""
    told = []
    for arm in TRAINED:
        if (mine := drawn.loc[drawn["arm"] == arm, "tokens"]).size:
            least, most = (tables.amount(value) for value in (mine.min(), mine.max()))
            same = f"{most} tokens at every point" if least == most else f"{least} to {most} tokens"
            told.append(f"{ARMS[arm].label}: {same}.")
    return " ".join(told)


def arm_panels(front: pd.DataFrame, fixed: Sequence[str]) -> list[tuple[dict[str, Any], str]]:
    """(what it holds fixed, its arm) for each panel: a trained arm's; where there is none, the control's."""
    arms = next(arms for arms in (TRAINED, (CONTROL,), (CEILING,)) if front["arm"].isin(arms).any())
    return [(panel, panel.pop("arm")) for panel in panels_in(of(front, {"arm": arms}), [*fixed, "arm"])]


def title(arm: str, here: Mapping[str, Any]) -> str:
    """What a panel shows: its arm, and what it holds fixed."""
    words = [ARMS[arm].label, here.get("model", "")]
    length = by_length(here["domain"])
    words.append(here["domain"] if not length else statements(here["statements"]) if "statements" in here else "")
    words.append("" if here.get("representation", "code") == "code" else here["representation"])
    return ", ".join(filter(None, words))


def _model_label(model: str) -> str:
    name, size = textwrap.fill(model.rsplit("/", 1)[-1], 9), parameters(model)
    if math.isnan(size):
        return name
    return f"{name}\n" + (f"{size / 1e9:.3g} B" if size >= 1e9 else f"{size / 1e6:.{0 if size >= 1e7 else 1}f} M")


class Gapped(ByKnob):
    """A figure that shows differences too: rows of its table whose representation is GAP, paired by program."""

    def sections(self, front: pd.DataFrame) -> list[tuple[str, str, list[Line]]]:
        """Title, mode and lines of each panel in a row; without a mode it is of differences."""
        raise NotImplementedError

    def gaps(self, rows: pd.DataFrame) -> Iterator[tuple[dict[str, Any], pd.DataFrame, pd.DataFrame]]:
        """Yield where a difference stands, and its two sides, from selected rows."""
        raise NotImplementedError

    def of_gaps(self, drawn: pd.DataFrame) -> str:
        """What the caption says of differences."""
        raise NotImplementedError

    def parts(self, rows: pd.DataFrame) -> Iterator[pd.DataFrame]:
        yield from super().parts(rows)
        gaps = [where | tables.measures(contrast(*sides)) for where, *sides in self.gaps(rows)]
        yield pd.DataFrame(gaps).assign(representation=GAP)

    def more(self, drawn: pd.DataFrame) -> str:
        return self.of_gaps(drawn) if (drawn["representation"] == GAP).any() else ""

    def panels(self, figure: style.Picture, front: pd.DataFrame, behind: pd.DataFrame) -> float:
        """A row for each trained arm and for what it holds fixed; differences where both sides were asked."""
        shown = [section for section in self.sections(front) if any(len(of(front, line.where)) for line in section[2])]
        rows = arm_panels(front, [column for column in self.FIXED if column != "representation"])
        grid = figure.subplots(len(rows), len(shown), squeeze=False)
        for index, (line, (here, arm)) in enumerate(zip(grid, rows, strict=True)):
            for axes, letter, (told, mode, lines) in zip(line, "abc", shown, strict=False):
                where = ", ".join([title(arm, here)] * (axes is line[0]) + [mode] * bool(mode))
                axes.set_title("  ".join(filter(None, ["" if index else letter, told, where])))
                scale = self.axis(axes, front, behind)
                ours, theirs = (drawn[drawn["representation"].eq(GAP) != bool(mode)] for drawn in (front, behind))
                self.draw_lines(axes, lines, of(ours, here), of(theirs, here), arm, scale)
                if mode:
                    style.percent_axis(axes)
                    axes.set_ylabel(self.LABEL)
                else:
                    style.points_axis(axes)
        return 2.1 * len(rows)


BY_NAME = "Programs without input/output examples (w/o IO), asked by name at the end of training"
SCALE = ByKnob(
    NAME="F03_scale",
    TITLE="w/o IO accuracy by model size",
    CLAIM="Accuracy grows with model size (C9).",
    VARIES="model",
    label="model, by parameters",
    MODES=("recall", "cot", "direct"),
    opening=f"{BY_NAME}, by model. {{tokens}}",
    scored=True,
)
PROGRAM_COUNT = ByKnob(
    NAME="F09_program_count",
    TITLE="w/o IO accuracy by number of w/ IO programs",
    CLAIM="The more programs are shown together with their executions, the better others are run by name (C9).",
    VARIES="with_io_programs",
    label="w/ IO programs (log scale)",
    MODES=("cot", "recite", "direct"),
    opening=(
        f"{BY_NAME}, by the number of w/ IO programs in Stage 1. {{tokens}} The fewer the programs, the more often "
        "each is seen."
    ),
    things="w/ IO programs",
)
AUGMENTATION = ByKnob(
    NAME="F10_augmentation",
    TITLE="w/o IO accuracy by number of context templates",
    CLAIM="Without context augmentation, one wording for every w/ IO program, PBB degrades badly (C10).",
    VARIES="templates",
    label="context templates (log scale)",
    MODES=("recall", "cot", "direct"),
    opening=(
        f"{BY_NAME}, by the number of context templates that name a w/ IO program in Stage 1. The sources of w/o IO "
        "programs and the questions about them come in all twenty. {tokens}"
    ),
    things="templates",
)
