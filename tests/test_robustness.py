"""What may go wrong around a run: kills, full disks, damaged files, odd places, no network, nonsense given to it.

Damaged files are in tests/test_fuzz_store.py, two sweeps at once in one store in tests/test_runs.py, killed workers in
tests/test_budget.py, jobs and nodes in tests/test_executors.py, programs that attack in tests/test_execution.py.
"""

from __future__ import annotations

import builtins
import errno
import hashlib
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from sweep import Undisturbed, experiments, here, recorded, same, start, undisturbed

import pbb
from pbb import cli
from pbb.experiments.experiment import Experiment
from pbb.experiments.questions import questions
from pbb.models import ask
from pbb.models.loading import ModelError, load, load_tokenizer
from pbb.programs import DOMAINS
from pbb.programs.domains import domain_of
from pbb.records import canonical
from pbb.runs import run
from pbb.store import RecordsError, atomic_folder, root, unwritten, write_whole

__all__ = ["experiments", "here", "undisturbed"]
ROOT = Path(pbb.__file__).parents[1]
KILLS = int(os.environ.get("PBB_TEST_KILLS", "5"))


def of(experiment: Experiment, undisturbed: Undisturbed) -> pd.DataFrame:
    """The undisturbed records of one experiment of the sweep."""
    records = undisturbed[0]
    return records[records["experiment"] == experiment.name].reset_index(drop=True)


# ------------------------------------------------------------------------------------------------ killed
# Loads what a worker loads, once. Each line of its input is a life: a fork of it runs the sweep in that folder.
NURSERY = """
import os, sys, torch
torch.set_num_threads(1)
import pbb
from pbb import cli
from pbb.experiments import experiment
from pbb.models import ask, loading, sft
from pbb.runs import run
experiments = eval(sys.argv[1], vars(experiment))
run.execute = lambda tasks, workers, say, **how: [task.run() for task in tasks]
for folder in sys.stdin:
    if not (life := os.fork()):
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.environ["PBB_RUNS"] = folder.strip()
        pbb.run(experiments, workers=1).to_parquet(sys.argv[2])
        os._exit(0)
    print(life, flush=True)
    print(os.waitpid(life, 0)[1], flush=True)
"""


@pytest.mark.slow
@pytest.mark.timeout(600 + 30 * KILLS)
def test_killed_at_random_moments_and_run_again_gives_the_same_records(
    experiments: list[Experiment], undisturbed: Undisturbed, tmp_path: Path
) -> None:
    """kill -9 at PBB_TEST_KILLS random moments of a sweep. A run store lives until its sweep is complete and compared
    with the undisturbed one; then another one begins.
    """
    rng, kills, complete, out, errors = random.Random(0), 0, 0, tmp_path / "records.parquet", tmp_path / "errors"
    script = tmp_path / "nursery.py"
    script.write_text(NURSERY)
    command = [sys.executable, str(script), repr(experiments), str(out)]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "bufsize": 1}
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with errors.open("w") as log, subprocess.Popen(command, env=environment, stderr=log, **pipes) as nursery:
        assert nursery.stdin
        assert nursery.stdout
        seconds = 0.0  # that a life takes, of which the first is not disturbed
        while kills < KILLS or complete < 2:  # the disturbed sweep is compared too, however slow the machine
            print(tmp_path / f"runs {complete}", file=nursery.stdin)
            life, began = int(nursery.stdout.readline() or 0), time.monotonic()
            assert life, errors.read_text()
            if seconds and kills < KILLS:
                time.sleep(rng.uniform(0, seconds))
                with suppress(ProcessLookupError):
                    os.kill(life, signal.SIGKILL)
            status = int(nursery.stdout.readline())
            assert status in (0, signal.SIGKILL), errors.read_text()
            kills += status == signal.SIGKILL
            if status == 0:
                same(canonical(pd.read_parquet(out)), undisturbed)
                seconds = seconds or time.monotonic() - began
                complete += 1
        nursery.stdin.close()
    assert kills == KILLS
    assert complete > 1, "the first life alone was compared"


