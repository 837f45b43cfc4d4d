"""What is claimed: C1 to C12 of the paper, declared as data before any run. `verdicts` judges them from records.

To add a claim, add an entry to `CLAIMS`; to judge one on another figure, add a `Declared` to it. Nothing else lists
claims. `REPORTED` is all that is known of the paper's own numbers for the figures here; what is not in it is "not
available", and is never guessed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pbb.analysis.labels import MODES, PLAIN_MODE, counted
from pbb.arms import ARMS

NOT_AVAILABLE = "not available"
MOST, FEWEST = "most", "fewest"  # of the values that a side's records hold in a column; of models, by parameters
END, MATCHED = "end", "after as many questions as GRPO"
# Whether a contrast decides its claim: always, only where its arms were run, or never (it is judged and shown).
ALWAYS, IF_RUN, SHOWN = "always", "if run", "shown"


@dataclass(frozen=True)
class Side:
    """One side of a contrast: an arm's answers of one mode at the end of training.

    `where` keeps the rows whose column has that value, which may be `MOST` or `FEWEST`. Beside the columns of records
    there are ``shift``, "common" or "rare": how often skewed demonstrations of a cipher show it; and ``moment``, which
    is `END` but for SFT in F06, that can also be looked at `MATCHED`. `permuted` scores answers against the right
    answer to another input of the same program.
    """

    arm: str
    mode: str = "cot"
    where: Mapping[str, Any] = field(default_factory=dict)
    permuted: bool = False

    def __str__(self) -> str:
        arm = ARMS[self.arm].label if self.arm in ARMS else self.arm.replace("_", " ").capitalize()
        told = [in_words(column, value) for column, value in self.where.items() if column != "domain"]
        mode = MODES[PLAIN_MODE.get(self.mode, self.mode)]  # "in context" is said by the arm
        return ", ".join([arm, mode, *told, *["permuted"] * self.permuted])


def in_words(column: str, value: Any) -> str:
    """Return the value of a column as it is told beside an arm: ``"tiny-l"``, ``"1 template"``, ``"rare shifts"``."""
    if column == "model":
        return {MOST: "the largest model", FEWEST: "the smallest model"}.get(value, str(value))
    if column in ("representation", "moment"):
        return str(value)
    things = {"with_io_programs": "w/ IO programs", "shift": "shifts"}.get(column, column)
    return f"{value} {things}" if isinstance(value, str) else counted(value, things)


@dataclass(frozen=True)
class Declared:
    """A contrast on the records of one figure. Its direction is fixed here: `above` is claimed to exceed `below`.

    What is compared is accuracy; with `more_than` the difference is claimed to exceed that of two other sides; with
    `steadier` the accuracies of `above` are claimed to lie closer together over seeds.
    """

    figure: str
    above: Side
    below: Side
    more_than: tuple[Side, Side] | None = None
    steadier: bool = False
    decides: str = ALWAYS
    also: str = ""  # another figure, whose records are looked at beside those of `figure` on the board

    def __str__(self) -> str:
        if self.more_than:
            return f"({self.above}) − ({self.below}) > ({self.more_than[0]}) − ({self.more_than[1]})"
        return f"{self.above} > {self.below}" + (", in steadiness over seeds" if self.steadier else "")

    @property
    def sides(self) -> tuple[Side, ...]:
        return (self.above, self.below, *(self.more_than or ()))


@dataclass(frozen=True)
class Claim:
    """A claim of the paper's, and what is compared to judge it."""

    id: str  # "C1"
    statement: str  # as PAPER.md has it
    source: str  # where the paper claims it
    contrasts: tuple[Declared, ...]
    may_fail: str  # why it may fail at this scale: a guess, shown where it does
    here: str = ""  # how it is tested here, where that is less, or other, than the statement
    worth: bool = False  # beside the difference tell how many demonstrations one instruction is worth


@dataclass(frozen=True)
class Reported:
    """A number of the paper's, with where it comes from and how sure that is. No answer mode is known for any."""

    claim: str
    figure: str
    arm: str  # whose accuracy it is; "" for a number of another kind
    value: str
    setting: str
    source: str


