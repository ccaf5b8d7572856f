"""Constant banks: what the driver puts there before a kernel starts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...isa.program import INSTRUCTION_BYTES, Program, Space
from .errors import UnsupportedError

BANK_BYTES = 1 << 16
BLOCK, GRID, STACK_TOP = 0x0, 0xC, 0x28  # byte offsets in bank 0, sm_75 to sm_89
WINDOWS = {Space.SHARED: 0x18, Space.LOCAL: 0x20}  # byte offsets in bank 0 of their addresses
WINDOW_ADDRESSES = {Space.SHARED: 0x1_0100_0000, Space.LOCAL: 0x1_0200_0000}  # generic ones
WINDOW_BYTES = 1 << 24
OUTSIDE = 0x2_0000_0000  # address of the first function that is not in the binary
ARCHITECTURES = ("sm_75", "sm_80", "sm_86", "sm_87", "sm_89")
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
    if program.arch not in ARCHITECTURES:
        raise UnsupportedError(
            f"kernel {program.name} is for {program.arch}; the emulator covers "
            f"{', '.join(ARCHITECTURES)}"
        )
    banks = {number: np.zeros(BANK_BYTES, np.uint8) for number in BANKS}
    for number, content in program.constants.items():
        if number in banks:
            banks[number][: len(content)] = np.frombuffer(content, np.uint8)
    banks[VARIABLES][: len(variables)] = np.frombuffer(variables, np.uint8)
    words = {number: content.view(np.uint32) for number, content in banks.items()}
    words[0][BLOCK // 4 : BLOCK // 4 + 3] = block
    words[0][GRID // 4 : GRID // 4 + 3] = grid
    words[0][STACK_TOP // 4] = stack_top
    for space, offset in WINDOWS.items():
        put_address(banks[0], offset, WINDOW_ADDRESSES[space])
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
