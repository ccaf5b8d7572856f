"""Constant banks: what the driver puts there before a kernel starts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...isa.program import Program
from .errors import UnsupportedError

BANK_BYTES = 1 << 16
BLOCK, GRID, STACK_TOP = 0x0, 0xC, 0x28  # byte offsets in bank 0, sm_75 to sm_89
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

    Windows and memory descriptors read as zero.
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
    for relocation in program.relocations:
        if relocation.location is not None:
            address = np.array([image_address + relocation.location], np.uint64)
            banks[4][relocation.offset : relocation.offset + 8] = address.view(np.uint8)
    start = program.parameter_base
    banks[0][start : start + len(arguments)] = np.frombuffer(arguments, np.uint8)
    return words
