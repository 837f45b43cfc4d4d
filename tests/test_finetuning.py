"""Finetuning: loss falls on completions alone, packing changes nothing, and training is deterministic."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
import torch

from pbb.experiments.curricula import curriculum
from pbb.experiments.documents import Document
from pbb.experiments.experiment import Experiment
from pbb.models import sft
from pbb.models.backends import Backend
from pbb.models.loading import load, load_tokenizer, save
from pbb.models.sft import IGNORE, Optimisation, encode, fill_rows, finetune, pack

EXPERIMENT = Experiment.of("cpu", with_io_programs=6, without_io_programs=3, stage_1_general=0.0, stage_2_general=0.0)
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


def test_loss_falls_on_the_completion_and_its_end_and_on_nothing_else(tokenizer) -> None:
    for document, (ids, labels) in zip(documents(), encode(documents(), tokenizer), strict=True):
        kept = [label for label in labels if label != IGNORE]
        assert tokenizer.decode(kept) == document.completion + tokenizer.eos_token
        assert ids.count(tokenizer.bos_token_id) == 1
        assert ids[0] == tokenizer.bos_token_id
        assert tokenizer.decode(ids).count(document.prompt) == 1


def test_every_turn_of_a_conversation_carries_loss(tokenizer) -> None:
    ((_, labels),) = encode([FOLLOWED], tokenizer)
    end = tokenizer.eos_token
    assert tokenizer.decode([label for label in labels if label != IGNORE]) == f"7{end}8{end}9{end}"


def test_a_template_that_would_train_nothing_is_refused(tokenizer) -> None:
    import copy

    broken = copy.deepcopy(tokenizer)
    broken.chat_template = "{{ messages[0]['content'] }}"  # leaves the completion out
    with pytest.raises(ValueError, match="no loss tokens"):
        encode(documents(2), broken)


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_packed_documents_do_not_see_each_other(tokenizer, micro_model: str, attention: str) -> None:
    model, _ = load(micro_model)
    model.set_attn_implementation(attention)
    encoded = encode(documents(), tokenizer)
    rows = pack(encoded, tokenizer, 128)
    alone = {tuple(ids): ids for ids, _ in encoded}
    compared = 0
    for row in rows:
        with torch.no_grad():
            together = model(
                input_ids=torch.tensor([row["input_ids"]]), position_ids=torch.tensor([row["position_ids"]]),
                use_cache=False,
            ).logits[0]  # fmt: skip
        starts = [i for i, position in enumerate(row["position_ids"]) if position == 0]
        for start, end in zip(starts, [*starts[1:], 128], strict=True):
            ids = row["input_ids"][start:end]
            if tuple(ids) in alone:
                with torch.no_grad():
                    single = model(input_ids=torch.tensor([ids])).logits[0]
                assert (single - together[start:end]).abs().max() < 1e-4
                compared += 1
    assert compared >= 50


def test_packing_loses_no_token_and_wastes_little(tokenizer) -> None:
    encoded = encode(documents(400), tokenizer)
    rows = pack(encoded, tokenizer, 128)
    packed = sum(label != IGNORE for labels in rows["labels"] for label in labels)
    assert packed == sum(label != IGNORE for _, labels in encoded for label in labels)
    real = sum(len(ids) for ids, _ in encoded)
    assert len(rows) * 128 / real < 1.1


def test_few_rows_hold_the_documents_that_come_first_and_not_the_longest_of_a_thousand(tokenizer) -> None:
    (stage, *_) = curriculum(Experiment.of("smoke"))
    rows, taken = fill_rows(stage.documents(), tokenizer, 128, 16)
    count = sum(taken.values())
    lengths = [len(ids) for ids, _ in encode(list(itertools.islice(stage.documents(), count)), tokenizer)]
    assert sum(lengths[:-1]) < 16 * 128 <= sum(lengths), "no more than their tokens need"
    packed = sum(label != IGNORE for labels in rows["labels"] for label in labels)
    assert len(rows) == 16
    assert packed > 0


def test_a_document_longer_than_a_row_is_refused_and_never_cut(tokenizer) -> None:
    with pytest.raises(ValueError, match=r"row_tokens=32 .* at least \d+"):
        pack(encode([FOLLOWED], tokenizer), tokenizer, 32)
    with pytest.raises(ValueError, match="none were given"):
        pack([], tokenizer, 32)


def test_masked_rows_are_refused(tokenizer, micro_model: str) -> None:
    model, _ = load(micro_model)
    rows = pack(encode(documents(), tokenizer), tokenizer, 128)
    masked = rows.map(lambda row: {"labels": [IGNORE] * len(row["labels"])})
    with pytest.raises(ValueError, match="masked"):
        finetune(model, tokenizer, masked, 1, Optimisation(), 0, progress=False)


def test_training_lowers_the_loss_and_two_runs_are_identical(tokenizer, micro_model: str) -> None:
    stage = curriculum(EXPERIMENT)[0]
    weights, losses = [], []
    for _ in range(2):
        model, _ = load(micro_model)
        rows, taken = fill_rows(stage.documents(), tokenizer, 128, 40 * 4)
        assert sum(taken.values()) > 300
        seen: list[int] = []
        done = finetune(
            model, tokenizer, rows, 40, Optimisation(learning_rate=1e-2, batch_rows=4, row_tokens=128), 3,
            checkpoints=[10, 40], on_checkpoint=lambda step, _, seen=seen: seen.append(step), progress=False,
        )  # fmt: skip
        assert seen == [10, 40]
        weights.append(torch.cat([p.detach().flatten() for p in model.parameters()]))
        losses.append([row["loss"] for row in done.log])
    assert torch.equal(*weights)
    assert losses[0] == losses[1]
    assert losses[0][-1] < losses[0][0] - 1


def test_the_loss_of_adapters_is_that_of_all_logits(tokenizer, micro_model: str, monkeypatch) -> None:
    """Logits at the labels alone give the model's own loss and gradients, to the last digits of float32."""
    rows = pack(encode(documents(), tokenizer), tokenizer, 128).select(range(4))
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
    finetune(model, tokenizer, rows, 1, Optimisation(batch_rows=4, row_tokens=128, lora_rank=4), 0, progress=False)
    assert len(compared) == 1 + 2 * 2 * 7
    assert max(compared) < 1e-4  # relative; kernels add in another order on another CPU


