"""What every view is made of: a table that keeps its line breaks, HTML, and a block of code."""

from __future__ import annotations

import html
from typing import Any

import pandas as pd

from pbb.figures import style

_TEXT = {"white-space": "pre-wrap", "text-align": "left", "vertical-align": "top"}


def table(frame: pd.DataFrame) -> Any:
    """Return `frame` as a table whose texts keep their line breaks and are never cut."""
    return frame.style.hide(axis="index").set_properties(**_TEXT).format(escape="html", precision=3, na_rep="-")


def page(markup: str) -> Any:
    """Return `markup` as something that a notebook shows."""
    from IPython.display import HTML

    return HTML(markup)


def code(text: str) -> str:
    """Return `text` as a shaded block of HTML, whatever characters it holds."""
    return (
        f'<pre style="background:{style.FAINT}44;padding:6px 8px;margin:2px 0;white-space:pre-wrap">'
        f"{html.escape(text)}</pre>"
    )
