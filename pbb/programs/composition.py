"""Composition: programs that do nothing but call other programs, f(g(x)) or f(g(h(x))).

The parts come from any domains whose types fit: the first argument is carried through, and what further arguments a
part takes (a cipher's shift) are handed to every part that takes them. A composite's source names its parts and no
more, so that a model which was taught the parts separately has to put them together. Its trace runs through the parts:

    return Zibble(Snurg(x)) = Zibble(Snurg(3))
    Snurg(3):
    return abs(x - 8) = abs(3 - 8) = 5
    Zibble(5):
    return (x + 4) % 10 = (5 + 4) % 10 = 9

The outermost part may be Python's own: ``min(Zibble(x), 4)``, whose trace ends with ``return min(9, 4) = 4``.
"""

from __future__ import annotations

import ast
import itertools
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Annotated, Any, Literal, NamedTuple

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
IDLE = 0.8  # of the inputs, at most, on which a builtin changes nothing
BUILTIN = "builtin"  # the domain of parts that are Python's own
# How the parts of the composites that are measured are taught, and what records and figures call such composites.
SHOWN, HIDDEN, OUTER_HIDDEN = "w/ IO", "w/o IO", "outer w/o IO"  # all of them; the others are shown
WITH_BUILTIN = "w/o IO and a builtin"  # min(f(x), 4)
TOGETHER = "w/o IO in one document"  # besides each in its own
KINDS = {
    SHOWN: "composition of shown parts",
    HIDDEN: "composition",
    OUTER_HIDDEN: "composition with a shown part",
    WITH_BUILTIN: "composition with a builtin",
    TOGETHER: "composition in one document",
}


@group
class Composition:
    """Composition: of what parts, how deep, and what of it training shows."""

    parts: Annotated[tuple[Any, ...], pydantic.Field(strict=False)] = (Arithmetic(),)  # settings of the parts' domains
    depth: Annotated[int, Between(2, 3)] = 2  # 2 for f(g(x)), 3 for f(g(h(x)))
    # "declared": a name and a source of one line; "named": asked for as f(g(x)), never declared
    composites: Literal["declared", "named"] = "declared"
    # How the parts of the w/o IO composites are taught, a key of `KINDS`.
    taught_parts: Literal["w/ IO", "w/o IO", "outer w/o IO", "w/o IO and a builtin", "w/o IO in one document"] = "w/ IO"
    # Of w/ IO parts, shown run: else none is seen put together.
    with_io_composites: Annotated[int, Between(0, 2000)] = 0

    def __post_init__(self) -> None:
        if not self.parts or any(type(part) not in PARTS for part in self.parts):
            refuse(self, "parts", f"a tuple of one or more of {', '.join(s.__name__ for s in PARTS)}")


class Signature(NamedTuple):
    """What a program takes and gives: kinds of values, and its arguments' names."""

    first: str
    rest: tuple[str, ...]
    output: str
    arguments: tuple[str, ...]


def _kind(values: Sequence[Any]) -> str:
    """Return the one kind that all `values` have, such as ``"int"`` or ``"list of str"``, or "" where they differ."""
    kinds = {type(value).__name__ for value in values}
    if kinds in ({"list"}, {"tuple"}):
        inside = _kind([item for value in values for item in value])
        return f"{kinds.pop()} of {inside}" if inside else ""
    return kinds.pop() if len(kinds) == 1 else ""


def _argument_list(text: str) -> tuple[Any, ...]:
    values: tuple[Any, ...] = ast.literal_eval(f"({text},)")
    return values


def signature(program: Program) -> Signature:
    """Return the kinds of values that `program` takes and gives, judged by its inputs and outputs."""
    first, *rest = map(_kind, zip(*map(_argument_list, program.inputs), strict=True))
    output = _kind([ast.literal_eval(execution.output) for execution in program.executions])
    function: Any = ast.parse(program.source).body[0]
    return Signature(first, tuple(rest), output, tuple(argument.arg for argument in function.args.args))


def fit(chain: Sequence[Signature]) -> bool:
    """Whether programs of these signatures, the innermost first, can be handed on from one to the next."""
    further = {s.rest for s in chain if s.rest}
    known = all(s.first and s.output and all(s.rest) for s in chain)
    handed_on = all(inner.output == outer.first for inner, outer in itertools.pairwise(chain))
    return known and len(further) <= 1 and handed_on


def part_names(program: Program) -> tuple[str, ...]:
    """Return the names of a composite's taught parts, the outermost first; () for any other program."""
    return tuple(part["name"] for part in _taught(program)) if program.domain == "composition" else ()


