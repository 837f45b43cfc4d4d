"""Do a run's tasks, each after those that it needs: in processes of this call, or as jobs that submitit starts.

One loop hands what is ready to an engine and waits for its futures. ``executor="workers"`` is Python's own
`ProcessPoolExecutor`: a worker is one process with one thread; with several cards each sees one, in turn. ``"local"``
and ``"slurm"`` are submitit's: a job is a stage with what is asked after it. Nodes have to see the same run store
(``PBB_RUNS``) and the same Python. Jobs in Slurm's queue go on without the call, and the same call takes them up.
LOG.md, "One engine", says what else was tried.

What comes earlier in the longest chain of tasks is begun first. No result depends on it.
"""

from __future__ import annotations

import gc
import math
import multiprocessing
import os
import re
import shutil
import signal
import subprocess
import threading
import time
import traceback
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from multiprocessing.connection import wait as wait_for
from pathlib import Path
from typing import Any

from pbb import progress, store
from pbb.models.machine import Machine, this_machine
from pbb.runs.tasks import StageTask, Task, count
from pbb.store import RecordsError, is_complete, unwritten

TELLING_S = 30  # of a task, from which on the start of its worker says little about how long tasks take
EDITED = (
    "the code of pbb, or the model, was edited since this session began: restart the kernel, or run the same command "
    "again"
)
NOT_STARTED = "not started, since a stage that it needs was not done"
OURS = ("array", "dependency", "error", "job-name", "kill-on-invalid-dep", "output")  # what `slurm` may not set
MINUTES = 240  # a job's time limit, unless `slurm` says otherwise
ENDED = {  # "" is what this module gives those that are gone
    *("", "BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY", "PREEMPTED"),
    *("REVOKED", "TIMEOUT"),
}
# Why a job that waits will wait for ever: it asks for what this cluster never gives, or no node could start it.
HOPELESS = {
    *("BadConstraints", "DependencyNeverSatisfied", "InvalidAccount", "InvalidQOS", "PartitionNodeLimit"),
    *("PartitionTimeLimit", "launch_failed_requeued_held"),
}
# What torchrun, PyTorchJob, accelerate and MPI tell the processes that they start. A worker is none of these.
_LAUNCH = re.compile(
    "(LOCAL_|GROUP_|NODE_|ROLE_)?RANK|((LOCAL|GROUP|ROLE)_)?WORLD_SIZE|ROLE_NAME|MASTER_(ADDR|PORT)|MPI_LOCAL.*"
    "|(TORCHELASTIC|PET|ACCELERATE|FSDP|OMPI|PMI|PMIX|MV2)_.*"
)
Say = Callable[[str], object]
Estimate = Callable[[Task], float]
_PATIENCE_S = 600  # how long squeue may fail while jobs run: a controller is restarted now and then
_SHARED_FILES_S = 30  # how long a network file system may take to show what a job wrote on another machine


class RunError(RuntimeError):
    """A task of a run failed; the message names it and its cause. What was complete is kept."""


# ------------------------------------------------------------------------------------------------ in a worker
def launch_variables() -> list[str]:
    """Return the names of what a launcher of distributed training has left in this environment."""
    return sorted(name for name in os.environ if _LAUNCH.fullmatch(name))


def start_worker(messages: Any = None, caller: Any = None, cards: Any = None) -> None:
    """Make this process ready for tasks, which tell of their progress through the queue `messages`.

    It ends when the other end of the connection `caller` is closed. `cards` is a queue with what CUDA_VISIBLE_DEVICES
    is to be in each worker; None leaves that alone.
    """
    for name in launch_variables():
        del os.environ[name]
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")  # trl reports every training to its makers otherwise
    if cards is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = cards.get()
    if caller is not None:
        threading.Thread(target=_end_with, args=(caller,), daemon=True).start()
    if messages is not None:
        progress.connect(messages)
    import torch

    torch.set_num_threads(1)  # results must not depend on how many cores there are


