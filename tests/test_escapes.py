"""Ways out of a Python sandbox, from published lists: each is refused by name, and held where it runs unread.

Two walls are tried apart. `READ` are programs that `pbb.programs.own_source` has to refuse by what they use; they are
also run as if it had not. `RUN` are programs of the second wall alone: they reach Python's insides as one does who came
through the first. Whatever a program does, the file beside it stays, and the next program's answer is its own.
"""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from pbb.programs import Execution, ExecutionError, execute_many
from pbb.programs.execution import confinement
from pbb.programs.own import from_function, prepare
from pbb.programs.own_source import METHODS, OwnProgramError

GOOD = ("Good", "def Good(x):\n    return max(x, 2) * 2", ["3"])
GOOD_RESULT = [Execution("6", ())]
SEALED = "seccomp: each" in confinement()
HARM = "f.f_globals['os'].remove({file!r})\nreturn 1"
HOP = f"while 'os' not in f.f_globals:\n    f = f.f_back\n{HARM}"
OS = "__import__('os').remove({file!r})\nreturn 1"

# What it is, the body of def Blorp(x) (or all of it), and how it is refused when it is read.
READ: tuple[tuple[str, str, str], ...] = (
    # frames
    (
        "generator's frame",
        f"g = (g.gi_frame.f_back for _ in [1])\nf = list(g)[0]\n{HOP}",
        "attribute '(gi_frame|f_back|f_globals)'",
    ),
    (
        "frame by walrus",
        f"[f] = (g := (g.gi_frame.f_back for _ in [1]))\n{HOP}",
        "attribute '(gi_frame|f_back|f_globals)'",
    ),
    ("frame's caller", "return str(x.f_back)", "attribute 'f_back'"),
    ("generator's code", "return (y for y in [x]).gi_code.co_consts", "attribute '(gi_code|co_consts)'"),
    ("generator that sends", f"f = yield x\n{HOP}", "is a generator"),
    ("delegated generator", "yield from [x]", "is a generator"),
    ("async generator", "return (y async for y in x).ag_frame", "is not Python|uses what Python calls comprehension"),
    ("coroutine's frame", "async def inner():\n    pass\nreturn inner().cr_frame", "is asynchronous"),
    ("await", "return await x", "is asynchronous|is not Python"),
    (
        "traceback's frame",
        f"try:\n    1 // 0\nexcept ZeroDivisionError as e:\n    f = e.__traceback__.tb_frame\n{HOP}",
        "attribute '(__traceback__|f_globals)'",
    ),
    ("new traceback", "try:\n    1 // 0\nexcept ValueError as e:\n    e.with_traceback(None)\nreturn 1", "'with_trace"),
    ("except*", "try:\n    1 // 0\nexcept* ValueError as e:\n    y = e.exceptions\nreturn 1", "calls TryStar"),
    ("error's object", "try:\n    x.y\nexcept ValueError as e:\n    return e.obj\nreturn 1", "attribute '(obj|y)'"),
    # classes and functions
    ("subclasses", "return ().__class__.__base__.__subclasses__()", "private attribute '__"),
    (
        "subclass by name",
        "for c in ''.__class__.__mro__[1].__subclasses__():\n"
        "    if c.__name__ == '_wrap_close':\n        c.close.__globals__['remove']({file!r})\nreturn 1",
        "private attribute",
    ),
    ("mro", "return str(int.mro()[1])", "attribute 'mro'"),
    ("type's dictionary", "return int.__dict__['real']", "private attribute '__dict__'"),
    ("type()", "return type(x).__mro__", "builtin 'type'"),
    ("class by type()", "return type('A', (), {{'__add__': x}})()", "builtin 'type'"),
    ("class statement", "class A:\n    def __init_subclass__(cls):\n        pass\nreturn 1", "defines a class"),
    ("builtin's module", f"abs.__self__.{OS}", "private attribute '__"),
    ("method's object", "return [].append.__self__", "private attribute '__self__'"),
    ("module's dictionary", "len.__self__.__dict__['__import__']('os').remove({file!r})\nreturn 1", "'__"),
    ("own globals", f"f = Blorp.__globals__['__builtins__']['abs']\nf.__self__.{OS}", "private attribute '__"),
    ("own builtins", f"Blorp.__builtins__['abs'].__self__.{OS}", "private attribute '__"),
    ("lambda's globals", f"(lambda: 0).__globals__['__builtins__']['abs'].__self__.{OS}", "private attribute '__"),
    ("own bytecode", "Blorp.__code__ = Blorp.__code__.replace(co_code=b'd\\x00')\nreturn 1", "uses b'd|private"),
    ("own defaults", "Blorp.__defaults__ = (x,)\nreturn 1", "private attribute '__defaults__'"),
    ("state on itself", "Blorp.items = x\nreturn 1", "attribute 'items'"),
    (
        "pickle's helpers",
        "().__reduce_ex__(2)[0].__globals__['__builtins__']['__import__']('os').remove({file!r})\nreturn 1",
        "private attribute '__",
    ),
    # builtins
    ("__builtins__", f"__builtins__['abs'].__self__.{OS}", "builtin '__builtins__'|name '__builtins__'"),
    ("builtins replaced", "__builtins__['abs'] = __builtins__['max'] = min\nreturn 1", "name '__builtins__'|builtin"),
    ("__import__", OS, "builtin '__import__'"),
    ("import", "import os\nos.remove({file!r})\nreturn 1", "imports a module"),
    ("import from", "from os import remove\nremove({file!r})\nreturn 1", "imports a module"),
    ("getattr, in parts", "return getattr(x, '__cl' + 'ass__')", "builtin 'getattr'"),
    ("setattr", "setattr(Blorp, 'a', x)\nreturn 1", "builtin 'setattr'"),
    ("eval", "return eval('__imp' + 'ort__(\"os\")')", "builtin 'eval'"),
    ("exec", "exec('import os')\nreturn 1", "builtin 'exec'"),
    ("compile", "return compile('1', '', 'eval')", "builtin 'compile'"),
    ("open", "open({file!r}, 'w')\nreturn 1", "builtin 'open'"),
    ("globals", "return globals()['Blorp']", "builtin 'globals'"),
    ("vars", "return vars(x)", "builtin 'vars'"),
    ("breakpoint", "breakpoint()\nreturn 1", "builtin 'breakpoint'"),
    ("help", "help()\nreturn 1", "builtin 'help'"),
    (
        "BaseException",
        "while True:\n    try:\n        x += 1\n    except BaseException:\n        pass\nreturn 1",
        "'BaseEx",
    ),
    ("SystemExit", "raise SystemExit(0)\nreturn 1", "builtin 'SystemExit'"),
    # texts with fields, patterns
    ("format", "return '{{0.__class__}}'.format(x)", "attribute 'format'"),
    ("format_map", "return '{{x.__class__}}'.format_map({{'x': x}})", "attribute 'format_map'"),
    ("format of str", "return str.format('{{0.__globals__}}', Blorp)", "attribute 'format'"),
    ("format by map", "return list(map('{{0.__class__}}'.format, [x]))", "attribute 'format'"),
    ("f-string", "return f'{{x.__class__}}'", "private attribute '__class__'"),
    ("f-string's width", "return f'{{x:{{x.__class__}}}}'", "private attribute '__class__'"),
    ("encode to a codec", "return 'a'.encode('zip')", "attribute 'encode'"),
    ("class pattern", "match x:\n    case int(__class__=c):\n        return c\nreturn 1", "takes objects apart"),
    ("attribute pattern", "match x:\n    case int(real=c):\n        return c\nreturn 1", "takes objects apart"),
    ("value pattern", "match x:\n    case Blorp.__globals__:\n        return 1\nreturn 1", "private attribute"),
    (
        "pattern's rest",
        "match {{}}:\n    case {{**__class__}}:\n        return 1\nreturn 1",
        "private name '__class__'",
    ),
    # names
    ("wide letters", "return x.__ｃlass__", "private attribute '__class__'"),
    (
        "italic letters",
        f"g = (g.𝑔𝑖_frame.f_back for _ in [1])\nf = list(g)[0]\n{HOP}",
        "attribute '(gi_frame|f_back|f_globals)'",
    ),
    ("presentation low line", "return x._︳class_︳", "private attribute '__class__'"),
    ("positional-only hook", "def Blorp(x, _getattr_=1, /):\n    return 1", "private name '_getattr_'"),
    ("keyword", "return dict(__class__=x)", "private name '__class__'"),
    ("walrus", "return (__builtins__ := x)", "private name '__builtins__'"),
    ("error's name", "try:\n    x += 1\nexcept ValueError as __e:\n    pass\nreturn x", "private name '__e'"),
    # definitions
    ("decorator", "@abs\ndef Blorp(x):\n    return 1", "has a decorator"),
    ("default that runs", "def Blorp(x, y=print(1)):\n    return 1", "default value print"),
    ("default that stays", "def Blorp(x, y=[]):\n    y.append(1)\n    return len(y)", r"default value \[\]"),
    ("lambda's default", "return (lambda f=Blorp.__globals__: len(f))()", "private attribute '__globals__'"),
    ("outside the function", "def Blorp(x):\n    return 1\nwhile True:\n    pass", "outside the function"),
    ("inner function", "def inner():\n    nonlocal x\n    x = 1\nreturn 1", "has 2 functions|global state"),
    ("global", "global abs\nabs = x\nreturn 1", "uses global state"),
    ("with", "with x as y:\n    return 1", "calls With"),
    ("bytes", "return b'' + x", "uses b''"),
    ("nested deeply", "return x" + " + 1" * 600, "nested too deeply"),
    ("surrogate in the source", "return '\ud800'", "is not Python"),
)

