"""Verdicts of declared contrasts: what is compared, whether its regime lets a verdict be had, and which one it is.

From records alone, never torch. What is claimed is declared in `claims`; `board` puts all claims together.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from pbb.analysis import claims, tables
from pbb.analysis.claims import END, FEWEST, MATCHED, MOST, PRIMARY, SECONDARY, Declared, Side, in_words
from pbb.analysis.copies import quoting_source, sources, with_copies
from pbb.analysis.labels import IN_CONTEXT, PLAIN_MODE
from pbb.analysis.statistics import CLUSTER, LEVEL, QUESTION, contrast, permuted_control
from pbb.analysis.tables import CEILING, CONTROL, PANEL, asked_by_name, final, grouped, matched, with_shifts
from pbb.arms import ARMS
from pbb.records import KNOBS
from pbb.store import RecordsError

ALPHA = 0.05
LEAST_SEEDS = 3  # that decide anything
STEADY_SEEDS = 25  # that find a spread three times as large with 80 % power (`tests/simulation.py`)
IN_CONTEXT_AT_LEAST, CONTROL_BELOW, ARMS_UP_TO = 0.9, 0.3, 0.95
SHOWN = "w/ IO"  # the group of programs that are taught with executions
SUPPORTED, NOT_SUPPORTED, CONTRADICTED, NOT_RUN = "supported", "not supported", "contradicted", "not run"
NO_VERDICT = "none: smoke"
# What `_word` applies, for readers.
RULE = (
    "A claim has one primary contrast, or one for each of its halves. A primary is supported where the 95 % interval "
    "of its difference lies above 0 and p (two-sided, by Student's t over seeds, and after Holm's correction over all "
    f"{claims.PRIMARIES} primaries) is below {ALPHA}; contradicted where both hold for the other direction; not run "
    f"where a side has no records, with fewer than {LEAST_SEEDS} seeds, or outside its regime; else not supported. "
    "Secondary contrasts decide nothing; with one seed their intervals are about that seed's programs."
)
REGIME = (
    "The regime: at least 90 % in context, or, since a base model may never have seen our texts, on held-out inputs of "
    "w/ IO programs after Stage 1 alone; and where arms are compared with each other, the control below 30 %, and "
    "arms not all above 95 % and not all at the control."
)
WORST = "A claim takes the verdict of its worst primary: contradicted, not supported, not run, supported."
MEASURED = ["difference", "low", "high", "p", "least", "programs", "seeds"]
CONTRASTS = ["claim", "figure", "contrast", "where", *MEASURED, "decides", "regime", "verdict"]
_ANSWER = ["experiment", "moment", "answer_mode", "group"]


def figures() -> list[str]:
    """Return the figures on which claims are judged, in order."""
    return sorted({declared.figure for claim in claims.CLAIMS for declared in claim.contrasts})


# ------------------------------------------------------------------------------------------------ words
def judged(rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Return measured contrasts as a table with verdicts, as RULE says, p of primaries corrected over all of them.

    Columns CONTRASTS; difference, low, high and least are shares. `least` is the least difference that a primary finds
    with 80 % power. A primary that is not run counts in the correction. Smoke records get no verdict.
    """
    table = pd.DataFrame(rows, columns=[*CONTRASTS[:-1], "reason", "found", "smoke"])
    primary, run = table["decides"] == PRIMARY, table["reason"] == ""
    table["p"] = table["p"].where(primary & run).astype(float)
    threshold = ALPHA / max(int(primary.sum()), 1)
    enough = primary & table["found"].notna() & (table["seeds"] >= LEAST_SEEDS)
    table["least"] = table.loc[enough, "found"].map(lambda found: found.least_effect(threshold))
    corrected = holm(table.loc[primary, "p"].fillna(1.0))
    table["p"] = corrected.reindex(table.index).where(table["p"].notna())
    table["verdict"] = [_word(row) for row in table.to_dict("records")]
    table = table.astype(dict.fromkeys(MEASURED[:5], float)).round(dict.fromkeys(MEASURED[:5], 4))
    return table.astype({"programs": "Int64", "seeds": "Int64"})[CONTRASTS]


