"""Independent readers of descriptions: they run the English, sharing no code with what writes it.

`reading_agrees` compares what a reader makes of a program with what executing its source gave.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

from pbb.programs.program import Program
from readers import cipher_reader, composition_reader, grammar_reader, interpreter

# (description, *arguments) -> result.
READERS: dict[str, Callable[..., Any]] = {
    "arithmetic": interpreter.interpret,
    "sums": interpreter.interpret,
    "ciphers": cipher_reader.encode,
}


def reading_agrees(program: Program, input_text: str) -> bool | None:
    """Whether an independent reading of `program`'s description gives what executing its source gave.

    A composite is read by its own description and its parts'; a grammar's description has to allow for the string. None
    where no reader knows the domain: families of algorithms have reference implementations instead.
    """
    output = program.execution(input_text).output
    if program.domain == "grammars":
        return grammar_reader.obeys(program.description, ast.literal_eval(output))
    arguments = ast.literal_eval(f"({input_text},)")
    if program.domain == "composition":
        parts = {part["name"]: part for part in program.made_by["parts"] if part["domain"] != "builtin"}
        if not all(part["domain"] in READERS for part in parts.values()):
            return None

        def run(name: str, *values: Any) -> Any:
            return READERS[parts[name]["domain"]](parts[name]["description"], *values)

        return repr(composition_reader.run(program.description, arguments, run)) == output
    read = READERS.get(program.domain)
    return repr(read(program.description, *arguments)) == output if read else None
