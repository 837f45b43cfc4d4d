"""Groups of settings: frozen dataclasses that pydantic checks, with messages that say what would be valid.

A field's annotation is the only place that says what it may be: ``Annotated[int, Between(1, 8)]``, a `Literal`, or
``Annotated[tuple[str, ...], SomeOf(CHOICES)]``. The message of a refusal is made from it.
"""

from __future__ import annotations

import dataclasses
import difflib
import typing
from collections.abc import Iterable
from functools import wraps
from typing import Annotated, Any, Literal, NoReturn, TypeVar, get_args, get_origin

import pydantic
from annotated_types import Interval
from pydantic_core import core_schema

T = TypeVar("T")
LONGEST_VALUE = 300  # characters of a value in a message
Words = Annotated[tuple[str, ...], pydantic.Field(strict=False)]  # a tuple of texts; a list will do, a text won't


class ExperimentError(ValueError):
    """A setting is unknown, invalid or contradicts another; the message names it and says what is valid."""


def Between(low: float, high: float) -> Interval:  # noqa: N802
    """Return the annotation of a number from `low` to `high`."""
    return Interval(ge=low, le=high)


@dataclasses.dataclass(frozen=True)
class SomeOf:
    """The annotation of a tuple of words, `least` or more of `choices` and each once; a list will do, a text won't."""

    choices: tuple[str, ...]
    least: int = 1

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> core_schema.CoreSchema:
        def check(value: Any) -> tuple[str, ...]:
            listed = isinstance(value, (list, tuple)) and all(isinstance(word, str) for word in value)
            if not listed or not set(value) <= set(self.choices) or len(set(value)) < max(len(value), self.least):
                raise ValueError(str(self))
            return tuple(value)

        return core_schema.no_info_plain_validator_function(check)

    def __str__(self) -> str:
        some = f"a tuple of some of {', '.join(self.choices)}, each once"
        return some if self.least else f"(), or {some}"


@typing.dataclass_transform(frozen_default=True)
def group(cls: type[T]) -> type[T]:
    """Make `cls` a frozen dataclass whose fields are checked; a bad value raises ExperimentError."""
    config = pydantic.ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)
    made = pydantic.dataclasses.dataclass(frozen=True, config=config)(cls)
    check = made.__init__

    @wraps(check)
    def __init__(self: Any, *args: Any, **values: Any) -> None:  # noqa: N807
        try:
            check(self, *args, **values)
        except pydantic.ValidationError as error:
            raise ExperimentError(_in_words(error, made)) from None

    made.__init__ = __init__  # type: ignore[method-assign]
    return made  # type: ignore[return-value]


def refuse(settings: object, name: str, valid: str) -> NoReturn:
    """Raise ExperimentError for the value that `settings` has of field `name`."""
    raise ExperimentError(f"{name}={written(getattr(settings, name))} is not valid; valid: {valid}")


def written(value: object) -> str:
    """Return a value as Python writes it, cut short where it is long."""
    try:
        text = repr(value)
    except Exception:  # a number of more digits than Python writes, or an object that fails
        text = f"<a value of type {type(value).__name__}>"
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}…"


def unknown(what: str, name: str, known: Iterable[str]) -> ExperimentError:
    """Return the error for a field that does not exist; it names the nearest that does."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, 1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return ExperimentError(f"{what} has no field {written(name)}; {hint}fields: {', '.join(names)}")


def _in_words(error: pydantic.ValidationError, cls: type) -> str:
    """Return what is wrong with the first field that pydantic refused."""
    first = error.errors()[0]
    cause = first.get("ctx", {}).get("error")
    if isinstance(cause, ExperimentError):
        return str(cause)
    known = [field.name for field in dataclasses.fields(cls)]
    name = str(first["loc"][0]) if first["loc"] else ""
    if name not in known:
        return str(unknown(cls.__name__, name, known))
    where = "".join(f"[{place}]" for place in first["loc"][1:] if isinstance(place, int))
    valid = _said(typing.get_type_hints(cls, include_extras=True)[name])
    return f"{name}{where}={written(first['input'])} is not valid; valid: {valid}"


def _said(annotation: Any) -> str:
    """Return in words what a field of this annotation may be."""
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        for part in parts[1:]:
            if isinstance(part, SomeOf):
                return str(part)
            if isinstance(part, Interval):
                kind = "a whole number" if parts[0] is int else "a number"
                return f"{kind} from {part.ge} to {part.le}"
        return _said(parts[0])
    if origin is Literal:
        return f"one of {', '.join(map(str, parts))}"
    if origin is tuple:
        return f"a tuple of {_said(parts[0])}s"
    if type(None) in parts:
        return f"None, or {' or '.join(_said(part) for part in parts if part is not type(None))}"
    if parts:
        return " or ".join(map(_said, parts))
    return {str: "text", int: "a whole number", float: "a number", bool: "True or False"}.get(
        annotation, getattr(annotation, "__name__", str(annotation))
    )
