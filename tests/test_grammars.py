"""Grammars: three independent readings agree on what may be written; languages are neither trivial nor guessable."""

from __future__ import annotations

import ast
import dataclasses
import itertools
import re
import statistics
from collections import Counter
from collections.abc import Iterator

import pytest
from lark import Lark
from readers import grammar_reader
from readers.grammar_reader import GrammarReadingError

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
    normal_form,
    obeys,
    random_baseline,
    random_guess,
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
    return [(knobs, generate(knobs, 20, "tests", index)) for index, knobs in enumerate(SETTINGS)]


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


def test_stored_strings_begin_as_asked_and_obey_the_rules_in_code_and_in_words(groups: list[Group]) -> None:
    for knobs, programs in groups:
        for program in programs:
            assert program.inputs[0] == "''"
            assert len(program.inputs) == knobs.inputs == len(set(program.inputs))
            for text, execution in zip(program.inputs, program.executions, strict=True):
                string = ast.literal_eval(execution.output)
                assert f"{string} ".startswith(f"{ast.literal_eval(text)} ".lstrip())
                assert string != ast.literal_eval(text)
                assert len(string.split()) <= knobs.longest
                assert obeys(program.source, string)
                assert grammar_reader.obeys(program.description, string)
                assert accepts(program, text, execution.output)


def test_all_readings_agree_on_every_short_string(groups: list[Group]) -> None:
    """The listing, lark on the source, and the reader on the English; right and wrong strings alike."""
    for program in some(groups, 3):
        rules = read_source(program.source)
        language, letters = Language(rules), letters_of(rules)
        for length in range(1, 5):
            listed = language.strings(length)
            for string in map("".join, itertools.product(letters, repeat=length)):
                said = " ".join(string)
                assert obeys(program.source, said) == (string in listed), (program.source, said)
                assert grammar_reader.obeys(program.description, said) == (string in listed), (
                    program.description,
                    said,
                )


def test_the_listing_is_what_rewriting_gives(groups: list[Group]) -> None:
    for program in every(groups):
        rules = read_source(program.source)
        language = Language(rules)
        assert set().union(*(language.strings(length) for length in range(1, 7))) == rewritten(rules, 6)


def test_lark_and_the_reader_find_the_same_rules(groups: list[Group]) -> None:
    for program in every(groups):
        start, replaced = grammar_reader.read(program.description)
        assert start == "s"
        by_lark: dict[str, set[str]] = {}
        for rule in Lark(program.source, start="s").rules:
            names = "".join(symbol.name.lower() for symbol in rule.expansion)
            by_lark.setdefault(str(rule.origin.name), set()).add(names)
        assert by_lark == {name: set(parts) for name, parts in replaced.items()}
        rules = read_source(program.source)
        assert program.source == f"// {program.name}\n{render(rules)}"
        assert program.description == f"{program.name}: {render_english(rules)}"


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


def test_every_rule_is_needed_and_ends_and_languages_are_infinite(groups: list[Group]) -> None:
    for knobs, programs in groups:
        for program in programs:
            rules = read_source(program.source)
            assert list(rules) == list("stuvw"[: knobs.nonterminals])
            assert len(letters_of(rules)) == knobs.terminals
            assert program.statements == knobs.nonterminals * knobs.alternatives
            assert all(1 <= len(a) <= knobs.symbols for alternatives in rules.values() for a in alternatives)
            for name in rules:  # a string comes of each, and each comes of the start
                assert rewritten({name: rules[name], **rules}, 10)
                assert any(name in form for form in _forms(rules, "s"))
            assert any(any(name in form[1:] for form in _forms(rules, name)) for name in rules)
            assert len({len(string) for string in rewritten(rules, 9)}) > 2


def _forms(rules: Rules, name: str) -> set[str]:
    """The start, and what comes of it by replacing symbols up to 5 times: one alternative's symbols at a time."""
    found = {name}
    for _ in range(5):
        found |= {form[0] + "".join(a) for form in found for s in form if s in rules for a in rules[s] if len(form) < 9}
    return found


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
    for program in some(groups, 5):
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


def test_random_guesses_begin_as_asked_with_letters_of_the_grammar() -> None:
    (program,) = generate(Grammars(), 1, "tests")
    letters, lengths = set(letters_of(read_source(program.source))), set()
    rng = stream("tests", "guesses")
    for text in program.inputs * 60:
        guess, start = (ast.literal_eval(word).split() for word in (random_guess(program, text, rng), text))
        assert guess[: len(start)] == start
        assert set(guess) <= letters
        lengths.add(len(guess) - len(start))
    assert lengths == set(range(1, 9))


