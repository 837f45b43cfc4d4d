"""Programs run in a child process: each way to misbehave is a clear error, never a hang, and spoils no other."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import pbb
from pbb.programs import Execution, ExecutionError, execute_many, execution
from pbb.programs.execution import WorkerError

GOOD = ("Good", "def Good(x):\n    x = x + 1\n    return x * 2", ["3"])
GOOD_RESULT = [Execution("8", ("x = x + 1 = 3 + 1 = 4", "return x * 2 = 4 * 2 = 8"))]


def run(body: str, *inputs: str, trace: bool = True, **limits: Any) -> list[Execution | ExecutionError]:
    """Run ``def Blorp(x)`` with this body (or this whole source) between two good programs."""
    source = body if "def Blorp" in body else "def Blorp(x):\n    " + body.replace("\n", "\n    ")
    before, results, after = execute_many(
        [GOOD, ("Blorp", source, inputs or ("3",)), GOOD],
        trace=trace,
        **limits,
    )
    if trace:
        assert before == after == GOOD_RESULT
    return results


def error(body: str, *inputs: str, **limits: Any) -> str:
    (result, *_) = run(body, *inputs, **limits)
    assert isinstance(result, ExecutionError), result
    return str(result)


def test_output_and_trace() -> None:
    assert run("y = x % 4\nreturn max(y, 2) * (x - y)", "7", "-3") == [
        Execution(
            "12",
            (
                "y = x % 4 = 7 % 4 = 3",
                "return max(y, 2) * (x - y) = max(3, 2) * (7 - 3) = 3 * (7 - 3) = 3 * 4 = 12",
            ),
        ),
        Execution(
            "-8",
            (
                "y = x % 4 = -3 % 4 = 1",
                "return max(y, 2) * (x - y) = max(1, 2) * (-3 - 1) = 2 * (-3 - 1) = 2 * -4 = -8",
            ),
        ),
    ]
    assert run("return x + 1", trace=False) == [Execution("4", ())]
    (result,) = run("return (x * 3 if x % 2 == 0 else abs(x)) + abs(x - 9)", "-5")  # one branch is never reduced
    assert isinstance(result, Execution)
    assert result.trace[0].split(" = ")[1:] == [
        "(-5 * 3 if -5 % 2 == 0 else abs(-5)) + abs(-5 - 9)",
        "(-5 * 3 if 1 == 0 else abs(-5)) + abs(-5 - 9)",
        *("abs(-5) + abs(-5 - 9)", "5 + abs(-5 - 9)", "5 + 14", "19"),
    ]
    assert result.words == (
        "-5 modulo 2 is 1, 1 equal to 0 is False, the size of -5 is 5, the distance of -5 and 9 is 14, 5 plus 14 is "
        "19, the result is 19",
    )
    (result,) = run("y = x ** 0.5\nreturn 1", "-4")  # a complex number is written as a sum, which is done no further
    assert isinstance(result, Execution)
    assert result.output == "1"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("while True:\n    x = x + 1", "StepLimit: more than 500 lines were executed"),
        ("try:\n    while True:\n        x = x + 1\nexcept:\n    return 5", "StepLimit"),  # which it swallows
        ("raise ValueError('a' * 10**6)", "ValueError: a{200}"),
        ("def Blorp_(x):\n    return x", "NameError: the source defines no function Blorp"),
        ("import os\nreturn 1", "ImportError: __import__ not found"),
        ("return open('/etc/passwd').read()", "NameError: name 'open' is not defined"),
        pytest.param(
            *("return [0] * 10**9", "MemoryError: more memory was asked for than is allowed"),
            marks=pytest.mark.skipif(sys.platform != "linux", reason="this system lets no process limit its memory"),
        ),
        ("return 'a' * 10**7", "OverflowError: the output or its trace is longer than 100000 characters"),
        ("y = 'a' * 90000\nz = y + 'b'\nreturn 1", "OverflowError: the output or its trace is longer"),
        ("return 9 ** 9999", "ValueError: Exceeds the limit .4300 digits."),
        ("return 1 // (x - 3)", "ZeroDivisionError: integer division or modulo by zero"),
        ("return (", "SyntaxError: '.' was never closed"),
        ("def Blorp():\n    return 1", r"TypeError: Blorp\(\) takes 0 positional arguments but 1 was given"),
        ("return " + "(" * 300 + "x" + ")" * 300, "SyntaxError: too many nested parentheses"),
    ],
)
def test_misbehaving_programs_give_clear_errors(body: str, message: str) -> None:
    with pytest.raises(ExecutionError, match=rf"program 'Blorp' on input \(3\): {message}"):
        raise ExecutionError(said := error(body))
    assert len(said) < 400


@pytest.mark.parametrize("text", ["", "3, 4", "open('f')", "x", "3)", "(", "3; 4"])
def test_inputs_have_to_be_one_literal_an_argument(text: str) -> None:
    assert f"input ({text}): " in error("return 1", text)


def test_one_bad_input_spoils_no_other() -> None:
    results = run("return 6 // x", "2", "0", "3")
    assert [getattr(result, "output", None) for result in results] == ["3", None, "2"]
    assert "input (0): ZeroDivisionError" in str(results[1])


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("return sum(range(10**15))", "it used more than 0.3 s of processor time"),
        ("return 9 ** 9 ** 9 ** 9", "it used more than 0.3 s of processor time"),
        # A bare except swallows the step limit once; then nothing counts lines any more.
        ("while True:\n    try:\n        x = x + 1\n    except:\n        x = 0", "it used more than 0.3 s"),
        ("def Blorp(x):\n    return x\n\nwhile True:\n    pass", "it used more than 0.3 s"),
        # Introspection gets round the list of builtins: see tests/test_escapes.py.
        ("return abs.__self__.__import__('os')._exit(3)", "its process died with exit status 3"),
    ],
)
def test_a_program_that_takes_its_process_along_spoils_no_other(body: str, message: str) -> None:
    start = time.monotonic()
    (first, second) = run(body, "3", "4", program_seconds=0.3)
    assert message in str(first)
    assert message in str(second)
    assert time.monotonic() - start < 30


def test_without_a_worker_nothing_is_said_of_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execution, "_WORKER", Path("/nowhere.py"))
    with pytest.raises(WorkerError, match=r"did not start: its process died with exit status 2 \(.*nowhere"):
        execute_many([GOOD])


def test_a_worker_that_dies_under_a_trusted_program_is_told_of() -> None:
    with pytest.raises(WorkerError, match=r"ended while it ran 'Blorp': .* status 3; that is no fault of the program"):
        run("return abs.__self__.__import__('os')._exit(3)", trusted=True)


def test_the_clock_of_the_caller_ends_it_whatever_it_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execution, "_WAIT", 0.05)
    assert "it used more time than it has by the clock" in error("return sum(range(10 ** 15))", trace=False)


@pytest.mark.skipif(sys.platform != "linux", reason="a shell's limits are Linux's here")
@pytest.mark.parametrize("limits", ["-t 300", "-t 300 -n 100 -v 4000000"])
def test_limits_are_lowered_and_never_raised(limits: str) -> None:
    """As for a user who may not raise them: also the superuser goes without that right."""
    code = "from pbb.programs import *; print(len(generate(Arithmetic(), 18, 'limits')))"
    rights = ["setpriv", "--bounding-set", "-sys_resource", "--inh-caps", "-sys_resource"] if os.getuid() == 0 else []
    shell = ["bash", "-c", f'ulimit {limits} && exec "$0" -c "$1"', sys.executable, code]
    done = subprocess.run([*rights, *shell], capture_output=True, text=True, cwd=Path(pbb.__file__).parents[1])
    assert done.stdout == "18\n", done.stderr


def test_variables_that_no_trace_can_show_are_named() -> None:
    body = "numbers = (i for i in range(x))\nreturn sum(numbers)"
    assert "TypeError: variable numbers holds a generator, which no trace can show" in error(body)
    assert run(body, trace=False) == [Execution("3", ())]


def test_the_order_of_a_set_depends_on_the_hash_seed_alone() -> None:
    job = ("Blorp", "def Blorp(x):\n    return list(set(x))", ["'abcdef'"])
    outputs = [execute_many([job], hash_seed=seed)[0][0] for seed in (0, 0, 1)]
    assert outputs[0] == outputs[1] != outputs[2]


TRACES = """
def Blorp(s):
    out = ''
    for c in s:
        out += chr(ord(c) + 1)
    return out
