"""F07: accuracy on ciphers by shift, known by their source, by skewed demonstrations, or by both.

Traces in code quote the source and decide nothing here: F08 shows what they are worth.
"""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Patch

from pbb.analysis import tables
from pbb.analysis.statistics import accuracy
from pbb.analysis.tables import (
    CHANCE,
    COMMON,
    EACH,
    MEASURED,
    PANEL,
    RARE,
    Cells,
    asked_by_name,
    final,
    guesses,
    natural_shares,
    of,
    panel_name,
    sizes,
    stacked,
    with_shifts,
)
from pbb.figures import style
from pbb.figures.base import BARS, GUESS, Chart, panels_in
from pbb.store import RecordsError

_ARMS = (
    *("proactive", "distillation", "distillation_values", "distillation_after_stage_1"),
    *("pbb_and_distillation", "stage_1_only"),
)
_MODES = ("cot", "direct")
_COLUMNS = [*PANEL, "arm", "answer_mode", "shifts", "x", *MEASURED]
_APART = {arm: 0.13 * (place - 2.5) for place, arm in enumerate(_ARMS)}  # so that intervals do not cover each other
_SKEW = {"arm": "demonstrated"}


class Ciphers(Chart):
    ID, NAME, TITLE = "F07", "F07_ciphers", "Accuracy on ciphers by shift: source, skewed demonstrations, or both"
    CLAIM = (
        "Told the source, a model encodes with rare shifts as well as with common ones; shown demonstrations that are "
        "skewed as natural text is, it does not; both together are best (C4)."
    )

    def select(self, records: pd.DataFrame) -> pd.DataFrame:
        """Where each arm ends, on inputs that training never showed."""
        rows = final(asked_by_name(records, _MODES))
        return of(rows, {"domain": "ciphers", "curriculum": _ARMS, "held_out": True})

    def table(self, records: pd.DataFrame) -> pd.DataFrame:
        """Of one shift (`shifts` is "each", x the shift), or of all common or rare ones.

        The estimates of arm "demonstrated" are the documented shares of shifts among naturally skewed demonstrations:
        of records they only know the alphabet.

        Raises:
            RecordsError: the records hold no ciphers that these arms were asked about.
        """
        rows = with_shifts(self.select(records)).rename(columns={"curriculum": "arm"})
        if rows.empty:
            raise RecordsError(
                f"domain: none of the records are about ciphers and of {', '.join(_ARMS)}, whom F07 shows"
            )
        by = [*PANEL, "arm", "answer_mode"]
        parts = [accuracy(rows, [*by, "x"]).assign(shifts=EACH), accuracy(rows, [*by, "shifts"])]
        for key, panel in rows.groupby(PANEL):
            where = dict(zip(PANEL, key, strict=True)) | _SKEW | {"shifts": EACH}
            skew = [where | {"x": shift, "estimate": share} for shift, share in enumerate(natural_shares(panel))]
            parts += [guesses(panel), pd.DataFrame(skew)]
        return stacked(parts, _COLUMNS)

    def cells(self, records: pd.DataFrame) -> Cells:
        """Each arm and mode, on all shifts and on the rare ones."""
        rows = with_shifts(self.select(records))
        rare = of(rows, {"shifts": RARE})
        return tables.cells(rows, _ARMS, _MODES) | tables.cells(rare, _ARMS, _MODES, "rare shifts")

    def words(self, drawn: pd.DataFrame, records: pd.DataFrame) -> str:
        each = drawn[drawn["shifts"].eq(EACH) & drawn["questions"].notna()]
        return (
            "The same ciphers, asked by name on inputs that training never showed, at the end of training. "
            "Proactive-PBB was told their source alone; algorithm distillation was shown what goes in and what comes "
            "out, and is asked directly; by values, the results of all steps too, and asked by CoT; PBB and "
            "distillation, source and outputs; the control (Stage 1 only), neither. Grey: how often a shift stands "
            "among demonstrations that are skewed as natural text is, by the documented weights (not counted from "
            "records; of 26 shifts 13, 3 and 1 are common, and half of a smaller alphabet stands for 13). Right: "
            "common shifts together, and all others. Dotted: "
            f"{GUESS}. Bars: {BARS}. By shift {sizes(each)}; common and rare, "
            f"{sizes(of(drawn, {'shifts': (COMMON, RARE)}))}."
        )

    def panels(self, figure: style.Picture, front: pd.DataFrame, behind: pd.DataFrame) -> float:
        """CoT above direct answers."""
        panels = panels_in(front)
        modes = [mode for mode in _MODES if (front["answer_mode"] == mode).any()]
        rows = [(panel, mode) for panel in panels for mode in modes]
        grid = figure.subplots(len(rows), 2, squeeze=False, sharey=True, width_ratios=(2.4, 1))
        for index, (line, (panel, mode)) in enumerate(zip(grid, rows, strict=True)):
            _by_shift(line[0], of(front, panel), of(behind, panel), mode)
            _common_and_rare(line[1], of(front, panel), of(behind, panel), mode)
            where = f" {panel_name([*panel.values()])}:" if len(panels) > 1 else ""
            line[0].set_title(f"{'abcdefgh'[index % 8]} {where} {style.MODES[mode].label}, by shift")
            line[1].set_title("common and rare shifts")
        return 1.95 * len(rows)

    def legend(self, front: pd.DataFrame) -> list[style.Entry]:
        entries = [style.entry(style.ARMS[arm]) for arm in _ARMS if (front["arm"] == arm).any()]
        return [
            *entries,
            (Patch(color=style.FAINT), "Share of natural demonstrations"),
            style.stroke("Best guess", ":"),
        ]


