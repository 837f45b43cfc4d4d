"""F16: F02's picture for algorithms, which are pointed at by their problem statement, as the paper's Leetcode is."""

from __future__ import annotations

import pandas as pd

from pbb.figures.f02_curricula import Curricula


class Algorithms(Curricula):
    NAME = "F16_algorithms"
    TITLE = "Algorithms known by their source alone, asked for by their problem statement"
    CLAIM = "Algorithms never seen executed are executed above every control when their problem is stated (C1)."

    def words(self, drawn: pd.DataFrame, records: pd.DataFrame) -> str:
        """Say what is held apart, then what F02 says."""
        apart, known = "", drawn["domain"] == "algorithms of known families"
        if not known.all():
            apart += "Algorithms: no family (one problem with all its parameters) has both w/ IO and w/o IO programs. "
        if known.any():
            apart += "Known families: the easier split, in which w/o IO programs share families with w/ IO ones. "
        return apart + super().words(drawn, records).replace("asked by name only", "asked by their problem statement")
