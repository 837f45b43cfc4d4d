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
"""

from __future__ import annotations

import ast
import gzip
import itertools
import json
from pathlib import Path
from typing import Any, NamedTuple

from pbb.programs.own import Draft, finish, prepare
from pbb.programs.own_source import OwnProgramError
from pbb.programs.program import Program, normalised
from pbb.programs.tracing_worker import shown


class BadRow(NamedTuple):
    """A line (from 1) that gave no program, and why."""

    line: int
    reason: str


class _Call(NamedTuple):
    """A call that a test makes: its arguments, and what it has to return (None: the test does not say)."""

    arguments: tuple[Any, ...]
    expected: ast.expr | None


def read_functions(path: str | Path) -> tuple[list[Program], list[BadRow]]:
    """Return the programs of the JSONL file `path` (``.gz`` too), and the rows that gave none; prints a summary line.

    Raises:
        OSError: the file cannot be read.
    """
    path = Path(path)
    lines = (gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()).split(b"\n")
    drafts: dict[int, tuple[Draft, list[_Call]]] = {}
    bad: list[BadRow] = []
    for line, text in enumerate(lines, 1):
        if text.strip():
            try:
                drafts[line] = _draft(text, f"{path.name}:{line}", {draft.source.name for draft, _ in drafts.values()})
            except ValueError as error:
                bad.append(BadRow(line, str(error)))
    programs: list[Program] = []
    seen: dict[str, int] = {}
    made = finish([draft for draft, _ in drafts.values()])
    for (line, (_, calls)), program in zip(drafts.items(), made, strict=True):
        reason = str(program) if isinstance(program, OwnProgramError) else _contradiction(program, calls)
        if isinstance(program, Program) and not reason:
            earlier = seen.setdefault(normalised(program.source), line)
            reason = "" if earlier == line else f"program {program.name!r} is that of line {earlier} again"
            programs += [] if reason else [program]
        if reason:
            bad.append(BadRow(line, reason))
    bad.sort()
    skipped = f"; left out: line {', '.join(str(row.line) for row in bad)}" if bad else ""
    print(f"{path.name}: {len(programs)} of {len(programs) + len(bad)} functions imported{skipped}")
    return programs, bad


def _draft(text: bytes, origin: str, taught: set[str]) -> tuple[Draft, list[_Call]]:
    """Return a row's draft, and the calls of its tests; raises ValueError saying what is wrong with the row."""
    try:
        row = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"no JSON: {error}") from None
    if not isinstance(row, dict):
        raise ValueError(f"a JSON object is needed, not {type(row).__name__}")
    source, entry = _function(_source(row), _text(row, "entry_point"))
    names = itertools.chain([entry], (f"{entry}_{number}" for number in itertools.count(2)))
    name = next(name for name in names if name not in taught)
    calls = [] if "inputs" in row else _calls(row, entry)
    once = {repr(call.arguments): call.arguments for call in calls}
    inputs = _inputs(row["inputs"]) if "inputs" in row else list(once.values())
    made_by = {"from": origin} | ({"task_id": row["task_id"]} if "task_id" in row else {})
    told = _text(row, "description", "text", *([] if "canonical_solution" in row else ["prompt"]))
    draft = prepare(source, inputs, told, name, taught, made_by=made_by)
    problem = _text(row, "problem") or draft.description
    return Draft(draft.source, draft.inputs, draft.description, problem, draft.made_by), calls


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
    if not text:
        raise ValueError("there is no source; valid: 'source', 'code', or 'prompt' and 'canonical_solution'")
    return text


def _function(source: str, name: str) -> tuple[str, str]:
    """Return the function `name` of `source` alone (the only one if `name` is empty), and its name."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
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
    try:
        nodes = [node for test in tests for node in ast.walk(ast.parse(test))]
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ValueError(f"the test is not Python: {error}") from None
    expected = {
        id(node.test.left): node.test.comparators[0]
        for node in nodes
        if isinstance(node, ast.Assert)
        and isinstance(node.test, ast.Compare)
        and len(node.test.ops) == 1
        and isinstance(node.test.ops[0], ast.Eq)
    }
    calls = []
    for node in nodes:
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("candidate", name):
            try:
                arguments = tuple(ast.literal_eval(argument) for argument in node.args)
            except (ValueError, TypeError):  # made by the test as it runs
                continue
            if not node.keywords:
                calls.append(_Call(arguments, expected.get(id(node))))
    if not calls:
        raise ValueError(f"the test calls neither candidate(...) nor {name}(...) with literals")
    return calls


def _contradiction(program: Program, calls: list[_Call]) -> str:
    """Say on which input `program` returns what its row's test does not; empty if it always does."""
    outputs = dict(zip(program.inputs, program.executions, strict=True))
    for call in calls:
        try:
            expected = ast.literal_eval(call.expected) if call.expected else None
        except (ValueError, TypeError):
            continue
        text = ", ".join(map(shown, call.arguments))
        if call.expected and ast.literal_eval(outputs[text].output) != expected:
            return (
                f"program {program.name!r} returns {outputs[text].output} on input ({text}); its test says {expected!r}"
            )
    return ""
