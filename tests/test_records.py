"""Records and folders: what is written is complete or not there, and damage is named with a way out."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic_records import synthetic_records

from pbb import store
from pbb.records import COLUMNS, canonical, frame_from_bytes, frame_to_bytes, load_records, save_records, validate
from pbb.store import CorruptRunError, RecordsError, atomic_folder, is_complete, read_manifest, write_manifest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return synthetic_records(("proactive", "untuned"), seeds=1, programs=4, checkpoints=(1.0,))


def test_records_survive_a_round_trip(frame: pd.DataFrame, tmp_path: Path) -> None:
    folder = save_records(tmp_path / "run", frame, {"seed": 3, "note": "×"})
    pd.testing.assert_frame_equal(load_records(folder), canonical(frame))
    manifest = read_manifest(folder) or {}
    assert (manifest["seed"], manifest["note"], manifest["records"]["rows"]) == (3, "×", len(frame))
    assert [p.name for p in tmp_path.iterdir()] == ["run"], "something hidden was left behind"
    shuffled = frame.sample(frac=1, random_state=1)[list(COLUMNS)[::-1]]
    assert frame_to_bytes(shuffled) == frame_to_bytes(frame), "equal rows are equal bytes"


@settings(max_examples=30, deadline=None)
@given(texts=st.lists(st.text(st.characters(codec="utf-8"), max_size=30), min_size=1, max_size=8, unique=True))
def test_any_text_survives(frame: pd.DataFrame, texts: list[str]) -> None:
    many = frame.iloc[[0] * len(texts)].assign(prompt=texts, completion=texts, parsed=texts, expected="no, this")
    many["outcome"] = "wrong"
    pd.testing.assert_frame_equal(frame_from_bytes(frame_to_bytes(many)), canonical(many))


@pytest.mark.parametrize(
    ("column", "value", "says"),
    [
        ("outcome", "right", "column 'outcome' is 'right' in row 0"),
        ("outcome", "wrong", "'correct' where parsed equals expected"),
        ("answer_mode", "guess", "valid: direct, cot"),
        ("curriculum", "backwards", "'backwards'"),
        ("group", "w/o io", "'w/o io'"),
        ("progress", 1.5, "1.5"),
        ("statements", -1, r"is -1 in row 0 \(3 such rows\); valid: 0 or more"),
        ("seed", 0.5, "valid: int64"),
        ("prompt", None, "null"),
        ("input", 4, "column 'input' holds integer values such as 4; valid: str"),
        ("parsed", None, "unparsed"),
    ],
)
def test_a_bad_value_is_named(frame: pd.DataFrame, column: str, value: object, says: str) -> None:
    bad = frame[frame["outcome"] == "correct"].head(3).astype({column: object})
    bad[column] = pd.Series([value] * 3, index=bad.index, dtype=object)
    with pytest.raises(RecordsError, match=says) as error:
        validate(bad)
    assert column in str(error.value)


def test_rows_that_are_none_twice_or_of_other_columns_are_refused(frame: pd.DataFrame) -> None:
    right = frame[frame["outcome"] == "correct"].head(1)
    for bad, says in (
        (pd.concat([right, right]), "one row a question"),
        (right.head(0), "no rows"),
        (right.rename(columns={"seed": "sede"}), r"missing columns \['seed'\], unknown columns \['sede'\]"),
    ):
        with pytest.raises(RecordsError, match=says):
            validate(bad)


# ------------------------------------------------------------------------------------------------- damage
@pytest.mark.parametrize("text", ["", "{", "[1]", '{"a": 1}}', "\ufeff\x00", '{"name": "a browser extension"}'])
def test_a_damaged_or_foreign_manifest_is_corrupt(tmp_path: Path, text: str) -> None:
    (tmp_path / "manifest.json").write_text(text, encoding="utf-8")
    with pytest.raises(CorruptRunError, match=r"manifest\.json"):
        load_records(tmp_path)


def test_a_folder_without_a_manifest_is_not_complete(frame: pd.DataFrame, tmp_path: Path) -> None:
    (tmp_path / "records.parquet").write_bytes(frame_to_bytes(frame))
    assert not is_complete(tmp_path)
    assert not is_complete(tmp_path / "nowhere")
    with pytest.raises(RecordsError, match="no complete run here"):
        load_records(tmp_path)
    with pytest.raises(RecordsError, match="not a readable Parquet file"):
        frame_from_bytes(b"PAR1 is not enough")


@pytest.mark.parametrize("value", [Path(), float("nan")])
def test_a_manifest_that_is_no_json_is_refused(value: object, tmp_path: Path) -> None:
    with pytest.raises(RecordsError, match="cannot be written as JSON"):
        write_manifest(tmp_path, {"value": value})
    assert list(tmp_path.iterdir()) == []


# ----------------------------------------------------------------------------------------- atomic folders
def test_an_exception_leaves_nothing_and_a_full_disk_is_explained(tmp_path: Path) -> None:
    """As torch tells of it; what the system says itself is in tests/test_robustness.py."""

    def fails(fault: Exception) -> None:
        with atomic_folder(tmp_path / "run") as partial:
            (partial / "half").write_text("…")
            raise fault

    with pytest.raises(ZeroDivisionError):
        fails(ZeroDivisionError())
    with pytest.raises(RecordsError, match=r"disk is full \([\d,]+ MB free\).*same command again"):
        fails(RuntimeError("I/O error: No space left on device (os error 28)"))
    assert list(tmp_path.iterdir()) == []


def test_a_complete_folder_is_kept_and_an_incomplete_one_replaced(tmp_path: Path) -> None:
    def build(word: str, replace: bool = False) -> str:
        with atomic_folder(tmp_path / "run", replace=replace) as partial:
            (partial / "word").write_text(word)
            write_manifest(partial, {})
        return (tmp_path / "run" / "word").read_text()

    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "leftover").write_text("of something")
    with atomic_folder(tmp_path / "run.v2") as other, atomic_folder(tmp_path / "run") as slow:
        assert build("first") == "first", "the slower of two writers keeps the faster one's folder"
        (slow / "word").write_text("slow")
        assert other.exists(), "what a longer name is built in belongs to another lock"
    assert not (tmp_path / "run" / "leftover").exists()
    assert build("second") == "first"
    assert build("third", replace=True) == "third"
    assert {p.name for p in tmp_path.iterdir()} == {"run", "run.v2"}
    (tmp_path / "file").touch()
    with pytest.raises(RecordsError, match="a file is where a folder must be"), atomic_folder(tmp_path / "file"):
        pass


def test_a_killed_writer_leaves_nothing_that_is_read(frame: pd.DataFrame, tmp_path: Path) -> None:
    script = (
        "import sys, time\nfrom pbb.store import atomic_folder, write_manifest\n"
        "with atomic_folder(sys.argv[1]) as partial:\n"
        "    write_manifest(partial, {})\n    print('built', flush=True)\n    time.sleep(60)\n"
    )
    folder = tmp_path / "run"
    with subprocess.Popen(
        [sys.executable, "-c", script, str(folder)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "built\n"
        child.send_signal(signal.SIGKILL)
    assert not is_complete(folder)
    (left,) = tmp_path.glob(".run.*.partial")
    with store.locked(held := tmp_path / "held"):
        mine = tmp_path / f".{held.name}.cafecafe.partial"
        shutil.copytree(left, mine)
        other = shutil.copytree(left, tmp_path / ".other.cafecafe.partial")
        store.sweep(tmp_path)
        assert mine.exists(), "its process holds the lock"
        assert not other.exists(), "nobody does"
        assert {path.name for path in tmp_path.iterdir()} == {mine.name, ".held.lock"}
    save_records(folder, frame, {})  # the same command again
    assert len(load_records(folder)) == len(frame)


# ------------------------------------------------------------------------------------------- the manifest
def test_the_environment_names_neither_host_nor_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = store.environment_manifest()
    text = json.dumps(manifest)
    assert str(ROOT) not in text
    assert os.uname().nodename not in text.replace("localhost", "")
    assert manifest["packages"]["pandas"] == pd.__version__
    assert set(manifest["git"]) == {"revision", "dirty"}
    assert manifest["created"].endswith("+00:00")
    monkeypatch.setattr(store, "_PACKAGE", tmp_path / "pbb")
    assert store.git_revision() == (None, None), "outside git there is no revision"


def test_folders_that_the_environment_names_are_absolute_from_the_start(tmp_path: Path) -> None:
    """A child that runs elsewhere finds the same ones: `PBB_RUNS=r python -m pbb notebooks` has kernels of its own."""
    script = (
        "import os, subprocess, sys\nimport pbb.store\nos.chdir('/')\n"
        "print(pbb.store.runs(), pbb.store.figures('cpu'), os.environ['PBB_CACHE'], flush=True)\n"
        "subprocess.run([sys.executable, '-c', 'import pbb.store; print(pbb.store.runs())'])\n"
    )
    named = {"PBB_RUNS": "r", "PBB_FIGURES": "a/../f", "PBB_CACHE": "./c", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, cwd=tmp_path, env=os.environ | named, capture_output=True, text=True, check=True)
    runs, figures, cache = (tmp_path.resolve() / name for name in ("r", "f", "c"))
    assert done.stdout == f"{runs} {figures / 'cpu'} {cache}\n{runs}\n"
