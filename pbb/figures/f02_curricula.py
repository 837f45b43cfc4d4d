"""F02: accuracy on w/o IO programs over training, by arm, and where each arm ends."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from pbb.analysis import tables
from pbb.analysis.labels import PLAIN_MODE
from pbb.analysis.tables import CHANCE, CONTROL, TRAINED, Cells, of
from pbb.arms import ARMS
from pbb.figures import style
from pbb.figures.base import BARS, GUESS, Chart, best_guess, layers, panels_in

_FLAT = ("in_context", "untuned")  # nothing is trained: a level, not a curve
_OFFSETS = {"cot": -0.16, "direct": 0.2}
_AMOUNT: dict[str, Any] = {"fontsize": style.FONT - 1.5, "color": style.MUTED}
_SMALL: dict[str, Any] = {"marker": "o", "markersize": 2.8, "markerfacecolor": "white"}


class Curricula(Chart):
    NAME, TITLE = "F02_curricula", "w/o IO accuracy over training, by curriculum"
    CLAIM = (
        "Programs whose execution was never shown are executed by name above every control: untuned, "
        "Stage 1 only, Stage 2 only (C1)."
    )
    NEEDS = "programs asked by name, by CoT and directly"

    def select(self, records: pd.DataFrame) -> pd.DataFrame:
        """Also what is answered about w/ IO programs: not drawn, it says what is forgotten, and what a model can do."""
        asked = self._asked(records)
        held_out = (records["group"] == "w/ IO") & records["held_out"].astype(bool)
        shown = records[held_out & records["answer_mode"].isin(self.MODES)]
        return pd.concat([asked, shown], ignore_index=True) if len(asked) and len(shown) else asked

    def _asked(self, records: pd.DataFrame) -> pd.DataFrame:
        return tables.asked_by_name(records, [*self.MODES, *PLAIN_MODE])

    def parts(self, rows: pd.DataFrame) -> Iterator[pd.DataFrame]:
        asked = self._asked(rows)
        yield tables.points(asked)
        yield tables.guesses(asked[asked["group"] != "AD"])

    def values(self, rows: pd.DataFrame) -> Cells:
        """Where each arm ends, CoT and direct; and what trained arms still know of w/ IO programs."""
        found = tables.cells(tables.final(self._asked(rows)), tuple(ARMS), self.MODES)
        taught = tables.final(rows[rows["group"] == "w/ IO"])
        return found | tables.cells(taught, (*TRAINED, CONTROL), ("cot",), "w/ IO programs")

    def words(self, drawn: pd.DataFrame, rows: pd.DataFrame) -> str:
        text = (
            "Programs without input/output examples (w/o IO), asked by name only. Left: CoT accuracy over "
            "training, each stage by its share of steps; an arm with a single stage of all documents covers both "
            "columns; Stage 1 only is Proactive's first half. Right: the end of training, CoT above direct answers "
            f"(small, white), with tokens trained on. Bars: {BARS}. {tables.sizes(drawn[drawn['arm'] != CHANCE])}. "
            f"Dashed grey: {GUESS}; dotted: the untuned base model, and in context."
        )
        if drawn["domain"].nunique() > 1:  # arithmetic, and what F16 shows
            text += " Algorithms are asked by their problem statement (F16)."
        if (drawn["group"] == "AD").any():
            text += " Algorithm distillation is asked about programs of which it was shown demonstrations."
        return text

    def panels(self, figure: style.Picture, front: pd.DataFrame, behind: pd.DataFrame) -> float:
        panels = sorted(panels_in(front), key=lambda panel: -of(front, panel)["arm"].nunique())  # of most arms first
        grid = figure.subplots(len(panels), 2, squeeze=False, width_ratios=(1.25, 1))
        for row, panel in enumerate(panels):
            ours, theirs = of(front, panel), of(behind, panel)
            _over_training(grid[row, 0], ours, theirs)
            _at_the_end(grid[row, 1], ours, theirs)
            grid[row, 0].set_title(f"{chr(97 + 2 * row)}  {tables.panel_name(panel)}, CoT")
            grid[row, 1].set_title(f"{chr(98 + 2 * row)}  End of training")
        return 2.75 * len(panels)


def _over_training(axes: Axes, ours: pd.DataFrame, theirs: pd.DataFrame) -> None:
    style.percent_axis(axes)
    axes.set_xlim(-0.04, 2.06)
    axes.axvline(1, color=style.MUTED, linewidth=0.7, zorder=1)
    for place, name in ((0.5, "Stage 1"), (1.5, "Stage 2")):
        axes.text(place, -0.03, name, ha="center", va="top", transform=axes.get_xaxis_transform())
    axes.set_xticks([0, 0.5, 1, 1.5, 2], [])
    axes.tick_params(axis="x", length=0)
    axes.grid(axis="x", visible=False)
    axes.set_ylabel("w/o IO accuracy")
    best_guess(axes.axhline, ours, style.WIDELY)
    for drawn, faint in layers(ours, theirs):
        for arm, look in style.ARMS.items():
            curve = of(drawn, {"arm": arm, "answer_mode": ("cot", "in_context_cot")}).sort_values(["stage", "step"])
            if len(curve) and arm in _FLAT:
                level, alpha = float(curve["estimate"].iloc[-1]), style.marked(look, faint)["alpha"]
                axes.axhline(level, color=look.color, linestyle=":", linewidth=1.1, alpha=alpha, zorder=2)
                if arm == "in_context" and not faint:
                    where: dict[str, Any] = {"x": 0.02, "y": level - 0.015, "va": "top", "ha": "left"}
                    if level < 0.1:  # within the frame, and beside what begins there
                        where = {"x": 0.98, "y": level + 0.03, "va": "bottom", "ha": "right"}
                    axes.text(s="in context", fontsize=style.FONT - 1, **where)
            elif len(curve):
                width = 1.4 if look.filled else 0.9
                style.series(axes, curve["x"], curve, look, faint, bars=0.8, linewidth=width, over=True)


def _at_the_end(axes: Axes, ours: pd.DataFrame, theirs: pd.DataFrame) -> None:
    style.percent_axis(axes, "x")
    arms = [arm for arm in style.ARMS if arm in {*ours["arm"], *theirs["arm"]}]
    axes.set_yticks(range(len(arms)), [style.ARMS[arm].label for arm in arms])
    axes.set_ylim(len(arms) - 0.4, -0.6)
    axes.grid(axis="y", visible=False)
    axes.set_xlabel("w/o IO accuracy")
    best_guess(axes.axvline, ours, style.WIDELY)
    for tick, arm in zip(axes.get_yticklabels(), arms, strict=True):
        tick.set(color=style.ARMS[arm].color, fontweight="normal" if ARMS[arm].control else "bold")
    for drawn, faint in layers(ours, theirs):
        ends = drawn.replace({"answer_mode": PLAIN_MODE}).sort_values(["progress", "stage", "step"])
        ends = ends.drop_duplicates(["arm", "answer_mode"], keep="last").sort_values("answer_mode")
        for row, arm in enumerate(arms):
            look = style.ARMS[arm]
            for end in of(ends, {"arm": arm}).to_dict("records"):
                kind, y = style.marked(look, faint), row + _OFFSETS[end["answer_mode"]]
                kind |= _SMALL if end["answer_mode"] == "direct" else {}
                axes.hlines(y, end["low"], end["high"], color=look.color, linewidth=1.0, alpha=kind["alpha"], zorder=2)
                axes.plot(end["estimate"], y, linestyle="none", **kind)
                if end["answer_mode"] == "cot" and not faint and end["tokens"] > 0:
                    beside: dict[str, Any] = {"transform": axes.get_yaxis_transform(), "va": "center"}
                    axes.text(1.02, row, tables.amount(end["tokens"]), **beside, **_AMOUNT)
    dot: dict[str, Any] = {"color": style.INK, "marker": "o", "markersize": 4}
    handles = [Line2D([], [], **dot), Line2D([], [], **dot | _SMALL)]
    place: dict[str, Any] = {"loc": "lower right", "bbox_to_anchor": (1.02, 0.975)}
    axes.legend(handles, ["CoT", "Direct"], ncols=2, columnspacing=1, handlelength=1, **place)
    axes.text(1.02, 1.01, "tokens", transform=axes.transAxes, **_AMOUNT)
