"""Backends in runs: keys, the plan's words, what is refused before training, and Unsloth's records beside PEFT's."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest
from torch.linalg import matrix_rank

from pbb.experiments.curricula import curriculum
from pbb.experiments.experiment import Experiment
from pbb.models import backends, loading
from pbb.models.machine import Machine, this_machine
from pbb.runs import run
from pbb.runs.keys import stage_keys
from pbb.runs.tasks import StageTask

SMALL = {
    "arm": "stage_1_only", "with_io_programs": 8, "without_io_programs": 20, "stage_1_steps": 12,
    "batch_rows": 4, "questions": 5, "checkpoints": 1, "asked": ("direct",), "stage_1_general": 0.0,
}  # fmt: skip


def test_a_backend_by_name_has_a_key_of_its_own_and_the_machines_choice_has_none() -> None:
    by_name = {
        backend: stage_keys(Experiment.of("cpu", backend=backend))[-1] for backend in ("auto", "full", "unsloth")
    }
    assert len(set(by_name.values())) == 3


def test_the_plan_says_what_trains_and_why(run_store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backends, "this_machine", lambda: Machine(cores=2))
    text = str(run.plan([Experiment.of("cpu", model="smollm2-135m", lora_rank=16), Experiment()]))
    assert "\n  smollm2-135m by PEFT: no CUDA; float32 weights; about" in text
    assert "so a GPU helps" in text
    assert "\n  tiny-m by full finetuning: no CUDA; float32 weights" in text


def test_adapters_in_one_stage_alone_leave_the_stage_before_as_it_is_and_plain_weights(run_store: Path) -> None:
    budget = {"exposure_steps": 2, "execution_steps": 3, "execution_rate": 1e-2, "batch_rows": 2, "checkpoints": 1}
    plain = Experiment.of("cpu", model="tiny-s", arm="retroactive", with_io_programs=8, without_io_programs=4, **budget)
    adapted = plain.changed(execution_lora_rank=2)
    assert stage_keys(adapted)[0] == stage_keys(plain)[0]
    assert stage_keys(adapted)[1] != stage_keys(plain)[1]
    assert [stage.lora_rank for stage in curriculum(adapted.changed(arm="retroactive_grpo"))] == [0, 2, 2]
    assert [stage.lora_rank for stage in curriculum(adapted.changed(lora_rank=4))] == [4, 2]
    said = str(run.plan(adapted))
    assert "tiny-s by full finetuning" in said
    assert "tiny-s by PEFT" in said

    tasks = [StageTask(adapted, index) for index in range(2)]
    for task in tasks:
        task.run()
    manifests = [json.loads((task.folder / "manifest.json").read_text()) for task in tasks]
    assert [manifest["backend"]["name"] for manifest in manifests] == ["full", "peft"]
    before, after = (loading.load("tiny-s", task.weights)[0].state_dict() for task in tasks)
    ranks = {name: int(matrix_rank(after[name] - before[name], rtol=1e-3)) for name in before if before[name].ndim == 2}
    assert set(ranks.values()) == {0, 2}
    assert {name for name, rank in ranks.items() if not rank} == {"model.embed_tokens.weight", "lm_head.weight"}


def test_what_cannot_run_is_refused_before_anything_is_trained(
    run_store: Path, micro_model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("UNSLOTH_FORCE_CPU", raising=False)
    monkeypatch.setattr(backends, "this_machine", lambda: Machine(cores=2))
    wanted = Experiment.of("cpu", model=micro_model, backend="unsloth", lora_rank=4)
    assert "cannot run here: no CUDA" in str(run.plan(wanted.changed(seed=s) for s in (0, 1)))
    with pytest.raises(backends.BackendError, match="valid here: 'auto' or 'peft'"):
        run.run(wanted, workers=1, say=lambda line: None)
    assert not list(run_store.glob("stages/*"))


def test_models_are_pinned_from_the_command_line() -> None:
    done = subprocess.run([sys.executable, "-m", "pbb", "pin-models", "--help"], capture_output=True, text=True)
    assert "pin-models" in done.stdout


@pytest.mark.slow
@pytest.mark.timeout(1800)  # processes that import Unsloth and transformers afresh
@pytest.mark.skipif(importlib.util.find_spec("unsloth") is None, reason="Unsloth is not installed: `make unsloth`")
def test_records_through_unsloth_and_through_peft_agree(run_store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNSLOTH_FORCE_CPU", "1")
    this_machine.cache_clear()
    base = Experiment.of("cpu", model="tiny-s", lora_rank=4, **SMALL)
    frames = {by: run.run(base.changed(backend=by), workers=1) for by in ("unsloth", "peft")}
    this_machine.cache_clear()
    stages = [json.loads(file.read_text()) for file in (run_store / "stages").glob("[0-9a-f]*/manifest.json")]
    assert {stage["backend"]["name"] for stage in stages} == {"unsloth", "peft"}
    key = ["stage", "program", "input", "answer_mode", "prompt"]
    ours, theirs = (frame.sort_values(key).reset_index(drop=True) for frame in frames.values())
    same = ours["completion"] == theirs["completion"]
    assert len(same) >= 200
    assert same.mean() > 0.95
    assert (ours["outcome"] == "correct").mean() == pytest.approx((theirs["outcome"] == "correct").mean(), abs=0.02)
