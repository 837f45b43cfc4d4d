"""From records to the points of a figure: what may be drawn together, what a point is, what an axis counts."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from pbb.analysis.copies import copying, with_copies
from pbb.analysis.labels import MODES, PLAIN_MODE, by_length, statements
from pbb.analysis.statistics import Contrast, Crossing, accuracy, chance, crossing, permuted_control
from pbb.arms import ARMS
from pbb.records import KNOBS, validate
from pbb.registry import TINY_FOLDER, TINY_NAMES
from pbb.store import RecordsError

# What one panel holds fixed. A figure draws a panel for each combination that its records hold.
PANEL = ["domain", "model", "representation", "statements"]
POINT = [*PANEL, "arm", "answer_mode", "group", "stage", "step", "progress", "tokens", "x"]
MEASURED = ["estimate", "low", "high", "questions", "programs", "seeds", "unparsed"]
TABLE = [*POINT, *MEASURED]
TRAINED, CONTROL, CEILING = ("homogeneous", "proactive", "retroactive"), "stage_1_only", "in_context"
CHANCE = "chance"  # the arm of the best guess of one who knows the answer key, and not the program
COPY = "copy"  # the arm of the best rule for copying
PERMUTED, APART = "permuted", "copies left out"  # after an arm's name: how its direct answers are scored
_DRAW_ONE = "Draw one, and give the other as its reference"


# ------------------------------------------------------------------------------------------------- selecting
def usable(records: pd.DataFrame, *, allow_smoke: bool = False) -> pd.DataFrame:
    """`records`, if a figure may be drawn from them; raises RecordsError if not.

    Refused: mixed presets, smoke records (but with `allow_smoke`, for testing code), and two experiments
    that would fall on one point, since their mean would be nobody's result.
    """
    records = validate(records)
    presets = sorted(records["preset"].unique())
    if len(presets) > 1:
        raise RecordsError(f"preset: these records mix {presets}; a figure shows one preset. {_DRAW_ONE}")
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
            f"seed {where['seed']}, answer mode {where['answer_mode']!r}; a figure shows one of them. {_DRAW_ONE}"
        )
    return records


def of(rows: pd.DataFrame, here: Mapping[str, Any]) -> pd.DataFrame:
    """The rows whose columns have the values of `here`; of a tuple or list, one of them."""
    for column, value in here.items():
        rows = rows[rows[column].isin(value) if isinstance(value, (tuple, list)) else rows[column] == value]
    return rows


def grouped(rows: pd.DataFrame, by: Sequence[str] = PANEL) -> Iterator[tuple[dict[str, Any], pd.DataFrame]]:
    """Yield (what its rows have in common, by column; its rows) for each group of `rows`."""
    for key, here in rows.groupby(list(by)):
        yield dict(zip(by, key, strict=True)), here


def asked_by_name(records: pd.DataFrame, modes: Iterable[str]) -> pd.DataFrame:
    """Questions about programs whose execution was never shown; or, for distillation, held-out inputs."""
    group = records["curriculum"].map({name: arm.measured for name, arm in ARMS.items()})
    return records[(records["group"] == group) & records["answer_mode"].isin(list(modes))]


def final(records: pd.DataFrame) -> pd.DataFrame:
    """Each experiment's rows at the end of its training: the largest `progress`, and there the last stage."""
    moments = records[["experiment", "progress", "stage", "step"]].drop_duplicates()
    moments = moments.sort_values(["progress", "stage", "step"]).drop_duplicates("experiment", keep="last")
    return records.merge(moments, on=list(moments.columns), how="inner")


def at_the_end(records: pd.DataFrame, arms: Sequence[str], modes: Sequence[str]) -> pd.DataFrame:
    """Answers of `arms` by name in `modes` where they end; of the ceiling, in the in-context modes of the same form."""
    with_ceiling = [*modes, *(mode for mode, plain in PLAIN_MODE.items() if plain in modes)]
    rows = of(final(asked_by_name(records, with_ceiling)), {"curriculum": arms})
    return rows[(rows["curriculum"] == CEILING) == rows["answer_mode"].isin(list(PLAIN_MODE))]


