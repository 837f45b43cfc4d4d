"""Corrupted stores, and nonsense in the environment and on the command line, drawn from kept seeds.

PBB_TEST_STORES and PBB_TEST_WORDS say how many of each; 200 and 300 are the full counts. Wanted: no traceback, no hang
over a minute, no wrong record, no file lost.
"""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from sweep import Undisturbed, experiments, here, recorded, same, undisturbed

from pbb import cli, store
from pbb.experiments.experiment import Experiment
from pbb.runs import run

__all__ = ["experiments", "here", "undisturbed"]
STORES = int(os.environ.get("PBB_TEST_STORES", "12"))
WORDS = int(os.environ.get("PBB_TEST_WORDS", "40"))
LIMIT_S = 60


# ------------------------------------------------------------------------------------------- corrupted stores
def older(manifest: Any, rng: random.Random) -> Any:
    """A manifest as another version may have written it."""
    return rng.choice(
        [
            {name: value for name, value in manifest.items() if name not in ("files", "folder", "seal")},
            {"version": 99, "made_by": "another"},
            [manifest],
            {**manifest, "records": {"schema": 2}, "files": {}, "tokens": 1, "documents": {}, "questions": 0},
        ]
    )


def damage(file: Path, how: str, rng: random.Random) -> None:
    """Do to one file what disks, hands and other versions do."""
    data = file.read_bytes()
    at = rng.randrange(len(data))
    zeros = min(30_000, max(1, (len(data) - at) // 2))
    damaged = {
        "cut": data[:at],
        "empty": b"",
        "noise": rng.randbytes(len(data)),
        "a bit": data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :],
        "zeros": data[:at] + bytes(zeros) + data[at + zeros :],
    }
    if how in damaged:
        file.write_bytes(damaged[how])
    elif how == "another version":
        manifest = file.parents[len(file.relative_to(store.runs()).parts) - 3] / store.MANIFEST
        manifest.write_text(json.dumps(older(json.loads(manifest.read_bytes()), rng)))
    else:
        file.unlink()
        if how == "a folder":
            file.mkdir()


def swap(one: Path, other: Path) -> None:
    aside = one.with_name("aside")
    one.rename(aside)
    other.rename(one)
    aside.rename(other)


def corrupt(root: Path, rng: random.Random) -> str:
    """Damage something in a store; returns what was done."""
    folders = sorted(path for path in root.glob("*/*") if path.is_dir())
    how = rng.choice(["cut", "empty", "noise", "a bit", "zeros", "gone", "a folder", "another version", "swap", "swap"])
    first = rng.choice(folders)
    if how == "swap":
        second = rng.choice([f for f in folders if f.parent == first.parent and f != first] or [first])
        files = [f.relative_to(first) for f in first.rglob("*") if f.is_file()]
        both = [Path(), *(file for file in files if (second / file).is_file())]
        what = rng.choice(both)
        if first != second:
            swap(first / what, second / what)
        return f"swap {what} of {first.name} and {second.name}"
    file = rng.choice(sorted(f for f in first.rglob("*") if f.is_file()))
    damage(file, how, rng)
    return f"{how}: {file.relative_to(root)}"


def contents(root: Path) -> dict[str, bytes]:
    return {str(file.relative_to(root)): file.read_bytes() for file in root.rglob("*") if file.is_file()}


@pytest.mark.timeout(60 + LIMIT_S * STORES)
def test_a_corrupted_store_gives_the_right_records_or_names_what_to_delete(
    experiments: list[Experiment], undisturbed: Undisturbed, here: None, run_store: Path
) -> None:
    """What was damaged and is read is named, with all else that is damaged, and one deletion is enough."""
    root, outcomes = run_store, Counter[str]()
    for seed in range(STORES):
        rng = random.Random(f"store {seed}")
        shutil.rmtree(root, ignore_errors=True)
        readers = rng.choice([[], ["results"], ["results"], ["results", "some"]])
        shutil.copytree(undisturbed[1], root, ignore=shutil.ignore_patterns("results" if readers else ""))
        done = corrupt(root, rng)
        if "some" in readers:  # so that weights are read again
            for folder in sorted((root / "evaluations").iterdir())[::2]:
                shutil.rmtree(folder)
        before, started, message, named = contents(root), time.monotonic(), "", list[str]()
        try:
            records = recorded(experiments)
        except (store.RecordsError, run.RunError) as error:
            message = str(error)
            assert "\n" not in message, (seed, done, message)
            deleted = re.search(r"The way out: delete the folders? (.+) and run the same command again", message)
            assert deleted, (seed, done, message)
            named = deleted[1].split(" ")
            for folder in named:
                assert Path(folder).parent.parent == root, (seed, done, message)
                shutil.rmtree(folder)
            records = recorded(experiments)
        same(records, undisturbed)
        assert time.monotonic() - started < LIMIT_S, (seed, done)
        after = contents(root)
        lost = {"/".join(name.split("/")[:2]) for name in before if name not in after}
        lost -= {str(Path(folder).relative_to(root)) for folder in named}
        assert all(folder.split("/")[1] in done for folder in lost), (seed, done, lost)  # its manifest was gone
        outcomes["named" if message else "did not matter"] += 1
    print(f"{STORES} corrupted stores: {dict(outcomes)}")
    assert outcomes["named"] >= STORES // 4


# ------------------------------------------------------------------- the environment and the command line
NONSENSE = (
    *("", " ", "\t", "\n", "~nobody-here/x", "~", "/dev/null", "/dev/null/x", "/proc/1/nothing", "a" * 300, "a" * 5000),
    *("\x1b[31m", "é\udcff", "'", '"', "$(id)", "-1", "0", "1e999", "nan", "inf", "None", "[]", "{}", "--help", "-"),
    *("../..", "..", ".", "\u202e", "F99", "f05", "smoke,cpu", "3.5", "9" * 400, "0x10", "true", "=", "a=", "=a"),
)
VARIABLES = (
    *(*store.FOLDERS, "PBB_COMMAND", "CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS", "RANK", "WORLD_SIZE", "MASTER_PORT"),
    *("TQDM_DISABLE", "HF_HUB_OFFLINE", "COLUMNS", "TMPDIR", "UNSLOTH_FORCE_CPU"),
)
OPTIONS = ("--preset", "--seeds", "--workers", "--budget-min", "--executor", "--slurm")


@pytest.mark.timeout(60 + LIMIT_S * WORDS)
def test_nonsense_in_the_environment_and_in_options_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    statuses = Counter[int]()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(run, "execute", lambda tasks, *_, **__: list(tasks))  # what is sound is not trained here
    for seed in range(WORDS):
        rng, started = random.Random(f"words {seed}"), time.monotonic()
        with monkeypatch.context() as patch:
            patch.setenv("PBB_RUNS", str(tmp_path / "runs"))
            arguments = ["plan", "F05", "--preset", "smoke"]
            if rng.random() < 0.5:
                for name in rng.sample(VARIABLES, 2):
                    patch.setenv(name, rng.choice(NONSENSE))
                store.make_absolute()
            else:
                arguments[0] = "run"
                arguments += [rng.choice(OPTIONS), rng.choice(NONSENSE)]
            told = f"seed {seed}: {arguments}"
            try:
                status = cli.main(arguments)
            except SystemExit as ended:  # argparse's own
                status = int(ended.code or 0)
        said = capsys.readouterr()
        assert status in (0, 1, 2, cli.COME_BACK), told
        assert "Traceback" not in said.err + said.out, told
        assert not status or said.err.strip() or status == cli.COME_BACK, told
        assert time.monotonic() - started < LIMIT_S, told
        statuses[status] += 1
    print(f"{WORDS} commands: {dict(statuses)}")
    assert statuses[1] + statuses[2] > WORDS // 4
