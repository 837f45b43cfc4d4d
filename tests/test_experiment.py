"""Experiments: what is refused, with which words, and what a hash tells apart."""

from __future__ import annotations

from typing import Any

import pytest

from pbb.arms import ARMS
from pbb.experiments.experiment import Budget, Experiment, Split
from pbb.experiments.presets import PRESETS
from pbb.experiments.studies import study
from pbb.programs.algorithms import Algorithms
from pbb.programs.arithmetic import Arithmetic
from pbb.programs.ciphers import Ciphers
from pbb.programs.composition import Composition
from pbb.programs.domains import Own
from pbb.programs.grammars import Grammars
from pbb.programs.settings import ExperimentError
from pbb.programs.sums import Sums


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"statements": True}, ["statements=True", "whole number"]),
        ({"statements": 2.0}, ["statements=2.0", "whole number"]),
        ({"seed": "3"}, ["seed='3'", "whole number"]),
        ({"templates": 21}, ["templates=21", "1 to 20"]),
        ({"control": ("unless",), "statements": 2}, ["control", "while"]),
        ({"operators": ("**",)}, ["operators", "max"]),
        ({"trained_modes": ()}, ["trained_modes", "direct"]),
        ({"trained_modes": "cot"}, ["trained_modes='cot'", "a tuple"]),
        ({"asked": ("cot", "cot")}, ["asked", "each once"]),
        ({"wrap": 1}, ["wrap", "from 2"]),
        ({"stage_1_rate": 0}, ["stage_1_rate=0", "1e-07"]),
        ({"stage_1_rate": float("nan")}, ["stage_1_rate=nan"]),
        ({"stage_1": 1500}, ["stage_1=1500", "Budget"]),
        ({"stage_2_general": 0.5, "replay": 0.5}, ["replay", "0.45"]),
        ({"grpo_completions": 60}, ["grpo_completions=60", "group_size=8"]),
        ({"grpo_group_size": 1}, ["grpo_group_size=1", "2 to 512"]),
        ({"grpo_loss": "ppo"}, ["grpo_loss='ppo'", "dapo"]),
        ({"backend": "peft"}, ["backend='peft'", "lora_rank=1 or more"]),
        ({"backend": "full", "execution_lora_rank": 8}, ["backend='full'", "'peft' with lora_rank=8"]),
        ({"seed": -1}, ["seed=-1"]),
        ({"programs": 3}, ["programs=3", "Arithmetic"]),
        ({"programs": Ciphers(), "statements": 2}, ["no field 'statements'"]),
        ({"programs": Ciphers(), "alphabet": 5}, ["alphabet=5", "6 to 26"]),
        ({"programs": Own()}, ["own_programs holds 0 programs", "900 or more"]),
        ({"own_programs": ("nonsense",)}, ["own_programs=('nonsense',)", "Program.to_json()"]),
        ({"own_programs": ("[" * 10**5,)}, ["own_programs=('[[[[", "Program.to_json()"]),
        ({"model": "\x1b[2J"}, ["model='\\x1b[2J'", "Hub id"]),
    ],
)
def test_bad_values_name_field_value_and_what_is_valid(changes: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(ExperimentError) as caught:
        Experiment.of("cpu", **changes)
    assert all(word in str(caught.value) for word in words), caught.value


@pytest.mark.parametrize(
    ("group", "changes", "words"),
    [
        (Algorithms, {"sizes": ("huge",)}, ["sizes=('huge',)", "short"]),
        (Algorithms, {"families": ("none",)}, ["families=('none',)"]),
        (Ciphers, {"kinds": ("caesar",)}, ["kinds=('caesar',)", "keyed"]),
        (Ciphers, {"case": "title"}, ["case='title'", "upper"]),
        (Ciphers, {"distribution": "skewed"}, ["distribution='skewed'", "natural"]),
        (Ciphers, {"shortest": 5}, ["longest=4", "5 to 12"]),
        (Grammars, {"terminals": 3, "inputs": 12}, ["inputs=12", "6 to 9"]),
        (Composition, {"parts": (Grammars(),)}, ["parts", "Arithmetic, Algorithms, Ciphers"]),
        (Sums, {"largest": 5}, ["largest=5", "999 to 9989"]),
        (Arithmetic, {"high": -1}, ["high=-1", "low=0"]),
        (Arithmetic, {"statments": 2}, ["did you mean 'statements'"]),
        (Split, {"templates": 1}, ["Split has no field 'templates'"]),
        (Budget, {"steps": 0, "rate": 1e-3}, ["steps=0", "from 1"]),
    ],
)
def test_each_group_checks_itself(group: Any, changes: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(ExperimentError) as caught:
        group(**changes)
    assert all(word in str(caught.value) for word in words), caught.value


def test_a_study_of_no_figure_or_of_no_number_of_seeds_is_refused() -> None:
    for figure, seeds in (("F99", 1), ("F02", "3"), ("F02", 0), ("F02", True)):
        with pytest.raises(ExperimentError, match="valid: "):
            study(figure, "cpu", seeds)  # type: ignore[arg-type]


@pytest.mark.parametrize("preset", PRESETS)
def test_every_arm_can_be_built_from_every_preset(preset: str) -> None:
    assert len({Experiment.of(preset, arm=arm).name for arm in ARMS}) == len(ARMS)


def test_changes_reach_their_groups_by_flat_names() -> None:
    e = Experiment.of("cpu", programs=Sums(), largest=2000, stage_1_steps=7, grpo_rate=2e-4, templates=3, asked=["cot"])
    assert (e.domain, e.programs, e.training.stage_1) == ("sums", Sums(2000), Budget(7, 1.5e-3, 0.03))
    assert (e.grpo.rate, e.documents.templates, e.ask.asked) == (2e-4, 3, ("cot",))
    assert e.value("stage_1_steps") == 7
    assert e.value("statements", 1) == 1, "a sum has no such field"
    assert Experiment.of("cpu", operators=["+"]) == Experiment.of("cpu", operators=("+",))
