"""Intervals that cover, contrasts with a sign, and controls that know nothing."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.proportion import proportion_confint
from synthetic_records import synthetic_records

from pbb.analysis.statistics import (
    Crossing,
    _weights,
    accuracy,
    chance,
    clopper_pearson,
    contrast,
    crossing,
    permuted_control,
)
from pbb.records import RecordsError


def answers(rates: np.ndarray, questions: int, rng: np.random.Generator, seeds: int = 1) -> pd.DataFrame:
    """`questions` answers to each program; rates: (programs,) or (seeds, programs)."""
    rates = np.broadcast_to(rates, (seeds, rates.shape[-1]))
    seed, program, question = np.meshgrid(*map(range, (*rates.shape, questions)), indexing="ij")
    correct = rng.random(seed.shape) < rates[:, :, None]
    return pd.DataFrame(
        {
            "seed": seed.ravel(),
            "program": program.ravel().astype(str),
            "input": question.ravel().astype(str),
            "outcome": np.where(correct.ravel(), "correct", "wrong"),
        }
    )


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.booleans(), min_size=1, max_size=6), min_size=1, max_size=8), st.integers(1, 3))
def test_the_estimate_is_the_mean_and_lies_in_its_interval(programs: list[list[bool]], seeds: int) -> None:
    rows = [
        {"seed": seed, "program": f"p{p}", "input": str(i), "outcome": "correct" if right else "unparsed"}
        for seed in range(seeds)
        for p, questions in enumerate(programs)
        for i, right in enumerate(questions)
    ]
    (found,) = accuracy(pd.DataFrame(rows), resamples=200).to_dict("records")
    flat = [right for questions in programs for right in questions]
    assert found["estimate"] == pytest.approx(np.mean(flat))
    assert 0 <= found["low"] <= found["estimate"] <= found["high"] <= 1
    assert found["high"] > found["low"], "no interval is of zero width"
    assert (found["questions"], found["programs"]) == (len(flat) * seeds, len(programs) * seeds)
    assert found["unparsed"] == pytest.approx(1 - np.mean(flat))


def test_the_order_of_rows_and_the_neighbours_do_not_matter() -> None:
    frame = synthetic_records(("proactive", "untuned"), programs=6)
    both = accuracy(frame.sample(frac=1, random_state=0), ["curriculum"])
    one = accuracy(frame[frame["curriculum"] == "proactive"], ["curriculum"])
    pd.testing.assert_frame_equal(both.head(1), one)


def test_an_interval_over_programs_covers() -> None:
    """Questions within a program are strongly alike; counting them as independent would cover about half."""
    rng = np.random.default_rng(0)
    hits, naive = 0, 0
    for _ in range(200):
        frame = answers(rng.beta(0.6, 0.4, 40), 10, rng)
        (found,) = accuracy(frame, resamples=400).to_dict("records")
        hits += found["low"] <= 0.6 <= found["high"]
        low, high = proportion_confint(round(found["estimate"] * 400), 400)
        naive += low <= 0.6 <= high
    assert 0.88 <= hits / 200 <= 0.99
    assert naive / 200 < 0.75


@pytest.mark.parametrize(("seeds", "spread"), [(3, 0.0), (3, 0.04), (5, 0.06)])
def test_an_interval_over_seeds_and_programs_covers(seeds: int, spread: float) -> None:
    """Seeds move the accuracy by some points each; three are few, and must not be taken for all there are."""
    rng = np.random.default_rng(1)
    hits = 0
    for _ in range(200):
        rates = 0.6 + rng.normal(0, spread, (seeds, 1)) + rng.normal(0, 0.15, (seeds, 60))
        (found,) = accuracy(answers(np.clip(rates, 0, 1), 8, rng, seeds), resamples=400).to_dict("records")
        hits += found["low"] <= 0.6 <= found["high"]
    assert hits / 200 >= 0.88
    assert spread == 0 or hits / 200 <= 0.99


def test_several_seeds_widen_an_interval_where_they_disagree() -> None:
    rng = np.random.default_rng(2)
    disagree = answers(np.repeat([[0.3], [0.6], [0.9]], 40, axis=1), 10, rng, seeds=3)
    pooled = disagree.assign(program=disagree["seed"].astype(str) + disagree["program"], seed=0)
    wide, narrow = accuracy(disagree).iloc[0], accuracy(pooled).iloc[0]
    assert wide["high"] - wide["low"] > 2 * (narrow["high"] - narrow["low"])


@pytest.mark.parametrize("sizes", [(7,), (3, 4), (5, 1, 9)])
def test_every_resample_draws_whole_seeds(sizes: tuple[int, ...]) -> None:
    weights = _weights(sizes, 50, 0)
    parts = np.split(weights, np.cumsum(sizes)[:-1], axis=1)
    drawn = np.stack([part.sum(axis=1) / size for part, size in zip(parts, sizes, strict=True)])
    assert (drawn == drawn.round()).all()
    assert (drawn.sum(axis=0) == len(sizes)).all()


def test_without_variation_the_interval_counts_programs() -> None:
    rng = np.random.default_rng(3)
    (perfect,) = accuracy(answers(np.ones(100), 10, rng)).to_dict("records")
    assert perfect["high"] == 1
    assert perfect["low"] == pytest.approx(0.9638, abs=1e-4), "100 programs, not 1,000 questions"
    (one,) = accuracy(answers(np.array([0.5]), 1000, rng)).to_dict("records")
    assert one["high"] - one["low"] > 0.9, "one program says next to nothing about programs"


@given(st.integers(1, 200), st.floats(0, 1), st.sampled_from([0.8, 0.95, 0.99]))
def test_clopper_pearson_agrees_with_statsmodels(trials: int, share: float, level: float) -> None:
    successes = round(share * trials)
    theirs = proportion_confint(successes, trials, alpha=1 - level, method="beta")
    assert clopper_pearson(successes, trials, level) == pytest.approx(np.nan_to_num(theirs), abs=1e-9)


# --------------------------------------------------------------------------------------------- contrasts
@pytest.fixture(scope="module")
def arms() -> dict[str, pd.DataFrame]:
    frame = synthetic_records(("proactive", "stage_1_only"), programs=20, checkpoints=(1.0,))
    frame = frame[(frame["answer_mode"] == "cot") & (frame["group"] == "w/o IO") & (frame["progress"] == 1)]
    return dict(list(frame.groupby("curriculum")))


def test_a_planted_reversal_changes_the_sign(arms: dict[str, pd.DataFrame]) -> None:
    forth = contrast(arms["proactive"], arms["stage_1_only"])
    back = contrast(arms["stage_1_only"], arms["proactive"])
    assert forth.paired
    assert forth.low > 0.4
    assert forth.p < 0.001
    assert (back.estimate, back.high) == (-forth.estimate, pytest.approx(-forth.low, abs=0.02))
    assert back.p > 0.99
    reversed_ = synthetic_records(
        ("proactive", "stage_1_only"), programs=20, planted={"proactive": (0.15, 0.1), "stage_1_only": (0.9, 0.3)}
    )
    reversed_ = reversed_[(reversed_["answer_mode"] == "cot") & (reversed_["progress"] == 1)]
    sides = dict(list(reversed_[reversed_["group"] == "w/o IO"].groupby("curriculum")))
    assert contrast(sides["proactive"], sides["stage_1_only"]).high < 0


def test_an_arm_does_not_differ_from_itself(arms: dict[str, pd.DataFrame]) -> None:
    same = contrast(arms["proactive"], arms["proactive"])
    assert (same.estimate, same.low, same.high, same.p) == (0, 0, 0, 1)


def test_pairing_keeps_shared_questions_and_narrows() -> None:
    rng = np.random.default_rng(4)
    rates = rng.beta(0.4, 0.6, 60)
    a, b = answers(np.clip(rates + 0.1, 0, 1), 10, rng), answers(rates, 10, rng)
    paired = contrast(a, b[b["input"] != "9"])
    assert (paired.paired, paired.questions) == (True, 60 * 9)
    apart = contrast(a, b.assign(program=b["program"] + "other"))
    assert not apart.paired
    assert paired.high - paired.low < 0.7 * (apart.high - apart.low)


def test_contrast_intervals_cover() -> None:
    rng = np.random.default_rng(5)
    hits = 0
    for _ in range(200):
        rates = rng.beta(2, 2, 40) * 0.8
        found = contrast(answers(rates + 0.2, 8, rng), answers(rates, 8, rng), resamples=400)
        hits += found.low <= 0.2 <= found.high
    assert 0.88 <= hits / 200 <= 0.99


def test_contrasts_without_variation_stay_honest() -> None:
    rng = np.random.default_rng(6)
    found = contrast(answers(np.ones(6), 5, rng), answers(np.zeros(6), 5, rng))
    assert found.estimate == 1
    assert 0 < found.low < 0.6
    assert found.p == 0.5**6
    assert contrast(answers(np.ones(6), 5, rng), answers(np.ones(6), 5, rng)).low < 0
    with pytest.raises(RecordsError, match="no rows"):
        contrast(answers(np.ones(3), 2, rng).head(0), answers(np.ones(3), 2, rng))


# ---------------------------------------------------------------------------------------------- crossings
def doses(
    rates: dict[float, float], line: float, programs: int, rng: np.random.Generator, seeds: int = 1
) -> tuple[dict[float, pd.DataFrame], pd.DataFrame]:
    """A curve and a line whose programs are alike: each program's own ease moves all of its rates."""
    ease = rng.normal(0, 0.1, (seeds, programs))

    def side(rate: float, questions: int) -> pd.DataFrame:
        return answers(np.clip(rate + ease, 0, 1), questions, rng, seeds)

    return {dose: side(rate, 4) for dose, rate in rates.items()}, side(line, 8)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 20), min_size=1, max_size=5), st.integers(0, 20))
