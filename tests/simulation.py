"""What the intervals cover, and how often a difference is found where there is none: python tests/simulation.py

Seeds of 100 programs, 5 questions each. A seed's rate is drawn from a beta distribution around the true one, a
program's from one around its seed's, so that answers to one program are alike (intraclass correlation 0 or 0.4; the
worse of the two is shown). The spread of seeds is 0 to 10 points, but never more than 0.8 of the way to the nearer
end, where most seeds would lie at that end. Before: percentile intervals of the bootstrap over seeds and programs, as
this project had it. After: `pbb.analysis.statistics`. Prints two tables in two minutes on one core.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
from scipy.stats import betabinom, binom, t, ttest_ind

from pbb.analysis.claims import PRIMARIES
from pbb.analysis.statistics import difference, korn_graubard
from pbb.analysis.verdicts import ALPHA, STEADY_SEEDS

PROGRAMS, QUESTIONS = 100, 5
SPREADS, ALIKE = (0.0, 0.02, 0.06, 0.10), (0.0, 0.4)
RATES = (0.01, 0.04, 0.10, 0.50, 0.90, 0.96, 0.99)
PAIRS = ((0.01, 0.01), (0.10, 0.10), (0.50, 0.50), (0.96, 0.96), (0.30, 0.10), (0.96, 0.10), (0.99, 0.90), (0.99, 0.50))
THRESHOLD = ALPHA / PRIMARIES
_RIGHT = np.arange(QUESTIONS + 1)


def draw(rate: float, spread: float, alike: float, seeds: int, runs: int, rng: np.random.Generator) -> np.ndarray:
    """Return how many programs of each seed have 0, 1, … right answers: (runs, seeds, questions + 1)."""
    rates = np.full((runs, seeds), rate)
    if spread := min(spread, 0.8 * min(rate, 1 - rate)):
        size = rate * (1 - rate) / spread**2 - 1
        rates = np.clip(rng.beta(rate * size, (1 - rate) * size, rates.shape), 1e-6, 1 - 1e-6)
    if alike:
        size = 1 / alike - 1
        chances = betabinom.pmf(_RIGHT, QUESTIONS, (rates * size)[..., None], ((1 - rates) * size)[..., None])
    else:
        chances = binom.pmf(_RIGHT, QUESTIONS, rates[..., None])
    return rng.multinomial(PROGRAMS, chances / chances.sum(-1, keepdims=True))


class Sample(NamedTuple):
    """What the statistics take from answers, an element a run; `by_seed` has a column a seed."""

    share: np.ndarray
    between: np.ndarray
    within: np.ndarray
    by_seed: np.ndarray

    @property
    def variance(self) -> np.ndarray:
        return np.maximum(self.between, self.within)


def sample(counts: np.ndarray) -> Sample:
    """Return shares and their variances, as `accuracy` has them of records."""
    seeds = counts.shape[1]
    clusters, asked = seeds * PROGRAMS, seeds * PROGRAMS * QUESTIONS
    right = counts @ _RIGHT
    share = right.sum(1) / asked
    residuals = (right - share[:, None] * PROGRAMS * QUESTIONS) / asked
    squares = (counts * (_RIGHT - share[:, None, None] * QUESTIONS) ** 2).sum((1, 2)) / asked**2
    between = (residuals**2).sum(1) * seeds / (seeds - 1) if seeds > 1 else np.zeros(len(share))
    return Sample(share, between, squares * clusters / (clusters - 1), right / (PROGRAMS * QUESTIONS))


def freedom(seeds: int) -> int:
    return seeds - 1 if seeds > 1 else PROGRAMS - 1


def shares_after(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return low and high ends, as `accuracy` has them."""
    seeds, found = counts.shape[1], sample(counts)
    clusters = seeds * PROGRAMS
    return korn_graubard(found.share, found.variance, clusters * QUESTIONS, clusters, freedom(seeds))


