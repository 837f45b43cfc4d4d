"""What the notebooks call, so that they hold no logic: set-up, presets, drawing, verdicts, looking at documents."""

from __future__ import annotations

import html
import itertools
from collections.abc import Sequence
from typing import Any

import pandas as pd

from pbb import paths
from pbb.cli import resolve_preset
from pbb.curricula import curriculum
from pbb.documents import Document
from pbb.experiment import Experiment
from pbb.figures.io import figure_module
from pbb.figures.tables import asked_by_name, final
from pbb.folders import environment_manifest, is_complete
from pbb.records import load_records
from pbb.statistics import contrast

__all__ = ["draw", "loss_tokens", "reference", "resolve_preset", "sample_documents", "setup", "show", "verdict"]


def setup() -> None:
    """Say what runs here: package versions and device. Cheap: nothing heavy is imported."""
    from pbb import __version__

    facts = environment_manifest(("torch", "transformers", "trl"))
    versions = ", ".join(f"{name} {version or 'not installed'}" for name, version in facts["packages"].items())
    print(f"pbb {__version__}, {facts['python']}, {versions}")


def reference(figure: str, preset: str) -> pd.DataFrame | None:
    """Return the committed reference records of `figure`, or None where there are none for `preset`."""
    folder = paths.reference(preset) / figure_module(figure).NAME
    return load_records(folder) if is_complete(folder) else None


def draw(figure: str, records: pd.DataFrame, *, variant: str = "this run") -> Any:
    """Return the figure of `records`, over the faint committed reference of the same preset where there is one.

    Smoke records are drawn with a stamp across the picture: they show that the code runs, and nothing else.
    """
    preset = str(records["preset"].iloc[0])
    # A reader's own changes are marked "custom"; they are read against the cpu preset's reference.
    behind = reference(figure, "cpu" if preset == "custom" else preset)
    return figure_module(figure).draw(records, behind, variant=variant, allow_smoke=preset == "smoke")


def show(records: pd.DataFrame, outcome: str | None = None, count: int = 8, **where: Any) -> pd.DataFrame:
    """Return a sample of questions and answers: `outcome` correct, wrong or unparsed; `where` filters columns."""
    rows = records
    for column, value in ({"outcome": outcome} if outcome else {}).items() | where.items():
        rows = rows[rows[column] == value]
    columns = ["curriculum", "group", "answer_mode", "prompt", "completion", "expected", "parsed", "outcome"]
    return rows[columns].sample(min(count, len(rows)), random_state=0).reset_index(drop=True)


def verdict(records: pd.DataFrame, above: str, below: str | Sequence[str], answer_mode: str = "cot") -> pd.DataFrame:
    """Return contrasts of w/o IO accuracy at the end of training: arm `above` minus each arm of `below`.

    The direction is fixed beforehand, the interval is a bootstrap clustered by program (and seed), p is one-sided.
    """
    rows = final(asked_by_name(records, [answer_mode]))
    rows_of = {arm: part for arm, part in rows.groupby("curriculum")}
    made = []
    for arm in [below] if isinstance(below, str) else below:
        if arm not in rows_of or above not in rows_of:
            made.append({"claim": f"{above} above {arm}", "verdict": "not run"})
            continue
        c = contrast(rows_of[above], rows_of[arm])
        word = "supported" if c.low > 0 else "contradicted" if c.high < 0 else "not supported"
        made.append(
            {
                "claim": f"{above} above {arm}",
                "difference": round(c.estimate, 3),
                "low": round(c.low, 3),
                "high": round(c.high, 3),
                "p": round(c.p, 5),
                "verdict": word,
            }
        )
    return pd.DataFrame(made)


def sample_documents(experiment: Experiment, count: int = 400) -> dict[str, Document]:
    """Return one document of each kind, from the first `count` of each stage, labelled by stage, group and kind."""
    found: dict[str, Document] = {}
    for stage in curriculum(experiment):
        for document in itertools.islice(stage.documents(), count):
            label = f"stage {stage.number}, {document.group}: {document.kind} {document.answer_mode}".strip()
            found.setdefault(label, document)
    return dict(sorted(found.items()))


def loss_tokens(documents: dict[str, Document], model: str) -> Any:
    """Return HTML that shows each document with the tokens that carry loss coloured, one box a token."""
    from IPython.display import HTML

    from pbb.finetuning import IGNORE, encode
    from pbb.models import load_tokenizer

    tokenizer = load_tokenizer(model)
    parts = []
    for label, document in documents.items():
        ((ids, labels),) = encode([document], tokenizer)
        tokens = []
        for token, target in zip(ids, labels, strict=True):
            text = html.escape(tokenizer.decode([token])).replace("\n", "⏎<br>").replace(" ", "&nbsp;")
            color = "#cfe8cf" if target != IGNORE else "#eeeeee"
            tokens.append(
                f'<span style="background:{color};color:#111;border-radius:3px;padding:1px 2px">{text}</span>'
            )
        shown = sum(target != IGNORE for target in labels)
        parts.append(
            f"<p><b>{html.escape(label)}</b>: {len(ids)} tokens, {shown} carry loss<br>"
            f'<span style="font-family:monospace;line-height:1.9">{" ".join(tokens)}</span></p>'
        )
    return HTML("".join(parts))
