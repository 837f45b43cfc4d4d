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
_WAIT = 10.0  # seconds by the clock for a foreign program, and as many again for each of processor time
_TOGETHER = 100  # trusted programs that are sent at once
_LATE = "the whole call had no time left for it (max_seconds)"
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


class Worker:
    """The process that runs programs: started when it is first asked, and again after it has ended.

    Args:
        hash_seed: what the order of a set of texts depends on; fixed, so that equal programs run equally.
        trusted: whether all programs are the package's own; they share the process.
    """

    def __init__(self, hash_seed: int = 0, trusted: bool = False) -> None:
        self._seed, self._trusted = hash_seed, trusted
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def run(
        self,
        jobs: Sequence[Job],
        *,
        trace: bool = True,
        max_steps: int = 500,
        program_seconds: float = 5.0,
        until: float = math.inf,
    ) -> list[list[Execution | ExecutionError]]:
        """Run programs; arguments and results as of `execute_many`, `until` on the clock `time.monotonic`.

        Raises:
            WorkerError: the process did not start; or it ended while it ran a trusted program.
        """
        limits = {"trace": trace, "steps": max_steps, "seconds": program_seconds, "trusted": self._trusted}
        everything: list[list[Execution | ExecutionError]] = []
        while len(everything) < len(jobs):
            batch = jobs[len(everything) :][: _TOGETHER if self._trusted else 1]
            clock = math.inf if self._trusted else time.monotonic() + _WAIT + _WAIT * program_seconds
            if time.monotonic() >= until:
                everything.append(_failed(batch[0], _LATE))
                continue
            if self._process is None:
                self._start()
            asked = [{"name": n, "source": s, "inputs": list(i)} | limits for n, s, i in batch]
            answers, late = self._exchange(f"{json.dumps(asked)}\n".encode(), len(batch), min(until, clock))
            everything += [_results(job, answer, program_seconds) for job, answer in zip(batch, answers, strict=False)]
            if len(answers) < len(batch):
                everything.append(
                    self._ended(batch[len(answers)], late, _LATE if until <= clock else "", program_seconds)
                )
        return everything

    def _ended(self, job: Job, late: bool, why: str, seconds: float) -> list[Execution | ExecutionError]:
        """Return the errors of the program during which the process ended, or was `late`."""
        code, errors = self._end(wait=0.0 if late else 1.0)
        if late:
            return _failed(job, why or "it used more time than it has by the clock")
        ending = _ending(code, errors, seconds)
        if self._trusted and code != -signal.SIGPROF:
            raise WorkerError(
                f"the process that runs programs ended while it ran {job[0]!r}: {ending}; that is no fault of the "
                "program: the machine may be short of memory, or a limit (ulimit) was reached"
            )
        return _failed(job, ending)

    def _start(self) -> None:
        # Isolated as by -I, which would ignore the hash seed too.
        command = [sys.executable, "-P", "-s", "-S", str(_WORKER), str(_MEMORY_BYTES)]
        environment = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
        environment["PYTHONHASHSEED"] = str(self._seed)
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(
            command, bufsize=0, stdin=pipe, stdout=pipe, stderr=pipe, env=environment, cwd="/", start_new_session=True
        )
        if not self._exchange(b"", 1, time.monotonic() + _START_SECONDS)[0]:
            raise WorkerError(f"the process that runs programs did not start: {_ending(*self._end(wait=1.0))}")

    def _exchange(self, asked: bytes, count: int, until: float) -> tuple[list[bytes], bool]:
        """Write `asked`; return the `count` lines that come back, fewer where the process ends or is late (True)."""
        assert self._process
        assert self._process.stdin
        assert self._process.stdout
        most = math.inf if self._trusted else MAX_ANSWER + 100
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

    def _end(self, wait: float = 0.0) -> tuple[int, bytes]:
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
    max_steps: int = 500,
    program_seconds: float = 5.0,
    max_seconds: float = 600.0,
    hash_seed: int = 0,
    trusted: bool = False,
) -> list[list[Execution | ExecutionError]]:
    """Run each (name, source, inputs) of `jobs`.

    Args:
        jobs: programs; an input is the argument list as Python writes it, such as ``"4"`` or ``"4, 'ab'"``.
        trace: whether traces are written (outputs alone are about four times faster).
        max_steps: executed lines for each input.
        program_seconds: processor time for each program, all its inputs together.
        max_seconds: time for the whole call.
        hash_seed: what the order of a set of texts depends on; fixed, so that equal programs run equally.
        trusted: whether these are the package's own programs, which may share a process.

    Returns:
        For each job, one `Execution` or `ExecutionError` an input, in order. Errors are returned, not raised, so
        that one bad input or program does not hide the others.

    Raises:
        WorkerError: the process that runs programs did not start, or ended while it ran a trusted one.
    """
    limits: dict[str, Any] = {"trace": trace, "max_steps": max_steps, "program_seconds": program_seconds}
    until = time.monotonic() + max_seconds
    with Worker(hash_seed, trusted) as worker:
        return worker.run(jobs, until=until, **limits)


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


def _failed(job: Job, cause: str) -> list[Execution | ExecutionError]:
    return _read(job, [_Failure(cause)] * len(job[2]))


def _results(job: Job, answer: bytes, seconds: float) -> list[Execution | ExecutionError]:
    """Read a worker's answer, which a hostile program may have written."""
    status, _, results = answer.partition(b" ")
    if code := int(status):
        return _failed(job, _ending(code, b"", seconds))
    try:
        read = _ANSWER.validate_json(results, strict=True)
    except ValueError:
        read = []
    return (
        _read(job, read) if len(read) == len(job[2]) else _failed(job, "its process gave no answer of the right form")
    )


def _read(job: Job, results: list[Execution | _Failure]) -> list[Execution | ExecutionError]:
    name, _, inputs = job
    return [
        result
        if isinstance(result, Execution)
        else ExecutionError(f"program {name!r} on input ({text}): {_shown(result.error)}", _shown(result.error))
        for text, result in zip(inputs, results, strict=True)
    ]


def _shown(reason: str) -> str:
    """An error as a program worded it, short and with nothing in it that a terminal would obey."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in reason[:MAX_REASON])


def _ending(code: int, errors: bytes = b"", seconds: float = 0.0) -> str:
    """Say how a process ended, from its exit status (negative: a signal) and what it wrote of errors."""
    if code in (-signal.SIGPROF, -signal.SIGXCPU):
        return f"it used more than {seconds} s of processor time"
    if code >= 0:
        last = errors.decode(errors="replace").splitlines()[-1:]
        return f"its process died with exit status {code}" + "".join(f" ({line})" for line in last)
    name = {each.value: each.name for each in signal.Signals}.get(-code, f"signal {-code}")
    return f"its process was ended by {name}" + ", from outside or for want of memory" * (name == "SIGKILL")
