"""F07: accuracy on ciphers by shift, known by their source, by skewed demonstrations, or by both."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from pbb.analysis.statistics import accuracy, chance
from pbb.figures import style
from pbb.figures.tables import MEASURED, PANEL, asked_by_name, final, headline_of, panel_name, sizes, usable
from pbb.programs.ciphers import Ciphers, shift_weights
from pbb.store import RecordsError

ID, NAME, TITLE = "F07", "F07_ciphers", "Accuracy on ciphers by shift: source, skewed demonstrations, or both"
CLAIM = (
    "Told the source, a model encodes with rare shifts as well as with common ones; shown demonstrations that are "
    "skewed as natural text is, it does not; both together are best (C4)."
)
_ARMS = ("proactive", "distillation", "pbb_and_distillation", "stage_1_only")
_MODES = ("cot", "direct")
_EACH, _COMMON, _RARE = "each", "common", "rare"
_COLUMNS = [*PANEL, "arm", "answer_mode", "shifts", "x", *MEASURED]
_APART = {arm: 0.14 * (place - 1.5) for place, arm in enumerate(_ARMS)}  # so that intervals do not cover each other
_FEWEST_LETTERS = 6  # of any alphabet


def select(records: pd.DataFrame) -> pd.DataFrame:
    """The rows that this figure is drawn from: where each arm ends, on inputs that training never showed."""
    rows = final(asked_by_name(records, _MODES))
    return rows[(rows["domain"] == "ciphers") & rows["curriculum"].isin(_ARMS) & rows["held_out"]]


def table(records: pd.DataFrame) -> pd.DataFrame:
    """One row a plotted point: of one shift (`shifts` is "each", x the shift), or of all common or rare ones.

    Arm "chance" is the best guess without knowledge of the program. The estimates of arm "demonstrated" are the
    documented shares of shifts among naturally skewed demonstrations: of records they only know the alphabet.

    Raises:
        RecordsError: the records hold no ciphers that these arms were asked about.
    """
    rows = _with_shifts(select(records)).rename(columns={"curriculum": "arm"})
    if rows.empty:
        raise RecordsError(f"domain: none of the records are about ciphers and of {', '.join(_ARMS)}, whom F07 shows")
    by = [*PANEL, "arm", "answer_mode"]
    parts = [accuracy(rows, [*by, "x"]).assign(shifts=_EACH), accuracy(rows, [*by, "shifts"])]
    for key, panel in rows.groupby(PANEL):
        where = dict(zip(PANEL, key, strict=True))
        skew = [{"arm": "demonstrated", "shifts": _EACH, "x": x, "estimate": w} for x, w in enumerate(_skew(panel))]
        parts.append(pd.DataFrame([where | {"arm": "chance", "estimate": chance(panel)}, *(where | s for s in skew)]))
    return pd.concat(parts, ignore_index=True)[_COLUMNS]


def _with_shifts(rows: pd.DataFrame) -> pd.DataFrame:
    """Return `rows` with the shift, x, read from inputs such as "[3, 1], 9", and whether it is common."""
    rows = rows.assign(x=rows["input"].str.split(", ").str[-1].astype(int))
    parts = []
    for _, panel in rows.groupby(PANEL):
        weights = _skew(panel)
        common = [shift for shift, weight in enumerate(weights) if weight > min(weights)]
        parts.append(panel.assign(shifts=panel["x"].isin(common).map({True: _COMMON, False: _RARE})))
    return pd.concat(parts) if parts else rows


def _skew(panel: pd.DataFrame) -> list[float]:
    """Return the share of each shift among naturally skewed demonstrations. The alphabet is as large as its shifts."""
    return shift_weights(Ciphers(alphabet=max(_FEWEST_LETTERS, int(panel["x"].max()) + 1)), "natural")


def cells(records: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Headline values: each arm and mode, on all shifts and on the rare ones."""
    found = {}
    for key, panel in _with_shifts(select(records)).groupby(PANEL):
        for arm in _ARMS:
            for mode in _MODES:
                rows = panel[(panel["curriculum"] == arm) & (panel["answer_mode"] == mode)]
                for shown, cell in (("", rows), (", rare shifts", rows[rows["shifts"] == _RARE])):
                    name = f"{style.ARMS[arm].label}, {style.MODES[mode].label}{shown}; {panel_name(key)}"
                    if len(cell):
                        found[name] = cell.drop(columns=["x", "shifts"])
    return found


def headline(records: pd.DataFrame) -> pd.DataFrame:
    return headline_of(cells(records))


def caption(records: pd.DataFrame) -> str:
    return _caption(table(records))


def _caption(drawn: pd.DataFrame) -> str:
    each = drawn[drawn["shifts"].eq(_EACH) & drawn["questions"].notna()]
    summed = drawn[drawn["shifts"].isin([_COMMON, _RARE])]
    return (
        "The same ciphers, asked by name on inputs that training never showed, at the end of training. Proactive-PBB "
        "was told their source alone; algorithm distillation was shown demonstrations alone; PBB and distillation, "
        "both; the control (Stage 1 only), neither. Grey: how often a shift stands among demonstrations that are "
        "skewed as natural text is, by the documented weights (not counted from records; of 26 shifts 13, 3 and 1 are "
        "common, and half of a smaller alphabet stands for 13). Right: common shifts together, and all others. Dotted: "
        "the best guess without knowledge of the cipher. Bars: 95\u00a0% bootstrap intervals, clustered by program and "
        "seed. By shift "
        f"{sizes(each)}; common and rare, {sizes(summed)}."
    )


