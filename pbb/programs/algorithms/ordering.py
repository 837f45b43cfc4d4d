"""Families that sort, search or take numbers in order, often with two places that move."""

from __future__ import annotations

from pbb.programs.algorithms.family import Family, family
from pbb.programs.algorithms.sampling import number_lists, ordered_lists, together

FAMILIES: tuple[Family, ...] = (
    family("place in a sorted list", "searching", "medium")(
        problem="""The list a is sorted. By halving, find its first number that is $k or more, and put $x before it, at
        the end if there is none""",
        steps="""let i be 0 and j be the length of a; while i is below j: let m be half of i plus j, rounded down; if
        the number at place m of a, counted from 0, is below $k: let i be m plus 1; otherwise: let j be m; put $x into a
        after its first i numbers; return the list.""",
        source="""def $NAME(a):
            i = 0
            j = len(a)
            while i < j:
                m = (i + j) // 2
                if a[m] < $k:
                    i = m + 1
                else:
                    j = m
            return a[:i] + [$x] + a[i:]""",
        parameters={"k": (3, 4, 5, 6, 7), "x": (0, 10, 20)},
        inputs=ordered_lists().with_edges([], [3, 5, 7]),
    ),
    family("nearest first", "sorting", "short")(
        problem="""Give the $n numbers of a that are nearest to $k, the nearest first, and of equally near ones the
        smaller""",
        steps="""sort a by the distance to $k, equally near numbers by size; return the list of the first $n (all if
        there are fewer).""",
        source="""def $NAME(a):
            b = sorted((abs(x - $k), x) for x in a)
            return [x for d, x in b[:$n]]""",
        parameters={"k": (2, 3, 4, 5, 6, 7), "n": (2, 3)},
        inputs=number_lists(shortest=3).with_edges([], [5, 3, 4]),
    ),
    family("sorted by remainder", "sorting", "short")(
        problem="""Sort the numbers of a by their remainder modulo $k, those with equal remainders $words first, and add
        $c to each""",
        steps="sort a by x modulo $k, numbers with the same remainder $words first; add $c to each; return the list.",
        source="""def $NAME(a):
            b = sorted((x % $k, $tie, x) for x in a)
            return [x + $c for r, t, x in b]""",
        parameters={"k": (2, 3, 4), "tie, words": (("x", "the smallest"), ("-x", "the largest")), "c": (1, 2, 3)},
        inputs=number_lists().with_edges([], [6, 2, 4]),
    ),
    family("one pass of exchanges", "sorting", "medium")(
        problem="""Add $c to each number of a. Then go once through the neighbours from the left and exchange two when
        the first is more than $k $words the second""",
        steps="""let b be a with $c added to each number; for each place of b but the last, from the left: if the number
        there is more than $k $words the next one: exchange the two; return b.""",
        source="""def $NAME(a):
            b = [x + $c for x in a]
            for i in range(len(b) - 1):
                if $gap > $k:
                    b[i], b[i + 1] = b[i + 1], b[i]
            return b""",
        parameters={
            "gap, words": (("b[i] - b[i + 1]", "above"), ("b[i + 1] - b[i]", "below")),
            "k": (0, 1, 2, 3),
            "c": (1, 2),
        },
        inputs=number_lists(shortest=3).with_edges([], [4, 4, 1]),
    ),
    family("sum of the smallest or largest", "sorting", "short")(
        problem="Add up the $words of a, all of a if it is shorter, and multiply by $m",
        steps="let b be the $words of a (all of a if it is shorter); add them up, multiply by $m; return it.",
        source="""def $NAME(a):
            b = sorted(a)$cut
            return sum(b) * $m""",
        parameters={
            "cut, words": (
                ("[:2]", "two smallest numbers"),
                ("[:3]", "three smallest numbers"),
                ("[-2:]", "two largest numbers"),
                ("[-3:]", "three largest numbers"),
            ),
            "m": (2, 3, 4, 5),
        },
        inputs=number_lists(shortest=3, longest=6).with_edges([], [7]),
    ),
    family("extreme moved to the front", "sorting", "short")(
        problem="Take the $words number out of a, the first one of several, and put it plus $k before all others",
        steps="""let m be the $words number of a; take the first m out of a; put m plus $k before all that is left;
        return the list.""",
        source="""def $NAME(a):
            m = $f(a)
            i = a.index(m)
            return [m + $k] + a[:i] + a[i + 1:]""",
        parameters={"f, words": (("max", "largest"), ("min", "smallest")), "k": (1, 2, 3, 4, 5, 6)},
        inputs=number_lists().with_edges([5], [2, 9, 2, 9]),
    ),
    family("place of the extreme", "searching", "short")(
        problem="Find the $words number of a, and add to it $k times its first place, counted from 0",
        steps="""let m be the $words number of a; take the place of the first m in a, counted from 0, multiply by $k,
        add m; return it.""",
        source="""def $NAME(a):
            m = $f(a)
            return a.index(m) * $k + m""",
        parameters={"f, words": (("max", "largest"), ("min", "smallest")), "k": (2, 3, 4, 5, 10)},
        inputs=number_lists().with_edges([5], [4, 4]),
    ),
    family("marked numbers to the end", "two pointers", "short")(
        problem="Take every $k out of a, and put a $d at the end for each",
        steps="let b be a without every $k; count how often $k is in a, and put as many $d at the end of b; return it.",
        source="""def $NAME(a):
            b = [x for x in a if x != $k]
            return b + [$d] * a.count($k)""",
        parameters={"k": (0, 1, 2), "d": (5, 6, 7, 9)},
        inputs=number_lists(high=2, shortest=3, longest=5).with_edges([], [0, 1, 2, 0]),
    ),
    family("outer pairs", "two pointers", "short")(
        problem="""Pair the numbers of a from both ends inwards, without the middle one of an odd length, and give $k
        times the left one $words the right one""",
        steps="""for each place i in the first half of a, counted from 0: multiply the number at i by $k, $then the
        number just as far from the end; return the list of results.""",
        source="def $NAME(a): return [a[i] * $k $op a[-1 - i] for i in range(len(a) // 2)]",
        parameters={"op, words, then": (("+", "plus", "add"), ("-", "minus", "subtract")), "k": (2, 3, 4, 5, 6)},
        inputs=number_lists(shortest=2, longest=6).with_edges([], [1, 2, 3]),
    ),
    family("ends taken until they meet", "two pointers", "medium")(
        problem="""Sort a, and as long as it has two numbers: if its ends add up to more than $k, drop the last;
        otherwise note $c times the first plus the last, and drop the first. Give all that was noted""",
        steps="""sort a and let out be empty; while a has more than one number: if the first and the last add up to more
        than $k: take the last off; otherwise: put $c times the first plus the last at the end of out, and take the
        first off; return out.""",
        source="""def $NAME(a):
            a = sorted(a)
            out = []
            while len(a) > 1:
                if a[0] + a[-1] > $k:
                    a = a[:-1]
                else:
                    out.append(a[0] * $c + a[-1])
                    a = a[1:]
            return out""",
        parameters={"k": (8, 9, 10, 11), "c": (2, 3, 4)},
        inputs=number_lists(shortest=3).with_edges([], [4, 4, 6]),
    ),
    family("two lists merged", "two pointers", "medium")(
        problem="""As long as a and b both have numbers: take the first of a if it is at most $k above the first of b,
        otherwise the first of b plus $c. Then take all that is left""",
        steps="""let out be empty; while a and b are not empty: if the first number of a is at most the first of b plus
        $k: move it from a to the end of out; otherwise: take the first number off b, add $c, put it at the end of out;
        return out, then what is left of a, then what is left of b.""",
        source="""def $NAME(a, b):
            out = []
            while a and b:
                if a[0] <= b[0] + $k:
                    out.append(a[0])
                    a = a[1:]
                else:
                    out.append(b[0] + $c)
                    b = b[1:]
            return out + a + b""",
        parameters={"k": (0, 1, 2, 3), "c": (1, 2, 3)},
        inputs=together(ordered_lists(longest=3), ordered_lists(longest=3)).with_edges(([], [2]), ([5, 5], [5])),
    ),
    family("water between walls", "two pointers", "medium")(
        problem="""The numbers of a are heights of walls. Two walls hold the smaller height plus $c, times their
        distance plus $k. What do two walls hold at most (0 if there are no two)""",
        steps="""let best be 0; while a has more than one number: add $c to the smaller of its two ends; multiply by the
        length of a minus 1 plus $k; raise best to at least this; if the first is below the last, take the first off,
        otherwise take the last off; return best.""",
        source="""def $NAME(a):
            best = 0
            while len(a) > 1:
                best = max(best, (min(a[0], a[-1]) + $c) * (len(a) - 1 + $k))
                a = a[1:] if a[0] < a[-1] else a[:-1]
            return best""",
        parameters={"c": (1, 2, 3), "k": (1, 2, 3, 4)},
        inputs=number_lists(shortest=2).with_edges([], [3, 3]),
    ),
)
