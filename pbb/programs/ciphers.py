"""Ciphers: functions that encode a text of a few letters or digits with a shift, none of them the plain Caesar cipher.

Every kind is a parametrised way to go from letter to letter; the source works letter by letter, so that its trace is a
few short lines a letter. The English description is rendered beside the source; the tests read it independently.

Shifts can be demonstrated in two distributions. ``"uniform"`` draws every shift alike. ``"natural"`` is skewed as text
on the Internet is (`NATURAL_WEIGHTS`). Programs are evaluated on all shifts alike, whatever was demonstrated.
"""

from __future__ import annotations

import ast
import random
import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace

from pbb.programs.cipher_sources import DISTRIBUTIONS as DISTRIBUTIONS
from pbb.programs.cipher_sources import KINDS as KINDS
from pbb.programs.cipher_sources import Ciphers as Ciphers
from pbb.programs.cipher_sources import candidates as candidates
from pbb.programs.names import asking, pointers
from pbb.programs.program import Program, drawn, normalised, on_inputs, runnable, statements_of
from pbb.streams import stream

POINTERS = pointers("cipher", "code", "encode with", "secret code", "cipher", "cipher", "cipher")
ASK = asking("Ann encodes {input}.", "What does she send?")
# Shares of the demonstrations; what is left goes to all other shifts alike. In a smaller alphabet, half of it stands
# for 13, the shift that is its own inverse.
NATURAL_WEIGHTS = {13: 0.5, 3: 0.25, 1: 0.15}
VOWEL_SHARE = 0.4  # of the letters of a text: about as in English, so that vowels and consonants are told apart
PROBES = 60  # inputs on which a program is tried
EASIEST_GUESS = 0.4  # a program on which a simple guess is right more often than this is left out


def shift_weights(settings: Ciphers, distribution: str) -> list[float]:
    """Return the probability of each shift, from 0 to one less than the alphabet's size; they sum to 1.

    Raises:
        ValueError: there is no such distribution.
    """
    if distribution not in DISTRIBUTIONS:
        raise ValueError(f"distribution={distribution!r} is not valid; valid: one of {DISTRIBUTIONS}")
    size = settings.alphabet
    if distribution == "uniform":
        return [1 / size] * size
    weights = {size // 2 if shift == 13 else shift: share for shift, share in NATURAL_WEIGHTS.items()}
    if len(weights) < len(NATURAL_WEIGHTS):  # half of the alphabet is 3
        weights[3] = NATURAL_WEIGHTS[13] + NATURAL_WEIGHTS[3]
    rest = (1 - sum(weights.values())) / (size - len(weights))
    return [weights.get(shift, rest) for shift in range(size)]


def _text(settings: Ciphers, rng: random.Random) -> str:
    """Return a text as Python writes it: ``'cab'``, or ``[3, 1, 4]`` of digits."""
    consonants = [letter for letter in settings.letters if letter not in settings.vowels]
    length, share = rng.randint(settings.shortest, settings.longest), 0.5 if settings.digits else VOWEL_SHARE
    letters = [rng.choice(settings.vowels if rng.random() < share else consonants) for _ in range(length)]
    return f"[{', '.join(letters)}]" if settings.digits else repr("".join(letters))


def sample_inputs(
    settings: Ciphers, distribution: str, count: int, rng: random.Random, without: Collection[str] = ()
) -> list[str]:
    """Return `count` different inputs such as ``"'cab', 13"``, their shifts drawn from `distribution`.

    Raises:
        ValueError: there is no such distribution, or there are not so many inputs beside those in `without`.
    """
    weights = shift_weights(settings, distribution)
    found: dict[str, None] = {}
    for _ in range(100 + 20 * count):
        if len(found) == count:
            return list(found)
        (shift,) = rng.choices(range(settings.alphabet), weights)
        text = f"{_text(settings, rng)}, {shift}"
        if text not in without:
            found[text] = None
    raise ValueError(f"count={count}: {settings} allows for only about {len(found)} different inputs; ask for fewer")


def program_inputs(settings: Ciphers, *key: object) -> tuple[str, ...]:
    """Return a program's inputs: first the demonstrations, then the evaluation's, one for each shift.

    The evaluation's are the same whatever the demonstrations are, and none is among them.
    """
    rng = stream(*key, "evaluation")
    evaluated = [f"{_text(settings, rng)}, {shift}" for shift in range(settings.alphabet)]
    rng = stream(*key, "demonstrations")
    return (*sample_inputs(settings, settings.distribution, settings.demonstrations, rng, evaluated), *evaluated)


def demonstrated_inputs(settings: Ciphers, distilled: bool, *key: object) -> tuple[str, ...]:
    """Return `program_inputs` with shifts as those of AD programs are, if `distilled`, or of w/ IO programs."""
    distribution = settings.distilled_distribution if distilled else settings.distribution
    return program_inputs(replace(settings, distribution=distribution), *key)


def _too_easy(program: Program, letters: str) -> bool:
    """Whether one output, a copy of the text, or a Caesar cipher with one offset is right too often."""
    guesses: Counter[object] = Counter()
    for execution, arguments in zip(program.executions, program.inputs, strict=True):
        text, shift = ast.literal_eval(arguments)
        output = ast.literal_eval(execution.output)
        guesses[execution.output] += 1
        guesses["copy", 0] += output == text
        pairs = zip(text, output, strict=True)
        offsets = {(letters.index(str(new)) - letters.index(str(old)) - shift) % len(letters) for old, new in pairs}
        guesses["Caesar", tuple(offsets)] += len(offsets) == 1
    return guesses.most_common(1)[0][1] > EASIEST_GUESS * len(program.inputs)


def _check(settings: Ciphers, inputs: Sequence[str]) -> None:
    one, letters = f"[{settings.letters}]", settings.letters
    texts, such = (rf"\[{one}(, {one})*\]", "[3, 1, 4]") if settings.digits else (f"'{one}+'", f"'{letters[:3]}'")
    for text in inputs:
        if not re.fullmatch(rf"{texts}, \d+", text):
            valid = f"a text of the {'digits' if settings.digits else 'letters'} {letters} and a shift, such as "
            raise ValueError(f'inputs: {text!r} is not valid; valid: {valid}"{such}, 3"')


def generate(
    settings: Ciphers,
    count: int,
    *key: object,
    pool: str = "experiment",
    without: frozenset[str] = frozenset(),
    inputs: Sequence[str] | None = None,
) -> list[Program]:
    """Return `count` ciphers, as `pbb.programs.arithmetic.generate` does.

    ``inputs`` are the same for all; when None, each program has its own `program_inputs`: ``settings.demonstrations``
    that may be shown, then one for each shift to evaluate.

    Raises:
        ValueError: the settings do not allow for so many different programs, or an input does not suit them.
    """
    _check(settings, inputs or ())
    probes = sample_inputs(settings, "uniform", PROBES, stream("cipher probes"))

    def make(drafts: list[tuple[str, str, str]]) -> list[Program]:
        programs = [
            Program("NAME", source, words, tuple(probes), (), "ciphers", statements_of(source), family=kind)
            for kind, source, words in drafts
        ]
        fine = [p for p in runnable(programs, trace=False) if not _too_easy(p, settings.letters)]
        return on_inputs(fine, [inputs or program_inputs(settings, *key, normalised(p.source)) for p in fine])

    endless = ((normalised(draft[1]), draft) for draft in candidates(settings, *key, pool))
    return drawn(settings, count, key, pool, without, endless, make, "more kinds or a larger alphabet")
