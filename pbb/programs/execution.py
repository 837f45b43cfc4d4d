"""Executes programs in a child process, with limits, and returns outputs and traces.

What is guarded: a program runs in another process, without the project's modules, environment or arguments, with
a limited set of builtins (no import, open, eval or exec), and limits on processor time, memory and executed lines.
That process may open no file and no socket (it has no file descriptor to spare), start no other process, and an
audit hook refuses imports, files and whatever else `os` can do to the machine, such as removing files.

What is **not** guarded: Python's introspection can reach past a limited set of builtins and an audit hook is no
sandbox, so all this stops accidents and careless programs, not a determined attacker. The superuser is not bound by
the limit on processes, macOS knows no limit on memory, and what a program learns of its own process (its
interpreter's modules and version) is not hidden from it. Run sources that you do not trust in a container.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Job = tuple[str, str, Sequence[str]]  # name, source, inputs

_WORKER = Path(__file__).with_name("tracing_worker.py")
_MEMORY_BYTES = 512 * 2**20
_ENVIRONMENT = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")  # some clusters' Python does not start without


class ExecutionError(ValueError):
    """A program could not be run to its end; the message names the program, the input and the `cause`."""

    def __init__(self, message: str, cause: str = "") -> None:
        super().__init__(message)
        self.cause = cause


@dataclass(frozen=True)
class Execution:
    """One call of a program: `output` as Python writes it, and `trace`, one line a step."""

    output: str
    trace: tuple[str, ...]


def execute_many(
    jobs: Sequence[Job],
    *,
    trace: bool = True,
    max_steps: int = 500,
    program_seconds: float = 5.0,
    max_seconds: float = 600.0,
    hash_seed: int = 0,
) -> list[list[Execution | ExecutionError]]:
    """Run each (name, source, inputs) of `jobs` in a child process, and the rest in a new one if a program ends it.

    Args:
        jobs: programs; an input is the argument list as Python writes it, such as ``"4"`` or ``"4, 'ab'"``.
        trace: whether traces are written (outputs alone are about four times faster).
        max_steps: executed lines for each input.
        program_seconds: processor time for each program, all its inputs together.
        max_seconds: time for the whole call.
        hash_seed: what the order of a set of texts depends on; fixed, so that equal programs run equally.

    Returns:
        For each job, one `Execution` or `ExecutionError` an input, in order. Errors are returned, not raised, so
        that one bad input or program does not hide the others.
    """
    deadline = time.monotonic() + max_seconds
    limits = {"trace": trace, "steps": max_steps, "seconds": program_seconds}
    everything: list[list[Execution | ExecutionError]] = []
    while len(everything) < len(jobs):
        rest = jobs[len(everything) :]
        answers, ending = _run_child(rest, limits, deadline - time.monotonic(), hash_seed)
        everything += [_results(job, json.loads(answer)) for job, answer in zip(rest, answers, strict=False)]
        if len(answers) < len(rest):  # the next program never answered
            culprit = rest[len(answers)]
            everything.append(_results(culprit, [{"error": ending} for _ in culprit[2]]))
    return everything


def _run_child(jobs: Sequence[Job], limits: dict[str, Any], seconds: float, hash_seed: int) -> tuple[list[bytes], str]:
    """Return the answers of one child process, one a job, and how it ended if they are too few."""
    too_late = "the whole call had no time left for it (max_seconds)"
    if seconds <= 0:
        return [], too_late
    lines = [json.dumps({"name": name, "source": text, "inputs": list(inputs)} | limits) for name, text, inputs in jobs]
    # Isolated as by -I, which would ignore the hash seed too.
    command = [sys.executable, "-P", "-s", "-S", str(_WORKER), str(_MEMORY_BYTES), str(int(seconds) + 1)]
    environment = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
    environment["PYTHONHASHSEED"] = str(hash_seed)
    try:
        child = subprocess.run(
            command,
            input="\n".join(lines).encode(),
            capture_output=True,
            timeout=seconds,
            env=environment,
            cwd="/",
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        return (error.stdout or b"").split(b"\n")[:-1], too_late
    ending = f"its process died with exit status {child.returncode}"
    if child.returncode == -signal.SIGPROF:
        ending = f"it used more than {limits['seconds']} s of processor time"
    elif child.returncode < 0:
        ending = f"its process was ended by {signal.Signals(-child.returncode).name}"
    elif child.stderr:
        ending += f" ({child.stderr.decode(errors='replace').splitlines()[-1]})"
    return child.stdout.split(b"\n")[:-1], ending  # what follows the last newline is no whole answer


def _results(job: Job, answers: list[dict[str, Any]]) -> list[Execution | ExecutionError]:
    name, _, inputs = job
    return [
        Execution(answer["output"], tuple(answer["trace"]))
        if "output" in answer
        else ExecutionError(f"program {name!r} on input ({text}): {answer['error']}", answer["error"])
        for text, answer in zip(inputs, answers, strict=True)
    ]
