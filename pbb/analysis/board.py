"""The claims board: every claim of the paper's with its verdict, from the records of one preset alone.

    python -m pbb claims             from the committed references
    python -m pbb claims --mine      from this machine's figures
    python -m pbb claims --write     and write RESULTS.md

A claim takes the verdict of its worst primary contrast: contradicted, not supported, not run, supported. Holm's
correction is over all primaries on the board. A figure's notebook shows rows of this board (`verdict`).
"""

from __future__ import annotations

import textwrap
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from pbb import store
from pbb.analysis import claims, verdicts
from pbb.analysis.claims import NOT_AVAILABLE, PRIMARY, Claim
from pbb.analysis.tables import CURVES, crossings
from pbb.analysis.verdicts import CONTRADICTED, NO_VERDICT, NOT_RUN, NOT_SUPPORTED, SUPPORTED, figures
from pbb.arms import ARMS
from pbb.records import load_records
from pbb.store import RecordsError, is_complete

WORST_FIRST = (CONTRADICTED, NOT_SUPPORTED, NO_VERDICT, NOT_RUN, SUPPORTED)


@dataclass(frozen=True)
class Board:
    """All claims judged on one preset's records.

    `claims` has one row a claim. Columns: claim, statement, here, source; verdict; supported (how many of its
    primaries are); value (the difference of the primary that decided); decided by (its name, and why it is not run);
    regime (the values that decide that); figures (a list); seeds; paper; why (a sentence, where the claim failed).
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

    def primaries(self, figure: str = "") -> list[dict[str, Any]]:
        """Return the rows of `contrasts` that decide, all or a figure's; `word` is the verdict without its reason."""
        rows = self.contrasts[self.contrasts["decides"] == PRIMARY]
        rows = rows.assign(word=rows["verdict"].str.partition(": ")[0])
        return rows[rows["figure"].eq(figure) | (figure == "")].to_dict("records")

    @property
    def compared(self) -> int:
        """How many primaries have records on both sides."""
        return sum(pd.notna(row["difference"]) for row in self.primaries())


def board(folder: Path, instead: Mapping[str, pd.DataFrame] | None = None) -> Board:
    """Return the board of the preset whose figures lie in `folder`; a figure that is not there was not run.

    Args:
        folder: of one preset's figures.
        instead: by figure, records to judge in place of those in `folder`.

    Raises:
        RecordsError: records there are damaged, or hold what cannot be compared.
    """
    records = {figure: _records(folder, figure) for figure in figures()} | dict(instead or {})
    against = verdicts.read_against(records)
    rows = [row for figure in figures() for row in verdicts.measured(figure, records, against)]
    order = [claim.id for claim in claims.CLAIMS]
    contrasts = verdicts.judged(sorted(rows, key=lambda row: (order.index(row["claim"]), row["decides"])))
    judged = [_judge(claim, contrasts[contrasts["claim"] == claim.id], records) for claim in claims.CLAIMS]
    return Board(folder.name, pd.DataFrame(judged), contrasts)


def verdict(figure: str, records: pd.DataFrame, folder: Path) -> pd.DataFrame:
    """Return the rows of the board that are about `figure`, judged on `records`; none where no claim is about it.

    All else on that board comes from the figures in `folder`: a contrast has one verdict, here and on the board.
    Columns `pbb.analysis.verdicts.CONTRASTS`.
    """
    if figure not in figures():
        return pd.DataFrame(columns=verdicts.CONTRASTS)
    contrasts = board(folder, {figure: records}).contrasts
    return contrasts[contrasts["figure"] == figure].reset_index(drop=True)


def boards(preset: str = "auto", *, mine: bool = False, known: Collection[str] = ()) -> list[Board]:
    """Return the board of `preset`, of every preset that has records if ``"auto"``.

    Args:
        preset: of those that have records, or of `known`, whose claims are "not run" where it has none.
        mine: judge this machine's figures instead of the committed references.
        known: presets that exist, with records or without.

    Raises:
        RecordsError: there is no such preset, or none has records.
    """
    folder = (store.figures if mine else store.reference)("any").parent
    presets = sorted({file.parents[1].name for file in folder.glob("*/F*/manifest.json")})
    if preset not in ("auto", *known, *presets):
        raise RecordsError(f"preset={preset!r} is not valid; valid: auto, {', '.join(sorted({*known, *presets}))}")
    if preset == "auto" and not presets:
        make = "`make reproduce` makes this machine's" if mine else "`make reference` promotes complete runs"
        raise RecordsError(f"{folder}: no figures here to judge claims on; {make}")
    return [board(folder / name) for name in (presets if preset == "auto" else [preset])]


