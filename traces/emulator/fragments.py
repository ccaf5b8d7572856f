"""Which lanes of a warp run together: the fragments into which divergence splits a warp.

A fragment is a set of lanes at one PC. It lives in the slot of its lowest lane, so a warp has at
most 32, and all tables have the shape (warps, 32). Lanes only come together again where they
wait for each other (BSYNC, WARPSYNC), as on the hardware since Volta.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..kernel import WARP_SIZE
from .convergence import FRAGMENTS, NOTHING, SLICE, Status, choose, join, open_barriers

Bits = NDArray[np.uint32]  # lane masks, bit i = lane i
Warps = NDArray[np.int64]


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
        self.table = np.zeros(warps, FRAGMENTS).view(np.recarray)
        self.lanes = self.table.lanes
        self.pc = self.table.pc
        self.age = self.table.age
        self.status = self.table.status
        self.wanted = self.table.wanted
        self.barrier = self.table.barrier
        self.threads = self.table.threads
        self.votes = self.table.votes
        self.tally = self.table.tally
        self.announced = self.table.announced
        self.opened = self.table.opened
        self.slot = self.table.slot
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
        choose(warps, self.table, self.key)

    def advance(self, warps: Warps, instructions: int) -> None:
        """Let the current fragments go on behind straight-line code."""
        self.pc[warps, self.slot[warps]] += instructions
        self.key[warps] += instructions

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
        self.join(warps)

    def forget(self, warps: Warps, barrier: int, lanes: Bits) -> None:
        """Stop waiting for `lanes` at one convergence barrier (BREAK)."""
        waiting = (self.status[warps] == Status.JOINING) & (self.barrier[warps] == barrier)
        self.wanted[warps] &= ~np.where(waiting, lanes[:, None], np.uint32(0))
        self.join(warps)

    def join(self, warps: Warps) -> None:
        """Merge the waiting fragments that are complete, and let them run behind their PC."""
        join(warps, self.table)

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
        full = lanes == self.alive(warps)
        self.announced[warps, barrier] += np.where(full, WARP_SIZE, np.bitwise_count(lanes))

    def open_cta_barriers(self, ctas: NDArray[np.int64], warps_per_cta: int) -> None:
        """Let those go on at whose barrier all live threads of the CTA are, or as many as named."""
        if open_barriers(ctas, warps_per_cta, self.table):
            self.choose((ctas[:, None] * warps_per_cta + np.arange(warps_per_cta)).reshape(-1))


def pack(lanes: NDArray[np.bool]) -> Bits:
    """Lane masks of boolean rows of 32."""
    bits = np.packbits(lanes, axis=1, bitorder="little")
    return np.ascontiguousarray(bits).view(np.uint32)[:, 0]