def _word(row: Mapping[str, Any]) -> str:
    if row["smoke"] is True and pd.notna(row["difference"]):
        return NO_VERDICT
    if row["decides"] == SECONDARY:
        return SECONDARY + (", one seed" if row["seeds"] == 1 else "")
    if row["reason"]:
        return f"{NOT_RUN}: {row['reason']}"
    if row["low"] > 0 and row["p"] < ALPHA:
        return SUPPORTED
    return CONTRADICTED if row["high"] < 0 and row["p"] < ALPHA else NOT_SUPPORTED


def holm(p: pd.Series) -> pd.Series:
    """Return p values corrected for how many there are (Holm's step-down)."""
    ordered = p.sort_values(kind="stable")
    factors = range(len(ordered), 0, -1)
    return (ordered * list(factors)).cummax().clip(upper=1.0).reindex(p.index)


def points(row: Mapping[str, Any]) -> str:
    """Return a contrast's difference and interval in points of a hundred: ``"+24 [+17, +32]"``; "–" where not run."""
    if pd.isna(row["difference"]):
        return "–"
    low, high = (f"{row[end] * 100:+.0f}" for end in ("low", "high"))
    return f"{row['difference'] * 100:+.0f} [{low}, {high}]".replace("-", "−")


def least(row: Mapping[str, Any]) -> str:
    """Return the smallest difference that a primary finds with 80 % power, in points: ``"36"``, ``"more than 100"``."""
    if pd.isna(row["least"]):
        return "–"
    return f"{row['least'] * 100:.0f}" if row["least"] <= 1 else "more than 100"


# ---------------------------------------------------------------------------------------------- measuring
Answers = dict[tuple[Any, ...], dict[str, pd.DataFrame]]  # by panel, arm, mode; by figure
_ASKED = ["domain", "representation", "statements", *QUESTION, "answer_mode"]


@dataclass(frozen=True)
class Against:
    """What regimes are read against."""

    answers: Answers
    asked: dict[str, pd.DataFrame]  # every question with its right answer; by figure


def read_against(records: Mapping[str, pd.DataFrame | None]) -> Against:
    """Return what regimes are read against.

    That is how the control and the ceiling end, and, as if it were an arm, the control on w/ IO programs.
    """
    found: Answers = {}
    asked = {name: rows[[*_ASKED, "expected"]].drop_duplicates() for name, rows in records.items() if rows is not None}
    for figure, rows in records.items():
        if rows is None:
            continue
        mine = rows[rows["curriculum"].isin([CONTROL, CEILING])]
        ends = final(asked_by_name(mine, [*IN_CONTEXT, *PLAIN_MODE])) if len(mine) else mine
        shown = rows[(rows["curriculum"] == CONTROL) & (rows["group"] == SHOWN) & rows["held_out"].astype(bool)]
        for part in (ends, final(shown).assign(curriculum=SHOWN) if len(shown) else shown):
            for key, end in part.groupby([*PANEL, "curriculum", "answer_mode"]):
                found.setdefault(key, {})[figure] = end[[*CLUSTER, "outcome"]]
    return Against(found, asked)


