"""Readers' own functions: what can be taught is, and 200 malformed programs each get their own clear error."""

from __future__ import annotations

import functools
import itertools
import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from pbb.experiments.documents import parse_answer
from pbb.programs import Arithmetic, Execution, Program, generate
from pbb.programs.names import BASE_NAMES
from pbb.programs.own import MAX_INPUTS, from_function
from pbb.programs.own_source import MAX_SOURCE, OwnProgramError


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
    return from_function(source(body, arguments), list(inputs) or [1, 2, 3], "What it does.", **more)


# --- what can be taught ----------------------------------------------------------------------------------------------


def test_a_function_becomes_a_program() -> None:
    program = from_function(plus_seven)
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
    assert from_function(text) == from_function(plus_seven)


def test_it_runs_as_generated_programs_do() -> None:
    settings = Arithmetic(statements=3, control=("if", "for", "while"), arguments=2, high=3)
    for program in generate(settings, 5, "tests", "own"):
        own = from_function(program.source, list(program.inputs), program.description)
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
    pairs = from_function(source("return x + y", "x, y"), description="Add y to x.")
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
    program = from_function(source(f"'''{docstring}'''\nreturn x + 7"))
    assert program.description == description


# --- what cannot -----------------------------------------------------------------------------------------------------


class Counter:
    """A class, and objects that can be called."""

    def __call__(self, x: int) -> int:
        return x

    def count(self, x: int) -> int:
        return x


