"""Training curves while they grow: workers tell of steps and losses, and the caller draws a bar for each stage.

Bars are drawn on a terminal and, with ipywidgets, in Jupyter and Colab; ``TQDM_DISABLE=1`` turns them off. Where there
is nobody to watch them, the line that `pbb.run` writes for a finished stage is all, and it ends with the last loss.
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


def tell(step: int, steps: int, loss: float | None = None) -> None:
    """Tell of a step of a training; `loss` where it was just measured. Does nothing in a process without a caller."""
    global _told
    now = time.monotonic()
    if _messages is not None and (loss is not None or step == steps or now - _told > PAUSE_S):
        _told = now
        _messages.put((_task, step, steps, loss))


class Bars:
    """What the caller knows of its workers' trainings, as bars where they can be drawn."""

    def __init__(self, messages: Any, titles: Mapping[str, str]) -> None:
        """Read from `messages`, a queue of multiprocessing; `titles` are what to call the tasks that `begin` names."""
        with warnings.catch_warnings():  # that Jupyter has no ipywidgets is nothing to warn of
            warnings.simplefilter("ignore")
            from tqdm.auto import tqdm
            from tqdm.notebook import tqdm_notebook

        self._messages, self._titles, self._tqdm = messages, titles, tqdm
        watched = sys.stderr.isatty() or issubclass(tqdm, tqdm_notebook)
        self._drawn = watched and not os.environ.get("TQDM_DISABLE")  # of which tqdm's bars for notebooks know nothing
        self._bars: dict[str, Any] = {}
        self._losses: dict[str, list[float]] = {}

    def update(self) -> None:
        """Draw what has arrived."""
        reached: dict[str, tuple[int, int]] = {}
        with suppress(queue.Empty):
            while True:
                task, step, steps, loss = self._messages.get_nowait()
                reached[task] = step, steps
                if loss is not None:
                    self._losses.setdefault(task, []).append(loss)
        for task, (step, steps) in reached.items() if self._drawn else ():
            if task not in self._bars:
                self._bars[task] = self._tqdm(desc=self._titles[task], total=steps, unit="step", leave=False)
            bar, losses = self._bars[task], self._losses.get(task)
            bar.n = step
            bar.set_postfix_str(f"loss {losses[-1]:.3g} {curve(losses)}" if losses else "")

    def finish(self, task: str) -> str:
        """Take a task's bar away; returns what to add to the line about it, such as ``, loss 0.21``."""
        self.update()
        if task in self._bars:
            self._bars.pop(task).close()
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


def curve(losses: list[float]) -> str:
    """Return the last twenty losses as a line of little columns."""
    last = [loss for loss in losses[-20:] if math.isfinite(loss)]
    low, high = min(last, default=0.0), max(last, default=0.0)
    return "".join(_HEIGHTS[round((loss - low) / (high - low or 1) * 7)] for loss in last)