# What it is, the body of def Blorp(x), and how it ends; none is read before it runs. `use` imports what is loaded.
USE = "use = abs.__self__.__import__\n"
TOP = "use('sys')._getframe(1).f_globals"
LOOP = "\nwhile True:\n    try:\n        while True: x = x + 1\n    except: x = 0"
SYSTEM = "PermissionError: .Errno 1. Operation not permitted"
TIME = "more than 0.3 s of processor time"
RUN: tuple[tuple[str, str, str], ...] = (
    ("remove a file", "use('os').remove({file!r})", SYSTEM),
    ("write a file", "abs.__self__.open({file!r}, 'w').write('a')", SYSTEM),
    ("read a file", "return abs.__self__.open({file!r}).read()", SYSTEM),
    ("change the mode", "use('os').chmod({file!r}, 0)", SYSTEM),
    ("list a folder", "return use('os').listdir('/')", SYSTEM),
    ("load a module", "use('socket').socket()", "No module named 'socket'"),
    ("run a program", "use('os').execv('/bin/true', ['true'])", SYSTEM),
    ("fork", "return use('os').fork()", SYSTEM),
    ("fork bomb", "while True: use('os').fork()", SYSTEM),
    ("thread", "use('_thread').start_new_thread(abs, (1,))", "can't start new thread"),
    ("kill its parent", "use('os').kill(use('os').getppid(), 9)", SYSTEM),
    ("kill its group", "use('os').killpg(0, 9)", SYSTEM),
    ("leave the session", "use('os').setsid()", SYSTEM),
    ("read the next programs", "return use('os').read(0, 9)", SYSTEM),
    ("another descriptor", "use('os').write(2, b'noise')", SYSTEM),
    ("sleep", "use('time').sleep(60)", SYSTEM),
    ("stop the clock", "try: use('signal').setitimer(2, 0)\nexcept: x = 0" + LOOP, TIME),
    ("ignore the clock's signal", "try: use('signal').signal(27, 1)\nexcept: x = 0" + LOOP, TIME),
    ("raise a limit", "use('resource').setrlimit(7, (99, 99))", "not allowed to raise maximum limit"),
    ("lift the filter", "use('ctypes').CDLL(None).prctl(22, 0, 0)\nuse('os').remove({file!r})", SYSTEM),
    ("native code", "return use('ctypes').string_at(0)", "ended by SIGSEGV"),
    ("stack of C", "use('sys').setrecursionlimit(10**9)\nreturn Blorp(x)", "StepLimit|SIGSEGV"),
    ("exit at once", "use('os')._exit(0)", "no answer of the right form"),
    ("exit with a status", "use('os')._exit(3)", "exit status 3"),
    ("abort", "use('os').abort()", "ended by SIG(SEGV|ABRT)"),
    ("SystemExit", "raise abs.__self__.SystemExit(0)", "SystemExit"),
    ("forged answer", "use('os').write(1, b'[]')\nreturn 1", "no answer of the right form"),
    ("two answers", "use('os').write(1, b'[]' + bytes([10]) + b'0 []' + bytes([10]))\nreturn 1", "bytes|right form"),
    ("endless answer", "while True: use('os').write(1, b'a' * 10**6)", "SIGKILL|right form|StepLimit"),
    ("deep answer", "use('os').write(1, b'[' * 10**6)\nuse('os')._exit(0)", "right form"),
    ("no trace", "use('sys').settrace(None)" + LOOP, TIME),
    ("loop through errors", LOOP.lstrip(), TIME),
    ("loop in C", "return sum(range(10 ** 15))", TIME),
    ("large powers", "return 9 ** 9 ** 9 ** 9", TIME),
    ("large list", "return [0] * 10 ** 10", "MemoryError"),
    ("wide text", "return f'{{x:>{{10 ** 10}}}}'", "MemoryError|ValueError"),
    ("doubling list", "x = []\nfor i in range(60): x = [x, x]\nreturn x", f"MemoryError|{TIME}"),
    ("recursion", "return Blorp(x)", "StepLimit|RecursionError"),
    ("another's arguments", f"{TOP}['parsed'].cache_clear()\nreturn (x, y)", "name 'y' is not defined"),
    ("the tables", f"{TOP}['PURE_CALLS'].clear()\n{TOP}['BUILTINS'].clear()\nreturn abs(y)", "'y' is not defined"),
    ("builtins for all", "abs.__self__.max = abs.__self__.len = None\nraise ValueError", "exit status 1"),
    ("json", "use('json').dumps = lambda value: '[]'\nreturn 1", "right form"),
    ("orders to a terminal", "raise ValueError(chr(27) + '[2J' + chr(0xD800))", r"ValueError: .\[2J.$"),
)  # fmt: skip


