"""`run`: a trace in, a `Result` out."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ..traces.kernel import Kernel, Trace, Warp
from ..traces.load import load
from ..traces.store import content_hash
from . import engine
from .attribution import attribute
from .machine.load import Machine
from .machine.load import load as load_machine
from .machine.schema import Gpu
from .result import ClockReads, KernelResult, Result
from .stalls import STATES
from .statistics import statistics

REFERENCE_LIMIT = 1_000_000  # cycles: minutes


def run(
    trace: Trace | str | Path,
    gpu: str = "rtx_a6000",
    preset: str = "ref",
    *,
    kernel: str | None = None,
    launch: str | Path | None = None,
    cubin: str | Path | None = None,
    sms: int | None = None,
    max_cycles: int | None = None,
    events: bool = False,
    clock_reads: bool = False,
    attribution: bool = False,
    progress: engine.Progress | None = None,
    threads: int = 1,
    model: Literal["fast", "reference"] = "fast",
    **overrides: Any,
) -> Result:
    """Simulate every kernel of `trace` (a trace, or the path of a file) on `gpu`.

    Each finds in the L2 what those before it left there, as `l2.between_kernels` says.

    `model="reference"` takes the readable twin of one SM (`sim/reference`) in place of the engine:
    slow, without statistics, and with an L1D and an L1 instruction cache that always hit.

    `overrides` set parameters by dotted path: `run(t, **{"sm.register_file.read_ports": 2})`.
    `attribution` simulates a second time to say where the cycles of SM 0 went, by instruction and
    by issue slot.
    `kernel` picks kernels by name or pattern, `launch` is the launch file of a cubin, `cubin` the
    program of an Accel-Sim trace, `sms` uses only the first so many SMs, `threads` changes the
    speed alone. Raises InputError for bad input, DeadlockError for a kernel that makes no progress
    or runs past `max_cycles`.
    """
    machine = load_machine(gpu, preset, overrides)
    if not isinstance(trace, Trace):
        trace = load(trace, launch, kernel, cubin)
    results = []
    l2_sets: Any = None
    for one in trace.kernels:
        warn_of_differences(one, machine)
        if model == "reference":
            results.append(_reference_result(one, machine.gpu, max_cycles, events))
            continue
        found = l2_sets.copy() if attribution and l2_sets is not None else None
        state = engine.simulate(
            one,
            machine,
            sms,
            max_cycles,
            events,
            clock_reads or one.clock_reads,
            progress,
            threads=threads,
            l2_sets=l2_sets,
        )
        l2_sets = state.l2_sets
        result = _result(state)
        if attribution:
            cycles = result.execution_cycles
            where = attribute(one, machine, sms=sms, cycles=cycles, threads=threads, l2_sets=found)
            result = replace(result, attribution=where)
        results.append(result)
    return Result(
        machine.key,
        preset,
        dict(machine.overrides),
        trace.hash or content_hash(trace),
        machine.fingerprint if model == "fast" else f"{machine.fingerprint} {model}",
        tuple(results),
    )


def warn_of_differences(kernel: Kernel, machine: Machine) -> None:
    """Warn of code for another architecture, without control bits, or with textures."""
    if kernel.program.arch != machine.gpu.arch:
        warnings.warn(
            f"{kernel.name} is compiled for {kernel.program.arch}; {machine.gpu.name} runs "
            f"{machine.gpu.arch}: its timing is that of {machine.gpu.arch}",
            stacklevel=3,
        )
    if not kernel.program.control_bits and machine.gpu.sm.dependence.mode == "control_bits":
        warnings.warn(
            f"{kernel.name}: the trace has no control bits; scoreboards stand in for them (text "
            "traces of 16 kernels took 1 to 19 % fewer cycles, 12 % on average, than with the "
            "program's cubin, which restores them)",
            stacklevel=3,
        )
    if any(inst.is_texture for inst in kernel.program.instructions):
        warnings.warn(
            f"{kernel.name} uses textures or surfaces, whose addresses are in no trace: each "
            "access takes as long as any other and leaves the caches alone",
            stacklevel=3,
        )


def _reference_result(
    kernel: Kernel, gpu: Gpu, max_cycles: int | None, events: bool
) -> KernelResult:
    """The twin's cycles; it counts no stalls and no statistics."""
    from .reference import model

    if not kernel.warm >= {"l1", "l1i"}:
        warnings.warn(
            f"{kernel.name}: the reference model is one SM without a memory behind it: every "
            "look-up in the L1D and in the L1 instruction cache hits",
            stacklevel=3,
        )
    start = time.perf_counter()
    outcome = model.run(kernel, gpu, max_cycles or REFERENCE_LIMIT)
    lanes = sum(int(np.bitwise_count(w.path.active).sum()) for w in _warps(kernel))
    return KernelResult(
        name=kernel.name,
        launch=kernel.launch,
        grid=kernel.grid,
        block=kernel.block,
        arch=kernel.program.arch,
        launch_cycles=gpu.launch.latency_cycles,
        execution_cycles=outcome.cycles,
        warp_inst=len(outcome.ops),
        thread_inst=lanes,
        sms=1,
        sm_active_cycles=outcome.cycles,
        stalls=dict.fromkeys(STATES, 0),
        statistics={"ipc_active": len(outcome.ops) / outcome.cycles},
        instructions=tuple(inst.text for inst in kernel.program.instructions),
        counts=outcome.counts(len(kernel.program)),
        event_rows=outcome.events() if events else None,
        wall_s=time.perf_counter() - start,
    )


