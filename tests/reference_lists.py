"""A second implementation of the algorithm families over lists and tables, written from their English alone.

Where the source goes step by step, the reference tries out all possibilities, or says what the problem asks for in one
expression. It reads of a choice only what the English shows, never a piece of source.
"""

from __future__ import annotations

import bisect
import functools
import itertools
import operator
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

Rule = Callable[..., Any]  # of the parameters by name, then the arguments of the program
EXTREMES: dict[str, Rule] = {"largest": max, "larger": max, "largest number": max, "smallest": min, "smaller": min}
EXTREMES |= {"smallest number": min, "sum": sum}
NUMBER = {"two": 2, "three": 3}


def sublists(a: Sequence[int]) -> Iterable[tuple[int, ...]]:
    """Every choice of elements of `a`, by place, in their order."""
    return itertools.chain.from_iterable(itertools.combinations(a, size) for size in range(len(a) + 1))


def stretches(a: Sequence[int]) -> list[Sequence[int]]:
    """Every stretch of one neighbour or more."""
    return [a[i:j] for i, j in itertools.combinations(range(len(a) + 1), 2)]


# --- lists and prefix sums -----------------------------------------------------------------------------------------


def leak(o: Mapping[str, Any], a: list[int]) -> int:
    return functools.reduce(lambda held, poured: max(0, held + poured - o["c"]), a, o["s"])


def neighbours_added(o: Mapping[str, Any], a: list[int]) -> list[int]:
    def at(i: int) -> int:
        return a[i] if 0 <= i < len(a) else o["e"]

    return [at(i - 1) + o["k"] * x + at(i + 1) for i, x in enumerate(a)]


def paid_start(o: Mapping[str, Any], a: list[int]) -> list[int]:
    longest = max(n for n in range(len(a) + 1) if sum(a[:n]) <= o["k"])
    return [x + o["c"] for x in a[longest:]]


def past_bound(o: Mapping[str, Any], a: list[int]) -> list[int]:
    enough = [n for n in range(len(a) + 1) if o["s"] + sum(a[:n]) > o["k"] or n == len(a)]
    return [enough[0], o["s"] + sum(a[: enough[0]])]


LISTS: dict[str, Rule] = {
    "scaled and shifted numbers": lambda o, a: [o["c"] + o["k"] * x for x in a],
    "numbers past a bound": lambda o, a: [
        x + o["c"] for x in a if {"above": x > o["k"], "below": x < o["k"]}[o["words"]]
    ],
    "heights between two levels": lambda o, a: [sorted((o["low"], x, o["high"]))[1] - o["low"] for x in a],
    "rotated and raised list": lambda o, a: [x + o["c"] for x in itertools.chain(a[o["k"] :], a[: o["k"]])],
    "alternating weights": lambda o, a: sum(-o["m"] * x if i % 2 else o["k"] * x for i, x in enumerate(a)),
    "numbers and their places": lambda o, a: list(map(operator.add, a, itertools.count(o["c"], o["k"]))),
    "neighbour distances": lambda o, a: [o["k"] * (max(p) - min(p)) + o["c"] for p in itertools.pairwise(a)],
    "neighbours joined": lambda o, a: [EXTREMES[o["words"]](p) * o["k"] + o["c"] for p in itertools.pairwise(a)],
    "blocks": lambda o, a: [EXTREMES[o["words"]](a[i : i + o["k"]]) + o["c"] for i in range(len(a)) if i % o["k"] == 0],
    "two lists woven": lambda o, a, b: [(o["k"] * a[i] + b[i]) % o["m"] for i in range(min(len(a), len(b)))],
    "leaking bucket": leak,
    "list as a number in a base": lambda o, a: sum(x * o["k"] ** i for i, x in enumerate(reversed(a))) % o["m"],
    "three in a row": neighbours_added,
    "running sums": lambda o, a: [total % o["m"] + o["c"] for total in itertools.accumulate(a)],
    "start that can be paid": paid_start,
    "windows": lambda o, a: [o["c"] * EXTREMES[o["words"]](w) for w in stretches(a) if len(w) == o["k"]],
    "best window": lambda o, a: EXTREMES[o["words"]](sum(w) for w in stretches(a) if len(w) == o["k"]) + o["c"],
    "sum between two places": lambda o, a, i, j: sum(x for n, x in enumerate(a) if i <= n < j) * o["k"] + o["c"],
    "stretch raised": lambda o, a, i, j: [
        *(x - o["c"] for x in a[:i]),
        *(x + o["k"] for x in a[i:j]),
        *(x - o["c"] for x in a[j:]),
    ],
    "stretches with a given sum": lambda o, a: sum(sum(s) == o["k"] for s in stretches(a)) * o["c"] + sum(a),
    "sum that goes past a bound": past_bound,
    "running extremes": lambda o, a: [
        o["k"] * best - x for best, x in zip(itertools.accumulate(a, EXTREMES[o["words"]]), a, strict=True)
    ],
}


