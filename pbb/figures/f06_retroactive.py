"""F06: Retroactive's second stage by SFT and by GRPO, after equal numbers of questions and of tokens."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from pbb.analysis.statistics import accuracy, chance
from pbb.figures import style
from pbb.figures.tables import PANEL, TABLE, final, headline_of, panel_name, sizes, usable

ID, NAME, TITLE = "F06", "F06_retroactive", "Retroactive-PBB's Stage 2 by GRPO and by SFT"
CLAIM = "Retroactive-PBB by RL generalises faster and more steadily than by SFT (C8)."
_SFT, _GRPO, _START = "retroactive", "retroactive_grpo", "no_demonstrations"
_TRAINED = (_SFT, _GRPO)
_REWARDED = (_GRPO, "grpo_without_pbb")
_ARMS = (*_TRAINED, "skip_exposure", "grpo_without_pbb", _START)
_MODES = ("cot", "direct")
_AXES = {"x": "questions seen in Stage 2", "tokens": "tokens of Stage 2, trained on or generated"}
_NEAR = 1.25  # numbers of questions count as equal within this factor


def select(records: pd.DataFrame) -> pd.DataFrame:
    """The rows that this figure is drawn from: the end of Stage 1, and Stage 2; w/ IO programs of the two arms too.

    Stage 2 is numbered 2, and 3 where GRPO follows on some SFT.
    """
    asked = records["answer_mode"].isin(_MODES) & records["curriculum"].isin(_ARMS)
    learnt = records["curriculum"].isin(_TRAINED) & (records["group"] == "w/ IO")
    rows = records[asked & (learnt | (records["group"] == "w/o IO"))]
    end = rows["step"].where(rows["stage"] == 1).groupby(rows["experiment"]).transform("max")
    return rows[(rows["stage"] >= 2) | ((rows["stage"] == 1) & (rows["step"] == end))]


def _of_stage_2(rows: pd.DataFrame) -> pd.DataFrame:
    """`rows` with what Stage 2 alone took: column x, its questions, and `tokens`, its tokens. `moment` counts them."""
    by = rows.groupby("experiment")
    questions = rows["questions_trained"] - by["questions_trained"].transform("min")
    tokens = rows["tokens"] - by["tokens"].transform("min")
    return rows.assign(x=questions, tokens=tokens, moment=by["tokens"].rank("dense"))


def table(records: pd.DataFrame) -> pd.DataFrame:
    """One row a plotted point, columns TABLE; x is questions seen in Stage 2, and tokens are Stage 2's too.

    The start of Stage 2 has x = 0. Arm "chance" is the best guess without knowledge of the program.
    """
    rows = _of_stage_2(select(records)).rename(columns={"curriculum": "arm"})
    by = [*PANEL, "arm", "answer_mode", "group", "moment"]
    places = rows.groupby(by)[["stage", "step", "progress", "tokens", "x"]].mean().reset_index()
    places = places.astype({"stage": int, "step": int, "tokens": int})
    drawn = accuracy(rows, by).merge(places, on=by)
    asked = rows[rows["group"] == "w/o IO"]
    guesses = [
        dict(zip(PANEL, key, strict=True)) | {"arm": "chance", "estimate": chance(panel)}
        for key, panel in asked.groupby(PANEL)
    ]
    return pd.concat([drawn, pd.DataFrame(guesses)], ignore_index=True)[TABLE]


def matched(records: pd.DataFrame) -> pd.DataFrame:
    """SFT's rows at the checkpoint after as many questions as GRPO's Stage 2 asked; none where there is none near.

    Of records with one panel; each seed has a checkpoint of its own.
    """
    kept = select(records).reset_index(drop=True)
    rows = _of_stage_2(kept)
    asked = rows[rows["curriculum"] == _GRPO].groupby("seed")["x"].max()
    sft = rows[(rows["curriculum"] == _SFT) & (rows["x"] > 0)]
    off = np.log(sft["x"] / sft["seed"].map(asked)).abs()
    nearest = off == off.groupby(sft["seed"]).transform("min")
    return kept.loc[sft.index[nearest & (off <= np.log(_NEAR))]]


def cells(records: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Headline values: where each arm ends, CoT and direct; and SFT after as many questions as GRPO."""
    found = {}
    rows = select(records)
    for key, panel in rows[rows["group"] == "w/o IO"].groupby(PANEL):
        end, equal = final(panel), matched(panel)
        for arm in _ARMS:
            for mode in _MODES:
                name = f"{style.ARMS[arm].label}, {style.MODES[mode].label}"
                sides = {name: end[end["curriculum"] == arm]}
                if arm == _SFT:
                    sides[f"{name} after as many questions as GRPO"] = equal
                for label, side in sides.items():
                    if len(cell := side[side["answer_mode"] == mode]):
                        found[f"{label}; {panel_name(key)}"] = cell
    return found


def headline(records: pd.DataFrame) -> pd.DataFrame:
    return headline_of(cells(records))


def caption(records: pd.DataFrame) -> str:
    return _caption(table(records))


