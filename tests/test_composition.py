"""Composites: what they give is what their parts give, one after the other; parts are taught apart and stay apart."""

from __future__ import annotations

import ast
import itertools
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
from readers import reading_agrees

from pbb.experiments.curricula import curriculum
from pbb.experiments.documents import (
    DISTILLED,
    PARTS,
    WITH_IO,
    WITHOUT_IO,
    declarative_document,
    execution_document,
    pointer,
)
from pbb.experiments.experiment import Experiment
from pbb.experiments.groups import groups
from pbb.experiments.leakage import LeakageError, guarded
from pbb.experiments.questions import questions
from pbb.programs import (
    Algorithms,
    Arithmetic,
    Ciphers,
    Program,
    generate,
)
from pbb.programs.composition import KINDS, WITH_BUILTIN, Composition, part_names, with_parts
from pbb.programs.domains import normal_form
from pbb.programs.settings import ExperimentError

NUMBERS, TEXTS, MIXED = (
    (Arithmetic(), Arithmetic(arguments=2)),
    (Ciphers(longest=3),),
    (Algorithms(), Arithmetic(), Ciphers(longest=2)),
)
SMALL = Experiment.of("cpu", programs=Composition(), with_io_programs=14, without_io_programs=6)
QUIET = {"stage_1_general": 0.0, "exposure_general": 0.0, "execution_general": 0.0, "stage_2_general": 0.0}


@pytest.fixture(scope="module")
def every() -> list[Program]:
    made: list[Program] = []
    for depth, parts in itertools.product((2, 3), (NUMBERS, TEXTS, MIXED)):
        made += generate(Composition(parts=parts, depth=depth), 10, "tests", depth)
        if parts is not TEXTS:  # whose lengths say nothing
            made += generate(Composition(parts=parts, depth=depth, taught_parts=WITH_BUILTIN), 5, "tests", depth)
    return made


def values(text: str) -> tuple[Any, ...]:
    return ast.literal_eval(f"({text},)")


def functions(sources: Sequence[str]) -> dict[str, Any]:
    names: dict[str, Any] = {}
    for source in sources:
        exec(source, names)
    return names


def test_traces_run_through_the_parts_from_the_innermost_on(every: list[Program]) -> None:
    for program in every[::3]:
        parts = {part["name"]: functions([part["source"]])[part["name"]] for part in program.made_by["parts"]}
        for text, execution in zip(program.inputs, program.executions, strict=True):
            first, *rest = execution.trace
            source = program.source.splitlines()[1].strip()
            assert first.startswith(f"{source} = ")
            calls = [line[:-1] for line in rest if line.endswith(":") and line.split("(")[0] in parts]
            assert [call.split("(")[0] for call in calls] == list(part_names(program))[::-1]
            handed_on = values(text)[0]
            for call in calls:
                name, _, inside = call.partition("(")
                arguments = values(inside[:-1])
                assert arguments[0] == handed_on, (execution, call)
                handed_on = parts[name](*arguments)
            builtin = program.family.startswith("builtin")
            assert builtin or repr(handed_on) == execution.output
            wanted, *words = execution.words
            said = f"{' of '.join(part_names(program))} of {' and '.join(map(repr, values(text)))} is wanted"
            assert wanted.startswith(f"{said}, then ") if builtin else wanted == said
            assert [line for line in words if line.endswith(":")] == [f"{c[:-1].replace('(', ' of ')}:" for c in calls]
            assert words[-1].endswith(f"the result is {execution.output}")
            assert reading_agrees(program, text) is not False


def test_a_composite_names_its_parts_and_no_more(every: list[Program]) -> None:
    for program in every:
        *_, body = program.source.splitlines()
        assert re.fullmatch(rf"def {program.name}\(\w+(, \w+)?\):\n{re.escape(body)}", program.source)
        calls = [node for node in ast.walk(ast.parse(program.source)) if isinstance(node, ast.Call)]
        names = [call.func.id for call in calls]  # type: ignore[attr-defined]
        assert [name for name in names if name not in ("abs", "len", "max", "min")] == list(part_names(program))
        assert len(names) == len(program.made_by["parts"])
        for part in program.made_by["parts"]:
            assert part["source"].splitlines()[1].strip() not in program.source
            taught = part["name"] in part_names(program)
            assert (part["source"] in with_parts(program, "code")) == taught
            assert not taught or part["description"] in with_parts(program, "description")


