"""What notebooks call: variants, drawing, verdicts, views and asking; and that reading records never loads torch."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from html import unescape
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from sweep import Undisturbed, experiments, undisturbed
from synthetic_records import synthetic_records

import pbb
from pbb.analysis.verdicts import judged, measured, read_against
from pbb.arms import ARMS
from pbb.experiments.documents import WITH_IO, WITHOUT_IO, Document
from pbb.experiments.experiment import Experiment
from pbb.notebook import cell, views
from pbb.notebook.execute import list_notebooks, read_parameters
from pbb.programs import DOMAINS, Arithmetic, Composition, Program, generate
from pbb.programs.settings import ExperimentError
from pbb.runs.run import described
from pbb.runs.tasks import StageTask
from pbb.store import RecordsError, seal

__all__ = ["experiments", "undisturbed"]
ROOT = Path(__file__).resolve().parents[1]
SMOKE = Experiment.of("smoke")


@pytest.fixture(scope="module")
def records() -> pd.DataFrame:
    return synthetic_records(("proactive", "stage_1_only", "in_context"), seeds=1, programs=25)


@pytest.fixture(scope="module")
def programs() -> list[Program]:
    return views.programs.of_each_domain(SMOKE, count=12, longest=2)


@pytest.fixture(scope="module")
def documents() -> dict[str, Document]:
    return views.training.sample_documents(SMOKE, count=100)


# ------------------------------------------------------------------------------------------------ variants
def test_a_variant_of_nothing_is_the_study_itself() -> None:
    study = pbb.study("F02", "cpu", 2)
    own = study[0].documents.templates
    for changes in ({"model": None, "templates": None, "trained_modes": None}, {"templates": own}):
        same = pbb.variant("F02", "cpu", seeds=2, **changes)
        assert same.experiments == tuple(study)
        assert (same.preset, same.base, same.label, same.changes) == ("cpu", "cpu", "this run", ())
        assert "changed: nothing" in str(same)


def test_a_variant_changes_every_experiment_and_is_custom() -> None:
    made = pbb.variant("f02", "cpu", templates=3, stage_2_general=0.0, model="tiny-s")
    set_to = {(e.documents.templates, e.training.stage_2.general, e.model) for e in made.experiments}
    assert set_to == {(3, 0.0, "tiny-s")}
    assert (made.preset, made.base) == ("custom", "cpu")
    assert made.label == "templates=3; stage_2_general=0.0; model=tiny-s"
    assert "changed: templates=3 (the preset has 20)" in str(made)
    smoke = pbb.variant("F02", "smoke", templates=1, arms=["proactive"])
    assert {e.arm for e in smoke.experiments} == {"proactive"}
    assert smoke.preset == "smoke", "changed smoke stays smoke, so that it stays stamped"
    assert "show nothing" in str(smoke)


@pytest.mark.parametrize(
    ("figure", "changes", "made"),
    [
        ("F10", {"templates": 4}, 2),
        ("F10", {"templates": [1, 4, 20]}, 6),
        ("F08", {"distilled_demonstrations": [1, 10]}, 7),
        ("F07", {"distilled_demonstrations": [10, 20]}, 9),
    ],
)
def test_no_two_experiments_of_a_variant_fall_on_one_point(figure: str, changes: dict[str, Any], made: int) -> None:
    """Their mean would be nobody's result, and drawing refuses them after all has been computed."""
    experiments = pbb.variant(figure, "cpu", **changes).experiments
    points = [tuple(described(experiment).items()) for experiment in experiments]
    assert len(points) == len(set(points))
    if figure == "F10":
        assert {e.documents.templates_of("w/o IO") for e in experiments} == {20}, "as the questions have"


def test_templates_of_two_groups_that_agree_name_the_same_experiment() -> None:
    twenty, four = (Experiment().changed(templates=templates) for templates in (20, 4))
    assert twenty.name == twenty.changed(hidden_templates=20).name
    assert four.name != four.changed(hidden_templates=20).name


