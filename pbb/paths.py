"""Where things lie, and how loud they are.

Everything is anchored on the repository (or the working directory, when installed elsewhere).
"""

from __future__ import annotations

import os
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def root() -> Path:
    """Return the checkout that holds this package, or the working directory when it is installed elsewhere."""
    return _PACKAGE.parent if (_PACKAGE.parent / "pyproject.toml").exists() else Path.cwd()


def runs() -> Path:
    """Return the run store: ``PBB_RUNS`` where it is set, else ``runs/``."""
    return Path(os.environ["PBB_RUNS"]).expanduser().resolve() if os.environ.get("PBB_RUNS") else root() / "runs"


def figures(preset: str) -> Path:
    """Return where this machine's figures of `preset` go (ignored by git)."""
    return (Path(os.environ["PBB_FIGURES"]) if os.environ.get("PBB_FIGURES") else root() / "figures") / preset


def reference(preset: str) -> Path:
    """Return where the committed reference figures of `preset` lie."""
    return root() / "figures" / "reference" / preset


def build(preset: str) -> Path:
    """Return where executed notebooks of `preset` go."""
    return root() / "build" / preset


def quiet() -> None:
    """Turn off the libraries' own progress bars and chatter, unless the reader has set those variables.

    Workers write them all at once, and they would bury the one line a task that `pbb.run` writes.
    """
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("HF_DATASETS_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
