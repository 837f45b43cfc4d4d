"""The claims board: verdicts follow the records, turn when an effect is reversed, and stand in RESULTS.md."""

from __future__ import annotations

import hashlib
import re
import shutil
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from synthetic_records import synthetic_records

import pbb
from pbb import cli
from pbb.analysis import claims
from pbb.analysis.board import WORST_FIRST, Board, board, boards, render, verdict
from pbb.analysis.claims import CLAIMS, FEWEST, MATCHED, MOST, PRIMARIES, PRIMARY, Claim, Declared, Side
from pbb.analysis.verdicts import NO_VERDICT, REGIME, RULE, holm, judged, measured, points, read_against
from pbb.arms import ARMS
from pbb.figures.io import beside_paper
from pbb.figures.results import page
from pbb.notebook import cell as helpers
from pbb.records import ALLOWED, KNOBS, load_records, write_records
from pbb.store import RecordsError, read_manifest, write_manifest

ROOT = Path(__file__).resolve().parents[1]
REFERENCE = ROOT / "figures" / "reference" / "cpu"


def answers(
    arm: str, share: float, *, mode: str = "", seeds: int = 3, programs: int = 40, inputs: Any = range(5),
    **fields: Any,
) -> pd.DataFrame:  # fmt: skip
    """Rows at the end of training, as far as verdicts look at them; seeds differ as far as chance makes them."""
    rng = np.random.default_rng(int(hashlib.sha256(f"{arm} {mode} {fields}".encode()).hexdigest()[:8], 16))
    mode, group = mode or next(iter(ARMS[arm].asked), "cot"), ARMS[arm].measured
    common = {"curriculum": arm, "answer_mode": mode, "group": group, "preset": "cpu", "model": "tiny-m"}
    common |= {"domain": "arithmetic", "representation": "code", "stage": 2, "step": 9, "progress": 1.0}
    common |= dict.fromkeys(KNOBS, 1) | {"expected": "1", "parsed": "1", "prompt": "", "completion": "3 + 4 = 7"}
    common |= {"held_out": True}
    rows = [
        common
        | {"seed": seed, "program": f"p{seed}-{number}", "input": str(text), "experiment": f"{arm} {seed} {fields}"}
        | {"outcome": "correct" if rng.random() < share else "wrong"}
        | fields
        for seed in range(seeds)
        for number in range(programs)
        for text in inputs
    ]
    return pd.DataFrame(rows)


HERE = {"domain": "arithmetic"}  # a regime


def read(ceiling: float = 1.0, control: float = 0.1, **fields: Any) -> list[pd.DataFrame]:
    """What regimes are read against, by CoT."""
    return [
        answers("in_context", ceiling, mode="in_context_cot", **fields),
        answers("stage_1_only", control, **fields),
    ]


def declare(monkeypatch: pytest.MonkeyPatch, *contrasts: Declared) -> None:
    """Make `contrasts` the only ones, of one claim."""
    monkeypatch.setattr(claims, "CLAIMS", (Claim("C1", "So it is.", "v0", contrasts, "It is small."),))


def words(table: pd.DataFrame) -> dict[str, str]:
    return dict(zip(table["contrast"], table["verdict"], strict=True))


NOWHERE = Path("no such folder")  # of a preset that has no other figure


def judge(figure: str, *parts: pd.DataFrame) -> pd.DataFrame:
    records: dict[str, pd.DataFrame | None] = {figure: pd.concat(parts, ignore_index=True)}
    return judged(measured(figure, records, read_against(records)))


# -------------------------------------------------------------------------------------------- what is declared
def test_twelve_claims_are_declared_in_order_each_with_all_that_the_board_shows() -> None:
    assert [claim.id for claim in CLAIMS] == [f"C{number}" for number in range(1, 13)]
    halves = {"C2": 2, "C3": 2, "C4": 3, "C5": 2, "C8": 2, "C9": 2}  # of C4's second half, against each of the two
    for claim in CLAIMS:
        assert claim.statement.endswith(".")
        assert claim.source
        assert claim.may_fail.endswith(".")
        assert sum(one.regime is not None for one in claim.contrasts) == halves.get(claim.id, 1)
        shown = [(one.figure, str(one)) for one in claim.contrasts]
        assert len({*shown}) == len(shown), "two contrasts of one claim are told in the same words"
    assert f"over all {PRIMARIES} primaries" in RULE


