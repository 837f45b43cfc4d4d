"""Write the repository's address, which pyproject.toml holds, into every place that shows or uses it.

    make badges REPOSITORY=owner/name TAG=v1.2.0    change the address, and write it everywhere
    make badges                                     write it again, for instance into a new notebook

Those places are each notebook's Colab badge and bootstrap cell, and the README's lines marked ``<!-- badge -->`` and
``<!-- clone -->``. While pyproject.toml names no repository, no link is shown. The gallery reads the same line.
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
REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+", re.ASCII)
TAG = re.compile(r"[\w.][\w.-]*", re.ASCII)  # no slash: a Colab link could not tell it from the path

# A clone is whole once git has written its index: a half-made one is fetched again. What is no clone is left alone,
# and named by git.
FETCH = """\
import sys
from os.path import abspath

if "google.colab" in sys.modules:  # Colab: fetch pbb, and add what it needs; torch and numpy stay as they are
    here, url = "pbb-{tag}", "--branch={tag} https://github.com/{repository}"
    ![ -f {{here}}/.git/index ] || ([ -d {{here}}/.git ] && rm -rf {{here}}; git clone -q --depth=1 {{url}} {{here}})
    sys.path.insert(0, abspath(here))
    from pbb.notebook import bootstrap

    bootstrap.prepare()

"""
SETUP = "import pbb\n\npbb.setup()"


def address(root: Path = ROOT) -> tuple[str, str]:
    """The repository, ``owner/name`` or empty, and the tag that pyproject.toml names."""
    table = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["pbb"]
    return table["repository"], table["tag"]


def badge(repository: str, tag: str, notebook: str) -> str:
    """The badge in Markdown; empty where there is no repository."""
    link = f"{COLAB}/github/{repository}/blob/{tag}/notebooks/{notebook}"
    return f"[![Open in Colab]({COLAB}/assets/colab-badge.svg)]({link})" if repository else ""


def rewrite(path: Path, repository: str, tag: str) -> str:
    """The text that the file should have: a notebook, the README or pyproject.toml, with this address.

    Raises ValueError for a notebook without its title cell and one cell tagged ``bootstrap``, and for another file
    without one line for each part of the address.
    """
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".ipynb":
        clone = f"Get it: `git clone https://github.com/{repository} --branch {tag}`" if repository else ""
        lines = {
            "repository = ": f'repository = "{repository}"',
            "tag = ": f'tag = "{tag}"',
            "<!-- badge -->": "<!-- badge -->" + badge(repository, tag, "00_start_here.ipynb"),
            "<!-- clone -->": "<!-- clone -->" + clone,
        }
        for start, line in lines.items():
            if start.startswith("<") == (path.suffix == ".md"):
                text, found = re.subn(f"^{start}.*$", line, text, flags=re.MULTILINE)
                if found != 1:
                    raise ValueError(f"{path.name} has {found} lines that begin with {start!r}, where it must have one")
        return text

    notebook = nbformat.reads(text, as_version=4)
    cells = [cell for cell in notebook.cells if "bootstrap" in cell.metadata.get("tags", ())]
    if len(cells) != 1 or notebook.cells[0].cell_type != "markdown":
        raise ValueError(f"{path.name} needs a title in Markdown and one cell tagged 'bootstrap'; it has {len(cells)}")
    cells[0].source = (FETCH.format(repository=repository, tag=tag) if repository else "") + SETUP
    title = notebook.cells[0]
    paragraphs = [part for part in title.source.split("\n\n") if "[![Open in Colab]" not in part]
    title.source = "\n\n".join(filter(None, [*paragraphs, badge(repository, tag, path.name)]))
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
    if repository and not REPOSITORY.fullmatch(repository):
        parser.error(f"REPOSITORY={repository!r} is not valid; valid: owner/name, such as REPOSITORY=octocat/pbb")
    if not TAG.fullmatch(tag):
        parser.error(f"TAG={tag!r} is not valid; valid: letters, digits, '.', '_' and '-', such as TAG=v1.2.0")
    texts = {path: rewrite(path, repository, tag) for path in places(root)}  # all, before the first is written
    changed = [path for path, text in texts.items() if text != path.read_text(encoding="utf-8")]
    for path in changed:
        path.write_text(texts[path], encoding="utf-8")
    wrote = ", ".join(path.name for path in changed) or "nothing, all agree already"
    print(f"{repository or 'no repository yet'}, {tag}: wrote {wrote}")


if __name__ == "__main__":
    main(sys.argv[1:])
