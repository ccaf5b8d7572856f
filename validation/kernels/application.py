"""What a member of the zoo is: the launches of one cubin, and the arrays they must leave behind."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...traces.emulator import PRODUCER, Device, EmulationError, emulate_program
from ...traces.emulator.arguments import Argument, Buffers, arrays_of
from ...traces.kernel import Trace

Array = NDArray[Any]


@dataclass(frozen=True)
class Launch:
    """One kernel launch; `args` are those of `emulate`: arrays are pointers."""

    kernel: str
    grid: int | tuple[int, ...]
    block: int | tuple[int, ...]
    args: Sequence[Argument]
    shared: int = 0  # dynamic, bytes


@dataclass(frozen=True, eq=False)
class Output:
    """An array of the launches and what it must hold at the end.

    `tolerance` is relative to the largest expected magnitude; 0 asks for equality. `any_order`
    compares sorted, where the order of blocks or of atomics is free.
    """

    array: Array
    expected: Array
    tolerance: float = 0.0
    any_order: bool = False

    def largest_error(self) -> float:
        """Largest difference, relative to the largest expected magnitude; NaN if there is one."""
        found, expected = (x.astype(np.float64) for x in self._compared())
        difference = np.abs(found - expected)
        return float(difference.max() / max(np.abs(expected).max(), np.finfo(float).tiny))

    def is_right(self) -> bool:
        """Whether the array holds what is expected."""
        if self.array.shape != self.expected.shape:
            return False
        if self.tolerance == 0:
            return np.array_equal(*self._compared())
        return self.largest_error() <= self.tolerance

    def _compared(self) -> tuple[Array, Array]:
        if not self.any_order:
            return self.array, self.expected
        return np.sort(self.array, axis=None), np.sort(self.expected, axis=None)


@dataclass(frozen=True)
class Application:
    """Launches in order, on shared arrays, and the outputs to check."""

    launches: tuple[Launch, ...]
    outputs: tuple[Output, ...]


Make = Callable[[np.random.Generator], Application]
MEMBERS: dict[str, Make] = {}


def member(make: Make) -> Make:
    """Enter a function into the zoo; its name is that of the source file."""
    MEMBERS[make.__name__] = make
    return make


def emulate_application(
    application: Application, cubin: Path, device: Device | None = None
) -> Trace:
    """Run all launches, check the outputs, return the trace; raises EmulationError if wrong.

    On a `device` that others have used, the arrays lie behind theirs.
    """
    device = device or Device()
    buffers = Buffers(device, arrays_of([a for x in application.launches for a in x.args]))
    programs = device.load_module(cubin).kernels
    kernels = tuple(
        emulate_program(device, programs[x.kernel], x.grid, x.block, x.args, buffers, x.shared)
        for x in application.launches
    )
    buffers.copy_back()
    for number, output in enumerate(application.outputs):
        if not output.is_right():
            raise EmulationError(
                f"{cubin.name}: output {number} has a relative error of "
                f"{output.largest_error():.3g}, at most {output.tolerance:.3g} was expected"
            )
    return Trace(kernels, source=cubin.name, producer=PRODUCER)
