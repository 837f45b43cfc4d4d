"""Teach a program of your own to a tiny model, by its source alone, in a minute on one core.

The model is `TUTORED`: tiny-m after a stage such as Proactive's first, in which it learnt to run small functions that
it knows by name (`pbb.experiments.everyday`).
What is left is Stage 2, on the sources of your program and of a hundred others, and the questions before and after.
Whether the model can run your program at all is asked before that, with the source in the prompt.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from pbb.experiments.everyday import is_everyday
from pbb.experiments.experiment import Experiment
from pbb.experiments.groups import groups
from pbb.programs.arithmetic import Arithmetic
from pbb.programs.program import Program
from pbb.programs.settings import ExperimentError

TUTORED = "tiny-m-tutored"
TUTOR_SEED = 1_000_000  # of the other programs that are told beside the reader's: no study uses it
ENOUGH = 0.8  # of the questions right with the source in the prompt: with fewer, a program is beyond the model
IN_CONTEXT, BEFORE, AFTER = "in context", "before", "after"
NUMBERS = Arithmetic(wrap=None, largest=20, low=-9, high=20)  # of the other programs, as readers write them
_WHEN = {"in_context": IN_CONTEXT, "untuned": BEFORE, "stage_2_only": AFTER}


def _listed(programs: Program | Sequence[Program]) -> list[Program]:
    return [programs] if isinstance(programs, Program) else list(programs)


def lesson(programs: Program | Sequence[Program], preset: str = "cpu", **changes: Any) -> list[Experiment]:
    """Return the experiments that ask `TUTORED` about `programs`: in context, then before and after it is taught.

    The first asks by CoT with the source in the prompt, about one drawn program beside these; the last alone trains.
    Each program is asked about on ten inputs, where it has so many.

    Raises:
        ExperimentError: a program has a name that the model was taught before, or does not fit an experiment.
    """
    texts = tuple(program.to_json() for program in _listed(programs))
    # Except for smoke, the preset is cpu, which the tutored model was made with.
    kept, model = ("smoke", "tiny-s") if preset == "smoke" else ("cpu", TUTORED)
    asks: dict[str, Any] = {"model": model, "seed": TUTOR_SEED, "questions": 10, "checkpoints": 1}
    if kept == "cpu":
        asks |= {"programs": NUMBERS, "row_tokens": 192, "batch_rows": 6}
    before, after = (
        Experiment.of(kept, **{**asks, **changes, "own_programs": texts, "arm": arm})
        for arm in ("untuned", "stage_2_only")
    )
    if taken := [program.name for program in _listed(programs) if is_everyday(program.name)]:
        raise ExperimentError(f"own_programs: the name {taken[0]!r} was taught before; valid: any other")
    groups(after)  # raises where a drawn program has the name
    alone = {"with_io_programs": 1, "without_io_programs": 1}  # the fewest others: quickly drawn and asked
    return [before.changed(arm="in_context", asked=("cot",), **alone), before, after]


def taught(records: pd.DataFrame, programs: Program | Sequence[Program]) -> pd.DataFrame:
    """Return one row a question about `programs`: when, how asked, input, expected, answer, outcome.

    `when` is ``"in context"`` (the source is in the prompt, and nothing was taught), ``"before"`` or ``"after"``.
    """
    mine = records[records["program"].isin([program.name for program in _listed(programs)])]
    last = mine.groupby("curriculum")["progress"].transform("max") == mine["progress"]
    mode = mine["answer_mode"].str.removeprefix("in_context_")
    mine = mine.assign(when=mine["curriculum"].map(_WHEN), answer_mode=mode)[last]
    columns = ["program", "when", "answer_mode", "input", "expected", "parsed", "outcome", "completion"]
    order = ["program", "answer_mode", "input", "when"]
    return mine[columns].sort_values(order, ascending=[True, True, True, False], ignore_index=True)


def ceiling(answers: pd.DataFrame) -> pd.Series:
    """Return each program's share of right answers (0 to 1) with its source in the prompt, from rows of `taught`."""
    asked = answers[answers["when"] == IN_CONTEXT]
    return (asked["outcome"] == "correct").groupby(asked["program"]).mean()


def beforehand(records: pd.DataFrame, programs: Program | Sequence[Program]) -> str:
    """Return a line a program: how many inputs the model gets right with the source in its prompt, and which wrong.

    Whoever runs a program wrong while reading its source will hardly run it right from memory.
    """
    answers, lines = taught(records, programs), []
    for name, mine in answers[answers["when"] == IN_CONTEXT].groupby("program"):
        wrong = [f"({x})" if "," in x else x for x in mine.loc[mine["outcome"] != "correct", "input"]]
        right = len(mine) - len(wrong)
        said = f"{right} of {len(mine)} right with the source in the prompt"
        if wrong:
            said += f", wrong on {', '.join(wrong)}"
        if right / len(mine) < ENOUGH:
            said = f"beyond this model: {said}; it will hardly do better by name"
        lines.append(f"{name}: {said}.")
    return "\n".join(lines)
