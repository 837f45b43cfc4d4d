"""Training curves while they grow: workers tell of steps and losses, and the caller draws a bar for each stage.

Bars are drawn on a terminal and, with ipywidgets, in Jupyter and Colab; ``TQDM_DISABLE=1`` turns them off. Where they
are not drawn, as in a file, one line says how far things are whenever nothing else was written for `HEARTBEAT_S`.
"""

from __future__ import annotations

import math
import os
import queue
import sys
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

PAUSE_S = 0.3  # between two messages of a worker, and between two looks of the caller
HEARTBEAT_S = 25.0  # between two lines in a file; a look may come a little late, and 30 s are promised
_HEIGHTS = "▁▂▃▄▅▆▇█"

# In a worker: where messages go, which task it does, when it last told of it.
_messages: Any = None
_task = ""
_told = 0.0


def connect(messages: Any) -> None:
    """Let this worker's `tell` go to the queue of its caller's `Bars`."""
    global _messages
    _messages = messages
    messages.cancel_join_thread()  # a caller that reads no more must not keep a worker from ending


def begin(task: str) -> None:
    """Say which task this worker does from now on, by its folder's name."""
    global _task
    _task = task
    if _messages is not None:
        _messages.put((task, 0, 0, None))


def tell(step: int, steps: int, loss: float | None = None) -> None:
    """Tell of a step of a training; `loss` where it was just measured. Does nothing in a process without a caller."""
    global _told
    now = time.monotonic()
    if _messages is not None and (loss is not None or step == steps or now - _told > PAUSE_S):
        _told = now
        _messages.put((_task, step, steps, loss))


class Bars:
    """What the caller knows of its workers' trainings: a bar for each and one for all tasks, or a line now and then."""

    def __init__(self, messages: Any, titles: Mapping[str, str], seconds: Mapping[str, float] | None = None) -> None:
        """Read what `tell` puts into `messages`, a queue of multiprocessing.

        `titles` are what to call the tasks that `begin` names, `seconds` about how long each takes (None: all alike).
        """
        with warnings.catch_warnings():  # that Jupyter has no ipywidgets is nothing to warn of
            warnings.simplefilter("ignore")
            from tqdm.auto import tqdm
            from tqdm.notebook import tqdm_notebook

        self._messages, self._titles, self._tqdm = messages, titles, tqdm
        watched = sys.stderr.isatty() or issubclass(tqdm, tqdm_notebook)
        self._drawn = watched and not os.environ.get("TQDM_DISABLE")  # of which tqdm's bars for notebooks know nothing
        self._bars: dict[str, Any] = {}
        self._losses: dict[str, list[float]] = {}
        self._steps: dict[str, tuple[float, int, int, int]] = {}  # since when, from which step, the step, of how many
        self._seconds = seconds or dict.fromkeys(titles, 1.0)
        self._left, self._finished = dict(self._seconds), set[str]()
        self._began = self._wrote = time.monotonic()
        if self._drawn and len(titles) > 1:
            look = "{desc}: {percentage:3.0f}%|{bar}| {elapsed}, {remaining} left"
            self._bars[""] = self._tqdm(desc="all tasks", total=1.0, bar_format=look, leave=False)

    def update(self) -> None:
        """Draw what has arrived."""
        reached, now = set[str](), time.monotonic()
        with suppress(queue.Empty):
            while True:
                task, step, steps, loss = self._messages.get_nowait()
                if task in self._finished:  # told late
                    continue
                since, first, _, known = self._steps.get(task, (now, step, step, 0))
                self._steps[task] = (since, first, step, steps) if known else (now, step, step, steps)
                if steps:  # none are known when a task begins, nor of one that trains nothing
                    self._left[task] = self._seconds[task] * (1 - step / steps)
                    reached.add(task)
                if loss is not None:
                    self._losses.setdefault(task, []).append(loss)
        for task in reached if self._drawn else ():
            *_, step, steps = self._steps[task]
            if task not in self._bars:
                self._bars[task] = self._tqdm(desc=self._titles[task], total=steps, unit="step", leave=False)
            bar, losses = self._bars[task], self._losses.get(task)
            bar.n = step
            bar.set_postfix_str(f"loss {losses[-1]:.3g} {curve(losses)}" if losses else "")
        self._draw_share()
        if not self._drawn and now - self._wrote >= HEARTBEAT_S:
            self._wrote = now
            print(self.line(), file=sys.stderr, flush=True)

    def _draw_share(self) -> None:
        if "" in self._bars:
            self._bars[""].n = self._share
            self._bars[""].refresh()

    @property
    def _share(self) -> float:
        return 1 - sum(self._left.values()) / (sum(self._seconds.values()) or 1)

    def line(self) -> str:
        """Return how far all tasks are, and each training, in one line."""
        now = time.monotonic()
        said = [f"{duration(now - self._began)} in: {len(self._finished)} of {len(self._titles)} tasks done"]
        if self._share > 0:
            said[0] += f", about {duration((now - self._began) * (1 - self._share) / self._share)} left"
        for task, (since, first, step, steps) in self._steps.items():
            told = f": step {step:,} of {steps:,}" if steps else ""
            told += f", loss {self._losses[task][-1]:.3g}" if self._losses.get(task) else ""
            told += f", {duration((now - since) * (steps - step) / (step - first))} left" if step > first else ""
            said.append(f"{self._titles[task]}{told}")
        return "; ".join(said)

    def finish(self, task: str) -> str:
        """Take a task's bar away; returns what to add to the line about it, such as ``, loss 0.21``."""
        self.update()
        if task in self._bars:
            self._bars.pop(task).close()
        self._steps.pop(task, None)
        self._finished.add(task)
        self._left[task], self._wrote = 0.0, time.monotonic()
        self._draw_share()
        losses = self._losses.pop(task, [])
        return f", loss {losses[-1]:.3g}" if losses else ""

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Keep bars out of the way of what is printed within."""
        with self._tqdm.external_write_mode():
            yield

    def close(self) -> None:
        """Take all bars away."""
        for bar in self._bars.values():
            bar.close()


def duration(seconds: float) -> str:
    """Return seconds as it is said: ``"40 s"``, ``"3 min"``, ``"2.5 h"``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def curve(losses: list[float]) -> str:
    """Return the last twenty losses as a line of little columns."""
    last = [loss for loss in losses[-20:] if math.isfinite(loss)]
    low, high = min(last, default=0.0), max(last, default=0.0)
    return "".join(_HEIGHTS[round((loss - low) / (high - low or 1) * 7)] for loss in last)
