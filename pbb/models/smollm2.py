"""SmolLM2-135M-Instruct out of a PyPI package: the row of `pbb.registry.PACKAGED` that the preset llm takes."""

from __future__ import annotations

from pbb.models.gguf import READER, first_use
from pbb.registry import PACKAGED, SMOLLM2, cache

__all__ = ["FIRST_USE", "PACKAGE", "READER", "cache"]

PACKAGE = PACKAGED[SMOLLM2].package
FIRST_USE = first_use(PACKAGED[SMOLLM2])
