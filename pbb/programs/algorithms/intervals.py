"""Families over intervals: cut, grown, merged, counted, chosen."""

from __future__ import annotations

import random
from typing import Any

from pbb.programs.algorithms.family import Family, family
from pbb.programs.algorithms.sampling import Choice, Inputs, interval_lists, number_lists


@Inputs
def _interval(rng: random.Random, choice: Choice) -> tuple[Any, ...]:
    """Draw a start from 0 to 6 and an end from 4 to 12 that is not before it."""
    start = rng.randint(0, 6)
    return (start, rng.randint(max(start, 4), 12))


@Inputs
def _two_intervals(rng: random.Random, choice: Choice) -> tuple[Any, ...]:
    return tuple([rng.randint(0, 5), rng.randint(5, 12)] for _ in range(2))


FAMILIES: tuple[Family, ...] = (
    family("interval cut to bounds", "intervals", "short")(
        problem="Cut the interval from a to b so that it starts at $low or later and ends at $high or earlier",
        steps="raise a to at least $low; cut b to at most $high; return the list of the two.",
        source="def $NAME(a, b): return [max(a, $low), min(b, $high)]",
        parameters={"low": (1, 2, 3, 4), "high": (6, 7, 8, 9)},
        inputs=_interval.with_edges((0, 0), (0, 12)),
    ),
    family("length that two intervals share", "intervals", "short")(
        problem="""Intervals v and w are given as start and end. Multiply the length that they have in common by $k and
        add $c""",
        steps="""take the smaller of their second numbers minus the larger of their first numbers; raise to at least 0,
        multiply by $k, add $c; return it.""",
        source="""def $NAME(v, w):
            n = min(v[1], w[1]) - max(v[0], w[0])
            return max(n, 0) * $k + $c""",
        parameters={"k": (2, 3, 4), "c": (1, 2, 3, 4)},
        inputs=_two_intervals.with_edges(([0, 2], [4, 9]), ([1, 6], [6, 7])),
    ),
    family("numbers covered", "intervals", "short")(
        problem="""Each pair in v is an interval from its start up to but without its end. Multiply how many whole
        numbers they cover together by $k and add $c""",
        steps="""for each pair s and e in v: collect the whole numbers from s to e - 1, each number only once in all;
        count them, multiply by $k, add $c; return it.""",
        source="""def $NAME(v):
            t = {x for s, e in v for x in range(s, e)}
            return len(t) * $k + $c""",
        parameters={"k": (2, 3, 4), "c": (1, 2, 3, 4)},
        inputs=interval_lists(high=12).with_edges([], [[1, 4], [2, 6]]),
    ),
    family("free places", "intervals", "short")(
        problem="""Each pair in v takes the places from its start up to but without its end. Give the places from 0 to
        below $n that stay free, plus $c each""",
        steps="""for each pair s and e in v: mark the whole numbers from s to e - 1; for each number from 0 to below $n
        that is not marked: add $c; return the list of results.""",
        source="""def $NAME(v):
            t = {x for s, e in v for x in range(s, e)}
            return [x + $c for x in range($n) if x not in t]""",
        parameters={"n": (6, 7, 8, 9), "c": (1, 2, 3)},
        inputs=interval_lists(longest=2).with_edges([[0, 9]], [[2, 4], [3, 5]]),
    ),
    family("intervals grown", "intervals", "short")(
        problem="Let each interval in v start $k earlier and end $m later",
        steps="for each pair s and e in v: subtract $k from s and add $m to e; return the list of the new pairs.",
        source="def $NAME(v): return [[s - $k, e + $m] for s, e in v]",
        parameters={"k": (1, 2, 3), "m": (1, 2, 3, 4)},
        inputs=interval_lists(longest=2).with_edges([], [[0, 1]]),
    ),
    family("lengths of merged intervals", "intervals", "medium")(
        problem="""Merge the intervals in v that overlap or have a gap of at most $k between them. Give the lengths of
        the merged ones in order, plus $c each""",
        steps="""let out be empty; for each pair s and e in v, sorted: if out is not empty and s is at most $k above the
        end of the last pair of out: raise that end to at least e; otherwise: put the pair s and e at the end of out;
        for each pair of out: take its end minus its start, add $c; return the list of results.""",
        source="""def $NAME(v):
            out = []
            for s, e in sorted(v):
                if out and s <= out[-1][1] + $k:
                    out[-1][1] = max(out[-1][1], e)
                else:
                    out.append([s, e])
            return [e - s + $c for s, e in out]""",
        parameters={"k": (0, 1, 2, 3), "c": (1, 2, 3)},
        inputs=interval_lists(high=12).with_edges([], [[5, 7], [0, 3]]),
    ),
    family("intervals at each time", "intervals", "medium")(
        problem="""For each time from 0 to below $n, give $k times the number of intervals in v that have started by
        then and end later""",
        steps="""let out be empty; for each t from 0 to below $n: count the pairs s and e in v for which s is at most t
        and e is above t; multiply by $k; put it at the end of out; return out.""",
        source="""def $NAME(v):
            out = []
            for t in range($n):
                out.append($k * sum(1 for s, e in v if s <= t < e))
            return out""",
        parameters={"n": (3, 4, 5), "k": (1, 2, 3, 4)},
        inputs=interval_lists(high=6).with_edges([], [[0, 1]]),
    ),
    family("points in and out", "intervals", "short")(
        problem="""Each number of a from $low to $high, both included, gives $p points, every other one costs $q. How
        many points are there""",
        steps="""for each x in a: $p if x is at least $low and at most $high, otherwise minus $q; add all of these up;
        return the sum.""",
        source="def $NAME(a): return sum($p if $low <= x <= $high else -$q for x in a)",
        parameters={"low": (2, 3, 4), "high": (6, 7), "p": (3, 4), "q": (1, 2)},
        inputs=number_lists(shortest=1).with_edges([], [3, 6]),
    ),
    family("meetings that fit", "intervals", "medium")(
        problem="""Choose meetings from v, given as start and end: always the one that ends first, of equal ends the one
        that starts first, if it starts at $s or later and $k or more after the last chosen one's end. Give their
        starts""",
        steps="""let t be $s and out be empty; for each pair s and e in v, in the order of e, then of s: if s is at
        least t: put s at the end of out, and let t be e plus $k; return out.""",
        source="""def $NAME(v):
            t = $s
            out = []
            for e, s in sorted((e, s) for s, e in v):
                if s >= t:
                    out.append(s)
                    t = e + $k
            return out""",
        parameters={"s": (0, 1, 2), "k": (0, 1, 2)},
        inputs=interval_lists(high=8).with_edges([], [[2, 4], [4, 6], [0, 7]]),
    ),
)