def _end_with(caller: Any) -> None:
    """End this process when its caller's has ended, even by kill -9: it would hold a core, and then wait for ever."""
    wait_for([caller])
    os._exit(1)


def do(task: Task, key: str) -> str | None:
    """Run a task in a worker; return the failure as text, since not every exception survives pickling.

    `key` is the task's in the caller's process, which may have begun before the code was edited.
    """
    import torch

    if task.folder.name != key:
        return EDITED
    progress.begin(task.folder.name)
    try:
        task.run()
    except Exception as error:
        if told := error if isinstance(error, RecordsError) else unwritten(error):
            return str(told)  # which says what to do
        detail = "".join(traceback.format_exception(error)[-3:])
        return f"{type(error).__name__}: {error}\n{detail}"
    finally:  # nothing of it stays on the card but CUDA's own: torch keeps what was freed, and other workers want it
        if torch.cuda.is_initialized():
            gc.collect()
            torch.cuda.empty_cache()
    return None


def work(tasks: Sequence[Task], keys: Sequence[str], environment: Mapping[str, str | None]) -> None:
    """Do `tasks` in order: what a job's process calls, wherever it runs. Raises RunError where a task failed.

    `keys` are the tasks' in the caller's process, as for `do`.
    """
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # submitit ignores it, and then a cancelled job is slow to go
    for name in environment:
        os.environ.pop(name, None)
    os.environ.update({name: value for name, value in environment.items() if value is not None})
    store.quiet()
    start_worker()
    if [task.folder.name for task in tasks] != keys:
        raise RunError(EDITED)
    for task in tasks:
        started = time.perf_counter()
        try:
            task.run()
        except Exception as error:
            raise RunError(f"could not {task}: {type(error).__name__}: {error}") from error
        print(f"{task}: {time.perf_counter() - started:.0f} s", flush=True)


# -------------------------------------------------------------------------------------------------- the loop
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
    def keys(self) -> list[str]:
        return [task.folder.name for task in self.tasks]

    @property
    def needs(self) -> set[Path]:
        """What other jobs have to leave behind before this one can start."""
        return {need.folder for task in self.tasks for need in task.needs} - self.folders

    @property
    def logs(self) -> Path:
        return store.runs() / "jobs" / self.name

    def log(self, number: str) -> Path:
        return self.logs / f"{number}_0_log.out"  # as submitit names it


class Engine:
    """Takes jobs, `most` at once, and says what becomes of them. A future is whatever `submit` returns."""

    most: float
    queues = False  # whether a job can be submitted before what it needs is done
    patient = True  # whether other jobs go on when one has failed

    def take_up(self, jobs: Sequence[Job]) -> dict[Any, Job]:
        """Return what an earlier call submitted of `jobs` and still waits or runs, by future."""
        return {}

    def submit(self, job: Job, after: Sequence[Any]) -> Any:
        """Have a job begun after those of `after`. Raises RunError if it is not taken."""
        raise NotImplementedError

    def ended(self, running: Sequence[Any]) -> Collection[Any]:
        """Return the futures that have ended, often none, after a moment's wait."""
        raise NotImplementedError

    def failure(self, future: Any, job: Job) -> str | None:
        """Return what went wrong with a job that has ended, or None."""
        raise NotImplementedError

    def tell(self, line: str, future: Any, job: Job, lasted: float) -> None:
        """Say that a job is done: `line` is how to begin."""
        raise NotImplementedError

    def close(self) -> None:
        """End, with nothing running."""

    def leave(self, running: Sequence[Any]) -> None:
        """End in the middle of what runs."""


