"""Accuracies with intervals that hold, and contrasts between arms. From records alone; never torch.

Answers to one program rise and fall together, and so do all answers of one training run. With several seeds a seed is
one trial, and intervals are Student's with (seeds - 1) degrees of freedom: they are about runs that might have been.
With one seed the trial is a program: the interval is about that seed's programs, and says nothing of other runs.
`tests/simulation.py` shows what these intervals cover and how often a difference is found where there is none.

A variance is the larger of the one between seeds and the one between programs (by linearisation: a seed or a program
counts with the sum of its residuals). Three seeds may lie close together by luck; their programs then still differ.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.optimize import brentq
from scipy.stats import beta, nct, norm, t

from pbb.store import RecordsError

CLUSTER = ["seed", "program"]
QUESTION = [*CLUSTER, "input"]
LEVEL, POWER = 0.95, 0.8


@dataclass(frozen=True)
class Contrast:
    """Accuracy of a minus accuracy of b (of a - b minus c - d, of four sides), its interval, and p, two-sided.

    `error` is the standard error, `freedom` the degrees of freedom; of four sides `a` and `b` are the first two's.
    """

    estimate: float
    low: float
    high: float
    p: float
    a: float
    b: float
    error: float
    freedom: int
    questions: int
    programs: int
    seeds: int

    def least_effect(self, alpha: float) -> float:
        """Return the least difference that is found at the level `alpha` (two-sided) with 80 % power, at this error."""
        beyond = t.isf(alpha / 2, self.freedom)
        return self.error * brentq(lambda shift: nct.sf(beyond, self.freedom, shift) - POWER, 0, 20 * beyond)


@dataclass(frozen=True)
class Crossing:
    """The dose at which a curve of accuracies first reaches a line, and its interval.

    0 stands for less than `fewest`, the least dose that was measured (the curve begins above the line), and infinity
    for more than `most`, the largest (the curve never gets there). ``str`` gives ``"4.1 [2.3, >9]"``, or "more than 9"
    where the interval too is beyond what was measured.
    """

    estimate: float
    low: float
    high: float
    fewest: float
    most: float
    programs: int
    seeds: int

    def __str__(self) -> str:
        if self.low > self.most:
            return f"more than {self.most:g}"
        return f"{self._words(self.estimate)} [{self._words(self.low)}, {self._words(self.high)}]"

    def _words(self, at: float) -> str:
        if at < self.fewest:
            return f"<{self.fewest:g}"
        return f">{self.most:g}" if at > self.most else f"{at:.1f}"


# ---------------------------------------------------------------------------------------------- accuracies
def accuracy(frame: pd.DataFrame, by: Sequence[str] = ()) -> pd.DataFrame:
    """Share of correct answers within each group of `by`, with Korn and Graubard's interval.

    Returns one row a group, sorted: `by`, estimate, low, high (shares, 0 to 1), questions, programs (distinct
    (seed, program) pairs), seeds, unparsed (share; counted as not correct). With `by` empty, one row.
    """
    _need(frame, [*by, *CLUSTER, "outcome"])
    if frame.empty:
        raise RecordsError("accuracy: no rows to count")
    cells = _cells(frame, by)
    rows = []
    for key, cell in cells.groupby([*by], sort=True) if by else [((), cells)]:
        share, variance, freedom = _measured(cell)
        asked, unparsed = int(cell["asked"].sum()), cell["unparsed"].sum()
        low, high = korn_graubard(share, variance, asked, len(cell), freedom)
        rows.append((*key, share, float(low), float(high), asked, len(cell), cell["seed"].nunique(), unparsed / asked))
    names = [*by, "estimate", "low", "high", "questions", "programs", "seeds", "unparsed"]
    return pd.DataFrame(rows, columns=names)


def contrast(above: pd.DataFrame, below: pd.DataFrame, *gap: pd.DataFrame) -> Contrast:
    """Accuracy of `above` minus that of `below`; with two more sides, that difference minus theirs.

    Only seeds that all sides share count, where there are such. Sides are paired by seed and by program, whatever
    inputs of a program each was asked. p is Student's. The interval is the wider of Student's and the one put together
    from the sides' own (MOVER; Zou and Donner, Statistics in Medicine 27, 2008), narrowed by what pairing takes out.
    """
    sides = [above, below, *gap]
    for side in sides:
        _need(side, [*CLUSTER, "outcome"])
        if side.empty:
            raise RecordsError("contrast: one side has no rows")
    shared = set.intersection(*(set(side["seed"]) for side in sides))
    cells = [_cells(side[side["seed"].isin(shared)] if shared else side, ()) for side in sides]
    signs = np.array([1, -1, -1, 1][: len(cells)])
    shares, variances, freedoms = (np.array(each) for each in zip(*map(_measured, cells), strict=True))
    asked, programs = (np.array(each) for each in zip(*((int(c["asked"].sum()), len(c)) for c in cells), strict=True))
    if shared:
        residuals = pd.concat([side.assign(z=sign * side["z"]) for side, sign in zip(cells, signs, strict=True)])
        variance, freedom = _variance(residuals.groupby(CLUSTER, as_index=False)["z"].sum())
    else:
        variance, freedom = variances.sum(), int(freedoms.min())
    sizes = asked, programs, freedoms
    estimate, low, high, p, error = difference(signs, shares, variances, *sizes, variance, freedom)
    counts = int(asked[0]), len(cells[0]), int(cells[0]["seed"].nunique())
    ends = float(estimate), float(low), float(high), float(p)
    return Contrast(*ends, float(shares[0]), float(shares[1]), float(error), freedom, *counts)


def difference(
    signs: np.ndarray,
    shares: np.ndarray,
    variances: np.ndarray,
    asked: Any,
    programs: Any,
    freedoms: Any,
    variance: ArrayLike,
    freedom: ArrayLike,
) -> tuple[np.ndarray, ...]:
    """Return estimate, low, high, p and standard error of shares that are added and subtracted, a row a side.

    `variance`, with its `freedom`, is that of the paired difference; a side whose answers are all alike adds to it
    what it has if each program is one trial (Agresti's two answers added).
    """
    near = (shares * programs + 1) / (programs + 2)
    flat = np.where((shares <= 0) | (shares >= 1), near * (1 - near) / programs, 0).sum(axis=0)
    variance, freedom, total = np.maximum(variance, flat), np.maximum(freedom, 1), variances.sum(axis=0)
    error = np.sqrt(variance)
    signs = signs.reshape(-1, *[1] * (shares.ndim - 1))
    estimate = (signs * shares).sum(axis=0)
    lows, highs = korn_graubard(shares, variances, asked, programs, freedoms)
    down, up = np.where(signs > 0, shares - lows, highs - shares), np.where(signs > 0, highs - shares, shares - lows)
    narrowed = np.sqrt(np.minimum(1, np.divide(variance, total, out=np.ones_like(total), where=total > 0)))
    half, most = t.ppf(0.5 + LEVEL / 2, freedom) * error, len(shares) / 2
    low = np.maximum(-most, estimate - np.maximum(half, narrowed * np.sqrt((down**2).sum(axis=0))))
    high = np.minimum(most, estimate + np.maximum(half, narrowed * np.sqrt((up**2).sum(axis=0))))
    distance = np.divide(np.abs(estimate), error, out=np.zeros_like(estimate), where=error > 0)
    return estimate, low, high, 2 * t.sf(distance, freedom), error


def korn_graubard(
    share: ArrayLike,
    variance: ArrayLike,
    asked: ArrayLike,
    programs: ArrayLike,
    freedom: ArrayLike,
    *,
    level: float = LEVEL,
) -> tuple[np.ndarray, np.ndarray]:
    """Return low and high ends of intervals for shares with clustered answers (Survey Methodology 24, 1998).

    Clopper and Pearson's interval for as many independent answers as would have this variance, at most those `asked`,
    fewer the fewer `freedom` the variance has. Where all answers are alike a program is one answer: 100 programs of
    one seed without a fault give 96.4 % to 100 %. Nor is more than one answer counted where `freedom` is 0.
    """
    share, variance, asked, programs, freedom = np.broadcast_arrays(share, variance, asked, programs, freedom)
    alike = (share <= 0) | (share >= 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        independent = np.where(alike, programs, np.minimum(share * (1 - share) / variance, asked))
    fewer = norm.ppf(0.5 + level / 2) / t.ppf(0.5 + level / 2, np.maximum(freedom, 1))
    independent = np.where(freedom > 0, independent * fewer**2, 1.0)
    right, wrong = share * independent, (1 - share) * independent
    low = np.where(share <= 0, 0.0, beta.ppf((1 - level) / 2, np.maximum(right, 1e-12), wrong + 1))
    high = np.where(share >= 1, 1.0, beta.ppf((1 + level) / 2, right + 1, np.maximum(wrong, 1e-12)))
    return low, high


def _cells(frame: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """One row a cluster: `by`, seed, program; how many were correct, unparsed, asked; and the residual z.

    Residuals of a group, divided by its number of questions, add up to 0; their squares add up to a variance.
    """
    keys = list(dict.fromkeys([*by, *CLUSTER]))
    correct = frame["score"] if "score" in frame else (frame["outcome"] == "correct").astype(float)
    counts = frame[keys].assign(correct=correct, unparsed=(frame["outcome"] == "unparsed").astype(int), asked=1)
    cells = counts.groupby(keys, sort=True, observed=True).sum().reset_index()
    count = ["correct", "asked"]
    totals = cells.groupby([*by])[count].transform("sum") if by else cells[count].sum()
    return cells.assign(z=(cells["correct"] - totals["correct"] / totals["asked"] * cells["asked"]) / totals["asked"])


def _measured(cells: pd.DataFrame) -> tuple[float, float, int]:
    """Share of correct answers, its variance, and the variance's degrees of freedom."""
    return float(cells["correct"].sum() / cells["asked"].sum()), *_variance(cells)


def _variance(cells: pd.DataFrame) -> tuple[float, int]:
    """The larger of the variances between seeds and between programs, and its degrees of freedom."""
    z, clusters = cells["z"].to_numpy(), len(cells)
    within = float(z @ z) * clusters / max(clusters - 1, 1)
    of_seeds = np.bincount(np.unique(cells["seed"], return_inverse=True)[1], weights=z)
    if (seeds := len(of_seeds)) == 1:
        return within, clusters - 1
    return max(within, float(of_seeds @ of_seeds) * seeds / (seeds - 1)), seeds - 1


def crossing(curve: Mapping[float, pd.DataFrame], line: pd.DataFrame) -> Crossing:
    """Where the accuracy of `curve` (dose -> its rows, doses above 0) first reaches that of `line`.

    Between doses the difference is interpolated on the logarithm of the dose. The interval holds the doses at which
    `contrast` cannot tell the curve from the line: from where the upper end of its interval first reaches 0 to where
    the lower end does. Only programs on every side count, whatever inputs they were asked.
    """
    doses = sorted(curve)
    sides = [*(curve[dose] for dose in doses), line]
    if not doses or doses[0] <= 0:
        raise RecordsError(f"crossing: doses are {doses}; valid: one or more, above 0")
    shared = reduce(pd.merge, [side[CLUSTER].drop_duplicates() for side in sides])
    if shared.empty:
        raise RecordsError("crossing: no program was asked on the line and at every dose")
    *points, line = (side.merge(shared, on=CLUSTER) for side in sides)
    found = [contrast(point, line) for point in points]
    estimate, low, high = (
        _first_reach(np.array([getattr(one, end) for one in found]), np.array(doses))
        for end in ("estimate", "high", "low")
    )
    return Crossing(estimate, low, high, doses[0], doses[-1], len(shared), int(shared["seed"].nunique()))


def _first_reach(gaps: np.ndarray, doses: np.ndarray) -> float:
    """The dose at which `gaps` first reaches 0: 0 if it begins above, infinity if it never does."""
    if gaps[0] > 0:
        return 0.0
    if gaps.max() < 0:
        return float("inf")
    after = int((gaps >= 0).argmax())
    before = max(after - 1, 0)
    rise = gaps[after] - gaps[before]
    at = np.interp(-gaps[before], [0, rise], np.log(doses[[before, after]])) if rise > 0 else np.log(doses[after])
    return float(np.clip(np.exp(at), doses[0], doses[-1]))  # rounding must not look like censoring


# ---------------------------------------------------------------------------------- what chance would give
def permuted_control(frame: pd.DataFrame) -> pd.DataFrame:
    """The same answers, scored against the right answers to the *other* inputs of the same program, all of them alike.

    What accuracy is left needs no knowledge of the input: it is what a model scores that knows only which answers a
    program tends to give. Programs with one input are left out. Returns rows like `frame` with a column `score`, the
    share of the other right answers that the given one equals, which counts in place of the outcome.
    """
    _need(frame, [*QUESTION, "expected", "parsed", "outcome"])
    asked = frame[[*QUESTION, "expected"]].drop_duplicates()
    if (clash := asked[asked.duplicated(QUESTION)]).size:
        raise RecordsError(
            f"permuted_control: two programs are called {clash['program'].iloc[0]!r} under one seed; "
            "give it the records of one domain and one number of statements at a time"
        )
    inputs = asked.groupby(CLUSTER).size().rename("inputs").reset_index()
    kept = frame.merge(inputs[inputs["inputs"] > 1], on=CLUSTER)
    if kept.empty:
        raise RecordsError("permuted_control: no program was asked on two inputs")
    equal = asked.rename(columns={"expected": "parsed"}).groupby([*CLUSTER, "parsed"]).size().rename("equal")
    kept = kept.merge(equal.reset_index(), on=[*CLUSTER, "parsed"], how="left").fillna({"equal": 0})
    score = (kept["equal"] - (kept["parsed"] == kept["expected"])) / (kept["inputs"] - 1)
    outcome = np.where(kept["parsed"].isna(), "unparsed", "wrong")
    return kept.drop(columns=["inputs", "equal"]).assign(outcome=outcome, score=score)


def chance(frame: pd.DataFrame, enough: int = 20) -> float:
    """Accuracy of the best guess of one who knows the answer key but not the program: a share, 0 to 1.

    The better of two guessers: one always says the commonest answer; one says the commonest answer to the input it
    sees, for inputs asked of at least `enough` programs (for rarer inputs such a guess would be hindsight, and it says
    the commonest answer overall). No model has the key, so this is more than guessing gives.
    """
    _need(frame, [*QUESTION, "expected"])
    asked = frame[[*QUESTION, "expected"]].drop_duplicates(QUESTION)
    if asked.empty:
        raise RecordsError("chance: no rows to count")
    commonest = asked["expected"].mode().iloc[0]
    constant = float((asked["expected"] == commonest).mean())
    often = asked.groupby("input")["expected"].transform("size") >= enough
    best = asked[often].value_counts(["input", "expected"]).groupby(level="input").max().sum()
    rest = int((asked.loc[~often, "expected"] == commonest).sum())
    return max(constant, (int(best) + rest) / len(asked))


def _need(frame: pd.DataFrame, columns: list[str]) -> None:
    if missing := [name for name in columns if name not in frame]:
        raise RecordsError(f"statistics: records lack the columns {missing}")
