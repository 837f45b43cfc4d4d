"""A second implementation of the algorithm families over strings, stacks, intervals and greedy choices.

Written from their English alone, as `reference_lists` is.
"""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from reference_lists import Rule

# --- strings -------------------------------------------------------------------------------------------------------


def chunks(text: str) -> list[str]:
    """The runs of equal letters."""
    return ["".join(same) for _, same in itertools.groupby(text)]


def pieces(text: str) -> list[str]:
    """Every stretch of one letter or more, by its start, then its length."""
    return [text[i:j] for i, j in itertools.combinations(range(len(text) + 1), 2)]


def runs_counted(o: Mapping[str, Any], s: str) -> str:
    first, second = o["words"].split(" and ")

    def written(run: str, part: str) -> str:
        if part == "its letter":
            return run[0]
        (number,) = map(int, re.findall(r"\d+", part))
        return str(number * len(run) if "times" in part else number + len(run))

    return "".join(written(run, first) + written(run, second) for run in chunks(s))


def one_letter_replaced(o: Mapping[str, Any], s: str) -> str:
    sign = {"most": -1, "least": 1}[o["words"]]
    letter = min(s, key=lambda c: (sign * s.count(c), c))
    return re.sub(letter, o["x"], s)


def in_turn(o: Mapping[str, Any], s: str) -> str:
    change: dict[str, Callable[[str], str]] = {
        "write big": str.upper,
        "write twice": lambda c: c + c,
        "put x in place of": lambda c: "x",
        "leave out": lambda c: "",
    }
    return "".join(change[o["words"]](c) if (i - o["r"]) % o["k"] == 0 else c for i, c in enumerate(s))


PARTS: dict[str, Callable[[list[str]], Sequence[str]]] = {
    "all parts from the last to the first": lambda parts: list(reversed(parts)),
    "all parts but the first": lambda parts: parts[1:],
    "every second part, from the first on": lambda parts: [p for i, p in enumerate(parts) if i % 2 == 0],
}
STRINGS: dict[str, Rule] = {
    "letters repeated or replaced": lambda o, s: "".join(c * o["k"] if c in {*o["set"]} else o["x"] for c in s),
    "letters left out": lambda o, s: re.sub(f"[{o['set']}]", "", s) + o["x"],
    "two letters exchanged": lambda o, s: s.translate(str.maketrans(o["p"] + o["q"], o["q"] + o["p"])) + s[: o["k"]],
    "sorted letters": lambda o, s: o["x"].join(
        sorted(s, key=lambda c: {"from a to z": 1, "from z to a": -1}[o["order"]] * ord(c))[: o["k"]]
    ),
    "runs counted": runs_counted,
    "letter points": lambda o, s: o["q"] * len(s) + (o["p"] - o["q"]) * sum(s.count(c) for c in o["set"]),
    "letter put in": lambda o, s: re.sub(f"^(.{{0,{o['k']}}})", rf"\g<1>{o['x']}", s),
    "start turned around": lambda o, s: "".join([*reversed(s[: o["k"]]), o["x"], s[o["k"] :]]),
    "halves exchanged": lambda o, s: re.sub(f"^(.{{0,{o['k']}}})(.*)$", rf"\g<2>{o['x']}\g<1>", s),
    "mirrored word": lambda o, s: s + o["x"] + "".join(s[i] for i in reversed(range(len(s) - o["k"]))),
    "places of a letter": lambda o, s: [o["k"] * found.start() + o["c"] for found in re.finditer(o["p"], s)],
    "most or least frequent letter": one_letter_replaced,
    "runs cut short": lambda o, s: "".join(run[: o["k"]] for run in chunks(s)) + o["x"],
    "different pieces": lambda o, s: o["x"].join(sorted({p for p in pieces(s) if len(p) == o["k"]})),
    "letters changed in turn": in_turn,
    "parts turned around": lambda o, s: o["join"].join(PARTS[o["words"]](s.split(o["sep"]))),
    "letters and counts unpacked": lambda o, s: o["x"].join(
        found[1] * (int(found[2]) + o["k"]) for found in re.finditer(r"(.)(\d)", s)
    ),
}


# --- words ---------------------------------------------------------------------------------------------------------


def rests(o: Mapping[str, Any], s: str, t: str) -> str:
    same = max(n for n in range(o["k"] + 1) if n <= min(len(s), len(t)) and s[:n] == t[:n])
    return s[same:] + o["x"] + t[same:]


def is_subsequence(part: str, whole: str) -> bool:
    letters = iter(whole)
    return all(c in letters for c in part)


def pattern_rest(o: Mapping[str, Any], s: str) -> str:
    crossed = max(n for n in range(len(o["w"]) + 1) if is_subsequence(o["w"][:n], s))
    return o["w"][crossed:] + o["x"]


def longest_palindrome(o: Mapping[str, Any], s: str) -> str:
    found = [p for p in pieces(s) if len(p) >= o["k"] and p == "".join(reversed(p))]
    return max(found, key=len, default="") + o["x"]


