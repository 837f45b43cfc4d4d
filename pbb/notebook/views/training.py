"""Views of training: documents with their loss tokens, the stages of each arm, the leakage guard, the loss curve."""

from __future__ import annotations

import html
import itertools
from collections import Counter
from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from pbb.arms import ARMS
from pbb.experiments.curricula import curriculum
from pbb.experiments.documents import GENERAL, WITHOUT_IO, Document, execution_document
from pbb.experiments.experiment import Experiment
from pbb.experiments.groups import groups
from pbb.experiments.leakage import LeakageError, guarded
from pbb.figures import style
from pbb.notebook.views.page import page, table
from pbb.runs.tasks import StageTask
from pbb.store import RecordsError, checked


def sample_documents(experiment: Experiment, count: int = 400) -> dict[str, Document]:
    """Return one document of each kind, from the first `count` of each stage, labelled by stage, group and kind.

    General documents are the same in every stage and are sampled once.
    """
    found: dict[str, Document] = {}
    for stage in curriculum(experiment):
        for document in itertools.islice(stage.documents(), count):
            kind = f"{document.kind} {document.answer_mode}".strip()
            label = kind if document.group == GENERAL else f"stage {stage.number}, {document.group}: {kind}"
            found.setdefault(label, document)
    return dict(sorted(found.items(), key=lambda item: (item[1].group == GENERAL, item[0])))


def loss_tokens(documents: dict[str, Document], model: str) -> Any:
    """Return HTML that shows each document with the tokens that carry loss coloured and underlined, one box a token."""
    from pbb.models.loading import load_tokenizer
    from pbb.models.sft import IGNORE, encode

    tokenizer = load_tokenizer(model)
    looks = {d.group: style.GROUPS.get(d.group) for d in documents.values()}
    colors = {group: look.color if look else style.MUTED for group, look in looks.items()}
    prompt = f"opacity:.65;border:1px solid {style.MUTED}55"
    parts = []
    for label, document in documents.items():
        ((ids, labels),) = encode([document], tokenizer)
        color, tokens = colors[document.group], []
        # Only transparent colours: letters stay the notebook's own, dark on light or light on dark.
        taught = f"background:{color}55;border:1px solid {color};border-bottom-width:2px"
        for token, target in zip(ids, labels, strict=True):
            text = html.escape(tokenizer.decode([token])).replace("\n", "⏎<br>").replace(" ", "&nbsp;")
            look = prompt if target == IGNORE else taught
            tokens.append(f'<span style="{look};border-radius:3px;padding:0 1px">{text}</span>')
        shown = sum(target != IGNORE for target in labels)
        parts.append(
            f"<p><b>{html.escape(label)}</b>: {len(ids)} tokens, {shown} carry loss<br>"
            f'<code style="background:none;line-height:2;overflow-wrap:anywhere">{"".join(tokens)}</code></p>'
        )
    key = ", ".join(f'<b style="border-bottom:3px solid {color}">{html.escape(g)}</b>' for g, color in colors.items())
    return page(f"<p>Coloured tokens carry loss: {key}.</p>{''.join(parts)}")


def stages(experiment: Experiment, count: int = 300) -> pd.DataFrame:
    """Return what each arm trains on: arm, stage, label, steps, tokens, learning rate, documents.

    `documents` gives shares by group and kind, counted over the first `count` documents of the stage.
    """
    names = ["arm", "stage", "trains on", "steps", "million tokens", "learning rate", "documents, by share"]
    rows = []
    for arm in ARMS:
        e = experiment.changed(arm=arm)
        label, trained = style.ARMS[arm].label, curriculum(e)
        for stage in trained:
            sample = itertools.islice(stage.documents(), count)
            kinds = Counter(d.kind if d.kind == d.group else f"{d.group} {d.kind}" for d in sample)
            shares = ", ".join(f"{kind} {number / count:.0%}" for kind, number in kinds.most_common())
            millions = stage.steps * e.training.batch_rows * e.training.row_tokens / 1e6
            rate = f"{stage.learning_rate:g}"
            rows.append((label, str(stage.number), stage.label, stage.steps, millions, rate, shares))
        if not trained:
            rows.append((label, "-", "nothing is trained", 0, 0.0, "-", "-"))
    return pd.DataFrame(rows, columns=names)


def plant_leak(experiment: Experiment) -> Document:
    """Return what must never be trained on: an execution document of one of the w/o IO programs."""
    program = next(group for group in groups(experiment) if group.name == WITHOUT_IO).programs[0]
    return execution_document(program, WITHOUT_IO, 0, program.inputs[0], "cot")


def refusal(document: Document, experiment: Experiment) -> str:
    """Send `document` through the guard that every stage's documents pass, and return the error it raises.

    Raises AssertionError if the guard let it through.
    """
    try:
        list(guarded(iter([document]), groups(experiment)))
    except LeakageError as error:
        return f"LeakageError: {error}"
    raise AssertionError(f"the leakage guard let an {document.kind} document of {document.program!r} through")


