"""Which shape serves best at equal parameters: base models of 5 to 16 layers, then what each learns by PBB.

    python tests/ladder.py train 8            # pretrain the shape of 8 layers, or go on with it
    python tests/ladder.py pbb 8              # both stages of Proactive on it, on tuning seed 1000, and the controls
    python tests/ladder.py all --workers 2    # both for the shapes of 5, 8, 12 and 16 layers, side by side
    python tests/ladder.py table              # what is known so far

On a card a step is bound by its many small kernels, so that all shapes at once take minutes:
``all --workers 5 --shapes 5 8 12 16 5-plain``.

Everything lies under ``runs/ladder/`` (or where PBB_RUNS says), is kept on the way, and is never done twice.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from transformers import PreTrainedTokenizerFast

from pbb import store
from pbb.experiments.documents import WITHOUT_IO
from pbb.experiments.experiment import Experiment
from pbb.experiments.groups import groups
from pbb.programs.arithmetic import Arithmetic
from pbb.programs.program import Program
from pbb.runs.pretraining import PROBES, TinyShape, build_corpus, build_tokenizer, in_context_accuracy, train
from pbb.runs.tasks import EvaluationTask, StageTask

SEED = 1000  # of tuning
SHAPES = {  # about 1.2 M parameters each
    "5": TinyShape(hidden=128, layers=5, heads=4, inner=384, learning_rate=5e-3, steps=0),
    "8": TinyShape(hidden=104, layers=8, heads=4, inner=300, learning_rate=5e-3, steps=0),
    "12": TinyShape(hidden=80, layers=12, heads=4, inner=280, learning_rate=5e-3, steps=0),
    "16": TinyShape(hidden=72, layers=16, heads=4, inner=228, learning_rate=5e-3, steps=0),
}
SHAPES |= {f"{name}-plain": replace(s, inner=3 * s.inner // 2, gated=False) for name, s in SHAPES.items()}


def work() -> Path:
    folder = store.runs() / "ladder"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def corpus(shape: TinyShape, passes: int, workers: int) -> Dataset:
    """Return base data, made where it is not there yet."""
    if not (work() / "tokenizer").exists():
        build_tokenizer().save_pretrained(work() / "tokenizer")
    return build_corpus(work() / "corpus", work() / "tokenizer", "tiny-m", shape, workers, passes)


def pretrain(name: str, steps: int, passes: int, batch_rows: int) -> None:
    """Pretrain a shape, measure it in context on the tuning pool, and keep both."""
    shape, folder = replace(SHAPES[name], steps=steps, batch_rows=batch_rows), work() / f"{name}-{steps}"
    if (folder / "manifest.json").exists():
        return
    rows = corpus(shape, passes, 1)
    tokenizer = PreTrainedTokenizerFast.from_pretrained(work() / "tokenizer")
    model, said = train(shape, rows, tokenizer, work() / f"{name}-{steps}-training")
    ceilings = in_context_accuracy(model, tokenizer, PROBES[:2] + PROBES[5:])
    with store.atomic_folder(folder, replace=True) as partial:
        model.half().save_pretrained(partial)
        tokenizer.save_pretrained(partial)
        parameters = sum(p.numel() for p in model.parameters())
        store.write_manifest(partial, {"parameters": parameters, "in_context": ceilings, "training": said})


def experiment(name: str, steps: int, **changes: Any) -> Experiment:
    values: dict[str, Any] = {"programs": Arithmetic(), "seed": SEED, "questions": 5, "checkpoints": 1}
    return Experiment.of("cpu", arm="proactive", model=str(work() / f"{name}-{steps}"), **{**values, **changes})


def copied(program: Program, text: str) -> bool:
    """Whether an output stands in the source or is an input: then it may be copied, and tells nothing of running."""
    given = {str(value) for value in ast.literal_eval(f"({text},)")}
    return program.execution(text).output in given | set(re.findall(r"-?\d+", program.source))


def by_pbb(name: str, steps: int) -> None:
    """Train both stages, ask after each, and keep what was right beside the controls."""
    e = experiment(name, steps)
    hidden = {p.name: p for group in groups(e) if group.name == WITHOUT_IO for p in group.programs}
    found: dict[str, dict[str, float]] = {}
    for index, label in enumerate(("Stage 1 only", "Proactive")):
        StageTask(e, index).run()
        task = EvaluationTask(e, index, StageTask(e, index).checkpoints()[-1])
        task.run()
        answers = task.answers()
        for mode in ("direct", "cot", "recall"):
            rows = answers[answers["answer_mode"] == mode]
            with_io = rows[rows["group"] != WITHOUT_IO]["outcome"] == "correct"
            rows = rows[rows["group"] == WITHOUT_IO]
            right = rows["outcome"] == "correct"
            row = {"w/o IO": right.mean(), "w/ IO": with_io.mean(), "questions": len(rows)}
            if mode != "recall":
                copies = [copied(hidden[p], x) for p, x in zip(rows["program"], rows["input"], strict=True)]
                others = [  # of how many other programs the answer would be right, at the same input
                    sum(q.execution(x).output == said for q in hidden.values() if q.name != p) / (len(hidden) - 1)
                    for p, x, said in zip(rows["program"], rows["input"], rows["parsed"], strict=True)
                ]
                kept = [not copy for copy in copies]
                row |= {"permuted": sum(others) / len(others), "not copied": right[kept].mean()}
                row |= {"permuted, not copied": sum(o for o, k in zip(others, kept, strict=True) if k) / sum(kept)}
                row |= {"copy": sum(copies) / len(copies), "questions not copied": sum(kept)}
            found[f"{label}, {mode}"] = {key: round(float(value), 4) for key, value in row.items()}
    (work() / f"{name}-{steps}.json").write_text(json.dumps(found, indent=1), encoding="utf-8")


def table() -> None:
    """Print all that is known, a row a shape."""
    for folder in sorted(path for path in work().glob("*") if (path / "manifest.json").exists()):
        manifest = store.read_manifest(folder) or {}
        print(f"\n{folder.name}: {manifest['parameters']:,} parameters, {manifest['training']['seconds']} s")
        for label, row in manifest["in_context"].items():
            print(f"  in context, {label}: " + "; ".join(f"{how} {100 * share:.0f} %" for how, share in row.items()))
        if (answers := work() / f"{folder.name}.json").exists():
            for label, row in json.loads(answers.read_text(encoding="utf-8")).items():
                print(f"  {label}: " + "; ".join(f"{key} {value:.3g}" for key, value in row.items()))


def one_by_one(name: str, options: list[str]) -> None:
    """Train a shape and try it, each in a process of its own."""
    for what in ("train", "pbb"):
        subprocess.run([sys.executable, __file__, what, name, *options], check=True)
        print(f"{what} {name} is done", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("train", "pbb", "all", "table"))
    parser.add_argument("shape", nargs="?", choices=SHAPES)
    parser.add_argument("--steps", type=int, default=5_375, help="22 M tokens in all, with 16 rows a step")
    parser.add_argument("--passes", type=int, default=2, help="over the base data")
    parser.add_argument("--rows", type=int, default=16, help="of 256 tokens, a step")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--shapes", nargs="*", choices=SHAPES, default=["5", "8", "12", "16"])
    given = parser.parse_args()
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    if given.what == "table":
        table()
    elif given.what == "train":
        pretrain(given.shape, given.steps, given.passes, given.rows)
    elif given.what == "all":
        corpus(replace(SHAPES["5"], steps=given.steps, batch_rows=given.rows), given.passes, given.workers)
        options = ["--steps", str(given.steps), "--passes", str(given.passes), "--rows", str(given.rows)]
        with ThreadPoolExecutor(given.workers) as pool:
            list(pool.map(lambda name: one_by_one(name, options), given.shapes))
    else:
        by_pbb(given.shape, given.steps)


if __name__ == "__main__":
    main()
