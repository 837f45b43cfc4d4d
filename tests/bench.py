"""How fast things are, as a table: ``make bench``, or ``python tests/bench.py PART ...`` for some parts of it.

Every target is a ratio of two things, or a limit of one, measured in one run on one machine. Seconds of training, of
answering and of generating are the processor's, so that other work on the machine hardly enters; plans, a second
`make reproduce` and sweeps go by the clock, and want a machine with nothing else to do.
"""

from __future__ import annotations

import argparse
import itertools
import multiprocessing
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

ROOT = Path(__file__).resolve().parents[1]
MODEL = "tiny-m"


@dataclass(frozen=True)
class Row:
    """A line of the table. `target` is what `value` has to reach, or with `most` what it may not exceed."""

    name: str
    value: float | None
    unit: str
    target: float | None = None
    most: bool = False
    note: str = ""

    def __str__(self) -> str:
        value, verdict = "-", ""
        if self.value is not None:
            value = f"{self.value:,.0f}" if abs(self.value) >= 100 else f"{self.value:.2g}"
            value = f"{self.value:.1f}" if 10 <= abs(self.value) < 100 else value
            if self.target is not None:
                reached = self.value <= self.target if self.most else self.value >= self.target
                verdict = f"{'≤' if self.most else '≥'} {self.target:g} {'reached' if reached else 'missed'}"
        return f"  {self.name:<44}{value:>9} {self.unit:<16}{verdict:<16}{self.note}".rstrip()


def seconds(work: Callable[[], Any]) -> tuple[float, float, Any]:
    """Return processor seconds (of child processes too), seconds by the clock, and what `work` returned."""

    def used() -> float:
        both = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        return sum(usage.ru_utime + usage.ru_stime for usage in both)

    start, clock = used(), time.perf_counter()
    result = work()
    return used() - start, time.perf_counter() - clock, result


# ------------------------------------------------------------------------------------------------- training
def training(steps: int = 30, rounds: int = 3) -> Iterator[Row]:
    """SFT as pbb does it, against TRL's defaults, and against what the processor does in plain matrix products.

    All of them train tiny-m on the documents of Proactive's Stage 1, in turn, `rounds` times; tokens are those of
    documents, never padding. TRL's defaults are batches of 8 documents, each padded to the longest, and SDPA attention.
    Where TRL's defaults would be slow on a CPU, it is given ours: full precision, no gradient checkpointing.
    """
    import torch
    from datasets import Dataset
    from transformers import PrinterCallback
    from trl import SFTConfig, SFTTrainer

    from pbb.experiments.curricula import curriculum
    from pbb.experiments.experiment import Experiment
    from pbb.models import loading, sft

    experiment = Experiment(model=MODEL, arm="stage_1_only")
    (stage,) = curriculum(experiment)
    tokenizer = loading.load_tokenizer(MODEL)
    budget = sft.Optimisation(stage.learning_rate, experiment.training.batch_rows, experiment.training.row_tokens)
    documents = list(itertools.islice(stage.documents(), 8 * steps))
    padded_tokens = sum(len(ids) for ids, _ in sft.encode(documents, tokenizer))
    conversations = Dataset.from_list([{"messages": document.messages()} for document in documents])
    rows, _ = sft.fill_rows(stage.documents(), tokenizer, budget.row_tokens, steps * budget.batch_rows)
    padding = sum(token == tokenizer.pad_token_id for row in rows["input_ids"] for token in row)
    packed_tokens = steps * budget.batch_rows * budget.row_tokens - padding
    used: list[float] = []
    train = SFTTrainer.train
    SFTTrainer.train = lambda self: used.append(seconds(lambda: train(self))[0])  # without setting a trainer up

    def ours() -> float:
        sft.finetune(loading.load(MODEL)[0], tokenizer, rows, steps, budget, 0, progress=False)
        return packed_tokens / used[-1]

    def trls(attention: str) -> float:
        model = loading.load(MODEL)[0].train()
        model.set_attn_implementation(attention)
        cpu = {"use_cpu": True, "bf16": False, "gradient_checkpointing": False}
        silent = {"save_strategy": "no", "report_to": "none", "disable_tqdm": True, "logging_steps": steps}
        with tempfile.TemporaryDirectory() as folder:
            arguments = SFTConfig(folder, max_steps=steps, **cpu, **silent)
            trainer = SFTTrainer(model, arguments, train_dataset=conversations, processing_class=tokenizer)
            trainer.remove_callback(PrinterCallback)
            sft.use_fast_matmul()
            trainer.train()
            torch.set_float32_matmul_precision("highest")
        return padded_tokens / used[-1]

    measured = [(ours(), trls("sdpa"), trls("eager"), _matrix_rate(1024, 1024, 1024)) for _ in range(rounds)]
    SFTTrainer.train = train
    parameters = loading.load(MODEL)[0].num_parameters()
    shape = (budget.batch_rows * budget.row_tokens, 128, 384)
    small = _matrix_rate(*shape)
    fast, sdpa, eager, rate = (statistics.median(column) for column in zip(*measured, strict=True))
    flops = 6 * parameters * fast
    yield Row("SFT", fast, "tokens/CPU s", note=f"{MODEL}, {steps} steps, median of {rounds}")
    yield Row("against TRL's defaults", fast / sdpa, "times", 1.5, note=f"{sdpa:,.0f} tokens/CPU s")
    yield Row("against TRL's defaults with our attention", fast / eager, "times", note=f"{eager:,.0f} tokens/CPU s")
    yield Row("its products, 6 N a token", flops / 1e9, "GFLOP/CPU s", note=f"N = {parameters:,}")
    yield Row("of the rate of a product of 1024³", 100 * flops / rate, "%", 50, note=f"{rate / 1e9:,.0f} GFLOP/CPU s")
    widths = " × ".join(map(str, shape))
    yield Row(f"of a product of {widths}, as in its layers", 100 * flops / small, "%", note=f"{small / 1e9:,.0f}")


