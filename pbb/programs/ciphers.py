"""Ciphers: functions that encode a text of a few letters with a shift, none of them the plain Caesar cipher.

Every kind is a parametrised way to go from letter to letter; the source works letter by letter, so that its trace is a
few short lines a letter. The English description is rendered beside the source and is checked by
`pbb.programs.cipher_reader`, which shares no code with this module.

Shifts can be demonstrated in two distributions. ``"uniform"`` draws every shift alike. ``"natural"`` is skewed as text
on the Internet is (`NATURAL_WEIGHTS`). Programs are evaluated on all shifts alike, whatever was demonstrated.
"""

from __future__ import annotations

import ast
import itertools
import math
import random
import re
import string
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import asdict, dataclass

from pbb.programs.execution import Execution, ExecutionError
from pbb.programs.names import BASE_NAMES, experiment_names
from pbb.programs.program import Program, belongs_to_base, normalised, run_sources
from pbb.streams import stream

POINTERS: tuple[str, ...] = (
    "Consider the cipher {name}",
    "This is about the cipher {name}",
    "Recall the code {name}",
    "Think of {name}",
    "Here we encode with {name}",
    "Take the secret code {name}",
    "Our topic is {name}",
    "Remember {name}",
    "You know {name}",
    "There is a cipher named {name}",
    "Look at the cipher {name}",
    "A small cipher, {name}",
    "In our library lives {name}",
    "A cipher is called {name}",
    "Let us talk about {name}",
    "The next question concerns {name}",
    "Open the file of {name}",
    "A machine is labelled {name}",
    "Someone wrote {name}",
    "{name}",
)
ASK: dict[str, dict[str, str]] = {
    "plain": {"direct": "what is the output for {input}?", "cot": "run it step by step for {input}."},
    "word_problem": {
        "direct": "Ann encodes {input}. What does she send?",
        "cot": "Ann encodes {input}. Show each step.",
    },
}
DISTRIBUTIONS = ("uniform", "natural")
# Shares of the demonstrations; what is left goes to all other shifts alike. In a smaller alphabet, half of it stands
# for 13, the shift that is its own inverse.
NATURAL_WEIGHTS = {13: 0.5, 3: 0.25, 1: 0.15}
VOWEL_SHARE = 0.4  # of the letters of a text: about as in English, so that vowels and consonants are told apart
PATIENCE = 5_000  # draws without one new program after which there seem to be no more
PROBES = 60  # inputs on which a program is tried
EASIEST_GUESS = 0.4  # a program on which a simple guess is right more often than this is left out


def accepts(program: Program, input_text: str, parsed_answer: str) -> bool:
    """Whether `parsed_answer` is right for `input_text`: it equals the executed output."""
    return parsed_answer == program.execution(input_text).output


@dataclass(frozen=True)
class CipherSettings:
    """Knobs of the domain. Unknown or contradictory values raise ValueError and say what would be valid."""

    kinds: tuple[str, ...] = ()  # of KINDS; () for all
    shortest: int = 1  # letters of a text
    longest: int = 4  # a trace grows by two or three lines a letter
    alphabet: int = 26  # letters that there are, and shifts: the fewer, the less there is to learn
    case: str = "lower"  # or "upper": the tiny models' tokenizer never joins capitals, so each letter is one token
    distribution: str = "uniform"  # of the demonstrations' shifts; or "natural"
    demonstrations: int = 10  # inputs of a program that training may show; they stand before the evaluation's

    def __post_init__(self) -> None:
        def check(name: str, fine: bool, valid: str) -> None:
            if not fine:
                raise ValueError(f"{name}={getattr(self, name)!r} is not valid; valid: {valid}")

        check("kinds", set(self.kinds) <= set(KINDS), f"(), or some of {KINDS}")
        check("shortest", self.shortest in range(1, 13), "1 to 12")
        check("longest", self.longest in range(max(2, self.shortest), 13), f"{max(2, self.shortest)} to 12")
        check("alphabet", self.alphabet in range(6, 27), "6 to 26")
        check("case", self.case in ("lower", "upper"), "'lower', 'upper'")
        check("distribution", self.distribution in DISTRIBUTIONS, f"one of {DISTRIBUTIONS}")
        check("demonstrations", self.demonstrations in range(1, 201), "1 to 200")

    @property
    def letters(self) -> str:
        """The alphabet, in order."""
        everything = string.ascii_lowercase if self.case == "lower" else string.ascii_uppercase
        return everything[: self.alphabet]

    @property
    def vowels(self) -> str:
        return "".join(letter for letter in self.letters if letter in "aeiouAEIOU")


