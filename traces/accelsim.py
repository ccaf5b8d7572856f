"""Accel-Sim's traces: `kernelslist.g` and its `.traceg` files, tracer versions 1 to 5.

Text without control bits, predicates, uniform registers and constants. A cubin of the same program
restores them; without it the simulator keeps dependent instructions apart with scoreboards, and
predicates are guessed (`accelsim_code`). CTAs are read from the file when they are asked for.
Nothing in a file is trusted: an error names file and line.
"""

from __future__ import annotations

import hashlib
import math
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path as FilePath
from typing import Final
from weakref import WeakValueDictionary

import numpy as np

from ..isa import cubin as binaries
from ..isa.errors import InputError
from ..isa.program import INSTRUCTION_BYTES, Access, Instruction, Program
from . import accelsim_code
from .addresses import DELTAS, LIST_ALL, STRIDE, Rows, lanes_in_block
from .blocks import ROW_LIMIT, fingerprint
from .copies import Copy, Pending, carried, from_line, to_line
from .kernel import WARP_SIZE, Accesses, Cta, Kernel, Path, SharedWindow, Trace, Warp
from .lines import COMPRESSIONS, Lines

LIST: Final = ".g"
KERNEL: Final = ".traceg"
PLACES: Final = 1 << 20  # instructions of a kernel's code, with the holes in it
FUNCTIONS: Final = 1 << 10  # that may share a PC
HEADER_LINES: Final = 100
THREADS: Final = 1024  # of a CTA
STEPS: Final = 1 << 26  # instructions that one CTA may execute
# The tables that a binary version is read with.
ARCHS: Final = {60: 75, 61: 75, 62: 75, 70: 75, 72: 75, 87: 86} | {
    version: version for version in (75, 80, 86, 89, 90, 100, 120)
}
FIRST_WIDE: Final = 70  # from this version on, instructions take 16 bytes, before it 8

# Everything of an instruction line that does not change from one execution to the next.
STATIC: Final = re.compile(
    r"([01])( R\d{1,3})? ([A-Z][\w.]*) (\d)((?: R\d{1,3})*) (\d{1,4})(?: |$)"
)
FILE: Final = re.compile(r"kernel[\w.+-]{0,200}", re.ASCII)
HEX: Final = re.compile(r"[0-9a-fA-F]{1,8}")
ADDRESSES: Final = re.compile(
    r"(?:0(?: 0x[0-9a-fA-F]{1,16}){0,32}|[12] 0x[0-9a-fA-F]{1,16})(?: -?\d{1,20}){0,33}"
)
PARSED_KEPT: Final = 1 << 13  # texts of addresses; warps and CTAs repeat those in shared memory
PLACE: Final = re.compile(r"thread block = (\d{1,10}),(\d{1,10}),(\d{1,10})")
DIMENSIONS: Final = re.compile(r"\((\d{1,10}),(\d{1,10}),(\d{1,10})\)")


def is_accelsim(path: FilePath) -> bool:
    """Whether a file's name is that of a list or of one of its kernels."""
    name = path.with_suffix("").name if path.suffix in COMPRESSIONS else path.name
    return name.endswith((LIST, KERNEL))


def read(
    path: FilePath,
    cubin: FilePath | None = None,
    wanted: Callable[[int, str], bool] = lambda launch, name: True,
) -> Trace:
    """The kernels of a list, or the one of a `.traceg`, with the code of `cubin` if it is given.

    Of a launch that is not `wanted` by number and name, only the header is read.
    """
    programs = binaries.load(cubin) if cubin else None
    listed = list(_listed(path)) if path.name.endswith(LIST) else [(path, ())]
    launches = carried(
        ((number, file), copies, wanted(number, _name(file)))
        for number, (file, copies) in enumerate(listed)
    )
    kernels = [_kernel(file, number, programs, copies) for (number, file), copies in launches]
    content = "".join(k.hash + "".join(map(to_line, k.copies)) for k in kernels)
    digest = hashlib.sha256(content.encode()).hexdigest()
    return Trace(
        tuple(replace(k, hash=digest) for k in kernels), str(path), producer="Accel-Sim tracer"
    )


def _name(path: FilePath) -> str:
    """Of a file's kernel."""
    with closing(Lines(path)) as lines:
        return _Header(lines).name


