"""Curricula: nothing leaks, arms share what they should, and a stage's key follows what it trains on."""

from __future__ import annotations

import itertools
from collections import Counter

import pytest

from pbb.arms import ARMS
from pbb.experiments.curricula import curriculum
from pbb.experiments.documents import DISTILLED, GENERAL, WITH_IO, WITHOUT_IO, execution_document
from pbb.experiments.experiment import Experiment
from pbb.experiments.groups import groups
from pbb.experiments.leakage import LeakageError, guarded
from pbb.experiments.questions import questions
from pbb.runs.tasks import StageTask

# Without base data, which is slow to make; other tests look at it.
QUIET = {f"{budget}_general": 0.0 for budget in ("stage_1", "stage_2", "exposure", "execution")}
SMALL = Experiment.of("cpu", with_io_programs=12, without_io_programs=5)


def test_a_planted_leak_is_caught() -> None:
    secret = groups(SMALL)[1].programs[0]
    for group in (WITHOUT_IO, WITH_IO):
        leak = execution_document(secret, group, 0, secret.inputs[0], "direct")
        with pytest.raises(LeakageError, match=secret.name):
            list(guarded(iter([leak]), groups(SMALL)))


def test_arms_train_on_what_they_are_named_for() -> None:
    def kinds(arm: str) -> list[Counter]:
        e = SMALL.changed(arm=arm, **QUIET)
        return [Counter((d.group, d.kind) for d in itertools.islice(stage.documents(), 300)) for stage in curriculum(e)]

    both, source = {(WITH_IO, "declarative"), (WITH_IO, "execution")}, {(WITHOUT_IO, "declarative")}
    every_source, run = source | {(WITH_IO, "declarative")}, {(WITH_IO, "execution")}
    expected = {
        **{name: [] for name, arm in ARMS.items() if not arm.stages},
        "stage_1_only": [both],
        "stage_2_only": [source],
        "no_demonstrations": [every_source],
        "homogeneous": [both | source],
        "proactive": [both, source],
        "retroactive": [every_source, run],
        "retroactive_grpo": [every_source, run, run],
        "skip_exposure": [{(WITH_IO, "declarative")}, run],
        "grpo_without_pbb": [{(WITH_IO, "declarative")}, run, run],
        **{arm: [{(DISTILLED, "execution")}] for arm in ARMS if ARMS[arm].from_nothing},
        "distillation_after_stage_1": [both, {(DISTILLED, "execution")}],
        "pbb_and_distillation": [both, {(DISTILLED, "declarative"), (DISTILLED, "execution")}],
    }
    assert {arm: [set(counter) for counter in kinds(arm)] for arm in ARMS} == expected
    (mixture,) = kinds("homogeneous")
    share = mixture[WITHOUT_IO, "declarative"] / mixture.total()
    assert share == pytest.approx(200 / (1500 + 200), abs=0.08)


def test_general_data_is_mixed_in_at_its_ratio_and_is_of_other_programs() -> None:
    experiment = SMALL.changed(arm="stage_2_only", stage_2_general=0.5)
    (stage,) = curriculum(experiment)
    documents = list(itertools.islice(stage.documents(), 300))
    general = [d for d in documents if d.group == GENERAL]
    assert len(general) / len(documents) == pytest.approx(0.5, abs=0.1)
    taught = {p.name for group in groups(experiment) for p in group.programs}
    assert not taught & {d.program for d in general}


def test_arms_share_programs() -> None:
    proactive, alone = SMALL.changed(arm="proactive"), SMALL.changed(arm="stage_1_only")
    assert groups(proactive) == groups(alone)
    (distilled,) = groups(SMALL.changed(arm="distillation"))
    assert distilled.programs == groups(proactive)[1].programs, "AD has to be about the same programs"
    more = groups(SMALL.changed(with_io_programs=20))
    assert more[1].programs == groups(SMALL)[1].programs, "more w/ IO programs must not move the measured ones"


