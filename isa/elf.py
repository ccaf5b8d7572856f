"""Sections, symbols and attributes of a cubin's ELF file, in both flavours (CUDA 12 and 13)."""

from __future__ import annotations

import io
import os
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile

from .errors import InputError
from .program import Parameter, Relocation

ARCHS = ("sm_75", "sm_80", "sm_86", "sm_87", "sm_89", "sm_90", "sm_100", "sm_120")
CUDA_13_OSABI = 0x41
GLOBAL_ALIGNMENT = 256
TEXT = ".text."

# attributes of .nv.info
PARAM_CBANK, FRAME_SIZE, MIN_STACK_SIZE, KPARAM_INFO, REGCOUNT = 0x0A, 0x11, 0x12, 0x17, 0x2F
WITH_PAYLOAD = 4  # format byte of a record whose 16-bit value is the length of what follows


@dataclass(frozen=True)
class Symbol:
    """A named place; `section` is empty where another binary defines it."""

    name: str
    section: str
    value: int
    is_function: bool
    size: int = 0  # bytes
    is_variable: bool = False


@dataclass(frozen=True)
class Variable:
    """A `__device__` or `__constant__` variable: where it lies in the image or in bank 3."""

    offset: int
    size: int
    constant: bool


class Binary:
    """A cubin: sections by name, symbols in file order."""

    def __init__(self, cubin: str | os.PathLike[str] | bytes) -> None:
        self.path = Path("cubin in memory" if isinstance(cubin, bytes) else cubin)
        self.data = cubin if isinstance(cubin, bytes) else _read(self.path)
        elf = _open(self.path, self.data)
        self.arch = _arch(self.path, elf)
        sections = list(elf.iter_sections())
        self._sections = {section.name: section for section in sections}
        self.symbols = _symbols(elf, [section.name for section in sections])
        functions = [n.removeprefix(TEXT) for n in self._sections if n.startswith(TEXT)]
        self.kernels = tuple(n for n in functions if f".nv.constant0.{n}" in self._sections)

    def content(self, section: str) -> bytes:
        """Bytes of a section; none if it is missing."""
        return bytes(self._sections[section].data()) if section in self._sections else b""

    def size(self, section: str) -> int:
        """Bytes that a section takes on the device, zero-filled ones included."""
        return int(self._sections[section]["sh_size"]) if section in self._sections else 0

    def needs_linking(self, kernel: str) -> bool:
        """Whether the kernel's code refers to other sections, so that it cannot run as it is."""
        return any(self.size(f"{kind}{TEXT}{kernel}") for kind in (".rel", ".rela"))

    def functions(self, kernel: str) -> dict[str, int]:
        """Byte offset of each function in a kernel's code."""
        home = TEXT + kernel
        return {s.name: s.value for s in self.symbols if s.is_function and s.section == home}

    def kernel_of(self, function: str) -> str:
        """The kernel whose code holds a function."""
        for symbol in self.symbols:
            if symbol.is_function and symbol.name == function:
                return symbol.section.removeprefix(TEXT)
        return function

    def constants(self, kernel: str) -> dict[int, bytes]:
        """Initial content of the constant banks a kernel sees."""
        names = re.compile(rf"\.nv\.constant(\d+)(?:\.{re.escape(kernel)})?")
        matches = filter(None, map(names.fullmatch, self._sections))
        return {int(match[1]): self.content(match[0]) for match in matches}

    def registers(self, kernel: str) -> int:
        """Registers per thread."""
        return self._of_kernel(REGCOUNT, kernel)

    def local_bytes(self, kernel: str) -> int:
        """Stack per thread as the compiler knows it; recursion and indirect calls are not in it."""
        return max(self._of_kernel(FRAME_SIZE, kernel), self._of_kernel(MIN_STACK_SIZE, kernel))

    def parameters(self, kernel: str) -> tuple[int, tuple[Parameter, ...]]:
        """Parameter base in constant bank 0, and the parameters in order."""
        base = 0
        found: dict[int, Parameter] = {}
        for attribute, payload in _attributes(self.content(f".nv.info.{kernel}")):
            if attribute == PARAM_CBANK:
                _, base, _ = struct.unpack("<IHH", payload)
            elif attribute == KPARAM_INFO:
                _, ordinal, offset, flags = struct.unpack("<IHHI", payload)
                found[ordinal] = Parameter(offset, flags >> 18)
        return base, tuple(found[ordinal] for ordinal in sorted(found))

    def global_image(self) -> bytes:
        """Initial content of the global variables, zero-filled ones last."""
        return self.content(".nv.global.init").ljust(self._zeros_at(), b"\0") + bytes(
            self.size(".nv.global")
        )

    def variables(self) -> dict[str, Variable]:
        """The variables that a host program can read and write, by symbol."""
        starts = {
            ".nv.global.init": (0, False),
            ".nv.global": (self._zeros_at(), False),
            ".nv.constant3": (0, True),
        }
        return {
            s.name: Variable(starts[s.section][0] + s.value, s.size, starts[s.section][1])
            for s in self.symbols
            if s.is_variable and s.section in starts
        }

    def relocations(self) -> tuple[Relocation, ...]:
        """Addresses that constant bank 4 is to hold."""
        return tuple(
            self._relocation(entry.entry)
            for name in (".rel.nv.constant4", ".rela.nv.constant4")
            if name in self._sections
            for entry in self._sections[name].iter_relocations()
        )

    def _relocation(self, entry: Any) -> Relocation:
        symbol = self.symbols[entry["r_info_sym"]]
        start = {".nv.global.init": 0, ".nv.global": self._zeros_at()}.get(symbol.section)
        location = None if start is None else start + symbol.value + entry.get("r_addend", 0)
        return Relocation(entry["r_offset"], symbol.name, location)

    def _zeros_at(self) -> int:
        return -(-self.size(".nv.global.init") // GLOBAL_ALIGNMENT) * GLOBAL_ALIGNMENT

    def _of_kernel(self, wanted: int, kernel: str) -> int:
        """Value of a (symbol, value) attribute of the whole cubin."""
        for attribute, payload in _attributes(self.content(".nv.info")):
            if attribute == wanted:
                symbol, value = struct.unpack("<II", payload)
                if self.symbols[symbol].name == kernel:
                    return int(value)
        return 0


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}.") from None


