"""Executes programs in child processes, with limits, and returns outputs and traces.

Programs are the package's own, or foreign: a reader's function, a row of a downloaded file. `pbb.programs.own_source`
reads a foreign one first and lets only plain computation pass: that is the first wall. This is the second, and it
expects a program that came through the first.

**Held.** Each foreign program runs in a process of its own, forked from one that never runs any, so that nothing which
it changes is there when the next one runs. That process has no file, no socket and no environment; it may not grow
past 512 MiB, and the kernel ends it after its processor time. On Linux (x86-64, ARM64) a seccomp filter lets the
kernel refuse every system call but those to compute, to answer and to end. The caller reads its answer with a limit
of bytes and a clock of its own, and checks the form. `confinement` tries this and says what holds here.

**Not held.** A foreign program decides its own answer: one that came through the first wall can make up its outputs
and traces. Without seccomp (macOS, other processors, a kernel without it) such a program can still remove files and
signal processes, as the user that runs it. macOS does not limit memory. A fault in the kernel is not guarded against.
The package's own programs are trusted: they share a process, with limits on memory, time and lines alone.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import platform
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from pbb.programs.tracing_worker import MAX_ANSWER, MAX_REASON

Job = tuple[str, str, Sequence[str]]  # name, source as `ast.unparse` lays it out, inputs

_WORKER = Path(__file__).with_name("tracing_worker.py")
_MEMORY_BYTES = 512 * 2**20
_START_SECONDS = 60.0
_WAIT = 10.0  # seconds by the clock for a program, and as many again for each of processor time
_TOGETHER = 100  # trusted programs that are sent at once
MAX_STEPS = 500  # executed lines an input
_ENVIRONMENT = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")  # some clusters' Python does not start without


class ExecutionError(ValueError):
    """A program could not be run to its end; the message names the program, the input and the `cause`."""

    def __init__(self, message: str, cause: str = "") -> None:
        super().__init__(message)
        self.cause = cause


class WorkerError(RuntimeError):
    """The process that runs programs did not start, or ended, through no fault of a program."""


@dataclass(frozen=True)
class Execution:
    """One call of a program: `output` as Python writes it, and `trace`, one line a step; `words`, the same in words."""

    output: str
    trace: tuple[str, ...]
    words: tuple[str, ...] = field(default=(), compare=False)  # empty where a domain has none of its own


class _Worker:
    """The process that runs programs: started when it is first asked, and again after it has ended."""

    def __init__(self, hash_seed: int) -> None:
        self._seed = hash_seed
        self._process: subprocess.Popen[bytes] | None = None

    def ask(self, asked: object, count: int, until: float, most: float) -> tuple[list[bytes], bool]:
        """Return the `count` lines that answer what is `asked`; fewer where the process ends or is late (True).

        Raises:
            WorkerError: the process did not start.
        """
        if self._process is None:
            # Isolated as by -I, which would ignore the hash seed too.
            command = [sys.executable, "-P", "-s", "-S", str(_WORKER), str(_MEMORY_BYTES)]
            environment = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
            environment["PYTHONHASHSEED"] = str(self._seed)
            pipes: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
            self._process = subprocess.Popen(
                command, bufsize=0, env=environment, cwd="/", start_new_session=True, **pipes
            )
            if not self._exchange(b"", 1, time.monotonic() + _START_SECONDS, most)[0]:
                raise WorkerError(f"the process that runs programs did not start: {_ending(*self.close(wait=1.0))}")
        return self._exchange(f"{json.dumps(asked)}\n".encode(), count, until, most)

    def _exchange(self, asked: bytes, count: int, until: float, most: float) -> tuple[list[bytes], bool]:
        assert self._process
        assert self._process.stdin
        assert self._process.stdout
        answer, lines, late = bytearray(), 0, False
        with selectors.DefaultSelector() as selector, contextlib.suppress(BrokenPipeError):
            selector.register(self._process.stdout, selectors.EVENT_READ)
            self._process.stdin.write(asked)  # it reads all of it before it answers
            while lines < count and len(answer) <= most and not late:
                if selector.select(min(until - time.monotonic(), 3600)):
                    part = os.read(self._process.stdout.fileno(), 2**16)
                    if not part:
                        break
                    answer += part
                    lines += part.count(b"\n")
                late = lines < count and time.monotonic() >= until
        return bytes(answer).split(b"\n")[:-1], late

    def close(self, wait: float = 0.0) -> tuple[int, bytes]:
        """End the process, which has `wait` seconds to do so itself; return its exit status and what it said."""
        process, self._process = self._process, None
        if process is None:
            return 0, b""
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(wait)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        _, errors = process.communicate()
        return process.returncode, errors


def execute_many(
    jobs: Sequence[Job],
    *,
    trace: bool = True,
    program_seconds: float = 5.0,
    hash_seed: int = 0,
    trusted: bool = False,
) -> list[list[Execution | ExecutionError]]:
    """Run each (name, source, inputs) of `jobs`, each input for at most `MAX_STEPS` lines.

    Args:
        jobs: programs; an input is the argument list as Python writes it, such as ``"4"`` or ``"4, 'ab'"``.
        trace: whether traces are written (outputs alone are about four times faster).
        program_seconds: processor time for each program, all its inputs together.
        hash_seed: what the order of a set of texts depends on; fixed, so that equal programs run equally.
        trusted: whether these are the package's own programs, which may share a process.

    Returns:
        For each job, one `Execution` or `ExecutionError` an input, in order. Errors are returned, not raised, so
        that one bad input or program does not hide the others.

    Raises:
        WorkerError: the process that runs programs did not start, or ended while it ran a trusted one.
    """
    limits = {"trace": trace, "steps": MAX_STEPS, "seconds": program_seconds, "trusted": trusted}
    together, most = (_TOGETHER, math.inf) if trusted else (1, MAX_ANSWER + 100)
    everything: list[list[Execution | ExecutionError]] = []
    with contextlib.closing(_Worker(hash_seed)) as worker:
        while len(everything) < len(jobs):
            batch = jobs[len(everything) :][:together]
            asked = [{"name": n, "source": s, "inputs": list(i)} | limits for n, s, i in batch]
            until = time.monotonic() + _WAIT * (1 + program_seconds) * len(batch)
            answers, late = worker.ask(asked, len(batch), until, most)
            everything += [_results(job, answer, program_seconds) for job, answer in zip(batch, answers, strict=False)]
            if len(answers) == len(batch):
                continue
            job, (code, errors) = batch[len(answers)], worker.close(wait=0.0 if late else 1.0)
            ending = "it used more time than it has by the clock" if late else _ending(code, errors, program_seconds)
            if trusted and code != -signal.SIGPROF:
                raise WorkerError(
                    f"the process that runs programs ended while it ran {job[0]!r}: {ending}; that is no fault of the "
                    "program: the machine may be short of memory, or a limit (ulimit) was reached"
                )
            everything.append(_failed(job, ending))
    return everything


def confinement() -> str:
    """Return a sentence that says what holds foreign programs on this machine, after trying it."""
    probe = ("Probe", "def Probe(x):\n    return abs.__self__.__import__('os').getcwd()", ["0"])
    try:
        ((result,),) = execute_many([probe], trace=False)
    except WorkerError as error:
        return f"foreign programs cannot run here: {error}"
    if "PermissionError" in str(result):
        return "foreign programs run under seccomp: each in a process of its own, which can compute, answer and end"
    return (
        f"foreign programs are not sealed off here ({platform.system()} on {platform.machine()}, without seccomp): "
        "run those that you do not trust in a container"
    )


@dataclass(frozen=True)
class _Failure:
    error: str


_ANSWER = TypeAdapter(list[Execution | _Failure])


def _results(job: Job, answer: bytes, seconds: float) -> list[Execution | ExecutionError]:
    """Read a worker's answer, which a hostile program may have written."""
    status, _, written = answer.partition(b" ")
    if code := int(status):
        return _failed(job, _ending(code, b"", seconds))
    results: list[Execution | _Failure] = []
    with contextlib.suppress(ValueError):
        results = _ANSWER.validate_json(written, strict=True)
    if len(results) != len(job[2]):
        return _failed(job, "its process gave no answer of the right form")
    return [
        result if isinstance(result, Execution) else _error(job[0], text, result.error)
        for text, result in zip(job[2], results, strict=True)
    ]


def _failed(job: Job, cause: str) -> list[Execution | ExecutionError]:
    return [_error(job[0], text, cause) for text in job[2]]


def _error(name: str, text: str, cause: str) -> ExecutionError:
    """Return an error as a program worded it, short and with nothing in it that a terminal would obey."""
    cause = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in cause[:MAX_REASON])
    return ExecutionError(f"program {name!r} on input ({text}): {cause}", cause)


def _ending(code: int, errors: bytes = b"", seconds: float = 0.0) -> str:
    """Say how a process ended, from its exit status (negative: a signal) and what it wrote of errors."""
    if code in (-signal.SIGPROF, -signal.SIGXCPU):
        return f"it used more than {seconds} s of processor time"
    if code >= 0:
        last = errors.decode(errors="replace").splitlines()[-1:]
        return f"its process died with exit status {code}" + "".join(f" ({line})" for line in last)
    name = {each.value: each.name for each in signal.Signals}.get(-code, f"signal {-code}")
    return f"its process was ended by {name}" + ", from outside or for want of memory" * (name == "SIGKILL")
