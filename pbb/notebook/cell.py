"""What the notebooks call, so that they hold no logic: set-up, variants, drawing, verdicts, asking a trained model.

Tables and pictures for looking at programs, documents and answers are in `pbb.notebook.views`.
"""

from __future__ import annotations

import importlib.metadata
import itertools
import shutil
import sys
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from packaging.requirements import Requirement

from pbb import store
from pbb.analysis import board as boards
from pbb.analysis import claims, verdicts
from pbb.analysis.tables import usable
from pbb.cli import resolve_preset
from pbb.experiments.curricula import curriculum
from pbb.experiments.documents import answer, declaration, declarative_prompt, in_context, question
from pbb.experiments.experiment import Experiment
from pbb.experiments.groups import groups
from pbb.experiments.presets import PRESETS
from pbb.figures import io
from pbb.figures.io import figure_module
from pbb.notebook.views import loss_tokens, sample_documents, show
from pbb.programs.settings import ExperimentError
from pbb.records import load_records
from pbb.runs.tasks import StageTask
from pbb.store import RecordsError, environment_manifest, is_complete, quiet

__all__ = [
    "Answer",
    "Variant",
    "ask",
    "beside_paper",
    "board",
    "contrasts",
    "draw",
    "loss_tokens",
    "overview",
    "reference",
    "resolve_preset",
    "sample_documents",
    "setup",
    "show",
    "train",
    "variant",
    "verdict",
]


# -------------------------------------------------------------------------------------------------- set-up


def setup() -> None:
    """Say what runs here: package versions and hardware, and what does not fit. Imports nothing heavy."""
    from pbb import __version__
    from pbb.models.machine import cores

    quiet()
    warnings.filterwarnings("ignore", message="IProgress not found")
    facts = environment_manifest(("torch", "transformers", "trl"))
    versions = ", ".join(f"{name} {version or 'not installed'}" for name, version in facts["packages"].items())
    hardware = "an NVIDIA GPU" if shutil.which("nvidia-smi") else "no GPU"
    print(f"pbb {__version__}, {facts['python']}, {versions}; {cores()} cores, {hardware}")
    for problem in misfits():
        print(f"note: {problem}")


def misfits(requirements: Iterable[str] | None = None) -> list[str]:
    """Return what of the environment differs from what pbb asks for, in words, with the command that mends it.

    Args:
        requirements: such as ``"trl==1.14.2"``; those of the installed pbb when None (none in a bare checkout).
    """
    if requirements is None:
        try:
            requirements = importlib.metadata.requires("pbb") or ()
        except importlib.metadata.PackageNotFoundError:
            requirements = ()
    found = []
    for wanted in map(Requirement, requirements):
        if wanted.marker and not wanted.marker.evaluate({"extra": ""}):
            continue
        try:
            version = importlib.metadata.version(wanted.name)
        except importlib.metadata.PackageNotFoundError:
            found.append(f"{wanted.name} is missing; %pip install '{wanted.name}{wanted.specifier}'")
            continue
        if not wanted.specifier.contains(version, prereleases=True):
            found.append(
                f"{wanted.name} {version} is installed, and pbb was tested with {wanted.specifier}; "
                f"%pip install '{wanted.name}{wanted.specifier}', then restart the kernel"
            )
        loaded = getattr(sys.modules.get(wanted.name.replace("-", "_")), "__version__", version)
        if str(loaded) != version:
            found.append(f"{wanted.name} {loaded} is loaded and {version} is installed: restart the kernel")
    return found


