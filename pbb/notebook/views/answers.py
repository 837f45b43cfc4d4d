"""Views of answers: samples of them, and accuracies read against recall, intervals and controls."""

from __future__ import annotations

import html
import secrets
from typing import Any

import pandas as pd

from pbb.analysis.labels import percent
from pbb.analysis.statistics import accuracy, chance, clopper_pearson, permuted_control
from pbb.analysis.tables import final
from pbb.experiments.documents import WITHOUT_IO
from pbb.figures import style
from pbb.notebook.views.page import page, table
from pbb.records import ALLOWED
from pbb.store import RecordsError

_OUTCOME = {"correct": style.ARMS["retroactive"].color, "wrong": style.ARMS["proactive"].color, "unparsed": style.MUTED}
_FILTERS = ("curriculum", "group", "answer_mode", "outcome")  # the first columns of the browsable table
_COLUMNS = {
    "curriculum": "arm",
    "group": "group",
    "answer_mode": "mode",
    "outcome": "outcome",
    "prompt": "question",
    "completion": "answer",
    "parsed": "read as",
    "expected": "expected",
}
# Written into each cell, since a page that is not trusted loses its <style>.
_LOOKS = {
    "prompt": "white-space:pre-wrap;min-width:14em",
    "completion": "white-space:pre-wrap;min-width:16em",
    "parsed": "white-space:pre",
    "expected": "white-space:pre",
}
# Adds a menu for each of the first COUNT columns and a search box above the table, and hides what they leave out.
_SCRIPT = """
(() => {
  const root = document.getElementById("NAME");
  const rows = [...root.querySelectorAll("tbody tr")];
  const bar = document.createElement("p"), found = document.createElement("output");
  const add = (name, input) => {
    const label = document.createElement("label");
    label.style.marginRight = "1em";
    label.append(name + " ", input);
    bar.append(label);
    input.addEventListener("input", filter);
    return input;
  };
  const menus = [...root.querySelectorAll("th")].slice(0, COUNT).map((head, column) => {
    const menu = document.createElement("select");
    menu.add(new Option("all", ""));
    for (const value of new Set(rows.map(row => row.cells[column].textContent))) menu.add(new Option(value));
    return add(head.textContent, menu);
  });
  const search = add("text", document.createElement("input"));
  function filter() {
    let shown = 0;
    for (const row of rows) {
      const fits = menus.every((menu, column) => !menu.value || row.cells[column].textContent === menu.value)
        && row.textContent.toLowerCase().includes(search.value.toLowerCase());
      row.style.display = fits ? "" : "none";
      shown += fits;
    }
    found.textContent = shown + " of " + rows.length + " shown";
  }
  bar.append(found);
  root.prepend(bar);
  filter();
})();
"""


def show(records: pd.DataFrame, outcome: str = "", count: int = 60, **where: Any) -> Any:
    """Return a sample of questions and answers as a table to browse: filter it by arm, group, mode and outcome.

    It is plain HTML. A few lines of script add the filters; where scripts do not run, the table stays.

    Args:
        records: rows of `pbb.run`.
        outcome: ``"correct"``, ``"wrong"`` or ``"unparsed"``; empty takes all.
        count: how many at most, evenly from each arm, group, mode and outcome; the same ones every time.
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
        return page(f"<p>None of the {len(records):,} answers is like that.</p>")
    shares = rows["outcome"].value_counts(normalize=True)
    caption = (
        f"{min(count, len(rows)):,} of {len(rows):,} answers ("
        + ", ".join(f"{name} {shares[name]:.0%}" for name in _OUTCOME if name in shares)
        + "), taken evenly from each arm, group, mode and outcome: what is rare is shown too often."
    )
    return page(_browsable(_evenly(rows, count), caption))


def _evenly(rows: pd.DataFrame, count: int) -> pd.DataFrame:
    """Return at most `count` rows, as many of one filter's values as of another's as far as there are any."""
    shuffled = rows.sample(frac=1, random_state=0, ignore_index=True)
    turn = shuffled.groupby(list(_FILTERS)).cumcount().sort_values(kind="stable")
    return shuffled.loc[turn.index[:count]].sort_values([*_FILTERS, "program", "input"], kind="stable")


def _browsable(rows: pd.DataFrame, caption: str) -> str:
    """Return `rows` as an HTML table with a script that adds its filters."""
    lines = []
    for row in rows.to_dict("records"):
        cells = []
        for column in _COLUMNS:
            text = "–" if pd.isna(row[column]) else html.escape(str(row[column]))
            look = f"border-left:4px solid {_OUTCOME[row[column]]}" if column == "outcome" else _LOOKS.get(column, "")
            cells.append(f'<td style="text-align:left;vertical-align:top;{look}">{text}</td>')
        lines.append(f"<tr>{''.join(cells)}</tr>")
    head = "".join(f'<th scope="col" style="text-align:left">{name}</th>' for name in _COLUMNS.values())
    name = f"answers-{secrets.token_hex(4)}"  # a notebook may show several
    script = _SCRIPT.replace("NAME", name).replace("COUNT", str(len(_FILTERS)))
    return (
        f'<div id="{name}"><p>{html.escape(caption)}</p><div style="max-height:36em;overflow:auto">'
        f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table></div></div>"
        f"<script>{script}</script>"
    )


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
