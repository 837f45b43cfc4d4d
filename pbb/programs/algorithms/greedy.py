"""Families that take the best step at hand, one after the other, and never go back."""

from __future__ import annotations

from pbb.programs.algorithms.family import Family, family
from pbb.programs.algorithms.sampling import number_lists, together, words

_ORDERS = (
    ("a", "in their order"),
    ("sorted(a)", "the smallest first"),
    ("sorted(a)[::-1]", "the largest first"),
)
FAMILIES: tuple[Family, ...] = (
    family("enough taken", "greedy", "short")(
        problem="Take numbers of a, $words, as long as the sum of those taken is below $k",
        steps="""let out be empty; for each x in a, $words: if the sum of out is below $k: put x at the end of out;
        return out.""",
        source="""def $NAME(a):
            out = []
            for x in $order:
                out = out + [x] if sum(out) < $k else out
            return out""",
        parameters={"order, words": _ORDERS[1:], "k": (3, 5, 6, 7, 8)},
        inputs=number_lists(low=3, shortest=3, longest=3).with_edges([], [2, 9]),
    ),
    family("money left", "greedy", "short")(
        problem="""With $k coins, go through the prices in a, $words, and buy whatever can still be paid. How many coins
        are left""",
        steps="let t be $k; for each x in a, $words: if x is at most t: subtract x from t; return t.",
        source="""def $NAME(a):
            t = $k
            for x in $order:
                t = t - x if x <= t else t
            return t""",
        parameters={"order, words": _ORDERS, "k": (7, 8, 9, 10, 12)},
        inputs=number_lists(low=1, shortest=1, longest=3).with_edges([], [6, 3, 5]),
    ),
    family("profit with a fee", "greedy", "short")(
        problem="""a has the price of each day. Add up each rise from one day to the next minus a fee of $k, where that
        is above 0. Multiply by $m and add $c""",
        steps="""for each x in a with the next number y: take y minus x minus $k, raise to at least 0; add all of these
        up; multiply by $m, add $c; return it.""",
        source="def $NAME(a): return sum(max(y - x - $k, 0) for x, y in zip(a, a[1:])) * $m + $c",
        parameters={"k": (0, 1, 2), "m": (2, 3), "c": (1, 2, 3)},
        inputs=number_lists(shortest=3).with_edges([], [1, 5]),
    ),
    family("steps raised to climb", "greedy", "short")(
        problem="""Raise the numbers of a, no more than needed, so that the first is at least $k above $s and each next
        one at least $k above the one before. What does the last become ($s if there is none)""",
        steps="let p be $s; for each x in a: let p be the larger of x and p plus $k; return p.",
        source="""def $NAME(a):
            p = $s
            for x in a:
                p = max(x, p + $k)
            return p""",
        parameters={"s": (0, 2, 4), "k": (1, 2, 3, 4)},
        inputs=number_lists(shortest=1, longest=3).with_edges([], [0, 0]),
    ),
    family("furthest place reached", "greedy", "short")(
        problem="""Places are counted from 0, and those up to $s can be reached. From a place that can be reached, all
        places up to its number in a further can be too. Give the furthest, times $c""",
        steps="""let r be $s; for each x in a at place i, counted from 0: if i is at most r: raise r to at least i plus
        x; return r times $c.""",
        source="""def $NAME(a):
            r = $s
            for i, x in enumerate(a):
                r = max(r, i + x) if i <= r else r
            return r * $c""",
        parameters={"s": (0, 1, 2), "c": (2, 3, 4, 5)},
        inputs=number_lists(high=5, shortest=2, longest=3).with_edges([], [0, 0, 5]),
    ),
    family("boxes packed", "greedy", "medium")(
        problem="""Put the weights in a into boxes, in their order: each goes into the latest box if that then holds at
        most $k, otherwise into a new box. The first box holds $s already. Give what each box holds""",
        steps="""let out be a list with only $s; for each x in a: if the last number of out plus x is at most $k: add x
        to the last number of out; otherwise: put x at the end of out; return out.""",
        source="""def $NAME(a):
            out = [$s]
            for x in a:
                if out[-1] + x <= $k:
                    out[-1] = out[-1] + x
                else:
                    out.append(x)
            return out""",
        parameters={"s": (0, 1, 2), "k": (8, 9, 10, 11)},
        inputs=number_lists(low=1, high=8, shortest=3).with_edges([], [8, 8]),
    ),
    family("children without a biscuit", "greedy", "short")(
        problem="""Each child wants a biscuit at least $k larger than its number in a, and b has the sizes. Go through
        the biscuits, small ones first, and give each to the child with the smallest number if that one takes it. Give
        the numbers left in a, sorted, plus $c each""",
        steps="""sort a; for each y in b, the smallest first: if a is not empty and its first number plus $k is at most
        y: take that first number off a; add $c to each number of a; return the list.""",
        source="""def $NAME(a, b):
            a = sorted(a)
            for y in sorted(b):
                a = a[1:] if a and a[0] + $k <= y else a
            return [x + $c for x in a]""",
        parameters={"k": (0, 1, 2), "c": (1, 2, 3, 4)},
        inputs=together(number_lists(shortest=2, longest=4), number_lists(shortest=1, longest=3)).with_edges(
            ([], [5]), ([4, 4], [])
        ),
    ),
    family("times with a pause", "greedy", "medium")(
        problem="""Each letter of s is a job, done in their order and as early as can be: $m after the job before, and
        $m + $k after the last job of the same letter. The first one is done at time $m. Give the times""",
        steps="""let last be empty and out be empty; for each letter c of s: take the larger of what last has for c (0
        if nothing) and the last number of out (0 if it is empty); add $m, store as t; let last have t plus $k for c;
        put t at the end of out; return out.""",
        source="""def $NAME(s):
            last = {}
            out = []
            for c in s:
                t = max(last.get(c, 0), ([0] + out)[-1]) + $m
                last[c] = t + $k
                out.append(t)
            return out""",
        parameters={"k": (1, 2, 3, 4), "m": (1, 2, 3)},
        inputs=words("abc", longest=4).with_edges("", "aa"),
    ),
)