def _records(folder: Path, figure: str) -> pd.DataFrame | None:
    complete = [found for found in sorted(folder.glob(f"{figure}_*")) if is_complete(found)]
    return load_records(complete[0]) if complete else None


def _judge(claim: Claim, rows: pd.DataFrame, records: Mapping[str, pd.DataFrame | None]) -> dict[str, Any]:
    """Return one row of the board from a claim, its contrasts, and the records of each figure."""
    primary = rows[rows["decides"] == PRIMARY]
    words = primary["verdict"].str.partition(": ")[0]
    word = NO_VERDICT if (primary["verdict"] == NO_VERDICT).any() else min(words, key=WORST_FIRST.index)
    worst = primary[words == word.partition(": ")[0]].iloc[0]
    why_not = str(worst["verdict"]).partition(": ")[2] if word == NOT_RUN else ""
    value = "" if pd.isna(worst["difference"]) else f"{verdicts.points(worst)} points"
    if value and pd.notna(worst["least"]):
        value += f" (found with 80 % power: {verdicts.least(worst)}{' or more' * bool(worst['least'] <= 1)})"
    if claim.worth and not why_not and (known := records[worst["figure"]]) is not None:
        told = [
            f"worth {found} demonstrations"
            + " after the same Stage 1" * (curve != CURVES[0])
            + " (one seed)" * (found.seeds == 1)
            for _, curve, mode, found in crossings(known)
            if mode == "cot"
        ]
        value = "; ".join(filter(None, [*told, value]))
    seeds = primary["seeds"].dropna()
    return {
        "claim": claim.id,
        "statement": claim.statement,
        "here": claim.here,
        "source": claim.source,
        "verdict": word,
        "supported": f"{int((words == SUPPORTED).sum())} of {len(primary)}",
        "value": value,
        "decided by": "; ".join(filter(None, [worst["contrast"], worst["where"], why_not])),
        "regime": worst["regime"],
        "figures": list(dict.fromkeys(rows["figure"])),
        "seeds": "–".join(map(str, sorted({seeds.min(), seeds.max()}))) if len(seeds) else "–",
        "paper": _paper(claim),
        "why": claim.may_fail if word in (NOT_SUPPORTED, CONTRADICTED) else "",
    }


def _paper(claim: Claim) -> str:
    values = [
        f"{ARMS[one.arm].label}: {one.value} ({one.setting})" if one.arm else f"{one.value} {one.setting}"
        for one in claims.REPORTED
        if one.claim == claim.id
    ]
    return "; ".join(values) or NOT_AVAILABLE


def render(board: Board) -> str:
    """Return the board as plain text, at most 100 characters wide."""
    lines = [f"Claims, preset {board.preset}: {board.counts}", ""]
    for row in board.claims.to_dict("records"):
        seeds = "" if row["seeds"] == "–" else f", {row['seeds']} seed" + ("s" if row["seeds"] != "1" else "")
        judged_on = ", ".join(row["figures"])
        lines.append(f"{row['claim']:<4} {row['verdict']} ({row['supported']} primaries; {judged_on}{seeds})")
        details = [row["statement"], row["here"] and f"Here: {row['here']}"]
        details += [": ".join(filter(None, [row["value"], row["decided by"]])), row["regime"]]
        details += [f"The paper: {row['paper']}", row["why"] and f"Why it may fail here: {row['why']}"]
        for text in filter(None, details):
            lines += textwrap.wrap(text, 100, initial_indent="     ", subsequent_indent="       ")
        lines.append("")
    return "\n".join([*lines, *textwrap.wrap(how(board), 100)])


def how(board: Board) -> str:
    """Return how the verdicts of a board were found, in words."""
    if not board.compared:
        return f"Nothing is judged: no figure of preset {board.preset} is here that a claim is about."
    return (
        f"{verdicts.RULE} {verdicts.REGIME} {board.compared} primaries of preset {board.preset} have records. "
        f"{verdicts.WORST} Shown is the difference of that contrast."
    )
