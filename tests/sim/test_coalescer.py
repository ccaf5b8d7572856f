"""Addresses of a warp to lines, sectors and wavefronts (memory 2.2, 2.3, 3.4)."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from warpwise.sim.compiled import allocate
from warpwise.sim.core import instruction
from warpwise.sim.sm import coalescer

LANES = 32
ALL = 0xFFFFFFFF
ROOMS = coalescer.rooms()
NO_BYTES = allocate(instruction.BYTES, 1)


def lines_and_sectors(addresses, mask, size):
    """{line: sectors} in order of first touch, by touching every byte."""
    found = {}
    for lane in range(LANES):
        if mask >> lane & 1:
            for byte in range(addresses[lane], addresses[lane] + size):
                found[byte // 128] = found.get(byte // 128, 0) | 1 << byte % 128 // 32
    return found


def most_words(lanes, size, banks, width):
    """Distinct words of the busiest bank, for the addresses of some lanes."""
    words = {byte // width for address in lanes for byte in range(address, address + size)}
    return max(Counter(word % banks for word in words).values(), default=0)


def coalesced(addresses, mask, size):
    sectors = np.zeros(64, np.int64)
    n = coalescer.lines_of(ROOMS[0], addresses, mask, size, sectors)
    return dict(zip(ROOMS[0].values[:n].tolist(), sectors[:n].tolist(), strict=True))


def l1_wavefronts(addresses, mask, size):
    coalesced(addresses, mask, size)
    return coalescer.l1_wavefronts(ROOMS, addresses, mask, size, 4, 16, 3)


def strided(stride, size=4):
    return np.arange(LANES, dtype=np.int64) * stride * size + 0x10000


@st.composite
def accesses(draw):
    """Addresses aligned to the access or not: affine, random, or few distinct ones."""
    size = draw(st.sampled_from([1, 2, 4, 8, 16, 32]))
    base = draw(st.integers(0, 200))
    kind = draw(st.sampled_from(["affine", "random", "few"]))
    if kind == "affine":
        stride = draw(st.integers(0, 70))
        units = [base + stride * lane for lane in range(LANES)]
    else:
        limit = 5000 if kind == "random" else 3
        units = draw(st.lists(st.integers(0, limit), min_size=LANES, max_size=LANES))
    mask = draw(st.one_of(st.just(ALL), st.integers(0, ALL)))
    shift = draw(st.sampled_from([0, 0, 1, 3]))
    return np.array(units, np.int64) * size + shift, mask, size


@settings(max_examples=200)
@given(accesses())
def test_lines_and_sectors(access):
    addresses, mask, size = access
    found = coalesced(addresses, mask, size)
    assert found == lines_and_sectors(addresses.tolist(), mask, size)
    assert list(found) == list(lines_and_sectors(addresses.tolist(), mask, size))


def test_a_lane_may_straddle_two_lines():
    addresses = np.full(LANES, 126, np.int64)
    assert coalesced(addresses, 1, 4) == {0: 0b1000, 1: 0b0001}


@settings(max_examples=200)
@given(accesses())
def test_l1_wavefronts(access):
    """The busiest of 4 tag sets (lines) and 16 data banks (8-byte words), whatever is more."""
    addresses, mask, size = access
    lanes = [int(a) for lane, a in enumerate(addresses) if mask >> lane & 1]
    touched = lines_and_sectors(addresses.tolist(), mask, size)
    tags = max(Counter(line % 4 for line in touched).values(), default=0)
    assert l1_wavefronts(addresses, mask, size) == max(tags, most_words(lanes, size, 16, 8))


@pytest.mark.parametrize(("n_banks", "wavefronts"), [(1, 128), (2, 64), (16, 8)])
def test_fewer_banks_than_an_access_has_bytes(n_banks, wavefronts):
    """Banks of 8 bytes; 32 lanes of 32 bytes are 128 words."""
    coalesced(strided(1, 32), ALL, 32)
    assert coalescer.l1_wavefronts(ROOMS, strided(1, 32), ALL, 32, 4, n_banks, 3) == wavefronts


@pytest.mark.parametrize(
    ("stride", "lines", "tags", "banks"),
    [
        (1, 1, 1, 1),
        (2, 2, 1, 2),
        (4, 4, 1, 4),
        (8, 8, 2, 8),
        (16, 16, 4, 16),
        (32, 32, 8, 32),
        (7, 7, 2, 2),
        (17, 17, 5, 2),
        (31, 31, 8, 2),
        (33, 32, 8, 2),
        (47, 32, 9, 2),
    ],
)
def test_stride_table(stride, lines, tags, banks):
    """32-bit loads, stride in words: the rows of memory 3.4."""
    addresses = strided(stride)
    assert len(coalesced(addresses, ALL, 4)) == lines
    assert l1_wavefronts(addresses, ALL, 4) == max(tags, banks)


@settings(max_examples=200)
@given(accesses())
def test_shared_wavefronts(access):
    """Phases of 32, 16 or 8 lanes; one that touches the words of an earlier one is free."""
    addresses, mask, size = access
    per_phase = max(min(LANES, 128 // size), 1)
    seen = []
    total = 0
    for first in range(0, LANES, per_phase):
        lanes = [lane for lane in range(first, first + per_phase) if mask >> lane & 1]
        touched = [int(addresses[lane]) for lane in lanes]
        words = {word for a in touched for word in range(a // 4, (a + size - 1) // 4 + 1)}
        total += 0 if words in seen else most_words(touched, size, 32, 4)
        seen.append(words)
    assert coalescer.shared_wavefronts(ROOMS, addresses, mask, size) == total


@pytest.mark.parametrize(
    ("stride", "size", "wavefronts"),
    [
        (1, 4, 1),
        (1, 8, 2),  # two phases of 16 lanes
        (1, 16, 4),
        (0, 4, 1),  # broadcast
        (0, 8, 1),  # the second phase reads what the first read
        (0, 16, 1),
        (2, 4, 2),
        (32, 4, 32),
        (33, 4, 1),  # the padding that programmers add
        (16, 4, 16),
    ],
)
def test_shared_wavefronts_of_regular_strides(stride, size, wavefronts):
    assert coalescer.shared_wavefronts(ROOMS, strided(stride, size), ALL, size) == wavefronts


def test_phases_with_the_same_words_in_another_order_are_merged():
    """64 bits: lanes 16 to 31 read what lanes 0 to 15 read, backwards."""
    addresses = np.array([*range(16), *reversed(range(16))], np.int64) * 8
    assert coalescer.shared_wavefronts(ROOMS, addresses, ALL, 8) == 1


def test_nobody_executes():
    addresses = strided(3)
    assert coalesced(addresses, 0, 4) == {}
    assert l1_wavefronts(addresses, 0, 4) == 0
    assert coalescer.shared_wavefronts(ROOMS, addresses, 0, 4) == 0


@settings(max_examples=200)
@given(
    st.lists(st.integers(0, 40), min_size=LANES, max_size=LANES),
    st.sampled_from([4, 8]),
    st.integers(1, ALL),
)
def test_turns_of_atomics(words, size, mask):
    """In each sector, as many as lanes share a word; twice with words of 64 bits."""
    addresses = np.array([words], np.int64) * size
    accesses, lines = allocate(instruction.ACCESS, 1), allocate(instruction.LINE, 2 * LANES)
    rows = (np.array([value]) for value in (mask, 0, instruction.ATOMIC, size, 0))
    n, _ = coalescer.coalesce(ROOMS, addresses, *rows, (4, 16, 3), accesses, lines, NO_BYTES)
    lanes = Counter(word for lane, word in enumerate(words) if mask >> lane & 1)
    most = {}
    for word, count in lanes.items():
        sector = word * size // 32
        most[sector] = max(most.get(sector, 0), count * size // 4)
    expected = Counter()
    for sector, turns in most.items():
        expected[sector // 4] += turns
    assert (
        dict(zip(lines["line"][:n].tolist(), lines["turns"][:n].tolist(), strict=True)) == expected
    )


def costs(rows, masks, path, size):
    """Wavefronts and lines with their sectors of each row, all coalesced at once."""
    accesses = allocate(instruction.ACCESS, len(rows))
    lines = allocate(instruction.LINE, 2 * LANES * len(rows))
    pcs, paths = np.zeros(len(rows), np.uint32), np.full(len(rows), path, np.int16)
    of_pc = np.array([size]), np.array([0])
    coalescer.coalesce(
        ROOMS, rows, masks, pcs, paths, *of_pc, (4, 16, 3), accesses, lines, NO_BYTES
    )
    return [
        (int(a.wavefronts), [tuple(line) for line in lines[a.first : a.first + a.lines]])
        for a in accesses
    ]


@given(
    accesses(),
    st.lists(st.sampled_from([0, 4, 32, 64, 128, 1280, 1 << 20]), min_size=2, max_size=5),
    st.sampled_from(
        [instruction.L1_LOAD, instruction.SHARED, instruction.CONSTANT, instruction.ATOMIC]
    ),
)
def test_an_access_costs_the_same_wherever_the_instruction_was_before(access, moves, path):
    addresses, mask, size = access
    rows = np.stack([np.asarray(addresses) + move for move in moves])
    masks = np.array([mask, ALL, *[mask] * (len(moves) - 2)], np.uint32)
    alone = [costs(rows[k : k + 1], masks[k : k + 1], path, size)[0] for k in range(len(moves))]
    assert costs(rows, masks, path, size) == alone


def stored_bytes(rows, masks, size):
    """{byte: it is written} of each row of stores, from whole sectors and the bytes of others."""
    accesses = allocate(instruction.ACCESS, len(rows))
    lines = allocate(instruction.LINE, 2 * LANES * len(rows))
    parts = allocate(instruction.BYTES, 2 * LANES * len(rows))
    pcs, paths = np.zeros(len(rows), np.uint32), np.full(len(rows), instruction.L1_STORE, np.int16)
    of_pc = np.array([size]), np.array([0])
    coalescer.coalesce(ROOMS, rows, masks, pcs, paths, *of_pc, (4, 16, 3), accesses, lines, parts)
    return [set(_bytes(lines[a.first : a.first + a.lines], parts)) for a in accesses]


def _bytes(lines, parts):
    for line in lines:
        for sector in range(4):
            if line.sectors >> sector & 1:
                whole = line.whole >> sector & 1
                mask = ALL if whole else int(parts[line.bytes].of_sector[sector])
                assert (mask == ALL) == whole
                first = (int(line.line) * 4 + sector) * 32
                yield from (first + byte for byte in range(32) if mask >> byte & 1)


@given(accesses(), st.lists(st.sampled_from([0, 4, 128, 1280]), min_size=1, max_size=3))
def test_bytes_that_a_store_writes(access, moves):
    addresses, mask, size = access
    rows = np.stack([np.asarray(addresses) + move for move in moves])
    masks = np.full(len(moves), mask, np.uint32)
    lanes = [lane for lane in range(LANES) if mask >> lane & 1]
    expected = [{int(row[k]) + b for k in lanes for b in range(size)} for row in rows]
    assert stored_bytes(rows, masks, size) == expected