def _warps(kernel: Kernel) -> Iterator[Warp]:
    for number in range(kernel.n_ctas):
        yield from kernel.load_cta(number).warps


def _result(state: engine.RunState) -> KernelResult:
    kernel, stalls = state.kernel, engine.stall_cycles(state)
    return KernelResult(
        name=kernel.name,
        launch=kernel.launch,
        grid=kernel.grid,
        block=kernel.block,
        arch=kernel.program.arch,
        launch_cycles=state.launch_cycles,
        execution_cycles=state.execution_cycles,
        warp_inst=state.streams.warp_inst,
        thread_inst=state.streams.thread_inst,
        sms=len(state.sms),
        sm_active_cycles=float(state.sms["cta"]["active_cycles"].mean()),
        stalls=dict(zip(STATES, map(int, stalls), strict=True)),
        statistics=statistics(state),
        subcore_stalls=state.sms["subcores"]["stalls"]["cycles"].copy(),
        instructions=tuple(inst.text for inst in kernel.program.instructions),
        counts=state.counts,
        scoreboards=bool(state.record.registers),
        unknown=_unknown(kernel, state.streams.weights),
        clock_reads=_clock_reads(state) if state.record.clocks else (),
        event_rows=state.events if state.record.events else None,
        wall_s=state.wall_s,
    )


def _unknown(kernel: Kernel, weights: Any) -> dict[str, float]:
    """Opcodes outside the table and their share of the executed instructions."""
    shares: dict[str, float] = {}
    for inst, weight in zip(kernel.program.instructions, weights, strict=True):
        if not inst.known and weight:
            shares[inst.opcode] = shares.get(inst.opcode, 0.0) + float(weight / weights.sum())
    return shares


def _clock_reads(state: engine.RunState) -> tuple[ClockReads, ...]:
    kernel, streams = state.kernel, state.streams
    ends = np.append(streams.streams["clock"][1:], len(streams.clocks))
    reads = []
    for k, (begin, end) in enumerate(zip(streams.streams["clock"], ends, strict=True)):
        if begin < end:
            cta, warp = divmod(k, kernel.warps_per_cta)
            values = tuple(int(v) for v in streams.clocks[begin:end])
            reads.append(ClockReads(kernel.cta_index(cta), warp, values))
    return tuple(reads)
