"""What the loop begins, and when: BUDGET_MIN, the order of tasks, and how many there are at once.

Also what becomes of a worker's own child processes when a run ends in any other way: they would hold the card.
"""

from __future__ import annotations

import itertools
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pretended import Lasting, Noting, World, sweeps
from sweep import Undisturbed, experiments, here, recorded, same, undisturbed

import pbb
from pbb import cli, store
from pbb.experiments.experiment import Experiment
from pbb.models.machine import Machine, cores
from pbb.notebook import execute
from pbb.runs import engine, run
from pbb.runs.tasks import Task

__all__ = ["experiments", "here", "undisturbed"]
ROOT = Path(pbb.__file__).parents[1]


# ------------------------------------------------------------------------------------------------ what is begun
@given(sweeps(), st.integers(1, 4), st.floats(1, 150), st.floats(0.5, 1.0))
@settings(max_examples=100, deadline=None)
def test_call_after_call_everything_is_done_and_none_takes_longer_than_it_should(
    tasks: list[Lasting], workers: int, budget: float, share: float
) -> None:
    left = tasks
    while left:
        ready = [task for task in left if not set(task.needs) & set(left)]
        world = World(lasts=lambda task: share * task.tokens)
        until, before = world.now + budget, left
        left = world.execute(before, workers, until)
        assert world.done, "every call gets something done"
        assert {*world.done, *left} == {*before}
        assert not {*world.done} & {*left}, "what is begun is finished"
        limit = max(until, 100.0 + min(task.tokens for task in ready))
        assert all(begun + task.tokens <= limit for begun, task in world.begun)
        assert world.now <= limit, "tasks that last no longer than was estimated end in time"
        for task in left:  # nothing that would have fitted was left
            assert set(task.needs) & set(left) or world.now + task.tokens > limit


@given(sweeps(), st.integers(1, 5))
@settings(max_examples=100, deadline=None)
def test_as_many_at_once_as_asked_for_and_nothing_waits_without_a_reason(tasks: list[Lasting], workers: int) -> None:
    def look(world: World) -> None:
        running, done = {task for task, _ in world.running.values()}, set(world.done)
        assert len(running) <= workers
        assert all(done.issuperset(task.needs) for task in running)
        waits = [task for task in tasks if task not in running | done and done.issuperset(task.needs)]
        assert len(running) == workers or not waits

    world = World(looks=look)
    assert world.execute(tasks, workers) == []
    assert {*world.done} == {*tasks}


def test_the_longest_chain_goes_first_and_what_is_longer_than_the_budget_last_the_shortest_first() -> None:
    first, world = Lasting("first", 1), World()
    world.execute([Lasting("short", 2), first, Lasting("long", 5), Lasting("last", 7, needs=(first,))], 1)
    assert [task.name for _, task in world.begun] == ["first", "last", "long", "short"]
    left: Sequence[Any] = [Lasting("longest", 90), Lasting("short", 5), Lasting("long", 80)]
    for begun in ("short", "long", "longest"):
        world = World()
        left = world.execute(left, 1, until=world.now + 10)
        assert [task.name for _, task in world.begun] == [begun]
    assert not left


@pytest.mark.parametrize(("times", "begun"), [(1.0, 5), (2.5, 2), (0.5, 10)])
def test_tasks_that_take_longer_than_estimated_make_the_next_ones_wait(times: float, begun: int) -> None:
    world = World(lasts=lambda task: times * task.tokens)
    world.execute([Lasting(f"{number}", 100) for number in range(10)], 1, until=world.now + 560)
    assert len(world.begun) == begun
    assert world.now <= 100 + 560


# ---------------------------------------------------------------------------------------------- workers' own world
@pytest.mark.slow
@pytest.mark.parametrize("workers", [2, 4])
def test_workers_see_one_card_each_and_no_launcher(
    workers: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "6,GPU-7")
    for name in ("RANK", "WORLD_SIZE", "MASTER_PORT", "PET_NNODES", "ACCELERATE_MIXED_PRECISION", "RANKING"):
        monkeypatch.setenv(name, "1")
    (tmp_path / "torch.py").write_text(TORCH)  # of which workers import nothing but the threads' number
    monkeypatch.syspath_prepend(str(tmp_path))
    tasks, said = [Noting(tmp_path / f"{number}") for number in range(4)], list[str]()
    machine = Machine("Pretended", (8, 0), 10**10, 16, cards=2)
    assert engine.execute(tasks, workers, said.append, machine=machine) == []
    noted = sorted(task.folder.read_text().split() for task in tasks)
    assert {card for card, *_ in noted} == {"6", "GPU-7"}
    assert {rank for *_, rank in noted} == {"none"}
    assert said[0].endswith("are ignored: ACCELERATE_MIXED_PRECISION, MASTER_PORT, PET_NNODES, RANK, WORLD_SIZE")
    assert sum("ignored" in line for line in said) == 1
    if workers == 2:
        for (card, _, end, _), (next_card, start, *_) in itertools.pairwise(noted):
            assert card != next_card or float(end) <= float(start)


