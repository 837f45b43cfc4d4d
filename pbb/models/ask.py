"""Evaluation: ask by name and generate greedily; `pbb.experiments.questions` says what is asked, and scores.

Prompts go through the chat template (which writes the one beginning-of-sequence token), batches are padded on the
left and decoded with a KV cache.
"""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch.nn.functional import pad
from torch.nn.utils.rnn import pad_sequence
from transformers import DynamicCache, PreTrainedModel, PreTrainedTokenizerBase
from transformers.cache_utils import DynamicLayer

from pbb.experiments.documents import ASKED_AT_ONCE, SLACK, in_context
from pbb.experiments.questions import Question, scored
from pbb.models.model_size import Shape
from pbb.models.tokenizer import encode_rendered, render_chat

BATCH_BYTES = 3e9  # that the keys, values and activations of a batch may take: a process then stays under 8 GB


def generate(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[str],
    max_new_tokens: Sequence[int],
    batch_size: int = ASKED_AT_ONCE,
) -> list[str]:
    """Return one greedy completion a prompt, in order; each is cut after its own `max_new_tokens`.

    Prompts that begin alike, and are of similar length, share a batch, so that little is computed twice or padded. A
    batch has at most `batch_size` prompts, and as few as keep it within `BATCH_BYTES`.
    """
    rendered = [render_chat(tokenizer, [{"role": "user", "content": prompt}], True) for prompt in prompts]
    encoded = encode_rendered(tokenizer, rendered)
    order = sorted(range(len(prompts)), key=lambda i: (max_new_tokens[i], len(encoded[i]), encoded[i]))
    completions = [""] * len(prompts)
    row_bytes = _row_bytes(model)
    while order:
        lengths = itertools.accumulate((len(encoded[i]) for i in order[:batch_size]), max)
        limits = itertools.accumulate((max_new_tokens[i] for i in order[:batch_size]), max)
        needed = [rows * row_bytes(*longest) for rows, longest in enumerate(zip(lengths, limits, strict=True), 1)]
        size = max(1, bisect.bisect(needed, BATCH_BYTES))
        batch, order = order[:size], order[size:]
        written = _continue(model, tokenizer, [encoded[i] for i in batch], [max_new_tokens[i] for i in batch])
        for i, ids in zip(batch, written, strict=True):
            completions[i] = tokenizer.decode(ids, skip_special_tokens=True)
    return completions


def _row_bytes(model: PreTrainedModel) -> Callable[[int, int], float]:
    """Return what gives about how many bytes a row of a batch takes, by its tokens before and after; 0 if unknown."""
    shape = Shape.of(model.config.to_dict())
    if shape is None:
        return lambda prompt, new: 0
    cache = 2 * shape.layers * shape.key_value_heads * shape.head
    inside = 4 * shape.intermediate + 8 * shape.hidden  # of the one layer that is being computed
    return lambda prompt, new: model.dtype.itemsize * ((prompt + new) * cache + prompt * inside + 2 * shape.vocabulary)


