"""tests/gpu_bench.py on a CPU: it runs what can run, names what cannot, goes on where it stopped, judges rightly."""

from __future__ import annotations

import importlib.util
import itertools
import json
import math
import os
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import gpu_bench
import gpu_jobs
import pytest
from gpu_bench import OutOfTimeError, PieceError, compare, in_process, main
from gpu_jobs import JOBS, NOT_A_CARD, Asked

from pbb.experiments.curricula import curriculum
from pbb.experiments.studies import figures_of, study
from pbb.models import loading, sft
from pbb.runs import run
from pbb.runs.tasks import EvaluationTask

GPU_SH = Path(gpu_bench.__file__).parents[1] / ".ci" / "gpu.sh"

PLANTED: dict[str, dict[str, Any]] = {
    "machine": {"card": "A card", "driver": "1.2", "cuda": "13", "without_unsloth": "", "python": "CPython 3.11",
                "packages": {"torch": "2.0", "unsloth": None}},
    "losses": {"losses": [{"step": 1, "loss": 2.0}, {"step": 2, "loss": 1.0}], "precision": "bfloat16 weights"},
    "answers": {"verdict": "equal", "differ": 0, "questions": 64, "batch": 256},
    "train": {"tokens_per_s": 5e4, "precision": "bfloat16 weights", "flop_per_s": 2e13, "products_in": "float32",
              "product_flop_per_s": {"bfloat16": 8e14, "float32": 4e13}, "peak_memory_gb": 7.0, "rank": 32,
              "steps_measured": 24},
    "ask": {"generated_tokens_per_s": 9e3, "generated_tokens_per_s_by_transformers": 1e3, "batch": 256,
            "asked_in": "float32"},
}  # fmt: skip


class Pretended:
    """Does no job: gives what is planted, after `changes`, and remembers what was asked for."""

    def __init__(self, **changes: Any) -> None:
        self.planted, self.done = {**PLANTED, **changes}, list[tuple[Any, ...]]()

    def __call__(self, job: str, asked: Asked, arguments: dict[str, Any], log: Path, seconds: float) -> dict[str, Any]:
        self.done.append((job, *([arguments["by"]] if "by" in arguments else [])))
        found = self.planted[job]
        if isinstance(found, Exception):
            raise found
        return dict(found)


