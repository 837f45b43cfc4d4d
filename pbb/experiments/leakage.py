"""The guard against leaks: nothing that a w/o IO program does may be trained on, nor an input that is held out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pbb.experiments.documents import PARTS, WITHOUT_IO, Document
from pbb.experiments.groups import Group
from pbb.programs.composition import part_names


class LeakageError(RuntimeError):
    """An execution of a w/o IO program, or of a held-out input, was on its way into training."""


def guarded(documents: Iterator[Document], groups: Sequence[Group]) -> Iterator[Document]:
    """Pass documents on, and raise LeakageError if one executes what is to be known from source alone.

    That is: a program of a group without demonstrations, a composite of which one is a part, a held-out input.
    """
    by_source = {group.name for group in groups} & {WITHOUT_IO, PARTS}
    secret = {p.name for group in groups if group.name in by_source for p in group.programs}
    runs = {p.name: {p.name, *part_names(p)} for group in groups for p in group.programs}
    shown = {name: set(inputs) for group in groups for name, inputs in group.shown.items()}
    for document in documents:
        declares = document.kind == "declarative"
        leaks = secret & runs.get(document.program, {document.program}) if not declares else set()
        if declares and document.program in secret and document.group not in by_source:
            leaks = {document.program}
        if leaks or (document.group in (WITHOUT_IO, PARTS) and not declares):
            raise LeakageError(
                f"an {document.kind} document of the w/o IO program {', '.join(leaks) or document.program!r} was about "
                f"to be trained on: {document.prompt!r}; w/o IO programs may be shown by declarative documents only"
            )
        if document.kind == "execution" and document.input not in shown.get(document.program, ()):
            raise LeakageError(
                f"input {document.input!r} of {document.program!r} is held out and was about to be trained on: "
                f"{document.prompt!r}"
            )
        yield document
