"""Backends: what is chosen and why, nothing imported before its turn, and Unsloth's own CPU backend end to end."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from sweep import here
from torch.linalg import matrix_rank

from pbb.experiments.curricula import curriculum
from pbb.experiments.experiment import Experiment
from pbb.models import backends
from pbb.models.backends import BackendError, choose
from pbb.models.loading import load
from pbb.models.machine import Machine, asking_weights
from pbb.models.model_size import Shape
from pbb.models.sft import Optimisation, fill_rows, settings
from pbb.registry import config_of
from pbb.runs import run
from pbb.runs.keys import stage_keys
from pbb.runs.tasks import StageTask

__all__ = ["here"]
REPOSITORY = Path(backends.__file__).parents[2]
HERE = Machine(cores=2)
FAST = Machine(cores=2, fast_bfloat16=True)
H100 = Machine("NVIDIA H100 80GB HBM3", (9, 0), 85_000_000_000, 16, "", True)
T4 = Machine("Tesla T4", (7, 5), 15_800_000_000, 2, "", True)
BARE = replace(H100, without="Unsloth is not installed (`make unsloth`)", four_bits=False)
FOUR = "unsloth-4bit"
LLAMA = "meta-llama/Llama-3.2-1B-Instruct"


class Stage(NamedTuple):
    trained: Experiment
    tokens: int = 3_000_000


# ------------------------------------------------------------------------------------------------- the choice
CARD = "CUDA found (NVIDIA H100 80GB HBM3)"
CHOSEN = [  # machine, changes; what is said, formats
    (HERE, {}, "full finetuning: no CUDA", "float32 weights"),
    (HERE, {"lora_rank": 16}, "PEFT: no CUDA", "float32 weights"),
    (FAST, {"lora_rank": 16}, "PEFT: no CUDA", "bfloat16 weights"),
    (FAST, {}, "full finetuning: no CUDA", "float32 weights, products in bfloat16"),
    (FAST, {"lora_rank": 16, "model": "tiny-m"}, "PEFT: no CUDA", "float32 weights"),
    (HERE, {"backend": "full"}, "full finetuning: asked for", "float32 weights"),
    (H100, {}, f"Unsloth: {CARD}", "float32 weights, products in bfloat16"),
    (H100, {"lora_rank": 16}, f"Unsloth: {CARD}", "bfloat16 weights"),
    (H100, {"lora_rank": 16, "backend": "peft"}, "PEFT: asked for", "bfloat16 weights"),
    (H100, {"lora_rank": 16, "backend": FOUR}, f"Unsloth: {CARD}", "4-bit weights, products in bfloat16"),
    (T4, {"lora_rank": 16}, "Unsloth: CUDA found (Tesla T4)", "float16 weights"),
    (T4, {}, "Unsloth: CUDA found (Tesla T4)", "float32 weights, products in float16"),
    (BARE, {"lora_rank": 8}, "PEFT: Unsloth is not installed (`make unsloth`)", "bfloat16 weights"),
    (H100, {"model": "tiny-m"}, "full finetuning: a tiny model gains nothing from Unsloth", "float32 weights"),
]


@pytest.mark.parametrize(("where", "changes", "said", "precision"), CHOSEN)
def test_what_trains_is_chosen_and_the_reason_is_said(
    where: Machine, changes: dict[str, Any], said: str, precision: str
) -> None:
    chosen = choose(Experiment.of("cpu", **{"model": LLAMA, **changes}), where)
    assert str(chosen) == said
    assert chosen.precision == precision
    told = settings(Optimisation(), 1, 0, False, chosen)
    assert (told["bf16"], told["fp16"]) == (chosen.autocast == "bfloat16", chosen.autocast == "float16")


@pytest.mark.parametrize(
    ("where", "changes", "words"),
    [
        (HERE, {"backend": "unsloth"}, "cannot run here: no CUDA; valid here: 'auto' or 'full'"),
        (HERE, {"backend": "unsloth", "lora_rank": 8}, "valid here: 'auto' or 'peft'"),
        (BARE, {"backend": "unsloth"}, r"Unsloth is not installed \(`make unsloth`\)"),
        (replace(H100, four_bits=False), {"backend": FOUR, "lora_rank": 8}, "bitsandbytes is not installed"),
    ],
)
def test_what_was_asked_for_and_is_not_there_is_an_error_and_never_replaced(
    where: Machine, changes: dict[str, Any], words: str
) -> None:
    experiment = Experiment.of("cpu", **{"model": LLAMA, **changes})
    with pytest.raises(BackendError, match=words):
        backends.check([Stage(experiment)], where)
    (line,) = backends.lines([Stage(experiment)], where)
    assert "cannot run here" in line


def test_the_plan_says_what_training_takes() -> None:
    def line(where: Machine, **changes: Any) -> str:
        (said,) = backends.lines(
            [Stage(Experiment.of("cpu", **changes)), Stage(Experiment.of("cpu", **changes, seed=1))],
            where,
            lambda model: 200.0,
        )
        return said

    smol = line(HERE, model="smollm2-135m", lora_rank=16)
    assert smol.startswith("smollm2-135m by PEFT: no CUDA; float32 weights; about ")
    assert re.search(r"about 8 h on this CPU, in pieces if you like \(BUDGET_MIN=60\), so a GPU helps", smol)
    assert line(HERE, model="tiny-m") == "tiny-m by full finetuning: no CUDA; float32 weights"
    llama = line(H100, model=LLAMA, lora_rank=16)
    assert f"{LLAMA} by Unsloth: CUDA found (NVIDIA H100 80GB HBM3); bfloat16 weights" in llama
    assert "compute capability 9.0 has bfloat16" in llama
    assert "GB of the card's 85 GB" in llama
    assert "about 2.5 GB to download" in llama
    assert "compute capability 7.5 has no bfloat16" in line(T4, model=LLAMA, lora_rank=16)
    assert "too much, unless" in line(T4, model=LLAMA)
    with pytest.raises(BackendError, match=r"wants 31 GB of GPU memory for its weights .* Tesla T4 has 16 GB"):
        backends.check([Stage(Experiment.of("cpu", model="Qwen/Qwen3-14B", lora_rank=16))], T4)


def test_models_are_asked_in_float32_where_that_costs_little() -> None:
    small, large = Shape.of(config_of("smollm2-135m")), Shape.of(config_of(LLAMA))
    assert [asking_weights(shape, HERE) for shape in (small, large, None)] == ["float32"] * 3
    tiny = Shape.of(config_of("tiny-m"))
    assert [asking_weights(shape, FAST) for shape in (tiny, small, large)] == ["float32", "bfloat16", "bfloat16"]
    assert [asking_weights(shape, H100) for shape in (small, large, None)] == ["float32", "bfloat16", "bfloat16"]
    assert asking_weights(large, T4) == "float16"


def test_adapters_in_one_stage_alone_leave_the_stage_before_as_it_is_and_plain_weights(run_store: Path) -> None:
    budget = {"exposure_steps": 2, "execution_steps": 3, "execution_rate": 1e-2, "batch_rows": 2, "checkpoints": 1}
    plain = Experiment.of("cpu", model="tiny-s", arm="retroactive", with_io_programs=8, without_io_programs=4, **budget)
    adapted = plain.changed(execution_lora_rank=2)
    assert stage_keys(adapted)[0] == stage_keys(plain)[0]
    assert stage_keys(adapted)[1] != stage_keys(plain)[1]
    assert [stage.lora_rank for stage in curriculum(adapted.changed(arm="retroactive_grpo"))] == [0, 2, 2]
    assert [stage.lora_rank for stage in curriculum(adapted.changed(lora_rank=4))] == [4, 2]
    said = str(run.plan(adapted))
    assert "tiny-s by full finetuning" in said
    assert "tiny-s by PEFT" in said

    tasks = [StageTask(adapted, index) for index in range(2)]
    for task in tasks:
        task.run()
    manifests = [json.loads((task.folder / "manifest.json").read_text()) for task in tasks]
    assert [manifest["backend"]["name"] for manifest in manifests] == ["full", "peft"]
    before, after = (load("tiny-s", task.weights)[0].state_dict() for task in tasks)
    ranks = {name: int(matrix_rank(after[name] - before[name], rtol=1e-3)) for name in before if before[name].ndim == 2}
    assert set(ranks.values()) == {0, 2}
    assert {name for name, rank in ranks.items() if not rank} == {"model.embed_tokens.weight", "lm_head.weight"}


def test_what_cannot_run_is_refused_before_anything_is_trained(
    run_store: Path, micro_model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("UNSLOTH_FORCE_CPU", raising=False)
    monkeypatch.setattr(backends, "this_machine", lambda: Machine(cores=2))
    wanted = Experiment.of("cpu", model=micro_model, backend="unsloth", lora_rank=4)
    assert "cannot run here: no CUDA" in str(run.plan(wanted.changed(seed=s) for s in (0, 1)))
    with pytest.raises(backends.BackendError, match="valid here: 'auto' or 'peft'"):
        run.run(wanted, workers=1, say=lambda line: None)
    assert not list(run_store.glob("stages/*"))


# --------------------------------------------------------------------------------------- imports in their order
def test_nothing_heavy_is_imported_before_something_is_trained() -> None:
    code = (
        "import sys, pbb, pbb.models.backends, pbb.models.hub, pbb.models.machine, pbb.models.gguf\n"
        "pbb.Experiment.of('cpu', backend='unsloth', model='smollm2-135m')\n"
        "pbb.Experiment.of('cpu', backend='peft', lora_rank=8)\n"
        "heavy = {'torch', 'transformers', 'trl', 'peft', 'unsloth', 'huggingface_hub', 'gguf'} & sys.modules.keys()\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def test_unsloth_never_comes_after_transformers() -> None:
    assert "transformers" in sys.modules
    assert "unsloth" not in sys.modules
    with pytest.raises(BackendError, match="imported before transformers"):
        backends.load(Experiment(model="tiny-s"), backends.Backend("unsloth", "a test"))


CALL = """
import os, sys
import pbb
from pbb.models import backends

