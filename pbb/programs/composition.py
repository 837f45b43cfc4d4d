"""Composition: programs that do nothing but call other programs, f(g(x)) or f(g(h(x))).

The parts come from any domains whose types fit: the first argument is carried through, and what further arguments a
part takes (a cipher's shift) are handed to every part that takes them. A composite's source names its parts and no
more, so that a model which was taught the parts separately has to put them together. Its trace runs through the parts:

    return Zibble(Snurg(x)) = Zibble(Snurg(3))
    Snurg(3):
    return abs(x - 8) = abs(3 - 8) = 5
    Zibble(5):
    return (x + 4) % 10 = (5 + 4) % 10 = 9
"""

from __future__ import annotations

import ast
import itertools
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Annotated, Any, Literal, cast

import pydantic

from pbb.programs import algorithms, arithmetic, ciphers
from pbb.programs.algorithms import Algorithms
from pbb.programs.arithmetic import Arithmetic
from pbb.programs.ciphers import Ciphers
from pbb.programs.execution import Execution, ExecutionError
from pbb.programs.names import experiment_names, names_of
from pbb.programs.program import Program, drawn, guessable, normalised, on_inputs, run_sources
from pbb.programs.settings import Between, ExperimentError, group, refuse
from pbb.streams import stream

# Whose programs can be parts: settings, and what draws programs from them.
PARTS: dict[type, Callable[..., list[Program]]] = {
    Arithmetic: arithmetic.generate,
    Algorithms: algorithms.generate,
    Ciphers: ciphers.generate,
}
MOST_COMMON_OUTPUT = 0.3  # stricter than for parts: what comes of two has fewer different outputs
FEWEST_PARTS = 12  # drawn for composites, however few these are
LONGEST_OUTPUT = 12  # characters
LONGEST_TRACE = 60  # lines


@group
class Composition:
    """Composition: of what parts, how deep, and what of it training shows."""

    parts: Annotated[tuple[Any, ...], pydantic.Field(strict=False)] = (Arithmetic(),)  # settings of the parts' domains
    depth: Annotated[int, Between(2, 3)] = 2  # 2 for f(g(x)), 3 for f(g(h(x)))
    # "declared": a name and a source of one line; "named": asked for as f(g(x)), never declared
    composites: Literal["declared", "named"] = "declared"
    taught_parts: Literal["w/ IO", "w/o IO"] = "w/ IO"  # how the parts of the w/o IO composites are taught
    with_io_composites: Annotated[int, Between(0, 2000)] = (
        0  # of w/ IO parts, shown run: else none is seen put together
    )

    def __post_init__(self) -> None:
        if not self.parts or any(type(part) not in PARTS for part in self.parts):
            refuse(self, "parts", f"a tuple of one or more of {', '.join(s.__name__ for s in PARTS)}")


@dataclass(frozen=True)
class Signature:
    """What a program takes and gives: kinds of values, and its arguments' names."""

    first: str
    rest: tuple[str, ...]
    output: str
    arguments: tuple[str, ...]


def _kind(values: Sequence[Any]) -> str:
    """Return the one kind that all `values` have, such as ``"int"`` or ``"list of str"``, or "" where they differ."""
    kinds = {type(value).__name__ for value in values}
    if kinds in ({"list"}, {"tuple"}):
        items = [item for value in values for item in value]
        inside = _kind(items) if items else ""
        return f"{kinds.pop()} of {inside}" if inside else ""
    return kinds.pop() if len(kinds) == 1 else ""


def _argument_list(text: str) -> tuple[Any, ...]:
    values: tuple[Any, ...] = ast.literal_eval(f"({text},)")
    return values


def signature(program: Program) -> Signature:
    """Return the kinds of values that `program` takes and gives, judged by its inputs and outputs."""
    if program.domain in ("composition", "grammars"):
        kind = "a composite, which does not run alone" if program.domain == "composition" else "no function"
        raise ValueError(f"program {program.name!r} is {kind}; valid as a part: a function of any other domain")
    columns = list(zip(*map(_argument_list, program.inputs), strict=True))
    output = _kind([ast.literal_eval(execution.output) for execution in program.executions])
    function: Any = ast.parse(program.source).body[0]
    arguments = tuple(argument.arg for argument in function.args.args)
    return Signature(_kind(columns[0]), tuple(map(_kind, columns[1:])), output, arguments)


def fit(chain: Sequence[Signature]) -> bool:
    """Whether programs of these signatures, the innermost first, can be handed on from one to the next."""
    further = {s.rest for s in chain if s.rest}
    known = all(s.first and s.output and all(s.rest) for s in chain)
    handed_on = all(inner.output == outer.first for inner, outer in itertools.pairwise(chain))
    return known and len(further) <= 1 and handed_on


