"""Run experiments: compute what is missing, return the records.

``pbb.run(experiments)`` is the one call that notebooks and the command line make. Experiments that share a stage
train it once; whatever is complete is never redone; after a kill the same call goes on where it stopped.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from pbb import store
from pbb.arms import ARMS
from pbb.experiments.curricula import curriculum
from pbb.experiments.experiment import Experiment
from pbb.experiments.groups import groups
from pbb.models import backends
from pbb.programs.domains import DOMAINS
from pbb.records import KNOBS, RECORDS, load_records, save_records
from pbb.registry import label
from pbb.runs import engine
from pbb.runs.engine import RunError, execute
from pbb.runs.keys import base_key, stage_keys
from pbb.runs.plan import Plan, Point, check_budget, chosen, plan, points, results, with_needs
from pbb.runs.tasks import ANSWERS, EvaluationTask, StageTask, Task, count, seconds_taken, step_name
from pbb.store import MANIFEST, check_all, checked, environment_manifest, is_complete
from pbb.streams import digest

__all__ = ["BudgetError", "Plan", "Point", "RunError", "StageTask", "plan", "points", "run", "spent"]
EXECUTORS = ("workers", "local", "slurm")
_QUEUE, _ALONE = "whose queue decides", "whose jobs go on without this call"


class BudgetError(RuntimeError):
    """A call's minutes are used up before all is done; the message says what is left. What was complete is kept."""


