"""F07, F11 and F13: ciphers by shift, composites beside their parts, grammars against random strings; and that arm."""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from synthetic_records import BY_SHIFT, TOGETHER, VALID, cipher_records, composition_records, grammar_records

from pbb.analysis.statistics import accuracy
from pbb.arms import ARMS
from pbb.experiments.curricula import curriculum
from pbb.experiments.experiment import Experiment
from pbb.experiments.questions import answer_at_random, questions
from pbb.experiments.studies import study
from pbb.figures import FIGURES
from pbb.programs.ciphers import Ciphers, shift_weights
from pbb.programs.domains import accepts
from pbb.programs.grammars import Grammars
from pbb.records import validate

f07_ciphers, f11_composition, f13_grammars = (FIGURES[name] for name in ("F07", "F11", "F13"))


# ------------------------------------------------------------------------------------------------- F07
def test_ciphers_are_counted_by_the_shift_in_their_input() -> None:
    records = cipher_records()
    drawn = f07_ciphers.table(records)
    each = drawn[(drawn["shifts"] == "each") & (drawn["arm"] == "distillation") & (drawn["answer_mode"] == "direct")]
    assert each["x"].tolist() == list(range(10))
    nine = records[records["input"].str.endswith(", 9") & (records["curriculum"] == "distillation")]
    nine = nine[(nine["answer_mode"] == "direct") & (nine["progress"] == 1)]
    assert each["estimate"].iloc[9] == (nine["outcome"] == "correct").mean()
    assert (each["questions"] == 20).all()

    summed = drawn[drawn["shifts"].isin(["common", "rare"])].set_index(["arm", "answer_mode", "shifts"])["estimate"]
    for arm, planted in BY_SHIFT.items():
        for mode in ARMS[arm].asked or ("cot", "direct"):
            assert summed[arm, mode].to_dict() == pytest.approx(
                dict(zip(("common", "rare"), planted, strict=True)), abs=0.12
            )
    head = f07_ciphers.headline(records).set_index("name")["estimate"]
    name = "Algorithm distillation, Direct, rare shifts; Ciphers, tiny-m"
    assert head[name] == summed["distillation", "direct", "rare"]


@pytest.mark.parametrize(("alphabet", "common"), [(10, [1, 3, 5]), (26, [1, 3, 13])])
def test_the_demonstrated_shares_are_the_documented_ones(alphabet: int, common: list[int]) -> None:
    records = cipher_records(programs=3)
    last = records["input"].str.replace(", 9", f", {alphabet - 1}")
    drawn = f07_ciphers.table(records.assign(input=last))
    shares = drawn[drawn["arm"] == "demonstrated"].sort_values("x")["estimate"]
    assert shares.tolist() == shift_weights(Ciphers(alphabet=alphabet), "natural")
    assert [place for place, share in enumerate(shares) if share > 0.1] == common
    assert shares.sum() == pytest.approx(1)


def test_a_planted_reversal_reverses_f07() -> None:
    def gap(by_shift: dict[str, tuple[float, float]]) -> float:
        head = f07_ciphers.headline(cipher_records(by_shift=BY_SHIFT | by_shift)).set_index("name")["estimate"]
        rare = head.filter(like="Direct, rare shifts")
        return float(rare.filter(like="Proactive").iloc[0] - rare.filter(like="Algorithm").iloc[0])

    assert gap({}) > 0.4
    assert gap({"proactive": (0.2, 0.2), "distillation": (0.8, 0.8)}) < -0.4


def test_the_study_of_f07_asks_all_arms_about_the_same_ciphers() -> None:
    made = {e.arm: e for e in study("F07", "cpu")}
    assert set(made) == set(BY_SHIFT)
    drawn = {(e.programs.distilled_distribution, e.programs.distribution) for e in made.values()}
    assert drawn == {("natural", "uniform")}
    assert all(e.ask.questions >= e.programs.alphabet for e in made.values())