def part_names(program: Program) -> tuple[str, ...]:
    """Return the names of a composite's parts, the outermost first; () for any other program."""
    return tuple(part["name"] for part in program.made_by["parts"]) if program.domain == "composition" else ()


def normal_form(program: Program) -> str:
    """Return the parts' normalised sources, the outermost first: what the composite does, whatever its names."""
    return "\n".join(normalised(part["source"]) for part in program.made_by["parts"])


def with_parts(program: Program, representation: str) -> str:
    """Return all that one needs to run a composite: its parts' texts, the innermost first, and its own."""
    field = "source" if representation == "code" else "description"
    parts = [part[field] for part in reversed(program.made_by["parts"])]
    return "\n".join([*parts, getattr(program, field)] if program.problem == program.name else parts)


@dataclass(frozen=True)
class _Draft:
    """A composite whose parts are chosen, not yet executed. `parts` are the innermost first."""

    name: str
    parts: tuple[Program, ...]
    signatures: tuple[Signature, ...]

    @property
    def steps(self) -> list[tuple[Program, Signature]]:
        return list(zip(self.parts, self.signatures, strict=True))

    @property
    def arguments(self) -> tuple[str, ...]:
        further = next((s.arguments[1:] for s in self.signatures if s.rest), ())
        first = self.signatures[0].arguments[0]
        return (next(name for name in (first, "x", "z") if name not in further), *further)

    @property
    def inputs(self) -> tuple[str, ...]:
        """The innermost part's inputs, with further arguments from the first part that takes any."""
        firsts = [_argument_list(text) for text in self.parts[0].inputs]
        giver = next((part for part, s in self.steps if s.rest), self.parts[0])
        rests = [_argument_list(text)[1:] for text in giver.inputs]
        made = [(values[0], *rests[i % len(rests)]) for i, values in enumerate(firsts)]
        return tuple(dict.fromkeys(", ".join(map(repr, values)) for values in made))

    def call(self, index: int, first: str, rest: Sequence[str]) -> str:
        """Return the call of part number `index` as Python writes it."""
        takes = rest if self.signatures[index].rest else ()
        return f"{self.parts[index].name}({', '.join([first, *takes])})"

    def expression(self, values: Sequence[str]) -> str:
        """Return all calls, one inside the other, on `values` (or on the names of arguments)."""
        text = values[0]
        for index in range(len(self.parts)):
            text = self.call(index, text, values[1:])
        return text

    def source(self) -> str:
        return f"def {self.name}({', '.join(self.arguments)}):\n    return {self.expression(self.arguments)}"

    def first_line(self, values: Sequence[str]) -> str:
        return f"return {self.expression(self.arguments)} = {self.expression(values)}"

    def in_words(self, values: Sequence[str]) -> str:
        return f"{' of '.join(part.name for part in reversed(self.parts))} of {' and '.join(values)}"

    def description(self) -> str:
        rest = self.arguments[1:]
        on = [self.arguments[0], *["the result"] * (len(self.parts) - 1)]
        steps = [
            f"run {part.name} on {' and '.join([first, *(rest if s.rest else ())])}"
            for (part, s), first in zip(self.steps, on, strict=True)
        ]
        return f"{self.name} of {' and '.join(self.arguments)}: {', '.join(steps)}, return the result."


