"""Families over divisors, remainders and powers, and families that search for a number."""

from __future__ import annotations

from pbb.programs.algorithms.family import Family, family
from pbb.programs.algorithms.sampling import Inputs, numbers

FAMILIES: tuple[Family, ...] = (
    family("remainder of a power", "number theory", "short")(
        problem="Raise n to the power $e, add $c, and give the remainder by $m",
        steps="raise n to the power $e, add $c, and return this modulo $m.",
        source="def $NAME(n): return (n ** $e + $c) % $m",
        parameters={"e": (2, 3), "c": (1, 2, 3), "m": range(9, 15)},
        inputs=numbers(1, 20).with_edges(0),
    ),
    family("factors taken out", "number theory", "short")(
        problem="Divide n by $k as long as that leaves no remainder, and give $p times what is left",
        steps="while the remainder of n by $k is 0, divide n by $k; return n times $p.",
        source="""def $NAME(n):
            while n % $k == 0:
                n //= $k
            return n * $p""",
        parameters={"k": (2, 3, 4, 5), "p": range(2, 8)},
        inputs=Inputs(lambda rng, choice: (rng.randint(1, 9) * choice["k"] ** rng.randint(0, 2),)).with_edges(1),
    ),
    family("first term that reaches a number", "searching", "short")(
        problem="""A sequence starts with $s, and each next term is $p times the last plus $q; by how much does the
        first term of n or more exceed n""",
        steps="""start with term $s; while term is below n, multiply term by $p and add $q, store as term; return term
        minus n.""",
        source="""def $NAME(n):
            term = $s
            while term < n:
                term = term * $p + $q
            return term - n""",
        parameters={"s": (2, 3, 4), "p": (3, 4, 5), "q": (1, 2, 3)},
        inputs=numbers(3, 40).with_edges(0, 2),
    ),
    family("last doubling within a number", "searching", "short")(
        problem="""A stack of $s plates is made $k times as high, again and again, while n plates are enough; how many
        of the n plates are left over (below 0 if even the first stack needs more)""",
        steps="start with size $s; while size times $k is at most n, multiply size by $k; return n minus size.",
        source="""def $NAME(n):
            size = $s
            while size * $k <= n:
                size *= $k
            return n - size""",
        parameters={"s": range(2, 8), "k": (3, 4, 5)},
        inputs=numbers(4, 60).with_edges(0, 6),
    ),
    family("smallest number whose square form is enough", "searching", "short")(
        problem="""A square garden with sides of r costs $p times r times r plus $q times r; take the smallest r that
        costs n or more; by how much is that above n""",
        steps="""start with r 0; while $p times r times r, plus $q times r, is below n, add 1 to r; return $p times r
        times r, plus $q times r, minus n.""",
        source="""def $NAME(n):
            r = 0
            while $p * r * r + $q * r < n:
                r += 1
            return $p * r * r + $q * r - n""",
        parameters={"p": range(2, 7), "q": range(2, 7)},
        inputs=numbers(1, 28).with_edges(0),
    ),
    family("least common multiple", "number theory", "medium")(
        problem="What is the smallest number that both $k and n divide (0 for n = 0), plus $c",
        steps="""start with a as $k and b as n; while b is above 0, store the remainder of a by b as rest, then b as a,
        then rest as b; return $k times n divided by a, plus $c.""",
        source="""def $NAME(n):
            a = $k
            b = n
            while b > 0:
                rest = a % b
                a = b
                b = rest
            return $k * n // a + $c""",
        parameters={"k": (4, 6, 8, 9, 10, 12), "c": (1, 2, 3)},
        inputs=numbers(1, 20).with_edges(0, 6),
    ),
    family("squares cut from a sheet", "number theory", "medium")(
        problem="""From a sheet of $k by n, the largest square that fits is cut off again and again until nothing is
        left; a square sells for $w; what do all bring""",
        steps="""start with a as $k and total 0; while n is above 0: divide a by n rounding down and add that times $w
        to total, store the remainder of a by n as rest, then n as a, then rest as n; return total.""",
        source="""def $NAME(n):
            a = $k
            total = 0
            while n > 0:
                total += a // n * $w
                rest = a % n
                a = n
                n = rest
            return total""",
        parameters={"k": range(6, 15), "w": (2, 3)},
        inputs=numbers(1, 20).with_edges(0, 1),
    ),
    family("quotients all the way down", "number theory", "medium")(
        problem="Divide n by $k rounding down, again and again until it is 0; give the sum of all quotients plus $s",
        steps="""start with total $s; while n is above 0, divide n by $k rounding down and add the new n to total;
        return total.""",
        source="""def $NAME(n):
            total = $s
            while n > 0:
                n //= $k
                total += n
            return total""",
        parameters={"k": (2, 3, 4, 5), "s": range(1, 6)},
        inputs=numbers(2, 60).with_edges(0, 1),
    ),
    family("numbers of a kind in a range", "counting", "medium")(
        problem="Add up those numbers from a to b (below 100) whose two digits have a sum with remainder $r by $m",
        steps="""start with total 0; for each i from a to b: if i divided by 10 rounding down, plus the last digit of i,
        has remainder $r by $m, add i to total; return total.""",
        source="""def $NAME(a, b):
            total = 0
            for i in range(a, b + 1):
                if (i // 10 + i % 10) % $m == $r:
                    total += i
            return total""",
        parameters={"m, r": [(m, r) for m in (2, 3, 4) for r in range(m)]},
        inputs=Inputs(lambda rng, choice: (a := rng.randint(2, 60), a + rng.randint(1, 5))).with_edges((4, 3), (0, 0)),
    ),
    family("sum of prime factors", "number theory", "medium")(
        problem="Split n into prime factors, each as often as it occurs; give $w times their sum, plus $s",
        steps="""start with total $s and d 2; while n is above 1: if d divides n, add $w times d to total and divide n
        by d; otherwise add 1 to d; return total.""",
        source="""def $NAME(n):
            total = $s
            d = 2
            while n > 1:
                if n % d == 0:
                    total += d * $w
                    n //= d
                else:
                    d += 1
            return total""",
        parameters={"s": range(1, 6), "w": (2, 3, 4)},
        inputs=Inputs(
            lambda rng, choice: (rng.choice((2, 3, 4, 5, 7)) * rng.choice((1, 2, 3, 4, 5, 6)) * rng.randint(1, 4),)
        ).with_edges(1, 2, 11),
    ),
    family("search by halving", "searching", "medium")(
        problem="""Find the smallest r from 0 on for which $p times r times r plus $q times r is n or more; give $w
        times r plus n""",
        steps="""start with low 0 and high n; while low is below high: store the sum of low and high divided by 2
        rounding down as middle; if $p times middle times middle, plus $q times middle, is at least n, store middle as
        high; otherwise store middle plus 1 as low; return $w times low plus n.""",
        source="""def $NAME(n):
            low = 0
            high = n
            while low < high:
                middle = (low + high) // 2
                if middle * middle * $p + middle * $q >= n:
                    high = middle
                else:
                    low = middle + 1
            return low * $w + n""",
        parameters={"p": (2, 3, 4), "q": (2, 3, 4), "w": (2, 10)},
        inputs=numbers(2, 60).with_edges(0, 1),
    ),
)