def measured(figure: str, records: Mapping[str, pd.DataFrame | None], against: Against) -> list[dict[str, Any]]:
    """Return the contrasts of `figure`, each in every panel where both of its sides have records, uncorrected.

    A primary that has records nowhere is one row without numbers. `reason` says why a primary cannot be judged.

    Args:
        figure: whose contrasts.
        records: of each figure.
        against: what regimes are read against (see `read_against`).

    Raises:
        RecordsError: a side of a contrast holds several experiments of one seed.
    """
    declared = [(claim.id, one) for claim in claims.CLAIMS for one in claim.contrasts if one.figure == figure]
    rows: list[dict[str, Any]] = []
    own = records.get(figure)
    mine = against.asked.get(figure)
    strangers = [name for name, asked in against.asked.items() if name != figure and _other_programs(mine, asked)]
    records = {name: rows for name, rows in records.items() if name not in strangers}
    answers = {key: {name: by[name] for name in by if name not in strangers} for key, by in against.answers.items()}
    ends = None if own is None else _ends(own, [side for _, one in declared for side in one.sides])
    for claim, one in declared:
        row: dict[str, Any] = {"claim": claim, "figure": figure, "contrast": str(one), "regime": "", "reason": ""}
        pool = ends
        if ends is not None and (other := records.get(one.also)) is not None:
            pool = pd.concat([ends, _ends(other, one.sides)]).drop_duplicates([*_ANSWER, *QUESTION], ignore_index=True)
        panels = [] if pool is None else list(_panels(one, pool))
        primaries = [_is_in(panel, one.regime, panels) for panel, _ in panels]
        for (panel, compared), primary in zip(panels, primaries, strict=True):
            here = row | {"where": _panel_name(panel), "decides": PRIMARY if primary else SECONDARY}
            here |= {"smoke": any((side["preset"] == "smoke").any() for side in compared), **_measure(one, compared)}
            if primary:
                here["regime"], here["reason"] = _regime(one, compared, answers, figure)
            if primary or pd.notna(here.get("difference")):
                rows.append(here)
        if one.regime and not any(primaries):
            told = ", ".join(in_words(column, value) for column, value in one.regime.items())
            rows.append(row | {"where": told, "decides": PRIMARY, "reason": "no records"})
    return rows


def _other_programs(one: pd.DataFrame | None, another: pd.DataFrame) -> bool:
    """Whether two figures give some question different right answers, as those of different draws of programs do."""
    if one is None:
        return False
    both = one.merge(another, on=_ASKED)
    return bool((both["expected_x"] != both["expected_y"]).any())


def _ends(records: pd.DataFrame, sides: Sequence[Side]) -> pd.DataFrame:
    """Return the questions by name at the end of training that `sides` need, with what `Side.where` may ask for.

    `quotes` says of distilled experiments whether what they learnt to write quotes the source.
    """
    rows = final(asked_by_name(records, {side.mode for side in sides} | {"direct"})).assign(moment=END)
    if any("moment" in side.where for side in sides):
        rows = pd.concat([rows, matched(records).assign(moment=MATCHED)], ignore_index=True)
    rows = rows[rows["curriculum"].isin({side.arm for side in sides})].reset_index(drop=True)
    quoting = quoting_source(rows)
    rows = with_copies(rows, sources(records)) if any("copied" in side.where for side in sides) else rows
    rows = rows.drop(columns=["prompt", "completion"])  # long, and not read any more
    shifts = with_shifts(rows[rows["domain"] == "ciphers"])["shifts"]
    beyond = rows["model"].isin(_out_of_reach(records, sides))
    return rows.assign(shift=shifts, quotes=rows["experiment"].isin(quoting), out_of_reach=beyond)


def _out_of_reach(records: pd.DataFrame, sides: Sequence[Side]) -> list[str]:
    """Return the models that run too little in context for the regime, but for records that hold no other."""
    modes = {IN_CONTEXT.get(side.mode, side.mode) for side in sides}
    asked = records[(records["curriculum"] == CEILING) & records["answer_mode"].isin(modes)]
    right = (asked["outcome"] == "correct").groupby(asked["model"]).mean()
    beyond = right.index[right < IN_CONTEXT_AT_LEAST]
    return [*beyond] if len(beyond) < records["model"].nunique() else []


Panel = tuple[dict[str, Any], list[pd.DataFrame]]


