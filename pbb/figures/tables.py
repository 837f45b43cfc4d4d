"""From records to the points of a figure: what may be drawn together, and what a point is."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from pbb.analysis.statistics import accuracy
from pbb.arms import ARMS
from pbb.records import KNOBS, validate
from pbb.store import RecordsError

# What one panel holds fixed. A figure draws a panel for each combination that its records hold.
PANEL = ["domain", "model", "representation", "statements"]
POINT = [*PANEL, "arm", "answer_mode", "group", "stage", "step", "progress", "tokens", "x"]
MEASURED = ["estimate", "low", "high", "questions", "programs", "seeds", "unparsed"]
TABLE = [*POINT, *MEASURED]
_ONE_STAGE_SPAN = {"stage_1_only": (0, 1), "no_demonstrations": (0, 1), "stage_2_only": (1, 2)}
_TWO_STAGES = (
    "proactive",
    "retroactive",
    "retroactive_grpo",
    "skip_exposure",
    "grpo_without_pbb",
    "pbb_and_distillation",
)


def usable(records: pd.DataFrame, *, allow_smoke: bool = False) -> pd.DataFrame:
    """`records`, if a figure may be drawn from them; raises RecordsError if not.

    Refused: mixed presets, smoke records (but with `allow_smoke`, for testing code), and two experiments
    that would fall on one point, since their mean would be nobody's result.
    """
    records = validate(records)
    presets = sorted(records["preset"].unique())
    if len(presets) > 1:
        raise RecordsError(
            f"preset: these records mix {presets}; a figure shows one preset. Draw one, and "
            "give the other as its reference"
        )
    if presets == ["smoke"] and not allow_smoke:
        raise RecordsError(
            "preset: these are smoke records, which test the code and are no result; no "
            "figure is drawn from them. Valid: the records of any other preset"
        )
    point = list(dict.fromkeys([*PANEL, *KNOBS, "curriculum", "seed", "answer_mode", "group"]))
    owners = records[[*point, "experiment"]].drop_duplicates()
    if (twice := owners[owners.duplicated(point, keep=False)]).size:
        where, both = twice.iloc[0], sorted(twice["experiment"].unique())[:2]
        raise RecordsError(
            f"experiment: {both[0]} and {both[1]} both hold curriculum {where['curriculum']!r}, "
            f"seed {where['seed']}, answer mode {where['answer_mode']!r}; a figure shows one of them. Draw "
            "one, and give the other as its reference"
        )
    return records


def asked_by_name(records: pd.DataFrame, modes: Iterable[str]) -> pd.DataFrame:
    """Questions about programs whose execution was never shown; or, for distillation, held-out inputs."""
    group = np.where(
        records["curriculum"].map({key: arm.measured == "AD" for key, arm in ARMS.items()}), "AD", "w/o IO"
    )
    return records[(records["group"] == group) & records["answer_mode"].isin(list(modes))]


def final(records: pd.DataFrame) -> pd.DataFrame:
    """Each experiment's rows at the end of its training: the largest `progress`, and there the last stage."""
    moments = records[["experiment", "progress", "stage", "step"]].drop_duplicates()
    moments = moments.sort_values(["progress", "stage", "step"]).drop_duplicates("experiment", keep="last")
    return records.merge(moments, on=list(moments.columns), how="inner")


def points(records: pd.DataFrame) -> pd.DataFrame:
    """Accuracy at each moment of each arm, over its seeds: one row a point, columns TABLE, in order.

    A moment is a checkpoint's rank within its experiment, so that seeds whose stages differ by a few steps
    still meet; progress, tokens and x are then means over seeds. x puts Stage 1 on 0 to 1 and Stage 2 on
    1 to 2, each by its share of steps; arms with one stage that holds everything cover 0 to 2.

    Raises:
        RecordsError: a curriculum was run with several values of one of KNOBS, whose mean would be nobody's result.
    """
    if records.empty:
        return pd.DataFrame(columns=TABLE)
    mixed = records.groupby([*PANEL, "curriculum"])[list(KNOBS)].nunique().max()
    if several := mixed[mixed > 1].index.tolist():
        raise RecordsError(
            f"{several[0]}: these records hold {sorted(records[several[0]].unique().tolist())} for one curriculum, and "
            "this figure does not tell them apart. Draw one, and give the other as its reference"
        )
    moments = records[["experiment", "curriculum", "stage", "step", "progress", "tokens"]].drop_duplicates()
    moments = moments.sort_values(["experiment", "stage", "step"], ignore_index=True)
    moments["moment"] = moments.groupby("experiment").cumcount()
    moments["x"] = _place(moments)
    rows = records.merge(moments[["experiment", "stage", "step", "moment", "x"]])
    rows = rows.rename(columns={"curriculum": "arm"})
    by = [*PANEL, "arm", "answer_mode", "group", "moment"]
    places = rows.groupby(by)[["stage", "step", "progress", "tokens", "x"]].mean().reset_index()
    places = places.astype({"stage": int, "step": int, "tokens": int})
    return accuracy(rows, by).merge(places, on=by)[TABLE]


def _place(moments: pd.DataFrame) -> pd.Series:
    last = moments.groupby(["experiment", "stage"])["step"].transform("max").clip(lower=1)
    share = moments["step"] / last
    two = moments["curriculum"].isin(_TWO_STAGES)
    begin = moments["curriculum"].map(lambda arm: _ONE_STAGE_SPAN.get(arm, (0, 2))[0])
    end = moments["curriculum"].map(lambda arm: _ONE_STAGE_SPAN.get(arm, (0, 2))[1])
    one_stage = begin + (end - begin) * share * (moments["stage"] > 0)
    return ((moments["stage"] - 1).clip(lower=0) + share * (moments["stage"] > 0)).where(two, one_stage)


def headline_of(cells: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """One row a headline value: name, estimate, low, high, questions, programs, seeds, unparsed."""
    if not cells:
        return pd.DataFrame(columns=["name", *MEASURED])
    return pd.concat([accuracy(rows).assign(name=name) for name, rows in cells.items()])[["name", *MEASURED]]


def panel_name(panel: tuple) -> str:
    """(domain, model, representation, statements) in words."""
    domain, model, representation, statements = panel
    length = f", {statements} statement" + ("s" if statements != 1 else "") if domain == "arithmetic" else ""
    shown_as = "" if representation == "code" else f", {representation}"
    return f"{domain.replace('_', ' ').capitalize()}, {model}{length}{shown_as}"


def sizes(table: pd.DataFrame) -> str:
    """For a caption: questions and programs behind a point, and seeds."""

    def span(column: str) -> str:
        low, high = int(table[column].min()), int(table[column].max())
        return f"{low:,}" if low == high else f"{low:,} to {high:,}"

    seeds = span("seeds")
    return (
        f"n = {span('questions')} questions on {span('programs')} programs a point "
        f"({seeds} {'seed' if seeds == '1' else 'seeds'})"
    )
