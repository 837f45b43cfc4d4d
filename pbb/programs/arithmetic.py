"""Random Arithmetic: small Python functions over integers, with nonsense names.

A program is a list of statements; each carries a value through a chain of operations. From the same statements
the Python source and an English description are rendered; the tests read the description independently. The domain
stands for the paper's Random Arithmetic; the paper's own generator is not public, so the knobs here are this project's.
"""

from __future__ import annotations

import ast
import functools
import itertools
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Annotated

from pbb.programs.program import Program, drawn, guessable, normalised, runnable
from pbb.programs.settings import Between, SomeOf, group, refuse
from pbb.streams import stream

OPERATORS = ("+", "-", "*", "//", "%", "abs", "min", "max", "square", "if")
CONTROL = ("if", "for", "while")
# Constants that keep an operation from being trivial on single digits; on larger numbers they grow (`_operand`).
_CONSTANTS = {
    **{"+": (1, 9), "-": (1, 9), "*": (2, 9), "//": (2, 4), "%": (3, 9)},
    **{"abs": (2, 8), "min": (2, 7), "max": (2, 7), "square": (2, 2)},
}
_TESTS = {
    **{
        ">": "above {b}",
        "<": "below {b}",
        ">=": "at least {b}",
        "<=": "at most {b}",
        "==": "{b}",
        "!=": "other than {b}",
    },
    "divides": "divisible by {b}",
}
_TURNED = {"+": "radd", "*": "rmul", "abs": "size"}
TURNED = 0.25  # of the results that grow, the sums and products are written the other way round, as readers may
CHOICES = 0.2  # of the expressions are `if` expressions, where these are among the operators
_SOURCE = {
    **{op: f"({{a}} {op} {{b}})" for op in ("+", "-", "*", "//", "%")},
    "radd": "({b} + {a})",
    "rsub": "({b} - {a})",
    "rmul": "({b} * {a})",
    "abs": "abs({a} - {b})",
    "min": "min({a}, {b})",
    "max": "max({a}, {b})",
    "square": "({a} * {a})",
    "size": "abs({a})",
}
_ENGLISH = {
    "+": "add {b}",
    "radd": "add {b}",
    "-": "subtract {b}",
    "rsub": "subtract it from {b}",
    "*": "multiply by {b}",
    "rmul": "multiply by {b}",
    "//": "divide by {b} rounding down",
    "%": "modulo {b}",
    "abs": "take the distance to {b}",
    "min": "cut to at most {b}",
    "max": "raise to at least {b}",
    "square": "multiply by itself",
    "size": "drop its sign",
}
PATIENCE = 10_000  # draws without one new program after which there seem to be no more
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


@functools.cache
def _layout(operators: tuple[str, ...]) -> str:
    """Return a chain's source, laid out by `ast.unparse`, with fields {0} for its start and {1}, … for operands."""
    text = "_0"
    for index, operator in enumerate(operators, start=1):
        text = _SOURCE[operator].format(a=text, b=f"_{index}")
    return re.sub(r"_(\d)", r"{\1}", ast.unparse(ast.parse(text)))


@dataclass(frozen=True)
class Chain:
    """``start`` carried through operations: ((operator, operand), …)."""

    start: str
    operations: tuple[tuple[str, str], ...] = ()

    def source(self) -> str:
        layout = _layout(tuple(operator for operator, _ in self.operations))
        return layout.format(self.start, *(operand for _, operand in self.operations))

    def english(self) -> str:
        return ", ".join([f"take {self.start}", *(_ENGLISH[op].format(b=b) for op, b in self.operations)])


@dataclass(frozen=True)
class Condition:
    """A comparison of a variable with a number; ``divides`` asks whether the number divides it."""

    variable: str
    comparison: str
    bound: int

    def source(self) -> str:
        if self.comparison == "divides":
            return f"{self.variable} % {self.bound} == 0"
        return f"{self.variable} {self.comparison} {self.bound}"

    def english(self) -> str:
        return f"{self.variable} is {_TESTS[self.comparison].format(b=self.bound)}"


@dataclass(frozen=True)
class Choice:
    """An `if` expression."""

    test: Condition
    then: Chain
    otherwise: Chain

    def source(self) -> str:
        return f"{self.then.source()} if {self.test.source()} else {self.otherwise.source()}"

    def english(self) -> str:
        return f"when {self.test.english()} {self.then.english()}, else {self.otherwise.english()}, then"


