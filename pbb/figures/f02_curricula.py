"""F02: accuracy on w/o IO programs over training, by arm, and where each arm ends."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from pbb.analysis.statistics import chance
from pbb.figures import style
from pbb.figures.tables import (
    PANEL,
    TABLE,
    asked_by_name,
    final,
    headline_of,
    panel_name,
    points,
    sizes,
    usable,
)

ID, NAME, TITLE = "F02", "F02_curricula", "w/o IO accuracy over training, by curriculum"
CLAIM = (
    "Programs whose execution was never shown are executed by name above every control: untuned, "
    "Stage 1 only, Stage 2 only (C1)."
)
_MODES = ("cot", "direct", "in_context_cot", "in_context_direct")
_FLAT = ("in_context", "untuned")  # nothing is trained: a level, not a curve


def select(records: pd.DataFrame) -> pd.DataFrame:
    """The rows that this figure is drawn from."""
    return asked_by_name(records, _MODES)


def table(records: pd.DataFrame) -> pd.DataFrame:
    """One row a plotted point; arm "chance" is the best guess without knowledge of the program."""
    rows = select(records)
    guesses = [
        dict(zip(PANEL, key, strict=True)) | {"arm": "chance", "estimate": chance(panel)}
        for key, panel in rows[rows["curriculum"] != "distillation"].groupby(PANEL)
    ]
    return pd.concat([points(rows), pd.DataFrame(guesses)], ignore_index=True)[TABLE]


def cells(records: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Headline values: where each arm ends, CoT and direct."""
    end = final(select(records))
    end = end.assign(mode=end["answer_mode"].replace(style.PLAIN_MODE))
    found = {}
    for key, panel in end.groupby(PANEL):
        for arm, look in style.ARMS.items():
            for mode in ("cot", "direct"):
                rows = panel[(panel["curriculum"] == arm) & (panel["mode"] == mode)].drop(columns="mode")
                if len(rows):
                    found[f"{look.label}, {style.MODES[mode].label}; {panel_name(key)}"] = rows
    return found


def headline(records: pd.DataFrame) -> pd.DataFrame:
    return headline_of(cells(records))


def caption(records: pd.DataFrame) -> str:
    return _caption(table(records))


def _caption(drawn: pd.DataFrame) -> str:
    measured = drawn[drawn["arm"] != "chance"]
    text = (
        "Programs without input/output examples (w/o IO), asked by name only. (a) CoT accuracy over "
        "training, each stage by its share of steps; an arm with a single stage of all documents covers both "
        "columns. (b) End of training, CoT above direct answers (small, white), with tokens "
        f"trained on. Bars: 95\u00a0% bootstrap intervals, clustered by program and seed. {sizes(measured)}. "
        "Dashed grey: the best guess without knowledge of the program; dotted: the untrained base model."
    )
    if "distillation" in set(measured["arm"]):
        text += " Algorithm distillation is asked about programs shown by demonstrations alone."
    return text


def draw(
    records: pd.DataFrame,
    reference: pd.DataFrame | None = None,
    *,
    variant: str = "this run",
    allow_smoke: bool = False,
) -> Figure:
    """The figure; `reference` is drawn faintly behind, and `variant` names the reader's records."""
    records = usable(records, allow_smoke=allow_smoke)
    front = table(records)
    behind = front[:0] if reference is None else table(usable(reference, allow_smoke=allow_smoke))
    panels = list(front[PANEL].drop_duplicates().itertuples(index=False, name=None))
    with style.theme():
        figure = style.Picture(figsize=(style.DOUBLE, 2.6))
        axes = figure.subplots(len(panels), 2, squeeze=False, width_ratios=(1.25, 1))
        for row, panel in enumerate(panels):
            ours, theirs = _of(front, panel), _of(behind, panel)
            _over_training(axes[row, 0], ours, theirs)
            _at_the_end(axes[row, 1], ours, theirs)
            axes[row, 0].set_title(f"{'a' if row == 0 else ''}  {panel_name(panel)}, CoT".strip())
            axes[row, 1].set_title("b  End of training" if row == 0 else "End of training")
        if reference is not None:
            _name_the_variant(axes[0, 0], variant)
        style.with_caption(figure, _caption(front), panels=2.75 * len(panels))
        if (records["preset"] == "smoke").any():
            style.stamp_smoke(figure)
    return figure


def _of(points_: pd.DataFrame, panel: tuple) -> pd.DataFrame:
    return points_[(points_[PANEL] == list(panel)).all(axis=1)]