def _execute(drafts: Sequence[_Draft], inputs: Sequence[str] | None = None) -> list[Program | ExecutionError]:
    """Return the program of each draft (all of one depth), or its first error where a part fails on what it is handed.

    Outputs come from one run of the composite's source together with its parts'; traces from running the parts one
    after the other, each on what the one before gave. Both must come to the same.
    """
    results: list[Program | ExecutionError] = [_program(draft, inputs or draft.inputs) for draft in drafts]
    jobs = [("\n".join([*(p.source for p in d.parts), d.source()]), inputs or d.inputs) for d in drafts]
    wholes = run_sources([(d.name, *job) for d, job in zip(drafts, jobs, strict=True)], trace=False)
    running = []  # (place, draft, the values that each input has become, the trace of each)
    for i, (draft, runs) in enumerate(zip(drafts, wholes, strict=True)):
        if isinstance(runs, ExecutionError):
            results[i] = runs
        else:
            values = [list(map(repr, _argument_list(text))) for text in jobs[i][1]]
            first = [([draft.first_line(value)], [f"{draft.in_words(value)} is wanted"]) for value in values]
            running.append((i, draft, values, first))
    for index in range(len(drafts[0].parts) if drafts else 0):
        calls = [[draft.call(index, value[0], value[1:]) for value in values] for _, draft, values, _ in running]
        parts = [draft.parts[index] for _, draft, _, _ in running]
        given = [[call[call.index("(") + 1 : -1] for call in called] for called in calls]
        for part, called, (_, _, values, traces) in zip(on_inputs(parts, given), calls, running, strict=True):
            for (trace, words), value, call, run in zip(traces, values, called, part.executions, strict=True):
                trace += [f"{call}:", *run.trace]
                words += [f"{part.name} of {call[len(part.name) + 1 : -1]}:", *run.words]
                value[0] = run.output
    for i, _, values, traces in running:
        whole, by_parts = [run.output for run in wholes[i]], [value[0] for value in values]  # type: ignore[union-attr]
        if whole != by_parts:
            raise ExecutionError(f"{jobs[i][0]!r} gives {whole}, and its parts one by one give {by_parts}")
        executions = tuple(
            Execution(o, tuple(trace), tuple(words)) for o, (trace, words) in zip(whole, traces, strict=True)
        )
        results[i] = replace(cast(Program, results[i]), executions=executions)
    return results


def _program(draft: _Draft, inputs: Sequence[str]) -> Program:
    """Return the program of a draft, not yet executed."""
    outermost_first = draft.parts[::-1]
    fields = ("name", "domain", "source", "description")
    return Program(
        name=draft.name,
        source=draft.source(),
        description=draft.description(),
        inputs=tuple(inputs),
        executions=(),
        domain="composition",
        statements=1,
        made_by={"parts": [{name: getattr(part, name) for name in fields} for part in outermost_first]},
        family=" of ".join(part.domain for part in outermost_first),
        problem=draft.name,
    )


def compose(name: str, parts: Sequence[Program], inputs: Sequence[str] | None = None) -> Program:
    """Return the program that calls `parts`, written as in ``f(g(x))``: the outermost first.

    Args:
        name: of the composite.
        parts: two or more programs of any domain that has functions.
        inputs: argument lists; made of the parts' own inputs when None.

    Raises:
        ValueError: there are fewer than two parts, a name is given twice, a part's output is not what the next one
            takes, or a part fails on what it is handed.
    """
    names = [name, *(part.name for part in parts)]
    if len(parts) < 2 or len(set(names)) < len(names):
        raise ValueError(f"parts={names[1:]} of {name!r} are not valid; valid: two or more programs, no name twice")
    inner_first = tuple(parts)[::-1]
    draft = _Draft(name, inner_first, tuple(map(signature, inner_first)))
    if not fit(draft.signatures):
        flow = ", ".join(f"{p.name} takes {s.first} and gives {s.output}" for p, s in draft.steps)
        raise ValueError(
            f"parts={names[1:]} do not fit ({flow}); valid: each takes the one kind that the one before gives"
        )
    (made,) = _execute([draft], inputs)
    if isinstance(made, ExecutionError):
        raise ValueError(f"a part of {draft.expression(draft.arguments)} fails on what it is handed: {made}")
    return made


