"""The gallery: all that is committed is shown, claims first; nothing is asked of the network; anyone can read it."""

from __future__ import annotations

import pickle
import re
import shutil
import subprocess
import sys
from html import unescape
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote

import matplotlib.image
import nbformat
import pandas as pd
import pytest

from pbb.analysis.board import Board
from pbb.analysis.labels import percent
from pbb.figures import FIGURES
from pbb.notebook import site as gallery
from pbb.store import RecordsError, read_manifest

ROOT = Path(__file__).resolve().parents[1]
REFERENCES = sorted(file.parent for file in (ROOT / "figures" / "reference").glob("*/*/manifest.json"))
# What makes a browser fetch something at once. A link that a reader may follow (the href of an <a>) does not.
FETCHED = {"src", "srcset", "href", "xlink:href", "data", "poster", "action", "background"}
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGNgYGBgAAAABQABpfZFQAAAAABJRU5ErkJggg=="


class Page(HTMLParser):
    """What a test wants to know of a page: its elements with attributes, in order, and the text of its <style>s."""

    def __init__(self, markup: str):
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.styles = ""
        self.feed(markup)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        self.styles += dict(attrs).get("style") or ""

    def handle_data(self, data: str) -> None:
        if self.elements and self.elements[-1][0] == "style":
            self.styles += data

    def values(self, *names: str) -> list[str]:
        return [attributes[name] for _, attributes in self.elements for name in names if name in attributes]

    def fetched(self) -> list[str]:
        """The address of everything that a browser would fetch with the page."""
        found = []
        for tag, attributes in self.elements:
            found += [attributes[name] for name in FETCHED & attributes.keys() if (tag, name) != ("a", "href")]
        return found + re.findall(r"""(?:url\(\s*|@import\s+)["']?([^"')\s]+)""", self.styles)


def outside(addresses: list[str]) -> list[str]:
    return [address for address in addresses if re.match(r"\s*(?!data:)([\w+.-]+:|//)", address)]


def checkout(folder: Path, *figures: str) -> Path:
    """A checkout with the committed notebooks and references of `figures` alone, and nothing executed."""
    for reference in REFERENCES:
        if reference.name in figures:
            target = folder / "figures" / "reference" / reference.parent.name / reference.name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(reference)
    folder.mkdir(exist_ok=True)
    (folder / "notebooks").symlink_to(ROOT / "notebooks")
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site of all that is committed, built as in a fresh clone; the build never loads torch."""
    folder = tmp_path_factory.mktemp("a site")
    root = checkout(folder / "clone", *(reference.name for reference in REFERENCES))
    code = """
import pickle, sys
from pathlib import Path
from pbb.notebook import site

judge, (into, root, kept) = site.board, map(Path, sys.argv[1:])
def board(folder):
    judged = judge(folder)
    if folder.name == "cpu":
        kept.write_bytes(pickle.dumps(judged))
    return judged
