"""Evaluation: ask by name and generate greedily; `pbb.experiments.questions` says what is asked, and scores.

Prompts go through the chat template (which writes the one beginning-of-sequence token), batches are padded on the
left and decoded with a KV cache.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
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
    while order:
        chosen, longest, most = 0, 0, 0
        for i in order[:batch_size]:
            longest, most = max(longest, len(encoded[i])), max(most, max_new_tokens[i])
            if chosen and (chosen + 1) * _row_bytes(model, longest, most) > BATCH_BYTES:
                break
            chosen += 1
        batch, order = order[:chosen], order[chosen:]
        written = _continue(model, tokenizer, [encoded[i] for i in batch], [max_new_tokens[i] for i in batch])
        for i, ids in zip(batch, written, strict=True):
            completions[i] = tokenizer.decode(ids, skip_special_tokens=True)
    return completions


def _row_bytes(model: PreTrainedModel, prompt: int, new: int) -> int:
    """Return about how many bytes a row of a batch takes, `prompt` tokens and up to `new` after them; 0 if unknown."""
    shape = Shape.of(model.config.to_dict())
    if shape is None:
        return 0
    cache = 2 * shape.layers * shape.key_value_heads * shape.head
    inside = 4 * shape.intermediate + 8 * shape.hidden  # of the one layer that is being computed
    return model.dtype.itemsize * ((prompt + new) * cache + prompt * inside + 2 * shape.vocabulary)


def share_that_differs(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, asked: Sequence[Question], batch_size: int
) -> float:
    """Return the share of `asked` whose greedy answers are others in batches of `batch_size` than one at a time.

    Rounding depends on a batch's shape, so that near ties may fall either way: hardly ever in float32, now and then in
    16 bits.
    """
    prompts, most = [q.prompt for q in asked], limits(tokenizer, asked)
    alone, together = (generate(model, tokenizer, prompts, most, size) for size in (1, batch_size))
    return sum(one != other for one, other in zip(alone, together, strict=True)) / len(prompts)


@torch.inference_mode()
def _continue(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, prompts: Sequence[list[int]], limits: Sequence[int]
) -> list[list[int]]:
    """Return the tokens that follow each of `prompts`, up to the end token or to as many as its limit.

    As `model.generate` does it without sampling, but rows leave the batch when they end, and a beginning that rows
    share is computed once. Either may change a logit's last digits, so that near ties may fall the other way. It
    stays since `generate` took 2.4 times as long for 1,360 questions to tiny-m in the same batches of 256, and gave the
    same answers (SmolLM2, 128 questions in batches of 64: 1.5 times).
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
    targets: dict[str, set[str]] = {}
    for question in asked:
        targets.setdefault(question.answer_mode, set()).add(question.target)
    most = {mode: _limit(tokenizer, texts) for mode, texts in targets.items()}
    return [most[question.answer_mode] for question in asked]


def _limit(tokenizer: PreTrainedTokenizerBase, targets: Iterable[str]) -> int:
    return max(map(len, tokenizer(list(targets), add_special_tokens=False)["input_ids"])) + SLACK


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
    prompts, recited = [q.prompt for q in asked], [""] * len(asked)
    reciting = [i for i, q in enumerate(asked) if q.answer_mode == "recite"]
    if reciting:
        # One recitation serves every input of a program.
        texts = {asked[i].declarative_prompt: declaration_length(asked[i]) for i in reciting}
        most = _limit(tokenizer, texts.values())
        written = generate(model, tokenizer, list(texts), [most] * len(texts), batch_size)
        by_prompt = dict(zip(texts, written, strict=True))
        for i in reciting:
            recited[i] = by_prompt[asked[i].declarative_prompt].strip()
            prompts[i] = in_context(recited[i], asked[i].prompt)
    completions = generate(model, tokenizer, prompts, limits(tokenizer, asked), batch_size)
    return [
        scored(q, prompt, completion, recitation)
        for q, prompt, completion, recitation in zip(asked, prompts, completions, recited, strict=True)
    ]


def declaration_length(asked: Question) -> str:
    """Return the longer of the two texts of a program: how much a recitation may write."""
    return max(asked.program.source, asked.program.description, key=len)
