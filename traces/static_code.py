"""The static instructions of a file's programs as columns of numbers, and back.

A text is a template, which says all that the encoding does not; nearly always it is that of the
last instruction with the same opcode.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..isa import control_bits
from ..isa.errors import InputError
from ..isa.program import INSTRUCTION_BYTES, Instruction, Program
from ..isa.sass import parse_instruction
from . import code_model
from .code_model import ENCODING_BYTES, NO_OPCODE
from .entropy import Coder
from .templates import OPCODE, template_of, write

COUNT_LIMIT: Final = 1 << 24  # entries that a column may have


# Choices: that of the last instruction with this opcode, the next one not used yet, or, from OLD
# on, number `choice - OLD`.
SAME, NEW, OLD = range(3)
BARE, OWN_CONTROL = 1, 2  # flags: it has no encoding; its control bits are not those of that


class Columns(NamedTuple):
    """All static code of a file."""

    flags: NDArray[np.int64]  # per instruction
    choices: NDArray[np.int64]  # per instruction: its template
    encodings: NDArray[np.uint8]  # (instructions that are not bare, 16)
    control: NDArray[np.int64]  # of the instructions that have their own
    templates: NDArray[np.uint8]  # in UTF-8, each ends with a line break

    @property
    def opcodes(self) -> NDArray[np.int64]:
        """Of each instruction."""
        found = np.full(len(self.flags), NO_OPCODE)
        first, second = self.encodings.T[:2].astype(np.int64)
        found[self.flags & BARE == 0] = (second << 8 | first) & OPCODE
        return found

    @classmethod
    def coded(cls, coder: Coder, columns: Columns | None = None) -> Columns:
        """Code these, or decode some. Raises InputError."""
        sizes = np.array([len(columns.flags), len(columns.templates)] if columns else [0, 0])
        code_model.code_numbers(coder, sizes)
        check_counts(sizes)
        flags = columns.flags if columns else np.zeros(sizes[0], np.int64)
        code_model.code_numbers(coder, flags)
        columns = columns or cls(
            flags=flags,
            choices=np.zeros(len(flags), np.int64),
            encodings=np.zeros(((flags & BARE == 0).sum(), ENCODING_BYTES), np.uint8),
            control=np.zeros((flags & OWN_CONTROL != 0).sum(), np.int64),
            templates=np.zeros(sizes[1], np.uint8),
        )
        code_model.code_numbers(coder, columns.control)
        code_model.code_encodings(coder, columns.encodings)
        code_model.code_choices(coder, columns.opcodes, columns.choices)
        code_model.code_text(coder, columns.templates)
        return columns


def check_counts(counts: NDArray[np.int64]) -> None:
    """Raise for columns that cannot have so many entries."""
    if not 0 <= counts.min() <= counts.max() <= COUNT_LIMIT:
        found = counts.tolist()
        raise InputError(f"columns of {found} entries found, expected at most {COUNT_LIMIT}")


class CodeWriter:
    """Takes programs one after the other."""

    def __init__(self) -> None:
        self._templates: list[str] = []
        self._used: dict[int, list[int]] = {}  # by opcode: numbers of templates, the last one first
        self._encodings: list[bytes] = []
        self._choices: list[int] = []
        self._flags: list[int] = []
        self._control: list[int] = []

    def add(self, program: Program, labels: Mapping[str, int]) -> None:
        """Append a program's code; raise if it would not be read as the same."""
        for index, inst in enumerate(program.instructions):
            own = _own_control(inst)
            self._add_bits(inst.encoding, own)
            text = self._add_text(inst.text, inst.encoding, index * INSTRUCTION_BYTES)
            found = _instruction(index, text, inst.encoding, own, program.arch, labels)
            if found != inst:
                raise InputError(f"{program.name}: stored as text, {inst} would become {found}")

    def columns(self) -> Columns:
        """All code so far."""
        text = "".join(f"{template}\n" for template in self._templates)
        encodings = np.frombuffer(b"".join(self._encodings), np.uint8)
        return Columns(
            flags=np.array(self._flags, np.int64),
            choices=np.array(self._choices, np.int64),
            encodings=encodings.reshape(-1, ENCODING_BYTES).copy(),
            control=np.array(self._control, np.int64),
            templates=np.frombuffer(text.encode(), np.uint8).copy(),
        )

    def _add_bits(self, encoding: int | None, own_control: int | None) -> None:
        self._flags.append(BARE * (encoding is None) + OWN_CONTROL * (own_control is not None))
        if encoding is not None:
            self._encodings.append(encoding.to_bytes(ENCODING_BYTES, "little"))
        if own_control is not None:
            self._control.append(own_control)

    def _add_text(self, text: str, encoding: int | None, pc: int) -> str:
        """Choose a template; returns what it will be read as."""
        used = self._used.setdefault(_opcode(encoding), [])
        fitting = (n for n in used if _text(self._templates[n], encoding, pc) == text)
        number = next(fitting, None)
        if number is None:
            choice, number = NEW, len(self._templates)
            self._templates.append(text if encoding is None else template_of(text, encoding, pc))
        else:
            choice = SAME if number == used[0] else OLD + number
            used.remove(number)
        used.insert(0, number)
        self._choices.append(choice)
        return _text(self._templates[number], encoding, pc)