# ------------------------------------------------------------------------------------------------- F11
def of(drawn: pd.DataFrame, what: str, mode: str = "cot", arm: str = "proactive") -> pd.DataFrame:
    return drawn[(drawn["what"] == what) & (drawn["answer_mode"] == mode) & (drawn["arm"] == arm)]


def test_the_product_is_what_independent_parts_would_give() -> None:
    records = composition_records(2)
    cot = f11_composition.select(records).query("answer_mode == 'cot' and curriculum == 'proactive'")
    alone = cot[cot["group"] == "w/o IO parts"]
    shares = (alone["outcome"] == "correct").groupby([alone["seed"], alone["program"]]).mean()
    products = []
    for row in cot[cot["group"] == "w/o IO"].drop_duplicates(["seed", "program"]).itertuples():
        outer, inner = row.prompt.removeprefix("Consider the function ").split("(")[:2]
        products.append(shares[row.seed, outer] * shares[row.seed, inner])
    (point,) = of(f11_composition.table(records), "product of parts").to_dict("records")
    assert point["estimate"] == pytest.approx(np.mean(products))
    assert point["low"] < point["estimate"] < point["high"]
    assert (point["programs"], point["seeds"]) == (len(products), 2)


def test_composites_are_told_apart_by_what_their_parts_do_alone() -> None:
    records = composition_records()
    drawn = f11_composition.table(records)
    rows = of(drawn, "composite, by parts right alone").set_index("x")
    assert list(rows.index) == [0, 1, 2]
    assert rows["questions"].sum() == of(drawn, "composite")["questions"].sum() == 140
    assert rows["estimate"][2] == pytest.approx(TOGETHER, abs=0.12)
    assert max(rows["estimate"][:2]) < 0.35
    said = f"CoT: all parts were right alone for {rows['questions'][2]:.0f} of 140 questions."
    assert said in f11_composition.caption(records)

    control = of(drawn, "composite, by parts right alone", arm="stage_1_only")
    assert control["questions"].sum() == 140


def test_three_parts_and_a_shift_that_is_handed_to_those_that_take_it() -> None:
    row = composition_records(1, 3).iloc[0].to_dict() | {"progress": 1.0, "answer_mode": "cot"}

    def asked(group: str, program: str, text: str, expected: str, outcome: str, call: str = "") -> dict:
        parsed = expected if outcome == "correct" else "'?'"
        told = {"group": group, "program": program, "input": text, "expected": expected, "outcome": outcome}
        return row | told | {"prompt": f"{call or program}: run it for {text}.", "parsed": parsed}

    parts = [
        asked("w/o IO parts", "Aone", "'ab', 3", "'de'", "correct"),
        asked("w/o IO parts", "Btwo", "'de'", "2", "wrong"),
        asked("w/o IO parts", "Cthree", "2", "7", "correct"),
    ]
    call = "Cthree(Btwo(Aone(text, shift)))"
    whole = [
        asked("w/o IO", "Whole", "'ab', 3", "7", "correct", call),
        asked("w/o IO", "Whole", "'zz', 3", "1", "correct", call),  # of no part is known what it says to this
        asked("w/o IO", "Named", "'ab', 3", "7", "correct"),  # asked by its own name
    ]
    drawn = f11_composition.table(validate(pd.DataFrame(parts + whole)))
    (point,) = of(drawn, "composite, by parts right alone").to_dict("records")
    assert (point["x"], point["questions"], point["estimate"]) == (2, 1, 1.0)
    (product,) = of(drawn, "product of parts").to_dict("records")
    assert (product["estimate"], product["programs"]) == (0.0, 1)
    assert of(drawn, "composite")["questions"].tolist() == [3]


