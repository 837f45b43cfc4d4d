"""Context-free rules: drawn at random, checked, written down, and their strings listed.

A string is written as its letters without spaces here, ``"adb"``. Rules have no empty alternatives and none that is one
nonterminal alone, so that every rewriting makes a string longer or more definite, and all strings up to a length can
be listed.
"""

from __future__ import annotations

import functools
import itertools
import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence

Alternative = tuple[str, ...]
Rules = Mapping[str, tuple[Alternative, ...]]  # nonterminal -> alternatives; the first nonterminal is where one starts

NONTERMINALS = "stuvw"
TERMINALS = "abcdefghijkl"  # what a grammar's letters are drawn from
NONTERMINAL_SHARE = 0.4  # of the symbols that are drawn
RICH = 4_000  # strings of one length past which a language counts as too rich to be listed


class RichLanguageError(ValueError):
    """A language has more strings of one length than `RICH`."""


def draw_rules(rng: random.Random, nonterminals: int, terminals: int, alternatives: int, symbols: int) -> Rules:
    """Return random rules, most of which are of no use (see `fault`); `symbols` is the most in one alternative."""
    names, letters = NONTERMINALS[:nonterminals], rng.sample(TERMINALS, terminals)

    def alternative() -> Alternative:
        length = rng.randint(1, symbols)
        if length == 1:
            return (rng.choice(letters),)
        return tuple(rng.choice(names if rng.random() < NONTERMINAL_SHARE else letters) for _ in range(length))

    drawn = _ordered({name: tuple(alternative() for _ in range(alternatives)) for name in names})
    new = dict(zip(drawn, names, strict=False))
    return {new[name]: tuple(tuple(new.get(s, s) for s in a) for a in drawn[name]) for name in drawn}


def _ordered(rules: Rules) -> Rules:
    """Return the rules that can be reached, in the order in which they are first needed."""
    order = [next(iter(rules))]
    for name in order:  # which grows on the way
        order += dict.fromkeys(s for alternative in rules[name] for s in alternative if s in rules and s not in order)
    return {name: rules[name] for name in order}


def letters_of(rules: Rules) -> list[str]:
    """Return the terminals, in alphabetical order."""
    return sorted({symbol for name in rules for alternative in rules[name] for symbol in alternative} - set(rules))


def fault(rules: Rules, nonterminals: int, terminals: int) -> str:
    """Return what is wrong with `rules`, or ``""``: a part of them is idle, or their language is empty or finite."""
    if len(rules) < nonterminals:
        return "a nonterminal cannot be reached"
    if len(letters_of(rules)) < terminals:
        return "a terminal is never written"
    if any(len(set(alternatives)) < len(alternatives) for alternatives in rules.values()):
        return "a rule says the same twice"
    ending: set[str] = set()
    for _ in rules:
        ending |= {n for n, alternatives in rules.items() if any({*a} & {*rules} <= ending for a in alternatives)}
    if len(ending) < len(rules):
        return "a nonterminal has no finite derivation"
    needs = {name: {s for a in alternatives for s in a if s in rules} for name, alternatives in rules.items()}
    for _ in rules:
        needs = {name: set().union(found, *(needs[s] for s in found)) for name, found in needs.items()}
    if not any(name in found for name, found in needs.items()):
        return "no nonterminal contains itself, so that there are finitely many strings"
    return ""


# --- the language --------------------------------------------------------------------------------------------------


