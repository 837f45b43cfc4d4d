"""Figures, one module each, drawn from records alone: `FIGURES["F02"].draw(records)`."""

from __future__ import annotations

from typing import Protocol

import pandas as pd
from matplotlib.figure import Figure

from pbb.figures import (
    f01_overview,
    f02_curricula,
    f03_scale,
    f04_representation,
    f05_answer_mode,
    f06_retroactive,
    f07_ciphers,
    f08_sample_efficiency,
    f09_program_count,
    f10_augmentation,
    f11_composition,
    f12_in_context,
    f13_grammars,
    f14_recall,
)


class FigureModule(Protocol):
    """What a module of this folder offers. To add a figure, add such a module and list it below."""

    ID: str  # "F02"
    NAME: str  # "F02_curricula": its folder
    TITLE: str
    CLAIM: str

    def select(self, records: pd.DataFrame) -> pd.DataFrame: ...  # the rows it is drawn from
    def table(self, records: pd.DataFrame) -> pd.DataFrame: ...  # one row a plotted point
    def cells(self, records: pd.DataFrame) -> dict[str, pd.DataFrame]: ...  # rows behind each headline value
    def headline(self, records: pd.DataFrame) -> pd.DataFrame: ...  # name, estimate, low, high, …
    def caption(self, records: pd.DataFrame) -> str: ...
    def draw(
        self,
        records: pd.DataFrame,
        reference: pd.DataFrame | None = None,
        *,
        variant: str = "this run",
        allow_smoke: bool = False,
    ) -> Figure: ...


FIGURES: dict[str, FigureModule] = {
    module.ID: module
    for module in (
        f01_overview,
        f02_curricula,
        f03_scale,
        f04_representation,
        f05_answer_mode,
        f06_retroactive,
        f07_ciphers,
        f08_sample_efficiency,
        f09_program_count,
        f10_augmentation,
        f11_composition,
        f12_in_context,
        f13_grammars,
        f14_recall,
    )
}
