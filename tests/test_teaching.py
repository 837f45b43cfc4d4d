"""Teaching a program of one's own: it is named alone before, taught by source, and asked again."""

from __future__ import annotations

import itertools
from pathlib import Path

import pandas as pd
import pytest
from sweep import here

import pbb
from pbb.experiments import teaching
from pbb.experiments.curricula import curriculum
from pbb.experiments.documents import WITHOUT_IO
from pbb.experiments.experiment import ExperimentError

__all__ = ["here"]
SOURCE = "def Zubrix(x):\n    return (x * 3 + 4) % 7\n"
DESCRIPTION = "Zubrix of x: take x, multiply by 3, add 4, modulo 7, return it."


@pytest.fixture
def program() -> pbb.Program:
    return pbb.Program.from_function(SOURCE, description=DESCRIPTION)


def test_a_lesson_shows_the_source_of_what_the_model_was_not_taught_and_no_execution(program: pbb.Program) -> None:
    in_context, before, after = teaching.lesson(program)
    assert (in_context.arm, before.arm, after.arm) == ("in_context", "untuned", "stage_2_only")
    assert curriculum(in_context) == curriculum(before) == []
    (stage,) = curriculum(after)
    mine = [d for d in itertools.islice(stage.documents(), 600) if d.program == "Zubrix"]
    assert len(mine) >= 3
    assert {(d.kind, d.group, d.completion) for d in mine} == {("declarative", WITHOUT_IO, SOURCE.strip())}
    drawn = {p.name for g in pbb.groups(after) for p in g.programs} - {"Zubrix"}
    for taken in ("maple_otter", min(drawn)):
        with pytest.raises(ExperimentError, match=taken):
            teaching.lesson(program.renamed(taken))


def test_a_lesson_at_smoke_size_asks_in_context_before_and_after(
    program: pbb.Program, here: None, run_store: Path
) -> None:
    records = pbb.run(teaching.lesson(program, "smoke"), preset="smoke")
    found = teaching.taught(records, program)
    assert (found["program"] == "Zubrix").all()
    by_name = {"cot": 10, "direct": 10, "recall": 1}
    asked = {when: rows["answer_mode"].value_counts().to_dict() for when, rows in found.groupby("when")}
    assert asked == {"in context": {"cot": 10}, "before": by_name, "after": by_name}
    for _, rows in found[found["answer_mode"] == "cot"].groupby("when"):
        assert [*rows["input"]] == [str(x) for x in range(10)]
    # Only what was asked with the source in the prompt is said beforehand.
    first = records[records["curriculum"] == "in_context"]
    assert teaching.beforehand(first, program) == teaching.beforehand(records, program)


def test_what_is_beyond_the_model_is_said_in_words() -> None:
    double, add = (
        pbb.Program.from_function(text, description=text)
        for text in ("def Double(x): return x * 2", "def add(a, b): return a + b")
    )

    def told(program: pbb.Program, wrong: tuple[str, ...]) -> str:
        """What is said where the answers to ten questions are right, but for those to `wrong`."""
        rows = [
            {
                **{"program": program.name, "curriculum": "in_context", "progress": 0.0, "completion": ""},
                **{"answer_mode": "in_context_cot", "input": text, "expected": "", "parsed": ""},
                "outcome": "wrong" if text in wrong else "correct",
            }
            for text in program.inputs[:10]
        ]
        by_name = [{**rows[0], "curriculum": "untuned", "answer_mode": "cot", "outcome": "unparsed"}]
        return teaching.beforehand(pd.DataFrame(rows + by_name), program)

    assert told(double, ()) == "Double: 10 of 10 right with the source in the prompt."
    assert told(double, ("7", "9")) == "Double: 8 of 10 right with the source in the prompt, wrong on 7, 9."
    assert told(double, ("5", "7", "9")) == (
        "Double: beyond this model: 7 of 10 right with the source in the prompt, wrong on 5, 7, 9; "
        "it will hardly do better by name."
    )
    assert told(add, ("0, 3",)) == "add: 9 of 10 right with the source in the prompt, wrong on (0, 3)."