_NOTES = "third-party notes on the ICLR version; medium confidence"
REPORTED: tuple[Reported, ...] = (
    Reported("C1", "F02", "proactive", "about 37 %", "Qwen3-14B, Random Arithmetic", _NOTES),
    Reported("C1", "F02", "untuned", "0 %", "Qwen3-14B, Random Arithmetic, zero-shot", _NOTES),
    Reported("C1", "F02", "stage_2_only", "about 0 %", "Qwen3-14B, Random Arithmetic", _NOTES),
    Reported("C6", "F08", "", "up to 100", "execution examples that one instruction replaces", "v2 abstract; high"),
)


def _each(figure: str, above: Side, below: Sequence[Side], decides: str = ALWAYS) -> tuple[Declared, ...]:
    return tuple(Declared(figure, above, side, decides=decides) for side in below)


def _arms(*arms: str, mode: str = "cot", **where: Any) -> list[Side]:
    return [Side(arm, mode, where) for arm in arms]


def _taught(form: str, **where: Any) -> Side:
    return Side("proactive", where={"representation": form, **where})


_UNTAUGHT = ("untuned", "stage_1_only", "stage_2_only", "no_demonstrations")
_SUMS = {"domain": "sums"}
_CIPHERS = {"domain": "ciphers"}
_RARE = {"domain": "ciphers", "shift": "rare"}

