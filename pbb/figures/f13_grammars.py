"""F13: how many strings obey a grammar that is known by its rules alone, against strings at random."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from pbb.analysis import tables
from pbb.analysis.labels import PLAIN_MODE
from pbb.analysis.statistics import CLUSTER, accuracy
from pbb.analysis.tables import CEILING, CONTROL, MEASURED, PANEL, Cells, of, sizes
from pbb.figures import style
from pbb.figures.base import BARS, Chart, layers

_RANDOM, _ARM = "random_generation", "proactive"
_NAMES = {_RANDOM: "random\ngeneration", CONTROL: "Stage 1\nonly", _ARM: "Proactive-\nPBB", CEILING: "in\ncontext"}


class Grammars(Chart):
    NAME = "F13_grammars"
    TITLE = "Strings that obey a grammar known by its rules alone, against random strings"
    CLAIM = "Of a grammar that was only read, far more valid strings are written, and at once, than at random (C12)."
    NEEDS = f"grammars, asked of {', '.join(_NAMES)}"
    MODES, COLUMNS = ("direct", "cot"), (*PANEL, "arm", "answer_mode", *CLUSTER, *MEASURED)
    HEIGHT, LABEL = 2.5, "valid strings"

    def select(self, records: pd.DataFrame) -> pd.DataFrame:
        """Where the arms end, and strings at random."""
        return of(tables.at_the_end(records, tuple(_NAMES), self.MODES), {"domain": "grammars"})

    def parts(self, rows: pd.DataFrame) -> Iterator[pd.DataFrame]:
        """Shares of strings that the parser accepts.

        Of each grammar, by seed and program, without an interval; and of all of them together, where these are empty.
        Modes in context stand under the plain mode of the same form.
        """
        rows = rows.rename(columns={"curriculum": "arm"}).replace({"answer_mode": PLAIN_MODE})
        by = [*PANEL, "arm", "answer_mode"]
        yield accuracy(rows, by)
        right = rows.assign(estimate=rows["outcome"] == "correct", unparsed=rows["outcome"] == "unparsed", questions=1)
        each = right.groupby([*by, *CLUSTER]).agg({"estimate": "mean", "unparsed": "mean", "questions": "sum"})
        yield each.reset_index()

    def values(self, rows: pd.DataFrame) -> Cells:
        """Each arm, by mode."""
        return tables.cells(rows, tuple(_NAMES), self.MODES)

    def words(self, drawn: pd.DataFrame, rows: pd.DataFrame) -> str:
        counted = sizes(drawn[drawn["program"].isna()]).replace("programs", "grammars")
        return (
            "Grammars known by their rules alone (w/o IO): for a given beginning a whole string is asked for, by the "
            "grammar's name. An answer is right when a parser of the grammar accepts it, it begins as asked, and it is "
            "not too long. Small dots: a grammar each; large, all of them, with "
            f"{BARS.replace('programs', 'grammars')}. Random generation: one string a question, letters at random "
            f"after the beginning, its length uniform; also dashed, with its interval. {_above(drawn)}CoT writes a "
            "derivation first; the paper has none for grammars. In context: the base model with the rules in its "
            f"prompt. {counted}."
        )

    def fill(self, line: np.ndarray, ours: pd.DataFrame, theirs: pd.DataFrame, mode: str) -> None:
        (axes,) = line
        here, there = (of(drawn, {"answer_mode": mode}) for drawn in (ours, theirs))
        arms = [arm for arm in _NAMES if arm in {*here["arm"], *there["arm"]}]
        axes.set_xticks(range(len(arms)), [_NAMES[arm] for arm in arms])
        axes.set_xlim(-0.6, len(arms) - 0.4)
        axes.grid(axis="x", visible=False)
        for tick, arm in zip(axes.get_xticklabels(), arms, strict=True):
            tick.set_color(style.ARMS[arm].color)
        for level in ours[(ours["arm"] == _RANDOM) & ours["program"].isna()].to_dict("records"):
            color = style.ARMS[_RANDOM].color
            axes.axhline(level["estimate"], color=color, linestyle=style.WIDELY, linewidth=0.9, zorder=1)
            axes.axhspan(level["low"], level["high"], color=color, alpha=0.15, linewidth=0, zorder=0.5)
        for place, arm in enumerate(arms):
            look, mine = style.ARMS[arm], of(here, {"arm": arm})
            each = mine.loc[mine["program"].notna(), "estimate"].sort_values()
            axes.plot(place - 0.12 + _spread(each), each, ".", color=look.color, markersize=2.2, alpha=0.45, zorder=2)
            for drawn, faint in layers(mine, of(there, {"arm": arm})):
                together = drawn[drawn["program"].isna()]
                style.series(axes, [place + 0.34] * len(together), together, look, faint, "none", bars=1.1)


def _above(drawn: pd.DataFrame) -> str:
    """Say in how many grammars more of Proactive's direct strings are valid than of those at random."""
    each = drawn[drawn["program"].notna() & (drawn["answer_mode"] == "direct")].set_index([*PANEL, *CLUSTER])
    ours, random = (each.loc[each["arm"] == arm, "estimate"] for arm in (_ARM, _RANDOM))
    both = pd.concat([ours, random], axis=1, keys=["ours", "random"]).dropna()
    if both.empty:
        return ""
    more, fewer = (both["ours"] > both["random"]).sum(), (both["ours"] < both["random"]).sum()
    return f"Proactive-PBB's direct answers beat it in {more} of {len(both)} grammars, and fall behind in {fewer}. "


def _spread(sorted_shares: pd.Series) -> np.ndarray:
    """Return how far to the side each dot stands, so that equal ones stand beside each other."""
    alike = sorted_shares.groupby(sorted_shares)
    counts, ranks = alike.transform("size").to_numpy(), alike.cumcount().to_numpy()
    return (ranks - (counts - 1) / 2) * np.minimum(0.035, 0.62 / counts)
