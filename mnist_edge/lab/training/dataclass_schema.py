"""Dataclasses from values that a stranger may have written, checked by their annotations."""

import math
import types
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from mnist_edge.errors import EdgeError

_MAX_TEXT = 4096  # as a path may be
_MAX_ITEMS = 10_000

Kind = TypeVar("Kind")


class SchemaError(EdgeError):
    """Which field is wrong, and how; never what was found there, which may be endless."""


def build_dataclass(kind: type[Kind], values: Any, name: str) -> Kind:
    """A dataclass of a dict as JSON would hold it: fields of int, float, str, tuples of these,
    dataclasses, and None where the annotation allows it.

    A field with a default may be missing, but for those that are dataclasses themselves. Numbers
    stay as they are, and are finite. SchemaError, or what the dataclass itself raises.
    """
    if not isinstance(values, Mapping):
        raise SchemaError(f"{name} is no dict")
    hints = get_type_hints(kind)
    known = {item.name: item for item in fields(kind)}  # type: ignore[arg-type]
    for key in values:
        if key not in known:
            raise SchemaError(f"{name} has fields that are not known here")
    for item in known.values():
        optional = item.default is not MISSING or item.default_factory is not MISSING
        if item.name not in values and (is_dataclass(hints[item.name]) or not optional):
            raise SchemaError(f"{name} has no {item.name}")
    given = {key: check_value(hints[key], value, f"{name}.{key}") for key, value in values.items()}
    return kind(**given)


def check_value(hint: Any, value: Any, name: str) -> Any:
    """A value of an annotation's type. SchemaError."""
    if get_origin(hint) in (types.UnionType, Union):
        (inner,) = (one for one in get_args(hint) if one is not type(None))
        return None if value is None else check_value(inner, value, name)
    if get_origin(hint) is tuple:
        if not isinstance(value, list | tuple) or len(value) > _MAX_ITEMS:
            raise SchemaError(f"{name} is no list, or too long")
        return tuple(check_value(get_args(hint)[0], one, name) for one in value)
    if is_dataclass(hint):
        return build_dataclass(hint, value, name)  # type: ignore[arg-type]
    if not is_plain(value) or not _is_of_type(hint, value):
        raise SchemaError(f"{name} is no {hint.__name__}")
    return value


def is_plain(value: Any) -> bool:
    """Whether a value is what JSON knows, alone: None, a bool, a finite number, a short text."""
    if value is None or type(value) in (bool, int):
        return True
    if type(value) is float:
        return math.isfinite(value)
    return type(value) is str and len(value) <= _MAX_TEXT


def _is_of_type(hint: type, value: Any) -> bool:
    return type(value) is hint or (hint is float and type(value) is int)
