"""Run experiments: say beforehand what will be computed, compute what is missing, return the records.

``pbb.run(experiments)`` is the one call that notebooks and the command line make. Experiments that share a stage
train it once; whatever is complete is never redone; after a kill the same call goes on where it stopped.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from pbb import store
from pbb.arms import ARMS
from pbb.experiments.curricula import curriculum
from pbb.experiments.experiment import Experiment
from pbb.experiments.groups import groups
from pbb.models import backends
from pbb.models.hub import free_disk
from pbb.models.machine import Machine, this_machine
from pbb.records import KNOBS, SCHEMA_VERSION, load_records, save_records
from pbb.runs import estimates
from pbb.runs.engine import RunError, card_bytes, execute
from pbb.runs.keys import base_key, stage_keys
from pbb.runs.tasks import EvaluationTask, StageTask, Task, count, seconds_taken
from pbb.store import environment_manifest, is_complete, read_manifest
from pbb.streams import digest

# Tokens a second in training on one core of a 2023 server processor: for estimates until this machine has runs.
TOKENS_PER_SECOND = {"tiny-s": 15_000, "tiny-m": 8_000, "tiny-l": 3_500}
EXECUTORS = ("workers", "local", "slurm")


class BudgetError(RuntimeError):
    """A call's minutes are used up before all is done; the message says what is left. What was complete is kept."""


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