class CodeReader:
    """Gives programs in the order in which they were added."""

    def __init__(self, columns: Columns) -> None:
        self._choices = columns.choices.tolist()
        self._flags = columns.flags.tolist()
        self._encodings = map(bytes, columns.encodings)
        self._control = iter(columns.control.tolist())
        self._templates = columns.templates.tobytes().decode().split("\n")[:-1]
        self._last: dict[int, int] = {}  # by opcode: number of the template
        self._new = self._next = 0  # of templates and of instructions

    @property
    def left(self) -> int:
        """How many instructions have not been read."""
        return len(self._choices) - self._next

    def program(self, size: int, arch: str, labels: Mapping[str, int]) -> tuple[Instruction, ...]:
        """The next `size` instructions. Raises InputError."""
        return tuple(self._read(index, arch, labels) for index in range(size))

    def _read(self, index: int, arch: str, labels: Mapping[str, int]) -> Instruction:
        if self._next >= len(self._choices):
            raise InputError(f"code of {len(self._choices)} instructions found, expected more")
        number, self._next = self._next, self._next + 1
        bare, has_own = self._flags[number] & BARE, self._flags[number] & OWN_CONTROL
        encoding = None if bare else int.from_bytes(next(self._encodings), "little")
        own = next(self._control) if has_own else None
        if encoding is None and own is None:
            raise InputError(f"instruction {number} has neither control bits nor an encoding")
        template = self._template(self._choices[number], _opcode(encoding))
        text = _text(template, encoding, index * INSTRUCTION_BYTES)
        return _instruction(index, text, encoding, own, arch, labels)

    def _template(self, choice: int, opcode: int) -> str:
        number = self._last.get(opcode, -1) if choice == SAME else choice - OLD
        if choice == NEW:
            number, self._new = self._new, self._new + 1
        if not 0 <= number < len(self._templates):
            raise InputError(f"template {number} named, {len(self._templates)} found")
        self._last[opcode] = number
        return self._templates[number]


def access_digest(instructions: Iterable[Instruction]) -> int:
    """CRC-32 of what kind of address each instruction has, on which the rows of warps depend."""
    return zlib.crc32(bytes(inst.access for inst in instructions))


def _opcode(encoding: int | None) -> int:
    return -1 if encoding is None else encoding & OPCODE


def _text(template: str, encoding: int | None, pc: int) -> str:
    return template if encoding is None else write(template, encoding, pc)


def _own_control(inst: Instruction) -> int | None:
    """The control bits of an instruction, unless its encoding has the same."""
    if inst.encoding is not None and control_bits.decode(inst.encoding) == inst.control:
        return None
    return control_bits.encode(inst.control) >> control_bits.FIRST_BIT


def _instruction(
    index: int,
    text: str,
    encoding: int | None,
    own_control: int | None,
    arch: str,
    labels: Mapping[str, int],
) -> Instruction:
    bits = encoding if own_control is None else own_control << control_bits.FIRST_BIT
    assert bits is not None
    control = control_bits.decode(bits)
    return parse_instruction(text, index * INSTRUCTION_BYTES, arch, control, encoding, labels)
