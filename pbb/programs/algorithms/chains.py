"""Families of dynamic programming over lists and tables: each best value from those before it."""

from __future__ import annotations

import random
from typing import Any

from pbb.programs.algorithms.family import Family, family
from pbb.programs.algorithms.sampling import Choice, Inputs, grids, number_lists


@Inputs
def _triangle(rng: random.Random, choice: Choice) -> tuple[Any, ...]:
    return ([[rng.randint(0, 9) for _ in range(n + 1)] for n in range(rng.randint(1, 3))],)


FAMILIES: tuple[Family, ...] = (
    family("best without neighbours", "dynamic programming", "medium")(
        problem="""Choose numbers of a, no two of them neighbours. Each chosen one gives itself plus $k, each one left
        out gives $c, but one left out just before a chosen one gives nothing. What is the most that can be had""",
        steps="""let p be 0 and q be 0; for each x in a: let r be the larger of q plus $c and p plus x plus $k; let p be
        q and q be r; return q.""",
        source="""def $NAME(a):
            p = 0
            q = 0
            for x in a:
                r = max(q + $c, p + x + $k)
                p = q
                q = r
            return q""",
        parameters={"k": (1, 2, 3, 4), "c": (1, 2, 3)},
        inputs=number_lists().with_edges([], [5]),
    ),
    family("best stretch with a toll", "dynamic programming", "medium")(
        problem="""Subtract $k from each number of a and find the stretch of neighbours with the largest sum, or 0 if
        every sum is below 0. Multiply that sum by $m""",
        steps="""let t be 0 and best be 0; for each x in a: let t be t plus x minus $k, raised to at least 0; raise best
        to at least t; return best times $m.""",
        source="""def $NAME(a):
            t = 0
            best = 0
            for x in a:
                t = max(t + x - $k, 0)
                best = max(best, t)
            return best * $m""",
        parameters={"k": (3, 4, 5), "m": (2, 3, 4, 5)},
        inputs=number_lists(shortest=3).with_edges([], [9, 1, 9]),
    ),
    family("longest chain up to each number", "dynamic programming", "medium")(
        problem="""In a chain of numbers of a, in their order, each next one is at least $k $words the one before. For
        each number of a, give the length of the longest chain that ends with it""",
        steps="""let b be empty; for each place i of a, from the left: look at all places j before i where the number at
        i is at least $k $words the number at j; take the largest number of b at these places (0 if there are none), add
        1, put it at the end of b; return b.""",
        source="""def $NAME(a):
            b = []
            for i in range(len(a)):
                b.append(max([b[j] for j in range(i) if $gap >= $k] + [0]) + 1)
            return b""",
        parameters={
            "gap, words": (("a[i] - a[j]", "above"), ("a[j] - a[i]", "below"), ("abs(a[i] - a[j])", "away from")),
            "k": (1, 2, 3, 4),
        },
        inputs=number_lists(shortest=3).with_edges([], [2, 5, 9]),
    ),
    family("cheapest way along a list", "dynamic programming", "short")(
        problem="""Two places come before a: to be at the first costs 0, at the second $s. To step on a number of a
        costs that number, to jump over one place $k more. What does it cost at least to stand on the last of all these
        places""",
        steps="""let b be the list of 0 and $s; for each x in a: take the smaller of the last number of b and the one
        before it plus $k; add x; put it at the end of b; return the last number of b.""",
        source="""def $NAME(a):
            b = [0, $s]
            for x in a:
                b = b + [x + min(b[-1], b[-2] + $k)]
            return b[-1]""",
        parameters={"s": (1, 3, 5), "k": (0, 1, 2, 3)},
        inputs=number_lists(shortest=1, longest=3).with_edges([], [0, 0]),
    ),
    family("sums that fit", "dynamic programming", "medium")(
        problem="""Start from $s and add some of the numbers of a, or none, each at most once. Give all sums up to $k
        that can come out, in rising order""",
        steps="""let b be a list with only $s; for each x in a: add x to each number of b, and put those results that
        are at most $k into b too; sort b, each number only once; return b.""",
        source="""def $NAME(a):
            b = [$s]
            for x in a:
                b = sorted(set(b + [y + x for y in b if y + x <= $k]))
            return b""",
        parameters={"s": (0, 1, 2), "k": (7, 8, 9, 10)},
        inputs=number_lists(low=1, high=6, longest=4).with_edges([], [2, 2, 9]),
    ),
    family("ways to make each sum", "dynamic programming", "long")(
        problem="In how many ways can each sum from 0 to $k be made of the numbers of a, $words",
        steps="""let b be 1 and then $k zeros; for each x in a and each place t of b, $along, that is at least x: add
        the number of b at t - x to the one at t; return b.""",
        source="""def $NAME(a):
            b = [1] + [0] * $k
            for x in a:
                for t in range($order):
                    b[t] = b[t] + b[t - x]
            return b""",
        parameters={
            "k, order, along, words": [
                (k, order, along, words)
                for k in (3, 4, 5, 6)
                for order, along, words in (
                    (f"{k}, x - 1, -1", "from the last to the first", "each at most once"),
                    (f"x, {k + 1}", "from the first to the last", "each as often as liked"),
                )
            ]
        },
        inputs=number_lists(low=1, high=4, shortest=1, longest=3).with_edges([], [1, 1]),
    ),
    family("best way down a triangle", "dynamic programming", "medium")(
        problem="""Go down the triangle t from its top: from place i of a row to place i or i + 1 of the next, where the
        second adds $k. Add up the numbers on the way; give the $words sum there is""",
        steps="""let b be the last row of t; for each row above it, from low to high: for each x in the row at place i:
        add to x the $pick of the number of b at i and the one at i + 1 plus $k; let b be the list of results; return
        the first number of b.""",
        source="""def $NAME(t):
            b = t[-1]
            for row in t[::-1][1:]:
                b = [x + $f(b[i], b[i + 1] + $k) for i, x in enumerate(row)]
            return b[0]""",
        parameters={
            "f, pick, words": (("min", "smaller", "smallest"), ("max", "larger", "largest")),
            "k": (0, 1, 2, 3, 4),
        },
        inputs=_triangle.with_edges([[7]], [[0], [5, 5]]),
    ),
    family("cheapest way through rows", "dynamic programming", "medium")(
        problem="""Go through the rows of table m from the first to the last, one place in each, and pay its number, and
        $k for each column that you move aside. Give the least cost to end at each place of the last row, plus $c""",
        steps="""let b be the first row of m; for each next row: for each x in it at place i: for each y in b at place
        j, take y plus $k times the distance of i and j; add the least of these to x; let b be the list of results; add
        $c to each number of b; return the list.""",
        source="""def $NAME(m):
            b = m[0]
            for row in m[1:]:
                b = [x + min(y + $k * abs(i - j) for j, y in enumerate(b)) for i, x in enumerate(row)]
            return [x + $c for x in b]""",
        parameters={"k": (1, 2, 3, 4), "c": (1, 2, 3)},
        inputs=grids(rows=3, columns=3).with_edges([[4]], [[1, 9], [9, 1]]),
    ),
)
