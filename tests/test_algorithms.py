"""Algorithms: every program against a second implementation, its texts, its traces, and what a guess would score."""

from __future__ import annotations

import ast
import copy
import functools
import inspect
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from string import Template
from typing import Any, Literal

import pytest
import reference_lists
import reference_numbers

from pbb.programs import Program, normalised
from pbb.programs.algorithms import FAMILIES, Algorithms, as_text, generate
from pbb.programs.algorithms.family import SIZES, TECHNIQUES, Family
from pbb.programs.domains import draw
from pbb.programs.program import statements_of
from pbb.programs.tracing_worker import BUILTINS
from pbb.streams import stream

REFERENCES = reference_lists.REFERENCES | reference_numbers.REFERENCES
SHORT = Algorithms()
LONGER = Algorithms(sizes=("medium", "long"))
BY_NAME = {family.name: family for family in FAMILIES}
every_family = pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)


@pytest.fixture(scope="module")
def short() -> list[Program]:
    """Nearly all that one pool has."""
    return generate(SHORT, 290, "tests")


@pytest.fixture(scope="module")
def programs(short: list[Program]) -> list[Program]:
    return short + generate(LONGER, 80, "tests") + generate(SHORT, 400, "tests", pool="base")


@functools.cache
def rendered(family: Family) -> list[tuple[dict[str, Any], Callable[..., Any], str, str, str]]:
    """(choice, function, source, problem, description) of all programs of `family`, the function not run by pbb."""
    made = []
    for choice in family.programs():
        source, *texts = family.render("Blorp", choice)
        exec(source, namespace := {})
        made.append((choice, namespace["Blorp"], source, *texts))
    return made


def family_of(program: Program) -> Family:
    return BY_NAME[program.family.partition(": ")[2]]


def arguments(family: Family, choice: dict[str, Any], count: int) -> list[tuple[Any, ...]]:
    rng = stream("tests", family.name, choice)
    return [*family.inputs.edges, *(family.inputs.sample(rng, choice) for _ in range(count))]


def called(function: Callable[..., Any], values: tuple[Any, ...]) -> str:
    """The result as Python writes it; the arguments stay as they are."""
    return repr(function(*copy.deepcopy(values)))


def reference_of(family: Family, choice: dict[str, Any]) -> Callable[..., Any]:
    """The second implementation; it is given only parameters that the English shows."""
    rule = REFERENCES[family.name]
    wanted = list(inspect.signature(rule).parameters)[len(family.inputs.edges[0]) :]
    assert set(wanted) <= set(Template(f"{family.problem} {family.steps}").get_identifiers())
    return functools.partial(rule, **{name: choice[name] for name in wanted})


def test_every_family_has_one_reference_which_uses_nothing_of_pbb() -> None:
    assert sorted([*reference_lists.REFERENCES, *reference_numbers.REFERENCES]) == sorted(BY_NAME)
    for module in (reference_lists, reference_numbers):
        text = Path(str(module.__file__)).read_text(encoding="utf-8")
        assert not re.search(r"import pbb|from pbb|\beval\(|\bexec\(", text)


@every_family
def test_source_agrees_with_the_reference(family: Family) -> None:
    """For every choice of parameters, in both halves, on all edge cases and a few draws."""
    for choice, function, source, problem, _ in rendered(family):
        reference = reference_of(family, choice)
        for point in arguments(family, choice, 6):
            result = called(function, point)
            assert result == called(reference, point) not in ("True", "False"), (source, problem, point)


