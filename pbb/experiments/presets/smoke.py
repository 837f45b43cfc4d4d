"""Preset smoke: proves that everything runs, in minutes. Far too small to show anything; it never becomes a figure."""

from __future__ import annotations

from pbb.experiments.presets import cpu
from pbb.experiments.presets.recipe import Recipe
from pbb.programs.algorithms import Algorithms
from pbb.programs.ciphers import Ciphers
from pbb.programs.composition import Composition

BASE = cpu.BASE.changed(
    model="tiny-s",
    with_io_programs=12,
    without_io_programs=6,
    stage_1_steps=4,
    stage_2_steps=2,
    exposure_steps=2,
    execution_steps=2,
    # General documents are made 500 programs at a time, which takes longer than all else here: one stage has them.
    stage_1_general=0.0,
    stage_2_general=0.0,
    execution_general=0.0,
    grpo_warmup_steps=1,
    grpo_steps=2,
    grpo_completions=8,
    grpo_group_size=4,
    batch_rows=4,
    row_tokens=256,
    questions=2,
    checkpoints=1,
)

RECIPE = Recipe(
    base=BASE,
    models=("tiny-s",),
    lengths=(1, 2),
    retroactive=cpu.RECIPE.retroactive,
    ciphers={
        "programs": Ciphers(shortest=1, longest=2, alphabet=10, case="digits", distilled_distribution="natural"),
        **{"distilled_demonstrations": 20, "row_tokens": 320, "batch_rows": 4, "questions": 3, "checkpoints": 1},
    },
    demonstrations=cpu.RECIPE.demonstrations,
    told=cpu.RECIPE.told,
    counts=(6, 12),
    composition={
        **cpu.RECIPE.composition,
        "programs": Composition(taught_parts="w/o IO", composites="named", with_io_composites=4),
    },
    kinds=cpu.RECIPE.kinds,
    grammars=cpu.RECIPE.grammars,
    algorithms={"programs": Algorithms(), "row_tokens": 320, "checkpoints": 1},
)
