"""The command line: ``python -m pbb COMMAND``. The Makefile's targets are one-liners onto these commands.

A command is a function here: its docstring's first line is its help, and `ARGUMENTS` says what each parameter is.
"""

from __future__ import annotations

import argparse
import ast
import inspect
import math
import os
import shlex
import shutil
import sys
import tempfile
import textwrap
import time
from collections.abc import Collection, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from filelock import Timeout

from pbb import store
from pbb.experiments.presets import PRESETS, resolve_preset
from pbb.experiments.presets.recipe import ALL_FIGURES as FIGURE_IDS
from pbb.experiments.studies import figures_of, study
from pbb.programs.execution import WorkerError
from pbb.streams import digest

SMOKE_IDS = ("F01", "F02", "F05", "F06")  # every kind of stage; the other figures differ in numbers alone
COME_BACK = 75  # exit status of a command whose budget is used up with something left to do, as sysexits' EX_TEMPFAIL


def _minutes(text: str) -> float:
    with suppress(ValueError):
        if 0 < float(text) < math.inf:
            return float(text)
    raise argparse.ArgumentTypeError(f"{text!r} is not valid; valid: minutes, more than 0, such as 9")


def _option(text: str) -> tuple[str, Any]:
    """Return name and value of ``NAME=VALUE``; a value that is no Python literal is text."""
    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise argparse.ArgumentTypeError(f"{text!r} is not valid; valid: NAME=VALUE, such as partition=gpu")
    try:
        return name, ast.literal_eval(value)
    except (SyntaxError, ValueError):
        return name, value


_EACH = ", ".join(FIGURE_IDS)
_MANY: dict[str, Any] = {"nargs": "*"}
_FLAG: dict[str, Any] = {"action": "store_true"}
_FOLDER: dict[str, Any] = {"type": Path, "metavar": "FOLDER"}
_FIGURE: dict[str, Any] = {"metavar": "FIGURE", "type": str.upper}
_SBATCH = "an option of sbatch, such as partition=gpu or time=60 (minutes); can be given several times"
# What a parameter of a command is on the command line: without a default it is not an option but stands by itself.
ARGUMENTS: dict[str, dict[str, Any]] = {
    "figures": _MANY | _FIGURE | {"help": f"of {_EACH}; default all of the preset's"},
    "figure": _FIGURE | {"help": f"one of {_EACH}"},
    "notebooks": _MANY | {"metavar": "NOTEBOOK", "help": "such as F02; default all of the preset's"},
    "models": _MANY | {"metavar": "MODEL", "help": "default all"},
    "runs": _MANY | {"metavar": "RUN", "help": "the beginning of names to delete, such as stages/"},
    "program": {"metavar": "NAME", "help": "a w/o IO program, by name (default: the first), or list"},
    "input": {"metavar": "TEXT", "help": "what it is run for, such as 4 (default: one in the middle)"},
    "mode": {"help": "cot (step by step; default), direct (at once), or recall (of its source)"},
    "answers": {"nargs": "+", "type": Path, "metavar": "ANSWERS", "help": "JSONL files"},
    "preset": {"help": f"auto, {', '.join(PRESETS)} (default: auto)"},
    "seeds": {"type": int, "help": "seeds 0 to N - 1 (default: 1)"},
    "full": _FLAG | {"help": "all that a figure can show, not only what is done in an hour"},
    "budget_min": {"type": _minutes, "metavar": "MIN", "help": "begin nothing that would end after so many minutes"},
    "workers": {"type": int, "help": "processes (default: one a card, else one a core)"},
    "executor": {"help": "workers (default); or jobs by submitit: local or slurm; they say where their logs are"},
    "slurm": {"type": _option, "action": "append", "metavar": "NAME=VALUE", "help": _SBATCH},
    "out": _FOLDER | {"help": "where it goes (default: under build/ or runs/exports/)"},
    "export": _FOLDER | {"help": "the export's (default: where the first file of answers is)"},
    "model": {"required": True, "metavar": "NAME", "help": "what answered, such as gpt-4o-2024-08-06"},
    "partial": _FLAG | {"help": "leave out what was not run; the manifest names it"},
    "mine": _FLAG | {"help": "judge this machine's figures instead"},
    "write": _FLAG | {"help": "write RESULTS.md: figures, their values, the board"},
    "all": _FLAG | {"help": "delete all of them"},
    "yes": _FLAG | {"help": "delete without asking"},
}
# What commands take as `how`, which compute; with defaults.
HOW: dict[str, Any] = {"workers": None, "budget_min": None, "executor": "workers", "slurm": []}
Names = Sequence[str]


