"""Grammars: random context-free rules under a nonsense name; an answer is right when it obeys them.

The declarative document holds the rules, in the notation that lark reads or in English, which the
tests read independently. An input is how the string has to begin, such as
``"'a b'"``, and the answer is the whole string, letters separated by spaces. Many strings are right, so that answers
are not compared with the stored one but parsed (`accepts`).

Nothing here is Python: `Program.source` is the grammar, `Program.executions` hold one string of it for each input,
and the leftmost derivation of that string as the trace. (The paper has no chain of thought for grammars.)
"""

from __future__ import annotations

import ast
import functools
import itertools
import random
import re
from collections.abc import Iterator, Sequence
from typing import Annotated

from lark import Lark
from lark.exceptions import UnexpectedInput

from pbb.programs.execution import Execution
from pbb.programs.grammar_rules import (
    NONTERMINALS,
    TERMINALS,
    Language,
    RichLanguageError,
    Rules,
    canonical,
    draw_rules,
    fault,
    letters_of,
    read_source,
    render,
    render_english,
)
from pbb.programs.names import pointers
from pbb.programs.program import Drafts, Program, check_inputs, generator
from pbb.programs.settings import Between, group, refuse
from pbb.streams import stream

POINTERS = pointers(
    *("grammar", "language", "write", "rules of", "grammar", "language", "grammar"),
    labelled="language",
    someone="speaks",
)
DECLARE: dict[str, tuple[str, ...]] = {
    "code": ("write its rules.", "what are its rules?", "show its rules.", "how is it defined?", "list its rules."),
    "description": (
        *("describe it in words.", "what are its rules, in words?"),
        *("explain it in words.", "tell it in words."),
    ),
}
_SAID = "Ann says {input} first."
ASK: dict[str, dict[str, str]] = {
    "plain": {
        verb: f"{does} a string that begins with {{input}}." for verb, does in (("direct", "write"), ("cot", "derive"))
    },
    "word_problem": {
        "direct": f"{_SAID} What could she say in all?",
        "cot": f"{_SAID} Derive what she could say in all.",
    },
}
LONGEST_PREFIX = 2
HIGHEST_CHANCE = 0.15  # a grammar that random strings obey more often than this is left out
EASIEST_GUESS = 0.4  # a grammar is left out when one string is right for a larger share of its inputs


@group
class Grammars:
    """Grammars: how large their rules and strings are."""

    nonterminals: Annotated[int, Between(2, 5)] = 3  # rules: more of them are harder to recall
    terminals: Annotated[int, Between(3, 6)] = 4  # letters of one grammar; each draws its own
    alternatives: Annotated[int, Between(2, 4)] = 3  # of each rule: with fewer, a language has few strings
    symbols: Annotated[int, Between(2, 4)] = 3  # the most in one alternative
    longest: Annotated[int, Between(4, 10)] = 8  # letters of a string; longer answers are not accepted
    inputs: Annotated[int, Between(6, 16)] = 8  # beginnings that are asked for

    def __post_init__(self) -> None:
        if self.inputs > self.terminals**2:  # there are only so many ways to begin
            refuse(self, "inputs", f"6 to {self.terminals**2} with terminals={self.terminals}")


# --- right answers -------------------------------------------------------------------------------------------------


@functools.lru_cache(maxsize=1024)
def _parser(source: str) -> Lark:
    return Lark(source, start=NONTERMINALS[0], parser="earley")


def obeys(source: str, string: str) -> bool:
    """Whether lark, given the rules, parses `string`, its letters separated by single spaces."""
    letters = string.split(" ")
    if not all(re.fullmatch(f"[{TERMINALS}]", letter) for letter in letters):
        return False
    try:
        _parser(source).parse("".join(letters))
    except UnexpectedInput:
        return False
    return True


def accepts(program: Program, input_text: str, parsed_answer: str) -> bool:
    """Whether the answer is a string that begins as asked, obeys the rules and is not longer than it may be."""
    try:
        answer = ast.literal_eval(parsed_answer)
    except (ValueError, SyntaxError):
        return False
    if not isinstance(answer, str):
        return False
    asked, letters = ast.literal_eval(input_text).split(), answer.split(" ")
    if letters[: len(asked)] != asked or len(letters) > program.made_by["settings"]["longest"]:
        return False
    return obeys(program.source, answer)


def normal_form(program: Program) -> str:
    """Return the rules with their symbols renamed: equal for two grammars that differ in names or in order alone."""
    return canonical(read_source(program.source))


