"""F12: the source in the prompt against the source in the weights, by program length."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from pbb.analysis import tables
from pbb.analysis.labels import MODES, PLAIN_MODE
from pbb.analysis.statistics import CLUSTER, contrast
from pbb.analysis.tables import (
    CEILING,
    CHANCE,
    CONTROL,
    PANEL,
    Cells,
    asked_by_name,
    final,
    guesses,
    measures,
    of,
    points,
    sizes,
    stacked,
)
from pbb.figures import style
from pbb.figures.base import BARS, GUESS, Chart, panels_in

_WEIGHTS = "proactive"
GAP = "in_context minus proactive"
_SHIFT = {"cot": -0.1, "recite": 0.0, "direct": 0.1}  # so that intervals do not cover each other
_ARMS = {CONTROL: (style.DASHED, 0.0), CEILING: (":", -0.1), _WEIGHTS: ("-", 0.1)}
_BY = [column for column in PANEL if column != "statements"]


class InContext(Chart):
    ID, NAME, TITLE = "F12", "F12_in_context", "The source in the prompt against the source in the weights"
    CLAIM = "Execution in context is more reliable than PBB (C7)."

    def select(self, records: pd.DataFrame) -> pd.DataFrame:
        """The end of PBB and its control, and the base model in context.

        Of recite-then-run only Proactive's answers count, and of these only where what it recited is the source: then
        the finetuned model too ran the source that was in its prompt. `recall` has the sources to compare with.
        """
        rows = final(asked_by_name(records, MODES))
        asked = {CEILING: tuple(PLAIN_MODE), _WEIGHTS: ("cot", "direct", "recall"), CONTROL: ("cot", "direct")}
        kept = [of(rows, {"curriculum": arm, "answer_mode": modes}) for arm, modes in asked.items()]
        kept.append(_exactly(of(rows, {"curriculum": _WEIGHTS, "answer_mode": "recite"}), rows))
        return pd.concat(kept, ignore_index=True)

    def _answers(self, records: pd.DataFrame) -> pd.DataFrame:
        """The executions among the rows, with the in-context modes named as their plain ones."""
        rows = self.select(records)
        return rows[rows["answer_mode"] != "recall"].replace({"answer_mode": PLAIN_MODE})

    def table(self, records: pd.DataFrame) -> pd.DataFrame:
        """x is the number of statements.

        In rows of arm "in_context minus proactive", estimate, low and high are differences of accuracy over the same
        questions; in its mode "recite", both models have the source in their prompt.
        """
        rows = self._answers(records)
        parts = [points(rows)]
        for key, panel in rows.groupby(PANEL):
            parts.append(guesses(panel))
            for mode in _SHIFT:
                above = of(panel, {"curriculum": CEILING, "answer_mode": mode.replace("recite", "cot")})
                below = of(panel, {"curriculum": _WEIGHTS, "answer_mode": mode})
                shared = above[CLUSTER].drop_duplicates().merge(below[CLUSTER].drop_duplicates())
                if len(shared):
                    where = dict(zip(PANEL, key, strict=True)) | {"arm": GAP, "answer_mode": mode}
                    gap = measures(contrast(above.merge(shared), below.merge(shared)))
                    parts.append(pd.DataFrame([where | gap]))
        return stacked(parts).assign(x=lambda drawn: drawn["statements"].astype(float))

    def cells(self, records: pd.DataFrame) -> Cells:
        """In context and Proactive, by mode and length."""
        return tables.cells(self._answers(records), (CEILING, _WEIGHTS), tuple(_SHIFT))

    def words(self, drawn: pd.DataFrame, records: pd.DataFrame) -> str:
        text = (
            "The same w/o IO programs and inputs, with the source in the prompt of the untuned base model (in "
            "context), or in the weights after Proactive-PBB, asked by name. "
        )
        if (drawn["answer_mode"] == "recite").any():
            text += (
                "Recite, then run: the finetuned model writes the source first and runs what it wrote; only answers "
                "after an exact recitation, so that the source is in its prompt too. "
            )
        return (
            f"{text}Dashed: the control that never saw the sources (Stage 1 only). Grey: "
            f"{GUESS}. (c) Points by which in context is ahead, paired by program and input. Bars: "
            f"{BARS}. {sizes(drawn[~drawn['arm'].isin([CHANCE, GAP])])}."
        )

    def panels(self, figure: style.Picture, front: pd.DataFrame, behind: pd.DataFrame) -> float:
        """A row of panels for each model: CoT, direct, and the gaps."""
        panels = panels_in(front, _BY)
        grid = figure.subplots(len(panels), 3, squeeze=False)
        for line, panel in zip(grid, panels, strict=True):
            ours, theirs = of(front, panel), of(behind, panel)
            lengths = sorted({*ours["statements"], *theirs["statements"]})
            where = f"; {', '.join(panel.values())}" if len(panels) > 1 else ""
            titles = (f"a  CoT{where}", "b  Direct", "c  In context minus weights")
            for axes, title, modes in zip(line, titles, (("cot", "recite"), ("direct",), tuple(_SHIFT)), strict=True):
                axes.set_title(title)
                axes.set_xticks(lengths)
                axes.set_xlim(lengths[0] - 0.4, lengths[-1] + 0.4)
                axes.set_xlabel("statements in the program")
                axes.grid(axis="x", visible=False)
                for drawn, faint in ((theirs, True), (ours, False)):
                    for mode in modes:
                        (_gaps if len(modes) == 3 else _accuracies)(axes, drawn, mode, faint)
            for axes in line[:2]:
                style.percent_axis(axes)
                guess = of(ours, {"arm": CHANCE})
                axes.hlines(guess["estimate"], guess["x"] - 0.32, guess["x"] + 0.32, color=style.MUTED, linewidth=0.9)
            line[0].set_ylabel("w/o IO accuracy")
            _finish_gaps(line[2])
        return 2.2 * len(panels)

    def legend(self, front: pd.DataFrame) -> list[style.Entry]:
        """Colours name modes, line styles where the source is."""
        entries = []
        for mode in ("cot", "recite", "direct"):
            for arm, where in ((CEILING, ", in context"), (_WEIGHTS, ", in the weights")):
                if len(of(front, {"arm": arm, "answer_mode": mode})):
                    label = style.MODES[mode].label + where * (mode != "recite")
                    entries.append(style.entry(_look(arm, mode), label, _ARMS[arm][0]))
        if (front["arm"] == CONTROL).any():
            entries.append(style.stroke(style.ARMS[CONTROL].label, style.DASHED, linewidth=1.3))
        return [*entries, style.stroke("Best guess")]


def _exactly(recited: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """Those of `recited` whose prompt begins with the source itself."""
    sources = rows.loc[rows["answer_mode"] == "recall", ["experiment", "program", "expected"]]
    found = recited.merge(sources.rename(columns={"expected": "source"}), on=["experiment", "program"])
    exact = [prompt.startswith(f"{source}\n") for prompt, source in zip(found["prompt"], found["source"], strict=True)]
    return found.loc[exact, list(rows.columns)]


def _look(arm: str, mode: str) -> style.Look:
    return style.MODES[f"in_context_{mode}" if arm == CEILING else mode]


def _accuracies(axes: Axes, drawn: pd.DataFrame, mode: str, faint: bool) -> None:
    """One mode of every arm over the lengths: in context hollow and dotted, the control dashed."""
    for arm, (dashes, shift) in _ARMS.items():
        line = of(drawn, {"arm": arm, "answer_mode": mode}).sort_values("x")
        if len(line):
            bar: dict[str, Any] = {"marker": "_", "markersize": 7} if arm == CONTROL else {}
            x = line["x"] + (0.0 if mode == "recite" else shift)
            style.series(axes, x, line, _look(arm, mode), faint, dashes, **bar)


def _gaps(axes: Axes, drawn: pd.DataFrame, mode: str, faint: bool) -> None:
    gap = of(drawn, {"arm": GAP, "answer_mode": mode}).sort_values("x")
    style.series(axes, gap["x"] + _SHIFT[mode], gap, style.MODES[mode], faint)


def _finish_gaps(axes: Axes) -> None:
    axes.axhline(0, color=style.INK, linewidth=0.8, zorder=1)
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=""))
    axes.set_ylabel("points")
    low, high = axes.get_ylim()
    axes.set_ylim(min(low, -0.1), max(high, 0.1))
