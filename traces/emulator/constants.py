"""Constant banks: what the driver puts there before a kernel starts."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ...isa.program import INSTRUCTION_BYTES, Program, Space
from ..kernel import LOCAL_WINDOW, SHARED_WINDOW
from .errors import UnsupportedError

BANK_BYTES = 1 << 16


@dataclass(frozen=True)
class Layout:
    """Byte offsets in bank 0 of what kernels find there beside their parameters."""

    block: int
    grid: int
    stack_top: int
    local_window: int
    shared_window: int | None = None  # later code reads SR_SWINHI instead


TURING = Layout(block=0x0, grid=0xC, stack_top=0x28, local_window=0x20, shared_window=0x18)
HOPPER = replace(TURING, shared_window=None)
BLACKWELL = Layout(block=0x360, grid=0x370, stack_top=0x37C, local_window=0x2F8)
LAYOUTS = dict.fromkeys(("sm_75", "sm_80", "sm_86", "sm_87", "sm_89"), TURING)
LAYOUTS |= {"sm_90": HOPPER, "sm_120": BLACKWELL}
WINDOW_ADDRESSES = {Space.SHARED: SHARED_WINDOW, Space.LOCAL: LOCAL_WINDOW}  # generic ones
OUTSIDE = 0x2_0000_0000  # address of the first function that is not in the binary
BANKS = (0, 1, 2, 3, 4)
VARIABLES = 3  # bank of the __constant__ variables


def constant_banks(
    program: Program,
    grid: tuple[int, int, int],
    block: tuple[int, int, int],
    arguments: bytes,
    stack_top: int,
    image_address: int,
    variables: bytes,
) -> dict[int, NDArray[np.uint32]]:
    """The banks of one launch, in words; `variables` is what bank 3 holds now.

    Memory descriptors read as zero.
    """
    layout = LAYOUTS.get(program.arch)
    if layout is None:
        raise UnsupportedError(
            f"kernel {program.name} is for {program.arch}; the emulator covers {', '.join(LAYOUTS)}"
        )
    banks = {number: np.zeros(BANK_BYTES, np.uint8) for number in BANKS}
    for number, content in program.constants.items():
        if number in banks:
            banks[number][: len(content)] = np.frombuffer(content, np.uint8)
    banks[VARIABLES][: len(variables)] = np.frombuffer(variables, np.uint8)
    words = {number: content.view(np.uint32) for number, content in banks.items()}
    words[0][layout.block // 4 :][:3] = block
    words[0][layout.grid // 4 :][:3] = grid
    words[0][layout.stack_top // 4] = stack_top
    put_address(banks[0], layout.local_window, WINDOW_ADDRESSES[Space.LOCAL])
    if layout.shared_window is not None:
        put_address(banks[0], layout.shared_window, WINDOW_ADDRESSES[Space.SHARED])
    for relocation in program.relocations:
        if relocation.location is not None:
            put_address(banks[4], relocation.offset, image_address + relocation.location)
    for offset, (address, _) in outside_functions(program).items():
        put_address(banks[4], offset, address)
    start = program.parameter_base
    banks[0][start : start + len(arguments)] = np.frombuffer(arguments, np.uint8)
    return words


def put_address(bank: NDArray[np.uint8], offset: int, address: int) -> None:
    """Write a 64-bit address at a byte offset."""
    bank[offset : offset + 8] = np.array([address], np.uint64).view(np.uint8)


def outside_functions(program: Program) -> dict[int, tuple[int, str]]:
    """Address and name of the functions that no binary holds, by their offset in bank 4."""
    missing = [r for r in program.relocations if r.location is None]
    return {r.offset: (OUTSIDE + INSTRUCTION_BYTES * i, r.symbol) for i, r in enumerate(missing)}
