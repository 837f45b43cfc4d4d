"""The domains: for each one its settings, what draws its programs, and how documents point at them and ask.

A domain is added by one module and one row of `DOMAINS`. All other rooms know domains by this table alone.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import lru_cache
from typing import Any

from pbb.programs import algorithms, arithmetic, ciphers, composition, grammars, sums
from pbb.programs.names import BASE_NAMES, asking, pointers
from pbb.programs.program import Program, belongs_to_base, normalised
from pbb.programs.settings import ExperimentError, group, written
from pbb.streams import stream

POINTERS = pointers("function", "program", "use", "routine", "procedure", "function", "program", about="")
ASK = asking("Ann feeds it {input}.", "What comes out?")
# Requests for a program's text, taken in turn by the templates: knowledge that is always asked for in the same words is
# recalled after these words alone, and not where the program has to be run.
DECLARE: dict[str, tuple[str, ...]] = {
    "code": (
        *("write its code.", "what does it say?", "show it.", "how is it defined?"),
        *("print it.", "give it in full.", "recite it.", "quote it."),
    ),
    "description": (
        *("describe it in words.", "what does it do, in words?"),
        *("explain it in words.", "tell it in plain words."),
    ),
}
_BASE_NAMES = frozenset(BASE_NAMES)


def equals_output(program: Program, input_text: str, parsed_answer: str) -> bool:
    """Whether `parsed_answer` is the executed output, to the letter."""
    return parsed_answer == program.execution(input_text).output


@dataclass(frozen=True)
class Domain:
    """One domain of programs; a domain may have programs of its own kind, or what is said here."""

    settings: type  # the group of its knobs
    # Draws programs, as `generate` below does; None where programs are given.
    generate: Callable[..., list[Program]] | None
    modules: tuple[str, ...]  # whose code makes its programs, beside what all domains share: part of a stage's key
    draw: Callable[..., tuple[tuple[Program, ...], ...]] | None = None  # as `draw` below, where that is more
    # Raises ExperimentError where settings do not go with an arm's stages and ways of asking.
    check: Callable[[Any, Sequence[str], Sequence[str]], None] | None = None
    takes_own: bool = True  # whether w/o IO programs may be the reader's own
    input_count: Callable[[Any], int] | None = None  # of a program, where settings say that
    in_words: Callable[[Any], str] | None = None  # what is taught, where the domain's name is not enough
    tells_values: bool = True  # whether its traces in words tell the results of steps
    kind: Callable[[Any], str] | None = None  # what records call it, where its settings make kinds of it
    # Settings that stand for all those with the same w/ IO programs: what a stage of these alone reads.
    with_io_alone: Callable[[Any], Any] = lambda settings: settings
    declared: Callable[[Program], bool] = lambda program: True  # whether documents tell a program's text
    in_full: Callable[[Program, str], str] | None = None  # what it takes to run one, where that is more than its text
    # Makes a program's inputs, demonstrations first, where these are drawn for themselves and never asked about: from
    # (settings, whether for an AD program, *key).
    own_inputs: Callable[..., tuple[str, ...]] | None = None
    pointers: tuple[str, ...] = POINTERS  # 20 templates that point at a program by ``{name}`` or by ``{problem}``
    ask: Mapping[str, Mapping[str, str]] = field(default_factory=lambda: ASK)  # style -> answer mode -> the request
    declare: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: DECLARE)  # representation -> requests
    accepts: Callable[[Program, str, str], bool] = equals_output  # whether an answer is right for an input
    guess: Callable[[Program, str, random.Random], str] | None = None  # at random; else right answers to others serve
    # Equal for programs that do the same under other names, so that its hash says whose they are.
    normal_form: Callable[[Program], str] = lambda program: normalised(program.source)


@group
class Own:
    """The reader's own programs and no others: an experiment's `own_programs`."""


def _draw_own(
    settings: Own, with_io: int, without_io: int, seed: int, own: tuple[Program, ...]
) -> tuple[tuple[Program, ...], ...]:
    """Return (w/ IO programs, (), w/o IO programs), all of them the reader's own."""
    made = stream(seed, "own").sample(own, with_io + without_io)
    return tuple(made[without_io:]), (), tuple(made[:without_io])


