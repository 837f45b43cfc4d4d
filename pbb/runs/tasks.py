"""The two things that a run does: train a stage, evaluate a model. Each leaves one complete folder, or none.

A task is found by its key, a hash of everything that led to it, so that experiments which share a stage train it
once and a complete task is never redone. A lock a key lets two processes ask for the same task: the second waits
and finds it done.
"""

from __future__ import annotations

import io
import os
import shutil
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from pbb import store
from pbb.arms import IN_CONTEXT, NO_MODEL
from pbb.experiments.curricula import Stage, curriculum
from pbb.experiments.documents import ASKED_AT_ONCE
from pbb.experiments.experiment import Experiment
from pbb.experiments.groups import groups
from pbb.experiments.questions import answer_at_random, questions
from pbb.programs.domains import DOMAINS
from pbb.registry import TINY_NAMES, label
from pbb.runs.keys import evaluation_key, kept_steps, stage_keys
from pbb.store import CorruptRunError, RecordsError, checked, environment_manifest, once, read_manifest, seal

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from pbb.models.sft import Training

ANSWERS = "answers.parquet"
KEPT_EVERY = 100  # steps of adapters: a quarter of an hour of a real model on a CPU
COMPILED_FROM = 200  # steps of a real model on a CPU: below, compiling it takes more time than it saves
# What figures vary beside model, length, seed and arm, and what it counts, if it is a number.
_VARIED = {"representation": "", "with_io_programs": "w/ IO program", "templates": "template"}
_VARIED |= {"distilled_demonstrations": "demonstration", "with_io_composites": "w/ IO composite", "backend": ""}


@dataclass(frozen=True)
class StageTask:
    """Train stage number `index` (from 0) of `experiment`'s curriculum."""

    experiment: Experiment
    index: int

    @property
    def stage(self) -> Stage:
        return curriculum(self.experiment)[self.index]

    @property
    def trained(self) -> Experiment:
        return self.stage.trained

    @property
    def key(self) -> str:
        return stage_keys(self.experiment)[self.index]

    @property
    def folder(self) -> Path:
        return store.runs() / "stages" / self.key

    @property
    def needs(self) -> list[Task]:
        return [StageTask(self.experiment, self.index - 1)] if self.index else []

    @property
    def tokens(self) -> int:
        """Tokens to be trained on; under GRPO roughly, since completions are as long as they get."""
        e, stage = self.experiment, self.stage
        if stage.objective:
            return stage.steps * e.grpo.completions * e.grpo.length
        return stage.steps * e.training.batch_rows * e.training.row_tokens

    def spent(self) -> tuple[int, int]:
        """Return what a complete stage was trained on: tokens (generated ones too), and questions with an answer.

        Raises RecordsError if the stage's manifest is gone.
        """
        if read_manifest(self.folder) is None:
            raise RecordsError(
                f"{self.folder}: no manifest here, so what stage {self.stage.label!r} was trained on is not known. The "
                "way out: delete what was evaluated after it, under evaluations/, and run the same command again"
            )
        manifest = checked(self.folder)
        return manifest["tokens"], sum(n for kind, n in manifest["documents"].items() if kind.endswith(": execution"))

    def checkpoints(self) -> list[int]:
        """Return the steps after which weights are kept."""
        return kept_steps(self.experiment, self.index)

    @property
    def weights(self) -> Path:
        """The folder of the weights at the stage's end. Raises as `weights_after`."""
        return self.weights_after(self.checkpoints()[-1])

    def weights_after(self, step: int) -> Path:
        """Return the folder of the weights after so many steps. Raises CorruptRunError unless they are as written."""
        name = step_name(step)
        checked(self.folder, name)
        return self.folder / name

    def __str__(self) -> str:
        e = self.experiment
        return f"train {label(e.model)}, {_programs(e)}, seed {e.seed}: stage {self.stage.label!r}{_knobs(e)}"

    def run(self) -> None:
        """Train, and leave weights, training log and manifest; returns at once where that was done before."""
        once(self.folder, lambda folder: _train(self, folder))
        shutil.rmtree(_going_on(self.key), ignore_errors=True)


