"""Studies: the experiments that each figure needs, as data.

Figures share what they can: an experiment of one is often an arm, or a stage, of another's, and is then run once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pbb.experiments.base_data import CIPHERS as BASE_CIPHERS
from pbb.experiments.experiment import ASKED, PRESETS, Experiment, preset_values
from pbb.registry import TINY_NAMES

# F02's arms, in the order in which a reader meets them.
ARMS = (
    "untuned",
    "in_context",
    "stage_1_only",
    "stage_2_only",
    "no_demonstrations",
    "skip_exposure",
    "homogeneous",
    "proactive",
    "retroactive",
)
LENGTHS = (1, 2, 3)  # statements, in F05
FEWER_LENGTHS = {"smoke": (1, 2), "colab": (1, 2)}
# Longer programs need longer rows, and more training to be recalled; a step stays about as many tokens. The rows of
# presets with a card hold three statements as they are.
LONGER: dict[str, dict[int, dict[str, Any]]] = {
    "cpu": {
        2: {"row_tokens": 192, "batch_rows": 6, "stage_1_steps": 1650},
        3: {"row_tokens": 256, "batch_rows": 4, "stage_1_steps": 1800},
    },
    "gpu": {2: {"stage_1_steps": 1200}, 3: {"stage_1_steps": 1500}},
    "colab": {2: {"stage_1_steps": 240}},
    "paper": {2: {"stage_1_steps": 1200}, 3: {"stage_1_steps": 1500}},
}
# The least that there is to run, in F05: where tiny models find direct answers too. More weight decay than elsewhere,
# since it favours one memory of a number for all ways of asking (LOG.md).
SUMS: dict[str, dict[str, Any]] = {
    "cpu": {
        **{"domain": "sums", "with_io_programs": 430, "weight_decay": 0.5, "stage_1_steps": 2000, "asked": ASKED},
    },
}
SIZES = ("tiny-s", "tiny-m", "tiny-l")
# The models of F03 and F04, the preset's own where there is none. Tiny ones keep preset cpu's budget: what suits
# adapters of a pretrained model teaches them nothing.
LADDERS = {
    "cpu": SIZES,
    "gpu": (*SIZES, "smollm2-135m"),
    "paper": (
        "meta-llama/Llama-3.2-1B-Instruct",
        "meta-llama/Llama-3.2-3B-Instruct",
        "meta-llama/Llama-3.1-8B-Instruct",
        "Qwen/Qwen3-14B",
    ),
}
DEMONSTRATIONS = (1, 2, 4, 7, 9)  # of ten inputs that a program has, in F08
# Of F08: demonstrations of a hundred programs are soon known. With a card 150, 50 and 75 epochs, of one a program.
DISTILLATION_STEPS = {"cpu": 500, "gpu": 250, "colab": 100, "paper": 250}
COUNTS = (200, 800, 2400)  # w/ IO programs, in F09: of two statements, since there are about 1,000 of one
TEMPLATES = (1, 4, 20)  # in F10
STAGE_2_DOUBLINGS = 6  # evaluations in F06, whose axes are logarithmic
# Of SFT in F06, where half of them ask as many questions as GRPO and the SFT before it do: it is evaluated there.
EXECUTION_STEPS = {"cpu": 400}
# F06 asks for chains of thought alone: direct answers are right by chance, and rewards for chance hide the others.
RETROACTIVE = {"trained_modes": ("cot",), "asked": ("cot", "recall"), "stage_2_doublings": STAGE_2_DOUBLINGS}
_ROWS = {
    preset: {name: PRESETS[preset][name] for name in ("row_tokens", "batch_rows")}
    for preset in ("gpu", "colab", "paper")
}
# F07, F11 and F13 are about other domains: "any" is for every preset, the rest for one. Questions on all inputs that a
# program has; a row holds the longest trace.
CIPHERS: dict[str, dict[str, Any]] = {
    "any": {
        **{"domain": "ciphers", "alphabet": 10, "letter_case": "upper", "shortest_text": 1, "longest_text": 3},
        **{"distilled_shifts": "natural", "distilled_demonstrations": 20},
        **{"row_tokens": 320, "batch_rows": 4, "questions": 10, "checkpoints": 1},
    },
    "smoke": {"letter_case": "digits", "longest_text": 2, "questions": 3},
    # The tiny models know no letters as numbers; these kinds are what tiny-m-ciphers was made of.
    "cpu": {
        **{"model": "tiny-m-ciphers", "letter_case": "digits", "cipher_kinds": BASE_CIPHERS.kinds},
        **{"with_io_programs": 300, "without_io_programs": 40, "stage_1_steps": 2000, "stage_2_steps": 150},
    },
    # 288 tokens in the longest trace with SmolLM2's tokenizer.
    "gpu": {"with_io_programs": 300, "without_io_programs": 40, "row_tokens": 416, "batch_rows": 10},
    "colab": {"with_io_programs": 200, "without_io_programs": 40, "row_tokens": 416, "batch_rows": 5},
    "paper": {"with_io_programs": 300, "without_io_programs": 40, "row_tokens": 416, "batch_rows": 5},
}
COMPOSITION: dict[str, dict[str, Any]] = {
    "any": {
        **{"domain": "composition", "parts": "w/o IO", "composites": "named", "asked": ("direct", "cot")},
        **{"with_io_composites": 200, "row_tokens": 224, "batch_rows": 5, "questions": 10, "checkpoints": 1},
    },
    "smoke": {"with_io_composites": 4},
    **_ROWS,  # 191 tokens in the longest trace
}
GRAMMARS: dict[str, dict[str, Any]] = {
    "any": {
        **{"domain": "grammars", "nonterminals": 3, "terminals": 4, "longest_string": 6},
        **{"row_tokens": 192, "batch_rows": 6, "questions": 8, "checkpoints": 1},
    },
    **_ROWS,  # 125 tokens in the longest rules
}


def curricula(preset: str, seed: int) -> list[Experiment]:
    """F02: every arm, on programs of one statement."""
    return [Experiment.of(preset, curriculum=arm, seed=seed) for arm in ARMS]


def _of_length(preset: str, length: int, **changes: Any) -> Experiment:
    return Experiment.of(
        preset, **{"statements": length, "asked": ASKED} | LONGER.get(preset, {}).get(length, {}) | changes
    )


def _by_length(preset: str, seed: int) -> list[Experiment]:
    lengths = FEWER_LENGTHS.get(preset, LENGTHS)
    arms = ("proactive", "stage_1_only", "in_context")
    return [_of_length(preset, length, curriculum=arm, seed=seed) for length in lengths for arm in arms]


def answer_mode(preset: str, seed: int) -> list[Experiment]:
    """F05: direct, CoT and recite-then-run by program length, with the control and the ceiling of each; and on sums."""
    arms = ("proactive", "homogeneous", "stage_1_only", "in_context") if preset in SUMS else ()
    sums = [Experiment.of(preset, **SUMS[preset], curriculum=arm, seed=seed) for arm in arms]
    return _by_length(preset, seed) + sums


def representation(preset: str, seed: int) -> list[Experiment]:
    """F04: code against its description, by model size, with the control and the ceiling of each."""
    return [
        Experiment.of(_budget(preset, model), model=model, representation=form, curriculum=arm, seed=seed)
        for model in LADDERS.get(preset, (Experiment.of(preset).model,))
        for form in ("code", "description")
        for arm in ("proactive", "stage_1_only", "in_context")
    ]


def _budget(preset: str, model: str) -> str:
    """Return the preset whose budget a model of a ladder has."""
    return "cpu" if model in TINY_NAMES and Experiment.of(preset).lora_rank else preset


def scale(preset: str, seed: int) -> list[Experiment]:
    """F03: what F04 teaches in code."""
    return [experiment for experiment in representation(preset, seed) if experiment.representation == "code"]


def retroactive_rl(preset: str, seed: int) -> list[Experiment]:
    """F06: Retroactive's Stage 2 by SFT and by GRPO, where both start, and the same without the w/o IO sources."""
    steps = {"execution_steps": EXECUTION_STEPS[preset]} if preset in EXECUTION_STEPS else {}
    sft = [
        Experiment.of(preset, **RETROACTIVE, **steps, curriculum=arm, seed=seed)
        for arm in ("retroactive", "skip_exposure")
    ]
    arms = ("no_demonstrations", "retroactive_grpo", "grpo_without_pbb")
    return sft + [Experiment.of(preset, **RETROACTIVE, curriculum=arm, seed=seed) for arm in arms]


