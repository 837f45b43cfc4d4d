"""Preset cpu: tiny models that were pretrained here; two cores, 8 GB, an hour for all figures.

Every value was chosen on seeds and programs that no reference run uses (LOG.md, figures/README.md).
"""

from __future__ import annotations

from pbb.experiments.base_data import CIPHERS
from pbb.experiments.experiment import ASKED, Ask, Budget, Documents, Experiment, Grpo, Split, Training
from pbb.experiments.presets.recipe import CIPHERS_ARMS, Recipe
from pbb.programs.algorithms import Algorithms
from pbb.programs.arithmetic import Arithmetic
from pbb.programs.ciphers import Ciphers
from pbb.programs.composition import KINDS, SHOWN, WITH_BUILTIN, Composition
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

_SIZES = ("tiny-s", "tiny-sm", "tiny-m")
_SIZE_ENDS = {"model": _SIZES[1:]}  # tiny-s ran 77 % of the tuning pool's in context: too little for a verdict
_KINDS = tuple(kind for kind in KINDS if kind != SHOWN)
_MAIN = ("proactive", "stage_1_only")

RECIPE = Recipe(
    base=BASE,
    models=_SIZES,
    # Longer programs need longer rows, and more training to be recalled; a step stays about as many tokens.
    longer={
        2: {"row_tokens": 192, "batch_rows": 6, "stage_1_steps": 1650},
        3: {"row_tokens": 256, "batch_rows": 4, "stage_1_steps": 1800},
    },
    # The simplest programs. More weight decay than elsewhere favours one memory of a number for all ways of asking.
    sums={
        **{"programs": Sums(), "with_io_programs": 430, "weight_decay": 0.5, "stage_1_steps": 1650, "asked": ASKED},
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
        **{"stage_1_steps": 1700, "stage_2_steps": 150, "row_tokens": 384, "batch_rows": 3},
        **{"questions": 10, "checkpoints": 1},
    },
    ciphers_arms=tuple(arm for arm in CIPHERS_ARMS if arm != "distillation_values"),
    # Programs of two arguments have a hundred inputs, and are run in context.
    demonstrations={"distillation": (1, 90), "distillation_after_stage_1": (90,)},
    # They are drawn with replacement: the 200 steps in which sources are told would show 46 of 90, these about 88.
    demonstrated={"distillation_after_stage_1": {"stage_2_steps": 1000}},
    told={"arguments": 2, "demonstrations": 20, "checkpoints": 1},
    templates=(1, 20),
    composition={
        "programs": Composition(taught_parts="w/o IO", composites="named", with_io_composites=200),
        **{"questions": 10, "checkpoints": 1, "row_tokens": 224, "batch_rows": 5},
    },
    grammars={
        "model": "tiny-m-strings",
        "programs": Grammars(nonterminals=3, terminals=4, longest=6),
        **{"questions": 8, "checkpoints": 1, "row_tokens": 192, "batch_rows": 6},
    },
    algorithms={
        "model": "tiny-m-strings",
        "programs": Algorithms(),
        **{"with_io_programs": 200, "without_io_programs": 60, "row_tokens": 480, "batch_rows": 3},
        **{"checkpoints": 1},
    },
    kinds=tuple(kind for kind in _KINDS if kind != WITH_BUILTIN),
    algorithms_arms=("untuned", "stage_1_only", "proactive", "in_context"),
    algorithms_splits=("families",),
    full={
        "ciphers_arms": CIPHERS_ARMS,
        "demonstrations": dict.fromkeys(
            ("distillation", "distillation_after_stage_1", "distillation_values", "distillation_traces"), (1, 10, 90)
        ),
        "templates": (1, 4, 20),
        "kinds": _KINDS,
        "algorithms_arms": ("untuned", "stage_1_only", "homogeneous", "proactive", "in_context"),
        "algorithms_splits": ("families", "programs"),
    },
    # What the primary contrasts of `pbb.analysis.claims` read; F11's too, whose base model runs too little in context
    # for a verdict, since more seeds say how far from nothing it is. Not F13's: its base model runs half of the
    # grammars in context. What figures share costs nothing more: F05, F09, F10, F12 and F14 have two statements.
    repeated={
        "F01": {},
        "F02": {"arm": (*_MAIN, "homogeneous", "retroactive"), "model": ("tiny-m",)},
        "F03": _SIZE_ENDS | {"arm": _MAIN},
        "F04": _SIZE_ENDS | {"arm": _MAIN},
        "F05": {"arm": _MAIN, "statements": (1, 2)},
        "F06": {"arm": ("retroactive", "retroactive_grpo")},
        "F07": {"arm": ("proactive", "distillation", "pbb_and_distillation", "stage_1_only", "in_context")},
        "F08": {"arm": (*_MAIN, "distillation"), "distilled_demonstrations": (0, 1, 90)},
        "F09": {"arm": _MAIN, "with_io_programs": (200, 800, 2400)},
        "F10": {"arm": _MAIN, "templates": (1, 20)},
        "F11": {"arm": _MAIN, "taught_parts": ("w/o IO",)},
        "F12": {"arm": (*_MAIN, "in_context"), "statements": (2,)},
        "F14": {"arm": (*_MAIN, "homogeneous", "retroactive"), "statements": (1, 2)},
    },
)
