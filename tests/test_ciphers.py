"""Ciphers: source, description and stored outputs agree; none is a Caesar cipher; shifts are spread as documented."""

from __future__ import annotations

import ast
import hashlib
import itertools
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pbb.experiments.documents import parse_answer
from pbb.experiments.experiment import Experiment, ExperimentError
from pbb.programs import Program, cipher_reader, normalised
from pbb.programs.cipher_reader import CipherReadingError, encode
from pbb.programs.ciphers import (
    ASK,
    KINDS,
    NATURAL_WEIGHTS,
    POINTERS,
    Ciphers,
    _fine,
    accepts,
    candidates,
    generate,
    program_inputs,
    sample_inputs,
    shift_weights,
)
from pbb.programs.names import BASE_NAMES, EXPERIMENT_NAMES
from pbb.programs.program import belongs_to_base
from pbb.streams import stream

SETTINGS = (
    Ciphers(),
    Ciphers(alphabet=13, case="upper", longest=3, distribution="natural", demonstrations=7),
    Ciphers(alphabet=6, longest=2, demonstrations=3),
    Ciphers(shortest=3, longest=9, case="upper"),
    Ciphers(alphabet=10, case="digits", longest=3),
    Ciphers(alphabet=7, case="digits", distribution="natural", demonstrations=5),
)
Text = str | list[int]
Group = tuple[Ciphers, list[Program]]


@pytest.fixture(scope="module")
def groups() -> list[Group]:
    return [(knobs, generate(knobs, 60, "tests", index)) for index, knobs in enumerate(SETTINGS)]


def every(groups: list[Group]) -> Iterator[Program]:
    return itertools.chain.from_iterable(programs for _, programs in groups)


def plain_python(program: Program) -> Any:
    """The function that `program.source` defines, made without any code of pbb."""
    names: dict[str, Any] = {}
    exec(program.source, names)
    return names[program.name]


def values(text: str) -> tuple[Text, int]:
    word, shift = ast.literal_eval(text)
    return word, shift


def like(knobs: Ciphers, word: str) -> Text:
    """`word` as the texts of `knobs` are."""
    return list(map(int, word)) if knobs.digits else word


def joined(text: Text) -> str:
    return "".join(map(str, text))


def on_words(knobs: Ciphers, program: Program) -> Callable[[str, int], str]:
    """`program` as a function of strings, digits as characters."""
    function = plain_python(program)
    return lambda word, shift: joined(function(like(knobs, word), shift))


def test_source_description_and_stored_output_agree(groups: list[Group]) -> None:
    for program in every(groups):
        function = plain_python(program)
        for text, execution in zip(program.inputs, program.executions, strict=True):
            truth = function(*values(text))
            assert execution.output == repr(truth), program
            assert encode(program.description, *values(text)) == truth, (program.source, program.description, text)


def test_description_agrees_on_texts_longer_than_any_that_is_shown(groups: list[Group]) -> None:
    rng = stream("tests", "long texts")
    for knobs, programs in groups:
        for program in programs:
            text, shift = like(knobs, "".join(rng.choices(knobs.letters, k=20))), rng.randrange(60)
            assert encode(program.description, text, shift) == plain_python(program)(text, shift)


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
            assert repr(variables["return"]) == execution.output
            with_places = program.family == "alternating" and isinstance(word, str)
            assert sorted(letters) == ([] if with_places else sorted(word))
            assert len(execution.trace) <= 4 + (5 if isinstance(word, list) else 4) * len(word)
            assert parse_answer("\n".join(execution.trace), "cot") == execution.output
            assert parse_answer(execution.output, "direct") == execution.output


