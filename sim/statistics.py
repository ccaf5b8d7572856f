"""The statistics of a finished kernel, under the short names of `metrics.METRICS`.

Counts are of the whole GPU, rates of a mean SM or sub-core. What memory instructions ask for
(sectors, wavefronts) does not depend on time and comes from the trace.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..isa.program import Access, Space, Unit
from . import engine
from .core.limits import SUBCORES
from .sm import outbox
from .stalls import NOT_SELECTED, SELECTED

# Pipes by Nsight Compute's names.
PIPES = {
    Unit.ALU: "alu",
    Unit.FMA: "fma",
    Unit.FMA_HEAVY: "fma",
    Unit.FP16: "fp16",
    Unit.FP64: "fp64",
    Unit.XU: "xu",
    Unit.TENSOR: "tensor",
    Unit.UNIFORM: "uniform",
    Unit.BRANCH: "cbu",
    Unit.MEMORY: "lsu",
}


def statistics(state: engine.RunState) -> dict[str, float]:
    """All statistics of one kernel."""
    cycles = state.launch_cycles + state.execution_cycles
    duration = 1e3 * cycles / state.machine.gpu.clock.core_mhz
    return (
        {"duration": duration}
        | _instructions(state)
        | _warps(state)
        | _pipes(state)
        | _memory(state, duration)
        | _speed_of_light(state, cycles, duration)
        | _launch(state)
    )


def _active_cycles(state: engine.RunState) -> float:
    """Cycles with a CTA, summed over the SMs."""
    return max(float(state.sms["cta"]["active_cycles"].sum()), 1.0)


def _instructions(state: engine.RunState) -> dict[str, float]:
    streams, active = state.streams, _active_cycles(state)
    issued = max(streams.warp_inst, 1)
    return {
        "warp_inst_issued": int(state.counts["issued"].sum()),
        "threads_per_inst": streams.thread_inst / issued,
        "threads_pred_on_per_inst": streams.predicated_on_inst / issued,
        "ipc_active": streams.warp_inst / active,
        "issue_active": streams.warp_inst / active / SUBCORES,
    }


def _warps(state: engine.RunState) -> dict[str, float]:
    stalls, active = engine.stall_cycles(state), _active_cycles(state)
    slots = state.machine.gpu.sm.occupancy.warps
    warp_cycles = int(state.sms["subcores"]["stalls"]["warp_cycles"].sum())
    resident = min(state.occupancy.limits.values()) * state.kernel.warps_per_cta
    return {
        "warp_cycles": warp_cycles,
        "warps_active": warp_cycles / active,
        "warps_eligible": float((stalls[SELECTED] + stalls[NOT_SELECTED]) / active / SUBCORES),
        "occupancy_achieved": _percent(warp_cycles, active * slots),
        "occupancy_theoretical": _percent(resident, slots),
        "warp_latency": warp_cycles / max(state.streams.warp_inst, 1),
    }


def _pipes(state: engine.RunState) -> dict[str, float]:
    """How much of its cycles each pipe takes instructions, while an SM is active."""
    return dict(_busy(state, _active_cycles(state)))


def _busy(state: engine.RunState, cycles: float) -> Iterator[tuple[str, float]]:
    """Instructions times their initiation intervals, as a share of the cycles of a pipe's units."""
    pipes = PIPES if state.machine.gpu.sm.pipes.fp16_pipe else PIPES | {Unit.FP16: "fma"}
    units = state.streams.table["unit"]
    taken = state.counts["issued"] * _intervals(state)
    for name in dict.fromkeys(PIPES.values()):
        members = [unit for unit, pipe in pipes.items() if pipe == name]
        share = _percent(taken[np.isin(units, members)].sum(), cycles * _copies(state, name))
        yield f"pipe_{name}_busy", share


def _intervals(state: engine.RunState) -> Any:
    """Cycles for which each static instruction takes its pipe."""
    sm, table = state.machine.gpu.sm, state.streams.table
    shared = {Unit.FP64: sm.fp64.interval, Unit.MEMORY: sm.memory_unit.grant_interval}
    intervals = table["interval"].astype(np.int64)
    for unit, interval in shared.items():
        intervals[table["unit"] == unit] = interval
    return intervals


