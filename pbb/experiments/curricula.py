"""Curricula: which documents a model sees, in which stages; and the guard against leaks.

Proactive and Retroactive follow Algorithms 1 and 2 of the paper; the other arms are their controls. A stage is a
stream of documents and a budget. Streams are endless and drawn by hashing, so that every epoch samples new pointer
contexts and inputs, and an arm that shares a stage with another shares it to the last token.
"""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

from pbb.experiments.base_data import base_documents, mixture_of
from pbb.experiments.documents import (
    DISTILLED,
    PARTS,
    WITH_IO,
    WITHOUT_IO,
    Document,
    declarative_document,
    execution_document,
)
from pbb.experiments.experiment import UNTRAINED, Experiment, ExperimentError
from pbb.programs import ciphers, composition
from pbb.programs.domains import generate, normal_form
from pbb.programs.names import experiment_names
from pbb.programs.program import Program, normalised, on_inputs
from pbb.streams import digest, stream

VERSION = 1  # raised when a change below alters what a stage trains on
SAMPLE = 100  # documents whose text goes into a stage's key


class LeakageError(RuntimeError):
    """An execution of a w/o IO program, or of a held-out input, was on its way into training."""


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
    """A stream of documents and a budget. `documents` gives a fresh, endless stream at every call.

    `objective` is () for SFT; for GRPO, the settings of `reinforcement.PolicyOptimisation` by name.
    """

    number: int
    label: str
    steps: int
    learning_rate: float
    documents: Callable[[], Iterator[Document]] = field(repr=False)
    objective: tuple[tuple[str, Any], ...] = ()

    def key(self, *before: object) -> str:
        """Return the stage's cache key: its budget, the text of its first documents, and what came `before`."""
        sample = [document.messages() for document in itertools.islice(self.documents(), SAMPLE)]
        how = [self.objective] if self.objective else []
        return digest(VERSION, self.label, self.steps, self.learning_rate, sample, *how, *before)


@lru_cache(maxsize=64)
def _programs(settings: Any, count: int, seed: int, domain: str, without: frozenset[str]) -> tuple[Program, ...]:
    """Arms of one seed ask for the same programs: made once a process."""
    return tuple(generate(settings, count, seed, domain, without=without))


@lru_cache(maxsize=16)
def _composed(
    settings: composition.CompositionSettings, shown: int, secret: int, taught: int, measured: int, seed: int
) -> tuple[tuple[Program, ...], ...]:
    """Return `shown` and `secret` parts, `taught` composites of the former, `measured` ones of the latter if any."""
    key = (seed, "composition")
    names = experiment_names(shown + secret + taught + measured, *key)
    parts = composition.draw_parts(settings, secret + shown, *key, names=names)
    names = names[secret + shown :]
    own, open_to_all = parts[:secret], parts[secret:]
    examples = composition.composites(settings, open_to_all, taught, *key, "taught", names=names)
    without = frozenset(map(normal_form, examples))
    made = composition.composites(settings, own or open_to_all, measured, *key, names=names[taught:], without=without)
    return tuple(open_to_all), tuple(own), tuple(examples), tuple(made)


@lru_cache(maxsize=256)
def groups(experiment: Experiment) -> tuple[Group, ...]:
    """Return the experiment's groups of programs: w/ IO, the parts of composites if they are w/o IO, and w/o IO.

    The same seed gives the same programs to every arm. Under distillation the programs that the other arms have w/o IO
    are the AD group, so that one instruction is compared with demonstrations of the same program; alone, or beside
    w/ IO programs and with its sources where both are combined.

    Raises:
        ExperimentError: a program has no input left that training does not show, or a name is taken.
    """
    e = experiment
    with_io, parts, without = _drawn(e)
    _check_own(e, (*with_io, *parts, *without))
    if e.curriculum == "distillation":
        return (_distilled(e, without),)
    found = [Group(WITH_IO, with_io, _shown(with_io, e.demonstrations, e.seed))]
    if parts:
        found.append(Group(PARTS, _unshown(e, parts)))
    both = e.curriculum == "pbb_and_distillation"
    return (*found, _distilled(e, without) if both else Group(WITHOUT_IO, _unshown(e, without)))


def _check_own(e: Experiment, programs: Sequence[Program]) -> None:
    """Refuse own programs that are taught twice; drawn ones are different by how they are drawn."""
    names = Counter(program.name for program in programs)
    does: dict[str, str] = {}
    for program in e.own():
        if names[program.name] > 1:
            raise ExperimentError(f"own_programs: the name {program.name!r} is taken by another program")
        if (other := does.setdefault(normal_form(program), program.name)) != program.name:
            raise ExperimentError(f"own_programs: {program.name!r} does the same as {other!r}; valid: one of them")