# ------------------------------------------------------------------------------------------------- F13
def test_each_grammar_stands_beside_the_mean_of_all() -> None:
    records = grammar_records(3)
    drawn = f13_grammars.table(records)
    together, each = drawn[drawn["program"].isna()], drawn[drawn["program"].notna()]
    found = together.set_index(["arm", "answer_mode"])["estimate"]
    for arm, share in VALID.items():
        assert found[arm, "direct"] == pytest.approx(share, abs=0.05)
    assert ("random_generation", "cot") not in found.index
    one = each[(each["arm"] == "proactive") & (each["answer_mode"] == "direct")]
    assert len(one) == 60
    assert one["estimate"].mean() == pytest.approx(found["proactive", "direct"])
    assert one["low"].isna().all()
    assert together[["low", "high"]].notna().all(axis=None)

    random_ones = each[each["arm"] == "random_generation"].set_index(["seed", "program"])["estimate"]
    ours = one.set_index(["seed", "program"])["estimate"]
    more, fewer = (ours > random_ones).sum(), (ours < random_ones).sum()
    assert f"beat it in {more} of 60 grammars, and fall behind in {fewer}" in f13_grammars.caption(records)


def test_a_planted_reversal_reverses_f13() -> None:
    def gap(**valid: float) -> float:
        head = f13_grammars.headline(grammar_records(valid=VALID | valid)).set_index("name")["estimate"]
        return float(head.filter(like="Proactive-PBB, Direct").iloc[0] - head.filter(like="Random").iloc[0])

    assert gap() > 0.4
    assert gap(proactive=0.1, random_generation=0.8) < -0.4


# ---------------------------------------------------------------------------------- answers without a model
RANDOM = Experiment.of(
    "smoke", programs=Grammars(longest=6), arm="random_generation", questions=6, without_io_programs=20
)


def test_random_generation_trains_nothing_and_has_a_key_of_its_own() -> None:
    from pbb.runs.run import points

    assert curriculum(RANDOM) == []
    (point,) = points(RANDOM)
    assert point.task.asked == ("direct",)
    assert point.task.needs == []
    (untuned,) = points(RANDOM.changed(arm="untuned", asked=("direct",)))
    assert point.task.key != untuned.task.key
    (other,) = points(RANDOM.changed(model="tiny-m"))
    assert point.task.key == other.task.key, "no model answers"
    (seeded,) = points(RANDOM.changed(seed=1))
    assert point.task.key != seeded.task.key


def test_random_strings_are_scored_as_a_models_are(run_store: Path) -> None:
    from pbb.runs import run
    from pbb.runs.run import points

    asked = {(q.group, q.program.name, q.input): q for q in questions(RANDOM, ("direct",))}
    points(RANDOM)[0].task.run()
    records = run.run(RANDOM, preset="smoke", say=lambda text: None)  # nothing is missing
    assert set(records["answer_mode"]) == {"direct"}
    assert len(records) == len(asked)
    assert records["outcome"].isin(["correct", "wrong"]).all(), "each can be parsed"
    lengths = set()
    for row in records.itertuples():
        question = asked[row.group, row.program, row.input]
        begins, letters = ast.literal_eval(row.input).split(), ast.literal_eval(row.completion).split()
        assert letters[: len(begins)] == begins
        assert len(begins) < len(letters) <= 6
        assert (row.outcome == "correct") == accepts(question.program, row.input, row.parsed)
        lengths.add(len(letters))
    assert lengths == set(range(1, 7))
    again = answer_at_random(RANDOM)
    assert sorted(row["completion"] for row in again) == sorted(records["completion"])
    here = [row["completion"] for row in again]
    assert here != [row["completion"] for row in answer_at_random(RANDOM.changed(seed=1))]
    share = accuracy(records[records["group"] == "w/o IO"])["estimate"].iloc[0]
    assert 0 < share < 0.3


def test_random_answers_of_other_domains_are_right_answers_to_other_questions() -> None:
    experiment = Experiment.of("smoke", arm="random_generation", questions=10)
    rows = answer_at_random(experiment)
    assert {row["parsed"] for row in rows} <= {row["expected"] for row in rows}
    right = np.mean([row["outcome"] == "correct" for row in rows])
    assert right < 0.4
    assert len({row["parsed"] for row in rows}) > 3
