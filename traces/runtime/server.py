"""Serves the requests of one program on an emulated device."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from socket import socket

from ...isa.cubin import plain_name
from ...isa.errors import InputError
from ...isa.program import Program
from ..emulator import Device, EmulationError, Module, UnsupportedError
from ..emulator.device import MAX_THREADS
from ..store import Writer
from .fatbin import cubin_for
from .properties import (
    GRID_SHAPE,
    MEMORY_BYTES,
    GpuFacts,
    device_attribute,
    device_properties,
)
from .protocol import Operation, Reply, Request, answer, receive
from .textures import texture

# Numbers of cudaError_t.
INVALID_VALUE, OUT_OF_MEMORY, INVALID_CONFIGURATION = 1, 2, 9
INVALID_SYMBOL, INVALID_FUNCTION = 13, 98

Wanted = Callable[[int, str], bool]  # launch number, kernel name -> whether it is recorded


@dataclass
class FatBinary:
    """Code that a program brought; decoded when it is first used."""

    device: Device
    content: bytes
    arch: str

    @cached_property
    def module(self) -> Module:
        return self.device.load_module(cubin_for(self.content, self.arch))


class Server:
    """The device behind one program, whose launches a writer takes."""

    def __init__(self, gpu: GpuFacts, cuda: int, wanted: Wanted, writer: Writer) -> None:
        self._writer = writer
        self.launched: list[str] = []  # names, in launch order
        self._gpu, self._cuda, self._wanted = gpu, cuda, wanted
        self._device = Device()
        self._sizes: dict[int, int] = {}  # bytes of the program's allocations by address
        self._binaries: list[FatBinary] = []
        self._names: list[tuple[FatBinary, str]] = []  # of kernels and variables
        self._answers: dict[Operation, Callable[[Request], Reply]] = {
            Operation.MODULE: self._module,
            Operation.FUNCTION: self._name,
            Operation.VARIABLE: self._name,
            Operation.PARAMETERS: self._parameters,
            Operation.LAUNCH: self._launch,
            Operation.ALLOCATE: self._allocate,
            Operation.FREE: self._free,
            Operation.READ: self._read,
            Operation.WRITE: self._write,
            Operation.FILL: self._fill,
            Operation.COPY: self._copy,
            Operation.SYMBOL: self._symbol,
            Operation.ATTRIBUTES: self._attributes,
            Operation.PROPERTIES: lambda _: Reply(data=device_properties(gpu, cuda)),
            Operation.DEVICE_ATTRIBUTE: lambda r: Reply(
                values=(device_attribute(gpu, r.arguments[0]), 0)
            ),
            Operation.OCCUPANCY: self._occupancy,
            Operation.MEMORY: lambda _: Reply(values=(self._room, MEMORY_BYTES)),
            Operation.UNSUPPORTED: self._unsupported,
            Operation.OWNS: self._owns,
            Operation.TEXTURE: self._texture,
            Operation.FORGET_TEXTURE: self._forget_texture,
        }

    def serve(self, connection: socket) -> None:
        """Answer until the program ends; raises what goes wrong inside a kernel."""
        while (request := receive(connection)) is not None:
            answer(connection, self._answers[request.operation](request))

    def _module(self, request: Request) -> Reply:
        self._binaries.append(FatBinary(self._device, request.data, self._gpu.arch))
        return Reply(values=(len(self._binaries) - 1, 0))

    def _name(self, request: Request) -> Reply:
        self._names.append((self._binaries[request.arguments[0]], request.data.decode()))
        return Reply(values=(len(self._names) - 1, 0))

    def _program(self, number: int) -> Program | None:
        binary, name = self._names[number]
        return binary.module.kernels.get(name)

    def _parameters(self, request: Request) -> Reply:
        program = self._program(request.arguments[0])
        if program is None:
            return Reply(INVALID_FUNCTION)
        pairs = (struct.pack("<2I", p.offset, p.size) for p in program.parameters)
        return Reply(data=b"".join(pairs))

    def _launch(self, request: Request) -> Reply:
        number, *shape, shared = request.arguments
        grid, block = shape[:3], shape[3:]
        program = self._program(number)
        if program is None:
            return Reply(INVALID_FUNCTION)
        x, y, z = block
        fits = all(n <= most for n, most in zip(grid, GRID_SHAPE, strict=True))
        if not all(shape) or x * y * z > MAX_THREADS or not fits:
            return Reply(INVALID_CONFIGURATION)
        if program.shared_bytes + shared > self._gpu.shared_optin_bytes:
            return Reply(INVALID_VALUE)
        wanted = self._wanted(len(self.launched), program.name)
        record = self._writer if wanted else False
        self.launched.append(program.name)
        try:
            self._device.launch(program, grid, block, request.data, shared, record)
        except EmulationError as error:
            place = f"launch {len(self.launched) - 1} ({plain_name(program.name)})"
            raise EmulationError(f"{place}: {error}") from error
        return Reply()

    def _attributes(self, request: Request) -> Reply:
        program = self._program(request.arguments[0])
        if program is None:
            return Reply(INVALID_FUNCTION)
        facts = (
            program.shared_bytes,
            len(program.constants.get(3, b"")),
            program.local_bytes,
            MAX_THREADS,
            program.registers,
            int(program.arch.removeprefix("sm_")),
            self._gpu.shared_optin_bytes - program.shared_bytes,
        )
        return Reply(data=struct.pack("<7q", *facts))

    def _occupancy(self, request: Request) -> Reply:
        number, threads, shared, *_ = request.arguments
        program = self._program(number)
        if program is None:
            return Reply(INVALID_FUNCTION)
        if not 0 < threads <= MAX_THREADS:
            return Reply(INVALID_VALUE)
        return Reply(values=(self._gpu.occupancy(program, threads, shared), 0))

    @property
    def _room(self) -> int:
        return MEMORY_BYTES - sum(self._sizes.values())

    def _allocate(self, request: Request) -> Reply:
        length = request.arguments[0]
        if length == 0:
            return Reply()  # a null pointer, as CUDA gives
        if length > self._room:
            return Reply(OUT_OF_MEMORY)
        address = self._device.allocate(length)
        self._sizes[address] = length
        return Reply(values=(address, 0))

    def _free(self, request: Request) -> Reply:
        address = request.arguments[0]
        if self._sizes.pop(address, None) is None:
            return Reply(INVALID_VALUE)
        self._device.free(address)
        return Reply()

    def _read(self, request: Request) -> Reply:
        address, length, *_ = request.arguments
        try:
            return Reply(data=self._device.read(address, length))
        except EmulationError:
            return Reply(INVALID_VALUE)

    def _write(self, request: Request) -> Reply:
        address, managed, *_ = request.arguments
        write = self._device.place if managed else self._device.write
        return self._checked(lambda: write(address, request.data))

    def _fill(self, request: Request) -> Reply:
        return self._checked(lambda: self._device.fill(*request.arguments[:3]))

    def _copy(self, request: Request) -> Reply:
        to, source, length, *_ = request.arguments
        return self._checked(lambda: self._device.write(to, self._device.read(source, length)))

    def _checked(self, action: Callable[[], None]) -> Reply:
        """Outside of allocations a copy fails as CUDA's does; the program decides what to do."""
        try:
            action()
        except EmulationError:
            return Reply(INVALID_VALUE)
        return Reply()

    def _texture(self, request: Request) -> Reply:
        border = request.arguments[0]
        try:
            made = texture(request.data[:border], request.data[border:])
            return Reply(values=(self._device.create_texture(made), 0))
        except UnsupportedError:
            raise
        except (InputError, EmulationError):
            return Reply(INVALID_VALUE)

    def _forget_texture(self, request: Request) -> Reply:
        return self._checked(lambda: self._device.destroy_texture(request.arguments[0]))

    def _owns(self, request: Request) -> Reply:
        try:
            self._device.read(request.arguments[0], 1)
        except EmulationError:
            return Reply()
        return Reply(values=(1, 0))

    def _symbol(self, request: Request) -> Reply:
        binary, name = self._names[request.arguments[0]]
        symbol = binary.module.symbols.get(name)
        if symbol is None:
            return Reply(INVALID_SYMBOL)
        return Reply(values=(symbol.address, symbol.size))

    def _unsupported(self, request: Request) -> Reply:
        name = request.data.decode()
        raise UnsupportedError(
            f"the program calls {name}, which the emulated CUDA runtime does not have; "
            "see docs/emulator.md for what it has"
        )
