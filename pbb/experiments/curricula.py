"""Curricula: which documents a model sees, in which stages.

Proactive and Retroactive are Algorithms 1 and 2 of the paper; the other arms are their controls (`pbb.arms`). A stage
is described by literals alone: sources of documents with their shares, a budget, an objective. So its key is a hash of
what it reads, and knowing it draws no program. Its documents are an endless stream, drawn by hashing: every epoch
samples new pointer contexts and inputs, and arms that share a stage share it to the last token.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from pbb.arms import ARMS
from pbb.experiments.documents import DISTILLED, PARTS, VALUES, WITH_IO, WITHOUT_IO, Document
from pbb.experiments.experiment import Budget, Experiment
from pbb.experiments.groups import groups
from pbb.experiments.leakage import guarded
from pbb.experiments.sources import DECLARE, EXECUTE, OUTPUTS, Epochs, General, Mix, Source, documents_of


@dataclass(frozen=True)
class Stage:
    """Documents, a budget and an objective. `objective` is empty for SFT; for GRPO, the settings of its trainer."""

    number: int
    label: str
    steps: int
    learning_rate: float
    source: Source
    experiment: Experiment = field(repr=False)
    objective: tuple[tuple[str, Any], ...] = ()
    lora_rank: int = 0  # 0 trains all weights

    @property
    def trained(self) -> Experiment:
        """The experiment, with this stage's rank as that of its training."""
        return self.experiment.changed(lora_rank=self.lora_rank)

    def documents(self) -> Iterator[Document]:
        """Yield the stage's documents without end, the same at every call. Raises LeakageError."""
        return guarded(documents_of(self.source, self.experiment), groups(self.experiment))

    def reads(self) -> list[Any]:
        """Return what tells this stage from others of its experiment, in values that JSON can write."""
        source = [type(self.source).__name__, asdict(self.source)]
        return [self.label, self.steps, self.learning_rate, source, dict(self.objective), self.lora_rank]


TAUGHT_AND_SHOWN = ((DECLARE, WITH_IO), (EXECUTE, WITH_IO))
HIDDEN = ((DECLARE, PARTS), (DECLARE, WITHOUT_IO))  # the parts of w/o IO composites, where there are such


def _with_general(main: Epochs, budget: Budget) -> Mix:
    return Mix(main, ((budget.general, General()),))


def _with_io(e: Experiment) -> Mix:
    return _with_general(Epochs("w/ IO", TAUGHT_AND_SHOWN), e.training.stage_1)


def _replayed(e: Experiment, replay: float) -> tuple[tuple[float, Source], ...]:
    return ((e.training.stage_2.general, General()), (replay, Epochs("replay", TAUGHT_AND_SHOWN)))


def _without_io(e: Experiment, replay: float) -> Mix:
    return Mix(Epochs("w/o IO", HIDDEN), _replayed(e, replay))


def _sources(e: Experiment, *parts: tuple[str, str]) -> Mix:
    return _with_general(Epochs("sources", parts), e.training.exposure)


def _shown_run(budget: Budget, group: str, how: str = EXECUTE) -> Mix:
    return _with_general(Epochs("executions", ((how, group),)), budget)


Made = tuple[str, int, float, Source, int]  # label, steps, rate, documents, rank of adapters


def _mixture(e: Experiment) -> Made:
    """Both Proactive stages' documents, each in proportion to its budget, in one shuffled stream."""
    one, two = e.training.stage_1, e.training.stage_2
    share = two.steps / (one.steps + two.steps)
    both = Mix(_with_io(e), ((share, _without_io(e, e.training.replay)),))
    return "mixture", one.steps + two.steps, one.rate, both, one.lora_rank


def _from_nothing(e: Experiment, how: str) -> Made:
    """Demonstrations of AD programs alone, for as many steps as Proactive has in all."""
    one, two = e.training.stage_1, e.training.stage_2
    return "demonstrations", one.steps + two.steps, one.rate, _shown_run(one, DISTILLED, how), one.lora_rank


