"""F04: code against its description in words, by model size, and the gap between them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from pbb.analysis.tables import CEILING, PANEL, TRAINED, grouped, of, parameters
from pbb.figures import style
from pbb.figures.by_knob import BY_NAME, GAP, Gapped, Line

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
    def gaps(self, rows: pd.DataFrame) -> Iterator[tuple[dict[str, Any], pd.DataFrame, pd.DataFrame]]:
        """Code and description of each trained arm and the ceiling, by mode and model, where both were taught."""
        by = ["curriculum", "answer_mode", "group", *(column for column in PANEL if column != "representation")]
        rows = rows[rows["curriculum"].isin([*TRAINED, CEILING]) & (rows["answer_mode"] != "recall")]
        for here, cell in grouped(rows, by):
            code, words = (cell[cell["representation"] == form] for form in FORMS)
            if len(code) and len(words):
                yield here | {"arm": here["curriculum"], "x": parameters(here["model"])}, code, words

    def of_gaps(self, drawn: pd.DataFrame) -> str:
        return (
            " (c) Accuracy with code minus accuracy with descriptions, paired by program; dotted: the same where the "
            "text is in the prompt."
        )

    def sections(self, front: pd.DataFrame) -> list[tuple[str, str, list[Line]]]:
        forms = [*_forms("recall", marker="*"), *_forms("cot")]
        return [("", "CoT", forms), ("", "Direct", _forms("direct")), ("Code minus description", "", _GAPS)]

    def named(self, front: pd.DataFrame) -> list[Line]:
        taught = [line for line in _GAPS if len(of(front, line.where))]
        return [*_forms("cot"), Line({"answer_mode": "recall"}, style.MODES["recall"]), *taught]


REPRESENTATION = Representation(
    NAME="F04_representation",
    TITLE="w/o IO accuracy of code and of its description, by model size",
    CLAIM="Code works better than descriptions that say the same; the gap narrows with model size (C2).",
    VARIES="model",
    label="model, by parameters",
    MODES=("cot", "direct", "recall"),
    opening=(
        f"{BY_NAME} (a) by CoT and (b) directly. What is taught as code is run step by step in code, what is taught as "
        "a description in words. {tokens}"
    ),
)
