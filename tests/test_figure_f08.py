"""F08: demonstrations that a source is worth, their interval, and what Stage 1 cost."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from synthetic_records import INPUTS, synthetic_records

from pbb.analysis.statistics import accuracy
from pbb.analysis.tables import crossing
from pbb.figures import FIGURES
from pbb.records import RecordsError, validate

F08 = FIGURES["F08"]
caption, cells, draw, headline, select, table = F08.caption, F08.cells, F08.draw, F08.headline, F08.select, F08.table

CURVE = {1: (0.3, 0.15), 2: (0.45, 0.2), 4: (0.6, 0.3), 7: (0.8, 0.4), 9: (0.95, 0.5)}


def distilled(count: int, planted: tuple[float, float], **options: int) -> pd.DataFrame:
    """AD's records: the programs that other arms have w/o IO, asked on the inputs that training did not show."""
    rows = synthetic_records(("homogeneous",), planted={"homogeneous": planted}, checkpoints=(1.0,), **options)
    rows = rows[(rows["group"] == "w/o IO") & ~rows["input"].isin(INPUTS[:count]) & (rows["answer_mode"] != "recite")]
    names = rows["experiment"].str[:10] + f"{count:02}"
    steps = rows["completion"].str.replace(r"(?m)^(return|x =) ", "", regex=True)  # as values, without the source
    rows = rows.assign(completion=steps, experiment=names)
    return rows.assign(curriculum="distillation", group="AD", demonstrations=count)


def efficiency(told: tuple[float, float] = (0.7, 0.1), **options: int) -> pd.DataFrame:
    arms = synthetic_records(
        ("proactive", "stage_1_only"), planted={"proactive": told}, checkpoints=(1.0,), chance=0.05, **options
    )
    return validate(pd.concat([arms, *(distilled(count, planted, **options) for count, planted in CURVE.items())]))


@pytest.fixture(scope="module")
def records() -> pd.DataFrame:
    return efficiency(seeds=1, programs=40)


def test_only_answers_on_inputs_never_shown_count(records: pd.DataFrame) -> None:
    rows = select(records)
    assert rows["held_out"].all()
    assert set(rows["group"]) == {"AD", "w/o IO"}
    ad = rows[rows["curriculum"] == "distillation"]
    assert ad.groupby("demonstrations")["input"].nunique().to_dict() == {1: 9, 2: 8, 4: 6, 7: 3, 9: 1}
    shown = records.assign(held_out=records["group"] != "AD")
    assert set(select(shown)["group"]) == {"w/o IO"}, "answers on shown inputs are nobody's accuracy"


def test_points_are_accuracies_by_demonstrations(records: pd.DataFrame) -> None:
    drawn = table(records)
    curve = drawn[(drawn["arm"] == "distillation") & (drawn["answer_mode"] == "cot")].set_index("x")
    assert list(curve.index) == [1, 2, 4, 7, 9]
    assert np.abs(curve["estimate"] - [planted[0] for planted in CURVE.values()]).max() < 0.15
    assert ((curve["low"] < curve["estimate"]) & (curve["estimate"] < curve["high"])).all()
    assert set(drawn["arm"]) == {"distillation", "proactive", "stage_1_only", "chance", "crossing"}
    line = drawn[(drawn["arm"] == "proactive") & (drawn["answer_mode"] == "cot")]
    mine = records[(records["curriculum"] == "proactive") & (records["answer_mode"] == "cot")]
    mine = mine[(mine["group"] == "w/o IO") & (mine["progress"] == 1)]
    assert line["estimate"].tolist() == accuracy(mine)["estimate"].tolist()


def test_the_crossing_is_where_the_curve_meets_the_line(records: pd.DataFrame) -> None:
    found = crossing(records, "cot")
    assert 4 < found.estimate < 7, "0.7 lies between 0.6 at 4 and 0.8 at 7"
    assert found.low < found.estimate < found.high
    assert (found.programs, found.seeds, found.fewest, found.most) == (40, 1, 1, 9)
    row = table(records).query("arm == 'crossing' and answer_mode == 'cot'").iloc[0]
    assert (row["estimate"], row["low"], row["high"]) == (found.estimate, found.low, found.high)
    assert str(found) in caption(records)


