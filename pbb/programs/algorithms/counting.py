"""Families that count, group or compare values of a list or a word, and look up what was seen before."""

from __future__ import annotations

from pbb.programs.algorithms.family import Family, number_lists, words
from pbb.programs.algorithms.sampling import together

FAMILIES: tuple[Family, ...] = (
    Family(
        name="count of each number",
        technique="counting",
        size="short",
        source="""
            def $NAME(a):
                return [a.count(i) * $k for i in range($n)]
        """,
        problem="For each number from 0 to below $n, give $k times how often it occurs in a",
        description="""$NAME of a: for each i from 0 to below $n: count how often i is in a, multiply by $k; return the
            list of results.""",
        parameters={"n": (3, 4, 5), "k": (1, 2, 3, 4)},
        sample=number_lists(high=4),
        edges=(([],), ([2, 2, 2],)),
    ),
    Family(
        name="numbers by how often they occur",
        technique="counting",
        size="short",
        source="""
            def $NAME(a):
                b = sorted(set(a))
                return [x * $c for x in b if a.count(x) $test]
        """,
        problem="Give $c times each number that occurs $words in a, in rising order, each only once",
        description="""$NAME of a: let b be the different numbers of a, sorted; for each x in b that occurs $words in
            a: multiply x by $c; return the list of results.""",
        parameters={
            "test": (
                {"test": ">= 2", "words": "at least twice"},
                {"test": "== 1", "words": "exactly once"},
                {"test": "== 2", "words": "exactly twice"},
                {"test": "!= 2", "words": "once or at least three times"},
            ),
            "c": (2, 3, 4, 5),
        },
        sample=number_lists(low=1, high=4, shortest=3, longest=6),
        edges=(([],), ([3, 1, 3, 1],)),
    ),
    Family(
        name="groups by remainder",
        technique="counting",
        size="medium",
        source="""
            def $NAME(a):
                out = []
                for r in range($k):
                    out.append([x for x in a if x % $k == r])
                return [sum(b) + $c for b in out]
        """,
        problem="""Group the numbers of a by their remainder modulo $k, from 0 on, and give the sum of each group plus
            $c""",
        description="""$NAME of a: let out be empty; for each r from 0 to below $k: put the list of those numbers of a
            that are r modulo $k at the end of out; for each list in out: take its sum, add $c; return the list of
            results.""",
        parameters={"k": (2, 3, 4), "c": (1, 2, 3, 4)},
        sample=number_lists(),
        edges=(([],), ([0, 1, 2],)),
    ),
    Family(
        name="letters and their counts",
        technique="counting",
        size="short",
        source="""
            def $NAME(s):
                return {c: s.count(c) * $k + $m for c in sorted(set(s))}
        """,
        problem="Give a table with each letter of s, in the order of the alphabet, and $k times its count plus $m",
        description="""$NAME of s: for each different letter c of s, from a to z: count how often c is in s, multiply
            by $k, add $m; return the dict from letters to results.""",
        parameters={"k": (2, 3, 4), "m": (1, 2, 3, 4)},
        sample=words("abc", shortest=3, longest=7),
        edges=(("",), ("aa",)),
    ),
    Family(
        name="pair found by what was seen",
        technique="searching",
        size="medium",
        source="""
            def $NAME(a):
                seen = {}
                for i, x in enumerate(a):
                    if $need in seen:
                        return [seen[$need] + $c, i + $c]
                    seen[x] = i
                return [len(a)]
        """,
        problem="""Go through a until $words. Give the places of the earlier and the later one, counted from $c; of
            equal earlier ones take the last. If there is no such pair, give a list with the length of a""",
        description="""$NAME of a: let seen be empty; for each x in a at place i, counted from 0: if seen has a place
            for $need: return the list of that place plus $c and i plus $c; let seen have i for x; when all is done,
            return a list with the length of a.""",
        parameters={
            "need": (
                *({"need": f"{k} - x", "words": f"a number and an earlier one add up to {k}"} for k in (4, 5, 6)),
                *({"need": f"x - {k}", "words": f"a number is {k} more than an earlier one"} for k in (1, 2)),
                *({"need": f"x + {k}", "words": f"a number is {k} less than an earlier one"} for k in (1, 2)),
            ),
            "c": (0, 1),
        },
        sample=number_lists(high=5, shortest=3, longest=6),
        edges=(([],), ([3, 3, 2],)),
    ),
    Family(
        name="shared and unshared numbers",
        technique="counting",
        size="short",
        source="""
            def $NAME(a, b):
                t = set(a) $op set(b)
                return sorted(x + $k for x in t)
        """,
        problem="Take the numbers that are in $words, each only once, add $k to each, and sort them",
        description="""$NAME of a and b: collect the numbers that are in $words, each only once; add $k to each; sort
            them; return the list.""",
        parameters={
            "side": (
                {"op": "&", "words": "both a and b"},
                {"op": "|", "words": "a or b or both"},
                {"op": "-", "words": "a but not in b"},
                {"op": "^", "words": "just one of a and b"},
            ),
            "k": (1, 2, 3, 4),
        },
        sample=together(number_lists(high=5), number_lists(high=5)),
        edges=(([], [2]), ([1, 1], [1])),
    ),
    Family(
        name="missing numbers",
        technique="searching",
        size="short",
        source="""
            def $NAME(a):
                return [x * $k for x in range(1, $n + 1) if x not in a]
        """,
        problem="Give $k times each number from 1 to $n, both included, that is not in a",
        description="""$NAME of a: for each x from 1 to $n that is not in a: multiply x by $k; return the list of
            results.""",
        parameters={"n": (4, 5, 6, 7), "k": (2, 3, 4)},
        sample=number_lists(low=1, high=7),
        edges=(([],), ([4, 3, 2, 1],)),
    ),
    Family(
        name="repeats dropped",
        technique="counting",
        size="short",
        source="""
            def $NAME(a):
                return [x * $k - $c for x in dict.fromkeys(a)]
        """,
        problem="Keep the first of each of the different numbers in a, in their order, and give $k times each minus $c",
        description="""$NAME of a: leave out of a every number that came before in it; for each x that is left:
            multiply by $k, subtract $c; return the list of results.""",
        parameters={"k": (2, 3, 4), "c": (1, 2, 3)},
        sample=number_lists(low=1, high=5, shortest=3, longest=6),
        edges=(([],), ([4, 4, 4],)),
    ),
    Family(
        name="place of the first equal one",
        technique="searching",
        size="short",
        source="""
            def $NAME(a):
                return [a.index(x) * $k + $c for x in a]
        """,
        problem="""For each number of a, find the first place in a with the same number, counted from 0; give $k times
            it plus $c""",
        description="""$NAME of a: for each x in a: take the place of the first x in a, counted from 0, multiply by $k,
            add $c; return the list of results.""",
        parameters={"k": (2, 3, 4), "c": (1, 2, 3)},
        sample=number_lists(high=3, longest=6),
        edges=(([],), ([2, 2],)),
    ),
    Family(
        name="pairs out of order",
        technique="counting",
        size="medium",
        source="""
            def $NAME(a):
                n = 0
                for i, x in enumerate(a):
                    n = n + sum(1 for y in a[i + 1:] if x > y + $m)
                return n * $k + len(a)
        """,
        problem="""Count the pairs of numbers in a whose first is more than $m above the second. Multiply by $k and add
            the length of a""",
        description="""$NAME of a: let n be 0; for each x in a: count the numbers y after it for which x is above y
            plus $m; add the count to n; multiply n by $k, add the length of a; return it.""",
        parameters={"m": (0, 1, 2, 3), "k": (3, 5, 7)},
        sample=number_lists(shortest=3),
        edges=(([],), ([9, 5, 1],)),
    ),
)
