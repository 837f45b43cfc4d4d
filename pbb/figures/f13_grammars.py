"""F13: how many strings obey a grammar that is known by its rules alone, against strings at random."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from pbb.analysis.statistics import CLUSTER, accuracy
from pbb.figures import style
from pbb.figures.tables import MEASURED, PANEL, asked_by_name, final, headline_of, panel_name, sizes, usable
from pbb.store import RecordsError

ID, NAME, TITLE = "F13", "F13_grammars", "Strings that obey a grammar known by its rules alone, against random strings"
CLAIM = "Of a grammar that was only read, far more valid strings are written, and at once, than at random (C12)."
_RANDOM, _CEILING, _ARM = "random_generation", "in_context", "proactive"
_ARMS = (_RANDOM, "stage_1_only", _ARM, _CEILING)
_MODES = ("direct", "cot")
_COLUMNS = [*PANEL, "arm", "answer_mode", *CLUSTER, *MEASURED]
_NAMES = dict(zip(_ARMS, ("random\ngeneration", "Stage 1\nonly", "Proactive-\nPBB", "in\ncontext"), strict=True))


def select(records: pd.DataFrame) -> pd.DataFrame:
    """The rows that this figure is drawn from: where the arms end, and strings at random."""
    rows = final(asked_by_name(records, [*_MODES, *style.PLAIN_MODE]))
    rows = rows[(rows["domain"] == "grammars") & rows["curriculum"].isin(_ARMS)]
    return rows[(rows["curriculum"] == _CEILING) == rows["answer_mode"].isin(list(style.PLAIN_MODE))]


def table(records: pd.DataFrame) -> pd.DataFrame:
    """One row a plotted point: shares of strings that the parser accepts.

    Of each grammar, by seed and program, without an interval; and of all of them together, where these are empty.
    Modes in context stand under the plain mode of the same form.

    Raises:
        RecordsError: the records hold no grammars that these arms were asked about.
    """
    rows = select(records).rename(columns={"curriculum": "arm"})
    if rows.empty:
        raise RecordsError(f"domain: none of the records are about grammars and of {', '.join(_ARMS)}, whom F13 shows")
    rows = rows.assign(answer_mode=rows["answer_mode"].replace(style.PLAIN_MODE))
    by = [*PANEL, "arm", "answer_mode"]
    right = rows.assign(estimate=rows["outcome"] == "correct", unparsed=rows["outcome"] == "unparsed", questions=1)
    each = right.groupby([*by, *CLUSTER]).agg({"estimate": "mean", "unparsed": "mean", "questions": "sum"})
    together = accuracy(rows, by)
    return pd.concat([together, each.reset_index()], ignore_index=True).reindex(columns=_COLUMNS)


def cells(records: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Headline values: each arm, by mode."""
    found = {}
    for key, panel in select(records).groupby(PANEL):
        plain = panel["answer_mode"].replace(style.PLAIN_MODE)
        for arm in _ARMS:
            for mode in _MODES:
                cell = panel[(panel["curriculum"] == arm) & (plain == mode)]
                if len(cell):
                    found[f"{style.ARMS[arm].label}, {style.MODES[mode].label}; {panel_name(key)}"] = cell
    return found


def headline(records: pd.DataFrame) -> pd.DataFrame:
    return headline_of(cells(records))


def caption(records: pd.DataFrame) -> str:
    return _caption(table(records))


def _caption(drawn: pd.DataFrame) -> str:
    counted = sizes(drawn[drawn["program"].isna()]).replace("programs", "grammars")
    return (
        "Grammars known by their rules alone (w/o IO): for a given beginning a whole string is asked for, by the "
        "grammar's name. An answer is right when a parser of the grammar accepts it, it begins as asked, and it is not "
        "too long. Small dots: a grammar each; large, all of them with 95\u00a0% bootstrap intervals, clustered by "
        "grammar and seed. Random generation: one string a question, letters of the grammar at random after the "
        f"beginning, its length uniform; also dashed, with its interval. {_above(drawn)}CoT writes a derivation first; "
        "the paper has none for grammars. In context: the base model with the rules in its prompt. "
        f"{counted}."
    )


def _above(drawn: pd.DataFrame) -> str:
    """Say in how many grammars more of Proactive's direct strings are valid than of those at random."""
    each = drawn[drawn["program"].notna() & (drawn["answer_mode"] == "direct")].set_index([*PANEL, *CLUSTER])
    ours, random = (each.loc[each["arm"] == arm, "estimate"] for arm in (_ARM, _RANDOM))
    both = pd.concat([ours, random], axis=1, keys=["ours", "random"]).dropna()
    if both.empty:
        return ""
    more, fewer = (both["ours"] > both["random"]).sum(), (both["ours"] < both["random"]).sum()
    return f"Proactive-PBB's direct answers beat it in {more} of {len(both)} grammars, and fall behind in {fewer}. "


