"""F08: how many demonstrations a program's source is worth: distillation by demonstrations, against the line of PBB."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from pbb.analysis import statistics
from pbb.analysis.statistics import Crossing, chance
from pbb.figures import style
from pbb.figures.tables import PANEL, TABLE, asked_by_name, final, headline_of, panel_name, points, sizes, usable
from pbb.store import RecordsError

ID, NAME, TITLE = "F08", "F08_sample_efficiency", "Distillation by number of demonstrations, against the source alone"
CLAIM = "One instruction is worth many execution examples (C6)."
_MODES = ("cot", "direct")
_CURVE, _LINE, _CONTROL = "distillation", "proactive", "stage_1_only"


def select(records: pd.DataFrame) -> pd.DataFrame:
    """The rows that this figure is drawn from: where each arm ends, and PBB at the end of Stage 1, for its cost."""
    rows = asked_by_name(records, _MODES)
    rows = rows[rows["curriculum"].isin([_CURVE, _LINE, _CONTROL]) & rows["held_out"]]
    return pd.concat([final(rows), final(_stage_1(rows))], ignore_index=True)


def _stage_1(rows: pd.DataFrame) -> pd.DataFrame:
    return rows[(rows["curriculum"] == _LINE) & (rows["stage"] == 1)]


def _against(curve: pd.DataFrame, mode: str) -> str:
    """How the points that PBB's answers by `mode` are compared with were asked: as these, or directly.

    Who is shown inputs and outputs alone can be asked for an output alone; `curve` has distillation's answers.
    """
    return mode if mode in set(curve["answer_mode"]) else "direct"


def crossing(records: pd.DataFrame, mode: str) -> Crossing:
    """How many demonstrations of a program make distillation as accurate as PBB, which saw its source alone.

    `mode` is PBB's; distillation that was shown inputs and outputs alone is asked directly, whatever it is.

    Raises RecordsError where `records` hold several domains, models, representations or lengths, or one arm only.
    """
    rows = final(select(records))
    shown = rows["curriculum"] == _CURVE
    rows = rows[rows["answer_mode"] == shown.map({True: _against(rows[shown], mode), False: mode})]
    if len(several := rows[PANEL].drop_duplicates()) > 1:
        raise RecordsError(f"crossing: one panel at a time; these records hold {several.to_dict('records')}")
    arms = dict(list(rows.groupby("curriculum")))
    if missing := [arm for arm in (_CURVE, _LINE) if arm not in arms]:
        raise RecordsError(f"crossing: no {mode} answers of {missing[0]!r}; both {_CURVE!r} and {_LINE!r} are needed")
    return statistics.crossing(dict(list(arms[_CURVE].groupby("demonstrations"))), arms[_LINE])


def table(records: pd.DataFrame) -> pd.DataFrame:
    """One row a plotted point; x is the number of demonstrations of a program, for distillation only.

    In rows of arm "crossing", estimate, low and high are numbers of demonstrations: 0 stands for less than the
    fewest that were tried, inf for more than the most. Arm "chance" is the best guess without knowledge.
    """
    rows = final(select(records))
    curve = rows["curriculum"] == _CURVE
    parts = [points(rows[~curve]).assign(x=float("nan"))]
    parts += [points(shown).assign(x=float(count)) for count, shown in rows[curve].groupby("demonstrations")]
    for key, panel in rows.groupby(PANEL):
        where = dict(zip(PANEL, key, strict=True))
        parts.append(pd.DataFrame([where | {"arm": "chance", "estimate": chance(panel)}]))
        for mode in _MODES:
            told = panel[(panel["curriculum"] == _LINE) & (panel["answer_mode"] == mode)]
            if len(told) and (panel["curriculum"] == _CURVE).any():
                found = crossing(panel, mode)
                measured = {name: getattr(found, name) for name in ("estimate", "low", "high", "programs", "seeds")}
                parts.append(pd.DataFrame([where | {"arm": "crossing", "answer_mode": mode} | measured]))
    return pd.concat([part for part in parts if len(part)], ignore_index=True).reindex(columns=TABLE)


def cells(records: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Headline values: PBB and its control, and distillation at each number of demonstrations."""
    found = {}
    for key, panel in final(select(records)).groupby(PANEL):
        for arm in (_LINE, _CONTROL, _CURVE):
            mine = panel[panel["curriculum"] == arm]
            for (mode, count), rows in mine.groupby(["answer_mode", "demonstrations"]):
                shown = f", {_demonstrations(count)}" if arm == _CURVE else ""
                found[f"{style.ARMS[arm].label}, {style.MODES[mode].label}{shown}; {panel_name(key)}"] = rows
    return found


