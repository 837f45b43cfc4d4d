"""Intervals that cover, contrasts with a sign, and controls that know nothing."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import simulation
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, nct, t
from synthetic_records import synthetic_records

from pbb.analysis.copies import copying, quoting_source, sources, with_copies
from pbb.analysis.statistics import (
    Crossing,
    accuracy,
    chance,
    contrast,
    crossing,
    korn_graubard,
    permuted_control,
)
from pbb.records import RecordsError


def answers(rates: np.ndarray, questions: int, rng: np.random.Generator, seeds: int = 1) -> pd.DataFrame:
    """`questions` answers to each program; rates: (programs,) or (seeds, programs)."""
    rates = np.broadcast_to(rates, (seeds, rates.shape[-1]))
    seed, program, question = np.meshgrid(*map(range, (*rates.shape, questions)), indexing="ij")
    correct = rng.random(seed.shape) < rates[:, :, None]
    columns = {"seed": seed.ravel(), "program": program.ravel().astype(str), "input": question.ravel().astype(str)}
    return pd.DataFrame(columns | {"outcome": np.where(correct.ravel(), "correct", "wrong")})


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(st.booleans(), min_size=1, max_size=6), min_size=1, max_size=8), st.integers(1, 3))
def test_the_estimate_is_the_mean_and_lies_in_its_interval(programs: list[list[bool]], seeds: int) -> None:
    rows = [
        {"seed": seed, "program": f"p{p}", "input": str(i), "outcome": "correct" if right else "unparsed"}
        for seed in range(seeds)
        for p, questions in enumerate(programs)
        for i, right in enumerate(questions)
    ]
    (found,) = accuracy(pd.DataFrame(rows)).to_dict("records")
    flat = [right for questions in programs for right in questions]
    assert found["estimate"] == pytest.approx(np.mean(flat))
    assert 0 <= found["low"] <= found["estimate"] + 1e-12
    assert found["estimate"] - 1e-12 <= found["high"] <= 1
    assert found["high"] > found["low"], "no interval is of zero width"
    assert (found["questions"], found["programs"]) == (len(flat) * seeds, len(programs) * seeds)
    assert found["unparsed"] == pytest.approx(1 - np.mean(flat))


def test_the_order_of_rows_and_the_neighbours_do_not_matter() -> None:
    frame = synthetic_records(("proactive", "untuned"), programs=6)
    both = accuracy(frame.sample(frac=1, random_state=0), ["curriculum"])
    one = accuracy(frame[frame["curriculum"] == "proactive"], ["curriculum"])
    pd.testing.assert_frame_equal(both.head(1), one)


# --------------------------------------------------------------------------------------------- what they cover
@pytest.mark.parametrize("seeds", [3, 5])
def test_intervals_cover_and_nothing_is_found_falsely(seeds: int) -> None:
    """The simulation, short: 94 % less what a thousand runs may miss by; of ten thousand at most a few false finds."""
    rng = np.random.default_rng(seeds)

    for spread in (0.0, 0.06, 0.10):
        for rate, other in ((0.01, 0.01), (0.10, 0.10), (0.50, 0.10), (0.96, 0.10)):
            above, below = (simulation.draw(each, spread, 0.0, seeds, 1500, rng) for each in (rate, other))
            assert simulation.covered(rate, *simulation.shares_after(above)) >= 92.5
            assert simulation.covered(rate - other, *simulation.differences_after(above, below)[:2]) >= 92.5
    for rate in (0.10, 0.50):
        sides = [simulation.draw(rate, 0.06, 0.0, seeds, 10_000, rng) for _ in range(2)]
        _, _, p = simulation.differences_after(*sides)
        assert (p < 0.05).mean() < 0.06
        assert (p < simulation.THRESHOLD).mean() < 2 * simulation.THRESHOLD


@pytest.mark.parametrize("seeds", [1, 3])
def test_the_simulation_is_about_the_shipped_functions(seeds: int) -> None:
    rng = np.random.default_rng(0)
    counts = [simulation.draw(rate, 0.06, 0.4, seeds, 1, rng) for rate in (0.9, 0.5)]
    sides = []
    for side, name in zip(counts, "ab", strict=True):  # other programs, so that nothing is paired but seeds
        rows = [
            {"seed": seed, "program": f"{name}{seed} {right} {number}", "outcome": outcome}
            for seed in range(seeds)
            for right, programs in enumerate(side[0, seed])
            for number in range(programs)
            for outcome in ["correct"] * right + ["wrong"] * (simulation.QUESTIONS - right)
        ]
        sides.append(pd.DataFrame(rows))
        found, (low, high) = accuracy(sides[-1]).iloc[0], simulation.shares_after(side)
        assert (found["low"], found["high"]) == pytest.approx((low[0], high[0]))
    found, (low, high, p) = contrast(*sides), simulation.differences_after(*counts)
    if seeds > 1:  # with one seed, programs that have nothing in common are all of them trials
        assert (found.low, found.high, found.p) == pytest.approx((low[0], high[0], p[0]), rel=0.01)
    assert found.low < 0.4 < found.high


def test_several_seeds_widen_an_interval_where_they_disagree() -> None:
    rng = np.random.default_rng(2)
    disagree = answers(np.repeat([[0.3], [0.6], [0.9]], 40, axis=1), 10, rng, seeds=3)
    pooled = disagree.assign(program=disagree["seed"].astype(str) + disagree["program"], seed=0)
    wide, narrow = accuracy(disagree).iloc[0], accuracy(pooled).iloc[0]
    assert wide["high"] - wide["low"] > 4 * (narrow["high"] - narrow["low"])


def test_without_variation_the_interval_counts_programs() -> None:
    rng = np.random.default_rng(3)
    (perfect,) = accuracy(answers(np.ones(100), 10, rng)).to_dict("records")
    assert perfect["high"] == 1
    assert perfect["low"] == pytest.approx(0.9638, abs=2e-3), "100 programs, not 1,000 questions"
    (one,) = accuracy(answers(np.array([0.5]), 1000, rng)).to_dict("records")
    assert one["high"] - one["low"] > 0.9, "one program says next to nothing about programs"


@settings(deadline=None)
@given(st.integers(1, 200), st.floats(0, 1), st.sampled_from([0.8, 0.95, 0.99]))
def test_of_independent_answers_the_interval_is_clopper_and_pearsons(trials: int, share: float, level: float) -> None:
    successes = round(share * trials)
    ours = korn_graubard(successes / trials, 0.0, trials, trials, np.inf, level=level)
    assert ours == pytest.approx(tuple(binomtest(successes, trials).proportion_ci(level)), abs=1e-9)


# --------------------------------------------------------------------------------------------- contrasts
@pytest.fixture(scope="module")
def arms() -> dict[str, pd.DataFrame]:
    frame = synthetic_records(("proactive", "stage_1_only"), programs=20, checkpoints=(1.0,))
    frame = frame[(frame["answer_mode"] == "cot") & (frame["group"] == "w/o IO") & (frame["progress"] == 1)]
    return dict(list(frame.groupby("curriculum")))


def test_a_contrast_has_a_sign(arms: dict[str, pd.DataFrame]) -> None:
    forth = contrast(arms["proactive"], arms["stage_1_only"])
    back = contrast(arms["stage_1_only"], arms["proactive"])
    assert forth.low > 0.4
    assert forth.p < 0.01
    assert (back.estimate, back.low, back.high) == pytest.approx((-forth.estimate, -forth.high, -forth.low))
    assert back.p == pytest.approx(forth.p), "two-sided"
    same = contrast(arms["proactive"], arms["proactive"])
    assert (same.estimate, same.low, same.high, same.p) == (0, 0, 0, 1)
    turned = contrast(arms["proactive"], arms["stage_1_only"], arms["proactive"], arms["stage_1_only"])
    assert turned.estimate == pytest.approx(0)


def test_seeds_and_programs_are_paired_on_whatever_inputs() -> None:
    rng = np.random.default_rng(4)
    rates = rng.beta(0.4, 0.6, 60)
    a, b = answers(np.clip(rates + 0.1, 0, 1), 10, rng), answers(rates, 10, rng)
    paired = contrast(a[a["input"] != "1"], b[b["input"] != "9"])
    apart = contrast(a, b.assign(program=b["program"] + "other"))
    assert paired.high - paired.low < 0.7 * (apart.high - apart.low)
    # Seeds of very different rates, between which the two sides differ by the same everywhere.
    rates = np.repeat([[0.2], [0.4], [0.6]], 60, axis=1)
    found = contrast(answers(rates + 0.2, 10, rng, seeds=3), answers(rates, 10, rng, seeds=3))
    assert found.high - found.low < 0.35
    one = contrast(answers(rates + 0.2, 10, rng, seeds=3), answers(rates[:1], 10, rng))
    assert one.seeds == 1, "only seeds of both sides count"


def test_contrasts_without_variation_stay_honest() -> None:
    rng = np.random.default_rng(6)
    found = contrast(answers(np.ones(6), 5, rng), answers(np.zeros(6), 5, rng))
    assert found.estimate == 1
    assert 0 < found.low < 0.6
    assert contrast(answers(np.ones(6), 5, rng), answers(np.ones(6), 5, rng)).low < 0
    with pytest.raises(RecordsError, match="no rows"):
        contrast(answers(np.ones(3), 2, rng).head(0), answers(np.ones(3), 2, rng))


def test_the_least_effect_is_found_with_80_percent_power(arms: dict[str, pd.DataFrame]) -> None:
    found = contrast(arms["proactive"], arms["stage_1_only"])
    shift = found.least_effect(0.01) / found.error
    assert nct.sf(t.isf(0.005, 2), 2, shift) == pytest.approx(0.8)
    rng = np.random.default_rng(1)  # and by drawing it: of five normal values
    normal = rng.normal(0, 1, (20_000, 5))
    five = found.__class__(**{**found.__dict__, "error": 5**-0.5, "freedom": 4})
    drawn = normal + five.least_effect(0.05)
    p = 2 * t.sf(np.abs(drawn.mean(1)) / (drawn.std(1, ddof=1) / 5**0.5), 4)
    assert (p < 0.05).mean() == pytest.approx(0.8, abs=0.02)


# ---------------------------------------------------------------------------------------------- crossings
def doses(
    rates: dict[float, float], line: float, programs: int, rng: np.random.Generator, seeds: int = 1
) -> tuple[dict[float, pd.DataFrame], pd.DataFrame]:
    """A curve and a line whose programs are alike: each program's own ease moves all of its rates."""
    ease = rng.normal(0, 0.1, (seeds, programs))
    sides = {dose: answers(np.clip(rate + ease, 0, 1), 4, rng, seeds) for dose, rate in rates.items()}
    return sides, answers(np.clip(line + ease, 0, 1), 8, rng, seeds)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(0, 20), min_size=1, max_size=5), st.integers(0, 20))