# ------------------------------------------------------------------------------------------------ variants
@dataclass(frozen=True)
class Variant:
    """A reader's version of a study: its experiments, and what differs from the preset's own.

    `preset` is what the records are marked with: the preset's name, or ``"custom"`` where a field was changed (but
    changed smoke runs stay smoke, and stamped). `base` is the preset whose reference is drawn behind.
    """

    experiments: tuple[Experiment, ...]
    preset: str
    base: str
    changes: tuple[tuple[str, Any, Any], ...] = ()  # (field, the preset's value, the reader's); a tuple for several

    @property
    def label(self) -> str:
        """How a legend names it."""
        return ", ".join(f"{name}={_briefly(value)}" for name, _, value in self.changes) or "this run"

    def __str__(self) -> str:
        arms = ", ".join(dict.fromkeys(e.arm for e in self.experiments))
        seeds = len({e.seed for e in self.experiments})
        lines = [f"preset {self.base}, {seeds} seed{'s' if seeds > 1 else ''}: {arms}"]
        lines += [f"changed: {name}={value!r} (the preset has {before!r})" for name, before, value in self.changes]
        if not self.changes:
            lines.append("changed: nothing; these are the preset's own experiments")
        if self.base == "smoke":
            lines.append("Preset smoke only proves that everything runs: models this little trained show nothing.")
        return "\n".join(lines)


def variant(study: Sequence[Experiment], preset: str, *, arms: Sequence[str] = (), **changes: Any) -> Variant:
    """Return `study` with a reader's changes applied to every experiment.

    Args:
        study: what ``pbb.study`` returned for `preset`.
        preset: its preset, resolved.
        arms: the curricula to keep; empty keeps all.
        changes: fields of `Experiment`. An empty value ("", (), None) is the preset's; so is 0, or -1 where 0 is a
            value of that field (as it is for ratios). A list of values makes every experiment once for each; of a
            field that is a list itself, such as `trained_modes`, it is one value.

    Raises:
        ExperimentError: an arm is not in the study, or a field or value is not valid; the message says what is.
    """
    known = list(dict.fromkeys(e.arm for e in study))
    if unknown := [arm for arm in arms if arm not in known]:
        raise ExperimentError(f"arms={unknown[0]!r} is not valid here; valid: {', '.join(known)}")
    kept = [e for e in study if not arms or e.arm in arms]
    wanted = {name: value for name, value in changes.items() if not _empty(kept[0], name, value)}
    every = itertools.product(*(_values(kept[0], name, value) for name, value in wanted.items()))
    changes_each = [dict(zip(wanted, values, strict=True)) for values in every]
    made = tuple(dict.fromkeys(e.changed(**values) for values in changes_each for e in kept))
    changed = []
    for name in wanted:
        before, after = ({e.value(name) for e in experiments} for experiments in (kept, made))
        if before != after:
            changed.append((name, _one_or_all(before), _one_or_all(after)))
    return Variant(made, "custom" if changed and preset != "smoke" else preset, preset, tuple(changed))


def _values(experiment: Experiment, name: str, value: Any) -> Sequence[Any]:
    """Return what a field is to be: several values from a list, unless the field is a list itself."""
    return value if isinstance(value, (list, tuple)) and not isinstance(experiment.value(name), tuple) else [value]


def _one_or_all(values: set[Any]) -> Any:
    return values.pop() if len(values) == 1 else tuple(sorted(values))


def _briefly(value: Any) -> str:
    """Return a value as a legend has room for it."""
    if not isinstance(value, tuple):
        return str(value)
    return ", ".join(map(str, value if len(value) < 3 else (value[0], "…", value[-1])))


def _empty(experiment: Experiment, name: str, value: Any) -> bool:
    if value is None or isinstance(value, (str, tuple, list)):
        return not value
    if value not in (0, -1):
        return False
    try:
        experiment.changed(**{name: value})
    except ExperimentError:
        return True
    return False


# ------------------------------------------------------------------------------------------------- figures
def reference(figure: str, preset: str) -> pd.DataFrame | None:
    """Return the committed reference records of `figure`, or None where there are none for `preset`."""
    folder = store.reference(preset) / figure_module(figure).NAME
    return load_records(folder) if is_complete(folder) else None


