"""Jobs: what is one, that they give the same records, and what is said and kept when jobs, nodes or callers die.

The tests on Slurm use a real one: `.ci/slurm.sh` starts its daemons on loopback where the packages are installed.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from sweep import in_this_process, recorded

import pbb
from pbb import cli
from pbb.experiments.experiment import Experiment
from pbb.records import canonical
from pbb.runs import engine, run
from pbb.runs.tasks import StageTask
from pbb.store import root

SLURM = Path(__file__).parents[1] / ".ci" / "slurm.sh"
ARMS = ("proactive", "stage_1_only", "untuned")  # the first two share a stage


def smoke(**changes: Any) -> list[Experiment]:
    """A smoke-size sweep, without general data, which take longest to make."""
    return [Experiment.of("smoke", arm=arm, exposure_general=0.0, **changes) for arm in ARMS]


# ------------------------------------------------------------------------------------------ without jobs
def test_one_job_a_stage_with_what_is_asked_after_it() -> None:
    experiments = [*smoke(), *smoke(seed=1)[:1]]
    missing = run.plan(experiments).missing
    todo = engine.jobs(missing)
    assert sorted(task.folder for job in todo for task in job.tasks) == sorted(task.folder for task in missing)
    shared = StageTask(experiments[0], 0)
    (first,) = (job for job in todo if shared in job.tasks)
    assert first.name == f"stage-{shared.key}"
    assert first.tasks[0] == shared
    assert first.needs == set()
    after = [job for job in todo if job.needs]
    assert [task.index for job in after for task in job.tasks if isinstance(task, StageTask)] == [1, 1]
    assert after[0].needs == {shared.folder}
    there: set[Path] = set()
    for job in todo:
        assert job.needs <= there
        there |= job.folders
    left = [task for task in missing if task.folder != shared.folder]  # what is complete is in no job
    assert all(shared.folder not in job.folders for job in engine.jobs(left))
    assert {job.name for job in engine.jobs(left)} == {job.name for job in todo}, "the same place for logs"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"executor": "slrum"}, "executor='slrum' is not valid; valid: workers, local, slurm"),
        *(({"workers": n}, f"workers={n!r} is not valid; valid: None for one a core") for n in (0, 1.5, True, "2")),
        ({"executor": "slurm", "workers": 2}, "workers=2 is not valid with executor='slurm'"),
        ({"executor": "local", "budget_min": 9}, "budget_min=9 is not valid with executor='local'.*valid: None"),
        ({"executor": "slurm", "slurm": "partition=gpu"}, "slurm='partition=gpu' is not valid; valid: options by name"),
        ({"executor": "local", "slurm": {"time": 5}}, r"slurm={'time': 5} is not valid with executor='local'"),
        ({"executor": "slurm", "slurm": {"time": "1:00:00"}}, "time='1:00:00' is not valid; valid: whole minutes"),
        ({"executor": "slurm", "slurm": {"job_name": "a"}}, "'job_name' is set for each job; valid: any other option"),
    ],
)
def test_arguments_that_do_not_go_together(arguments: dict[str, Any], message: str, run_store: Path) -> None:
    with pytest.raises(ValueError, match=message):
        pbb.run(smoke(), say=lambda line: None, **arguments)
    if [*arguments] == ["workers"]:
        with pytest.raises(ValueError, match=message):
            pbb.plan(smoke(), **arguments)


def test_without_submitit_or_slurm(
    run_store: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("submitit")
    monkeypatch.setattr(cli, "_all_experiments", lambda *_: smoke())  # F02's need general data, and time
    monkeypatch.setenv("PATH", "/nowhere")
    command = ["run", "F02", "--preset", "smoke", "--executor", "slurm", "--slurm", "partition=gpu"]
    assert cli.main([*command, "--slurm", "time=60"]) == 1
    assert re.search(r"there is no sbatch on PATH.*executor='local'", capsys.readouterr().err)
    monkeypatch.setitem(sys.modules, "submitit", None)
    with pytest.raises(run.RunError, match=r"executor='local' needs submitit.*pip install submitit"):
        pbb.run(smoke(), executor="local", say=lambda line: None)


# --------------------------------------------------------------------------------------------- with jobs
@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty run store whose path has to be quoted."""
    folder = tmp_path / "runs of é"
    monkeypatch.setenv("PBB_RUNS", str(folder))
    return folder


@pytest.fixture(scope="module")
def sweep(micro_model: str) -> list[Experiment]:
    """Its stages train for some seconds, so that something can be killed in mid-run."""
    return smoke(model=micro_model, stage_1_steps=60)


