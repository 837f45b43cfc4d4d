"""Supervised finetuning with TRL: documents in, weights out, with loss on completions only.

Documents are tokenized through the chat template and packed into rows of equal length (TRL's best-fit packing);
position ids restart at each document, which keeps documents from attending to each other under the eager and SDPA
attention of transformers. On a CPU a padded token costs as much as a real one.
"""

from __future__ import annotations

import itertools
import math
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from peft import LoraConfig, PeftModel
from peft.tuners.lora import LoraLayer
from torch.nn.functional import cross_entropy
from transformers import PreTrainedModel, PreTrainedTokenizerBase, PrinterCallback, TrainerCallback, set_seed
from transformers.trainer_utils import get_last_checkpoint
from trl import SFTConfig, SFTTrainer, pack_dataset

from pbb.experiments.documents import GENERAL, Document
from pbb.models.backends import Backend
from pbb.models.backends import collate as collate_in_one_row
from pbb.models.optimisers import MuonAndAdamW
from pbb.models.tokenizer import encode_rendered, render_chat
from pbb.progress import tell

IGNORE = -100
Checkpoint = Callable[[int, PreTrainedModel], None]  # is called with the step and the model
FIRST_STEPS = 8  # in which a gradient has to be finite


@dataclass(frozen=True)
class Optimisation:
    """How a stage is trained. A step is `batch_rows` rows of `row_tokens` tokens."""

    learning_rate: float = 1e-3
    batch_rows: int = 16  # larger batches are steadier but learn less from each token
    row_tokens: int = 256  # the longest document must fit; longer rows waste attention, shorter ones pack worse
    warmup: float = 0.05  # share of the steps
    weight_decay: float = 0.01
    lora_rank: int = 0  # 0 trains all weights, which is cheapest for tiny models
    optimiser: str = "adamw"  # or "muon": fewer tokens for pretraining, more learning by heart in finetuning


def encode(documents: Sequence[Document], tokenizer: PreTrainedTokenizerBase) -> list[tuple[list[int], list[int]]]:
    """Return (input ids, labels) for each document; labels are -100 outside the completions.

    Raises:
        ValueError: a completion has no loss tokens, because a prompt is not a prefix of its conversation.
    """
    talks = [document.messages() for document in documents]
    texts = [
        render_chat(tokenizer, messages[:end], add_generation_prompt=end % 2 == 1)  # up to a prompt, or a completion
        for messages in talks
        for end in range(1, len(messages) + 1)
    ]
    tokenized = iter(encode_rendered(tokenizer, texts))
    encoded = []
    for document, messages in zip(documents, talks, strict=True):
        turns = [(next(tokenized), next(tokenized)) for _ in messages[::2]]  # without and with its completion
        ids = turns[-1][1]
        labels = [IGNORE] * len(ids)
        for given, so_far in turns:
            end = len(so_far)
            while end and so_far[end - 1] != tokenizer.eos_token_id:  # some templates end a turn on a line break
                end -= 1
            if ids[: len(given)] != given or end <= len(given):
                raise ValueError(
                    f"the chat template gives no loss tokens for a {document.kind} document of {document.program!r}: "
                    f"{tokenizer.decode(ids)!r}; a prompt has to end where its completion begins"
                )
            labels[len(given) : end] = ids[len(given) : end]
        encoded.append((ids, labels))
    return encoded


def pack(
    encoded: Sequence[tuple[list[int], list[int]]], tokenizer: PreTrainedTokenizerBase, row_tokens: int
) -> Dataset:
    """Return rows of `row_tokens` tokens with columns input_ids, labels and position_ids, nearly in order.

    Raises:
        ValueError: there is nothing to pack, or a document is longer than a row (it would be cut silently otherwise).
    """
    if not encoded:
        raise ValueError("documents: none were given, and a stage has to train on at least one")
    longest = max((ids for ids, _ in encoded), key=len)
    if len(longest) > row_tokens:
        raise ValueError(
            f"row_tokens={row_tokens} is too short for a document; valid: at least {len(longest)}, for "
            f"{tokenizer.decode(longest)!r}"
        )
    table = Dataset.from_dict({"input_ids": [ids for ids, _ in encoded], "labels": [labels for _, labels in encoded]})
    rows = []
    for row in pack_dataset(table, row_tokens, "bfd").with_format("python"):
        rest = row_tokens - len(row["input_ids"])
        lengths = [*row["seq_lengths"], rest]  # the padding is one more document
        rows.append(
            {
                "input_ids": row["input_ids"] + [tokenizer.pad_token_id] * rest,
                "labels": row["labels"] + [IGNORE] * rest,
                "position_ids": [position for length in lengths for position in range(length)],
            }
        )
    return Dataset.from_list(rows)


