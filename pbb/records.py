"""Records: one row for each question asked, kept as Parquet beside a manifest.

Every figure and every verdict is drawn from these rows alone. Nothing here imports torch, and nothing is
pickled. Folders, manifests and their errors live in `pbb.store`.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pandas.api.types import infer_dtype

from pbb.arms import ARMS
from pbb.store import MANIFEST, CorruptRunError, RecordsError, atomic_folder, compare, read_manifest, seal, sha256

RECORDS = "records.parquet"
SCHEMA_VERSION = 3

# name -> pandas dtype, in the order of the file
# fmt: off
COLUMNS: dict[str, str] = {
    "experiment": "str", "preset": "str", "model": "str", "domain": "str", "curriculum": "str",
    "representation": "str", "statements": "int64", "with_io_programs": "int64", "demonstrations": "int64",
    "templates": "int64", "seed": "int64",
    "stage": "int64", "step": "int64", "progress": "float64", "tokens": "int64", "questions_trained": "int64",
    "answer_mode": "str", "group": "str", "program": "str", "input": "str", "held_out": "bool",
    "prompt": "str", "completion": "str", "expected": "str", "parsed": "str", "outcome": "str",
}
NULLABLE = frozenset({"parsed"})
ALLOWED: dict[str, tuple[str, ...]] = {
    "curriculum": tuple(ARMS),
    "answer_mode": ("direct", "cot", "recite", "in_context_direct", "in_context_cot", "recall"),
    "group": ("w/ IO", "w/o IO", "w/o IO parts", "AD"),
    "outcome": ("correct", "wrong", "unparsed"),
}
# fmt: on
# Fields of the experiment that are numbers: the x axes of figures.
KNOBS = ("statements", "with_io_programs", "demonstrations", "templates")
# What makes a question one question, and the order of rows in a file.
KEY = ["experiment", "stage", "step", "answer_mode", "group", "program", "input", "prompt"]

# Of each dtype: how Parquet keeps it, and what pandas may find in such a column.
_KEPT: dict[str, tuple[pa.DataType, set[str]]] = {
    "str": (pa.string(), {"string", "empty"}),
    "int64": (pa.int64(), {"integer"}),
    "float64": (pa.float64(), {"floating", "integer"}),
    "bool": (pa.bool_(), {"boolean"}),
}


# ---------------------------------------------------------------------------------------------- the schema
def validate(frame: pd.DataFrame) -> pd.DataFrame:
    """`frame` with the columns of COLUMNS, in order and typed. Raises RecordsError naming the fault."""
    missing, unknown = [c for c in COLUMNS if c not in frame], [c for c in frame if c not in COLUMNS]
    if missing or unknown:
        raise RecordsError(f"records: missing columns {missing}, unknown columns {unknown}; valid: {list(COLUMNS)}")
    if frame.empty:
        raise RecordsError("records: no rows; a run that asked nothing leaves no records")
    out = pd.DataFrame({name: _typed(frame[name], dtype) for name, dtype in COLUMNS.items()})
    out = out.reset_index(drop=True)
    for name, allowed in ALLOWED.items():
        _refuse(out, ~out[name].isin(allowed), name, f"valid: {', '.join(allowed)}")
    for name in (*KNOBS, "stage", "step", "tokens", "questions_trained"):
        _refuse(out, out[name] < 0, name, "valid: 0 or more")
    _refuse(out, ~out["progress"].between(0, 1), "progress", "valid: 0 to 1")
    unparsed = out["outcome"] == "unparsed"
    _refuse(out, unparsed != out["parsed"].isna(), "outcome", "'unparsed' exactly where parsed is null")
    right = (out["parsed"] == out["expected"]).to_numpy(bool) & (out["answer_mode"] != "recall").to_numpy()
    _refuse(out, right & (out["outcome"] != "correct"), "outcome", "'correct' where parsed equals expected")
    _refuse(out, out.duplicated(KEY), "program", f"one row a question; repeated on {', '.join(KEY)}")
    return out


def canonical(frame: pd.DataFrame) -> pd.DataFrame:
    """Validated records in the order of KEY: equal sets of rows become equal frames, and equal bytes."""
    return validate(frame).sort_values(KEY, kind="stable", ignore_index=True)


def _typed(column: pd.Series, dtype: str) -> pd.Series:
    name = str(column.name)
    if name not in NULLABLE and column.isna().any():
        row = int(column.isna().to_numpy().argmax())
        raise RecordsError(f"records: column {name!r} is null in row {row}; only {', '.join(NULLABLE)} may be")
    found = infer_dtype(column, skipna=True)
    if found not in _KEPT[dtype][1]:
        such = f"values such as {column.tolist()[0]!r}"
        raise RecordsError(f"records: column {name!r} holds {found} {such}; valid: {dtype}")
    return column.astype(dtype).where(column.notna())  # pandas 2 would write a null as the word None


def _refuse(frame: pd.DataFrame, bad: pd.Series, name: str, valid: str) -> None:
    if bad.any():
        row, rows = int(bad.to_numpy().argmax()), f"({int(bad.sum())} such rows)"
        raise RecordsError(f"records: column {name!r} is {frame[name].tolist()[row]!r} in row {row} {rows}; {valid}")


# ---------------------------------------------------------------------------------------- save and load
def save_records(folder: Path | str, frame: pd.DataFrame, manifest: Mapping[str, Any]) -> Path:
    """Leave `frame` and `manifest` at `folder`, complete or not at all. A complete folder is kept."""
    folder = Path(folder)
    with atomic_folder(folder) as partial:
        seal(partial, folder.name, {**manifest, "records": write_records(partial, frame)})
    return folder


def load_records(folder: Path | str) -> pd.DataFrame:
    """Records of a complete folder, their bytes checked against the manifest.

    Raises RecordsError where there is no complete folder, CorruptRunError where it was damaged.
    """
    folder = Path(folder)
    manifest = read_manifest(folder)
    if manifest is None:
        raise RecordsError(f"{folder}: no complete run here ({MANIFEST} is written last, and is absent)")
    entry = manifest.get("records")
    if not isinstance(entry, dict) or "sha256" not in entry:
        raise CorruptRunError(folder / MANIFEST, "has no entry 'records' with a sha256: not one of ours")
    if entry.get("schema") != SCHEMA_VERSION:
        wrong = f"is of schema {entry.get('schema')!r}, and this version reads {SCHEMA_VERSION}"
        raise CorruptRunError(folder / MANIFEST, wrong)
    compare(folder / RECORDS, entry["sha256"], folder)
    return frame_from_bytes((folder / RECORDS).read_bytes())


def write_records(folder: Path, frame: pd.DataFrame) -> dict[str, Any]:
    """Write records.parquet into a folder under construction; returns the manifest's entry for it."""
    (folder / RECORDS).write_bytes(frame_to_bytes(frame))
    entry = {"file": RECORDS, "rows": len(frame), "schema": SCHEMA_VERSION}
    return {**entry, "sha256": sha256(folder / RECORDS)}


def frame_to_bytes(frame: pd.DataFrame) -> bytes:
    """Parquet bytes (zstd, dictionary-encoded), the same for the same rows in any order."""
    schema = pa.schema([pa.field(n, _KEPT[d][0], nullable=n in NULLABLE) for n, d in COLUMNS.items()])
    table = pa.Table.from_pandas(canonical(frame), schema=schema, preserve_index=False)
    buffer = io.BytesIO()
    pq.write_table(table.replace_schema_metadata(None), buffer, compression="zstd", compression_level=9)
    return buffer.getvalue()


def frame_from_bytes(data: bytes) -> pd.DataFrame:
    """The records in a Parquet file's bytes, typed as COLUMNS says. Raises RecordsError."""
    try:
        frame = pq.read_table(pa.BufferReader(data)).to_pandas()
    except pa.ArrowException as error:
        raise RecordsError(f"not a readable Parquet file: {error}") from None
    return validate(frame)