def test_a_crossing_is_where_interpolation_says(rises: list[int], line: int) -> None:
    """Against np.interp, on a curve that rises everywhere; 40 questions of one program give exact shares."""
    curve = np.minimum(np.cumsum(rises) + np.arange(len(rises)), 40)
    curve = np.unique(curve)
    at = 2.0 ** np.arange(len(curve))

    def side(right: int) -> pd.DataFrame:
        outcome = np.where(np.arange(40) < right, "correct", "wrong")
        return pd.DataFrame({"seed": 0, "program": "p", "input": np.arange(40).astype(str), "outcome": outcome})

    found = crossing({dose: side(right) for dose, right in zip(at, curve, strict=True)}, side(line), resamples=50)
    if line < curve[0]:
        assert found.estimate == 0
    elif line > curve[-1]:
        assert found.estimate == np.inf
    else:
        assert np.log2(found.estimate) == pytest.approx(np.interp(line, curve, np.log2(at)))
    assert found.censored[0] == (not curve[0] <= line <= curve[-1])


def test_a_crossing_interval_covers() -> None:
    rng = np.random.default_rng(8)
    rates, truth = {1: 0.2, 2: 0.4, 4: 0.6, 8: 0.8}, 2**1.5
    hits, widths = 0, []
    for _ in range(60):
        curve, line = doses(rates, 0.5, 40, rng)
        found = crossing(curve, line, resamples=200)
        hits += found.low <= truth <= found.high
        widths.append(np.log(found.high / found.low))
    assert hits / 60 >= 0.87
    assert 0.2 < np.median(widths) < 1.2, "neither a point nor the whole range"


