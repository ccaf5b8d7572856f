"""How far the engine is from plain C: `plain/*.c` runs kernels of fixed-latency instructions.

It has the stages of the engine that such kernels use, and gives the same cycles, states and counts.
`python -m warpwise.validation.plain_c` measures both, and writes a table of `docs/benchmarks.md`.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from operator import attrgetter
from pathlib import Path
from statistics import median

import numpy as np
from numpy.typing import NDArray

from ..isa.errors import InputError
from ..isa.program import INSTRUCTION_BYTES
from ..sim import engine
from ..sim.compiled import entry
from ..sim.core import instruction as core
from ..sim.gpu import dram, slice_hash
from ..sim.machine.load import load
from ..sim.stalls import STATES
from ..traces.kernel import Kernel
from .benchmarks import GPU, PAGE, SIZES, ffma, held, replace_tables, this_machine
from .report import aligned

SOURCES = Path(__file__).parent / "plain"
BLOCK = 1  # of code in the page, which holds the table
RUNS = 7
OPTIONS = ("-O2", "-O3", "-O2 -march=native", "-O3 -march=native")  # numba: as the last
FLAGS = ("-std=c11", "-D_POSIX_C_SOURCE=199309L", "-flto")

# Columns of an instruction, as `Instruction` in plain.h has them.
INSTRUCTION = (
    *("unit", "distance", "wait_mask", "write_counter", "read_counter", "reuse", "hold"),
    *("window", "interval", "latency", "dest", "dest_count", "reads", "source", "source_count"),
)
# Numbers of the machine, as main.c reads them.
MACHINE = (
    *("launch.gpu_interval", "launch.sm_interval", "launch.cta_latency"),
    *("sm.fetch.buffer_entries", "sm.issue.recency_cycles"),
    *("sm.register_file.read_ports", "sm.register_file.write_ports", "sm.register_file.cache"),
    *("sm.pipes.fp32_on_integer_pipe", "sm.l0i.sets", "sm.l0i.ways", "sm.l0i.line_bytes"),
    *("sm.l0i.mshrs", "sm.l0i.merges", "sm.l0i.miss_queue", "sm.stream_buffer.lines"),
    *("sm.l1i.sets", "sm.l1i.ways", "sm.l1i.mshrs"),
    *("sm.l1i.request_latency", "sm.l1i.reply_latency", "sm.l1d.sector_bytes"),
    *("interconnect.reply_bytes", "l2.slices", "l2.mshrs", "l2.round_trip"),
    *("dram.channels", "dram.row_bytes", "dram.latency"),
)
DRAM = ("burst", "activate", "column", "row_cycle", "precharge", "activate_interval")
# What the C program takes for granted.
CHOICES = {
    "sm.fetch.policy": "cggty",
    "sm.fetch.redirect_delay": 0,
    "sm.fetch.perfect": False,
    "sm.issue.policy": "lri",
    "sm.l1i.port": "round_robin",
    "sm.dependence.mode": "control_bits",
    "sm.result_queue.reserve": False,
    "sm.pipes.finish_conflict": False,
    "sm.pipes.fp16_pipe": False,
    "interconnect.gpc_bytes": 0,
    "translation.miss_cycles": 0,
}


@dataclass(frozen=True)
class Outcome:
    """What a run of the C program gives."""

    seconds: float  # of processor time, without reading the input
    cycles: int
    warp_cycles: int
    states: NDArray[np.int64]  # warp-cycles in each of `stalls.STATES`
    counts: NDArray[np.int64]  # issues and cycles of each PC, shape (instructions, 2)

    def same_as(self, other: Outcome) -> bool:
        """Whether all but the time agrees."""
        totals = (self.cycles, self.warp_cycles) == (other.cycles, other.warp_cycles)
        states = np.array_equal(self.states, other.states)
        return totals and states and np.array_equal(self.counts, other.counts)


def compile_c(options: str, program: Path) -> None:
    """Build the C program; raises InputError where the compiler fails."""
    sources = map(str, sorted(SOURCES.glob("*.c")))
    command = [compiler(), *FLAGS, *options.split(), "-o", str(program), *sources]
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except OSError as error:
        raise InputError(
            f"{command[0]}: cannot be run: {error.strerror}; set CC to a C compiler"
        ) from error
    if done.returncode:
        raise InputError(f"{' '.join(command)}:\n{done.stderr}")


def compiler() -> str:
    """The C compiler's name."""
    return os.environ.get("CC") or "cc"


def simulate(program: Path, text: str) -> Outcome:
    """Run the C program on the input that `input_of` has written."""
    done = subprocess.run([str(program)], input=text, capture_output=True, text=True)
    if done.returncode:
        raise InputError(f"{program}: {done.stderr}")
    seconds, *numbers = done.stdout.split()
    cycles, warp_cycles, *rest = map(int, numbers)
    states, counts = rest[: len(STATES)], rest[len(STATES) :]
    return Outcome(
        float(seconds), cycles, warp_cycles, np.array(states), np.array(counts).reshape(-1, 2)
    )


def outcome_of(state: engine.RunState) -> Outcome:
    """The same of a run of the engine."""
    return Outcome(
        state.wall_s,
        state.execution_cycles,
        int(state.sms["subcores"]["stalls"]["warp_cycles"].sum()),
        engine.stall_cycles(state),
        np.stack([state.counts["issued"], state.counts["cycles"]], axis=1),
    )


