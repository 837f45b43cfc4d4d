"""Functions from elsewhere: reads a JSONL of functions with test inputs, as common Python benchmarks publish them.

Each line is a JSON object. Its fields, of which others are ignored:

- the source, either ``source`` (or ``code``): the text of the function; or ``prompt`` and ``canonical_solution``:
  the function's head and its body. Imports and other functions beside it are left out; a function that needs them
  is not imported.
- ``entry_point``: which function of the source it is; without it, the only one.
- the inputs, either ``inputs``: a list of argument lists, ``[[1, 2], [3, 4]]``; or ``test`` (a text) or
  ``test_list`` (a list of texts): Python in which the function is called, by its name or as ``candidate``. Tests
  are read and never run: each call whose arguments are literals gives an input, and where a test says
  ``assert candidate(1, 2) == 3``, the function has to return that.
- ``description`` (or ``text``, or ``prompt`` where that is no part of the source): English that says the same as the
  source; without it, the docstring up to its first example, which would show answers.
- ``problem``: a problem statement that identifies the program; without it, the description.
- ``task_id``: kept in `Program.made_by`.

Rows become programs by `pbb.programs.own`, under the same conditions: one plain function, no imports, no helpers.
Programs keep the functions' names (a second ``add`` is ``add_2``), which may give away what they do: use
`Program.renamed` where that matters.

No row ends an import, whatever is in it: it becomes a program or a `BadRow`. One row is read and run at a time, and
what is kept is bounded, so that memory does not grow with the file.
"""

from __future__ import annotations

import ast
import gzip
import itertools
import json
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from pbb.programs.own import Draft, finishing, prepare
from pbb.programs.own_source import OwnProgramError
from pbb.programs.program import Program, normalised
from pbb.programs.tracing_worker import shown

MAX_ROW = 1_000_000  # bytes of a line
MAX_ROWS = 20_000
MAX_CODE = 100_000  # characters of a row's source or tests, before the one function is taken out
MAX_KEPT = 50_000_000  # characters of all programs, as JSON
MAX_REASON = 500
MAX_TOLD = 50  # lines that the summary names


class BadRow(NamedTuple):
    """A line (from 1) that gave no program, and why."""

    line: int
    reason: str


class _Call(NamedTuple):
    """A call that a test makes: its arguments, and what it has to return, nothing where the test does not say."""

    arguments: tuple[Any, ...]
    expected: tuple[Any, ...]


def read_functions(path: str | Path) -> tuple[list[Program], list[BadRow]]:
    """Return the programs of the JSONL file `path` (``.gz`` too), and the rows that gave none; prints a summary line.

    Raises:
        OSError: the file cannot be read.
    """
    path = Path(path)
    programs: list[Program] = []
    bad: list[BadRow] = []
    names: set[str] = set()
    seen: dict[str, int] = {}
    left = MAX_KEPT
    with finishing() as finished:
        for line, text in _rows(path):
            try:
                draft, calls = _draft(text, f"{path.name}:{line}", names)
                names.add(draft.source.name)
                program = finished(draft)
                if isinstance(program, OwnProgramError):
                    raise program
                _check_expected(program, calls)
                earlier = seen.setdefault(normalised(program.source), line)
                if earlier != line:
                    raise ValueError(f"program {program.name!r} is that of line {earlier} again")
                left -= len(program.to_json())
                if left < 0:
                    raise ValueError(f"the programs before it fill {MAX_KEPT} characters; valid: a file of fewer")
                programs.append(program)
            except ValueError as error:
                reason = str(error)
                bad.append(BadRow(line, reason if len(reason) <= MAX_REASON else f"{reason[:MAX_REASON]}…"))
            except (RecursionError, MemoryError):
                bad.append(BadRow(line, "it is nested too deeply to be read"))
    told = f"; left out: line {', '.join(str(row.line) for row in bad[:MAX_TOLD])}" if bad else ""
    more = f" and {len(bad) - MAX_TOLD} more" if len(bad) > MAX_TOLD else ""
    print(f"{path.name}: {len(programs)} of {len(programs) + len(bad)} functions imported{told}{more}")
    return programs, bad


def _rows(path: Path) -> Iterator[tuple[int, bytes | ValueError]]:
    """Yield the lines that are not empty, each with its number, or with what is wrong with it."""
    rows = 0
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
        for line in itertools.count(1):
            try:
                text = part = file.readline(MAX_ROW + 1)
                while len(part) > MAX_ROW:
                    part = file.readline(MAX_ROW + 1)
            except (OSError, EOFError, zlib.error) as error:
                yield line, ValueError(f"the file cannot be read from here on: {error}")
                return
            if not text:
                return
            rows += bool(text.strip())
            if rows > MAX_ROWS:
                yield line, ValueError(f"there are more than {MAX_ROWS} rows; valid: a file of fewer")
                return
            if text.strip():
                long = ValueError(f"it is longer than {MAX_ROW} bytes")
                yield line, long if len(text) > MAX_ROW else text


