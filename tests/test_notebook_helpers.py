"""What notebooks call: variants, drawing, verdicts, views and asking; and that reading records never loads torch."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from html import unescape
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from synthetic_records import synthetic_records

import pbb
from pbb.experiments.curricula import curriculum
from pbb.experiments.documents import WITH_IO, WITHOUT_IO
from pbb.experiments.experiment import CURRICULA, Experiment, ExperimentError
from pbb.notebook import cell as helpers
from pbb.notebook import views
from pbb.notebook.execute import list_notebooks, read_parameters
from pbb.programs import DOMAINS, Arithmetic, generate
from pbb.runs.tasks import StageTask
from pbb.store import RecordsError

ROOT = Path(__file__).resolve().parents[1]
SMOKE = Experiment.of("smoke")
QUIET = {
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
    "TRANSFORMERS_VERBOSITY": "error",
}


@pytest.fixture(scope="module")
def records() -> pd.DataFrame:
    return synthetic_records(("proactive", "stage_1_only", "in_context"), seeds=1, programs=25)


# ------------------------------------------------------------------------------------------------ variants
def test_a_variant_of_nothing_is_the_study_itself() -> None:
    study = pbb.study("F02", "cpu", 2)
    same = helpers.variant(study, "cpu", model="", templates=0, stage_1_general=-1.0, trained_modes=[], control=())
    assert same.experiments == tuple(study)
    assert (same.preset, same.base, same.label, same.changes) == ("cpu", "cpu", "this run", ())
    assert "changed: nothing" in str(same)


def test_a_variant_changes_every_experiment_and_is_custom() -> None:
    made = helpers.variant(pbb.study("F02", "cpu"), "cpu", templates=3, stage_1_general=0.0, model="tiny-s")
    assert {(e.templates, e.training.stage_1.general, e.model) for e in made.experiments} == {(3, 0.0, "tiny-s")}
    assert (made.preset, made.base) == ("custom", "cpu")
    assert made.label == "templates=3, stage_1_general=0.0, model=tiny-s"
    assert "changed: templates=3 (the preset has 20)" in str(made)


def test_writing_the_presets_own_value_changes_nothing() -> None:
    own = Experiment.of("cpu").templates
    assert helpers.variant(pbb.study("F02", "cpu"), "cpu", templates=own).preset == "cpu"


def test_experiments_that_a_change_makes_equal_are_run_once() -> None:
    lengths = {1, 2, 3}
    study = [pbb.Experiment.of("cpu", statements=n, arm=arm) for n in lengths for arm in ("proactive", "untuned")]
    made = helpers.variant(study, "cpu", statements=2)
    assert len(made.experiments) * len(lengths) == len(study)
    assert made.changes == (("statements", tuple(sorted(lengths)), 2),)


def test_changed_smoke_stays_smoke_so_that_it_stays_stamped() -> None:
    made = helpers.variant(pbb.study("F02", "smoke"), "smoke", templates=1)
    assert made.preset == "smoke"
    assert "show nothing" in str(made)


def test_a_variant_refuses_what_it_does_not_know() -> None:
    study = pbb.study("F02", "cpu")
    assert {e.curriculum for e in helpers.variant(study, "cpu", arms=["proactive"]).experiments} == {"proactive"}
    with pytest.raises(ExperimentError, match=r"arms='proactiv' is not valid here; valid: untuned, .*proactive"):
        helpers.variant(study, "cpu", arms=["proactiv"])
    with pytest.raises(ExperimentError, match="did you mean 'templates'"):
        helpers.variant(study, "cpu", template=0)
    with pytest.raises(ExperimentError, match="templates=-1 is not valid; valid: a whole number from 1 to 20"):
        helpers.variant(study, "cpu", templates=-1)


def test_a_list_of_values_makes_every_experiment_once_for_each() -> None:
    arms = ("proactive", "stage_1_only")
    study = [Experiment.of("cpu", arm=arm, with_io_programs=n) for n in (200, 800) for arm in arms]
    made = helpers.variant(study, "cpu", with_io_programs=[50, 200, 800], trained_modes=["cot"])
    assert {e.trained_modes for e in made.experiments} == {("cot",)}, "a field that is a list takes it as one value"
    assert made.label == "with_io_programs=50, …, 800, trained_modes=cot"
    made = helpers.variant(study, "cpu", with_io_programs=[50, 200, 800])
    assert [(e.with_io_programs, e.curriculum) for e in made.experiments] == [
        (n, a) for n in (50, 200, 800) for a in arms
    ]
    assert set(study) < set(made.experiments), "what was run is not run again"
    assert (made.preset, made.changes) == ("custom", (("with_io_programs", (200, 800), (50, 200, 800)),))
    crossed = helpers.variant(study, "cpu", model=["tiny-s", "tiny-m"], templates=[1, 20])
    assert len(crossed.experiments) == 4 * len(study)
    same = helpers.variant(study, "cpu", with_io_programs=[800, 200])
    assert (same.preset, set(same.experiments)) == ("cpu", set(study))
    with pytest.raises(ExperimentError, match="with_io_programs=0 is not valid; valid: a whole number from 1"):
        helpers.variant(study, "cpu", with_io_programs=[0, 200])


@pytest.mark.parametrize("figure", ["F02", "F03", "F04", "F05", "F09", "F10"])
def test_the_notebooks_own_defaults_are_the_presets(figure: str) -> None:
    (path,) = [path for path in list_notebooks() if path.stem.startswith(figure)]
    parameters = read_parameters(path)
    for name in ("preset", "seeds"):
        del parameters[name]
    made = helpers.variant(pbb.study(figure, "cpu"), "cpu", **parameters)
    assert (made.preset, made.experiments) == ("cpu", tuple(pbb.study(figure, "cpu")))


# ------------------------------------------------------------------------------------------------- set-up
def test_setup_says_versions_and_device(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in QUIET:
        monkeypatch.setenv(name, "0")  # a reader's own choice, which is kept
    pbb.setup()
    assert {os.environ[name] for name in QUIET} == {"0"}
    assert capsys.readouterr().out.startswith(f"pbb {pbb.__version__}, CPython 3.")
    for name in QUIET:
        monkeypatch.delenv(name)
    pbb.setup()
    assert {name: os.environ[name] for name in QUIET} == QUIET


def test_misfits_are_named_with_what_mends_them(monkeypatch: pytest.MonkeyPatch) -> None:
    assert helpers.misfits(["pandas>=1", "numpy>=1", 'nowhere>=2; extra == "x"']) == []
    found = helpers.misfits(["pandas==0.1", "no-such-package>=2"])
    assert [line.split()[0] for line in found] == ["pandas", "no-such-package"]
    assert "restart the kernel" in found[0]
    assert "%pip install 'no-such-package>=2'" in found[1]
    monkeypatch.setattr(pd, "__version__", "0.0.1")
    assert "pandas 0.0.1 is loaded" in helpers.misfits(["pandas"])[0]


# ------------------------------------------------------------------------------------------------- figures
def test_f01_without_a_right_answer_is_said_in_words_at_smoke_only(
    records: pd.DataFrame, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = records.assign(outcome="wrong", parsed="no", expected="yes")
    assert helpers.draw("F01", wrong.assign(preset="smoke")) is None
    assert "Nothing to show at preset smoke" in capsys.readouterr().out
    with pytest.raises(RecordsError, match="F01 needs a w/ IO program"):
        helpers.draw("F01", wrong)
    with pytest.raises(RecordsError, match="missing columns"):
        helpers.draw("F01", wrong.assign(preset="smoke").drop(columns="outcome"))
    assert helpers.draw("F01", records.assign(preset="smoke")) is not None


def test_overview_without_a_reference_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert helpers.overview("smoke") is None
    assert "no committed figures" in capsys.readouterr().out


def test_the_reference_of_the_variants_preset_stands_behind(
    records: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, str]] = []
    behind: list[Any] = []

    def reference(figure: str, preset: str) -> pd.DataFrame:
        asked.append((figure, preset))
        return records

    module = helpers.figure_module("F02")
    monkeypatch.setattr(helpers, "reference", reference)
    monkeypatch.setattr(module, "draw", lambda rows, reference, **known: behind.append((reference, known)))
    mine = helpers.variant(pbb.study("F02", "cpu"), "cpu", model="tiny-s")
    helpers.draw("F02", records.assign(preset="custom", model="tiny-s"), variant=mine)
    assert asked == [("F02", "cpu")]
    ((drawn, known),) = behind
    assert set(drawn["model"]) == {"tiny-s"}, "under another model's panel it would not be seen"
    assert known == {"variant": "model=tiny-s", "allow_smoke": False}


def test_what_the_axis_shows_is_not_moved_to_the_variants(
    records: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    behind: list[pd.DataFrame] = []
    monkeypatch.setattr(helpers, "reference", lambda figure, preset: records)
    module = helpers.figure_module("F03")
    monkeypatch.setattr(module, "draw", lambda rows, reference, **known: behind.append(reference))
    helpers.draw("F03", records.assign(preset="custom", model="tiny-s", representation="description"))
    assert set(behind[0]["model"]) == {"tiny-m"}, "the reference's own model: another one did not score that"
    assert set(behind[0]["representation"]) == {"description"}


# ------------------------------------------------------------------------------------------------ verdicts
def test_tables_of_verdicts_can_be_shown(records: pd.DataFrame) -> None:
    shown = helpers.verdict("F02", records)._repr_html_()
    assert "supported" in shown
    assert "Proactive-PBB, CoT &gt; Stage 1 only, CoT" in shown
    assert "not available" in helpers.beside_paper("F05", records)._repr_html_()


# ------------------------------------------------------------------------------------------ views: programs
def test_groups_are_kept_apart() -> None:
    counts = dict(views.kept_apart(SMOKE).itertuples(index=False, name=None))
    assert counts.pop("w/ IO programs") == SMOKE.with_io_programs
    assert counts.pop("w/o IO programs") == SMOKE.without_io_programs
    assert len(counts) == 4
    assert set(counts.values()) == {0}


def test_no_program_of_an_experiment_is_a_base_models() -> None:
    programs = views.of_each_domain(SMOKE, count=5, longest=1)
    found = views.contamination(programs, base=60)
    assert found["programs"].tolist() == [5] * (len(DOMAINS) - 1)  # all but "own"
    assert (found.iloc[:, 2:] == 0).all(axis=None)
    theirs = generate(Arithmetic(), 5, "theirs", pool="base")
    assert views.contamination(theirs, base=60)["base models' by name or source"].tolist() == [5]


def test_guesses_and_pictures_of_programs() -> None:
    programs = views.of_each_domain(SMOKE, count=25, longest=2)
    table = views.guesses(programs).set_index("programs of")
    assert table.index[:2].tolist() == ["arithmetic, 1 statement", "arithmetic, 2 statements"]
    assert set(table.index[2:]) == set(DOMAINS) - {"arithmetic", "own"}
    outputs = [e.output for p in programs[:25] for e in p.executions]
    assert table["constant guess"].iloc[0] == pytest.approx(max(map(outputs.count, outputs)) / len(outputs))
    assert (table["best guess by input"] >= table["constant guess"]).all()
    assert 0 < table["random string"].dropna().item() < 0.15
    lengths = views.token_lengths(programs)
    assert len(lengths) == 3 * len(programs)
    assert (lengths["tokens"] > 0).all()
    pictures = [views.guess_picture(table.reset_index()), views.length_picture(lengths)]
    for picture in (*pictures, views.outputs_picture(programs), views.parts_picture(programs)):
        assert picture._repr_png_().startswith(b"\x89PNG")
    assert "&lt;" not in views.program_cards(programs[:1]).data
    assert programs[0].name in views.program_cards(programs[:1], "4").data
    assert [p.domain for p in views.one_of_each_kind(programs)][1:] == [p.split(",")[0] for p in table.index[1:]]


# ------------------------------------------------------------------------------------------ views: training
def test_a_planted_leak_is_refused_and_nothing_else_is() -> None:
    assert views.refusal(views.plant_leak(SMOKE), SMOKE).startswith("LeakageError: an execution document")
    documents = views.sample_documents(SMOKE, count=50)
    harmless = next(d for d in documents.values() if d.group == WITHOUT_IO)
    with pytest.raises(AssertionError, match="let an declarative document"):
        views.refusal(harmless, SMOKE)


def test_samples_hold_one_document_of_each_kind() -> None:
    found = views.sample_documents(SMOKE, count=200)
    assert {(d.group, d.kind, d.answer_mode) for d in found.values() if d.kind != "general"} == {
        (WITH_IO, "declarative", ""),
        (WITH_IO, "execution", "cot"),
        (WITH_IO, "execution", "direct"),
        (WITHOUT_IO, "declarative", ""),
    }


def test_coloured_tokens_are_those_with_loss() -> None:
    from pbb.models.loading import load_tokenizer
    from pbb.models.sft import IGNORE, encode

    documents = views.sample_documents(SMOKE, count=50)
    page = views.loss_tokens(documents, "tiny-s").data
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
    table = views.stages(SMOKE, count=60)
    assert table["arm"].nunique() == len(CURRICULA)
    (row,) = table[table["arm"] == "Stage 2 only"].to_dict("records")
    assert row["trains on"] == "w/o IO"
    assert "execution" not in row["documents, by share"]
    assert len(table[table["arm"] == "Proactive-PBB"]) == 2


def test_training_log_and_loss_curve(run_store: Path) -> None:
    with pytest.raises(RecordsError, match=r"training_log\.csv: no training log here"):
        views.training_log(SMOKE)
    for index in range(2):
        folder = StageTask(SMOKE, index).folder
        folder.mkdir(parents=True)
        log = pd.DataFrame({"step": [1, 2], "loss": [3.0, 2.0], "learning_rate": [0.1, 0.1]})
        log.to_csv(folder / "training_log.csv", index=False)
    log = views.training_log(SMOKE)
    assert log[["stage", "step", "loss"]].to_numpy().tolist() == [[1, 1, 3.0], [1, 2, 2.0], [2, 1, 3.0], [2, 2, 2.0]]
    assert views.loss_curve(SMOKE)._repr_png_().startswith(b"\x89PNG")
    with pytest.raises(RecordsError, match="'untuned' trains nothing"):
        views.training_log(SMOKE.changed(arm="untuned"))


# ------------------------------------------------------------------------------------------- views: answers
def shown_rows(page: str) -> list[dict[str, str]]:
    """The rows of the browsable table: what a reader sees in each column."""
    head = re.findall(r"<th scope=\"col\"[^>]*>(.*?)</th>", page)
    body = [re.findall(r"<td[^>]*>(.*?)</td>", row, re.DOTALL) for row in page.split("<tr>")[2:]]
    return [dict(zip(head, map(unescape, cells), strict=True)) for cells in body]


def test_show_filters_and_says_what_there_is(records: pd.DataFrame) -> None:
    shown = shown_rows(pbb.show(records, "wrong", 5, answer_mode="cot", program="").data)
    assert len(shown) == 5
    assert {row["outcome"] for row in shown} == {"wrong"}
    assert {row["mode"] for row in shown} == {"cot"}
    assert len(shown_rows(pbb.show(records, count=3).data)) == 3
    parsed = records[records["outcome"] != "unparsed"]
    assert pbb.show(parsed, "unparsed").data == f"<p>None of the {len(parsed):,} answers is like that.</p>"
    with pytest.raises(RecordsError, match="outcome='worng' is not valid; valid: correct, unparsed, wrong"):
        pbb.show(records, "worng")
    with pytest.raises(RecordsError, match="no column 'mode'"):
        pbb.show(records, mode="cot")


def test_show_takes_every_kind_of_answer_and_states_their_true_shares(records: pd.DataFrame) -> None:
    kinds = ["curriculum", "group", "answer_mode", "outcome"]
    there = set(records[kinds].itertuples(index=False, name=None))
    page = pbb.show(records, count=len(there)).data
    assert {(row["arm"], row["group"], row["mode"], row["outcome"]) for row in shown_rows(page)} == there
    assert f"{len(there)} of {len(records):,} answers" in page
    assert f"correct {(records['outcome'] == 'correct').mean():.0%}" in page
    assert {(row["read as"] == "–") == (row["outcome"] == "unparsed") for row in shown_rows(page)} == {True}
    ids = re.compile("answers-[0-9a-f]{8}")
    again = pbb.show(records, count=len(there)).data
    assert ids.sub("", again) == ids.sub("", page), "the same answers every time"
    assert ids.findall(again)[0] != ids.findall(page)[0], "two tables in one notebook are filtered apart"


def test_what_a_model_wrote_is_shown_and_never_run(records: pd.DataFrame) -> None:
    rows = records.head(3).assign(completion="</td><script>alert(1)</script>", prompt="a < b\n    & c")
    page = pbb.show(rows).data
    assert {row["answer"] for row in shown_rows(page)} == {"</td><script>alert(1)</script>"}
    assert {row["question"] for row in shown_rows(page)} == {"a < b\n    & c"}
    assert page.count("<script>") == 1, "the filters, and nothing else"


@pytest.mark.skipif(shutil.which("node") is None, reason="needs Node.js, to see that the script is one")
def test_the_filters_are_a_script_that_parses(records: pd.DataFrame, tmp_path: Path) -> None:
    (script,) = re.findall("<script>(.*?)</script>", pbb.show(records, count=2).data, re.DOTALL)
    (tmp_path / "filters.js").write_text(script)
    subprocess.run(["node", "--check", str(tmp_path / "filters.js")], check=True, timeout=60)


def test_before_and_after_tells_the_stages_apart(records: pd.DataFrame) -> None:
    table = views.before_and_after(records[records["curriculum"] == "proactive"]).set_index("when")
    assert table.index.tolist() == ["base model", "after Stage 1", "after Stage 2"]
    right = records[(records["curriculum"] == "proactive") & (records["progress"] == 1)]
    right = right[(right["group"] == "w/o IO") & (right["answer_mode"] == "cot")]
    assert table.loc["after Stage 2", "CoT"].startswith(f"{(right['outcome'] == 'correct').mean():.0%}"[:-1])


def test_answers_against_recall_and_controls(records: pd.DataFrame) -> None:
    split = views.recall_against_execution(records)
    assert set(zip(split["curriculum"], split["source"], strict=True)) >= {
        ("proactive", "recited"),
        ("stage_1_only", "not recited"),
    }
    controls = views.against_controls(records)
    assert controls["answer_mode"].tolist() == ["cot", "direct", "recite"]
    assert [*controls] == ["answer_mode", "Proactive-PBB", "the same, inputs permuted", "Stage 1 only", "best guess"]
    assert set(views.intervals(records)["group"]) == {"w/ IO", "w/o IO"}
    page = views.one_of_each(records)._repr_html_()
    assert "recall" in page
    assert "in_context_cot" in page


# -------------------------------------------------------------------------------------------------- asking
def test_ask_by_name_and_with_the_source_in_context(micro_model: str) -> None:
    untuned = SMOKE.changed(model=micro_model, arm="untuned")
    secret = pbb.groups(untuned)[1].programs[0]
    asked = helpers.ask(untuned, text="4")
    assert (asked.group, asked.source, asked.expected) == ("w/o IO", secret.source, secret.execution("4").output)
    assert secret.name in asked.prompt
    assert "def " not in asked.prompt
    assert asked.outcome in ("correct", "wrong", "unparsed")
    assert secret.source.splitlines()[1] in str(asked)
    shown = helpers.ask(untuned.changed(arm="in_context"), secret.name, "4", "direct")
    assert shown.prompt.startswith(secret.source)
    for wrong, message in (
        ({"program": "Nobody"}, "program='Nobody' is not in this experiment; valid: "),
        ({"text": "11"}, "text='11' is not an input of .*; valid: 0, 1"),
        ({"mode": "aloud"}, "mode='aloud' is not valid; valid: 'cot', 'direct'"),
    ):
        with pytest.raises(ValueError, match=message):
            helpers.ask(untuned, **wrong)


# ---------------------------------------------------------------------------------------------- never torch
READ_ONLY = """
import sys
import pandas as pd
import pbb
from pbb.notebook import cell as helpers
from pbb.store import atomic_folder, write_manifest
from pbb.runs.run import points
from pbb.runs.tasks import ANSWERS