def _panels(declared: Declared, ends: pd.DataFrame) -> Iterator[Panel]:
    """Yield (what it holds fixed, each side's rows) for each domain, model, … that the sides do not set apart.

    Numbers such as the templates set panels apart only where one arm has several, as in a reader's variant: an arm may
    have another number than the arm that it is compared with.
    """
    fixed = [column for column in PANEL if len({side.where.get(column) for side in declared.sides}) == 1]
    mine = ends[ends["curriculum"].isin([side.arm for side in declared.sides])]
    values = mine.groupby([*PANEL, "curriculum", "seed"])[list(KNOBS)].nunique().max()
    named = {column for side in declared.sides for column in side.where}
    fixed += [knob for knob in KNOBS if values[knob] > 1 and knob not in {*PANEL, *named}]
    for here, panel in grouped(mine, fixed):
        sides = [_rows(side, panel) for side in declared.sides]
        if any(map(len, sides)):
            yield here, sides


def _is_in(panel: Mapping[str, Any], regime: Mapping[str, Any] | None, panels: Sequence[Panel]) -> bool:
    """Whether `panel` is where a contrast is primary; `MOST` is the largest model of all `panels`."""
    values = dict(regime or {})
    if values.get("model") == MOST:
        values["model"] = max(
            sorted(one["model"] for one, _ in panels), key=lambda model: np.nan_to_num(tables.parameters(model))
        )
    return regime is not None and all(panel.get(column, value) == value for column, value in values.items())


def _panel_name(panel: Mapping[str, Any]) -> str:
    knobs = [in_words(knob, panel[knob]) for knob in KNOBS if knob in panel and knob not in PANEL]
    return ", ".join([tables.panel_name(panel), *knobs])


def _rows(side: Side, panel: pd.DataFrame) -> pd.DataFrame:
    """Return this side's questions in `panel`; none where it was not run."""
    mine = panel[panel["curriculum"] == side.arm]
    mine = mine[mine["answer_mode"].isin(ARMS[side.arm].asked or (side.mode,))]
    for column, value in {"moment": END, **side.where}.items():
        if value in (MOST, FEWEST):
            sizes = mine[column]
            if column == "model":
                sizes = sizes[~mine["out_of_reach"]].map(tables.parameters)
            if sizes.nunique() < 2:  # of known sizes: then there is nothing to compare
                return mine.head(0)
            value = mine.loc[sizes.idxmax() if value == MOST else sizes.idxmin(), column]
        mine = mine[(mine[column] == value).fillna(False)]
    if (mine.groupby("seed")["experiment"].nunique() > 1).any():
        several = sorted(mine["experiment"].unique())
        raise RecordsError(f"side {side}: one experiment a seed is compared, and these records hold {several}")
    if side.permuted:
        mine = mine[mine.groupby(CLUSTER)["input"].transform("nunique") > 1]
        return permuted_control(mine) if len(mine) else mine
    return mine


def _measure(declared: Declared, sides: list[pd.DataFrame]) -> dict[str, Any]:
    """Return difference, low, high, p, programs, seeds, and the contrast `found`; nothing where a side is missing."""
    seeds = set.intersection(*(set(side["seed"]) for side in sides))
    if not seeds:
        return {}
    sides = [side[side["seed"].isin(seeds)] for side in sides]
    if declared.steadier:
        return _steadier(*sides)
    found = contrast(*sides)
    same = {name: getattr(found, name) for name in ("low", "high", "p", "programs", "seeds")}
    return same | {"difference": found.estimate, "found": found}