def _taught(program: Program) -> list[dict[str, str]]:
    """Return a composite's parts without builtins, the outermost first."""
    return [part for part in program.made_by["parts"] if part["domain"] != BUILTIN]


def normal_form(program: Program) -> str:
    """Return the parts' normalised sources, the outermost first: what the composite does, whatever its names."""
    return _in_order([(part["domain"], normalised(part["source"])) for part in program.made_by["parts"]])


def _in_order(parts: Sequence[tuple[str, str]]) -> str:
    """Join the texts of (domain, text); a builtin's comes last, since the first one says whose pool it is."""
    return "\n".join(text for _, text in sorted(parts, key=lambda part: part[0] == BUILTIN))


def with_parts(program: Program, representation: str) -> str:
    """Return all that one needs to run a composite: its parts' texts, the innermost first, and its own."""
    field = "source" if representation == "code" else "description"
    parts = [part[field] for part in reversed(_taught(program))]
    return "\n".join([*parts, getattr(program, field)] if program.problem == program.name else parts)


@cache
def builtins() -> list[Program]:
    """Return calls of Python's own functions as programs; `problem` is how one is written around its argument."""
    numbers = {
        "abs({} - K)": "take the distance to K",
        "min({}, K)": "cut to at most K",
        "max({}, K)": "raise to at least K",
    }
    said = {form.replace("K", k): words.replace("K", k) for form, words in numbers.items() for k in "2345678"}
    inputs = [["0", "9"]] * len(said) + [["'a'", "'abc'"]]
    said["len({})"] = "count its characters"
    return on_inputs(
        [
            Program("NAME", f"def NAME(x):\n    return {call.format('x')}", words, (), (), BUILTIN, 1, problem=call)
            for call, words in said.items()
        ],
        inputs,
    )


def _call(part: Program, handed: str) -> str:
    return part.problem.format(handed) if part.domain == BUILTIN else f"{part.name}({handed})"


class _Draft(NamedTuple):
    """A composite whose parts are chosen, not yet executed. `parts` and `signatures` are the innermost first."""

    parts: tuple[Program, ...]
    signatures: tuple[Signature, ...]

    @property
    def arguments(self) -> tuple[str, ...]:
        further = next((s.arguments[1:] for s in self.signatures if s.rest), ())
        first = self.signatures[0].arguments[0]
        return (next(name for name in (first, "x", "z") if name not in further), *further)

    @property
    def inputs(self) -> tuple[str, ...]:
        """The innermost part's inputs, with further arguments from the first part that takes any."""
        giver = next((part for part, s in zip(self.parts, self.signatures, strict=True) if s.rest), self.parts[0])
        rests = itertools.cycle(_argument_list(text)[1:] for text in giver.inputs)
        made = [(_argument_list(text)[0], *rest) for text, rest in zip(self.parts[0].inputs, rests, strict=False)]
        return tuple(dict.fromkeys(", ".join(map(repr, values)) for values in made))

    def handed(self, index: int, values: Sequence[str]) -> str:
        """Return the arguments of part number `index`: the first is handed on, the rest are the same for all."""
        return ", ".join(values if self.signatures[index].rest else values[:1])

    def expression(self, values: Sequence[str]) -> str:
        """Return all calls, one inside the other, on `values` (or on the names of arguments)."""
        text = values[0]
        for index, part in enumerate(self.parts):
            text = _call(part, self.handed(index, (text, *values[1:])))
        return text

    def wanted(self, values: Sequence[str]) -> tuple[list[str], list[str]]:
        """Return the first line of a trace on `values`, in code and in words."""
        code = f"return {self.expression(self.arguments)} = {self.expression(values)}"
        names = [part.name for part in self.parts[::-1] if part.domain != BUILTIN]
        then = "".join(f", then {part.description}" for part in self.parts if part.domain == BUILTIN)
        return [code], [f"{' of '.join(names)} of {' and '.join(values)} is wanted{then}"]

    def program(self, inputs: Sequence[str] | None, named: bool) -> Program:
        """Return the composite, not yet executed, called ``NAME``, or if `named` by its expression."""
        arguments, body, outermost_first = self.arguments, self.expression(self.arguments), self.parts[::-1]
        steps = [
            part.description
            if part.domain == BUILTIN
            else f"run {part.name} on {self.handed(i, ('the result' if i else arguments[0], *arguments[1:]))}"
            for i, part in enumerate(self.parts)
        ]
        said = ", ".join(step.replace(", ", " and ") for step in steps)
        fields = ("name", "domain", "source", "description")
        return Program(
            name="NAME",
            source=f"def NAME({', '.join(arguments)}):\n    return {body}",
            description=f"NAME of {' and '.join(arguments)}: {said}, return the result.",
            inputs=tuple(inputs or self.inputs),
            executions=(),
            domain="composition",
            statements=1,
            made_by={"parts": [{name: getattr(part, name) for name in fields} for part in outermost_first]},
            family=" of ".join(part.domain for part in outermost_first),
            problem=body if named else "NAME",
        )


