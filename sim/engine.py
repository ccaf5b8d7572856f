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
    program = placed(kernel.program, machine.gpu)
    table = program_table(program, machine.gpu)
    registers = None
    if machine.gpu.sm.dependence.mode == "scoreboard" or not program.control_bits:
        registers = registers_table(program, machine.gpu, table)
    streams = Streams(kernel, machine.gpu, table)
    place = occupancy(kernel, machine.gpu, n_sms)
    record = kernel_record(kernel, machine.gpu, streams, place.ctas, place.l1_ways)
    if registers is not None:
        record[0].registers = address(registers)
        boards = allocate(BOARD, n_sms * SUBCORES)
        record[0].boards = address(boards)
    if clock_reads:
        record[0].clocks = address(streams.clocks)
    threads = max(min(threads, n_sms), 1)
    workers = Workers(record[0], threads, n_sms, len(table), streams.warp_inst if events else 0)
    machine_record = to_record(machine.gpu)
    sm_array = allocate(SM, n_sms, sparse=True)
    if log is not None:
        log.attach(sm_array)
    follows = l2_sets is not None
    if not follows:
        l2_sets = _empty_l2(machine)
    gpu_array = allocate(whole.GPU, 1)
    gpu = gpu_array[0]
    gpu.kernel, gpu.machine, gpu.sms = (
        address(workers.kernels),
        address(machine_record),
        address(sm_array),
    )
    gpu.team, gpu.orders = address(workers.team), address(workers.orders)
    gpu.n_sms = n_sms
    gpu.l2.sets, gpu.l2.n_sets = address(l2_sets), len(l2_sets)
    whole.begin_kernel(gpu, follows, np.array(kernel.copies, np.int64).reshape(-1, 2))
    length = min(window or LONGEST, machine.gpu.l2.round_trip, LONGEST)
    with ThreadPoolExecutor(threads) as pool:
        together(whole.begin_sms, gpu_array, threads, pool)
        whole.first_wave(gpu)
        run = partial(together, whole.run, gpu_array, threads, pool)
        begin = time.process_time()
        _run(run, gpu, kernel, sm_array, table, length, max_cycles or NEVER, progress)
        compiled_s = time.process_time() - begin
    return RunState(
        kernel,
        machine,
        place,
        streams,
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


def _empty_l2(machine: Machine) -> Any:
    """The contents of an L2 that nobody has used."""
    l2 = machine.gpu.l2
    sets = l2.size_kib * 1024 // (l2.line_bytes * l2.ways * l2.slices)
    return allocate(SET, sets * l2.slices, sparse=True)


def _run(
    run: Callable[..., int],
    gpu: Any,
    kernel: Kernel,
    sms: Any,
    table: NDArray[Any],
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
            report = report_stuck.describe(kernel, sms, table, int(gpu.now))
            raise DeadlockError(f"{kernel.name} {why} at cycle {int(gpu.now)}\n{report}")


def stall_cycles(state: RunState) -> NDArray[np.int64]:
    """Warp-cycles in each of `stalls.STATES`, over the whole GPU."""
    total: NDArray[np.int64] = state.sms["subcores"]["stalls"]["cycles"].sum(axis=(0, 1))
    return total
