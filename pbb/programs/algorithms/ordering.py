"""Families that sort, search or take numbers in order, often with two places that move."""

from __future__ import annotations

from pbb.programs.algorithms.family import Family, number_lists
from pbb.programs.algorithms.sampling import ordered_lists, together

FAMILIES: tuple[Family, ...] = (
    Family(
        name="place in a sorted list",
        technique="searching",
        size="medium",
        source="""
            def $NAME(a):
                i = 0
                j = len(a)
                while i < j:
                    m = (i + j) // 2
                    if a[m] < $k:
                        i = m + 1
                    else:
                        j = m
                return a[:i] + [$x] + a[i:]
        """,
        problem="""The list a is sorted. By halving, find its first number that is $k or more, and put $x before it, at
            the end if there is none""",
        description="""$NAME of a: let i be 0 and j be the length of a; while i is below j: let m be half of i plus j,
            rounded down; if the number at place m of a, counted from 0, is below $k: let i be m plus 1; otherwise: let
            j be m; put $x into a after its first i numbers; return the list.""",
        parameters={"k": (3, 4, 5, 6, 7), "x": (0, 10, 20)},
        sample=ordered_lists(),
        edges=(([],), ([3, 5, 7],)),
    ),
    Family(
        name="nearest first",
        technique="sorting",
        size="short",
        source="""
            def $NAME(a):
                b = sorted((abs(x - $k), x) for x in a)
                return [x for d, x in b[:$n]]
        """,
        problem="""Give the $n numbers of a that are nearest to $k, the nearest first, and of equally near ones the
            smaller""",
        description="""$NAME of a: sort a by the distance to $k, equally near numbers by size; return the list of the
            first $n (all if there are fewer).""",
        parameters={"k": (2, 3, 4, 5, 6, 7), "n": (2, 3)},
        sample=number_lists(shortest=3),
        edges=(([],), ([5, 3, 4],)),
    ),
    Family(
        name="sorted by remainder",
        technique="sorting",
        size="short",
        source="""
            def $NAME(a):
                b = sorted((x % $k, $tie, x) for x in a)
                return [x + $c for r, t, x in b]
        """,
        problem="""Sort the numbers of a by their remainder modulo $k, those with equal remainders $words first, and
            add $c to each""",
        description="""$NAME of a: sort a by x modulo $k, numbers with the same remainder $words first; add $c to each;
            return the list.""",
        parameters={
            "k": (2, 3, 4),
            "tie": ({"tie": "x", "words": "the smallest"}, {"tie": "-x", "words": "the largest"}),
            "c": (1, 2, 3),
        },
        sample=number_lists(),
        edges=(([],), ([6, 2, 4],)),
    ),
    Family(
        name="one pass of exchanges",
        technique="sorting",
        size="medium",
        source="""
            def $NAME(a):
                b = [x + $c for x in a]
                for i in range(len(b) - 1):
                    if $gap > $k:
                        b[i], b[i + 1] = b[i + 1], b[i]
                return b
        """,
        problem="""Add $c to each number of a. Then go once through the neighbours from the left and exchange two when
            the first is more than $k $words the second""",
        description="""$NAME of a: let b be a with $c added to each number; for each place of b but the last, from the
            left: if the number there is more than $k $words the next one: exchange the two; return b.""",
        parameters={
            "side": ({"gap": "b[i] - b[i + 1]", "words": "above"}, {"gap": "b[i + 1] - b[i]", "words": "below"}),
            "k": (0, 1, 2, 3),
            "c": (1, 2),
        },
        sample=number_lists(shortest=3),
        edges=(([],), ([4, 4, 1],)),
    ),
    Family(
        name="sum of the smallest or largest",
        technique="sorting",
        size="short",
        source="""
            def $NAME(a):
                b = sorted(a)$cut
                return sum(b) * $m
        """,
        problem="Add up the $words of a, all of a if it is shorter, and multiply by $m",
        description="""$NAME of a: let b be the $words of a (all of a if it is shorter); add them up, multiply by $m;
            return it.""",
        parameters={
            "cut": (
                {"cut": "[:2]", "words": "two smallest numbers"},
                {"cut": "[:3]", "words": "three smallest numbers"},
                {"cut": "[-2:]", "words": "two largest numbers"},
                {"cut": "[-3:]", "words": "three largest numbers"},
            ),
            "m": (2, 3, 4, 5),
        },
        sample=number_lists(shortest=3, longest=6),
        edges=(([],), ([7],)),
    ),
    Family(
        name="extreme moved to the front",
        technique="sorting",
        size="short",
        source="""
            def $NAME(a):
                m = $f(a)
                i = a.index(m)
                return [m + $k] + a[:i] + a[i + 1:]
        """,
        problem="Take the $words number out of a, the first one of several, and put it plus $k before all others",
        description="""$NAME of a: let m be the $words number of a; take the first m out of a; put m plus $k before all
            that is left; return the list.""",
        parameters={
            "pick": ({"f": "max", "words": "largest"}, {"f": "min", "words": "smallest"}),
            "k": (1, 2, 3, 4, 5, 6),
        },
        sample=number_lists(),
        edges=(([5],), ([2, 9, 2, 9],)),
    ),
    Family(
        name="place of the extreme",
        technique="searching",
        size="short",
        source="""
            def $NAME(a):
                m = $f(a)
                return a.index(m) * $k + m
        """,
        problem="Find the $words number of a, and add to it $k times its first place, counted from 0",
        description="""$NAME of a: let m be the $words number of a; take the place of the first m in a, counted from 0,
            multiply by $k, add m; return it.""",
        parameters={
            "pick": ({"f": "max", "words": "largest"}, {"f": "min", "words": "smallest"}),
            "k": (2, 3, 4, 5, 10),
        },
        sample=number_lists(),
        edges=(([5],), ([4, 4],)),
    ),
    Family(
        name="marked numbers to the end",
        technique="two pointers",
        size="short",
        source="""
            def $NAME(a):
                b = [x for x in a if x != $k]
                return b + [$d] * a.count($k)
        """,
        problem="Take every $k out of a, and put a $d at the end for each",
        description="""$NAME of a: let b be a without every $k; count how often $k is in a, and put as many $d at the
            end of b; return it.""",
        parameters={"k": (0, 1, 2), "d": (5, 6, 7, 9)},
        sample=number_lists(high=2, shortest=3, longest=5),
        edges=(([],), ([0, 1, 2, 0],)),
    ),
    Family(
        name="outer pairs",
        technique="two pointers",
        size="short",
        source="""
            def $NAME(a):
                return [a[i] * $k $op a[-1 - i] for i in range(len(a) // 2)]
        """,
        problem="""Pair the numbers of a from both ends inwards, without the middle one of an odd length, and give $k
            times the left one $words the right one""",
        description="""$NAME of a: for each place i in the first half of a, counted from 0: multiply the number at i by
            $k, $then the number just as far from the end; return the list of results.""",
        parameters={
            "side": (
                {"op": "+", "words": "plus", "then": "add"},
                {"op": "-", "words": "minus", "then": "subtract"},
            ),
            "k": (2, 3, 4, 5, 6),
        },
        sample=number_lists(shortest=2, longest=6),
        edges=(([],), ([1, 2, 3],)),
    ),
    Family(
        name="ends taken until they meet",
        technique="two pointers",
        size="medium",
        source="""
            def $NAME(a):
                a = sorted(a)
                out = []
                while len(a) > 1:
                    if a[0] + a[-1] > $k:
                        a = a[:-1]
                    else:
                        out.append(a[0] * $c + a[-1])
                        a = a[1:]
                return out
        """,
        problem="""Sort a, and as long as it has two numbers: if its ends add up to more than $k, drop the last;
            otherwise note $c times the first plus the last, and drop the first. Give all that was noted""",
        description="""$NAME of a: sort a and let out be empty; while a has more than one number: if the first and the
            last add up to more than $k: take the last off; otherwise: put $c times the first plus the last at the end
            of out, and take the first off; return out.""",
        parameters={"k": (8, 9, 10, 11), "c": (2, 3, 4)},
        sample=number_lists(shortest=3),
        edges=(([],), ([4, 4, 6],)),
    ),
    Family(
        name="two lists merged",
        technique="two pointers",
        size="medium",
        source="""
            def $NAME(a, b):
                out = []
                while a and b:
                    if a[0] <= b[0] + $k:
                        out.append(a[0])
                        a = a[1:]
                    else:
                        out.append(b[0] + $c)
                        b = b[1:]
                return out + a + b
        """,
        problem="""As long as a and b both have numbers: take the first of a if it is at most $k above the first of b,
            otherwise the first of b plus $c. Then take all that is left""",
        description="""$NAME of a and b: let out be empty; while a and b are not empty: if the first number of a is at
            most the first of b plus $k: move it from a to the end of out; otherwise: take the first number off b, add
            $c, put it at the end of out; return out, then what is left of a, then what is left of b.""",
        parameters={"k": (0, 1, 2, 3), "c": (1, 2, 3)},
        sample=together(ordered_lists(longest=3), ordered_lists(longest=3)),
        edges=(([], [2]), ([5, 5], [5])),
    ),
    Family(
        name="water between walls",
        technique="two pointers",
        size="medium",
        source="""
            def $NAME(a):
                best = 0
                while len(a) > 1:
                    best = max(best, (min(a[0], a[-1]) + $c) * (len(a) - 1 + $k))
                    a = a[1:] if a[0] < a[-1] else a[:-1]
                return best
        """,
        problem="""The numbers of a are heights of walls. Two walls hold the smaller height plus $c, times their
            distance plus $k. What do two walls hold at most (0 if there are no two)""",
        description="""$NAME of a: let best be 0; while a has more than one number: add $c to the smaller of its two
            ends; multiply by the length of a minus 1 plus $k; raise best to at least this; if the first is below the
            last, take the first off, otherwise take the last off; return best.""",
        parameters={"c": (1, 2, 3), "k": (1, 2, 3, 4)},
        sample=number_lists(shortest=2),
        edges=(([],), ([3, 3],)),
    ),
)
