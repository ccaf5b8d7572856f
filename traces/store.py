"""The native trace file, `.warptrace`: one application, compressed, read CTA by CTA.

The format is described in `docs/formats.md`. Nothing in a file is trusted: every part is checked
against its digest, and every index and size against its bounds, before it is used.
"""

from __future__ import annotations

import bisect
import hashlib
import itertools
import math
import os
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from importlib.metadata import version
from pathlib import Path as FilePath
from typing import Annotated, Any, Final, TypeAlias
from weakref import WeakValueDictionary

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..isa.errors import InputError
from ..isa.files import whole
from ..isa.program import Kind, Program
from . import head as heads
from .blocks import Block, Builder, Layout, Part
from .container import (
    DAMAGE,
    DIGEST_BYTES,
    MAGIC,
    REMEDY,
    Input,
    Output,
    Stored,
    WrongKindError,
    digest_of,
)
from .copies import Copy
from .head import Head
from .kernel import WARP_SIZE, Cta, Kernel, Path, Trace
from .static_code import CodeReader, CodeWriter, access_digest

BLOCKS_KEPT: Final = 4  # decoded blocks that an open file keeps
WARM: Final = ("const", "icache", "l1", "l1i")  # bits of a launch's flags, from the lowest one

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
    access: Annotated[int, Field(ge=0, lt=1 << 32)]  # see `static_code.access_digest`
    labels: dict[str, int] = {}  # byte offsets that the text of branches names


class Manifest(Record):
    """The JSON of the head."""

    producer: str = ""
    versions: dict[str, str] = {}
    programs: tuple[Binary, ...]

    @property
    def text(self) -> bytes:
        return self.model_dump_json(exclude_defaults=True).encode()

    def hash(self, head: Head) -> str:
        """SHA-256 of what is traced; who did it, and how, is left out."""
        content = self.model_copy(update={"producer": "", "versions": {}}).text
        digest = hashlib.sha256(content)
        for table in (head.launches, head.copies, head.blocks, head.digests, *head.code):
            digest.update(len(table).to_bytes(8, "little") + table.tobytes())
        return digest.hexdigest()


