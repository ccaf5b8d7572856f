"""The native trace file, `.warptrace`: one application, columnar, compressed, read CTA by CTA.

The format is described in `docs/formats.md`. Nothing in a file is trusted: every part is checked
against its digest, and every index and size against its bounds, before it is used.
"""

from __future__ import annotations

import bisect
import hashlib
import itertools
import math
import os
import struct
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib.metadata import version
from itertools import starmap
from pathlib import Path as FilePath
from typing import Annotated, Final, Literal, TypeAlias
from weakref import WeakValueDictionary

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..isa.errors import InputError
from ..isa.files import whole
from ..isa.program import Kind, Program
from . import code_columns
from .address_columns import Columns
from .code_columns import CodeReader, CodeWriter, access_digest
from .columns import Block, Builder, Form, Layout, Types, pack, unpack
from .container import DAMAGE, MAGIC, REMEDY, Input, Output, Stored, WrongKindError, digest_of
from .copies import Copy
from .kernel import WARP_SIZE, Cta, Kernel, Path, Trace

BLOCKS_KEPT: Final = 4  # decoded blocks that an open file keeps
JSON_SIZE: Final = struct.Struct("<I")
DIGEST_BYTES: Final = 16
# The head's columns: code, and the digests of all blocks.
HEAD_TYPES: Final[Types] = code_columns.TYPES | {"digest": ("u1", Form.PLAIN)}

Count: TypeAlias = Annotated[int, Field(ge=0, lt=1 << 31)]
Extent: TypeAlias = Annotated[int, Field(ge=1, lt=1 << 31)]
Size: TypeAlias = Annotated[int, Field(ge=0, lt=1 << 62)]


class Record(BaseModel):
    """A JSON object of the file."""

    model_config = ConfigDict(
        strict=True, extra="forbid", frozen=True, ser_json_bytes="hex", val_json_bytes="hex"
    )


class Binary(Record):
    """A `Program`; its instructions are in the head's columns."""

    program: Program  # without instructions
    size: Count  # instructions
    access: Annotated[int, Field(ge=0, lt=1 << 32)]  # see `code_columns.access_digest`
    labels: dict[str, int] = {}  # byte offsets that the text of branches names


class Launch(Record):
    """A `Kernel`; `program` numbers its code."""

    program: Count = 0
    grid: tuple[Extent, Extent, Extent]
    block: tuple[Extent, Extent, Extent]
    launch: Count = 0
    registers: Count = 0
    shared_bytes: Count = 0
    warm: tuple[Literal["const", "icache", "l1", "l1i"], ...] = ()
    clock_reads: bool = False
    copies: tuple[tuple[Size, Size], ...] = ()  # address, bytes
    blocks: tuple[Extent, ...]  # CTAs of each


class Content(Record):
    """What the content hash covers, beside the head's columns."""

    programs: tuple[Binary, ...]
    kernels: tuple[Launch, ...]

    def hash(self, columns: bytes) -> str:
        text = self.model_dump_json(exclude_defaults=True).encode()
        return hashlib.sha256(text + columns).hexdigest()


class Manifest(Record):
    """The JSON of the head."""

    producer: str = ""
    versions: dict[str, str]
    sizes: tuple[Count, ...]  # bytes of each block in the file
    content: Content


def write(trace: Trace, path: str | os.PathLike[str]) -> str:
    """Write `trace` and return its content hash. The file appears whole or not at all."""
    with writing(path, trace.producer) as writer:
        for kernel in trace.kernels:
            writer.add(kernel)
    return writer.hash


@contextmanager
def writing(path: str | os.PathLike[str], producer: str = "") -> Iterator[Writer]:
    """A file to which kernels are added one by one.

    It appears when the block ends without an exception, and holds no more than a block of CTAs
    and the code in memory.
    """
    with whole(FilePath(path)) as stream:
        output = Output(stream)
        writer = Writer(output.add)
        yield writer
        output.finish(writer.head(producer))


def content_hash(trace: Trace) -> str:
    """The hash that a file of `trace` would carry."""
    writer = Writer(lambda block: 0)
    for kernel in trace.kernels:
        writer.add(kernel)
    return writer.hash


def read(path: str | os.PathLike[str]) -> Trace:
    """Open a trace. What the warps did is read, and checked, when its CTAs are asked for."""
    file = _File(FilePath(path))
    kernels = tuple(_open_kernel(file, k) for k in range(len(file.manifest.content.kernels)))
    return Trace(kernels, source=str(path), producer=file.manifest.producer)


def block_bytes(path: str | os.PathLike[str]) -> int:
    """Bytes of a file that say what the warps did; the rest is code, launches and digests."""
    return sum(place.size for place in _File(FilePath(path)).places)


# Writing


