"""When things happen: the cycle-level model of the GPU, and how to run it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .api import run as run
    from .machine.load import Machine as Machine
    from .machine.load import load as load_machine
    from .result import KernelResult as KernelResult
    from .result import Result as Result
    from .studies.sweep import sweep as sweep

_HOMES = {
    "run": ("api", "run"),
    "Machine": ("machine.load", "Machine"),
    "load_machine": ("machine.load", "load"),
    "KernelResult": ("result", "KernelResult"),
    "sweep": ("studies.sweep", "sweep"),
    "Result": ("result", "Result"),
}

__all__ = ["KernelResult", "Machine", "Result", "load_machine", "run", "sweep"]


def __getattr__(name: str) -> Any:
    """Import a public name on first use: importing numba and pandas takes most of a second."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    module, attribute = _HOMES[name]
    return getattr(import_module(f".{module}", __name__), attribute)