site.board = board
site.build(into, root)
heavy = {"torch", "transformers", "trl"} & sys.modules.keys()
assert not heavy, heavy
"""
    command = [sys.executable, "-c", code, str(folder / "site"), str(root), str(folder / "board")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return folder / "site"


@pytest.fixture(scope="module")
def index(site: Path) -> str:
    return (site / "index.html").read_text(encoding="utf-8")


# ------------------------------------------------------------------------------------------------ what is shown
def test_every_committed_figure_is_shown_with_claim_caption_and_notebook(index: str, site: Path) -> None:
    page, text = Page(index), unescape(index)
    assert REFERENCES
    for folder in REFERENCES:
        manifest = read_manifest(folder)
        assert manifest, "else the site would pass it over"
        assert manifest["claim"] in text
        assert manifest["caption"] in text
        shown = f"{folder.parent.name}/{folder.name}"
        assert {f"{shown}/figure.png", f"{shown}/figure.pdf", f"{shown}/table.csv"} <= {*page.values("src", "href")}
        assert (site / shown / "figure.png").read_bytes() == (folder / "figure.png").read_bytes()
    assert {folder.name for folder in REFERENCES} <= {module.NAME for module in FIGURES.values()}
    assert "colab.research" not in index, "no repository yet: no link that leads nowhere"
    assert "See it executed" not in index


def test_it_opens_with_the_overview_and_findings_then_claims_with_the_verdicts_that_the_records_give(
    index: str, site: Path
) -> None:
    parts = (">Claims, preset cpu</h2>", ">Figures, preset cpu</h2>", ">Notebooks</h2>")
    order = (">F01. ", "Can a source that was only read be run?", *parts)
    assert sorted(order, key=index.index) == list(order)
    judged: Board = pickle.loads(site.with_name("board").read_bytes())
    text = unescape(index).replace("\u00a0", " ")
    shown = pd.read_csv(site / "cpu" / "F02_curricula" / "table.csv").query(
        "group == 'w/o IO' and answer_mode == 'cot'"
    )
    end = shown[shown["arm"] == "proactive"].iloc[-1]
    assert f"Proactive answers {percent(end['estimate'], end['low'], end['high'])} of the questions right." in text
    assert 'id="cpu-C1"' in index
    assert 'href="#cpu-C1"' in index
    shown = re.findall(r'class="claim" id="cpu-(C\d+)".*?<span class="chip [\w-]+">([^<]+)<', text, re.DOTALL)
    assert shown == list(zip(judged.claims["claim"], judged.claims["verdict"], strict=True))
    for claim in judged.claims.to_dict("records"):
        assert all(claim[told] in text for told in ("statement", "value", "decided by", "paper", "why"))
    row = r'<th scope="row">([^<]+)<small>([^<]*)</small></th>(?:(?!</tr>).)*chip [\w-]+">([^<]+)<'
    found = {(contrast, where): verdict for contrast, where, verdict in re.findall(row, text, re.DOTALL)}
    for expected in judged.contrasts.to_dict("records"):
        assert found[expected["contrast"], expected["where"]] == expected["verdict"]
    for figure, article in re.findall(r'<article id="cpu-(F\d+)"(.*?)</article>', text, re.DOTALL):
        rows = judged.contrasts.query("figure == @figure and decides == 'primary'").to_dict("records")
        chips = re.findall(r'chip [\w-]+">(C\d+) ([^<]+)</span> ([^<]+): <', article)
        assert chips == [(row["claim"], row["verdict"].partition(":")[0], row["contrast"]) for row in rows], figure
        assert ("No claim is decided here." in article) == (not rows)


def test_pictures_are_cut_above_their_caption_and_nothing_else_is_lost(index: str, site: Path) -> None:
    cuts = re.findall(r'href="(\w+/\w+)/figure\.png".*?aspect-ratio: (\d+) / (\d+)', index, re.DOTALL)
    assert len(cuts) == len(REFERENCES)
    for folder, width, height in ((site / name, int(w), int(h)) for name, w, h in cuts):
        picture = matplotlib.image.imread(folder / "figure.png")
        ink = picture[..., :3].min(axis=(1, 2)) < 0.9  # by row
        assert ink[: height - 4].any()
        assert not ink[height - 4 : height].any(), f"{folder.name}: something is drawn right above the caption"
        assert ink[height : height + 12].any(), f"{folder.name}: the caption does not begin here"
        assert width == picture.shape[1]


def test_a_button_opens_each_notebook_once_there_is_an_address(tmp_path: Path) -> None:
    root = checkout(tmp_path / "clone", "F01_overview")
    (root / "pyproject.toml").write_text('[tool.pbb]\nrepository = "octocat/pbb"\ntag = "v1"\n')
    page = Page(gallery.build(tmp_path / "site", root).read_text(encoding="utf-8"))
    address = "https://colab.research.google.com/github/octocat/pbb/blob/v1/notebooks/"
    links = {address for address in page.values("href") if address.startswith("https://colab.")}
    assert links == {address + path.name for path in (ROOT / "notebooks").glob("*.ipynb")}


def test_without_references_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(RecordsError, match="no reference figures here"):
        gallery.build(tmp_path / "site", checkout(tmp_path))
    assert not (tmp_path / "site").exists()


# ---------------------------------------------------------------------------------------------------- notebooks
@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site with one executed notebook, which shows a badge, a table, a picture and an error in colour."""
    root = checkout(tmp_path_factory.mktemp("executed"), "F01_overview")
    badge = "[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.example/x)"
    cell = nbformat.v4.new_code_cell('draw("a" < "b")')
    cell.outputs = [
        nbformat.v4.new_output("display_data", {"image/png": PIXEL, "text/plain": "a picture"}),
        nbformat.v4.new_output("display_data", {"text/html": "<table><tr><td>42</td></tr></table>"}),
        nbformat.v4.new_output("stream", text="\x1b[31mred\x1b[0m"),
    ]
    links = "[picture](../../figures/reference/cpu/F01_overview/figure.png), [results](../../RESULTS.md)"
    title = nbformat.v4.new_markdown_cell(f"# Title\n\n{badge}\n\n{links}")
    notebook = nbformat.v4.new_notebook(cells=[title, cell])
    (root / "build" / "cpu").mkdir(parents=True)
    nbformat.write(notebook, root / "build" / "cpu" / "02_finetune.ipynb")
    gallery.build(root / "build" / "site", root)
    return root / "build" / "site"


