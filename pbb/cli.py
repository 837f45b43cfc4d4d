"""The command line: ``python -m pbb COMMAND``. The Makefile's targets are one-liners onto these commands."""

from __future__ import annotations

import argparse
import ast
import math
import os
import shlex
import sys
import tempfile
import time
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from pbb import store
from pbb.experiments.presets import resolve_preset
from pbb.experiments.presets.recipe import ALL_FIGURES

FIGURE_IDS = ALL_FIGURES
SMOKE_IDS = ("F01", "F02", "F05", "F06")  # every kind of stage; the other figures differ in numbers alone
COME_BACK = 75  # exit status of a command whose budget is used up with something left to do, as sysexits' EX_TEMPFAIL


def _figures(asked: Sequence[str] | None, preset: str) -> tuple[str, ...]:
    """Return the figures that were asked for, or all that `preset` has, saying which it leaves out."""
    from pbb.experiments.studies import figures_of

    own = figures_of(preset)
    if not asked and (others := [figure for figure in FIGURE_IDS if figure not in own]):
        print(f"preset {preset} leaves out {', '.join(others)}; named, such as `run {others[0]}`, one is computed")
    return tuple(asked or own)


def _notebooks(preset: str) -> list[str]:
    """Return the notebooks that belong to `preset`: all but those of figures that it leaves out."""
    from pbb.experiments.studies import figures_of
    from pbb.notebook.execute import list_notebooks

    left_out = set(FIGURE_IDS) - set(figures_of(preset))
    names = [path.stem for path in list_notebooks()]
    return [name for name in names if name.partition("_")[0] not in left_out]


def _all_experiments(figures: Sequence[str], preset: str, seeds: int) -> list[Any]:
    from pbb.experiments.studies import study

    return [experiment for figure in figures for experiment in study(figure, preset, seeds)]


def save_figures(
    figures: Sequence[str],
    preset: str,
    seeds: int,
    folder: Path,
    *,
    allow_smoke: bool = False,
    again: bool = True,
    left_out: Collection[Any] = (),
) -> None:
    """Draw `figures` from this machine's complete runs into `folder`, with everything that is behind them.

    Experiments in `left_out` are not drawn, and the manifest names them. Without `again` those figures are left that
    this code has drawn there from the same runs.
    """
    from pbb.experiments.studies import study
    from pbb.figures.io import figure_module, save_figure
    from pbb.runs import run
    from pbb.runs.keys import code_of
    from pbb.store import environment_manifest, read_manifest
    from pbb.streams import digest

    for figure in figures:
        target, whole = folder / figure_module(figure).NAME, study(figure, preset, seeds)
        experiments = [experiment for experiment in whole if experiment not in left_out]
        tasks = run.plan(experiments).tasks
        stages = [read_manifest(task.folder) or {} for task in tasks if isinstance(task, run.StageTask)]
        trained_on = sorted({str(stage.get("card") or stage["device"]) for stage in stages if "device" in stage})
        manifest: dict[str, Any] = {"seeds": seeds, "trained_on": trained_on, **environment_manifest()}
        if len(experiments) < len(whole):
            manifest["not_run"] = [str(run.points(e)[-1].task) for e in whole if e in left_out]
        if not again:
            manifest["drawn_from"] = digest(
                code_of("figures"), code_of("analysis"), seeds, [task.folder.name for task in tasks]
            )
            if (read_manifest(target) or {}).get("drawn_from") == manifest["drawn_from"]:
                continue
        records = run.run(experiments, preset=preset, say=lambda line: None)
        save_figure(figure, records, target, manifest, allow_smoke=allow_smoke)


def command_plan(options: argparse.Namespace) -> int:
    from pbb.runs import run

    preset = resolve_preset(options.preset)
    todo = run.plan(_all_experiments(_figures(options.figure, preset), preset, options.seeds), preset=preset)
    print("\n  ".join([str(todo), *(() if options.budget_min is None else todo.longer_than(options.budget_min))]))
    return 0


