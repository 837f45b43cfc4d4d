"""F01: the pipeline, drawn with real documents and a real answer."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Any, NamedTuple

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from pbb import arms
from pbb.analysis.tables import Cells, final, of, usable
from pbb.figures import style
from pbb.figures.base import Chart
from pbb.store import RecordsError

_ARMS = ("proactive", "homogeneous")  # the first of these that the records hold
_COLUMNS = ["role", "program", "group", "answer_mode", "input", "prompt", "completion", "expected", "outcome"]
_SIZE = 5.6  # points, of the monospaced text
_LINE = _SIZE * 1.35 / 72  # inches
_PAD = 0.07  # inches inside a box
_WIDTH = 1.95  # inches, of a column
_LEFT = (0.05, 2.27, 4.9)  # inches, where the columns begin: a plus fits between the first two, then an arrow


def _runs(completion: str, source: object) -> bool:
    """Whether a CoT answer ends on the line on which `source` ends; a description in words cannot be compared so."""
    if not isinstance(source, str):
        return False
    last = source.rstrip().rsplit("\n", 1)[-1].strip()
    return not last.startswith("return ") or last in completion


class Box(NamedTuple):
    title: str
    color: str
    asked: str = ""
    told: str = ""
    note: str = ""  # a last line, in a text face
    dashed: bool = False


class Overview(Chart):
    NAME, TITLE = "F01_overview", "Programming by Backprop, with real documents and a real answer"
    CLAIM = "A model that has learnt to run some programs by name also runs others, of which it saw the source alone."
    NEEDS, COLUMNS = f"a model trained by {' or '.join(_ARMS)}", _COLUMNS

    def select(self, records: pd.DataFrame) -> pd.DataFrame:
        """The rows of the one model that is shown: its CoT answers and its recalled sources at the end."""
        rows = final(of(records, {"curriculum": _ARMS}))
        mine = of(rows, {"answer_mode": ("cot", "recall")})
        mine = mine.assign(arm=mine["curriculum"].map(_ARMS.index))
        first = mine.sort_values(["arm", "statements", "model", "seed", "experiment"]).head(1)
        return mine[mine["experiment"].isin(first["experiment"])].drop(columns="arm")

    def parts(self, rows: pd.DataFrame) -> Iterator[pd.DataFrame]:
        """The four rows that are shown, by role: two documents of a w/ IO program, one of a w/o IO, the question.

        Chosen by a rule, not by taste: the first program in the alphabet with a correct CoT answer that runs its own
        source. (A wrong line can give the right number by luck, and would be no example of anything.)

        Raises:
            RecordsError: there is no such answer.
        """
        rows = rows.sort_values(["program", "held_out", "input"])
        roles = {}
        for group, run in (("w/ IO", "execution"), ("w/o IO", "question")):
            sources = of(rows, {"group": group, "answer_mode": "recall"})
            right = of(rows, {"group": group, "answer_mode": "cot", "outcome": "correct"})
            told = right["program"].map(sources.set_index("program")["expected"])
            right = right[[_runs(str(c), s) for c, s in zip(right["completion"], told, strict=True)]]
            if right.empty:
                raise RecordsError(
                    f"F01 needs a {group} program with a correct CoT answer and a recall row (its expected source); "
                    "these records hold none"
                )
            roles[f"{run}, {group}"] = right.iloc[0]
            roles[f"declarative, {group}"] = sources[sources["program"] == right["program"].iloc[0]].iloc[0]
        yield pd.DataFrame([row.to_dict() | {"role": role} for role, row in sorted(roles.items())])

    def values(self, rows: pd.DataFrame) -> Cells:
        """No headline value: F01 shows one answer."""
        return {}

    def words(self, drawn: pd.DataFrame, rows: pd.DataFrame) -> str:
        asked, first = of(rows, {"group": "w/o IO", "answer_mode": "cot"}), rows.iloc[0]
        right = int((asked["outcome"] == "correct").sum())
        return (
            "The words are real: sources of two programs, questions asked, and what the model answered "
            f"({first['model']}, {arms.ARMS[first['curriculum']].label}, seed {first['seed']}). "
            "Left and middle: the forms of training document; the execution shown is the model's answer to a "
            "question of that form. Right: a question about the w/o IO program, whose source is not in the prompt. "
            f"Shown is the first program in the alphabet whose own steps led to a correct answer; of all {len(asked):,}"
            f" such questions {right:,} ({right / len(asked):.0%}) were answered correctly."
        )

    def panels(self, figure: style.Picture, front: pd.DataFrame, behind: pd.DataFrame) -> float:
        """Columns of boxes, on axes that measure inches."""
        columns = _columns(front.set_index("role"))
        heights = [sum(_height(box) + 0.12 for box in boxes) for boxes in columns.values()]
        high = max(heights) + 0.32
        axes = figure.add_axes((0, 0, 1, 1), xlim=(0, style.DOUBLE), ylim=(0, high))
        axes.axis("off")
        for left, (title, boxes), height in zip(_LEFT, columns.items(), heights, strict=True):
            _column(axes, left, high, title, boxes, high - 0.32 - height)
        return high + 0.05

    def draw(
        self,
        records: pd.DataFrame,
        reference: pd.DataFrame | None = None,
        *,
        variant: str = "this run",
        allow_smoke: bool = False,
    ) -> Figure:
        """The figure. It shows one answer, so a `reference` has nothing to be drawn behind and is not used."""
        if reference is not None:
            usable(reference, allow_smoke=allow_smoke)
        figure = super().draw(records, allow_smoke=allow_smoke)
        (axes,) = figure.axes
        high = axes.get_ylim()[1]
        share = high / figure.get_figheight()
        figure.set_layout_engine("none")
        axes.set_position((0, 1 - share, 1, share))
        with style.theme():
            _between(axes, (high - 0.32) / 2 + 0.04, str(self.select(records)["model"].iloc[0]))
        return figure


def _columns(shown: pd.DataFrame) -> dict[str, list[Box]]:
    seen, unseen = style.GROUPS["w/ IO"].color, style.GROUPS["w/o IO"].color

    def box(title: str, role: str, text: str, color: str, note: str = "") -> Box:
        return Box(title, color, shown.loc[role, "prompt"], shown.loc[role, text], note)

    returns = f"The real program returns {shown.loc['question, w/o IO', 'expected']}."
    return {
        "w/ IO: source and executions": [
            box("Declarative document", "declarative, w/ IO", "expected", seen),
            box("Execution document", "execution, w/ IO", "completion", seen),
        ],
        "w/o IO: source alone": [
            box("Declarative document", "declarative, w/o IO", "expected", unseen),
            Box("Execution documents", unseen, note="none: it is never run in training", dashed=True),
        ],
        "Asked by its name": [
            box("Question, and the model's answer", "question, w/o IO", "completion", style.INK, returns)
        ],
    }


def _between(axes: Axes, middle: float, model: str) -> None:
    """A plus between the first two columns, and an arrow that names the model before the last."""
    plus: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": 14, "color": style.MUTED}
    axes.text((_LEFT[0] + _WIDTH + _LEFT[1]) / 2, middle, "+", **plus)
    ends = _LEFT[1] + _WIDTH + 0.06, _LEFT[2] - 0.06
    look: dict[str, Any] = {"color": style.INK, "linewidth": 1.4, "shrinkA": 0, "shrinkB": 0}
    look |= {"arrowstyle": "-|>", "mutation_scale": 11}
    axes.add_patch(FancyArrowPatch((ends[0], middle), (ends[1], middle), **look))
    named = model if len(model) < 10 else "-\n".join(model.rsplit("-", 1))  # the arrow is that long
    for word, offset, va in (("finetune", 0.06, "bottom"), (named, -0.07, "top")):
        axes.text(sum(ends) / 2, middle + offset, word, ha="center", va=va, fontsize=style.FONT - 1)


def _column(axes: Axes, left: float, top: float, title: str, boxes: list[Box], spare: float) -> None:
    """Boxes from the top down under their title; `spare` inches are left over and shared above them."""
    axes.text(left, top - 0.13, title, weight="bold", fontsize=style.FONT, va="center")
    y = top - 0.28 - spare / 2
    for box in boxes:
        height = _height(box)
        look: dict[str, Any] = {"edgecolor": box.color, "linewidth": 1.1, "boxstyle": "round,pad=0,rounding_size=0.05"}
        look |= {"facecolor": "white", "linestyle": (0, (3, 2))} if box.dashed else {"facecolor": "#fafafa"}
        axes.add_patch(FancyBboxPatch((left, y - height), _WIDTH, height, **look))
        line = y - _PAD - 0.5 * _LINE
        for text, kind, space in _lines(box):
            axes.text(left + _PAD, line, text, va="center", **kind)
            line -= _LINE * space
        y -= height + 0.12


def _height(box: Box) -> float:
    return 2 * _PAD + _LINE * (sum(space for *_, space in _lines(box)) - 0.1)


def _lines(box: Box) -> list[tuple[str, dict[str, Any], float]]:
    """Title, question, answer (monospaced) and note, broken to the box's width, with a look and a height in lines.

    There is a little air after the last line of each.
    """
    # 0.602 em a letter by design; drawn at 200 dots an inch, each is rounded up to ten whole dots, 0.645 em.
    letters = int((_WIDTH - 2 * _PAD) * 72 / (_SIZE * 0.645))
    asked = [piece for line in box.asked.splitlines() for piece in textwrap.wrap(line, letters)]
    told = []
    for line in box.told.splitlines():
        indent = " " * (len(line) - len(line.lstrip()) + 4)
        # Traces break before " = " where they can, so that each line holds whole steps.
        parts = line.replace(" = ", "\u00a0=\u00a0").replace(" ", "\u00a0").replace("\u00a0=\u00a0", " =\u00a0")
        parts = parts if len(line) > letters else line.replace(" ", "\u00a0")
        told += textwrap.wrap(parts, letters, subsequent_indent=indent) or [""]
    plain: dict[str, Any] = {"fontsize": _SIZE + 0.4, "color": style.INK}
    muted, code = plain | {"color": style.MUTED}, plain | {"fontsize": _SIZE, "family": style.MONO}
    texts = [(box.title, muted), *((text, plain | {"style": "italic"}) for text in asked)]
    texts += [(text.replace("\u00a0", " "), code) for text in told] + [(box.note, muted)] * bool(box.note)
    airy = {0, len(asked), len(asked) + len(told)} - {len(texts) - 1}
    return [(text, kind, 1.25 if place in airy else 1) for place, (text, kind) in enumerate(texts)]