def _by_shift(axes: Axes, ours: pd.DataFrame, theirs: pd.DataFrame, mode: str) -> None:
    style.percent_axis(axes)
    skew = of(ours, _SKEW)
    axes.bar(skew["x"], skew["estimate"], width=0.8, color=style.FAINT, zorder=0.5)
    axes.set_xticks(range(0, len(skew), 1 if len(skew) <= 13 else 3))
    axes.set_xlim(-0.6, len(skew) - 0.4)
    axes.set_xlabel("shift")
    axes.set_ylabel("held-out accuracy")
    _arms(axes, ours, theirs, {"answer_mode": mode, "shifts": EACH})


def _common_and_rare(axes: Axes, ours: pd.DataFrame, theirs: pd.DataFrame, mode: str) -> None:
    skew = of(ours, _SKEW)
    common = skew.loc[skew["estimate"] > skew["estimate"].min(), "x"].astype(int).astype(str)
    axes.set_xticks([0, 1], [f"common\n({', '.join(common)})", "rare\n(all others)"])
    axes.set_xlim(-0.5, 1.5)
    ours, theirs = (drawn.assign(x=(drawn["shifts"] == RARE).astype(float)) for drawn in (ours, theirs))
    _arms(axes, ours, theirs, {"answer_mode": mode, "shifts": (COMMON, RARE)})


def _arms(axes: Axes, ours: pd.DataFrame, theirs: pd.DataFrame, where: dict) -> None:
    """Each arm's points, over the best guess and the reference's."""
    axes.grid(axis="x", visible=False)
    for level in of(ours, {"arm": CHANCE})["estimate"]:
        axes.axhline(level, color=style.MUTED, linestyle=":", linewidth=0.9, zorder=1)
    for drawn, faint in ((theirs, True), (ours, False)):
        for arm in _ARMS:
            line, look = of(drawn, {"arm": arm, **where}).sort_values("x"), style.ARMS[arm]
            width = 1.2 if look.filled else 0.8
            style.series(axes, line["x"] + _APART[arm], line, look, faint, bars=0.8, linewidth=width)
