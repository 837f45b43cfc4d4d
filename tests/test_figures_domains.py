"""F07, F11 and F13: ciphers by shift, composites beside their parts, grammars against random strings; and that arm."""

from __future__ import annotations

import ast
import itertools
from pathlib import Path

import numpy as np
import pytest
from synthetic_records import BY_SHIFT, KINDS, VALID, cipher_records, composition_records, grammar_records

from pbb.analysis.statistics import accuracy
from pbb.arms import ARMS
from pbb.experiments.curricula import curriculum
from pbb.experiments.experiment import Experiment
from pbb.experiments.questions import answer_at_random, questions
from pbb.experiments.studies import study
from pbb.figures import FIGURES
from pbb.figures.f11_composition import KINDS as DRAWN_KINDS
from pbb.programs.ciphers import Ciphers, shift_weights
from pbb.programs.composition import KINDS as COMPOSITES
from pbb.programs.domains import accepts
from pbb.programs.grammars import Grammars
from pbb.runs.keys import stage_keys
from pbb.runs.run import described

WHOLE_AND_PARTS = ("w/o IO", "w/o IO parts")
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


def test_the_study_of_f07_asks_all_arms_about_the_same_ciphers() -> None:
    made = {e.arm: e for e in study("F07", "cpu", full=True)}
    assert set(made) == {*BY_SHIFT, "in_context"}
    drawn = {(e.programs.distilled_distribution, e.programs.distribution) for e in made.values()}
    assert drawn == {("natural", "uniform")}
    assert all(e.ask.questions >= e.programs.alphabet for e in made.values())


# ------------------------------------------------------------------------------------------------- F11
def test_composites_stand_by_kind_beside_their_parts_and_the_recall_of_these() -> None:
    records = composition_records(2)
    drawn = f11_composition.table(records)
    found = drawn.set_index(["domain", "arm", "answer_mode", "what"])["estimate"]
    rows = records[(records["progress"] == 1) & (records["curriculum"] == "proactive")]
    for kind, mode in itertools.product(KINDS, ("cot", "direct")):
        mine = rows[(rows["domain"] == kind) & (rows["answer_mode"] == mode)]
        whole, parts = (mine["outcome"].eq("correct")[mine["group"] == group].mean() for group in WHOLE_AND_PARTS)
        assert found[kind, "proactive", mode, "composite"] == pytest.approx(whole)
        assert found[kind, "proactive", mode, "parts"] == pytest.approx(parts)
        assert found[kind, "in_context", mode, "composite"] == 1
        assert found[kind, "stage_1_only", mode, "composite"] < 0.4 < found[kind, "proactive", mode, "composite"]
    assert len(drawn[drawn["arm"] == "chance"]) == 4

    recited = {kind: found[kind, "proactive", "recall", "both parts recited"] for kind in KINDS}
    assert recited == {"composition": 0, "composition with a builtin": 0.5}, "each is composed with the next one"
    assert found["composition", "stage_1_only", "recall", "both parts recited"] == 0
    every = records.assign(outcome=records["outcome"].where(records["answer_mode"] != "recall", "correct"))
    assert f11_composition.table(every).query("what == 'both parts recited'")["estimate"].eq(1).all()

    unasked = records[(records["answer_mode"] != "recall") | (records["domain"] != "composition")]
    assert set(f11_composition.table(unasked).query("answer_mode == 'recall'")["domain"]) == {KINDS[1]}


def test_composites_are_known_by_the_names_that_records_give_them() -> None:
    assert set(DRAWN_KINDS) == set(COMPOSITES.values())
    made = study("F11", "cpu", full=True)
    assert {(e.arm, described(e)["domain"]) for e in made} == {
        (arm, kind)
        for arm in ("proactive", "stage_1_only", "in_context")
        for kind in COMPOSITES.values()
        if kind != "composition of shown parts"
    }
    assert len({stage_keys(e)[0] for e in made if e.arm != "in_context"}) == 2, "only builtins need a Stage 1 of theirs"


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