def _caption(drawn: pd.DataFrame) -> str:
    asked = drawn[drawn["group"] == "w/o IO"]
    text = (
        "Stage 2 asks about w/ IO programs. By SFT it shows their answers; by GRPO the model samples its own, and "
        "right ones are rewarded. Both start from the same weights, at 0: all sources were read, none was run (no "
        "demonstrations). "
    )
    if (drawn["stage"] > 2).any():
        warm = drawn.loc[drawn["arm"].isin(_REWARDED) & (drawn["stage"] == 2), "step"].max()
        text += f"GRPO follows on {warm:.0f} steps of SFT: its lines begin there. "
    text += "Controls, hollow: the same Stage 2 where Stage 1 left out the w/o IO sources. "
    if "w/ IO" in set(drawn["group"]):
        text += "Thin dotted: w/ IO programs on inputs that training never showed. "
    return (
        f"{text}Each run has a learning-rate schedule of its own. Bars: 95\u00a0% bootstrap intervals, clustered by "
        f"program and seed. {sizes(asked)}. Dashed grey: the best guess without knowledge of the program."
    )


def draw(
    records: pd.DataFrame,
    reference: pd.DataFrame | None = None,
    *,
    variant: str = "this run",
    allow_smoke: bool = False,
) -> Figure:
    """The figure, by questions beside by tokens, CoT above direct; `reference` is drawn faintly behind."""
    records = usable(records, allow_smoke=allow_smoke)
    front = table(records)
    behind = front[:0] if reference is None else table(usable(reference, allow_smoke=allow_smoke))
    panels = list(front[PANEL].drop_duplicates().itertuples(index=False, name=None))
    modes = [mode for mode in _MODES if (front["answer_mode"] == mode).any()]
    lines = [(panel, mode) for panel in panels for mode in modes]
    with style.theme():
        figure = style.Picture(figsize=(style.DOUBLE, 3))
        grid = figure.subplots(len(lines), 2, squeeze=False, sharey=True, sharex="col")
        for row, (panel, mode) in enumerate(lines):
            ours, theirs = (_of(drawn, panel, mode) for drawn in (front, behind))
            for axes, column in zip(grid[row], _AXES, strict=True):
                _panel(axes, ours, theirs, column)
            where = f", {panel_name(panel)}" if len(panels) > 1 else ""
            grid[row, 0].set_title(f"{chr(97 + row)}  {style.MODES[mode].label}{where}")
            grid[row, 0].set_ylabel("accuracy")
        for axes, (column, label) in zip(grid[-1], _AXES.items(), strict=True):
            axes.set_xlabel(f"{label}, log scale")
            _log_scale(axes, pd.concat([front[column], behind[column]]))
        rows = _legend(figure, front, variant if reference is not None else None)
        style.with_caption(figure, _caption(front), panels=0.35 + 1.55 * len(lines) + 0.15 * rows)
        if (records["preset"] == "smoke").any():
            style.stamp_smoke(figure)
    return figure


def _of(drawn: pd.DataFrame, panel: tuple, mode: str) -> pd.DataFrame:
    here = (drawn[PANEL] == list(panel)).all(axis=1)
    return drawn[here & ((drawn["answer_mode"] == mode) | (drawn["arm"] == "chance"))]


def _panel(axes: Axes, ours: pd.DataFrame, theirs: pd.DataFrame, column: str) -> None:
    style.percent_axis(axes)
    for level in ours.loc[ours["arm"] == "chance", "estimate"]:
        axes.axhline(level, color=style.MUTED, linestyle=(0, (4, 3)), linewidth=0.8, zorder=1)
    for drawn, faint in ((theirs, True), (ours, False)):
        for arm in reversed(_ARMS):
            kind = style.marked(style.ARMS[arm], faint)
            mine = drawn[drawn["arm"] == arm].sort_values(column)
            if mine.empty:
                continue
            if (mine["stage"] > 2).any():  # what comes before GRPO is SFT's
                mine = mine[mine["stage"] >= 2]
            learnt = mine[mine["group"] == "w/ IO"]
            axes.plot(learnt[column], learnt["estimate"], linestyle=":", linewidth=0.9, **_plain(kind))
            line = mine[mine["group"] == "w/o IO"]
            axes.plot(line[column], line["estimate"], linewidth=1.4 if arm in _TRAINED else 0.9, **kind)
            axes.vlines(line[column], line["low"], line["high"], linewidth=0.8, **_plain(kind))


def _plain(kind: dict[str, Any]) -> dict[str, Any]:
    """The part of a look that a line without markers has."""
    return {name: kind[name] for name in ("color", "alpha", "zorder")}


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


def _legend(figure: Figure, front: pd.DataFrame, variant: str | None) -> int:
    """Legend above the panels; returns its rows."""
    entries = [
        (Line2D([], [], **style.marked(style.ARMS[arm])), style.ARMS[arm].label)
        for arm in _ARMS
        if (front["arm"] == arm).any()
    ]
    if (front["group"] == "w/ IO").any():
        entries.append((Line2D([], [], color=style.MUTED, linestyle=":", linewidth=0.9), "w/ IO programs"))
    entries.append((Line2D([], [], color=style.MUTED, linestyle=(0, (4, 3)), linewidth=0.8), "Best guess"))
    if variant is not None:
        for alpha, label in ((1.0, variant), (style.REFERENCE_ALPHA, "committed reference")):
            entries.append((Line2D([], [], color=style.INK, marker="o", markersize=3.4, alpha=alpha), label))
    figure.legend(*zip(*entries, strict=True), loc="outside upper center", ncols=4, columnspacing=1.4)
    return -(-len(entries) // 4)
