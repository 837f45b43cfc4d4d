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
PRIMARY, SECONDARY = "primary", "secondary"


@dataclass(frozen=True)
class Side:
    """One side of a contrast: an arm's answers of one mode at the end of training.

    `where` keeps the rows whose column has that value, which may be `MOST` or `FEWEST` (of models, the smallest that
    runs enough in context for the regime). Beside the columns of records there are ``shift``, "common" or "rare": how
    often skewed demonstrations of a cipher show it; ``copied``, whether copying answers the question
    (`pbb.analysis.copies`); and ``moment``, which is `END` but for SFT in F06, that can also be looked at `MATCHED`.
    `permuted` scores answers against the right answers to the program's other inputs.
    """

    arm: str
    mode: str = "cot"
    where: Mapping[str, Any] = field(default_factory=dict)
    permuted: bool = False

    def __str__(self) -> str:
        arm = ARMS[self.arm]
        told = [in_words(column, value) for column, value in self.where.items() if column != "domain"]
        mode = MODES[PLAIN_MODE.get(self.mode, self.mode)]  # "in context" is said by the arm
        if arm.asked:
            mode = ""  # it is asked for what it was shown
        return ", ".join(filter(None, [arm.label, mode, *told, *["permuted"] * self.permuted]))


def in_words(column: str, value: Any) -> str:
    """Return the value of a column as it is told beside an arm: ``"tiny-m"``, ``"1 template"``, ``"rare shifts"``."""
    if column == "model":
        return {MOST: "the largest model", FEWEST: "the smallest model in the regime"}.get(value, str(value))
    if column == "copied":
        return "copies alone" if value else "copies left out"
    if column in ("representation", "moment", "domain"):
        return str(value)
    things = {"with_io_programs": "w/ IO programs", "shift": "shifts"}.get(column, column)
    return f"{value} {things}" if isinstance(value, str) else counted(value, things)


@dataclass(frozen=True)
class Declared:
    """A contrast on the records of one figure. Its direction is fixed here: `above` is claimed to exceed `below`.

    What is compared is accuracy; with `more_than` the difference is claimed to exceed that of two other sides; with
    `steadier` the accuracies of `above` are claimed to lie closer together over seeds. With a `regime`, values of the
    panel's columns, the contrast is primary there; everywhere else it is secondary.
    """

    figure: str
    above: Side
    below: Side
    regime: Mapping[str, Any] | None = None
    more_than: tuple[Side, Side] | None = None
    steadier: bool = False
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
    statement: str  # in this project's words
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


def _each(figure: str, above: Side, below: Sequence[Side]) -> tuple[Declared, ...]:
    return tuple(Declared(figure, above, side) for side in below)


def _arms(*arms: str, mode: str = "cot", **where: Any) -> list[Side]:
    return [Side(arm, mode, where) for arm in arms]


def _pbb(**where: Any) -> Side:
    return Side("proactive", where=where)


def _most_and_fewest(column: str) -> tuple[Side, Side]:
    return _pbb(**{column: MOST}), _pbb(**{column: FEWEST})


def _others_of_ad(*more: str, **where: Any) -> list[Side]:
    """AD beside the paper's: by values, and after Stage 1, asked both ways; `more` arms by CoT."""
    after = "distillation_after_stage_1"
    return [*_arms("distillation_values", after, *more, **where), _directly(after, **where)]


def _directly(arm: str, permuted: bool = False, **where: Any) -> Side:
    return Side(arm, "direct", where, permuted)


_ONE = {"domain": "arithmetic", "statements": 1}
_TWO = {"domain": "arithmetic", "statements": 2}
_COMPUTED: dict[str, Any] = {"copied": False}  # questions that cannot be answered by copying
_SUMS: dict[str, Any] = {"domain": "sums", **_COMPUTED}
_CIPHERS = {"domain": "ciphers"}
_RARE = {"domain": "ciphers", "shift": "rare"}

