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


class BudgetError(RuntimeError):
    """A call's minutes are used up before all is done; the message says what is left. What was complete is kept."""


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
            core where there is no card. More than there are cards share them in turn: whether their memory is enough
            for that is not looked at.
        executor: ``"workers"`` computes in processes of this call; ``"local"`` and ``"slurm"`` in jobs that submitit
            starts here or on a Slurm cluster (see `pbb.runs.engine`); each names its log.
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
    those = chosen(experiments)
    if not those:
        raise ValueError("experiments: none were given; valid: one or more")
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
        until = math.inf if budget_min is None else started + 60 * budget_min
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
            parts = {ANSWERS} if isinstance(task, EvaluationTask) else set[str]()
            wanted.setdefault(task.folder, set()).update(parts)
    check_all(partial(checked, folder, *parts) for folder, parts in wanted.items() if (folder / MANIFEST).exists())


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


def _check_executor(
    executor: str, workers: int | None, slurm: Mapping[str, Any] | None, budget_min: float | None
) -> None:
    check_budget(budget_min)
    if executor not in EXECUTORS:
        raise ValueError(f"executor={executor!r} is not valid; valid: {', '.join(EXECUTORS)}")
    if workers is not None and (isinstance(workers, bool) or not isinstance(workers, int) or workers < 1):
        raise ValueError(
            f"workers={workers!r} is not valid; valid: None for one a core or card, or a whole number from 1"
        )
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
    found = {name: experiment.value(name, 1) for name in ("representation", "seed", *KNOBS)}
    if ARMS[experiment.arm].measured == "AD" and split.distilled_demonstrations:
        found["demonstrations"] = split.distilled_demonstrations
    kind = DOMAINS[experiment.domain].kind
    domain = kind(experiment.programs) if kind else experiment.domain
    return {**found, "model": label(experiment.model), "domain": domain, "curriculum": experiment.arm}


def _collect(experiment: Experiment, preset: str) -> pd.DataFrame:
    """Return the experiment's records, from its run folder or from its evaluations."""
    folder, where = results(experiment, preset)
    if is_complete(folder):
        return load_records(folder)
    trained_on = spent(experiment)
    total = max(trained_on[-1][0], 1)
    frames = []
    for point, (tokens, questions) in zip(where, trained_on, strict=True):
        frame = point.task.answers().assign(stage=point.stage, step=point.step)
        frames.append(frame.assign(tokens=tokens, questions_trained=questions, progress=tokens / total))
    about = {"experiment": experiment.name, "preset": preset, **described(experiment)}
    frame = pd.concat(frames, ignore_index=True).assign(**about)
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
        "seconds": sum(map(seconds_taken, {t.folder: t for p in where for t in with_needs(p.task)}.values())),
        "tokens": trained_on[-1][0],
        **environment_manifest(),
    }
    save_records(folder, frame, manifest)
    return load_records(folder)
