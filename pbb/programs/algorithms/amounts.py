"""Families that count, pay and share: how many, how much, how far apart."""

from __future__ import annotations

import itertools
import math

from pbb.programs.algorithms.family import Family, family
from pbb.programs.algorithms.sampling import Inputs, numbers, together

# Numbers of which none divides another, with their least common multiple.
_PAIRS = [(p, q, math.lcm(p, q)) for p, q in itertools.combinations(range(2, 8), 2) if q % p]
_TRIPLES = [
    (p, q, r) for p, q, r in itertools.combinations(range(2, 10), 3) if q % p and r % q and r % p and p + q + r < 21
]

FAMILIES: tuple[Family, ...] = (
    family("multiples of either", "counting", "short")(
        problem="How many of the numbers from 1 to n are multiples of $p or of $q",
        steps="""divide n by $p, by $q and by $both, each rounding down; return the first plus the second minus the
        third.""",
        source="def $NAME(n): return n // $p + n // $q - n // $both",
        parameters={"p, q, both": _PAIRS},
        inputs=numbers(1, 50).with_edges(0, 6),
    ),
    family("points for multiples", "counting", "short")(
        problem="Going from 1 to n, each multiple of $p scores $u and each multiple of $q scores $v; give the score",
        steps="return n divided by $p rounding down, times $u, plus n divided by $q rounding down, times $v.",
        source="def $NAME(n): return n // $p * $u + n // $q * $v",
        parameters={"p, q, both": _PAIRS, "u, v": ((2, 3), (3, 5), (5, 2))},
        inputs=numbers(1, 40).with_edges(0, 6),
    ),
    family("sum of three quotients", "counting", "short")(
        problem="""Going from 1 to n, score a point for each divisor among $p, $q and $r that a number has; give all
        points""",
        steps="""start with total 0; for d equal to $p, $q and $r, divide n by d rounding down and add it to total;
        return total.""",
        source="""def $NAME(n):
            total = 0
            for d in ($p, $q, $r):
                total += n // d
            return total""",
        parameters={"p, q, r": _TRIPLES},
        inputs=numbers(1, 50).with_edges(0, 7),
    ),
    family("sum of three remainders", "number theory", "short")(
        problem="""n sweets are packed in bags of $p, then all again in bags of $q, then of $r; add up what is left each
        time""",
        steps="start with total 0; for d equal to $p, $q and $r, add the remainder of n by d to total; return total.",
        source="""def $NAME(n):
            total = 0
            for d in ($p, $q, $r):
                total += n % d
            return total""",
        parameters={"p, q, r": _TRIPLES},
        inputs=numbers(1, 60).with_edges(0, 1),
    ),
    family("sum of those that divide", "number theory", "short")(
        problem="Add up those of $p, $q and $r that divide n",
        steps="""start with total 0; for d equal to $p, $q and $r, add d to total if the remainder of n by d is 0;
        return total.""",
        source="""def $NAME(n):
            total = 0
            for d in ($p, $q, $r):
                total += d * (n % d == 0)
            return total""",
        parameters={"p, q, r": _TRIPLES},
        inputs=Inputs(
            lambda rng, choice: (
                math.prod(rng.sample([choice[name] for name in "pqr"], 2))
                * rng.randint(1, 4)
                // rng.choice((1, choice["p"])),
            )
        ).with_edges(0, 1),
    ),
    family("coins of three kinds", "greedy", "short")(
        problem="Pay n with coins of $p, $q and 1, always the largest that fits; how many coins is that",
        steps="""store the remainder of n by $p as rest; return n divided by $p rounding down, plus rest divided by $q
        rounding down, plus the remainder of rest by $q.""",
        source="""def $NAME(n):
            rest = n % $p
            return n // $p + rest // $q + rest % $q""",
        parameters={"p": range(5, 13), "q": (2, 3, 4)},
        inputs=numbers(1, 60).with_edges(0, 1),
    ),
    family("boats and free seats", "greedy", "short")(
        problem="""n people rent as few boats as they can, of $k seats each; a boat costs $cost and an empty seat 1
        more; what do they pay""",
        steps="""add $k to n, subtract 1, divide by $k rounding down, store as boats; return boats times $cost, plus
        boats times $k, minus n.""",
        source="""def $NAME(n):
            boats = (n + $k - 1) // $k
            return boats * $cost + boats * $k - n""",
        parameters={"k": range(2, 7), "cost": range(2, 7)},
        inputs=numbers(1, 30).with_edges(0, 12),
    ),
    family("multiples count as themselves", "counting", "short")(
        problem="From 1 to n, multiples of $k count as themselves and all other numbers as $c; give the sum",
        steps="""divide n by $k rounding down, store as many; return $k times many times many plus 1, divided by 2, plus
        $c times the difference n minus many.""",
        source="""def $NAME(n):
            many = n // $k
            return $k * many * (many + 1) // 2 + $c * (n - many)""",
        parameters={"k": range(2, 7), "c": range(2, 7)},
        inputs=numbers(1, 25).with_edges(0, 1),
    ),
    family("pairs within even teams", "counting", "short")(
        problem="""n players form $k teams as even as can be, and all within a team shake hands; count $c for each
        handshake""",
        steps="""divide n by $k rounding down, store as size; store the remainder of n by $k as larger; take $k times
        size times size minus 1, divided by 2, add larger times size, and return this times $c.""",
        source="""def $NAME(n):
            size = n // $k
            larger = n % $k
            return ($k * size * (size - 1) // 2 + larger * size) * $c""",
        parameters={"k": range(2, 6), "c": range(2, 7)},
        inputs=numbers(4, 24).with_edges(0, 3),
    ),
    family("price that rises", "counting", "short")(
        problem="Each of n tickets costs $p, and each ticket after the first $t costs $q more; what do all cost",
        steps="return n times $p, plus $q times the number by which n is above $t, which is 0 if it is not above.",
        source="def $NAME(n): return n * $p + max(n - $t, 0) * $q",
        parameters={"p": (2, 3, 4, 5), "t": range(3, 8), "q": (2, 3)},
        inputs=numbers(1, 20).with_edges(0),
    ),
    family("ways to choose", "counting", "short")(
        problem="In how many ways can you choose $k of n fruits, $words; give the number modulo $m",
        steps="""start with total 1; for i from 0 to $last, multiply total by n $sign i, divide it by i plus 1, store as
        total; return total modulo $m.""",
        source="""def $NAME(n):
            total = 1
            for i in range($k):
                total = total * (n $op i) // (i + 1)
            return total % $m""",
        parameters={
            "k, last": ((2, 1), (3, 2)),
            "op, sign, words": (("-", "minus", "all different"), ("+", "plus", "where one may be chosen again")),
            "m": range(7, 14),
        },
        inputs=numbers(1, 20).with_edges(0, 2),
    ),
    family("overlap of two intervals", "intervals", "short")(
        problem="One film starts at a and takes $p hours, another starts at b and takes $q; for how long do both run",
        steps="""take the smaller of a plus $p and b plus $q, subtract the larger of a and b, raise it to at least 0,
        return it.""",
        source="def $NAME(a, b): return max(0, min(a + $p, b + $q) - max(a, b))",
        parameters={"p": range(4, 9), "q": range(5, 10)},
        inputs=together(numbers(0, 12), numbers(0, 12)).with_edges((0, 0), (0, 12)),
    ),
    family("span of two intervals", "intervals", "short")(
        problem="""One film starts at a and takes $p hours, another starts at b and takes $q; how long is it from the
        first start to the last end""",
        steps="take the larger of a plus $p and b plus $q, subtract the smaller of a and b, return it.",
        source="def $NAME(a, b): return max(a + $p, b + $q) - min(a, b)",
        parameters={"p": range(2, 7), "q": range(3, 8)},
        inputs=together(numbers(0, 12), numbers(0, 12)).with_edges((0, 0), (0, 9)),
    ),
    family("fine outside an interval", "intervals", "short")(
        problem="""You should come from $low to $high o'clock; each hour too early costs $u, each hour too late $v; what
        does n o'clock cost""",
        steps="""take $low minus n, raised to at least 0, times $u; add n minus $high, raised to at least 0, times $v;
        return the sum.""",
        source="def $NAME(n): return max($low - n, 0) * $u + max(n - $high, 0) * $v",
        parameters={
            "low, high": [(low, low + width) for low in range(4, 8) for width in (1, 2, 3)],
            "u, v": ((2, 3), (3, 2), (4, 5)),
        },
        inputs=numbers(0, 20).with_edges(0, 7),
    ),
    family("numbers with a small remainder", "counting", "short")(
        problem="""List the numbers from 0 up whose remainder by $m is below $r; which one stands at place n, counted
        from 0""",
        steps="return n divided by $r rounding down, times $m, plus the remainder of n by $r.",
        source="def $NAME(n): return n // $r * $m + n % $r",
        parameters={"m, r": [(m, r) for m in range(3, 10) for r in range(2, m)]},
        inputs=numbers(2, 40).with_edges(0, 1),
    ),
    family("table read by columns", "counting", "short")(
        problem="""A table of $h rows and $w columns is numbered from 0 row by row; which number has cell n when you
        number it column by column""",
        steps="return the remainder of n by $w, times $h, plus n divided by $w rounding down.",
        source="def $NAME(n): return n % $w * $h + n // $w",
        parameters={"w": range(4, 9), "h": range(4, 9)},
        inputs=Inputs(lambda rng, choice: (rng.randrange(choice["w"] * choice["h"]),)).with_edges(0, 1),
    ),
    family("coins of four kinds", "greedy", "medium")(
        problem="""Pay n with coins of $p, $q, $r and 1, always the largest that fits; each coin weighs $w; what do they
        weigh""",
        steps="""start with total 0; for each coin of $p, $q, $r and 1 in this order, divide n by the coin rounding down
        and add that times $w to total, and store the remainder of n by the coin as n; return total.""",
        source="""def $NAME(n):
            total = 0
            for coin in ($p, $q, $r, 1):
                total += n // coin * $w
                n %= coin
            return total""",
        parameters={"p, q, r": [(p, q, r) for p in (10, 12, 15, 20) for q in (5, 6, 8) for r in (2, 3)], "w": (2, 3)},
        inputs=numbers(1, 60).with_edges(0, 1),
    ),
    family("rows that grow", "greedy", "medium")(
        problem="""Lay n coins in full rows; the first row takes $s and each next one $k more; how many coins does the
        last, unfinished row still need""",
        steps="start with row $s; while n is at least row, subtract row from n and add $k to row; return row minus n.",
        source="""def $NAME(n):
            row = $s
            while n >= row:
                n -= row
                row += $k
            return row - n""",
        parameters={"s": range(2, 7), "k": range(2, 6)},
        inputs=numbers(1, 40).with_edges(0, 2),
    ),
)
