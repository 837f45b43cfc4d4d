"""Where a base model's files lie, and the identity that names it in manifests and cache keys. Never torch.

A complete run is found by its key, and the key holds the base model's identity: reading records must not have to
load what training needs.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path

TINY_FOLDER = Path(__file__).parent / "base_models"
TINY_NAMES = ("tiny-s", "tiny-m", "tiny-l", "tiny-m-tutored")  # the last: see `pbb.teaching`
_IDENTITY_FILES = ("*.safetensors", "tokenizer.json", "config.json", "chat_template.jinja")


class ModelError(ValueError):
    """A model could not be found or loaded; the message says what to do."""


def folder_of(name: str) -> Path | None:
    """Return the folder of a tiny model or of a local path, or None for a Hub id.

    Raises:
        ModelError: a tiny model's weights are missing, or the path holds no model.
    """
    if name in TINY_NAMES:
        folder = TINY_FOLDER / name
        if not (folder / "model.safetensors").exists():
            raise ModelError(f"model={name!r}: no weights in {folder}; `make base-models` trains them")
        return folder
    path = Path(name).expanduser()
    if path.is_dir():
        if not (path / "config.json").exists():
            raise ModelError(f"model={name!r}: the folder holds no config.json, so it is not a transformers model")
        return path
    if name.startswith((".", "/", "~")) or name.count("/") != 1:
        raise ModelError(
            f"model={name!r} is not valid; valid: {', '.join(TINY_NAMES)}, a folder, or a Hub id 'owner/name'"
        )
    return None


def identity(name: str) -> str:
    """Return what names the model in cache keys: a hash of its files, or the Hub id."""
    folder = folder_of(name)
    return _hash_folder(folder) if folder else f"hub:{name}"


@lru_cache
def _hash_folder(folder: Path) -> str:
    total = hashlib.sha256()
    for pattern in _IDENTITY_FILES:
        for file in sorted(folder.glob(pattern)):
            total.update(file.name.encode() + hashlib.sha256(file.read_bytes()).digest())
    return total.hexdigest()