def execute(
    tasks: Sequence[Task],
    workers: int,
    say: Say,
    *,
    seconds: Estimate = lambda task: task.tokens,
    until: float = math.inf,
    machine: Machine | None = None,
) -> list[Task]:
    """Do tasks, each after those that it needs, and return those that were not begun since time was up.

    Args:
        workers: processes of this call at once, at most.
        say: where a line for each finished task goes.
        seconds: about how long a task takes; without a time limit any measure of length does.
        until: by `time.perf_counter`: no task is begun that would go on beyond, by its estimate; if this call's tasks
            took longer than theirs, by that much more. The shortest that is ready at first is begun all the same.
        machine: whose cards to use; this one by default.

    Raises:
        RunError: a task failed, or a worker died.
    """
    store.quiet()
    if ignored := launch_variables():
        say(f"each worker trains by itself, so these variables are ignored: {', '.join(ignored)}")
    singly = [Job(task.folder.name, str(task), (task,)) for task in tasks]
    left = finish(singly, Processes(singly, workers, say, machine or this_machine(), seconds), seconds, until)
    return [task for job in left for task in job.tasks]


def finish(
    jobs: Sequence[Job], engine: Engine, seconds: Estimate = lambda task: 1.0, until: float = math.inf
) -> list[Job]:
    """Have `engine` do `jobs`, and return those that were not begun since time was up; the rest is as for `execute`."""
    chains = _chains(jobs, seconds)
    waiting = sorted(jobs, key=lambda job: -chains[job.name])
    running: dict[Any, tuple[Job, float]] = {}
    total, done, took, estimated = len(jobs), 0, 0.0, 0.0
    failures, lost = list[str](), set[Path]()
    lasts = {job.name: sum(map(seconds, job.tasks)) for job in jobs}

    def end(future: Any) -> None:
        nonlocal done, took, estimated
        job, started = running.pop(future)
        failure, lasted = engine.failure(future, job), time.perf_counter() - started
        if failure and not engine.patient:
            after = "" if "the same command again" in failure else "\nThe same call goes on from what is complete."
            raise RunError(f"could not {job.title}: {failure}{after}")
        if failure:
            failures.append(f"{job.title}: {NOT_STARTED if job.needs & lost else failure}")
            lost.update(folder for folder in job.folders if not is_complete(folder))
            return
        done += 1
        if (expected := lasts.get(job.name, 0.0)) > TELLING_S:
            took, estimated = took + lasted, estimated + expected
        engine.tell(f"[{done}/{total}] {job.title}: ", future, job, lasted)

    try:
        running = {future: (job, time.perf_counter()) for future, job in engine.take_up(waiting).items()}
        taken = {folder for job, _ in running.values() for folder in job.folders}
        waiting = [replace(job, tasks=tuple(t for t in job.tasks if t.folder not in taken)) for job in waiting]
        waiting = [job for job in waiting if job.tasks]
        total = len(waiting) + len(running)
        while waiting or running:
            now, pace = time.perf_counter(), max(1.0, took / estimated if estimated else 1.0)
            later = lost.union(*(job.folders for job in waiting))
            if not (done or running or failures):
                until = max(until, now + min(lasts[job.name] for job in waiting if not job.needs & later))
            for job in list(waiting):
                after = [future for future, (other, _) in running.items() if other.folders & job.needs]
                fits = len(running) < engine.most and now + pace * lasts[job.name] <= until
                if fits and not job.needs & later and (engine.queues or not after):
                    running[engine.submit(job, after)] = job, time.perf_counter()
                    waiting.remove(job)
                    later -= job.folders
            if not running:
                break
            while not (over := engine.ended(list(running))):
                pass
            for future in sorted(over, key=lambda future: -chains.get(running[future][0].name, 0.0)):
                end(future)  # what needed a job that failed comes after it
    except BaseException as error:
        engine.leave(list(running))  # after a failure or Ctrl-C, workers would only hold cores and cards
        if isinstance(error, BrokenProcessPool):
            raise RunError(
                "a worker process died, most likely for want of memory: use fewer workers, or a smaller model; the "
                "same call goes on from what is complete. Or a script calls pbb.run outside "
                "`if __name__ == '__main__':`, and its workers, which import it, did so too."
            ) from None
        raise
    engine.close()
    if failures:
        told = "\n  ".join([*failures, *(f"{job.title}: {NOT_STARTED}" for job in waiting)])
        raise RunError(
            f"{len(failures) + len(waiting)} of {count(total, 'job')} did not finish:\n  {told}\n"
            "The same call goes on from what is complete, and submits these again."
        )
    return waiting


