"""Experiment: a frozen description of one arm and one seed, in groups that check themselves.

The defaults are preset cpu's. ``Experiment.of("cpu", arm="proactive", templates=1)`` takes a preset's recipe
(`pbb.experiments.presets`) and changes some fields by their names.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict, fields, is_dataclass, replace
from types import SimpleNamespace
from typing import Annotated, Any, Literal

from pbb.arms import ARMS, IN_CONTEXT
from pbb.experiments.documents import ANSWER_MODES, WITH_IO
from pbb.programs.arithmetic import Arithmetic
from pbb.programs.domains import DOMAINS, POINTERS, domain_of, with_demonstrations
from pbb.programs.names import BASE_NAMES
from pbb.programs.program import Program
from pbb.programs.settings import Between, ExperimentError, SomeOf, Words, group, refuse, unknown, written
from pbb.registry import label
from pbb.streams import digest

ASKED = ("direct", "cot", "recite", "recall")  # how a model can be asked; the arm in_context asks the first two
Steps = Annotated[int, Between(1, 10**6)]
Rate = Annotated[float, Between(1e-7, 1.0)]
Share = Annotated[float, Between(0.0, 0.95)]
GrpoLoss = Literal["dapo", "grpo", "bnpo", "dr_grpo"]


@group
class Split:
    """How many programs of each group, and what training may show of them."""

    with_io_programs: Annotated[int, Between(1, 4000)] = 800  # more teach the skill better, and take longer to learn
    without_io_programs: Annotated[int, Between(1, 2000)] = 100  # what is measured: more narrow the intervals
    demonstrations: Annotated[int, Between(1, 200)] = 7  # inputs of a w/ IO program that training may show
    distilled_demonstrations: Annotated[int, Between(0, 200)] = 0  # of an AD program; 0: as many as of a w/ IO program


@group
class Documents:
    """How documents are written."""

    representation: Literal["code", "description"] = "code"  # what declarative documents hold
    templates: Annotated[int, Between(1, len(POINTERS))] = 20  # pointer contexts: fewer tie knowledge to its prompt
    # Of w/o IO programs and of questions about them, where that is another number; 0: as many.
    hidden_templates: Annotated[int, Between(0, len(POINTERS))] = 0
    question_style: Literal["plain", "word_problem"] = "plain"
    trained_modes: Annotated[tuple[str, ...], SomeOf(ANSWER_MODES)] = ANSWER_MODES  # how execution documents answer
    executions: Annotated[int, Between(1, 50)] = 1  # execution documents a declarative one: more are learnt by heart

    def templates_of(self, group: str) -> int:
        """Return how many pointer contexts there are for programs of a group, such as ``"w/ IO"``."""
        return self.templates if group == WITH_IO else self.hidden_templates or self.templates


@group
class Budget:
    """What a stage may spend: a step is `batch_rows` rows of `row_tokens` tokens."""

    steps: Steps
    rate: Rate  # the learning rate's peak
    general: Share = 0.03  # share of general documents (in-context executions of other programs), against forgetting
    lora_rank: Annotated[int, Between(0, 256)] = 0  # of adapters in this stage; 0: as Training says


@group
class Training:
    """What the stages train with. A stage reads its own budget and what all stages share."""

    stage_1: Budget = Budget(1500, 1.5e-3)  # w/ IO documents; with the steps of Stage 2, demonstrations alone
    stage_2: Budget = Budget(200, 4e-4, 0.1)  # w/o IO sources: too few steps and they are not known, too many and the
    # skill is forgotten; a low rate, since it has to add without undoing
    exposure: Budget = Budget(1000, 1.5e-3)  # Retroactive's Stage 1: the sources of all programs
    execution: Budget = Budget(300, 4e-4)  # Retroactive's Stage 2: execution documents of w/ IO programs
    replay: Share = 0.0  # share of w/ IO documents in a Proactive Stage 2; the paper has none
    distillation_ratio: Share = 0.5  # share of outputs of AD programs in Stage 2 of pbb_and_distillation
    weight_decay: Annotated[float, Between(0.0, 1.0)] = 0.1  # more favours one memory for all kinds of document
    batch_rows: Annotated[int, Between(1, 4096)] = 8  # smaller steps learn more from a token, and take longer
    row_tokens: Annotated[int, Between(32, 4096)] = 128
    lora_rank: Annotated[int, Between(0, 256)] = 0  # 0 trains all weights
    # What fits this machine, or one by name, which must then run here: see `pbb.models.backends`.
    backend: Literal["auto", "unsloth", "unsloth-4bit", "peft", "full"] = "auto"

    def __post_init__(self) -> None:
        ranks = [self.lora_rank, *(b.lora_rank for b in (self.stage_1, self.stage_2, self.exposure, self.execution))]
        if self.backend == "full" and (rank := max(ranks)):
            refuse(self, "backend", f"'auto', 'unsloth', 'unsloth-4bit' or 'peft' with lora_rank={rank}")
        if not self.lora_rank and self.backend in ("peft", "unsloth-4bit"):
            refuse(self, "backend", "'auto', 'unsloth' or 'full' with lora_rank=0; adapters need lora_rank=1 or more")
        if self.stage_2.general + self.replay > 0.95:
            refuse(self, "replay", f"at most {0.95 - self.stage_2.general:.2f} beside stage_2_general")


@group
class Grpo:
    """Retroactive's Stage 2 by rewards: a step is `completions` completions, `group_size` of each question."""

    warmup_steps: Annotated[int, Between(0, 10**6)] = 100  # of SFT before: too few, and there is nothing to reward
    steps: Steps = 200
    rate: Rate = 1e-4  # higher, and what was known is lost
    completions: Annotated[int, Between(2, 4096)] = 64  # more are steadier, and cost as much more
    group_size: Annotated[int, Between(2, 512)] = 8  # more find rare right answers, and leave room for fewer questions
    temperature: Annotated[float, Between(0.01, 10.0)] = 1.0  # lower, and a question's completions are all the same
    beta: Annotated[float, Between(0.0, 10.0)] = 0.0  # weight of staying close to the model before
    length: Annotated[int, Between(2, 4096)] = 64  # tokens that a completion may have
    loss: GrpoLoss = "dapo"  # how tokens of long and short completions are weighed

    def __post_init__(self) -> None:
        if self.completions % self.group_size:
            refuse(self, "completions", f"a multiple of group_size={self.group_size}")


