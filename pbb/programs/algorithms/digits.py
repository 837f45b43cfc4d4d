"""Families over the digits of a whole number."""

from __future__ import annotations

from pbb.programs.algorithms.family import Family, family
from pbb.programs.algorithms.sampling import numbers, together

FAMILIES: tuple[Family, ...] = (
    family("digits read in another base", "digits", "short")(
        problem="Read the decimal digits of n as if they stood in base $k, and give that value modulo $m",
        steps="""start with total 0; for each digit of n from the left, multiply total by $k, add the digit and take
        this modulo $m as the new total; return total.""",
        source="""def $NAME(n):
            total = 0
            for d in map(int, str(n)):
                total = (total * $k + d) % $m
            return total""",
        parameters={"k": range(2, 7), "m": range(7, 12)},
        inputs=numbers(10, 99).with_edges(0, 9),
    ),
    family("digits above a limit", "digits", "short")(
        problem="Each digit of n costs $w for every step that it is above $k; give the total cost",
        steps="""start with total 0; for each digit of n, subtract $k from it, raise the result to at least 0, multiply
        by $w and add it to total; return total.""",
        source="""def $NAME(n):
            total = 0
            for d in map(int, str(n)):
                total += max(d - $k, 0) * $w
            return total""",
        parameters={"k": range(1, 6), "w": range(2, 6)},
        inputs=numbers(10, 99).with_edges(0, 99),
    ),
    family("alternating digit sum", "digits", "short")(
        problem="""Start with $k and go through the digits of n from the left, each time taking the digit minus what you
        have, modulo $m; give what you have at the end""",
        steps="""start with total $k; for each digit of n from the left, subtract total from the digit and take this
        modulo $m as the new total; return total.""",
        source="""def $NAME(n):
            total = $k
            for d in map(int, str(n)):
                total = (d - total) % $m
            return total""",
        parameters={"k": range(1, 7), "m": range(7, 12)},
        inputs=numbers(10, 99).with_edges(0, 9),
    ),
    family("product of raised digits", "digits", "short")(
        problem="Raise each digit of n by $k and multiply them all; give the product modulo $m",
        steps="""start with total 1; for each digit of n, multiply total by the digit plus $k and take this modulo $m as
        the new total; return total.""",
        source="""def $NAME(n):
            total = 1
            for d in map(int, str(n)):
                total = total * (d + $k) % $m
            return total""",
        parameters={"k": range(1, 7), "m": (7, 9, 11, 13)},
        inputs=numbers(10, 99).with_edges(0, 10),
    ),
    family("distance of digits to a centre", "digits", "short")(
        problem="Sum up how far each digit of n is from $k, and multiply that by $w",
        steps="""start with total 0; for each digit of n, take its distance to $k, multiply by $w and add it to total;
        return total.""",
        source="""def $NAME(n):
            total = 0
            for d in map(int, str(n)):
                total += abs(d - $k) * $w
            return total""",
        parameters={"k": range(1, 9), "w": range(2, 5)},
        inputs=numbers(10, 99).with_edges(0, 9),
    ),
    family("every digit replaced", "digits", "short")(
        problem="Replace each digit d of n by the last digit of $k times d plus $c, and give the new number",
        steps="""start with total 0; for each digit d of n from the left, multiply d by $k, add $c, take it modulo 10,
        and add this to 10 times total as the new total; return total.""",
        source="""def $NAME(n):
            total = 0
            for d in map(int, str(n)):
                total = total * 10 + (d * $k + $c) % 10
            return total""",
        parameters={"k": (3, 7, 9), "c": range(1, 10)},
        inputs=numbers(10, 99).with_edges(0, 9),
    ),
    family("digits held within a bound", "digits", "short")(
        problem="Replace each digit of n that is $words $k by $k, and give the new number",
        steps="""start with total 0; for each digit d of n from the left, add the $which of d and $k to 10 times total
        as the new total; return total.""",
        source="""def $NAME(n):
            total = 0
            for d in map(int, str(n)):
                total = total * 10 + $function(d, $k)
            return total""",
        parameters={
            "function, words, which": (("min", "above", "smaller"), ("max", "below", "larger")),
            "k": range(2, 8),
        },
        inputs=numbers(10, 99).with_edges(0, 9),
    ),
    family("number and its mirror", "digits", "short")(
        problem="Write the digits of n backwards; give the distance of $p times that number to $q times n",
        steps="""store the number that the digits of n give from right to left as turned; return the distance of $p
        times turned to $q times n.""",
        source="""def $NAME(n):
            turned = int(str(n)[::-1])
            return abs($p * turned - $q * n)""",
        parameters={"p": range(2, 7), "q": range(2, 6)},
        inputs=numbers(10, 99).with_edges(0, 7, 30, 44),
    ),
    family("largest and smallest digit", "digits", "short")(
        problem="Multiply the largest digit of n by $p and take away $q times its smallest digit",
        steps="store the largest digit of n as top and the smallest as low; return top times $p minus low times $q.",
        source="""def $NAME(n):
            top = int(max(str(n)))
            low = int(min(str(n)))
            return top * $p - low * $q""",
        parameters={"p": range(2, 7), "q": range(2, 6)},
        inputs=numbers(10, 99).with_edges(0, 5, 44),
    ),
    family("repeated digit folding", "digits", "short")(
        problem="""Multiply n by $k. While the result is $b or more, split it by $b into quotient and remainder and add
        the two; give what is left""",
        steps="""multiply n by $k; while n is at least $b, divide n by $b rounding down, and add the quotient and the
        remainder as the new n; return n.""",
        source="""def $NAME(n):
            n = n * $k
            while n >= $b:
                n = n // $b + n % $b
            return n""",
        parameters={"k": (2, 3, 4, 5), "b": (6, 8, 9, 11, 12, 14)},
        inputs=numbers(1, 20).with_edges(0),
    ),
    family("tens and last digit mixed", "digits", "short")(
        problem="""Do this n times: take the last digit of x off, and let the new x be $p times what stays plus $q times
        that digit; give the last x""",
        steps="""repeat n times: divide x by 10 rounding down and multiply by $p, add $q times the last digit of x, and
        store as x; return x.""",
        source="""def $NAME(x, n):
            for i in range(n):
                x = x // 10 * $p + x % 10 * $q
            return x""",
        parameters={"p": range(2, 7), "q": range(2, 7)},
        inputs=together(numbers(4, 60), numbers(1, 3)).with_edges((10, 2), (7, 0)),
    ),
    family("powers of digits in a base", "digits", "medium")(
        problem="Write n in base $b, raise each digit to the power $e and add these up",
        steps="""start with total 0; while n is above 0, raise the remainder of n by $b to the power $e and add it to
        total, then divide n by $b rounding down; return total.""",
        source="""def $NAME(n):
            total = 0
            while n > 0:
                total += (n % $b) ** $e
                n //= $b
            return total""",
        parameters={"b": range(3, 9), "e": (2, 3)},
        inputs=numbers(2, 80).with_edges(0, 1),
    ),
    family("digits of one base read in another", "digits", "medium")(
        problem="Write n in base $b, then read these digits in base $p; give the number",
        steps="""start with total 0 and place 1; while n is above 0, multiply the remainder of n by $b with place and
        add it to total, multiply place by $p, divide n by $b rounding down; return total.""",
        source="""def $NAME(n):
            total = 0
            place = 1
            while n > 0:
                total += n % $b * place
                place *= $p
                n //= $b
            return total""",
        parameters={"b": range(2, 6), "p": range(6, 11)},
        inputs=numbers(2, 60).with_edges(0, 1, 5),
    ),
    family("finger travel over a keypad", "digits", "medium")(
        problem="""The keys 0 to 9 stand in a row and a finger rests on $k; moving by one key takes 1 second and a press
        $c; how long does it take to type n""",
        steps="""start with total 0 and last $k; for each digit d of n from the left, add the distance of d to last plus
        $c to total, and store d as last; return total.""",
        source="""def $NAME(n):
            total = 0
            last = $k
            for d in map(int, str(n)):
                total += abs(d - last) + $c
                last = d
            return total""",
        parameters={"k": range(0, 10), "c": range(2, 5)},
        inputs=numbers(10, 999).with_edges(0, 9, 55),
    ),
    family("digits paired from both ends", "two pointers", "long")(
        problem="""Pair the largest digit of n with the smallest, then the next two, and so on; give $p times the sum of
        the differences, plus $q times the digit in the middle if one is left over""",
        steps="""sort the digits of n; start with total 0, low at the first and high at the last digit; while low is
        before high, add $p times the digit at high minus the digit at low to total and move low right and high left by
        one; if low and high are equal, add $q times that digit to total; return total.""",
        source="""def $NAME(n):
            digits = sorted(str(n))
            low = 0
            high = len(digits) - 1
            total = 0
            while low < high:
                gap = int(digits[high]) - int(digits[low])
                total += gap * $p
                low += 1
                high -= 1
            if low == high:
                total += int(digits[low]) * $q
            return total""",
        parameters={"p": range(2, 5), "q": range(2, 6)},
        inputs=numbers(100, 9999).with_edges(0, 8, 77),
    ),
)
