"""Families over two words, a word and a pattern, and lists of words."""

from __future__ import annotations

from pbb.programs.algorithms.family import Family, family
from pbb.programs.algorithms.sampling import together, word_lists, words

FAMILIES: tuple[Family, ...] = (
    family("rests after a common start", "two pointers", "short")(
        problem="""Drop the letters with which s and t both start, but at most $k of each, and give what is left of s,
        then $x, then what is left of t""",
        steps="""let n be 0; while n is below $k and below both lengths, and s and t have the same letter at place n,
        counted from 0: add 1 to n; leave the first n letters out of s and of t; return s, then $x, then t.""",
        source="""def $NAME(s, t):
            n = 0
            while n < min(len(s), len(t), $k) and s[n] == t[n]:
                n = n + 1
            return s[n:] + '$x' + t[n:]""",
        parameters={"k": (1, 2, 3), "x": ("x", "-", "+", "yo")},
        inputs=together(words("ab", longest=4), words("ab", longest=4)).with_edges(("", "ab"), ("aba", "aba")),
    ),
    family("letters that differ", "two pointers", "short")(
        problem="""Count the places at which s and t have different letters, times $k, and add $m for each letter that
        one word is longer than the other""",
        steps="""let n be the number of places that both words have and at which their letters differ; multiply n by $k;
        add the difference of their lengths times $m; return it.""",
        source="""def $NAME(s, t):
            n = sum(1 for x, y in zip(s, t) if x != y)
            return n * $k + abs(len(s) - len(t)) * $m""",
        parameters={"k": (2, 3, 4, 5), "m": (1, 7, 10)},
        inputs=together(words("abc"), words("abc")).with_edges(("", "abc"), ("ab", "ab")),
    ),
    family("rest of a pattern", "two pointers", "short")(
        problem="""Go through s and cross out the letters of $w in their order as they come by. Give what is left of $w,
        and $x after it""",
        steps="""let t be $w; for each letter c of s: if c is the first letter of t: take that letter off t; put $x
        after t; return it.""",
        source="""def $NAME(s):
            t = '$w'
            for c in s:
                t = t[1:] if t[:1] == c else t
            return t + '$x'""",
        parameters={"w": ("abc", "bca", "cabc", "abab", "bcbac"), "x": ("x", "yo", "-")},
        inputs=words("abc", longest=3).with_edges("", "abc"),
    ),
    family("longest piece that reads both ways", "two pointers", "long")(
        problem="""Find the longest piece of s, of $k letters or more, that reads the same backwards, the first one if
        there are several, and put $x after it""",
        steps="""let best be empty; for each start in s, from the left, and each piece t of s from there, from $k
        letters on, short ones first: if t is the same backwards and longer than best, store it as best; put $x after
        best; return it.""",
        source="""def $NAME(s):
            best = ''
            for i in range(len(s)):
                for j in range(i + $k, len(s) + 1):
                    t = s[i:j]
                    if t == t[::-1] and len(t) > len(best):
                        best = t
            return best + '$x'""",
        parameters={"k": (1, 2), "x": ("x", "yo", "z", "-", "+")},
        inputs=words("abc", longest=4).with_edges("", "abba"),
    ),
    family("ends of words joined", "string scans", "short")(
        problem="Take $words of each word of a, and put these together with $x between each two",
        steps="""for each word of a: take $words (what there is if the word is shorter); put these together with $x
        between each two; return it.""",
        source="def $NAME(a): return '$x'.join(w$cut for w in a)",
        parameters={
            "cut, words": (
                ("[:1]", "the first letter"),
                ("[:2]", "the first two letters"),
                ("[-1:]", "the last letter"),
                ("[-2:]", "the last two letters"),
                ("[1:]", "all letters but the first"),
                ("[:-1]", "all letters but the last"),
            ),
            "x": ("x", "-", "+"),
        },
        inputs=word_lists().with_edges([], ["ab"]),
    ),
    family("words in order of length", "sorting", "short")(
        problem="""Sort the words of a by length, equally long ones by the alphabet, take $words, and put them together
        with $x between each two""",
        steps="""let b be the words of a from the shortest to the longest, equally long ones in the order of the
        alphabet; take $words of b; put them together with $x between each two; return it.""",
        source="""def $NAME(a):
            b = [w for n, w in sorted((len(w), w) for w in a)]
            return '$x'.join(b$cut)""",
        parameters={
            "cut, words": (
                ("", "all"),
                ("[::-1]", "all from the last to the first"),
                ("[:2]", "the first two"),
                ("[1:]", "all but the first"),
            ),
            "x": ("x", "-", "+"),
        },
        inputs=word_lists().with_edges([], ["b", "a"]),
    ),
    family("words with a letter", "searching", "short")(
        problem="Keep the words of a that have $words $p in them, and put $x after each",
        steps="for each word of a that has $words $p in it: put $x after it; return the list of these words.",
        source="def $NAME(a): return [w + '$x' for w in a if '$p' $op w]",
        parameters={
            "op, words": (("in", "at least one"), ("not in", "no")),
            "p": ("a", "b", "c"),
            "x": ("x", "yo", "z"),
        },
        inputs=word_lists("abc").with_edges([], ["abc"]),
    ),
    family("cost of changing a word", "dynamic programming", "long")(
        problem="""What does it cost at least to make t out of s, if to put in or take out a letter costs $k and to
        change one into another costs $m""",
        steps="""let row be 0, $k, 2 times $k and so on, one number more than t has letters; for each letter c of s: let
        new begin with the first number of row plus $k; for each place j of t, from 0: put the least of three at the end
        of new: row at j, plus $m if c is not the letter of t at j; row at j + 1 plus $k; new at j plus $k; then let row
        be new; return the last number of row.""",
        source="""def $NAME(s, t):
            row = [j * $k for j in range(len(t) + 1)]
            for c in s:
                new = [row[0] + $k]
                for j in range(len(t)):
                    change = row[j] if c == t[j] else row[j] + $m
                    new.append(min(row[j + 1] + $k, new[j] + $k, change))
                row = new
            return row[-1]""",
        parameters={"k, m": ((1, 1), (2, 1), (2, 3), (3, 1), (3, 2), (3, 4), (3, 5), (4, 3), (5, 2))},
        inputs=together(words("abc", shortest=1, longest=3), words("abc", shortest=1, longest=3)).with_edges(
            ("", "ab"), ("ab", "ba")
        ),
    ),
    family("letters in common order", "dynamic programming", "long")(
        problem="""Find how many letters s and t have at most in common in the same order, maybe with others between
        them. Multiply by $k and add $m for each letter of the two words""",
        steps="""let row be zeros, one more than t has letters; for each letter c of s: let new begin with 0; for each
        place j of t, from 0: if c is the letter of t at j: put the number of row at j plus 1 at the end of new;
        otherwise: put the larger of row at j + 1 and new at j there; then let row be new; multiply the last number of
        row by $k, add the two lengths times $m; return it.""",
        source="""def $NAME(s, t):
            row = [0] * (len(t) + 1)
            for c in s:
                new = [0]
                for j in range(len(t)):
                    new.append(row[j] + 1 if c == t[j] else max(row[j + 1], new[j]))
                row = new
            return row[-1] * $k + (len(s) + len(t)) * $m""",
        parameters={"k": (3, 5, 10), "m": (1, 2)},
        inputs=together(words("abc", shortest=1, longest=4), words("abc", shortest=1, longest=4)).with_edges(
            ("", "ab"), ("ab", "ba")
        ),
    ),
)
