"""Is it right? The model against the paper's experiments and against hardware."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .hardware_checks import MeasurementReport as MeasurementReport
    from .hardware_checks import validate_measurements as validate_measurements
    from .hardware_comparison import HardwareReport as HardwareReport
    from .hardware_comparison import validate_hardware as validate_hardware
    from .paper import PaperReport as PaperReport
    from .paper import validate_paper as validate_paper

_MODULES = {
    "HardwareReport": "hardware_comparison",
    "validate_hardware": "hardware_comparison",
    "MeasurementReport": "hardware_checks",
    "validate_measurements": "hardware_checks",
    "PaperReport": "paper",
    "validate_paper": "paper",
}
__all__ = [
    "HardwareReport",
    "MeasurementReport",
    "PaperReport",
    "validate_hardware",
    "validate_measurements",
    "validate_paper",
]


def __getattr__(name: str) -> Any:
    """Import a public name on first use, as `warpwise.sim` does."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f".{_MODULES[name]}", __name__), name)
