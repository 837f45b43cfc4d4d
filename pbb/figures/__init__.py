"""Figures, drawn from records alone: `FIGURES["F02"].draw(records)`. To add one, write its `Chart` and list it here."""

from __future__ import annotations

from pbb.figures.base import Chart
from pbb.figures.by_knob import AUGMENTATION, PROGRAM_COUNT, SCALE
from pbb.figures.f01_overview import Overview
from pbb.figures.f02_curricula import Curricula
from pbb.figures.f04_representation import REPRESENTATION
from pbb.figures.f05_answer_mode import ANSWER_MODE
from pbb.figures.f06_retroactive import Retroactive
from pbb.figures.f07_ciphers import Ciphers
from pbb.figures.f08_sample_efficiency import SampleEfficiency
from pbb.figures.f11_composition import Composition
from pbb.figures.f12_in_context import IN_CONTEXT
from pbb.figures.f13_grammars import Grammars
from pbb.figures.f14_recall import Recall
from pbb.figures.f16_algorithms import Algorithms

_ALL: tuple[Chart, ...] = (Overview(), Curricula(), SCALE, REPRESENTATION, ANSWER_MODE, Retroactive(), Ciphers())
_ALL += (SampleEfficiency(), PROGRAM_COUNT, AUGMENTATION, Composition(), IN_CONTEXT, Grammars(), Recall(), Algorithms())
FIGURES: dict[str, Chart] = {chart.ID: chart for chart in _ALL}
