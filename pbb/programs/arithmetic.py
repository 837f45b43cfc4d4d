"""Random Arithmetic: small Python functions over integers, with nonsense names.

Each part of a program is written in Python and in English at once; the tests read the English independently. The domain
stands for the paper's Random Arithmetic; the paper's own generator is not public, so the knobs here are this project's.
"""

from __future__ import annotations

import functools
import itertools
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Annotated

from pbb.programs.program import Drafts, Program, check_inputs, generator, guessable, normalised, runnable
from pbb.programs.settings import Between, SomeOf, group, refuse
from pbb.streams import stream

Texts = tuple[str, str]  # a part of a program in Python, and the same in English

OPERATORS = ("+", "-", "*", "//", "%", "abs", "min", "max", "square", "if")
CONTROL = ("if", "for", "while")
# In Python, how tightly that binds and how tightly {a} has to (or stands in brackets), and in English.
_OPERATIONS = {
    "+": ("{a} + {b}", 1, 1, "add {b}"),
    "radd": ("{b} + {a}", 1, 2, "add {b}"),
    "-": ("{a} - {b}", 1, 1, "subtract {b}"),
    "rsub": ("{b} - {a}", 1, 2, "subtract it from {b}"),
    "*": ("{a} * {b}", 2, 2, "multiply by {b}"),
    "rmul": ("{b} * {a}", 2, 3, "multiply by {b}"),
    "//": ("{a} // {b}", 2, 2, "divide by {b} rounding down"),
    "%": ("{a} % {b}", 2, 2, "modulo {b}"),
    "abs": ("abs({a} - {b})", 3, 1, "take the distance to {b}"),
    "min": ("min({a}, {b})", 3, 0, "cut to at most {b}"),
    "max": ("max({a}, {b})", 3, 0, "raise to at least {b}"),
    "square": ("{a} * {a}", 2, 3, "multiply by itself"),
    "size": ("abs({a})", 3, 0, "drop its sign"),
}
# Constants that keep an operation from being trivial on single digits; on larger numbers they grow (`_operand`).
_CONSTANTS = {
    **{"+": (1, 9), "-": (1, 9), "*": (2, 9), "//": (2, 4), "%": (3, 9)},
    **{"abs": (2, 8), "min": (2, 7), "max": (2, 7), "square": (2, 2)},
}
_TESTS = {
    ">": ("{a} > {b}", "{a} is above {b}"),
    "<": ("{a} < {b}", "{a} is below {b}"),
    ">=": ("{a} >= {b}", "{a} is at least {b}"),
    "<=": ("{a} <= {b}", "{a} is at most {b}"),
    "==": ("{a} == {b}", "{a} is {b}"),
    "!=": ("{a} != {b}", "{a} is other than {b}"),
    "divides": ("{a} % {b} == 0", "{a} is divisible by {b}"),
}
_KIN = {"-": "+", "square": "*"}  # x + 3 - 4 is one addition in two steps: not drawn
_TURNED = {"+": "radd", "*": "rmul", "abs": "size"}
TURNED = 0.25  # of the results that grow, the sums and products are written the other way round, as readers may
CHOICES = 0.2  # of the expressions are `if` expressions, where these are among the operators
MOST_COMMON_OUTPUT = 0.4  # a program whose commonest output covers more of its inputs than this is left out
LONGEST_OUTPUT = 4  # characters


@group
class Arithmetic:
    """Random Arithmetic: what its programs are made of."""

    statements: Annotated[int, Between(1, 8)] = 1  # the last one returns; longer programs are run less often
    operations: Annotated[int, Between(1, 4)] = 2  # in a one-statement program; longer ones have 1 to this many each
    operators: Annotated[tuple[str, ...], SomeOf(OPERATORS)] = OPERATORS
    control: Annotated[tuple[str, ...], SomeOf(CONTROL, least=0)] = ()  # needs two statements
    arguments: Annotated[int, Between(1, 2)] = 1  # (x), or (x, y)
    low: Annotated[int, Between(-999, 999)] = 0  # inputs are the whole numbers from low to high
    high: Annotated[int, Between(-999, 999)] = 9
    # Every result of + - * is taken modulo a number of up to this, and of half of it at least; None: it grows.
    wrap: Annotated[int, Between(2, 10**6)] | None = 10
    largest: Annotated[int, Between(9, 9999)] = 9  # number added or subtracted; large ones make many short programs

    def __post_init__(self) -> None:
        if self.high < self.low:
            refuse(self, "high", f"at least low={self.low}")
        if self.control and self.statements < 2:
            refuse(self, "control", "() with statements=1; if, for and while need statements=2 or more")


# --- in both languages -----------------------------------------------------------------------------------------------


def chain(start: str, operations: Sequence[tuple[str, str]] = ()) -> Texts:
    """Return `start` carried through operations: ((a key of `_OPERATIONS`, operand), …)."""
    code, binds, words = start, 3, f"take {start},"
    for operation, operand in operations:
        python, result, needed, english = _OPERATIONS[operation]
        code = python.format(a=code if binds >= needed else f"({code})", b=operand)
        binds, words = result, f"{words} {english.format(b=operand)},"
    return code, words


