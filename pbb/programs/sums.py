"""Sums: `x` plus one number. The least that there is to run, so that an answer in one pass may be found at all.

Single operations of Random Arithmetic on small numbers are too few to be split between base models and experiments;
numbers of up to three digits make a thousand of them. The number is all there is to know of a program, and the first
digits of an answer mostly repeat its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

from pbb.programs import arithmetic
from pbb.programs.arithmetic import ArithmeticSettings
from pbb.programs.program import Program


@dataclass(frozen=True)
class SumSettings:
    """The knob of a sum. Raises ValueError for a value that is not valid."""

    largest: int = 999  # number that is added: about half as many programs are left to experiments

    def __post_init__(self) -> None:
        if self.largest not in range(10, 1000):
            raise ValueError(f"largest={self.largest!r} is not valid; valid: 10 to 999")


def generate(
    settings: SumSettings,
    count: int,
    *key: object,
    pool: str = "experiment",
    without: frozenset[str] = frozenset(),
    inputs: Sequence[str] | None = None,
) -> list[Program]:
    """Return `count` sums, as `pbb.programs.arithmetic.generate` does; inputs are 0 to 9.

    Raises:
        ValueError: the settings do not allow for so many different programs, or an input does not suit them.
    """
    single = ArithmeticSettings(operations=1, operators=("+",), wrap=None, largest=settings.largest)
    try:
        drawn = arithmetic.generate(single, count, *key, pool=pool, without=without, inputs=inputs)
    except ValueError as error:
        raise ValueError(str(error).replace(str(single), str(settings))) from None
    made_by = {"settings": asdict(settings), "key": list(key), "pool": pool}
    return [replace(program, domain="sums", made_by=made_by) for program in drawn]
