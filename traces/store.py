"""The native trace file, `.warptrace`: one application, columnar, compressed, read CTA by CTA.

The format is described in `docs/formats.md`. Nothing in a file is trusted: every member is checked
against its SHA-256, and every index and size against its bounds, before it is used.
"""

from __future__ import annotations

import bisect
import hashlib
import io
import itertools
import json
import math
import os
import struct
import zipfile
import zlib
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib.metadata import version
from itertools import starmap
from pathlib import Path as FilePath
from typing import Annotated, Final, Literal, TypeAlias, TypeVar
from weakref import WeakValueDictionary

import zstandard
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..isa import control_bits
from ..isa.errors import InputError
from ..isa.files import whole
from ..isa.program import INSTRUCTION_BYTES, Access, Instruction, Kind, Program
from ..isa.sass import parse_instruction
from .columns import Block, Builder, Layout, pack, unpack
from .copies import Copy
from .kernel import WARP_SIZE, Cta, Kernel, Path, Trace

VERSION: Final = 3
MANIFEST: Final = "manifest.json"
LEVEL: Final = 19  # of zstd
BLOCKS_KEPT: Final = 4  # decoded blocks that an open file keeps
MEMBER_LIMIT: Final = 1 << 31  # bytes that one member may decode to
MANIFEST_LIMIT: Final = 1 << 28  # and the manifest
MAGIC: Final = b"PK\x03\x04"
REMEDY: Final = "the file is damaged or was cut short: copy it again or record it again"
# What the layers below raise on bytes that are not what they should be.
DAMAGE: Final = (
    InputError,
    zipfile.BadZipFile,
    zlib.error,
    zstandard.ZstdError,
    struct.error,
    EOFError,
    OSError,
    OverflowError,
    RuntimeError,
    ValueError,
)

AnyRecord = TypeVar("AnyRecord", bound="Record")
Count: TypeAlias = Annotated[int, Field(ge=0, lt=1 << 31)]
Extent: TypeAlias = Annotated[int, Field(ge=1, lt=1 << 31)]
# The control bits as in the encoding, from their lowest one; the encoding in hexadecimal.
Control: TypeAlias = Annotated[int, Field(ge=0, lt=1 << 21)]
Encoding: TypeAlias = Annotated[str, Field(pattern="^[0-9a-f]{32}$")]
Size: TypeAlias = Annotated[int, Field(ge=0, lt=1 << 62)]
Digest: TypeAlias = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class Record(BaseModel):
    """A JSON object of the file."""

    model_config = ConfigDict(
        strict=True, extra="forbid", frozen=True, ser_json_bytes="hex", val_json_bytes="hex"
    )


class Code(Record):
    """Static instructions by column: what decodes them again, and what that has to give."""

    text: tuple[str, ...]
    control: tuple[Control | None, ...]  # null where it is that of the encoding
    encoding: tuple[Encoding | None, ...]
    access: tuple[Annotated[int, Field(ge=0, le=max(Access))], ...]


class Binary(Record):
    """A `Program`, its instructions as text and bits."""

    program: Program  # without instructions
    labels: dict[str, int]  # byte offsets that the text of branches names
    code: Code


class BlockEntry(Record):
    """How many CTAs a block holds, and the digest of its decompressed columns."""

    ctas: Extent
    sha256: Digest


class Launch(Record):
    """A `Kernel`; `program` numbers its code."""

    program: Count
    grid: tuple[Extent, Extent, Extent]
    block: tuple[Extent, Extent, Extent]
    launch: Count
    registers: Count
    shared_bytes: Count
    warm: tuple[Literal["const", "icache", "l1", "l1i"], ...]
    clock_reads: bool
    copies: tuple[tuple[Size, Size], ...]  # address, bytes
    blocks: tuple[BlockEntry, ...]


class Content(Record):
    """What the content hash covers: through the digests, all other members too."""

    programs: tuple[Digest, ...]
    kernels: tuple[Launch, ...]

    def hash(self) -> str:
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
        return _sha256(text.encode())


class Heading(BaseModel):
    """The part of the manifest that all versions of the format share."""

    format: Literal["warptrace"]
    version: int