def command_run(options: argparse.Namespace) -> int:
    from pbb.runs import run

    preset = resolve_preset(options.preset)
    figures = _figures(options.figure, preset)
    run.run(
        _all_experiments(figures, preset, options.seeds),
        preset=preset,
        workers=options.workers,
        executor=options.executor,
        slurm=dict(options.slurm),
        budget_min=options.budget_min,
    )
    if preset != "smoke":
        save_figures(figures, preset, options.seeds, store.figures(preset), again=False)
    return 0


def command_reproduce(options: argparse.Namespace) -> int:
    """Train and evaluate what is missing, draw every figure, run every notebook, compare with the reference.

    Of figures that are named, only their own notebooks are run, and they alone are compared.
    """
    from pbb.figures.io import compare, render
    from pbb.runs.run import BudgetError

    preset, started = resolve_preset(options.preset), time.perf_counter()
    print(f"preset {preset}, {options.seeds} seed(s)\n")
    try:
        command_run(options)
    except BudgetError as stop:
        raise BudgetError(f"{stop}\nFigures, notebooks and the comparison come when all of that is done.") from None
    _run_notebooks(preset, options.seeds, started + 60 * (options.budget_min or math.inf), options.figure)
    table = compare(preset, figures=options.figure or ())
    minutes = (time.perf_counter() - started) / 60
    print(f"\n{render(table)}\n\nDone in {minutes:.1f} min: figures/{preset}/, build/{preset}/")
    return 0 if not (table["verdict"] == "differs").any() else 3


def _run_notebooks(preset: str, seeds: int, until: float, figures: Sequence[str] = ()) -> None:
    """Execute the notebooks, or those of `figures` if any, that nothing has executed since something changed.

    Raises:
        BudgetError: some are left, and `until` has passed, by `time.perf_counter`. One at least is executed.
    """
    undone = _notebooks_left(preset, seeds)
    left = [name for name in undone if not figures or name.partition("_")[0] in figures]
    if not left:
        folder = store.build(preset).relative_to(store.root())
        print(f"notebooks: nothing to do; what there is was already executed in {folder}, nothing has changed")
        return

    from pbb.notebook.execute import run_notebooks  # takes a while to load
    from pbb.runs.run import BudgetError

    def note(line: str) -> None:
        print(line)
        undone.remove(left.pop(0))
        _remember_notebooks(preset, seeds, undone)
        if left and time.perf_counter() > until:
            raise BudgetError(
                "Stopped, since the budget is used up. Done and kept: everything that was to be trained, and every "
                f"figure.\nLeft: the notebooks {', '.join(left)}, and the comparison with the reference."
            )

    run_notebooks(list(left), preset=preset, parameters={"seeds": seeds}, out=store.build(preset), progress=note)


def _notebook_state(preset: str, seeds: int) -> str:
    """Return a hash of what executed notebooks depend on: their text, the package, and the figures' records."""
    import hashlib

    total = hashlib.sha256(f"{preset} {seeds}".encode())
    package = sorted(Path(__file__).parent.rglob("*.py"))
    records = sorted((store.root() / "figures").rglob("records.parquet"))
    for file in [*package, *records, *sorted((store.root() / "notebooks").glob("*.ipynb"))]:
        total.update(file.read_bytes())
    return total.hexdigest()


def _notebooks_left(preset: str, seeds: int) -> list[str]:
    """Return the notebooks that were not executed since something changed, in reading order."""
    mark = store.build(preset) / ".state"
    if mark.exists():
        state, _, left = mark.read_text().partition("\n")
        if state == _notebook_state(preset, seeds):
            return left.split()
    return _notebooks(preset)


def _remember_notebooks(preset: str, seeds: int, left: Sequence[str]) -> None:
    text = "\n".join([_notebook_state(preset, seeds), *left])
    store.write_whole(store.build(preset) / ".state", text)


def command_smoke(options: argparse.Namespace) -> int:
    """Run everything at toy size in a folder of its own: proves that it runs, shows nothing."""
    from pbb.runs import run

    with tempfile.TemporaryDirectory(prefix="pbb-smoke-") as folder:
        os.environ["PBB_RUNS"] = folder
        run.run(_all_experiments(SMOKE_IDS, "smoke", 1), preset="smoke")
        # F01 shows a right answer, and at this size there may be none.
        drawn = [figure for figure in SMOKE_IDS if figure != "F01"]
        save_figures(drawn, "smoke", 1, Path(folder) / "figures", allow_smoke=True)
    print("smoke: everything ran; its numbers mean nothing and were not kept")
    return 0