def _listed(path: FilePath) -> Iterator[tuple[FilePath, tuple[Copy, ...]]]:
    """The kernel files of a list, with the copies before each; other lines say nothing."""
    pending, found = Pending(), False
    with closing(Lines(path)) as lines:
        for line in lines:
            if line.startswith("kernel"):
                if not FILE.fullmatch(line):
                    lines.fail(f"{line!r} found, expected a file in the same folder")
                yield path.parent / line, pending.take()
                found = True
            elif copy := _copy(line, lines):
                pending.add(copy)
    if not found:
        raise InputError(f"{path}: no kernel found, expected a line such as kernel-1.traceg")


def _copy(line: str, lines: Lines) -> Copy | None:
    try:
        return from_line(line)
    except InputError as error:
        lines.fail(str(error))


def _kernel(
    path: FilePath, number: int, programs: dict[str, Program] | None, copies: tuple[Copy, ...]
) -> Kernel:
    """Read the file once, for its code and its errors; the CTAs follow when they are needed."""
    with closing(Lines(path)) as lines:
        header = _Header(lines)
    program = None
    if programs is not None:
        if header.name not in programs:
            there = ", ".join(sorted(programs))
            raise InputError(f"{path}: kernel {header.name} is not in the cubin, which has {there}")
        program = programs[header.name]
    if header.read_as != header.binary_version:
        warnings.warn(
            f"{path}: code for sm_{header.binary_version} is read as sm_{header.read_as}",
            stacklevel=2,
        )
    code = _Code(header, program)
    found = sum(1 for _ in _ctas(path, code))
    if found != math.prod(header.grid):
        raise InputError(f"{path}: {found} CTAs found, expected {math.prod(header.grid)}")
    code.finish()
    with open(path, "rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return Kernel(
        code.program,
        header.grid,
        header.block,
        _Ctas(path, code).load,
        launch=number,
        registers=header.number("nregs"),
        shared_bytes=header.number("shmem"),
        hash=digest,
        copies=copies,
    )