def test_distillation_has_as_many_steps_as_proactive_and_tells_its_own_kind_of_demonstration() -> None:
    told = curriculum(SMALL)
    for arm, modes in (
        ("distillation", {"direct"}),
        ("distillation_values", {"cot"}),
        ("distillation_traces", {"direct", "cot"}),
    ):
        (stage,) = curriculum(SMALL.changed(arm=arm, **QUIET))
        assert stage.steps == sum(one.steps for one in told)
        shown = list(itertools.islice(stage.documents(), 60))
        assert {d.answer_mode for d in shown} == modes
        assert any("return" in d.completion for d in shown) == (arm == "distillation_traces")
    assert [SMALL.changed(arm=arm).ways for arm in ("distillation", "distillation_values", "distillation_traces")] == [
        *(("direct",), ("cot",)),
        SMALL.ask.asked,
    ]


def test_after_stage_1_outputs_stand_where_proactive_has_sources() -> None:
    proactive, pairs = SMALL.changed(replay=0.2), SMALL.changed(replay=0.2, arm="distillation_after_stage_1")
    two, other = curriculum(proactive)[1], curriculum(pairs)[1]
    assert (two.steps, two.learning_rate) == (other.steps, other.learning_rate)
    sources, outputs = (list(itertools.islice(stage.documents(), 200)) for stage in (two, other))
    for source, output in zip(sources, outputs, strict=True):
        assert (source == output) == (source.group != WITHOUT_IO), "all else is the same, document by document"
        if source.group == WITHOUT_IO:
            assert (output.group, output.answer_mode) == (DISTILLED, "direct")
    assert pairs.ways == SMALL.ask.asked


def test_grpo_shares_stage_1_and_asks_what_sft_shows() -> None:
    for sft, grpo in (("retroactive", "retroactive_grpo"), ("skip_exposure", "grpo_without_pbb")):
        shown, asked = (SMALL.changed(arm=arm, grpo_warmup_steps=0) for arm in (sft, grpo))
        stage, rewarded = curriculum(shown)[1], curriculum(asked)[1]
        assert (bool(stage.objective), bool(rewarded.objective)) == (False, True)
        executions = [d for d in itertools.islice(stage.documents(), 200) if d.kind == "execution"]
        assert len(executions) < 200, "SFT mixes general documents in, and GRPO has no use for them"
        assert list(itertools.islice(rewarded.documents(), len(executions))) == executions


def test_grpo_follows_on_sft_that_is_evaluated_at_its_end_alone() -> None:
    warm = SMALL.changed(arm="retroactive_grpo", grpo_warmup_steps=500, grpo_steps=8, stage_2_doublings=3)
    sft = warm.changed(arm="retroactive", execution_steps=500)
    assert [stage.number for stage in curriculum(warm)] == [1, 2, 3]
    assert StageTask(warm, 0).key == StageTask(sft, 0).key
    assert StageTask(warm, 1).key != StageTask(sft, 1).key, "other weights are kept of it"
    assert StageTask(warm, 1).checkpoints() == [500]
    assert StageTask(warm, 2).checkpoints() == [2, 4, 8]
    cold = warm.changed(grpo_warmup_steps=0)
    assert [(stage.number, bool(stage.objective)) for stage in curriculum(cold)] == [(1, False), (2, True)]


def test_doubling_checkpoints_are_of_stage_2_and_end_with_it() -> None:
    even = SMALL.changed(arm="retroactive", exposure_steps=30, execution_steps=500)
    doubling = even.changed(stage_2_doublings=6)
    assert StageTask(doubling, 0).checkpoints() == StageTask(even, 0).checkpoints() == [10, 20, 30]
    assert StageTask(doubling, 1).checkpoints() == [15, 31, 62, 125, 250, 500]
    assert StageTask(doubling.changed(execution_steps=3), 1).checkpoints() == [1, 3]


def test_w_io_programs_may_be_named_in_fewer_ways_than_others() -> None:
    e = Experiment().changed(templates=1, hidden_templates=20, with_io_programs=20, without_io_programs=20)
    ways: dict[str, set[str]] = {}
    for stage in curriculum(e):
        for document in itertools.islice(stage.documents(), 200):
            if document.group in (WITH_IO, WITHOUT_IO):
                said = document.prompt.partition(":")[0].replace(document.program, "NAME")
                ways.setdefault(document.group, set()).add(said)
    assert (len(ways[WITH_IO]), len(ways[WITHOUT_IO])) == (1, 20)
    asked = {q.prompt.partition(":")[0].replace(q.program.name, "NAME") for q in questions(e) if q.group == WITHOUT_IO}
    assert len(asked) > 10
    assert asked <= ways[WITHOUT_IO]
