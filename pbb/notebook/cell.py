"""What notebook cells call, so that they hold no logic: set-up, parameters, variants, drawing, verdicts, asking.

Tables and pictures of programs, documents and answers are in `pbb.notebook.views`.
"""

from __future__ import annotations

import ast
import importlib.metadata
import itertools
import shutil
import sys
import textwrap
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import NoneType, TracebackType
from typing import Any, get_args

import pandas as pd
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from pydantic import ConfigDict, TypeAdapter, ValidationError

from pbb import __version__, store
from pbb.analysis import board as boards
from pbb.analysis import claims, verdicts
from pbb.analysis.labels import percent
from pbb.analysis.statistics import accuracy, contrast
from pbb.analysis.tables import usable
from pbb.arms import ARMS
from pbb.experiments.curricula import curriculum
from pbb.experiments.experiment import Experiment
from pbb.experiments.groups import groups
from pbb.experiments.presets import PRESETS, resolve_preset
from pbb.experiments.questions import asked_about
from pbb.experiments.studies import figures_of
from pbb.experiments.studies import study as study_of
from pbb.figures import io
from pbb.figures.io import figure_module
from pbb.models.machine import cores
from pbb.notebook import bootstrap
from pbb.notebook.views.page import table
from pbb.programs.domains import POINTERS
from pbb.programs.settings import ExperimentError
from pbb.records import load_records
from pbb.runs.plan import chosen
from pbb.runs.run import points
from pbb.runs.tasks import StageTask, count
from pbb.store import RecordsError, environment_manifest, is_complete, quiet

LONGEST_TABLE = 60  # rows that a notebook shows whole; pandas shortens what is longer
LEGEND = 26  # characters that fit a column of a narrow figure's legend
_PACKAGE = Path(__file__).resolve().parents[1]


# -------------------------------------------------------------------------------------------------- set-up
def setup() -> None:
    """Say which versions and hardware run here and what does not fit; make tables and errors readable."""
    quiet()
    warnings.filterwarnings("ignore", message="IProgress not found")
    facts = environment_manifest(("torch", "transformers", "trl"))
    versions = ", ".join(f"{name} {version or 'not installed'}" for name, version in facts["packages"].items())
    hardware = "an NVIDIA GPU" if shutil.which("nvidia-smi") else "no GPU"
    print(f"pbb {__version__}, {facts['python']}, {versions}; {cores()} cores, {hardware}")
    for problem in misfits():
        print(f"note: {problem}")
    if "IPython" in sys.modules and (shell := sys.modules["IPython"].get_ipython()):
        shell.display_formatter.formatters["text/html"].for_type(pd.DataFrame, _frame)
        shell.set_custom_exc((ValueError, RuntimeError), show_error)


def _frame(frame: pd.DataFrame) -> str:
    return table(frame).to_html() if len(frame) <= LONGEST_TABLE else frame._repr_html_()


def show_error(
    shell: Any, kind: type[Exception], error: Exception, trace: TracebackType | None, tb_offset: int | None = None
) -> None:
    """Show what pbb refuses as one red line, and any other error with its traceback (IPython calls this)."""
    last = trace
    while last and last.tb_next:
        last = last.tb_next
    ours = last and _PACKAGE in Path(last.tb_frame.f_code.co_filename).parents and kind is ValueError
    lines = [f"\x1b[31m{kind.__name__}: {error}\x1b[0m"]
    if not (ours or kind.__module__.partition(".")[0] == "pbb"):
        lines = shell.InteractiveTB.structured_traceback(kind, error, trace, tb_offset=tb_offset)
    shell._showtraceback(kind, error, lines)


def misfits(requirements: Iterable[str] | None = None) -> list[str]:
    """Return what of the environment differs from what pbb asks for, in words, with the command that mends it.

    `requirements` are such as ``"trl==1.14.2"``; those of the installed pbb when None (none in a bare checkout).
    """
    found, there = [], bootstrap.installed()
    if requirements is None:
        requirements = importlib.metadata.requires("pbb") or () if "pbb" in there else ()
    for wanted in map(Requirement, requirements):
        if wanted.marker and not wanted.marker.evaluate({"extra": ""}):
            continue
        mend, version = f"%pip install '{wanted.name}{wanted.specifier}'", there.get(canonicalize_name(wanted.name))
        loaded = getattr(sys.modules.get(wanted.name.replace("-", "_")), "__version__", version)
        if version is None:
            found.append(f"{wanted.name} is missing; {mend}")
        elif not wanted.specifier.contains(version, prereleases=True):
            tested = f"pbb was tested with {wanted.specifier}"
            found.append(f"{wanted.name} {version} is installed, and {tested}; {mend}, then restart the kernel")
        elif str(loaded) != version:
            found.append(f"{wanted.name} {loaded} is loaded and {version} is installed: restart the kernel")
    return found


