"""The doctor, on pretended machines: which presets fit and why others do not, in lines one can read.

On this machine it is asked in tests/test_checklist.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from pbb import store
from pbb.experiments.presets import PRESETS
from pbb.models import gguf
from pbb.models.machine import Machine
from pbb.notebook import doctor
from pbb.notebook.doctor import Facts, fits, report
from pbb.registry import PACKAGED, SMOLLM2, TINY_NAMES, hub_models
from pbb.runs import plan

LLAMA = "meta-llama/Llama-3.1-8B-Instruct"
BARE = "Unsloth is not installed (`make unsloth`)"


def facts(machine: Machine, disk: float = 2e12, token: bool = True, wanted: str = "", **changes: Any) -> Facts:
    """A machine on which everything is ready, but for `wanted` of each model that is not a tiny one."""
    models = [(name, "") for name in TINY_NAMES] + [(name, wanted) for name in (SMOLLM2, *hub_models())]
    disks = (("run store", Path("/runs"), disk), ("pbb's cache", Path("/cache"), disk))
    return Facts(machine, 16e9, 12e9, disks, tuple(models), torch="2.13.0", token=token, **changes)


LAPTOP = facts(Machine(cores=2), wanted=gguf.first_use(PACKAGED[SMOLLM2]))
CARD = Machine("NVIDIA H100 80GB HBM3", (9, 0), 85_500_000_000, 16, "", True)
SMALL_CARD = Machine("Tesla T4", (7, 5), 15_800_000_000, 2, "", True)
FOUR_CARDS = Machine("NVIDIA L4", (8, 9), 23_700_000_000, 8, BARE, cards=4)
H100, T4 = facts(CARD), facts(SMALL_CARD)


@pytest.fixture(scope="module", autouse=True)
def places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """One empty run store for all, and a machine whose speed need not be measured."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PBB_RUNS", str(tmp_path_factory.mktemp("nothing done") / "runs"))
        patch.setattr(plan, "training_rate", lambda tiny: 2e10)
        planned = cache(plan.plan)  # of a preset, whatever the machine
        patch.setattr(doctor, "plan", lambda experiments: planned(tuple(experiments)))
        yield


def reasons(preset: str, found: Facts) -> str:
    return "; ".join(fits(preset, found).reasons)


@pytest.mark.parametrize(
    ("preset", "found", "words"),
    [
        ("smoke", LAPTOP, None),
        ("cpu", LAPTOP, None),
        ("cpu", replace(LAPTOP, memory=7.7e9), None),  # 8 GB, less what the system keeps
        ("paper", LAPTOP, "wants 61 GB of memory for its weights alone, and there are 16 GB"),
        ("cpu", T4, None),
        ("paper", T4, "wants 31 GB of GPU memory for its weights alone, and the Tesla T4 has 16 GB"),
        *((preset, H100, None) for preset in PRESETS),
        ("paper", facts(CARD, wanted="to download"), None),  # what can be fetched is no obstacle
        ("cpu", facts(CARD, disk=1e8), r"it wants about .* of disk, and /runs has 0.1 GB"),
        ("smoke", facts(Machine(cores=2), disk=1e8), r"it wants about 1\.\d GB of disk"),
        ("cpu", replace(LAPTOP, memory=4e9), "it wants 8.0 GB of memory, and there are 4.0 GB"),
        ("paper", facts(CARD, token=False, wanted="to download"), f"gated, and no token was found: .*{LLAMA}"),
        ("paper", facts(CARD, wanted="to download", offline=True), f"the Hub is switched off: .*{LLAMA}"),
    ],
)
def test_what_fits_and_what_is_missing(preset: str, found: Facts, words: str | None) -> None:
    assert re.search(words, reasons(preset, found)) if words else not reasons(preset, found)


def test_estimates_and_what_was_measured_here_in_their_place(monkeypatch: pytest.MonkeyPatch) -> None:
    assert 1800 < fits("cpu", LAPTOP).seconds < 8 * 3600
    assert fits("cpu", H100).seconds < fits("paper", H100).seconds
    assert fits("cpu", H100).disk < fits("paper", H100).disk
    slow = fits("smoke", LAPTOP).seconds
    measured = dict.fromkeys(TINY_NAMES, 1e9)
    monkeypatch.setattr(doctor, "measured_rates", lambda device: measured if device == "cpu" else {})
    assert fits("smoke", LAPTOP).seconds < slow / 100


@pytest.mark.parametrize(
    "found",
    [
        LAPTOP,
        H100,
        T4,
        facts(SMALL_CARD, disk=0, token=False, wanted="about 2.5 GB to download; gated", offline=True),
        facts(FOUR_CARDS),
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
    named = [line for line in told if re.match("  [^ ]", line)]
    assert len({re.match(r"  \S+ +", line).end() for line in named}) == 1, "aligned"  # type: ignore[union-attr]


def minutes(target: str) -> str:
    """What `make` says of a target's time: the one place where it is written."""
    row = re.search(rf"^{target}: .* \| .* \| (.*) \|", (store.root() / "Makefile").read_text(), re.MULTILINE)
    assert row is not None
    return row[1]


def test_the_readme_says_the_same_times_as_make() -> None:
    said = re.findall(r"^make (\w+) +# .*: (\d+ min)", (store.root() / "README.md").read_text(), re.MULTILINE)
    assert dict(said) == {target: minutes(target) for target in ("reproduce", "test")}


def test_the_report_says_what_to_do() -> None:
    def words(found: Facts) -> str:
        return " ".join(report(found).split())

    said = words(facts(Machine(cores=4), seen="GPU: Tesla T4, 15360 MiB"))
    assert "none that torch finds; GPU: Tesla T4, 15360 MiB, which torch 2.13.0 cannot use: `make" in said
    said = words(facts(FOUR_CARDS))
    for told in (
        "NVIDIA L4, 4 of them, the smallest with 24 GB, compute capability 8.9",
        "bfloat16 (compute capability 8.9 has it)",
        f"Unsloth {BARE}; else PEFT trains",
        "bitsandbytes not installed: `make unsloth`",
        f"`make reproduce PRESET=cpu` took {minutes('reproduce')} on 2 cores, 8 GB.",
    ):
        assert told in said
    assert "float16 (compute capability 7.5 has no bfloat16)" in words(T4)
    assert "PRESET=auto is llm here" in words(T4)
    assert "PRESET=auto is cpu here" in words(LAPTOP)
