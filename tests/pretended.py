"""Tasks that do nothing but last, on a pretended engine by a clock that jumps: to test the loop with."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import strategies as st

from pbb.runs import engine


@dataclass(frozen=True)
class Lasting:
    """A task that should last `tokens` seconds."""

    name: str
    tokens: float = 1.0
    needs: tuple[Lasting, ...] = ()

    @property
    def folder(self) -> Path:
        return Path(self.name)

    def __str__(self) -> str:
        return f"do {self.name}"


@st.composite
def sweeps(draw: st.DrawFn) -> list[Lasting]:
    """Up to ten tasks, each of which may need one before it."""
    tasks: list[Lasting] = []
    for number in range(draw(st.integers(1, 10))):
        needs = draw(st.lists(st.sampled_from(tasks), max_size=1)) if tasks else []
        tasks.append(Lasting(f"task {number}", draw(st.floats(1, 100)), tuple(needs)))
    return tasks


@dataclass
class World(engine.Engine):
    """An engine of pretended processes. `looks` is called before anything ends."""

    lasts: Callable[[Lasting], float] = lambda task: task.tokens
    looks: Callable[[World], None] = lambda world: None
    now: float = 100.0
    begun: list[tuple[float, Lasting]] = field(default_factory=list)
    done: list[Lasting] = field(default_factory=list)
    running: dict[str, tuple[Lasting, float]] = field(default_factory=dict)  # with its end
    patient = False

    def execute(self, tasks: Sequence[Any], workers: int, until: float = float("inf")) -> list[Any]:
        """As `pbb.runs.engine.execute`, in this world."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(engine, "time", SimpleNamespace(perf_counter=lambda: self.now))
            self.most = workers
            jobs = [engine.Job(task.name, str(task), (task,)) for task in tasks]
            return [job.tasks[0] for job in engine.finish(jobs, self, lambda task: task.tokens, until)]

    def submit(self, job: engine.Job, after: Sequence[Any]) -> str:
        assert not after
        (task,) = job.tasks
        self.running[job.name] = task, self.now + self.lasts(task)
        self.begun.append((self.now, task))
        return job.name

    def ended(self, running: Sequence[str]) -> list[str]:
        """End the task that ends first."""
        assert set(running) == set(self.running)
        self.looks(self)
        first = min(self.running, key=lambda name: self.running[name][1])
        task, self.now = self.running.pop(first)
        self.done.append(task)
        return [first]

    def failure(self, future: str, job: engine.Job) -> None:
        return None

    def tell(self, line: str, future: str, job: engine.Job, lasted: float) -> None:
        assert line == f"[{len(self.done)}/{line.partition('/')[2].partition(']')[0]}] do {job.name}: "


@dataclass(frozen=True)
class Noting:
    """A task for real workers: it notes which card it sees, from when to when it ran, and what launched it."""

    folder: Path
    needs: tuple[Noting, ...] = ()
    tokens: float = 1.0

    def run(self) -> None:
        started = time.time()
        time.sleep(1)
        rank = os.environ.get("RANK", "none")
        self.folder.write_text(f"{os.environ.get('CUDA_VISIBLE_DEVICES')} {started} {time.time()} {rank}")
