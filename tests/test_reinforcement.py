"""Reinforcement: right answers get likelier, two runs are identical, and nothing but w/ IO questions is asked."""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

from pbb.experiments.curricula import curriculum
from pbb.experiments.documents import WITH_IO, Document, execution_document
from pbb.experiments.experiment import Experiment
from pbb.experiments.groups import Group, groups
from pbb.experiments.leakage import LeakageError
from pbb.models.grpo import ExactMatch, PolicyOptimisation, question_rows, reinforce
from pbb.models.loading import load, load_tokenizer, save
from pbb.models.sft import IGNORE, fill_rows
from pbb.programs.grammars import Grammars
from pbb.runs import run
from pbb.runs.tasks import StageTask
from pbb.store import read_manifest

EXPERIMENT = Experiment.of(
    "cpu", arm="retroactive", with_io_programs=8, without_io_programs=3, demonstrations=2, exposure_general=0.0,
    execution_general=0.0,
)  # fmt: skip
# Eight questions, each of them in every epoch, with answers that a base model sometimes guesses.
GUESSED = EXPERIMENT.changed(demonstrations=1, templates=1, trained_modes=("direct",))
# Temperature 2, since the base model is sure of its guesses, and samples that agree teach nothing.
DIRECT = PolicyOptimisation(1e-3, completions=64, group_size=16, temperature=2.0, max_completion_length=4)


def stage_2(experiment: Experiment = EXPERIMENT) -> Iterator[Document]:
    return curriculum(experiment)[1].documents()


@pytest.fixture(scope="module")
def group() -> Group:
    return groups(EXPERIMENT)[0]


@pytest.fixture(scope="module")
def tokenizer():
    return load_tokenizer("tiny-m")


def weights(model) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in model.parameters()])


@pytest.mark.slow
def test_right_answers_become_likelier() -> None:
    model, tokenizer = load("tiny-m")
    how = replace(DIRECT, completions=128)
    done = reinforce(model, tokenizer, stage_2(GUESSED), groups(GUESSED)[0], 16, how, 3, progress=False)
    rewards = [row["reward"] for row in done.log]
    assert len(rewards) == 16
    assert sum(rewards[:2]) / 2 < 0.2, "a guess is right one time in ten"
    assert sum(rewards[-3:]) / 3 > 0.4
    assert any(row["spread"] > 0 for row in done.log)


@pytest.mark.parametrize(
    "changes",
    [{"beta": 0.1, "loss_type": "dr_grpo"}, {"lora_rank": 4, "learning_rate": 1e-2}],
)
def test_two_runs_are_identical_and_adapters_are_saved_as_a_whole_model(
    changes: dict[str, Any], tmp_path: Path
) -> None:
    ends, logs = [], []
    for number in range(2):
        model, tokenizer = load("tiny-m")
        before, seen = {name: p.detach().clone() for name, p in model.named_parameters()}, []

        def keep(step: int, current: Any, number: int = number, seen: list[int] = seen) -> None:
            seen.append(step)
            save(current, tmp_path / f"{number}")

        done = reinforce(
            model, tokenizer, stage_2(GUESSED), groups(GUESSED)[0], 4, replace(DIRECT, **changes), 3,
            checkpoints=[2, 4], on_checkpoint=keep, progress=False,
        )  # fmt: skip
        assert seen == [2, 4]
        assert any(row["spread"] > 0 for row in done.log), "nothing was there to learn from"
        assert not model.training
        saved, _ = load("tiny-m", tmp_path / f"{number}")
        changed = {name for name, p in saved.named_parameters() if not torch.equal(p, before[name])}
        assert changed == {name for name in before if "lora_rank" not in changes or name.endswith("_proj.weight")}
        ends.append(weights(saved))
        logs.append(done.log)
    assert torch.equal(*ends)
    assert logs[0] == logs[1]


