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

from pbb.programs.program import Program, belongs_to_base, drawn, guessable, runnable
from pbb.programs.settings import Between, SomeOf, group, refuse
from pbb.streams import stream

OPERATORS = ("+", "-", "*", "//", "%", "abs", "min", "max")
CONTROL = ("if", "for", "while")
# Constants that keep an operation from being trivial on single digits.
_CONSTANTS = {
    **{"+": (1, 9), "-": (1, 9), "*": (2, 9), "//": (2, 4), "%": (3, 9)},
    **{"abs": (2, 8), "min": (2, 7), "max": (2, 7)},
}
_SOURCE = {
    **{op: f"({{a}} {op} {{b}})" for op in ("+", "-", "*", "//", "%")},
    "rsub": "({b} - {a})",
    "abs": "abs({a} - {b})",
    "min": "min({a}, {b})",
    "max": "max({a}, {b})",
}
_ENGLISH = {
    "+": "add {b}",
    "-": "subtract {b}",
    "rsub": "subtract it from {b}",
    "*": "multiply by {b}",
    "//": "divide by {b} rounding down",
    "%": "modulo {b}",
    "abs": "take the distance to {b}",
    "min": "cut to at most {b}",
    "max": "raise to at least {b}",
}
PATIENCE = 10_000  # draws without one new program after which there seem to be no more
MOST_COMMON_OUTPUT = 0.4  # a program whose commonest output covers more of its inputs than this is left out
LONGEST_OUTPUT = 6  # characters


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
    wrap: Annotated[int, Between(2, 10**6)] | None = 10  # every result of + - * is taken modulo this; None: it grows
    largest: Annotated[int, Between(9, 999)] = 9  # number added or subtracted; large ones make many short programs

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
    operations: tuple[tuple[str, str], ...]

    def source(self) -> str:
        layout = _layout(tuple(operator for operator, _ in self.operations))
        return layout.format(self.start, *(operand for _, operand in self.operations))

    def english(self) -> str:
        return ", ".join([f"take {self.start}", *(_ENGLISH[op].format(b=b) for op, b in self.operations)])


@dataclass(frozen=True)
class Statement:
    """`kind` is "set", "return", "if", "for" or "while"; `bound` is the number in an if, for or while."""

    kind: str
    chain: Chain
    target: str = "x"
    bound: int = 0
    otherwise: Chain | None = None

    def source(self) -> str:
        store = f"{self.target} = {self.chain.source()}"
        otherwise = f"\nelse:\n    {self.target} = {self.otherwise.source()}" if self.otherwise else ""
        return {
            "set": store,
            "return": f"return {self.chain.source()}",
            "if": f"if {self.target} > {self.bound}:\n    {store}{otherwise}",
            "for": f"for i in range({self.bound}):\n    {store}",
            "while": f"while {self.target} < {self.bound}:\n    {store}",
        }[self.kind]

    def english(self) -> str:
        store = f"{self.chain.english()}, store as {self.target}"
        otherwise = f"; otherwise: {self.otherwise.english()}, store as {self.target}" if self.otherwise else ""
        return {
            "set": store,
            "return": f"{self.chain.english()}, return it",
            "if": f"if {self.target} is above {self.bound}: {store}{otherwise}",
            "for": f"repeat {self.bound} times: {store}",
            "while": f"while {self.target} is below {self.bound}: {store}",
        }[self.kind]


@functools.cache
def _choices(operators: tuple[str, ...], family: str, by_variable: bool) -> tuple[str, ...]:
    """Return which of `operators` may follow one of `family`; dividing by a variable could divide by zero."""
    found = [op for op in operators if {"-": "+"}.get(op, op) != family]
    if by_variable:
        found = [op for op in found if op not in ("//", "%")]
    return tuple(found) or operators


def _chain(rng: random.Random, settings: Arithmetic, start: str, count: int, must_use: str = "") -> Chain:
    operations: list[tuple[str, str]] = []
    family = ""
    for index in range(count):
        operator = rng.choice(_choices(tuple(settings.operators), family, bool(must_use) and index == 0))
        family = {"-": "+"}.get(operator, operator)  # x + 3 - 4 is one addition in two steps: not drawn
        low, high = _CONSTANTS[operator]
        if operator in ("+", "-"):
            high = settings.largest
        operand = must_use if must_use and index == 0 and operator not in ("//", "%") else str(rng.randint(low, high))
        operations.append(("rsub" if operator == "-" and rng.random() < 0.5 else operator, operand))
        if settings.wrap and operator in ("+", "-", "*"):  # numbers of two digits are what direct answers fail at
            operations.append(("%", str(settings.wrap)))
    return Chain(start, tuple(operations))


