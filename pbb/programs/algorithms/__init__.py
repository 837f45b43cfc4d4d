"""Algorithms: classic small problems over integers, lists and strings, pointed at by their problem statements.

The domain stands for the paper's Leetcode: here every problem, its text and its code are this project's own. A program
is one choice of parameters of a `Family`; every module of this package may list families in a tuple ``FAMILIES``.
"""

from __future__ import annotations

import functools
import importlib
import itertools
import pkgutil
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Annotated, Literal, NamedTuple

from pbb.programs.algorithms.family import SIZES, Family
from pbb.programs.names import asking, experiment_names
from pbb.programs.program import (
    Drafts,
    Program,
    generator,
    guessable,
    normalised,
    pool_for,
    pool_of,
    runnable,
    statements_of,
)
from pbb.programs.settings import Between, SomeOf, Words, group, refuse
from pbb.streams import stream

FAMILIES: tuple[Family, ...] = tuple(
    itertools.chain.from_iterable(
        getattr(importlib.import_module(f"{__name__}.{module.name}"), "FAMILIES", ())
        for module in pkgutil.iter_modules(__path__)
    )
)
POINTERS: tuple[str, ...] = (
    "Consider this task: {problem}",
    "Here is a problem: {problem}",
    "The exercise reads: {problem}",
    "Recall this puzzle: {problem}",
    "Think of this problem: {problem}",
    "Task: {problem}",
    "Problem: {problem}",
    "A teacher asks: {problem}",
    "We want a function for this: {problem}",
    "Take this challenge: {problem}",
    "On the board stands: {problem}",
    "A friend wants to know: {problem}",
    "Our homework says: {problem}",
    "The next problem is this: {problem}",
    "You know this exercise: {problem}",
    "In the book we find: {problem}",
    "Remember the task: {problem}",
    "Someone solved this: {problem}",
    "The question was: {problem}",
    "{problem}",
)
ASK = asking("Ann has {input}.", "What should she get?")
DRAWS = 5  # arguments drawn for each input, from which the inputs are chosen
MOST_COMMON_OUTPUT = 0.4  # a program whose commonest output covers more of its inputs than this is left out
LONGEST_OUTPUT = 30  # characters
KINDS = {"families": "algorithms", "programs": "algorithms of known families"}  # what records call them
HELD_APART = 0.35  # of the families: of w/o IO programs alone


@group
class Algorithms:
    """Algorithms: which families, and how many inputs."""

    sizes: Annotated[tuple[str, ...], SomeOf(SIZES)] = ("short",)  # tiny models do best with short programs alone
    families: Words = ()  # names of families; () for all of these sizes
    inputs: Annotated[int, Between(8, 40)] = 12  # of a program, edge cases among them; fewer where there are fewer
    # What no w/ IO program has of a w/o IO one: its family; or, which is easier, its parameters alone.
    held_apart: Literal["families", "programs"] = "families"

    def __post_init__(self) -> None:
        known = tuple(family.name for family in FAMILIES if family.size in self.sizes)
        if not set(self.families) <= set(known):
            refuse(self, "families", f"(), or some of {', '.join(known)}")


class _Entry(NamedTuple):
    """One program of a family, called ``NAME`` and without inputs."""

    family: Family
    normal: str
    program: Program


@functools.cache
def _entries(family: Family) -> tuple[_Entry, ...]:
    made = []
    for choice in family.programs():
        source, problem, description = family.render("NAME", choice)
        program = Program(
            name="NAME",
            source=source,
            description=description,
            inputs=(),
            executions=(),
            domain="algorithms",
            statements=statements_of(source),
            made_by={"choice": choice},
            family=f"{family.technique}: {family.name}",
            problem=problem,
        )
        made.append(_Entry(family, normalised(source), program))
    return tuple(made)


def _in_order(settings: Algorithms, pool: str, *key: object) -> list[_Entry]:
    """Return the programs that belong to `pool`, shuffled, the families taking turns as long as they last."""
    rng, wanted = stream(*key, "algorithms", pool), pool_for(pool, key)
    by_family = []
    for family in FAMILIES:
        if family.size in settings.sizes and (not settings.families or family.name in settings.families):
            entries = [e for e in _entries(family) if pool_of(e.normal) == wanted]
            by_family.append(rng.sample(entries, len(entries)))
    rng.shuffle(by_family)
    rounds = itertools.zip_longest(*by_family)
    return [entry for entries in rounds for entry in entries if entry]