def _steadier(steady: pd.DataFrame, other: pd.DataFrame) -> dict[str, Any]:
    """Compare how far accuracies of seeds lie from their median, on average (Brown and Forsythe's test, Welch's t)."""
    from scipy.stats import ttest_ind

    def distances(side: pd.DataFrame) -> np.ndarray:
        by_seed = (side["outcome"] == "correct").groupby(side["seed"]).mean()
        return np.abs(by_seed - by_seed.median()).to_numpy()

    a, b = distances(other), distances(steady)
    numbers = {"programs": len(steady.drop_duplicates(CLUSTER)), "seeds": len(a)}
    if len(a) < LEAST_SEEDS:  # a spread of one or two values says nothing
        return numbers
    test = ttest_ind(a, b, equal_var=False)
    interval = test.confidence_interval(LEVEL)
    measured = {"difference": a.mean() - b.mean(), "low": interval.low, "high": interval.high, "p": test.pvalue}
    return numbers | measured


# ------------------------------------------------------------------------------------------------ regimes
def _regime(one: Declared, sides: list[pd.DataFrame], answers: Answers, figure: str) -> tuple[str, str]:
    """Return the values that the rule for regimes asks for, in words, and why there is no verdict, else ""."""
    if not all(map(len, sides)):
        return "", "no records"
    ceilings, shown_to, controls, arms, at_control = [], [], [], [], []
    for side, rows in zip(one.sides, sides, strict=True):
        mode, arm = str(rows["answer_mode"].iloc[0]), ARMS[side.arm]
        mode = PLAIN_MODE.get(mode, mode)
        if not arm.from_nothing:  # which runs no source
            ceilings.append(_share(_against(rows, IN_CONTEXT.get(mode, mode), CEILING, answers, figure)))
            shown_to.append(_share(_against(rows, mode, SHOWN, answers, figure)))
        control = _against(rows, mode, CONTROL, answers, figure)
        controls.append(_share(control))
        if not arm.control and not side.permuted:
            arms.append(_share(rows))
            shared = len(control) and set(rows["seed"]) & set(control["seed"])
            at_control.append(bool(shared) and contrast(rows, control).low <= 0)
    reach = [f"in context {_percents(ceilings)}"]
    if not np.all(np.array(ceilings) >= IN_CONTEXT_AT_LEAST):
        reach.append(f"w/ IO after Stage 1 {_percents(shown_to)}")
    told = f"control {_percents(controls)}", f"{'arms' if arms[1:] else 'arm'} {_percents(arms)}"
    outside = []
    if not np.all(np.fmax(ceilings, shown_to) >= IN_CONTEXT_AT_LEAST):  # of two, the one that was asked
        outside += reach
    if len(arms) > 1:
        if not np.max(controls) < CONTROL_BELOW:
            outside.append(told[0])
        if min(arms) > ARMS_UP_TO:
            outside.append(told[1])
        if all(at_control) or (one.more_than and any(at_control)):
            outside.append(f"{'a side' if one.more_than else 'arms'} at the control: {_percents(arms)}")
    seeds = len(set.intersection(*(set(rows["seed"]) for rows in sides)))
    wanted = STEADY_SEEDS if one.steadier else LEAST_SEEDS
    why = {
        "demonstrations quote the source": any(side["quotes"].any() for side in sides),
        f"outside the regime ({', '.join(outside)})": outside,
        f"{seeds} seed{'s' * (seeds != 1)}, and it takes {wanted}": seeds < wanted,
    }
    return ", ".join([*reach, *told]), "; ".join(reason for reason, holds in why.items() if holds)


def _against(rows: pd.DataFrame, mode: str, arm: str, answers: Answers, figure: str) -> pd.DataFrame:
    """Return the answers by `mode` of a control or ceiling in the panel of `rows`: of `figure`, else of another."""
    found = answers.get((*rows[PANEL].iloc[0], arm, mode), {})
    return found.get(figure, next(iter(found.values()), rows.head(0)))


def _share(rows: pd.DataFrame) -> float:
    return float((rows["outcome"] == "correct").mean())


def _percents(shares: Sequence[float]) -> str:
    """Return ``"96, 88 %"``; equal ones once."""
    words = list(dict.fromkeys("not asked" if np.isnan(share) else f"{share * 100:.0f}" for share in shares))
    return ", ".join(words) + ("" if words[-1] == "not asked" else " %")