# --------------------------------------------------------------------------------- parameters and variants
_WORDS = {str: "a text", int: "a whole number", float: "a number", bool: "True or False", NoneType: "None"}
_WORDS |= {list[str]: "a list of texts", list[int]: "a list of whole numbers"}


def parameters(namespace: dict[str, Any]) -> dict[str, Any]:
    """Return the values of a notebook's parameters cell by name, checked against their declared types.

    That cell is the last run of those that set ``preset`` and say a type. A line of it without a type counts too, as it
    is: a reader adds ``execution_lora_rank = 8``. Texts and numbers, as papermill injects them, are converted where
    their meaning is plain (``"false"`` for a bool, 4 for a text), and put back into `namespace`, the notebook's
    ``globals()``. Raises ExperimentError if a value has another type; the message names parameter, value and what is
    valid.
    """
    every = namespace.get("__annotations__", {})  # of all cells, also of lines that are no longer there
    typed, others = _parameters_cell(namespace.get("In", ())) or (every, ())
    values = {}
    for name, declared in ((name, every[name]) for name in typed if name in every):
        try:
            adapter = TypeAdapter(declared, config=ConfigDict(coerce_numbers_to_str=True))
            values[name] = namespace[name] = adapter.validate_python(namespace[name])
        except ValidationError:
            kinds = [declared] if declared in _WORDS else get_args(declared)
            valid = ", or ".join(_WORDS.get(kind, str(kind)) for kind in kinds) or str(declared)
            raise ExperimentError(f"{name}={namespace[name]!r} is not valid; valid: {valid}") from None
    if not values:
        raise ExperimentError("no typed parameters here; valid: lines such as 'seeds: int = 1' in the parameters cell")
    return values | {name: namespace[name] for name in others}


def _parameters_cell(cells: Sequence[str]) -> tuple[list[str], list[str]] | None:
    """Return what the last run of the parameters cell sets, with a type and without."""
    for cell in reversed(cells):
        try:
            lines = ast.parse(cell).body
        except SyntaxError:  # a cell of IPython's own commands
            continue
        typed = [ast.unparse(line.target) for line in lines if isinstance(line, ast.AnnAssign)]
        told = [target for line in lines if isinstance(line, ast.Assign) for target in line.targets]
        others = [target.id for target in told if isinstance(target, ast.Name)]
        if typed and "preset" in (*typed, *others):
            return typed, others
    return None


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
    own: tuple[Experiment, ...] = ()  # the preset's experiments that these were made of

    @property
    def label(self) -> str:
        """How a legend names it: every change, in full."""
        told = ((name, v if isinstance(v, (tuple, list)) else [v]) for name, _, v in self.changes)
        return "; ".join(f"{name}={', '.join(map(str, values))}" for name, values in told) or "this run"

    def __str__(self) -> str:
        arms = ", ".join(dict.fromkeys(e.arm for e in self.experiments))
        lines = [f"preset {self.base}, {count(len({e.seed for e in self.experiments}), 'seed')}: {arms}"]
        lines += [f"changed: {name}={value!r} (the preset has {before!r})" for name, before, value in self.changes]
        if not self.changes:
            lines.append("changed: nothing; these are the preset's own experiments")
        if self.base == "smoke":
            lines.append("Preset smoke only proves that everything runs: models this little trained show nothing.")
        return "\n".join(lines)


