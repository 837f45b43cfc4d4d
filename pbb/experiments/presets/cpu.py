"""Preset cpu: tiny models that were pretrained here; two cores, 8 GB, an hour for all figures.

Every value was chosen on seeds and programs that no reference run uses (LOG.md, figures/README.md).
"""

from __future__ import annotations

from pbb.experiments.base_data import CIPHERS
from pbb.experiments.experiment import ASKED, Ask, Budget, Documents, Experiment, Grpo, Split, Training
from pbb.experiments.presets.recipe import Recipe
from pbb.programs.arithmetic import Arithmetic
from pbb.programs.ciphers import Ciphers
from pbb.programs.composition import Composition
from pbb.programs.grammars import Grammars
from pbb.programs.sums import Sums

BASE = Experiment(
    model="tiny-m",  # 1.2 M parameters
    programs=Arithmetic(statements=1, operations=2, wrap=10),
    split=Split(with_io_programs=800, without_io_programs=100, demonstrations=7),  # of ten inputs
    documents=Documents(representation="code", templates=20, trained_modes=("direct", "cot"), executions=1),
    training=Training(
        stage_1=Budget(1500, 1.5e-3, general=0.03),
        stage_2=Budget(200, 4e-4, general=0.1),
        exposure=Budget(1000, 1.5e-3, general=0.03),
        execution=Budget(300, 4e-4, general=0.03),
        replay=0.0,
        weight_decay=0.1,
        batch_rows=8,
        row_tokens=128,
        lora_rank=0,  # all weights: cheapest for models this small
    ),
    grpo=Grpo(warmup_steps=100, steps=200, rate=1e-4, completions=64, group_size=8, length=64),
    ask=Ask(asked=("direct", "cot", "recall"), questions=5, checkpoints=3),
)

RECIPE = Recipe(
    base=BASE,
    models=("tiny-s", "tiny-sm", "tiny-m", "tiny-ml", "tiny-l"),
    # Longer programs need longer rows, and more training to be recalled; a step stays about as many tokens.
    longer={
        2: {"row_tokens": 192, "batch_rows": 6, "stage_1_steps": 1650},
        3: {"row_tokens": 256, "batch_rows": 4, "stage_1_steps": 1800},
    },
    # The simplest programs. More weight decay than elsewhere favours one memory of a number for all ways of asking.
    sums={
        **{"programs": Sums(), "with_io_programs": 430, "weight_decay": 0.5, "stage_1_steps": 2000, "asked": ASKED},
    },
    # F06 asks for chains of thought alone: direct answers are right by chance, and rewards for chance hide the others.
    retroactive={"trained_modes": ("cot",), "asked": ("cot", "recall"), "stage_2_doublings": 6},
    # Half of them ask as many questions as GRPO and the SFT before it do: SFT is evaluated there.
    retroactive_sft={"execution_steps": 400},
    # The tiny models know no letters as numbers; these kinds are what tiny-m-strings was made of.
    ciphers={
        "model": "tiny-m-strings",
        "programs": Ciphers(
            kinds=CIPHERS.kinds, shortest=1, longest=3, alphabet=10, case="digits", distilled_distribution="natural"
        ),
        **{"with_io_programs": 300, "without_io_programs": 40, "distilled_demonstrations": 20},
        **{"stage_1_steps": 2000, "stage_2_steps": 150, "row_tokens": 320, "batch_rows": 4},
        **{"questions": 10, "checkpoints": 1},
    },
    # Programs of 120 inputs leave room for a hundred demonstrations.
    demonstrations={
        "distillation": (1, 10, 100),
        "distillation_after_stage_1": (1, 10, 100),
        "distillation_values": (1, 10, 100),
        "distillation_traces": (1, 10, 100),
    },
    told={"high": 119, "demonstrations": 20, "checkpoints": 1},
    counts=(200, 800, 2400),  # of two statements, since there are about 1,000 of one
    composition={
        "programs": Composition(taught_parts="w/o IO", composites="named", with_io_composites=200),
        **{"questions": 10, "checkpoints": 1, "row_tokens": 224, "batch_rows": 5},
    },
    grammars={
        "model": "tiny-m-strings",
        "programs": Grammars(nonterminals=3, terminals=4, longest=6),
        **{"questions": 8, "checkpoints": 1, "row_tokens": 192, "batch_rows": 6},
    },
)
