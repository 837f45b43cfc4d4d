"""Documents and questions for any trainer, and the answers that come back: exported, refused, scored, drawn, judged."""

from __future__ import annotations

import hashlib
import itertools
import json
import re
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from pbb import cli, store
from pbb.experiments import presets
from pbb.experiments.presets import PRESETS, recipe
from pbb.experiments.presets.recipe import Recipe
from pbb.experiments.studies import study
from pbb.models.loading import load_tokenizer
from pbb.models.sft import encode
from pbb.records import load_records
from pbb.runs import external
from pbb.runs.external import export, score
from pbb.runs.tasks import StageTask
from pbb.store import RecordsError, read_manifest

SMALL = replace(
    recipe("smoke"), figures=("F02",), base=recipe("smoke").base.changed(with_io_programs=5, without_io_programs=3)
)


def with_toy(patch: pytest.MonkeyPatch, made: Recipe) -> None:
    """Make `made` the recipe of a preset named toy."""
    patch.setattr(presets, "PRESETS", (*PRESETS, "toy"))
    patch.setitem(sys.modules, f"{presets.__name__}.toy", SimpleNamespace(RECIPE=made))


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """F02 at toy size, as a preset whose records may be drawn."""
    folder = tmp_path_factory.mktemp("export") / "F02"
    with pytest.MonkeyPatch.context() as patch:
        with_toy(patch, SMALL)
        patch.setenv("PBB_RUNS", str(folder.parent / "runs"))
        return export("F02", "toy", 1, folder, say=lambda line: None)


@pytest.fixture(autouse=True)
def toy(monkeypatch: pytest.MonkeyPatch, run_store: Path, tmp_path: Path) -> None:
    with_toy(monkeypatch, SMALL)
    monkeypatch.setenv("PBB_FIGURES", str(tmp_path / "figures"))


def lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def right(exported: Path, *arms: str) -> list[dict[str, str]]:
    """Right answers to all questions of some arms, or of all."""
    files = [f for f in sorted((exported / "expected").iterdir()) if not arms or f.name.split("-")[0] in arms]
    return [{"id": row["id"], "completion": row["target"]} for file in files for row in lines(file)]


def written(folder: Path, answers: list[Any], name: str = "answers.jsonl") -> Path:
    file = folder / name
    file.write_text("".join(json.dumps(answer) + "\n" for answer in answers))
    return file


