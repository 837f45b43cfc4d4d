"""Composites: what they give is what their parts give, one after the other; parts are taught apart and stay apart."""

from __future__ import annotations

import ast
import itertools
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
from readers import composition_reader, reading_agrees
from readers.composition_reader import CompositeReadingError

from pbb.experiments.curricula import curriculum
from pbb.experiments.documents import (
    DISTILLED,
    PARTS,
    WITH_IO,
    WITHOUT_IO,
    declarative_document,
    execution_document,
    parse_answer,
    pointer,
)
from pbb.experiments.experiment import Experiment
from pbb.experiments.groups import groups
from pbb.experiments.leakage import LeakageError, guarded
from pbb.programs import (
    Algorithms,
    Arithmetic,
    Ciphers,
    Program,
    compose,
    generate,
)
from pbb.programs.composition import Composition, part_names, with_parts
from pbb.programs.domains import base_may_have_seen, normal_form
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
        made += generate(Composition(parts=parts, depth=depth), 20, "tests", depth)
    return made


def values(text: str) -> tuple[Any, ...]:
    return ast.literal_eval(f"({text},)")


def functions(sources: Sequence[str]) -> dict[str, Any]:
    names: dict[str, Any] = {}
    for source in sources:
        exec(source, names)
    return names


def test_depths_domains_and_kinds_of_values_all_occur(every: list[Program]) -> None:
    assert {len(part_names(p)) for p in every} == {2, 3}
    families = {p.family for p in every}
    assert {"arithmetic of arithmetic", "ciphers of ciphers of ciphers", "algorithms of arithmetic"} <= families
    assert {int, str} <= {type(ast.literal_eval(p.executions[0].output)) for p in every}
    assert any(", y)" in p.source for p in every), "a further argument is handed to the part that takes it"


def test_source_parts_description_and_trace_agree_on_every_input(every: list[Program]) -> None:
    readable = 0
    for program in every:
        names = functions([*(part["source"] for part in program.made_by["parts"]), program.source])
        for text, execution in zip(program.inputs, program.executions, strict=True):
            truth = repr(names[program.name](*values(text)))
            assert execution.output == truth, program
            assert parse_answer("\n".join(execution.trace), "cot") == truth, execution
            agrees = reading_agrees(program, text)
            assert agrees is not False, program
            readable += agrees is True
    assert readable > 1000


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
            assert repr(handed_on) == execution.output


def test_a_composite_names_its_parts_and_no_more(every: list[Program]) -> None:
    for program in every:
        *_, body = program.source.splitlines()
        assert re.fullmatch(rf"def {program.name}\(\w+(, \w+)?\):\n{re.escape(body)}", program.source)
        calls = [node for node in ast.walk(ast.parse(program.source)) if isinstance(node, ast.Call)]
        assert [call.func.id for call in calls] == list(part_names(program))  # type: ignore[attr-defined]
        for part in program.made_by["parts"]:
            assert part["source"].splitlines()[1].strip() not in program.source
            assert part["source"] in with_parts(program, "code")
            assert part["description"] in with_parts(program, "description")


def test_no_two_composites_of_a_domain_do_the_same_and_none_is_trivial() -> None:
    programs = generate(Composition(), 100, "tests")
    assert len({normal_form(p) for p in programs}) == 100
    names = [name for p in programs for name in (p.name, *part_names(p))]
    assert max(Counter(p.name for p in programs).values()) == 1
    assert not {p.name for p in programs} & set(names) - {p.name for p in programs}
    assert not any(map(base_may_have_seen, programs))
    for program in programs:
        outputs = Counter(execution.output for execution in program.executions)
        assert outputs.most_common(1)[0][1] <= 3


def test_a_guess_is_seldom_right_of_three_parts() -> None:
    for seed in range(3):
        programs = generate(Composition(depth=3), 100, seed)
        outputs = Counter(execution.output for p in programs for execution in p.executions)
        assert outputs.most_common(1)[0][1] < 0.2 * outputs.total()


# ------------------------------------------------------------------------------------------------ one's own
@pytest.fixture(scope="module")
def parts() -> list[Program]:
    return [*generate(Arithmetic(), 4, "parts"), *generate(Ciphers(), 2, "cipher parts")]


