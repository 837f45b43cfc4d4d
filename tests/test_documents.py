"""Prompts and completions: they name the program, hold the right answers, and are parsed back strictly."""

from __future__ import annotations

import itertools
import re
from dataclasses import astuple, replace

import pytest

from pbb.experiments.base_data import CIPHERS, base_documents
from pbb.experiments.documents import (
    RESULT,
    VALUES,
    Document,
    answer,
    declaration,
    declarative_document,
    declarative_prompt,
    execution_document,
    in_context,
    parse_answer,
    pointer,
    question,
)
from pbb.programs import Arithmetic, Program, generate
from pbb.programs.algorithms import Algorithms
from pbb.programs.ciphers import Ciphers
from pbb.programs.composition import Composition
from pbb.programs.execution import Execution
from pbb.programs.sums import Sums


@pytest.fixture(scope="module")
def programs() -> list[Program]:
    knobs = Arithmetic(statements=3, control=("if", "for", "while"), low=-3, high=6, wrap=None)
    return [*generate(Arithmetic(), 20, "documents"), *generate(knobs, 20, "documents", 3)]


def test_pointers_and_prompts(programs: list[Program]) -> None:
    program = programs[0]
    assert pointer(program, 0) == f"Consider the function {program.name}"
    assert declarative_prompt(program, 19) == f"{program.name}: how is it defined?"
    assert declarative_prompt(program, 19, "description") == f"{program.name}: tell it in plain words."
    assert len({declarative_prompt(program, t).rsplit(": ", 1)[1] for t in range(20)}) == 8
    assert question(program, "4", 19, "direct") == f"{program.name}: what is the output for 4?"
    assert question(program, "4", 19, "cot") == f"{program.name}: run it step by step for 4."
    assert question(program, "4", 19, "direct", "word_problem") == f"{program.name}: Ann feeds it 4. What comes out?"
    prompt = question(program, "4", 19, "direct")
    assert in_context(declaration(program, "code"), prompt) == f"{program.source}\n{prompt}"


def test_documents_hold_the_program_or_its_answer(programs: list[Program]) -> None:
    for program in programs:
        assert declarative_document(program, "w/o IO", 3, "code").completion == program.source
        assert declarative_document(program, "w/o IO", 3, "description").completion == program.description
        for text, execution in zip(program.inputs, program.executions, strict=True):
            direct = execution_document(program, "w/ IO", 3, text, "direct")
            cot = execution_document(program, "w/ IO", 3, text, "cot", "word_problem")
            assert direct.completion == execution.output
            assert cot.completion.splitlines() == list(execution.trace)
            said = execution_document(program, "w/ IO", 3, text, "cot", representation="description").completion
            assert said.splitlines() == list(execution.words)
            assert parse_answer(said, "cot") == parse_answer(cot.completion, "cot") == execution.output
            assert astuple(cot)[2:] == ("execution", "w/ IO", program.name, text, "cot", ())


@pytest.mark.parametrize(
    "knobs",
    [
        Arithmetic(statements=3),
        Arithmetic(statements=3, control=("if", "for", "while"), low=-3, high=6, wrap=None),
        *(Sums(), CIPHERS, Ciphers(kinds=("keyed",), alphabet=10, case="upper"), Algorithms(), Composition()),
    ],
    ids=lambda knobs: type(knobs).__name__,
)
def test_values_are_results_without_the_source(knobs: object) -> None:
    for program in generate(knobs, 12, "values"):
        constants = re.findall(r" = ('\w{4,}')$", program.source, re.MULTILINE)
        for text, execution in zip(program.inputs, program.executions, strict=True):
            told = execution_document(program, "AD", 3, text, "cot", "plain", VALUES).completion
            assert parse_answer(told, "cot") == parse_answer("\n".join(execution.words), "cot")
            assert told.endswith(f"{RESULT}{execution.output}")
            literals = re.sub(r"'[^']*'|True|False|None|set\(\)|the result is", "", told)
            assert re.fullmatch(r"[-\d\s,.()\[\]{}:]*", literals), "no operator, no name, no line of the source"
            assert not any(constant in told for constant in constants)


