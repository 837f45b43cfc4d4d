"""F14: can a model recite a program's source, and does it run what it recites?"""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from pbb.analysis.statistics import accuracy, chance
from pbb.arms import ARMS
from pbb.figures import style
from pbb.figures.tables import MEASURED, PANEL, asked_by_name, final, headline_of, panel_name, sizes, usable
from pbb.store import RecordsError

ID, NAME, TITLE = "F14", "F14_recall", "What is recited, and what is run"
CLAIM = "Beyond the paper: a source that is known by heart is not yet a program that runs."
_MODES = ("cot", "recite", "direct")
_JOIN = ["seed", "experiment", "program"]
_BAR = [*PANEL, "arm", "answer_mode", "group"]
_BY = [column for column in PANEL if column != "statements"]
_BOTH = "recites and runs right"
# What becomes of an answer, in the order of a bar: (share, recited, right, color). Blue was recited, dark was run.
OUTCOMES: tuple[tuple[str, bool, bool, str], ...] = (
    ("runs right without reciting", False, True, style.GROUPS["w/o IO"].color),
    (_BOTH, True, True, style.MODES["cot"].color),
    ("recites but runs wrongly", True, False, style.GROUPS["w/ IO"].color),
    ("cannot recite", False, False, style.FAINT),
)
RIGHT, RECITES = "runs right", "recites"  # the sums of the first two, and of the middle two
TABLE = [*_BAR, "share", *(name for name in MEASURED if name != "unparsed")]
_HEIGHT, _WIDEST = 0.135, 0.78  # inches a row, and a bar's share of it


def select(records: pd.DataFrame) -> pd.DataFrame:
    """The rows that this figure is drawn from: answers at the end, of experiments that were asked for sources too."""
    rows = final(asked_by_name(records, [*_MODES, "recall"]))
    rows = rows[~rows["curriculum"].isin(["in_context", *(key for key, arm in ARMS.items() if arm.measured == "AD")])]
    asked = rows.loc[rows["answer_mode"] == "recall", "experiment"]
    return rows[rows["experiment"].isin(asked)].reset_index(drop=True)


def _joined(records: pd.DataFrame) -> pd.DataFrame:
    """Answers about executions, with `recited` and `right`: whether the program's source was recited, and the outcome.

    The source is asked for once a program, and its recital stands beside each of the program's answers.
    """
    rows = select(records)
    recall = rows[rows["answer_mode"] == "recall"]
    recited = recall[_JOIN].assign(recited=recall["outcome"] == "correct")
    answers = rows[rows["answer_mode"] != "recall"].merge(recited, on=_JOIN, validate="many_to_one")
    return answers.assign(right=answers["outcome"] == "correct").rename(columns={"curriculum": "arm"})


def _shares(answers: pd.DataFrame) -> dict[str, pd.Series]:
    """Which of `answers` belong to each share."""
    each = {name: (answers["recited"] == recited) & (answers["right"] == right) for name, recited, right, _ in OUTCOMES}
    return {**each, RIGHT: answers["right"], RECITES: answers["recited"]}


def _counted(answers: pd.DataFrame, belongs: pd.Series) -> pd.DataFrame:
    """Rows whose "correct" means that they belong to a share; what is unparsed and does not belong stays so."""
    elsewhere = answers["outcome"].where(answers["outcome"] == "unparsed", "wrong")
    return answers.assign(outcome=elsewhere.where(~belongs, "correct"))


def table(records: pd.DataFrame) -> pd.DataFrame:
    """One row a share of a bar: the four that add up to it, and the sums "runs right" and "recites".

    Arm "chance" is the best guess without knowledge of the program, of the answers that run right.
    """
    answers = _joined(records)
    if answers.empty:
        return pd.DataFrame(columns=TABLE)
    parts = [
        accuracy(_counted(answers, belongs), _BAR).assign(share=name) for name, belongs in _shares(answers).items()
    ]
    for key, panel in answers.groupby(PANEL):
        guess = dict(zip(PANEL, key, strict=True)) | {"arm": "chance", "share": RIGHT, "estimate": chance(panel)}
        parts.append(pd.DataFrame([guess]))
    return pd.concat(parts, ignore_index=True).reindex(columns=TABLE)


