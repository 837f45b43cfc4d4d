"""What is remembered is what would be computed now: other code, another key or a damaged file compute it again."""

from __future__ import annotations

from pathlib import Path

import pytest

from pbb.experiments.experiment import Experiment
from pbb.runs import remembered as module
from pbb.runs import run, tasks
from pbb.runs.remembered import remembered


def test_a_result_is_made_once_for_a_key_and_for_the_code(run_store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []

    def make() -> list[int]:
        made.append(len(made))
        return list(made)

    assert remembered(make, "a", {"seed": 0}) == [0]
    assert remembered(make, "a", {"seed": 0}) == [0]
    assert remembered(make, "a", {"seed": 1}) == [0, 1]
    monkeypatch.setattr(module, "CODE", "other code")
    assert remembered(make, "a", {"seed": 0}) == [0, 1, 2]
    assert len(list((run_store / "remembered").iterdir())) == 2, "one file a key, and nothing half-written"


@pytest.mark.parametrize("damage", ["", "{", "[]", "null", '{"value": ["wrong"]}', "change"])
def test_a_damaged_file_is_computed_again(run_store: Path, damage: str) -> None:
    remembered(lambda: ["right"], "key")
    (file,) = (run_store / "remembered").iterdir()
    file.write_text(file.read_text().replace("right", "wrong") if damage == "change" else damage)
    assert remembered(lambda: ["right"], "key") == ["right"]
    assert remembered(lambda: ["never made"], "key") == ["right"], "it is whole again"


def test_where_nothing_can_be_written_it_is_computed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("PBB_RUNS", str(tmp_path / "file"))
    assert [remembered(lambda: 1, "key"), remembered(lambda: 2, "key")] == [1, 2]


def test_a_second_plan_draws_no_programs(run_store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    experiment = Experiment(with_io_programs=6, without_io_programs=3)

    def forget() -> None:
        for cached in (tasks._stage_keys, tasks._programs_digest):
            cached.cache_clear()

    forget()
    first = run.plan([experiment])
    keys = [task.key for task in first.tasks]
    forget()

    def drawn(_: Experiment) -> None:
        raise AssertionError("programs are drawn")

    monkeypatch.setattr(tasks, "groups", drawn)
    monkeypatch.setattr("pbb.experiments.curricula.groups", drawn)
    assert [task.key for task in run.plan([experiment]).tasks] == keys
    assert str(run.plan([experiment])) == str(first)
