"""Presets: complete for their figures, true to each other, and planned on the machine that is here. Needs no card."""

from __future__ import annotations

import importlib
import itertools
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
from pbb.experiments.experiment import Experiment
from pbb.experiments.groups import groups
from pbb.experiments.presets import PRESETS, recipe
from pbb.experiments.studies import STUDIES, figures_of, study
from pbb.figures import FIGURES
from pbb.models import gguf, machine
from pbb.models.machine import Machine
from pbb.models.model_size import Shape
from pbb.notebook.execute import list_notebooks
from pbb.programs.settings import ExperimentError
from pbb.registry import PACKAGED, TINY_NAMES, config_of, hub_models
from pbb.runs import plan, run
from pbb.runs.tasks import StageTask

ROOT = Path(pbb.__file__).parents[1]
ON_A_CARD = ("llm", "paper")
H100 = Machine("NVIDIA H100 80GB HBM3", (9, 0), 85_500_000_000, 16, "", True)
T4 = Machine("Tesla T4", (7, 5), 15_800_000_000, 2, "", True)
FEW = {"with_io_programs": 6, "without_io_programs": 3, "stage_1_general": 0.0, "stage_2_general": 0.0}


def few(preset: str, *arms: str, **changes: Any) -> list[Experiment]:
    """A preset's experiments on few programs, so that their keys are soon known."""
    return [Experiment.of(preset, arm=arm, **{**FEW, **changes}) for arm in arms]


# ----------------------------------------------------------------------------------------------- what there is
@pytest.mark.parametrize(("preset", "figure"), itertools.product(PRESETS, STUDIES))
def test_every_preset_has_valid_experiments_for_every_figure(preset: str, figure: str) -> None:
    experiments = study(figure, preset, seeds=2)
    again = [e.arm for e in experiments if e.seed]
    if preset != "llm":
        assert len(experiments) == 2 * len(again), "a study of each seed"
    else:
        assert again == (["stage_1_only", "homogeneous", "proactive"] if figure == "F02" else []), "the main arms"
    for e in experiments:
        stages = curriculum(e)
        assert all(stage.steps > 0 for stage in stages)
        assert Shape.of(config_of(e.model)), "its size is known without fetching it"
        assert e.training.lora_rank or e.model in TINY_NAMES, (
            "pretrained models get adapters, tiny ones are trained whole"
        )


def test_a_preset_leaves_out_figures_and_has_the_others() -> None:
    assert all(set(figures_of(preset)) <= set(FIGURES) for preset in PRESETS)
    assert figures_of("llm") == ("F01", "F02", "F04", "F05", "F08", "F12", "F14")
    assert figures_of("cpu") == figures_of("paper") == tuple(STUDIES)
    with pytest.raises(ExperimentError, match="preset='gpu' is not valid; valid: smoke, cpu, llm, paper"):
        figures_of("gpu")


def test_the_ladders() -> None:
    assert [e.model for e in study("F03", "llm") if e.arm == "proactive"] == list(recipe("llm").ladder)
    assert {e.model for e in study("F04", "llm")} == {"smollm2-135m"}
    registered = hub_models()
    assert set(recipe("llm").ladder[1:]) | set(recipe("paper").models) <= set(registered)
    assert all(re.fullmatch("[0-9a-f]{40}", one["revision"]) for one in registered.values())
    assert {name for name, one in registered.items() if one["gated"]} == {n for n in registered if "meta-llama" in n}
    sizes = [shape.parameters for shape in map(Shape.of, map(config_of, recipe("llm").ladder)) if shape]
    assert sizes == sorted(sizes)
    assert len(sizes) == 5


def test_a_seed_of_all_figures_of_llm_is_trained_on_7_million_tokens_at_most() -> None:
    experiments = [e for figure in figures_of("llm") for e in study(figure, "llm")]
    stages = [task for task in plan.plan(experiments).tasks if isinstance(task, StageTask)]
    assert 5e6 < sum(task.tokens for task in stages) <= 7e6
    assert max(task.tokens for task in stages) < 1.1e6
    assert {e.model for e in experiments} == {"smollm2-135m"}


def test_llm_compares_a_source_with_up_to_a_hundred_pairs_of_input_and_output() -> None:
    told, pairs = (
        [e for e in study("F08", "llm") if (e.arm == "distillation") == by_pairs] for by_pairs in (False, True)
    )
    assert {e.arm for e in told} == {"proactive", "stage_1_only"}
    assert [e.split.distilled_demonstrations for e in pairs] == [1, 10, 100]
    assert {(e.documents.trained_modes, e.ask.asked) for e in pairs} == {(("direct",), ("direct",))}
    assert {e.value("high") for e in told + pairs} == {119}
    e = pairs[-1].changed(with_io_programs=2, without_io_programs=2)
    (group,) = groups(e)
    assert [len(program.inputs) for program in group.programs] == [120, 120]
    assert [len(group.held_out(program)) for program in group.programs] == [20, 20]
    shown = [d.completion for d in itertools.islice(curriculum(e)[0].documents(), 40) if d.kind == "execution"]
    assert shown
    assert not any("return" in completion or "=" in completion for completion in shown), "no line of a source"


