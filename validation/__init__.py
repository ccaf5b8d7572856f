"""Is it right? The model against the paper's experiments and against hardware."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .paper import PaperReport as PaperReport
    from .paper import validate_paper as validate_paper

__all__ = ["PaperReport", "validate_paper"]


def __getattr__(name: str) -> Any:
    """Import a public name on first use, as `warpwise.sim` does."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(".paper", __name__), name)
