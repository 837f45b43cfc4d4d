"""What trains a model: Unsloth, PEFT's adapters, or all weights with transformers alone. Chosen once, and said.

An experiment's field `backend` names one, or leaves the choice to the machine ("auto"): Unsloth where there is a card
and Unsloth is installed, and otherwise PEFT with `lora_rank` and full finetuning without. `plan` shows the choice with
its reason; one that was asked for by name and cannot run here is an error, and never replaced.

Unsloth has to be imported before trl, transformers and peft, and alters them for as long as the process lives. So
what it trains is trained in a process of its own (`apart`), and nothing else ever is. It leaves plain weights, which
transformers loads for asking.
"""

from __future__ import annotations

import importlib.metadata
import math
import multiprocessing
import os
import sys
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pbb.experiments.documents import ASKED_AT_ONCE
from pbb.experiments.experiment import Experiment
from pbb.models import gguf, hub
from pbb.models.machine import Machine, asking_weights, this_machine
from pbb.models.model_size import GB, Shape, asking_bytes, training_bytes
from pbb.registry import TINY_NAMES, cache, config_of, first_line, folder_of, hub_models, hub_name, is_gguf, label

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

T = TypeVar("T")
_unsloth_fails = ""  # why it cannot be imported, once that was tried in this process (see `apart`)
LABELS = {"unsloth": "Unsloth", "peft": "PEFT", "full": "full finetuning"}
ASKED_LENGTH = 400  # tokens of a question and its answer, where memory is estimated
LONG_S = 3600  # of training on a CPU, from which on the plan says that a GPU helps


class BackendError(ValueError):
    """What was asked for cannot train here; the message says why, and what can."""


@dataclass(frozen=True)
class Backend:
    """What trains, in which numbers, and why."""

    name: str  # a key of LABELS
    reason: str
    weights: str = "float32"  # format of those that stay as they are ("4-bit" too), or that are trained
    autocast: str = ""  # what products are computed in where that differs
    numbers: str = ""  # why these formats

    def __str__(self) -> str:
        return f"{LABELS[self.name]}: {self.reason}"

    @property
    def precision(self) -> str:
        """The number formats in words."""
        products = f", products in {self.autocast}" if self.autocast not in ("", self.weights) else ""
        return f"{self.weights} weights{products}"

    def manifest(self) -> dict[str, str]:
        """Return what a manifest says of it, with the versions of packages that nothing else uses."""
        packages = ("unsloth", "unsloth_zoo", "bitsandbytes") if self.name == "unsloth" else ()
        return {**asdict(self), **{package: importlib.metadata.version(package) for package in packages}}


def choose(experiment: Experiment, machine: Machine | None = None) -> Backend:
    """Return what trains `experiment` on `machine`, this one by default.

    Raises:
        BackendError: the backend that was asked for cannot run there.
    """
    e, m = experiment, machine or this_machine()
    plain = "peft" if e.training.lora_rank else "full"
    lacks = m.without or _unsloth_fails
    name, reason = plain, lacks or f"CUDA found ({m.card})"
    if e.training.backend.startswith("unsloth"):
        four = e.training.backend == "unsloth-4bit"
        if without := lacks or ("bitsandbytes is not installed" if four and not m.four_bits else ""):
            raise BackendError(
                f"backend={e.training.backend!r} cannot run here: {without}; valid here: 'auto' or {plain!r}, which "
                f"both take {LABELS[plain]}"
            )
        name, reason = "unsloth", reason if m.card else "asked for, on a CPU (UNSLOTH_FORCE_CPU=1)"
    elif e.training.backend != "auto":
        reason = "asked for"
    elif m.card and e.model in TINY_NAMES:
        reason = "a tiny model gains nothing from Unsloth"
    elif m.card and not lacks:
        name = "unsloth"
    return Backend(name, reason, *_formats(e, m))


