"""Keys: a stage's weights, or an evaluation's answers, are found by a hash of everything that made them.

That is: the experiment's groups that are read, the stage's own description and budget, the base model's identity, the
code that makes the data and trains (`code`), and the stage before. Never a sample of text: knowing a key draws no
program. Whoever changes a template, an operator or the loss gets new weights; a comment or a docstring changes none.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Set
from dataclasses import asdict
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from pbb import registry
from pbb.arms import ARMS, NO_MODEL
from pbb.experiments.base_data import mixture_of
from pbb.experiments.curricula import curriculum
from pbb.experiments.documents import DISTILLED, VALUES, WITH_IO, WITHOUT_IO
from pbb.experiments.experiment import Experiment
from pbb.experiments.sources import DECLARE, EXECUTE, OUTPUTS, Epochs, Mix, Source
from pbb.programs.domains import DOMAINS, domain_of
from pbb.streams import digest

_PACKAGE = Path(__file__).resolve().parents[1]
# Whose code makes documents and questions of every domain, whose trains, and whose asks.
WRITES = (
    *("streams", "programs/program", "programs/execution", "programs/tracing_worker", "programs/names"),
    *("programs/domains", "experiments/documents", "experiments/groups", "experiments/sources"),
)
LOADS = ("models/loading", "models/tokenizer", "models/gguf")
TRAINS = ("experiments/base_data", *LOADS, "models/backends", "models/sft", "models/optimisers")
REWARDS = ("models/grpo",)
ASKS = ("experiments/questions", *LOADS, "models/ask")
# Tables of rows: each domain's own row counts by itself (`_rows`), so that a new row makes nothing stale.
_TABLES = {"DOMAINS"}
# Fields of `Documents` that are read, by how documents are written.
_EXECUTED = ("question_style", "executions")
_READ = {
    DECLARE: ("representation",),
    EXECUTE: ("representation", "trained_modes", *_EXECUTED),
    OUTPUTS: _EXECUTED,
    VALUES: _EXECUTED,
}


@cache
def code_of(module: str) -> str:
    """Return the hash of a module's syntax tree, or of a package's, without comments, docstrings and line numbers."""
    path = _PACKAGE / module
    files = sorted(path.glob("*.py")) if path.is_dir() else [path.with_suffix(".py")]
    total = hashlib.sha256()
    for file in files:
        tree = ast.parse(file.read_bytes())
        tree.body = [node for node in tree.body if not _assigns_to_table(node)]
        for node in ast.walk(tree):
            if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(node, clean=False):
                node.body = node.body[1:]
        total.update(f"{file.name}\n{_said(tree)}\n".encode())
    return total.hexdigest()


def _said(part: Any) -> str:
    """Return what a syntax tree holds, without empty fields: newer Pythons add such, and `ast.dump` shows them."""
    if isinstance(part, list):
        return f"[{', '.join(map(_said, part))}]"
    if not isinstance(part, ast.AST):
        return repr(part)
    fields = ((name, value) for name, value in ast.iter_fields(part) if value is not None and value != [])
    return f"{type(part).__name__}({', '.join(f'{name}={_said(value)}' for name, value in fields)})"


def _assigns_to_table(node: ast.stmt) -> bool:
    return isinstance(node, ast.AnnAssign) and ast.unparse(node.target) in _TABLES


@cache
def code(modules: tuple[str, ...], domains: frozenset[str]) -> str:
    """Return the hash of the code of modules and domains, and of these domains' rows of `DOMAINS`."""
    rows = _rows()
    made = [[name, rows[name], [code_of(f"programs/{m}") for m in DOMAINS[name].modules]] for name in sorted(domains)]
    return digest([code_of(module) for module in modules], made)


def _rows() -> dict[str, str]:
    """Return what the syntax tree of each row of `DOMAINS` holds: its texts and functions are named there."""
    tree = ast.parse((_PACKAGE / "programs/domains.py").read_bytes())
    table: Any = next(node for node in tree.body if _assigns_to_table(node))
    return {name.value: _said(row) for name, row in zip(table.value.keys, table.value.values, strict=True)}


