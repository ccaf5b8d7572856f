"""Kernel arguments: numpy arrays become device addresses, scalars become bytes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...isa.errors import InputError
from ...isa.program import Parameter, Program

if TYPE_CHECKING:
    from .device import Device

Argument = NDArray[Any] | np.generic | int | float | bytes

POINTER_BYTES = 8


def arrays_of(args: Sequence[Argument]) -> list[NDArray[Any]]:
    """The distinct arrays among some arguments; parts of one array are refused."""
    arrays = list({id(a): a for a in args if isinstance(a, np.ndarray)}.values())
    for a, b in combinations(arrays, 2):
        if np.may_share_memory(a, b):
            raise InputError("two argument arrays overlap: pass one array for one buffer")
    for array in arrays:
        if array.dtype.hasobject:
            raise InputError("an argument array holds Python objects, not numbers")
    return arrays


class Buffers:
    """Arrays of the host that live in device memory while kernels run.

    Each is copied there, unless it is one of those that the host `only_allocated`.
    """

    def __init__(
        self,
        device: Device,
        arrays: Sequence[NDArray[Any]],
        only_allocated: Sequence[NDArray[Any]] = (),
    ) -> None:
        self._memory = device.memory
        self._placed = {id(array): (array, device.allocate(array.nbytes)) for array in arrays}
        not_copied = set(map(id, only_allocated))
        for array, address in self._placed.values():
            write = device.place if id(array) in not_copied else device.write
            write(address, array.tobytes())

    def address(self, array: NDArray[Any]) -> int:
        """Device address of an array's first element."""
        return self._placed[id(array)][1]

    def copy_back(self) -> None:
        """Update the arrays with what the device wrote."""
        for array, address in self._placed.values():
            content = self._memory.view(address, array.nbytes)
            if array.flags.writeable:
                array[...] = content.view(array.dtype).reshape(array.shape)


def pack_arguments(program: Program, args: Sequence[Argument], buffers: Buffers) -> bytes:
    """The parameter block of a launch."""
    if len(args) != len(program.parameters):
        raise InputError(
            f"kernel {program.name} takes {len(program.parameters)} arguments, not {len(args)}"
        )
    end = max((p.offset + p.size for p in program.parameters), default=0)
    block = bytearray(end)
    for number, (argument, parameter) in enumerate(zip(args, program.parameters, strict=True)):
        try:
            content = encode(argument, parameter, buffers)
        except (OverflowError, TypeError, ValueError) as error:
            place = f"kernel {program.name}, argument {number}"
            raise InputError(f"{place}: {error}") from error
        block[parameter.offset : parameter.offset + parameter.size] = content
    return bytes(block)


def encode(argument: Argument, parameter: Parameter, buffers: Buffers) -> bytes:
    """Bytes of one argument; Python numbers take the size that the kernel declares."""
    size = parameter.size
    match argument:
        case np.ndarray():
            content = buffers.address(argument).to_bytes(POINTER_BYTES, "little")
        case np.generic():
            content = argument.tobytes()
        case bytes():
            content = argument
        case int():
            content = argument.to_bytes(size, "little", signed=argument < 0)
        case float() if size in (4, 8):
            content = np.array(argument, f"<f{size}").tobytes()
        case _:
            raise TypeError(f"{argument!r} cannot be a parameter of {size} bytes")
    if len(content) != size:
        what = "an array (a pointer)" if isinstance(argument, np.ndarray) else repr(argument)
        raise ValueError(f"{what} has {len(content)} bytes, the parameter has {size}")
    return content