def draw_parts(
    settings: Composition, count: int, *key: object, names: Sequence[str], pool: str = "experiment"
) -> list[Program]:
    """Return `count` programs, from each of ``settings.parts`` in turn, called by `names`.

    A part is pointed at by its name, since that is how a composite calls it: a problem statement gives way to it.

    Raises:
        ValueError: a domain's settings do not allow for so many.
    """
    domains = len(settings.parts)
    made = []
    for index, part in enumerate(settings.parts):
        share = len(range(index, count, domains))
        made.append(PARTS[type(part)](part, share, *key, "parts", index, pool=pool) if share else [])
    parts = [made[i % domains][i // domains].renamed(name) for i, name in zip(range(count), names, strict=False)]
    return [replace(part, problem=part.name) if part.problem else part for part in parts]


def _degenerate(program: Program) -> bool:
    outputs = [execution.output for execution in program.executions]
    firsts = [repr(_argument_list(text)[0]) for text in program.inputs]
    long = any(len(e.output) > LONGEST_OUTPUT or len(e.trace) > LONGEST_TRACE for e in program.executions)
    return long or guessable(outputs, firsts, MOST_COMMON_OUTPUT)


def _chain(rng: random.Random, by_signature: Mapping[Signature, Sequence[int]], depth: int) -> list[int]:
    """Return the places of `depth` different parts that fit, the innermost first; fewer where none goes on."""
    chain, signatures = list[int](), list[Signature]()
    while len(chain) < depth:
        fitting = {s: places for s, places in by_signature.items() if fit([*signatures, s])}
        choices = [(place, s) for s, places in fitting.items() for place in places if place not in chain]
        if not choices:
            break
        place, signature = rng.choice(choices)
        chain.append(place)
        signatures.append(signature)
    return chain


def composites(
    settings: Composition,
    parts: Sequence[Program],
    count: int,
    *key: object,
    names: Sequence[str],
    pool: str = "experiment",
    without: frozenset[str] = frozenset(),
    inputs: Sequence[str] | None = None,
) -> list[Program]:
    """Return `count` composites of `parts`, called by `names`, no two with the same `normal_form`.

    Raises:
        ValueError: the parts do not allow for so many.
    """
    signatures = list(map(signature, parts))
    normals = [normalised(part.source) for part in parts]
    by_signature: dict[Signature, list[int]] = {}
    for place, found in enumerate(signatures):
        by_signature.setdefault(found, []).append(place)

    def candidates() -> Iterator[tuple[str, _Draft] | None]:
        for index in itertools.count():
            chain = _chain(stream(*key, pool, "composition", index), by_signature, settings.depth)
            chosen = [(parts[place], signatures[place]) for place in chain]
            draft = _Draft("NAME", *zip(*chosen, strict=True)) if len(chain) == settings.depth else None
            yield ("\n".join(normals[place] for place in reversed(chain)), draft) if draft else None

    def make(drafts: list[_Draft]) -> Iterator[Program]:
        for draft, program in zip(drafts, _execute(drafts, inputs), strict=True):
            if isinstance(program, Program) and not _degenerate(program):
                called = "NAME" if settings.composites == "declared" else draft.expression(draft.arguments)
                yield replace(program, problem=called)

    more = f"more parts that fit than these {len(parts)}"
    return drawn(settings, count, key, pool, without, candidates(), make, more, names=names)


def generate(
    settings: Composition,
    count: int,
    *key: object,
    pool: str = "experiment",
    without: frozenset[str] = frozenset(),
    inputs: Sequence[str] | None = None,
) -> list[Program]:
    """Return `count` composites of parts that are drawn along with them, as `pbb.programs.arithmetic.generate` does.

    ``without`` holds normal forms. The parts' texts are in ``made_by["parts"]``.
    """
    number = max(count, FEWEST_PARTS)
    # Parts and composites stand in one context, so that base models' names have to differ here too.
    names = names_of(pool, number + count, *key, repeated=False)
    parts = draw_parts(settings, number, *key, names=names, pool=pool)
    return composites(settings, parts, count, *key, names=names[number:], pool=pool, without=without, inputs=inputs)


def check(settings: Composition, stages: Sequence[str], asked: Sequence[str]) -> None:
    """Raise ExperimentError where these settings do not go with an arm's stages and ways of asking."""
    if settings.composites == "named":
        if {"recall", "recite"} & set(asked):
            raise ExperimentError(
                f"asked={tuple(asked)!r} is not valid; valid: 'direct' and 'cot' with composites='named': they have no "
                "source to recite"
            )
        declaring = {"without_io", "without_io_alone", "mixture", "source_and_pairs"}
        if settings.taught_parts == "w/ IO" and declaring & set(stages):
            raise ExperimentError(
                "composites='named' and taught_parts='w/ IO' leave nothing for a stage of w/o IO sources; valid: an "
                "arm without one, or taught_parts='w/o IO'"
            )
    if settings.taught_parts == "w/o IO" and "source_and_pairs" in stages:
        refuse(settings, "taught_parts", "'w/ IO' with pbb_and_distillation: a composite's run shows its parts run")


@lru_cache(maxsize=16)
def draw(
    settings: Composition, with_io: int, without_io: int, seed: int, own: tuple[Program, ...] = ()
) -> tuple[tuple[Program, ...], ...]:
    """Return (w/ IO parts and composites, w/o IO parts, w/o IO composites) of an experiment; `own` stays empty."""
    key = (seed, "composition")
    secret = max(without_io, FEWEST_PARTS) if settings.taught_parts == "w/o IO" else 0
    taught = settings.with_io_composites
    names = experiment_names(with_io + secret + taught + without_io, *key)
    parts = draw_parts(settings, secret + with_io, *key, names=names)
    names = names[secret + with_io :]
    hidden, shown = parts[:secret], parts[secret:]
    examples = composites(settings, shown, taught, *key, "taught", names=names)
    without = frozenset(map(normal_form, examples))
    made = composites(settings, hidden or shown, without_io, *key, names=names[taught:], without=without)
    return (*shown, *examples), tuple(hidden), tuple(made)