def command_figures(options: argparse.Namespace) -> int:
    """Redraw every committed reference figure from its records: no training, no torch."""
    from pbb.figures.io import redraw_references

    for folder in redraw_references(store.root() / "figures"):
        print(folder.relative_to(store.root()))
    return 0


def command_compare(options: argparse.Namespace) -> int:
    from pbb.figures.io import compare, render

    print(render(compare(resolve_preset(options.preset))))
    return 0


def command_reference(options: argparse.Namespace) -> int:
    """Promote this machine's complete runs to the committed reference; refuses where something is missing."""
    from pbb.runs import run

    preset = resolve_preset(options.preset)
    if preset == "smoke":
        print("preset smoke never becomes a reference; valid: any other", file=sys.stderr)
        return 2
    figures = _figures(options.figure, preset)
    every = _all_experiments(figures, preset, options.seeds)
    todo = run.plan(every)
    if todo.missing and not options.partial:
        print(
            "not complete, so nothing was promoted; `make reproduce` computes what is missing, and --partial promotes "
            f"what is complete:\n{todo}",
            file=sys.stderr,
        )
        return 2
    left_out = [experiment for experiment in dict.fromkeys(every) if run.plan(experiment).missing]
    drawn = [name for name in figures if any(e not in left_out for e in _all_experiments([name], preset, 1))]
    save_figures(drawn, preset, options.seeds, store.reference(preset), left_out=left_out)
    print(f"promoted to {store.reference(preset).relative_to(store.root())}: {', '.join(drawn)}")
    for experiment in left_out:
        print(f"  not run, so left out: {run.points(experiment)[-1].task}")
    return 0


def command_claims(options: argparse.Namespace) -> int:
    """Judge every claim from records alone, of the committed references or of this machine's figures: no torch."""
    from pbb.analysis.board import boards, render
    from pbb.experiments.presets import PRESETS

    if options.write and (options.mine or options.preset != "auto"):
        print("--write writes RESULTS.md of all committed presets; valid: without --preset and --mine", file=sys.stderr)
        return 2
    judged = boards(options.preset, mine=options.mine, known=PRESETS)
    print("\n\n".join(map(render, judged)))
    if options.write:
        from pbb.figures.results import page

        store.write_whole(store.root() / "RESULTS.md", page(store.root(), judged))
    return 0


def command_export(options: argparse.Namespace) -> int:
    """Write what it takes to train and ask any model for a figure, whatever trains it."""
    from pbb.runs import external

    preset = resolve_preset(options.preset)
    folder = options.out or store.runs() / "exports" / f"{options.figure}-{preset}-{options.seeds}"
    external.export(options.figure, preset, options.seeds, folder)
    print(f"answers, one {external.LINE} a line: python -m pbb score {folder}/answers.jsonl --model NAME")
    return 0


def command_score(options: argparse.Namespace) -> int:
    """Turn answers to an export's questions into records, and draw the figure that they belong to."""
    import pandas as pd

    from pbb.analysis.labels import percent
    from pbb.figures.io import figure_module, save_figure
    from pbb.records import KNOBS, load_records
    from pbb.runs import external
    from pbb.store import environment_manifest, is_complete

    figure, records = external.score(options.answers, options.model, options.export)
    for row in figure_module(figure).headline(records).to_dict("records"):
        share = percent(row["estimate"], row["low"], row["high"])
        print(f"{row['name']}: {share} of {row['questions']:,}, {row['unparsed']:.0%} unparsed")
    preset = records["preset"].iloc[0]
    if preset == "smoke":
        print("smoke: scored, and not drawn, since its numbers mean nothing")
        return 0
    target = store.figures(preset) / figure_module(figure).NAME
    if is_complete(target):  # what was scored before stays, of other models and other arms
        one = ["domain", "model", "curriculum", "representation", "seed", *KNOBS]
        before = load_records(target)
        again = before.set_index(one).index.isin(records.set_index(one).index)
        records = pd.concat([before[~again], records], ignore_index=True)
    save_figure(figure, records, target, {"seeds": int(records["seed"].nunique()), **environment_manifest()})
    print(f"drawn: {target}\njudge it: python -m pbb claims --mine --preset {preset}")
    return 0