CLAIMS: tuple[Claim, ...] = (
    Claim(
        "C1",
        "w/o IO programs are executed above every control: untuned, Stage 1 only, Stage 2 only.",
        "v1, v2 abstracts",
        (
            *_each("F02", Side("proactive"), _arms(*_UNTAUGHT)),
            *_each("F02", Side("retroactive"), _arms(*_UNTAUGHT, "skip_exposure")),
        ),
        "A small model trained for minutes may know a source by heart and yet not find it when it is asked to run it.",
        here="By chain of thought, with two more controls: no demonstrations, and skip-exposure for Retroactive.",
    ),
    Claim(
        "C2",
        "Code works better than semantically equivalent language descriptions; the gap narrows with model size.",
        "v1 abstract, notes",
        (
            Declared("F04", _taught("code"), _taught("description")),
            Declared(
                "F04",
                _taught("code", model=FEWEST),
                _taught("description", model=FEWEST),
                more_than=(_taught("code", model=MOST), _taught("description", model=MOST)),
            ),
        ),
        "From descriptions the smaller models run nothing that they know by heart, though they run descriptions in "
        "context as well as code: a gap cannot narrow before there is something on its lower side.",
    ),
    Claim(
        "C3",
        "Direct answers work (implicit evaluation in the forward pass); CoT is more reliable.",
        "v1 abstract",
        (
            *_each("F05", Side("proactive", "direct"), _arms("stage_1_only", mode="direct")),
            *_each("F05", Side("proactive", "direct"), [Side("proactive", "direct", permuted=True)]),
            *_each("F05", Side("proactive"), _arms("proactive", mode="direct")),
            *_each(
                "F05",
                Side("homogeneous", "direct", _SUMS),
                [*_arms("stage_1_only", mode="direct", **_SUMS), Side("homogeneous", "direct", _SUMS, permuted=True)],
                decides=SHOWN,
            ),
        ),
        "For a direct answer the source has to be found and run within one pass through a few layers, which may be too "
        "few for both where there is more to it than a number to add.",
        here="On Random Arithmetic of one to three statements, and on sums, which add one number.",
    ),
    Claim(
        "C4",
        "PBB is more robust across inputs (cipher shifts) than AD on naturally skewed I/O pairs; the two mixed is "
        "best.",
        "v1 abstract, notes",
        (
            Declared("F07", Side("proactive", where=_RARE), Side("distillation", where=_RARE)),
            Declared("F07", Side("proactive", where=_CIPHERS), Side("distillation", where=_CIPHERS)),
            *_each("F07", Side("pbb_and_distillation", where=_CIPHERS), _arms("proactive", "distillation", **_CIPHERS)),
        ),
        "A demonstration by chain of thought shows every line of the source at work, so that twenty of them tell the "
        "source, at whatever shifts; the paper's pairs may have shown inputs and outputs alone.",
        here="Over all shifts alike, and over those that skewed demonstrations rarely show.",
    ),
    Claim(
        "C5",
        "Both curricula beat the homogeneous mixture.",
        "v2 abstract",
        (
            *_each("F02", Side("proactive"), _arms("homogeneous")),
            *_each("F02", Side("retroactive"), _arms("homogeneous")),
            Declared("F02", Side("retroactive_grpo"), Side("homogeneous"), decides=IF_RUN, also="F06"),
        ),
        "Retroactive's second stage, by SFT or by rewards, overwrites the sources that it is to be applied to, in a "
        "model this small.",
    ),
    Claim(
        "C6",
        "One instruction is worth up to 100 execution examples.",
        "v2 abstract",
        (
            *_each("F08", Side("proactive"), _arms("distillation", demonstrations=1)),
            *(
                Declared("F08", Side("proactive"), Side("distillation", where={"demonstrations": count}), decides=SHOWN)
                for count in (2, 4, 7, 9)
            ),
        ),
        "A one-statement function of ten inputs is soon guessed from a few of them, so that demonstrations are worth "
        "more here than of the paper's programs.",
        here="A program has ten inputs, so 100 cannot be tried. Decided is whether one instruction is worth more than "
        "one demonstration; how many it is worth is where the curve of distillation crosses the line of PBB.",
        worth=True,
    ),
    Claim(
        "C7",
        "In-context execution is more reliable than PBB.",
        "v2 abstract",
        (
            Declared("F12", Side("in_context", "in_context_cot"), Side("proactive")),
            Declared("F12", Side("in_context", "in_context_direct"), Side("proactive", "direct")),
        ),
        "Short programs are run nearly without error both ways, which leaves no room for a difference; and finetuning "
        "teaches to run this very kind of program by name.",
    ),
    Claim(
        "C8",
        "Retroactive: RL generalises faster and more steadily than SFT.",
        "notes",
        (
            Declared("F06", Side("retroactive_grpo"), Side("retroactive", where={"moment": MATCHED})),
            Declared("F06", Side("retroactive_grpo"), Side("retroactive"), decides=SHOWN),
            Declared("F06", Side("retroactive_grpo"), Side("retroactive"), steadier=True),
        ),
        "Rewards raise what is asked about, and recall falls meanwhile as it does under SFT, so that there is less and "
        "less to run; differences between seeds need more seeds than fit this budget.",
        here="Faster: a higher accuracy after as many questions; the end, where SFT has seen more of them, is "
        "shown and decides nothing. Steadier: a smaller spread over three seeds or more.",
    ),
    Claim(
        "C9",
        "Accuracy grows with model size and with the number of w/ IO programs.",
        "reviews, notes",
        (
            Declared("F03", Side("proactive", where={"model": MOST}), Side("proactive", where={"model": FEWEST})),
            Declared(
                "F09",
                Side("proactive", where={"with_io_programs": MOST}),
                Side("proactive", where={"with_io_programs": FEWEST}),
            ),
        ),
        "At equal tokens more programs are each seen less often, here too seldom to be run by name; recited first, "
        "they are run as well as before.",
        here="The largest against the smallest, at equal tokens.",
    ),
    Claim(
        "C10",
        "Without context augmentation PBB degrades badly.",
        "notes",
        (Declared("F10", Side("proactive", where={"templates": 20}), Side("proactive", where={"templates": 1})),),
        "With one template, questions use the same words as training, so that a model that learnt nothing beyond "
        "these words loses nothing.",
        here="Twenty pointer templates against one.",
    ),
    Claim(
        "C11",
        "Two separately learnt programs can be composed.",
        "notes",
        _each("F11", Side("proactive", where={"domain": "composition"}), _arms("stage_1_only", domain="composition")),
        "Parts are recalled when they are asked for alone. In the trace of a composite more than half of the names "
        "are copied wrongly, and where both names are right the lines below them are mostly other programs'.",
    ),
    Claim(
        "C12",
        "Grammars: far above random generation without CoT.",
        "notes",
        _each(
            "F13",
            Side("proactive", "direct", {"domain": "grammars"}),
            _arms("random_generation", "stage_1_only", mode="direct", domain="grammars"),
        ),
        "A string has to obey rules that are applied in one pass, letter by letter, and the base models never saw a "
        "grammar.",
        here="Far is not defined: above random generation, and above Stage 1 only.",
    ),
)
