"""Which tasks run beside each other: cards are never filled beyond their room, and nothing waits without a reason."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pretended import Lasting, Noting, World

from pbb.experiments.experiment import Experiment
from pbb.models.machine import Machine
from pbb.models.model_size import GB, OVERHEAD
from pbb.runs import engine
from pbb.runs.tasks import EvaluationTask, StageTask

H100 = Machine("Pretended H100", (9, 0), 80 * 10**9, 16, "")


@st.composite
def sweeps(draw: st.DrawFn) -> list[Lasting]:
    """Up to twelve tasks of any size, some larger than a card, each of which may need one before it."""
    tasks: list[Lasting] = []
    for number in range(draw(st.integers(1, 12))):
        needs = draw(st.lists(st.sampled_from(tasks), max_size=1)) if tasks else []
        size = draw(st.one_of(st.floats(OVERHEAD, 30e9), st.just(math.inf)))
        tasks.append(Lasting(f"task {number}", draw(st.floats(1, 100)), size, tuple(needs)))
    return tasks


@given(sweeps(), st.integers(1, 5), st.integers(1, 3), st.floats(4e9, 40e9))
@settings(max_examples=150, deadline=None)
def test_no_card_is_ever_filled_beyond_its_room(tasks: list[Lasting], workers: int, cards: int, memory: float) -> None:
    machine = Machine("Pretended", (8, 0), int(memory), 2, cards=cards)
    (room, *_) = engine.room(machine)

    def look(world: World) -> None:
        assert len(world.alive) <= workers
        for card in range(cards):
            held, alive = [min(task.bytes, room) for task in world.of(card)], [p.card for p in world.alive].count(card)
            assert sum(held) + OVERHEAD * (alive - len(held)) <= room + 1  # byte, since sums are rounded
        done = {task.name for task in world.ended}
        assert all(need.name in done for task, _, _ in world.running.values() for need in task.needs)

    def idle_without_reason(task: Lasting, world: World) -> None:
        """Before anything ends: whatever could run does, or has no worker or no room on any card."""
        over = {t.name for t in [*world.ended, *(t for t, _, _ in world.running.values())]}
        done = {t.name for t in world.ended}
        for other in tasks:
            if other.name not in over and all(need.name in done for need in other.needs):
                free = max(room - sum(min(t.bytes, room) for t in world.of(card)) for card in range(cards))
                assert len(world.running) == workers or min(other.bytes, room) > free - 1

    with World(looks=look, fails=idle_without_reason).entered() as world:
        assert engine.execute(tasks, workers, lambda line: None, machine=machine) == []
    assert sorted(task.name for task in world.ended) == sorted(task.name for task in tasks)
    assert not world.alive


def test_on_a_cpu_there_are_as_many_workers_as_asked_for_and_no_memory_is_counted() -> None:
    most = []
    with World(looks=lambda world: most.append(len(world.running))).entered():
        engine.execute([Lasting(f"{n}", 1, 1e12) for n in range(7)], 3, lambda line: None, machine=Machine())
    assert max(most) == 3


def test_the_longest_chain_goes_first() -> None:
    first = Lasting("first", 1)
    tasks = [Lasting("short", 2), first, Lasting("long", 5), Lasting("last", 7, needs=(first,))]
    with World().entered() as world:
        engine.execute(tasks, 1, lambda line: None, machine=Machine())
    assert [task.name for _, task in world.begun] == ["first", "last", "long", "short"]


def test_who_runs_out_of_memory_beside_others_is_done_again_alone() -> None:
    tasks, said = [Lasting("small", 3), Lasting("greedy", 1), Lasting("other", 2)], list[str]()

    def fails(task: Lasting, world: World) -> str | None:
        beside = task.name == "greedy" and len(world.running) > 1
        return "OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB" if beside else None

    with World(fails=fails).entered() as world:
        assert engine.execute(tasks, 3, said.append, machine=H100) == []
    assert [task.name for _, task in world.begun] == ["small", "other", "greedy", "greedy"]
    assert [task.name for task in world.ended] == ["other", "small", "greedy"]
    assert said[0] == "the card's memory was too small to do greedy beside others: it is done again, alone"
    with (
        World(fails=lambda task, world: "OutOfMemoryError: CUDA out of memory").entered(),
        pytest.raises(engine.RunError, match="could not do alone: OutOfMemoryError"),
    ):
        engine.execute([Lasting("alone", 1, math.inf)], 3, said.append, machine=H100)


# ---------------------------------------------------------------------------------------------- what a task takes
def test_what_a_task_takes_of_a_card() -> None:
    tiny = Experiment.of("cpu", with_io_programs=8, without_io_programs=4)
    real = tiny.changed(model="smollm2-135m")
    stage, asking = StageTask(tiny, 0), EvaluationTask(tiny, -1, 0)
    assert engine.card_bytes(stage, Machine()) == 0
    assert OVERHEAD < engine.card_bytes(asking, H100) < 3 * GB
    assert OVERHEAD < engine.card_bytes(stage, H100) < 3 * GB
    assert 3 * GB < engine.card_bytes(StageTask(real, 0), H100) < 20 * GB
    by_unsloth, by_peft = (StageTask(real.changed(lora_rank=8, backend=by), 0) for by in ("unsloth", "peft"))
    assert engine.card_bytes(by_unsloth, H100) == engine.card_bytes(by_peft, H100) + OVERHEAD
    grpo = StageTask(real.changed(arm="retroactive_grpo"), 2)
    assert engine.card_bytes(grpo, H100) > engine.card_bytes(StageTask(real, 0), H100)
    no_model = EvaluationTask(tiny.changed(arm="random_generation"), -1, 0)
    assert engine.card_bytes(no_model, H100) == 0


def test_several_cards_take_one_process_each_and_tiny_models_share() -> None:
    several = Machine("Pretended H100", (9, 0), 80 * 10**9, 16, "", cards=4)
    assert math.isinf(engine.card_bytes(StageTask(Experiment(model="smollm2-135m"), 0), several))
    assert engine.card_bytes(StageTask(Experiment(), 0), several) < 3 * GB


def test_a_model_of_unknown_shape_runs_alone(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "new"}')
    assert math.isinf(engine.card_bytes(EvaluationTask(Experiment(model=str(tmp_path)), -1, 0), H100))


def test_the_room_of_a_card_can_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    assert engine.room(Machine()) == [math.inf]
    assert engine.room(H100) == [pytest.approx(72e9)]
    monkeypatch.setenv("PBB_CARD_MEMORY_GB", "20.5")
    assert engine.room(Machine("Two", (8, 0), 24 * 10**9, cards=2)) == [20.5e9, 20.5e9]
    for wrong in ("0", "-1", "81", "nan", "all"):
        monkeypatch.setenv("PBB_CARD_MEMORY_GB", wrong)
        with pytest.raises(ValueError, match=f"PBB_CARD_MEMORY_GB='{wrong}' is not valid; valid: .* 80 GB of the Pre"):
            engine.room(H100)


# --------------------------------------------------------------------------------------------- in real processes
@pytest.mark.slow
def test_workers_see_one_card_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "6,GPU-7")
    monkeypatch.setattr(engine, "card_bytes", lambda task, machine: math.inf)
    tasks = [Noting(tmp_path / f"{number}") for number in range(4)]
    machine = Machine("Pretended", (8, 0), 10**10, 16, cards=2)
    assert engine.execute(tasks, 16, lambda line: None, machine=machine) == []
    noted = sorted(task.folder.read_text().split() for task in tasks)
    assert {card for card, *_ in noted} == {"6", "GPU-7"}
    for (card, _, end), (next_card, start, _) in itertools.pairwise(noted):
        assert card != next_card or float(end) <= float(start)
