"""Evaluation: one beginning token, left padding, batches that agree with single questions, honest scores."""

from __future__ import annotations

import pytest
import torch

from pbb.experiments.documents import SLACK, WITH_IO, WITHOUT_IO
from pbb.experiments.experiment import Experiment
from pbb.experiments.questions import Question, questions, scored
from pbb.models import ask
from pbb.models.ask import _continue, _own_tail, evaluate, generate
from pbb.models.loading import load, load_tokenizer

EXPERIMENT = Experiment.of(
    "cpu", with_io_programs=4, without_io_programs=3, asked=("direct", "cot", "recite", "recall")
)


@pytest.fixture(scope="module")
def asked() -> list[Question]:
    return questions(EXPERIMENT)


def test_questions_ask_by_name_and_about_inputs_that_training_never_showed(asked: list[Question]) -> None:
    from pbb.experiments.groups import groups

    shown = {name: inputs for group in groups(EXPERIMENT) for name, inputs in group.shown.items()}
    assert {q.answer_mode for q in asked if q.group == WITHOUT_IO} == {"direct", "cot", "recite", "recall"}
    for q in asked:
        assert q.program.source not in q.prompt
        assert q.program.name in q.prompt
        if q.answer_mode != "recall":
            assert q.expected == q.program.execution(q.input).output
            assert q.input not in shown.get(q.program.name, ())
            assert q.expected not in q.prompt.split(q.program.name)[1].replace(q.input, "", 1)
    assert not [q for q in asked if q.answer_mode == "recall" and q.group == WITH_IO and q.held_out]


def test_in_context_shows_the_source() -> None:
    made = questions(EXPERIMENT.changed(arm="in_context"), ("direct", "cot"))
    assert {q.answer_mode for q in made} == {"in_context_direct", "in_context_cot"}
    assert all(q.prompt.startswith(q.program.source) and q.group == WITHOUT_IO for q in made)


