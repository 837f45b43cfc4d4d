"""What every figure is: rows, a table of points, headline values, a caption, and a picture over a faint reference."""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from pbb.analysis import tables
from pbb.analysis.tables import CEILING, CHANCE, PANEL, TABLE, Cells, of, panel_name, usable
from pbb.figures import style
from pbb.store import RecordsError

BARS = "95\u00a0% intervals over seeds; with one seed, over its programs"
GUESS = "the best guess of someone who has the answer key, but not the program"


class Chart(ABC):
    """One figure, drawn from records alone. To add one, write a subclass and list it in `pbb.figures`.

    By default it has a row of panels for each combination of what it holds fixed, and in it one for each answer mode;
    with more than one of SIDES, a row for each combination and mode, of so many panels.
    """

    NAME: str  # "F02_curricula": its folder, and its notebook
    TITLE: str
    CLAIM: str
    NEEDS: str  # what it is drawn from, in words
    VARIES: str = ""  # the column that its axis shows; one panel holds the others of PANEL fixed
    ARMS: tuple[str, ...] = ()  # in the order of its legend
    MODES: tuple[str, ...] = ("cot", "direct")
    COLUMNS: Sequence[str] = TABLE  # of its table
    SIDES = 1
    WIDTHS: tuple[float, ...] | None = None  # of the SIDES
    SHAREX: Literal["none", "col"] = "none"
    HEIGHT = 2.3  # inches, of a row of panels
    LABEL = "w/o IO accuracy"  # of the y axis
    ACROSS = 4  # entries in a row of its legend, where it is wide

    @property
    def ID(self) -> str:  # noqa: N802
        """``"F02"``."""
        return self.NAME.partition("_")[0]

    @property
    def FIXED(self) -> list[str]:  # noqa: N802
        """The columns that one of its panels holds fixed."""
        return [column for column in PANEL if column != self.VARIES]

    # --------------------------------------------------------------------------------- what a figure says of itself
    @abstractmethod
    def select(self, records: pd.DataFrame) -> pd.DataFrame:
        """The rows that this figure is drawn from."""

    @abstractmethod
    def parts(self, rows: pd.DataFrame) -> Iterable[pd.DataFrame]:
        """The points of selected rows, one row a point, as tables to be put below each other."""

    @abstractmethod
    def values(self, rows: pd.DataFrame) -> Cells:
        """The rows behind each headline value, of selected rows."""

    @abstractmethod
    def words(self, drawn: pd.DataFrame, rows: pd.DataFrame) -> str:
        """The caption, from the table and the rows it was made of."""

    def fill(self, line: np.ndarray, ours: pd.DataFrame, theirs: pd.DataFrame, mode: str) -> None:
        """Draw the panels (SIDES of them) of one answer mode and of what they hold fixed."""
        raise NotImplementedError

    def told(self, ours: pd.DataFrame, mode: str) -> str:
        """What the title of a panel says after its answer mode."""
        return ""

    def legend(self, front: pd.DataFrame) -> list[style.Entry]:
        """What stands in the legend: those of ARMS that there are."""
        return [style.entry(style.ARMS[arm]) for arm in self.ARMS if (front["arm"] == arm).any()]

    # ---------------------------------------------------------------------------------- what is the same for all
    def rows(self, records: pd.DataFrame) -> pd.DataFrame:
        """The rows that this figure is drawn from. Raises RecordsError where there are none."""
        rows = self.select(records)
        if rows.empty:
            raise RecordsError(
                f"{self.ID}: none of the {len(records):,} records belong to this figure, which shows {self.NEEDS}"
            )
        return rows

    def table(self, records: pd.DataFrame) -> pd.DataFrame:
        """One row a plotted point; columns COLUMNS."""
        return tables.stacked(self.parts(self.rows(records)), self.COLUMNS)

    def cells(self, records: pd.DataFrame) -> Cells:
        """The rows behind each headline value."""
        return self.values(self.select(records))

    def headline(self, records: pd.DataFrame) -> pd.DataFrame:
        """One row a headline value; columns as `pbb.analysis.tables.headline` has them."""
        return tables.headline(self.cells(records))

    def caption(self, records: pd.DataFrame) -> str:
        """What stands under the figure."""
        return self.wording(self.table(records), self.rows(records))

    def wording(self, drawn: pd.DataFrame, rows: pd.DataFrame) -> str:
        """The figure's words, and a warning where a low ceiling is a matter of form."""
        unread = (rows.loc[rows["curriculum"] == CEILING, "outcome"] == "unparsed").mean()
        told = f" In context {100 * unread:.3g}\u00a0% of the answers hold no value that can be read."
        return self.words(drawn, rows) + (told if unread > 0.9 else "")

    def draw(
        self,
        records: pd.DataFrame,
        reference: pd.DataFrame | None = None,
        *,
        variant: str = "this run",
        allow_smoke: bool = False,
    ) -> Figure:
        """The figure; `reference` stands faintly behind, and `variant` names the reader's records in the legend.

        Raises:
            RecordsError: the records are no result, or not of one preset (see `pbb.analysis.tables.usable`).
        """
        records = usable(records, allow_smoke=allow_smoke)
        front = self.table(records)
        behind = front[:0] if reference is None else self.table(usable(reference, allow_smoke=allow_smoke))
        with style.theme():
            figure = style.Picture(figsize=(style.DOUBLE, 3))
            height = self.panels(figure, front, behind)
            entries = self.legend(front)
            if reference is not None:
                look: dict[str, Any] = {"color": style.INK, "marker": "o", "markersize": 3.4}
                for alpha, label in ((1.0, variant), (style.REFERENCE_ALPHA, "committed reference")):
                    entries.append((Line2D([], [], alpha=alpha, **look), label))
            height += 0.15 * self.place(figure, entries) if entries else 0
            style.with_caption(figure, self.wording(front, self.rows(records)), panels=height)
            if (records["preset"] == "smoke").any():
                style.stamp_smoke(figure)
        return figure

    def panels(self, figure: style.Picture, front: pd.DataFrame, behind: pd.DataFrame) -> float:
        """Draw the panels of two tables, ours and the reference's; return how many inches high they are to be."""
        panels = panels_in(front, self.FIXED)
        modes = [mode for mode in self.MODES if (front["answer_mode"] == mode).any()]
        rows = list(itertools.product(panels, modes))
        shape = (len(rows), self.SIDES) if self.SIDES > 1 else (len(panels), len(modes))
        if shape[1] == 1:
            figure.set_figwidth(style.COLUMN)
        grid = figure.subplots(*shape, squeeze=False, sharex=self.SHAREX, sharey=True, width_ratios=self.WIDTHS)
        letters = itertools.cycle("abcdefgh"[: len(rows) if self.SIDES > 1 else len(modes)])
        for line, (panel, mode) in zip(grid.reshape(len(rows), -1), rows, strict=True):
            style.percent_axis(line[0])
            ours = of(front, panel)
            self.fill(line, ours, of(behind, panel), mode)
            told = self.told(ours, mode)
            where = ("\n" if told else ", ") + panel_name(panel) if len(panels) > 1 else ""
            letter = f"{next(letters)}  " if len(rows) > 1 else ""
            line[0].set_title(f"{letter}{style.MODES[mode].label}{told}{where}")
        for axes in grid[:, 0]:
            axes.set_ylabel(self.LABEL)
        return self.HEIGHT * len(grid)

    def place(self, figure: style.Picture, entries: list[style.Entry]) -> int:
        """Put the legend above the panels; return its number of rows."""
        columns = 2 if figure.get_figwidth() < 4 else self.ACROSS
        figure.legend(*zip(*entries, strict=True), loc="outside upper center", ncols=columns, columnspacing=1.4)
        return -(-len(entries) // columns)


def panels_in(front: pd.DataFrame, by: Sequence[str] = PANEL) -> list[dict[str, Any]]:
    """What each panel of a table holds fixed."""
    return [dict(row) for row in front[list(by)].drop_duplicates().to_dict("records")]


def layers(ours: pd.DataFrame, theirs: pd.DataFrame) -> tuple[tuple[pd.DataFrame, bool], ...]:
    """The reference's points, faint, and then ours over them."""
    return (theirs, True), (ours, False)


def best_guess(draw: Callable[..., Any], ours: pd.DataFrame, dashes: Any) -> None:
    """A line at the best guess, along an axis: `draw` is ``axes.axhline`` or ``axes.axvline``."""
    for level in of(ours, {"arm": CHANCE})["estimate"]:
        draw(level, color=style.MUTED, linestyle=dashes, linewidth=0.9 if dashes == ":" else 0.8, zorder=1)
