"""The families over whole numbers once more, written from their problem statements alone: `REFERENCES`.

Where a problem says what is wanted, this counts, lists or tries all cases in place of a formula or a clever loop, so
that it shares no idea with the sources that it is compared with.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from reference_digits import REFERENCES as DIGITS
from reference_digits import digits, repeated, upto

Choice = Mapping[str, Any]


def greedy_coins(n: int, coins: Sequence[int]) -> int:
    """How many coins it takes to pay n, always with the largest that fits."""
    count = 0
    while n:
        n -= max(coin for coin in coins if coin <= n)
        count += 1
    return count


def first(condition: Callable[[int], bool]) -> int:
    """The smallest number from 0 on that meets `condition`."""
    return next(i for i in itertools.count() if condition(i))


def handshakes(n: int, teams: int) -> int:
    size = [sum(player % teams == team for player in range(n)) for team in range(teams)]
    return sum(len(list(itertools.combinations(range(players), 2))) for players in size)


def hours(start: int, length: int) -> set[int]:
    return set(range(start, start + length))


def column_number(n: int, width: int, height: int) -> int:
    cells = [(row, column) for row in range(height) for column in range(width)]
    by_columns = sorted(cells, key=lambda cell: (cell[1], cell[0]))
    return by_columns.index(cells[n])


def coins_missing(n: int, row: int, more: int) -> int:
    laid = 0
    for _ in range(n):
        laid += 1
        if laid == row:
            laid, row = 0, row + more
    return row - laid


def ways_to_pay(n: int, coins: Sequence[int]) -> int:
    """Ways to pay n with coins of 1 and `coins`, whatever their order."""
    counts = [range(n // coin + 1) for coin in coins]
    return sum(
        sum(many * coin for many, coin in zip(choice, coins, strict=True)) <= n for choice in itertools.product(*counts)
    )


def fewest_coins(n: int, coins: Sequence[int]) -> int:
    reached, count = {0}, 0
    while n not in reached:
        reached = {total + coin for total in reached for coin in coins if total + coin <= n}
        count += 1
    return count


def ordered_ways(n: int, parts: Sequence[int]) -> int:
    """Ordered sums of `parts` that give n; a part listed twice comes in two styles."""

    @functools.cache
    def ways(rest: int) -> int:
        return 1 if rest == 0 else sum(ways(rest - part) for part in parts if part <= rest)

    return ways(n)


def best_apart(worth: Sequence[int]) -> int:
    """The largest sum of values of which no two are neighbours."""
    choices = itertools.product((0, 1), repeat=len(worth))
    fine = (choice for choice in choices if (1, 1) not in itertools.pairwise(choice))
    return max(sum(itertools.compress(worth, choice)) for choice in fine)


def best_stretch(worth: Sequence[int]) -> int:
    places = range(len(worth) + 1)
    return max(sum(worth[i:j]) for i in places for j in places if i <= j)


def cheapest_crossing(tolls: Sequence[int]) -> int:
    def cost(place: int) -> int:
        if place >= len(tolls):
            return 0
        return (tolls[place] if place >= 0 else 0) + min(cost(place + 1), cost(place + 2))

    return cost(-1)


def bounced(place: int, wall: int, steps: int) -> int:
    way = 1
    for _ in range(steps):
        if not 0 <= place + way <= wall:
            way = -way
        place += way
    return place


def bottles(n: int, k: int, g: int) -> int:
    drunk = empty = n
    while empty >= k:
        empty += g - k
        drunk += g
    return drunk


def days_in_well(depth: int, up: int, down: int) -> int:
    height, days = 0, 0
    while True:
        height, days = height + up, days + 1
        if height >= depth:
            return days
        height -= down


def walkers(n: int, p: int, q: int) -> tuple[int, int]:
    minutes = first(lambda t: p * t >= n - q * t)
    return p * minutes, n - q * minutes


def last_child(n: int, k: int, s: int) -> int:
    circle = [s + i for i in range(n)]
    while len(circle) > 1:
        for _ in range(k - 1):
            circle.append(circle.pop(0))
        circle.pop(0)
    return circle[0]


def snake(n: int, width: int) -> tuple[int, int]:
    rows = range(n // width + 1)
    order = [(row, column) for row in rows for column in (range(width) if row % 2 == 0 else range(width)[::-1])]
    return order[n]


def cost_to_nothing(n: int, k: int, p: int, q: int) -> int:
    cost = 0
    while n:
        while n % k:
            n, cost = n - 1, cost + p
        n, cost = n // k, cost + q
    return cost


def robot(n: int, k: int) -> tuple[int, int]:
    steps, way = [0, 0], 0
    for digit in digits(n):
        if digit > k:
            way = 1 - way
        else:
            steps[way] += digit
    return steps[0], steps[1]


def terms(start: int, p: int, q: int) -> Iterator[int]:
    while True:
        yield start
        start = p * start + q


def stack_of_plates(n: int, s: int, k: int) -> int:
    while s * k <= n:
        s *= k
    return s


def sheet(a: int, b: int) -> int:
    """How many squares are cut from a sheet of a by b."""
    squares = 0
    while a and b:
        a, b = max(a, b) - min(a, b), min(a, b)
        squares += 1
    return squares


def prime_factors(n: int) -> list[int]:
    if n == 1:
        return []
    d = next(d for d in range(2, n + 1) if n % d == 0)
    return [d, *prime_factors(n // d)]


def grown(start: Sequence[int], n: int, step: Callable[[list[int]], int]) -> int:
    row = list(start)
    for _ in range(n):
        row.append(step(row))
    return row[-1]


def reachable(x: int, n: int, p: int, q: int) -> set[int]:
    """All points that n moves can lead to."""
    points = {x}
    for _ in range(n):
        points = {point + p for point in points} | {2 * point - q for point in points}
    return points


SUMMED: dict[str, Callable[[int], int]] = {
    "the square of i": lambda i: i**2,
    "i times the number after i": lambda i: i**2 + i,
    "the product of i and 3 more than i": lambda i: i**2 + 3 * i,
    "i times i times i": lambda i: i**3,
    "2 to the power i": lambda i: 1 << i,
}


REFERENCES: dict[str, Callable[[Choice], Callable[..., Any]]] = {
    **DIGITS,
    "multiples of either": lambda c: lambda n: len([i for i in upto(n) if i % c["p"] == 0 or i % c["q"] == 0]),
    "points for multiples": lambda c: (
        lambda n: sum((i % c["p"] == 0) * c["u"] + (i % c["q"] == 0) * c["v"] for i in upto(n))
    ),
    "sum of three quotients": lambda c: lambda n: sum(i % c[d] == 0 for i in upto(n) for d in "pqr"),
    "sum of three remainders": lambda c: lambda n: sum(n - max(range(0, n + 1, c[d])) for d in "pqr"),
    "sum of those that divide": lambda c: lambda n: sum(c[d] for d in "pqr" if n in range(0, n + 1, c[d])),
    "coins of three kinds": lambda c: lambda n: greedy_coins(n, (c["p"], c["q"], 1)),
    "boats and free seats": lambda c: (
        lambda n: next(boats * c["cost"] + boats * c["k"] - n for boats in itertools.count() if boats * c["k"] >= n)
    ),
    "multiples count as themselves": lambda c: lambda n: sum(c["c"] if i % c["k"] else i for i in upto(n)),
    "pairs within even teams": lambda c: lambda n: handshakes(n, c["k"]) * c["c"],
    "price that rises": lambda c: lambda n: sum(c["p"] + (c["q"] if i > c["t"] else 0) for i in upto(n)),
    "ways to choose": lambda c: (
        lambda n: (
            len(
                list(
                    itertools.combinations(range(n), c["k"])
                    if c["words"] == "all different"
                    else itertools.combinations_with_replacement(range(n), c["k"])
                )
            )
            % c["m"]
        )
    ),
    "overlap of two intervals": lambda c: lambda a, b: len(hours(a, c["p"]) & hours(b, c["q"])),
    "span of two intervals": lambda c: lambda a, b: max(a + c["p"], b + c["q"]) - min(a, b),
    "fine outside an interval": lambda c: (
        lambda n: len(range(n, c["low"])) * c["u"] + len(range(c["high"], n)) * c["v"]
    ),
    "numbers with a small remainder": lambda c: (
        lambda n: next(itertools.islice((i for i in itertools.count() if i % c["m"] < c["r"]), n, None))
    ),
    "table read by columns": lambda c: lambda n: column_number(n, c["w"], c["h"]),
    "coins of four kinds": lambda c: lambda n: greedy_coins(n, (c["p"], c["q"], c["r"], 1)) * c["w"],
    "rows that grow": lambda c: lambda n: coins_missing(n, c["s"], c["k"]),
    # Dynamic programming.
    "ways up the stairs": lambda c: lambda n: ordered_ways(n, [1] + [c["k"]] * c["c"]) % c["m"],
    "ways to pay": lambda c: lambda n: ways_to_pay(n, (c["p"], c["q"])) * c["w"],
    "fewest coins": lambda c: lambda n: fewest_coins(n, (1, c["p"], c["q"])) * c["w"],
    "digits with no two neighbours": lambda c: (
        lambda n: best_apart([digit + c["k"] if c["words"] == "plus" else digit - c["k"] for digit in digits(n)])
    ),
    "best stretch of digits": lambda c: lambda n: best_stretch([c["w"] * digit - c["k"] for digit in digits(n)]),
    "cheapest way over the digits": lambda c: (
        lambda n: c["s"] + cheapest_crossing([c["w"] * digit for digit in digits(n)])
    ),
    "weighted triangle": lambda c: lambda n, j: c["s"] * math.comb(n, j) * c["p"] ** j * c["q"] ** (n - j),
    "ways to fill a sum in order": lambda c: lambda n: ordered_ways(n, (c["p"], c["q"], c["r"])) % c["m"],
    # Moves.
    "shorter way round a ring": lambda c: (
        lambda n: min(abs(n * c["s"] - lap * c["p"]) for lap in range(n * c["s"] + 1))
    ),
    "ball between two walls": lambda c: lambda a, t: bounced(a, c["p"], c["s"] * t),
    "lift with two stops": lambda c: (
        lambda a, b: (
            (len(range(a, c["k"])) + len(range(c["k"], a)) + len(range(a, b)) + len(range(b, a))) * c["p"] + c["c"]
        )
    ),
    "walk to a remainder": lambda c: lambda n: next(i for i in itertools.count(n, c["s"]) if i % c["p"] == c["r"]),
    "empty bottles traded in": lambda c: lambda n: bottles(n, c["k"], c["g"]),
    "frog in a well": lambda c: lambda n: days_in_well(n, c["up"], c["down"]) * c["c"],
    "two walkers meet": lambda c: lambda n: (places := walkers(n, c["p"], c["q"]))[0] * c["c"] + places[1],
    "last one in the circle": lambda c: lambda n: last_child(n, c["k"], c["s"]),
    "snake through a table": lambda c: lambda n: (place := snake(n, c["w"]))[0] * c["k"] + place[1],
    "divide or take one away": lambda c: lambda n: cost_to_nothing(n, c["k"], c["p"], c["q"]),
    "robot that turns": lambda c: lambda n: (steps := robot(n, c["k"]))[0] * c["p"] + steps[1],
    # Number theory.
    "remainder of a power": lambda c: lambda n: (math.prod([n] * c["e"]) + c["c"]) % c["m"],
    "factors taken out": lambda c: lambda n: n // max(f for e in range(n) if n % (f := c["k"] ** e) == 0) * c["p"],
    "first term that reaches a number": lambda c: (
        lambda n: next(term for term in terms(c["s"], c["p"], c["q"]) if term >= n) - n
    ),
    "last doubling within a number": lambda c: lambda n: n - stack_of_plates(n, c["s"], c["k"]),
    "smallest number whose square form is enough": lambda c: (
        lambda n: min(cost for r in range(n + 1) if (cost := c["p"] * r**2 + c["q"] * r) >= n) - n
    ),
    "least common multiple": lambda c: lambda n: math.lcm(c["k"], n) + c["c"],
    "squares cut from a sheet": lambda c: lambda n: sheet(c["k"], n) * c["w"],
    "quotients all the way down": lambda c: lambda n: sum(n // c["k"] ** times for times in range(1, n + 1)) + c["s"],
    "numbers of a kind in a range": lambda c: (
        lambda a, b: sum(i for i in range(a, b + 1) if sum(digits(i)) % c["m"] == c["r"])
    ),
    "sum of prime factors": lambda c: lambda n: c["w"] * sum(prime_factors(n)) + c["s"],
    "search by halving": lambda c: lambda n: c["w"] * first(lambda r: c["p"] * r**2 + c["q"] * r >= n) + n,
    # Sequences.
    "multiply, add and wrap": lambda c: lambda x, n: repeated(lambda x: (c["p"] * x + c["q"]) % c["m"], x, n),
    "squares that wrap": lambda c: lambda x, n: repeated(lambda x: (x**2 + c["c"]) % c["m"], x, n),
    "jumps around a growing mark": lambda c: (
        lambda x, n: functools.reduce(lambda x, i: max(x, c["p"] * i) - min(x, c["p"] * i) + c["q"], upto(n), x)
    ),
    "each term from the two before": lambda c: (
        lambda x, n: grown((c["s"], x), n, lambda row: row[-1] + c["k"] * row[-2])
    ),
    "sums of three terms": lambda c: lambda x, n: grown((c["s"], c["t"], x), n, lambda row: sum(row[-3:])),
    "shrink and refill": lambda c: lambda x, n: repeated(lambda x: x // c["p"] + c["q"], x, n),
    "interest and savings": lambda c: lambda x, n: repeated(lambda x: x + x // c["k"] + c["d"], x, n),
    "halve or grow": lambda c: lambda x, n: repeated(lambda x: c["p"] * x + c["q"] if x % 2 else x // 2, x, n),
    "most points in some moves": lambda c: lambda x, n: max(reachable(x, n, c["p"], c["q"])),
    "fewest points in some moves": lambda c: lambda x, n: min(reachable(x, n, c["p"], c["q"])),
    "sum over a range": lambda c: lambda a, b: sum(map(SUMMED[c["words"]], range(a, b + 1))) % c["m"],
    "product over a range": lambda c: (
        lambda a, b: c["s"] * math.prod(i + c["k"] for i in range(a, b + 1)) % c["m"] if a <= b else c["s"]
    ),
}
