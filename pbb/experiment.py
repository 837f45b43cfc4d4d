"""Experiment: a frozen description of one run, made of literals only. Its hash names the run.

`PRESETS` holds what differs between machines: models, sizes, budgets. ``Experiment.of("cpu", curriculum="proactive")``
takes a preset's values and changes some; a plain ``Experiment(...)`` is the cpu preset's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from pbb.documents import ANSWER_MODES, ASK, REPRESENTATIONS
from pbb.programs.arithmetic import OPERATORS
from pbb.programs.ciphers import DISTRIBUTIONS, CipherSettings
from pbb.programs.composition import PARTS
from pbb.programs.domains import DOMAINS
from pbb.programs.names import BASE_NAMES
from pbb.programs.program import Program
from pbb.streams import digest

CURRICULA = (
    "random_generation",
    "untuned",
    "in_context",
    "stage_1_only",
    "stage_2_only",
    "no_demonstrations",
    "homogeneous",
    "proactive",
    "retroactive",
    "retroactive_grpo",
    "skip_exposure",
    "grpo_without_pbb",
    "distillation",
    "pbb_and_distillation",
)
UNTRAINED = ("random_generation", "untuned", "in_context")  # the first asks no model at all
DISTILLATION = ("distillation", "pbb_and_distillation")  # arms that show demonstrations of the programs asked about
BACKENDS = ("auto", "unsloth", "unsloth-4bit", "peft", "full")  # what trains: see `pbb.backends`
GRPO_LOSSES = ("dapo", "grpo", "bnpo", "dr_grpo")
ASKED = ("direct", "cot", "recite", "recall")  # how the model can be asked; in_context asks its own two


class ExperimentError(ValueError):
    """A field of an experiment is unknown, invalid or contradicts another; the message says what is valid."""


@dataclass(frozen=True)
class Experiment:
    """One arm, one seed. Every field is a literal; the comment says what it trades against what."""

    curriculum: str = "proactive"  # the arm: one of CURRICULA
    model: str = "tiny-m"  # a tiny model, smollm2-135m, a folder, or a Hub id
    seed: int = 0  # draws programs, documents and their order

    # programs; a knob of another domain has to stay at its default
    domain: str = "arithmetic"  # of pbb.programs.domains.DOMAINS
    # arithmetic
    statements: int = 1  # longer programs are recalled as well, and run less often
    operations: int = 2  # in a one-statement program; up to as many in each statement of a longer one
    operators: tuple[str, ...] = OPERATORS
    control: tuple[str, ...] = ()  # of "if", "for", "while"; needs two statements
    arguments: int = 1
    wrap: int | None = 10  # every result of + - * is taken modulo this, at once
    largest: int = 9  # number that is added or subtracted; large ones make many programs of one operation
    largest_input: int = 9  # inputs go from 0 to this: more of them leave room for more demonstrations
    # sums
    largest_number: int = 999  # that is added: digits that come later are found less often in one pass
    # algorithms
    sizes: tuple[str, ...] = ("short",)  # of "short", "medium", "long": longer programs are run less often
    families: tuple[str, ...] = ()  # names of families; () for all of these sizes
    inputs: int = 12  # of each program
    # ciphers
    cipher_kinds: tuple[str, ...] = ()  # () for all
    shortest_text: int = 1
    longest_text: int = 4  # a chain of thought grows by two or three lines a letter
    alphabet: int = 26  # letters, and shifts: the fewer, the less there is to learn
    letter_case: str = "lower"  # or "upper", "digits": an alphabet of digits is what a tiny model can compute with
    shifts: str = "uniform"  # or "natural": how demonstrations of w/ IO programs are spread over shifts
    distilled_shifts: str = "uniform"  # the same for demonstrations of AD programs
    # grammars
    nonterminals: int = 3  # rules: more of them are harder to recall
    terminals: int = 4  # letters of one grammar
    alternatives: int = 3  # of each rule
    symbols: int = 3  # the most in one alternative
    longest_string: int = 8  # letters of an answer
    beginnings: int = 8  # inputs of each grammar
    # composition: parts take the knobs of their own domains
    part_domains: tuple[str, ...] = ("arithmetic",)
    depth: int = 2  # 2 for f(g(x)), 3 for f(g(h(x)))
    parts: str = "w/ IO"  # or "w/o IO": how the parts of the w/o IO composites are taught
    composites: str = "declared"  # by a source of one line; or "named": asked for as f(g(x)), never declared
    with_io_composites: int = 0  # composites of w/ IO parts that are shown run: without any, none is seen put together
    # the reader's own programs, as Program.to_json() gives them: w/o IO beside those drawn; domain "own" has no others
    own_programs: tuple[str, ...] = ()

    with_io_programs: int = 800  # more of them teach the skill better, and take longer to learn
    without_io_programs: int = 100  # what is measured: more of them narrow the intervals
    demonstrations: int = 7  # inputs of a w/ IO program that training may show; the rest are held out
    distilled_demonstrations: int = 0  # the same of an AD program; 0 for as many as of a w/ IO program

    # documents
    representation: str = "code"  # or "description": what declarative documents hold
    templates: int = 20  # pointer contexts, 1 to 20: fewer, and knowledge stays tied to its prompt
    question_style: str = "plain"  # or "word_problem"
    trained_modes: tuple[str, ...] = ANSWER_MODES  # how execution documents answer
    executions: int = 1  # execution documents of a w/ IO program for each declarative one: more, and they are learnt
    # by heart, apart from the source

    # budget: a step is batch_rows rows of row_tokens tokens
    stage_1_steps: int = 1500  # w/ IO documents
    stage_2_steps: int = 200  # w/o IO sources: too few and they are not known, too many and the skill is forgotten
    exposure_steps: int = 1000  # Retroactive's Stage 1: the sources of all programs
    execution_steps: int = 300  # Retroactive's Stage 2: execution documents of w/ IO programs
    learning_rate: float = 1.5e-3
    stage_2_learning_rate: float = 4e-4  # of both second stages: they must add to what was learnt without undoing it
    weight_decay: float = 0.1  # more of it favours knowing a program once over knowing it once a kind of document
    general_ratio: float = 0.03  # share of in-context base data in Stage 1 (and in one-stage curricula)
    stage_2_general_ratio: float = 0.1  # the same in Stage 2, against forgetting
    stage_2_replay_ratio: float = 0.0  # share of w/ IO documents in a Proactive Stage 2 (the paper has none)
    distillation_ratio: float = 0.5  # share of demonstrations of the AD programs in Stage 2 of pbb_and_distillation
    batch_rows: int = 8  # smaller steps learn more from a token, and take longer
    row_tokens: int = 128
    lora_rank: int = 0  # 0 trains all weights
    backend: str = "auto"  # of BACKENDS: what fits this machine, or one by name, which must then run here
    # Retroactive's Stage 2 by rewards (GRPO): a step is grpo_completions completions, grpo_group of each question
    grpo_warmup_steps: int = 100  # steps of SFT before the first of GRPO: too few, and there is nothing to reward
    grpo_steps: int = 200
    grpo_completions: int = 64  # more are steadier, and cost as much more
    grpo_group: int = 8  # more find rare right answers, and leave room for fewer questions
    grpo_temperature: float = 1.0  # lower, and the completions of a question are all the same
    grpo_learning_rate: float = 1e-4  # higher, and what was known is lost
    grpo_beta: float = 0.0  # weight of staying close to the model before; 0 spares that model's passes
    grpo_length: int = 64  # tokens that a completion may have
    grpo_loss: str = "dapo"  # of GRPO_LOSSES: how the tokens of long and short completions are weighed

    # evaluation
    asked: tuple[str, ...] = ("direct", "cot", "recall")  # of ASKED
    questions: int = 5  # inputs asked of each program
    checkpoints: int = 3  # evaluations within each stage, the last at its end
    stage_2_doublings: int = 0  # if not 0: that many evaluations within Stage 2, each after twice the steps of the last

    def __post_init__(self) -> None:
        for name in _TUPLES:
            value = getattr(self, name)
            if not isinstance(value, (list, tuple)) or not all(isinstance(part, str) for part in value):
                self._refuse(name, "a tuple of words, such as ('cot',)")
            object.__setattr__(self, name, tuple(value))
        self._one_of("curriculum", CURRICULA)
        self._one_of("domain", tuple(DOMAINS))
        self._one_of("representation", REPRESENTATIONS)
        self._one_of("question_style", tuple(ASK))
        self._one_of("parts", ("w/ IO", "w/o IO"))
        self._one_of("distilled_shifts", DISTRIBUTIONS)
        self._one_of("grpo_loss", GRPO_LOSSES)
        self._one_of("backend", BACKENDS)
        self._some_of("part_domains", tuple(name for name in DOMAINS if DOMAINS[name].settings in PARTS))
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
        if self.grpo_completions % self.grpo_group:
            self._refuse("grpo_completions", f"a multiple of grpo_group={self.grpo_group}")
        if self.lora_rank and self.backend == "full":
            self._refuse("backend", f"'auto', 'unsloth', 'unsloth-4bit' or 'peft' with lora_rank={self.lora_rank}")
        if not self.lora_rank and self.backend in ("peft", "unsloth-4bit"):
            self._refuse("backend", "'auto', 'unsloth' or 'full' with lora_rank=0; adapters need lora_rank=1 or more")
        if self.control and self.statements < 2:
            self._refuse("control", "() with statements=1; if, for and while need statements=2 or more")
        others = self.stage_2_general_ratio + self.stage_2_replay_ratio
        if others > 0.95:
            self._refuse(
                "stage_2_replay_ratio", f"at most {0.95 - self.stage_2_general_ratio:.2f} beside stage_2_general_ratio"
            )
        if self.curriculum == "pbb_and_distillation" and others + self.distillation_ratio > 0.95:
            self._refuse("distillation_ratio", f"at most {0.95 - others:.2f} beside the other shares of Stage 2")
        if not isinstance(self.model, str) or not self.model.strip():
            self._refuse("model", "a tiny model's name, 'smollm2-135m', a folder, or a Hub id")
        self._check_domain()
        try:
            self.program_settings()
        except ValueError as error:
            raise ExperimentError(self._in_our_words(str(error))) from None
        inputs = (self.largest_input + 1) ** self.arguments
        if self.domain == "arithmetic" and self.demonstrations >= inputs:
            self._refuse("demonstrations", f"1 to {inputs - 1}: at least one of the {inputs} inputs has to be held out")

    def _check_domain(self) -> None:
        """Refuse what does not go with the experiment's domain."""
        default = {f.name: f.default for f in fields(Experiment)}
        for domain, knobs in KNOBS.items():
            for name in knobs if domain not in self._domains() else ():
                if getattr(self, name) != default[name]:
                    self._refuse(name, f"{default[name]!r} with domain={self.domain!r}; it is a knob of {domain!r}")
        try:
            own = self.own()
        except (KeyError, TypeError, ValueError) as error:
            raise ExperimentError(f"own_programs: {error!r}; valid: what Program.to_json() gives") from None
        names = [program.name for program in own]
        if taken := [name for name in names if names.count(name) > 1 or name in BASE_NAMES]:
            raise ExperimentError(f"own_programs: the name {taken[0]!r} is given twice or base models know it already")
        if mute := [p.name for p in own if not p.description and self.representation == "description"]:
            raise ExperimentError(f"own_programs: {mute[0]!r} has no description; valid: representation='code'")
        if self.domain == "own" and len(self.own_programs) < self.with_io_programs + self.without_io_programs:
            wanted = f"with_io_programs + without_io_programs = {self.with_io_programs + self.without_io_programs}"
            raise ExperimentError(f"own_programs holds {len(self.own_programs)} programs; valid: {wanted} or more")
        if self.domain == "composition" and self.own_programs:
            raise ExperimentError("own_programs are not valid with domain='composition'; valid: ()")
        if self.composites == "named":
            if {"recall", "recite"} & set(self.asked):
                self._refuse("asked", "'direct' and 'cot' with composites='named': they have no source to recite")
            if self.parts == "w/ IO" and self.curriculum in _SOURCES_OF_THEIR_OWN:
                self._refuse(
                    "curriculum", "one without a stage of w/o IO sources, since composites='named' and parts='w/ IO'"
                )
        if self.parts == "w/o IO" and self.curriculum == "pbb_and_distillation":
            self._refuse("parts", "'w/ IO' with pbb_and_distillation: who shows a composite run shows its parts run")

    def _in_our_words(self, message: str) -> str:
        """Return a message of a domain's settings with the name of the field that set the knob it is about."""
        used = {setting: name for domain in self._domains() for name, setting in KNOBS.get(domain, {}).items()}
        setting, equals, rest = message.partition("=")
        return used.get(setting, setting) + equals + rest

    def _domains(self) -> tuple[str, ...]:
        return (self.domain, *(self.part_domains if self.domain == "composition" else ()))

    def _refuse(self, name: str, valid: str) -> None:
        raise ExperimentError(f"{name}={getattr(self, name)!r} is not valid; valid: {valid}")

    def _one_of(self, name: str, valid: tuple[str, ...]) -> None:
        if getattr(self, name) not in valid:
            self._refuse(name, f"one of {', '.join(valid)}")

    def _some_of(self, name: str, valid: tuple[str, ...]) -> None:
        values = getattr(self, name)
        if not values or not set(values) <= set(valid) or len(set(values)) < len(values):
            self._refuse(name, f"some of {', '.join(valid)}, each once")

    def program_settings(self, domain: str = "") -> Any:
        """Return the settings of this experiment's programs, or of its parts from `domain`; None for domain "own"."""
        domain = domain or self.domain
        values = {setting: getattr(self, name) for name, setting in KNOBS.get(domain, {}).items() if setting}
        if domain == "ciphers":
            values["demonstrations"] = self.demonstrations
        if domain == "composition":
            values["parts"] = tuple(map(self.program_settings, self.part_domains))
        settings = DOMAINS[domain].settings
        return settings(**values) if settings else None

    def distilled_settings(self) -> CipherSettings:
        """Return the settings that AD ciphers have: `program_settings` but for their demonstrations."""
        demonstrations = self.distilled_demonstrations or self.demonstrations
        settings: CipherSettings = self.program_settings("ciphers")
        return replace(settings, distribution=self.distilled_shifts, demonstrations=demonstrations)

    def own(self) -> tuple[Program, ...]:
        """Return the reader's own programs."""
        return tuple(map(Program.from_json, self.own_programs))

    @property
    def name(self) -> str:
        """The hash that names this experiment's run: 12 hex characters.

        Fields that came after the first runs are left out while they are at their default, so that names stay.
        """
        values = asdict(self)
        added = {f.name: f.default for f in fields(self) if f.name in _ADDED and values[f.name] == f.default}
        return digest({name: value for name, value in values.items() if name not in added})[:12]

    def changed(self, **changes: Any) -> Experiment:
        """Return a copy with some fields changed; unknown ones raise and name the nearest field."""
        check_fields(changes)
        return replace(self, **changes)

    @classmethod
    def of(cls, preset: str, **changes: Any) -> Experiment:
        """Return the experiment of `preset` with some fields changed."""
        check_fields(changes)
        return cls(**{**preset_values(preset), **changes})


