"""Families over the binary digits of whole numbers."""

from __future__ import annotations

from pbb.programs.algorithms.family import Family, family
from pbb.programs.algorithms.sampling import Inputs, numbers, together

FAMILIES: tuple[Family, ...] = (
    family("flipped bits plus a shift", "bit tricks", "short")(
        problem="Flip those bits of n that are set in $k, and add n shifted right by $s",
        steps="return the exclusive or of n and $k, plus n shifted right by $s.",
        source="def $NAME(n): return (n ^ $k) + (n >> $s)",
        parameters={"k": range(2, 12), "s": (1, 2, 3)},
        inputs=numbers(1, 31).with_edges(0),
    ),
    family("shared bits plus joined bits", "bit tricks", "short")(
        problem="Add two numbers: the bits that n and $p share, and the bits that are set in n or in $q",
        steps="return the bitwise and of n with $p, plus the bitwise or of n with $q.",
        source="def $NAME(n): return (n & $p) + (n | $q)",
        parameters={"p": (3, 5, 6, 7, 10, 12), "q": (1, 2, 4, 8, 9)},
        inputs=numbers(1, 31).with_edges(0),
    ),
    family("lowest set bit", "bit tricks", "short")(
        problem="Add $k times the lowest set bit of n to n, and give this modulo $m",
        steps="store the bitwise and of n with minus n as low; return n plus $k times low, modulo $m.",
        source="""def $NAME(n):
            low = n & -n
            return (n + $k * low) % $m""",
        parameters={"k": range(2, 7), "m": (9, 11, 13, 15, 17)},
        inputs=numbers(1, 40).with_edges(0, 16),
    ),
    family("gray code", "bit tricks", "short")(
        problem="""Where a bit of n differs from the bit $s places higher, set a bit; then flip the bits of $k in the
        result""",
        steps="return the exclusive or of three numbers: n, n shifted right by $s, and $k.",
        source="def $NAME(n): return n ^ n >> $s ^ $k",
        parameters={"s": (1, 2, 3), "k": range(1, 10)},
        inputs=numbers(1, 31).with_edges(0),
    ),
    family("bits turned round", "bit tricks", "short")(
        problem="n is written with $w bits; turn them round to the left by $k places and give the number",
        steps="""shift n left by $k, store as high; shift n right by $back, store as low; return the bitwise or of high
        and low, modulo $size.""",
        source="""def $NAME(n):
            high = n << $k
            low = n >> $back
            return (high | low) % $size""",
        parameters={"w, k, back, size": [(w, k, w - k, 2**w) for w in (4, 5, 6, 7) for k in range(1, w)]},
        inputs=Inputs(lambda rng, choice: (rng.randrange(choice["size"]),)).with_edges(0, 1),
    ),
    family("exclusive or over a range", "bit tricks", "short")(
        problem="""Start with $k; for each whole number from a to b, flip the bits that $w times this number has; give
        the end""",
        steps="""start with total $k; for each i from a to b, take the exclusive or of total and $w times i as the new
        total; return total.""",
        source="""def $NAME(a, b):
            total = $k
            for i in range(a, b + 1):
                total ^= i * $w
            return total""",
        parameters={"k": range(1, 8), "w": (2, 3, 4, 5)},
        inputs=Inputs(lambda rng, choice: (a := rng.randint(0, 9), a + rng.randint(0, 2))).with_edges((3, 2), (0, 0)),
    ),
    family("bits in one or in both", "bit tricks", "short")(
        problem="""A bit that only one of a and b has counts $p times its value, a bit that both have $q times; give the
        total""",
        steps="return $p times the exclusive or of a and b, plus $q times the bitwise and of a and b.",
        source="def $NAME(a, b): return $p * (a ^ b) + $q * (a & b)",
        parameters={"p": (2, 3, 4, 5, 6), "q": (3, 5, 7, 8, 9)},
        inputs=together(numbers(0, 12), numbers(0, 12)).with_edges((0, 0), (6, 6)),
    ),
    family("places of set bits", "bit tricks", "medium")(
        problem="""The lowest bit of n is worth $s, and every next bit $k more than the one before; what are the set
        bits of n worth together""",
        steps="""start with total 0 and value $s; while n is above 0, add the remainder of n by 2 times value to total,
        add $k to value, divide n by 2 rounding down; return total.""",
        source="""def $NAME(n):
            total = 0
            value = $s
            while n > 0:
                total += n % 2 * value
                value += $k
                n //= 2
            return total""",
        parameters={"s": range(1, 6), "k": range(2, 6)},
        inputs=numbers(2, 31).with_edges(0, 1),
    ),
    family("two bits swapped", "bit tricks", "medium")(
        problem="Swap bits $i and $j of n (bit 0 is the lowest), then add $c",
        steps="""store bit $i of n as low and bit $j of n as high; if low is not equal to high, take the exclusive or of
        n and $mask as the new n; return n plus $c.""",
        source="""def $NAME(n):
            low = n >> $i & 1
            high = n >> $j & 1
            if low != high:
                n ^= $mask
            return n + $c""",
        parameters={"i, j, mask": [(i, j, 2**i + 2**j) for i in range(3) for j in range(i + 1, 5)], "c": (1, 2, 3)},
        inputs=numbers(1, 31).with_edges(0, 31),
    ),
    family("bits backwards", "bit tricks", "medium")(
        problem="Write n with $w bits, read them backwards, and flip those bits that are set in $k",
        steps="""start with total 0; repeat $w times: add the remainder of n by 2 to twice total as the new total, and
        divide n by 2 rounding down; return the exclusive or of total and $k.""",
        source="""def $NAME(n):
            total = 0
            for i in range($w):
                total = total * 2 + n % 2
                n //= 2
            return total ^ $k""",
        parameters={"w": (4, 5), "k": range(1, 10)},
        inputs=Inputs(lambda rng, choice: (rng.randrange(2 ** choice["w"]),)).with_edges(0, 1),
    ),
    family("bits of two numbers in turn", "bit tricks", "medium")(
        problem="""Put the lowest 3 bits of a and b in turn, lowest first and a before b, into one number of 6 bits; add
        $k""",
        steps="""start with total $k; for i from 0 to 2, add bit i of a shifted left by 2 times i to total, and add bit
        i of b shifted left by 2 times i plus 1 to total; return total.""",
        source="""def $NAME(a, b):
            total = $k
            for i in range(3):
                total += (a >> i & 1) << 2 * i
                total += (b >> i & 1) << 2 * i + 1
            return total""",
        parameters={"k": range(1, 13)},
        inputs=together(numbers(0, 7), numbers(0, 7)).with_edges((0, 0), (7, 7)),
    ),
    family("runs of ones", "bit tricks", "long")(
        problem="""From the lowest bit up, the first one in a run of ones in n scores $k, the second twice $k, the third
        three times $k, and so on; give the score plus $c""",
        steps="""start with total 0 and run 0; while n is above 0: if n is odd, add $k to run and run to total;
        otherwise set run to 0; in both cases divide n by 2 rounding down; return total plus $c.""",
        source="""def $NAME(n):
            total = 0
            run = 0
            while n > 0:
                if n % 2 == 1:
                    run += $k
                    total += run
                else:
                    run = 0
                n //= 2
            return total + $c""",
        parameters={"k": range(2, 6), "c": range(1, 5)},
        inputs=numbers(2, 63).with_edges(0, 1, 8),
    ),
)
