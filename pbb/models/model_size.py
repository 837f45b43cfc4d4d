"""How large a model is, and about how much memory it takes to train and to ask, from its shape alone. Never torch.

Counts of parameters are exact for models of the Llama and Qwen3 families; bytes are estimates from those counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

GB = 1e9
OVERHEAD = 1.5 * GB  # CUDA's context, kernels and what its allocator holds in reserve
BYTES = {"float32": 4.0, "bfloat16": 2.0, "float16": 2.0, "4-bit": 0.56}  # of a weight; 4-bit with its scales


@dataclass(frozen=True)
class Shape:
    """What a config.json says of a model's layers."""

    hidden: int
    intermediate: int
    layers: int
    heads: int
    key_value_heads: int
    head: int
    vocabulary: int
    tied: bool
    head_norms: bool  # Qwen3 normalises queries and keys

    @classmethod
    def of(cls, config: Mapping[str, Any] | None) -> Shape | None:
        """Return the shape in a config.json, or None where it does not say enough."""
        config = config or {}
        try:
            hidden, heads = config["hidden_size"], config["num_attention_heads"]
            return cls(
                hidden=hidden,
                intermediate=config["intermediate_size"],
                layers=config["num_hidden_layers"],
                heads=heads,
                key_value_heads=config.get("num_key_value_heads") or heads,
                head=config.get("head_dim") or hidden // heads,
                vocabulary=config["vocab_size"],
                tied=config.get("tie_word_embeddings", False),
                head_norms=str(config.get("model_type")).startswith("qwen3"),
            )
        except (KeyError, TypeError):
            return None

    @property
    def sides(self) -> list[tuple[int, int]]:
        """(inputs, outputs) of each linear layer of one block."""
        queries, keys = self.heads * self.head, self.key_value_heads * self.head
        attention = [(self.hidden, queries), (self.hidden, keys), (self.hidden, keys), (queries, self.hidden)]
        return [*attention, *[(self.hidden, self.intermediate)] * 2, (self.intermediate, self.hidden)]

    @property
    def linear(self) -> int:
        """Parameters in the linear layers of all blocks: what LoRA adapts and 4 bits shrink."""
        return self.layers * sum(inputs * outputs for inputs, outputs in self.sides)

    @property
    def parameters(self) -> int:
        """All parameters; embeddings that are tied to the output layer count once."""
        norms = self.layers * (2 * self.hidden + (2 * self.head if self.head_norms else 0)) + self.hidden
        return self.linear + norms + self.vocabulary * self.hidden * (1 if self.tied else 2)

    def adapters(self, rank: int) -> int:
        """Parameters of LoRA adapters of `rank` on every linear layer of the blocks."""
        return self.layers * sum(rank * (inputs + outputs) for inputs, outputs in self.sides)


def training_bytes(shape: Shape, rank: int, weights: str, tokens: int) -> float:
    """Return about how many bytes training takes, with `tokens` in a step and without gradient checkpointing.

    `rank` is that of adapters, or 0 where all weights are trained; `weights` says what frozen ones are kept in.
    """
    frozen = shape.linear * BYTES[weights] + (shape.parameters - shape.linear) * max(2.0, BYTES[weights])
    trained = shape.adapters(rank) if rank else shape.parameters
    state = 16 * trained + (frozen if rank else 0)  # weight, gradient and AdamW's two moments in float32
    kept = 2 * tokens * shape.layers * (8 * shape.hidden + 4 * shape.intermediate)  # in 16 bits, for the way back
    return state + kept + 10 * tokens * shape.vocabulary + OVERHEAD  # logits, and their gradient in float32


def asking_bytes(shape: Shape, weights: str, batch: int, tokens: int) -> float:
    """Return about how many bytes it takes to generate a batch of answers, with `tokens` of prompt and answer each."""
    cache = 2 * shape.layers * shape.key_value_heads * shape.head * batch * tokens
    return (shape.parameters + cache) * BYTES[weights] + 4 * batch * shape.vocabulary + OVERHEAD
