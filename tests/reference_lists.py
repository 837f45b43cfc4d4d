"""The algorithm families over lists, words and tables once more, written from their English alone: `REFERENCES`.

Where the source goes step by step, a reference tries out all possibilities, or says what the problem asks for in one
expression. It takes the arguments of a program, and by name those parameters that the English shows, never a piece of
source.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Sequence
from functools import partial, reduce
from itertools import accumulate, chain, combinations, count, groupby, pairwise, product, zip_longest
from typing import Any

PICK: dict[str, Callable[..., Any]] = {"largest": max, "larger": max, "largest number": max, "sum": sum}
PICK |= {"smallest": min, "smaller": min, "smallest number": min}
# By how much a number is above, below, away from another.
BY = {"above": lambda x, y: x - y, "below": lambda x, y: y - x, "away from": lambda x, y: abs(x - y)}


def repeated(step: Callable[[Any], Any], start: Any, n: int) -> Any:
    """What `start` becomes by `n` steps."""
    return reduce(lambda now, _: step(now), range(n), start)


def sublists(a: Sequence[int]) -> Iterable[tuple[int, ...]]:
    """Every choice of elements of `a`, by place, in their order."""
    return chain.from_iterable(combinations(a, size) for size in range(len(a) + 1))


def stretches(a: Any, size: int | None = None) -> list[Any]:
    """Every stretch of neighbours in a list or a word, by its start, then its length; or those of one size."""
    ends = combinations(range(len(a) + 1), 2)
    return [a[i:j] for i, j in ends if size in (None, j - i)]


def apart(size: int) -> list[tuple[int, ...]]:
    """All ways to choose (1) or leave out (0) so that no two neighbours are chosen."""
    return [way for way in product((0, 1), repeat=size) if (1, 1) not in pairwise(way)]


def best_without_neighbours(a: list[int], k: int, c: int) -> int:
    def given(way: tuple[int, ...]) -> int:
        return sum(x + k if now else 0 if after else c for x, now, after in zip(a, way, [*way, 0][1:], strict=True))

    return max(map(given, apart(len(a))))


def cheapest_along(a: list[int], s: int, k: int) -> int:
    def cost(place: int) -> int:
        return place * s if place < 2 else a[place - 2] + min(cost(place - 1), cost(place - 2) + k)

    return cost(len(a) + 1)


def ways_to_sum(a: list[int], k: int, words: str) -> list[int]:
    most = {"each at most once": 1, "each as often as liked": k}[words]
    sums = [sum(map(operator.mul, a, times)) for times in product(range(most + 1), repeat=len(a))]
    return [sums.count(wanted) for wanted in range(k + 1)]


def way_down(t: list[list[int]], k: int, words: str) -> int:
    turns = product((0, 1), repeat=len(t) - 1)
    ways = [[*accumulate(some, initial=0)] for some in turns]
    return PICK[words](sum(map(operator.getitem, t, way)) + k * way[-1] for way in ways)


def through_rows(m: list[list[int]], k: int, c: int) -> list[int]:
    def price(way: tuple[int, ...]) -> int:
        return c + sum(map(operator.getitem, m, way)) + k * sum(abs(i - j) for i, j in pairwise(way))

    ways = list(product(*(range(len(row)) for row in m)))
    return [min(price(way) for way in ways if way[-1] == end) for end in range(len(m[-1]))]


def first_pair(a: list[int], words: str, c: int) -> list[int]:
    (kind,), (number,) = re.findall("add up|more|less", words), re.findall(r"\d+", words)
    result = {"add up": lambda x, y: x + y, "more": lambda x, y: y - x, "less": lambda x, y: x - y}[kind]
    places = combinations(range(len(a)), 2)
    pairs = [(j, -i) for i, j in places if result(a[i], a[j]) == int(number)]
    return [c - min(pairs)[1], c + min(pairs)[0]] if pairs else [len(a)]


def ends_taken(a: list[int], k: int, c: int) -> list[int]:
    if len(a) < 2:
        return []
    first, *middle, last = sorted(a)
    if first + last > k:
        return ends_taken([first, *middle], k, c)
    return [c * first + last, *ends_taken([*middle, last], k, c)]


def merged(a: list[int], b: list[int], k: int, c: int) -> list[int]:
    if not a or not b:
        return a + b
    if a[0] - b[0] <= k:
        return [a[0], *merged(a[1:], b, k, c)]
    return [b[0] + c, *merged(a, b[1:], k, c)]


def ring_left(a: list[int], n: int, k: int) -> list[int]:
    def counted_out(state: tuple[list[int], int]) -> tuple[list[int], int]:
        ring, place = state[0], (state[1] + k) % len(state[0])
        return ring[:place] + ring[place + 1 :], place

    ring, place = repeated(counted_out, (a, 0), len(a) - n)
    return [x + place for x in ring]


def runs(text: str) -> list[str]:
    """The runs of equal letters."""
    return ["".join(same) for _, same in groupby(text)]


def runs_counted(s: str, words: str) -> str:
    number, letter_last = int(re.findall(r"\d+", words)[0]), words.endswith("its letter")
    lengths = [str(number * len(run) if "times" in words else number + len(run)) for run in runs(s)]
    return "".join(n + run[0] if letter_last else run[0] + n for n, run in zip(lengths, runs(s), strict=True))


def change_cost(s: str, t: str, k: int, m: int) -> int:
    if not s or not t:
        return k * (len(s) + len(t))
    cost = partial(change_cost, k=k, m=m)
    return min(cost(s[1:], t) + k, cost(s, t[1:]) + k, cost(s[1:], t[1:]) + m * (s[0] != t[0]))


def taken(words: str, a: Any) -> Any:
    return TAKEN[re.sub(" (parts?|letters?)", "", words)](a)


def places(*v: list[int]) -> set[int]:
    return {place for start, end in v for place in range(start, end)}


def merged_lengths(v: list[list[int]], k: int, c: int) -> list[int]:
    """Links intervals that are near each other until nothing changes, in whatever order they come."""
    for i, j in combinations(range(len(v)), 2):
        start, end = min(v[i][0], v[j][0]), max(v[i][1], v[j][1])
        if max(v[i][0], v[j][0]) - min(v[i][1], v[j][1]) <= k:
            rest = [interval for n, interval in enumerate(v) if n not in (i, j)]
            return merged_lengths([*rest, [start, end]], k, c)
    return [end - start + c for start, end in sorted(v)]


def meetings(v: list[list[int]], s: int, k: int) -> list[int]:
    left = [(end, start) for start, end in v if start >= s]
    return [min(left)[1], *meetings(v, min(left)[0] + k, k)] if left else []


def after_numbers(s: str, k: int, m: int) -> int:
    def result(found: re.Match[str]) -> str:
        x, y = int(found[1]), int(found[2])
        return str((x + y + k if found[3] == "+" else x * y) % m)

    return int(repeated(lambda text: re.sub(r"(\d+) (\d+) ([+*])", result, text, count=1), " ".join(s), len(s)))


def undone(a: list[int], u: int, c: int, k: int) -> list[int]:
    if u not in a:
        return [x + c for x in a]
    last = len(a) - 1 - a[::-1].index(u)
    before = undone(a[:last], u, c, k)
    return before[: max(0, len(before) - k)] + [x + c for x in a[last + 1 :]]


def biscuits(a: list[int], b: list[int], k: int, c: int) -> list[int]:
    """As many children as can be get one, those with the smallest numbers, from the largest biscuits."""
    a, b = sorted(a), sorted(b)
    counts = range(min(len(a), len(b)) + 1)
    fed = max(n for n in counts if all(map(lambda x, y: x + k <= y, a, b[len(b) - n :])))
    return [x + c for x in a[fed:]]


def pause_times(s: str, k: int, m: int) -> list[int]:
    times: list[int] = []
    for i, c in enumerate(s):
        same = [time + k + m for time, letter in zip(times, s, strict=False) if letter == c]
        times.append(max([m, *(time + m for time in times[i - 1 : i]), *same]))
    return times


TAKEN: dict[str, Callable[[Any], Any]] = {  # letters of a word, or parts or words of a list
    "all": list,
    "all from the last to the first": lambda a: list(reversed(a)),
    "all but the first": lambda a: a[1:],
    "all but the last": lambda a: a[:-1],
    "every second, from the first on": lambda a: [x for i, x in enumerate(a) if i % 2 == 0],
    "the first": lambda a: a[:1],
    "the first two": lambda a: a[:2],
    "the last": lambda a: a[-1:],
    "the last two": lambda a: a[-2:],
}
IN_ORDER = {"in their order": list, "the smallest first": sorted, "the largest first": lambda a: sorted(a)[::-1]}
HOW = {
    "write big": str.upper,
    "write twice": lambda c: c * 2,
    "put x in place of": lambda c: "x",
    "leave out": lambda c: "",
}
TIMES: dict[str, Iterable[int]] = {"at least twice": range(2, 10), "exactly once": {1}, "exactly twice": {2}}
TIMES["once or at least three times"] = {1, *range(3, 10)}
MEMBERS = {  # of a, of b
    "both a and b": {(True, True)},
    "a or b or both": {(True, True), (True, False), (False, True)},
    "a but not in b": {(True, False)},
    "just one of a and b": {(True, False), (False, True)},
}

REFERENCES: dict[str, Callable[..., Any]] = {
    # Lists and prefix sums.
    "scaled and shifted numbers": lambda a, k, c: [c + k * x for x in a],
    "numbers past a bound": lambda a, words, k, c: [x + c for x in a if BY[words](x, k) > 0],
    "heights between two levels": lambda a, low, high: [sorted((low, x, high))[1] - low for x in a],
    "rotated and raised list": lambda a, k, c: [x + c for x in chain(a[k:], a[:k])],
    "alternating weights": lambda a, m, k: sum(-m * x if i % 2 else k * x for i, x in enumerate(a)),
    "numbers and their places": lambda a, c, k: list(map(operator.add, a, count(c, k))),
    "neighbour distances": lambda a, k, c: [k * (max(p) - min(p)) + c for p in pairwise(a)],
    "neighbours joined": lambda a, words, k, c: [PICK[words](p) * k + c for p in pairwise(a)],
    "blocks": lambda a, words, k, c: [PICK[words](a[i : i + k]) + c for i in range(len(a)) if i % k == 0],
    "two lists woven": lambda a, b, k, m: [(k * a[i] + b[i]) % m for i in range(min(len(a), len(b)))],
    # The bucket was empty at last at some place, or never.
    "leaking bucket": lambda a, s, c: max(
        s + sum(a) - c * len(a), *(sum(a[i:]) - c * len(a[i:]) for i in range(len(a) + 1))
    ),
    "list as a number in a base": lambda a, k, m: sum(x * k**i for i, x in enumerate(reversed(a))) % m,
    "three in a row": lambda a, e, k: [x + k * y + z for x, y, z in stretches([e, *a, e], 3)],
    "running sums": lambda a, m, c: [total % m + c for total in accumulate(a)],
    "start that can be paid": lambda a, k, c: [x + c for i, x in enumerate(a) if sum(a[: i + 1]) > k],
    "windows": lambda a, words, k, c: [c * PICK[words](w) for w in stretches(a, k)],
    "best window": lambda a, words, k, c: PICK[words](sum(w) for w in stretches(a, k)) + c,
    "sum between two places": lambda a, i, j, k, c: sum(x for n, x in enumerate(a) if i <= n < j) * k + c,
    "stretch raised": lambda a, i, j, k, c: [*map(operator.add, a, [-c] * i + [k] * (j - i) + [-c] * (len(a) - j))],
    "stretches with a given sum": lambda a, k, c: sum(sum(s) == k for s in stretches(a)) * c + sum(a),
    "sum that goes past a bound": lambda a, s, k: [
        n := sum(s + sum(a[:i]) <= k for i in range(len(a))),
        s + sum(a[:n]),
    ],
    "running extremes": lambda a, words, k: [*map(lambda best, x: k * best - x, accumulate(a, PICK[words]), a)],
    # Chains.
    "best without neighbours": best_without_neighbours,
    "best stretch with a toll": lambda a, k, m: m * max(map(sum, [[], *stretches([x - k for x in a])])),
    "longest chain up to each number": lambda a, k, words: [
        max(len(some) + 1 for some in sublists(a[:i]) if all(BY[words](z, y) >= k for y, z in pairwise((*some, x))))
        for i, x in enumerate(a)
    ],
    "cheapest way along a list": cheapest_along,
    "sums that fit": lambda a, s, k: sorted({t for some in sublists(a) if (t := s + sum(some)) <= k}),
    "ways to make each sum": ways_to_sum,
    "best way down a triangle": way_down,
    "cheapest way through rows": through_rows,
    # Counting.
    "count of each number": lambda a, n, k: [k * sum(x == i for x in a) for i in range(n)],
    "numbers by how often they occur": lambda a, words, c: [
        c * x for x, same in groupby(sorted(a)) if len(list(same)) in TIMES[words]
    ],
    "groups by remainder": lambda a, k, c: [c + sum(x for x in a if (x - r) % k == 0) for r in range(k)],
    "letters and their counts": lambda s, k, m: {c: k * len(list(same)) + m for c, same in groupby(sorted(s))},
    "pair found by what was seen": first_pair,
    "shared and unshared numbers": lambda a, b, words, k: sorted(
        {x + k for x in a + b if (x in a, x in b) in MEMBERS[words]}
    ),
    "missing numbers": lambda a, n, k: sorted({k * x for x in range(1, n + 1)} - {k * x for x in a}),
    "repeats dropped": lambda a, k, c: [k * x - c for i, x in enumerate(a) if x not in a[:i]],
    "place of the first equal one": lambda a, k, c: [k * min(i for i, y in enumerate(a) if y == x) + c for x in a],
    "pairs out of order": lambda a, m, k: k * sum(x - y > m for x, y in combinations(a, 2)) + len(a),
    # Ordering.
    "place in a sorted list": lambda a, k, x: [*(y for y in a if y < k), x, *(y for y in a if y >= k)],
    "nearest first": lambda a, k, n: sorted(sorted(a), key=lambda x: abs(x - k))[:n],
    "sorted by remainder": lambda a, k, words, c: [
        x + c for r in range(k) for x in sorted(a, reverse=words == "the largest") if x % k == r
    ],
    "one pass of exchanges": lambda a, words, k, c: reduce(
        lambda b, x: [*b[:-1], x, b[-1]] if b and BY[words](b[-1], x) > k else [*b, x], [x + c for x in a], []
    ),
    "sum of the smallest or largest": lambda a, words, m: (
        m * sum(sorted(a, reverse="largest" in words)[: {"two": 2, "three": 3}[words.split()[0]]])
    ),
    "extreme moved to the front": lambda a, words, k: [
        (best := PICK[words](a)) + k,
        *(x for i, x in enumerate(a) if x != best or x in a[:i]),
    ],
    "place of the extreme": lambda a, words, k: (
        (best := PICK[words](a)) + k * min(i for i, x in enumerate(a) if x == best)
    ),
    "marked numbers to the end": lambda a, k, d: [x if x != k else d for x in sorted(a, key=lambda x: x == k)],
    "outer pairs": lambda a, k, words: [
        k * x + {"plus": y, "minus": -y}[words] for x, y in zip(a, a[::-1], strict=True)
    ][: len(a) // 2],
    "ends taken until they meet": ends_taken,
    "two lists merged": merged,
    "water between walls": lambda a, k, c: max(
        ((min(a[i], a[j]) + c) * (j - i + k) for i, j in combinations(range(len(a)), 2)), default=0
    ),
    # Simulation.
    "last ones in a ring": ring_left,
    "walk on a line": lambda steps, s, k, m: s + k * steps.count("R") - m * (len(steps) - steps.count("R")),
    "jumps along a ring": lambda a, k, c: c * a[i := reduce(lambda i, _: i + a[i % len(a)], range(k), 0) % len(a)] + i,
    "table turned": lambda m, words, c: [
        [x + c for x in column[:: {"from top to bottom": 1, "from bottom to top": -1}[words]]]
        for column in zip(*m, strict=True)
    ],
    "columns of a table": lambda m, words, k, c: [k * PICK[words]([row[i] for row in m]) + c for i in range(len(m[0]))],
    "rows of a table": lambda m, k, words: [k * sum(row) - PICK[words](row) for row in m],
    "diagonals of a table": lambda m, k, c: sum(
        x * (k * (i == j) + c * (i + j == len(m) - 1)) for i, row in enumerate(m) for j, x in enumerate(row)
    ),
    # Strings and words.
    "letters repeated or replaced": lambda s, set, k, x: "".join(c * k if c in {*set} else x for c in s),
    "letters left out": lambda s, set, x: re.sub(f"[{set}]", "", s) + x,
    "two letters exchanged": lambda s, p, q, k: s.translate(str.maketrans(p + q, q + p)) + s[:k],
    "sorted letters": lambda s, order, k, x: x.join(sorted(s, reverse=order == "from z to a")[:k]),
    "runs counted": runs_counted,
    "letter points": lambda s, q, p, set: q * len(s) + (p - q) * sum(s.count(c) for c in set),
    "letter put in": lambda s, k, x: re.sub(f"^(.{{0,{k}}})", rf"\g<1>{x}", s),
    "start turned around": lambda s, k, x: "".join([*reversed(s[:k]), x, s[k:]]),
    "halves exchanged": lambda s, k, x: re.sub(f"^(.{{0,{k}}})(.*)$", rf"\g<2>{x}\g<1>", s),
    "mirrored word": lambda s, k, x: s + x + "".join(s[i] for i in reversed(range(len(s) - k))),
    "places of a letter": lambda s, p, k, c: [k * found.start() + c for found in re.finditer(p, s)],
    "most or least frequent letter": lambda s, words, x: re.sub(
        min(s, key=lambda c: ({"most": -1, "least": 1}[words] * s.count(c), c)), x, s
    ),
    "runs cut short": lambda s, k, x: "".join(run[:k] for run in runs(s)) + x,
    "different pieces": lambda s, k, x: x.join(sorted({*stretches(s, k)})),
    "letters changed in turn": lambda s, words, k, r: "".join(
        HOW[words](c) if (i - r) % k == 0 else c for i, c in enumerate(s)
    ),
    "parts turned around": lambda s, sep, words, join: join.join(taken(words, s.split(sep))),
    "letters and counts unpacked": lambda s, k, x: x.join(c * (int(n) + k) for c, n in re.findall(r"(.)(\d)", s)),
    "rests after a common start": lambda s, t, k, x: (
        s[(same := max(n for n in range(k + 1) if n <= min(len(s), len(t)) and s[:n] == t[:n])) :] + x + t[same:]
    ),
    "letters that differ": lambda s, t, k, m: sum(
        m if "" in (x, y) else k * (x != y) for x, y in zip_longest(s, t, fillvalue="")
    ),
    "rest of a pattern": lambda s, w, x: w[max(n for n in range(len(w) + 1) if re.search(".*".join(w[:n]), s)) :] + x,
    "longest piece that reads both ways": lambda s, k, x: (
        max((p for p in stretches(s) if len(p) >= k and [*p] == [*reversed(p)]), key=len, default="") + x
    ),
    "ends of words joined": lambda a, words, x: x.join(taken(words, w) for w in a),
    "words in order of length": lambda a, words, x: x.join(taken(words, sorted(sorted(a), key=len))),
    "words with a letter": lambda a, words, p, x: [w + x for w in a if bool(w.count(p)) == (words != "no")],
    "cost of changing a word": change_cost,
    "letters in common order": lambda s, t, k, m: (
        k * max(len(part) for part in sublists(s) if re.search(".*".join(part), t)) + m * (len(s) + len(t))
    ),
    # Intervals.
    "interval cut to bounds": lambda a, b, low, high: [sorted((a, low))[1], sorted((b, high))[0]],
    "length that two intervals share": lambda v, w, k, c: len(places(v) & places(w)) * k + c,
    "numbers covered": lambda v, k, c: len(places(*v)) * k + c,
    "free places": lambda v, c, n: [place + c for place in sorted({*range(n)} - places(*v))],
    "intervals grown": lambda v, k, m: [[start - k, end + m] for start, end in v],
    "lengths of merged intervals": merged_lengths,
    "intervals at each time": lambda v, k, n: [k * sum(t in range(*interval) for interval in v) for t in range(n)],
    "points in and out": lambda a, p, low, high, q: sum(p if x in range(low, high + 1) else -q for x in a),
    "meetings that fit": meetings,
    # Stacks.
    "depth of brackets": lambda s, k, m: (
        k * max(s[:n].count("(") - s[:n].count(")") for n in range(len(s) + 1)) + m * (s.count("(") - s.count(")"))
    ),
    "neighbours that cancel": lambda s, p, q, x: repeated(lambda s: re.sub(f"{p}|{q}", "", s, count=1), s, len(s)) + x,
    "next number that is far enough": lambda a, words, k, d: [
        next((y for y in a[i:] if BY[words](y, x) > k), d) for i, x in enumerate(a)
    ],
    "signs after their numbers": after_numbers,
    "tower of numbers": lambda a, words, k, c: [
        c * y
        for y in reduce(
            lambda out, x: [*out[: max((n for n, y in enumerate(out, 1) if BY[words](y, x) <= k), default=0)], x], a, []
        )
    ],
    "list with undo": undone,
    "equal neighbours merged": lambda a, k, c: [
        *reduce(lambda out, x: [*out[:-1], x * k] if out[-1:] == [x] else [*out, x], a, []),
        c,
    ],
    "letters rubbed out": lambda s, d, k, m: repeated(
        lambda t: re.sub(f"[^{d}]{{0,{k}}}{d}", "", t, count=1), "".join(c if c == d else c * m for c in s), len(s)
    ),
    "shelf of the latest": lambda a, k, c: [c * x for x in [*dict.fromkeys(reversed(a))][:k]][::-1],
    # Greedy.
    "enough taken": lambda a, words, k: (order := IN_ORDER[words](a))[
        : sum(t < k for t in accumulate(order, initial=0))
    ],
    "money left": lambda a, words, k: reduce(lambda left, x: left - x * (x <= left), IN_ORDER[words](a), k),
    "profit with a fee": lambda a, k, m, c: c + m * sum(y - x - k for x, y in pairwise(a) if y - x > k),
    "steps raised to climb": lambda a, s, k: max(x + k * steps for steps, x in enumerate([*reversed(a), s])),
    "furthest place reached": lambda a, s, c: (
        c * repeated(lambda r: max([r, *(i + x for i, x in enumerate(a) if i <= r)]), s, len(a))
    ),
    "boxes packed": lambda a, s, k: reduce(
        lambda out, x: [*out[:-1], out[-1] + x] if out[-1] + x <= k else [*out, x], a, [s]
    ),
    "children without a biscuit": biscuits,
    "times with a pause": pause_times,
}
