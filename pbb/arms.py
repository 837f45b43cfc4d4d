"""The arms: what is compared, one row each. Whoever adds an arm adds a row here, and a stage where none fits it.

An arm is a list of stages (`pbb.experiments.curricula.STAGES`) and what its figures call it.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Arm:
    """One arm.

    Attributes:
        label: its name in figures and tables.
        stages: names of its stages in order; () trains nothing.
        role: ``"arm"``, ``"control"`` (lacks one ingredient) or ``"ceiling"`` (has the source in its prompt).
        measured: the group of programs that its accuracy is about: ``"w/o IO"``, or ``"AD"``, where training shows
            demonstrations of them.
    """

    label: str
    stages: tuple[str, ...] = ()
    role: str = "arm"
    measured: str = "w/o IO"


# In the order in which a reader meets them. "Proactive" is Algorithm 1 of the paper, "Retroactive" Algorithm 2.
ARMS: dict[str, Arm] = {
    "random_generation": Arm("Random generation", role="control"),  # asks no model at all
    "untuned": Arm("Untuned", role="control"),
    "in_context": Arm("In context", role="ceiling"),
    "stage_1_only": Arm("Stage 1 only", ("with_io",), "control"),
    "stage_2_only": Arm("Stage 2 only", ("without_io_alone",), "control"),
    "no_demonstrations": Arm("No demonstrations", ("all_sources",), "control"),
    "homogeneous": Arm("Homogeneous mixture", ("mixture",)),
    "proactive": Arm("Proactive-PBB", ("with_io", "without_io")),
    "retroactive": Arm("Retroactive-PBB (SFT)", ("all_sources", "executions")),
    "retroactive_grpo": Arm("Retroactive-PBB (GRPO)", ("all_sources", "warm_up", "rewards")),
    "skip_exposure": Arm("Skip-exposure", ("with_io_sources", "executions"), "control"),
    "grpo_without_pbb": Arm("GRPO without PBB", ("with_io_sources", "warm_up", "rewards"), "control"),
    "distillation": Arm("Algorithm distillation", ("demonstrations",), measured="AD"),
    "pbb_and_distillation": Arm("PBB and distillation", ("with_io", "source_and_pairs"), measured="AD"),
}
NO_MODEL = "random_generation"
IN_CONTEXT = "in_context"