def _outputs_next(e: Experiment) -> Made:
    """Proactive's Stage 2 with outputs of AD programs in place of their sources."""
    pairs = Mix(Epochs("w/o IO", ((OUTPUTS, DISTILLED),)), _replayed(e, e.training.replay))
    return _spend("outputs", e.training.stage_2, pairs)


def _pairs(e: Experiment) -> Made:
    """AD programs: what the source says, and outputs of it."""
    budget = e.training.stage_2
    pairs = (e.training.distillation_ratio, Epochs("executions", ((OUTPUTS, DISTILLED),)))
    mixed = Mix(Epochs("w/o IO", ((DECLARE, DISTILLED),)), (*_replayed(e, e.training.replay), pairs))
    return _spend("source and pairs", budget, mixed)


def _spend(label: str, budget: Budget, source: Source) -> Made:
    return label, budget.steps, budget.rate, source, budget.lora_rank


# What each stage of `pbb.arms.ARMS` is. Algorithm 1 (Proactive) is with_io, then without_io; Algorithm 2 (Retroactive)
# is all_sources, then executions or rewards.
STAGES: dict[str, Callable[[Experiment], Made]] = {
    "with_io": lambda e: _spend("w/ IO", e.training.stage_1, _with_io(e)),
    "without_io": lambda e: _spend("w/o IO", e.training.stage_2, _without_io(e, e.training.replay)),
    "without_io_alone": lambda e: _spend("w/o IO", e.training.stage_2, _without_io(e, 0.0)),
    "mixture": _mixture,
    "all_sources": lambda e: _spend("all sources", e.training.exposure, _sources(e, (DECLARE, WITH_IO), *HIDDEN)),
    "with_io_sources": lambda e: _spend("w/ IO sources", e.training.exposure, _sources(e, (DECLARE, WITH_IO))),
    "executions": lambda e: _spend("executions", e.training.execution, _shown_run(e.training.execution, WITH_IO)),
    "warm_up": lambda e: (
        "executions",
        e.grpo.warmup_steps,
        e.training.execution.rate,
        _shown_run(e.training.execution, WITH_IO),
        e.training.execution.lora_rank,
    ),
    # The questions of "executions" in their order, without general documents: those have no answer to reward.
    "rewards": lambda e: (
        "executions, GRPO",
        e.grpo.steps,
        e.grpo.rate,
        Epochs("executions", ((EXECUTE, WITH_IO),)),
        e.training.execution.lora_rank,
    ),
    "outputs": lambda e: _from_nothing(e, OUTPUTS),
    "values": lambda e: _from_nothing(e, VALUES),
    "traces": lambda e: _from_nothing(e, EXECUTE),
    "outputs_next": _outputs_next,
    "source_and_pairs": _pairs,
}


def curriculum(experiment: Experiment) -> list[Stage]:
    """Return the stages of the experiment's arm in order, none for the arms that train nothing."""
    stages: list[Stage] = []
    for name in ARMS[experiment.arm].stages:
        label, steps, rate, source, rank = STAGES[name](experiment)
        rank = rank or experiment.training.lora_rank
        if steps:  # GRPO may go without a warm-up
            objective = _objective(experiment) if name == "rewards" else ()
            stages.append(Stage(len(stages) + 1, label, steps, rate, source, experiment, objective, rank))
    return stages


def _objective(e: Experiment) -> tuple[tuple[str, Any], ...]:
    """Return the settings of `pbb.models.grpo.PolicyOptimisation`."""
    settings = {
        "completions": e.grpo.completions,
        "group_size": e.grpo.group_size,
        "temperature": e.grpo.temperature,
        "max_completion_length": e.grpo.length,
        "beta": e.grpo.beta,
        "loss_type": e.grpo.loss,
    }
    return tuple(settings.items())
