"""Train anywhere: a figure's documents and questions as chat JSONL, and records from the answers that come back.

    python -m pbb export F02 --preset cpu
    python -m pbb score FOLDER/answers.jsonl --model gpt-4o-2024-08-06

A line of a stage's file is ``{"messages": [...]}``, which finetuning services, `datasets` and TRL's command line take.
The manifest says which stages each experiment is trained on, in which order, and what is asked after which of them.
One pass over a file, in its order, is our own budget: epochs are written out, each with prompts of its own. Loss
belongs on the assistant's messages alone (in TRL: ``--assistant_only_loss true``, if the chat template marks them).
"""

from __future__ import annotations

import itertools
import json
import re
import reprlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from pbb import store
from pbb.arms import NO_MODEL
from pbb.experiments.documents import GENERAL, Document
from pbb.experiments.experiment import Experiment
from pbb.experiments.questions import Question, answer_at_random, questions, scored
from pbb.experiments.studies import study
from pbb.records import SCHEMA_VERSION, load_records, save_records
from pbb.registry import label
from pbb.runs.keys import stage_keys
from pbb.runs.run import Point, described, points
from pbb.runs.tasks import StageTask
from pbb.store import RecordsError, atomic_folder, environment_manifest, read_manifest, sha256, write_manifest
from pbb.streams import digest

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

PRESET = "external"  # of the records
LINE = '{"id": "…", "completion": "…"}'
Say = Callable[[str], object]


def export(figure: str, preset: str, seeds: int, folder: Path | str, say: Say = print) -> Path:
    """Leave at `folder` what it takes to train and ask any model for `figure`, complete or not at all, once.

    ``stages/`` has the documents, ``questions/`` what to ask (id and messages), ``expected/`` the right answers, and
    manifest.json the order, the budgets and checksums. Of a figure that compares models the preset's own is taken.

    Raises:
        RecordsError: something else is at `folder`.
        ValueError: there is no such figure or preset, or `seeds` is less than 1.
    """
    folder, experiments = Path(folder), _experiments(figure, preset, seeds)
    asked = _asked(experiments)
    if (there := read_manifest(folder)) is not None and there.get("made_of") == _made_of(experiments, asked):
        say(f"{folder}: this export is complete already")
        return folder
    if there is not None or (folder.exists() and (not folder.is_dir() or any(folder.iterdir()))):
        raise RecordsError(f"{folder}: something else is here; valid: --out with a folder that is new or empty")
    from pbb.models.loading import load_tokenizer

    tokenizer = load_tokenizer(experiments[0].model)
    with atomic_folder(folder) as partial:
        for name in ("stages", "questions", "expected"):
            (partial / name).mkdir()
        stages, told = {}, []
        for file, task in {_stage_file(task): task for e in experiments for task in _stages(e)}.items():
            stages[file] = _write_stage(partial / file, task, tokenizer)
            say(f"{file}: {stages[file]['documents']:,} documents, {stages[file]['tokens']:,} tokens")
        for stem, questions in asked.values():
            _write(partial / f"questions/{stem}.jsonl", _to_ask(stem, questions))
            _write(partial / f"expected/{stem}.jsonl", map(_expected, _ids(stem, questions), questions))
        for e in experiments:
            ask = [asked[point.task.key][0] for point in _points(e) if point.task.key in asked]
            told.append({**described(e), "stages": list(map(_stage_file, _stages(e))), "ask": ask})
        manifest = {"kind": "export", "figure": figure, "preset": preset, "seeds": seeds, "experiments": told}
        manifest |= {"made_of": _made_of(experiments, asked), "stages": stages, **environment_manifest()}
        files = sorted(partial.rglob("*.jsonl"))
        manifest["sha256"] = {file.relative_to(partial).as_posix(): sha256(file) for file in files}
        write_manifest(partial, manifest)
    say(f"{sum(len(questions) for _, questions in asked.values()):,} questions for {len(asked)} models, in {folder}")
    return folder


def _experiments(figure: str, preset: str, seeds: int) -> list[Experiment]:
    found = list(dict.fromkeys(study(figure, preset, seeds)))
    models, own = [e.model for e in found], Experiment.of(preset).model
    return [e for e in found if e.model == (own if own in models else models[0])]


def _stages(experiment: Experiment) -> list[StageTask]:
    return [StageTask(experiment, index) for index in range(len(stage_keys(experiment)))]


def _points(experiment: Experiment) -> list[Point]:
    """Before the first stage and after each: within one only our trainer can ask."""
    return [point for point in points(experiment) if point.task.full]


def _asked(experiments: Iterable[Experiment]) -> dict[str, tuple[str, list[Question]]]:
    """Return the questions to each model by the key of its evaluation, after the name of their file.

    Arms that have stages in common are one model until they part, and it is asked once. Recite-then-run is left out:
    its second question holds the answer to the first.
    """
    found: dict[str, tuple[str, list[Question]]] = {}
    for e in experiments:
        for task in (point.task for point in _points(e) if e.arm != NO_MODEL):
            if task.key not in found:
                name = f"{e.arm}-{e.seed}-after-{task.index + 1}-{task.key[:8]}"
                found[task.key] = name, questions(e, [mode for mode in task.asked if mode != "recite"])
    return found