def test_batches_are_as_small_as_memory_wants(
    asked: list[Question], micro_model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, tokenizer = load(micro_model)
    rows: list[int] = []

    def noting(model, tokenizer, prompts, limits):
        rows.append(len(prompts))
        assert len(prompts) * ask._row_bytes(model, max(map(len, prompts)), max(limits)) <= 2e5
        return _continue(model, tokenizer, prompts, limits)

    prompts, limits = [q.prompt for q in asked[:40]], [4] * 40
    free = generate(model, tokenizer, prompts, limits)
    monkeypatch.setattr(ask, "_continue", noting)
    monkeypatch.setattr(ask, "BATCH_BYTES", 2e5)
    assert generate(model, tokenizer, prompts, limits) == free
    assert sum(rows) == 40
    assert 1 < max(rows) < 40
    assert ask.share_that_differs(model, tokenizer, asked[:12], 12) == 0


def test_answers_are_those_of_generate_to_each_question_alone(asked: list[Question], micro_model: str) -> None:
    """Also where prompts begin alike, where one stands twice, and where rows end at their limits one after another."""
    model, tokenizer = load(micro_model)
    assert _own_tail(tokenizer([q.prompt for q in asked[:12]])["input_ids"]) > 0, "some prompts begin alike"
    prompts = [q.prompt for q in asked[:12]] + [asked[0].prompt, "Hi", "Hi", asked[-1].prompt * 3]
    limits = [1 + 5 * i % 7 for i in range(len(prompts))]
    expected = []
    for prompt, limit in zip(prompts, limits, strict=True):
        text = tokenizer.apply_chat_template(
            [{"role": "user", "content": prompt}], add_generation_prompt=True, tokenize=False
        )
        ids = tokenizer(text, return_tensors="pt", add_special_tokens=False)
        new = model.generate(**ids, do_sample=False, max_new_tokens=limit)[0, ids["input_ids"].shape[1] :]
        expected.append(tokenizer.decode(new, skip_special_tokens=True))
    assert len(set(expected)) > 1
    assert generate(model, tokenizer, prompts, limits, batch_size=16) == expected
    assert generate(model, tokenizer, prompts, limits, batch_size=1) == expected
    assert generate(model, tokenizer, [], []) == []


def test_a_row_stops_at_its_end_token_while_others_go_on(asked: list[Question], micro_model: str) -> None:
    model, tokenizer = load(micro_model)
    prompts, limits = [q.prompt for q in asked[:8]], [8] * 8
    encoded = [tokenizer(p)["input_ids"] for p in prompts]
    free = _continue(model, tokenizer, encoded, limits)
    tokenizer.eos_token_id = free[0][2]  # what the first one writes third now ends an answer
    ended = _continue(model, tokenizer, encoded, limits)
    assert len(ended[0]) <= 3
    assert max(map(len, ended)) > 3
    for before, after in zip(free, ended, strict=True):
        end = before.index(free[0][2]) + 1 if free[0][2] in before else len(before)
        assert after == before[:end]


def test_beginnings_are_shared_where_that_saves_tokens() -> None:
    assert _own_tail([[1, 2, 3, 4, 5, 6], [1, 2, 3, 4, 7, 6], [1, 2, 3, 4, 8, 6]]) == 2
    assert _own_tail([[1, 2, 3, 4], [5, 6, 7, 8]]) == 0
    assert _own_tail([[1, 2, 3]]) == 0


def test_logits_of_a_padded_batch_agree_with_single_ones(asked: list[Question], micro_model: str) -> None:
    model, tokenizer = load(micro_model)
    texts = [
        tokenizer.apply_chat_template(
            [{"role": "user", "content": q.prompt}], add_generation_prompt=True, tokenize=False
        )
        for q in asked[:8]
    ]
    batch = tokenizer(texts, return_tensors="pt", padding=True, add_special_tokens=False)
    assert (batch["input_ids"] == tokenizer.bos_token_id).sum(1).tolist() == [1] * 8
    assert batch["attention_mask"][:, -1].all(), "padding belongs on the left"
    assert not batch["attention_mask"][:, 0].all()
    positions = (batch["attention_mask"].cumsum(1) - 1).clamp(min=0)
    with torch.no_grad():
        together = model(**batch, position_ids=positions).logits[:, -1]
        for text, row in zip(texts, together, strict=True):
            single = model(**tokenizer(text, return_tensors="pt", add_special_tokens=False)).logits[0, -1]
            assert (single - row).abs().max() < 1e-4


def test_scores_are_exact_and_unparsed_is_told_apart(asked: list[Question]) -> None:
    direct = next(q for q in asked if q.answer_mode == "direct")
    cot = next(q for q in asked if q.answer_mode == "cot")
    recall = next(q for q in asked if q.answer_mode == "recall")

    def outcome(question: Question, completion: str) -> str:
        return scored(question, question.prompt, completion, "")["outcome"]

    assert outcome(direct, direct.expected) == "correct"
    assert outcome(direct, f"{direct.expected}{direct.expected}") == "wrong"
    assert outcome(direct, "") == "unparsed"
    assert outcome(cot, cot.target) == "correct"
    assert outcome(cot, cot.target.rsplit(" = ", 1)[0] + " = 99") == "wrong"
    assert outcome(cot, cot.expected) == "unparsed", "an answer without a trace is not a chain of thought"
    assert outcome(recall, recall.program.source + "\n") == "correct"
    assert outcome(recall, recall.program.source[:-1]) == "wrong"


def test_a_perfect_model_scores_one_and_recites_first(asked: list[Question], monkeypatch: pytest.MonkeyPatch) -> None:
    """With the model replaced by one that knows every answer, every question is right: the harness loses nothing."""
    by_prompt = {q.prompt: q.target for q in asked} | {q.declarative_prompt: q.program.source for q in asked}
    turns: list[set[int]] = []

    def oracle(model, tokenizer, prompts, max_new_tokens, batch_size=1):
        turns.append(set(max_new_tokens))
        assert all(
            len(tokenizer(by_prompt.get(p) or by_prompt[p.split("\n")[-1]])["input_ids"]) <= n
            for p, n in zip(prompts, max_new_tokens, strict=True)
        ), "the budget would cut a right answer"
        return [by_prompt.get(p) or by_prompt[p.split("\n")[-1]] for p in prompts]

    monkeypatch.setattr(ask, "generate", oracle)
    rows = evaluate(torch.nn.Identity(), load_tokenizer("tiny-s"), asked)  # type: ignore[arg-type]
    assert {row["outcome"] for row in rows} == {"correct"}
    reciting, answering = turns
    assert len(reciting) == 1
    assert 3 <= len(answering) <= 4, "one limit a mode"
    recited = [row for row in rows if row["answer_mode"] == "recite"]
    assert recited
    assert all(row["prompt"].startswith("def ") for row in recited), "the recited source is what is run"


def test_a_limit_is_that_of_the_longest_answer_of_its_mode(asked: list[Question]) -> None:
    tokenizer = load_tokenizer("tiny-s")
    lengths = [len(tokenizer(q.target, add_special_tokens=False)["input_ids"]) for q in asked]
    for mode in ("direct", "cot", "recite", "recall"):
        limits = {n for n, q in zip(ask.limits(tokenizer, asked), asked, strict=True) if q.answer_mode == mode}
        longest = max(n for n, q in zip(lengths, asked, strict=True) if q.answer_mode == mode)
        assert limits == {longest + SLACK}
    assert len(set(lengths)) > 5
    assert ask.limits(tokenizer, []) == []
