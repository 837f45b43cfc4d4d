"""Do a run's tasks in worker processes: in what order, how many at once on a card, and until when.

A worker is one process with one thread. On a CPU there are as many as were asked for, one a core by default. On a card
there are as many at once as fit its memory by `models.model_size`: 90 % of it, or PBB_CARD_MEMORY_GB of
each card. With several cards each worker sees one, and has it to itself unless its model is tiny. A task that does not
fit beside others waits; the largest run alone. No result depends on it.

Ready tasks start in the order of the longest chain of what comes after them, which shortens a run's end.
"""

from __future__ import annotations

import ctypes
import gc
import math
import multiprocessing
import os
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import wait as wait_for
from pathlib import Path
from typing import Any

from pbb import progress, store
from pbb.experiments.documents import ASKED_AT_ONCE
from pbb.models import backends
from pbb.models.machine import Machine, asking_weights, this_machine
from pbb.models.model_size import GB, OVERHEAD, Shape, asking_bytes, training_bytes
from pbb.registry import TINY_NAMES, config_of
from pbb.runs.tasks import NO_MODEL, EvaluationTask, Task
from pbb.store import CorruptRunError

CARD_SHARE = 0.9  # of a card's memory: the rest is for what fragments, and for the display
TELLING_S = 30  # of a task, from which on the start of its worker says little about how long tasks take


class RunError(RuntimeError):
    """A task of a run failed; the message names it and its cause. What was complete is kept."""


# ------------------------------------------------------------------------------------------------ in a worker
def start_worker(messages: Any = None, card: str = "") -> None:
    """Make this process ready for tasks.

    Args:
        messages: the queue through which they tell of their progress.
        card: the one card that this process is to see, as CUDA_VISIBLE_DEVICES names it; "" leaves that alone.
    """
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")  # trl reports every training to its makers otherwise
    if card:
        os.environ["CUDA_VISIBLE_DEVICES"] = card
    import torch

    torch.set_num_threads(1)  # results must not depend on how many cores there are
    if not this_machine().card:
        _keep_freed_memory()
    if messages is not None:
        progress.connect(messages)
    if caller := multiprocessing.parent_process():
        threading.Thread(target=_end_with, args=(caller.sentinel,), daemon=True).start()


def _keep_freed_memory() -> None:
    """Have glibc keep what training frees: to fetch the same pages of the system again in every step takes a twentieth.

    Another C library has no such switch, or none that is needed.
    """
    with suppress(OSError, AttributeError, TypeError):
        tune = ctypes.CDLL(None).mallopt
        tune(-4, 0)  # M_MMAP_MAX: large tensors too come from the heap
        tune(-1, 2**31 - 1)  # M_TRIM_THRESHOLD: whose end is not given back
        tune(-2, 10**8)  # M_TOP_PAD: and which grows by 100 MB at a time


def _end_with(caller: int) -> None:
    """End this process when its caller's has ended, even by kill -9: it would hold a core, and then wait for ever."""
    wait_for([caller])
    os._exit(1)


def do(task: Task) -> str | None:
    """Run a task in a worker; return the failure as text, since not every exception survives pickling."""
    progress.begin(task.folder.name)
    try:
        task.run()
    except CorruptRunError as error:  # which says what to do
        return str(error)
    except Exception as error:
        detail = "".join(traceback.format_exception(error)[-3:])
        return f"{type(error).__name__}: {error}\n{detail}"
    finally:
        _give_memory_back()
    return None


def _give_memory_back() -> None:
    """Leave nothing of a task on the card but CUDA's own: torch keeps what was freed, and others want it."""
    import torch

    if torch.cuda.is_initialized():
        gc.collect()
        torch.cuda.empty_cache()


# ------------------------------------------------------------------------------------------------ on a card
def card_bytes(task: Task, machine: Machine) -> float:
    """Return about how many bytes of a card a task wants; infinitely many where its model's shape is not known."""
    if not machine.card or task.experiment.arm == NO_MODEL:
        return 0.0
    e = task.experiment
    shape = Shape.of(config_of(e.model))
    if shape is None or (machine.cards > 1 and e.model not in TINY_NAMES):
        return math.inf
    if isinstance(task, EvaluationTask):
        return asking_bytes(shape, asking_weights(shape, machine), ASKED_AT_ONCE, backends.ASKED_LENGTH)
    backend, tokens = backends.choose(e, machine), e.training.batch_rows * e.training.row_tokens
    if task.stage.objective:
        tokens = e.grpo.completions * (e.training.row_tokens + e.grpo.length)
    beside = OVERHEAD if backend.name == "unsloth" else 0.0  # its process is a second one beside the worker
    return training_bytes(shape, e.training.lora_rank, backend.weights, tokens) + beside


