"""Run the notebooks in order, headlessly, into another folder; say in plain words where one stops.

    python -m pbb notebooks --preset cpu

Papermill executes a copy of each notebook with its parameters replaced; the originals are never written to.
The kernel is always the Python that runs this module, whatever kernels are installed for Jupyter.
"""

from __future__ import annotations

import ast
import os
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nbformat
import papermill
from ipykernel.kernelspec import get_kernel_dict
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from nbclient.exceptions import DeadKernelError

from pbb.runs.engine import RunError
from pbb.store import whole_file

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
_RELATIVE = re.compile(r"\]\((\.\.?/[^)#\s]+)")  # a link to a file of the checkout
HEARTBEAT_S = 30.0  # between two lines about a notebook that runs


class NotebookError(RunError):
    """A notebook stopped; the message names it, the cell, the cell's first line and the error."""


class ThisPython(AsyncKernelManager):
    """Starts kernels in the running interpreter instead of looking one up among the installed kernelspecs."""

    @property
    def kernel_spec(self) -> KernelSpec:
        return KernelSpec(**get_kernel_dict())


def list_notebooks(folder: Path = NOTEBOOKS) -> list[Path]:
    """The notebooks in reading order: the walkthrough (00_, 01_, ...), one a figure (F02_, ...), 99_ last."""
    return sorted(folder.glob("*.ipynb"), key=lambda path: (path.stem.startswith("99_"), path.stem))


def select_notebooks(names: Sequence[str] | None, folder: Path = NOTEBOOKS) -> list[Path]:
    """Notebooks by name ("F02_curricula") or id ("F02"), put in reading order; None means all of them.

    Raises ValueError for a name that no notebook has, or where the folder holds none.
    """
    known = {path: {path.stem, path.stem.partition("_")[0]} for path in list_notebooks(folder)}
    if not known:
        raise ValueError(f"no notebooks in {folder}")
    if unknown := [name for name in names or () if not any(name in own for own in known.values())]:
        raise ValueError(f"no notebook {unknown[0]!r}; there are {', '.join(path.stem for path in known)}")
    return [path for path, own in known.items() if names is None or own & {*names}]


def read_parameters(path: Path) -> dict[str, Any]:
    """Name -> default, from the cell tagged ``parameters``; ValueError where a line is not ``name: type = literal``."""
    cells = [cell.source for cell in nbformat.read(path, as_version=4).cells if "parameters" in _tags(cell)]
    try:
        lines: Any = ast.parse("\n".join(cells)).body
        return {line.target.id: ast.literal_eval(line.value) for line in lines}
    except (AttributeError, ValueError):
        raise ValueError(f"{path.name}: a line of its parameters is not of the form 'name: type = literal'") from None


def run_notebooks(
    names: Sequence[str] | None,
    *,
    preset: str,
    parameters: Mapping[str, Any],
    out: Path,
    progress: Callable[[str], object] = print,
    folder: Path = NOTEBOOKS,
) -> list[Path]:
    """Execute notebooks one after the other, and return the executed copies in `out`.

    `preset` and `parameters` replace the defaults of those notebooks that have a parameter of that name. Each runs in
    its own kernel in `folder`, as under Jupyter. `progress` gets one line for each finished notebook. While one runs,
    a terminal shows a bar of its cells, and a file gets a line every half minute.

    Raises NotebookError at the first notebook that stops (the copy keeps what ran so far), ValueError for an
    unknown name, a parameter that no notebook has, or an `out` that would overwrite the originals.
    """
    paths, out = select_notebooks(names, folder), out.resolve()
    if out == folder.resolve():
        raise ValueError(f"out is {out}, where the notebooks are: choose another folder, for instance build/")
    values = {"preset": preset, **parameters}
    declared = {path: read_parameters(path) for path in list_notebooks(folder)}
    known = set().union(*declared.values())
    if unknown := sorted(values.keys() - known):
        raise ValueError(f"no notebook has a parameter {unknown[0]!r}; there are {', '.join(sorted(known))}")

    out.mkdir(parents=True, exist_ok=True)
    for number, path in enumerate(paths, start=1):
        label, started = f"[{number}/{len(paths)}] {path.stem}", time.perf_counter()
        own = {name: values[name] for name in values if name in declared[path]}
        with _heartbeat(label):
            cells = _execute(path, out / path.name, own, label)
        progress(f"{label}: {cells} cells, {time.perf_counter() - started:.0f} s")
    return [out / path.name for path in paths]


@contextmanager
def _heartbeat(label: str) -> Iterator[None]:
    """Write a line to standard error every `HEARTBEAT_S` seconds, where no bar shows that something happens."""
    done, started = threading.Event(), time.perf_counter()

    def beat() -> None:
        while not (sys.stderr.isatty() or done.wait(HEARTBEAT_S)):
            print(f"{label}: running for {time.perf_counter() - started:.0f} s", file=sys.stderr, flush=True)

    threading.Thread(target=beat, daemon=True).start()
    try:
        yield
    finally:
        done.set()


def _execute(path: Path, copy: Path, parameters: dict[str, Any], label: str) -> int:
    """Run one notebook into `copy`; return its number of cells. Raises NotebookError where it stops."""
    cells, reason = len(nbformat.read(path, as_version=4).cells), ""
    with whole_file(copy) as partial:
        try:
            papermill.execute_notebook(
                path,
                partial,
                parameters=parameters,
                cwd=path.parent,
                kernel_name="python3",  # by these two papermill knows how to write parameters ...
                language="python",
                kernel_manager_class=ThisPython,  # ... and by this one it starts the kernel
                extra_arguments=["--log-level=CRITICAL"],  # the kernel's own chatter; a cell's output is kept
                progress_bar={"desc": label, "leave": False} if sys.stderr.isatty() else False,
            )
        except papermill.PapermillExecutionError as error:
            reason = f"{error.ename}: {error.evalue}" if error.evalue else error.ename
        except DeadKernelError:
            reason = "the Python that ran it died. The usual cause is too little memory: try a smaller preset"
        else:
            _settle(partial, path.parent, copy.parent)
    if not reason:
        return cells
    # The last cell that was started, counted in the original, which lacks what papermill adds.
    added = {"injected-parameters", "papermill-error-cell-tag"}
    original = [c for c in nbformat.read(copy, as_version=4).cells if not added & _tags(c)]
    number = max(n for n, cell in enumerate(original) if cell.metadata.get("papermill", {}).get("start_time"))
    first_line = original[number].source.strip().partition("\n")[0]
    raise NotebookError(
        f"notebook {path.stem} stopped at cell {number + 1} of {cells}:\n    {first_line.strip()}\n{reason}\n"
        f"What ran until then is in {copy}"
    )


def _settle(executed: Path, source: Path, folder: Path) -> None:
    """Make a copy of a notebook in `source` fit to stay in `folder`: some are committed.

    Links lead where they led, and what papermill notes of a run is left out: the folders of this machine.
    """
    notebook = nbformat.read(executed, as_version=4)
    del notebook.metadata["papermill"]
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = _RELATIVE.sub(lambda link: f"]({os.path.relpath(source / link[1], folder)}", cell.source)
    nbformat.write(notebook, executed)


def _tags(cell: nbformat.NotebookNode) -> set[str]:
    return set(cell.metadata.get("tags", ()))