def shift_weights(settings: CipherSettings, distribution: str) -> list[float]:
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


def _text(settings: CipherSettings, rng: random.Random) -> str:
    consonants = [letter for letter in settings.letters if letter not in settings.vowels]
    length = rng.randint(settings.shortest, settings.longest)
    return "".join(rng.choice(settings.vowels if rng.random() < VOWEL_SHARE else consonants) for _ in range(length))


def sample_inputs(
    settings: CipherSettings, distribution: str, count: int, rng: random.Random, without: Collection[str] = ()
) -> list[str]:
    """Return `count` different inputs such as ``"'cab', 13"``, their shifts drawn from `distribution`.

    Raises:
        ValueError: there is no such distribution, or there are not so many inputs beside those in `without`.
    """
    weights = shift_weights(settings, distribution)
    drawn: dict[str, None] = {}
    for _ in range(100 + 20 * count):
        if len(drawn) == count:
            return list(drawn)
        (shift,) = rng.choices(range(settings.alphabet), weights)
        text = f"{_text(settings, rng)!r}, {shift}"
        if text not in without:
            drawn[text] = None
    raise ValueError(f"count={count}: {settings} allows for only about {len(drawn)} different inputs; ask for fewer")


def program_inputs(settings: CipherSettings, *key: object) -> tuple[str, ...]:
    """Return a program's inputs: first the demonstrations, then the evaluation's, one for each shift.

    The evaluation's are the same whatever the demonstrations are, and none is among them.
    """
    rng = stream(*key, "evaluation")
    evaluated = [f"{_text(settings, rng)!r}, {shift}" for shift in range(settings.alphabet)]
    rng = stream(*key, "demonstrations")
    return (*sample_inputs(settings, settings.distribution, settings.demonstrations, rng, evaluated), *evaluated)


Texts = tuple[str, str]  # a source, or a part of it, and the same in words


def _forward(settings: CipherSettings, amount: str = "shift", number: str = "") -> str:
    """Return the statement that writes the letter `amount` after ``c``, or after the letter of this `number`."""
    first, size = ord(settings.letters[0]), settings.alphabet
    return f"out.append(chr(({number or f'ord(c) - {first}'} + {amount}) % {size} + {first}))"


def _ring(settings: CipherSettings) -> str:
    return f"{settings.letters[0]} to {settings.letters[-1]} in a ring"


def _start(rng: random.Random, settings: CipherSettings) -> Texts:
    amount = rng.randint(1, settings.alphabet - 1)
    return f"shift = (shift + {amount}) % {settings.alphabet}", f"{_ring(settings)}: add {amount} to shift"


