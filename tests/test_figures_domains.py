"""F07, F11 and F13: ciphers by shift, composites beside their parts, grammars against random strings; and that arm."""

from __future__ import annotations

import ast
import random
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from synthetic_records import synthetic_records

from pbb.analysis.statistics import accuracy
from pbb.arms import ARMS
from pbb.experiments.curricula import curriculum
from pbb.experiments.experiment import Experiment
from pbb.experiments.studies import study
from pbb.figures import FIGURES, style
from pbb.figures.io import save_figure
from pbb.programs.ciphers import Ciphers, shift_weights
from pbb.programs.domains import accepts
from pbb.programs.grammars import Grammars
from pbb.records import RecordsError, load_records, validate

COMMON, RARE = ["1", "3", "5"], ["0", "2", "4", "6", "7", "8", "9"]  # shifts, in an alphabet of ten letters
BY_SHIFT = {
    "proactive": (0.8, 0.8),
    "distillation": (0.9, 0.2),
    "pbb_and_distillation": (0.95, 0.85),
    "stage_1_only": (0.1, 0.1),
}
VALID = {"random_generation": 0.1, "stage_1_only": 0.2, "proactive": 0.7, "in_context": 0.95}
TOGETHER, ALONE = 0.85, 0.1  # accuracy of composites whose parts are both right alone, and of others


def answers(arm: str, share: float, name: str, seeds: int, programs: int) -> pd.DataFrame:
    """CoT and direct answers on w/o IO programs at the end of `arm`, `share` of them right; `name` tells runs apart."""
    rows = synthetic_records(
        (arm,), seeds=seeds, programs=programs, planted={arm: (share, share)}, checkpoints=(1.0,), chance=share
    )
    rows = rows[(rows["group"] == "w/o IO") & ~rows["answer_mode"].isin(["recall", "recite"])]
    return rows.assign(experiment=rows["experiment"].str[:6] + f"{hash_of(name):06}")


def hash_of(name: str) -> int:
    return sum(ord(letter) * 31**place for place, letter in enumerate(name)) % 10**6


def cipher_records(seeds: int = 1, programs: int = 20, by_shift: dict[str, tuple[float, float]] = BY_SHIFT):
    made = []
    for arm, shares in by_shift.items():
        like = "stage_1_only" if arm in ("distillation", "stage_1_only") else "proactive"
        for share, shifts in zip(shares, (COMMON, RARE), strict=True):
            rows = answers(like, share, arm, seeds, programs)
            made.append(rows[rows["input"].isin(shifts)].assign(curriculum=arm))
    rows = pd.concat(made, ignore_index=True)
    group = np.where(rows["curriculum"].map(lambda arm: ARMS[arm].measured == "AD"), "AD", "w/o IO")
    return validate(rows.assign(domain="ciphers", input="'AB', " + rows["input"], group=group))


def grammar_records(seeds: int = 1, programs: int = 20, valid: dict[str, float] = VALID) -> pd.DataFrame:
    made = []
    for arm, share in valid.items():
        like = "untuned" if arm == "random_generation" else arm
        rows = answers(like, share, arm, seeds, programs).assign(curriculum=arm)
        made.append(rows[(arm != "random_generation") | (rows["answer_mode"] == "direct")])
    return validate(pd.concat(made, ignore_index=True).assign(domain="grammars"))


def composition_records(seeds: int = 1, programs: int = 14, together: float = TOGETHER) -> pd.DataFrame:
    """Parts, and composites of each with the next one; they succeed mostly where both parts do."""
    made = []
    for arm, share in (("proactive", 0.75), ("stage_1_only", 0.15)):
        parts = answers(arm, share, arm, seeds, programs).assign(group="w/o IO parts", domain="composition")
        made += [parts, pd.DataFrame(composites(parts, together))]
    return validate(pd.concat(made, ignore_index=True))


def composites(parts: pd.DataFrame, together: float) -> list[dict]:
    rng, made = random.Random("composites"), []
    for _, rows in parts[parts["progress"] == 1].groupby(["seed", "answer_mode"]):
        by_input = {(row["program"], row["input"]): row for row in rows.to_dict("records")}
        names = sorted({name for name, _ in by_input})
        for (name, text), inner in by_input.items():
            outer = by_input[names[names.index(name) - 1], inner["expected"]]
            both = inner["outcome"] == outer["outcome"] == "correct"
            right = rng.random() < (together if both else ALONE)
            said = outer["expected"] if right else str((int(outer["expected"]) + 1) % 10)
            call = f"{outer['program']}({name}(x))"
            made.append(
                inner
                | {"group": "w/o IO", "program": f"{outer['program']}of{name.lower()}", "expected": outer["expected"]}
                | {"prompt": f"Consider the function {call}: what is the output for {text}?", "completion": said}
                | {"parsed": said, "outcome": "correct" if right else "wrong"}
            )
    return made


