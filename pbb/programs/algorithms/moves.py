"""Families that follow something that moves or is handed round."""

from __future__ import annotations

import math

from pbb.programs.algorithms.family import Family, family
from pbb.programs.algorithms.sampling import Inputs, numbers, together

FAMILIES: tuple[Family, ...] = (
    family("shorter way round a ring", "simulation", "short")(
        problem="""From place 0 of a ring of $p places you make n jumps of $s places; how far is it back, the shorter
        way""",
        steps="multiply n by $s, take it modulo $p, store as place; return the smaller of place and $p minus place.",
        source="""def $NAME(n):
            place = n * $s % $p
            return min(place, $p - place)""",
        parameters={"s, p": [(s, p) for p in range(9, 18) for s in range(2, 6) if math.gcd(s, p) == 1 and 2 * s < p]},
        inputs=numbers(1, 30).with_edges(0, 1),
    ),
    family("ball between two walls", "simulation", "short")(
        problem="""A ball rolls from place a, away from a wall at 0 and towards one at $p, $s places a second, and
        bounces back off both walls; where is it after t seconds""",
        steps="""multiply t by $s, add a, take it modulo $double, store as place; return the smaller of place and
        $double minus place.""",
        source="""def $NAME(a, t):
            place = (a + $s * t) % $double
            return min(place, $double - place)""",
        parameters={"p, double": [(p, 2 * p) for p in range(5, 11)], "s": range(2, 6)},
        inputs=Inputs(lambda rng, choice: (rng.randint(0, choice["p"]), rng.randint(1, 9))).with_edges((0, 0), (3, 0)),
    ),
    family("lift with two stops", "simulation", "short")(
        problem="""A lift at floor $k goes to floor a, waits for $c seconds and goes on to floor b; a floor takes $p
        seconds; how long does it take""",
        steps="take the distance of a to $k, add the distance of b to a, multiply by $p, add $c, return it.",
        source="def $NAME(a, b): return (abs(a - $k) + abs(b - a)) * $p + $c",
        parameters={"k": range(1, 7), "p": (2, 3), "c": (3, 5)},
        inputs=together(numbers(0, 9), numbers(0, 9)).with_edges((0, 0), (4, 4)),
    ),
    family("walk to a remainder", "searching", "short")(
        problem="From n go up in steps of $s; which is the first number whose remainder by $p is $r",
        steps="while the remainder of n by $p is not $r, add $s to n; return n.",
        source="""def $NAME(n):
            while n % $p != $r:
                n += $s
            return n""",
        parameters={
            "p, r, s": [(p, r, s) for p in (3, 4, 5) for s in range(2, 6) if math.gcd(p, s) == 1 for r in range(p)]
        },
        inputs=numbers(1, 30).with_edges(0),
    ),
    family("empty bottles traded in", "simulation", "medium")(
        problem="""You buy n full bottles, and every $k empty ones can be traded for $g full; you trade as often as you
        can; how many do you drink""",
        steps="""start with total n; while n is at least $k: divide n by $k rounding down and multiply by $g, add this
        to total, and store this plus the remainder of n by $k as n; return total.""",
        source="""def $NAME(n):
            total = n
            while n >= $k:
                total += n // $k * $g
                n = n // $k * $g + n % $k
            return total""",
        parameters={"k, g": [(k, g) for k in range(2, 7) for g in range(1, 4) if (k, g) == (2, 1) or g < k - 1]},
        inputs=numbers(3, 24).with_edges(0, 1),
    ),
    family("frog in a well", "simulation", "medium")(
        problem="""A frog climbs out of a well of depth n: $up by day, then $down back by night, and is out once it
        reaches the top; each day counts $c; give the total""",
        steps="""start with days 1; while n is above $up, add $down to n, subtract $up from n, and add 1 to days; return
        days times $c.""",
        source="""def $NAME(n):
            days = 1
            while n > $up:
                n += $down - $up
                days += 1
            return days * $c""",
        parameters={"up, down": [(up, down) for up in range(3, 7) for down in range(1, up - 1)], "c": (2, 3, 4)},
        inputs=numbers(1, 18).with_edges(0, 8),
    ),
    family("two walkers meet", "two pointers", "medium")(
        problem="""One walker starts at 0 and goes up $p a minute, another starts at n and goes down $q a minute, until
        they meet or have passed; give $c times the place of the first plus the place of the second""",
        steps="""start with low 0 and high n; while low is below high, add $p to low and subtract $q from high; return
        $c times low plus high.""",
        source="""def $NAME(n):
            low = 0
            high = n
            while low < high:
                low += $p
                high -= $q
            return low * $c + high""",
        parameters={"p": (2, 3, 4), "q": (1, 2, 3), "c": (4, 6)},
        inputs=numbers(1, 30).with_edges(0, 1),
    ),
    family("last one in the circle", "simulation", "medium")(
        problem="""n children, numbered from $s up, stand in a circle; counted from the first on, every ${k}th leaves,
        round and round; which number stays last""",
        steps="""start with place 0; for each size from 2 to n, add $k to place and take it modulo size, store as place;
        return place plus $s.""",
        source="""def $NAME(n):
            place = 0
            for size in range(2, n + 1):
                place = (place + $k) % size
            return place + $s""",
        parameters={"k": range(4, 10), "s": (1, 2, 3)},
        inputs=numbers(1, 16).with_edges(1, 2),
    ),
    family("snake through a table", "simulation", "medium")(
        problem="""A snake fills a table of $w columns, the first row from left to right, the next from right to left,
        and so on; for place n of the snake give $k times the row plus the column, all counted from 0""",
        steps="""divide n by $w rounding down, store as row; store the remainder of n by $w as column; if row is odd,
        subtract column from $last, store as column; return row times $k plus column.""",
        source="""def $NAME(n):
            row = n // $w
            column = n % $w
            if row % 2 == 1:
                column = $last - column
            return row * $k + column""",
        parameters={"w, last": [(w, w - 1) for w in range(3, 8)], "k": (2, 8, 10)},
        inputs=numbers(1, 30).with_edges(0),
    ),
    family("divide or take one away", "greedy", "medium")(
        problem="""Bring n to 0: while it is no multiple of $k take 1 away for $p, then divide it by $k for $q, and so
        on until it is 0; what does that cost""",
        steps="""start with total 0; while n is above 0, multiply the remainder of n by $k with $p, add $q, add this to
        total, and divide n by $k rounding down; return total.""",
        source="""def $NAME(n):
            total = 0
            while n > 0:
                total += n % $k * $p + $q
                n //= $k
            return total""",
        parameters={"k": (2, 3, 4, 5), "p": (2, 3), "q": (1, 4, 5)},
        inputs=numbers(1, 60).with_edges(0, 2),
    ),
    family("robot that turns", "simulation", "long")(
        problem="""A robot reads the digits of n: one above $k makes it switch between going right and going up, any
        other sends it that many steps; it starts by going right; give $p times its steps right plus its steps up""",
        steps="""start with x 0, y 0 and right 1; for each digit d of n from the left: if d is above $k, subtract right
        from 1, store as right; otherwise, if right is 1, add d to x; otherwise add d to y; return x times $p plus
        y.""",
        source="""def $NAME(n):
            x = 0
            y = 0
            right = 1
            for d in map(int, str(n)):
                if d > $k:
                    right = 1 - right
                elif right == 1:
                    x += d
                else:
                    y += d
            return x * $p + y""",
        parameters={"k": range(3, 8), "p": (2, 3, 10)},
        inputs=numbers(10, 9999).with_edges(0, 9, 191),
    ),
)