@dataclass(frozen=True)
class EvaluationTask:
    """Ask the model after `step` steps of stage `index`, or the base model where `index` is -1."""

    experiment: Experiment
    index: int
    step: int
    full: bool = True  # False within a stage, where only direct and CoT answers are asked for

    @property
    def asked(self) -> tuple[str, ...]:
        every = self.experiment.ways
        if self.experiment.arm == NO_MODEL:
            return ("direct",)
        if self.full and self.experiment.arm != IN_CONTEXT:
            return every
        return tuple(mode for mode in every if mode in ("direct", "cot")) or ("cot",)

    @property
    def key(self) -> str:
        return evaluation_key(self.experiment, self.index, self.step, self.asked)

    @property
    def folder(self) -> Path:
        return store.runs() / "evaluations" / self.key

    @property
    def needs(self) -> list[Task]:
        return [StageTask(self.experiment, self.index)] if self.index >= 0 else []

    @property
    def tokens(self) -> int:
        """Roughly what evaluation costs, as if those tokens had been trained on."""
        e = self.experiment
        count = (e.split.without_io_programs + 60) * e.ask.questions * len(self.asked)
        return count * (25 + 15 * e.value("statements", 1))

    def __str__(self) -> str:
        e = self.experiment
        where = f"stage {self.index + 1}, step {self.step}" if self.index >= 0 else "the base model"
        if e.arm == NO_MODEL:
            return f"answer at random: {_programs(e)}, seed {e.seed}"
        return f"ask {label(e.model)}, {_programs(e)}, seed {e.seed}: {e.arm}, {where}"

    def run(self) -> None:
        """Ask, score, and leave answers and manifest; returns at once where that was done before."""
        once(self.folder, lambda folder: _evaluate(self, folder))

    def answers(self) -> pd.DataFrame:
        """Return the scored answers. Raises CorruptRunError where they are not what was written."""
        checked(self.folder, ANSWERS)
        try:
            return pd.read_parquet(io.BytesIO((self.folder / ANSWERS).read_bytes()))  # of a folder pandas makes no rows
        except Exception as error:
            raise CorruptRunError(self.folder / ANSWERS, f"cannot be read ({error})") from None


Task = StageTask | EvaluationTask


def count(number: int, thing: str) -> str:
    """Return ``1 stage`` or ``2 stages``."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def _programs(experiment: Experiment) -> str:
    """Return what is taught, in a word or two."""
    domain = DOMAINS[experiment.domain]
    in_words = domain.in_words or domain.kind
    return in_words(experiment.programs) if in_words else experiment.domain


def _knobs(experiment: Experiment) -> str:
    """Return what a figure may vary and this experiment has changed, such as ``" (4 templates)"``; or nothing."""
    usual, values = Experiment(), {name: experiment.value(name) for name in _VARIED}
    changed = {name: value for name, value in values.items() if value and value != usual.value(name)}
    said = [count(value, _VARIED[name]) if _VARIED[name] else value for name, value in changed.items()]
    return f" ({', '.join(said)})" if said else ""


def step_name(step: int) -> str:
    """Return what a stage's folder calls the weights after so many steps."""
    return f"step-{step:06d}"


def _going_on(key: str) -> Path:
    """Return where a stage that was stopped goes on from."""
    return store.runs() / "training" / key


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # a file system without hard links
        shutil.copy2(source, target)


def _train(task: StageTask, folder: Path) -> None:
    from pbb.models import backends

    e, stage = task.experiment, task.stage
    backend = backends.choose(task.trained)
    if backend.name == "unsloth" and "unsloth" not in sys.modules:
        backends.apart(_train, task, folder)
        return
    started = time.perf_counter()
    before = StageTask(e, task.index - 1).weights if task.index else None
    model, tokenizer = backends.load(task.trained, backend, before)
    from pbb.models import loading  # after Unsloth, which has to come before transformers
    from pbb.models.machine import compile_in_place, this_machine

    # What takes hours, SFT of a real model, goes on from here after it was stopped.
    real = e.model not in TINY_NAMES
    goes_on = backend.name != "unsloth" and not stage.objective and (stage.lora_rank or real)
    kept = _going_on(task.key) if goes_on else None
    went_on = kept is not None and any(kept.glob("checkpoint-*"))

    def keep(step: int, current: PreTrainedModel) -> None:
        loading.save(current, (kept or folder) / step_name(step))

    train = _by_rewards if stage.objective else _by_documents
    settings = {"checkpoints": task.checkpoints(), "on_checkpoint": keep, "progress": False, "backend": backend}
    if kept:
        settings |= {"keep": kept, "keep_every": KEPT_EVERY}
    worthwhile = goes_on and real and stage.steps >= COMPILED_FROM and not this_machine().card
    compiled = worthwhile and compile_in_place(model)
    done, taken, tokens = train(task, model, tokenizer, settings)
    for weights in kept.glob("step-*") if kept else ():  # linked: `kept` stays until this stage is complete
        shutil.copytree(weights, folder / weights.name, copy_function=_link)
    pd.DataFrame(done.log).to_csv(folder / "training_log.csv", index=False)
    about = {
        "label": stage.label,
        "stage": stage.number,
        "experiment": e.to_json(),
        "base_model": loading.describe(e.model),
        "objective": dict(stage.objective),
        "documents": taken,
        "tokens": tokens,
        "seconds_training": round(done.seconds, 1),
        "went_on": went_on,  # then seconds lack those before
        "device": done.device,
        "card": this_machine().card,
        "backend": backend.manifest(),
        "precision": done.precision,
        "compiled": bool(compiled),
    }
    _close(task, "stage", folder, started, about)


