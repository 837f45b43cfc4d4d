"""Shared fixtures: a model small enough to train in a test, and a run store of its own for each test."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest

# As in a run's own workers: results do not depend on the number of cores, and two test workers share two cores.
os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests come first, so that neither of two workers is left with one at the end."""
    slow = Counter(item.path for item in items if item.get_closest_marker("slow"))
    items.sort(key=lambda item: -slow[item.path])


@pytest.fixture
def run_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty run store; `pbb.store.runs()` points at it, in child processes too."""
    folder = tmp_path / "runs"
    monkeypatch.setenv("PBB_RUNS", str(folder))
    return folder


@pytest.fixture(scope="session")
def micro_model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A folder with an untrained Llama of 30,000 parameters and the tiny models' tokenizer."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from pbb.models.loading import load_tokenizer

    tokenizer = load_tokenizer("tiny-s")
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        initializer_range=0.5,  # so that an untrained model writes something, and not the same everywhere
        max_position_embeddings=512,
        tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    folder = tmp_path_factory.mktemp("micro model")  # a space in the path, on purpose
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)