CARD = backends.Machine("a card", (9, 0), without="")

def child(number):
    for backend in ("auto", "unsloth"):
        try:
            print(backends.choose(pbb.Experiment.of("cpu", model="a/b", lora_rank=8, backend=backend), CARD))
        except backends.BackendError as error:
            print(error)
    return [number + 1, os.getpid(), os.environ.get("UNSLOTH_DISABLE_STATISTICS", "0"), "unsloth" in sys.modules]

if __name__ == "__main__":
    print(*backends.apart(child, 4), os.getpid())
"""


def test_unsloth_has_a_process_of_its_own_and_where_it_fails_auto_alone_replaces_it(tmp_path: Path) -> None:
    def called(unsloth: str) -> tuple[list[str], str]:
        (tmp_path / "unsloth.py").write_text(unsloth)
        (tmp_path / "call.py").write_text(CALL)
        done = subprocess.run(
            [sys.executable, tmp_path / "call.py"], env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
            capture_output=True, text=True, timeout=120,
        )  # fmt: skip
        return done.stdout.splitlines(), done.stderr

    (*_, last), _ = called("import sys\nassert not {'transformers', 'trl'} & sys.modules.keys()")
    number, process, quiet, imported, caller = last.split()
    assert (number, quiet, imported) == ("5", "1", "True")
    assert process != caller

    (auto, asked_for, last), said = called("raise NotImplementedError('You need a GPU.\\nRead on.')")
    cause = "Unsloth is installed and cannot be imported: You need a GPU."
    assert cause in said, "said once, in a line"
    assert said.count("\n") == 1
    assert auto == f"PEFT: {cause}"
    valid = "valid here: 'auto' or 'peft', which both take PEFT"
    assert asked_for == f"backend='unsloth' cannot run here: {cause}; {valid}"
    number, process, _, imported, caller = last.split()
    assert (number, imported) == ("5", "False")
    assert process == caller, "what Unsloth may have altered before it failed went with its process"


# -------------------------------------------------------------------------------------- rows, adapters, seeds
def test_all_rows_in_one_teach_the_same(micro_model: str) -> None:
    """Unsloth gets a batch as one row: its loss is that of the rows, and no document sees another."""
    model, tokenizer = load(micro_model)
    model.set_attn_implementation("sdpa")
    experiment = Experiment.of("cpu", with_io_programs=6, without_io_programs=3, stage_1_general=0.0)
    rows, _ = fill_rows(curriculum(experiment)[0].documents(), tokenizer, 128, 4)
    batch = backends.collate(list(rows))
    lengths = batch.pop("packed_seq_lengths")
    assert int(lengths.sum()) == 4 * 128
    assert lengths.dtype == torch.int32
    starts = torch.cumsum(lengths, 0) - lengths
    assert (batch["position_ids"][0, starts] == 0).all()
    assert (batch["labels"][0, starts] == -100).all(), "no loss falls where one document follows another"
    apart = {name: torch.tensor(rows[name]) for name in ("input_ids", "labels", "position_ids")}
    with torch.no_grad():
        losses = [model(**columns, use_cache=False).loss for columns in (batch, apart)]
    assert abs(losses[0] - losses[1]) < 1e-5


# ----------------------------------------------------------------------------- Unsloth, on its own CPU backend
needs_unsloth = pytest.mark.skipif(
    importlib.util.find_spec("unsloth") is None, reason="Unsloth is not installed here: `make unsloth`"
)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What Unsloth has trained, saved, reloaded and asked in one process, and transformers in another."""
    folder = tmp_path_factory.mktemp("trained")
    unsloth = ["tiny-s,unsloth,4,grpo", "tiny-s,unsloth,0,grpo"]
    unsloth += ["tiny-m,unsloth-4bit,4"] * (importlib.util.find_spec("bitsandbytes") is not None)
    for runs in (unsloth, ["tiny-s,peft,4", "tiny-s,full,0"]):
        done = subprocess.run(
            [sys.executable, Path(__file__).with_name("unsloth_training.py"), folder, *runs],
            cwd=folder, env={**os.environ, "PYTHONPATH": str(REPOSITORY)}, capture_output=True, text=True, timeout=550,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-4000:]
    assert not (folder / "unsloth_compiled_cache").exists(), "Unsloth's files belong into the cache"
    return folder


