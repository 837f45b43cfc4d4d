"""Views of answers: samples of them, and accuracies read against recall, intervals and controls."""

from __future__ import annotations

from typing import Any

import pandas as pd

from pbb.claims import percent
from pbb.documents import WITHOUT_IO
from pbb.figures import style
from pbb.figures.tables import final
from pbb.folders import RecordsError
from pbb.records import ALLOWED
from pbb.statistics import accuracy, chance, clopper_pearson, permuted_control
from pbb.views.page import table

_OUTCOME = {"correct": style.ARMS["retroactive"].color, "wrong": style.ARMS["proactive"].color, "unparsed": style.MUTED}


def show(records: pd.DataFrame, outcome: str = "", count: int = 8, **where: Any) -> Any:
    """Return a sample of questions and answers as a table.

    Args:
        records: rows of `pbb.run`.
        outcome: ``"correct"``, ``"wrong"`` or ``"unparsed"``; empty takes all.
        count: how many at most; the same ones every time.
        where: values that columns must have, such as ``answer_mode="cot"``; an empty value takes all.

    Raises:
        RecordsError: there is no such column, or no such value; the message says what there is.
    """
    rows = records
    for column, value in {"outcome": outcome, **where}.items():
        if value == "":
            continue
        if column not in records:
            raise RecordsError(f"show: no column {column!r}; valid: {', '.join(records)}")
        known = sorted({*records[column].unique(), *ALLOWED.get(column, ())}, key=str)
        if value not in known:
            raise RecordsError(f"show: {column}={value!r} is not valid; valid: {', '.join(map(str, known[:12]))}")
        rows = rows[rows[column] == value]
    if rows.empty:
        print(f"none of the {len(records):,} answers is like that")
    columns = ["curriculum", "group", "answer_mode", "prompt", "completion", "expected", "parsed", "outcome"]
    chosen = rows[columns].sample(min(count, len(rows)), random_state=0).reset_index(drop=True)
    return table(chosen).map(lambda value: f"color:{_OUTCOME[value]};font-weight:bold", subset=["outcome"])


def at_the_end(records: pd.DataFrame) -> pd.DataFrame:
    """Return the answers given at the end of each experiment's training."""
    return final(records)


def one_of_each(records: pd.DataFrame) -> Any:
    """Return one w/o IO question of each answer mode, with the answer, as a table."""
    rows = final(records)
    rows = rows[rows["group"] == WITHOUT_IO].sort_values(["program", "input"])
    program = rows["program"].iloc[0]  # the same program in every row, so that only the asking differs
    rows = rows[rows["program"] == program].drop_duplicates("answer_mode")
    order = {mode: place for place, mode in enumerate(ALLOWED["answer_mode"])}
    rows = rows.sort_values("answer_mode", key=lambda column: column.map(order))
    return table(rows[["answer_mode", "curriculum", "prompt", "completion", "expected", "outcome"]])


def before_and_after(records: pd.DataFrame) -> pd.DataFrame:
    """Return w/o IO accuracy of the base model and at the end of each stage, with clustered 95 % intervals."""
    rows = records[(records["group"] == WITHOUT_IO) & (records["answer_mode"] != "recall")]
    last = rows.groupby(["experiment", "stage"])["step"].transform("max")
    found = accuracy(rows[rows["step"] == last], ["stage", "answer_mode"])
    found["shown"] = [percent(r["estimate"], r["low"], r["high"]) for r in found.to_dict("records")]
    wide = found.pivot(index="stage", columns="answer_mode", values="shown").reset_index()
    wide["stage"] = ["base model" if number == 0 else f"after Stage {number}" for number in wide["stage"]]
    names = {mode: look.label for mode, look in style.MODES.items()}
    return wide.rename(columns={"stage": "when", **names}).rename_axis(columns=None)


def intervals(records: pd.DataFrame) -> pd.DataFrame:
    """Return accuracy at the end by arm, group and mode: the clustered interval beside a naive one.

    The naive interval (Clopper and Pearson's) takes each question for a trial of its own. Answers to one program
    rise and fall together, so it promises too much; the clustered one resamples programs.
    """
    by = ["curriculum", "group", "answer_mode"]
    found = accuracy(final(records), by)
    naive = [clopper_pearson(r["estimate"] * r["questions"], r["questions"]) for r in found.to_dict("records")]
    shares = found[["estimate", "low", "high"]]
    found["accuracy, clustered"] = [percent(*row) for row in shares.itertuples(index=False)]
    found["if questions were independent"] = [f"[{low * 100:.0f}, {high * 100:.0f}]" for low, high in naive]
    found["unparsed"] = [f"{share:.0%}" for share in found["unparsed"]]
    kept = [*by, "accuracy, clustered", "if questions were independent", "questions", "programs", "unparsed"]
    return found[kept]


def recall_against_execution(records: pd.DataFrame) -> pd.DataFrame:
    """Return w/o IO accuracy at the end by whether the model also recites the program exactly.

    Columns: curriculum, source (recited, or not recited), answer_mode, accuracy, questions, programs.
    """
    rows = final(records)
    rows = rows[rows["group"] == WITHOUT_IO]
    recalled = rows[rows["answer_mode"] == "recall"].assign(
        source=lambda r: ["recited" if o == "correct" else "not recited" for o in r["outcome"]]
    )
    rows = rows[rows["answer_mode"] != "recall"].merge(recalled[["experiment", "program", "source"]])
    found = accuracy(rows, ["curriculum", "source", "answer_mode"])
    found["accuracy"] = [percent(r["estimate"], r["low"], r["high"]) for r in found.to_dict("records")]
    return found[["curriculum", "source", "answer_mode", "accuracy", "questions", "programs"]]


def against_controls(records: pd.DataFrame, arm: str = "proactive", control: str = "stage_1_only") -> pd.DataFrame:
    """Return `arm`'s w/o IO accuracy by mode beside what could explain it away.

    Columns: answer_mode; the arm; the arm with its answers scored against other inputs (input-permuted); the control
    arm; and the best guess without knowledge of the program.
    """
    rows = final(records)
    rows = rows[(rows["group"] == WITHOUT_IO) & rows["answer_mode"].isin(["direct", "cot", "recite"])]
    made = []
    for mode, part in rows.groupby("answer_mode"):
        ours, theirs = part[part["curriculum"] == arm], part[part["curriculum"] == control]
        if ours.empty:
            continue
        sides = {style.ARMS[arm].label: ours, "the same, inputs permuted": permuted_control(ours)}
        sides |= {style.ARMS[control].label: theirs} if len(theirs) else {}
        cells = {name: percent(*accuracy(side).loc[0, ["estimate", "low", "high"]]) for name, side in sides.items()}
        made.append({"answer_mode": mode, **cells, "best guess": f"{chance(ours):.0%}".replace("%", " %")})
    return pd.DataFrame(made)