class Writer:
    """Takes kernels, and hands on their blocks; `store` returns the bytes that one takes."""

    def __init__(self, store: Callable[[bytes], int]) -> None:
        self._store = store
        self._code = CodeWriter()
        self._programs: list[Program] = []  # in the order of first use
        self._binaries: list[Binary] = []
        self._launches: list[Launch] = []
        self._sizes: list[int] = []
        self._digests: list[bytes] = []
        self.kernels: list[Kernel] = []  # what was written, without CTAs

    @property
    def hash(self) -> str:
        """Content hash of the kernels so far."""
        return self._content.hash(self._columns())

    def head(self, producer: str) -> bytes:
        """All but the blocks."""
        manifest = Manifest(
            producer=producer,
            versions={"warpwise": version("warpwise")},
            sizes=tuple(self._sizes),
            content=self._content,
        )
        text = manifest.model_dump_json(exclude_defaults=True).encode()
        return JSON_SIZE.pack(len(text)) + text + self._columns()

    def add(self, kernel: Kernel) -> None:
        """Append a kernel with all its CTAs."""
        with self.kernel(kernel) as add_cta:
            for number in range(kernel.n_ctas):
                add_cta(kernel.load_cta(number))

    @contextmanager
    def kernel(self, kernel: Kernel) -> Iterator[Callable[[Cta], None]]:
        """Append a kernel whose CTAs are handed to the function that this gives, in order."""
        program = self._number(kernel.program)
        blocks = _Blocks(kernel, self._add_block)
        yield blocks.add
        self._launches.append(_launch(kernel, program, blocks.finished()))
        self.kernels.append(replace(kernel, load_cta=_not_kept))

    @property
    def _content(self) -> Content:
        return Content(programs=tuple(self._binaries), kernels=tuple(self._launches))

    def _columns(self) -> bytes:
        digests = np.frombuffer(b"".join(self._digests), np.uint8)
        return pack(self._code.columns() | {"digest": digests}, HEAD_TYPES)

    def _number(self, program: Program) -> int:
        if program not in self._programs:
            binary = _binary(program)
            self._code.add(program, binary.labels)
            self._programs.append(program)
            self._binaries.append(binary)
        return self._programs.index(program)

    def _add_block(self, data: bytes) -> None:
        self._sizes.append(self._store(data))
        self._digests.append(digest_of(data))


def _not_kept(number: int) -> Cta:
    raise IndexError(f"CTA {number} is in the file, not in memory")


class _Blocks:
    """The blocks of one kernel."""

    def __init__(self, kernel: Kernel, add_block: Callable[[bytes], None]) -> None:
        self._kernel, self._add_block = kernel, add_block
        self._layout = Layout.of(kernel.program, kernel.warps_per_cta)
        self._builder = Builder(self._layout)
        self._sizes: list[int] = []  # CTAs
        self._ctas = 0

    def add(self, cta: Cta) -> None:
        with self._explained():
            self._builder.add(cta)
            self._ctas += 1
            if self._builder.full:
                self._flush()

    def finished(self) -> tuple[int, ...]:
        """CTAs of all blocks, after the last CTA."""
        if self._ctas != self._kernel.n_ctas:
            raise ValueError(f"{self._ctas} CTAs of {self._kernel.n_ctas} were added")
        with self._explained():
            if self._builder.ctas:
                self._flush()
        return tuple(self._sizes)

    def _flush(self) -> None:
        self._add_block(pack(self._builder.columns()))
        self._sizes.append(len(self._builder.ctas))
        self._builder = Builder(self._layout)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except InputError as error:
            place = f"kernel {self._kernel.name}, up to CTA {self._ctas}"
            raise InputError(f"{place}: {error}") from error


def _launch(kernel: Kernel, program: int, blocks: tuple[int, ...]) -> Launch:
    return Launch(
        program=program,
        grid=kernel.grid,
        block=kernel.block,
        launch=kernel.launch,
        registers=kernel.registers,
        shared_bytes=kernel.shared_bytes,
        warm=tuple(sorted(kernel.warm)),  # type: ignore[arg-type]  # checked by the model
        clock_reads=kernel.clock_reads,
        copies=kernel.copies,
        blocks=blocks,
    )


def _binary(program: Program) -> Binary:
    constants = dict(sorted(program.constants.items()))
    return Binary(
        program=replace(program, instructions=(), constants=constants),
        size=len(program),
        access=access_digest(program.instructions),
        labels=dict(_labels(program)),
    )


def _labels(program: Program) -> Iterator[tuple[str, int]]:
    for instruction in program.instructions:
        for operand in instruction.operands:
            if operand.kind is Kind.LABEL and instruction.target is not None:
                name = operand.text.strip("`()")
                if name != f"{instruction.target:#x}":  # which needs no label
                    yield name, instruction.target


# Reading