class Manifest(Record):
    """The member `manifest.json`."""

    format: Literal["warptrace"]
    version: int
    producer: str
    versions: dict[str, str]
    hash: Digest
    content: Content

    def members(self) -> set[str]:
        """Names of all members that the file has to have."""
        kernels = enumerate(self.content.kernels)
        blocks = (_block_name(k, b) for k, kernel in kernels for b in range(len(kernel.blocks)))
        programs = map(_program_name, range(len(self.content.programs)))
        return {MANIFEST, *programs, *blocks}


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
    in memory.
    """
    with whole(FilePath(path)) as stream, zipfile.ZipFile(stream, "w") as archive:
        writer = Writer(archive)
        yield writer
        manifest = Manifest(
            format="warptrace",
            version=VERSION,
            producer=producer,
            versions={"warpwise": version("warpwise")},
            hash=writer.hash,
            content=writer.content,
        )
        data = manifest.model_dump_json().encode()
        _add(archive, MANIFEST, data, zipfile.ZIP_DEFLATED)


def content_hash(trace: Trace) -> str:
    """The hash that a file of `trace` would carry."""
    with zipfile.ZipFile(io.BytesIO(), "w") as archive:
        writer = Writer(archive)
        for kernel in trace.kernels:
            writer.add(kernel)
    return writer.hash


def read(path: str | os.PathLike[str]) -> Trace:
    """Open a trace. What the warps did is read, and checked, when its CTAs are asked for."""
    file = _File(FilePath(path))
    content = file.manifest.content
    programs = [
        _read_program(file, _program_name(number), digest)
        for number, digest in enumerate(content.programs)
    ]
    kernels = tuple(_open_kernel(file, k, programs) for k in range(len(content.kernels)))
    return Trace(kernels, source=str(path), producer=file.manifest.producer)


# Writing


class Writer:
    """Appends kernels to an archive."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self._programs: dict[str, int] = {}  # digest -> number, in the order of first use
        self._launches: list[Launch] = []
        self.kernels: list[Kernel] = []  # what was written, without CTAs

    @property
    def content(self) -> Content:
        """What the content hash covers."""
        return Content(programs=tuple(self._programs), kernels=tuple(self._launches))

    @property
    def hash(self) -> str:
        """Content hash of the kernels so far."""
        return self.content.hash()

    def add(self, kernel: Kernel) -> None:
        """Append a kernel with all its CTAs."""
        with self.kernel(kernel) as add_cta:
            for number in range(kernel.n_ctas):
                add_cta(kernel.load_cta(number))

    @contextmanager
    def kernel(self, kernel: Kernel) -> Iterator[Callable[[Cta], None]]:
        """Append a kernel whose CTAs are handed to the function that this gives, in order."""
        data = _encode_program(kernel.program)
        digest = _sha256(data)
        if digest not in self._programs:
            name = _program_name(len(self._programs))
            self._programs[digest] = len(self._programs)
            _add(self._archive, name, _compress(data))
        blocks = _Blocks(kernel, len(self._launches), self._archive)
        yield blocks.add
        program = self._programs[digest]
        self._launches.append(_launch(kernel, program, blocks.finished()))
        self.kernels.append(replace(kernel, load_cta=_not_kept))


def _not_kept(number: int) -> Cta:
    raise IndexError(f"CTA {number} is in the file, not in memory")


class _Blocks:
    """The blocks of one kernel."""

    def __init__(self, kernel: Kernel, k: int, archive: zipfile.ZipFile) -> None:
        self._kernel, self._k, self._archive = kernel, k, archive
        self._layout = Layout.of(kernel.program, kernel.warps_per_cta)
        self._builder = Builder(self._layout)
        self._entries: list[BlockEntry] = []
        self._ctas = 0

    def add(self, cta: Cta) -> None:
        with self._explained():
            self._builder.add(cta)
            self._ctas += 1
            if self._builder.full:
                self._flush()

    def finished(self) -> tuple[BlockEntry, ...]:
        """All blocks, after the last CTA."""
        if self._ctas != self._kernel.n_ctas:
            raise ValueError(f"{self._ctas} CTAs of {self._kernel.n_ctas} were added")
        with self._explained():
            if self._builder.ctas:
                self._flush()
        return tuple(self._entries)

    def _flush(self) -> None:
        data = pack(self._builder.columns())
        _add(self._archive, _block_name(self._k, len(self._entries)), _compress(data))
        self._entries.append(BlockEntry(ctas=len(self._builder.ctas), sha256=_sha256(data)))
        self._builder = Builder(self._layout)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except InputError as error:
            place = f"kernel {self._kernel.name}, up to CTA {self._ctas}"
            raise InputError(f"{place}: {error}") from error


def _launch(kernel: Kernel, program: int, blocks: tuple[BlockEntry, ...]) -> Launch:
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


