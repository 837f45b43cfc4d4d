"""Groups: which programs an experiment has, and which of their inputs training may show."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

from pbb.arms import ARMS
from pbb.experiments.documents import DISTILLED, PARTS, WITH_IO, WITHOUT_IO
from pbb.experiments.experiment import Experiment
from pbb.programs.domains import DOMAINS, draw, normal_form
from pbb.programs.program import Program, normalised, on_inputs
from pbb.programs.settings import ExperimentError
from pbb.streams import stream


@dataclass(frozen=True)
class Group:
    """Programs of one group, and for each the inputs that training may show."""

    name: str
    programs: tuple[Program, ...]
    shown: dict[str, tuple[str, ...]] = field(default_factory=dict, hash=False)

    def held_out(self, program: Program) -> list[str]:
        """Return the inputs that training may not show."""
        shown = set(self.shown.get(program.name, ()))
        return [text for text in program.inputs if text not in shown]


@lru_cache(maxsize=256)
def groups(experiment: Experiment) -> tuple[Group, ...]:
    """Return the experiment's groups of programs: w/ IO, the parts of composites if they are w/o IO, and w/o IO.

    The same seed gives the same programs to every arm. Under algorithm distillation the programs that the other arms
    have w/o IO are the AD group: one instruction is compared with demonstrations of the same program.

    Raises:
        ExperimentError: a program has no input left that training does not show, or a name is taken.
    """
    e, split = experiment, experiment.split
    with_io, parts, without = draw(e.settings, split.with_io_programs, split.without_io_programs, e.seed, own=e.own())
    _check_own(e, (*with_io, *parts, *without))
    hidden = _distilled(e, without) if ARMS[e.arm].measured == DISTILLED else Group(WITHOUT_IO, _unshown(e, without))
    if ARMS[e.arm].from_nothing:
        return (hidden,)
    found = [Group(WITH_IO, with_io, _shown(with_io, split.demonstrations, e.seed))]
    return (*found, *([Group(PARTS, _unshown(e, parts))] if parts else []), hidden)


def _check_own(e: Experiment, programs: Sequence[Program]) -> None:
    """Refuse own programs that are taught twice; drawn ones are different by how they are drawn."""
    names = Counter(program.name for program in programs)
    does: dict[str, str] = {}
    for program in e.own():
        if names[program.name] > 1:
            raise ExperimentError(f"own_programs: the name {program.name!r} is taken by another program")
        if (other := does.setdefault(normal_form(program), program.name)) != program.name:
            raise ExperimentError(f"own_programs: {program.name!r} does the same as {other!r}; valid: one of them")


def _shown(programs: Sequence[Program], count: int, seed: int) -> dict[str, tuple[str, ...]]:
    """Return the inputs of each program that training may show."""
    shown = {}
    for p in programs:
        if len(p.inputs) <= count:
            raise ExperimentError(
                f"demonstrations={count} is not valid for {p.name}; valid: at most {len(p.inputs) - 1}, so that one of "
                "its inputs is held out"
            )
        drawn = DOMAINS[p.domain].own_inputs  # in their order
        shown[p.name] = p.inputs[:count] if drawn else tuple(stream(seed, "shown", p.name).sample(p.inputs, count))
    return shown


def _unshown(e: Experiment, programs: Sequence[Program]) -> tuple[Program, ...]:
    """Return `programs` without the inputs that are drawn for demonstrations, where their domain has such."""
    skip = e.split.demonstrations
    return tuple(
        replace(p, inputs=p.inputs[skip:], executions=p.executions[skip:]) if DOMAINS[p.domain].own_inputs else p
        for p in programs
    )


def _distilled(e: Experiment, programs: Sequence[Program]) -> Group:
    """Return the AD group, with inputs of its own where the domain draws demonstrations for themselves."""
    count = e.split.distilled_demonstrations or e.split.demonstrations
    if inputs_of := DOMAINS[e.domain].own_inputs:
        settings = replace(e.settings, demonstrations=count)
        own = [
            inputs_of(settings, True, e.seed, e.domain, normalised(p.source)) if p.domain == e.domain else p.inputs
            for p in programs
        ]
        programs = on_inputs(programs, own)
    return Group(DISTILLED, tuple(programs), _shown(programs, count, e.seed))
