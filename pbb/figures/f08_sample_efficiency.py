"""F08: how many demonstrations a program's source is worth: kinds of distillation, against the line of PBB."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from pbb.analysis import tables
from pbb.analysis.labels import IN_CONTEXT, counted
from pbb.analysis.statistics import Crossing
from pbb.analysis.tables import CEILING, CHANCE, CONTROL, CURVES, PANEL, Cells, final, grouped, of, panel_name, points
from pbb.figures import style
from pbb.figures.base import BARS, GUESS, Chart, best_guess, layers

_CURVES = ("distillation", "distillation_after_stage_1", "distillation_values", "distillation_traces")
_LINE = "proactive"
_STAGE_1 = {"curriculum": _LINE, "stage": 1}
_LINES: dict[str, Any] = {_LINE: "-", CONTROL: style.DASHED, CEILING: "-."}
_CROSSINGS = {curve: f"{curve}, crossing" for curve in CURVES}  # arms of the table


class SampleEfficiency(Chart):
    NAME = "F08_sample_efficiency"
    TITLE = "Distillation by number of demonstrations, against the source alone"
    CLAIM = "One instruction is worth many execution examples (C6)."
    NEEDS = f"held-out inputs, asked of {', '.join([*_CURVES, *_LINES])}"
    LABEL, ACROSS = "held-out accuracy", 5

    def select(self, records: pd.DataFrame) -> pd.DataFrame:
        """Where each arm ends, and PBB at the end of Stage 1, for its cost."""
        rows = tables.asked_by_name(records, (*self.MODES, *IN_CONTEXT.values()))
        rows = of(rows, {"curriculum": (*_CURVES, *_LINES), "held_out": True})
        return pd.concat([final(rows), final(of(rows, _STAGE_1))], ignore_index=True)

    def parts(self, rows: pd.DataFrame) -> Iterator[pd.DataFrame]:
        """x is the number of demonstrations of a program, for distillation only.

        In rows of an arm such as "distillation, crossing", estimate, low and high are numbers of demonstrations: 0
        stands for less than the fewest that were tried, inf for more than the most. There is none where PBB is at its
        control: a source that taught nothing is worth no demonstrations.
        """
        rows = final(rows)
        curve = rows["curriculum"].isin(_CURVES)
        lines = points(rows[~curve]).assign(x=float("nan"))
        yield lines
        for count, shown in rows[curve].groupby("demonstrations"):
            yield points(shown).assign(x=float(count))
        for _, panel in grouped(rows):
            yield tables.guesses(panel)
            for where, arm, mode, found in tables.crossings(panel):
                if not _at_control(of(lines, where), mode):
                    measured = tables.measures(found)
                    yield pd.DataFrame([where | {"arm": _CROSSINGS[arm], "answer_mode": mode} | measured])

    def values(self, rows: pd.DataFrame) -> Cells:
        """PBB and its control, and distillation at each number of demonstrations."""
        rows = final(rows)
        found = tables.cells(rows, (_LINE, CONTROL), self.MODES)
        for count, shown in rows.groupby("demonstrations"):
            found |= tables.cells(shown, _CURVES, self.MODES, counted(count, "demonstrations"))
        return found

    def words(self, drawn: pd.DataFrame, rows: pd.DataFrame) -> str:
        text = (
            "How many demonstrations a program's source is worth. Distillation (AD) is trained on some of a program's "
            "inputs and asked about the others; PBB is told the same programs' source, and no input. Algorithm "
            "distillation shows what goes in and what comes out; after Stage 1 it does so where PBB is told sources. "
            "Both do best when asked directly, so both panels show their direct answers. "
        )
        if (drawn["arm"] == "distillation_values").any():
            text += "By values, AD is shown the results of all steps too, and asked by CoT. "
        if (drawn["arm"] == "distillation_traces").any():
            text += "By traces, AD is shown the steps in code, which quote the source, and asked by CoT. "
        if rows["input"].str.contains(",").all():
            text += "Programs have two arguments. "
        crossed = drawn["arm"].isin([*_CROSSINGS.values()])
        several = len(drawn.loc[crossed, PANEL].drop_duplicates()) > 1
        for row in drawn[crossed].to_dict("records"):
            where = f" ({panel_name({name: row[name] for name in PANEL})})" if several else ""
            arm = style.ARMS[row["arm"].partition(", ")[0]].label
            text += f"{style.MODES[row['answer_mode']].label}{where}: {arm} reaches the line of PBB at "
            text += f"{_range(drawn, row)}{' (one seed)' * (row['seeds'] == 1)}. "
        return (
            f"{text}{_cost(rows)}Dashed: the control (Stage 1 only); dash-dotted: in context; dotted: {GUESS}. "
            f"Bars and bands: {BARS}; a crossing's covers every number at which the two cannot be told apart, "
            f"interpolated on log demonstrations. {tables.sizes(drawn[~crossed & (drawn['arm'] != CHANCE)])}."
        )

    def told(self, ours: pd.DataFrame, mode: str) -> str:
        if _at_control(ours, mode):
            return ": PBB is at its control"
        worth = of(ours, {"arm": _CROSSINGS[CURVES[0]], "answer_mode": mode}).to_dict("records")
        return "".join(f": worth {_range(ours, row)}" for row in worth)

    def fill(self, line: np.ndarray, ours: pd.DataFrame, theirs: pd.DataFrame, mode: str) -> None:
        (axes,) = line
        counts = sorted({*ours["x"].dropna(), *theirs["x"].dropna()}) or [1.0]
        axes.set_xscale("log")
        axes.set_xticks(counts, [f"{count:g}" for count in counts])
        axes.set_xticks([], minor=True)
        axes.set_xlim(counts[0] / 1.2, counts[-1] * 1.2)
        axes.set_xlabel("demonstrations of a program, log scale")
        axes.grid(axis="x", visible=False)
        for drawn, faint in layers(ours, theirs):
            for arm, dashes in _LINES.items():
                asked = of(drawn, {"arm": arm, "answer_mode": (mode, IN_CONTEXT[mode])})
                for level in asked.to_dict("records"):
                    look, alpha = style.ARMS[arm], style.REFERENCE_ALPHA if faint else 1.0
                    axes.axhline(level["estimate"], color=look.color, linestyle=dashes, alpha=alpha, zorder=2)
                    if not faint:
                        axes.axhspan(level["low"], level["high"], color=look.color, alpha=0.15, linewidth=0, zorder=1)
            for place, arm in enumerate(_CURVES):  # apart, so that intervals do not cover each other
                curve = of(drawn, {"arm": arm, "answer_mode": tables.against(arm, mode)}).sort_values("x")
                style.series(axes, curve["x"] * 1.04 ** (place - 1.5), curve, style.ARMS[arm], faint)
        best_guess(axes.axhline, ours, ":")
        # The interval of a crossing, on the line of PBB; it runs off the axes where it is censored.
        level = of(ours, {"arm": _LINE, "answer_mode": mode})["estimate"]
        left, right = axes.get_xlim()
        for arm, crossed in _CROSSINGS.items():
            color = style.ARMS[arm].color
            for row in of(ours, {"arm": crossed, "answer_mode": mode}).to_dict("records"):
                ends = max(row["low"], left), min(row["high"], right)
                axes.hlines(level, *ends, color=color, linewidth=2.2, alpha=0.8, zorder=4)
                if left <= row["estimate"] <= right:
                    axes.vlines(row["estimate"], axes.get_ylim()[0], level, color=color, linestyle=":", linewidth=0.9)

    def legend(self, front: pd.DataFrame) -> list[style.Entry]:
        each = {arm: style.entry(style.ARMS[arm]) for arm in _CURVES}
        for arm, dashes in _LINES.items():
            each[arm] = style.stroke(style.ARMS[arm].label, dashes, style.ARMS[arm].color, 1.3)
        each[", crossing"] = style.stroke("Crossing, 95\u00a0% interval", "-", style.MUTED, 2.2)
        each[CHANCE] = style.stroke("Best guess", ":")
        crossed = front[front["arm"].isin(_CROSSINGS.values())]
        if not ((crossed["low"] <= front["x"].max()) & (crossed["high"] >= front["x"].min())).any():  # off the axes
            del each[", crossing"]
        return [entry for arm, entry in each.items() if front["arm"].str.endswith(arm).any()]


def _at_control(drawn: pd.DataFrame, mode: str) -> bool:
    """Whether PBB's answers cannot be told from those of Stage 1 only: their intervals meet."""
    told, untold = (of(drawn, {"arm": arm, "answer_mode": mode}) for arm in (_LINE, CONTROL))
    return bool(len(told) and len(untold) and (told["low"].iloc[0] <= untold["high"].iloc[0]))