on 'ab'
out = ''
c = 'a'
out = out + chr(ord(c) + 1) = '' + chr(ord('a') + 1) = '' + chr(97 + 1) = '' + chr(98) = '' + 'b' = 'b'
c = 'b'
out = out + chr(ord(c) + 1) = 'b' + chr(ord('b') + 1) = 'b' + chr(98 + 1) = 'b' + chr(99) = 'b' + 'c' = 'bc'
return out = 'bc'

def Snurg(x):
    x = x + 1
    return x * 2
def Blorp(x):
    y = Snurg(x)
    return y - x
on 3
x = x + 1 = 3 + 1 = 4
return x * 2 = 4 * 2 = 8
y = Snurg(x) = Snurg(3) = 8
return y - x = 8 - 3 = 5

def Blorp(x):
    a = [i * 2 for i in range(x)]
    a.append(7)
    return len(a)
on 2
a = [i * 2 for i in range(x)] = [i * 2 for i in range(2)] = [0, 2]
a = [0, 2, 7]
return len(a) = len([0, 2, 7]) = 3

def Blorp(x):
    if x < 2:
        return 1
    return x * Blorp(x - 1)
on 2
if 2 < 2: False
if 1 < 2: True
return 1
return x * Blorp(x - 1) = 2 * Blorp(2 - 1) = 2

