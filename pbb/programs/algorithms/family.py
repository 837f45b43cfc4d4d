"""A family: one small classic problem whose parameters yield many programs.

A family module lists its families in a tuple ``FAMILIES``; `pbb.programs.algorithms` collects them.
"""

from __future__ import annotations

import ast
import itertools
import random
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from string import Template
from typing import Any

TECHNIQUES = (
    *("two pointers", "prefix sums", "counting", "greedy", "dynamic programming", "digits", "intervals", "stacks"),
    *("bit tricks", "string scans", "number theory", "sequences", "simulation", "searching", "sorting"),
)
SIZES = ("short", "medium", "long")

Choice = Mapping[str, Any]
Sampler = Callable[[random.Random, Choice], tuple[Any, ...]]


@dataclass(frozen=True, eq=False)
class Family:
    """One problem, with parameters left open.

    `source`, `problem` and `description` are texts of `string.Template` with fields ``$NAME`` (not in the problem) and
    one for each parameter, which is written with ``str``: quotes around a text belong to the template. Indentation
    and line breaks are free: the source is laid out by `ast.unparse`, and other texts become one line.

    Attributes:
        name: such as ``"pairs with a given difference"``; no two families share one.
        technique: one of `TECHNIQUES`.
        size: ``"short"`` (at most 4 statements, no nested loop, at most 8 trace lines on a small input),
            ``"medium"`` (at most 8 statements, no nested loop) or ``"long"``.
        source: one function ``def $NAME(...)`` that does not call itself (a trace has to end with the result), with
            the builtins of `tracing_worker` and methods only. It gives no bool, and never fails on its inputs.
        problem: one or two short sentences that name the arguments and say what to compute for all parameters, so that
            they identify the program; a capital first, no punctuation last.
        description: the same step by step, equivalent to the source: ``"$NAME of n: ..."``, a full stop last.
        parameters: for each, the values it may take. A value is a literal, or a mapping of field names to literals that
            are chosen together, such as ``{"op": ">", "words": "above"}``; the parameter's own name is then no field.
        sample: draws one argument tuple: small numbers, short lists and words, 12 different ones or more.
        edges: argument tuples that are always among the inputs: zero, one element, ties, nothing.
    """

    name: str
    technique: str
    size: str
    source: str
    problem: str
    description: str
    parameters: Mapping[str, Sequence[Any]]
    sample: Sampler
    edges: tuple[tuple[Any, ...], ...]

    def __post_init__(self) -> None:
        def check(name: str, fine: bool, valid: str) -> None:
            if not fine:
                raise ValueError(f"family {self.name!r}: {name}={getattr(self, name)!r} is not valid; valid: {valid}")

        check("technique", self.technique in TECHNIQUES, f"one of {TECHNIQUES}")
        check("size", self.size in SIZES, f"one of {SIZES}")
        check("parameters", all(self.parameters.values()), "one value or more for each parameter")
        check("problem", self.problem.strip()[-1:] not in tuple(".?!:;,"), "no punctuation at the end")
        check("description", self.description.split()[:2] == ["$NAME", "of"], 'starts with "$NAME of"')
        known = {"NAME", *next(self.programs())}
        for name in ("source", "problem", "description"):
            used = set(Template(getattr(self, name)).get_identifiers())
            check(name, used <= known, f"fields of {sorted(known)}, not {sorted(used - known)}")
            for parameter, values in self.parameters.items():
                fields = set(values[0]) if isinstance(values[0], Mapping) else {parameter}
                check(name, bool(fields & used), f"names parameter {parameter!r} by one of {sorted(fields)}")

    def programs(self) -> Iterator[dict[str, Any]]:
        """Yield every choice of parameters: the value of each field of the templates, ``$NAME`` apart."""
        for values in itertools.product(*self.parameters.values()):
            choice: dict[str, Any] = {}
            for parameter, value in zip(self.parameters, values, strict=True):
                choice |= value if isinstance(value, Mapping) else {parameter: value}
            yield choice

    def render(self, name: str, choice: Choice) -> tuple[str, str, str]:
        """Return (source, problem, description) of the program called `name` with the parameters of `choice`."""
        fields = {"NAME": name, **choice}
        source = Template(textwrap.dedent(self.source)).substitute(fields)
        problem, description = (
            " ".join(Template(t).substitute(fields).split()) for t in (self.problem, self.description)
        )
        return ast.unparse(ast.parse(source)), problem, description


def numbers(low: int, high: int, count: int = 1) -> Sampler:
    """Return a sampler of `count` whole numbers from `low` to `high`."""
    return lambda rng, choice: tuple(rng.randint(low, high) for _ in range(count))


def number_lists(low: int = 0, high: int = 9, shortest: int = 2, longest: int = 5) -> Sampler:
    """Return a sampler of one list of whole numbers from `low` to `high`."""
    return lambda rng, choice: ([rng.randint(low, high) for _ in range(rng.randint(shortest, longest))],)


def words(letters: str = "abcde", shortest: int = 2, longest: int = 6) -> Sampler:
    """Return a sampler of one word over `letters`; fewer letters make repeats likely."""
    return lambda rng, choice: ("".join(rng.choices(letters, k=rng.randint(shortest, longest))),)
