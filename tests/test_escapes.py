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

from pbb.programs import Execution, ExecutionError, Program, execute_many
from pbb.programs.execution import confinement
from pbb.programs.own import prepare
from pbb.programs.own_source import METHODS, OwnProgramError

GOOD = ("Good", "def Good(x):\n    return max(x, 2) * 2", ["3"])
GOOD_RESULT = [Execution("6", ())]
SEALED = "seccomp: each" in confinement()
# What stands in the tables in capitals. `use` imports what is loaded.
MACROS = {
    "HOP": "while 'os' not in f.f_globals:\n    f = f.f_back\nf.f_globals['os'].remove(FILE)\nreturn 1",
    "THE_OS": "__import__('os').remove(FILE)\nreturn 1",
    "TOP": "use('sys')._getframe(1).f_globals",
    "LOOP": "while True:\n    try:\n        while True: x = x + 1\n    except: x = 0",
    "MANY": " + 1" * 600,
    "FRAME": "attribute '(gi_frame|f_back|f_globals)'",
    "SYSTEM": "PermissionError: .Errno 1. Operation not permitted",
    "TIME": "more than 0.3 s of processor time",
}
USE = "use = abs.__self__.__import__\n"


def rows(table: str) -> list[tuple[str, str, str]]:
    """Return (what it is, how it is refused or ends, the body of def Blorp(x) or all of it) of each row of a table."""
    found = []
    for line in re.sub(r"\n {4}", "", table.strip()).splitlines():
        if not line.startswith("# "):
            line = re.sub(r"\\(n|ud800)", lambda match: {"n": "\n"}.get(match[1], "\ud800"), line)
            for name, text in MACROS.items():
                line = line.replace(name, text)
            name, rest = line.split(" :: ", 1)
            found.append((name, *rest.split(" <- ", 1)))
    return found  # type: ignore[return-value]