class _File:
    """An open file whose head has been checked; all its errors name it."""

    def __init__(self, path: FilePath) -> None:
        self.path = path
        with self.explained("head"):
            self._input = Input(path)
            self.manifest, columns = self._head()
            self.places = self._places(columns["digest"].tobytes())
            self.programs = self._read_programs(columns)
        self.kept: OrderedDict[int, Block] = OrderedDict()  # blocks, the last used one last

    def block(self, number: int) -> bytes:
        """Decompressed content of a block."""
        return self._input.block(self.places[number])

    @contextmanager
    def explained(self, part: str) -> Iterator[None]:
        """Turn what goes wrong while `part` is read into an `InputError` that names the file."""
        try:
            yield
        except WrongKindError as error:
            raise InputError(f"{self.path}: {error}") from error.__cause__
        except DAMAGE as error:
            raise InputError(f"{self.path}: {part}: {_reason(error)}; {REMEDY}") from error

    def _head(self) -> tuple[Manifest, Columns]:
        head = self._input.head()
        (size,) = JSON_SIZE.unpack_from(head)
        text, columns = head[JSON_SIZE.size :][:size], head[JSON_SIZE.size + size :]
        manifest = Manifest.model_validate_json(text)
        self.hash = manifest.content.hash(columns)
        return manifest, unpack(columns, HEAD_TYPES)

    def _places(self, digests: bytes) -> list[Stored]:
        """Of all blocks."""
        sizes, kernels = self.manifest.sizes, self.manifest.content.kernels
        expected = sum(len(kernel.blocks) for kernel in kernels)
        if len(sizes) != expected or len(digests) != DIGEST_BYTES * expected:
            raise InputError(
                f"{len(sizes)} sizes and {len(digests)} bytes of digests found for "
                f"{expected} blocks"
            )
        starts = itertools.accumulate(sizes, initial=len(MAGIC))
        return [
            Stored(start, size, digests[DIGEST_BYTES * k :][:DIGEST_BYTES])
            for k, (start, size) in enumerate(zip(starts, sizes, strict=False))
        ]

    def _read_programs(self, columns: Columns) -> list[Program]:
        code = CodeReader(columns)
        programs = [_read_program(code, b) for b in self.manifest.content.programs]
        if found := code.left:
            raise InputError(f"{found} instructions of no program found")
        return programs


def _read_program(code: CodeReader, binary: Binary) -> Program:
    instructions = code.program(binary.size, binary.program.arch, binary.labels)
    if access_digest(instructions) != binary.access:
        raise WrongKindError(
            f"this release decodes other accesses in the code of {binary.program.name} than the "
            "one that wrote it: record the trace again"
        )
    return replace(binary.program, instructions=instructions)


def _open_kernel(file: _File, k: int) -> Kernel:
    launch = file.manifest.content.kernels[k]
    with file.explained(f"kernel {k}"):
        if launch.program >= len(file.programs):
            raise InputError(f"program {launch.program} named, {len(file.programs)} found")
        program = file.programs[launch.program]
        reader = _Reader(file, k, program)
        kernel = Kernel(
            program=program,
            grid=launch.grid,
            block=launch.block,
            load_cta=reader.load_cta,
            launch=launch.launch,
            registers=launch.registers,
            shared_bytes=launch.shared_bytes,
            warm=frozenset(launch.warm),
            hash=file.hash,
            clock_reads=launch.clock_reads,
            copies=tuple(starmap(Copy, launch.copies)),
        )
        if reader.n_ctas != kernel.n_ctas:
            raise InputError(f"{reader.n_ctas} CTAs found, expected {kernel.n_ctas}")
    return kernel


class _Reader:
    """Gives the CTAs of one kernel, reading no block but theirs."""

    def __init__(self, file: _File, k: int, program: Program) -> None:
        kernels = file.manifest.content.kernels
        self._file, self._k = file, k
        self._ctas = kernels[k].blocks
        self._first_block = sum(len(kernel.blocks) for kernel in kernels[:k])
        self._first = list(itertools.accumulate(self._ctas, initial=0))
        self._layout = Layout.of(program, -(-math.prod(kernels[k].block) // WARP_SIZE))
        self._paths: WeakValueDictionary[bytes, Path] = WeakValueDictionary()

    @property
    def n_ctas(self) -> int:
        return self._first[-1]

    def load_cta(self, number: int) -> Cta:
        if not 0 <= number < self.n_ctas:
            raise IndexError(f"CTA {number} of {self.n_ctas}")
        b = bisect.bisect_right(self._first, number) - 1
        with self._file.explained(f"kernel {self._k}, block {b}"):
            return self._block(b).cta(number - self._first[b], number)

    def _block(self, b: int) -> Block:
        kept, place = self._file.kept, self._first_block + b
        if place not in kept:
            columns = unpack(self._file.block(place))
            kept[place] = Block(columns, self._layout, self._ctas[b], self._paths)
        kept.move_to_end(place)
        if len(kept) > BLOCKS_KEPT:
            kept.popitem(last=False)
        return kept[place]


def _reason(error: Exception) -> str:
    if isinstance(error, ValidationError):
        problem = error.errors()[0]
        return f"{'.'.join(map(str, problem['loc'])) or 'JSON'}: {problem['msg']}"
    return str(error).rstrip(".")
