"""What a recipe holds: an experiment with every value, and what its figures change in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pbb.experiments.experiment import Experiment
from pbb.programs.composition import KINDS, SHOWN

Changes = Mapping[str, Any]  # what `Experiment.changed` takes

ALL_FIGURES = (*(f"F{number:02}" for number in range(1, 15)), "F16")
F02_ARMS = (
    *("untuned", "in_context", "stage_1_only", "stage_2_only", "no_demonstrations", "skip_exposure"),
    *("homogeneous", "proactive", "retroactive"),
)
CIPHERS_ARMS = (
    *("proactive", "distillation", "distillation_values", "distillation_after_stage_1", "pbb_and_distillation"),
    *("stage_1_only", "in_context"),
)


@dataclass(frozen=True)
class Recipe:
    """A preset: `base`, and for each figure what it changes (`pbb.experiments.studies` says how it is used).

    Attributes:
        base: the experiment that all others are changes of.
        figures: those that "all figures" means; any other can be asked for by name.
        full: other values of these fields, for all that there is to run (``FULL=1``): what they have without it has
            to be done in an hour.
        repeated: what seeds after the first repeat: for each figure the fields that tell an experiment, and their
            values. Other figures are left to the first seed. None repeats everything.
        arms: of F02, as a reader meets them.
        models: of F03 and F04, the smallest first.
        ladder: of F03, where it has more models than F04.
        lengths: statements, of F05 and F12.
        longer: what programs of so many statements change.
        sums: F05's programs of one addition; None leaves them out.
        retroactive: F06, all arms.
        retroactive_sft: F06, the arms without GRPO.
        ciphers: F07.
        ciphers_arms: of F07.
        demonstrations: of F08, for each program, by the arm that is shown so many.
        demonstrated: F08, what those arms change.
        told: F08, all arms.
        counts: w/ IO programs, of F09.
        templates: of F10.
        composition: F11.
        kinds: of its composites, by what is taught of their parts.
        grammars: F13.
        algorithms: F16, and a panel of F02.
        algorithms_arms: of F16.
        algorithms_splits: how its w/o IO programs are held apart (`pbb.programs.algorithms`).
    """

    base: Experiment
    figures: tuple[str, ...] = ALL_FIGURES
    models: tuple[str, ...] = ()
    ladder: tuple[str, ...] = ()
    lengths: tuple[int, ...] = (1, 2, 3)
    full: Changes = field(default_factory=dict)
    repeated: Mapping[str, Mapping[str, tuple[Any, ...]]] | None = None
    arms: tuple[str, ...] = F02_ARMS
    longer: Mapping[int, Changes] = field(default_factory=dict)
    sums: Changes | None = None
    retroactive: Changes = field(default_factory=dict)
    retroactive_sft: Changes = field(default_factory=dict)
    ciphers: Changes = field(default_factory=dict)
    ciphers_arms: tuple[str, ...] = CIPHERS_ARMS
    demonstrations: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    demonstrated: Mapping[str, Changes] = field(default_factory=dict)
    told: Changes = field(default_factory=dict)
    counts: tuple[int, ...] = (200, 800, 2400)
    templates: tuple[int, ...] = (1, 4, 20)
    composition: Changes = field(default_factory=dict)
    kinds: tuple[str, ...] = tuple(kind for kind in KINDS if kind != SHOWN)
    grammars: Changes = field(default_factory=dict)
    algorithms: Changes = field(default_factory=dict)
    algorithms_arms: tuple[str, ...] = ("untuned", "stage_1_only", "homogeneous", "proactive", "in_context")
    algorithms_splits: tuple[str, ...] = ("families", "programs")
