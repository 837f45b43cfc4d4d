"""What only a card can show: ``make gpu-check``, or ``python tests/gpu_bench.py --out FOLDER [--budget-min 9]``.

In this order, so that little time still yields the first:

1. Unsloth and PEFT train the same adapters on the same rows from the same seed: are their losses equal?
2. Greedy answers in float32, asked one at a time and in batches of 256: are they equal?
3. Tokens a second of Unsloth, PEFT and TRL's defaults, in training and of what each has trained in answering.
4. The command that computes the reference's records.

Each piece runs in a process of its own (Unsloth alters trl and transformers for good) and leaves a JSON file as soon as
it is done; the same command passes over what is there. What is missing is named, and the rest runs. The exit status is
1 where something failed or differs, 75 where time ran out (the same command goes on), else 0.

Without a card ``--model tiny-s --steps 3`` runs the same on a CPU. That shows that the script works, and nothing else.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gpu_jobs import EXACT, MODEL, NOT_A_CARD, QUESTIONS, STEPS, Asked

JOBS = Path(__file__).with_name("gpu_jobs.py")
# The largest relative difference of a step's loss that counts as equal. Set before any was measured on a card; two
# backends differed by less than 1e-4 within 12 steps in float32 on a CPU (tests/test_backends.py).
TOLERANCE = {"float32": 1e-3, "16 bits": 2e-2}
LEAST_S = 15  # of the budget, under which no piece is begun
COME_BACK = 75  # as pbb.cli
LABELS = {"unsloth": "Unsloth", "peft": "PEFT", "trl": "TRL's defaults"}
NOTES = """{model}, adapters of rank {rank}, the same documents; the last {steps_measured} of {steps} steps. Tokens are
those of documents, never padding. The share is of a product of large square matrices, measured in the same process, at
4 operations a token and frozen weight and 6 a trained one. TRL's defaults: 8 documents a step, each padded to the
longest, no packing, float32 weights, on a card with gradient checkpointing. All answers are asked for in plain
transformers, of what each has trained: by `pbb.models.ask.generate`, and the same prompts in the same batches by
`model.generate`."""
REFERENCE = """The reference's records, in pieces of 9 minutes; the same command goes on until it ends with status 0:
  make reproduce PRESET=llm BUDGET_MIN=9
or, where there is no Jupyter:
  python -m pbb run --preset llm --budget-min 9"""


class PieceError(RuntimeError):
    """A piece failed; the message names its log and the last line in it."""


class OutOfTimeError(RuntimeError):
    """A piece was not begun, or was ended, because the budget is used up."""


def in_process(job: str, asked: Asked, arguments: dict[str, Any], log: Path, seconds: float) -> dict[str, Any]:
    """Return what a job returns, done in a new process whose output goes to `log`.

    Raises:
        PieceError: it failed.
        OutOfTimeError: it took longer than `seconds`, and was ended.
    """
    with tempfile.TemporaryDirectory() as folder, open(log, "a", encoding="utf-8") as said:
        file = Path(folder) / "result.json"
        command = [sys.executable, JOBS, json.dumps([job, asdict(asked), arguments]), str(file)]
        limit = None if math.isinf(seconds) else seconds
        try:
            done = subprocess.run(command, stdout=said, stderr=subprocess.STDOUT, timeout=limit)
        except subprocess.TimeoutExpired:
            raise OutOfTimeError from None
        if done.returncode:
            last = (log.read_text(encoding="utf-8", errors="replace").strip().splitlines() or ["it said nothing"])[-1]
            raise PieceError(f"{last} (all of it: {log})")
        return dict(json.loads(file.read_text(encoding="utf-8")))


# --------------------------------------------------------------------------------------------------- what they show
def compare(curves: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return whether the losses of Unsloth and PEFT agree; with PEFT's in float32 also how much rounding does."""
    ours, theirs = curves["unsloth"], curves["peft"]
    tolerance = TOLERANCE["float32" if theirs["precision"] == "float32 weights" else "16 bits"]
    largest, step = _largest_difference(ours, theirs)
    found = {
        "losses": {by: [row["loss"] for row in curve["losses"]] for by, curve in curves.items()},
        "precision": {by: curve["precision"] for by, curve in curves.items()},
        "largest_relative_difference": largest,
        "at_step": step,
        "tolerance": tolerance,
        "verdict": "agree" if largest <= tolerance else "differ",
    }
    if EXACT in curves:
        found["largest_relative_difference_by_rounding"] = _largest_difference(theirs, curves[EXACT])[0]
    return found


