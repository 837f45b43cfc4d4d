"""Sources: endless streams of documents, described by literals and drawn by hashing.

A description is data, so that it goes into a stage's key as it is; the code here, which writes documents from it, goes
there too (`pbb.runs.keys`).
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from pbb.experiments.base_data import base_documents, mixture_of
from pbb.experiments.documents import VALUES, Document, declarative_document, execution_document
from pbb.experiments.experiment import Experiment
from pbb.experiments.groups import Group, groups
from pbb.programs.domains import DOMAINS
from pbb.streams import stream

# How documents are written. VALUES, the results of steps without the source's text, is a fourth way.
DECLARE, EXECUTE, OUTPUTS = "declare", "execute", "outputs"


@dataclass(frozen=True)
class Epochs:
    """Documents of groups, sampled and shuffled anew in every epoch: (how they are written, group) each."""

    label: str  # of the random stream
    parts: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class General:
    """What the base model was trained on: other programs, run in context."""


@dataclass(frozen=True)
class Mix:
    """Documents of `main`, and of each of `others` with its probability."""

    main: Epochs | Mix
    others: tuple[tuple[float, Epochs | General | Mix], ...]


Source = Epochs | General | Mix


def documents_of(source: Source, experiment: Experiment) -> Iterator[Document]:
    """Yield documents without end."""
    if isinstance(source, General):
        yield from base_documents(experiment.seed, "general", mixture=mixture_of(experiment.model))
    elif isinstance(source, Mix):
        main = documents_of(source.main, experiment)
        others = [(share, documents_of(other, experiment)) for share, other in source.others]
        rng = stream(experiment.seed, "mixing")
        while True:
            roll = rng.random()
            for share, documents in others:
                if roll < share:
                    yield next(documents)
                    break
                roll -= share
            else:
                yield next(main)
    else:
        by_name = {group.name: group for group in groups(experiment)}
        parts = [(how, by_name[name]) for how, name in source.parts if name in by_name]
        for number in itertools.count():
            rng = stream(experiment.seed, "documents", source.label, number)
            epoch = [document for how, group in parts for document in WRITERS[how](experiment, rng, group)]
            rng.shuffle(epoch)
            yield from epoch


def _declarative(experiment: Experiment, rng: random.Random, group: Group) -> list[Document]:
    form, templates = experiment.documents.representation, experiment.documents.templates_of(group.name)
    return [
        declarative_document(p, group.name, rng.randrange(templates), form)
        for p in group.programs
        if DOMAINS[p.domain].declared(p)
    ]


def _executions(
    experiment: Experiment, rng: random.Random, group: Group, modes: tuple[str, ...] = (), form: str = ""
) -> list[Document]:
    how = experiment.documents
    modes, form = modes or how.trained_modes, form or how.representation
    documents = []
    for program in group.programs:
        first = rng.randrange(len(modes))  # with fewer documents than modes, epochs take turns
        for index in range(how.executions):
            mode = modes[(first + index) % len(modes)]
            text = rng.choice(group.shown[program.name])
            template = rng.randrange(how.templates_of(group.name))
            documents.append(execution_document(program, group.name, template, text, mode, how.question_style, form))
    return documents


WRITERS: dict[str, Callable[..., list[Document]]] = {
    DECLARE: _declarative,
    EXECUTE: _executions,
    OUTPUTS: partial(_executions, modes=("direct",)),
    VALUES: partial(_executions, modes=("cot",), form=VALUES),
}
