"""Families over two words, a word and a pattern, and lists of words."""

from __future__ import annotations

from pbb.programs.algorithms.family import Family, words
from pbb.programs.algorithms.sampling import together, word_lists

FAMILIES: tuple[Family, ...] = (
    Family(
        name="rests after a common start",
        technique="two pointers",
        size="short",
        source="""
            def $NAME(s, t):
                n = 0
                while n < min(len(s), len(t), $k) and s[n] == t[n]:
                    n = n + 1
                return s[n:] + '$x' + t[n:]
        """,
        problem="""Drop the letters with which s and t both start, but at most $k of each, and give what is left of s,
            then $x, then what is left of t""",
        description="""$NAME of s and t: let n be 0; while n is below $k and below both lengths, and s and t have the
            same letter at place n, counted from 0: add 1 to n; leave the first n letters out of s and of t; return s,
            then $x, then t.""",
        parameters={"k": (1, 2, 3), "x": ("x", "-", "+", "yo")},
        sample=together(words("ab", longest=4), words("ab", longest=4)),
        edges=(("", "ab"), ("aba", "aba")),
    ),
    Family(
        name="letters that differ",
        technique="two pointers",
        size="short",
        source="""
            def $NAME(s, t):
                n = sum(1 for x, y in zip(s, t) if x != y)
                return n * $k + abs(len(s) - len(t)) * $m
        """,
        problem="""Count the places at which s and t have different letters, times $k, and add $m for each letter that
            one word is longer than the other""",
        description="""$NAME of s and t: let n be the number of places that both words have and at which their letters
            differ; multiply n by $k; add the difference of their lengths times $m; return it.""",
        parameters={"k": (2, 3, 4, 5), "m": (1, 7, 10)},
        sample=together(words("abc"), words("abc")),
        edges=(("", "abc"), ("ab", "ab")),
    ),
    Family(
        name="rest of a pattern",
        technique="two pointers",
        size="short",
        source="""
            def $NAME(s):
                t = '$w'
                for c in s:
                    t = t[1:] if t[:1] == c else t
                return t + '$x'
        """,
        problem="""Go through s and cross out the letters of $w in their order as they come by. Give what is left of
            $w, and $x after it""",
        description="""$NAME of s: let t be $w; for each letter c of s: if c is the first letter of t: take that letter
            off t; put $x after t; return it.""",
        parameters={"w": ("abc", "bca", "cabc", "abab", "bcbac"), "x": ("x", "yo", "-")},
        sample=words("abc", longest=3),
        edges=(("",), ("abc",)),
    ),
    Family(
        name="longest piece that reads both ways",
        technique="two pointers",
        size="long",
        source="""
            def $NAME(s):
                best = ''
                for i in range(len(s)):
                    for j in range(i + $k, len(s) + 1):
                        t = s[i:j]
                        if t == t[::-1] and len(t) > len(best):
                            best = t
                return best + '$x'
        """,
        problem="""Find the longest piece of s, of $k letters or more, that reads the same backwards, the first one if
            there are several, and put $x after it""",
        description="""$NAME of s: let best be empty; for each start in s, from the left, and each piece t of s from
            there, from $k letters on, short ones first: if t is the same backwards and longer than best, store it as
            best; put $x after best; return it.""",
        parameters={"k": (1, 2), "x": ("x", "yo", "z", "-", "+")},
        sample=words("abc", longest=4),
        edges=(("",), ("abba",)),
    ),
    Family(
        name="ends of words joined",
        technique="string scans",
        size="short",
        source="""
            def $NAME(a):
                return '$x'.join(w$cut for w in a)
        """,
        problem="Take $words of each word of a, and put these together with $x between each two",
        description="""$NAME of a: for each word of a: take $words (what there is if the word is shorter); put these
            together with $x between each two; return it.""",
        parameters={
            "cut": (
                {"cut": "[:1]", "words": "the first letter"},
                {"cut": "[:2]", "words": "the first two letters"},
                {"cut": "[-1:]", "words": "the last letter"},
                {"cut": "[-2:]", "words": "the last two letters"},
                {"cut": "[1:]", "words": "all letters but the first"},
                {"cut": "[:-1]", "words": "all letters but the last"},
            ),
            "x": ("x", "-", "+"),
        },
        sample=word_lists(),
        edges=(([],), (["ab"],)),
    ),
    Family(
        name="words in order of length",
        technique="sorting",
        size="short",
        source="""
            def $NAME(a):
                b = [w for n, w in sorted((len(w), w) for w in a)]
                return '$x'.join(b$cut)
        """,
        problem="""Sort the words of a by length, equally long ones by the alphabet, take $words, and put them together
            with $x between each two""",
        description="""$NAME of a: let b be the words of a from the shortest to the longest, equally long ones in the
            order of the alphabet; take $words of b; put them together with $x between each two; return it.""",
        parameters={
            "cut": (
                {"cut": "", "words": "all"},
                {"cut": "[::-1]", "words": "all from the last to the first"},
                {"cut": "[:2]", "words": "the first two"},
                {"cut": "[1:]", "words": "all but the first"},
            ),
            "x": ("x", "-", "+"),
        },
        sample=word_lists(),
        edges=(([],), (["b", "a"],)),
    ),
    Family(
        name="words with a letter",
        technique="searching",
        size="short",
        source="""
            def $NAME(a):
                return [w + '$x' for w in a if '$p' $op w]
        """,
        problem="Keep the words of a that have $words $p in them, and put $x after each",
        description="""$NAME of a: for each word of a that has $words $p in it: put $x after it; return the list of
            these words.""",
        parameters={
            "side": ({"op": "in", "words": "at least one"}, {"op": "not in", "words": "no"}),
            "p": ("a", "b", "c"),
            "x": ("x", "yo", "z"),
        },
        sample=word_lists("abc"),
        edges=(([],), (["abc"],)),
    ),
    Family(
        name="cost of changing a word",
        technique="dynamic programming",
        size="long",
        source="""
            def $NAME(s, t):
                row = [j * $k for j in range(len(t) + 1)]
                for c in s:
                    new = [row[0] + $k]
                    for j in range(len(t)):
                        change = row[j] if c == t[j] else row[j] + $m
                        new.append(min(row[j + 1] + $k, new[j] + $k, change))
                    row = new
                return row[-1]
        """,
        problem="""What does it cost at least to make t out of s, if to put in or take out a letter costs $k and to
            change one into another costs $m""",
        description="""$NAME of s and t: let row be 0, $k, 2 times $k and so on, one number more than t has letters;
            for each letter c of s: let new begin with the first number of row plus $k; for each place j of t, from 0:
            put the least of three at the end of new: row at j, plus $m if c is not the letter of t at j; row at j + 1
            plus $k; new at j plus $k; then let row be new; return the last number of row.""",
        parameters={
            "costs": tuple(
                {"k": k, "m": m} for k, m in ((1, 1), (2, 1), (2, 3), (3, 1), (3, 2), (3, 4), (3, 5), (4, 3), (5, 2))
            )
        },
        sample=together(words("abc", shortest=1, longest=3), words("abc", shortest=1, longest=3)),
        edges=(("", "ab"), ("ab", "ba")),
    ),
    Family(
        name="letters in common order",
        technique="dynamic programming",
        size="long",
        source="""
            def $NAME(s, t):
                row = [0] * (len(t) + 1)
                for c in s:
                    new = [0]
                    for j in range(len(t)):
                        new.append(row[j] + 1 if c == t[j] else max(row[j + 1], new[j]))
                    row = new
                return row[-1] * $k + (len(s) + len(t)) * $m
        """,
        problem="""Find how many letters s and t have at most in common in the same order, maybe with others between
            them. Multiply by $k and add $m for each letter of the two words""",
        description="""$NAME of s and t: let row be zeros, one more than t has letters; for each letter c of s: let new
            begin with 0; for each place j of t, from 0: if c is the letter of t at j: put the number of row at j plus
            1 at the end of new; otherwise: put the larger of row at j + 1 and new at j there; then let row be new;
            multiply the last number of row by $k, add the two lengths times $m; return it.""",
        parameters={"k": (3, 5, 10), "m": (1, 2)},
        sample=together(words("abc", shortest=1, longest=4), words("abc", shortest=1, longest=4)),
        edges=(("", "ab"), ("ab", "ba")),
    ),
)