pbb.setup()
variant = helpers.variant(pbb.study("F05", "smoke"), "smoke", arms=["proactive"], templates=3)
for experiment in variant.experiments:  # answers as an evaluation leaves them, made up
    for point in points(experiment):
        rows = []
        for group in pbb.groups(experiment):
            for program in group.programs:
                for text in program.inputs[:2]:
                    for mode in ("cot", "direct"):
                        right = program.execution(text).output
                        rows.append(dict(answer_mode=mode, group=group.name, program=program.name, input=text,
                                         held_out=True, prompt=f"{program.name} {text} {mode}", completion=right,
                                         expected=right, parsed=right, outcome="correct"))
        with atomic_folder(point.task.folder) as folder:
            pd.DataFrame(rows).to_parquet(folder / ANSWERS)
            write_manifest(folder, {"seconds": 1.0})
        for stage in [needed for needed in point.task.needs if not needed.folder.exists()]:
            with atomic_folder(stage.folder) as folder:
                write_manifest(folder, {"seconds": 1.0, "tokens": stage.tokens, "documents": {}})
records = pbb.run(variant.experiments, preset=variant.preset)
pbb.draw("F05", records, variant=variant)._repr_png_()
pbb.verdict("F05", records)
helpers.beside_paper("F05", records)
heavy = [name for name in ("torch", "transformers", "trl", "datasets") if name in sys.modules]
assert not heavy, heavy
"""


def test_a_figure_notebook_on_complete_records_never_imports_torch(run_store: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", READ_ONLY], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "nothing to compute" in done.stdout


def test_every_stage_of_the_experiment_is_in_the_smoke_study() -> None:
    """00 to 03 look at experiments of the studies, so that nothing is trained for them alone."""
    assert SMOKE in pbb.study("F01", "smoke")
    assert SMOKE in pbb.study("F02", "smoke")
    assert [stage.number for stage in curriculum(SMOKE)] == [1, 2]
