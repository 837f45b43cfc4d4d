"""What a recipe holds: an experiment with every value, and what its figures change in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pbb.experiments.experiment import Experiment

Changes = Mapping[str, Any]  # what `Experiment.changed` takes

ALL_FIGURES = tuple(f"F{number:02}" for number in range(1, 15))


@dataclass(frozen=True)
class Recipe:
    """A preset: `base`, and for each figure what it changes (`pbb.experiments.studies` says how it is used).

    Attributes:
        base: the experiment that all others are changes of.
        figures: those that "all figures" means; any other can be asked for by name.
        repeated: arms that seeds after the first repeat, in F02 alone; () repeats every study.
        models: of F03 and F04, the smallest first.
        ladder: of F03, where it has more models than F04.
        lengths: statements, of F05 and F12.
        longer: what programs of so many statements change.
        sums: F05's programs of one addition; None leaves them out.
        retroactive: F06, all arms.
        retroactive_sft: F06, the arms without GRPO.
        ciphers: F07.
        demonstrations: of F08, for each program, by the arm that is shown so many.
        told: F08, all arms.
        counts: w/ IO programs, of F09.
        templates: of F10.
        composition: F11.
        grammars: F13.
    """

    base: Experiment
    figures: tuple[str, ...] = ALL_FIGURES
    models: tuple[str, ...] = ()
    ladder: tuple[str, ...] = ()
    lengths: tuple[int, ...] = (1, 2, 3)
    repeated: tuple[str, ...] = ()
    longer: Mapping[int, Changes] = field(default_factory=dict)
    sums: Changes | None = None
    retroactive: Changes = field(default_factory=dict)
    retroactive_sft: Changes = field(default_factory=dict)
    ciphers: Changes = field(default_factory=dict)
    demonstrations: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    told: Changes = field(default_factory=dict)
    counts: tuple[int, ...] = (200, 800, 2400)
    templates: tuple[int, ...] = (1, 4, 20)
    composition: Changes = field(default_factory=dict)
    grammars: Changes = field(default_factory=dict)
