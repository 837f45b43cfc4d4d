"""Families that count, group or compare values of a list or a word, and look up what was seen before."""

from __future__ import annotations

from pbb.programs.algorithms.family import Family, family
from pbb.programs.algorithms.sampling import number_lists, together, words

FAMILIES: tuple[Family, ...] = (
    family("count of each number", "counting", "short")(
        problem="For each number from 0 to below $n, give $k times how often it occurs in a",
        steps="for each i from 0 to below $n: count how often i is in a, multiply by $k; return the list of results.",
        source="def $NAME(a): return [a.count(i) * $k for i in range($n)]",
        parameters={"n": (3, 4, 5), "k": (1, 2, 3, 4)},
        inputs=number_lists(high=4).with_edges([], [2, 2, 2]),
    ),
    family("numbers by how often they occur", "counting", "short")(
        problem="Give $c times each number that occurs $words in a, in rising order, each only once",
        steps="""let b be the different numbers of a, sorted; for each x in b that occurs $words in a: multiply x by $c;
        return the list of results.""",
        source="""def $NAME(a):
            b = sorted(set(a))
            return [x * $c for x in b if a.count(x) $test]""",
        parameters={
            "test, words": (
                (">= 2", "at least twice"),
                ("== 1", "exactly once"),
                ("== 2", "exactly twice"),
                ("!= 2", "once or at least three times"),
            ),
            "c": (2, 3, 4, 5),
        },
        inputs=number_lists(low=1, high=4, shortest=3, longest=6).with_edges([], [3, 1, 3, 1]),
    ),
    family("groups by remainder", "counting", "medium")(
        problem="""Group the numbers of a by their remainder modulo $k, from 0 on, and give the sum of each group plus
        $c""",
        steps="""let out be empty; for each r from 0 to below $k: put the list of those numbers of a that are r modulo
        $k at the end of out; for each list in out: take its sum, add $c; return the list of results.""",
        source="""def $NAME(a):
            out = []
            for r in range($k):
                out.append([x for x in a if x % $k == r])
            return [sum(b) + $c for b in out]""",
        parameters={"k": (2, 3, 4), "c": (1, 2, 3, 4)},
        inputs=number_lists().with_edges([], [0, 1, 2]),
    ),
    family("letters and their counts", "counting", "short")(
        problem="Give a table with each letter of s, in the order of the alphabet, and $k times its count plus $m",
        steps="""for each different letter c of s, from a to z: count how often c is in s, multiply by $k, add $m;
        return the dict from letters to results.""",
        source="def $NAME(s): return {c: s.count(c) * $k + $m for c in sorted(set(s))}",
        parameters={"k": (2, 3, 4), "m": (1, 2, 3, 4)},
        inputs=words("abc", shortest=3, longest=7).with_edges("", "aa"),
    ),
    family("pair found by what was seen", "searching", "medium")(
        problem="""Go through a until $words. Give the places of the earlier and the later one, counted from $c; of
        equal earlier ones take the last. If there is no such pair, give a list with the length of a""",
        steps="""let seen be empty; for each x in a at place i, counted from 0: if seen has a place for $need: return
        the list of that place plus $c and i plus $c; let seen have i for x; when all is done, return a list with the
        length of a.""",
        source="""def $NAME(a):
            seen = {}
            for i, x in enumerate(a):
                if $need in seen:
                    return [seen[$need] + $c, i + $c]
                seen[x] = i
            return [len(a)]""",
        parameters={
            "need, words": (
                *((f"{k} - x", f"a number and an earlier one add up to {k}") for k in (4, 5, 6)),
                *((f"x - {k}", f"a number is {k} more than an earlier one") for k in (1, 2)),
                *((f"x + {k}", f"a number is {k} less than an earlier one") for k in (1, 2)),
            ),
            "c": (0, 1),
        },
        inputs=number_lists(high=5, shortest=3, longest=6).with_edges([], [3, 3, 2]),
    ),
    family("shared and unshared numbers", "counting", "short")(
        problem="Take the numbers that are in $words, each only once, add $k to each, and sort them",
        steps="collect the numbers that are in $words, each only once; add $k to each; sort them; return the list.",
        source="""def $NAME(a, b):
            t = set(a) $op set(b)
            return sorted(x + $k for x in t)""",
        parameters={
            "op, words": (
                ("&", "both a and b"),
                ("|", "a or b or both"),
                ("-", "a but not in b"),
                ("^", "just one of a and b"),
            ),
            "k": (1, 2, 3, 4),
        },
        inputs=together(number_lists(high=5), number_lists(high=5)).with_edges(([], [2]), ([1, 1], [1])),
    ),
    family("missing numbers", "searching", "short")(
        problem="Give $k times each number from 1 to $n, both included, that is not in a",
        steps="for each x from 1 to $n that is not in a: multiply x by $k; return the list of results.",
        source="def $NAME(a): return [x * $k for x in range(1, $n + 1) if x not in a]",
        parameters={"n": (4, 5, 6, 7), "k": (2, 3, 4)},
        inputs=number_lists(low=1, high=7).with_edges([], [4, 3, 2, 1]),
    ),
    family("repeats dropped", "counting", "short")(
        problem="Keep the first of each of the different numbers in a, in their order, and give $k times each minus $c",
        steps="""leave out of a every number that came before in it; for each x that is left: multiply by $k, subtract
        $c; return the list of results.""",
        source="def $NAME(a): return [x * $k - $c for x in dict.fromkeys(a)]",
        parameters={"k": (2, 3, 4), "c": (1, 2, 3)},
        inputs=number_lists(low=1, high=5, shortest=3, longest=6).with_edges([], [4, 4, 4]),
    ),
    family("place of the first equal one", "searching", "short")(
        problem="""For each number of a, find the first place in a with the same number, counted from 0; give $k times
        it plus $c""",
        steps="""for each x in a: take the place of the first x in a, counted from 0, multiply by $k, add $c; return the
        list of results.""",
        source="def $NAME(a): return [a.index(x) * $k + $c for x in a]",
        parameters={"k": (2, 3, 4), "c": (1, 2, 3)},
        inputs=number_lists(high=3, longest=6).with_edges([], [2, 2]),
    ),
    family("pairs out of order", "counting", "medium")(
        problem="""Count the pairs of numbers in a whose first is more than $m above the second. Multiply by $k and add
        the length of a""",
        steps="""let n be 0; for each x in a: count the numbers y after it for which x is above y plus $m; add the count
        to n; multiply n by $k, add the length of a; return it.""",
        source="""def $NAME(a):
            n = 0
            for i, x in enumerate(a):
                n = n + sum(1 for y in a[i + 1:] if x > y + $m)
            return n * $k + len(a)""",
        parameters={"m": (0, 1, 2, 3), "k": (3, 5, 7)},
        inputs=number_lists(shortest=3).with_edges([], [9, 5, 1]),
    ),
)
