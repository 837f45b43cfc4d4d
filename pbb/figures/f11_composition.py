"""F11: f(g(x)), named and never shown, beside its parts, each of which was learnt by itself."""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterator

import pandas as pd
from matplotlib.axes import Axes

from pbb.analysis import tables
from pbb.analysis.statistics import accuracy
from pbb.analysis.tables import CHANCE, CONTROL, MEASURED, PANEL, Cells, final, guesses, of, panel_name, sizes, stacked
from pbb.figures import style
from pbb.figures.base import BARS, GUESS, Chart, panels_in
from pbb.store import RecordsError

_ARM, _MODES = "proactive", ("cot", "direct")
_PARTS, _WHOLE = "w/o IO parts", "w/o IO"  # groups
PARTS, PRODUCT, COMPOSITE, BY_PARTS = "parts", "product of parts", "composite", "composite, by parts right alone"
_WHAT = {_PARTS: PARTS, _WHOLE: COMPOSITE}
_PLACES = {PARTS: 0, PRODUCT: 1, COMPOSITE: 2}
_COLUMNS = [*PANEL, "arm", "answer_mode", "what", "x", *MEASURED]
_APART = {"cot": -0.1, "direct": 0.1}  # so that intervals do not cover each other


class Composition(Chart):
    ID, NAME, TITLE = "F11", "F11_composition", "Composites of separately learnt programs, beside their parts"
    CLAIM = (
        "Two programs that were learnt separately, by their source alone, can be composed: f(g(x)) is executed (C11)."
    )

    def select(self, records: pd.DataFrame) -> pd.DataFrame:
        """Where PBB and its control end, on composites and on their parts."""
        here = {
            "domain": "composition",
            "group": (_WHOLE, _PARTS),
            "curriculum": (_ARM, CONTROL),
            "answer_mode": _MODES,
        }
        return final(of(records, here))

    def table(self, records: pd.DataFrame) -> pd.DataFrame:
        """One row a plotted point. `what` says of what:

        - "parts": the parts, each asked by itself;
        - "product of parts": for each composite the product of its parts' accuracies, which is what would come of parts
          that succeed or fail independently of each other;
        - "composite": f(g(x)), asked for by this expression;
        - "composite, by parts right alone": the same questions, by how many of their parts (x) are answered rightly
          when each is asked alone for the value that this question hands it.

        The last two need parts that were asked on these inputs.

        Raises:
            RecordsError: the records hold no composites that these arms were asked about.
        """
        rows = self.select(records).rename(columns={"curriculum": "arm"})
        if not (rows["group"] == _WHOLE).any():
            raise RecordsError(f"domain: none of the records are about composites and of {_ARM} or {CONTROL}")
        by = [*PANEL, "arm", "answer_mode"]
        parts = [accuracy(rows.assign(what=rows["group"].map(_WHAT)), [*by, "what"])]
        for key, cell in rows.groupby(by):
            where = dict(zip(by, key, strict=True))
            if pairs := list(_independent(cell)):
                parts.append(accuracy(pd.DataFrame(pairs)).assign(what=PRODUCT, **where))
            if len(path := _by_parts(cell)):
                parts.append(accuracy(path, ["x"]).assign(what=BY_PARTS, **where))
        best = guesses(rows, [*PANEL, "group"])
        parts.append(best.assign(what=best["group"].map(_WHAT)))
        return stacked(parts, _COLUMNS)

    def cells(self, records: pd.DataFrame) -> Cells:
        """Composites and their parts, by arm and mode."""
        found: Cells = {}
        rows = self.select(records)
        for group, told in ((_WHOLE, ""), (_PARTS, "parts")):
            found |= tables.cells(of(rows, {"group": group}), (_ARM, CONTROL), _MODES, told)
        return found

    def words(self, drawn: pd.DataFrame, records: pd.DataFrame) -> str:
        text = (
            "Composites such as f(g(x)), asked for by that expression at the end of training. Each part was taught by "
            "its source alone, and no composite of these parts was shown. (a) Product of parts: what independent "
            "success of the parts would give, composite by composite. Hollow: the control (Stage 1 only). Grey: "
            f"{GUESS}. (b) Proactive-PBB on the same composites, by how many of "
            "their parts it answers rightly alone, each for the value that the question hands it; with n, the number "
            "of questions. "
        )
        for (mode, *_), rows in of(drawn, {"what": BY_PARTS, "arm": _ARM}).groupby(["answer_mode", *PANEL]):
            every = rows[rows["x"] == _depth(drawn)]
            text += (
                f"{style.MODES[mode].label}: all parts were right alone for {int(every['questions'].sum()):,} of "
                f"{int(rows['questions'].sum()):,} questions. "
            )
        measured = of(drawn, {"what": (PARTS, COMPOSITE), "arm": (_ARM, CONTROL)})
        return f"{text}Bars: {BARS}. {sizes(measured)}."

    def panels(self, figure: style.Picture, front: pd.DataFrame, behind: pd.DataFrame) -> float:
        """A row for each model."""
        panels = panels_in(front)
        grid = figure.subplots(len(panels), 2, squeeze=False, sharey=True, width_ratios=(1.15, 1))
        for line, panel in zip(grid, panels, strict=True):
            _beside_parts(line[0], of(front, panel), of(behind, panel))
            _by_parts_alone(line[1], of(front, panel), of(behind, panel))
            where = f" {panel_name([*panel.values()])}:" if len(panels) > 1 else ""
            line[0].set_title(f"a {where} composites beside their parts")
            line[1].set_title("b  composites, by parts that are right alone")
        return 2.3 * len(panels)

    def legend(self, front: pd.DataFrame) -> list[style.Entry]:
        entries = []
        for arm, mode in itertools.product((_ARM, CONTROL), _MODES):
            if len(of(front, {"arm": arm, "answer_mode": mode})):
                label = f"{style.ARMS[arm].label}, {style.MODES[mode].label}"
                entries.append(style.entry(style.MODES[mode]._replace(filled=arm == _ARM), label, "none"))
        return [*entries, style.stroke("Best guess")]


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