def test_a_curve_that_starts_above_or_never_arrives_is_censored(records: pd.DataFrame) -> None:
    low = crossing(records, "direct")
    assert (low.estimate, str(low)[:2]) == (0, "<1"), "PBB at its control's level is worth no demonstration"
    high = crossing(efficiency(told=(1.0, 0.1), seeds=1, programs=40), "cot")
    assert (high.high, str(high)[-3:]) == (np.inf, ">9]")


def test_a_planted_reversal_moves_the_crossing() -> None:
    few, many = (crossing(efficiency((told, 0.1), seeds=1, programs=30), "cot").estimate for told in (0.4, 0.85))
    assert few < 3 < 6 < many


def test_the_crossing_refuses_what_it_cannot_compare(records: pd.DataFrame) -> None:
    with pytest.raises(RecordsError, match=r"no cot answers of 'proactive'"):
        crossing(records[records["curriculum"] == "distillation"], "cot")
    with pytest.raises(RecordsError, match="one panel at a time"):
        crossing(pd.concat([records, records.assign(model="tiny-s")]), "cot")


def test_the_cost_of_stage_1_comes_from_the_records(records: pd.DataFrame) -> None:
    said = caption(records)
    assert "PBB needs Stage 1 first: 2,000,000 tokens with 5,600 demonstrations (7 of each of 800 w/ IO" in said
    assert "140 for each of the 40 programs then told; telling them took 2,000,000 tokens" in said
    assert "AD needs no Stage 1: 4,000,000 tokens" in said
    assert "Stage 1 first: 1,000,000 tokens" in caption(records.assign(tokens=records["tokens"] // 2))
    assert "AD needs no Stage 1" not in caption(records[records["curriculum"] != "distillation"])


def test_headline_values_name_their_demonstrations(records: pd.DataFrame) -> None:
    names = [value.what for value in cells(records)]
    assert "Algorithm distillation, CoT, 1 demonstration" in names
    assert "Algorithm distillation, Direct, 9 demonstrations" in names
    assert {"Proactive-PBB, CoT", "Stage 1 only, Direct"} <= set(names)
    assert len(names) == 2 * (5 + 2)
    assert headline(records)["questions"].min() == 40, "one held-out input a program beside nine that were shown"


def test_the_worth_is_said_above_its_panel(records: pd.DataFrame) -> None:
    assert draw(records).axes[0].get_title("left") == f"a  CoT: worth {crossing(records, 'cot')} demonstrations"


def test_pairs_of_input_and_output_stand_against_both_ways_that_pbb_answers(records: pd.DataFrame) -> None:
    pairs = records[(records["curriculum"] != "distillation") | (records["answer_mode"] == "direct")]
    found = crossing(pairs, "cot")
    assert found.estimate > 7, "0.7 is above all but the last of the direct answers"
    assert crossing(pairs, "direct") == crossing(records, "direct")
    said = caption(pairs)
    assert "the same curve stands against PBB's answers by CoT and against its direct ones" in said
    assert "quotes the source" not in said
    drawn = table(pairs)
    assert set(drawn.loc[drawn["arm"] == "crossing", "answer_mode"]) == {"cot", "direct"}
    figure = draw(pairs)
    heights = [
        [line.get_ydata().tolist() for line in axes.lines if len(line.get_xdata()) == len(CURVE)]
        for axes in figure.axes[:2]
    ]
    assert heights[0] == heights[1] != []


def test_demonstrations_that_quote_the_source_say_nothing_of_its_worth(records: pd.DataFrame) -> None:
    told = records["completion"].where(records["curriculum"] != "distillation", "return " + records["completion"])
    quoting = records.assign(completion=told)
    assert "A demonstration by CoT quotes the source" in caption(quoting)
    assert set(table(quoting).loc[lambda drawn: drawn["arm"] == "crossing", "answer_mode"]) == {"direct"}
    assert draw(quoting).axes[0].get_title("left") == "a  CoT"
