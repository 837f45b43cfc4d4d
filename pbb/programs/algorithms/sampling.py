"""How the families draw their arguments: small numbers, short lists and words, so that 12 inputs are different."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

Choice = Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Inputs:
    """How inputs of a family are drawn.

    Attributes:
        sample: draws one tuple of arguments for a choice of parameters.
        edges: tuples of arguments that are always among the inputs: zero, one element, ties, nothing.
    """

    sample: Callable[[random.Random, Choice], tuple[Any, ...]]
    edges: tuple[tuple[Any, ...], ...] = ()

    def with_edges(self, *edges: Any) -> Inputs:
        """Return the same with `edges`: a tuple of all arguments each, or the argument where there is only one."""
        return replace(self, edges=tuple(edge if isinstance(edge, tuple) else (edge,) for edge in edges))


def together(*parts: Inputs) -> Inputs:
    """Draw the arguments of all `parts`, one after the other."""
    return Inputs(lambda rng, choice: tuple(value for part in parts for value in part.sample(rng, choice)))


def numbers(low: int, high: int) -> Inputs:
    """Draw one whole number from `low` to `high`."""
    return Inputs(lambda rng, choice: (rng.randint(low, high),))


def number_lists(low: int = 0, high: int = 9, shortest: int = 2, longest: int = 5) -> Inputs:
    """Draw one list of whole numbers from `low` to `high`."""
    return Inputs(lambda rng, choice: ([rng.randint(low, high) for _ in range(rng.randint(shortest, longest))],))


def ordered_lists(low: int = 0, high: int = 9, shortest: int = 2, longest: int = 5) -> Inputs:
    """Draw one list of whole numbers in rising order; numbers may repeat."""
    lists = number_lists(low, high, shortest, longest)
    return Inputs(lambda rng, choice: (sorted(*lists.sample(rng, choice)),))


def words(letters: str = "abcde", shortest: int = 2, longest: int = 6) -> Inputs:
    """Draw one word over `letters`; fewer letters make repeats likely."""
    return Inputs(lambda rng, choice: ("".join(rng.choices(letters, k=rng.randint(shortest, longest))),))


def word_lists(letters: str = "abcde") -> Inputs:
    """Draw one list of 2 or 3 words of 1 to 3 letters."""

    def sample(rng: random.Random, choice: Choice) -> tuple[list[str]]:
        lengths = [rng.randint(1, 3) for _ in range(rng.randint(2, 3))]
        return (["".join(rng.choices(letters, k=length)) for length in lengths],)

    return Inputs(sample)


def interval_lists(high: int = 9, longest: int = 3) -> Inputs:
    """Draw one list of 1 to `longest` intervals [start, end] with 0 <= start < end <= `high`."""
    return Inputs(lambda rng, _: ([sorted(rng.sample(range(high + 1), 2)) for _ in range(rng.randint(1, longest))],))


def grids(rows: int = 2, columns: int = 2) -> Inputs:
    """Draw one table: 1 to `rows` rows, each of the same 1 to `columns` digits."""

    def sample(rng: random.Random, choice: Choice) -> tuple[list[list[int]]]:
        width = rng.randint(1, columns)
        return ([[rng.randint(0, 9) for _ in range(width)] for _ in range(rng.randint(1, rows))],)

    return Inputs(sample)
