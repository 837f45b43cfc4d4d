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

TAUGHT_OR_NOT = ("proactive", "stage_1_only")
COMPARED = (*TAUGHT_OR_NOT, "in_context")  # with the control and the ceiling


def _arms(base: Experiment, arms: Iterable[str], **changes: Any) -> list[Experiment]:
    return [base.changed(arm=arm, **changes) for arm in arms]


def _of_length(preset: Recipe, length: int) -> Experiment:
    return preset.base.changed(**{"statements": length, "asked": ASKED, **preset.longer.get(length, {})})


def _by_length(preset: Recipe) -> list[Experiment]:
    return [e for length in preset.lengths for e in _arms(_of_length(preset, length), COMPARED)]


def _by_model(preset: Recipe, models: Iterable[str], *forms: str) -> list[Experiment]:
    told = [{"model": model, "representation": form} for model in models for form in forms]
    return [e for changes in told for e in _arms(preset.base, COMPARED, **changes)]


def _on_sums(preset: Recipe) -> list[Experiment]:
    return _arms(preset.base, ("proactive", "homogeneous", "stage_1_only", "in_context"), **preset.sums or {})


def _by_rewards(preset: Recipe) -> list[Experiment]:
    base = preset.base.changed(**preset.retroactive)
    sft = _arms(base, ("retroactive", "skip_exposure"), **preset.retroactive_sft)
    return sft + _arms(base, ("no_demonstrations", "retroactive_grpo", "grpo_without_pbb"))


def _by_demonstrations(preset: Recipe) -> list[Experiment]:
    told, shown = preset.base.changed(**preset.told), preset.demonstrations
    own = {arm: told.changed(arm=arm, **preset.demonstrated.get(arm, {})) for arm in shown}
    return [own[arm].changed(distilled_demonstrations=count) for arm, counts in shown.items() for count in counts]


def _pointed_at(preset: Recipe, templates: int) -> Experiment:
    """Two statements: shorter programs are run nearly without error whatever the number of templates."""
    base = _of_length(preset, 2)
    return base.changed(templates=templates, hidden_templates=base.documents.templates)  # as the questions have


def _on_algorithms(preset: Recipe, splits: Iterable[str]) -> list[Experiment]:
    base = preset.base.changed(**preset.algorithms)
    return [e for split in splits for e in _arms(base, preset.algorithms_arms, held_apart=split)]


# What each figure needs.
STUDIES: dict[str, Callable[[Recipe], list[Experiment]]] = {
    "F01": lambda preset: _arms(preset.base, ("proactive",)),
    # Every arm, on programs of one statement; and, where the preset has F16, its algorithms.
    "F02": lambda preset: (
        _arms(preset.base, preset.arms)
        + (_on_algorithms(preset, preset.algorithms_splits[:1]) if "F16" in preset.figures else [])
    ),
    # What F04 teaches in code, by more models where the preset has a longer ladder.
    "F03": lambda preset: _by_model(preset, preset.ladder or preset.models, "code"),
    # Code against its description, by model size, with the control and the ceiling of each.
    "F04": lambda preset: _by_model(preset, preset.models, "code", "description"),
    # Direct, CoT and recite-then-run by program length, with the control and the ceiling of each; and on sums.
    "F05": lambda preset: _by_length(preset) + (_on_sums(preset) if preset.sums else []),
    # Retroactive's Stage 2 by SFT and by GRPO, where both start, and the same without the w/o IO sources.
    "F06": _by_rewards,
    # Ciphers known by source, by demonstrations skewed as natural text is, or by both; and the control.
    "F07": lambda preset: _arms(preset.base, preset.ciphers_arms, **preset.ciphers),
    # Kinds of algorithm distillation by number of demonstrations, and the arm that is told the source instead.
    "F08": lambda preset: _arms(preset.base, COMPARED, **preset.told) + _by_demonstrations(preset),
    # How many w/ IO programs it takes, at equal tokens.
    "F09": lambda preset: [
        e for n in preset.counts for e in _arms(_of_length(preset, 2), TAUGHT_OR_NOT, with_io_programs=n)
    ],
    # One pointer template to twenty for w/ IO programs, at equal tokens.
    "F10": lambda preset: [e for n in preset.templates for e in _arms(_pointed_at(preset, n), TAUGHT_OR_NOT)],
    # f(g(x)), asked for by that very expression, by how f and g were learnt, one of them at least by source.
    "F11": lambda preset: [
        e
        for kind in preset.kinds
        for e in _arms(preset.base.changed(**preset.composition), COMPARED, taught_parts=kind)
    ],
    # The source in the prompt against the source in the weights; all of it is F05's.
    "F12": _by_length,
    # Strings of grammars known by their rules alone, the control, the rules in the prompt, random strings.
    "F13": lambda preset: _arms(preset.base, (*COMPARED, "random_generation"), **preset.grammars),
    # What every trained arm of F02 can recite, and Proactive-PBB by program length; all of it is F02's or F05's.
    "F14": lambda preset: (
        _arms(preset.base, [arm for arm in preset.arms if arm not in ("untuned", "in_context", "proactive")])
        + [e for e in _by_length(preset) if e.arm == "proactive"]
    ),
    # Algorithms pointed at by their problem statement: of other families than the w/ IO ones, and of the same.
    "F16": lambda preset: _on_algorithms(preset, preset.algorithms_splits),
}


def figures_of(preset: str) -> tuple[str, ...]:
    """Return the figures that `preset` has. Raises ExperimentError where there is no such preset."""
    return recipe(preset).figures


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


def _repeats(experiment: Experiment, told: Mapping[str, tuple[Any, ...]] | None) -> bool:
    return told is not None and all(experiment.value(name) in values for name, values in told.items())