def test_executed_notebooks_become_pages(executed: Path) -> None:
    index = (executed / "index.html").read_text(encoding="utf-8")
    assert index.count("See it executed") == 1
    assert 'href="cpu/notebooks/02_finetune.html"' in index
    text = (executed / "cpu" / "notebooks" / "02_finetune.html").read_text(encoding="utf-8")
    assert "<td>42</td>" in text
    assert '<a href="https://colab.example/x">Open in Colab</a>' in text
    assert 'Picture drawn by: draw("a" < "b")' in Page(text).values("alt")
    assert text.count('href="../../index.html"') == 2, "back, and where the notebook links RESULTS.md"
    assert 'href="../../cpu/F01_overview/figure.png"' in text


# ----------------------------------------------------------------------------------- no requests; for all readers
@pytest.mark.parametrize("which", ["site", "executed"])
def test_no_page_asks_anything_of_the_network(which: str, request: pytest.FixtureRequest) -> None:
    folder = request.getfixturevalue(which)
    pages = sorted(folder.rglob("*.html"))
    assert pages
    for file in pages:
        page = Page(file.read_text(encoding="utf-8"))
        assert not outside(page.fetched())
        (policy,) = [meta["content"] for tag, meta in page.elements if meta.get("http-equiv")]
        assert policy.startswith("default-src 'none'; "), "whatever slips in, the browser refuses it"
        assert "http" not in policy
        for address in page.values("src", "href"):
            if address.startswith(("data:", "https:", "#")):
                continue
            assert (file.parent / unquote(address)).is_file(), f"{file.name} points at {address}, which is not there"


@pytest.mark.parametrize("which", ["site", "executed"])
def test_pages_are_accessible(which: str, request: pytest.FixtureRequest) -> None:
    for file in request.getfixturevalue(which).rglob("*.html"):
        page = Page(file.read_text(encoding="utf-8"))
        assert ("html", {"lang": "en"}) in page.elements
        assert ("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}) in page.elements
        assert "prefers-color-scheme: dark" in page.styles
        levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch("h[1-6]", tag)]
        assert levels[0] == 1
        assert levels.count(1) == 1
        assert all(after <= before + 1 for before, after in pairwise(levels)), levels
        pictures = [attributes for tag, attributes in page.elements if tag == "img"]
        assert pictures
        assert all(len(attributes.get("alt", "")) > 10 for attributes in pictures)
        ids = page.values("id")
        assert len(ids) == len(set(ids))
        assert set(page.values("aria-labelledby")) <= set(ids)
        assert {address[1:] for address in page.values("href") if address.startswith("#")} <= set(ids)
        for tag, attributes in page.elements:
            assert tag != "th" or attributes.get("scope") in ("col", "row")
