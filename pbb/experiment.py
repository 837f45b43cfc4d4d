"""Experiment: a frozen description of one run, made of literals only. Its hash names the run.

`PRESETS` holds what differs between machines: models, sizes, budgets. ``Experiment.of("cpu", curriculum="proactive")``
takes a preset's values and changes some; a plain ``Experiment(...)`` is the cpu preset's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from pbb.documents import ANSWER_MODES, ASK, POINTERS, REPRESENTATIONS
from pbb.programs.arithmetic import OPERATORS, ArithmeticSettings
from pbb.streams import digest

CURRICULA = (
    "untuned",
    "in_context",
    "stage_1_only",
    "stage_2_only",
    "no_demonstrations",
    "homogeneous",
    "proactive",
    "retroactive",
    "skip_exposure",
    "distillation",
)
ASKED = ("direct", "cot", "recite", "recall")  # how the model can be asked; in_context asks its own two


class ExperimentError(ValueError):
    """A field of an experiment is unknown, invalid or contradicts another; the message says what is valid."""


@dataclass(frozen=True)
class Experiment:
    """One arm, one seed. Every field is a literal; the comment says what it trades against what."""

    curriculum: str = "proactive"  # the arm: one of CURRICULA
    model: str = "tiny-m"  # a tiny model, a folder, or a Hub id
    seed: int = 0  # draws programs, documents and their order

    # programs
    domain: str = "arithmetic"
    statements: int = 1  # longer programs are recalled as well, and run less often
    operators: tuple[str, ...] = OPERATORS
    control: tuple[str, ...] = ()  # of "if", "for", "while"; needs two statements
    arguments: int = 1
    wrap: int | None = 10
    with_io_programs: int = 800  # more of them teach the skill better, and take longer to learn
    without_io_programs: int = 100  # what is measured: more of them narrow the intervals
    demonstrations: int = 7  # inputs of a w/ IO program that training may show; the rest are held out

    # documents
    representation: str = "code"  # or "description": what declarative documents hold
    templates: int = 20  # pointer contexts, 1 to 20: fewer, and knowledge stays tied to its prompt
    question_style: str = "plain"  # or "word_problem"
    trained_modes: tuple[str, ...] = ANSWER_MODES  # how execution documents answer
    executions: int = 1  # execution documents of a w/ IO program for each declarative one: more, and they are learnt
    # by heart, apart from the source

    # budget: a step is batch_rows rows of row_tokens tokens
    stage_1_steps: int = 1200  # w/ IO documents
    stage_2_steps: int = 100  # w/o IO sources: too few and they are not known, too many and the skill is forgotten
    exposure_steps: int = 400  # Retroactive's Stage 1: the sources of all programs
    execution_steps: int = 600  # Retroactive's Stage 2: execution documents of w/ IO programs
    learning_rate: float = 2e-3
    stage_2_learning_rate: float = 5e-4  # gentler: Stage 2 must add programs without undoing the skill
    weight_decay: float = 0.1  # more of it favours knowing a program once over knowing it once a kind of document
    general_ratio: float = 0.03  # share of in-context base data in Stage 1 (and in one-stage curricula)
    stage_2_general_ratio: float = 0.1  # the same in Stage 2, against forgetting
    stage_2_replay_ratio: float = 0.0  # share of w/ IO documents in a Proactive Stage 2 (the paper has none)
    batch_rows: int = 16
    row_tokens: int = 128
    lora_rank: int = 0  # 0 trains all weights

    # evaluation
    asked: tuple[str, ...] = ("direct", "cot", "recall")  # of ASKED
    questions: int = 5  # inputs asked of each program
    checkpoints: int = 3  # evaluations within each stage, the last at its end

    def __post_init__(self) -> None:
        for name in ("operators", "control", "trained_modes", "asked"):
            value = getattr(self, name)
            if not isinstance(value, (list, tuple)) or not all(isinstance(part, str) for part in value):
                self._refuse(name, "a tuple of words, such as ('cot',)")
            object.__setattr__(self, name, tuple(value))
        self._one_of("curriculum", CURRICULA)
        self._one_of("domain", tuple(POINTERS))
        self._one_of("representation", REPRESENTATIONS)
        self._one_of("question_style", tuple(ASK))
        self._some_of("trained_modes", ANSWER_MODES)
        self._some_of("asked", ASKED)
        for name, low, high in _RANGES:
            value = getattr(self, name)
            whole = isinstance(low, int)
            if (
                isinstance(value, bool)
                or not isinstance(value, int if whole else (int, float))
                or not low <= value <= high
            ):
                self._refuse(name, f"a{' whole' if whole else ''} number from {low} to {high}")
        if self.wrap is not None and (isinstance(self.wrap, bool) or not isinstance(self.wrap, int)):
            self._refuse("wrap", "None, or a whole number of 2 or more")
        if self.control and self.statements < 2:
            self._refuse("control", "() with statements=1; if, for and while need statements=2 or more")
        if self.stage_2_general_ratio + self.stage_2_replay_ratio > 0.95:
            self._refuse(
                "stage_2_replay_ratio", f"at most {0.95 - self.stage_2_general_ratio:.2f} beside stage_2_general_ratio"
            )
        if not isinstance(self.model, str) or not self.model.strip():
            self._refuse("model", "a tiny model's name, a folder, or a Hub id")
        try:
            inputs = 10**self.arguments
            self.program_settings()
        except ValueError as error:
            raise ExperimentError(str(error)) from None
        if self.demonstrations >= inputs:
            self._refuse("demonstrations", f"1 to {inputs - 1}: at least one of the {inputs} inputs has to be held out")

    def _refuse(self, name: str, valid: str) -> None:
        raise ExperimentError(f"{name}={getattr(self, name)!r} is not valid; valid: {valid}")

    def _one_of(self, name: str, valid: tuple[str, ...]) -> None:
        if getattr(self, name) not in valid:
            self._refuse(name, f"one of {', '.join(valid)}")

    def _some_of(self, name: str, valid: tuple[str, ...]) -> None:
        values = getattr(self, name)
        if not values or not set(values) <= set(valid) or len(set(values)) < len(values):
            self._refuse(name, f"some of {', '.join(valid)}, each once")

    def program_settings(self) -> ArithmeticSettings:
        """Return the domain's settings for this experiment's programs."""
        return ArithmeticSettings(
            statements=self.statements,
            operators=self.operators,
            control=self.control,
            arguments=self.arguments,
            wrap=self.wrap,
        )

    @property
    def name(self) -> str:
        """The hash that names this experiment's run: 12 hex characters."""
        return digest(asdict(self))[:12]

    def changed(self, **changes: Any) -> Experiment:
        """Return a copy with some fields changed; unknown ones raise and name the nearest field."""
        check_fields(changes)
        return replace(self, **changes)

    @classmethod
    def of(cls, preset: str, **changes: Any) -> Experiment:
        """Return the experiment of `preset` with some fields changed."""
        check_fields(changes)
        return cls(**{**preset_values(preset), **changes})