def variant(
    study: str | Sequence[Experiment],
    preset: str = "auto",
    *,
    seeds: int = 1,
    arms: Sequence[str] | None = None,
    **changes: Any,
) -> Variant:
    """Return a figure's study with a reader's changes applied to every experiment.

    Of a study of several domains, what is changed is its first: the others have other fields, and other base models.

    Args:
        study: a figure's id, such as ``"F02"``, or what ``pbb.study`` returned for `preset`.
        preset: the study's preset; ``"auto"`` for what fits this machine, or for cpu where that leaves the figure out.
        seeds: seeds 0 to `seeds` - 1, where `study` is an id.
        arms: the arms to keep; None keeps all.
        changes: fields of `Experiment`; None is the preset's own value. A list of values makes every experiment once
            for each; of a field that is a list itself, such as `trained_modes`, it is one value.

    Raises:
        ExperimentError: an arm is not in the study, or a field or value is not valid; the message says what is.
        ValueError: `study` is neither an id nor one or more experiments.
    """
    given, preset = preset, resolve_preset(preset)
    if given == "auto" and isinstance(study, str) and study.upper() not in figures_of(preset):
        print(f"Preset {preset} leaves out {study.upper()}, so it is computed at preset cpu.")
        preset = "cpu"
    experiments = study_of(study, preset, seeds) if isinstance(study, str) else chosen(study)
    known = list(dict.fromkeys(e.arm for e in experiments))
    if arms is not None and (isinstance(arms, str) or not arms):
        raise ExperimentError(f"arms={arms!r} is not valid; valid: None for all, or a list of {', '.join(known)}")
    if unknown := [arm for arm in arms or () if arm not in known]:
        raise ExperimentError(f"arms={unknown[0]!r} is not valid here; valid: {', '.join(known)}")
    kept = [e for e in experiments if arms is None or e.arm in arms]
    wanted = {name: value for name, value in changes.items() if value is not None}
    first = [e for e in kept if type(e.programs) is type(kept[0].programs)]
    every = itertools.product(*(_values(name, kept[0].value(name), value) for name, value in wanted.items()))
    made = [_changed(e, dict(zip(wanted, values, strict=True))) for values in every for e in first]
    changed = []
    for name in wanted:
        before, after = (dict.fromkeys(e.value(name) for e in some) for some in (first, made))
        if before.keys() != after.keys():
            old, new = (next(iter(one)) if len(one) == 1 else tuple(one) for one in (before, after))
            changed.append((name, old, new))
    if not changed:
        first = made = kept
    marked = "custom" if changed and preset != "smoke" else preset
    return Variant(tuple(dict.fromkeys(made)), marked, preset, tuple(changed), tuple(first))


def _changed(experiment: Experiment, wanted: dict[str, Any]) -> Experiment:
    """Return `experiment` with what is `wanted` of its arm: only some are shown demonstrations of AD programs."""
    shown = ARMS[experiment.arm].measured == "AD"
    return experiment.changed(**{k: v for k, v in wanted.items() if shown or k != "distilled_demonstrations"})


def _values(name: str, own: Any, value: Any) -> Sequence[Any]:
    """Return what a field is to be: several values from a list, unless the preset's `own` value is a list itself."""
    if not isinstance(value, (list, tuple)):
        return [value]
    if isinstance(own, tuple):
        return [tuple(value)]
    if not value:
        raise ExperimentError(f"{name}={value!r} is not valid; valid: one or more values, or None for the preset's own")
    return value


# ------------------------------------------------------------------------------------------------- figures
def reference(figure: str, preset: str = "auto") -> pd.DataFrame | None:
    """Return the committed records of `figure`, or None where `preset` has none.

    ``"auto"`` takes the preset that fits this machine, or cpu where that has none.
    """
    names = [resolve_preset(preset)] + ["cpu"] * (preset == "auto")
    folders = [store.reference(name) / figure_module(figure).NAME for name in names]
    return next((load_records(folder) for folder in folders if is_complete(folder)), None)


def _module(figure: str, records: pd.DataFrame | None) -> Any:
    """Return the module of `figure`. Raises RecordsError where `records` are none."""
    module = figure_module(figure)
    if not isinstance(records, pd.DataFrame) or "preset" not in records or records.empty:
        known = sorted(path.parent.parent.name for path in store.reference("").glob(f"*/{module.NAME}/manifest.json"))
        valid = f"what pbb.run returns, or a reference: {', '.join(known)}"
        told = f"a table of {len(records)} rows" if isinstance(records, pd.DataFrame) else repr(records)
        raise RecordsError(f"records={told} is not valid; valid: {valid}")
    return module


def draw(figure: str, records: pd.DataFrame, *, variant: Variant | str = "this run") -> Any:
    """Return the figure of `records`, over the faint committed reference of the same preset where there is one.

    Smoke records are drawn with a stamp across the picture: they show that the code runs, and nothing else. F01 needs a
    right answer to show; where smoke records hold none, that is said in words and None is returned. Raises RecordsError
    if there are no records, or they cannot be drawn.
    """
    faint = behind(figure, records, variant)
    module, smoke = figure_module(figure), records["preset"].iloc[0] == "smoke"
    usable(records, allow_smoke=smoke)  # what is wrong with the records is never taken for what smoke lacks
    try:
        label = variant if isinstance(variant, str) else variant.label
        return module.draw(records, faint, variant=textwrap.fill(label, LEGEND), allow_smoke=smoke)
    except RecordsError as error:
        if not (smoke and module.ID == "F01"):
            raise
        print(f"Nothing to show at preset smoke, whose models are hardly trained ({error}). Any other preset draws it.")
        return None