def wrapping(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def wrapper(*arguments: Any) -> Any:
        return function(*arguments)

    return wrapper


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


FACTOR = 3
Case = tuple[str, dict[str, Any]]  # the error, and the arguments of from_function


def objects(message: str, *programs: Any) -> list[Case]:
    return [(message, {"fn_or_source": program}) for program in programs]


def bodies(message: str, *texts: str, arguments: str = "x", inputs: Any = (1, 2, 3)) -> list[Case]:
    return [(message, {"fn_or_source": source(text, arguments), "inputs": inputs}) for text in texts]


def given(message: str, *inputs: Any, arguments: str = "x") -> list[Case]:
    return [(message, {"fn_or_source": source("return 1", arguments), "inputs": each}) for each in inputs]


def called(message: str, *names: Any) -> list[Case]:
    return [(message, {"fn_or_source": source("y = x\nreturn y"), "name": name}) for name in names]


NO_FUNCTIONS = [
    *objects("is not a function but of type NoneType", None),
    *objects("is not a function but of type int", 3),
    *objects("is not a function but of type float", 2.5),
    *objects("is not a function but of type list", ["def f(x): return x"]),
    *objects("is not a function but of type dict", {}),
    *objects("is not a function but of type bytes", b"def Blorp(x): return x"),
    *objects("is not a function but of type module", math),
    *objects("is not a function but of type Counter", Counter()),
    *objects("is not a function but of type partial", functools.partial(max, 1)),
    *objects("is not a function but of type range", range(3)),
    *objects("is not a function but of type ufunc", np.add),
    *objects("program 'int' is a class", int),
    *objects("program 'Counter' is a class", Counter),
    *objects("program 'count' is a method, which needs its object", Counter().count),
    *objects("program 'abs' is built in and has no Python source", abs),
    *objects("program 'sin' is built in", math.sin),
    *objects("program 'upper' is built in", "a".upper, str.upper),
    *objects("is a lambda, which has no name", lambda x: x + 1),
    *objects("program 'plus_seven' has a decorator", wrapping(plus_seven), functools.lru_cache(plus_seven)),
    *objects("program 'Blorp' has no source that can be read; valid: its source as text", made_by_exec()),
    *objects("program 'jump' uses 'step' of the function around it", with_closure()),
]
SYNTAX = [
    *objects(r"has a source of 0 characters; valid: 1 to \d+ characters", "", "   \n"),
    *objects(rf"has a source of \d+ characters; valid: 1 to {MAX_SOURCE}", source("x += 1\n" * 2000 + "return x")),
    *objects(r"is not Python: invalid syntax.* \(line 1\)", "def", "add 7 to x", "return = 3"),
    *objects(r"is not Python: expected ':' \(line 1\)", "def Blorp(x)\n    return x", "def Blorp(x) return x"),
    *objects(r"is not Python: '\(' was never closed \(line 2\)", source("return (x + 1")),
    *objects(r"is not Python: unmatched '\)'", source("return x + 1)")),
    *objects("is not Python: expected an indented block", "def Blorp(x):\nreturn x", source("if x:\nreturn 1")),
    *objects("is not Python: unindent does not match", "def Blorp(x):\n        y = 1\n    return y"),
    *objects("is not Python: unterminated string literal", source("return 'ab")),
    *objects("is not Python: duplicate argument 'x'", "def Blorp(x, x):\n    return x"),
    *objects("is not Python: cannot assign to", source("x + 1 = 3\nreturn x"), source("3 = x\nreturn x")),
    *objects("is not Python: .*null byte", "def Blorp(x):\n    return '\0'"),
    *objects("is not Python: ", "def Blorp(x):\n    return '\ud800'", source("return 1__0"), source("return x?")),
    *objects("is not Python: .*default", "def Blorp(x=1, y):\n    return y"),
    *objects("is not Python: leading zeros", source("return 007")),
    *objects("(is nested too deeply|is not Python: too many nested)", source("return " + "(" * 400 + "x" + ")" * 400)),
    *objects("is nested too deeply to be read", source("return " + "-" * 9000 + "x")),
    *objects("is nested too deeply in line 2; valid: at most 100", source("return x" + " + 1" * 600)),
]
STRUCTURE = [
    *objects("defines no function", "return 3", "x = 3", "# only a comment\nx", "'a text'", "max(1, 2)"),
    *objects("the program is a lambda; valid: one plain function", "lambda x: x", "Blorp = lambda x: x + 1"),
    *objects(r"has 2 functions \(Blorp, Snurg\)", "def Blorp(x):\n    return x\n\ndef Snurg(x):\n    return Blorp(x)"),
    *objects(r"has 2 functions \(Blorp, Blorp\)", "def Blorp(x):\n    return x\n\ndef Blorp(x):\n    return 1"),
    *bodies(r"has 2 functions \(Blorp, inner\)", "def inner(y):\n    return y + 1\nreturn inner(x)"),
    *objects("program 'Blorp' has 'K = 3' outside the function", "K = 3\ndef Blorp(x):\n    return x"),
    *objects("has 'Blorp.3.' outside the function", "def Blorp(x):\n    return x\nBlorp(3)"),
    *objects("has 'print.Blorp.1..' outside", "def Blorp(x):\n    return x\nprint(Blorp(1))"),
    *objects("has 'if True:' outside", "if True:\n    def Blorp(x):\n        return x"),
    *objects("has 'for i in range.3.:' outside", "def Blorp(x):\n    return x\nfor i in range(3):\n    pass"),
    *bodies("defines a class in line 2; valid: one plain function", "class A:\n    pass\nreturn x"),
    *objects(
        "defines a class in line 1", "class Blorp:\n    pass", "class Blorp:\n    def count(self, x):\n        return x"
    ),
    *bodies(
        "imports a module in line 2; valid: no import",
        "import os\nreturn os.getpid()",
        "from math import pi\nreturn pi",
    ),
    *objects("imports a module in line 1", "import math\ndef Blorp(x):\n    return math.sqrt(x)", "from os import *"),
    *bodies(r"is a generator \(yield\) in line 2", "yield x", "y = yield x\nreturn y", "yield from [x]"),
    *objects("is asynchronous in line 1", "async def Blorp(x):\n    return x"),
    *bodies("uses global state in line 2", "global total\ntotal = x\nreturn total"),
    *objects(
        "uses global state in line 4", "def Blorp(x):\n    y = 1\n    def inner():\n        nonlocal y\n    return y"
    ),
    *objects("has a decorator; valid: the function without it", "@cache\ndef Blorp(x):\n    return x"),
]
SIGNATURES = [
    *bodies(r"takes \*, \*\* or keyword arguments", "return 1", arguments="*x"),
    *bodies(r"takes \*, \*\* or keyword arguments", "return 1", arguments="**x"),
    *bodies(r"takes \*, \*\* or keyword arguments", "return x", arguments="x, *, y=1"),
    *bodies("takes no argument, so that there is nothing to ask", "return 1", arguments=""),
    *bodies(r"default value \[\], which may keep state", "seen.append(x)\nreturn len(seen)", arguments="x, seen=[]"),
    *bodies(r"default value \{\}, which may keep state", "return x", arguments="x, seen={}"),
    *bodies(r"default value FACTOR, which", "return x", arguments="x, y=FACTOR"),
    *bodies(r"default value list\(\), which", "return x", arguments="x, y=list()"),
]
NAMES = [
    *called("a name that is not valid; valid: a Python name", "", "two words", "3rd", "a-b"),
    *called("a name that is not valid; valid: a Python name of at most 40 plain letters", "_hidden", "Blörp", "B" * 41),
    *called("has name=3; valid: a Python name", 3),
    *called(r"has name=\['Blorp'\]", ["Blorp"]),
    *called("program 'for' is called like a part of Python", "for"),
    *called("program 'None' is called like a part of Python", "None"),
    *called("program 'max' is called like a part of Python", "max"),
    *called("program 'print' is called like a part of Python", "print"),
    *called("is called like one of its own variables; valid: a name that none of them has", "x", "y"),
    *called("has a name that base models were pretrained with; valid: another name", BASE_NAMES[0], BASE_NAMES[-1]),
    *bodies("program 'Blorp' is called like one of its own variables", "Blorp = x + 1\nreturn Blorp"),
    ("'Blorp' has a name that is already taught", {"fn_or_source": source("return x"), "taught": "Blorp"}),
    ("name that is already taught", {"fn_or_source": source("return x"), "taught": ["Snurg", "Blorp"]}),
    ("name that is already taught", {"fn_or_source": source("return x"), "name": "Snurg", "taught": {"Snurg"}}),
    ("name that is already taught", {"fn_or_source": source("return x"), "taught": generate(Arithmetic(), 1, 0),
                                     "name": generate(Arithmetic(), 1, 0)[0].name}),
    *objects("program 'sum' is called like a part of Python", "def sum(x):\n    return x"),
]  # fmt: skip
WORDS = [
    *bodies("uses the builtin 'open', which programs may not; valid: .*abs, all", "return open('/etc/passwd').read()"),
    *bodies("uses the builtin 'eval', which programs may not", "return eval('x + 1')"),
    *bodies("uses the builtin 'exec', which programs may not", "exec('y = 1')\nreturn x"),
    *bodies("uses the builtin 'print', which programs may not", "print(x)\nreturn x"),
    *bodies("uses the builtin 'input', which programs may not", "return int(input())"),
    *bodies("uses the builtin 'hash', which programs may not", "return hash(str(x))"),
    *bodies("uses the builtin 'id', which programs may not", "return id(x)"),
    *bodies("uses the builtin '__import__', which", "return __import__('os').getpid()"),
    *bodies("uses the builtin 'globals', which", "return len(globals())"),
    *bodies("uses the builtin 'getattr', which", "return getattr(x, 'real')"),
    *bodies("uses the builtin 'iter', which", "return list(iter([x]))"),
    *bodies("uses the builtin 'type', which", "return str(type(x))"),
    *bodies("uses the builtin 'Exception', which", "try:\n    return 1 // x\nexcept Exception:\n    return 0"),
    *bodies("uses the name 'math', which is defined nowhere in it", "return math.sqrt(x)"),
    *bodies("uses the name 'random', which is defined nowhere", "return random.randint(1, x)"),
    *bodies("uses the name 'helper', which is defined nowhere", "return helper(x)"),
    *bodies("uses the name 'y', which is defined nowhere", "return x + y", "return [y for z in range(x)]"),
    *bodies("uses the name 'i', which is defined nowhere", "z = [i for i in range(x)]\nreturn i"),
    *bodies(
        "uses the name 'FACTOR', which is defined nowhere", "return x * FACTOR", "return (lambda a: a * FACTOR)(x)"
    ),
    *bodies("uses the private attribute '__class__'", "return x.__class__", "return str(().__class__)"),
    *bodies("uses the private attribute '_secret'", "return x._secret"),
    *bodies(r"uses the attribute 'calls' \(Blorp.calls\)", "Blorp.calls = x\nreturn x", "return Blorp.calls + x"),
    *bodies(r"uses the attribute 'encode' .*; valid: methods of texts", "return 'é'.encode('ascii')"),
    *bodies("uses the private name '_y'; valid: names without _", "_y = x\nreturn _y"),
    *bodies("uses what Python calls With in line 2; valid: assignments, if", "with x as y:\n    return y"),
    *bodies(r"uses b'ab' in line 2; valid: numbers", "return b'ab'"),
]
RETURNS = [
    *bodies("returns no value; valid: end it in return <value>", "y = x + 1", "pass", "return", "x.append(1)", "'doc'"),
    *bodies(r"returns nothing on input \(3\); valid: end every way", "if x < 3:\n    return 1"),
    *bodies(
        r"ends on input \(2\) with the step 'if 2 == 1: False'", "if x == 1:\n    return None\nif x == 1:\n    return 1"
    ),
    *bodies(r"ends on input \(1\) with the step 'x = 2', which does", "try:\n    return x\nfinally:\n    x = 2"),
    *bodies("ends on input .1. with the step .*, and no ' = ' in texts", "return 'a = b'"),
    *bodies(r"returns nothing on input \(1\)", "for i in range(x):\n    if i > 2:\n        return i"),
    *bodies(r"returns nothing on input \(2\)", "if x == 2:\n    return\nreturn x"),
    *bodies(r"returns nothing on input \(1\)", "return [x].append(2)"),
]
INPUTS = [
    *given("has 0 inputs; valid: 1 to 1000", [], (), range(0)),
    *given("has 1001 inputs; valid: 1 to 1000", range(MAX_INPUTS + 1)),
    *given("has inputs of type int; valid: a list", 3),
    *given("has inputs of type str; valid: a list", "3", ""),
    *given("has inputs of type dict; valid: a list", {1: 2}),
    *given("has inputs of type generator; valid: a list", (i for i in [1])),
    *given(r"has the input \(3\) twice; valid: each input once", [3, 4, 3], [3, (3,)], ["3", 3]),
    *given(r"has the input \(3, 4\) twice", [(3, 4), "3,4"], arguments="x, y"),
    *given(r"gets too many arguments, 2, by the input \(3, 4\); valid: 1 \(x\)", [(3, 4)], ["3, 4"]),
    *given(r"gets too few arguments, 0, by the input \(\); valid: 1 \(x\)", [()], [""]),
    *given(r"gets too few arguments, 1, by the input \(3\); valid: 2 \(x, y\)", [3], ["3"], arguments="x, y"),
    *given(r"gets too many arguments, 3, by .*; valid: 1 to 2", [(3, 4, 5)], arguments="x, y=2"),
    *given(r"takes 3 arguments \(x, y, z\) and has no inputs", None, arguments="x, y, z"),
    *given(r"cannot read the input 'ab'; valid: arguments as Python writes", ["ab"]),
    *given("cannot read the input 'x = 3'", ["x = 3"]),
    *given(r"cannot read the input '3\)'", ["3)"]),
    *given(r"cannot read the input '3\], \[4'", ["3], [4"]),
    *given(r"cannot read the input .open\(", ["open('f')"]),
    *given("cannot read the input 'i for i in x'", ["i for i in x"]),
    *given(r"cannot read the input '\*\[1\]'", ["*[1]"]),
    *given("cannot read the input", ["1" * 5000], ["(" * 300]),
    *given("has an input of type object, which cannot be written down; valid: numbers, texts", [object()]),
    *given("has an input of type function, which", [plus_seven]),
    *given("has an input of type type, which", [int]),
    *given("has an input of type array|has an input of type ndarray", [np.zeros(2)]),
    *given("has an input of type float, which", [math.inf], [math.nan]),
    *given("has an input of type Unwritable, which", [Unwritable()]),
    *given("has an input of type frozenset, which", [frozenset([1])]),
    *given("has an input of 202 characters; valid: at most 200", [("a" * 200,)]),
]
ERRORS = [
    *bodies(
        r"raises an error on input \(2\): ZeroDivisionError: .*; valid: leave the input out", "return 1 // (x - 2)"
    ),
    *bodies(r"raises an error on input \(1\): IndexError: list index out of range", "return [0, 1][x + 1]"),
    *bodies(r"raises an error on input \(1\): KeyError: 1", "return {}[x]"),
    *bodies(r"raises an error on input \(1\): TypeError: .*not subscriptable", "return x[0]"),
    *bodies(r"raises an error on input \(1\): TypeError: .*'int' object is not iterable", "return [c for c in x]"),
    *bodies(r"raises an error on input \(1\): TypeError: unsupported operand", "return x + 'a'"),
    *bodies(
        r"raises an error on input \(3\): ValueError: no threes",
        "if x == 3:\n    raise ValueError('no threes')\nreturn x",
    ),
    *bodies(
        r"raises an error on input \(1\): AttributeError: 'int' object has no attribute 'upper'", "return x.upper()"
    ),
    *bodies(r"raises an error on input \(1\): UnboundLocalError", "if x > 1:\n    y = 1\nreturn y"),
    *bodies(r"raises an error on input \(1\): AssertionError", "assert x > 1\nreturn x"),
    *bodies(r"raises an error on input \('a'\): ValueError: invalid literal", "return int(x)", inputs=["'a'"]),
    *bodies(r"raises an error on input \(1\): TypeError: Blorp\(\) missing 1", "return Blorp()"),
    *bodies(r"raises an error on input \(1\): ValueError: max\(\)", "return max([])"),
    *bodies(r"raises an error on input \(1\): OverflowError: int too large to convert", "return 0.5 * 10 ** 400"),
]
ENDLESS = [
    *bodies(r"does not end on input \(1\): StepLimit: more than 500 lines", "while True:\n    x += 1\nreturn x"),
    *bodies(r"does not end on input \(1\): .*; valid: at most 500 executed lines", "while True: pass\nreturn 1"),
    *bodies(r"does not end on input \(1\): StepLimit", "return sum(i for i in range(10 ** 9))"),
    *bodies(r"does not end on input \(3\): StepLimit", "while x == 3:\n    pass\nreturn x"),
    *bodies(r"does not end on input \(3\): StepLimit", "return Blorp(x) if x == 3 else x"),
    *bodies(r"does not end on input \(1\): StepLimit", "try:\n    while True:\n        x += 1\nexcept:\n    return x"),
    *bodies("does not end on one of its inputs: it used more than 2.0 s of proc", "return sum(range(10 ** 15))"),
    *bodies("does not end on one of its inputs: it used more", "return 9 ** 9 ** 9 ** 9", inputs=["1"]),
    *bodies(r"(needs too much memory|does not end)", "return [0] * 10 ** 9"),
]  # fmt: skip
LONG = [
    *bodies(
        r"has an output of 302 characters on input \(1\), which is too long; valid: at most 200", "return 'a' * 300"
    ),
    *bodies(r"has an output of \d+ characters on input \(3\), which is too long", "return list(range(x ** 4))"),
    *bodies(r"has an output that is too long on input \(1\): OverflowError", "return 'a' * 10 ** 6"),
    *bodies(r"has an output that is too long on input \(1\): ValueError: Exceeds the limit", "return 9 ** 9999"),
    *bodies(r"has an output that is too long on input \(1\): Over", "y = 'a' * 90000\nz = y + 'b'\nreturn 1"),
]
TYPES = [
    *bodies(
        r"returns range\(0, 1\) on input \(1\), a type that is not representable; valid: numbers", "return range(x)"
    ),
    *bodies("returns <zip object .*> on input .1., a type that is not representable", "return zip([x], [x])"),
    *bodies("returns <function .*, a type that is not representable", "return lambda y: x", "return Blorp"),
    *bodies("returns <generator .*, a type that is not representable", "return (i for i in [x])"),
    *bodies("returns inf on input .1., a type that is not representable", "return float('inf')"),
    *bodies("returns nan on input .1., a type that is not representable", "return float('nan')"),
    *bodies("returns <class 'int'> on input", "return int"),
    *bodies(r"returns \[\[...\]\] on input", "y = []\ny.append(y)\nreturn y"),
    *bodies("returns ValueError.* on input", "return ValueError('a')"),
    *bodies("returns bytearray|returns dict_keys", "return {x: 1}.keys()"),
    *bodies("has the step 'y = zip.*, whose type is not representable", "y = zip([x], [x])\nreturn len(list(y))"),
    *bodies("has the step 'y = lambda.*, whose type is not representable", "y = lambda z: z + 1\nreturn y(x)"),
    *bodies(
        "type that is not representable .*: TypeError: variable y holds a generator",
        "y = (i for i in [x])\nreturn sum(y)",
    ),
]
CHANCE = [
    *bodies("is not deterministic: on input .* two runs gave .*; valid: no state", "return list(set('abcdef'))"),
    *bodies("is not deterministic", "return ''.join({'ab', 'cd', 'ef', 'gh'})"),
    *bodies("is not deterministic: .* z = ", "t = 0\nfor z in set('abcdef'):\n    t += 1\nreturn t"),
    *bodies("is not deterministic", "return set('abcdef').pop()"),
    *bodies("is not deterministic", "return [c for c in {'x': 1, 'y': 2}.keys() | {'z', 'w'}]"),
    *bodies("is not deterministic|raises an error", "return max({'ab', 'cd', 'ef', 'gh', 'ij'}, key=len)"),
]
DESCRIPTIONS = [
    ("has no description; valid: description=", {"fn_or_source": source("return x"), "description": ""}),
    ("has no description", {"fn_or_source": source("'''>>> Blorp(1)\n1'''\nreturn x"), "description": " \n"}),
    (r"has '\\ud800' in its description; valid", {"fn_or_source": source("return x"), "description": "\ud800"}),
    (r"has '\\x1b' in its description", {"fn_or_source": source("return x"), "description": "Add \x1b[2J."}),
    ("has description=3; valid: a text", {"fn_or_source": source("return x"), "description": 3}),
    ("has description=None; valid: a text", {"fn_or_source": source("return x"), "description": None}),
    ("has a description that breaks off, .*'...do as follows:'", {"fn_or_source": source("return x"),
                                                                 "description": "do as follows:"}),
]  # fmt: skip
MALFORMED = list(
    itertools.chain(
        *(NO_FUNCTIONS, SYNTAX, STRUCTURE, SIGNATURES, NAMES, WORDS, RETURNS, INPUTS, ERRORS, ENDLESS, LONG, TYPES),
        *(CHANCE, DESCRIPTIONS),
    )
)


def test_there_are_two_hundred_malformed_programs() -> None:
    assert len(MALFORMED) >= 200
    assert len({message for message, _ in MALFORMED}) > 120


@pytest.mark.timeout(120)  # none of them hangs
@pytest.mark.parametrize(("message", "arguments"), MALFORMED, ids=[str(i) for i in range(len(MALFORMED))])
def test_malformed_programs_give_clear_errors(message: str, arguments: dict[str, Any]) -> None:
    with pytest.raises(OwnProgramError) as raised:
        from_function(**{"description": "What it does."} | arguments)
    text = str(raised.value)
    assert re.search(message, text, re.DOTALL), text
    assert re.match(r"(the program|program '.*?') .+; valid: .+", text, re.DOTALL), text
    assert len(text) < 1000