def test_a_crossing_outside_of_the_doses_is_said_to_be() -> None:
    rng = np.random.default_rng(9)
    above = crossing(*doses({1: 0.2, 9: 0.5}, 0.9, 40, rng))
    assert (above.estimate, above.high, above.censored) == (np.inf, np.inf, (True, True, True))
    assert str(above) == ">9 [>9, >9]"
    below = crossing(*doses({1: 0.6, 9: 0.9}, 0.2, 40, rng))
    assert (str(below), below.low) == ("<1 [<1, <1]", 0)
    partly = crossing(*doses({1: 0.2, 9: 0.8}, 0.77, 40, rng))
    assert partly.censored == (False, False, True)
    assert str(partly).endswith(", >9]")
    assert str(Crossing(4.123, 2.345, np.inf, 1, 9, 40, 1)) == "4.1 [2.3, >9]"


def test_a_crossing_resamples_seeds_and_shared_programs_only() -> None:
    rng = np.random.default_rng(10)
    curve, line = doses({1: 0.2, 4: 0.6, 9: 0.9}, 0.5, 20, rng, seeds=3)
    found = crossing(curve, line)
    assert (found.programs, found.seeds) == (60, 3)
    fewer = crossing({dose: side[side["program"] != "0"] for dose, side in curve.items()}, line)
    assert fewer.programs == 57
    assert fewer == crossing(curve, line[line["program"] != "0"]), "a program missing on one side counts on none"
    with pytest.raises(RecordsError, match="no program was asked"):
        crossing(curve, line.assign(program=line["program"] + "other"))
    with pytest.raises(RecordsError, match="above 0"):
        crossing({0: line}, line)


