"""The claims board: every claim of the paper's with its verdict, from the records of one preset alone.

    python -m pbb claims             from the committed references
    python -m pbb claims --mine      from this machine's figures
    python -m pbb claims --readme    and write the README's table

A claim is as good as the worst of its contrasts. It is *contradicted* if any contrast that decides it is; else *not
supported* if any is not; else *not run* if any has no records; else *supported*. Holm's correction is over all
contrasts on the board.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from pbb import store
from pbb.analysis import claims
from pbb.analysis.claims import ALWAYS, IF_RUN, NOT_AVAILABLE, Claim
from pbb.analysis.verdicts import (
    ALPHA,
    CONTRADICTED,
    NO_VERDICT,
    NOT_RUN,
    NOT_SUPPORTED,
    SUPPORTED,
    figures,
    judged,
    measured,
    points,
)
from pbb.experiments.presets import PRESETS
from pbb.figures import style
from pbb.figures.f08_sample_efficiency import crossing
from pbb.figures.tables import PANEL
from pbb.records import load_records
from pbb.store import RecordsError, is_complete

WORST_FIRST = (CONTRADICTED, NOT_SUPPORTED, NO_VERDICT, NOT_RUN, SUPPORTED)
CLAIMS = ["claim", "statement", "here", "source", "verdict", "supported", "value", "decided by"]
CLAIMS += ["figures", "seeds", "paper", "why"]
BEGIN, END = "<!-- claims: written by `make claims` -->", "<!-- end of claims -->"


@dataclass(frozen=True)
class Board:
    """All claims judged on one preset's records.

    `claims` has one row a claim, columns CLAIMS, all text: "supported" is how many of its contrasts are; "value" is
    the difference of the contrast that decided, which "decided by" names; "why" is a sentence, where it failed.
    `contrasts` has one row a contrast and panel, columns `pbb.analysis.verdicts.CONTRASTS`.
    """

    preset: str
    claims: pd.DataFrame
    contrasts: pd.DataFrame

    @property
    def counts(self) -> str:
        """How many claims have which verdict: ``"2 supported, 1 contradicted, 9 not run"``."""
        found = self.claims["verdict"].value_counts()
        words = (SUPPORTED, NOT_SUPPORTED, CONTRADICTED, NOT_RUN, NO_VERDICT)
        return ", ".join(f"{found[word]} {word}" for word in words if word in found)


def board(folder: Path) -> Board:
    """Return the board of the preset whose figures lie in `folder`; a figure that is not there was not run.

    Raises:
        RecordsError: records there are damaged, or hold what cannot be compared.
    """
    records = {figure: _records(folder, figure) for figure in figures()}
    rows = [row for figure in records for row in measured(figure, records[figure], records)]
    order = [claim.id for claim in claims.CLAIMS]
    contrasts = judged(sorted(rows, key=lambda row: order.index(row["claim"])))
    by_claim = dict(list(contrasts.groupby("claim")))
    table = pd.DataFrame([_judge(claim, by_claim[claim.id], records) for claim in claims.CLAIMS], columns=CLAIMS)
    return Board(folder.name, table, contrasts)


def boards(preset: str = "auto", *, mine: bool = False) -> list[Board]:
    """Return the board of `preset`, of every preset that has records if ``"auto"``.

    Args:
        mine: judge this machine's figures instead of the committed references.

    Raises:
        RecordsError: there is no such preset, or none has records.
    """
    folder = (store.figures if mine else store.reference)("any").parent
    presets = sorted({file.parents[1].name for file in folder.glob("*/F*/manifest.json")})
    if preset not in ("auto", *PRESETS, *presets):
        raise RecordsError(f"preset={preset!r} is not valid; valid: auto, {', '.join(sorted({*PRESETS, *presets}))}")
    if preset == "auto" and not presets:
        make = "`make reproduce` makes this machine's" if mine else "`make reference` promotes complete runs"
        raise RecordsError(f"{folder}: no figures here to judge claims on; {make}")
    return [board(folder / name) for name in (presets if preset == "auto" else [preset])]


def _records(folder: Path, figure: str) -> pd.DataFrame | None:
    complete = [found for found in sorted(folder.glob(f"{figure}_*")) if is_complete(found)]
    return load_records(complete[0]) if complete else None


def _judge(claim: Claim, rows: pd.DataFrame, records: Mapping[str, pd.DataFrame | None]) -> dict[str, Any]:
    """Return one row of the board from a claim, its contrasts, and the records of each figure."""
    run = rows["verdict"] != NOT_RUN
    counted = rows[(rows["decides"] == ALWAYS) | ((rows["decides"] == IF_RUN) & run)]
    word = min(counted["verdict"], key=WORST_FIRST.index)
    worst = counted[counted["verdict"] == word].sort_values("difference", kind="stable").iloc[0]
    value, decided = "", ""
    if word != NOT_RUN:
        value, decided = f"{points(worst)} points", f"{worst['contrast']}; {worst['where']}"
    if claim.value and (known := records[worst["figure"]]) is not None:
        value = "; ".join(filter(None, [VALUES[claim.value](known), value]))
    seeds = rows["seeds"].dropna()
    return {
        "claim": claim.id,
        "statement": claim.statement,
        "here": claim.here,
        "source": claim.source,
        "verdict": word,
        "supported": f"{int((counted['verdict'] == SUPPORTED).sum())} of {len(counted)}",
        "value": value,
        "decided by": decided,
        "figures": ", ".join(dict.fromkeys(rows["figure"])),
        "seeds": "–".join(map(str, sorted({seeds.min(), seeds.max()}))) if len(seeds) else "–",
        "paper": _paper(claim),
        "why": claim.may_fail if word in (NOT_SUPPORTED, CONTRADICTED) else "",
    }


def _crossing(records: pd.DataFrame) -> str:
    """Return how many demonstrations one instruction is worth, in each panel of F08's records."""
    told = []
    for _, panel in records.groupby(PANEL):
        if {"proactive", "distillation"} <= set(panel.loc[panel["answer_mode"] == "cot", "curriculum"]):
            told.append(f"worth {crossing(panel, 'cot')} demonstrations")
    return "; ".join(told)


