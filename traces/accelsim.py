"""Accel-Sim's traces: `kernelslist.g` and its `.traceg` files, tracer versions 1 to 5.

Text without control bits, predicates, uniform registers and constants. A cubin of the same program
restores them; without it the simulator keeps dependent instructions apart with scoreboards. CTAs
are read from the file when they are asked for. Nothing in a file is trusted: an error names file
and line.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path as FilePath
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..isa import cubin as binaries
from ..isa.errors import InputError
from ..isa.program import INSTRUCTION_BYTES, Access, Instruction, Program
from . import accelsim_code
from .columns import fingerprint
from .kernel import WARP_SIZE, Accesses, Cta, Kernel, Path, Trace, Warp
from .lines import COMPRESSIONS, Lines

LIST: Final = ".g"
KERNEL: Final = ".traceg"
CODE_LIMIT: Final = 1 << 24  # bytes of a kernel's code
ARCHS: Final = (75, 80, 86, 89, 90, 120)

# Everything of an instruction line that does not change from one execution to the next.
STATIC: Final = re.compile(r"([01])( R\d{1,3})? ([A-Z][\w.]*) (\d)((?: R\d{1,3})*) (\d+)(?: |$)")
_64_BITS: Final = (1 << 64) - 1
NOWHERE: Final = np.zeros(WARP_SIZE, np.int64)
DIMENSIONS: Final = re.compile(r"\((\d{1,10}),(\d{1,10}),(\d{1,10})\)")


def is_accelsim(path: FilePath) -> bool:
    """Whether a file's name is that of a list or of one of its kernels."""
    name = path.with_suffix("").name if path.suffix in COMPRESSIONS else path.name
    return name.endswith((LIST, KERNEL))


def read(
    path: FilePath,
    cubin: FilePath | None = None,
    wanted: Callable[[str], bool] = lambda name: True,
) -> Trace:
    """The kernels of a list, or the one of a `.traceg`, with the code of `cubin` if it is given.

    Of a kernel whose name is not `wanted`, only the header is read.
    """
    programs = binaries.load(cubin) if cubin else None
    files = _listed(path) if path.name.endswith(LIST) else [path]
    kernels = [
        _kernel(file, number, programs)
        for number, file in enumerate(files)
        if wanted(_Header(Lines(file)).name)
    ]
    digest = hashlib.sha256("".join(k.hash for k in kernels).encode()).hexdigest()
    return Trace(
        tuple(replace(k, hash=digest) for k in kernels), str(path), producer="Accel-Sim tracer"
    )


def _listed(path: FilePath) -> list[FilePath]:
    """The kernel files of a list; memory copies and other lines say nothing to the simulator."""
    lines = Lines(path)
    names = [line for line in lines if line.startswith("kernel")]
    for name in names:
        if FilePath(name).name != name:
            raise InputError(f"{path}: {name!r} found, expected a file in the same folder")
    if not names:
        raise InputError(f"{path}: no kernel found, expected a line such as kernel-1.traceg")
    return [path.parent / name for name in names]


def _kernel(path: FilePath, number: int, programs: dict[str, Program] | None) -> Kernel:
    """Read the file once, for its code and its errors; the CTAs follow when they are needed."""
    header = _Header(Lines(path))
    program = None
    if programs is not None:
        if header.name not in programs:
            there = ", ".join(sorted(programs))
            raise InputError(f"{path}: kernel {header.name} is not in the cubin, which has {there}")
        program = programs[header.name]
    code = _Code(header, program)
    found = sum(1 for _ in _ctas(path, code))
    if found != math.prod(header.grid):
        raise InputError(f"{path}: {found} CTAs found, expected {math.prod(header.grid)}")
    code = _Code(header, code.program())
    with open(path, "rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return Kernel(
        code.program(),
        header.grid,
        header.block,
        _Ctas(path, code).load,
        launch=number,
        registers=header.number("nregs"),
        shared_bytes=header.number("shmem"),
        hash=digest,
    )