def _cost(rows: pd.DataFrame) -> str:
    """What Stage 1, Stage 2 and distillation cost, from the records of each panel; empty where PBB was not run."""
    text, end = "", final(rows)
    panels = list(grouped(of(rows, _STAGE_1)))
    for panel, stage_1 in panels:
        here, first = of(end, panel), stage_1.iloc[0]
        shown = int(stage_1["questions_trained"].max())
        tokens, told = int(stage_1["tokens"].max()), of(here, {"curriculum": _LINE})
        programs = told.groupby("seed")["program"].nunique().max()
        where = f" ({panel_name(panel)})" if len(panels) > 1 else ""
        text += (
            f"PBB needs Stage 1 first{where}: {tokens:,} tokens with {shown:,} executions (on "
            f"{first['demonstrations']} inputs of each of {first['with_io_programs']:,} w/ IO programs), which is "
            f"{shown / programs:.3g} for each of the {programs} programs then told; telling them took "
            f"{int(told['tokens'].max()) - tokens:,} tokens. "
        )
        for arm, before in zip(CURVES, (0, shown), strict=True):
            if len(curve := of(here, {"curriculum": arm})):
                draws = (int(curve["questions_trained"].max()) - before) / programs
                spent = f"{int(curve['tokens'].max()):,} tokens at each point"
                text += f"{style.ARMS[arm].label} takes {spent}, {draws:.0f} draws from a program's demonstrations. "
    return text


def _range(drawn: pd.DataFrame, row: dict[str, Any]) -> str:
    """A crossing in words, such as "4.1 [2.3, >9] demonstrations" or "more than 90 demonstrations"."""
    curve = {name: row[name] for name in PANEL} | {"arm": row["arm"].partition(", ")[0]}
    tried = of(drawn, curve)["x"].dropna()
    names = ("estimate", "low", "high", "programs", "seeds")
    said = str(Crossing(**{name: row[name] for name in names}, fewest=tried.min(), most=tried.max()))
    return f"{said} demonstration{'s' * (not said.endswith(' 1'))}"
