"""Compiled loops over the fragments of warps: which runs next, which meet and wait no longer."""

from __future__ import annotations

from enum import IntEnum

import numpy as np

from ...isa.compiled import compiled, entry
from ..kernel import WARP_SIZE

SLICE = 256  # control instructions a fragment may run before others of lower PC or turn go first
CTA_BARRIERS = 16
NOTHING = np.iinfo(np.int64).max  # key of a warp with no runnable fragment


class Status(IntEnum):
    """What a fragment does."""

    RUNNING = 0
    JOINING = 1  # at BSYNC or WARPSYNC
    CTA_BARRIER = 2  # at BAR


RUNNING, JOINING, CTA_BARRIER = (int(status) for status in Status)  # for compiled code


# What a warp's fragments do, by their lowest lane
FRAGMENTS = np.dtype(
    [
        ("lanes", np.uint32, WARP_SIZE),
        ("pc", np.int64, WARP_SIZE),
        ("age", np.int64, WARP_SIZE),  # control instructions so far
        ("status", np.uint8, WARP_SIZE),
        ("wanted", np.uint32, WARP_SIZE),  # lanes a joining fragment waits for
        ("barrier", np.int64, WARP_SIZE),  # register of a BSYNC, number of a BAR
        ("threads", np.int64, WARP_SIZE),  # that a BAR waits for, 0: all of the CTA
        ("votes", np.uint32, WARP_SIZE),  # lanes whose predicate a BAR is to combine
        ("tally", np.int64, 2),  # votes and lanes when a BAR last opened
        ("announced", np.int64, CTA_BARRIERS),  # arrivals without waiting
        ("opened", np.int64),  # barriers of the CTA so far
        ("slot", np.int64),  # the fragment that runs next
    ]
)


@entry
def choose(warps, table, keys):
    """Set slot and key of each warp to those of its running fragment of lowest key."""
    for number in warps:
        warp = table[number]
        slot, key = 0, NOTHING
        for i in range(WARP_SIZE):
            if warp.lanes[i] != 0 and warp.status[i] == RUNNING:
                candidate = (warp.age[i] // SLICE << 32) | warp.pc[i]
                if candidate < key:
                    slot, key = i, candidate
        warp.slot, keys[number] = slot, key


@compiled
def waits_with(warp, i, first, alive):
    """Whether a fragment waits where the first one does, for the same lanes."""
    waits = warp.lanes[i] != 0 and warp.status[i] == JOINING and warp.pc[i] == warp.pc[first]
    return waits and (warp.wanted[i] ^ warp.wanted[first]) & alive == 0


@compiled
def join_with(warp, first):
    """Merge a waiting fragment with those that wait for the same lanes, unless one is missing.

    Who waits at the same PC for other lanes is in another call of a recursive function.
    """
    alive, merged, age = np.uint32(0), np.uint32(0), 0
    for i in range(WARP_SIZE):
        alive |= warp.lanes[i]
    wanted = warp.wanted[first] & alive
    for i in range(WARP_SIZE):
        if waits_with(warp, i, first, alive):
            merged |= warp.lanes[i]
            age = max(age, warp.age[i])
    if wanted & ~merged != 0:
        return
    for i in range(first + 1, WARP_SIZE):
        if waits_with(warp, i, first, alive):
            warp.lanes[i] = 0
    warp.lanes[first], warp.age[first] = merged, age
    warp.pc[first] += 1
    warp.status[first] = RUNNING


@entry
def join(warps, table):
    """Merge the fragments of each warp that wait at one PC for the same lanes, if all are there."""
    for number in warps:
        warp = table[number]
        for i in range(WARP_SIZE):
            if warp.lanes[i] != 0 and warp.status[i] == JOINING:
                join_with(warp, i)


@compiled
def is_at(warp, i, barrier):
    """Whether a fragment waits at a barrier of its CTA."""
    waits = warp.lanes[i] != 0 and warp.status[i] == CTA_BARRIER
    return waits and warp.barrier[i] == barrier


@compiled
def popcount(bits):
    """Number of set bits."""
    total = 0
    while bits != 0:
        bits &= bits - 1
        total += 1
    return total


@compiled
def arrivals(lanes, alive):
    """Threads that some lanes of a warp count as: all 32 if no live one is missing."""
    return WARP_SIZE if lanes != 0 and lanes == alive else popcount(lanes)


@compiled
def complete(table, first, end, barrier):
    """Whether all live threads of a CTA are at a barrier, or as many as its instruction names."""
    everyone = True
    present = wanted = 0
    for number in range(first, end):
        warp = table[number]
        alive, arrived = np.uint32(0), np.uint32(0)
        for i in range(WARP_SIZE):
            alive |= warp.lanes[i]
            if is_at(warp, i, barrier):
                arrived |= warp.lanes[i]
                wanted = max(wanted, warp.threads[i])
        everyone &= arrived == alive
        present += arrivals(arrived, alive) + warp.announced[barrier]
    return present >= wanted if wanted > 0 else everyone


@compiled
def open_barrier(table, first, end, barrier):
    """Let the fragments at a barrier of a CTA go on, and tell them the votes that it counted."""
    votes = lanes = 0
    for number in range(first, end):
        for i in range(WARP_SIZE):
            if is_at(table[number], i, barrier):
                votes += popcount(table[number].votes[i])
                lanes += popcount(table[number].lanes[i])
    for number in range(first, end):
        warp = table[number]
        warp.announced[barrier] = 0
        warp.opened += 1
        for i in range(WARP_SIZE):
            if is_at(warp, i, barrier):
                warp.tally[0], warp.tally[1] = votes, lanes
                warp.status[i] = RUNNING
                warp.pc[i] += 1


@entry
def open_barriers(ctas, warps_per_cta, table):
    """Open the barriers of some CTAs where nobody is missing; whether there was one."""
    opened = False
    for cta in ctas:
        first, end = cta * warps_per_cta, (cta + 1) * warps_per_cta
        waited = 0  # for which barriers
        for number in range(first, end):
            for i in range(WARP_SIZE):
                if table[number].lanes[i] != 0 and table[number].status[i] == CTA_BARRIER:
                    waited |= 1 << table[number].barrier[i]
        for barrier in range(CTA_BARRIERS):
            if waited >> barrier & 1 and complete(table, first, end, barrier):
                open_barrier(table, first, end, barrier)
                opened = True
    return opened