def test_a_crossing_is_where_interpolation_says(rises: list[int], line: int) -> None:
    """Against np.interp, on a curve that rises everywhere; 40 questions of one program give exact shares."""
    curve = np.unique(np.minimum(np.cumsum(rises) + np.arange(len(rises)), 40))
    at = 2.0 ** np.arange(len(curve))

    def side(right: int) -> pd.DataFrame:
        outcome = np.where(np.arange(40) < right, "correct", "wrong")
        return pd.DataFrame({"seed": 0, "program": "p", "input": np.arange(40).astype(str), "outcome": outcome})

    found = crossing({dose: side(right) for dose, right in zip(at, curve, strict=True)}, side(line))
    if line < curve[0]:
        assert found.estimate == 0
    elif line > curve[-1]:
        assert found.estimate == np.inf
    else:
        assert np.log2(found.estimate) == pytest.approx(np.interp(line, curve, np.log2(at)))


def test_a_crossing_interval_covers() -> None:
    rng = np.random.default_rng(8)
    rates, truth = {1: 0.2, 2: 0.4, 4: 0.6, 8: 0.8}, 2**1.5
    found = [crossing(*doses(rates, 0.5, 40, rng)) for _ in range(20)]
    assert np.mean([one.low <= truth <= one.high for one in found]) >= 0.85
    widths = np.median([np.log(one.high / one.low) for one in found])
    assert 0.2 < widths < 1.4, "neither a point nor the whole range"


