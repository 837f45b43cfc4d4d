"""Base models: the whole path of `make base-models` at a size that a test can train, and the committed weights."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import load_from_disk
from transformers import LlamaForCausalLM, PreTrainedModel, set_seed

from pbb.experiments.base_data import CIPHERS, BaseMixture, mixture_of
from pbb.experiments.documents import in_context, parse_answer, question
from pbb.experiments.experiment import Experiment
from pbb.experiments.sources import General, documents_of
from pbb.models.ask import generate
from pbb.models.loading import load, load_tokenizer
from pbb.models.sft import Optimisation, finetune
from pbb.models.tokenizer import VOCABULARY
from pbb.programs.arithmetic import Arithmetic
from pbb.programs.ciphers import Ciphers
from pbb.programs.domains import generate as generate_programs
from pbb.registry import TINY_FOLDER
from pbb.runs import pretraining
from pbb.store import read_manifest, root

SMALL = pretraining.TinyShape(hidden=16, layers=1, heads=2, learning_rate=1e-3, steps=6)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tokenizer and one shard of base data."""
    folder = tmp_path_factory.mktemp("corpus")
    load_tokenizer("tiny-s").save_pretrained(folder / "tokenizer")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pretraining, "SHARD", 300)
        pretraining._shard(0, folder, folder / "tokenizer", "tiny-s", SMALL.row_tokens)
    return folder


def test_a_shard_of_base_data_is_made_once(corpus: Path) -> None:
    shard = pretraining._shard(0, corpus, corpus / "tokenizer", "tiny-s", SMALL.row_tokens)
    assert {len(ids) for ids in load_from_disk(shard)["input_ids"]} == {256}
    rows = pretraining.build_corpus(corpus, corpus / "tokenizer", "tiny-s", SMALL, 1)
    assert len(rows) == SMALL.steps * SMALL.batch_rows // pretraining.PASSES
    assert [path.name for path in corpus.glob("shard-*")] == ["shard-000"]


@pytest.mark.slow
def test_training_and_installation(corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tokenizer, rows = load_tokenizer("tiny-s"), load_from_disk(corpus / "shard-000")
    monkeypatch.setattr(pretraining, "TINY", {"tiny-s": SMALL})
    monkeypatch.setattr(pretraining, "TINY_FOLDER", tmp_path / "base_models")
    monkeypatch.setattr(pretraining, "PROBES", (("1 statement", Arithmetic()),))
    every = pretraining.generate_programs
    monkeypatch.setattr(pretraining, "generate_programs", lambda settings, _, *key: every(settings, 20, *key))
    pretraining.pretrain("tiny-s", rows, tokenizer, tmp_path / "kept")
    folder = tmp_path / "base_models" / "tiny-s"
    manifest = read_manifest(folder)
    assert manifest is not None
    assert manifest["parameters"] == sum(p.numel() for p in pretraining.new_model(SMALL, tokenizer).parameters())
    assert manifest["training"]["steps"] == 6
    assert manifest["tokens"] == 6 * SMALL.batch_rows * SMALL.row_tokens
    assert set(manifest["in_context_accuracy"]) == {"1 statement", "composition"}
    assert len(manifest["in_context_accuracy"]["1 statement"]) == 4
    assert LlamaForCausalLM.from_pretrained(folder).dtype == torch.float16
    assert not (tmp_path / "kept").exists(), "the next call trains again"


def test_what_is_kept_belongs_to_what_it_was_made_by(monkeypatch: pytest.MonkeyPatch) -> None:
    found = {pretraining._made_of()}
    for name, value in (("SEED", "another"), ("TINY", {"tiny-s": SMALL}), ("TOKENIZER_SHARES", (("tiny-m", 5),))):
        with monkeypatch.context() as patch:
            patch.setattr(pretraining, name, value)
            found.add(pretraining._made_of())
    assert len(found) == 4


def test_a_training_that_was_stopped_goes_on_to_the_same_weights(corpus: Path, tmp_path: Path) -> None:
    tokenizer, rows = load_tokenizer("tiny-s"), load_from_disk(corpus / "shard-000")

    def trained(keep: Path, stop: int = 0) -> tuple[PreTrainedModel, list[dict[str, float]]]:
        def stopped(step: int, _: PreTrainedModel) -> None:
            if step == stop:
                raise KeyboardInterrupt

        set_seed(0)
        model, how = pretraining.new_model(SMALL, tokenizer), Optimisation(1e-3, 4, 256, optimiser="muon")
        at: dict[str, Any] = {"checkpoints": [stop], "on_checkpoint": stopped, "progress": False}
        return model, finetune(model, tokenizer, rows, 6, how, 0, keep=keep, keep_every=2, **at).log

    whole, log = trained(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path / "stopped", stop=5)
    assert [path.name for path in (tmp_path / "stopped").glob("checkpoint-*")] == ["checkpoint-4"]
    (tmp_path / "stopped" / "checkpoint-6").mkdir()  # as a kill leaves it, while it is written
    again, its_log = trained(tmp_path / "stopped")
    assert all(map(torch.equal, whole.parameters(), again.parameters()))
    assert its_log == log
    assert [row["step"] for row in log] == [1, 2, 3, 4, 5, 6]


KILLED = """
import os, time
from pbb.models.loading import load_tokenizer
from pbb.runs import pretraining

def train(shape, rows, tokenizer, keep):
    print("locked:", keep.with_name(f".{keep.name}.lock").exists(), flush=True)
    time.sleep(60)
    os._exit(0)

pretraining.train = train
if __name__ == "__main__":
    pretraining.build_tokenizer = lambda: load_tokenizer("tiny-s")
    pretraining.build_corpus = lambda *_: None
    pretraining._pretrain_all(["tiny-s"], 1)
"""


def test_a_training_has_its_folder_for_itself_and_ends_with_its_caller(tmp_path: Path) -> None:
    (script := tmp_path / "killed.py").write_text(KILLED)
    environment = os.environ | {"PYTHONPATH": str(root()), "PBB_RUNS": str(tmp_path)}
    caller = subprocess.Popen([sys.executable, script], env=environment, stdout=subprocess.PIPE, text=True)
    assert caller.stdout is not None
    while not (line := caller.stdout.readline()).startswith("locked:"):
        assert line, "it ended before"
    caller.kill()
    caller.communicate(timeout=30)  # its worker would hold the other end of the pipe
    assert line == "locked: True\n"


def test_general_documents_are_of_what_the_base_model_was_trained_on() -> None:
    assert mixture_of("tiny-m") == mixture_of("owner/name") == BaseMixture()
    experiment = Experiment.of("cpu", programs=Ciphers(case="digits", alphabet=10), model="tiny-m-strings")
    prompts = [document.prompt for document in itertools.islice(documents_of(General(), experiment), 200)]
    ciphers = [prompt for prompt in prompts if "(text, shift)" in prompt or "digits 0 to 9 in a ring" in prompt]
    assert 20 < len(ciphers) < 90, "the rest is grammars, algorithms, compositions and arithmetic"


@pytest.mark.parametrize("name", ["tiny-s", "tiny-m", "tiny-m-strings"])
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
    [("tiny-m", Arithmetic(), 60), ("tiny-m-strings", CIPHERS, 300)],
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