# Which fields belong to which domain, and the knob of the domain's settings that each one sets ("" for none).
KNOBS: dict[str, dict[str, str]] = {
    "arithmetic": {
        **{name: name for name in ("statements", "operations", "operators", "control", "arguments")},
        **{name: name for name in ("wrap", "largest")},
        "largest_input": "high",
    },
    "sums": {"largest_number": "largest"},
    "algorithms": {name: name for name in ("sizes", "families", "inputs")},
    "ciphers": {
        "cipher_kinds": "kinds",
        "shortest_text": "shortest",
        "longest_text": "longest",
        "alphabet": "alphabet",
        "letter_case": "case",
        "shifts": "distribution",
        "distilled_shifts": "",
    },
    "grammars": {
        **{name: name for name in ("nonterminals", "terminals", "alternatives", "symbols")},
        "longest_string": "longest",
        "beginnings": "inputs",
    },
    "composition": {
        "part_domains": "",
        "depth": "depth",
        "parts": "",
        "composites": "composites",
        "with_io_composites": "",
    },
}
_ADDED = {name for domain, knobs in KNOBS.items() if domain != "arithmetic" for name in knobs}
_ADDED |= {"own_programs", "distilled_demonstrations", "distillation_ratio", "operations", "largest", "largest_input"}
_ADDED |= {f"grpo_{name}" for name in ("steps", "completions", "group", "temperature", "learning_rate")}
_ADDED |= {"grpo_beta", "grpo_length", "grpo_loss", "grpo_warmup_steps", "stage_2_doublings", "backend"}
_TUPLES = (
    *("operators", "control", "trained_modes", "asked"),
    *("sizes", "families", "cipher_kinds", "part_domains", "own_programs"),
)
_SOURCES_OF_THEIR_OWN = ("stage_2_only", "homogeneous", "proactive", "pbb_and_distillation")
_RANGES: tuple[tuple[str, float, float], ...] = (
    ("seed", 0, 2**31 - 1),
    ("statements", 1, 8),
    ("operations", 1, 4),
    ("arguments", 1, 2),
    ("largest", 9, 999),
    ("largest_input", 9, 399),
    ("largest_number", 10, 999),
    ("with_io_programs", 1, 4000),
    ("without_io_programs", 1, 2000),
    ("demonstrations", 1, 200),
    ("distilled_demonstrations", 0, 200),
    ("inputs", 8, 40),
    ("shortest_text", 1, 12),
    ("longest_text", 2, 12),
    ("alphabet", 6, 26),
    ("nonterminals", 2, 5),
    ("terminals", 3, 6),
    ("alternatives", 2, 4),
    ("symbols", 2, 4),
    ("longest_string", 4, 10),
    ("beginnings", 6, 16),
    ("depth", 2, 3),
    ("with_io_composites", 0, 2000),
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
    ("distillation_ratio", 0.0, 0.95),
    ("batch_rows", 1, 4096),
    ("row_tokens", 32, 4096),
    ("lora_rank", 0, 256),
    ("grpo_warmup_steps", 0, 10**6),
    ("grpo_steps", 1, 10**6),
    ("grpo_completions", 2, 4096),
    ("grpo_group", 2, 512),
    ("grpo_temperature", 0.01, 10.0),
    ("grpo_learning_rate", 1e-7, 1.0),
    ("grpo_beta", 0.0, 10.0),
    ("grpo_length", 2, 4096),
    ("questions", 1, 100),
    ("checkpoints", 1, 50),
    ("stage_2_doublings", 0, 20),
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


# What presets with a pretrained model and adapters share; a completion of 96 tokens holds a trace of two statements.
# Such a model knows what a chain of thought is, so that GRPO needs no answer shown before.
_ADAPTED: dict[str, Any] = {"lora_rank": 32, "row_tokens": 256, "weight_decay": 0.01, "grpo_length": 96}
_ADAPTED |= {"grpo_warmup_steps": 0, "grpo_steps": 150}
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
        "grpo_warmup_steps": 1,
        "grpo_steps": 2,
        "grpo_completions": 8,
        "grpo_group": 4,
        "batch_rows": 4,
        "row_tokens": 256,
        "questions": 2,
        "checkpoints": 1,
    },
    # Two cores and 8 GB. Chosen on seeds and programs that no reference run uses (figures/README.md).
    "cpu": {},
    # The two below train a pretrained model.
    # - Adapters of rank 32 on every linear layer: more trained numbers than completion tokens in what is to be known,
    #   from where on LoRA is said to learn as much as full finetuning (Schulman et al., "LoRA Without Regret", 2025).
    # - Rates near that study's rule for LoRA and Llamas, 5e-4 (2000 / width)^0.78: 1.3e-3 at 576, 2.9e-4 at 4096.
    #   Stage 2 has about a third of it, as at preset cpu. Weight decay as is usual for adapters.
    # - Rows of 256 tokens: the longest document of one, two, three statements has 79, 126, 171 tokens in SmolLM2's
    #   vocabulary and chat format, and the largest other format (Llama's) adds about 35.
    # - Steps in epochs: a document has 44 tokens (source) or 47 (execution) on average, a general one 157, so that with
    #   200 and 50 programs an epoch of Stage 1 is about 20,000 tokens, of exposure 12,000, of executions 10,400, of
    #   Stage 2 3,000.
    #
    # A real language model on any card, or slowly on a CPU: the same programs and steps everywhere. All of its figures
    # take less than 7 M tokens a seed.
    "llm": _ADAPTED
    | {
        "model": "smollm2-135m",
        "with_io_programs": 200,
        "without_io_programs": 50,
        "learning_rate": 1e-3,
        "stage_2_learning_rate": 3e-4,
        "grpo_learning_rate": 1e-4,
        "batch_rows": 4,  # 1,024 tokens: what is to be known needs many steps, and 25 epochs before anything shows
        "stage_1_steps": 800,  # 41 epochs
        "stage_2_steps": 100,  # 34 epochs
        "exposure_steps": 400,  # 34 epochs
        "execution_steps": 250,  # 25 epochs
        "checkpoints": 2,
    },
    # The paper's open models on 80 GB. Rows a step as many as leave room for the largest, Qwen3-14B in bfloat16.
    "paper": _ADAPTED
    | {
        "model": "meta-llama/Llama-3.1-8B-Instruct",
        "learning_rate": 3e-4,
        "stage_2_learning_rate": 1e-4,
        "grpo_learning_rate": 5e-5,
        "batch_rows": 8,
        "stage_1_steps": 1000,  # of 2,048 tokens, with 800 and 100 programs
        "stage_2_steps": 150,
        "exposure_steps": 500,
        "execution_steps": 250,
        "checkpoints": 1,  # 16 GB of disk each
        "grpo_completions": 24,  # all go forward together: 64 would want 180 GB
        "grpo_steps": 300,
    },
}


def preset_values(preset: str) -> dict[str, Any]:
    """Return what `preset` changes; raises ExperimentError naming the presets there are."""
    if preset not in PRESETS:
        raise ExperimentError(f"preset={preset!r} is not valid; valid: {', '.join(PRESETS)}")
    return PRESETS[preset]
