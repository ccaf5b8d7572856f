"""Which unit executes an opcode when a study asks for another map than the hardware's."""

from __future__ import annotations

import csv
from dataclasses import replace
from functools import cache
from importlib import resources

from ...isa.program import Instruction, Program, Unit
from .schema import Gpu


@cache
def _authors() -> dict[str, tuple[Unit, str, bool]]:
    """Where the authors' simulator differs (sm-core 10, item 13): unit, latency class, fixed."""
    text = (resources.files(__package__) / "authors_opcodes.csv").read_text()
    return {
        row["opcode"]: (Unit[row["unit"]], row["latency_class"], row["fixed"] == "yes")
        for row in csv.DictReader(text.splitlines())
    }


def placed(program: Program, gpu: Gpu) -> Program:
    """`program` with the units that `sm.pipes` says."""
    pipes = gpu.sm.pipes
    if pipes.opcode_map == "hardware" and not pipes.fp16_on_integer_pipe:
        return program
    return replace(program, instructions=tuple(_placed(i, gpu) for i in program.instructions))


def _placed(inst: Instruction, gpu: Gpu) -> Instruction:
    pipes = gpu.sm.pipes
    if pipes.fp16_on_integer_pipe and inst.latency_class == "fp16":
        inst = replace(inst, unit=Unit.FMA)  # FP32 chooses among the pipes
    if pipes.opcode_map == "authors" and inst.opcode in _authors():
        unit, latency_class, fixed = _authors()[inst.opcode]
        inst = replace(inst, unit=unit, latency_class=latency_class, fixed=fixed)
    return inst
