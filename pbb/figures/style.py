"""How every figure looks: one size, one palette, one name for each thing, whatever the figure.

Colours are Okabe and Ito's, which colour-blind readers can tell apart; arms and modes also differ by marker.
Arms that see the w/o IO source beside demonstrations are saturated and filled; controls are muted and hollow.
"""

from __future__ import annotations

import io
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import matplotlib
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, PercentFormatter

from pbb import arms
from pbb.analysis import labels

COLUMN, DOUBLE = 3.3, 6.9  # inches: one column of a paper, and two
FONT = 7.5  # points
CAPTION_FONT = 6.5
INK, MUTED, FAINT = "#222222", "#777777", "#d8d8d8"
MONO = "DejaVu Sans Mono"
REFERENCE_ALPHA = 0.3


class Picture(Figure):
    """A figure that a notebook shows as an image. It never touches pyplot, so no window and no backend."""

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        with theme():
            self.savefig(buffer, format="png", dpi=200)
        return buffer.getvalue()


class Look(NamedTuple):
    label: str
    color: str
    marker: str
    filled: bool = True


_ARMS: dict[str, tuple[str, str]] = {
    "in_context": (INK, "*"),
    "homogeneous": ("#0072B2", "o"),
    "proactive": ("#D55E00", "s"),
    "retroactive": ("#009E73", "D"),
    "retroactive_grpo": ("#882255", "p"),
    "distillation": ("#CC79A7", "P"),
    "distillation_values": ("#44AA99", "p"),
    "distillation_traces": ("#8B6D5C", "X"),
    "distillation_after_stage_1": ("#332288", "d"),
    "pbb_and_distillation": ("#56B4E9", "X"),
    "skip_exposure": ("#6b9e8f", "d"),
    "grpo_without_pbb": ("#b3839a", "p"),
    "no_demonstrations": ("#a98bb0", "v"),
    "stage_1_only": ("#c9895e", "^"),
    "stage_2_only": ("#b8a32f", "<"),
    "untuned": ("#888888", "h"),
    "random_generation": ("#5f6f94", ">"),
}
ARMS = {name: Look(arm.label, *_ARMS[name], not arm.control) for name, arm in arms.ARMS.items()}
_MODES = {"cot": ("#0072B2", "o"), "recite": ("#009E73", "D"), "direct": ("#D55E00", "s"), "recall": (INK, "*")}
MODES = {
    mode: Look(label, *_MODES[labels.PLAIN_MODE.get(mode, mode)], mode in _MODES)
    for mode, label in labels.MODES.items()
}
GROUPS: dict[str, Look] = {
    "w/ IO": Look("w/ IO", "#56B4E9", "o"),
    "w/o IO": Look("w/o IO", "#E69F00", "s"),
    "w/o IO parts": Look("w/o IO parts", "#009E73", "D"),
    "AD": Look("AD", "#CC79A7", "P"),
}
DASHED, WIDELY = (0, (4, 2)), (0, (4, 3))


@contextmanager
def theme() -> Iterator[None]:
    """Settings for drawing and for saving, undone at exit so that a reader's notebook keeps its own."""
    settings: dict[str, Any] = {
        "font.family": "DejaVu Sans",  # comes with matplotlib: the same letters, and bytes, on every machine
        **dict.fromkeys(["font.size", "axes.titlesize", "axes.labelsize"], FONT),
        **dict.fromkeys(["xtick.labelsize", "ytick.labelsize", "legend.fontsize"], FONT - 0.5),
        **dict.fromkeys(["text.color", "axes.labelcolor", "xtick.color", "ytick.color"], INK),
        "axes.titleweight": "bold",
        "axes.titlelocation": "left",
        "axes.edgecolor": MUTED,
        "axes.linewidth": 0.6,
        "grid.color": "#ececec",
        "grid.linewidth": 0.6,
        "lines.linewidth": 1.3,
        "lines.markersize": 3.8,
        "legend.frameon": False,
        "figure.dpi": 150,
        "savefig.dpi": 200,
        "pdf.fonttype": 42,
        "path.simplify": False,
    }
    with matplotlib.rc_context():
        matplotlib.rcdefaults()  # whatever the user's own matplotlibrc says
        with sns.axes_style("whitegrid"), matplotlib.rc_context(settings):
            yield


