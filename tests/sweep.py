"""A sweep of three arms on a model of 30,000 parameters, done in this process: what tests of the run store share."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

from pbb.experiments.experiment import Experiment
from pbb.records import canonical
from pbb.runs import engine, run
from pbb.store import root

__all__ = ["Undisturbed", "experiments", "here", "in_this_process", "recorded", "same", "start", "undisturbed"]

Undisturbed = tuple[pd.DataFrame, Path]  # the sweep's records, and the run store that they come from
RUN = """
import sys, pbb
from pbb.experiments import experiment
experiments = eval(sys.argv[1], vars(experiment))
if __name__ == "__main__":
    pbb.run(experiments, workers=int(sys.argv[3])).to_parquet(sys.argv[2])
"""


def start(
    experiments: Sequence[Experiment], out: Path, before: str = "", workers: int = 1, **environment: str
) -> subprocess.Popen[str]:
    """Run `experiments` in another process, with workers of its own; their records go to `out`."""
    script = out.with_suffix(".py")
    script.write_text(before + RUN)
    return subprocess.Popen(
        [sys.executable, str(script), repr(experiments), str(out), str(workers)],
        env=os.environ | {"PYTHONPATH": str(root())} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


@pytest.fixture(scope="module")
def experiments(micro_model: str) -> list[Experiment]:
    base = Experiment.of("cpu", 
        model=micro_model, with_io_programs=5, without_io_programs=3, stage_1_steps=3, stage_2_steps=2, batch_rows=2,
        questions=2, checkpoints=1, stage_1_general=0.0, stage_2_general=0.0,
    )  # fmt: skip
    return [base.changed(arm=arm) for arm in ("proactive", "stage_1_only", "untuned")]


class Here:
    """A pool of workers that is this process, without the ten seconds that starting one takes."""

    def __init__(self, *given: Any) -> None:
        pass

    def submit(self, do: Callable[..., str | None], *task: Any) -> Future[str | None]:
        future = Future[str | None]()
        future.set_result(do(*task))
        return future

    def shutdown(self, cancel_futures: bool = False) -> None:
        pass


@contextmanager
def in_this_process() -> Iterator[pytest.MonkeyPatch]:
    """Runs happen in this process, on one thread as in a worker."""
    threads = torch.get_num_threads()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "ProcessPoolExecutor", Here)
        torch.set_num_threads(1)
        yield patch
    torch.set_num_threads(threads)


@pytest.fixture
def here() -> Iterator[None]:
    with in_this_process():
        yield


def recorded(experiments: Sequence[Experiment]) -> pd.DataFrame:
    return canonical(run.run(experiments, workers=1, say=lambda line: None))


@pytest.fixture(scope="module")
def undisturbed(experiments: list[Experiment], tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    store = tmp_path_factory.mktemp("undisturbed")
    with in_this_process() as patch:
        patch.setenv("PBB_RUNS", str(store))
        return recorded(experiments), store


def same(records: pd.DataFrame, undisturbed: Undisturbed) -> None:
    pd.testing.assert_frame_equal(records, undisturbed[0])
