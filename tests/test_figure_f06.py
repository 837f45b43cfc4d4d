"""F06: Stage 2 alone, from its start, by questions and by tokens; SFT after as many questions as GRPO."""

from __future__ import annotations

import pandas as pd
import pytest
from synthetic_records import synthetic_records, words

from pbb.analysis.statistics import accuracy
from pbb.analysis.tables import matched
from pbb.figures import FIGURES, style

F06 = FIGURES["F06"]
caption, cells, draw, headline, select, table = F06.caption, F06.cells, F06.draw, F06.headline, F06.select, F06.table

ARMS = ("retroactive", "retroactive_grpo", "skip_exposure", "grpo_without_pbb", "no_demonstrations")
CHECKPOINTS = (0.0625, 0.125, 0.25, 0.5, 1.0)
PANEL_NAME = "Arithmetic, tiny-m, 1 statement"


def retroactive(**options: object) -> pd.DataFrame:
    return synthetic_records(ARMS, **{"seeds": 1, "programs": 15, "checkpoints": CHECKPOINTS} | options)


@pytest.fixture(scope="module")
def records() -> pd.DataFrame:
    return retroactive(seeds=2)


def line(drawn: pd.DataFrame, arm: str, mode: str = "cot") -> pd.DataFrame:
    mine = drawn[(drawn["arm"] == arm) & (drawn["answer_mode"] == mode) & (drawn["group"] == "w/o IO")]
    return mine.sort_values("x", ignore_index=True)


def test_only_stage_2_and_where_stage_1_ended_are_drawn(records: pd.DataFrame) -> None:
    others = synthetic_records(("proactive", "untuned"), seeds=1, programs=3)
    rows = select(pd.concat([records, others], ignore_index=True))
    assert set(rows["curriculum"]) == set(ARMS)
    assert set(rows["answer_mode"]) == {"cot", "direct"}
    assert set(rows.loc[rows["stage"] == 1, "step"]) == {400}, "of Stage 1, its end alone"
    assert set(rows.loc[rows["stage"] == 2, "step"]) == {25, 50, 100, 200, 400}
    assert set(rows.loc[rows["group"] == "w/ IO", "curriculum"]) == {"retroactive", "retroactive_grpo"}


def test_a_line_starts_at_nothing_and_counts_what_stage_2_took(records: pd.DataFrame) -> None:
    drawn = table(records)
    for arm, questions in (("retroactive", 20_000), ("retroactive_grpo", 2_000)):
        mine = line(drawn, arm)
        assert mine["x"].tolist() == [0.0, *(questions * share for share in CHECKPOINTS)]
        assert mine["tokens"].tolist() == [0, *(int(2e6 * share) for share in CHECKPOINTS)]
        end = records[(records["curriculum"] == arm) & (records["progress"] == 1) & (records["group"] == "w/o IO")]
        measured = ["estimate", "low", "high"]
        assert mine[measured].iloc[-1].tolist() == accuracy(end[end["answer_mode"] == "cot"])[measured].iloc[0].tolist()
    (start,) = line(drawn, "no_demonstrations").to_dict("records")
    assert (start["x"], start["tokens"], start["stage"]) == (0, 0, 1)
    assert (drawn["arm"] == "chance").sum() == 1


def test_seeds_meet_at_a_checkpoint_though_they_saw_other_numbers_of_tokens(records: pd.DataFrame) -> None:
    longer = records.assign(tokens=records["tokens"] + records["seed"] * (records["stage"] == 2) * 1000)
    drawn = line(table(longer), "retroactive_grpo")
    assert len(drawn) == 1 + len(CHECKPOINTS)
    assert set(drawn["seeds"]) == {2}
    assert drawn["tokens"].tolist()[1] == 125_500, "the mean over seeds"


def test_sft_is_matched_to_grpo_by_questions_or_not_at_all(records: pd.DataFrame) -> None:
    equal = matched(records)
    assert set(equal["curriculum"]) == {"retroactive"}
    assert set(equal["step"]) == {50}, "an eighth of 20,000 is nearest to 2,000"
    assert set(equal["seed"]) == {0, 1}
    grpo = records["curriculum"] == "retroactive_grpo"
    many = records["questions_trained"].where(~grpo, records["questions_trained"] * 1000)
    assert matched(records.assign(questions_trained=many)).empty
    assert matched(records[~grpo]).empty
    few = {*map(str, cells(records[~grpo]))}
    assert f"Retroactive-PBB (SFT), CoT; {PANEL_NAME}" in few
    assert not [name for name in few if "as many questions" in name]


