"""What this machine can run: ``python -m pbb doctor``. Looks, and changes nothing; asks no network.

Lists the card, packages, memory, disk and models that there are, and for each preset whether it fits, why not, and
about how long it should take, as a plan says it.
"""

from __future__ import annotations

import importlib.metadata
import re
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from pbb import store
from pbb.experiments.presets import PRESETS
from pbb.experiments.studies import figures_of, study
from pbb.models import backends, gguf, hub
from pbb.models.machine import Machine, this_machine
from pbb.models.model_size import GB, Shape, asking_bytes
from pbb.notebook.bootstrap import gpu
from pbb.programs.execution import confinement
from pbb.progress import duration
from pbb.registry import PACKAGED, SMOLLM2, TINY_NAMES, ModelError, cache, config_of, hub_models
from pbb.runs.plan import amount, measured_rates, plan, stage_bytes, tokens_per_second
from pbb.runs.tasks import StageTask, Task

WIDTH = 100
SMOKE_MEMORY, MEMORY = 4 * GB, 8 * GB  # of the machine, that preset smoke and any other wants
SPARE_DISK = 1 * GB  # beside weights: answers, records, figures


@dataclass(frozen=True)
class Facts:
    """What was found on a machine. `disks` are (what, folder, free bytes), `models` (name, what is wanted first)."""

    machine: Machine
    memory: float  # of the machine, in bytes
    free_memory: float
    disks: tuple[tuple[str, Path, float], ...]
    models: tuple[tuple[str, str], ...]
    torch: str = ""  # its version
    seen: str = ""  # the card that nvidia-smi shows, in words
    token: bool = False
    offline: bool = False


def look() -> Facts:
    """Return what is here. Loads torch."""
    import huggingface_hub
    from huggingface_hub import constants

    memory = psutil.virtual_memory()
    folders = {"run store": store.runs(), "pbb's cache": cache(), "the Hub's cache": Path(constants.HF_HUB_CACHE)}
    return Facts(
        machine=this_machine(),
        memory=memory.total,
        free_memory=memory.available,
        disks=tuple((label, folder, hub.free_disk(folder)) for label, folder in folders.items()),
        models=tuple((name, _wanted(name)) for name in (*TINY_NAMES, SMOLLM2, *hub_models())),
        torch=importlib.metadata.version("torch"),
        seen=gpu().partition("no GPU")[0],
        token=bool(huggingface_hub.get_token()),
        offline=bool(constants.HF_HUB_OFFLINE),
    )


def _wanted(model: str) -> str:
    try:
        return backends.wanted(model)
    except ModelError as error:  # a tiny model without its weights
        return str(error).partition(": ")[2]


# ------------------------------------------------------------------------------------------------- presets
@dataclass(frozen=True)
class Fit:
    """Whether a preset fits a machine: not where there are `reasons`. Estimates, of all that its figures take."""

    preset: str
    reasons: tuple[str, ...]
    seconds: float
    disk: float  # bytes of all checkpoints


def fits(preset: str, facts: Facts) -> Fit:
    """Return whether `preset` fits the machine of `facts`, and what it takes with nothing done yet."""
    here = facts.machine
    tasks = plan([e for figure in figures_of(preset) for e in study(figure, preset)]).tasks
    rates = measured_rates("cuda" if here.card else "cpu")
    names = dict.fromkeys(task.experiment.model for task in tasks)
    speed = {name: rates.get(name) or tokens_per_second(name) for name in names}
    each = [task.tokens / speed[task.experiment.model] for task in tasks]
    disk = sum(stage_bytes(task, here) for task in tasks if isinstance(task, StageTask))
    reasons = [*_refused(tasks, facts), *_missing(names, facts)]
    _, folder, free = facts.disks[0]
    if disk + SPARE_DISK > free:
        reasons.append(f"it wants about {amount(disk + SPARE_DISK)} of disk, and {folder} has {amount(free)}")
    memory = SMOKE_MEMORY if preset == "smoke" else MEMORY
    if facts.memory < 0.9 * memory:  # what is sold as 8 GB has a little less
        reasons.append(f"it wants {amount(memory)} of memory, and there are {amount(facts.memory)}")
    return Fit(preset, tuple(reasons), max(sum(each) / (here.cards if here.card else here.cores), *each), disk)


def _refused(tasks: Iterable[Task], facts: Facts) -> list[str]:
    """Return why what is to be trained cannot be: by its backend, or for its weights' size."""
    told, stages = [], [task for task in tasks if isinstance(task, StageTask)]
    for task in {(task.experiment.model, task.experiment.training.backend): task for task in stages}.values():
        model = task.experiment.model
        shape = Shape.of(config_of(model))
        size = asking_bytes(shape, "float32", 1, 1) if shape and not facts.machine.card else 0
        try:
            backends.check([task], facts.machine)
        except backends.BackendError as error:
            told.append(str(error).partition(";")[0])
        if size > facts.memory:
            wants = f"wants {amount(size)} of memory for its weights alone, and there are {amount(facts.memory)}"
            told.append(f"{model} {wants}")
    return [*dict.fromkeys(told)]


