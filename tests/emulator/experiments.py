"""Small programs in SASS text whose registers a test sets before and reads after they run."""

from __future__ import annotations

import numpy as np
from hypothesis import settings
from numpy.typing import NDArray

from warpwise.isa.program import Program
from warpwise.isa.sass import parse_instruction
from warpwise.traces.emulator.arguments import Buffers
from warpwise.traces.emulator.constants import constant_banks
from warpwise.traces.emulator.device import Device
from warpwise.traces.emulator.machine import run_batch
from warpwise.traces.emulator.recorder import Recorder
from warpwise.traces.emulator.semantics import Code
from warpwise.traces.emulator.state import Launch, State

Words = NDArray[np.uint32]
few = settings(max_examples=25)  # an example has 32 lanes
LANES = np.arange(32, dtype=np.uint32)


def assemble(text: str, arch: str = "sm_86") -> Program:
    """A program of one instruction a line; `name:` before a line labels it; EXIT is added."""
    lines = [line.strip() for line in text.strip().splitlines() if line.strip()] + ["EXIT"]
    labels: dict[str, int] = {}
    code: list[str] = []
    for line in lines:
        *names, instruction = (part.strip() for part in line.split(":"))
        labels |= dict.fromkeys(names, 16 * len(code))
        code.append(instruction)
    instructions = tuple(
        parse_instruction(line, 16 * i, arch, labels=labels) for i, line in enumerate(code)
    )
    return Program("experiment", arch, instructions, parameter_base=0x160)


class Experiment:
    """A program on warps whose registers are set beforehand."""

    def __init__(
        self,
        text: str,
        warps: int = 1,
        arch: str = "sm_86",
        block: int | None = None,
        shared: int = 0,
        arrays: tuple[NDArray[np.generic], ...] = (),
    ) -> None:
        self.program = assemble(text, arch)
        device = Device()
        self.memory = device.memory
        self.buffers = Buffers(device, arrays)
        shape = (1, 1, 1), (block or 32 * warps, 1, 1)
        banks = constant_banks(self.program, *shape, b"", 256, 0, b"")
        self.launch = Launch(self.program, *shape, shared, 256, banks, self.memory, {}, frozenset())
        self.state = State(self.launch, 0, 1)

    def run(self, registers: dict[int, Words] | None = None, max_steps: int = 20_000) -> Recorder:
        """Set registers, one row of lanes each, and execute."""
        for index, values in (registers or {}).items():
            self.state.registers[index] = np.asarray(values, np.uint32)
        with np.errstate(all="ignore"):
            recorder = Recorder(self.state.warps)
            run_batch(self.state, Code(self.program), max_steps, recorder)
        self.buffers.copy_back()
        return recorder

    def register(self, index: int) -> Words:
        """A register of the first warp afterwards."""
        return self.state.registers[index, 0]

    def predicate(self, index: int) -> NDArray[np.bool]:
        """A predicate of the first warp afterwards."""
        return self.state.predicates[index, 0]


def result(instruction: str, *sources: Words, destination: int = 0) -> Words:
    """R0 after one instruction whose sources are in R2, R4, R6, ..."""
    experiment = Experiment(instruction)
    experiment.run({2 + 2 * i: values for i, values in enumerate(sources)})
    return experiment.register(destination)
