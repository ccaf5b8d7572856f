"""What the scoreboards know of each instruction: registers by number, latencies by reader."""

from __future__ import annotations

from typing import Any

from ..isa.program import PT, Instruction, Program, Space, Unit
from .compiled import allocate
from .core import instruction as core
from .core import scoreboard as board
from .machine.schema import Gpu

_READER = {
    Unit.ALU: "alu",
    Unit.CLOCK: "alu",
    Unit.FMA: "fma",
    Unit.FMA_HEAVY: "fma",
    Unit.FP16: "fp16",
    Unit.FP64: "fp64",
    Unit.TENSOR: "tensor",
    Unit.MEMORY: "address",
    Unit.UNIFORM: "uniform",
}


def registers_table(program: Program, gpu: Gpu, table: Any) -> Any:
    """One `REGISTERS` record per instruction; `table` forgets its control bits."""
    registers = allocate(board.REGISTERS, len(program))
    for row, timing, inst in zip(registers, table, program.instructions, strict=True):
        _ignore_control_bits(timing, inst, gpu)
        _set_numbers(row, inst)
        row.reader = board.CLASSES.index(reader_class(inst))
        row.bypass = (*bypass_row(inst, timing, gpu), gpu.sm.bypass.guard)
    return registers


def _ignore_control_bits(timing: Any, inst: Instruction, gpu: Gpu) -> None:
    """Stall counts and counters mean nothing; results that no bypass covers release themselves."""
    timing.distance = gpu.sm.issue.depbar_cycles if timing.gate else 1
    timing.wait_mask = 0
    timing.gate_mask = 0  # of the counters, only those of groups of LDGSTS are kept
    late = timing.route != core.FIXED or gpu.sm.dependence.release == "retire"
    timing.write_counter = board.RESULT if registers_written(inst) and late else -1
    timing.read_counter = board.SOURCES if registers_read(inst) else -1


def registers_written(inst: Instruction) -> list[int]:
    """Distinct destinations, numbered as `core.scoreboard` does."""
    numbers = [r for d in inst.dests for r in range(d.first, d.first + d.count)]
    numbers += [board.UNIFORM + r for r in inst.dest_uniforms]
    numbers += [board.PREDICATE + p for p in inst.dest_predicates]
    numbers += [board.UNIFORM_PREDICATE + p for p in inst.dest_uniform_predicates]
    return list(dict.fromkeys(numbers))


def register_name(number: int) -> str:
    """The name in SASS of a register numbered as `core.scoreboard` does."""
    for first, letters in (
        (board.UNIFORM_PREDICATE, "UP"),
        (board.PREDICATE, "P"),
        (board.UNIFORM, "UR"),
    ):
        if number >= first:
            return f"{letters}{number - first}"
    return f"R{number}"


def registers_read(inst: Instruction) -> list[int]:
    """Distinct sources, the guard last; numbered like the destinations."""
    numbers = [r for s in inst.sources for r in range(s.first, s.first + s.count)]
    numbers += [board.UNIFORM + r for r in inst.source_uniforms]
    numbers += [board.PREDICATE + p for p in inst.source_predicates]
    numbers += [board.UNIFORM_PREDICATE + p for p in inst.source_uniform_predicates]
    guard = _guard(inst)
    distinct = [n for n in dict.fromkeys(numbers) if n not in guard]
    return distinct + guard


def _guard(inst: Instruction) -> list[int]:
    if inst.guard == PT:
        return []
    return [(board.UNIFORM_PREDICATE if inst.guard_uniform else board.PREDICATE) + inst.guard]


def _set_numbers(row: Any, inst: Instruction) -> None:
    written, read = registers_written(inst), registers_read(inst)
    row.n_written, row.n_read = len(written), len(read)
    row.written[: len(written)] = written
    row.read[: len(read)] = read
    row.guarded = bool(_guard(inst))


def reader_class(inst: Instruction) -> str:
    """What kind of reader an instruction is for the latency of its sources."""
    if inst.latency_class == "fp16":
        return "fp16"
    if inst.space == Space.CONSTANT or inst.latency_class in ("texture", "match", "fp64_1"):
        return "decoupled"
    return _READER.get(inst.unit, "decoupled")


def bypass_row(inst: Instruction, timing: Any, gpu: Gpu) -> tuple[int, ...]:
    """Cycles until a reader of each class may issue behind a fixed-latency producer."""
    rows = gpu.sm.bypass
    if inst.unit == Unit.TENSOR:
        return (int(timing.latency),) * (len(board.CLASSES) - 1)
    if inst.latency_class in ("fp16", "cs2r", "uniform_load"):
        row: tuple[int, ...] = getattr(rows, inst.latency_class)
        return row
    if inst.unit == Unit.UNIFORM:
        return rows.uniform
    return rows.fma if inst.unit in (Unit.FMA, Unit.FMA_HEAVY) else rows.alu
