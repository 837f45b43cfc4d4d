"""`python -m pbb reference`: what becomes the committed reference, and what is said of the rest."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from pbb import cli
from pbb.experiments.studies import study
from pbb.runs import run


def listed(given) -> list:
    return given if isinstance(given, list) else [given]


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[tuple]:
    """A store in which Retroactive alone is missing, and what is drawn of it: figures, and arms left out."""
    taken: list[tuple] = []

    def plan(given, preset=""):
        return SimpleNamespace(missing=[e for e in listed(given) if e.arm == "retroactive"])

    monkeypatch.setattr(run, "plan", plan)
    monkeypatch.setattr(
        cli, "save_figures", lambda names, *_, left_out, **_how: taken.append((list(names), [e.arm for e in left_out]))
    )
    return taken


def promote(*arguments: str) -> int:
    return cli.main(["reference", "--preset", "cpu", *arguments])


def test_an_incomplete_study_is_promoted_only_where_that_is_asked_for(drawn, monkeypatch, capsys) -> None:
    assert promote("F02", "F06") == 2
    assert "--partial promotes what is complete" in capsys.readouterr().err
    assert not drawn
    assert promote("--partial", "F02", "F06") == 0
    of_both = [e for figure in ("F02", "F06") for e in study(figure, "cpu", 1) if e.arm == "retroactive"]
    assert drawn == [(["F02", "F06"], [e.arm for e in of_both])]
    assert capsys.readouterr().out.count("not run, so left out: tiny-m") == len(of_both)
    missing = study("F06", "cpu", 1)  # a figure of which nothing is complete is not drawn
    monkeypatch.setattr(
        run, "plan", lambda given, **_how: SimpleNamespace(missing=[e for e in listed(given) if e in missing])
    )
    assert promote("--partial", "F02", "F06") == 0
    assert drawn[1][0] == ["F02"]
