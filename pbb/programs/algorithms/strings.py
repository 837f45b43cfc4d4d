"""Families over one word: its letters, runs, pieces and places."""

from __future__ import annotations

import random
from typing import Any

from pbb.programs.algorithms.family import Family, family
from pbb.programs.algorithms.sampling import Choice, Inputs, words


@Inputs
def _letters_and_counts(rng: random.Random, choice: Choice) -> tuple[Any, ...]:
    """Draw a text such as ``a2c1``."""
    return ("".join(rng.choice("abc") + str(rng.randint(0, 3)) for _ in range(rng.randint(1, 3))),)


@Inputs
def _parts(rng: random.Random, choice: Choice) -> tuple[Any, ...]:
    """Draw a text of 2 to 4 parts with the separator of `choice` between them, such as ``ab-c``."""
    parts = ("".join(rng.choices("abcd", k=rng.randint(1, 2))) for _ in range(rng.randint(2, 4)))
    return (choice["sep"].join(parts),)


FAMILIES: tuple[Family, ...] = (
    family("letters repeated or replaced", "string scans", "short")(
        problem="Write each letter of s that is one of $set $k times, and $x in place of every other letter",
        steps="""for each letter c of s: if c is one of $set: write c $k times; otherwise: write $x; return what was
        written.""",
        source="def $NAME(s): return ''.join(c * $k if c in '$set' else '$x' for c in s)",
        parameters={"set": ("ab", "ce", "ade", "bcd"), "k": (2, 3), "x": ("x", "o", "-")},
        inputs=words(longest=5).with_edges("", "aabb"),
    ),
    family("letters left out", "string scans", "short")(
        problem="Leave the letters $set out of s and put $x at the end",
        steps="leave out of s every letter that is one of $set; put $x at the end; return it.",
        source="def $NAME(s): return ''.join(c for c in s if c not in '$set') + '$x'",
        parameters={"set": ("ab", "ce", "ade", "bd"), "x": ("x", "yo", "z", "ba")},
        inputs=words().with_edges("", "ed"),
    ),
    family("two letters exchanged", "string scans", "short")(
        problem="Exchange the letters $p and $q all over s, and put the first $k letters of the old s at the end",
        steps="""let t be s with $q for every $p and $p for every $q; put the first $k letters of s (all of them if s is
        shorter) after t; return it.""",
        source="""def $NAME(s):
            t = ''.join({'$p': '$q', '$q': '$p'}.get(c, c) for c in s)
            return t + s[:$k]""",
        parameters={"p, q": (("a", "b"), ("a", "c"), ("b", "d"), ("c", "d")), "k": (1, 2, 3)},
        inputs=words("abcd", longest=5).with_edges("", "d"),
    ),
    family("sorted letters", "sorting", "short")(
        problem="Give the $words $k letters of s with $x between each two",
        steps="""sort the letters of s, $order; take the first $k of them (all if s is shorter); put them together with
        $x between each two; return it.""",
        source="""def $NAME(s):
            t = sorted(s)$turn
            return '$x'.join(t[:$k])""",
        parameters={
            "turn, words, order": (("", "first", "from a to z"), ("[::-1]", "last", "from z to a")),
            "k": (2, 3, 4),
            "x": ("x", "-", "+"),
        },
        inputs=words(shortest=3).with_edges("", "b"),
    ),
    family("runs counted", "counting", "medium")(
        problem="Write each run of equal letters in s as $words",
        steps="""let out be empty and n be 0; for each letter of s: add 1 to n; if the next letter is another one or
        there is none: write $words at the end of out, where the length of the run is n, and set n to 0; return out.""",
        source="""def $NAME(s):
            out = ''
            n = 0
            for i in range(len(s)):
                n = n + 1
                if s[i + 1:i + 2] != s[i]:
                    out = out + $piece
                    n = 0
            return out""",
        parameters={
            "piece, words": (
                *((f"s[i] + str(n * {k})", f"its letter and {k} times its length") for k in (2, 3, 4)),
                *((f"str(n * {k}) + s[i]", f"{k} times its length and its letter") for k in (2, 3, 4)),
                *((f"s[i] + str(n + {k})", f"its letter and its length plus {k}") for k in (1, 2, 3)),
                *((f"str(n + {k}) + s[i]", f"its length plus {k} and its letter") for k in (1, 2, 3)),
            )
        },
        inputs=words("ab", longest=5).with_edges("", "aaa"),
    ),
    family("letter points", "counting", "short")(
        problem="""Each letter of s that is one of $set gives $p points, every other letter $q. How many points are
        there""",
        steps="for each letter c of s: $p if c is one of $set, otherwise $q; add all of these up; return the sum.",
        source="def $NAME(s): return sum($p if c in '$set' else $q for c in s)",
        parameters={"set": ("ab", "ace", "bd"), "p": (5, 6, 7), "q": (1, 2, 3)},
        inputs=words(shortest=1).with_edges("", "abcde"),
    ),
    family("letter put in", "string scans", "short")(
        problem="Put $x into s after its first $k letters",
        steps="take the first $k letters of s (all if s is shorter); then $x; then the rest of s; return it.",
        source="def $NAME(s): return s[:$k] + '$x' + s[$k:]",
        parameters={"k": (1, 2, 3, 4), "x": ("x", "yo", "z", "-")},
        inputs=words().with_edges("", "a"),
    ),
    family("start turned around", "two pointers", "short")(
        problem="Turn the first $k letters of s around and put $x after them",
        steps="""take the first $k letters of s (all if s is shorter) from the last of them to the first; then $x; then
        the rest of s; return it.""",
        source="def $NAME(s): return s[:$k][::-1] + '$x' + s[$k:]",
        parameters={"k": (2, 3, 4), "x": ("x", "yo", "z", "-")},
        inputs=words().with_edges("", "b"),
    ),
    family("halves exchanged", "string scans", "short")(
        problem="Move the first $k letters of s to its end, with $x before them",
        steps="""take s without its first $k letters; then $x; then the first $k letters of s (all if s is shorter);
        return it.""",
        source="def $NAME(s): return s[$k:] + '$x' + s[:$k]",
        parameters={"k": (1, 2, 3), "x": ("x", "yo", "z", "-")},
        inputs=words().with_edges("", "c"),
    ),
    family("mirrored word", "two pointers", "short")(
        problem="After s write $x, and then s backwards without the last $k letters of s",
        steps="""take s; then $x; then s from its last letter to its first, but without the first $k of these; return
        it.""",
        source="def $NAME(s): return s + '$x' + s[::-1][$k:]",
        parameters={"k": (1, 2, 3), "x": ("x", "yo", "z", "-")},
        inputs=words(longest=5).with_edges("", "ab"),
    ),
    family("places of a letter", "searching", "short")(
        problem="For each $p in s, give $k times its place plus $c, counting places from 0",
        steps="""for each letter of s that is $p: take its place in s, counted from 0, multiply by $k, add $c; return
        the list of results.""",
        source="def $NAME(s): return [i * $k + $c for i, x in enumerate(s) if x == '$p']",
        parameters={"p": ("a", "b", "c"), "k": (2, 3), "c": (1, 2, 3)},
        inputs=words("abc", shortest=3).with_edges("", "abcabc"),
    ),
    family("most or least frequent letter", "counting", "short")(
        problem="In s, put $x in place of the letter that occurs $words often, the first in the alphabet if several do",
        steps="""let c be the letter of s that occurs in it $words often, the first in the alphabet if several do; write
        $x in place of each c in s; return it.""",
        source="""def $NAME(s):
            c = $f(sorted(s), key=s.count)
            return s.replace(c, '$x')""",
        parameters={"f, words": (("max", "most"), ("min", "least")), "x": ("x", "yo", "z", "-", "oo", "xyz")},
        inputs=words("abc", shortest=3).with_edges("a", "bbaa"),
    ),
    family("runs cut short", "string scans", "medium")(
        problem="Cut each run of equal letters in s to at most $k letters, and put $x at the end",
        steps="""let out be empty; for each letter c of s: if out does not end with $k times c: put c at the end of out;
        put $x at the end of out; return it.""",
        source="""def $NAME(s):
            out = ''
            for c in s:
                if not out.endswith(c * $k):
                    out = out + c
            return out + '$x'""",
        parameters={"k": (1, 2, 3), "x": ("x", "yo", "z", "-")},
        inputs=words("ab", shortest=3).with_edges("", "aaaa"),
    ),
    family("different pieces", "string scans", "short")(
        problem="""Give all different pieces of $k letters in a row in s, in the order of the alphabet, with $x between
        them""",
        steps="""collect every stretch of $k letters in a row in s, each only once; sort them in the order of the
        alphabet; put them together with $x between each two; return it.""",
        source="""def $NAME(s):
            t = {s[i:i + $k] for i in range(len(s) - $k + 1)}
            return '$x'.join(sorted(t))""",
        parameters={"k": (1, 2, 3), "x": ("x", "-", "+", "/")},
        inputs=words("abc", shortest=3, longest=5).with_edges("", "aaaa"),
    ),
    family("letters changed in turn", "string scans", "short")(
        problem="In s, $words the letters at the places that give $r modulo $k, counting places from 0",
        steps="""for each letter of s at place i, counted from 0: if i modulo $k is $r: $words the letter; otherwise:
        keep it; return all of them together.""",
        source="def $NAME(s): return ''.join($how if i % $k == $r else c for i, c in enumerate(s))",
        parameters={
            "k, r": ((2, 0), (2, 1), (3, 0), (3, 1), (3, 2)),
            "how, words": (
                ("c.upper()", "write big"),
                ("c * 2", "write twice"),
                ("'x'", "put x in place of"),
                ("''", "leave out"),
            ),
        },
        inputs=words(shortest=3).with_edges("", "abc"),
    ),
    family("parts turned around", "string scans", "short")(
        problem="Cut s into parts at each $sep, take $words, and put them together with $join between each two",
        steps="cut s at each $sep into parts; take $words; put these together with $join between each two; return it.",
        source="""def $NAME(s):
            parts = s.split('$sep')
            return '$join'.join(parts$cut)""",
        parameters={
            "sep": ("-", "+", "/"),
            "join": ("=", "x", "oo"),
            "cut, words": (
                ("[::-1]", "all parts from the last to the first"),
                ("[1:]", "all parts but the first"),
                ("[::2]", "every second part, from the first on"),
            ),
        },
        inputs=_parts.with_edges("abc"),
    ),
    family("letters and counts unpacked", "string scans", "short")(
        problem="""s is letters, each with a digit after it. Write each letter $k times more than its digit says, and $x
        between each two of these pieces""",
        steps="""for each letter in s with the digit after it: write the letter as often as the digit says and $k times
        more; put these together with $x between each two; return it.""",
        source="def $NAME(s): return '$x'.join(c * (int(n) + $k) for c, n in zip(s[::2], s[1::2]))",
        parameters={"k": (1, 2, 3), "x": ("x", "-", "+", "/")},
        inputs=_letters_and_counts.with_edges("", "a0"),
    ),
)
