"""Published functions become programs, and a row that cannot is reported by its line and left out."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path
from typing import Any

import pytest

from pbb.programs import Program, importer
from pbb.programs.importer import MAX_REASON, BadRow, read_functions

PROMPT = '''from typing import List
import math


def below_zero(operations: List[int]) -> bool:
    """ Say whether the balance, which starts at 0, ever falls below it.
    >>> below_zero([1, 2, 3])
    False
    """
'''
SOLUTION = """    balance = 0

    for op in operations:
        balance += op
        if balance < 0:
            return True

    return False
"""
TEST = """
METADATA = {'author': 'someone'}

def check(candidate):
    assert candidate([]) == False
    assert candidate([1, -4]) == True, "message"
    assert candidate([1, -4]) is True
    assert not candidate([1, 2])
    assert abs(candidate([-1]) - 1) < 1e-6
    assert candidate(list(range(3))) == False
    assert len([candidate(x) for x in [[1]]]) == 1
"""
BENCHMARK = {
    "task_id": "Test/0",
    "prompt": PROMPT,
    "canonical_solution": SOLUTION,
    "entry_point": "below_zero",
    "test": TEST,
}
PLAIN = {"source": "def add(x, y):\n    return x + y", "inputs": [[1, 2], [3, 4]], "description": "Add y to x."}
MBPP = {
    "task_id": 2,
    "text": "Write a function to find what two tuples share.",
    "code": "import re\ndef shared(a, b):\r\n  return sorted(set(a) & set(b))",
    "test_list": ["assert shared((3, 4), (4, 7)) == [4]", "assert set(shared((1, 2), (5, 4))) == set()"],
}


def read(folder: Path, *rows: Any) -> tuple[list[Program], list[BadRow]]:
    """Read `rows`; texts stand for themselves, all else for its JSON."""
    path = folder / "rows.jsonl"
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8", errors="surrogateescape")
    return read_functions(path)


def test_common_benchmarks_are_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (below, add, shared), bad = read(tmp_path, BENCHMARK, PLAIN, MBPP)
    assert bad == []
    assert capsys.readouterr().out == "rows.jsonl: 3 of 3 functions imported\n"

    assert below.name == "below_zero"
    assert below.source.splitlines()[:2] == ["def below_zero(operations):", "    balance = 0"]
    assert below.description == below.problem == "Say whether the balance, which starts at 0, ever falls below it."
    assert below.inputs == ("[]", "[1, -4]", "[1, 2]", "[-1]")
    assert [execution.output for execution in below.executions] == ["False", "True", "False", "True"]
    assert below.made_by == {"from": "rows.jsonl:1", "task_id": "Test/0"}
    assert below.domain == "own"

    assert (add.inputs, add.description, add.made_by) == (("1, 2", "3, 4"), "Add y to x.", {"from": "rows.jsonl:2"})
    assert (shared.name, shared.inputs) == ("shared", ("(3, 4), (4, 7)", "(1, 2), (5, 4)"))
    assert shared.description == "Write a function to find what two tuples share."
    assert [execution.output for execution in shared.executions] == ["[4]", "[]"]
    for program in (below, add, shared):
        assert Program.from_json(program.to_json()) == program


def test_names_that_are_taken_get_a_number_and_one_function_is_taken(tmp_path: Path) -> None:
    source = "import math\n\ndef helper(x):\n    return x\n\ndef add(x, y):\n    return x - y"
    programs, bad = read(tmp_path, PLAIN, PLAIN | {"source": source, "entry_point": "add", "problem": "What is x - y?"})
    assert [program.name for program in programs] == ["add", "add_2"]
    assert programs[1].source == "def add_2(x, y):\n    return x - y"
    assert (programs[1].problem, programs[1].description) == ("What is x - y?", "Add y to x.")
    assert bad == []


def test_tests_are_never_run(tmp_path: Path) -> None:
    target = tmp_path / "written"
    test = f"open({str(target)!r}, 'w').write('a')\ndef check(candidate):\n    assert candidate(1, 2) == 3"
    row = {"source": f"open({str(target)!r}, 'w')\n{PLAIN['source']}", "test": test, "description": "Add y to x."}
    (program,), _ = read(tmp_path, row)
    assert program.inputs == ("1, 2",)
    assert not target.exists()


def without(row: dict[str, Any], *fields: str) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key not in fields}


BAD: list[tuple[Any, str]] = [
    ("not JSON", "^no JSON: "),
    ("[1, 2]", "a JSON object is needed, not list"),
    ("[" * 100_000, "^no JSON: "),
    ({}, "there is no source; valid: 'source', 'code', or 'prompt' and 'canonical_solution'"),
    (without(BENCHMARK, "canonical_solution"), "there is no source"),
    (PLAIN | {"source": 3}, "source=3 is not valid; valid: a text"),
    (PLAIN | {"source": "def add(x, y) return x"}, "the source is not Python: expected ':'"),
    (PLAIN | {"source": "x = 3"}, "entry_point='' is not valid; valid: the one function meant, of none"),
    (PLAIN | {"source": "def a(x):\n    return x\ndef b(x):\n    return x"}, "the one function meant, of a, b"),
    (PLAIN | {"entry_point": ["add"]}, r"entry_point=\['add'\] is not valid; valid: a text"),
    (PLAIN | {"description": 3}, "description=3 is not valid; valid: a text"),
    (without(PLAIN, "inputs"), "there are no inputs; valid: 'inputs', a list of argument lists, or 'test', a text"),
    (PLAIN | {"inputs": [1, 2]}, r"inputs=\[1, 2\] is not valid; valid: a list of argument lists"),
    (PLAIN | {"inputs": []}, "program 'add_2' has 0 inputs; valid: 1 to 1000"),
    (PLAIN | {"inputs": [[1]]}, "program 'add_2' gets too few arguments, 1"),
    (BENCHMARK | {"test": "assert candidate("}, "the test is not Python: "),
    (BENCHMARK | {"test": "candidate(operations=[1])"}, r"neither candidate\(...\) nor below_zero\(...\) with lit"),
    (BENCHMARK | {"test": "assert candidate([1]) == True"}, r"returns False on input \(\[1\]\); its test says True"),
    (without(PLAIN, "description"), "program 'add_2' has no description"),
    (PLAIN | {"source": "import math\ndef add(x, y):\n    return math.gcd(x, y)"}, "uses the name 'math'"),
    (PLAIN | {"source": "def add(x, y):\n    return x // (y - 4)"}, r"raises an error on input \(3, 4\): ZeroDivision"),
    (PLAIN | {"source": "def plus(a, b):\n    return a + b"}, "program 'plus' is that of line 2 again"),
    ('{"source": "\udcff"}', "^no JSON: "),  # a byte that is no text
]


def test_bad_rows_are_reported_by_line_and_skipped(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # An empty line first and last: they are no rows, but they count as lines.
    programs, bad = read(tmp_path, "", PLAIN, *[row for row, _ in BAD], MBPP, "")
    assert [program.name for program in programs] == ["add", "shared"]
    assert [row.line for row in bad] == list(range(3, 3 + len(BAD)))
    for (row, message), (_, reason) in zip(BAD, bad, strict=True):
        assert re.search(message, reason), (row, reason)
    numbers = ", ".join(str(row.line) for row in bad)
    assert capsys.readouterr().out == f"rows.jsonl: 2 of {len(BAD) + 2} functions imported; left out: line {numbers}\n"


def deep(levels: int) -> str:
    return "[" * levels + "]" * levels  # JSON and Python


HEAD = '{"source": "def f(x):\\n    return x", "description": "d", "inputs": '
HOSTILE: list[tuple[Any, str]] = [
    (PLAIN | {"source": "def add(x, y):\n    return x" + " + 1" * 600}, "nested too deeply"),
    (PLAIN | {"source": "def add(x, y):\n    return " + "-" * 9000 + "x"}, "nested too deeply|not Python"),
    (PLAIN | {"source": "#" * 200_000 + "\ndef add(x, y):\n    return x"}, r"the source has \d+ char"),
    (PLAIN | {"source": "def add(x, y):\n    return '\udc80'"}, "the source is not Python"),
    (PLAIN | {"source": "def add(x, y):\n    return '\0'"}, "the source is not Python"),
    (PLAIN | {"description": "Add \ud800."}, r"program 'add_2' has '\\ud800' in its description"),
    (PLAIN | {"description": "a" * 10_001}, "has a description of 10001 characters; valid: at most 10000"),
    (PLAIN | {"problem": "Add\x00"}, r"has '\\x00' in its problem"),
    (PLAIN | {"task_id": "\udfff"}, r"task_id='\\udfff' is not valid; valid: a number, or a text"),
    (PLAIN | {"entry_point": "a" * 5000}, "entry_point='aaa"),
    (f"{HEAD}[{deep(900)}]}}", "too deeply|which cannot be written down"),
    (f"{HEAD}{deep(100_000)}}}", "no JSON"),
    (HEAD + "[[" + "9" * 5000 + "]]}", "no JSON"),
    ('{"source": "' + "x" * 1_000_000 + '"}', "it is longer than 1000000 bytes"),
    (PLAIN | {"inputs": [[1, 2]] * 100_000}, "has 100000 inputs; valid: 1 to 1000"),
    (BENCHMARK | {"test": "candidate([1])\n" * 10_000}, r"the test has \d+ characters; valid: at most 100000"),
    (BENCHMARK | {"test": "candidate({[]: 1})"}, "the test calls neither"),
    (PLAIN | {"source": "def add(x, y):\n    return 'a' * 20000", "inputs": [[i, 1] for i in range(1000)]}, "20002"),
    (PLAIN | {"source": "def add(x, y):\n    z = 'a' * 9000\n    return x", "inputs": [[i, 1] for i in range(1000)]},
     "all its traces and outputs are longer than 2000000"),
    (PLAIN | {"source": "def add(x, y):\n    return [x.gi_frame.f_back for z in [1]]"}, "uses the attribute 'f_back'"),
]  # fmt: skip


def test_no_row_ends_an_import(tmp_path: Path) -> None:
    programs, bad = read(tmp_path, PLAIN, *[row for row, _ in HOSTILE], MBPP)
    assert [program.name for program in programs] == ["add", "shared"]
    assert [row.line for row in bad] == list(range(2, 2 + len(HOSTILE)))
    for (row, message), (_, reason) in zip(HOSTILE, bad, strict=True):
        assert re.search(message, reason), (str(row)[:100], reason)
        assert reason.isprintable()
        assert len(reason) <= MAX_REASON + 1


DAMAGE = {
    "cut off": (lambda packed: packed[: len(packed) // 2], "end-of-stream"),
    "zeros inside": (lambda packed: packed[:200] + bytes(50) + packed[250:], "Error|incorrect|invalid|CRC"),
    "no gzip": (lambda packed: b"{}" + packed, "Not a gzipped file"),
    "a tail that is none": (lambda packed: packed + b"tail", "Not a gzipped file"),
}


@pytest.mark.parametrize(("damaged", "message"), DAMAGE.values(), ids=DAMAGE.keys())
def test_a_damaged_file_is_read_as_far_as_it_goes(damaged: Any, message: str, tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl.gz"
    rows = [PLAIN | {"source": f"def f{k}(x, y):\n    return x + {k * 7919 % 1000}"} for k in range(30)]
    path.write_bytes(damaged(gzip.compress("\n".join(map(json.dumps, rows)).encode())))
    programs, bad = read_functions(path)
    assert len(programs) <= 30
    assert all(program.domain == "own" for program in programs)
    assert re.search(f"the file cannot be read from here on: .*({message})", bad[-1].reason)


def test_what_is_kept_and_said_is_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(importer, "MAX_KEPT", 1000)
    others = [PLAIN | {"source": f"def add(x, y):\n    return x + y + {k}"} for k in range(10)]
    programs, bad = read(tmp_path, *others)
    assert 0 < sum(len(program.to_json()) for program in programs) <= 1000
    assert bad[-1].reason == "the programs before it fill 1000 characters; valid: a file of fewer"
    monkeypatch.setattr(importer, "MAX_ROWS", 60)
    _, bad = read(tmp_path, *["3"] * 70)
    assert (len(bad), bad[-1].reason) == (61, "there are more than 60 rows; valid: a file of fewer")
    assert capsys.readouterr().out.endswith("49, 50 and 11 more\n")
