"""From one trace format to another, and a trace cut to some of its CTAs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final

from ..isa.errors import InputError
from . import accelsim_writer, store, tree, tree_writer
from .kernel import Cta, Kernel, Trace

TARGETS: Final = (
    "a name that ends in .warptrace, kernelslist.g (Accel-Sim's text), or dynamic_trace.pb (the "
    "protobuf tree)"
)


def write(trace: Trace, path: Path, compression: str = "") -> str | None:
    """Write a trace in the format of the name `path`; returns what that format cannot hold.

    Raises InputError for a name of no format, or if a file cannot be written.
    """
    if path.suffix == ".warptrace":
        store.write(trace, path)
        return None
    if path.name == tree.TRACE:
        tree_writer.write(trace, path)
        return tree_writer.LOSSES
    if path.suffix == ".g":
        accelsim_writer.write(trace, path, compression)
        return accelsim_writer.LOSSES
    raise InputError(f"{path}: expected {TARGETS}")


def cut(kernel: Kernel, first: int, last: int) -> Kernel:
    """The CTAs `first` to `last`, the last one excluded, as a one-dimensional grid."""
    if not 0 <= first < last <= kernel.n_ctas:
        raise InputError(
            f"{kernel.name}: CTAs {first}:{last} found, expected a range within 0:{kernel.n_ctas}"
        )

    def load_cta(number: int) -> Cta:
        return Cta(number, kernel.load_cta(first + number).warps)

    return replace(kernel, grid=(last - first, 1, 1), load_cta=load_cta, hash="")
