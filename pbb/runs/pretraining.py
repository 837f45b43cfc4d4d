"""The tiny base models: their shapes, how they are pretrained, and where they lie.

``make base-models`` trains them again. Weights are committed as float16 safetensors beside a manifest that says on
what and how they were trained and how well they run programs given in context.
"""

from __future__ import annotations

import itertools
import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset, concatenate_datasets, load_from_disk
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
    set_seed,
)

from pbb import store
from pbb.experiments.base_data import PRACTICE, base_documents, mixture_of
from pbb.experiments.documents import ANSWER_MODES, REPRESENTATIONS, answer, in_context, in_full, parse_answer, question
from pbb.experiments.teaching import TUTORED, tutoring
from pbb.models.ask import generate
from pbb.models.loading import TINY_FOLDER, describe, load
from pbb.models.sft import Optimisation, encode, finetune, pack
from pbb.models.tokenizer import train_tokenizer
from pbb.programs.arithmetic import CONTROL, Arithmetic
from pbb.programs.domains import DOMAINS, accepts
from pbb.programs.domains import generate as generate_programs
from pbb.runs.tasks import EvaluationTask, StageTask
from pbb.store import atomic_folder, environment_manifest, write_manifest
from pbb.streams import stream

SEED = "base models 1"  # the base data's own stream: experiments use integers
SHARD = 10_000  # documents
WEIGHT_DECAY = 0.1
PRACTICE_RATE = 0.6  # of the learning rate, in further rounds
PASSES = 2  # over the base data: a row is made in about the time that a tiny model takes to learn from it


@dataclass(frozen=True)
class TinyShape:
    """Shape and training of one tiny model."""

    hidden: int
    layers: int
    heads: int
    learning_rate: float
    steps: int  # of `batch_rows` rows: more, smaller steps learn more from a token
    batch_rows: int = 8
    row_tokens: int = 256
    practice: tuple[int, ...] = ()  # steps of each further round, on `PRACTICE`, at a rate that starts anew
    after: str = ""  # the model whose weights it starts from


TINY = {
    "tiny-s": TinyShape(hidden=64, layers=5, heads=4, learning_rate=3e-3, steps=5000, practice=(2000,)),
    "tiny-m": TinyShape(hidden=128, layers=5, heads=4, learning_rate=2e-3, steps=11500, practice=(4000,)),
    "tiny-l": TinyShape(hidden=192, layers=7, heads=6, learning_rate=1.5e-3, steps=5600, practice=(2800, 2500)),
    "tiny-m-ciphers": TinyShape(
        hidden=128, layers=5, heads=4, learning_rate=1.5e-3, steps=1600, batch_rows=6, row_tokens=384, after="tiny-m"
    ),
}


def new_model(shape: TinyShape, tokenizer: PreTrainedTokenizerBase) -> LlamaForCausalLM:
    """Return an untrained Llama-architecture model of `shape`."""
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=shape.hidden,
        intermediate_size=3 * shape.hidden,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        max_position_embeddings=1024,
        tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return LlamaForCausalLM._from_config(config, attn_implementation="eager")


def _used(name: str, tokenizer: PreTrainedTokenizerBase) -> set[int]:
    """Return the tokens that occur in 2,000 documents of what the model `name` is trained on."""
    documents = list(itertools.islice(base_documents(SEED, "tokens", mixture=mixture_of(name)), 2000))
    return {token for ids, _ in encode(documents, tokenizer) for token in ids}


def starting_point(name: str, tokenizer: PreTrainedTokenizerBase) -> LlamaForCausalLM:
    """Return the untrained model `name`: new, or with the weights of the one that it comes after.

    In these the tokens that were never trained on all have one and the same long embedding (cosine 0.999), from which
    they would hardly get away. Those that are needed now are drawn anew, as long as the others.
    """
    shape = TINY[name]
    if not shape.after:
        return new_model(shape, tokenizer)
    model, _ = load(shape.after)
    known = _used(shape.after, tokenizer)
    unknown = sorted(_used(name, tokenizer) - known)
    with torch.no_grad():
        embeddings = model.get_input_embeddings().weight
        fresh = torch.nn.functional.normalize(torch.randn(len(unknown), shape.hidden))
        embeddings[unknown] = fresh * embeddings[sorted(known)].norm(dim=1).mean()
    return model


def build_tokenizer() -> PreTrainedTokenizerFast:
    """Train the tokenizer on 20,000 base documents."""
    sample = list(itertools.islice(base_documents(SEED, "tokenizer"), 20_000))
    return train_tokenizer(text for document in sample for text in (document.prompt, document.completion))


