"""The families over digits and bits once more, written from their problem statements alone: `REFERENCES`.

As in `reference_numbers`, this counts, lists or tries all cases in place of a formula or a clever loop.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Mapping
from typing import Any

Choice = Mapping[str, Any]


def upto(n: int) -> range:
    return range(1, n + 1)


def digits(n: int) -> list[int]:
    return [int(digit) for digit in str(n)]


def in_base(n: int, base: int) -> list[int]:
    """The digits of n, the lowest first; none for 0."""
    count = next(count for count in itertools.count() if base**count > n)
    return [n // base**place % base for place in range(count)]


def bit_places(n: int) -> set[int]:
    return {place for place in range(n.bit_length()) if n // 2**place % 2}


def from_bits(places: set[int]) -> int:
    return sum(2**place for place in places)


def read_bits(text: str) -> int:
    return from_bits({place for place, bit in enumerate(reversed(text)) if bit == "1"})


def flipped(n: int, k: int) -> int:
    return from_bits(bit_places(n) ^ bit_places(k))


def repeated(step: Callable[[int], int], x: int, n: int) -> int:
    for _ in range(n):
        x = step(x)
    return x


def runs_of_ones(n: int, k: int) -> int:
    runs = f"{n:b}".split("0")
    return sum(k * place for run in runs for place in upto(len(run)))


def typing_time(n: int, key: int, press: int) -> int:
    return sum(abs(to - start) + press for start, to in itertools.pairwise([key, *digits(n)]))


def paired_digits(n: int, p: int, q: int) -> int:
    rest, total = sorted(digits(n)), 0
    while len(rest) > 1:
        total += p * (rest.pop() - rest.pop(0))
    return total + q * sum(rest)


REFERENCES: dict[str, Callable[[Choice], Callable[..., Any]]] = {
    # Bits.
    "flipped bits plus a shift": lambda c: lambda n: flipped(n, c["k"]) + n // 2 ** c["s"],
    "shared bits plus joined bits": lambda c: (
        lambda n: from_bits(bit_places(n) & bit_places(c["p"])) + from_bits(bit_places(n) | bit_places(c["q"]))
    ),
    "lowest set bit": lambda c: lambda n: (n + c["k"] * (2 ** min(bit_places(n)) if n else 0)) % c["m"],
    "gray code": lambda c: (
        lambda n: flipped(
            from_bits({i for i in range(n.bit_length()) if (i in bit_places(n)) != (i + c["s"] in bit_places(n))}),
            c["k"],
        )
    ),
    "bits turned round": lambda c: lambda n: read_bits((text := f"{n:0{c['w']}b}")[c["k"] :] + text[: c["k"]]),
    "exclusive or over a range": lambda c: (
        lambda a, b: functools.reduce(flipped, (c["w"] * i for i in range(a, b + 1)), c["k"])
    ),
    "bits in one or in both": lambda c: (
        lambda a, b: (
            c["p"] * from_bits(bit_places(a) ^ bit_places(b)) + c["q"] * from_bits(bit_places(a) & bit_places(b))
        )
    ),
    "places of set bits": lambda c: lambda n: sum(c["s"] + c["k"] * place for place in bit_places(n)),
    "two bits swapped": lambda c: (
        lambda n: from_bits({{c["i"]: c["j"], c["j"]: c["i"]}.get(place, place) for place in bit_places(n)}) + c["c"]
    ),
    "bits backwards": lambda c: lambda n: flipped(read_bits(f"{n:0{c['w']}b}"[::-1]), c["k"]),
    "bits of two numbers in turn": lambda c: (
        lambda a, b: (
            read_bits("".join(high + low for low, high in zip(f"{a:03b}"[-3:], f"{b:03b}"[-3:], strict=True))) + c["k"]
        )
    ),
    "runs of ones": lambda c: lambda n: runs_of_ones(n, c["k"]) + c["c"],
    # Digits.
    "digits read in another base": lambda c: (
        lambda n: sum(digit * c["k"] ** place for place, digit in enumerate(reversed(digits(n)))) % c["m"]
    ),
    "digits above a limit": lambda c: lambda n: sum(len(range(c["k"], digit)) for digit in digits(n)) * c["w"],
    "alternating digit sum": lambda c: (
        lambda n: sum(value * (-1) ** place for place, value in enumerate(reversed([c["k"], *digits(n)]))) % c["m"]
    ),
    "product of raised digits": lambda c: lambda n: math.prod(digit + c["k"] for digit in digits(n)) % c["m"],
    "distance of digits to a centre": lambda c: lambda n: sum(abs(digit - c["k"]) for digit in digits(n)) * c["w"],
    "every digit replaced": lambda c: lambda n: int("".join(str(c["k"] * digit + c["c"])[-1] for digit in digits(n))),
    "digits held within a bound": lambda c: (
        lambda n: int(
            "".join(
                str(c["k"] if (digit > c["k"] if c["words"] == "above" else digit < c["k"]) else digit)
                for digit in digits(n)
            )
        )
    ),
    "number and its mirror": lambda c: lambda n: abs(c["p"] * int(str(n)[::-1]) - c["q"] * n),
    "largest and smallest digit": lambda c: lambda n: int(max(str(n))) * c["p"] - int(min(str(n))) * c["q"],
    # Splitting takes b - 1 away for each one of the quotient.
    "repeated digit folding": lambda c: lambda n: (n * c["k"] - 1) % (c["b"] - 1) + 1 if n else 0,
    "tens and last digit mixed": lambda c: (
        lambda x, n: repeated(lambda x: c["p"] * int(str(x)[:-1] or 0) + c["q"] * int(str(x)[-1]), x, n)
    ),
    "powers of digits in a base": lambda c: lambda n: sum(digit ** c["e"] for digit in in_base(n, c["b"])),
    "digits of one base read in another": lambda c: (
        lambda n: sum(digit * c["p"] ** place for place, digit in enumerate(in_base(n, c["b"])))
    ),
    "finger travel over a keypad": lambda c: lambda n: typing_time(n, c["k"], c["c"]),
    "digits paired from both ends": lambda c: lambda n: paired_digits(n, c["p"], c["q"]),
}