def _execute(drafts: Sequence[_Draft], inputs: Sequence[str] | None, named: bool) -> list[Program]:
    """Return the programs of `drafts`, all of one depth, without those of which a part fails on what it is handed.

    Outputs come from one run of the composite's source together with its parts'; traces from running the parts one
    after the other, each on what the one before gave.
    """
    made = [draft.program(inputs, named) for draft in drafts]
    jobs = [
        (p.name, "\n".join([*(part["source"] for part in _taught(p)), p.source]), p.inputs)
        for d, p in zip(drafts, made, strict=True)
    ]
    wholes = zip(drafts, made, run_sources(jobs, trace=False), strict=True)
    running = [(d, p, runs) for d, p, runs in wholes if not isinstance(runs, ExecutionError)]
    values = [[list(map(repr, _argument_list(text))) for text in p.inputs] for _, p, _ in running]
    traces = [[d.wanted(value) for value in some] for (d, _, _), some in zip(running, values, strict=True)]
    for index in range(len(drafts[0].parts) if drafts else 0):
        given = [[d.handed(index, value) for value in some] for (d, _, _), some in zip(running, values, strict=True)]
        ran = on_inputs([d.parts[index] for d, _, _ in running], given)
        for part, some, texts in zip(ran, values, traces, strict=True):
            for (trace, words), value, handed, run in zip(texts, some, part.inputs, part.executions, strict=True):
                if part.domain == BUILTIN:
                    trace.append(f"return {_call(part, handed)} = {run.output}")
                else:
                    trace += [f"{part.name}({handed}):", *run.trace]
                    words.append(f"{part.name} of {handed}:")
                words += run.words
                value[0] = run.output
    return [
        replace(p, executions=tuple(Execution(r.output, *map(tuple, t)) for r, t in zip(runs, texts, strict=True)))
        for (_, p, runs), texts in zip(running, traces, strict=True)
    ]


