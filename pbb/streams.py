"""Random streams derived by hashing, so that neighbouring seeds and indices share nothing.

``Random(seed + index)`` makes seed 2 the shifted stream of seed 1; hashing the whole key does not.
"""

from __future__ import annotations

import hashlib
import json
import random


def digest(*key: object) -> str:
    """Return the SHA-256 of `key` as 64 hex characters; `key` may hold anything that JSON can write.

    Raises:
        TypeError: a part of the key is not JSON (its ``repr`` could change between processes).
    """
    return hashlib.sha256(json.dumps(key, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def stream(*key: object) -> random.Random:
    """Return a generator seeded by all of `key`, for example ``stream(seed, "arithmetic", index)``."""
    return random.Random(int(digest(*key), 16))