VALUES: dict[str, Callable[[pd.DataFrame], str]] = {"crossing": _crossing}


def _paper(claim: Claim) -> str:
    values = [
        f"{style.ARMS[one.arm].label}: {one.value} ({one.setting})" if one.arm else f"{one.value} {one.setting}"
        for one in claims.REPORTED
        if one.claim == claim.id
    ]
    return "; ".join(values) or NOT_AVAILABLE


# ----------------------------------------------------------------------------------------------- in words
def render(board: Board) -> str:
    """Return the board as plain text, at most 100 characters wide."""
    lines = [f"Claims, preset {board.preset}: {board.counts}", ""]
    for row in board.claims.to_dict("records"):
        seeds = "" if row["seeds"] == "–" else f", {row['seeds']} seed" + ("s" if row["seeds"] != "1" else "")
        lines.append(f"{row['claim']:<4} {row['verdict']} ({row['supported']} contrasts; {row['figures']}{seeds})")
        details = [row["statement"], row["here"] and f"Here: {row['here']}"]
        if row["decided by"]:
            details.append(f"{row['value']}: {row['decided by']}")
        details += [f"The paper: {row['paper']}", row["why"] and f"Why it may fail here: {row['why']}"]
        for text in filter(None, details):
            lines += textwrap.wrap(text, 100, initial_indent="     ", subsequent_indent="       ")
        lines.append("")
    return "\n".join([*lines, *textwrap.wrap(_how(board), 100)])


def _how(board: Board) -> str:
    compared = int(board.contrasts["difference"].notna().sum())
    if not compared:
        return f"Nothing is judged: no figure of preset {board.preset} is here that a claim is about."
    return (
        "A value is the difference, with its 95 % interval (bootstrap clustered by program and seed), of the contrast "
        f"that decided, the worst one; p < {ALPHA} after Holm's correction over all {compared} contrasts of the board."
    )


def markdown(all_boards: Iterable[Board]) -> str:
    """Return the boards as the README shows them: a table a preset, and why claims that failed may have failed."""
    parts = []
    for board in all_boards:
        lines = [
            f"**Preset `{board.preset}`: {board.counts}.** {_how(board)}",
            "",
            "| | claim | verdict | contrasts | value, and what decided | figures | seeds | the paper's value |",
            "|---|---|---|---|---|---|---|---|",
        ]
        for row in board.claims.to_dict("records"):
            decided = f"{row['value']}: {row['decided by']}" if row["decided by"] else "–"
            claim = row["statement"] + (row["here"] and f" *Here: {row['here']}*")
            cells = (row["claim"], claim, f"**{row['verdict']}**", row["supported"], decided)
            lines.append(f"| {' | '.join((*cells, row['figures'], row['seeds'], row['paper']))} |")
        failed = [row for row in board.claims.to_dict("records") if row["why"]]
        if failed:
            lines += ["", "Why a claim may fail at this scale (guesses, not findings):", ""]
            lines += [f"- {row['claim']}: {row['why']}" for row in failed]
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def with_boards(text: str, all_boards: Sequence[Board]) -> str:
    """Return `text`, the README's, with what stands between its markers replaced by the boards.

    Raises:
        RecordsError: the markers are not there, once each and in order.
    """
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end) or BEGIN in after or END in after:
        raise RecordsError(f"README.md: the table of claims belongs between {BEGIN!r} and {END!r}, each there once")
    return f"{before}{BEGIN}\n{markdown(all_boards)}\n{END}{after}"
