"""Families over lists of numbers: every number, neighbours, blocks, and values carried along a list."""

from __future__ import annotations

from pbb.programs.algorithms.family import Family, number_lists
from pbb.programs.algorithms.sampling import together

FAMILIES: tuple[Family, ...] = (
    Family(
        name="scaled and shifted numbers",
        technique="sequences",
        size="short",
        source="""
            def $NAME(a):
                return [x * $k + $c for x in a]
        """,
        problem="Multiply each number of a by $k and add $c",
        description="$NAME of a: for each x in a: multiply x by $k, add $c; return the list of results.",
        parameters={"k": (2, 3, 4, 5), "c": (1, 2, 3, 4)},
        sample=number_lists(longest=4),
        edges=(([],), ([0],)),
    ),
    Family(
        name="numbers past a bound",
        technique="sequences",
        size="short",
        source="""
            def $NAME(a):
                return [x + $c for x in a if x $op $k]
        """,
        problem="Keep the numbers of a that are $words $k and add $c to each",
        description="$NAME of a: for each x in a that is $words $k: add $c to x; return the list of results.",
        parameters={
            "side": ({"op": ">", "words": "above"}, {"op": "<", "words": "below"}),
            "k": (3, 4, 5, 6),
            "c": (1, 2, 3),
        },
        sample=number_lists(),
        edges=(([],), ([3, 4, 5, 6],)),
    ),
    Family(
        name="heights between two levels",
        technique="sequences",
        size="short",
        source="""
            def $NAME(a):
                return [min(max(x, $low), $high) - $low for x in a]
        """,
        problem="Raise each number of a to at least $low, cut it to at most $high, and subtract $low",
        description="""$NAME of a: for each x in a: raise x to at least $low, cut to at most $high, subtract $low;
            return the list of results.""",
        parameters={"low": (1, 2, 3, 4), "high": (5, 6, 7, 8)},
        sample=number_lists(),
        edges=(([],), ([0, 9],)),
    ),
    Family(
        name="rotated and raised list",
        technique="sequences",
        size="short",
        source="""
            def $NAME(a):
                b = a[$k:] + a[:$k]
                return [x + $c for x in b]
        """,
        problem="Move the first $k numbers of a to its end and add $c to each number",
        description="""$NAME of a: let b be a without its first $k numbers, followed by these first $k (all of them if
            a is shorter); add $c to each number of b; return the list.""",
        parameters={"k": (1, 2, 3), "c": (1, 2, 3, 4)},
        sample=number_lists(),
        edges=(([],), ([7],)),
    ),
    Family(
        name="alternating weights",
        technique="sequences",
        size="short",
        source="""
            def $NAME(a):
                return $k * sum(a[::2]) - $m * sum(a[1::2])
        """,
        problem="""Add up $k times the numbers of a at even places, and subtract $m times those at odd places, counting
            places from 0""",
        description="""$NAME of a: add up the numbers at places 0, 2, 4 and so on, multiply by $k; add up the numbers
            at places 1, 3, 5 and so on, multiply by $m; return the first minus the second.""",
        parameters={"k": (1, 2, 3, 4), "m": (1, 2, 3, 4)},
        sample=number_lists(longest=4),
        edges=(([],), ([3],)),
    ),
    Family(
        name="numbers and their places",
        technique="sequences",
        size="short",
        source="""
            def $NAME(a):
                return [x + $k * i + $c for i, x in enumerate(a)]
        """,
        problem="To each number of a add $c, and $k times its place in a, counted from 0",
        description="""$NAME of a: for each x in a at place i, counted from 0: take x, add $k times i, add $c; return
            the list of results.""",
        parameters={"k": (2, 3, 4, 5), "c": (1, 2, 3)},
        sample=number_lists(longest=4),
        edges=(([],), ([0, 0, 0],)),
    ),
    Family(
        name="neighbour distances",
        technique="sequences",
        size="short",
        source="""
            def $NAME(a):
                return [abs(y - x) * $k + $c for x, y in zip(a, a[1:])]
        """,
        problem="For each two neighbours in a, take $k times their distance plus $c",
        description="""$NAME of a: for each x in a with the next number y: take the distance of x and y, multiply by
            $k, add $c; return the list of results.""",
        parameters={"k": (2, 3, 4), "c": (1, 2, 3, 4)},
        sample=number_lists(),
        edges=(([],), ([5, 5],)),
    ),
    Family(
        name="neighbours joined",
        technique="two pointers",
        size="short",
        source="""
            def $NAME(a):
                return [$f(x, y) * $k + $c for x, y in zip(a, a[1:])]
        """,
        problem="For each two neighbours in a, take $k times the $words one plus $c",
        description="""$NAME of a: for each x in a with the next number y: take the $words of x and y, multiply by $k,
            add $c; return the list of results.""",
        parameters={
            "pick": ({"f": "max", "words": "larger"}, {"f": "min", "words": "smaller"}),
            "k": (2, 3),
            "c": (1, 2, 3, 4),
        },
        sample=number_lists(),
        edges=(([],), ([4, 4],)),
    ),
    Family(
        name="blocks",
        technique="sequences",
        size="short",
        source="""
            def $NAME(a):
                return [$f(a[i:i + $k]) + $c for i in range(0, len(a), $k)]
        """,
        problem="""Cut a into blocks of $k numbers, the last one maybe shorter, and give the $words of each block plus
            $c""",
        description="""$NAME of a: cut a from its start into blocks of $k numbers, what is left is the last block; for
            each block: take its $words, add $c; return the list of results.""",
        parameters={
            "pick": (
                {"f": "sum", "words": "sum"},
                {"f": "max", "words": "largest number"},
                {"f": "min", "words": "smallest number"},
            ),
            "k": (2, 3),
            "c": (1, 2, 3, 4),
        },
        sample=number_lists(shortest=2, longest=6),
        edges=(([],), ([6],)),
    ),
    Family(
        name="two lists woven",
        technique="two pointers",
        size="short",
        source="""
            def $NAME(a, b):
                return [(x * $k + y) % $m for x, y in zip(a, b)]
        """,
        problem="Pair the numbers x of a and y of b by place, and give $k x plus y modulo $m for each pair",
        description="""$NAME of a and b: for each x in a and the y at the same place in b, as long as both last:
            multiply x by $k, add y, modulo $m; return the list of results.""",
        parameters={"k": (2, 3, 4, 5), "m": (7, 8, 9, 10)},
        sample=together(number_lists(longest=4), number_lists(longest=4)),
        edges=(([], [3]), ([2], [5, 6])),
    ),
    Family(
        name="leaking bucket",
        technique="simulation",
        size="short",
        source="""
            def $NAME(a):
                t = $s
                for x in a:
                    t = max(t + x - $c, 0)
                return t
        """,
        problem="""A bucket holds $s. For each number of a, pour that much in and let $c leak out, but it never holds
            less than 0. How much does it hold at last""",
        description="""$NAME of a: let t be $s; for each x in a: add x to t, subtract $c, raise to at least 0, store as
            t; return t.""",
        parameters={"s": (1, 3, 5, 7), "c": (2, 3, 4, 5)},
        sample=number_lists(shortest=1, longest=3),
        edges=(([],), ([0, 0],)),
    ),
    Family(
        name="list as a number in a base",
        technique="digits",
        size="short",
        source="""
            def $NAME(a):
                n = 0
                for x in a:
                    n = (n * $k + x) % $m
                return n
        """,
        problem="Read a as the digits of a number in base $k, highest first, and give that number modulo $m",
        description="""$NAME of a: let n be 0; for each x in a: multiply n by $k, add x, modulo $m, store as n; return
            n.""",
        parameters={"k": (2, 3, 4, 5), "m": (7, 9, 11, 13)},
        sample=number_lists(low=0, high=4, shortest=1, longest=3),
        edges=(([],), ([4, 0],)),
    ),
    Family(
        name="three in a row",
        technique="simulation",
        size="short",
        source="""
            def $NAME(a):
                b = [$e] + a + [$e]
                return [x + $k * y + z for x, y, z in zip(b, b[1:], b[2:])]
        """,
        problem="""To $k times each number of a add its left and right neighbours, where a neighbour that is missing
            counts as $e""",
        description="""$NAME of a: let b be a with $e put before and after it; for each number of a: multiply it by $k,
            add the numbers on both sides of it in b; return the list of results.""",
        parameters={"k": (2, 3, 4, 5), "e": (0, 1, 2)},
        sample=number_lists(high=5, longest=4),
        edges=(([],), ([3],)),
    ),
)