# ---------------------------------------------------------------------------------------------------- points
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
            f"this figure does not tell them apart. {_DRAW_ONE}"
        )
    moments = records[["experiment", "curriculum", "stage", "step", "progress", "tokens"]].drop_duplicates()
    moments = moments.sort_values(["experiment", "stage", "step"], ignore_index=True)
    moments["moment"] = moments.groupby("experiment").cumcount()
    moments["x"] = _place(moments)
    return measured_at(records.merge(moments[["experiment", "stage", "step", "moment", "x"]]))


def measured_at(rows: pd.DataFrame) -> pd.DataFrame:
    """Accuracy by panel, arm, mode, group and the column `moment`; where a moment lies is the mean over its rows."""
    rows = rows.rename(columns={"curriculum": "arm"})
    by = [*PANEL, "arm", "answer_mode", "group", "moment"]
    places = rows.groupby(by)[["stage", "step", "progress", "tokens", "x"]].mean().reset_index()
    places = places.astype({"stage": int, "step": int, "tokens": int})
    return accuracy(rows, by).merge(places, on=by)[TABLE]


def _place(moments: pd.DataFrame) -> pd.Series:
    last = moments.groupby(["experiment", "stage"])["step"].transform("max").clip(lower=1)
    share = moments["step"] / last * (moments["stage"] > 0)
    spans = {arm: ARMS[arm].span for arm in moments["curriculum"].unique()}
    begin, end = (
        moments["curriculum"].map({arm: span[side] for arm, span in spans.items() if span}) for side in (0, 1)
    )
    return (begin + (end - begin) * share).fillna((moments["stage"] - 1).clip(lower=0) + share)


def guesses(rows: pd.DataFrame, by: Sequence[str] = PANEL, known: pd.Series | None = None) -> pd.DataFrame:
    """The best guess in each group of `by`, as rows of arm CHANCE; the best copy too, where sources are `known`."""
    found = []
    for where, here in grouped(rows, by):
        levels = {CHANCE: chance(here), COPY: float("nan") if known is None else copying(here, known)}
        found += [where | {"arm": arm, "estimate": level} for arm, level in levels.items()]
    return pd.DataFrame(found, columns=[*by, "arm", "estimate"]).dropna(subset=["estimate"])


def direct_points(rows: pd.DataFrame, known: pd.Series) -> pd.DataFrame:
    """Direct answers scored otherwise: ``"<arm>, permuted"`` of trained arms, ``"<arm>, copies left out"`` of all."""
    direct = with_copies(of(rows, {"answer_mode": "direct", "curriculum": (*TRAINED, CONTROL)}), known)
    found = []
    for (arm, *_), cell in direct.groupby(["curriculum", *PANEL]):
        if arm in TRAINED:
            found.append(points(permuted_control(cell)).assign(arm=f"{arm}, {PERMUTED}"))
        found.append(points(cell[cell["copied"].eq(False).fillna(False)]).assign(arm=f"{arm}, {APART}"))
    return stacked(found)


def stacked(parts: Iterable[pd.DataFrame], columns: Sequence[str] = TABLE) -> pd.DataFrame:
    """Tables below each other, with `columns`; empty ones have no say in their types."""
    kept = [part for part in parts if len(part)]
    return pd.concat(kept, ignore_index=True).reindex(columns=columns) if kept else pd.DataFrame(columns=columns)


def measures(found: Contrast | Crossing) -> dict[str, Any]:
    """The fields of a contrast or a crossing that a table has columns for."""
    return {name: getattr(found, name) for name in MEASURED if hasattr(found, name)}