def test_a_crossing_outside_of_the_doses_is_said_to_be() -> None:
    rng = np.random.default_rng(9)
    above = crossing(*doses({1: 0.2, 9: 0.5}, 0.9, 40, rng))
    assert (above.estimate, above.high) == (np.inf, np.inf)
    assert str(above) == "more than 9"
    below = crossing(*doses({1: 0.6, 9: 0.9}, 0.2, 40, rng))
    assert (str(below), below.low) == ("<1 [<1, <1]", 0)
    assert str(Crossing(4.123, 2.345, np.inf, 1, 9, 40, 1)) == "4.1 [2.3, >9]"


def test_a_crossing_counts_shared_programs_only() -> None:
    rng = np.random.default_rng(10)
    curve, line = doses({1: 0.2, 4: 0.6, 9: 0.9}, 0.5, 20, rng, seeds=3)
    found = crossing(curve, line)
    assert (found.programs, found.seeds) == (60, 3)
    fewer = crossing({dose: side[side["program"] != "0"] for dose, side in curve.items()}, line)
    assert fewer == crossing(curve, line[line["program"] != "0"]), "a program missing on one side counts on none"
    with pytest.raises(RecordsError, match="no program was asked"):
        crossing(curve, line.assign(program=line["program"] + "other"))
    with pytest.raises(RecordsError, match="above 0"):
        crossing({0: line}, line)