def test_every_kind_occurs_and_keeps_its_promise(groups: list[Group]) -> None:
    """What the name of a kind says, seen on outputs alone."""
    assert {program.family for program in every(groups)} == set(KINDS)
    for knobs, programs in groups:
        letters, size = knobs.letters, knobs.alphabet

        def numbers(word: str, letters: str = letters) -> list[int]:
            return [letters.index(letter) for letter in word]

        for program in programs:
            function = on_words(knobs, program)
            same, shift = letters[2] * 4, 5
            moved = numbers(function(same, shift))
            steps = [(after - before) % size for before, after in itertools.pairwise(moved)]
            if program.family == "growing":
                assert len(set(steps)) == 1 != len(set(steps) | {0})
            if program.family == "mirrored":
                assert len(set(steps)) == 1 != len(set(steps) | {0})
                assert numbers(function(letters[3], shift)) == [(moved[0] - 1) % size]
            if program.family == "alternating":
                again = numbers(function(same, shift + 1))
                directions = [(new - old) % size for old, new in zip(moved, again, strict=True)]
                assert set(directions) == {1, size - 1}, program.source
            if program.family == "affine":
                first, second, third = (numbers(function(letter, 0))[0] for letter in letters[:3])
                assert (second - first) % size == (third - second) % size != 1
            if program.family == "keyed":
                assert len({function(letter, shift) for letter in letters}) == size
                assert function(letters, 0) == letters
            if program.family == "vowels":
                quiet = [letter for letter in letters if function(letter, 0) == function(letter, 1)]
                assert "".join(quiet) in (knobs.vowels, "".join(c for c in letters if c not in knobs.vowels))
            if program.family == "blocks":
                assert function(letters[:2], shift)[0] != function(letters[0], shift)
                assert numbers(function(letters[:2], shift))[0] == (moved[0] - 1) % size
            if program.family == "multiplied":
                factor = int(re.findall(r"times (\d+)", program.description)[0])
                turned = -1 if "minus shift;" in program.description else 1  # at the start
                grown = numbers(function(same, shift + 1))
                assert (grown[0] - moved[0]) % size == turned * factor % size
                assert (grown[1] - moved[1]) % size == turned * factor**2 % size


def test_none_is_a_caesar_cipher(groups: list[Group]) -> None:
    rng = stream("tests", "caesar")
    for knobs, programs in groups:
        letters = knobs.letters
        asked = [("".join(rng.choices(letters, k=rng.randint(2, 4))), rng.randrange(len(letters))) for _ in range(30)]
        for program in programs:
            function = on_words(knobs, program)
            for offset in range(len(letters)):
                plain = [
                    "".join(letters[(letters.index(letter) + shift + offset) % len(letters)] for letter in text)
                    for text, shift in asked
                ]
                assert plain != [function(*arguments) for arguments in asked], program.source


def test_no_guess_pays() -> None:
    """With the default knobs: neither one constant, nor copying the text, nor Caesar's cipher."""
    programs = generate(Ciphers(), 300, "tests", "chance")
    outputs = [execution.output for program in programs for execution in program.executions]
    inputs = [values(text) for program in programs for text in program.inputs]
    constant = Counter(outputs).most_common(1)[0][1] / len(outputs)
    copied = sum(output == repr(word) for output, (word, _) in zip(outputs, inputs, strict=True)) / len(outputs)
    plain = ["".join(chr((ord(c) - 97 + shift) % 26 + 97) for c in word) for word, shift in inputs]
    as_caesar = sum(output == repr(word) for output, word in zip(outputs, plain, strict=True)) / len(outputs)
    assert constant < 0.02
    assert copied < 0.15
    assert as_caesar < 0.05


def test_names_and_sources_are_unique(groups: list[Group]) -> None:
    for _, programs in groups:
        assert len({program.name for program in programs}) == len(programs)
        assert len({normalised(program.source) for program in programs}) == len(programs)
        for program in programs:
            assert program.name in EXPERIMENT_NAMES
            assert program.source.startswith(f"def {program.name}(text, shift):\n")
            assert program.description.startswith(f"{program.name} of text and shift, ")
            assert program.source == ast.unparse(ast.parse(program.source))
            assert program.statements == len(re.findall(r"\n +(?!else|\s)", program.source))


def test_there_are_hundreds_of_programs_of_every_kind() -> None:
    for kind in KINDS:
        drawn = itertools.islice(candidates(Ciphers(kinds=(kind,)), "tests"), 800)
        assert len({normalised(source) for _, source, _ in drawn}) > 200, kind
    digits = Ciphers(case="digits", alphabet=10, kinds=tuple(set(KINDS) - {"keyed", "blocks"}))
    assert len({normalised(source) for _, source, _ in itertools.islice(candidates(digits, "tests"), 3000)}) > 900


def test_pools_are_disjoint_by_name_and_by_normalised_source() -> None:
    knobs = Ciphers(alphabet=8)
    base, taught = (generate(knobs, 80, "tests", pool=pool) for pool in ("base", "experiment"))
    assert {program.name for program in base} <= set(BASE_NAMES)
    sources = [{normalised(program.source) for program in programs} for programs in (base, taught)]
    assert not sources[0] & sources[1]
    assert all(map(belongs_to_base, sources[0]))
    assert not any(map(belongs_to_base, sources[1]))


def test_json_round_trip(groups: list[Group]) -> None:
    for program in every(groups):
        assert Program.from_json(program.to_json()) == program


