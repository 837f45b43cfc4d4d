"""A sweep of three arms on a model of 30,000 parameters, done in this process: what tests of the run store share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

from pbb.experiments.experiment import Experiment
from pbb.records import canonical
from pbb.runs import engine, run
from pbb.runs.tasks import Task

__all__ = ["experiments", "here", "recorded", "same", "undisturbed"]


@pytest.fixture(scope="module")
def experiments(micro_model: str) -> list[Experiment]:
    base = Experiment.of("cpu", 
        model=micro_model, with_io_programs=5, without_io_programs=3, stage_1_steps=3, stage_2_steps=2, batch_rows=2,
        questions=2, checkpoints=1, stage_1_general=0.0, stage_2_general=0.0,
    )  # fmt: skip
    return [base.changed(arm=arm) for arm in ("proactive", "stage_1_only", "untuned")]


def in_this_process(tasks: Sequence[Task], workers: int, say: Callable[[str], object], **how: Any) -> None:
    """Do what a worker does, without the ten seconds that starting one takes."""
    for task in tasks:
        if failure := engine.do(task):
            raise run.RunError(f"could not {task}: {failure}")


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Runs happen in this process, on one thread as in a worker."""
    monkeypatch.setattr(run, "execute", in_this_process)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def recorded(experiments: Sequence[Experiment]) -> pd.DataFrame:
    return canonical(run.run(experiments, workers=1, say=lambda line: None))


@pytest.fixture(scope="module")
def undisturbed(experiments: list[Experiment], tmp_path_factory: pytest.TempPathFactory) -> tuple[pd.DataFrame, Path]:
    """The sweep's records, and the run store that they come from."""
    store = tmp_path_factory.mktemp("undisturbed")
    threads = torch.get_num_threads()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PBB_RUNS", str(store))
        patch.setattr(run, "execute", in_this_process)
        torch.set_num_threads(1)
        records = recorded(experiments)
        torch.set_num_threads(threads)
    return records, store


def same(records: pd.DataFrame, undisturbed: tuple[pd.DataFrame, Path]) -> None:
    pd.testing.assert_frame_equal(records, undisturbed[0])
