"""Programs: what is taught, in code and in plain language, with verified outputs and traces."""

from pbb.programs.arithmetic import ArithmeticSettings, generate
from pbb.programs.execution import Execution, ExecutionError, execute_many
from pbb.programs.program import Program, normalised

__all__ = ["ArithmeticSettings", "Execution", "ExecutionError", "Program", "execute_many", "generate", "normalised"]