def room(machine: Machine) -> list[float]:
    """Return how many bytes of each card runs may take; one infinite number on a machine without a card.

    Raises:
        ValueError: PBB_CARD_MEMORY_GB is not valid.
    """
    if not machine.card:
        return [math.inf]
    share, said = CARD_SHARE * machine.memory, os.environ.get("PBB_CARD_MEMORY_GB")
    if said:
        try:
            share = float(said) * GB
        except ValueError:
            share = math.nan
        if not 0 < share <= machine.memory:
            raise ValueError(
                f"PBB_CARD_MEMORY_GB={said!r} is not valid; valid: more than 0, up to the {machine.memory / GB:.0f} GB "
                f"of the {machine.card}; without it {CARD_SHARE:.0%} of them"
            )
    return [share] * machine.cards


def _name_of(card: int, machine: Machine) -> str:
    """Return what CUDA_VISIBLE_DEVICES calls a card; "" where there is nothing to choose from."""
    if machine.cards < 2:
        return ""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    return visible.split(",")[card].strip() if visible else str(card)


@dataclass(eq=False)
class Worker:
    """A process that does one task after the other on one card; `holds` is what its task wants, None between two."""

    pool: Executor
    card: int
    holds: float | None = None


class Crew:
    """The workers: `most` at once, those of a card within its room."""

    def __init__(self, most: int, room: Sequence[float], hire: Callable[[int], Executor]) -> None:
        """`room` is that of each card in bytes; `hire` starts a process for the card of that number."""
        self._most, self._room, self._hire = most, room, hire
        self._workers: list[Worker] = []

    def take(self, wants: float) -> Worker | None:
        """Return a worker for a task that wants so many bytes, or None while there is no room for it."""
        busy = [worker for worker in self._workers if worker.holds is not None]
        if len(busy) >= self._most:
            return None
        held = [sum(worker.holds or 0.0 for worker in busy if worker.card == card) for card in range(len(self._room))]
        card = max(range(len(self._room)), key=lambda card: self._room[card] - held[card])
        wants = min(wants, self._room[card])  # what wants more than there is runs alone
        if held[card] + wants > self._room[card]:
            return None
        idle = [worker for worker in self._workers if worker.holds is None and worker.card == card]
        worker = idle.pop() if idle else None
        while idle and held[card] + wants + OVERHEAD * len(idle) > self._room[card]:
            self._end(idle.pop())  # a process that has used a card holds some of it until it ends
        if worker is None:
            if len(self._workers) == self._most:
                self._end(next(other for other in self._workers if other.holds is None))
            worker = Worker(self._hire(card), card)
            self._workers.append(worker)
        worker.holds = wants
        return worker

    def alone(self, worker: Worker) -> bool:
        """Whether a worker's task has a whole card's room."""
        return worker.holds == self._room[worker.card]

    def _end(self, worker: Worker) -> None:
        self._workers.remove(worker)
        worker.pool.shutdown()

    def close(self) -> None:
        """End all workers, which have nothing to do any more."""
        for worker in list(self._workers):
            self._end(worker)

    def kill(self) -> None:
        """End all workers in the middle of what they do; they take with them what they have started (`_end_with`)."""
        processes = [p for w in self._workers for p in (getattr(w.pool, "_processes", None) or {}).values()]
        for worker in self._workers:
            worker.pool.shutdown(wait=False, cancel_futures=True)
        for process in processes:
            process.terminate()
        for process in processes:
            process.join(10)  # so that cores and cards are free when the call is over