@pytest.mark.slow
@needs_unsloth
@pytest.mark.parametrize(("rank", "plain"), [(4, "peft"), (0, "full")])
def test_unsloth_and_transformers_learn_the_same(rank: int, plain: str, trained: Path) -> None:
    """Equal seeds: losses agree to 1 in 10,000, and so do the answers of the reloaded weights but for a few."""
    ours, theirs = (
        json.loads((trained / f"tiny-s,{by}" / "report.json").read_text())
        for by in (f"unsloth,{rank},grpo", f"{plain},{rank}")
    )
    assert ours["chosen"] == "Unsloth: asked for, on a CPU (UNSLOTH_FORCE_CPU=1)"
    assert len(ours["losses"]) == 12
    assert ours["losses"][-1] < ours["losses"][0]
    assert ours["losses"] == pytest.approx(theirs["losses"], rel=1e-4)
    same = [a == b for a, b in zip(ours["answers"], theirs["answers"], strict=True)]
    assert sum(same) >= 0.95 * len(same)
    assert ours["generated"] >= 32


@pytest.mark.slow
@needs_unsloth
def test_four_bits_are_trained_and_saved_as_plain_weights(trained: Path) -> None:
    pytest.importorskip("bitsandbytes")
    folder = trained / "tiny-m,unsloth-4bit,4"
    losses = json.loads((folder / "report.json").read_text())["losses"]
    assert losses[-1] < losses[0]
    assert "quantization_config" not in json.loads((folder / "sft" / "config.json").read_text())


