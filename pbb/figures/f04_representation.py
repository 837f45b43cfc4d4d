"""F04: code against its description in words, by model size, and the gap between them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from pbb.analysis.tables import CEILING, PANEL, TRAINED, of, parameters
from pbb.figures import style
from pbb.figures.by_knob import GAP, Gapped, Line

# Colours of their own: blue and orange are CoT and direct answers, in every figure.
FORMS = {
    "code": style.Look("Taught as code", "#332288", "o"),
    "description": style.Look("Taught as a description", "#CC6677", "D"),
}


def _forms(mode: str, **look: Any) -> list[Line]:
    return [Line({"answer_mode": mode, "representation": form}, FORMS[form]._replace(**look)) for form in FORMS]


_GAPS = [
    Line({"answer_mode": mode, "representation": GAP}, style.MODES[mode]._replace(label=label))
    for mode, label in (("cot", "c: CoT"), ("direct", "c: Direct"))
]


class Representation(Gapped):
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

    def gaps(self, rows: pd.DataFrame) -> Iterator[tuple[dict[str, Any], pd.DataFrame, pd.DataFrame]]:
        """Code and description of each trained arm and the ceiling, by mode and model, where both were taught."""
        by = ["curriculum", "answer_mode", "group", *(column for column in PANEL if column != "representation")]
        rows = rows[rows["curriculum"].isin([*TRAINED, CEILING]) & (rows["answer_mode"] != "recall")]
        for key, cell in rows.groupby(by):
            code, words = (cell[cell["representation"] == form] for form in FORMS)
            if len(code) and len(words):
                here = dict(zip(by, key, strict=True))
                yield here | {"arm": here["curriculum"], "x": parameters(here["model"])}, code, words

    def words(self, drawn: pd.DataFrame, records: pd.DataFrame, more: str = "") -> str:
        more = (
            " (c) Accuracy with code minus accuracy with descriptions, paired by program; dotted: the same where the "
            "text is in the prompt."
        )
        return super().words(drawn, records, more)

    def sections(self, front: pd.DataFrame) -> list[tuple[str, str, list[Line]]]:
        forms = [*_forms("recall", marker="*"), *_forms("cot")]
        return [("", "CoT", forms), ("", "Direct", _forms("direct")), ("Code minus description", "", _GAPS)]

    def legend(self, front: pd.DataFrame, lines: Any = None) -> list[style.Entry]:
        recall = Line({"answer_mode": "recall"}, style.MODES["recall"])
        taught = [line for line in _GAPS if len(of(front, line.where))]
        return super().legend(front, [*_forms("cot"), recall, *taught])