def test_any_programs_that_fit_can_be_composed(parts: list[Program]) -> None:
    outer, inner = parts[:2]
    made = compose("Twice", [outer, inner], ["3", "12"])
    assert made.source == f"def Twice(x):\n    return {outer.name}({inner.name}(x))"
    names = functions([inner.source, outer.source])
    assert made.execution("12").output == repr(names[outer.name](names[inner.name](12)))
    assert compose("Twice", [outer, inner]).inputs == inner.inputs
    with pytest.raises(ValueError, match="'Twice' is a composite, which does not run alone"):
        compose("Thrice", [outer, made])


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ([0], "two or more programs"),
        ([0, 0], "no name twice"),
        ([0, 4], "do not fit .* takes str and gives str, .* takes int and gives int"),
        ([4, 1], "do not fit"),
    ],
)
def test_parts_that_do_not_fit_are_refused(parts: list[Program], chosen: list[int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        compose("Blorp", [parts[i] for i in chosen])
    with pytest.raises(ValueError, match="no name twice"):
        compose(parts[0].name, parts[:2])


def test_a_part_that_fails_on_what_it_is_handed_is_told(parts: list[Program]) -> None:
    fails = Program.from_function("def Fails(x):\n    return 10 // x", ["1", "2"], "divide 10 by x, rounding down")
    zero = Program.from_function("def Zero(x):\n    return x - x", ["1", "2"], "subtract x from itself")
    with pytest.raises(ValueError, match=r"Fails\(Zero\(x\)\) fails on what it is handed.*ZeroDivisionError"):
        compose("Blorp", [fails, zero])


def test_asking_for_too_many_fails_clearly() -> None:
    one_each = generate(Arithmetic(), 2, 0)
    from pbb.programs.composition import composites

    with pytest.raises(ValueError, match=r"count=9: Compos.* only about [0-2] different programs.* than these 2"):
        composites(Composition(), one_each, 9, 0, names=["Blorp"] * 9)


@pytest.mark.parametrize(
    "description",
    [
        "",
        "Blorp of x: run Snurg on x, return it.",
        "Blorp of x: run Snurg on y, return the result.",
        "Blorp of x: run Zibble on the result, run Snurg on x, return the result.",
        "Blorp of x: take x, add 1, return the result.",
    ],
)
def test_the_reader_refuses_what_it_does_not_understand(description: str) -> None:
    with pytest.raises(CompositeReadingError, match="not understood"):
        composition_reader.run(description, (3,), lambda name, *arguments: 0)
    with pytest.raises(CompositeReadingError, match="takes 1 arguments, not 2"):
        composition_reader.run("Blorp of x: run Snurg on x, return the result.", (3, 4), lambda *_: 0)


# --------------------------------------------------------------------------------------------- in curricula
def documents(experiment: Experiment, count: int = 250) -> list[list[Any]]:
    return [list(itertools.islice(stage.documents(), count)) for stage in curriculum(experiment)]


@pytest.mark.parametrize("taught", ["w/ IO", "w/o IO"])
def test_parts_are_taught_apart_and_composites_by_source_alone(taught: str) -> None:
    experiment = SMALL.changed(taught_parts=taught, with_io_composites=3, **QUIET)
    by_name = {group.name: group for group in groups(experiment)}
    where = by_name[PARTS if taught == "w/o IO" else WITH_IO]
    assert set(by_name) == {WITH_IO, WITHOUT_IO, *([PARTS] if taught == "w/o IO" else [])}
    assert len(by_name[WITH_IO].programs) == 14 + 3
    measured = by_name[WITHOUT_IO].programs
    assert {name for p in measured for name in part_names(p)} <= {p.name for p in where.programs}
    examples = [p for p in by_name[WITH_IO].programs if p.domain == "composition"]
    assert {name for p in examples for name in part_names(p)} <= {p.name for p in by_name[WITH_IO].programs}
    assert not {normal_form(p) for p in examples} & {normal_form(p) for p in measured}

    one, two = documents(experiment)
    assert {d.program for d in one} == {p.name for p in by_name[WITH_IO].programs}
    assert {d.kind for d in two} == {"declarative"}
    secret = [*measured, *(by_name[PARTS].programs if PARTS in by_name else ())]
    assert {d.program for d in two} == {p.name for p in secret}
    assert {d.completion for d in two} == {p.source for p in secret}
    executed = {d.program for d in one if d.kind == "execution"}
    assert not executed & {p.name for p in secret}


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
    from pbb.experiments.questions import questions

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
        from pbb.experiments.questions import questions

        asked = [q for q in questions(experiment, ("cot",)) if q.group == WITHOUT_IO]
        assert all(part["source"] in q.prompt for q in asked for part in q.program.made_by["parts"])
    else:
        assert {(WITHOUT_IO, "declarative"), (PARTS, "declarative")} <= set(seen)
        assert not {(WITHOUT_IO, "execution"), (PARTS, "execution")} & set(seen)


def test_running_a_composite_of_secret_parts_is_a_leak() -> None:
    experiment = SMALL.changed(taught_parts="w/o IO")
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
        ({"composites": "named", "arm": "untuned"}, ["asked", "composites='named'"]),
        ({"composites": "named", "asked": ("cot",)}, ["taught_parts='w/ IO'"]),
        ({"taught_parts": "w/o IO", "arm": "pbb_and_distillation"}, ["taught_parts", "w/ IO"]),
        ({"alphabet": 10}, ["no field 'alphabet'"]),
        ({"own_programs": ("{}",)}, ["own_programs"]),
    ],
)
def test_contradictions_are_refused(changes: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(ExperimentError) as caught:
        SMALL.changed(**changes)
    assert all(word in str(caught.value) for word in words), caught.value
