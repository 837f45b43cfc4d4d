"""What this machine can train and ask with: a card, its memory and formats, Unsloth. Loads torch when asked."""

from __future__ import annotations

import importlib.util
import os
from dataclasses import dataclass
from functools import lru_cache

from pbb.model_size import Shape

# Up to so many parameters a model is asked in float32 on any card: it costs little, and greedy answers then hardly
# depend on the batch that they are in.
ASKED_IN_FLOAT32 = 1e9


@dataclass(frozen=True)
class Machine:
    """A machine: `card` is "" without CUDA, `memory` is the card's in bytes, `without` is what Unsloth lacks here."""

    card: str = ""
    capability: tuple[int, int] = (0, 0)
    memory: int = 0
    cores: int = 1
    without: str = "no CUDA"
    four_bits: bool = False  # whether bitsandbytes is installed

    @property
    def half(self) -> str:
        """The card's 16-bit format: bfloat16 from compute capability 8.0, float16 before."""
        return "bfloat16" if self.capability >= (8, 0) else "float16"


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
        return Machine(cores=cores, without="" if forced else "no CUDA", four_bits=four_bits)
    found = torch.cuda.get_device_properties(0)
    return Machine(found.name, (found.major, found.minor), found.total_memory, cores, without, four_bits)


def asking_weights(shape: Shape | None, machine: Machine) -> str:
    """Return the format in which a model's weights are kept while it is asked."""
    small = shape is not None and shape.parameters <= ASKED_IN_FLOAT32
    return "float32" if small or not machine.card else machine.half
