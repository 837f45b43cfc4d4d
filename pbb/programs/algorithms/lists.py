"""Families over lists of numbers: every number, neighbours, blocks, and values carried along a list."""

from __future__ import annotations

from pbb.programs.algorithms.family import Family, family
from pbb.programs.algorithms.sampling import number_lists, together

FAMILIES: tuple[Family, ...] = (
    family("scaled and shifted numbers", "sequences", "short")(
        problem="Multiply each number of a by $k and add $c",
        steps="for each x in a: multiply x by $k, add $c; return the list of results.",
        source="def $NAME(a): return [x * $k + $c for x in a]",
        parameters={"k": (2, 3, 4, 5), "c": (1, 2, 3, 4)},
        inputs=number_lists(longest=4).with_edges([], [0]),
    ),
    family("numbers past a bound", "sequences", "short")(
        problem="Keep the numbers of a that are $words $k and add $c to each",
        steps="for each x in a that is $words $k: add $c to x; return the list of results.",
        source="def $NAME(a): return [x + $c for x in a if x $op $k]",
        parameters={"op, words": ((">", "above"), ("<", "below")), "k": (3, 4, 5, 6), "c": (1, 2, 3)},
        inputs=number_lists().with_edges([], [3, 4, 5, 6]),
    ),
    family("heights between two levels", "sequences", "short")(
        problem="Raise each number of a to at least $low, cut it to at most $high, and subtract $low",
        steps="""for each x in a: raise x to at least $low, cut to at most $high, subtract $low; return the list of
        results.""",
        source="def $NAME(a): return [min(max(x, $low), $high) - $low for x in a]",
        parameters={"low": (1, 2, 3, 4), "high": (5, 6, 7, 8)},
        inputs=number_lists().with_edges([], [0, 9]),
    ),
    family("rotated and raised list", "sequences", "short")(
        problem="Move the first $k numbers of a to its end and add $c to each number",
        steps="""let b be a without its first $k numbers, followed by these first $k (all of them if a is shorter); add
        $c to each number of b; return the list.""",
        source="""def $NAME(a):
            b = a[$k:] + a[:$k]
            return [x + $c for x in b]""",
        parameters={"k": (1, 2, 3), "c": (1, 2, 3, 4)},
        inputs=number_lists().with_edges([], [7]),
    ),
    family("alternating weights", "sequences", "short")(
        problem="""Add up $k times the numbers of a at even places, and subtract $m times those at odd places, counting
        places from 0""",
        steps="""add up the numbers at places 0, 2, 4 and so on, multiply by $k; add up the numbers at places 1, 3, 5
        and so on, multiply by $m; return the first minus the second.""",
        source="def $NAME(a): return $k * sum(a[::2]) - $m * sum(a[1::2])",
        parameters={"k": (1, 2, 3, 4), "m": (1, 2, 3, 4)},
        inputs=number_lists(longest=4).with_edges([], [3]),
    ),
    family("numbers and their places", "sequences", "short")(
        problem="To each number of a add $c, and $k times its place in a, counted from 0",
        steps="for each x in a at place i, counted from 0: take x, add $k times i, add $c; return the list of results.",
        source="def $NAME(a): return [x + $k * i + $c for i, x in enumerate(a)]",
        parameters={"k": (2, 3, 4, 5), "c": (1, 2, 3)},
        inputs=number_lists(longest=4).with_edges([], [0, 0, 0]),
    ),
    family("neighbour distances", "sequences", "short")(
        problem="For each two neighbours in a, take $k times their distance plus $c",
        steps="""for each x in a with the next number y: take the distance of x and y, multiply by $k, add $c; return
        the list of results.""",
        source="def $NAME(a): return [abs(y - x) * $k + $c for x, y in zip(a, a[1:])]",
        parameters={"k": (2, 3, 4), "c": (1, 2, 3, 4)},
        inputs=number_lists().with_edges([], [5, 5]),
    ),
    family("neighbours joined", "two pointers", "short")(
        problem="For each two neighbours in a, take $k times the $words one plus $c",
        steps="""for each x in a with the next number y: take the $words of x and y, multiply by $k, add $c; return the
        list of results.""",
        source="def $NAME(a): return [$f(x, y) * $k + $c for x, y in zip(a, a[1:])]",
        parameters={"f, words": (("max", "larger"), ("min", "smaller")), "k": (2, 3), "c": (1, 2, 3, 4)},
        inputs=number_lists().with_edges([], [4, 4]),
    ),
    family("blocks", "sequences", "short")(
        problem="""Cut a into blocks of $k numbers, the last one maybe shorter, and give the $words of each block plus
        $c""",
        steps="""cut a from its start into blocks of $k numbers, what is left is the last block; for each block: take
        its $words, add $c; return the list of results.""",
        source="def $NAME(a): return [$f(a[i:i + $k]) + $c for i in range(0, len(a), $k)]",
        parameters={
            "f, words": (("sum", "sum"), ("max", "largest number"), ("min", "smallest number")),
            "k": (2, 3),
            "c": (1, 2, 3, 4),
        },
        inputs=number_lists(shortest=2, longest=6).with_edges([], [6]),
    ),
    family("two lists woven", "two pointers", "short")(
        problem="Pair the numbers x of a and y of b by place, and give $k x plus y modulo $m for each pair",
        steps="""for each x in a and the y at the same place in b, as long as both last: multiply x by $k, add y, modulo
        $m; return the list of results.""",
        source="def $NAME(a, b): return [(x * $k + y) % $m for x, y in zip(a, b)]",
        parameters={"k": (2, 3, 4, 5), "m": (7, 8, 9, 10)},
        inputs=together(number_lists(longest=4), number_lists(longest=4)).with_edges(([], [3]), ([2], [5, 6])),
    ),
    family("leaking bucket", "simulation", "short")(
        problem="""A bucket holds $s. For each number of a, pour that much in and let $c leak out, but it never holds
        less than 0. How much does it hold at last""",
        steps="let t be $s; for each x in a: add x to t, subtract $c, raise to at least 0, store as t; return t.",
        source="""def $NAME(a):
            t = $s
            for x in a:
                t = max(t + x - $c, 0)
            return t""",
        parameters={"s": (1, 3, 5, 7), "c": (2, 3, 4, 5)},
        inputs=number_lists(shortest=1, longest=3).with_edges([], [0, 0]),
    ),
    family("list as a number in a base", "digits", "short")(
        problem="Read a as the digits of a number in base $k, highest first, and give that number modulo $m",
        steps="let n be 0; for each x in a: multiply n by $k, add x, modulo $m, store as n; return n.",
        source="""def $NAME(a):
            n = 0
            for x in a:
                n = (n * $k + x) % $m
            return n""",
        parameters={"k": (2, 3, 4, 5), "m": (7, 9, 11, 13)},
        inputs=number_lists(low=0, high=4, shortest=1, longest=3).with_edges([], [4, 0]),
    ),
    family("three in a row", "simulation", "short")(
        problem="""To $k times each number of a add its left and right neighbours, where a neighbour that is missing
        counts as $e""",
        steps="""let b be a with $e put before and after it; for each number of a: multiply it by $k, add the numbers on
        both sides of it in b; return the list of results.""",
        source="""def $NAME(a):
            b = [$e] + a + [$e]
            return [x + $k * y + z for x, y, z in zip(b, b[1:], b[2:])]""",
        parameters={"k": (2, 3, 4, 5), "e": (0, 1, 2)},
        inputs=number_lists(high=5, longest=4).with_edges([], [3]),
    ),
)