def _drawn(e: Experiment) -> tuple[tuple[Program, ...], tuple[Program, ...], tuple[Program, ...]]:
    """Return (w/ IO programs, w/o IO parts, w/o IO programs)."""
    count_with, count_without = e.with_io_programs, e.without_io_programs
    if e.domain == "composition":
        secret = max(count_without, composition.FEWEST_PARTS) if e.parts == "w/o IO" else 0
        counts = (count_with, secret, e.with_io_composites, count_without)
        shown, parts, examples, without = _composed(e.program_settings(), *counts, e.seed)
        return (*shown, *examples), parts, without
    if e.domain == "own":
        made = stream(e.seed, "own").sample(e.own(), count_with + count_without)
        return tuple(made[count_without:]), (), tuple(made[:count_without])
    own = e.own()
    taken = frozenset(map(normal_form, own))  # else a w/ IO program could be the reader's own under another name
    drawn = _programs(e.program_settings(), count_with + count_without, e.seed, e.domain, taken)
    # w/o IO first, so that their choice does not move with the number of w/ IO programs.
    return drawn[count_without:], (), (*drawn[:count_without], *own)


def _shown(programs: Sequence[Program], count: int, seed: int) -> dict[str, tuple[str, ...]]:
    """Return the inputs of each program that training may show; a cipher's own demonstrations are its first inputs."""
    for program in programs:
        if len(program.inputs) <= count:
            raise ExperimentError(
                f"demonstrations={count} is not valid for {program.name}; valid: at most {len(program.inputs) - 1}, so "
                "that one of its inputs is held out"
            )
    return {
        p.name: p.inputs[:count]
        if p.domain == "ciphers"
        else tuple(stream(seed, "shown", p.name).sample(p.inputs, count))
        for p in programs
    }


def _unshown(e: Experiment, programs: Sequence[Program]) -> tuple[Program, ...]:
    """Return `programs`, ciphers with those inputs alone that are never demonstrated: one for each shift."""
    skip = e.demonstrations
    return tuple(
        replace(p, inputs=p.inputs[skip:], executions=p.executions[skip:]) if p.domain == "ciphers" else p
        for p in programs
    )


def _distilled(e: Experiment, programs: Sequence[Program]) -> Group:
    """Return the AD group; ciphers get demonstrations of their own number and shifts."""
    if e.domain == "ciphers":
        settings, key = e.distilled_settings(), (e.seed, e.domain)
        inputs = [
            ciphers.program_inputs(settings, *key, normalised(p.source)) if p.domain == "ciphers" else p.inputs
            for p in programs
        ]
        programs = on_inputs(programs, inputs)
    return Group(DISTILLED, tuple(programs), _shown(programs, e.distilled_demonstrations or e.demonstrations, e.seed))


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
        if not (p.domain == "composition" and experiment.composites == "named")
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
    """Yield what the base model was trained on."""
    return base_documents(experiment.seed, "general", mixture=mixture_of(experiment.model))


def _guarded(documents: Iterator[Document], experiment: Experiment) -> Iterator[Document]:
    """Pass documents on, and raise LeakageError if one executes what is to be known from source alone.

    That is: a program of a group without demonstrations, a composite of which one is a part, a held-out input.
    """
    by_source = {g.name for g in groups(experiment)} & {WITHOUT_IO, PARTS}
    secret = {p.name for group in groups(experiment) if group.name in by_source for p in group.programs}
    runs = {p.name: {p.name, *composition.part_names(p)} for g in groups(experiment) for p in g.programs}
    shown = {name: set(inputs) for group in groups(experiment) for name, inputs in group.shown.items()}
    for document in documents:
        declares = document.kind == "declarative"
        leaks = secret & runs.get(document.program, {document.program}) if not declares else set()
        if declares and document.program in secret and document.group not in by_source:
            leaks = {document.program}
        if leaks or (document.group in (WITHOUT_IO, PARTS) and not declares):
            raise LeakageError(
                f"an {document.kind} document of the w/o IO program {', '.join(leaks) or document.program!r} was about "
                f"to be trained on: {document.prompt!r}; w/o IO programs may be shown by declarative documents only"
            )
        if document.kind == "execution" and document.input not in shown.get(document.program, ()):
            raise LeakageError(
                f"input {document.input!r} of {document.program!r} is held out and was about to be trained on: "
                f"{document.prompt!r}"
            )
        yield document