def change_cost(o: Mapping[str, Any], s: str, t: str) -> int:
    if not s or not t:
        return o["k"] * (len(s) + len(t))
    return min(
        change_cost(o, s[1:], t) + o["k"],
        change_cost(o, s, t[1:]) + o["k"],
        change_cost(o, s[1:], t[1:]) + (o["m"] if s[0] != t[0] else 0),
    )


def common_letters(o: Mapping[str, Any], s: str, t: str) -> int:
    parts = itertools.chain.from_iterable(itertools.combinations(s, size) for size in range(len(s) + 1))
    longest = max(len(part) for part in parts if is_subsequence("".join(part), t))
    return o["k"] * longest + o["m"] * (len(s) + len(t))


ENDS: dict[str, Callable[[str], str]] = {
    "the first letter": lambda w: w[:1],
    "the first two letters": lambda w: w[:2],
    "the last letter": lambda w: w[-1:],
    "the last two letters": lambda w: w[-2:],
    "all letters but the first": lambda w: w[1:],
    "all letters but the last": lambda w: w[:-1],
}
CHOSEN: dict[str, Callable[[list[str]], list[str]]] = {
    "all": list,
    "all from the last to the first": lambda a: list(reversed(a)),
    "the first two": lambda a: a[:2],
    "all but the first": lambda a: a[1:],
}
WORDS: dict[str, Rule] = {
    "rests after a common start": rests,
    "letters that differ": lambda o, s, t: sum(
        o["m"] if x is None or y is None else o["k"] * (x != y) for x, y in itertools.zip_longest(s, t)
    ),
    "rest of a pattern": pattern_rest,
    "longest piece that reads both ways": longest_palindrome,
    "ends of words joined": lambda o, a: o["x"].join(map(ENDS[o["words"]], a)),
    "words in order of length": lambda o, a: o["x"].join(CHOSEN[o["words"]](sorted(sorted(a), key=len))),
    "words with a letter": lambda o, a: [
        word + o["x"] for word in a if bool(word.count(o["p"])) == (o["words"] == "at least one")
    ],
    "cost of changing a word": change_cost,
    "letters in common order": common_letters,
}


# --- intervals -----------------------------------------------------------------------------------------------------


def places(v: list[list[int]]) -> set[int]:
    return {place for start, end in v for place in range(start, end)}


def merged_lengths(o: Mapping[str, Any], v: list[list[int]]) -> list[int]:
    """Links intervals that are near each other until nothing changes, in whatever order they come."""
    groups = [(start, end) for start, end in v]
    for one, two in itertools.combinations(groups, 2):
        if max(one[0], two[0]) - min(one[1], two[1]) <= o["k"]:
            rest = list(groups)
            rest.remove(one)
            rest.remove(two)
            return merged_lengths(o, [*map(list, rest), [min(one[0], two[0]), max(one[1], two[1])]])
    return [end - start + o["c"] for start, end in sorted(groups)]


def meetings(o: Mapping[str, Any], v: list[list[int]]) -> list[int]:
    def starts(earliest: int) -> Iterator[int]:
        left = [(end, start) for start, end in v if start >= earliest]
        if left:
            end, start = min(left)
            yield start
            yield from starts(end + o["k"])

    return list(starts(o["s"]))


INTERVALS: dict[str, Rule] = {
    "interval cut to bounds": lambda o, a, b: [max(a, o["low"]), min(b, o["high"])],
    "length that two intervals share": lambda o, v, w: len(places([v]) & places([w])) * o["k"] + o["c"],
    "numbers covered": lambda o, v: len(places(v)) * o["k"] + o["c"],
    "free places": lambda o, v: [place + o["c"] for place in sorted({*range(o["n"])} - places(v))],
    "intervals grown": lambda o, v: [[start - o["k"], end + o["m"]] for start, end in v],
    "lengths of merged intervals": merged_lengths,
    "intervals at each time": lambda o, v: [
        o["k"] * sum(time in range(start, end) for start, end in v) for time in range(o["n"])
    ],
    "points in and out": lambda o, a: sum(o["p"] if x in range(o["low"], o["high"] + 1) else -o["q"] for x in a),
    "meetings that fit": meetings,
}


# --- stacks --------------------------------------------------------------------------------------------------------


def bracket_depth(o: Mapping[str, Any], s: str) -> int:
    depths = [s[:n].count("(") - s[:n].count(")") for n in range(len(s) + 1)]
    return o["k"] * max(depths) + o["m"] * depths[-1]


def cancelled(o: Mapping[str, Any], s: str) -> str:
    left = re.sub(f"{o['p']}|{o['q']}", "", s, count=1)
    return s + o["x"] if left == s else cancelled(o, left)


def next_far(o: Mapping[str, Any], a: list[int]) -> list[int]:
    sign = {"above": 1, "below": -1}[o["words"]]
    return [next((y for y in a[i:] if sign * (y - x) > o["k"]), o["d"]) for i, x in enumerate(a)]