def cells(records: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Headline values: what each arm recites, and for each mode what it recites and runs right."""
    found = {}
    rows = select(records)
    for (*key, arm), recall in rows[rows["answer_mode"] == "recall"].groupby([*PANEL, "curriculum"]):
        found[f"{style.ARMS[arm].label}, {RECITES}; {panel_name(tuple(key))}"] = recall
    for (*key, arm, mode, _), bar in _joined(records).groupby(_BAR):
        name = f"{style.ARMS[arm].label}, {style.MODES[mode].label}, {_BOTH}; {panel_name(tuple(key))}"
        found[name] = _counted(bar, _shares(bar)[_BOTH])
    return found


def headline(records: pd.DataFrame) -> pd.DataFrame:
    return headline_of(cells(records))


def caption(records: pd.DataFrame) -> str:
    return _caption(table(records))


def _caption(drawn: pd.DataFrame) -> str:
    return (
        "Answers about w/o IO programs at the end of training, asked by name, by whether the model recites the "
        "program's source, word for word, when asked for it once. Star: share whose source is recited. Circle: share "
        "that runs right, recited or not; the dashed line is the best guess without knowledge of the program. At the "
        "right: number of answers. Bars: "
        f"95\u00a0% bootstrap intervals, clustered by program and seed. {sizes(drawn[drawn['arm'] != 'chance'])}."
    )


def draw(
    records: pd.DataFrame,
    reference: pd.DataFrame | None = None,
    *,
    variant: str = "this run",
    allow_smoke: bool = False,
) -> Figure:
    """The figure: every arm at the shortest length, and beside it those that were run at several, by length.

    The reference's stars and circles stand faintly behind. Raises RecordsError where no source was asked for.
    """
    records = usable(records, allow_smoke=allow_smoke)
    front = table(records)
    if front.empty:
        raise RecordsError("answer_mode: none of these records asks for a source; valid: with answers to 'recall'")
    behind = front[:0] if reference is None else table(usable(reference, allow_smoke=allow_smoke))
    panels = list(front[_BY].drop_duplicates().itertuples(index=False, name=None))
    columns = [_groups(front[(front[_BY] == list(panel)).all(axis=1)]) for panel in panels]
    wide = any(by_length for _, by_length in columns)
    rows = [[_rows(front, panel, groups) for groups in both] for panel, both in zip(panels, columns, strict=True)]
    entries = _entries(variant if reference is not None else None)
    inside = wide and rows[-1][0] - rows[-1][1] > len(entries)  # below the last panel of few bars
    with style.theme():
        figure = style.Picture(figsize=(style.DOUBLE if wide else style.COLUMN, 3))
        heights = [max(both) for both in rows]
        grid = figure.subplots(len(panels), 1 + wide, squeeze=False, height_ratios=heights)
        for line, panel, both, height in zip(grid, panels, columns, heights, strict=True):
            for axes, groups, letter in zip(line, both, "ab", strict=False):
                axes.set_visible(bool(groups))
                if groups:
                    _panel(axes, front, behind, panel, groups, height)
                    title = f"By arm, {_statements(groups[0][0])}" if letter == "a" else "By length"
                    where = f", {panel[1]}" + f", {panel[2]}" * (panel[2] != "code") if len(panels) > 1 else ""
                    axes.set_title(f"{letter}  {title}{where}" if wide else f"{title}{where}")
        if inside:
            grid[-1, 1].legend(*zip(*entries, strict=True), loc="lower left", labelspacing=0.35)
        lines = 0 if inside else _legend_above(figure, entries)
        style.with_caption(figure, _caption(front), panels=_HEIGHT * sum(heights) + 0.55 * len(panels) + 0.15 * lines)
        if (records["preset"] == "smoke").any():
            style.stamp_smoke(figure)
    return figure


def _groups(drawn: pd.DataFrame) -> tuple[list[tuple[int, str]], list[tuple[int, str]]]:
    """(statements, arm) of the left panel and of the right one, in the order of the arms."""
    held = set(drawn.loc[drawn["arm"] != "chance", ["statements", "arm"]].itertuples(index=False, name=None))
    shortest = min(statements for statements, _ in held)
    order = [arm for arm in style.ARMS if arm in {arm for _, arm in held}]
    several = [arm for arm in order if sum(arm == other for _, other in held) > 1]
    by_length = [(statements, arm) for arm in several for statements, other in sorted(held) if other == arm]
    return [(shortest, arm) for arm in order if (shortest, arm) in held], by_length


def _statements(count: int) -> str:
    return f"{count} statement" + ("s" if count != 1 else "")


def _bar(drawn: pd.DataFrame, panel: tuple, group: tuple[int, str]) -> pd.DataFrame:
    here = (drawn[_BY] == list(panel)).all(axis=1) & (drawn["statements"] == group[0]) & (drawn["arm"] == group[1])
    return drawn[here]


def _rows(drawn: pd.DataFrame, panel: tuple, groups: list[tuple[int, str]]) -> float:
    """How many bars high a panel is: each group has a heading."""
    return sum(1 + _bar(drawn, panel, group)["answer_mode"].nunique() for group in groups)


def _panel(
    axes: Axes,
    front: pd.DataFrame,
    behind: pd.DataFrame,
    panel: tuple,
    groups: list[tuple[int, str]],
    height: float,
) -> None:
    style.percent_axis(axes, "x", 0, 1)
    axes.grid(visible=False)
    axes.set_ylim(height - 0.4, -0.6)
    axes.spines[["left", "top", "right"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("share of answers")
    y, ticks = 0.0, {}
    for group in groups:
        statements, arm = group
        ours, theirs = _bar(front, panel, group), _bar(behind, panel, group)
        length = "" if groups[0][0] == groups[-1][0] else f", {_statements(statements)}"
        axes.text(0, y + 0.1, style.ARMS[arm].label + length, va="center", weight="bold", fontsize=style.FONT - 0.5)
        top = y
        for mode in _MODES:
            mine = ours[ours["answer_mode"] == mode].set_index("share")
            if mine.empty:
                continue
            y += 1
            ticks[y] = style.MODES[mode].label
            _stack(axes, mine, y)
            for drawn, faint in ((theirs[theirs["answer_mode"] == mode].set_index("share"), True), (mine, False)):
                _marks(axes, drawn, y, faint)
        guess = _bar(front, panel, (statements, "chance"))["estimate"]
        axes.vlines(guess, top + 0.5, y + 0.5, color=style.INK, linestyle=(0, (3, 2)), linewidth=0.8, zorder=3)
        y += 1
    axes.set_yticks(list(ticks), list(ticks.values()))


def _stack(axes: Axes, bar: pd.DataFrame, y: float) -> None:
    left = 0.0
    for share, _, _, color in OUTCOMES:
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


_MARK: dict[str, Any] = {"linestyle": "none", "color": style.INK, "markeredgewidth": 0.6}
_STAR = _MARK | {"marker": style.MODES["recall"].marker, "markersize": 6, "markeredgecolor": "white"}
_CIRCLE = _MARK | {"marker": "o", "markersize": 2.8, "markerfacecolor": "white"}


def _entries(variant: str | None) -> list[tuple[Any, str]]:
    entries: list[tuple[Any, str]] = [(Patch(color=color), share) for share, _, _, color in OUTCOMES]
    entries.append((Line2D([], [], **_STAR), RECITES))
    entries.append((Line2D([], [], **_CIRCLE), RIGHT))
    entries.append((Line2D([], [], color=style.INK, linestyle=(0, (3, 2)), linewidth=0.8), "best guess"))
    if variant is not None:
        for alpha, label in ((1.0, variant), (style.REFERENCE_ALPHA, "committed reference")):
            entries.append((Line2D([], [], alpha=alpha, **_CIRCLE), label))
    return entries


def _legend_above(figure: Figure, entries: list[tuple[Any, str]]) -> int:
    """Legend above the panels; returns its rows."""
    columns = 4 if figure.get_figwidth() > 4 else 2
    figure.legend(*zip(*entries, strict=True), loc="outside upper center", ncols=columns, columnspacing=1.4)
    return -(-len(entries) // columns)