@pytest.mark.parametrize(
    ("files", "named", "expected"),
    [
        ({"cpu.max": "150000 100000"}, "0::/", 2),
        ({"cpu.max": "max 100000", "a/b/cpu.max": "max 100000", "a/cpu.max": "100000 100000"}, "0::/a/b", 1),
        ({"cpu,cpuacct/job/cpu.cfs_quota_us": "300000", "cpu,cpuacct/job/cpu.cfs_period_us": "100000"},
         "4:memory:/job\n3:cpu,cpuacct:/job\n0::/", 3),
        ({"cpu/cpu.cfs_quota_us": "200000", "cpu/cpu.cfs_period_us": "100000"}, "1:cpu:/docker/of/the/host", 2),
        ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, "1:cpu:/", 8),
        ({"cpu.max": "50000 100000"}, "0::/../..", 1),
        ({}, "nonsense", 8),
    ],
)  # fmt: skip
def test_cores_are_those_that_this_process_may_use(
    files: dict[str, str], named: str, expected: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for file, text in files.items():
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text(text + "\n")
    (tmp_path / "self").write_text(named + "\n")
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(8)), raising=False)
    assert cores(tmp_path, tmp_path / "self") == expected


def test_a_process_bound_to_one_core_plans_one_worker() -> None:
    code = (
        "import os\nos.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
        "from pbb.models.machine import cores\nprint(cores())"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == "1\n", done.stderr


# -------------------------------------------------------------------------------------------------- what is said
@pytest.fixture
def small(experiments: list[Experiment]) -> list[Experiment]:
    return [e.changed(model="tiny-s") for e in experiments]


@pytest.fixture
def nothing_fits(run_store: Path, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Nothing is ever done. Returns until when it could have been, by call."""
    limits: list[float] = []

    def execute(tasks: Sequence[Task], workers: int, say: Any, *, seconds: Any, until: float) -> list[Task]:
        assert all(seconds(task) > 0 for task in tasks)
        limits.append(until - time.perf_counter())
        return list(tasks[1:])

    monkeypatch.setattr(run, "execute", execute)
    return limits


def test_a_call_says_what_is_done_what_is_left_and_which_stages_are_longer_than_the_budget(
    small: list[Experiment], nothing_fits: list[float]
) -> None:
    said: list[str] = []
    with pytest.raises(run.BudgetError) as stop:
        pbb.run([small[1].changed(stage_1_steps=200_000), small[0]], budget_min=9, say=said.append)
    assert re.fullmatch(
        r"Stopped after \d\.\d min, since nothing that is left fits a budget of 9 min\.\n"
        r"Done and kept: 1 of \d+ tasks, 1 of them by this call\.\n"
        r"Left: \d stages and \d evaluations, about \d+ min\.",
        str(stop.value),
    )
    assert 500 < nothing_fits[0] <= 540
    named = [line for line in said if re.match(r"    about \d+ min: train", line)]
    assert len(named) == 1, said
    assert "  longer than a budget of 9 min, so begun when nothing else fits, and finished:" in said
    assert run.plan(small).longer_than(9) == []


@pytest.mark.parametrize("wrong", [0, -1, float("nan"), float("inf"), True, "9"])
def test_a_budget_that_is_none(wrong: Any, small: list[Experiment], run_store: Path) -> None:
    with pytest.raises(ValueError, match=f"budget_min={re.escape(repr(wrong))} is not valid; valid: minutes, more tha"):
        pbb.run(small, budget_min=wrong)


# ------------------------------------------------------------------------------------------------ from the shell
def test_a_command_that_stops_names_itself_as_it_was_called(
    small: list[Experiment],
    nothing_fits: list[float],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The exit status and what `python -m pbb` says are in tests/test_checklist.py."""
    monkeypatch.setattr(cli, "_all_experiments", lambda *_: small)
    monkeypatch.setattr(execute, "run_notebooks", lambda *_, **__: pytest.fail("a notebook would train"))
    monkeypatch.setenv("PBB_COMMAND", "make reproduce BUDGET_MIN=0.5")
    assert cli.main(["reproduce", "--preset", "cpu", "--budget-min=0.5"]) == 75
    assert "The same command goes on: make reproduce BUDGET_MIN=0.5\n" in capsys.readouterr().out
    assert nothing_fits[0] <= 30
    for wrong in ("nine", "-1", "inf"):
        with pytest.raises(SystemExit):
            cli.main(["run", "--budget-min", wrong])
        said = capsys.readouterr().err
        assert f"argument --budget-min: {wrong!r} is not valid; valid: minutes, more than 0, such as 9" in said


def test_notebooks_stop_when_time_is_up_and_go_on_where_they_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    every = [path.stem for path in execute.list_notebooks()]
    monkeypatch.setattr(store, "build", lambda preset: tmp_path)
    monkeypatch.setattr(store, "root", lambda: tmp_path)
    begun: list[str] = []

    def run_notebooks(names: list[str], *, progress: Callable[[str], object], **how: Any) -> None:
        assert how["preset"] == "cpu"
        for name in names:
            begun.append(name)
            (tmp_path / f"{name}.ipynb").touch()
            progress(name)

    monkeypatch.setattr(execute, "run_notebooks", run_notebooks)
    for number in range(2):
        with pytest.raises(run.BudgetError, match=f"Left: the notebooks {every[number + 1]}, .*, and the comparison"):
            cli._run_notebooks("cpu", 1, until=0.0)
    assert begun == every[:2], "one at least in each call"
    cli._run_notebooks("cpu", 1, until=float("inf"))
    assert begun == every
    cli._run_notebooks("cpu", 1, until=0.0)
    assert begun == every
    assert "already executed" in capsys.readouterr().out
    (tmp_path / f"{every[3]}.ipynb").unlink()
    (tmp_path / f"{every[4]}.ipynb").touch()
    assert cli._notebooks_left("cpu", 1) == every[3:5], "one was deleted, and of one that failed since a copy is there"
    monkeypatch.setattr(cli, "_notebook_state", lambda *_: "something has changed")
    assert cli._notebooks_left("cpu", 1) == every
    cli._run_notebooks("cpu", 1, float("inf"), ["F05", "F02", "F01"])
    own = ["F02_curricula", "F05_answer_mode"]
    assert begun == [*every, *own], "F01 has no notebook of its own"
    assert cli._notebooks_left("cpu", 1) == [name for name in every if name not in own], "the others are still to do"


# ---------------------------------------------------------------------------------------------- in real processes
def test_in_pieces_the_records_are_those_of_one_call(
    experiments: list[Experiment], undisturbed: Undisturbed, here: None, run_store: Path
) -> None:
    left, said = len(run.plan(experiments).missing), list[str]()
    while left:
        with suppress(run.BudgetError):
            run.run(experiments, workers=1, budget_min=1e-6, say=said.append)
        before, left = left, len(run.plan(experiments).missing)
        assert left < before
    assert sum("[1/" in line for line in said) > 1, "it took several calls"
    same(recorded(experiments), undisturbed)


CALLER = """
import os, signal, sys, time
from pathlib import Path
from pbb.models import backends
from pbb.runs import engine

signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored below a shell's `make test &`

class Apart:
    # A task like a stage by Unsloth: a process of its own does it.
    tokens, needs = 1.0, ()
    def __init__(self, folder): self.folder = Path(folder)
    def run(self): backends.apart(hold, self.folder)

class Fails(Apart):
    def run(self):
        while not (self.folder.parent / "seen").exists(): time.sleep(0.1)
        raise ValueError("a sibling fails")

def hold(folder):
    folder.with_suffix(".partial").write_text(f"{os.getpid()} {os.getppid()}")
    folder.with_suffix(".partial").rename(folder)
    time.sleep(600)

if __name__ == "__main__":
    tasks = [Apart(sys.argv[1] + "/card"), *([Fails(sys.argv[1] + "/fails")] if "fails" in sys.argv else [])]
    engine.execute(tasks, 2, print)
"""


TORCH = """
from types import SimpleNamespace
cuda = SimpleNamespace(is_available=lambda: False, is_initialized=lambda: False)
cpu = SimpleNamespace(_is_avx512_bf16_supported=bool, _is_amx_tile_supported=bool)
set_num_threads = int
"""


def holds(process: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc")
@pytest.mark.parametrize("end", ["the worker is killed", "the call is killed", "the call is interrupted", "fails"])
def test_no_process_of_unsloths_outlives_its_run(end: str, tmp_path: Path) -> None:
    (tmp_path / "caller.py").write_text(CALLER)
    (tmp_path / "unsloth.py").touch()  # what they do is nothing to this test, and importing them takes long
    (tmp_path / "torch.py").write_text(TORCH)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])}
    command = [sys.executable, str(tmp_path / "caller.py"), str(tmp_path), end]
    caller = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )
    card = tmp_path / "card"
    until = time.monotonic() + 120
    while not card.exists():
        assert caller.poll() is None, caller.communicate()[0]
        assert time.monotonic() < until
        time.sleep(0.05)
    child, worker = map(int, card.read_text().split())
    assert holds(child)
    (tmp_path / "seen").touch()  # only now may a sibling fail, or the child could be gone before it is looked for
    if end == "the worker is killed":
        os.kill(worker, signal.SIGKILL)
    elif end == "the call is killed":
        caller.kill()
    elif end == "the call is interrupted":
        caller.send_signal(signal.SIGINT)
    output, _ = caller.communicate(timeout=60)
    until = time.monotonic() + 10
    while holds(child) or holds(worker):
        assert time.monotonic() < until, f"a process is left\n{output}"
        time.sleep(0.05)
    said = {"the worker is killed": "a worker process died", "fails": "a sibling fails"}
    assert said.get(end, "") in output
