"""F11: f(g(x)), named and never shown, beside its parts, each of which was learnt by itself."""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterator

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from pbb.analysis.statistics import accuracy, chance
from pbb.figures import style
from pbb.figures.tables import MEASURED, PANEL, final, headline_of, panel_name, sizes, usable
from pbb.store import RecordsError

ID, NAME, TITLE = "F11", "F11_composition", "Composites of separately learnt programs, beside their parts"
CLAIM = "Two programs that were learnt separately, by their source alone, can be composed: f(g(x)) is executed (C11)."
_ARM, _CONTROL = "proactive", "stage_1_only"
_MODES = ("cot", "direct")
_PARTS, _WHOLE = "w/o IO parts", "w/o IO"  # groups
PARTS, PRODUCT, COMPOSITE, BY_PARTS = "parts", "product of parts", "composite", "composite, by parts right alone"
_PLACES = {PARTS: 0, PRODUCT: 1, COMPOSITE: 2}
_COLUMNS = [*PANEL, "arm", "answer_mode", "what", "x", *MEASURED]
_APART = {"cot": -0.1, "direct": 0.1}  # so that intervals do not cover each other


def select(records: pd.DataFrame) -> pd.DataFrame:
    """The rows that this figure is drawn from: where PBB and its control end, on composites and on their parts."""
    rows = records[(records["domain"] == "composition") & records["group"].isin([_WHOLE, _PARTS])]
    rows = rows[rows["curriculum"].isin([_ARM, _CONTROL]) & rows["answer_mode"].isin(_MODES)]
    return final(rows)


def table(records: pd.DataFrame) -> pd.DataFrame:
    """One row a plotted point. `what` says of what:

    - "parts": the parts, each asked by itself;
    - "product of parts": for each composite the product of its parts' accuracies, which is what would come of parts
      that succeed or fail independently of each other;
    - "composite": f(g(x)), asked for by this expression;
    - "composite, by parts right alone": the same questions, by how many of their parts (x) are answered rightly when
      each is asked alone for the value that this question hands it.

    The last two need parts that were asked on these inputs. Arm "chance" is the best guess without knowledge of the
    programs.

    Raises:
        RecordsError: the records hold no composites that these arms were asked about.
    """
    rows = select(records).rename(columns={"curriculum": "arm"})
    if not (rows["group"] == _WHOLE).any():
        raise RecordsError(f"domain: none of the records are about composites and of {_ARM} or {_CONTROL}")
    by = [*PANEL, "arm", "answer_mode"]
    parts = [accuracy(rows.assign(what=rows["group"].map({_PARTS: PARTS, _WHOLE: COMPOSITE})), [*by, "what"])]
    for key, cell in rows.groupby(by):
        where = dict(zip(by, key, strict=True))
        if pairs := list(_independent(cell)):
            parts.append(accuracy(pd.DataFrame(pairs)).assign(what=PRODUCT, **where))
        path = _by_parts(cell)
        if len(path):
            parts.append(accuracy(path, ["x"]).assign(what=BY_PARTS, **where))
    for (*key, group), panel in rows.groupby([*PANEL, "group"]):
        what = PARTS if group == _PARTS else COMPOSITE
        guess = dict(zip(PANEL, key, strict=True)) | {"arm": "chance", "what": what, "estimate": chance(panel)}
        parts.append(pd.DataFrame([guess]))
    return pd.concat(parts, ignore_index=True).reindex(columns=_COLUMNS)


def _composites(cell: pd.DataFrame) -> pd.DataFrame:
    """Return the questions about composites with `calls`: the names of the parts, outermost first, from the prompt."""
    whole = cell[cell["group"] == _WHOLE]
    whole = whole.assign(calls=whole["prompt"].str.findall(r"(\w+)\("))
    return whole[whole["calls"].str.len() > 1]  # a composite that has a name of its own does not say its parts


def _independent(cell: pd.DataFrame) -> Iterator[dict[str, object]]:
    """Yield, for each composite, all ways to take one answer of each part; correct where all of them are.

    Their share is the product of the parts' accuracies.
    """
    alone = cell[cell["group"] == _PARTS]
    right = {key: list(rows == "correct") for key, rows in alone.groupby(["seed", "program"])["outcome"]}
    for row in _composites(cell).drop_duplicates(["seed", "program"]).itertuples():
        if all((row.seed, name) in right for name in row.calls):
            for taken in itertools.product(*(right[row.seed, name] for name in row.calls)):
                yield {"seed": row.seed, "program": row.program, "outcome": "correct" if all(taken) else "wrong"}