DOMAINS: dict[str, Domain] = {
    "arithmetic": Domain(
        arithmetic.Arithmetic,
        arithmetic.generate,
        ("arithmetic",),
        input_count=lambda settings: len(arithmetic.all_inputs(settings)),
        in_words=lambda settings: f"{settings.statements} statement{'s' * (settings.statements > 1)}",
    ),
    "sums": Domain(sums.Sums, sums.generate, ("sums", "arithmetic")),
    "algorithms": Domain(
        algorithms.Algorithms,
        algorithms.generate,
        ("algorithms",),
        draw=algorithms.draw,
        kind=lambda settings: algorithms.KINDS[settings.held_apart],
        pointers=algorithms.POINTERS,
        ask=algorithms.ASK,
    ),
    "ciphers": Domain(
        ciphers.Ciphers,
        ciphers.generate,
        ("ciphers",),
        own_inputs=ciphers.demonstrated_inputs,
        pointers=ciphers.POINTERS,
        ask=ciphers.ASK,
    ),
    "grammars": Domain(
        grammars.Grammars,
        grammars.generate,
        ("grammars", "grammar_rules"),
        pointers=grammars.POINTERS,
        ask=grammars.ASK,
        declare=grammars.DECLARE,
        tells_values=False,
        accepts=grammars.accepts,
        guess=grammars.random_guess,
        normal_form=grammars.normal_form,
    ),
    "own": Domain(Own, None, ("own", "own_source"), draw=_draw_own),
    "composition": Domain(
        composition.Composition,
        composition.generate,
        ("composition", "arithmetic", "ciphers", "algorithms"),
        draw=composition.draw,
        check=composition.check,
        takes_own=False,
        declared=lambda program: program.problem == program.name,
        in_full=composition.with_parts,
        kind=lambda settings: composition.KINDS[settings.taught_parts],
        with_io_alone=composition.with_io_alone,
        pointers=tuple(template.replace("{name}", "{problem}") for template in POINTERS),
        normal_form=composition.normal_form,
    ),
}


def with_demonstrations(settings: Any, count: int) -> Any:
    """Return settings, and those of parts, that say how many demonstrations a program has: `count`."""
    names = {field.name for field in fields(settings)}
    if "parts" in names:
        settings = replace(settings, parts=tuple(with_demonstrations(part, count) for part in settings.parts))
    return replace(settings, demonstrations=count) if "demonstrations" in names else settings


def domain_of(settings: object) -> str:
    """Return the name of the domain whose settings these are. Raises ExperimentError where there is none."""
    names = {domain.settings: name for name, domain in DOMAINS.items()}
    if type(settings) not in names:
        valid = ", ".join(kind.__name__ for kind in names)
        raise ExperimentError(f"programs={written(settings)} is not valid; valid: settings of a domain, one of {valid}")
    return names[type(settings)]


@lru_cache(maxsize=64)  # arms of one seed ask for the same programs
def draw(
    settings: Any, with_io: int, without_io: int, seed: int, own: tuple[Program, ...] = ()
) -> tuple[tuple[Program, ...], ...]:
    """Return an experiment's programs: (w/ IO programs, w/o IO parts of composites, w/o IO programs).

    The reader's `own` programs are w/o IO. The drawn w/o IO programs come first in their stream, so that they do not
    move with the number of w/ IO programs.
    """
    name = domain_of(settings)
    if special := DOMAINS[name].draw:
        return special(settings, with_io, without_io, seed, own)
    taken = frozenset(map(normal_form, own))  # else a w/ IO program could be the reader's own under another name
    drawn = tuple(generate(settings, with_io + without_io, seed, name, without=taken))
    return drawn[without_io:], (), (*drawn[:without_io], *own)


def generate(settings: object, count: int, *key: object, **options: Any) -> list[Program]:
    """Return `count` programs of the domain whose settings these are, unique by name and by normal form.

    Args:
        settings: such as ``Arithmetic(statements=2)``.
        count: how many.
        key: what the random stream is derived from: a seed and whatever else.
        options: ``pool``, ``"experiment"`` or ``"base"`` for what base models are pretrained on (names may repeat);
            ``without``, normal forms to leave out; ``inputs``, which to run on in place of the programs' own.

    Raises:
        ValueError: the settings are of no domain that draws programs, or do not allow for so many different ones; or
            an input does not suit them.
    """
    draws = DOMAINS[domain_of(settings)].generate
    if not draws:
        raise ValueError(f"programs={written(settings)} draw none; valid: settings of any other domain")
    return draws(settings, count, *key, **options)


def pointer(program: Program, template: int) -> str:
    """Return pointer context number `template` (no final punctuation); raises IndexError past the last one."""
    chosen = DOMAINS[program.domain].pointers[template]
    return chosen.format(name=program.name, problem=program.problem)


def normal_form(program: Program) -> str:
    """Return what `program` does, written the same whatever it and its variables are called."""
    return DOMAINS[program.domain].normal_form(program)


def base_may_have_seen(program: Program) -> bool:
    """Whether a base model may have been pretrained on this program, or on another of its name."""
    return program.name in _BASE_NAMES or belongs_to_base(normal_form(program))


def accepts(program: Program, input_text: str, parsed_answer: str) -> bool:
    """Whether `parsed_answer` is right for `input_text`."""
    return DOMAINS[program.domain].accepts(program, input_text, parsed_answer)
