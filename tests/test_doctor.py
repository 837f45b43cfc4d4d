"""The doctor, on pretended machines: what it finds, which presets fit and why others do not, in lines one can read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pbb import cli
from pbb.experiments.experiment import PRESETS, Experiment
from pbb.experiments.studies import study
from pbb.models import smollm2
from pbb.models.machine import CARDS, Machine
from pbb.registry import SMOLLM2, TINY_NAMES, hub_models
from pbb.runs import doctor, run
from pbb.runs.doctor import Facts, Fit, fits, report
from pbb.runs.tasks import StageTask

LLAMA = "meta-llama/Llama-3.1-8B-Instruct"
BARE = "Unsloth is not installed (`make unsloth`)"


def facts(machine: Machine, disk: float = 2e12, token: bool = True, wanted: str = "", **changes: Any) -> Facts:
    """A machine on which everything is ready, but for `wanted` of each model that is not a tiny one."""
    models = [(name, "") for name in TINY_NAMES] + [(name, wanted) for name in (SMOLLM2, *hub_models())]
    disks = (("run store", Path("/runs"), disk), ("pbb's cache", Path("/cache"), disk))
    return Facts(machine, 16e9, 12e9, disks, tuple(models), torch="2.13.0", token=token, **changes)


LAPTOP = facts(Machine(cores=2), wanted=smollm2.FIRST_USE)
H100 = facts(CARDS["h100"])
T4 = facts(CARDS["t4"])


def reasons(preset: str, found: Facts) -> str:
    return "; ".join(fits(preset, found).reasons)


def test_without_a_card_the_small_presets_fit() -> None:
    assert not reasons("smoke", LAPTOP)
    assert not reasons("cpu", LAPTOP)
    assert not reasons("llm", LAPTOP)
    assert reasons("paper", LAPTOP).startswith("no CUDA; it is meant for a card such as the NVIDIA H100")
    assert fits("cpu", LAPTOP).card_bytes == 0
    assert 1800 < fits("cpu", LAPTOP).seconds < 4 * 3600
    assert fits("llm", LAPTOP).seconds > 3600


def test_with_a_large_card_everything_fits() -> None:
    assert {preset: reasons(preset, H100) for preset in PRESETS} == dict.fromkeys(PRESETS, "")
    llm, paper = fits("llm", H100), fits("paper", H100)
    assert 600 < llm.seconds < paper.seconds
    assert llm.card_bytes < 16e9 < paper.card_bytes < CARDS["h100"].memory
    assert llm.disk < 64e9 < paper.disk


def test_a_small_card() -> None:
    assert not reasons("llm", T4)
    assert "a run wants about " in reasons("paper", T4)
    assert "of the card's memory, which has 16 GB" in reasons("paper", T4)
    bare = facts(replace(CARDS["t4"], without=BARE, four_bits=False))
    assert not reasons("llm", bare), "PEFT trains"


@pytest.mark.parametrize(
    ("preset", "found", "words"),
    [
        ("llm", facts(CARDS["h100"], disk=5e9), "of disk, and /runs has 5.0 GB"),
        ("smoke", facts(Machine(cores=2), disk=1e8), "it wants about 1.1 GB of disk"),
        ("cpu", replace(LAPTOP, memory=4e9), "it wants 8.0 GB of memory, and there are 4.0 GB"),
        ("paper", facts(CARDS["h100"], token=False, wanted="to download"), f"gated, and no token was found: {LLAMA}"),
        ("paper", facts(CARDS["h100"], wanted="to download", offline=True), f"the Hub is switched off: {LLAMA}"),
        ("llm", facts(CARDS["t4"], wanted="not installed: `make smollm2`"), "smollm2-135m: not installed: `make"),
    ],
)
def test_what_is_missing_is_said(preset: str, found: Facts, words: str) -> None:
    assert words in reasons(preset, found)


def test_what_can_be_fetched_is_no_obstacle() -> None:
    assert not reasons("paper", facts(CARDS["h100"], wanted="to download"))
    assert not reasons("llm", facts(CARDS["t4"], wanted=smollm2.FIRST_USE))
    assert not reasons("cpu", replace(LAPTOP, memory=0.0)), "memory is not known on every system"
    assert not reasons("cpu", replace(LAPTOP, memory=7.7e9)), "8 GB, less what the system keeps"


@pytest.mark.parametrize(
    "found",
    [
        LAPTOP,
        H100,
        T4,
        facts(CARDS["t4"], disk=0, token=False, wanted="about 2.5 GB to download; gated", offline=True),
        facts(replace(CARDS["l4"], without=BARE, four_bits=False, cards=4)),
        facts(Machine(cores=4), seen="GPU: Tesla T4, 15360 MiB"),
    ],
)
def test_the_report_can_be_read(found: Facts) -> None:
    lines = report(found).splitlines()
    assert max(map(len, lines)) <= 100
    assert [line for line in lines if line and not line.startswith(" ")][:4] == ["Machine", "Disk", "Models", "Presets"]
    told = lines[lines.index("Presets") :]
    for preset in PRESETS:
        (line,) = (line for line in told if line.startswith(f"  {preset} "))
        assert ("does not fit" in line) == bool(fits(preset, found).reasons)
        assert "; about " in line
    starts = {
        len(line) - len(line[2:].partition("  ")[2].lstrip()) for line in told if line[:3].strip() and line[0] == " "
    }
    assert len(starts) == 1, "aligned"


def test_the_report_says_what_to_do() -> None:
    def words(found: Facts) -> str:
        return " ".join(report(found).split())

    said = words(facts(Machine(cores=4), seen="GPU: Tesla T4, 15360 MiB"))
    assert "none that torch finds; GPU: Tesla T4, 15360 MiB, which torch 2.13.0 cannot use: `make" in said
    assert "TORCH_INDEX=" in said
    said = words(facts(replace(CARDS["l4"], without=BARE, four_bits=False, cards=4)))
    assert "NVIDIA L4, 4 of them, the smallest with 24 GB, compute capability 8.9" in said
    assert "bfloat16 (compute capability 8.9 has it)" in said
    assert f"Unsloth {BARE}; else PEFT trains" in said
    assert "bitsandbytes not installed: `make unsloth`" in said
    assert "not measured on the NVIDIA L4" in said
    assert "float16 (compute capability 7.5 has no bfloat16)" in words(T4)
    assert "PRESET=auto is llm here" in words(T4)
    assert "PRESET=auto is cpu here" in words(LAPTOP)


def test_the_command_looks_at_this_machine_and_succeeds(
    run_store: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "fits", lambda preset, found: Fit(preset, ("nothing fits",), 60.0, 0.0, 1e9))
    assert cli.main(["doctor"]) == 0
    out = capsys.readouterr().out
    assert str(run_store) in out
    assert out.count("- nothing fits") == len(PRESETS)
    assert all(name in out for name in (*TINY_NAMES, SMOLLM2, *hub_models()))
    assert not run_store.exists(), "it changes nothing"


def test_it_counts_what_a_plan_counts(run_store: Path) -> None:
    few = {
        "with_io_programs": 6,
        "without_io_programs": 3,
        "stage_1_general": 0.0,
        "exposure_general": 0.0,
        "execution_general": 0.0,
        "stage_2_general": 0.0,
    }
    figures = ("F02", "F04", "F05", "F06", "F07", "F08", "F13")
    experiments = [e.changed(**few) for figure in figures for e in study(figure, "llm")]
    experiments += [Experiment.of("cpu", arm=arm, seed=1, **few) for arm in ("distillation", "pbb_and_distillation")]
    planned, counted = run.plan(experiments).tasks, list(doctor.distinct(experiments))
    assert len(counted) == len(planned)
    stages = [sum(isinstance(task, StageTask) for task in tasks) for tasks in (counted, planned)]
    assert stages[0] == stages[1]
