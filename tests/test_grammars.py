"""Grammars: three independent readings agree on what may be written; languages are neither trivial nor guessable."""

from __future__ import annotations

import ast
import dataclasses
import itertools
import re
import statistics
from collections.abc import Iterator

import pytest
from readers import grammar_reader

from pbb.experiments.documents import parse_answer
from pbb.programs import Program
from pbb.programs.grammar_rules import (
    RICH,
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
from pbb.programs.grammars import (
    Grammars,
    accepts,
    generate,
    obeys,
    random_baseline,
)
from pbb.streams import stream

SETTINGS = (
    Grammars(),
    Grammars(nonterminals=2, terminals=3, longest=6, inputs=6),
    Grammars(nonterminals=4, terminals=5, symbols=4, longest=7),
)
Group = tuple[Grammars, list[Program]]


@pytest.fixture(scope="module")
def groups() -> list[Group]:
    return [(knobs, generate(knobs, 12, "tests", index)) for index, knobs in enumerate(SETTINGS)]


def every(groups: list[Group]) -> Iterator[Program]:
    return itertools.chain.from_iterable(programs for _, programs in groups)


def some(groups: list[Group], count: int) -> list[Program]:
    return [program for _, programs in groups for program in programs[:count]]


def rewritten(rules: Rules, longest: int) -> set[str]:
    """All strings up to a length by rewriting the leftmost symbol again and again, without any code of pbb."""
    waiting, found = [next(iter(rules))], set[str]()
    seen = set(waiting)
    while waiting:
        text = waiting.pop()
        place = next((i for i, symbol in enumerate(text) if symbol in rules), None)
        if place is None:
            found.add(text)
            continue
        for alternative in rules[text[place]]:
            after = text[:place] + "".join(alternative) + text[place + 1 :]
            if len(after) <= longest and after not in seen:
                seen.add(after)
                waiting.append(after)
    return found


def test_all_readings_agree(groups: list[Group]) -> None:
    """The listing, rewriting, lark on the source and the reader on the English; right and wrong strings alike."""
    for program in every(groups):
        rules = read_source(program.source)
        language = Language(rules)
        assert set().union(*(language.strings(length) for length in range(1, 7))) == rewritten(rules, 6)
        assert program.source == f"// {program.name}\n{render(rules)}"
        assert program.description == f"{program.name}: {render_english(rules)}"
    for program in some(groups, 2):
        language, letters = Language(read_source(program.source)), letters_of(read_source(program.source))
        for length in range(1, 5):
            for string in map("".join, itertools.product(letters, repeat=length)):
                right, said = string in language.strings(length), " ".join(string)
                assert obeys(program.source, said) == right, (program.source, said)
                assert grammar_reader.obeys(program.description, said) == right, (program.description, said)


def test_traces_are_leftmost_derivations(groups: list[Group]) -> None:
    for program in every(groups):
        rules = read_source(program.source)
        for execution in program.executions:
            (line,) = execution.trace
            *steps, last = line.removeprefix("return ").split(" = ")
            assert last == execution.output
            assert parse_answer(line, "cot") == execution.output == parse_answer(execution.output, "direct")
            forms = [step.split() for step in (*steps, ast.literal_eval(last))]
            assert forms[0] == ["s"]
            for before, after in itertools.pairwise(forms):
                place = next(i for i, symbol in enumerate(before) if symbol in rules)
                made = [[*before[:place], *alternative, *before[place + 1 :]] for alternative in rules[before[place]]]
                assert after in made, (program.source, line)


@pytest.mark.parametrize(
    ("rules", "what"),
    [
        ({"s": ("ab", "asb")}, ""),
        ({"s": ("ab", "sb"), "t": ("a", "b")}, "a nonterminal cannot be reached"),
        ({"s": ("aa", "sa")}, "a terminal is never written"),
        ({"s": ("ab", "sab", "ab")}, "a rule says the same twice"),
        ({"s": ("ab", "st"), "t": ("at", "ts")}, "a nonterminal has no finite derivation"),
        ({"s": ("ab", "tb"), "t": ("a", "ba")}, "no nonterminal contains itself"),
    ],
)
def test_faults_are_found(rules: dict[str, tuple[str, ...]], what: str) -> None:
    split = {name: tuple(tuple(alternative) for alternative in alternatives) for name, alternatives in rules.items()}
    reachable = {"s": split["s"]} if "reached" in what else split
    found = fault(reachable, len(split), 2)
    assert found.startswith(what)
    assert bool(found) == bool(what)


def test_rich_languages_are_not_listed() -> None:
    rules = {"s": tuple((letter, "s") for letter in "abcdef") + tuple((letter,) for letter in "abcdef")}
    assert len(Language(rules).strings(4)) == 6**4 < RICH
    with pytest.raises(RichLanguageError, match="strings of length 5 come from"):
        Language(rules).strings(5)
    with pytest.raises(ValueError, match="string='abz' is not valid; valid: a string of"):
        Language(rules).derivation("abz")


# --- chance --------------------------------------------------------------------------------------------------------


def test_random_strings_are_seldom_right_but_not_never(groups: list[Group]) -> None:
    """What lark accepts of random guesses is what counting the listed strings says it should be."""
    measured = []
    for program in some(groups, 3):
        strings = rewritten(read_source(program.source), program.made_by["settings"]["longest"])
        letters, longest = program.made_by["settings"]["terminals"], program.made_by["settings"]["longest"]
        exact = statistics.mean(
            statistics.mean(
                sum(len(s) == length and s.startswith(start) for s in strings) / letters ** (length - len(start))
                for length in range(len(start) + 1, longest + 1)
            )
            for start in (ast.literal_eval(text).replace(" ", "") for text in program.inputs)
        )
        measured.append(random_baseline(program, stream("tests", program.name), 300))
        assert 0 < exact <= 0.15
        assert abs(measured[-1] - exact) < 5 * (exact / 300) ** 0.5
    assert 0 < statistics.mean(measured) < 0.08


# --- right and wrong answers ---------------------------------------------------------------------------------------


def nested() -> Program:
    """A grammar of one rule, too small for any settings, with the limit of the default ones."""
    (program,) = generate(Grammars(), 1, "tests")
    return dataclasses.replace(program, source='// Blorp\ns: "a" s "b" | "a" "b"')


@pytest.mark.parametrize(
    ("text", "answer", "right"),
    [
        ("''", "'a b'", True),
        ("''", "'a a a a b b b b'", True),
        ("'a a'", '"a a b b"', True),
        ("'a a'", "'a b'", False),  # begins otherwise
        ("''", "'a a a a a b b b b b'", False),  # too long
        *(
            ("''", wrong, False)
            for wrong in ("'a b b'", "'a'", "''", "'ab'", "'a  b'", "' a b'", "'a\\tb'", "'a B'", "'s'")
        ),
        *(("''", wrong, False) for wrong in ("['a', 'b']", "7", "a b", "'a b", "'a \"b'")),
    ],
)
def test_answers(text: str, answer: str, right: bool) -> None:
    assert accepts(nested(), text, answer) is right


# --- normal form ---------------------------------------------------------------------------------------------------


def isomorphic(one: Rules, other: Rules) -> bool:
    """Whether some renaming turns one into the other, by trying all."""
    if len(one) != len(other) or len(letters_of(one)) != len(letters_of(other)):
        return False
    for names in itertools.permutations(list(other)[1:]):
        for letters in itertools.permutations(letters_of(other)):
            new = dict(zip([*one, *letters_of(one)], [next(iter(other)), *names, *letters], strict=True))
            said = {new[n]: sorted([new[s] for s in a] for a in alternatives) for n, alternatives in one.items()}
            if said == {n: sorted(map(list, alternatives)) for n, alternatives in other.items()}:
                return True
    return False


def test_normal_forms_are_equal_for_isomorphic_grammars_and_for_no_others() -> None:
    drawn = [draw_rules(stream("tests", "small", i), 2, 2, 2, 2) for i in range(70)]
    equal = 0
    for one, other in itertools.combinations(drawn, 2):
        same = canonical(one) == canonical(other)
        assert same == isomorphic(one, other), (one, other)
        equal += same
    assert equal > 15


# --- programs ------------------------------------------------------------------------------------------------------


def test_what_cannot_be_generated_is_refused() -> None:
    for text in ("'z'", "'ab'", "'a b c'", "4"):
        with pytest.raises(
            ValueError, match=rf"inputs: {re.escape(repr(text))} is not valid; valid: up to 2 of the let"
        ):
            generate(Grammars(), 1, 0, inputs=[text])
    tiny = Grammars(nonterminals=2, terminals=3, symbols=2, longest=4, inputs=6)
    with pytest.raises(ValueError, match=r"count=50: Grammars\(.*allows for only about \d+ different programs"):
        generate(tiny, 50, 0)


# --- the reader of descriptions ------------------------------------------------------------------------------------
