"""Presets: complete for their figures, true to each other, and planned for cards that are not here.

What is checked needs no card. What only a card can show is listed in README.md, "What only a card has to show".
"""

from __future__ import annotations

import importlib
import itertools
import re
import socket
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import pbb
from pbb import cli
from pbb.experiments.curricula import curriculum
from pbb.experiments.experiment import Experiment
from pbb.experiments.groups import groups
from pbb.experiments.presets import PRESETS, recipe
from pbb.experiments.studies import STUDIES, figures_of, study
from pbb.figures import FIGURES
from pbb.models import smollm2
from pbb.models.machine import CARD_OF, CARDS, Machine, rates
from pbb.models.model_size import Shape
from pbb.notebook.execute import list_notebooks
from pbb.programs.grammars import Grammars
from pbb.programs.settings import ExperimentError
from pbb.registry import TINY_NAMES, config_of, hub_models
from pbb.runs import estimates, run
from pbb.runs.doctor import distinct
from pbb.runs.engine import card_bytes
from pbb.runs.tasks import EvaluationTask, StageTask

ROOT = Path(pbb.__file__).parents[1]
H100, T4 = CARDS["h100"], CARDS["t4"]
FEW = {
    "with_io_programs": 6,
    "without_io_programs": 3,
    "stage_1_general": 0.0,
    "exposure_general": 0.0,
    "execution_general": 0.0,
    "stage_2_general": 0.0,
}


def few(preset: str, *arms: str, **changes: Any) -> list[Experiment]:
    """A preset's experiments on few programs, so that their keys are soon known."""
    return [Experiment.of(preset, arm=arm, **{**FEW, **changes}) for arm in arms]


# ----------------------------------------------------------------------------------------------- what there is
@pytest.mark.parametrize("figure", STUDIES)
@pytest.mark.parametrize("preset", PRESETS)
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
    for preset in PRESETS:
        assert set(figures_of(preset)) <= set(FIGURES)
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
    stages = [task for task in distinct(experiments) if isinstance(task, StageTask)]
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


def test_arms_of_one_study_have_one_budget() -> None:
    for preset in ("llm", "paper"):
        arms = study("F02", preset)
        assert len({e.changed(arm="proactive") for e in arms}) == 1
        assert len({e.model for e in arms}) == 1


@pytest.mark.slow
@pytest.mark.skipif(smollm2.wanted() not in ("", smollm2.FIRST_USE), reason="SmolLM2 is not installed: `make smollm2`")
def test_rows_hold_the_longest_documents_with_room_for_longer_templates() -> None:
    from pbb.models.loading import load_tokenizer
    from pbb.models.sft import encode

    tokenizer, room = load_tokenizer("smollm2-135m"), 20  # tokens by which Llama's template is longer, and more
    for figure in ("F05", "F07", "F08", "F11", "F13"):
        for e in study(figure, "llm"):
            for stage in curriculum(e)[-1:]:
                documents = stage.documents()
                taken = [d for d in (next(documents) for _ in range(1500)) if d.kind != "general"]
                longest = max(len(ids) for ids, _ in encode(taken, tokenizer))
                assert longest + room <= e.training.row_tokens, f"{figure}, {e.arm}"


# ---------------------------------------------------------------------------------------------------- the plan
def test_the_plan_of_a_card_that_is_not_here(run_store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket.socket, "connect", lambda *_: pytest.fail("a plan asks no network"))
    said = str(run.plan(few("llm", "proactive", "stage_2_only", "retroactive_grpo"), machine=H100))
    stages = re.findall(r"  train smollm2-135m, .*; about \d+ (?:s|min), [\d.]+ GB", said)
    assert len(stages) == 5
    assert "smollm2-135m by Unsloth: CUDA found (NVIDIA H100 80GB HBM3); bfloat16 weights" in said
    assert re.search(r"and \d+ evaluations: about \d+ (s|min)\n", said)
    assert re.search(r"in all about \d+ min, one after the other on each NVIDIA H100", said)
    assert "times are estimates, not measured on the NVIDIA H100 80GB HBM3: 25% of its datasheet's 989 TFLOP/s" in said
    assert re.search(r"weights: about [\d.]+ GB of disk$", said)

    said = str(run.plan(few("llm", "proactive", model="meta-llama/Llama-3.2-1B-Instruct"), machine=T4))
    assert "float16 weights (compute capability 7.5 has no bfloat16)" in said
    assert re.search(r"; about 2\.5 GB to download \(\d+ GB free\); gated", said)
    assert "its commit is the Hub's latest" in str(run.plan(few("llm", "proactive", model="some/one"), machine=T4))
    large = str(run.plan(few("paper", "proactive", model="Qwen/Qwen3-14B"), machine=CARDS["l4"]))
    assert "of the card's 24 GB: too much, unless" in large