def sample_efficiency(preset: str, seed: int) -> list[Experiment]:
    """F08: algorithm distillation by number of demonstrations, and the arm that is told the source instead."""
    told = [Experiment.of(preset, curriculum=arm, seed=seed) for arm in ("proactive", "stage_1_only")]
    steps = {"stage_1_steps": DISTILLATION_STEPS[preset]} if preset in DISTILLATION_STEPS else {}
    shown = DEMONSTRATIONS if preset != "smoke" else (1, 9)
    return told + [
        Experiment.of(preset, curriculum="distillation", distilled_demonstrations=count, seed=seed, **steps)
        for count in shown
    ]


def program_count(preset: str, seed: int) -> list[Experiment]:
    """F09: how many w/ IO programs it takes, at equal tokens."""
    counts = COUNTS if preset != "smoke" else (6, 12)
    return [
        _of_length(preset, 2, curriculum=arm, with_io_programs=count, seed=seed)
        for count in counts
        for arm in ("proactive", "stage_1_only")
    ]


def augmentation(preset: str, seed: int) -> list[Experiment]:
    """F10: one pointer template to twenty, at equal tokens."""
    return [
        Experiment.of(preset, curriculum=arm, templates=count, seed=seed)
        for count in TEMPLATES
        for arm in ("proactive", "stage_1_only")
    ]


