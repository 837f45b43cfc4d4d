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

_EXPORTS = {
    "Experiment": "pbb.experiments.experiment",
    "PRESETS": "pbb.experiments.presets",
    "Program": "pbb.programs",
    "Arithmetic": "pbb.programs",
    "accuracy": "pbb.analysis.statistics",
    "contrast": "pbb.analysis.statistics",
    "permuted_control": "pbb.analysis.statistics",
    "curriculum": "pbb.experiments.curricula",
    "groups": "pbb.experiments.groups",
    "plan": "pbb.runs.run",
    "run": "pbb.runs.run",
    "study": "pbb.experiments.studies",
    "ask": "pbb.notebook.cell",
    "beside_paper": "pbb.notebook.cell",
    "board": "pbb.notebook.cell",
    "contrasts": "pbb.notebook.cell",
    "draw": "pbb.notebook.cell",
    "parameters": "pbb.notebook.cell",
    "reference": "pbb.notebook.cell",
    "resolve_preset": "pbb.experiments.presets",
    "setup": "pbb.notebook.cell",
    "train": "pbb.notebook.cell",
    "variant": "pbb.notebook.cell",
    "verdict": "pbb.notebook.cell",
    "what_changed": "pbb.notebook.cell",
    "show": "pbb.notebook.views.answers",
}
__all__ = [*_EXPORTS]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name not in _EXPORTS:
        raise AttributeError(f"module 'pbb' has no attribute {name!r}; it has {', '.join(sorted(_EXPORTS))}")
    return getattr(importlib.import_module(_EXPORTS[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_EXPORTS])
