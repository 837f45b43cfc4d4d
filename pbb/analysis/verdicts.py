"""Verdicts of declared contrasts: differences with clustered intervals, and p after Holm's correction over a board.

From records alone, never torch. What is claimed is declared in `claims`; `board` puts all claims together.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from pbb.analysis import claims, tables
from pbb.analysis.claims import END, FEWEST, MATCHED, MOST, Declared, Side, in_words
from pbb.analysis.labels import by_length, statements
from pbb.analysis.statistics import CLUSTER, QUESTION, contrast, permuted_control
from pbb.analysis.tables import PANEL, asked_by_name, final, matched, with_shifts
from pbb.records import KNOBS
from pbb.store import RecordsError

ALPHA, LEVEL = 0.05, 0.95
RESAMPLES = 10_000  # the least p is one in so many: times the contrasts of a board it has to stay below ALPHA
LEAST_SEEDS = 3  # for a spread over seeds
SUPPORTED, NOT_SUPPORTED, CONTRADICTED, NOT_RUN = "supported", "not supported", "contradicted", "not run"
NO_VERDICT = "none: smoke"
# What `_word` applies, for readers.
RULE = (
    "A contrast is supported where the 95 % interval of its difference (bootstrap clustered by program and seed) lies "
    f"above 0 and p, after Holm's correction over all contrasts of its preset's board, is below {ALPHA}; contradicted "
    "where both hold for the other direction; not run where a side has no records; else not supported."
)
WORST = "A claim takes the verdict of its worst contrast: contradicted, not supported, not run, supported."
MEASURED = ["difference", "low", "high", "p", "programs", "seeds"]
CONTRASTS = ["claim", "figure", "contrast", "where", *MEASURED, "decides", "verdict"]
_ANSWER = ["experiment", "moment", "answer_mode", "group"]


def figures() -> list[str]:
    """Return the figures on which claims are judged, in order."""
    return sorted({declared.figure for claim in claims.CLAIMS for declared in claim.contrasts})


# ------------------------------------------------------------------------------------------------ words
def judged(rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Return measured contrasts as a table with verdicts, as RULE says, p corrected over all of them.

    Columns CONTRASTS; difference, low and high are shares. Smoke records get no verdict.
    """
    table = pd.DataFrame(rows, columns=[*CONTRASTS[:-1], "p_against", "smoke"])
    for column in ("p", "p_against"):
        table[column] = holm(table[column].astype(float))
    table["verdict"] = [_word(row) for row in table.to_dict("records")]
    table = table.astype(dict.fromkeys(MEASURED[:4], float)).round(dict.fromkeys(MEASURED[:4], 4))
    return table.astype({"programs": "Int64", "seeds": "Int64"})[CONTRASTS]


def _word(row: Mapping[str, Any]) -> str:
    if pd.isna(row["difference"]):
        return NOT_RUN
    if row["smoke"]:
        return NO_VERDICT
    if row["low"] > 0 and row["p"] < ALPHA:
        return SUPPORTED
    return CONTRADICTED if row["high"] < 0 and row["p_against"] < ALPHA else NOT_SUPPORTED


def holm(p: pd.Series) -> pd.Series:
    """Return p values corrected for how many there are (Holm's step-down); missing ones stay missing."""
    ordered = p.dropna().sort_values(kind="stable")
    factors = range(len(ordered), 0, -1)
    return (ordered * list(factors)).cummax().clip(upper=1.0).reindex(p.index)


def points(row: Mapping[str, Any]) -> str:
    """Return a contrast's difference and interval in points of a hundred: ``"+24 [+17, +32]"``; "–" where not run."""
    if pd.isna(row["difference"]):
        return "–"
    low, high = (f"{row[end] * 100:+.0f}" for end in ("low", "high"))
    return f"{row['difference'] * 100:+.0f} [{low}, {high}]".replace("-", "−")