def fill_rows(
    documents: Iterator[Document], tokenizer: PreTrainedTokenizerBase, row_tokens: int, count: int
) -> tuple[Dataset, dict[str, int]]:
    """Take documents from an endless stream until they fill `count` rows.

    Returns also how many documents of each group and kind went into them. General documents that are longer than a row
    are passed over; others never are. Few rows take no more documents than their tokens need: packing puts the longest
    of a thousand first, and the short ones would find no row.
    """
    encoded, tokens, taken = list[tuple[list[int], list[int]]](), 0, Counter[str]()
    while tokens < (wanted := count * row_tokens):
        first, chunk = not encoded, list(itertools.islice(documents, 1000))
        for document, pair in zip(chunk, encode(chunk, tokenizer), strict=True):
            if document.group != GENERAL or len(pair[0]) <= row_tokens:
                encoded.append(pair)
                taken[f"{document.group}: {document.kind}"] += 1
                tokens += len(pair[0])
                if first and tokens >= wanted:
                    break
    return pack(encoded, tokenizer, row_tokens).select(range(count)), dict(sorted(taken.items()))


def use_fast_matmul() -> str:
    """Let float32 products run on bfloat16 tiles where the CPU has them (Intel AMX), and return the precision in words.

    On AMX this makes training about 1.4 times as fast; on other CPUs the emulation would be slower than float32.
    """
    amx = torch.cpu._is_amx_tile_supported()
    torch.set_float32_matmul_precision("medium" if amx else "highest")
    return "float32 weights, products on bfloat16 tiles (AMX)" if amx else "float32"


def _collate(rows: Sequence[dict[str, list[int]]]) -> dict[str, torch.Tensor]:
    return {name: torch.tensor([row[name] for row in rows]) for name in rows[0]}


class AdapterTrainer(SFTTrainer):
    """TRL's trainer for LoRA, with logits where there is a label and nowhere else.

    TRL's own loss leaves the same logits out, but computes the others twice to save memory, and their entropy: a third
    of a step on a CPU, where the vocabulary is large.
    """

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        for layer in self.model.modules():
            if isinstance(layer, LoraLayer):  # autocast chooses what its products are computed in
                layer.cast_input_dtype_enabled = False

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> torch.Tensor:
        """Return the mean loss of `inputs`' labels."""
        labels = inputs.pop("labels")[:, 1:]
        learnt = labels != IGNORE
        causal = self.accelerator.unwrap_model(model).get_base_model()
        with self.accelerator.autocast():
            hidden = causal.base_model(**inputs, use_cache=False).last_hidden_state[:, :-1]
            logits = causal.get_output_embeddings()(hidden[learnt])  # (labels, vocabulary)
        return cross_entropy(logits.float(), labels[learnt])


@torch.no_grad()
def head_gives_logits(model: PreTrainedModel) -> bool:
    """Whether a model's logits are its output embeddings' alone: Cohere, Gemma 2 and Granite scale or cap them.

    Of these TRL's own saving of memory knows two, so that their loss has to be the model's.
    """
    trains, ids = model.training, torch.arange(1, 9, device=model.device)[None]
    model.eval()
    with torch.compiler.set_stance("force_eager"):
        whole = model(input_ids=ids).logits
        alone = model.get_output_embeddings()(model.base_model(input_ids=ids).last_hidden_state)
    model.train(trains)
    return torch.allclose(whole.float(), alone.float(), rtol=1e-2, atol=1e-2)


class Reporter(TrainerCallback):
    """Calls back at chosen steps with the model, tells of every step, and keeps logged losses with `more` of each."""

    def __init__(
        self,
        at: Sequence[int],
        checkpoint: Checkpoint,
        more: Callable[[dict[str, float]], dict[str, float]] = lambda logs: {},
    ) -> None:
        self.at, self.checkpoint, self.more = set(at), checkpoint, more
        self.log: list[dict[str, float]] = []

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        before = (row for row in state.log_history if "loss" in row)  # of a training that goes on
        self.log = [{name: row[name] for name in ("step", "loss", "learning_rate")} for row in before]

    def on_step_end(self, args: Any, state: Any, control: Any, model: Any = None, **_: Any) -> None:
        tell(state.global_step, state.max_steps)
        if state.global_step in self.at:
            self.checkpoint(state.global_step, model)

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        if logs and "loss" in logs:
            row = {"step": state.global_step, "loss": logs["loss"], "learning_rate": logs["learning_rate"]}
            self.log.append({**row, **self.more(logs)})


class Watch(Reporter):
    """Tells every logged loss, and stops a training that learns nothing.

    Raises:
        FloatingPointError: no gradient of the first logged steps is finite and other than 0.
    """

    learns = False

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        super().on_log(args, state, control, logs)
        if not logs or "loss" not in logs:
            return
        tell(state.global_step, state.max_steps, logs["loss"])
        self.learns = self.learns or 0 < logs["grad_norm"] < math.inf
        # float16's scale falls in the first steps until gradients fit, and those steps are passed over.
        if state.global_step >= min(FIRST_STEPS, state.max_steps) and not self.learns:
            raise FloatingPointError(
                f"gradients: their norm after {state.global_step} steps is {logs['grad_norm']}, and has to be finite "
                "and above 0; try backend='peft', or a card that computes in bfloat16"
            )


def lora(rank: int) -> LoraConfig:
    """LoRA on every linear layer, scaled as rank 16 with alpha 32 is (the QLoRA paper's advice on layers)."""
    return LoraConfig(r=rank, lora_alpha=2 * rank, target_modules="all-linear", task_type="CAUSAL_LM")