def _largest_difference(ours: dict[str, Any], theirs: dict[str, Any]) -> tuple[float, int]:
    """Return the largest relative difference of two curves, and at which step.

    What is not a number, or has no counterpart, counts as infinite.
    """
    steps = itertools.zip_longest(ours["losses"], theirs["losses"], fillvalue={"step": -1, "loss": math.nan})
    found = [(abs(a["loss"] - b["loss"]) / max(abs(b["loss"]), 1e-9), a["step"]) for a, b in steps]
    return max((math.inf if math.isnan(difference) else difference, step) for difference, step in found)


def table(rows: dict[str, dict[str, Any]]) -> str:
    """Return the throughput table in Markdown: what was measured, on what, and what its columns mean."""
    here = next(iter(rows.values()))["machine"]
    packages = {name: version for name, version in here["packages"].items() if version}
    names = ("torch", "transformers", "trl", "peft", "unsloth", "triton")
    versions = ", ".join(f"{name} {packages[name]}" for name in names if name in packages)
    driver = f", driver {here['driver']}, CUDA {here['cuda']}" if here["driver"] else ""
    lines = [
        f"{here['card']}{driver}; Python {here['python'].split()[-1]}, {versions}",
        "",
        "| | measured | training tokens/s | formats | of a bfloat16 product's rate | of one in its own format "
        "| peak memory | generated tokens/s | with model.generate | asked in |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for by, row in rows.items():
        rates = row["product_flop_per_s"]
        of = [(row["flop_per_s"] / rates[name], rates[name] / 1e12) for name in ("bfloat16", row["products_in"])]
        cells = [
            *(LABELS[by], row["at"], f"{row['tokens_per_s']:,.0f}", row["precision"]),
            *(f"{share:.2%} of {rate:,.3g} TFLOP/s" for share, rate in of),
            "-" if row["peak_memory_gb"] is None else f"{row['peak_memory_gb']:.1f} GB",
            *(f"{row['generated_tokens_per_s']:,.0f}", f"{row['generated_tokens_per_s_by_transformers']:,.0f}"),
            f"{row['asked_in']}, {row['batch']} at once",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    one, asked = next(iter(rows.values())), next(iter(rows.values()))["asked"]
    return "\n".join([*lines, "", NOTES.format(**one | asked)])


# ------------------------------------------------------------------------------------------------------- in a row
Job = tuple[str, dict[str, Any]]


class Bench:
    """The pieces, one after the other, each kept in `out` as soon as it is done.

    `call` does a job, as `in_process`; `until` is by `time.monotonic`.
    """

    def __init__(self, out: Path, asked: Asked, until: float, call: Callable[..., dict[str, Any]] = in_process) -> None:
        self.out, self.asked, self.until, self.call = out, asked, until, call
        self.wrong: list[str] = []  # what failed or differs
        self.missing: list[str] = []  # what cannot run here, and why
        self.here = self._job("machine", "machine", {})

    @property
    def on_card(self) -> bool:
        return bool(self.here["card"] != NOT_A_CARD)

    def run(self) -> None:
        """Do everything that is not there yet, in order.

        Raises:
            OutOfTimeError: the budget is used up.
            ValueError: the folder holds results of something else.
        """
        self._same_as_before()
        self._say("1. losses of Unsloth and PEFT, from the same rows and seed")
        self._compare_losses()
        self._say("2. greedy answers in float32, one at a time and together")
        if found := self._piece("answers", ("answers", {})):
            said = f"{found['differ']} of {found['questions']} are others in a batch of {found['batch']}"
            self._judge("answers", found["verdict"], said)
        self._say("3. tokens a second")
        self._measure_throughput()
        self._say(f"4. {REFERENCE}")

    def _compare_losses(self) -> None:
        curves: dict[str, dict[str, Any]] = {}
        for by in self._backends(("unsloth", "peft", *([EXACT] if self.on_card else []))):
            if curve := self._piece(f"losses_{by}", ("losses", {"by": by})):
                curves[by] = curve
            if {"unsloth", "peft"} <= curves.keys():
                self._keep("losses.json", compare(curves))
        if {"unsloth", "peft"} <= curves.keys():
            found = compare(curves)
            largest = f"{found['largest_relative_difference']:.1e}, at step {found['at_step']}"
            self._judge(
                "losses", found["verdict"], f"largest relative difference {largest}; at most {found['tolerance']:g}"
            )

    def _measure_throughput(self) -> None:
        rows: dict[str, dict[str, Any]] = {}
        with tempfile.TemporaryDirectory() as folder:  # for weights, which nobody keeps
            for by in self._backends(LABELS):
                weights = {"weights": f"{folder}/{by}"}
                if row := self._piece(f"throughput_{by}", ("train", {"by": by, **weights}), ("ask", weights)):
                    rows[by] = row
                    self._keep("throughput.json", rows)
                    (self.out / "throughput.md").write_text(f"{table(rows)}\n", encoding="utf-8")
        if rows:
            self._say(f"\n{table(rows)}\n")

    def _same_as_before(self) -> None:
        file, now = self.out / "setup.json", {**asdict(self.asked), "card": self.here["card"]}
        before = json.loads(file.read_text(encoding="utf-8")) if file.exists() else now
        if before != now:
            raise ValueError(
                f"out={str(self.out)!r} holds results of {before}, and not of {now}; valid: another folder"
            )
        self._keep("setup.json", now)

    def _backends(self, names: Iterable[str]) -> Iterator[str]:
        for name in names:
            if name == "unsloth" and (without := self.here["without_unsloth"]):
                self._say(f"  unsloth: cannot run here: {without}")
                self.missing = [f"everything of Unsloth: {without}"]
            else:
                yield name

    def _piece(self, name: str, *jobs: Job) -> dict[str, Any] | None:
        """Return what the jobs gave, now or in an earlier call; None where one failed."""
        file = self.out / f"{name}.json"
        if file.exists():
            self._say(f"  {name}: there already")
            return dict(json.loads(file.read_text(encoding="utf-8")))
        started = time.monotonic()
        if self.until - started < LEAST_S:
            raise OutOfTimeError
        at = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
        found: dict[str, Any] = {"asked": asdict(self.asked), "machine": self.here, "at": at}
        try:
            for job, arguments in jobs:
                found |= self._job(name, job, arguments)
        except PieceError as error:
            self._say(f"  {name}: failed: {error}")
            self.wrong.append(f"{name} failed")
            return None
        found["took_s"] = time.monotonic() - started
        self._keep(file.name, found)
        self._say(f"  {name}: done in {found['took_s']:.0f} s")
        return found

    def _job(self, name: str, job: str, arguments: dict[str, Any]) -> dict[str, Any]:
        return self.call(job, self.asked, arguments, self.out / f"{name}.log", self.until - time.monotonic())

    def _judge(self, name: str, verdict: str, said: str) -> None:
        self._say(f"  {name}: {verdict}: {said}")
        if verdict == "differ":
            self.wrong.append(f"{name} differ")

    def _keep(self, name: str, found: dict[str, Any]) -> None:
        """Write a file in one step."""
        hidden = self.out / f".{name}"
        hidden.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        os.replace(hidden, self.out / name)

    def _say(self, line: str) -> None:
        print(line, flush=True)


def main(given: Sequence[str] | None = None, call: Callable[..., dict[str, Any]] = in_process) -> int:
    """Run the bench; return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition(":")[0])
    parser.add_argument("--out", type=Path, required=True, help="folder for results and logs; the same one goes on")
    parser.add_argument("--budget-min", type=float, default=math.inf, help="end after so many minutes")
    parser.add_argument("--model", default=MODEL, help=f"default: {MODEL}; without a card tiny-s")
    parser.add_argument("--steps", type=int, default=STEPS, help=f"of each training, 2 or more; default: {STEPS}")
    parser.add_argument("--questions", type=int, default=QUESTIONS, help=f"one at a time; default: {QUESTIONS}")
    options = parser.parse_args(given)
    for name, least in (("steps", 2), ("questions", 1), ("budget_min", 0)):
        if not getattr(options, name) >= least:
            parser.error(f"{name}={getattr(options, name)} is not valid; valid: {least} or more")
    out = options.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    asked = Asked(options.model, options.steps, options.questions)
    try:
        bench = Bench(out, asked, time.monotonic() + 60 * options.budget_min, call)
        print(f"{bench.here['card']}; {asked.model}, {asked.steps} steps; results and logs: {out}", flush=True)
        if not bench.on_card:
            if asked.model == MODEL:
                parser.error(f"model={MODEL!r} wants a card, and there is none; valid here: --model tiny-s --steps 3")
            print("Not a card: this shows that the script works, and nothing about a card.", flush=True)
        bench.run()
    except OutOfTimeError:
        print(f"Out of time after {options.budget_min:g} min; what is done is kept, and the same command goes on.")
        return COME_BACK
    except (PieceError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    for line in [*(f"Missing: {what}" for what in bench.missing), *(f"Wrong: {what}" for what in bench.wrong)]:
        print(line)
    return 1 if bench.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
