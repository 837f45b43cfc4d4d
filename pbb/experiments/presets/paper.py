"""Preset paper: the paper's open models, on 80 GB or a cluster. Budgets are estimates: nobody has run it yet."""

from __future__ import annotations

from pbb.experiments.experiment import Ask, Budget, Documents, Experiment, Grpo, Split, Training
from pbb.experiments.presets import cpu
from pbb.experiments.presets.recipe import Recipe
from pbb.programs.algorithms import Algorithms
from pbb.programs.arithmetic import Arithmetic
from pbb.programs.ciphers import Ciphers

BASE = Experiment(
    model="meta-llama/Llama-3.1-8B-Instruct",
    programs=Arithmetic(statements=1, operations=2, wrap=10),
    split=Split(with_io_programs=800, without_io_programs=100, demonstrations=7),
    documents=Documents(representation="code", templates=20, trained_modes=("direct", "cot"), executions=1),
    training=Training(
        stage_1=Budget(1000, 3e-4, general=0.03),  # 19 epochs
        stage_2=Budget(150, 1e-4, general=0.1),  # 43 epochs
        exposure=Budget(500, 3e-4, general=0.03),  # 18 epochs
        execution=Budget(250, 1e-4, general=0.03),  # 9 epochs
        weight_decay=0.01,
        batch_rows=8,
        row_tokens=256,  # the longest document of three statements has about 200 tokens
        lora_rank=32,
    ),
    # Such a model knows what a chain of thought is, so that GRPO needs no answer shown before.
    grpo=Grpo(warmup_steps=0, steps=300, rate=5e-5, completions=24, group_size=8, length=96),
    ask=Ask(asked=("direct", "cot", "recall"), questions=5, checkpoints=1),  # 16 GB of disk a checkpoint
)

_ROWS = {"row_tokens": 256, "batch_rows": 8}
RECIPE = Recipe(
    base=BASE,
    models=(
        "meta-llama/Llama-3.2-1B-Instruct",
        "meta-llama/Llama-3.2-3B-Instruct",
        "meta-llama/Llama-3.1-8B-Instruct",
        "Qwen/Qwen3-14B",
    ),
    longer={2: {"stage_1_steps": 1200}, 3: {"stage_1_steps": 1500}},
    retroactive=cpu.RECIPE.retroactive,
    ciphers={
        "programs": Ciphers(shortest=1, longest=3, alphabet=10, case="upper", distilled_distribution="natural"),
        **{"with_io_programs": 300, "without_io_programs": 40, "distilled_demonstrations": 20},
        **{"row_tokens": 416, "batch_rows": 5, "questions": 10, "checkpoints": 1},  # 288 tokens in the longest trace
    },
    demonstrations=cpu.RECIPE.full["demonstrations"],
    demonstrated={"distillation_after_stage_1": {"stage_2_steps": 750}},
    told=cpu.RECIPE.told,
    composition={**cpu.RECIPE.composition, **_ROWS},
    grammars={**cpu.RECIPE.grammars, **_ROWS},
    algorithms={
        "programs": Algorithms(sizes=("short", "medium")),
        **{"with_io_programs": 200, "without_io_programs": 60, "row_tokens": 512, "batch_rows": 8, "checkpoints": 1},
    },
)