def _encode_program(program: Program) -> bytes:
    """The program as JSON; raise if it would not decode to the same program."""
    binary = Binary(
        program=replace(
            program, instructions=(), constants=dict(sorted(program.constants.items()))
        ),
        labels=dict(_labels(program)),
        code=Code(
            text=tuple(i.text for i in program.instructions),
            control=tuple(map(_control, program.instructions)),
            encoding=tuple(
                None if i.encoding is None else f"{i.encoding:032x}" for i in program.instructions
            ),
            access=tuple(i.access for i in program.instructions),
        ),
    )
    for found, expected in zip(_decode(binary), program.instructions, strict=True):
        if found != expected:
            raise InputError(f"{program.name}: stored as text, {expected} would become {found}")
    return binary.model_dump_json().encode()


def _control(inst: Instruction) -> int | None:
    """The control bits of an instruction, unless its encoding has the same."""
    if inst.encoding is not None and control_bits.decode(inst.encoding) == inst.control:
        return None
    return control_bits.encode(inst.control) >> control_bits.FIRST_BIT


def _labels(program: Program) -> Iterator[tuple[str, int]]:
    for instruction in program.instructions:
        for operand in instruction.operands:
            if operand.kind is Kind.LABEL and instruction.target is not None:
                yield operand.text.strip("`()"), instruction.target


def _compress(data: bytes) -> bytes:
    return zstandard.ZstdCompressor(level=LEVEL).compress(data)


def _add(
    archive: zipfile.ZipFile, name: str, data: bytes, method: int = zipfile.ZIP_STORED
) -> None:
    """Append a member. Its date is fixed, so that equal traces give equal files."""
    archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), data, method)


# Reading


class _WrongKindError(InputError):
    """The file is not damaged but unsuitable; the message says what to do."""


class _File:
    """An open file whose manifest has been checked; all its errors name it."""

    def __init__(self, path: FilePath) -> None:
        self.path = path
        with self.explained("archive"):
            self._archive = self._open()
            self._size = path.stat().st_size
        with self.explained(MANIFEST):
            self.manifest = self._read_manifest()
            self._check_members()
        self.kept: OrderedDict[str, Block] = OrderedDict()  # blocks, the last used one last

    def member(self, name: str, digest: str) -> bytes:
        """Decompressed content of a member; raise if it is not what the digest says."""
        compressed = self._stored(name)
        size = zstandard.frame_content_size(compressed)
        if not 0 <= size <= MEMBER_LIMIT:
            raise InputError(f"it announces {size} bytes, expected at most {MEMBER_LIMIT}")
        data = zstandard.ZstdDecompressor().decompress(compressed)
        if _sha256(data) != digest:
            raise InputError(f"its SHA-256 is {_sha256(data)}, expected {digest}")
        return data

    @contextmanager
    def explained(self, part: str) -> Iterator[None]:
        """Turn what goes wrong while `part` is read into an `InputError` that names the file."""
        try:
            yield
        except _WrongKindError as error:
            raise InputError(f"{self.path}: {error}") from error.__cause__
        except DAMAGE as error:
            raise InputError(f"{self.path}: {part}: {_reason(error)}; {REMEDY}") from error

    def _open(self) -> zipfile.ZipFile:
        try:
            with open(self.path, "rb") as stream:
                start = stream.read(len(MAGIC))
        except OSError as error:
            raise _WrongKindError(f"cannot be opened: {error.strerror}") from error
        if start != MAGIC:
            raise _WrongKindError(f"not a warptrace: it begins with {start!r}, expected {MAGIC!r}")
        return zipfile.ZipFile(self.path)

    def _read_manifest(self) -> Manifest:
        data = self._stored(MANIFEST, (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))
        heading = Heading.model_validate_json(data)
        if heading.version != VERSION:
            raise _WrongKindError(
                f"a warptrace of version {heading.version}, expected {VERSION}: "
                "use the warpwise release that wrote it, or record it again with this one"
            )
        manifest = Manifest.model_validate_json(data)
        if manifest.content.hash() != manifest.hash:
            raise InputError(f"the content has hash {manifest.content.hash()}, not {manifest.hash}")
        return manifest

    def _check_members(self) -> None:
        found, expected = set(self._archive.namelist()), self.manifest.members()
        if found != expected:
            difference = ", ".join(sorted(found ^ expected)[:3])
            raise InputError(
                f"{len(found)} members found, expected {len(expected)} (differing: {difference})"
            )

    def _stored(self, name: str, methods: tuple[int, ...] = (zipfile.ZIP_STORED,)) -> bytes:
        try:
            info = self._archive.getinfo(name)
        except KeyError:
            raise InputError("it is missing") from None
        if (
            info.compress_type not in methods
            or info.compress_size > self._size
            or info.file_size > (MANIFEST_LIMIT if name == MANIFEST else MEMBER_LIMIT)
        ):
            raise InputError(
                f"{info.compress_size} bytes by method {info.compress_type} announced for "
                f"{info.file_size}, expected method {methods[-1]} in a file of {self._size}"
            )
        with self._archive.open(info) as stream:
            return stream.read(info.file_size)


