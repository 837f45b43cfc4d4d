"""Families that play a small process step by step, and tables."""

from __future__ import annotations

import random
from typing import Any

from pbb.programs.algorithms.family import Choice, Family, number_lists, words
from pbb.programs.algorithms.sampling import grids


def _people(rng: random.Random, choice: Choice) -> tuple[Any, ...]:
    return (rng.sample(range(1, 10), rng.randint(3, 5)),)


def _square(rng: random.Random, choice: Choice) -> tuple[Any, ...]:
    size = rng.randint(1, 3)
    return ([[rng.randint(0, 9) for _ in range(size)] for _ in range(size)],)


FAMILIES: tuple[Family, ...] = (
    Family(
        name="last ones in a ring",
        technique="simulation",
        size="medium",
        source="""
            def $NAME(a):
                i = 0
                while len(a) > $n:
                    i = (i + $k) % len(a)
                    a = a[:i] + a[i + 1:]
                return [x + i for x in a]
        """,
        problem="""The numbers of a stand in a ring. From place 0, go $k places on and take that number out, then go on
            from its place, until at most $n are left. Give those left, plus the last place used (0 if none) each""",
        description="""$NAME of a: let i be 0; while a has more than $n numbers: let i be i plus $k modulo the length
            of a; take the number at place i, counted from 0, out of a; add i to each number of a; return the list.""",
        parameters={"n": (1, 2), "k": (1, 2, 3, 4, 5)},
        sample=_people,
        edges=(([],), ([4, 1, 2],)),
    ),
    Family(
        name="walk on a line",
        technique="simulation",
        size="short",
        source="""
            def $NAME(s):
                p = $s
                for c in s:
                    p = p + $k if c == 'R' else p - $m
                return p
        """,
        problem="Start at $s. For each letter of s go $k up if it is R, otherwise $m down. Where is the end",
        description="""$NAME of s: let p be $s; for each letter c of s: if c is R: add $k to p, otherwise subtract $m
            from p; return p.""",
        parameters={"s": (0, 5, 10), "k": (1, 2, 3), "m": (1, 4, 5)},
        sample=words("LR", shortest=1, longest=4),
        edges=(("",), ("RL",)),
    ),
    Family(
        name="jumps along a ring",
        technique="simulation",
        size="short",
        source="""
            def $NAME(a):
                i = 0
                for t in range($k):
                    i = (i + a[i]) % len(a)
                return a[i] * $c + i
        """,
        problem="""The numbers of a stand in a ring. From place 0, go on by as many places as the number there says, $k
            times. Give $c times the number at the end plus its place""",
        description="""$NAME of a: let i be 0; $k times: add the number at place i of a, counted from 0, to i, modulo
            the length of a; multiply the number at place i by $c, add i; return it.""",
        parameters={"k": (1, 2, 3), "c": (2, 3, 4, 5)},
        sample=number_lists(low=1),
        edges=(([5],), ([0, 3],)),
    ),
    Family(
        name="table turned",
        technique="simulation",
        size="medium",
        source="""
            def $NAME(m):
                out = []
                for i in range(len(m[0])):
                    out.append([row[i] + $c for row in $order])
                return out
        """,
        problem="Make a row of each column of table m, from the left, its numbers $words, and add $c to each number",
        description="""$NAME of m: let out be empty; for each column of m, from the left: take its numbers $words, add
            $c to each, put the list of these at the end of out; return out.""",
        parameters={
            "order": (
                {"order": "m", "words": "from top to bottom"},
                {"order": "m[::-1]", "words": "from bottom to top"},
            ),
            "c": (1, 2, 3, 4, 5),
        },
        sample=grids(rows=3),
        edges=(([[4]],), ([[1, 2], [3, 4]],)),
    ),
    Family(
        name="columns of a table",
        technique="simulation",
        size="short",
        source="""
            def $NAME(m):
                return [$f(b) * $k + $c for b in zip(*m)]
        """,
        problem="For each column of table m, give $k times its $words plus $c",
        description="""$NAME of m: for each column of m, from the left: take its $words, multiply by $k, add $c; return
            the list of results.""",
        parameters={
            "pick": (
                {"f": "sum", "words": "sum"},
                {"f": "max", "words": "largest number"},
                {"f": "min", "words": "smallest number"},
            ),
            "k": (2, 3),
            "c": (1, 2, 3),
        },
        sample=grids(rows=3),
        edges=(([[4]],), ([[1, 2], [3, 4]],)),
    ),
    Family(
        name="rows of a table",
        technique="simulation",
        size="short",
        source="""
            def $NAME(m):
                return [sum(b) * $k - $f(b) for b in m]
        """,
        problem="For each row of table m, give $k times its sum minus its $words number",
        description="""$NAME of m: for each row of m: add up its numbers, multiply by $k, subtract its $words number;
            return the list of results.""",
        parameters={
            "pick": ({"f": "max", "words": "largest"}, {"f": "min", "words": "smallest"}),
            "k": (2, 3, 4, 5, 6),
        },
        sample=grids(rows=3, columns=3),
        edges=(([[4]],), ([[1, 2], [3, 4]],)),
    ),
    Family(
        name="diagonals of a table",
        technique="simulation",
        size="short",
        source="""
            def $NAME(m):
                return sum(b[i] * $k + b[-1 - i] * $c for i, b in enumerate(m))
        """,
        problem="""Table m has as many rows as columns. Add up $k times the numbers from its upper left to its lower
            right corner and $c times those from its upper right to its lower left corner""",
        description="""$NAME of m: for each row of m at place i, counted from 0: take the number at place i times $k,
            and the number just as far from the end of the row times $c; add all of these up; return the sum.""",
        parameters={"k": (1, 2, 3, 4), "c": (1, 2, 3, 4)},
        sample=_square,
        edges=(([[4]],), ([[1, 2], [3, 4]],)),
    ),
)
