"""The static instructions of a file's programs as columns of numbers, and back.

A text is a template, which says all that the encoding does not; nearly always it is that of the
last instruction with the same opcode. The columns are described in `docs/formats.md`.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping
from typing import Final

import numpy as np

from ..isa import control_bits
from ..isa.errors import InputError
from ..isa.program import INSTRUCTION_BYTES, Instruction, Program
from ..isa.sass import parse_instruction
from .address_columns import Columns
from .columns import Form, Types
from .templates import OPCODE, template_of, write

ENCODING_BYTES: Final = 16
TYPES: Final[Types] = {
    "encoding": ("u1", Form.PLAIN),  # 16 bytes of each instruction that is not bare
    "bare": ("<u4", Form.DIFFERENCES),  # instructions without an encoding
    "own_control": ("<u4", Form.DIFFERENCES),  # those whose control bits the encoding does not have
    "control": ("<u4", Form.PLANES),  # their control bits
    "choice": ("<u4", Form.PLANES),  # per instruction: its template
    "template": ("u1", Form.PLAIN),  # templates in UTF-8, each ends with a line break
}
# Choices: that of the last instruction with this opcode, the next one not used yet, or, from OLD
# on, number `choice - OLD`.
SAME, NEW, OLD = range(3)


class CodeWriter:
    """Takes programs one after the other."""

    def __init__(self) -> None:
        self._templates: list[str] = []
        self._used: dict[int, list[int]] = {}  # by opcode: numbers of templates, the last one first
        self._encodings: list[bytes] = []
        self._numbers: dict[str, list[int]] = {
            name: [] for name in ("bare", "own_control", "control", "choice")
        }

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
        return {
            **{name: np.array(numbers, np.uint32) for name, numbers in self._numbers.items()},
            "encoding": np.frombuffer(b"".join(self._encodings), np.uint8),
            "template": np.frombuffer(text.encode(), np.uint8),
        }

    def _add_bits(self, encoding: int | None, own_control: int | None) -> None:
        number = len(self._numbers["choice"])
        if encoding is None:
            self._numbers["bare"].append(number)
        else:
            self._encodings.append(encoding.to_bytes(ENCODING_BYTES, "little"))
        if own_control is not None:
            self._numbers["own_control"].append(number)
            self._numbers["control"].append(own_control)

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
        self._numbers["choice"].append(choice)
        return _text(self._templates[number], encoding, pc)


class CodeReader:
    """Gives programs in the order in which they were added."""

    def __init__(self, columns: Columns) -> None:
        """Raises InputError for columns that contradict each other."""
        self._choices = columns["choice"].tolist()
        self._encodings = self._split_encodings(columns)
        places, own = columns["own_control"].tolist(), columns["control"].tolist()
        if len(places) != len(own):
            raise InputError(f"{len(own)} entries in column control found, expected {len(places)}")
        self._own_control = dict(zip(places, own, strict=True))
        self._templates = columns["template"].tobytes().decode().split("\n")[:-1]
        self._last: dict[int, int] = {}  # by opcode: number of the template
        self._new = self._next = 0  # of templates and of instructions

    @property
    def left(self) -> int:
        """How many instructions have not been read."""
        return len(self._choices) - self._next

    def program(self, size: int, arch: str, labels: Mapping[str, int]) -> tuple[Instruction, ...]:
        """The next `size` instructions. Raises InputError."""
        return tuple(self._read(index, arch, labels) for index in range(size))

    def _split_encodings(self, columns: Columns) -> list[int | None]:
        """Of all instructions."""
        bare, octets = set(columns["bare"].tolist()), columns["encoding"].tobytes()
        if not bare <= set(range(len(self._choices))):
            raise InputError(f"column bare names more than {len(self._choices)} instructions")
        expected = ENCODING_BYTES * (len(self._choices) - len(bare))
        if len(octets) != expected:
            raise InputError(f"{len(octets)} bytes of encodings found, expected {expected}")
        encodings = (
            int.from_bytes(octets[k : k + ENCODING_BYTES], "little")
            for k in range(0, len(octets), ENCODING_BYTES)
        )
        return [None if n in bare else next(encodings) for n in range(len(self._choices))]

    def _read(self, index: int, arch: str, labels: Mapping[str, int]) -> Instruction:
        if self._next >= len(self._choices):
            raise InputError(f"code of {len(self._choices)} instructions found, expected more")
        number, self._next = self._next, self._next + 1
        encoding, own = self._encodings[number], self._own_control.get(number)
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