def behind(figure: str, records: pd.DataFrame, variant: Variant | str) -> pd.DataFrame | None:
    """Return the reference that `records` are read against, under their panel where each has one and they differ.

    A variant of what panels hold fixed, such as the length of programs, would otherwise have no reference behind it.
    What the figure's axis shows is not moved. Without a Variant, custom records are read against the cpu preset's.
    """
    module, preset = _module(figure, records), _compared_preset(records)
    if not isinstance(variant, Variant) and preset not in PRESETS:  # trained elsewhere
        return None
    there = reference(figure, variant.base if isinstance(variant, Variant) else preset)
    if there is None:
        return None
    for column in module.FIXED:
        ours, theirs = records[column].unique(), there[column].unique()
        if len(ours) == len(theirs) == 1:
            there = there.assign(**{column: ours[0]})
    return there


def _compared_preset(records: pd.DataFrame) -> str:
    preset = str(records["preset"].iloc[0])
    return "cpu" if preset == "custom" else preset


def what_changed(figure: str, records: pd.DataFrame, variant: Variant) -> None:
    """Say how each value that `variant` could change compares with the committed reference, in a sentence each.

    A value could change if its experiments' last answers have another key than the preset's own: other weights, or
    other questions.
    """
    faint = behind(figure, records, variant)
    if variant.base == "smoke" or faint is None or not variant.changes:
        why = "smoke shows nothing" if variant.base == "smoke" else "no committed reference of this preset"
        print(f"Nothing to compare: {'nothing was changed' if faint is not None and not variant.changes else why}.")
        return
    own = {points(e)[-1].task.key for e in variant.own}
    touched = {e.name for e in variant.experiments if points(e)[-1].task.key not in own}
    there = figure_module(figure).cells(faint)
    for value, rows in figure_module(figure).cells(records).items():
        if value in there and touched & set(rows["experiment"]):
            print(f"{value}: {compared(rows, there[value], variant.label)}")
    if not touched:
        print(f"No answer could change: {variant.label} is read by none of these experiments.")
    print(f"(The reference holds seeds {_listed(faint['seed'])}, this run {_listed(records['seed'])}.)")


def _listed(column: pd.Series) -> str:
    return ", ".join(map(str, sorted(column.unique())))


def compared(ours: pd.DataFrame, theirs: pd.DataFrame, label: str) -> str:
    """Return how two values compare, from the rows behind each: where they share seeds, on these alone.

    The interval of the difference is that of every contrast (`pbb.analysis.statistics.contrast`).
    """
    shared = set(ours["seed"]) & set(theirs["seed"])
    sides = [side[side["seed"].isin(shared)] if shared else side for side in (ours, theirs)]
    mine, its = (percent(*accuracy(side)[["estimate", "low", "high"]].iloc[0]) for side in sides)
    change = contrast(*sides)
    unclear = f"no change that these {change.questions:,} questions could show"
    told = "higher" if change.low > 0 else "lower" if change.high < 0 else unclear
    points_told = verdicts.points({"difference": change.estimate, "low": change.low, "high": change.high})
    seeds = f"seed {_listed(sides[1]['seed'])}"
    return f"{mine} here with {label}, {its} in the reference ({seeds}); difference {points_told}: {told}"


# ------------------------------------------------------------------------------------------------ verdicts
_IN_POINTS = ["difference, points", "p, corrected"]


def _in_points(rows: pd.DataFrame) -> pd.DataFrame:
    """Return contrasts with two more columns: differences in points of a hundred, with intervals, and p in words."""
    p = ["-" if pd.isna(one) else "< 0.001" if one < 0.001 else f"{one:.3f}" for one in rows["p"]]
    return rows.assign(**dict(zip(_IN_POINTS, ([verdicts.points(r) for r in rows.to_dict("records")], p), strict=True)))


def verdict(figure: str, records: pd.DataFrame) -> Any:
    """Return the board's rows about `figure`, judged on `records`; say so where no claim is about it.

    All else on the board comes from the committed records of the same preset (see `pbb.analysis.board.verdict`).
    """
    figure = _module(figure, records).ID
    rows = boards.verdict(figure, records, store.reference(_compared_preset(records)))
    if rows.empty:
        print(f"No claim of the paper's is judged on {figure}.")
        return None
    shown = ["claim", "contrast", "where", *_IN_POINTS, "programs", "seeds", "verdict"]
    return table(_in_points(rows)[shown], verdicts.RULE)


