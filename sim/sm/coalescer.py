"""Addresses of a warp to lines, sectors and wavefronts (memory 2.2, 2.3, 3.4).

Done once when a trace is loaded, since none of it depends on time.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..compiled import allocate, compiled, entry, lowest, record, u
from ..core import instruction as core
from ..core.limits import ALL_BYTES, SECTOR_BYTES, SECTORS

LANES = 32
LINE_SHIFT = 7  # 128-byte lines
SECTOR_SHIFT = 5  # 32-byte sectors
ATOMIC_BYTES = 4  # that an atomic unit of the L2 changes of a word in one turn
CHAINS = 64  # values with the same low bits
MOST = 9 * LANES  # words of an access: 32 bytes that straddle words of 4, in every lane
PHASES = 8  # of an access of 256 bits
PHASE_BYTES = 128
SHARED_SHIFT, SHARED_BYTES = 2, 128  # a word, and all banks together

# A search for distinct values. Those of a chain have the same low bits and may be equal.
ROOM = record(
    ("heads", "i8", CHAINS),  # last value of each chain; -1: none
    ("counts", "i8", CHAINS),  # values in each chain
    ("before", "i8", MOST),  # the previous value of the chain
    ("values", "i8", MOST),
    ("n", "i8"),
    ("total", "i8"),  # sum of the values
)


class Found(NamedTuple):
    """Of an access: each line's sectors; each sector's turns of atomics and bytes of stores."""

    sectors: NDArray[np.int64]
    turns: NDArray[np.int64]
    written: NDArray[np.int64]


def rooms() -> Any:
    """One for each phase of an access."""
    return allocate(ROOM, PHASES)


@compiled
def _clear(room, chains):
    room.n = room.total = 0
    for chain in range(chains):
        room.heads[chain] = -1
        room.counts[chain] = 0


@compiled
def _place(room, value, chain):
    """Index of a value, which is entered if it is new."""
    k = room.heads[chain]
    while k >= 0 and room.values[k] != value:
        k = room.before[k]
    if k >= 0:
        return k
    k = room.n
    room.values[k] = value
    room.before[k] = room.heads[chain]
    room.heads[chain] = k
    room.counts[chain] += 1
    room.n = k + 1
    room.total += value
    return k


@compiled
def _most(room, chains):
    """Values in the fullest chain."""
    most = 0
    for chain in range(chains):
        most = max(most, room.counts[chain])
    return most


@entry
def lines_of(room, addresses, mask, size, sectors):
    """Distinct lines that the lanes of `mask` touch, as values of `room`, in order of first touch.

    Lane i touches bytes [addresses[i], + size); `sectors[k]` becomes the mask of value k.
    """
    _clear(room, CHAINS)
    for lane in range(LANES):
        if not mask >> lane & 1:
            continue
        first = addresses[lane] >> SECTOR_SHIFT
        last = (addresses[lane] + size - 1) >> SECTOR_SHIFT
        for sector in range(first, last + 1):
            line = sector >> (LINE_SHIFT - SECTOR_SHIFT)
            n = room.n
            k = _place(room, line, line & (CHAINS - 1))
            if k == n:
                sectors[k] = 0
            sectors[k] |= 1 << (sector & 3)
    return room.n


@compiled
def _atomic_turns(room, addresses, mask, size, turns):
    """Turns of each sector of the lines of `room`: lanes that share a word take theirs one by one.

    A word of 64 bits takes two. Other words of a sector are changed together.
    """
    for k in range(SECTORS * room.n):
        turns[k] = 0
    own = max(size // ATOMIC_BYTES, 1)
    for lane in range(LANES):
        if mask >> lane & 1:
            turn = own
            for earlier in range(lane):
                if mask >> earlier & 1 and addresses[earlier] // size == addresses[lane] // size:
                    turn += own
            line = addresses[lane] >> LINE_SHIFT
            k = SECTORS * _place(room, line, line & (CHAINS - 1))
            k += (addresses[lane] >> SECTOR_SHIFT) % SECTORS
            turns[k] = max(turns[k], turn)


@compiled
def _written_bytes(room, addresses, mask, size, written):
    """A mask of the bytes that a store writes, for each sector of the lines of `room`."""
    for k in range(SECTORS * room.n):
        written[k] = 0
    for lane in range(LANES):
        if not mask >> lane & 1:
            continue
        for byte in range(addresses[lane], addresses[lane] + size):
            line = byte >> LINE_SHIFT
            k = SECTORS * _place(room, line, line & (CHAINS - 1))
            k += (byte >> SECTOR_SHIFT) % SECTORS
            written[k] |= 1 << (byte & (SECTOR_BYTES - 1))


@compiled
def _note_bytes(line, written, store_bytes, n):
    """Note which sectors a store writes as a whole, and for others the bytes, in row `n`."""
    for sector in range(SECTORS):
        if written[sector] == ALL_BYTES:
            line.whole |= 1 << sector
    if line.whole == line.sectors:
        return n
    line.bytes = n
    for sector in range(SECTORS):
        store_bytes[n].of_sector[sector] = written[sector]
    return n + 1


@compiled
def _grain(addresses, mask, size, shift, bytes_of_all):
    """Log of the bytes to count words by; if no access straddles two, as many as go together."""
    for lane in range(LANES):
        if mask >> lane & 1 and addresses[lane] & (size - 1):
            return shift
    while 1 << shift < min(size, bytes_of_all):
        shift += 1
    return shift


@compiled
def _busiest_bank(room, addresses, mask, first_lane, end_lane, size, shift, banks):
    """Enter the distinct words that some lanes touch; the number in the busiest bank."""
    _clear(room, banks)
    for lane in range(first_lane, end_lane):
        if mask >> lane & 1:
            last = (addresses[lane] + size - 1) >> shift
            for word in range(addresses[lane] >> shift, last + 1):
                _place(room, word, word & (banks - 1))
    return _most(room, banks)


@compiled
def _same(room, other):
    """Whether two searches found the same values."""
    if room.n != other.n or room.total != other.total:
        return False
    for k in range(room.n):
        j = 0
        while j < other.n and other.values[j] != room.values[k]:
            j += 1
        if j == other.n:
            return False
    return True


@entry
def shared_wavefronts(rooms, addresses, mask, size):
    """Cycles of the shared-memory data stage: 32 banks of 4 bytes, phases of up to 128 bytes.

    A phase that touches the words of an earlier one (a broadcast) costs nothing.
    """
    shift = _grain(addresses, mask, size, SHARED_SHIFT, SHARED_BYTES)
    lanes = max(min(LANES, PHASE_BYTES // size), 1)
    total = 0
    for phase in range(LANES // lanes):
        room, first = rooms[phase], phase * lanes
        wavefronts = _busiest_bank(
            room, addresses, mask, first, first + lanes, size, shift, SHARED_BYTES >> shift
        )
        repeated = False
        for earlier in range(phase):
            repeated |= _same(room, rooms[earlier])
        if not repeated:
            total += wavefronts
    return total


@entry
def atomic_wavefronts(room, addresses, mask, size):
    """Lanes in the busiest bank of each phase of an atomic on shared memory, summed."""
    banks = SHARED_BYTES >> SHARED_SHIFT
    lanes = max(min(LANES, PHASE_BYTES // size), 1)
    total = 0
    for first in range(0, LANES, lanes):
        for bank in range(banks):
            room.counts[bank] = 0
        for lane in range(first, first + lanes):
            if mask >> lane & 1:
                room.counts[(addresses[lane] >> SHARED_SHIFT) & (banks - 1)] += 1
        total += _most(room, banks)
    return total


@entry
def l1_wavefronts(rooms, addresses, mask, size, n_sets, n_banks, bank_shift):
    """Cycles of the L1D: one line a set and cycle in the tags, one word a bank and cycle.

    The first of `rooms` holds the lines.
    """
    shift = _grain(addresses, mask, size, bank_shift, n_banks << bank_shift)
    banks = (n_banks << bank_shift) >> shift
    of_bank = _busiest_bank(rooms[1], addresses, mask, 0, LANES, size, shift, banks)
    _clear(rooms[1], n_sets)
    for k in range(rooms[0].n):
        rooms[1].counts[rooms[0].values[k] % n_sets] += 1
    return max(_most(rooms[1], n_sets), of_bank)


@compiled
def _moved(now, before, mask, period):
    """Whether all lanes of `mask` have moved alike, by whole periods; and how far."""
    if mask == 0:
        return True, 0
    first = lowest(mask)
    distance = now[u(first)] - before[u(first)]
    differ = distance & (period - 1)
    for lane in range(LANES):
        differ |= (now[u(lane)] - before[u(lane)] - distance) & -(mask >> lane & 1)
    return differ == 0, distance


@compiled
def _coalesce_row(rooms, addresses, mask, path, size, passes, geometry, found, access, lines):
    """Fill an `ACCESS` and its lines, from its first one on."""
    access.lines = 0
    if path == core.SHARED and passes:
        access.wavefronts = passes * atomic_wavefronts(rooms[0], addresses, mask, size)
        return
    if path == core.SHARED:
        access.wavefronts = shared_wavefronts(rooms, addresses, mask, size)
        return
    access.lines = lines_of(rooms[0], addresses, mask, size, found.sectors)
    if path != core.CONSTANT:
        access.wavefronts = l1_wavefronts(rooms, addresses, mask, size, *geometry)
    changes = path == core.ATOMIC or path == core.REDUCTION
    if changes:
        _atomic_turns(rooms[0], addresses, mask, size, found.turns)
    for k in range(access.lines):
        line = lines[access.first + k]
        line.line = rooms[0].values[k]
        line.sectors = found.sectors[k]
        line.turns = line.whole = line.bytes = 0
        if changes:
            line.turns = found.turns[SECTORS * k : SECTORS * (k + 1)].sum()


@compiled
def _note_stores(rooms, addresses, mask, size, found, access, lines, store_bytes, n):
    """Note which bytes a store writes; returns how many rows of `store_bytes` are in use."""
    _written_bytes(rooms[0], addresses, mask, size, found.written)
    for k in range(access.lines):
        written = found.written[SECTORS * k : SECTORS * (k + 1)]
        n = _note_bytes(lines[access.first + k], written, store_bytes, n)
    return n


@entry
def copied_wavefronts(rooms, addresses, masks, pcs, sizes, copies, accesses):
    """Note the cycles in which each LDGSTS, at its shared `addresses`, uses the data stage."""
    for row in range(len(masks)):
        if copies[pcs[row]]:
            mask, size = int(masks[row]), sizes[pcs[row]]
            accesses[row].copied = shared_wavefronts(rooms, addresses[row], mask, size)


@entry
def coalesce(
    rooms, addresses, masks, pcs, paths, sizes, passes, geometry, accesses, lines, store_bytes
):
    """Fill one `ACCESS` a row, their lines, and the bytes of stores that leave sectors incomplete.

    `paths` is that of each row, `sizes` and `passes` those of each static instruction: atomics on
    shared memory pass the data stage `passes` times for each lane. Many rows are an earlier one of
    the same instruction, moved by whole lines: they have as many lines and wavefronts. Returns the
    numbers of lines and of rows of bytes.
    """
    _, n_banks, bank_shift = geometry
    found = Found(
        np.zeros(MOST, np.int64),
        np.zeros(SECTORS * MOST, np.int64),
        np.zeros(SECTORS * MOST, np.int64),
    )
    latest = np.full(len(sizes), -1)
    period = max(1 << LINE_SHIFT, n_banks << bank_shift)
    n = n_bytes = 0
    for row in range(len(masks)):
        mask, pc, path = int(masks[row]), pcs[row], paths[row]
        access = accesses[row]
        access.first = n
        earlier = latest[pc]
        alike, distance = False, 0
        if earlier >= 0 and masks[earlier] == mask and paths[earlier] == path:
            alike, distance = _moved(addresses[row], addresses[earlier], mask, period)
        if alike:
            old = accesses[earlier]
            access.lines, access.wavefronts = old.lines, old.wavefronts
            for k in range(old.lines):
                line, before = lines[n + k], lines[old.first + k]
                line.line = before.line + (distance >> LINE_SHIFT)
                line.sectors = before.sectors
                line.turns = before.turns
                line.whole = before.whole
                line.bytes = before.bytes
        else:
            latest[pc] = row
            _coalesce_row(
                rooms, addresses[row], mask, path, sizes[pc], passes[pc], geometry, found,
                access, lines
            )  # fmt: skip
            if path == core.L1_STORE or path == core.L2_WRITE:
                n_bytes = _note_stores(
                    rooms, addresses[row], mask, sizes[pc], found, access, lines, store_bytes,
                    n_bytes
                )  # fmt: skip
        n += access.lines
    return n, n_bytes
