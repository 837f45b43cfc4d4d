"""Where jobs go, through submitit: a Slurm cluster, or processes of this machine. `executors` decides which jobs.

What a job leaves behind is the folders of its tasks. submitit's own pickles carry tasks to the job, and nothing back.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from pbb import store
from pbb.runs.engine import RunError, start_worker
from pbb.runs.tasks import Task

OURS = ("array", "dependency", "error", "job-name", "kill-on-invalid-dep", "output")  # what `slurm` may not set
MINUTES = 240  # a job's time limit, unless `slurm` says otherwise
ENDED = (
    *("BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY", "PREEMPTED"),
    *("REVOKED", "TIMEOUT"),
)
# Why a job that waits will wait for ever: it asks for what this cluster never gives, or no node could start it.
HOPELESS = (
    *("BadConstraints", "DependencyNeverSatisfied", "InvalidAccount", "InvalidQOS", "PartitionNodeLimit"),
    *("PartitionTimeLimit", "launch_failed_requeued_held"),
)
_PATIENCE_S = 600  # how long squeue may fail while jobs run: a controller is restarted now and then


@dataclass(frozen=True)
class Job:
    """Tasks that one process does, in order. `name` is that of its folder of logs."""

    name: str
    title: str
    tasks: tuple[Task, ...]

    @property
    def folders(self) -> set[Path]:
        return {task.folder for task in self.tasks}

    @property
    def needs(self) -> set[Path]:
        """What other jobs have to leave behind before this one can start."""
        return {need.folder for task in self.tasks for need in task.needs} - self.folders

    @property
    def logs(self) -> Path:
        """The folder of its logs."""
        return store.runs() / "jobs" / self.name


@dataclass(frozen=True)
class State:
    """What has become of a job, in words; `succeeded` where its process said so."""

    text: str
    ended: bool
    succeeded: bool = False


class Queue(Protocol):
    """Takes jobs, and says what becomes of them. A job is known by the number that `submit` returns."""

    def names(self) -> Mapping[str, str]:
        """Return the names of the jobs that wait or run, by number."""

    def takes(self, before: Sequence[str], running: int) -> bool:
        """Whether a job that has to come after those `before` can be submitted now."""

    def submit(self, job: Job, before: Sequence[str]) -> str:
        """Submit a job, to be started when those `before` have succeeded. Raises RunError if it is not taken."""

    def states(self, numbers: Sequence[str]) -> Mapping[str, State]:
        """Return what has become of these jobs."""

    def leave(self, running: Sequence[str], say: Callable[[str], object]) -> None:
        """Do what has to be done about running jobs when the call is interrupted."""


def work(tasks: Sequence[Task], environment: Mapping[str, str | None]) -> None:
    """Do `tasks` in order: what a job's process calls, wherever it runs.

    Raises:
        RunError: a task failed; the message names it.
    """
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # submitit ignores it, and then a cancelled job is slow to go
    for name, value in environment.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
    store.quiet()
    start_worker()
    for task in tasks:
        started = time.perf_counter()
        try:
            task.run()
        except Exception as error:
            raise RunError(f"could not {task}: {type(error).__name__}: {error}") from error
        print(f"{task}: {time.perf_counter() - started:.0f} s", flush=True)


def _submitit(executor: str) -> Any:
    try:
        import submitit
    except ImportError:
        raise RunError(
            f"executor={executor!r} needs submitit, which is not installed here: `make setup` installs it in .venv, "
            "`pip install submitit` elsewhere; executor='workers' does without"
        ) from None
    return submitit


@dataclass
class LocalQueue:
    """Processes of this machine, `workers` at a time."""

    workers: int
    submitted: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _submitit("local")

    def names(self) -> Mapping[str, str]:
        return {}  # a process of an earlier call cannot be waited for; its locks keep both from doing the same

    def takes(self, before: Sequence[str], running: int) -> bool:
        return not before and running < self.workers

    def submit(self, job: Job, before: Sequence[str]) -> str:
        executor = _submitit("local").LocalExecutor(job.logs)
        executor.update_parameters(timeout_min=7 * 24 * 60, stderr_to_stdout=True)
        # submitit hides every GPU that was not asked for.
        environment = {"PBB_RUNS": str(store.runs()), "CUDA_VISIBLE_DEVICES": os.environ.get("CUDA_VISIBLE_DEVICES")}
        submitted = executor.submit(work, job.tasks, environment)
        self.submitted[submitted.job_id] = submitted
        return str(submitted.job_id)

    def states(self, numbers: Sequence[str]) -> Mapping[str, State]:
        found = {number: self.submitted[number].get_info()["jobState"] for number in numbers}
        return {number: State("its process ended", ended=state != "RUNNING") for number, state in found.items()}

    def leave(self, running: Sequence[str], say: Callable[[str], object]) -> None:
        for number in running:
            self.submitted[number].cancel()


@dataclass
class SlurmQueue:
    """A Slurm cluster. It is asked by squeue, since sacct, which submitit asks, needs an accounting database.

    `options` are those of sbatch, by submitit's names or sbatch's own.
    """

    options: Mapping[str, Any]
    answered: float = -_PATIENCE_S

    def __post_init__(self) -> None:
        for option, value in self.options.items():
            if option.replace("_", "-") in OURS:
                raise ValueError(f"slurm: {option!r} is set for each job; valid: any other option of sbatch")
            if option == "time" and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
                raise ValueError(f"slurm: time={value!r} is not valid; valid: whole minutes, such as 60")
        _submitit("slurm")
        for command in ("sbatch", "squeue", "scancel", "srun"):
            if shutil.which(command) is None:
                raise RunError(
                    f"executor='slurm' needs Slurm's commands, and there is no {command} on PATH: call it on a login "
                    "node of the cluster, or take executor='local' or 'workers'"
                )

    def names(self) -> Mapping[str, str]:
        return {number: name for number, (state, _, name) in self._ask().items() if state not in ENDED}

    def takes(self, before: Sequence[str], running: int) -> bool:
        return True

    def submit(self, job: Job, before: Sequence[str]) -> str:
        submitit = _submitit("slurm")
        job.logs.mkdir(parents=True, exist_ok=True)
        executor = submitit.SlurmExecutor(job.logs)
        known = executor._valid_parameters()
        others = {name.replace("_", "-"): value for name, value in self.options.items() if name not in known}
        asked = {
            "job_name": f"pbb-{job.name}",
            "time": MINUTES,
            "use_srun": False,  # one task needs no job step, and a step would not inherit the job's processors
            "stderr_to_stdout": True,
            **{name: value for name, value in self.options.items() if name in known},
            "additional_parameters": {**others, "kill-on-invalid-dep": "yes"},
        }
        if before:
            asked["dependency"] = f"afterok:{':'.join(before)}"
        executor.update_parameters(**asked)
        try:
            with _outside_of_jobs(submitit):
                return str(executor.submit(work, job.tasks, {"PBB_RUNS": str(store.runs())}).job_id)
        except (submitit.core.utils.FailedJobError, submitit.core.utils.FailedSubmissionError) as error:
            said = "; ".join(re.findall(r"sbatch: (?:error: )?(.*)", str(error))) or str(error)
            hint = f"; partitions here: {_partitions()}" if "partition" in said else ""
            raise RunError(f"Slurm did not take {job.title}: {said} (slurm={dict(self.options)!r}{hint})") from None

    def states(self, numbers: Sequence[str]) -> Mapping[str, State]:
        rows = self._ask()
        return {number: self._state(number, rows.get(number)) for number in numbers}

    def _state(self, number: str, row: tuple[str, str, str] | None) -> State:
        if row is None:
            return State("it is not in the queue any more", ended=True)
        state, reason, _ = row
        if state == "PENDING" and reason.replace(" ", "_") in HOPELESS:
            subprocess.run(["scancel", number], capture_output=True)
            options = {"time": MINUTES, **self.options}
            return State(f"it was cancelled, since it could never start: {reason} (slurm={options!r})", ended=True)
        text = state if reason in ("", "None") else f"{state}, {reason}"
        return State(text, ended=state in ENDED, succeeded=state == "COMPLETED")

    def leave(self, running: Sequence[str], say: Callable[[str], object]) -> None:
        if running:
            say(f"jobs in the queue go on, and the same call takes them up; to end them: scancel {' '.join(running)}")

    def _ask(self) -> dict[str, tuple[str, str, str]]:
        """Return state, reason and name of this user's jobs by number, those that ended just now included."""
        command = ["squeue", "--me", "--noheader", "--states=all", "--format=%i|%T|%r|%j"]
        while (asked := subprocess.run(command, capture_output=True, text=True)).returncode:
            if time.monotonic() - self.answered > _PATIENCE_S:
                raise RunError(f"squeue does not answer: {asked.stderr.strip()}")
            time.sleep(5)
        self.answered = time.monotonic()
        rows = (line.split("|", 3) for line in asked.stdout.splitlines())
        return {number: (state, reason, name) for number, state, reason, name in rows}


def _partitions() -> str:
    asked = subprocess.run(["sinfo", "--noheader", "--format=%R"], capture_output=True, text=True)
    return ", ".join(asked.stdout.split()) or "unknown, since sinfo failed"


@contextmanager
def _outside_of_jobs(submitit: Any) -> Iterator[None]:
    """Hide the job that we may be in ourselves (a notebook on a node): sbatch would take over what it was given."""
    if "SLURM_JOB_ID" not in os.environ:
        yield
        return
    configuration = os.environ.get("SLURM_CONF")
    with submitit.helpers.clean_env():
        if configuration:
            os.environ["SLURM_CONF"] = configuration
        yield
