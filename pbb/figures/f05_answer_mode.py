"""F05: direct answers, CoT and recite-then-run on w/o IO programs, by program length, and on sums."""

from __future__ import annotations

import textwrap
from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from pbb.analysis.tables import CONTROL, TRAINED, of
from pbb.arms import ARMS
from pbb.figures import style
from pbb.figures.base import panels_in
from pbb.figures.by_knob import BY_NAME, ByKnob, Line, Scale

_SHIFT = {"cot": -0.09, "recite": 0.0, "direct": 0.09, "recall": -0.18}
_OF_LENGTHS = "arithmetic"  # the domain whose panels have the length of programs as their axis


class AnswerMode(ByKnob):
    def more(self, drawn: pd.DataFrame) -> str:
        sums = (drawn["domain"] == "sums").any()
        return " Sums: programs that add one number of up to four digits." if sums else ""

    def lines(self) -> list[Line]:
        return [Line({"answer_mode": mode}, style.MODES[mode], shift) for mode, shift in _SHIFT.items()]

    def shown(self, front: pd.DataFrame) -> list[tuple[dict[str, Any], list[str]]]:
        """By length, a panel for each trained arm and model; of programs of one length, one for each model."""
        panels = []
        for here in panels_in(front, self.FIXED):
            arms = [arm for arm in TRAINED if arm in set(of(front, here)["arm"])] or [CONTROL]
            panels += [(here, [arm]) for arm in arms] if here["domain"] == _OF_LENGTHS else [(here, arms)]
        return panels

    def panel(
        self, axes: Axes, here: dict[str, Any], arms: list[str], front: pd.DataFrame, behind: pd.DataFrame
    ) -> None:
        axes.grid(axis="x", visible=False)
        ours, theirs = of(front, here), of(behind, here)
        lengths, by_length = sorted({*ours["x"], *theirs["x"]}), here["domain"] == _OF_LENGTHS
        at = lengths if by_length else [float(place) for place in range(len(arms))]
        axes.set_xticks(at, None if by_length else [textwrap.fill(ARMS[arm].label, 12) for arm in arms])
        axes.set_xlim(at[0] - 0.4, at[-1] + 0.4)
        axes.set_xlabel(self.label if by_length else "")
        for place, arm in enumerate(arms):
            places = {length: length if by_length else float(place) for length in lengths}
            self.draw_lines(axes, self.lines(), ours, theirs, arm, Scale(places, "x", 0.09, 0.32, 0.3))
        axes.set_title(f"{ARMS[arms[0]].label if by_length else here['domain'].capitalize()}, {here['model']}")


ANSWER_MODE = AnswerMode(
    NAME="F05_answer_mode",
    TITLE="w/o IO accuracy by answer mode and program length",
    CLAIM="Direct answers work, above their controls; CoT is more reliable (C3).",
    VARIES="statements",
    label="statements in the program",
    MODES=tuple(_SHIFT),
    opening=f"{BY_NAME}.",
    scored=True,
)
