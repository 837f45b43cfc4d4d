"""Ciphers: functions that encode a text of a few letters or digits with a shift, none of them the plain Caesar cipher.

Every kind is a parametrised way to go from letter to letter, drawn by one function each; the English description is
rendered beside the source, and the tests read it independently. Texts are of letters or, with ``case="digits"``, lists
of digits. A letter is moved in one expression of ``ord`` and ``chr``, whose trace shows the result alone; a digit is
moved by an assignment whose trace spells the sum, in the form that the tiny models know from arithmetic.

Shifts can be demonstrated in two distributions. ``"uniform"`` draws every shift alike. ``"natural"`` is skewed as text
on the Internet is (`NATURAL_WEIGHTS`). Programs are evaluated on all shifts alike, whatever was demonstrated.
"""

from __future__ import annotations

import ast
import itertools
import math
import random
import string
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from typing import Annotated, Literal

from pbb.programs.names import asking, pointers
from pbb.programs.program import (
    Drafts,
    Program,
    check_inputs,
    generator,
    normalised,
    on_inputs,
    runnable,
    statements_of,
)
from pbb.programs.settings import Between, Words, group, refuse
from pbb.streams import stream

POINTERS = pointers("cipher", "code", "encode with", "secret code", "cipher", "cipher", "cipher")
ASK = asking("Ann encodes {input}.", "What does she send?")
# Shares of the demonstrations; what is left goes to all other shifts alike. In a smaller alphabet, half of it stands
# for 13, the shift that is its own inverse.
NATURAL_WEIGHTS = {13: 0.5, 3: 0.25, 1: 0.15}
VOWEL_SHARE = 0.4  # of the letters of a text: about as in English, so that vowels and consonants are told apart
PROBES = 60  # inputs on which a program is tried
EASIEST_GUESS = 0.4  # a program on which a simple guess is right more often than this is left out
ALPHABETS = {"lower": string.ascii_lowercase, "upper": string.ascii_uppercase, "digits": string.digits}


@group
class Ciphers:
    """Ciphers: what their alphabets, texts and shifts are."""

    kinds: Words = ()  # of KINDS; () for all
    shortest: Annotated[int, Between(1, 12)] = 1  # letters of a text
    longest: Annotated[int, Between(2, 12)] = 4  # a trace grows by two or three lines a letter
    alphabet: Annotated[int, Between(6, 26)] = 26  # letters, and shifts: the fewer, the less there is to learn
    # "upper": the tiny models' tokenizer never joins capitals, so each letter is one token. "digits": a text is a list
    # such as [3, 1, 4], and its "vowels" are the even digits.
    case: Literal["lower", "upper", "digits"] = "lower"
    distribution: Literal["uniform", "natural"] = "uniform"  # of the shifts that demonstrations of w/ IO programs show
    distilled_distribution: Literal["uniform", "natural"] = "uniform"  # the same of AD programs
    demonstrations: Annotated[int, Between(1, 200)] = 10  # inputs that training may show; an experiment's Split says

    def __post_init__(self) -> None:
        if not set(self.kinds) <= set(KINDS):
            refuse(self, "kinds", f"(), or some of {', '.join(KINDS)}")
        if self.longest < self.shortest:
            refuse(self, "longest", f"{self.shortest} to 12")
        if self.alphabet > (most := len(ALPHABETS[self.case])):
            refuse(self, "alphabet", f"6 to {most}{' (of digits)' * self.digits}")

    @property
    def digits(self) -> bool:
        return self.case == "digits"

    @property
    def letters(self) -> str:
        """The alphabet, in order."""
        return ALPHABETS[self.case][: self.alphabet]

    @property
    def vowels(self) -> str:
        return "".join(letter for letter in self.letters if letter in "aeiouAEIOU02468")

    @property
    def letter(self) -> str:
        """What one of the letters is called."""
        return "digit" if self.digits else "letter"

    @property
    def number(self) -> str:
        """The expression for the number of the letter `c`, from 0."""
        return "c" if self.digits else f"ord(c) - {ord(self.letters[0])}"


Texts = tuple[str, str]  # a source, or a part of it, and the same in words


def _write(settings: Ciphers, total: str, indent: int = 4) -> str:
    """Return what writes the letter of number `total`: one statement, or with digits two, `indent` deep."""
    if settings.digits:
        return f"c = ({total}) % {settings.alphabet}\n{' ' * indent}out.append(c)"
    return f"out.append(chr(({total}) % {settings.alphabet} + {ord(settings.letters[0])}))"


