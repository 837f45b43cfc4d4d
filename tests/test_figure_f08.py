"""F08: demonstrations that a source is worth, their interval, and what Stage 1 cost."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from synthetic_records import INPUTS, synthetic_records

from pbb.analysis.statistics import Crossing, accuracy
from pbb.analysis.tables import crossings
from pbb.arms import ARMS
from pbb.figures import FIGURES, style
from pbb.records import validate

F08 = FIGURES["F08"]
caption, cells, draw, headline, select, table = F08.caption, F08.cells, F08.draw, F08.headline, F08.select, F08.table

KINDS = ("distillation", "distillation_after_stage_1", "distillation_values", "distillation_traces")
# What AD answers right in the way that it was shown, and in the other: in traces, by CoT and directly.
CURVE = {1: (0.3, 0.15), 2: (0.45, 0.2), 4: (0.6, 0.3), 7: (0.8, 0.4), 9: (0.95, 0.5)}


def distilled(kind: str, count: int, planted: tuple[float, float], **options: int) -> pd.DataFrame:
    """AD's records: the programs that other arms have w/o IO, asked on the inputs that training did not show."""
    shown = planted[::-1] if ARMS[kind].demonstrated == ("direct",) else planted
    rows = synthetic_records(("homogeneous",), planted={"homogeneous": shown}, checkpoints=(1.0,), **options)
    rows = rows[(rows["group"] == "w/o IO") & ~rows["input"].isin(INPUTS[:count])]
    rows = rows[rows["answer_mode"].isin(ARMS[kind].asked or ("cot", "direct"))]
    names = f"{KINDS.index(kind)}" + rows["experiment"].str[1:10] + f"{count:02}"
    return rows.assign(experiment=names, curriculum=kind, group="AD", demonstrations=count)


def efficiency(told: tuple[float, float] = (0.7, 0.4), **options: int) -> pd.DataFrame:
    arms = synthetic_records(
        ("proactive", "stage_1_only"), planted={"proactive": told}, checkpoints=(1.0,), chance=0.05, **options
    )
    shown = (distilled(kind, count, planted, **options) for kind in KINDS for count, planted in CURVE.items())
    return validate(pd.concat([arms, *shown]))


def crossing(records: pd.DataFrame, asked: str) -> Crossing:
    """Where the paper's distillation reaches PBB's answers by `asked`."""
    (found,) = (found for _, arm, mode, found in crossings(records) if (arm, mode) == ("distillation", asked))
    return found


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
    curve = drawn[(drawn["arm"] == "distillation") & (drawn["answer_mode"] == "direct")].set_index("x")
    assert list(curve.index) == [1, 2, 4, 7, 9]
    assert np.abs(curve["estimate"] - [planted[0] for planted in CURVE.values()]).max() < 0.15
    assert ((curve["low"] < curve["estimate"]) & (curve["estimate"] < curve["high"])).all()
    crossed = {"distillation, crossing", "distillation_after_stage_1, crossing"}
    assert set(drawn["arm"]) == {*KINDS, "proactive", "stage_1_only", "chance", *crossed}
    line = drawn[(drawn["arm"] == "proactive") & (drawn["answer_mode"] == "cot")]
    mine = records[(records["curriculum"] == "proactive") & (records["answer_mode"] == "cot")]
    mine = mine[(mine["group"] == "w/o IO") & (mine["progress"] == 1)]
    assert line["estimate"].tolist() == accuracy(mine)["estimate"].tolist()


def test_the_crossing_is_where_the_curve_meets_the_line(records: pd.DataFrame) -> None:
    found = crossing(records, "cot")
    assert 4 < found.estimate < 7, "0.7 lies between 0.6 at 4 and 0.8 at 7"
    assert found.low < found.estimate < found.high
    assert (found.programs, found.seeds, found.fewest, found.most) == (40, 1, 1, 9)
    row = table(records).query("arm == 'distillation, crossing' and answer_mode == 'cot'").iloc[0]
    assert (row["estimate"], row["low"], row["high"]) == (found.estimate, found.low, found.high)
    assert str(found) in caption(records)


def test_a_curve_that_starts_above_or_never_arrives_is_censored() -> None:
    low = crossing(efficiency((0.7, 0.1), seeds=1, programs=40), "direct")
    assert (low.estimate, str(low)[:2]) == (0, "<1")
    high = crossing(efficiency(told=(1.0, 0.1), seeds=1, programs=40), "cot")
    assert (high.high, str(high)[-3:]) == (np.inf, ">9]")


