"""Small results that take long to compute, such as the keys of stages, kept in the run store from one call to the next.

What is kept is used only by the code that made it: a file holds a hash of this package's source and of Python's
version, taken when the package is imported, and a checksum. Whatever does not fit, or cannot be read, is computed
again. Only what is changed in a running Python, and in no file, goes unseen.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from pbb import store
from pbb.streams import digest

T = TypeVar("T")


def _code() -> str:
    total = hashlib.sha256(sys.version.encode())
    package = Path(__file__).resolve().parents[1]
    for file in sorted(package.rglob("*.py")):
        text = file.read_bytes()
        total.update(f"{file.relative_to(package)} {len(text)} ".encode() + text)
    return total.hexdigest()


CODE = _code()  # now, and not when it is asked for: the files may change while this Python runs


def remembered(make: Callable[[], T], *key: object) -> T:
    """Return what `make` gave for this `key` in this run store, or what it gives now, which is then kept.

    `key` is whatever the result depends on besides the package's code, in values that JSON can write; so is the
    result, in which tuples become lists. Where nothing can be written, nothing is kept.
    """
    file = store.runs() / "remembered" / f"{digest(*key)[:32]}.json"
    with suppress(OSError, ValueError, KeyError, TypeError):  # not there, or not whole
        kept = json.loads(file.read_bytes())
        if kept["check"] == digest(CODE, key, kept["value"]):
            value: T = kept["value"]
            return value
    value = make()
    temporary = file.with_suffix(f".{uuid.uuid4().hex[:8]}")
    with suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            temporary.write_text(json.dumps({"check": digest(CODE, key, value), "value": value}), encoding="utf-8")
            os.replace(temporary, file)
        finally:
            temporary.unlink(missing_ok=True)
    return value