def draw(
    records: pd.DataFrame,
    reference: pd.DataFrame | None = None,
    *,
    variant: str = "this run",
    allow_smoke: bool = False,
) -> Figure:
    """The figure, CoT above direct answers; `reference` is drawn faintly behind."""
    records = usable(records, allow_smoke=allow_smoke)
    front = table(records)
    behind = front[:0] if reference is None else table(usable(reference, allow_smoke=allow_smoke))
    shown = front[front["answer_mode"].notna()]
    panels = list(shown[PANEL].drop_duplicates().itertuples(index=False, name=None))
    modes = [mode for mode in _MODES if (shown["answer_mode"] == mode).any()]
    with style.theme():
        figure = style.Picture(figsize=(style.DOUBLE, 2.6))
        grid = figure.subplots(len(panels) * len(modes), 2, squeeze=False, sharey=True, width_ratios=(2.4, 1))
        places = [(panel, mode) for panel in panels for mode in modes]
        for row, (panel, mode) in enumerate(places):
            ours, theirs = _of(front, panel, mode), _of(behind, panel, mode)
            _by_shift(grid[row, 0], ours, theirs)
            _common_and_rare(grid[row, 1], ours, theirs)
            where = f" {panel_name(panel)}:" if len(panels) > 1 else ""
            grid[row, 0].set_title(f"{'abcdefgh'[row % 8]} {where} {style.MODES[mode].label}, by shift")
            grid[row, 1].set_title("common and rare shifts")
        rows = _legend(figure, front, variant if reference is not None else None)
        style.with_caption(figure, _caption(front), panels=1.95 * len(places) + 0.15 * rows)
        if (records["preset"] == "smoke").any():
            style.stamp_smoke(figure)
    return figure


def _of(drawn: pd.DataFrame, panel: tuple, mode: str) -> pd.DataFrame:
    """This panel's points of one mode, and those that are of no mode."""
    return drawn[(drawn[PANEL] == list(panel)).all(axis=1) & drawn["answer_mode"].fillna(mode).eq(mode)]


def _by_shift(axes: Axes, ours: pd.DataFrame, theirs: pd.DataFrame) -> None:
    style.percent_axis(axes)
    skew = ours[ours["arm"] == "demonstrated"]
    axes.bar(skew["x"], skew["estimate"], width=0.8, color=style.FAINT, zorder=0.5)
    axes.set_xticks(range(0, len(skew), 1 if len(skew) <= 13 else 3))
    axes.set_xlim(-0.6, len(skew) - 0.4)
    axes.set_xlabel("shift")
    axes.set_ylabel("held-out accuracy")
    axes.grid(axis="x", visible=False)
    _guess(axes, ours)
    for drawn, faint in ((theirs, True), (ours, False)):
        for arm in _ARMS:
            line = drawn[(drawn["arm"] == arm) & (drawn["shifts"] == _EACH)].sort_values("x")
            _line(axes, line["x"] + _APART[arm], line, arm, faint)


def _common_and_rare(axes: Axes, ours: pd.DataFrame, theirs: pd.DataFrame) -> None:
    common = [int(shift) for shift in ours.loc[(ours["arm"] == "demonstrated") & _often(ours), "x"]]
    axes.set_xticks([0, 1], [f"common\n({', '.join(map(str, common))})", "rare\n(all others)"])
    axes.set_xlim(-0.5, 1.5)
    axes.grid(axis="x", visible=False)
    _guess(axes, ours)
    for drawn, faint in ((theirs, True), (ours, False)):
        for arm in _ARMS:
            line = drawn[(drawn["arm"] == arm) & drawn["shifts"].isin([_COMMON, _RARE])].sort_values("shifts")
            _line(axes, (line["shifts"] == _RARE).astype(float) + _APART[arm], line, arm, faint)


def _often(ours: pd.DataFrame) -> pd.Series:
    return ours["estimate"] > ours.loc[ours["arm"] == "demonstrated", "estimate"].min()


def _line(axes: Axes, x: pd.Series, line: pd.DataFrame, arm: str, faint: bool) -> None:
    look = style.ARMS[arm]
    kind = style.marked(look, faint)
    axes.plot(x, line["estimate"], linewidth=1.2 if look.filled else 0.8, **kind)
    axes.vlines(x, line["low"], line["high"], color=look.color, linewidth=0.8, alpha=kind["alpha"], zorder=2)


def _guess(axes: Axes, ours: pd.DataFrame) -> None:
    for level in ours.loc[ours["arm"] == "chance", "estimate"]:
        axes.axhline(level, color=style.MUTED, linestyle=":", linewidth=0.9, zorder=1)


def _legend(figure: Figure, front: pd.DataFrame, variant: str | None) -> int:
    """Legend above the panels; returns its rows."""
    entries: list[tuple[Line2D | Patch, str]] = []
    for arm in _ARMS:
        if (front["arm"] == arm).any():
            entries.append((Line2D([], [], **style.marked(style.ARMS[arm])), style.ARMS[arm].label))
    entries.append((Patch(color=style.FAINT), "Share of natural demonstrations"))
    entries.append((Line2D([], [], color=style.MUTED, linestyle=":", linewidth=0.9), "Best guess"))
    if variant is not None:
        for alpha, label in ((1.0, variant), (style.REFERENCE_ALPHA, "committed reference")):
            entries.append((Line2D([], [], color=style.INK, marker="o", markersize=3.4, alpha=alpha), label))
    figure.legend(*zip(*entries, strict=True), loc="outside upper center", ncols=4, columnspacing=1.4)
    return -(-len(entries) // 4)