def _open(path: Path, data: bytes) -> Any:
    try:
        elf = ELFFile(io.BytesIO(data))
    except ELFError:
        raise InputError(f"{path} is not an ELF file, so not a cubin.") from None
    if elf["e_machine"] != "EM_CUDA":
        raise InputError(f"{path} is an ELF file but not a CUDA one (machine {elf['e_machine']}).")
    return elf


def _arch(path: Path, elf: Any) -> str:
    flags = int(elf["e_flags"])
    cuda_13 = elf["e_ident"]["EI_OSABI"] == CUDA_13_OSABI
    arch = f"sm_{flags >> 8 & 255 if cuda_13 else flags & 255}"
    if arch not in ARCHS:
        raise InputError(f"{path} is for {arch}; supported are {', '.join(ARCHS)}.")
    return arch


def _symbols(elf: Any, sections: list[str]) -> list[Symbol]:
    table = elf.get_section_by_name(".symtab")
    return [
        Symbol(
            name=symbol.name,
            section=sections[index] if isinstance(index := symbol["st_shndx"], int) else "",
            value=int(symbol["st_value"]),
            is_function=symbol["st_info"]["type"] == "STT_FUNC",
            size=int(symbol["st_size"]),
            is_variable=symbol["st_info"]["type"] == "STT_OBJECT",
        )
        for symbol in (table.iter_symbols() if table else ())
    ]


def _attributes(info: bytes) -> Iterator[tuple[int, bytes]]:
    """Records of an .nv.info section: attribute number and payload."""
    at = 0
    while at + 4 <= len(info):
        form, attribute, value = struct.unpack_from("<BBH", info, at)
        at += 4
        if form == WITH_PAYLOAD:
            yield attribute, info[at : at + value]
            at += value