CLAIMS: tuple[Claim, ...] = (
    Claim(
        "C1",
        "w/o IO programs are executed above every control: untuned, Stage 1 only, Stage 2 only.",
        "v1, v2 abstracts",
        (
            Declared("F02", Side("proactive"), Side("stage_1_only"), _ONE),
            *_each("F02", Side("proactive"), _arms("untuned", "stage_2_only", "no_demonstrations")),
            *_each("F16", Side("proactive"), _arms("untuned", "stage_1_only")),
            *_each(
                "F02",
                Side("retroactive"),
                _arms("untuned", "stage_1_only", "stage_2_only", "no_demonstrations", "skip_exposure"),
            ),
        ),
        "A small model trained for minutes may know a source by heart and yet not find it when it is asked to run it.",
        here="By chain of thought. Stage 1 only decides, which differs from Proactive by the w/o IO sources alone; the "
        "other controls are shown, also for Retroactive.",
    ),
    Claim(
        "C2",
        "Code works better than semantically equivalent language descriptions; the gap narrows with model size.",
        "v1 abstract, notes",
        (
            Declared("F04", _pbb(representation="code"), _pbb(representation="description"), _ONE | {"model": MOST}),
            Declared(
                "F04",
                _pbb(representation="code", model=FEWEST),
                _pbb(representation="description", model=FEWEST),
                _ONE,
                more_than=(
                    _pbb(representation="code", model=MOST),
                    _pbb(representation="description", model=MOST),
                ),
            ),
        ),
        "Descriptions are recited as well as code, and run as well in context; by name they are run far less often. In "
        "words, each number has to be recalled where it is used.",
        here="Each is run step by step in terms of its own. A trace of code begins with the line as it stands, which "
        "recalls it; a trace in words begins with the first step. A gap is compared only where none of its sides is at "
        "its control.",
    ),
    Claim(
        "C3",
        "Direct answers work (implicit evaluation in the forward pass); CoT is more reliable.",
        "v1 abstract",
        (
            Declared("F05", _directly("proactive", **_COMPUTED), _directly("stage_1_only", **_COMPUTED), _ONE),
            Declared("F05", Side("proactive"), _directly("proactive"), _ONE),
            Declared("F05", _directly("proactive", **_COMPUTED), _directly("proactive", True, **_COMPUTED)),
            Declared("F05", _directly("homogeneous", **_SUMS), _directly("stage_1_only", **_SUMS)),
            Declared("F05", _directly("homogeneous", **_SUMS), _directly("homogeneous", True, **_SUMS)),
        ),
        "For a direct answer the source has to be found and run within one pass through a few layers, which may be too "
        "few for both.",
        here="Direct answers count where the answer cannot be copied: it is neither a number of the source nor the "
        "input.",
    ),
    Claim(
        "C4",
        "PBB is more robust across inputs (cipher shifts) than AD on naturally skewed I/O pairs; the two mixed is "
        "best.",
        "v1 abstract, notes",
        (
            Declared("F07", Side("proactive", where=_RARE), Side("distillation", where=_RARE), _CIPHERS),
            *(
                Declared("F07", Side("pbb_and_distillation", where=_CIPHERS), Side(arm, where=_CIPHERS), _CIPHERS)
                for arm in ("distillation", "proactive")
            ),
            Declared("F07", Side("proactive", where=_CIPHERS), Side("distillation", where=_CIPHERS)),
            *_each("F07", Side("proactive", where=_RARE), _others_of_ad(**_RARE)),
        ),
        "Demonstrations may add nothing to a source, which tells all that they do.",
        here="AD is shown inputs and outputs alone, in as many steps as Proactive has in all. The first half is judged "
        "on shifts that skewed demonstrations rarely show. AD after Proactive's Stage 1 is shown beside it, and with "
        "FULL=1 AD by values, which adds the results of steps.",
    ),
    Claim(
        "C5",
        "Both curricula beat the homogeneous mixture.",
        "v2 abstract",
        (
            Declared("F02", Side("proactive"), Side("homogeneous"), _ONE),
            Declared("F02", Side("retroactive"), Side("homogeneous"), _ONE),
            Declared("F02", Side("retroactive_grpo"), Side("homogeneous"), also="F06"),
        ),
        "After Retroactive's second stage, which shows executions alone, some sources are no longer recited, and of "
        "the others most are not run. A real model forgets less, and its mixture leaves little to gain.",
    ),
    Claim(
        "C6",
        "One instruction is worth up to 100 execution examples.",
        "v2 abstract",
        (
            Declared(
                "F08", Side("proactive"), Side("distillation", where={"demonstrations": 1}), {"domain": "arithmetic"}
            ),
            *(
                Declared("F08", Side("proactive"), Side("distillation", where={"demonstrations": count}))
                for count in (10, 90)
            ),
            *(
                one
                for count in (1, 10, 90)
                for one in _each("F08", Side("proactive"), _others_of_ad("distillation_traces", demonstrations=count))
            ),
        ),
        "A one-statement function is soon guessed from some of its inputs, so that demonstrations are worth more here "
        "than of the paper's programs.",
        here="AD is shown inputs and outputs alone, in as many steps as Proactive has in all. Decided is whether one "
        "instruction is worth more than one demonstration; how many it is worth is where the curve of AD crosses the "
        "line of PBB, from nothing and after the same Stage 1. With FULL=1 AD by values and by traces is shown beside "
        "it.",
        worth=True,
    ),
    Claim(
        "C7",
        "In-context execution is more reliable than PBB.",
        "v2 abstract",
        (
            Declared("F12", Side("in_context", "in_context_cot"), Side("proactive"), _TWO),
            Declared("F12", Side("in_context", "in_context_direct"), _directly("proactive")),
        ),
        "Finetuning teaches to run this very kind of program by name, which leaves less of a difference than a few "
        "seeds can show.",
    ),
    Claim(
        "C8",
        "Retroactive: RL generalises faster and more steadily than SFT.",
        "notes",
        (
            Declared("F06", Side("retroactive_grpo"), Side("retroactive", where={"moment": MATCHED}), _ONE),
            Declared("F06", Side("retroactive_grpo"), Side("retroactive"), _ONE, steadier=True),
            Declared("F06", Side("retroactive_grpo"), Side("retroactive")),
        ),
        "Rewards raise what is asked about, and recall falls meanwhile as it does under SFT, so that there is less and "
        "less to run.",
        here="Faster: a higher accuracy after as many questions. Steadier: a smaller spread over seeds.",
    ),
    Claim(
        "C9",
        "Accuracy grows with model size and with the number of w/ IO programs.",
        "reviews, notes",
        (
            Declared("F03", *_most_and_fewest("model"), _ONE),
            Declared("F09", *_most_and_fewest("with_io_programs"), _TWO),
        ),
        "At equal tokens more programs are each seen less often; recited first, they are run as well as before.",
        here="The largest against the smallest, finetuned on as many tokens. The largest tiny model was pretrained on "
        "44 M tokens, the smaller ones on 30 M.",
    ),
    Claim(
        "C10",
        "Without context augmentation PBB degrades badly.",
        "notes",
        (Declared("F10", _pbb(templates=20), _pbb(templates=1), _TWO),),
        "The base model has run programs in context after every one of these templates, so that one may be enough to "
        "learn what a name stands for.",
        here="Twenty pointer templates of w/ IO programs against one. w/o IO programs and questions have twenty.",
    ),
    Claim(
        "C11",
        "Two separately learnt programs can be composed.",
        "notes",
        (
            Declared("F11", Side("proactive"), Side("stage_1_only"), {"domain": "composition"}),
            Declared("F11", _directly("proactive"), _directly("stage_1_only")),
        ),
        "Parts are recalled when they are asked for alone. In the trace of a composite more than half of the names "
        "are copied wrongly, and where both names are right the lines below them are mostly other programs'.",
        here="By chain of thought, of parts that are both known by their source alone. A w/ IO part inside, and "
        "both sources in one document besides, are shown beside it; with FULL=1 also a builtin around one part.",
    ),
    Claim(
        "C12",
        "Grammars: far above random generation without CoT.",
        "notes",
        tuple(
            Declared("F13", _directly("proactive", domain="grammars"), _directly(arm, domain="grammars"), regime)
            for arm, regime in (("random_generation", {"domain": "grammars"}), ("stage_1_only", None))
        ),
        "A string has to obey rules that are applied in one pass, letter by letter.",
        here="Far is not defined: above random generation decides.",
    ),
)
PRIMARIES = sum(one.regime is not None for claim in CLAIMS for one in claim.contrasts)