def draw(
    records: pd.DataFrame,
    reference: pd.DataFrame | None = None,
    *,
    variant: str = "this run",
    allow_smoke: bool = False,
) -> Figure:
    """The figure, direct answers beside CoT; `reference` is drawn faintly behind."""
    records = usable(records, allow_smoke=allow_smoke)
    front = table(records)
    behind = front[:0] if reference is None else table(usable(reference, allow_smoke=allow_smoke))
    panels = list(front[PANEL].drop_duplicates().itertuples(index=False, name=None))
    modes = [mode for mode in _MODES if (front["answer_mode"] == mode).any()]
    with style.theme():
        figure = style.Picture(figsize=(style.DOUBLE if len(modes) > 1 else style.COLUMN, 2.6))
        grid = figure.subplots(len(panels), len(modes), squeeze=False, sharey=True)
        for row, panel in enumerate(panels):
            ours, theirs = _of(front, panel), _of(behind, panel)
            for axes, mode, letter in zip(grid[row], modes, "ab", strict=False):
                _panel(axes, ours, theirs, mode)
                where = f" {panel_name(panel)}:" if len(panels) > 1 else ""
                axes.set_title(f"{letter} {where} {style.MODES[mode].label}")
            grid[row, 0].set_ylabel("valid strings")
        rows = _legend(figure, variant) if reference is not None else 0
        style.with_caption(figure, _caption(front), panels=2.5 * len(panels) + 0.15 * rows)
        if (records["preset"] == "smoke").any():
            style.stamp_smoke(figure)
    return figure


def _of(drawn: pd.DataFrame, panel: tuple) -> pd.DataFrame:
    return drawn[(drawn[PANEL] == list(panel)).all(axis=1)]


def _panel(axes: Axes, ours: pd.DataFrame, theirs: pd.DataFrame, mode: str) -> None:
    style.percent_axis(axes)
    here, there = (drawn[drawn["answer_mode"] == mode] for drawn in (ours, theirs))
    arms = [arm for arm in _ARMS if arm in {*here["arm"], *there["arm"]}]
    axes.set_xticks(range(len(arms)), [_NAMES[arm] for arm in arms])
    axes.set_xlim(-0.6, len(arms) - 0.4)
    axes.grid(axis="x", visible=False)
    for tick, arm in zip(axes.get_xticklabels(), arms, strict=True):
        tick.set_color(style.ARMS[arm].color)
    for level in ours[(ours["arm"] == _RANDOM) & ours["program"].isna()].to_dict("records"):
        look = style.ARMS[_RANDOM]
        axes.axhline(level["estimate"], color=look.color, linestyle=(0, (4, 3)), linewidth=0.9, zorder=1)
        axes.axhspan(level["low"], level["high"], color=look.color, alpha=0.15, linewidth=0, zorder=0.5)
    for place, arm in enumerate(arms):
        look = style.ARMS[arm]
        mine = here[here["arm"] == arm]
        each = mine.loc[mine["program"].notna(), "estimate"].sort_values()
        axes.plot(place - 0.12 + _spread(each), each, ".", color=look.color, markersize=2.2, alpha=0.45, zorder=2)
        for drawn, faint in ((there[there["arm"] == arm], True), (mine, False)):
            kind = style.marked(look, faint)
            for point in drawn[drawn["program"].isna()].to_dict("records"):
                x = place + 0.34
                axes.plot(x, point["estimate"], linestyle="none", **kind)
                axes.vlines(x, point["low"], point["high"], color=look.color, linewidth=1.1, alpha=kind["alpha"])


def _spread(sorted_shares: pd.Series) -> np.ndarray:
    """Return how far to the side each dot stands, so that equal ones stand beside each other."""
    counts = sorted_shares.groupby(sorted_shares).transform("size").to_numpy()
    ranks = sorted_shares.groupby(sorted_shares).cumcount().to_numpy()
    return (ranks - (counts - 1) / 2) * np.minimum(0.035, 0.62 / counts)


def _legend(figure: Figure, variant: str) -> int:
    """Name the reader's variant and the reference above the panels; returns rows."""
    both = [Line2D([], [], color=style.INK, marker="o", markersize=3.4, alpha=a) for a in (1.0, style.REFERENCE_ALPHA)]
    figure.legend(both, [variant, "committed reference"], loc="outside upper center", ncols=2)
    return 1