def test_a_variant_changes_the_first_domain_of_a_study_alone() -> None:
    """F05 has sums beside arithmetic: they have no statements, and nothing is left out where nothing is changed."""
    changed = pbb.variant("F05", "cpu", statements=2)
    for whole in (pbb.variant("F05", "cpu"), pbb.variant("F05", "cpu", templates=20)):
        assert {type(e.programs).__name__ for e in whole.experiments} == {"Arithmetic", "Sums"}
    assert {(type(e.programs).__name__, e.value("statements")) for e in changed.experiments} == {("Arithmetic", 2)}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"arms": ["proactiv"]}, r"arms='proactiv' is not valid here; valid: untuned, .*proactive"),
        ({"arms": "proactive"}, r"arms='proactive' is not valid; valid: None for all, or a list of untuned"),
        ({"arms": []}, r"arms=\[\] is not valid"),
        ({"template": 0}, "did you mean 'templates'"),
        ({"templates": 0}, "templates=0 is not valid; valid: a whole number from 1 to 20"),
        ({"templates": []}, r"templates=\[\] is not valid; valid: one or more values"),
    ],
)
def test_a_variant_refuses_what_it_does_not_know(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ExperimentError, match=message):
        pbb.variant("F02", "cpu", **wrong)


def test_a_list_of_values_makes_every_experiment_once_for_each() -> None:
    arms = ("proactive", "stage_1_only")
    study = [Experiment.of("cpu", arm=arm, with_io_programs=n) for n in (200, 800) for arm in arms]
    made = pbb.variant(study, "cpu", with_io_programs=[50, 200, 800], trained_modes=["cot"])
    set_to = {e.documents.trained_modes for e in made.experiments}
    assert set_to == {("cot",)}, "a field that is a list takes it as one value"
    assert made.label == "with_io_programs=50, 200, 800; trained_modes=cot", "a legend hides nothing"
    made = pbb.variant(study, "cpu", with_io_programs=[50, 200, 800])
    values = [(e.split.with_io_programs, e.arm) for e in made.experiments]
    assert values == [(n, a) for n in (50, 200, 800) for a in arms]
    assert set(study) < set(made.experiments), "what was run is not run again"
    assert (made.preset, made.changes) == ("custom", (("with_io_programs", (200, 800), (50, 200, 800)),))
    same = pbb.variant(study, "cpu", with_io_programs=[800, 200])
    assert (same.preset, set(same.experiments)) == ("cpu", set(study))
    unordered = [Arithmetic(statements=2), Arithmetic(statements=1)]
    assert pbb.variant(study, "cpu", programs=unordered).changes[0][2] == tuple(unordered)
    one = pbb.variant(study, "cpu", with_io_programs=200)
    assert [*one.experiments] == study[:2], "what a change makes equal is run once"
    assert one.changes == (("with_io_programs", (200, 800), 200),)


def test_the_notebooks_own_defaults_are_the_presets() -> None:
    for path in (path for path in list_notebooks() if path.stem.startswith("F")):
        made = pbb.variant(path.stem[:3], **read_parameters(path) | {"preset": "cpu"})
        assert (made.preset, made.experiments) == ("cpu", tuple(pbb.study(path.stem[:3], "cpu")))