def condition(variable: str, comparison: str, bound: int) -> Texts:
    """Return a comparison of a variable with a number; ``divides`` asks whether the number divides it."""
    python, english = _TESTS[comparison]
    return python.format(a=variable, b=bound), english.format(a=variable, b=bound)


def choice(test: Texts, then: Texts, otherwise: Texts) -> Texts:
    """Return an `if` expression."""
    code = f"{then[0]} if {test[0]} else {otherwise[0]}"
    return code, f"when {test[1]} {then[1]} else {otherwise[1]} then"


def store(target: str, value: Texts) -> Texts:
    return f"{target} = {value[0]}", f"{value[1]} store as {target}"


def branch(test: Texts, then: Texts, otherwise: Texts | None = None) -> Texts:
    """Return an `if` statement; each branch is one statement."""
    code, words = f"if {test[0]}:\n    {then[0]}", f"if {test[1]}: {then[1]}"
    if not otherwise:
        return code, words
    return f"{code}\nelse:\n    {otherwise[0]}", f"{words}; otherwise: {otherwise[1]}"


def repeat(times: int, body: Texts) -> Texts:
    return f"for i in range({times}):\n    {body[0]}", f"repeat {times} times: {body[1]}"


def repeat_below(bound: int, target: str, body: Texts) -> Texts:
    return f"while {target} < {bound}:\n    {body[0]}", f"while {target} is below {bound}: {body[1]}"


def program(name: str, statements: Sequence[Texts], value: Texts, arguments: int = 1) -> Texts:
    """Return the function of `statements` that returns `value`, in the layout of `ast.unparse`, and its description."""
    every, names = [*statements, (f"return {value[0]}", f"{value[1]} return it")], "xy"[:arguments]
    body = "\n".join(code for code, _ in every).replace("\n", "\n    ")
    words = "; ".join(words for _, words in every)
    return f"def {name}({', '.join(names)}):\n    {body}", f"{name} of {' and '.join(names)}: {words}."


# --- drawn at random -------------------------------------------------------------------------------------------------


def _operand(rng: random.Random, settings: Arithmetic, operator: str, reach: int, modulus: int) -> int:
    """Return a constant for an operation on numbers of up to `reach`, whose result is taken modulo `modulus` if any."""
    low, high = _CONSTANTS[operator]
    if operator in ("+", "-"):
        high = settings.largest
    elif operator != "*" and reach > 9:
        high = {"//": 9, "%": min(reach, 20)}.get(operator, max(high, reach - 2))
    if modulus and operator in ("+", "-", "*"):
        high = max(low, min(high, modulus - 1))  # more would be the same again
    return rng.randint(low, high)


def _operator(rng: random.Random, settings: Arithmetic, family: str, by_variable: bool) -> str:
    """Return an operator that may follow one of `family` ("" at first), if `by_variable` one never to divide by 0."""
    known = [op for op in settings.operators if op != "if" and not (family and op == "square")]
    found = [op for op in known if _KIN.get(op, op) != family]
    if by_variable:
        found = [op for op in found if op not in ("//", "%", "square")]
    return rng.choice(found or known or ["+"])


