"""Nonsense, from seeds that are kept: mutated programs of a reader's own, and experiments with a malformed field.

PBB_FUZZ says how many of each (60). A case is drawn from its number, so that any count begins with the same ones.

| | cases | refused when read | refused when run | accepted | tracebacks | over 60 s | wrong |
|---|---|---|---|---|---|---|---|
| own programs | 1,000 | 723 | 178 | 99 | 0 | 0 | 0 |
| experiments | 1,000 | 981 | | 19 | 0 | 0 | 0 |
"""

from __future__ import annotations
import __future__

import ast
import math
import os
import random
import re
import time
from collections import Counter
from typing import Any

import pytest

from pbb.experiments.documents import parse_answer
from pbb.experiments.experiment import Experiment, _paths
from pbb.experiments.presets import PRESETS
from pbb.programs import DOMAINS, Algorithms, Arithmetic, Program, generate, settings
from pbb.programs.own import finish, prepare
from pbb.programs.own_source import OwnProgramError
from pbb.programs.settings import ExperimentError
from pbb.programs.tracing_worker import BUILTINS

CASES = int(os.environ.get("PBB_FUZZ", "60"))
WRITTEN = """
def Blorp(x):
    out = []
    for i, c in enumerate(str(x)):
        out.append(c * i)
    return ''.join(out)

def Blorp(x, y=3):
    seen = {x: y}
    while x > 0:
        x -= y
        seen[x] = len(seen)
    return seen

def Blorp(x):
    try:
        return [y for y in range(x) if (z := y % 2)][1]
    except IndexError:
        return -1

def Blorp(x):
    match x:
        case [a, *rest]:
            return rest
        case int():
            return 1
    return x

def Blorp(x: int) -> str:
    "Say x."
    return f'{x:>4}' if x < 2 else Blorp(x - 2) + sorted({'a', 'b'}, key=lambda c: c)[0]
"""
FRAGMENTS = (
    *("import os\n", "yield x", "await x", "global x\n", "lambda: 0", "x.__class__", "'{0.real}'.format(x)"),
    *("open('f')", "while True:\n        pass\n    ", "9 ** 9 ** 9", "'a' * 10 ** 9", "[0] * 10 ** 10"),
    *("range(10 ** 15)", "Blorp(x)", "'<|end|>'", "\0", "\ud800", "\x1b[2J", "é", "０", "' = '", "{1, 'a'}"),
    *("float('nan')", "-8 ** 0.5", "x if", "((((", "\\", "\t", "\n", "return ", "#", "'''", "f'{x!r:{x}}'", "*", "_"),
    *(":=", "@", "del x\n", "None", "...", "b''", "1j", "is not"),
)


# ------------------------------------------------------------------------------------------------- own programs
def texts() -> list[str]:
    drawn = [
        *generate(Arithmetic(statements=3, control=("if", "for", "while")), 10, "fuzz"),
        *generate(Algorithms(sizes=("short", "medium", "long")), 20, "fuzz"),
    ]
    return [*WRITTEN.strip().split("\n\n"), *(program.renamed("Blorp").source for program in drawn)]


def in_text(rng: random.Random, text: str) -> str:
    """Change some letters, or a line, or put in a fragment."""
    text = text or rng.choice(FRAGMENTS)
    place, other = rng.randrange(len(text)), rng.randrange(len(text))
    first, last = min(place, other), min(max(place, other), min(place, other) + rng.randint(1, 8))
    lines = text.split("\n")
    line = rng.randrange(len(lines))
    return rng.choice(
        (
            text[:first] + text[last:],
            text[:first] + text[first:last] * 2 + text[last:],
            text[:place] + rng.choice(FRAGMENTS) + text[place:],
            re.sub(r"\b\w+\b", lambda word: rng.choice(FRAGMENTS) if rng.random() < 0.08 else word[0], text),
            "\n".join([*lines[:line], *lines[line + 1 :]]),
            "\n".join([*lines[:line], lines[line], *lines[line:]]),
        )
    )


def in_tree(rng: random.Random, text: str, others: list[str]) -> str:
    """Put another expression, statement, operator or constant in place of one, or take a statement out."""
    tree, other = ast.parse(text), ast.parse(rng.choice(others))
    nodes = [node for node in ast.walk(tree) if list(ast.iter_fields(node))]
    for _ in range(rng.randint(1, 3)):
        node = rng.choice(nodes)
        name, value = rng.choice(list(ast.iter_fields(node)))
        if isinstance(value, ast.AST):
            kind = next(k for k in (ast.expr, ast.operator, ast.cmpop, ast.unaryop, ast.AST) if isinstance(value, k))
            found = [part for part in ast.walk(other) if isinstance(part, kind)]
            setattr(node, name, rng.choice(found) if found else value)
        elif isinstance(value, list) and value:
            value.pop(rng.randrange(len(value))) if rng.random() < 0.5 else rng.shuffle(value)
        elif isinstance(node, ast.Constant):
            node.value = rng.choice((0, -1, 10**9, 0.5, "", "ab", None, True, b"", 1j, ..., "\n", -(10**400)))
        elif isinstance(value, str):
            setattr(node, name, rng.choice(("x", "Blorp", "_", "abs", "print", "class", "f_back", "pop")))
    return ast.unparse(ast.fix_missing_locations(tree))