# ------------------------------------------------------------------------------------------------ what is meant
def _figures(asked: Sequence[str] | None, preset: str) -> tuple[str, ...]:
    """Return the figures that were asked for, or all that `preset` has, saying which it leaves out."""
    own = figures_of(preset)
    if not asked and (others := [figure for figure in FIGURE_IDS if figure not in own]):
        print(f"preset {preset} leaves out {', '.join(others)}; named, such as `run {others[0]}`, one is computed")
    return tuple(asked or own)


def _notebooks(preset: str) -> list[str]:
    """Return the notebooks that belong to `preset`: all but those of figures that it leaves out."""
    from pbb.notebook.execute import list_notebooks

    left_out = set(FIGURE_IDS) - set(figures_of(preset))
    return [path.stem for path in list_notebooks() if path.stem.partition("_")[0] not in left_out]


def _all_experiments(figures: Sequence[str], preset: str, seeds: int, full: bool = False) -> list[Any]:
    return [experiment for figure in figures for experiment in study(figure, preset, seeds, full)]


def _refused(why: str) -> int:
    print(why, file=sys.stderr)
    return 2


def save_figures(
    figures: Sequence[str],
    preset: str,
    seeds: int,
    folder: Path,
    *,
    full: bool = False,
    allow_smoke: bool = False,
    again: bool = True,
    left_out: Collection[Any] = (),
) -> None:
    """Draw `figures` from this machine's complete runs into `folder`, with everything that is behind them.

    Experiments in `left_out` are not drawn, and the manifest names them. Without `again` those figures are left that
    this code has drawn there from the same runs, and that are whole.
    """
    from pbb.figures.io import figure_module, save_figure
    from pbb.records import load_records
    from pbb.runs import keys, run

    here = store.environment_manifest()  # before what is drawn here changes the checkout
    for figure in figures:
        target, whole = folder / figure_module(figure).NAME, study(figure, preset, seeds, full)
        experiments = [experiment for experiment in whole if experiment not in left_out]
        tasks = run.plan(experiments).tasks
        stages = [store.read_manifest(task.folder) or {} for task in tasks if isinstance(task, run.StageTask)]
        trained_on = sorted({str(stage.get("card") or stage["device"]) for stage in stages if "device" in stage})
        manifest: dict[str, Any] = {"trained_on": trained_on, **here}
        if len(experiments) < len(whole):
            manifest["not_run"] = [_asked_last(e) for e in whole if e in left_out]
        if not again:
            code = [keys.code_of(name) for name in ("figures", "analysis", "arms", "records", "registry")]
            manifest["drawn_from"] = digest(*code, seeds, [task.folder.name for task in tasks])
            with suppress(store.RecordsError):  # nothing is there, or something of it is missing or damaged
                load_records(target)
                if store.checked(target, ".").get("drawn_from") == manifest["drawn_from"]:
                    continue
        records = run.run(experiments, preset=preset, say=lambda line: None)
        save_figure(figure, records, target, manifest, allow_smoke=allow_smoke)


def _asked_last(experiment: Any) -> str:
    """Return what an experiment comes to, in words: the model, the programs, the seed, the arm, the last step."""
    from pbb.runs import run

    return str(run.points(experiment)[-1].task).removeprefix("ask ")


