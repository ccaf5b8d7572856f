"""Addresses of a warp to lines, sectors and wavefronts (memory 2.2, 2.3, 3.4).

Done once when a trace is loaded, since none of it depends on time.
"""

from __future__ import annotations

import numpy as np

from ..compiled import entry
from ..core import instruction as core

LANES = 32
LINE_SHIFT = 7  # 128-byte lines
SECTOR_SHIFT = 5  # 32-byte sectors


@entry
def lines_of(addresses, mask, size, lines, sectors):
    """Distinct lines that the lanes of `mask` touch, in order of first touch; returns how many.

    Lane i touches bytes [addresses[i], + size); `sectors[k]` becomes the mask of `lines[k]`.
    """
    n = 0
    for lane in range(LANES):
        if not mask >> lane & 1:
            continue
        first = addresses[lane] >> SECTOR_SHIFT
        last = (addresses[lane] + size - 1) >> SECTOR_SHIFT
        for sector in range(first, last + 1):
            line = sector >> (LINE_SHIFT - SECTOR_SHIFT)
            k = 0
            while k < n and lines[k] != line:
                k += 1
            if k == n:
                lines[n] = line
                sectors[n] = 0
                n += 1
            sectors[k] |= 1 << (sector & 3)
    return n


@entry
def _most_words_in_a_bank(addresses, mask, first_lane, end_lane, size, n_banks, width):
    """Largest number of distinct `width`-byte words in one bank, over some lanes."""
    words = np.empty(LANES * 4, np.int64)
    per_bank = np.zeros(n_banks, np.int64)
    n = 0
    most = 0
    for lane in range(first_lane, end_lane):
        if not mask >> lane & 1:
            continue
        for word in range(addresses[lane] // width, (addresses[lane] + size - 1) // width + 1):
            k = 0
            while k < n and words[k] != word:
                k += 1
            if k == n:
                words[n] = word
                n += 1
                per_bank[word % n_banks] += 1
                most = max(most, per_bank[word % n_banks])
    return most


@entry
def shared_wavefronts(addresses, mask, size):
    """Cycles of the shared-memory data stage: 32 banks of 4 bytes, phases of up to 128 bytes.

    A phase whose words were all read by the one before (a broadcast) costs nothing.
    """
    lanes = max(min(LANES, 128 // size), 1)
    total = 0
    for first in range(0, LANES, lanes):
        same = first > 0
        for lane in range(first, first + lanes):
            before = lane - lanes
            if mask >> lane & 1 and not (
                before >= 0 and mask >> before & 1 and addresses[before] == addresses[lane]
            ):
                same = False
        if not same:
            total += _most_words_in_a_bank(addresses, mask, first, first + lanes, size, 32, 4)
    return total


@entry
def l1_wavefronts(addresses, mask, size, lines, n_lines, n_sets, n_banks, bank_bytes):
    """Cycles of the L1D: one line a set and cycle in the tags, one word a bank and cycle."""
    per_set = np.zeros(n_sets, np.int64)
    most = 0
    for k in range(n_lines):
        per_set[lines[k] % n_sets] += 1
        most = max(most, per_set[lines[k] % n_sets])
    data = _most_words_in_a_bank(addresses, mask, 0, LANES, size, n_banks, bank_bytes)
    return max(most, data)


@entry
def coalesce(addresses, masks, paths, sizes, n_sets, n_banks, bank_bytes, accesses, out):
    """Fill one `ACCESS` a row, and their lines; returns the number of lines."""
    lines = np.empty(LANES * 2, np.int64)
    sectors = np.empty(LANES * 2, np.int64)
    n = 0
    for row in range(len(masks)):
        mask, size, path = masks[row], sizes[row], paths[row]
        access = accesses[row]
        access.first = n
        if path == core.SHARED:
            access.wavefronts = shared_wavefronts(addresses[row], mask, size)
        elif path != core.CONSTANT:
            found = lines_of(addresses[row], mask, size, lines, sectors)
            access.lines = found
            access.wavefronts = l1_wavefronts(
                addresses[row], mask, size, lines, found, n_sets, n_banks, bank_bytes
            )
            for k in range(found):
                out[n].line = lines[k]
                out[n].sectors = sectors[k]
                n += 1
    return n