def spent(experiment: Experiment) -> list[tuple[int, int]]:
    """Return tokens and questions that the model was trained on before each of `points`, its stages being complete.

    Within a stage both are counted by its share of steps. Raises RecordsError where a stage's manifest is gone.
    """
    found = [(0, 0)]
    for index, stage in enumerate(curriculum(experiment)):
        task, (tokens, questions) = StageTask(experiment, index), found[-1]
        more_tokens, more_questions = task.spent()
        for step in task.checkpoints():
            done = (tokens + more_tokens * step // stage.steps, questions + more_questions * step // stage.steps)
            found.append(done)
    return found


@dataclass(frozen=True)
class Plan:
    """What a run will do: every distinct task after those that it needs, and those that are still to be done."""

    experiments: tuple[Experiment, ...]
    tasks: tuple[Task, ...]
    missing: tuple[Task, ...]
    workers: int
    machine: Machine | None = None  # that is planned for, where it is not this one

    @cached_property
    def _meant(self) -> Machine:
        """The machine that is planned for. To know this one loads torch, so not where nothing is missing."""
        return self.machine or (this_machine() if self.missing else Machine())

    @cached_property
    def estimates(self) -> dict[Path, float]:
        """How long each missing task should take, in seconds, by its folder: as measured here, else estimates."""
        m = self._meant
        rates, found = {} if self.machine else _measured_rates("cuda" if m.card else "cpu"), {}
        for task in self.missing:
            model = task.experiment.model
            rate = rates.get(model, TOKENS_PER_SECOND.get(model) or backends.tokens_per_second(model))
            if m.card and (model not in rates or isinstance(task, EvaluationTask) or task.stage.objective):
                seconds = estimates.seconds(task, m)
            else:
                seconds = task.tokens / rate
            found[task.folder] = task.tokens / rate if seconds is None else seconds
        return found

    @property
    def seconds(self) -> float:
        """How long the missing tasks should take together, in seconds: an estimate. On a card one after the other."""
        each, m = self.estimates.values(), self._meant
        if m.card:
            return sum(each) / m.cards
        return max(sum(each) / self.workers, max(each, default=0.0)) + (10 if self.missing else 0)

    def longer_than(self, budget_min: float) -> list[str]:
        """Return lines that name the missing stages which should take longer than so many minutes; often none.

        Raises:
            ValueError: `budget_min` is no number of minutes.
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
        m = self._meant
        lines += [f"  {task}{self._cost(task, m)}" for task in to_train]
        if to_train:
            lines += [f"  {line}" for line in backends.lines(to_train, m)]
        evaluations = len(self.missing) - len(to_train)
        if self.missing and m.card:
            asking = sum(self.estimates[t.folder] for t in self.missing if isinstance(t, EvaluationTask))
            lines.append(f"  and {evaluations} evaluations: about {estimates.duration(asking)}")
            lines.append(
                f"  in all about {estimates.duration(self.seconds)}, one after the other on each {m.card}; "
                "what fits its memory together goes side by side, and takes less"
            )
            lines.append(f"  {estimates.assumptions(m)}")
        elif self.missing:
            minutes = max(1, round(self.seconds / 60))
            lines.append(f"  and {evaluations} evaluations: about {minutes} min on {self.workers} workers")
        else:
            lines.append("  nothing to compute")
        if to_train:
            size = sum(estimates.stage_bytes(t.experiment, len(t.checkpoints()), m) for t in to_train)
            free = "" if self.machine else f" in {store.runs()}, with {estimates.amount(free_disk(store.runs()))} free"
            lines.append(f"  weights: about {estimates.amount(size)} of disk{free}")
        return "\n".join(lines)

    def _cost(self, task: StageTask, machine: Machine) -> str:
        """Return what a stage should take of a card's time and memory, as the end of its line; "" without a card."""
        try:
            size = card_bytes(task, machine)
        except backends.BackendError:  # which `backends.lines` tells
            return ""
        if not machine.card:
            return ""
        memory = "" if math.isinf(size) else f", {estimates.amount(size)}"
        return f"; about {estimates.duration(self.estimates[task.folder])}{memory}"


def _measured_rates(device: str) -> dict[str, float]:
    """Return training tokens a second by model, from the complete stages of SFT on "cpu" or "cuda" in the run store."""
    rates: dict[str, list[float]] = {}
    for folder in sorted((store.runs() / "stages").glob("[0-9a-f]*"))[:50]:
        manifest = read_manifest(folder)
        done = manifest and manifest.get("kind") == "stage" and manifest.get("seconds")
        if manifest and done and not manifest.get("objective") and str(manifest.get("device")).startswith(device):
            rates.setdefault(manifest["base_model"]["name"], []).append(manifest["tokens"] / manifest["seconds"])
    return {model: sorted(values)[len(values) // 2] for model, values in rates.items()}


def plan(
    experiments: Iterable[Experiment] | Experiment, workers: int | None = None, machine: Machine | None = None
) -> Plan:
    """Return what running `experiments` would compute, on another `machine` than this if given; computes nothing."""
    chosen = _chosen(experiments)
    tasks: dict[Path, Task] = {}
    for experiment in chosen:
        for point in points(experiment):
            for task in [*with_needs(point.task), point.task]:
                tasks.setdefault(task.folder, task)
    missing = tuple(task for task in tasks.values() if not is_complete(task.folder))
    # A stage whose every use is complete need not be there: its weights may have been deleted to save space.
    wanted = {need.folder for task in missing if isinstance(task, EvaluationTask) for need in with_needs(task)}
    missing = tuple(t for t in missing if isinstance(t, EvaluationTask) or t.folder in wanted)
    return Plan(chosen, tuple(tasks.values()), missing, workers or os.cpu_count() or 1, machine)


def _chosen(experiments: Iterable[Experiment] | Experiment) -> tuple[Experiment, ...]:
    """Return the experiments that a call is about, each once. Raises ValueError for anything else."""
    chosen = (experiments,) if isinstance(experiments, Experiment) else tuple(dict.fromkeys(experiments))
    if other := [one for one in chosen if not isinstance(one, Experiment)]:
        raise ValueError(
            f"experiments: {other[0]!r} is a {type(other[0]).__name__}; valid: an Experiment, or several. Those of a "
            "figure are pbb.experiments.studies.study('F05', 'cpu')"
        )
    return chosen


def with_needs(task: Task) -> list[Task]:
    found: list[Task] = []
    for need in task.needs:
        found += [*with_needs(need), need]
    return found


def run(
    experiments: Iterable[Experiment] | Experiment,
    *,
    preset: str = "custom",
    workers: int | None = None,
    executor: str = "workers",
    slurm: Mapping[str, Any] | None = None,
    budget_min: float | None = None,
    say: Callable[[str], object] = print,
) -> pd.DataFrame:
    """Compute whatever is missing of `experiments` and return their records.

    Args:
        experiments: one or several; duplicates are run once.
        preset: written into the records; figures never mix presets.
        workers: processes that train and evaluate, one thread each, at most; None takes one a core. On a card there
            are as many at once as fit its memory (see `pbb.runs.engine`).
        executor: ``"workers"`` computes in processes of this call; ``"local"`` and ``"slurm"`` in jobs that submitit
            starts here or on a Slurm cluster (see `pbb.runs.executors`, also for where logs are).
        slurm: sbatch's options for ``executor="slurm"``, such as ``{"partition": "gpu", "time": 60}`` (minutes).
        budget_min: minutes from the start of this call in which to get done what can be; None for no limit. No task
            is begun that would, by the plan's estimate, go on beyond them, and what runs is finished. Where nothing
            would end in time, the shortest is begun all the same: every call gets something done.
        say: where the plan and one line a finished task go.

    Raises:
        BudgetError: the budget is used up and something is left; the message says what, and the same call goes on.
        RunError: a task failed; the message names it, and its log. What was complete is kept.
        ValueError: there is no such executor, another argument does not go with it, or there are no experiments.
    """
    started = time.perf_counter()
    _check_executor(executor, workers, slurm, budget_min)
    chosen = _chosen(experiments)
    if not chosen:
        raise ValueError("experiments: none were given; valid: one or more")
    todo = plan(chosen, len(chosen) if executor == "slurm" else workers)
    say(str(todo))
    for line in todo.longer_than(budget_min) if budget_min is not None else ():
        say(f"  {line}")
    if todo.missing:
        _check_store()
        if executor == "workers":  # a job may land on a machine that has what this one has not
            backends.check(task for task in todo.missing if isinstance(task, StageTask))
        backends.fetch(task.experiment for task in todo.missing)
    if todo.missing and executor == "workers":
        until = math.inf if budget_min is None else started + 60 * budget_min
        left = execute(todo.missing, todo.workers, say, seconds=lambda task: todo.estimates[task.folder], until=until)
        if left and budget_min is not None:
            raise BudgetError(_stopped(todo, left, budget_min, time.perf_counter() - started))
    elif todo.missing:
        from pbb.runs import executors

        jobs = executors.jobs(chosen, todo.missing)
        executors.execute(jobs, executor, say, workers=todo.workers, slurm=slurm)
    return pd.concat([_collect(experiment, preset) for experiment in chosen], ignore_index=True)


def _stopped(todo: Plan, left: Sequence[Task], budget_min: float, seconds: float) -> str:
    """Return what a call says that stops with something left to do."""
    stages = sum(isinstance(task, StageTask) for task in left)
    rest = replace(todo, missing=tuple(left)).seconds / 60
    what = [count(stages, "stage")] * (stages > 0) + [count(len(left) - stages, "evaluation")] * (len(left) > stages)
    return (
        f"Stopped after {seconds / 60:.1f} min, since nothing that is left fits a budget of {budget_min:g} min.\n"
        f"Done and kept: {len(todo.tasks) - len(left)} of {len(todo.tasks)} tasks, "
        f"{len(todo.missing) - len(left)} of them by this call.\n"
        f"Left: {' and '.join(what)}, about {max(1, round(rest))} min."
    )


def check_budget(budget_min: float | None) -> None:
    """Raise ValueError unless `budget_min` is None or a number of minutes."""
    number = isinstance(budget_min, (int, float)) and not isinstance(budget_min, bool)
    if budget_min is not None and not (number and 0 < budget_min < math.inf):
        raise ValueError(f"budget_min={budget_min!r} is not valid; valid: minutes, more than 0, or None for no limit")


def _check_executor(
    executor: str, workers: int | None, slurm: Mapping[str, Any] | None, budget_min: float | None
) -> None:
    check_budget(budget_min)
    if executor not in EXECUTORS:
        raise ValueError(f"executor={executor!r} is not valid; valid: {', '.join(EXECUTORS)}")
    if workers is not None and (isinstance(workers, bool) or not isinstance(workers, int) or workers < 1):
        raise ValueError(f"workers={workers!r} is not valid; valid: None for one a core, or a whole number from 1")
    if executor == "slurm" and workers is not None:
        raise ValueError(f"workers={workers!r} is not valid with executor='slurm', whose queue decides; valid: None")
    if executor != "workers" and budget_min is not None:
        raise ValueError(
            f"budget_min={budget_min!r} is not valid with executor={executor!r}, whose jobs go on without this call; "
            "valid: None"
        )
    if executor != "slurm" and slurm:
        raise ValueError(f"slurm={dict(slurm)!r} is not valid with executor={executor!r}; valid: None")


def _check_store() -> None:
    folder, wrong = store.runs(), "it is read-only"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        wrong = error.strerror or str(error)
    if not (folder.is_dir() and os.access(folder, os.W_OK)):
        raise RunError(f"{folder}: no runs can be kept there ({wrong}); valid: PBB_RUNS=/a/folder/that/can/be/written")


def described(experiment: Experiment) -> dict[str, Any]:
    """Return the columns of records that say what an experiment is."""
    split = experiment.split
    found = {name: experiment.value(name, 1) for name in ("model", "representation", "seed", *KNOBS)}
    if ARMS[experiment.arm].measured == "AD" and split.distilled_demonstrations:
        found["demonstrations"] = split.distilled_demonstrations
    return {**found, "domain": experiment.domain, "curriculum": experiment.arm}


def _collect(experiment: Experiment, preset: str) -> pd.DataFrame:
    """Return the experiment's records, from its run folder or from its evaluations."""
    where = points(experiment)
    made_of = digest(SCHEMA_VERSION, preset, [p.task.key for p in where])[:8]
    folder = store.runs() / "results" / f"{experiment.name}-{made_of}"
    if is_complete(folder):
        return load_records(folder)
    trained_on = spent(experiment)
    total = max(trained_on[-1][0], 1)
    frames = []
    for point, (tokens, questions) in zip(where, trained_on, strict=True):
        frame = point.task.answers().assign(stage=point.stage, step=point.step)
        frames.append(frame.assign(tokens=tokens, questions_trained=questions, progress=tokens / total))
    frame = pd.concat(frames, ignore_index=True).assign(
        experiment=experiment.name, preset=preset, **described(experiment)
    )
    programs = [p.to_json() for group in groups(experiment) for p in group.programs]
    manifest = {
        "kind": "run",
        "preset": preset,
        "experiment": experiment.to_json(),
        "name": experiment.name,
        "base_model": base_key(experiment),
        "stages": stage_keys(experiment),
        "evaluations": [point.task.key for point in where],
        "programs": digest(programs),
        "seconds": sum(
            map(seconds_taken, {t.folder: t for p in where for t in [*with_needs(p.task), p.task]}.values())
        ),
        "tokens": trained_on[-1][0],
        **environment_manifest(),
    }
    save_records(folder, frame, manifest)
    return load_records(folder)
