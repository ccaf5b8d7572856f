"""One line of SASS -> `Instruction`: registers, predicates, memory access, branch target.

The grammar is nvdisasm's. Where the 128-bit encoding is known, it decides on guard, control bits
and float immediates, and its registers and reuse bits are compared with the text.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from . import control_bits, opcodes, operands, registers
from .errors import InputError
from .opcodes import Opcode
from .program import (
    INSTRUCTION_BYTES,
    PT,
    RZ,
    URZ,
    Access,
    Control,
    Instruction,
    Kind,
    Operand,
    Program,
    Registers,
    Unit,
)

DEST_BITS, SECOND_DEST_BITS = 16, 64
METADATA_BITS = 40  # fourth register of a sparse matrix product
HIDDEN_DESCRIPTOR = ("sm_80", "sm_86", "sm_87", "sm_89")  # encoded but not printed
# slots of the sources in text order where they are not A, B, C
SLOTS = {
    **dict.fromkeys(("FADD", "DADD", "HADD2", "DSETP"), (0, 2)),
    **dict.fromkeys(("MOV", "IABS", "I2FP", "POPC", "FLO", "BREV", "MUFU"), (1,)),
    **dict.fromkeys(("F2F", "F2I", "I2F", "FRND"), (1,)),
}
PREDICATES = (Kind.PREDICATE, Kind.UNIFORM_PREDICATE)

_LINE = re.compile(
    r"\s*(?P<control>\[B[^\]]*\])?\s*(?:@(?P<not>!?)(?P<file>UP|P)(?P<guard>\d+|T)\s+)?"
    r"(?P<name>[A-Z][\w.]*)(?:\s+(?P<operands>[^;]*?))?\s*;?\s*"
)
_HEX = re.compile(r"0x[0-9a-fA-F]+")


def parse_instruction(
    text: str,
    pc: int,
    arch: str,
    control: Control | None = None,
    encoding: int | None = None,
    labels: Mapping[str, int] | None = None,
) -> Instruction:
    """Read one line such as `[B------:R-:W-:-:S01] @!P0 IADD3 R0, R1.reuse, 0x1, RZ ;`.

    Control bits come from the encoding, else from `control`, else from the line; `labels` gives
    the byte offset of each label or function a branch may name.
    """
    try:
        return _parse(text, pc, arch, control, encoding, labels or {})
    except InputError as error:
        raise InputError(f"cannot read {text.strip()!r}: {error}") from None


def from_text(
    name: str, arch: str, lines: Iterable[str], labels: Mapping[str, int] | None = None
) -> Program:
    """A program from instruction lines; the first one is at byte offset 0."""
    return Program(
        name,
        arch,
        tuple(
            parse_instruction(line, i * INSTRUCTION_BYTES, arch, labels=labels)
            for i, line in enumerate(lines)
        ),
    )


def _parse(
    text: str,
    pc: int,
    arch: str,
    control: Control | None,
    encoding: int | None,
    labels: Mapping[str, int],
) -> Instruction:
    line = _LINE.fullmatch(text)
    if line is None:
        raise InputError("expected [control bits] @guard OPCODE.MODIFIERS operand, operand ;")
    opcode, *rest = line["name"].split(".")
    modifiers = tuple(rest)
    entry = opcodes.lookup(opcode, modifiers, arch)
    texts = operands.split(line["operands"] or "")
    parsed = _operands(texts, opcode, modifiers, encoding)
    written = _written(parsed, entry.writes)
    parsed = _with_widths(parsed, written, entry, opcode, modifiers, arch, encoding)
    if control is None:
        control = control_bits.parse(line["control"]) if line["control"] else Control()
    guard = f"@{line['not']}{line['file']}{line['guard']} " if line["guard"] else ""
    draft = Instruction(
        pc=pc,
        opcode=opcode,
        modifiers=modifiers,
        operands=parsed,
        control=control,
        text=f"{guard}{line['name']} {', '.join(texts)}".strip(),
        guard=operands.number(guard.strip(), line["file"], line["guard"]) if guard else PT,
        guard_negated=line["not"] == "!",
        guard_uniform=line["file"] == "UP",
        encoding=encoding,
        known=entry.known,
        unit=entry.unit,
        latency_class=entry.latency_class,
        fixed=entry.fixed,
        space=entry.space,
        access=entry.access,
        width=registers.access_bits(opcode, modifiers) if entry.access else 0,
        uniform_address=bool(entry.access) and _is_uniform(parsed),
        target=_target(parsed, opcode, labels, strict=encoding is None),
    )
    return _with_encoding(_with_registers(draft, written))


# ---- operands ------------------------------------------------------------------------------------


def _operands(
    texts: list[str], opcode: str, modifiers: tuple[str, ...], encoding: int | None
) -> tuple[Operand, ...]:
    label_at = len(texts) - 1 if _names_label(opcode, modifiers) else None
    parsed = tuple(
        Operand(Kind.LABEL, text)
        if i == label_at
        else operands.parse(text, opcode, modifiers, strict=encoding is None)
        for i, text in enumerate(texts)
    )
    return parsed if encoding is None else _exact_floats(parsed, opcode, encoding)


def _names_label(opcode: str, modifiers: tuple[str, ...]) -> bool:
    """Whether the last operand is a place in the code."""
    if opcode == "WARPSYNC":
        return "COLLECTIVE" in modifiers
    if opcode in ("CALL", "RET"):
        return "REL" in modifiers
    return opcode in ("BRA", "BSSY", "JMP")


def _exact_floats(parsed: tuple[Operand, ...], opcode: str, encoding: int) -> tuple[Operand, ...]:
    """Take float immediates from the encoding; packed halves are printed upper one first."""
    places = [i for i, operand in enumerate(parsed) if operands.is_float(operand.text, opcode)]
    field = encoding >> 32 & 0xFFFFFFFF
    values = (field >> 16, field & 0xFFFF) if len(places) == 2 else (field,)
    exact = dict(zip(places, values, strict=False))
    return tuple(
        replace(operand, bits=exact[i]) if i in exact else operand
        for i, operand in enumerate(parsed)
    )


def _written(parsed: tuple[Operand, ...], writes: str) -> tuple[int, ...]:
    """Places of the destinations: the leading registers and predicates, as many as may be."""
    free = {"R": writes.count("R"), "P": writes.count("P")}
    for place, operand in enumerate(parsed):
        kind = "P" if operand.kind in PREDICATES else "R"
        if not free[kind] or operand.kind in (Kind.ADDRESS, Kind.CONSTANT, Kind.IMMEDIATE):
            return tuple(range(place))
        free[kind] -= 1
    return tuple(range(len(parsed)))


def _with_widths(
    parsed: tuple[Operand, ...],
    written: tuple[int, ...],
    entry: Opcode,
    opcode: str,
    modifiers: tuple[str, ...],
    arch: str,
    encoding: int | None,
) -> tuple[Operand, ...]:
    """Fill in how many registers each operand names."""
    dest, sources = registers.shape(entry, opcode, modifiers, parsed)
    position = 0
    result = []
    for place, operand in enumerate(parsed):
        if operand.kind is Kind.ADDRESS:
            operand = _wide_address(operand, opcode, modifiers, position)
            operand = _described(operand, entry, modifiers, arch, encoding)
        elif operand.kind in (Kind.REGISTER, Kind.UNIFORM):
            width = dest if place in written else sources[min(position, len(sources) - 1)]
            operand = replace(operand, registers=2 if "64" in operand.suffixes else width)
        position += place not in written and operand.kind not in PREDICATES
        result.append(operand)
    if entry.writes.startswith("RR") and len(written) >= 2:
        for place, width in zip(written[-2:], registers.texture_results(parsed), strict=True):
            result[place] = replace(result[place], registers=width)
    return tuple(result)


def _wide_address(
    operand: Operand, opcode: str, modifiers: tuple[str, ...], position: int
) -> Operand:
    shared_side = opcode == "LDGSTS" and position == 0
    return replace(
        operand,
        registers=1 if shared_side else registers.address(modifiers, operand.suffixes),
    )


def _described(
    operand: Operand, entry: Opcode, modifiers: tuple[str, ...], arch: str, encoding: int | None
) -> Operand:
    """Add the descriptor register that sm_8x encodes in a global access but does not print."""
    if encoding is None or arch not in HIDDEN_DESCRIPTOR or "64" not in operand.suffixes:
        return operand
    first_bit = 32 if entry.access is Access.LOAD else 64
    return replace(operand, descriptor=encoding >> first_bit & 63)


# ---- derived fields ------------------------------------------------------------------------------


def _is_uniform(parsed: tuple[Operand, ...]) -> bool:
    """Whether no address operand has a per-thread register."""
    return all(o.index in (None, RZ) for o in parsed if o.kind in (Kind.ADDRESS, Kind.CONSTANT))


def _with_registers(draft: Instruction, written: tuple[int, ...]) -> Instruction:
    dests = [draft.operands[i] for i in written]
    sources = [o for i, o in enumerate(draft.operands) if i not in written]
    read = tuple(_register_sources(sources, draft.opcode))
    reuse = {1 << run.slot for run, reused in read if reused}
    constant = next((o for o in sources if o.kind is Kind.CONSTANT), None)
    return replace(
        draft,
        dests=tuple(
            Registers(o.index, o.registers)
            for o in dests
            if o.kind is Kind.REGISTER and o.index is not None and o.index != RZ and o.registers
        ),
        sources=tuple(run for run, _ in read),
        control=replace(draft.control, reuse=draft.control.reuse | sum(reuse)),
        dest_predicates=_predicates(dests, Kind.PREDICATE, draft),
        source_predicates=_predicates(sources, Kind.PREDICATE, draft),
        dest_uniform_predicates=_predicates(dests, Kind.UNIFORM_PREDICATE, draft),
        source_uniform_predicates=_predicates(sources, Kind.UNIFORM_PREDICATE, draft),
        dest_uniforms=tuple(
            register
            for o in dests
            if o.kind is Kind.UNIFORM
            for register in _run(o.index, o.registers)
        ),
        source_uniforms=tuple(register for o in sources for register in _uniform_sources(o, draft)),
        constant=(constant.bank, constant.offset) if constant and _is_fixed(constant) else None,
    )


def _register_sources(sources: list[Operand], opcode: str) -> Iterator[tuple[Registers, bool]]:
    """Regular registers that are read, and whether the operand asks for reuse."""
    position = 0
    for operand in sources:
        if operand.kind in PREDICATES:
            continue
        readable = operand.kind in (Kind.REGISTER, Kind.ADDRESS, Kind.CONSTANT)
        if readable and operand.index is not None and operand.index != RZ:
            slot = _slot(opcode, position)
            yield Registers(operand.index, operand.registers, slot), operand.reuse
        position += 1


def _is_fixed(constant: Operand) -> bool:
    return constant.index is None and constant.uniform is None and constant.descriptor is None


def _slot(opcode: str, position: int) -> int:
    """Operand slot of a source, as the reuse bits of compiled code number it.

    This is not always the register field: FFMA with a constant C keeps B in the field of C.
    """
    slots = SLOTS.get(opcode, (0, 1, 2))
    return slots[min(position, len(slots) - 1)]


def _run(first: int | None, count: int) -> range:
    """Numbers of consecutive uniform registers; none for URZ."""
    return range(0) if first in (None, URZ) else range(first, first + count)


def _uniform_sources(operand: Operand, draft: Instruction) -> Iterator[int]:
    if operand.kind is Kind.UNIFORM:
        yield from _run(operand.index, operand.registers)
    extended = operand.kind is Kind.ADDRESS and "E" in draft.modifiers
    yield from _run(operand.uniform, 2 if extended else 1)
    yield from _run(operand.descriptor, 2)


def _predicates(chosen: list[Operand], kind: Kind, draft: Instruction) -> tuple[int, ...]:
    result: list[int] = []
    for operand in chosen:
        if operand.kind is not kind:
            continue
        if operand.index is None:
            result += _masked(draft)
        elif operand.index != PT:
            result.append(operand.index)
    return tuple(result)


def _masked(draft: Instruction) -> Iterator[int]:
    """Predicates that R2P and P2R move: those in the mask, all if it is a register."""
    mask = draft.operands[-1]
    bits = mask.bits if mask.kind is Kind.IMMEDIATE else 0x7F
    return (i for i in range(PT) if bits >> i & 1)


def _target(
    parsed: tuple[Operand, ...], opcode: str, labels: Mapping[str, int], strict: bool
) -> int | None:
    """Byte offset where a direct branch goes."""
    if not parsed or parsed[-1].kind is not Kind.LABEL or opcode == "RET":
        return None
    if opcode == "CALL" and len(parsed) > 1:
        return None  # relative to a register
    text = parsed[-1].text
    if _HEX.fullmatch(text):
        return int(text, 16)
    name = text.strip("`()")
    if name not in labels and strict:
        close = difflib.get_close_matches(name, labels, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else "."
        raise InputError(f"label {name!r} is not defined{hint}")
    return labels.get(name)


# ---- the encoding -------------------------------------------------------------------------------


def _with_encoding(draft: Instruction) -> Instruction:
    """Take guard and control bits from the encoding, after comparing its registers with the text.

    Unknown opcodes are not compared: their operands may be laid out in another way.
    """
    encoding = draft.encoding
    if encoding is None:
        return draft
    decoded = replace(
        draft,
        control=control_bits.decode(encoding),
        guard=encoding >> 12 & 7,
        guard_negated=bool(encoding >> 15 & 1),
    )
    if draft.known and (found := _disagreement(draft, decoded, encoding)):
        raise InputError(f"the text does not match its encoding: {found}.")
    return decoded


def _disagreement(printed: Instruction, decoded: Instruction, encoding: int) -> str | None:
    """What the text says otherwise than the encoding; textures do not print `.reuse`."""
    texture = printed.latency_class == "texture"
    encoded_dests = {encoding >> bit & 255 for bit in (DEST_BITS, SECOND_DEST_BITS)[: 1 + texture]}
    encoded_sources = _encoded_sources(printed, encoding)
    for dest in printed.dests:
        if dest.first not in encoded_dests:
            return f"it does not write R{dest.first}"
    for source in printed.sources:
        if source.first not in encoded_sources:
            return f"it does not read R{source.first}"
    guards = [(i.guard, i.guard_negated) for i in (printed, decoded)]
    if guards[0] != guards[1] and printed.opcode != "P2R":  # nvdisasm prints PR in its place
        return "it has another guard"
    if printed.control.reuse.bit_count() != decoded.control.reuse.bit_count() and not texture:
        return f"its reuse bits are {decoded.control.reuse:04b}"
    return None


def _encoded_sources(draft: Instruction, encoding: int) -> set[int]:
    """Registers in the fields of the encoding that can hold a source."""
    bits = [24, 64]
    if not _immediate_field_used(draft, encoding):
        bits.append(32)
    if draft.opcode == "LDGSTS":
        bits.append(DEST_BITS)  # the shared address stands where others have a destination
    if "SP" in draft.modifiers:
        bits.append(METADATA_BITS)
    return {encoding >> bit & 255 for bit in bits}


def _immediate_field_used(draft: Instruction, encoding: int) -> bool:
    """Whether bits 32-63 hold an immediate, a constant or a uniform register instead of slot B.

    Those of BAR are elsewhere, beside a register.
    """
    all_registers = encoding >> 9 & 7 == 1
    return (
        draft.unit is not Unit.MEMORY
        and draft.opcode != "BAR"
        and not all_registers
        and any(
            o.kind in (Kind.IMMEDIATE, Kind.CONSTANT, Kind.UNIFORM, Kind.LABEL)
            for o in draft.operands
        )
    )
