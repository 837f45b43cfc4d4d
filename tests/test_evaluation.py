"""Evaluation: questions by name, answers that depend on no batch, honest scores."""

from __future__ import annotations

import pytest
import torch

from pbb.experiments.documents import WITH_IO, WITHOUT_IO
from pbb.experiments.experiment import Experiment
from pbb.experiments.groups import groups
from pbb.experiments.questions import Question, questions, scored
from pbb.models import ask
from pbb.models.ask import _continue, _own_tail, evaluate, generate
from pbb.models.loading import load, load_tokenizer

MODES = ("direct", "cot", "recite", "recall")
EXPERIMENT = Experiment.of("cpu", with_io_programs=4, without_io_programs=3, asked=MODES)


@pytest.fixture(scope="module")
def asked() -> list[Question]:
    return questions(EXPERIMENT)


def test_questions_ask_by_name_and_about_inputs_that_training_never_showed(asked: list[Question]) -> None:
    shown = {name: inputs for group in groups(EXPERIMENT) for name, inputs in group.shown.items()}
    assert {q.answer_mode for q in asked if q.group == WITHOUT_IO} == set(MODES)
    for q in asked:
        assert q.program.source not in q.prompt
        assert q.program.name in q.prompt
        if q.answer_mode != "recall":
            assert q.expected == q.program.execution(q.input).output
            assert q.input not in shown.get(q.program.name, ())
            assert q.expected not in q.prompt.split(q.program.name)[1].replace(q.input, "", 1)
    assert not [q for q in asked if q.answer_mode == "recall" and q.group == WITH_IO and q.held_out]
    in_context = questions(EXPERIMENT.changed(arm="in_context"), ("direct", "cot"))
    assert {q.answer_mode for q in in_context} == {"in_context_direct", "in_context_cot"}
    assert all(q.prompt.startswith(q.program.source) and q.group == WITHOUT_IO for q in in_context)


def test_batches_are_as_small_as_memory_wants(
    asked: list[Question], micro_model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, tokenizer = load(micro_model)
    rows: list[int] = []

    def noting(model, tokenizer, prompts, limits):
        rows.append(len(prompts))
        assert len(prompts) * ask._row_bytes(model)(max(map(len, prompts)), max(limits)) <= 2e5
        return _continue(model, tokenizer, prompts, limits)

    prompts, limits = [q.prompt for q in asked[:40]], [4] * 40
    free = generate(model, tokenizer, prompts, limits)
    monkeypatch.setattr(ask, "_continue", noting)
    monkeypatch.setattr(ask, "BATCH_BYTES", 2e5)
    assert generate(model, tokenizer, prompts, limits) == free
    assert sum(rows) == 40
    assert 1 < max(rows) < 40


def test_answers_are_those_of_generate_to_each_question_alone(asked: list[Question], micro_model: str) -> None:
    """Also where prompts begin alike, where one stands twice, and where rows end at their limits or of themselves."""
    model, tokenizer = load(micro_model)
    assert _own_tail(tokenizer([q.prompt for q in asked[:12]])["input_ids"]) > 0, "some prompts begin alike"
    prompts = [q.prompt for q in asked[:12]] + [asked[0].prompt, "Hi", "Hi", asked[-1].prompt * 3]
    limits = [1 + 5 * i % 7 for i in range(len(prompts))]

    def alone() -> list[list[int]]:
        written = []
        for prompt, limit in zip(prompts, limits, strict=True):
            turn = [{"role": "user", "content": prompt}]
            text = tokenizer.apply_chat_template(turn, add_generation_prompt=True, tokenize=False)
            ids = tokenizer(text, return_tensors="pt", add_special_tokens=False)
            assert ids["input_ids"][0].tolist().count(tokenizer.bos_token_id) == 1
            how = {"do_sample": False, "max_new_tokens": limit, "eos_token_id": tokenizer.eos_token_id}
            written.append(model.generate(**ids, **how)[0, ids["input_ids"].shape[1] :].tolist())
        return written

    free = alone()
    tokenizer.eos_token = tokenizer.convert_ids_to_tokens(next(row[2] for row in free if len(set(row[:3])) == 3))
    ended = alone()
    assert sum(map(len, ended)) < sum(map(len, free)), "what one of them writes third ends an answer now"
    expected = tokenizer.batch_decode(ended, skip_special_tokens=True)
    assert len(set(expected)) > 1
    assert generate(model, tokenizer, prompts, limits, batch_size=16) == expected
    assert generate(model, tokenizer, prompts, limits, batch_size=1) == expected
    assert generate(model, tokenizer, [], []) == []


def test_scores_are_exact_and_unparsed_is_told_apart(asked: list[Question]) -> None:
    direct, cot, recall = (next(q for q in asked if q.answer_mode == mode) for mode in ("direct", "cot", "recall"))
    for question, completion, outcome in (
        (direct, direct.expected, "correct"),
        (direct, f"{direct.expected}{direct.expected}", "wrong"),
        (direct, "", "unparsed"),
        (cot, cot.target, "correct"),
        (cot, cot.target.rsplit(" = ", 1)[0] + " = 99", "wrong"),
        (cot, cot.expected, "unparsed"),  # an answer without a trace is not a chain of thought
        (recall, recall.program.source + "\n", "correct"),
        (recall, recall.program.source[:-1], "wrong"),
    ):
        assert scored(question, question.prompt, completion, "")["outcome"] == outcome


def test_a_perfect_model_scores_one_and_recites_first(asked: list[Question], monkeypatch: pytest.MonkeyPatch) -> None:
    """With the model replaced by one that knows every answer, every question is right: the harness loses nothing."""
    by_prompt = {q.prompt: q.target for q in asked} | {q.declarative_prompt: q.program.source for q in asked}
    turns: list[set[int]] = []

    def oracle(model, tokenizer, prompts, max_new_tokens, batch_size=1):
        turns.append(set(max_new_tokens))
        answers = [by_prompt.get(prompt) or by_prompt[prompt.split("\n")[-1]] for prompt in prompts]
        lengths = [len(tokenizer(answer)["input_ids"]) for answer in answers]
        assert all(length <= most for length, most in zip(lengths, max_new_tokens, strict=True)), (
            "a right answer is cut"
        )
        return answers

    monkeypatch.setattr(ask, "generate", oracle)
    rows = evaluate(torch.nn.Identity(), load_tokenizer("tiny-s"), asked)  # type: ignore[arg-type]
    assert {row["outcome"] for row in rows} == {"correct"}
    reciting, answering = turns
    assert len(reciting) == 1
    assert 3 <= len(answering) <= 4, "one limit a mode"
    recited = [row for row in rows if row["answer_mode"] == "recite"]
    assert recited
    assert all(row["prompt"].startswith("def ") for row in recited), "the recited source is what is run"
