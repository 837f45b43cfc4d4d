"""Base models: the whole path of `make base-models` at a size that a test can train, and the committed weights."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
import torch
from datasets import load_from_disk
from transformers import LlamaForCausalLM

from pbb.experiments.base_data import CIPHERS, BaseMixture, mixture_of
from pbb.experiments.documents import in_context, parse_answer, question
from pbb.experiments.experiment import Experiment
from pbb.experiments.sources import General, documents_of
from pbb.models.ask import generate
from pbb.models.loading import load, load_tokenizer
from pbb.models.tokenizer import VOCABULARY
from pbb.programs.arithmetic import Arithmetic
from pbb.programs.ciphers import Ciphers
from pbb.programs.domains import generate as generate_programs
from pbb.registry import TINY_FOLDER
from pbb.runs import pretraining
from pbb.store import read_manifest


@pytest.mark.slow
def test_corpus_training_and_installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tokenizer = load_tokenizer("tiny-s")
    tokenizer.save_pretrained(tmp_path / "tokenizer")
    shape = pretraining.TinyShape(hidden=16, layers=1, heads=2, learning_rate=1e-3, steps=2, practice=(1, 1))
    monkeypatch.setattr(pretraining, "SHARD", 300)
    monkeypatch.setattr(pretraining, "TINY", {"tiny-s": shape})
    monkeypatch.setattr(pretraining, "TINY_FOLDER", tmp_path / "base_models")
    monkeypatch.setattr(pretraining, "PROBES", (("1 statement", Arithmetic()),))

    what = (0, tmp_path / "corpus", tmp_path / "tokenizer", "tiny-s", shape.row_tokens)
    shard = pretraining._shard(*what)
    rows = load_from_disk(shard)
    assert pretraining._shard(*what) == shard, "a shard is made once"
    assert {len(ids) for ids in rows["input_ids"]} == {256}

    practice_rows = pretraining.build_corpus(tmp_path / "practice", tmp_path / "tokenizer", "tiny-s", 1, practice=True)
    assert practice_rows["input_ids"][:20] != rows["input_ids"][:20]

    pretraining.pretrain("tiny-s", rows, tokenizer, practice_rows)
    folder = tmp_path / "base_models" / "tiny-s"
    manifest = read_manifest(folder)
    assert manifest is not None
    assert manifest["parameters"] == sum(p.numel() for p in pretraining.new_model(shape, tokenizer).parameters())
    assert [done["steps"] for done in manifest["training"]["rounds"]] == [2, 1, 1]
    assert manifest["tokens"] == 4 * 8 * 256
    assert set(manifest["in_context_accuracy"]) == {"1 statement"}
    assert len(manifest["in_context_accuracy"]["1 statement"]) == 4
    assert LlamaForCausalLM.from_pretrained(folder).dtype == torch.float16


def test_general_documents_are_of_what_the_base_model_was_trained_on() -> None:
    assert mixture_of("tiny-l") == mixture_of("owner/name") == BaseMixture()
    experiment = Experiment.of("cpu", programs=Ciphers(case="digits", alphabet=10), model="tiny-m-ciphers")
    prompts = [document.prompt for document in itertools.islice(documents_of(General(), experiment), 200)]
    ciphers = [prompt for prompt in prompts if "(text, shift)" in prompt or "digits 0 to 9 in a ring" in prompt]
    assert 80 < len(ciphers) < 180, "the rest is arithmetic"


@pytest.mark.slow
def test_ciphers_start_from_tiny_m_with_new_embeddings_for_the_tokens_that_it_never_saw() -> None:
    tokenizer = load_tokenizer("tiny-m")
    torch.manual_seed(0)
    started = pretraining.starting_point("tiny-m-ciphers", tokenizer)
    before = load("tiny-m")[0].state_dict()
    changed = {key for key, value in started.state_dict().items() if not torch.equal(value, before[key])}
    assert changed == {"model.embed_tokens.weight", "lm_head.weight"}, "one matrix under two names"
    new, old = started.get_input_embeddings().weight.detach(), before["model.embed_tokens.weight"]
    moved = (new != old).any(dim=1).nonzero().flatten().tolist()
    tokens = tokenizer.convert_ids_to_tokens(moved)
    assert {"append", "["} <= set(tokens)
    assert not set("0123456789") & set(tokens)
    old, new = (torch.nn.functional.normalize(matrix[moved]) for matrix in (old, new))
    assert (old @ old.T).mean() > 0.9, "what was never trained on cannot be told apart"
    assert (new @ new.T).fill_diagonal_(0).abs().max() < 0.5


@pytest.mark.parametrize("name", ["tiny-s", "tiny-m", "tiny-m-ciphers"])
def test_committed_weights_are_what_their_manifest_says(name: str) -> None:
    manifest = read_manifest(TINY_FOLDER / name)
    assert manifest is not None
    model, tokenizer = load(name)
    assert sum(p.numel() for p in model.parameters()) == manifest["parameters"]
    assert model.dtype == torch.float32
    assert len(tokenizer) == VOCABULARY
    assert all(tokenizer.encode(digit, add_special_tokens=False) for digit in "0123456789")
    assert len(tokenizer.encode("4711", add_special_tokens=False)) == 4, "digits are single tokens"


@pytest.mark.parametrize(
    ("name", "settings", "tokens"),
    [("tiny-m", Arithmetic(), 60), ("tiny-m-ciphers", CIPHERS, 300)],
)
def test_committed_models_run_programs_given_in_context(name: str, settings: object, tokens: int) -> None:
    """What the README says of them, measured again on a few fresh programs (a tolerance for 40 of them)."""
    model, tokenizer = load(name)
    programs = generate_programs(settings, 40, "a test's own stream")
    prompts = [in_context(p.source, question(p, p.inputs[3], 0, "cot")) for p in programs]
    written = generate(model, tokenizer, prompts, [tokens] * len(prompts))
    right = [
        parse_answer(text, "cot") == p.execution(p.inputs[3]).output for text, p in zip(written, programs, strict=True)
    ]
    assert sum(right) >= 36