def mutated(rng: random.Random, sources: list[str]) -> str:
    text = rng.choice(sources)
    for _ in range(rng.randint(1, 2)):
        try:
            text = in_text(rng, text) if rng.random() < 0.5 else in_tree(rng, text, sources)
        except (SyntaxError, ValueError, TypeError, AttributeError):  # of `ast`: it is no longer Python
            text = in_text(rng, text)
    return text


def holds(program: Program, text: str) -> None:
    """Its records are what plain Python makes of the text that was given, and are read back as answers."""
    names: dict[str, Any] = {"__builtins__": BUILTINS}
    flags = __future__.annotations.compiler_flag  # so that annotations do not run
    exec(compile(text.strip(), "<given>", "exec", flags), names)
    for arguments, execution in zip(program.inputs, program.executions, strict=True):
        truth = names[program.name](*ast.literal_eval(f"({arguments},)"))
        assert (type(truth), truth) == (type(stored := ast.literal_eval(execution.output)), stored), (text, arguments)
        assert parse_answer(execution.output, "direct") == execution.output
        assert parse_answer("\n".join(execution.trace), "cot") == execution.output
    assert Program.from_json(program.to_json()) == program
    assert program.source.isascii() or program.source.replace("\n", "").isprintable()


def test_mutated_programs_are_refused_or_right() -> None:
    sources, ended = texts(), Counter[str]()
    for number in range(CASES):
        rng = random.Random(f"own program {number}")
        text, start = mutated(rng, sources), time.monotonic()
        made: Program | OwnProgramError
        try:
            inputs = rng.choice(([0, 3, 12], [(4,), ("ab",), ([1, 2, 3],)], None))
            draft = prepare(text, inputs, "What it does.")
        except OwnProgramError as error:
            made, how = error, "refused when read"
        else:
            (made,) = finish([draft])
            how = "accepted" if isinstance(made, Program) else "refused when run"
        ended[how] += 1
        assert time.monotonic() - start < 60, text
        if isinstance(made, Program):
            holds(made, text)
        else:
            assert re.fullmatch(r"(the program|program '.*?') .+; valid: .+", str(made), re.DOTALL), (text, made)
            assert len(str(made)) < 1000
    print(f"{CASES} own programs: {dict(ended)}")
    assert ended["accepted"] > CASES / 30
    assert min(ended["refused when read"], ended["refused when run"]) > CASES / 10


# -------------------------------------------------------------------------------------------------- experiments
class Failing:
    """An object that cannot even be shown."""

    def __repr__(self) -> str:
        raise RuntimeError("no")


def nonsense(rng: random.Random) -> Any:
    text = "".join(rng.choices("ab\0\x1b\n\ud800<é", k=rng.randint(0, 5)))
    number = rng.choice((0, -1, 1, 3, 10**9, -(10**400), 10**5000, 2**31))
    part = rng.choice((math.nan, math.inf, -math.inf, 0.0, -0.5, 1e-300, 0.97, 1e308, 2.0))
    one = rng.choice(
        (None, True, False, b"a", 1j, text, text * 10**5, number, part, object(), Failing(), int, {}, set())
    )
    some = rng.choice(([], (), [one], (one, one), {"a": one}, ["direct", "direct"], ("+", one), "[" * 10**5, [[one]]))
    return rng.choice((one, one, text, number, part, some, Arithmetic(), range(3)))


def test_malformed_experiments_are_refused_by_field_and_value_or_valid() -> None:
    ended = Counter[str]()
    cases = 5 * CASES  # they take no time, and one in fifty is valid
    for number in range(cases):
        rng = random.Random(f"experiment {number}")
        programs = rng.choice([domain.settings() for domain in DOMAINS.values() if domain.generate])
        base = Experiment.of(rng.choice(PRESETS), programs=programs, asked=("direct",))
        groups = ("arm", "model", "seed", "own_programs", "programs", "split", "documents", "training", "grpo", "ask")
        name, value, start = rng.choice([*_paths(base), *groups]), nonsense(rng), time.monotonic()
        try:
            made = base.changed(**{name: value})
        except ExperimentError as error:
            said, field = str(error), _paths(base).get(name, (name,))[-1]
            ended["refused"] += 1
            assert re.search(rf"\b({name}|{field})(\[\d+\])?=", said), (name, said)
            assert "valid" in said, said
            parts = value if isinstance(value, (list, tuple, range)) else ()
            assert any(settings.written(each)[:60] in said for each in (value, *parts)) or "beside" in said, said
            assert len(said) < 1500
            assert said.isprintable()
        else:
            ended["accepted"] += 1
            assert made == made.changed()
            assert re.fullmatch("[0-9a-f]{12}", made.name), "it can be written down"
            assert made.value(name) == value or list(made.value(name)) == list(value)
        assert time.monotonic() - start < 60
    print(f"{cases} experiments: {dict(ended)}")
    assert ended["refused"] > cases / 2
    assert ended["accepted"]


@pytest.mark.parametrize("value", [10**5000, "a" * 10**6, Failing()], ids=["number", "text", "object"])
def test_a_value_that_is_long_or_cannot_be_shown_is_cut_short(value: Any) -> None:
    with pytest.raises(ExperimentError, match=r"templates=.*; valid: a whole number from 1 to 20") as caught:
        Experiment.of("cpu", templates=value)
    assert len(str(caught.value)) < 500
