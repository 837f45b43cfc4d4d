"""What `own_functions.py` measures: its file of functions, how it shares them among lessons, and its arithmetic."""

from __future__ import annotations

import pandas as pd
import pytest
from own_functions import functions, table, totals

import pbb
from pbb.experiments import teaching


@pytest.fixture(scope="module")
def choosing() -> list[pbb.Program]:
    return functions("choosing")


def test_sixty_different_functions_can_be_taught_together(choosing: list[pbb.Program]) -> None:
    assert len(choosing) == 60
    assert {program.statements for program in choosing} == {1}
    assert {len(program.inputs) for program in choosing} == {10, 100}
    teaching.lesson(choosing)  # raises where a name is taken, or two do the same


def test_tables_count_right_answers_apart_for_what_is_beyond_the_model() -> None:
    right = {  # of ten: in context, CoT before and after, direct before and after; recited
        "Double": (10, 1, 9, 2, 4, True),
        "square": (2, 0, 1, 3, 3, False),
    }
    rows = []
    for program, (*counts, recited) in right.items():
        asked = [("in context", "cot"), *((when, mode) for mode in ("cot", "direct") for when in ("before", "after"))]
        for (when, mode), count in zip(asked, counts, strict=True):
            outcomes = ["correct"] * count + ["wrong"] * (10 - count)
            rows += [(program, when, mode, outcome, 61.0) for outcome in outcomes]
        rows.append((program, "after", "recall", "correct" if recited else "wrong", 61.0))
    answers = pd.DataFrame(rows, columns=["program", "when", "answer_mode", "outcome", "seconds"])
    assert table(answers).to_numpy().tolist() == [
        ["Double", "10/10", "1/10", "9/10", "2/10", "4/10", "yes", 61.0],
        ["square", "2/10", "0/10", "1/10", "3/10", "3/10", "no", 61.0],
    ]
    found = totals(answers).set_index(["functions", "answer_mode", "when"])
    shares = {key: cell.partition(" %")[0] for key, cell in found["right"].items()}
    assert shares["all", "cot", "after"] == "50"
    assert shares["all", "direct", "before"] == "25"
    assert shares["run in context", "cot", "after"] == "90"
    assert shares["beyond the model", "cot", "in context"] == "20"
    assert [*found.loc[("all", "cot", "after"), ["questions", "programs"]]] == [20, 2]
