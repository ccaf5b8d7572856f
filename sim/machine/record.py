"""The validated machine as one record: what compiled stages may read."""

from __future__ import annotations

from typing import Any, Literal, get_args, get_origin

import numpy as np
from pydantic import BaseModel

from ..compiled import allocate, record
from .schema import Gpu

_SCALARS: dict[type, str] = {bool: "i1", int: "i8", float: "f8"}


def _dtype(model: type[BaseModel]) -> np.dtype[Any]:
    """Scalars, choices (by position) and nested tables; what else there is, is decoded per PC."""
    fields: list[tuple[str, Any]] = []
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            nested = _dtype(kind)
            if nested.names:
                fields.append((name, nested))
        elif kind in _SCALARS:
            fields.append((name, _SCALARS[kind]))
        elif get_origin(kind) is Literal:
            fields.append((name, "i8"))
    return record(*fields)


def _fill(target: Any, model: BaseModel) -> None:
    for name in target.dtype.names:
        value = getattr(model, name)
        choices = get_args(type(model).model_fields[name].annotation)
        if isinstance(value, BaseModel):
            _fill(target[name], value)
        elif choices:
            target[name] = choices.index(value)
        else:
            target[name] = value


MACHINE = _dtype(Gpu)


def to_record(gpu: Gpu) -> Any:
    """An array that holds the one `MACHINE` record of `gpu`."""
    machine = allocate(MACHINE, 1)
    _fill(machine[0], gpu)
    return machine
