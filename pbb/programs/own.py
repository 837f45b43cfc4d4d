"""Readers' own functions as programs: checked, run in child processes, and explained where they cannot be taught."""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

from pbb.programs.execution import MAX_STEPS, Execution, ExecutionError, execute_many
from pbb.programs.own_source import (
    MAX_SOURCE,
    OwnProgramError,
    OwnSource,
    check_source,
    says_none,
    source_text,
    unprintable,
)
from pbb.programs.program import Program, statements_of
from pbb.programs.tracing_worker import shown

DEFAULT_VALUES = range(10)  # of each argument, where no inputs are given
MAX_INPUTS = 1000
MAX_TEXT = 200  # characters of an input or an output: longer ones are no single answer
PROGRAM_SECONDS = 2.0  # processor time of all inputs of a program
HASH_SEEDS = (0, 1, 2, 3)  # the order of a set depends on it
_ADDRESS = re.compile(r" at 0x[0-9a-f]+>")
_LITERALS = "numbers, texts, True, False, None, and lists, tuples, dicts and sets of these"


def prepare(
    fn_or_source: object,
    inputs: Sequence[Any] | None = None,
    description: str = "",
    name: str | None = None,
    taught: Iterable[Program | str] = (),
) -> Program:
    """Return a program, checked but not run yet; arguments and errors as of `Program.from_function`."""
    names = [taught] if isinstance(taught, str) else taught
    source = check_source(
        source_text(fn_or_source), name, frozenset(p if isinstance(p, str) else p.name for p in names)
    )
    if not isinstance(description, str):
        raise OwnProgramError(source.name, f"has description={description!r}", "a text")
    description = " ".join(description.split()) or source.docstring
    if not description:
        raise OwnProgramError(source.name, "has no description", "description='...', or a docstring")
    if description.endswith(":"):
        wrong = f"has a description that breaks off, as where examples begin: '...{description[-60:]}'"
        raise OwnProgramError(source.name, wrong, "description='...', to its end and without examples")
    if (length := len(description)) > MAX_SOURCE:
        raise OwnProgramError(source.name, f"has a description of {length} characters", f"at most {MAX_SOURCE}")
    if letter := unprintable(description):
        raise OwnProgramError(source.name, f"has {letter} in its description", "letters that can be shown")
    return Program(
        name=source.name,
        source=source.text,
        description=description,
        inputs=_input_texts(source, inputs),
        executions=(),
        domain="own",
        statements=statements_of(source.text),
        made_by={"by": "from_function"},
    )


def finish(programs: Sequence[Program]) -> list[Program | OwnProgramError]:
    """Run what `prepare` gave, and return for each its program or what is wrong with it.

    Raises:
        WorkerError: the process that runs programs did not start.
    """
    made: list[Program | OwnProgramError] = list(programs)
    for seed in HASH_SEEDS:
        order = -1 if seed % 2 else 1  # every other time from the last input to the first
        left = [(place, p) for place, p in enumerate(made) if isinstance(p, Program)]
        jobs = [(p.name, p.source, p.inputs[::order]) for _, p in left]
        ran = execute_many(jobs, program_seconds=PROGRAM_SECONDS, hash_seed=seed)
        for (place, p), results in zip(left, ran, strict=True):
            try:
                first = p.executions or tuple(map(partial(_checked, p), p.inputs, results))
                for text, one, other in zip(p.inputs, first, results[::order], strict=True):
                    _compare(p.name, text, one, other)
                made[place] = replace(p, executions=first)
            except OwnProgramError as error:
                made[place] = error
    return made


# --- inputs ----------------------------------------------------------------------------------------------------------


_UNREADABLE = (ValueError, SyntaxError, TypeError, MemoryError, RecursionError)


def _representable(text: str) -> bool:
    """Whether `text` is a literal that Python writes as it reads it."""
    with suppress(*_UNREADABLE):
        return shown(ast.literal_eval(text)) == text
    return False


def _arguments(name: str, given: Any) -> list[str]:
    """The arguments that `given` stands for, each as Python writes it."""
    values = given if isinstance(given, tuple) else (given,)
    if isinstance(given, str):
        values = ()
        with suppress(*_UNREADABLE):
            values = ast.literal_eval(f"[{given}]")
        if not isinstance(values, list):
            valid = "arguments as Python writes them, such as \"4\" or \"'ab', 3\"; a single text as ('ab',)"
            raise OwnProgramError(name, f"cannot read the input {given[:MAX_TEXT]!r}", valid)
    texts = []
    for value in values:
        try:
            text = shown(value)
        except Exception:
            text = ""  # no literal either
        if not _representable(text):
            kind = type(value).__name__
            raise OwnProgramError(name, f"has an input of type {kind}, which cannot be written down", _LITERALS)
        texts.append(text)
    return texts


