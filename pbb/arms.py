"""The arms: what is compared, one row each. Whoever adds an arm adds a row here, and a stage where none fits it.

An arm is a list of stages (`pbb.experiments.curricula.STAGES`) and what its figures call it.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Arm:
    """One arm: its `label` in figures and tables, and its `stages` in order; () trains nothing."""

    label: str
    stages: tuple[str, ...] = ()
    role: str = "arm"  # or "control" (lacks one ingredient), or "ceiling" (has the source in its prompt)
    # The group of programs that its accuracy is about: this, or "AD", where training shows demonstrations of them.
    measured: str = "w/o IO"
    # Where its one stage lies in a figure whose Stage 1 is 0 to 1 and Stage 2 is 1 to 2; None: it has both.
    span: tuple[int, int] | None = (0, 2)

    @property
    def control(self) -> bool:
        """Whether it lacks one ingredient."""
        return self.role == "control"


# In the order in which figures list them. Algorithm 1 of the paper is "proactive", Algorithm 2 "retroactive".
ARMS: dict[str, Arm] = {
    "in_context": Arm("In context", role="ceiling"),
    "homogeneous": Arm("Homogeneous mixture", ("mixture",)),
    "proactive": Arm("Proactive-PBB", ("with_io", "without_io"), span=None),
    "retroactive": Arm("Retroactive-PBB (SFT)", ("all_sources", "executions"), span=None),
    "retroactive_grpo": Arm("Retroactive-PBB (GRPO)", ("all_sources", "warm_up", "rewards"), span=None),
    "distillation": Arm("Algorithm distillation", ("demonstrations",), measured="AD"),
    "pbb_and_distillation": Arm("PBB and distillation", ("with_io", "source_and_pairs"), measured="AD", span=None),
    "skip_exposure": Arm("Skip-exposure", ("with_io_sources", "executions"), "control", span=None),
    "grpo_without_pbb": Arm("GRPO without PBB", ("with_io_sources", "warm_up", "rewards"), "control", span=None),
    "no_demonstrations": Arm("No demonstrations", ("all_sources",), "control", span=(0, 1)),
    "stage_1_only": Arm("Stage 1 only", ("with_io",), "control", span=(0, 1)),
    "stage_2_only": Arm("Stage 2 only", ("without_io_alone",), "control", span=(1, 2)),
    "untuned": Arm("Untuned", role="control"),
    "random_generation": Arm("Random generation", role="control"),  # asks no model at all
}
NO_MODEL = "random_generation"
IN_CONTEXT = "in_context"