def test_a_crossing_of_sides_without_variation_has_an_interval() -> None:
    rng = np.random.default_rng(11)
    sure = {1: answers(np.zeros(20), 4, rng), 9: answers(np.ones(20), 4, rng)}
    found = crossing(sure, answers(np.full(20, 1.0), 4, rng))
    assert found.estimate == 9
    assert found.low < 9 < found.high, "twenty programs without a fault are no certainty"


# ---------------------------------------------------------------------------------------------- controls
def test_permuted_answers_know_nothing_of_the_input(arms: dict[str, pd.DataFrame]) -> None:
    rows = arms["proactive"]
    control = permuted_control(rows, seed=3)
    assert list(control.columns) == list(rows.columns)
    assert len(control) == len(rows)
    assert accuracy(control)["estimate"][0] < 0.35 < 0.7 < accuracy(rows)["estimate"][0]
    assert (control["outcome"] == "unparsed").sum() == (rows["outcome"] == "unparsed").sum()
    pd.testing.assert_frame_equal(control, permuted_control(rows.sample(frac=1, random_state=0), seed=3)
                                  .set_index(["seed", "program", "input"]).loc[
                                      list(control[["seed", "program", "input"]].itertuples(index=False))
                                  ].reset_index()[list(rows.columns)])  # fmt: skip
    assert not control.equals(permuted_control(rows, seed=4))


@settings(max_examples=50, deadline=None)
@given(st.integers(2, 9), st.integers(1, 5), st.integers(0, 99))
def test_the_permutation_leaves_no_input_in_place(inputs: int, programs: int, seed: int) -> None:
    rows = [
        {"seed": 0, "program": f"p{p}", "input": str(i), "expected": f"p{p} {i}", "parsed": f"p{p} {i}"}
        for p in range(programs)
        for i in range(inputs)
    ]
    frame = pd.DataFrame(rows).assign(outcome="correct")
    control = permuted_control(frame, seed)
    assert (control["outcome"] == "wrong").all()
    assert sorted(control["expected"]) == sorted(frame["expected"]), "each answer is used once"
    assert (control["expected"].str.split().str[0] == control["program"]).all(), "within one program"


def test_permutation_refuses_what_it_cannot_do(arms: dict[str, pd.DataFrame]) -> None:
    rows = arms["proactive"]
    with pytest.raises(RecordsError, match="no program was asked on two inputs"):
        permuted_control(rows.drop_duplicates(["seed", "program"]))
    with pytest.raises(RecordsError, match="two programs are called"):
        permuted_control(pd.concat([rows, rows.assign(expected="77")]))


def test_chance_is_the_better_guess() -> None:
    rows = [
        {"seed": 0, "program": f"p{p}", "input": str(i), "expected": str(i % 2 if p else 5)}
        for p in range(40)
        for i in range(4)
    ]
    frame = pd.DataFrame(rows)
    assert chance(frame) == pytest.approx(39 / 40), "the input gives the answer away, but for one program"
    assert chance(frame, enough=41) == pytest.approx(78 / 160), "inputs too rare: the commonest answer"


def test_a_hundred_thousand_rows_are_quick() -> None:
    rng = np.random.default_rng(7)
    frame = pd.concat([answers(rng.random(100), 10, rng, seeds=3).assign(arm=str(a)) for a in range(34)])
    accuracy(frame.head(100), ["arm"])
    began = time.process_time()
    accuracy(frame, ["arm"])
    assert time.process_time() - began < 1.5  # 0.2 s on an idle core; other work may share it
