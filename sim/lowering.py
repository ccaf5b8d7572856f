"""The static side of a kernel: what each instruction costs on a machine, decoded once per PC."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

from ..isa.program import NO_COUNTER, Access, Instruction, Kind, Program, Space, Unit
from ..traces.kernel import WARP_SIZE, Kernel
from .compiled import address, allocate
from .core import instruction as core
from .core.limits import COUNTERS, SLOTS
from .machine.schema import AddressTiming, Gpu, Tensor
from .streams import Streams

_WIDTHS = {64: 1, 128: 2}  # index into the timings for 32, 64 and 128 bits; narrower as 32
_TENSOR = ("HMMA", "IMMA", "BMMA", "QMMA", "OMMA")
_PREFETCHES = {"LTC64B": 2, "LTC128B": 4, "LTC256B": 4}  # sectors, of a line at most
_PAST_L1 = {core.L1_LOAD: core.L2_READ, core.L1_STORE: core.L2_WRITE}
_BARRIERS = {"SYNC": core.SYNC, "RED": core.SYNC, "ARV": core.ARRIVE}


def program_table(program: Program, gpu: Gpu) -> Any:
    """One `INSTRUCTION` record for each static instruction."""
    table = allocate(core.INSTRUCTION, len(program))
    table[:] = [_row(inst, gpu) for inst in program.instructions]
    return table


def _row(inst: Instruction, gpu: Gpu) -> tuple[Any, ...]:
    """The values of an `INSTRUCTION`; setting the fields of a record takes four times as long."""
    row = SimpleNamespace(**dict.fromkeys(core.INSTRUCTION.names or (), 0))
    _set_control(row, inst, gpu)
    _set_registers(row, inst, gpu)
    _set_unit(row, inst, gpu)
    _set_synchronisation(row, inst, gpu)
    if inst.unit == Unit.MEMORY:
        _set_memory(row, inst, gpu)
    return tuple(vars(row).values())


def distance(inst: Instruction, gpu: Gpu) -> int:
    """Cycles to the next issue of the same warp (sm-core 3.6)."""
    stall, issue = inst.control.stall, gpu.sm.issue
    if stall > issue.unyielded_stall_limit and not inst.control.yield_:
        return issue.unyielded_stall_cycles
    if stall == 0 and inst.control.yield_:
        stall = issue.long_stall_cycles
    if stall <= 1:
        return 2 if inst.control.yield_ else 1
    return stall.bit_length() if issue.stall_counter == "shift" else stall


def _counter(number: int) -> int:
    return -1 if number == NO_COUNTER else number


def _set_control(row: Any, inst: Instruction, gpu: Gpu) -> None:
    row.distance = distance(inst, gpu)
    row.wait_mask = inst.control.wait_mask
    row.write_counter = _counter(inst.control.write_counter)
    row.read_counter = _counter(inst.control.read_counter)
    row.reuse = inst.control.reuse


def _set_registers(row: Any, inst: Instruction, gpu: Gpu) -> None:
    registers: set[int] = set()
    row.source, row.source_count = [0] * SLOTS, [0] * SLOTS
    for source in inst.sources:
        if source.slot < SLOTS:
            row.source[source.slot] = source.first
            row.source_count[source.slot] = source.count
            registers.update(range(source.first, source.first + source.count))
    row.n_sources = len(inst.sources)
    row.reads = [sum(r % 2 == bank for r in registers) for bank in (0, 1)]
    if inst.dests:
        row.dest = inst.dests[0].first
        row.dest_count = inst.dests[0].count
    wide = inst.unit == Unit.TENSOR and any(s.count >= 4 for s in inst.sources)
    ports = gpu.sm.register_file
    row.window = ports.wide_read_window if wide else ports.read_window


def _tensor_timing(inst: Instruction, tensor: Tensor) -> tuple[int, int]:
    """Interval and latency of a matrix product such as HMMA.16816.F32 (sm-core 5.3)."""
    shape = next(m for m in inst.modifiers if m.isdigit())
    m, shape = (16, shape[2:]) if shape.startswith("16") else (8, shape[1:])
    n, k = int(shape[0]), int(shape[1:])
    if tensor.timing == "bits":
        return _timing_by_bits(inst, m * n * k, tensor)
    interval = -(-m * n * k // _tensor_rate(inst, tensor))
    return interval, interval + (tensor.small_latency if k <= 8 else tensor.large_latency)


def _timing_by_bits(inst: Instruction, products: int, tensor: Tensor) -> tuple[int, int]:
    """The authors' formula: half of the cycles are the interval; bits of the second type named."""
    types = [m for m in inst.modifiers if m[0] in "FSUB" and m[1:].isdigit()]
    bits = int(types[0][1:]) if types else 1
    cycles = max(products * bits // 2048 // (2 if "SP" in inst.modifiers else 1), 2)
    extra = tensor.f32_extra * (inst.name in ("HMMA.16816.F32", "HMMA.1688.F32"))
    return cycles // 2 + extra, cycles + 2 * extra


def _tensor_rate(inst: Instruction, tensor: Tensor) -> int:
    """Multiply-accumulates per cycle; a sparse product skips half of them."""
    modifiers = set(inst.modifiers)
    if inst.opcode == "BMMA":
        rate = tensor.bit
    elif inst.opcode in ("QMMA", "OMMA"):  # 8- and 4-bit floats
        rate = tensor.int8 if inst.opcode == "QMMA" else tensor.int4
    elif inst.opcode == "IMMA":
        rate = tensor.int4 if modifiers & {"S4", "U4"} else tensor.int8
    elif "BF16" in modifiers:
        rate = tensor.bf16_f32
    elif "TF32" in modifiers:
        rate = tensor.tf32_f32
    else:
        rate = tensor.f16_f32 if "F32" in modifiers else tensor.f16_f16
    return rate * (2 if "SP" in modifiers else 1)


def _route(inst: Instruction) -> int:
    if inst.unit == Unit.MEMORY:
        return core.QUEUED
    if inst.unit == Unit.FP64:
        return core.DOUBLE
    if inst.unit == Unit.XU or (inst.unit == Unit.UNIFORM and not inst.fixed):
        return core.SPECIAL
    return core.FIXED


def _set_unit(row: Any, inst: Instruction, gpu: Gpu) -> None:
    row.route = _route(inst)
    row.unit = inst.unit
    if inst.opcode in _TENSOR:
        row.interval, row.latency = _tensor_timing(inst, gpu.sm.tensor)
    elif row.route in (core.FIXED, core.SPECIAL):
        timing = gpu.sm.latency[inst.latency_class]
        row.interval = timing.interval
        row.latency = timing.latency
        row.read_latency = timing.read
    if row.route == core.FIXED and inst.dest_predicates and not inst.dests:
        row.latency = gpu.sm.latency["predicate"].latency
    if row.route == core.FIXED:
        row.result = core.UNIFORM_RESULT if inst.dest_uniforms else _has_result(inst)
    if _holds_port(inst, gpu):
        row.hold = gpu.sm.issue.imad_hold_cycles
    if row.route == core.DOUBLE:
        row.beat = gpu.sm.data_path.beat_cycles
        row.per_beat = 1
    if inst.constant and inst.unit != Unit.MEMORY:
        row.constant = _constant_address(*inst.constant) // gpu.sm.l0_constant.line_bytes + 1
    row.clock = inst.opcode in ("CS2R", "S2R") and any("CLOCK" in o.text for o in inst.operands)


def _has_result(inst: Instruction) -> int:
    return core.RESULT if inst.dests or inst.dest_predicates else 0


def _holds_port(inst: Instruction, gpu: Gpu) -> bool:
    every = gpu.sm.issue.imad_hold == "all" and inst.opcode == "IMAD"
    return every or inst.latency_class == "imad_wide"


def _bank(inst: Instruction) -> int:
    """The constant bank that an LDC names."""
    return next((o.bank for o in inst.operands if o.kind == Kind.CONSTANT), 0)


def _constant_address(bank: int, offset: int) -> int:
    """Where a constant lies in the address space that instructions and constants share."""
    return core.CONSTANTS + bank * core.CONSTANT_BANK + offset


def _immediate(inst: Instruction, position: int) -> int:
    """Value of the `position`-th immediate operand, 0 if there is none."""
    values = [o.bits for o in inst.operands if o.kind == Kind.IMMEDIATE]
    return values[position] if position < len(values) else 0


_NUMBERS = (Kind.IMMEDIATE, Kind.REGISTER, Kind.UNIFORM)


def _set_synchronisation(row: Any, inst: Instruction, gpu: Gpu) -> None:
    if inst.opcode == "BAR" and gpu.sm.barrier.ids == "single":
        row.barrier = core.SYNC
    elif inst.opcode == "BAR":
        kinds = [_BARRIERS[m] for m in inst.modifiers if m in _BARRIERS]
        row.barrier = kinds[0] if kinds else core.SYNC
        # What registers hold is not in a trace: barrier 0, and all warps of the CTA.
        number, threads = (*(o.bits for o in inst.operands if o.kind in _NUMBERS), 0, 0)[:2]
        row.barrier_id, row.barrier_warps = number, -(-threads // WARP_SIZE)
    elif inst.opcode == "MEMBAR":
        _set_fence(row, inst, gpu)
    elif inst.opcode == "LDGDEPBAR":
        row.commits = max(int(row.write_counter), 0) + 1
        row.write_counter = -1  # falls with the group, not with the instruction
    elif inst.opcode == "DEPBAR" and "LE" in inst.modifiers:
        row.gate = 1
        row.gate_counter = next((o.index for o in inst.operands if o.kind == Kind.COUNTER), 0)
        row.gate_limit = _immediate(inst, 0)
        listed = "".join(o.text for o in inst.operands if o.text.startswith("{"))
        if gpu.sm.issue.depbar == "gate":
            row.gate_mask = sum(1 << int(counter) for counter in re.findall(r"\d", listed))


def _set_fence(row: Any, inst: Instruction, gpu: Gpu) -> None:
    fence = gpu.sm.fence
    scopes = {"CTA": fence.cta_cycles, "SM": fence.cta_cycles, "SYS": fence.system_cycles}
    row.fence = next((scopes[m] for m in inst.modifiers if m in scopes), fence.gpu_cycles)
    if fence.holds == "cta":
        row.barrier = core.SYNC
        row.wait_mask = (1 << COUNTERS) - 1


def _data_path(inst: Instruction) -> int:
    if inst.access == Access.NONE:
        return core.TEXTURE if inst.is_texture else core.NO_ACCESS
    if inst.space == Space.SHARED:
        return core.SHARED
    if inst.space == Space.CONSTANT:
        return core.CONSTANT
    return {
        Access.LOAD: core.L1_LOAD,
        Access.ASYNC_COPY: core.L1_LOAD,
        Access.STORE: core.L1_STORE,
        Access.ATOMIC: core.ATOMIC,
        Access.REDUCTION: core.REDUCTION,
    }[inst.access]


def _set_cache_operator(row: Any, inst: Instruction, gpu: Gpu) -> None:
    """What an access asks of the caches (memory 2.8), and CCTL."""
    modifiers = set(inst.modifiers)
    if inst.passes_l1:
        row.path = _PAST_L1.get(row.path, row.path)
    if gpu.sm.l1d.hints and modifiers & {"EF", "LU"}:
        row.place = core.OLDEST
    elif gpu.sm.l1d.hints and "NA" in modifiers:
        row.place = core.NOWHERE
    row.prefetch = 1
    if gpu.l2.prefetch_hints:
        row.prefetch = next((n for name, n in _PREFETCHES.items() if name in modifiers), 1)
    if gpu.sm.l1d.invalidated_by == "cctl":
        row.invalidates = inst.opcode == "CCTL" and "IVALL" in modifiers
    else:
        row.invalidates = inst.opcode == "MEMBAR"


def _address_timing(inst: Instruction, gpu: Gpu) -> AddressTiming:
    """Row of the address timings that an instruction follows."""
    unit, uniform = gpu.sm.local_unit, inst.uniform_address
    stores = inst.access == Access.STORE
    if inst.access == Access.NONE:
        return unit.other
    if inst.access == Access.ASYNC_COPY:
        return unit.async_copy
    if inst.space == Space.CONSTANT:
        return unit.load_constant_immediate if uniform else unit.load_constant
    if inst.space == Space.SHARED:
        if not stores:
            return unit.load_shared_uniform if uniform else unit.load_shared
        return unit.store_shared_uniform if uniform else unit.store_shared
    if stores:
        return unit.store_global_uniform if uniform else unit.store_global
    return unit.load_global_uniform if uniform else unit.load_global


def _data_latency(inst: Instruction, gpu: Gpu) -> int:
    """From the grant to the first beat of a hit, unloaded."""
    path = gpu.sm.data_path
    if inst.access == Access.NONE:
        return path.entry + (path.texture if inst.is_texture else path.other)
    if inst.access == Access.ASYNC_COPY:
        return path.entry + path.async_copy
    if inst.space == Space.CONSTANT:
        return path.entry + path.constant
    if inst.space == Space.SHARED:
        wide = path.shared_wide[_WIDTHS.get(inst.width, 0)]
        return path.entry + wide + (path.shared_uniform if inst.uniform_address else path.shared)
    return path.entry + path.l1


def _set_memory(row: Any, inst: Instruction, gpu: Gpu) -> None:
    timing = _address_timing(inst, gpu)
    width = _WIDTHS.get(inst.width, 0)
    row.occupancy = timing.occupancy[width]
    row.grant = timing.grant[width]
    row.read_latency = timing.read[width]
    row.read_with_result = timing.read_with_result
    row.path = _data_path(inst)
    _set_cache_operator(row, inst, gpu)
    row.accesses = inst.access != Access.NONE
    row.stores = inst.access in (Access.STORE, Access.REDUCTION)
    row.copies = inst.access == Access.ASYNC_COPY
    row.l1tex = inst.space in (Space.GLOBAL, Space.LOCAL, Space.GENERIC)
    row.wavefronts = 1 << width
    row.first_beat = _data_latency(inst, gpu)
    row.beat, row.per_beat = gpu.sm.data_path.beat_cycles, 1
    if inst.space == Space.CONSTANT:
        row.beat, row.per_beat = 1, 2
        row.bank = _constant_address(_bank(inst), 0)
    elif inst.space == Space.SHARED:
        row.per_beat = gpu.sm.data_path.shared_registers_per_beat
    elif inst.access == Access.ASYNC_COPY:
        row.beat = 1
        row.behind_data = gpu.sm.data_path.async_copy - gpu.sm.data_path.l1


def _parameter_bytes(program: Program) -> int:
    """Bytes of constant bank 0 that a launch writes or the code reads."""
    read = [
        offset + 8
        for inst in program.instructions
        if inst.constant
        for bank, offset in [inst.constant]
        if bank == 0
    ]
    written = [program.parameter_base + p.offset + p.size for p in program.parameters]
    return max(read + written, default=0)


def kernel_record(kernel: Kernel, gpu: Gpu, streams: Streams, occupancy: int, l1_ways: int) -> Any:
    """The array that holds the one `KERNEL` record; `streams` must outlive it."""
    array = allocate(core.KERNEL, 1)
    record = array[0]
    record.program = address(streams.table)
    record.streams = address(streams.streams)
    record.pcs = address(streams.pcs)
    record.accesses = address(streams.accesses)
    record.lines = address(streams.lines)
    record.store_bytes = address(streams.store_bytes)
    record.n_instructions = len(streams.table)
    record.n_ctas = kernel.n_ctas
    record.warps_per_cta = kernel.warps_per_cta
    record.ctas_per_sm = occupancy
    record.l1_ways = l1_ways
    record.parameter_lines = -(-_parameter_bytes(kernel.program) // gpu.l2.line_bytes)
    fences = bool(streams.table["fence"].any())
    record.acknowledges = fences or gpu.sm.memory_unit.exit_waits_for_stores
    record.warm_icache = "icache" in kernel.warm
    record.warm_l1i = "l1i" in kernel.warm
    record.warm_constants = "const" in kernel.warm
    record.warm_l1 = "l1" in kernel.warm
    return array