def test_every_side_can_be_looked_up_in_records() -> None:
    for one in (one for claim in CLAIMS for one in claim.contrasts):
        assert re.fullmatch(r"F\d\d", one.figure)
        for side in one.sides:
            assert side.arm in ALLOWED["curriculum"]
            assert side.mode in ALLOWED["answer_mode"]
            assert {*side.where} <= {"domain", "model", "representation", "shift", "moment", "copied", *KNOBS}


def test_sides_are_told_in_words() -> None:
    assert str(Side("proactive", "cot", {"representation": "code", "model": "tiny-m"})) == (
        "Proactive-PBB, CoT, code, tiny-m"
    )
    assert str(Side("distillation", where={"demonstrations": 1})) == "Algorithm distillation, 1 demonstration"
    assert str(Side("in_context", "in_context_direct")) == "In context, Direct"
    assert str(Side("proactive", "cot", {"with_io_programs": MOST})) == "Proactive-PBB, CoT, most w/ IO programs"


def test_the_papers_numbers_are_those_that_were_reported_and_no_others() -> None:
    table = beside_paper("F02", synthetic_records(seeds=1, programs=20)).set_index("arm")
    given = table.loc[table["paper"] != claims.NOT_AVAILABLE, "paper"].to_dict()
    assert given == {"Proactive-PBB": "about 37 %", "Untuned": "0 %", "Stage 2 only": "about 0 %"}
    assert (table.loc[given.keys(), "source"] != "").all()
    rows = synthetic_records(("proactive", "stage_1_only"), seeds=1, programs=20)
    assert set(beside_paper("F05", rows)["paper"]) == {claims.NOT_AVAILABLE}


# ------------------------------------------------------------------------------------------- a figure's verdicts
def test_verdicts_follow_what_was_planted() -> None:
    records = synthetic_records(programs=25, seeds=5, checkpoints=(1.0,))
    found = words(verdict("F02", records, NOWHERE))
    assert found["Proactive-PBB, CoT > Stage 1 only, CoT"] == "supported"
    assert found["Retroactive-PBB (SFT), CoT > Homogeneous mixture, CoT"] == "contradicted"
    assert found["Retroactive-PBB (SFT), CoT > Skip-exposure, CoT"] == "secondary"
    one_seed = words(verdict("F02", records[records["seed"] == 0], NOWHERE))
    assert one_seed["Proactive-PBB, CoT > Stage 1 only, CoT"] == "not run: 1 seed, and it takes 3"
    assert one_seed["Proactive-PBB, CoT > Untuned, CoT"] == "secondary, one seed"
    missing = words(verdict("F02", records[records["curriculum"] != "homogeneous"], NOWHERE))
    assert missing["Proactive-PBB, CoT > Homogeneous mixture, CoT"] == "not run: no records"
    smoke = verdict("F02", records.assign(preset="smoke"), NOWHERE)
    assert set(smoke["verdict"]) == {NO_VERDICT}


def test_f05_is_judged_without_copies_and_length_by_length() -> None:
    arms = ("proactive", "stage_1_only", "in_context")
    rows = synthetic_records(arms, seeds=3, programs=12, statements=(1, 2), checkpoints=(1.0,))
    found = verdict("F05", rows, NOWHERE)
    left_out = found[found["contrast"].str.startswith("Proactive-PBB, Direct, copies left out > Stage 1")]
    assert left_out["where"].tolist() == ["Arithmetic, tiny-m, 1 statement", "Arithmetic, tiny-m, 2 statements"]
    assert left_out["decides"].tolist() == ["primary", "secondary"]
    copied = rows.assign(expected=rows["expected"].where(rows["answer_mode"] == "recall", "10"), parsed="10")
    found = verdict("F05", copied.assign(outcome="correct"), NOWHERE)
    (apart,) = found.loc[found["decides"].eq("primary") & found["contrast"].str.contains("left out"), "verdict"]
    assert apart == "not run: no records", "every source ends in % 10"