def test_a_builtin_changes_what_it_is_handed_and_is_said_in_the_last_line(every: list[Program]) -> None:
    with_builtin = [p for p in every if p.family.startswith("builtin")]
    assert len(with_builtin) == 20
    for program in with_builtin:
        changed = 0
        for execution in program.executions:
            *_, before, last = execution.trace
            call, said = last.removeprefix("return ").split(" = ")
            assert repr(eval(call, {})) == said == execution.output
            handed = before.rsplit(" = ", 1)[1]
            assert handed in call
            changed += handed != said
        assert changed >= 0.2 * len(program.executions)


# --------------------------------------------------------------------------------------------- in curricula
def documents(experiment: Experiment, count: int = 250) -> list[list[Any]]:
    return [list(itertools.islice(stage.documents(), count)) for stage in curriculum(experiment)]


@pytest.mark.parametrize("taught", KINDS)
def test_parts_are_taught_apart_and_composites_by_source_alone(taught: str) -> None:
    experiment = SMALL.changed(taught_parts=taught, with_io_composites=3, **QUIET)
    by_name = {group.name: group for group in groups(experiment)}
    assert set(by_name) == {WITH_IO, WITHOUT_IO, *([PARTS] if taught != "w/ IO" else [])}
    assert len(by_name[WITH_IO].programs) == 14 + 3
    measured = by_name[WITHOUT_IO].programs
    shown, hidden = (
        {p.name for p in by_name[name].programs} if name in by_name else set() for name in (WITH_IO, PARTS)
    )
    for program in measured:
        outer, *inner = part_names(program)
        assert outer in (shown if taught == "w/ IO" else hidden)
        assert set(inner) <= (shown if taught in ("w/ IO", "outer w/o IO") else hidden)
        assert len(inner) == (taught != WITH_BUILTIN)
    examples = [p for p in by_name[WITH_IO].programs if p.domain == "composition"]
    assert {name for p in examples for name in part_names(p)} <= {p.name for p in by_name[WITH_IO].programs}
    assert not {normal_form(p) for p in examples} & {normal_form(p) for p in measured}
    assert {p.family.startswith("builtin") for p in (*examples, *measured)} == {taught == WITH_BUILTIN}

    one, two = documents(experiment)
    assert {d.program for d in one} == {p.name for p in by_name[WITH_IO].programs}
    assert {d.kind for d in two} == {"declarative"}
    secret = [*measured, *(by_name[PARTS].programs if PARTS in by_name else ())]
    assert {d.program for d in two} == {p.name for p in secret}
    assert {d.completion for d in two} == {p.source for p in secret}
    executed = {d.program for d in one if d.kind == "execution"}
    assert not executed & {p.name for p in secret}

    together = {d.program: d.completion for d in two if " and " in d.program}
    if taught == "w/o IO in one document":
        sources = {p.name: p.source for p in secret}
        pairs = {" and ".join(part_names(p)): "\n".join(sources[name] for name in part_names(p)) for p in measured}
        assert together == pairs
    else:
        assert not together
    assert all(f" {d.program}" in d.prompt or d.prompt.startswith(d.program) for d in two if d.program in together)


def test_w_o_io_parts_are_asked_for_their_source_and_named_composites_and_pairs_are_not() -> None:
    experiment = SMALL.changed(composites="named", taught_parts="w/o IO in one document", asked=("cot", "recall"))
    asked = questions(experiment)
    by_group = {
        g: {q.program.name for q in asked if q.group == g and q.answer_mode == "recall"} for g in (PARTS, WITHOUT_IO)
    }
    parts = {p.name for group in groups(experiment) if group.name == PARTS for p in group.programs}
    assert by_group[WITHOUT_IO] == set()
    assert by_group[PARTS] == {name for name in parts if " and " not in name} != parts
    assert {q.group for q in asked if q.answer_mode == "cot"} == {WITH_IO, PARTS, WITHOUT_IO}