def test_values_of_a_trace(programs: list[Program]) -> None:
    words = {
        "3 divided by 3 is 1, 1 plus 8 modulo 9 is 0, the result is 0": "1, 0, the result is 0",
        "9 plus 5 modulo 10 is 4, shift is now 4": "4",
        "c next: 4": "4",
        "a and b next: 4, 'x is 3'": "4, 'x is 3'",
        "out is now [6, 8]": "[6, 8]",
        "s is now 'a is b, c'": "'a is b, c'",
        "3 below 2 is False": "False",
        "it fails: ZeroDivisionError": "",
        "the result is (1, [2, 3])": "the result is (1, [2, 3])",
    }
    for told, values in words.items():
        run = Execution("0", (), (told, "the result is 0"))
        program = replace(programs[0], inputs=("0",), executions=(run,))
        assert answer(program, "0", "cot", VALUES) == "\n".join(filter(None, [values, "the result is 0"]))
    keyed = replace(programs[0], source="def f(x):\n    key = 'BA'\n    return key[x]", inputs=("0",))
    keyed = replace(keyed, executions=(Execution("'B'", (), ("key is now 'BA'", "the result is 'B'")),))
    assert answer(keyed, "0", "cot", VALUES) == "the result is 'B'", "a constant of the source is no result"


def test_messages_take_turns() -> None:
    document = Document("a", "b", "execution", "w/ IO", "Blorp", follow_ups=(("c", "d"), ("e", "f")))
    turns = [(message["role"], message["content"]) for message in document.messages()]
    assert turns == list(zip(("user", "assistant") * 3, "abcdef", strict=True))


@pytest.mark.parametrize(
    ("mode", "completion", "parsed"),
    [
        *(("direct", text, text.strip()) for text in ("7", " 7\n", "-7", "7.", "'ab'", "(1, -2)", "1" * 200)),
        # neither a substring nor the last number counts, nor what would have to be run
        *(("direct", text, None) for text in ("The answer is 7", "3 + 4 = 7", "return 7", "7\n8", "x = 3\nreturn 7")),
        *(("direct", text, None) for text in ("1" * 201, "", " \n ", "apples", "abs(-7)", "3 + 4")),
        ("cot", "return 7", "7"),
        ("cot", "x = x + 1 = 3 + 1 = 4\nreturn x + 3 = 4 + 3 = 7\n", "7"),
        ("cot", "return (x - y) % 10 = (3 - 5) % 10 = -2 % 10 = 8", "8"),
        ("cot", "return s + 'b' = 'a' + 'b' = 'ab'", "'ab'"),
        ("cot", "return [x, x] = [3, 3]", "[3, 3]"),
        ("cot", "x is now 3\n3 plus 4 is 7, the result is 7\n", "7"),
        *(("cot", text, None) for text in ("3 plus 4 is 7", "the result is 7 apples", "the result is 7\nx is now 7")),
        # a trace that was cut off ends with no literal
        *(("cot", f"return x + 4{end}", None) for end in ("", " = 3 + 4", " = 3 + 4 =", " = 3 + 4=7", " = 7 apples")),
        *(
            ("cot", text, None)
            for text in ("return x", "return 7\nSo the output is 7", "return 7\nx = 7", "x = x + 4 = 7")
        ),
        *(("cot", text, None) for text in ("7", "returns 7", "return", "return ", "")),
    ],
)
def test_parse_answer(mode: str, completion: str, parsed: str | None) -> None:
    assert parse_answer(completion, mode) == parsed


def test_base_documents_give_the_program_in_code_or_in_words_and_run_it_in_these() -> None:
    documents = list(itertools.islice(base_documents("tests", 0), 600))
    assert documents[:20] == list(itertools.islice(base_documents("tests", 0), 20))
    for document in documents:
        given, _, request = document.prompt.rpartition("\n")
        assert re.search(rf"(?m)^(def {document.program}\(|{document.program} of x)", given)
        assert document.program in request
        assert document.group == "general"
        turns = [(document.prompt, document.completion), *document.follow_ups]
        assert len({prompt for prompt, _ in turns}) == len(turns)
        if document.answer_mode:
            assert all(parse_answer(completion, document.answer_mode) for _, completion in turns)
        if document.answer_mode == "cot":
            in_code = document.prompt.startswith("def ")
            assert document.completion.splitlines()[-1].startswith("return ") == in_code
            assert (RESULT in document.completion) != in_code
    code = sum(document.prompt.startswith("def ") for document in documents)
    assert 250 < code < 350  # code and words in equal measure
