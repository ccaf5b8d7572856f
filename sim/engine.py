"""The Python side of a run: allocate the GPU, run it window by window, watch its progress."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..isa.errors import DeadlockError, WarpwiseError
from ..traces.kernel import Kernel
from . import report_stuck
from .compiled import address, allocate
from .core.limits import NEVER, SUBCORES
from .core.scoreboard import BOARD
from .gpu import gpu as whole
from .gpu.exchange import LONGEST
from .gpu.l2 import SET
from .lowering import kernel_record, program_table
from .machine.load import Machine
from .machine.opcode_map import placed
from .machine.record import to_record
from .occupancy import Occupancy, occupancy
from .scoreboard_table import registers_table
from .sm.sm import SM
from .stalls import StateLog
from .streams import Streams
from .threads import Workers, together

PATIENCE = 200_000  # cycles without progress that end a run
WINDOWS_PER_CALL = 64  # between two looks at the clock

Progress = Callable[[int, int, int], None]  # cycle, CTAs started, CTAs in all


@dataclass
class RunState:
    """The arrays of one kernel's simulation after its end."""

    kernel: Kernel
    machine: Machine
    occupancy: Occupancy
    streams: Streams
    record: Any  # KERNEL
    sms: Any
    gpu: Any
    l2_sets: Any
    counts: NDArray[Any]
    events: NDArray[Any]
    execution_cycles: int
    launch_cycles: int
    wall_s: float
    compiled_s: float  # processor time of the compiled code: what is left is set-up


def simulate(
    kernel: Kernel,
    machine: Machine,
    sms: int | None = None,
    max_cycles: int | None = None,
    events: bool = False,
    clock_reads: bool = False,
    progress: Progress | None = None,
    window: int | None = None,
    threads: int = 1,
    log: StateLog | None = None,
    l2_sets: Any = None,
) -> RunState:
    """Simulate one kernel, on a cold GPU or with the `l2_sets` of a state that it follows.

    A kernel without control bits runs with scoreboards, whatever the machine has (sm-core 7.1).
    The kernel's copies are in the L2 if `l2.memcpy_fills_l2` says so.
    `sms` uses only the first so many SMs; `window` shortens the windows between SMs and L2 (any
    length up to the L2's round trip gives the same cycles), as does any number of `threads`.
    `log` is filled with the states of one SM's warps.
    Raises DeadlockError if the kernel makes no progress or runs past `max_cycles`.
    """
    start = time.perf_counter()
    n_sms = min(sms or machine.gpu.sms, machine.gpu.sms)
    threads = max(min(threads, n_sms), 1)
    sm_array, gpu_array = allocate(SM, n_sms), allocate(whole.GPU, 1)
    gpu = gpu_array[0]
    gpu.sms, gpu.n_sms = address(sm_array), n_sms
    with ThreadPoolExecutor(threads) as pool:
        begun = pool.submit(whole.begin_sms, gpu_array) if threads > 1 else None
        lowered = _lower(kernel, machine, n_sms, clock_reads)
        if begun:
            begun.result()
        else:
            whole.begin_sms(gpu_array)
        if log is not None:
            log.attach(sm_array)
        rows = lowered.streams.warp_inst if events else 0
        workers = Workers(lowered.record, threads, n_sms, len(lowered.streams.table), rows)
        machine_record = to_record(machine.gpu)
        gpu.machine, gpu.kernel = address(machine_record), address(workers.kernels)
        gpu.team, gpu.orders = address(workers.team), address(workers.orders)
        follows = l2_sets is not None
        if not follows:
            l2_sets = _empty_l2(machine)
        gpu.l2.sets, gpu.l2.n_sets = address(l2_sets), len(l2_sets)
        whole.begin_kernel(gpu, follows, np.array(kernel.copies, np.int64).reshape(-1, 2))
        length = min(window or LONGEST, machine.gpu.l2.round_trip, LONGEST)
        run = partial(together, whole.run, gpu_array, threads, pool)
        begin = time.process_time()
        _run(run, gpu, kernel, sm_array, lowered, length, max_cycles or NEVER, progress)
        compiled_s = time.process_time() - begin
    return RunState(
        kernel,
        machine,
        lowered.occupancy,
        lowered.streams,
        workers.kernels[0],
        sm_array,
        gpu,
        l2_sets,
        workers.counts(),
        workers.events(),
        int(whole.execution_cycles(gpu)),
        machine.gpu.launch.latency_cycles,
        time.perf_counter() - start,
        compiled_s,
    )


@dataclass
class _Lowered:
    """A kernel as compiled stages read it, with the arrays that its record points into."""

    streams: Streams
    occupancy: Occupancy
    record: Any  # KERNEL
    registers: Any
    boards: Any


def _lower(kernel: Kernel, machine: Machine, n_sms: int, clock_reads: bool) -> _Lowered:
    program = placed(kernel.program, machine.gpu)
    table = program_table(program, machine.gpu)
    streams = Streams(kernel, machine.gpu, table)
    place = occupancy(kernel, machine.gpu, n_sms)
    [record] = kernel_record(kernel, machine.gpu, streams, place.ctas, place.l1_ways)
    registers = boards = None
    if machine.gpu.sm.dependence.mode == "scoreboard" or not program.control_bits:
        registers = registers_table(program, machine.gpu, table)
        boards = allocate(BOARD, n_sms * SUBCORES)
        record.registers, record.boards = address(registers), address(boards)
    if clock_reads:
        record.clocks = address(streams.clocks)
    return _Lowered(streams, place, record, registers, boards)


def _empty_l2(machine: Machine) -> Any:
    """The contents of an L2 that nobody has used; numpy may have kept those of the last run."""
    l2 = machine.gpu.l2
    sets = l2.size_kib * 1024 // (l2.line_bytes * l2.ways * l2.slices)
    return np.zeros(sets * l2.slices, SET).view(np.recarray)


def _run(
    run: Callable[..., int],
    gpu: Any,
    kernel: Kernel,
    sms: Any,
    lowered: _Lowered,
    window: int,
    max_cycle: int,
    progress: Progress | None,
) -> None:
    status = whole.RUNNING
    while status == whole.RUNNING:
        status = run(WINDOWS_PER_CALL, window, max_cycle, PATIENCE)
        if progress:
            progress(int(gpu.now), int(gpu.dispatch.next_cta), kernel.n_ctas)
        if whole.failed(gpu):
            raise WarpwiseError(
                f"{kernel.name}: a table of the engine overflowed before cycle {gpu.now}; "
                "please report this with the trace"
            )
        if status == whole.STILL or (status == whole.RUNNING and gpu.now >= max_cycle):
            why = "makes no progress" if status == whole.STILL else "reached the cycle limit"
            report = report_stuck.describe(kernel, sms, lowered.streams.table, int(gpu.now))
            raise DeadlockError(f"{kernel.name} {why} at cycle {int(gpu.now)}\n{report}")


def stall_cycles(state: RunState) -> NDArray[np.int64]:
    """Warp-cycles in each of `stalls.STATES`, over the whole GPU."""
    total: NDArray[np.int64] = state.sms["subcores"]["stalls"]["cycles"].sum(axis=(0, 1))
    return total
