"""Programming by Backprop, a companion to arXiv 2506.18777: teach programs by their source, ask them by name.

Importing this package imports neither torch nor the training libraries; they come when something is to be trained.

>>> import pbb
>>> variant = pbb.variant("F02", "cpu", arms=["proactive", "stage_1_only"], templates=1)
>>> records = pbb.run(variant.experiments, preset=variant.preset)
>>> pbb.draw("F02", records, variant=variant)
"""

from __future__ import annotations

import importlib
from typing import Any

# fmt: off
_MODULES = {
    "pbb.programs": ("Program", "Arithmetic"),
    "pbb.experiments.experiment": ("Experiment",),
    "pbb.experiments.presets": ("PRESETS", "resolve_preset"),
    "pbb.experiments.curricula": ("curriculum",),
    "pbb.experiments.groups": ("groups",),
    "pbb.experiments.studies": ("study",),
    "pbb.runs.run": ("plan", "run"),
    "pbb.analysis.statistics": ("accuracy", "contrast", "permuted_control"),
    "pbb.notebook.cell": (
        "ask", "beside_paper", "board", "contrasts", "draw", "parameters", "reference", "setup", "train", "variant",
        "verdict", "what_changed",
    ),
    "pbb.notebook.views.answers": ("show",),
}
# fmt: on
_EXPORTS = {name: module for module, names in _MODULES.items() for name in names}
__all__ = [*_EXPORTS]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name not in _EXPORTS:
        raise AttributeError(f"module 'pbb' has no attribute {name!r}; it has {', '.join(sorted(_EXPORTS))}")
    return getattr(importlib.import_module(_EXPORTS[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_EXPORTS])