# --- chains --------------------------------------------------------------------------------------------------------


def without_neighbours(o: Mapping[str, Any], a: list[int]) -> int:
    def worth(chosen: tuple[bool, ...]) -> int:
        follows = (*chosen[1:], False)[: len(a)]
        given = [x + o["k"] if c else 0 if f else o["c"] for x, c, f in zip(a, chosen, follows, strict=True)]
        return sum(given)

    choices = itertools.product((False, True), repeat=len(a))
    return max(worth(c) for c in choices if not any(map(operator.and_, c, c[1:])))


def toll_stretch(o: Mapping[str, Any], a: list[int]) -> int:
    return o["m"] * max([0, *(sum(s) - o["k"] * len(s) for s in stretches(a))])


def longest_chains(o: Mapping[str, Any], a: list[int]) -> list[int]:
    def fits(before: int, after: int) -> bool:
        gap = {"above": after - before, "below": before - after, "away from": abs(after - before)}[o["words"]]
        return gap >= o["k"]

    def longest(end: int) -> int:
        chains = [(*some, a[end]) for some in sublists(a[:end])]
        return max(len(chain) for chain in chains if all(map(fits, chain, chain[1:])))

    return [longest(end) for end in range(len(a))]


def cheapest_along(o: Mapping[str, Any], a: list[int]) -> int:
    def cost(place: int) -> int:
        if place < 2:
            return place * o["s"]
        return a[place - 2] + min(cost(place - 1), cost(place - 2) + o["k"])

    return cost(len(a) + 1)


def ways_to_sum(o: Mapping[str, Any], a: list[int]) -> list[int]:
    most = {"each at most once": 1, "each as often as liked": o["k"]}[o["words"]]
    sums = [sum(map(operator.mul, a, times)) for times in itertools.product(range(most + 1), repeat=len(a))]
    return [sums.count(wanted) for wanted in range(o["k"] + 1)]


def down_triangle(o: Mapping[str, Any], t: list[list[int]]) -> int:
    def total(turns: tuple[int, ...]) -> int:
        places = itertools.accumulate(turns, initial=0)
        return sum(row[place] for row, place in zip(t, places, strict=True)) + o["k"] * sum(turns)

    return EXTREMES[o["words"]](map(total, itertools.product((0, 1), repeat=len(t) - 1)))


def through_rows(o: Mapping[str, Any], m: list[list[int]]) -> list[int]:
    def price(way: tuple[int, ...]) -> int:
        aside = sum(abs(i - j) for i, j in itertools.pairwise(way))
        return sum(row[place] for row, place in zip(m, way, strict=True)) + o["k"] * aside + o["c"]

    ways = list(itertools.product(*(range(len(row)) for row in m)))
    return [min(price(way) for way in ways if way[-1] == end) for end in range(len(m[-1]))]


CHAINS: dict[str, Rule] = {
    "best without neighbours": without_neighbours,
    "best stretch with a toll": toll_stretch,
    "longest chain up to each number": longest_chains,
    "cheapest way along a list": cheapest_along,
    "sums that fit": lambda o, a: sorted({t for s in sublists(a) if (t := o["s"] + sum(s)) <= o["k"]}),
    "ways to make each sum": ways_to_sum,
    "best way down a triangle": down_triangle,
    "cheapest way through rows": through_rows,
}