def after_numbers(o: Mapping[str, Any], s: str) -> int:
    """Reads from the right: a sign, then its second number, then its first."""
    signs = list(s)

    def value() -> int:
        sign = signs.pop()
        if sign.isdigit():
            return int(sign)
        second, first = value(), value()
        return (first + second + o["k"] if sign == "+" else first * second) % o["m"]

    return value()


def tower(o: Mapping[str, Any], a: list[int]) -> list[int]:
    sign = {"above": 1, "below": -1}[o["words"]]

    def pile(under: list[int], x: int) -> list[int]:
        kept = max((n for n in range(1, len(under) + 1) if sign * (under[n - 1] - x) <= o["k"]), default=0)
        return [*under[:kept], x]

    return [o["c"] * x for x in functools.reduce(pile, a, [])]


def undone(o: Mapping[str, Any], a: list[int]) -> list[int]:
    if o["u"] not in a:
        return [x + o["c"] for x in a]
    last = len(a) - 1 - a[::-1].index(o["u"])
    before = undone(o, a[:last])
    return before[: max(0, len(before) - o["k"])] + undone(o, a[last + 1 :])


def pushed_together(o: Mapping[str, Any], a: list[int]) -> list[int]:
    def push(kept: list[int], x: int) -> list[int]:
        return [*kept[:-1], x * o["k"]] if kept[-1:] == [x] else [*kept, x]

    return [*functools.reduce(push, a, []), o["c"]]


def rubbed(o: Mapping[str, Any], s: str) -> str:
    before, mark, after = s.rpartition(o["d"])
    kept = rubbed(o, before) if mark else ""
    return kept[: max(0, len(kept) - o["k"])] + "".join(c * o["m"] for c in after)


def shelf(o: Mapping[str, Any], a: list[int]) -> list[int]:
    latest = list(dict.fromkeys(reversed(a)))[: o["k"]]
    return [o["c"] * x for x in reversed(latest)]


STACKS: dict[str, Rule] = {
    "depth of brackets": bracket_depth,
    "neighbours that cancel": cancelled,
    "next number that is far enough": next_far,
    "signs after their numbers": after_numbers,
    "tower of numbers": tower,
    "list with undo": undone,
    "equal neighbours merged": pushed_together,
    "letters rubbed out": rubbed,
    "shelf of the latest": shelf,
}


# --- greedy --------------------------------------------------------------------------------------------------------


def ordered(words: str, a: list[int]) -> list[int]:
    return {"in their order": a, "the smallest first": sorted(a), "the largest first": sorted(a, reverse=True)}[words]


def enough(o: Mapping[str, Any], a: list[int]) -> list[int]:
    order = ordered(o["words"], a)
    return order[: next((n for n in range(len(a)) if sum(order[:n]) >= o["k"]), len(a))]


def reach(o: Mapping[str, Any], a: list[int]) -> int:
    furthest = o["s"]
    for _ in a:
        furthest = max([furthest, *(i + x for i, x in enumerate(a) if i <= furthest)])
    return furthest * o["c"]


def boxes(o: Mapping[str, Any], a: list[int]) -> list[int]:
    def pack(loads: tuple[int, ...], weight: int) -> tuple[int, ...]:
        *full, last = loads
        return (*full, last + weight) if last + weight <= o["k"] else (*full, last, weight)

    return list(functools.reduce(pack, a, (o["s"],)))


def biscuits(o: Mapping[str, Any], a: list[int], b: list[int]) -> list[int]:
    hungry = sorted(a)
    for size in sorted(b):
        hungry = hungry[1:] if hungry and size - hungry[0] >= o["k"] else hungry
    return [x + o["c"] for x in hungry]


def pause_times(o: Mapping[str, Any], s: str) -> list[int]:
    times: list[int] = []
    for i, c in enumerate(s):
        same = [time + o["k"] + o["m"] for time, letter in zip(times, s, strict=False) if letter == c]
        times.append(max([o["m"], *(time + o["m"] for time in times[i - 1 : i]), *same]))
    return times


GREEDY: dict[str, Rule] = {
    "enough taken": enough,
    "money left": lambda o, a: functools.reduce(
        lambda coins, price: coins - price * (price <= coins), ordered(o["words"], a), o["k"]
    ),
    "profit with a fee": lambda o, a: (
        o["c"] + o["m"] * sum(y - x - o["k"] for x, y in itertools.pairwise(a) if y - x > o["k"])
    ),
    "steps raised to climb": lambda o, a: max(x + o["k"] * steps for steps, x in enumerate([*reversed(a), o["s"]])),
    "furthest place reached": reach,
    "boxes packed": boxes,
    "children without a biscuit": biscuits,
    "times with a pause": pause_times,
}

REFERENCES: dict[str, Callable[[Mapping[str, Any]], Rule]] = {
    name: functools.partial(functools.partial, rule)
    for name, rule in (STRINGS | WORDS | INTERVALS | STACKS | GREEDY).items()
}
