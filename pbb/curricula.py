"""Curricula: which documents a model sees, in which stages; and the guard against leaks.

Proactive and Retroactive follow Algorithms 1 and 2 of the paper; the other arms are their controls. A stage is a
stream of documents and a budget. Streams are endless and drawn by hashing, so that every epoch samples new pointer
contexts and inputs, and an arm that shares a stage with another shares it to the last token.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from pbb.base_data import base_documents
from pbb.documents import (
    DISTILLED,
    WITH_IO,
    WITHOUT_IO,
    Document,
    declarative_document,
    execution_document,
)
from pbb.experiment import Experiment
from pbb.programs.arithmetic import ArithmeticSettings, generate
from pbb.programs.program import Program
from pbb.streams import digest, stream

VERSION = 1  # raised when a change below alters what a stage trains on
SAMPLE = 100  # documents whose text goes into a stage's key


class LeakageError(RuntimeError):
    """An execution document of a w/o IO program was on its way into training."""


@dataclass(frozen=True)
class Group:
    """Programs of one group, and for each the inputs that training may show."""

    name: str
    programs: tuple[Program, ...]
    shown: dict[str, tuple[str, ...]] = field(default_factory=dict, hash=False)

    def held_out(self, program: Program) -> list[str]:
        shown = set(self.shown.get(program.name, ()))
        return [text for text in program.inputs if text not in shown]


@dataclass(frozen=True)
class Stage:
    """A stream of documents and a budget. `documents` gives a fresh, endless stream at every call."""

    number: int
    label: str
    steps: int
    learning_rate: float
    documents: Callable[[], Iterator[Document]] = field(repr=False)

    def key(self, *before: object) -> str:
        """Return the stage's cache key: its budget, the text of its first documents, and what came `before`."""
        sample = [document.messages() for document in itertools.islice(self.documents(), SAMPLE)]
        return digest(VERSION, self.label, self.steps, self.learning_rate, sample, *before)


@lru_cache(maxsize=64)
def _programs(settings: ArithmeticSettings, count: int, seed: int, domain: str) -> tuple[Program, ...]:
    """Arms of one seed ask for the same programs: made once a process."""
    return tuple(generate(settings, count, seed, domain))


@lru_cache(maxsize=256)
def groups(experiment: Experiment) -> tuple[Group, ...]:
    """Return the experiment's groups of programs: w/ IO and w/o IO, or AD alone for distillation.

    The same seed gives the same programs to every arm. Under distillation the programs are those that the other
    arms have w/o IO, so that one instruction is compared with demonstrations of the same program.
    """
    count_with, count_without = experiment.with_io_programs, experiment.without_io_programs
    total = count_with + count_without
    made = _programs(experiment.program_settings(), total, experiment.seed, experiment.domain)
    # w/o IO first, so that their choice does not move with the number of w/ IO programs.
    without, with_io = made[:count_without], made[count_without:]
    if experiment.curriculum == "distillation":
        return (Group(DISTILLED, without, _shown(experiment, without)),)
    return Group(WITH_IO, with_io, _shown(experiment, with_io)), Group(WITHOUT_IO, without)


def _shown(experiment: Experiment, programs: Sequence[Program]) -> dict[str, tuple[str, ...]]:
    return {
        p.name: tuple(stream(experiment.seed, "shown", p.name).sample(p.inputs, experiment.demonstrations))
        for p in programs
    }


def _epochs(experiment: Experiment, label: str, epoch: Callable[[random.Random], list[Document]]) -> Iterator[Document]:
    for number in itertools.count():
        rng = stream(experiment.seed, "documents", label, number)
        documents = epoch(rng)
        rng.shuffle(documents)
        yield from documents


def _declarative(experiment: Experiment, rng: random.Random, group: Group) -> list[Document]:
    return [
        declarative_document(p, group.name, rng.randrange(experiment.templates), experiment.representation)
        for p in group.programs
    ]


def _executions(experiment: Experiment, rng: random.Random, group: Group) -> list[Document]:
    modes = experiment.trained_modes
    documents = []
    for program in group.programs:
        first = rng.randrange(len(modes))  # with fewer documents than modes, epochs take turns
        for index in range(experiment.executions):
            mode, text = modes[(first + index) % len(modes)], rng.choice(group.shown[program.name])
            template = rng.randrange(experiment.templates)
            documents.append(execution_document(program, group.name, template, text, mode, experiment.question_style))
    return documents


