"""The finetuned model that comes with the package: published from a finished experiment, asked without training.

`publish` keeps what F01's experiment came to (Proactive, and its Stage 1 alone) as float16 weights, with the records
that these very weights give. `ask` asks both, and the base model with the source in its prompt.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from textwrap import indent
from typing import Any

import pandas as pd

from pbb import store
from pbb.analysis.labels import PLAIN_MODE, percent
from pbb.analysis.statistics import accuracy
from pbb.arms import IN_CONTEXT
from pbb.experiments.curricula import curriculum
from pbb.experiments.documents import WITHOUT_IO
from pbb.experiments.experiment import Experiment
from pbb.experiments.groups import groups
from pbb.experiments.questions import Question, asked_about, questions
from pbb.experiments.studies import study
from pbb.programs.program import Program
from pbb.records import write_records
from pbb.registry import identity
from pbb.runs.keys import stage_keys
from pbb.runs.run import described, spent
from pbb.streams import digest

FOLDER = Path(__file__).resolve().parents[1] / "finetuned"
LARGEST = 5_000_000  # bytes, since every clone carries them
WHO = {
    "proactive": "Proactive-PBB, trained on the source and on no run",
    "stage_1_only": "Stage 1 only, never shown the source",
    "in_context": "Base model, with the source in its prompt",
}
MODES = {"cot": "step by step", "direct": "at once", "recall": "reciting the source"}


@dataclass(frozen=True)
class Answers:
    """What each model answered to one question: `rows` of model, answer, outcome (what is no answer is wrong)."""

    asked: Question  # as it goes to models that see no source
    rows: pd.DataFrame
    rest: str  # what there is to know besides

    @property
    def source(self) -> str:
        """The program's source, under a line that says what it returns."""
        p, text = self.asked.program, self.asked.input
        returns = f": {p.name}({text}) returns {self.asked.expected} when Python runs it" if text else ""
        return f"The source of {p.name}{returns}\n{indent(p.source, '    ')}"

    def __repr__(self) -> str:
        said = [f"{r['model']}: {r['outcome']}\n{indent(r['answer'], '    ')}" for r in self.rows.to_dict("records")]
        return "\n\n".join([f"Asked: {self.asked.prompt}", "\n".join(said), self.source, self.rest])

    def _repr_html_(self) -> str:
        from pbb.notebook.views.page import code, table  # which load matplotlib

        return f"{table(self.rows, f'Asked: {self.asked.prompt}').to_html()}{code(self.source)}{code(self.rest)}"


