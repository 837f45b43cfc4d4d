"""Families that keep a stack or a queue while they go through a list or a word."""

from __future__ import annotations

import random
from typing import Any

from pbb.programs.algorithms.family import Family, family
from pbb.programs.algorithms.sampling import Choice, Inputs, number_lists, words


@Inputs
def _typed(rng: random.Random, choice: Choice) -> tuple[Any, ...]:
    """Draw a text of letters, with the deleting sign of `choice` among them."""
    return ("".join(rng.choice("abc" + choice["d"]) for _ in range(rng.randint(2, 4))),)


@Inputs
def _postfix(rng: random.Random, choice: Choice) -> tuple[Any, ...]:
    """Draw a sum of digits written behind its signs, such as ``23+4*``."""
    text, depth = str(rng.randint(1, 9)), 1
    for _ in range(rng.randint(0, 4)):
        grow = depth == 1 or rng.random() < 0.4
        text += str(rng.randint(1, 9)) if grow else rng.choice("+*")
        depth += 1 if grow else -1
    return (text + "".join(rng.choice("+*") for _ in range(depth - 1)),)


FAMILIES: tuple[Family, ...] = (
    family("depth of brackets", "stacks", "medium")(
        problem="""Read s as brackets: each ( goes one level down and each ) one level up. Give $k times the greatest
        depth plus $m times the depth at the end""",
        steps="""let d be 0 and t be 0; for each sign in s: if it is ( add 1 to d, otherwise subtract 1 from d; raise t
        to at least d; return $k times t plus $m times d.""",
        source="""def $NAME(s):
            d = 0
            t = 0
            for c in s:
                d = d + 1 if c == '(' else d - 1
                t = max(t, d)
            return t * $k + d * $m""",
        parameters={"k": (2, 3, 4), "m": (1, 5, 7, 10)},
        inputs=words("()", shortest=2, longest=6).with_edges("", "())"),
    ),
    family("neighbours that cancel", "stacks", "short")(
        problem="""In s, neighbours $p and $q cancel, from the left on, also when they become neighbours only then. Put
        $x after what is left""",
        steps="""let out be empty; for each letter c of s: if the last letter of out and then c are $p or $q: take the
        last letter off out; otherwise: put c at the end of out; put $x at the end of out; return it.""",
        source="""def $NAME(s):
            out = ''
            for c in s:
                out = out[:-1] if out[-1:] + c in ('$p', '$q') else out + c
            return out + '$x'""",
        parameters={"p": ("aa", "ab", "ba"), "q": ("bb", "bc", "cb"), "x": ("x", "-")},
        inputs=words("abc", longest=4).with_edges("", "abba"),
    ),
    family("next number that is far enough", "stacks", "medium")(
        problem="""For each number of a, give the next number after it that is more than $k $words it, or $d if there is
        none""",
        steps="""let out be empty; for each x in a: list the numbers y after x that are more than $k $words x; put the
        first of these at the end of out, or $d if there is none; return out.""",
        source="""def $NAME(a):
            out = []
            for i, x in enumerate(a):
                later = [y for y in a[i + 1:] if $gap > $k]
                out.append((later + [$d])[0])
            return out""",
        parameters={"gap, words": (("y - x", "above"), ("x - y", "below")), "k": (0, 1, 2), "d": (0, 7, 10)},
        inputs=number_lists(shortest=3).with_edges([], [1, 5, 3]),
    ),
    family("signs after their numbers", "stacks", "medium")(
        problem="""s has digits and signs, where + and * take the two numbers that come before and give one: + their sum
        plus $k, * their product, both modulo $m. What comes out at last""",
        steps="""let st be empty; for each sign c of s: if c is +: take the last two numbers off st, add them, add $k,
        modulo $m, and put the result at the end of st; if c is *: take the last two numbers off st, multiply them,
        modulo $m, and put the result there; otherwise: put the digit c there as a number; return the last number of
        st.""",
        source="""def $NAME(s):
            st = []
            for c in s:
                if c == '+':
                    st = st[:-2] + [(st[-2] + st[-1] + $k) % $m]
                elif c == '*':
                    st = st[:-2] + [st[-2] * st[-1] % $m]
                else:
                    st = st + [int(c)]
            return st[-1]""",
        parameters={"k": (1, 2, 3, 4), "m": (7, 9, 11, 13)},
        inputs=_postfix.with_edges("8", "34*", "12+3+"),
    ),
    family("tower of numbers", "stacks", "long")(
        problem="""Pile the numbers of a up. Before each one, take off from the top all that are more than $k $words it,
        until one is not. Give the pile, each number times $c""",
        steps="""let out be empty; for each x in a: while out is not empty and its last number is more than $k $words x:
        take that number off; put x at the end of out; multiply each number of out by $c; return the list.""",
        source="""def $NAME(a):
            out = []
            for x in a:
                while out and $gap > $k:
                    out.pop()
                out.append(x)
            return [y * $c for y in out]""",
        parameters={"gap, words": (("out[-1] - x", "above"), ("x - out[-1]", "below")), "k": (0, 1, 2), "c": (2, 3, 4)},
        inputs=number_lists(shortest=3).with_edges([], [3, 3, 4]),
    ),
    family("list with undo", "stacks", "short")(
        problem="Go through a and keep each number plus $c, but a $u undoes the last $k of those kept so far",
        steps="""let out be empty; for each x in a: if x is $u: take the last $k numbers off out (all if there are
        fewer); otherwise: put x plus $c at the end of out; return out.""",
        source="""def $NAME(a):
            out = []
            for x in a:
                out = out[:-$k] if x == $u else out + [x + $c]
            return out""",
        parameters={"k": (1, 2), "u": (0, 1, 2), "c": (1, 2, 3, 4)},
        inputs=number_lists(high=4, longest=4).with_edges([], [3, 4, 0]),
    ),
    family("equal neighbours merged", "stacks", "short")(
        problem="""Push the numbers of a together from the left: a number that equals the last one kept becomes one with
        it, $k times as large. Put $c at the end""",
        steps="""let out be empty; for each x in a: if the last number of out is x: put $k times x in its place;
        otherwise: put x at the end of out; put $c at the end of out; return it.""",
        source="""def $NAME(a):
            out = []
            for x in a:
                out = out[:-1] + [x * $k] if out[-1:] == [x] else out + [x]
            return out + [$c]""",
        parameters={"k": (2, 3, 4, 5), "c": (0, 7, 9)},
        inputs=number_lists(low=1, high=3, longest=4).with_edges([], [2, 2, 2]),
    ),
    family("letters rubbed out", "stacks", "short")(
        problem="Type s, each letter $m times, where $d is no letter but rubs out the last $k letters on the paper",
        steps="""let out be empty; for each sign c of s: if c is $d: take the last $k letters off out (all if there are
        fewer); otherwise: put c $m times at the end of out; return out.""",
        source="""def $NAME(s):
            out = ''
            for c in s:
                out = out[:-$k] if c == '$d' else out + c * $m
            return out""",
        parameters={"k": (1, 2, 3), "d": ("-", "/", "x"), "m": (2, 3)},
        inputs=_typed.with_edges("", "abc"),
    ),
    family("shelf of the latest", "stacks", "short")(
        problem="""A shelf holds the $k different numbers of a that came last: one that comes again moves to the end,
        and the first one leaves when there are too many. Give the shelf at last, each number times $c""",
        steps="""let q be empty; for each x in a: take x out of q if it is there, put x at the end of q, and keep only
        the last $k numbers of q; multiply each number of q by $c; return the list.""",
        source="""def $NAME(a):
            q = []
            for x in a:
                q = ([y for y in q if y != x] + [x])[-$k:]
            return [y * $c for y in q]""",
        parameters={"k": (2, 3), "c": (2, 3, 4, 5)},
        inputs=number_lists(low=1, high=5, longest=4).with_edges([], [1, 2, 1]),
    ),
)
