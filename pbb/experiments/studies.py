"""Studies: the experiments that each figure needs, made of a preset's recipe.

Figures share what they can: an experiment of one is often an arm, or a stage, of another's, and is then run once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from pbb.experiments.experiment import ASKED, Experiment
from pbb.experiments.presets import recipe
from pbb.experiments.presets.recipe import Recipe
from pbb.programs.settings import ExperimentError

BY_LENGTH = ("proactive", "stage_1_only", "in_context")


def _arms(base: Experiment, arms: Iterable[str], **changes: Any) -> list[Experiment]:
    return [base.changed(arm=arm, **changes) for arm in arms]


def _of_length(preset: Recipe, length: int) -> Experiment:
    return preset.base.changed(**{"statements": length, "asked": ASKED, **preset.longer.get(length, {})})


def _by_length(preset: Recipe) -> list[Experiment]:
    return [e for length in preset.lengths for e in _arms(_of_length(preset, length), BY_LENGTH)]


def curricula(preset: Recipe) -> list[Experiment]:
    """F02: every arm, on programs of one statement; and on algorithms, where all of it is F16's."""
    others = algorithms(preset) if "F16" in preset.figures else []
    return _arms(preset.base, preset.arms) + [e for e in others if e.value("held_apart") == "families"]


def answer_mode(preset: Recipe) -> list[Experiment]:
    """F05: direct, CoT and recite-then-run by program length, with the control and the ceiling of each; and on sums."""
    return _by_length(preset) + (_arms(preset.base, preset.sums_arms, **preset.sums) if preset.sums else [])


def _by_model(preset: Recipe, models: Iterable[str], *forms: str) -> list[Experiment]:
    return [
        experiment
        for model in models
        for form in forms
        for experiment in _arms(preset.base, BY_LENGTH, model=model, representation=form)
    ]


def representation(preset: Recipe) -> list[Experiment]:
    """F04: code against its description, by model size, with the control and the ceiling of each."""
    return _by_model(preset, preset.models, "code", "description")


def scale(preset: Recipe) -> list[Experiment]:
    """F03: what F04 teaches in code, by more models where the preset has a longer ladder."""
    return _by_model(preset, preset.ladder or preset.models, "code")


def retroactive_rl(preset: Recipe) -> list[Experiment]:
    """F06: Retroactive's Stage 2 by SFT and by GRPO, where both start, and the same without the w/o IO sources."""
    base = preset.base.changed(**preset.retroactive)
    sft = _arms(base, ("retroactive", "skip_exposure"), **preset.retroactive_sft)
    return sft + _arms(base, ("no_demonstrations", "retroactive_grpo", "grpo_without_pbb"))


def ciphers(preset: Recipe) -> list[Experiment]:
    """F07: ciphers known by source, by demonstrations skewed as natural text is, or by both; and the control."""
    return _arms(preset.base, preset.ciphers_arms, **preset.ciphers)


def sample_efficiency(preset: Recipe) -> list[Experiment]:
    """F08: kinds of algorithm distillation by number of demonstrations, and the arm that is told the source instead."""
    return _arms(preset.base, BY_LENGTH, **preset.told) + [
        experiment
        for arm, counts in preset.demonstrations.items()
        for count in counts
        for experiment in _arms(preset.base, (arm,), **preset.told, distilled_demonstrations=count)
    ]


def program_count(preset: Recipe) -> list[Experiment]:
    """F09: how many w/ IO programs it takes, at equal tokens."""
    base = _of_length(preset, 2)
    return [e for n in preset.counts for e in _arms(base, ("proactive", "stage_1_only"), with_io_programs=n)]


def augmentation(preset: Recipe) -> list[Experiment]:
    """F10: one pointer template to twenty, at equal tokens."""
    return [e for n in preset.templates for e in _arms(preset.base, ("proactive", "stage_1_only"), templates=n)]


def composition(preset: Recipe) -> list[Experiment]:
    """F11: f(g(x)), asked for by that very expression, by how f and g were learnt, one of them at least by source."""
    base = preset.base.changed(**preset.composition)
    return [e for kind in preset.kinds for e in _arms(base, BY_LENGTH, taught_parts=kind)]


def grammars(preset: Recipe) -> list[Experiment]:
    """F13: strings of grammars known by their rules alone, the control, the rules in the prompt, random strings."""
    arms = ("proactive", "stage_1_only", "in_context", "random_generation")
    return _arms(preset.base, arms, **preset.grammars)


def algorithms(preset: Recipe) -> list[Experiment]:
    """F16: algorithms pointed at by their problem statement: of other families than the w/ IO ones, and of the same."""
    return [
        experiment
        for split in preset.algorithms_splits
        for experiment in _arms(preset.base, preset.algorithms_arms, **preset.algorithms, held_apart=split)
    ]


def recall(preset: Recipe) -> list[Experiment]:
    """F14: what every trained arm of F02 can recite, Proactive-PBB by program length; all of it is F02's or F05's."""
    others = [e for e in curricula(preset) if e.arm not in ("untuned", "in_context", "proactive")]
    return others + [e for e in _by_length(preset) if e.arm == "proactive"]


STUDIES: dict[str, Callable[[Recipe], list[Experiment]]] = {
    "F01": lambda preset: _arms(preset.base, ("proactive",)),
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
    "F12": _by_length,  # the source in the prompt against the source in the weights; all of it is F05's
    "F13": grammars,
    "F14": recall,
    "F16": algorithms,
}


def figures_of(preset: str) -> tuple[str, ...]:
    """Return the figures that `preset` has. Raises ExperimentError where there is no such preset."""
    return recipe(preset).figures


def _repeats(experiment: Experiment, told: Mapping[str, tuple[Any, ...]] | None) -> bool:
    return told is not None and all(experiment.value(name) in values for name, values in told.items())


def study(figure: str, preset: str, seeds: int = 1, full: bool = False) -> list[Experiment]:
    """Return the experiments of `figure` for seeds 0 to `seeds` - 1, also where it is none of the preset's own.

    Without `full`, those that are done in an hour; seeds after the first repeat what claims are decided by.

    Raises:
        ExperimentError: there is no such figure or preset, or `seeds` is no whole number of 1 or more.
    """
    name = figure.upper() if isinstance(figure, str) else figure
    if name not in STUDIES:
        raise ExperimentError(f"figure={figure!r} is not valid; valid: {', '.join(STUDIES)}")
    if isinstance(seeds, bool) or not isinstance(seeds, int) or not 1 <= seeds <= 1000:
        raise ExperimentError(f"seeds={seeds!r} is not valid; valid: a whole number of 1 or more, up to 1,000")
    made = recipe(preset)
    first = STUDIES[name](replace(made, **made.full) if full else made)
    again = first if made.repeated is None else [e for e in first if _repeats(e, made.repeated.get(name))]
    return first + [experiment.changed(seed=seed) for seed in range(1, seeds) for experiment in again]