def _made_of(experiments: Sequence[Experiment], asked: Mapping[str, tuple[str, Sequence[Question]]]) -> str:
    return digest([stage_keys(e) for e in experiments], [_to_ask(*one) for one in asked.values()])


def _stage_file(task: StageTask) -> str:
    name = re.sub("[^a-z0-9]+", "_", task.stage.label.lower())
    return f"stages/{name}-{task.experiment.seed}-{task.key[:8]}.jsonl"


def _write_stage(file: Path, task: StageTask, tokenizer: PreTrainedTokenizerBase) -> dict[str, Any]:
    """Write a stage's documents; return what the manifest says of them, and of the budget that they fill."""
    e, stage = task.experiment, task.stage
    documents, tokens = _documents(task, tokenizer)
    _write(file, ({"messages": document.messages()} for document in documents))
    count = Counter(f"{d.group}: {d.kind}" for d in documents)
    programs = Counter(f"{group}: {kind}" for group, kind, _ in {(d.group, d.kind, d.program) for d in documents})
    budget = {"steps": stage.steps, "learning_rate": stage.learning_rate, "tokens": task.tokens}
    if not stage.objective:
        budget |= {"rows_a_step": e.training.batch_rows, "row_tokens": e.training.row_tokens}
    return {
        "label": stage.label,
        "objective": {"GRPO": dict(stage.objective)} if stage.objective else "SFT",
        "documents": len(documents),
        "by_kind": dict(sorted(count.items())),
        # How often a program is declared or run, on average. General documents do not come twice.
        "epochs": {kind: round(count[kind] / programs[kind], 2) for kind in sorted(count) if GENERAL not in kind},
        "tokens": tokens,
        "tokens_counted_by": label(e.model),
        "budget": budget,
    }


