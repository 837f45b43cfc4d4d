"""F07: accuracy on ciphers by shift, known by their source, by skewed demonstrations, or by both.

Traces in code quote the source and decide nothing here: F08 shows what they are worth.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Patch

from pbb.analysis import tables
from pbb.analysis.labels import IN_CONTEXT
from pbb.analysis.statistics import accuracy
from pbb.analysis.tables import CEILING, COMMON, EACH, MEASURED, PANEL, RARE, Cells, final, grouped, guesses, of, sizes
from pbb.figures import style
from pbb.figures.base import BARS, GUESS, Chart, best_guess, layers

_SKEW = {"arm": "demonstrated"}


class Ciphers(Chart):
    NAME, TITLE = "F07_ciphers", "Accuracy on ciphers by shift: source, skewed demonstrations, or both"
    CLAIM = (
        "Told the source, a model encodes with rare shifts as well as with common ones; shown demonstrations that are "
        "skewed as natural text is, it does not; both together are best (C4)."
    )
    ARMS = (
        *("proactive", "distillation", "distillation_values", "distillation_after_stage_1"),
        *("pbb_and_distillation", "stage_1_only"),
    )
    NEEDS = f"ciphers, asked of {', '.join(ARMS)}"
    DRAWN = (CEILING, *ARMS)
    COLUMNS = (*PANEL, "arm", "answer_mode", "shifts", "x", *MEASURED)
    SIDES, WIDTHS, HEIGHT, LABEL = 2, (2.4, 1), 1.95, "held-out accuracy"

    def select(self, records: pd.DataFrame) -> pd.DataFrame:
        """Where each arm ends, on inputs that training never showed."""
        rows = final(tables.asked_by_name(records, (*self.MODES, *IN_CONTEXT.values())))
        return of(rows, {"domain": "ciphers", "curriculum": self.DRAWN, "held_out": True})

    def parts(self, rows: pd.DataFrame) -> Iterator[pd.DataFrame]:
        """Of one shift (`shifts` is "each", x the shift), or of all common or rare ones.

        The estimates of arm "demonstrated" are the documented shares of shifts among naturally skewed demonstrations:
        of records they only know the alphabet.
        """
        rows = tables.with_shifts(rows).rename(columns={"curriculum": "arm"})
        by = [*PANEL, "arm", "answer_mode"]
        yield accuracy(rows, [*by, "x"]).assign(shifts=EACH)
        yield accuracy(rows, [*by, "shifts"])
        for where, panel in grouped(rows):
            yield guesses(panel)
            shares = tables.natural_shares(panel)
            yield pd.DataFrame({"x": range(len(shares)), "estimate": shares}).assign(**where, **_SKEW, shifts=EACH)

    def values(self, rows: pd.DataFrame) -> Cells:
        """Each arm and mode, on all shifts and on the rare ones."""
        rare = of(tables.with_shifts(rows), {"shifts": RARE})
        return tables.cells(rows, self.ARMS, self.MODES) | tables.cells(rare, self.ARMS, self.MODES, "rare shifts")

    def words(self, drawn: pd.DataFrame, rows: pd.DataFrame) -> str:
        each = drawn[drawn["shifts"].eq(EACH) & drawn["questions"].notna()]
        values = "; by values, the results of all steps too, and asked by CoT"
        return (
            "The same ciphers, asked by name on inputs that training never showed, at the end of training. "
            "Proactive-PBB was told their source alone; algorithm distillation was shown what goes in and what comes "
            "out, and is asked directly; distillation after Stage 1 sees these in Stage 2, where Proactive-PBB sees "
            f"sources{values if (drawn['arm'] == 'distillation_values').any() else ''}; PBB and distillation, source "
            "and outputs; the control (Stage 1 only), neither. Stars: the base model with the source in its "
            "prompt. Grey: how often a shift stands among demonstrations that are skewed as natural text is, by the "
            "documented weights (not counted from records; of 26 shifts 13, 3 and 1 are common, and half of a smaller "
            f"alphabet stands for 13). Right: common shifts together, and all others. Dotted: {GUESS}. Bars: {BARS}. "
            f"By shift {sizes(each)}; common and rare, {sizes(of(drawn, {'shifts': (COMMON, RARE)}))}."
        )

    def told(self, ours: pd.DataFrame, mode: str) -> str:
        return ", by shift"

    def fill(self, line: np.ndarray, ours: pd.DataFrame, theirs: pd.DataFrame, mode: str) -> None:
        by_shift, together = line
        skew = of(ours, _SKEW)
        by_shift.bar(skew["x"], skew["estimate"], width=0.8, color=style.FAINT, zorder=0.5)
        by_shift.set_xticks(range(0, len(skew), 1 if len(skew) <= 13 else 3))
        by_shift.set_xlim(-0.6, len(skew) - 0.4)
        by_shift.set_xlabel("shift")
        self._arms(by_shift, ours, theirs, {"answer_mode": mode, "shifts": EACH})

        common = skew.loc[skew["estimate"] > skew["estimate"].min(), "x"].astype(int).astype(str)
        together.set_xticks([0, 1], [f"common\n({', '.join(common)})", "rare\n(all others)"])
        together.set_xlim(-0.5, 1.5)
        together.set_title("Common and rare shifts")
        ours, theirs = (drawn.assign(x=(drawn["shifts"] == RARE).astype(float)) for drawn in (ours, theirs))
        self._arms(together, ours, theirs, {"answer_mode": mode, "shifts": (COMMON, RARE)})

    def _arms(self, axes: Axes, ours: pd.DataFrame, theirs: pd.DataFrame, where: dict[str, Any]) -> None:
        """Each arm's points, a little apart, so that intervals do not cover each other."""
        axes.grid(axis="x", visible=False)
        best_guess(axes.axhline, ours, ":")
        for drawn, faint in layers(ours, theirs):
            for place, arm in enumerate(self.DRAWN):
                mode = IN_CONTEXT[where["answer_mode"]] if arm == CEILING else where["answer_mode"]
                line = of(drawn, {"arm": arm, **where, "answer_mode": mode}).sort_values("x")
                look = style.ARMS[arm]
                width = 1.2 if look.filled else 0.8
                style.series(axes, line["x"] + 0.11 * (place - 3), line, look, faint, bars=0.8, linewidth=width)

    def legend(self, front: pd.DataFrame) -> list[style.Entry]:
        shares = Patch(color=style.FAINT), "Share of natural demonstrations"
        ceiling = [style.entry(style.ARMS[CEILING])] if (front["arm"] == CEILING).any() else []
        return [*super().legend(front), *ceiling, shares, style.stroke("Best guess", ":")]
