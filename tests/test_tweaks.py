"""What notebooks suggest: its rows, what is said of an outcome, and that notebooks say it."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import nbformat
import pandas as pd
import pytest
from synthetic_records import synthetic_records

import pbb
from pbb import store
from pbb.analysis.board import Board, board
from pbb.notebook import cell, tweaks
from pbb.notebook.execute import NOTEBOOKS, list_notebooks
from pbb.store import RecordsError

ROWS = tweaks.read()
VALUE = "Proactive-PBB, CoT; Arithmetic, tiny-m, 1 statement"


def told(path: Path, identity: str) -> str:
    (one,) = [one for one in nbformat.read(path, as_version=4).cells if one.get("id") == identity]
    return str(one.source)


def bullets_of(path: Path) -> list[str]:
    return [line for line in told(path, "next").splitlines() if line.startswith("- ")]


@pytest.fixture(scope="module")
def judged() -> Board:
    return board(store.reference("cpu"))


def parameters_of(path: Path) -> str:
    (cell,) = [one for one in nbformat.read(path, as_version=4).cells if "parameters" in one.metadata.get("tags", ())]
    return cell.source


@pytest.mark.parametrize("path", [p for p in list_notebooks() if p.stem.startswith("F")], ids=lambda path: path.stem)
def test_a_notebook_suggests_what_was_tried_and_says_what_came_of_it(path: Path, judged: Board) -> None:
    figure = path.stem.partition("_")[0]
    assert told(path, "happened") == tweaks.happened(figure, judged), "`make claims` writes it"
    mine = ROWS[ROWS["figure"] == figure]
    assert 1 <= len(mine) <= 3
    assert bullets_of(path) == tweaks.bullets(figure)
    for row in mine.itertuples():
        assert tweaks.variant(figure, row.parameters).changes, "something differs from the preset's own"
        lines = row.parameters.replace(tweaks.LINES, "\n")
        namespace: dict[str, object] = {"In": [f"{parameters_of(path)}\n{lines}"]}
        exec(namespace["In"][0], namespace)
        given = pbb.parameters(namespace)
        assert {line.partition(" =")[0] for line in lines.splitlines()} <= given.keys(), "as a reader writes them"
        if row.outcome:
            assert re.fullmatch(r"[0-9a-f]{7}", row.commit)
            for value in row.values.split(tweaks.VALUES):
                assert f"{value}: " in row.outcome


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with one suggestion, one notebook, and runs that hold synthetic records."""
    (tmp_path / "figures").mkdir()
    row = ["F02", 'arms = ["proactive"]; templates = 1', "Less?", VALUE, "", "", ""]
    pd.DataFrame([row], columns=tweaks.COLUMNS).to_csv(tmp_path / "figures" / "tweaks.csv", index=False)
    (copy := tmp_path / "notebooks").mkdir()
    shutil.copy(NOTEBOOKS / "F02_curricula.ipynb", copy)
    monkeypatch.setattr(tweaks.store, "root", lambda: tmp_path)
    monkeypatch.setattr(tweaks, "list_notebooks", lambda: list_notebooks(copy))
    there = synthetic_records(("proactive", "stage_1_only"), seeds=3, programs=25)
    monkeypatch.setattr(cell, "reference", lambda figure, preset: there)
    return tmp_path


def test_an_outcome_is_computed_once_kept_and_told(
    judged: Board, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def ran(experiments: tuple[pbb.Experiment, ...], preset: str) -> pd.DataFrame:
        asked.append([(e.arm, e.value("templates")) for e in experiments])
        found = synthetic_records(("proactive",), seeds=1, programs=25)
        return found.assign(preset=preset, templates=1, experiment=experiments[0].name)

    monkeypatch.setattr(tweaks.run, "run", ran)
    tweaks.attempt(say=lambda line: None)
    tweaks.attempt(["F02"], say=lambda line: None)
    with pytest.raises(RecordsError, match=r"figures='F03' has no suggestions; valid: F02$"):
        tweaks.attempt(["F03"])
    assert asked == [[("proactive", 1)]], "once, by the lines as a reader writes them"
    (row,) = tweaks.read().to_dict("records")
    assert re.match(
        rf"{VALUE}: \d+ % .* here with this, \d+ % .* in the reference \(seed 0\); difference ", row["outcome"]
    )
    before = bullets_of(folder / "notebooks" / "F02_curricula.ipynb")
    tweaks.tell(judged)
    told = bullets_of(folder / "notebooks" / "F02_curricula.ipynb")
    assert told == [
        f'- `arms = ["proactive"]`, `templates = 1`: Less? *Tried ({row["commit"]}, seed 0): {row["outcome"]}*'
    ]
    assert told != before
    text = (folder / "notebooks" / "F02_curricula.ipynb").read_text()
    tweaks.tell(judged)
    assert (folder / "notebooks" / "F02_curricula.ipynb").read_text() == text


def test_a_value_or_a_column_that_there_is_not_is_named(folder: Path) -> None:
    tried = tweaks.variant("F02", 'arms = ["proactive"]; templates = 1')
    records = synthetic_records(("proactive",), seeds=1, programs=5)
    with pytest.raises(RecordsError, match="F02: no value 'Nope'; valid: Proactive-PBB, CoT; Arithmetic"):
        tweaks.outcome("F02", tried, records, "Nope")
    tweaks.read().drop(columns="runs").to_csv(tweaks.table(), index=False)
    with pytest.raises(RecordsError, match=r"columns figure, .*, commit; valid: .*, runs"):
        tweaks.read()
