"""Base data: in-context execution of programs that no experiment uses, and nothing else.

A base model learns to run a program whose text stands in the prompt, in code or in words, directly or step by step,
and to write one form from the other. It never sees a program without its text, so what an experiment teaches by name
cannot come from here. The same documents serve as general data against forgetting.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from pbb.experiments import documents
from pbb.experiments.documents import AND_FOR, GENERAL, REPRESENTATIONS, Document
from pbb.programs.algorithms import Algorithms
from pbb.programs.arithmetic import CONTROL, Arithmetic, all_inputs
from pbb.programs.ciphers import Ciphers
from pbb.programs.composition import Composition
from pbb.programs.domains import DOMAINS, generate
from pbb.programs.grammars import Grammars
from pbb.programs.program import Program
from pbb.programs.sums import Sums
from pbb.streams import stream

Shares = tuple[tuple[float, Any], ...]  # of the programs, by their settings

# Mostly short, so that single statements are evaluated reliably in one pass. More than half stay below ten, where a
# small model can know every result by heart; the rest are numbers as a reader writes them.
BASE_PROGRAMS: Shares = (
    (0.05, Arithmetic(operations=1)),
    (0.16, Arithmetic()),
    (0.05, Arithmetic(operations=3)),
    (0.06, Arithmetic(statements=2)),
    (0.04, Arithmetic(statements=3)),
    (0.02, Arithmetic(statements=4)),
    (0.04, Arithmetic(statements=2, control=CONTROL)),
    (0.03, Arithmetic(statements=3, control=CONTROL)),
    (0.05, Arithmetic(arguments=2)),
    (0.03, Arithmetic(statements=2, arguments=2)),
    (0.10, Arithmetic(high=119)),  # inputs enough for a hundred demonstrations
    (0.12, Arithmetic(operations=1, wrap=None, largest=99, low=-20, high=99)),
    (0.05, Arithmetic(operations=1, wrap=None, largest=20, low=-9, high=20)),
    (0.08, Arithmetic(wrap=None, largest=20, low=-9, high=20)),
    (0.03, Arithmetic(operations=3, wrap=None, high=20)),
    (0.02, Arithmetic(statements=2, wrap=None)),
    (0.03, Sums()),
    (0.04, Composition()),
)
# What a second base model is made of: texts and lists, whose parts are found one by one.
CIPHERS = Ciphers(
    kinds=("growing", "alternating", "affine", "multiplied", "mirrored"),  # without `if` and lookups
    longest=3,
    alphabet=10,
    case="digits",
    demonstrations=2,
)
STRING_PROGRAMS: Shares = (
    (0.22, CIPHERS),
    (0.22, Grammars(nonterminals=3, terminals=4, longest=6)),
    (0.24, Algorithms()),
    (0.08, Algorithms(sizes=("medium",))),
    (0.12, Composition()),
    *((0.12 * share, settings) for share, settings in BASE_PROGRAMS),
)
BATCH = 500  # programs made at a time
INPUTS = 8  # of those that a program of numbers has
LONGEST = 420  # characters that a conversation may have grown to by a further question, so that it fits a row


@dataclass(frozen=True)
class BaseMixture:
    """Shares of the kinds of base document; the rest of one is direct in-context execution.

    Several questions about one program share its text in one conversation: a direct answer is a single token of
    signal, and the text before it would otherwise cost twenty times as much.
    """

    cot: float = 0.35
    declarative: float = 0.08  # the program's text in the prompt, asked for in code or in words
    word_problem: float = 0.25  # of the conversations
    direct_questions: int = 10
    cot_questions: int = 2
    documents_per_program: int = 2
    programs: Shares = BASE_PROGRAMS


# Base models that were trained on something else than `BaseMixture`: an answer in one step is beyond a cipher.
STRINGS = BaseMixture(cot=0.7, documents_per_program=4, programs=STRING_PROGRAMS)
MIXTURES = {"tiny-m-strings": STRINGS}


def mixture_of(model: str) -> BaseMixture:
    """Return what the base model of this name was trained on; for others than the tiny ones, what tiny-m was."""
    return MIXTURES.get(model, BaseMixture())


@lru_cache(maxsize=4)  # every stage of a seed mixes in the same general programs
def base_programs(count: int, *key: object, shares: Shares = BASE_PROGRAMS) -> tuple[Program, ...]:
    """Return `count` programs of the base models' pool, in the proportions of `shares`, shuffled."""
    rng = stream(*key, "base mixture")
    picks = rng.choices(range(len(shares)), [share for share, _ in shares], k=count)
    programs = []
    for index, (_, settings) in enumerate(shares):
        inputs = rng.sample(all_inputs(settings), INPUTS) if isinstance(settings, Arithmetic) else None
        if number := picks.count(index):
            programs += generate(settings, number, *key, index, pool="base", inputs=inputs)
    rng.shuffle(programs)
    return tuple(programs)


def _document(rng: random.Random, program: Program, mixture: BaseMixture) -> Document:
    form = rng.choice(REPRESENTATIONS)
    given = documents.in_full(program, form)
    template = rng.randrange(len(DOMAINS[program.domain].pointers))
    draw = rng.random()
    if draw < mixture.declarative:
        wanted = rng.choice(REPRESENTATIONS)
        prompt, completion = (
            documents.declarative_prompt(program, template, wanted),
            documents.declaration(program, wanted),
        )
        return Document(documents.in_context(given, prompt), completion, "general", GENERAL, program.name)
    mode = "cot" if draw < mixture.declarative + mixture.cot else "direct"
    style = "word_problem" if rng.random() < mixture.word_problem else "plain"
    questions = mixture.cot_questions if mode == "cot" else mixture.direct_questions
    texts = rng.sample(program.inputs, min(questions, len(program.inputs)))
    prompt = documents.in_context(given, documents.question(program, texts[0], template, mode, style))
    turns = [(AND_FOR.format(input=text), documents.answer(program, text, mode, form)) for text in texts]
    lengths = itertools.accumulate((len(asked) + len(answered) for asked, answered in turns), initial=len(prompt))
    rest = [turn for turn, length in zip(turns, itertools.islice(lengths, 1, None), strict=True) if length < LONGEST]
    completion, further = turns[0][1], tuple(rest[1:])
    return Document(prompt, completion, "general", GENERAL, program.name, texts[0], mode, further)


def base_documents(*key: object, mixture: BaseMixture | None = None) -> Iterator[Document]:
    """Yield base documents without end: fresh programs, each used for a few documents, in shuffled order."""
    mixture = mixture or BaseMixture()
    for batch in itertools.count():
        rng = stream(*key, "base documents", batch)
        programs = base_programs(BATCH, *key, batch, shares=mixture.programs)
        made = [_document(rng, p, mixture) for p in programs for _ in range(mixture.documents_per_program)]
        rng.shuffle(made)
        yield from made
