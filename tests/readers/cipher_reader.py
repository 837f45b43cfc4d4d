"""Runs the English descriptions of ciphers, to prove that they mean what the Python sources do.

An independent reading: it shares no code with `pbb.programs.ciphers`, which writes the descriptions, and knows nothing
of the Python sources. A description is parsed by a grammar and then carried out on a text.

    >>> encode("Blorp of text and shift, letters zyxwv in a ring: for each letter: move it forward by shift.", "xy", 1)
    'wx'

How it reads what English leaves open: letters are numbered from 0 in the order of the ring, and so are the places of
a text; after the ring's last letter comes its first; vowels are a, e, i, o and u; ``from its last letter to its
first`` holds for the moves, and what follows ``then`` is done once after each block.
"""

from __future__ import annotations

import functools
from typing import Any

from lark import Lark, Token, Tree

GRAMMAR = r"""
    cipher: NAME "of text and shift," (_of_letters | _of_digits) "."
    _of_letters: "letters" ring "in a ring:" (change ";")? (letters | blocks)
    _of_digits: "digits" digit_ring "in a ring:" (change ";")? (digits | digit_blocks)
    ring: LETTERS ["to" LETTERS]
    digit_ring: NUMBER ["to" NUMBER] -> ring
    letters: "for each letter:" (change ",")? move
    digits: "for each digit:" (change ",")? move -> letters
    blocks: "for each block of" NUMBER "letters:" backwards ", then" change
    digit_blocks: "for each block of" NUMBER "digits:" backwards ", then" change -> blocks
    ?backwards: "from its last" ("letter" | "digit") "to its first move each forward by" amount
    ?change: "add" NUMBER "to shift" -> add
        | "subtract" NUMBER "from shift" -> subtract
        | "set shift to" NUMBER "minus shift" -> turn
        | "set shift to shift times" NUMBER "plus" NUMBER "modulo" NUMBER -> scale
        | "at places divisible by" NUMBER change -> sometimes
    ?move: forward
        | "multiply its number by" NUMBER ", move it forward by" amount -> multiplied
        | "replace its number by shift minus its number" -> mirrored
        | "if it is" CLASS forward ", otherwise" (forward | keep) -> either
    forward: "move it forward by" amount
    keep: "keep it"
    amount: NUMBER | SHIFT
    CLASS: "a vowel" | "a consonant" | "even" | "odd"
    SHIFT: "shift"
    NAME: /[A-Z]\w*/
    LETTERS: /[a-z]+|[A-Z]+/
    NUMBER: /\d+/
    %ignore " "
"""


@functools.cache
def _parser() -> Lark:
    return Lark(GRAMMAR, start="cipher", parser="lalr")


@functools.lru_cache(maxsize=256)
def parse(description: str) -> Tree[Any]:
    """Return the syntax tree of a description; raises lark's UnexpectedInput where it is not understood."""
    return _parser().parse(description)


def _ring(tree: Tree[Any]) -> str:
    first, last = (str(word) if word else "" for word in tree.children)
    return "".join(map(chr, range(ord(first), ord(last) + 1))) if last else first


def _is_of(letter: str, kind: str) -> bool:
    if kind in ("even", "odd"):
        return int(letter) % 2 == (kind == "odd")
    return (letter.lower() in ("a", "e", "i", "o", "u")) == (kind == "a vowel")


class _Run:
    """One text being encoded: the ring of letters, and the shift as it stands."""

    def __init__(self, ring: str, shift: int) -> None:
        self.ring = ring
        self.shift = shift

    def change(self, tree: Tree[Any], place: int = 0) -> None:
        """Change the shift before the letter at `place`."""
        numbers = [int(part) for part in tree.children if isinstance(part, Token)]
        if tree.data == "add":
            self.shift += numbers[0]
        elif tree.data == "subtract":
            self.shift -= numbers[0]
        elif tree.data == "turn":
            self.shift = numbers[0] - self.shift
        elif tree.data == "scale":
            self.shift = (self.shift * numbers[0] + numbers[1]) % numbers[2]
        elif place % numbers[0] == 0:
            self.change(tree.children[1], place)

    def amount(self, tree: Tree[Any]) -> int:
        (word,) = tree.children
        return self.shift if word == "shift" else int(word)

    def move(self, tree: Tree[Any], letter: str) -> str:
        """Return what is written for `letter`."""
        number = self.ring.index(letter)
        if tree.data == "keep":
            return letter
        if tree.data == "either":
            kind, yes, no = tree.children
            return self.move(yes if _is_of(letter, kind) else no, letter)
        if tree.data == "mirrored":
            number = self.shift - number
        elif tree.data == "multiplied":
            number = number * int(tree.children[0]) + self.amount(tree.children[1])
        else:
            number += self.amount(tree.children[0])
        return self.ring[number % len(self.ring)]


def encode(description: str, text: str | list[int], shift: int) -> str | list[int]:
    """Return what the described cipher makes of `text`, letters or a list of digits, with `shift`.

    Raises:
        UnexpectedInput: the description is not understood.
        ValueError: a letter of the text is not in its ring.
    """
    if isinstance(text, str):
        return _encode(description, text, shift)
    return [int(digit) for digit in _encode(description, "".join(map(str, text)), shift)]


def _encode(description: str, text: str, shift: int) -> str:
    _, ring, *changes, body = parse(description).children
    run = _Run(_ring(ring), shift)
    for change in changes:
        run.change(change)
    written = ""
    if body.data == "letters":
        *changes, move = body.children
        for place, letter in enumerate(text):
            for change in changes:
                run.change(change, place)
            written += run.move(move, letter)
        return written
    size, amount, change = body.children
    while text:
        block, text = text[: int(size)], text[int(size) :]
        for letter in block[::-1]:
            written += run.ring[(run.ring.index(letter) + run.amount(amount)) % len(run.ring)]
        run.change(change)
    return written
