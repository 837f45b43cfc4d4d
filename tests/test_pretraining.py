"""Base models: the whole path of `make base-models` at a size that a test can train, and the committed weights."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from datasets import load_from_disk
from transformers import LlamaForCausalLM

from pbb import pretraining
from pbb.folders import read_manifest
from pbb.model_files import TINY_FOLDER
from pbb.models import load, load_tokenizer
from pbb.programs.arithmetic import ArithmeticSettings
from pbb.tokenizer import VOCABULARY


@pytest.mark.slow
def test_corpus_training_and_installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tokenizer = load_tokenizer("tiny-s")
    tokenizer.save_pretrained(tmp_path / "tokenizer")
    shape = pretraining.TinyShape(hidden=16, layers=1, heads=2, learning_rate=1e-3, steps=2)
    monkeypatch.setattr(pretraining, "SHARD", 300)
    monkeypatch.setattr(pretraining, "TINY", {"tiny-s": shape})
    monkeypatch.setattr(pretraining, "TINY_FOLDER", tmp_path / "base_models")
    monkeypatch.setattr(pretraining, "PROBES", (("1 statement", ArithmeticSettings()),))

    shard = pretraining._shard(0, tmp_path / "corpus", tmp_path / "tokenizer")
    rows = load_from_disk(shard)
    assert pretraining._shard(0, tmp_path / "corpus", tmp_path / "tokenizer") == shard, "a shard is made once"
    assert {len(ids) for ids in rows["input_ids"]} == {pretraining.ROW_TOKENS}

    pretraining.pretrain("tiny-s", rows, tokenizer)
    folder = tmp_path / "base_models" / "tiny-s"
    manifest = read_manifest(folder)
    assert manifest is not None
    assert manifest["parameters"] == sum(p.numel() for p in pretraining.new_model(shape, tokenizer).parameters())
    assert set(manifest["in_context_accuracy"]) == {"1 statement"}
    assert len(manifest["in_context_accuracy"]["1 statement"]) == 4
    assert LlamaForCausalLM.from_pretrained(folder).dtype == torch.float16


@pytest.mark.parametrize("name", ["tiny-s", "tiny-m"])
def test_committed_weights_are_what_their_manifest_says(name: str) -> None:
    manifest = read_manifest(TINY_FOLDER / name)
    assert manifest is not None
    model, tokenizer = load(name)
    assert sum(p.numel() for p in model.parameters()) == manifest["parameters"]
    assert model.dtype == torch.float32
    assert len(tokenizer) == VOCABULARY
    assert all(tokenizer.encode(digit, add_special_tokens=False) for digit in "0123456789")
    assert len(tokenizer.encode("4711", add_special_tokens=False)) == 4, "digits are single tokens"


def test_committed_tiny_m_runs_single_statements_given_in_context() -> None:
    """What the README says of tiny-m, measured again on a few fresh programs (a tolerance for 40 of them)."""
    model, tokenizer = load("tiny-m")
    from pbb.documents import in_context, parse_answer, question
    from pbb.evaluation import generate
    from pbb.programs.arithmetic import generate as generate_programs

    programs = generate_programs(ArithmeticSettings(), 40, "a test's own stream")
    prompts = [in_context(p.source, question(p, p.inputs[3], 0, "cot")) for p in programs]
    written = generate(model, tokenizer, prompts, [60] * len(prompts))
    right = [
        parse_answer(text, "cot") == p.execution(p.inputs[3]).output for text, p in zip(written, programs, strict=True)
    ]
    assert sum(right) >= 36
