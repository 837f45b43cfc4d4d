"""Say beforehand what a run will compute, how long it should take, and what it leaves on disk.

Times come from what earlier runs on this machine measured of the same model; until there are any, from a calibration of
a few seconds (`machine.training_rate`), scaled by parameters and tokens.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

from pbb import store
from pbb.experiments.curricula import curriculum
from pbb.experiments.experiment import Experiment
from pbb.models import backends
from pbb.models.hub import free_disk
from pbb.models.machine import Machine, cores, this_machine, training_rate
from pbb.models.model_size import GB, Shape
from pbb.records import SCHEMA_VERSION
from pbb.registry import TINY_NAMES, config_of, label
from pbb.runs.tasks import EvaluationTask, StageTask, Task, count
from pbb.store import RecordsError, check_all, is_complete, read_manifest
from pbb.streams import digest

START_S = 10  # until workers have begun
UNKNOWN = 1_000_000_000  # parameters of a model whose config.json does not tell
SMALL = 2e7  # parameters, up to which `models.loading.save` keeps float32


@dataclass(frozen=True)
class Point:
    """A place on a curriculum where the model is asked."""

    task: EvaluationTask
    stage: int
    step: int


def points(experiment: Experiment) -> list[Point]:
    """Return where `experiment` is evaluated: the base model, then each checkpoint of each stage."""
    found = [Point(EvaluationTask(experiment, -1, 0), 0, 0)]
    for index, stage in enumerate(curriculum(experiment)):
        for step in StageTask(experiment, index).checkpoints():
            evaluation = EvaluationTask(experiment, index, step, full=step == stage.steps)
            found.append(Point(evaluation, stage.number, step))
    return found


def with_needs(task: Task) -> list[Task]:
    """Return `task` after everything that has to be done before it."""
    return [*(before for need in task.needs for before in with_needs(need)), task]


@dataclass(frozen=True)
class Plan:
    """What a run will do: every distinct task after those that it needs, and those that are still to be done."""

    experiments: tuple[Experiment, ...]
    tasks: tuple[Task, ...]
    missing: tuple[Task, ...]
    asked_workers: int | None = None

    @cached_property
    def machine(self) -> Machine:
        """This machine. To know its card loads torch, so not where nothing is missing."""
        return this_machine() if self.missing else Machine(cores=cores())

    @property
    def workers(self) -> int:
        """Processes at once: as many as were asked for, else one a card, or one a core where there is no card."""
        return self.asked_workers or (self.machine.cards if self.machine.card else self.machine.cores)

    @cached_property
    def _measured(self) -> dict[str, float]:
        return measured_rates("cuda" if self.machine.card else "cpu")

    @cached_property
    def estimates(self) -> dict[Path, float]:
        """How long each missing task should take, in seconds, by its folder."""
        return {task.folder: task.tokens / self._rate(task.experiment.model) for task in self.missing}

    def _rate(self, model: str) -> float:
        return self._measured.get(label(model)) or tokens_per_second(model)

    def _rate_of_all(self, model: str) -> float:
        return self.workers * self._rate(model)

    @property
    def seconds(self) -> float:
        """How long the missing tasks should take together, in seconds."""
        each = self.estimates.values()
        return max(sum(each) / self.workers, max(each, default=0.0)) + (START_S if self.missing else 0)

    def longer_than(self, budget_min: float) -> list[str]:
        """Return lines that name the missing stages which should take longer than so many minutes; often none.

        Raises ValueError if `budget_min` is no number of minutes.
        """
        check_budget(budget_min)
        stages = [(self.estimates[t.folder] / 60, t) for t in self.missing if isinstance(t, StageTask)]
        long = [f"  about {minutes:.0f} min: {task}" for minutes, task in stages if minutes > budget_min]
        head = f"longer than a budget of {budget_min:g} min, so begun when nothing else fits, and finished:"
        return [head, *long] if long else []

    def __str__(self) -> str:
        stages = [t for t in self.tasks if isinstance(t, StageTask)]
        to_train = [t for t in self.missing if isinstance(t, StageTask)]
        asked = sum(len(curriculum(e)) for e in self.experiments)
        shared = f", shared by arms that would train {asked}" if asked > len(stages) else ""
        lines = [
            f"{count(len(self.experiments), 'experiment')}: {count(len(stages), 'stage')} to train{shared}; "
            f"{len(stages) - len(to_train)} are done"
        ]
        if not self.missing:
            return "\n".join([*lines, "  nothing to compute"])
        lines += [f"  {task}" for task in to_train]
        if to_train:
            lines += [f"  {line}" for line in backends.lines(to_train, self.machine, self._rate_of_all)]
        evaluations, minutes = len(self.missing) - len(to_train), max(1, round(self.seconds / 60))
        lines.append(
            f"  and {count(evaluations, 'evaluation')}: about {minutes} min on {count(self.workers, 'worker')}"
        )
        models = dict.fromkeys(label(task.experiment.model) for task in self.missing)
        for tiny in (True, False):
            unmeasured = [one for one in models if one not in self._measured and (one in TINY_NAMES) == tiny]
            if unmeasured:
                rate = f"{training_rate(tiny) / 1e9:,.0f} GFLOP/s {'on the card' if self.machine.card else 'a core'}"
                lines.append(f"  no run of {', '.join(unmeasured)} was measured here yet: times by calibration, {rate}")
        if to_train:
            size, free = sum(stage_bytes(t, self.machine) for t in to_train), free_disk(store.runs())
            where = f"of disk in {store.shown(store.runs())}, with {amount(free)} free"
            lines.append(f"  weights: about {amount(size)} {where}")
        return "\n".join(lines)


def plan(experiments: Iterable[Experiment] | Experiment, workers: int | None = None, preset: str = "") -> Plan:
    """Return what running `experiments` would compute, with so many `workers`; computes nothing.

    With `preset`, the one that records are marked with, stages count that were deleted before records were collected.
    Raises ValueError as `chosen` does, or if `workers` is no such number.
    """
    if workers is not None and (type(workers) is not int or workers < 1):
        valid = "None for one a core or card, or a whole number from 1"
        raise ValueError(f"workers={workers!r} is not valid; valid: {valid}")
    those = chosen(experiments)
    tasks: dict[Path, Task] = {}
    for point in (point for experiment in those for point in points(experiment)):
        for task in with_needs(point.task):
            tasks.setdefault(task.folder, task)
    collected = dict(results(e, preset) for e in those if preset)
    check_all(partial(is_complete, folder) for folder in (*tasks, *collected))
    missing = [task for task in tasks.values() if not is_complete(task.folder)]
    # A stage whose every use is complete need not be there: its weights may have been deleted to save space.
    users = [task for task in missing if isinstance(task, EvaluationTask)]
    users += [point.task for folder, where in collected.items() if not is_complete(folder) for point in where]
    wanted = {need.folder for task in users for need in with_needs(task)[:-1]}
    missing = [task for task in missing if isinstance(task, EvaluationTask) or task.folder in wanted]
    return Plan(those, tuple(tasks.values()), tuple(missing), workers)


def results(experiment: Experiment, preset: str) -> tuple[Path, list[Point]]:
    """Return the folder of an experiment's records, and the points that they are collected from."""
    where = points(experiment)
    made_of = digest(SCHEMA_VERSION, preset, [p.task.key for p in where])[:8]
    return store.runs() / "results" / f"{experiment.name}-{made_of}", where


