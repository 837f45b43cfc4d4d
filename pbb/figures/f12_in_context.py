"""F12: the source in the prompt against the source in the weights, by program length."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from pbb.analysis import tables
from pbb.analysis.labels import MODES, PLAIN_MODE
from pbb.analysis.statistics import CLUSTER
from pbb.analysis.tables import CEILING, CONTROL, Cells, grouped, of
from pbb.figures.by_knob import GAP, Gapped, Line

_WEIGHTS = "proactive"


class InContext(Gapped):
    def select(self, records: pd.DataFrame) -> pd.DataFrame:
        """The end of PBB and its control, and the base model in context.

        Of recite-then-run only Proactive's answers count, and of these only where what it recited is the source: then
        the finetuned model too ran the source that was in its prompt. `recall` has the sources to compare with.
        """
        rows = tables.final(tables.asked_by_name(records, MODES))
        asked = {CEILING: tuple(PLAIN_MODE), _WEIGHTS: ("cot", "direct", "recall"), CONTROL: ("cot", "direct")}
        kept = [of(rows, {"curriculum": arm, "answer_mode": modes}) for arm, modes in asked.items()]
        kept.append(_exactly(of(rows, {"curriculum": _WEIGHTS, "answer_mode": "recite"}), rows))
        return pd.concat(kept, ignore_index=True)

    def gaps(self, rows: pd.DataFrame) -> Iterator[tuple[dict[str, Any], pd.DataFrame, pd.DataFrame]]:
        """In context and Proactive, by mode and length; in mode "recite" both have the source in their prompt."""
        for here, panel in grouped(rows.replace({"answer_mode": PLAIN_MODE})):
            for mode in self.MODES:
                above = of(panel, {"curriculum": CEILING, "answer_mode": mode.replace("recite", "cot")})
                below = of(panel, {"curriculum": _WEIGHTS, "answer_mode": mode})
                shared = above[CLUSTER].drop_duplicates().merge(below[CLUSTER].drop_duplicates())
                if len(shared):
                    where = here | {"arm": _WEIGHTS, "answer_mode": mode, "x": float(here["statements"])}
                    yield where, above.merge(shared), below.merge(shared)

    def values(self, rows: pd.DataFrame) -> Cells:
        """In context and Proactive, by mode and length."""
        return tables.cells(rows, (CEILING, _WEIGHTS), self.MODES)

    def of_gaps(self, drawn: pd.DataFrame) -> str:
        said = " (c) Points by which in context is ahead, paired by program."
        if (drawn["answer_mode"] == "recite").any():
            said += (
                " Recite, then run: the finetuned model writes the source first and runs what it wrote; only answers "
                "after an exact recitation, so that the source is in its prompt too."
            )
        return said

    def sections(self, front: pd.DataFrame) -> list[tuple[str, str, list[Line]]]:
        cot, recite, direct = self.lines()
        gaps = [line._replace(where={**line.where, "representation": GAP}) for line in (cot, recite, direct)]
        return [("", "CoT", [cot, recite]), ("", "Direct", [direct]), ("In context minus weights", "", gaps)]


def _exactly(recited: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """Those of `recited` whose prompt begins with the source itself."""
    sources = rows.loc[rows["answer_mode"] == "recall", ["experiment", "program", "expected"]]
    found = recited.merge(sources.rename(columns={"expected": "source"}), on=["experiment", "program"])
    exact = [prompt.startswith(f"{source}\n") for prompt, source in zip(found["prompt"], found["source"], strict=True)]
    return found.loc[exact, list(rows.columns)]


IN_CONTEXT = InContext(
    NAME="F12_in_context",
    TITLE="The source in the prompt against the source in the weights",
    CLAIM="Execution in context is more reliable than PBB (C7).",
    VARIES="statements",
    label="statements in the program",
    MODES=("cot", "recite", "direct"),
    opening=(
        "The same w/o IO programs and inputs, with the source in the prompt of the untuned base model, or in the "
        "weights after Proactive-PBB, asked by name."
    ),
)
