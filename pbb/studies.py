"""Studies: the experiments that each figure needs, as data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pbb.experiment import Experiment

# F02's arms, in the order in which a reader meets them.
ARMS = (
    "untuned",
    "in_context",
    "stage_1_only",
    "stage_2_only",
    "no_demonstrations",
    "skip_exposure",
    "homogeneous",
    "proactive",
    "retroactive",
)
LENGTHS = (1, 2, 3)  # statements, in F05
# Longer programs need longer rows, and more training to be recalled; a step stays about as many tokens.
LONGER: dict[str, dict[int, dict[str, Any]]] = {
    "cpu": {
        2: {"row_tokens": 192, "batch_rows": 6, "stage_1_steps": 3300},
        3: {"row_tokens": 256, "batch_rows": 4, "stage_1_steps": 3600},
    },
}


def curricula(preset: str, seed: int) -> list[Experiment]:
    """F02: every arm, on programs of one statement."""
    return [Experiment.of(preset, curriculum=arm, seed=seed) for arm in ARMS]


def answer_mode(preset: str, seed: int) -> list[Experiment]:
    """F05: direct, CoT and recite-then-run by program length, with the control and the ceiling of each."""
    asked = ("direct", "cot", "recite", "recall")
    lengths = LENGTHS if preset != "smoke" else (1, 2)
    return [
        Experiment.of(
            preset, curriculum=arm, statements=length, seed=seed, asked=asked, **LONGER.get(preset, {}).get(length, {})
        )
        for length in lengths
        for arm in ("proactive", "stage_1_only", "in_context")
    ]


STUDIES: dict[str, Callable[[str, int], list[Experiment]]] = {
    "F01": lambda preset, seed: [Experiment.of(preset, curriculum="proactive", seed=seed)],
    "F02": curricula,
    "F05": answer_mode,
}


def study(figure: str, preset: str, seeds: int = 1) -> list[Experiment]:
    """Return the experiments of `figure` for seeds 0 to `seeds` - 1.

    Raises:
        ValueError: there is no such figure, or `seeds` is less than 1.
    """
    if figure not in STUDIES:
        raise ValueError(f"figure={figure!r} is not valid; valid: {', '.join(STUDIES)}")
    if seeds < 1:
        raise ValueError(f"seeds={seeds!r} is not valid; valid: 1 or more")
    return [experiment for seed in range(seeds) for experiment in STUDIES[figure](preset, seed)]