@group
class Ask:
    """What is asked of the model, and when."""

    asked: Annotated[tuple[str, ...], SomeOf(ASKED)] = ("direct", "cot", "recall")
    questions: Annotated[int, Between(1, 200)] = 5  # inputs asked of each program
    checkpoints: Annotated[int, Between(1, 50)] = 3  # evaluations within each stage, the last at its end
    stage_2_doublings: Annotated[int, Between(0, 20)] = 0  # if not 0: so many in Stage 2, each after twice the steps


@group
class Experiment:
    """One arm, one seed."""

    arm: str = "proactive"
    model: str = "tiny-m"  # a tiny model, smollm2-135m, a folder, a GGUF file, or a Hub id
    seed: Annotated[int, Between(0, 2**31 - 1)] = 0  # draws programs, documents and their order
    programs: Any = Arithmetic()  # the settings of one domain
    own_programs: Words = ()  # the reader's, as Program.to_json() gives them: w/o IO, beside those that are drawn
    split: Split = Split()
    documents: Documents = Documents()
    training: Training = Training()
    grpo: Grpo = Grpo()
    ask: Ask = Ask()

    def __post_init__(self) -> None:
        if self.arm not in ARMS:
            refuse(self, "arm", f"one of {', '.join(ARMS)}")
        if not self.model.strip() or not self.model.isprintable():
            refuse(self, "model", "a tiny model's name, 'smollm2-135m', a folder, a GGUF file, or a Hub id")
        domain, split = DOMAINS[domain_of(self.programs)], self.split
        if domain.input_count and split.demonstrations >= (inputs := domain.input_count(self.programs)):
            refuse(split, "demonstrations", f"1 to {inputs - 1}: one of the {inputs} inputs has to be held out")
        if domain.check:
            domain.check(self.programs, ARMS[self.arm].stages, self.ways)
        if "values" in ARMS[self.arm].stages and not domain.tells_values:
            refuse(self, "arm", f"any but this with domain={self.domain!r}, whose traces tell no results of steps")
        others = self.training.stage_2.general + self.training.replay
        if "source_and_pairs" in ARMS[self.arm].stages and others + self.training.distillation_ratio > 0.95:
            refuse(self.training, "distillation_ratio", f"at most {0.95 - others:.2f} beside the other shares")
        self._check_own()

    def _check_own(self) -> None:
        domain, wanted = DOMAINS[self.domain], self.split.with_io_programs + self.split.without_io_programs
        own: tuple[Program, ...] = ()
        with suppress(ValueError):
            own = self.own()
        if len(own) < len(self.own_programs) or any(p.domain not in DOMAINS or not p.executions for p in own):
            refuse(self, "own_programs", "texts, as Program.to_json() gives them")
        names = [program.name for program in own]
        wrong = ""
        if taken := [name for name in names if names.count(name) > 1 or name in BASE_NAMES]:
            wrong = f": the name {taken[0]!r} is given twice or base models know it already"
        elif mute := [p.name for p in own if not p.description and self.documents.representation == "description"]:
            wrong = f": {mute[0]!r} has no description; valid: representation='code'"
        elif domain.generate is None and len(own) < wanted:
            wrong = f" holds {len(own)} programs; valid: {wanted} or more, as the split says"
        elif not domain.takes_own and own:
            wrong = f" are not valid with domain={self.domain!r}; valid: ()"
        if wrong:
            raise ExperimentError(f"own_programs{wrong}")

    @property
    def domain(self) -> str:
        """The name of the programs' domain, a key of `pbb.programs.domains.DOMAINS`."""
        return domain_of(self.programs)

    @property
    def settings(self) -> Any:
        """The programs' settings; where these hold demonstrations, as many as the split says."""
        return with_demonstrations(self.programs, self.split.demonstrations)

    @property
    def in_context(self) -> bool:
        """Whether questions come with the source in the prompt."""
        return self.arm == IN_CONTEXT

    @property
    def ways(self) -> tuple[str, ...]:
        """How the model is asked: as `ask` says, unless the arm leaves but one way."""
        return ARMS[self.arm].asked or self.ask.asked

    def own(self) -> tuple[Program, ...]:
        """Return the reader's own programs."""
        return tuple(map(Program.from_json, self.own_programs))

    def to_json(self) -> dict[str, Any]:
        """Return all fields in values that JSON can write, the domain's name among them; of a model's path its end."""
        programs = {"domain": self.domain, **asdict(self.programs)}
        return {**asdict(self), "model": label(self.model), "programs": programs}

    @property
    def name(self) -> str:
        """The hash that names this experiment's records: 12 hex characters."""
        documents = self.documents
        if documents.hidden_templates == documents.templates:  # 0 says the same
            return self.changed(hidden_templates=0).name
        return digest(self.to_json())[:12]

    def value(self, name: str, default: Any = None) -> Any:
        """Return the value of the field of this flat name, as `changed` knows it; `default` where there is none."""
        found: Any = self
        for part in (name,) if name in _names(self) else _paths(self).get(name, ()):
            found = getattr(found, part)
        return default if found is self else found

    def changed(self, **changes: Any) -> Experiment:
        """Return a copy with some fields changed, whatever group they are in.

        A name is a field's (``templates=1``, ``programs=Sums()``), or a group's and a field's where that says which one
        is meant (``stage_1_steps=200``, ``grpo_rate=1e-4``).

        Raises:
            ExperimentError: a field does not exist (the message names the nearest), or its value is not valid.
        """
        whole = {name: changes.get(name, getattr(self, name)) for name in _names(self)}
        paths = {**_paths(SimpleNamespace(**whole)), **{name: (name,) for name in whole}}
        if strange := [name for name in changes if name not in paths]:
            raise unknown("Experiment", strange[0], paths)
        try:
            return _replaced(self, {paths[name]: value for name, value in changes.items()})
        except ExperimentError as error:
            for name, value in changes.items():  # a group knows its fields by their own names
                field = paths[name][-1]
                if str(error).startswith(f"{field}={written(value)} "):
                    raise ExperimentError(name + str(error).removeprefix(field)) from None
            raise

    @classmethod
    def of(cls, preset: str, **changes: Any) -> Experiment:
        """Return the experiment of `preset` with some fields changed, as `changed` does."""
        from pbb.experiments.presets import recipe  # a recipe is made of experiments

        return recipe(preset).base.changed(**changes)