class _Header:
    """The lines in front of the CTAs: the launch, and which fields an instruction line has."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self._values = dict(self._pairs())
        self.name = self._values.get("kernel name", "")
        self.grid, self.block = self._shape("grid dim"), self._shape("block dim")
        self.warps = -(-math.prod(self.block) // WARP_SIZE)
        self.arch = self._arch()
        self.version = self.number("accelsim tracer version")
        if not 1 <= self.version <= 5:
            lines.fail(f"tracer version {self.version} found, expected 1 to 5")
        numbered = self.version >= 4 and self.number("enable lineinfo", 0) == 1
        # Fields before the PC: CTA and warp, or the line in the source.
        self.leading = 4 if self.version < 3 else int(numbered)

    def _pairs(self) -> Iterator[tuple[str, str]]:
        for line in self._lines:
            if line.startswith("#traces format"):
                return
            key, equals, value = line.partition(" = ")
            if not key.startswith("-") or not equals:
                self._lines.fail(f"{line!r} found, expected a line such as `-nregs = 10`")
            yield key[1:], value
        self._lines.fail("the file ends in its header, expected `#traces format = ...`")

    def number(self, key: str, default: int | None = None) -> int:
        """A number of the header. Raises InputError if it is missing and has no default."""
        text = self._values.get(key, "nothing" if default is None else str(default))
        if not re.fullmatch(r"\d{1,9}", text):
            self._lines.fail(f"{text!r} found as `-{key}` in the header, expected a number")
        return int(text)

    def _shape(self, key: str) -> tuple[int, int, int]:
        found = DIMENSIONS.fullmatch(self._values.get(key, ""))
        x, y, z = map(int, found.groups()) if found else (0, 0, 0)
        if min(x, y, z) == 0 or max(x, y, z) >= 1 << 31:
            text = self._values.get(key, "nothing")
            self._lines.fail(f"{text!r} found as `-{key}` in the header, expected (x,y,z)")
        return x, y, z

    def _arch(self) -> str:
        version = self.number("binary version")
        if version not in ARCHS:
            known = ", ".join(map(str, ARCHS))
            self._lines.fail(f"binary version {version} found, expected one of {known}")
        return f"sm_{version}"


@dataclass(slots=True)
class _Step:
    """One instruction line."""

    pc: int
    mask: int
    static: str
    rest: str  # how addresses are given, they, and perhaps an immediate

    @property
    def index(self) -> int:
        return self.pc // INSTRUCTION_BYTES


def _step(line: str, header: _Header, lines: Lines) -> _Step:
    fields = line.split(" ", header.leading + 2)
    if len(fields) != header.leading + 3:
        lines.fail(f"{line!r} found, expected PC, mask, registers and opcode")
    pc, mask, rest = fields[header.leading :]
    found = STATIC.match(rest)
    if not found or (found[1] == "1") != bool(found[2]) or len(found[5].split()) != int(found[4]):
        lines.fail(f"{rest!r} found, expected `count [Rd] opcode count [Rs ...] width ...`")
    try:
        step = _Step(int(pc, 16), int(mask, 16), found[0].rstrip(), rest[found.end() :])
    except ValueError:
        lines.fail(f"{pc!r} and {mask!r} found, expected PC and mask in hexadecimal")
    if not 0 <= step.mask < 1 << WARP_SIZE:
        lines.fail(f"mask {mask!r} found, expected at most 8 hexadecimal digits")
    if step.pc % INSTRUCTION_BYTES or not 0 <= step.pc < CODE_LIMIT:
        lines.fail(f"PC {pc!r} found, expected a multiple of 16 below {CODE_LIMIT:#x}")
    return step


@cache
def _fields(static: str) -> tuple[str, str, list[str], int]:
    """Result, opcode, sources, and bytes a lane."""
    found = STATIC.match(static)
    assert found
    return (found[2] or "").strip(), found[3], found[5].split(), int(found[6])


def _addresses(step: _Step, lines: Lines) -> NDArray[np.int64]:
    """Addresses of all lanes, zero where a lane does not execute; shape (32,)."""
    lanes = [lane for lane in range(WARP_SIZE) if step.mask >> lane & 1]
    row = np.zeros(WARP_SIZE, np.int64)
    try:
        values = _listed_addresses(step.rest.split(), len(lanes))
        row[lanes] = np.array([v & _64_BITS for v in values], np.uint64).view(np.int64)
    except (ValueError, IndexError):
        lines.fail(
            f"{step.rest!r} found, expected 0, 1 or 2 and addresses for {len(lanes)} lanes, "
            "in hexadecimal with 0x, as 64-bit numbers"
        )
    return row


def _listed_addresses(fields: list[str], lanes: int) -> list[int]:
    """Mode 0: all of them. 1: first and stride. 2: first and differences."""
    mode, *numbers = fields
    if mode == "0":
        values = [_address(number) for number in numbers[:lanes]]
    elif mode == "1":
        base, stride = _address(numbers[0]), int(numbers[1])
        return [base + k * stride for k in range(lanes)]
    elif mode == "2":
        values = [_address(numbers[0])] if lanes else []
        for delta in numbers[1:lanes]:
            values.append(values[-1] + int(delta))
    else:
        raise ValueError(mode)
    if len(values) != lanes:
        raise IndexError
    return values


def _address(text: str) -> int:
    value = int(text, 16)
    if not 0 <= value <= _64_BITS:
        raise ValueError(text)
    return value


class _Code:
    """The static instructions that lines name: those of a program, or made up from the lines."""

    def __init__(self, header: _Header, program: Program | None) -> None:
        self.header, self._program = header, program
        self._known: dict[tuple[int, str], Instruction] = {}
        self._made: dict[int, Instruction] = {}
        code = program.instructions if program else ()
        self.copies = any(inst.access == Access.ASYNC_COPY for inst in code)

    def instruction(self, step: _Step, lines: Lines) -> Instruction:
        """The instruction of a line. Raises InputError if its PC has another."""
        key = step.pc, step.static
        if key not in self._known:
            inst = self._compare(step, lines) if self._program else self._make(step, lines)
            self._known[key] = inst
            self.copies |= inst.access == Access.ASYNC_COPY
        return self._known[key]

    def _compare(self, step: _Step, lines: Lines) -> Instruction:
        assert self._program
        code, name = self._program.instructions, _fields(step.static)[1]
        if step.index >= len(code) or code[step.index].name != name:
            there = repr(code[step.index].text) if step.index < len(code) else "no instruction"
            lines.fail(f"{name} at PC {step.pc:#x} found, where the program has {there}")
        return code[step.index]

    def _make(self, step: _Step, lines: Lines) -> Instruction:
        dest, name, sources, _ = _fields(step.static)
        if step.index in self._made:
            lines.fail(
                f"{name} at PC {step.pc:#x} found, where {self._made[step.index].name} was before: "
                "the code of several functions, which the lines do not tell apart"
            )
        last = step.rest.split()[-1:]
        immediate = int(last[0]) if last and last[0].isdecimal() else 0
        try:
            made = accelsim_code.from_line(
                name, dest, sources, step.pc, immediate, self.header.arch
            )
        except InputError as error:
            lines.fail(str(error))
        self._made[step.index] = made
        return made

    def program(self) -> Program:
        """All that was met; places in between are filled with NOP, which is only fetched."""
        if self._program:
            return self._program
        places = range(max(self._made, default=-1) + 1)
        code = (self._made.get(place) or self._nop(place) for place in places)
        return Program(self.header.name, self.header.arch, tuple(code), control_bits=False)

    def _nop(self, place: int) -> Instruction:
        pc = place * INSTRUCTION_BYTES
        return accelsim_code.from_line("NOP", "", [], pc, 0, self.header.arch)


# The CTAs of a file


class _Ctas:
    """Gives CTAs in any order; in the order of the file, it is read once."""

    def __init__(self, path: FilePath, code: _Code) -> None:
        self._path, self._code = path, code
        self._next = 0
        self._rest: Iterator[list[Warp]] = iter(())
        self._paths: dict[bytes, Path] = {}  # warps that do the same share one

    def load(self, number: int) -> Cta:
        """CTA `number`, counted in the order of the file."""
        if number < self._next or self._next == 0:
            self._next, self._rest = 0, _ctas(self._path, self._code)
        warps: list[Warp] = []
        while self._next <= number:
            warps = next(self._rest)
            self._next += 1
        return Cta(number, tuple(self._shared(warp) for warp in warps))

    def _shared(self, warp: Warp) -> Warp:
        path = self._paths.setdefault(fingerprint(warp.path), warp.path)
        return Warp(path, warp.accesses)


def _ctas(path: FilePath, code: _Code) -> Iterator[list[Warp]]:
    """The warps of one CTA after another."""
    lines = Lines(path)
    header = _Header(lines)
    for line in lines:
        if line != "#BEGIN_TB":
            lines.fail(f"{line!r} found, expected #BEGIN_TB")
        if not lines.take().startswith("thread block = "):
            lines.fail("no line such as `thread block = 0,0,0` found behind #BEGIN_TB")
        warps: list[Warp] = []
        while (line := lines.take()) != "#END_TB":
            if line != f"warp = {len(warps)}":
                lines.fail(f"{line!r} found, expected `warp = {len(warps)}` or #END_TB")
            warps.append(_warp(lines, header, code))
        if len(warps) != header.warps:
            lines.fail(f"{len(warps)} warps found, expected {header.warps}")
        yield warps


@dataclass
class _Rows:
    """A warp while its lines are read."""

    pcs: list[int] = field(default_factory=list)
    masks: list[int] = field(default_factory=list)
    addresses: list[NDArray[np.int64]] = field(default_factory=list)
    shared: list[NDArray[np.int64]] = field(default_factory=list)

    def warp(self, copies: bool) -> Warp:
        mask = np.array(self.masks, np.uint32)
        path = Path(np.array(self.pcs, np.uint32), mask, mask)
        shared = self.shared if copies else []
        return Warp(path, Accesses(_stacked(self.addresses), _stacked(shared)))


def _stacked(rows: list[NDArray[np.int64]]) -> NDArray[np.int64]:
    return np.array(rows, np.int64).reshape(-1, WARP_SIZE)


def _warp(lines: Lines, header: _Header, code: _Code) -> Warp:
    counted = re.fullmatch(r"insts = (\d{1,12})", lines.take())
    if not counted or int(counted[1]) == 0:
        lines.fail("no line such as `insts = 16` found, with at least one instruction")
    rows = _Rows()
    left = int(counted[1])
    while left:
        step = _step(lines.take(), header, lines)
        left -= 1
        inst = code.instruction(step, lines)
        rows.pcs.append(step.index)
        rows.masks.append(step.mask)
        if inst.access == Access.NONE:
            continue
        shared = NOWHERE
        if inst.access == Access.ASYNC_COPY and header.version >= 4:
            shared = _addresses(step, lines)
            step = _second_line(step, left, lines, header)
            left -= 1
        rows.shared.append(shared)
        has_addresses = _fields(step.static)[3] > 0
        rows.addresses.append(_addresses(step, lines) if has_addresses else _constant(inst, step))
    return rows.warp(code.copies)


def _constant(inst: Instruction, step: _Step) -> NDArray[np.int64]:
    """LDC has no addresses in the line; what its operand says must do."""
    offset = inst.constant[1] if inst.constant else 0
    return np.where(step.mask >> np.arange(WARP_SIZE) & 1, np.int64(offset), 0)


def _second_line(first: _Step, left: int, lines: Lines, header: _Header) -> _Step:
    """LDGSTS has two lines: where it writes in shared memory, then where it reads."""
    step = _step(lines.take(), header, lines) if left else first
    if step is first or (step.pc, step.mask) != (first.pc, first.mask):
        lines.fail("one line of an LDGSTS found, expected two with the same PC and mask")
    return step
