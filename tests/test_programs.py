"""Random Arithmetic: source, description, stored outputs and traces agree; pools and streams share nothing."""

from __future__ import annotations

import ast
import functools
import itertools
import random
import re
import time
from collections.abc import Iterator
from typing import Any

import pytest
from readers.interpreter import interpret

from pbb.programs import Arithmetic, Program, generate, normalised
from pbb.programs.arithmetic import (
    CONTROL,
    OPERATORS,
    candidates,
)
from pbb.programs.names import EXPERIMENT_NAMES, experiment_names
from pbb.streams import digest, stream

Group = tuple[Arithmetic, list[Program]]


def random_settings(rng: random.Random) -> Arithmetic:
    """Settings that allow for plenty of programs, and together use every knob."""
    statements, arguments = rng.choice((1, 2, 3, 4, 5)), rng.choice((1, 1, 2))
    low = rng.choice((0, 0, 2, -4, -20))
    return Arithmetic(
        statements=statements,
        operations=rng.choice((2, 2, 3, 4)),
        operators=OPERATORS if rng.random() < 0.5 else tuple(rng.sample(OPERATORS, 6)),
        control=tuple(rng.sample(CONTROL, rng.randint(0, 3))) if statements > 1 else (),
        arguments=arguments,
        low=low,
        high=low + (5 if arguments == 2 else rng.choice((9, 14))),
        wrap=rng.choice((10, 10, None, 7, 16)),
    )


@pytest.fixture(scope="module")
def groups() -> list[Group]:
    """240 programs, 12 from each of 20 random settings."""
    rng = stream("tests", "settings")
    drawn = [random_settings(rng) for _ in range(20)]
    return [(knobs, generate(knobs, 12, "tests", index)) for index, knobs in enumerate(drawn)]


def every(groups: list[Group]) -> Iterator[Program]:
    return itertools.chain.from_iterable(programs for _, programs in groups)


def values(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(", "))


@functools.lru_cache(maxsize=100_000)
def evaluated(expression: str, **variables: int) -> object:
    return eval(expression, {"__builtins__": {"abs": abs, "min": min, "max": max}}, variables)


def _value(variables: dict[str, int], match: re.Match[str]) -> str:
    return str(variables.get(match[0], "?"))


def test_traces_replay_the_source(groups: list[Group]) -> None:
    """Each line is a line of the source, then the same with the values of that moment, and each equation holds."""
    for program in every(groups):
        lines = {line.strip() for line in program.source.splitlines()}
        for text, execution in zip(program.inputs, program.executions, strict=True):
            variables = dict(zip("xy", values(text), strict=False))
            for step in execution.trace:
                # What the source says, with the values that the variables have by now.
                word, now = re.compile(r"(?<![\w])[xyi](?!\w)(?! = )"), functools.partial(_value, variables)
                said = {word.sub(now, line) for line in lines}
                if step.endswith((": True", ": False")):
                    head, _, verdict = step.rpartition(": ")
                    assert head + ":" in said, (program, text, step)
                    assert str(evaluated(head.split(" ", 1)[1])) == verdict, (program, text, step)
                    continue
                name, *parts = re.sub(r"^return ", "return = ", step).split(" = ")
                assert all(part != after for part, after in itertools.pairwise(parts)), (program, text, step)
                if name != "i":
                    start = "return " if name == "return" else f"{name} = "
                    assert start + parts[0] in lines, (program, text, step, lines)
                    placed = parts[1] if word.search(parts[0]) else parts[0]  # written once if there is no variable
                    assert placed == word.sub(now, parts[0]), (program, text, step)
                    assert start + placed in said, (program, text, step, said)
                truths = {evaluated(parts[0], **variables), *(evaluated(part) for part in parts[1:])}
                assert len(truths) == 1, (program, text, step)
                assert re.fullmatch(r"-?\d+", parts[-1]), (program, text, step)
                variables[name] = int(parts[-1])
            assert step.startswith("return ")
            assert str(variables["return"]) == execution.output == str(interpret(program.description, *values(text)))


def test_programs_never_change() -> None:
    """Committed records and base models depend on these very texts: if this test fails, all of them are void."""
    long = Arithmetic(statements=3, control=("if", "for", "while"), arguments=2, high=4)
    texts = [program.to_json() for knobs in (Arithmetic(), long) for program in generate(knobs, 20, 0)]
    assert digest("".join(texts)) == "fe4f47f5c0b65abb4d1cee4dd31e8798970860d4b1574d28e8a8b851577d55e2"