def _matrix_rate(m: int, k: int, n: int, repeats: int = 7) -> float:
    """Return floating-point operations a processor second of (m, k) by (k, n) in the precision of training."""
    import torch

    from pbb.models import sft

    sft.use_fast_matmul()
    left, right = torch.randn(m, k), torch.randn(k, n)
    times = max(1, int(2e10 / (m * k * n)))
    found = []
    for _ in range(repeats):
        used, _, _ = seconds(lambda: [left @ right for _ in range(times)])
        found.append(2 * m * k * n * times / used)
    torch.set_float32_matmul_precision("highest")
    return max(found[1:])


# ------------------------------------------------------------------------------------------------- adapters
REAL = "smollm2-135m"


def adapting(steps: int = 6) -> Iterator[Row]:
    """LoRA of a real model on one core as pbb does it, and as one would write it with TRL and PEFT.

    Both train rank 32 on the documents of Proactive's Stage 1, each in a process of its own; tokens are those of
    documents. TRL and PEFT are given float32, batches of 8 documents, each padded to the longest, loss on completions
    and no gradient checkpointing; the rest is their defaults. First steps, which compile, do not count.
    """
    from pbb.models import gguf

    if wanted := gguf.wanted(REAL):
        yield Row("LoRA", None, "tokens/CPU s", note=f"{REAL}: {wanted}")
        return
    ours, theirs = (_adapt_apart(1, steps, by)[0] for by in ("pbb", "trl"))
    pair = _adapt_apart(2, steps, "pbb")
    rate = ours["tokens"] / ours["used"]
    by_trl = theirs["tokens"] / theirs["used"]
    yield Row(
        "LoRA of rank 32", rate, "tokens/CPU s", note=f"{REAL}, {ours['precision']}, {steps} steps; {cpu_flags()}"
    )
    yield Row("against TRL and PEFT", rate / by_trl, "times", 3, note=f"{by_trl:,.0f} tokens/CPU s in float32")
    products = ours["products"]
    note = f"{ours['flop'] / products / 1e9:,.0f} GFLOP/CPU s; the adapters' own are not counted"
    yield Row("of the rate of its products alone", 100 * products / ours["used"], "%", 60, note=note)
    together = sum(one["tokens"] / one["clock"] for one in pair) / (ours["tokens"] / ours["clock"])
    yield Row("2 processes against 1, by the clock", together, "times")
    yield Row("memory of one process", ours["peak"], "GB", 8, most=True, note=f"TRL and PEFT: {theirs['peak']:.1f} GB")


