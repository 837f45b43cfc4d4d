"""What notebooks tell of the reference, and what they suggest: each suggestion is tried once, and its outcome told.

``figures/tweaks.csv`` has a row a suggestion: the figure, the lines of the parameters cell as a reader writes them, the
question, and the values whose change answers it. `attempt` computes what has no outcome yet, or one of other runs, and
`tell` writes questions and outcomes into the notebooks, and what came of each figure's claims.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import nbformat
import pandas as pd

from pbb import store
from pbb.analysis import verdicts
from pbb.analysis.board import Board
from pbb.analysis.labels import percent
from pbb.analysis.statistics import accuracy
from pbb.analysis.tables import usable
from pbb.figures.io import figure_module
from pbb.notebook import cell
from pbb.notebook.execute import list_notebooks
from pbb.runs import run
from pbb.runs.plan import results
from pbb.store import RecordsError
from pbb.streams import digest

PRESET = "cpu"
LINES, VALUES = "; ", " | "  # what stands between lines of the parameters cell, and between values
# Of `figures/tweaks.csv`; the last three are written by `attempt`: sentences, a commit, a hash of the runs.
COLUMNS = ["figure", "parameters", "question", "values", "outcome", "commit", "runs"]


def table() -> Path:
    """Return where the suggestions are."""
    return store.root() / "figures" / "tweaks.csv"


def read() -> pd.DataFrame:
    """Return the suggestions, one a row, all text. Raises RecordsError where columns are missing."""
    found = pd.read_csv(table(), dtype=str, keep_default_na=False)
    if [*found.columns] != COLUMNS:
        raise RecordsError(f"{store.shown(table())}: columns {', '.join(found.columns)}; valid: {', '.join(COLUMNS)}")
    return found


def variant(figure: str, parameters: str) -> cell.Variant:
    """Return the variant that a reader makes by these lines. Raises ExperimentError where one is not valid."""
    changes: dict[str, Any] = {
        line.targets[0].id: ast.literal_eval(line.value)  # type: ignore[attr-defined]
        for line in ast.parse(parameters).body
    }
    return cell.variant(figure, PRESET, **changes)


def runs_of(tried: cell.Variant) -> str:
    """Return a hash of the runs that a variant's records are collected from."""
    return digest(*(results(experiment, tried.preset)[0].name for experiment in tried.experiments))[:12]


def outcome(figure: str, tried: cell.Variant, records: pd.DataFrame, values: str) -> str:
    """Return a sentence for each of `values`: how it is now, and against the reference where that has it.

    Raises RecordsError where the records hold no such value; the message says which they hold.
    """
    module, records = figure_module(figure), usable(records)
    here, behind = module.cells(records), cell.behind(figure, records, tried)
    there = {} if behind is None else module.cells(behind)
    by_name = {str(value): value for value in here}
    told = []
    for name in values.split(VALUES):
        if name not in by_name:
            raise RecordsError(f"{figure}: no value {name!r}; valid: {VALUES.join(by_name)}")
        rows, known = here[by_name[name]], there.get(by_name[name])
        if known is None:
            told.append(f"{name}: {percent(*accuracy(rows)[['estimate', 'low', 'high']].iloc[0])}")
        else:
            told.append(f"{name}: {cell.compared(rows, known, 'this')}")
    return ". ".join(told) + "."


def attempt(figures: Collection[str] = (), say: Callable[[str], object] = print) -> None:
    """Compute each suggestion, or those of `figures`, whose outcome is missing or of other runs; keep each at once."""
    every = read()
    if unknown := [figure for figure in figures if figure not in set(every["figure"])]:
        valid = ", ".join(dict.fromkeys(every["figure"]))
        raise RecordsError(f"figures={unknown[0]!r} has no suggestions; valid: {valid}")
    for _, row in every.iterrows():
        if figures and row["figure"] not in figures:
            continue
        tried = variant(row["figure"], row["parameters"])
        if row["outcome"] and row["runs"] == runs_of(tried):
            continue
        say(f"{row['figure']}: {row['parameters']}")
        records = run.run(tried.experiments, preset=tried.preset)
        told = outcome(row["figure"], tried, records, row["values"])
        say(told)
        found = {"outcome": told, "commit": (store.git_revision()[0] or "")[:7], "runs": runs_of(tried)}
        with store.locked(table()):  # another process may have tried others meanwhile
            every = read()
            same = every[COLUMNS[:2]].eq(row[COLUMNS[:2]]).all(axis=1)
            every.loc[same, [*found]] = [*found.values()]
            store.write_whole(table(), every.to_csv(index=False, lineterminator="\n"))


def bullets(figure: str) -> list[str]:
    """Return a figure's suggestions as lines of Markdown."""
    lines = []
    for row in read().query("figure == @figure").itertuples():
        parameters = ", ".join(f"`{line}`" for line in row.parameters.split(LINES))
        tried = f" *Tried ({row.commit}, seed 0): {row.outcome}*" if row.outcome else ""
        lines.append(f"- {parameters}: {row.question}{tried}")
    return lines


def happened(figure: str, judged: Board) -> str:
    """Return what a notebook says of its figure's claims in the committed reference, as Markdown."""
    told = [
        f"- {row['claim']}, **{row['verdict']}**: {row['contrast']}; {row['where']}: {verdicts.points(row)} points."
        for row in judged.primaries(figure)
    ]
    picture = f"../figures/reference/{PRESET}/{figure_module(figure).NAME}/figure.png"
    where = f"reference of preset `{PRESET}` ([picture]({picture}), [all values and verdicts](../RESULTS.md))"
    lines = "\n".join(told or ["No claim of the paper's is decided by this figure."])
    return f"## What happened\n\nIn the {where}:\n\n{lines}"


def tell(judged: Board) -> None:
    """Write what happened on the board of `PRESET`, and suggestions, into the cells ``happened`` and ``next``."""
    for path in list_notebooks():
        if lines := bullets(figure := path.stem.partition("_")[0]):
            notebook = nbformat.reads(path.read_text(encoding="utf-8"), as_version=4)
            cells = {one.get("id"): one for one in notebook.cells}
            cells["happened"].source = happened(figure, judged)
            before = re.sub(r"\n- .*", "", cells["next"].source, flags=re.DOTALL)
            cells["next"].source = "\n".join([before, *lines])
            store.write_whole(path, nbformat.writes(notebook) + "\n")
