"""Figures are drawn from records alone, refuse what is no result, and come out byte for byte the same."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from synthetic_records import (
    BY_SHIFT,
    VALID,
    cipher_records,
    composition_records,
    grammar_records,
    synthetic_records,
    words,
)

from pbb import store
from pbb.analysis.tables import TABLE, final, points, usable
from pbb.cli import FIGURE_IDS
from pbb.experiments.studies import STUDIES
from pbb.figures import FIGURES, style
from pbb.figures.io import compare, redraw_references, render, save_figure
from pbb.records import ALLOWED, load_records
from pbb.store import RecordsError, read_manifest

# These show one domain each, which is not arithmetic.
OWN = {"F07": cipher_records, "F11": composition_records, "F13": grammar_records}
FILES = {"figure.png", "figure.pdf", "table.csv", "records.parquet", "manifest.json"}


@pytest.fixture(scope="module")
def records() -> pd.DataFrame:
    return synthetic_records(programs=6, checkpoints=(0.5, 1.0), statements=(1, 2))


def test_every_figure_has_a_study_and_is_reproduced() -> None:
    assert FIGURE_IDS == tuple(STUDIES) == tuple(FIGURES)


@pytest.fixture(scope="module")
def few() -> pd.DataFrame:
    """Enough for every figure, and small."""
    return synthetic_records(("proactive", "retroactive", "stage_1_only"), seeds=2, programs=5, checkpoints=(1.0,))


@pytest.fixture(scope="module")
def own(records: pd.DataFrame, few: pd.DataFrame) -> dict[str, tuple[pd.DataFrame, pd.DataFrame]]:
    """Records for each figure, and fewer."""
    small = {figure_id: make(2, 6) for figure_id, make in OWN.items()}
    return {name: (small[name], small[name]) if name in OWN else (records, few) for name in FIGURES}


# -------------------------------------------------------------------------------------------- all figures
@pytest.mark.parametrize("figure_id", FIGURES)
def test_a_figure_tells_its_numbers_from_its_own_rows_alone(figure_id: str, own: dict) -> None:
    records, _ = own[figure_id]
    module = FIGURES[figure_id]
    figure, table = module.draw(records), module.table(records)
    assert " ".join(module.caption(records).split()[:6]) in words(figure)
    assert figure.get_figwidth() in (style.COLUMN, style.DOUBLE)
    assert figure._repr_png_().startswith(b"\x89PNG"), "a notebook shows it"
    values = module.headline(records)
    assert len(values) == values["name"].nunique()
    assert values["estimate"].between(values["low"], values["high"]).all()
    if figure_id in OWN:
        assert not values["name"].str.contains("statement").any(), "a length that only arithmetic has"
        with pytest.raises(RecordsError, match=f"{figure_id}: none of the .* records belong to this figure"):
            module.table(own["F02"][0])
    rows = module.select(records)
    assert len(module.select(rows)) == len(rows)
    for same in (rows, records.sample(frac=1, random_state=0)):
        pd.testing.assert_frame_equal(module.table(same), table)
    assert module.caption(rows) == module.caption(records)


@pytest.mark.parametrize("figure_id", ["F02", "F05"])
def test_every_point_has_its_interval_and_n(figure_id: str, records: pd.DataFrame) -> None:
    table = FIGURES[figure_id].table(records)
    assert list(table.columns) == TABLE
    measured = table[~table["arm"].isin(["chance", "copy"])]
    assert measured.notna().all(axis=None)
    assert (measured["low"] < measured["high"]).all()
    assert measured["estimate"].between(measured["low"], measured["high"]).all()
    assert (measured["questions"] > 0).all()
    assert (table["arm"] == "chance").sum() == 2, "a best guess for each number of statements"


@pytest.mark.parametrize("figure_id", FIGURES)
def test_equal_records_give_equal_bytes(figure_id: str, own: dict, tmp_path: Path) -> None:
    _, few = own[figure_id]
    one = save_figure(figure_id, few, tmp_path / "one", {"seed": 0})
    two = save_figure(figure_id, few.sample(frac=1, random_state=1), tmp_path / "two", {"seed": 0})
    assert {path.name for path in one.iterdir()} == FILES
    for name in sorted(FILES):
        assert (one / name).read_bytes() == (two / name).read_bytes(), name


@pytest.mark.parametrize("figure_id", FIGURES)
def test_a_reference_is_drawn_behind_a_variant(figure_id: str, own: dict) -> None:
    _, few = own[figure_id]
    mine = few.assign(preset="custom")
    figure = FIGURES[figure_id].draw(mine, few, variant="twice the tokens")
    if figure_id != "F01":
        assert "twice the tokens committed reference" in words(figure)
        alphas = {line.get_alpha() for axes in figure.axes for line in axes.get_lines()}
        assert {style.REFERENCE_ALPHA, 1.0} <= alphas


def test_every_arm_mode_and_group_has_a_look() -> None:
    assert set(style.ARMS) == set(ALLOWED["curriculum"])
    assert set(style.MODES) == set(ALLOWED["answer_mode"])
    assert set(style.GROUPS) == set(ALLOWED["group"])
    colors = [look.color for look in style.ARMS.values()]
    assert len(colors) == len(set(colors))


# ----------------------------------------------------------------------------------------- what is refused
@pytest.mark.parametrize("figure_id", ["F01", "F02"])  # the two ways in which figures are drawn
def test_mixed_presets_and_smoke_are_refused_or_stamped(figure_id: str, few: pd.DataFrame, tmp_path: Path) -> None:
    draw, smoke = FIGURES[figure_id].draw, few.assign(preset="smoke")
    for wrong, why in (
        (few.assign(preset=["cpu"] * (len(few) - 1) + ["gpu"]), r"mix \['cpu', 'gpu'\]"),
        (smoke, "smoke records"),
    ):
        for call in (
            lambda wrong=wrong: draw(wrong),
            lambda wrong=wrong: draw(few, wrong),
            lambda wrong=wrong: save_figure(figure_id, wrong, tmp_path / "figure", {}),
        ):
            with pytest.raises(RecordsError, match=why):
                call()
    assert list(tmp_path.iterdir()) == []
    assert "SMOKE - not a result" in words(draw(smoke, allow_smoke=True))
    assert "SMOKE" not in words(draw(few))


def test_two_experiments_on_one_point_are_refused(few: pd.DataFrame) -> None:
    again = few.assign(experiment=few["experiment"].str[::-1])
    with pytest.raises(RecordsError, match=r"both hold curriculum 'proactive', seed 0"):
        usable(pd.concat([few, again]))


def test_records_of_another_figure_are_refused(few: pd.DataFrame, tmp_path: Path) -> None:
    with pytest.raises(RecordsError, match="none of the"):
        save_figure("F02", few[few["group"] == "w/ IO"], tmp_path / "figure", {})
    with pytest.raises(RecordsError, match="which shows a model trained by proactive or homogeneous"):
        save_figure("F01", few[few["curriculum"] == "stage_1_only"], tmp_path / "figure", {})


# ------------------------------------------------------------------------------------------ single figures
def test_f02_puts_stages_where_they_belong(records: pd.DataFrame) -> None:
    table = FIGURES["F02"].table(records)
    cot = table[(table["answer_mode"] == "cot") & (table["statements"] == 1)]
    x = {arm: sorted(rows["x"].tolist()) for arm, rows in cot.groupby("arm")}
    assert x["proactive"] == [0, 0.5, 1, 1.5, 2]
    assert x["stage_1_only"] == [0, 0.5, 1]
    assert x["stage_2_only"] == [1, 1.5, 2]
    assert x["homogeneous"] == [0, 1, 2]
    assert set(table["group"].dropna()) == {"w/o IO"}


def test_seeds_whose_stages_differ_by_a_step_meet(few: pd.DataFrame) -> None:
    longer = few.copy()
    longer.loc[(longer["seed"] == 1) & (longer["step"] == 400), "step"] = 403
    assert len(points(longer)) == len(points(few))
    assert final(longer)["step"].isin([400, 403]).all()


def test_f02_shows_distillation_by_its_own_group(few: pd.DataFrame) -> None:
    ad = few[(few["curriculum"] == "stage_1_only") & (few["group"] == "w/o IO")]
    ad = ad.assign(curriculum="distillation", group="AD", experiment="0" * 11 + "1", seed=5)
    both = pd.concat([few, ad])
    assert set(FIGURES["F02"].table(both).query("arm == 'distillation'")["group"]) == {"AD"}
    assert "distillation" in FIGURES["F02"].caption(both)


def two_arms(**planted: tuple[float, float]) -> pd.DataFrame:
    return synthetic_records(("proactive", "stage_1_only"), programs=12, checkpoints=(1.0,), planted=planted)


@pytest.mark.parametrize(
    ("figure", "make", "turned", "above", "below"),
    [
        ("F02", two_arms, {"proactive": (0.15, 0.15), "stage_1_only": (0.86, 0.3)}, "Pro.*, CoT", "Stage 1 only, CoT"),
        (
            *("F07", lambda **shares: cipher_records(by_shift=BY_SHIFT | shares)),
            {"proactive": (0.2, 0.2), "distillation": (0.8, 0.8)},
            *("Pro.*, Direct, rare shifts", "Algorithm.*, Direct, rare shifts"),
        ),
        (
            *("F13", lambda **valid: grammar_records(valid=VALID | valid)),
            {"proactive": 0.1, "random_generation": 0.8},
            *("Pro.*, Direct", "Random"),
        ),
    ],
)
def test_a_planted_reversal_reverses_the_headline(
    figure: str, make: Callable[..., pd.DataFrame], turned: dict[str, Any], above: str, below: str
) -> None:
    for planted, sign in (({}, 1), (turned, -1)):
        head = FIGURES[figure].headline(make(**planted)).set_index("name")["estimate"]
        gap = head.filter(regex=f"^{above}").iloc[0] - head.filter(regex=f"^{below}").iloc[0]
        assert gap * sign > 0.4


def test_f05_permutes_direct_answers_only(records: pd.DataFrame) -> None:
    table = FIGURES["F05"].table(records)
    permuted = table[table["arm"].str.endswith("permuted")]
    assert set(permuted["answer_mode"]) == {"direct"}
    assert set(permuted["arm"]) == {f"{arm}, permuted" for arm in ("homogeneous", "proactive", "retroactive")}
    assert set(table["statements"]) == {1, 2}
    assert {"cot", "recite", "direct", "recall", "in_context_cot", "in_context_direct"} <= set(table["answer_mode"])


def test_f05_puts_arms_side_by_side_where_programs_have_one_length(records: pd.DataFrame) -> None:
    sums = synthetic_records(("proactive", "homogeneous", "stage_1_only"), programs=6, checkpoints=(1.0,))
    sums = sums.assign(domain="sums", experiment=sums["experiment"] + "s")
    figure = FIGURES["F05"].draw(pd.concat([records, sums]))
    shown = [axes for axes in figure.axes if axes.get_visible()]
    assert [axes.get_title(loc="left") or axes.get_title() for axes in shown][-1] == "Sums, tiny-m"
    assert [label.get_text() for label in shown[-1].get_xticklabels()] == ["Homogeneous\nmixture", "Proactive-\nPBB"]
    direct = [line for line in shown[-1].lines if line.get_label() and len(line.get_xdata()) == 1]
    assert {round(float(line.get_xdata()[0])) for line in direct} == {0, 1}
    assert "add one number" in words(figure)
    assert "add one number" not in words(FIGURES["F05"].draw(records))


def test_f01_quotes_records_word_for_word(few: pd.DataFrame) -> None:
    table = FIGURES["F01"].table(few).set_index("role")
    assert len(table) == 4
    said = words(FIGURES["F01"].draw(few))
    for role, column in (("question, w/o IO", "prompt"), ("question, w/o IO", "completion")):
        assert " ".join(table.loc[role, column].split()) in said
    assert table.loc["question, w/o IO", "program"] == table.loc["declarative, w/o IO", "program"]
    assert table.loc["question, w/o IO", "outcome"] == "correct"
    assert table.loc["declarative, w/o IO", "expected"].startswith("def ")


# ------------------------------------------------------------------------------------------------- on disk
def test_references_are_redrawn_from_records(few: pd.DataFrame, tmp_path: Path) -> None:
    folder = tmp_path / "reference" / "cpu" / "F02_curricula"
    save_figure("F02", few, folder, {"git": {"revision": "abc"}, "wall_s": 12})
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    (folder / "figure.png").unlink()
    assert redraw_references(tmp_path) == [folder]
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    manifest = read_manifest(folder)
    assert manifest is not None
    assert (manifest["wall_s"], manifest["preset"], manifest["figure"]) == (12, "cpu", "F02")
    with pytest.raises(RecordsError, match="no reference figures here"):
        redraw_references(tmp_path / "nowhere")


def test_the_comparison_with_the_reference(tmp_path: Path) -> None:
    save_figure("F02", two_arms(), tmp_path / "reference" / "cpu" / "F02_curricula", {})
    with pytest.raises(RecordsError, match="no figures of this machine's"):
        compare("cpu", tmp_path)

    def verdicts(frame: pd.DataFrame) -> dict[str, str]:
        save_figure("F02", frame, tmp_path / "cpu" / "F02_curricula", {})
        table = compare("cpu", tmp_path)
        text = render(table)
        assert max(map(len, text.splitlines())) <= 100
        return dict(zip(table["name"], table["verdict"], strict=True))

    told = ("CoT", "Direct", "CoT, w/ IO programs")
    names = [f"{arm}, {value}" for arm in ("Proactive-PBB", "Stage 1 only") for value in told]
    assert verdicts(two_arms()) == dict.fromkeys(names, "exact")
    one_seed = two_arms()
    assert verdicts(one_seed[one_seed["seed"] == 0]) == dict.fromkeys(names, "exact")
    assert verdicts(two_arms(proactive=(0.4, 0.29)))["Proactive-PBB, CoT"] == "differs"
    assert verdicts(two_arms(proactive=(0.84, 0.29)))["Proactive-PBB, CoT"] == "reproduced"
    part = verdicts(one_seed[one_seed["curriculum"] == "proactive"])
    assert part == {name: "not run" if name.startswith("Stage 1") else "exact" for name in names}
    records = load_records(tmp_path / "cpu" / "F02_curricula")
    assert set(records["curriculum"]) == {"proactive"}
    assert set(compare("cpu", tmp_path, ["f02", "F03"])["figure"]) == {"F02"}
    with pytest.raises(RecordsError, match="no figures of this machine's"):
        compare("cpu", tmp_path, ["F03"])
    save_figure("F01", two_arms(), tmp_path / "cpu" / "F01_overview", {})
    alone = compare("cpu", tmp_path, ["F01"])
    assert not (alone["verdict"] == "differs").any()
    assert render(alone) == "no headline values: there is nothing to compare"


@pytest.mark.parametrize("figure", ["F02", "F05"])
def test_experiments_that_differ_in_a_knob_are_not_averaged(figure: str, records: pd.DataFrame) -> None:
    twice = pd.concat([records, records.assign(templates=1, experiment=records["experiment"].str[::-1])])
    with pytest.raises(RecordsError, match=r"templates: these records hold \[1, 20\]"):
        FIGURES[figure].table(twice)


def test_f08_names_only_numbers_of_demonstrations_that_a_curve_was_run_with() -> None:
    rows = load_records(store.reference("cpu") / "F08_sample_efficiency")
    most = rows["curriculum"].eq("distillation") & rows["demonstrations"].eq(90)
    said = FIGURES["F08"].caption(rows[rows["seed"].eq(0) & ~most])
    assert "Algorithm distillation reaches the line of PBB at more than 1 demonstration (one seed)" in said
    assert "Distillation after Stage 1 reaches the line of PBB at more than 90 demonstrations" in said
