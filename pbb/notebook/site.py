"""The gallery: claims, figures and notebooks as a static site that makes no request to anywhere.

    python -m pbb.notebook.site

Claims and figures come from `figures/reference/` alone: no training, no torch. Notebooks that `make reproduce` has
executed into `build/` become pages of their own. Whatever `pbb.figures` and `pbb.analysis.claims` list is shown.
"""

from __future__ import annotations

import re
import shutil
import struct
import sys
import tomllib
from pathlib import Path
from typing import Any

import nbformat
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from matplotlib.figure import Figure
from nbconvert import HTMLExporter

from pbb import store
from pbb.analysis import verdicts
from pbb.analysis.board import board
from pbb.analysis.labels import percent
from pbb.analysis.tables import Value
from pbb.arms import ARMS
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
_TEMPLATES.filters |= {
    "percent": lambda row: percent(row["estimate"], row["low"], row["high"]).replace(" ", "\u00a0"),
    "points": verdicts.points,
}
_DPI = 200  # of every figure.png


def build(into: Path, root: Path | None = None) -> Path:
    """Write the site to the folder `into`, whole or not at all, and return its first page.

    `root` is a checkout, with figures/reference, notebooks and perhaps build; this one when None. Raises RecordsError
    if there are no reference figures under `root`.
    """
    root = root or store.root()
    reference = root / "figures" / "reference"
    presets = sorted({file.parents[1].name for file in reference.glob("*/*/manifest.json")})
    if not presets:
        raise RecordsError(f"{reference}: no reference figures here to show")
    address = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["pbb"]
    colab = "https://colab.research.google.com/github/{repository}/blob/{tag}/notebooks/".format(**address)
    with atomic_folder(into, replace=True) as site:
        notebooks: dict[str, dict[str, str]] = {}
        for path in list_notebooks(root / "notebooks"):
            title = nbformat.read(path, as_version=4).cells[0].source.splitlines()[0].lstrip("# ")
            about = {"name": path.stem, "title": title, "colab": address["repository"] and colab + path.name}
            notebooks[path.stem] = about | {"page": _write_executed(about, root, site, presets)}
        # The overview has no notebook of its own: it is drawn in the first of the walkthrough.
        first, shown = next(iter(notebooks.values()), None), []
        for name in presets:
            complete = [module for module in FIGURES.values() if is_complete(reference / name / module.NAME)]
            figures = [_figure(module, reference / name, site / name) for module in complete]
            for figure in figures:
                figure["notebook"] = notebooks.get(figure["module"].NAME, first)
            suffix = f", preset {name}" if len(presets) > 1 else ""
            shown.append({"name": name, "figures": figures, "board": board(reference / name), "suffix": suffix})
        page = _TEMPLATES.get_template("index.html.j2").render(
            title="Programming by Backprop: claims and figures",
            presets=shown,
            opening=_opening(shown[0]),
            notebooks=notebooks.values(),
            how_judged=verdicts.RULE,
        )
        (site / "index.html").write_text(page, encoding="utf-8")
    return into / "index.html"


def _opening(preset: dict[str, Any]) -> dict[str, Any]:
    """Return what the page begins with, of one preset: its overview, and the numbers of three findings."""
    values = {figure["module"].ID: figure["values"] for figure in preset["figures"]}
    cot = {row["arm"]: row for row in values.get("F02", ()) if row["mode"] == "cot" and not row["of"]}
    proactive = [row for row in values.get("F14", ()) if row["arm"] == "proactive"]
    return {
        "preset": preset,
        "figure": next((figure for figure in preset["figures"] if figure["module"].ID == "F01"), None),
        "cot": cot,
        "controls": sorted((row for arm, row in cot.items() if ARMS[arm].control), key=lambda row: -row["estimate"]),
        "recited": [row for row in proactive if row["mode"] == "recall"],
        "run": {row["where"]: row for row in proactive if row["mode"] == "cot"},
    }


def _figure(module: Chart, reference: Path, target: Path) -> dict[str, Any]:
    """Copy a figure of one preset into the site's folder for it; return what the page says of it."""
    folder = reference / module.NAME
    manifest, values = read_manifest(folder) or {}, module.headline(load_records(folder)).to_dict("records")
    values = [row | {"what": Value(*(row[name] for name in Value._fields)).what} for row in values]
    (target / module.NAME).mkdir(parents=True)
    for file in ("figure.png", "figure.pdf", "table.csv"):
        shutil.copyfile(folder / file, target / module.NAME / file)
    # The page writes the caption itself, so the picture is cut above its own: a figure with that caption alone tells
    # how high it is.
    width, height = struct.unpack(">II", (folder / "figure.png").read_bytes()[16:24])
    caption = Figure(figsize=(width / _DPI, 1))
    style.with_caption(caption, manifest["caption"], panels=0)
    told = [f"{row['name']}: {percent(row['estimate'], row['low'], row['high'])}" for row in values[:4]]
    spoken = f"{'; '.join(told)}." if told else manifest["caption"]
    return {
        "module": module,
        "manifest": manifest,
        "folder": f"{reference.name}/{module.NAME}",
        "alt": f"{module.TITLE}. {spoken}",
        "width": width,
        "height": height - round(caption.get_figheight() * _DPI),
        "values": values,
    }


def _write_executed(notebook: dict[str, str], root: Path, site: Path, presets: list[str]) -> str:
    """Write the executed copy of the first preset that has one, else the committed one; return the page, or ""."""
    folders = [(preset, root / "build" / preset) for preset in presets]
    folders.append((presets[0], root / "figures" / "executed"))
    name = notebook["name"]
    preset, folder = next(((p, f) for p, f in folders if (f / f"{name}.ipynb").exists()), ("", root))
    if not preset:
        return ""
    content = nbformat.read(folder / f"{name}.ipynb", as_version=4)
    for cell in content.cells:
        for output in cell.get("outputs", ()):
            if "image/png" in output.get("data", {}):
                output.metadata["image/png"] = {"alt": f"Picture drawn by: {cell.source}"}
            output.get("data", {}).pop("application/vnd.jupyter.widget-view+json", None)  # wants a kernel
    plain = {"exclude_input_prompt": True, "exclude_output_prompt": True, "exclude_anchor_links": True}
    body, _ = HTMLExporter(template_name="basic", **plain).from_notebook_node(content)
    body = re.sub(r'href="[./]+/figures/reference/', 'href="../../', body)  # from the checkout to this site
    body = re.sub(r'href="[./]+/RESULTS\.md"', 'href="../../index.html"', body)
    about = {"title": f"{name}, executed", "body": _offline(body), "notebook": notebook, "preset": preset}
    page = f"{preset}/notebooks/{name}.html"
    (site / page).parent.mkdir(parents=True, exist_ok=True)
    (site / page).write_text(_TEMPLATES.get_template("notebook.html.j2").render(about), encoding="utf-8")
    return page


def _offline(markup: str) -> str:
    """Return `markup` with every image that lies elsewhere, such as a badge, replaced by its alternative text."""
    elsewhere = r'<img\b(?=[^>]*\bsrc="(?:https?:)?//)(?:[^>]*\balt="([^"]*)")?[^>]*>'
    return re.sub(elsewhere, lambda image: image[1] or "", markup)


if __name__ == "__main__":
    try:
        print(build(store.build("site")).relative_to(store.root()))
    except RecordsError as error:
        sys.exit(f"error: {error}")
