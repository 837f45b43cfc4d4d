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
from pbb.experiments.curricula import groups
from pbb.experiments.documents import WITH_IO, WITHOUT_IO
from pbb.experiments.experiment import Experiment
from pbb.figures import style
from pbb.notebook.views.page import code, page
from pbb.programs import DOMAINS, Arithmetic, Program, generate, grammars
from pbb.programs.domains import accepts, base_may_have_seen, normal_form
from pbb.programs.names import BASE_NAMES
from pbb.programs.program import belongs_to_base
from pbb.registry import TINY_FOLDER
from pbb.streams import stream

_BASE_NAMES = frozenset(BASE_NAMES)
CHANCE_LIMIT = 0.17  # what no constant guess may reach with a domain's default knobs
OFTEN = 20  # programs that an input must be asked of before a guess at its commonest answer is no hindsight
RANDOM_STRINGS = 100  # drawn for each grammar


def of_each_domain(experiment: Experiment, count: int = 100, longest: int = 3) -> list[Program]:
    """Return `count` programs of each domain with its default knobs, arithmetic for each length up to `longest`."""
    kinds: list[Any] = [Arithmetic(statements=n) for n in range(1, longest + 1)]
    kinds += [d.settings() for name, d in DOMAINS.items() if d.settings and name != "arithmetic"]
    return [p for i, knobs in enumerate(kinds) for p in generate(knobs, count, experiment.seed, "of each domain", i)]


def kind(program: Program) -> str:
    """Return which row or panel a program belongs to: its domain, in arithmetic with the number of statements."""
    if program.domain != "arithmetic":
        return program.domain
    return f"arithmetic, {program.statements} statement{'s' if program.statements > 1 else ''}"


def one_of_each_kind(programs: Iterable[Program]) -> list[Program]:
    """Return the first program of each `kind`."""
    first: dict[str, Program] = {}
    for program in programs:
        first.setdefault(kind(program), program)
    return list(first.values())


def program_cards(programs: Sequence[Program], text: str = "") -> Any:
    """Return HTML with each program's source, its description, and its trace on input `text` (its first when empty)."""
    rows = []
    for program in programs:
        chosen = text if text in program.inputs else program.inputs[0]
        execution = program.execution(chosen)
        told = f"Problem: {program.problem}\n\n" if program.problem not in ("", program.name) else ""
        cells = [
            (f"{program.domain}: source", program.source),
            ("description", told + program.description),
            (f"trace on {chosen}, which gives {execution.output}", "\n".join(execution.trace)),
        ]
        columns = "".join(
            f'<td style="text-align:left;vertical-align:top;width:33%"><small>{html.escape(title)}</small>'
            f"{code(body)}</td>"
            for title, body in cells
        )
        rows.append(f"<tr>{columns}</tr>")
    return page(f'<table style="width:100%;table-layout:fixed">{"".join(rows)}</table>')


def kept_apart(experiment: Experiment) -> pd.DataFrame:
    """Count what must not be shared between the two groups, and with what base models may have seen."""
    names, sources = {}, {}
    for group in groups(experiment):
        names[group.name] = {p.name for p in group.programs}
        sources[group.name] = set(map(normal_form, group.programs))
    every_name, every_source = set().union(*names.values()), set().union(*sources.values())
    counts = [
        ("w/ IO programs", len(names[WITH_IO])),
        ("w/o IO programs", len(names[WITHOUT_IO])),
        ("names in both groups", len(names[WITH_IO] & names[WITHOUT_IO])),
        ("normalised sources in both groups", len(sources[WITH_IO] & sources[WITHOUT_IO])),
        ("names that a base model may have seen", len(every_name & _BASE_NAMES)),
        ("normalised sources that a base model may have seen", sum(map(belongs_to_base, every_source))),
    ]
    return pd.DataFrame(counts, columns=["what", "count"])


def contamination(programs: Iterable[Program], seed: int = 0, base: int = 500) -> pd.DataFrame:
    """Count programs of experiments that a base model may have seen, by the rule and in a sample of its own programs.

    Returns a row for each `kind`: programs of, programs, base models' by name or source (the rule), and how many are
    among `base` programs drawn for base models.
    """
    known = set(map(normal_form, base_programs(base, seed, "general", 0)))
    rows = [(kind(p), base_may_have_seen(p), normal_form(p) in known) for p in programs]
    columns = ["programs of", "base models' by name or source", f"found among {base} base programs"]
    frame = pd.DataFrame(rows, columns=columns).groupby("programs of", sort=False)
    return pd.concat([frame.size().rename("programs"), frame.sum()], axis=1).reset_index()


# ------------------------------------------------------------------------------------------------ what guessing gives
def guesses(programs: Iterable[Program]) -> pd.DataFrame:
    """Return how often guessers are right who know the answer key but not the program, by `kind`.

    Columns: programs of, programs, constant guess (of the three commonest answers the one that is right most often),
    best guess by input (the better of that and the commonest answer to each input), random string (grammars: letters
    of the grammar at random). What a model has to beat. Shares, 0 to 1.
    """
    by_kind: dict[str, list[Program]] = {}
    for program in programs:
        by_kind.setdefault(kind(program), []).append(program)
    rows = []
    for name, chosen in by_kind.items():
        asked = [(p, text) for p in chosen for text in p.inputs]
        answers: dict[str, Counter[str]] = {"": Counter()}
        for p, text in asked:
            answers.setdefault(text, Counter()).update([p.execution(text).output])
            answers[""].update([p.execution(text).output])
        shares = {o: sum(accepts(p, text, o) for p, text in asked) / len(asked) for o, _ in answers[""].most_common(3)}
        constant = max(shares, key=lambda output: shares[output])
        told = {t: c.most_common(1)[0][0] if c.total() >= OFTEN else constant for t, c in answers.items()}
        best = sum(accepts(p, text, told[text]) for p, text in asked) / len(asked)
        random_string = float("nan")
        if chosen[0].domain == "grammars":
            rng = stream("random strings")
            random_string = sum(grammars.random_baseline(p, rng, RANDOM_STRINGS) for p in chosen) / len(chosen)
        rows.append((name, len(chosen), shares[constant], max(best, shares[constant]), random_string))
    columns = ["programs of", "programs", "constant guess", "best guess by input", "random string"]
    return pd.DataFrame(rows, columns=columns)


