"""Views of answers: samples of them, and accuracies read against recall, intervals and controls."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from pbb.analysis.labels import percent
from pbb.analysis.statistics import accuracy, chance, korn_graubard, permuted_control
from pbb.analysis.tables import final
from pbb.experiments.documents import WITHOUT_IO
from pbb.figures import style
from pbb.notebook.views.page import below, page, table
from pbb.records import ALLOWED
from pbb.store import RecordsError

MENUS = {"curriculum": "arm", "group": "group", "answer_mode": "mode", "outcome": "outcome"}
_COLUMNS = {**MENUS, "prompt": "question", "completion": "answer", "parsed": "read as", "expected": "expected"}
_OUTCOME = {"correct": style.ARMS["retroactive"].color, "wrong": style.ARMS["proactive"].color, "unparsed": style.MUTED}


def sample(records: pd.DataFrame, outcome: str | None = None, count: int = 60, **where: Any) -> Any:
    """Return a sample of at most `count` questions and answers as a table, the same ones every time.

    Args:
        records: rows of `pbb.run`.
        outcome: ``"correct"``, ``"wrong"`` or ``"unparsed"``; None takes all.
        count: taken evenly from each arm, group, mode and outcome.
        where: values that columns must have, such as ``answer_mode="cot"``; None takes all. `containing` is a text
            that question or answer must contain.

    Raises:
        RecordsError: there is no such column, or no such value; the message says what there is.
    """
    containing, rows = where.pop("containing", None), records
    for column, value in {"outcome": outcome, **where}.items():
        if value is None:
            continue
        if column not in records:
            raise RecordsError(f"show: no column {column!r}; valid: {', '.join(records)}")
        known = sorted({*records[column].unique(), *ALLOWED.get(column, ())}, key=str)
        if value not in known:
            raise RecordsError(f"show: {column}={value!r} is not valid; valid: {', '.join(map(str, known[:12]))}")
        rows = rows[rows[column] == value]
    if containing:
        texts = rows["prompt"] + "\n" + rows["completion"]
        rows = rows[texts.str.contains(containing, case=False, regex=False)]
    if rows.empty:
        return page(f"<p>None of the {len(records):,} answers is like that.</p>")
    shuffled = rows.sample(frac=1, random_state=0, ignore_index=True)
    turn = shuffled.groupby([*MENUS]).cumcount().sort_values(kind="stable")
    shown = shuffled.loc[turn.index[:count]].sort_values([*MENUS, "program", "input"], kind="stable")
    shares = rows["outcome"].value_counts(normalize=True)
    told = ", ".join(f"{name} {shares[name]:.0%}" for name in _OUTCOME if name in shares)
    caption = f"{len(shown):,} of {len(rows):,} answers ({told}), taken evenly: what is rare is shown too often."
    colored = table(shown[[*_COLUMNS]].rename(columns=_COLUMNS), caption)
    return colored.map(lambda name: f"border-left:4px solid {_OUTCOME[name]}", subset=["outcome"])


def show(records: pd.DataFrame, outcome: str | None = None, count: int = 60, **where: Any) -> None:
    """Display `sample`, with menus above it that draw another one: arm, group, mode, outcome, and a text to look for.

    The menus need a running kernel; the table is plain HTML, and stays wherever a notebook is shown.
    """
    import ipywidgets as widgets

    wanted, wide = {"outcome": outcome, **where}, {"width": "17em"}
    menus: dict[str, Any] = {}
    for column, name in MENUS.items():
        known = sorted(records[column].unique())
        value = wanted.get(column) if wanted.get(column) in known else ""
        options = [("all", ""), *((text, text) for text in known)]
        menus[column] = widgets.Dropdown(options=options, value=value, description=name, layout=wide)
    menus["containing"] = widgets.Text(description="text", layout=wide, continuous_update=False)

    def asked() -> Any:
        return sample(records, count=count, **wanted | {column: menu.value or None for column, menu in menus.items()})

    below([*menus.values()], sample(records, count=count, **wanted), asked)


def one_of_each(records: pd.DataFrame) -> pd.DataFrame:
    """Return one w/o IO question of each answer mode, with the answer."""
    rows = final(records)
    rows = rows[rows["group"] == WITHOUT_IO].sort_values(["program", "input"])
    rows = rows[rows["program"] == rows["program"].iloc[0]].drop_duplicates("answer_mode")
    rows = rows.sort_values("answer_mode", key=lambda modes: modes.map(ALLOWED["answer_mode"].index))
    return _in_words(rows[["answer_mode", "curriculum", "prompt", "completion", "expected", "outcome"]])


def _in_words(frame: pd.DataFrame) -> pd.DataFrame:
    """Return `frame` with arms and answer modes called what figures call them."""
    names = {name: look.label for looks in (style.ARMS, style.MODES) for name, look in looks.items()}
    own = {column: frame[column].map(names) for column in ("curriculum", "answer_mode") if column in frame}
    return frame.assign(**own).rename(columns=MENUS)


def _shown(found: pd.DataFrame) -> list[str]:
    return [percent(*row) for row in found[["estimate", "low", "high"]].itertuples(index=False)]


def before_and_after(records: pd.DataFrame) -> pd.DataFrame:
    """Return w/o IO accuracy of the base model and at the end of each stage, with clustered 95 % intervals."""
    rows = records[(records["group"] == WITHOUT_IO) & (records["answer_mode"] != "recall")]
    last = rows.groupby(["experiment", "stage"])["step"].transform("max")
    found = accuracy(rows[rows["step"] == last], ["stage", "answer_mode"])
    wide = _in_words(found.assign(shown=_shown(found))).pivot(index="stage", columns="mode", values="shown")
    wide.index = ["base model" if number == 0 else f"after Stage {number}" for number in wide.index]
    return wide.rename_axis(index="when", columns=None).reset_index()


def intervals(records: pd.DataFrame) -> pd.DataFrame:
    """Return accuracy at the end by arm, group and mode: the clustered interval beside a naive one.

    The naive interval (Clopper and Pearson's) takes each question for a trial of its own. Answers to one program
    rise and fall together, so it promises too much; the clustered one counts programs, or seeds.
    """
    by = ["curriculum", "group", "answer_mode"]
    found = accuracy(final(records), by)
    low, high = korn_graubard(found["estimate"], 0.0, found["questions"], found["questions"], np.inf)
    found["accuracy, clustered"] = _shown(found)
    found["if questions were independent"] = [f"[{a * 100:.0f}, {b * 100:.0f}]" for a, b in zip(low, high, strict=True)]
    found["unparsed"] = found["unparsed"].map("{:.0%}".format)
    shown = ["accuracy, clustered", "if questions were independent", "questions", "programs", "unparsed"]
    return _in_words(found[by + shown])


def recall_against_execution(records: pd.DataFrame) -> pd.DataFrame:
    """Return w/o IO accuracy at the end by whether the model also recites the program exactly.

    Columns: arm, source (recited, or not recited), mode, accuracy, questions, programs.
    """
    rows = final(records)
    rows = rows[rows["group"] == WITHOUT_IO]
    recalled = rows[rows["answer_mode"] == "recall"][["experiment", "program", "outcome"]]
    recalled["source"] = recalled.pop("outcome").eq("correct").map({True: "recited", False: "not recited"})
    rows = rows[rows["answer_mode"] != "recall"].merge(recalled)
    found = accuracy(rows, ["curriculum", "source", "answer_mode"])
    found["accuracy"] = _shown(found)
    return _in_words(found[["curriculum", "source", "answer_mode", "accuracy", "questions", "programs"]])


def against_controls(records: pd.DataFrame, arm: str = "proactive", control: str = "stage_1_only") -> pd.DataFrame:
    """Return `arm`'s w/o IO accuracy by mode beside what could explain it away.

    Columns: mode; the arm; the arm with its answers scored against other inputs (input-permuted); the control
    arm; and the best guess of somebody who knows the answer key, and not the program.
    """
    rows = final(records)
    rows = rows[(rows["group"] == WITHOUT_IO) & rows["answer_mode"].isin(["direct", "cot", "recite"])]
    made = []
    for mode, part in rows[rows["curriculum"].isin([arm, control])].groupby("answer_mode"):
        ours, theirs = (part[part["curriculum"] == name] for name in (arm, control))
        if len(ours):
            sides = {style.ARMS[arm].label: ours, "the same, inputs permuted": permuted_control(ours)}
            sides |= {style.ARMS[control].label: theirs} if len(theirs) else {}
            cells = {name: _shown(accuracy(side))[0] for name, side in sides.items()}
            made.append({"answer_mode": mode, **cells, "best guess": f"{chance(ours):.0%}".replace("%", " %")})
    return _in_words(pd.DataFrame(made))
