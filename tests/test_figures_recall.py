"""F12, the source in the prompt against the source in the weights; F14, what is recited against what is run."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from matplotlib.patches import Rectangle
from synthetic_records import synthetic_records

import pbb
from pbb.analysis.statistics import accuracy, contrast
from pbb.figures import FIGURES
from pbb.figures.by_knob import GAP
from pbb.figures.f14_recall import OUTCOMES
from pbb.records import RecordsError

f12, f14 = FIGURES["F12"], FIGURES["F14"]

ARMS = ("proactive", "stage_1_only", "in_context")


@pytest.fixture(scope="module")
def records() -> pd.DataFrame:
    return reciting(synthetic_records(ARMS, seeds=2, programs=10, statements=(1, 2), checkpoints=(1.0,)))


def reciting(rows: pd.DataFrame) -> pd.DataFrame:
    """`rows` with the second turn of recite-then-run: Proactive's has the source in it, the control's another's."""
    recall = rows[(rows["answer_mode"] == "recall") & (rows["progress"] == 1)]
    said = recall.set_index(["experiment", "program"])["completion"]
    recite = rows["answer_mode"] == "recite"
    keys = rows.loc[recite, ["experiment", "program"]].itertuples(index=False, name=None)
    prompts = rows["prompt"].copy()
    prompts[recite] = [f"{said[key]}\n{prompt}" for key, prompt in zip(keys, prompts[recite], strict=True)]
    return rows.assign(prompt=prompts)


def mode(rows: pd.DataFrame, arm: str, answer_mode: str, statements: int = 1) -> pd.DataFrame:
    here = (rows["curriculum"] == arm) & (rows["answer_mode"] == answer_mode) & (rows["statements"] == statements)
    end = rows["progress"] == (0 if arm == "in_context" else 1)
    return rows[here & end & (rows["group"] == "w/o IO")]


def forget(rows: pd.DataFrame, programs: list[str]) -> pd.DataFrame:
    """`rows` in which Proactive recites other lines for `programs`, when asked and before it runs them."""
    mine = (rows["curriculum"] == "proactive") & rows["program"].isin(programs)
    recall, recite = mine & (rows["answer_mode"] == "recall"), mine & (rows["answer_mode"] == "recite")
    out = rows.copy()
    out.loc[recall, ["completion", "parsed", "outcome"]] = ["def f(x): ...", "def f(x): ...", "wrong"]
    out.loc[recite, "prompt"] = "def f(x): ...\nRun it."
    return out


# --------------------------------------------------------------------------------------------------------- F12
def test_the_gap_is_paired_by_question(records: pd.DataFrame) -> None:
    drawn = f12.table(records)
    gaps = drawn[drawn["representation"] == GAP].set_index(["statements", "answer_mode"])
    assert set(gaps.index) == {(length, kind) for length in (1, 2) for kind in ("cot", "recite", "direct")}
    found = contrast(mode(records, "in_context", "in_context_direct", 2), mode(records, "proactive", "direct", 2))
    row = gaps.loc[(2, "direct")]
    assert (row["estimate"], row["low"], row["high"]) == (found.estimate, found.low, found.high)
    assert (row["questions"], row["programs"]) == (200, 20)


def test_f12_shows_control_and_best_guess_at_every_length(records: pd.DataFrame) -> None:
    drawn = f12.table(records)
    points = drawn[drawn["arm"].isin(ARMS) & (drawn["representation"] != GAP) & (drawn["answer_mode"] != "recall")]
    assert len(points) == 2 * (2 + 3 + 2), "in context, Proactive with recite-then-run, control; each at two lengths"
    assert ((points["low"] <= points["estimate"]) & (points["estimate"] <= points["high"])).all()
    assert (drawn["arm"] == "chance").sum() == 2
    assert set(points["answer_mode"]) == {"cot", "direct", "recite", "in_context_cot", "in_context_direct"}