@dataclass(frozen=True)
class Statement:
    """`kind` is "set", "return", "if", "for" or "while"; `bound` is the number of a for or while, `test` an if's."""

    kind: str
    value: Chain | Choice
    target: str = "x"
    bound: int = 0
    test: Condition = Condition("x", ">", 5)
    otherwise: Chain | None = None

    def source(self) -> str:
        store = f"{self.target} = {self.value.source()}"
        otherwise = f"\nelse:\n    {self.target} = {self.otherwise.source()}" if self.otherwise else ""
        return {
            "set": store,
            "return": f"return {self.value.source()}",
            "if": f"if {self.test.source()}:\n    {store}{otherwise}",
            "for": f"for i in range({self.bound}):\n    {store}",
            "while": f"while {self.target} < {self.bound}:\n    {store}",
        }[self.kind]

    def english(self) -> str:
        value = self.value.english() + "," * isinstance(self.value, Chain)
        store = f"{value} store as {self.target}"
        otherwise = f"; otherwise: {self.otherwise.english()}, store as {self.target}" if self.otherwise else ""
        return {
            "set": store,
            "return": f"{value} return it",
            "if": f"if {self.test.english()}: {store}{otherwise}",
            "for": f"repeat {self.bound} times: {store}",
            "while": f"while {self.target} is below {self.bound}: {store}",
        }[self.kind]


@functools.cache
def _choices(operators: tuple[str, ...], family: str, by_variable: bool, first: bool) -> tuple[str, ...]:
    """Return which of `operators` may follow one of `family`; dividing by a variable could divide by zero."""
    known = [op for op in operators if op != "if" and (first or op != "square")]
    found = [op for op in known if {"-": "+"}.get(op, op) != family]
    if by_variable:
        found = [op for op in found if op not in ("//", "%", "square")]
    return tuple(found or known) or ("+",)


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


