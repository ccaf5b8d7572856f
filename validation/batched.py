"""Members of the zoo on many inputs at once, as batched launches are: the same code, longer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import chain, zip_longest

from ..traces.emulator import Device
from ..traces.kernel import Cta, Kernel, Trace
from .kernels.application import emulate_application
from .kernels.zoo import SEED, application, cubin


def batched(name: str, times: int, arch: str = "sm_86") -> Trace:
    """A member with the CTAs of `times` runs in each launch, each on data and arrays of its own.

    Where the data decide how many launches a run has, later ones have the CTAs of fewer runs.
    """
    device = Device()
    runs = (
        emulate_application(application(name, SEED + k), cubin(name, arch), device).kernels
        for k in range(times)
    )
    together = zip_longest(*runs)
    return Trace(tuple(joined([k for k in kernels if k]) for kernels in together))


def joined(kernels: Sequence[Kernel]) -> Kernel:
    """One launch with the CTAs of all, one behind the other, in a one-dimensional grid."""
    ctas = [(kernel, number) for kernel in kernels for number in range(kernel.n_ctas)]

    def load_cta(number: int) -> Cta:
        kernel, place = ctas[number]
        return Cta(number, kernel.load_cta(place).warps)

    copies = tuple(chain.from_iterable(kernel.copies for kernel in kernels))
    grid = len(ctas), 1, 1
    return replace(kernels[0], grid=grid, load_cta=load_cta, copies=copies)
