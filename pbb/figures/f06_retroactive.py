"""F06: Retroactive's second stage by SFT and by GRPO, after equal numbers of questions and of tokens."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from pbb.analysis import tables
from pbb.analysis.tables import GRPO, SFT, Cells, final, from_its_start, guesses, matched, measured_at, of, sizes
from pbb.figures import style
from pbb.figures.base import BARS, GUESS, Chart, best_guess, layers

_AXES = {"x": "questions seen in Stage 2", "tokens": "tokens of Stage 2, trained on or generated"}
_WITH_IO, _WITHOUT = {"group": "w/ IO"}, {"group": "w/o IO"}


class Retroactive(Chart):
    NAME, TITLE = "F06_retroactive", "Retroactive-PBB's Stage 2 by GRPO and by SFT"
    CLAIM = "Retroactive-PBB by RL generalises faster and more steadily than by SFT (C8)."
    NEEDS = "Stage 2 of Retroactive-PBB and of its controls"
    ARMS = (SFT, GRPO, "skip_exposure", "grpo_without_pbb", "no_demonstrations")
    SIDES, SHAREX, HEIGHT, LABEL = 2, "col", 1.55, "accuracy"

    def select(self, records: pd.DataFrame) -> pd.DataFrame:
        """The end of Stage 1, and Stage 2; w/ IO programs of SFT and GRPO too."""
        asked = of(records, {"answer_mode": self.MODES, "curriculum": self.ARMS})
        learnt = asked["curriculum"].isin([SFT, GRPO]) & (asked["group"] == "w/ IO")
        return tables.stage_2(asked[learnt | (asked["group"] == "w/o IO")])

    def parts(self, rows: pd.DataFrame) -> Iterator[pd.DataFrame]:
        """x is questions seen in Stage 2, and tokens are Stage 2's too; the start of Stage 2 has x = 0."""
        yield measured_at(from_its_start(rows))
        yield guesses(of(rows, _WITHOUT))

    def values(self, rows: pd.DataFrame) -> Cells:
        """Where each arm ends; and SFT after as many questions as GRPO."""
        rows = of(rows, _WITHOUT)
        equal = tables.cells(matched(rows), [SFT], self.MODES, "after as many questions as GRPO")
        return tables.cells(final(rows), self.ARMS, self.MODES) | equal

    def words(self, drawn: pd.DataFrame, rows: pd.DataFrame) -> str:
        text = (
            "Stage 2 asks about w/ IO programs. By SFT it shows their answers; by GRPO the model samples its own, and "
            "right ones are rewarded. Both start from the same weights, at 0: all sources were read, none was run (no "
            "demonstrations). "
        )
        if (drawn["stage"] > 2).any():
            warm = of(drawn, {"arm": (GRPO, "grpo_without_pbb"), "stage": 2})["step"].max()
            text += f"GRPO follows on {warm:.0f} steps of SFT: its lines begin there. "
        text += "Controls, hollow: the same Stage 2 where Stage 1 left out the w/o IO sources. "
        if "w/ IO" in set(drawn["group"]):
            text += "Thin dotted: w/ IO programs on inputs that training never showed. "
        return (
            f"{text}Each run has a learning-rate schedule of its own. Bars: {BARS}. {sizes(of(drawn, _WITHOUT))}. "
            f"Dashed grey: {GUESS}."
        )

    def panels(self, figure: style.Picture, front: pd.DataFrame, behind: pd.DataFrame) -> float:
        height = super().panels(figure, front, behind)
        for axes, (column, label) in zip(figure.axes[-2:], _AXES.items(), strict=True):
            axes.set_xlabel(f"{label}, log scale")
            _log_scale(axes, pd.concat([front[column], behind[column]]))
        return height + 0.35

    def fill(self, line: np.ndarray, ours: pd.DataFrame, theirs: pd.DataFrame, mode: str) -> None:
        """By questions, and by tokens."""
        for axes, column in zip(line, _AXES, strict=True):
            best_guess(axes.axhline, ours, style.WIDELY)
            for drawn, faint in layers(ours, theirs):
                for arm in reversed(self.ARMS):
                    look, mine = style.ARMS[arm], of(drawn, {"arm": arm, "answer_mode": mode}).sort_values(column)
                    if (mine["stage"] > 2).any():  # what comes before GRPO is SFT's
                        mine = mine[mine["stage"] >= 2]
                    learnt, told = of(mine, _WITH_IO), of(mine, _WITHOUT)
                    kind = {name: style.marked(look, faint)[name] for name in ("color", "alpha", "zorder")}
                    axes.plot(learnt[column], learnt["estimate"], linestyle=":", linewidth=0.9, **kind)
                    width = 1.4 if look.filled else 0.9
                    style.series(axes, told[column], told, look, faint, bars=0.8, linewidth=width, over=True)

    def legend(self, front: pd.DataFrame) -> list[style.Entry]:
        learnt = [style.stroke("w/ IO programs", ":")] if "w/ IO" in set(front["group"]) else []
        return [*super().legend(front), *learnt, style.stroke("Best guess", style.WIDELY, linewidth=0.8)]


def _log_scale(axes: Axes, values: pd.Series) -> None:
    """A log axis that has room for 0, on its left."""
    positive = values[values > 0]
    low, high = (positive.min(), positive.max()) if len(positive) else (1.0, 10.0)
    axes.set_xscale("symlog", linthresh=low / 2, linscale=0.3)
    steps = [mantissa * 10**power for power in range(8) for mantissa in (1, 3)]
    ticks = [0, *(step for step in steps if low / 1.4 <= step <= high * 1.4)]
    axes.set_xticks(ticks, [_short(tick) for tick in ticks])
    axes.set_xticks([], minor=True)
    axes.set_xlim(-low / 12, high * 1.3)


def _short(number: float) -> str:
    if number >= 1e6:
        return f"{number / 1e6:g}\u00a0M"
    return f"{number / 1e3:g}\u00a0k" if number >= 1e4 else f"{number:,g}"
