"""Writes Accel-Sim's text traces, version 5 (read by its tools and by `accelsim.py`).

The format has no place for control bits, predicates, uniform registers and constants, for lanes
that are active and do not execute, and for the addresses of LDC.
"""

from __future__ import annotations

import gzip
import lzma
from collections.abc import Iterator
from pathlib import Path as FilePath
from typing import Any, Final

import numpy as np
import zstandard
from numpy.typing import NDArray

from ..isa.errors import InputError
from ..isa.files import whole
from ..isa.program import INSTRUCTION_BYTES, Access
from . import accelsim_code
from .addresses import STRIDE, encode
from .copies import to_line
from .kernel import LOCAL_WINDOW, SHARED_WINDOW, Kernel, Trace, Warp

VERSION: Final = 5
LOSSES: Final = (
    "the text format has no control bits, predicates, uniform registers, constants, parameters, "
    "lanes that are active and do not execute, warm caches, clock reads to report, launch numbers "
    "and addresses of LDC: read it with the program's cubin to have the first five back"
)
FORMAT: Final = (
    "#traces format = [line_num] PC mask dest_num [reg_dests] opcode src_num [reg_srcs] "
    "mem_width [adrrescompress?] [mem_addresses] immediate"
)


def write(trace: Trace, path: FilePath, compression: str = "") -> None:
    """Write `path`, a `kernelslist.g`, last, and beside it one file for each kernel.

    `compression` is empty, `.gz`, `.xz` or `.zst`. Raises InputError if a file cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)  # what is half written does not pass for whole
    for number, kernel in enumerate(trace.kernels, 1):
        name = _file_name(number, compression)
        with whole(path.parent / name) as stream, _compressed(stream, compression) as text:
            for line in lines(kernel, number):
                text.write(f"{line}\n".encode("ascii"))
    with whole(path) as stream:
        for number, kernel in enumerate(trace.kernels, 1):
            stream.write(listed(kernel, number, compression).encode("ascii"))


def listed(kernel: Kernel, number: int, compression: str) -> str:
    """The lines of the list for the launch `number` from 1: the copies before it, its file."""
    lines = *map(to_line, kernel.copies), _file_name(number, compression)
    return "".join(f"{line}\n" for line in lines)


def _file_name(number: int, compression: str) -> str:
    return f"kernel-{number}.traceg{compression}"


def _compressed(stream: Any, compression: str) -> Any:
    match compression:
        case "":
            return _Plain(stream)
        case ".gz":
            return gzip.GzipFile(fileobj=stream, mode="wb", mtime=0)
        case ".xz":
            return lzma.open(stream, "wb")
        case ".zst":
            return zstandard.ZstdCompressor().stream_writer(stream, closefd=False)
    raise InputError(f"compression {compression!r} found, expected .gz, .xz or .zst")


class _Plain:
    """A stream that stays open."""

    def __init__(self, stream: Any) -> None:
        self.write = stream.write

    def __enter__(self) -> _Plain:
        return self

    def __exit__(self, *error: object) -> None:
        pass


def lines(kernel: Kernel, number: int) -> Iterator[str]:
    """The file of one kernel, the launch `number` from 1."""
    yield from _header(kernel, number)
    code = [accelsim_code.to_line(inst) for inst in kernel.program.instructions]
    for cta in map(kernel.load_cta, range(kernel.n_ctas)):
        yield "#BEGIN_TB\n"
        yield f"thread block = {','.join(map(str, kernel.cta_index(cta.number)))}\n"
        for k, warp in enumerate(cta.warps):
            steps = list(_warp(kernel, warp, code))
            yield f"warp = {k}\ninsts = {len(steps)}"
            yield from steps
            yield ""
        yield "#END_TB\n"


def _header(kernel: Kernel, number: int) -> Iterator[str]:
    program = kernel.program
    values = {
        "kernel name": kernel.name,
        "kernel id": number,
        "grid dim": "({},{},{})".format(*kernel.grid),
        "block dim": "({},{},{})".format(*kernel.block),
        "shmem": kernel.shared_bytes,
        "nregs": kernel.registers or program.registers,
        "binary version": program.arch.removeprefix("sm_"),
        "cuda stream id": 0,
        "shmem base_addr": f"{SHARED_WINDOW:#018x}",
        "local mem base_addr": f"{LOCAL_WINDOW:#018x}",
        "nvbit version": "none",
        "accelsim tracer version": VERSION,
        "enable lineinfo": 0,
    }
    yield from (f"-{key} = {value}" for key, value in values.items())
    yield f"\n{FORMAT}\n"


def _warp(kernel: Kernel, warp: Warp, code: list[str]) -> Iterator[str]:
    """The lines of a warp; an LDGSTS has two."""
    row = 0
    for pc, mask in zip(map(int, warp.path.pcs), map(int, warp.path.executed), strict=True):
        inst = kernel.program.instructions[pc]
        start = f"{pc * INSTRUCTION_BYTES:04x} {mask:08x} {code[pc]} "
        end = accelsim_code.immediate(inst)
        if inst.access == Access.ASYNC_COPY:
            yield f"{start}{_addresses(warp.accesses.shared[row], mask)} {end} "
        if accelsim_code.width(inst):
            yield f"{start}{_addresses(warp.accesses.addresses[row], mask)} {end} "
        else:
            yield f"{start}{end} "
        row += inst.access != Access.NONE


def _addresses(row: NDArray[np.int64], mask: int) -> str:
    """Mode 1, base and stride, for a run of lanes at equal distances; else 2, differences."""
    mode, base, stride, deltas = encode(row, mask)
    numbers = [stride] if mode == STRIDE else deltas
    return " ".join([str(mode), f"{base:#x}", *map(str, numbers)])
