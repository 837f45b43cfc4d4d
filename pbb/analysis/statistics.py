"""Accuracies with honest intervals, and contrasts between arms. From records alone; never torch.

Answers to one program rise and fall together, so the unit that is resampled is the program: a cluster is
(seed, program). A resample is a row of weights over clusters, and an accuracy under it is a ratio of two
weighted sums, so that thousands of resamples are two matrix products.

Where there are several seeds, seeds are resampled first and programs within each drawn seed. Resampling n
values shows only (n - 1) / n of their variance, a third too little with three seeds, so draws are spread
about the estimate by the root of n / (n - 1). In simulation 95 % intervals from three seeds then cover 98,
97, 95 and 87 % where seeds differ by 0, 2, 4 and 8 points (standard deviation): where seeds disagree that
widely, three are too few.

Where every program has the same accuracy (all right, all wrong, or there is one program only), resampling
would return an interval of no width. There the interval is Clopper and Pearson's with each *program* as one
trial: 100 programs without an error give 96.4 % to 100 %, not 100 % to 100 %.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd
from scipy.special import betaincinv

from pbb.store import RecordsError

CLUSTER = ["seed", "program"]
QUESTION = [*CLUSTER, "input"]
RESAMPLES, LEVEL = 2000, 0.95


@dataclass(frozen=True)
class Contrast:
    """Accuracy of a minus accuracy of b, its interval, and p for "a is not above b" (one-sided)."""

    estimate: float
    low: float
    high: float
    p: float
    a: float
    b: float
    questions: int
    programs: int
    seeds: int
    paired: bool


@dataclass(frozen=True)
class Crossing:
    """The dose at which a curve of accuracies first reaches a line, and its interval.

    0 stands for less than `fewest`, the least dose that was measured (the curve begins above the line), and infinity
    for more than `most`, the largest (the curve never gets there). ``str`` gives ``"4.1 [2.3, >9]"``.
    """

    estimate: float
    low: float
    high: float
    fewest: float
    most: float
    programs: int
    seeds: int

    @property
    def censored(self) -> tuple[bool, bool, bool]:
        """Whether estimate, low and high lie outside of the doses that were measured."""
        estimate, low, high = (not self.fewest <= at <= self.most for at in (self.estimate, self.low, self.high))
        return estimate, low, high

    def __str__(self) -> str:
        return f"{self._words(self.estimate)} [{self._words(self.low)}, {self._words(self.high)}]"

    def _words(self, at: float) -> str:
        if at < self.fewest:
            return f"<{self.fewest:g}"
        return f">{self.most:g}" if at > self.most else f"{at:.1f}"


# ---------------------------------------------------------------------------------------------- accuracies
def accuracy(
    frame: pd.DataFrame, by: Sequence[str] = (), *, resamples: int = RESAMPLES, level: float = LEVEL, seed: int = 0
) -> pd.DataFrame:
    """Share of correct answers within each group of `by`, with a clustered bootstrap interval.

    Returns one row a group, sorted: `by`, estimate, low, high (shares, 0 to 1), questions, programs (distinct
    (seed, program) pairs), seeds, unparsed (share; counted as not correct). With `by` empty, one row.
    Groups of the same shape share their resamples, so a row does not depend on its neighbours.
    """
    by = list(by)
    _need(frame, [*by, *CLUSTER, "outcome"])
    if frame.empty:
        raise RecordsError("accuracy: no rows to count")
    cells = _cells(frame, by)
    groups = list(cells.groupby(by, sort=True)) if by else [((), cells)]
    intervals = _intervals([cell for _, cell in groups], resamples, level, seed)
    rows = []
    for (key, cell), interval in zip(groups, intervals, strict=True):
        questions, unparsed = int(cell["asked"].sum()), int(cell["unparsed"].sum())
        rows.append((*key, *interval, questions, len(cell), cell["seed"].nunique(), unparsed / questions))
    names = [*by, "estimate", "low", "high", "questions", "programs", "seeds", "unparsed"]
    return pd.DataFrame(rows, columns=names)


def contrast(
    a: pd.DataFrame, b: pd.DataFrame, *, resamples: int = RESAMPLES, level: float = LEVEL, seed: int = 0
) -> Contrast:
    """Accuracy of `a` minus that of `b`, with a clustered bootstrap interval and a one-sided p.

    Paired where both sides asked the same programs under the same seeds: only questions on both sides
    (seed, program, input) count, and both are resampled together. Else the two are resampled independently.
    p is the share of resamples in which a is not above b, never below 1 / (resamples + 1). Where one side
    has no variation between programs, the interval combines the two sides' own (Newcombe's square-and-add);
    where neither has, p is that of a sign test over programs.
    """
    for side in (a, b):
        _need(side, [*QUESTION, "outcome"])
    if a.empty or b.empty:
        raise RecordsError("contrast: one side has no rows")
    paired = _programs(a) == _programs(b)
    if paired:
        common = a[QUESTION].drop_duplicates().merge(b[QUESTION].drop_duplicates())
        if common.empty:
            raise RecordsError("contrast: the same programs, but no input was asked on both sides")
        a, b = a.merge(common, on=QUESTION), b.merge(common, on=QUESTION)
        if _programs(a) != _programs(b):
            raise RecordsError("contrast: some programs share no input between the two sides")
    cells_a, cells_b = _cells(a, []), _cells(b, [])
    (mean_a, low_a, high_a), (mean_b, low_b, high_b) = _intervals([cells_a, cells_b], resamples, level, seed)
    difference = mean_a - mean_b
    draws = _draws([cells_a], resamples, seed) - _draws([cells_b], resamples, seed if paired else seed + 1)
    flat_a, flat_b = _flat(cells_a), _flat(cells_b)
    if flat_a or flat_b:
        low = max(-1.0, difference - np.hypot(mean_a - low_a, high_b - mean_b))
        high = min(1.0, difference + np.hypot(high_a - mean_a, mean_b - low_b))
    else:
        (low,), (high,) = _percentiles(draws, level)
    if flat_a and flat_b:
        p = 0.5 ** min(len(cells_a), len(cells_b)) if difference > 0 else 1.0
    else:
        p = (1 + int((draws <= 0).sum())) / (1 + resamples)
    asked, seeds = int(cells_a["asked"].sum()), int(cells_a["seed"].nunique())
    return Contrast(difference, float(low), float(high), p, mean_a, mean_b, asked, len(cells_a), seeds, paired)


def crossing(
    curve: Mapping[float, pd.DataFrame],
    line: pd.DataFrame,
    *,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
    seed: int = 0,
) -> Crossing:
    """Where the accuracy of `curve` (dose -> its rows, doses above 0) first reaches that of `line`.

    Between doses accuracy is interpolated on the logarithm of the dose. Programs are resampled once for all doses and
    the line together; only those on every side count, whatever inputs they were asked. A resample that crosses
    outside of the doses is kept as such, so that an end of the interval may be "less than the least" or "more than
    the most". A side without variation between programs is drawn from Jeffreys' posterior with each program as one
    trial, since resampling it would show none.
    """
    doses = sorted(curve)
    sides = [*(curve[dose] for dose in doses), line]
    for side in sides:
        _need(side, [*CLUSTER, "outcome"])
    if not doses or doses[0] <= 0:
        raise RecordsError(f"crossing: doses are {doses}; valid: one or more, above 0")
    shared = pd.DataFrame(sorted(set.intersection(*map(_programs, sides))), columns=CLUSTER)
    if shared.empty:
        raise RecordsError("crossing: no program was asked on the line and at every dose")
    cells = [_cells(side.merge(shared, on=CLUSTER), []) for side in sides]
    draws = _draws(cells, resamples, seed)
    estimates = np.array([side["correct"].sum() / side["asked"].sum() for side in cells])
    for index, side in enumerate(cells):
        if _flat(side):
            right = estimates[index] * len(side)
            rng = np.random.default_rng([seed, index])
            draws[:, index] = rng.beta(right + 0.5, len(side) - right + 0.5, size=resamples)
    found = np.sort(_first_reach(draws, np.array(doses)))
    (estimate,) = _first_reach(estimates[None], np.array(doses))
    last = resamples - 1  # never between two draws: one of them may be infinite
    low, high = found[int(last * (1 - level) / 2)], found[last - int(last * (1 - level) / 2)]
    ends, seeds = (doses[0], doses[-1]), int(shared["seed"].nunique())
    return Crossing(float(estimate), float(low), float(high), *ends, len(shared), seeds)


def _first_reach(accuracies: np.ndarray, doses: np.ndarray) -> np.ndarray:
    """The dose at which each row of `accuracies`, one a dose and then the line's, first reaches its last value.

    0 where a row begins above its last value, infinity where it never reaches it.
    """
    at = np.log(doses)
    gaps = accuracies[:, :-1] - accuracies[:, -1:]
    there = gaps >= 0
    after = there.argmax(axis=1)
    before = np.maximum(after - 1, 0)
    rows = np.arange(len(gaps))
    rise = gaps[rows, after] - gaps[rows, before]
    share = np.divide(-gaps[rows, before], rise, out=np.ones(len(gaps)), where=rise > 0)
    found = np.exp(at[before] + share * (at[after] - at[before]))
    found = np.clip(found, doses[0], doses[-1])  # rounding must not look like censoring
    found[gaps[:, 0] > 0] = 0
    found[~there.any(axis=1)] = np.inf
    return found


# ---------------------------------------------------------------------------------- what chance would give
def permuted_control(frame: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """The same answers, scored against the right answer to *another* input of the same program.

    Within each (seed, program) the inputs are put in one random cycle, so none keeps its own. What accuracy
    is left needs no knowledge of the input: it is what a model scores that knows only which answers a program
    tends to give. Programs with one input are left out. Returns rows like `frame`, rescored.
    """
    _need(frame, [*QUESTION, "expected", "parsed", "outcome"])
    asked = frame[[*QUESTION, "expected"]].drop_duplicates().sort_values(QUESTION, ignore_index=True)
    if (clash := asked[asked.duplicated(QUESTION)]).size:
        raise RecordsError(
            f"permuted_control: two programs are called {clash['program'].iloc[0]!r} under one seed; "
            "give it the records of one domain and one number of statements at a time"
        )
    asked = asked[asked.groupby(CLUSTER)["input"].transform("size") > 1]
    if asked.empty:
        raise RecordsError("permuted_control: no program was asked on two inputs")
    asked = asked.sample(frac=1, random_state=np.random.default_rng(seed)).sort_values(CLUSTER, kind="stable")
    following = asked.groupby(CLUSTER)["expected"].shift(-1)
    first = asked.groupby(CLUSTER)["expected"].transform("first")
    asked["expected"] = following.fillna(first)
    out = frame.drop(columns="expected").merge(asked, on=QUESTION, how="inner")
    answered = out["parsed"].notna()
    right = answered & (out["parsed"] == out["expected"]).astype(bool)
    out["outcome"] = np.select([~answered, right], ["unparsed", "correct"], "wrong")
    return out[list(frame.columns)]


def chance(frame: pd.DataFrame, enough: int = 20) -> float:
    """Accuracy of the best guess without knowledge of the program: a share, 0 to 1.

    The better of two guessers, both told the answer key: one always says the commonest answer; one says the
    commonest answer to the input it sees, for inputs asked of at least `enough` programs (for rarer inputs
    such a guess would be hindsight, and it says the commonest answer overall). Generous, hence a high line.
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


