"""Finetuning: loss falls on completions alone, packing changes nothing, and training is deterministic."""

from __future__ import annotations

import copy
import itertools
import random
from pathlib import Path

import pytest
import torch
import torch._dynamo
import torch._inductor.config
from datasets import Dataset
from transformers import AutoConfig, AutoModelForCausalLM

from pbb.experiments.curricula import curriculum
from pbb.experiments.documents import Document
from pbb.experiments.experiment import Experiment
from pbb.models import sft
from pbb.models.backends import Backend
from pbb.models.loading import load, load_tokenizer, save
from pbb.models.machine import compile_in_place, compiles
from pbb.models.optimisers import MuonAndAdamW
from pbb.models.sft import IGNORE, Optimisation, encode, fill_rows, finetune, pack

EXPERIMENT = Experiment.of("cpu", with_io_programs=6, without_io_programs=3, stage_1_general=0.0, stage_2_general=0.0)
LORA = Optimisation(learning_rate=1e-2, batch_rows=4, row_tokens=128, lora_rank=4)
FOLLOWED = Document(
    "Consider the function Blorp: what is the output for 4?", "7", "general", "general", "Blorp", "4", "direct",
    (("And for 5?", "8"), ("And for 6?", "9")),
)  # fmt: skip


def documents(count: int = 60) -> list[Document]:
    stages = curriculum(EXPERIMENT)
    return [d for stage in stages for d in itertools.islice(stage.documents(), count // len(stages))]


@pytest.fixture(scope="module")
def tokenizer():
    return load_tokenizer("tiny-s")


@pytest.fixture(scope="module")
def rows(tokenizer) -> Dataset:
    return pack(encode(documents(), tokenizer), tokenizer, 128)


def test_loss_falls_on_completions_and_their_ends_and_on_nothing_else(tokenizer) -> None:
    for document, (ids, labels) in zip(documents(), encode(documents(), tokenizer), strict=True):
        kept = [label for label in labels if label != IGNORE]
        assert tokenizer.decode(kept) == document.completion + tokenizer.eos_token
        assert ids.count(tokenizer.bos_token_id) == 1
        assert ids[0] == tokenizer.bos_token_id
        assert tokenizer.decode(ids).count(document.prompt) == 1
    ((_, labels),) = encode([FOLLOWED], tokenizer)
    end = tokenizer.eos_token
    assert tokenizer.decode([label for label in labels if label != IGNORE]) == f"7{end}8{end}9{end}", "of every turn"
    broken = copy.deepcopy(tokenizer)
    broken.chat_template = "{{ messages[0]['content'] }}"  # leaves the completion out
    with pytest.raises(ValueError, match="no loss tokens"):
        encode(documents(2), broken)


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_packed_documents_do_not_see_each_other(tokenizer, micro_model: str, rows: Dataset, attention: str) -> None:
    model, _ = load(micro_model)
    model.set_attn_implementation(attention)
    alone, compared = {tuple(ids) for ids, _ in encode(documents(), tokenizer)}, 0
    for row in rows:
        columns = {name: torch.tensor([row[name]]) for name in ("input_ids", "position_ids")}
        with torch.no_grad():
            together = model(**columns, use_cache=False).logits[0]
        starts = [i for i, position in enumerate(row["position_ids"]) if position == 0]
        for start, end in itertools.pairwise([*starts, 128]):
            ids = row["input_ids"][start:end]
            if tuple(ids) in alone:
                with torch.no_grad():
                    single = model(input_ids=torch.tensor([ids])).logits[0]
                assert (single - together[start:end]).abs().max() < 1e-4
                compared += 1
    assert compared >= 50


def test_packing_loses_no_token_wastes_little_and_cuts_nothing(tokenizer) -> None:
    encoded = encode(documents(400), tokenizer)
    rows = pack(encoded, tokenizer, 192)
    packed = sum(label != IGNORE for labels in rows["labels"] for label in labels)
    assert packed == sum(label != IGNORE for _, labels in encoded for label in labels)
    assert len(rows) * 192 / sum(len(ids) for ids, _ in encoded) < 1.1
    with pytest.raises(ValueError, match=r"row_tokens=32 .* at least \d+"):
        pack(encode([FOLLOWED], tokenizer), tokenizer, 32)
    with pytest.raises(ValueError, match="none were given"):
        pack([], tokenizer, 32)


def test_few_rows_hold_the_documents_that_come_first_and_not_the_longest_of_a_thousand(tokenizer) -> None:
    (stage, *_) = curriculum(Experiment.of("smoke"))
    filled, taken = fill_rows(stage.documents(), tokenizer, 128, 16)
    first = itertools.islice(stage.documents(), sum(taken.values()))
    lengths = [len(ids) for ids, _ in encode(list(first), tokenizer)]
    assert sum(lengths[:-1]) < 16 * 128 <= sum(lengths), "no more than their tokens need"
    assert len(filled) == 16


@pytest.mark.parametrize("rank", [0, 4])
def test_training_lowers_the_loss_and_depends_on_its_seed_and_on_nothing_before(
    tokenizer, micro_model: str, rank: int
) -> None:
    stage = curriculum(EXPERIMENT)[0]
    weights, losses = [], []
    for number, seed in enumerate((3, 3, 4)):
        torch.manual_seed(number)
        random.seed(number)
        model, _ = load(micro_model)
        rows, taken = fill_rows(stage.documents(), tokenizer, 128, 40 * 4)
        assert sum(taken.values()) > 300
        seen: list[int] = []

        def note(step: int, current: torch.nn.Module, seen: list[int] = seen) -> None:
            seen.append(step)
            if step == 40:
                weights.append(torch.cat([p.detach().flatten() for p in current.parameters() if p.requires_grad]))

        done = finetune(
            model, tokenizer, rows, 40, Optimisation(1e-2, 4, 128, lora_rank=rank), seed,
            checkpoints=[10, 40], on_checkpoint=note, progress=False,
        )  # fmt: skip
        assert seen == [10, 40]
        losses.append([row["loss"] for row in done.log])
    assert torch.equal(*weights[:2])
    assert not torch.equal(*weights[1:])
    assert losses[0] == losses[1] != losses[2]
    assert losses[0][-1] < losses[0][0] - (0.1 if rank else 1)


def test_the_loss_of_adapters_is_that_of_all_logits(tokenizer, micro_model: str, rows: Dataset, monkeypatch) -> None:
    """Logits at the labels alone give the model's own loss and gradients, to the last digits of float32."""
    compared = []

    def compare(self: sft.AdapterTrainer, model, inputs, *arguments, **more) -> torch.Tensor:
        for name, parameter in model.named_parameters():
            if "lora_B" in name and not compared:  # which begin at 0, so that A would have no gradient
                torch.nn.init.normal_(parameter, generator=torch.Generator().manual_seed(0))
        labels = inputs["labels"][:, 1:]
        logits = model(inputs["input_ids"], position_ids=inputs["position_ids"], use_cache=False).logits[:, :-1]
        whole = torch.nn.functional.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=IGNORE)
        loss = computed(self, model, inputs, *arguments, **more)
        adapters = [p for p in model.parameters() if p.requires_grad]
        pairs = zip(*(torch.autograd.grad(each, adapters, retain_graph=True) for each in (loss, whole)), strict=True)
        compared.append((loss - whole).abs().item() / whole.item())
        compared.extend(((one - other).abs().max() / other.abs().max()).item() for one, other in pairs)
        assert all(gradient.abs().max() > 1e-4 for gradient in torch.autograd.grad(whole, adapters, retain_graph=True))
        return loss

    computed = sft.AdapterTrainer.compute_loss
    monkeypatch.setattr(sft.AdapterTrainer, "compute_loss", compare)
    model, _ = load(micro_model)
    how = Optimisation(batch_rows=4, row_tokens=128, lora_rank=4)
    finetune(model, tokenizer, rows.select(range(4)), 1, how, 0, progress=False)
    assert len(compared) == 1 + 2 * 2 * 7
    assert max(compared) < 1e-4  # relative; kernels add in another order on another CPU


SCALED = {
    "cohere": {"logit_scale": 0.25},
    "granite": {"logits_scaling": 8.0},
    "gemma2": {"final_logit_softcapping": 0.5},
}


@pytest.mark.parametrize("how", [LORA, Optimisation(1e-2, 4, 128)], ids=["adapters", "full"])
@pytest.mark.parametrize("kind", SCALED)
def test_a_model_that_scales_or_caps_its_logits_is_trained_on_those(
    tokenizer, rows: Dataset, kind: str, how: Optimisation
) -> None:
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "vocab_size": len(tokenizer)}
    heads = {"num_attention_heads": 2, "num_key_value_heads": 2, "head_dim": 16, "initializer_range": 0.5}
    config = AutoConfig.for_model(kind, **sizes, **heads, pad_token_id=tokenizer.pad_token_id, **SCALED[kind])
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config, attn_implementation="eager")
    batch = {name: torch.tensor(rows[:4][name]) for name in ("input_ids", "position_ids", "labels")}
    own = model(**batch, use_cache=False).loss.item()
    done = finetune(model, tokenizer, rows.select(range(4)), 1, how, 0, progress=False)
    assert done.log[0]["loss"] == pytest.approx(own, rel=1e-4)


