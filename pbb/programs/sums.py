"""Sums: `x` plus one number. The least that there is to run, so that an answer in one pass may be found at all.

Single operations of Random Arithmetic on small numbers are base models' alone, since they are too few to be split;
numbers of three and four digits make enough of them. The number is all there is to know of a program, and the first
digits of an answer mostly repeat its own.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Annotated, Any

from pbb.programs import arithmetic
from pbb.programs.arithmetic import Arithmetic
from pbb.programs.program import Program
from pbb.programs.settings import Between, group


@group
class Sums:
    """Programs that add one number."""

    largest: Annotated[int, Between(999, 9989)] = 9989  # number that is added, the least that experiments add is 100


def generate(settings: Sums, count: int, *key: object, pool: str = "experiment", **options: Any) -> list[Program]:
    """Return `count` sums, as `pbb.programs.domains.generate` does; inputs are 0 to 9.

    Raises:
        ValueError: the settings do not allow for so many different programs, or an input does not suit them.
    """
    single = Arithmetic(operations=1, operators=("+",), wrap=None, largest=settings.largest)
    try:
        programs = arithmetic.generate(single, count, *key, pool=pool, **options)
    except ValueError as error:
        raise ValueError(str(error).replace(str(single), str(settings))) from None
    return [replace(p, domain="sums", made_by={**p.made_by, "settings": asdict(settings)}) for p in programs]
