"""F09: w/o IO accuracy against the number of w/ IO programs, at equal tokens."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from pbb.figures import by_knob
from pbb.figures.tables import headline_of

ID, NAME, TITLE = "F09", "F09_program_count", "w/o IO accuracy by number of w/ IO programs"
CLAIM = "The more programs are shown together with their executions, the better others are run by name (C9)."
KNOB = by_knob.Knob(
    "with_io_programs",
    label="w/ IO programs (log scale)",
    modes=("cot", "recite", "direct"),
    counted="w/ IO programs",
)


def select(records: pd.DataFrame) -> pd.DataFrame:
    """The rows that this figure is drawn from: where the trained arms, the control and the ceiling end."""
    return by_knob.select(records, KNOB)


def table(records: pd.DataFrame) -> pd.DataFrame:
    """One row a plotted point; x is the number of w/ IO programs."""
    return by_knob.table(records, KNOB)


def cells(records: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Headline values: each trained arm and the control, by mode and number of w/ IO programs."""
    return by_knob.cells(records, KNOB)


def headline(records: pd.DataFrame) -> pd.DataFrame:
    return headline_of(cells(records))


def caption(records: pd.DataFrame) -> str:
    return _caption(table(records))


def _caption(drawn: pd.DataFrame) -> str:
    opening = (
        "Programs without input/output examples (w/o IO), asked by name at the end of training, by the number of w/ IO "
        f"programs in Stage 1. {by_knob.tokens(drawn)} The fewer the programs, the more often each is seen."
    )
    return by_knob.caption(drawn, opening)


def draw(
    records: pd.DataFrame,
    reference: pd.DataFrame | None = None,
    *,
    variant: str = "this run",
    allow_smoke: bool = False,
) -> Figure:
    """The figure, a panel for each trained arm, model and length; `reference` is drawn faintly behind."""
    return by_knob.draw(KNOB, _caption, records, reference, variant, allow_smoke)
