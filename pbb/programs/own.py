"""Readers' own functions as programs: checked, run in child processes, and explained where they cannot be taught."""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

from pbb.programs.execution import Execution, ExecutionError, Worker
from pbb.programs.own_source import MAX_SOURCE, OwnProgramError, OwnSource, check_source, source_text, unprintable
from pbb.programs.program import Program
from pbb.programs.tracing_worker import shown

DEFAULT_VALUES = range(10)  # of each argument, where no inputs are given
MAX_INPUTS = 1000
MAX_TEXT = 200  # characters of an input or an output: longer ones are no single answer
MAX_STEPS = 500  # executed lines an input
PROGRAM_SECONDS = 2.0  # processor time of all inputs of a program
HASH_SEEDS = (0, 1, 2, 3)  # one process each; the order of a set depends on it
_ADDRESS = re.compile(r" at 0x[0-9a-f]+>")
_LITERALS = "numbers, texts, True, False, None, and lists, tuples, dicts and sets of these"

Result = Execution | ExecutionError


@dataclass(frozen=True)
class Draft:
    """A program whose source and inputs are checked, and that has not run yet."""

    source: OwnSource
    inputs: tuple[str, ...]
    description: str
    problem: str = ""
    made_by: dict[str, Any] = field(default_factory=dict)


def from_function(
    fn_or_source: object,
    inputs: Sequence[Any] | None = None,
    description: str = "",
    name: str | None = None,
    taught: Iterable[Program | str] = (),
) -> Program:
    """Make a program of a function of your own.

    Comments, docstring and type annotations are left out of the source that is taught: they do not run, and they
    may say what the model is to find out by itself.

    What is guarded: the source is read first and runs only if it is one plain function that uses nothing but its
    arguments, their methods and a few builtins. It then runs in child processes, four times, with other hash seeds
    and in another order of inputs; `pbb.programs.execution` says what holds it there. What is **not**: that
    `description` says the same as the source (nobody can check that for any English), that a program that behaved
    equally four times always will, and that the answers are worth asking for (a constant guess may do well).

    Args:
        fn_or_source: a Python function, or source text that defines one.
        inputs: what it is run on: tuples of arguments, single arguments, or argument lists as Python writes them
            (a text is always read as such a list: ``"4"``, ``"'ab', 3"``). Without inputs, each of one or two
            arguments takes the whole numbers from 0 to 9.
        description: English that says the same as the source, step by step. Without it, the docstring up to its
            first example.
        name: the name it is taught by, its own if None.
        taught: programs, or their names, that are taught already.

    Raises:
        OwnProgramError: it cannot be taught; the message says why, and what would be valid.
    """
    (made,) = finish([prepare(fn_or_source, inputs, description, name, taught)])
    if isinstance(made, OwnProgramError):
        raise made
    return made


def prepare(
    fn_or_source: object,
    inputs: Sequence[Any] | None = None,
    description: str = "",
    name: str | None = None,
    taught: Iterable[Program | str] = (),
    problem: str = "",
    made_by: dict[str, Any] | None = None,
) -> Draft:
    """Check all that can be checked without running the program; arguments and errors as `from_function`'s."""
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
    for which, text in (("description", description), ("problem", problem)):
        if len(text) > MAX_SOURCE:
            raise OwnProgramError(source.name, f"has a {which} of {len(text)} characters", f"at most {MAX_SOURCE}")
        if letter := unprintable(text):
            raise OwnProgramError(source.name, f"has {letter} in its {which}", "letters that can be shown")
    return Draft(source, _input_texts(source, inputs), description, problem, made_by or {"by": "from_function"})


def finish(drafts: Iterable[Draft]) -> list[Program | OwnProgramError]:
    """Run `drafts` and return for each its program or what is wrong with it.

    Raises:
        WorkerError: the process that runs programs did not start.
    """
    with finishing() as one:
        return [one(draft) for draft in drafts]


@contextmanager
def finishing() -> Iterator[Callable[[Draft], Program | OwnProgramError]]:
    """Give a function that runs one draft, as `finish` does; its processes end with the block."""
    with ExitStack() as stack:
        workers = [(seed, stack.enter_context(Worker(seed))) for seed in HASH_SEEDS]

        def one(draft: Draft) -> Program | OwnProgramError:
            try:
                (_, first), *others = workers
                executions = _checked(draft, _run(draft, first))
                for seed, worker in others:
                    _compare(draft, executions, _run(draft, worker, backwards=seed % 2 == 1))
            except OwnProgramError as error:
                return error
            return _program(draft, executions)

        yield one


def _program(draft: Draft, executions: tuple[Execution, ...]) -> Program:
    return Program(
        name=draft.source.name,
        source=draft.source.text,
        description=draft.description,
        inputs=draft.inputs,
        executions=executions,
        domain="own",
        statements=draft.source.statements,
        made_by=draft.made_by,
        problem=draft.problem,
    )


def _run(draft: Draft, worker: Worker, backwards: bool = False) -> list[Result]:
    """Run it on all its inputs, from the last if `backwards`; results are in the order of the inputs."""
    order = -1 if backwards else 1
    job = (draft.source.name, draft.source.text, draft.inputs[::order])
    (results,) = worker.run([job], max_steps=MAX_STEPS, program_seconds=PROGRAM_SECONDS)
    return results[::order]


# --- inputs ----------------------------------------------------------------------------------------------------------


def _representable(text: str) -> bool:
    """Whether `text` is a literal that Python writes as it reads it."""
    try:
        return shown(ast.literal_eval(text)) == text
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return False


