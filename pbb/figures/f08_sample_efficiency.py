"""F08: how many demonstrations a program's source is worth: four kinds of distillation, against the line of PBB."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from pbb.analysis import tables
from pbb.analysis.labels import IN_CONTEXT, counted
from pbb.analysis.statistics import Crossing
from pbb.analysis.tables import (
    CEILING,
    CHANCE,
    CONTROL,
    CURVES,
    PANEL,
    Cells,
    against,
    asked_by_name,
    crossings,
    final,
    guesses,
    measures,
    of,
    panel_name,
    points,
    sizes,
    stacked,
)
from pbb.figures import style
from pbb.figures.base import BARS, GUESS, Chart, panels_in

_MODES = ("cot", "direct")
_CURVES = ("distillation", "distillation_after_stage_1", "distillation_values", "distillation_traces")
_LINE, _CROSSING = "proactive", "crossing"  # arms of crossings are called f"{curve}, {_CROSSING}"
_CROSSINGS = {curve: f"{curve}, {_CROSSING}" for curve in CURVES}


class SampleEfficiency(Chart):
    ID, NAME = "F08", "F08_sample_efficiency"
    TITLE = "Distillation by number of demonstrations, against the source alone"
    CLAIM = "One instruction is worth many execution examples (C6)."
    COLUMNS = 5

    def select(self, records: pd.DataFrame) -> pd.DataFrame:
        """Where each arm ends, and PBB at the end of Stage 1, for its cost."""
        rows = asked_by_name(records, (*_MODES, *IN_CONTEXT.values()))
        rows = of(rows, {"curriculum": (*_CURVES, _LINE, CONTROL, CEILING), "held_out": True})
        return pd.concat([final(rows), final(of(rows, _STAGE_1))], ignore_index=True)

    def table(self, records: pd.DataFrame) -> pd.DataFrame:
        """x is the number of demonstrations of a program, for distillation only.

        In rows of an arm such as "distillation, crossing", estimate, low and high are numbers of demonstrations: 0
        stands for less than the fewest that were tried, inf for more than the most.
        """
        rows = final(self.select(records))
        curve = rows["curriculum"].isin(_CURVES)
        parts = [points(rows[~curve]).assign(x=float("nan"))]
        parts += [points(shown).assign(x=float(count)) for count, shown in rows[curve].groupby("demonstrations")]
        for _, panel in rows.groupby(PANEL):
            parts.append(guesses(panel))
            for where, arm, mode, found in crossings(panel):
                parts.append(pd.DataFrame([where | {"arm": _CROSSINGS[arm], "answer_mode": mode} | measures(found)]))
        return stacked(parts)

    def cells(self, records: pd.DataFrame) -> Cells:
        """PBB and its control, and distillation at each number of demonstrations."""
        rows = final(self.select(records))
        found = tables.cells(rows, (_LINE, CONTROL), _MODES)
        for count, shown in rows.groupby("demonstrations"):
            found |= tables.cells(shown, _CURVES, _MODES, counted(count, "demonstrations"))
        return found

    def words(self, drawn: pd.DataFrame, records: pd.DataFrame) -> str:
        text = (
            "How many demonstrations a program's source is worth. Distillation (AD) is trained on some of a program's "
            "inputs and asked about the others; PBB is told the same programs' source, and no input. Algorithm "
            "distillation shows what goes in and what comes out; after Stage 1 it does so where PBB is told sources. "
            "Both are best asked directly, and stand so against PBB's answers by CoT and against its direct ones. By "
            "values, AD is shown the results of all steps too, and asked by CoT; by traces, it is shown the steps in "
            "code, which quote the source. "
        )
        found = of(drawn, {"arm": list(_CROSSINGS.values())})
        many = len(found[PANEL].drop_duplicates()) > 1
        for row in found.to_dict("records"):
            where = f" ({panel_name([row[name] for name in PANEL])})" if many else ""
            arm = style.ARMS[row["arm"].partition(", ")[0]].label
            text += f"{style.MODES[row['answer_mode']].label}{where}: {arm} reaches the line of PBB at "
            text += f"{_range(drawn, row)} demonstrations. "
        return (
            f"{text}{self._cost(records)}Dashed: the control (Stage 1 only); dash-dotted: in context; dotted: {GUESS}. "
            f"Bars and bands: {BARS}; the crossing's holds the numbers at which the two cannot be told apart, "
            "interpolated on log demonstrations. "
            f"{sizes(drawn[~drawn['arm'].isin([CHANCE, *_CROSSINGS.values()])])}."
        )

    def _cost(self, records: pd.DataFrame) -> str:
        """What Stage 1, Stage 2 and distillation cost, from the records of each panel; empty where PBB was not run."""
        rows, text = self.select(records), ""
        end, before = final(rows), of(rows, _STAGE_1)
        panels = panels_in(before)
        for panel in panels:
            stage_1, here = of(before, panel), of(end, panel)
            first = stage_1.iloc[0]
            shown = int(first["with_io_programs"] * first["demonstrations"])
            tokens, told = int(stage_1["tokens"].max()), of(here, {"curriculum": _LINE})
            programs = told.groupby("seed")["program"].nunique().max()
            where = f" ({panel_name([*panel.values()])})" if len(panels) > 1 else ""
            text += (
                f"PBB needs Stage 1 first{where}: {tokens:,} tokens with {shown:,} demonstrations "
                f"({first['demonstrations']} of each of {first['with_io_programs']:,} w/ IO programs), which is "
                f"{shown / programs:.3g} for each of the {programs} programs then told; telling them took "
                f"{int(told['tokens'].max()) - tokens:,} tokens. "
            )
            if len(curve := of(here, {"curriculum": CURVES[0]})):
                text += f"Algorithm distillation needs none: {int(curve['tokens'].max()):,} tokens at each point. "
        return text

    def panels(self, figure: style.Picture, front: pd.DataFrame, behind: pd.DataFrame) -> float:
        """CoT beside direct answers."""
        panels = panels_in(front)
        grid = figure.subplots(len(panels), 2, squeeze=False, sharey=True)
        for line, panel in zip(grid, panels, strict=True):
            where = f"\n{panel_name([*panel.values()])}" if len(panels) > 1 else ""
            for axes, mode, letter in zip(line, _MODES, "ab", strict=True):
                ours = of(front, panel)
                _panel(axes, ours, of(behind, panel), mode)
                worth = of(ours, {"arm": _CROSSINGS[CURVES[0]], "answer_mode": mode}).to_dict("records")
                told = "".join(f": worth {_range(ours, row)} demonstrations" for row in worth)
                axes.set_title(f"{letter}  {style.MODES[mode].label}{told}{where}")
            line[0].set_ylabel("held-out accuracy")
        return 2.3 * len(panels)

    def legend(self, front: pd.DataFrame) -> list[style.Entry]:
        each = {curve: style.entry(style.ARMS[curve]) for curve in _CURVES}
        each |= {arm: style.stroke(style.ARMS[arm].label, how, style.ARMS[arm].color, 1.3) for arm, how in _LINES}
        entries = [entry for arm, entry in each.items() if (front["arm"] == arm).any()]
        if front["arm"].isin(list(_CROSSINGS.values())).any():
            entries.append(style.stroke("Crossing, 95\u00a0% interval", "-", style.MUTED, 2.2))
        return [*entries, style.stroke("Best guess", ":")]


_STAGE_1 = {"curriculum": _LINE, "stage": 1}
_LINES: tuple[tuple[str, Any], ...] = ((_LINE, "-"), (CONTROL, style.DASHED), (CEILING, "-."))


def _panel(axes: Axes, ours: pd.DataFrame, theirs: pd.DataFrame, mode: str) -> None:
    style.percent_axis(axes)
    counts = sorted({*ours["x"].dropna(), *theirs["x"].dropna()}) or [1.0]
    axes.set_xscale("log")
    axes.set_xticks(counts, [f"{count:g}" for count in counts])
    axes.set_xticks([], minor=True)
    axes.set_xlim(counts[0] / 1.2, counts[-1] * 1.2)
    axes.set_xlabel("demonstrations of a program, log scale")
    axes.grid(axis="x", visible=False)
    for drawn, faint in ((theirs, True), (ours, False)):
        here = of(drawn, {"answer_mode": (mode, IN_CONTEXT[mode])})
        for arm, dashes in _LINES:
            for line in of(here, {"arm": arm}).to_dict("records"):
                look, alpha = style.ARMS[arm], style.REFERENCE_ALPHA if faint else 1.0
                axes.axhline(line["estimate"], color=look.color, linestyle=dashes, alpha=alpha, zorder=2)
                if not faint:
                    axes.axhspan(line["low"], line["high"], color=look.color, alpha=0.15, linewidth=0, zorder=1)
        for place, arm in enumerate(_CURVES):  # apart, so that intervals do not cover each other
            curve = of(drawn, {"arm": arm, "answer_mode": against(arm, mode)}).sort_values("x")
            style.series(axes, curve["x"] * 1.04 ** (place - 1.5), curve, style.ARMS[arm], faint)
    for level in of(ours, {"arm": CHANCE})["estimate"]:
        axes.axhline(level, color=style.MUTED, linestyle=":", linewidth=0.9, zorder=1)
    # The interval of a crossing, on the line of PBB; it runs off the axes where it is censored.
    level = of(ours, {"arm": _LINE, "answer_mode": mode})["estimate"]
    left, right = axes.get_xlim()
    for curve, crossed in _CROSSINGS.items():
        color = style.ARMS[curve].color
        for row in of(ours, {"arm": crossed, "answer_mode": mode}).to_dict("records"):
            low, high = max(row["low"], left), min(row["high"], right)
            axes.hlines(level, low, high, color=color, linewidth=2.2, alpha=0.8, zorder=4)
            if left <= row["estimate"] <= right:
                axes.vlines(row["estimate"], axes.get_ylim()[0], level, color=color, linestyle=":", linewidth=0.9)


def _range(drawn: pd.DataFrame, row: dict) -> str:
    """A crossing in words, such as "4.1 [2.3, >9]"."""
    tried = of(drawn, {name: row[name] for name in PANEL})["x"].dropna()
    names = ("estimate", "low", "high", "programs", "seeds")
    return str(Crossing(**{name: row[name] for name in names}, fewest=tried.min(), most=tried.max()))