class Launch(Record):
    """A row of the head's launches: a `Kernel`; `program` numbers its code."""

    program: Count
    grid: tuple[Extent, Extent, Extent]
    block: tuple[Extent, Extent, Extent]
    launch: Count
    registers: Count
    shared_bytes: Count
    flags: Annotated[int, Field(ge=0, lt=1 << len(WARM) + 1)]  # WARM, clock reads
    copies: Count  # rows of the head's copies

    @classmethod
    def of(cls, kernel: Kernel, program: int) -> Launch:
        flags = sum(1 << bit for bit, name in enumerate(WARM) if name in kernel.warm)
        return cls(
            program=program,
            grid=kernel.grid,
            block=kernel.block,
            launch=kernel.launch,
            registers=kernel.registers,
            shared_bytes=kernel.shared_bytes,
            flags=flags | kernel.clock_reads << len(WARM),
            copies=len(kernel.copies),
        )

    @property
    def row(self) -> list[int]:
        shape = [self.program, *self.grid, *self.block, self.launch]
        return [*shape, self.registers, self.shared_bytes, self.flags, self.copies]

    @property
    def warps(self) -> int:
        """Of each CTA."""
        return -(-math.prod(self.block) // WARP_SIZE)

    @property
    def ctas(self) -> int:
        return math.prod(self.grid)


class Tables(Record):
    """The other parts of the head that are checked."""

    launches: tuple[Launch, ...]
    copies: tuple[tuple[Size, Size], ...]  # address, bytes
    blocks: tuple[tuple[Size, Extent], ...]  # bytes in the file, CTAs

    @classmethod
    def of(cls, head: Head) -> Tables:
        """Raises ValidationError."""
        return cls(
            launches=tuple(_launch(*row) for row in head.launches.tolist()),
            copies=tuple(map(tuple, head.copies.tolist())),
            blocks=tuple(map(tuple, head.blocks.tolist())),
        )


def _launch(program: int, *others: int) -> Any:
    """The fields of a `Launch` with this row."""
    *extents, launch, registers, shared_bytes, flags, copies = others
    return {
        "program": program,
        "grid": tuple(extents[:3]),
        "block": tuple(extents[3:]),
        "launch": launch,
        "registers": registers,
        "shared_bytes": shared_bytes,
        "flags": flags,
        "copies": copies,
    }


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
        output.finish(heads.pack(writer.head(producer)))


def content_hash(trace: Trace) -> str:
    """The hash that a file of `trace` would carry."""
    writer = Writer(lambda block: 0)
    for kernel in trace.kernels:
        writer.add(kernel)
    return writer.hash


def read(path: str | os.PathLike[str]) -> Trace:
    """Open a trace. What the warps did is read, and checked, when its CTAs are asked for."""
    file = _File(FilePath(path))
    return Trace(tuple(file.kernels()), source=str(path), producer=file.manifest.producer)


def block_bytes(path: str | os.PathLike[str]) -> int:
    """Bytes of a file that say what the warps did; the rest is code, launches and digests."""
    return sum(place.size for place in _File(FilePath(path)).places)


# Writing


class Writer:
    """Takes kernels, and hands their blocks to `store`."""

    def __init__(self, store: Callable[[bytes], object]) -> None:
        self._store = store
        self._code = CodeWriter()
        self._programs: list[Program] = []  # in the order of first use
        self._layouts: list[Layout] = []  # of them
        self._binaries: list[Binary] = []
        self._launches: list[Launch] = []
        self._copies: list[Copy] = []
        self._builder = Builder()
        self._blocks: list[tuple[int, int]] = []  # bytes, CTAs
        self._digests: list[bytes] = []
        self.kernels: list[Kernel] = []  # what was written, without CTAs

    @property
    def hash(self) -> str:
        """Content hash of all kernels, after the last one."""
        return self._manifest.hash(self._head(b""))

    def head(self, producer: str) -> Head:
        """All but the blocks, after the last kernel."""
        manifest = self._manifest.model_copy(
            update={"producer": producer, "versions": {"warpwise": version("warpwise")}}
        )
        return self._head(manifest.text)

    def add(self, kernel: Kernel) -> None:
        """Append a kernel with all its CTAs."""
        with self.kernel(kernel) as add_cta:
            for number in range(kernel.n_ctas):
                add_cta(kernel.load_cta(number))

    @contextmanager
    def kernel(self, kernel: Kernel) -> Iterator[Callable[[Cta], None]]:
        """Append a kernel whose CTAs are handed to the function that this gives, in order."""
        launch = Launch.of(kernel, self._number(kernel.program))
        layout, ctas = self._layouts[launch.program], 0

        def add(cta: Cta) -> None:
            nonlocal ctas
            with _explained(kernel, ctas):
                self._builder.add(cta, layout, launch.warps)
                ctas += 1
                if self._builder.full:
                    self._flush()

        yield add
        if ctas != kernel.n_ctas:
            raise ValueError(f"{ctas} CTAs of {kernel.n_ctas} were added")
        self._launches.append(launch)
        self._copies += kernel.copies
        self.kernels.append(replace(kernel, load_cta=_not_kept))

    @property
    def _manifest(self) -> Manifest:
        return Manifest(programs=tuple(self._binaries))

    def _head(self, text: bytes) -> Head:
        if self._builder.ctas:
            with _explained(self.kernels[-1], self.kernels[-1].n_ctas):
                self._flush()
        return Head(
            _octets(text),
            _table([launch.row for launch in self._launches], heads.LAUNCH_FIELDS),
            _table(self._copies, heads.COPY_FIELDS),
            _table(self._blocks, heads.BLOCK_FIELDS),
            _octets(b"".join(self._digests)).reshape(-1, DIGEST_BYTES),
            self._code.columns(),
        )

    def _number(self, program: Program) -> int:
        if program not in self._programs:
            binary = _binary(program)
            self._code.add(program, binary.labels)
            self._programs.append(program)
            self._layouts.append(Layout.of(program))
            self._binaries.append(binary)
        return self._programs.index(program)

    def _flush(self) -> None:
        data = self._builder.encoded()
        self._store(data)
        self._blocks.append((len(data), self._builder.ctas))
        self._digests.append(digest_of(data))
        self._builder = Builder()


@contextmanager
def _explained(kernel: Kernel, ctas: int) -> Iterator[None]:
    try:
        yield
    except InputError as error:
        raise InputError(f"kernel {kernel.name}, up to CTA {ctas}: {error}") from error


def _octets(data: bytes) -> NDArray[np.uint8]:
    return np.frombuffer(bytearray(data), np.uint8)


def _table(rows: Sequence[Sequence[int]], fields: int) -> NDArray[np.int64]:
    return np.array(rows, np.int64).reshape(-1, fields)


def _not_kept(number: int) -> Cta:
    raise IndexError(f"CTA {number} is in the file, not in memory")


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
            head = heads.unpack(self._input.head())
            self.manifest = Manifest.model_validate_json(head.text.tobytes())
            self.hash = self.manifest.hash(head)
            self._tables = Tables.of(head)
            self._programs = self._read_programs(head)
            self._layouts = list(map(Layout.of, self._programs))
            self._check_launches()
            self.places = self._find_blocks(head)
        self._first_cta = _sums(launch.ctas for launch in self._tables.launches)
        self._first_in_block = _sums(ctas for _, ctas in self._tables.blocks)
        self._kept: OrderedDict[int, Block] = OrderedDict()  # the last used one last
        self._paths: WeakValueDictionary[bytes, Path] = WeakValueDictionary()

    def kernels(self) -> Iterator[Kernel]:
        """All launches."""
        copies = itertools.starmap(Copy, self._tables.copies)
        for k, launch in enumerate(self._tables.launches):
            yield Kernel(
                program=self._programs[launch.program],
                grid=launch.grid,
                block=launch.block,
                load_cta=partial(self._load_cta, k),
                launch=launch.launch,
                registers=launch.registers,
                shared_bytes=launch.shared_bytes,
                warm=frozenset(w for bit, w in enumerate(WARM) if launch.flags >> bit & 1),
                hash=self.hash,
                clock_reads=bool(launch.flags >> len(WARM)),
                copies=tuple(itertools.islice(copies, launch.copies)),
            )

    def _load_cta(self, k: int, number: int) -> Cta:
        n_ctas = self._tables.launches[k].ctas
        if not 0 <= number < n_ctas:
            raise IndexError(f"CTA {number} of {n_ctas}")
        index = self._first_cta[k] + number
        b = bisect.bisect_right(self._first_in_block, index) - 1
        with self.explained(f"block {b}"):
            return self._block(b).cta(index - self._first_in_block[b], number)

    def _block(self, b: int) -> Block:
        kept = self._kept
        if b not in kept:
            kept[b] = Block(self._input.block(self.places[b]), list(self._parts(b)), self._paths)
        kept.move_to_end(b)
        if len(kept) > BLOCKS_KEPT:
            kept.popitem(last=False)
        return kept[b]

    def _parts(self, b: int) -> Iterator[Part]:
        """The CTAs of a block, launch by launch."""
        first, end = self._first_in_block[b : b + 2]
        k = bisect.bisect_right(self._first_cta, first) - 1
        while first < end:
            stop, launch = min(end, self._first_cta[k + 1]), self._tables.launches[k]
            yield Part(self._layouts[launch.program], launch.warps, stop - first)
            first, k = stop, k + 1

    @contextmanager
    def explained(self, part: str) -> Iterator[None]:
        """Turn what goes wrong while `part` is read into an `InputError` that names the file."""
        try:
            yield
        except WrongKindError as error:
            raise InputError(f"{self.path}: {error}") from error.__cause__
        except DAMAGE as error:
            raise InputError(f"{self.path}: {part}: {_reason(error)}; {REMEDY}") from error

    def _read_programs(self, head: Head) -> list[Program]:
        code = CodeReader(head.code)
        programs = [_read_program(code, binary) for binary in self.manifest.programs]
        if found := code.left:
            raise InputError(f"{found} instructions of no program found")
        return programs

    def _check_launches(self) -> None:
        """Raise for numbers that do not fit each other."""
        launches, copies, blocks = (getattr(self._tables, name) for name in Tables.model_fields)
        _expect("copies", sum(launch.copies for launch in launches), len(copies))
        _expect("CTAs", sum(ctas for _, ctas in blocks), sum(launch.ctas for launch in launches))
        for launch in launches:
            if launch.program >= len(self._programs):
                raise InputError(f"program {launch.program} named, {len(self._programs)} found")

    def _find_blocks(self, head: Head) -> list[Stored]:
        sizes = [size for size, _ in self._tables.blocks]
        starts = itertools.accumulate(sizes, initial=len(MAGIC))
        return list(map(Stored, starts, sizes, map(bytes, head.digests)))


def _sums(numbers: Iterable[int]) -> list[int]:
    """Of the first none, one, two, ... and all numbers."""
    return list(itertools.accumulate(numbers, initial=0))


def _expect(what: str, found: int, expected: int) -> None:
    if found != expected:
        raise InputError(f"{found} {what} found, expected {expected}")


def _read_program(code: CodeReader, binary: Binary) -> Program:
    instructions = code.program(binary.size, binary.program.arch, binary.labels)
    if access_digest(instructions) != binary.access:
        raise WrongKindError(
            f"this release decodes other accesses in the code of {binary.program.name} than the "
            "one that wrote it: record the trace again"
        )
    return replace(binary.program, instructions=instructions)


def _reason(error: Exception) -> str:
    if isinstance(error, ValidationError):
        problem = error.errors()[0]
        return f"{'.'.join(map(str, problem['loc'])) or 'JSON'}: {problem['msg']}"
    return str(error).rstrip(".")
