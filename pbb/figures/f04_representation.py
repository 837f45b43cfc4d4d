"""F04: code against its description in words, by model size, and the gap between them."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from pbb.analysis.statistics import contrast
from pbb.figures import by_knob, style
from pbb.figures.by_knob import CEILING, TRAINED, Line, of
from pbb.figures.tables import PANEL, TABLE, headline_of

ID, NAME, TITLE = "F04", "F04_representation", "w/o IO accuracy of code and of its description, by model size"
CLAIM = "Code works better than descriptions that say the same; the gap narrows with model size (C2)."
KNOB = by_knob.Knob("model", label="model, by parameters", modes=("cot", "direct", "recall"))
GAP = "code - description"  # in the column `representation` of the table: a difference of two accuracies
# Colours of their own: blue and orange are CoT and direct answers, in every figure.
FORMS = {
    "code": style.Look("Taught as code", "#332288", "o"),
    "description": style.Look("Taught as a description", "#CC6677", "D"),
}
_FIXED = [column for column in KNOB.fixed if column != "representation"]


def _forms(mode: str, marker: str = "") -> list[Line]:
    looks = {form: look._replace(marker=marker or look.marker) for form, look in FORMS.items()}
    return [Line({"answer_mode": mode, "representation": form}, look) for form, look in looks.items()]


_PANELS = {"CoT": [*_forms("recall", marker="*"), *_forms("cot")], "Direct": _forms("direct")}
_GAPS = [
    Line({"answer_mode": mode, "representation": GAP}, style.MODES[mode]._replace(label=label))
    for mode, label in (("cot", "c: CoT"), ("direct", "c: Direct"))
]
_RECALL = Line({"answer_mode": "recall"}, style.MODES["recall"])


def select(records: pd.DataFrame) -> pd.DataFrame:
    """The rows that this figure is drawn from: where the trained arms, the control and the ceiling end."""
    return by_knob.select(records, KNOB)


def table(records: pd.DataFrame) -> pd.DataFrame:
    """One row a plotted point; x is how many parameters the model has, NaN where its name does not say.

    Representation GAP is accuracy with code minus accuracy with descriptions, paired by program and input.
    """
    parts = [by_knob.table(records, KNOB), _gaps(select(records))]
    return pd.concat([part for part in parts if len(part)], ignore_index=True)[TABLE]


def _gaps(rows: pd.DataFrame) -> pd.DataFrame:
    """A row for each trained arm and the ceiling, by mode and model, where both were taught; columns as TABLE."""
    by = ["curriculum", "answer_mode", "group", *(column for column in PANEL if column != "representation")]
    found: list[dict[str, Any]] = []
    rows = rows[rows["curriculum"].isin([*TRAINED, CEILING]) & (rows["answer_mode"] != "recall")]
    for key, cell in rows.groupby(by):
        code, words = (cell[cell["representation"] == form] for form in FORMS)
        if len(code) and len(words):
            gap = contrast(code, words)
            here = dict(zip(by, key, strict=True))
            here |= {"arm": here["curriculum"], "representation": GAP, "x": by_knob.parameters(here["model"])}
            measured = ("estimate", "low", "high", "questions", "programs", "seeds")
            found.append(here | {name: getattr(gap, name) for name in measured})
    return pd.DataFrame(found).reindex(columns=TABLE)


def cells(records: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Headline values: each trained arm and the control, by mode, model and representation."""
    return by_knob.cells(records, KNOB)


def headline(records: pd.DataFrame) -> pd.DataFrame:
    return headline_of(cells(records))


def caption(records: pd.DataFrame) -> str:
    return _caption(table(records))


def _caption(drawn: pd.DataFrame) -> str:
    gaps = drawn["representation"] == GAP
    opening = (
        "Programs without input/output examples (w/o IO), asked by name at the end of training (a) by CoT and (b) "
        "directly. Code or its description is all that differs: traces are those of the code in both. "
        f"{by_knob.tokens(drawn[~gaps])}"
    )
    if gaps.any():
        opening += (
            " (c) Accuracy with code minus accuracy with descriptions, paired by program; dotted: the same where the "
            "text is in the prompt."
        )
    return by_knob.caption(drawn[~gaps], opening)


def draw(
    records: pd.DataFrame,
    reference: pd.DataFrame | None = None,
    *,
    variant: str = "this run",
    allow_smoke: bool = False,
) -> Figure:
    """The figure, a row for each trained arm and program length; `reference` is drawn faintly behind.

    The gap has a panel where both representations were taught.
    """
    front, behind = by_knob.tables(table, records, reference, allow_smoke)
    rows = by_knob.panels_of(front, _FIXED)
    gaps = [line for line in _GAPS if len(of(front, line.where))]
    with style.theme():
        figure = style.Picture(figsize=(style.DOUBLE, 3))
        grid = figure.subplots(len(rows), 3 if gaps else 2, squeeze=False)
        for axes, letter in zip(grid[0], ("a  ", "b", "c  Code minus description"), strict=False):
            axes.set_title(letter)
        for panels, (here, arm) in zip(grid, rows, strict=True):
            ours, theirs = of(front, here), of(behind, here)
            panels[0].set_title(panels[0].get_title("left") + by_knob.title(arm, here))
            for axes, (mode, lines) in zip(panels, _PANELS.items(), strict=False):
                style.percent_axis(axes)
                axes.set_ylabel(f"w/o IO accuracy, {mode}")
                by_knob.draw_lines(axes, lines, ours, theirs, arm, KNOB, by_knob.axis(axes, KNOB, front, behind))
            for axes in panels[2:]:
                ours, theirs = (of(drawn, {"representation": GAP}) for drawn in (ours, theirs))
                by_knob.draw_lines(axes, gaps, ours, theirs, arm, KNOB, by_knob.axis(axes, KNOB, front, behind))
                _points_axis(axes)
        named = [*_forms("cot"), _RECALL, *gaps]
        height = by_knob.legend(figure, named, front, variant if reference is not None else None)
        style.with_caption(figure, _caption(front), panels=2.1 * len(rows) + 0.15 * height)
        if (records["preset"] == "smoke").any():
            style.stamp_smoke(figure)
    return figure


def _points_axis(axes: Axes) -> None:
    """A difference of two shares, written in points of a hundred, around a line at none."""
    axes.axhline(0, color=style.MUTED, linewidth=0.9, zorder=1)
    low, high = axes.get_ylim()
    axes.set_ylim(min(low, -0.1), max(high, 0.1))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{share * 100:+.0f}" if share else "0"))
    axes.set_ylabel("points")