def guess_picture(table: pd.DataFrame) -> Figure:
    """Draw `guesses` as bars, a row for each kind of program, with the limit that no constant guess may reach."""
    with style.theme():
        figure = style.Picture(figsize=(style.DOUBLE, 0.4 + 0.28 * len(table)), layout="constrained")
        axes = figure.subplots()
        places = range(len(table))
        shades = {"best guess by input": style.FAINT, "constant guess": style.INK, "random string": style.MUTED}
        for name, shade in shades.items():
            height = 0.75 if shade == style.FAINT else 0.35
            axes.barh(places, table[name].fillna(0), height=height, color=shade, label=name)
        axes.axvline(CHANCE_LIMIT, color=style.INK, linestyle=(0, (4, 3)), linewidth=0.8)
        axes.set_yticks(places, table["programs of"])
        axes.invert_yaxis()
        axes.set(xlabel="share of answers that a guess gets right", xlim=(0, None))
        axes.grid(axis="y", visible=False)
        axes.legend(loc="lower right")
    return figure


# ------------------------------------------------------------------------------------------------------- statistics
def outputs_picture(programs: Iterable[Program], commonest: int = 10) -> Figure:
    """Draw the share of each kind's `commonest` outputs: a domain with few different answers rewards guessing."""
    counts: dict[str, Counter[str]] = {}
    for program in programs:
        counts.setdefault(kind(program), Counter()).update(e.output for e in program.executions)
    panels = {}
    for name, outputs in counts.items():
        shares = {output: number / outputs.total() for output, number in outputs.most_common(commonest)}
        panels[f"{name}\n{len(outputs)} different"] = shares
    return _bars(panels, "share of all answers")


def parts_picture(programs: Iterable[Program], commonest: int = 10) -> Figure:
    """Draw what programs are made of, as shares of each kind's programs; kinds that are all alike are left out.

    Operators in arithmetic, techniques of algorithms, kinds of cipher, and otherwise families.
    """
    counts: dict[str, Counter[str]] = {}
    total = Counter[str]()
    for program in programs:
        counts.setdefault(kind(program), Counter()).update(_made_of(program))
        total[kind(program)] += 1
    panels = {
        name: {part: number / total[name] for part, number in found.most_common(commonest)}
        for name, found in counts.items()
        if len(found) > 1
    }
    return _bars(panels, "share of programs")


def _made_of(program: Program) -> set[str]:
    if program.domain == "arithmetic":
        return set(re.findall(r"//|[+*%-]|abs|min|max", program.source))
    return {program.family.split(":")[0]}


def _bars(panels: dict[str, dict[str, float]], label: str) -> Figure:
    with style.theme():
        columns = 4
        rows = -(-len(panels) // columns)
        figure = style.Picture(figsize=(style.DOUBLE, 1.9 * rows), layout="constrained")
        grid = figure.subplots(rows, columns, squeeze=False, sharex=True).ravel()
        for axes, (title, shares) in zip(grid, panels.items(), strict=False):
            axes.barh(list(shares), list(shares.values()), color=style.MUTED)
            axes.invert_yaxis()
            axes.set_title(title.replace(", ", "\n", 1), fontsize=style.FONT)
            axes.set_xlabel(label)
            axes.tick_params(labelbottom=True)
            axes.grid(axis="y", visible=False)
        for axes in grid[len(panels) :]:
            axes.set_axis_off()
    return figure


def token_lengths(programs: Iterable[Program]) -> pd.DataFrame:
    """Return the tokens of each program's source, description, and trace on its first input: one row a text.

    Counted with the tokenizer that the tiny models share.
    """
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(TINY_FOLDER / "tiny-m" / "tokenizer.json"))
    rows = [
        (kind(p), p.name, text, len(tokenizer.encode(body, add_special_tokens=False).ids))
        for p in programs
        for text, body in (
            ("source", p.source),
            ("description", p.description),
            ("trace", "\n".join(p.executions[0].trace)),
        )
    ]
    return pd.DataFrame(rows, columns=["programs of", "program", "text", "tokens"])


def length_picture(lengths: pd.DataFrame) -> Figure:
    """Draw the distribution of `token_lengths`: a panel for each kind of text, a box for each kind of program.

    Boxes hold the middle half of the programs, whiskers all but one in twenty.
    """
    texts, kinds = lengths["text"].unique(), lengths["programs of"].unique()
    with style.theme():
        figure = style.Picture(figsize=(style.DOUBLE, 0.5 + 0.24 * len(kinds)), layout="constrained")
        for axes, text, letter in zip(figure.subplots(1, len(texts), sharey=True), texts, "abc", strict=True):
            here = lengths[lengths["text"] == text]
            look = {"color": style.FAINT, "linecolor": style.INK, "linewidth": 0.8, "width": 0.6}
            sns.boxplot(here, x="tokens", y="programs of", ax=axes, whis=(2.5, 97.5), showfliers=False, **look)
            axes.set(title=f"{letter}  {text.capitalize()}", ylabel="", xlim=(0, None))
            axes.grid(axis="y", visible=False)
    return figure