READ = rows(r"""
# frames
generator's frame :: FRAME <- g = (g.gi_frame.f_back for _ in [1])\nf = list(g)[0]\nHOP
frame by walrus :: FRAME <- [f] = (g := (g.gi_frame.f_back for _ in [1]))\nHOP
frame's caller :: attribute 'f_back' <- return str(x.f_back)
generator's code :: attribute '(gi_code|co_consts)' <- return (y for y in [x]).gi_code.co_consts
generator that sends :: is a generator <- f = yield x\nHOP
delegated generator :: is a generator <- yield from [x]
async generator :: is not Python|uses what Python calls comprehension <- return (y async for y in x).ag_frame
coroutine's frame :: is asynchronous <- async def inner():\n    pass\nreturn inner().cr_frame
await :: is asynchronous|is not Python <- return await x
traceback's frame :: attribute '(__traceback__|f_globals)' <- try:\n    1 // 0\nexcept ZeroDivisionError as e:
    \n    f = e.__traceback__.tb_frame\nHOP
new traceback :: 'with_trace <- try:\n    1 // 0\nexcept ValueError as e:\n    e.with_traceback(None)\nreturn 1
except* :: calls TryStar <- try:\n    1 // 0\nexcept* ValueError as e:\n    y = e.exceptions\nreturn 1
error's object :: attribute '(obj|y)' <- try:\n    x.y\nexcept ValueError as e:\n    return e.obj\nreturn 1
# classes and functions
subclasses :: private attribute '__ <- return ().__class__.__base__.__subclasses__()
subclass by name :: private attribute <- for c in ''.__class__.__mro__[1].__subclasses__():
    \n    if c.__name__ == '_wrap_close':\n        c.close.__globals__['remove'](FILE)\nreturn 1
mro :: attribute 'mro' <- return str(int.mro()[1])
type's dictionary :: private attribute '__dict__' <- return int.__dict__['real']
type() :: builtin 'type' <- return type(x).__mro__
class by type() :: builtin 'type' <- return type('A', (), {'__add__': x})()
class statement :: defines a class <- class A:\n    def __init_subclass__(cls):\n        pass\nreturn 1
builtin's module :: private attribute '__ <- abs.__self__.THE_OS
method's object :: private attribute '__self__' <- return [].append.__self__
module's dictionary :: '__ <- len.__self__.__dict__['__import__']('os').remove(FILE)\nreturn 1
own globals :: private attribute '__ <- f = Blorp.__globals__['__builtins__']['abs']\nf.__self__.THE_OS
own builtins :: private attribute '__ <- Blorp.__builtins__['abs'].__self__.THE_OS
lambda's globals :: private attribute '__ <- (lambda: 0).__globals__['__builtins__']['abs'].__self__.THE_OS
own bytecode :: uses b'd|private <- Blorp.__code__ = Blorp.__code__.replace(co_code=b'd\x00')\nreturn 1
own defaults :: private attribute '__defaults__' <- Blorp.__defaults__ = (x,)\nreturn 1
state on itself :: attribute 'items' <- Blorp.items = x\nreturn 1
pickle's helpers :: private attribute '__ <- ().__reduce_ex__(2)[0]
    .__globals__['__builtins__']['__import__']('os').remove(FILE)\nreturn 1
# builtins
__builtins__ :: builtin '__builtins__'|name '__builtins__' <- __builtins__['abs'].__self__.THE_OS
builtins replaced :: name '__builtins__'|builtin <- __builtins__['abs'] = __builtins__['max'] = min\nreturn 1
__import__ :: builtin '__import__' <- THE_OS
import :: imports a module <- import os\nos.remove(FILE)\nreturn 1
import from :: imports a module <- from os import remove\nremove(FILE)\nreturn 1
getattr, in parts :: builtin 'getattr' <- return getattr(x, '__cl' + 'ass__')
setattr :: builtin 'setattr' <- setattr(Blorp, 'a', x)\nreturn 1
eval :: builtin 'eval' <- return eval('__imp' + 'ort__("os")')
exec :: builtin 'exec' <- exec('import os')\nreturn 1
compile :: builtin 'compile' <- return compile('1', '', 'eval')
open :: builtin 'open' <- open(FILE, 'w')\nreturn 1
globals :: builtin 'globals' <- return globals()['Blorp']
vars :: builtin 'vars' <- return vars(x)
breakpoint :: builtin 'breakpoint' <- breakpoint()\nreturn 1
help :: builtin 'help' <- help()\nreturn 1
BaseException :: 'BaseEx <- while True:\n    try:\n        x += 1\n    except BaseException:\n        pass\nreturn 1
SystemExit :: builtin 'SystemExit' <- raise SystemExit(0)\nreturn 1
# texts with fields, patterns
format :: attribute 'format' <- return '{0.__class__}'.format(x)
format_map :: attribute 'format_map' <- return '{x.__class__}'.format_map({'x': x})
format of str :: attribute 'format' <- return str.format('{0.__globals__}', Blorp)
format by map :: attribute 'format' <- return list(map('{0.__class__}'.format, [x]))
f-string :: private attribute '__class__' <- return f'{x.__class__}'
f-string's width :: private attribute '__class__' <- return f'{x:{x.__class__}}'
encode to a codec :: attribute 'encode' <- return 'a'.encode('zip')
class pattern :: takes objects apart <- match x:\n    case int(__class__=c):\n        return c\nreturn 1
attribute pattern :: takes objects apart <- match x:\n    case int(real=c):\n        return c\nreturn 1
value pattern :: private attribute <- match x:\n    case Blorp.__globals__:\n        return 1\nreturn 1
pattern's rest :: private name '__class__' <- match {}:\n    case {**__class__}:\n        return 1\nreturn 1
# names
wide letters :: private attribute '__class__' <- return x.__ｃlass__
italic letters :: FRAME <- g = (g.𝑔𝑖_frame.f_back for _ in [1])\nf = list(g)[0]\nHOP
presentation low line :: private attribute '__class__' <- return x._︳class_︳
positional-only hook :: private name '_getattr_' <- def Blorp(x, _getattr_=1, /):\n    return 1
keyword :: private name '__class__' <- return dict(__class__=x)
walrus :: private name '__builtins__' <- return (__builtins__ := x)
error's name :: private name '__e' <- try:\n    x += 1\nexcept ValueError as __e:\n    pass\nreturn x
# definitions
decorator :: has a decorator <- @abs\ndef Blorp(x):\n    return 1
default that runs :: default value print <- def Blorp(x, y=print(1)):\n    return 1
default that stays :: default value \[\] <- def Blorp(x, y=[]):\n    y.append(1)\n    return len(y)
lambda's default :: private attribute '__globals__' <- return (lambda f=Blorp.__globals__: len(f))()
outside the function :: outside the function <- def Blorp(x):\n    return 1\nwhile True:\n    pass
inner function :: has 2 functions|global state <- def inner():\n    nonlocal x\n    x = 1\nreturn 1
global :: uses global state <- global abs\nabs = x\nreturn 1
with :: calls With <- with x as y:\n    return 1
bytes :: uses b'' <- return b'' + x
nested deeply :: nested too deeply <- return xMANY
surrogate in the source :: is not Python <- return '\ud800'
""")
RUN = rows(r"""
remove a file :: SYSTEM <- use('os').remove(FILE)
write a file :: SYSTEM <- abs.__self__.open(FILE, 'w').write('a')
read a file :: SYSTEM <- return abs.__self__.open(FILE).read()
change the mode :: SYSTEM <- use('os').chmod(FILE, 0)
list a folder :: SYSTEM <- return use('os').listdir('/')
load a module :: No module named 'socket' <- use('socket').socket()
run a program :: SYSTEM <- use('os').execv('/bin/true', ['true'])
fork :: SYSTEM <- return use('os').fork()
fork bomb :: SYSTEM <- while True: use('os').fork()
thread :: can't start new thread <- use('_thread').start_new_thread(abs, (1,))
kill its parent :: SYSTEM <- use('os').kill(use('os').getppid(), 9)
kill its group :: SYSTEM <- use('os').killpg(0, 9)
leave the session :: SYSTEM <- use('os').setsid()
read the next programs :: SYSTEM <- return use('os').read(0, 9)
another descriptor :: SYSTEM <- use('os').write(2, b'noise')
sleep :: SYSTEM <- use('time').sleep(60)
stop the clock :: TIME <- try: use('signal').setitimer(2, 0)\nexcept: x = 0\nLOOP
ignore the clock's signal :: TIME <- try: use('signal').signal(27, 1)\nexcept: x = 0\nLOOP
raise a limit :: not allowed to raise maximum limit <- use('resource').setrlimit(7, (99, 99))
lift the filter :: SYSTEM <- use('ctypes').CDLL(None).prctl(22, 0, 0)\nuse('os').remove(FILE)
native code :: ended by SIGSEGV <- return use('ctypes').string_at(0)
stack of C :: StepLimit|SIGSEGV <- use('sys').setrecursionlimit(10**9)\nreturn Blorp(x)
exit at once :: no answer of the right form <- use('os')._exit(0)
exit with a status :: exit status 3 <- use('os')._exit(3)
abort :: ended by SIG(SEGV|ABRT) <- use('os').abort()
SystemExit :: SystemExit <- raise abs.__self__.SystemExit(0)
forged answer :: no answer of the right form <- use('os').write(1, b'[]')\nreturn 1
two answers :: bytes|right form <- use('os').write(1, b'[]' + bytes([10]) + b'0 []' + bytes([10]))\nreturn 1
endless answer :: SIGKILL|right form|StepLimit <- while True: use('os').write(1, b'a' * 10**6)
deep answer :: right form <- use('os').write(1, b'[' * 10**6)\nuse('os')._exit(0)
no trace :: TIME <- use('sys').settrace(None)\nLOOP
loop through errors :: TIME <- LOOP
loop in C :: TIME <- return sum(range(10 ** 15))
large powers :: TIME <- return 9 ** 9 ** 9 ** 9
large list :: MemoryError <- return [0] * 10 ** 10
wide text :: MemoryError|ValueError <- return f'{x:>{10 ** 10}}'
doubling list :: MemoryError|TIME <- x = []\nfor i in range(60): x = [x, x]\nreturn x
recursion :: StepLimit|RecursionError <- return Blorp(x)
another's arguments :: name 'y' is not defined <- TOP['reduced'].cache_clear()\nreturn (x, y)
the tables :: 'y' is not defined <- TOP['PURE_CALLS'].clear()\nTOP['BUILTINS'].clear()\nreturn abs(y)
builtins for all :: exit status 1 <- abs.__self__.max = abs.__self__.len = None\nraise ValueError
json :: right form <- use('json').dumps = lambda value: '[]'\nreturn 1
orders to a terminal :: ValueError: .\[2J.$ <- raise ValueError(chr(27) + '[2J' + chr(0xD800))
""")