def random_guess(program: Program, input_text: str, rng: random.Random) -> str:
    """Return an answer that knows the grammar's letters and nothing else: any length, and letters at random."""
    asked, letters = ast.literal_eval(input_text).split(), letters_of(read_source(program.source))
    length = rng.randint(len(asked) + 1, program.made_by["settings"]["longest"])
    return repr(" ".join([*asked, *rng.choices(letters, k=length - len(asked))]))


def random_baseline(program: Program, rng: random.Random, samples: int) -> float:
    """Return the share of `samples` random guesses that are accepted: what a figure draws as chance."""
    asked = rng.choices(program.inputs, k=samples)
    return sum(accepts(program, text, random_guess(program, text, rng)) for text in asked) / samples


# --- programs ------------------------------------------------------------------------------------------------------


def _spaced(string: str) -> str:
    return repr(" ".join(string))


def _beginnings(strings: set[str]) -> list[str]:
    """Return how strings can begin, the shortest first; none is itself a string, so that copying is never right."""
    found = {string[:length] for string in strings for length in range(min(len(string), LONGEST_PREFIX + 1))}
    return sorted(found - strings, key=lambda beginning: (len(beginning), beginning))


def _chance(strings: set[str], beginning: str, letters: int, longest: int) -> float:
    """Return how likely a `random_guess` is right."""
    lengths = range(len(beginning) + 1, longest + 1)
    right = [len(string) for string in strings if string.startswith(beginning)]
    return sum(letters ** (len(beginning) - length) for length in right) / len(lengths)


def _executions(
    rules: Rules, settings: Grammars, rng: random.Random, inputs: Sequence[str] | None
) -> dict[str, Execution]:
    """Return an execution for each input, none if the language is too poor, too rich or too easily guessed."""
    language = Language(rules)
    try:
        strings = set[str]().union(*(language.strings(length) for length in range(1, settings.longest + 1)))
    except RichLanguageError:
        return {}
    found = _beginnings(strings)
    chosen = [ast.literal_eval(text).replace(" ", "") for text in inputs or ()]
    if not chosen and len(found) >= settings.inputs:
        chosen = ["", *rng.sample(found[1:], settings.inputs - 1)]
    if not chosen or not set(chosen) <= set(found):
        return {}
    chances = [_chance(strings, beginning, settings.terminals, settings.longest) for beginning in chosen]
    easiest = max(sum(string.startswith(beginning) for beginning in chosen) for string in strings)
    if sum(chances) > HIGHEST_CHANCE * len(chosen) or (not inputs and easiest > EASIEST_GUESS * len(chosen)):
        return {}
    made = {}
    for beginning in chosen:
        fitting = sorted(string for string in strings if string.startswith(beginning))
        length = rng.choice(sorted(set(map(len, fitting))))
        string = rng.choice([string for string in fitting if len(string) == length])
        *steps, _ = language.derivation(string)
        trace = f"return {' = '.join(map(' '.join, steps))} = {_spaced(string)}"
        made[_spaced(beginning)] = Execution(_spaced(string), (trace,))
    return made


@generator("more nonterminals, terminals, alternatives or symbols")
def generate(
    settings: Grammars, pool: str, inputs: Sequence[str] | None, *key: object
) -> Drafts[tuple[Rules, random.Random]]:
    """``inputs`` are beginnings that every grammar has to allow for; a grammar's own start with the empty one."""
    one = f"[{TERMINALS}]"
    valid = f"up to {LONGEST_PREFIX} of the letters {TERMINALS}, such as \"'a b'\""
    check_inputs(inputs, f"'({one}( {one}){{,{LONGEST_PREFIX - 1}}})?'", valid)
    shape = (settings.nonterminals, settings.terminals)

    def candidates() -> Iterator[tuple[str, tuple[Rules, random.Random]] | None]:
        for index in itertools.count():
            rng = stream(*key, pool, "grammars", index)
            rules = draw_rules(rng, *shape, settings.alternatives, settings.symbols)
            yield None if fault(rules, *shape) else (canonical(rules), (rules, rng))

    def make(drafts: list[tuple[Rules, random.Random]]) -> Iterator[Program]:
        for rules, rng in drafts:
            if executions := _executions(rules, settings, rng, inputs):
                yield Program(
                    name="NAME",
                    source=f"// NAME\n{render(rules)}",
                    description=f"NAME: {render_english(rules)}",
                    inputs=tuple(executions),
                    executions=tuple(executions.values()),
                    domain="grammars",
                    statements=sum(map(len, rules.values())),  # a rule has as many as it has alternatives
                    family=f"{shape[0]} nonterminals, {shape[1]} terminals",
                )

    return candidates(), make