def draw(figure: str, records: pd.DataFrame, *, variant: Variant | str = "this run") -> Any:
    """Return the figure of `records`, over the faint committed reference of the same preset where there is one.

    Smoke records are drawn with a stamp across the picture: they show that the code runs, and nothing else. F01
    needs a right answer to show; where smoke records hold none, that is said in words and None is returned.
    """
    preset = str(records["preset"].iloc[0])
    label = variant if isinstance(variant, str) else variant.label
    # A reader's own changes are marked "custom"; without a Variant they are read against the cpu preset's.
    base = variant.base if isinstance(variant, Variant) else "cpu" if preset == "custom" else preset
    behind = reference(figure, base)
    module, smoke = figure_module(figure), preset == "smoke"
    if behind is not None:
        behind = _same_panel(behind, records, module.FIXED)
    usable(records, allow_smoke=smoke)  # what is wrong with the records is never taken for what smoke lacks
    try:
        return module.draw(records, behind, variant=label, allow_smoke=smoke)
    except RecordsError as error:
        if not (smoke and figure == "F01"):
            raise
        print(f"Nothing to show at preset smoke, whose models are hardly trained ({error}). Any other preset draws it.")
        return None


def _same_panel(behind: pd.DataFrame, records: pd.DataFrame, fixed: Sequence[str]) -> pd.DataFrame:
    """Return the reference under the panel of `records`, where each has a single one that differ.

    Panels are told apart by what they hold `fixed`, such as the length of programs: a variant of that would otherwise
    be drawn with no reference behind it. What the figure's axis shows is not moved.
    """
    for column in fixed:
        ours, theirs = records[column].unique(), behind[column].unique()
        if len(ours) == len(theirs) == 1:
            behind = behind.assign(**{column: ours[0]})
    return behind


def overview(preset: str) -> Any:
    """Return F01 from the committed records of `preset`; where there are none yet, say so and return None."""
    records = reference("F01", preset)
    if records is None:
        print(f"Preset {preset} has no committed figures: the picture is drawn further down, from this machine's run.")
        return None
    return draw("F01", records)


def verdict(figure: str, records: pd.DataFrame) -> Any:
    """Return the board's rows about `figure`, judged on `records`, as a table; where no claim is about it, say so.

    All else on the board comes from the committed records of the same preset (see `pbb.analysis.board.verdict`).
    """
    figure_module(figure)
    preset = str(records["preset"].iloc[0])
    table = boards.verdict(figure, records, store.reference("cpu" if preset == "custom" else preset))
    if table.empty:
        print(f"No claim of the paper's is judged on {figure}.")
        return None
    print(verdicts.RULE)
    shown = _in_points(table)[["claim", "contrast", "where", *_IN_POINTS, "programs", "seeds", "verdict"]]
    return shown.style.hide(axis="index").format(na_rep="-", escape="html")


_IN_POINTS = ["difference, points", "p, corrected"]


def _in_points(table: pd.DataFrame) -> pd.DataFrame:
    """Return contrasts with two more columns: differences in points of a hundred, with intervals, and p in words."""
    rows = table.to_dict("records")
    p = [f"{row['p']:.3f}" if row["p"] >= 0.001 else "-" if pd.isna(row["p"]) else "< 0.001" for row in rows]
    return table.assign(**dict(zip(_IN_POINTS, ([verdicts.points(row) for row in rows], p), strict=True)))


def board(preset: str = "auto", *, mine: bool = False) -> Any:
    """Return the claims board as a table to look at: every claim, its verdict, and what decided it.

    Args:
        preset: whose records; ``"auto"`` for every preset that has any.
        mine: judge this machine's figures, not the committed references.
    """
    tables = []
    for one in boards.boards(preset, mine=mine, known=PRESETS):
        print(f"Preset {one.preset}: {one.counts}.")
        tables.append(one.claims.assign(preset=one.preset))
    shown = ["claim", "statement", "verdict", "value", "decided by", "supported", "figures", "seeds", "paper", "why"]
    table = pd.concat(tables)[["preset"] * (len(tables) > 1) + shown].assign(
        figures=lambda one: one["figures"].str.join(", ")
    )
    names = {"supported": "contrasts", "paper": "the paper's value", "why": "why it may fail here"}
    return table.rename(columns=names).style.hide(axis="index").format(escape="html")


