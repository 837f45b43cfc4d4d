"""How many one-statement programs each pool holds: ``python tests/count_forms.py [draws]``, half a minute for 400,000.

Pools share no normal form (`pbb.programs.program.pool_of`). Forms are counted that are fit to be programs, by drawing:
what was not drawn is not counted, so that there are at least so many.
"""

from __future__ import annotations

import itertools
import sys
from collections import Counter

from pbb.programs.arithmetic import Arithmetic, all_inputs, candidates, degenerate
from pbb.programs.program import Program, pool_of, runnable


def count(settings: Arithmetic, draws: int) -> Counter[tuple[str, str]]:
    """Return how many normal forms of each (pool, kind) come up in `draws` draws; kinds are "chain" and "if"."""
    found = dict(itertools.islice(candidates(settings, "pools"), draws))
    inputs = tuple(all_inputs(settings))[:: max(1, (settings.high - settings.low) // 20)]
    drafts = [Program("NAME", source, "", inputs, (), "", 1, family=normal) for normal, (source, _) in found.items()]
    fit = [program.family for program in runnable(drafts, trace=False) if not degenerate(program)]
    return Counter((pool_of(normal), "if" if " if " in normal else "chain") for normal in fit)


def main() -> None:
    draws = int(sys.argv[1]) if len(sys.argv) > 1 else 400_000
    found = count(Arithmetic(), draws)
    for pool in sorted({pool for pool, _ in found}):
        print(f"{pool:<12} {found[pool, 'chain']:>7,} chains {found[pool, 'if']:>7,} with an if expression")
    print(f"{'all':<12} {sum(found.values()):>7,} one-statement forms in {draws:,} draws")


if __name__ == "__main__":
    main()