# ---------------------------------------------------------------------------------------- what can't be written
@pytest.mark.parametrize(
    "number",
    [
        *(errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM),
        *(errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG),
    ],
)
def test_what_cannot_be_written_is_one_line_and_the_old_is_whole(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever a command writes goes through these two; the disk says no when all but the last step is done."""
    file, folder = tmp_path / "RESULTS.md", tmp_path / "F02"
    file.write_text("old")
    folder.mkdir()
    (folder / "table.csv").write_text("old")

    def refuse(*_: Any) -> None:
        raise OSError(number, os.strerror(number))

    def write_a_folder() -> None:
        with atomic_folder(folder, replace=True) as partial:
            (partial / "table.csv").write_text("new")

    monkeypatch.setattr(os, "fsync", refuse)
    for target, write in ((file, lambda: write_whole(file, "new")), (folder, write_a_folder)):
        monkeypatch.setattr("pbb.figures.io.redraw_references", lambda _, write=write: write())
        assert cli.main(["figures"]) == 1
        said = capsys.readouterr().err
        assert said.startswith(f"error: {target}: ")
        assert said.count("\n") == 1
    assert file.read_text() == (folder / "table.csv").read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["F02", "RESULTS.md"]


def test_what_is_not_about_writing_keeps_its_own_words() -> None:
    """Errors of CUDA, or of a file of somebody else's that may not be read, name no folder of ours."""
    assert unwritten(RuntimeError("CUDA error: Operation not permitted")) is None
    assert unwritten(PermissionError(errno.EACCES, "Permission denied", "/models/config.json")) is None
    assert unwritten(PermissionError(errno.EACCES, "Permission denied", str(root() / "figures" / "x"))) is not None
    assert unwritten(RuntimeError("os error 28: No space left on device")) is not None


# ----------------------------------------------------------------------------------------------- full disk
@contextmanager
def mounted(folder: Path, *arguments: str) -> Iterator[None]:
    """Mount something at `folder`, or skip the test in words."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a file system")
    done = subprocess.run(["mount", *arguments, str(folder)], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"nothing can be mounted here: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of a megabyte."""
    (folder := tmp_path / "disk").mkdir()
    with mounted(folder, "-t", "tmpfs", "-o", "size=1m", "tmpfs"):
        yield folder


def fill(disk: Path, leave: int) -> Path:
    """Leave `leave` bytes of the disk; returns the file that takes the others."""
    rest = disk / "something else"
    rest.write_bytes(b"x" * (shutil.disk_usage(disk).free - leave))
    return rest


@pytest.mark.parametrize("what", ["weights", "answers", "records"])
def test_a_full_disk_while_a_run_writes(
    what: str,
    experiments: list[Experiment],
    undisturbed: Undisturbed,
    small_disk: Path,
    here: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store = small_disk / "runs"
    monkeypatch.setenv("PBB_RUNS", str(store))
    one = experiments[2 if what == "answers" else 1]  # "untuned" has no weights
    if what != "answers":
        before, *others = run.plan([one]).missing
        run.execute([before, *others] if what == "records" else [before], 1, print)
    rest = fill(small_disk, 65536 if what == "weights" else 4096)
    with pytest.raises((run.RunError, RecordsError), match=r"the disk is full \(0 MB free\)\. Free some space"):
        recorded([one])
    place = store / {"weights": "stages", "answers": "evaluations", "records": "results"}[what]
    assert {path.suffix for path in place.rglob("*") if path.is_file()} <= {".lock"}, "locks are nothing but names"
    rest.unlink()
    pd.testing.assert_frame_equal(recorded([one]), of(one, undisturbed))


# ------------------------------------------------------------------------------- foreign files in the store
def test_foreign_files_in_the_store_are_left_alone(
    experiments: list[Experiment], undisturbed: Undisturbed, here: None, run_store: Path
) -> None:
    foreign = {
        "notes.txt": "mine",
        "stages/.DS_Store": "\0\0",
        "stages/0123456789abcdef0123/manifest.json": '{"seconds": 3, "name": "a browser extension"}',
        "stages/fedcba9876543210fedc/other.bin": "not complete",
        "evaluations/0123": "a file where folders are",
        "results/old/records.parquet": "PAR1",
        "jobs/someone/1.json": "[]",
    }
    for name, text in foreign.items():
        (run_store / name).parent.mkdir(parents=True, exist_ok=True)
        (run_store / name).write_text(text)
    same(recorded(experiments), undisturbed)
    same(recorded(experiments), undisturbed)
    assert {name: (run_store / name).read_text() for name in foreign} == foreign


# ---------------------------------------------------------- a read-only checkout, odd paths, no network
# Python runs this before anything else in every process of the sweep: who calls the network is noted, and refused.
GUARD = """
import os, socket
def refuse(*call, **options):
    with open(os.environ["PBB_TEST_CALLS"], "a") as calls:
        calls.write(f"{call}\\n")
    raise OSError("no network: the test's guard stands here")
class Guarded(socket.socket):
    def connect(self, address):
        return refuse(address) if self.family in (socket.AF_INET, socket.AF_INET6) else super().connect(address)
    connect_ex = connect
socket.socket, socket.getaddrinfo, socket.gethostbyname = Guarded, refuse, refuse
"""
ELSEWHERE = """
import socket, sys
try:
    socket.create_connection(("127.0.0.1", 9), timeout=1)
except OSError as error:
    assert "guard" in str(error), error
"""


def listing(folder: Path) -> dict[str, str]:
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Let nobody write into `folder`: root is held by nothing less than a mount."""
    if os.geteuid() == 0:
        with mounted(folder, "-o", "bind,ro", str(folder)):
            yield
        return
    folders = [folder, *(path for path in folder.rglob("*") if path.is_dir())]
    for path in folders:
        path.chmod(0o555)
    try:
        yield
    finally:
        for path in folders:
            path.chmod(0o755)


@pytest.mark.slow
def test_a_read_only_checkout_odd_paths_and_no_network(
    experiments: list[Experiment], undisturbed: Undisturbed, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("Größe, 大小 & 'so' on")
    checkout, guard, out, calls = (folder / name for name in ("check out", "guard", "rec ords.parquet", "calls"))
    shutil.copytree(ROOT / "pbb", checkout / "pbb", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", checkout)
    guard.mkdir()
    (guard / "sitecustomize.py").write_text(GUARD)
    before = listing(checkout)
    environment = {
        "PYTHONPATH": os.pathsep.join(map(str, (guard, checkout))),
        "PBB_TEST_CALLS": str(calls),
        "PBB_RUNS": str(folder / "the runs"),
    }
    model = shutil.copytree(experiments[0].model, folder / "modèle")
    with read_only(checkout):
        process = start([e.changed(model=str(model)) for e in experiments], out, ELSEWHERE, **environment)
        output = process.communicate(timeout=500)[0]
        refused = start(experiments[2:], out, **environment | {"PBB_RUNS": ""}).communicate(timeout=500)[0]
    assert listing(checkout) == before
    assert out.exists(), output
    key = ["curriculum", "stage", "step", "group", "program", "input", "answer_mode"]
    ours, theirs = (  # an experiment's name is a hash that the model's path enters
        frame.drop(columns=["experiment", "model"]).sort_values(key, ignore_index=True)
        for frame in (canonical(pd.read_parquet(out)), undisturbed[0])
    )
    pd.testing.assert_frame_equal(ours, theirs)
    assert re.search(r"\] train .*: stage 'w/ IO'.*: \d+ s, loss [\d.]+\n", output), output
    assert "step/s" not in output, "no bars where nobody watches"
    nowhere = r"check out/runs: no runs can be kept there \(Read-only file system|Permission denied\); valid: PBB_RUNS="
    assert re.search(nowhere, refused), refused
    called = calls.read_text().splitlines()
    assert len(called) == 2, "the caller and its worker try the guard, and nobody calls otherwise"
    assert all("127.0.0.1" in call for call in called)


# ------------------------------------------------------------------------------------------- nothing unpickled
def test_nothing_is_unpickled(undisturbed: Undisturbed) -> None:
    """By ruff's rules for pickles, exec and eval. What runs programs does so in a process with limits."""
    command = ["ruff", "check", "--isolated", "--output-format=concise", "--select=S102,S301,S307,S403", "pbb"]
    said = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True)
    assert set(re.findall(r"^(pbb/\S+\.py):", said.stdout, re.MULTILINE)) == {"pbb/programs/tracing_worker.py"}
    unsafe = re.compile(r"(torch|np)\.load\(|read_pickle|allow_pickle|trust_remote_code=(?!False)|joblib|dill|marshal")
    assert [file for file in (ROOT / "pbb").rglob("*.py") if unsafe.search(file.read_text("utf-8"))] == []
    kept = {file.suffix for file in undisturbed[1].rglob("*") if file.is_file()}
    assert kept == {".csv", ".json", ".parquet", ".safetensors"}


def test_weights_in_a_pickle_are_refused(micro_model: str, tmp_path: Path) -> None:
    """A pickle runs what its maker likes when it is read."""
    folder, harm = tmp_path / "model", tmp_path / "harm"
    shutil.copytree(micro_model, folder)
    (folder / "model.safetensors").unlink()
    command = f"cposix\nsystem\n(S'touch {harm}'\ntR."
    (folder / "pytorch_model.bin").write_bytes(command.encode())
    with pytest.raises(ModelError, match="could not be loaded"):
        load(str(folder))
    assert not harm.exists()


# ------------------------------------------------------------------------------ a model's output is never executed
FORMS = (
    "open({file!r}, 'w').write('harm')",
    "__import__('os').system('touch {file}')",
    "return 1 = (open({file!r}, 'w'), 5)[1]",
    "return f\"{{open({file!r}, 'w')}}\" = 55555",
    "x = 3\nimport os; os.mkdir({file!r})\nreturn [open({file!r}, 'w') for _ in '1'] = 77777",
    "def f(x):\n    return open({file!r}, 'w')\nreturn f(1)",
    "exec(\"open({file!r}, 'w')\")",
    "'; touch {file}; '",
    "$(touch {file})",
    "{{{{ cycler.__init__.__globals__.os.mkdir({file!r}) }}}}",
)


@pytest.mark.parametrize("programs", [d.settings() for d in DOMAINS.values() if d.generate], ids=domain_of)
def test_a_models_output_is_never_executed(programs: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers that would write a file where they are run, to every way of asking; none is right, and none is run."""
    few = {"with_io_programs": 6, "without_io_programs": 3, "questions": 4}
    experiment = Experiment.of("cpu", programs=programs, asked=("direct", "cot", "recite", "recall"), **few)
    file = tmp_path / "harm"
    answers = iter(form.format(file=str(file)) for _ in range(1000) for form in FORMS)
    asked = questions(experiment)
    tokenizer = load_tokenizer("tiny-s")

    def refuse(*arguments: Any, **options: Any) -> Any:
        raise AssertionError(f"executed: {arguments}")

    monkeypatch.setattr(ask, "generate", lambda model, tokenizer, prompts, *_: [next(answers) for _ in prompts])
    for owner, name in ((builtins, "exec"), (builtins, "eval"), (os, "system"), (subprocess, "Popen")):
        monkeypatch.setattr(owner, name, refuse)
    rows = ask.evaluate(torch.nn.Identity(), tokenizer, asked)  # type: ignore[arg-type]
    monkeypatch.undo()
    assert {row["answer_mode"] for row in rows} == {"direct", "cot", "recite", "recall"}
    assert {row["outcome"] for row in rows} <= {"wrong", "unparsed"}
    assert len({row["completion"] for row in rows}) >= len(FORMS)
    assert list(tmp_path.iterdir()) == []