def contrasts(claim: str, preset: str = "auto", *, mine: bool = False) -> Any:
    """Return every contrast that was declared for `claim`, such as ``"C3"``, as a table to look at.

    Raises:
        RecordsError: there is no such claim.
    """
    known = [one.id for one in claims.CLAIMS]
    if claim not in known:
        raise RecordsError(f"claim={claim!r} is not valid; valid: {', '.join(known)}")
    found = [
        _in_points(one.contrasts).assign(preset=one.preset) for one in boards.boards(preset, mine=mine, known=PRESETS)
    ]
    table = pd.concat(found)
    shown = ["preset", "figure", "contrast", "where", *_IN_POINTS, "programs", "seeds", "verdict"]
    return table.loc[table["claim"] == claim, shown].style.hide(axis="index").format(na_rep="-", escape="html")


def beside_paper(figure: str, records: pd.DataFrame) -> Any:
    """Return `pbb.figures.io.beside_paper` as a table to look at."""
    return io.beside_paper(figure, records).style.hide(axis="index").format(escape="html")


# -------------------------------------------------------------------------------------------------- asking
def train(experiment: Experiment) -> list[StageTask]:
    """Return the stages of `experiment` after training those that are not on this machine.

    ``pbb.run`` has trained them already, unless its records were complete and the weights since deleted. Training is
    a worker's work here too: on one thread, so that the same weights come of it.
    """
    stages = [StageTask(experiment, index) for index in range(len(curriculum(experiment)))]
    if missing := [stage for stage in stages if not is_complete(stage.folder)]:
        from pbb.runs.engine import execute

        execute(missing, 1, print)
    return stages


@dataclass(frozen=True)
class Answer:
    """One question put to a trained model, and what came of it."""

    prompt: str
    completion: str
    expected: str
    outcome: str  # "correct", "wrong" or "unparsed"
    group: str
    source: str

    def __str__(self) -> str:
        parts = [
            ("The question", self.prompt),
            ("The model's answer", self.completion),
            ("What the real program returns", f"{self.expected}   ({self.outcome})"),
            (f"The program, a {self.group} one", self.source),
        ]
        return "\n\n".join(f"{title}\n    " + text.replace("\n", "\n    ") for title, text in parts)


def ask(experiment: Experiment, program: str = "", text: str = "", mode: str = "cot", template: int = 0) -> Answer:
    """Ask the model that `experiment` trained about one of its programs, by name (imports torch).

    Args:
        experiment: trains on this machine first whatever is missing of it.
        program: the program's name; empty takes the first w/o IO program.
        text: an input, such as ``"4"``; empty takes the program's first.
        mode: ``"cot"`` or ``"direct"``.
        template: which pointer context names the program, 0 to 19.

    Raises:
        ValueError: there is no such program, input or mode; the message says what is valid.
    """
    by_name = {p.name: (group.name, p) for group in reversed(groups(experiment)) for p in group.programs}
    if program and program not in by_name:
        raise ValueError(f"program={program!r} is not in this experiment; valid: {', '.join([*by_name][:8])}, …")
    group, chosen = by_name[program or next(iter(by_name))]
    text = text or chosen.inputs[0]
    if text not in chosen.inputs:
        raise ValueError(f"text={text!r} is not an input of {chosen.name}; valid: {', '.join(chosen.inputs[:12])}")
    if mode not in ("cot", "direct"):
        raise ValueError(f"mode={mode!r} is not valid; valid: 'cot', 'direct'")
    prompt = question(chosen, text, template, mode, experiment.documents.question_style)
    told = declaration(chosen, experiment.documents.representation)
    if experiment.in_context:
        prompt = in_context(told, prompt)

    from pbb.models import ask, loading
    from pbb.runs import tasks

    stages = train(experiment)
    weights = tasks._step_folder(stages[-1].folder, stages[-1].checkpoints()[-1]) if stages else None
    model, tokenizer = loading.load(experiment.model, weights)
    asked = ask.Question(
        answer_mode=mode,
        group=group,
        program=chosen,
        input=text,
        held_out=True,
        prompt=prompt,
        expected=chosen.execution(text).output,
        target=answer(chosen, text, mode),
        declarative_prompt=declarative_prompt(chosen, template, experiment.documents.representation),
    )
    (row,) = ask.evaluate(model, tokenizer, [asked])
    return Answer(prompt, row["completion"], row["expected"], row["outcome"], group, chosen.source)
