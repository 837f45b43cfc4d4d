"""Runs the English descriptions of Random Arithmetic, to prove that they mean what the Python sources do.

An independent reading: it shares no code with `pbb.programs.arithmetic`, which writes the descriptions, and knows
nothing of the Python sources. A description is parsed by a grammar and then carried out, with a limit on steps.

    >>> interpret("Blorp of x: take x, add 7, modulo 10, return it.", 5)
    2

How it reads what English leaves open: ``it`` is the value carried so far; ``while …:``, ``repeat … times:``,
``if …:`` and ``otherwise:`` govern one action, which ends with ``store as``; ``otherwise`` goes with the ``if``
just before it; ``when … take …, else take …, then`` carries one of two values on; ``rounding down`` is towards minus
infinity, and ``modulo`` has the sign of its operand.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from lark import Lark, Tree

GRAMMAR = r"""
    program: NAME "of" arguments ":" (statement ";")* value "return" "it" "."
    arguments: VARIABLE ("and" VARIABLE)*
    ?value: carried ","
        | "when" test carried "," "else" carried "," "then" -> choice
    ?test: VARIABLE "is" NUMBER -> equals
        | VARIABLE "is" "above" NUMBER -> above
        | VARIABLE "is" "below" NUMBER -> below
        | VARIABLE "is" "at" "least" NUMBER -> least
        | VARIABLE "is" "at" "most" NUMBER -> most
        | VARIABLE "is" "other" "than" NUMBER -> other
        | VARIABLE "is" "divisible" "by" NUMBER -> divisible
    ?statement: store
        | "if" test ":" store (_OTHERWISE store)? -> branch
        | "repeat" NUMBER "times" ":" store -> repeat
        | "while" VARIABLE "is" "below" NUMBER ":" store -> loop
    store: value "store" "as" VARIABLE
    ?carried: "take" VARIABLE -> take
        | "take" NUMBER -> number
        | carried "," "multiply" "by" "itself" -> square
        | carried "," "drop" "its" "sign" -> size
        | carried "," "add" operand -> add
        | carried "," "subtract" operand -> subtract
        | carried "," "subtract" "it" "from" operand -> subtract_from
        | carried "," "multiply" "by" operand -> multiply
        | carried "," "divide" "by" operand "rounding" "down" -> divide
        | carried "," "modulo" operand -> modulo
        | carried "," "take" "the" "distance" "to" operand -> distance
        | carried "," "cut" "to" "at" "most" operand -> at_most
        | carried "," "raise" "to" "at" "least" operand -> at_least
    ?operand: VARIABLE -> take
        | NUMBER -> number
    NAME: /[A-Za-z_]\w*/
    VARIABLE: /[a-z]\b/
    NUMBER: /\d+\b/
    _OTHERWISE: "; otherwise:"
    %ignore " "
"""
OPERATIONS: dict[str, Callable[[int, int], int]] = {
    "add": lambda it, operand: it + operand,
    "subtract": lambda it, operand: it - operand,
    "subtract_from": lambda it, operand: operand - it,
    "multiply": lambda it, operand: it * operand,
    "divide": lambda it, operand: it // operand,
    "modulo": lambda it, operand: it % operand,
    "distance": lambda it, operand: it - operand if it > operand else operand - it,
    "at_most": lambda it, operand: operand if operand < it else it,
    "at_least": lambda it, operand: operand if operand > it else it,
}


TESTS: dict[str, Callable[[int, int], bool]] = {
    "equals": lambda it, number: it == number,
    "above": lambda it, number: it > number,
    "below": lambda it, number: it < number,
    "least": lambda it, number: not it < number,
    "most": lambda it, number: not it > number,
    "other": lambda it, number: it != number,
    "divisible": lambda it, number: number * (it // number) == it,
}


@functools.cache
def _parser() -> Lark:
    return Lark(GRAMMAR, start="program", parser="lalr")


@functools.lru_cache(maxsize=64)
def parse(description: str) -> Tree[Any]:
    """Return the syntax tree of a description; raises lark's UnexpectedInput where it is not understood."""
    return _parser().parse(description)


class _Run:
    """One run of a description: its variables by name, and the steps it has left."""

    def __init__(self, variables: dict[str, int], max_steps: int) -> None:
        self.variables = variables
        self.left = max_steps

    def value(self, tree: Tree[Any]) -> int:
        """Return what a ``carried`` or an ``operand`` comes to."""
        if tree.data == "number":
            return int(tree.children[0])
        if tree.data == "take":
            return self.variables[tree.children[0]]
        if tree.data == "choice":
            test, then, otherwise = tree.children
            return self.value(then if self.holds(test) else otherwise)
        if tree.data == "square":
            return self.value(tree.children[0]) ** 2
        if tree.data == "size":
            it = self.value(tree.children[0])
            return it if it > 0 else -it
        return OPERATIONS[tree.data](self.value(tree.children[0]), self.value(tree.children[1]))

    def holds(self, tree: Tree[Any]) -> bool:
        variable, number = tree.children
        return TESTS[tree.data](self.variables[variable], int(number))

    def carry_out(self, tree: Tree[Any]) -> None:
        """Do one statement."""
        first, *rest = tree.children
        if tree.data == "store":
            self.left -= 1
            assert self.left >= 0, "the step limit is reached"
            self.variables[str(rest[0])] = self.value(first)
        elif tree.data == "repeat":
            for _ in range(int(first)):
                self.carry_out(rest[0])
        elif tree.data == "loop":
            while self.variables[first] < int(rest[0]):
                self.carry_out(rest[1])
        elif self.holds(first):
            self.carry_out(rest[0])
        elif len(rest) == 2:
            self.carry_out(rest[1])


def interpret(description: str, *arguments: int, max_steps: int = 500) -> int:
    """Return what the described program returns for `arguments`.

    Args:
        description: such as ``"Blorp of x and y: take x, add y, store as x; take x, modulo 10, return it."``
        arguments: one int for each variable that the description starts with.
        max_steps: how many values may be stored.

    Raises:
        UnexpectedInput: the description is not understood.
    """
    _, names, *statements, result = parse(description).children
    run = _Run({str(name): value for name, value in zip(names.children, arguments, strict=True)}, max_steps)
    for statement in statements:
        run.carry_out(statement)
    return run.value(result)