def _arguments(name: str, given: Any) -> list[str]:
    """The arguments that `given` stands for, each as Python writes it."""
    values = given if isinstance(given, tuple) else (given,)
    if isinstance(given, str):
        try:
            body = ast.parse(f"[{given}]", mode="eval").body
            values = tuple(ast.literal_eval(body))
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            body = None
        if not isinstance(body, ast.List):
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
    name, arguments = source.name, ", ".join(source.parameters)
    if inputs is None:
        if source.least > 2:
            raise OwnProgramError(
                name, f"takes {source.least} arguments ({arguments}) and has no inputs", "inputs=[...]"
            )
        inputs = list(itertools.product(DEFAULT_VALUES, repeat=min(source.most, 2)))
    if not isinstance(inputs, (list, tuple, range)):
        valid = "a list, such as [0, 1, 2] or [(1, 2), (3, 4)]"
        raise OwnProgramError(name, f"has inputs of type {type(inputs).__name__}", valid)
    if not 0 < len(inputs) <= MAX_INPUTS:
        raise OwnProgramError(name, f"has {len(inputs)} inputs", f"1 to {MAX_INPUTS}")
    texts: list[str] = []
    for given in inputs:
        parts = _arguments(name, given)
        text = ", ".join(parts)
        if not source.least <= len(parts) <= source.most:
            few = "few" if len(parts) < source.least else "many"
            valid = (
                f"{source.most} ({arguments})" if source.least == source.most else f"{source.least} to {source.most}"
            )
            raise OwnProgramError(name, f"gets too {few} arguments, {len(parts)}, by the input ({text})", valid)
        if len(text) > MAX_TEXT:
            raise OwnProgramError(name, f"has an input of {len(text)} characters", f"at most {MAX_TEXT}")
        texts.append(text)
    twice = next((text for index, text in enumerate(texts) if text in texts[:index]), None)
    if twice is not None:
        raise OwnProgramError(name, f"has the input ({twice}) twice", "each input once")
    return tuple(texts)


# --- what running shows ----------------------------------------------------------------------------------------------


def _checked(draft: Draft, results: Sequence[Result]) -> tuple[Execution, ...]:
    """Return the executions if each is an answer that can be taught; raises OwnProgramError otherwise."""
    name, executions = draft.source.name, []
    for text, result in zip(draft.inputs, results, strict=True):
        if isinstance(result, ExecutionError):
            raise _explained(name, text, result.cause)
        if len(result.output) > MAX_TEXT:
            wrong = f"has an output of {len(result.output)} characters on input ({text})"
            raise OwnProgramError(name, f"{wrong}, which is too long", f"at most {MAX_TEXT}")
        if result.output == "None" and not draft.source.says_none:
            raise OwnProgramError(
                name, f"returns nothing on input ({text})", "end every way through it in return <value>"
            )
        if not _representable(result.output):
            wrong = f"returns {result.output} on input ({text}), a type that is not representable"
            raise OwnProgramError(name, wrong, _LITERALS)
        end = result.trace[-1] if result.trace else ""
        if not end.startswith("return ") or end.removeprefix("return ").rsplit(" = ", 1)[-1] != result.output:
            wrong = f"ends on input ({text}) with the step {end[:MAX_TEXT]!r}, which does not give its output"
            raise OwnProgramError(name, wrong, "return <value> as the last step, and no ' = ' in texts")
        for line in result.trace:
            if not line.isprintable():
                raise OwnProgramError(name, f"has the step {line[:MAX_TEXT]!r} on input ({text})", "a line a step")
            if _ADDRESS.search(line):
                wrong = f"has the step {line[:MAX_TEXT]!r} on input ({text}), whose type is not representable"
                raise OwnProgramError(name, wrong, f"{_LITERALS}; list(zip(a, b)) in place of zip(a, b)")
        executions.append(result)
    return tuple(executions)


def _explained(name: str, text: str, cause: str) -> OwnProgramError:
    """The error for what `pbb.programs.execution` says about input `text`."""
    ends = f"at most {MAX_STEPS} executed lines an input, and {PROGRAM_SECONDS:g} s for all inputs"
    if cause.startswith(("StepLimit", "RecursionError")):
        return OwnProgramError(name, f"does not end on input ({text}): {cause}", ends)
    if "processor time" in cause or "by the clock" in cause:
        return OwnProgramError(name, f"does not end on one of its inputs: {cause}", ends)
    if cause.startswith("its process"):
        wrong = f"could not be run to its end: {cause}"
        return OwnProgramError(name, wrong, "to try again, or a program that leaves its process alone")
    if (
        cause.startswith(("OverflowError: the output or its trace", "OverflowError: all its traces"))
        or "for integer string conversion" in cause
    ):
        return OwnProgramError(
            name, f"has an output that is too long on input ({text}): {cause}", f"at most {MAX_TEXT}"
        )
    if cause.startswith("MemoryError"):
        return OwnProgramError(name, f"needs too much memory on input ({text})", "smaller values")
    if cause.endswith("which no trace can show"):
        return OwnProgramError(name, f"has a type that is not representable on input ({text}): {cause}", _LITERALS)
    valid = "leave the input out, or return something for it"
    return OwnProgramError(name, f"raises an error on input ({text}): {cause}", valid)


def _compare(draft: Draft, first: Sequence[Execution], again: Sequence[Result]) -> None:
    for text, one, other in zip(draft.inputs, first, again, strict=True):
        if one != other:
            one_line, other_line = one.output, getattr(other, "output", str(other))
            if isinstance(other, Execution) and one_line == other_line:
                pairs = itertools.zip_longest(one.trace, other.trace, fillvalue="no step")
                one_line, other_line = next(pair for pair in pairs if pair[0] != pair[1])
            wrong = f"is not deterministic: on input ({text}) two runs gave {one_line} and {other_line}"
            valid = "no state between calls, and sorted(...) where the order of a set matters"
            raise OwnProgramError(draft.source.name, wrong, valid)
