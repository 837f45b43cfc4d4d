"""Pools: base models, the choice of budgets and each reference seed have programs of their own, and none in common."""

from __future__ import annotations

import contextlib
import itertools
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pbb.experiments.base_data import BASE_PROGRAMS, CIPHERS, STRING_PROGRAMS, base_programs
from pbb.experiments.experiment import Experiment
from pbb.experiments.groups import groups
from pbb.programs import Algorithms, Arithmetic, Ciphers, Composition, Grammars, Sums, generate
from pbb.programs.arithmetic import all_inputs, candidates
from pbb.programs.domains import normal_form
from pbb.programs.program import FIRST_TUNING_SEED, PARTS, normalised, operations_of, pool_for, pool_of

REFERENCE_SEEDS = range(5)  # all that any reference uses
TUNING_SEEDS = (FIRST_TUNING_SEED, FIRST_TUNING_SEED + 1)
DRAWN: tuple[tuple[Any, int], ...] = (
    (Arithmetic(), 150),
    (Arithmetic(statements=2), 60),
    (Arithmetic(wrap=None, largest=20, low=-9, high=20), 60),
    (Sums(), 100),
    (Algorithms(), 40),
    (Ciphers(kinds=CIPHERS.kinds, alphabet=10, case="digits"), 24),
    (Grammars(), 40),
    (Composition(), 20),
)


@pytest.mark.parametrize(("knobs", "number"), DRAWN, ids=[type(knobs).__name__ for knobs, _ in DRAWN])
def test_every_reference_seed_tuning_and_base_models_draw_from_programs_of_their_own(knobs: Any, number: int) -> None:
    pools = {f"reference {seed}": set(map(normal_form, generate(knobs, number, seed))) for seed in REFERENCE_SEEDS}
    pools["tuning"] = {normal_form(p) for seed in TUNING_SEEDS for p in generate(knobs, number // 2, seed)}
    pools["base"] = set(map(normal_form, generate(knobs, number, "tests", pool="base")))
    assert set(pools) == set(PARTS)
    for one, other in itertools.combinations(pools, 2):
        assert not pools[one] & pools[other], (one, other)
    for name, normals in pools.items():
        assert {pool_of(normal) for normal in normals} == {name}


def test_a_seed_says_whose_programs_it_takes() -> None:
    assert [pool_for("experiment", (seed, "x")) for seed in (0, 4, 7, 999)] == [f"reference {n}" for n in (0, 4, 2, 4)]
    assert {pool_for("experiment", key) for key in ((1000,), (10**6,), ("tests",), ())} == {"tuning"}
    assert pool_for("base", (0,)) == "base"


TERMS = st.recursive(
    st.sampled_from(["x", "y", "3", "4", "-5"]),
    lambda inner: st.tuples(st.sampled_from(["+", "*", "max", "min", "abs", ">", "-", "//"]), inner, inner),
    max_leaves=6,
)


def written(term: Any, turned: frozenset[int], places: Any) -> str:
    """Write a term, the operands of those operations that commute exchanged whose place is in `turned`."""
    if isinstance(term, str):
        return term
    operator, *operands = term
    sides = [written(operand, turned, places) for operand in operands]
    if next(places) in turned and operator not in ("-", "//"):
        sides.reverse()
        operator = {">": "<"}.get(operator, operator)
    left, right = sides
    if operator in ("max", "min"):
        return f"{operator}({left}, {right})"
    if operator == "abs":
        return f"abs({left} - {right})"
    return f"({left} {operator} {right})"


@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@given(TERMS, st.frozensets(st.integers(0, 6)))
def test_operands_that_commute_may_stand_in_any_order(term: Any, turned: frozenset[int]) -> None:
    one, other = (f"def f(x, y):\n    return {written(term, how, itertools.count())}" for how in (frozenset(), turned))
    assert normalised(one) == normalised(other)
    assert pool_of(normalised(one)) == pool_of(normalised(other))
    names: dict[str, Any] = {}
    exec(normalised(one), names)
    exec(one.replace("def f", "def g"), names)
    for values in ((3, 7), (-2, 5), (8, 8), (0, -4)):
        with contextlib.suppress(ZeroDivisionError):
            assert names["f"](*values) == names["g"](*values), "a normal form does what the program does"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("return x - 3", "return 3 - x"),
        ("return x // 3", "return 3 // x"),
        ("return x[:2] + x[2:]", "return x[2:] + x[:2]"),
        ("return 'a' + x", "return x + 'a'"),
        ("return [1] + x", "return x + [1]"),
        ("return x > 3", "return x < 3"),
    ],
)
def test_what_does_not_commute_stays_as_it_is(one: str, other: str) -> None:
    assert normalised(f"def f(x):\n    {one}") != normalised(f"def f(x):\n    {other}")