def test_a_backend_that_cannot_run_is_said_and_not_timed(run_store: Path) -> None:
    bare = replace(T4, without="Unsloth is not installed (`make unsloth`)", four_bits=False)
    said = str(run.plan(few("llm", "stage_1_only", backend="unsloth"), machine=bare))
    assert "backend='unsloth' cannot run here: Unsloth is not installed" in said
    assert re.search(r"  train .* stage 'w/ IO'[^;]*\n", said)


def test_without_a_card_the_plan_tells_of_the_cpu(run_store: Path) -> None:
    todo = run.plan(few("cpu", "proactive"), workers=2)
    assert re.search(r"evaluations: about \d+ min on 2 workers\n  weights: about \d+ MB of disk in .* free", str(todo))
    assert "TFLOP/s" not in str(todo)


def stage(changes: dict[str, Any], arm: str = "stage_1_only") -> StageTask:
    return StageTask(Experiment.of("paper", arm=arm, **{**FEW, **changes}), 0)


@pytest.mark.parametrize(
    ("longer", "shorter"),
    [
        (lambda: estimates.seconds(stage({}), T4), lambda: estimates.seconds(stage({}), H100)),
        (
            lambda: estimates.seconds(stage({"stage_1_steps": 2000}), H100),
            lambda: estimates.seconds(stage({}), H100),
        ),
        (
            lambda: estimates.seconds(stage({"model": "Qwen/Qwen3-14B"}), H100),
            lambda: estimates.seconds(stage({}), H100),
        ),
        (
            lambda: estimates.seconds(stage({"lora_rank": 0}), H100),
            lambda: estimates.seconds(stage({}), H100),
        ),
        (
            lambda: estimates.train_seconds(stage({}).experiment, 100, True, H100),
            lambda: estimates.train_seconds(stage({}).experiment, 100, False, H100),
        ),
        (
            lambda: estimates.ask_seconds(stage({}).experiment, ("direct", "cot"), H100),
            lambda: estimates.ask_seconds(stage({}).experiment, ("direct",), H100),
        ),
        (
            lambda: estimates.ask_seconds(stage({}).experiment, ("recite",), H100),
            lambda: estimates.ask_seconds(stage({}).experiment, ("recall",), H100),
        ),
        (
            lambda: estimates.ask_seconds(stage({"questions": 90, "without_io_programs": 40}).experiment, ("cot",), T4),
            lambda: estimates.ask_seconds(stage({}).experiment, ("cot",), T4),
        ),
    ],
)
def test_what_is_more_takes_longer(longer: Callable[[], float], shorter: Callable[[], float]) -> None:
    assert longer() > shorter() > 0


def test_a_rate_by_hand() -> None:
    """Where products bind, a step's time is FLOP over a share of the rate: 4 a weight and token, and the adapters."""
    shape = Shape.of(config_of("meta-llama/Llama-3.1-8B-Instruct"))
    assert shape
    e = stage({}).experiment
    tokens = e.training.batch_rows * e.training.row_tokens
    flop = tokens * (
        4 * (shape.parameters - shape.vocabulary * shape.hidden) + 6 * shape.adapters(e.training.lora_rank)
    )
    more, less = (estimates.train_seconds(e, steps, False, H100) for steps in (200, 100))
    assert more
    assert less
    assert (more - less) / 100 == pytest.approx(flop / (0.25 * 989e12) + 0.01, rel=0.01)


