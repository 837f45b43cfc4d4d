"""Run experiments as jobs, through submitit: one job a shared stage, one an experiment, on Slurm or on this machine.

``pbb.run(experiments, executor="slurm", slurm={"partition": "gpu", "time": 60, "gpus_per_node": 1})`` submits what is
missing, each experiment after the shared stages that it needs, and waits. Nodes have to see the same run store
(``PBB_RUNS``) and the same Python. The call may be interrupted: jobs in Slurm's queue go on, and the same call takes
them up again. What is complete is never submitted; a job that was killed is submitted again by the next call.

Logs lie in the run store, by experiment: ``jobs/NAME/NUMBER_0_log.out``, where NAME is the experiment's name, or
``stage-KEY`` for a stage that several experiments share. `logs` finds all of an experiment's.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pbb import store
from pbb.experiments.curricula import curriculum
from pbb.experiments.experiment import Experiment
from pbb.runs.job_queues import Job, LocalQueue, Queue, SlurmQueue, State
from pbb.runs.run import RunError, points
from pbb.runs.tasks import StageTask, Task, count
from pbb.store import is_complete

NOT_STARTED = "not started, since a stage that it needs was not done"
_SHARED_FILES_S = 30  # how long a network file system may take to show what a job wrote on another machine


def tasks_of(experiment: Experiment) -> list[Task]:
    """Return everything that `experiment` needs, in an order in which it can be done."""
    stages = [StageTask(experiment, index) for index in range(len(curriculum(experiment)))]
    return [*stages, *(point.task for point in points(experiment))]


def jobs(experiments: Sequence[Experiment], missing: Sequence[Task]) -> list[Job]:
    """Return one job for each missing stage that several experiments share, and one an experiment for what is left.

    A job comes after those that it needs. A question that several experiments ask of one model goes to the first.
    """
    users: dict[Path, int] = {}
    for experiment in experiments:
        for folder in {task.folder for task in tasks_of(experiment)}:
            users[folder] = users.get(folder, 0) + 1
    left = {task.folder for task in missing}
    found = []
    for e in experiments:
        own: list[Task] = []
        for task in tasks_of(e):
            if task.folder not in left:
                continue
            left.remove(task.folder)
            if isinstance(task, StageTask) and users[task.folder] > 1:
                found.append(Job(f"stage-{task.key}", f"{task}, shared by {users[task.folder]} experiments", (task,)))
            else:
                own.append(task)
        if own:
            found.append(Job(e.name, f"experiment {e.name} ({e.arm}, {e.model}, seed {e.seed})", tuple(own)))
    return found


def logs(experiment: Experiment) -> list[Path]:
    """Return the logs of all jobs that did something for `experiment`, the latest last."""
    wanted = {task.folder for task in tasks_of(experiment)}
    found = [_log(Job(name, "", ()), number) for name, number, _, folders in _submitted() if wanted & set(folders)]
    return sorted((log for log in found if log.exists()), key=lambda log: log.stat().st_mtime)


def execute(
    todo: Sequence[Job],
    executor: str,
    say: Callable[[str], object],
    *,
    workers: int = 1,
    slurm: Mapping[str, Any] | None = None,
) -> None:
    """Submit jobs, each after those that it needs, and wait for all of them.

    Args:
        todo: from `jobs`.
        executor: ``"slurm"``, or ``"local"`` for processes of this machine, `workers` at a time.
        say: where a line for each job that is submitted or done goes.
        slurm: options of sbatch by submitit's names or sbatch's own, such as partition, time (minutes) or mem.

    Raises:
        RunError: submitit, Slurm or the partition is missing, or a job did not finish (once the others have); the
            message names each job, what became of it and its log. What was complete is kept.
    """
    queue: Queue = SlurmQueue(slurm or {}) if executor == "slurm" else LocalQueue(workers)
    waiting, running = _taken_up(todo, queue)
    for number, job in running.items():
        say(f"  job {number} is in the queue already: {job.title}; log {_log(job, number)}")
    total, started = len(waiting) + len(running), time.monotonic()
    done, failures, lost = 0, list[str](), set[Path]()
    try:
        while waiting or running:
            for job in list(waiting):
                before = [number for number, other in running.items() if other.folders & job.needs]
                if job.needs & lost:
                    waiting.remove(job)
                    lost |= job.folders
                    failures.append(f"{job.title}: {NOT_STARTED}")
                elif not any(other.folders & job.needs for other in waiting) and queue.takes(before, len(running)):
                    number = queue.submit(job, before)
                    waiting.remove(job)
                    running[number] = job
                    _remember(job, number)
                    say(f"  job {number}: {job.title}; log {_log(job, number)}")
            ended = []
            for number, state in queue.states(list(running)).items():
                if not state.ended:
                    continue
                job = running.pop(number)
                if _left_everything(job, state):
                    done += 1
                    say(f"[{done}/{total}] {job.title}: job {number} is done")
                else:
                    lost |= {folder for folder in job.folders if not is_complete(folder)}
                    ended.append((number, job, state))
            for number, job, state in sorted(ended, key=lambda row: bool(row[1].needs & lost)):
                why = NOT_STARTED if job.needs & lost else f"{state.text}; log {_end_of_log(job, number)}"
                failures.append(f"{job.title}: job {number}: {why}")
            if waiting or running:
                time.sleep(min(10, max(1, (time.monotonic() - started) / 30)))
    except BaseException:
        queue.leave(list(running), say)
        raise
    if failures:
        raise RunError(
            f"{len(failures)} of {count(total, 'job')} did not finish:\n"
            + "\n".join(f"  {failure}" for failure in failures)
            + "\nThe same call goes on from what is complete, and submits these again."
        )


def _taken_up(todo: Sequence[Job], queue: Queue) -> tuple[list[Job], dict[str, Job]]:
    """Split jobs into what is to be submitted, and what an earlier call submitted that is still in the queue."""
    tasks = {task.folder: task for job in todo for task in job.tasks}
    running: dict[str, Job] = {}
    names = queue.names()
    for name, number, title, folders in _submitted() if names else ():
        theirs = tuple(tasks[folder] for folder in folders if folder in tasks)
        if theirs and names.get(number) == f"pbb-{name}":
            running[number] = Job(name, title, theirs)
    taken = {folder for job in running.values() for folder in job.folders}
    left = [Job(j.name, j.title, tuple(t for t in j.tasks if t.folder not in taken)) for j in todo]
    return [job for job in left if job.tasks], running


def _left_everything(job: Job, state: State) -> bool:
    """Whether everything that a job was to leave behind is there, a network file system's delay allowed for."""
    until = time.monotonic() + (_SHARED_FILES_S if state.succeeded else 0)
    while not all(is_complete(folder) for folder in job.folders):
        if time.monotonic() > until:
            return False
        time.sleep(1)
    return True


