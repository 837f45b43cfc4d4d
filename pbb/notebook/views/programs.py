"""Views of programs: their three texts, the proofs that these agree and stay apart, and what guessing would give."""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from pbb.experiments.base_data import base_programs
from pbb.experiments.documents import WITH_IO, WITHOUT_IO
from pbb.experiments.experiment import Experiment
from pbb.experiments.groups import groups
from pbb.figures import style
from pbb.notebook.views.page import code, page
from pbb.programs import DOMAINS, Arithmetic, Program, generate, grammars
from pbb.programs.domains import accepts, base_may_have_seen, normal_form
from pbb.programs.names import BASE_NAMES
from pbb.programs.program import belongs_to_base
from pbb.registry import TINY_FOLDER
from pbb.streams import stream

CHANCE_LIMIT = 0.25  # what no constant guess may reach with a domain's default settings
OFTEN = 20  # programs that an input must be asked of before a guess at its commonest answer is no hindsight
RANDOM_STRINGS = 100  # drawn for each grammar
_GUESSES = ["constant guess", "best guess by input"]


def of_each_domain(experiment: Experiment, count: int = 100, longest: int = 3) -> list[Program]:
    """Return `count` programs of each domain with its default knobs, arithmetic for each length up to `longest`."""
    kinds: list[Any] = [Arithmetic(statements=n) for n in range(1, longest + 1)]
    kinds += [d.settings() for name, d in DOMAINS.items() if d.generate and name != "arithmetic"]
    return [p for i, knobs in enumerate(kinds) for p in generate(knobs, count, experiment.seed, "of each domain", i)]


def kind(program: Program) -> str:
    """Return which row or panel a program belongs to: its domain, in arithmetic with the number of statements."""
    if DOMAINS[program.domain].in_words is None:
        return program.domain
    return f"{program.domain}, {program.statements} statement{'s' if program.statements > 1 else ''}"


def one_of_each_kind(programs: Iterable[Program]) -> list[Program]:
    """Return the first program of each `kind`."""
    return list({kind(program): program for program in reversed([*programs])}.values())[::-1]


def cards(programs: Sequence[Program], text: str = "") -> Any:
    """Return HTML with each program's source, its description, and its trace on input `text` (else its first)."""
    look = '<td style="text-align:left;vertical-align:top;width:33%">'
    rows = []
    for program in programs:
        chosen = text if text in program.inputs else program.inputs[0]
        execution = program.execution(chosen)
        told = f"Problem: {program.problem}\n\n" if program.problem not in ("", program.name) else ""
        cells = {
            f"{program.domain}: source": program.source,
            "description": told + program.description,
            f"trace on {chosen}, which gives {execution.output}": "\n".join(execution.trace),
        }
        columns = (f"{look}<small>{html.escape(title)}</small>{code(body)}</td>" for title, body in cells.items())
        rows.append(f"<tr>{''.join(columns)}</tr>")
    return page(f'<table style="width:100%;table-layout:fixed">{"".join(rows)}</table>')


def kept_apart(experiment: Experiment) -> pd.DataFrame:
    """Count what must not be shared between the two groups, and with what base models may have seen."""
    by_group = {group.name: group.programs for group in groups(experiment)}
    names = [{p.name for p in by_group[group]} for group in (WITH_IO, WITHOUT_IO)]
    sources = [{normal_form(p) for p in by_group[group]} for group in (WITH_IO, WITHOUT_IO)]
    counts = {
        "w/ IO programs": len(names[0]),
        "w/o IO programs": len(names[1]),
        "names in both groups": len(set.intersection(*names)),
        "normalised sources in both groups": len(set.intersection(*sources)),
        "names that a base model may have seen": len(set.union(*names) & {*BASE_NAMES}),
        "normalised sources that a base model may have seen": sum(map(belongs_to_base, set.union(*sources))),
    }
    return pd.DataFrame(counts.items(), columns=["what", "count"])


def contamination(programs: Sequence[Program], seed: int = 0, base: int = 500) -> pd.DataFrame:
    """Count by `kind` the programs that a base model may have seen: by the rule, and among `base` of its own."""
    known = set(map(normal_form, base_programs(base, seed, "general", 0)))
    frame = pd.DataFrame(
        {
            "programs of": [kind(p) for p in programs],
            "programs": 1,
            "base models' by name or source": [base_may_have_seen(p) for p in programs],
            f"found among {base} base programs": [normal_form(p) in known for p in programs],
        }
    )
    return frame.groupby("programs of", sort=False).sum().reset_index()


