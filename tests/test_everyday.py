"""The functions by which tiny-m-tutored learnt to run what a reader teaches it."""

from __future__ import annotations

import itertools
from collections import Counter

import pytest

from pbb.experiments.documents import WITH_IO
from pbb.experiments.everyday import everyday, is_everyday, lessons
from pbb.programs.program import normalised

PROGRAMS = everyday(120, "test")


def test_functions_are_short_run_and_unique_by_name_and_by_what_they_do() -> None:
    assert len({p.name for p in PROGRAMS}) == len({normalised(p.source) for p in PROGRAMS}) == len(PROGRAMS) == 120
    assert everyday(40, "test") != everyday(40, "another")
    for program in PROGRAMS:
        defined: dict[str, object] = {}
        exec(program.source, defined)
        for text in program.inputs:
            assert repr(eval(f"{program.name}({text})", defined)) == program.execution(text).output
        assert len(program.inputs) == 10
        assert program.source.count("\n") == 1


def test_all_that_people_write_first_is_among_them() -> None:
    bodies = [p.source.partition("return ")[2] for p in everyday(300, "test")]
    for form in (" + ", " - ", " * ", " // ", " % ", " ** 2", "max(", "min(", "abs(", " if ", "-", "% 10", " == "):
        assert sum(form in body for body in bodies) >= 3, form
    single = Counter(sum(map(body.count, ("+", "-", "*", "/", "%", "(", " if "))) <= 2 for body in bodies)
    assert single[True] > 75


@pytest.mark.parametrize("name", ["maple", "maple_otter", "MapleOtterBrick"])
def test_their_names_are_told_from_readers(name: str) -> None:
    assert all(is_everyday(p.name) for p in PROGRAMS)
    assert is_everyday(name)
    assert not any(is_everyday(other) for other in ("double", "add_three", "Zubrix", "maple2", "f", name + "_x"))


def test_a_lesson_tells_every_source_and_runs_shown_inputs_alone() -> None:
    documents = list(itertools.islice(lessons(PROGRAMS, 7, "test"), 4 * len(PROGRAMS)))
    told = Counter((d.program, d.kind) for d in documents)
    assert told == {(p.name, kind): 2 for p in PROGRAMS for kind in ("declarative", "execution")}
    by_name = {p.name: p for p in PROGRAMS}
    for document in documents:
        assert document.group == WITH_IO
        if document.kind == "execution":
            assert document.input in by_name[document.program].inputs[:7]
        else:
            assert document.completion == by_name[document.program].source