_RANGES: tuple[tuple[str, float, float], ...] = (
    ("seed", 0, 2**31 - 1),
    ("statements", 1, 8),
    ("arguments", 1, 2),
    ("with_io_programs", 1, 4000),
    ("without_io_programs", 1, 2000),
    ("demonstrations", 1, 99),
    ("templates", 1, 20),
    ("executions", 1, 50),
    ("stage_1_steps", 1, 10**6),
    ("stage_2_steps", 1, 10**6),
    ("exposure_steps", 1, 10**6),
    ("execution_steps", 1, 10**6),
    ("learning_rate", 1e-7, 1.0),
    ("stage_2_learning_rate", 1e-7, 1.0),
    ("weight_decay", 0.0, 1.0),
    ("general_ratio", 0.0, 0.95),
    ("stage_2_general_ratio", 0.0, 0.95),
    ("stage_2_replay_ratio", 0.0, 0.95),
    ("batch_rows", 1, 4096),
    ("row_tokens", 32, 4096),
    ("lora_rank", 0, 256),
    ("questions", 1, 100),
    ("checkpoints", 1, 50),
)


def check_fields(changes: Mapping[str, Any]) -> None:
    """Raise ExperimentError for a field that no experiment has, naming the nearest."""
    import difflib

    known = [f.name for f in fields(Experiment)]
    for name in changes:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise ExperimentError(f"no experiment has a field {name!r}; {hint}fields: {', '.join(known)}")


# What a preset changes in the defaults above. A preset's figures are never mixed with another's.
PRESETS: dict[str, dict[str, Any]] = {
    # Proves that everything runs; far too small to show anything, and never becomes a figure.
    "smoke": {
        "model": "tiny-s",
        "with_io_programs": 12,
        "without_io_programs": 6,
        "stage_1_steps": 4,
        "stage_2_steps": 2,
        "exposure_steps": 2,
        "execution_steps": 2,
        "batch_rows": 4,
        "row_tokens": 256,
        "questions": 2,
        "checkpoints": 1,
    },
    # Two cores and 8 GB. Chosen on seeds and programs that no reference run uses (figures/README.md).
    "cpu": {},
}


def preset_values(preset: str) -> dict[str, Any]:
    """Return what `preset` changes; raises ExperimentError naming the presets there are."""
    if preset not in PRESETS:
        raise ExperimentError(f"preset={preset!r} is not valid; valid: {', '.join(PRESETS)}")
    return PRESETS[preset]
