"""What each instruction needs of the machine: pipe, intervals, latencies, read window.

Sections of the specification: stall counts 3.6, units and latencies 5, memory instructions 6.4.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from ...isa.errors import InputError
from ...isa.program import NO_COUNTER, Access, Instruction, Kind, Program, Space, Unit
from ..machine.schema import AddressTiming, Gpu, Sm

TENSOR = ("HMMA", "IMMA", "BMMA")


class Route(Enum):
    """Which way an instruction takes behind Control (sm-core 4.4)."""

    FIXED = "Allocate, read window, unit"
    SPECIAL = "unit that reads when it can"
    DOUBLE = "queue of the FP64 unit"
    MEMORY = "memory queue"


@dataclass
class Barrier:
    """What a BAR does."""

    number: int
    warps: int  # 0: all of the CTA
    waits: bool


@dataclass
class Depbar:
    """What DEPBAR.LE demands."""

    counter: int
    limit: int
    zero: tuple[int, ...]

    def holds(self, counters: list[int]) -> bool:
        """Whether the counters are low enough."""
        return counters[self.counter] <= self.limit and not any(counters[k] for k in self.zero)


@dataclass
class Cost:
    """One static instruction on one machine. Times are cycles from issue unless named otherwise."""

    inst: Instruction
    route: Route
    distance: int  # to the next issue of the warp
    read_counter: int | None
    write_counter: int | None
    wait_for: tuple[int, ...]  # counters that must be zero
    pipes: tuple[Unit, ...] = ()  # in order of preference
    interval: int = 0
    latency: int = 0
    hold: int = 0  # cycles that the issue port stays taken besides
    window: int = 0
    read: int = 0  # release of the sources
    read_with_result: bool = False
    occupancy: int = 0  # of the address stage
    grant: int = 0
    wavefronts: int = 0  # cycles of the data stage
    first_beat: int = 0  # from the grant
    copied: int = 0  # cycles of the data stage to write what was copied
    beat: int = 1
    per_beat: int = 1  # registers
    barrier: Barrier | None = None
    depbar: Depbar | None = None
    fence: int = 0
    commits: int | None = None  # LDGDEPBAR: the counter of its group

    @property
    def copies(self) -> bool:
        """LDGSTS."""
        return self.inst.access == Access.ASYNC_COPY

    @property
    def stores(self) -> bool:
        """Nothing comes back."""
        return self.inst.access in (Access.STORE, Access.REDUCTION)


def costs(program: Program, gpu: Gpu) -> list[Cost]:
    """The costs of all instructions. Raises InputError for what the model leaves out."""
    return [_cost(inst, gpu.sm) for inst in program.instructions]


def _cost(inst: Instruction, sm: Sm) -> Cost:
    control = inst.control
    cost = Cost(
        inst,
        _route(inst),
        _distance(inst, sm),
        None if control.read_counter == NO_COUNTER else control.read_counter,
        None if control.write_counter == NO_COUNTER else control.write_counter,
        tuple(k for k in range(6) if control.wait_mask >> k & 1),
    )
    if cost.route == Route.MEMORY:
        _set_memory(cost, sm)
    elif cost.route == Route.DOUBLE:
        cost.beat = sm.data_path.beat_cycles
    else:
        _set_unit(cost, sm)
    _set_synchronisation(cost, sm)
    return cost


def _route(inst: Instruction) -> Route:
    if inst.unit == Unit.MEMORY:
        return Route.MEMORY
    if inst.unit == Unit.FP64:
        return Route.DOUBLE
    special = inst.unit == Unit.XU or (inst.unit == Unit.UNIFORM and not inst.fixed)
    return Route.SPECIAL if special else Route.FIXED


def _distance(inst: Instruction, sm: Sm) -> int:
    """The table of section 3.6."""
    stall, yields = inst.control.stall, inst.control.yield_
    if stall == 0:
        return sm.issue.long_stall_cycles if yields else 1
    if stall == 1:
        return 2 if yields else 1
    if stall > sm.issue.unyielded_stall_limit and not yields:
        return sm.issue.unyielded_stall_cycles
    return stall


def _set_unit(cost: Cost, sm: Sm) -> None:
    inst = cost.inst
    if inst.opcode in TENSOR:
        cost.interval, cost.latency = _tensor(inst, sm)
    else:
        timing = sm.latency[inst.latency_class]
        cost.interval, cost.latency, cost.read = timing.interval, timing.latency, timing.read
    if cost.route == Route.FIXED and inst.dest_predicates and not inst.dests:
        cost.latency = sm.latency["predicate"].latency
    wide = inst.unit == Unit.TENSOR and any(source.count >= 4 for source in inst.sources)
    ports = sm.register_file
    cost.window = ports.wide_read_window if wide else ports.read_window
    cost.hold = sm.issue.imad_hold_cycles if inst.latency_class == "imad_wide" else 0
    cost.pipes = _pipes(inst.unit, sm)


def _pipes(unit: Unit, sm: Sm) -> tuple[Unit, ...]:
    if unit == Unit.FMA and sm.pipes.fp32_on_integer_pipe:
        return Unit.FMA, Unit.ALU
    if unit == Unit.FMA_HEAVY or (unit == Unit.FP16 and not sm.pipes.fp16_pipe):
        return (Unit.FMA,)
    return (unit,)


def _tensor(inst: Instruction, sm: Sm) -> tuple[int, int]:
    """Interval and latency of HMMA.16816.F32 and the like: section 5.3, recommended column."""
    digits = re.fullmatch(r"(16|8)(\d)(\d+)", next(m for m in inst.modifiers if m.isdigit()))
    assert digits
    m, n, k = map(int, digits.groups())
    rates = sm.tensor
    if inst.opcode == "IMMA":
        rate = rates.int4 if {"S4", "U4"} & set(inst.modifiers) else rates.int8
    elif inst.opcode == "BMMA":
        rate = rates.bit
    elif "BF16" in inst.modifiers:
        rate = rates.bf16_f32
    elif "TF32" in inst.modifiers:
        rate = rates.tf32_f32
    else:
        rate = rates.f16_f32 if "F32" in inst.modifiers else rates.f16_f16
    rate *= 2 if "SP" in inst.modifiers else 1
    interval = -(-m * n * k // rate)
    return interval, interval + (rates.small_latency if k <= 8 else rates.large_latency)


def _set_memory(cost: Cost, sm: Sm) -> None:
    """The row of the table in section 6.4, and the way of the data behind the grant."""
    inst, path = cost.inst, sm.data_path
    if _needs_l2(inst):
        raise InputError(
            f"{inst.text!r}: the reference model ends at the L1; simulate global atomics and loads "
            "of GPU scope with `--engine fast`"
        )
    width = {64: 1, 128: 2}.get(inst.width, 0)
    timing = _address_timing(inst, sm)
    cost.occupancy, cost.grant = timing.occupancy[width], timing.grant[width]
    cost.read, cost.read_with_result = timing.read[width], timing.read_with_result
    cost.first_beat = path.entry + _data_latency(inst, sm, width)
    cost.beat = path.beat_cycles
    if inst.space == Space.CONSTANT:
        cost.beat, cost.per_beat = 1, 2
    elif inst.space == Space.SHARED:
        cost.per_beat = path.shared_registers_per_beat
    elif cost.copies:
        cost.beat, cost.copied = 1, 1 << width
    staged = inst.access != Access.NONE and inst.space != Space.CONSTANT
    if staged:
        cost.wavefronts = 1 if inst.uniform_address else 1 << width  # one address: a broadcast
        if inst.access == Access.ATOMIC:
            lanes = 32 if inst.uniform_address else 1 << width
            cost.wavefronts = path.shared_atomic_passes * lanes
            cost.first_beat += (cost.wavefronts - (1 << width)) * sm.l1d.stage_cycles


def _needs_l2(inst: Instruction) -> bool:
    """Whether a result comes from the L2 alone."""
    if inst.access == Access.ATOMIC:
        return inst.space != Space.SHARED
    return inst.access in (Access.LOAD, Access.ASYNC_COPY) and inst.passes_l1


def _address_timing(inst: Instruction, sm: Sm) -> AddressTiming:
    unit = sm.local_unit
    if inst.access == Access.NONE:
        return unit.other
    if inst.access == Access.ASYNC_COPY:
        return unit.async_copy
    if inst.space == Space.CONSTANT:
        return unit.load_constant_immediate if inst.uniform_address else unit.load_constant
    kind = "store" if inst.access == Access.STORE else "load"
    place = "shared" if inst.space == Space.SHARED else "global"
    uniform = "_uniform" if inst.uniform_address else ""
    timing: AddressTiming = getattr(unit, f"{kind}_{place}{uniform}")
    return timing


def _data_latency(inst: Instruction, sm: Sm, width: int) -> int:
    path = sm.data_path
    if inst.access == Access.NONE:
        return path.texture if inst.is_texture else path.other
    if inst.access == Access.ASYNC_COPY:
        return path.async_copy
    if inst.space == Space.CONSTANT:
        return path.constant
    if inst.space == Space.SHARED:
        shared = path.shared_uniform if inst.uniform_address else path.shared
        return shared + path.shared_wide[width]
    return path.l1


def _set_synchronisation(cost: Cost, sm: Sm) -> None:
    """BAR (section 1.7), DEPBAR.LE, LDGDEPBAR and MEMBAR (section 1.8)."""
    inst = cost.inst
    numbers = [o.bits for o in inst.operands if o.kind == Kind.IMMEDIATE]
    if inst.opcode == "BAR":
        given = (Kind.IMMEDIATE, Kind.REGISTER, Kind.UNIFORM)  # of which 0 stands for the latter
        number, threads = (*(o.bits for o in inst.operands if o.kind in given), 0, 0)[:2]
        cost.barrier = Barrier(number, -(-threads // 32), "ARV" not in inst.modifiers)
    elif inst.opcode == "DEPBAR" and "LE" in inst.modifiers:
        counter = next(o.index or 0 for o in inst.operands if o.kind == Kind.COUNTER)
        listed = "".join(o.text for o in inst.operands if o.text.startswith("{"))
        zero = tuple(int(digit) for digit in re.findall(r"\d", listed))
        cost.depbar = Depbar(counter, (*numbers, 0)[0], zero)
    elif inst.opcode == "LDGDEPBAR":
        cost.commits = cost.write_counter or 0
        cost.write_counter = None  # falls with the group, not with the instruction
    elif inst.opcode == "MEMBAR":
        scope = {"CTA": sm.fence.cta_cycles, "SM": sm.fence.cta_cycles}
        scope["SYS"] = sm.fence.system_cycles
        named = [scope[m] for m in inst.modifiers if m in scope]
        cost.fence = (*named, sm.fence.gpu_cycles)[0]
