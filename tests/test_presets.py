"""Presets: complete for their figures, true to each other, and planned on the machine that is here. Needs no card."""

from __future__ import annotations

import json
import re
import socket
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

import pbb
from pbb import cli
from pbb.experiments.curricula import curriculum
from pbb.experiments.experiment import PRESETS, Experiment, ExperimentError
from pbb.experiments.studies import FIGURES as OWN
from pbb.experiments.studies import LADDERS, STUDIES, figures_of, study
from pbb.figures import FIGURES
from pbb.models import machine, smollm2
from pbb.models.machine import Machine
from pbb.models.model_size import Shape
from pbb.notebook.execute import list_notebooks
from pbb.registry import TINY_NAMES, config_of, hub_models
from pbb.runs import plan, run
from pbb.runs.tasks import StageTask

ROOT = Path(pbb.__file__).parents[1]
ON_A_CARD = ("gpu", "colab", "paper")
H100 = Machine("NVIDIA H100 80GB HBM3", (9, 0), 85_500_000_000, 16, "", True)
T4 = Machine("Tesla T4", (7, 5), 15_800_000_000, 2, "", True)
FEW = {"with_io_programs": 6, "without_io_programs": 3, "general_ratio": 0.0, "stage_2_general_ratio": 0.0}


def few(preset: str, *arms: str, **changes: Any) -> list[Experiment]:
    """A preset's experiments on few programs, so that their keys are soon known."""
    return [Experiment.of(preset, curriculum=arm, **{**FEW, **changes}) for arm in arms]


# ----------------------------------------------------------------------------------------------- what there is
@pytest.mark.parametrize("figure", STUDIES)
@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_has_valid_experiments_for_every_figure(preset: str, figure: str) -> None:
    experiments = study(figure, preset, seeds=2)
    assert {e.seed for e in experiments} == {0, 1}
    for e in experiments:
        stages = curriculum(e)
        assert all(stage.steps > 0 for stage in stages)
        assert Shape.of(config_of(e.model)), "its size is known without fetching it"
        assert e.lora_rank or e.model in TINY_NAMES, "pretrained models get adapters, tiny ones are trained whole"


def test_a_preset_leaves_out_figures_and_has_the_others() -> None:
    assert set(OWN) <= set(PRESETS)
    for preset in PRESETS:
        assert set(figures_of(preset)) <= set(FIGURES)
    assert {"F02", "F03", "F04", "F05", "F07", "F08"} <= set(figures_of("gpu"))
    assert figures_of("cpu") == figures_of("paper") == tuple(STUDIES)
    with pytest.raises(ExperimentError, match="preset='gpuu' is not valid; valid: smoke, cpu, gpu, colab, paper"):
        figures_of("gpuu")


def test_the_ladders() -> None:
    assert [e.model for e in study("F03", "gpu") if e.curriculum == "proactive"] == [*LADDERS["cpu"], "smollm2-135m"]
    assert set(study("F04", "cpu")) <= set(study("F04", "gpu")), "tiny models have one budget, and are trained once"
    paper = {e.model for e in study("F04", "paper")}
    assert paper == set(hub_models())
    assert {e.backend for e in study("F02", "colab")} == {"unsloth"}


def test_arms_of_one_study_have_one_budget() -> None:
    for preset in ON_A_CARD:
        arms = study("F02", preset)
        assert len({e.changed(curriculum="proactive") for e in arms}) == 1
        assert len({e.model for e in arms}) == 1


@pytest.mark.slow
@pytest.mark.skipif(smollm2.wanted() not in ("", smollm2.FIRST_USE), reason="SmolLM2 is not installed: `make smollm2`")
def test_rows_hold_the_longest_documents_with_room_for_longer_templates() -> None:
    from pbb.models.loading import load_tokenizer
    from pbb.models.sft import encode

    tokenizer, room = load_tokenizer("smollm2-135m"), 20  # tokens by which Llama's template is longer, and more
    for figure in ("F05", "F07", "F11", "F13"):
        for e in study(figure, "gpu"):
            for stage in curriculum(e)[-1:]:
                documents = stage.documents()
                taken = [d for d in (next(documents) for _ in range(1500)) if d.kind != "general"]
                longest = max(len(ids) for ids, _ in encode(taken, tokenizer))
                assert longest + room <= e.row_tokens, f"{figure}, {e.curriculum}, {e.statements}"


# ---------------------------------------------------------------------------------------------------- the plan
@pytest.fixture
def on(monkeypatch: pytest.MonkeyPatch) -> Callable[[Machine], None]:
    """Let plans be made on a pretended machine, of a speed of its own."""

    def pretend(here: Machine) -> None:
        monkeypatch.setattr(plan, "this_machine", lambda: here)
        monkeypatch.setattr(plan, "training_rate", lambda: 6e12)
        monkeypatch.setattr(socket.socket, "connect", lambda *_: pytest.fail("a plan asks no network"))

    return pretend


