"""A result can't be stale: whatever a stage or an evaluation reads is in its key, and nothing has to be generated."""

from __future__ import annotations

import ast
import functools
import itertools
import math
import shutil
import typing
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

import pytest
from annotated_types import Interval

from pbb import arms, registry
from pbb.experiments import experiment as described
from pbb.experiments.curricula import curriculum
from pbb.experiments.experiment import Experiment
from pbb.programs.ciphers import Ciphers
from pbb.programs.composition import Composition
from pbb.programs.grammars import Grammars
from pbb.programs.settings import ExperimentError, SomeOf
from pbb.programs.sums import Sums
from pbb.runs import keys
from pbb.runs.tasks import EvaluationTask, StageTask

SMALL = {"with_io_programs": 12, "without_io_programs": 6, "stage_1_steps": 40, "stage_2_steps": 20}
SMALL |= {"exposure_steps": 40, "execution_steps": 20, "grpo_steps": 20}
ARMS = ("homogeneous", "retroactive_grpo", "pbb_and_distillation", "distillation", "distillation_values")


def stepped(cls: type, name: str, value: Any) -> Any:
    """Return another valid value of a field, as near to `value` as its type allows."""
    hint = typing.get_type_hints(cls, include_extras=True)[name]
    parts = get_args(hint) if get_origin(hint) is Annotated else (hint,)
    some = next((part for part in parts if isinstance(part, SomeOf)), None)
    if some:
        return value[:-1] if len(value) > some.least else next((*value, w) for w in some.choices if w not in value)
    limits = next((part for part in parts if isinstance(part, Interval)), None)
    if isinstance(value, int):
        return value - 1 if limits and limits.le == value else value + 1  # type: ignore[comparison-overlap]
    if isinstance(value, float):
        return math.nextafter(value, -math.inf if limits and limits.le == value else math.inf)  # type: ignore[comparison-overlap]
    return next(choice for choice in get_args(hint) if choice != value)


def leaves(settings: Any, *path: str) -> list[tuple[str, ...]]:
    """Return the path of each field in `settings` that is no group itself."""
    found = []
    for field in fields(settings):
        inner = getattr(settings, field.name)
        found += leaves(inner, *path, field.name) if is_dataclass(inner) else [(*path, field.name)]
    return found


def with_step(settings: Any, path: tuple[str, ...]) -> Any:
    first, *rest = path
    inner = getattr(settings, first)
    return replace(
        settings, **{first: with_step(inner, tuple(rest)) if rest else stepped(type(settings), first, inner)}
    )


@functools.cache
def documents(e: Experiment) -> list[Any]:
    """Return the beginning of each stage's documents, enough for several epochs."""
    return [[d.messages() for d in itertools.islice(stage.documents(), 120)] for stage in curriculum(e)]


BASES = {
    "arithmetic": Experiment().changed(**SMALL, statements=2),
    "sums": Experiment().changed(**SMALL, programs=Sums()),
    "ciphers": Experiment().changed(**SMALL, programs=Ciphers(case="digits", alphabet=9, longest=2), row_tokens=320),
    "grammars": Experiment().changed(**SMALL, programs=Grammars()),
    "composition": Experiment().changed(**SMALL, programs=Composition(with_io_composites=3)),
}
NOT_STEPPED = {("arm",), ("model",), ("own_programs",), *(("programs", name) for name in ("parts", "kinds", "wrap"))}
CASES = [
    pytest.param(domain, arm, path, id=f"{domain}-{arm}-{'.'.join(path)}")
    for domain, base in BASES.items()
    for arm in (ARMS if domain == "arithmetic" else ARMS[:1] + ARMS[2:3])
    for path in leaves(base)
    if path not in NOT_STEPPED and (domain == "arithmetic" or path[0] in ("programs", "split", "seed"))
]


@pytest.mark.parametrize(("domain", "arm", "path"), CASES)
def test_every_field_by_its_smallest_step(domain: str, arm: str, path: tuple[str, ...]) -> None:
    """Each field, changed as little as can be, gives other keys, or provably the same documents."""
    before = BASES[domain].changed(arm=arm)
    try:
        after = with_step(before, path)
    except ExperimentError:
        pytest.skip("the step contradicts another field")
    if keys.stage_keys(before) == keys.stage_keys(after):
        budgets = [(s.steps, s.learning_rate, s.objective) for s in curriculum(before)]
        assert budgets == [(s.steps, s.learning_rate, s.objective) for s in curriculum(after)]
        assert documents(before) == documents(after)
        shared = ("weight_decay", "batch_rows", "row_tokens", "lora_rank", "backend", "checkpoints")
        assert len(path) > 2 or path[-1] not in shared, "what every stage reads"
    last = len(curriculum(before)) - 1
    asked = [EvaluationTask(e, last, keys.kept_steps(e, last)[-1]) for e in (before, after)]
    if path[0] == "ask" and path[-1] in ("asked", "questions"):
        assert (asked[0].key == asked[1].key) == (path[-1] == "asked" and bool(arms.ARMS[arm].asked))
        assert keys.stage_keys(before) == keys.stage_keys(after), "what is asked later trains nothing else"


