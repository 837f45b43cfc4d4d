"""Training curves while they grow: drawn where somebody watches, one line a stage where nobody does."""

from __future__ import annotations

import io
import queue
import sys
from typing import Any

import pytest

from pbb import progress

TITLES = {"a1": "train tiny-s: stage 'w/ IO'", "b2": "train tiny-s: stage 'w/o IO'"}
TOLD = [("a1", 1, 4, None), ("a1", 2, 4, 2.0), ("b2", 1, 9, 0.75), ("a1", 4, 4, 0.5)]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Messages(queue.Queue[Any]):
    """The part of a queue between processes that is used, within one."""

    def cancel_join_thread(self) -> None:
        pass


@pytest.fixture
def messages() -> Messages:
    filled = Messages()
    for message in TOLD:
        filled.put(message)
    return filled


def test_a_terminal_shows_a_bar_a_stage_with_its_curve(messages: Messages, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", screen := Terminal())
    bars = progress.Bars(messages, TITLES)
    bars.update()
    drawn = screen.getvalue()
    assert all(title in drawn for title in TITLES.values())
    assert bars.finish("a1") == ", loss 0.5"
    assert "all tasks: 100%" not in screen.getvalue()
    bars.finish("b2")
    bars.close()
    assert "all tasks: 100%" in screen.getvalue()
    assert "4/4" in screen.getvalue()
    assert "loss 0.5 █▁" in screen.getvalue()


def test_a_file_gets_a_line_with_steps_losses_and_what_is_left(
    messages: Messages, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also while tasks run that tell nothing, such as evaluations, and never more often than `HEARTBEAT_S`."""
    now = 100.0
    monkeypatch.setattr(progress.time, "monotonic", lambda: now)
    bars = progress.Bars(messages, TITLES | {"c3": "ask tiny-s"}, {"a1": 30.0, "b2": 60.0, "c3": 10.0})
    bars.update()
    now += 20
    messages.put(("b2", 5, 9, 0.5))
    messages.put(("c3", 0, 0, None))  # begun, and there are no steps
    assert bars.finish("a1") == ", loss 0.5"
    messages.put(("a1", 4, 4, None))  # late, and no news
    now += progress.HEARTBEAT_S - 1
    bars.update()
    assert capsys.readouterr().err == ""
    now += 1
    bars.update()
    bars.update()
    (line,) = capsys.readouterr().err.splitlines()
    # 30 and 60 × 5/9 of 100 are done after 45 s; 4 of the last 8 steps took the 45 s since the first was told.
    assert line == (
        "45 s in: 1 of 3 tasks done, about 26 s left; train tiny-s: stage 'w/o IO': step 5 of 9, loss 0.5, 45 s left; "
        "ask tiny-s"
    )
    assert progress.HEARTBEAT_S + progress.PAUSE_S <= 30


def test_where_nobody_watches_the_last_loss_is_all(
    messages: Messages, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("TQDM_DISABLE", "1")
    bars = progress.Bars(messages, TITLES)
    with bars.aside():
        print("a line")
    assert bars.finish("b2") == ", loss 0.75"
    assert bars.finish("a task that trains nothing") == ""
    bars.close()
    assert capsys.readouterr() == ("a line\n", "")


def test_a_worker_tells_every_loss_and_the_last_step_and_little_else(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_messages", "_task", "_told"):
        monkeypatch.setattr(progress, name, getattr(progress, name))  # as it was, afterwards
    progress.tell(1, 1000, 3.0)  # a training without a caller
    progress.connect(messages := Messages())
    progress.begin("a1")
    for step in range(1, 1001):
        progress.tell(step, 1000)
        if step % 500 == 0:
            progress.tell(step, 1000, step / 1000)
    told = [messages.get_nowait() for _ in range(messages.qsize())]
    assert {("a1", 500, 1000, 0.5), ("a1", 1000, 1000, None), ("a1", 1000, 1000, 1.0)} <= set(told)
    assert len(told) < 100


def test_a_curve_has_a_column_a_loss_and_survives_what_is_no_number() -> None:
    assert progress.curve([3.0, 2.0, float("nan"), 1.0, float("inf")]) == "█▅▁"
    assert progress.curve([1.0, 1.0]) == "▁▁"
    assert progress.curve([float("nan")]) == ""
    assert len(progress.curve([float(n) for n in range(50)])) == 20
