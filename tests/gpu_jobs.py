"""The jobs of tests/gpu_bench.py, each done in a process of its own: ``python tests/gpu_jobs.py JOB FILE``.

JOB is JSON: a name of JOBS, the fields of `Asked`, and the job's other arguments. Its result, JSON too, goes to FILE.
Nothing is imported that Unsloth has to come before.
"""

from __future__ import annotations

import itertools
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest import mock

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # also where pbb is not installed

MODEL, STEPS, QUESTIONS = "smollm2-135m", 36, 64
BATCH = 4  # times as many questions go together as are asked one at a time: 256 by default
NOT_A_CARD = "not a card: a CPU"
EXACT = "peft_float32"  # PEFT again, in float32: how much rounding to 16 bits changes by itself


@dataclass(frozen=True)
class Asked:
    """What is measured: on which model, over how many steps of training, with how many questions one at a time."""

    model: str = MODEL
    steps: int = STEPS
    questions: int = QUESTIONS


def machine(asked: Asked) -> dict[str, Any]:
    """Return what the numbers may depend on: the card, its driver, versions. Without a card `card` says so."""
    import torch

    from pbb.models.machine import this_machine
    from pbb.store import PACKAGES, environment_manifest

    here = this_machine()
    driver = ""
    if here.card:
        query = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
        with suppress(OSError, subprocess.SubprocessError):  # a container may have the card without it
            driver = subprocess.run(query, capture_output=True, text=True, check=True).stdout.splitlines()[0]
    return {
        "card": here.card or NOT_A_CARD,
        "capability": list(here.capability),
        "memory_gb": round(here.memory / 1e9, 1),
        "driver": driver or ("unknown" if here.card else ""),
        "cuda": torch.version.cuda,
        "cores": here.cores,
        "without_unsloth": here.without,
        **environment_manifest((*PACKAGES, "triton", "unsloth", "unsloth_zoo", "bitsandbytes")),
    }


def _experiment(asked: Asked, by: str = "auto", curriculum: str = "stage_1_only") -> Any:
    from pbb.experiments.experiment import Experiment

    return Experiment.of("llm", model=asked.model, arm=curriculum, backend=by)


def _begin(by: str = "") -> Any:
    """Import what comes first, and return torch; on a CPU with one thread, as in a worker."""
    from pbb.models import backends
    from pbb.store import quiet

    quiet()
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    if by == "unsloth":
        backends.import_unsloth()
    import torch

    if not torch.cuda.is_available():
        torch.set_num_threads(1)
    return torch


def _finetune(asked: Asked, e: Any, backend: Any, **settings: Any) -> tuple[Any, int]:
    """Train adapters on the first rows of `e`'s first stage; return the training, and its tokens but for padding."""
    from pbb.experiments.curricula import curriculum
    from pbb.models import backends, sft

    model, tokenizer = backends.load(e, backend)
    (stage,) = curriculum(e)
    rows, _ = sft.fill_rows(stage.documents(), tokenizer, e.training.row_tokens, asked.steps * e.training.batch_rows)
    how = sft.Optimisation(
        stage.learning_rate,
        e.training.batch_rows,
        e.training.row_tokens,
        weight_decay=e.training.weight_decay,
        lora_rank=e.training.lora_rank,
    )
    done = sft.finetune(model, tokenizer, rows, asked.steps, how, e.seed, progress=False, backend=backend, **settings)
    padding = sum(token == tokenizer.pad_token_id for row in rows["input_ids"] for token in row)
    return done, asked.steps * e.training.batch_rows * e.training.row_tokens - padding


def losses(asked: Asked, by: str) -> dict[str, Any]:
    """Train by `by`; return the loss of every step. On a CPU in plain float32, without bfloat16 tiles."""
    _begin(by)
    from pbb.models import backends

    e = _experiment(asked, by.removesuffix("_float32"))
    backend = backends.choose(e)
    if by == EXACT:
        backend = replace(backend, weights="float32", autocast="")
    backend = replace(backend, numbers=backend.numbers.replace("no CUDA", "to compare"))  # see sft.train
    done, tokens = _finetune(asked, e, backend)
    every = [{"step": row["step"], "loss": row["loss"]} for row in done.log]
    return {
        "losses": every, "precision": done.precision, "seconds": done.seconds, "tokens": tokens,
        "rank": e.training.lora_rank, "rows": e.training.batch_rows, "row_tokens": e.training.row_tokens,
        "learning_rate": e.training.stage_1.rate,
    }  # fmt: skip