def training_log(experiment: Experiment) -> pd.DataFrame:
    """Return the loss during training, a row for every twentieth of a stage: stage, trains on, step, loss, ….

    Raises RecordsError if a stage was not trained on this machine, or its folder was deleted; says how to get it.
    """
    parts = []
    for index, stage in enumerate(curriculum(experiment)):
        file = StageTask(experiment, index).folder / "training_log.csv"
        if not file.exists():
            raise RecordsError(
                f"{file}: no training log here. `pbb.run` trains a stage only while a record needs it; delete the "
                "experiment's folders under evaluations/ and results/ to have it trained again"
            )
        checked(file.parent, file.name)
        parts.append(pd.read_csv(file).assign(stage=stage.number, label=stage.label))
    if not parts:
        raise RecordsError(f"arm={experiment.arm!r} trains nothing, so it has no training log")
    return pd.concat(parts, ignore_index=True)[["stage", "label", "step", "loss", "learning_rate"]]


def loss_curve(experiment: Experiment) -> Figure:
    """Draw the training loss over steps, each stage in its own panel. Raises RecordsError as `training_log` does."""
    log = training_log(experiment)
    found = list(log.groupby(["stage", "label"], sort=True))
    look = style.ARMS[experiment.arm]
    with style.theme():
        figure = style.Picture(figsize=(style.COLUMN if len(found) == 1 else style.DOUBLE, 2.1), layout="constrained")
        ratios = [max(0.35 * log["step"].max(), part["step"].max()) for _, part in found]
        grid = figure.subplots(1, len(found), sharey=True, squeeze=False, width_ratios=ratios)[0]
        for axes, ((number, label), part) in zip(grid, found, strict=True):
            axes.plot(part["step"], part["loss"], color=look.color, marker=look.marker)
            axes.set(title=f"Stage {number}: {label}", xlabel="step", ylim=(0, 1.1 * log["loss"].max()), xlim=(0, None))
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        grid[0].set_ylabel("loss a token")
    return figure


def handful(
    preset: str, arm: str, seed: int, with_io_programs: int | None = None, without_io_programs: int | None = None
) -> Experiment:
    """Return a training that is short enough to watch; None is 100 and 10 programs of a tiny model, else 10 and 3."""
    if preset in ("smoke", "cpu"):
        with_io, without_io, steps = 100, 10, {"stage_1_steps": 300, "stage_2_steps": 60, "batch_rows": 8}
    else:
        with_io, without_io, steps = 10, 3, {"stage_1_steps": 250, "stage_2_steps": 50, "batch_rows": 2}
    with_io = with_io if with_io_programs is None else with_io_programs
    without_io = without_io if without_io_programs is None else without_io_programs
    few = {"with_io_programs": with_io, "without_io_programs": without_io}
    budget = {} if preset == "smoke" else steps
    return Experiment.of(preset, arm=arm, seed=seed, checkpoints=6, asked=("cot",), **few, **budget)


def answer_over_training(records: pd.DataFrame, experiment: Experiment, program: str = "") -> Any:
    """Return how one CoT answer about a w/o IO program changes while the loss falls: a table, one row a checkpoint.

    Args:
        records: what `pbb.run` gave for `experiment`.
        experiment: has been trained on this machine.
        program: a w/o IO program's name; the first in the alphabet when empty. It is asked on its first input.

    Raises:
        RecordsError: no w/o IO program of that name was asked by CoT, or the training log is gone.
    """
    rows = records[(records["group"] == WITHOUT_IO) & (records["answer_mode"] == "cot")]
    names = sorted(rows["program"].unique())
    if not names or (program or names[0]) not in names:
        raise RecordsError(f"program={program!r} was not asked by CoT; valid: {', '.join(names) or 'none here'}")
    moment = ["stage", "step"]
    share = "all w/o IO, right"
    right = (rows["outcome"] == "correct").groupby([rows[name] for name in moment]).mean().map("{:.0%}".format)
    one = rows[rows["program"] == (program or names[0])].sort_values([*moment, "input"]).drop_duplicates(moment)
    shown = one.join(right.rename(share), on=moment).rename(columns={"completion": "its answer"})
    log = training_log(experiment)[[*moment, "loss"]].sort_values("step")
    shown = pd.merge_asof(shown.sort_values("step"), log, on="step", by="stage").sort_values(moment)
    first, sources = one.iloc[0], {p.name: p.source for group in groups(experiment) for p in group.programs}
    columns = [*moment, "loss", share, "its answer", "outcome"]
    told = f"{first['prompt']} Expected: {first['expected']}."
    return table(shown[columns], f"{told} The source: {sources.get(first['program'], 'unknown')}")