class Language:
    """All strings of `rules` up to a length, found by putting shorter ones together."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.start = next(iter(rules))
        self._strings = functools.cache(self._list)

    def strings(self, length: int) -> frozenset[str]:
        """Return all strings of this length; raises RichLanguageError if there are too many to be listed."""
        return self._strings((self.start,), length)

    def _list(self, symbols: Alternative, length: int) -> frozenset[str]:
        first, rest = symbols[0], symbols[1:]
        found = set[str]()
        if rest:
            for cut in range(1, length - len(rest) + 1):
                pairs = itertools.product(self._strings((first,), cut), self._strings(rest, length - cut))
                found.update(map("".join, itertools.islice(pairs, RICH + 1)))
        elif first in self.rules:
            found.update(*(self._strings(a, length) for a in self.rules[first] if len(a) <= length))
        elif length == 1:
            found = {first}
        if len(found) > RICH:
            raise RichLanguageError(f"{len(found)} strings of length {length} come from {' '.join(symbols)}")
        return frozenset(found)

    def derivation(self, string: str) -> list[list[str]]:
        """Return the leftmost derivation of `string`, by the first alternatives that allow for it.

        Each entry is the list of symbols after one more rewriting, from the start symbol to the letters.

        Raises:
            ValueError: the string is not in the language.
        """
        if string not in self.strings(len(string)):
            raise ValueError(f"string={string!r} is not valid; valid: a string of {render(self.rules)!r}")
        done, waiting = list[str](), [(self.start, string)]
        steps = [[self.start]]
        while waiting:
            symbol, part = waiting.pop(0)
            if symbol not in self.rules:
                done.append(symbol)
                continue
            waiting = [*next(self._splits(symbol, part)), *waiting]
            steps.append([*done, *(s for s, _ in waiting)])
        return steps

    def _splits(self, symbol: str, string: str) -> Iterator[list[tuple[str, str]]]:
        """Yield each way to write `string` by one alternative: the symbols, each with what is to come of it."""

        def cut(symbols: Sequence[str], rest: str) -> Iterator[list[tuple[str, str]]]:
            if len(symbols) == 1:
                if rest in self._strings((symbols[0],), len(rest)):
                    yield [(symbols[0], rest)]
                return
            for length in range(1, len(rest) - len(symbols) + 2):
                if rest[:length] in self._strings((symbols[0],), length):
                    yield from ([(symbols[0], rest[:length]), *more] for more in cut(symbols[1:], rest[length:]))

        for alternative in self.rules[symbol]:
            if len(alternative) <= len(string):
                yield from cut(alternative, string)


# --- texts ---------------------------------------------------------------------------------------------------------


def render(rules: Rules) -> str:
    """Return the rules in EBNF as lark reads it: one a line, letters quoted, the start symbol first."""
    return _written(rules, lambda symbol: symbol if symbol in rules else f'"{symbol}"')


def _written(rules: Rules, said: Callable[[str], str]) -> str:
    lines = {name: [" ".join(map(said, alternative)) for alternative in rules[name]] for name in rules}
    return "\n".join(f"{said(name)}: {' | '.join(alternatives)}" for name, alternatives in lines.items())


def render_english(rules: Rules) -> str:
    """Return the rules in words, without the grammar's name."""
    said = [f"replace {name} by {' or by '.join(map(' '.join, rules[name]))}" for name in rules]
    return f"start with {next(iter(rules))}; {'; '.join(said)}; until no {' or '.join(rules)} is left."


def read_source(source: str) -> Rules:
    """Return the rules that `render` wrote; a comment, ``// Blorp``, is passed over."""
    lines = [line.split(": ") for line in source.splitlines() if not line.startswith("//")]
    return {name: tuple(tuple(re.findall(r"\w", a)) for a in body.split(" | ")) for name, body in lines}


def canonical(rules: Rules) -> str:
    """Return a text that is equal for two grammars just when they differ in names and in the order of alternatives.

    Alternatives are put in the order of the roles that their symbols play; where that leaves several orders, the one
    is taken whose symbols, renamed as they appear, come first in the alphabet.
    """
    roles = _roles(rules)
    orders = []
    for alternatives in rules.values():
        groups: dict[tuple[int, ...], list[Alternative]] = {}
        for alternative in alternatives:
            groups.setdefault(tuple(roles[symbol] for symbol in alternative), []).append(alternative)
        ways = itertools.product(*(itertools.permutations(groups[role]) for role in sorted(groups)))
        orders.append([tuple(itertools.chain.from_iterable(way)) for way in ways])
    return min(_renamed(dict(zip(rules, order, strict=True))) for order in itertools.product(*orders))


def _roles(rules: Rules) -> dict[str, int]:
    """Return a number for each symbol that depends on how it is used alone, not on its name."""
    alternatives = [(name, a) for name in rules for a in rules[name]]
    roles = {symbol: 2 for _, a in alternatives for symbol in a} | dict.fromkeys(rules, 1) | {next(iter(rules)): 0}
    for _ in roles:
        uses: dict[str, list[tuple[int, tuple[int, ...]]]] = {symbol: [] for symbol in roles}
        for name, alternative in alternatives:
            said = (roles[name], *(roles[symbol] for symbol in alternative))
            for place, symbol in enumerate((name, *alternative)):
                uses[symbol].append((place, said))
        found = {symbol: (roles[symbol], sorted(uses[symbol])) for symbol in roles}
        ranks = sorted(found.values())
        before, roles = roles, {symbol: ranks.index(use) for symbol, use in found.items()}
        if len(set(roles.values())) == len(set(before.values())):
            break
    return roles


def _renamed(rules: Rules) -> str:
    names: dict[str, str] = {}
    rules = _ordered(rules)
    for name, alternatives in rules.items():
        for symbol in (name, *itertools.chain.from_iterable(alternatives)):
            names.setdefault(symbol, f"{'N' if symbol in rules else 't'}{len(names)}")
    return _written(rules, names.__getitem__)