FRESH = """
import hashlib, sys
from pbb.programs.ciphers import Ciphers, generate
text = "".join(program.to_json() for program in generate(Ciphers(), 20, 7, "fresh"))
print(hashlib.sha256(text.encode()).hexdigest())
"""


def test_equal_keys_give_equal_programs_in_any_process() -> None:
    text = "".join(program.to_json() for program in generate(Ciphers(), 20, 7, "fresh"))
    for hash_seed in ("0", "1"):
        environment = os.environ | {"PYTHONHASHSEED": hash_seed, "PYTHONPATH": os.pathsep.join(sys.path)}
        output = subprocess.run([sys.executable, "-c", FRESH], env=environment, capture_output=True, check=True).stdout
        assert output.decode().strip() == hashlib.sha256(text.encode()).hexdigest()


def test_more_programs_begin_with_the_same_ones() -> None:
    few, many = (generate(Ciphers(), count, 3) for count in (5, 90))
    assert [(normalised(p.source), p.inputs) for p in few] == [(normalised(p.source), p.inputs) for p in many[:5]]


def test_neighbouring_seeds_share_no_stream() -> None:
    sequences = [[s for _, s, _ in itertools.islice(candidates(Ciphers(), seed), 600)] for seed in (0, 1)]
    first, second = ({tuple(s[i : i + 3]) for i in range(len(s) - 2)} for s in sequences)
    assert not first & second


# --- inputs --------------------------------------------------------------------------------------------------------


def test_demonstrated_shifts_follow_the_documented_weights() -> None:
    for distribution, shares in (("natural", NATURAL_WEIGHTS), ("uniform", dict.fromkeys(range(26), 1 / 26))):
        rng = stream("tests", "shifts", distribution)
        batches = [sample_inputs(Ciphers(longest=6), distribution, 20, rng) for _ in range(500)]
        drawn = Counter(values(text)[1] for batch in batches for text in batch)
        for shift, share in shares.items():
            assert drawn[shift] / 10_000 == pytest.approx(share, abs=0.015), (distribution, shift)
        assert set(drawn) == set(range(26))
        assert all(len(set(batch)) == 20 for batch in batches)


@pytest.mark.parametrize("size", range(6, 27))
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
    for index in range(50):
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


def test_programs_do_not_depend_on_how_shifts_are_demonstrated() -> None:
    skewed = Ciphers(distribution="natural", demonstrations=40)
    pairs = zip(generate(Ciphers(), 40, 1), generate(skewed, 40, 1), strict=True)
    for one, other in pairs:
        assert (one.name, one.source, one.description) == (other.name, other.source, other.description)
        assert one.inputs[10:] == other.inputs[40:]
        assert one.inputs[:10] != other.inputs[:10]


def test_texts_are_as_long_as_the_knobs_say_and_have_vowels() -> None:
    for knobs in SETTINGS:
        words = [joined(values(text)[0]) for text in sample_inputs(knobs, "uniform", 100, stream("tests", "texts"))]
        assert {len(word) for word in words} == set(range(knobs.shortest, knobs.longest + 1))
        assert set("".join(words)) <= set(knobs.letters)
        vowels = sum(letter in knobs.vowels for letter in "".join(words)) / len("".join(words))
        assert vowels == pytest.approx(0.5 if knobs.digits else 0.4, abs=0.1)


def test_more_inputs_than_there_are_is_refused() -> None:
    few = Ciphers(alphabet=6, longest=2)
    with pytest.raises(ValueError, match=r"count=500: Ciphers\(.*only about 2\d\d different inputs"):
        sample_inputs(few, "uniform", 500, stream(0))
    with pytest.raises(ValueError, match="distribution='even' is not valid; valid: one of"):
        sample_inputs(few, "even", 5, stream(0))


def test_an_experiment_takes_an_alphabet_of_digits() -> None:
    digits = Experiment.of(
        "cpu",
        programs=Ciphers(case="digits", alphabet=10),
    )
    assert digits.settings == Ciphers(case="digits", alphabet=10, demonstrations=7)
    with pytest.raises(ExperimentError, match=r"alphabet=26 is not valid; valid: 6 to 10 \(of digits\)"):
        Experiment.of(
            "cpu",
            programs=Ciphers(case="digits"),
        )