class _Header:
    """The lines in front of the CTAs: the launch, and which fields an instruction line has."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self._values = dict(self._pairs())
        self.name = self._values.get("kernel name", "")
        self.grid, self.block = self._shape("grid dim"), self._shape("block dim")
        self.warps = -(-math.prod(self.block) // WARP_SIZE)
        if math.prod(self.block) > THREADS:
            lines.fail(f"{math.prod(self.block)} threads a CTA found, expected at most {THREADS}")
        self.binary_version = self.number("binary version")
        self.read_as = self._read_as()
        self.instruction_bytes = 16 if self.binary_version >= FIRST_WIDE else 8
        self.version = self.number("accelsim tracer version")
        if not 1 <= self.version <= 5:
            lines.fail(f"tracer version {self.version} found, expected 1 to 5")
        numbered = self.version >= 4 and self.number("enable lineinfo", 0) == 1
        # Fields before the PC: CTA and warp, or the line in the source.
        self.leading = 4 if self.version < 3 else int(numbered)

    def _pairs(self) -> Iterator[tuple[str, str]]:
        for count, line in enumerate(self._lines):
            if line.startswith("#traces format"):
                return
            if count == HEADER_LINES:
                self._lines.fail(f"over {HEADER_LINES} lines of header found")
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

    @property
    def shared_window(self) -> int:
        """Where generic addresses of shared memory begin; 0: the tracer does not say."""
        text = self._values.get("shmem base_addr", "0x0")
        if not re.fullmatch(r"0x0?[0-9a-fA-F]{1,15}", text):
            self._lines.fail(f"{text!r} found as `-shmem base_addr` in the header, expected 0x...")
        return int(text, 16)

    def _shape(self, key: str) -> tuple[int, int, int]:
        found = DIMENSIONS.fullmatch(self._values.get(key, ""))
        x, y, z = map(int, found.groups()) if found else (0, 0, 0)
        if min(x, y, z) == 0 or max(x, y, z) >= 1 << 31:
            text = self._values.get(key, "nothing")
            self._lines.fail(f"{text!r} found as `-{key}` in the header, expected (x,y,z)")
        return x, y, z

    def _read_as(self) -> int:
        if self.binary_version not in ARCHS:
            known = ", ".join(map(str, sorted(ARCHS)))
            self._lines.fail(f"binary version {self.binary_version} found, expected one of {known}")
        return ARCHS[self.binary_version]


@dataclass(slots=True)
class _Known:
    """What the lines of one static instruction have in common."""

    static: str  # from the number of results to the width
    place: int  # in the code of the function
    variant: int  # of how many functions with code at this PC it is
    index: int  # of the instruction in the program
    inst: Instruction | None  # None while the code is being collected
    access: Access
    name: str
    width: int
    offset: int = 0  # of a constant's address
    immediate: int = 0
    guarded: bool = False  # lanes that were active did not execute it


class _Code:
    """The static instructions that lines name: those of a program, or made up from the lines.

    Lines do not say which function they belong to. Where other code was met at a PC before, a line
    is of another function. Of the code at each PC, the first met, the second met and so on are laid
    out one behind the other once all lines are known; functions that share PCs may interleave.
    """

    def __init__(self, header: _Header, program: Program | None) -> None:
        self.header = header
        self._given = program
        self._known: dict[str, list[_Known]] = {}  # by the text of the PC
        self._by_place: dict[int, list[_Known]] = {}
        self._finished = False
        code = program.instructions if program else ()
        self.copies = any(inst.access == Access.ASYNC_COPY for inst in code)
        if program:
            self.program = program

    def known(self, pc: str, rest: str, lines: Lines) -> _Known:
        """What is known of a line with this PC, and this text behind the mask."""
        for one in self._known.get(pc, ()):
            if rest.startswith(one.static) and rest[len(one.static) :][:1] in ("", " "):
                return one
        return self._add(pc, rest, lines)

    def _add(self, pc: str, rest: str, lines: Lines) -> _Known:
        found = STATIC.match(rest)
        if (
            not found
            or (found[1] == "1") != bool(found[2])
            or len(found[5].split()) != int(found[4])
        ):
            lines.fail(f"{rest!r} found, expected `count [Rd] opcode count [Rs ...] width ...`")
        size = self.header.instruction_bytes
        if not HEX.fullmatch(pc) or int(pc, 16) % size or int(pc, 16) // size >= PLACES:
            lines.fail(f"PC {pc!r} found, expected a multiple of {size} below {PLACES * size:#x}")
        if self._finished:
            lines.fail("another instruction found than when the file was opened: it has changed")
        static, place = found[0].rstrip(), int(pc, 16) // size
        here = self._by_place.setdefault(place, [])
        known = next((one for one in here if one.static == static), None)
        if known is None and len(here) == FUNCTIONS:
            lines.fail(f"code of over {FUNCTIONS} functions found at PC {pc}: too many")
        if known is None:
            known = self._new(static, place, len(here), rest[found.end() :], lines)
            here.append(known)
        self._known.setdefault(pc, []).append(known)
        return known

    def _new(self, static: str, place: int, variant: int, rest: str, lines: Lines) -> _Known:
        found = STATIC.match(static)
        assert found
        name, width = found[3], int(found[6])
        if self._given:
            inst = self._compare(self._given, place, name, lines)
            offset = inst.constant[1] if inst.constant else 0
            return _Known(static, place, variant, place, inst, inst.access, name, width, offset)
        last = rest.split()[-1:]
        immediate = int(last[0]) if last and re.fullmatch(r"\d{1,9}", last[0]) else 0
        known = _Known(
            static, place, variant, place, None, Access.NONE, name, width, immediate=immediate
        )
        try:
            inst = self._made(known)
        except InputError as error:
            lines.fail(str(error))
        known.access = inst.access
        known.offset = inst.constant[1] if inst.constant else 0
        self.copies |= inst.access == Access.ASYNC_COPY
        return known

    def _compare(self, program: Program, place: int, name: str, lines: Lines) -> Instruction:
        code = program.instructions
        if place >= len(code) or code[place].name != name:
            there = repr(code[place].text) if place < len(code) else "no instruction"
            pc = place * self.header.instruction_bytes
            lines.fail(f"{name} at PC {pc:#x} found, where the program has {there}")
        return code[place]

    def _made(self, known: _Known) -> Instruction:
        found = STATIC.match(known.static)
        assert found
        return accelsim_code.from_line(
            found[3],
            (found[2] or "").strip(),
            found[5].split(),
            known.index * INSTRUCTION_BYTES,
            known.immediate,
            f"sm_{self.header.read_as}",
            known.guarded,
        )

    def finish(self) -> None:
        """Lay out the code that was met; holes are filled with NOP, which is only fetched."""
        self._finished = True
        if self._given:
            return
        arch = f"sm_{self.header.read_as}"
        nop = accelsim_code.from_line("NOP", "", [], 0, 0, arch)
        code: list[Instruction] = []
        met = [known for here in self._by_place.values() for known in here]
        for variant in range(max((known.variant for known in met), default=-1) + 1):
            function = [known for known in met if known.variant == variant]
            start = len(code) - (min(known.place for known in function) if variant else 0)
            end = start + max(known.place for known in function) + 1
            if end > PLACES:
                raise InputError(
                    f"{self.header.name}: code of over {PLACES} instructions found, in "
                    f"{variant + 1} functions"
                )
            places = range(len(code), end)
            code += [replace(nop, pc=place * INSTRUCTION_BYTES) for place in places]
            for known in function:
                known.index = start + known.place
                code[known.index] = known.inst = self._made(known)
        self.program = Program(self.header.name, arch, tuple(code), control_bits=False)


# The CTAs of a file


class _Ctas:
    """Gives CTAs in any order; in the order of the file, it is read once."""

    def __init__(self, path: FilePath, code: _Code) -> None:
        self._path, self._code = path, code
        self._next = 0
        self._rest: Iterator[list[Warp]] = iter(())
        self._window = SharedWindow(code.program, code.header.shared_window)
        self._paths: WeakValueDictionary[bytes, Path] = WeakValueDictionary()

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
        """Warps that do the same share a path."""
        path = self._paths.setdefault(fingerprint(warp.path), warp.path)
        addresses = self._window.to_ours(warp.accesses.addresses, path.pcs)
        return Warp(path, Accesses(addresses, warp.accesses.shared))


def _ctas(path: FilePath, code: _Code) -> Iterator[list[Warp]]:
    """The warps of one CTA after another."""
    with closing(Lines(path)) as lines:
        header = _Header(lines)
        for line in lines:
            if line != "#BEGIN_TB":
                lines.fail(f"{line!r} found, expected #BEGIN_TB")
            _check_place(lines.take(), header, lines)
            yield _warps(lines, header, code)


def _warps(lines: Lines, header: _Header, code: _Code) -> list[Warp]:
    """Those of a CTA, to its end."""
    warps: list[Warp] = []
    steps = rows = 0
    while (line := lines.take()) != "#END_TB":
        if line != f"warp = {len(warps)}":
            lines.fail(f"{line!r} found, expected `warp = {len(warps)}` or #END_TB")
        warps.append(_warp(lines, header, code, len(warps)))
        steps += len(warps[-1].path.pcs)
        rows += len(warps[-1].accesses.addresses)
        if steps > STEPS or rows > ROW_LIMIT:
            lines.fail(f"{steps} instructions, {rows} of memory, found in one CTA: too many")
    if len(warps) != header.warps:
        lines.fail(f"{len(warps)} warps found, expected {header.warps}")
    return warps


def _check_place(line: str, header: _Header, lines: Lines) -> None:
    found = PLACE.fullmatch(line)
    if not found:
        lines.fail(f"{line!r} found behind #BEGIN_TB, expected one like `thread block = 0,0,0`")
    place = tuple(map(int, found.groups()))
    if any(at >= extent for at, extent in zip(place, header.grid, strict=True)):
        lines.fail(f"thread block {place} found, outside of the grid {header.grid}")


def _warp(lines: Lines, header: _Header, code: _Code, number: int) -> Warp:
    counted = re.fullmatch(r"insts = (\d{1,12})", lines.take())
    if not counted or int(counted[1]) == 0:
        lines.fail("no line such as `insts = 16` found, with at least one instruction")
    lanes = lanes_in_block(number, math.prod(header.block))
    pcs: list[int] = []
    masks: list[int] = []
    addresses, shared = Rows(), Rows()
    left = int(counted[1])
    place = mask = -1
    while left:
        known, new_mask, rest = _step(lines.take(), header, code, lines)
        left -= 1
        if new_mask & ~lanes:
            lines.fail(f"mask {new_mask:08x} found, where the warp has lanes {lanes:08x}")
        # Straight on, the same lanes are active: where fewer execute, a predicate keeps some back.
        if new_mask == 0 or (known.place == place + 1 and new_mask != mask == new_mask | mask):
            known.guarded = True
        place, mask = known.place, new_mask
        pcs.append(known.index)
        masks.append(mask)
        if known.access == Access.NONE:
            continue
        if known.access == Access.ASYNC_COPY and header.version >= 4:
            _add_row(shared, known, mask, rest, header, lines)
            rest = _second_line(known, mask, left, lines, header, code)
            left -= 1
        else:
            shared.affine(mask, 0, 0)
        _add_row(addresses, known, mask, rest, header, lines)
        if len(pcs) > STEPS or len(addresses) > ROW_LIMIT:
            lines.fail(f"over {len(pcs)} instructions found in one warp: too many")
    executed = np.array(masks, np.uint32)
    path = Path(np.array(pcs, np.uint32), executed, executed)
    rows = shared.array() if code.copies else np.empty((0, WARP_SIZE), np.int64)
    return Warp(path, Accesses(addresses.array(), rows))


def _step(line: str, header: _Header, code: _Code, lines: Lines) -> tuple[_Known, int, str]:
    """The instruction of a line, its mask, and what stands behind the width."""
    fields = line.split(" ", header.leading + 2)
    if len(fields) != header.leading + 3:
        lines.fail(f"{line!r} found, expected PC, mask, registers and opcode")
    if header.leading and not all(map(str.isdecimal, fields[: header.leading])):
        lines.fail(f"{fields[: header.leading]} found in front of the PC, expected numbers")
    pc, mask, rest = fields[-3:]
    known = code.known(pc, rest, lines)
    if not HEX.fullmatch(mask):
        lines.fail(f"mask {mask!r} found, expected at most 8 hexadecimal digits")
    return known, int(mask, 16), rest[len(known.static) + 1 :]


def _add_row(
    rows: Rows, known: _Known, mask: int, rest: str, header: _Header, lines: Lines
) -> None:
    """The addresses of a line. LDC has none; what its operand says must do."""
    if not known.width:
        rows.affine(mask, known.offset if mask else 0, 0)
        return
    try:
        rows.add(mask, *_parsed(rest, mask.bit_count(), header.version >= 4))
    except ValueError:
        lines.fail(
            f"{rest!r} found, expected 0, 1 or 2 and addresses for {mask.bit_count()} lanes, in "
            "hexadecimal with 0x, as 64-bit numbers, and at most an immediate behind them"
        )
    except InputError as error:
        lines.fail(str(error))


@lru_cache(PARSED_KEPT)
def _parsed(text: str, lanes: int, has_immediate: bool) -> tuple[int, int, int, list[int]]:
    """Mode, base, stride and list, as `Rows.add` takes them. Raises ValueError."""
    if not ADDRESSES.fullmatch(text):
        raise ValueError(text)
    fields = text.split(" ")
    mode = int(fields[0])
    in_hex = lanes if mode == LIST_ALL else 1
    end = 1 + in_hex + {LIST_ALL: 0, STRIDE: 1, DELTAS: max(lanes - 1, 0)}[mode]
    if not 0 <= len(fields) - end <= has_immediate or text.count("x") != in_hex:
        raise ValueError(text)
    addresses = [int(field, 16) for field in fields[1 : 1 + in_hex]]
    others = [int(field) for field in fields[1 + in_hex : end]]
    if mode == LIST_ALL:
        return mode, 0, 0, addresses
    return mode, addresses[0], others[0] if mode == STRIDE else 0, others


def _second_line(
    first: _Known, mask: int, left: int, lines: Lines, header: _Header, code: _Code
) -> str:
    """LDGSTS has two lines: where it writes in shared memory, then where it reads."""
    if left:
        second, second_mask, rest = _step(lines.take(), header, code, lines)
        if second is first and second_mask == mask:
            return rest
    lines.fail("one line of an LDGSTS found, expected two with the same PC and mask")