# ----------------------------------------------------------------------------------------------- export
def test_an_export_says_what_to_train_on_in_which_order_and_its_checksums_hold(exported: Path) -> None:
    manifest = read_manifest(exported) or {}
    files = {f.relative_to(exported).as_posix(): f.read_bytes() for f in exported.rglob("*.jsonl")}
    assert manifest["sha256"] == {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    arms = {one["curriculum"]: one for one in manifest["experiments"]}
    assert len(arms["proactive"]["stages"]) == 2
    assert arms["stage_1_only"]["stages"] == arms["proactive"]["stages"][:1], "a stage that arms share is one file"
    assert arms["stage_1_only"]["ask"] == arms["proactive"]["ask"][:2], "and one model, asked once"
    assert arms["untuned"]["stages"] == []
    for name, stage in manifest["stages"].items():
        assert stage["documents"] == len(lines(exported / name)) == sum(stage["by_kind"].values())
        assert 0.8 * stage["budget"]["tokens"] < stage["tokens"] <= stage["budget"]["tokens"]
        assert all(count > 0 for count in stage["epochs"].values())


def test_a_stages_file_is_the_beginning_of_our_own_stream_and_fills_our_budget(exported: Path) -> None:
    manifest = read_manifest(exported) or {}
    experiment = next(e for e in study("F02", "toy") if e.arm == "proactive")
    told = next(one for one in manifest["experiments"] if one["curriculum"] == "proactive")
    for index, name in enumerate(told["stages"]):
        task, rows = StageTask(experiment, index), lines(exported / name)
        documents = list(itertools.islice(task.stage.documents(), 2 * len(rows)))
        encoded = encode(documents, load_tokenizer(experiment.model))
        longest = experiment.training.row_tokens
        ours = [
            (d.messages(), len(ids))
            for d, (ids, _) in zip(documents, encoded, strict=True)
            if d.group != "general" or len(ids) <= longest
        ]
        assert [row["messages"] for row in rows] == [messages for messages, _ in ours[: len(rows)]]
        tokens = sum(n for _, n in ours[: len(rows)])
        assert tokens == manifest["stages"][name]["tokens"]
        assert tokens <= task.tokens < tokens + ours[len(rows)][1], "one more document is too many"


def test_datasets_loads_a_stage_as_it_is(exported: Path, tmp_path: Path) -> None:
    from datasets import load_dataset

    file = next((exported / "stages").glob("w_io-*"))
    table = load_dataset("json", data_files=str(file), split="train", cache_dir=str(tmp_path))
    assert table.column_names == ["messages"]
    assert table[0]["messages"] == lines(file)[0]["messages"]


def test_questions_hold_no_answers_and_never_what_training_showed(exported: Path) -> None:
    asked = [row for file in (exported / "questions").iterdir() for row in lines(file)]
    assert {tuple(sorted(row)) for row in asked} == {("id", "messages")}
    assert {m["role"] for row in asked for m in row["messages"]} == {"user"}
    key = {row["id"]: row for file in (exported / "expected").iterdir() for row in lines(file)}
    assert set(key) == {row["id"] for row in asked}
    assert len(key) == len(asked)
    trained = [row["messages"] for file in (exported / "stages").iterdir() for row in lines(file)]
    secret = {row["program"] for row in key.values() if row["group"] == "w/o IO"}
    for name in secret:
        answers = {m[1]["content"].split("\n")[0][:4] for m in trained if name in m[0]["content"]}
        assert answers == {"def "}, "w/o IO programs are declared, and never run"


def test_grpo_stages_are_questions_and_a_random_arm_is_asked_nothing(tmp_path: Path, run_store: Path) -> None:
    folder = export("F06", "toy", 1, tmp_path / "F06", say=lambda line: None)
    manifest = read_manifest(folder) or {}
    stage = next(stage for stage in manifest["stages"].values() if stage["objective"] != "SFT")
    assert {e.model for e in external._experiments("F03", "cpu", 1)} == {"tiny-m"}, "of several models the preset's own"
    grpo = SMALL.base.grpo
    assert stage["objective"]["GRPO"]["group_size"] == grpo.group_size
    assert stage["documents"] == grpo.steps * grpo.completions // grpo.group_size
    assert set(stage["by_kind"]) == {"w/ IO: execution"}


def test_an_export_is_made_once_and_never_over_something_else(exported: Path, tmp_path: Path) -> None:
    said: list[str] = []
    before = (exported / "manifest.json").read_bytes()
    export("F02", "toy", 1, exported, say=said.append)
    assert said == [f"{exported}: this export is complete already"]
    assert (exported / "manifest.json").read_bytes() == before
    (tmp_path / "letters").mkdir()
    letter = written(tmp_path / "letters", ["Dear"])
    for folder, seeds in ((exported, 2), (letter.parent, 1)):
        with pytest.raises(RecordsError, match="something else is here; valid: --out with a folder that is new or e"):
            export("F02", "toy", seeds, folder)
    assert lines(letter) == ["Dear"]


# ---------------------------------------------------------------------------------------------- answers
def test_right_answers_score_full_marks_and_nonsense_none(exported: Path, tmp_path: Path) -> None:
    answers = right(exported, "proactive", "untuned")
    nonsense = {"id": "", "completion": "I am not sure about that."}
    file = written(tmp_path, [a if "proactive" in a["id"] else nonsense | {"id": a["id"]} for a in answers])
    said: list[str] = []
    figure, records = score([file], "gpt-9", exported, say=said.append)
    assert figure == "F02"
    assert set(records["curriculum"]) == {"proactive", "untuned"}, "arms without answers are left out"
    assert "retroactive (seed 0)" in said[0]
    assert "proactive (seed 0)" not in said[0]
    assert {*records["preset"], *records["model"]} == {"external", "gpt-9"}
    end = records[(records["curriculum"] == "proactive") & (records["stage"] == 2)]
    assert len(end) == sum("proactive" in a["id"] for a in answers)
    assert set(end["outcome"]) == {"correct"}
    start = records[records["stage"] == 0]
    recalled = start["answer_mode"] == "recall"
    assert (set(start[~recalled]["outcome"]), set(start[recalled]["outcome"])) == ({"unparsed"}, {"wrong"})
    assert (end[["tokens", "questions_trained"]] > 0).all(axis=None)
    assert set(end["progress"]) == {1.0}


def test_answers_are_scored_as_our_own_are(exported: Path, tmp_path: Path) -> None:
    """A direct answer that is equal in number and not in text, a trace that was cut off, an answer with words."""
    key = {row["id"]: row for f in (exported / "expected").glob("untuned-*") for row in lines(f)}
    direct = next(row for row in key.values() if row["answer_mode"] == "direct")
    trace = next(row for row in key.values() if row["answer_mode"] == "cot")
    changed = {direct["id"]: f" {direct['target']}\n", trace["id"]: trace["target"][:-2]}
    words = next(row for row in key.values() if row["answer_mode"] == "direct" and row["id"] != direct["id"])
    changed[words["id"]] = f"The answer is {words['target']}."
    file = written(tmp_path, [{"id": i, "completion": changed.get(i, row["target"])} for i, row in key.items()])
    _, records = score([file], "gpt-9", exported)
    outcome = dict(zip(records["completion"], records["outcome"], strict=True))
    assert outcome[changed[direct["id"]]] == "correct"
    assert outcome[changed[trace["id"]]] != "correct"
    assert outcome[changed[words["id"]]] == "unparsed"
    assert (records["outcome"] == "correct").sum() == len(key) - 2


def test_scored_answers_are_complete_runs_and_the_same_answers_are_kept_once(exported: Path, tmp_path: Path) -> None:
    file = written(tmp_path, right(exported, "proactive", "in_context"))
    _, records = score([file], "owner/some-model@v1", exported)
    folders = sorted((store.runs() / "results").iterdir())
    assert len(folders) == 2
    assert sum(len(load_records(folder)) for folder in folders) == len(records)
    about = {(m["kind"], m["base_model"]) for m in (read_manifest(folder) or {} for folder in folders)}
    assert about == {("run", "owner/some-model@v1")}
    halves = [
        written(tmp_path, right(exported, "in_context"), "1.jsonl"),
        written(tmp_path, right(exported, "proactive"), "2.jsonl"),
    ]
    _, again = score(halves, "owner/some-model@v1", exported)
    pd.testing.assert_frame_equal(again, records)
    assert sorted((store.runs() / "results").iterdir()) == folders
    written(tmp_path, [a | {"completion": "8"} for a in right(exported, "proactive")])
    score([file], "owner/some-model@v1", exported)
    assert len(list((store.runs() / "results").iterdir())) == 3, "other answers are another run"


def test_a_random_arm_is_scored_beside_what_was_asked(tmp_path: Path) -> None:
    folder = export("F13", "toy", 1, tmp_path / "F13", say=lambda line: None)
    file = written(tmp_path, right(folder, "proactive"))
    _, records = score([file], "gpt-9", folder, say=lambda line: None)
    # Stage 1 of Proactive is all of "Stage 1 only": the same model, and the same answers.
    assert set(records["curriculum"]) == {"proactive", "stage_1_only", "random_generation"}
    assert set(records.loc[records["curriculum"] == "random_generation", "answer_mode"]) == {"direct"}


LINE = r'{"id": "…", "completion": "…"}'
REFUSED: dict[str, tuple[Any, str]] = {
    "no JSON": (b'{"id": "x", ', '\'{"id": "x", \' is no JSON'),
    "no UTF-8": (b'{"id": "\xff"}', "is no JSON ('utf-8' codec"),
    "a list": (["id"], f"['id'] is a list; valid: {LINE}"),
    "no id": ({"completion": "8"}, f"id is missing; valid: {LINE}"),
    "another name": ({"id": "x", "answer": "8"}, f"completion is missing; valid: {LINE}"),
    "a number": ({"id": "x", "completion": 8}, "completion=8 is not valid; valid: text"),
    "nothing": ({"id": "x", "completion": None}, "completion=None is not valid; valid: text"),
    "half a character": ({"id": "x", "completion": "\ud83d"}, "completion='\\ud83d' is not valid; valid: text"),
    "unknown": ({"id": "x/1", "completion": "8"}, "id='x/1' is not valid; valid: ids of its questions/, such as 'homo"),
    "another export": (
        {"id": "proactive-0-after-2-0123abcd/00001", "completion": "8"},
        "id='proactive-0-after-2-0123abcd/00001' belongs to another export; valid: ids of its questions/, such as",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_line_that_is_no_answer_is_refused_with_its_place(case: str, exported: Path, tmp_path: Path) -> None:
    line, message = REFUSED[case]
    file = written(tmp_path, right(exported, "untuned")[:1])
    line = line if isinstance(line, bytes) else json.dumps(line).encode()
    file.write_bytes(file.read_bytes() + b"\n" + line + b"\n")  # a blank line counts, and is nothing wrong
    with pytest.raises(RecordsError, match=re.escape(message)) as refused:
        score([file], "gpt-9", exported)
    assert f"{file}, line 3: " in str(refused.value)
    assert not store.runs().exists() or not list(store.runs().glob("results/*"))


def test_missing_and_double_answers_are_refused_by_name(exported: Path, tmp_path: Path) -> None:
    answers = right(exported, "proactive")
    ids = [answer["id"] for answer in answers]
    with pytest.raises(RecordsError) as refused:
        score([written(tmp_path, answers[4:])], "gpt-9", exported)
    assert f"answers are missing: 4 of {len(ids)} ({', '.join(ids[:3])}, …)" in str(refused.value)
    file = written(tmp_path, [*answers, answers[2]])
    with pytest.raises(RecordsError, match=rf"line {len(ids) + 1}: id='{ids[2]}' was answered in .*line 3 already"):
        score([file], "gpt-9", exported)
    with pytest.raises(RecordsError, match="nothing to score; valid: answers to all questions"):
        score([written(tmp_path, [])], "gpt-9", exported)
    only_start = [row for row in right(exported, "skip_exposure") if "after-1" in row["id"]]
    with pytest.raises(RecordsError, match="nothing to score"):
        score([written(tmp_path, only_start)], "gpt-9", exported, say=lambda line: None)


def test_places_and_names_that_are_not_valid_are_refused(
    exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = written(tmp_path, right(exported, "proactive"))
    for model in ("", " ", "a\nb", "$x$", "x" * 81):
        with pytest.raises(RecordsError, match=r"model=.* is not valid; valid: up to 80 of letters, digits"):
            score([file], model, exported)
    with pytest.raises(RecordsError, match="no export here; valid: --export with a folder that"):
        score([file], "gpt-9")
    with pytest.raises(RecordsError, match=r"gone.jsonl: cannot be read \(No such file or directory\); valid: a file"):
        score([tmp_path / "gone.jsonl"], "gpt-9", exported)
    with_toy(monkeypatch, replace(SMALL, base=SMALL.base.changed(questions=1)))
    with pytest.raises(
        RecordsError, match="another version of this package made this export; the way out: export again"
    ):
        score([file], "gpt-9", exported)


# ------------------------------------------------------------------------------------- the command line
def test_the_command_line_exports_scores_draws_and_judges(
    exported: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cli.main(["export", "f02", "--preset", "toy", "--out", str(exported)]) == 0
    assert f"python -m pbb score {exported}/answers.jsonl --model NAME" in capsys.readouterr().out
    answers = right(exported)
    good = ("proactive", "homogeneous", "in_context")
    some = [a if a["id"].startswith(good) else a | {"completion": "?"} for a in answers]
    file = written(tmp_path, some)
    where = ["--export", str(exported)]
    assert cli.main(["score", str(file), "--model", "gpt-9", *where]) == 0
    told = capsys.readouterr().out
    assert "Proactive-PBB, CoT; Arithmetic, gpt-9, 1 statement: 100 % [" in told
    assert "Stage 1 only, CoT; Arithmetic, gpt-9, 1 statement: 0 % [" in told
    folder = store.figures("external") / "F02_curricula"
    drawn = load_records(folder)
    assert (folder / "figure.png").stat().st_size > 10_000
    # Another model joins it, arm by arm; what is scored again takes the place of what was there.
    lock, held = folder.with_name(f".{folder.name}.lock"), list[bool]()
    monkeypatch.setattr("pbb.records.load_records", lambda at: held.append(lock.exists()) or load_records(at))
    assert cli.main(["score", str(written(tmp_path, right(exported, "proactive"))), "--model", "gpt-8", *where]) == 0
    worse = [a | {"completion": "?"} for a in right(exported, "proactive")]
    assert cli.main(["score", str(written(tmp_path, worse)), "--model", "gpt-9", *where]) == 0
    assert held == [True, True], "who scores meanwhile waits, and adds to what this one writes"
    now = load_records(folder)
    assert set(now["model"]) == {"gpt-8", "gpt-9"}
    ours = now[now["model"] == "gpt-9"]
    assert set(ours["curriculum"]) == set(drawn["curriculum"])
    end = ours[(ours["curriculum"] == "proactive") & (ours["answer_mode"] == "cot")]
    assert set(end["outcome"]) == {"unparsed"}
    capsys.readouterr()
    assert cli.main(["claims", "--mine", "--preset", "external"]) == 0
    board = capsys.readouterr().out
    assert "Claims, preset external: " in board
    assert "C1   not run" in board
    assert cli.main(["score", str(tmp_path / "gone"), "--model", "gpt-9", *where]) == 1
    assert "error: " in capsys.readouterr().err


def test_smoke_answers_are_scored_and_never_drawn(
    exported: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = export("F01", "smoke", 1, tmp_path / "F01", say=lambda line: None)
    file = written(folder, right(folder))
    assert cli.main(["score", str(file), "--model", "gpt-9"]) == 0
    assert "smoke: scored, and not drawn" in capsys.readouterr().out
    assert not (tmp_path / "figures").exists()