def headline(records: pd.DataFrame) -> pd.DataFrame:
    return headline_of(cells(records))


def caption(records: pd.DataFrame) -> str:
    return _caption(table(records), _cost(records))


def _caption(drawn: pd.DataFrame, cost: str) -> str:
    measured = drawn[~drawn["arm"].isin(["chance", "crossing"])]
    text = (
        "How many demonstrations a program's source is worth. Distillation (AD) is trained on some of a program's "
        "inputs and asked about the others; PBB is told the same programs' source, and no input. "
    )
    if _against(drawn[drawn["arm"] == _CURVE], "cot") == "cot":
        text += "A CoT demonstration quotes the program's lines in its trace, a direct one does not. "
    else:
        text += (
            "A demonstration says what goes in and what comes out, and AD is asked for that: the same curve stands "
            "against PBB's answers by CoT and against its direct ones. "
        )
    crossings = drawn[drawn["arm"] == "crossing"]
    for row in crossings.to_dict("records"):
        where = f" ({panel_name(tuple(row[name] for name in PANEL))})" if len(crossings) > len(_MODES) else ""
        text += f"{style.MODES[row['answer_mode']].label}{where}: the curve reaches the line of PBB at "
        text += f"{_range(drawn, row)} demonstrations. "
    return (
        f"{text}{cost}Dashed: the control (Stage 1 only); dotted: the best guess without knowledge of the program. "
        "Bars and bands: 95\u00a0% bootstrap intervals, clustered by program and seed; for the crossing programs are "
        "resampled on both sides at once, and accuracy is interpolated on log demonstrations. "
        f"{sizes(measured)}."
    )


def _cost(records: pd.DataFrame) -> str:
    """What Stage 1, Stage 2 and distillation cost, from the records of each panel; empty where PBB was not run."""
    rows = select(records)
    end, before, text = final(rows), _stage_1(rows), ""
    for key, stage_1 in before.groupby(PANEL):
        here = end[(end[PANEL] == list(key)).all(axis=1)]
        first = stage_1.iloc[0]
        shown = int(first["with_io_programs"] * first["demonstrations"])
        tokens, told = int(stage_1["tokens"].max()), here[here["curriculum"] == _LINE]
        programs = told.groupby("seed")["program"].nunique().max()
        where = f" ({panel_name(key)})" if before[PANEL].drop_duplicates().shape[0] > 1 else ""
        text += (
            f"PBB needs Stage 1 first{where}: {tokens:,} tokens with {shown:,} demonstrations "
            f"({first['demonstrations']} of each of {first['with_io_programs']:,} w/ IO programs), which is "
            f"{shown / programs:.3g} for each of the {programs} programs then told; telling them took "
            f"{int(told['tokens'].max()) - tokens:,} tokens. "
        )
        curve = here[here["curriculum"] == _CURVE]
        if len(curve):
            text += f"AD needs no Stage 1: {int(curve['tokens'].max()):,} tokens at each point. "
    return text


def draw(
    records: pd.DataFrame,
    reference: pd.DataFrame | None = None,
    *,
    variant: str = "this run",
    allow_smoke: bool = False,
) -> Figure:
    """The figure, CoT beside direct answers; `reference` is drawn faintly behind."""
    records = usable(records, allow_smoke=allow_smoke)
    front = table(records)
    behind = front[:0] if reference is None else table(usable(reference, allow_smoke=allow_smoke))
    panels = list(front[PANEL].drop_duplicates().itertuples(index=False, name=None))
    with style.theme():
        figure = style.Picture(figsize=(style.DOUBLE, 2.6))
        grid = figure.subplots(len(panels), 2, squeeze=False, sharey=True)
        for row, panel in enumerate(panels):
            ours, theirs = _of(front, panel), _of(behind, panel)
            for axes, mode, letter in zip(grid[row], _MODES, "ab", strict=True):
                _panel(axes, ours, theirs, mode)
                where = panel_name(panel) if len(panels) > 1 else ""
                axes.set_title(f"{letter}  {style.MODES[mode].label}{_title(ours, mode)}" + f"\n{where}" * bool(where))
            grid[row, 0].set_ylabel("held-out accuracy")
        rows = _legend(figure, front, variant if reference is not None else None)
        style.with_caption(figure, _caption(front, _cost(records)), panels=2.3 * len(panels) + 0.15 * rows)
        if (records["preset"] == "smoke").any():
            style.stamp_smoke(figure)
    return figure


def _of(drawn: pd.DataFrame, panel: tuple) -> pd.DataFrame:
    return drawn[(drawn[PANEL] == list(panel)).all(axis=1)]


