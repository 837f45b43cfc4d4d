"""Write the repository's address, which pyproject.toml holds, into every place that shows or uses it.

    make badges REPO=owner/name TAG=v1.2.0    change the address, and write it everywhere
    make badges                               write it again, for instance into a new notebook

Those places are each notebook's Colab badge and bootstrap cell, and the README's Colab links. Nothing else of a file
is changed.
"""

from __future__ import annotations

import argparse
import re
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parents[1]
COLAB = "https://colab.research.google.com"
LINK = re.compile(re.escape(COLAB) + r"/github/[^/\s]+/[^/\s]+/blob/[^/\s]+/notebooks/")
REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+", re.ASCII)
TAG = re.compile(r"[\w.][\w.-]*", re.ASCII)  # no slash: a Colab link could not tell it from the path

CELL = """\
import os
import subprocess
import sys

if "google.colab" in sys.modules:  # Colab: fetch pbb at a tag and add what it needs; torch and numpy stay as they are
    source, folder = "--branch={tag} https://github.com/{repository}", "pbb-{tag}"
    if not os.path.exists(folder):
        clone = f"git clone --quiet --depth=1 --config=advice.detachedHead=false {{source}} {{folder}}"
        subprocess.run(clone.split(), check=True)
    sys.path.insert(0, os.path.abspath(folder))
    from pbb.notebook import bootstrap

    bootstrap.prepare()

import pbb

pbb.setup()"""


def address(root: Path = ROOT) -> tuple[str, str]:
    """The repository, ``owner/name``, and the tag that pyproject.toml names."""
    table = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["pbb"]
    return table["repository"], table["tag"]


def link(repository: str, tag: str, notebook: str = "") -> str:
    """Where Colab opens `notebook`, a file name; without one, what all such links begin with."""
    return f"{COLAB}/github/{repository}/blob/{tag}/notebooks/{notebook}"


def badge(repository: str, tag: str, notebook: str) -> str:
    """The badge in Markdown."""
    return f"[![Open in Colab]({COLAB}/assets/colab-badge.svg)]({link(repository, tag, notebook)})"


def rewrite(path: Path, repository: str, tag: str) -> str:
    """The text that the file should have: a notebook, the README or pyproject.toml, with this address.

    Raises ValueError for a notebook without its title cell and one cell tagged ``bootstrap``, and for a pyproject.toml
    without one line for each part of the address.
    """
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".toml":
        for field, value in (("repository", repository), ("tag", tag)):
            text, lines = re.subn(rf'^{field} = "[^"]*"$', f'{field} = "{value}"', text, flags=re.MULTILINE)
            if lines != 1:
                raise ValueError(f"{path.name} has {lines} lines '{field} = \"...\"', where [tool.pbb] must have one")
        return text
    if path.suffix != ".ipynb":
        return LINK.sub(link(repository, tag), text)

    notebook = nbformat.reads(text, as_version=4)
    cells = [cell for cell in notebook.cells if "bootstrap" in cell.metadata.get("tags", ())]
    if len(cells) != 1 or notebook.cells[0].cell_type != "markdown":
        raise ValueError(f"{path.name} needs a title in Markdown and one cell tagged 'bootstrap'; it has {len(cells)}")
    cells[0].source = CELL.format(repository=repository, tag=tag)
    title, ours = notebook.cells[0], badge(repository, tag, path.name)
    paragraphs = [part for part in title.source.split("\n\n") if "[![Open in Colab]" not in part]
    title.source = "\n\n".join([*paragraphs, ours])
    return nbformat.writes(notebook) + "\n"


def places(root: Path = ROOT) -> list[Path]:
    """Every file that holds the address."""
    return [root / "pyproject.toml", root / "README.md", *sorted((root / "notebooks").glob("*.ipynb"))]


def main(arguments: Sequence[str], root: Path = ROOT) -> None:
    parser = argparse.ArgumentParser(prog="make badges")
    parser.add_argument("--repository", default="", help="owner/name; empty: what pyproject.toml says")
    parser.add_argument("--tag", default="", help="such as v1.2.0; empty: what pyproject.toml says")
    options = parser.parse_args(arguments)
    now = address(root)
    repository, tag = options.repository or now[0], options.tag or now[1]
    if not REPOSITORY.fullmatch(repository):
        parser.error(f"REPO={repository!r} is not of the form owner/name, such as REPO=octocat/pbb")
    if not TAG.fullmatch(tag):
        parser.error(f"TAG={tag!r} is not valid: letters, digits, '.', '_' and '-', such as TAG=v1.2.0")
    texts = {path: rewrite(path, repository, tag) for path in places(root)}  # all, before the first is written
    changed = [path for path, text in texts.items() if text != path.read_text(encoding="utf-8")]
    for path in changed:
        path.write_text(texts[path], encoding="utf-8")
    print(f"{repository} at {tag}: wrote {', '.join(path.name for path in changed) or 'nothing, all agree already'}")


if __name__ == "__main__":
    main(sys.argv[1:])
