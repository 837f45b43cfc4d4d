"""Reads the English descriptions of grammars and follows them, to prove that they mean what the sources do.

An independent reading: it shares no code with `pbb.programs.grammars` and `pbb.programs.grammar_rules`, which write the
descriptions, knows nothing of the sources, and decides by itself, not by a parser of context-free languages, whether a
string can be written by the rules.

    >>> obeys("Blorp: start with s; replace s by a s b or by a b; until no s is left.", "a a b b")
    True

How it reads what English leaves open: a replacement may be made anywhere, any number of times, and each time by any
of the alternatives; letters of the result are separated by single spaces.
"""

from __future__ import annotations

import functools
from typing import Any

from lark import Lark

GRAMMAR = r"""
    grammar: NAME ":" "start" "with" SYMBOL ";" (rule ";")+ end "."
    rule: "replace" SYMBOL by ("or" by)*
    by: "by" SYMBOL+
    end: "until" "no" SYMBOL ("or" SYMBOL)* "is" "left"
    NAME: /[A-Z]\w*/
    SYMBOL: /[a-z]\b/
    %ignore " "
"""


@functools.cache
def _parser() -> Lark:
    return Lark(GRAMMAR, start="grammar", parser="lalr")


@functools.lru_cache(maxsize=256)
def read(description: str) -> tuple[str, dict[str, list[str]]]:
    """Return the symbol that one starts with, and for each symbol to be replaced what it may be replaced by."""
    tree: Any = _parser().parse(description)
    _, start, *rules, end = tree.children
    replaced = {str(rule.children[0]): ["".join(by.children) for by in rule.children[1:]] for rule in rules}
    assert sorted(map(str, end.children)) == sorted(replaced), "what is replaced, and nothing else, is gone at the end"
    assert len(rules) == len(replaced)
    assert start in replaced
    return str(start), replaced


def obeys(description: str, string: str) -> bool:
    """Whether `string`, such as ``"a a b b"``, can be written by following the description.

    The description is followed backwards: whatever a symbol may be replaced by is put back to that symbol, in every
    way, until the start symbol alone is there or nothing new comes up.
    """
    start, replaced = read(description)
    letters = string.split(" ")
    if any(len(letter) != 1 or letter in replaced for letter in letters):
        return False
    waiting, seen = ["".join(letters)], set[str]()
    while waiting:
        text = waiting.pop()
        if text == start:
            return True
        for symbol, parts in replaced.items():
            for part in parts:
                for place in range(len(text) - len(part) + 1):
                    if text.startswith(part, place):
                        before = text[:place] + symbol + text[place + len(part) :]
                        if before not in seen:
                            seen.add(before)
                            waiting.append(before)
    return False
