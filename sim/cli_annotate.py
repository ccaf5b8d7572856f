"""`warpwise annotate`: the listing of a program with what its control bits get wrong or waste."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..isa import annotate
from ..isa.program import Program
from . import hazards
from .machine.load import load

# Whose latencies code for an architecture is checked against; they are those of the architecture.
GPUS = {"sm_75": "rtx_2080_ti", "sm_86": "rtx_a6000", "sm_120": "rtx_5070_ti"}


def check(program: Program) -> list[hazards.Findings] | None:
    """Findings by instruction; None where control bits or latencies are unknown."""
    if not program.control_bits or program.arch not in GPUS:
        return None
    return hazards.check(program, load(GPUS[program.arch]).gpu)


def document(programs: Sequence[Program]) -> dict[str, Any]:
    """What `warpwise annotate --json` prints."""
    return {"schema": 1, "programs": [_program(program) for program in programs]}


def _program(program: Program) -> dict[str, Any]:
    rows, findings = annotate.rows(program), check(program)
    if findings is not None:
        rows = [row | found.to_dict() for row, found in zip(rows, findings, strict=True)]
    return {
        "name": program.name,
        "arch": program.arch,
        "checked": findings is not None,
        "instructions": rows,
    }


def text(programs: Sequence[Program]) -> str:
    """The listings, with hazards and slack as the last column."""
    return "\n".join(map(_listing, programs))


def _listing(program: Program) -> str:
    findings = check(program)
    if findings is None:
        return annotate.annotate(program)
    count = sum(len(found.hazards) for found in findings)
    summary = f"{count or 'no'} hazard{'s' * (count != 1)}"
    return annotate.annotate(program, summary, [str(found) for found in findings])


def unchecked(programs: Sequence[Program]) -> str | None:
    """Why some programs were not checked for hazards."""
    if any(not program.control_bits for program in programs):
        return "there are no control bits, so hazards are not checked"
    archs = sorted({program.arch for program in programs} - GPUS.keys())
    if archs:
        return f"hazards are not checked: latencies of {', '.join(archs)} are not known"
    return None