def whole(body: str, file: Path) -> str:
    text = body.format(file=str(file)) if "{file" in body or "{{" in body else body
    return text if "def Blorp" in text else "def Blorp(x):\n    " + text.replace("\n", "\n    ")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "file").write_text("kept")
    return tmp_path / "file"


def held(source: str, file: Path) -> ExecutionError | Execution:
    """Run it unread between two good programs, and return its result; nothing else may have changed."""
    before, (result,), after = execute_many([GOOD, ("Blorp", source, ["3"]), GOOD], program_seconds=0.3, trace=False)
    assert before == after == GOOD_RESULT
    assert file.read_text() == "kept"
    assert [each.name for each in file.parent.iterdir()] == ["file"]
    return result


def test_there_are_more_than_sixty_ways_of_many_kinds() -> None:
    assert len({name for name, *_ in READ}) == len(READ) > 60
    assert len({name for name, *_ in RUN}) == len(RUN) > 40


@pytest.mark.parametrize(("body", "refusal"), [row[1:] for row in READ], ids=[row[0] for row in READ])
def test_reading_refuses_it_by_name(body: str, refusal: str, file: Path) -> None:
    with pytest.raises(OwnProgramError, match=refusal) as caught:
        prepare(whole(body, file), [3], "What it does.")
    assert str(caught.value).isprintable()