def beside_paper(figure: str, records: pd.DataFrame) -> Any:
    """Return this run's values beside what the paper is known to report, and what such a comparison is worth."""
    _module(figure, records)
    return table(
        io.beside_paper(figure, records),
        "Ours beside the paper's. Its models and programs are larger: compare directions, not values. Few of its "
        "numbers could be had; the others are marked as not available.",
    )


def board(preset: str = "auto", *, mine: bool = False) -> Any:
    """Return the claims board as a table: every claim, its verdict, and what decided it.

    ``"auto"`` stands for every preset that has records; `mine` judges this machine's figures, not the references.
    """
    tables = []
    for one in boards.boards(preset, mine=mine, known=PRESETS):
        print(f"Preset {one.preset}: {one.counts}.")
        tables.append(one.claims.assign(preset=one.preset))
    shown = ["claim", "statement", "verdict", "value", "decided by", "supported", "figures", "seeds", "paper", "why"]
    names = {"supported": "contrasts", "paper": "the paper's value", "why": "why it may fail here"}
    every = pd.concat(tables).assign(figures=lambda one: one["figures"].str.join(", "))
    return table(every[["preset"] * (len(tables) > 1) + shown].rename(columns=names), verdicts.RULE)


def contrasts(claim: str, preset: str = "auto", *, mine: bool = False) -> Any:
    """Return every contrast that was declared for `claim`, such as ``"C3"``, as a table.

    Raises RecordsError if there is no such claim.
    """
    known = [one.id for one in claims.CLAIMS]
    if claim not in known:
        raise RecordsError(f"claim={claim!r} is not valid; valid: {', '.join(known)}")
    judged = boards.boards(preset, mine=mine, known=PRESETS)
    found = pd.concat([_in_points(one.contrasts).assign(preset=one.preset) for one in judged])
    shown = ["preset", "figure", "contrast", "where", *_IN_POINTS, "programs", "seeds", "verdict"]
    return table(found.loc[found["claim"] == claim, shown])


# -------------------------------------------------------------------------------------------------- asking
def train(experiment: Experiment) -> list[StageTask]:
    """Return the stages of `experiment` after training those that are not on this machine.

    ``pbb.run`` has trained them already, unless its records were complete and the weights since deleted. A worker
    trains here too: on one thread, so that the same weights come of it.
    """
    stages = [StageTask(experiment, index) for index in range(len(curriculum(experiment)))]
    if missing := [stage for stage in stages if not is_complete(stage.folder)]:
        from pbb.runs.engine import execute

        execute(missing, 1, print)
    return stages


def ask(
    experiment: Experiment, program: str | None = None, text: str | None = None, mode: str = "cot", template: int = 0
) -> pd.DataFrame:
    """Ask the model that `experiment` trained about one of its programs, by name (imports torch).

    What is missing of it is trained here first. `program` is a name (None: the first w/o IO program), `text` an input,
    such as ``"4"`` (None: the program's first), `mode` ``"cot"`` or ``"direct"``, and `template` (0 to 19) says which
    pointer context names the program.

    Returns:
        Columns what, text; rows: the question, the model's answer, what the program returns, the outcome, the source.

    Raises:
        ValueError: there is no such program, input, mode or template; the message says what is valid.
    """
    by_name = {p.name: (group, p) for group in reversed(groups(experiment)) for p in group.programs if p.inputs}
    if program is not None and program not in by_name:
        known = ", ".join([*by_name][:8])
        raise ValueError(f"program={program!r} is not in this experiment, or takes no input; valid: {known}, …")
    group, chosen = by_name[program or next(iter(by_name))]
    text = chosen.inputs[0] if text is None else text
    if text not in chosen.inputs:
        raise ValueError(f"text={text!r} is not an input of {chosen.name}; valid: {', '.join(chosen.inputs[:12])}")
    if mode not in ("cot", "direct"):
        raise ValueError(f"mode={mode!r} is not valid; valid: 'cot', 'direct'")
    if template not in range(len(POINTERS)):
        raise ValueError(f"template={template!r} is not valid; valid: 0 to {len(POINTERS) - 1}")

    from pbb.models import ask, loading

    stages, asked = train(experiment), asked_about(experiment, group, chosen, [text], mode, template)
    (row,) = ask.evaluate(*loading.load(experiment.model, stages[-1].weights if stages else None), asked)
    shown = {
        "the question": row["prompt"],
        "the model's answer": row["completion"],
        "the program returns": f"{row['expected']}   ({row['outcome']})",
        f"the program, a {group.name} one": chosen.source,
    }
    return pd.DataFrame(shown.items(), columns=["what", "text"])