def _close(task: Task, kind: str, folder: Path, started: float, about: dict[str, Any]) -> None:
    about |= {"kind": kind, "key": task.key, "seconds": round(time.perf_counter() - started, 1)}
    seal(folder, task.key, about | environment_manifest())


def _by_documents(
    task: StageTask, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, settings: dict[str, Any]
) -> tuple[Training, dict[str, int], int]:
    """Train by SFT; return the training, documents trained on by group and kind, and tokens trained on."""
    from pbb.models import sft

    e, stage, how = task.experiment, task.stage, task.experiment.training
    optimisation = sft.Optimisation(
        stage.learning_rate, how.batch_rows, how.row_tokens, weight_decay=how.weight_decay, lora_rank=stage.lora_rank
    )
    rows, taken = sft.fill_rows(stage.documents(), tokenizer, how.row_tokens, stage.steps * how.batch_rows)
    done = sft.finetune(model, tokenizer, rows, stage.steps, optimisation, e.seed, **settings)
    # Up to a tenth of the documents taken find no room. What is in the rows starts at position 0, as padding does.
    ends = zip(rows["input_ids"], rows["labels"], strict=True)
    padded = sum(ids[-1] == tokenizer.pad_token_id and labels[-1] == sft.IGNORE for ids, labels in ends)
    share = (sum(row.count(0) for row in rows["position_ids"]) - padded) / sum(taken.values())
    return done, {kind: round(number * share) for kind, number in taken.items()}, task.tokens


def _by_rewards(
    task: StageTask, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, settings: dict[str, Any]
) -> tuple[Training, dict[str, int], int]:
    """Train by GRPO; return the training, questions asked by group and kind, and tokens generated or trained on."""
    from pbb.models import grpo

    e, stage, group = task.experiment, task.stage, groups(task.experiment)[0]
    how = dict(stage.objective)
    policy = grpo.PolicyOptimisation(learning_rate=stage.learning_rate, lora_rank=stage.lora_rank, **how)
    done = grpo.reinforce(model, tokenizer, stage.documents(), group, stage.steps, policy, e.seed, **settings)
    return done, {f"{group.name}: execution": done.questions}, done.tokens_generated + done.tokens_trained


def _evaluate(task: EvaluationTask, folder: Path) -> None:
    from pbb.models import ask, loading

    started, dtype = time.perf_counter(), ""
    if task.experiment.arm == NO_MODEL:
        rows = answer_at_random(task.experiment)
    else:
        weights = StageTask(task.experiment, task.index).weights_after(task.step) if task.index >= 0 else None
        model, tokenizer = loading.load(task.experiment.model, weights)
        dtype = str(model.dtype).removeprefix("torch.")
        rows = ask.evaluate(model, tokenizer, questions(task.experiment, task.asked))
    pd.DataFrame(rows).to_parquet(folder / ANSWERS)
    about = {"questions": len(rows), "batch_size": ASKED_AT_ONCE, "dtype": dtype}
    _close(task, "evaluation", folder, started, about)


def seconds_taken(task: Task) -> float:
    """Return how long a complete task took, from its manifest."""
    return float((read_manifest(task.folder) or {}).get("seconds", 0.0))