def answers(asked: Asked) -> dict[str, Any]:
    """Ask the untrained model about sources in its context, greedily in float32, in batches of 1 and of many."""
    _begin()
    from pbb.experiments.questions import questions
    from pbb.models import ask, loading

    model, tokenizer = loading.load(asked.model, dtype="float32")
    chosen = _spread(questions(_experiment(asked, curriculum="in_context")), BATCH * asked.questions)
    prompts, longest = [q.prompt for q in chosen], ask.limits(tokenizer, chosen)
    together_s, together = _timed(lambda: ask.generate(model, tokenizer, prompts, longest, len(prompts)))
    prompts, longest, together = prompts[::BATCH], longest[::BATCH], together[::BATCH]
    alone_s, alone = _timed(lambda: ask.generate(model, tokenizer, prompts, longest, 1))
    differing = [
        {"prompt": prompt, "alone": one, "together": many}
        for prompt, one, many in zip(prompts, alone, together, strict=True)
        if one != many
    ]
    return {
        "questions": len(alone), "batch": len(chosen), "kinds_of_answers": len(set(alone)), "differ": len(differing),
        "verdict": "differ" if differing else "equal", "differing": differing[:8],
        "seconds_alone": alone_s, "seconds_together": together_s,
    }  # fmt: skip