def curriculum(experiment: Experiment) -> list[Stage]:
    """Return the stages of the experiment's arm, none for the arms that train nothing."""
    e = experiment
    arm = e.curriculum
    if arm in UNTRAINED:
        return []

    def named(name: str) -> Group:
        # Programs are drawn when documents are asked for: to know the stages takes none.
        return next(group for group in groups(e) if group.name == name)

    def by_source() -> tuple[str, ...]:
        return tuple(group.name for group in groups(e) if group.name in (PARTS, WITHOUT_IO))

    def both(rng: random.Random) -> list[Document]:
        group = named(WITH_IO)
        return _declarative(e, rng, group) + _executions(e, rng, group)

    def with_io() -> Iterator[Document]:
        return _mixed(e, _epochs(e, "w/ IO", both), [(e.general_ratio, _general(e))])

    def without_io(replay: float) -> Iterator[Document]:
        others = [(e.stage_2_general_ratio, _general(e)), (replay, _epochs(e, "replay", both))]
        return _mixed(e, _epochs(e, "w/o IO", declared(by_source())), others)

    def source_and_pairs() -> Iterator[Document]:
        # Of the same programs: what the source says, and demonstrations of it.
        pairs = _epochs(e, "executions", lambda rng: _executions(e, rng, named(DISTILLED)))
        others = [(e.stage_2_general_ratio, _general(e)), (e.stage_2_replay_ratio, _epochs(e, "replay", both))]
        return _mixed(e, _epochs(e, "w/o IO", declared((DISTILLED,))), [*others, (e.distillation_ratio, pairs)])

    def declared(names: Sequence[str]) -> Callable[[random.Random], list[Document]]:
        return lambda rng: [document for name in names for document in _declarative(e, rng, named(name))]

    def sources(names: Sequence[str]) -> Iterator[Document]:
        return _mixed(e, _epochs(e, "sources", declared(names)), [(e.general_ratio, _general(e))])

    def all_sources() -> Iterator[Document]:
        return sources((WITH_IO, *by_source()))

    def asked(name: str) -> Iterator[Document]:
        return _epochs(e, "executions", lambda rng: _executions(e, rng, named(name)))

    def executions(name: str) -> Iterator[Document]:
        return _mixed(e, asked(name), [(e.general_ratio, _general(e))])

    def homogeneous() -> Iterator[Document]:
        # The documents of both Proactive stages, each in proportion to its budget, in one shuffled stream.
        share = e.stage_2_steps / (e.stage_1_steps + e.stage_2_steps)
        return _mixed(e, with_io(), [(share, without_io(e.stage_2_replay_ratio))])

    def stage(number: int, label: str, steps: int, rate: float, documents: Callable[[], Iterator[Document]]) -> Stage:
        return Stage(number, label, steps, rate, lambda: _guarded(documents(), e))

    def rewarded() -> list[Stage]:
        steps = e.grpo_warmup_steps
        warm = [stage(2, "executions", steps, gentle, lambda: executions(WITH_IO))] if steps else []
        # The questions of `executions` in their order, without general documents: those have no answer to reward.
        number, rate = 2 + len(warm), e.grpo_learning_rate
        questions = stage(number, "executions, GRPO", e.grpo_steps, rate, lambda: asked(WITH_IO))
        settings = {
            "completions": e.grpo_completions,
            "group_size": e.grpo_group,
            "generation_batch_size": e.grpo_completions,
            "temperature": e.grpo_temperature,
            "max_completion_length": e.grpo_length,
            "beta": e.grpo_beta,
            "loss_type": e.grpo_loss,
        }
        return [*warm, replace(questions, objective=tuple(settings.items()))]

    one, two, expose, execute = e.stage_1_steps, e.stage_2_steps, e.exposure_steps, e.execution_steps
    fast, gentle = e.learning_rate, e.stage_2_learning_rate
    exposure = (WITH_IO,)
    stages: dict[str, Callable[[], list[Stage]]] = {
        "stage_1_only": lambda: [stage(1, "w/ IO", one, fast, with_io)],
        "stage_2_only": lambda: [stage(1, "w/o IO", two, gentle, lambda: without_io(0.0))],
        "homogeneous": lambda: [stage(1, "mixture", one + two, fast, homogeneous)],
        "proactive": lambda: [
            stage(1, "w/ IO", one, fast, with_io),
            stage(2, "w/o IO", two, gentle, lambda: without_io(e.stage_2_replay_ratio)),
        ],
        "no_demonstrations": lambda: [stage(1, "all sources", expose, fast, all_sources)],
        "retroactive": lambda: [
            stage(1, "all sources", expose, fast, all_sources),
            stage(2, "executions", execute, gentle, lambda: executions(WITH_IO)),
        ],
        "retroactive_grpo": lambda: [
            stage(1, "all sources", expose, fast, all_sources),
            *rewarded(),
        ],
        "skip_exposure": lambda: [
            stage(1, "w/ IO sources", expose, fast, lambda: sources(exposure)),
            stage(2, "executions", execute, gentle, lambda: executions(WITH_IO)),
        ],
        "grpo_without_pbb": lambda: [
            stage(1, "w/ IO sources", expose, fast, lambda: sources(exposure)),
            *rewarded(),
        ],
        "distillation": lambda: [stage(1, "demonstrations", one, fast, lambda: executions(DISTILLED))],
        "pbb_and_distillation": lambda: [
            stage(1, "w/ IO", one, fast, with_io),
            stage(2, "source and pairs", two, gentle, source_and_pairs),
        ],
    }
    return stages[arm]()