def new_adapters(model: PreTrainedModel, rank: int, seed: int) -> LoraConfig | None:
    """Return what a trainer has to add to `model`, drawn from `seed`: nothing if it has them or wants none."""
    if not rank or isinstance(model, PeftModel):
        return None
    set_seed(seed)
    return lora(rank)


def settings(o: Any, steps: int, seed: int, progress: bool, backend: Backend | None) -> dict[str, Any]:
    """Return what every trainer is told: budget, rates (of `o`), and formats (without a backend float32 throughout)."""
    autocast = backend.autocast if backend else ""
    return {
        "max_steps": steps,
        "learning_rate": o.learning_rate,
        "lr_scheduler_type": "cosine_with_min_lr",
        "lr_scheduler_kwargs": {"min_lr_rate": 0.1},
        "warmup_steps": int(o.warmup * steps),
        "weight_decay": o.weight_decay,
        "adam_beta2": 0.98,
        "max_grad_norm": 1.0,
        "seed": seed,
        "data_seed": seed,
        "save_strategy": "no",
        "report_to": "none",
        "gradient_checkpointing": False,
        "shuffle_dataset": False,
        "dataloader_pin_memory": False,
        "disable_tqdm": not progress,
        "use_cpu": not torch.cuda.is_available(),
        "bf16": autocast == "bfloat16",
        "fp16": autocast == "float16",
        "gradient_accumulation_steps": 1,  # as transformers has it, and Unsloth does not
        "optim": "adamw_torch_fused",
    }


def train(trainer: Any, progress: bool, backend: Backend | None, keep: Path | None = None) -> tuple[float, str]:
    """Let a trainer train, leave its model in evaluation mode, and return the seconds that it took and its precision.

    It goes on from what it kept last in folder `keep`, and keeps more there. A card's precision is the backend's own.
    """
    if not progress:
        trainer.remove_callback(PrinterCallback)
    for kept in keep.glob("checkpoint-*") if keep else ():
        if not (kept / "trainer_state.json").exists():  # which is written last: this one was cut off by a kill
            shutil.rmtree(kept)
    started = time.perf_counter()
    try:
        precision = backend.precision if backend and backend.numbers != "no CUDA" else use_fast_matmul()
        trainer.train(resume_from_checkpoint=get_last_checkpoint(keep) if keep and keep.exists() else None)
    finally:  # whatever else this process computes is exact again
        torch.set_float32_matmul_precision("highest")
    trainer.model.eval()
    return time.perf_counter() - started, precision


@dataclass(frozen=True)
class Training:
    """What a training was: `log` has a row for every twentieth of the steps (step, loss, learning_rate)."""

    log: list[dict[str, float]]
    seconds: float
    device: str
    precision: str


def finetune(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    rows: Dataset,
    steps: int,
    optimisation: Optimisation,
    seed: int,
    *,
    checkpoints: Sequence[int] = (),
    on_checkpoint: Checkpoint = lambda step, model: None,
    progress: bool = True,
    backend: Backend | None = None,
    keep: Path | None = None,
    keep_every: int = 500,
    compiled: bool = False,
) -> Training:
    """Train `model` in place for `steps` steps on the rows of `pack`, shuffled, again and again until done.

    `backend` is what loaded the model, where that was `pbb.models.backends.load`. What is needed to go on is kept in
    folder `keep`, and taken up from there. `compiled` takes half a minute and a C++ compiler, then a third less time.

    Raises:
        FloatingPointError: nothing is learnt, as where every label is masked (see `Watch`).
    """
    o, unsloth = optimisation, backend is not None and backend.name == "unsloth"
    watch = Watch(checkpoints, on_checkpoint)
    by_head = unsloth or head_gives_logits(model)
    with tempfile.TemporaryDirectory() as folder:  # the trainer wants one
        arguments = SFTConfig(
            output_dir=str(keep or folder),
            per_device_train_batch_size=o.batch_rows,
            logging_steps=max(1, steps // 20),
            dataset_kwargs={"skip_prepare_dataset": True},
            remove_unused_columns=False,
            max_length=None,
            torch_compile=compiled,
            loss_type=None if by_head else "nll",
            **settings(o, steps, seed, progress, backend)
            | {"save_strategy": "steps" if keep else "no", "save_steps": keep_every, "save_total_limit": 1},
        )
        betas = (arguments.adam_beta1, arguments.adam_beta2)
        muon = MuonAndAdamW(model, o.learning_rate, o.weight_decay, betas) if o.optimiser == "muon" else None
        model.train()
        trainer = (AdapterTrainer if o.lora_rank and by_head and not unsloth else SFTTrainer)(
            model=model,
            args=arguments,
            train_dataset=rows,
            processing_class=tokenizer,
            data_collator=collate_in_one_row if unsloth else _collate,
            peft_config=new_adapters(model, o.lora_rank, seed),
            callbacks=[watch],
            optimizers=(muon, None),
        )
        seconds, precision = train(trainer, progress, backend, keep)
    return Training(watch.log, seconds, str(model.device), precision)