@pytest.mark.parametrize("case", ["upper", "digits"])
def test_a_cipher_that_a_guess_gets_right_is_too_easy(case: str) -> None:
    knobs = Ciphers(case=case, alphabet=10)
    start = "def NAME(text, shift):\n    return "
    caesar = "''.join(chr((ord(c) - 65 + shift + 4) % 10 + 65) for c in text)"
    if knobs.digits:
        caesar = "[(c + shift + 4) % 10 for c in text]"
    turn = "text[1:] + text[:1]"  # a copy only where all letters are the same
    drawn = [("", "", start + body, "") for body in ("text", caesar, turn)]
    assert [source for *_, source, _ in _fine(knobs, drawn)] == [start + turn]


def test_inputs_can_be_chosen_and_sources_left_out() -> None:
    first = generate(Ciphers(), 10, 0, inputs=["'cab', 3", "'zoo', 40"])
    assert all(program.inputs == ("'cab', 3", "'zoo', 40") for program in first)
    taken = frozenset(normalised(program.source) for program in first)
    second = generate(Ciphers(), 10, 0, without=taken)
    assert not taken & {normalised(program.source) for program in second}
    assert accepts(first[0], "'cab', 3", first[0].executions[0].output)
    assert not accepts(first[0], "'cab', 3", "'cab'")
    (digits,) = generate(Ciphers(case="digits", alphabet=10), 1, 0, inputs=["[3, 1, 4], 5", "[0], 40"])
    assert accepts(digits, "[3, 1, 4], 5", repr(plain_python(digits)([3, 1, 4], 5)))