# ------------------------------------------------------------------------------------------- the bootstrap
def _cells(frame: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """One row a cluster: `by`, seed, program, and how many questions were correct, unparsed, asked."""
    keys = list(dict.fromkeys([*by, *CLUSTER]))
    counts = frame[keys].assign(
        correct=(frame["outcome"] == "correct").astype("int64"),
        unparsed=(frame["outcome"] == "unparsed").astype("int64"),
        asked=1,
    )
    return counts.groupby(keys, sort=True, observed=True).sum().reset_index()


def _intervals(groups: list[pd.DataFrame], resamples: int, level: float, seed: int) -> list[tuple[float, float, float]]:
    """(estimate, low, high) of each group's clusters. Groups of one shape are resampled in one product."""
    found: dict[int, tuple[float, float, float]] = {}
    shapes: dict[tuple[int, ...], list[int]] = {}
    for index, cells in enumerate(groups):
        estimate = float(cells["correct"].sum() / cells["asked"].sum())
        if _flat(cells):
            found[index] = (estimate, *clopper_pearson(estimate * len(cells), len(cells), level))
        else:
            found[index] = (estimate, estimate, estimate)
            shapes.setdefault(_shape(cells), []).append(index)
    for alike in shapes.values():
        draws = _draws([groups[index] for index in alike], resamples, seed)
        lows, highs = np.clip(_percentiles(draws, level), 0, 1)
        for index, low, high in zip(alike, lows, highs, strict=True):
            found[index] = (found[index][0], float(low), float(high))
    return [found[index] for index in range(len(groups))]


def _draws(groups: list[pd.DataFrame], resamples: int, seed: int) -> np.ndarray:
    """Accuracy under each resample: (resamples, groups). The groups have one shape, and are sorted by seed.

    Sums are of whole numbers, so they are exact, on every machine and in any order.
    """
    weights = _weights(_shape(groups[0]), resamples, seed)
    correct = np.stack([cells["correct"].to_numpy(float) for cells in groups], axis=1)
    asked = np.stack([cells["asked"].to_numpy(float) for cells in groups], axis=1)
    draws = (weights @ correct) / (weights @ asked)
    if (seeds := len(_shape(groups[0]))) > 1:
        centre = correct.sum(axis=0) / asked.sum(axis=0)
        draws = centre + (draws - centre) * np.sqrt(seeds / (seeds - 1))
    return draws


def _shape(cells: pd.DataFrame) -> tuple[int, ...]:
    """How many clusters each seed has."""
    return tuple(np.unique(cells["seed"].to_numpy(), return_counts=True)[1].tolist())


@lru_cache(maxsize=8)
def _weights(sizes: tuple[int, ...], resamples: int, seed: int) -> np.ndarray:
    """How often each cluster is drawn: (resamples, sum of `sizes`), where sizes[s] is seed s's programs.

    A seed drawn m times has its n programs resampled m times over: multinomial with m × n trials.
    """
    rng = np.random.default_rng([seed, len(sizes), *sizes])
    seeds = rng.multinomial(len(sizes), np.full(len(sizes), 1 / len(sizes)), size=resamples)
    parts = [rng.multinomial(seeds[:, s] * n, np.full(n, 1 / n)) for s, n in enumerate(sizes)]
    return np.concatenate(parts, axis=1).astype(float)


def _flat(cells: pd.DataFrame) -> bool:
    """Whether all programs have the same accuracy, so that resampling them can show no variation."""
    return bool(np.ptp(cells["correct"].to_numpy() / cells["asked"].to_numpy()) < 1e-12)


def _percentiles(draws: np.ndarray, level: float) -> np.ndarray:
    """Low and high ends of a percentile interval: (2, groups), from draws of (resamples, groups)."""
    return np.quantile(draws, [(1 - level) / 2, (1 + level) / 2], axis=0)


def clopper_pearson(successes: float, trials: int, level: float = LEVEL) -> tuple[float, float]:
    """Exact binomial interval; `successes` may be fractional (a single program half right)."""
    if not 0 <= successes <= trials or trials < 1:
        raise ValueError(f"clopper_pearson: {successes} successes of {trials} trials; valid: 0 to trials, 1+")
    alpha, failures = 1 - level, trials - successes
    low = 0.0 if successes == 0 else float(betaincinv(successes, failures + 1, alpha / 2))
    high = 1.0 if failures == 0 else float(betaincinv(successes + 1, failures, 1 - alpha / 2))
    return low, high


def _programs(frame: pd.DataFrame) -> set[tuple[int, str]]:
    return set(frame[CLUSTER].drop_duplicates().itertuples(index=False, name=None))


def _need(frame: pd.DataFrame, columns: list[str]) -> None:
    if missing := [name for name in columns if name not in frame]:
        raise RecordsError(f"statistics: records lack the columns {missing}")