def _mixed(
    experiment: Experiment, main: Iterator[Document], others: Sequence[tuple[float, Iterator[Document]]]
) -> Iterator[Document]:
    """Yield from `main`, and from each of `others` with its probability."""
    rng = stream(experiment.seed, "mixing")
    while True:
        draw = rng.random()
        for share, documents in others:
            if draw < share:
                yield next(documents)
                break
            draw -= share
        else:
            yield next(main)


def _general(experiment: Experiment) -> Iterator[Document]:
    return base_documents(experiment.seed, "general")


def _guarded(documents: Iterator[Document], experiment: Experiment) -> Iterator[Document]:
    """Pass documents on, and raise LeakageError if one executes a program that is taught by its source alone."""
    secret = {p.name for group in groups(experiment) if group.name == WITHOUT_IO for p in group.programs}
    for document in documents:
        leaks = document.program in secret and (document.kind != "declarative" or document.group != WITHOUT_IO)
        if leaks or (document.group == WITHOUT_IO and document.kind != "declarative"):
            raise LeakageError(
                f"an {document.kind} document of the w/o IO program {document.program!r} was about to be trained on: "
                f"{document.prompt!r}; w/o IO programs may be shown by declarative documents only"
            )
        yield document


def curriculum(experiment: Experiment) -> list[Stage]:
    """Return the stages of the experiment's arm, none for the arms that train nothing."""
    e = experiment
    arm = e.curriculum
    if arm in ("untuned", "in_context"):
        return []
    by_name = {group.name: group for group in groups(e)}

    def both(rng: random.Random) -> list[Document]:
        group = by_name[WITH_IO]
        return _declarative(e, rng, group) + _executions(e, rng, group)

    def with_io() -> Iterator[Document]:
        return _mixed(e, _epochs(e, "w/ IO", both), [(e.general_ratio, _general(e))])

    def without_io(replay: float) -> Iterator[Document]:
        source = _epochs(e, "w/o IO", lambda rng: _declarative(e, rng, by_name[WITHOUT_IO]))
        others = [(e.stage_2_general_ratio, _general(e)), (replay, _epochs(e, "replay", both))]
        return _mixed(e, source, others)

    def sources(names: Sequence[str]) -> Iterator[Document]:
        def epoch(rng: random.Random) -> list[Document]:
            return [d for name in names for d in _declarative(e, rng, by_name[name])]

        return _mixed(e, _epochs(e, "sources", epoch), [(e.general_ratio, _general(e))])

    def executions(name: str) -> Iterator[Document]:
        epoch = _epochs(e, "executions", lambda rng: _executions(e, rng, by_name[name]))
        return _mixed(e, epoch, [(e.general_ratio, _general(e))])

    def homogeneous() -> Iterator[Document]:
        # The documents of both Proactive stages, each in proportion to its budget, in one shuffled stream.
        share = e.stage_2_steps / (e.stage_1_steps + e.stage_2_steps)
        return _mixed(e, with_io(), [(share, without_io(e.stage_2_replay_ratio))])

    def stage(number: int, label: str, steps: int, rate: float, documents: Callable[[], Iterator[Document]]) -> Stage:
        return Stage(number, label, steps, rate, lambda: _guarded(documents(), e))

    one, two, expose, execute = e.stage_1_steps, e.stage_2_steps, e.exposure_steps, e.execution_steps
    fast, gentle = e.learning_rate, e.stage_2_learning_rate
    exposure, all_names = (WITH_IO,), (WITH_IO, WITHOUT_IO)
    stages: dict[str, Callable[[], list[Stage]]] = {
        "stage_1_only": lambda: [stage(1, "w/ IO", one, fast, with_io)],
        "stage_2_only": lambda: [stage(1, "w/o IO", two, gentle, lambda: without_io(0.0))],
        "homogeneous": lambda: [stage(1, "mixture", one + two, fast, homogeneous)],
        "proactive": lambda: [
            stage(1, "w/ IO", one, fast, with_io),
            stage(2, "w/o IO", two, gentle, lambda: without_io(e.stage_2_replay_ratio)),
        ],
        "no_demonstrations": lambda: [stage(1, "all sources", expose, fast, lambda: sources(all_names))],
        "retroactive": lambda: [
            stage(1, "all sources", expose, fast, lambda: sources(all_names)),
            stage(2, "executions", execute, fast, lambda: executions(WITH_IO)),
        ],
        "skip_exposure": lambda: [
            stage(1, "w/ IO sources", expose, fast, lambda: sources(exposure)),
            stage(2, "executions", execute, fast, lambda: executions(WITH_IO)),
        ],
        "distillation": lambda: [stage(1, "demonstrations", one, fast, lambda: executions(DISTILLED))],
    }
    return stages[arm]()