def test_a_planted_reversal_moves_the_crossing() -> None:
    few, many = (crossing(efficiency((told, 0.1), seeds=1, programs=30), "cot").estimate for told in (0.4, 0.85))
    assert few < 3 < 6 < many


def test_the_cost_of_stage_1_comes_from_the_records(records: pd.DataFrame) -> None:
    said = caption(records)
    assert "PBB needs Stage 1 first: 2,000,000 tokens with 20,000 executions (on 7 inputs of each of 800 w/ IO" in said
    assert "500 for each of the 40 programs then told; telling them took 2,000,000 tokens" in said
    for label, draws in (("Algorithm distillation", 1000), ("Distillation after Stage 1", 500)):
        assert f"{label} takes 4,000,000 tokens at each point, {draws} draws from a program's demonstrations" in said
    assert "Stage 1 first: 1,000,000 tokens" in caption(records.assign(tokens=records["tokens"] // 2))
    assert "Algorithm distillation takes" not in caption(records[records["curriculum"] != "distillation"])
    assert "demonstrations (one seed)." in said
    assert "(one seed)" not in caption(efficiency(seeds=2, programs=20))


def test_headline_values_name_their_demonstrations(records: pd.DataFrame) -> None:
    names = [value.what for value in cells(records)]
    assert "Algorithm distillation, Direct, 1 demonstration" in names
    assert "Distillation by values, CoT, 9 demonstrations" in names
    assert {"Proactive-PBB, CoT", "Stage 1 only, Direct"} <= set(names)
    assert len(names) == 5 * (1 + 1 + 2 + 2) + 2 * 2
    assert headline(records)["questions"].min() == 40, "one held-out input a program beside nine that were shown"


def test_the_worth_is_said_above_its_panel(records: pd.DataFrame) -> None:
    assert draw(records).axes[0].get_title("left") == f"a  CoT: worth {crossing(records, 'cot')} demonstrations"


def test_a_source_that_taught_nothing_is_worth_no_demonstrations() -> None:
    records = efficiency((0.7, 0.05), seeds=1, programs=40)
    crossed = table(records)[lambda rows: rows["arm"].str.contains("crossing")]
    assert {*crossed["answer_mode"]} == {"cot"}
    assert draw(records).axes[1].get_title("left") == "b  Direct: PBB is at its control"
    assert "Direct: Algorithm distillation reaches" not in caption(records)


def test_each_kind_stands_where_it_was_asked_for_what_it_was_shown(records: pd.DataFrame) -> None:
    drawn = table(records)
    crossed = [f"{curve}, crossing" for curve in KINDS[:2]]
    assert set(drawn.loc[drawn["arm"].str.contains("crossing"), "arm"]) == set(crossed)
    assert all({*drawn.loc[drawn["arm"] == arm, "answer_mode"]} == {"cot", "direct"} for arm in crossed)
    asked = [("direct", "direct"), ("direct", "direct"), ("cot", None), ("cot", "direct")]  # in (a), in (b)
    figure = draw(records)
    for axes, modes in zip(figure.axes[:2], zip(*asked, strict=True), strict=True):
        heights = [line.get_ydata().tolist() for line in axes.lines if len(line.get_xdata()) == len(CURVE)]
        shown = [
            (drawn["arm"] == kind) & (drawn["answer_mode"] == mode) for kind, mode in zip(KINDS, modes, strict=True)
        ]
        assert heights == [drawn[one].sort_values("x")["estimate"].tolist() for one in shown if one.any()]
    colors = {style.ARMS[kind].color for kind in KINDS}
    assert len(colors) == 4
    (legend,) = figure.legends
    assert colors <= {line.get_color() for line in legend.get_lines()}


def test_in_context_is_drawn_where_it_was_asked(records: pd.DataFrame) -> None:
    ceiling = synthetic_records(("in_context",), checkpoints=(1.0,), seeds=1, programs=40)
    drawn = table(pd.concat([records, ceiling]))
    assert set(drawn.loc[drawn["arm"] == "in_context", "answer_mode"]) == {"in_context_cot", "in_context_direct"}
    assert "In context" in [text.get_text() for text in draw(pd.concat([records, ceiling])).legends[0].get_texts()]
