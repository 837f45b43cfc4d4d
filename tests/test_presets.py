"""Presets: complete for their figures, true to each other, and planned on the machine that is here. Needs no card."""

from __future__ import annotations

import itertools
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
from pbb.analysis.claims import CLAIMS, FEWEST, MOST, Declared
from pbb.analysis.verdicts import IN_CONTEXT_AT_LEAST
from pbb.experiments.curricula import curriculum
from pbb.experiments.experiment import Experiment
from pbb.experiments.groups import groups
from pbb.experiments.presets import PRESETS, recipe
from pbb.experiments.studies import STUDIES, figures_of, study
from pbb.figures import FIGURES
from pbb.models import gguf, machine
from pbb.models.loading import load_tokenizer
from pbb.models.machine import Machine
from pbb.models.model_size import Shape
from pbb.models.sft import encode
from pbb.notebook.execute import list_notebooks
from pbb.programs.settings import ExperimentError
from pbb.registry import PACKAGED, TINY_FOLDER, TINY_NAMES, config_of, hub_models
from pbb.runs import plan, run
from pbb.runs.run import described
from pbb.runs.tasks import StageTask
from pbb.store import read_manifest, write_manifest

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
    experiments = study(figure, preset, seeds=2, full=True)
    assert set(study(figure, preset)) <= set(study(figure, preset, full=True))
    again = [e for e in experiments if e.seed]
    if recipe(preset).repeated is None:
        assert len(experiments) == 2 * len(again), "a study of each seed"
    else:
        assert {e.changed(seed=0) for e in again} <= set(study(figure, preset)), "the quick study's, and of it the main"
    for e in experiments:
        stages = curriculum(e)
        assert all(stage.steps > 0 for stage in stages)
        assert Shape.of(config_of(e.model)), "its size is known without fetching it"
        assert e.training.lora_rank or e.model in TINY_NAMES, (
            "pretrained models get adapters, tiny ones are trained whole"
        )


def test_a_preset_leaves_out_figures_and_has_the_others() -> None:
    assert Experiment() == Experiment.of("cpu")
    assert all(set(figures_of(preset)) <= set(FIGURES) for preset in PRESETS)
    assert figures_of("llm") == ("F01", "F02", "F04", "F05", "F08", "F12", "F14")
    assert figures_of("cpu") == figures_of("paper") == tuple(STUDIES)
    with pytest.raises(ExperimentError, match="preset='gpu' is not valid; valid: smoke, cpu, llm, paper"):
        figures_of("gpu")
    every = [path.stem for path in list_notebooks()]
    assert cli._notebooks("cpu") == cli._notebooks("paper") == every
    assert {name[:3] for name in every} - {name[:3] for name in cli._notebooks("llm")} == set(FIGURES) - set(
        figures_of("llm")
    )


def test_the_ladders() -> None:
    assert [e.model for e in study("F03", "llm") if e.arm == "proactive"] == list(recipe("llm").ladder)
    assert {e.model for e in study("F04", "llm")} == {"smollm2-135m"}
    registered = hub_models()
    assert set(recipe("llm").ladder[1:]) | set(recipe("paper").models) <= set(registered)
    assert all(re.fullmatch("[0-9a-f]{40}", one["revision"]) for one in registered.values())
    assert {name for name, one in registered.items() if one["gated"]} == {n for n in registered if "meta-llama" in n}
    sizes = [Shape.of(config_of(model)).parameters for model in recipe("llm").ladder]  # type: ignore[union-attr]
    assert sizes == sorted(sizes)


def in_context(model: str) -> float:
    """What a base model runs in context, of programs of one statement that no reference asks about."""
    manifest = read_manifest(TINY_FOLDER / model)
    assert manifest is not None
    return manifest["in_context_accuracy"]["1 statement"]["code, cot"]


PRIMARY = [one for claim in CLAIMS for one in claim.contrasts if one.regime is not None]