def _over_training(axes: Axes, ours: pd.DataFrame, theirs: pd.DataFrame) -> None:
    style.percent_axis(axes)
    axes.set_xlim(-0.04, 2.06)
    axes.axvline(1, color=style.MUTED, linewidth=0.7, zorder=1)
    for place, name in ((0.5, "Stage 1"), (1.5, "Stage 2")):
        axes.text(place, -0.03, name, ha="center", va="top", transform=axes.get_xaxis_transform())
    axes.set_xticks([0, 0.5, 1, 1.5, 2], [])
    axes.tick_params(axis="x", length=0)
    axes.grid(axis="x", visible=False)
    axes.set_ylabel("w/o IO accuracy")
    for drawn, faint in ((theirs, True), (ours, False)):
        if not faint:
            _chance_line(axes, drawn, "h")
        for arm, look in style.ARMS.items():
            curve = drawn[(drawn["arm"] == arm) & drawn["answer_mode"].isin(["cot", "in_context_cot"])]
            curve = curve.sort_values(["stage", "step"])
            if curve.empty:
                continue
            kind = style.marked(look, faint)
            if arm in _FLAT:
                level = float(curve["estimate"].iloc[-1])
                axes.axhline(level, color=look.color, linestyle=":", linewidth=1.1, alpha=kind["alpha"], zorder=2)
                if arm == "in_context" and not faint:
                    axes.text(0.02, level - 0.015, "in context", va="top", fontsize=style.FONT - 1)
                continue
            axes.plot(curve["x"], curve["estimate"], linewidth=1.4 if look.filled else 0.9, **kind)
            axes.vlines(
                curve["x"],
                curve["low"],
                curve["high"],
                color=look.color,
                linewidth=0.8,
                alpha=kind["alpha"],
                zorder=kind["zorder"],
            )


def _at_the_end(axes: Axes, ours: pd.DataFrame, theirs: pd.DataFrame) -> None:
    style.percent_axis(axes, "x")
    arms = [arm for arm in style.ARMS if arm in {*ours["arm"], *theirs["arm"]}]
    axes.set_yticks(range(len(arms)), [style.ARMS[arm].label for arm in arms])
    axes.set_ylim(len(arms) - 0.4, -0.6)
    axes.grid(axis="y", visible=False)
    axes.set_xlabel("w/o IO accuracy")
    _chance_line(axes, ours, "v")
    for tick, arm in zip(axes.get_yticklabels(), arms, strict=True):
        tick.set_color(style.ARMS[arm].color)
        if arm not in style.CONTROLS:
            tick.set_fontweight("bold")
    for drawn, faint in ((theirs, True), (ours, False)):
        for y, arm in enumerate(arms):
            look = style.ARMS[arm]
            for mode, offset in (("cot", -0.16), ("direct", 0.2)):
                mine = drawn[(drawn["arm"] == arm) & (drawn["answer_mode"].replace(style.PLAIN_MODE) == mode)]
                if mine.empty:
                    continue
                end = mine.sort_values(["progress", "stage", "step"]).iloc[-1]
                kind = style.marked(look, faint)
                if mode == "direct":
                    kind |= {"marker": "o", "markersize": 2.8, "markerfacecolor": "white"}
                axes.hlines(
                    y + offset,
                    end["low"],
                    end["high"],
                    color=look.color,
                    linewidth=1.0,
                    alpha=kind["alpha"],
                    zorder=2,
                )
                axes.plot(end["estimate"], y + offset, linestyle="none", **kind)
                if mode == "cot" and not faint and end["tokens"] > 0:
                    axes.text(
                        1.02,
                        y,
                        _millions(end["tokens"]),
                        transform=axes.get_yaxis_transform(),
                        fontsize=style.FONT - 1.5,
                        color=style.MUTED,
                        va="center",
                    )
    handles = [
        Line2D([], [], color=style.INK, marker="o", markersize=4),
        Line2D([], [], color=style.INK, marker="o", markersize=2.8, markerfacecolor="white"),
    ]
    axes.legend(
        handles,
        ["CoT", "Direct"],
        loc="lower right",
        bbox_to_anchor=(1.02, 0.975),
        ncols=2,
        columnspacing=1,
        handlelength=1,
    )
    axes.text(1.02, 1.01, "tokens", transform=axes.transAxes, fontsize=style.FONT - 1.5, color=style.MUTED)


def _chance_line(axes: Axes, drawn: pd.DataFrame, way: str) -> None:
    for level in drawn.loc[drawn["arm"] == "chance", "estimate"]:
        line = axes.axhline if way == "h" else axes.axvline
        line(level, color=style.MUTED, linestyle=(0, (4, 3)), linewidth=0.8, zorder=1)


def _name_the_variant(axes: Axes, variant: str) -> None:
    both = [Line2D([], [], color=style.INK, marker="o", alpha=a) for a in (1.0, style.REFERENCE_ALPHA)]
    axes.legend(both, [variant, "committed reference"], loc="best", frameon=True, framealpha=0.9, edgecolor="none")


def _millions(tokens: float) -> str:
    return f"{tokens / 1e6:.1f} M" if tokens >= 1e5 else f"{tokens / 1e3:.0f} k"