def _draft(text: bytes | ValueError, origin: str, taken: set[str]) -> tuple[Draft, list[_Call]]:
    """Return a row's draft, and the calls of its tests; raises ValueError saying what is wrong with the row."""
    if isinstance(text, ValueError):
        raise text
    try:
        row = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"no JSON: {error}") from None
    if not isinstance(row, dict):
        raise ValueError(f"a JSON object is needed, not {type(row).__name__}")
    source, entry = _function(_source(row), _text(row, "entry_point"))
    names = itertools.chain([entry], (f"{entry}_{number}" for number in itertools.count(2)))
    name = next(name for name in names if name not in taken)
    calls = [] if "inputs" in row else _calls(row, entry)
    once = {repr(call.arguments): call.arguments for call in calls}
    inputs = _inputs(row["inputs"]) if "inputs" in row else list(once.values())
    told = _text(row, "description", "text", *([] if "canonical_solution" in row else ["prompt"]))
    problem = "\n".join(map(str.rstrip, _text(row, "problem").expandtabs(4).splitlines()))
    made_by = {"from": origin} | ({"task_id": _identifier(row["task_id"])} if "task_id" in row else {})
    draft = prepare(source, inputs, told, name, problem=problem, made_by=made_by)
    return replace(draft, problem=draft.problem or draft.description), calls


def _identifier(value: object) -> int | str:
    if (isinstance(value, str) and value.isprintable() and len(value) <= 100) or isinstance(value, int):
        return value
    raise ValueError(f"task_id={value!r:.100} is not valid; valid: a number, or a text of at most 100 letters")


def _text(row: dict[str, Any], *fields: str) -> str:
    """Return the first of `fields` that the row has, or an empty text."""
    field = next((field for field in fields if row.get(field) is not None), None)
    if field is None:
        return ""
    if not isinstance(row[field], str):
        raise ValueError(f"{field}={row[field]!r:.100} is not valid; valid: a text")
    return row[field]


def _source(row: dict[str, Any]) -> str:
    text = _text(row, "source", "code")
    if not text and row.get("canonical_solution") is not None:
        text = _text(row, "prompt") + _text(row, "canonical_solution")
    if len(text) > MAX_CODE:
        raise ValueError(f"the source has {len(text)} characters; valid: at most {MAX_CODE}")
    if not text:
        raise ValueError("there is no source; valid: 'source', 'code', or 'prompt' and 'canonical_solution'")
    return text


def _function(source: str, name: str) -> tuple[str, str]:
    """Return the function `name` of `source` alone (the only one if `name` is empty), and its name."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError) as error:
        raise ValueError(f"the source is not Python: {error}") from None
    functions = [node for node in tree.body if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]
    chosen = [node for node in functions if node.name == name] if name else functions
    if len(chosen) != 1:
        names = ", ".join(node.name for node in functions) or "none"
        raise ValueError(f"entry_point={name!r} is not valid; valid: the one function meant, of {names}")
    return ast.unparse(chosen[0]), chosen[0].name


def _inputs(inputs: Any) -> list[tuple[Any, ...]]:
    if not isinstance(inputs, list) or not all(isinstance(arguments, list) for arguments in inputs):
        raise ValueError(f"inputs={inputs!r:.100} is not valid; valid: a list of argument lists, [[1, 2], [3, 4]]")
    return [tuple(arguments) for arguments in inputs]


def _calls(row: dict[str, Any], name: str) -> list[_Call]:
    tests = row.get("test_list", row.get("test"))
    tests = [tests] if isinstance(tests, str) else tests
    if not isinstance(tests, list) or not all(isinstance(test, str) for test in tests):
        raise ValueError("there are no inputs; valid: 'inputs', a list of argument lists, or 'test', a text")
    length = sum(map(len, tests))
    if length > MAX_CODE:
        raise ValueError(f"there are {length} characters of tests; valid: at most {MAX_CODE}")
    try:
        nodes = [node for test in tests for node in ast.walk(ast.parse(test))]
    except (SyntaxError, ValueError) as error:
        raise ValueError(f"the test is not Python: {error}") from None
    expected = {
        id(node.test.left): _literals([node.test.comparators[0]])
        for node in nodes
        if isinstance(node, ast.Assert)
        and isinstance(node.test, ast.Compare)
        and len(node.test.ops) == 1
        and isinstance(node.test.ops[0], ast.Eq)
    }
    calls = []
    for node in nodes:
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("candidate", name):
            arguments = _literals(node.args)
            if arguments and not node.keywords:  # else it is made by the test as it runs
                calls.append(_Call(arguments, expected.get(id(node), ())))
    if not calls:
        raise ValueError(f"the test calls neither candidate(...) nor {name}(...) with literals")
    return calls


def _literals(nodes: list[ast.expr]) -> tuple[Any, ...]:
    """Return the values of literals; nothing where one is no literal."""
    try:
        return tuple(map(ast.literal_eval, nodes))
    except (ValueError, TypeError, SyntaxError):
        return ()


def _check_expected(program: Program, calls: list[_Call]) -> None:
    """Raise ValueError if `program` returns on an input what its row's test does not."""
    outputs = dict(zip(program.inputs, program.executions, strict=True))
    for call in calls:
        text = ", ".join(map(shown, call.arguments))
        if call.expected and (ast.literal_eval(outputs[text].output),) != call.expected:
            raise ValueError(
                f"program {program.name!r} returns {outputs[text].output} on input ({text}); "
                f"its test says {call.expected[0]!r}"
            )
