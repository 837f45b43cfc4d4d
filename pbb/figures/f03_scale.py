"""F03: w/o IO accuracy by model size, direct and by CoT."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from pbb.figures import by_knob
from pbb.figures.tables import headline_of

ID, NAME, TITLE = "F03", "F03_scale", "w/o IO accuracy by model size"
CLAIM = (
    "Accuracy grows with model size (C9). Direct answers work, above their control; CoT is more reliable (C3): how "
    "large a model does each of them take?"
)
KNOB = by_knob.Knob("model", label="model, by parameters", modes=("recall", "cot", "direct"), permuted=True)


def select(records: pd.DataFrame) -> pd.DataFrame:
    """The rows that this figure is drawn from: where the trained arms, the control and the ceiling end."""
    return by_knob.select(records, KNOB)


def table(records: pd.DataFrame) -> pd.DataFrame:
    """One row a plotted point; x is how many parameters the model has, NaN where its name does not say."""
    return by_knob.table(records, KNOB)


def cells(records: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Headline values: each trained arm and the control, by mode and model."""
    return by_knob.cells(records, KNOB)


def headline(records: pd.DataFrame) -> pd.DataFrame:
    return headline_of(cells(records))


def caption(records: pd.DataFrame) -> str:
    return _caption(table(records))


def _caption(drawn: pd.DataFrame) -> str:
    opening = (
        "Programs without input/output examples (w/o IO), asked by name at the end of training, by model. "
        f"{by_knob.tokens(drawn)}"
    )
    return by_knob.caption(drawn, opening)


def draw(
    records: pd.DataFrame,
    reference: pd.DataFrame | None = None,
    *,
    variant: str = "this run",
    allow_smoke: bool = False,
) -> Figure:
    """The figure, a panel for each trained arm and program length; `reference` is drawn faintly behind."""
    return by_knob.draw(KNOB, _caption, records, reference, variant, allow_smoke)