def _chains(jobs: Sequence[Job], seconds: Estimate) -> dict[str, float]:
    """Return how long each job and the longest chain of those that need it take, one after the other, by name."""
    chains, after = dict[str, float](), dict[Path, float]()
    for job in reversed(jobs):
        own = sum(map(seconds, job.tasks))
        chains[job.name] = own + max((after.get(folder, 0.0) for folder in job.folders), default=0.0)
        for need in job.needs:
            after[need] = max(after.get(need, 0.0), chains[job.name])
    return chains


# ---------------------------------------------------------------------------------------- processes of this call
def card_names(machine: Machine) -> list[str]:
    """Return what CUDA_VISIBLE_DEVICES calls each card; none where there is nothing to choose from."""
    if machine.cards < 2:
        return []
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    return [name.strip() for name in visible.split(",")] if visible else [str(n) for n in range(machine.cards)]


class Processes(Engine):
    """A `ProcessPoolExecutor` whose workers end with this call, tell of their progress and see one card each."""

    patient = False

    def __init__(self, jobs: Sequence[Job], workers: int, say: Say, machine: Machine, seconds: Estimate) -> None:
        context, names = multiprocessing.get_context("spawn"), card_names(machine)
        messages, (theirs, self._ours) = context.Queue(), context.Pipe(duplex=False)
        cards = context.Queue()
        for number in range(workers) if names else ():
            cards.put(names[number % len(names)])
        self.most, self._say = workers, say
        self._places = {folder.parent for job in jobs for folder in job.folders}
        lengths = {job.name: seconds(job.tasks[0]) for job in jobs}
        self._bars = progress.Bars(messages, {job.name: job.title for job in jobs}, lengths)
        self._pool = ProcessPoolExecutor(workers, context, start_worker, (messages, theirs, cards if names else None))

    def submit(self, job: Job, after: Sequence[Any]) -> Any:
        return self._pool.submit(do, job.tasks[0], job.keys[0])

    def ended(self, running: Sequence[Any]) -> Collection[Any]:
        self._bars.update()
        return wait(running, progress.PAUSE_S, FIRST_COMPLETED).done

    def failure(self, future: Any, job: Job) -> str | None:
        failure: str | None = future.result()
        return failure

    def tell(self, line: str, future: Any, job: Job, lasted: float) -> None:
        line += f"{lasted:.0f} s{self._bars.finish(job.name)}"
        with self._bars.aside():
            self._say(line)

    def close(self) -> None:
        self._bars.close()
        self._pool.shutdown()
        self._ours.close()

    def leave(self, running: Sequence[Any]) -> None:
        self._bars.close()
        self._ours.close()  # whereupon workers end, and what they have started
        self._pool.shutdown(cancel_futures=True)  # so that cores and cards are free when the call is over
        for folder in self._places:
            store.sweep(folder)  # what they were in the middle of


# ------------------------------------------------------------------------------------------- jobs, by submitit
def jobs(missing: Sequence[Task]) -> list[Job]:
    """Return one job for each stage, with what is asked after it, and one for each evaluation of a base model."""
    grouped: dict[Path, list[Task]] = {}
    for task in missing:
        asked_of = [] if isinstance(task, StageTask) else task.needs
        grouped.setdefault((asked_of or [task])[0].folder, []).append(task)
    found = []
    for folder, (first, *others) in grouped.items():
        more = f", and {count(len(others), 'evaluation')}" if others else ""
        name = f"{folder.parent.name.removesuffix('s')}-{folder.name}"
        found.append(Job(name, f"{first}{more}", (first, *others)))
    return found