# ------------------------------------------------------------------------------------------------ what guessing gives
def guesses(programs: Sequence[Program]) -> pd.DataFrame:
    """Return how often guessers are right who know the answer key but not the program, by `kind`, as shares, 0 to 1.

    Columns: programs of, programs, constant guess (of the three commonest answers the one that is right most often),
    best guess by input (the better of that and the commonest answer to each input), random string (grammars: letters
    of the grammar at random). What a model has to beat.
    """
    rows = []
    for name in dict.fromkeys(map(kind, programs)):
        chosen = [p for p in programs if kind(p) == name]
        asked = [(p, text) for p in chosen for text in p.inputs]
        answers: dict[str, Counter[str]] = {text: Counter() for _, text in asked}
        for p, text in asked:
            answers[text][p.execution(text).output] += 1
        commonest = sum(answers.values(), Counter()).most_common(3)
        shares = {o: sum(accepts(p, text, o) for p, text in asked) / len(asked) for o, _ in commonest}
        constant = max(shares, key=shares.__getitem__)
        told = {t: c.most_common(1)[0][0] if c.total() >= OFTEN else constant for t, c in answers.items()}
        best = sum(accepts(p, text, told[text]) for p, text in asked) / len(asked)
        rng, at_random = stream("random strings"), float("nan")
        if DOMAINS[chosen[0].domain].guess:
            at_random = sum(grammars.random_baseline(p, rng, RANDOM_STRINGS) for p in chosen) / len(chosen)
        rows.append((name, len(chosen), shares[constant], max(best, shares[constant]), at_random))
    return pd.DataFrame(rows, columns=["programs of", "programs", *_GUESSES, "random string"])


# -------------------------------------------------------------------------------------------------------- pictures
def guess_picture(table: pd.DataFrame) -> Figure:
    """Draw `guesses` as bars, a row for each kind of program, with the limit that no constant guess may reach."""
    share = "share of answers that a guess gets right"
    long = table.melt("programs of", [*_GUESSES, "random string"], "guesser", share)
    with style.theme():
        figure = style.Picture(figsize=(style.DOUBLE, 0.4 + 0.32 * len(table)), layout="constrained")
        axes, shades = figure.subplots(), [style.INK, style.FAINT, style.MUTED]
        sns.barplot(long, x=share, y="programs of", hue="guesser", palette=shades, ax=axes)
        axes.axvline(CHANCE_LIMIT, color=style.INK, linestyle=(0, (4, 3)), linewidth=0.8)
        axes.set(ylabel="")
        axes.grid(axis="y", visible=False)
    return figure


def outputs_picture(programs: Iterable[Program]) -> Figure:
    """Draw the share of each kind's commonest outputs: a domain with few different answers rewards guessing."""
    return _bars([(kind(p), [e.output for e in p.executions]) for p in programs], "share of all answers")


def parts_picture(programs: Iterable[Program]) -> Figure:
    """Draw what programs are made of: operators in arithmetic, techniques of algorithms, else kinds or families."""

    def parts(p: Program) -> list[str]:
        operators = re.findall(r"//|[+*%-]|abs|min|max", p.source) if DOMAINS[p.domain].in_words else []
        return operators or [p.family.split(":")[0]]

    return _bars([(kind(p), parts(p)) for p in programs], "share of all parts")


def _bars(parts: list[tuple[str, list[str]]], label: str) -> Figure:
    """Draw each kind's ten commonest parts, as shares of all its parts; kinds that are all alike are left out."""
    frame = pd.DataFrame(parts, columns=["programs of", "part"]).explode("part")
    each = frame.groupby("programs of", sort=False)["part"]
    shares = {name: part.value_counts(normalize=True) for name, part in each if part.nunique() > 1}
    with style.theme():
        rows = -(-len(shares) // 4)
        figure = style.Picture(figsize=(style.DOUBLE, 1.9 * rows), layout="constrained")
        grid = figure.subplots(rows, 4, squeeze=False, sharex=True).ravel()
        for axes, (name, found) in zip(grid, shares.items(), strict=False):
            sns.barplot(found.head(10), orient="h", color=style.MUTED, ax=axes)
            axes.set_title(f"{name}\n{len(found)} different".replace(", ", "\n", 1), fontsize=style.FONT)
            axes.set(xlabel=label, ylabel="")
            axes.tick_params(labelbottom=True)
            axes.grid(axis="y", visible=False)
        for axes in grid[len(shares) :]:
            axes.set_axis_off()
    return figure


def token_lengths(programs: Iterable[Program]) -> pd.DataFrame:
    """Return the tokens of each program's source, description, and trace on its first input: one row a text.

    Counted with the tokenizer that the tiny models share.
    """
    from tokenizers import Tokenizer

    count = Tokenizer.from_file(str(TINY_FOLDER / "tiny-m" / "tokenizer.json"))
    rows = []
    for p in programs:
        texts = {"source": p.source, "description": p.description, "trace": "\n".join(p.executions[0].trace)}
        rows += [(kind(p), p.name, n, len(count.encode(t, add_special_tokens=False).ids)) for n, t in texts.items()]
    return pd.DataFrame(rows, columns=["programs of", "program", "text", "tokens"])


def length_picture(lengths: pd.DataFrame) -> Figure:
    """Draw `token_lengths`: a panel a text, a box a kind of program, with whiskers over all but one in twenty."""
    kinds = lengths["programs of"].nunique()
    with style.theme():
        figure = style.Picture(figsize=(style.DOUBLE, 0.5 + 0.24 * kinds), layout="constrained")
        texts = lengths.groupby("text", sort=False)
        for axes, (text, here), letter in zip(figure.subplots(1, len(texts), sharey=True), texts, "abc", strict=True):
            look = {"color": style.FAINT, "linecolor": style.INK, "linewidth": 0.8, "width": 0.6}
            sns.boxplot(here, x="tokens", y="programs of", ax=axes, whis=(2.5, 97.5), showfliers=False, **look)
            axes.set(title=f"{letter}  {text.capitalize()}", ylabel="", xlim=(0, None))
            axes.grid(axis="y", visible=False)
    return figure
