"""How fast programs are generated with executed outputs and traces: ``python tests/bench_generation.py``.

Prints a table: programs a second on one core for every domain, and how many times slower it would be to execute
arithmetic programs one at a time, each in a fresh process. A generated program was executed twice on its inputs: once
to see that no constant guess does well on it, and once with its trace. That the traces are right is not a matter of
this script but of tests/test_programs.py.

Seconds are of the processor, child processes included, so that other work on the machine hardly enters; the clock's are
given beside them. Everything runs in one process at a time.
"""

from __future__ import annotations

import argparse
import os
import platform
import time
from collections.abc import Callable
from typing import Any

from pbb.programs import (
    AlgorithmSettings,
    ArithmeticSettings,
    CipherSettings,
    CompositionSettings,
    GrammarSettings,
    Program,
    execute_many,
    generate,
)

WANTED = 1000  # arithmetic programs a second


def seconds(work: Callable[[], Any]) -> tuple[float, float, Any]:
    """Return processor seconds (of child processes too), seconds by the clock, and what `work` returned."""

    def used() -> float:
        times = os.times()
        return times.user + times.system + times.children_user + times.children_system

    start, clock = used(), time.perf_counter()
    result = work()
    return used() - start, time.perf_counter() - clock, result


def one_at_a_time(programs: list[Program]) -> None:
    """Execute each program twice in a fresh process, as `generate` does with all of them together."""
    for program in programs:
        job = (program.name, program.source, program.inputs)
        execute_many([job], trace=False)
        (runs,) = execute_many([job])
        assert runs == list(program.executions)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition(":")[0])
    parser.add_argument("--alone", type=int, default=50, help="programs executed one at a time (default: 50)")
    options = parser.parse_args()
    kinds: list[tuple[str, Any, int]] = [
        ("arithmetic, 1 statement", ArithmeticSettings(), 800),
        ("  of 3 operations", ArithmeticSettings(operations=3), 4000),
        ("  of 3 statements", ArithmeticSettings(statements=3), 2000),
        ("algorithms", AlgorithmSettings(), 150),
        ("ciphers", CipherSettings(), 200),
        ("grammars", GrammarSettings(), 200),
        ("composition", CompositionSettings(), 200),
    ]
    print(f"Python {platform.python_version()}, {platform.machine()}, one core")
    print(f"{'':26}{'programs':>9}{'inputs':>8}{'CPU s':>8}{'clock s':>9}{'programs a CPU s':>18}")
    for name, knobs, count in kinds:
        used, clock, programs = seconds(lambda knobs=knobs, count=count: generate(knobs, count, "benchmark"))
        inputs = sum(len(program.inputs) for program in programs)
        print(f"{name:26}{count:9}{inputs:8}{used:8.2f}{clock:9.2f}{count / used:18.0f}")
        if knobs == ArithmeticSettings():
            together, sample = used / count, programs[: options.alone]
    used, clock, _ = seconds(lambda: one_at_a_time(sample))
    alone = used / len(sample)
    print(f"{'one at a time':26}{len(sample):9}{10 * len(sample):8}{used:8.2f}{clock:9.2f}{1 / alone:18.0f}")
    verdict = "reached" if 1 / together >= WANTED else "missed (on a busy machine processor seconds grow, too)"
    print(f"\n{WANTED} arithmetic programs a second: {verdict}; together {alone / together:.0f} times as fast as alone")


if __name__ == "__main__":
    main()
