"""Tasks that do nothing but last, on pretended workers and cards, by a clock that jumps: to test the scheduler with."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pbb.models.model_size import OVERHEAD
from pbb.runs import engine


@dataclass(frozen=True)
class Lasting:
    """A task that should last `tokens` seconds, and takes `bytes` of a card."""

    name: str
    tokens: float = 1.0
    bytes: float = OVERHEAD
    needs: tuple[Lasting, ...] = ()

    @property
    def folder(self) -> Path:
        return Path(self.name)

    def __str__(self) -> str:
        return f"do {self.name}"


@dataclass
class World:
    """What the scheduler sees of processes and time. `looks` is called whenever a task has begun."""

    lasts: Callable[[Lasting], float] = lambda task: task.tokens
    fails: Callable[[Lasting, World], str | None] = lambda task, world: None
    looks: Callable[[World], None] = lambda world: None
    now: float = 100.0
    begun: list[tuple[float, Lasting]] = field(default_factory=list)
    ended: list[Lasting] = field(default_factory=list)
    running: dict[Future[Any], tuple[Lasting, int, float]] = field(default_factory=dict)  # task, card, its end
    alive: list[Process] = field(default_factory=list)

    @contextmanager
    def entered(self) -> Iterator[World]:
        """Let `pbb.runs.engine` work in this world."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(engine, "card_bytes", lambda task, machine: task.bytes if machine.card else 0.0)
            patch.setattr(engine, "time", SimpleNamespace(perf_counter=lambda: self.now))
            patch.setattr(engine, "wait", self._wait)
            patch.setattr(engine, "_hire", lambda context, messages, card: Process(self, int(card or 0)))
            yield self

    def of(self, card: int) -> list[Lasting]:
        """Return what runs on a card."""
        return [task for task, where, _ in self.running.values() if where == card]

    def _wait(self, futures: Collection[Future[Any]], pause: float, when: str) -> SimpleNamespace:
        """End the task that ends first."""
        assert set(futures) == set(self.running)
        future = min(self.running, key=lambda future: self.running[future][2])
        task, _, self.now = self.running[future]
        future.set_result(failure := self.fails(task, self))
        del self.running[future]
        if not failure:
            self.ended.append(task)
        return SimpleNamespace(done={future})


class Process:
    """A worker of one process, as ProcessPoolExecutor(1)."""

    def __init__(self, world: World, card: int) -> None:
        self.world, self.card = world, card
        world.alive.append(self)

    def submit(self, do: Callable[..., Any], task: Lasting) -> Future[Any]:
        world, future = self.world, Future[Any]()
        assert do is engine.do
        assert self in world.alive
        world.running[future] = task, self.card, world.now + world.lasts(task)
        world.begun.append((world.now, task))
        world.looks(world)
        return future

    def shutdown(self, wait: bool = True, cancel_futures: bool = False) -> None:
        self.world.alive.remove(self)


@dataclass(frozen=True)
class Noting:
    """A task for real workers: it notes which card it sees, and from when to when it ran."""

    folder: Path
    needs: tuple[Noting, ...] = ()
    tokens: float = 1.0

    def run(self) -> None:
        started = time.time()
        time.sleep(0.3)
        self.folder.write_text(f"{os.environ.get('CUDA_VISIBLE_DEVICES')} {started} {time.time()}")