def percent_axis(axes: Axes, which: str = "y", low: float = -0.02, high: float = 1.03) -> None:
    """A share from 0 to 1, written in per cent."""
    axis = axes.yaxis if which == "y" else axes.xaxis
    (axes.set_ylim if which == "y" else axes.set_xlim)(low, high)
    axis.set_major_formatter(PercentFormatter(1, decimals=0))
    (axes.set_yticks if which == "y" else axes.set_xticks)([0, 0.25, 0.5, 0.75, 1])


def points_axis(axes: Axes) -> None:
    """A difference of two shares, written in points of a hundred, around a line at none."""
    axes.axhline(0, color=MUTED, linewidth=0.9, zorder=1)
    low, high = axes.get_ylim()
    axes.set_ylim(min(low, -0.1), max(high, 0.1))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{share * 100:+.0f}" if share else "0"))
    axes.set_ylabel("points")


def marked(look: Look, faint: bool = False) -> dict[str, Any]:
    """Keyword arguments for a line of this look; `faint` for the committed reference behind a variant."""
    return {
        "color": look.color,
        "marker": look.marker,
        "markerfacecolor": look.color if look.filled else "white",
        "markeredgecolor": look.color,
        "markeredgewidth": 0.9,
        "markersize": 5.4 if look.marker == "*" else 3.4 if look.marker in "DdPX" else 3.8,
        "alpha": REFERENCE_ALPHA if faint else 1.0,
        "zorder": 2 if faint else 3 + look.filled,
    }


def series(
    axes: Axes, x: Any, rows: pd.DataFrame, look: Look, faint: bool, dashes: Any = "-", bars: float = 0.9, **kind: Any
) -> None:
    """Estimates at `x`, joined by `dashes` unless "none", each with its interval; `kind` changes the markers.

    Intervals lie below all markers, but with ``over=True`` right below those of this line.
    """
    if not len(rows):
        return
    over = kind.pop("over", False)
    kind = marked(look, faint) | kind
    axes.plot(x, rows["estimate"], linestyle=dashes, **kind)
    zorder = kind["zorder"] if over else 2
    axes.vlines(x, rows["low"], rows["high"], color=look.color, linewidth=bars, alpha=kind["alpha"], zorder=zorder)


Entry = tuple[Any, str]  # of a legend: handle and label


def entry(look: Look, dashes: Any = "-", **kind: Any) -> Entry:
    """A legend's entry for a line of this look."""
    return Line2D([], [], linestyle=dashes, **marked(look) | kind), look.label


def stroke(label: str, dashes: Any = "-", color: str = MUTED, linewidth: float = 0.9, **kind: Any) -> Entry:
    """A legend's entry for a line without markers."""
    return Line2D([], [], color=color, linestyle=dashes, linewidth=linewidth, **kind), label


class RoundedLayout(ConstrainedLayoutEngine):
    """Constrained layout whose places are rounded, so that equal records give equal bytes.

    Its solver goes through its variables in the order of their addresses: the last digits of a place differ from one
    process to the next, and where a coordinate lies just between two numbers of a PDF, so does what is written.
    """

    def execute(self, fig: Figure) -> Any:
        """Lay out `fig`, and round the places of its axes to ten-millionths of its size."""
        margins = super().execute(fig)
        for axes in fig.axes:
            axes.set_position(np.round(axes.get_position(original=True).bounds, 7))
            axes.set_in_layout(True)  # `set_position` takes axes out of it, and a figure is drawn more than once
        return margins


def with_caption(figure: Figure, caption: str, panels: float) -> None:
    """Write `caption` under a figure whose panels are `panels` inches high, and make room for it."""
    width = figure.get_figwidth()
    lines = textwrap.wrap(caption, int((width - 0.1) * 72 / (CAPTION_FONT * 0.51)))
    room = (len(lines) * CAPTION_FONT * 1.3 + 5) / 72  # inches
    figure.set_figheight(panels + room)
    share = room / (panels + room)
    figure.set_layout_engine(RoundedLayout(rect=(0, share, 1, 1 - share), w_pad=0.03, h_pad=0.03))
    figure.text(
        0.05 / width, share, "\n".join(lines), fontsize=CAPTION_FONT, color="#444444", va="top", linespacing=1.3
    )


def stamp_smoke(figure: Figure) -> None:
    """Across a picture that was drawn to test code."""
    look: dict[str, Any] = {"color": "#c00000", "alpha": 0.55, "weight": "bold", "rotation": 20, "zorder": 100}
    size = 5.5 * figure.get_figwidth()
    figure.text(0.5, 0.55, "SMOKE - not a result", fontsize=size, ha="center", va="center", **look)