class Local(Engine):
    """Jobs in processes of this machine, through submitit."""

    def __init__(self, executor: str, most: float, say: Say) -> None:
        try:
            import submitit
        except ImportError:
            raise RunError(
                f"executor={executor!r} needs submitit, which is not installed here: `make setup` installs it in "
                ".venv, `pip install submitit` elsewhere; executor='workers' does without"
            ) from None
        self.most, self._say, self._began, self._submitit = most, say, time.monotonic(), submitit
        self._submitted: dict[str, tuple[Any, str | None]] = {}  # with the card that it sees

    def submit(self, job: Job, after: Sequence[Any]) -> Any:
        executor = self._submitit.LocalExecutor(job.logs)
        executor.update_parameters(timeout_min=7 * 24 * 60, stderr_to_stdout=True)
        busy = [card for other, card in self._submitted.values() if not other.done()]
        # submitit hides every GPU that was not asked for.
        seen = os.environ.get("CUDA_VISIBLE_DEVICES")
        card = min(card_names(this_machine()), key=busy.count, default=seen)
        environment = {"PBB_RUNS": str(store.runs()), "CUDA_VISIBLE_DEVICES": card}
        submitted = executor.submit(work, job.tasks, job.keys, environment)
        self._submitted[submitted.job_id] = submitted, card
        return self._told(job, str(submitted.job_id))

    def _told(self, job: Job, number: str) -> str:
        self._say(f"  job {number}: {job.title}; log {job.log(number)}")
        return number

    def ended(self, running: Sequence[Any]) -> Collection[Any]:
        return [number for number in running if self._submitted[number][0].done()] or self._pause()

    def _pause(self) -> tuple[()]:
        time.sleep(min(10, max(1, (time.monotonic() - self._began) / 30)))
        return ()

    def failure(self, future: Any, job: Job, state: str = "its process ended", patience: float = 0.0) -> str | None:
        """As `Engine.failure`; `patience` is how many seconds what the job left behind may take to be seen."""
        until = time.monotonic() + patience
        while not all(is_complete(folder) for folder in job.folders):
            if time.monotonic() > until:
                return f"job {future}: {state}; log {_end_of(job.log(future))}"
            time.sleep(1)
        return None

    def tell(self, line: str, future: Any, job: Job, lasted: float) -> None:
        self._say(f"{line}job {future} is done")

    def leave(self, running: Sequence[Any]) -> None:
        for number in running:
            self._submitted[number][0].cancel()


