"""The domains: for each one its settings, what draws its programs, and how documents point at them and ask.

A domain is added by one module and one entry here. Experiments, documents, curricula and evaluation know domains by
this table alone.
"""

from __future__ import annotations

import ast
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pbb.programs import (
    algorithms,
    arithmetic,
    cipher_reader,
    ciphers,
    composition,
    composition_reader,
    grammar_reader,
    grammars,
    interpreter,
    sums,
)
from pbb.programs.names import BASE_NAMES
from pbb.programs.program import Program, belongs_to_base, normalised

POINTERS: tuple[str, ...] = (
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
)
ASK: dict[str, dict[str, str]] = {
    "plain": {"direct": "what is the output for {input}?", "cot": "run it step by step for {input}."},
    "word_problem": {
        "direct": "Ann feeds it {input}. What comes out?",
        "cot": "Ann feeds it {input}. Show each step.",
    },
}
# Requests for a program's text, taken in turn by the templates: knowledge that is always asked for in the same words is
# recalled after these words alone, and not where the program has to be run.
DECLARE: dict[str, tuple[str, ...]] = {
    "code": (
        "write its code.",
        "what does it say?",
        "show it.",
        "how is it defined?",
        "print it.",
        "give it in full.",
        "recite it.",
        "quote it.",
    ),
    "description": (
        "describe it in words.",
        "what does it do, in words?",
        "explain it in words.",
        "tell it in plain words.",
    ),
}
_BASE_NAMES = frozenset(BASE_NAMES)


def equals_output(program: Program, input_text: str, parsed_answer: str) -> bool:
    """Whether `parsed_answer` is the executed output, to the letter."""
    return parsed_answer == program.execution(input_text).output


def _normalised(program: Program) -> str:
    return normalised(program.source)


@dataclass(frozen=True)
class Domain:
    """One domain of programs.

    Attributes:
        settings: the dataclass of its knobs; None where programs are given, not drawn.
        generate: draws programs, as `pbb.programs.arithmetic.generate` does.
        pointers: 20 templates that point at a program by ``{name}`` or by ``{problem}``.
        ask: style -> answer mode -> the request, with ``{input}``.
        declare: representation -> requests for the program's text, which the templates take in turn.
        accepts: whether an answer is right for an input of a program.
        guess: a random answer to an input of a program; None where the right answers to other questions serve.
        normal_form: equal for programs that do the same under other names, so that its hash says whose they are.
    """

    settings: type | None = None
    generate: Callable[..., list[Program]] | None = None
    pointers: tuple[str, ...] = POINTERS
    ask: Mapping[str, Mapping[str, str]] = field(default_factory=lambda: ASK)
    declare: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: DECLARE)
    accepts: Callable[[Program, str, str], bool] = equals_output
    guess: Callable[[Program, str, random.Random], str] | None = None
    normal_form: Callable[[Program], str] = _normalised


DOMAINS: dict[str, Domain] = {
    "arithmetic": Domain(
        settings=arithmetic.ArithmeticSettings,
        generate=arithmetic.generate,
    ),
    "sums": Domain(
        settings=sums.SumSettings,
        generate=sums.generate,
    ),
    "algorithms": Domain(
        settings=algorithms.AlgorithmSettings,
        generate=algorithms.generate,
        pointers=algorithms.POINTERS,
        ask=algorithms.ASK,
    ),
    "ciphers": Domain(
        settings=ciphers.CipherSettings,
        generate=ciphers.generate,
        pointers=ciphers.POINTERS,
        ask=ciphers.ASK,
    ),
    "grammars": Domain(
        settings=grammars.GrammarSettings,
        generate=grammars.generate,
        pointers=grammars.POINTERS,
        ask=grammars.ASK,
        declare=grammars.DECLARE,
        accepts=grammars.accepts,
        guess=grammars.random_guess,
        normal_form=grammars.normal_form,
    ),
    "own": Domain(),
    "composition": Domain(
        settings=composition.CompositionSettings,
        generate=composition.generate,
        pointers=tuple(template.replace("{name}", "{problem}") for template in POINTERS),
        normal_form=composition.normal_form,
    ),
}


def generate(settings: object, count: int, *key: object, **options: Any) -> list[Program]:
    """Return `count` programs of the domain whose settings these are, as `pbb.programs.arithmetic.generate` does.

    `options` are ``pool``, ``without`` (normal forms) and ``inputs``.

    Raises:
        ValueError: the settings are of no domain, or do not allow for so many different programs.
    """
    for domain in DOMAINS.values():
        if domain.generate and domain.settings is type(settings):
            return domain.generate(settings, count, *key, **options)
    raise ValueError(f"settings={settings!r} are of no domain; valid: those of {', '.join(DOMAINS)}")


def pointer(program: Program, template: int) -> str:
    """Return pointer context number `template` (no final punctuation); raises IndexError past the last one."""
    chosen = DOMAINS[program.domain].pointers[template]
    return chosen.format(name=program.name, problem=program.problem)


def normal_form(program: Program) -> str:
    """Return what `program` does, written the same whatever it and its variables are called."""
    return DOMAINS[program.domain].normal_form(program)


def base_may_have_seen(program: Program) -> bool:
    """Whether a base model may have been pretrained on this program, or on another of its name."""
    return program.name in _BASE_NAMES or belongs_to_base(normal_form(program))


def accepts(program: Program, input_text: str, parsed_answer: str) -> bool:
    """Whether `parsed_answer` is right for `input_text`."""
    return DOMAINS[program.domain].accepts(program, input_text, parsed_answer)


def _values(text: str) -> tuple[Any, ...]:
    values: tuple[Any, ...] = ast.literal_eval(f"({text},)")
    return values


# (description, *arguments) -> result, by programs that share no code with what writes the descriptions.
READERS: dict[str, Callable[..., Any]] = {
    "arithmetic": interpreter.interpret,
    "sums": interpreter.interpret,
    "ciphers": cipher_reader.encode,
}


def reading_agrees(program: Program, input_text: str) -> bool | None:
    """Whether an independent reading of `program`'s description gives what executing its source gave.

    A composite is read by its own description and its parts'; a grammar's description has to allow for the string. None
    where no reader knows the domain: families of algorithms have reference implementations in the tests instead.
    """
    output = program.execution(input_text).output
    if program.domain == "grammars":
        return grammar_reader.obeys(program.description, ast.literal_eval(output))
    if program.domain == "composition":
        parts = {part["name"]: part for part in program.made_by["parts"]}
        if not all(part["domain"] in READERS for part in parts.values()):
            return None

        def run(name: str, *values: Any) -> Any:
            return READERS[parts[name]["domain"]](parts[name]["description"], *values)

        return repr(composition_reader.run(program.description, _values(input_text), run)) == output
    read = READERS.get(program.domain)
    return repr(read(program.description, *_values(input_text))) == output if read else None