def differences_after(above: np.ndarray, below: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return low and high ends and p, as `contrast` has them of programs that have nothing in common."""
    seeds, sides = above.shape[1], [sample(above), sample(below)]
    shares, variances = np.array([side.share for side in sides]), np.array([side.variance for side in sides])
    apart = sides[0].by_seed - sides[1].by_seed
    between = apart.var(1, ddof=1) / seeds if seeds > 1 else 0.0
    variance = np.maximum(between, sides[0].within + sides[1].within)
    clusters, free = seeds * PROGRAMS, freedom(seeds)
    ends = difference(np.array([1, -1]), shares, variances, clusters * QUESTIONS, clusters, free, variance, free)
    return ends[1:4]


def resampled(counts: np.ndarray, resamples: int, rng: np.random.Generator) -> np.ndarray:
    """Return shares under each resample of seeds and of programs within them: (resamples, runs)."""
    runs, seeds = counts.shape[:2]
    ends = counts.cumsum(-1)
    right = (np.arange(PROGRAMS)[:, None] >= ends[:, :, None, :]).sum(-1).reshape(runs, -1)
    drawn = rng.multinomial(seeds, np.full(seeds, 1 / seeds), size=resamples)
    each = [rng.multinomial(drawn[:, seed] * PROGRAMS, np.full(PROGRAMS, 1 / PROGRAMS)) for seed in range(seeds)]
    weights = np.concatenate(each, axis=1).astype(np.float32)
    shares = weights @ right.T.astype(np.float32) / (seeds * PROGRAMS * QUESTIONS)
    centre = right.sum(1) / (seeds * PROGRAMS * QUESTIONS)
    return centre + (shares - centre) * np.sqrt(seeds / (seeds - 1) if seeds > 1 else 1)


def bootstrap(draws: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the ends of percentile intervals."""
    low, high = np.quantile(draws, [0.025, 0.975], axis=0)
    return low, high


def covered(truth: float, low: np.ndarray, high: np.ndarray) -> float:
    return 100 * float(np.mean((low <= truth + 1e-12) & (truth - 1e-12 <= high)))


def worst(measure: Callable[[float], tuple[float, float]], pick: Callable[..., float]) -> str:
    """Return ``"before → after"``, of each the worse at the two correlations."""
    before, after = (pick(values) for values in zip(*map(measure, ALIKE), strict=True))
    return f"{before:.1f} → {after:.1f}"


def coverage_of_shares(rate: float, seeds: int, runs: int, rng: np.random.Generator, spread: float) -> str:
    def measure(alike: float) -> tuple[float, float]:
        counts = draw(rate, spread, alike, seeds, runs, rng)
        few = counts[: max(runs // 8, 400)]
        return covered(rate, *bootstrap(resampled(few, 1000, rng))), covered(rate, *shares_after(counts))

    return worst(measure, min)


def coverage_of_differences(
    rates: tuple[float, float], seeds: int, runs: int, rng: np.random.Generator, spread: float
) -> str:
    def measure(alike: float) -> tuple[float, float]:
        sides = [draw(rate, spread, alike, seeds, runs, rng) for rate in rates]
        before = np.subtract(*(resampled(side[: max(runs // 8, 400)], 1000, rng) for side in sides))
        truth = rates[0] - rates[1]
        return covered(truth, *bootstrap(before)), covered(truth, *differences_after(*sides)[:2])

    return worst(measure, min)


def found_falsely(rate: float, seeds: int, runs: int, rng: np.random.Generator, spread: float) -> str:
    """Of a thousand runs without a difference, in how many one is found at the threshold of Holm's first step."""

    def measure(alike: float) -> tuple[float, float]:
        sides = [draw(rate, spread, alike, seeds, runs, rng) for _ in range(2)]
        draws = np.subtract(*(resampled(side[: runs // 40], 4000, rng) for side in sides))
        low, high, p = differences_after(*sides)
        before = np.minimum((draws <= 0).mean(0), (draws >= 0).mean(0)) < THRESHOLD / 2
        after = (p < THRESHOLD) & ((low > 0) | (high < 0))
        return 1000 * before.mean(), 1000 * after.mean()

    return worst(measure, max)


def steadiness(seeds: int, ratio: float = 3.0, runs: int = 20_000, seed: int = 0) -> float:
    """Return the power to find that spread (Brown and Forsythe's test) at the threshold of Holm's first step."""
    rng = np.random.default_rng(seed)
    distances = []
    for spread in (1.0, ratio):
        shares = rng.normal(0, spread, (runs, seeds))
        distances.append(np.abs(shares - np.median(shares, axis=1, keepdims=True)))
    return float(np.mean(ttest_ind(*distances, axis=1, equal_var=False).pvalue < THRESHOLD))


def table(rows: dict[str, Callable[[float], str]]) -> str:
    """Return a table, a row for each of `rows` and a column for each spread."""
    lines = ["|  | " + " | ".join(f"SD {spread * 100:.0f}" for spread in SPREADS) + " |", "|---" * 5 + "|"]
    lines += [f"| {name} | " + " | ".join(map(measure, SPREADS)) + " |" for name, measure in rows.items()]
    return "\n".join(lines)


def main(runs: int = 4000) -> None:
    rng = np.random.default_rng(0)
    rows: dict[str, Callable[[float], str]] = {}
    for seeds in (3, 5):
        for rate in RATES:
            rows[f"{seeds} seeds, {rate:.0%}"] = partial(coverage_of_shares, rate, seeds, runs, rng)
        for pair in PAIRS:
            name = f"{seeds} seeds, {pair[0]:.0%} − {pair[1]:.0%}"
            rows[name] = partial(coverage_of_differences, pair, seeds, runs, rng)
    print("Coverage of 95 % intervals, before → after, in per cent.\n\n" + table(rows))
    one = [f"{rate:.0%}: {coverage_of_shares(rate, 1, runs, rng, 0)}" for rate in RATES]
    print(f"\nOne seed, its programs alone: {', '.join(one)}")
    print(
        "\nDifferences found where there is none, of a thousand, before → after; nominal is "
        f"{1000 * THRESHOLD:.1f} (0.05 / {PRIMARIES}).\n"
    )
    rows = {}
    for seeds in (3, 5):
        for rate in (0.01, 0.10, 0.50, 0.96):
            rows[f"{seeds} seeds, {rate:.0%}"] = partial(found_falsely, rate, seeds, 10 * runs, rng)
    print(table(rows))
    three, five = (t.isf(THRESHOLD / 2, seeds - 1) for seeds in (3, 5))
    print(f"\nStudent's t has to exceed {three:.1f} with 3 seeds and {five:.1f} with 5.")
    print(f"Power to find a spread three times as large with {STEADY_SEEDS} seeds: {steadiness(STEADY_SEEDS):.0%}.")


if __name__ == "__main__":
    main()
