"""How many CTAs of a kernel an SM holds, and how much L1D is left (sm-core 1.3, memory 3.1)."""

from __future__ import annotations

from dataclasses import dataclass

from ..isa.errors import InputError
from ..traces.kernel import WARP_SIZE, Kernel
from .core.limits import CTAS, SUBCORES, WARPS
from .machine.schema import Gpu


def _round_up(value: int, unit: int) -> int:
    return -(-value // unit) * unit


@dataclass(frozen=True)
class Occupancy:
    """Resident CTAs of an SM: the limit of each resource, and what the launch gets."""

    limits: dict[str, int]
    ctas: int
    carveout_kib: int
    l1_ways: int


def _by_registers(kernel: Kernel, gpu: Gpu) -> int:
    """Registers are allocated per warp, out of the sub-core's quarter of them or of one pool."""
    limits = gpu.sm.occupancy
    registers = kernel.registers or kernel.program.registers
    if registers == 0:
        return limits.ctas
    per_warp = _round_up(registers * WARP_SIZE, limits.register_unit)
    pools = SUBCORES if limits.register_pool == "subcore" else 1
    warps = limits.registers // pools // per_warp * pools
    return warps // kernel.warps_per_cta


def _shared_bytes(kernel: Kernel, gpu: Gpu) -> int:
    limits = gpu.sm.occupancy
    return _round_up(kernel.shared_bytes + limits.shared_reserved_bytes, limits.shared_unit_bytes)


def occupancy(kernel: Kernel, gpu: Gpu, sms: int) -> Occupancy:
    """Occupancy of `kernel` on `sms` SMs. Raises InputError if not even one CTA fits.

    A grid that does not fill the GPU is spread evenly over the SMs.
    """
    limits = gpu.sm.occupancy
    shared = _shared_bytes(kernel, gpu)
    by = {
        "warps": min(limits.warps, WARPS * SUBCORES) // kernel.warps_per_cta,
        "CTA slots": min(limits.ctas, CTAS),
        "registers": _by_registers(kernel, gpu),
        "shared memory": limits.shared_kib * 1024 // shared if shared else limits.ctas,
    }
    fits = min(by.values())
    if fits == 0:
        short = ", ".join(name for name, n in by.items() if n == 0)
        raise InputError(f"{kernel.name}: not one CTA fits on an SM of {gpu.name}: too few {short}")
    ctas = min(fits, -(-kernel.n_ctas // sms))
    carveout = _carveout(kernel.shared_bytes and shared * ctas, gpu)
    return Occupancy(by, ctas, carveout, _l1_ways(carveout, gpu))


def _carveout(needed: int, gpu: Gpu) -> int:
    """The smallest shared-memory size (KiB) that holds what the resident CTAs need."""
    options = sorted(gpu.sm.l1d.carveouts_kib)
    return next((size for size in options if size * 1024 >= needed), options[-1])


def _l1_ways(carveout_kib: int, gpu: Gpu) -> int:
    l1d = gpu.sm.l1d
    lines = (l1d.size_kib - carveout_kib) * 1024 // l1d.line_bytes
    return lines // l1d.sets
