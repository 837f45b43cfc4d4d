"""How well a reader's own functions are learnt: each taught alone, or several at once, by the lesson of notebook 04.

    python tests/own_functions.py choosing --alone 12      # twelve lessons, of functions from all over the file
    python tests/own_functions.py choosing --at-once 20    # all functions, twenty a lesson
    python tests/own_functions.py choosing --alone         # a lesson for each

``choosing`` is a file in tests/own_functions/, one function a line. Each lesson's answers are kept as JSON under
``runs/own_functions/`` (or where PBB_RUNS says), and no lesson is done twice while neither models nor code change.
Run by hand: a lesson takes a minute or two.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

import pbb
from pbb import store
from pbb.analysis.labels import percent
from pbb.analysis.statistics import accuracy
from pbb.experiments import teaching
from pbb.experiments.everyday import is_everyday
from pbb.experiments.groups import groups
from pbb.programs import Program
from pbb.programs.domains import normal_form
from pbb.programs.own import OwnProgramError, finish, prepare
from pbb.runs.plan import results

FOLDER = Path(__file__).parent / "own_functions"
PRESET = "cpu"
MODES = ("cot", "direct")


def functions(name: str) -> list[Program]:
    """Return the programs of a file, in its order. Raises SystemExit where two do the same, or one is refused."""
    lines = (FOLDER / f"{name}.txt").read_text().splitlines()
    # A lesson in code never shows the description, which a program has to have.
    made = finish([prepare(line, description=line) for line in lines])
    if refused := [str(one) for one in made if isinstance(one, OwnProgramError)]:
        raise SystemExit("\n".join(refused))
    programs = [one for one in made if isinstance(one, Program)]
    known: dict[str, str] = {}
    for program in programs:
        for what in (program.name, normal_form(program)):
            if what in known:
                raise SystemExit(f"{name}.txt: {program.name!r} is called like {known[what]!r}, or does the same")
        known |= {program.name: program.name, normal_form(program): program.name}
    return programs


def teachable(programs: Sequence[Program]) -> list[Program]:
    """Return `programs` but for those whose name a program of the lesson has, or may have had in the tutor's."""
    beside = teaching.lesson(next(p for p in programs if not is_everyday(p.name)), PRESET)[-1].changed(own_programs=())
    drawn = {program.name for group in groups(beside) for program in group.programs}
    if taken := [program.name for program in programs if program.name in drawn or is_everyday(program.name)]:
        print(f"left out, since their names are refused: {', '.join(taken)}")
    return [program for program in programs if program.name not in taken]


def lessons(programs: Sequence[Program], alone: int | None, at_once: int | None) -> list[list[Program]]:
    """Return what each lesson teaches, taken evenly from all of `programs`, which may be sorted.

    Args:
        programs: of a file.
        alone: so many lessons of one program each.
        at_once: programs a lesson; all are taught.
    """
    total = len(programs)
    if at_once is None:
        count = min(alone or total, total)
        return [[programs[i * total // count]] for i in range(count)]
    count = -(-total // at_once)
    return [list(programs[i::count]) for i in range(count)]


def learnt(programs: Sequence[Program]) -> pd.DataFrame:
    """Return the answers of one lesson: the rows of `teaching.taught`, and how many seconds a reader waits.

    Seconds are missing where a part of the lesson was done before.
    """
    experiments = teaching.lesson(programs, PRESET)
    kept = store.runs() / "own_functions" / f"{results(experiments[-1], PRESET)[0].name}.json"
    if not kept.exists():
        todo, started = pbb.plan(experiments), time.perf_counter()
        told = teaching.beforehand(pbb.run(experiments[0], preset=PRESET, say=lambda line: None), programs)
        print(told, flush=True)
        answers = teaching.taught(pbb.run(experiments, preset=PRESET, say=lambda line: None), programs)
        whole = len(todo.missing) == len(todo.tasks)
        seconds = time.perf_counter() - started if whole else None
        text = json.dumps({"seconds": seconds, "answers": json.loads(answers.to_json(orient="records"))}, indent=1)
        store.write_whole(kept, text)
    found = json.loads(kept.read_text())
    return pd.DataFrame(found["answers"]).assign(seconds=found["seconds"])


def table(answers: pd.DataFrame) -> pd.DataFrame:
    """Return one row a program: right/asked in context, and before and after in each mode; recited or not; seconds."""
    right = (answers["outcome"] == "correct").groupby([answers["program"], answers["when"], answers["answer_mode"]])
    shown = (right.sum().astype(str) + "/" + right.size().astype(str)).to_dict()
    asked = [
        ("cot", teaching.IN_CONTEXT),
        *((mode, when) for mode in MODES for when in (teaching.BEFORE, teaching.AFTER)),
    ]
    rows = []
    for program, seconds in answers.groupby("program", sort=False)["seconds"].first().items():
        cells = {f"{mode} {when}": shown[program, when, mode] for mode, when in asked}
        recited = shown[program, teaching.AFTER, "recall"] == "1/1"
        rows.append({"program": program, **cells, "recited": "yes" if recited else "no", "seconds": seconds})
    return pd.DataFrame(rows)


def totals(answers: pd.DataFrame) -> pd.DataFrame:
    """Return accuracies by CoT and directly, before and after: of all, and of what the model runs in context or not."""
    asked = answers[answers["answer_mode"].isin(MODES)].assign(seed=teaching.TUTOR_SEED)
    share = asked["program"].map(teaching.ceiling(answers))
    sets = {
        "all": asked,
        "run in context": asked[share >= teaching.ENOUGH],
        "beyond the model": asked[share < teaching.ENOUGH],
    }
    found = pd.concat(
        [accuracy(rows, ["answer_mode", "when"]).assign(functions=name) for name, rows in sets.items() if len(rows)]
    )
    found["right"] = [percent(*row) for row in found[["estimate", "low", "high"]].itertuples(index=False)]
    return found[["functions", "answer_mode", "when", "right", "questions", "programs"]].reset_index(drop=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("file", help="choosing, or another file's name in tests/own_functions/")
    how = parser.add_mutually_exclusive_group(required=True)
    how.add_argument("--alone", type=int, nargs="?", const=0, metavar="N", help="N lessons of one function (all)")
    how.add_argument("--at-once", type=int, metavar="N", help="all functions, N a lesson")
    asked = parser.parse_args()
    found = []
    for programs in lessons(teachable(functions(asked.file)), asked.alone, asked.at_once):
        found.append(learnt(programs))
        print(table(found[-1]).to_string(index=False, float_format="%.0f"), "\n", flush=True)
    answers = pd.concat(found, ignore_index=True)
    print(table(answers).to_string(index=False, float_format="%.0f"), "\n")
    print(totals(answers).to_string(index=False))


if __name__ == "__main__":
    main()