# F13's base model runs half of the grammars in context, so that no number of seeds gives a verdict.
@pytest.mark.parametrize("one", [one for one in PRIMARY if one.figure != "F13"], ids=str)
def test_what_decides_a_claim_is_trained_for_each_seed_of_cpu(one: Declared) -> None:
    """`Recipe.repeated` is written by hand: it has to hold all that primary contrasts read."""
    studied, asked = study(one.figure, "cpu"), {FEWEST: min, MOST: max}
    for side in one.sides:
        where = {**(one.regime or {}), **side.where}
        fitting = [e for e in studied if e.arm == side.arm]
        for column, value in where.items():
            if column in ("domain", "statements", "representation", "with_io_programs", "templates", "demonstrations"):
                held = [described(e)[column] for e in fitting]
                value = asked[value](held) if value in asked else value
                fitting = [e for e, here in zip(fitting, held, strict=True) if here == value]
            if column == "model":
                runs = [m for m in recipe("cpu").models if in_context(m) >= IN_CONTEXT_AT_LEAST]
                fitting = [e for e in fitting if e.model == runs[0 if value == FEWEST else -1]]
        again = set(study(one.figure, "cpu", 2))
        assert fitting, side
        assert all(e.changed(seed=1) in again for e in fitting), side


def test_a_seed_of_all_figures_is_an_hour_on_two_cores_or_on_a_t4() -> None:
    for preset, most in (("cpu", 50e6), ("llm", 7e6)):
        experiments = [e for figure in figures_of(preset) for e in study(figure, preset)]
        stages = [task for task in plan.plan(experiments).tasks if isinstance(task, StageTask)]
        assert 0.8 * most < sum(task.tokens for task in stages) <= most
    assert max(task.tokens for task in stages) < 1.1e6
    assert {e.model for e in experiments} == {"smollm2-135m"}


@pytest.mark.parametrize("preset", ["cpu", "llm", "paper"])
def test_a_source_is_compared_with_up_to_ninety_pairs_of_input_and_output(preset: str) -> None:
    made = study("F08", preset, full=True)
    pairs = [e for e in made if e.arm == "distillation"]
    assert {e.arm for e in made} >= {"proactive", "stage_1_only", "in_context", "distillation_after_stage_1"}
    assert [e.split.distilled_demonstrations for e in pairs] == [1, 10, 90]
    assert {e.ways for e in pairs} == {("direct",)}
    assert {e.value("arguments") for e in made} == {2}
    stages = {e.arm: [task for task in plan.plan([e]).tasks if isinstance(task, StageTask)] for e in made}
    steps = {arm: sum(task.stage.steps for task in tasks) for arm, tasks in stages.items()}
    others = ("stage_1_only", "in_context", "distillation_after_stage_1")
    assert {steps[arm] for arm in steps if arm not in others} == {steps["proactive"]}
    first, second = stages["distillation_after_stage_1"]
    assert first.key == stages["proactive"][0].key
    documents = 0.9 * second.tokens / 50  # drawn with replacement
    assert documents / second.experiment.split.without_io_programs > 1.5 * 90, "most of ninety are never shown"
    e = pairs[-1].changed(with_io_programs=2, without_io_programs=2)
    (group,) = groups(e)
    assert [len(program.inputs) for program in group.programs] == [100, 100]
    assert [len(group.held_out(program)) for program in group.programs] == [10, 10]
    shown = [d.completion for d in itertools.islice(curriculum(e)[0].documents(), 40) if d.kind == "execution"]
    assert shown
    assert not any("return" in completion or "=" in completion for completion in shown), "no line of a source"


@pytest.mark.slow
@pytest.mark.skipif(
    gguf.wanted("smollm2-135m") not in ("", gguf.first_use(PACKAGED["smollm2-135m"])),
    reason="SmolLM2 is not installed: `make smollm2`",
)
def test_rows_hold_the_longest_documents_with_room_for_longer_templates() -> None:
    tokenizer, room = load_tokenizer("smollm2-135m"), 20  # tokens by which Llama's template is longer, and more
    for e in (e for figure in ("F05", "F07", "F11") for e in study(figure, "llm") if e.arm == "proactive"):
        taken = [d for d in itertools.islice(curriculum(e)[-1].documents(), 250) if d.kind != "general"]
        longest = max(len(ids) for ids, _ in encode(taken, tokenizer))
        assert longest + room <= e.training.row_tokens, e


# ---------------------------------------------------------------------------------------------------- the plan
@pytest.fixture
def on(monkeypatch: pytest.MonkeyPatch) -> Callable[[Machine], None]:
    """Let plans be made on a pretended machine, of a speed of its own."""

    def pretend(here: Machine) -> None:
        monkeypatch.setattr(plan, "this_machine", lambda: here)
        monkeypatch.setattr(plan, "training_rate", lambda tiny: 6e12)
        monkeypatch.setattr(socket.socket, "connect", lambda *_: pytest.fail("a plan asks no network"))

    return pretend