def in_context(preset: str, seed: int) -> list[Experiment]:
    """F12: the source in the prompt against the source in the weights, by program length; all of it is F05's."""
    return _by_length(preset, seed)


def recall(preset: str, seed: int) -> list[Experiment]:
    """F14: what every trained arm of F02 can recite, Proactive-PBB by program length; all of it is F02's or F05's."""
    others = [e for e in curricula(preset, seed) if e.curriculum not in ("untuned", "in_context", "proactive")]
    return others + [e for e in _by_length(preset, seed) if e.curriculum == "proactive"]


def _of_domain(domain: dict[str, dict[str, Any]], preset: str, seed: int, *arms: str) -> list[Experiment]:
    values = domain["any"] | domain.get(preset, {})
    return [Experiment.of(preset, **values, curriculum=arm, seed=seed) for arm in arms]


def ciphers(preset: str, seed: int) -> list[Experiment]:
    """F07: ciphers known by source, by demonstrations skewed as natural text is, or by both; and the control."""
    return _of_domain(CIPHERS, preset, seed, "proactive", "distillation", "pbb_and_distillation", "stage_1_only")


def composition(preset: str, seed: int) -> list[Experiment]:
    """F11: f(g(x)), asked for by that very expression; f and g are each known by their source alone."""
    return _of_domain(COMPOSITION, preset, seed, "proactive", "stage_1_only")


def grammars(preset: str, seed: int) -> list[Experiment]:
    """F13: strings of grammars known by their rules alone, the control, the rules in the prompt, random strings."""
    return _of_domain(GRAMMARS, preset, seed, "proactive", "stage_1_only", "in_context", "random_generation")


STUDIES: dict[str, Callable[[str, int], list[Experiment]]] = {
    "F01": lambda preset, seed: [Experiment.of(preset, curriculum="proactive", seed=seed)],
    "F02": curricula,
    "F03": scale,
    "F04": representation,
    "F05": answer_mode,
    "F06": retroactive_rl,
    "F07": ciphers,
    "F08": sample_efficiency,
    "F09": program_count,
    "F10": augmentation,
    "F11": composition,
    "F12": in_context,
    "F13": grammars,
    "F14": recall,
}


# What "all figures" of a preset are, where that is not all there are: what fits its hour. F12 and F14 cost nothing
# beside F02 and F05. Any other figure is computed where it is asked for by name.
FIGURES = {
    "gpu": ("F01", "F02", "F03", "F04", "F05", "F07", "F08", "F12", "F14"),
    "colab": ("F01", "F02", "F04", "F05", "F12", "F14"),
}


def figures_of(preset: str) -> tuple[str, ...]:
    """Return the figures that `preset` has.

    Raises:
        ExperimentError: there is no such preset.
    """
    preset_values(preset)
    return FIGURES.get(preset, tuple(STUDIES))


def study(figure: str, preset: str, seeds: int = 1) -> list[Experiment]:
    """Return the experiments of `figure` for seeds 0 to `seeds` - 1, also where it is none of the preset's own.

    Raises:
        ValueError: there is no such figure, or `seeds` is less than 1.
    """
    figure = figure.upper()
    if figure not in STUDIES:
        raise ValueError(f"figure={figure!r} is not valid; valid: {', '.join(STUDIES)}")
    if seeds < 1:
        raise ValueError(f"seeds={seeds!r} is not valid; valid: 1 or more")
    return [experiment for seed in range(seeds) for experiment in STUDIES[figure](preset, seed)]
