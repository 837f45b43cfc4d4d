"""Run experiments: say beforehand what will be computed, compute what is missing, return the records.

``pbb.run(experiments)`` is the one call that notebooks and the command line make. Experiments that share a stage
train it once; whatever is complete is never redone; after a kill the same call goes on where it stopped.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from multiprocessing.connection import wait as wait_for
from pathlib import Path
from typing import Any

import pandas as pd

from pbb import paths, progress
from pbb.curricula import curriculum, groups
from pbb.experiment import DISTILLATION, Experiment
from pbb.folders import environment_manifest, is_complete, read_manifest
from pbb.records import KNOBS, SCHEMA_VERSION, load_records, save_records
from pbb.streams import digest
from pbb.tasks import EvaluationTask, StageTask, Task, base_key, count, seconds_taken, stage_keys

# Tokens a second in training on one core of a 2023 server processor: for estimates until this machine has runs.
TOKENS_PER_SECOND = {"tiny-s": 15_000, "tiny-m": 8_000, "tiny-l": 3_500}
EXECUTORS = ("workers", "local", "slurm")


class RunError(RuntimeError):
    """A task of a run failed; the message names it and its cause. What was complete is kept."""


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
    """What a run will do: every distinct task, and those of them that are still to be done."""

    experiments: tuple[Experiment, ...]
    tasks: tuple[Task, ...]
    missing: tuple[Task, ...]
    workers: int

    @property
    def seconds(self) -> float:
        """How long the missing tasks should take on this machine, in seconds: an estimate."""
        rates = _measured_rates()
        total = longest = 0.0
        for task in self.missing:
            model = task.experiment.model
            rate = rates.get(model, TOKENS_PER_SECOND.get(model, 500))
            seconds = task.tokens / rate
            total, longest = total + seconds, max(longest, seconds)
        return max(total / self.workers, longest) + (10 if self.missing else 0)

    def __str__(self) -> str:
        stages = [t for t in self.tasks if isinstance(t, StageTask)]
        to_train = [t for t in self.missing if isinstance(t, StageTask)]
        asked = sum(len(curriculum(e)) for e in self.experiments)
        shared = f", shared by arms that would train {asked}" if asked > len(stages) else ""
        lines = [
            f"{count(len(self.experiments), 'experiment')}: {count(len(stages), 'stage')} to train{shared}; "
            f"{len(stages) - len(to_train)} are done"
        ]
        lines += [f"  {task}" for task in to_train]
        evaluations = len(self.missing) - len(to_train)
        if self.missing:
            minutes = max(1, round(self.seconds / 60))
            lines.append(f"  and {evaluations} evaluations: about {minutes} min on {self.workers} workers")
        else:
            lines.append("  nothing to compute")
        return "\n".join(lines)


def _measured_rates() -> dict[str, float]:
    """Return training tokens a second by model, from this machine's complete stages of SFT."""
    rates: dict[str, list[float]] = {}
    for folder in sorted((paths.runs() / "stages").glob("[0-9a-f]*"))[:50]:
        manifest = read_manifest(folder)
        if manifest and manifest.get("kind") == "stage" and manifest.get("seconds") and not manifest.get("objective"):
            rates.setdefault(manifest["base_model"]["name"], []).append(manifest["tokens"] / manifest["seconds"])
    return {model: sorted(values)[len(values) // 2] for model, values in rates.items()}


def plan(experiments: Iterable[Experiment], workers: int | None = None) -> Plan:
    """Return what running `experiments` would compute, without computing anything."""
    chosen = tuple(dict.fromkeys(experiments))
    tasks: dict[Path, Task] = {}
    for experiment in chosen:
        for point in points(experiment):
            for task in [*_with_needs(point.task), point.task]:
                tasks.setdefault(task.folder, task)
    missing = tuple(task for task in tasks.values() if not is_complete(task.folder))
    # A stage whose every use is complete need not be there: its weights may have been deleted to save space.
    wanted = {need.folder for task in missing if isinstance(task, EvaluationTask) for need in _with_needs(task)}
    missing = tuple(t for t in missing if isinstance(t, EvaluationTask) or t.folder in wanted)
    return Plan(chosen, tuple(tasks.values()), missing, workers or os.cpu_count() or 1)


def _with_needs(task: Task) -> list[Task]:
    found: list[Task] = []
    for need in task.needs:
        found += [*_with_needs(need), need]
    return found


def run(
    experiments: Iterable[Experiment] | Experiment,
    *,
    preset: str = "custom",
    workers: int | None = None,
    executor: str = "workers",
    slurm: Mapping[str, Any] | None = None,
    say: Callable[[str], object] = print,
) -> pd.DataFrame:
    """Compute whatever is missing of `experiments` and return their records.

    Args:
        experiments: one or several; duplicates are run once.
        preset: written into the records; figures never mix presets.
        workers: processes that train and evaluate, one thread each; None takes one a core.
        executor: ``"workers"`` computes in processes of this call; ``"local"`` and ``"slurm"`` in jobs that submitit
            starts here or on a Slurm cluster (see `pbb.executors`, also for where logs are).
        slurm: sbatch's options for ``executor="slurm"``, such as ``{"partition": "gpu", "time": 60}`` (minutes).
        say: where the plan and one line a finished task go.

    Raises:
        RunError: a task failed; the message names it, and its log. What was complete is kept.
        ValueError: there is no such executor, another argument does not go with it, or there are no experiments.
    """
    _check_executor(executor, workers, slurm)
    chosen = (experiments,) if isinstance(experiments, Experiment) else tuple(dict.fromkeys(experiments))
    if not chosen:
        raise ValueError("experiments: none were given; valid: one or more")
    todo = plan(chosen, len(chosen) if executor == "slurm" else workers)
    say(str(todo))
    if todo.missing:
        _check_store()
    if todo.missing and executor == "workers":
        execute(todo.missing, min(todo.workers, len(todo.missing)), say)
    elif todo.missing:
        from pbb import executors

        jobs = executors.jobs(chosen, todo.missing)
        executors.execute(jobs, executor, say, workers=todo.workers, slurm=slurm)
    return pd.concat([_collect(experiment, preset) for experiment in chosen], ignore_index=True)


def _check_executor(executor: str, workers: int | None, slurm: Mapping[str, Any] | None) -> None:
    if executor not in EXECUTORS:
        raise ValueError(f"executor={executor!r} is not valid; valid: {', '.join(EXECUTORS)}")
    if workers is not None and (isinstance(workers, bool) or not isinstance(workers, int) or workers < 1):
        raise ValueError(f"workers={workers!r} is not valid; valid: None for one a core, or a whole number from 1")
    if executor == "slurm" and workers is not None:
        raise ValueError(f"workers={workers!r} is not valid with executor='slurm', whose queue decides; valid: None")
    if executor != "slurm" and slurm:
        raise ValueError(f"slurm={dict(slurm)!r} is not valid with executor={executor!r}; valid: None")


def _check_store() -> None:
    store, wrong = paths.runs(), "it is read-only"
    try:
        store.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        wrong = error.strerror or str(error)
    if not os.access(store, os.W_OK):
        raise RunError(f"{store}: no runs can be kept there ({wrong}); valid: PBB_RUNS=/a/folder/that/can/be/written")


def _collect(experiment: Experiment, preset: str) -> pd.DataFrame:
    """Return the experiment's records, from its run folder or from its evaluations."""
    where = points(experiment)
    made_of = digest(SCHEMA_VERSION, preset, [p.task.key for p in where])[:8]
    folder = paths.runs() / "results" / f"{experiment.name}-{made_of}"
    if is_complete(folder):
        return load_records(folder)
    trained_on = spent(experiment)
    total = max(trained_on[-1][0], 1)
    frames = []
    for point, (tokens, questions) in zip(where, trained_on, strict=True):
        frame = point.task.answers().assign(stage=point.stage, step=point.step)
        frames.append(frame.assign(tokens=tokens, questions_trained=questions, progress=tokens / total))
    names = ("model", "domain", "curriculum", "representation", "seed", *KNOBS)
    described = {name: getattr(experiment, name) for name in names}
    if experiment.curriculum in DISTILLATION and experiment.distilled_demonstrations:
        described["demonstrations"] = experiment.distilled_demonstrations
    frame = pd.concat(frames, ignore_index=True).assign(experiment=experiment.name, preset=preset, **described)
    programs = [p.to_json() for group in groups(experiment) for p in group.programs]
    manifest = {
        "kind": "run",
        "preset": preset,
        "experiment": json.loads(json.dumps(asdict(experiment))),
        "name": experiment.name,
        "base_model": base_key(experiment),
        "stages": stage_keys(experiment),
        "evaluations": [point.task.key for point in where],
        "programs": digest(programs),
        "seconds": sum(
            map(seconds_taken, {t.folder: t for p in where for t in [*_with_needs(p.task), p.task]}.values())
        ),
        "tokens": trained_on[-1][0],
        **environment_manifest(),
    }
    save_records(folder, frame, manifest)
    return load_records(folder)


# ------------------------------------------------------------------------------------------------- workers
def start_worker(messages: Any = None) -> None:
    """Make this process ready for tasks, which tell of their progress through the queue `messages`."""
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")  # trl reports every training to its makers otherwise
    import torch

    torch.set_num_threads(1)  # results must not depend on how many cores there are
    if messages is not None:
        progress.connect(messages)
    if caller := multiprocessing.parent_process():
        threading.Thread(target=_end_with, args=(caller.sentinel,), daemon=True).start()


def _end_with(caller: int) -> None:
    """End this process when its caller's has ended, even by kill -9: it would hold a core, and then wait for ever."""
    wait_for([caller])
    os._exit(1)


def _do(task: Task) -> str | None:
    """Run a task in a worker; return the failure as text, since not every exception survives pickling."""
    progress.begin(task.folder.name)
    try:
        task.run()
    except Exception as error:
        detail = "".join(traceback.format_exception(error)[-3:])
        return f"{type(error).__name__}: {error}\n{detail}"
    return None


def execute(tasks: Sequence[Task], workers: int, say: Callable[[str], object]) -> None:
    """Run tasks in an order that respects what each needs, the longest chains first."""
    paths.quiet()
    waiting = {task.folder: task for task in tasks}
    running: dict[Future[str | None], tuple[Task, float]] = {}
    done = 0

    def finish(task: Task, started: float, failure: str | None) -> None:
        nonlocal done
        if failure:
            raise RunError(f"could not {task}: {failure}\nThe same call goes on from what is complete.")
        done += 1
        loss = bars.finish(task.folder.name)
        with bars.aside():
            say(f"[{done}/{len(tasks)}] {task}: {time.perf_counter() - started:.0f} s{loss}")

    context = multiprocessing.get_context("spawn")
    messages = context.Queue()
    bars = progress.Bars(messages, {task.folder.name: str(task) for task in tasks})
    pool = ProcessPoolExecutor(workers, context, start_worker, (messages,))
    try:
        while waiting or running:
            ready = [t for t in waiting.values() if not any(need.folder in waiting for need in t.needs)]
            busy = {task.folder for task, _ in running.values()}
            ready = [t for t in ready if not any(need.folder in busy for need in t.needs)]
            # Training first: evaluations never hold anything up.
            for task in sorted(ready, key=lambda t: (isinstance(t, EvaluationTask), -t.tokens))[
                : workers - len(running)
            ]:
                running[pool.submit(_do, waiting.pop(task.folder))] = (task, time.perf_counter())
            while not (finished := wait(running, progress.PAUSE_S, FIRST_COMPLETED).done):
                bars.update()
            for future in finished:
                task, started = running.pop(future)
                finish(task, started, future.result())
    except BaseException as error:
        # After a failure or Ctrl-C, what still runs would only hold the cores.
        running_processes = list((getattr(pool, "_processes", None) or {}).values())
        pool.shutdown(wait=False, cancel_futures=True)
        for process in running_processes:
            process.terminate()
        if isinstance(error, BrokenProcessPool):
            raise RunError(
                "a worker process died, most likely for want of memory. Use fewer workers, or a smaller model; "
                "the same call goes on from what is complete."
            ) from None
        raise
    finally:
        bars.close()
    pool.shutdown()
