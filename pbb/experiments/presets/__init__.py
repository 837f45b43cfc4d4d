"""Presets: one recipe a file, complete. A preset's figures are never mixed with another's."""

from __future__ import annotations

import importlib
import importlib.util

from pbb.experiments.presets.recipe import Recipe
from pbb.programs.settings import ExperimentError

PRESETS = ("smoke", "cpu", "llm", "paper")


def recipe(preset: str) -> Recipe:
    """Return the recipe of `preset`; raises ExperimentError naming the presets there are."""
    if preset not in PRESETS:
        raise ExperimentError(f"preset={preset!r} is not valid; valid: {', '.join(PRESETS)}")
    made: Recipe = importlib.import_module(f"pbb.experiments.presets.{preset}").RECIPE
    return made


def resolve_preset(name: str) -> str:
    """Return `name`, or for ``auto`` the preset that fits this machine: llm with CUDA, else cpu.

    Raises:
        ExperimentError: there is no such preset; the message says which there are.
    """
    if name not in ("auto", *PRESETS):
        raise ExperimentError(f"preset={name!r} is not valid; valid: auto, {', '.join(PRESETS)}")
    if name != "auto":
        return name
    if importlib.util.find_spec("torch") is None:
        return "cpu"
    import torch

    return "llm" if torch.cuda.is_available() else "cpu"