def _parts(source: Source) -> list[tuple[str, str]]:
    """Return how documents of `source` are written, and of which group."""
    if isinstance(source, Mix):
        return [part for one in (source.main, *(other for _, other in source.others)) for part in _parts(one)]
    return [*source.parts] if isinstance(source, Epochs) else []


def _taught(e: Experiment, groups: Set[str] = frozenset({DISTILLED})) -> list[Any]:
    """Return what says which programs of `groups` there are and which of their inputs training may show."""
    split = {k: v for k, v in asdict(e.split).items() if DISTILLED in groups or k != "distilled_demonstrations"}
    settings = DOMAINS[e.domain].with_io_alone(e.settings) if groups == {WITH_IO} else e.settings
    return [e.seed, [e.domain, asdict(settings), e.own_programs], split]


def _domains(e: Experiment) -> frozenset[str]:
    parts = getattr(e.programs, "parts", ())
    return frozenset({e.domain, *map(domain_of, parts), *(["own"] if e.own_programs else [])})


def kept_steps(e: Experiment, index: int) -> list[int]:
    """Return the steps of a stage after which weights are kept: evenly spaced or doubling, the last at its end."""
    stages = curriculum(e)
    steps = stages[index].steps
    if 0 < index < len(stages) - 1:  # the SFT that GRPO follows on is asked about at its end alone
        return [steps]
    if index and e.ask.stage_2_doublings:
        return sorted({max(1, steps // 2**i) for i in range(e.ask.stage_2_doublings)})
    count = min(e.ask.checkpoints, steps)
    return [round(steps * (i + 1) / count) for i in range(count)]


def base_key(e: Experiment) -> str:
    """Return the identity of the experiment's base model, or that there is none."""
    return NO_MODEL if e.arm == NO_MODEL else registry.identity(e.model)


def stage_keys(e: Experiment) -> list[str]:
    """Return one key a stage, each of 20 hex characters."""
    return list(_stage_keys(e, base_key(e)))


@lru_cache(maxsize=4096)
def _stage_keys(e: Experiment, base: str) -> tuple[str, ...]:
    general = {domain_of(settings) for _, settings in mixture_of(e.model).programs}
    shared: list[Any] = [e.training.weight_decay, e.training.batch_rows, e.training.row_tokens]
    # What a machine chooses by itself is no part of the key: the manifest says what it was.
    shared += [e.training.backend, mixture_digest(e.model)]
    keys: list[str] = []
    before: list[Any] = [base]
    for index, stage in enumerate(curriculum(e)):
        modules = (*WRITES, *TRAINS, *(REWARDS if stage.objective else ()))
        made_by = code(modules, _domains(e) | general)
        parts = _parts(stage.source)
        taught = _taught(e, {group for _, group in parts})
        written: list[Any] = [{name: getattr(e.documents, name) for how, _ in parts for name in _READ[how]}]
        written += [[group, e.documents.templates_of(group)] for _, group in parts]
        before = [digest(*before, stage.reads(), kept_steps(e, index), shared, taught, written, made_by)]
        keys.append(before[0][:20])
    return tuple(keys)


@cache
def mixture_digest(model: str) -> str:
    """Return the hash of the general documents' mixture."""
    return digest(asdict(mixture_of(model)))


def evaluation_key(e: Experiment, index: int, step: int, asked: tuple[str, ...]) -> str:
    """Return the key of the answers after `step` steps of stage `index`, or of the base model where that is -1."""
    return _evaluation_key(e, step, asked, stage_keys(e)[index] if index >= 0 else base_key(e))


@lru_cache(maxsize=16384)
def _evaluation_key(e: Experiment, step: int, asked: tuple[str, ...], trained: str) -> str:
    templates = [e.documents.templates_of(group) for group in (WITH_IO, WITHOUT_IO)]
    how = [e.documents.representation, templates, e.documents.question_style, e.in_context]
    arm = [ARMS[e.arm].measured, ARMS[e.arm].from_nothing]  # which groups are asked about
    read = [_taught(e), how, arm, asked, e.ask.questions]
    return digest(trained, step, read, code((*WRITES, *ASKS), _domains(e)))[:20]
