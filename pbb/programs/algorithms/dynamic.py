"""Families of dynamic programming over whole numbers and their digits."""

from __future__ import annotations

import itertools

from pbb.programs.algorithms.family import Family, family
from pbb.programs.algorithms.sampling import Inputs, numbers

_COINS = list(itertools.combinations(range(2, 8), 2))

FAMILIES: tuple[Family, ...] = (
    family("ways up the stairs", "dynamic programming", "medium")(
        problem="""A stair of n steps is climbed by moves of 1 step, or of $k steps in one of $c styles; give the number
        of ways modulo $m""",
        steps="""start a list of ways with $k ones; for each i from $k to n, append the last number plus $c times the
        one $k places from the end, modulo $m; return the last number.""",
        source="""def $NAME(n):
            ways = [1] * $k
            for i in range($k, n + 1):
                ways.append((ways[-1] + ways[-$k] * $c) % $m)
            return ways[-1]""",
        parameters={"k": (2, 3, 4), "c": (2, 3, 4), "m": (10, 11, 13)},
        inputs=numbers(2, 16).with_edges(0, 1),
    ),
    family("ways to pay", "dynamic programming", "long")(
        problem="""In how many ways can n be paid with any number of coins of 1, $p and $q, whatever their order; give
        $w times that number""",
        steps="""start a list of ways with a 1 at each place from 0 to n; first for coin $p, then for coin $q, for each
        i from coin to n, add the number at place i minus coin to the one at place i; return the number at place n times
        $w.""",
        source="""def $NAME(n):
            ways = [1] * (n + 1)
            for coin in ($p, $q):
                for i in range(coin, n + 1):
                    ways[i] += ways[i - coin]
            return ways[n] * $w""",
        parameters={"p, q": _COINS, "w": (2, 3)},
        inputs=numbers(2, 14).with_edges(0, 1),
    ),
    family("fewest coins", "dynamic programming", "medium")(
        problem="Pay n with as few coins of 1, $p and $q as can be; each coin weighs $w; give their weight",
        steps="""start a list with $q times 99, then 0; repeat n times: of the last number, the one $p places from the
        end and the one $q places from the end, append the smallest plus 1; return the last number times $w.""",
        source="""def $NAME(n):
            best = [99] * $q + [0]
            for i in range(n):
                best.append(min(best[-1], best[-$p], best[-$q]) + 1)
            return best[-1] * $w""",
        parameters={"p, q": [(p, q) for p, q in _COINS if q >= 4], "w": (2, 3)},
        inputs=numbers(2, 16).with_edges(0, 1),
    ),
    family("digits with no two neighbours", "dynamic programming", "medium")(
        problem="""Choose digits of n, no two of them next to each other; a digit pays its value $words $k; what is the
        most you can get""",
        steps="""start with take 0 and skip 0; for each digit d of n from the left: store the larger of take and skip
        plus d $words $k as best, then take as skip, then best as take; return take.""",
        source="""def $NAME(n):
            take = 0
            skip = 0
            for d in map(int, str(n)):
                best = max(take, skip + d $op $k)
                skip = take
                take = best
            return take""",
        parameters={"op, words": (("+", "plus"), ("-", "minus")), "k": range(1, 6)},
        inputs=numbers(100, 9999).with_edges(0, 5),
    ),
    family("best stretch of digits", "dynamic programming", "medium")(
        problem="""Each digit of n is worth $w times itself minus $k; what is the most that digits in one unbroken
        stretch are worth together (nothing taken is worth 0)""",
        steps="""start with best 0 and now 0; for each digit d of n from the left: add $w times d to now, subtract $k,
        raise it to at least 0, store as now; store the larger of best and now as best; return best.""",
        source="""def $NAME(n):
            best = 0
            now = 0
            for d in map(int, str(n)):
                now = max(now + d * $w - $k, 0)
                best = max(best, now)
            return best""",
        parameters={"w": (2, 3), "k": range(7, 17)},
        inputs=numbers(100, 9999).with_edges(0, 9),
    ),
    family("cheapest way over the digits", "dynamic programming", "medium")(
        problem="""The digits of n are tolls. You start before the first, for a fee of $s; a move goes to the next digit
        or the one after it, until you are past the last; a digit costs $w times itself. What is the least you pay""",
        steps="""start with last $s and now $s; for each digit d of n from the left: store the smaller of last and now,
        plus $w times d, as new; store now as last and new as now; return the smaller of last and now.""",
        source="""def $NAME(n):
            last = $s
            now = $s
            for d in map(int, str(n)):
                new = min(last, now) + d * $w
                last = now
                now = new
            return min(last, now)""",
        parameters={"s": range(1, 6), "w": (2, 3, 4)},
        inputs=numbers(100, 9999).with_edges(0, 7, 90),
    ),
    family("weighted triangle", "dynamic programming", "medium")(
        problem="""A triangle of numbers has $s at its top (row 0); every number below is $p times the one above to its
        left plus $q times the one above to its right, where missing ones are 0; which number stands in row n at place
        j, counted from 0""",
        steps="""start with a row that has only $s; repeat n times: the next row begins with $q times the first number
        of the row, then has for each two neighbours in the row $p times the left one plus $q times the right one, and
        ends with $p times the last number; return the number at place j of the row, counted from 0.""",
        source="""def $NAME(n, j):
            row = [$s]
            for i in range(n):
                row = [left * $p + right * $q for left, right in zip([0] + row, row + [0])]
            return row[j]""",
        parameters={"s": (1, 2, 3), "p": (2, 3), "q": (2, 3, 4)},
        inputs=Inputs(lambda rng, choice: (n := rng.randint(1, 5), rng.randint(0, n))).with_edges((0, 0), (1, 0)),
    ),
    family("ways to fill a sum in order", "dynamic programming", "medium")(
        problem="""In how many ways is n a sum of parts $p, $q and $r, where order counts and parts may repeat; give the
        number modulo $m""",
        steps="""start a list with $r times 0, then 1; repeat n times: append the sum of the numbers that stand $p, $q
        and $r places from the end; return the last number modulo $m.""",
        source="""def $NAME(n):
            ways = [0] * $r + [1]
            for i in range(n):
                ways.append(ways[-$p] + ways[-$q] + ways[-$r])
            return ways[-1] % $m""",
        parameters={"p, q, r": list(itertools.combinations(range(1, 6), 3)), "m": (7, 10)},
        inputs=numbers(3, 15).with_edges(0, 1),
    ),
)
