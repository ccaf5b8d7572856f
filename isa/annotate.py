"""A program as a readable listing: address, control bits, text, unit, latency class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from . import control_bits, opcodes
from .program import Instruction, Program


def annotate(program: Program, summary: str = "", notes: Sequence[str] = ()) -> str:
    """The listing as text, one line per instruction, columns aligned.

    `summary` ends the title, and `notes`, one for each instruction, are the last column.
    """
    entries = rows(program)
    width = max((len(row["text"]) for row in entries), default=0)
    notes = notes or [""] * len(entries)
    lines = [f"{program.name}  {program.arch}  {len(program)} instructions  {summary}".rstrip()]
    lines += [
        f"/*{row['pc']:04x}*/ {row['control']} {row['text']:<{width}}  "
        f"{row['unit']:<9} {row['latency_class']:<13} {_latency(row):<8}  {note}".rstrip()
        for row, note in zip(entries, notes, strict=True)
    ]
    return "\n".join(lines) + "\n"


def rows(program: Program) -> list[dict[str, Any]]:
    """The listing as plain values, ready for JSON."""
    return [_row(instruction) for instruction in program.instructions]


def _row(instruction: Instruction) -> dict[str, Any]:
    return {
        "pc": instruction.pc,
        "control": control_bits.format(instruction.control),
        "text": instruction.text,
        "unit": instruction.unit.name,
        "latency_class": instruction.latency_class,
        "fixed": instruction.fixed,
        "known": instruction.known,
        "nearest": None if instruction.known else opcodes.nearest(instruction.opcode),
    }


def _latency(row: dict[str, Any]) -> str:
    latency = "fixed" if row["fixed"] else "variable"
    if row["known"]:
        return latency
    hint = f"; did you mean {row['nearest']}?" if row["nearest"] else ""
    return f"{latency}  (unknown opcode, unit and latency guessed{hint})"
