"""The finetuned model that comes with the package: what publishing a smoke training leaves, and the committed one."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sweep import in_this_process

from pbb import cli
from pbb.analysis.labels import PLAIN_MODE
from pbb.analysis.statistics import accuracy
from pbb.experiments.questions import questions
from pbb.notebook import finetuned
from pbb.notebook.finetuned import Finetuned
from pbb.records import load_records
from pbb.registry import TINY_FOLDER
from pbb.store import RecordsError

README = Path(__file__).resolve().parents[1] / "README.md"


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Finetuned]:
    folder = tmp_path_factory.mktemp("published")
    with in_this_process() as patch:
        patch.setenv("PBB_RUNS", str(folder / "runs"))
        model = finetuned.publish("smoke", folder / "finetuned")
        shutil.rmtree(folder / "runs")  # which nothing below may need
        yield model


@pytest.fixture
def comes_with_the_package(published: Finetuned, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finetuned, "load", lambda: published)


def answers_as_recorded(model: Finetuned, count: int) -> None:
    """Assert that the models' shares are those of the records, and their answers to `count` questions of a mode too."""
    records = load_records(model.folder).replace({"answer_mode": PLAIN_MODE})
    assert set(records["curriculum"]) == {*finetuned.WHO}
    assert set(records["program"]) == {*model.programs}
    assert model.manifest["shares"] == accuracy(records, ["curriculum", "answer_mode"]).to_dict("records")
    recorded = records.set_index(["curriculum", "answer_mode", "program", "input"])
    for arm in finetuned.WHO:
        asked = [q for q in questions(model.experiment.changed(arm=arm), ("cot", "direct")) if q.group == "w/o IO"]
        for row in model.answers(arm, asked[:: len(asked) // count]):
            assert ("def " in row["prompt"]) == (arm == "in_context")
            mode = PLAIN_MODE.get(row["answer_mode"], row["answer_mode"])
            same = recorded.loc[(arm, mode, row["program"], row["input"])]
            assert row["completion"] == same["completion"]


def test_what_is_published_is_small_and_gives_its_records(published: Finetuned) -> None:
    kept = [published.folder / arm / "model.safetensors" for arm in ("proactive", "stage_1_only")]
    base = TINY_FOLDER / published.experiment.model / "model.safetensors"
    assert len({file.read_bytes() for file in (*kept, base)}) == 3
    assert [abs(file.stat().st_size - base.stat().st_size) < 1000 for file in kept] == [True, True], "16 bits, as there"
    answers_as_recorded(published, 6)


@pytest.mark.skipif(not finetuned.FOLDER.exists(), reason="no finetuned model is committed")
def test_the_committed_model_is_whole_small_and_gives_its_records() -> None:
    """Made of this package's base model and programs, else `load` refuses it: `make finetuned PRESET=cpu`."""
    model = finetuned.load()
    assert sum(file.stat().st_size for file in finetuned.FOLDER.rglob("*") if file.is_file()) <= 5_000_000
    answers_as_recorded(model, 20)
    said = README.read_text(encoding="utf-8").partition("$ .venv/bin/python -m pbb ask\n")[2].partition("```")[0]
    assert len(said) > 400
    assert str(model.ask()).startswith(said), "the README shows other answers"


def test_answers_stand_beside_each_other_and_then_the_source(
    published: Finetuned, comes_with_the_package: None, capsys: pytest.CaptureFixture[str]
) -> None:
    *_, program = published.programs.values()
    assert cli.main(["ask", "--program", program.name, "--input", "3", "--mode", "direct"]) == 0
    said = capsys.readouterr().out
    places = [said.index(words) for words in ("Asked: ", *finetuned.WHO.values(), program.source.splitlines()[0])]
    assert places == sorted(places)
    assert "def " not in said[: places[-1]], "the question is by name alone"
    right = program.execution("3").output
    assert f"{program.name}(3) returns {right} when Python runs it\n" in said
    shown = published.ask(program.name, "3", "direct").rows
    assert (shown["outcome"].eq("right") == shown["answer"].eq(right)).all()
    assert len(re.findall(r"\d % \[\d+, \d+\]", said)) == 3
    assert [*published.ask(mode="recall").rows["model"]] == [*finetuned.WHO.values()][:2]
    assert cli.main(["ask", "--program", "list"]) == 0
    assert capsys.readouterr().out.replace("\n", " ").strip() == ", ".join(published.programs)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (["--program", "{name}x"], "program='{name}x' is not one of the 6 w/o IO programs; did you mean '{name}'?"),
        (["--program", "??"], "program='??' is not one of the 6 w/o IO programs; valid: {name}, "),
        (["--input", "11"], "input='11' is not one of {name}'s; valid: 0, 1, 2, "),
        (["--mode", "recall", "--input", "3"], "input='3' is not valid with mode='recall'"),
        (["--mode", "aloud"], "mode='aloud' is not valid; valid: cot, direct, recall"),
    ],
)
def test_what_there_is_not_is_one_line(
    given: list[str], says: str, published: Finetuned, comes_with_the_package: None, capsys: pytest.CaptureFixture[str]
) -> None:
    name = next(iter(published.programs))
    assert cli.main(["ask", *(word.format(name=name) for word in given)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: {says.format(name=name)}")


def test_a_model_that_does_not_fit_what_is_here_is_refused(
    published: Finetuned, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(RecordsError, match="no finetuned model here; `git checkout -- pbb/finetuned` brings"):
        finetuned.load(tmp_path)
    damaged = tmp_path / published.folder.name
    shutil.copytree(published.folder, damaged)
    (damaged / "proactive" / "model.safetensors").write_bytes(b"")
    with pytest.raises(RecordsError, match=r"does not match its manifest.*; `git checkout -- pbb/finetuned` brings"):
        finetuned.load(damaged)
    finetuned.load.cache_clear()
    monkeypatch.setattr(finetuned, "identity", lambda model: "another")
    with pytest.raises(RecordsError, match=r"other base weights than are here now.*-- pbb/base_models"):
        finetuned.load(published.folder)
    finetuned.load.cache_clear()


def test_menus_ask_something_else(
    published: Finetuned, comes_with_the_package: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[Any] = []
    handle = SimpleNamespace(update=shown.append)
    monkeypatch.setattr("IPython.display.display", lambda *what, **how: shown.extend(what) or handle)
    finetuned.show()
    first, (*_, last) = repr(shown[1]), published.programs
    program, text, mode = shown[0].children
    assert [menu.description for menu in shown[0].children] == ["program", "input", "mode"]
    assert first == repr(published.ask())
    program.value, text.value, mode.value = last, "7", "direct"
    assert repr(shown[-1]) == repr(published.ask(last, "7", "direct"))
    assert f"def {last}(x)" in shown[-1]._repr_html_()