def test_frozen_weights_in_bfloat16_learn_nearly_the_same(tokenizer, micro_model: str) -> None:
    rows, _ = fill_rows(curriculum(EXPERIMENT)[0].documents(), tokenizer, 128, 20 * 4)
    how = Optimisation(learning_rate=1e-2, batch_rows=4, row_tokens=128, lora_rank=4)
    losses = {}
    for dtype in ("float32", "bfloat16"):
        model, _ = load(micro_model, dtype=dtype)
        backend = Backend("peft", "a test", dtype, dtype if dtype == "bfloat16" else "", "a test")
        formats: set[tuple[bool, torch.dtype]] = set()

        def note(_: int, trained: torch.nn.Module, formats=formats) -> None:
            formats.update((p.requires_grad, p.dtype) for p in trained.parameters())

        done = finetune(
            model, tokenizer, rows, 20, how, 0, backend=backend, progress=False, checkpoints=[20], on_checkpoint=note
        )
        assert formats == {(True, torch.float32), (False, getattr(torch, dtype))}
        losses[dtype] = [row["loss"] for row in done.log]
    assert losses["bfloat16"] != losses["float32"]
    assert losses["bfloat16"] == pytest.approx(losses["float32"], rel=0.03)
    assert losses["bfloat16"][-1] < losses["bfloat16"][0]


@pytest.mark.parametrize("wrong", [float("nan"), 0.0])
def test_training_that_learns_nothing_is_stopped(tokenizer, micro_model: str, wrong: float, monkeypatch) -> None:
    computed = sft.AdapterTrainer.compute_loss
    monkeypatch.setattr(sft.AdapterTrainer, "compute_loss", lambda *a, **k: computed(*a, **k) * wrong)
    model, _ = load(micro_model)
    rows = pack(encode(documents(), tokenizer), tokenizer, 128)
    with pytest.raises(FloatingPointError, match=r"gradients: their norms in the first 8 steps were \["):
        finetune(model, tokenizer, rows, 200, Optimisation(1e-3, 1, 128, lora_rank=4), 0, progress=False)


def test_lora_trains_adapters_only_and_saves_a_whole_model(tokenizer, micro_model: str, tmp_path: Path) -> None:
    stage = curriculum(EXPERIMENT)[0]
    model, _ = load(micro_model)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    rows, _ = fill_rows(stage.documents(), tokenizer, 128, 20 * 4)
    finetune(
        model, tokenizer, rows, 20, Optimisation(learning_rate=1e-2, batch_rows=4, row_tokens=128, lora_rank=4), 0,
        checkpoints=[20], on_checkpoint=lambda step, current: save(current, tmp_path / "merged"), progress=False,
    )  # fmt: skip
    merged, _ = load(micro_model, tmp_path / "merged")
    changed = {name for name, p in merged.named_parameters() if not torch.equal(p, before[name])}
    linear = {name for name in before if name.endswith("_proj.weight")}
    assert changed == linear


def test_muon_takes_the_hidden_matrices_follows_the_schedule_and_learns(
    tokenizer, micro_model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pbb.models.optimisers import MuonAndAdamW

    model, _ = load(micro_model)
    optimiser = MuonAndAdamW(model, lr=1e-3, weight_decay=0.1, betas=(0.9, 0.98))
    muon, adamw = optimiser.parts
    stepped = [p for part in (muon, adamw) for group in part.param_groups for p in group["params"]]
    assert sorted(map(id, stepped)) == sorted(id(p) for p in model.parameters())
    assert not any(p is model.get_input_embeddings().weight for g in muon.param_groups for p in g["params"])
    assert all(p.ndim == 2 for g in muon.param_groups for p in g["params"])
    for group in optimiser.param_groups:  # as a schedule does
        group["lr"] = 0.0
    before = [p.detach().clone() for p in model.parameters()]
    for p in model.parameters():
        p.grad = torch.ones_like(p)
    optimiser.step()
    assert all(torch.equal(p, b) for p, b in zip(model.parameters(), before, strict=True))

    rows = pack(encode(documents(), tokenizer), tokenizer, 128)
    rates, step = [], MuonAndAdamW.step

    def watched(self, closure=None) -> None:
        rates.append({group["lr"] for part in self.parts for group in part.param_groups})
        step(self, closure)

    monkeypatch.setattr(MuonAndAdamW, "step", watched)
    done = finetune(model, tokenizer, rows, 20, Optimisation(1e-2, 4, 128, optimiser="muon"), 0, progress=False)
    assert all(len(of_parts) == 1 for of_parts in rates), "both parts have the one rate"
    assert rates[0] == {0.0}, "it warms up"
    assert max(rates[1:3], key=max) == {1e-2}
    assert max(rates[-1]) < 2e-3, "and ends near a tenth: what steps is what the schedule moves"
    assert done.log[-1]["loss"] < 0.8 * done.log[0]["loss"]