def result(out: Path, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((out / f"{name}.json").read_text(encoding="utf-8"))
    return found


def curve(*losses: float, precision: str = "float32 weights") -> dict[str, Any]:
    return {"losses": [{"step": i, "loss": loss} for i, loss in enumerate(losses, 1)], "precision": precision}


# --------------------------------------------------------------------------------------------- the jobs themselves
def test_on_a_cpu_all_but_unsloth_runs_and_says_that_it_is_no_card(
    micro_model: str,
    tmp_path: Path,
    run_store: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.delenv("UNSLOTH_FORCE_CPU", raising=False)
    out, command = tmp_path / "out", ["--model", micro_model, "--steps", "3", "--questions", "2"]
    done: list[str] = []

    def here(job: str, asked: Asked, arguments: dict[str, Any], *_: Any) -> dict[str, Any]:
        done.append(job)
        return JOBS[job](asked, **arguments)

    assert main(["--out", str(out), *command], here) == 0
    said = capsys.readouterr().out
    assert "Not a card" in said
    assert "Missing: everything of Unsloth: no CUDA" in said
    assert "PRESET=llm BUDGET_MIN=9" in said
    losses = [row["loss"] for row in result(out, "losses_peft")["losses"]]
    assert len(losses) == 3
    assert all(loss > 0 for loss in losses)
    assert not (out / "losses.json").exists(), "there is nothing to compare with"
    found = result(out, "answers")
    assert (found["questions"], found["batch"], found["verdict"]) == (2, 8, "equal")
    rows = result(out, "throughput")
    assert list(rows) == ["peft", "trl"]
    for row in rows.values():
        assert row["machine"]["card"] == NOT_A_CARD
        assert row["steps_measured"] == 2
        assert row["flop_per_s"] == pytest.approx(row["flop_per_token"] * row["tokens_per_s"])
        assert row["generated_tokens"] >= 16, "a token at least of each of the questions"
        assert min(row["tokens_per_s"], *row["product_flop_per_s"].values(), row["generated_tokens_per_s"]) > 0
    assert (out / "throughput.md").read_text(encoding="utf-8").startswith(NOT_A_CARD)

    done.clear()
    assert main(["--out", str(out), *command], here) == 0
    assert done == ["machine"], "nothing is done twice"
    assert main(["--out", str(out), *command[:-1], "3"], here) == 1
    assert "valid: another folder" in capsys.readouterr().err


def test_of_trls_defaults_tokens_are_counted_and_not_padding(micro_model: str) -> None:
    asked = Asked(micro_model, steps=2)
    e = gpu_jobs._experiment(asked)
    when = {"checkpoints": (), "on_checkpoint": lambda step, model: None}
    tokens, words, products = gpu_jobs._train_as_trl_does(asked, e, 0, when)
    documents = list(itertools.islice(curriculum(e)[0].documents(), 2 * 8))
    assert tokens == sum(len(ids) for ids, _ in sft.encode(documents, loading.load_tokenizer(micro_model)))
    assert (words, products) == ("float32 weights", "float32")


# ------------------------------------------------------------------------------------------------ what is made of them
@pytest.mark.parametrize(
    ("ours", "theirs", "verdict"),
    [
        (curve(2.0, 1.0), curve(2.0, 1.0005), "agree"),
        (curve(2.0, 1.0), curve(2.0, 1.002), "differ"),
        (curve(2.0, 1.0, precision="bfloat16 weights"), curve(2.0, 1.01, precision="bfloat16 weights"), "agree"),
        (curve(2.0, 1.0, precision="bfloat16 weights"), curve(2.0, 1.03, precision="bfloat16 weights"), "differ"),
        (curve(2.0, math.nan), curve(2.0, 1.0), "differ"),
        (curve(2.0, 1.0), curve(2.0), "differ"),
    ],
)
def test_losses_agree_within_what_was_stated(ours: dict[str, Any], theirs: dict[str, Any], verdict: str) -> None:
    found = compare({"unsloth": ours, "peft": theirs})
    assert found["verdict"] == verdict
    assert verdict == "agree" or found["at_step"] == 2


def test_losses_come_first_and_the_shares_are_of_the_measured_rates(tmp_path: Path) -> None:
    bench = Pretended()
    assert main(["--out", str(tmp_path)], bench) == 0
    assert bench.done == [
        ("machine",),
        *(("losses", by) for by in ("unsloth", "peft", "peft_float32")),
        ("answers",),
        *itertools.chain.from_iterable((("train", by), ("ask",)) for by in ("unsloth", "peft", "trl")),
    ]
    found = result(tmp_path, "losses")
    assert (found["verdict"], found["largest_relative_difference_by_rounding"]) == ("agree", 0)
    table = (tmp_path / "throughput.md").read_text(encoding="utf-8")
    assert table.startswith("A card, driver 1.2, CUDA 13; Python 3.11, torch 2.0\n")
    assert "| 2.50% of 800 TFLOP/s | 50.00% of 40 TFLOP/s | 7.0 GB | 9,000 | 1,000 | float32, 256 at once |" in table


def test_what_fails_is_named_and_the_rest_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--out", str(tmp_path)], Pretended(answers=PieceError("it burst"))) == 1
    said = capsys.readouterr().out
    assert "answers: failed: it burst" in said
    assert "Wrong: answers failed" in said
    assert not (tmp_path / "answers.json").exists()
    assert list(result(tmp_path, "throughput")) == ["unsloth", "peft", "trl"]
    again = Pretended(answers={**PLANTED["answers"], "verdict": "differ", "differ": 3})
    assert main(["--out", str(tmp_path)], again) == 1
    assert again.done == [("machine",), ("answers",)], "what failed is done again"
    assert "answers: differ: 3 of 64" in capsys.readouterr().out


def test_out_of_time_it_stops_and_the_same_command_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--out", str(tmp_path)], Pretended(answers=OutOfTimeError())) == gpu_bench.COME_BACK
    assert result(tmp_path, "losses")["verdict"] == "agree", "the first is there"
    assert "the same command goes on" in capsys.readouterr().out
    nothing = Pretended()
    assert main(["--out", str(tmp_path), "--budget-min", "0.1"], nothing) == gpu_bench.COME_BACK
    assert nothing.done == [("machine",)], "nothing is begun that could not end"
    rest = Pretended()
    assert main(["--out", str(tmp_path), "--budget-min", "9"], rest) == 0
    assert rest.done[:3] == [("machine",), ("answers",), ("train", "unsloth")]


def test_a_process_that_fails_or_takes_too_long_is_told_apart(tmp_path: Path) -> None:
    with pytest.raises(PieceError, match=r"KeyError: 'nothing' \(all of it: .*a\.log\)"):
        in_process("nothing", Asked(), {}, tmp_path / "a.log", 60)
    with pytest.raises(OutOfTimeError):
        in_process("machine", Asked(), {}, tmp_path / "b.log", 0.01)


@pytest.mark.parametrize(
    ("given", "words"),
    [([], "wants a card, and there is none; valid here: --model tiny-s"), (["--steps", "1"], "valid: 2 or more")],
)
def test_what_cannot_be_asked_for_is_refused(
    given: list[str], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["--out", str(tmp_path), *given], Pretended(machine=PLANTED["machine"] | {"card": NOT_A_CARD}))
    assert words in capsys.readouterr().err


@pytest.mark.slow
def test_what_comes_back_has_no_weights_and_no_stage_that_something_missing_starts_from(
    tmp_path: Path, run_store: Path
) -> None:
    tasks = run.plan(experiment for figure in figures_of("llm") for experiment in study(figure, "llm", 3)).tasks
    for task in tasks:
        (task.folder / "step-000001").mkdir(parents=True)
        for name in ("manifest.json", "training_log.csv", "step-000001/model.safetensors"):
            (task.folder / name).write_text("{}")
    asked = next(task for task in tasks if task.needs and isinstance(task, EvaluationTask))
    (asked.folder / "manifest.json").unlink()
    gone = {need.folder for need in asked.needs}
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    archive = tmp_path / "done.tar.gz"
    done = subprocess.run([GPU_SH, "pack", archive], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    with tarfile.open(archive) as opened:
        names = {name for name in opened.getnames() if name.startswith("runs/")}
    assert {Path(name).name for name in names} == {"manifest.json", "training_log.csv"}
    kept = {f"runs/{task.folder.relative_to(run_store)}/manifest.json" for task in tasks if task.folder not in gone}
    assert {name for name in names if name.endswith("manifest.json")} == kept - {
        f"runs/{asked.folder.relative_to(run_store)}/manifest.json"
    }


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("unsloth") is None, reason="Unsloth is not installed: `make unsloth`")
def test_unsloths_own_cpu_backend_is_measured_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """That it learns what PEFT does is in tests/test_backends.py."""
    monkeypatch.setenv("UNSLOTH_FORCE_CPU", "1")
    weights = {"weights": str(tmp_path / "weights")}
    found = in_process("train", Asked("tiny-s", steps=3), {"by": "unsloth", **weights}, tmp_path / "log", 550)
    assert found["steps_measured"] == 2
    assert found["tokens_per_s"] > 0
    assert (tmp_path / "weights" / "model.safetensors").exists()
