"""Functions from elsewhere: reads a JSONL of functions with test inputs, as common Python benchmarks publish them.

Each line is a JSON object. Its fields, of which others are ignored:

- the source: ``source`` or ``code``, the text of the function; or ``prompt`` and ``canonical_solution``, its head and
  its body. ``entry_point`` says which function is meant where there are several; all else beside it is left out.
- the inputs: ``inputs``, a list of argument lists; or ``test``, a text, or ``test_list``, texts: Python in which the
  function is called, by its name or as ``candidate``. Tests are read and never run: each call whose arguments are
  literals gives an input, and where a test says ``assert candidate(1, 2) == 3``, the function has to return that.
- ``description`` (or ``text``, or ``prompt`` where that is no part of the source); without it, the docstring up to its
  first example. ``problem``: a problem statement; without it, the description. ``task_id``: kept in `Program.made_by`.

Rows become programs by `pbb.programs.own`, under the same conditions, and keep the functions' names (a second ``add``
is ``add_2``), which may give away what they do: use `Program.renamed` where that matters. No row ends an import,
whatever is in it, and what is kept is bounded, so that memory does not grow with the file.
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


Calls = list[tuple[tuple[Any, ...], tuple[Any, ...]]]  # (arguments, what has to come of them: (), or one value)


def read_functions(path: str | Path) -> tuple[list[Program], list[BadRow]]:
    """Return the programs of the JSONL file `path` (``.gz`` too), and the rows that gave none; prints a summary line.

    Raises:
        OSError: the file cannot be read.
    """
    path = Path(path)
    programs, bad, names, left = list[Program](), list[BadRow](), set[str](), MAX_KEPT
    seen: dict[str, int] = {}
    with finishing() as finished:
        for line, text in _rows(path):
            try:
                draft, calls = _draft(text, f"{path.name}:{line}", names)
                names.add(draft.source.name)
                program = finished(draft)
                if isinstance(program, OwnProgramError):
                    raise program
                _check_expected(program, calls)
                if (earlier := seen.setdefault(normalised(program.source), line)) != line:
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
            rows += bool(text.strip())
            if rows > MAX_ROWS:
                yield line, ValueError(f"there are more than {MAX_ROWS} rows; valid: a file of fewer")
            if rows > MAX_ROWS or not text:
                return
            if text.strip():
                yield line, ValueError(f"it is longer than {MAX_ROW} bytes") if len(text) > MAX_ROW else text


def _valid(row: dict[str, Any], name: str, fine: bool, valid: str) -> None:
    if not fine:
        raise ValueError(f"{name}={row.get(name)!r:.100} is not valid; valid: {valid}")


def _text(row: dict[str, Any], *names: str) -> str:
    """Return the first of these fields that the row has, or an empty text."""
    name = next((name for name in names if row.get(name) is not None), "")
    _valid(row, name, not name or isinstance(row[name], str), "a text")
    return row[name] if name else ""


def _parsed(what: str, text: str) -> ast.Module:
    if len(text) > MAX_CODE:
        raise ValueError(f"the {what} has {len(text)} characters; valid: at most {MAX_CODE}")
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError) as error:
        raise ValueError(f"the {what} is not Python: {error}") from None


def _draft(text: bytes | ValueError, origin: str, taken: set[str]) -> tuple[Draft, Calls]:
    """Return a row's draft, and the calls of its tests; raises ValueError saying what is wrong with the row."""
    if isinstance(text, ValueError):
        raise text
    try:
        row = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"no JSON: {error}") from None
    if not isinstance(row, dict):
        raise ValueError(f"a JSON object is needed, not {type(row).__name__}")
    solution = row.get("canonical_solution") is not None
    source = _text(row, "source", "code") or (solution and _text(row, "prompt") + _text(row, "canonical_solution"))
    if not source:
        raise ValueError("there is no source; valid: 'source', 'code', or 'prompt' and 'canonical_solution'")
    body, entry = _parsed("source", source).body, _text(row, "entry_point")
    functions = [node for node in body if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]
    meant = [node for node in functions if entry in ("", node.name)]
    known = ", ".join(node.name for node in functions) or "none"
    _valid({"entry_point": entry}, "entry_point", len(meant) == 1, f"the one function meant, of {known}")
    entry = meant[0].name
    numbered = itertools.chain([entry], (f"{entry}_{number}" for number in itertools.count(2)))
    calls: Calls = []
    if "inputs" in row:
        lists = isinstance(row["inputs"], list) and all(isinstance(each, list) for each in row["inputs"])
        _valid(row, "inputs", lists, "a list of argument lists, [[1, 2], [3, 4]]")
        inputs = list(map(tuple, row["inputs"]))
    else:
        calls = _calls(row, entry)
        inputs = list({repr(arguments): arguments for arguments, _ in calls}.values())
    made_by = {"from": origin}
    if (task := row.get("task_id")) is not None:
        short = isinstance(task, int) or (isinstance(task, str) and task.isprintable() and len(task) <= 100)
        _valid(row, "task_id", short, "a number, or a text of at most 100 letters")
        made_by["task_id"] = task
    told = _text(row, "description", "text", *([] if solution else ["prompt"]))
    problem = "\n".join(map(str.rstrip, _text(row, "problem").expandtabs(4).splitlines()))
    name = next(name for name in numbered if name not in taken)
    draft = prepare(ast.unparse(meant[0]), inputs, told, name, problem=problem, made_by=made_by)
    return replace(draft, problem=draft.problem or draft.description), calls


def _calls(row: dict[str, Any], name: str) -> Calls:
    tests = row.get("test_list", row.get("test"))
    tests = [tests] if isinstance(tests, str) else tests
    if not isinstance(tests, list) or not all(isinstance(test, str) for test in tests):
        raise ValueError("there are no inputs; valid: 'inputs', a list of argument lists, or 'test', a text")
    nodes = list(ast.walk(_parsed("test", "\n".join(tests))))
    expected = {
        id(node.test.left): _literals([node.test.comparators[0]])
        for node in nodes
        if isinstance(node, ast.Assert)
        and isinstance(node.test, ast.Compare)
        and list(map(type, node.test.ops)) == [ast.Eq]
    }
    called = [n for n in nodes if isinstance(n, ast.Call) and isinstance(n.func, ast.Name) and not n.keywords]
    mine = [node for node in called if node.func.id in ("candidate", name)]  # type: ignore[attr-defined]
    # What is no literal is made by the test as it runs.
    calls = [(arguments, expected.get(id(node), ())) for node in mine if (arguments := _literals(node.args))]
    if not calls:
        raise ValueError(f"the test calls neither candidate(...) nor {name}(...) with literals")
    return calls


def _literals(nodes: list[ast.expr]) -> tuple[Any, ...]:
    """Return the values of literals; nothing where one is no literal."""
    try:
        return tuple(map(ast.literal_eval, nodes))
    except (ValueError, TypeError, SyntaxError):
        return ()


def _check_expected(program: Program, calls: Calls) -> None:
    """Raise ValueError if `program` returns on an input what its row's test does not."""
    for arguments, expected in calls:
        text = ", ".join(map(shown, arguments))
        output = program.execution(text).output
        if expected and (ast.literal_eval(output),) != expected:
            raise ValueError(
                f"program {program.name!r} returns {output} on input ({text}); its test says {expected[0]!r}"
            )