def test_a_figure_on_which_nothing_is_judged_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    records = synthetic_records(("proactive",), seeds=1, programs=3)
    assert verdict("F01", records, NOWHERE).empty
    assert pbb.verdict("F01", records) is None
    assert "No claim of the paper's is judged on F01" in capsys.readouterr().out


# ------------------------------------------------------------------------------------------- kinds of contrasts
def test_a_contrast_is_primary_where_its_regime_says(monkeypatch: pytest.MonkeyPatch) -> None:
    sides = [Side("proactive", where={"representation": form}) for form in ("code", "description")]
    declare(monkeypatch, Declared("F04", sides[0], sides[1], HERE | {"model": MOST}))
    rows = [
        part
        for model, shares in (("tiny-s", (0.6, 0.2)), ("tiny-m", (0.3, 0.8)))
        for form, share in zip(("code", "description"), shares, strict=True)
        for part in (
            answers("proactive", share, representation=form, model=model),
            *read(representation=form, model=model),
        )
    ]
    found = judge("F04", *rows).set_index("where")["verdict"].to_dict()
    small, large = (f"Arithmetic, {model}, 1 statement" for model in ("tiny-s", "tiny-m"))
    assert found == {small: "secondary", large: "contradicted"}


@pytest.mark.parametrize(("gaps", "word"), [((0.7, 0.2), "supported"), ((0.2, 0.7), "contradicted")])
def test_a_gap_may_narrow(gaps: tuple[float, float], word: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def side(form: str, model: str) -> Side:
        return Side("proactive", where={"representation": form, "model": model})

    small, large = ([side(form, model) for form in ("code", "description")] for model in ("tiny-s", "tiny-m"))
    declare(monkeypatch, Declared("F04", *small, HERE, more_than=(large[0], large[1])))
    planted = {
        (model, form): 0.25 + gap * (form == "code")
        for model, gap in zip(("tiny-s", "tiny-m"), gaps, strict=True)
        for form in ("code", "description")
    }
    rows = pd.concat(
        part
        for (model, form), share in planted.items()
        for part in (
            answers("proactive", share, representation=form, model=model, programs=80),
            *read(control=0.0, representation=form, model=model),
        )
    )
    (found,) = judge("F04", rows).to_dict("records")
    assert found["difference"] == pytest.approx(gaps[0] - gaps[1], abs=0.1)
    assert found["low"] < found["difference"] < found["high"]
    assert found["verdict"] == word
    (lacking,) = judge("F04", rows[rows["model"] == "tiny-s"]).to_dict("records")
    assert lacking["verdict"] == "not run: no records"
    fallen = rows["model"].eq("tiny-s") & rows["curriculum"].eq("proactive") & rows["representation"].eq("description")
    (at_control,) = judge("F04", rows.assign(outcome=rows["outcome"].mask(fallen, "wrong"))).to_dict("records")
    assert "a side at the control" in at_control["verdict"]


OUT, AT_CONTROL = "not run: outside the regime", "not run: outside the regime (arms at the control"
NOT_ASKED = "in context not asked, w/ IO after Stage 1 not asked"


@pytest.mark.parametrize(
    ("arms", "ceiling", "control", "shown", "word"),
    [  # Proactive, and the homogeneous mixture; or, against the control, Proactive alone
        ((0.8, 0.4), 1.0, 0.1, None, "supported"),
        ((0.8, 0.4), 0.7, 0.1, None, f"{OUT} (in context 69 %, w/ IO after Stage 1 not asked)"),
        ((0.8, 0.4), None, 0.1, None, f"{OUT} ({NOT_ASKED})"),
        ((0.9, 0.7), 1.0, 0.5, None, f"{OUT} (control "),
        ((1.0, 0.98), 1.0, 0.1, None, f"{OUT} (arms "),
        ((0.1, 0.1), 1.0, 0.1, None, AT_CONTROL),
        ((0.8, 0.1), 1.0, 0.1, None, "supported"),
        ((0.8,), 0.0, 0.1, 1.0, "supported"),  # a model that answers in another form in context may show its reach
        ((0.8,), 0.0, 0.1, 0.6, f"{OUT} (in context 0 %, w/ IO after Stage 1 "),
        ((0.1,), 1.0, 0.1, None, "not supported"),
        ((1.0,), 1.0, 0.1, None, "supported"),
        ((0.1,), 1.0, 0.9, None, "contradicted"),
    ],
)
def test_there_is_no_verdict_outside_the_regime(
    arms: tuple[float, ...],
    ceiling: float | None,
    control: float,
    shown: float | None,
    word: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = ("proactive", "homogeneous")[: len(arms)]
    declare(monkeypatch, Declared("F02", Side("proactive"), Side((*names, "stage_1_only")[1]), HERE))
    rows = [answers(name, share, programs=80 if arms[1:] else 40) for name, share in zip(names, arms, strict=True)]
    rows += read(ceiling or 0.0, control)[ceiling is None :]
    if shown is not None:
        rows.append(answers("stage_1_only", shown).assign(group="w/ IO"))
    (found,) = judge("F02", *rows).to_dict("records")
    assert found["verdict"].startswith(word)
    known = r"in context [\w ]+%?(, w/ IO after Stage 1 [\w ]+%?)?, control \d+ %, arms? \d+(, \d+)? %"
    assert re.match(known, found["regime"])


@pytest.mark.parametrize(
    ("arm", "said", "word"),
    [
        ("distillation_traces", "return (x + 4) % 10 = (3 + 4) % 10 = 7", "not run: demonstrations quote the source"),
        ("distillation_after_stage_1", "return (x + 4) % 10 = (3 + 4) % 10 = 7", "supported"),  # so did Stage 1
        ("distillation_values", "7, the result is 7", "supported"),
        ("distillation", "7", "supported"),
    ],
)
def test_demonstrations_may_not_quote_the_source(
    arm: str, said: str, word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    declare(monkeypatch, Declared("F08", Side("proactive"), Side(arm, where={"demonstrations": 1}), HERE))
    control = answers("stage_1_only", 0.1, mode="direct")
    shown = answers(arm, 0.4, completion=said)
    assert words(judge("F08", answers("proactive", 0.8), shown, control, *read())).popitem()[1] == word


def test_most_and_fewest_are_what_the_records_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    sides = [Side("proactive", where={"with_io_programs": which}) for which in (MOST, FEWEST)]
    declare(monkeypatch, Declared("F09", sides[0], sides[1], HERE))
    rows = pd.concat(answers("proactive", share, with_io_programs=n) for n, share in ((9, 0.9), (50, 0.2), (200, 0.6)))
    (found,) = judge("F09", rows, *read()).to_dict("records")
    assert found["difference"] == pytest.approx(-0.3, abs=0.1), "200 against 9"
    assert found["verdict"] == "contradicted"
    (one,) = judge("F09", rows[rows["with_io_programs"] == 9], *read()).to_dict("records")
    assert one["verdict"] == "not run: no records", "with one number there is no most and no fewest"


def test_the_smallest_model_is_one_that_runs_enough_in_context(monkeypatch: pytest.MonkeyPatch) -> None:
    sides = [Side("proactive", where={"model": which}) for which in (MOST, FEWEST)]
    declare(monkeypatch, Declared("F03", *sides, HERE))
    sizes = (("tiny-s", 0.4, 0.7), ("tiny-sm", 0.6, 0.99), ("tiny-m", 0.9, 0.99))
    rows = pd.concat(
        part
        for model, share, ceiling in sizes
        for part in (answers("proactive", share, model=model), *read(ceiling=ceiling, model=model))
    )
    (found,) = judge("F03", rows).to_dict("records")
    assert found["difference"] == pytest.approx(0.3, abs=0.1), "tiny-m against tiny-sm"
    assert found["verdict"] == "supported"
    (small,) = judge("F03", rows[rows["model"] != "tiny-sm"]).to_dict("records")
    assert small["verdict"] == "not run: no records", "no second model in the regime"
    for unknown in (("gpt-4o", "gpt-5o"), ("gpt-4o", "x-8b"), ("a-8b", "b-8b")):
        renamed = rows.replace({"model": dict(zip(("tiny-sm", "tiny-m"), unknown, strict=True))})
        (alike,) = judge("F03", renamed[renamed["model"].isin(unknown)]).to_dict("records")
        assert alike["verdict"] == "not run: no records", f"{unknown}: which is larger is not known"


def test_shifts_of_ciphers_are_common_or_rare(monkeypatch: pytest.MonkeyPatch) -> None:
    rare = {"domain": "ciphers", "shift": "rare"}
    declare(monkeypatch, Declared("F07", Side("proactive", where=rare), Side("distillation", where=rare)))
    texts = [f"'a, {shift}b', {shift}" for shift in range(26)]
    told = answers("proactive", 0.5, domain="ciphers", inputs=texts, programs=10, seeds=1)
    shown = answers("distillation", 0.5, domain="ciphers", inputs=texts, programs=10, seeds=1)
    common = shown["input"].isin([texts[shift] for shift in (1, 3, 13)])
    shown = shown.assign(outcome=common.map({True: "correct", False: "wrong"}))
    (found,) = judge("F07", told, shown).to_dict("records")
    told = told[~told["input"].isin([texts[shift] for shift in (1, 3, 13)])]
    assert found["difference"] == pytest.approx((told["outcome"] == "correct").mean(), abs=1e-4)
    assert found["where"] == "Ciphers, tiny-m"


def test_grpo_is_compared_with_sft_after_as_many_questions(monkeypatch: pytest.MonkeyPatch) -> None:
    sft = [Side("retroactive", where={"moment": MATCHED}), Side("retroactive")]
    declare(monkeypatch, *(Declared("F06", Side("retroactive_grpo"), side) for side in sft))
    start = {"stage": 1, "step": 5, "questions_trained": 100, "tokens": 1, "progress": 0.2}
    rows = [answers(arm, 0.1).assign(**start, experiment=arm) for arm in ("retroactive", "retroactive_grpo")]
    for arm, share, questions, progress in (
        ("retroactive_grpo", 0.5, 1100, 1.0),
        ("retroactive", 0.2, 1150, 0.5),
        ("retroactive", 0.8, 9000, 1.0),
    ):
        moment = {"questions_trained": questions, "tokens": questions, "progress": progress, "step": questions}
        rows.append(answers(arm, share).assign(**moment, experiment=arm))
    found = judge("F06", *rows)
    assert found["difference"].tolist() == pytest.approx([0.3, -0.3], abs=0.1)
    assert "after as many questions as GRPO" in found["contrast"][0]


def test_a_contrast_may_look_at_a_second_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    declare(monkeypatch, Declared("F02", Side("proactive"), Side("homogeneous"), HERE, also="F06"))
    here, there = answers("proactive", 0.8), answers("homogeneous", 0.2)
    assert judge("F02", here, *read())["verdict"].tolist() == ["not run: no records"]
    records: dict[str, Any] = {"F02": pd.concat([here, *read()]), "F06": pd.concat([here, there])}
    (found,) = judged(measured("F02", records, read_against(records))).to_dict("records")
    assert found["verdict"] == "supported"
    assert found == judge("F02", here, there, *read()).to_dict("records")[0], "what both figures hold counts once"


@pytest.mark.parametrize(("right", "word"), [("1", "supported"), ("2", f"{OUT} (in context not asked")])
def test_a_regime_is_read_from_another_figure_only_if_it_asks_about_the_same_programs(
    right: str, word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    declare(monkeypatch, Declared("F02", Side("proactive"), Side("stage_1_only"), HERE, also="F12"))
    here = pd.concat([answers("proactive", 0.8), answers("stage_1_only", 0.1)])
    records: dict[str, Any] = {"F02": here, "F12": pd.concat(read()).assign(expected=right)}
    (found,) = judged(measured("F02", records, read_against(records))).to_dict("records")
    assert found["verdict"].startswith(word)


def test_steadiness_takes_many_seeds(monkeypatch: pytest.MonkeyPatch) -> None:
    sides = Side("retroactive_grpo"), Side("retroactive")
    declare(monkeypatch, Declared("F06", *sides, HERE, steadier=True))
    rng = np.random.default_rng(0)

    def of_seeds(arm: str, spread: float, seeds: int) -> pd.DataFrame:
        shares = np.clip(rng.normal(0.5, spread, seeds), 0, 1)
        parts = [answers(arm, share, seeds=1, number=seed) for seed, share in enumerate(shares)]
        return pd.concat(part.assign(seed=seed, experiment=f"{arm} {seed}") for seed, part in enumerate(parts))

    steady, other = of_seeds("retroactive_grpo", 0.01, 26), of_seeds("retroactive", 0.2, 26)
    (found,) = judge("F06", steady, other, *read()).to_dict("records")
    assert (found["verdict"], found["seeds"]) == ("supported", 26)
    assert 0 < found["low"] < found["difference"] < found["high"] < 0.5
    both = pd.concat([steady, other])
    few = judge("F06", both[both["seed"] < 6], *read())
    assert few["verdict"].tolist() == ["not run: 6 seeds, and it takes 25"]
    one = judge("F06", both[both["seed"] < 1], *read())
    assert one["verdict"].tolist() == ["not run: 1 seed, and it takes 25"]
    assert points(one.iloc[0]) == "–"


def test_several_numbers_of_one_arm_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    declare(monkeypatch, Declared("F02", Side("proactive"), Side("stage_1_only")))
    shares = {1: (0.2, 0.7), 20: (0.7, 0.2)}
    rows = [answers("proactive", told, templates=count) for count, (told, _) in shares.items()]
    rows += [answers("stage_1_only", control, templates=count) for count, (_, control) in shares.items()]
    found = judge("F02", *rows).set_index("where")["difference"]
    where = "Arithmetic, tiny-m, 1 statement, "
    assert found.to_dict() == pytest.approx({f"{where}1 template": -0.5, f"{where}20 templates": 0.5}, abs=0.1)


def test_two_experiments_on_one_side_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    declare(monkeypatch, Declared("F10", Side("proactive"), Side("stage_1_only")))
    rows = pd.concat([answers("proactive", 0.7, learning_rate=1), answers("proactive", 0.2, learning_rate=2)])
    with pytest.raises(RecordsError, match="Proactive-PBB, CoT: one experiment a seed is compared"):
        judge("F10", rows)


# ------------------------------------------------------------------------------------------------- corrections
def test_holm() -> None:
    assert holm(pd.Series([0.01, 0.04, 0.03])).tolist() == pytest.approx([0.03, 0.06, 0.06])


def test_points() -> None:
    row = {"difference": 0.244, "low": -0.031, "high": 0.5}
    assert points(row) == "+24 [−3, +50]"
    assert points(row | {"difference": float("nan")}) == "–"


def test_primaries_alone_are_corrected_for_and_those_not_run_count() -> None:
    up = {"claim": "C1", "smoke": False, "difference": 0.1, "low": 0.02, "high": 0.18, "p": 0.01, "reason": ""}
    up |= {"decides": PRIMARY, "seeds": 3}
    down = up | {"difference": -0.1, "low": -0.18, "high": -0.02}
    other = up | {"decides": "secondary"}
    not_run = {"claim": "C1", "decides": PRIMARY, "reason": "no records"}
    assert judged([up, down, *[other] * 8])["verdict"].tolist() == ["supported", "contradicted", *["secondary"] * 8]
    found = judged([up, down, *[not_run] * 8])
    assert found["verdict"].tolist() == ["not supported"] * 2 + ["not run: no records"] * 8
    assert found["p"].head(2).tolist() == pytest.approx([10 * 0.01, 10 * 0.01])


# --------------------------------------------------------------------------------------------------- the board
@pytest.fixture(scope="module")
def committed() -> Board:
    return board(REFERENCE)


def copied(folder: Path, figure: str, **reversal: str) -> Path:
    """A copy of the committed records, in those of `figure` two curricula have changed places."""
    target = folder / "cpu"
    shutil.copytree(REFERENCE, target, ignore=shutil.ignore_patterns("figure.*"))
    (changed,) = target.glob(f"{figure}_*")
    records = load_records(changed).replace({"curriculum": reversal | {new: old for old, new in reversal.items()}})
    entry = write_records(changed, records)
    write_manifest(changed, (read_manifest(changed) or {}) | {"records": entry})
    return target


def test_a_planted_reversal_turns_the_verdict_and_no_other(committed: Board, tmp_path: Path) -> None:
    before = committed.claims.set_index("claim")["verdict"]
    assert before["C1"] == "supported"
    turned = board(copied(tmp_path, "F02", retroactive="homogeneous"))
    after = turned.contrasts[turned.contrasts["decides"] == PRIMARY].set_index(["claim", "contrast"])
    retroactive = "Retroactive-PBB (SFT), CoT > Homogeneous mixture, CoT"
    known = committed.contrasts.set_index(["claim", "contrast"])["difference"]
    assert after.loc[("C5", retroactive), "difference"] == pytest.approx(-known["C5", retroactive])
    untouched = [claim.id for claim in CLAIMS if all(one.figure != "F02" for one in claim.contrasts)]
    assert turned.claims.set_index("claim")["verdict"][untouched].equals(before[untouched])


def test_the_board_holds_every_claim_and_corrects_over_all_primaries(committed: Board) -> None:
    assert committed.claims["claim"].tolist() == [claim.id for claim in CLAIMS]
    primary = committed.contrasts[committed.contrasts["decides"] == PRIMARY]
    assert len(primary) == PRIMARIES
    run = primary[~primary["verdict"].str.startswith("not run")]
    assert (run["seeds"] >= 3).all()
    assert run["least"].gt(0).all()
    assert run["regime"].str.startswith("in context ").all()
    assert set(primary["verdict"].str.partition(":")[0]) <= {*WORST_FIRST}
    secondary = committed.contrasts[committed.contrasts["decides"] != PRIMARY]
    assert secondary["p"].isna().all()
    assert secondary["verdict"].str.startswith("secondary").all()
    assert (committed.claims["why"] != "").equals(committed.claims["verdict"].isin(["not supported", "contradicted"]))


def test_a_notebook_shows_the_rows_of_the_board(committed: Board) -> None:
    """The same records have the same numbers, p and verdict on both; fewer records of one figure move no other row."""
    records = load_records(REFERENCE / "F02_curricula")
    mine = committed.contrasts[committed.contrasts["figure"] == "F02"].reset_index(drop=True)
    pd.testing.assert_frame_equal(verdict("F02", records, REFERENCE), mine)
    shown = pbb.verdict("F02", records.assign(preset="custom"))._repr_html_()
    assert all(points(row) in shown for row in mine.to_dict("records"))
    assert RULE in " ".join(unescape(shown).split()), "in the words that the code applies"
    assert f"{RULE} {REGIME}" in " ".join(render(committed).split())


@pytest.mark.parametrize(
    ("found", "word"),
    [
        (("supported", "supported"), "supported"),
        (("supported", "not run"), "not run"),
        (("supported", "not supported", "not run"), "not supported"),
        (("supported", "contradicted", "not supported"), "contradicted"),
    ],
)
def test_a_claim_is_as_good_as_its_worst_primary(
    found: tuple[str, ...], word: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    shares = {"supported": 0.2, "not supported": 0.6, "contradicted": 0.9}
    others = ("homogeneous", "retroactive", "skip_exposure")
    rows = [answers("proactive", 0.6), answers("untuned", 0.9), *read()]
    rows += [answers(arm, shares[one]) for arm, one in zip(others, found, strict=False) if one in shares]
    contrasts = [Declared("F02", Side("proactive"), Side(arm), HERE) for arm, _ in zip(others, found, strict=False)]
    declare(monkeypatch, *contrasts, Declared("F02", Side("proactive"), Side("untuned")))
    monkeypatch.setattr("pbb.analysis.board._records", lambda folder, figure: pd.concat(rows))
    (row,) = board(tmp_path).claims.to_dict("records")
    assert (row["verdict"], row["supported"]) == (word, f"{found.count('supported')} of {len(found)}")


def test_what_one_instruction_is_worth_is_shown_beside_its_claim(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    shares = {1: 0.1, 2: 0.3, 4: 0.45, 7: 0.7, 9: 0.8}
    rows = [answers("proactive", 0.55, seeds=5, programs=80), *read(seeds=5)]
    rows += [answers("stage_1_only", 0.1, mode="direct", seeds=5)]
    rows += [answers("distillation", share, demonstrations=n, seeds=5, programs=80) for n, share in shares.items()]
    records = pd.concat(rows).assign(held_out=True)
    monkeypatch.setattr("pbb.analysis.board._records", lambda folder, figure: records if figure == "F08" else None)
    found = board(tmp_path).claims.set_index("claim").loc["C6"]
    assert found["verdict"] == "supported"
    worth = re.match(r"worth ([\d.]+) \[([\d.<]+), ([\d.>]+)\] demonstrations; \+\d\d \[", found["value"])
    assert worth
    assert 4 < float(worth[1]) < 7
    assert found["decided by"].startswith("Proactive-PBB, CoT > Algorithm distillation, 1 demonstration;")
    assert found["paper"].startswith("up to 100")


def test_to_add_a_claim_is_to_add_an_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    contrast = Declared("F02", Side("proactive"), Side("stage_1_only"), HERE)
    new = Claim("C13", "Sources help.", "nobody", (contrast,), "It may.")
    monkeypatch.setattr(claims, "CLAIMS", (CLAIMS[0], new))
    found = board(REFERENCE)
    assert found.claims["claim"].iloc[-1] == "C13"
    seeds = found.claims["seeds"].iloc[-1]
    assert f"| C13 | Sources help. | F02 | **supported** (1 of 1; seeds: {seeds})" in page(ROOT, [found])


def test_a_preset_without_records_has_nothing_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (empty,) = boards("smoke", known=["smoke", "cpu"])
    assert empty.counts == f"{len(CLAIMS)} not run"
    assert render(empty).endswith("Nothing is judged: no figure of preset smoke is here that a claim is about.")
    with pytest.raises(RecordsError, match="preset='huge' is not valid; valid: auto, cpu"):
        boards("huge")
    monkeypatch.setenv("PBB_FIGURES", str(tmp_path))
    with pytest.raises(RecordsError, match="`make reproduce` makes this machine's"):
        boards(mine=True)
    shutil.copytree(REFERENCE / "F05_answer_mode", tmp_path / "mine" / "F05_answer_mode")
    (mine,) = boards(mine=True)
    assert mine.preset == "mine"
    assert mine.claims.set_index("claim")["verdict"].drop("C3").eq("not run").all()


# ------------------------------------------------------------------------------------------------- where it stands
def test_results_hold_what_the_committed_records_give(committed: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else: `make claims`."""
    monkeypatch.setattr("pbb.analysis.board.board", lambda folder: committed if folder == REFERENCE else board(folder))
    assert (ROOT / "RESULTS.md").read_text(encoding="utf-8") == page(ROOT, boards())
    assert f": {committed.counts}.\n" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_one_command_prints_the_board(
    committed: Board, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pbb.analysis.board.board", lambda folder: committed)
    assert cli.main(["claims", "--preset", "cpu"]) == 0
    printed = capsys.readouterr().out
    assert printed == render(committed) + "\n"
    assert max(map(len, printed.splitlines())) <= 100
    for row in committed.claims.to_dict("records"):
        assert re.search(rf"^{row['claim']} +{row['verdict']} \({row['supported']} primaries", printed, re.MULTILINE)


@pytest.mark.parametrize("asked", [["--preset", "cpu"], ["--mine"]])
def test_results_are_never_of_one_preset_alone(asked: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["claims", "--write", *asked]) == 2
    assert "valid: without --preset and --mine" in capsys.readouterr().err


def test_tables_of_claims_can_be_looked_at(committed: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pbb.analysis.board.board", lambda folder: committed)
    shown = helpers.board("cpu")._repr_html_()
    assert all(word in shown for word in committed.claims["verdict"])
    shown = helpers.contrasts("C5", "cpu")._repr_html_()
    (retroactive,) = (one for one in committed.contrasts.to_dict("records") if "(SFT), CoT > Homo" in one["contrast"])
    assert points(retroactive) in shown
    with pytest.raises(RecordsError, match="claim='C99' is not valid; valid: C1, "):
        helpers.contrasts("C99", "cpu")
