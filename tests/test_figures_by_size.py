"""F03, F04, F09 and F10: each value of a knob is a point of its own, read against its control, ceiling and guess."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest
from matplotlib.figure import Figure
from synthetic_records import synthetic_records, words

from pbb.analysis.claims import NOT_AVAILABLE
from pbb.analysis.statistics import contrast
from pbb.analysis.tables import TABLE, parameters
from pbb.figures import FIGURES, style
from pbb.figures.by_knob import GAP
from pbb.figures.io import beside_paper, compare, save_figure
from pbb.records import RecordsError

ARMS = ("proactive", "stage_1_only", "in_context")
MODELS = ("tiny-s", "tiny-sm", "tiny-m")
MINE = ("F03", "F04", "F09", "F10")


def at(cot: float = 0.8, direct: float = 0.3, arms: tuple[str, ...] = ARMS, seeds: int = 1, **fields) -> pd.DataFrame:
    """Records of `arms` whose experiments have `fields`; `cot` and `direct` are planted for Proactive."""
    planted = {"proactive": (cot, direct)}
    frame = synthetic_records(arms, seeds=seeds, programs=5, checkpoints=(1.0,), planted=planted)
    tag = "".join(map(str, fields.values()))
    return frame.assign(experiment=frame["experiment"] + tag, **fields)


def scale(form: str = "code", less: float = 0.0, models: tuple[str, ...] = MODELS) -> pd.DataFrame:
    grows = dict(zip(MODELS, (0.4, 0.7, 0.95), strict=True))
    return pd.concat([at(grows.get(m, 0.95) - less, model=m, representation=form) for m in models], ignore_index=True)


def counts(*numbers: int) -> pd.DataFrame:
    return pd.concat([at(0.2 + n / 4000, with_io_programs=n) for n in numbers], ignore_index=True)


@pytest.fixture(scope="module")
def records() -> dict[str, pd.DataFrame]:
    """Each figure's own records."""
    return {
        "F03": scale(),
        "F04": pd.concat([scale(), scale("description", 0.2)], ignore_index=True),
        "F09": counts(200, 800, 2400),
        "F10": pd.concat([at(0.3 + n / 40, templates=n) for n in (1, 4, 20)], ignore_index=True),
    }


def ticks(figure: Figure) -> list[str]:
    return [label.get_text() for label in figure.axes[0].get_xticklabels()]


# -------------------------------------------------------------------------------------- values and points
@pytest.mark.parametrize(("figure", "column"), [("F03", "model"), ("F09", "with_io_programs"), ("F10", "templates")])
def test_a_point_is_one_value_of_the_knob(figure: str, column: str, records: dict[str, pd.DataFrame]) -> None:
    rows = records[figure]
    table = FIGURES[figure].table(rows)
    assert list(table.columns) == TABLE
    mine = table[(table["arm"] == "proactive") & (table["answer_mode"] == "cot")]
    assert len(mine) == rows[column].nunique() == 3
    asked = rows[(rows["curriculum"] == "proactive") & (rows["answer_mode"] == "cot") & (rows["group"] == "w/o IO")]
    asked = asked[asked["progress"] == 1]
    shares = (asked["outcome"] == "correct").groupby(asked[column]).mean()
    found = dict(zip(mine["model"] if column == "model" else mine["x"], mine["estimate"], strict=True))
    assert found == pytest.approx(shares.to_dict())


@pytest.mark.parametrize("figure", MINE)
def test_every_point_has_its_interval_and_what_it_is_read_against(
    figure: str, records: dict[str, pd.DataFrame]
) -> None:
    table = FIGURES[figure].table(records[figure])
    measured = table[~table["arm"].isin(["chance", "copy"]) & (table["representation"] != GAP)]
    assert measured.drop(columns="x").notna().all(axis=None)
    assert (measured["low"] < measured["high"]).all()
    points = 6 if figure == "F04" else 3
    for arm, modes in (("stage_1_only", ("cot", "direct")), ("in_context", ("in_context_cot", "in_context_direct"))):
        for mode in modes:
            assert len(measured[(measured["arm"] == arm) & (measured["answer_mode"] == mode)]) == points
    assert (table["arm"] == "chance").sum() == points


def test_headline_values_are_named_by_the_knob(records: dict[str, pd.DataFrame], tmp_path: Path) -> None:
    expected = {
        "F03": "Proactive-PBB, Direct; Arithmetic, tiny-m, 1 statement",
        "F04": "Proactive-PBB, CoT; Arithmetic, tiny-s, 1 statement, description",
        "F09": "Stage 1 only, Recite, then run; Arithmetic, tiny-m, 1 statement, 2,400 w/ IO programs",
        "F10": "Proactive-PBB, Recall of the source; Arithmetic, tiny-m, 1 statement, 1 template",
    }
    for figure, name in expected.items():
        assert name in {*map(str, FIGURES[figure].cells(records[figure]))}
    beside = beside_paper("F09", records["F09"])
    assert set(beside["paper"]) == {NOT_AVAILABLE}
    assert list(beside["arm"]) == ["Proactive-PBB", "Stage 1 only"] * 3
    mine = save_figure("F09", records["F09"], tmp_path / "cpu" / "F09_program_count", {})
    shutil.copytree(mine, tmp_path / "reference" / "cpu" / "F09_program_count")
    same = compare("cpu", tmp_path)
    assert set(same["verdict"]) == {"exact"}
    assert len(same) == 18, "three modes of the arm and of its control, at three numbers"


