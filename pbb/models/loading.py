"""Base models by name: the committed tiny ones, smollm2-135m, a folder or GGUF file, or a Hugging Face Hub id.

A model comes with weights on the device that there is, a tokenizer that pads on the left, and a chat template that
gives equal documents equal text on any day. `backends` loads for training, this module for asking.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from jinja2 import TemplateError
from safetensors import SafetensorError
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from pbb.models import gguf, hub
from pbb.models.machine import asking_weights, this_machine
from pbb.models.model_size import Shape
from pbb.registry import TINY_NAMES, ModelError, first_line, folder_of, identity, is_gguf, label
from pbb.store import CorruptRunError, read_manifest

# SmolLM2's and Qwen2.5's own templates begin every conversation with the same system message: a third of the tokens
# of a document here. This is their format without it.
CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)


def source_of(name: str) -> Path:
    """Return the folder of model `name`, fetched from the Hub or made of a GGUF file where it has to be.

    Raises:
        ModelError: there is no such model, or it cannot be had; the message says what to do.
    """
    return folder_of(name) or (gguf.prepare(name) if is_gguf(name) else hub.fetch(name))


def load_tokenizer(name: str) -> PreTrainedTokenizerBase:
    """Return the tokenizer of `name`, padding on the left, with a padding token and a settled chat template.

    Its `eos_token` is what ends an answer in that template.

    Raises:
        ModelError: there is no such model, or it cannot be trained and asked in turns; the message says why.
    """
    source = source_of(name)
    try:
        tokenizer = AutoTokenizer.from_pretrained(source, padding_side="left", trust_remote_code=False)
    except Exception as error:  # of a damaged file `tokenizers` raises what it comes upon
        raise _not_loaded(name, source, error) from error
    if isinstance(tokenizer.chat_template, dict):  # one for tools, and so on
        tokenizer.chat_template = tokenizer.chat_template.get("default")
    has = {"chat template": tokenizer.chat_template, "end token, so answers would not end": tokenizer.eos_token}
    if lacks := [what for what, value in has.items() if not value]:
        raise ModelError(f"model={name!r} has no {lacks[0]}; use an instruction-tuned model")
    if tokenizer.pad_token_id is None:  # what is padded is masked, so that even the end token would do
        known = [token for token in gguf.PADDING if token in tokenizer.get_vocab()]
        tokenizer.pad_token = [*known, tokenizer.eos_token][0]
    tokenizer.clean_up_tokenization_spaces = False  # "f (x)" has to come back as it was written
    try:
        tokenizer.chat_template = _settled(tokenizer)
        end = end_of_turn(tokenizer)
    except (ValueError, TemplateError) as error:
        raise ModelError(f"model={name!r} cannot be trained here: {error}") from None
    if end != tokenizer.eos_token_id:  # Gemma's, and so on: what is trained on and asked until
        tokenizer.eos_token = tokenizer.convert_ids_to_tokens(end)
    return tokenizer


def end_of_turn(tokenizer: PreTrainedTokenizerBase) -> int:
    """Return the token that ends an answer in the chat template: the first special one behind the answer's text.

    Raises:
        ValueError: no token does, or a prompt is not where its conversation begins.
    """
    talk = [{"role": "user", "content": "Say yes."}, {"role": "assistant", "content": "Yes"}]
    whole = tokenizer.apply_chat_template(talk, tokenize=False)
    asked = tokenizer.apply_chat_template(talk[:1], add_generation_prompt=True, tokenize=False)
    if not whole.startswith(asked):
        raise ValueError(f"its chat template writes {asked!r} for a prompt and {whole!r} for the whole conversation")
    rest = whole[len(asked) :].partition("Yes")[2]
    special = {number for number, token in tokenizer.added_tokens_decoder.items() if token.special}
    special |= set(tokenizer.all_special_ids)
    for number in tokenizer(rest, add_special_tokens=False)["input_ids"]:
        if number in special:
            return int(number)
    raise ValueError(f"its chat template ends an answer with {rest!r}, which holds no special token")


def _not_loaded(name: str, source: Path, error: Exception) -> ModelError:
    said = first_line(error)
    if "trust_remote_code" in str(error):
        said = "it wants code of its own to be run, which is never done here; valid: a model that transformers knows"
    return ModelError(f"model={name!r} could not be loaded from {str(source)!r}: {said}")


def _settled(tokenizer: PreTrainedTokenizerBase) -> str:
    """Return the chat template without what would make documents depend on more than their messages."""
    template, settings = str(tokenizer.chat_template), ""
    alone = tokenizer.apply_chat_template([{"role": "user", "content": "x"}], tokenize=False)
    if alone.startswith("<|im_start|>system"):
        return CHATML
    if "enable_thinking" in template:  # Qwen3: answers without thoughts, and every turn rendered alike
        from trl.chat_template_utils import get_training_chat_template

        with suppress(ValueError):  # a template that TRL does not know; `encode` refuses what could not be trained
            template = get_training_chat_template(tokenizer) or template
        settings += "{%- set enable_thinking = false %}"
    # The system messages of Llama 3, Granite, Mistral and others would tell today's date.
    if "date_string" in template:
        settings += '{%- set date_string = "26 Jul 2024" %}'
    if "strftime_now" in template:
        settings += "{%- macro strftime_now(form) -%}26 Jul 2024{%- endmacro -%}"
    return settings + template


def load(name: str, weights: Path | None = None, dtype: str = "") -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Return (model in evaluation mode, tokenizer) of base model `name`, or of finetuned `weights` of it.

    `weights` is the folder of a checkpoint that `save` wrote, `dtype` such as "float32"; "" is what asking takes here.

    Raises:
        ModelError: there is no such model, or it cannot be loaded; the message says what to do.
        CorruptRunError: the checkpoint at `weights` cannot be read.
    """
    source, tokenizer = weights or source_of(name), load_tokenizer(name)
    try:
        shape = Shape.of(json.loads((source / "config.json").read_text(encoding="utf-8")))
        model = AutoModelForCausalLM.from_pretrained(
            source,
            dtype=getattr(torch, dtype or asking_weights(shape, this_machine())),
            # Packed rows and left-padded batches give the same answers under eager and SDPA; eager is the faster
            # one for tiny models on a CPU.
            attn_implementation="eager" if name in TINY_NAMES else "sdpa",
            use_safetensors=True,  # never a pickle
            trust_remote_code=False,
        )
    except (OSError, ValueError, SafetensorError) as error:
        if weights:
            raise CorruptRunError(weights, f"cannot be loaded ({type(error).__name__}: {error})") from error
        raise _not_loaded(name, source, error) from error
    if this_machine().card:
        model = model.to("cuda")
    return model.eval(), tokenizer


