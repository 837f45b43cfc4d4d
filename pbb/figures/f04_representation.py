"""F04: code against its description in words, by model size, and the gap between them."""

from __future__ import annotations

from typing import Any

import pandas as pd

from pbb.analysis.statistics import contrast
from pbb.analysis.tables import CEILING, PANEL, TRAINED, measures, of, parameters, stacked
from pbb.figures import style
from pbb.figures.by_knob import ByKnob, Line, arm_panels, title

GAP = "code - description"  # in the column `representation` of the table: a difference of two accuracies
# Colours of their own: blue and orange are CoT and direct answers, in every figure.
FORMS = {
    "code": style.Look("Taught as code", "#332288", "o"),
    "description": style.Look("Taught as a description", "#CC6677", "D"),
}


def _forms(mode: str, **look: Any) -> list[Line]:
    return [Line({"answer_mode": mode, "representation": form}, FORMS[form]._replace(**look)) for form in FORMS]


_PANELS = {"CoT": [*_forms("recall", marker="*"), *_forms("cot")], "Direct": _forms("direct")}
_GAPS = [
    Line({"answer_mode": mode, "representation": GAP}, style.MODES[mode]._replace(label=label))
    for mode, label in (("cot", "c: CoT"), ("direct", "c: Direct"))
]


class Representation(ByKnob):
    def __init__(self) -> None:
        super().__init__(
            *("F04", "F04_representation", "w/o IO accuracy of code and of its description, by model size"),
            "Code works better than descriptions that say the same; the gap narrows with model size (C2).",
            "model",
            "model, by parameters",
            ("cot", "direct", "recall"),
            "Programs without input/output examples (w/o IO), asked by name at the end of training (a) by CoT and (b) "
            "directly. Code or its description is all that differs: traces are those of the code in both. {tokens}",
        )

    def table(self, records: pd.DataFrame) -> pd.DataFrame:
        """As of every knob; representation GAP is accuracy with code minus with descriptions, paired by question."""
        return stacked([super().table(records), _gaps(self.select(records))])

    def words(self, drawn: pd.DataFrame, records: pd.DataFrame, more: str = "") -> str:
        gaps = drawn["representation"] == GAP
        more = (
            " (c) Accuracy with code minus accuracy with descriptions, paired by program; dotted: the same where the "
            "text is in the prompt."
        )
        return super().words(drawn[~gaps], records, more if gaps.any() else "")

    def panels(self, figure: style.Picture, front: pd.DataFrame, behind: pd.DataFrame) -> float:
        """A row for each trained arm and program length; the gap has a panel where both forms were taught."""
        rows = arm_panels(front, [column for column in self.FIXED if column != "representation"])
        shown = [("a  ", "CoT", _PANELS["CoT"]), ("b", "Direct", _PANELS["Direct"])]
        if gaps := _taught(front):
            shown.append(("c  Code minus description", "", gaps))
        grid = figure.subplots(len(rows), len(shown), squeeze=False)
        for axes, (letter, _, _) in zip(grid[0], shown, strict=True):
            axes.set_title(letter)
        for line, (here, arm) in zip(grid, rows, strict=True):
            line[0].set_title(line[0].get_title("left") + title(arm, here))
            for axes, (_, mode, lines) in zip(line, shown, strict=True):
                if mode:
                    style.percent_axis(axes)
                    axes.set_ylabel(f"w/o IO accuracy, {mode}")
                scale = self.axis(axes, front, behind)
                gap = {} if mode else {"representation": GAP}
                self.draw_lines(axes, lines, of(front, here | gap), of(behind, here | gap), arm, scale)
                if gap:
                    style.points_axis(axes)
        return 2.1 * len(rows)

    def legend(self, front: pd.DataFrame, lines: Any = None) -> list[style.Entry]:
        recall = Line({"answer_mode": "recall"}, style.MODES["recall"])
        return super().legend(front, [*_forms("cot"), recall, *_taught(front)])


def _taught(front: pd.DataFrame) -> list[Line]:
    return [line for line in _GAPS if len(of(front, line.where))]


def _gaps(rows: pd.DataFrame) -> pd.DataFrame:
    """A row for each trained arm and the ceiling, by mode and model, where both were taught; columns as TABLE."""
    by = ["curriculum", "answer_mode", "group", *(column for column in PANEL if column != "representation")]
    found: list[dict[str, Any]] = []
    rows = rows[rows["curriculum"].isin([*TRAINED, CEILING]) & (rows["answer_mode"] != "recall")]
    for key, cell in rows.groupby(by):
        code, words = (cell[cell["representation"] == form] for form in FORMS)
        if len(code) and len(words):
            here = dict(zip(by, key, strict=True))
            here |= {"arm": here["curriculum"], "representation": GAP, "x": parameters(here["model"])}
            found.append(here | measures(contrast(code, words)))
    return stacked([pd.DataFrame(found)])
