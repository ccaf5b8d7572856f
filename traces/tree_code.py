"""The static code of a protobuf trace tree, `enhanced_execution_info.json`: to `Program` and back.

A kernel's program is its function, followed by the functions that no launch names: those it may
call. PCs of a function count from where it begins in the program.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Annotated, Any, Final

from pydantic import BaseModel, Field

from ..isa import control_bits
from ..isa.errors import InputError
from ..isa.program import INSTRUCTION_BYTES, PT, Control, Instruction, Kind, Operand, Program
from ..isa.sass import parse_instruction

VARIANT: Final = re.compile(r"___\d+$")  # tells functions of one name apart
HEX: Final = re.compile(r"0x[0-9a-fA-F]{1,16}")
CALL_TARGET: Final = "CALL_TARGET"
NEVER_WRITE: Final = ["BRA", "BRX", "JMP", "JMX", "BRK", "CAL", "WARPSYNC", "YIELD", "EXIT", "RET"]
NO_DESTINATION: Final = ("MREF", "CBANK", "DESC", "IMM_UINT64", "IMM_DOUBLE", "SR", "BREG", "SB")
COUNTS: Final = [
    f"{prefix}num_{kind}"
    for prefix in ("", "future_max_")
    for kind in ("regular", "uniform", "regular_predicate", "uniform_predicate")
]


class ControlBits(BaseModel):
    """As in the 128-bit encoding, but for the polarity of yield."""

    stall_count: Annotated[int, Field(ge=0, le=15)]
    is_yield: bool
    id_new_write_barrier: Annotated[int, Field(ge=0, le=7)]
    is_new_write_barrier: bool
    id_new_read_barrier: Annotated[int, Field(ge=0, le=7)]
    is_new_read_barrier: bool
    wait_barrier_bits: Annotated[int, Field(ge=0, le=63)]


class StaticOperand(BaseModel):
    """What of an operand is read; the rest follows from its text."""

    operand_string: Annotated[str, Field(max_length=4096)]
    operand_type: str
    operand_reg_number: int


class StaticInstruction(BaseModel):
    """One instruction of a function."""

    pc_string_hex: Annotated[str, Field(pattern="^[0-9a-fA-F]{1,8}$")]
    op_code: Annotated[str, Field(pattern=r"^[A-Z][\w.]{0,200}$")]
    is_predicated: bool
    is_uniform_predicate: bool
    is_predicate_negate: bool
    predicate_register: Annotated[int, Field(ge=0, le=7)]
    encoded_instruction: list[Annotated[str, Field(pattern="^0x[0-9a-fA-F]{1,16}$")]]
    operands: Annotated[list[StaticOperand], Field(max_length=32)]
    control_bits: ControlBits


class Function(BaseModel):
    """A kernel, or a function that kernels call."""

    kernel_name: str
    architecture_version: int
    is_captured_from_binary: bool
    unique_function_id: Annotated[int, Field(ge=1, lt=1 << 31)]
    instructions: list[StaticInstruction]


class StaticCode(BaseModel):
    """The whole file."""

    kernels: list[Function]


def program(functions: list[Function]) -> tuple[Program, dict[int, int]]:
    """The code of the first function and those behind it, and where each begins, by its id.

    Beginnings are numbers of instructions. Raises InputError for code that cannot be read.
    """
    first = functions[0]
    starts: dict[int, int] = {}
    length = 0
    for function in functions:
        starts[function.unique_function_id] = length
        length += len(function.instructions)
    code = tuple(inst for function in functions for inst in _instructions(function, starts))
    return (
        Program(
            VARIANT.sub("", first.kernel_name),
            f"sm_{first.architecture_version}",
            code,
            control_bits=all(function.is_captured_from_binary for function in functions),
        ),
        starts,
    )


def _instructions(function: Function, starts: dict[int, int]) -> Iterator[Instruction]:
    start = starts[function.unique_function_id]
    for place, static in enumerate(function.instructions):
        where = f"{function.kernel_name}, PC {static.pc_string_hex}"
        if int(static.pc_string_hex, 16) != place * INSTRUCTION_BYTES:
            raise InputError(f"{where} found, expected {place * INSTRUCTION_BYTES:04x}")
        try:
            yield _instruction(static, place + start, start, function, starts)
        except InputError as error:
            raise InputError(f"{where}: {error}") from None


def _instruction(
    static: StaticInstruction, place: int, start: int, function: Function, starts: dict[int, int]
) -> Instruction:
    encoding = None
    if static.encoded_instruction:
        if len(static.encoded_instruction) != 2:
            raise InputError(f"{len(static.encoded_instruction)} words found, expected 2 or none")
        low, high = (int(word, 16) for word in static.encoded_instruction)
        encoding = high << 64 | low
    control = _control(static.control_bits)
    inst = parse_instruction(
        _text(static),
        place * INSTRUCTION_BYTES,
        f"sm_{function.architecture_version}",
        control,
        encoding,
    )
    if encoding is not None and replace(inst.control, reuse=0) != control:
        raise InputError(
            f"control bits {control_bits.format(control)} found, where the encoding has "
            f"{control_bits.format(inst.control)}"
        )
    called = [o.operand_reg_number for o in static.operands if o.operand_type == CALL_TARGET]
    if called and called[0] in starts:
        return replace(inst, target=starts[called[0]] * INSTRUCTION_BYTES)
    if inst.target is not None:
        return replace(inst, target=inst.target + start * INSTRUCTION_BYTES)
    return inst


def _control(bits: ControlBits) -> Control:
    return Control(
        stall=bits.stall_count,
        yield_=bits.is_yield,
        write_counter=bits.id_new_write_barrier,
        read_counter=bits.id_new_read_barrier,
        wait_mask=bits.wait_barrier_bits,
    )


def _text(static: StaticInstruction) -> str:
    guard = ""
    if static.is_predicated:
        file = "UP" if static.is_uniform_predicate else "P"
        number = "T" if static.predicate_register == PT else static.predicate_register
        guard = f"@{'!' * static.is_predicate_negate}{file}{number} "
    texts = [o.operand_string for o in static.operands if o.operand_type != CALL_TARGET]
    return f"{guard}{static.op_code} {', '.join(texts)} ;"


# Writing


def document(name: str, programs: Iterable[Program], names: Iterable[str]) -> dict[str, Any]:
    """The JSON file for these programs; they are numbered from 1, and named by `names`."""
    address, kernels = 0, []
    for number, (one, kernel_name) in enumerate(zip(programs, names, strict=True), 1):
        kernels.append(
            {
                "kernel_name": kernel_name,
                "architecture_version": int(one.arch.removeprefix("sm_")),
                "is_captured_from_binary": one.control_bits,
                "unique_function_id": number,
                "function_address": address,
                "instructions": [
                    _instruction_object(inst, one.control_bits) for inst in one.instructions
                ],
            }
        )
        address += -(-len(one) * INSTRUCTION_BYTES // 256) * 256
    return {"benchmark_name": name, "kernels": kernels}


def _instruction_object(inst: Instruction, has_control_bits: bool) -> dict[str, Any]:
    operands = [_operand_object(operand, inst) for operand in inst.operands]
    predicated = inst.guard != PT or inst.guard_negated
    word = inst.encoding
    words = [] if word is None else [f"{word & (1 << 64) - 1:#018x}", f"{word >> 64:#018x}"]
    return {
        "pc_string_hex": f"{inst.pc:04x}",
        "pc_num_dec": inst.pc,
        "op_code": inst.name,
        "is_predicated": predicated,
        "is_uniform_predicate": inst.guard_uniform,
        "is_predicate_negate": inst.guard_negated,
        "predicate_register": inst.guard if predicated else 0,
        "num_destination_registers": _destinations(inst, operands),
        "encoded_instruction": words,
        "operands": operands,
        "control_bits": _control_object(inst.control, has_control_bits),
        "register_usage": dict.fromkeys(COUNTS, 0),
    }


def _destinations(inst: Instruction, operands: list[dict[str, Any]]) -> int:
    if not operands or operands[0]["operand_type"] in NO_DESTINATION:
        return 0
    return int(not any(word in inst.name for word in NEVER_WRITE))


def _control_object(control: Control, valid: bool) -> dict[str, Any]:
    if not valid:
        control = Control(stall=0, write_counter=0, read_counter=0)
    return {
        "stall_count": control.stall,
        "is_yield": control.yield_,
        "id_new_write_barrier": control.write_counter,
        "is_new_write_barrier": valid and control.write_counter != 7,
        "id_new_read_barrier": control.read_counter,
        "is_new_read_barrier": valid and control.read_counter != 7,
        "wait_barrier_bits": control.wait_mask,
    }


def _operand_object(operand: Operand, inst: Instruction) -> dict[str, Any]:
    text = operand.text
    if operand.kind == Kind.LABEL:
        text = f"{inst.target or 0:#x}"
    kind = _type(text)
    register, numbers = _contents(text, kind, operand)
    return {
        "operand_string": text,
        "operand_type": kind,
        "has_reg": register is not None,
        "is_negative_reg": text.startswith(("-", "!")),
        "is_absolute_reg": text.lstrip("-").startswith("|"),
        "operand_reg_number": register or 0,
        "has_inmediate": bool(numbers),
        "operand_inmmediates": numbers,
        "is_reuse_bit_set": operand.reuse,
        "operand_modifiers": re.findall(r"\.(\w+)", text) if kind != "IMM_DOUBLE" else [],
    }


# The kind of an operand, by how its text begins; the first that fits counts.
TYPES: Final = (
    ("SR", "SR"),
    ("SB", "SB"),
    ("{", "SB"),
    ("desc[", "DESC"),
    ("c[", "CBANK"),
    ("cx[", "CBANK"),
    ("[", "MREF"),
    ("UR", "UREG"),
    ("UP", "UPRED"),
    ("R", "REG"),
    ("P", "PRED"),
    ("B", "BREG"),
)


def _type(text: str) -> str:
    bare = text.lstrip("-|~!+")
    for start, kind in TYPES:
        if bare.startswith(start):
            return kind
    if "0x" in bare:
        return "IMM_UINT64"
    return "IMM_DOUBLE" if re.match(r"\d|QNAN|SNAN|INF", bare) else "GENERIC"


def _contents(text: str, kind: str, operand: Operand) -> tuple[int | None, list[float]]:
    """Register number, and the constants in an operand."""
    match kind:
        case "REG" | "UREG" | "PRED" | "UPRED" | "BREG":
            return (8 if operand.index is None else operand.index), []  # 8: the whole file
        case "MREF" | "CBANK":
            register = operand.index if operand.uniform is None else operand.uniform
            numbers = [float(int(n, 16)) for n in re.findall(r"-?0x[0-9a-fA-F]+", text)]
            return register, numbers
        case "SB" if text.startswith("{"):
            return None, [float(n) for n in re.findall(r"\d+", text)]
        case "SB":
            return operand.index, []
        case "IMM_UINT64":
            return None, [float(int(n, 16)) for n in HEX.findall(text)[:1]]
        case "IMM_DOUBLE":
            value = float(text.replace("QNAN", "nan").replace("SNAN", "nan").replace(" ", ""))
            return None, [value] if abs(value) < float("inf") else []
    return None, []