def _chain(
    rng: random.Random, settings: Arithmetic, start: str, count: int, must_use: str = "", raw: bool = True
) -> Chain:
    """Draw a chain; `must_use` is an operand of its first operation, `raw` whether `start` is still as it was given."""
    operations: list[tuple[str, str]] = []
    family, reach = "", max(9, settings.high) if raw or not settings.wrap else 9
    for index in range(count):
        by_variable = bool(must_use) and index == 0
        operator = rng.choice(_choices(tuple(settings.operators), family, by_variable, index == 0))
        family = {"-": "+", "square": "*"}.get(operator, operator)  # x + 3 - 4 is one addition in two steps: not drawn
        wraps = settings.wrap if operator in ("+", "-", "*", "square") else None
        modulus = rng.randint(max(2, wraps // 2), wraps) if wraps else 0
        number = _operand(rng, settings, operator, reach, modulus)
        operand = must_use if by_variable and operator not in ("//", "%") else str(number)
        written = "rsub" if operator == "-" and rng.random() < 0.5 else operator
        if not settings.wrap and rng.random() < TURNED:
            written = _TURNED.get(operator, written)
        operations.append((written, operand))
        reach = {"+": reach + number, "*": reach * number, "//": reach // number, "square": reach * reach}.get(
            operator, reach
        )
        reach = number if operator in ("%", "min") else reach
        if modulus:  # numbers of two digits are what direct answers fail at
            operations.append(("%", str(modulus)))
            reach = modulus - 1
    return Chain(start, tuple(operations))


def _test(rng: random.Random, settings: Arithmetic, variable: str, raw: bool) -> Condition:
    comparison = rng.choice(tuple(_TESTS))
    top = max(7, settings.high - 2) if raw or not settings.wrap else 7
    return Condition(variable, comparison, rng.randint(2, 3) if comparison == "divides" else rng.randint(2, top))


def _value(
    rng: random.Random, settings: Arithmetic, start: str, count: int, must_use: str = "", raw: bool = True
) -> Chain | Choice:
    """Draw an expression of `count` operations; the comparison of an `if` expression is one of them."""
    if "if" not in settings.operators or (len(settings.operators) > 1 and rng.random() >= CHOICES):
        return _chain(rng, settings, start, count, must_use, raw)
    first = rng.randint(0, count - 1)
    branches = [_chain(rng, settings, start, n, must_use if n else "", raw) for n in (first, count - 1 - first)]
    idle = [place for place, branch in enumerate(branches) if not branch.operations]
    if len(idle) == 2 or (idle and rng.random() < 0.5):  # else both would be the same
        branches[rng.choice(idle)] = Chain(str(rng.randint(0, 9)))
    test = _test(rng, settings, must_use if must_use and rng.random() < 0.5 else start, raw)
    return Choice(test, *branches)


def _statements(rng: random.Random, settings: Arithmetic) -> list[Statement]:
    variables = ["x", "y"][: settings.arguments]
    statements = []
    raw = set(variables)  # not stored to yet
    for _ in range(settings.statements - 1):
        target = rng.choice(variables)
        kind = rng.choice(settings.control) if settings.control and rng.random() < 0.5 else "set"
        other = variables[1 - variables.index(target)] if len(variables) == 2 and rng.random() < 0.5 else ""
        fresh = target in raw
        raw.discard(target)
        if kind == "while":
            step = rng.randint(1, 3)
            top = (settings.wrap or 10) - step
            chain = Chain(target, (("+", str(step)),))
            statements.append(Statement("while", chain, target, rng.randint(3, max(3, top))))
            continue
        if kind == "set":
            value = _value(rng, settings, target, rng.randint(1, settings.operations), other, fresh)
            statements.append(Statement("set", value, target))
            continue
        chain = _chain(rng, settings, target, 1, other, fresh)
        if kind == "for":
            statements.append(Statement("for", chain, target, rng.randint(2, 4)))
            continue
        otherwise = _chain(rng, settings, target, 1, "", fresh) if rng.random() < 0.5 else None
        test = _test(rng, settings, target, fresh)
        statements.append(Statement("if", chain, target, test=test, otherwise=otherwise))
    count = settings.operations if settings.statements == 1 else rng.randint(1, settings.operations)
    value = _value(rng, settings, "x", count, "y" if settings.arguments == 2 else "", "x" in raw)
    return [*statements, Statement("return", value)]


def render_source(name: str, statements: Sequence[Statement], arguments: int = 1) -> str:
    """Return the Python source, in the layout of `ast.unparse`."""
    body = "\n".join(statement.source() for statement in statements).replace("\n", "\n    ")
    return f"def {name}({', '.join('xy'[:arguments])}):\n    {body}"


@functools.lru_cache(maxsize=2**16)  # most draws were drawn before
def _normal_form(source: str, arguments: int) -> str:
    """Return what `normalised` makes of a `render_source` with the name ``NAME``, most often thirty times faster.

    Of one argument, operands stand in the order that `normalised` gives them already, if no number comes first.
    """
    if arguments > 1 or re.search(r"\d [+*] |abs\(\d+ - ", source):
        return normalised(source)
    names = {"NAME": "f", "x": "v0", "i": "v1"}
    return re.sub(r"\b(?:NAME|x|i)\b", lambda match: names[match[0]], source)


def render_description(name: str, statements: Sequence[Statement], arguments: int = 1) -> str:
    """Return the English description, equivalent to the source."""
    return f"{name} of {' and '.join('xy'[:arguments])}: {'; '.join(s.english() for s in statements)}."


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


def candidates(settings: Arithmetic, *key: object) -> Iterator[tuple[str, tuple[str, list[Statement]]]]:
    """Yield endless (normalised source, (source with the name ``NAME``, statements)), most of them again and again."""
    for index in itertools.count():
        statements = _statements(stream(*key, "arithmetic", index), settings)
        source = render_source("NAME", statements, settings.arguments)
        yield _normal_form(source, settings.arguments), (source, statements)


def generate(
    settings: Arithmetic,
    count: int,
    *key: object,
    pool: str = "experiment",
    without: frozenset[str] = frozenset(),
    inputs: Sequence[str] | None = None,
) -> list[Program]:
    """Return `count` programs, unique by name and by normalised source.

    Args:
        settings: the domain's knobs.
        count: how many.
        key: what the random stream is derived from (a seed and whatever else).
        pool: ``"experiment"``, or ``"base"`` for the quarter of all programs that base models are pretrained on
            (names may then repeat, since every document gives its source in context).
        without: normalised sources to leave out.
        inputs: which inputs to execute and keep; all of the settings' range when None.

    Raises:
        ValueError: the settings do not allow for so many different programs, or an input does not suit them.
    """
    every_input = tuple(all_inputs(settings))
    for text in inputs or ():
        if not re.fullmatch(", ".join([r"-?\d+"] * settings.arguments), text):
            valid = f"{settings.arguments} whole numbers, such as {every_input[0]!r}"
            raise ValueError(f"inputs: {text!r} is not valid; valid: {valid}")
    probes = every_input[:: max(1, len(every_input) // 20)]  # enough to see that a program is degenerate

    single = pool == "base" and settings.statements == settings.operations == 1  # `max(x, 5)` is to be known too

    def make(drafts: list[tuple[str, list[Statement]]]) -> list[Program]:
        described = [(source, render_description("NAME", drawn, settings.arguments)) for source, drawn in drafts]
        programs = [Program("NAME", *texts, probes, (), "arithmetic", settings.statements) for texts in described]
        fine = [program for program in runnable(programs, trace=False) if not degenerate(program, copies=single)]
        return runnable([replace(program, inputs=tuple(inputs or every_input)) for program in fine])

    endless, more = candidates(settings, *key, pool), "more statements, operations or operators"
    return drawn(settings, count, key, pool, without, endless, make, more, patience=PATIENCE)