def _input_texts(source: OwnSource, inputs: Sequence[Any] | None) -> tuple[str, ...]:
    name, arguments, most = source.name, ", ".join(source.parameters), len(source.parameters)
    if inputs is None:
        if source.least > 2:
            wrong = f"takes {source.least} arguments ({arguments}) and has no inputs"
            raise OwnProgramError(name, wrong, "inputs=[...]")
        inputs = list(itertools.product(DEFAULT_VALUES, repeat=min(most, 2)))
    if not isinstance(inputs, (list, tuple, range)):
        valid = "a list, such as [0, 1, 2] or [(1, 2), (3, 4)]"
        raise OwnProgramError(name, f"has inputs of type {type(inputs).__name__}", valid)
    if not 0 < len(inputs) <= MAX_INPUTS:
        raise OwnProgramError(name, f"has {len(inputs)} inputs", f"1 to {MAX_INPUTS}")
    texts: dict[str, None] = {}
    for given in inputs:
        parts = _arguments(name, given)
        text, count = ", ".join(parts), len(parts)
        if not source.least <= count <= most:
            few = "few" if count < source.least else "many"
            valid = f"{source.least} to {most}" if source.least < most else f"{most} ({arguments})"
            raise OwnProgramError(name, f"gets too {few} arguments, {count}, by the input ({text})", valid)
        if len(text) > MAX_TEXT:
            raise OwnProgramError(name, f"has an input of {len(text)} characters", f"at most {MAX_TEXT}")
        if text in texts:
            raise OwnProgramError(name, f"has the input ({text}) twice", "each input once")
        texts[text] = None
    return tuple(texts)


# --- what running shows ----------------------------------------------------------------------------------------------


def _checked(program: Program, text: str, result: Execution | ExecutionError) -> Execution:
    """Return the execution on input `text` if it is an answer that can be taught; raises OwnProgramError otherwise."""
    name, on = program.name, f"on input ({text})"
    if isinstance(result, ExecutionError):
        raise _explained(name, on, result.cause)
    output, end = result.output, result.trace[-1] if result.trace else ""
    if len(output) > MAX_TEXT:
        wrong = f"has an output of {len(output)} characters {on}, which is too long"
        raise OwnProgramError(name, wrong, f"at most {MAX_TEXT}")
    if output == "None" and not says_none(program.source):
        raise OwnProgramError(name, f"returns nothing {on}", "end every way through it in return <value>")
    if not _representable(output):
        raise OwnProgramError(name, f"returns {output} {on}, a type that is not representable", _LITERALS)
    said = end.removeprefix("return ").rsplit(" = ", 1)[-1]
    if not end.startswith("return ") or said != output or _IN_WORDS in end:
        wrong = f"ends {on} with the step {end[:MAX_TEXT]!r}, which does not give its output"
        raise OwnProgramError(name, wrong, f"return <value> as the last step, and no ' = ' or {_IN_WORDS!r} in texts")
    for line in result.trace:
        step = f"has the step {line[:MAX_TEXT]!r} {on}"
        if not line.isprintable():
            raise OwnProgramError(name, step, "a line a step")
        if _ADDRESS.search(line):
            valid = f"{_LITERALS}; list(zip(a, b)) in place of zip(a, b)"
            raise OwnProgramError(name, f"{step}, whose type is not representable", valid)
    return result


_IN_WORDS = "the result is "  # with which an answer in words ends
_ENDS = f"at most {MAX_STEPS} executed lines an input, and {PROGRAM_SECONDS:g} s for all inputs"
# What `pbb.programs.execution` says of a program, what that means {on} an input, and what would be valid.
_CAUSES = (
    ("StepLimit|RecursionError", "does not end {on}: {cause}", _ENDS),
    (".*(processor time|by the clock)", "does not end on one of its inputs: {cause}", _ENDS),
    ("its process", "could not be run to its end: {cause}", "to try again, or one that leaves its process alone"),
    (
        "OverflowError: (the output or its trace|all its traces)|.*for integer string conversion",
        "has an output that is too long {on}: {cause}",
        f"at most {MAX_TEXT}",
    ),
    ("MemoryError", "needs too much memory {on}", "smaller values"),
    (".*which no trace can show$", "has a type that is not representable {on}: {cause}", _LITERALS),
    ("", "raises an error {on}: {cause}", "leave the input out, or return something for it"),
)


def _explained(name: str, on: str, cause: str) -> OwnProgramError:
    wrong, valid = next((wrong, valid) for pattern, wrong, valid in _CAUSES if re.match(pattern, cause))
    return OwnProgramError(name, wrong.format(on=on, cause=cause), valid)


def _compare(name: str, text: str, one: Execution, other: Execution | ExecutionError) -> None:
    """Raise OwnProgramError if two runs on input `text` gave two results."""
    if one == other:
        return
    line, other_line = one.output, getattr(other, "output", str(other))
    if isinstance(other, Execution) and line == other_line:
        pairs = itertools.zip_longest(one.trace, other.trace, fillvalue="no step")
        line, other_line = next(pair for pair in pairs if pair[0] != pair[1])
    wrong = f"is not deterministic: on input ({text}) two runs gave {line} and {other_line}"
    raise OwnProgramError(name, wrong, "no state between calls, and sorted(...) where the order of a set matters")