def test_what_is_about_something_else_or_differs_in_more_than_the_knob_is_refused(records: dict) -> None:
    for figure in MINE:
        other = records[figure].assign(demonstrations=2, experiment=lambda rows: rows["experiment"] + "2")
        with pytest.raises(RecordsError, match=r"demonstrations: these records hold \[2, 7\] for one curriculum"):
            FIGURES[figure].draw(pd.concat([records[figure], other]))
    rows = synthetic_records(("untuned", "no_demonstrations"), seeds=1, programs=5, checkpoints=(1.0,))
    with pytest.raises(RecordsError, match=r"shows w/o IO programs, asked of homogeneous, .*, in_context"):
        FIGURES["F10"].draw(rows)


# ------------------------------------------------------------------------------------------------ the axis
def test_models_stand_in_order_of_size_with_those_of_unknown_size_last() -> None:
    models = ("tiny-m", "owner/nameless", "meta-llama/Llama-3.2-1B-Instruct", "smollm2-135m", "tiny-s")
    shown = ticks(FIGURES["F03"].draw(scale(models=models)))
    assert shown == [
        f"tiny-s\n{parameters('tiny-s') / 1e6:.1f} M",
        f"tiny-m\n{parameters('tiny-m') / 1e6:.1f} M",
        "smollm2-\n135m\n135 M",
        "Llama-\n3.2-1B-\nInstruct\n1 B",
        "nameless",
    ]


def test_sizes_of_models_are_what_their_name_says_or_unknown() -> None:
    said = {"Qwen/Qwen3-14B": 14e9, "smollm2-135m": 135e6, "owner/x-1.5B-chat": 1.5e9}
    assert {name: parameters(name) for name in said} == said
    assert all(pd.isna(parameters(name)) for name in ("mixtral-8x7B", "v2.1beta", "/models/own"))


def test_numbers_stand_on_a_log_scale_and_a_variants_own_are_added(records: dict[str, pd.DataFrame]) -> None:
    variant = counts(50, 200, 800).assign(preset="custom")
    figure = FIGURES["F09"].draw(variant, records["F09"], variant="fifty too")
    assert ticks(figure) == ["50", "200", "800", "2,400"]
    assert "fifty too committed reference" in words(figure)
    at_tick = figure.axes[0].get_xticks()
    assert at_tick[1] - at_tick[0] == pytest.approx(at_tick[2] - at_tick[1]), "50 to 200 is as far as 200 to 800"
    close = ticks(FIGURES["F09"].draw(counts(200, 2400, 2500)))
    assert close == ["200", "2,400", "\n2,500"], "labels that would touch"


# --------------------------------------------------------------------------------------------- F04's gap
def test_the_gap_is_code_minus_description_paired_by_program(records: dict[str, pd.DataFrame]) -> None:
    rows = records["F04"]
    table = FIGURES["F04"].table(rows)
    gaps = table[(table["representation"] == GAP) & (table["arm"] == "proactive")].set_index(["model", "answer_mode"])
    assert set(gaps.index) == {(model, mode) for model in MODELS for mode in ("cot", "direct")}
    end = rows[(rows["curriculum"] == "proactive") & (rows["answer_mode"] == "cot") & (rows["progress"] == 1)]
    end = end[(end["model"] == "tiny-s") & (end["group"] == "w/o IO")]
    by_hand = contrast(end[end["representation"] == "code"], end[end["representation"] == "description"])
    found = gaps.loc[("tiny-s", "cot")]
    assert (found["estimate"], found["low"], found["high"]) == (by_hand.estimate, by_hand.low, by_hand.high)
    assert found["estimate"] > 0.1
    swapped = rows.assign(representation=rows["representation"].map({"code": "description", "description": "code"}))
    against = FIGURES["F04"].table(swapped)
    against = against[(against["representation"] == GAP) & (against["arm"] == "proactive")]
    assert against["estimate"].tolist() == pytest.approx((-gaps["estimate"]).tolist())


def test_the_gap_has_a_panel_only_where_both_were_taught(records: dict[str, pd.DataFrame]) -> None:
    both, code = FIGURES["F04"].draw(records["F04"]), FIGURES["F04"].draw(records["F03"])
    assert (len(both.axes), len(code.axes)) == (3, 2)
    said = words(both)
    assert all(label in said for label in ("Code minus description", "Stage 1 only", "In context", "Best guess"))
    assert "n = 50 questions on 5 programs a point (1 seed)" in said
    assert "minus" not in words(code)
    drawn = {line.get_color() for line in both.axes[2].get_lines()}
    assert {style.MODES["cot"].color, style.MODES["direct"].color} <= drawn


# ------------------------------------------------------------------------------------------------ captions
def test_captions_tell_tokens_and_of_what_is_drawn_alone(records: dict[str, pd.DataFrame]) -> None:
    rows = records["F09"]
    assert "Proactive-PBB: 4.0 M tokens at every point." in FIGURES["F09"].caption(rows)
    uneven = rows.assign(tokens=rows["tokens"].where(rows["with_io_programs"] > 200, rows["tokens"] // 2))
    assert "Proactive-PBB: 2.0 M to 4.0 M tokens." in FIGURES["F09"].caption(uneven)
    bare = at(arms=("proactive",))
    said = FIGURES["F03"].caption(bare[bare["answer_mode"] != "recall"])
    assert [word in said for word in ("Dashed", "Dotted", "Stars", "Crosses")] == [False, False, False, True]
    assert "Crosses" not in FIGURES["F09"].caption(bare)
