"""Runs: shared stages, nothing redone, two at once, damaged files. Kills are in tests/test_robustness.py."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
from sweep import Undisturbed, experiments, here, same, start, undisturbed

from pbb import cli
from pbb.experiments import studies
from pbb.experiments.experiment import Experiment
from pbb.models import loading
from pbb.models.machine import compiles
from pbb.records import canonical, validate
from pbb.runs import keys, run, tasks
from pbb.runs.tasks import StageTask
from pbb.store import read_manifest, runs

__all__ = ["experiments", "here", "undisturbed"]


@pytest.mark.slow
def test_two_processes_asking_for_the_same_runs_share_them(
    experiments: list[Experiment], undisturbed: Undisturbed, tmp_path: Path
) -> None:
    """With one worker and with two; what is to be had in this process is the same."""
    store = tmp_path / "shared"
    outs = {tmp_path / f"{workers}.parquet": workers for workers in (1, 2)}
    processes = [start(experiments, out, workers=workers, PBB_RUNS=str(store)) for out, workers in outs.items()]
    for process, out in zip(processes, outs, strict=True):
        output, _ = process.communicate(timeout=240)
        assert process.returncode == 0, output
        same(canonical(pd.read_parquet(out)), undisturbed)
    assert not list(store.rglob("*.partial"))


@pytest.mark.parametrize("compiled", [False, True])
def test_a_training_of_adapters_goes_on_where_it_was_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compiled: bool
) -> None:
    if compiled:  # as a real model's on a CPU
        if not compiles():
            pytest.skip("nothing can be compiled here")
        monkeypatch.setattr(tasks, "TINY_NAMES", ())
        monkeypatch.setattr(tasks, "COMPILED_FROM", 6)
    task = StageTask(Experiment.of("smoke", lora_rank=4, stage_1_steps=6, checkpoints=2), 0)
    save, ended = loading.save, []

    def stopped(model: object, folder: Path) -> None:
        if folder.name == "step-000006":
            raise KeyboardInterrupt
        save(model, folder)

    monkeypatch.setattr(tasks, "KEPT_EVERY", 2)
    for name in ("whole", "stopped"):
        monkeypatch.setenv("PBB_RUNS", str(tmp_path / name))
        if name == "stopped":
            monkeypatch.setattr(loading, "save", stopped)
            with pytest.raises(KeyboardInterrupt):
                task.run()
            monkeypatch.setattr(loading, "save", save)
            kept = {path.name for path in (runs() / "training" / task.key).glob("*-*")}
            assert kept == {"checkpoint-4", "step-000003"}
        task.run()
        assert not list((runs() / "training").iterdir())
        said = read_manifest(task.folder) or {}
        assert (said["went_on"], said["compiled"]) == (name == "stopped", compiled)
        files = [*task.folder.rglob("*.safetensors"), task.folder / "training_log.csv"]
        ended.append({str(file.relative_to(task.folder)): file.read_bytes() for file in files})
    assert len(ended[0]) == 3
    assert ended[0] == ended[1]


def test_what_fails_after_the_last_step_costs_no_training(run_store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    task = StageTask(Experiment.of("smoke", lora_rank=4, stage_1_steps=2, checkpoints=2), 0)
    with monkeypatch.context() as patch:
        patch.setattr(loading, "describe", lambda name: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            task.run()
    kept = run_store / "training" / task.key
    assert {path.name for path in kept.glob("step-*")} == {"step-000001", "step-000002"}
    task.run()
    assert {path.name for path in task.folder.glob("step-*")} == {"step-000001", "step-000002"}
    assert not kept.exists()


def test_sharing_and_caching(experiments: list[Experiment], here: None, run_store: Path) -> None:
    """One store, in turn: a plan that says what is shared, a second call that does nothing, and a stage deleted."""
    todo = run.plan(experiments)
    stages = [task for task in todo.missing if isinstance(task, StageTask)]
    assert len(stages) == 2, "Stage 1 is shared by two arms"
    assert "2 stages to train, shared by arms that would train 3" in str(todo)

    records = run.run(experiments, workers=1, say=lambda line: None)
    validate(records)
    assert set(records["curriculum"]) == {"proactive", "stage_1_only", "untuned"}
    final = records[records["curriculum"] == "proactive"]
    assert sorted(final["progress"].unique()) == pytest.approx([0, 0.6, 1.0])
    before = {path: path.stat().st_mtime_ns for path in run_store.rglob("*.parquet")}

    said: list[str] = []
    again = run.run(experiments, workers=1, say=said.append)
    pd.testing.assert_frame_equal(canonical(again), canonical(records))
    assert "nothing to compute" in said[0]
    assert len(said) == 1
    assert before == {path: path.stat().st_mtime_ns for path in run_store.rglob("*.parquet")}

    shutil.rmtree(stages[0].folder)
    assert not run.plan(experiments).missing, "weights gone, answers kept: nothing is done again"


def test_a_failing_task_is_named_and_the_way_on_is_said(
    experiments: list[Experiment], here: None, run_store: Path
) -> None:
    with pytest.raises(ValueError, match="tiny-m-strings, tiny-m-tutored, a folder, a GGUF file, or a Hub id"):
        run.run(experiments[0].changed(model="/nowhere/at all"), say=lambda line: None)
    short = experiments[1].changed(row_tokens=32)
    with pytest.raises(run.RunError, match=r"(?s)could not train .*row_tokens=32.*goes on from what is complete"):
        run.run(short, workers=1, say=lambda line: None)
    assert not [path for path in (run_store / "stages").glob("[0-9a-f]*") if path.is_dir()]


def test_two_models_of_one_name_are_refused_before_anything_runs(micro_model: str, tmp_path: Path) -> None:
    other = shutil.copytree(micro_model, tmp_path / Path(micro_model).name)
    with pytest.raises(ValueError, match=f"model='{other}' is not valid beside model='{micro_model}'.*call both"):
        run.plan([Experiment(model=micro_model), Experiment(model=str(other))])


def test_a_worker_that_finds_other_code_than_its_caller_says_so(
    run_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where the package is edited while a kernel that has computed its keys is open."""
    monkeypatch.setattr(keys, "code", lambda *_: "as the session began")
    with pytest.raises(run.RunError, match=r"(?s)the code of pbb.* was edited since .* the same command again$"):
        run.run(Experiment.of("smoke", arm="random_generation", seed=987_651), workers=1, say=lambda line: None)


def test_a_figure_is_drawn_again_only_when_its_runs_or_the_code_have_changed(
    here: None, run_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = Experiment.of("smoke", arm="in_context")
    monkeypatch.setitem(studies.STUDIES, "F05", lambda preset: [one])
    run.run([one, one.changed(seed=1)], preset="smoke", workers=1, say=lambda line: None)
    picture = tmp_path / "F05_answer_mode" / "figure.png"

    def drawn(seeds: int) -> int:
        cli.save_figures(["F05"], "smoke", seeds, tmp_path, allow_smoke=True, again=False)
        return picture.stat().st_mtime_ns

    first = drawn(1)
    assert drawn(1) == first
    for damaged in (picture, picture.with_name("table.csv"), picture.with_name("records.parquet")):
        damaged.write_text("cut off")
        drawn(1)
        assert damaged.read_bytes() != b"cut off"
    assert drawn(2) > first
    second = drawn(2)
    monkeypatch.setattr(keys, "code_of", lambda room: "other code")
    assert drawn(2) > second
    assert json.loads((picture.parent / "manifest.json").read_text())["trained_on"] == []