@pytest.mark.parametrize(
    ("knobs", "message"),
    [
        ({"kinds": ("caesar",)}, r"kinds=\('caesar',\) is not valid; valid: \(\), or some of \('growing', "),
        ({"shortest": 0}, "shortest=0 is not valid; valid: 1 to 12"),
        ({"longest": 1}, "longest=1 is not valid; valid: 2 to 12"),
        ({"shortest": 5}, "longest=4 is not valid; valid: 5 to 12"),
        ({"alphabet": 27}, "alphabet=27 is not valid; valid: 6 to 26"),
        ({"case": "title"}, "case='title' is not valid; valid: 'lower', 'upper', 'digits'"),
        ({"case": "digits"}, r"alphabet=26 is not valid; valid: 6 to 10 \(of digits\)"),
        ({"distribution": "skewed"}, r"distribution='skewed' is not valid; valid: one of \('uniform', 'natural'\)"),
        ({"demonstrations": 0}, "demonstrations=0 is not valid; valid: 1 to 200"),
    ],
)
def test_invalid_settings_name_the_field_the_value_and_what_is_valid(knobs: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Ciphers(**knobs)


def test_what_cannot_be_generated_is_refused() -> None:
    with pytest.raises(ValueError, match="pool='bse' is not valid; valid: 'experiment', 'base'"):
        generate(Ciphers(), 1, 0, pool="bse")
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


def test_templates() -> None:
    assert len(set(POINTERS)) == 20
    for template in POINTERS:
        assert template.count("{name}") == 1
        assert template[-1] not in ".:!?"
    assert set(ASK) == {"plain", "word_problem"}
    for texts in ASK.values():
        assert {mode: text.count("{input}") for mode, text in texts.items()} == {"direct": 1, "cot": 1}


# --- the reader of descriptions ------------------------------------------------------------------------------------

HEAD = "Blorp of text and shift, letters"


@pytest.mark.parametrize(
    ("words", "text", "shift", "written"),
    [
        ("a to z in a ring: for each letter: move it forward by shift.", "xyz", 2, "zab"),
        ("a to f in a ring: for each letter: move it forward by shift.", "fed", 1, "afe"),
        ("dogabc in a ring: for each letter: move it forward by shift.", "dogc", 1, "ogad"),
        (
            "a to z in a ring: add 1 to shift; for each letter: add 2 to shift, move it forward by shift.",
            "aaa",
            0,
            "dfh",
        ),
        ("a to z in a ring: for each letter: subtract 2 from shift, move it forward by shift.", "aaa", 3, "bzx"),
        ("a to z in a ring: for each letter: set shift to 4 minus shift, move it forward by shift.", "aaa", 1, "dbd"),
        (
            "A to Z in a ring: for each letter: at places divisible by 2 set shift to 4 minus shift, "
            "move it forward by shift.",
            "AAAA",
            1,
            "DDBB",
        ),
        (
            "a to z in a ring: for each block of 2 letters: from its last letter to its first move each forward by "
            "shift, then add 10 to shift.",
            "abcde",
            0,
            "banmy",
        ),
        ("a to z in a ring: for each letter: multiply its number by 3, move it forward by shift.", "abz", 1, "bey"),
        ("a to z in a ring: for each letter: replace its number by shift minus its number.", "abz", 1, "bac"),
        (
            "a to z in a ring: for each letter: if it is a vowel move it forward by shift, otherwise keep it.",
            "tea",
            1,
            "tfb",
        ),
        (
            "a to z in a ring: for each letter: if it is a consonant move it forward by shift, "
            "otherwise move it forward by 2.",
            "tea",
            1,
            "ugc",
        ),
        (
            "a to z in a ring: for each letter: set shift to shift times 3 plus 1 modulo 26, move it forward by shift.",
            "aaa",
            1,
            "eno",
        ),
    ],
)
def test_reader_reads(words: str, text: str, shift: int, written: str) -> None:
    assert encode(f"{HEAD} {words}", text, shift) == written


@pytest.mark.parametrize(
    ("words", "text", "shift", "written"),
    [
        ("0 to 9 in a ring: for each digit: move it forward by shift.", [7, 8, 9], 2, [9, 0, 1]),
        ("0 to 5 in a ring: set shift to 3 minus shift; for each digit: move it forward by shift.", [5, 4], 1, [1, 0]),
        ("416023 in a ring: for each digit: move it forward by shift.", [4, 3, 0], 1, [1, 4, 2]),
        (
            "0 to 9 in a ring: for each block of 2 digits: from its last digit to its first move each forward by "
            "shift, then add 5 to shift.",
            [1, 2, 3],
            1,
            [3, 2, 9],
        ),
        ("0 to 9 in a ring: for each digit: replace its number by shift minus its number.", [0, 1, 9], 1, [1, 0, 2]),
        (
            "0 to 9 in a ring: for each digit: if it is even move it forward by shift, otherwise keep it.",
            [0, 1, 8],
            3,
            [3, 1, 1],
        ),
        (
            "0 to 9 in a ring: for each digit: if it is odd move it forward by shift, otherwise move it forward by 2.",
            [0, 1, 8],
            3,
            [2, 4, 0],
        ),
    ],
)
def test_reader_reads_digits(words: str, text: list[int], shift: int, written: list[int]) -> None:
    assert encode(f"Blorp of text and shift, digits {words}", text, shift) == written


@pytest.mark.parametrize(
    ("description", "text", "message"),
    [
        ("", "a", "not understood"),
        (
            "Blorp of text and shift, digits 0 to 9 in a ring: for each letter: move it forward by shift.",
            [1],
            "underst",
        ),
        (
            "Blorp of text and shift, digits 0 to 5 in a ring: for each digit: move it forward by shift.",
            [7],
            "not in the",
        ),
        (
            "Blorp of text and shift, digits 0 to 5 in a ring: for each digit: move it forward by shift.",
            [12],
            "no list",
        ),
        (f"{HEAD} a to z in a ring: for each letter: move it by shift.", "a", r"(?s)not understood.*move it by.*\^"),
        (f"{HEAD} a to z in a ring: for each letter: move it forward by shift", "a", "not understood"),
        (f"{HEAD} a to z in a ring: add 3 to shift.", "a", "not understood"),
        (f"{HEAD} a to f in a ring: for each letter: move it forward by shift.", "bag", r"not in the ring.*\['g'\]"),
    ],
)
def test_reader_explains_what_it_cannot_do(description: str, text: Text, message: str) -> None:
    with pytest.raises(CipherReadingError, match=message):
        encode(description, text, 1)


def test_reader_tells_a_wrong_description_from_a_right_one(groups: list[Group]) -> None:
    """The comparison has teeth: a description whose first number is one off is found out."""
    found, tried = 0, 0
    for program in every(groups):
        ring, changes = program.description.split(" in a ring: ")
        wrong = re.sub(r"\d+", lambda match: str(int(match[0]) + 1), changes, count=1)
        wrong = f"{ring} in a ring: {wrong}"
        if wrong != program.description:
            tried += 1
            found += any(
                repr(encode(wrong, *values(text))) != execution.output
                for text, execution in zip(program.inputs, program.executions, strict=True)
            )
    assert found == tried > 150


def test_reader_shares_no_code_with_the_generator() -> None:
    tree = ast.parse(Path(str(cipher_reader.__file__)).read_text(encoding="utf-8"))
    imported = {
        name
        for node in ast.walk(tree)
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for name in ([node.module or "."] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names])
    }
    assert {name.partition(".")[0] for name in imported} == {"__future__", "functools", "lark", "typing"}
    calls = {node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
    assert not calls & {"eval", "exec", "__import__", "compile"}