def _panel(axes: Axes, ours: pd.DataFrame, theirs: pd.DataFrame, mode: str) -> None:
    style.percent_axis(axes)
    counts = sorted({*ours["x"].dropna(), *theirs["x"].dropna()}) or [1.0]
    axes.set_xscale("log")
    axes.set_xticks(counts, [f"{count:g}" for count in counts])
    axes.set_xticks([], minor=True)
    axes.set_xlim(counts[0] / 1.2, counts[-1] * 1.2)
    axes.set_xlabel("demonstrations of a program, log scale")
    axes.grid(axis="x", visible=False)
    for drawn, faint in ((theirs, True), (ours, False)):
        here = drawn[drawn["answer_mode"] == mode]
        for arm, dashes in ((_LINE, "-"), (_CONTROL, (0, (4, 2)))):
            for line in here[here["arm"] == arm].to_dict("records"):
                look, alpha = style.ARMS[arm], style.REFERENCE_ALPHA if faint else 1.0
                axes.axhline(line["estimate"], color=look.color, linestyle=dashes, alpha=alpha, zorder=2)
                if not faint:
                    axes.axhspan(line["low"], line["high"], color=look.color, alpha=0.15, linewidth=0, zorder=1)
        curve = drawn[drawn["arm"] == _CURVE]
        curve = curve[curve["answer_mode"] == _against(curve, mode)].sort_values("x")
        kind = style.marked(style.ARMS[_CURVE], faint)
        axes.plot(curve["x"], curve["estimate"], **kind)
        axes.vlines(curve["x"], curve["low"], curve["high"], color=kind["color"], linewidth=0.9, alpha=kind["alpha"])
    for level in ours.loc[ours["arm"] == "chance", "estimate"]:
        axes.axhline(level, color=style.MUTED, linestyle=":", linewidth=0.9, zorder=1)
    _crossing(axes, ours[ours["answer_mode"] == mode])


def _crossing(axes: Axes, here: pd.DataFrame) -> None:
    """The interval of the crossing, on the line of PBB; it runs off the axes where it is censored."""
    level = here.loc[here["arm"] == _LINE, "estimate"]
    left, right = axes.get_xlim()
    for row in here[here["arm"] == "crossing"].to_dict("records"):
        low, high = max(row["low"], left), min(row["high"], right)
        axes.hlines(level, low, high, color=style.INK, linewidth=2.2, alpha=0.8, zorder=4)
        if left <= row["estimate"] <= right:
            axes.vlines(row["estimate"], axes.get_ylim()[0], level, color=style.INK, linestyle=":", linewidth=0.9)


def _title(ours: pd.DataFrame, mode: str) -> str:
    found = ours[(ours["arm"] == "crossing") & (ours["answer_mode"] == mode)]
    return "".join(f": worth {_range(ours, row)} demonstrations" for row in found.to_dict("records"))


def _range(drawn: pd.DataFrame, row: dict) -> str:
    """A crossing in words, such as "4.1 [2.3, >9]"."""
    panel = _of(drawn, tuple(row[name] for name in PANEL))["x"].dropna()
    names = ("estimate", "low", "high", "programs", "seeds")
    return str(Crossing(**{name: row[name] for name in names}, fewest=panel.min(), most=panel.max()))


def _demonstrations(count: int) -> str:
    return f"{count} demonstration" + ("s" if count != 1 else "")


def _legend(figure: Figure, front: pd.DataFrame, variant: str | None) -> int:
    """Legend above the panels; returns its rows."""
    entries: list[tuple[Line2D, str]] = []
    arms = set(front["arm"])
    if _CURVE in arms:
        entries.append((Line2D([], [], **style.marked(style.ARMS[_CURVE])), style.ARMS[_CURVE].label))
    for arm, dashes in ((_LINE, "-"), (_CONTROL, (0, (4, 2)))):
        if arm in arms:
            entries.append((Line2D([], [], color=style.ARMS[arm].color, linestyle=dashes), style.ARMS[arm].label))
    if "crossing" in arms:
        entries.append((Line2D([], [], color=style.INK, linewidth=2.2, alpha=0.8), "Crossing, 95\u00a0% interval"))
    entries.append((Line2D([], [], color=style.MUTED, linestyle=":", linewidth=0.9), "Best guess"))
    if variant is not None:
        for alpha, label in ((1.0, variant), (style.REFERENCE_ALPHA, "committed reference")):
            entries.append((Line2D([], [], color=style.INK, marker="o", markersize=3.4, alpha=alpha), label))
    figure.legend(*zip(*entries, strict=True), loc="outside upper center", ncols=5, columnspacing=1.4)
    return -(-len(entries) // 5)
