"""Documents: what a model is trained on, and the prompts it is asked with.

A prompt is a *pointer context* that names a program (one of 20 templates a domain), followed by a request. A
declarative document completes it with the program's source or description, an execution document with the
program's output, directly or by chain of thought (the execution trace).
"""

from __future__ import annotations

import ast
from dataclasses import dataclass

from pbb.programs.program import Program

WITH_IO, WITHOUT_IO, DISTILLED, GENERAL = "w/ IO", "w/o IO", "AD", "general"
ANSWER_MODES = ("direct", "cot")
REPRESENTATIONS = ("code", "description")

POINTERS: dict[str, tuple[str, ...]] = {
    "arithmetic": (
        "Consider the function {name}",
        "This is about {name}",
        "Recall the program {name}",
        "Think of {name}",
        "Here we use {name}",
        "Take the routine {name}",
        "Our topic is {name}",
        "Remember {name}",
        "You know {name}",
        "There is a function named {name}",
        "Look at the procedure {name}",
        "A small function, {name}",
        "In our library lives {name}",
        "A program is called {name}",
        "Let us talk about {name}",
        "The next question concerns {name}",
        "Open the file of {name}",
        "A machine is labelled {name}",
        "Someone wrote {name}",
        "{name}",
    ),
}
DECLARE = {"code": "write its code.", "description": "describe it in words."}
AND_FOR = "And for {input}?"
ASK = {
    "plain": {"direct": "what is the output for {input}?", "cot": "run it step by step for {input}."},
    "word_problem": {
        "direct": "Ann feeds it {input}. What comes out?",
        "cot": "Ann feeds it {input}. Show each step.",
    },
}


@dataclass(frozen=True)
class Document:
    """A prompt and its completion; loss falls on the completion only.

    `kind` is ``"declarative"``, ``"execution"`` or ``"general"`` (in-context data of other programs); `group` is
    ``"w/ IO"``, ``"w/o IO"``, ``"AD"`` or ``"general"``; `answer_mode` is empty for declarative documents.
    `follow_ups` are further turns, (prompt, completion) each, of the same conversation.
    """

    prompt: str
    completion: str
    kind: str
    group: str
    program: str
    input: str = ""
    answer_mode: str = ""
    follow_ups: tuple[tuple[str, str], ...] = ()

    def messages(self) -> list[dict[str, str]]:
        """Return the conversation as chat messages, user and assistant in turn."""
        turns = ((self.prompt, self.completion), *self.follow_ups)
        return [
            {"role": role, "content": text}
            for turn in turns
            for role, text in zip(("user", "assistant"), turn, strict=True)
        ]


def pointer(program: Program, template: int) -> str:
    """Return pointer context number `template` (no final punctuation); raises IndexError past the last one."""
    return POINTERS[program.domain][template].format(name=program.name)


def declaration(program: Program, representation: str) -> str:
    """Return the program itself, in code or in words."""
    return program.source if representation == "code" else program.description


def answer(program: Program, text: str, answer_mode: str) -> str:
    """Return what a model should write for input `text`: the output, or the trace that ends with it."""
    execution = program.execution(text)
    return execution.output if answer_mode == "direct" else "\n".join(execution.trace)


def declarative_prompt(program: Program, template: int, representation: str = "code") -> str:
    return f"{pointer(program, template)}: {DECLARE[representation]}"


def question(program: Program, text: str, template: int, answer_mode: str, style: str = "plain") -> str:
    """Return the prompt that asks by name alone; `style` is ``"plain"`` or ``"word_problem"``."""
    return f"{pointer(program, template)}: {ASK[style][answer_mode].format(input=text)}"


def in_context(declared: str, prompt: str) -> str:
    """Return `prompt` with the program's text given before it."""
    return f"{declared}\n{prompt}"


def declarative_document(program: Program, group: str, template: int, representation: str) -> Document:
    prompt = declarative_prompt(program, template, representation)
    return Document(prompt, declaration(program, representation), "declarative", group, program.name)


def execution_document(
    program: Program, group: str, template: int, text: str, answer_mode: str, style: str = "plain"
) -> Document:
    prompt = question(program, text, template, answer_mode, style)
    return Document(prompt, answer(program, text, answer_mode), "execution", group, program.name, text, answer_mode)


def parse_answer(completion: str, answer_mode: str) -> str | None:
    """Return the answer that `completion` gives, or None when it gives none.

    A direct answer is the whole completion, one line; by chain of thought it is what follows the last equals sign of
    a last line that returns. It has to be a Python literal. Nothing else gets credit, so that a lucky substring is
    never right, and a trace that was cut off is unparsed.
    """
    text = completion.strip()
    if answer_mode != "direct":
        last = text.rsplit("\n", 1)[-1].strip()
        if not last.startswith("return "):
            return None
        text = last.removeprefix("return ").rsplit(" = ", 1)[-1].strip()
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
