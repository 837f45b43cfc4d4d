"""Runs the English descriptions of composites, to prove that they mean what the Python sources do.

An independent reading: it shares no code with `pbb.programs.composition`, which writes the descriptions. What the parts
do is not said in them: the caller tells how to run a part.

    >>> run("Blorp of x: run Snurg on x, run Zibble on the result, return the result.", (3,), lambda name, x: x + 1)
    5
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

_WHOLE = re.compile(r"\w+ of (?P<arguments>\w+(?: and \w+)*): (?P<steps>run .+), return the result\.")
_STEP = re.compile(r"run (?P<part>\w+) on (?P<values>(?:the result|\w+)(?: and \w+)*)")
_LAST = {
    r"cut to at most (\d+)": min,
    r"raise to at least (\d+)": max,
    r"take the distance to (\d+)": lambda value, number: max(value, number) - min(value, number),
    r"count its characters": len,
}


def run(description: str, arguments: Sequence[Any], part: Callable[..., Any]) -> Any:
    """Return what the described composite gives for `arguments`.

    Args:
        description: as in the example above.
        arguments: one value for each name that the description starts with.
        part: called with a part's name and its arguments, returns what that part gives.
    """
    whole = _WHOLE.fullmatch(description)
    assert whole, f"not understood: {description!r}"
    known = dict(zip(whole["arguments"].split(" and "), arguments, strict=True))
    for text in whole["steps"].split(", "):
        last = [(said, do) for form, do in _LAST.items() if (said := re.fullmatch(form, text))]
        if last:
            ((said, do),) = last
            known["the result"] = do(known["the result"], *map(int, said.groups()))
            continue
        step = _STEP.fullmatch(text)
        assert step, f"not understood: {text!r} in {description!r}"
        known["the result"] = part(step["part"], *(known[name] for name in step["values"].split(" and ")))
    return known["the result"]
