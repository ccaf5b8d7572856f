"""A `Device`: memory, modules and launches, the one interface to the emulator."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from ...isa import cubin as cubins
from ...isa.elf import Binary
from ...isa.errors import InputError
from ...isa.program import Program
from ..copies import Copy, Pending
from ..kernel import Cta, Kernel
from ..store import Writer
from .checks import known
from .constants import BANK_BYTES, VARIABLES, constant_banks
from .errors import EmulationError
from .machine import MAX_STEPS, run
from .memory import GlobalMemory
from .state import Dim, Launch
from .texture import Texture

STACK_BYTES = 1024  # beside the declared frame, for recursion and the like
MAX_THREADS = 1024
MAX_SHARED_BYTES = 164 * 1024  # of a CTA, the largest configuration of these architectures


@dataclass(frozen=True)
class Symbol:
    """A variable of a module in device memory."""

    address: int
    size: int  # bytes
    constant: bool  # a `__constant__` variable; kernels see what is written before their launch


@dataclass(frozen=True, eq=False)
class Module:
    """A cubin on a device: kernels by full name, variables by symbol."""

    kernels: dict[str, Program]
    symbols: dict[str, Symbol]
    image_address: int  # of the global variables
    constants_address: int  # of what constant bank 3 holds
    constants_bytes: int


class Device:
    """Device memory, and the modules that are loaded into it.

    Addresses are the numbers that kernels see. Access outside allocations raises EmulationError,
    and so do what `checks` names: `uninitialised` reads and `races` in shared memory. CTAs run on
    all cores, or on `threads`, with the same results.
    """

    def __init__(self, checks: Iterable[str] = (), threads: int | None = None) -> None:
        self._threads = threads or os.cpu_count() or 1
        self._checks = known(frozenset(checks))
        self.memory = GlobalMemory(watched="uninitialised" in self._checks)
        self._launches = 0
        self._copies = Pending()
        self._modules: dict[int, Module] = {}  # by identity of each of its programs
        self._textures: dict[int, Texture] = {}  # by handle
        self._texture_handles = count(1)

    def allocate(self, nbytes: int) -> int:
        """Address of new memory, zeroed; addresses are multiples of 512 bytes."""
        return self.memory.allocate(nbytes)

    def free(self, address: int) -> None:
        """Release what `allocate` gave."""
        self.memory.free(address)

    def read(self, address: int, nbytes: int) -> bytes:
        """A copy of device memory inside one allocation."""
        return self.memory.view(address, nbytes).tobytes()

    def write(self, address: int, data: bytes | bytearray | memoryview) -> None:
        """Put bytes into one allocation, as a copy that the next recorded launch finds."""
        self.place(address, data)
        self._copies.add(Copy(address, len(data)))

    def fill(self, address: int, byte: int, nbytes: int) -> None:
        """Set each byte of a range inside one allocation; a copy, too."""
        self.memory.write(address, byte, nbytes)
        self._copies.add(Copy(address, nbytes))

    def place(self, address: int, data: bytes | bytearray | memoryview) -> None:
        """Put bytes into one allocation where no program would copy them."""
        content = np.frombuffer(data, np.uint8)
        self.memory.write(address, content, len(content))

    def create_texture(self, texture: Texture) -> int:
        """Handle of a texture object, which kernels take as a 64-bit parameter."""
        self.memory.view(texture.address, texture.nbytes)
        handle = next(self._texture_handles)
        self._textures[handle] = texture
        return handle

    def destroy_texture(self, handle: int) -> None:
        """Forget a texture object; its memory stays."""
        if self._textures.pop(handle, None) is None:
            raise EmulationError(f"there is no texture {handle:#x} to be destroyed")

    def load_module(self, cubin: str | Path | bytes, kernel: str | None = None) -> Module:
        """Decode a cubin, or one kernel of it, and place its variables; raises InputError."""
        binary = Binary(cubin)
        return self._place(cubins.programs(binary, kernel), binary)

    def _place(self, programs: dict[str, Program], binary: Binary | None = None) -> Module:
        """Give the variables of some programs, which share them, memory and content."""
        first = next(iter(programs.values()), None)
        image = first.global_image if first else b""
        constants = first.constants.get(VARIABLES, b"") if first else b""
        places = self._hold(image), self._hold(constants)
        variables = binary.variables() if binary else {}
        symbols = {
            name: Symbol(places[v.constant] + v.offset, v.size, v.constant)
            for name, v in variables.items()
        }
        module = Module(programs, symbols, *places, len(constants))
        self._modules |= {id(program): module for program in programs.values()}
        return module

    def _hold(self, content: bytes) -> int:
        """Address of new memory with some content; 0 for none."""
        if not content:
            return 0
        address = self.allocate(len(content))
        self.place(address, content)
        return address

    def launch(
        self,
        program: Program,
        grid: int | Sequence[int],
        block: int | Sequence[int],
        parameters: bytes,
        shared: int = 0,
        record: bool | Writer = True,
        max_steps: int = MAX_STEPS,
    ) -> Kernel | None:
        """Run a kernel to its end and return what its warps did.

        With `record` false, or a writer that takes it, nothing is returned or kept in memory.
        `parameters` is the parameter block as the kernel declares it, `shared` dynamic shared
        memory in bytes. A program that belongs to no module of this device becomes one.
        """
        module = self._modules.get(id(program)) or self._place({program.name: program})
        state = self._prepare(program, module, grid, block, parameters, shared)
        number, self._launches = self._launches, self._launches + 1
        if record is False:
            run(state, None, max_steps, self._threads)
            return None
        ctas: list[Cta] = []
        kernel = Kernel(
            program=program,
            grid=state.grid,
            block=state.block,
            load_cta=ctas.__getitem__,
            launch=number,
            shared_bytes=state.shared_bytes,
            copies=self._copies.take(),
        )
        if record is True:
            run(state, ctas.append, max_steps, self._threads)
            return kernel
        with record.kernel(kernel) as add:
            run(state, add, max_steps, self._threads)
        return None

    def _prepare(
        self,
        program: Program,
        module: Module,
        grid: int | Sequence[int],
        block: int | Sequence[int],
        parameters: bytes,
        shared: int,
    ) -> Launch:
        """Check a launch against the limits of the architectures and fill its constant banks."""
        shape = dimensions("grid", grid), dimensions("block", block)
        shared_bytes = program.shared_bytes + shared
        if shared < 0 or shared_bytes > MAX_SHARED_BYTES:
            raise InputError(f"kernel {program.name}: {shared_bytes} bytes of shared memory")
        if program.parameter_base + len(parameters) > BANK_BYTES:
            raise InputError(f"kernel {program.name}: {len(parameters)} bytes of parameters")
        local_bytes = program.local_bytes + STACK_BYTES
        variables = self._variables(module)
        banks = constant_banks(
            program, *shape, parameters, local_bytes, module.image_address, variables
        )
        memory, textures = self.memory, self._textures
        state = Launch(
            program, *shape, shared_bytes, local_bytes, banks, memory, textures, self._checks
        )
        if state.threads > MAX_THREADS:
            raise InputError(f"kernel {program.name}: a block has at most {MAX_THREADS} threads")
        return state

    def _variables(self, module: Module) -> bytes:
        """What constant bank 3 holds now."""
        if not module.constants_bytes:
            return b""
        return self.read(module.constants_address, module.constants_bytes)


def dimensions(what: str, size: int | Sequence[int]) -> Dim:
    """Up to three positive sizes, as (x, y, z)."""
    sizes: list[Any] = [size] if isinstance(size, int) else list(size)
    if not 1 <= len(sizes) <= 3 or not all(isinstance(n, int) and n > 0 for n in sizes):
        raise InputError(f"{what} {size} is not one to three positive integers")
    x, y, z = (*sizes, 1, 1)[:3]
    return x, y, z