def chosen(experiments: Iterable[Experiment] | Experiment) -> tuple[Experiment, ...]:
    """Return the experiments that a call is about, each once.

    Raises ValueError for anything else, or nothing, or if records would call two of the models the same.
    """
    several = list(experiments) if isinstance(experiments, Iterable) else [experiments]
    if other := [one for one in several if not isinstance(one, Experiment)]:
        raise ValueError(
            f"experiments: {other[0]!r} is of type {type(other[0]).__name__}; valid: an Experiment, or several. Those "
            "of a figure are pbb.experiments.studies.study('F05', 'cpu')"
        )
    if not several:
        raise ValueError("experiments: none were given; valid: one or more")
    called: dict[str, str] = {}
    for model in dict.fromkeys(e.model for e in several):
        if (first := called.setdefault(label(model), model)) != model:
            raise ValueError(
                f"model={model!r} is not valid beside model={first!r}, since records would call both {label(model)!r}; "
                "valid: folders or files of different names"
            )
    return tuple(dict.fromkeys(several))


def check_budget(budget_min: float | None) -> None:
    """Raise ValueError unless `budget_min` is None or a number of minutes."""
    number = isinstance(budget_min, (int, float)) and not isinstance(budget_min, bool)
    if budget_min is not None and not (number and 0 < budget_min < math.inf):
        raise ValueError(f"budget_min={budget_min!r} is not valid; valid: minutes, more than 0, or None for no limit")


# --------------------------------------------------------------------------------------------- times and sizes
def measured_rates(device: str) -> dict[str, float]:
    """Return training tokens a second by model, from the complete stages of SFT on "cpu" or "cuda" in the run store."""
    rates: dict[str, list[float]] = {}
    for folder in sorted((store.runs() / "stages").glob("[0-9a-f]*")):
        with suppress(RecordsError, KeyError):  # a damaged or foreign one matters to those alone who read more of it
            manifest = read_manifest(folder) or {}
            whole = not (manifest.get("objective") or manifest.get("went_on"))
            if whole and manifest["device"].startswith(device) and manifest["seconds"]:
                rates.setdefault(manifest["base_model"]["name"], []).append(manifest["tokens"] / manifest["seconds"])
    return {model: sorted(values)[len(values) // 2] for model, values in rates.items()}


def tokens_per_second(model: str) -> float:
    """Return about how many tokens of `model` are trained on a second here, on one core or card, by calibration."""
    return training_rate(model in TINY_NAMES) / (6 * _parameters(model))


def _parameters(model: str) -> int:
    shape = Shape.of(config_of(model))
    return shape.parameters if shape else UNKNOWN


def stage_bytes(task: StageTask, machine: Machine) -> float:
    """Return about how many bytes of disk a stage's checkpoints take."""
    size = _parameters(task.experiment.model)
    return len(task.checkpoints()) * size * (2 if machine.card and size >= SMALL else 4)


def amount(size: float) -> str:
    """Return bytes as it is said: ``"33 MB"``, ``"0.3 GB"``, ``"18 GB"``, ``"1.1 TB"``."""
    if size < 0.1 * GB:
        return f"{size / 1e6:.0f} MB"
    size, name = (size / 1e12, "TB") if size >= 1e12 else (size / GB, "GB")
    return f"{size:.1f} {name}" if size < 10 else f"{size:.0f} {name}"
