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
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import PercentFormatter

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


# In the order in which they are listed.
ARMS: dict[str, Look] = {
    "in_context": Look("In context", INK, "*"),
    "homogeneous": Look("Homogeneous mixture", "#0072B2", "o"),
    "proactive": Look("Proactive-PBB", "#D55E00", "s"),
    "retroactive": Look("Retroactive-PBB (SFT)", "#009E73", "D"),
    "retroactive_grpo": Look("Retroactive-PBB (GRPO)", "#882255", "p"),
    "distillation": Look("Algorithm distillation", "#CC79A7", "P"),
    "pbb_and_distillation": Look("PBB and distillation", "#56B4E9", "X"),
    "skip_exposure": Look("Skip-exposure", "#6b9e8f", "d", False),
    "grpo_without_pbb": Look("GRPO without PBB", "#b3839a", "p", False),
    "no_demonstrations": Look("No demonstrations", "#a98bb0", "v", False),
    "stage_1_only": Look("Stage 1 only", "#c9895e", "^", False),
    "stage_2_only": Look("Stage 2 only", "#b8a32f", "<", False),
    "untuned": Look("Untuned", "#888888", "h", False),
    "random_generation": Look("Random generation", "#5f6f94", ">", False),
}
CONTROLS = (
    *("skip_exposure", "grpo_without_pbb", "no_demonstrations", "stage_1_only", "stage_2_only"),
    *("untuned", "random_generation"),
)
MODES: dict[str, Look] = {
    "cot": Look("CoT", "#0072B2", "o"),
    "recite": Look("Recite, then run", "#009E73", "D"),
    "direct": Look("Direct", "#D55E00", "s"),
    "recall": Look("Recall of the source", INK, "*"),
    "in_context_cot": Look("CoT, in context", "#0072B2", "o", False),
    "in_context_direct": Look("Direct, in context", "#D55E00", "s", False),
}
GROUPS: dict[str, Look] = {
    "w/ IO": Look("w/ IO", "#56B4E9", "o"),
    "w/o IO": Look("w/o IO", "#E69F00", "s"),
    "w/o IO parts": Look("w/o IO parts", "#009E73", "D"),
    "AD": Look("AD", "#CC79A7", "P"),
}
# Where an in-context mode stands beside the mode of the same form.
PLAIN_MODE = {"in_context_cot": "cot", "in_context_direct": "direct"}


@contextmanager
def theme() -> Iterator[None]:
    """Settings for drawing and for saving, undone at exit so that a reader's notebook keeps its own."""
    settings: dict[str, Any] = {
        "font.family": "DejaVu Sans",  # comes with matplotlib: the same letters, and bytes, on every machine
        "font.size": FONT,
        "axes.titlesize": FONT,
        "axes.labelsize": FONT,
        "xtick.labelsize": FONT - 0.5,
        "ytick.labelsize": FONT - 0.5,
        "legend.fontsize": FONT - 0.5,
        "axes.titleweight": "bold",
        "axes.titlelocation": "left",
        "axes.edgecolor": MUTED,
        "axes.linewidth": 0.6,
        "axes.labelcolor": INK,
        "text.color": INK,
        "xtick.color": INK,
        "ytick.color": INK,
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
    with sns.axes_style("whitegrid"), matplotlib.rc_context(settings):
        yield


def percent_axis(axes: Axes, which: str = "y", low: float = -0.02, high: float = 1.03) -> None:
    """A share from 0 to 1, written in per cent."""
    axis = axes.yaxis if which == "y" else axes.xaxis
    (axes.set_ylim if which == "y" else axes.set_xlim)(low, high)
    axis.set_major_formatter(PercentFormatter(1, decimals=0))
    (axes.set_yticks if which == "y" else axes.set_xticks)([0, 0.25, 0.5, 0.75, 1])


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
        0.05 / width,
        share,
        "\n".join(lines),
        fontsize=CAPTION_FONT,
        color="#444444",
        va="top",
        linespacing=1.3,
    )


def stamp_smoke(figure: Figure) -> None:
    """Across a picture that was drawn to test code."""
    figure.text(
        0.5,
        0.55,
        "SMOKE - not a result",
        fontsize=5.5 * figure.get_figwidth(),
        color="#c00000",
        alpha=0.55,
        rotation=20,
        ha="center",
        va="center",
        weight="bold",
        zorder=100,
    )
