"""What every figure is: rows, a table of points, headline values, a caption, and a picture over a faint reference."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from pbb.analysis import tables
from pbb.analysis.tables import PANEL, Cells, usable
from pbb.figures import style

BARS = "95\u00a0% intervals over seeds; with one seed, over its programs"
GUESS = "the best guess of one who knows the answer key, but not the program"


class Chart(ABC):
    """One figure, drawn from records alone. To add one, write a subclass and list it in `pbb.figures`."""

    ID: str  # "F02"
    NAME: str  # "F02_curricula": its folder, and its notebook
    TITLE: str
    CLAIM: str
    FIXED: Sequence[str] = PANEL  # what one of its panels holds fixed
    COLUMNS = 4  # of its legend, where it is wide

    @abstractmethod
    def select(self, records: pd.DataFrame) -> pd.DataFrame:
        """The rows that this figure is drawn from."""

    @abstractmethod
    def table(self, records: pd.DataFrame) -> pd.DataFrame:
        """One row a plotted point."""

    @abstractmethod
    def cells(self, records: pd.DataFrame) -> Cells:
        """The rows behind each headline value."""

    @abstractmethod
    def words(self, drawn: pd.DataFrame, records: pd.DataFrame) -> str:
        """The caption, from the table and what it was made of."""

    @abstractmethod
    def panels(self, figure: style.Picture, front: pd.DataFrame, behind: pd.DataFrame) -> float:
        """Draw the panels of two tables, ours and the reference's; return how many inches high they are to be."""

    def legend(self, front: pd.DataFrame) -> list[style.Entry]:
        """What stands in the legend."""
        return []

    def place(self, figure: style.Picture, entries: list[style.Entry]) -> int:
        """Put the legend above the panels; return its number of rows."""
        columns = 2 if figure.get_figwidth() < 4 else self.COLUMNS
        figure.legend(*zip(*entries, strict=True), loc="outside upper center", ncols=columns, columnspacing=1.4)
        return -(-len(entries) // columns)

    def headline(self, records: pd.DataFrame) -> pd.DataFrame:
        """One row a headline value; columns as `pbb.analysis.tables.headline` has them."""
        return tables.headline(self.cells(records))

    def caption(self, records: pd.DataFrame) -> str:
        """What stands under the figure."""
        return self.words(self.table(records), records)

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
            style.with_caption(figure, self.words(front, records), panels=height)
            if (records["preset"] == "smoke").any():
                style.stamp_smoke(figure)
        return figure


def panels_in(front: pd.DataFrame, by: Sequence[str] = PANEL) -> list[dict[str, Any]]:
    """What each panel of a table holds fixed."""
    return [dict(row) for row in front[list(by)].drop_duplicates().to_dict("records")]