def test_the_plan_tells_of_the_machine(
    run_store: Path, on: Callable[[Machine], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    on(H100)
    said = str(run.plan(few("llm", "proactive", "stage_2_only", "retroactive_grpo")))
    assert len(re.findall(r"\n  train smollm2-135m, ", said)) == 5
    assert "smollm2-135m by Unsloth: CUDA found (NVIDIA H100 80GB HBM3); bfloat16 weights" in said
    assert re.search(r"and \d+ evaluations: about \d+ min on 1 worker\n", said), "one a card"
    assert "no run of smollm2-135m was measured here yet: times by calibration, 6,000 GFLOP/s on the card" in said
    assert re.search(r"weights: about [\d.]+ GB of disk in .* free$", said)
    on(replace(T4, cards=3))
    llama = few("llm", "proactive", model="meta-llama/Llama-3.2-1B-Instruct")
    said = str(run.plan(llama))
    assert "on 3 workers" in said
    assert re.search(r"; about 2\.5 GB to download \(\d+ GB free\); gated", said)
    assert "on 2 workers" in str(run.plan(llama, workers=2)), "as asked for"
    on(Machine(cores=5))
    said = str(run.plan(few("cpu", "proactive")))
    assert "times by calibration, 6,000 GFLOP/s a core" in said
    assert re.search(r"evaluations: about \d+ min on 5 workers\n", said)
    monkeypatch.setattr(plan, "training_rate", lambda tiny: 2e10 if tiny else 4e10)
    said = str(run.plan([*few("cpu", "stage_1_only"), *few("llm", "stage_1_only")], workers=1))
    assert "no run of tiny-m was measured here yet: times by calibration, 20 GFLOP/s a core" in said
    assert "no run of smollm2-135m was measured here yet: times by calibration, 40 GFLOP/s a core" in said
    hours, minutes = (
        int(re.search(words, said)[1]) for words in (r"about (\d+) h on this CPU", r"about (\d+) min on 1 w")
    )
    assert hours == pytest.approx(minutes / 60, abs=2), "the same rate, but for questions"


def test_times_are_as_measured_here_else_by_calibration(run_store: Path, on: Callable[[Machine], None]) -> None:
    on(H100)
    experiments = few("llm", "stage_1_only")
    first = run.plan(experiments)
    (task,) = (t for t in first.missing if isinstance(t, StageTask))
    shape = Shape.of(config_of("smollm2-135m"))
    assert shape
    assert first.estimates[task.folder] == pytest.approx(task.tokens * shape.parameters / 1e12)
    for number, (device, seconds) in enumerate((("cuda:0", 4), ("cuda:0", 5), ("cuda:0", 7), ("cpu", 1))):
        done = {"kind": "stage", "base_model": {"name": "smollm2-135m"}, "tokens": 5000}
        write_manifest(run_store / "stages" / f"a{number}", {**done, "seconds": seconds, "device": device})
    here = run.plan(experiments)
    assert here.estimates[task.folder] == task.tokens / 1000, "the median of those on a card"
    assert "by calibration" not in str(here)
    assert here.seconds > here.estimates[task.folder]
    assert plan.tokens_per_second("someone/else") == 1000, "a billion parameters where nothing is known"


@pytest.mark.parametrize("tiny", [True, False])
def test_a_calibration_takes_a_few_seconds_and_is_of_this_machine(tiny: bool) -> None:
    machine.training_rate.cache_clear()
    threads, state = torch.get_num_threads(), torch.random.get_rng_state()
    started = time.process_time()
    rate = machine.training_rate(tiny)
    assert 1e8 < rate < 1e13, "from a phone's core to a server's"
    assert time.process_time() - started < 20
    assert machine.training_rate(tiny) == rate, "once a process"
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.random.get_rng_state(), state)


# ------------------------------------------------------------------------------------------------ where it is said
def test_the_command_line(run_store: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(cli, "_all_experiments", lambda *given: asked.append(given) or few("llm", "untuned"))
    assert cli.main(["plan", "--preset", "llm"]) == 0
    left_out = "preset llm leaves out F03, F06, F07, F09, F10, F11, F13, F16; named, such as `run F03`, one is computed"
    assert left_out in capsys.readouterr().out
    assert cli.main(["plan", "F09", "--preset", "llm"]) == 0
    assert "leaves out" not in capsys.readouterr().out
    assert [figures for figures, *_ in asked] == [figures_of("llm"), ("F09",)]
    assert cli.main(["plan", "--preset", "huge"]) == 1
    assert "valid: auto, smoke, cpu, llm, paper" in capsys.readouterr().err


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
