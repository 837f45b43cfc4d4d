"""The gallery: claims, figures and notebooks as a static site that makes no request to anywhere.

    python -m pbb.notebook.site

Claims and figures come from `figures/reference/` alone: no training, no torch. Notebooks that `make reproduce` has
executed into `build/` become pages of their own. A new figure or claim needs nothing here: the site shows those that
`pbb.figures` and `pbb.analysis.claims` list, the board of claims first.
"""

from __future__ import annotations

import re
import shutil
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from matplotlib.figure import Figure
from nbconvert import HTMLExporter

from pbb import store
from pbb.analysis import verdicts
from pbb.analysis.board import Board, board, how
from pbb.analysis.labels import percent
from pbb.analysis.tables import Value
from pbb.figures import FIGURES, Chart, style
from pbb.notebook.execute import list_notebooks
from pbb.records import load_records
from pbb.store import RecordsError, atomic_folder, is_complete, read_manifest

_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "site_template"),
    autoescape=True,
    trim_blocks=True,
    lstrip_blocks=True,
    undefined=StrictUndefined,
)
_DPI = 200  # of every figure.png
_SHOWN_FILES = ("figure.png", "figure.pdf", "table.csv")


@dataclass(frozen=True)
class Notebook:
    """A notebook of the repository: where it opens, and its executed page relative to the site ("" where none)."""

    name: str
    title: str
    colab: str
    page: str = ""


def build(into: Path, root: Path | None = None) -> Path:
    """Write the site to the folder `into`, whole or not at all, and return its first page.

    Args:
        into: replaced at once when everything is written.
        root: a checkout, with figures/reference, notebooks and perhaps build; this one when None.

    Raises:
        RecordsError: there are no reference figures under `root`.
    """
    root = root or store.root()
    presets = sorted({file.parents[1].name for file in (root / "figures" / "reference").glob("*/*/manifest.json")})
    if not presets:
        raise RecordsError(f"{root / 'figures' / 'reference'}: no reference figures here to show")
    sources = list_notebooks(root / "notebooks")
    with atomic_folder(into, replace=True) as site:
        notebooks = {path.stem: _notebook(path, root, site, presets) for path in sources}
        shown = [_preset(name, root, site, notebooks) for name in presets]
        for preset in shown:
            preset["suffix"] = f", preset {preset['name']}" if len(shown) > 1 else ""
        page = _TEMPLATES.get_template("index.html.j2").render(
            title="Programming by Backprop: claims and figures",
            presets=shown,
            notebooks=notebooks.values(),
            executed=any(notebook.page for notebook in notebooks.values()),
        )
        (site / "index.html").write_text(page, encoding="utf-8")
    return into / "index.html"


# ------------------------------------------------------------------------------------------- claims and figures
def _preset(name: str, root: Path, site: Path, notebooks: dict[str, Notebook]) -> dict[str, Any]:
    """Copy the figures of one preset into `site`; return what the page says of them and of the claims."""
    figures = []
    for module in FIGURES.values():
        folder = root / "figures" / "reference" / name / module.NAME
        if not is_complete(folder):
            continue
        records = load_records(folder)
        target = site / name / module.NAME
        target.mkdir(parents=True)
        for file in _SHOWN_FILES:
            shutil.copyfile(folder / file, target / file)
        # The overview has no notebook of its own: it is drawn in the first of the walkthrough.
        notebook = notebooks.get(module.NAME) or next(iter(notebooks.values()), None)
        about = _figure(module, records, folder)
        figures.append({**about, "folder": f"{name}/{module.NAME}", "notebook": notebook})
    judged = board(root / "figures" / "reference" / name)
    shown = {figure["id"] for figure in figures}
    return {
        "name": name,
        "figures": figures,
        "shown": shown,
        "counts": judged.counts,
        "how": how(judged),
        "claims": _claims(judged),
    }