def _shard(
    index: int, folder: Path, tokenizer_folder: Path, name: str, row_tokens: int, practice: bool = False
) -> Path:
    path = folder / f"shard-{index:03d}"
    if not path.exists():
        tokenizer = PreTrainedTokenizerFast.from_pretrained(tokenizer_folder)
        key, mixture = ("practice", PRACTICE) if practice else ("corpus", mixture_of(name))
        documents = itertools.islice(base_documents(SEED, key, index, mixture=mixture), SHARD)
        fitting = [pair for pair in encode(list(documents), tokenizer) if len(pair[0]) <= row_tokens]
        pack(fitting, tokenizer, row_tokens).save_to_disk(path.with_suffix(".partial"))
        path.with_suffix(".partial").rename(path)
    return path


def build_corpus(folder: Path, tokenizer_folder: Path, name: str, workers: int, practice: bool = False) -> Dataset:
    """Return packed base data for `PASSES` passes of `name`, made in shards that are kept under `folder`."""
    shape = TINY[name]
    steps = sum(shape.practice) if practice else shape.steps
    rows_needed, rows, shards = steps * shape.batch_rows // PASSES, 0, []
    what = (folder, tokenizer_folder, name, shape.row_tokens, practice)
    with ProcessPoolExecutor(workers) as pool:
        for start in itertools.count(0, workers):
            futures = [pool.submit(_shard, start + i, *what) for i in range(workers)]
            shards += [load_from_disk(future.result()) for future in futures]
            rows = sum(map(len, shards))
            if rows >= rows_needed:
                return concatenate_datasets(shards)
    raise AssertionError("unreachable")


# -------------------------------------------------------------------------------------------------- how good?
PROBES: tuple[tuple[str, Any], ...] = (
    ("1 statement", Arithmetic()),
    ("2 statements", Arithmetic(statements=2)),
    ("3 statements", Arithmetic(statements=3)),
    ("3 statements with if, for, while", Arithmetic(statements=3, control=CONTROL)),
    ("2 statements, two arguments", Arithmetic(statements=2, arguments=2)),
    ("1 large number added", Arithmetic(operations=1, operators=("+", "-"), largest=999, wrap=None)),
)


def probes(name: str) -> list[tuple[str, Any]]:
    """Return what the model `name` is measured on: `PROBES`, and the other domains that it was trained on."""
    domains = {domain.settings: label for label, domain in DOMAINS.items()}
    others = [settings for _, settings in mixture_of(name).programs if not isinstance(settings, Arithmetic)]
    return [*PROBES, *((domains[type(settings)], settings) for settings in others)]


def in_context_accuracy(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, probes: Sequence[tuple[str, Any]], programs: int = 300
) -> dict[str, dict[str, float]]:
    """Return accuracy on fresh programs given in context, by kind of program and by representation and answer mode.

    The programs come from the experiments' half of all sources, so none was in the base data; their stream is one
    that no experiment uses.
    """
    found: dict[str, dict[str, float]] = {}
    for label, settings in probes:
        made = generate_programs(settings, programs, SEED, "probe")
        for form, mode in itertools.product(REPRESENTATIONS, ANSWER_MODES):
            rng = stream(SEED, "probe questions", label, form, mode)
            asked = [(p, rng.choice(p.inputs), rng.randrange(20)) for p in made]
            prompts = [in_context(in_full(p, form), question(p, x, t, mode)) for p, x, t in asked]
            targets = [answer(p, x, mode) for p, x, _ in asked]
            lengths = [len(ids) + 12 for ids in tokenizer(targets, add_special_tokens=False)["input_ids"]]
            written = generate(model, tokenizer, prompts, lengths)
            parsed = [parse_answer(w, mode) for w in written]
            right = [a is not None and accepts(p, x, a) for a, (p, x, _) in zip(parsed, asked, strict=True)]
            found.setdefault(label, {})[f"{form}, {mode}"] = round(sum(right) / len(right), 4)
    return found


def train_round(
    name: str, model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, rows: Dataset, practice: int = 0
) -> dict[str, object]:
    """Train `model` in place for round number `practice`, 0 for the first; return what its manifest says of it.

    It ends rounded to float16, as it would be loaded, so that a further round can also start from committed weights.
    """
    shape = TINY[name]
    rate, steps = (PRACTICE_RATE, shape.practice[practice - 1]) if practice else (1.0, shape.steps)
    optimisation = Optimisation(
        rate * shape.learning_rate, shape.batch_rows, shape.row_tokens, weight_decay=WEIGHT_DECAY, optimiser="muon"
    )
    done = finetune(model, tokenizer, rows, steps, optimisation, seed=practice, progress=False)
    model.half().float()
    return {"steps": steps, "seconds": round(done.seconds), "precision": done.precision, "log": done.log}