def test_what_is_not_known_is_not_estimated() -> None:
    assert estimates.seconds(stage({}), Machine(cores=2)) is None, "no card"
    assert estimates.seconds(stage({"model": "someone/else"}), H100) is None
    nobody = Experiment.of("llm", programs=Grammars(), arm="random_generation", asked=("direct",))
    assert estimates.seconds(EvaluationTask(nobody, -1, 0), H100) == 0.0
    other = replace(H100, card="NVIDIA GeForce RTX 5090")
    assert rates(other)[0] == "L4"
    assert "which is not listed here and taken for an L4" in estimates.assumptions(other)
    assert [rates(CARDS[name])[0] for name in CARDS] == ["H100", "A100", "L4", "T4"]


def test_estimates_are_said_in_words() -> None:
    assert [estimates.duration(s) for s in (7, 200, 9000)] == ["7 s", "3 min", "2.5 h"]
    assert [estimates.amount(s) for s in (3.3e7, 2.7e8, 1.7e10, 1.1e12)] == ["33 MB", "0.3 GB", "17 GB", "1.1 TB"]


def test_measured_rates_stand_for_estimates_on_the_same_kind_of_device(
    run_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (experiment,) = few("llm", "stage_1_only")
    monkeypatch.setattr(run, "this_machine", lambda: H100)
    monkeypatch.setattr(run, "_measured_rates", lambda device: {"smollm2-135m": 1000.0} if device == "cuda" else {})
    here, elsewhere = run.plan([experiment]), run.plan([experiment], machine=H100)
    (task,) = (t for t in here.missing if isinstance(t, StageTask))
    assert here.estimates[task.folder] == task.tokens / 1000
    assert elsewhere.estimates[task.folder] == estimates.seconds(task, H100)


@pytest.mark.parametrize(("preset", "card"), [("llm", "t4"), *CARD_OF.items()])
def test_every_run_of_a_preset_fits_its_card(preset: str, card: str) -> None:
    machine = CARDS[card]
    for figure in ("F03", *figures_of(preset)):
        for e in study(figure, preset):
            for point in run.points(e):
                for task in (*point.task.needs, point.task):
                    assert card_bytes(task, machine) <= machine.memory, f"{figure}: {task}"


# ------------------------------------------------------------------------------------------------ where it is said
def test_the_command_line(run_store: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(cli, "_all_experiments", lambda *given: asked.append(given) or few("llm", "untuned"))
    assert cli.main(["plan", "--preset", "llm", "--card", "t4"]) == 0
    out = capsys.readouterr().out
    assert "planned for one Tesla T4 with Unsloth" in out
    assert "preset llm leaves out F03, F06" in out
    assert cli.main(["plan", "F09", "--preset", "llm", "--card", "l4"]) == 0
    out = capsys.readouterr().out
    assert "planned for one NVIDIA L4" in out
    assert "leaves out" not in out
    assert [figures for figures, *_ in asked] == [figures_of("llm"), ("F09",)]
    for preset in ("cpu", "llm"):
        assert cli.main(["plan", "--preset", preset]) == 0
        assert "planned for" not in capsys.readouterr().out, "both run on a CPU"
    assert cli.main(["plan", "--preset", "paper"]) == 0
    assert "planned for one NVIDIA H100" in capsys.readouterr().out
    assert cli.main(["plan", "--preset", "huge"]) == 1
    assert "valid: smoke, cpu, llm, paper" in capsys.readouterr().err


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
    rows = readme.partition("## What to expect of each preset")[2].partition("\n## ")[0]
    for preset in PRESETS:
        assert f"| `{preset}` |" in rows, f"{preset} in README.md"
        for where, text in said.items():
            assert re.search(rf"\b{preset}\b", text), f"{preset} in {where}"
    for path in list_notebooks():
        for line in re.findall(r"preset: str = .*for what fits", path.read_text(encoding="utf-8")):
            assert all(f'\\"{preset}\\"' in line for preset in PRESETS), path.name


# ------------------------------------------------------------------------------------------------ .ci/card.py
def test_what_is_tried_on_a_card_is_tried_on_a_tuning_seed_and_each_differs() -> None:
    sys.path.insert(0, str(ROOT / ".ci"))
    try:
        card = importlib.import_module("card")
    finally:
        sys.path.pop(0)
    tried = {name: Experiment.of("llm", **changes, seed=card.TUNING_SEED) for name, changes in card.variants()}
    assert len(set(tried.values())) == len(tried)
    assert not {e.seed for e in tried.values()} & {e.seed for e in study("F02", "llm", card.SEEDS)}
