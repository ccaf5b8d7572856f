"""Texts of instructions without what their encodings say: `FFMA R1, R2, R3, R4` needs no numbers.

A template is a text in which characters from U+0080 on stand for a field of the 128-bit encoding,
written as disassemblers write it. Which field a character stands for is part of the file format.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from typing import Final, TypeAlias

from ..isa.program import INSTRUCTION_BYTES

Field: TypeAlias = Callable[[int, int], str]  # text by encoding and byte offset of the instruction

OPCODE: Final = (1 << 12) - 1  # the bits of an encoding that hold it
NUMBER: Final = re.compile(
    r"(?<![\w.$])(?:U?R(?:\d+|Z)\|?(?:\.reuse)?|U?P[\dT]|B\d+|SB\d|-?0x[0-9a-f]+"
    r"|-?\d+(?:\.\d+)?(?:e[+-]\d+)?)(?![\w.])"
)


def _bits(encoding: int, start: int, width: int) -> int:
    return encoding >> start & (1 << width) - 1


def _signed(encoding: int, start: int, width: int) -> int:
    number = _bits(encoding, start, width)
    return number - (number >> width - 1 << width)


def _register(start: int, width: int = 8, prefix: str = "R", last: str = "Z") -> Field:
    """A register, or the one whose number is all ones."""

    def text(encoding: int, pc: int) -> str:
        number = _bits(encoding, start, width)
        return prefix + (last if number == (1 << width) - 1 else str(number))

    return text


def _source(start: int, reuse: int, behind: str = "") -> Field:
    """A source register, whose reuse bit is at `reuse`."""
    register = _register(start)

    def text(encoding: int, pc: int) -> str:
        return register(encoding, pc) + behind + ".reuse" * _bits(encoding, reuse, 1)

    return text


def _predicate(start: int, prefix: str = "P") -> Field:
    return _register(start, 3, prefix, "T")


def _numbered(prefix: str, start: int, width: int) -> Field:
    return lambda encoding, pc: f"{prefix}{_bits(encoding, start, width)}"


def _hexadecimal(start: int, width: int) -> Field:
    return lambda encoding, pc: f"{_bits(encoding, start, width):#x}"


def _offset(start: int, width: int) -> Field:
    return lambda encoding, pc: f"{_signed(encoding, start, width):#x}"


def _target(encoding: int, pc: int) -> str:
    return f"{pc + INSTRUCTION_BYTES + _signed(encoding, 32, 50):#x}"


def _single(encoding: int, pc: int) -> str:
    (number,) = struct.unpack("<f", struct.pack("<I", _bits(encoding, 32, 32)))
    return f"{number:.20g}"


def _double(encoding: int, pc: int) -> str:
    (number,) = struct.unpack("<d", struct.pack("<Q", _bits(encoding, 32, 32) << 32))
    return f"{number:.20g}"


def _guard(encoding: int, pc: int) -> str:
    """The guard predicate with what is around it; nothing if it is always true."""
    name = _predicate(12)(encoding, pc)
    inverted = "!" * _bits(encoding, 15, 1)
    return "" if inverted + name == "PT" else f"@{inverted}{name} "


FIELDS: Final[tuple[Field, ...]] = (
    _register(16),
    _source(24, 122),
    _source(32, 123),
    _source(64, 124),
    _source(64, 123),
    _source(24, 122, "|"),
    *(_register(start, 6, "UR") for start in (16, 24, 32, 64)),
    *(_predicate(start) for start in (81, 84, 87, 77, 68)),
    *(_predicate(start, "UP") for start in (81, 84, 87, 77, 68)),
    _numbered("B", 16, 4),
    _numbered("SB", 44, 3),
    _hexadecimal(38, 16),  # offset in a constant bank
    _hexadecimal(54, 5),  # constant bank
    _hexadecimal(32, 32),
    _offset(32, 32),
    _offset(40, 24),
    _hexadecimal(72, 8),  # look-up table
    _hexadecimal(75, 5),  # shift
    _hexadecimal(53, 5),
    _hexadecimal(40, 13),
    _target,
    _single,
    _double,
)
FIRST: Final = 0x80
GUARD: Final = chr(FIRST + len(FIELDS))
PLACE: Final = re.compile(f"[{chr(FIRST)}-{GUARD}]")


def write(template: str, encoding: int, pc: int) -> str:
    """The text of an instruction."""

    def text(found: re.Match[str]) -> str:
        field = _guard if found[0] == GUARD else FIELDS[ord(found[0]) - FIRST]
        return field(encoding, pc)

    return PLACE.sub(text, template)


def template_of(text: str, encoding: int, pc: int) -> str:
    """A template that gives `text`; each field stands in it at most once.

    A text that does not follow from it, because it has characters from U+0080 on itself, is for
    the caller to notice.
    """
    guard = _guard(encoding, pc)
    unused = {chr(FIRST + k): field(encoding, pc) for k, field in enumerate(FIELDS)}

    def place(found: re.Match[str]) -> str:
        fitting = next((name for name, field in unused.items() if field == found[0]), None)
        if fitting is None:
            return found[0]
        del unused[fitting]
        return fitting

    if not text.startswith(guard):
        return NUMBER.sub(place, text)
    return GUARD + NUMBER.sub(place, text.removeprefix(guard))