# --- counting ------------------------------------------------------------------------------------------------------


def first_pair(o: Mapping[str, Any], a: list[int]) -> list[int]:
    words = o["words"]
    (number,) = map(int, re.findall(r"\d+", words))

    def fits(earlier: int, later: int) -> bool:
        if "add up to" in words:
            return earlier + later == number
        return later - earlier == (number if "more than" in words else -number)

    pairs = [(j, -i) for i, j in itertools.combinations(range(len(a)), 2) if fits(a[i], a[j])]
    if not pairs:
        return [len(a)]
    later, earlier = min(pairs)
    return [o["c"] - earlier, o["c"] + later]


def of_two_lists(o: Mapping[str, Any], a: list[int], b: list[int]) -> list[int]:
    wanted = {
        "both a and b": lambda x: x in a and x in b,
        "a or b or both": lambda x: True,
        "a but not in b": lambda x: x not in b,
        "just one of a and b": lambda x: (x in a) != (x in b),
    }[o["words"]]
    candidates = a if o["words"] == "a but not in b" else a + b
    return sorted({x + o["k"] for x in candidates if wanted(x)})


OCCURS: dict[str, Callable[[int], bool]] = {
    "at least twice": lambda n: n > 1,
    "exactly once": lambda n: n == 1,
    "exactly twice": lambda n: n == 2,
    "once or at least three times": lambda n: n in (1, 3, 4, 5, 6, 7, 8, 9),
}
COUNTING: dict[str, Rule] = {
    "count of each number": lambda o, a: [o["k"] * sum(x == i for x in a) for i in range(o["n"])],
    "numbers by how often they occur": lambda o, a: [
        o["c"] * x for x, same in itertools.groupby(sorted(a)) if OCCURS[o["words"]](len(list(same)))
    ],
    "groups by remainder": lambda o, a: [o["c"] + sum(x for x in a if (x - r) % o["k"] == 0) for r in range(o["k"])],
    "letters and their counts": lambda o, s: {
        c: o["k"] * len(list(same)) + o["m"] for c, same in itertools.groupby(sorted(s))
    },
    "pair found by what was seen": first_pair,
    "shared and unshared numbers": of_two_lists,
    "missing numbers": lambda o, a: sorted({o["k"] * x for x in range(1, o["n"] + 1)} - {o["k"] * x for x in a}),
    "repeats dropped": lambda o, a: [o["k"] * x - o["c"] for x in dict.fromkeys(a)],
    "place of the first equal one": lambda o, a: [o["k"] * a.index(x) + o["c"] for x in a],
    "pairs out of order": lambda o, a: o["k"] * sum(x - y > o["m"] for x, y in itertools.combinations(a, 2)) + len(a),
}


# --- ordering ------------------------------------------------------------------------------------------------------


def exchanged_once(o: Mapping[str, Any], a: list[int]) -> list[int]:
    sign = {"above": 1, "below": -1}[o["words"]]

    def carry(done: list[int], x: int) -> list[int]:
        swap = bool(done) and sign * (done[-1] - x) > o["k"]
        return [*done[:-1], x, done[-1]] if swap else [*done, x]

    return functools.reduce(carry, [x + o["c"] for x in a], [])


def extreme_sum(o: Mapping[str, Any], a: list[int]) -> int:
    number, kind, _ = o["words"].split()
    order = sorted(a, reverse=kind == "largest")
    return o["m"] * sum(order[: NUMBER[number]])


def to_front(o: Mapping[str, Any], a: list[int]) -> list[int]:
    place = a.index(EXTREMES[o["words"]](a))
    return [a[place] + o["k"], *a[:place], *a[place + 1 :]]


