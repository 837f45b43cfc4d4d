"""What every view is made of: a table that keeps its line breaks, HTML, and a block of code."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd

from pbb.figures import style

_TEXT = {"white-space": "pre-wrap", "text-align": "left", "vertical-align": "top"}


def table(frame: pd.DataFrame, caption: str = "") -> Any:
    """Return `frame` as a table whose texts keep their line breaks and are never cut, with a caption under it."""
    shown = frame.style.hide(axis="index").set_properties(**_TEXT).format(escape="html", precision=3, na_rep="-")
    below = "caption-side:bottom;text-align:left;max-width:60em;padding-top:6px"
    return shown.set_caption(html.escape(caption)).set_table_styles(
        [{"selector": "caption", "props": below}, {"selector": "th", "props": "text-align:left"}]
    )


def below(menus: Sequence[Any], first: Any, asked: Callable[[], Any]) -> None:
    """Display `first` below `menus`, which are ipywidgets; what `asked` returns takes its place when one is changed.

    They need a running kernel; `first` is text and HTML, and stays wherever a notebook is shown.
    """
    import ipywidgets as widgets
    from IPython.display import display

    display(widgets.HBox([*menus], layout={"flex_flow": "row wrap"}))
    shown = display(first, display_id=True)
    for menu in menus:
        menu.observe(lambda change: shown.update(asked()), names="value")


def page(markup: str) -> Any:
    """Return `markup` as something that a notebook shows."""
    from IPython.display import HTML

    return HTML(markup)


def code(text: str) -> str:
    """Return `text` as a shaded block of HTML, whatever characters it holds."""
    look = f"background:{style.FAINT}44;padding:6px 8px;margin:2px 0;white-space:pre-wrap"
    return f'<pre style="{look}">{html.escape(text)}</pre>'
