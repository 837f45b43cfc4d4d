"""Families that play a small process step by step, and tables."""

from __future__ import annotations

import random
from typing import Any

from pbb.programs.algorithms.family import Family, family
from pbb.programs.algorithms.sampling import Choice, Inputs, grids, number_lists, words


@Inputs
def _people(rng: random.Random, choice: Choice) -> tuple[Any, ...]:
    return (rng.sample(range(1, 10), rng.randint(3, 5)),)


@Inputs
def _square(rng: random.Random, choice: Choice) -> tuple[Any, ...]:
    size = rng.randint(1, 3)
    return ([[rng.randint(0, 9) for _ in range(size)] for _ in range(size)],)


FAMILIES: tuple[Family, ...] = (
    family("last ones in a ring", "simulation", "medium")(
        problem="""The numbers of a stand in a ring. From place 0, go $k places on and take that number out, then go on
        from its place, until at most $n are left. Give those left, plus the last place used (0 if none) each""",
        steps="""let i be 0; while a has more than $n numbers: let i be i plus $k modulo the length of a; take the
        number at place i, counted from 0, out of a; add i to each number of a; return the list.""",
        source="""def $NAME(a):
            i = 0
            while len(a) > $n:
                i = (i + $k) % len(a)
                a = a[:i] + a[i + 1:]
            return [x + i for x in a]""",
        parameters={"n": (1, 2), "k": (1, 2, 3, 4, 5)},
        inputs=_people.with_edges([], [4, 1, 2]),
    ),
    family("walk on a line", "simulation", "short")(
        problem="Start at $s. For each letter of s go $k up if it is R, otherwise $m down. Where is the end",
        steps="let p be $s; for each letter c of s: if c is R: add $k to p, otherwise subtract $m from p; return p.",
        source="""def $NAME(s):
            p = $s
            for c in s:
                p = p + $k if c == 'R' else p - $m
            return p""",
        parameters={"s": (0, 5, 10), "k": (1, 2, 3), "m": (1, 4, 5)},
        inputs=words("LR", shortest=1, longest=4).with_edges("", "RL"),
    ),
    family("jumps along a ring", "simulation", "short")(
        problem="""The numbers of a stand in a ring. From place 0, go on by as many places as the number there says, $k
        times. Give $c times the number at the end plus its place""",
        steps="""let i be 0; $k times: add the number at place i of a, counted from 0, to i, modulo the length of a;
        multiply the number at place i by $c, add i; return it.""",
        source="""def $NAME(a):
            i = 0
            for t in range($k):
                i = (i + a[i]) % len(a)
            return a[i] * $c + i""",
        parameters={"k": (1, 2, 3), "c": (2, 3, 4, 5)},
        inputs=number_lists(low=1).with_edges([5], [0, 3]),
    ),
    family("table turned", "simulation", "medium")(
        problem="Make a row of each column of table m, from the left, its numbers $words, and add $c to each number",
        steps="""let out be empty; for each column of m, from the left: take its numbers $words, add $c to each, put the
        list of these at the end of out; return out.""",
        source="""def $NAME(m):
            out = []
            for i in range(len(m[0])):
                out.append([row[i] + $c for row in $order])
            return out""",
        parameters={
            "order, words": (("m", "from top to bottom"), ("m[::-1]", "from bottom to top")),
            "c": (1, 2, 3, 4, 5),
        },
        inputs=grids(rows=3).with_edges([[4]], [[1, 2], [3, 4]]),
    ),
    family("columns of a table", "simulation", "short")(
        problem="For each column of table m, give $k times its $words plus $c",
        steps="""for each column of m, from the left: take its $words, multiply by $k, add $c; return the list of
        results.""",
        source="def $NAME(m): return [$f(b) * $k + $c for b in zip(*m)]",
        parameters={
            "f, words": (("sum", "sum"), ("max", "largest number"), ("min", "smallest number")),
            "k": (2, 3),
            "c": (1, 2, 3),
        },
        inputs=grids(rows=3).with_edges([[4]], [[1, 2], [3, 4]]),
    ),
    family("rows of a table", "simulation", "short")(
        problem="For each row of table m, give $k times its sum minus its $words number",
        steps="""for each row of m: add up its numbers, multiply by $k, subtract its $words number; return the list of
        results.""",
        source="def $NAME(m): return [sum(b) * $k - $f(b) for b in m]",
        parameters={"f, words": (("max", "largest"), ("min", "smallest")), "k": (2, 3, 4, 5, 6)},
        inputs=grids(rows=3, columns=3).with_edges([[4]], [[1, 2], [3, 4]]),
    ),
    family("diagonals of a table", "simulation", "short")(
        problem="""Table m has as many rows as columns. Add up $k times the numbers from its upper left to its lower
        right corner and $c times those from its upper right to its lower left corner""",
        steps="""for each row of m at place i, counted from 0: take the number at place i times $k, and the number just
        as far from the end of the row times $c; add all of these up; return the sum.""",
        source="def $NAME(m): return sum(b[i] * $k + b[-1 - i] * $c for i, b in enumerate(m))",
        parameters={"k": (1, 2, 3, 4), "c": (1, 2, 3, 4)},
        inputs=_square.with_edges([[4]], [[1, 2], [3, 4]]),
    ),
)
