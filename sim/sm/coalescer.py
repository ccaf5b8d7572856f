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
def _distinct_words(addresses, mask, first_lane, end_lane, size, width, words):
    """Distinct `width`-byte words that some lanes touch, into `words`; returns how many."""
    n = 0
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
    return n


@entry
def _busiest_bank(words, n, n_banks):
    """Largest number of the first `n` words in one bank."""
    per_bank = np.zeros(n_banks, np.int64)
    for k in range(n):
        per_bank[words[k] % n_banks] += 1
    return per_bank.max()


@entry
def _same(words, n, others, m):
    """Whether two lists of distinct words hold the same ones."""
    if n != m:
        return False
    for k in range(n):
        j = 0
        while j < m and others[j] != words[k]:
            j += 1
        if j == m:
            return False
    return True


@entry
def shared_wavefronts(addresses, mask, size):
    """Cycles of the shared-memory data stage: 32 banks of 4 bytes, phases of up to 128 bytes.

    A phase that touches the words of an earlier one (a broadcast) costs nothing.
    """
    lanes = max(min(LANES, 128 // size), 1)
    words = np.empty((LANES // lanes, lanes * (size // 4 + 2)), np.int64)
    counts = np.zeros(LANES // lanes, np.int64)
    total = 0
    for phase in range(LANES // lanes):
        first = phase * lanes
        counts[phase] = _distinct_words(
            addresses, mask, first, first + lanes, size, 4, words[phase]
        )
        repeated = False
        for earlier in range(phase):
            repeated |= _same(words[phase], counts[phase], words[earlier], counts[earlier])
        if not repeated:
            total += _busiest_bank(words[phase], counts[phase], 32)
    return total


@entry
def l1_wavefronts(addresses, mask, size, lines, n_lines, n_sets, n_banks, bank_bytes):
    """Cycles of the L1D: one line a set and cycle in the tags, one word a bank and cycle."""
    words = np.empty(LANES * (size // bank_bytes + 2), np.int64)
    n = _distinct_words(addresses, mask, 0, LANES, size, bank_bytes, words)
    return max(_busiest_bank(lines, n_lines, n_sets), _busiest_bank(words, n, n_banks))


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
        else:
            found = lines_of(addresses[row], mask, size, lines, sectors)
            access.lines = found
            if path != core.CONSTANT:
                access.wavefronts = l1_wavefronts(
                    addresses[row], mask, size, lines, found, n_sets, n_banks, bank_bytes
                )
            for k in range(found):
                out[n].line = lines[k]
                out[n].sectors = sectors[k]
                n += 1
    return n
