"""Views of programs: their three texts, the proofs that these agree and stay apart, and what guessing would give."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from pbb.curricula import groups
from pbb.documents import WITH_IO, WITHOUT_IO
from pbb.experiment import Experiment
from pbb.figures import style
from pbb.model_files import TINY_FOLDER
from pbb.programs import Program, generate, normalised
from pbb.programs.interpreter import interpret
from pbb.programs.names import BASE_NAMES
from pbb.programs.program import belongs_to_base
from pbb.statistics import chance
from pbb.views.page import code, page

_BASE_NAMES = frozenset(BASE_NAMES)


def of_each_length(experiment: Experiment, count: int = 100, longest: int = 3) -> list[Program]:
    """Return `count` programs for each number of statements up to `longest`, otherwise like `experiment`'s own."""
    programs: list[Program] = []
    for statements in range(1, longest + 1):
        control = experiment.control if statements > 1 else ()
        settings = experiment.changed(statements=statements, control=control).program_settings()
        programs += generate(settings, count, experiment.seed, "of each length", statements)
    return programs


def program_cards(programs: Sequence[Program], text: str = "") -> Any:
    """Return HTML with each program's source, its description, and its trace on input `text` (its first when empty)."""
    rows = []
    for program in programs:
        chosen = text if text in program.inputs else program.inputs[0]
        execution = program.execution(chosen)
        cells = [
            ("source", program.source),
            ("description", program.description),
            (f"trace on {chosen}, which returns {execution.output}", "\n".join(execution.trace)),
        ]
        columns = "".join(
            f'<td style="text-align:left;vertical-align:top;width:33%"><small>{html.escape(title)}</small>'
            f"{code(body)}</td>"
            for title, body in cells
        )
        rows.append(f"<tr>{columns}</tr>")
    return page(f'<table style="width:100%;table-layout:fixed">{"".join(rows)}</table>')


def read_back(programs: Iterable[Program]) -> pd.DataFrame:
    """Read every description back with the independent interpreter and compare outputs with the executed source.

    Returns a row for each number of statements: statements, programs, inputs (compared), disagreements.
    """
    rows = [
        (
            program.statements,
            len(program.inputs),
            sum(
                str(interpret(program.description, *map(int, text.split(", ")))) != program.execution(text).output
                for text in program.inputs
            ),
        )
        for program in programs
    ]
    frame = pd.DataFrame(rows, columns=["statements", "inputs", "disagreements"])
    found = frame.groupby("statements").agg(
        programs=("inputs", "size"), inputs=("inputs", "sum"), disagreements=("disagreements", "sum")
    )
    return found.reset_index()


def kept_apart(experiment: Experiment) -> pd.DataFrame:
    """Count what must not be shared between the two groups, and with what base models may have seen."""
    names, sources = {}, {}
    for group in groups(experiment):
        names[group.name] = {p.name for p in group.programs}
        sources[group.name] = {normalised(p.source) for p in group.programs}
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


def _outputs(programs: Iterable[Program]) -> pd.DataFrame:
    rows = [
        (p.statements, p.name, text, execution.output)
        for p in programs
        for text, execution in zip(p.inputs, p.executions, strict=True)
    ]
    return pd.DataFrame(rows, columns=["statements", "program", "input", "expected"])


def guesses(programs: Iterable[Program]) -> pd.DataFrame:
    """Return how often guessers are right who know the answer key but not the program, by number of statements.

    Columns: statements, programs, constant (the one commonest answer), best (the better of that and the commonest
    answer to each input): what a model has to beat. Shares, 0 to 1.
    """
    rows = []
    for statements, frame in _outputs(programs).assign(seed=0).groupby("statements"):
        constant = frame["expected"].value_counts(normalize=True).iloc[0]
        rows.append((statements, frame["program"].nunique(), constant, chance(frame)))
    return pd.DataFrame(rows, columns=["statements", "programs", "constant guess", "best guess by input"])


def answer_map(programs: Iterable[Program], largest: int = 9) -> Figure:
    """Draw how often each output (0 to `largest`) is the answer to each input, and the outputs' overall shares."""
    frame = _outputs(programs)
    frame = frame[frame["expected"].isin([str(n) for n in range(largest + 1)])]
    counts = pd.crosstab(frame["input"], frame["expected"], normalize="index")
    order = sorted(counts.index, key=lambda text: [int(part) for part in text.split(", ")])[:20]
    counts = counts.loc[order, sorted(counts.columns, key=int)]
    with style.theme():
        figure = style.Picture(figsize=(style.DOUBLE, 2.5), layout="constrained")
        left, right = figure.subplots(1, 2, width_ratios=(1.25, 1))
        shade = sns.light_palette(style.INK, as_cmap=True)  # no arm's colour: nothing was trained here
        sns.heatmap(counts, ax=left, cmap=shade, vmin=0, cbar_kws={"label": "share of programs"})
        left.set(title="a  Answers, by input", xlabel="output", ylabel="input")
        left.tick_params(axis="y", rotation=0)
        overall = frame["expected"].value_counts(normalize=True)
        overall = overall.loc[sorted(overall.index, key=int)]
        right.bar(overall.index, overall, color=style.MUTED)
        right.axhline(overall.max(), color=style.INK, linestyle=(0, (4, 3)), linewidth=0.8)
        right.text(0.02, overall.max(), "constant guess", va="bottom", transform=right.get_yaxis_transform())
        right.set(title="b  Answers, overall", xlabel="output", ylabel="share", ylim=(0, 1.2 * overall.max()))
        right.grid(axis="x", visible=False)
    return figure


def token_lengths(programs: Iterable[Program]) -> pd.DataFrame:
    """Return the tokens of each program's source, description, and trace on its first input: one row a text.

    Counted with the tokenizer that the tiny models share.
    """
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(TINY_FOLDER / "tiny-m" / "tokenizer.json"))
    rows = [
        (p.statements, p.name, kind, len(tokenizer.encode(text, add_special_tokens=False).ids))
        for p in programs
        for kind, text in (
            ("source", p.source),
            ("description", p.description),
            ("trace", "\n".join(p.executions[0].trace)),
        )
    ]
    return pd.DataFrame(rows, columns=["statements", "program", "text", "tokens"])


def length_picture(lengths: pd.DataFrame) -> Figure:
    """Draw the distribution of `token_lengths` by number of statements, a panel for each kind of text."""
    kinds = list(dict.fromkeys(lengths["text"]))
    with style.theme():
        figure = style.Picture(figsize=(style.DOUBLE, 2.1), layout="constrained")
        by_length = list(lengths.groupby("statements"))
        shades = sns.blend_palette([style.FAINT, style.INK], len(by_length) + 1)[1:]
        for axes, kind, letter in zip(figure.subplots(1, len(kinds), sharey=True), kinds, "abc", strict=False):
            for (statements, part), shade in zip(by_length, shades, strict=True):
                tokens = part.loc[part["text"] == kind, "tokens"]
                label = f"{statements} statement{'s' if statements != 1 else ''}"
                bins = range(0, lengths["tokens"].max() + 3, 2)
                each = [1 / len(tokens)] * len(tokens)
                axes.hist(tokens, bins=bins, weights=each, color=shade, alpha=0.75, label=label, histtype="stepfilled")
            axes.set(title=f"{letter}  {kind.capitalize()}", xlabel="tokens", xlim=(0, None))
            axes.set_ylabel("share of programs" if letter == "a" else "")
        axes.legend()
    return figure