def test_named_composites_are_asked_for_and_never_declared() -> None:
    experiment = SMALL.changed(
        composites="named", taught_parts="w/o IO", with_io_composites=3, asked=("direct", "cot"), **QUIET
    )
    by_name = {group.name: group for group in groups(experiment)}
    composite = by_name[WITHOUT_IO].programs[0]
    outer, inner = part_names(composite)
    assert pointer(composite, 19) == f"{outer}({inner}(x))"
    names = {p.name for group in by_name.values() for p in group.programs if p.domain == "composition"}
    for stage in documents(experiment):
        assert not [d for d in stage if d.program in names and d.kind == "declarative"]
        assert not [d for d in stage if any(name in d.prompt + d.completion for name in names)]
    asked = [q for q in questions(experiment) if q.program == composite]
    assert asked
    assert all(f"{outer}({inner}(x))" in q.prompt and composite.name not in q.prompt for q in asked)


@pytest.mark.parametrize("arm", ["homogeneous", "retroactive", "no_demonstrations", "distillation", "in_context"])
def test_other_arms_know_composites_too(arm: str) -> None:
    experiment = SMALL.changed(arm=arm, taught_parts="w/o IO", **QUIET)
    seen = Counter((d.group, d.kind) for stage in documents(experiment) for d in stage)
    if arm == "distillation":
        assert set(seen) == {(DISTILLED, "execution")}
    elif arm == "in_context":
        asked = [q for q in questions(experiment, ("cot",)) if q.group == WITHOUT_IO]
        assert all(part["source"] in q.prompt for q in asked for part in q.program.made_by["parts"])
    else:
        assert {(WITHOUT_IO, "declarative"), (PARTS, "declarative")} <= set(seen)
        assert not {(WITHOUT_IO, "execution"), (PARTS, "execution")} & set(seen)


@pytest.mark.parametrize("taught", [kind for kind in KINDS if kind != "w/ IO"])
def test_running_a_composite_of_secret_parts_is_a_leak(taught: str) -> None:
    experiment = SMALL.changed(taught_parts=taught)
    by_name = {group.name: group for group in groups(experiment)}
    composite, part = by_name[WITHOUT_IO].programs[0], by_name[PARTS].programs[0]
    for program, group in ((composite, WITHOUT_IO), (part, PARTS), (part, WITH_IO), (composite, WITH_IO)):
        leak = execution_document(program, group, 0, program.inputs[0], "cot")
        with pytest.raises(LeakageError, match=program.name):
            list(guarded(iter([leak]), groups(experiment)))
    for program, group in ((composite, WITHOUT_IO), (part, PARTS)):
        told = declarative_document(program, group, 0, "code")
        assert list(guarded(iter([told]), groups(experiment))) == [told]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"taught_parts": "w/o io"}, ["taught_parts='w/o io'", "w/o IO"]),
        ({"depth": 4}, ["depth=4", "2 to 3"]),
        ({"composites": "named", "arm": "untuned", "asked": ("recite",)}, ["asked", "composites='named'"]),
        ({"composites": "named", "asked": ("cot",)}, ["taught_parts='w/ IO'"]),
        ({"taught_parts": "outer w/o IO", "arm": "pbb_and_distillation"}, ["taught_parts", "w/ IO"]),
        ({"taught_parts": "w/o IO", "arm": "distillation_after_stage_1"}, ["taught_parts", "w/ IO"]),
        ({"alphabet": 10}, ["no field 'alphabet'"]),
        ({"own_programs": ("{}",)}, ["own_programs"]),
    ],
)
def test_contradictions_are_refused(changes: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(ExperimentError) as caught:
        SMALL.changed(**changes)
    assert all(word in str(caught.value) for word in words), caught.value