def test_frozen_weights_in_bfloat16_learn_nearly_the_same(tokenizer, micro_model: str) -> None:
    rows, _ = fill_rows(curriculum(EXPERIMENT)[0].documents(), tokenizer, 128, 20 * 4)
    losses = {}
    for dtype in ("float32", "bfloat16"):
        model, _ = load(micro_model, dtype=dtype)
        backend = Backend("peft", "a test", dtype, dtype if dtype == "bfloat16" else "", "a test")
        formats: set[tuple[bool, torch.dtype]] = set()

        def note(_: int, trained: torch.nn.Module, formats=formats) -> None:
            formats.update((p.requires_grad, p.dtype) for p in trained.parameters())

        how = {"backend": backend, "progress": False, "checkpoints": [20], "on_checkpoint": note}
        done = finetune(model, tokenizer, rows, 20, LORA, 0, **how)
        assert formats == {(True, torch.float32), (False, getattr(torch, dtype))}
        losses[dtype] = [row["loss"] for row in done.log]
    assert losses["bfloat16"] != losses["float32"]
    assert losses["bfloat16"] == pytest.approx(losses["float32"], rel=0.03)
    assert losses["bfloat16"][-1] < losses["bfloat16"][0]


def test_a_compiled_model_learns_nearly_the_same(tokenizer, micro_model: str, rows: Dataset) -> None:
    if not compiles():
        pytest.skip("nothing can be compiled here")
    torch._dynamo.reset()
    losses, built = {}, torch._dynamo.utils.counters["stats"]
    for compiled in (False, True):
        before = built["unique_graphs"]
        model, _ = load(micro_model)
        if compiled:
            compile_in_place(model)
        losses[compiled] = [row["loss"] for row in finetune(model, tokenizer, rows, 10, LORA, 0, progress=False).log]
        assert (built["unique_graphs"] > before) == compiled
    assert losses[True] == pytest.approx(losses[False], rel=0.01)
    assert losses[True][-1] < losses[True][0]