def _statements(rng: random.Random, settings: Arithmetic) -> list[Statement]:
    variables = ["x", "y"][: settings.arguments]
    statements = []
    for _ in range(settings.statements - 1):
        target = rng.choice(variables)
        kind = rng.choice(settings.control) if settings.control and rng.random() < 0.5 else "set"
        other = variables[1 - variables.index(target)] if len(variables) == 2 and rng.random() < 0.5 else ""
        if kind == "while":
            step = rng.randint(1, 3)
            top = (settings.wrap or 10) - step
            chain = Chain(target, (("+", str(step)),))
            statements.append(Statement("while", chain, target, rng.randint(3, max(3, top))))
            continue
        count = 1 if kind != "set" else rng.randint(1, settings.operations)
        chain = _chain(rng, settings, target, count, other)
        otherwise = _chain(rng, settings, target, 1) if kind == "if" and rng.random() < 0.5 else None
        bound = rng.randint(2, 4) if kind == "for" else rng.randint(2, 6)
        statements.append(Statement(kind, chain, target, bound, otherwise))
    count = settings.operations if settings.statements == 1 else rng.randint(1, settings.operations)
    chain = _chain(rng, settings, "x", count, "y" if settings.arguments == 2 else "")
    return [*statements, Statement("return", chain)]


def render_source(name: str, statements: Sequence[Statement], arguments: int = 1) -> str:
    """Return the Python source, in the layout of `ast.unparse`."""
    body = "\n".join(statement.source() for statement in statements).replace("\n", "\n    ")
    return f"def {name}({', '.join('xy'[:arguments])}):\n    {body}"


def render_description(name: str, statements: Sequence[Statement], arguments: int = 1) -> str:
    """Return the English description, equivalent to the source."""
    return f"{name} of {' and '.join('xy'[:arguments])}: {'; '.join(s.english() for s in statements)}."


def all_inputs(settings: Arithmetic) -> list[str]:
    """Return every input of the range, as argument lists: at most 400, evenly thinned."""
    values = range(settings.low, settings.high + 1)
    grid = [", ".join(map(str, point)) for point in itertools.product(values, repeat=settings.arguments)]
    return grid[:: max(1, -(-len(grid) // 400))]


def _degenerate(program: Program) -> bool:
    outputs = [execution.output for execution in program.executions]
    return guessable(outputs, program.inputs, MOST_COMMON_OUTPUT) or max(map(len, outputs)) > LONGEST_OUTPUT


def candidates(settings: Arithmetic, *key: object) -> Iterator[tuple[str, tuple[str, list[Statement]]]]:
    """Yield endless (normalised source, (source with the name ``NAME``, statements)), most of them again and again."""
    names = {"NAME": "f", "x": "v0", "y": "v1", "i": f"v{settings.arguments}"}
    for index in itertools.count():
        statements = _statements(stream(*key, "arithmetic", index), settings)
        source = render_source("NAME", statements, settings.arguments)
        # What `normalised` makes of it, thirty times faster.
        normal = re.sub(r"\b(?:NAME|x|y|i)\b", lambda match: names[match[0]], source)
        yield normal, (source, statements)


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
        pool: ``"experiment"``, or ``"base"`` for the half of all programs that base models are pretrained on
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

    def make(drafts: list[tuple[str, list[Statement]]]) -> list[Program]:
        described = [(source, render_description("NAME", drawn, settings.arguments)) for source, drawn in drafts]
        programs = [Program("NAME", *texts, probes, (), "arithmetic", settings.statements) for texts in described]
        fine = [program for program in runnable(programs, trace=False) if not _degenerate(program)]
        return runnable([replace(program, inputs=tuple(inputs or every_input)) for program in fine])

    # Single operations on small numbers are too few to be told apart: they are for base models only.
    single = settings.statements == 1 and settings.operations == 1 and settings.largest == 9
    endless, more = candidates(settings, *key, pool), "more statements, operations or operators"
    for_base = (lambda normal: True) if single else belongs_to_base
    return drawn(settings, count, key, pool, without, endless, make, more, for_base=for_base, patience=PATIENCE)