def test_questions_and_tokens_are_counted_as_they_were_asked(group: Group, tokenizer, micro_model: str) -> None:
    model, _ = load(micro_model)
    how = PolicyOptimisation(completions=8, group_size=4, max_completion_length=64)
    done = reinforce(model, tokenizer, stage_2(), group, 2, how, 0, progress=False)
    turns = [d.messages()[:1] for d in itertools.islice(stage_2(), 4)]
    rendered = [tokenizer.apply_chat_template(turn, add_generation_prompt=True, tokenize=False) for turn in turns]
    prompts = sum(map(len, tokenizer(rendered, add_special_tokens=False)["input_ids"]))
    assert done.questions == how.questions(2) == 4
    assert done.tokens_trained == 4 * prompts + done.tokens_generated
    assert 16 <= done.tokens_generated <= 16 * 64
    assert done.log[-1]["tokens_generated"] == done.tokens_generated
    assert done.log[-1]["tokens_trained"] == done.tokens_trained
    assert sum(row["completion_length"] for row in done.log) == pytest.approx(done.tokens_generated / 8)


def test_a_stage_by_rewards_is_trained_asked_and_counted(run_store: Path, micro_model: str) -> None:
    e = EXPERIMENT.changed(
        arm="retroactive_grpo", model=micro_model, exposure_steps=2, batch_rows=4, grpo_warmup_steps=2,
        grpo_steps=4, grpo_completions=8, grpo_group_size=4, checkpoints=1, stage_2_doublings=2, questions=1,
    )  # fmt: skip
    for point in run.points(e):
        for task in (*point.task.needs, point.task):
            task.run()
    exposure, shown, rewarded = (read_manifest(StageTask(e, index).folder) for index in (0, 1, 2))
    assert exposure["objective"] == shown["objective"] == {}
    assert rewarded["objective"] == dict(curriculum(e)[2].objective)
    assert rewarded["objective"]["group_size"] == 4
    assert rewarded["documents"] == {f"{WITH_IO}: execution": 8}, "4 steps of 8 completions, 4 of each question"
    log = pd.read_csv(StageTask(e, 2).folder / "training_log.csv")
    assert rewarded["tokens"] == log["tokens_generated"].iloc[-1] + log["tokens_trained"].iloc[-1]

    records = run.run(e, preset="smoke", say=lambda line: None)
    moments = records.drop_duplicates(["stage", "step"]).sort_values("tokens")
    counted = moments[["stage", "step", "tokens", "questions_trained"]].to_numpy().tolist()
    each, more, seen = 2 * 4 * 128, rewarded["tokens"], shown["documents"][f"{WITH_IO}: execution"]
    assert seen > 0
    assert counted[:3] == [[0, 0, 0, 0], [1, 2, each, 0], [2, 2, 2 * each, seen]]
    assert counted[3:] == [[3, 2, 2 * each + more // 2, seen + 4], [3, 4, 2 * each + more, seen + 8]]
    assert moments["progress"].iloc[-1] == 1


def test_documents_that_found_no_room_are_not_counted(run_store: Path, micro_model: str) -> None:
    e = EXPERIMENT.changed(model=micro_model, exposure_steps=30, batch_rows=4)
    task, tokenizer = StageTask(e, 0), load_tokenizer(micro_model)
    task.run()
    rows, taken = fill_rows(task.stage.documents(), tokenizer, e.training.row_tokens, 30 * 4)
    trained = 0  # documents: runs of tokens from one position 0 to the next, of which some carry loss
    for row in rows:
        starts = [place for place, position in enumerate(row["position_ids"]) if position == 0]
        for begin, end in itertools.pairwise([*starts, e.training.row_tokens]):
            trained += any(label != IGNORE for label in row["labels"][begin:end])
    documents = read_manifest(task.folder)["documents"]
    assert sum(documents.values()) == pytest.approx(trained, abs=1), "each kind is rounded"
    assert trained < sum(taken.values())


def test_the_reward_is_for_right_answers_alone(group: Group, tokenizer, tmp_path: Path) -> None:
    program = group.programs[0]
    text = program.inputs[0]
    run = program.execution(text)
    trace, deed = "\n".join(run.trace), tmp_path / "deed"
    right = {"direct": [run.output, f" {run.output}\n"], "cot": [trace]}
    wrong = {
        "direct": [f"{run.output}1", f"It is {run.output}", trace, "", f"open({str(deed)!r}, 'w')"],
        "cot": [trace[:-1], f"{trace}1", run.output, f"return open({str(deed)!r}, 'w')"],
    }
    cases = [(mode, said, float(of is right)) for of in (right, wrong) for mode in of for said in of[mode]]
    ids = [tokenizer(written + tokenizer.eos_token, add_special_tokens=False)["input_ids"] for _, written, _ in cases]
    reward = ExactMatch(group, tokenizer)
    columns = {"program": [program.name] * len(cases), "input": [text] * len(cases)}
    given = reward(completion_ids=ids, answer_mode=[mode for mode, _, _ in cases], prompts=[], **columns)
    assert given == [reward for _, _, reward in cases]
    assert reward.generated == sum(map(len, ids))
    assert not deed.exists(), "a model's output was executed"


def test_the_reward_takes_what_the_domain_accepts(tokenizer) -> None:
    e = EXPERIMENT.changed(programs=Grammars(), with_io_programs=2, without_io_programs=2)
    group = groups(e)[0]
    program, text, other = next(
        (p, short, p.execution(long).output)
        for p in group.programs
        for short, long in itertools.permutations(p.inputs, 2)
        if ast.literal_eval(long).startswith(ast.literal_eval(short))
        and p.execution(long).output != p.execution(short).output
    )
    ids = [tokenizer(written, add_special_tokens=False)["input_ids"] for written in (other, "'?'")]
    reward = ExactMatch(group, tokenizer)
    assert reward(ids, [program.name] * 2, [text] * 2, ["direct"] * 2) == [1.0, 0.0]


def test_the_questions_are_those_that_sft_trains_on_in_their_order(group: Group, tokenizer) -> None:
    rows = question_rows(stage_2(), group, tokenizer, 100, 64)
    assert set(rows["program"]) == {program.name for program in group.programs}
    assert rows["prompt"] == [d.messages()[:1] for d in itertools.islice(stage_2(), 100)]


def test_a_planted_leak_is_caught_before_anything_is_trained(group: Group, tokenizer, micro_model: str) -> None:
    secret, shown = groups(EXPERIMENT)[1].programs[0], group.programs[0]
    leaks = {
        secret.name: execution_document(secret, WITH_IO, 0, secret.inputs[0], "direct"),
        "held out": execution_document(shown, WITH_IO, 0, group.held_out(shown)[0], "direct"),
    }
    model, _ = load(micro_model)
    before = weights(model)
    how = PolicyOptimisation(completions=8, group_size=4)
    for words, leak in leaks.items():
        with pytest.raises(LeakageError, match=words):
            reinforce(model, tokenizer, iter([next(stage_2()), leak]), group, 1, how, 0)
    assert torch.equal(weights(model), before)


def test_questions_without_a_reward_and_sizes_that_do_not_fit_are_refused(
    group: Group, tokenizer, micro_model: str, monkeypatch
) -> None:
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: True)
    model, _ = load(micro_model)
    how = PolicyOptimisation(completions=8, group_size=4)
    with pytest.raises(ValueError, match="a declarative document has no answer to reward"):
        reinforce(model, tokenizer, curriculum(EXPERIMENT)[0].documents(), group, 1, how, 0)
    with pytest.raises(ValueError, match=r"max_completion_length=2 is too short .* valid: \d+ or more"):
        reinforce(model, tokenizer, stage_2(), group, 8, replace(how, max_completion_length=2), 0)
    for wrong in ({"group_size": 1}, {"group_size": 3}):
        with pytest.raises(ValueError, match=r"divisible|minimum"):
            reinforce(model, tokenizer, stage_2(), group, 1, replace(how, **wrong), 0)
    assert torch.get_float32_matmul_precision() == "highest", "what this process computes next is exact"
