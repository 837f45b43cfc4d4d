"""Base models by name: the committed tiny ones, a local folder, or a Hugging Face Hub id.

Everything a run needs of a model goes through `load`: weights in float32 on a CPU, a tokenizer that pads on the left,
a chat template, and an identity (a hash of weights and tokenizer) that names it in manifests and cache keys.
"""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

TINY_FOLDER = Path(__file__).parent / "base_models"
TINY_NAMES = ("tiny-s", "tiny-m", "tiny-l")
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


def load_tokenizer(name: str) -> PreTrainedTokenizerBase:
    """Return the tokenizer of `name`, padding on the left, with its own padding token."""
    tokenizer = AutoTokenizer.from_pretrained(folder_of(name) or name, padding_side="left")
    if not tokenizer.chat_template:
        raise ModelError(f"model={name!r} has no chat template; use an instruction-tuned model")
    if tokenizer.pad_token_id is None:
        raise ModelError(f"model={name!r} has no padding token, so batches could not be padded on the left")
    return tokenizer


def load(name: str, weights: Path | None = None) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Return (model in evaluation mode, tokenizer) of base model `name`, or of finetuned `weights` of it.

    Raises:
        ModelError: there is no such model, or it cannot be loaded; the message says what to do.
    """
    source = str(weights or folder_of(name) or name)
    try:
        model = AutoModelForCausalLM.from_pretrained(
            source,
            dtype=torch.float32,
            # Packed rows and left-padded batches give the same answers under eager and SDPA; eager is the faster
            # one for tiny models on a CPU.
            attn_implementation="eager" if name in TINY_NAMES else "sdpa",
        )
        tokenizer = load_tokenizer(name)
    except OSError as error:
        raise ModelError(
            f"model={name!r} could not be loaded from {source!r}: {str(error).splitlines()[0]} "
            "(without a network, only tiny models, local folders and what the Hub cache holds can be loaded)"
        ) from error
    return model.eval(), tokenizer


def save(model: PreTrainedModel, folder: Path) -> None:
    """Write weights and configuration as safetensors."""
    model.save_pretrained(folder, safe_serialization=True)


def describe(name: str) -> dict[str, str]:
    """Return the manifest entry of a model: its name, identity and chat template hash."""
    template = json.dumps(load_tokenizer(name).chat_template)
    return {"name": name, "identity": identity(name), "chat_template": hashlib.sha256(template.encode()).hexdigest()}