@every_family
def test_no_two_programs_of_a_family_do_the_same(family: Family) -> None:
    """So a reference, and a model, can tell each choice of parameters from all others."""
    some = rendered(family)
    points = [point for choice, *_ in some for point in arguments(family, choice, 1 + 60 // len(some))]
    points = list({as_text(point): point for point in points}.values())
    assert len({tuple(called(function, point) for point in points) for _, function, *_ in some}) == len(some)


def test_there_are_enough_families_and_every_technique_has_some() -> None:
    assert len(FAMILIES) == len(BY_NAME) >= 80
    assert {family.technique for family in FAMILIES} == set(TECHNIQUES)
    assert {family.size for family in FAMILIES} == set(SIZES)
    kinds = Counter(type(family.inputs.edges[0][0]) for family in FAMILIES)
    assert min(kinds[int], kinds[list], kinds[str]) >= 20


@every_family
def test_texts_name_the_arguments_and_leave_nothing_open(family: Family) -> None:
    for _, _, source, problem, description in rendered(family):
        names = [argument.arg for argument in ast.parse(source).body[0].args.args]
        assert description.startswith(f"Blorp of {' and '.join(names)}: ")
        assert description.endswith(".")
        assert all(re.search(rf"\b{name}\b", problem) for name in names)
        assert re.match(r"[A-Z]|[a-z] |n ", problem)
        assert not set("$\n{}") & set(problem + description)
        assert "Blorp" not in problem
        assert max(len(problem), len(description)) <= 420


def test_no_two_programs_share_a_problem_or_a_description_or_a_source() -> None:
    texts = [texts for family in FAMILIES for _, _, *texts in rendered(family)]
    for kind in zip(*texts, strict=True):
        assert [text for text, count in Counter(kind).items() if count > 1] == []
    assert len({normalised(source) for source, *_ in texts}) == len(texts)


@every_family
def test_sources_are_plain_functions_of_their_size(family: Family) -> None:
    source = rendered(family)[0][2]
    (function,) = ast.parse(source).body
    assert isinstance(function, ast.FunctionDef)
    nodes = list(ast.walk(function))
    refused = (ast.Import, ast.ImportFrom, ast.Global, ast.Nonlocal, ast.Lambda, ast.Try, ast.Yield, ast.ClassDef)
    assert not [node for node in nodes if isinstance(node, refused)]
    calls = {node.func.id for node in nodes if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
    assert calls <= set(BUILTINS)  # itself not among them: a trace has to end with the result
    assert source == ast.unparse(ast.parse(source))
    loops = [node for node in nodes if isinstance(node, (ast.For, ast.While))]
    assert family.size == "long" or not any(inner in loops for loop in loops for inner in list(ast.walk(loop))[1:])
    assert statements_of(source) <= {"short": 4, "medium": 8, "long": 12}[family.size]


def test_short_programs_have_short_traces(short: list[Program]) -> None:
    for program in short:
        lines = [len(execution.trace) for execution in program.executions]
        assert sum(count <= 8 for count in lines) >= len(lines) / 3, program
        assert max(lines) <= 14, program


def test_every_family_is_drawn_and_every_edge_is_an_input(programs: list[Program], short: list[Program]) -> None:
    assert len({family_of(program) for program in programs}) > 0.9 * len(FAMILIES)
    available = [family for family in FAMILIES if family.size == "short"]
    assert len({family_of(program) for program in short[: len(available)]}) > 0.75 * len(available), "in turn"
    for program in programs:
        edges = list(map(as_text, family_of(program).inputs.edges))
        assert list(program.inputs[: len(edges)]) == edges
        assert len(set(program.inputs)) == len(program.inputs) == 12


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"technique": "magic"}, "technique='magic' is not valid; valid: one of"),
        ({"size": "tiny"}, "size='tiny' is not valid; valid: one of"),
        ({"parameters": {"k": ()}}, "parameters={'k': ()} is not valid; valid: one value or more for 'k'"),
        ({"parameters": {"k, m": ((1, 2), (3,))}}, "valid: one value or more for 'k, m', each with 2 parts"),
        ({"problem": "Add n and $k."}, "problem='Add n and $k.' is not valid; valid: no punctuation"),
        ({"problem": "Add n"}, "problem='Add n' is not valid; valid: names parameter 'k'"),
        ({"steps": "add"}, "steps='add' is not valid; valid: a full stop at the end"),
        ({"source": "n + $k"}, "source='n + $k' is not valid; valid: starts with"),
        ({"source": "def $NAME(n): return $q"}, "source='def $NAME(n): return $q' is not valid; valid: fields of"),
    ],
)
def test_a_family_says_what_is_wrong_with_it(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^family 'digits read in another base': .*{re.escape(message)}"):
        replace(BY_NAME["digits read in another base"], **change)


def test_sizes_families_and_inputs_can_be_chosen() -> None:
    assert {family_of(p).size for p in generate(LONGER, 20, 0)} <= {"medium", "long"}
    chosen = generate(Algorithms(families=("gray code",), inputs=20), 5, 0, inputs=["3", "11"])
    assert all(family_of(p).name == "gray code" and p.inputs == ("3", "11") for p in chosen)
    assert {len(p.inputs) for p in generate(Algorithms(inputs=20), 10, 0)} <= set(range(12, 21))
    assert {p.inputs for p in generate(SHORT, 10, 0, inputs=["'abba'", "'cab'"])} == {("'abba'", "'cab'")}


@pytest.mark.parametrize(("held_apart", "shared"), [("families", False), ("programs", True)])
def test_what_w_o_io_programs_share_with_w_io_ones(held_apart: Literal["families", "programs"], shared: bool) -> None:
    own = generate(SHORT, 1, 0, "own")[0].renamed("Own")
    some = tuple(family.name for family in FAMILIES if family.size == "short")[:20]
    with_io, parts, without_io = draw(Algorithms(families=some, held_apart=held_apart), 20, 9, 0, (own,))
    assert (len(with_io), parts, len(without_io)) == (20, (), 10)
    assert bool({p.family for p in with_io} & {p.family for p in without_io[:-1]}) == shared
    programs = [*with_io, *without_io]
    assert len({p.name for p in programs}) == len({normalised(p.source) for p in programs}) == 30


def test_generate_says_what_is_wrong() -> None:
    with pytest.raises(ValueError, match=r"count=200: .* allows for only about \d+ different programs; ask for fewer"):
        generate(Algorithms(families=("gray code",)), 200, 0)
    with pytest.raises(ValueError, match=r"families=\('runs of ones',\) is not valid; valid: \(\), or some of"):
        Algorithms(families=("runs of ones",))  # a long one
