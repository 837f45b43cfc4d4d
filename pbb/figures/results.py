"""RESULTS.md: every committed figure with its values, a column a preset; then the board of claims."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd

from pbb.analysis import verdicts
from pbb.analysis.board import Board
from pbb.figures import FIGURES, Chart
from pbb.figures.io import by_mode
from pbb.records import load_records
from pbb.store import is_complete

_FIGURES = "figures/reference"
_ARMS = (
    "Proactive-PBB: Stage 1 teaches w/ IO programs, Stage 2 the bare sources of w/o IO programs. Retroactive-PBB: all "
    "sources, then executions of w/ IO programs. Homogeneous mixture: all of these documents in one stage. In context: "
    "the base model with the source in its prompt. Controls: Stage 1 only; Stage 2 only; No demonstrations (all "
    "sources, no execution); Skip-exposure (Retroactive without w/o IO sources); Untuned."
)


def page(root: Path, boards: Sequence[Board]) -> str:
    """Return RESULTS.md of the checkout at `root`, whose committed presets have `boards`.

    Figures without records are left out; where only some presets have one, the others say so.
    """
    presets = [board.preset for board in boards]
    parts = [
        "# Results",
        "Written by `make claims` from the records in `figures/reference/` alone; do not edit. Accuracies are of "
        "w/o IO programs, or, where a row says so, of w/ IO programs on held-out inputs. Intervals are at 95 %, over "
        "seeds; where only one seed was run, they are about its programs. "
        f"Presets: {', '.join(f'`{preset}`' for preset in presets)}.",
        _ARMS,
        "[Figures](#figures) · [Claims](#claims) · [Why claims may fail](#why-claims-may-fail)",
        "## Figures",
    ]
    for chart in FIGURES.values():
        folders = {preset: root / _FIGURES / preset / chart.NAME for preset in presets}
        if any(map(is_complete, folders.values())):
            parts += _figure(chart, folders, _judged(chart, boards))
    return "\n\n".join([*parts, *_claims(boards)]) + "\n"


def _table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(str(cell) for cell in line)} |" for line in lines)


def _judged(chart: Chart, boards: Sequence[Board]) -> str:
    """What a figure's primary contrasts came to: a line each, such as ``- C2: code > description: not run (`llm`)``."""
    told: dict[str, list[str]] = {}
    for board in boards:
        for row in board.primaries(chart.ID):
            value = f", {verdicts.points(row)} points" * pd.notna(row["difference"])
            found = f"**{row['word']}** (`{board.preset}`{value})"
            told.setdefault(f"- {row['claim']}: {row['contrast']}", []).append(found)
    return "\n".join(f"{what}: {', '.join(found)}" for what, found in told.items()) or "No claim is decided here."


def _figure(chart: Chart, folders: dict[str, Path], judged: str) -> list[str]:
    """One figure: what is claimed and how it is judged, its pictures side by side, its headline values by arm."""
    shown = {
        preset: f"![{chart.ID}: {chart.TITLE}, preset {preset}]({_FIGURES}/{preset}/{chart.NAME}/figure.png)"
        for preset, folder in folders.items()
        if is_complete(folder)
    }
    parts = [f"### {chart.ID}. {chart.TITLE}", f"Claimed: {chart.CLAIM}", judged]
    if len(folders) == 1:
        parts += shown.values()
    else:
        parts.append(
            _table([f"`{preset}`" for preset in folders], [[shown.get(preset, "not run") for preset in folders]])
        )
    for preset in shown:
        values = by_mode(chart.headline(load_records(folders[preset]))).drop(columns="key")
        if len(values):
            columns = [f"`{preset}`" if len(folders) > 1 else "", *values.columns[1:]]
            parts.append(_table(columns, values.itertuples(index=False, name=None)))
    return parts


def _claims(boards: Sequence[Board]) -> list[str]:
    """The board, a column a preset, every primary, and the guesses why claims failed."""
    counts = " ".join(f"Preset `{board.preset}`: {board.counts}." for board in boards)
    how = (
        "Contrasts, their directions and regimes are declared in `pbb/analysis/claims.py`; [how a claim is "
        f"judged](figures/README.md#how-a-claim-is-judged) has the reasons and a simulation. {verdicts.RULE} "
        f"{verdicts.REGIME} {verdicts.WORST}"
    )
    by_preset = [board.claims.to_dict("records") for board in boards]
    rows, guesses = [], []
    for claims in zip(*by_preset, strict=True):
        first, cells = claims[0], []
        for claim in claims:
            told = ": ".join(filter(None, [claim["value"], claim["decided by"]]))
            cells.append(f"**{claim['verdict']}** ({claim['supported']}; seeds: {claim['seeds']})<br>{told}")
        statement = first["statement"] + (first["here"] and f" *Here: {first['here']}*")
        rows.append([first["claim"], statement, ", ".join(first["figures"]), *cells, first["paper"]])
        failed = [board.preset for board, claim in zip(boards, claims, strict=True) if claim["why"]]
        if failed:
            why = next(claim["why"] for claim in claims if claim["why"])
            guesses.append(f"- {first['claim']} ({', '.join(failed)}): {why}")
    columns = ["", "claim", "figures", *(f"preset `{board.preset}`" for board in boards), "the paper's value"]
    parts = ["## Claims", f"{counts} {how}", _table(columns, rows)]
    for board in boards:
        parts += [f"### Primary contrasts, preset `{board.preset}`", _primaries(board)]
    return [*parts, "## Why claims may fail", "Guesses, not findings.", "\n".join(guesses)] if guesses else parts


def _primaries(board: Board) -> str:
    """Every primary with its regime, difference, corrected p, least effect and verdict."""
    rows = []
    for row in board.primaries():
        p = "–" if pd.isna(row["p"]) else f"{row['p']:.3f}"
        what, regime = f"{row['contrast']}; {row['where']}", row["regime"] or "–"
        rows.append([row["claim"], what, regime, verdicts.points(row), p, verdicts.least(row), row["verdict"]])
    columns = ["", "contrast", "regime", "points", "p, corrected", "found with 80 % power, points", "verdict"]
    return _table(columns, rows)