@pytest.mark.skipif(not SEALED, reason="this system has no seccomp, as `confinement` says")
@pytest.mark.parametrize("body", [row[1] for row in READ], ids=[row[0] for row in READ])
def test_unread_it_is_held(body: str, file: Path) -> None:
    held(whole(body, file), file)


@pytest.mark.skipif(not SEALED, reason="this system has no seccomp, as `confinement` says")
@pytest.mark.parametrize(("body", "end"), [row[1:] for row in RUN], ids=[row[0] for row in RUN])
def test_past_the_first_wall_it_is_held(body: str, end: str, file: Path) -> None:
    start = time.monotonic()
    result = held(whole(USE + body, file), file)
    assert isinstance(result, ExecutionError), result
    assert re.search(end, result.cause), result.cause
    assert result.cause.isprintable()
    assert time.monotonic() - start < 30


def test_annotations_never_run(file: Path) -> None:
    source = f"def Blorp(x: __import__('os').remove({str(file)!r})) -> open({str(file)!r}, 'w'):\n    return x + 1"
    program = from_function(source, [3], "What it does.")
    assert (program.source, program.executions[0].output) == ("def Blorp(x):\n    return x + 1", "4")
    assert file.read_text() == "kept"


def test_letters_that_cannot_be_shown_are_written_as_python_writes_them() -> None:
    program = from_function("def Blorp(x):\n    return chr(x) + chr(27) + chr(0xD800)", [3], "What it does.")
    (execution,) = program.executions
    assert execution.output == r"'\x03\x1b\ud800'"
    assert all(line.isprintable() for line in execution.trace)


def test_no_letters_keep_the_reader_of_answers_busy() -> None:
    start = time.monotonic()
    program = from_function("def Blorp(x):\n    y = '<' * 90000\n    return x", [3], "What it does.")
    assert program.executions[0].output == "3"
    assert time.monotonic() - start < 10


def test_all_traces_of_a_program_are_bounded() -> None:
    source = "def Blorp(x):\n    y = 'a' * 50000\n    return x"
    with pytest.raises(OwnProgramError, match="OverflowError: all its traces and outputs are longer than 2000000"):
        from_function(source, range(1000), "What it does.")


def test_methods_are_those_of_plain_values() -> None:
    plain = {name for kind in (str, list, dict, set, tuple, int, float) for name in dir(kind)}
    assert plain >= METHODS
    assert not METHODS & {"format", "format_map", "encode", "to_bytes", "from_bytes"}