def _formats(e: Experiment, m: Machine) -> tuple[str, str, str]:
    """Return the formats of weights and of products, and why."""
    four = "4-bit" if e.training.backend == "unsloth-4bit" else ""
    if m.card and e.model in TINY_NAMES:
        return "float32", "", "a tiny model is not bound by products"
    if m.card:
        lacks = "" if m.half == "bfloat16" else "no "
        why = f"compute capability {m.capability[0]}.{m.capability[1]} has {lacks}bfloat16"
    elif not m.half or e.model in TINY_NAMES or e.training.backend.startswith("unsloth"):
        return four or "float32", "", "no CUDA"
    else:
        why = "this CPU multiplies faster in it than in float32"
    # Trained weights stay in float32, where small steps are not rounded away; frozen ones need not.
    return four or (m.half if e.training.lora_rank else "float32"), m.half, why


def load(
    experiment: Experiment, backend: Backend, weights: Path | None = None
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Return (model, tokenizer) as `backend` trains them, from the base model or from `weights` of it.

    Unsloth's models come with their adapters, transformers' get theirs from the trainer.

    Raises:
        BackendError: see `import_unsloth`.
        ModelError: the model cannot be had.
    """
    e, rank = experiment, experiment.training.lora_rank
    if backend.name == "unsloth":
        import_unsloth()
    from pbb.models import loading

    if backend.name != "unsloth":
        return loading.load(e.model, weights, backend.weights)
    import torch
    from unsloth import FastLanguageModel

    base = str(loading.source_of(e.model).resolve())  # absolute: Unsloth may look a bare name up on the Hub
    mixed = {"float32_mixed_precision": True} if not rank and torch.cuda.is_available() else {}
    four = backend.weights == "4-bit"
    model, _ = FastLanguageModel.from_pretrained(
        str(weights.resolve()) if weights else base,
        tokenizer_name=base,
        max_seq_length=e.training.row_tokens + e.grpo.length,
        dtype=getattr(torch, (backend.autocast or "float32") if four else backend.weights),
        load_in_4bit=four,
        trust_remote_code=False,
        full_finetuning=not rank,
        use_gradient_checkpointing=False,
        **mixed,
    )
    if rank:
        model = FastLanguageModel.get_peft_model(
            model,
            r=rank,
            lora_alpha=2 * rank,  # as `pbb.models.sft.lora`
            target_modules="all-linear",
            use_gradient_checkpointing=False,
            random_state=e.seed,
        )
    # Its tokenizer is left alone: Unsloth replaces padding tokens, and ours is the one that evaluation uses.
    return model, loading.load_tokenizer(e.model)


def import_unsloth() -> None:
    """Import Unsloth, with its statistics switched off.

    Raises:
        BackendError: transformers came first in this process (see `apart`), or Unsloth cannot be imported.
    """
    if "unsloth" not in sys.modules and {"transformers", "trl", "peft"} & sys.modules.keys():
        raise BackendError("Unsloth has to be imported before transformers, which this process has loaded already")
    os.environ.setdefault("UNSLOTH_DISABLE_STATISTICS", "1")
    os.environ.setdefault("UNSLOTH_COMPILE_LOCATION", str(cache() / "unsloth"))
    try:
        import unsloth  # noqa: F401
    except (ImportError, NotImplementedError, RuntimeError) as error:
        raise BackendError(f"Unsloth is installed and cannot be imported: {first_line(error)}") from error


def apart(function: Callable[..., T], *arguments: Any) -> T:
    """Return what `function` returns, called in a new process that has imported Unsloth before anything else.

    Where Unsloth is installed and cannot be imported, that is said in a line, `choose` takes it into account from then
    on, and `function` is called in this process: nothing of Unsloth has touched its libraries.
    """
    global _unsloth_fails
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), _end_with_caller) as pool:
        try:
            pool.submit(import_unsloth).result()
        except BackendError as error:
            _unsloth_fails = str(error)
        else:
            return pool.submit(function, *arguments).result()
    print(f"{_unsloth_fails}; PEFT or full finetuning trains where backend='auto'", file=sys.stderr, flush=True)
    return function(*arguments)


def _end_with_caller() -> None:
    """End this process when its caller has ended, even by kill -9: it would hold the card."""

    def follow() -> None:
        multiprocessing.parent_process().join()  # type: ignore[union-attr]
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()


def collate(rows: list[dict[str, list[int]]]) -> dict[str, torch.Tensor]:
    """Return a batch for Unsloth of the rows of `pbb.models.sft.pack`: all in one row, with each document's length.

    Its attention keeps documents apart by these lengths, and only within one row; transformers does by position ids.
    """
    import torch

    columns = {name: torch.tensor([[number for row in rows for number in row[name]]]) for name in rows[0]}
    starts = (columns["position_ids"][0] == 0).nonzero().flatten()
    lengths = torch.diff(starts, append=torch.tensor([columns["position_ids"].shape[1]]))
    return {**columns, "packed_seq_lengths": lengths.to(torch.int32)}


# ---------------------------------------------------------------------------------------------------- the plan
def check(trainings: Iterable[Any], machine: Machine | None = None) -> None:
    """Raise BackendError where one of `trainings` (of `pbb.runs.tasks.StageTask`) cannot be, before any is."""
    m = machine or this_machine()
    for e in dict.fromkeys(training.trained for training in trainings):
        choose(e, m)
        shape = Shape.of(config_of(e.model))
        if m.card and shape and (needed := asking_bytes(shape, asking_weights(shape, m), 1, 1)) > m.memory:
            raise BackendError(
                f"model={e.model!r} wants {needed / GB:.0f} GB of GPU memory for its weights alone, and the {m.card} "
                f"has {m.memory / GB:.0f} GB; valid: a smaller model, or a larger card"
            )


def fetch(experiments: Iterable[Experiment]) -> None:
    """Fetch or dequantise the models of `experiments`, one after the other, so that all workers then find the same.

    Raises:
        ModelError: a model cannot be had, or not be trained and asked in turns; the message says what to do.
    """
    from pbb.models import loading

    for name in dict.fromkeys(e.model for e in experiments if e.model not in TINY_NAMES):
        loading.load_tokenizer(name)


def lines(
    trainings: Iterable[Any], machine: Machine | None = None, rate: Callable[[str], float] = lambda model: math.inf
) -> list[str]:
    """Return what the plan says of the models that are to be trained: by what and why, and what that takes.

    `rate` is how many tokens of a model all workers together train on in a second.
    """
    m, found = machine or this_machine(), dict[tuple[Any, ...], tuple[Experiment, int]]()
    for training in trainings:
        e, t = training.trained, training.trained.training
        key = (e.model, t.backend, t.lora_rank, t.batch_rows * t.row_tokens)
        example, tokens = found.get(key, (e, 0))
        found[key] = example, tokens + training.tokens
    said = {_line(e, m, tokens / rate(e.model)): e.model for e, tokens in found.values()}
    before = {model: wanted(model) for model in said.values()}  # is said in a model's first line
    return ["; ".join(filter(None, (line, before.pop(model, "")))) for line, model in said.items()]


def _line(e: Experiment, m: Machine, seconds: float) -> str:
    try:
        backend = choose(e, m)
    except BackendError as error:
        return f"{label(e.model)}: {error}"
    why = "" if backend.numbers == "no CUDA" else f" ({backend.numbers})"
    said = [f"{label(e.model)} by {backend}", backend.precision + why]
    t, shape = e.training, Shape.of(config_of(e.model)) if e.model not in TINY_NAMES else None
    if m.card and shape:
        needed = max(
            training_bytes(shape, t.lora_rank, backend.weights, t.batch_rows * t.row_tokens),
            asking_bytes(shape, asking_weights(shape, m), ASKED_AT_ONCE, ASKED_LENGTH),
        )
        small = "" if needed < m.memory else ": too much, unless batch_rows is smaller or backend='unsloth-4bit'"
        said.append(f"about {needed / GB:.0f} GB of the card's {m.memory / GB:.0f} GB{small}")
    elif shape and seconds > LONG_S:
        hours = f"about {seconds / 3600:.0f} h on this CPU"
        said.append(f"{hours}, in pieces if you like (BUDGET_MIN=60), so a GPU helps")
    return "; ".join(said)


def wanted(model: str) -> str:
    """Return what has to be fetched or made before `model` can be loaded here, in words; "" for nothing. Asks nobody.

    Raises:
        ModelError: there is no such model.
    """
    if is_gguf(model):
        return gguf.wanted(model)
    if folder_of(model) is not None or not (room := hub.room(model)):
        return ""
    said = [room] if hub.commit_of(model) else [room, "its commit is the Hub's latest, not known yet"]
    if hub_models().get(hub_name(model).repository, {}).get("gated"):
        said.append("gated: it takes a token")
    return "; ".join(said)