def asking(questions: int = 24, batch: int = 24) -> Iterator[Row]:
    """Answers of a real model one at a time and in batches, in the numbers in which it is asked here."""
    from pbb.experiments.experiment import Experiment
    from pbb.experiments.questions import questions as questions_of
    from pbb.models import ask, gguf, loading

    if wanted := gguf.wanted(REAL):
        yield Row("answers that depend on the batch", None, "%", note=f"{REAL}: {wanted}")
        return
    model, tokenizer = loading.load(REAL)
    asked = questions_of(Experiment.of("cpu", model=REAL, with_io_programs=1), ("direct", "cot"))
    sample = asked[:: len(asked) // questions][:questions]
    # Rounding depends on a batch's shape, so that near ties may fall either way: now and then in 16 bits.
    prompts, most = [q.prompt for q in sample], ask.limits(tokenizer, sample)
    alone, together = (ask.generate(model, tokenizer, prompts, most, size) for size in (1, batch))
    differs = sum(one != other for one, other in zip(alone, together, strict=True)) / len(prompts)
    note = f"{questions} answers of {REAL}, batches of 1 and {batch}, {str(model.dtype).removeprefix('torch.')}"
    yield Row("answers that depend on the batch", 100 * differs, "%", note=note)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    yield Row("memory of the process", peak, "GB", 8, most=True)


def cpu_flags() -> str:
    """Return what lscpu says of the CPU's instructions for matrix products, or that nothing is known of them."""
    try:
        text = subprocess.run(["lscpu"], capture_output=True, text=True).stdout
    except FileNotFoundError:
        return "lscpu is not installed"
    flags = [word for word in text.split() if word.startswith(("avx2", "avx512f", "avx512_bf16", "avx512_fp16", "amx"))]
    return " ".join(flags) or "no AVX2"


def _adapt_apart(processes: int, steps: int, by: str) -> list[dict[str, Any]]:
    with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn")) as pool:
        return [job.result() for job in [pool.submit(_adapt, steps, by) for _ in range(processes)]]


def _adapt(steps: int, by: str) -> dict[str, Any]:
    """Train for `steps` steps; return tokens, seconds and memory of all steps but the first."""
    import torch
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import PrinterCallback, TrainerCallback
    from trl import SFTConfig, SFTTrainer

    from pbb.experiments.curricula import curriculum
    from pbb.experiments.experiment import Experiment
    from pbb.models import backends, loading, sft
    from pbb.models.machine import compile_in_place
    from pbb.models.model_size import Shape
    from pbb.registry import config_of

    torch.set_num_threads(1)
    budget = {"lora_rank": 32, "batch_rows": 4, "row_tokens": 256}
    e = Experiment.of("cpu", model=REAL, arm="stage_1_only", stage_1_general=0.0, **budget)
    documents = curriculum(e)[0].documents()
    backend = backends.choose(e)
    marks: list[tuple[float, float]] = []

    def mark() -> None:
        marks.append((time.process_time(), time.perf_counter()))

    class Mark(TrainerCallback):
        def on_step_end(self, *arguments: Any, **more: Any) -> None:
            mark()

    found: dict[str, Any] = {"precision": backend.precision}
    if by == "pbb":
        model, tokenizer = backends.load(e, backend)
        compile_in_place(model)  # as `pbb.runs.tasks` does
        how = sft.Optimisation(1e-3, **budget)
        rows, _ = sft.fill_rows(documents, tokenizer, how.row_tokens, steps * how.batch_rows)
        tokens = sum(token != tokenizer.pad_token_id for row in rows["input_ids"] for token in row)
        labels = sum(label != sft.IGNORE for row in rows["labels"] for label in row)
        every = {"checkpoints": range(1, steps + 1), "on_checkpoint": lambda step, model: mark()}
        sft.finetune(model, tokenizer, rows, steps, how, 0, progress=False, backend=backend, **every)
        shape = Shape.of(config_of(REAL))
        assert shape is not None
        head = (shape.hidden, shape.vocabulary)
        products = [(how.batch_rows * how.row_tokens, *side, shape.layers) for side in shape.sides]
        measured = [
            _products(*size, backend.autocast or "float32") for size in [*products, (labels // steps, *head, 1)]
        ]
        found["flop"], found["products"] = (sum(column) * (steps - 1) for column in zip(*measured, strict=True))
    else:
        model, tokenizer = loading.load(REAL, dtype="float32")
        taken = list(itertools.islice(documents, 8 * steps))
        tokens = sum(len(ids) for ids, _ in sft.encode(taken, tokenizer))
        turns = [{"prompt": d.messages()[:1], "completion": d.messages()[1:2]} for d in taken]
        with tempfile.TemporaryDirectory() as folder:
            cpu = {"use_cpu": True, "bf16": False, "gradient_checkpointing": False}
            silent = {"save_strategy": "no", "report_to": "none", "disable_tqdm": True}
            trainer = SFTTrainer(
                model.train(),
                SFTConfig(folder, max_steps=steps, **cpu, **silent),
                train_dataset=Dataset.from_list(turns),
                processing_class=tokenizer,
                peft_config=LoraConfig(r=32, lora_alpha=64, target_modules="all-linear", task_type="CAUSAL_LM"),
                callbacks=[Mark()],
            )
            trainer.remove_callback(PrinterCallback)
            trainer.train()
    (used, clock), (last_used, last_clock) = marks[0], marks[-1]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    counted = tokens * (steps - 1) / steps
    return {**found, "tokens": counted, "used": last_used - used, "clock": last_clock - clock, "peak": peak}


def _products(rows: int, inputs: int, outputs: int, layers: int, dtype: str) -> tuple[float, float]:
    """Return operations and processor seconds of frozen layers' products in a step: forward and for what came in."""
    import torch

    each = {"dtype": getattr(torch, dtype)}
    given, weight = torch.randn(rows, inputs, **each), torch.randn(outputs, inputs, **each)
    gradient = torch.randn(rows, outputs, **each)
    times = max(2, int(1e10 / (rows * inputs * outputs)))
    found = []
    for _ in range(3):
        started = time.process_time()
        for _ in range(times):
            torch.nn.functional.linear(given, weight)
            gradient @ weight
        found.append((time.process_time() - started) / times)
    return 4.0 * rows * inputs * outputs * layers, min(found) * layers


# ----------------------------------------------------------------------------------------------- evaluation
def evaluating(alone: int = 24) -> Iterator[Row]:
    """Answers of tiny-m as pbb asks for them, against transformers' `generate` on a sample, one question at a time."""
    from transformers import GenerationConfig

    from pbb.experiments.experiment import Experiment
    from pbb.experiments.questions import questions
    from pbb.models import ask, loading

    model, tokenizer = loading.load(MODEL)
    asked = questions(Experiment.of("cpu", model=MODEL, with_io_programs=1), ("direct", "cot"))
    together, _, rows = seconds(lambda: ask.evaluate(model, tokenizer, asked))
    sample = range(0, len(asked), len(asked) // alone)[:alone]
    most = ask.limits(tokenizer, asked)
    longest = [most[i] for i in sample]
    special = {"pad_token_id": tokenizer.pad_token_id, "eos_token_id": tokenizer.eos_token_id}

    def one_at_a_time() -> list[str]:
        completions = []
        for i, limit in zip(sample, longest, strict=True):
            turns = [{"role": "user", "content": asked[i].prompt}]
            ids = tokenizer.apply_chat_template(
                turns, add_generation_prompt=True, return_tensors="pt", return_dict=False
            )
            config = GenerationConfig(do_sample=False, max_new_tokens=limit, **special)
            new = model.generate(ids, attention_mask=ids.new_ones(ids.shape), generation_config=config)[
                0, ids.shape[1] :
            ]
            completions.append(tokenizer.decode(new, skip_special_tokens=True))
        return completions

    single, _, completions = seconds(one_at_a_time)
    equal = sum(rows[i]["completion"] == completion for i, completion in zip(sample, completions, strict=True))
    rate, slow = len(asked) / together, len(sample) / single
    yield Row("answers in batches", rate, "answers/CPU s", note=f"{len(asked):,} questions to {MODEL}")
    note = f"{slow:.2g} answers/CPU s; {equal} of {len(sample)} answers are the same"
    yield Row("against model.generate, one at a time", rate / slow, "times", 15, note=note)


# ----------------------------------------------------------------------------------------------- generating
def generating(alone: int = 50) -> Iterator[Row]:
    """Programs with executed outputs and traces, together, and arithmetic ones each in a fresh process."""
    from pbb.programs import (
        Algorithms,
        Arithmetic,
        Ciphers,
        Composition,
        Grammars,
        execute_many,
        generate,
    )

    kinds: list[tuple[str, Any, int]] = [
        ("arithmetic, 1 statement", Arithmetic(), 800),
        ("arithmetic, 3 operations", Arithmetic(operations=3), 4000),
        ("arithmetic, 3 statements", Arithmetic(statements=3), 2000),
        ("algorithms", Algorithms(), 150),
        ("ciphers", Ciphers(), 200),
        ("grammars", Grammars(), 200),
        ("composition", Composition(), 200),
    ]
    together, sample = 0.0, []
    for name, knobs, count in kinds:
        used, _, programs = seconds(lambda knobs=knobs, count=count: generate(knobs, count, "benchmark"))
        inputs = sum(len(program.inputs) for program in programs)
        first = not sample
        together, sample = (count / used, programs[:alone]) if first else (together, sample)
        target = 1000 if first else None
        yield Row(name, count / used, "programs/CPU s", target, note=f"{count:,} with {inputs:,} inputs")

    def one_at_a_time() -> None:
        for program in sample:
            job = (program.name, program.source, program.inputs)
            execute_many([job], trace=False)  # as `generate` does: first for its outputs, then with its trace
            (traced,) = execute_many([job])
            assert traced == list(program.executions)

    rate = len(sample) / seconds(one_at_a_time)[0]
    yield Row("together against one at a time", together / rate, "times", note=f"{rate:.2g} programs/CPU s")


# ---------------------------------------------------------------------------------- plans, no-ops and sweeps
def planning() -> Iterator[Row]:
    """The plan of all figures, and a `make reproduce` that finds everything done."""

    def call(*command: str) -> tuple[float, str]:
        started = time.perf_counter()
        done = subprocess.run([sys.executable, "-m", "pbb", *command], cwd=ROOT, capture_output=True, text=True)
        if done.returncode not in (0, 3):  # 3: a value differs from the reference's
            raise RuntimeError(done.stderr)
        return time.perf_counter() - started, done.stdout

    clock, said = call("plan")
    yield Row("python -m pbb plan", clock, "s", note=said.splitlines()[0])
    if "nothing to compute" in said:
        call("reproduce")  # figures and notebooks, where they are not up to date
        yield Row("make reproduce, with everything done", call("reproduce")[0], "s", 10, most=True)
    else:
        yield Row(
            "make reproduce, with everything done", None, "s", note="something is missing: `make reproduce` first"
        )


def sweeping(count: int = 8) -> Iterator[Row]:
    """A sweep of eight short runs with one worker and with two."""
    from pbb.experiments.experiment import Experiment
    from pbb.runs import run

    short = {"arm": "stage_2_only", "stage_2_steps": 60, "batch_rows": 16}
    sweep = [Experiment.of("smoke", seed=seed, **short) for seed in range(count)]
    took = {}
    for workers in (1, 2):
        with tempfile.TemporaryDirectory() as folder, mock.patch.dict(os.environ, PBB_RUNS=folder):
            took[workers] = seconds(lambda workers=workers: run.run(sweep, workers=workers, say=lambda line: None))[1]
    yield Row(
        f"{count} runs on 2 workers against 1", took[1] / took[2], "times", note=f"{took[1]:.0f} s, {took[2]:.0f} s"
    )


PARTS: dict[str, Callable[[], Iterator[Row]]] = {
    "training": training,
    "adapting": adapting,
    "asking": asking,
    "evaluating": evaluating,
    "generating": generating,
    "planning": planning,
    "sweeping": sweeping,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition(":")[0])
    parser.add_argument("part", nargs="*", help=f"of {', '.join(PARTS)}; default all")
    chosen = parser.parse_args().part or list(PARTS)
    if unknown := [part for part in chosen if part not in PARTS]:
        parser.error(f"part={unknown[0]!r} is not valid; valid: {', '.join(PARTS)}")
    os.environ |= {"TRANSFORMERS_VERBOSITY": "error", "HF_DATASETS_DISABLE_PROGRESS_BARS": "1"}
    busy = f"{os.getloadavg()[0]:.1f} processes were running"
    print(f"Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} cores; {busy}")
    if set(chosen) & {"training", "evaluating", "asking"}:
        import torch

        from pbb.store import quiet

        quiet()
        torch.set_num_threads(1)  # as in a worker
    for part in chosen:
        print(f"\n{part}")
        for row in PARTS[part]():
            print(row, flush=True)


if __name__ == "__main__":
    main()
