"""The registers, memories and fragments of a batch of CTAs that run interleaved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...isa.program import PT, RZ, Kind, Program, Space
from ..kernel import WARP_SIZE
from .checks import Races
from .constants import WINDOW_ADDRESSES
from .fragments import Fragments, pack
from .memory import GlobalMemory, LocalMemory, Memory, SharedMemory

if TYPE_CHECKING:
    from .texture import Texture

Dim = tuple[int, int, int]

B_REGISTERS = 16


@dataclass(frozen=True, eq=False)
class Launch:
    """What all CTAs of a kernel launch share."""

    program: Program
    grid: Dim
    block: Dim
    shared_bytes: int  # static and dynamic
    local_bytes: int  # of each thread, with the stack
    banks: dict[int, NDArray[np.uint32]]  # constant banks, in words
    memory: GlobalMemory
    textures: dict[int, Texture]  # by handle
    checks: frozenset[str]

    @property
    def n_ctas(self) -> int:
        return self.grid[0] * self.grid[1] * self.grid[2]

    @property
    def threads(self) -> int:
        return self.block[0] * self.block[1] * self.block[2]

    @property
    def warps_per_cta(self) -> int:
        return -(-self.threads // WARP_SIZE)


class State:
    """Everything that instructions of a batch change, except global memory.

    Arrays of per-thread state end in (warps, 32), arrays of per-warp state in (warps,).
    """

    def __init__(self, launch: Launch, first_cta: int, n_ctas: int) -> None:
        self.launch = launch
        self.n_ctas = n_ctas
        self.warps = n_ctas * launch.warps_per_cta
        lanes = (self.warps, WARP_SIZE)
        self.registers = np.zeros((register_count(launch.program), *lanes), np.uint32)
        self.predicates = np.zeros((8, *lanes), np.bool)
        self.predicates[PT] = True
        self.uniforms = np.zeros((64, self.warps), np.uint32)
        self.uniform_predicates = np.zeros((8, self.warps), np.bool)
        self.uniform_predicates[PT] = True
        self.barriers = np.zeros((B_REGISTERS, *lanes), np.uint32)
        self.verdict = np.zeros(self.warps, np.int64)  # what the last BAR.RED asked for
        self.clock = 0
        watched, warps_per_cta = "uninitialised" in launch.checks, launch.warps_per_cta
        shared = SharedMemory(n_ctas, warps_per_cta, launch.shared_bytes, watched)
        self.memories: dict[Space, Memory] = {
            Space.GLOBAL: launch.memory,
            Space.SHARED: shared,
            Space.LOCAL: LocalMemory(self.warps, launch.local_bytes, watched),
        }
        self.races = Races(len(shared.data)) if "races" in launch.checks else None
        self.cta = first_cta + np.arange(self.warps) // launch.warps_per_cta
        warp_in_cta = np.arange(self.warps) % launch.warps_per_cta
        self.thread = warp_in_cta[:, None] * WARP_SIZE + np.arange(WARP_SIZE)
        self.fragments = Fragments(pack(self.thread < launch.threads))

    def special(self, name: str) -> NDArray[np.uint32]:
        """Value of a special register, broadcastable to (warps, 32)."""
        x, y, _ = self.launch.block
        gx, gy, _ = self.launch.grid
        cta = self.cta[:, None]
        value: NDArray[np.int64] | int
        match name.removeprefix("SR_"):
            case "TID.X":
                value = self.thread % x
            case "TID.Y":
                value = self.thread // x % y
            case "TID.Z":
                value = self.thread // (x * y)
            case "CTAID.X":
                value = cta % gx
            case "CTAID.Y":
                value = cta // gx % gy
            case "CTAID.Z":
                value = cta // (gx * gy)
            case "LANEID":
                value = np.arange(WARP_SIZE)[None, :]
            case "EQMASK" | "LTMASK" | "LEMASK" | "GTMASK" | "GEMASK" as mask:
                value = lane_mask(mask)
            case "CLOCKLO" | "CLOCK":
                value = self.clock
            case "SWINHI":
                value = WINDOW_ADDRESSES[Space.SHARED] >> 32
            case _:  # SRZ, SR_CLOCKHI, and the CTA's number in a cluster
                value = 0
        result = np.asarray(value, np.int64).astype(np.uint32)
        return np.broadcast_to(result, (self.warps, WARP_SIZE))

    def describe(self, warp: int, lane: int) -> str:
        """CTA and thread of a lane, as the programmer numbers them."""
        gx, gy, _ = self.launch.grid
        x, y, _ = self.launch.block
        cta, thread = int(self.cta[warp]), int(self.thread[warp, lane])
        return (
            f"CTA ({cta % gx}, {cta // gx % gy}, {cta // (gx * gy)}), "
            f"thread ({thread % x}, {thread // x % y}, {thread // (x * y)})"
        )


SPECIAL_REGISTERS = frozenset(
    ["SRZ", "SR_CLOCK", "SR_CLOCKLO", "SR_CLOCKHI", "SR_LANEID", "SR_SWINHI", "SR_CgaCtaId"]
    + [f"SR_{what}.{axis}" for what in ("TID", "CTAID") for axis in "XYZ"]
    + [f"SR_{relation}MASK" for relation in ("EQ", "LT", "LE", "GT", "GE")]
)


def lane_mask(name: str) -> NDArray[np.int64]:
    """SR_LTMASK and the like: the lanes in some relation to each lane."""
    bit = np.int64(1) << np.arange(WARP_SIZE)[None, :]
    everyone = np.int64(0xFFFF_FFFF)
    match name:
        case "LTMASK":
            return bit - 1
        case "LEMASK":
            return 2 * bit - 1
        case "GTMASK":
            return everyone & ~(2 * bit - 1)
        case "GEMASK":
            return everyone & ~(bit - 1)
        case _:
            return bit


def register_count(program: Program) -> int:
    """Registers that the code names, or that the binary declares if that is more."""
    named = 0
    for instruction in program.instructions:
        for group in (*instruction.dests, *instruction.sources):
            named = max(named, group.first + group.count)
        for operand in instruction.operands:
            if operand.kind in (Kind.REGISTER, Kind.ADDRESS) and operand.index not in (None, RZ):
                named = max(named, operand.index + 4)
    return max(program.registers, named)
