"""F14: can a model recite a program's source, and does it run what it recites?"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from pbb.analysis import tables
from pbb.analysis.labels import statements
from pbb.analysis.statistics import accuracy
from pbb.analysis.tables import CEILING, CHANCE, MEASURED, PANEL, Cells, Value, grouped, of, panel_name
from pbb.arms import ARMS
from pbb.figures import style
from pbb.figures.base import BARS, GUESS, Chart, layers, panels_in

_JOIN = ["seed", "experiment", "program"]
_BAR = [*PANEL, "arm", "answer_mode", "group"]
_BY = [column for column in PANEL if column != "statements"]
_BOTH = "recites and runs right"
# What becomes of an answer, in the order of a bar, and its color. Blue was recited, darkest blue ran right.
OUTCOMES = {
    _BOTH: style.MODES["cot"].color,
    "recites, runs its own lines wrongly": style.GROUPS["w/ IO"].color,
    "recites, wrong in another way": "#c7e4f7",  # the lines of another program, or an answer at once
    "runs right without reciting": style.GROUPS["w/o IO"].color,
    "cannot recite": style.FAINT,
}
RIGHT, RECITES, STATES = "runs right", "recites", "states its own lines"  # of all answers of a bar
_HEIGHT, _WIDEST = 0.135, 0.78  # inches a row, and a bar's share of it
_MARK: dict[str, Any] = {"linestyle": "none", "color": style.INK, "markeredgewidth": 0.6}
_STAR = _MARK | {"marker": style.MODES["recall"].marker, "markersize": 6, "markeredgecolor": "white"}
_CIRCLE = _MARK | {"marker": "o", "markersize": 2.8, "markerfacecolor": "white"}
Groups = list[tuple[int, str]]  # of bars: statements and arm


class Recall(Chart):
    NAME, TITLE = "F14_recall", "What is recited, and what is run"
    CLAIM = "Beyond the paper: a source that is known by heart is not yet a program that runs."
    NEEDS = "answers about w/o IO programs by models that were asked for their sources too (recall)"
    MODES = ("cot", "recite", "direct")
    COLUMNS = (*_BAR, "share", *MEASURED[:-1])

    def select(self, records: pd.DataFrame) -> pd.DataFrame:
        """Answers at the end, of experiments that were asked for sources too."""
        rows = of(tables.final(tables.asked_by_name(records, [*self.MODES, "recall"])), {"group": "w/o IO"})
        rows = rows[rows["curriculum"] != CEILING]
        asked = rows.loc[rows["answer_mode"] == "recall", "experiment"]
        return rows[rows["experiment"].isin(asked)].reset_index(drop=True)

    def parts(self, rows: pd.DataFrame) -> Iterator[pd.DataFrame]:
        """One row a share of a bar: those that add up to it, and what runs right, is recited, or states its own lines.

        A trace states its own lines if it has those of the program's source in order, each before its "=": then the
        model recalls the source where it has to run it. A source with branches or loops counts as not stated, since a
        trace leaves lines out. Arm "chance" is the best guess, of the answers that run right.
        """
        answers = _joined(rows)
        for share, here in _shares(answers).items():
            yield accuracy(_counted(answers, here), _BAR).assign(share=share)
        yield tables.guesses(answers).assign(share=RIGHT)

    def values(self, rows: pd.DataFrame) -> Cells:
        """What each arm recites, and for each mode what it recites and runs right."""
        found: Cells = {}
        for panel, recall in grouped(of(rows, {"answer_mode": "recall"}), [*PANEL, "curriculum"]):
            found[Value(panel["curriculum"], "recall", panel_name(panel))] = recall
        for panel, bar in grouped(_joined(rows), _BAR):
            value = Value(panel["arm"], panel["answer_mode"], panel_name(panel), _BOTH)
            found[value] = _counted(bar, _shares(bar)[_BOTH])
        return found

    def words(self, drawn: pd.DataFrame, rows: pd.DataFrame) -> str:
        return (
            "Answers about w/o IO programs at the end of training, asked by name. Each bar sorts them by whether the "
            "model recites the program's source, word for word, when asked for it once. Its own lines: the trace "
            "states all lines of the source, in order. Star: share recited. Circle: share that runs right; the "
            f"dashed line is {GUESS}. At the right: number of answers. Bars: {BARS}. "
            f"{tables.sizes(drawn[drawn['arm'] != CHANCE])}."
        )

    def panels(self, figure: style.Picture, front: pd.DataFrame, behind: pd.DataFrame) -> float:
        """Every arm at the shortest length, and beside it those that were run at several, by length."""
        panels = panels_in(front, _BY)
        columns = [_groups(of(front, panel)) for panel in panels]
        wide = any(by_length for _, by_length in columns)
        if not wide:
            figure.set_figwidth(style.COLUMN)
        heights = [
            max(_bars(of(front, panel), groups) for groups in both) for panel, both in zip(panels, columns, strict=True)
        ]
        apart = {"wspace": 0.06}  # else numbers of answers touch the next panel's names
        grid = figure.subplots(len(panels), 1 + wide, squeeze=False, height_ratios=heights, gridspec_kw=apart)
        for line, panel, both, height in zip(grid, panels, columns, heights, strict=True):
            for axes, groups, letter in zip(line, both, "ab", strict=False):
                axes.set_visible(bool(groups))
                if groups:
                    _panel(axes, of(front, panel), of(behind, panel), groups, height)
                    title = f"By arm, {statements(groups[0][0])}" if letter == "a" else "By length"
                    form = "" if panel["representation"] == "code" else f", {panel['representation']}"
                    where = f", {panel['model']}{form}" if len(panels) > 1 else ""
                    axes.set_title(f"{letter}  {title}{where}" if wide else f"{title}{where}")
        return _HEIGHT * sum(heights) + 0.55 * len(panels)

    def legend(self, front: pd.DataFrame) -> list[style.Entry]:
        entries: list[style.Entry] = [(Patch(color=color), share) for share, color in OUTCOMES.items()]
        entries += [(Line2D([], [], **_STAR), RECITES), (Line2D([], [], **_CIRCLE), RIGHT)]
        return [*entries, style.stroke("best guess", (0, (3, 2)), style.INK, 0.8)]

    def place(self, figure: style.Picture, entries: list[style.Entry]) -> int:
        """Below the last panel, if that has few enough bars, else above all."""
        last = figure.axes[-1]
        if last.get_visible() and last.get_ylim()[0] - last.get_yticks()[-1] - 0.6 > len(entries):
            last.legend(*zip(*entries, strict=True), loc="lower left", labelspacing=0.35)
            return 0
        return super().place(figure, entries)


def _joined(rows: pd.DataFrame) -> pd.DataFrame:
    """Answers about executions, with `recited`, `stated` and `right`: of the source, in the trace, and the outcome.

    The source is asked for once a program, and its recital stands beside each of the program's answers.
    """
    recall = rows[rows["answer_mode"] == "recall"]
    recited = recall[_JOIN].assign(recited=recall["outcome"] == "correct", source=recall["expected"])
    answers = rows[rows["answer_mode"] != "recall"].merge(recited, on=_JOIN, validate="many_to_one")
    stated = [_states(source, text) for source, text in zip(answers["source"], answers["completion"], strict=True)]
    answers = answers.assign(stated=stated, right=answers["outcome"] == "correct").drop(columns="source")
    return answers.rename(columns={"curriculum": "arm"})


def _states(source: str, answer: str) -> bool:
    """Whether `answer` runs all lines of a straight-line source, in order."""
    _, *lines = source.splitlines()
    if not lines or any(line.endswith(":") for line in lines):
        return False
    each = (rf"^{re.escape(line.strip())} = " for line in lines)
    return re.search(".*".join(each), answer, re.MULTILINE | re.DOTALL) is not None


def _shares(answers: pd.DataFrame) -> dict[str, pd.Series]:
    """Which of `answers` belong to each share."""
    recited, stated, right = (answers[column] for column in ("recited", "stated", "right"))
    each = (recited & right, recited & stated & ~right, recited & ~stated & ~right, ~recited & right, ~recited & ~right)
    return {**dict(zip(OUTCOMES, each, strict=True)), RIGHT: right, RECITES: recited, STATES: stated}


def _counted(answers: pd.DataFrame, belongs: pd.Series) -> pd.DataFrame:
    """Rows whose "correct" means that they belong to a share; what is unparsed and does not belong stays so."""
    elsewhere = answers["outcome"].where(answers["outcome"] == "unparsed", "wrong")
    return answers.assign(outcome=elsewhere.where(~belongs, "correct"))


def _groups(drawn: pd.DataFrame) -> tuple[Groups, Groups]:
    """The bars of the left panel and of the right one, in the order of the arms."""
    held = set(drawn.loc[drawn["arm"] != CHANCE, ["statements", "arm"]].itertuples(index=False, name=None))
    shortest = min(length for length, _ in held)
    lengths = {arm: sorted(length for length, other in held if other == arm) for arm in ARMS}
    by_length = [(length, arm) for arm in ARMS for length in lengths[arm] if len(lengths[arm]) > 1]
    return [(shortest, arm) for arm in ARMS if shortest in lengths[arm]], by_length


def _bar(drawn: pd.DataFrame, group: tuple[int, str]) -> pd.DataFrame:
    return of(drawn, {"statements": group[0], "arm": group[1]})


def _bars(drawn: pd.DataFrame, groups: Groups) -> float:
    """How many bars high a panel is: each group has a heading."""
    return sum(1 + _bar(drawn, group)["answer_mode"].nunique() for group in groups)


def _panel(axes: Axes, front: pd.DataFrame, reference: pd.DataFrame, groups: Groups, height: float) -> None:
    style.percent_axis(axes, "x", 0, 1)
    axes.grid(visible=False)
    axes.set_ylim(height - 0.4, -0.6)
    axes.spines[["left", "top", "right"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("share of answers")
    y, ticks = 0.0, {}
    for length, arm in groups:
        ours, theirs = _bar(front, (length, arm)), _bar(reference, (length, arm))
        told = "" if groups[0][0] == groups[-1][0] else f", {statements(length)}"
        axes.text(0, y + 0.1, ARMS[arm].label + told, va="center", weight="bold", fontsize=style.FONT - 0.5)
        top = y
        for mode in (mode for mode in Recall.MODES if (ours["answer_mode"] == mode).any()):
            mine, behind = (of(drawn, {"answer_mode": mode}).set_index("share") for drawn in (ours, theirs))
            y += 1
            ticks[y] = style.MODES[mode].label
            _stack(axes, mine, y)
            for drawn, faint in layers(mine, behind):
                _marks(axes, drawn, y, faint)
        guess = _bar(front, (length, CHANCE))["estimate"]
        axes.vlines(guess, top + 0.5, y + 0.5, color=style.INK, linestyle=(0, (3, 2)), linewidth=0.8, zorder=3)
        y += 1
    axes.set_yticks(list(ticks), list(ticks.values()))


def _stack(axes: Axes, bar: pd.DataFrame, y: float) -> None:
    left = 0.0
    for share, color in OUTCOMES.items():
        width = float(bar.loc[share, "estimate"])
        axes.barh(y, width, _WIDEST, left, color=color, linewidth=0, zorder=2)
        left += width
    axes.text(1.02, y, f"{bar['questions'].iloc[0]:.0f}", va="center", fontsize=style.FONT - 1.5, color=style.MUTED)


def _marks(axes: Axes, bar: pd.DataFrame, y: float, faint: bool) -> None:
    """What is recited (star, upper half) and what runs right (circle, lower half), each with its interval."""
    for share, offset, kind in ((RECITES, -0.2, _STAR), (RIGHT, 0.2, _CIRCLE)):
        if share in bar.index:
            alpha = style.REFERENCE_ALPHA if faint else 1.0
            low, high = bar.loc[share, "low"], bar.loc[share, "high"]
            axes.hlines(y + offset, low, high, color=style.INK, linewidth=0.9, alpha=alpha, zorder=4)
            axes.plot(bar.loc[share, "estimate"], y + offset, alpha=alpha, clip_on=False, zorder=5 - faint, **kind)
