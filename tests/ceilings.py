"""What each base model runs with the source in its prompt: ``python tests/ceilings.py``, on the tuning pool.

One row a regime of a figure and a representation, one column a model and a way of asking. Nothing is trained; what was
asked once is kept in the run store. Half an hour of two cores.
"""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

import pbb
from pbb.analysis.labels import percent
from pbb.analysis.statistics import accuracy
from pbb.experiments.experiment import Experiment
from pbb.experiments.presets import recipe
from pbb.experiments.presets.recipe import Changes

SEED = 1000  # draws from the tuning pool
MODES = {"in_context_cot": "CoT", "in_context_direct": "direct"}


def regimes() -> dict[str, Changes]:
    """Return what each regime of preset cpu changes in the recipe's base."""
    cpu = recipe("cpu")
    return {
        "1 statement": {},
        **{f"{length} statements": {"statements": length, **cpu.longer[length]} for length in (2, 3)},
        "2 arguments (F08)": cpu.told,
        "sums (F05)": cpu.sums or {},
        "composites (F11)": cpu.composition,
        "ciphers (F07)": cpu.ciphers,
        "grammars (F13)": cpu.grammars,
        "algorithms (F16)": cpu.algorithms,
    }


def asked() -> Iterator[tuple[str, str, Experiment]]:
    """Yield each regime, the model's name, and the experiment that asks it; a domain's own model where it has one."""
    base = recipe("cpu").base.changed(arm="in_context", seed=SEED)
    for regime, changes in regimes().items():
        for model in (changes["model"],) if "model" in changes else recipe("cpu").models:
            for form in ("code", "description"):
                yield regime, str(model), base.changed(**{**changes, "model": model, "representation": form})


def main() -> None:
    cells = []
    every = list(asked())
    pbb.run([experiment for _, _, experiment in every], preset="cpu")
    for regime, model, experiment in every:
        found = accuracy(pbb.run(experiment, preset="cpu", say=lambda line: None), ["answer_mode"])
        for row in found[found["answer_mode"].isin(MODES)].itertuples():
            right = percent(row.estimate, row.low, row.high)
            cells.append((regime, experiment.value("representation"), f"{model}, {MODES[row.answer_mode]}", right))
    table = pd.DataFrame(cells, columns=["regime", "told in", "asked", "right"])
    print(table.pivot(index=["regime", "told in"], columns="asked", values="right").fillna("–").to_string())


if __name__ == "__main__":
    main()
