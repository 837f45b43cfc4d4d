"""Presets: one recipe a file, complete. A preset's figures are never mixed with another's."""

from __future__ import annotations

import importlib

from pbb.experiments.presets.recipe import Recipe
from pbb.programs.settings import ExperimentError

PRESETS = ("smoke", "cpu", "llm", "paper")


def recipe(preset: str) -> Recipe:
    """Return the recipe of `preset`; raises ExperimentError naming the presets there are."""
    if preset not in PRESETS:
        raise ExperimentError(f"preset={preset!r} is not valid; valid: {', '.join(PRESETS)}")
    made: Recipe = importlib.import_module(f"pbb.experiments.presets.{preset}").RECIPE
    return made
