"""Families over sequences of whole numbers: a start, and a rule for the next term."""

from __future__ import annotations

import random

from pbb.programs.algorithms.family import Family, family
from pbb.programs.algorithms.sampling import Choice, Inputs, numbers, together

# A start, and 1 to 3 steps.
_STEPS = together(numbers(0, 12), numbers(1, 3))
_LARGER = together(numbers(10, 60), numbers(1, 3))


@Inputs
def _range(rng: random.Random, choice: Choice) -> tuple[int, int]:
    """Draw the ends of a range of 1 to 3 numbers."""
    start = rng.randint(0, 9)
    return start, start + rng.randint(0, 2)


FAMILIES: tuple[Family, ...] = (
    family("multiply, add and wrap", "sequences", "short")(
        problem="""A dial of $m places shows x; n times it is set to $p times its place plus $q, going round; where does
        it end""",
        steps="repeat n times: multiply x by $p, add $q, take it modulo $m, store as x; return x.",
        source="""def $NAME(x, n):
            for i in range(n):
                x = (x * $p + $q) % $m
            return x""",
        parameters={"p": (2, 3, 4), "q": (1, 2, 3, 5), "m": (10, 11, 13)},
        inputs=together(numbers(0, 9), numbers(1, 3)).with_edges((4, 0), (0, 1)),
    ),
    family("squares that wrap", "sequences", "short")(
        problem="Square x, add $c and keep the remainder by $m; do this n times and give the last x",
        steps="repeat n times: square x, add $c, take it modulo $m, store as x; return x.",
        source="""def $NAME(x, n):
            for i in range(n):
                x = (x * x + $c) % $m
            return x""",
        parameters={"c": range(1, 7), "m": (11, 12, 13, 14)},
        inputs=_STEPS.with_edges((5, 0), (0, 1)),
    ),
    family("jumps around a growing mark", "sequences", "short")(
        problem="For i from 1 to n, replace x by its distance to $p times i, plus $q; give the last x",
        steps="for each i from 1 to n, take the distance of x to $p times i, add $q, store as x; return x.",
        source="""def $NAME(x, n):
            for i in range(1, n + 1):
                x = abs(x - i * $p) + $q
            return x""",
        parameters={"p": range(2, 7), "q": range(1, 6)},
        inputs=_STEPS.with_edges((6, 0), (0, 1)),
    ),
    family("each term from the two before", "sequences", "short")(
        problem="""A sequence starts with $s and x; each later term is the one before plus $k times the one before that;
        which is the last after n more terms""",
        steps="""start a list of terms with $s and x; repeat n times: append the last term plus $k times the term before
        it; return the last term.""",
        source="""def $NAME(x, n):
            terms = [$s, x]
            for i in range(n):
                terms.append(terms[-1] + terms[-2] * $k)
            return terms[-1]""",
        parameters={"s": range(1, 6), "k": range(2, 7)},
        inputs=_STEPS.with_edges((3, 0), (0, 2)),
    ),
    family("sums of three terms", "sequences", "short")(
        problem="""A sequence starts with $s, $t and x, and each later term is the sum of the three before; which is the
        last after n more terms""",
        steps="""start a list of terms with $s, $t and x; repeat n times: append the sum of the last three terms; return
        the last term.""",
        source="""def $NAME(x, n):
            terms = [$s, $t, x]
            for i in range(n):
                terms.append(sum(terms[-3:]))
            return terms[-1]""",
        parameters={"s": range(1, 6), "t": range(0, 5)},
        inputs=_STEPS.with_edges((4, 0), (0, 1)),
    ),
    family("shrink and refill", "simulation", "short")(
        problem="""A tank holds x; every day one part in $p of it stays, rounded down, and $q is poured in; what does it
        hold after n days""",
        steps="repeat n times: divide x by $p rounding down, add $q, store as x; return x.",
        source="""def $NAME(x, n):
            for i in range(n):
                x = x // $p + $q
            return x""",
        parameters={"p": (2, 3, 4), "q": range(3, 11)},
        inputs=_LARGER.with_edges((7, 0), (0, 2)),
    ),
    family("interest and savings", "simulation", "short")(
        problem="""You own x coins; each year brings 1 coin for every full $k that you own, and $d more; how many are
        there after n years""",
        steps="repeat n times: add x divided by $k rounding down, and $d, to x; return x.",
        source="""def $NAME(x, n):
            for i in range(n):
                x += x // $k + $d
            return x""",
        parameters={"k": range(3, 8), "d": range(1, 6)},
        inputs=_LARGER.with_edges((8, 0), (0, 2)),
    ),
    family("halve or grow", "sequences", "short")(
        problem="n times, halve x if it is even and otherwise replace it by $p times x plus $q; give the last x",
        steps="""repeat n times: if x is even, divide x by 2, otherwise multiply x by $p and add $q, and store as x;
        return x.""",
        source="""def $NAME(x, n):
            for i in range(n):
                x = x // 2 if x % 2 == 0 else x * $p + $q
            return x""",
        parameters={"p": (2, 3, 4, 5), "q": range(1, 7)},
        inputs=together(numbers(1, 20), numbers(1, 3)).with_edges((9, 0), (0, 2)),
    ),
    family("most points in some moves", "dynamic programming", "short")(
        problem="""You have x points. Each of n moves either adds $p or doubles your points and then takes $q; give the
        most points possible""",
        steps="repeat n times: take the larger of x plus $p and twice x minus $q, store as x; return x.",
        source="""def $NAME(x, n):
            for i in range(n):
                x = max(x + $p, x * 2 - $q)
            return x""",
        parameters={"p": range(2, 7), "q": range(1, 6)},
        inputs=_STEPS.with_edges((5, 0), (0, 1)),
    ),
    family("fewest points in some moves", "dynamic programming", "short")(
        problem="""You have x points. Each of n moves either adds $p or doubles your points and then takes $q; give the
        fewest points possible""",
        steps="repeat n times: take the smaller of x plus $p and twice x minus $q, store as x; return x.",
        source="""def $NAME(x, n):
            for i in range(n):
                x = min(x + $p, x * 2 - $q)
            return x""",
        parameters={"p": range(3, 8), "q": range(1, 5)},
        inputs=together(numbers(2, 16), numbers(1, 3)).with_edges((5, 0), (0, 1)),
    ),
    family("sum over a range", "sequences", "short")(
        problem="Add up $words for each whole number i from a to b, and give the sum modulo $m",
        steps="start with total 0; for each i from a to b, add $words to total; return total modulo $m.",
        source="""def $NAME(a, b):
            total = 0
            for i in range(a, b + 1):
                total += $term
            return total % $m""",
        parameters={
            "term, words": (
                ("i * i", "the square of i"),
                ("i * (i + 1)", "i times the number after i"),
                ("i * (i + 3)", "the product of i and 3 more than i"),
                ("i * i * i", "i times i times i"),
                ("2 ** i", "2 to the power i"),
            ),
            "m": (7, 9, 10, 11, 13),
        },
        inputs=_range.with_edges((4, 3), (0, 0)),
    ),
    family("product over a range", "sequences", "short")(
        problem="Multiply $s by i plus $k for each whole number i from a to b, and give the product modulo $m",
        steps="""start with total $s; for each i from a to b, multiply total by i plus $k and take this modulo $m as the
        new total; return total.""",
        source="""def $NAME(a, b):
            total = $s
            for i in range(a, b + 1):
                total = total * (i + $k) % $m
            return total""",
        parameters={"s": (1, 2, 3), "k": (1, 2, 3), "m": (7, 11, 13)},
        inputs=_range.with_edges((4, 3), (0, 0)),
    ),
)
