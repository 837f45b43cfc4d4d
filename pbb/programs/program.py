"""A program: a name, its source, an equivalent description, and what it really does on its inputs."""

from __future__ import annotations

import ast
import functools
import itertools
import json
import operator
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, TypeVar

from pydantic import TypeAdapter

from pbb.programs.execution import Execution, ExecutionError, execute_many
from pbb.programs.names import names_of
from pbb.streams import digest

T = TypeVar("T")
# Of all normal forms a quarter is base models', an eighth is for choosing budgets, and each of five reference seeds has
# an eighth: by a hash, so that no two of them share a program.
PARTS = ("base", "base", "tuning", *(f"reference {seed}" for seed in range(5)))
FIRST_TUNING_SEED = 1000
PATIENCE = 10_000  # draws without one new program after which there seem to be no more


@dataclass(frozen=True)
class Program:
    """One program of a domain. `executions` come from running `source`, never from a second formula.

    Attributes:
        name: how documents and questions point at it, such as ``Blorp``.
        source: Python source of one function of that name.
        description: English, semantically equivalent to `source`.
        inputs: argument lists as Python writes them, such as ``"4"`` or ``"4, 7"``.
        executions: output and trace for each input, in the order of `inputs`.
        domain: ``"arithmetic"``, …
        statements: the length of the program, in statements.
        made_by: the settings and stream key that made it (JSON values).
        family: what it is a variant of, such as ``"two pointers: pair count"``; empty where there is no such thing.
        problem: a problem statement that identifies the program, parameters and all, where documents point at it by
            that and not by its name.
    """

    name: str
    source: str
    description: str
    inputs: tuple[str, ...]
    executions: tuple[Execution, ...]
    domain: str
    statements: int
    made_by: dict[str, Any] = field(default_factory=dict, hash=False, compare=False)
    family: str = ""
    problem: str = ""

    def execution(self, text: str) -> Execution:
        """Return the execution for input `text`; raises KeyError naming the inputs there are."""
        try:
            return self.executions[self.inputs.index(text)]
        except ValueError:
            raise KeyError(f"program {self.name!r} has no input {text!r}; it has {list(self.inputs)}") from None

    @classmethod
    def from_function(
        cls,
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
        from pbb.programs.own import finish, prepare

        (made,) = finish([prepare(fn_or_source, inputs, description, name, taught)])
        if isinstance(made, Program):
            return made
        raise made

    def renamed(self, name: str) -> Program:
        """Return the same program under another name, in all its texts."""
        new = functools.partial(re.compile(rf"\b{re.escape(self.name)}\b").sub, name)
        runs = tuple(Execution(e.output, tuple(map(new, e.trace)), tuple(map(new, e.words))) for e in self.executions)
        texts: dict[str, Any] = {text: new(getattr(self, text)) for text in _TEXTS}
        return replace(self, name=name, executions=runs, **texts)

    def to_json(self) -> str:
        values = {**vars(self), "executions": list(map(vars, self.executions))}  # asdict's, in half the time
        for empty in [name for name in ("family", "problem") if not values[name]]:
            del values[empty]  # the JSON of programs without them, and every hash of it, is older than these fields
        return json.dumps(values, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Program:
        """Return the program that `to_json` wrote; raises ValueError where the text is none."""
        return _JSON.validate_json(text)


_JSON = TypeAdapter(Program)
_TEXTS = ("source", "description", "problem")


def run_sources(
    jobs: Sequence[tuple[str, str, Sequence[str]]], *, trace: bool = True
) -> list[tuple[Execution, ...] | ExecutionError]:
    """Execute each (name, source, inputs); a program that fails on an input gives its first error instead."""
    everything: list[tuple[Execution, ...] | ExecutionError] = []
    for results in execute_many(jobs, trace=trace, trusted=True):
        errors = [result for result in results if isinstance(result, ExecutionError)]
        everything.append(errors[0] if errors else tuple(r for r in results if isinstance(r, Execution)))
    return everything


def runnable(programs: Sequence[Program], *, trace: bool = True, strict: bool = False) -> list[Program]:
    """Return `programs` executed on their inputs, without those that fail; if `strict`, raises ExecutionError there."""
    made = []
    results = run_sources([(p.name, p.source, p.inputs) for p in programs], trace=trace)
    for program, runs in zip(programs, results, strict=True):
        if not isinstance(runs, ExecutionError):
            made.append(replace(program, executions=runs))
        elif strict:
            raise runs
    return made


def on_inputs(programs: Sequence[Program], inputs: Sequence[Sequence[str]]) -> list[Program]:
    """Return `programs`, each executed on its own new `inputs`; raises ExecutionError where one fails."""
    return runnable([replace(p, inputs=tuple(i)) for p, i in zip(programs, inputs, strict=True)], strict=True)


def guessable(outputs: Sequence[str], copies: Iterable[str], share: float) -> bool:
    """Whether one constant answer, or copying the input, is right for more than `share` of the inputs."""
    ((_, commonest),) = Counter(outputs).most_common(1)
    return max(commonest, sum(map(operator.eq, outputs, copies))) > share * len(outputs)


def statements_of(source: str) -> int:
    """Return the number of statements within the function of `source`, nested ones included."""
    return sum(isinstance(node, ast.stmt) for node in ast.walk(ast.parse(source))) - 1


def pool_of(normal: str) -> str:
    """Return the pool that a normal form belongs to, one of `PARTS`: decided by its hash.

    Programs of a single operation are base models' alone, since there are too few to be told apart; but for those on
    numbers of three digits and more, of which there are enough (`pbb.programs.sums`). A composite belongs to the pool
    of its parts.
    """
    normal = normal.partition("\ndef f(")[0]
    head, _, body = normal.partition("\n")
    line = head.startswith("def ") and body.startswith("    return ") and "\n" not in body
    if line and not re.search(r"\d\d\d|[\[{'.]", body) and operations_of(body.strip().removeprefix("return ")) < 2:
        return "base"
    return PARTS[int(digest("source", normal)[:8], 16) % len(PARTS)]


def operations_of(source: str) -> int:
    """Return how many operations an expression has; a modulus goes with the sum or product that it is taken of."""
    found = 0
    for node in ast.walk(ast.parse(source)):
        found += isinstance(node, (ast.BinOp, ast.Call, ast.Compare))
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod) and isinstance(node.left, ast.BinOp):
            found -= isinstance(node.left.op, (ast.Add, ast.Sub, ast.Mult))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "abs":
            found -= isinstance(node.args[0], ast.BinOp) and isinstance(node.args[0].op, ast.Sub)
        if isinstance(node, ast.Compare):  # `x % 2 == 0` is one test
            found -= isinstance(node.left, ast.BinOp)
    return found


def pool_for(pool: str, key: Sequence[object]) -> str:
    """Return the pool that ``"base"`` or ``"experiment"`` programs of a stream are taken from, by the stream's seed.

    Seeds 0 to 4 are references' and share nothing; later ones share with one of these. Seeds from `FIRST_TUNING_SEED`
    on, and streams without a seed, are for choosing budgets and for tests.
    """
    if pool == "base":
        return pool
    seed = key[0] if key else None
    return f"reference {seed % 5}" if isinstance(seed, int) and 0 <= seed < FIRST_TUNING_SEED else "tuning"


def belongs_to_base(normal: str) -> bool:
    """Whether a base model may be pretrained on a program of this normal form."""
    return pool_of(normal) == "base"


def check_inputs(inputs: Iterable[str] | None, form: str, valid: str) -> None:
    """Raise ValueError for the first of `inputs` that is not of the regular expression `form`."""
    for text in inputs or ():
        if not re.fullmatch(form, text):
            raise ValueError(f"inputs: {text!r} is not valid; valid: {valid}")


# Candidates, endless or not: a normal form with what a program is made of, or None for a draw of no use; and what makes
# programs called ``NAME`` of a list of these, in order, leaving out those that are not fit.
Drafts = tuple[Iterator[tuple[str, T] | None], Callable[[list[T]], Iterable[Program]]]


def generator(allow: str) -> Callable[[Callable[..., Drafts[Any]]], Callable[..., Any]]:
    """Make a domain's ``generate(settings, count, *key)`` of what gives `drawn` its candidates and makes programs.

    That function takes (settings, pool, inputs, *key). The one that is made returns `count` programs, unique by name
    and by normal form, as `drawn` does. Its options are ``pool``, ``without``, and ``inputs``: which to execute and
    keep, in place of the programs' own.
    """

    def made(drafts: Callable[..., Drafts[Any]]) -> Callable[..., list[Program]]:
        def generate(
            settings: Any,
            count: int,
            *key: object,
            pool: str = "experiment",
            without: frozenset[str] = frozenset(),
            inputs: Sequence[str] | None = None,
        ) -> list[Program]:
            return drawn(settings, count, key, pool, without, drafts(settings, pool, inputs, *key), allow)

        return generate

    return made


def drawn(
    settings: Any,
    count: int,
    key: Sequence[object],
    pool: str,
    without: frozenset[str],
    drafts: Drafts[T],
    allow: str,
    names: Sequence[str] = (),
) -> list[Program]:
    """Return the first `count` programs that come of `drafts`, unique by name and by normal form.

    Args:
        settings: the domain's, said in the programs' `made_by` and in a refusal.
        count: how many.
        key: what the random streams are derived from: a seed and whatever else.
        pool: ``"experiment"``, or ``"base"`` for what base models are pretrained on: see `pool_for`.
        without: normal forms to leave out.
        drafts: candidates, and what makes programs of them.
        allow: what to allow more of where there are too few.
        names: drawn for the pool when empty.

    Raises:
        ValueError: there is no such pool, or there are not so many different programs or names.
    """
    names, (candidates, make) = names or names_of(pool, count, *key), drafts
    made_by, wanted = {"settings": asdict(settings), "key": list(key), "pool": pool}, pool_for(pool, key)
    seen, found, idle = set(without), list[Program](), 0
    while len(found) < count:
        missing = count - len(found)
        chunk, tried = list[T](), 0
        for candidate in itertools.islice(candidates, PATIENCE):
            tried += 1
            if candidate and candidate[0] not in seen and pool_of(candidate[0]) == wanted:
                seen.add(candidate[0])
                chunk.append(candidate[1])
                if len(chunk) == 2 * missing + 16:  # some are not fit, and starting a child process takes long
                    break
        made = list(itertools.islice(make(chunk), missing))
        found += made
        idle = 0 if made else idle + tried
        if idle >= PATIENCE or not tried:
            raise ValueError(
                f"count={count}: {settings} allows for only about {len(found)} different programs; ask for fewer, or "
                f"allow {allow}"
            )
    return [
        replace(
            replace(p, executions=()).renamed(name),  # what is run may have NAME among its letters
            executions=p.executions,
            made_by={**p.made_by, **made_by},
        )
        for p, name in zip(found, names, strict=False)
    ]


_MIRRORED: dict[type, type[ast.cmpop]] = {ast.Gt: ast.Lt, ast.Lt: ast.Gt, ast.GtE: ast.LtE, ast.LtE: ast.GtE}
_MIRRORED |= {ast.Eq: ast.Eq, ast.NotEq: ast.NotEq}


class _Sort(ast.NodeTransformer):
    """Puts the operands of operations that commute in order: numbers last, the rest as it is spelled."""

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        kind = type(node.op)
        if kind not in (ast.Add, ast.Mult) or not _numeric(node):
            self.generic_visit(node)
            return node
        terms = _in_order([self.visit(term) for term in _terms(node, kind)])
        return functools.reduce(lambda left, right: ast.BinOp(left, kind(), right), terms)

    def visit_Call(self, node: ast.Call) -> ast.expr:
        self.generic_visit(node)
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        inside = node.args[0] if node.args else None
        if name in ("max", "min") and len(node.args) > 1 and not node.keywords:
            node.args = _in_order(node.args)
        elif name == "abs" and isinstance(inside, ast.BinOp) and isinstance(inside.op, ast.Sub):
            inside.left, inside.right = _in_order([inside.left, inside.right])
        return node

    def visit_Compare(self, node: ast.Compare) -> ast.expr:
        self.generic_visit(node)
        if len(node.ops) == 1 and type(node.ops[0]) in _MIRRORED:
            sides = [node.left, node.comparators[0]]
            kinds = [type(node.ops[0]), _MIRRORED[type(node.ops[0])]]
            if ast.unparse(node.left) == ast.unparse(node.comparators[0]):
                node.ops = [min(kinds, key=lambda kind: kind.__name__)()]
            elif _in_order(sides) != sides:
                node.comparators[0], node.left = sides
                node.ops = [kinds[1]()]
        return node


def _terms(node: ast.expr, kind: type) -> list[ast.expr]:
    if isinstance(node, ast.BinOp) and type(node.op) is kind:
        return [*_terms(node.left, kind), *_terms(node.right, kind)]
    return [node]


def _numeric(node: ast.expr) -> bool:
    """Whether nothing in an expression is a text or a list, for which + does not commute; a variable may be."""
    texts = (ast.Subscript, ast.List, ast.Tuple, ast.JoinedStr, ast.ListComp, ast.Attribute)
    for part in ast.walk(node):
        if isinstance(part, texts) or (isinstance(part, ast.Constant) and isinstance(part.value, str)):
            return False
        called = part.func.id if isinstance(part, ast.Call) and isinstance(part.func, ast.Name) else "abs"
        if called not in ("abs", "max", "min", "len", "sum", "int", "ord"):
            return False
    return True


def _in_order(terms: Sequence[ast.expr]) -> list[ast.expr]:
    return sorted(terms, key=lambda term: (isinstance(term, ast.Constant), ast.unparse(term)))


def normalised(source: str) -> str:
    """Return `source` with function and variables renamed in order, operands that commute sorted, and one layout."""
    tree = ast.parse(source)
    nodes = list(ast.walk(tree))
    variables = {node.arg for node in nodes if isinstance(node, ast.arg)}
    variables |= {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    names = dict[str, str]()
    for node in _in_text(tree):
        if isinstance(node, ast.FunctionDef):
            node.name = "f"
        elif isinstance(node, ast.arg) and node.arg in variables:
            node.arg = names.setdefault(node.arg, f"v{len(names)}")
        elif isinstance(node, ast.Name) and node.id in variables:
            node.id = names.setdefault(node.id, f"v{len(names)}")
    return ast.unparse(_Sort().visit(tree))


def _in_text(node: ast.AST) -> Iterator[ast.AST]:
    """Yield a syntax tree's parts in the order of the text, which `ast.walk` does not keep."""
    yield node
    for part in ast.iter_child_nodes(node):
        yield from _in_text(part)