# ---------------------------------------------------------------------------------------------- measuring
def measured(
    figure: str, records: pd.DataFrame | None, others: Mapping[str, pd.DataFrame | None] | None = None
) -> list[dict[str, Any]]:
    """Return the contrasts of `figure`, each in every panel where one of its sides has records, uncorrected.

    A contrast that has records nowhere is one row without numbers; so is each where `records` is None.

    Args:
        figure: whose contrasts.
        records: of that figure.
        others: the records of further figures, for contrasts that look at one of those too.

    Raises:
        RecordsError: a side of a contrast holds several experiments of one seed.
    """
    declared = [(claim.id, one) for claim in claims.CLAIMS for one in claim.contrasts if one.figure == figure]
    sides = [side for _, one in declared for side in one.sides]
    found: list[dict[str, Any]] = []
    ends = None if records is None else _ends(records, sides)
    for claim, one in declared:
        row = {"claim": claim, "figure": figure, "contrast": str(one), "where": "", "decides": one.decides}
        pool = ends
        if ends is not None and (other := (others or {}).get(one.also)) is not None:
            pool = pd.concat([ends, _ends(other, one.sides)]).drop_duplicates([*_ANSWER, *QUESTION], ignore_index=True)
        here = [] if pool is None else [
            row | {"where": where, "smoke": (panel["preset"] == "smoke").any()} | _measure(one, compared)
            for where, panel, compared in _panels(one, pool)
        ]  # fmt: skip
        found += here or [row]
    return found


def _ends(records: pd.DataFrame, sides: Sequence[Side]) -> pd.DataFrame:
    """Return the questions by name at the end of training that `sides` need, with the columns `shift` and `moment`.

    Where a side looks at another moment, SFT's answers after as many questions as GRPO's too.
    """
    rows = final(asked_by_name(records, {side.mode for side in sides})).assign(moment=END)
    if any("moment" in side.where for side in sides):
        rows = pd.concat([rows, matched(records).assign(moment=MATCHED)], ignore_index=True)
    rows = rows.drop(columns=["prompt", "completion"], errors="ignore")  # long, and not read here
    return rows.assign(shift=with_shifts(rows[rows["domain"] == "ciphers"])["shifts"])


def _panels(declared: Declared, ends: pd.DataFrame) -> Iterable[tuple[str, pd.DataFrame, list[pd.DataFrame]]]:
    """Yield (name, rows, each side's rows) for each domain, model, … that the sides do not themselves set apart.

    Numbers such as the templates set panels apart only where one arm has several, as in a reader's variant: an arm may
    have another number than the arm that it is compared with.
    """
    fixed = [column for column in PANEL if len({side.where.get(column) for side in declared.sides}) == 1]
    mine = ends[ends["curriculum"].isin([side.arm for side in declared.sides])]
    values = mine.groupby([*PANEL, "curriculum", "seed"])[list(KNOBS)].nunique().max()
    named = {column for side in declared.sides for column in side.where}
    fixed += [knob for knob in KNOBS if values[knob] > 1 and knob not in {*PANEL, *named}]
    for key, panel in mine.groupby(fixed):
        sides = [_rows(side, panel) for side in declared.sides]
        if any(map(len, sides)):
            yield _panel_name(dict(zip(fixed, key, strict=True))), panel, sides


def _panel_name(panel: Mapping[str, Any]) -> str:
    domain = str(panel.get("domain", ""))
    words = [domain.replace("_", " ").capitalize(), str(panel.get("model", ""))]
    if "statements" in panel and by_length(domain):
        words.append(statements(panel["statements"]))
    if panel.get("representation", "code") != "code":
        words.append(panel["representation"])
    words += [in_words(knob, panel[knob]) for knob in KNOBS if knob in panel and knob not in PANEL]
    return ", ".join(filter(None, words))


def _rows(side: Side, panel: pd.DataFrame) -> pd.DataFrame:
    """Return this side's questions in `panel`; none where it was not run."""
    mine = panel[(panel["curriculum"] == side.arm) & (panel["answer_mode"] == side.mode)]
    for column, value in {"moment": END, **side.where}.items():
        if value in (MOST, FEWEST):
            values = mine[column]
            if values.nunique() < 2:  # then there is nothing to compare
                return mine.head(0)
            sizes = values.map(tables.parameters) if column == "model" else values
            value = values[sizes.idxmax() if value == MOST else sizes.idxmin()]
        mine = mine[mine[column] == value]
    if (mine.groupby("seed")["experiment"].nunique() > 1).any():
        several = sorted(mine["experiment"].unique())
        raise RecordsError(f"side {side}: one experiment a seed is compared, and these records hold {several}")
    if side.permuted:
        mine = mine[mine.groupby(CLUSTER)["input"].transform("nunique") > 1]
        return permuted_control(mine) if len(mine) else mine
    return mine


