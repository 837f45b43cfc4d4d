"""Where a base model's files lie, and the identity that names it in manifests and cache keys. Never torch.

A complete run is found by its key, and the key holds the base model's identity: reading records must not have to
load what training needs, nor to reach a network.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

TINY_FOLDER = Path(__file__).parent / "base_models"
TINY_NAMES = (
    "tiny-s",
    "tiny-m",
    "tiny-l",
    "tiny-m-ciphers",
    "tiny-m-tutored",
)  # the last: see `pbb.experiments.teaching`
SMOLLM2 = "smollm2-135m"  # see `pbb.models.smollm2`
SMOLLM2_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"  # of the file that it comes from
# How `pbb.models` writes a conversation, where a tokenizer's template would say more: a part of what a model is here.
FORMAT = "no default system message"
HUB_MODELS = Path(__file__).parent / "hub_models.json"
# Of a model's folder: weights, and whatever says how text becomes tokens and where a turn ends.
_IDENTITY_FILES = ("*.safetensors", "*.bin", "*.gguf", "*.json", "*.jinja", "*.model", "*.txt")
_NOT_READ = ("manifest.json",)


class ModelError(ValueError):
    """A model could not be found or loaded; the message says what to do."""


@dataclass(frozen=True)
class HubName:
    """A Hub model's repository, and its revision: a commit, branch or tag, or "" for the default branch's latest."""

    repository: str
    revision: str


def folder_of(name: str) -> Path | None:
    """Return the folder of a tiny model or of a local path, or None for smollm2-135m or a Hub id.

    Raises:
        ModelError: a tiny model's weights are missing, or the path holds no model.
    """
    if name in TINY_NAMES:
        folder = TINY_FOLDER / name
        if not (folder / "model.safetensors").exists():
            raise ModelError(f"model={name!r}: no weights in {folder}; `make base-models` trains them")
        return folder
    if name == SMOLLM2:
        return None
    path = Path(name).expanduser()
    if path.is_dir():
        if not (path / "config.json").exists():
            raise ModelError(f"model={name!r}: the folder holds no config.json, so it is not a transformers model")
        return path
    if not re.fullmatch(r"[\w-][\w.-]*/[\w.-]+(@[\w./-]+)?", name):
        known = [hub for hub in hub_models() if name.partition("@")[0].lower() == hub.rpartition("/")[2].lower()]
        hint = f"did you mean {known[0]!r}? " if known else "there is no such folder; " if "/" in name else ""
        raise ModelError(
            f"model={name!r} is not valid; {hint}valid: {SMOLLM2}, {', '.join(TINY_NAMES)}, a folder, or a Hub id "
            "'owner/name' or 'owner/name@revision'"
        )
    return None


def hub_name(name: str) -> HubName:
    """Return what ``owner/name`` or ``owner/name@revision`` asks for: its own revision, or else the registry's."""
    repository, _, revision = name.partition("@")
    return HubName(repository, revision or hub_models().get(repository, {}).get("revision") or "")


@lru_cache
def hub_models() -> dict[str, dict[str, Any]]:
    """Return the registry of Hub models by id: revision, licence, whether it is gated, and its shape.

    The shape has the names of config.json, so that sizes are known before anything is downloaded. A revision is a
    commit that several public repositories name; `python -m pbb pin-models` writes the latest of the day instead.
    """
    found: dict[str, dict[str, Any]] = json.loads(HUB_MODELS.read_text(encoding="utf-8"))
    return found


def identity(name: str) -> str:
    """Return what names the model in cache keys: a hash of its files, or its Hub id with the revision asked for.

    Of a pretrained one it ends with the format of conversations. A Hub id without a revision stands for the commit that
    this run store took first (see `pbb.models.hub`).
    """
    if name == SMOLLM2:
        return f"{SMOLLM2}:{SMOLLM2_SHA256}, {FORMAT}"
    if folder := folder_of(name):
        return _hash_folder(folder) + ("" if name in TINY_NAMES else f", {FORMAT}")
    wanted = hub_name(name)
    return f"hub:{wanted.repository}" + (f"@{wanted.revision}" if wanted.revision else "") + f", {FORMAT}"


def _hash_folder(folder: Path) -> str:
    """Return the hash of a model folder's files; what has not changed since is not read again."""
    files = sorted({f for pattern in _IDENTITY_FILES for f in folder.glob(pattern) if f.name not in _NOT_READ})
    stats = [(file, file.stat()) for file in files]
    return _hash_files(tuple((str(file), stat.st_size, stat.st_mtime_ns, stat.st_ino) for file, stat in stats))


@lru_cache
def _hash_files(files: tuple[tuple[str, int, int, int], ...]) -> str:
    total = hashlib.sha256()
    for name, *_ in files:
        total.update(Path(name).name.encode())
        with open(name, "rb") as file:
            total.update(hashlib.file_digest(file, "sha256").digest())
    return total.hexdigest()


def config_of(name: str) -> Mapping[str, Any] | None:
    """Return what is known of a model's shape without loading or fetching anything: its config.json, or None.

    Raises:
        ModelError: see `folder_of`.
    """
    if name == SMOLLM2:
        return SMOLLM2_SHAPE
    if folder := folder_of(name):
        config: dict[str, Any] = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        return config
    return hub_models().get(hub_name(name).repository, {}).get("shape")


SMOLLM2_SHAPE = {
    "hidden_size": 576,
    "intermediate_size": 1536,
    "num_hidden_layers": 30,
    "num_attention_heads": 9,
    "num_key_value_heads": 3,
    "vocab_size": 49152,
    "tie_word_embeddings": True,
}