def test_a_planted_reversal_reverses_the_headline() -> None:
    def gaps(planted: dict[str, tuple[float, float]]) -> tuple[float, float]:
        head = headline(retroactive(planted=planted, programs=25)).set_index("name")["estimate"]
        grpo = head[f"Retroactive-PBB (GRPO), CoT; {PANEL_NAME}"]
        sft = [
            head[f"Retroactive-PBB (SFT), CoT{when}; {PANEL_NAME}"]
            for when in ("", ", after as many questions as GRPO")
        ]
        return grpo - sft[0], grpo - sft[1]

    end, equal = gaps({"retroactive": (0.9, 0.2), "retroactive_grpo": (0.6, 0.2)})
    assert end < -0.15, "SFT ends above"
    assert equal > 0.15, "and is below after as many questions"
    assert max(gaps({"retroactive": (0.9, 0.2), "retroactive_grpo": (0.12, 0.12)})) < 0


def test_the_picture_shows_every_arm_twice(records: pd.DataFrame) -> None:
    figure = draw(records)
    assert " ".join(caption(records).split()[:8]) in " ".join(words(figure).split())
    assert "n = 300 questions on 30 programs a point (2 seeds)" in caption(records)
    assert len(figure.axes) == 4, "CoT and direct, by questions and by tokens"
    for axes, column in zip(figure.axes[:2], ("x", "tokens"), strict=True):
        for arm in ARMS:
            look = style.ARMS[arm]
            (drawn,) = [
                each for each in axes.get_lines() if (each.get_marker(), each.get_color()) == (look.marker, look.color)
            ]
            mine = line(table(records), arm)
            assert drawn.get_xdata().tolist() == mine[column].tolist()
            assert drawn.get_ydata().tolist() == mine["estimate"].tolist()
        left, right = axes.get_xlim()
        assert left < 0
        assert right > table(records)[column].max()
    labels = {text.get_text() for text in figure.legends[0].get_texts()}
    assert {style.ARMS[arm].label for arm in ARMS} < labels
    cot = draw(records[records["answer_mode"] == "cot"])
    assert len(cot.axes) == 2
    assert style.ARMS["retroactive_grpo"].label not in words(draw(records[records["curriculum"] == "retroactive"]))


def test_grpo_after_some_sft_begins_where_that_ended(records: pd.DataFrame) -> None:
    rewarded = records["curriculum"].isin(["retroactive_grpo", "grpo_without_pbb"])
    grpo, later = records[rewarded], records[rewarded & (records["stage"] == 2)]
    start = grpo[(grpo["stage"] == 1) & (grpo["step"] == 400)]
    shown = {"tokens": start["tokens"] + 50_000, "questions_trained": start["questions_trained"] + 3000}
    warm = start.assign(stage=2, step=150, **shown)
    later = later.assign(stage=3, tokens=later["tokens"] + 50_000, questions_trained=later["questions_trained"] + 3000)
    begun = grpo[grpo["stage"] < 2]
    warmed = pd.concat([records[~rewarded], begun, warm, later], ignore_index=True)
    drawn = line(table(warmed), "retroactive_grpo")
    assert drawn["stage"].tolist() == [1, 2, *(3 for _ in CHECKPOINTS)]
    assert drawn["x"].tolist() == [0, 3000, *(3000 + 2000 * share for share in CHECKPOINTS)]
    assert "GRPO follows on 150 steps of SFT: its lines begin there." in caption(warmed)
    assert "GRPO follows on" not in caption(records)
    look = style.ARMS["retroactive_grpo"]
    (curve,) = [
        each
        for each in draw(warmed).axes[0].get_lines()
        if (each.get_marker(), each.get_color()) == (look.marker, look.color)
    ]
    assert curve.get_xdata().tolist() == drawn["x"].tolist()[1:], "what comes before is SFT's"
    assert set(matched(warmed)["step"]) == {100}, "a quarter of 20,000 is nearest to 3,000 + 2,000"
