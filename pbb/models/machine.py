"""What this machine can train and ask with: a card, its memory and formats, cores, Unsloth. Loads torch when asked."""

from __future__ import annotations

import importlib.util
import math
import os
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from pbb.models.model_size import Shape

# Up to so many parameters a model is asked in float32 on any card: it costs little, and greedy answers then hardly
# depend on the batch that they are in.
ASKED_IN_FLOAT32 = 1e9
TINY = 2e7  # parameters, up to which a CPU is not bound by products
_CGROUPS = Path("/sys/fs/cgroup")


@dataclass(frozen=True)
class Machine:
    """What there is to compute with."""

    card: str = ""  # the first of those in CUDA_VISIBLE_DEVICES; "" without CUDA
    capability: tuple[int, int] = (0, 0)
    memory: int = 0  # bytes, of the smallest card
    cores: int = 1
    without: str = "no CUDA"  # what Unsloth lacks here
    four_bits: bool = False  # whether bitsandbytes is installed
    cards: int = 1  # how many, if there is one
    fast_bfloat16: bool = False  # without a card: whether the CPU multiplies faster in bfloat16 than in float32

    @property
    def half(self) -> str:
        """The 16-bit format to compute in; "" for none.

        A card's is bfloat16 from compute capability 8.0 and float16 before, a CPU's is bfloat16 where that is fast.
        """
        if not self.card:
            return "bfloat16" if self.fast_bfloat16 else ""
        return "bfloat16" if self.capability >= (8, 0) else "float16"


@lru_cache
def this_machine() -> Machine:
    """Return what is here. Loads torch, and nothing of Unsloth."""
    import torch

    installed = all(importlib.util.find_spec(name) for name in ("unsloth", "unsloth_zoo"))
    four_bits = importlib.util.find_spec("bitsandbytes") is not None
    if not torch.cuda.is_available():
        forced = installed and os.environ.get("UNSLOTH_FORCE_CPU") == "1"  # Unsloth's own, slow CPU backend
        fast = _multiplies_fast_in_bfloat16()
        return Machine(cores=cores(), without="" if forced else "no CUDA", four_bits=four_bits, fast_bfloat16=fast)
    without = "" if installed else "Unsloth is not installed (`make unsloth`)"
    cards = [torch.cuda.get_device_properties(number) for number in range(torch.cuda.device_count())]
    first, memory = cards[0], min(card.total_memory for card in cards)
    return Machine(first.name, (first.major, first.minor), memory, cores(), without, four_bits, len(cards))


def cores(groups: Path = _CGROUPS, of: Path = Path("/proc/self/cgroup")) -> int:
    """Return how many cores this process may keep busy: those it may run on, or its control group's quota rounded up.

    Control groups of version 1 or 2 are mounted at `groups`; each line of the file `of` names this process's group in
    one hierarchy, as ``number:controllers:path``.
    """
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with suppress(OSError, ValueError):
        for line in of.read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if controllers and "cpu" not in controllers.split(","):
                continue
            top = groups / controllers
            here = top / path.lstrip("/")
            # A limit of any group above holds too. In a container the path may be the host's, where nothing is here.
            for folder in {top, *(group for group in (here, *here.parents) if group.is_relative_to(top))}:
                allowed = min(allowed, _quota(folder))
    return max(1, allowed)


def _quota(group: Path) -> int:
    """Return a control group's quota in cores; a very large number where there is none."""
    with suppress(OSError, ValueError):
        if (group / "cpu.max").exists():
            quota, period = (group / "cpu.max").read_text().split()
        else:
            quota, period = ((group / f"cpu.cfs_{name}_us").read_text() for name in ("quota", "period"))
        if int(quota) > 0:  # not "max", which is no number
            return math.ceil(int(quota) / int(period))
    return 1 << 30


@lru_cache
def training_rate(tiny: bool) -> float:
    """Return FLOP a second that training reaches here, at 6 a parameter and token, on one core or on one card.

    Timed for a few seconds with steps of a small transformer, so that plans have times before anything was trained.
    On a CPU its layers are those of SmolLM2, in the numbers of a real model, or with `tiny` those of tiny-m.
    """
    import torch
    from torch import nn
    from torch.utils.benchmark import Timer

    card = torch.cuda.is_available()
    width, layers, rows, length = (1024, 4, 16, 256) if card else (128, 4, 16, 128) if tiny else (576, 2, 4, 256)
    device = torch.device("cuda" if card else "cpu")
    half = "" if tiny and not card else this_machine().half
    with torch.random.fork_rng():
        block = nn.TransformerEncoderLayer(width, 4, 3 * width, 0.0, batch_first=True)
        model = nn.TransformerEncoder(block, layers, enable_nested_tensor=False).to(device)
        inputs = torch.randn(rows, length, width, device=device)
    optimizer = torch.optim.AdamW(model.parameters())

    def step() -> None:
        with torch.autocast(device.type, getattr(torch, half or "bfloat16"), enabled=bool(half)):
            loss = model(inputs).square().mean()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()

    # What else a CPU does is not to enter; one thread, as in a worker.
    clock = {} if card else {"timer": time.process_time}
    seconds = Timer("step()", globals={"step": step}, **clock).blocked_autorange(min_run_time=1).median
    parameters = sum(weights.numel() for weights in model.parameters())
    return float(6 * parameters * rows * length / seconds)


def _multiplies_fast_in_bfloat16() -> bool:
    """Whether this CPU's products of a real model's shape take at most 0.8 times as long in bfloat16 as in float32.

    Measured (a fifth of a second), since having the instructions does not tell: a Xeon with AVX512-BF16 whose AMX is
    hidden by its hypervisor took 1.8 times as long, and other CPUs with the same instructions a quarter. Without any
    they are emulated, and slower still.
    """
    import torch

    if not (torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()):
        return False
    from torch.utils.benchmark import Timer

    took = []
    for dtype in (torch.float32, torch.bfloat16):
        given = {"rows": torch.ones(1024, 576, dtype=dtype), "weights": torch.ones(1536, 576, dtype=dtype)}
        # By this thread's own time, whatever else runs here.
        timer = Timer("torch.nn.functional.linear(rows, weights)", globals=given, timer=time.thread_time)
        took.append(timer.blocked_autorange(min_run_time=0.1).median)
    return bool(took[1] <= 0.8 * took[0])


@lru_cache
def compiles() -> bool:
    """Whether torch can compile a model for this CPU. It takes a C++ compiler and Python's headers; tried once."""
    import torch
    import torch._dynamo

    if torch._dynamo.config.disable or os.environ.get("TORCHDYNAMO_DISABLE") == "1":
        return False
    try:
        torch.compile(lambda numbers: numbers.sin() + 1)(torch.ones(64))
    except RuntimeError:  # of its compiler, or of its own
        return False
    return True


def compile_in_place(model: Any) -> bool:
    """Compile a model's layers where torch can, so that adapters added later are in them; return whether it was done.

    The first step that it trains then takes a minute or two.
    """
    if not compiles():
        return False
    import torch._dynamo

    torch._dynamo.reset()  # what this process trained before is not to matter
    model.base_model.compile(dynamic=False)
    return True


def asking_weights(shape: Shape | None, machine: Machine) -> str:
    """Return the format in which a model's weights are kept while it is asked: on a CPU that of its training."""
    most = ASKED_IN_FLOAT32 if machine.card else TINY
    small = shape is not None and shape.parameters <= most
    return "float32" if small else machine.half or "float32"