# ------------------------------------------------------------------------------------------------ commands
def command_ask(program: str | None = None, input: str | None = None, mode: str = "cot") -> None:
    """ask the finetuned model that comes with this package, without training"""
    from pbb.notebook import finetuned

    model = finetuned.load()
    print(textwrap.fill(", ".join(model.programs), 100) if program == "list" else model.ask(program, input, mode))


def command_plan(
    figures: Names, preset: str = "auto", seeds: int = 1, full: bool = False, budget_min: float | None = None
) -> None:
    """say what would be computed and how long it should take"""
    from pbb.runs import run

    todo = run.plan(_all_experiments(_figures(figures, preset), preset, seeds, full), preset=preset)
    print("\n  ".join([str(todo), *(() if budget_min is None else todo.longer_than(budget_min))]))


def command_run(figures: Names, preset: str = "auto", seeds: int = 1, full: bool = False, **how: Any) -> None:
    """compute what is missing, without notebooks"""
    from pbb.runs import run

    chosen = _figures(figures, preset)
    run.run(_all_experiments(chosen, preset, seeds, full), preset=preset, **how | {"slurm": dict(how["slurm"])})
    if preset != "smoke":
        save_figures(chosen, preset, seeds, store.figures(preset), full=full, again=False)


def command_reproduce(figures: Names, preset: str = "auto", seeds: int = 1, full: bool = False, **how: Any) -> int:
    """compute what is missing, draw, run the notebooks, compare

    Of figures that are named, only their own notebooks are run, and they alone are compared.
    """
    from pbb.figures.io import compare, render
    from pbb.runs import run

    started = time.perf_counter()
    print(f"preset {preset}, {seeds} seed(s)\n")
    try:
        command_run(figures, preset, seeds, full, **how)
    except run.BudgetError as stop:
        raise run.BudgetError(f"{stop}\nFigures, notebooks and the comparison come when all of that is done.") from None
    _run_notebooks(preset, seeds, started + 60 * (how["budget_min"] or math.inf), figures)
    minutes = (time.perf_counter() - started) / 60
    if preset == "smoke":
        print(f"\nDone in {minutes:.1f} min: build/smoke/. Everything ran; smoke makes no figure, so none is compared.")
        return 0
    table = compare(preset, figures=figures)
    print(f"\n{render(table)}\n\nDone in {minutes:.1f} min: figures/{preset}/, build/{preset}/")
    return 0 if not (table["verdict"] == "differs").any() else 3


def _run_notebooks(preset: str, seeds: int, until: float, figures: Sequence[str] = ()) -> None:
    """Execute the notebooks, or those of `figures` if any, that nothing has executed since something changed.

    Raises BudgetError if some are left, and `until` has passed, by `time.perf_counter`. One at least is executed.
    """
    undone, every = _notebooks_left(preset, seeds), _notebooks(preset)
    state = _notebook_state(preset, seeds)  # before: what is edited meanwhile is executed again
    left, asked = ([n for n in some if not figures or n.partition("_")[0] in figures] for some in (undone, every))
    if not asked:
        print(f"notebooks: {', '.join(figures)} has none of its own; 00_start_here draws F01")
        return
    if not left:
        folder = store.build(preset).relative_to(store.root())
        print(f"notebooks: nothing to do; what there is was already executed in {folder}, nothing has changed")
        return

    from pbb.notebook.execute import run_notebooks  # takes a while to load
    from pbb.runs import run

    def note(line: str) -> None:
        print(line)
        undone.remove(left.pop(0))
        store.write_whole(store.build(preset) / ".state", "\n".join([state, *undone]))
        if left and time.perf_counter() > until:
            raise run.BudgetError(
                "Stopped, since the budget is used up. Done and kept: everything that was to be trained, and every "
                f"figure.\nLeft: the notebooks {', '.join(left)}, and the comparison with the reference."
            )

    run_notebooks(list(left), preset=preset, parameters={"seeds": seeds}, out=store.build(preset), progress=note)


