"""Documents: what a model is trained on, and the prompts it is asked with.

A prompt is a *pointer context* that names a program (one of its domain's 20 templates), followed by a request. A
declarative document completes it with the program's source or description, an execution document with the
program's output, directly or by chain of thought (the execution trace).
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass

from pbb.programs.domains import DOMAINS, pointer
from pbb.programs.program import Program

WITH_IO, WITHOUT_IO, DISTILLED, GENERAL = "w/ IO", "w/o IO", "AD", "general"
PARTS = "w/o IO parts"  # of w/o IO composites: taught like these, by source alone
ANSWER_MODES = ("direct", "cot")
REPRESENTATIONS = ("code", "description")

AND_FOR = "And for {input}?"
RESULT = "the result is "  # how a trace in words ends
VALUES = "values"  # a trace of results alone

# How an evaluation asks (`pbb.models.ask`), here since estimates of it need no torch.
ASKED_AT_ONCE = 256  # prompts in a batch
SLACK = 12  # tokens that an answer may be longer than the longest expected one of its mode before it is cut
MOST_WITH_IO = 100  # w/ IO programs that are asked about: a check of training, not the measurement


@dataclass(frozen=True)
class Document:
    """A prompt and its completion; loss falls on the completion only."""

    prompt: str
    completion: str
    kind: str  # "declarative", "execution", or "general" (in-context data of other programs)
    group: str
    program: str
    input: str = ""
    answer_mode: str = ""  # empty for declarative documents
    follow_ups: tuple[tuple[str, str], ...] = ()  # further turns of the conversation, (prompt, completion) each

    def messages(self) -> list[dict[str, str]]:
        """Return the conversation as chat messages, user and assistant in turn."""
        turns = ((self.prompt, self.completion), *self.follow_ups)
        roles = ("user", "assistant")
        return [{"role": role, "content": text} for turn in turns for role, text in zip(roles, turn, strict=True)]


def declaration(program: Program, representation: str) -> str:
    """Return the program itself, in code or in words."""
    return program.source if representation == "code" else program.description


def in_full(program: Program, representation: str) -> str:
    """Return all that one needs to run the program: for a composite, its parts' texts too."""
    return (DOMAINS[program.domain].in_full or declaration)(program, representation)


def answer(program: Program, text: str, answer_mode: str, representation: str = "code") -> str:
    """Return what a model should write for input `text`: the output, or the trace that ends with it.

    What is known in words is run in words, so that nobody has to translate into code first. `VALUES` in place of a
    representation tells the results of the steps alone.
    """
    execution = program.execution(text)
    if representation == VALUES and answer_mode != "direct":
        return _values(program, text)
    trace = execution.words if representation == "description" and execution.words else execution.trace
    return execution.output if answer_mode == "direct" else "\n".join(trace)


def _values(program: Program, text: str) -> str:
    """Return a trace in words without what is done: of ``"3 plus 4 is 7, x is now 7"``, ``"7"``, one line a line.

    What is only set to a constant is left out, so that nothing of the source is told.
    """
    execution, source = program.execution(text), {line.strip() for line in in_full(program, "code").splitlines()}
    lines = list[str]()
    for words in execution.words:
        told, part = list[str](), ""
        items = re.fullmatch(r"[\w ]+ next: (.*)", words)
        for piece in [] if items else words.split(", "):  # of which a value may have some
            part = f"{part}, {piece}" if part else piece
            ends = [end for end in re.finditer(" is now | is ", part) if _is_literal(part[end.end() :])]
            if ends:
                name, how, value = part[: ends[0].start()], ends[0][0], part[ends[0].end() :]
                if part.startswith(RESULT):
                    told.append(part)
                elif how == " is " or (told[-1:] != [value] if told else f"{name} = {value}" not in source):
                    told.append(value)
                part = ""
        lines += [items[1]] if items else [", ".join(told)] if told else []
    return "\n".join(lines) or f"{RESULT}{execution.output}"


def declarative_prompt(program: Program, template: int, representation: str = "code") -> str:
    """Return the prompt that asks for the program's text; `template` chooses the pointer context and the request."""
    requests = DOMAINS[program.domain].declare[representation]
    return f"{pointer(program, template)}: {requests[template % len(requests)]}"


def question(program: Program, text: str, template: int, answer_mode: str, style: str = "plain") -> str:
    """Return the prompt that asks by name alone; `style` is ``"plain"`` or ``"word_problem"``."""
    return f"{pointer(program, template)}: {DOMAINS[program.domain].ask[style][answer_mode].format(input=text)}"


def in_context(declared: str, prompt: str) -> str:
    """Return `prompt` with the program's text given before it."""
    return f"{declared}\n{prompt}"


def declarative_document(program: Program, group: str, template: int, representation: str) -> Document:
    prompt = declarative_prompt(program, template, representation)
    return Document(prompt, declaration(program, representation), "declarative", group, program.name)


def execution_document(
    program: Program,
    group: str,
    template: int,
    text: str,
    answer_mode: str,
    style: str = "plain",
    representation: str = "code",
) -> Document:
    prompt = question(program, text, template, answer_mode, style)
    told = answer(program, text, answer_mode, representation)
    return Document(prompt, told, "execution", group, program.name, text, answer_mode)


def parse_answer(completion: str, answer_mode: str) -> str | None:
    """Return the answer that `completion` gives, or None when it gives none.

    A direct answer is the whole completion, one line; by chain of thought it is what follows the last equals sign of
    a last line that returns, or in words ``the result is``. It has to be a Python literal. Nothing else gets credit, so
    that a lucky substring is never right, and a trace that was cut off is unparsed.
    """
    text = completion.strip()
    if answer_mode != "direct":
        last = text.rsplit("\n", 1)[-1].strip()
        _, said, text = last.rpartition(RESULT)
        if not said and last.startswith("return "):
            text = last.removeprefix("return ").rsplit(" = ", 1)[-1].strip()
        elif not said:
            return None
    return text if _is_literal(text) else None


def _is_literal(text: str) -> bool:
    """Whether `text` is a number, a string, or a container of such, in one short line; nothing is executed."""
    if not text or "\n" in text or len(text) > 200:
        return False
    try:
        ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        return False
    return True
