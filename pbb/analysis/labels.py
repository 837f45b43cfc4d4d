"""What answer modes are called, and how counts and shares are written."""

from __future__ import annotations

MODES: dict[str, str] = {
    "cot": "CoT",
    "recite": "Recite, then run",
    "direct": "Direct",
    "recall": "Recall of the source",
    "in_context_cot": "CoT, in context",
    "in_context_direct": "Direct, in context",
}
# Where an in-context mode stands beside the mode of the same form, and back.
PLAIN_MODE = {"in_context_cot": "cot", "in_context_direct": "direct"}
IN_CONTEXT = {plain: mode for mode, plain in PLAIN_MODE.items()}


def counted(value: float, things: str) -> str:
    """Return ``"1 template"``, ``"2,400 w/ IO programs"`` from a number and a plural."""
    return f"{value:,} {things.removesuffix('s') if value == 1 else things}"


def statements(count: int) -> str:
    """Return ``"1 statement"``, ``"2 statements"``."""
    return counted(count, "statements")


def by_length(domain: str) -> bool:
    """Whether programs of a domain are told apart by their number of statements."""
    return domain == "arithmetic"


def percent(estimate: float, low: float, high: float) -> str:
    """Return shares as text: ``"86 % [81, 90]"``."""
    return f"{estimate:.0%}".replace("%", " %") + f" [{low * 100:.0f}, {high * 100:.0f}]"