def _log(job: Job, number: str) -> Path:
    return job.logs / f"{number}_0_log.out"  # as submitit names it


def _end_of_log(job: Job, number: str) -> str:
    """Return where a job's log is, and its last three lines."""
    log = _log(job, number)
    if not log.exists():
        return f"{log} was never written"
    lines = [line for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    return "\n      ".join([str(log), *(line[:500] for line in lines[-3:])])


def _remember(job: Job, number: str) -> None:
    """Note beside the log what a job does, for `logs` and for the next call."""
    noted = {"title": job.title, "tasks": sorted(str(f.relative_to(store.runs())) for f in job.folders)}
    partial = job.logs / f"{number}.partial"
    partial.write_text(json.dumps(noted, indent=2) + "\n", encoding="utf-8")
    os.replace(partial, job.logs / f"{number}.json")


def _submitted() -> Iterator[tuple[str, str, str, list[Path]]]:
    """Yield name, number, title and tasks' folders of every job that was ever submitted from this run store."""
    for file in sorted((store.runs() / "jobs").glob("*/*.json")):
        try:
            noted = json.loads(file.read_bytes())
            folders = [store.runs() / folder for folder in noted["tasks"]]
            yield file.parent.name, file.stem, str(noted["title"]), folders
        except (KeyError, TypeError, ValueError):
            continue  # not a note of ours: a job that is not known is submitted again, and waits for the other's locks
