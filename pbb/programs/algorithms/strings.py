"""Families over one word: its letters, runs, pieces and places."""

from __future__ import annotations

import random
from typing import Any

from pbb.programs.algorithms.family import Choice, Family, words


def _letters_and_counts(rng: random.Random, choice: Choice) -> tuple[Any, ...]:
    """Draw a text such as ``a2c1``."""
    return ("".join(rng.choice("abc") + str(rng.randint(0, 3)) for _ in range(rng.randint(1, 3))),)


def _parts(rng: random.Random, choice: Choice) -> tuple[Any, ...]:
    """Draw a text of 2 to 4 parts with the separator of `choice` between them, such as ``ab-c``."""
    parts = ("".join(rng.choices("abcd", k=rng.randint(1, 2))) for _ in range(rng.randint(2, 4)))
    return (choice["sep"].join(parts),)


FAMILIES: tuple[Family, ...] = (
    Family(
        name="letters repeated or replaced",
        technique="string scans",
        size="short",
        source="""
            def $NAME(s):
                return ''.join(c * $k if c in '$set' else '$x' for c in s)
        """,
        problem="Write each letter of s that is one of $set $k times, and $x in place of every other letter",
        description="""$NAME of s: for each letter c of s: if c is one of $set: write c $k times; otherwise: write $x;
            return what was written.""",
        parameters={"set": ("ab", "ce", "ade", "bcd"), "k": (2, 3), "x": ("x", "o", "-")},
        sample=words(longest=5),
        edges=(("",), ("aabb",)),
    ),
    Family(
        name="letters left out",
        technique="string scans",
        size="short",
        source="""
            def $NAME(s):
                return ''.join(c for c in s if c not in '$set') + '$x'
        """,
        problem="Leave the letters $set out of s and put $x at the end",
        description="$NAME of s: leave out of s every letter that is one of $set; put $x at the end; return it.",
        parameters={"set": ("ab", "ce", "ade", "bd"), "x": ("x", "yo", "z", "ba")},
        sample=words(),
        edges=(("",), ("ed",)),
    ),
    Family(
        name="two letters exchanged",
        technique="string scans",
        size="short",
        source="""
            def $NAME(s):
                t = ''.join({'$p': '$q', '$q': '$p'}.get(c, c) for c in s)
                return t + s[:$k]
        """,
        problem="Exchange the letters $p and $q all over s, and put the first $k letters of the old s at the end",
        description="""$NAME of s: let t be s with $q for every $p and $p for every $q; put the first $k letters of s
            (all of them if s is shorter) after t; return it.""",
        parameters={
            "pair": ({"p": "a", "q": "b"}, {"p": "a", "q": "c"}, {"p": "b", "q": "d"}, {"p": "c", "q": "d"}),
            "k": (1, 2, 3),
        },
        sample=words("abcd", longest=5),
        edges=(("",), ("d",)),
    ),
    Family(
        name="sorted letters",
        technique="sorting",
        size="short",
        source="""
            def $NAME(s):
                t = sorted(s)$turn
                return '$x'.join(t[:$k])
        """,
        problem="Give the $words $k letters of s with $x between each two",
        description="""$NAME of s: sort the letters of s, $order; take the first $k of them (all if s is shorter); put
            them together with $x between each two; return it.""",
        parameters={
            "order": (
                {"turn": "", "words": "first", "order": "from a to z"},
                {"turn": "[::-1]", "words": "last", "order": "from z to a"},
            ),
            "k": (2, 3, 4),
            "x": ("x", "-", "+"),
        },
        sample=words(shortest=3),
        edges=(("",), ("b",)),
    ),
    Family(
        name="runs counted",
        technique="counting",
        size="medium",
        source="""
            def $NAME(s):
                out = ''
                n = 0
                for i in range(len(s)):
                    n = n + 1
                    if s[i + 1:i + 2] != s[i]:
                        out = out + $piece
                        n = 0
                return out
        """,
        problem="Write each run of equal letters in s as $words",
        description="""$NAME of s: let out be empty and n be 0; for each letter of s: add 1 to n; if the next letter is
            another one or there is none: write $words at the end of out, where the length of the run is n, and set n
            to 0; return out.""",
        parameters={
            "piece": (
                *(
                    {"piece": f"s[i] + str(n * {k})", "words": f"its letter and {k} times its length"}
                    for k in (2, 3, 4)
                ),
                *(
                    {"piece": f"str(n * {k}) + s[i]", "words": f"{k} times its length and its letter"}
                    for k in (2, 3, 4)
                ),
                *({"piece": f"s[i] + str(n + {k})", "words": f"its letter and its length plus {k}"} for k in (1, 2, 3)),
                *({"piece": f"str(n + {k}) + s[i]", "words": f"its length plus {k} and its letter"} for k in (1, 2, 3)),
            )
        },
        sample=words("ab", longest=5),
        edges=(("",), ("aaa",)),
    ),
    Family(
        name="letter points",
        technique="counting",
        size="short",
        source="""
            def $NAME(s):
                return sum($p if c in '$set' else $q for c in s)
        """,
        problem="""Each letter of s that is one of $set gives $p points, every other letter $q. How many points are
            there""",
        description="""$NAME of s: for each letter c of s: $p if c is one of $set, otherwise $q; add all of these up;
            return the sum.""",
        parameters={"set": ("ab", "ace", "bd"), "p": (5, 6, 7), "q": (1, 2, 3)},
        sample=words(shortest=1),
        edges=(("",), ("abcde",)),
    ),
    Family(
        name="letter put in",
        technique="string scans",
        size="short",
        source="""
            def $NAME(s):
                return s[:$k] + '$x' + s[$k:]
        """,
        problem="Put $x into s after its first $k letters",
        description="""$NAME of s: take the first $k letters of s (all if s is shorter); then $x; then the rest of s;
            return it.""",
        parameters={"k": (1, 2, 3, 4), "x": ("x", "yo", "z", "-")},
        sample=words(),
        edges=(("",), ("a",)),
    ),
    Family(
        name="start turned around",
        technique="two pointers",
        size="short",
        source="""
            def $NAME(s):
                return s[:$k][::-1] + '$x' + s[$k:]
        """,
        problem="Turn the first $k letters of s around and put $x after them",
        description="""$NAME of s: take the first $k letters of s (all if s is shorter) from the last of them to the
            first; then $x; then the rest of s; return it.""",
        parameters={"k": (2, 3, 4), "x": ("x", "yo", "z", "-")},
        sample=words(),
        edges=(("",), ("b",)),
    ),
    Family(
        name="halves exchanged",
        technique="string scans",
        size="short",
        source="""
            def $NAME(s):
                return s[$k:] + '$x' + s[:$k]
        """,
        problem="Move the first $k letters of s to its end, with $x before them",
        description="""$NAME of s: take s without its first $k letters; then $x; then the first $k letters of s (all if
            s is shorter); return it.""",
        parameters={"k": (1, 2, 3), "x": ("x", "yo", "z", "-")},
        sample=words(),
        edges=(("",), ("c",)),
    ),
    Family(
        name="mirrored word",
        technique="two pointers",
        size="short",
        source="""
            def $NAME(s):
                return s + '$x' + s[::-1][$k:]
        """,
        problem="After s write $x, and then s backwards without the last $k letters of s",
        description="""$NAME of s: take s; then $x; then s from its last letter to its first, but without the first $k
            of these; return it.""",
        parameters={"k": (1, 2, 3), "x": ("x", "yo", "z", "-")},
        sample=words(longest=5),
        edges=(("",), ("ab",)),
    ),
    Family(
        name="places of a letter",
        technique="searching",
        size="short",
        source="""
            def $NAME(s):
                return [i * $k + $c for i, x in enumerate(s) if x == '$p']
        """,
        problem="For each $p in s, give $k times its place plus $c, counting places from 0",
        description="""$NAME of s: for each letter of s that is $p: take its place in s, counted from 0, multiply by
            $k, add $c; return the list of results.""",
        parameters={"p": ("a", "b", "c"), "k": (2, 3), "c": (1, 2, 3)},
        sample=words("abc", shortest=3),
        edges=(("",), ("abcabc",)),
    ),
    Family(
        name="most or least frequent letter",
        technique="counting",
        size="short",
        source="""
            def $NAME(s):
                c = $f(sorted(s), key=s.count)
                return s.replace(c, '$x')
        """,
        problem="In s, put $x in place of the letter that occurs $words often, the first in the alphabet if several do",
        description="""$NAME of s: let c be the letter of s that occurs in it $words often, the first in the alphabet
            if several do; write $x in place of each c in s; return it.""",
        parameters={
            "pick": ({"f": "max", "words": "most"}, {"f": "min", "words": "least"}),
            "x": ("x", "yo", "z", "-", "oo", "xyz"),
        },
        sample=words("abc", shortest=3),
        edges=(("a",), ("bbaa",)),
    ),
    Family(
        name="runs cut short",
        technique="string scans",
        size="medium",
        source="""
            def $NAME(s):
                out = ''
                for c in s:
                    if not out.endswith(c * $k):
                        out = out + c
                return out + '$x'
        """,
        problem="Cut each run of equal letters in s to at most $k letters, and put $x at the end",
        description="""$NAME of s: let out be empty; for each letter c of s: if out does not end with $k times c: put c
            at the end of out; put $x at the end of out; return it.""",
        parameters={"k": (1, 2, 3), "x": ("x", "yo", "z", "-")},
        sample=words("ab", shortest=3),
        edges=(("",), ("aaaa",)),
    ),
    Family(
        name="different pieces",
        technique="string scans",
        size="short",
        source="""
            def $NAME(s):
                t = {s[i:i + $k] for i in range(len(s) - $k + 1)}
                return '$x'.join(sorted(t))
        """,
        problem="""Give all different pieces of $k letters in a row in s, in the order of the alphabet, with $x between
            them""",
        description="""$NAME of s: collect every stretch of $k letters in a row in s, each only once; sort them in the
            order of the alphabet; put them together with $x between each two; return it.""",
        parameters={"k": (1, 2, 3), "x": ("x", "-", "+", "/")},
        sample=words("abc", shortest=3, longest=5),
        edges=(("",), ("aaaa",)),
    ),
    Family(
        name="letters changed in turn",
        technique="string scans",
        size="short",
        source="""
            def $NAME(s):
                return ''.join($how if i % $k == $r else c for i, c in enumerate(s))
        """,
        problem="In s, $words the letters at the places that give $r modulo $k, counting places from 0",
        description="""$NAME of s: for each letter of s at place i, counted from 0: if i modulo $k is $r: $words the
            letter; otherwise: keep it; return all of them together.""",
        parameters={
            "turn": ({"k": 2, "r": 0}, {"k": 2, "r": 1}, {"k": 3, "r": 0}, {"k": 3, "r": 1}, {"k": 3, "r": 2}),
            "how": (
                {"how": "c.upper()", "words": "write big"},
                {"how": "c * 2", "words": "write twice"},
                {"how": "'x'", "words": "put x in place of"},
                {"how": "''", "words": "leave out"},
            ),
        },
        sample=words(shortest=3),
        edges=(("",), ("abc",)),
    ),
    Family(
        name="parts turned around",
        technique="string scans",
        size="short",
        source="""
            def $NAME(s):
                parts = s.split('$sep')
                return '$join'.join(parts$cut)
        """,
        problem="Cut s into parts at each $sep, take $words, and put them together with $join between each two",
        description="""$NAME of s: cut s at each $sep into parts; take $words; put these together with $join between
            each two; return it.""",
        parameters={
            "sep": ("-", "+", "/"),
            "join": ("=", "x", "oo"),
            "cut": (
                {"cut": "[::-1]", "words": "all parts from the last to the first"},
                {"cut": "[1:]", "words": "all parts but the first"},
                {"cut": "[::2]", "words": "every second part, from the first on"},
            ),
        },
        sample=_parts,
        edges=(("abc",),),
    ),
    Family(
        name="letters and counts unpacked",
        technique="string scans",
        size="short",
        source="""
            def $NAME(s):
                return '$x'.join(c * (int(n) + $k) for c, n in zip(s[::2], s[1::2]))
        """,
        problem="""s is letters, each with a digit after it. Write each letter $k times more than its digit says, and
            $x between each two of these pieces""",
        description="""$NAME of s: for each letter in s with the digit after it: write the letter as often as the digit
            says and $k times more; put these together with $x between each two; return it.""",
        parameters={"k": (1, 2, 3), "x": ("x", "-", "+", "/")},
        sample=_letters_and_counts,
        edges=(("",), ("a0",)),
    ),
)
