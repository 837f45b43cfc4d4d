"""Train by backends, save, reload and ask: ``python tests/unsloth_training.py FOLDER MODEL,BACKEND,RANK[,grpo] …``.

tests/test_backends.py runs it in processes of their own, since Unsloth alters trl and transformers for good. A fourth
word adds two steps of GRPO. Each gets a folder of its name within FOLDER, with report.json.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

os.environ.update(UNSLOTH_FORCE_CPU="1", HF_HUB_OFFLINE="1")

from pbb.experiments.experiment import Experiment
from pbb.models import backends


def main(model_name: str, out: Path, backend: str, rank: int, grpo: bool) -> dict[str, Any]:
    if backend.startswith("unsloth"):
        backends.import_unsloth()
    import torch

    torch.set_num_threads(1)
    from pbb.experiments.curricula import curriculum
    from pbb.experiments.groups import groups
    from pbb.experiments.questions import questions
    from pbb.models import ask, grpo, loading, sft

    # Products on bfloat16 tiles, where a CPU has them, differ by more than the two backends do.
    sft.use_fast_matmul = lambda: "float32"
    e = Experiment.of("cpu", 
        model=model_name, arm="retroactive", backend=backend, lora_rank=rank, with_io_programs=6, seed=3,
        without_io_programs=3, demonstrations=1, stage_1_general=0.0, templates=1, trained_modes=("direct",),
    )  # fmt: skip
    chosen = backends.choose(e)
    model, tokenizer = backends.load(e, chosen)
    rows, _ = sft.fill_rows(curriculum(e)[0].documents(), tokenizer, 128, 24)
    how = sft.Optimisation(learning_rate=3e-3, batch_rows=4, row_tokens=128, lora_rank=rank)
    done = sft.finetune(
        model, tokenizer, rows, 12, how, 3, progress=False, backend=chosen,
        checkpoints=[12], on_checkpoint=lambda step, current: loading.save(current, out / "sft"),
    )  # fmt: skip
    reloaded, _ = loading.load(model_name, out / "sft")
    asked = ask.evaluate(reloaded, tokenizer, questions(e, ("direct",)))
    report = {
        "chosen": str(chosen),
        "losses": [row["loss"] for row in done.log],
        "answers": [row["completion"] for row in asked],
    }
    if grpo:
        model, tokenizer = backends.load(e, chosen, out / "sft")
        policy = grpo.PolicyOptimisation(
            completions=16, group_size=8, temperature=2.0, max_completion_length=4, lora_rank=rank, learning_rate=1e-3,
        )  # fmt: skip
        rewarded = grpo.reinforce(
            model, tokenizer, curriculum(e)[1].documents(), groups(e)[0], 2, policy, 3, progress=False,
            checkpoints=[2], on_checkpoint=lambda step, current: loading.save(current, out / "grpo"),
        )  # fmt: skip
        report["generated"] = rewarded.tokens_generated
        loading.load(model_name, out / "grpo")
    return report


if __name__ == "__main__":
    for each in sys.argv[2:]:
        name, by, lora_rank, *more = each.split(",")
        (own := Path(sys.argv[1]) / each).mkdir()
        (own / "report.json").write_text(json.dumps(main(name, own, by, int(lora_rank), bool(more))))
