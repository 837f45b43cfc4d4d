"""Families over sequences of whole numbers: a start, and a rule for the next term."""

from __future__ import annotations

import random

from pbb.programs.algorithms.family import Choice, Family


def _steps(rng: random.Random, choice: Choice) -> tuple[int, int]:
    """Draw a small start and 1 to 3 steps."""
    return rng.randint(0, 12), rng.randint(1, 3)


def _larger(rng: random.Random, choice: Choice) -> tuple[int, int]:
    """Draw a start of two digits and 1 to 3 steps."""
    return rng.randint(10, 60), rng.randint(1, 3)


def _range(rng: random.Random, choice: Choice) -> tuple[int, int]:
    """Draw the ends of a range of 1 to 3 numbers."""
    start = rng.randint(0, 9)
    return start, start + rng.randint(0, 2)


FAMILIES: tuple[Family, ...] = (
    Family(
        name="multiply, add and wrap",
        technique="sequences",
        size="short",
        source="""
        def $NAME(x, n):
            for i in range(n):
                x = (x * $p + $q) % $m
            return x
        """,
        problem="""A dial of $m places shows x; n times it is set to $p times its place plus $q, going round;
        where does it end""",
        description="""$NAME of x and n: repeat n times: multiply x by $p, add $q, take it modulo $m, store as
        x; return x.""",
        parameters={"p": (2, 3, 4), "q": (1, 2, 3, 5), "m": (10, 11, 13)},
        sample=lambda rng, choice: (rng.randint(0, 9), rng.randint(1, 3)),
        edges=((4, 0), (0, 1)),
    ),
    Family(
        name="squares that wrap",
        technique="sequences",
        size="short",
        source="""
        def $NAME(x, n):
            for i in range(n):
                x = (x * x + $c) % $m
            return x
        """,
        problem="Square x, add $c and keep the remainder by $m; do this n times and give the last x",
        description="$NAME of x and n: repeat n times: square x, add $c, take it modulo $m, store as x; return x.",
        parameters={"c": range(1, 7), "m": (11, 12, 13, 14)},
        sample=_steps,
        edges=((5, 0), (0, 1)),
    ),
    Family(
        name="jumps around a growing mark",
        technique="sequences",
        size="short",
        source="""
        def $NAME(x, n):
            for i in range(1, n + 1):
                x = abs(x - i * $p) + $q
            return x
        """,
        problem="For i from 1 to n, replace x by its distance to $p times i, plus $q; give the last x",
        description="""$NAME of x and n: for each i from 1 to n, take the distance of x to $p times i, add $q,
        store as x; return x.""",
        parameters={"p": range(2, 7), "q": range(1, 6)},
        sample=_steps,
        edges=((6, 0), (0, 1)),
    ),
    Family(
        name="each term from the two before",
        technique="sequences",
        size="short",
        source="""
        def $NAME(x, n):
            terms = [$s, x]
            for i in range(n):
                terms.append(terms[-1] + terms[-2] * $k)
            return terms[-1]
        """,
        problem="""A sequence starts with $s and x; each later term is the one before plus $k times the one
        before that; which is the last after n more terms""",
        description="""$NAME of x and n: start a list of terms with $s and x; repeat n times: append the last
        term plus $k times the term before it; return the last term.""",
        parameters={"s": range(1, 6), "k": range(2, 7)},
        sample=_steps,
        edges=((3, 0), (0, 2)),
    ),
    Family(
        name="sums of three terms",
        technique="sequences",
        size="short",
        source="""
        def $NAME(x, n):
            terms = [$s, $t, x]
            for i in range(n):
                terms.append(sum(terms[-3:]))
            return terms[-1]
        """,
        problem="""A sequence starts with $s, $t and x, and each later term is the sum of the three before;
        which is the last after n more terms""",
        description="""$NAME of x and n: start a list of terms with $s, $t and x; repeat n times: append the
        sum of the last three terms; return the last term.""",
        parameters={"s": range(1, 6), "t": range(0, 5)},
        sample=_steps,
        edges=((4, 0), (0, 1)),
    ),
    Family(
        name="shrink and refill",
        technique="simulation",
        size="short",
        source="""
        def $NAME(x, n):
            for i in range(n):
                x = x // $p + $q
            return x
        """,
        problem="""A tank holds x; every day one part in $p of it stays, rounded down, and $q is poured in;
        what does it hold after n days""",
        description="$NAME of x and n: repeat n times: divide x by $p rounding down, add $q, store as x; return x.",
        parameters={"p": (2, 3, 4), "q": range(3, 11)},
        sample=_larger,
        edges=((7, 0), (0, 2)),
    ),
    Family(
        name="interest and savings",
        technique="simulation",
        size="short",
        source="""
        def $NAME(x, n):
            for i in range(n):
                x += x // $k + $d
            return x
        """,
        problem="""You own x coins; each year brings 1 coin for every full $k that you own, and $d more; how
        many are there after n years""",
        description="$NAME of x and n: repeat n times: add x divided by $k rounding down, and $d, to x; return x.",
        parameters={"k": range(3, 8), "d": range(1, 6)},
        sample=_larger,
        edges=((8, 0), (0, 2)),
    ),
    Family(
        name="halve or grow",
        technique="sequences",
        size="short",
        source="""
        def $NAME(x, n):
            for i in range(n):
                x = x // 2 if x % 2 == 0 else x * $p + $q
            return x
        """,
        problem="n times, halve x if it is even and otherwise replace it by $p times x plus $q; give the last x",
        description="""$NAME of x and n: repeat n times: if x is even, divide x by 2, otherwise multiply x by
        $p and add $q, and store as x; return x.""",
        parameters={"p": (2, 3, 4, 5), "q": range(1, 7)},
        sample=lambda rng, choice: (rng.randint(1, 20), rng.randint(1, 3)),
        edges=((9, 0), (0, 2)),
    ),
    Family(
        name="most points in some moves",
        technique="dynamic programming",
        size="short",
        source="""
        def $NAME(x, n):
            for i in range(n):
                x = max(x + $p, x * 2 - $q)
            return x
        """,
        problem="""You have x points. Each of n moves either adds $p or doubles your points and then takes $q;
        give the most points possible""",
        description="""$NAME of x and n: repeat n times: take the larger of x plus $p and twice x minus $q,
        store as x; return x.""",
        parameters={"p": range(2, 7), "q": range(1, 6)},
        sample=_steps,
        edges=((5, 0), (0, 1)),
    ),
    Family(
        name="fewest points in some moves",
        technique="dynamic programming",
        size="short",
        source="""
        def $NAME(x, n):
            for i in range(n):
                x = min(x + $p, x * 2 - $q)
            return x
        """,
        problem="""You have x points. Each of n moves either adds $p or doubles your points and then takes $q;
        give the fewest points possible""",
        description="""$NAME of x and n: repeat n times: take the smaller of x plus $p and twice x minus $q,
        store as x; return x.""",
        parameters={"p": range(3, 8), "q": range(1, 5)},
        sample=lambda rng, choice: (rng.randint(2, 16), rng.randint(1, 3)),
        edges=((5, 0), (0, 1)),
    ),
    Family(
        name="sum over a range",
        technique="sequences",
        size="short",
        source="""
        def $NAME(a, b):
            total = 0
            for i in range(a, b + 1):
                total += $term
            return total % $m
        """,
        problem="Add up $words for each whole number i from a to b, and give the sum modulo $m",
        description="""$NAME of a and b: start with total 0; for each i from a to b, add $words to total;
        return total modulo $m.""",
        parameters={
            "case": (
                {"term": "i * i", "words": "the square of i"},
                {"term": "i * (i + 1)", "words": "i times the number after i"},
                {"term": "i * (i + 3)", "words": "the product of i and 3 more than i"},
                {"term": "i * i * i", "words": "i times i times i"},
                {"term": "2 ** i", "words": "2 to the power i"},
            ),
            "m": (7, 9, 10, 11, 13),
        },
        sample=_range,
        edges=((4, 3), (0, 0)),
    ),
    Family(
        name="product over a range",
        technique="sequences",
        size="short",
        source="""
        def $NAME(a, b):
            total = $s
            for i in range(a, b + 1):
                total = total * (i + $k) % $m
            return total
        """,
        problem="Multiply $s by i plus $k for each whole number i from a to b, and give the product modulo $m",
        description="""$NAME of a and b: start with total $s; for each i from a to b, multiply total by i plus
        $k and take this modulo $m as the new total; return total.""",
        parameters={"s": (1, 2, 3), "k": (1, 2, 3), "m": (7, 11, 13)},
        sample=_range,
        edges=((4, 3), (0, 0)),
    ),
)
