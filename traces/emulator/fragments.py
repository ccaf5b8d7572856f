"""Which lanes of a warp run together: the fragments into which divergence splits a warp.

A fragment is a set of lanes at one PC. It lives in the slot of its lowest lane, so a warp has at
most 32, and all tables have the shape (warps, 32). Lanes only come together again where they
wait for each other (BSYNC, WARPSYNC), as on the hardware since Volta.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

Bits = NDArray[np.uint32]  # lane masks, bit i = lane i
Warps = NDArray[np.int64]

SLICE = 256  # control instructions a fragment may run before others of lower PC or turn go first
CTA_BARRIERS = 16
NOTHING = np.iinfo(np.int64).max  # key of a warp with no runnable fragment


class Status(IntEnum):
    """What a fragment does."""

    RUNNING = 0
    JOINING = 1  # at BSYNC or WARPSYNC
    CTA_BARRIER = 2  # at BAR


def lowest_lane(lanes: Bits) -> NDArray[np.int64]:
    """Index of the lowest set bit."""
    below: Bits = (lanes & -lanes) - np.uint32(1)
    return np.asarray(np.bitwise_count(below), np.int64)


def any_lane(lanes: Bits) -> Bits:
    """Union of the lane masks of each warp."""
    return np.asarray(np.bitwise_or.reduce(lanes, axis=1), np.uint32)


class Fragments:
    """All fragments of a batch of warps, and which of them each warp runs next.

    A warp runs its fragment of lowest (turn, PC), chosen anew at each control instruction. A turn
    is `SLICE` control instructions long, so no fragment starves another one, nor a warp another
    warp: the same order picks among warps.
    """

    def __init__(self, lanes: Bits) -> None:
        warps = len(lanes)
        self.lanes = np.zeros((warps, 32), np.uint32)
        self.pc = np.zeros((warps, 32), np.int64)
        self.age = np.zeros((warps, 32), np.int64)  # control instructions so far
        self.status = np.zeros((warps, 32), np.uint8)
        self.wanted = np.zeros((warps, 32), np.uint32)  # lanes a joining fragment waits for
        self.barrier = np.zeros((warps, 32), np.int64)  # register of a BSYNC, number of a BAR
        self.threads = np.zeros((warps, 32), np.int64)  # that a BAR waits for, 0: all of the CTA
        self.votes = np.zeros((warps, 32), np.uint32)  # lanes whose predicate a BAR is to combine
        self.tally = np.zeros((warps, 2), np.int64)  # votes and lanes when a BAR last opened
        self.announced = np.zeros((warps, CTA_BARRIERS), np.int64)  # arrivals without waiting
        self.slot = np.zeros(warps, np.int64)  # the fragment each warp runs next
        self.key = np.full(warps, NOTHING, np.int64)
        everyone = np.arange(warps)
        self.place(everyone, lanes, 0, 0)
        self.choose(everyone)

    def alive(self, warps: Warps) -> Bits:
        """Lanes that have not exited."""
        return any_lane(self.lanes[warps])

    def place(
        self,
        warps: Warps,
        lanes: Bits,
        pc: int | NDArray[np.int64],
        age: int | NDArray[np.int64],
    ) -> None:
        """Start a running fragment in each warp whose `lanes` are not empty."""
        some = lanes != 0
        warps, lanes = warps[some], lanes[some]
        slots = lowest_lane(lanes)
        self.lanes[warps, slots] = lanes
        self.pc[warps, slots] = pc[some] if isinstance(pc, np.ndarray) else pc
        self.age[warps, slots] = age[some] if isinstance(age, np.ndarray) else age
        self.status[warps, slots] = Status.RUNNING

    def split(self, warps: Warps, going: Bits) -> None:
        """Let only the lanes `going` of the current fragments go on; the others skip the PC."""
        slots = self.slot[warps]
        lanes = self.lanes[warps, slots]
        pc, age = self.pc[warps, slots], self.age[warps, slots]
        self.lanes[warps, slots] = 0
        self.place(warps, lanes & ~going, pc + 1, age)
        self.place(warps, going, pc, age)
        some = going != 0
        self.slot[warps[some]] = lowest_lane(going[some])

    def choose(self, warps: Warps) -> None:
        """Pick the fragment that each warp runs next."""
        runnable = (self.lanes[warps] != 0) & (self.status[warps] == Status.RUNNING)
        key = np.where(runnable, (self.age[warps] // SLICE << 32) | self.pc[warps], NOTHING)
        slots = key.argmin(axis=1)
        self.slot[warps] = slots
        self.key[warps] = key[np.arange(len(warps)), slots]

    def jump(self, warps: Warps, pc: int) -> None:
        """Send the current fragments to `pc`."""
        self.pc[warps, self.slot[warps]] = pc

    def scatter(self, warps: Warps, targets: NDArray[np.int64], executed: NDArray[np.bool]) -> None:
        """Send each lane of the current fragments to its own target."""
        slots = self.slot[warps]
        age = self.age[warps, slots]
        self.lanes[warps, slots] = 0
        for target in np.unique(targets[executed]):
            self.place(warps, pack(executed & (targets == target)), int(target), age)

    def end_turn(self, warps: Warps) -> None:
        """Let all others go before the current fragments."""
        slots = self.slot[warps]
        self.age[warps, slots] = (self.age[warps, slots] // SLICE + 1) * SLICE

    def exit(self, warps: Warps) -> None:
        """End the current fragments; whoever waited for their lanes may go on."""
        self.lanes[warps, self.slot[warps]] = 0
        self.join(warps)

    def wait(self, warps: Warps, wanted: Bits, barrier: int) -> None:
        """Block the current fragments, all at one PC, until the live lanes `wanted` are there."""
        slots = self.slot[warps]
        self.status[warps, slots] = Status.JOINING
        self.wanted[warps, slots] = wanted | self.lanes[warps, slots]
        self.barrier[warps, slots] = barrier
        self._join_at(warps, int(self.pc[warps[0], slots[0]]))

    def forget(self, warps: Warps, barrier: int, lanes: Bits) -> None:
        """Stop waiting for `lanes` at one convergence barrier (BREAK)."""
        waiting = (self.status[warps] == Status.JOINING) & (self.barrier[warps] == barrier)
        self.wanted[warps] &= ~np.where(waiting, lanes[:, None], np.uint32(0))
        self.join(warps)

    def join(self, warps: Warps) -> None:
        """Merge the waiting fragments that are complete, and let them run behind their PC."""
        for pc in np.unique(self.pc[warps][self._joining(warps)]):
            self._join_at(warps, int(pc))

    def _joining(self, warps: Warps) -> NDArray[np.bool]:
        joining: NDArray[np.bool] = self.status[warps] == Status.JOINING
        occupied: NDArray[np.bool] = self.lanes[warps] != 0
        return joining & occupied

    def _join_at(self, warps: Warps, pc: int) -> None:
        here = self._joining(warps) & (self.pc[warps] == pc)
        lanes = np.where(here, self.lanes[warps], np.uint32(0))
        arrived = any_lane(lanes)[:, None]
        wanted = self.wanted[warps] & self.alive(warps)[:, None]
        complete = here & (wanted & ~arrived == 0)
        while complete.any():  # one group of each warp a time
            chosen = wanted[np.arange(len(warps)), complete.argmax(axis=1)]
            group = complete & (wanted == chosen[:, None])
            merged = any_lane(np.where(group, lanes, np.uint32(0)))
            age = np.where(group, self.age[warps], 0).max(axis=1)
            self.lanes[warps] = np.where(group, np.uint32(0), self.lanes[warps])
            self.place(warps, merged, pc + 1, age)
            complete &= ~group

    def wait_for_cta(self, warps: Warps, barrier: Warps, threads: Warps, votes: Bits) -> None:
        """Block the current fragments at a barrier of their CTAs, for some threads or all (0)."""
        slots = self.slot[warps]
        self.status[warps, slots] = Status.CTA_BARRIER
        self.barrier[warps, slots] = barrier
        self.threads[warps, slots] = threads
        self.votes[warps, slots] = votes

    def announce(self, warps: Warps, barrier: Warps) -> None:
        """Count the current fragments as arrived at a barrier without blocking them."""
        lanes = self.lanes[warps, self.slot[warps]]
        self.announced[warps, barrier] += self._arrivals(warps, lanes)

    def _arrivals(self, warps: Warps, lanes: Bits) -> NDArray[np.int64]:
        """Threads that some lanes of warps count as: all 32 if no live one is missing."""
        counts = np.asarray(np.bitwise_count(lanes), np.int64)
        return np.where((lanes != 0) & (lanes == self.alive(warps)), 32, counts)

    def open_cta_barriers(self, ctas: NDArray[np.int64], warps_per_cta: int) -> None:
        """Let those go on at whose barrier all live threads of the CTA are, or as many as named."""
        warps = (ctas[:, None] * warps_per_cta + np.arange(warps_per_cta)).reshape(-1)
        waiting = (self.status[warps] == Status.CTA_BARRIER) & (self.lanes[warps] != 0)
        for barrier in np.unique(self.barrier[warps][waiting]):
            here = waiting & (self.barrier[warps] == barrier)
            arrived = any_lane(np.where(here, self.lanes[warps], np.uint32(0)))
            present = self._arrivals(warps, arrived) + self.announced[warps, barrier]
            present = present.reshape(-1, warps_per_cta).sum(axis=1)
            wanted = np.where(here, self.threads[warps], 0).reshape(len(ctas), -1).max(axis=1)
            everyone = (arrived == self.alive(warps)).reshape(-1, warps_per_cta).all(axis=1)
            complete = np.where(wanted > 0, present >= wanted, everyone)
            opened = np.repeat(complete, warps_per_cta)
            votes = any_lane(np.where(here, self.votes[warps], np.uint32(0)))
            tally = np.bitwise_count(np.stack((votes, arrived), axis=1)).astype(np.int64)
            tally = tally.reshape(-1, warps_per_cta, 2).sum(axis=1)
            tally = np.repeat(tally, warps_per_cta, axis=0)
            self.announced[warps[opened], barrier] = 0
            rows, slots = np.nonzero(here & opened[:, None])
            self.tally[warps[rows]] = tally[rows]
            self.status[warps[rows], slots] = Status.RUNNING
            self.pc[warps[rows], slots] += 1
            self.choose(np.unique(warps[rows]))


def pack(lanes: NDArray[np.bool]) -> Bits:
    """Lane masks of boolean rows of 32."""
    bits = np.packbits(lanes, axis=1, bitorder="little")
    return np.ascontiguousarray(bits).view(np.uint32)[:, 0]


def unpack(lanes: Bits) -> NDArray[np.bool]:
    """Boolean rows of lane masks."""
    octets = np.ascontiguousarray(lanes).view(np.uint8).reshape(-1, 4)
    return np.unpackbits(octets, axis=1, bitorder="little").view(np.bool)