def _documents(task: StageTask, tokenizer: PreTrainedTokenizerBase) -> tuple[list[Document], int]:
    """Return as many documents of a stage's endless stream as its rows have room for, and their tokens.

    Under GRPO they are the questions, with the right answers in place of sampled ones.
    """
    e, stage = task.experiment, task.stage
    stream = stage.documents()
    if stage.objective:
        return list(itertools.islice(stream, stage.steps * e.grpo.completions // e.grpo.group_size)), task.tokens
    from pbb.models.sft import encode

    taken, tokens = list[Document](), 0
    while True:
        chunk = list(itertools.islice(stream, 250))
        for document, (ids, _) in zip(chunk, encode(chunk, tokenizer), strict=True):
            if document.group == GENERAL and len(ids) > e.training.row_tokens:
                continue  # our trainer passes over it too
            if tokens + len(ids) > task.tokens:
                return taken, tokens
            taken.append(document)
            tokens += len(ids)


def _ids(stem: str, questions: Sequence[Question]) -> list[str]:
    return [f"{stem}/{number:05d}" for number in range(len(questions))]


def _to_ask(stem: str, questions: Sequence[Question]) -> list[dict[str, Any]]:
    turns = ([{"role": "user", "content": question.prompt}] for question in questions)
    return [{"id": name, "messages": turn} for name, turn in zip(_ids(stem, questions), turns, strict=True)]


def _expected(name: str, question: Question) -> dict[str, Any]:
    fields = ("answer_mode", "group", "input", "expected", "target")
    return {"id": name, "program": question.program.name} | {field: getattr(question, field) for field in fields}


def _write(file: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8", newline="\n")


# ------------------------------------------------------------------------------------------------ answers
def score(
    files: Sequence[Path | str], model: str, folder: Path | str | None = None, say: Say = print
) -> tuple[str, pd.DataFrame]:
    """Return the figure that answers belong to, and their records; each experiment is kept as a complete run.

    An experiment is scored where the questions at its end are answered; its other points are taken where they are.

    Args:
        files: of lines as LINE, in any order; further fields are ignored.
        model: what answered, for the records.
        folder: the export's; None for the one in which the first file lies.

    Raises:
        RecordsError: an answer cannot be read, belongs to no question of this export, is given twice or is missing, or
            there is no export; the message says where, and what is valid.
    """
    if not re.fullmatch(r"\w[\w.:/@+-]{0,79}", model):
        raise RecordsError(f"model={model!r} is not valid; valid: up to 80 of letters, digits and . : / @ + - _")
    folder = Path(folder or Path(files[0]).parent)
    manifest = read_manifest(folder)
    if manifest is None or manifest.get("kind") != "export":
        raise RecordsError(f"{folder}: no export here; valid: --export with a folder that `python -m pbb export` wrote")
    experiments = _experiments(manifest["figure"], manifest["preset"], manifest["seeds"])
    asked = _asked(experiments)
    if manifest["made_of"] != _made_of(experiments, asked):
        raise RecordsError(f"{folder}: another version of this package made this export; the way out: export again")
    given = _answers(files, {stem: _ids(stem, questions) for stem, questions in asked.values()})
    scored = [e for e in experiments if e.arm == NO_MODEL or asked[_points(e)[-1].task.key][0] in given]
    if left_out := [f"{e.arm} (seed {e.seed})" for e in experiments if e not in scored]:
        say(f"left out, since the questions at their end are not answered: {', '.join(left_out)}")
    if all(e.arm == NO_MODEL for e in scored):
        raise RecordsError(f"{folder}: nothing to score; valid: answers to all questions at the end of an experiment")
    return manifest["figure"], pd.concat([_run(e, model, asked, given, manifest) for e in scored], ignore_index=True)


def _answers(files: Sequence[Path | str], ids: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """Return the completions to each file of questions that is answered, in the order of its questions."""
    known = {name for names in ids.values() for name in names}
    found: dict[str, tuple[str, str]] = {}
    for file in files:
        try:
            lines = Path(file).read_bytes().split(b"\n")
        except OSError as error:
            raise RecordsError(f"{file}: cannot be read ({error.strerror}); valid: a file of lines {LINE}") from None
        for where, line in ((f"{file}, line {n}", line) for n, line in enumerate(lines, 1) if line.strip()):
            name, completion = _answer(line, where)
            if name not in known:
                exported = re.fullmatch(r"(\w+-\d+-after-\d+-[0-9a-f]{8})/\d+", name)
                wrong = "belongs to another export" if exported and exported[1] not in ids else "is not valid"
                valid = f"valid: ids of its questions/, such as {min(known)!r}"
                raise RecordsError(f"{where}: id={name!r} {wrong}; {valid}")
            if name in found:
                raise RecordsError(f"{where}: id={name!r} was answered in {found[name][1]} already; valid: one answer")
            found[name] = completion, where
    answered = {stem: names for stem, names in ids.items() if not found.keys().isdisjoint(names)}
    missing = []
    for names in answered.values():
        if without := [name for name in names if name not in found]:
            missing.append(f"{len(without):,} of {len(names):,} ({', '.join(without[:3])}{', …' * (len(without) > 3)})")
    if missing:
        raise RecordsError(f"answers are missing: {'; '.join(missing)}; valid: all of a file of questions, or none")
    return {stem: [found[name][0] for name in names] for stem, names in answered.items()}


def _answer(line: bytes, where: str) -> tuple[str, str]:
    try:
        answer = json.loads(line)
    except (ValueError, RecursionError) as error:
        text = reprlib.repr(line.decode("utf-8", "replace"))
        raise RecordsError(f"{where}: {text} is no JSON ({error}); valid: {LINE}") from None
    if not isinstance(answer, dict):
        raise RecordsError(f"{where}: {reprlib.repr(answer)} is a {type(answer).__name__}; valid: {LINE}")
    for name in ("id", "completion"):
        if name not in answer:
            raise RecordsError(f"{where}: {name} is missing; valid: {LINE}")
        if not isinstance(answer[name], str) or re.search("[\ud800-\udfff]", answer[name]):
            raise RecordsError(f"{where}: {name}={reprlib.repr(answer[name])} is not valid; valid: text")
    return answer["id"], answer["completion"]


def _run(
    e: Experiment,
    model: str,
    asked: Mapping[str, tuple[str, Sequence[Question]]],
    given: Mapping[str, Sequence[str]],
    manifest: Mapping[str, Any],
) -> pd.DataFrame:
    """Score one experiment's answers, and keep them as a complete run."""
    stages = [manifest["stages"][_stage_file(task)] for task in _stages(e)]
    tokens = [0, *itertools.accumulate(stage["tokens"] for stage in stages)]
    answers = (sum(n for kind, n in stage["by_kind"].items() if kind.endswith(": execution")) for stage in stages)
    answered = [0, *itertools.accumulate(answers)]
    frames = []
    for point in _points(e):
        stem, questions = asked.get(point.task.key, ("", ()))
        if stem in given or not stem:
            pairs = zip(questions, given.get(stem, ()), strict=True)
            rows = [scored(q, q.prompt, text, "") for q, text in pairs] if stem else answer_at_random(e)
            done = point.task.index + 1
            spent = {"tokens": tokens[done], "questions_trained": answered[done]}
            where = {"stage": point.stage, "step": point.step, "progress": tokens[done] / max(tokens[-1], 1)}
            frames.append(pd.DataFrame(rows).assign(**spent, **where))
    mine, preset = e.changed(model=model), PRESET if manifest["preset"] != "smoke" else "smoke"
    about_it = {**described(e), "experiment": mine.name, "preset": preset, "model": model}
    frame = pd.concat(frames, ignore_index=True).assign(**about_it)
    made_of = digest(SCHEMA_VERSION, preset, manifest["made_of"], frame["completion"].tolist())[:8]
    about = {"kind": "run", "preset": preset, "name": mine.name, "base_model": model, "tokens": tokens[-1]}
    about |= {"experiment": mine.to_json(), "export": manifest["made_of"]}
    run = save_records(store.runs() / "results" / f"{mine.name}-{made_of}", frame, about | environment_manifest())
    return load_records(run)
