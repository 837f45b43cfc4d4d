"""The checklist of what a user can see (tests/checklist.toml): commands, exit statuses, messages, public names."""

from __future__ import annotations

import ast
import json
import os
import re
import runpy
import signal
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

import pbb

ROOT = Path(pbb.__file__).parents[1]
LIST: dict[str, Any] = tomllib.loads(Path(__file__).with_name("checklist.toml").read_text(encoding="utf-8"))
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


@pytest.fixture(autouse=True)
def nothing_was_run(run_store: Path) -> None:
    """Every check has a run store of its own."""


def call(line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """Return the exit status of ``python -m pbb LINE`` and what it says, from this process since that is faster."""
    monkeypatch.setattr(sys, "argv", ["pbb", *line.split()])
    monkeypatch.setenv("COLUMNS", "200")
    with pytest.raises(SystemExit) as ended:
        runpy.run_module("pbb", run_name="__main__")
    return int(ended.value.code or 0), "".join(capsys.readouterr())


@pytest.mark.parametrize("command", LIST["help"])
def test_help(command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    status, said = call(f"{command} --help", monkeypatch, capsys)
    assert status == 0
    assert [word for word in LIST["help"][command] if word not in said] == []


def test_commands(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    _, said = call("--help", monkeypatch, capsys)
    assert re.findall(r"^    ([a-z][a-z-]*)\s", said, re.MULTILINE) == list(LIST["help"])


@pytest.mark.parametrize(("line", "status", "says"), LIST["commands"])
def test_command(
    line: str, status: int, says: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ended, said = call(line, monkeypatch, capsys)
    assert ended == status, said
    assert [words for words in says if words not in said] == [], said


@pytest.mark.parametrize(("expression", "says"), LIST["refused"])
def test_refusal(expression: str, says: list[str]) -> None:
    with pytest.raises(ValueError) as refused:  # noqa: PT011, what it says is looked at below
        eval(expression, {"pbb": pbb})
    assert [words for words in says if words not in str(refused.value)] == [], str(refused.value)


def test_a_budget_that_is_used_up_ends_with_75_and_ctrl_c_with_130() -> None:
    command = [sys.executable, "-m", "pbb", "reproduce", "F01", "--preset", "smoke", "--workers", "1"]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    # The shell's `make test &` would have it ignored.
    code = "import runpy, signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    start = [sys.executable, "-c", code + "runpy.run_module('pbb', run_name='__main__')", *command[3:]]
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    stopped = subprocess.Popen(start, env=environment, **pipes)
    assert stopped.stdout is not None
    assert stopped.stdout.readline() == "preset smoke, 1 seed(s)\n"
    stopped.send_signal(signal.SIGINT)
    said = stopped.stdout.read()
    assert stopped.wait() == 130, said
    assert "stopped; what is complete is kept, and the same command goes on from there" in said
    command += ["--budget-min", "0.0001"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 75, done.stderr
    for words in (
        "[1/5] train tiny-s, ", ": stage 'w/ IO'", ", loss ", "Stopped after ", " fits a budget of 0.0001 min.",
        "Done and kept: 1 of 5 tasks, 1 of them by this call.", "Left: 1 stage and 3 evaluations, about ",
        "The same command goes on: python -m pbb reproduce F01 --preset smoke --workers 1 --budget-min 0.0001",
        "Figures, notebooks and the comparison come when all of that is done.",
        "(exit status 75: nothing is wrong, come back)",
    ):  # fmt: skip
        assert words in done.stdout
    whole = subprocess.run(command[:-2], env=environment, capture_output=True, text=True, check=False)
    assert whole.returncode == 0, whole.stderr
    assert "smoke makes no figure, so none is compared" in whole.stdout


def test_a_python_without_the_packages_is_told_in_one_line() -> None:
    bare = [sys.executable, "-S", "-m", "pbb", "ask"]
    done = subprocess.run(bare, cwd=ROOT, env={}, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"error: {sys.executable} has no package ")
    assert line.endswith("`make setup`, then .venv/bin/python -m pbb")


def test_a_store_that_cannot_be_used_and_a_damaged_one_are_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("PBB_RUNS", str(tmp_path / "file" / "runs"))
    status, said = call("run F01 --preset smoke", monkeypatch, capsys)
    assert status == 1
    assert "no runs can be kept there (" in said
    assert "valid: PBB_RUNS=/a/folder/that/can/be/written" in said
    monkeypatch.setenv("PBB_RUNS", str(tmp_path / "runs"))
    folder = pbb.plan(pbb.study("F01", "smoke")).tasks[0].folder
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text("{")
    status, said = call("plan F01 --preset smoke", monkeypatch, capsys)
    assert status == 1
    assert f"{folder / 'manifest.json'}: is not valid JSON" in said
    assert f"The way out: delete the folder {folder} and run the same command again" in said


def test_public_names() -> None:
    assert [name for name in LIST["names"]["pbb"] if name not in dir(pbb) or not hasattr(pbb, name)] == []
    with pytest.raises(AttributeError, match=r"module 'pbb' has no attribute 'nope'; it has .*Experiment"):
        pbb.nope  # noqa: B018
    loaded = [sys.executable, "-c", "import pbb, sys; pbb.study('F02', 'cpu'); sys.exit('torch' in sys.modules)"]
    assert subprocess.run(loaded, cwd=ROOT, check=False).returncode == 0, "import pbb loads no torch"


def test_records_figures_and_notebooks() -> None:
    assert list(pbb.reference("F02", "cpu").columns) == LIST["names"]["records"]
    stems = [notebook.stem for notebook in NOTEBOOKS]
    assert [name for name in LIST["names"]["notebooks"] if name not in stems] == []
    for name in LIST["names"]["figures"]:
        folder = ROOT / "figures" / "reference" / "cpu" / name
        assert {file.name for file in folder.iterdir()} >= set(LIST["names"]["figure_files"])
        assert pbb.study(name[:3], "cpu")
        assert name in stems or name[:3] == "F01"


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda file: file.stem)
def test_every_name_that_a_notebook_takes_from_the_package_is_there(notebook: Path) -> None:
    cells = [cell for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == "code"]
    lines = [line for cell in cells for line in "".join(cell["source"]).splitlines() if not re.match(r"\s*[%!]", line)]
    tree = ast.parse("\n".join(lines))
    names: dict[str, Any] = {"pbb": pbb}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("pbb"):
            exec(ast.unparse(node), names)
    used = [n for n in ast.walk(tree) if isinstance(n, ast.Attribute) and isinstance(n.value, ast.Name)]
    mine = [f"{n.value.id}.{n.attr}" for n in used if getattr(names.get(n.value.id), "__name__", "").startswith("pbb")]
    assert mine
    assert [name for name in mine if not hasattr(names[name.partition(".")[0]], name.partition(".")[2])] == []


def test_make() -> None:
    def make(*arguments: str) -> str:
        return subprocess.run(["make", *arguments], cwd=ROOT, capture_output=True, text=True, check=True).stdout

    told = make("help")
    targets = re.findall(r"^  ([a-z0-9-]+)  +", told, re.MULTILINE)
    assert [target for target in LIST["make"]["targets"] if target not in targets] == []
    assert [word for word in LIST["make"]["help"] if word not in told] == []
    for arguments, expected in LIST["make"]["calls"]:
        words = re.findall(r"(?:[^\s']|'[^']*')+", arguments)
        assert expected in make("-n", *(word.replace("'", "") for word in words))