def command_base_models(options: argparse.Namespace) -> int:
    from pbb.models.machine import cores
    from pbb.runs.pretraining import build

    build(options.model or None, workers=cores())
    return 0


def command_pin_models(options: argparse.Namespace) -> int:
    """Write the latest commit of each Hub model of the registry into it: from then on everybody has the same."""
    from pbb.models import hub

    hub.pin_models()
    return 0


def command_doctor(options: argparse.Namespace) -> int:
    """Say what this machine can run: card, memory, disk, models, presets. Changes nothing, and always succeeds."""
    from pbb.notebook import doctor

    print(doctor.report())
    return 0


def command_notebooks(options: argparse.Namespace) -> int:
    from pbb.notebook.execute import run_notebooks

    preset = resolve_preset(options.preset)
    run_notebooks(
        options.name or _notebooks(preset),
        preset=preset,
        parameters={"seeds": options.seeds},
        out=store.build(preset),
        progress=print,
    )
    return 0


def command_clean(options: argparse.Namespace) -> int:
    """List what the run store holds, with sizes; delete what is named, or all with --all, and nothing otherwise."""
    import shutil

    sizes: dict[str, int] = {}
    for folder in sorted(folder for folder in store.runs().glob("*/*") if folder.is_dir()):
        files = (file for file in folder.rglob("*") if file.is_file() and not file.is_symlink())
        sizes[f"{folder.parent.name}/{folder.name}"] = sum(file.stat().st_size for file in files)
    if unknown := [name for name in options.run if not any(own.startswith(name) for own in sizes)]:
        print(
            f"{unknown[0]!r} is not in {store.runs()}; valid: the beginning of a name listed by `clean`",
            file=sys.stderr,
        )
        return 2
    named = [own for own in sizes if options.all or any(own.startswith(name) for name in options.run)]
    for name in named or sizes:
        print(f"{sizes[name] / 1e6:8.1f} MB  {name}")
    total = sum(sizes[name] for name in named or sizes) / 1e6
    print(f"{total:8.1f} MB  in {len(named or sizes)} folders of {store.runs()}")
    if not named:
        print("nothing was deleted; name what to delete, such as `clean stages/`, or `clean --all`")
        return 0
    if not options.yes and (not sys.stdin.isatty() or input("delete them? [y/N] ").strip().lower() != "y"):
        print("nothing was deleted; --yes deletes without asking")
        return 0
    for name in named:
        shutil.rmtree(store.runs() / name)
    print("deleted; the next run computes them again where it needs them")
    return 0


def _minutes(text: str) -> float:
    try:
        minutes = float(text)
    except ValueError:
        minutes = math.nan
    if not 0 < minutes < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not valid; valid: minutes, more than 0, such as 9")
    return minutes


def _option(text: str) -> tuple[str, Any]:
    """Return name and value of ``NAME=VALUE``; a value that is no Python literal is text."""
    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise argparse.ArgumentTypeError(f"{text!r} is not valid; valid: NAME=VALUE, such as partition=gpu")
    try:
        return name, ast.literal_eval(value)
    except (SyntaxError, ValueError):
        return name, value


def parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    top = argparse.ArgumentParser(prog="python -m pbb", description="Programming by Backprop: run, draw, compare.")
    commands = top.add_subparsers(required=True, metavar="COMMAND")

    def add(
        name: str, function: Any, text: str, *, figures: bool = False, preset: bool = True
    ) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=text, description=text)
        command.set_defaults(function=function)
        if figures:
            command.add_argument(
                "figure",
                nargs="*",
                metavar="FIGURE",
                type=str.upper,
                help=f"of {', '.join(FIGURE_IDS)}; default all of the preset's",
            )
        if preset:
            command.add_argument("--preset", default="auto", help="auto, smoke, cpu, llm or paper (default: auto)")
            command.add_argument("--seeds", type=int, default=1, help="seeds 0 to N - 1 (default: 1)")
        return command

    planned = add("plan", command_plan, "say what would be computed and how long it should take", figures=True)
    budget_help = "begin nothing that would end after so many minutes"
    budget: dict[str, Any] = {"type": _minutes, "metavar": "MIN", "help": budget_help}
    planned.add_argument("--budget-min", **budget)
    for name, function, text in (
        ("run", command_run, "compute what is missing, without notebooks"),
        ("reproduce", command_reproduce, "compute what is missing, draw, run the notebooks, compare"),
    ):
        command = add(name, function, text, figures=True)
        command.add_argument(
            "--workers", type=int, default=None, help="processes (default: one a card, else one a core)"
        )
        command.add_argument("--budget-min", **budget)
        executor_help = "workers (default); or jobs by submitit: local or slurm; they say where their logs are"
        command.add_argument("--executor", default="workers", help=executor_help)
        slurm_help = "an option of sbatch, such as partition=gpu or time=60 (minutes); can be given several times"
        command.add_argument(
            "--slurm", type=_option, action="append", default=[], metavar="NAME=VALUE", help=slurm_help
        )
    add("smoke", command_smoke, "the whole pipeline at toy size", preset=False)
    add("figures", command_figures, "redraw the committed figures from their records", preset=False)
    add("compare", command_compare, "this machine's figures against the reference")
    command = add("reference", command_reference, "promote complete runs to the committed reference", figures=True)
    command.add_argument("--partial", action="store_true", help="leave out what was not run; the manifest names it")
    claimed = add("claims", command_claims, "judge every claim from the committed records", preset=False)
    claimed.add_argument("--preset", default="auto", help="such as cpu (default: auto, every preset with records)")
    claimed.add_argument("--mine", action="store_true", help="judge this machine's figures instead")
    claimed.add_argument("--write", action="store_true", help="write RESULTS.md: figures, their values, the board")
    notebooks = add("notebooks", command_notebooks, "execute notebooks headlessly into build/")
    notebooks.add_argument("name", nargs="*", metavar="NOTEBOOK", help="such as F02; default all of the preset's")
    exported = add("export", command_export, "write a figure's documents and questions for any other trainer")
    exported.add_argument("figure", metavar="FIGURE", type=str.upper, help=f"one of {', '.join(FIGURE_IDS)}")
    exported.add_argument("--out", type=Path, metavar="FOLDER", help="default: runs/exports/FIGURE-PRESET-SEEDS")
    scored = add("score", command_score, "turn answers to an export's questions into records", preset=False)
    scored.add_argument("answers", nargs="+", type=Path, metavar="ANSWERS", help="JSONL files")
    scored.add_argument("--model", required=True, metavar="NAME", help="what answered, such as gpt-4o-2024-08-06")
    where = "the export's folder (default: where the first file of answers is)"
    scored.add_argument("--export", type=Path, metavar="FOLDER", help=where)
    base = add("base-models", command_base_models, "train the tiny base models again", preset=False)
    base.add_argument("model", nargs="*", metavar="MODEL", help="default all")
    cleaned = add("clean", command_clean, "list runs with their sizes, and delete what is named", preset=False)
    cleaned.add_argument("run", nargs="*", metavar="RUN", help="the beginning of names to delete, such as stages/")
    cleaned.add_argument("--all", action="store_true", help="delete all of them")
    cleaned.add_argument("--yes", action="store_true", help="delete without asking")
    add("doctor", command_doctor, "what this machine can run, and what is missing", preset=False)
    add("pin-models", command_pin_models, "pin the registry's Hub models to their latest commits", preset=False)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit status. Expected failures are one message, not a traceback."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    options = parser().parse_args(given)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # what cannot be shown is replaced; a log file gets each line as it comes
            stream.reconfigure(errors="replace", line_buffering=True)
    from pbb.programs.execution import WorkerError
    from pbb.runs.run import BudgetError, RunError
    from pbb.store import RecordsError

    try:
        with store.explained():
            return int(options.function(options))
    except BudgetError as stop:
        again = os.environ.get("PBB_COMMAND") or shlex.join(["python", "-m", "pbb", *given])
        print(f"\n{stop}\nThe same command goes on: {again}\n(exit status {COME_BACK}: nothing is wrong, come back)")
        return COME_BACK
    except (RecordsError, RunError, WorkerError, ValueError) as error:  # a NotebookError is a RunError
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped; what is complete is kept, and the same command goes on from there", file=sys.stderr)
        return 130