# -------------------------------------------------------------------------------------------------- in the call
def execute(
    tasks: Sequence[Task],
    workers: int,
    say: Callable[[str], object],
    *,
    seconds: Callable[[Task], float] = lambda task: task.tokens,
    until: float = math.inf,
    machine: Machine | None = None,
) -> list[Task]:
    """Do tasks, each after those that it needs, and return those that were not begun since time was up.

    Args:
        tasks: each after those that it needs.
        workers: processes at once, at most.
        say: where a line for each finished task goes.
        seconds: about how long a task takes; without a time limit any measure of length does.
        until: by `time.perf_counter`: no task is begun that would go on beyond, by its estimate; if this call's tasks
            took longer than theirs, by that much more. Where none that is ready at first would end in time, the limit
            is the end of the shortest: a call always gets something done.
        machine: whose cards to use; this one by default.

    Raises:
        RunError: a task failed, or a worker died.
    """
    store.quiet()
    m = machine or this_machine()
    needs = {task.folder: {need.folder for need in task.needs} for task in tasks}
    wants = {task.folder: card_bytes(task, m) for task in tasks}
    chains = _chains(tasks, needs, seconds)
    waiting = {task.folder: task for task in sorted(tasks, key=lambda task: -chains[task.folder])}
    running: dict[Future[str | None], tuple[Task, Worker, float]] = {}
    done, took, estimated = 0, 0.0, 0.0

    def finish(future: Future[str | None]) -> None:
        nonlocal done, took, estimated
        task, worker, started = running.pop(future)
        failure, lasted = future.result(), time.perf_counter() - started
        if failure and m.card and "out of memory" in failure and not crew.alone(worker):
            wants[task.folder], waiting[task.folder] = math.inf, task
            line = f"the card's memory was too small to {task} beside others: it is done again, alone"
        elif failure:
            after = "" if "The way out" in failure else "\nThe same call goes on from what is complete."
            raise RunError(f"could not {task}: {failure}{after}")
        else:
            done += 1
            line = f"[{done}/{len(tasks)}] {task}: {lasted:.0f} s"
            if seconds(task) > TELLING_S:
                took, estimated = took + lasted, estimated + seconds(task)
        worker.holds = None
        line += bars.finish(task.folder.name)
        with bars.aside():
            say(line)

    context = multiprocessing.get_context("spawn")
    messages = context.Queue()
    bars = progress.Bars(messages, {task.folder.name: str(task) for task in tasks})
    crew = Crew(workers, room(m), lambda card: _hire(context, messages, _name_of(card, m)))
    try:
        while waiting or running:
            undone = waiting.keys() | {task.folder for task, _, _ in running.values()}
            ready = [task for folder, task in waiting.items() if not needs[folder] & undone]
            now, pace = time.perf_counter(), max(1.0, took / estimated if estimated else 1.0)
            if not (done or running):
                until = max(until, now + min(map(seconds, ready)))
            for task in ready:
                if now + pace * seconds(task) <= until and (worker := crew.take(wants[task.folder])):
                    future = worker.pool.submit(do, waiting.pop(task.folder))
                    running[future] = task, worker, time.perf_counter()
            if not running:
                break
            while not (finished := wait(running, progress.PAUSE_S, FIRST_COMPLETED).done):
                bars.update()
            for future in finished:
                finish(future)
    except BaseException as error:
        crew.kill()  # after a failure or Ctrl-C, what still runs would only hold cores and cards
        if isinstance(error, BrokenProcessPool):
            raise RunError(
                "a worker process died, most likely for want of memory: use fewer workers, or a smaller model; the "
                "same call goes on from what is complete. Or a script calls pbb.run outside "
                "`if __name__ == '__main__':`, and its workers, which import it, did so too."
            ) from None
        raise
    finally:
        bars.close()
    crew.close()
    return list(waiting.values())


def _hire(context: Any, messages: Any, card: str) -> Executor:
    return ProcessPoolExecutor(1, context, start_worker, (messages, card))


def _chains(tasks: Sequence[Task], needs: dict[Path, set[Path]], seconds: Callable[[Task], float]) -> dict[Path, float]:
    """Return how long each task and the longest chain of those that need it take, one after the other."""
    chains: dict[Path, float] = {}
    after: dict[Path, float] = {}
    for task in reversed(tasks):
        chains[task.folder] = seconds(task) + after.get(task.folder, 0.0)
        for need in needs[task.folder]:
            after[need] = max(after.get(need, 0.0), chains[task.folder])
    return chains