def pretrain(
    name: str, rows: Dataset, tokenizer: PreTrainedTokenizerFast, practice_rows: Dataset | None = None
) -> None:
    """Pretrain `name` in all its rounds, measure it, and put it in place under `pbb/base_models/`."""
    torch.set_num_threads(1)
    set_seed(0)
    model = starting_point(name, tokenizer)
    rounds = [train_round(name, model, tokenizer, rows)]
    if practice_rows is not None:
        further = range(1, 1 + len(TINY[name].practice))
        rounds += [train_round(name, model, tokenizer, practice_rows, number) for number in further]
    install(name, model, tokenizer, {"rounds": rounds})


def install(
    name: str, model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, training: dict[str, object]
) -> None:
    """Measure `model` as it will be loaded (rounded to float16), then write weights, tokenizer and manifest."""
    shape = TINY[name]
    rounded = model.half().float()
    accuracy = in_context_accuracy(rounded, tokenizer, probes(name))
    folder = TINY_FOLDER / name
    with atomic_folder(folder, replace=True) as partial:
        rounded.half().save_pretrained(partial)
        tokenizer.save_pretrained(partial)
        manifest = {
            "kind": "base model",
            "name": name,
            "parameters": sum(p.numel() for p in model.parameters()),
            "shape": asdict(shape),
            "tokens": (shape.steps + sum(shape.practice)) * shape.batch_rows * shape.row_tokens,
            "base_data": {"stream": SEED, "mixture": asdict(mixture_of(name)), "practice": asdict(PRACTICE)},
            "in_context_accuracy": accuracy,
            "training": training,
            **environment_manifest(),
        }
        write_manifest(partial, manifest)


def tutor() -> None:
    """Put `TUTORED` in place: tiny-m after the one stage of `teaching.tutoring`, which is trained if need be."""
    stage = StageTask(tutoring(), 0)
    asked = EvaluationTask(tutoring(), 0, stage.checkpoints()[-1])
    stage.run()
    asked.run()
    answers = asked.answers()
    right = (answers["outcome"] == "correct").groupby([answers["group"], answers["answer_mode"]]).mean()
    model, tokenizer = load("tiny-m", stage.weights)
    with atomic_folder(TINY_FOLDER / TUTORED, replace=True) as partial:
        model.half().save_pretrained(partial)
        tokenizer.save_pretrained(partial)
        manifest = {
            "kind": "base model",
            "name": TUTORED,
            "parameters": model.num_parameters(),
            "made_of": describe("tiny-m"),
            "experiment": asdict(tutoring()),
            "accuracy": {", ".join(key): round(share, 4) for key, share in right.items()},
            **environment_manifest(),
        }
        write_manifest(partial, manifest)


def build(names: Sequence[str] | None, workers: int) -> None:
    """Train base models again: tokenizer and corpus are kept in ``runs/base/``, the models run side by side."""
    chosen = list(names or (*TINY, TUTORED))
    for name in chosen:
        if name not in (*TINY, TUTORED):
            raise ValueError(f"model={name!r} is not valid; valid: {', '.join((*TINY, TUTORED))}")
    if pretrained := [name for name in chosen if name in TINY]:
        _pretrain_all(pretrained, workers)
    if TUTORED in chosen:
        tutor()
        print(f"{TUTORED} is trained: {TINY_FOLDER / TUTORED}")


def _pretrain_all(chosen: Sequence[str], workers: int) -> None:
    work = store.runs() / "base"
    work.mkdir(parents=True, exist_ok=True)
    if new := [name for name in chosen if not TINY[name].after]:
        if not (work / "tokenizer").exists():
            print("training the tokenizer")
            build_tokenizer().save_pretrained(work / "tokenizer")
        _side_by_side(new, work, work / "tokenizer", workers)
    for name in chosen:
        if after := TINY[name].after:
            _side_by_side([name], work / name, TINY_FOLDER / after, workers)


def _side_by_side(chosen: Sequence[str], work: Path, tokenizer_folder: Path, workers: int) -> None:
    """Train the `chosen` on the same base data: as much as the longest training of theirs needs."""
    print(f"making base data for {', '.join(chosen)}")
    tokenizer = PreTrainedTokenizerFast.from_pretrained(tokenizer_folder)
    longest = max(chosen, key=lambda name: TINY[name].steps)
    rows, practice_rows = build_corpus(work / "corpus", tokenizer_folder, longest, workers), None
    if TINY[longest].practice:
        practice_rows = build_corpus(work / "practice", tokenizer_folder, longest, workers, practice=True)
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
        futures = {pool.submit(pretrain, name, rows, tokenizer, practice_rows): name for name in reversed(chosen)}
        for future in as_completed(futures):
            future.result()
            print(f"{futures[future]} is trained: {TINY_FOLDER / futures[future]}")