def _read_program(file: _File, name: str, digest: str) -> Program:
    with file.explained(name):
        binary = Binary.model_validate_json(file.member(name, digest))
        return replace(binary.program, instructions=tuple(_decode(binary)))


def _decode(binary: Binary) -> Iterator[Instruction]:
    code = binary.code
    columns = code.text, code.control, code.encoding, code.access
    for index, (text, control, encoding, access) in enumerate(zip(*columns, strict=True)):
        bits = None if encoding is None else int(encoding, 16)
        own = bits if control is None else control << control_bits.FIRST_BIT
        if own is None:
            raise InputError(f"instruction {index} has neither control bits nor an encoding")
        instruction = parse_instruction(
            text,
            index * INSTRUCTION_BYTES,
            binary.program.arch,
            control_bits.decode(own),
            bits,
            binary.labels,
        )
        if instruction.access != access:
            raise _WrongKindError(
                f"{text} has access {access} in the file, but this release decodes it "
                f"with {instruction.access:d}: record the trace again"
            )
        yield instruction


def _open_kernel(file: _File, k: int, programs: list[Program]) -> Kernel:
    launch = file.manifest.content.kernels[k]
    with file.explained(f"kernel {k}"):
        if launch.program >= len(programs):
            raise InputError(f"program {launch.program} named, {len(programs)} found")
        reader = _Reader(file, k, programs[launch.program])
        kernel = Kernel(
            program=programs[launch.program],
            grid=launch.grid,
            block=launch.block,
            load_cta=reader.load_cta,
            launch=launch.launch,
            registers=launch.registers,
            shared_bytes=launch.shared_bytes,
            warm=frozenset(launch.warm),
            hash=file.manifest.hash,
            clock_reads=launch.clock_reads,
            copies=tuple(starmap(Copy, launch.copies)),
        )
        if reader.n_ctas != kernel.n_ctas:
            raise InputError(f"{reader.n_ctas} CTAs found, expected {kernel.n_ctas}")
    return kernel


class _Reader:
    """Gives the CTAs of one kernel, reading no block but theirs."""

    def __init__(self, file: _File, k: int, program: Program) -> None:
        launch = file.manifest.content.kernels[k]
        self._file, self._k = file, k
        self._blocks = launch.blocks
        self._first = list(itertools.accumulate((b.ctas for b in launch.blocks), initial=0))
        self._layout = Layout.of(program, -(-math.prod(launch.block) // WARP_SIZE))
        self._paths: WeakValueDictionary[bytes, Path] = WeakValueDictionary()

    @property
    def n_ctas(self) -> int:
        return self._first[-1]

    def load_cta(self, number: int) -> Cta:
        if not 0 <= number < self.n_ctas:
            raise IndexError(f"CTA {number} of {self.n_ctas}")
        b = bisect.bisect_right(self._first, number) - 1
        with self._file.explained(_block_name(self._k, b)):
            return self._block(b).cta(number - self._first[b], number)

    def _block(self, b: int) -> Block:
        kept, name, entry = self._file.kept, _block_name(self._k, b), self._blocks[b]
        if name not in kept:
            columns = unpack(self._file.member(name, entry.sha256))
            kept[name] = Block(columns, self._layout, entry.ctas, self._paths)
        kept.move_to_end(name)
        if len(kept) > BLOCKS_KEPT:
            kept.popitem(last=False)
        return kept[name]


# Both directions


def _program_name(number: int) -> str:
    return f"program-{number}.json.zst"


def _block_name(kernel: int, block: int) -> str:
    return f"kernel-{kernel}/block-{block}.zst"


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _reason(error: Exception) -> str:
    if isinstance(error, ValidationError):
        problem = error.errors()[0]
        return f"{'.'.join(map(str, problem['loc'])) or 'JSON'}: {problem['msg']}"
    return str(error).rstrip(".")
