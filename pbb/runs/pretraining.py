"""The tiny base models: their shapes, how they are pretrained, and where they lie.

``make base-models`` trains them again. Weights are committed as float16 safetensors beside a manifest that says on
what and how they were trained and how well they run programs given in context.
"""

from __future__ import annotations

import functools
import itertools
import multiprocessing
import shutil
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset, concatenate_datasets, load_from_disk
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel, PreTrainedTokenizerFast, set_seed

from pbb import progress, store
from pbb.experiments.base_data import MIXTURES, base_documents, mixture_of
from pbb.experiments.documents import ANSWER_MODES, REPRESENTATIONS, answer, in_context, in_full, parse_answer, question
from pbb.experiments.everyday import everyday, lessons
from pbb.experiments.teaching import TUTORED
from pbb.models.ask import generate
from pbb.models.loading import describe, load
from pbb.models.machine import compiles
from pbb.models.sft import Optimisation, encode, fill_rows, finetune, pack
from pbb.models.tokenizer import train_tokenizer
from pbb.programs.algorithms import Algorithms
from pbb.programs.arithmetic import CONTROL, Arithmetic
from pbb.programs.domains import POINTERS, accepts, domain_of
from pbb.programs.domains import generate as generate_programs
from pbb.programs.sums import Sums
from pbb.registry import TINY_FOLDER
from pbb.runs import keys
from pbb.runs.engine import start_worker
from pbb.store import atomic_folder, environment_manifest, write_manifest
from pbb.streams import digest, stream

SEED = "base models 2"  # the base data's own stream: experiments use integers
SHARD = 10_000  # documents
WEIGHT_DECAY = 0.1
PASSES = 2  # over the base data
KEPT_EVERY = 250  # steps: what is lost when a training is stopped
TUTORED_ON, SHOWN, TUTORED_STEPS = 1200, 7, 4000  # functions, of each the inputs that are shown, and steps
TOKENIZER_SHARES = (("tiny-m", 14_000), ("tiny-m-strings", 6_000))  # documents of what these are trained on


@dataclass(frozen=True)
class TinyShape:
    """Shape and training of one tiny model."""

    hidden: int
    layers: int
    heads: int
    learning_rate: float
    steps: int  # of `batch_rows` rows
    inner: int = 0  # of the blocks' MLPs; 0 for three times `hidden`
    gated: bool = True  # Llama's MLPs; else Arcee's, which are plain: up, squared ReLU, down
    batch_rows: int = 16
    row_tokens: int = 256


TINY = {
    "tiny-s": TinyShape(hidden=48, layers=4, heads=4, learning_rate=5e-3, steps=7400),
    "tiny-sm": TinyShape(hidden=72, layers=5, heads=4, learning_rate=5e-3, steps=7400),
    "tiny-m": TinyShape(hidden=128, layers=5, heads=4, learning_rate=5e-3, steps=10750),
    "tiny-m-strings": TinyShape(
        hidden=128, layers=5, heads=4, learning_rate=5e-3, steps=7000, batch_rows=11, row_tokens=384
    ),
}


