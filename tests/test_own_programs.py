"""Readers' own functions: what can be taught is, and whatever cannot gets its own clear error."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from pbb.experiments.documents import parse_answer
from pbb.programs import Arithmetic, Execution, Program, generate
from pbb.programs.names import BASE_NAMES
from pbb.programs.own import MAX_INPUTS
from pbb.programs.own_source import OwnProgramError


def plus_seven(x: int) -> int:
    """Add 7 to x and keep the last digit.

    >>> plus_seven(5)
    2
    """
    total = x + 7  # a comment
    return total % 10


def source(body: str, arguments: str = "x") -> str:
    return f"def Blorp({arguments}):\n    " + body.replace("\n", "\n    ")


def made(body: str, *inputs: Any, arguments: str = "x", **more: Any) -> Program:
    return Program.from_function(source(body, arguments), list(inputs) or [1, 2, 3], "What it does.", **more)


# --- what can be taught ----------------------------------------------------------------------------------------------


def test_a_function_becomes_a_program() -> None:
    program = Program.from_function(plus_seven)
    assert program.name == "plus_seven"
    assert program.source == "def plus_seven(x):\n    total = x + 7\n    return total % 10"
    assert program.description == "Add 7 to x and keep the last digit."
    assert program.inputs == tuple("0123456789")
    assert program.executions[5] == Execution("2", ("total = x + 7 = 5 + 7 = 12", "return total % 10 = 12 % 10 = 2"))
    assert (program.domain, program.statements, program.made_by) == ("own", 2, {"by": "from_function"})
    assert Program.from_json(program.to_json()) == program


def test_source_text_gives_the_same_as_the_function() -> None:
    text = """
        def plus_seven(x):
            'Add 7 to x and keep the last digit.'
            total: int = x + 7
            return total % 10
    """
    assert Program.from_function(text) == Program.from_function(plus_seven)


def test_it_runs_as_generated_programs_do() -> None:
    settings = Arithmetic(statements=3, control=("if", "for", "while"), arguments=2, high=3)
    for program in generate(settings, 5, "tests", "own"):
        own = Program.from_function(program.source, list(program.inputs), program.description)
        assert (own.name, own.source, own.inputs) == (program.name, program.source, program.inputs)
        assert (own.executions, own.description) == (program.executions, program.description)


@pytest.mark.parametrize(
    ("inputs", "texts"),
    [
        ([4, 7], ("4", "7")),
        ([(4,), (7,)], ("4", "7")),
        (["4", " 7 "], ("4", "7")),
        (range(2), ("0", "1")),
        ([[1, 2], [3]], ("[1, 2]", "[3]")),
        ([("ab",), "'cd'"], ("'ab'", "'cd'")),
        ([{"a": (1,)}, {2, 1}], ("{'a': (1,)}", "{1, 2}")),
        ([None, True, -1.5], ("None", "True", "-1.5")),
    ],
)
def test_inputs_come_in_three_forms(inputs: Any, texts: tuple[str, ...]) -> None:
    program = made("return [x]", *inputs)
    assert program.inputs == texts
    assert [e.output for e in program.executions] == [f"[{text}]" for text in texts]


def test_two_arguments_and_defaults() -> None:
    pairs = Program.from_function(source("return x + y", "x, y"), description="Add y to x.")
    assert len(pairs.inputs) == 100
    assert pairs.execution("3, 9").output == "12"
    assert made("return x + y", 1, "1, 5", arguments="x, y=-2").execution("1").output == "-1"


@pytest.mark.parametrize(
    ("body", "given", "output"),
    [
        ("if x < 2:\n    return 1\nreturn x * Blorp(x - 1)", 4, "24"),
        ("if x > 2:\n    return None\nreturn x", 3, "None"),
        ("return sorted(x, key=lambda pair: pair[1])", [(1, 2), (3, 0)], "[(3, 0), (1, 2)]"),
        ("try:\n    return 6 // x\nexcept ZeroDivisionError:\n    return -1", 0, "-1"),
        ("return set(x)", ("hello",), "{'e', 'h', 'l', 'o'}"),
        ("seen = set()\nfor c in x:\n    seen.add(c)\nreturn len(seen)", ("hello",), "4"),
        ("return {c: x.count(c) for c in x}", ("aab",), "{'a': 2, 'b': 1}"),
        ("return [y for y in range(x) if (z := y % 2)]", 5, "[1, 3]"),
    ],
)
def test_python_at_large(body: str, given: Any, output: str) -> None:
    (execution,) = made(body, given).executions
    assert execution.output == output
    assert parse_answer("\n".join(execution.trace), "cot") == output


def test_another_name_goes_into_the_source() -> None:
    program = made("return x if x < 2 else Blorp(x - 1)", 3, name="Zibble")
    assert program.source == "def Zibble(x):\n    return x if x < 2 else Zibble(x - 1)"
    assert program.name == "Zibble"
    assert program.execution("3").output == "1"


@pytest.mark.parametrize(
    ("docstring", "description"),
    [
        ("Add 7 to f(x).\n\n    Then stop.", "Add 7 to f(x). Then stop."),
        ("Add 7. For example:\n    >>> Blorp(1)\n    8", "Add 7."),
        ("Add 7.\n    Examples: Blorp(1) is 8", "Add 7."),
        ("Add 7 (Blorp(x) = x + 7).\n    Blorp(1) gives 8", "Add 7 (Blorp(x) = x + 7)."),
        ("Add 7.\n    1 -> 8", "Add 7."),
    ],
)
def test_a_docstring_tells_no_answers(docstring: str, description: str) -> None:
    program = Program.from_function(source(f"'''{docstring}'''\nreturn x + 7"))
    assert program.description == description


# --- what cannot -----------------------------------------------------------------------------------------------------


class Counter:
    """A class, and objects that can be called."""

    def __call__(self, x: int) -> int:
        return x


def made_by_exec() -> Any:
    names: dict[str, Any] = {}
    exec("def Blorp(x):\n    return x", names)
    return names["Blorp"]


def with_closure() -> Callable[[int], int]:
    step = 3

    def jump(x: int) -> int:
        return x + step

    return jump


class Unwritable:
    def __repr__(self) -> str:
        raise RuntimeError


# How it is refused, then the body of def Blorp(x) after <-, or all of the source after <=; it runs on 1, 2 and 3.
SOURCES = r"""
has a source of 0 characters; valid: 1 to \d+ characters <=
is not Python: invalid syntax.* \(line 1\) <= add 7 to x
is not Python: '\(' was never closed \(line 2\) <- return (x + 1
is not Python: duplicate argument 'x' <= def Blorp(x, x):\n    return x
defines no function <= max(1, 2)
the program is a lambda; valid: one plain function <= Blorp = lambda x: x + 1
has 2 functions \(Blorp, Snurg\) <= def Blorp(x):\n    return x\n\ndef Snurg(x):\n    return Blorp(x)
has 2 functions \(Blorp, inner\) <- def inner(y):\n    return y + 1\nreturn inner(x)
program 'Blorp' has 'K = 3' outside the function <= K = 3\ndef Blorp(x):\n    return x
has 'if True:' outside <= if True:\n    def Blorp(x):\n        return x
takes \*, \*\* or keyword arguments <= def Blorp(*x):\n    return 1
takes \*, \*\* or keyword arguments <= def Blorp(x, *, y=1):\n    return x
takes no argument, so that there is nothing to ask <= def Blorp():\n    return 1
default value FACTOR, which <= def Blorp(x, y=FACTOR):\n    return x
program 'Blorp' is called like one of its own variables <- Blorp = x + 1\nreturn Blorp
program 'sum' is called like a part of Python <= def sum(x):\n    return x
uses the builtin 'Exception', which <- try:\n    return 1 // x\nexcept Exception:\n    return 0
uses the name 'math', which is defined nowhere in it <- return math.sqrt(x)
uses the name 'FACTOR', which is defined nowhere <- return (lambda a: a * FACTOR)(x)
uses the attribute 'calls' \(Blorp.calls\) <- Blorp.calls = x\nreturn x
returns no value; valid: end it in return <value> <- y = x + 1
returns nothing on input \(3\); valid: end every way <- if x < 3:\n    return 1
ends on input \(2\) with the step 'if 2 == 1: False' <- if x == 1:\n    return None\nif x == 1:\n    return 1
ends on input \(1\) with the step 'x = 2', which does <- try:\n    return x\nfinally:\n    x = 2
ends on input .1. with the step .*, and no ' = ' or 'the result is ' in texts <- return 'a = b'
ends on input .1. with the step .*, and no ' = ' or 'the result is ' in texts <- return 'the result is ' + str(x)
uses the name 'ä'; .*a to z <- return [ä for ä in (x, 2)]
raises an error on input \(2\): ZeroDivisionError: .*; valid: leave the input out <- return 1 // (x - 2)
raises an error on input \(3\): ValueError: no threes <- if x == 3:\n    raise ValueError('no threes')\nreturn x
does not end on input \(1\): StepLimit: .*; valid: at most 500 executed lines <- while True: pass\nreturn 1
does not end on input \(3\): StepLimit <- return Blorp(x) if x == 3 else x
does not end on one of its inputs: it used more than 2.0 s of proc <- return sum(range(10 ** 15))
needs too much memory|does not end <- return [0] * 10 ** 9
has an output of 302 characters on input \(1\), which is too long; valid: at most 200 <- return 'a' * 300
has an output that is too long on input \(1\): OverflowError <- return 'a' * 10 ** 6
has an output that is too long on input \(1\): ValueError: Exceeds the limit <- return 9 ** 9999
returns range\(0, 1\) on input \(1\), a type that is not representable; valid: numbers <- return range(x)
returns <function .*, a type that is not representable <- return lambda y: x
returns inf on input .1., a type that is not representable <- return float('inf')
returns \[\[...\]\] on input <- y = []\ny.append(y)\nreturn y
has the step 'y = zip.*, whose type is not representable <- y = zip([x], [x])\nreturn len(list(y))
not representable .*: TypeError: variable y holds a generator <- y = (i for i in [x])\nreturn sum(y)
is not deterministic: on input .* two runs gave .*; valid: no state <- return list(set('abcdef'))
is not deterministic: .* z =  <- t = 0\nfor z in set('abcdef'):\n    t += 1\nreturn t
"""
GIVEN: dict[str, list[Any]] = {  # as inputs
    "has 0 inputs; valid: 1 to 1000": [[], (), range(0)],
    "has 1001 inputs; valid: 1 to 1000": [range(MAX_INPUTS + 1)],
    "has inputs of type .*; valid: a list": [3, "3", {1: 2}, (i for i in [1])],
    r"has the input \(3\) twice; valid: each input once": [[3, 4, 3], [3, (3,)], ["3", 3]],
    r"gets too many arguments, 2, by the input \(3, 4\); valid: 1 \(x\)": [[(3, 4)], ["3, 4"]],
    r"gets too few arguments, 0, by the input \(\); valid: 1 \(x\)": [[()], [""]],
    "cannot read the input .*; valid: arguments as Python writes": [
        *(["ab"], ["x = 3"], ["3)"], ["3], [4"], ["open('f')"], ["i for i in x"], ["*[1]"], ["1" * 5000], ["(" * 300]),
    ],
    "has an input of type .*, which cannot be written down; valid: numbers, texts": [
        *([object()], [plus_seven], [int], [np.zeros(2)], [math.inf], [math.nan], [Unwritable()], [frozenset([1])]),
    ],
    "has an input of 202 characters; valid: at most 200": [[("a" * 200,)]],
}
CALLED: dict[str, list[Any]] = {  # as a name
    "a name that is not valid; valid: a Python name of at most 40 plain letters": [
        *("", "two words", "3rd", "a-b", "_hidden", "Blörp", "B" * 41),
    ],
    "has name=.*; valid: a Python name": [3, ["Blorp"]],
    "is called like a part of Python": ["for", "None", "max", "print"],
    "is called like one of its own variables; valid: a name that none of them has": ["x"],
    "has a name that base models were pretrained with; valid: another name": [BASE_NAMES[0], BASE_NAMES[-1]],
}
OBJECTS: dict[str, list[Any]] = {  # as the function itself
    "is not a function but of type ": [None, 3, ["def f(x): return x"], b"def Blorp(x): return x", math, Counter()],
    "program '.*' is a class": [int, Counter],
    "program '__call__' is a method, which needs its object": [Counter().__call__],
    "program '.*' is built in": [abs, math.sin, "a".upper, str.upper],
    "is a lambda, which has no name": [lambda x: x + 1],
    "program 'plus_seven' has a decorator": [functools.lru_cache(plus_seven)],
    "program 'Blorp' has no source that can be read; valid: its source as text": [made_by_exec()],
    "program 'jump' uses 'step' of the function around it": [with_closure()],
    r"has a source of \d+ characters; valid": [source("x += 1\n" * 2000 + "return x")],
    "is not Python: .*null byte": ["def Blorp(x):\n    return '\0'"],
    "is not Python: ": ["def Blorp(x):\n    return '\ud800'"],
    "is nested too deeply|is not Python: too many": [
        source(f"return {'(' * 400}x{')' * 400}"), source(f"return {'-' * 9000}x"), source("return x" + " + 1" * 600)
    ],
}  # fmt: skip
SAID: dict[str, list[Any]] = {  # as the description
    "has no description; valid: description=": ["", " \n"],
    r"has '\\ud800' in its description; valid": ["\ud800"],
    r"has '\\x1b' in its description": ["Add \x1b[2J."],
    "has description=.*; valid: a text": [3, None],
    "has a description that breaks off, .*'...do as follows:'": ["do as follows:"],
}
FINE = source("y = x\nreturn y")
MALFORMED: list[tuple[str, dict[str, Any]]] = [
    ("'Blorp' has a name that is already taught", {"taught": "Blorp"}),
    ("name that is already taught", {"taught": ["Snurg", made("return x")]}),
    ("name that is already taught", {"name": "Snurg", "taught": {"Snurg"}}),
    (r"takes 3 arguments \(x, y, z\) and has no inputs", {"fn_or_source": source("return 1", "x, y, z")}),
    (r"gets too many arguments, 3, by .*; valid: 1 to 2", {"fn_or_source": source("return 1", "x, y=2"),
                                                          "inputs": [(3, 4, 5)]}),
]  # fmt: skip
for each in SOURCES.strip().splitlines():
    refusal, mark, body = re.fullmatch(r"(.*?) (<[-=]) ?(.*)", each).groups()  # type: ignore[union-attr]
    body = body.replace(r"\n", "\n")
    MALFORMED.append((refusal, {"fn_or_source": source(body) if mark == "<-" else body, "inputs": [1, 2, 3]}))
for field, table in (("inputs", GIVEN), ("name", CALLED), ("fn_or_source", OBJECTS), ("description", SAID)):
    MALFORMED += [(refusal, {field: value}) for refusal, values in table.items() for value in values]


@pytest.mark.timeout(120)  # none of them hangs
@pytest.mark.parametrize(("message", "arguments"), MALFORMED, ids=[str(i) for i in range(len(MALFORMED))])
def test_malformed_programs_give_clear_errors(message: str, arguments: dict[str, Any]) -> None:
    with pytest.raises(OwnProgramError) as raised:
        Program.from_function(**{"fn_or_source": FINE, "description": "What it does."} | arguments)
    text = str(raised.value)
    assert re.search(message, text, re.DOTALL), text
    assert re.match(r"(the program|program '.*?') .+; valid: .+", text, re.DOTALL), text
    assert len(text) < 1000