@pytest.fixture(scope="module")
def undisturbed(sweep: list[Experiment], tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """The sweep's records without jobs."""
    with in_this_process() as patch:
        patch.setenv("PBB_RUNS", str(tmp_path_factory.mktemp("undisturbed")))
        return recorded(sweep)


def wait_for(what: Callable[[], Any], seconds: float = 500) -> Any:
    """Return the first true value of `what`."""
    until = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < until, f"nothing happened within {seconds} s"
        time.sleep(0.1)
    return found


def in_training(store: Path) -> set[Path]:
    """Return the folders of stages that were begun and not completed: they are built under hidden names."""
    return {path for path in (store / "stages").glob(".*.partial*") if path.is_dir()}


def submissions(store: Path) -> list[Path]:
    return sorted((store / "jobs").glob("*/*.tasks"))


@pytest.mark.slow
def test_local_jobs_give_the_same_records_and_a_killed_one_is_done_again(
    sweep: list[Experiment], undisturbed: pd.DataFrame, store: Path
) -> None:
    pytest.importorskip("submitit")
    # One experiment fails, and kill -9 ends the process that trains another's stage: both are named with their logs.
    fails = sweep[0].changed(row_tokens=32)
    name = f"stage-{StageTask(sweep[0], 0).key}"
    first, second = (f"stage-{StageTask(fails, index).key}" for index in (0, 1))
    with ThreadPoolExecutor(1) as thread:
        running = thread.submit(pbb.run, [*sweep, fails], executor="local", workers=2, say=lambda line: None)
        wait_for(lambda: in_training(store))
        os.kill(int(wait_for(lambda: working_processes(name))[0]), signal.SIGKILL)
        with pytest.raises(run.RunError) as failure:
            running.result(timeout=500)
    message = str(failure.value)
    (log,) = (store / "jobs" / first).glob("*.out")
    assert str(log) in message
    assert "Traceback" in log.read_text()
    assert re.search(r"4 of 5 jobs did not finish:\n", message), message
    assert re.search(r"stage 'w/ IO'.*: job \d+: its process ended; log ", message), message
    assert re.search(r"  train .*row_tokens=32", message, re.DOTALL), message
    assert "stage 'w/o IO' (12 w/ IO programs), and 1 evaluation: not started, since a stage" in message
    assert not (store / "jobs" / second).exists()
    assert not run.plan([sweep[2]]).missing, "others were done"
    said: list[str] = []
    records = pbb.run(sweep, executor="local", workers=2, say=said.append)
    pd.testing.assert_frame_equal(canonical(records), undisturbed)
    assert not any("the base model" in line for line in said), "it was done, and is never submitted again"
    assert len([*(store / "jobs" / name).glob("*.out")]) == 2, "of both tries"


def working_processes(name: str) -> list[int]:
    """Return the processes that do the job `name` by submitit, their controllers left out."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue
        if "submitit.core._submit" in command and any(part.endswith(f"/jobs/{name}") for part in command):
            found.append(int(process.name))
    return found


# ---------------------------------------------------------------------------------------- on a real Slurm
@pytest.fixture(scope="module")
def slurm() -> Iterator[Path]:
    """The folder of a Slurm with two nodes of one processor each, n1 and n2. The last test takes a node away."""
    pytest.importorskip("submitit")
    path = os.pathsep.join([os.environ["PATH"], "/usr/sbin", "/sbin"])
    if absent := [name for name in ("munged", "slurmctld", "slurmd", "sbatch") if not shutil.which(name, path=path)]:
        pytest.skip(f"no {', '.join(absent)}; as root on Debian or Ubuntu: .ci/slurm.sh install")
    folder = Path(tempfile.mkdtemp(prefix="slurm-", dir="/tmp"))  # a socket's path is short, and its folder open
    started = subprocess.run([SLURM, "start", folder], capture_output=True, text=True, timeout=60)
    try:
        if started.returncode:
            pytest.skip(f"Slurm could not be started here: {started.stderr.strip()[-500:]}")
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("SLURM_CONF", str(folder / "slurm.conf"))
            yield folder
    finally:
        subprocess.run([SLURM, "stop", folder], check=True, timeout=60)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"partition": "gqu"}, r"Invalid partition.*partition': 'gqu'.*partitions here: main"),
        ({"memory": "1G"}, r"unrecognized option '--memory=1G'"),
        ({"time": 100_000}, r"could never start: PartitionTimeLimit .*100000"),
        ({"constraint": "gpu"}, r"Invalid feature specification|could never start: BadConstraints"),
    ],
)
def test_what_slurm_refuses(options: dict[str, Any], message: str, slurm: Path, store: Path) -> None:
    with pytest.raises(run.RunError, match=message):
        pbb.run(smoke()[2], executor="slurm", slurm=options, say=lambda line: None)
    waiting = subprocess.run(["squeue", "--noheader"], capture_output=True, text=True, check=True).stdout
    assert not waiting, "nothing is left in the queue"


def test_slurm_that_does_not_answer(slurm: Path, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nobody = slurm / "nobody.conf"
    text = (slurm / "slurm.conf").read_text()
    nobody.write_text(re.sub("(?m)^SlurmctldPort=.*", "SlurmctldPort=1", text))
    monkeypatch.setenv("SLURM_CONF", str(nobody))
    with pytest.raises(run.RunError, match="squeue does not answer"):
        pbb.run(smoke()[2], executor="slurm", say=lambda line: None)


def squeue(number: str, what: str) -> str:
    command = ["squeue", "--noheader", "--states=all", f"--jobs={number}", f"--format={what}"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def run_in_thread(thread: ThreadPoolExecutor, sweep: list[Experiment]) -> tuple[Future[pd.DataFrame], list[str]]:
    said: list[str] = []
    return thread.submit(pbb.run, sweep, executor="slurm", slurm={"time": 10}, say=said.append), said


def kill_node(name: str) -> None:
    """As if its power was cut: the node's daemon and everything that it started, at once."""
    victims = set()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            on_node = f"SLURMD_NODENAME={name}".encode() in (process / "environ").read_bytes().split(b"\0")
            if on_node or (command.startswith("slurmd ") and command.strip().endswith(f"-N {name}")):
                victims.add(int(process.name))
            if on_node:  # the batch script's parent is slurmstepd, which would tell how it ended
                parent = int((process / "stat").read_text().rpartition(")")[2].split()[1])
                if b"slurmstepd" in (Path("/proc") / str(parent) / "cmdline").read_bytes():
                    victims.add(parent)
        except OSError:
            continue
    assert len(victims) >= 3, "slurmd, slurmstepd and what it runs"
    for signal_ in (signal.SIGSTOP, signal.SIGKILL):  # stopped first, so that none sees another die
        for victim in victims:
            os.kill(victim, signal_)


DRIVER = """
import sys, pbb
from pbb.experiments import experiment
pbb.run(eval(sys.argv[1], vars(experiment)), executor="slurm", slurm={"time": 10})
"""


@pytest.mark.slow
def test_caller_job_and_node_are_killed_on_slurm(
    sweep: list[Experiment], undisturbed: pd.DataFrame, slurm: Path, store: Path
) -> None:
    # The caller is killed while its jobs run: they go on, and the same call takes them up.
    environment = os.environ | {"PYTHONPATH": str(root())}
    command = [sys.executable, "-c", DRIVER, repr(sweep)]
    caller = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        wait_for(lambda: in_training(store) or caller.poll() is not None)
    finally:
        caller.kill()
    output = caller.communicate()[0]
    assert caller.returncode == -signal.SIGKILL, output
    stage = f"stage-{StageTask(sweep[0], 0).key}"
    (first,) = [file.stem for file in submissions(store) if file.parent.name == stage]
    later = f"stage-{StageTask(sweep[0], 1).key}"
    (second,) = [file.stem for file in submissions(store) if file.parent.name == later]
    assert squeue(second, "%E").startswith(f"afterok:{first}")

    with ThreadPoolExecutor(1) as thread:
        before = submissions(store)
        running, said = run_in_thread(thread, sweep)
        wait_for(lambda: any(f"job {first} is in the queue already" in line for line in said))
        # A job is killed: the message says which, and where its log is; others go on.
        subprocess.run(["scancel", first], check=True)
        with pytest.raises(run.RunError) as failure:
            running.result(timeout=500)
        assert submissions(store) == before, "nothing was submitted twice"
        message = str(failure.value)
        assert re.search(rf"stage 'w/ IO'.*: job {first}: CANCELLED", message), message
        assert str(store / "jobs" / stage / f"{first}_0_log.out") in message
        assert re.search(r"stage 'w/o IO'.*: not started, since a stage that it needs was not done", message), message
        assert "2 of 3 jobs did not finish" in message or "2 of 2 jobs" in message

        # The next call submits them again, and the node that trains goes down: Slurm starts the job on the other one.
        killed = in_training(store)
        running, said = run_in_thread(thread, sweep)
        wait_for(lambda: in_training(store) - killed)
        (_, third) = sorted((file.stem for file in submissions(store) if file.parent.name == stage), key=int)
        node = squeue(third, "%N")
        kill_node(node)
        wait_for(lambda: squeue(third, "%T") == "PENDING")
        # Slurm waits two minutes before it starts such a job again, and we do not.
        subprocess.run(["scontrol", "update", f"JobId={third}", "StartTime=now"], check=True)
        records = running.result(timeout=500)
    assert squeue(third, "%N") != node
    pd.testing.assert_frame_equal(canonical(records), undisturbed)
    assert "CANCELLED" in (store / "jobs" / stage / f"{first}_0_log.out").read_text()
    assert not any("the base model" in line for line in said), "it was done, and is never submitted again"

    before, said = submissions(store), []
    again = pbb.run(sweep, executor="slurm", say=said.append)
    pd.testing.assert_frame_equal(canonical(again), undisturbed)
    assert "nothing to compute" in said[0]
    assert submissions(store) == before