def _chain(rng: random.Random, settings: Arithmetic, start: str, count: int, reach: int, must_use: str = "") -> Texts:
    """Draw a chain from a `start` of up to `reach`; `must_use` is an operand of its first operation."""
    operations: list[tuple[str, str]] = []
    family = ""
    for index in range(count):
        by_variable = bool(must_use) and index == 0
        operator = _operator(rng, settings, family, by_variable)
        family = _KIN.get(operator, operator)
        wraps = settings.wrap if operator in ("+", "-", "*", "square") else None
        modulus = rng.randint(max(2, wraps // 2), wraps) if wraps else 0
        number = _operand(rng, settings, operator, reach, modulus)
        operand = must_use if by_variable and operator not in ("//", "%") else str(number)
        written = "rsub" if operator == "-" and rng.random() < 0.5 else operator
        if not settings.wrap and rng.random() < TURNED:
            written = _TURNED.get(operator, written)
        operations.append((written, operand))
        if modulus:  # numbers of two digits are what direct answers fail at
            operations.append(("%", str(modulus)))
            reach = modulus - 1
        elif operator in ("%", "min"):
            reach = number
        else:
            grown = {"+": reach + number, "*": reach * number, "//": reach // number, "square": reach * reach}
            reach = grown.get(operator, reach)
    return chain(start, operations)


def _condition(rng: random.Random, variable: str, reach: int) -> Texts:
    comparison = rng.choice(tuple(_TESTS))
    return condition(variable, comparison, rng.randint(2, 3 if comparison == "divides" else reach - 2))


def _value(rng: random.Random, settings: Arithmetic, start: str, count: int, reach: int, must_use: str = "") -> Texts:
    """Draw an expression of `count` operations; the comparison of an `if` expression is one of them."""
    if "if" not in settings.operators or (len(settings.operators) > 1 and rng.random() >= CHOICES):
        return _chain(rng, settings, start, count, reach, must_use)
    first = rng.randint(0, count - 1)
    lengths = (first, count - 1 - first)
    branches = [_chain(rng, settings, start, length, reach, must_use if length else "") for length in lengths]
    idle = [place for place, length in enumerate(lengths) if not length]
    if len(idle) == 2 or (idle and rng.random() < 0.5):  # else both would be the same
        branches[rng.choice(idle)] = chain(str(rng.randint(0, 9)))
    test = _condition(rng, must_use if must_use and rng.random() < 0.5 else start, reach)
    return choice(test, *branches)


def _program(rng: random.Random, settings: Arithmetic) -> Texts:
    """Draw a program with the name ``NAME``."""
    variables, widest = ["x", "y"][: settings.arguments], max(9, settings.high)
    reaches = dict.fromkeys(variables, widest)  # until stored to
    statements = []
    for _ in range(settings.statements - 1):
        target = rng.choice(variables)
        kind = rng.choice(settings.control) if settings.control and rng.random() < 0.5 else "set"
        other = variables[1 - variables.index(target)] if len(variables) == 2 and rng.random() < 0.5 else ""
        reach, reaches[target] = reaches[target], 9 if settings.wrap else widest
        if kind == "while":
            step = rng.randint(1, 3)
            bound = rng.randint(3, max(3, (settings.wrap or 10) - step))
            statements.append(repeat_below(bound, target, store(target, chain(target, [("+", str(step))]))))
            continue
        if kind == "set":
            count = rng.randint(1, settings.operations)
            statements.append(store(target, _value(rng, settings, target, count, reach, other)))
            continue
        body = store(target, _chain(rng, settings, target, 1, reach, other))
        if kind == "for":
            statements.append(repeat(rng.randint(2, 4), body))
            continue
        otherwise = store(target, _chain(rng, settings, target, 1, reach)) if rng.random() < 0.5 else None
        statements.append(branch(_condition(rng, target, reach), body, otherwise))
    count = settings.operations if settings.statements == 1 else rng.randint(1, settings.operations)
    value = _value(rng, settings, "x", count, reaches["x"], "y" if settings.arguments == 2 else "")
    return program("NAME", statements, value, settings.arguments)


@functools.lru_cache(maxsize=2**16)  # most draws were drawn before
def _normal_form(source: str, arguments: int) -> str:
    """Return what `normalised` makes of the `source` of a function ``NAME``, most often thirty times faster.

    Of one argument, operands stand in the order that `normalised` gives them already, if no number comes first.
    """
    if arguments > 1 or re.search(r"\d [+*] |abs\(\d+ - ", source):
        return normalised(source)
    names = {"NAME": "f", "x": "v0", "i": "v1"}
    return re.sub(r"\b(?:NAME|x|i)\b", lambda match: names[match[0]], source)


def all_inputs(settings: Arithmetic) -> list[str]:
    """Return every input of the range, as argument lists: at most 400, evenly thinned."""
    values = range(settings.low, settings.high + 1)
    grid = [", ".join(map(str, point)) for point in itertools.product(values, repeat=settings.arguments)]
    return grid[:: max(1, -(-len(grid) // 400))]


def degenerate(program: Program, copies: bool = False) -> bool:
    """Whether a guess, a copy of the input among them, is right too often (which is fine if `copies`)."""
    outputs = [execution.output for execution in program.executions]
    easy = not copies and guessable(outputs, program.inputs, MOST_COMMON_OUTPUT)
    return easy or max(map(len, outputs)) > LONGEST_OUTPUT


def candidates(settings: Arithmetic, *key: object) -> Iterator[tuple[str, Texts]]:
    """Yield endless (normalised source, texts with the name ``NAME``), most of them again and again."""
    for index in itertools.count():
        texts = _program(stream(*key, "arithmetic", index), settings)
        yield _normal_form(texts[0], settings.arguments), texts


@generator("more statements, operations or operators")
def generate(settings: Arithmetic, pool: str, inputs: Sequence[str] | None, *key: object) -> Drafts[Texts]:
    every_input = tuple(all_inputs(settings))
    valid = f"{settings.arguments} whole numbers, such as {every_input[0]!r}"
    check_inputs(inputs, ", ".join([r"-?\d+"] * settings.arguments), valid)
    probes = every_input[:: max(1, len(every_input) // 20)]  # enough to see that a program is degenerate
    single = pool == "base" and settings.statements == settings.operations == 1  # `max(x, 5)` is to be known too

    def make(drafts: list[Texts]) -> list[Program]:
        programs = [Program("NAME", *texts, probes, (), "arithmetic", settings.statements) for texts in drafts]
        fine = [program for program in runnable(programs, trace=False) if not degenerate(program, copies=single)]
        return runnable([replace(program, inputs=tuple(inputs or every_input)) for program in fine])

    return candidates(settings, *key, pool), make
