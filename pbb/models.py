"""Base models by name: the committed tiny ones, a local folder, or a Hugging Face Hub id.

Everything a run needs of a model goes through `load`: weights in float32 on a CPU, a tokenizer that pads on the left,
a chat template, and an identity (a hash of weights and tokenizer) that names it in manifests and cache keys.
"""

from __future__ import annotations

import copy
import hashlib
import json
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from pbb.model_files import TINY_FOLDER, TINY_NAMES, ModelError, folder_of, identity

__all__ = [
    "TINY_FOLDER",
    "TINY_NAMES",
    "ModelError",
    "describe",
    "folder_of",
    "identity",
    "load",
    "load_tokenizer",
    "save",
]


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
    """Write weights and configuration as safetensors; LoRA weights are merged into a copy of the model first.

    A merged checkpoint needs neither the base model nor the adapters of earlier stages to be loaded.
    """
    if hasattr(model, "merge_and_unload"):
        model = copy.deepcopy(model).merge_and_unload()
    model.save_pretrained(folder)


def describe(name: str) -> dict[str, str]:
    """Return the manifest entry of a model: its name, identity and chat template hash."""
    template = json.dumps(load_tokenizer(name).chat_template)
    return {"name": name, "identity": identity(name), "chat_template": hashlib.sha256(template.encode()).hexdigest()}