def whole(body: str, file: Path) -> str:
    text = body.replace("FILE", repr(str(file)))
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


@pytest.mark.parametrize(("refusal", "body"), [row[1:] for row in READ], ids=[row[0] for row in READ])
def test_reading_refuses_it_by_name(refusal: str, body: str, file: Path) -> None:
    with pytest.raises(OwnProgramError, match=refusal) as caught:
        prepare(whole(body, file), [3], "What it does.")
    assert str(caught.value).isprintable()


@pytest.mark.skipif(not SEALED, reason="this system has no seccomp, as `confinement` says")
@pytest.mark.parametrize("body", [row[2] for row in READ], ids=[row[0] for row in READ])
def test_unread_it_is_held(body: str, file: Path) -> None:
    held(whole(body, file), file)


@pytest.mark.skipif(not SEALED, reason="this system has no seccomp, as `confinement` says")
@pytest.mark.parametrize(("end", "body"), [row[1:] for row in RUN], ids=[row[0] for row in RUN])
def test_past_the_first_wall_it_is_held(end: str, body: str, file: Path) -> None:
    start = time.monotonic()
    result = held(whole(USE + body, file), file)
    assert isinstance(result, ExecutionError), result
    assert re.search(end, result.cause), result.cause
    assert result.cause.isprintable()
    assert time.monotonic() - start < 30


