"""What this machine can train and ask with: a card, its memory and formats, Unsloth. Loads torch when asked."""

from __future__ import annotations

import importlib.util
import math
import os
import time
from dataclasses import dataclass
from functools import lru_cache

from pbb.models.model_size import Shape

# Up to so many parameters a model is asked in float32 on any card: it costs little, and greedy answers then hardly
# depend on the batch that they are in.
ASKED_IN_FLOAT32 = 1e9
TINY = 2e7  # parameters, up to which a CPU is not bound by products


@dataclass(frozen=True)
class Machine:
    """A machine: `card` is "" without CUDA, `memory` is the card's in bytes, `without` is what Unsloth lacks here.

    Of several cards, `card` is the first and `memory` that of the smallest; CUDA_VISIBLE_DEVICES leaves some out.
    """

    card: str = ""
    capability: tuple[int, int] = (0, 0)
    memory: int = 0
    cores: int = 1
    without: str = "no CUDA"
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


@dataclass(frozen=True)
class Rates:
    """What a kind of card can do at best, by its datasheet: products in 16 bits (dense) and in float32, and memory."""

    half: float  # FLOP/s
    full: float  # FLOP/s, without TF32
    memory: float  # bytes/s


# Cards that a plan can be made for without having one: as they come, with Unsloth and bitsandbytes installed.
CARDS = {
    "h100": Machine("NVIDIA H100 80GB HBM3", (9, 0), 85_500_000_000, 16, "", True),
    "a100": Machine("NVIDIA A100-SXM4-80GB", (8, 0), 85_100_000_000, 12, "", True),
    "l4": Machine("NVIDIA L4", (8, 9), 23_700_000_000, 8, "", True),
    "t4": Machine("Tesla T4", (7, 5), 15_800_000_000, 2, "", True),
}
_RATES = {
    "H200": Rates(989e12, 67e12, 4.8e12),
    "H100": Rates(989e12, 67e12, 3.35e12),
    "A100": Rates(312e12, 19.5e12, 2.04e12),
    "L4": Rates(121e12, 30e12, 0.3e12),
    "T4": Rates(65e12, 8.1e12, 0.32e12),
}
SLOW = "L4"  # whose rates are assumed of a card that is not listed
CARD_OF = {"paper": "h100"}  # of presets that want a card


def rates(machine: Machine) -> tuple[str, Rates]:
    """Return the listed kind of card that `machine` has, or is taken for, and what it can do."""
    words = machine.card.replace("-", " ").split()
    kind = next((kind for kind in _RATES if kind in words), SLOW)
    return kind, _RATES[kind]


@lru_cache
def this_machine() -> Machine:
    """Return what is here. Loads torch, and nothing of Unsloth."""
    import torch

    installed = all(importlib.util.find_spec(name) for name in ("unsloth", "unsloth_zoo"))
    without = "" if installed else "Unsloth is not installed (`make unsloth`)"
    four_bits = importlib.util.find_spec("bitsandbytes") is not None
    cores = os.cpu_count() or 1
    if not torch.cuda.is_available():
        forced = installed and os.environ.get("UNSLOTH_FORCE_CPU") == "1"  # Unsloth's own, slow CPU backend
        without = "" if forced else "no CUDA"
        return Machine(cores=cores, without=without, four_bits=four_bits, fast_bfloat16=_multiplies_fast_in_bfloat16())
    cards = [torch.cuda.get_device_properties(number) for number in range(torch.cuda.device_count())]
    first, memory = cards[0], min(card.total_memory for card in cards)
    return Machine(first.name, (first.major, first.minor), memory, cores, without, four_bits, len(cards))


def _multiplies_fast_in_bfloat16() -> bool:
    """Whether this CPU's products of a real model's shape take at most 0.8 times as long in bfloat16 as in float32.

    Measured (a fifth of a second), since having the instructions does not tell: a Xeon with AVX512-BF16 whose AMX is
    hidden by its hypervisor took 1.8 times as long, and other CPUs with the same instructions a quarter. Without any
    they are emulated, and slower still.
    """
    import torch

    if not (torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()):
        return False
    took: dict[torch.dtype, float] = {}
    for _ in range(6):  # in turn, so that other work on the machine hits both; the first of each warms up
        for dtype in (torch.float32, torch.bfloat16):
            rows, weights = torch.ones(1024, 576, dtype=dtype), torch.ones(1536, 576, dtype=dtype)
            started = time.perf_counter()
            torch.nn.functional.linear(rows, weights)
            took[dtype] = min(took.get(dtype, math.inf), time.perf_counter() - started)
    return took[torch.bfloat16] <= 0.8 * took[torch.float32]


@lru_cache
def core_flop_per_s() -> float:
    """Return how fast one core of this machine multiplies matrices of SmolLM2's shapes in float32.

    The best of some products within a third of a second, by the core's own time: what else runs counts little.
    """
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        rows, weights = torch.rand(1024, 576), torch.rand(1536, 576)
        best, until = float("inf"), time.perf_counter() + 0.3
        while time.perf_counter() < until or best == float("inf"):
            started = time.thread_time()
            torch.nn.functional.linear(rows, weights)
            best = min(best, time.thread_time() - started)
    finally:
        torch.set_num_threads(threads)
    return 2 * rows.shape[0] * weights.numel() / best


def asking_weights(shape: Shape | None, machine: Machine) -> str:
    """Return the format in which a model's weights are kept while it is asked: on a CPU that of its training."""
    most = ASKED_IN_FLOAT32 if machine.card else TINY
    small = shape is not None and shape.parameters <= most
    return "float32" if small else machine.half or "float32"