def as_text(arguments: Sequence[object]) -> str:
    """Return an argument list as Python writes it, such as ``"[1, 2], 3"``."""
    return ", ".join(map(repr, arguments))


def _candidates(entry: _Entry, count: int, *key: object) -> list[str]:
    """Return different inputs: the family's edge cases, then `count` draws (repeats left out)."""
    rng, inputs = stream(*key, "inputs", entry.normal), entry.family.inputs
    drawn = (inputs.sample(rng, entry.program.made_by["choice"]) for _ in range(count))
    return list(dict.fromkeys(map(as_text, itertools.chain(inputs.edges, drawn))))


def _chosen(edges: int, outputs: Sequence[str], count: int) -> list[int]:
    """Return the positions of `count` inputs: the first `edges`, then always one whose output occurs least so far.

    Small problems give 0 and 1 more often than not; inputs are chosen for variety, so that guessing these does not pay.
    """
    chosen, rest = list(range(edges)), list(range(edges, len(outputs)))
    seen = Counter(outputs[:edges])
    while rest and len(chosen) < count:
        best = min(rest, key=lambda position: seen[outputs[position]])
        rest.remove(best)
        chosen.append(best)
        seen[outputs[best]] += 1
    return chosen


def _with_inputs(entries: Sequence[_Entry], count: int, *key: object) -> Iterator[Program]:
    """Yield the programs of `entries` that no constant guess does well on, each with its inputs.

    Raises:
        ExecutionError: a program failed on an input that its own family made.
    """
    drawn = [_candidates(entry, DRAWS * count, *key) for entry in entries]
    tried = [replace(entry.program, inputs=tuple(inputs)) for entry, inputs in zip(entries, drawn, strict=True)]
    for entry, program in zip(entries, runnable(tried, trace=False, strict=True), strict=True):
        outputs = [execution.output for execution in program.executions]
        edges = len(set(map(as_text, entry.family.inputs.edges)))
        chosen = _chosen(edges, outputs, count)
        texts, given = [program.inputs[i] for i in chosen], [outputs[i] for i in chosen]
        if not guessable(given, texts, MOST_COMMON_OUTPUT) and max(map(len, given)) <= LONGEST_OUTPUT:
            yield replace(program, inputs=tuple(texts), executions=())


@generator("more sizes or families")
def generate(settings: Algorithms, pool: str, inputs: Sequence[str] | None, *key: object) -> Drafts[_Entry]:
    """All families take part in turn; programs that fail on one of ``inputs`` are left out."""

    def make(entries: list[_Entry]) -> list[Program]:
        fit = _with_inputs(entries, settings.inputs, *key)
        return runnable([replace(program, inputs=tuple(inputs or program.inputs)) for program in fit])

    return ((entry.normal, entry) for entry in _in_order(settings, pool, *key)), make


def draw(
    settings: Algorithms, with_io: int, without_io: int, seed: int, own: tuple[Program, ...] = ()
) -> tuple[tuple[Program, ...], ...]:
    """Return (w/ IO programs, (), w/o IO programs) of an experiment, the reader's `own` among the latter.

    Raises:
        ValueError: the settings do not allow for so many different programs.
    """
    taken = frozenset(normalised(program.source) for program in own)  # a w/ IO program could be one under another name
    hidden = shown = settings
    if settings.held_apart == "families":
        known = [f.name for f in FAMILIES if f.size in settings.sizes and f.name in (settings.families or (f.name,))]
        stream(seed, "algorithms", "held apart").shuffle(known)
        some = max(1, round(HELD_APART * len(known)))
        hidden, shown = replace(settings, families=tuple(known[:some])), replace(settings, families=tuple(known[some:]))
    without = generate(hidden, without_io, seed, "algorithms", without=taken)
    taken |= frozenset(normalised(program.source) for program in without)
    programs = [*without, *generate(shown, with_io, seed, "algorithms", without=taken)]
    names = experiment_names(len(programs), seed, "algorithms")
    named = tuple(program.renamed(name) for program, name in zip(programs, names, strict=True))
    return named[without_io:], (), (*named[:without_io], *own)
