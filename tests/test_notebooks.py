"""The notebooks' shape, the runner on tiny notebooks, and every real notebook at preset smoke."""

from __future__ import annotations

import ast
import io
import json
import linecache
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from IPython.core.formatters import DisplayFormatter
from sweep import in_this_process

from pbb import cli
from pbb.experiments.studies import figures_of
from pbb.notebook import execute
from pbb.notebook.execute import NotebookError, list_notebooks, read_parameters, run_notebooks, select_notebooks

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = list_notebooks()
assert NOTEBOOKS, "without notebooks every parametrised test would pass"
every_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def tagged(notebook: nbformat.NotebookNode, tag: str) -> list[nbformat.NotebookNode]:
    return [cell for cell in notebook.cells if tag in cell.metadata.get("tags", ())]


# ------------------------------------------------------------------------------------------ what is committed
@every_notebook
def test_is_small_without_outputs_and_begins_with_title_claim_and_what_to_expect(path: Path) -> None:
    """The minutes are the README's; the accelerator is asked for where preset llm, the default with a GPU, is run."""
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert len(notebook.cells) <= 15
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.source for cell in code if cell.outputs or cell.execution_count] == []
    first, number = notebook.cells[0], path.stem.partition("_")[0]
    title, claim, expect, *_ = [part for part in first.source.split("\n\n") if "[![" not in part]
    assert first.cell_type == "markdown"
    assert title.startswith("# ")
    assert claim[0].isalnum() or claim[0] == "*"
    row = re.search(rf"^\| \[{path.stem}\].* \| (\d+) \|$", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert row is not None
    assert expect.startswith("*What to expect.*")
    assert f"bout {row[1]} min on two CPU cores" in expect
    by_card = number in {"00", "02", "03", *figures_of("llm")}
    assert (notebook.metadata.get("accelerator") == "GPU") == by_card == ("With a GPU (preset `llm`" in expect)
    assert [c.source for c in tagged(notebook, "bootstrap")] == [
        c.source for c in tagged(nbformat.read(NOTEBOOKS[0], as_version=4), "bootstrap")
    ]


@every_notebook
def test_parameters_are_flat_typed_literals_with_help(path: Path) -> None:
    parameters = read_parameters(path)  # raises on anything but `name: type = literal`
    assert parameters["preset"] == "auto"
    assert not any(value in ("", -1, []) for value in parameters.values()), "None alone means the preset's own"
    for name, value in parameters.items():
        flat = value if isinstance(value, (list, tuple)) else [value]
        assert all(isinstance(item, (str, int, float, bool, type(None))) for item in flat), name

    (cell,) = tagged(nbformat.read(path, as_version=4), "parameters")
    lines = cell.source.splitlines()
    for statement in ast.parse(cell.source).body:
        assert "  # " in lines[statement.end_lineno - 1], f"no help: {lines[statement.lineno - 1]}"


# ------------------------------------------------------------------------------------------------- the runner
def write(folder: Path, name: str, *sources: str, parameters: str = 'preset: str = "auto"  # size') -> Path:
    cells = [nbformat.v4.new_markdown_cell(f"# {name}\n\n[results](../RESULTS.md#claims), [paper](https://arxiv.org)")]
    cells += [nbformat.v4.new_code_cell(parameters, metadata={"tags": ["parameters"]})]
    cells += [nbformat.v4.new_code_cell(source) for source in sources]
    path = folder / f"{name}.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    return path


def run(folder: Path, **parameters: Any) -> tuple[list[Path], list[str]]:
    lines: list[str] = []
    how = {"parameters": parameters, "out": folder / "build", "progress": lines.append, "folder": folder}
    return run_notebooks(None, preset="smoke", **how), lines


def printed(copy: Path) -> str:
    """What the last cell of an executed notebook printed."""
    return nbformat.read(copy, as_version=4).cells[-1].outputs[0].text


def test_order_and_selection(tmp_path: Path) -> None:
    for name in ("99_claims", "F05_answer_mode", "01_programs", "F02_curricula", "00_start_here"):
        write(tmp_path, name)
    order = ["00_start_here", "01_programs", "F02_curricula", "F05_answer_mode", "99_claims"]
    assert [path.stem for path in list_notebooks(tmp_path)] == order
    assert [path.stem for path in select_notebooks(["99_claims", "F02"], tmp_path)] == [order[2], order[4]]
    with pytest.raises(ValueError, match=r"no notebook 'F03'; there are 00_start_here, .*99_claims"):
        select_notebooks(["F03"], tmp_path)
    with pytest.raises(ValueError, match="no notebooks in"):
        select_notebooks(None, tmp_path / "empty")


def test_executes_a_copy_with_the_parameters_replaced_and_tells_a_file_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In this Python, even where another kernel named python3 is installed and found first."""
    impostor = tmp_path / "jupyter" / "kernels" / "python3"
    impostor.mkdir(parents=True)
    spec = {"argv": ["/nonexistent/python", "{connection_file}"], "display_name": "x", "language": "python"}
    (impostor / "kernel.json").write_text(json.dumps(spec))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    monkeypatch.setattr(execute, "HEARTBEAT_S", 0.2)
    declared = 'preset: str = "auto"  # size\nmine: bool = True  # whose\nnumber: str = "1"  # input'
    first = write(tmp_path, "00_one", "import sys, time; time.sleep(1); print(preset, sys.executable)")
    converted = "import pbb; pbb.parameters(globals()); print([preset, mine, number])"
    second = write(tmp_path, "F02_two", converted, parameters=declared)
    before = [first.read_bytes(), second.read_bytes()]

    copies, lines = run(tmp_path, mine="false", number=4)

    assert [*map(printed, copies)] == [f"smoke {sys.executable}\n", "['smoke', False, '4']\n"]
    assert [line.partition(",")[0] for line in lines] == ["[1/2] 00_one: 3 cells", "[2/2] F02_two: 3 cells"]
    assert [first.read_bytes(), second.read_bytes()] == before
    title = nbformat.read(copies[0], as_version=4).cells[0].source
    assert "[results](../../RESULTS.md#claims), [paper](https://arxiv.org)" in title, "a folder further down"
    beats = [line for line in capsys.readouterr().err.splitlines() if "00_one: running for" in line]
    assert len(beats) > 1
    assert beats[0].startswith("[1/2] 00_one: running for 0 s")


def test_a_failing_cell_stops_the_build_and_is_named(tmp_path: Path) -> None:
    first = write(tmp_path, "00_fine", "pass")
    failing = write(tmp_path, "01_fails", "x = 1", "\n# a comment\n{}['curriculum']", "print('never')")
    write(tmp_path, "02_never_reached", "pass")
    before = failing.read_bytes()

    with pytest.raises(NotebookError) as stopped:
        run(tmp_path)

    message = str(stopped.value)
    assert "notebook 01_fails stopped at cell 4 of 5:\n    # a comment\n" in message
    assert "KeyError: 'curriculum'" in message
    built = sorted(path.name for path in (tmp_path / "build").iterdir())
    assert built == [first.name, failing.name]
    assert failing.read_bytes() == before


def test_a_dying_kernel_is_named(tmp_path: Path) -> None:
    write(tmp_path, "00_dies", "x = 1", "import os; os._exit(1)", "print('never')")
    with pytest.raises(NotebookError, match=r"00_dies stopped at cell 4 of 5:\n    import os; .*\n.*memory"):
        run(tmp_path)


def test_refuses_unknown_parameters_and_the_notebooks_own_folder(tmp_path: Path) -> None:
    path = write(tmp_path, "00_one", "pass")
    before = path.read_bytes()
    with pytest.raises(ValueError, match="no notebook has a parameter 'sedes'; there are preset"):
        run(tmp_path, sedes=3)
    with pytest.raises(ValueError, match="choose another folder"):
        run_notebooks(None, preset="smoke", parameters={}, out=tmp_path, folder=tmp_path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("source", ['preset = "auto"', 'preset: str = "a".upper()', "import os", "preset: str"])
def test_parameters_cell_holds_typed_literals_only(tmp_path: Path, source: str) -> None:
    path = write(tmp_path, "00_one", parameters=source)
    with pytest.raises(ValueError, match=r"00_one\.ipynb: .* not of the form 'name: type = literal'"):
        read_parameters(path)


# ------------------------------------------------------------------------------------------------ around them
HOLD = "import sys, pathlib, pbb.store as s\nwith s.locked(pathlib.Path(sys.argv[1])): print(flush=True); input()"


def test_clean_lists_sizes_and_deletes_only_what_is_named(
    run_store: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("stages/abc", "stages/abd", "results/xyz", "stages/.abe.0123abcd.partial"):
        (run_store / name).mkdir(parents=True)
        (run_store / name / "weights").write_bytes(bytes(2_000_000))
    assert cli.main(["clean"]) == 0
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdin", type("Terminal", (io.StringIO,), {"isatty": lambda self: True})())
        assert cli.main(["clean", "stages/ab"]) == 0, "Ctrl-D at the question"
    assert cli.main(["clean", "stages/ab", "--yes"]) == 0
    said = capsys.readouterr().out
    assert "2.0 MB  stages/abc\n" in said
    assert "6.0 MB  in 3 folders" in said
    assert said.count("4.0 MB  in 2 folders") == 2
    assert "delete them? [y/N] nothing was deleted" in said
    partial, left = ".abe.0123abcd.partial", {path.name for path in run_store.glob("*/*")}
    assert left == {partial, "xyz"}, "what somebody writes is left to them"
    (run_store / "exports" / "F02-cpu-1").mkdir(parents=True)
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, run_store / "results" / "xyz"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT,
    )
    holder.stdout.readline()  # type: ignore[union-attr]
    assert cli.main(["clean", "--all", "--yes"]) == 2
    assert "left, since a run is at work there: results/xyz" in capsys.readouterr().err
    holder.communicate(b"\n")
    assert cli.main(["clean", "--all", "--yes"]) == 0
    assert {path.name for path in run_store.glob("*/*")} == {partial, "F02-cpu-1"}, "others' answers are not ours"
    capsys.readouterr()
    assert cli.main(["clean", "nothing"]) == 2
    assert "'nothing' is not in" in capsys.readouterr().err
    command, pipe = [sys.executable, "-m", "pbb", "clean"], subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdout=pipe, stderr=pipe) as unread:
        unread.stdout.close()  # type: ignore[union-attr]
        assert unread.communicate()[1] == b"", "as of `clean | head -0`"
    assert unread.returncode == 141


@pytest.mark.parametrize(("given", "fine"), [("FIGURES=F01 F02", True), ("SEED=3", False)])
def test_make_refuses_a_variable_that_nothing_reads(given: str, fine: bool) -> None:
    done = subprocess.run(["make", "-n", "reproduce", given], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (done.returncode == 0) == fine
    assert (f"{given} is not valid; valid: BUDGET_MIN FIGURES" in done.stderr) != fine


# --------------------------------------------------------------------------------------- the real ones, small
@pytest.fixture(scope="module")
def one_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """One run store for all of them, so that what an early notebook trained a later one finds.

    It trains in this process too: two workers a notebook would load torch and make the general documents afresh.
    """
    with in_this_process() as patch:
        patch.setenv("PBB_RUNS", str(tmp_path_factory.mktemp("notebooks") / "runs"))
        yield


SMALL = {"preset": "smoke", "count": 12}


def run_here(path: Path) -> None:
    """Run a notebook's cells at preset smoke in this process, which has loaded all, and render what each shows.

    That kernels run them as well is shown above, and in test_colab by the first notebook and F02, with workers.
    """
    render = DisplayFormatter().format
    names: dict[str, Any] = {"display": lambda *shown: [render(one) for one in shown]}
    for number, cell in enumerate(c for c in nbformat.read(path, as_version=4).cells if c.cell_type == "code"):
        source = cell.source[cell.source.rindex("import pbb\n") :] if number == 0 else cell.source  # no fetching
        tree, file = ast.parse(source), f"{path.stem}, cell {number}"
        linecache.cache[file] = len(source), None, source.splitlines(keepends=True), file  # for inspect.getsource
        last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, file, "exec"), names)
        if last:
            render(eval(compile(ast.Expression(last.value), file, "eval"), names))
        if "parameters" in cell.metadata.get("tags", ()):
            names |= {name: value for name, value in SMALL.items() if name in names}


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS[1:], ids=lambda path: path.stem)  # the first is run in test_colab
def test_smoke_notebooks(path: Path, one_store: None) -> None:
    run_here(path)
