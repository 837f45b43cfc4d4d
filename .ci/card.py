"""Preset llm on a card, within minutes: what its values are chosen by, and its reference's records.

    python .ci/card.py pilots --budget-min 4       tuning seed 1000, into runs/ and build/pilots.csv
    python .ci/card.py reference --budget-min 8    three seeds of F02's main arms first, then all other figures

Both begin nothing that should end after the budget, keep what is complete and go on where they stopped, with exit
status 75 until everything is done. `--tiny` replaces model and counts, to see on any machine that all of it runs.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import pandas as pd

import pbb
from pbb.experiments.presets import recipe
from pbb.experiments.studies import figures_of
from pbb.runs.run import BudgetError, RunError, plan, run

SEEDS = 3
TUNING_SEED = 1000
TINY = {
    **{"model": "tiny-s", "lora_rank": 4, "with_io_programs": 8, "without_io_programs": 4, "row_tokens": 320},
    **{"stage_1_steps": 2, "stage_2_steps": 2, "exposure_steps": 2, "execution_steps": 2, "questions": 1},
    **{"checkpoints": 1, "demonstrations": 7},
}
COME_BACK = 75


def variants() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield what is tried, each as its name and what it changes in the preset, the likeliest first."""
    proactive = {"arm": "proactive"}
    yield "mixture", {"arm": "homogeneous"}
    for steps, rate, general in (
        *((100, 3e-4, 0.1), (60, 6e-4, 0.1), (200, 3e-4, 0.1), (200, 1.5e-4, 0.1)),
        *((150, 3e-4, 0.3), (200, 3e-4, 0.5), (100, 1e-3, 0.3)),
    ):
        stage_2 = {"stage_2_steps": steps, "stage_2_rate": rate, "stage_2_general": general}
        yield f"Proactive, Stage 2 of {steps} steps at {rate:g}, {general:.0%} general", proactive | stage_2
    for steps, rate in ((100, 3e-4), (200, 3e-4)):
        shorter = {"stage_1_steps": 500, "stage_2_steps": steps, "stage_2_rate": rate}
        yield f"Proactive, Stage 1 of 500 steps, Stage 2 of {steps} at {rate:g}", proactive | shorter
    # The paper's Stage 2 sees no w/ IO document; this says what its forgetting costs.
    replayed = proactive | {"stage_2_steps": 200, "replay": 0.5}
    yield "Proactive, Stage 2 of 200 steps, half of it w/ IO documents", replayed


def pilots(tiny: bool, **how: Any) -> bool:
    """Run the variants, and write a row for each moment at which one was asked; return whether all are done."""
    fixed = {**(TINY if tiny else {}), "seed": TUNING_SEED, "checkpoints": 1}
    tried = {name: pbb.Experiment.of("llm", **{**changes, **fixed}) for name, changes in variants()}
    done = _run(list(tried.values()), **how)
    rows = []
    for name, experiment in tried.items():
        if not plan(experiment).missing:
            records = run(experiment, preset="custom", say=lambda line: None)
            asked = records[records["held_out"] | (records["answer_mode"] == "recall")]
            found = pbb.accuracy(asked, ["group", "answer_mode", "stage", "step", "tokens"])
            rows.append(found.assign(variant=name))
    if rows:
        table = pd.concat(rows, ignore_index=True)
        Path("build").mkdir(exist_ok=True)
        table.to_csv("build/pilots.csv", index=False)
        wide = table.pivot_table("estimate", ["variant", "stage", "step"], ["group", "answer_mode"], sort=False)
        print((100 * wide).round().to_string(), flush=True)
    return done


def reference(tiny: bool, **how: Any) -> bool:
    """Compute the preset's records, what the main claim rests on first; return whether all are done."""
    every = [e for figure in figures_of("llm") for e in pbb.study(figure, "llm", SEEDS)]
    first = [e for e in pbb.study("F02", "llm", SEEDS) if e.arm in recipe("llm").repeated]
    if tiny:
        every, first = ([e.changed(**TINY) for e in chosen if e.value("high") == 9] for chosen in (every, first))
    started = time.monotonic()
    if not _run(first, **how):
        return False
    left = how.pop("budget_min") - (time.monotonic() - started) / 60
    return left > 0 and _run(every, budget_min=left, **how)


def _run(experiments: Sequence[Any], **how: Any) -> bool:
    def say(line: str) -> None:
        print(time.strftime("%H:%M:%S"), line, flush=True)

    try:
        run(experiments, preset="llm", say=say, **how)
    except (BudgetError, RunError) as error:
        say(str(error))
        return False
    return True


def main() -> int:
    """Do one of the two; return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("what", choices=("pilots", "reference"))
    parser.add_argument("--budget-min", type=float, default=60.0)
    parser.add_argument("--workers", type=int, default=None, help="processes at once (default: one a core)")
    parser.add_argument("--tiny", action="store_true", help="a tiny model and a few steps")
    options = parser.parse_args()
    work = {"pilots": pilots, "reference": reference}[options.what]
    return 0 if work(options.tiny, budget_min=options.budget_min, workers=options.workers) else COME_BACK


if __name__ == "__main__":
    sys.exit(main())
