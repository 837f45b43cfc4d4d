"""Programming by Backprop, a companion to arXiv 2506.18777: teach programs by their source, ask them by name.

Importing this package imports neither torch nor the training libraries; they come when something is to be trained.

>>> import pbb
>>> records = pbb.run(pbb.study("F02", preset="cpu"), preset="cpu")
>>> pbb.draw("F02", records)
"""

from __future__ import annotations

import importlib
from typing import Any

_EXPORTS = {
    "Experiment": "pbb.experiment",
    "PRESETS": "pbb.experiment",
    "Program": "pbb.programs",
    "ArithmeticSettings": "pbb.programs",
    "accuracy": "pbb.statistics",
    "contrast": "pbb.statistics",
    "permuted_control": "pbb.statistics",
    "curriculum": "pbb.curricula",
    "groups": "pbb.curricula",
    "plan": "pbb.runs",
    "run": "pbb.runs",
    "study": "pbb.studies",
    "draw": "pbb.notebook_helpers",
    "reference": "pbb.notebook_helpers",
    "resolve_preset": "pbb.notebook_helpers",
    "setup": "pbb.notebook_helpers",
    "show": "pbb.notebook_helpers",
    "verdict": "pbb.notebook_helpers",
}
__all__ = [*_EXPORTS]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name not in _EXPORTS:
        raise AttributeError(f"module 'pbb' has no attribute {name!r}; it has {', '.join(sorted(_EXPORTS))}")
    return getattr(importlib.import_module(_EXPORTS[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_EXPORTS])