def _each(
    settings: Ciphers,
    change: Texts = ("", ""),
    write: str = "",
    move: str = "move it forward by shift",
    head: str = "for c in text:",
) -> Texts:
    """Return the loop that, for each letter, does `change` and then writes."""
    write = write or _write(settings, f"{settings.number} + shift")
    code, words = filter(None, (head, change[0], write)), filter(None, (change[1], move))
    return "\n    ".join(code), f"for each {settings.letter}: {', '.join(words)}"


def _start(rng: random.Random, settings: Ciphers) -> Texts:
    amount = rng.randint(1, settings.alphabet - 1)
    if settings.digits and rng.random() < 0.5:  # ten digits alone would make too few programs
        return _turn(settings, amount)
    return f"shift = (shift + {amount}) % {settings.alphabet}", f"add {amount} to shift"


def _turn(settings: Ciphers, total: int) -> Texts:
    return f"shift = ({total} - shift) % {settings.alphabet}", f"set shift to {total} minus shift"


def _growth(rng: random.Random, settings: Ciphers) -> Texts:
    """Steps both ways; the source keeps the shift below the alphabet's size, so that a trace has small numbers."""
    amount, size = rng.randint(1, min(9, (settings.alphabet - 1) // 2)), settings.alphabet
    if rng.random() < 0.5:
        return f"shift = (shift + {amount}) % {size}", f"add {amount} to shift"
    return f"shift = (shift - {amount}) % {size}", f"subtract {amount} from shift"


def _factors(settings: Ciphers) -> list[int]:
    """Return the factors that keep different numbers different, modulo the alphabet's size."""
    return [factor for factor in range(2, settings.alphabet) if math.gcd(factor, settings.alphabet) == 1]


def _scaled(rng: random.Random, settings: Ciphers) -> dict[str, str]:
    """Return how a digit is moved: in half of the programs it is multiplied first, since ten digits make few."""
    if not settings.digits or rng.random() < 0.5:
        return {}
    factor = rng.choice(_factors(settings))
    move = f"multiply its number by {factor}, move it forward by shift"
    return {"write": _write(settings, f"c * {factor} + shift"), "move": move}


def _growing(rng: random.Random, settings: Ciphers) -> Texts:
    return _each(settings, _growth(rng, settings), **_scaled(rng, settings))


def _alternating(rng: random.Random, settings: Ciphers) -> Texts:
    period, total = rng.randint(1, 3), rng.randrange(settings.alphabet)
    turn, words = _turn(settings, total)
    if settings.digits:  # every time: whether a place is divisible is what the tiny models do not learn
        return _each(settings, (turn, words), **_scaled(rng, settings))
    if period > 1:
        turn, words = f"if i % {period} == 0:\n        {turn}", f"at places divisible by {period} {words}"
    return _each(settings, (turn, words), head="for i, c in enumerate(text):")


def _blocks(rng: random.Random, settings: Ciphers) -> Texts:
    grow, grow_words = _growth(rng, settings)
    size = rng.randint(2, max(2, min(4, settings.longest - 1)))  # of one block the growth would never be seen
    letter, write = settings.letter, _write(settings, f"{settings.number} + shift", indent=8)
    return (
        f"for i in range(0, len(text), {size}):\n    for c in reversed(text[i:i + {size}]):\n"
        f"        {write}\n    {grow}",
        f"for each block of {size} {letter}s: from its last {letter} to its first move each forward by shift, "
        f"then {grow_words}",
    )


def _keyed(rng: random.Random, settings: Ciphers) -> Texts:
    word = "".join(rng.sample(settings.letters, rng.randint(3, 4)))
    key = word + "".join(letter for letter in settings.letters if letter not in word)
    write = f"out.append(key[(key.index(c) + shift) % {settings.alphabet}])"
    if settings.digits:
        write = f"c = key.index(c)\n    {_write(settings, 'c + shift')}".replace("append(c)", "append(key[c])")
    loop, words = _each(settings, write=write)
    return f"key = {list(map(int, key)) if settings.digits else repr(key)}\n{loop}", f"{key} in a ring: {words}"


def _affine(rng: random.Random, settings: Ciphers) -> Texts:
    factor = rng.choice(_factors(settings))
    number = settings.number if settings.digits else f"({settings.number})"
    write = _write(settings, f"{number} * {factor} + shift")
    return _each(settings, ("", f"multiply its number by {factor}"), write)


def _vowels(rng: random.Random, settings: Ciphers) -> Texts:
    which, test = rng.choice((("a vowel", f"in {settings.vowels!r}"), ("a consonant", f"not in {settings.vowels!r}")))
    if settings.digits:
        which, test = ("even", "% 2 == 0") if which == "a vowel" else ("odd", "% 2 == 1")
    amount = rng.randint(1, min(9, settings.alphabet - 1))
    shifted, other = (_write(settings, f"{settings.number} + {plus}", indent=8) for plus in ("shift", amount))
    words = f"move it forward by {amount}"
    if rng.random() < 0.5:
        other, words = "out.append(c)", "keep it"
    write = f"if c {test}:\n        {shifted}\n    else:\n        {other}"
    return _each(settings, write=write, move=f"if it is {which} move it forward by shift, otherwise {words}")


def _multiplied(rng: random.Random, settings: Ciphers) -> Texts:
    factor, amount, size = rng.choice(_factors(settings)[:3]), rng.randrange(1, settings.alphabet), settings.alphabet
    words = f"set shift to shift times {factor} plus {amount} modulo {size}"
    return _each(settings, (f"shift = (shift * {factor} + {amount}) % {size}", words), **_scaled(rng, settings))


def _mirrored(rng: random.Random, settings: Ciphers) -> Texts:
    number = "shift - c" if settings.digits else f"shift - ord(c) + {ord(settings.letters[0])}"
    move = "replace its number by shift minus its number"
    return _each(settings, _growth(rng, settings), _write(settings, number), move)


_DRAW: dict[str, Callable[[random.Random, Ciphers], Texts]] = {
    "growing": _growing,  # the shift grows from letter to letter
    "alternating": _alternating,  # the direction turns with a period
    "blocks": _blocks,  # blocks are reversed, and the shift grows from block to block
    "keyed": _keyed,  # the alphabet begins with a key of three or four letters
    "affine": _affine,  # a letter's number is multiplied
    "vowels": _vowels,  # the shift moves vowels only, or consonants only; of digits, even ones or odd ones
    "multiplied": _multiplied,  # the shift is multiplied from letter to letter
    "mirrored": _mirrored,  # the alphabet runs backwards, and the shift grows
}
KINDS = tuple(_DRAW)


def candidates(settings: Ciphers, *key: object) -> Iterator[tuple[str, str, str]]:
    """Yield endless (kind, source, description), the texts with the name ``NAME``."""
    for index in itertools.count():
        rng = stream(*key, "ciphers", index)
        kind = rng.choice(settings.kinds or KINDS)
        start, first = ("", "") if kind == "keyed" else _start(rng, settings)
        body, words = _DRAW[kind](rng, settings)
        if start:  # a key is a start of its own
            ring = f"{settings.letters[0]} to {settings.letters[-1]} in a ring"
            body, words = f"{start}\n{body}", f"{ring}: {first}; {words}"
        indented = body.replace("\n", "\n    ")
        last = "out" if settings.digits else "''.join(out)"
        source = f"def NAME(text, shift):\n    out = []\n    {indented}\n    return {last}"
        yield kind, source, f"NAME of text and shift, {settings.letter}s {words}."


# --- inputs and programs ---------------------------------------------------------------------------------------------


def shift_weights(settings: Ciphers, distribution: str) -> list[float]:
    """Return the probability of each shift, from 0 to one less than the alphabet's size; they sum to 1."""
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
        ValueError: there are not so many inputs beside those in `without`.
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


def _form(settings: Ciphers) -> tuple[str, str]:
    """Return the regular expression of an input, and the same in words."""
    one, letters = f"[{settings.letters}]", settings.letters
    text, such = (rf"\[{one}(, {one})*\]", "[3, 1, 4]") if settings.digits else (f"'{one}+'", f"'{letters[:3]}'")
    return rf"{text}, \d+", f'a text of the {settings.letter}s {letters} and a shift, such as "{such}, 3"'


@generator("more kinds or a larger alphabet")
def generate(settings: Ciphers, pool: str, inputs: Sequence[str] | None, *key: object) -> Drafts[tuple[str, str, str]]:
    check_inputs(inputs, *_form(settings))
    probes = sample_inputs(settings, "uniform", PROBES, stream("cipher probes"))

    def make(drafts: list[tuple[str, str, str]]) -> list[Program]:
        programs = [
            Program("NAME", source, words, tuple(probes), (), "ciphers", statements_of(source), family=kind)
            for kind, source, words in drafts
        ]
        fine = [p for p in runnable(programs, trace=False) if not _too_easy(p, settings.letters)]
        return on_inputs(fine, [inputs or program_inputs(settings, *key, normalised(p.source)) for p in fine])

    return ((normalised(draft[1]), draft) for draft in candidates(settings, *key, pool)), make
