"""The families over whole numbers once more, written from their problem statements alone: `REFERENCES`.

Where a problem says what is wanted, this counts, lists or tries all cases in place of a formula or a clever loop, so
that it shares no idea with the sources that it is compared with. A rule takes the arguments of a program, and the
parameters of its family by name.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from functools import cache, reduce
from itertools import accumulate, combinations, compress, count, cycle, islice, pairwise, repeat
from itertools import combinations_with_replacement as multisets
from typing import Any

from reference_lists import BY, apart, repeated, stretches


def upto(n: int) -> range:
    return range(1, n + 1)


def first(condition: Callable[[int], bool]) -> int:
    """The smallest number from 0 on that meets `condition`."""
    return next(filter(condition, count()))


def nth(values: Iterable[int], place: int) -> int:
    return next(islice(values, place, None))


def digits(n: int) -> list[int]:
    return [int(digit) for digit in str(n)]


def in_base(n: int, base: int) -> list[int]:
    """The digits of n, the lowest first; none for 0."""
    return [n // base**place % base for place in range(first(lambda many: base**many > n))]


def joined(values: Iterable[int]) -> int:
    return int("".join(map(str, values)))


def bits(n: int) -> set[int]:
    """The places of the bits that are set in n."""
    return {place for place in range(n.bit_length()) if n // 2**place % 2}


def value(places: Iterable[int]) -> int:
    return sum(2**place for place in places)


def flipped(n: int, k: int) -> int:
    return value(bits(n) ^ bits(k))


def greedy_coins(n: int, *coins: int) -> int:
    """How many coins it takes to pay n, always with the largest that fits."""
    return 1 + greedy_coins(n - max(coin for coin in coins if coin <= n), *coins) if n else 0


@cache
def ordered_ways(n: int, *parts: int) -> int:
    """Ordered sums of `parts` that give n; a part listed twice comes in two styles."""
    return 1 if n == 0 else sum(ordered_ways(n - part, *parts) for part in parts if part <= n)


def best_apart(worth: Sequence[int]) -> int:
    """The largest sum of values of which no two are neighbours."""
    return max(sum(compress(worth, way)) for way in apart(len(worth)))


def cost_to_nothing(n: int, k: int, p: int, q: int) -> int:
    cost = 0
    while n:
        while n % k:
            n, cost = n - 1, cost + p
        n, cost = n // k, cost + q
    return cost


def squares_cut(a: int, b: int) -> int:
    return 1 + squares_cut(max(a, b) - min(a, b), min(a, b)) if a and b else 0


def prime_factors(n: int) -> list[int]:
    d = next((d for d in range(2, n + 1) if n % d == 0), None)
    return [d, *prime_factors(n // d)] if d else []


def paired_digits(n: int, p: int, q: int) -> int:
    low, high = sorted(digits(n)), sorted(digits(n), reverse=True)
    half, rest = divmod(len(low), 2)
    return p * (sum(high[:half]) - sum(low[:half])) + q * low[half] * rest


def reachable(x: int, n: int, p: int, q: int) -> set[int]:
    """All points that n moves can lead to."""
    return repeated(lambda points: {move for point in points for move in (point + p, 2 * point - q)}, {x}, n)


SUMMED: dict[str, Callable[[int], int]] = {
    "the square of i": lambda i: i**2,
    "i times the number after i": lambda i: i**2 + i,
    "the product of i and 3 more than i": lambda i: i**2 + 3 * i,
    "i times i times i": lambda i: i**3,
    "2 to the power i": lambda i: 1 << i,
}
CHOSEN = {"all different": combinations, "where one may be chosen again": multisets}

REFERENCES: dict[str, Callable[..., Any]] = {
    # Amounts.
    "multiples of either": lambda n, p, q: len([i for i in upto(n) if i % p == 0 or i % q == 0]),
    "points for multiples": lambda n, p, q, u, v: sum((i % p == 0) * u + (i % q == 0) * v for i in upto(n)),
    "sum of three quotients": lambda n, p, q, r: sum(i % d == 0 for i in upto(n) for d in (p, q, r)),
    "sum of three remainders": lambda n, p, q, r: sum(n - max(range(0, n + 1, d)) for d in (p, q, r)),
    "sum of those that divide": lambda n, p, q, r: sum(d for d in (p, q, r) if n in range(0, n + 1, d)),
    "coins of three kinds": lambda n, p, q: greedy_coins(n, p, q, 1),
    "boats and free seats": lambda n, k, cost: (b := first(lambda b: b * k >= n)) * cost + b * k - n,
    "multiples count as themselves": lambda n, k, c: sum(c if i % k else i for i in upto(n)),
    "pairs within even teams": lambda n, k, c: c * sum(math.comb(len(range(i, n, k)), 2) for i in range(k)),
    "price that rises": lambda n, p, t, q: sum(p + (q if i > t else 0) for i in upto(n)),
    "ways to choose": lambda n, k, words, m: len(list(CHOSEN[words](range(n), k))) % m,
    "overlap of two intervals": lambda a, b, p, q: len({*range(a, a + p)} & {*range(b, b + q)}),
    "span of two intervals": lambda a, b, p, q: (hours := sorted((a, b, a + p, b + q)))[-1] - hours[0],
    "fine outside an interval": lambda n, low, high, u, v: len(range(n, low)) * u + len(range(high, n)) * v,
    "numbers with a small remainder": lambda n, m, r: nth((i for i in count() if i % m < r), n),
    "table read by columns": lambda n, w, h: [row * w + i for i in range(w) for row in range(h)].index(n),
    "coins of four kinds": lambda n, p, q, r, w: greedy_coins(n, p, q, r, 1) * w,
    "rows that grow": lambda n, s, k: next(t for t in accumulate(count(s, k)) if t > n) - n,
    # Bits.
    "flipped bits plus a shift": lambda n, k, s: flipped(n, k) + n // 2**s,
    "shared bits plus joined bits": lambda n, p, q: value(bits(n) & bits(p)) + value(bits(n) | bits(q)),
    "lowest set bit": lambda n, k, m: (n + k * (2 ** min(bits(n)) if n else 0)) % m,
    "gray code": lambda n, s, k: flipped(value(i for i in range(n) if (i in bits(n)) != (i + s in bits(n))), k),
    "bits turned round": lambda n, w, k: int((text := f"{n:0{w}b}")[k:] + text[:k], 2),
    "exclusive or over a range": lambda a, b, k, w: reduce(flipped, (w * i for i in range(a, b + 1)), k),
    "bits in one or in both": lambda a, b, p, q: p * value(bits(a) ^ bits(b)) + q * value(bits(a) & bits(b)),
    "places of set bits": lambda n, s, k: sum(s + k * place for place in bits(n)),
    "two bits swapped": lambda n, i, j, c: value({i: j, j: i}.get(place, place) for place in bits(n)) + c,
    "bits backwards": lambda n, w, k: flipped(int(f"{n:0{w}b}"[::-1], 2), k),
    "bits of two numbers in turn": lambda a, b, k: value([2 * i for i in bits(a)] + [2 * i + 1 for i in bits(b)]) + k,
    "runs of ones": lambda n, k, c: c + sum(k * i for run in f"{n:b}".split("0") for i in upto(len(run))),
    # Digits.
    "digits read in another base": lambda n, k, m: sum(d * k**i for i, d in enumerate(digits(n)[::-1])) % m,
    "digits above a limit": lambda n, k, w: sum(len(range(k, d)) for d in digits(n)) * w,
    "alternating digit sum": lambda n, k, m: sum(d * (-1) ** i for i, d in enumerate([k, *digits(n)][::-1])) % m,
    "product of raised digits": lambda n, k, m: math.prod(d + k for d in digits(n)) % m,
    "distance of digits to a centre": lambda n, k, w: sum(max(d, k) - min(d, k) for d in digits(n)) * w,
    "every digit replaced": lambda n, k, c: joined(str(k * d + c)[-1] for d in digits(n)),
    "digits held within a bound": lambda n, k, words: joined(k if BY[words](d, k) > 0 else d for d in digits(n)),
    "number and its mirror": lambda n, p, q: abs(p * joined(digits(n)[::-1]) - q * n),
    "largest and smallest digit": lambda n, p, q: p * max(digits(n)) - q * min(digits(n)),
    # Splitting takes b - 1 away for each one of the quotient.
    "repeated digit folding": lambda n, k, b: (n * k - 1) % (b - 1) + 1 if n else 0,
    "tens and last digit mixed": lambda x, n, p, q: repeated(
        lambda x: p * int(str(x)[:-1] or 0) + q * int(str(x)[-1]), x, n
    ),
    "powers of digits in a base": lambda n, b, e: sum(d**e for d in in_base(n, b)),
    "digits of one base read in another": lambda n, b, p: sum(d * p**i for i, d in enumerate(in_base(n, b))),
    "finger travel over a keypad": lambda n, k, c: sum(max(p) - min(p) + c for p in pairwise([k, *digits(n)])),
    "digits paired from both ends": paired_digits,
    # Dynamic programming.
    "ways up the stairs": lambda n, k, c, m: ordered_ways(n, 1, *[k] * c) % m,
    "ways to pay": lambda n, p, q, w: w * sum(i * p + j * q <= n for i in range(n + 1) for j in range(n + 1)),
    "fewest coins": lambda n, p, q, w: w * first(lambda many: n in map(sum, multisets((1, p, q), many))),
    "digits with no two neighbours": lambda n, words, k: best_apart(
        [d + {"plus": k, "minus": -k}[words] for d in digits(n)]
    ),
    "best stretch of digits": lambda n, w, k: max(map(sum, [[], *stretches([w * d - k for d in digits(n)])])),
    # No two neighbours may be skipped.
    "cheapest way over the digits": lambda n, s, w: s + w * (sum(digits(n)) - best_apart(digits(n))),
    "weighted triangle": lambda n, j, s, p, q: s * math.comb(n, j) * p**j * q ** (n - j),
    "ways to fill a sum in order": lambda n, p, q, r, m: ordered_ways(n, p, q, r) % m,
    # Moves.
    "shorter way round a ring": lambda n, s, p: min(abs(n * s - lap * p) for lap in range(n * s + 1)),
    "ball between two walls": lambda a, t, p, s: nth(cycle([*range(p), *range(p, 0, -1)]), a + s * t),
    "lift with two stops": lambda a, b, k, p, c: sum(p * len(range(*sorted(way))) for way in ((a, k), (a, b))) + c,
    "walk to a remainder": lambda n, s, p, r: next(i for i in count(n, s) if i % p == r),
    "empty bottles traded in": lambda n, k, g: n + g * first(lambda trades: n - trades * (k - g) < k),
    "frog in a well": lambda n, up, down, c: c * (1 + first(lambda nights: up + nights * (up - down) >= n)),
    "two walkers meet": lambda n, p, q, c: (t := first(lambda t: p * t + q * t >= n)) * p * c + n - q * t,
    "last one in the circle": lambda n, k, s: repeated(
        lambda circle: (circle * k)[k : k + len(circle) - 1], [*range(s, s + n)], n - 1
    )[0],
    "snake through a table": lambda n, w, k: [
        row * k + column for row in range(n + 1) for column in (reversed(range(w)) if row % 2 else range(w))
    ][n],
    "divide or take one away": cost_to_nothing,
    "robot that turns": lambda n, k, p: sum(
        d * (p, 1)[sum(turn > k for turn in digits(n)[:i]) % 2] for i, d in enumerate(digits(n)) if d <= k
    ),
    # Number theory.
    "remainder of a power": lambda n, e, c, m: (math.prod([n] * e) + c) % m,
    "factors taken out": lambda n, k, p: n // max(k**e for e in range(n) if n % k**e == 0) * p,
    "first term that reaches a number": lambda n, s, p, q: (
        next(term for term in accumulate(repeat(s), lambda term, _: p * term + q) if term >= n) - n
    ),
    "last doubling within a number": lambda n, s, k: n - max([s, *(s * k**e for e in range(n) if s * k**e <= n)]),
    "smallest number whose square form is enough": lambda n, p, q: (
        min(form for r in range(n + 1) if (form := p * r**2 + q * r) >= n) - n
    ),
    "least common multiple": lambda n, k, c: math.lcm(k, n) + c,
    "squares cut from a sheet": lambda n, k, w: squares_cut(k, n) * w,
    "quotients all the way down": lambda n, k, s: sum(n // k**times for times in upto(n)) + s,
    "numbers of a kind in a range": lambda a, b, m, r: sum(i for i in range(a, b + 1) if sum(digits(i)) % m == r),
    "sum of prime factors": lambda n, w, s: w * sum(prime_factors(n)) + s,
    "search by halving": lambda n, p, q, w: w * first(lambda r: p * r**2 + q * r >= n) + n,
    # Sequences.
    "multiply, add and wrap": lambda x, n, p, q, m: repeated(lambda x: (p * x + q) % m, x, n),
    "squares that wrap": lambda x, n, c, m: repeated(lambda x: (x**2 + c) % m, x, n),
    "jumps around a growing mark": lambda x, n, p, q: reduce(lambda x, i: max(x - p * i, p * i - x) + q, upto(n), x),
    "each term from the two before": lambda x, n, s, k: repeated(lambda t: (t[1], t[1] + k * t[0]), (s, x), n)[-1],
    "sums of three terms": lambda x, n, s, t: repeated(lambda row: (*row[1:], sum(row)), (s, t, x), n)[-1],
    "shrink and refill": lambda x, n, p, q: repeated(lambda x: x // p + q, x, n),
    "interest and savings": lambda x, n, k, d: repeated(lambda x: x + x // k + d, x, n),
    "halve or grow": lambda x, n, p, q: repeated(lambda x: p * x + q if x % 2 else x // 2, x, n),
    "most points in some moves": lambda x, n, p, q: max(reachable(x, n, p, q)),
    "fewest points in some moves": lambda x, n, p, q: min(reachable(x, n, p, q)),
    "sum over a range": lambda a, b, words, m: sum(map(SUMMED[words], range(a, b + 1))) % m,
    "product over a range": lambda a, b, s, k, m: s * math.prod(i + k for i in range(a, b + 1)) % m if a <= b else s,
}