def _missing(models: Iterable[str], facts: Facts) -> list[str]:
    """Return why models that are needed cannot be had."""
    known, wanted = hub_models(), dict(facts.models)
    missing = [model for model in models if wanted.get(model) not in (None, "", gguf.first_use(PACKAGED[SMOLLM2]))]
    why = [f"{model}: {wanted[model]}" for model in missing if model not in known]
    there = [model for model in missing if model in known]
    if facts.offline and there:
        return [*why, f"not in the Hub's cache, and the Hub is switched off: {', '.join(there)}"]
    gated = [model for model in there if known[model].get("gated")]
    return [*why, f"gated, and no token was found: {', '.join(gated)}"] if gated and not facts.token else why


# ------------------------------------------------------------------------------------------------ in words
def report(facts: Facts | None = None) -> str:
    """Return what the machine of `facts`, or this one, can run, as text of at most `WIDTH` columns."""
    facts = facts or look()
    token = "found" if facts.token else "none: `hf auth login`, or HF_TOKEN=…, for gated models"
    off = "switched off: HF_HUB_OFFLINE or TRANSFORMERS_OFFLINE is set"
    here = ("the Hub", off if facts.offline else "not switched off, and not asked just now")
    sections = {
        "Machine": _machine(facts),
        "Disk": ((label, f"{amount(free)} free in {folder}") for label, folder, free in facts.disks),
        "Models": [*((name, wanted or "ready") for name, wanted in facts.models), ("token", token), here],
        "Presets": _presets(facts),
    }
    lines = []
    for title, rows in ((title, list(rows)) for title, rows in sections.items()):
        wide = max(len(name) for name, _ in rows) + 2
        lines += [title, *(line for name, text in rows for line in _wrapped(f"  {name:<{wide}}", text)), ""]
    return "\n".join([*lines, *_wrapped("", _advice(facts))])


def _wrapped(head: str, text: str) -> list[str]:
    how: dict[str, Any] = {"break_long_words": False, "break_on_hyphens": False}
    return textwrap.wrap(text, WIDTH, initial_indent=head, subsequent_indent=" " * len(head), **how)


def _machine(facts: Facts) -> Iterator[tuple[str, str]]:
    m = facts.machine
    capability = f"compute capability {m.capability[0]}.{m.capability[1]}"
    cards = f"{m.cards} of them, the smallest with " if m.cards > 1 else ""
    if m.card:
        yield "card", f"{m.card}, {cards}{amount(m.memory)}, {capability}"
        why = f"{capability} has {'it' if m.half == 'bfloat16' else 'no bfloat16'}"
        yield "numbers", f"{m.half} ({why}); float32 for tiny models, and where up to 1 B parameters are asked"
    else:
        wrong = f"; {facts.seen}, which torch {facts.torch} cannot use: `make distclean setup TORCH_INDEX=`"
        yield "card", f"none that torch finds{wrong if facts.seen else ''}"
        yield "numbers", "bfloat16 for real models (measured: faster here)" if m.half else "float32 (no CUDA)"
    yield "torch", facts.torch
    yield "programs", confinement()
    of_no_use = "of no use without CUDA"
    yield "Unsloth", "installed" if not m.without else of_no_use if not m.card else f"{m.without}; else PEFT trains"
    four = "not installed: `make unsloth`, for backend='unsloth-4bit'"
    yield "bitsandbytes", "installed" if m.four_bits else four if m.card else of_no_use
    yield "cores", str(m.cores)
    yield "memory", f"{amount(facts.free_memory)} of {amount(facts.memory)} free"


def _presets(facts: Facts) -> Iterator[tuple[str, str]]:
    for preset in PRESETS:
        fit = fits(preset, facts)
        verdict = "does not fit" if fit.reasons else "fits"
        yield preset, f"{verdict}; about {duration(fit.seconds)}, {amount(fit.disk)} of disk"
        yield from (("", f"- {reason}") for reason in fit.reasons)


def _advice(facts: Facts) -> str:
    best = "llm" if facts.machine.card else "cpu"
    return (
        f"PRESET=auto is {best} here. Times are for all figures of a preset with nothing done yet: of models that runs "
        f"have trained here, as measured then; of others, by a calibration of a few seconds. {took()}"
    )


def took() -> str:
    """Return how long `make reproduce` took where it was measured, as the Makefile says it; "" without a Makefile."""
    file = store.root() / "Makefile"
    row = re.search(r"^reproduce: .* \| (.*) \| (.*) \|", file.read_text() if file.exists() else "", re.MULTILINE)
    return f"`make reproduce PRESET=cpu` took {row[2]} on {row[1]}." if row else ""