def test_arms_share_their_stages() -> None:
    base, replayed = (keys.stage_keys(Experiment().changed(**changes)) for changes in ({}, {"replay": 0.01}))
    assert [one == other for one, other in zip(base, replayed, strict=True)] == [True, False]
    assert keys.stage_keys(Experiment()) == keys.stage_keys(Experiment().changed(hidden_templates=20)), "as many"
    found = {arm: keys.stage_keys(Experiment(arm=arm)) for arm in described.ARMS}
    assert found["proactive"][0] == found["stage_1_only"][0] == found["pbb_and_distillation"][0]
    few, many = (
        keys.stage_keys(Experiment(arm="distillation_after_stage_1").changed(distilled_demonstrations=n))
        for n in (1, 6)
    )
    assert few[0] == many[0] == found["proactive"][0], "demonstrations of AD programs are nothing to Stage 1"
    assert few[1] != many[1]
    assert found["retroactive"][0] == found["no_demonstrations"][0] == found["retroactive_grpo"][0]
    cot = Experiment(arm="retroactive").changed(trained_modes=("cot",))
    assert keys.stage_keys(cot)[0] == found["retroactive"][0], "sources are written in no answer mode"
    assert keys.stage_keys(cot)[1] != found["retroactive"][1]


def test_knowing_a_key_draws_no_program(monkeypatch: pytest.MonkeyPatch) -> None:
    def drawn(*_: Any, **__: Any) -> Any:
        raise AssertionError("a program was drawn")

    monkeypatch.setattr("pbb.experiments.groups.draw", drawn)
    e = Experiment(seed=987_654, arm="retroactive_grpo")
    assert len({StageTask(e, index).key for index in range(3)}) == 3
    assert EvaluationTask(e, 0, 1000).key


# ------------------------------------------------------------------------------------------------- models
def test_every_file_of_a_model_counts_within_a_process(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(registry.TINY_FOLDER / "tiny-s", tmp_path / "model"))
    before, e = registry.identity(str(folder)), Experiment().changed(model=str(folder))
    found = keys.stage_keys(e)
    for file in folder.iterdir():
        data = file.read_bytes()
        file.write_bytes(data + b" ")
        assert (registry.identity(str(folder)) == before) == (file.name == "manifest.json"), file.name
        assert (keys.stage_keys(e) == found) == (file.name == "manifest.json")
        file.write_bytes(data)
    assert registry.identity(str(folder)) == before, "the same content, written again"


# --------------------------------------------------------------------------------------------------- code
def forget() -> None:
    keys.code_of.cache_clear()
    keys.code.cache_clear()
    keys._stage_keys.cache_clear()


CHANGES: tuple[tuple[str, str, str, bool], ...] = (
    ("programs/arithmetic.py", '1, 1, "subtract {b}"', '1, 1, "take away {b}"', True),
    ("programs/arithmetic.py", '**{"+": (1, 9)', '**{"+": (1, 8)', True),
    ("experiments/documents.py", 'AND_FOR = "And for {input}?"', 'AND_FOR = "And {input}?"', True),
    ("models/sft.py", '"adam_beta2": 0.98', '"adam_beta2": 0.97', True),
    ("models/sft.py", '"adam_beta2": 0.98,', '"adam_beta2": 0.98,  # as it was', False),
    ("experiments/sources.py", '"""Yield documents without end."""', '"""Yield documents, without end."""', False),
    ("programs/grammars.py", "LONGEST_PREFIX = 2", "LONGEST_PREFIX = 3", False),  # another domain's
    ("programs/domains.py", "accepts=grammars.accepts,", "", False),  # another domain's
    ("programs/domains.py", "input_count=lambda settings: len(arithmetic.all_inputs(settings)),", "", True),
    ("models/grpo.py", "class ", "class _Unused: ...\n\n\nclass ", False),  # no rewards in this arm
    ("experiments/curricula.py", "STAGES: dict", "UNUSED = 1\nSTAGES: dict", False),  # a stage is read as data
)


def test_code_counts_and_comments_do_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = shutil.copytree(keys._PACKAGE, tmp_path / "pbb", ignore=shutil.ignore_patterns("base_models"))
    monkeypatch.setattr(keys, "_PACKAGE", package)
    forget()
    before = keys.stage_keys(Experiment())
    for file, old, new, stale in CHANGES:
        text = (package / file).read_text(encoding="utf-8")
        assert old in text, f"{file} has changed: this test wants another line"
        (package / file).write_text(text.replace(old, new, 1), encoding="utf-8")
        forget()
        assert (keys.stage_keys(Experiment()) != before) == stale, new
        (package / file).write_text(text, encoding="utf-8")
    monkeypatch.undo()
    forget()


def test_a_field_that_a_newer_python_adds_to_syntax_trees_changes_no_key(monkeypatch) -> None:
    """Python 3.12 gave functions and classes ``type_params``, empty for all that 3.11 can say."""
    there = keys.code_of.__wrapped__("models/sft")
    parse = ast.parse

    def newer(source: bytes) -> ast.Module:
        tree = parse(source)
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                node._fields, node.later = (*node._fields, "later"), []
        return tree

    monkeypatch.setattr(ast, "parse", newer)
    assert keys.code_of.__wrapped__("models/sft") == there
    monkeypatch.setattr(ast, "parse", lambda source: parse(source + b"\nVALUE = 1"))
    assert keys.code_of.__wrapped__("models/sft") != there