def Blorp(x):
    try:
        y = int(x)
    except ValueError:
        y = 5
    return y
on 'a'
y = int(x): ValueError
y = 5
return y = 5

def Blorp(x):
    t = 0
    for i, (a, b) in enumerate(x):
        t += i * a
    return t
on [(3, 4), (5, 6)]
t = 0
i, a, b = 0, 3, 4
t = t + i * a = 0 + 0 * 3 = 0 + 0 = 0
i, a, b = 1, 5, 6
t = t + i * a = 0 + 1 * 5 = 0 + 5 = 5
return t = 5

def Blorp(x):
    s = set(x)
    return [{2: s}, (s,), set(), {9, 'a', -1}]
on 'he'
s = set(x) = set('he') = {'e', 'h'}
return [{2: s}, (s,), set(), {9, 'a', -1}] = [{2: {'e', 'h'}}, ({'e', 'h'},), set(), {9, 'a', -1}] = \
[{2: {'e', 'h'}}, ({'e', 'h'},), set(), {'a', -1, 9}]

def Blorp(x):
    return [a + b for a, b in x]
on [(3, 4)]
return [a + b for a, b in x] = [a + b for a, b in [(3, 4)]] = [7]

def Blorp(x):
    return -x ** 2 + (x == 3)
on 3
return -x ** 2 + (x == 3) = -3 ** 2 + (3 == 3) = -9 + (3 == 3) = -9 + True = -8
"""


@pytest.mark.parametrize("case", TRACES.strip().split("\n\n"), ids=lambda case: case.splitlines()[-1])
def test_traces_of_python_at_large(case: str) -> None:
    """A helper's lines come before what it gives; sets are in order; where a line raises, it gives no value."""
    source, _, rest = case.partition("\non ")
    text, *trace = rest.splitlines()
    ((result,),) = execute_many([("Blorp", source, [text])])
    assert isinstance(result, Execution), result
    assert list(result.trace) == trace