def test_only_exact_recitations_put_the_source_in_the_prompt(records: pd.DataFrame) -> None:
    names = sorted(mode(records, "proactive", "cot")["program"].unique())[:3]
    kept = f12.select(forget(records, names)).query("answer_mode == 'recite' and statements == 1")
    everything = f12.select(records).query("answer_mode == 'recite' and statements == 1")
    assert set(kept["curriculum"]) == {"proactive"}, "the control recites nothing exactly"
    assert len(everything) == 200
    assert set(everything["program"]) - set(kept["program"]) == set(names)
    gap = f12.table(forget(records, names)).query("representation == @GAP and statements == 1")
    by_mode = gap.set_index("answer_mode")["questions"]
    assert by_mode["recite"] == 200 - 10 * len(names)
    assert by_mode["cot"] == 200


def test_a_planted_reversal_turns_the_gap() -> None:
    planted = {"proactive": (0.95, 0.8), "in_context": (0.4, 0.2)}
    frame = synthetic_records(ARMS, seeds=1, programs=15, checkpoints=(1.0,), planted=planted)
    gaps = f12.table(frame).query("representation == @GAP").set_index("answer_mode")
    assert (gaps.loc[["cot", "direct"], "high"] < 0).all()


def test_f12_without_one_side_has_no_gap(records: pd.DataFrame) -> None:
    alone = records[records["curriculum"] == "in_context"]
    assert GAP not in set(f12.table(alone)["representation"])
    assert [axes.get_title("left")[0] for axes in f12.draw(records).axes] == ["a", "b", "c"]
    names = [value.what for value in f12.cells(records)]
    assert {"In context, CoT", "Proactive-PBB, Recite, then run", "Proactive-PBB, Direct"} <= set(names)
    assert "In context, CoT" in {name.partition(";")[0] for name in f12.headline(alone)["name"]}


# --------------------------------------------------------------------------------------------------------- F14
def test_the_shares_add_up(records: pd.DataFrame) -> None:
    drawn = f14.table(forget(records, sorted(mode(records, "proactive", "cot")["program"].unique())[:7]))
    shares = drawn[drawn["arm"] != "chance"].pivot_table(
        "estimate", ["statements", "arm", "answer_mode"], "share", observed=True
    )
    parts = [*OUTCOMES]
    assert np.allclose(shares[parts].sum(axis=1), 1)
    assert np.allclose(shares["runs right"], shares[parts[0]] + shares[parts[3]])
    assert np.allclose(shares["recites"], shares[parts[:3]].sum(axis=1))
    assert len(shares) == 2 * 2 * 3
    assert (drawn["arm"] == "chance").sum() == 2


def test_recall_is_joined_program_by_program(records: pd.DataFrame) -> None:
    """Forgetting programs that run right moves their answers, and no others, to 'without reciting'."""
    cot = mode(records, "proactive", "cot")
    names = sorted(cot["program"].unique())[:4]
    share = f14.table(forget(records, names)).query("arm == 'proactive' and answer_mode == 'cot' and statements == 1")
    share = share.set_index("share")["estimate"]
    mine, right = cot["program"].isin(names), cot["outcome"] == "correct"
    assert share["runs right without reciting"] == pytest.approx((mine & right).mean())
    assert share["cannot recite"] == pytest.approx((mine & ~right).mean())
    assert share["recites and runs right"] == pytest.approx((~mine & right).mean())
    before = f14.table(records).query("arm == 'proactive' and share == 'recites'")
    assert (before["estimate"] == 1).all()


