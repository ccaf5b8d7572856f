"""The lane masks of paths as columns of small numbers, and back.

Active lanes nearly always are among the masks that came up in the path before: as active lanes, as
those whose guard held, or as the others. So each entry has the rank of its mask among those, the
last one first; one that is new is listed. Which lanes are active and do not execute is listed
instruction by instruction.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..isa.errors import InputError
from . import mask_ranks
from .address_columns import Columns, Masks

APART = 1  # bit of a kind: some active lanes do not execute; above it is the rank


def compress(lengths: NDArray[Any], pcs: NDArray[Any], active: Masks, executed: Masks) -> Columns:
    """Columns of the entries of paths with these lengths."""
    kinds, fresh = np.zeros((2, len(pcs)), np.int64)
    both = active.astype(np.int64), executed.astype(np.int64)
    n_fresh = mask_ranks.find(lengths.astype(np.int64), *both, kinds, fresh)
    apart = np.flatnonzero(active != executed)
    order = apart[np.argsort(pcs[apart], kind="stable")]
    return {
        "mask_kind": kinds,
        "masks": fresh[:n_fresh],
        "skipped": (active & ~executed)[order],
    }


def expand(columns: Columns, lengths: NDArray[Any], pcs: NDArray[Any]) -> tuple[Masks, Masks]:
    """Active and executed lanes of all entries. Raises InputError."""
    kinds = columns["mask_kind"].astype(np.int64)
    if len(kinds) != len(pcs):
        raise InputError(f"{len(kinds)} path entries found, expected {len(pcs)}")
    apart = np.flatnonzero(kinds & APART)
    if len(apart) != len(columns["skipped"]):
        raise InputError(f"{len(columns['skipped'])} entries in column skipped, not {len(apart)}")
    skipped, active, executed = np.zeros((3, len(pcs)), np.int64)
    skipped[apart[np.argsort(pcs[apart], kind="stable")]] = columns["skipped"]
    fresh = columns["masks"].astype(np.int64)
    used = mask_ranks.follow(lengths.astype(np.int64), kinds, fresh, skipped, active, executed)
    if used != len(fresh):
        raise InputError(f"column mask_kind does not fit the {len(fresh)} entries in column masks")
    if (skipped & ~active).any():
        raise InputError("column skipped holds a lane that is not active")
    return active.astype(np.uint32), executed.astype(np.uint32)
