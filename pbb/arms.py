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
    control: bool = False  # lacks one ingredient
    # The group of programs that its accuracy is about: this, or "AD", where training shows demonstrations of them.
    measured: str = "w/o IO"
    # Where its one stage lies in a figure whose Stage 1 is 0 to 1 and Stage 2 is 1 to 2; None: it has both.
    span: tuple[int, int] | None = (0, 2)
    demonstrated: tuple[str, ...] = ()  # how demonstrations of AD programs answer; (): as `trained_modes` say

    @property
    def from_nothing(self) -> bool:
        """Whether demonstrations are all that it is trained on."""
        return self.measured == "AD" and len(self.stages) == 1

    @property
    def asked(self) -> tuple[str, ...]:
        """How its model is asked whatever an experiment says: for what it was shown, where that is all it was."""
        return self.demonstrated if self.from_nothing else ()


# In the order in which figures list them. Algorithm 1 of the paper is "proactive", Algorithm 2 "retroactive".
ARMS: dict[str, Arm] = {
    "in_context": Arm("In context"),  # the ceiling: has the source in its prompt
    "homogeneous": Arm("Homogeneous mixture", ("mixture",)),
    "proactive": Arm("Proactive-PBB", ("with_io", "without_io"), span=None),
    "retroactive": Arm("Retroactive-PBB (SFT)", ("all_sources", "executions"), span=None),
    "retroactive_grpo": Arm("Retroactive-PBB (GRPO)", ("all_sources", "warm_up", "rewards"), span=None),
    # The paper's: what goes in and what comes out.
    "distillation": Arm("Algorithm distillation", ("outputs",), measured="AD", demonstrated=("direct",)),
    "distillation_values": Arm("Distillation by values", ("values",), measured="AD", demonstrated=("cot",)),
    # A trace in code quotes the source.
    "distillation_traces": Arm("Distillation by traces", ("traces",), measured="AD"),
    "distillation_after_stage_1": Arm(
        "Distillation after Stage 1", ("with_io", "outputs_next"), measured="AD", span=None, demonstrated=("direct",)
    ),
    "pbb_and_distillation": Arm(
        "PBB and distillation", ("with_io", "source_and_pairs"), measured="AD", span=None, demonstrated=("direct",)
    ),
    "skip_exposure": Arm("Skip-exposure", ("with_io_sources", "executions"), control=True, span=None),
    "grpo_without_pbb": Arm("GRPO without PBB", ("with_io_sources", "warm_up", "rewards"), control=True, span=None),
    "no_demonstrations": Arm("No demonstrations", ("all_sources",), control=True, span=(0, 1)),
    "stage_1_only": Arm("Stage 1 only", ("with_io",), control=True, span=(0, 1)),
    "stage_2_only": Arm("Stage 2 only", ("without_io_alone",), control=True, span=(1, 2)),
    "untuned": Arm("Untuned", control=True),
    "random_generation": Arm("Random generation", control=True),  # asks no model at all
}
NO_MODEL = "random_generation"
IN_CONTEXT = "in_context"