def _notebook_state(preset: str, seeds: int) -> str:
    """Return a hash of what executed notebooks depend on: their text, the package, its models, and figures' records."""
    root, package = store.root(), Path(__file__).parent
    patterns = [(package, "*.py"), (package, store.MANIFEST)]
    patterns += [(root / "figures", "records.parquet"), (root / "notebooks", "*.ipynb")]
    files = [file for folder, pattern in patterns for file in sorted(folder.rglob(pattern))]
    return digest(preset, seeds, [store.sha256(file) for file in files])


def _notebooks_left(preset: str, seeds: int) -> list[str]:
    """Return the notebooks that were not executed since something changed, in reading order."""
    mark, every = store.build(preset) / ".state", _notebooks(preset)
    state, *left = mark.read_text().split("\n") if mark.exists() else [""]
    if state != _notebook_state(preset, seeds):
        return every
    copies, since = [mark.with_name(f"{name}.ipynb") for name in every], mark.stat().st_mtime_ns
    # A later copy is of one that failed, or was executed by itself.
    return [copy.stem for copy in copies if copy.stem in left or not copy.exists() or copy.stat().st_mtime_ns > since]


def command_smoke() -> None:
    """the whole pipeline at toy size

    In a folder of its own: it proves that everything runs, and shows nothing.
    """
    from pbb.runs import run

    with tempfile.TemporaryDirectory(prefix="pbb-smoke-") as folder:
        os.environ["PBB_RUNS"] = folder
        run.run(_all_experiments(SMOKE_IDS, "smoke", 1), preset="smoke")
        # F01 shows a right answer, and at this size there may be none.
        drawn = [figure for figure in SMOKE_IDS if figure != "F01"]
        save_figures(drawn, "smoke", 1, Path(folder) / "figures", allow_smoke=True)
    print("smoke: everything ran; its numbers mean nothing and were not kept")


def command_figures() -> None:
    """redraw the committed figures from their records"""
    from pbb.figures.io import redraw_references

    for folder in redraw_references(store.root() / "figures"):
        print(folder.relative_to(store.root()))


def command_compare(preset: str = "auto") -> None:
    """this machine's figures against the reference"""
    from pbb.figures.io import compare, render

    print(render(compare(preset)))


def command_reference(
    figures: Names, preset: str = "auto", seeds: int = 1, full: bool = False, partial: bool = False
) -> int | None:
    """promote complete runs to the committed reference"""
    from pbb.runs import run

    if preset == "smoke":
        return _refused("preset smoke never becomes a reference; valid: any other")
    chosen = _figures(figures, preset)
    every = _all_experiments(chosen, preset, seeds, full)
    todo = run.plan(every, preset=preset)
    if todo.missing and not partial:
        return _refused(
            "not complete, so nothing was promoted; `make reproduce` computes what is missing, and --partial promotes "
            f"what is complete:\n{todo}"
        )
    left_out = [e for e in dict.fromkeys(every) if run.plan(e, preset=preset).missing] if todo.missing else []
    drawn = [name for name in chosen if any(e not in left_out for e in _all_experiments([name], preset, 1, full))]
    save_figures(drawn, preset, seeds, store.reference(preset), full=full, left_out=left_out)
    print(f"promoted to {store.reference(preset).relative_to(store.root())}: {', '.join(drawn)}")
    for experiment in left_out:
        print(f"  not run, so left out: {_asked_last(experiment)}")
    return None


def command_claims(preset: str = "auto", mine: bool = False, write: bool = False) -> int | None:
    """judge every claim from the committed records"""
    from pbb.analysis.board import boards, render

    if write and (mine or preset != "auto"):
        return _refused("--write writes RESULTS.md of all committed presets; valid: without --preset and --mine")
    judged = boards(preset, mine=mine, known=PRESETS)
    print("\n\n".join(map(render, judged)))
    if write:
        from pbb.figures.results import page
        from pbb.notebook import tweaks

        store.write_whole(store.root() / "RESULTS.md", page(store.root(), judged))
        for one in judged:
            if one.preset == tweaks.PRESET:
                tweaks.tell(one)
    return None


