"""F06: Retroactive's second stage by SFT and by GRPO, after equal numbers of questions and of tokens."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes

from pbb.analysis import tables
from pbb.analysis.tables import (
    CHANCE,
    GRPO,
    SFT,
    Cells,
    final,
    from_its_start,
    guesses,
    matched,
    measured_at,
    of,
    panel_name,
    sizes,
    stacked,
    stage_2,
)
from pbb.figures import style
from pbb.figures.base import BARS, GUESS, Chart, panels_in

_TRAINED, _REWARDED, _START = (SFT, GRPO), (GRPO, "grpo_without_pbb"), "no_demonstrations"
_ARMS = (*_TRAINED, "skip_exposure", "grpo_without_pbb", _START)
_MODES = ("cot", "direct")
_AXES = {"x": "questions seen in Stage 2", "tokens": "tokens of Stage 2, trained on or generated"}
_WITH_IO, _WITHOUT = {"group": "w/ IO"}, {"group": "w/o IO"}


class Retroactive(Chart):
    ID, NAME, TITLE = "F06", "F06_retroactive", "Retroactive-PBB's Stage 2 by GRPO and by SFT"
    CLAIM = "Retroactive-PBB by RL generalises faster and more steadily than by SFT (C8)."

    def select(self, records: pd.DataFrame) -> pd.DataFrame:
        """The end of Stage 1, and Stage 2; w/ IO programs of the two arms too."""
        asked = of(records, {"answer_mode": _MODES, "curriculum": _ARMS})
        learnt = asked["curriculum"].isin(_TRAINED) & (asked["group"] == "w/ IO")
        return stage_2(asked[learnt | (asked["group"] == "w/o IO")])

    def table(self, records: pd.DataFrame) -> pd.DataFrame:
        """x is questions seen in Stage 2, and tokens are Stage 2's too; the start of Stage 2 has x = 0."""
        rows = self.select(records)
        return stacked([measured_at(from_its_start(rows)), guesses(of(rows, _WITHOUT))])

    def cells(self, records: pd.DataFrame) -> Cells:
        """Where each arm ends, CoT and direct; and SFT after as many questions as GRPO."""
        rows = of(self.select(records), _WITHOUT)
        return tables.cells(final(rows), _ARMS, _MODES) | tables.cells(
            matched(rows), [SFT], _MODES, "after as many questions as GRPO"
        )

    def words(self, drawn: pd.DataFrame, records: pd.DataFrame) -> str:
        text = (
            "Stage 2 asks about w/ IO programs. By SFT it shows their answers; by GRPO the model samples its own, and "
            "right ones are rewarded. Both start from the same weights, at 0: all sources were read, none was run (no "
            "demonstrations). "
        )
        if (drawn["stage"] > 2).any():
            warm = of(drawn, {"arm": _REWARDED, "stage": 2})["step"].max()
            text += f"GRPO follows on {warm:.0f} steps of SFT: its lines begin there. "
        text += "Controls, hollow: the same Stage 2 where Stage 1 left out the w/o IO sources. "
        if "w/ IO" in set(drawn["group"]):
            text += "Thin dotted: w/ IO programs on inputs that training never showed. "
        return (
            f"{text}Each run has a learning-rate schedule of its own. Bars: {BARS}. {sizes(of(drawn, _WITHOUT))}. "
            f"Dashed grey: {GUESS}."
        )

    def panels(self, figure: style.Picture, front: pd.DataFrame, behind: pd.DataFrame) -> float:
        """By questions beside by tokens, CoT above direct."""
        panels = panels_in(front)
        modes = [mode for mode in _MODES if (front["answer_mode"] == mode).any()]
        rows = [(panel, mode) for panel in panels for mode in modes]
        grid = figure.subplots(len(rows), 2, squeeze=False, sharey=True, sharex="col")
        for index, (line, (panel, mode)) in enumerate(zip(grid, rows, strict=True)):
            for axes, column in zip(line, _AXES, strict=True):
                _panel(axes, of(front, panel), of(behind, panel), mode, column)
            where = f", {panel_name([*panel.values()])}" if len(panels) > 1 else ""
            line[0].set_title(f"{chr(97 + index)}  {style.MODES[mode].label}{where}")
            line[0].set_ylabel("accuracy")
        for axes, (column, label) in zip(grid[-1], _AXES.items(), strict=True):
            axes.set_xlabel(f"{label}, log scale")
            _log_scale(axes, pd.concat([front[column], behind[column]]))
        return 0.35 + 1.55 * len(rows)

    def legend(self, front: pd.DataFrame) -> list[style.Entry]:
        entries = [style.entry(style.ARMS[arm]) for arm in _ARMS if (front["arm"] == arm).any()]
        if (front["group"] == "w/ IO").any():
            entries.append(style.stroke("w/ IO programs", ":"))
        return [*entries, style.stroke("Best guess", style.WIDELY, linewidth=0.8)]


def _panel(axes: Axes, ours: pd.DataFrame, theirs: pd.DataFrame, mode: str, column: str) -> None:
    style.percent_axis(axes)
    for level in of(ours, {"arm": CHANCE})["estimate"]:
        axes.axhline(level, color=style.MUTED, linestyle=style.WIDELY, linewidth=0.8, zorder=1)
    for drawn, faint in ((theirs, True), (ours, False)):
        for arm in reversed(_ARMS):
            look, mine = style.ARMS[arm], of(drawn, {"arm": arm, "answer_mode": mode}).sort_values(column)
            if (mine["stage"] > 2).any():  # what comes before GRPO is SFT's
                mine = mine[mine["stage"] >= 2]
            learnt, line = of(mine, _WITH_IO), of(mine, _WITHOUT)
            kind = {name: style.marked(look, faint)[name] for name in ("color", "alpha", "zorder")}
            axes.plot(learnt[column], learnt["estimate"], linestyle=":", linewidth=0.9, **kind)
            width = 1.4 if arm in _TRAINED else 0.9
            style.series(axes, line[column], line, look, faint, bars=0.8, linewidth=width, over=True)


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
