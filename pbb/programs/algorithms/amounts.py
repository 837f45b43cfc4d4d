"""Families that count, pay and share: how many, how much, how far apart."""

from __future__ import annotations

import itertools
import math

from pbb.programs.algorithms.family import Family, numbers

# Numbers of which none divides another, with their least common multiple.
_PAIRS = [{"p": p, "q": q, "both": math.lcm(p, q)} for p, q in itertools.combinations(range(2, 8), 2) if q % p]
_TRIPLES = [
    {"p": p, "q": q, "r": r}
    for p, q, r in itertools.combinations(range(2, 10), 3)
    if q % p and r % q and r % p and p + q + r < 21
]

FAMILIES: tuple[Family, ...] = (
    Family(
        name="multiples of either",
        technique="counting",
        size="short",
        source="""
        def $NAME(n):
            return n // $p + n // $q - n // $both
        """,
        problem="How many of the numbers from 1 to n are multiples of $p or of $q",
        description="""$NAME of n: divide n by $p, by $q and by $both, each rounding down; return the first
        plus the second minus the third.""",
        parameters={"pair": _PAIRS},
        sample=numbers(1, 50),
        edges=((0,), (6,)),
    ),
    Family(
        name="points for multiples",
        technique="counting",
        size="short",
        source="""
        def $NAME(n):
            return n // $p * $u + n // $q * $v
        """,
        problem="Going from 1 to n, each multiple of $p scores $u and each multiple of $q scores $v; give the score",
        description="""$NAME of n: return n divided by $p rounding down, times $u, plus n divided by $q
        rounding down, times $v.""",
        parameters={"pair": _PAIRS, "points": ({"u": 2, "v": 3}, {"u": 3, "v": 5}, {"u": 5, "v": 2})},
        sample=numbers(1, 40),
        edges=((0,), (6,)),
    ),
    Family(
        name="sum of three quotients",
        technique="counting",
        size="short",
        source="""
        def $NAME(n):
            total = 0
            for d in ($p, $q, $r):
                total += n // d
            return total
        """,
        problem="""Going from 1 to n, score a point for each divisor among $p, $q and $r that a number has;
        give all points""",
        description="""$NAME of n: start with total 0; for d equal to $p, $q and $r, divide n by d rounding
        down and add it to total; return total.""",
        parameters={"case": _TRIPLES},
        sample=numbers(1, 50),
        edges=((0,), (7,)),
    ),
    Family(
        name="sum of three remainders",
        technique="number theory",
        size="short",
        source="""
        def $NAME(n):
            total = 0
            for d in ($p, $q, $r):
                total += n % d
            return total
        """,
        problem="""n sweets are packed in bags of $p, then all again in bags of $q, then of $r; add up what is
        left each time""",
        description="""$NAME of n: start with total 0; for d equal to $p, $q and $r, add the remainder of n by
        d to total; return total.""",
        parameters={"case": _TRIPLES},
        sample=numbers(1, 60),
        edges=((0,), (1,)),
    ),
    Family(
        name="sum of those that divide",
        technique="number theory",
        size="short",
        source="""
        def $NAME(n):
            total = 0
            for d in ($p, $q, $r):
                total += d * (n % d == 0)
            return total
        """,
        problem="Add up those of $p, $q and $r that divide n",
        description="""$NAME of n: start with total 0; for d equal to $p, $q and $r, add d to total if the
        remainder of n by d is 0; return total.""",
        parameters={"case": _TRIPLES},
        sample=lambda rng, choice: (
            math.prod(rng.sample([choice[name] for name in "pqr"], 2))
            * rng.randint(1, 4)
            // rng.choice((1, choice["p"])),
        ),
        edges=((0,), (1,)),
    ),
    Family(
        name="coins of three kinds",
        technique="greedy",
        size="short",
        source="""
        def $NAME(n):
            rest = n % $p
            return n // $p + rest // $q + rest % $q
        """,
        problem="Pay n with coins of $p, $q and 1, always the largest that fits; how many coins is that",
        description="""$NAME of n: store the remainder of n by $p as rest; return n divided by $p rounding
        down, plus rest divided by $q rounding down, plus the remainder of rest by $q.""",
        parameters={"p": range(5, 13), "q": (2, 3, 4)},
        sample=numbers(1, 60),
        edges=((0,), (1,)),
    ),
    Family(
        name="boats and free seats",
        technique="greedy",
        size="short",
        source="""
        def $NAME(n):
            boats = (n + $k - 1) // $k
            return boats * $cost + boats * $k - n
        """,
        problem="""n people rent as few boats as they can, of $k seats each; a boat costs $cost and an empty
        seat 1 more; what do they pay""",
        description="""$NAME of n: add $k to n, subtract 1, divide by $k rounding down, store as boats; return
        boats times $cost, plus boats times $k, minus n.""",
        parameters={"k": range(2, 7), "cost": range(2, 7)},
        sample=numbers(1, 30),
        edges=((0,), (12,)),
    ),
    Family(
        name="multiples count as themselves",
        technique="counting",
        size="short",
        source="""
        def $NAME(n):
            many = n // $k
            return $k * many * (many + 1) // 2 + $c * (n - many)
        """,
        problem="From 1 to n, multiples of $k count as themselves and all other numbers as $c; give the sum",
        description="""$NAME of n: divide n by $k rounding down, store as many; return $k times many times
        many plus 1, divided by 2, plus $c times the difference n minus many.""",
        parameters={"k": range(2, 7), "c": range(2, 7)},
        sample=numbers(1, 25),
        edges=((0,), (1,)),
    ),
    Family(
        name="pairs within even teams",
        technique="counting",
        size="short",
        source="""
        def $NAME(n):
            size = n // $k
            larger = n % $k
            return ($k * size * (size - 1) // 2 + larger * size) * $c
        """,
        problem="""n players form $k teams as even as can be, and all within a team shake hands; count $c for
        each handshake""",
        description="""$NAME of n: divide n by $k rounding down, store as size; store the remainder of n by $k
        as larger; take $k times size times size minus 1, divided by 2, add larger times size, and return this
        times $c.""",
        parameters={"k": range(2, 6), "c": range(2, 7)},
        sample=numbers(4, 24),
        edges=((0,), (3,)),
    ),
    Family(
        name="price that rises",
        technique="counting",
        size="short",
        source="""
        def $NAME(n):
            return n * $p + max(n - $t, 0) * $q
        """,
        problem="Each of n tickets costs $p, and each ticket after the first $t costs $q more; what do all cost",
        description="""$NAME of n: return n times $p, plus $q times the number by which n is above $t, which
        is 0 if it is not above.""",
        parameters={"p": (2, 3, 4, 5), "t": range(3, 8), "q": (2, 3)},
        sample=numbers(1, 20),
        edges=((0,),),
    ),
    Family(
        name="ways to choose",
        technique="counting",
        size="short",
        source="""
        def $NAME(n):
            total = 1
            for i in range($k):
                total = total * (n $op i) // (i + 1)
            return total % $m
        """,
        problem="In how many ways can you choose $k of n fruits, $words; give the number modulo $m",
        description="""$NAME of n: start with total 1; for i from 0 to $last, multiply total by n $sign i,
        divide it by i plus 1, store as total; return total modulo $m.""",
        parameters={
            "number": ({"k": 2, "last": 1}, {"k": 3, "last": 2}),
            "case": (
                {"op": "-", "sign": "minus", "words": "all different"},
                {"op": "+", "sign": "plus", "words": "where one may be chosen again"},
            ),
            "m": range(7, 14),
        },
        sample=numbers(1, 20),
        edges=((0,), (2,)),
    ),
    Family(
        name="overlap of two intervals",
        technique="intervals",
        size="short",
        source="""
        def $NAME(a, b):
            return max(0, min(a + $p, b + $q) - max(a, b))
        """,
        problem="One film starts at a and takes $p hours, another starts at b and takes $q; for how long do both run",
        description="""$NAME of a and b: take the smaller of a plus $p and b plus $q, subtract the larger of a
        and b, raise it to at least 0, return it.""",
        parameters={"p": range(4, 9), "q": range(5, 10)},
        sample=numbers(0, 12, 2),
        edges=((0, 0), (0, 12)),
    ),
    Family(
        name="span of two intervals",
        technique="intervals",
        size="short",
        source="""
        def $NAME(a, b):
            return max(a + $p, b + $q) - min(a, b)
        """,
        problem="""One film starts at a and takes $p hours, another starts at b and takes $q; how long is it
        from the first start to the last end""",
        description="""$NAME of a and b: take the larger of a plus $p and b plus $q, subtract the smaller of a
        and b, return it.""",
        parameters={"p": range(2, 7), "q": range(3, 8)},
        sample=numbers(0, 12, 2),
        edges=((0, 0), (0, 9)),
    ),
    Family(
        name="fine outside an interval",
        technique="intervals",
        size="short",
        source="""
        def $NAME(n):
            return max($low - n, 0) * $u + max(n - $high, 0) * $v
        """,
        problem="""You should come from $low to $high o'clock; each hour too early costs $u, each hour too
        late $v; what does n o'clock cost""",
        description="""$NAME of n: take $low minus n, raised to at least 0, times $u; add n minus $high,
        raised to at least 0, times $v; return the sum.""",
        parameters={
            "case": [{"low": low, "high": low + width} for low in range(4, 8) for width in (1, 2, 3)],
            "fines": ({"u": 2, "v": 3}, {"u": 3, "v": 2}, {"u": 4, "v": 5}),
        },
        sample=numbers(0, 20),
        edges=((0,), (7,)),
    ),
    Family(
        name="numbers with a small remainder",
        technique="counting",
        size="short",
        source="""
        def $NAME(n):
            return n // $r * $m + n % $r
        """,
        problem="""List the numbers from 0 up whose remainder by $m is below $r; which one stands at place n,
        counted from 0""",
        description="$NAME of n: return n divided by $r rounding down, times $m, plus the remainder of n by $r.",
        parameters={"case": [{"m": m, "r": r} for m in range(3, 10) for r in range(2, m)]},
        sample=numbers(2, 40),
        edges=((0,), (1,)),
    ),
    Family(
        name="table read by columns",
        technique="counting",
        size="short",
        source="""
        def $NAME(n):
            return n % $w * $h + n // $w
        """,
        problem="""A table of $h rows and $w columns is numbered from 0 row by row; which number has cell n
        when you number it column by column""",
        description="$NAME of n: return the remainder of n by $w, times $h, plus n divided by $w rounding down.",
        parameters={"w": range(4, 9), "h": range(4, 9)},
        sample=lambda rng, choice: (rng.randrange(choice["w"] * choice["h"]),),
        edges=((0,), (1,)),
    ),
    Family(
        name="coins of four kinds",
        technique="greedy",
        size="medium",
        source="""
        def $NAME(n):
            total = 0
            for coin in ($p, $q, $r, 1):
                total += n // coin * $w
                n %= coin
            return total
        """,
        problem="""Pay n with coins of $p, $q, $r and 1, always the largest that fits; each coin weighs $w;
        what do they weigh""",
        description="""$NAME of n: start with total 0; for each coin of $p, $q, $r and 1 in this order, divide
        n by the coin rounding down and add that times $w to total, and store the remainder of n by the coin
        as n; return total.""",
        parameters={
            "coins": [{"p": p, "q": q, "r": r} for p in (10, 12, 15, 20) for q in (5, 6, 8) for r in (2, 3)],
            "w": (2, 3),
        },
        sample=numbers(1, 60),
        edges=((0,), (1,)),
    ),
    Family(
        name="rows that grow",
        technique="greedy",
        size="medium",
        source="""
        def $NAME(n):
            row = $s
            while n >= row:
                n -= row
                row += $k
            return row - n
        """,
        problem="""Lay n coins in full rows; the first row takes $s and each next one $k more; how many coins
        does the last, unfinished row still need""",
        description="""$NAME of n: start with row $s; while n is at least row, subtract row from n and add $k
        to row; return row minus n.""",
        parameters={"s": range(2, 7), "k": range(2, 6)},
        sample=numbers(1, 40),
        edges=((0,), (2,)),
    ),
)