def spent(experiment: Experiment) -> list[tuple[int, int]]:
    """Return tokens and questions that the model was trained on before each of `points`, its stages being complete.

    Within a stage both are counted by its share of steps. Raises RecordsError where a stage's manifest is gone.
    """
    found = [(0, 0)]
    for index, stage in enumerate(curriculum(experiment)):
        task, (tokens, questions) = StageTask(experiment, index), found[-1]
        shares = [(step, *task.spent()) for step in task.checkpoints()]
        found += [(tokens + t * step // stage.steps, questions + q * step // stage.steps) for step, t, q in shares]
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
        workers: processes that train and evaluate, one thread each, at most; None takes one a visible card, or one a
            core where there is no card. More than there are cards share them in turn, whatever memory that takes.
        executor: ``"workers"`` computes in processes of this call; ``"local"`` and ``"slurm"`` in jobs that submitit
            starts here or on a Slurm cluster (see `pbb.runs.engine`); each names its log.
        slurm: sbatch's options for ``executor="slurm"``, such as ``{"partition": "gpu", "time": 60}`` (minutes).
        budget_min: minutes from the start of this call; None for no limit. No task is begun that would, by the plan's
            estimate, go on beyond them, but for the shortest where nothing else was: every call gets something done.
        say: where the plan and one line a finished task go.

    Raises:
        BudgetError: the budget is used up and something is left; the message says what, and the same call goes on.
        RunError: a task failed; the message names it, and its log. What was complete is kept.
        ValueError: there is no such executor, another argument does not go with it, or there are no experiments.
    """
    started = time.perf_counter()
    _check_arguments(executor, workers, slurm, budget_min)
    those = chosen(experiments)
    todo = plan(those, len(those) if executor == "slurm" else workers, preset)
    say(str(todo))
    for line in todo.longer_than(budget_min) if budget_min is not None else ():
        say(f"  {line}")
    _check_what_is_read(todo, preset)
    if todo.missing:
        _check_store()
        for folder in ("stages", "evaluations", "results"):
            store.sweep(store.runs() / folder)
        if executor == "workers":  # a job may land on a machine that has what this one has not
            backends.check(task for task in todo.missing if isinstance(task, StageTask))
        backends.fetch(task.experiment for task in todo.missing)
    if todo.missing and executor == "workers":
        until = started + 60 * (budget_min or math.inf)
        left = execute(todo.missing, todo.workers, say, seconds=lambda task: todo.estimates[task.folder], until=until)
        if left and budget_min is not None:
            raise BudgetError(_stopped(todo, left, budget_min, time.perf_counter() - started))
    elif todo.missing:
        queue = engine.Slurm(slurm or {}, say) if executor == "slurm" else engine.Local(executor, todo.workers, say)
        engine.finish(engine.jobs(todo.missing), queue)
    return pd.concat([_collect(experiment, preset) for experiment in those], ignore_index=True)


def _check_what_is_read(todo: Plan, preset: str) -> None:
    """Compare all that this call will read with its checksums: weights, answers, records. Raises CorruptRunError."""
    missing = {task.folder for task in todo.missing}
    wanted: dict[Path, set[str]] = {}
    for task in todo.missing:
        for stage in (need for need in task.needs if isinstance(need, StageTask) and need.folder not in missing):
            step = task.step if isinstance(task, EvaluationTask) else stage.checkpoints()[-1]
            wanted.setdefault(stage.folder, set()).add(step_name(step))
    for experiment in todo.experiments:
        folder, where = results(experiment, preset)
        if is_complete(folder):
            wanted[folder] = {RECORDS}
            continue
        for task in (task for point in where for task in with_needs(point.task)):
            wanted.setdefault(task.folder, set()).update({ANSWERS} if isinstance(task, EvaluationTask) else ())
    check_all(partial(checked, folder, *parts) for folder, parts in wanted.items() if (folder / MANIFEST).exists())


def _stopped(todo: Plan, left: Sequence[Task], budget_min: float, seconds: float) -> str:
    stages = sum(isinstance(task, StageTask) for task in left)
    numbers = {"stage": stages, "evaluation": len(left) - stages}
    what = " and ".join(count(number, thing) for thing, number in numbers.items() if number)
    return (
        f"Stopped after {seconds / 60:.1f} min, since nothing that is left fits a budget of {budget_min:g} min.\n"
        f"Done and kept: {len(todo.tasks) - len(left)} of {len(todo.tasks)} tasks, "
        f"{len(todo.missing) - len(left)} of them by this call.\n"
        f"Left: {what}, about {max(1, round(replace(todo, missing=tuple(left)).seconds / 60))} min."
    )


def _check_arguments(
    executor: str, workers: int | None, slurm: Mapping[str, Any] | None, budget_min: float | None
) -> None:
    check_budget(budget_min)
    elsewhere = f"with executor={executor!r}"
    for name, value, refused, why in (
        ("executor", executor, executor not in EXECUTORS, f"; valid: {', '.join(EXECUTORS)}"),
        ("workers", workers, executor == "slurm" and workers is not None, f" {elsewhere}, {_QUEUE}; valid: None"),
        ("budget_min", budget_min, executor != "workers" and budget_min, f" {elsewhere}, {_ALONE}; valid: None"),
        ("slurm", slurm, executor != "slurm" and slurm, f" {elsewhere}; valid: None"),
        ("slurm", slurm, not isinstance(slurm or {}, Mapping), "; valid: options by name, as {'partition': 'gpu'}"),
    ):
        if refused:
            raise ValueError(f"{name}={value!r} is not valid{why}")


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
    found = {name: experiment.value(name, 1) for name in ("representation", "seed", *KNOBS)}
    if ARMS[experiment.arm].measured == "AD" and experiment.split.distilled_demonstrations:
        found["demonstrations"] = experiment.split.distilled_demonstrations
    kind = DOMAINS[experiment.domain].kind
    domain = kind(experiment.programs) if kind else experiment.domain
    return {**found, "model": label(experiment.model), "domain": domain, "curriculum": experiment.arm}


def _collect(experiment: Experiment, preset: str) -> pd.DataFrame:
    folder, where = results(experiment, preset)
    if is_complete(folder):
        return load_records(folder)
    trained_on = spent(experiment)
    frames = [
        point.task.answers().assign(
            stage=point.stage,
            step=point.step,
            tokens=tokens,
            questions_trained=questions,
            progress=tokens / max(trained_on[-1][0], 1),
        )
        for point, (tokens, questions) in zip(where, trained_on, strict=True)
    ]
    about = {"experiment": experiment.name, "preset": preset, **described(experiment)}
    frame = pd.concat(frames, ignore_index=True).assign(**about)
    tasks = {task.folder: task for point in where for task in with_needs(point.task)}
    manifest = {
        "kind": "run",
        "preset": preset,
        "experiment": experiment.to_json(),
        "name": experiment.name,
        "base_model": base_key(experiment),
        "stages": stage_keys(experiment),
        "evaluations": [point.task.key for point in where],
        "programs": digest([p.to_json() for group in groups(experiment) for p in group.programs]),
        "seconds": sum(map(seconds_taken, tasks.values())),
        "tokens": trained_on[-1][0],
        **environment_manifest(),
    }
    return load_records(save_records(folder, frame, manifest))