@pytest.mark.parametrize(
    ("expression", "operations"),
    [
        ("x", 0),
        ("x + 3", 1),
        ("(x + 3) % 7", 1),
        ("x * x % 10", 1),
        ("x // 2 % 7", 2),
        ("abs(x - 4)", 1),
        ("x if x > 5 else 0", 1),
        ("7 if x % 2 == 0 else x", 1),
        ("max(x, 5)", 1),
        ("max(x, 5) * 2", 2),
        ("x + 3 if x > 5 else 0", 2),
        ("(x + 3) * 2 % 10", 2),
    ],
)
def test_operations_are_counted_with_their_modulus(expression: str, operations: int) -> None:
    assert operations_of(expression) == operations
    normal = normalised(f"def F(x):\n    return {expression}")
    if operations < 2:
        assert pool_of(normal) == "base"


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(st.sampled_from([None, 10]), st.sampled_from([9, 20, 99]), st.integers(0, 10**6))
def test_programs_of_a_single_operation_are_base_models_alone(wrap: int | None, largest: int, seed: int) -> None:
    single = Arithmetic(operations=1, wrap=wrap, largest=largest)
    drawn = [normal for normal, _ in itertools.islice(candidates(single, seed), 30)]
    assert {pool_of(normal) for normal in drawn} == {"base"}


def test_every_pool_has_hundreds_of_one_statement_forms_of_each_kind() -> None:
    """Ten times as many draws find more than twenty thousand."""
    found = dict(itertools.islice(candidates(Arithmetic(), "pools"), 20_000))
    kinds = Counter((pool_of(normal), " if " in normal) for normal in found)
    assert min(kinds[pool, choice] for pool in PARTS for choice in (True, False)) > 100


def test_a_regime_has_inputs_enough_for_a_hundred_demonstrations() -> None:
    wide = Experiment.of("cpu", high=119, demonstrations=100, with_io_programs=20, without_io_programs=5, seed=1000)
    for group in groups(wide):
        for program in group.programs:
            assert len(program.inputs) == 120
            assert len(set(program.inputs) - set(group.shown.get(program.name, ()))) >= 20
    assert any(isinstance(s, Arithmetic) and len(all_inputs(s)) >= 120 for _, s in BASE_PROGRAMS), "in base data too"


def test_base_data_holds_what_readers_write() -> None:
    """Results of two hundred and more, negative ones, squares, comparisons, `if`; with a modulus and without."""
    programs = base_programs(600, "tests", "readers")
    outputs = [int(execution.output) for p in programs for execution in p.executions]
    assert max(outputs) > 200
    assert min(outputs) < -20
    sources = "\n".join(p.source for p in programs)
    for part in ("x * x", "abs(", " if x > ", " == ", " % 2 == 0", "min(", "max(", " // ", " else "):
        assert part in sources, part
    assert any(" % " not in p.source for p in programs)


@pytest.mark.parametrize("shares", [BASE_PROGRAMS, STRING_PROGRAMS], ids=["numbers", "texts"])
def test_shares_of_base_data_are_whole(shares: Any) -> None:
    assert sum(share for share, _ in shares) == pytest.approx(1)