def command_notebooks(notebooks: Names, preset: str = "auto", seeds: int = 1, out: Path | None = None) -> None:
    """execute notebooks headlessly into build/"""
    from pbb.notebook.execute import run_notebooks

    names, out = notebooks or _notebooks(preset), out or store.build(preset)
    run_notebooks(names, preset=preset, parameters={"seeds": seeds}, out=out, progress=print)


def command_tweaks(figures: Names) -> None:
    """try what notebooks suggest, and write there what came of it"""
    from pbb.analysis.board import board
    from pbb.notebook import tweaks

    tweaks.attempt(figures)
    tweaks.tell(board(store.reference(tweaks.PRESET)))


def command_export(figure: str, preset: str = "auto", seeds: int = 1, out: Path | None = None) -> None:
    """write a figure's documents and questions for any other trainer"""
    from pbb.runs import external

    folder = out or store.runs() / "exports" / f"{figure}-{preset}-{seeds}"
    external.export(figure, preset, seeds, folder)
    print(f"answers, one {external.LINE} a line: python -m pbb score {folder}/answers.jsonl --model NAME")


def command_score(answers: Sequence[Path], model: str = "", export: Path | None = None) -> None:
    """turn answers to an export's questions into records"""
    import pandas as pd

    from pbb.analysis.labels import percent
    from pbb.figures.io import figure_module, save_figure
    from pbb.records import KNOBS, load_records
    from pbb.runs import external

    figure, records = external.score(answers, model, export)
    for row in figure_module(figure).headline(records).to_dict("records"):
        share = percent(row["estimate"], row["low"], row["high"])
        print(f"{row['name']}: {share} of {row['questions']:,}, {row['unparsed']:.0%} unparsed")
    preset = records["preset"].iloc[0]
    if preset == "smoke":
        print("smoke: scored, and not drawn, since its numbers mean nothing")
        return
    target = store.figures(preset) / figure_module(figure).NAME
    with store.locked(target):
        if store.is_complete(target):  # what was scored before stays, of other models and other arms
            one = ["domain", "model", "curriculum", "representation", "seed", *KNOBS]
            before = load_records(target)
            again = before.set_index(one).index.isin(records.set_index(one).index)
            records = pd.concat([before[~again], records], ignore_index=True)
        save_figure(figure, records, target, {"seeds": int(records["seed"].nunique()), **store.environment_manifest()})
    print(f"drawn: {target}\njudge it: python -m pbb claims --mine --preset {preset}")


def command_base_models(models: Names) -> None:
    """train the tiny base models again"""
    from pbb.models.machine import cores
    from pbb.runs.pretraining import build

    build(models or None, workers=cores())


def command_finetuned(preset: str = "auto") -> int | None:
    """publish F01's model, which `ask` asks, and what `ask` says in the README"""
    from pbb.notebook import finetuned

    if preset == "smoke":
        return _refused("preset smoke is never published, since its models show nothing; valid: cpu")
    said = str(finetuned.publish(preset).ask())
    shown = said.partition("\n\nRight of all")[0]  # what else can be asked needs no place in the README
    readme = store.root() / "README.md"
    before, mark, rest = readme.read_text(encoding="utf-8").partition("$ .venv/bin/python -m pbb ask\n")
    if mark:
        store.write_whole(readme, f"{before}{mark}{shown}\n```{rest.partition('```')[2]}")
    print(f"{said}\n\npublished to {store.shown(finetuned.FOLDER)}; README.md shows these answers")
    return None


