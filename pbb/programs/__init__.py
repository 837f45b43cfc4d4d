"""Programs: what is taught, in code and in plain language, with verified outputs and traces."""

from pbb.programs.algorithms import AlgorithmSettings
from pbb.programs.arithmetic import ArithmeticSettings
from pbb.programs.ciphers import CipherSettings
from pbb.programs.composition import CompositionSettings, compose
from pbb.programs.domains import DOMAINS, generate
from pbb.programs.execution import Execution, ExecutionError, execute_many
from pbb.programs.grammars import GrammarSettings
from pbb.programs.program import Program, normalised
from pbb.programs.sums import SumSettings

__all__ = [
    "DOMAINS",
    "AlgorithmSettings",
    "ArithmeticSettings",
    "CipherSettings",
    "CompositionSettings",
    "Execution",
    "ExecutionError",
    "GrammarSettings",
    "Program",
    "SumSettings",
    "compose",
    "execute_many",
    "generate",
    "normalised",
]
