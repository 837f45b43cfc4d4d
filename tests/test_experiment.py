"""Experiments: what is refused, with which words, and what a hash tells apart."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pbb.experiments.experiment import CURRICULA, KNOBS, PRESETS, Experiment, ExperimentError
from pbb.programs import Arithmetic, generate
from pbb.programs.algorithms import FAMILIES

OWN = generate(Arithmetic(), 1, "tests")[0].to_json()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"arm": "proactiv"}, ["curriculum='proactiv'", "proactive"]),
        ({"statements": 0}, ["statements=0", "1 to 8"]),
        ({"statements": True}, ["statements=True", "whole number"]),
        ({"statements": 2.0}, ["statements=2.0", "whole number"]),
        ({"templates": 21}, ["templates=21", "1 to 20"]),
        ({"demonstrations": 10}, ["demonstrations=10", "held out"]),
        ({"control": ("if",)}, ["control", "statements=2"]),
        ({"control": ("unless",), "statements": 2}, ["control", "while"]),
        ({"operators": ("**",)}, ["operators", "max"]),
        ({"trained_modes": ()}, ["trained_modes", "direct"]),
        ({"asked": ("cot", "cot")}, ["asked", "each once"]),
        ({"representation": "prose"}, ["representation", "description"]),
        ({"wrap": 1}, ["wrap", "2 or more"]),
        ({"learning_rate": 0}, ["learning_rate=0", "1e-07"]),
        ({"learning_rate": float("nan")}, ["learning_rate=nan"]),
        ({"stage_2_general": 0.5, "replay": 0.5}, ["replay", "0.45"]),
        ({"grpo_completions": 60}, ["grpo_completions=60", "grpo_group=8"]),
        ({"grpo_group_size": 1}, ["grpo_group=1", "2 to 512"]),
        ({"grpo_loss": "ppo"}, ["grpo_loss='ppo'", "dapo"]),
        ({"model": ""}, ["model", "Hub id"]),
        ({"seed": -1}, ["seed=-1"]),
    ],
)
def test_bad_values_name_field_value_and_what_is_valid(changes: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(ExperimentError) as caught:
        Experiment.of("cpu", **changes)
    assert all(word in str(caught.value) for word in words), caught.value


def test_unknown_fields_are_refused_and_the_nearest_is_named() -> None:
    with pytest.raises(ExperimentError, match="did you mean 'templates'"):
        Experiment.of("cpu", template=3)
    with pytest.raises(ExperimentError, match="did you mean 'statements'"):
        Experiment().changed(statement=2)
    with pytest.raises(ExperimentError, match="valid: smoke, cpu"):
        Experiment.of("gpuu")


@pytest.mark.parametrize("preset", PRESETS)
def test_every_arm_can_be_built_from_every_preset(preset: str) -> None:
    assert len({Experiment.of(preset, arm=arm).name for arm in CURRICULA}) == len(CURRICULA)


def test_every_field_enters_the_name() -> None:
    other: dict[str, Any] = {
        "curriculum": "untuned", "model": "tiny-s", "operators": ("+",), "wrap": 7, "representation": "description",
        "question_style": "word_problem", "trained_modes": ("cot",), "asked": ("cot",), "templates": 3, "arguments": 2,
        "domain": "ciphers", "sizes": ("long",), "families": (FAMILIES[0].name,), "cipher_kinds": ("keyed",),
        "alphabet": 20, "letter_case": "upper", "shifts": "natural", "distilled_shifts": "natural",
        "part_domains": ("ciphers",), "parts": "w/o IO", "composites": "named", "own_programs": (OWN,),
        "backend": "unsloth", "largest_number": 99, "grpo_completions": 128, "grpo_group_size": 16, "grpo_loss": "grpo",
    }  # fmt: skip
    base = Experiment.of("cpu", statements=2)
    assert base.name == Experiment.of("cpu", statements=2).name
    of_domain = {knob: domain for domain, knobs in KNOBS.items() if domain != "arithmetic" for knob in knobs}
    assert Experiment.of("cpu", operators=["+"]).name == Experiment.of("cpu", operators=("+",)).name  # type: ignore[arg-type]
    for f in fields(Experiment):
        base = Experiment.of("cpu", statements=2)
        if f.name in (*of_domain, "domain"):  # the knobs of other domains, on experiments in these
            base = Experiment.of(
                "cpu", domain=of_domain.get(f.name, "algorithms"), asked=("direct", "cot"), arm="untuned"
            )
        if f.name == "families":
            base = base.changed(sizes=(FAMILIES[0].size,))
        value = getattr(base, f.name)
        changed = ("if",) if f.name == "control" else other.get(f.name)
        if changed is None:
            changed = value + 1 if isinstance(value, int) else value + 0.01
        assert base.changed(**{f.name: changed}).name != base.name, f.name


@settings(max_examples=300, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from([f.name for f in fields(Experiment)]) | st.text(max_size=5),
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.lists(st.text(max_size=4)),
        max_size=3,
    )
)
def test_any_values_give_an_experiment_or_one_clear_error(changes: dict[str, Any]) -> None:
    message = None
    try:
        Experiment.of("cpu", **changes)
    except ExperimentError as error:
        message = str(error)
    assert message is None or any(repr(name)[1:-1] in message for name in changes)
