"""The claims board: verdicts follow the records, turn when an effect is reversed, and stand in RESULTS.md."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
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
from pbb.analysis.claims import CLAIMS, FEWEST, IF_RUN, MATCHED, MOST, SHOWN, Claim, Declared, Side
from pbb.analysis.labels import MODES
from pbb.analysis.verdicts import NO_VERDICT, RULE, holm, judged, measured, points
from pbb.figures.io import beside_paper
from pbb.figures.results import page
from pbb.notebook import cell as helpers
from pbb.records import ALLOWED, KNOBS, load_records, write_records
from pbb.store import RecordsError, read_manifest, write_manifest

ROOT = Path(__file__).resolve().parents[1]
REFERENCE = ROOT / "figures" / "reference" / "cpu"


def answers(
    arm: str,
    share: float,
    *,
    mode: str = "cot",
    seeds: int = 1,
    programs: int = 40,
    inputs: Any = range(5),
    spread: float = 0.1,
    **fields: Any,
) -> pd.DataFrame:
    """Rows at the end of training, as far as verdicts look at them. Programs of equal number are equally hard."""
    rng = np.random.default_rng(int(hashlib.sha256(f"{arm} {mode} {fields}".encode()).hexdigest()[:8], 16))
    group = "AD" if arm in ("distillation", "pbb_and_distillation") else "w/o IO"
    common = {"curriculum": arm, "answer_mode": mode, "group": group, "preset": "cpu", "model": "tiny-m"}
    common |= {"domain": "arithmetic", "representation": "code", "stage": 2, "step": 9, "progress": 1.0}
    common |= dict.fromkeys(KNOBS, 1) | {"expected": "1", "parsed": "1"} | fields
    rows = [
        common
        | {"seed": seed, "program": f"p{seed}-{number}", "input": str(text), "experiment": f"{arm} {seed} {fields}"}
        | {"outcome": "correct" if rng.random() < share + spread * (-1) ** number else "wrong"}
        for seed in range(seeds)
        for number in range(programs)
        for text in inputs
    ]
    return pd.DataFrame(rows)


def declare(monkeypatch: pytest.MonkeyPatch, *contrasts: Declared) -> None:
    """Make `contrasts` the only ones, of one claim."""
    monkeypatch.setattr(claims, "CLAIMS", (Claim("C1", "So it is.", "v0", contrasts, "It is small."),))


def words(table: pd.DataFrame) -> dict[str, str]:
    return dict(zip(table["contrast"], table["verdict"], strict=True))


NOWHERE = Path("no such folder")  # of a preset that has no other figure


def judge(figure: str, *parts: pd.DataFrame) -> pd.DataFrame:
    return judged(measured(figure, pd.concat(parts, ignore_index=True)))


# -------------------------------------------------------------------------------------------- what is declared
def test_twelve_claims_are_declared_in_order_each_with_all_that_the_board_shows() -> None:
    assert [claim.id for claim in CLAIMS] == [f"C{number}" for number in range(1, 13)]
    for claim in CLAIMS:
        assert claim.statement.endswith(".")
        assert claim.source
        assert claim.may_fail.endswith(".")
        assert any(one.decides == claims.ALWAYS for one in claim.contrasts), f"{claim.id} can never be run"
        shown = [(one.figure, str(one)) for one in claim.contrasts]
        assert len({*shown}) == len(shown), "two contrasts of one claim are told in the same words"


def test_every_side_can_be_looked_up_in_records() -> None:
    for one in (one for claim in CLAIMS for one in claim.contrasts):
        assert re.fullmatch(r"F\d\d", one.figure)
        for side in one.sides:
            assert side.arm in ALLOWED["curriculum"]
            assert side.mode in ALLOWED["answer_mode"]
            assert {*side.where} <= {"domain", "model", "representation", "shift", "moment", *KNOBS}


def test_sides_are_told_in_words() -> None:
    assert str(Side("proactive", "cot", {"representation": "code", "model": "tiny-l"})) == (
        "Proactive-PBB, CoT, code, tiny-l"
    )
    assert str(Side("distillation", where={"demonstrations": 1})) == "Algorithm distillation, CoT, 1 demonstration"
    assert str(Side("in_context", "in_context_direct")) == "In context, Direct"
    assert str(Side("proactive", "cot", {"with_io_programs": MOST})) == "Proactive-PBB, CoT, most w/ IO programs"
    assert str(Side("some_new_arm")).startswith("Some new arm")


def test_the_papers_numbers_are_those_that_were_reported_and_no_others() -> None:
    table = beside_paper("F02", synthetic_records(seeds=1, programs=20)).set_index("arm")
    given = table.loc[table["paper"] != claims.NOT_AVAILABLE, "paper"].to_dict()
    assert given == {"Proactive-PBB": "about 37 %", "Untuned": "0 %", "Stage 2 only": "about 0 %"}
    assert (table.loc[given.keys(), "source"] != "").all()
    rows = synthetic_records(("proactive", "stage_1_only"), seeds=1, programs=20)
    assert set(beside_paper("F05", rows)["paper"]) == {claims.NOT_AVAILABLE}


# ------------------------------------------------------------------------------------------- a figure's verdicts
def test_verdicts_follow_what_was_planted() -> None:
    found = words(verdict("F02", synthetic_records(seeds=2, programs=25), NOWHERE))
    assert found["Proactive-PBB, CoT > Untuned, CoT"] == "supported"
    assert found["Retroactive-PBB (SFT), CoT > Skip-exposure, CoT"] == "supported"
    assert found["Proactive-PBB, CoT > Homogeneous mixture, CoT"] == "contradicted"


def test_verdicts_of_arms_that_are_missing_and_of_smoke() -> None:
    records = synthetic_records(("proactive", "stage_1_only"), seeds=1, programs=25)
    found = words(verdict("F02", records, NOWHERE))
    assert found["Proactive-PBB, CoT > Untuned, CoT"] == "not run"
    assert found["Proactive-PBB, CoT > Stage 1 only, CoT"] == "supported"
    smoke = verdict("F02", records.assign(preset="smoke"), NOWHERE)
    assert set(smoke["verdict"]) == {"not run", NO_VERDICT}
    with pytest.raises(RecordsError, match="'F99' is not known; valid: F01, F02, "):
        pbb.verdict("F99", records)


def test_f05_is_judged_length_by_length_with_the_permuted_control() -> None:
    rows = synthetic_records(("proactive", "stage_1_only"), seeds=1, programs=25, statements=(1, 2))
    found = verdict("F05", rows, NOWHERE)
    proactive = {
        "Proactive-PBB, Direct > Stage 1 only, Direct": "supported",
        "Proactive-PBB, Direct > Proactive-PBB, Direct, permuted": "supported",
        "Proactive-PBB, CoT > Proactive-PBB, Direct": "supported",
    }
    assert found["where"].ne("").sum() == 2 * len(proactive)
    assert words(found[found["where"].str.contains("1 statement")]) == proactive
    homogeneous = {name for name in found["contrast"] if name.startswith("Homogeneous")}
    assert set(found["contrast"]) - set(proactive) == homogeneous
    assert set(found.loc[found["contrast"].isin(homogeneous), "verdict"]) == {"not run"}, "it is for sums alone"
    sums = synthetic_records(("homogeneous", "stage_1_only"), seeds=1, programs=25).assign(domain="sums")
    found = verdict("F05", pd.concat([rows, sums.assign(experiment=sums["experiment"] + "s")]), NOWHERE)
    mixed = found[found["contrast"].isin(homogeneous)]
    assert (set(mixed["where"]), set(mixed["verdict"])) == ({"Sums, tiny-m"}, {"supported"})


def test_a_figure_on_which_nothing_is_judged_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    records = synthetic_records(("proactive",), seeds=1, programs=3)
    assert verdict("F01", records, NOWHERE).empty
    assert pbb.verdict("F01", records) is None
    assert "No claim of the paper's is judged on F01" in capsys.readouterr().out


# ------------------------------------------------------------------------------------------- kinds of contrasts
def test_sides_may_differ_in_any_column(monkeypatch: pytest.MonkeyPatch) -> None:
    def taught(form: str) -> Side:
        return Side("proactive", where={"representation": form})

    declare(monkeypatch, Declared("F04", taught("code"), taught("description")))
    rows = pd.concat(
        answers("proactive", share, representation=form, model=model)
        for form, model, share in (
            ("code", "tiny-s", 0.6),
            ("description", "tiny-s", 0.2),
            ("code", "tiny-m", 0.3),
            ("description", "tiny-m", 0.8),
        )
    )
    found = judge("F04", rows).set_index("where")["verdict"].to_dict()
    assert found == {"Arithmetic, tiny-s, 1 statement": "supported", "Arithmetic, tiny-m, 1 statement": "contradicted"}


@pytest.mark.parametrize(("gaps", "word"), [((0.5, 0.1), "supported"), ((0.1, 0.5), "contradicted")])
def test_a_gap_may_narrow(gaps: tuple[float, float], word: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def side(form: str, model: str) -> Side:
        return Side("proactive", where={"representation": form, "model": model})

    small, large = ([side(form, model) for form in ("code", "description")] for model in ("tiny-s", "tiny-l"))
    declare(monkeypatch, Declared("F04", *small, more_than=(large[0], large[1])))
    rows = pd.concat(
        answers("proactive", 0.2 + gap * (form == "code"), representation=form, model=model)
        for model, gap in zip(("tiny-s", "tiny-l"), gaps, strict=True)
        for form in ("code", "description")
    )
    (found,) = judge("F04", rows).to_dict("records")
    right = (rows["outcome"] == "correct").groupby([rows["model"], rows["representation"]]).mean()
    gap = {model: right[model, "code"] - right[model, "description"] for model in ("tiny-s", "tiny-l")}
    assert found["difference"] == pytest.approx(gap["tiny-s"] - gap["tiny-l"], abs=1e-4)
    assert found["low"] < found["difference"] < found["high"]
    assert found["verdict"] == word
    (lacking,) = judge("F04", rows[rows["model"] == "tiny-s"]).to_dict("records")
    assert lacking["verdict"] == "not run"


def test_distillation_is_paired_by_program_on_all_questions_of_both_sides(monkeypatch: pytest.MonkeyPatch) -> None:
    declare(monkeypatch, Declared("F08", Side("proactive"), Side("distillation", where={"demonstrations": 4})))
    told = answers("proactive", 0.7, spread=0.3)
    shown = answers("distillation", 0.3, spread=0.3, inputs=range(4, 9), demonstrations=4)
    other = answers("distillation", 0.9, inputs=range(3), demonstrations=2)
    (found,) = judge("F08", told, shown, other).to_dict("records")
    means = [(side["outcome"] == "correct").mean() for side in (told, shown)]
    assert found["difference"] == pytest.approx(means[0] - means[1], abs=1e-4)
    assert (found["verdict"], found["programs"]) == ("supported", 40)
    strangers = shown.assign(program=shown["program"] + "'")
    (apart,) = judge("F08", told, strangers).to_dict("records")
    assert found["high"] - found["low"] < 0.9 * (apart["high"] - apart["low"]), "not resampled together"


def test_most_and_fewest_are_what_the_records_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    sides = [Side("proactive", where={"with_io_programs": which}) for which in (MOST, FEWEST)]
    declare(monkeypatch, Declared("F09", *sides))
    rows = pd.concat(answers("proactive", share, with_io_programs=n) for n, share in ((9, 0.9), (50, 0.2), (200, 0.6)))
    (found,) = judge("F09", rows).to_dict("records")
    assert found["verdict"] == "contradicted", "200 against 9"
    (one,) = judge("F09", rows[rows["with_io_programs"] == 9]).to_dict("records")
    assert one["verdict"] == "not run", "with one number there is no most and no fewest"


def test_shifts_of_ciphers_are_common_or_rare(monkeypatch: pytest.MonkeyPatch) -> None:
    rare = {"domain": "ciphers", "shift": "rare"}
    declare(monkeypatch, Declared("F07", Side("proactive", where=rare), Side("distillation", where=rare)))
    texts = [f"'a, {shift}b', {shift}" for shift in range(26)]
    told = answers("proactive", 0.5, domain="ciphers", inputs=texts, programs=10)
    shown = answers("distillation", 0.5, domain="ciphers", inputs=texts, programs=10)
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
    found = judged(measured("F06", pd.concat(rows, ignore_index=True)))
    assert found["verdict"].tolist() == ["supported", "contradicted"]
    assert "after as many questions as GRPO" in found["contrast"][0]


def test_a_contrast_may_look_at_a_second_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    declare(monkeypatch, Declared("F02", Side("proactive"), Side("homogeneous"), also="F06"))
    here, there = answers("proactive", 0.8), answers("homogeneous", 0.2)
    assert judge("F02", here)["verdict"].tolist() == ["not run"]
    both = pd.concat([here, there])  # what both figures hold counts once
    (found,) = judged(measured("F02", here, {"F02": here, "F06": both})).to_dict("records")
    assert found["verdict"] == "supported"
    assert found == judge("F02", both).to_dict("records")[0]


def test_steadiness_needs_three_seeds_that_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    sides = Side("retroactive_grpo"), Side("retroactive")
    declare(monkeypatch, Declared("F06", *sides, steadier=True))

    def of_seeds(arm: str, *shares: float) -> pd.DataFrame:
        parts = [answers(arm, share, number=seed) for seed, share in enumerate(shares)]
        return pd.concat(part.assign(seed=seed) for seed, part in enumerate(parts))

    steady, other = (0.5, 0.51, 0.5, 0.52, 0.51, 0.5), (0.2, 0.8, 0.1, 0.9, 0.5, 0.85)
    planted = pd.concat([of_seeds("retroactive_grpo", *steady), of_seeds("retroactive", *other)])
    (found,) = judge("F06", planted).to_dict("records")
    assert (found["verdict"], found["seeds"]) == ("supported", 6)
    assert 0 < found["low"] < found["difference"] < found["high"] < 0.5
    turned = pd.concat([of_seeds("retroactive_grpo", *other), of_seeds("retroactive", *steady)])
    assert judge("F06", turned)["verdict"].tolist() == ["contradicted"]
    assert judge("F06", turned[turned["seed"] < 2])["verdict"].tolist() == ["not run"]


def test_only_seeds_of_both_sides_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    declare(monkeypatch, Declared("F02", Side("proactive"), Side("homogeneous")))
    rows = pd.concat([answers("proactive", 0.7, seeds=3), answers("homogeneous", 0.2, seeds=1)])
    (found,) = judge("F02", rows).to_dict("records")
    assert (found["seeds"], found["programs"], found["verdict"]) == (1, 40, "supported")


def test_several_numbers_of_one_arm_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    declare(monkeypatch, Declared("F02", Side("proactive"), Side("stage_1_only")))
    shares = {1: (0.2, 0.7), 20: (0.7, 0.2)}
    rows = [answers("proactive", told, templates=count) for count, (told, _) in shares.items()]
    rows += [answers("stage_1_only", control, templates=count) for count, (_, control) in shares.items()]
    found = judged(measured("F02", pd.concat(rows)))
    where = "Arithmetic, tiny-m, 1 statement, "
    expected = {f"{where}1 template": "contradicted", f"{where}20 templates": "supported"}
    assert found.set_index("where")["verdict"].to_dict() == expected


def test_two_experiments_on_one_side_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    declare(monkeypatch, Declared("F10", Side("proactive"), Side("stage_1_only")))
    rows = pd.concat([answers("proactive", 0.7, learning_rate=1), answers("proactive", 0.2, learning_rate=2)])
    with pytest.raises(RecordsError, match="Proactive-PBB, CoT: one experiment a seed is compared"):
        measured("F10", rows)


# ------------------------------------------------------------------------------------------------- corrections
def test_holm() -> None:
    corrected = holm(pd.Series([0.01, None, 0.04, 0.03]))
    assert corrected.isna().tolist() == [False, True, False, False]
    assert corrected.dropna().tolist() == pytest.approx([0.03, 0.06, 0.06])


def test_the_more_is_compared_the_more_it_takes_in_both_directions() -> None:
    up = {"claim": "C1", "smoke": False, "difference": 0.1, "low": 0.02, "high": 0.18, "p": 0.01, "p_against": 0.99}
    down = up | {"difference": -0.1, "low": -0.18, "high": -0.02, "p": 0.99, "p_against": 0.01}
    null = up | {"difference": 0.0, "low": -0.1, "high": 0.1, "p": 0.5, "p_against": 0.5}
    assert judged([up, down])["verdict"].tolist() == ["supported", "contradicted"]
    assert judged([up, down, *[null] * 8])["verdict"].tolist() == ["not supported"] * 10


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
    turned = board(copied(tmp_path, "F02", proactive="stage_1_only"))
    after = turned.claims.set_index("claim")["verdict"]
    assert after["C1"] == "contradicted"
    untouched = [claim.id for claim in CLAIMS if all(one.figure != "F02" for one in claim.contrasts)]
    assert after[untouched].equals(before[untouched])
    found = words(turned.contrasts[turned.contrasts["claim"] == "C1"])
    assert found["Proactive-PBB, CoT > Stage 1 only, CoT"] == "contradicted"


def test_the_board_holds_every_claim_and_corrects_over_all_of_them(committed: Board) -> None:
    assert committed.claims["claim"].tolist() == [claim.id for claim in CLAIMS]
    without = committed.contrasts[committed.contrasts["verdict"] == "not run"]
    assert without.empty, "the committed records hold both sides of every contrast"
    assert (committed.claims["why"] != "").equals(committed.claims["verdict"].isin(["not supported", "contradicted"]))


def test_a_notebook_shows_the_rows_of_the_board(committed: Board) -> None:
    """The same records have the same numbers, p and verdict on both; fewer records of one figure move no other row."""
    records = load_records(REFERENCE / "F02_curricula")
    mine = committed.contrasts[committed.contrasts["figure"] == "F02"].reset_index(drop=True)
    pd.testing.assert_frame_equal(verdict("F02", records, REFERENCE), mine)
    shown = pbb.verdict("F02", records.assign(preset="custom"))._repr_html_()
    assert all(points(row) in shown for row in mine.to_dict("records"))
    assert RULE in " ".join(unescape(shown).split()), "in the words that the code applies"
    assert RULE in " ".join(render(committed).split())


@pytest.mark.parametrize(
    ("found", "word"),
    [
        (("supported", "supported"), "supported"),
        (("supported", "not run"), "not run"),
        (("supported", "not supported", "not run"), "not supported"),
        (("supported", "contradicted", "not supported"), "contradicted"),
    ],
)
def test_a_claim_is_as_good_as_its_worst_contrast(
    found: tuple[str, ...], word: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    shares = {"supported": 0.1, "not supported": 0.5, "contradicted": 0.9}
    controls = ("untuned", "stage_1_only", "stage_2_only")
    rows = [answers("proactive", 0.5)]
    rows += [answers(arm, shares[one]) for arm, one in zip(controls, found, strict=False) if one in shares]
    contrasts = [Declared("F02", Side("proactive"), Side(arm)) for arm, _ in zip(controls, found, strict=False)]
    extra = [Declared("F02", Side("proactive"), Side("homogeneous"), decides=how) for how in (IF_RUN, SHOWN)]
    declare(monkeypatch, *contrasts, *extra)
    monkeypatch.setattr("pbb.analysis.board._records", lambda folder, figure: pd.concat(rows))
    (row,) = board(tmp_path).claims.to_dict("records")
    assert (row["verdict"], row["supported"]) == (word, f"{found.count('supported')} of {len(found)}")

    rows.append(answers("homogeneous", 0.9))
    (row,) = board(tmp_path).claims.to_dict("records")
    assert row["verdict"] == "contradicted", "IF_RUN counts once it was run"
    declare(monkeypatch, *contrasts, extra[1])
    (row,) = board(tmp_path).claims.to_dict("records")
    assert row["verdict"] == word, "SHOWN never counts"


def test_what_one_instruction_is_worth_is_shown_beside_its_claim(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    shares = {1: 0.15, 2: 0.3, 4: 0.45, 7: 0.7, 9: 0.8}
    rows = [answers("proactive", 0.55)]
    rows += [answers("distillation", share, demonstrations=count) for count, share in shares.items()]
    records = pd.concat(rows).assign(held_out=True)
    monkeypatch.setattr("pbb.analysis.board._records", lambda folder, figure: records if figure == "F08" else None)
    found = board(tmp_path).claims.set_index("claim").loc["C6"]
    assert found["verdict"] == "supported"
    worth = re.match(r"worth ([\d.]+) \[([\d.<]+), ([\d.>]+)\] demonstrations; \+\d\d \[", found["value"])
    assert worth
    assert 4 < float(worth[1]) < 7
    assert found["decided by"].startswith("Proactive-PBB, CoT > Algorithm distillation, CoT, 1 demonstration;")
    assert found["paper"].startswith("up to 100")


def test_to_add_a_claim_is_to_add_an_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    new = Claim("C13", "Sources help.", "nobody", (Declared("F02", Side("proactive"), Side("untuned")),), "It may.")
    monkeypatch.setattr(claims, "CLAIMS", (CLAIMS[0], new))
    found = board(REFERENCE)
    assert found.claims["claim"].iloc[-1] == "C13"
    assert "| C13 | Sources help. | F02 | **supported** (1 of 1; seeds: 3)" in page(ROOT, [found])


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


def test_presets_stand_side_by_side(committed: Board, tmp_path: Path) -> None:
    """A second preset, which has two figures alone, of another model."""
    for preset, names in (("cpu", ("F01", "F02", "F05")), ("llm", ("F01", "F02"))):
        for name in names:
            (source,) = REFERENCE.glob(f"{name}_*")
            target = tmp_path / "figures" / "reference" / preset / source.name
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("figure.*"))
            fields = {"preset": preset, "model": "tiny-m" if preset == "cpu" else "owner/some-model"}
            entry = write_records(target, load_records(source).assign(**fields))
            write_manifest(target, (read_manifest(source) or {}) | {"preset": preset, "records": entry})
    folders = [tmp_path / "figures" / "reference" / preset for preset in ("cpu", "llm")]
    both = [board(folder) for folder in folders]
    text = page(tmp_path, both)
    pictures = [
        rf"!\[F02: [^|]*preset {preset}\]\(figures/reference/{preset}/F02_curricula/figure.png\)"
        for preset in ("cpu", "llm")
    ]
    assert re.search(rf"\| `cpu` \| `llm` \|\n\| --- \| --- \|\n\| {pictures[0]} \| {pictures[1]} \|", text)
    assert re.search(r"\| !\[F05: .*\) \| not run \|", text)
    assert "### F03" not in text
    assert "Arithmetic, owner/some-model, 1 statement" in text
    assert "|  | claim | figures | preset `cpu` | preset `llm` | the paper's value |" in text
    (c3,) = re.findall(r"^\| C3 \|.*$", text, re.MULTILINE)
    assert re.search(
        r"\| F05 \| \*\*\w+ ?\w*\*\* \(\d+ of \d+; seeds: 3\)<br>.* \| \*\*not run\*\* \(0 of \d+\) \|", c3
    )
    (c1,) = re.findall(r"^\| C1 \|.*$", text, re.MULTILINE)
    assert c1.count("**supported** (9 of 9; seeds: 3)") == 2, "the same answers, judged twice"


def test_one_command_prints_the_board(
    committed: Board, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pbb.analysis.board.board", lambda folder: committed)
    assert cli.main(["claims", "--preset", "cpu"]) == 0
    printed = capsys.readouterr().out
    assert printed == render(committed) + "\n"
    assert max(map(len, printed.splitlines())) <= 100
    for row in committed.claims.to_dict("records"):
        assert re.search(rf"^{row['claim']} +{row['verdict']} \({row['supported']} contrasts", printed, re.MULTILINE)


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


def test_points() -> None:
    row = {"difference": 0.244, "low": -0.031, "high": 0.5}
    assert points(row) == "+24 [−3, +50]"
    assert points(row | {"difference": float("nan")}) == "–"


def test_the_notebook_never_loads_torch() -> None:
    code = (
        "import sys, nbformat; cells = nbformat.read(sys.argv[1], as_version=4).cells; "
        "names = {}; [exec(cell.source, names) for cell in cells if cell.cell_type == 'code']; "
        "heavy = {'torch', 'transformers', 'trl'} & sys.modules.keys(); assert not heavy, heavy"
    )
    command = [sys.executable, "-c", code, str(ROOT / "notebooks" / "99_claims.ipynb")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert "Preset cpu: " in done.stdout


def test_every_verdict_has_its_place_in_the_order() -> None:
    assert {*WORST_FIRST} == {"contradicted", "not supported", NO_VERDICT, "not run", "supported"}
    assert MODES.keys() >= {side.mode for claim in CLAIMS for one in claim.contrasts for side in one.sides}
