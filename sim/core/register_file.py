"""Register-file read ports and the register-file cache (sm-core 4.2, 4.3; Huerta et al. 5.3).

Two banks, bank = register number mod 2. Fixed-latency instructions book their reads in Allocate for
the cycles after it; variable-latency ones read at the head of their queue, when a port is free.
"""

from __future__ import annotations

from ..compiled import compiled, record, u
from .limits import BANKS, SLOTS

RING = 16  # cycles of the reservation table; longer than any read window

State = record(
    ("booked_at", "i8", (BANKS, RING)),  # cycle that a table entry stands for
    ("booked", "i2", (BANKS, RING)),  # reads booked in that cycle
    ("cached", "i4", (BANKS, SLOTS)),  # warp * 256 + register + 1, 0: nothing
    ("n_cached", "i2"),
)


@compiled
def booked(ports, bank, cycle):
    """Reads booked on `bank` in `cycle`."""
    slot = cycle & (RING - 1)
    if ports.booked_at[u(bank), u(slot)] == cycle:
        return int(ports.booked[u(bank), u(slot)])
    return 0


@compiled
def _fits(ports, bank, reads, first, last, n_ports):
    """Whether `reads` more reads fit on `bank` in cycles first..last."""
    free = 0
    for cycle in range(first, last + 1):
        free += max(n_ports - booked(ports, bank, cycle), 0)
        if free >= reads:
            return True
    return reads == 0


@compiled
def _book(ports, bank, reads, first, n_ports):
    """Book the earliest free reads from `first` on; returns the last cycle used."""
    cycle = first
    last = first
    left = int(reads)
    while left > 0:
        taken = booked(ports, bank, cycle)
        more = min(n_ports - taken, left)
        if more > 0:
            slot = cycle & (RING - 1)
            ports.booked_at[u(bank), u(slot)] = cycle
            ports.booked[u(bank), u(slot)] = taken + more
            left -= more
            last = cycle
        cycle += 1
    return last


@compiled
def reserve_window(ports, reads0, reads1, first, last, n_ports):
    """Book an instruction's reads within first..last; False, and nothing booked, without room."""
    if not _fits(ports, 0, reads0, first, last, n_ports):
        return False
    if not _fits(ports, 1, reads1, first, last, n_ports):
        return False
    _book(ports, 0, reads0, first, n_ports)
    _book(ports, 1, reads1, first, n_ports)
    return True


@compiled
def read_now(ports, inst, cycle, n_ports):
    """A variable-latency read: False if a port that it needs is taken in `cycle`.

    More reads than ports continue in the following cycles.
    """
    reads0 = int(inst.reads[0])
    reads1 = int(inst.reads[1])
    if reads0 and booked(ports, 0, cycle) >= n_ports:
        return False
    if reads1 and booked(ports, 1, cycle) >= n_ports:
        return False
    _book(ports, 0, reads0, cycle, n_ports)
    _book(ports, 1, reads1, cycle, n_ports)
    return True


@compiled
def _tag(warp, register):
    return warp * 256 + register + 1


@compiled
def _hits(ports, warp, slot, register):
    return ports.cached[u(register & 1), u(slot)] == _tag(warp, register)


@compiled
def _needs_port(ports, inst, warp, slot, register):
    """Whether operand `slot` reads `register` from the file, and no earlier operand does."""
    if _hits(ports, warp, slot, register):
        return False
    for earlier in range(slot):
        first = int(inst.source[u(earlier)])
        named = first <= register < first + int(inst.source_count[u(earlier)])
        if named and not _hits(ports, warp, earlier, register):
            return False
    return True


@compiled
def reads_after_cache(ports, inst, warp):
    """Reads on each bank that the register-file cache does not serve."""
    if ports.n_cached == 0:
        return int(inst.reads[0]), int(inst.reads[1])
    reads0 = 0
    reads1 = 0
    for slot in range(SLOTS):
        first = int(inst.source[u(slot)])
        for register in range(first, first + int(inst.source_count[u(slot)])):
            if _needs_port(ports, inst, warp, slot, register):
                if register & 1:
                    reads1 += 1
                else:
                    reads0 += 1
    return reads0, reads1


@compiled(inline=True)
def update_cache(ports, inst, warp):
    """Each source read clears its (bank, slot) entry; the reuse bit fills it anew."""
    n_cached = int(ports.n_cached)
    if n_cached == 0 and inst.reuse == 0:
        return
    for slot in range(SLOTS):
        keeps = inst.reuse >> slot & 1
        first = int(inst.source[u(slot)])
        for register in range(first, first + int(inst.source_count[u(slot)])):
            bank = register & 1
            n_cached += keeps - int(ports.cached[u(bank), u(slot)] != 0)
            ports.cached[u(bank), u(slot)] = _tag(warp, register) if keeps else 0
    ports.n_cached = n_cached