def test_the_plan_on_a_card(run_store: Path, on: Callable[[Machine], None]) -> None:
    on(H100)
    said = str(run.plan(few("gpu", "proactive", "stage_2_only", "retroactive_grpo")))
    assert len(re.findall(r"\n  train smollm2-135m, ", said)) == 5
    assert "smollm2-135m by Unsloth: CUDA found (NVIDIA H100 80GB HBM3); bfloat16 weights" in said
    assert re.search(r"and \d+ evaluations: about \d+ min on 1 worker\n", said), "one a card"
    assert "no run of smollm2-135m was measured here yet: times by calibration, 6,000 GFLOP/s on the card" in said
    assert re.search(r"weights: about [\d.]+ GB of disk in .* free$", said)
    on(replace(T4, cards=3))
    said = str(run.plan(few("colab", "proactive")))
    assert "on 3 workers" in said
    assert "float16 weights (compute capability 7.5 has no bfloat16)" in said
    assert re.search(r"; about 2\.5 GB to download \(\d+ GB free\); its commit is .* not known yet; gated", said)
    assert "on 2 workers" in str(run.plan(few("colab", "proactive"), workers=2)), "as asked for"
    assert "of the card's 16 GB: too much, unless" in str(run.plan(few("paper", "proactive", model="Qwen/Qwen3-14B")))


def test_a_backend_that_cannot_run_is_said(run_store: Path, on: Callable[[Machine], None]) -> None:
    on(replace(T4, without="Unsloth is not installed (`make unsloth`)", four_bits=False))
    said = str(run.plan(few("colab", "stage_1_only")))
    assert "backend='unsloth' cannot run here: Unsloth is not installed" in said


def test_without_a_card_the_plan_tells_of_the_cpu(run_store: Path, on: Callable[[Machine], None]) -> None:
    on(Machine(cores=5))
    said = str(run.plan(few("cpu", "proactive"), workers=2))
    assert re.search(r"evaluations: about \d+ min on 2 workers\n", said)
    assert re.search(r"\n  weights: about \d+ MB of disk in .* free", said)
    assert "times by calibration, 6,000 GFLOP/s a core" in said
    assert "on 5 workers" in str(run.plan(few("cpu", "proactive")))


def test_times_are_as_measured_here_else_by_calibration(
    run_store: Path, on: Callable[[Machine], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    on(H100)
    experiments = few("gpu", "stage_1_only")
    first = run.plan(experiments)
    (task,) = (t for t in first.missing if isinstance(t, StageTask))
    shape = Shape.of(config_of("smollm2-135m"))
    assert shape
    assert first.estimates[task.folder] == pytest.approx(task.tokens * shape.parameters / 1e12)
    for number, (device, seconds) in enumerate((("cuda:0", 4), ("cuda:0", 5), ("cuda:0", 7), ("cpu", 1))):
        folder = run_store / "stages" / f"a{number}"
        folder.mkdir(parents=True)
        model = {"name": "smollm2-135m"}
        done = {"kind": "stage", "base_model": model, "tokens": 5000, "seconds": seconds, "device": device}
        (folder / "manifest.json").write_text(json.dumps(done))
    here = run.plan(experiments)
    assert here.estimates[task.folder] == task.tokens / 1000, "the median of those on a card"
    assert "by calibration" not in str(here)
    assert here.seconds > here.estimates[task.folder]
    assert plan.tokens_per_second("someone/else") == 1000, "a billion parameters where nothing is known"


def test_a_calibration_takes_a_second_or_two_and_is_of_this_machine() -> None:
    machine.training_rate.cache_clear()
    threads, state = torch.get_num_threads(), torch.random.get_rng_state()
    started = time.process_time()
    rate = machine.training_rate()
    assert 1e8 < rate < 1e13, "from a phone's core to a server's"
    assert time.process_time() - started < 20
    assert machine.training_rate() == rate, "once a process"
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.random.get_rng_state(), state)


def test_times_and_sizes_are_said_in_words() -> None:
    assert [plan.duration(s) for s in (7, 200, 9000)] == ["7 s", "3 min", "2.5 h"]
    assert [plan.amount(s) for s in (3.3e7, 2.7e8, 1.7e10, 1.1e12)] == ["33 MB", "0.3 GB", "17 GB", "1.1 TB"]


# ------------------------------------------------------------------------------------------------ where it is said
def test_the_command_line(run_store: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(cli, "_all_experiments", lambda *given: asked.append(given) or few("colab", "untuned"))
    assert cli.main(["plan", "--preset", "colab"]) == 0
    assert "preset colab leaves out F03, F06" in capsys.readouterr().out
    assert cli.main(["plan", "F09", "--preset", "colab"]) == 0
    assert "leaves out" not in capsys.readouterr().out
    assert [figures for figures, *_ in asked] == [figures_of("colab"), ("F09",)]
    assert cli.main(["plan", "--preset", "huge"]) == 1
    assert "valid: smoke, cpu, gpu, colab, paper" in capsys.readouterr().err


def test_notebooks_of_figures_that_are_left_out_are_not_executed() -> None:
    every = [path.stem for path in list_notebooks()]
    assert cli._notebooks("cpu") == cli._notebooks("paper") == every
    assert [name for name in every if name not in cli._notebooks("gpu")] == [
        *("F06_retroactive", "F09_program_count", "F10_augmentation", "F11_composition", "F13_grammars"),
    ]


def test_what_lists_presets_lists_all_of_them(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["plan", "--help"])
    said = {"plan --help": capsys.readouterr().out}
    said["Makefile"] = (ROOT / "Makefile").read_text(encoding="utf-8")
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    rows = readme.partition("## What to expect of each preset")[2].partition("\n## ")[0]
    for preset in PRESETS:
        assert f"| `{preset}` |" in rows, f"{preset} in README.md"
        for where, text in said.items():
            assert re.search(rf"\b{preset}\b", text), f"{preset} in {where}"
    for path in list_notebooks():
        for line in re.findall(r"preset: str = .*for what fits", path.read_text(encoding="utf-8")):
            assert all(f'\\"{preset}\\"' in line for preset in PRESETS), path.name
