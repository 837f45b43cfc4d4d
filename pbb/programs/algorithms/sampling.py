"""Samplers of arguments for the families over lists and strings, beside those of `family`."""

from __future__ import annotations

import random

from pbb.programs.algorithms.family import Choice, Sampler


def together(*samplers: Sampler) -> Sampler:
    """Return a sampler of the arguments of all `samplers`, one after the other."""
    return lambda rng, choice: tuple(value for sampler in samplers for value in sampler(rng, choice))


def ordered_lists(low: int = 0, high: int = 9, shortest: int = 2, longest: int = 5) -> Sampler:
    """Return a sampler of one list of whole numbers in rising order; numbers may repeat."""
    return lambda rng, choice: (sorted(rng.randint(low, high) for _ in range(rng.randint(shortest, longest))),)


def word_lists(letters: str = "abcde", shortest: int = 1, longest: int = 3) -> Sampler:
    """Return a sampler of one list of 2 or 3 words of `shortest` to `longest` letters."""

    def sample(rng: random.Random, choice: Choice) -> tuple[list[str]]:
        lengths = [rng.randint(shortest, longest) for _ in range(rng.randint(2, 3))]
        return (["".join(rng.choices(letters, k=length)) for length in lengths],)

    return sample


def interval_lists(high: int = 9, longest: int = 3) -> Sampler:
    """Return a sampler of one list of 1 to `longest` intervals [start, end] with 0 <= start < end <= `high`."""
    return lambda rng, choice: ([sorted(rng.sample(range(high + 1), 2)) for _ in range(rng.randint(1, longest))],)


def grids(low: int = 0, high: int = 9, rows: int = 2, columns: int = 2) -> Sampler:
    """Return a sampler of one table: 1 to `rows` rows, each of the same 1 to `columns` whole numbers."""

    def sample(rng: random.Random, choice: Choice) -> tuple[list[list[int]]]:
        width = rng.randint(1, columns)
        return ([[rng.randint(low, high) for _ in range(width)] for _ in range(rng.randint(1, rows))],)

    return sample