@pytest.mark.slow
@needs_unsloth
def test_a_run_trains_by_unsloth_and_its_records_are_pefts(
    here: None, run_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNSLOTH_FORCE_CPU", "1")
    backends.this_machine.cache_clear()
    base = Experiment.of(
        "cpu", model="tiny-s", lora_rank=4, arm="stage_1_only", with_io_programs=8, without_io_programs=20,
        stage_1_steps=12, batch_rows=4, questions=5, checkpoints=1, asked=("direct",), stage_1_general=0.0,
    )  # fmt: skip
    frames = [run.run(base.changed(backend=by), workers=1) for by in ("unsloth", "peft")]
    backends.this_machine.cache_clear()
    stages = [json.loads(file.read_text()) for file in (run_store / "stages").glob("[0-9a-f]*/manifest.json")]
    assert {stage["backend"]["name"] for stage in stages} == {"unsloth", "peft"}
    key = ["stage", "program", "input", "answer_mode", "prompt"]
    ours, theirs = (frame.sort_values(key, ignore_index=True) for frame in frames)
    same = ours["completion"] == theirs["completion"]
    assert len(same) >= 200
    assert same.mean() > 0.95
    assert (ours["outcome"] == "correct").mean() == pytest.approx((theirs["outcome"] == "correct").mean(), abs=0.02)
