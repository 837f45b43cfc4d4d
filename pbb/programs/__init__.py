"""Programs: what is taught, in code and in plain language, with verified outputs and traces."""

from pbb.programs.algorithms import Algorithms
from pbb.programs.arithmetic import Arithmetic
from pbb.programs.ciphers import Ciphers
from pbb.programs.composition import Composition
from pbb.programs.domains import DOMAINS, generate
from pbb.programs.execution import Execution, ExecutionError, execute_many
from pbb.programs.grammars import Grammars
from pbb.programs.program import Program, normalised
from pbb.programs.sums import Sums

__all__ = [
    "DOMAINS",
    "Algorithms",
    "Arithmetic",
    "Ciphers",
    "Composition",
    "Execution",
    "ExecutionError",
    "Grammars",
    "Program",
    "Sums",
    "execute_many",
    "generate",
    "normalised",
]