@pytest.mark.slow
@pytest.mark.skipif(
    gguf.wanted("smollm2-135m") not in ("", gguf.first_use(PACKAGED["smollm2-135m"])),
    reason="SmolLM2 is not installed: `make smollm2`",
)
def test_rows_hold_the_longest_documents_with_room_for_longer_templates() -> None:
    from pbb.models.loading import load_tokenizer
    from pbb.models.sft import encode

    tokenizer, room = load_tokenizer("smollm2-135m"), 20  # tokens by which Llama's template is longer, and more
    for figure in ("F05", "F07", "F11"):
        for e in study(figure, "llm"):
            for stage in curriculum(e)[-1:] if e.arm == "proactive" else ():
                documents = stage.documents()
                taken = [d for d in (next(documents) for _ in range(250)) if d.kind != "general"]
                longest = max(len(ids) for ids, _ in encode(taken, tokenizer))
                assert longest + room <= e.training.row_tokens, f"{figure}, {e.arm}"


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
    said = str(run.plan(few("llm", "proactive", "stage_2_only", "retroactive_grpo")))
    assert len(re.findall(r"\n  train smollm2-135m, ", said)) == 5
    assert "smollm2-135m by Unsloth: CUDA found (NVIDIA H100 80GB HBM3); bfloat16 weights" in said
    assert re.search(r"and \d+ evaluations: about \d+ min on 1 worker\n", said), "one a card"
    assert "no run of smollm2-135m was measured here yet: times by calibration, 6,000 GFLOP/s on the card" in said
    assert re.search(r"weights: about [\d.]+ GB of disk in .* free$", said)
    on(replace(T4, cards=3))
    said = str(run.plan(few("llm", "proactive", model="meta-llama/Llama-3.2-1B-Instruct")))
    assert "on 3 workers" in said
    assert "float16 weights (compute capability 7.5 has no bfloat16)" in said
    assert re.search(r"; about 2\.5 GB to download \(\d+ GB free\); gated", said)
    assert "on 2 workers" in str(
        run.plan(few("llm", "proactive", model="meta-llama/Llama-3.2-1B-Instruct"), workers=2)
    ), "as asked for"
    assert "of the card's 16 GB: too much, unless" in str(run.plan(few("paper", "proactive", model="Qwen/Qwen3-14B")))


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
    experiments = few("llm", "stage_1_only")
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


# ------------------------------------------------------------------------------------------------ where it is said
def test_the_command_line(run_store: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(cli, "_all_experiments", lambda *given: asked.append(given) or few("llm", "untuned"))
    assert cli.main(["plan", "--preset", "llm"]) == 0
    left_out = "preset llm leaves out F03, F06, F07, F09, F10, F11, F13; named, such as `run F03`, one is computed"
    assert left_out in capsys.readouterr().out
    assert cli.main(["plan", "F09", "--preset", "llm"]) == 0
    assert "leaves out" not in capsys.readouterr().out
    assert [figures for figures, *_ in asked] == [figures_of("llm"), ("F09",)]
    assert cli.main(["plan", "--preset", "huge"]) == 1
    assert "valid: auto, smoke, cpu, llm, paper" in capsys.readouterr().err


def test_notebooks_of_figures_that_are_left_out_are_not_executed() -> None:
    every = [path.stem for path in list_notebooks()]
    assert cli._notebooks("cpu") == cli._notebooks("paper") == every
    assert [name for name in every if name not in cli._notebooks("llm")] == [
        *("F03_scale", "F06_retroactive", "F07_ciphers", "F09_program_count", "F10_augmentation"),
        *("F11_composition", "F13_grammars"),
    ]


def test_what_lists_presets_lists_all_of_them(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["plan", "--help"])
    said = {"plan --help": capsys.readouterr().out}
    said["Makefile"] = (ROOT / "Makefile").read_text(encoding="utf-8")
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    presets = readme.partition(" Presets: ")[2].partition("\n\n")[0]
    for preset in PRESETS:
        assert f"`{preset}` " in presets, f"{preset} in README.md"
        for where, text in said.items():
            assert re.search(rf"\b{preset}\b", text), f"{preset} in {where}"
    for path in list_notebooks():
        for line in re.findall(r"preset: str = .*for what fits", path.read_text(encoding="utf-8")):
            assert all(f'\\"{preset}\\"' in line for preset in PRESETS), path.name


def test_what_is_tried_on_a_card_is_tried_on_a_tuning_seed_and_each_differs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / ".ci"))
    card = importlib.import_module("card")
    tried = [Experiment.of("llm", **changes, seed=card.TUNING_SEED) for _, changes in card.variants()]
    assert len(set(tried)) == len(tried)
    assert card.TUNING_SEED not in {e.seed for e in study("F02", "llm", card.SEEDS)}
