"""F11: f(g(x)), named and never shown, by how its parts were learnt; beside its parts, and the recall of these."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd

from pbb.analysis import tables
from pbb.analysis.labels import PLAIN_MODE
from pbb.analysis.statistics import accuracy
from pbb.analysis.tables import CEILING, CHANCE, CONTROL, MEASURED, PANEL, Cells, Value, grouped, of
from pbb.figures import style
from pbb.figures.base import BARS, GUESS, Chart, layers

_ARM = "proactive"
_PARTS, _WHOLE = "w/o IO parts", "w/o IO"  # groups
PARTS, COMPOSITE, RECITED = "parts", "composite", "both parts recited"
_WHAT = {_PARTS: PARTS, _WHOLE: COMPOSITE}
# Each kind of composite, as records call its domain, and how its parts were learnt.
KINDS = {
    "composition": "both\nw/o IO",
    "composition with a shown part": "outer w/o IO,\ninner w/ IO",
    "composition with a builtin": "w/o IO and\na builtin",
    "composition in one document": "both w/o IO,\none document",
    "composition of shown parts": "both\nw/ IO",
}
_BUILTINS = {"abs", "len", "max", "min"}


class _Mark(NamedTuple):
    """Points of one arm in every kind, `shift` beside its place, so that intervals do not cover each other."""

    arm: str
    what: str
    look: style.Look
    shift: float


_GREEN = style.GROUPS[_PARTS].color
_MARKS = (
    _Mark(_ARM, COMPOSITE, style.ARMS[_ARM], 0.0),
    _Mark(CONTROL, COMPOSITE, style.ARMS[CONTROL], 0.14),
    _Mark(CEILING, COMPOSITE, style.ARMS[CEILING], -0.28),
    _Mark(_ARM, PARTS, style.Look("Proactive-PBB, a part alone", _GREEN, "D"), -0.14),
    _Mark(_ARM, RECITED, style.Look("Proactive-PBB, both sources recited", _GREEN, "D", False), 0.28),
)


class Composition(Chart):
    NAME, TITLE = "F11_composition", "Composites, by how their parts were learnt"
    CLAIM = (
        "Two programs that were learnt separately, by their source alone, can be composed: f(g(x)) is executed (C11)."
    )
    NEEDS = f"composites, asked of {_ARM}, {CONTROL} and {CEILING}"
    VARIES, COLUMNS = "domain", (*PANEL, "arm", "answer_mode", "what", *MEASURED)

    def select(self, records: pd.DataFrame) -> pd.DataFrame:
        """Where PBB, its control and the ceiling end: on composites and w/o IO parts, and on the recall of any part."""
        asked = (*self.MODES, *PLAIN_MODE, "recall")
        here = {"domain": tuple(KINDS), "curriculum": (_ARM, CONTROL, CEILING), "answer_mode": asked}
        rows = tables.final(of(records, here))
        return rows[rows["group"].isin(list(_WHAT)) | (rows["answer_mode"] == "recall")]

    def parts(self, rows: pd.DataFrame) -> Iterator[pd.DataFrame]:
        """`domain` is the kind of composites, a key of `KINDS`; `what` says of what an accuracy is:

        - "composite": f(g(x)), asked for by this expression;
        - "parts": its w/o IO parts, each asked by itself;
        - "both parts recited": of composites, whether all of their parts' sources are recited, word for word.
        """
        answers = rows[rows["answer_mode"] != "recall"].replace({"answer_mode": PLAIN_MODE})
        answers = answers.assign(what=answers["group"].map(_WHAT))
        for asked in (answers, _recited(rows).assign(what=RECITED)):
            if len(asked):
                by = [*PANEL, "arm", "answer_mode", "what"]
                yield accuracy(asked.rename(columns={"curriculum": "arm"}), by)
        yield tables.guesses(answers, [*PANEL, "what"])

    def values(self, rows: pd.DataFrame) -> Cells:
        """Composites and their parts, by kind, arm and mode; and whose parts are recited."""
        answers = rows[rows["answer_mode"] != "recall"]
        found = tables.cells(of(answers, {"group": _WHOLE}), (_ARM, CONTROL, CEILING), self.MODES)
        found |= tables.cells(of(answers, {"group": _PARTS}), (_ARM, CONTROL), self.MODES, PARTS)
        for panel, cell in grouped(_recited(rows), [*PANEL, "curriculum"]):
            found[Value(panel.pop("curriculum"), "recall", tables.panel_name(panel), "of both sources")] = cell
        return found

    def words(self, drawn: pd.DataFrame, rows: pd.DataFrame) -> str:
        measured = of(drawn, {"what": (PARTS, COMPOSITE), "arm": (_ARM, CONTROL, CEILING)})
        return (
            "Composites such as f(g(x)), asked for by that expression at the end of training, by how their parts were "
            "learnt: w/o IO parts by their source alone, and one kind by documents that hold the sources of both "
            "besides. No composite of w/o IO parts was shown; the preset shows some of w/ IO parts. In context: the "
            "untuned model with the parts' sources in its prompt. Diamonds: w/o IO parts, each asked by itself, and "
            f"composites all of whose parts are recited, word for word. Grey: {GUESS}. Bars: {BARS}. "
            f"{tables.sizes(measured)}."
        )

    def fill(self, line: np.ndarray, ours: pd.DataFrame, theirs: pd.DataFrame, mode: str) -> None:
        """By kind."""
        (axes,) = line
        held = {*ours["domain"], *theirs["domain"]}
        places = {kind: place for place, kind in enumerate(kind for kind in KINDS if kind in held)}
        axes.set_xticks(list(places.values()), [KINDS[kind] for kind in places])
        axes.set_xlim(-0.5, len(places) - 0.5)
        axes.grid(axis="x", visible=False)
        guess = of(ours, {"arm": CHANCE, "what": COMPOSITE})
        at = guess["domain"].map(places).astype(float)
        axes.hlines(guess["estimate"], at - 0.4, at + 0.4, color=style.MUTED, linewidth=0.9, zorder=1)
        for drawn, faint in layers(ours, theirs):
            for mark in _MARKS:
                asked = "recall" if mark.what == RECITED and mode == self.MODES[0] else mode  # shown once
                here = of(drawn, {"arm": mark.arm, "what": mark.what, "answer_mode": asked})
                x = here["domain"].map(places).astype(float) + mark.shift
                style.series(axes, x, here, mark.look, faint, "none")

    def legend(self, front: pd.DataFrame) -> list[style.Entry]:
        shown = [mark for mark in _MARKS if len(of(front, {"arm": mark.arm, "what": mark.what}))]
        return [*(style.entry(mark.look, dashes="none") for mark in shown), style.stroke("Best guess")]


def _recited(rows: pd.DataFrame) -> pd.DataFrame:
    """Return one row a composite, correct where the source of each of its parts is; none where a part was not asked.

    The parts are read from the expression that questions ask by.
    """
    right = of(rows, {"answer_mode": "recall"}).set_index(["experiment", "program"])["outcome"].eq("correct").to_dict()
    whole = rows[(rows["group"] == _WHOLE) & (rows["curriculum"] != CEILING) & (rows["answer_mode"] != "recall")]
    whole = whole.drop_duplicates(["experiment", "program"])
    calls = [
        [right.get((one, name)) for name in names if name not in _BUILTINS]
        for one, names in zip(whole["experiment"], whole["prompt"].str.findall(r"(\w+)\("), strict=True)
    ]
    outcome = ["correct" if all(found) else "wrong" for found in calls]
    return whole.assign(answer_mode="recall", outcome=outcome)[[bool(found) and None not in found for found in calls]]