# ---------------------------------------------------------------------------------------------------- values
class Value(NamedTuple):
    """What a headline value is of. ``str`` gives ``"Proactive-PBB, CoT, rare shifts; Ciphers, tiny-m"``."""

    arm: str
    mode: str  # of MODES, without context
    where: str  # the panel, in words
    of: str = ""  # what of the panel: "rare shifts"

    @property
    def who(self) -> str:
        """The arm in words, with what of its panel is told."""
        return ", ".join(filter(None, [ARMS[self.arm].label, self.of]))

    @property
    def what(self) -> str:
        """All but the panel."""
        return ", ".join(filter(None, [ARMS[self.arm].label, MODES[self.mode], self.of]))

    def __str__(self) -> str:
        return f"{self.what}; {self.where}"


Cells = dict[Value, pd.DataFrame]


def cells(rows: pd.DataFrame, arms: Sequence[str], modes: Sequence[str], told: str = "", where: str = "") -> Cells:
    """The rows behind each headline value, by panel, arm and mode, of those that there are.

    Args:
        rows: at the moment that counts.
        arms: in their order.
        modes: in their order; an in-context mode counts as the one of the same form.
        told: see `Value.of`.
        where: added to the panel's name.
    """
    found: Cells = {}
    plain = rows["answer_mode"].replace(PLAIN_MODE)
    groups = dict(list(rows.groupby([*PANEL, rows["curriculum"].rename("arm"), plain.rename("mode")])))
    for key in dict.fromkeys(key[: len(PANEL)] for key in groups):
        for arm in arms:
            for mode in modes:
                if (cell := groups.get((*key, arm, mode))) is not None:
                    found[Value(arm, mode, panel_name(dict(zip(PANEL, key, strict=True))) + where, told)] = cell
    return found


def headline(found: Cells) -> pd.DataFrame:
    """One row a headline value: name, the fields of `Value`, and MEASURED."""
    columns = ["name", *Value._fields, *MEASURED]
    parts = [accuracy(rows).assign(name=str(value), **value._asdict()) for value, rows in found.items()]
    return stacked(parts, columns)


def panel_name(panel: Mapping[str, Any]) -> str:
    """Return what a panel holds fixed in words, from those of the columns PANEL that it has."""
    domain, form = str(panel.get("domain", "")), panel.get("representation", "code")
    length = statements(panel["statements"]) if "statements" in panel and by_length(domain) else ""
    words = [domain.replace("_", " ").capitalize(), panel.get("model", ""), length, "" if form == "code" else form]
    return ", ".join(filter(None, words))


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


def amount(tokens: float) -> str:
    """Return a number of tokens in words: ``"2.4 M"``, ``"90 k"``."""
    return f"{tokens / 1e6:.1f} M" if tokens >= 1e5 else f"{tokens / 1e3:.0f} k"


@cache
def parameters(model: str) -> float:
    """How many parameters a model has: a tiny one's own, else what its name says ("135m", "1B"); NaN if nothing."""
    manifest = TINY_FOLDER / model / "manifest.json"
    if model in TINY_NAMES and manifest.exists():
        return float(json.loads(manifest.read_text(encoding="utf-8"))["parameters"])
    said = re.search(r"(?<![a-z\d.])(\d+(?:\.\d+)?)([mb])(?![a-z\d])", model.lower())
    return float(said[1]) * {"m": 1e6, "b": 1e9}[said[2]] if said else float("nan")


# ----------------------------------------------------------------------------------------- shifts of ciphers
EACH, COMMON, RARE = "each", "common", "rare"
# As `pbb.programs.ciphers` documents them: shares of demonstrations that are skewed as natural text is. What is left
# goes to all other shifts alike; in a smaller alphabet, half of it stands for 13.
NATURAL_SHARES = {13: 0.5, 3: 0.25, 1: 0.15}
_FEWEST_LETTERS = 6  # of any alphabet


def natural_shares(panel: pd.DataFrame) -> list[float]:
    """Return the share of each shift among naturally skewed demonstrations. The alphabet is as large as its shifts."""
    size = max(_FEWEST_LETTERS, int(_shift(panel).max()) + 1)
    shares: dict[int, float] = {}
    for shift, share in NATURAL_SHARES.items():
        at = size // 2 if shift == 13 else shift
        shares[at] = shares.get(at, 0) + share
    rest = (1 - sum(shares.values())) / (size - len(shares))
    return [shares.get(shift, rest) for shift in range(size)]