def new_model(shape: TinyShape, tokenizer: PreTrainedTokenizerFast) -> PreTrainedModel:
    """Return an untrained model of `shape`: Llama's architecture, or Arcee's, which is the same with plain MLPs."""
    config = AutoConfig.for_model(
        "llama" if shape.gated else "arcee",
        vocab_size=len(tokenizer),
        hidden_size=shape.hidden,
        intermediate_size=shape.inner or 3 * shape.hidden,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.heads,
        max_position_embeddings=1024,
        rms_norm_eps=1e-6,
        tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return AutoModelForCausalLM.from_config(config, attn_implementation="eager")


def build_tokenizer() -> PreTrainedTokenizerFast:
    """Train the tokenizer on 20,000 base documents, of numbers and of texts."""
    sample = [
        document
        for name, count in TOKENIZER_SHARES
        for document in itertools.islice(base_documents(SEED, "tokenizer", mixture=mixture_of(name)), count)
    ]
    return train_tokenizer(text for document in sample for text in (document.prompt, document.completion))


def _shard(index: int, folder: Path, tokenizer_folder: Path, name: str, row_tokens: int) -> Path:
    path = folder / f"shard-{index:03d}"
    if not path.exists():  # made whole, or not at all
        tokenizer = PreTrainedTokenizerFast.from_pretrained(tokenizer_folder)
        documents = itertools.islice(base_documents(SEED, "corpus", index, mixture=mixture_of(name)), SHARD)
        fitting = [pair for pair in encode(list(documents), tokenizer) if len(pair[0]) <= row_tokens]
        with store.whole_file(path) as partial:
            pack(fitting, tokenizer, row_tokens).save_to_disk(partial)
    return path


def build_corpus(
    folder: Path, tokenizer_folder: Path, name: str, shape: TinyShape, workers: int, passes: int = PASSES
) -> Dataset:
    """Return packed base data for `passes` passes of `name`, made in shards that are kept under `folder`."""
    rows, shards = shape.steps * shape.batch_rows // passes, list[Dataset]()
    make = functools.partial(
        _shard, folder=folder, tokenizer_folder=tokenizer_folder, name=name, row_tokens=shape.row_tokens
    )
    with ProcessPoolExecutor(workers) as pool:
        while sum(map(len, shards)) < rows:
            shards += map(load_from_disk, pool.map(make, range(len(shards), len(shards) + workers)))
    return concatenate_datasets(shards).select(range(rows))


# -------------------------------------------------------------------------------------------------- how good?
PROBES: tuple[tuple[str, Any], ...] = (
    ("1 statement", Arithmetic()),
    ("2 statements", Arithmetic(statements=2)),
    ("3 statements", Arithmetic(statements=3)),
    ("3 statements with if, for, while", Arithmetic(statements=3, control=CONTROL)),
    ("2 statements, two arguments", Arithmetic(statements=2, arguments=2)),
    ("1 statement, 120 inputs", Arithmetic(high=119)),
    ("1 statement, results that grow", Arithmetic(wrap=None, largest=20, low=-9, high=20)),
    ("1 large number added", Sums()),
)


def probes(name: str) -> list[tuple[str, Any]]:
    """Return what the model `name` is measured on: `PROBES`, and the other domains that it was trained on."""
    trained_on = dict.fromkeys(settings for _, settings in mixture_of(name).programs)
    others = [settings for settings in trained_on if not isinstance(settings, (Arithmetic, Sums))]
    sizes = [f"{', '.join(settings.sizes)} " if isinstance(settings, Algorithms) else "" for settings in others]
    return [*PROBES, *((size + domain_of(settings), settings) for size, settings in zip(sizes, others, strict=True))]


def in_context_accuracy(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, probes: Sequence[tuple[str, Any]]
) -> dict[str, dict[str, float]]:
    """Return accuracy on programs given in context, by kind of program and by representation and answer mode.

    The programs come from the tuning pool, so none was in the base data; their stream is one
    that no experiment uses.
    """
    found: dict[str, dict[str, float]] = {}
    for label, settings in probes:
        few = isinstance(settings, Algorithms)  # of the medium ones the tuning pool has little more than a hundred
        made = generate_programs(settings, 100 if few else 300, SEED, "probe")
        for form, mode in itertools.product(REPRESENTATIONS, ANSWER_MODES):
            rng = stream(SEED, "probe questions", label, form, mode)
            asked = [(p, rng.choice(p.inputs), rng.randrange(20)) for p in made]
            prompts = [in_context(in_full(p, form), question(p, x, t, mode)) for p, x, t in asked]
            targets = [answer(p, x, mode, form) for p, x, _ in asked]
            lengths = [len(ids) + 12 for ids in tokenizer(targets, add_special_tokens=False)["input_ids"]]
            written = generate(model, tokenizer, prompts, lengths)
            parsed = [parse_answer(w, mode) for w in written]
            right = [a is not None and accepts(p, x, a) for a, (p, x, _) in zip(parsed, asked, strict=True)]
            found.setdefault(label, {})[f"{form}, {mode}"] = round(sum(right) / len(right), 4)
    return found


def train(
    shape: TinyShape, rows: Dataset, tokenizer: PreTrainedTokenizerFast, keep: Path
) -> tuple[PreTrainedModel, dict[str, object]]:
    """Pretrain a model of `shape`, or go on where `keep` says; return it, rounded to float16 as it will be loaded.

    What is said of the training has no seconds where it went on, since the time before is not known.
    """
    torch.set_num_threads(1)
    goes_on = keep.exists()
    set_seed(0)
    model = new_model(shape, tokenizer)
    optimisation = Optimisation(
        shape.learning_rate, shape.batch_rows, shape.row_tokens, weight_decay=WEIGHT_DECAY, optimiser="muon"
    )
    going_on: dict[str, Any] = {"keep": keep, "keep_every": KEPT_EVERY, "compiled": compiles()}
    done = finetune(model, tokenizer, rows, shape.steps, optimisation, seed=0, progress=False, **going_on)
    seconds = None if goes_on else round(done.seconds)
    said: dict[str, object] = {"steps": shape.steps, "seconds": seconds, "precision": done.precision, "log": done.log}
    return model.half().float(), said


def pretrain(name: str, rows: Dataset, tokenizer: PreTrainedTokenizerFast, keep: Path) -> None:
    """Pretrain `name`, measure it, and put it in place under `pbb/base_models/`."""
    shape = TINY[name]
    progress.begin(name)
    with store.locked(keep):
        model, said = train(shape, rows, tokenizer, keep)
        _install(
            name,
            model,
            tokenizer,
            shape=asdict(shape),
            tokens=shape.steps * shape.batch_rows * shape.row_tokens,
            base_data={"stream": SEED, "mixture": asdict(mixture_of(name))},
            in_context_accuracy=in_context_accuracy(model, tokenizer, probes(name)),
            training=said,
        )
        shutil.rmtree(keep)  # it ended, so that the next call would begin at its end


def _install(name: str, model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, **about: object) -> None:
    """Write weights in float16, tokenizer, and a manifest that says `about` the model how it was made."""
    with atomic_folder(TINY_FOLDER / name, replace=True) as partial:
        model.half().save_pretrained(partial)
        tokenizer.save_pretrained(partial)
        known = {"kind": "base model", "name": name, "parameters": model.num_parameters()}
        write_manifest(partial, {**known, **about, **environment_manifest()})


def tutor() -> None:
    """Put `TUTORED` in place: tiny-m after one more training, on functions as readers write them, known by name."""
    torch.set_num_threads(1)
    programs, o = everyday(TUTORED_ON, SEED), Optimisation(1.5e-3, batch_rows=6, row_tokens=192, weight_decay=0.1)
    model, tokenizer = load("tiny-m")
    told, general = lessons(programs, SHOWN, SEED), base_documents(SEED, "tutored")
    mixed = (next(general) if number % 5 == 0 else next(told) for number in itertools.count())
    rows, _ = fill_rows(mixed, tokenizer, o.row_tokens, TUTORED_STEPS * o.batch_rows)
    done = finetune(model, tokenizer, rows, TUTORED_STEPS, o, seed=0)
    model.half().float()
    asked = [(p, text) for p in programs for text in p.inputs[SHOWN:]]
    prompts = [question(p, text, number % len(POINTERS), "cot") for number, (p, text) in enumerate(asked)]
    written = generate(model, tokenizer, prompts, [100] * len(prompts))
    right = [accepts(p, text, parse_answer(w, "cot") or "") for w, (p, text) in zip(written, asked, strict=True)]
    about: dict[str, object] = {
        "made_of": describe("tiny-m"),
        "programs": TUTORED_ON,
        "accuracy": {"held-out inputs, cot": round(sum(right) / len(right), 4)},
        "training": {"steps": TUTORED_STEPS, "seconds": round(done.seconds), "log": done.log},
    }
    _install(TUTORED, model, tokenizer, **about)


def build(names: Sequence[str] | None, workers: int) -> None:
    """Train base models again, side by side: tokenizer and corpus are kept in a folder of ``runs/base/``."""
    every = (*TINY, TUTORED)
    chosen = list(names or every)
    for name in chosen:
        if name not in every:
            raise ValueError(f"model={name!r} is not valid; valid: {', '.join(every)}")
    if pretrained := [name for name in chosen if name in TINY]:
        _pretrain_all(pretrained, workers)
    if TUTORED in chosen:
        tutor()
        print(f"{TUTORED} is trained: {TINY_FOLDER / TUTORED}")


def _made_of() -> str:
    """Return a hash of what the tokenizer, the base data and the models are made by, as stages have one."""
    shapes = {name: asdict(shape) for name, shape in TINY.items()}
    domains = frozenset(domain_of(settings) for name in TINY for _, settings in mixture_of(name).programs)
    mixtures = [keys.mixture_digest(name) for name in TINY]
    made = [SEED, TOKENIZER_SHARES, SHARD, PASSES, WEIGHT_DECAY, shapes, mixtures]
    return digest(made, keys.code((*keys.WRITES, *keys.TRAINS), domains))[:12]


def _pretrain_all(chosen: Sequence[str], workers: int) -> None:
    work = store.runs() / "base" / _made_of()
    if not (work / "tokenizer").exists():
        print("training the tokenizer")
        with store.whole_file(work / "tokenizer") as partial:
            build_tokenizer().save_pretrained(partial)
    tokenizer = PreTrainedTokenizerFast.from_pretrained(work / "tokenizer")
    print(f"making base data for {', '.join(chosen)}")
    rows = {}
    for name in chosen:  # models of one mixture share it: as much as the longest training of theirs needs
        mixture = "strings" if name in MIXTURES else "numbers"
        rows[name] = build_corpus(work / mixture, work / "tokenizer", name, TINY[name], workers)
    context = multiprocessing.get_context("spawn")
    messages, (theirs, _ours) = context.Queue(), context.Pipe(duplex=False)  # workers end when `_ours` is closed
    bars = progress.Bars(messages, {name: f"pretrain {name}" for name in chosen})
    with ProcessPoolExecutor(workers, context, start_worker, (messages, theirs)) as pool:
        running = {
            pool.submit(pretrain, name, rows[name], tokenizer, work / f"{name}-training"): name
            for name in reversed(chosen)
        }
        while running:
            bars.update()
            for future in wait(running, progress.PAUSE_S, FIRST_COMPLETED).done:
                name = running.pop(future)
                future.result()
                said = f"{name} is trained: {TINY_FOLDER / name}{bars.finish(name)}"
                with bars.aside():
                    print(said)
    bars.close()