def _spread(every: Sequence[Any], count: int) -> list[Any]:
    """Return `count` of `every`, evenly from all over it."""
    return [every[i * len(every) // count] for i in range(count)] if count < len(every) else list(every)


def _timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Return seconds by the clock, with all that the card still had to do, and what `work` returned."""
    _wait()
    started = time.perf_counter()
    result = work()
    _wait()
    return time.perf_counter() - started, result


def _wait() -> None:
    import torch

    if torch.cuda.is_available():
        torch.cuda.synchronize()


def train(asked: Asked, by: str, weights: str) -> dict[str, Any]:
    """Train adapters by `by` and keep what they give in the folder `weights`; return how fast the later steps went.

    The first third of the steps is left out: kernels are compiled and chosen in it.
    """
    torch = _begin(by)
    from pbb.models import backends, loading
    from pbb.models.model_size import Shape
    from pbb.registry import config_of

    first, ends = max(1, asked.steps // 3), dict[int, float]()

    def note(step: int, model: Any) -> None:
        _wait()
        ends[step] = time.perf_counter()
        if step == asked.steps:
            loading.save(model, Path(weights))

    when: dict[str, Any] = {"checkpoints": (first, asked.steps), "on_checkpoint": note}
    e = _experiment(asked, "auto" if by == "trl" else by)
    if by == "trl":
        tokens, precision, products = _train_as_trl_does(asked, e, first, when)
    else:
        backend = backends.choose(e)
        done, every = _finetune(asked, e, backend, **when)
        tokens, precision = every * (asked.steps - first) / asked.steps, done.precision
        products = backend.autocast or ("float32" if backend.weights == "4-bit" else backend.weights)
    rate = tokens / (ends[asked.steps] - ends[first])
    shape = Shape.of(config_of(asked.model))
    flop = _flop(shape, e.training.lora_rank) if shape else math.nan
    peak = torch.cuda.max_memory_allocated() / 1e9 if torch.cuda.is_available() else None
    return {
        "tokens_per_s": rate, "steps_measured": asked.steps - first, "precision": precision,
        "rank": e.training.lora_rank, "flop_per_token": flop, "flop_per_s": flop * rate, "peak_memory_gb": peak,
        "products_in": products, "product_flop_per_s": _product_rates({"bfloat16", products}),
    }  # fmt: skip


def _train_as_trl_does(asked: Asked, e: Any, first: int, when: dict[str, Any]) -> tuple[int, str, str]:
    """Train with TRL's defaults: 8 conversations a step, each padded to the longest, and its own choice of attention.

    Only the adapters are ours. Returns tokens after the step `first` without padding, formats in words, and that of
    products.
    """
    from datasets import Dataset
    from transformers import PrinterCallback
    from trl import SFTConfig, SFTTrainer

    from pbb.experiments.curricula import curriculum
    from pbb.models import loading, sft
    from pbb.models.machine import this_machine

    (stage,) = curriculum(e)
    here = this_machine()
    # Where TRL's defaults cannot run: float16 before compute capability 8.0, full precision on a CPU.
    other = {} if here.half == "bfloat16" else {"fp16": True}
    cpu = {"use_cpu": True, "bf16": False, "gradient_checkpointing": False}
    with tempfile.TemporaryDirectory() as folder:
        arguments = SFTConfig(
            folder, max_steps=asked.steps, save_strategy="no", report_to="none", disable_tqdm=True, seed=e.seed,
            **(other if here.card else cpu),
        )  # fmt: skip
        size = arguments.per_device_train_batch_size
        documents = itertools.islice(stage.documents(), size * asked.steps)
        trainer = SFTTrainer(
            str(loading.source_of(asked.model)),
            arguments,
            train_dataset=Dataset.from_list([{"messages": document.messages()} for document in documents]),
            processing_class=loading.load_tokenizer(asked.model),
            peft_config=sft.lora(e.training.lora_rank),
            callbacks=[sft.Watch(when["checkpoints"], when["on_checkpoint"])],
        )
        trainer.remove_callback(PrinterCallback)
        counts: list[int] = []  # tokens of each batch, in order
        collate = trainer.data_collator

        def counting(rows: list[Any]) -> Any:
            batch = collate(rows)
            counts.append(int(batch["attention_mask"].sum()))
            return batch

        trainer.data_collator = counting
        trainer.train()
    weights = str(trainer.model.get_base_model().dtype).removeprefix("torch.")
    products = "bfloat16" if arguments.bf16 else "float16" if arguments.fp16 else weights
    words = f"{weights} weights" + (f", products in {products}" if products != weights else "")
    return sum(counts[first : asked.steps]), words, products


def _flop(shape: Any, rank: int) -> int:
    """Return floating-point operations a token in training adapters.

    Attention is left out, and so is what is computed twice to spare memory.
    """
    return 4 * (shape.linear + shape.vocabulary * shape.hidden) + 6 * shape.adapters(rank)


def _product_rates(formats: set[str]) -> dict[str, float]:
    """Return FLOP a second of a large square product of random numbers, the median of ten, by number format."""
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    side, rates = 8192 if device == "cuda" else 512, {}
    for name in sorted(formats):
        left, right = (torch.randn(side, side, device=device).to(getattr(torch, name)) for _ in range(2))
        took = [_timed(lambda left=left, right=right: left @ right)[0] for _ in range(13)]
        rates[name] = 2 * side**3 / statistics.median(took[3:])
    return rates


def ask(asked: Asked, weights: str) -> dict[str, Any]:
    """Ask the model in the folder `weights` by name, in batches of 256; return how many tokens a second it writes."""
    _begin()
    from pbb.experiments.documents import ASKED_AT_ONCE
    from pbb.experiments.questions import questions
    from pbb.models import ask, loading

    model, tokenizer = loading.load(asked.model, Path(weights))
    every = questions(_experiment(asked), ("direct", "cot"))
    chosen = _spread(every, 2 * BATCH * asked.questions)
    prompts, longest = [q.prompt for q in chosen], ask.limits(tokenizer, chosen)
    written: list[int] = []
    go_on = ask._continue

    def counting(*arguments: Any) -> list[list[int]]:
        rows = go_on(*arguments)
        written.extend(map(len, rows))
        return rows

    size = min(ASKED_AT_ONCE, BATCH * asked.questions)
    ask.generate(model, tokenizer, prompts[:size], longest[:size], size)  # kernels are chosen
    with mock.patch.object(ask, "_continue", counting):
        seconds, _ = _timed(lambda: ask.generate(model, tokenizer, prompts, longest, size))
    theirs, _ = _timed(lambda: _as_transformers_does(model, tokenizer, prompts, longest, size))
    return {
        "generated_tokens": sum(written), "generated_tokens_per_s": sum(written) / seconds, "batch": size,
        "asked_in": str(model.dtype).removeprefix("torch."),
        "generated_tokens_per_s_by_transformers": sum(written) / theirs,
    }  # fmt: skip


def _as_transformers_does(
    model: Any, tokenizer: Any, prompts: Sequence[str], longest: Sequence[int], size: int
) -> None:
    """Answer the same prompts in the same batches with `model.generate`."""
    order = sorted(range(len(prompts)), key=lambda i: (longest[i], len(prompts[i])))
    for start in range(0, len(order), size):
        chosen = order[start : start + size]
        turns = [[{"role": "user", "content": prompts[i]}] for i in chosen]
        batch = tokenizer.apply_chat_template(
            turns, add_generation_prompt=True, padding=True, return_tensors="pt", return_dict=True
        ).to(model.device)
        special = {"pad_token_id": tokenizer.pad_token_id, "eos_token_id": tokenizer.eos_token_id}
        limit = max(longest[i] for i in chosen)
        model.generate(**batch, do_sample=False, max_new_tokens=limit, **special)


JOBS: dict[str, Callable[..., dict[str, Any]]] = {
    "machine": machine,
    "losses": losses,
    "answers": answers,
    "train": train,
    "ask": ask,
}


def main() -> None:
    job, asked, arguments = json.loads(sys.argv[1])
    Path(sys.argv[2]).write_text(json.dumps(JOBS[job](Asked(**asked), **arguments)), encoding="utf-8")


if __name__ == "__main__":
    main()