def ends_taken(o: Mapping[str, Any], a: list[int]) -> list[int]:
    if len(a) < 2:
        return []
    first, *middle, last = sorted(a)
    if first + last > o["k"]:
        return ends_taken(o, [first, *middle])
    return [o["c"] * first + last, *ends_taken(o, [*middle, last])]


def merged(o: Mapping[str, Any], a: list[int], b: list[int]) -> list[int]:
    if not a or not b:
        return a + b
    if a[0] - b[0] <= o["k"]:
        return [a[0], *merged(o, a[1:], b)]
    return [b[0] + o["c"], *merged(o, a, b[1:])]


def water(o: Mapping[str, Any], a: list[int]) -> int:
    walls = itertools.combinations(enumerate(a), 2)
    return max(((min(x, y) + o["c"]) * (j - i + o["k"]) for (i, x), (j, y) in walls), default=0)


ORDERING: dict[str, Rule] = {
    "place in a sorted list": lambda o, a: [
        *(a[: bisect.bisect_left(a, o["k"])]),
        o["x"],
        *(a[bisect.bisect_left(a, o["k"]) :]),
    ],
    "nearest first": lambda o, a: [x for _, x in sorted((abs(x - o["k"]), x) for x in a)][: o["n"]],
    "sorted by remainder": lambda o, a: [
        x + o["c"]
        for r in range(o["k"])
        for x in sorted((x for x in a if x % o["k"] == r), reverse=o["words"] == "the largest")
    ],
    "one pass of exchanges": exchanged_once,
    "sum of the smallest or largest": extreme_sum,
    "extreme moved to the front": to_front,
    "place of the extreme": lambda o, a: (
        min((i, x) for i, x in enumerate(a) if x == EXTREMES[o["words"]](a))[0] * o["k"] + EXTREMES[o["words"]](a)
    ),
    "marked numbers to the end": lambda o, a: [x for x in a if x != o["k"]] + [o["d"] for x in a if x == o["k"]],
    "outer pairs": lambda o, a: [
        o["k"] * x + {"plus": y, "minus": -y}[o["words"]] for x, y in zip(a, a[::-1], strict=True)
    ][: len(a) // 2],
    "ends taken until they meet": ends_taken,
    "two lists merged": merged,
    "water between walls": water,
}


# --- simulation ----------------------------------------------------------------------------------------------------


def ring_left(o: Mapping[str, Any], a: list[int], place: int = 0) -> list[int]:
    if len(a) <= o["n"]:
        return [x + place for x in a]
    place = (place + o["k"]) % len(a)
    return ring_left(o, a[:place] + a[place + 1 :], place)


def ring_jumps(o: Mapping[str, Any], a: list[int]) -> int:
    walked = functools.reduce(lambda steps, _: steps + a[steps % len(a)], range(o["k"]), 0)
    return o["c"] * a[walked % len(a)] + walked % len(a)


SIMULATION: dict[str, Rule] = {
    "last ones in a ring": ring_left,
    "walk on a line": lambda o, s: o["s"] + o["k"] * s.count("R") - o["m"] * (len(s) - s.count("R")),
    "jumps along a ring": ring_jumps,
    "table turned": lambda o, m: [
        [x + o["c"] for x in column][:: {"from top to bottom": 1, "from bottom to top": -1}[o["words"]]]
        for column in zip(*m, strict=True)
    ],
    "columns of a table": lambda o, m: [
        o["k"] * EXTREMES[o["words"]]([row[i] for row in m]) + o["c"] for i in range(len(m[0]))
    ],
    "rows of a table": lambda o, m: [o["k"] * sum(row) - EXTREMES[o["words"]](row) for row in m],
    "diagonals of a table": lambda o, m: sum(
        x * (o["k"] * (i == j) + o["c"] * (i + j == len(m) - 1)) for i, row in enumerate(m) for j, x in enumerate(row)
    ),
}

REFERENCES: dict[str, Callable[[Mapping[str, Any]], Rule]] = {
    name: functools.partial(functools.partial, rule)
    for name, rule in (LISTS | CHAINS | COUNTING | ORDERING | SIMULATION).items()
}
