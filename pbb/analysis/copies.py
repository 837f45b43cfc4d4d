"""Questions that copying answers: the right answer stands in the program's source, or in the question itself.

`x + 356` asked for 0 is 356: whoever recites the source answers it without running anything. Such questions are found
in every domain alike, by comparing texts, and are scored apart from the others.
"""

from __future__ import annotations

import ast
import re

import pandas as pd

from pbb.analysis.labels import PLAIN_MODE
from pbb.arms import ARMS

_PROGRAM = ["domain", "representation", "statements", "with_io_programs", "seed", "program"]
_CODE = r"(?m)^\s*(?:return\b|[A-Za-z_]\w* = )"
_LITERAL = re.compile(r"'[^']*'|\"[^\"]*\"|\d+")


def sources(records: pd.DataFrame) -> pd.Series:
    """Return the source (or description) of each program that `records` hold it of, by _PROGRAM.

    It is what a recall wants, else what stands above the question in context.
    """
    recall = records[records["answer_mode"] == "recall"].assign(source=lambda rows: rows["expected"])
    shown = records[records["answer_mode"].isin(list(PLAIN_MODE))]
    shown = shown.assign(source=[prompt.rpartition("\n")[0] for prompt in shown["prompt"]])
    found = pd.concat([recall, shown])[[*_PROGRAM, "source"]].drop_duplicates(_PROGRAM)
    return found.set_index(_PROGRAM)["source"]


def with_copies(rows: pd.DataFrame, known: pd.Series) -> pd.DataFrame:
    """Return `rows` with `copied`: whether copying answers the question; missing where no source is known."""
    rows = rows.join(known.rename("source"), on=_PROGRAM)
    told = [_told(text) for text in rows["input"]]
    within = [_literals(source) for source in rows["source"]]
    either = zip(rows["expected"], within, told, strict=True)
    copied = [None if texts is None else right in texts or right in given for right, texts, given in either]
    return rows.drop(columns="source").assign(copied=pd.Series(copied, rows.index, dtype="boolean"))


def copying(rows: pd.DataFrame, known: pd.Series) -> float:
    """Accuracy of the best rule for copying: always the first number of the source, say, or always the input.

    A rule is a place in the source or in the input, the same for all programs; NaN where no source is known.
    """
    asked = rows[[*_PROGRAM, "input", "expected"]].drop_duplicates().join(known.rename("source"), on=_PROGRAM)
    asked = asked[asked["source"].notna()]
    if asked.empty:
        return float("nan")
    best = 0.0
    for texts in (asked["source"].map(_literals), asked["input"].map(_told)):
        for place in range(int(texts.str.len().max())):
            best = max(best, float((texts.str[place] == asked["expected"]).mean()))
    return best


def quoting_source(rows: pd.DataFrame) -> list[str]:
    """Return the distilled experiments whose answers by CoT quote lines of code: so did their demonstrations.

    Where there was a Stage 1, its w/ IO programs did, and demonstrations did not.
    """
    shown = rows["curriculum"].map(lambda arm: ARMS[arm].from_nothing) & (rows["answer_mode"] == "cot")
    return sorted(rows.loc[shown & rows["completion"].str.contains(_CODE), "experiment"].unique())


def _literals(source: object) -> list[str] | None:
    """Return numbers and quoted strings of a source in their order; None of no source."""
    return _LITERAL.findall(source) if isinstance(source, str) else None


def _told(text: str) -> list[str]:
    """Return the arguments of an input, as they are written."""
    try:
        return [repr(argument) for argument in ast.literal_eval(f"({text},)")]
    except (SyntaxError, ValueError):
        return [text]
