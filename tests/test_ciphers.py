"""Ciphers: source, description and stored outputs agree; none is a Caesar cipher; shifts are spread as documented."""

from __future__ import annotations

import ast
import itertools
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from readers.cipher_reader import encode

from pbb.experiments.documents import parse_answer
from pbb.programs import Program, normalised
from pbb.programs.ciphers import (
    KINDS,
    NATURAL_WEIGHTS,
    Ciphers,
    _too_easy,
    candidates,
    generate,
    program_inputs,
    sample_inputs,
    shift_weights,
)
from pbb.programs.program import on_inputs
from pbb.streams import stream

SETTINGS = (
    Ciphers(),
    Ciphers(alphabet=13, case="upper", longest=3, distribution="natural", demonstrations=7),
    Ciphers(alphabet=10, case="digits", longest=3),
    Ciphers(alphabet=7, case="digits", distribution="natural", demonstrations=5),
)
Text = str | list[int]
Group = tuple[Ciphers, list[Program]]


@pytest.fixture(scope="module")
def groups() -> list[Group]:
    return [(knobs, generate(knobs, 25, "tests", index)) for index, knobs in enumerate(SETTINGS)]


def every(groups: list[Group]) -> Iterator[Program]:
    return itertools.chain.from_iterable(programs for _, programs in groups)


def values(text: str) -> tuple[Text, int]:
    word, shift = ast.literal_eval(text)
    return word, shift


def test_traces_show_the_shift_and_what_is_written_so_far(groups: list[Group]) -> None:
    """Every equation holds, the letters are those of the text, and the answer grows by one letter at a time."""
    for program in every(groups):
        for text, execution in zip(program.inputs, program.executions, strict=True):
            word, _ = values(text)
            letters, written, variables = [], list[str](), dict[str, Any]()
            variables["shift"] = values(text)[1]
            for line in execution.trace:
                if line.endswith((": True", ": False")):
                    head, _, verdict = line.removeprefix("if ").rpartition(": ")
                    assert str(eval(head)) == verdict
                    continue
                name, *parts = re.sub("^return ", "return = ", line).split(" = ")
                if name == "shift" or (name == "c" and len(parts) > 1):
                    assert len({eval(part, {}, variables) for part in parts}) == 1, line
                    assert ".index" in line or len(parts) > 2, "the sum is spelt out"
                elif name == "c":
                    letters.append(ast.literal_eval(parts[0]))
                if name == "out":
                    assert ast.literal_eval(parts[0])[:-1] == written
                    written = ast.literal_eval(parts[0])
                variables[name] = ast.literal_eval(parts[-1])
            assert (written if isinstance(word, list) else "".join(written)) == variables["return"]
            assert repr(variables["return"]) == execution.output == repr(encode(program.description, *values(text)))
            with_places = program.family == "alternating" and isinstance(word, str)
            assert sorted(letters) == ([] if with_places else sorted(word))
            assert len(execution.trace) <= 4 + (5 if isinstance(word, list) else 4) * len(word)
            assert parse_answer("\n".join(execution.trace), "cot") == execution.output
            assert parse_answer(execution.output, "direct") == execution.output


def test_there_are_hundreds_of_programs_of_every_kind() -> None:
    for kind in KINDS:
        drawn = itertools.islice(candidates(Ciphers(kinds=(kind,)), "tests"), 500)
        assert len({normalised(source) for _, source, _ in drawn}) > 200, kind
    digits = Ciphers(case="digits", alphabet=10, kinds=tuple(set(KINDS) - {"keyed", "blocks"}))
    assert len({normalised(source) for _, source, _ in itertools.islice(candidates(digits, "tests"), 1500)}) > 500


# --- inputs --------------------------------------------------------------------------------------------------------


def test_demonstrated_shifts_follow_the_documented_weights() -> None:
    for distribution, shares in (("natural", NATURAL_WEIGHTS), ("uniform", dict.fromkeys(range(26), 1 / 26))):
        rng = stream("tests", "shifts", distribution)
        batches = [sample_inputs(Ciphers(longest=6), distribution, 20, rng) for _ in range(500)]
        drawn = Counter(values(text)[1] for batch in batches for text in batch)
        assert set(drawn) == set(range(26))
        for shift, share in shares.items():
            assert drawn[shift] / 10_000 == pytest.approx(share, abs=0.015), (distribution, shift)


@pytest.mark.parametrize("size", [6, 7, 26])
def test_weights_are_probabilities_in_every_alphabet(size: int) -> None:
    knobs = Ciphers(alphabet=size)
    for distribution in ("uniform", "natural"):
        weights = shift_weights(knobs, distribution)
        assert len(weights) == size
        assert sum(weights) == pytest.approx(1)
        assert min(weights) > 0
    natural = shift_weights(knobs, "natural")
    assert natural.index(max(natural)) == size // 2
    assert sum(natural[shift] for shift in {1, 3, size // 2}) == pytest.approx(0.9)


def test_evaluation_covers_every_shift_once_and_is_never_demonstrated() -> None:
    for index in range(5):
        made = {
            (distribution, count): program_inputs(
                Ciphers(distribution=distribution, demonstrations=count), "tests", index
            )
            for distribution in ("uniform", "natural")
            for count in (5, 100)
        }
        for (_, count), texts in made.items():
            assert len(texts) == count + 26 == len(set(texts))
            assert [values(text)[1] for text in texts[count:]] == list(range(26))
        assert len({texts[-26:] for texts in made.values()}) == 1


def test_more_inputs_than_there_are_is_refused() -> None:
    few = Ciphers(alphabet=6, longest=2)
    with pytest.raises(ValueError, match=r"count=500: Ciphers\(.*only about 2\d\d different inputs"):
        sample_inputs(few, "uniform", 500, stream(0))


@pytest.mark.parametrize("case", ["upper", "digits"])
def test_a_cipher_that_a_guess_gets_right_is_too_easy(case: str) -> None:
    knobs = Ciphers(case=case, alphabet=10)
    start = "def NAME(text, shift):\n    return "
    caesar = "''.join(chr((ord(c) - 65 + shift + 4) % 10 + 65) for c in text)"
    if knobs.digits:
        caesar = "[(c + shift + 4) % 10 for c in text]"
    turn = "text[1:] + text[:1]"  # a copy only where all letters are the same
    (one,) = generate(knobs, 1, "tests")
    asked = sample_inputs(knobs, "uniform", 60, stream("tests", "easy"))
    programs = [replace(one, name="NAME", source=start + body) for body in ("text", caesar, turn)]
    assert [_too_easy(p, knobs.letters) for p in on_inputs(programs, [asked] * 3)] == [True, True, False]


def test_what_cannot_be_generated_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"inputs: \"'CAB', 3\" is not valid; valid: a text of the letters abc.*'abc', 3"
    ):
        generate(Ciphers(), 1, 0, inputs=["'CAB', 3"])
    with pytest.raises(
        ValueError, match=r"inputs: '\[7\], 3' is not valid; valid: a text of the digits 0123456 .*3, 1, 4"
    ):
        generate(Ciphers(case="digits", alphabet=7), 1, 0, inputs=["[1, 2], 3", "[7], 3"])
    with pytest.raises(ValueError, match=r"count=50: Ciphers\(.*allows for only about \d+ different programs"):
        generate(Ciphers(kinds=("affine",), alphabet=6), 50, 0)


# --- the reader of descriptions ------------------------------------------------------------------------------------