def test_no_constant_guess_pays() -> None:
    """With the default knobs, for every string at once: how many questions it would answer rightly."""
    programs = generate(Grammars(), 100, "tests", "chance")
    right: Counter[str] = Counter()
    asked = 0
    for program in programs:
        starts = [ast.literal_eval(text).replace(" ", "") for text in program.inputs]
        asked += len(starts)
        counts = {s: sum(map(s.startswith, starts)) for s in rewritten(read_source(program.source), 8)}
        assert max(counts.values()) <= 0.4 * len(starts)
        right.update(counts)
    assert right.most_common(1)[0][1] / asked < 0.05
    assert not any(accepts(program, text, text) for program in programs[:20] for text in program.inputs)  # no copying


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
        ("'a a'", "'a a b b'", True),
        ("'a a'", '"a a b b"', True),
        ("'a a'", "'a b'", False),  # begins otherwise
        ("''", "'a a a a a b b b b b'", False),  # too long
        ("''", "'a b b'", False),
        ("''", "'a'", False),
        ("''", "''", False),
        ("''", "'ab'", False),
        ("''", "'a  b'", False),
        ("''", "' a b'", False),
        ("''", "'a b '", False),
        ("''", "'a\\tb'", False),
        ("''", "'a B'", False),
        ("''", "'a \"b'", False),
        ("''", "'s'", False),
        ("''", "['a', 'b']", False),
        ("''", "7", False),
        ("''", "a b", False),
        ("''", "'a b", False),
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
    drawn = [draw_rules(stream("tests", "small", i), 2, 2, 2, 2) for i in range(120)]
    equal = 0
    for one, other in itertools.combinations(drawn, 2):
        same = canonical(one) == canonical(other)
        assert same == isomorphic(one, other), (one, other)
        equal += same
    assert equal > 50


def test_normal_forms_survive_new_names_and_a_new_order(groups: list[Group]) -> None:
    rng = stream("tests", "shuffled")
    for program in every(groups):
        rules = read_source(program.source)
        first, *others = rules
        letters = letters_of(rules)
        new = dict(zip(letters, rng.sample("mnopqrxyz", len(letters)), strict=True))
        new |= dict(zip(rules, ["S", *rng.sample("ABCDEF", len(others))], strict=True))
        shuffled = {
            new[name]: tuple(tuple(new[s] for s in a) for a in rng.sample(rules[name], len(rules[name])))
            for name in (first, *rng.sample(others, len(others)))
        }
        assert canonical(shuffled) == canonical(rules) == normal_form(program)


# --- programs ------------------------------------------------------------------------------------------------------


def test_inputs_can_be_chosen_and_grammars_left_out() -> None:
    knobs = Grammars(nonterminals=2, terminals=3)
    first = generate(knobs, 5, 0, inputs=["''", "'a'"])
    assert all(program.inputs == ("''", "'a'") for program in first)
    taken = frozenset(map(normal_form, first))
    assert not taken & set(map(normal_form, generate(knobs, 5, 0, without=taken, inputs=["''", "'a'"])))


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

NESTED = "Blorp: start with s; replace s by a s b or by a b; until no s is left."
TWO = "Blorp: start with s; replace s by t s or by c; replace t by a or by b t; until no s or t is left."


@pytest.mark.parametrize(
    ("description", "right", "wrong"),
    [
        (NESTED, ("a b", "a a b b", "a a a b b b"), ("a", "b a", "a b a b", "s", "a s b", "", "ab", "a  b")),
        (TWO, ("c", "a c", "b b a a c"), ("t c", "b c", "a", "c c", "a b c")),
    ],
)
def test_reader_follows(description: str, right: tuple[str, ...], wrong: tuple[str, ...]) -> None:
    assert all(grammar_reader.obeys(description, string) for string in right)
    assert not any(grammar_reader.obeys(description, string) for string in wrong)


@pytest.mark.parametrize(
    ("description", "message"),
    [
        ("", "not understood"),
        (NESTED[:-1], "not understood"),
        (NESTED.replace("replace", "swap"), r"(?s)not understood.*swap s.*\^"),
        (NESTED.replace("no s", "no t"), "ends without t; these should be the same"),
        (NESTED.replace("start with s", "start with t"), "starts with t, replaces s, and ends without s"),
        (TWO.replace("replace t", "replace s"), "replaces s, and ends without s, t"),
    ],
)
def test_reader_explains_what_it_cannot_do(description: str, message: str) -> None:
    with pytest.raises(GrammarReadingError, match=message):
        grammar_reader.obeys(description, "a b")