def _figure(module: Chart, records: pd.DataFrame, folder: Path) -> dict[str, Any]:
    manifest = read_manifest(folder) or {}
    width, height = _picture_size(folder / "figure.png", manifest["caption"])
    values = [_value(row) for row in module.headline(records).to_dict("records")]
    git = manifest["git"]
    return {
        "id": module.ID,
        "title": module.TITLE,
        "claim": module.CLAIM,
        "caption": manifest["caption"],
        "alt": f"Picture: {module.TITLE}. " + ("Its values are in the table below." if values else module.CLAIM),
        "width": width,
        "height": height,
        "values": values,
        "created": manifest["created"][:10],
        "platform": manifest["platform"],
        "revision": git["revision"][:7] + (" with changes" if git["dirty"] else ""),
    }


def _picture_size(png: Path, caption: str) -> tuple[int, int]:
    """Return the width and height in pixels of a picture without the caption under it, which the page writes itself."""
    width, height = struct.unpack(">II", png.read_bytes()[16:24])
    measured = Figure(figsize=(width / _DPI, 1))
    style.with_caption(measured, caption, panels=0)  # which leaves a figure of the caption's height
    return width, height - round(measured.get_figheight() * _DPI)


def _value(row: dict[str, Any]) -> dict[str, Any]:
    value = Value(*(row[name] for name in Value._fields))
    return {**row, "what": value.what, "shown": percent(row["estimate"], row["low"], row["high"])}


def _claims(judged: Board) -> list[dict[str, Any]]:
    """Return each claim of the board with its contrasts and the figures that judge it."""
    shown = judged.contrasts.to_dict("records")
    return [
        row | {"rows": [one | {"shown": verdicts.points(one)} for one in shown if one["claim"] == row["claim"]]}
        for row in judged.claims.to_dict("records")
    ]


# ---------------------------------------------------------------------------------------------------- notebooks
def _notebook(path: Path, root: Path, site: Path, presets: Sequence[str]) -> Notebook:
    """Return what the page says of a notebook; write its executed copy of the first preset that has one to `site`."""
    first = nbformat.read(path, as_version=4).cells[0].source
    badge = re.search(r"https://colab\.research\.google\.com/github/[^\s)]+", first)
    if badge is None:
        raise RecordsError(f"{path}: its first cell has no link that opens it in Colab")
    about = {"name": path.stem, "title": first.splitlines()[0].lstrip("# "), "colab": badge[0]}
    for preset in presets:
        executed = root / "build" / preset / path.name
        if executed.exists():
            page = f"{preset}/notebooks/{path.stem}.html"
            (site / page).parent.mkdir(parents=True, exist_ok=True)
            (site / page).write_text(_executed(executed, Notebook(**about), preset), encoding="utf-8")
            return Notebook(**about, page=page)
    return Notebook(**about)


def _executed(path: Path, notebook: Notebook, preset: str) -> str:
    """Return an executed notebook as a page: nbconvert's basic template in this site's frame."""
    content = nbformat.read(path, as_version=4)
    for cell in content.cells:
        for output in cell.get("outputs", ()):
            if "image/png" in output.get("data", {}):
                output.metadata["image/png"] = {"alt": f"Picture drawn by: {cell.source}"}
    plain = {"exclude_input_prompt": True, "exclude_output_prompt": True, "exclude_anchor_links": True}
    body, _ = HTMLExporter(template_name="basic", **plain).from_notebook_node(content)
    return _TEMPLATES.get_template("notebook.html.j2").render(
        title=f"{notebook.name}, executed", body=_offline(body), notebook=notebook, preset=preset
    )


def _offline(markup: str) -> str:
    """Return `markup` with every image that lies elsewhere, such as a badge, replaced by its alternative text."""

    def text(image: re.Match[str]) -> str:
        described = re.search(r'alt="([^"]*)"', image[0])
        return described[1] if described else ""

    return re.sub(r'<img\b[^>]*\bsrc="(?:https?:)?//[^>]*>', text, markup)


if __name__ == "__main__":
    print(build(store.build("site")).relative_to(store.root()))
