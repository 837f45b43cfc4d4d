"""Questions: what an evaluation asks, and how answers are scored.

An answer is right when its program's domain accepts it after parsing: it equals the expected output, or obeys the rules
of a grammar; what cannot be parsed is counted apart. A model's output is never executed. Nothing here needs a model, so
that answers from anywhere can be scored.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pbb.experiments import documents
from pbb.experiments.documents import MOST_WITH_IO, WITH_IO
from pbb.experiments.experiment import Experiment
from pbb.experiments.groups import Group, groups
from pbb.programs.domains import DOMAINS, accepts
from pbb.programs.program import Program
from pbb.streams import stream


@dataclass(frozen=True)
class Question:
    """One question and what it is scored against. `target` is the text a perfect model would write."""

    answer_mode: str
    group: str
    program: Program
    input: str
    held_out: bool
    prompt: str
    expected: str
    target: str
    declarative_prompt: str = ""


def questions(experiment: Experiment, modes: Sequence[str] | None = None) -> list[Question]:
    """Return an evaluation's questions: w/o IO (or AD) programs on `questions` inputs, w/ IO on held-out ones.

    `modes` are the answer modes asked for, the experiment's own when None. With the source in context only w/o IO
    programs are asked about.
    """
    asked: list[Question] = []
    for group in groups(experiment):
        shown = group.name == WITH_IO
        if shown and experiment.in_context:
            continue
        for program in group.programs[: MOST_WITH_IO if shown else None]:
            if not program.inputs:
                continue
            rng = stream(experiment.seed, "questions", program.name)
            pool = group.held_out(program)
            inputs = rng.sample(pool, min(experiment.ask.questions, len(pool)))
            told = DOMAINS[program.domain].declared(program)
            for mode in modes or experiment.ways:
                if (mode == "recite" and shown) or (mode == "recall" and not told):
                    continue
                template = rng.randrange(experiment.documents.templates_of(group.name))
                asked += asked_about(experiment, group, program, inputs, mode, template)
    return asked


def asked_about(
    experiment: Experiment, group: Group, program: Program, inputs: Sequence[str], mode: str, template: int
) -> list[Question]:
    """Return the questions that ask about `program` on `inputs`, in one answer mode and one pointer template."""
    form, style = experiment.documents.representation, experiment.documents.question_style
    declare = documents.declarative_prompt(program, template, form)
    if mode == "recall":
        told = documents.declaration(program, form)
        return [Question("recall", group.name, program, "", group.name != WITH_IO, declare, told, told)]
    by_trace, made = "direct" if mode == "direct" else "cot", []
    label = f"in_context_{by_trace}" if experiment.in_context else mode
    for text in inputs:
        prompt = documents.question(program, text, template, by_trace, style)
        if experiment.in_context:
            prompt = documents.in_context(documents.in_full(program, form), prompt)
        expected, target = program.execution(text).output, documents.answer(program, text, by_trace, form)
        made.append(Question(label, group.name, program, text, True, prompt, expected, target, declare))
    return made


def answer_at_random(experiment: Experiment) -> list[dict[str, Any]]:
    """Return one record a question, as `pbb.models.ask.evaluate` does, of direct answers that no model gave.

    They are what the domain's `guess` draws; where it has none, the right answer to one of the questions.
    """
    asked = questions(experiment, ("direct",))
    answers = [q.expected for q in asked]
    rows = []
    for q in asked:
        rng = stream(experiment.seed, "random generation", q.group, q.program.name, q.input)
        guess = DOMAINS[q.program.domain].guess
        rows.append(scored(q, q.prompt, guess(q.program, q.input, rng) if guess else rng.choice(answers), ""))
    return rows


def scored(asked: Question, prompt: str, completion: str, recitation: str) -> dict[str, Any]:
    """Return one record of what was asked, what was answered, and whether it is right."""
    if asked.answer_mode == "recall":
        parsed: str | None = completion.strip() or None
        right = parsed == asked.expected.strip()
    else:
        parsed = documents.parse_answer(completion, "direct" if asked.answer_mode.endswith("direct") else "cot")
        right = parsed is not None and accepts(asked.program, asked.input, parsed)
    outcome = "unparsed" if parsed is None else "correct" if right else "wrong"
    return {
        "answer_mode": asked.answer_mode,
        "group": asked.group,
        "program": asked.program.name,
        "input": asked.input,
        "held_out": asked.held_out,
        "prompt": prompt,
        "completion": f"{recitation}\n{completion}" if recitation else completion,
        "expected": asked.expected,
        "parsed": parsed,
        "outcome": outcome,
    }