def test_who_slips_in_the_lines_of_the_source_is_told_from_who_runs_others() -> None:
    records = pbb.reference("F14", "cpu").query("curriculum == 'proactive'")
    records = records[(records["statements"] == 2) & (records["seed"] == 0) & (records["progress"] == 1)]
    cot = (records["answer_mode"] == "cot") & (records["group"] == "w/o IO")
    sources = records[records["answer_mode"] == "recall"].set_index("program")["expected"]
    lines = [re.findall(r"(?m)^    (.*)$", sources[name]) for name in records.loc[cot, "program"]]
    traces = {
        "x = x + 1 = 2 + 1 = 3\nreturn x * 0 = 3 * 0 = 0": "recites, wrong in another way",
        "{0} = 1\n{1} = wrong": "recites, runs its own lines wrongly",
        "{1} = 1\n{0} = wrong": "recites, wrong in another way",  # in another order
        "{0} = 1\n{1} + 1 = wrong": "recites, wrong in another way",  # a line that only begins like it
        "{0}\n{1}\nwrong": "recites, wrong in another way",  # recited once more, and not run
    }
    for trace, share in traces.items():
        answers = {"completion": [trace.format(*each) for each in lines], "outcome": "wrong"}
        changed = records.copy()
        changed.loc[cot, list(answers)] = pd.DataFrame(answers, changed.index[cot])
        drawn = f14.table(changed).query("answer_mode == 'cot' and arm == 'proactive'").set_index("share")["estimate"]
        assert drawn[share] == 1, trace
        assert drawn["states its own lines"] == (share == "recites, runs its own lines wrongly")


def test_shares_have_their_own_intervals_and_controls_recite_nothing(records: pd.DataFrame) -> None:
    drawn = f14.table(records)
    bar = drawn.query("arm == 'proactive' and answer_mode == 'cot' and statements == 2").set_index("share")
    ends = ["estimate", "low", "high"]
    assert bar.loc["runs right", ends].tolist() == accuracy(mode(records, "proactive", "cot", 2)).loc[0, ends].tolist()
    assert bar.loc["recites", "low"] < 1, "twenty recitals without a fault are no certainty"
    assert set(drawn.query("arm == 'stage_1_only' and share == 'recites'")["estimate"]) == {0}
    head = f14.headline(records).set_index("name")["estimate"]
    assert head["Stage 1 only, Recall of the source; Arithmetic, tiny-m, 1 statement"] == 0
    assert head["Proactive-PBB, Recall of the source; Arithmetic, tiny-m, 2 statements"] == 1
    assert 0.3 < head["Proactive-PBB, CoT, recites and runs right; Arithmetic, tiny-m, 2 statements"] < 0.95


def test_arms_that_are_not_asked_for_sources_are_left_out(records: pd.DataFrame) -> None:
    rows = f14.select(records)
    assert set(rows["curriculum"]) == {"proactive", "stage_1_only"}
    silent = records[(records["answer_mode"] != "recall") | (records["curriculum"] == "proactive")]
    assert set(f14.select(silent)["curriculum"]) == {"proactive"}
    with pytest.raises(RecordsError, match=r"which shows answers .* by models that were asked for their sources too"):
        f14.draw(records[records["answer_mode"] != "recall"])


def test_bars_are_as_long_as_their_shares(records: pd.DataFrame) -> None:
    figure = f14.draw(records)
    by_arm, by_length = figure.axes
    assert by_arm.get_title("left") == "a  By arm, 1 statement"
    bars = [patch for patch in by_arm.patches if isinstance(patch, Rectangle)]
    assert len(bars) == 2 * 3 * 5, "two arms, three modes, five shares"
    cot = f14.table(records).query("arm == 'proactive' and answer_mode == 'cot' and statements == 1").set_index("share")
    assert [bar.get_width() for bar in bars[:5]] == [cot.loc[name, "estimate"] for name in OUTCOMES]
    headings = [text.get_text() for text in by_length.texts if "statement" in text.get_text()]
    assert headings == [
        f"{arm}, {n}" for arm in ("Proactive-PBB", "Stage 1 only") for n in ("1 statement", "2 statements")
    ]
    assert len(f14.draw(records[records["statements"] == 1]).axes) == 1