# ---------------------------------------------------------------------------------------------- controls
def test_permuted_answers_know_nothing_of_the_input(arms: dict[str, pd.DataFrame]) -> None:
    rows = arms["proactive"]
    control = permuted_control(rows)
    assert len(control) == len(rows)
    assert accuracy(control)["estimate"][0] < 0.35 < 0.7 < accuracy(rows)["estimate"][0]
    assert (control["outcome"] == "unparsed").sum() == (rows["outcome"] == "unparsed").sum()
    with pytest.raises(RecordsError, match="no program was asked on two inputs"):
        permuted_control(rows.drop_duplicates(["seed", "program"]))
    with pytest.raises(RecordsError, match="two programs are called"):
        permuted_control(pd.concat([rows, rows.assign(expected="77")]))


def test_the_permuted_control_takes_all_other_inputs() -> None:
    expected, parsed = ["1", "1", "2", "3"], ["1", "2", "1", None]
    rows = pd.DataFrame({"seed": 0, "program": "p", "input": list("abcd"), "expected": expected, "parsed": parsed})
    control = permuted_control(rows.assign(outcome="wrong"))
    assert control["score"].tolist() == pytest.approx([1 / 3, 1 / 3, 2 / 3, 0])


def test_chance_is_the_better_guess() -> None:
    rows = [
        {"seed": 0, "program": f"p{p}", "input": str(i), "expected": str(i % 2 if p else 5)}
        for p in range(40)
        for i in range(4)
    ]
    frame = pd.DataFrame(rows)
    assert chance(frame) == pytest.approx(39 / 40), "the input gives the answer away, but for one program"
    assert chance(frame, enough=41) == pytest.approx(78 / 160), "inputs too rare: the commonest answer"


@pytest.mark.parametrize("told", ["recall", "in_context_direct"])
def test_what_can_be_copied_is_found_by_its_text(told: str) -> None:
    """`x + 356` for 0 is in the source, `x - 0` for 7 is the input; neither has to be run."""
    source = {"p": "def p(x):\n    return x + 356", "q": "def q(s, n):\n    return s"}
    known = synthetic_records(("in_context", "proactive"), seeds=1, programs=2, checkpoints=(1.0,))
    known = known[known["answer_mode"] == told].drop_duplicates("program").head(2)
    assert len(known) == 2
    known = known.assign(program=["p", "q"], prompt=[f"{source[name]}\nRun it." for name in "pq"])
    known = known.assign(expected=[source[name] if told == "recall" else "9" for name in "pq"])
    rows = pd.concat([known.iloc[:1]] * 3 + [known.iloc[1:]] * 2 + [known.iloc[1:].assign(program="r")])
    rows = rows.assign(
        input=["0", "1", "356", "'ab', 3", "'ab', 0", "1"], expected=["356", "357", "712", "'de'", "'ab'", "1"]
    )
    rows = rows.reset_index(drop=True)
    found = with_copies(rows, sources(known))
    assert found["copied"].tolist()[:5] == [True, False, False, False, True]
    assert pd.isna(found["copied"].iloc[5]), "of r no source is known"
    assert copying(rows, sources(known)) == pytest.approx(1 / 5)
    assert np.isnan(copying(rows.tail(1), sources(known)))


def test_traces_that_quote_the_source_are_told_from_steps_as_values() -> None:
    said = {"e1": "return (x + 4) % 10 = 7", "e2": "3 + 4 = 7\n7 % 10 = 7", "e3": "x = x + 4 = 7"}
    rows = pd.DataFrame({"experiment": list(said), "completion": list(said.values())})
    rows = rows.assign(curriculum="distillation_traces", answer_mode="cot")
    assert quoting_source(rows) == ["e1", "e3"]
    assert (
        quoting_source(rows.assign(curriculum="proactive")) == quoting_source(rows.assign(answer_mode="direct")) == []
    )