@dataclass(frozen=True)
class Finetuned:
    """A published model: its folder, its manifest, and the experiment that trained it."""

    folder: Path
    manifest: Mapping[str, Any]
    experiment: Experiment

    @cached_property
    def programs(self) -> dict[str, Program]:
        """The w/o IO programs by name."""
        return {program.name: program for program in groups(self.experiment)[-1].programs}

    @cached_property
    def _models(self) -> dict[str, Any]:
        store.quiet()
        from pbb.models import loading

        own = {arm: None if arm == IN_CONTEXT else self.folder / arm for arm in WHO}
        return {arm: loading.load(self.experiment.model, weights) for arm, weights in own.items()}

    def answers(self, arm: str, asked: Sequence[Question]) -> list[dict[str, Any]]:
        """Return one record a question, as `pbb.models.ask.evaluate` does (imports torch)."""
        model, tokenizer = self._models[arm]
        from pbb.models import ask

        return ask.evaluate(model, tokenizer, asked)

    def ask(self, program: str | None = None, text: str | None = None, mode: str = "cot") -> Answers:
        """Ask all models about a w/o IO program, by name.

        None takes the first `program`, and as `text` the input in the middle, such as ``"4"``. `mode` is ``"cot"``,
        ``"direct"``, or ``"recall"``, which takes no input; the base model, being shown the source, is not asked then.
        Raises ValueError if there is no such program, input or mode; the message says what is valid.
        """
        if mode not in MODES:
            raise ValueError(f"mode={mode!r} is not valid; valid: {', '.join(MODES)}")
        if mode == "recall" and text is not None:
            raise ValueError(f"input={text!r} is not valid with mode='recall', which recites the source; valid: None")
        names = [*self.programs]
        if program is not None and program not in names:
            near = difflib.get_close_matches(program, names, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"valid: {', '.join(names)}"
            raise ValueError(f"program={program!r} is not one of the {len(names)} w/o IO programs; {hint}")
        chosen = self.programs[program or names[0]]
        inputs = ", ".join(chosen.inputs[:12])
        text = chosen.inputs[len(chosen.inputs) // 2] if text is None else text
        if text not in chosen.inputs:
            raise ValueError(f"input={text!r} is not one of {chosen.name}'s; valid: {inputs}")
        rows, told, asked = [], [], list[Question]()
        group = groups(self.experiment)[-1]  # of every arm; each would draw it again, which takes seconds
        shares = {row["curriculum"]: row for row in self.manifest["shares"] if row["answer_mode"] == mode}
        for arm, who in ((arm, who) for arm, who in WHO.items() if arm in shares):
            asked += asked_about(self.experiment.changed(arm=arm), group, chosen, [text], mode, template=0)
            (row,) = self.answers(arm, asked[-1:])
            outcome = "right" if row["outcome"] == "correct" else "wrong"
            rows.append({"model": who, "answer": row["completion"].strip(), "outcome": outcome})
            share = percent(*(shares[arm][part] for part in ("estimate", "low", "high")))
            told.append(f"{who.partition(',')[0]} {share}")
        some = ", ".join([name for name in names if name != chosen.name][:8])
        every = int(shares["proactive"]["questions"])
        rest = f"""Right of all {every} such questions, {MODES[mode]}: {", ".join(told)}.
Other programs: {some}, … ({len(names)} in all; --program list lists them).
Inputs: {inputs}. Modes: {", ".join(MODES)}."""
        return Answers(asked[0], pd.DataFrame(rows), rest)


def show(program: str | None = None, text: str | None = None, mode: str = "cot") -> None:
    """Display what the published model answers, with menus above that ask something else; as `Finetuned.ask`.

    Menus need a running kernel; the first answers are text and HTML, and stay wherever a notebook is shown.
    """
    import ipywidgets as widgets

    model = load()
    first = model.ask(program, text, mode)
    inputs = first.asked.program.inputs  # as all of F01's programs have them
    choices = {
        "program": ([*model.programs], first.asked.program.name),
        "input": (inputs, first.asked.input or inputs[0]),
        "mode": ([(said, name) for name, said in MODES.items()], mode),
    }
    menus = [widgets.Dropdown(description=name, options=some, value=one) for name, (some, one) in choices.items()]

    def asked() -> Answers:
        program, text, mode = (menu.value for menu in menus)
        return model.ask(program, None if mode == "recall" else text, mode)

    from pbb.notebook.views.page import below  # which loads matplotlib

    below(menus, first, asked)


@lru_cache(maxsize=2)
def load(folder: Path = FOLDER) -> Finetuned:
    """Return the published model, after comparing its files, base model and programs with its manifest.

    Raises RecordsError if there is none, it is damaged, or what it was made with is not what is here.
    """
    back = "`git checkout -- pbb/finetuned` brings the committed one back"
    if not store.is_complete(folder):
        raise store.RecordsError(f"{folder}: no finetuned model here; {back}, `make finetuned PRESET=cpu` trains one")
    try:
        manifest = store.checked(folder, ".")
    except store.CorruptRunError as damaged:  # its own way out is for what a run makes again
        raise store.RecordsError(f"{damaged.file}: {damaged.wrong}; {back}") from None
    found = Finetuned(folder, manifest, study("F01", manifest["preset"])[0])
    here = _made_with(found)
    if changed := [name for name in here if manifest[name] != here[name]]:
        raise store.RecordsError(
            f"{folder}: was published with other {' and '.join(changed)} than are here now. Changed by accident: "
            f"`git checkout -- pbb/base_models`; else `make finetuned PRESET={manifest['preset']}` publishes it anew"
        )
    return found


def _made_with(model: Finetuned) -> dict[str, str]:
    """Return what answers depend on beside the weights, by hashes; taught texts are drawn again, never stored."""
    programs = digest([program.to_json() for program in model.programs.values()])
    return {"settings": model.experiment.name, "base weights": identity(model.experiment.model), "programs": programs}


def publish(preset: str, folder: Path = FOLDER) -> Finetuned:
    """Write `folder` anew from F01's experiment of `preset`, seed 0; what is not trained on this machine is, first.

    Its records are answers of the weights as they are kept, rounded to float16, to all questions about w/o IO programs.
    Raises RecordsError if it would be larger than `LARGEST`; what was there is kept.
    """
    from pbb.models import loading
    from pbb.notebook.cell import train

    e = study("F01", preset)[0]
    stages = train(e)
    with store.atomic_folder(folder, replace=True) as partial:
        for arm, stage in {"proactive": stages[-1], "stage_1_only": stages[0]}.items():
            loading.load(e.model, stage.weights, "float16")[0].save_pretrained(partial / arm)
        model, frames = Finetuned(partial, {}, e), []
        for told in (e.changed(arm=arm) for arm in WHO):
            modes = [mode for mode in MODES if mode != "recall" or not told.in_context]
            asked = [question for question in questions(told, modes) if question.group == WITHOUT_IO]
            steps, (tokens, trained) = [stage.steps for stage in curriculum(told)], spent(told)[-1]
            about = {"experiment": told.name, "preset": preset, "tokens": tokens, "questions_trained": trained}
            where = {"stage": len(steps), "step": [0, *steps][-1], "progress": float(bool(steps))}
            rows = pd.DataFrame(model.answers(told.arm, asked))
            frames.append(rows.assign(**about, **where, **described(told)))
        records = pd.concat(frames, ignore_index=True)
        shares = accuracy(records.replace({"answer_mode": PLAIN_MODE}), ["curriculum", "answer_mode"])
        manifest = {"kind": "finetuned", "preset": preset, "experiment": e.to_json(), "stages": stage_keys(e)}
        manifest |= {"shares": shares.to_dict("records"), "records": write_records(partial, records)}
        store.seal(partial, folder.name, manifest | _made_with(model) | store.environment_manifest())
        if (size := sum(file.stat().st_size for file in partial.rglob("*") if file.is_file())) > LARGEST:
            raise store.RecordsError(f"{folder}: {size:,} bytes are too many; valid: {LARGEST:,}, of a smaller model")
    load.cache_clear()
    return load(folder)