def input_of(state: engine.RunState) -> str:
    """The kernel and machine of a run, as the C program reads them."""
    _check(state)
    table, streams = state.streams.table, state.streams
    slices = _slices(state)
    named = _numbers(state) | {"n_path": len(streams.pcs), "n_lines": len(slices)}
    columns = [table[name].reshape(len(table), -1) for name in INSTRUCTION]
    warps = np.stack([streams.streams["path"], streams.streams["length"]], axis=1)
    parts = [np.concatenate(columns, axis=1), warps, streams.pcs, slices]
    lines = [f"{name} {int(value)}" for name, value in named.items()]
    return "\n".join([*lines, *(" ".join(map(str, part.ravel())) for part in parts), ""])


def _numbers(state: engine.RunState) -> dict[str, int]:
    record = state.record
    return (
        {"n_sms": len(state.sms)}
        | {name: attrgetter(name)(state.machine.gpu) for name in MACHINE}
        | {"fraction": dram.FRACTION}
        | {name: state.gpu.dram[name] for name in DRAM}
        | {"warm_icache": record.warm_icache, "n_instructions": record.n_instructions}
        | {"n_ctas": record.n_ctas, "warps_per_cta": record.warps_per_cta}
    )


def _slices(state: engine.RunState) -> NDArray[np.int64]:
    """L2 slices of the code's lines and of those that are prefetched behind it."""
    gpu = state.machine.gpu
    code = len(state.streams.table) * INSTRUCTION_BYTES
    lines = -(-code // gpu.sm.l0i.line_bytes) + gpu.sm.stream_buffer.lines + 1
    slices = np.zeros(lines, np.int64)
    _fill_slices(state.gpu.l2.map, slices)
    return slices


@entry
def _fill_slices(hash_, slices):  # type: ignore[no-untyped-def]
    for line in range(len(slices)):
        slices[line] = slice_hash.slice_of(hash_, line)


def _check(state: engine.RunState) -> None:
    """Raise InputError for what the C program does not have."""
    table, record = state.streams.table, state.record
    for name, choice in CHOICES.items():
        if (found := attrgetter(name)(state.machine.gpu)) != choice:
            raise InputError(f"{name} is {found}; the C program has only {choice}")
    foreign = table["route"] != core.FIXED
    foreign |= sum(table[name] != 0 for name in ("barrier", "fence", "gate", "commits")) > 0
    foreign |= (table["constant"] != 0) & (not record.warm_constants)
    if foreign.any():
        inst = state.kernel.program.instructions[int(np.flatnonzero(foreign)[0])]
        raise InputError(f"{inst.opcode}: the C program has only fixed-latency instructions")
    if record.n_ctas > len(state.sms) * state.occupancy.ctas:
        raise InputError("the C program starts all CTAs at once: use fewer, or more SMs")


@dataclass(frozen=True)
class Row:
    """Processor time of one kernel in nanoseconds per warp-instruction; medians."""

    name: str
    sms: int
    cycles: int
    engine: float  # set-up and results included
    compiled: float  # without them
    c: dict[str, float]  # by the compiler's options


def cold(kernel: Kernel) -> Kernel:
    """The same kernel with empty instruction caches."""
    return replace(kernel, warm=kernel.warm - {"icache"})


def rows(sizes: tuple[int, ...] = SIZES, runs: int = RUNS) -> Iterator[Row]:
    """Measure engine and C in turn; raises RuntimeError where they do not agree."""
    with tempfile.TemporaryDirectory() as folder:
        programs = {options: Path(folder) / f"plain{k}" for k, options in enumerate(OPTIONS)}
        for options, program in programs.items():
            compile_c(options, program)
        for sms in sizes:
            kernel = held(ffma(sms))
            yield _measure("ffma", kernel, sms, programs, runs)
            yield _measure("ffma, cold", cold(kernel), sms, programs, runs)


def _measure(name: str, kernel: Kernel, sms: int, programs: dict[str, Path], runs: int) -> Row:
    machine = load(GPU)
    state = engine.simulate(kernel, machine, sms)
    given = input_of(state)
    seconds: dict[str, list[float]] = {key: [] for key in ("engine", "compiled", *programs)}
    for _ in range(runs):
        begin = time.process_time()
        state = engine.simulate(kernel, machine, sms)
        seconds["engine"].append(time.process_time() - begin)
        seconds["compiled"].append(state.compiled_s)
        for options, program in programs.items():
            outcome = simulate(program, given)
            if not outcome.same_as(outcome_of(state)):
                raise RuntimeError(f"{name} on {sms} SMs: the engine and C do not agree")
            seconds[options].append(outcome.seconds)
    ns = {key: 1e9 * median(times) / state.streams.warp_inst for key, times in seconds.items()}
    whole, compiled = ns.pop("engine"), ns.pop("compiled")
    return Row(name, sms, state.execution_cycles, whole, compiled, ns)


def text(measured: list[Row]) -> str:
    """A table for people."""
    columns = ("kernel", "SMs", "cycles", "engine", "compiled", *(f"C {o}" for o in OPTIONS))
    return aligned(columns, map(_cells, measured))


def _cells(row: Row) -> tuple[str, ...]:
    times = (row.engine, row.compiled, *row.c.values())
    return row.name, str(row.sms), str(row.cycles), *(f"{ns:.0f}" for ns in times)


def main() -> None:
    """Replace the table of the page by one measured here."""
    try:
        measured = text(list(rows()))
    except InputError as error:
        sys.exit(str(error))
    version = subprocess.run([compiler(), "--version"], capture_output=True, text=True)
    where = f"{this_machine()}; {version.stdout.splitlines()[0]}"
    replace_tables(PAGE, [f"{measured.rstrip()}\n\n{where}"], BLOCK)


if __name__ == "__main__":
    main()