def _by_parts(cell: pd.DataFrame) -> pd.DataFrame:
    """Return the questions about composites with x: how many of their parts were right alone, on the same values.

    Questions of which a part was not asked for its value are left out.
    """
    alone = cell[cell["group"] == _PARTS]
    asked = zip(alone["seed"], alone["program"], alone["input"], strict=True)
    steps = dict(zip(asked, zip(alone["expected"], alone["outcome"] == "correct", strict=True), strict=True))
    found, counts = [], []
    for row in _composites(cell).itertuples():
        value, *rest = map(repr, ast.literal_eval(f"({row.input},)"))
        right = 0
        for name in reversed(row.calls):  # further arguments, such as a shift, go to every part that takes them
            step = steps.get((row.seed, name, value)) or steps.get((row.seed, name, ", ".join([value, *rest])))
            if step is None:
                break
            value, right = step[0], right + step[1]
        else:
            found.append(row.Index)
            counts.append(right)
    return cell.loc[found].assign(x=counts)


def cells(records: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Headline values: composites and their parts, by arm and mode."""
    found = {}
    for key, panel in select(records).groupby(PANEL):
        for group, shown in ((_WHOLE, ""), (_PARTS, ", parts")):
            for arm, mode in itertools.product((_ARM, _CONTROL), _MODES):
                cell = panel[(panel["curriculum"] == arm) & (panel["answer_mode"] == mode) & (panel["group"] == group)]
                if len(cell):
                    found[f"{style.ARMS[arm].label}, {style.MODES[mode].label}{shown}; {panel_name(key)}"] = cell
    return found


def headline(records: pd.DataFrame) -> pd.DataFrame:
    return headline_of(cells(records))


def caption(records: pd.DataFrame) -> str:
    return _caption(table(records))


def _caption(drawn: pd.DataFrame) -> str:
    measured = drawn[drawn["what"].isin([PARTS, COMPOSITE]) & (drawn["arm"] != "chance")]
    text = (
        "Composites such as f(g(x)), asked for by that expression at the end of training. Each part was taught by its "
        "source alone, and no composite of these parts was shown. (a) Product of parts: what independent success of "
        "the parts would give, composite by composite. Hollow: the control (Stage 1 only). Grey: the best guess "
        "without knowledge of the programs. (b) Proactive-PBB on the same composites, by how many of their parts it "
        "answers rightly alone, each for the value that the question hands it; with n, the number of questions. "
    )
    by_parts = drawn[(drawn["what"] == BY_PARTS) & (drawn["arm"] == _ARM)]
    for (mode, *_), rows in by_parts.groupby(["answer_mode", *PANEL]):
        every = rows[rows["x"] == _depth(drawn)]
        text += (
            f"{style.MODES[mode].label}: all parts were right alone for {int(every['questions'].sum()):,} of "
            f"{int(rows['questions'].sum()):,} questions. "
        )
    return f"{text}Bars: 95\u00a0% bootstrap intervals, clustered by program and seed. {sizes(measured)}."


def _depth(drawn: pd.DataFrame) -> int:
    """Return the most parts that were right alone, two at least."""
    most = drawn["x"].max()
    return 2 if pd.isna(most) else max(2, int(most))


def draw(
    records: pd.DataFrame,
    reference: pd.DataFrame | None = None,
    *,
    variant: str = "this run",
    allow_smoke: bool = False,
) -> Figure:
    """The figure, a row for each model; `reference` is drawn faintly behind."""
    records = usable(records, allow_smoke=allow_smoke)
    front = table(records)
    behind = front[:0] if reference is None else table(usable(reference, allow_smoke=allow_smoke))
    panels = list(front[PANEL].drop_duplicates().itertuples(index=False, name=None))
    with style.theme():
        figure = style.Picture(figsize=(style.DOUBLE, 2.6))
        grid = figure.subplots(len(panels), 2, squeeze=False, sharey=True, width_ratios=(1.15, 1))
        for row, panel in enumerate(panels):
            ours, theirs = _of(front, panel), _of(behind, panel)
            _beside_parts(grid[row, 0], ours, theirs)
            _by_parts_alone(grid[row, 1], ours, theirs)
            where = f" {panel_name(panel)}:" if len(panels) > 1 else ""
            grid[row, 0].set_title(f"a {where} composites beside their parts")
            grid[row, 1].set_title("b  composites, by parts that are right alone")
        rows = _legend(figure, front, variant if reference is not None else None)
        style.with_caption(figure, _caption(front), panels=2.3 * len(panels) + 0.15 * rows)
        if (records["preset"] == "smoke").any():
            style.stamp_smoke(figure)
    return figure


def _of(drawn: pd.DataFrame, panel: tuple) -> pd.DataFrame:
    return drawn[(drawn[PANEL] == list(panel)).all(axis=1)]


def _beside_parts(axes: Axes, ours: pd.DataFrame, theirs: pd.DataFrame) -> None:
    style.percent_axis(axes)
    axes.set_xticks(list(_PLACES.values()), ["a part,\nasked alone", "product of\nits parts", "composite,\nnamed"])
    axes.set_xlim(-0.5, 2.5)
    axes.set_ylabel("w/o IO accuracy")
    axes.grid(axis="x", visible=False)
    guess = ours[ours["arm"] == "chance"]
    at = guess["what"].map(_PLACES).astype(float)
    axes.hlines(guess["estimate"], at - 0.36, at + 0.36, color=style.MUTED, linewidth=0.9, zorder=1)
    for drawn, faint in ((theirs, True), (ours, False)):
        for arm, mode in itertools.product((_CONTROL, _ARM), _MODES):
            here = drawn[(drawn["arm"] == arm) & (drawn["answer_mode"] == mode) & drawn["what"].isin(list(_PLACES))]
            x = here["what"].map(_PLACES).astype(float) + _APART[mode] * (2.4 if arm == _CONTROL else 1)
            _points(axes, x, here, arm, mode, faint)


def _by_parts_alone(axes: Axes, ours: pd.DataFrame, theirs: pd.DataFrame) -> None:
    counts = range(_depth(pd.concat([ours, theirs])) + 1)
    mine = ours[(ours["arm"] == _ARM) & (ours["what"] == BY_PARTS)]
    axes.set_xticks(list(counts), [f"{count}{_asked(mine[mine['x'] == count])}" for count in counts])
    axes.set_xlim(-0.5, counts[-1] + 0.5)
    axes.set_xlabel("parts of the composite that are right alone")
    axes.grid(axis="x", visible=False)
    guess = ours[(ours["arm"] == "chance") & (ours["what"] == COMPOSITE)]
    axes.hlines(guess["estimate"], -0.5, counts[-1] + 0.5, color=style.MUTED, linewidth=0.9, zorder=1)
    for drawn, faint in ((theirs, True), (ours, False)):
        for mode in _MODES:
            here = drawn[(drawn["arm"] == _ARM) & (drawn["answer_mode"] == mode) & (drawn["what"] == BY_PARTS)]
            _points(axes, here["x"] + _APART[mode], here, _ARM, mode, faint)


def _asked(point: pd.DataFrame) -> str:
    """Return how many questions each mode has here, a line each."""
    asked = dict(zip(point["answer_mode"], point["questions"], strict=True))
    return "".join(f"\n{style.MODES[mode].label} n = {int(asked[mode]):,}" for mode in _MODES if mode in asked)


def _points(axes: Axes, x: pd.Series, here: pd.DataFrame, arm: str, mode: str, faint: bool) -> None:
    look = style.MODES[mode]
    kind = style.marked(look._replace(filled=arm == _ARM), faint)
    axes.plot(x, here["estimate"], linestyle="none", **kind)
    axes.vlines(x, here["low"], here["high"], color=look.color, linewidth=0.9, alpha=kind["alpha"], zorder=2)


def _legend(figure: Figure, front: pd.DataFrame, variant: str | None) -> int:
    """Legend above the panels; returns its rows."""
    entries: list[tuple[Line2D, str]] = []
    for arm, mode in itertools.product((_ARM, _CONTROL), _MODES):
        if ((front["arm"] == arm) & (front["answer_mode"] == mode)).any():
            line = Line2D([], [], linestyle="none", **style.marked(style.MODES[mode]._replace(filled=arm == _ARM)))
            entries.append((line, f"{style.ARMS[arm].label}, {style.MODES[mode].label}"))
    entries.append((Line2D([], [], color=style.MUTED, linewidth=0.9), "Best guess"))
    if variant is not None:
        for alpha, label in ((1.0, variant), (style.REFERENCE_ALPHA, "committed reference")):
            entries.append((Line2D([], [], color=style.INK, marker="o", markersize=3.4, alpha=alpha), label))
    figure.legend(*zip(*entries, strict=True), loc="outside upper center", ncols=4, columnspacing=1.4)
    return -(-len(entries) // 4)