class Slurm(Local):
    """Jobs of a Slurm cluster. Asked by squeue, since sacct, which submitit asks, needs an accounting database."""

    queues = True

    def __init__(self, options: Mapping[str, Any], say: Say) -> None:
        """`options` are those of sbatch, by submitit's names or sbatch's own. Raises ValueError or RunError."""
        for option, value in options.items():
            if option.replace("_", "-") in OURS:
                raise ValueError(f"slurm: {option!r} is set for each job; valid: any other option of sbatch")
            if option == "time" and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
                raise ValueError(f"slurm: time={value!r} is not valid; valid: whole minutes, such as 60")
        super().__init__("slurm", math.inf, say)
        for command in ("sbatch", "squeue", "scancel", "srun"):
            if shutil.which(command) is None:
                raise RunError(
                    f"executor='slurm' needs Slurm's commands, and there is no {command} on PATH: call it on a login "
                    "node of the cluster, or take executor='local' or 'workers'"
                )
        self._options, self._answered = {"time": MINUTES, **options}, -math.inf

    def take_up(self, jobs: Sequence[Job]) -> dict[Any, Job]:
        tasks, found = [task for job in jobs for task in job.tasks], dict[Any, Job]()
        for number, (state, _, named) in self._ask().items():
            name = named.removeprefix("pbb-")
            note = store.runs() / "jobs" / name / f"{number}.tasks"
            if state in ENDED or not note.exists():
                continue
            noted = {store.runs() / line for line in note.read_text().split()}
            if theirs := tuple(task for task in tasks if task.folder in noted):  # in the order of the plan
                found[number] = Job(name, str(theirs[0]), theirs)
                self._say(f"  job {number} is in the queue already: {theirs[0]}; log {found[number].log(number)}")
        return found

    def submit(self, job: Job, after: Sequence[Any]) -> Any:
        errors, executor = self._submitit.core.utils, self._submitit.SlurmExecutor(job.logs)
        others, known = {"kill-on-invalid-dep": "yes"}, {"dependency": f"afterok:{':'.join(after)}"} if after else {}
        for name, value in self._options.items():
            if name in executor._valid_parameters():
                known[name] = value
            else:
                others[name.replace("_", "-")] = value
        executor.update_parameters(
            **known,
            job_name=f"pbb-{job.name}",
            use_srun=False,  # one task needs no job step, and a step would not inherit the job's processors
            stderr_to_stdout=True,
            additional_parameters=others,
        )
        kept = {name: value for name, value in os.environ.items() if re.match("SLURM_CONF$|SBATCH_", name)}
        try:
            with self._submitit.helpers.clean_env():  # sbatch would take over what the job got that we may be in
                os.environ |= kept
                number = str(executor.submit(work, job.tasks, job.keys, {"PBB_RUNS": str(store.runs())}).job_id)
        except (errors.FailedJobError, errors.FailedSubmissionError) as error:
            said = "; ".join(re.findall(r"sbatch: (?:error: )?(.*)", str(error))) or str(error)
            asked = subprocess.run(["sinfo", "--noheader", "--format=%R"], capture_output=True, text=True)
            hint = f"; partitions here: {', '.join(asked.stdout.split())}" if "partition" in said else ""
            raise RunError(f"Slurm did not take {job.title}: {said} (slurm={self._options!r}{hint})") from None
        (job.logs / f"{number}.tasks").write_text("\n".join(str(f.relative_to(store.runs())) for f in job.folders))
        return self._told(job, number)

    def _ask(self) -> dict[str, tuple[str, str, str]]:
        """Return state, reason and name of this user's jobs by number, those that ended just now included."""
        command = ["squeue", "--me", "--noheader", "--states=all", "--format=%i|%T|%r|%j"]
        while (asked := subprocess.run(command, capture_output=True, text=True)).returncode:
            if time.monotonic() - self._answered > _PATIENCE_S:
                raise RunError(f"squeue does not answer: {asked.stderr.strip()}")
            time.sleep(5)
        self._answered = time.monotonic()
        rows = (line.split("|", 3) for line in asked.stdout.splitlines())
        return {number: (state, reason, name) for number, state, reason, name in rows}

    def ended(self, running: Sequence[Any]) -> Collection[Any]:
        rows = self._ask()
        self._became = {number: rows.get(number, ("", "it is not in the queue any more", "")) for number in running}
        for number, (state, reason, name) in self._became.items():
            if state == "PENDING" and reason.replace(" ", "_") in HOPELESS:
                subprocess.run(["scancel", number], capture_output=True)
                why = f"it was cancelled, since it could never start: {reason} (slurm={self._options!r})"
                self._became[number] = "", why, name
        return [number for number, (state, *_) in self._became.items() if state in ENDED] or self._pause()

    def failure(self, future: Any, job: Job, state: str = "", patience: float = 0.0) -> str | None:
        state, reason, _ = self._became[future]
        said = ", ".join(part for part in (state, reason) if part not in ("", "None"))
        return super().failure(future, job, said, _SHARED_FILES_S if state == "COMPLETED" else 0)

    def leave(self, running: Sequence[Any]) -> None:
        if running:
            numbers = " ".join(running)
            self._say(f"jobs in the queue go on, and the same call takes them up; to end them: scancel {numbers}")


def _end_of(log: Path) -> str:
    """Return where a job's log is, and its last three lines."""
    if not log.exists():
        return f"{log} was never written"
    lines = [line for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    return "\n      ".join([str(log), *(line[:500] for line in lines[-3:])])