def _measure(declared: Declared, sides: list[pd.DataFrame]) -> dict[str, Any]:
    """Return difference, low, high, p, p_against, programs, seeds; nothing where a side has no records."""
    seeds = set.intersection(*(set(side["seed"]) for side in sides))
    sides = [side[side["seed"].isin(seeds)] for side in sides]
    if not seeds:
        return {}
    if declared.steadier:
        return _steadier(*sides) if len(seeds) >= LEAST_SEEDS else {}
    if not declared.more_than:
        return _contrast(*_paired(*sides))
    # Half of a difference of differences is the contrast of two halves: (a + d) / 2 - (b + c) / 2, if all four asked
    # the same questions. So one bootstrap serves: programs of all four are drawn together.
    common = sides[0][QUESTION].drop_duplicates()
    for side in sides[1:]:
        common = common.merge(side[QUESTION].drop_duplicates())
    if common.empty:
        return {}
    a, b, c, d = (side.merge(common, on=QUESTION) for side in sides)
    found = _contrast(_halves(a, d), _halves(b, c))
    return found | {name: 2 * found[name] for name in ("difference", "low", "high")}


def _halves(first: pd.DataFrame, second: pd.DataFrame) -> pd.DataFrame:
    """Return both sides' questions as one's."""
    return pd.concat([first.assign(input="1: " + first["input"]), second.assign(input="2: " + second["input"])])


def _paired(a: pd.DataFrame, b: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return both sides, to be paired by question; by program where the same programs were asked on other inputs.

    Distillation is not asked on the inputs that it shows, so its questions are others. Under one blank input all
    questions of a program are paired with all of the other side's.
    """

    def keys(side: pd.DataFrame, columns: list[str]) -> set[tuple]:
        return set(side[columns].itertuples(index=False, name=None))

    if keys(a, CLUSTER) == keys(b, CLUSTER) and keys(a, QUESTION) != keys(b, QUESTION):
        return a.assign(input=""), b.assign(input="")
    return a, b


def _contrast(above: pd.DataFrame, below: pd.DataFrame) -> dict[str, Any]:
    found = contrast(above, below, resamples=RESAMPLES, level=LEVEL)
    # Where the difference is not negative nothing speaks against it, and Holm's correction asks only how many such
    # there are.
    against = contrast(below, above, resamples=RESAMPLES, level=LEVEL).p if found.estimate < 0 else 1.0
    numbers = {"difference": found.estimate, "low": found.low, "high": found.high, "p": found.p, "p_against": against}
    return numbers | {"programs": found.programs, "seeds": found.seeds}


def _steadier(steady: pd.DataFrame, other: pd.DataFrame) -> dict[str, Any]:
    """Compare how far accuracies of seeds lie from their median, on average (Brown and Forsythe's test, Welch's t).

    A bootstrap of three or four seeds would return intervals that are far too narrow.
    """
    from scipy.stats import ttest_ind

    def distances(side: pd.DataFrame) -> np.ndarray:
        by_seed = (side["outcome"] == "correct").groupby(side["seed"]).mean()
        return np.abs(by_seed - by_seed.median()).to_numpy()

    a, b = distances(other), distances(steady)
    interval = ttest_ind(a, b, equal_var=False).confidence_interval(LEVEL)
    p, p_against = (ttest_ind(a, b, equal_var=False, alternative=way).pvalue for way in ("greater", "less"))
    numbers = {"difference": a.mean() - b.mean(), "low": interval.low, "high": interval.high}
    clusters = len(steady.drop_duplicates(CLUSTER))
    return numbers | {"p": p, "p_against": p_against, "programs": clusters, "seeds": steady["seed"].nunique()}