def command_clean(runs: Names, all: bool = False, yes: bool = False) -> int | None:
    """list runs with their sizes, and delete what is named"""
    kept = [folder for folder in sorted(store.runs().glob("*/*/")) if not folder.name.startswith(".")]
    sizes = {f"{folder.parent.name}/{folder.name}": _megabytes(folder) for folder in kept}
    if unknown := [name for name in runs if not name or not any(own.startswith(name) for own in sizes)]:
        return _refused(f"{unknown[0]!r} is not in {store.runs()}; valid: the beginning of a name listed by `clean`")
    again = [own for own in sizes if not own.startswith("exports/")]  # there lie answers that others wrote
    named = [own for own in sizes if own.startswith(tuple(runs)) or (all and own in again)]
    listed = named or [*sizes]
    for name in listed:
        print(f"{sizes[name]:8.1f} MB  {name}")
    print(f"{sum(sizes[name] for name in listed):8.1f} MB  in {len(listed)} folders of {store.runs()}")
    if named and not yes and sys.stdin.isatty():
        with suppress(EOFError):  # Ctrl-D is a no
            yes = input("delete them? [y/N] ").strip().lower() == "y"
    if not named:
        print("nothing was deleted; name what to delete, such as `clean stages/`, or `clean --all`")
    elif not yes:
        print("nothing was deleted; --yes deletes without asking")
    else:
        busy = [name for name in named if not _deleted(store.runs() / name)]
        print(f"deleted {len(named) - len(busy)}; the next run computes again what it needs")
        if busy:
            return _refused(f"left, since a run is at work there: {', '.join(busy)}")
    return None


def _deleted(folder: Path) -> bool:
    """Delete a folder of the run store, unless a process is at work on it; return whether it is gone."""
    made = folder.parents[1] / "stages" / folder.name if folder.parent.name == "training" else folder
    try:
        with store.locked(made, timeout=0):
            shutil.rmtree(folder)
    except Timeout:
        return False
    return True


def _megabytes(folder: Path) -> float:
    return sum(file.lstat().st_size for file in folder.rglob("*") if file.is_file() and not file.is_symlink()) / 1e6


def command_doctor() -> None:
    """what this machine can run, and what is missing"""
    from pbb.notebook import doctor

    print(doctor.report())


def command_pin_models() -> None:
    """pin the registry's Hub models to their latest commits"""
    from pbb.models import hub

    hub.pin_models()


# In the order of this file, which is that of `--help`.
COMMANDS = [made for name, made in dict(globals()).items() if name.startswith("command_")]


def parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    top = argparse.ArgumentParser(prog="python -m pbb", description="Programming by Backprop: run, draw, compare.")
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    for function in COMMANDS:
        text = (inspect.getdoc(function) or "").partition("\n")[0]
        name = function.__name__.removeprefix("command_").replace("_", "-")
        command = commands.add_parser(name, help=text, description=text)
        command.set_defaults(function=function)
        for parameter in inspect.signature(function).parameters.values():
            taken = HOW if parameter.kind is parameter.VAR_KEYWORD else {parameter.name: parameter.default}
            for option, default in taken.items():
                if default is parameter.empty:
                    command.add_argument(option, **ARGUMENTS[option])
                else:
                    how = {"default": default} | ARGUMENTS[option]
                    command.add_argument(f"--{option.replace('_', '-')}", **how)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit status. Expected failures are one message, not a traceback."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    asked = vars(parser().parse_args(given))
    from pbb.runs import run  # loads pandas, which help and refused arguments need not wait for

    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # what cannot be shown is replaced; a log file gets each line as it comes
            stream.reconfigure(errors="replace", line_buffering=True)
    try:
        function = asked.pop("function")
        if "preset" in asked and function is not command_claims:  # which takes auto for all that have records
            asked["preset"] = resolve_preset(asked["preset"])
        with store.explained():
            return function(**asked) or 0
    except run.BudgetError as stop:
        again = os.environ.get("PBB_COMMAND") or shlex.join(["python", "-m", "pbb", *given])
        print(f"\n{stop}\nThe same command goes on: {again}\n(exit status {COME_BACK}: nothing is wrong, come back)")
        return COME_BACK
    except (run.RunError, WorkerError, ValueError) as error:  # a NotebookError is a RunError, RecordsError a ValueError
        print(f"error: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # who reads this, such as `head`, has read enough; Python would complain at its end too
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141  # as a shell says of SIGPIPE
    except KeyboardInterrupt:
        print("stopped; what is complete is kept, and the same command goes on from there", file=sys.stderr)
        return 130