@pytest.mark.parametrize(("knobs", "count"), [({"operators": ("abs",)}, 50), ({"operations": 1}, 10)])
def test_asking_for_too_many_fails_clearly_and_soon(knobs: dict[str, Any], count: int) -> None:
    start = time.process_time()
    with pytest.raises(ValueError, match=rf"count={count}: Arithmetic\(.*allows for only about \d+ different"):
        generate(Arithmetic(**knobs), count, 0)
    assert time.process_time() - start < 10


def test_a_larger_number_of_names_goes_on_from_a_smaller_one() -> None:
    """F09 compares numbers of programs: a measured program must keep its name. All names can be had."""
    every = experiment_names(len(EXPERIMENT_NAMES), "key")
    assert set(every) == set(EXPERIMENT_NAMES)
    for count in (1, 20, 900, 1365, 1366, 2500):
        assert experiment_names(count, "key") == every[:count]


def test_programs_that_run_too_long_are_left_out_and_wrong_inputs_are_told() -> None:
    knobs = Arithmetic(statements=2, control=("while",), low=-999, high=-990)
    assert all("while" not in program.source for program in generate(knobs, 10, 0))
    with pytest.raises(ValueError, match="inputs: '4, 5' is not valid; valid: 1 whole numbers, such as '0'"):
        generate(Arithmetic(), 3, 0, inputs=["4, 5"])


def test_normalised_ignores_names_layout_and_the_order_of_operands_that_commute() -> None:
    one = normalised("def Blorp(x, y):\n    z = x+(y)\n    return z % 7")
    assert one == normalised("def Snurg(a, b):\n  # a comment\n  c = a + b\n  return (c % 7)")
    assert one == normalised(one)
    assert one != normalised("def Blorp(x, y):\n    z = x+(y)\n    return z % 8")
    assert one == normalised("def Blorp(x, y):\n    z = y + x\n    return z % 7")
    assert one != normalised("def Blorp(x, y):\n    z = y - x\n    return z % 7")


def test_candidates_are_normalised_and_laid_out_as_python_would() -> None:
    """The generator writes both forms by text alone, which is far faster; here they are checked by parsing."""
    rng = stream("tests", "candidates")
    for index in range(12):
        knobs = random_settings(rng)
        for normal, (source, _) in itertools.islice(candidates(knobs, index), 20):
            assert normal == normalised(source)
            assert source == ast.unparse(ast.parse(source))


OPERATION = re.compile(
    r"(?:the (larger|smaller|distance|size) of (-?\d+)(?: and (-?\d+))?|(-?\d+))"
    r"(?: (plus|minus|times|divided by|above|below|at least|at most|equal to|other than) (-?\d+))?(?: modulo (\d+))?"
)
SAID: dict[str, Any] = {
    "larger": max,
    "smaller": min,
    "distance": lambda a, b: abs(a - b),
    "size": abs,
    "plus": int.__add__,
    "minus": int.__sub__,
    "times": int.__mul__,
    "divided by": int.__floordiv__,
    "above": int.__gt__,
    "below": int.__lt__,
    "at least": int.__ge__,
    "at most": int.__le__,
    "equal to": int.__eq__,
    "other than": int.__ne__,
}


def test_traces_in_words_hold_by_themselves_and_show_no_code(groups: list[Group]) -> None:
    """Every operation that is said is right, read by a grammar of its own; what is said ends with the output."""
    operations = 0
    for program in every(groups):
        for execution in program.executions:
            assert execution.words[-1].endswith(f"the result is {execution.output}")
            for line in execution.words:
                assert not re.search(r"[()=+*%<>]|\bif\b|return", line), line
                for part in line.split(", "):
                    said, verb, value = part.rpartition(" is ")
                    if not verb or said == "the result" or value.startswith("now ") or "next" in part:
                        continue
                    found = OPERATION.fullmatch(said)
                    assert found, part
                    called, a, b, alone, word, c, modulus = found.groups()
                    result: Any = SAID[called](*map(int, filter(None, (a, b)))) if called else int(alone)
                    result = SAID[word](result, int(c)) if word else result
                    assert str(result % int(modulus) if modulus else result) == value, (program, part)
                    operations += 1
    assert operations > 4_000
