"""Families over sums of starts, stretches and windows of a list."""

from __future__ import annotations

import random
from typing import Any

from pbb.programs.algorithms.family import Family, family
from pbb.programs.algorithms.sampling import Choice, Inputs, number_lists


@Inputs
def _with_places(rng: random.Random, choice: Choice) -> tuple[Any, ...]:
    """Draw a list and two places i < j within it, or just past its end."""
    a = [rng.randint(0, 9) for _ in range(rng.randint(2, 5))]
    return (a, *sorted(rng.sample(range(len(a) + 1), 2)))


FAMILIES: tuple[Family, ...] = (
    family("running sums", "prefix sums", "short")(
        problem="For each place of a, give the sum of all numbers up to it, itself included, modulo $m, plus $c",
        steps="""for each place in a: add up the numbers of a from the first to this one, modulo $m, add $c; return the
        list of results.""",
        source="def $NAME(a): return [sum(a[:i + 1]) % $m + $c for i in range(len(a))]",
        parameters={"m": (5, 6, 7, 8, 9), "c": (1, 2, 3)},
        inputs=number_lists().with_edges([], [9]),
    ),
    family("start that can be paid", "prefix sums", "short")(
        problem="Drop from the start of a as many numbers as have a sum of at most $k, and add $c to each number left",
        steps="""let n be the largest count for which the first n numbers of a have a sum of at most $k; leave out the
        first n numbers; add $c to each of the others; return the list.""",
        source="""def $NAME(a):
            n = max(i for i in range(len(a) + 1) if sum(a[:i]) <= $k)
            return [x + $c for x in a[n:]]""",
        parameters={"k": (3, 5, 7, 9), "c": (1, 2, 3)},
        inputs=number_lists(shortest=3).with_edges([], [9, 1]),
    ),
    family("windows", "prefix sums", "short")(
        problem="For each $k numbers of a that stand in a row, give $c times their $words",
        steps="""for each stretch of $k numbers in a row in a, from left to right: take its $words, multiply by $c;
        return the list of results.""",
        source="def $NAME(a): return [$f(a[i:i + $k]) * $c for i in range(len(a) - $k + 1)]",
        parameters={
            "f, words": (("sum", "sum"), ("max", "largest number"), ("min", "smallest number")),
            "k": (2, 3),
            "c": (2, 3, 4, 5),
        },
        inputs=number_lists(shortest=3).with_edges([], [2, 2, 2]),
    ),
    family("best window", "prefix sums", "short")(
        problem="Find the $words sum of $k numbers of a that stand in a row, and add $c",
        steps="""let b be the list of the sums of each $k numbers in a row in a; take the $words number of b, add $c;
        return it.""",
        source="""def $NAME(a):
            b = [sum(a[i:i + $k]) for i in range(len(a) - $k + 1)]
            return $f(b) + $c""",
        parameters={"f, words": (("max", "largest"), ("min", "smallest")), "k": (2, 3), "c": (1, 2, 3, 4)},
        inputs=number_lists(shortest=3).with_edges([0, 0, 0], [9, 1, 5]),
    ),
    family("sum between two places", "prefix sums", "short")(
        problem="""Add up the numbers of a from place i up to but without place j, counted from 0, multiply by $k and
        add $c""",
        steps="""add up the numbers of a at places i, i + 1 and so on up to j - 1, counted from 0; multiply by $k, add
        $c; return it.""",
        source="def $NAME(a, i, j): return sum(a[i:j]) * $k + $c",
        parameters={"k": (2, 3, 4), "c": (1, 2, 3, 4)},
        inputs=_with_places.with_edges(([5, 6], 1, 1), ([0], 0, 1)),
    ),
    family("stretch raised", "prefix sums", "short")(
        problem="""Add $k to the numbers of a from place i up to but without place j, counted from 0, and subtract $c
        from all others""",
        steps="""for each x in a at place n, counted from 0: if n is at least i and below j: add $k to x; otherwise:
        subtract $c from x; return the list of results.""",
        source="def $NAME(a, i, j): return [x + $k if i <= n < j else x - $c for n, x in enumerate(a)]",
        parameters={"k": (2, 3, 4, 5), "c": (1, 2, 3)},
        inputs=_with_places.with_edges(([4, 4], 1, 1), ([], 0, 0)),
    ),
    family("stretches with a given sum", "prefix sums", "medium")(
        problem="""Count the stretches of neighbours in a whose sum is $k, multiply the count by $c, and add the sum of
        all of a""",
        steps="""let seen be a list with only 0, t be 0, n be 0; for each x in a: add x to t; add to n how often t minus
        $k is in seen; put t at the end of seen; return n times $c plus t.""",
        source="""def $NAME(a):
            seen = [0]
            t = 0
            n = 0
            for x in a:
                t = t + x
                n = n + seen.count(t - $k)
                seen.append(t)
            return n * $c + t""",
        parameters={"k": (2, 3, 4, 5), "c": (2, 5, 10)},
        inputs=number_lists(high=4).with_edges([], [2, 2, 1, 3]),
    ),
    family("sum that goes past a bound", "prefix sums", "medium")(
        problem="""Start from $s and add the numbers of a one after the other, until the sum is above $k or a ends. Give
        how many numbers were added, and the sum""",
        steps="""let t be $s and i be 0; while i is below the length of a and t is at most $k: add the number at place
        i, counted from 0, to t, and add 1 to i; return the list of i and t.""",
        source="""def $NAME(a):
            t = $s
            i = 0
            while i < len(a) and t <= $k:
                t = t + a[i]
                i = i + 1
            return [i, t]""",
        parameters={"s": (1, 2, 3), "k": (6, 8, 10, 12)},
        inputs=number_lists().with_edges([], [9, 9]),
    ),
    family("running extremes", "prefix sums", "short")(
        problem="""For each number of a, take $k times the $words of all numbers up to it, itself included, and subtract
        the number""",
        steps="""for each place in a: take the $words of the numbers from the first to this one, multiply by $k,
        subtract the number at this place; return the list of results.""",
        source="def $NAME(a): return [$f(a[:i + 1]) * $k - a[i] for i in range(len(a))]",
        parameters={"f, words": (("max", "largest"), ("min", "smallest")), "k": (2, 3, 4, 5)},
        inputs=number_lists().with_edges([], [8, 3]),
    ),
)
