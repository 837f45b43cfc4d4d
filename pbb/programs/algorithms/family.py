"""A family: one small classic problem whose parameters yield many programs.

A family module lists its families in a tuple ``FAMILIES``; `pbb.programs.algorithms` collects them.
"""

from __future__ import annotations

import ast
import functools
import itertools
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from string import Template
from typing import Any

from pbb.programs.algorithms.sampling import Choice, Inputs

TECHNIQUES = (
    *("two pointers", "prefix sums", "counting", "greedy", "dynamic programming", "digits", "intervals", "stacks"),
    *("bit tricks", "string scans", "number theory", "sequences", "simulation", "searching", "sorting"),
)
SIZES = ("short", "medium", "long")


@dataclass(frozen=True, eq=False)
class Family:
    """One problem, with parameters left open.

    `problem`, `steps` and `source` are texts of `string.Template` with a field for each parameter, which is written
    with ``str``: quotes around a text belong to the template. Line breaks in `problem` and `steps` are free.

    Attributes:
        name: such as ``"pairs with a given difference"``; no two families share one.
        technique: one of `TECHNIQUES`.
        size: ``"short"`` (at most 4 statements, no nested loop, at most 8 trace lines on a small input),
            ``"medium"`` (at most 8 statements, no nested loop) or ``"long"``.
        problem: one or two short sentences that name the arguments and say what to compute for all parameters, so that
            they identify the program; a capital first, no punctuation last.
        steps: the same step by step, equivalent to the source, a full stop last; what they are steps of ("Blorp of n:")
            is put in front.
        source: one function that does not call itself (a trace has to end with the result), with the builtins of
            `tracing_worker` and methods only. It gives no bool, and never fails on its inputs. Its first line starts
            with ``def $NAME(``; the body may be indented at will, since `ast.unparse` lays it out.
        parameters: the values that each field may take. Fields that are chosen together share an entry, with a tuple
            for each choice: ``{"op, words": ((">", "above"), ("<", "below")), "k": (2, 3)}``.
        inputs: how argument tuples are drawn, and which are always among the inputs.
    """

    name: str
    technique: str
    size: str
    problem: str
    steps: str
    source: str
    parameters: Mapping[str, Sequence[Any]]
    inputs: Inputs

    def __post_init__(self) -> None:
        def check(name: str, fine: bool, valid: str) -> None:
            if not fine:
                raise ValueError(f"family {self.name!r}: {name}={getattr(self, name)!r} is not valid; valid: {valid}")

        check("technique", self.technique in TECHNIQUES, f"one of {TECHNIQUES}")
        check("size", self.size in SIZES, f"one of {SIZES}")
        check("problem", self.problem[-1:] not in tuple(".?!:;,"), "no punctuation at the end")
        check("steps", self.steps.endswith("."), "a full stop at the end")
        check("source", self.source.startswith("def $NAME("), 'starts with "def $NAME("')
        for names, values in self.parameters.items():
            fields = names.split(", ")
            fit = all(len(fields) == 1 or len(value) == len(fields) for value in values)
            check("parameters", bool(values) and fit, f"one value or more for {names!r}, each with {len(fields)} parts")
        known = {"NAME", *next(self.programs())}
        for name in ("source", "problem", "steps"):
            used = set(Template(getattr(self, name)).get_identifiers())
            check(name, used <= known, f"fields of {sorted(known)}, not {sorted(used - known)}")
            for names in self.parameters:
                check(name, bool({*names.split(", ")} & used), f"names parameter {names!r}, or one of these")

    def programs(self) -> Iterator[dict[str, Any]]:
        """Yield every choice of parameters: the value of each field of the templates, ``$NAME`` apart."""
        for values in itertools.product(*self.parameters.values()):
            choice: dict[str, Any] = {}
            for names, value in zip(self.parameters, values, strict=True):
                choice |= zip(names.split(", "), value, strict=True) if ", " in names else {names: value}
            yield choice

    def render(self, name: str, choice: Choice) -> tuple[str, str, str]:
        """Return (source, problem, description) of the program called `name` with the parameters of `choice`."""
        head, _, body = self.source.partition("\n")
        source, problem, steps = (
            Template(text).substitute(choice, NAME=name)
            for text in (f"{head}\n{textwrap.indent(textwrap.dedent(body), '    ')}", self.problem, self.steps)
        )
        tree = ast.parse(source)
        arguments = " and ".join(argument.arg for argument in tree.body[0].args.args)  # type: ignore[attr-defined]
        return ast.unparse(tree), " ".join(problem.split()), f"{name} of {arguments}: {' '.join(steps.split())}"


def family(name: str, technique: str, size: str) -> Callable[..., Family]:
    """Return what makes the `Family` called `name` of its other attributes."""
    return functools.partial(Family, name, technique, size)