def test_with_a_card_what_llm_leaves_out_is_the_cpu_presets(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert pbb.reference("F02", "smoke") is None
    monkeypatch.setattr(cell, "resolve_preset", lambda name: "llm" if name == "auto" else name)
    assert pbb.variant("F02").preset == "llm"
    assert capsys.readouterr().out == ""
    assert pbb.variant("F13").preset == "cpu"
    assert "Preset llm leaves out F13, so it is computed at preset cpu." in capsys.readouterr().out
    assert pbb.variant("F13", "llm").preset == "llm", "asked for by name"
    records = pbb.reference("F09", "auto")  # which llm has none of
    assert records is not None
    assert set(records["preset"]) == {"cpu"}
    assert pbb.draw("F09", records) is not None


@pytest.mark.parametrize(
    ("declared", "given", "is_"),
    [
        *((bool, "false", False), (str, 4, "4"), (int, "3", 3), (int | None, None, None), (float | None, "0.5", 0.5)),
        *((list[str] | None, ["proactive"], ["proactive"]), (str | list[str] | None, "tiny-s", "tiny-s")),
    ],
)
def test_parameters_are_converted_to_their_declared_types(declared: Any, given: Any, is_: Any) -> None:
    namespace = {"__annotations__": {"mine": declared}, "mine": given, "other": 1}
    assert pbb.parameters(namespace) == {"mine": is_}
    assert (namespace["mine"], type(namespace["mine"])) == (is_, type(is_))


def test_the_parameters_cell_as_it_was_run_last_counts() -> None:
    cells = ["", "import pbb", "preset: str = 'cpu'\nmine: int = 3\nmine_too = 8", "%time pbb", "other: int = 5"]
    namespace = {"preset": "cpu", "mine": 3, "mine_too": 8, "other": 5, "In": cells}
    namespace["__annotations__"] = {"preset": str, "mine": int, "other": int}
    assert pbb.parameters(namespace) == {"preset": "cpu", "mine": 3, "mine_too": 8}, "other is of another cell"
    namespace["In"] = [*cells, "preset = 'cpu'\n# mine: int = 3\nother: int = 5"]  # edited and run again
    assert pbb.parameters(namespace) == {"other": 5, "preset": "cpu"}


@pytest.mark.parametrize(
    ("declared", "given", "valid"),
    [
        (list[str] | None, "proactive", "a list of texts, or None"),
        (int | None, 2.5, "a whole number, or None"),
        (bool, "perhaps", "True or False"),
        (str, ["a"], "a text"),
    ],
)
def test_parameters_of_another_type_are_refused_by_name(declared: Any, given: Any, valid: str) -> None:
    with pytest.raises(ExperimentError, match=rf"^mine={re.escape(repr(given))} is not valid; valid: {valid}$"):
        pbb.parameters({"__annotations__": {"mine": declared}, "mine": given})
    with pytest.raises(ExperimentError, match="no typed parameters here"):
        pbb.parameters({})


def test_what_pbb_refuses_is_one_red_line_and_other_errors_keep_their_traceback() -> None:
    from IPython.core.interactiveshell import InteractiveShell

    shell, shown = InteractiveShell(), []
    shell._showtraceback = lambda kind, error, lines: shown.append(lines)  # type: ignore[method-assign]
    shell.set_custom_exc((ValueError, RuntimeError), cell.show_error)
    refused = ['pbb.variant("F02", "cpu", templates=0)', 'pbb.study("F77", "cpu")', 'pbb.draw("F02", None)']
    for source in (*refused, "int('x')"):
        assert not shell.run_cell(f"import pbb\n{source}").success
    assert [len(lines) for lines in shown[:3]] == [1, 1, 1]
    assert shown[0][0].startswith("\x1b[31mExperimentError: templates=0 is not valid; valid: ")
    assert "figure='F77' is not valid; valid: F01" in shown[1][0]
    assert "valid: what pbb.run returns, or a reference: cpu" in shown[2][0]
    assert len(shown[3]) > 1


# ------------------------------------------------------------------------------------------------- set-up
def test_setup_says_versions_and_device_and_keeps_a_readers_choice(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_DISABLE_PROGRESS_BARS", "0")
    monkeypatch.delenv("TRANSFORMERS_VERBOSITY", raising=False)
    pbb.setup()
    assert (os.environ["HF_HUB_DISABLE_PROGRESS_BARS"], os.environ["TRANSFORMERS_VERBOSITY"]) == ("0", "error")
    assert capsys.readouterr().out.startswith(f"pbb {pbb.__version__}, CPython 3.")


def test_misfits_are_named_with_what_mends_them(monkeypatch: pytest.MonkeyPatch) -> None:
    assert cell.misfits(["pandas>=1", "numpy>=1", 'nowhere>=2; extra == "x"']) == []
    found = cell.misfits(["pandas==0.1", "no-such-package>=2"])
    assert [line.split()[0] for line in found] == ["pandas", "no-such-package"]
    assert "restart the kernel" in found[0]
    assert "%pip install 'no-such-package>=2'" in found[1]
    monkeypatch.setattr(pd, "__version__", "0.0.1")
    assert "pandas 0.0.1 is loaded" in cell.misfits(["pandas"])[0]


# ------------------------------------------------------------------------------------------------- figures
def test_f01_without_a_right_answer_is_said_in_words_at_smoke_only(
    records: pd.DataFrame, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = records.assign(outcome="wrong", parsed="no", expected="yes")
    assert cell.draw("F01", wrong.assign(preset="smoke")) is None
    assert "Nothing to show at preset smoke" in capsys.readouterr().out
    with pytest.raises(RecordsError, match="F01 needs a w/ IO program"):
        cell.draw("F01", wrong)
    with pytest.raises(RecordsError, match="missing columns"):
        cell.draw("F01", wrong.assign(preset="smoke").drop(columns="outcome"))
    assert cell.draw("F01", records.assign(preset="smoke")) is not None


def test_what_changed_is_said_in_words_of_what_could_change(
    records: pd.DataFrame, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`replay` is read by Proactive's Stage 2 alone, so Stage 1 only has nothing to tell."""
    mine = pbb.variant("F02", "cpu", arms=["proactive", "stage_1_only"], replay=0.5)
    names = {(e.arm, e.seed): e.name for e in mine.experiments}
    ours = records[records["curriculum"].isin(["proactive", "stage_1_only"])].assign(preset="custom")
    ours["experiment"] = [names[key] for key in zip(ours["curriculum"], ours["seed"], strict=True)]
    there = synthetic_records(("proactive", "stage_1_only"), seeds=3, programs=25)
    monkeypatch.setattr(cell, "reference", lambda figure, preset: there)
    pbb.what_changed("F02", ours, mine)
    *told, seeds = capsys.readouterr().out.splitlines()
    values = ("CoT", "Direct", "CoT, w/ IO programs")
    assert [line.partition(";")[0] for line in told] == [f"Proactive-PBB, {value}" for value in values]
    assert all(" here with replay=0.5, " in line and " in the reference (seed 0); difference " in line for line in told)
    assert all(re.search(r"that these \d+ questions could show$|: higher$|: lower$", line) for line in told), told
    assert seeds == "(The reference holds seeds 0, 1, 2, this run 0.)"
    untouched = pbb.variant("F02", "cpu", arms=["stage_1_only"], replay=0.5)
    pbb.what_changed("F02", ours, untouched)
    assert "No answer could change: replay=0.5 is read by none" in capsys.readouterr().out
    pbb.what_changed("F02", records, pbb.variant("F02", "cpu"))
    assert "nothing was changed" in capsys.readouterr().out


def test_a_difference_is_paired_and_says_which_way_it_goes(records: pd.DataFrame) -> None:
    rows = records[(records["curriculum"] == "proactive") & (records["answer_mode"] == "cot")]
    rows = rows[(rows["group"] == WITHOUT_IO) & (rows["progress"] == 1)]
    assert "difference +0 [+0, +0]: no change that these " in cell.compared(rows, rows, "x=1")
    assert cell.compared(rows.assign(outcome="wrong"), rows, "x=1").endswith(": lower")
    assert cell.compared(rows, rows.assign(outcome="wrong"), "x=1").endswith(": higher")


def test_the_reference_of_the_variants_preset_stands_behind_and_what_the_axis_shows_is_not_moved(
    records: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, str]] = []
    drawn: list[Any] = []
    monkeypatch.setattr(cell, "reference", lambda *what: asked.append(what) or records)
    changes = {"model": "tiny-s", "representation": "description"}
    mine = records.assign(preset="custom", **changes)
    for figure in ("F02", "F03"):
        chart = type(cell.figure_module(figure))
        monkeypatch.setattr(chart, "draw", lambda self, rows, reference, **known: drawn.append((reference, known)))
        cell.draw(figure, mine, variant=cell.variant(figure, "cpu", model="tiny-s"))
    assert asked == [("F02", "cpu"), ("F03", "cpu")]
    (f02, known), (f03, _) = drawn
    assert set(f02["model"]) == {"tiny-s"}, "under another model's panel it would not be seen"
    assert known == {"variant": "model=tiny-s", "allow_smoke": False}
    assert set(f03["model"]) == {"tiny-m"}, "the reference's own model: another one did not score that"
    assert set(f03["representation"]) == {"description"}


# ------------------------------------------------------------------------------------------------ verdicts
def test_tables_of_verdicts_can_be_shown(records: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    only = {"F02": records}  # the rest of the board takes its time
    alone = judged(measured("F02", only, read_against(only)))
    monkeypatch.setattr(cell.boards, "verdict", lambda figure, *_: alone[alone["figure"] == figure])
    shown = cell.verdict("f02", records)._repr_html_()
    assert "supported" in shown
    assert "Proactive-PBB, CoT &gt; Stage 1 only, CoT" in shown
    assert "not available" in cell.beside_paper("F05", records)._repr_html_()
    known = cell.beside_paper("f02", records).data["paper"]
    assert (known != "not available").any()


# ------------------------------------------------------------------------------------------ views: programs
def test_groups_are_kept_apart_and_no_program_is_a_base_models(programs: list[Program]) -> None:
    counts = dict(views.programs.kept_apart(SMOKE).itertuples(index=False, name=None))
    assert counts.pop("w/ IO programs") == SMOKE.split.with_io_programs
    assert counts.pop("w/o IO programs") == SMOKE.split.without_io_programs
    assert [*counts.values()] == [0] * 4
    found = views.programs.contamination(programs, base=60)
    assert found["programs"].tolist() == [12] * len(DOMAINS)  # arithmetic twice, "own" not at all
    assert (found.iloc[:, 2:] == 0).all(axis=None)
    theirs = generate(Arithmetic(), 5, "theirs", pool="base")
    assert views.programs.contamination(theirs, base=60)["base models' by name or source"].tolist() == [5]


def test_guesses_and_pictures_of_programs(programs: list[Program]) -> None:
    table = views.programs.guesses(programs).set_index("programs of")
    assert table.index[:2].tolist() == ["arithmetic, 1 statement", "arithmetic, 2 statements"]
    assert set(table.index[2:]) == set(DOMAINS) - {"arithmetic", "own"}
    outputs = [e.output for p in programs[:12] for e in p.executions]
    assert table["constant guess"].iloc[0] == pytest.approx(max(map(outputs.count, outputs)) / len(outputs))
    assert (table["best guess by input"] >= table["constant guess"]).all()
    assert 0 < table["random string"].dropna().item() < 0.15
    lengths = views.programs.token_lengths(programs)
    assert len(lengths) == 3 * len(programs)
    assert (lengths["tokens"] > 0).all()
    pictures = [views.programs.guess_picture(table.reset_index()), views.programs.length_picture(lengths)]
    for picture in (*pictures, views.programs.outputs_picture(programs), views.programs.parts_picture(programs)):
        assert picture._repr_png_().startswith(b"\x89PNG")
    assert "&lt;" not in views.programs.cards(programs[:1]).data
    assert programs[0].name in views.programs.cards(programs[:1], "4").data
    assert [p.domain for p in views.programs.one_of_each_kind(programs)][1:] == [
        p.split(",")[0] for p in table.index[1:]
    ]


# ------------------------------------------------------------------------------------------ views: training
def test_a_planted_leak_is_refused_and_nothing_else_is(documents: dict[str, Document]) -> None:
    assert views.training.refusal(views.training.plant_leak(SMOKE), SMOKE).startswith(
        "LeakageError: an execution document"
    )
    harmless = next(d for d in documents.values() if d.group == WITHOUT_IO)
    with pytest.raises(AssertionError, match="let an declarative document"):
        views.training.refusal(harmless, SMOKE)


def test_coloured_tokens_are_those_with_loss(documents: dict[str, Document]) -> None:
    from pbb.models.loading import load_tokenizer
    from pbb.models.sft import IGNORE, encode

    assert {(d.group, d.kind, d.answer_mode) for d in documents.values() if d.kind != "general"} == {
        *((WITH_IO, "declarative", ""), (WITHOUT_IO, "declarative", "")),
        *((WITH_IO, "execution", "cot"), (WITH_IO, "execution", "direct")),
    }
    page = views.training.loss_tokens(documents, "tiny-s").data
    tokenizer = load_tokenizer("tiny-s")
    encoded = encode(list(documents.values()), tokenizer)
    labels = [label for _, labels in encoded for label in labels]
    boxes = re.findall(r'<span style="([^"]*)">(.*?)</span>', page)
    assert ["background:" in look for look, _ in boxes] == [label != IGNORE for label in labels]
    assert any(label != IGNORE for label in labels)
    assert all(text for _, text in boxes), "a token that cannot be seen"
    assert "w/ IO</b>" in page, "which colour is whose"
    assert not re.search(r"[^-]color:", page), "letters keep the notebook's own colour, light or dark"


def test_stages_of_every_arm_with_the_documents_in_them() -> None:
    table = views.training.stages(SMOKE, count=20)
    assert table["arm"].nunique() == len(ARMS)
    (row,) = table[table["arm"] == "Stage 2 only"].to_dict("records")
    assert row["trains on"] == "w/o IO"
    assert "execution" not in row["documents, by share"]
    assert len(table[table["arm"] == "Proactive-PBB"]) == 2


def test_losses_and_answers_over_training(run_store: Path) -> None:
    with pytest.raises(RecordsError, match=r"training_log\.csv: no training log here"):
        views.training.training_log(SMOKE)
    for index in range(2):
        folder = StageTask(SMOKE, index).folder
        folder.mkdir(parents=True)
        log = pd.DataFrame({"step": [1, 2], "loss": [3.0, 2.0], "learning_rate": [0.1, 0.1]})
        log.to_csv(folder / "training_log.csv", index=False)
        seal(folder, folder.name, {})
    log = views.training.training_log(SMOKE)
    assert log[["stage", "step", "loss"]].to_numpy().tolist() == [[1, 1, 3.0], [1, 2, 2.0], [2, 1, 3.0], [2, 2, 2.0]]
    assert views.training.loss_curve(SMOKE)._repr_png_().startswith(b"\x89PNG")
    with pytest.raises(RecordsError, match="'untuned' trains nothing"):
        views.training.training_log(SMOKE.changed(arm="untuned"))
    asked = [  # stage, step, program, answer, outcome
        *((0, 0, name, "no idea", "unparsed") for name in ("Kopmog", "Bafdit")),
        *((1, 2, name, "return 4", "wrong") for name in ("Kopmog", "Bafdit")),
        *((2, 2, "Kopmog", "return 3", "correct"), (2, 2, "Bafdit", "return 5", "wrong")),
    ]
    records = pd.DataFrame(asked, columns=["stage", "step", "program", "completion", "outcome"])
    records = records.assign(group=WITHOUT_IO, answer_mode="cot", input="1", prompt="Run it.", expected="3")
    shown = views.training.answer_over_training(records, SMOKE, "Kopmog")
    assert shown.data["its answer"].tolist() == ["no idea", "return 4", "return 3"]
    assert shown.data["all w/o IO, right"].tolist() == ["0%", "0%", "50%"]
    assert shown.data["loss"].tolist()[1:] == [2.0, 2.0]
    assert views.training.answer_over_training(records, SMOKE).data["outcome"].tolist() == [
        "unparsed",
        "wrong",
        "wrong",
    ]
    with pytest.raises(RecordsError, match="program='Zog' was not asked by CoT; valid: Bafdit, Kopmog"):
        views.training.answer_over_training(records, SMOKE, "Zog")


# ------------------------------------------------------------------------------------------- views: answers
def shown_rows(shown: Any) -> list[dict[str, str]]:
    """The rows of a table of answers, by the names of their columns."""
    return shown.data.fillna("-").to_dict("records")


def test_a_sample_filters_and_says_what_there_is(records: pd.DataFrame) -> None:
    sample = views.answers.sample
    shown = shown_rows(sample(records, "wrong", 5, answer_mode="cot", program=None))
    assert len(shown) == 5
    assert {(row["outcome"], row["mode"]) for row in shown} == {("wrong", "cot")}
    name = records["program"].iloc[0]
    assert all(name in row["question"] for row in shown_rows(sample(records, containing=name.upper())))
    parsed = records[records["outcome"] != "unparsed"]
    assert sample(parsed, "unparsed").data == f"<p>None of the {len(parsed):,} answers is like that.</p>"
    with pytest.raises(RecordsError, match="outcome='worng' is not valid; valid: correct, unparsed, wrong"):
        sample(records, "worng")
    with pytest.raises(RecordsError, match="no column 'mode'"):
        sample(records, mode="cot")


def test_a_sample_takes_every_kind_of_answer_and_states_their_true_shares(records: pd.DataFrame) -> None:
    there = set(records[[*views.answers.MENUS]].itertuples(index=False, name=None))
    shown = views.answers.sample(records, count=len(there))
    rows = shown_rows(shown)
    assert {tuple(row[name] for name in views.answers.MENUS.values()) for row in rows} == there
    assert {(row["read as"] == "-") == (row["outcome"] == "unparsed") for row in rows} == {True}
    html = shown.to_html()
    assert f"{len(there)} of {len(records):,} answers" in html
    assert f"correct {(records['outcome'] == 'correct').mean():.0%}" in html
    assert shown_rows(views.answers.sample(records, count=len(there))) == rows, "the same answers every time"
    evil = "</td><script>alert(1)</script>"  # what a model wrote is shown, and never run
    html = views.answers.sample(records.head(3).assign(completion=evil, prompt="a < b\n    & c")).to_html()
    assert "<script" not in html
    assert unescape(html).count(evil) == 3
    assert "a &lt; b\n    &amp; c" in html


def test_menus_draw_another_sample(records: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[Any] = []
    handle = SimpleNamespace(update=shown.append)
    monkeypatch.setattr("IPython.display.display", lambda *what, **how: shown.extend(what) or handle)
    pbb.show(records, "wrong", 8)
    menus = {menu.description: menu for menu in shown[0].children}
    assert [*menus] == ["arm", "group", "mode", "outcome", "text"]
    assert [menu.label for menu in shown[0].children[:4]] == ["all", "all", "all", "wrong"]
    menus["outcome"].value, menus["arm"].value = "correct", "proactive"
    assert {(row["arm"], row["outcome"]) for row in shown_rows(shown[-1])} == {("proactive", "correct")}
    menus["text"].value = "no answer says this"
    assert "None of the" in shown[-1].data


def test_answers_by_stage_and_against_recall_and_controls_in_the_words_of_figures(records: pd.DataFrame) -> None:
    table = views.answers.before_and_after(records[records["curriculum"] == "proactive"]).set_index("when")
    assert table.index.tolist() == ["base model", "after Stage 1", "after Stage 2"]
    right = records.query("curriculum == 'proactive' and progress == 1 and group == 'w/o IO' and answer_mode == 'cot'")
    assert table.loc["after Stage 2", "CoT"].startswith(f"{(right['outcome'] == 'correct').mean():.0%}"[:-1])
    split = views.answers.recall_against_execution(records)
    known = set(zip(split["arm"], split["source"], strict=True))
    assert known >= {("Proactive-PBB", "recited"), ("Stage 1 only", "not recited")}
    controls = views.answers.against_controls(records)
    assert controls["mode"].tolist() == ["CoT", "Direct", "Recite, then run"]
    assert [*controls] == ["mode", "Proactive-PBB", "the same, inputs permuted", "Stage 1 only", "best guess"]
    assert set(views.answers.intervals(records)["group"]) == {"w/ IO", "w/o IO"}
    assert {"Recall of the source", "CoT, in context"} <= set(views.answers.one_of_each(records)["mode"])


# -------------------------------------------------------------------------------------------------- asking
def test_ask_by_name_and_with_the_source_in_context(micro_model: str) -> None:
    untuned = SMOKE.changed(model=micro_model, arm="untuned")
    secret = pbb.groups(untuned)[1].programs[0]
    asked = pbb.ask(untuned, text="4").set_index("what")["text"]
    assert asked["the program, a w/o IO one"] == secret.source
    assert asked["the program returns"].startswith(secret.execution("4").output)
    assert secret.name in asked["the question"]
    assert "def " not in asked["the question"]
    shown = pbb.ask(untuned.changed(arm="in_context"), secret.name, "4", "direct")
    assert shown["text"].iloc[0].startswith(secret.source)
    for wrong, message in (
        ({"program": "Nobody"}, "program='Nobody' is not in this experiment, or takes no input; valid: "),
        ({"text": "11"}, "text='11' is not an input of .*; valid: 0, 1"),
        ({"mode": "aloud"}, "mode='aloud' is not valid; valid: 'cot', 'direct'"),
    ):
        with pytest.raises(ValueError, match=message):
            cell.ask(untuned, **wrong)
    composites = untuned.changed(programs=Composition(taught_parts="w/o IO in one document", with_io_composites=4))
    mute = next(p.name for group in pbb.groups(composites) for p in group.programs if not p.inputs)
    with pytest.raises(ValueError, match=f"program='{mute}' is not in this experiment, or takes no input"):
        cell.ask(composites, mute)


# ---------------------------------------------------------------------------------------------- never torch
READ_ONLY = """
import sys, pbb
from pbb.experiments import experiment
from pbb.notebook import cell

pbb.setup()
records = pbb.run(eval(sys.argv[1], vars(experiment))).assign(preset="smoke")
pbb.draw("F02", records, variant=pbb.variant("F02", "smoke", templates=3))._repr_png_()
pbb.verdict("F02", records)
cell.beside_paper("F02", records)
heavy = {"torch", "transformers", "trl", "datasets"} & sys.modules.keys()
assert not heavy, heavy
"""


def test_a_figure_notebook_on_complete_records_never_imports_torch(
    experiments: list[Experiment], undisturbed: Undisturbed
) -> None:
    shutil.rmtree(undisturbed[1] / "results")  # so that they are made of the answers
    command, environment = [sys.executable, "-c", READ_ONLY, repr(experiments)], {"PBB_RUNS": str(undisturbed[1])}
    done = subprocess.run(command, cwd=ROOT, env=os.environ | environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "nothing to compute" in done.stdout