def test_what_cannot_be_compiled_is_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for compiler in ("none-such", "false"):  # one that is not there, and one that fails
        monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / compiler))  # nothing compiled before
        monkeypatch.setattr(torch._inductor.config.cpp, "cxx", (compiler,))
        torch._dynamo.reset()
        compiles.cache_clear()
        assert not compiles()
    compiles.cache_clear()


@pytest.mark.parametrize("wrong", [float("nan"), 0.0])
def test_training_that_learns_nothing_is_stopped(
    tokenizer, micro_model: str, rows: Dataset, wrong: float, monkeypatch
) -> None:
    masked = rows.map(lambda row: {"labels": [IGNORE] * len(row["labels"])})
    with pytest.raises(FloatingPointError, match="gradients: their norm after 8 steps is"):
        finetune(load(micro_model)[0], tokenizer, masked, 10, Optimisation(1e-3, 1, 128), 0, progress=False)
    computed = sft.AdapterTrainer.compute_loss
    monkeypatch.setattr(sft.AdapterTrainer, "compute_loss", lambda *a, **k: computed(*a, **k) * wrong)
    how = Optimisation(1e-3, 1, 128, lora_rank=4)
    with pytest.raises(FloatingPointError, match="gradients: their norm after 10 steps is"):
        finetune(load(micro_model)[0], tokenizer, rows, 200, how, 0, progress=False)


def test_lora_trains_adapters_only_and_saves_a_whole_model(tokenizer, micro_model: str, tmp_path: Path) -> None:
    model, _ = load(micro_model)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    rows, _ = fill_rows(curriculum(EXPERIMENT)[0].documents(), tokenizer, 128, 20 * 4)
    finetune(
        model, tokenizer, rows, 20, LORA, 0, checkpoints=[20], progress=False,
        on_checkpoint=lambda step, current: save(current, tmp_path / "merged"),
    )  # fmt: skip
    merged, _ = load(micro_model, tmp_path / "merged")
    changed = {name for name, p in merged.named_parameters() if not torch.equal(p, before[name])}
    assert changed == {name for name in before if name.endswith("_proj.weight")}


def test_muon_takes_the_hidden_matrices_follows_the_schedule_and_learns(
    tokenizer, micro_model: str, rows: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, _ = load(micro_model)
    muon, adamw = MuonAndAdamW(model, lr=1e-3, weight_decay=0.1, betas=(0.9, 0.98)).parts
    of_muon, of_adamw = ([p for group in part.param_groups for p in group["params"]] for part in (muon, adamw))
    assert sorted(map(id, of_muon + of_adamw)) == sorted(id(p) for p in model.parameters())
    assert all(p.ndim == 2 and p is not model.get_input_embeddings().weight for p in of_muon)

    rates, step = [], MuonAndAdamW.step

    def watched(self, closure=None) -> None:
        rates.append({group["lr"] for part in self.parts for group in part.param_groups})
        before = [p.detach().clone() for p in model.parameters()]
        step(self, closure)
        moved = [not torch.equal(p, b) for p, b in zip(model.parameters(), before, strict=True)]
        assert any(moved) == all(moved) == (rates[-1] != {0.0})

    monkeypatch.setattr(MuonAndAdamW, "step", watched)
    done = finetune(model, tokenizer, rows, 20, Optimisation(1e-2, 4, 128, optimiser="muon"), 0, progress=False)
    assert all(len(of_parts) == 1 for of_parts in rates), "both parts have the one rate"
    assert rates[0] == {0.0}, "it warms up"
    assert max(rates[1:3], key=max) == {1e-2}
    assert max(rates[-1]) < 2e-3, "and ends near a tenth: what steps is what the schedule moves"
    assert done.log[-1]["loss"] < 0.8 * done.log[0]["loss"]
