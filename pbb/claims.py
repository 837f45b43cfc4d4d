"""What is claimed, and how a verdict is reached: contrasts declared beforehand, and the paper's own few numbers.

From records alone, never torch. `REPORTED` is all that is known of the paper's numbers for the figures here; what is
not in it is "not available", and is never guessed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from pbb.figures import style
from pbb.figures.io import figure_module
from pbb.figures.tables import PANEL, asked_by_name, final, panel_name
from pbb.folders import RecordsError
from pbb.statistics import contrast, permuted_control

ALPHA = 0.05
NOT_AVAILABLE = "not available"
NO_VERDICT = "none: smoke"


@dataclass(frozen=True)
class Side:
    """One side of a contrast: an arm's answers of one mode at the end of training.

    `permuted` scores them against the answer to another input of the same program.
    """

    arm: str
    mode: str = "cot"
    permuted: bool = False

    def __str__(self) -> str:
        return f"{style.ARMS[self.arm].label}, {style.MODES[self.mode].label}{', permuted' if self.permuted else ''}"

    def rows(self, panel: pd.DataFrame) -> pd.DataFrame:
        """Return this side's questions in `panel`; empty where it was not run."""
        mine = panel[(panel["curriculum"] == self.arm) & (panel["answer_mode"] == self.mode)]
        return permuted_control(mine) if self.permuted and len(mine) else mine


@dataclass(frozen=True)
class Declared:
    """A claim's contrast. Its direction is fixed here, before any run: `above` is claimed to exceed `below`."""

    claim: str  # C1 to C12
    above: Side
    below: Side

    def __str__(self) -> str:
        return f"{self.above} > {self.below}"


def _each(claim: str, above: Side, below: Sequence[Side]) -> tuple[Declared, ...]:
    return tuple(Declared(claim, above, side) for side in below)


_UNTAUGHT = [Side("untuned"), Side("stage_1_only"), Side("stage_2_only")]
DECLARED: dict[str, tuple[Declared, ...]] = {
    "F02": (
        *_each("C1", Side("proactive"), [*_UNTAUGHT, Side("no_demonstrations")]),
        *_each("C1", Side("retroactive"), [*_UNTAUGHT, Side("no_demonstrations"), Side("skip_exposure")]),
        Declared("C5", Side("proactive"), Side("homogeneous")),
        Declared("C5", Side("retroactive"), Side("homogeneous")),
    ),
    "F05": (
        Declared("C3", Side("proactive", "direct"), Side("stage_1_only", "direct")),
        Declared("C3", Side("proactive", "direct"), Side("proactive", "direct", permuted=True)),
        Declared("C3", Side("proactive", "cot"), Side("proactive", "direct")),
    ),
}


@dataclass(frozen=True)
class Reported:
    """A number of the paper's, with where it comes from and how sure that is."""

    value: str
    setting: str
    source: str


_NOTES = "third-party notes on the ICLR version; medium confidence"
# (figure, arm) -> number. No answer mode is known for any of them.
REPORTED: dict[tuple[str, str], Reported] = {
    ("F02", "proactive"): Reported("about 37 %", "Qwen3-14B, Random Arithmetic", _NOTES),
    ("F02", "untuned"): Reported("0 %", "Qwen3-14B, Random Arithmetic, zero-shot", _NOTES),
    ("F02", "stage_2_only"): Reported("about 0 %", "Qwen3-14B, Random Arithmetic", _NOTES),
}


def percent(estimate: float, low: float, high: float) -> str:
    """Return shares as text: ``"86 % [81, 90]"``."""
    return f"{estimate:.0%}".replace("%", " %") + f" [{low * 100:.0f}, {high * 100:.0f}]"


def verdict(figure: str, records: pd.DataFrame) -> pd.DataFrame:
    """Return the declared contrasts of `figure`, one row each, for every panel that the records hold.

    A claim is *supported* where the clustered 95 % interval of the difference lies above 0 and its one-sided p, after
    Holm's correction over this table, is below 0.05; *contradicted* where the interval lies below 0; else *not
    supported*. *Not run*: a side has no records. Smoke records get no verdict.

    Columns: claim, contrast, where, difference (of shares), low, high, p (corrected), programs, seeds, verdict.

    Raises:
        RecordsError: no contrasts are declared for `figure`.
    """
    if figure not in DECLARED:
        raise RecordsError(f"figure: {figure!r} has no declared contrasts; valid: {', '.join(DECLARED)}")
    modes = {side.mode for declared in DECLARED[figure] for side in (declared.above, declared.below)}
    rows: list[dict[str, Any]] = []
    for key, panel in final(asked_by_name(records, modes)).groupby(PANEL):
        for declared in DECLARED[figure]:
            above, below = declared.above.rows(panel), declared.below.rows(panel)
            row: dict[str, Any] = {"claim": declared.claim, "contrast": str(declared), "where": panel_name(key)}
            if len(above) and len(below):
                found = contrast(above, below)
                row |= {"difference": found.estimate, "low": found.low, "high": found.high, "p": found.p}
                row |= {"programs": found.programs, "seeds": found.seeds}
            rows.append(row)
    columns = ["claim", "contrast", "where", "difference", "low", "high", "p", "programs", "seeds"]
    table = pd.DataFrame(rows, columns=columns)
    table["p"] = holm(table["p"].astype(float))
    smoke = (records["preset"] == "smoke").any()
    table["verdict"] = [_word(row, bool(smoke)) for row in table.to_dict("records")]
    return table.round({"difference": 3, "low": 3, "high": 3, "p": 4}).astype({"programs": "Int64", "seeds": "Int64"})


def _word(row: dict[str, Any], smoke: bool) -> str:
    if pd.isna(row["difference"]):
        return "not run"
    if smoke:
        return NO_VERDICT
    if row["low"] > 0 and row["p"] < ALPHA:
        return "supported"
    return "contradicted" if row["high"] < 0 else "not supported"


def holm(p: pd.Series) -> pd.Series:
    """Return p values corrected for how many there are (Holm's step-down); missing ones stay missing."""
    ordered = p.dropna().sort_values(kind="stable")
    factors = range(len(ordered), 0, -1)
    return (ordered * list(factors)).cummax().clip(upper=1.0).reindex(p.index)


def beside_paper(figure: str, records: pd.DataFrame) -> pd.DataFrame:
    """Return this run's headline values, an arm a row, beside what the paper is known to report.

    The paper's models and programs are larger than these, so a row shows direction and never a reproduction.
    Columns: where, arm, one for each answer mode, paper, paper's setting, source.
    """
    headline = figure_module(figure).headline(records)
    arms = {look.label: arm for arm, look in style.ARMS.items()}
    rows: dict[tuple[str, str], dict[str, str]] = {}
    for value in headline.to_dict("records"):
        what, _, where = value["name"].partition("; ")
        label, _, mode = what.partition(", ")
        shown = percent(value["estimate"], value["low"], value["high"])
        rows.setdefault((where, label), {})[f"this run, {mode}"] = shown
    modes = list(dict.fromkeys(mode for row in rows.values() for mode in row))
    table = []
    for (where, label), row in rows.items():
        paper = REPORTED.get((figure, arms[label]), Reported(NOT_AVAILABLE, "", ""))
        known = {"paper": paper.value, "paper's setting": paper.setting, "source": paper.source}
        table.append({"where": where, "arm": label} | {mode: row.get(mode, "-") for mode in modes} | known)
    columns = ["where", "arm", *modes, "paper", "paper's setting", "source"]
    return pd.DataFrame(table, columns=columns)
