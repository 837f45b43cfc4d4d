"""Teach a program of your own to a tiny model, by its source alone, in a minute on one core.

The model is `TUTORED`: tiny-m after Proactive's Stage 1, in which it learnt to run programs that it knows by name.
What is left is Stage 2, on the sources of your program and of a hundred others, and the questions before and after.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from pbb.experiments.experiment import Experiment
from pbb.experiments.groups import groups
from pbb.programs.program import Program

TUTORED = "tiny-m-tutored"
TUTOR_SEED = 1_000_000  # of the programs in its Stage 1: no study uses it


def tutoring() -> Experiment:
    """Return the experiment whose one stage made `TUTORED` of tiny-m."""
    return Experiment.of("cpu", arm="stage_1_only", model="tiny-m", seed=TUTOR_SEED, asked=("cot", "recall"))


def lesson(programs: Program | Sequence[Program], preset: str = "cpu", **changes: Any) -> list[Experiment]:
    """Return the experiments that ask `TUTORED` about `programs` before and after their sources are taught.

    Raises:
        ExperimentError: a program has a name that the model was taught before, or does not fit an experiment.
    """
    given = [programs] if isinstance(programs, Program) else list(programs)
    texts = tuple(program.to_json() for program in given)
    model = "tiny-s" if preset == "smoke" else TUTORED
    values = {"model": model, "seed": TUTOR_SEED, **changes, "own_programs": texts}
    kept = "smoke" if preset == "smoke" else "cpu"  # what the tutored model was made with
    before, after = [Experiment.of(kept, **values, arm=arm) for arm in ("untuned", "stage_2_only")]
    groups(after)  # raises where a program is taught already
    return [before, after]


def taught(records: pd.DataFrame, programs: Program | Sequence[Program]) -> pd.DataFrame:
    """Return one row a question about `programs`: when (before, after), how asked, input, expected, answer, outcome."""
    given = [programs] if isinstance(programs, Program) else list(programs)
    mine = records[records["program"].isin([program.name for program in given])]
    last = mine.groupby(["curriculum"])["progress"].transform("max") == mine["progress"]
    mine = mine[last].assign(when=mine["curriculum"].map({"untuned": "before", "stage_2_only": "after"}))
    columns = ["program", "when", "answer_mode", "input", "expected", "parsed", "outcome", "completion"]
    order = ["program", "answer_mode", "input", "when"]
    return mine[columns].sort_values(order, ascending=[True, True, True, False]).reset_index(drop=True)
