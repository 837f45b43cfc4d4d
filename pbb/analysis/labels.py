"""What arms and answer modes are called, and what figures have to know of an arm: one row each, in order of listing."""

from __future__ import annotations

from typing import NamedTuple


class Arm(NamedTuple):
    """A row: how an arm is named, and how its records are read."""

    label: str
    control: bool = False
    group: str = "w/o IO"  # of the programs that it is asked about by name
    span: tuple[int, int] | None = (0, 2)  # of its one stage, from 0 to 2; None: Stage 1 is 0 to 1, Stage 2 is 1 to 2


ARMS: dict[str, Arm] = {
    "in_context": Arm("In context"),
    "homogeneous": Arm("Homogeneous mixture"),
    "proactive": Arm("Proactive-PBB", span=None),
    "retroactive": Arm("Retroactive-PBB (SFT)", span=None),
    "retroactive_grpo": Arm("Retroactive-PBB (GRPO)", span=None),
    "distillation": Arm("Algorithm distillation", group="AD"),
    "pbb_and_distillation": Arm("PBB and distillation", group="AD", span=None),
    "skip_exposure": Arm("Skip-exposure", control=True, span=None),
    "grpo_without_pbb": Arm("GRPO without PBB", control=True, span=None),
    "no_demonstrations": Arm("No demonstrations", control=True, span=(0, 1)),
    "stage_1_only": Arm("Stage 1 only", control=True, span=(0, 1)),
    "stage_2_only": Arm("Stage 2 only", control=True, span=(1, 2)),
    "untuned": Arm("Untuned", control=True),
    "random_generation": Arm("Random generation", control=True),
}
MODES: dict[str, str] = {
    "cot": "CoT",
    "recite": "Recite, then run",
    "direct": "Direct",
    "recall": "Recall of the source",
    "in_context_cot": "CoT, in context",
    "in_context_direct": "Direct, in context",
}
# Where an in-context mode stands beside the mode of the same form, and back.
PLAIN_MODE = {"in_context_cot": "cot", "in_context_direct": "direct"}
IN_CONTEXT = {plain: mode for mode, plain in PLAIN_MODE.items()}


def counted(value: float, things: str) -> str:
    """Return ``"1 template"``, ``"2,400 w/ IO programs"`` from a number and a plural."""
    return f"{value:,} {things.removesuffix('s') if value == 1 else things}"


def statements(count: int) -> str:
    """Return ``"1 statement"``, ``"2 statements"``."""
    return counted(count, "statements")


def percent(estimate: float, low: float, high: float) -> str:
    """Return shares as text: ``"86 % [81, 90]"``."""
    return f"{estimate:.0%}".replace("%", " %") + f" [{low * 100:.0f}, {high * 100:.0f}]"