def _depth(drawn: pd.DataFrame) -> int:
    """Return the most parts that were right alone, two at least."""
    most = drawn["x"].max()
    return 2 if pd.isna(most) else max(2, int(most))


def _beside_parts(axes: Axes, ours: pd.DataFrame, theirs: pd.DataFrame) -> None:
    style.percent_axis(axes)
    axes.set_xticks(list(_PLACES.values()), ["a part,\nasked alone", "product of\nits parts", "composite,\nnamed"])
    axes.set_xlim(-0.5, 2.5)
    axes.set_ylabel("w/o IO accuracy")
    axes.grid(axis="x", visible=False)
    guess = of(ours, {"arm": CHANCE})
    at = guess["what"].map(_PLACES).astype(float)
    axes.hlines(guess["estimate"], at - 0.36, at + 0.36, color=style.MUTED, linewidth=0.9, zorder=1)
    for drawn, faint in ((theirs, True), (ours, False)):
        for arm, mode in itertools.product((CONTROL, _ARM), _MODES):
            here = of(drawn, {"arm": arm, "answer_mode": mode, "what": tuple(_PLACES)})
            x = here["what"].map(_PLACES).astype(float) + _APART[mode] * (2.4 if arm == CONTROL else 1)
            style.series(axes, x, here, style.MODES[mode]._replace(filled=arm == _ARM), faint, "none")


def _by_parts_alone(axes: Axes, ours: pd.DataFrame, theirs: pd.DataFrame) -> None:
    counts = range(_depth(pd.concat([ours, theirs])) + 1)
    mine = of(ours, {"arm": _ARM, "what": BY_PARTS})
    labels = []
    for count in counts:  # with how many questions each mode has there, a line each
        asked = mine[mine["x"] == count].set_index("answer_mode")["questions"]
        n = [f"\n{style.MODES[mode].label} n = {int(asked[mode]):,}" for mode in _MODES if mode in asked]
        labels.append("".join([str(count), *n]))
    axes.set_xticks(list(counts), labels)
    axes.set_xlim(-0.5, counts[-1] + 0.5)
    axes.set_xlabel("parts of the composite that are right alone")
    axes.grid(axis="x", visible=False)
    guess = of(ours, {"arm": CHANCE, "what": COMPOSITE})["estimate"]
    axes.hlines(guess, -0.5, counts[-1] + 0.5, color=style.MUTED, linewidth=0.9, zorder=1)
    for drawn, faint in ((theirs, True), (ours, False)):
        for mode in _MODES:
            here = of(drawn, {"arm": _ARM, "answer_mode": mode, "what": BY_PARTS})
            style.series(axes, here["x"] + _APART[mode], here, style.MODES[mode], faint, "none")