def _shift(rows: pd.DataFrame) -> pd.Series:
    return rows["input"].str.rsplit(", ", n=1).str[-1].astype(int)


def with_shifts(ciphers: pd.DataFrame) -> pd.DataFrame:
    """Return rows about ciphers with the shift, x, read from inputs such as "[3, 1], 9", and whether it is COMMON."""
    parts = []
    for _, panel in ciphers.groupby(PANEL):
        shares = natural_shares(panel)
        often = [shift for shift, share in enumerate(shares) if share > min(shares)]
        shift = _shift(panel)
        parts.append(panel.assign(x=shift, shifts=shift.isin(often).map({True: COMMON, False: RARE})))
    return pd.concat(parts) if parts else ciphers.assign(x=0, shifts="")


# ------------------------------------------------------------------------------- equal questions; equal worth
CURVES = ("distillation", "distillation_after_stage_1")  # of which it is told how many demonstrations PBB is worth
SFT, GRPO = "retroactive", "retroactive_grpo"
_NEAR = 1.25  # numbers of questions count as equal within this factor


def stage_2(records: pd.DataFrame) -> pd.DataFrame:
    """Rows of Stage 2, which is numbered 2, and 3 where GRPO follows on some SFT; and of its start, Stage 1's end."""
    end = records["step"].where(records["stage"] == 1).groupby(records["experiment"]).transform("max")
    return records[(records["stage"] >= 2) | ((records["stage"] == 1) & (records["step"] == end))]


def from_its_start(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of `stage_2` with what it alone took: x, its questions, and `tokens`, its tokens; `moment` counts them."""
    by = rows.groupby("experiment")
    questions = rows["questions_trained"] - by["questions_trained"].transform("min")
    tokens = rows["tokens"] - by["tokens"].transform("min")
    return rows.assign(x=questions, tokens=tokens, moment=by["tokens"].rank("dense"))


def matched(records: pd.DataFrame) -> pd.DataFrame:
    """SFT's rows at the checkpoint after as many questions as GRPO's Stage 2 asked; none where there is none near.

    Each panel, and in it each seed, has a checkpoint of its own.
    """
    kept = of(asked_by_name(records, ["cot", "direct"]), {"curriculum": (SFT, GRPO)}).reset_index(drop=True)
    rows = from_its_start(stage_2(kept))
    by = [*PANEL, "seed"]
    asked = rows[rows["curriculum"] == GRPO].groupby(by)["x"].max().rename("asked")
    sft = rows[(rows["curriculum"] == SFT) & (rows["x"] > 0)].join(asked, on=by)
    off = np.log(sft["x"] / sft["asked"]).abs()
    nearest = off == off.groupby([sft[column] for column in by]).transform("min")
    return kept.loc[sft.index[nearest & (off <= np.log(_NEAR))]]


def against(arm: str, mode: str) -> str:
    """Return how a distilled arm was asked for what stands against answers by `mode`: alike, or directly.

    What was shown outputs alone is best asked for an output alone.
    """
    shown = ARMS[arm].demonstrated
    return mode if not shown or mode in shown else "direct"


def crossings(records: pd.DataFrame) -> Iterator[tuple[dict[str, Any], str, str, Crossing]]:
    """Yield (panel, curve, mode, crossing): how many demonstrations make a curve as accurate as PBB, told its source.

    For CURVES and PBB's CoT and direct answers (`mode`), where both were asked; on inputs that training never showed.
    """
    rows = of(final(asked_by_name(records, ("cot", "direct"))), {"held_out": True})
    for where, panel in grouped(rows):
        for curve, mode in itertools.product(CURVES, ("cot", "direct")):
            told = of(panel, {"curriculum": "proactive", "answer_mode": mode})
            shown = of(panel, {"curriculum": curve, "answer_mode": against(curve, mode)})
            if len(told) and len(shown):
                yield where, curve, mode, crossing(dict(list(shown.groupby("demonstrations"))), told)