def draw_parts(
    settings: Composition, count: int, *key: object, names: Sequence[str], pool: str = "experiment"
) -> list[Program]:
    """Return `count` programs, from each of ``settings.parts`` in turn, called by `names`.

    A part is pointed at by its name, since that is how a composite calls it: a problem statement gives way to it.

    Raises:
        ValueError: a domain's settings do not allow for so many.
    """
    domains = len(settings.parts)
    made = [
        PARTS[type(part)](part, len(range(index, count, domains)), *key, "parts", index, pool=pool)
        for index, part in enumerate(settings.parts)
    ]
    parts = [made[i % domains][i // domains].renamed(names[i]) for i in range(count)]
    return [replace(part, problem=part.name) if part.problem else part for part in parts]


def _degenerate(program: Program) -> bool:
    runs, idle = program.executions, 0
    if program.made_by["parts"][0]["domain"] == BUILTIN:
        idle = sum(run.trace[-2].rsplit(" = ", 1)[-1] == run.output for run in runs)
    long = any(len(run.output) > LONGEST_OUTPUT or len(run.trace) > LONGEST_TRACE for run in runs)
    firsts = [repr(_argument_list(text)[0]) for text in program.inputs]
    return long or idle > IDLE * len(runs) or guessable([run.output for run in runs], firsts, MOST_COMMON_OUTPUT)


def _chain(rng: random.Random, pools: Sequence[Mapping[Signature, Sequence[int]]]) -> list[int]:
    """Return the places of different parts that fit, one of each pool, innermost first; fewer where none goes on."""
    chain, signatures = list[int](), list[Signature]()
    for by_signature in pools:
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
    outer: Sequence[Program] = (),
) -> list[Program]:
    """Return `count` composites of `parts`, called by `names`, no two with the same `normal_form`.

    The outermost part is one of `outer`, if there are such.

    Raises:
        ValueError: the parts do not allow for so many.
    """
    every = [*parts, *outer]
    signatures = list(map(signature, every))
    normals = [(part.domain, normalised(part.source)) for part in every]
    inside, outermost = dict[Signature, list[int]](), dict[Signature, list[int]]()
    for place, found in enumerate(signatures):
        (inside if place < len(parts) else outermost).setdefault(found, []).append(place)
    pools = [*[inside] * (settings.depth - 1), outermost or inside]

    def candidates() -> Iterator[tuple[str, _Draft] | None]:
        for index in itertools.count():
            chain = _chain(stream(*key, pool, "composition", index), pools)
            chosen = [(every[place], signatures[place]) for place in chain]
            draft = _Draft(*zip(*chosen, strict=True)) if len(chain) == settings.depth else None
            yield (_in_order([normals[place] for place in reversed(chain)]), draft) if draft else None

    def make(drafts: list[_Draft]) -> list[Program]:
        return [p for p in _execute(drafts, inputs, settings.composites == "named") if not _degenerate(p)]

    more = f"more parts that fit than these {len(parts)}"
    return drawn(settings, count, key, pool, without, (candidates(), make), more, names=names)


def generate(
    settings: Composition,
    count: int,
    *key: object,
    pool: str = "experiment",
    without: frozenset[str] = frozenset(),
    inputs: Sequence[str] | None = None,
) -> list[Program]:
    """Return `count` composites of parts that are drawn along with them, as `pbb.programs.domains.generate` does.

    ``without`` holds normal forms. The parts' texts are in ``made_by["parts"]``.
    """
    number = max(count, FEWEST_PARTS)
    # Parts and composites stand in one context, so that base models' names have to differ here too.
    names = names_of(pool, number + count, *key, repeated=False)
    parts = draw_parts(settings, number, *key, names=names, pool=pool)
    outer, names = builtins() if settings.taught_parts == WITH_BUILTIN else (), names[number:]
    return composites(settings, parts, count, *key, names=names, pool=pool, without=without, inputs=inputs, outer=outer)


def check(settings: Composition, stages: Sequence[str], asked: Sequence[str]) -> None:
    """Raise ExperimentError where these settings do not go with an arm's stages and ways of asking."""
    if settings.composites == "named" and "recite" in asked:
        raise ExperimentError(
            f"asked={tuple(asked)!r} is not valid; valid: 'direct', 'cot' and 'recall' with composites='named': "
            "they have no source to recite"
        )
    declaring = {"without_io", "without_io_alone", "mixture", "source_and_pairs"}
    if settings.composites == "named" and settings.taught_parts == SHOWN and declaring & set(stages):
        raise ExperimentError(
            "composites='named' and taught_parts='w/ IO' leave nothing for a stage of w/o IO sources; valid: an "
            "arm without one, or taught_parts='w/o IO'"
        )
    if settings.taught_parts != SHOWN and {"source_and_pairs", "outputs_next"} & set(stages):
        refuse(settings, "taught_parts", "'w/ IO' with AD after Stage 1: a composite's run shows its parts run")


def draw(
    settings: Composition, with_io: int, without_io: int, seed: int, own: tuple[Program, ...] = ()
) -> tuple[tuple[Program, ...], ...]:
    """Return (w/ IO parts and composites, w/o IO parts, w/o IO composites) of an experiment; `own` stays empty."""
    key, kind = (seed, "composition"), settings.taught_parts
    secret = max(without_io, FEWEST_PARTS) if kind != SHOWN else 0
    taught = settings.with_io_composites
    names = experiment_names(with_io + secret + taught + without_io, *key)
    parts = draw_parts(settings, secret + with_io, *key, names=names)
    names = names[secret + with_io :]
    hidden, shown = parts[:secret], parts[secret:]
    outer = builtins() if kind == WITH_BUILTIN else ()
    examples = composites(settings, shown, taught, *key, "taught", names=names, outer=outer)
    without = frozenset(map(normal_form, examples))
    inner, outer = (shown[:secret], hidden) if kind == OUTER_HIDDEN else (hidden or shown, outer)
    made = composites(settings, inner, without_io, *key, names=names[taught:], without=without, outer=outer)
    told = list(map(_in_one_document, made)) if kind == TOGETHER else []
    return (*shown, *examples), (*hidden, *told), tuple(made)


def _in_one_document(composite: Program) -> Program:
    """Return what one document tells of a composite's parts: all their texts, by all their names. Nobody runs it."""
    parts = _taught(composite)
    names, sources, descriptions = ([part[field] for part in parts] for field in ("name", "source", "description"))
    texts = " and ".join(names), "\n".join(sources), "\n".join(descriptions)
    return Program(*texts, (), (), parts[0]["domain"], len(parts))


def with_io_alone(settings: Composition) -> Composition:
    """Return the settings of one kind for all kinds that have the same w/ IO programs."""
    return replace(settings, taught_parts="w/o IO") if settings.taught_parts in (OUTER_HIDDEN, TOGETHER) else settings
