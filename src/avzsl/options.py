"""The one way to declare options: a frozen, checked dataclass whose docstrings are the help.

Every section of ``config.yaml`` is such a class, and so are the options of every encoder and
method. The JSON schema that editors complete from and that the workflow checks against is
generated from them (``avzsl.schema``).
"""

from __future__ import annotations

import inspect
from typing import Any, TypeVar, dataclass_transform

from pydantic import ConfigDict, Field, TypeAdapter
from pydantic.dataclasses import dataclass as _pydantic_dataclass
from pydantic.fields import FieldInfo

T = TypeVar("T")


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(Field,))
def options(cls: type[T]) -> type[T]:
    """Make ``cls`` a frozen dataclass with keyword arguments, checked types and no unknown keys.

    The docstring below each attribute becomes its description in the schema; bounds are written
    as ``Annotated[float, Field(ge=0)]``.
    """
    _inherit_descriptions(cls)
    config = ConfigDict(extra="forbid", use_attribute_docstrings=True)
    made: type[T] = _pydantic_dataclass(frozen=True, kw_only=True, config=config)(cls)  # type: ignore[assignment]
    return made


def _inherit_descriptions(cls: type) -> None:
    """Take over inherited options whole, since pydantic reads docstrings of ``cls`` alone."""
    own = inspect.get_annotations(cls)
    inherited: dict[str, FieldInfo] = {}
    for base in reversed(cls.__mro__[1:]):
        inherited |= getattr(base, "__pydantic_fields__", {})
    for name, field in inherited.items():
        if name not in own:
            own[name] = field.rebuild_annotation()
            setattr(cls, name, field)
    cls.__annotations__ = own


def as_dict(value: Any) -> dict[str, Any]:
    """Return the options as plain JSON values, every default spelled out."""
    dumped: dict[str, Any] = TypeAdapter(type(value)).dump_python(value, mode="json")
    return dumped


def from_dict(cls: type[T], values: dict[str, Any]) -> T:
    """Build ``cls`` from plain values.

    Raises:
        ValueError: If a value is missing, unknown or of the wrong type.
    """
    return TypeAdapter(cls).validate_python(values)


def json_schema(cls: type) -> dict[str, Any]:
    """Return the JSON schema of an options class."""
    return TypeAdapter(cls).json_schema(ref_template="#/$defs/{model}")