@torch.inference_mode()
def _continue(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, prompts: Sequence[list[int]], limits: Sequence[int]
) -> list[list[int]]:
    """Return the tokens that follow each of `prompts`, up to the end token or to as many as its limit.

    As `model.generate` does it without sampling, but rows leave the batch when they end, and a beginning that rows
    share is computed once. It stays since `generate` took 2.4 times as long for 1,360 questions to tiny-m in batches of
    256, and gave the same answers (SmolLM2, 128 questions in batches of 64: 1.5 times).
    """
    cache = DynamicCache(config=model.config)
    rows = [torch.tensor(ids, device=model.device) for ids in prompts]
    tokens = pad_sequence(rows, True, tokenizer.pad_token_id, "left")  # (rows, longest)
    mask = pad_sequence([torch.ones_like(ids) for ids in rows], True, 0, "left")
    positions = (mask.cumsum(1) - 1).clamp(min=0)

    def next_tokens(tokens: torch.Tensor, mask: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        by_position = {"attention_mask": mask, "position_ids": positions, "past_key_values": cache}
        logits = model(input_ids=tokens, **by_position, use_cache=True, logits_to_keep=1).logits
        return logits[:, -1].argmax(-1)

    tail = _own_tail(prompts) if all(type(layer) is DynamicLayer for layer in cache.layers) else 0
    if tail:
        stems = [tuple(ids[:-tail]) for ids in prompts]
        number = {stem: i for i, stem in enumerate(dict.fromkeys(stems))}
        first = [stems.index(stem) for stem in number]
        next_tokens(tokens[first, :-tail], mask[first, :-tail], positions[first, :-tail])
        cache.reorder_cache(torch.tensor([number[stem] for stem in stems], device=model.device))
        tokens, positions = tokens[:, -tail:], positions[:, -tail:]

    written: list[list[int]] = [[] for _ in prompts]
    active = list(range(len(prompts)))
    for count in range(1, max(limits) + 1):
        found = next_tokens(tokens, mask, positions)
        for i, token in zip(active, found.tolist(), strict=True):
            written[i].append(token)
        going = [n for n, i in enumerate(active) if written[i][-1] != tokenizer.eos_token_id and count < limits[i]]
        if not going:
            break
        tokens, positions, mask = found[:, None], positions[:, -1:] + 1, pad(mask, (0, 1), value=1)
        if len(going) < len(active):
            kept = torch.tensor(going, device=model.device)
            cache.reorder_cache(kept)
            tokens, positions, mask = tokens[kept], positions[kept], mask[kept]
            active = [active[n] for n in going]
    return written


def _own_tail(prompts: Sequence[list[int]]) -> int:
    """Return after how many last tokens of each prompt it is best to look for equal beginnings; 0 if there are none.

    Questions about one program often differ in their last tokens alone.
    """
    longest, shortest = max(map(len, prompts)), min(map(len, prompts))
    tokens = {0: len(prompts) * longest}  # to be computed
    tail = 1
    while tail < shortest:
        tokens[tail] = len({tuple(ids[:-tail]) for ids in prompts}) * (longest - tail) + len(prompts) * tail
        tail *= 2
    return min(tokens, key=lambda tail: tokens[tail])


def limits(tokenizer: PreTrainedTokenizerBase, asked: Sequence[Question]) -> list[int]:
    """Return after how many tokens each answer is cut: one limit for all questions of an answer mode.

    A limit from the question's own answer would tell how long that is, and cut wrong answers more often than right
    ones. It takes 1.0 to 1.2 times as long (tiny-m and its controls, F02's questions), since rows leave when they end.
    """
    longest: dict[str, int] = {}
    for mode, target in {(q.answer_mode, q.target) for q in asked}:
        length = len(tokenizer(target, add_special_tokens=False)["input_ids"])
        longest[mode] = max(length, longest.get(mode, 0))
    return [longest[q.answer_mode] + SLACK for q in asked]


def evaluate(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    asked: Sequence[Question],
    batch_size: int = ASKED_AT_ONCE,
) -> list[dict[str, Any]]:
    """Return one record a question (the columns of `pbb.records` that belong to the question, not to the run).

    Recite-then-run takes two turns: the model writes the program's text by name, then runs, step by step, what it
    wrote, given in context. Nothing but its own text helps it.
    """
    model.eval()
    # One recitation serves every input of a program. It may be as long as the longer of the program's two texts.
    recite = {
        q.declarative_prompt: replace(q, target=max(q.program.source, q.program.description, key=len))
        for q in asked
        if q.answer_mode == "recite"
    }
    most = limits(tokenizer, [*recite.values()])
    written = generate(model, tokenizer, [*recite], most, batch_size)
    texts = {prompt: text.strip() for prompt, text in zip(recite, written, strict=True)}
    recited = [texts[q.declarative_prompt] if q.answer_mode == "recite" else "" for q in asked]
    prompts = [
        in_context(text, q.prompt) if q.answer_mode == "recite" else q.prompt
        for q, text in zip(asked, recited, strict=True)
    ]
    completions = generate(model, tokenizer, prompts, limits(tokenizer, asked), batch_size)
    return list(map(scored, asked, prompts, completions, recited))