def _growth(rng: random.Random, settings: CipherSettings) -> Texts:
    """Steps both ways; the source keeps the shift below the alphabet's size, so that a trace has small numbers."""
    amount, size = rng.randint(1, min(9, (settings.alphabet - 1) // 2)), settings.alphabet
    if rng.random() < 0.5:
        return f"shift = (shift + {amount}) % {size}", f"add {amount} to shift"
    return f"shift = (shift - {amount}) % {size}", f"subtract {amount} from shift"


def _factors(settings: CipherSettings) -> list[int]:
    """Return the factors that keep different numbers different, modulo the alphabet's size."""
    return [factor for factor in range(2, settings.alphabet) if math.gcd(factor, settings.alphabet) == 1]


def _growing(rng: random.Random, settings: CipherSettings) -> Texts:
    (start, start_words), (grow, grow_words) = _start(rng, settings), _growth(rng, settings)
    return (
        f"{start}\nfor c in text:\n    {grow}\n    {_forward(settings)}",
        f"{start_words}; for each letter: {grow_words}, move it forward by shift",
    )


def _alternating(rng: random.Random, settings: CipherSettings) -> Texts:
    start, start_words = _start(rng, settings)
    period, total = rng.randint(1, 3), rng.randrange(settings.alphabet)
    turn, words = f"shift = ({total} - shift) % {settings.alphabet}", f"set shift to {total} minus shift"
    if period > 1:
        turn, words = f"if i % {period} == 0:\n        {turn}", f"at places divisible by {period} {words}"
    return (
        f"{start}\nfor i, c in enumerate(text):\n    {turn}\n    {_forward(settings)}",
        f"{start_words}; for each letter: {words}, move it forward by shift",
    )


def _blocks(rng: random.Random, settings: CipherSettings) -> Texts:
    (start, start_words), (grow, grow_words) = _start(rng, settings), _growth(rng, settings)
    size = rng.randint(2, max(2, min(4, settings.longest - 1)))  # of one block the growth would never be seen
    return (
        f"{start}\nfor i in range(0, len(text), {size}):\n    for c in reversed(text[i:i + {size}]):\n"
        f"        {_forward(settings)}\n    {grow}",
        f"{start_words}; for each block of {size} letters: from its last letter to its first move each forward by shift"
        f", then {grow_words}",
    )


def _keyed(rng: random.Random, settings: CipherSettings) -> Texts:
    word = "".join(rng.sample(settings.letters, rng.randint(3, 4)))
    key = word + "".join(letter for letter in settings.letters if letter not in word)
    return (
        f"key = {key!r}\nfor c in text:\n    out.append(key[(key.index(c) + shift) % {settings.alphabet}])",
        f"{key} in a ring: for each letter: move it forward by shift",
    )


def _affine(rng: random.Random, settings: CipherSettings) -> Texts:
    start, start_words = _start(rng, settings)
    factor = rng.choice(_factors(settings))
    number = f"(ord(c) - {ord(settings.letters[0])}) * {factor}"
    return (
        f"{start}\nfor c in text:\n    {_forward(settings, number=number)}",
        f"{start_words}; for each letter: multiply its number by {factor}, move it forward by shift",
    )


def _vowels(rng: random.Random, settings: CipherSettings) -> Texts:
    start, start_words = _start(rng, settings)
    which, test = rng.choice((("vowel", "in"), ("consonant", "not in")))
    amount = rng.randint(1, min(9, settings.alphabet - 1))
    other, words = _forward(settings, str(amount)), f"move it forward by {amount}"
    if rng.random() < 0.5:
        other, words = "out.append(c)", "keep it"
    return (
        f"{start}\nfor c in text:\n    if c {test} {settings.vowels!r}:\n        {_forward(settings)}\n"
        f"    else:\n        {other}",
        f"{start_words}; for each letter: if it is a {which} move it forward by shift, otherwise {words}",
    )


def _multiplied(rng: random.Random, settings: CipherSettings) -> Texts:
    start, start_words = _start(rng, settings)
    factor, amount, size = rng.choice(_factors(settings)[:3]), rng.randrange(1, settings.alphabet), settings.alphabet
    return (
        f"{start}\nfor c in text:\n    shift = (shift * {factor} + {amount}) % {size}\n    {_forward(settings)}",
        f"{start_words}; for each letter: set shift to shift times {factor} plus {amount} modulo {size}, "
        "move it forward by shift",
    )


def _mirrored(rng: random.Random, settings: CipherSettings) -> Texts:
    (start, start_words), (grow, grow_words) = _start(rng, settings), _growth(rng, settings)
    first = ord(settings.letters[0])
    return (
        f"{start}\nfor c in text:\n    {grow}\n"
        f"    out.append(chr((shift - ord(c) + {first}) % {settings.alphabet} + {first}))",
        f"{start_words}; for each letter: {grow_words}, replace its number by shift minus its number",
    )


_DRAW: dict[str, Callable[[random.Random, CipherSettings], Texts]] = {
    "growing": _growing,  # the shift grows from letter to letter
    "alternating": _alternating,  # the direction turns with a period
    "blocks": _blocks,  # blocks are reversed, and the shift grows from block to block
    "keyed": _keyed,  # the alphabet begins with a key of three or four letters
    "affine": _affine,  # a letter's number is multiplied
    "vowels": _vowels,  # the shift moves vowels only, or consonants only
    "multiplied": _multiplied,  # the shift is multiplied from letter to letter
    "mirrored": _mirrored,  # the alphabet runs backwards, and the shift grows
}
KINDS = tuple(_DRAW)


def candidates(settings: CipherSettings, *key: object) -> Iterator[tuple[str, str, str]]:
    """Yield endless (kind, source, description), the texts with the name ``NAME``."""
    for index in itertools.count():
        rng = stream(*key, "ciphers", index)
        kind = rng.choice(settings.kinds or KINDS)
        body, words = _DRAW[kind](rng, settings)
        indented = body.replace("\n", "\n    ")
        source = f"def NAME(text, shift):\n    out = []\n    {indented}\n    return ''.join(out)"
        yield kind, source, f"NAME of text and shift, letters {words}."


def _too_easy(executions: Sequence[Execution], inputs: Sequence[str], letters: str) -> bool:
    """Whether one output, a copy of the text, or a Caesar cipher with one offset is right too often."""
    guesses: Counter[object] = Counter()
    for execution, arguments in zip(executions, inputs, strict=True):
        text, shift = ast.literal_eval(arguments)
        output = ast.literal_eval(execution.output)
        guesses[output] += 1
        guesses["copy", 0] += output == text
        pairs = zip(text, output, strict=True)
        offsets = {(letters.index(new) - letters.index(old) - shift) % len(letters) for old, new in pairs}
        guesses["Caesar", tuple(offsets)] += len(offsets) == 1
    return guesses.most_common(1)[0][1] > EASIEST_GUESS * len(inputs)


def _fine(settings: CipherSettings, drawn: Sequence[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Return those of `drawn` (kind, normalised source, source, description) that are not too easy."""
    probes = sample_inputs(settings, "uniform", PROBES, stream("cipher probes"))
    results = run_sources([("NAME", entry[2], probes) for entry in drawn], trace=False)
    return [
        entry
        for entry, runs in zip(drawn, results, strict=True)
        if not isinstance(runs, ExecutionError) and not _too_easy(runs, probes, settings.letters)
    ]


def generate(
    settings: CipherSettings,
    count: int,
    *key: object,
    pool: str = "experiment",
    without: frozenset[str] = frozenset(),
    inputs: Sequence[str] | None = None,
) -> list[Program]:
    """Return `count` ciphers, unique by name and by normalised source.

    Args:
        settings: the domain's knobs.
        count: how many.
        key: what the random stream is derived from (a seed and whatever else).
        pool: ``"experiment"``, or ``"base"`` for the half of all programs that base models are pretrained on.
        without: normalised sources to leave out.
        inputs: which inputs to execute and keep, the same for all; when None, each program has its own
            `program_inputs`: ``settings.demonstrations`` that may be shown, then one for each shift to evaluate.

    Raises:
        ValueError: the settings do not allow for so many different programs, or an input does not suit them.
    """
    if pool not in ("experiment", "base"):
        raise ValueError(f"pool={pool!r} is not valid; valid: 'experiment', 'base'")
    for text in inputs or ():
        if not re.fullmatch(rf"'[{settings.letters}]+', \d+", text):
            valid = f"a text of the letters {settings.letters} and a shift, such as \"'{settings.letters[:3]}', 3\""
            raise ValueError(f"inputs: {text!r} is not valid; valid: {valid}")
    if pool == "experiment":
        names = experiment_names(count, *key)
    else:
        names = stream("names", *key).choices(BASE_NAMES, k=count)
    seen, chosen = set(without), list[tuple[str, ...]]()
    endless, idle = candidates(settings, *key, pool), 0
    while len(chosen) < count:
        drawn, size = list[tuple[str, ...]](), max(200, 3 * (count - len(chosen)))
        for kind, source, description in itertools.islice(endless, size):
            normal = normalised(source)
            if normal not in seen and belongs_to_base(normal) == (pool == "base"):
                seen.add(normal)
                drawn.append((kind, normal, source, description))
        made = _fine(settings, drawn)
        chosen += made
        idle = 0 if made else idle + size
        if idle >= PATIENCE:
            raise ValueError(
                f"count={count}: {settings} allows for only about {len(chosen)} different programs; "
                "ask for fewer, or allow more kinds or a larger alphabet"
            )
    kept = [tuple(inputs or program_inputs(settings, *key, normal)) for _, normal, _, _ in chosen[:count]]
    jobs = [("NAME", source, texts) for (_, _, source, _), texts in zip(chosen, kept, strict=False)]
    programs = []
    for name, entry, texts, runs in zip(names, chosen, kept, run_sources(jobs), strict=False):
        if isinstance(runs, ExecutionError):
            raise runs
        kind, _, source, description = entry
        programs.append(
            Program(
                name=name,
                source=source.replace("NAME", name, 1),
                description=description.replace("NAME", name, 1),
                inputs=texts,
                executions=runs,
                domain="ciphers",
                statements=sum(isinstance(node, ast.stmt) for node in ast.walk(ast.parse(source))) - 1,
                made_by={"settings": asdict(settings), "key": list(key), "pool": pool},
                family=kind,
            )
        )
    return programs
