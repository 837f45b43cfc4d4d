"""How long tasks should take on a card, and what they leave on disk: estimates, from parameters and counts of tokens.

Nothing here was measured on a card; `models.model_size` says what is assumed of one. Neither torch nor any program is
needed: texts are taken to be as long as they were on average when the presets were made.
"""

from __future__ import annotations

from collections.abc import Sequence

from pbb.experiments.documents import ASKED_AT_ONCE, MOST_WITH_IO, SLACK
from pbb.experiments.experiment import Experiment
from pbb.models import backends
from pbb.models.machine import Machine, asking_weights, rates
from pbb.models.model_size import GB, LAYER_S, SHARE, Shape, asking_seconds, step_seconds
from pbb.registry import config_of
from pbb.runs.tasks import NO_MODEL, StageTask, Task

# Mean tokens of a source, a description and a trace with SmolLM2's tokenizer: of arithmetic by statements.
ARITHMETIC = {1: (21, 28, 40), 2: (31, 42, 58), 3: (43, 60, 88)}
TEXTS = {"ciphers": (80, 80, 120), "composition": (21, 28, 56), "grammars": (61, 61, 26)}
LONGEST = (80, 80, 150)  # of what was not measured
PROMPT = 60  # tokens of a question with its template
START_S = {"unsloth": 45.0, "peft": 5.0, "full": 5.0}  # a process of its own with Unsloth; or a model in a ready worker
READ = 1e9  # bytes a second from disk
SMALL = 2e7  # parameters, up to which `models.save` keeps float32


def seconds(task: Task, machine: Machine) -> float | None:
    """Return about how long `task` takes on the card of `machine`; None without a card, or of an unknown model."""
    if isinstance(task, StageTask):
        return train_seconds(task.experiment, task.stage.steps, bool(task.stage.objective), machine)
    return ask_seconds(task.experiment, task.asked, machine)


def train_seconds(e: Experiment, steps: int, rewarded: bool, machine: Machine) -> float | None:
    """Return about how long `steps` steps of a stage take, by GRPO if `rewarded`; None where that is not known."""
    shape = Shape.of(config_of(e.model)) if machine.card else None
    if shape is None:
        return None
    try:
        backend = backends.choose(e, machine)
    except backends.BackendError:  # the plan says why
        return None
    _, card = rates(machine)
    each, tokens = 0.0, e.training.batch_rows * e.training.row_tokens
    if rewarded:
        tokens = e.grpo.completions * (PROMPT + e.grpo.length)
        each = asking_seconds(shape, backend.weights, e.grpo.completions, PROMPT, e.grpo.length, card.half, card.memory)
    each += step_seconds(shape, e.training.lora_rank, tokens, card.half if backend.autocast else card.full)
    return START_S[backend.name] + 2 * shape.parameters / READ + steps * each


def ask_seconds(e: Experiment, modes: Sequence[str], machine: Machine) -> float | None:
    """Return about how long it takes to put an evaluation's questions; None where that is not known."""
    if e.arm == NO_MODEL:
        return 0.0
    shape = Shape.of(config_of(e.model)) if machine.card else None
    if shape is None:
        return None
    weights, (_, card) = asking_weights(shape, machine), rates(machine)
    source, description, trace = (
        ARITHMETIC.get(e.programs.statements) if e.domain == "arithmetic" else None
    ) or TEXTS.get(e.domain, LONGEST)
    told = source if e.documents.representation == "code" else description
    trained = 0 if e.arm in ("in_context", "distillation") else min(e.split.with_io_programs, MOST_WITH_IO)
    questions = (e.split.without_io_programs + trained) * e.ask.questions
    total = START_S["full"] + 4 * shape.parameters / READ
    for mode in modes:
        # (prompts, tokens of an answer): recite-then-run writes each w/o IO program's source and then its traces.
        rounds = {
            "direct": [(questions, 2)],
            "cot": [(questions, trace)],
            "recall": [(e.split.without_io_programs + trained, told)],
            "recite": [(e.split.without_io_programs, told), (e.split.without_io_programs * e.ask.questions, trace)],
        }[mode]
        for prompts, new in rounds:
            at_once = min(prompts, ASKED_AT_ONCE)
            speed = card.full if weights == "float32" else card.half
            total += -(-prompts // ASKED_AT_ONCE) * asking_seconds(
                shape, weights, at_once, PROMPT, new + SLACK, speed, card.memory
            )
    return total


def stage_bytes(e: Experiment, checkpoints: int, machine: Machine) -> float:
    """Return about how many bytes of disk a stage's checkpoints take; 0 where the model is not known."""
    shape = Shape.of(config_of(e.model))
    if shape is None:
        return 0.0
    return checkpoints * shape.parameters * (2 if machine.card and shape.parameters >= SMALL else 4)


def assumptions(machine: Machine) -> str:
    """Return what the times above rest on, in words."""
    kind, card = rates(machine)
    taken = "" if kind in machine.card else f", which is not listed here and taken for an {kind},"
    return (
        f"times are estimates, not measured on the {machine.card}{taken}: {SHARE:.0%} of its datasheet's "
        f"{card.half / 1e12:.0f} TFLOP/s in {machine.half}, but at least {1000 * LAYER_S['asking']:.0f} to "
        f"{1000 * LAYER_S['adapters']:.0f} ms a layer"
    )


def duration(seconds: float) -> str:
    """Return seconds as it is said: ``"40 s"``, ``"3 min"``, ``"2.5 h"``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def amount(size: float) -> str:
    """Return bytes as it is said: ``"33 MB"``, ``"0.3 GB"``, ``"18 GB"``, ``"1.1 TB"``."""
    for unit, name, least in ((1e12, "TB", 1e12), (GB, "GB", 0.1 * GB)):
        if size >= least:
            return f"{size / unit:.1f} {name}" if size < 10 * unit else f"{size / unit:.0f} {name}"
    return f"{size / 1e6:.0f} MB"