MODULES = {name: FIGURES[name] for name in ("F07", "F11", "F13")}
f07_ciphers, f11_composition, f13_grammars = MODULES.values()
MAKE = {"F07": cipher_records, "F11": composition_records, "F13": grammar_records}
every_figure = pytest.mark.parametrize("figure_id", MODULES)


@pytest.fixture(scope="module")
def made() -> dict[str, pd.DataFrame]:
    return {figure_id: make(2, 6) for figure_id, make in MAKE.items()}


def words(figure: Figure) -> str:
    texts = [text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_text"))]
    return " ".join(" ".join(texts).split())


# -------------------------------------------------------------------------------------------- all three
@every_figure
def test_a_figure_tells_its_numbers(figure_id: str, made: dict[str, pd.DataFrame]) -> None:
    module, records = MODULES[figure_id], made[figure_id]
    assert (module.ID, module.NAME[:4]) == (figure_id, f"{figure_id}_")
    figure = module.draw(records)
    assert " ".join(module.caption(records).split()[:6]) in words(figure)
    assert "2 seeds" in module.caption(records)
    assert figure.get_figwidth() in (style.COLUMN, style.DOUBLE)
    values = module.headline(records)
    assert len(values) == values["name"].nunique() > 4
    assert values["estimate"].between(values["low"], values["high"]).all()
    assert not values["name"].str.contains("statement").any(), "a length that only arithmetic has"


@every_figure
def test_a_figure_is_drawn_from_its_own_rows_alone(figure_id: str, made: dict[str, pd.DataFrame]) -> None:
    module, records = MODULES[figure_id], made[figure_id]
    arithmetic = synthetic_records(("proactive",), seeds=1, programs=2, checkpoints=(1.0,))
    rows = module.select(records)
    assert len(module.select(rows)) == len(rows)
    beside = pd.concat([records, arithmetic]).sample(frac=1, random_state=0)
    for other in (rows, beside):
        pd.testing.assert_frame_equal(module.table(other), module.table(records))
        assert module.caption(other) == module.caption(records)
    with pytest.raises(RecordsError, match="none of the records"):
        module.table(arithmetic)


@every_figure
def test_equal_records_give_equal_bytes(figure_id: str, made: dict[str, pd.DataFrame], tmp_path: Path) -> None:
    records = made[figure_id]
    one = save_figure(figure_id, records, tmp_path / "one", {})
    two = save_figure(figure_id, records.sample(frac=1, random_state=1), tmp_path / "two", {})
    for file in one.iterdir():
        assert file.read_bytes() == (two / file.name).read_bytes(), file.name
    pd.testing.assert_frame_equal(MODULES[figure_id].table(load_records(one)), MODULES[figure_id].table(records))


@every_figure
def test_a_reference_stands_behind_a_variant_and_smoke_is_stamped(
    figure_id: str, made: dict[str, pd.DataFrame]
) -> None:
    module, records = MODULES[figure_id], made[figure_id]
    figure = module.draw(records.assign(preset="custom"), records, variant="twice the tokens")
    assert "twice the tokens committed reference" in words(figure)
    assert {style.REFERENCE_ALPHA, 1.0} <= {line.get_alpha() for axes in figure.axes for line in axes.get_lines()}
    smoke = records.assign(preset="smoke")
    with pytest.raises(RecordsError, match="smoke records"):
        module.draw(smoke)
    assert "SMOKE - not a result" in words(module.draw(smoke, allow_smoke=True))


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
        for mode in ("cot", "direct"):
            assert summed[arm, mode].to_dict() == pytest.approx(
                dict(zip(("common", "rare"), planted, strict=True)), abs=0.12
            )
    head = f07_ciphers.headline(records).set_index("name")["estimate"]
    assert head["Algorithm distillation, CoT, rare shifts; Ciphers, tiny-m"] == summed["distillation", "cot", "rare"]


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
        rare = head.filter(like="CoT, rare shifts")
        return float(rare.filter(like="Proactive").iloc[0] - rare.filter(like="Algorithm").iloc[0])

    assert gap({}) > 0.4
    assert gap({"proactive": (0.2, 0.2), "distillation": (0.8, 0.8)}) < -0.4


def test_the_study_of_f07_asks_all_arms_about_the_same_ciphers() -> None:
    made = {e.curriculum: e for e in study("F07", "cpu")}
    assert set(made) == set(BY_SHIFT)
    assert {(e.distilled_shifts, e.shifts, e.questions >= e.alphabet) for e in made.values()} == {
        ("natural", "uniform", True)
    }


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
    from pbb.experiments.questions import answer_at_random, questions
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
    from pbb.experiments.questions import answer_at_random

    experiment = Experiment.of("smoke", arm="random_generation", questions=10)
    rows = answer_at_random(experiment)
    assert {row["parsed"] for row in rows} <= {row["expected"] for row in rows}
    right = np.mean([row["outcome"] == "correct" for row in rows])
    assert right < 0.4
    assert len({row["parsed"] for row in rows}) > 3