def _names(settings: Any) -> list[str]:
    return [field.name for field in fields(settings)]


def _paths(experiment: Any) -> dict[str, tuple[str, ...]]:
    """Return where the field of each flat name is: ``grpo_`` stands before GRPO's, a budget's name before its own."""
    found: dict[str, tuple[str, ...]] = {}
    for part in ("split", "documents", "training", "ask", "programs", "grpo"):
        settings = getattr(experiment, part)
        for name in _names(settings) if is_dataclass(settings) else ():
            value = getattr(settings, name)
            if isinstance(value, Budget):
                found |= {f"{name}_{inner}": (part, name, inner) for inner in _names(value)}
            found.setdefault(f"{part}_{name}" if part == "grpo" else name, (part, name))
    return found


def _replaced(settings: Any, values: dict[tuple[str, ...], Any]) -> Any:
    """Return a group with the fields at these paths changed, all at once: one may be valid only beside another."""
    parts = {path[0]: value for path, value in values.items() if len(path) == 1}
    for first in dict.fromkeys(path[0] for path in values if len(path) > 1):
        inner = {path[1:]: value for path, value in values.items() if path[0] == first and len(path) > 1}
        parts[first] = _replaced(parts.get(first, getattr(settings, first)), inner)
    return replace(settings, **parts)