def _copies(state: engine.RunState, pipe: str) -> int:
    """How many of a pipe an SM has."""
    if pipe in ("fp64", "lsu"):
        return 1
    both = pipe == "fma" and state.machine.gpu.sm.pipes.fp32_on_integer_pipe
    return SUBCORES * (2 if both else 1)


def _memory(state: engine.RunState, duration: float) -> dict[str, float]:
    l1, l2, dram = state.sms["l1d"], state.gpu.l2.slices, state.gpu.dram.channel
    sector = state.machine.gpu.sm.l1d.sector_bytes
    asked = state.streams.asked
    loads = asked[_instructions_that(state, Access.LOAD, Space.GLOBAL, Space.GENERIC)]
    shared = asked[_instructions_that(state, None, Space.SHARED)]
    requests, sectors = int(loads["requests"].sum()), int(loads["sectors"].sum())
    return {
        "l1_requests_ld": requests,
        "l1_sectors_ld": sectors,
        "l1_sectors_per_request": sectors / max(requests, 1),
        "l1_hit_rate": _percent(l1["sector_hits"].sum(), l1["sector_accesses"].sum()),
        "l1_wavefronts": int(state.sms["memory"]["wavefronts"].sum()),
        "shared_wavefronts": int(shared["wavefronts"].sum()),
        "shared_conflicts": int(shared["conflicts"].sum()),
        "l2_sectors": int(l2["sector_accesses"].sum()),
        "l2_sectors_from_l1_rd": int(l2["sectors_of"][:, outbox.READ].sum()),
        "l2_sectors_from_l1_wr": int(l2["sectors_of"][:, outbox.WRITE].sum()),
        "l2_hit_rate": _percent(l2["sector_hits"].sum(), l2["sector_accesses"].sum()),
        "l2_bytes_per_s": 1e9 * int(l2["sector_accesses"].sum()) * sector / duration,
        "dram_read": int(dram["sectors_read"].sum()) * sector,
        "dram_write": int(dram["sectors_written"].sum()) * sector,
    }


def _instructions_that(state: engine.RunState, access: Access | None, *spaces: Space) -> list[bool]:
    """Which static instructions access one of some spaces; no `access` stands for any."""
    return [
        inst.space in spaces and inst.access != Access.NONE and access in (None, inst.access)
        for inst in state.kernel.program.instructions
    ]


def _speed_of_light(state: engine.RunState, cycles: int, duration: float) -> dict[str, float]:
    """The busiest resource of the cores and of the memory system, over all cycles."""
    gpu, sms = state.machine.gpu, len(state.sms)
    pipes = dict(_busy(state, cycles * sms))
    memory_unit = pipes.pop("pipe_lsu_busy")
    wavefronts = int(state.sms["memory"]["wavefronts"].sum()) * gpu.sm.l1d.stage_cycles
    memory = state.gpu.dram.channel
    bursts = int((memory["sectors_read"] + memory["sectors_written"]).sum())
    clocks = duration * gpu.clock.dram_mhz / 1e3
    dram = _percent(bursts * gpu.dram.burst_clocks, clocks * gpu.dram.channels)
    return {
        "sol_sm": max(_percent(state.streams.warp_inst, cycles * sms * SUBCORES), *pipes.values()),
        "sol_mem": max(
            memory_unit,
            _percent(wavefronts, cycles * sms),
            _percent(state.gpu.l2.slices["sector_accesses"].sum(), cycles * gpu.l2.slices),
            dram,
        ),
        "sol_dram": dram,
    }


def _launch(state: engine.RunState) -> dict[str, float]:
    kernel, limits = state.kernel, state.occupancy.limits
    return {
        "ctas_per_sm": state.occupancy.ctas,
        "grid_size": kernel.n_ctas,
        "block_size": math.prod(kernel.block),
        "registers_per_thread": kernel.registers or kernel.program.registers,
        "waves_per_sm": kernel.n_ctas / (len(state.sms) * min(limits.values())),
        "limit_warps": limits["warps"],
        "limit_ctas": limits["CTA slots"],
        "limit_registers": limits["registers"],
        "limit_shared": limits["shared memory"],
    }


def _percent(part: Any, whole: Any) -> float:
    return 100.0 * float(part) / float(whole) if whole else 0.0
