"""Figures on disk: saved whole or not at all, redrawn from committed records, compared with the reference.

``figures/reference/<preset>/<name>/`` is committed; ``figures/<preset>/<name>/`` is this machine's. Both
hold figure.png, figure.pdf, table.csv, records.parquet and, written last, manifest.json.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from pbb import store
from pbb.analysis.claims import NOT_AVAILABLE, REPORTED
from pbb.analysis.labels import MODES, percent
from pbb.analysis.statistics import accuracy, contrast
from pbb.analysis.tables import Value, usable
from pbb.figures import FIGURES, Chart
from pbb.figures.style import theme
from pbb.records import load_records, write_records
from pbb.store import RecordsError, atomic_folder, is_complete, read_manifest, sha256, write_manifest

TOLERANCE = 0.05
_NO_DATES = {"png": {"Software": None}, "pdf": {"CreationDate": None, "Creator": None, "Producer": None}}
_SAME = ["seed", "program", "input", "answer_mode", "stage", "step"]
_SAME += ["prompt", "completion", "expected", "parsed", "outcome"]


def figure_module(figure_id: str) -> Chart:
    """The figure "F02". Raises RecordsError naming those that exist."""
    name = str(figure_id).upper()
    if name not in FIGURES:
        raise RecordsError(f"figure: {figure_id!r} is not known; valid: {', '.join(FIGURES)}")
    return FIGURES[name]


def save_figure(
    figure_id: str,
    records: pd.DataFrame,
    folder: Path | str,
    manifest: Mapping[str, Any],
    *,
    allow_smoke: bool = False,
) -> Path:
    """Draw a figure and leave it at `folder` with all that is behind it, replacing what is there at once.

    Equal records and manifest give equal bytes. Raises RecordsError for mixed presets and smoke records.
    """
    chart = figure_module(figure_id)
    rows = chart.rows(usable(records, allow_smoke=allow_smoke))
    picture = chart.draw(rows, allow_smoke=allow_smoke)
    with atomic_folder(folder, replace=True) as partial:
        with theme():  # fonts of a PDF are chosen when it is saved
            for kind in ("png", "pdf"):
                picture.savefig(partial / f"figure.{kind}", dpi=200, metadata=_NO_DATES[kind])
        table = chart.table(rows)
        text = table.to_csv(index=False, float_format="%.6g", lineterminator="\n")
        (partial / "table.csv").write_text(text, encoding="utf-8", newline="")
        files = {f.name: sha256(f) for f in sorted(partial.iterdir())}
        entry = write_records(partial, rows)
        about: dict[str, Any] = {"figure": chart.ID, "name": chart.NAME, "claim": chart.CLAIM}
        about |= {"caption": chart.wording(table, rows), "preset": str(rows["preset"].iloc[0])}
        seeds, experiments = (sorted(rows[column].unique().tolist()) for column in ("seed", "experiment"))
        about |= {"seeds": seeds, "experiments": experiments, "records": entry, "files": files}
        write_manifest(partial, {**manifest, **about})
    return Path(folder)


def redraw_references(root: Path | str) -> list[Path]:
    """Draw every committed reference figure again from its records, in place; returns the folders written.

    The manifests keep what they say about the runs.
    """
    done = []
    for manifest_file in sorted((Path(root) / "reference").glob("*/*/manifest.json")):
        folder = manifest_file.parent
        manifest = read_manifest(folder) or {}
        done.append(save_figure(manifest["figure"], load_records(folder), folder, manifest))
    if not done:
        raise RecordsError(
            f"{Path(root) / 'reference'}: no reference figures here; `make reference` promotes complete runs"
        )
    return done


# ------------------------------------------------------------------------------------- against the reference
def compare(preset: str, root: Path | str | None = None, figures: Sequence[str] = ()) -> pd.DataFrame:
    """Each headline value of this machine's figures, or of those named, against the committed reference.

    Where the two share seeds, only those are compared, so that the same programs meet. The verdict is

    - "exact": the answers behind the value are the same, letter by letter;
    - "reproduced": the interval of the difference holds 0, or the two values are within
      0.05, or this machine's value lies in the range of the reference's seeds widened by 0.05 (training is
      only exact on one machine: elsewhere a run is one more draw, and seeds say how far draws lie apart);
    - "differs": none of these;
    - "no reference", "not run": the value is on one side only.

    Columns: figure, name, where, ours, ours_low, ours_high, reference, reference_low, reference_high, difference,
    low, high, seeds (those compared), verdict. Raises RecordsError where this machine has no figures.
    """
    rows: list[dict[str, Any]] = []
    found = False
    mine, committed = Path(root or store.figures(preset).parent), Path(root or store.reference(preset).parents[1])
    for figure_id in figures or FIGURES:
        chart = figure_module(figure_id)
        folders = mine / preset / chart.NAME, committed / "reference" / preset / chart.NAME
        ours, theirs = (chart.cells(load_records(folder)) if is_complete(folder) else {} for folder in folders)
        found = found or is_complete(folders[0])
        for value in dict.fromkeys([*ours, *theirs]):
            named = {"figure": chart.ID, "name": value.what, "where": value.where}
            rows.append(named | _compared(ours.get(value), theirs.get(value)))
    if not found:
        raise RecordsError(f"{mine / preset}: no figures of this machine's; run `make reproduce` first")
    return pd.DataFrame(rows) if rows else pd.DataFrame(columns=["figure", "name", "where", "verdict"])  # F01's


def _compared(ours: pd.DataFrame | None, theirs: pd.DataFrame | None) -> dict[str, Any]:
    if ours is None or theirs is None:
        one = _interval("ours", ours) | _interval("reference", theirs)
        return one | {"verdict": "not run" if ours is None else "no reference"}
    shared = sorted(set(ours["seed"]) & set(theirs["seed"]))
    by_seed = (theirs["outcome"] == "correct").groupby(theirs["seed"]).mean()
    if shared:
        ours, theirs = (side[side["seed"].isin(shared)] for side in (ours, theirs))
    sides = _interval("ours", ours) | _interval("reference", theirs)
    sides["seeds"] = ", ".join(map(str, shared)) or "none shared"
    if _answers(ours).equals(_answers(theirs)):  # then nothing is left to estimate
        return sides | dict.fromkeys(("difference", "low", "high"), 0.0) | {"verdict": "exact"}
    found = contrast(ours, theirs)
    near = (
        found.low <= 0 <= found.high
        or abs(found.estimate) <= TOLERANCE
        or by_seed.min() - TOLERANCE <= sides["ours"] <= by_seed.max() + TOLERANCE
    )
    numbers = {"difference": found.estimate, "low": found.low, "high": found.high}
    return sides | numbers | {"verdict": "reproduced" if near else "differs"}


def _interval(side: str, rows: pd.DataFrame | None) -> dict[str, Any]:
    if rows is None:
        return {}
    found = accuracy(rows).iloc[0]
    return {side: found["estimate"], f"{side}_low": found["low"], f"{side}_high": found["high"]}


def _answers(rows: pd.DataFrame) -> pd.DataFrame:
    return rows[_SAME].sort_values(_SAME, ignore_index=True)


def render(table: pd.DataFrame) -> str:
    """The comparison as plain text, at most 100 characters wide, ending with a count of the verdicts."""
    if table.empty:
        return "no headline values: there is nothing to compare"
    lines = [f"{'accuracy':<47}{'this run':>17}{'reference':>17}  verdict"]
    for (figure, where), rows in table.groupby(["figure", "where"], sort=False):
        lines += ["", f"{figure}  {where}"]
        for row in rows.to_dict("records"):
            ours, theirs = _written(row, "ours"), _written(row, "reference")
            lines.append(f"  {row['name'][:44]:<45}{ours:>17}{theirs:>17}  {row['verdict']}")
    counts = ", ".join(f"{count} {verdict}" for verdict, count in table["verdict"].value_counts().items())
    return "\n".join([*lines, "", f"{len(table)} headline values: {counts}. In brackets: 95 % intervals."])


def _written(row: Mapping[str, Any], side: str) -> str:
    if pd.isna(row.get(side)):
        return "-"
    return f"{row[side]:.0%} [{row[side + '_low'] * 100:.0f}, {row[side + '_high'] * 100:.0f}]"


# -------------------------------------------------------------------------------------- headline values, shown
def by_mode(headline: pd.DataFrame) -> pd.DataFrame:
    """Headline values with their intervals as text: a row for each panel and arm, a column for each answer mode.

    Columns: where, arm (in words), key (the arm's, where all that it was asked counts), then the modes in words; "–"
    where there is no value.
    """
    rows: dict[tuple[str, str, str], dict[str, str]] = {}
    for row in headline.to_dict("records"):
        value = Value(*(row[name] for name in Value._fields))
        shown = percent(row["estimate"], row["low"], row["high"])
        key = value.where, value.who, "" if value.of else value.arm
        rows.setdefault(key, {})[MODES[value.mode]] = shown
    modes = [mode for mode in MODES.values() if any(mode in row for row in rows.values())]
    table = [dict(zip(("where", "arm", "key"), key, strict=True)) | row for key, row in rows.items()]
    return pd.DataFrame(table, columns=["where", "arm", "key", *modes]).fillna("–")


def beside_paper(figure: str, records: pd.DataFrame) -> pd.DataFrame:
    """Return this run's headline values, an arm a row, beside what the paper is known to report.

    The paper's models and programs are larger than these, so a row shows direction and never a reproduction.
    Columns: where, arm, one for each answer mode, paper, paper's setting, source.
    """
    chart = figure_module(figure)
    table = by_mode(chart.headline(records))
    known = {one.arm: one for one in REPORTED if one.figure == chart.ID and one.arm}
    for column, name in (("paper", "value"), ("paper's setting", "setting"), ("source", "source")):
        nothing = NOT_AVAILABLE if column == "paper" else ""
        table[column] = [getattr(known.get(arm), name, nothing) for arm in table["key"]]
    return table.drop(columns="key").rename(columns={mode: f"this run, {mode}" for mode in MODES.values()})