def test_annotations_never_run(file: Path) -> None:
    source = f"def Blorp(x: __import__('os').remove({str(file)!r})) -> open({str(file)!r}, 'w'):\n    return x + 1"
    program = Program.from_function(source, [3], "What it does.")
    assert (program.source, program.executions[0].output) == ("def Blorp(x):\n    return x + 1", "4")
    assert file.read_text() == "kept"


def test_letters_that_cannot_be_shown_are_written_as_python_writes_them() -> None:
    program = Program.from_function("def Blorp(x):\n    return chr(x) + chr(27) + chr(0xD800)", [3], "What it does.")
    (execution,) = program.executions
    assert execution.output == r"'\x03\x1b\ud800'"
    assert all(line.isprintable() for line in execution.trace)


def test_no_letters_keep_the_reader_of_answers_busy() -> None:
    start = time.monotonic()
    program = Program.from_function("def Blorp(x):\n    y = '<' * 90000\n    return x", [3], "What it does.")
    assert program.executions[0].output == "3"
    assert time.monotonic() - start < 10


def test_all_traces_of_a_program_are_bounded() -> None:
    source = "def Blorp(x):\n    y = 'a' * 50000\n    return x"
    with pytest.raises(OwnProgramError, match="OverflowError: all its traces and outputs are longer than 2000000"):
        Program.from_function(source, range(1000), "What it does.")


def test_methods_are_those_of_plain_values() -> None:
    plain = {name for kind in (str, list, dict, set, tuple, int, float) for name in dir(kind)}
    assert plain >= METHODS
    assert not METHODS & {"format", "format_map", "encode", "to_bytes", "from_bytes"}
