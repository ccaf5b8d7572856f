"""Kernels of one warp whose steps Hypothesis draws: any masks, any addresses."""

from dataclasses import replace

import numpy as np
from hypothesis import strategies as st

from warpwise.isa.program import Access
from warpwise.traces.handwritten import parse
from warpwise.traces.kernel import Accesses, Cta, Path, Warp, lanes_of

MASKS = st.integers(0, 0xFFFFFFFF) | st.sampled_from([0, 1, 0x80000000, 0xFF00, 0xFFFFFFFF])
STRIDED = st.builds(
    lambda base, stride: [base + k * stride for k in range(32)],
    st.integers(0, 1 << 47),
    st.integers(-(1 << 33), 1 << 33),
)


def rows(lowest, highest):
    """Addresses of 32 lanes: strided, or any numbers from `lowest` to `highest`."""
    return STRIDED | st.lists(st.integers(lowest, highest), min_size=32, max_size=32)


def drawn_kernel(code, steps):
    """The kernel of some SASS whose one warp takes these steps.

    A step is (PC, active lanes, executed lanes, addresses, addresses in shared memory).
    """
    kernel = parse(code).kernels[0]
    instructions = kernel.program.instructions
    pcs = np.array([pc for pc, *_ in steps], np.uint32)
    active = np.array([mask for _, mask, *_ in steps], np.uint32)
    executed = active & np.array([mask for _, _, mask, *_ in steps], np.uint32)
    lanes = lanes_of(executed)
    addresses = np.where(lanes, np.array([row for *_, row, _ in steps], np.int64), 0)
    shared = np.where(lanes, np.array([row for *_, row in steps], np.int64), 0)
    shared[[instructions[pc].access != Access.ASYNC_COPY for pc in pcs]] = 0
    has_row = [instructions[pc].access != Access.NONE for pc in pcs]
    warp = Warp(Path(pcs, active, executed), Accesses(addresses[has_row], shared[has_row]))
    return replace(kernel, load_cta=lambda number: Cta(number, (warp,)))
