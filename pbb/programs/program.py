"""A program: a name, its source, an equivalent description, and what it really does on its inputs."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pbb.programs.execution import Execution, ExecutionError, execute_many
from pbb.streams import digest

BASE_SHARE = 2  # half of all normalised sources belong to base models, the other half to experiments


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
        """Make a program of a function of your own: see `pbb.programs.own.from_function`."""
        from pbb.programs.own import from_function

        return from_function(fn_or_source, inputs, description, name, taught)

    def renamed(self, name: str) -> Program:
        """Return the same program under another name, in all its texts."""
        word = re.compile(rf"\b{re.escape(self.name)}\b")

        def text(old: str) -> str:
            return word.sub(name, old)

        return replace(
            self,
            name=name,
            source=text(self.source),
            description=text(self.description),
            executions=tuple(Execution(e.output, tuple(map(text, e.trace))) for e in self.executions),
            problem=text(self.problem),
        )

    def to_json(self) -> str:
        executions = [{"output": e.output, "trace": e.trace} for e in self.executions]
        values = {**vars(self), "executions": executions}  # what asdict gives, in half the time
        for empty in [name for name in ("family", "problem") if not values[name]]:
            del values[empty]  # the JSON of programs without them, and every hash of it, is older than these fields
        return json.dumps(values, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Program:
        values = json.loads(text)
        values["inputs"] = tuple(values["inputs"])
        values["executions"] = tuple(Execution(e["output"], tuple(e["trace"])) for e in values["executions"])
        return cls(**values)


def run_sources(
    jobs: Sequence[tuple[str, str, Sequence[str]]], *, trace: bool = True
) -> list[tuple[Execution, ...] | ExecutionError]:
    """Execute each (name, source, inputs); a program that fails on an input gives its first error instead."""
    everything: list[tuple[Execution, ...] | ExecutionError] = []
    for results in execute_many(jobs, trace=trace, trusted=True):
        errors = [result for result in results if isinstance(result, ExecutionError)]
        everything.append(errors[0] if errors else tuple(r for r in results if isinstance(r, Execution)))
    return everything


def on_inputs(programs: Sequence[Program], inputs: Sequence[Sequence[str]]) -> list[Program]:
    """Return `programs`, each executed on its own new `inputs`; raises ExecutionError where one fails."""
    jobs = [(program.name, program.source, texts) for program, texts in zip(programs, inputs, strict=True)]
    made = []
    for program, (_, _, texts), runs in zip(programs, jobs, run_sources(jobs), strict=True):
        if isinstance(runs, ExecutionError):
            raise runs
        made.append(replace(program, inputs=tuple(texts), executions=runs))
    return made


class _Rename(ast.NodeTransformer):
    """Names the function ``f`` and its variables ``v0``, ``v1``, … in order of appearance."""

    def __init__(self, variables: set[str]) -> None:
        self.variables = variables
        self.order: dict[str, str] = {}

    def _new(self, name: str) -> str:
        return self.order.setdefault(name, f"v{len(self.order)}") if name in self.variables else name

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.name = "f"
        return self.generic_visit(node)

    def visit_arg(self, node: ast.arg) -> ast.AST:
        node.arg = self._new(node.arg)
        return node

    def visit_Name(self, node: ast.Name) -> ast.AST:
        node.id = self._new(node.id)
        return node


def normalised(source: str) -> str:
    """Return `source` with function and variables renamed in order and its layout made canonical."""
    tree = ast.parse(source)
    variables = {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    variables |= {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    return ast.unparse(_Rename(variables).visit(tree))


def belongs_to_base(normalised_source: str) -> bool:
    """Whether a base model may be pretrained on a program: decided by a hash of its `normalised` source.

    Experiments use the other half, so that no program of an experiment was ever seen in pretraining.
    """
    return int(digest("source", normalised_source)[:8], 16) % BASE_SHARE == 0