def save(model: PreTrainedModel, folder: Path) -> None:
    """Write weights and configuration as safetensors, with LoRA weights merged into those that they adapt.

    Such a checkpoint needs neither the base model nor the adapters of earlier stages to be loaded, nor the library
    that trained it. On a GPU weights are kept in float16, which takes half the disk and is finer than bfloat16; on a
    CPU, and of models as small as the tiny ones, in float32. The model itself is not changed.
    """
    base = model.get_base_model() if hasattr(model, "merge_and_unload") else model
    small = sum(parameter.numel() for parameter in base.parameters()) < 2e7
    dtype = torch.float32 if small or model.device.type == "cpu" else torch.float16
    if base is model and all(parameter.dtype == dtype for parameter in model.parameters()):
        model.save_pretrained(folder)
        return
    from safetensors.torch import save_file

    kept = {name: tensor.contiguous() for name, tensor in _merged(base, dtype)}
    if base.config.tie_word_embeddings:
        kept.pop("lm_head.weight", None)
    folder.mkdir(parents=True, exist_ok=True)
    save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})
    config = type(base.config).from_dict({**base.config.to_dict(), "dtype": str(dtype).removeprefix("torch.")})
    config.architectures = [type(base).__name__]
    if hasattr(config, "quantization_config"):  # of a 4-bit base: what is written has been dequantised
        del config.quantization_config
    config.save_pretrained(folder)


def _merged(base: PreTrainedModel, dtype: torch.dtype) -> Iterator[tuple[str, torch.Tensor]]:
    """Yield the weights of a model whose layers may be adapted and in 4 bits, as a plain one's, on the CPU."""
    from peft.tuners.lora import LoraLayer
    from peft.utils.integrations import dequantize_module_weight

    adapted: dict[str, Any] = {name: layer for name, layer in base.named_modules() if isinstance(layer, LoraLayer)}
    for name, tensor in base.state_dict().items():
        inside = next((layer for layer in adapted if name.startswith(f"{layer}.")), "")
        if not inside:
            yield name, tensor.to("cpu", dtype if tensor.is_floating_point() else tensor.dtype)
        elif name == f"{inside}.base_layer.bias":
            yield f"{inside}.bias", tensor.to("cpu", dtype)
    for name, layer in adapted.items():
        with torch.no_grad():
            delta = sum(layer.get_delta_weight(adapter).float() for adapter in layer.active_adapters)
            weight = dequantize_module_weight(layer.base_layer).float() + delta
        yield f"{name}.weight", weight.to("cpu", dtype)


def describe(name: str) -> dict[str, Any]:
    """Return the manifest entry of a model: name, identity, chat template hash; its commit or origin if not ours."""
    template = hashlib.sha256(json.dumps(load_tokenizer(name).chat_template).encode()).hexdigest()
    entry: dict[str, Any] = {"name": label(name), "identity": identity(name), "chat_template": template}
    if is_gguf(name):
        return {**entry, "origin": (read_manifest(gguf.prepare(name)) or {})["origin"]}
    return entry if folder_of(name) else {**entry, "commit": hub.commit_of(name)}
