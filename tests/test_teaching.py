"""Teaching a program of one's own: it is named alone before, taught by source, and asked again."""

from __future__ import annotations

from pathlib import Path

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


def test_a_lesson_shows_the_source_and_never_an_execution(program: pbb.Program) -> None:
    before, after = teaching.lesson(program)
    assert (before.arm, after.arm) == ("untuned", "stage_2_only")
    assert curriculum(before) == []
    (stage,) = curriculum(after)
    stream = stage.documents()
    mine = [d for d in (next(stream) for _ in range(600)) if d.program == "Zubrix"]
    assert len(mine) >= 3
    assert {(d.kind, d.group, d.completion) for d in mine} == {("declarative", WITHOUT_IO, SOURCE.strip())}


def test_the_tutored_model_was_taught_other_programs_than_a_lesson_teaches(program: pbb.Program) -> None:
    tutoring = teaching.tutoring()
    lesson = teaching.lesson(program)[1]
    assert tutoring.arm == "stage_1_only"
    taught = {p.name for g in pbb.groups(tutoring) if g.name != WITHOUT_IO for p in g.programs}
    new = {p.name for g in pbb.groups(lesson) if g.name == WITHOUT_IO for p in g.programs}
    assert len(taught) == tutoring.split.with_io_programs
    assert "Zubrix" in new
    assert not taught & new


def test_a_name_that_the_model_was_taught_before_is_refused(program: pbb.Program) -> None:
    known = next(p.name for g in pbb.groups(teaching.tutoring()) if g.name != WITHOUT_IO for p in g.programs)
    with pytest.raises(ExperimentError, match=known):
        teaching.lesson(program.renamed(known))


def test_a_lesson_at_smoke_size_asks_before_and_after(program: pbb.Program, here: None, run_store: Path) -> None:
    records = pbb.run(teaching.lesson(program, "smoke"), preset="smoke")
    found = teaching.taught(records, program)
    assert set(found["when"]) == {"before", "after"}
    assert set(found["answer_mode"]) == {"direct", "cot", "recall"}
    assert (found["program"] == "Zubrix").all()
    assert found.groupby("when").size().nunique() == 1
