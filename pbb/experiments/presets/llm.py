"""Preset llm: a real language model, SmolLM2-135M-Instruct with LoRA, on any card, or slowly on a CPU.

The same programs and steps everywhere; all of its figures take less than 7 M training tokens a seed. Adapters of rank
32 on every linear layer hold more numbers than there is to know, from where on LoRA is said to learn as much as full
finetuning (Schulman et al., "LoRA Without Regret", 2025); the rate is near that study's rule, 5e-4 (2000 / width)^0.78.

Budgets in epochs: a document has 41 tokens (source) or 44 (execution) on average, a general one 157. With 200 w/ IO
and 50 w/o IO programs an epoch of Stage 1 is about 18,500 tokens, of exposure 11,200, of executions 9,700, of Stage 2
2,800. Before about 17 epochs nothing shows: sources and executions then come together.
"""

from __future__ import annotations

from pbb.experiments.experiment import Ask, Budget, Documents, Experiment, Grpo, Split, Training
from pbb.experiments.presets import cpu
from pbb.experiments.presets.recipe import F02_ARMS, Recipe
from pbb.programs.algorithms import Algorithms
from pbb.programs.arithmetic import Arithmetic
from pbb.programs.ciphers import Ciphers

BASE = Experiment(
    model="smollm2-135m",
    # Plain numbers, as a pretrained model knows them. It has to learn a table for each modulus: with those of `cpu`
    # it ran 43 % of w/ IO programs half-way through the mixture, with these 72 % (a tuning seed; LOG.md).
    programs=Arithmetic(wrap=None, operators=("+", "-", "*", "abs", "min", "max", "if")),
    split=Split(with_io_programs=200, without_io_programs=50, demonstrations=7),
    documents=Documents(representation="code", templates=20, trained_modes=("direct", "cot"), executions=1),
    training=Training(
        stage_1=Budget(800, 1e-3, general=0.03),  # 44 epochs
        stage_2=Budget(100, 3e-4, general=0.1),  # 36 epochs
        exposure=Budget(400, 1e-3, general=0.03),  # 36 epochs
        execution=Budget(250, 3e-4, general=0.03),  # 26 epochs
        replay=0.0,
        weight_decay=0.01,
        batch_rows=4,  # 1,024 tokens a step: what is to be known needs many steps
        row_tokens=256,  # the longest document of one, two, three statements has 86, 136, 160 tokens
        lora_rank=32,
    ),
    grpo=Grpo(warmup_steps=0, steps=150, rate=1e-4, completions=64, group_size=8, length=96),
    ask=Ask(asked=("direct", "cot", "recall"), questions=5, checkpoints=2),
)

_ROWS = {"row_tokens": 256, "batch_rows": 4}
RECIPE = Recipe(
    base=BASE,
    figures=("F01", "F02", "F04", "F05", "F08", "F12", "F14"),
    models=("smollm2-135m",),
    ladder=(  # F03, on a card
        "smollm2-135m",
        "HuggingFaceTB/SmolLM2-360M-Instruct",
        "Qwen/Qwen2.5-Coder-0.5B-Instruct",
        "meta-llama/Llama-3.2-1B-Instruct",
        "Qwen/Qwen2.5-Coder-1.5B-Instruct",
    ),
    lengths=(1, 2),
    arms=tuple(arm for arm in F02_ARMS if arm != "skip_exposure"),
    longer={2: {"stage_1_steps": 1000, "stage_2_steps": 120}},
    retroactive=cpu.RECIPE.retroactive,
    ciphers={
        "programs": Ciphers(shortest=1, longest=3, alphabet=10, case="upper", distilled_distribution="natural"),
        **{"with_io_programs": 200, "without_io_programs": 40, "distilled_demonstrations": 20},
        **{"row_tokens": 416, "batch_rows": 3, "questions": 10, "checkpoints": 1},  # 288 tokens in the longest trace
    },
    demonstrations={"distillation": (1,), "distillation_after_stage_1": (90,)},
    demonstrated={"distillation_after_stage_1": {"stage_2_steps": 400}},
    told=cpu.RECIPE.told,
    composition={**cpu.RECIPE.composition, **_ROWS},
    grammars={**cpu.RECIPE.grammars, **_ROWS},
    algorithms={
        "programs": Algorithms(sizes=("short", "medium")),
        **{"with_io_programs": 200, "without_io_programs": 60, "row_tokens": 512, "batch_rows": 2, "checkpoints": 1},
    },
    full={
        "arms": F02_ARMS,
        "demonstrations": {"distillation": (1, 10, 90), "distillation_after_stage_1": (1, 10, 90)},
    },
    # There is no hour for three seeds of everything.
    repeated={"F02": {"arm": ("stage_1_only", "proactive", "homogeneous")}},
)
