"""How fast the simulator is on this machine: a short set of kernels on an RTX A6000.

`python -m warpwise.validation.benchmarks` writes the table of `docs/benchmarks.md`.
"""

from __future__ import annotations

import os
import platform
import resource
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..isa.files import whole
from ..sim import engine
from ..sim.machine.load import Machine, load
from ..traces.kernel import Kernel
from .experiments.addressed import kernel
from .report import aligned

GPU = "rtx_a6000"
SIZES = (1, 8, 84)  # SMs
RUNS = 5
WORD = 4
X, Y = 0x10000000, 0x20000000
PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"

FFMA = """
.repeat 400
[B------:R-:W-:-:S01] FFMA R1, R2.reuse, R3, R4 ;
.end
"""
SAXPY = """
[B------:R-:W-:-:S01] S2R R0, SR_TID.X ;
[B------:R-:W-:-:S05] IMAD R0, R0, 0x4, RZ ;
[B------:R-:W-:-:S05] IADD3 R2, R0, R6, RZ ;
[B------:R-:W0:-:S02] LDG.E R8, [R2.64] ;
[B------:R-:W1:-:S02] LDG.E R9, [R4.64] ;
[B01----:R-:W-:-:S04] FFMA R9, R8, R10, R9 ;
[B------:R-:W-:-:S02] STG.E [R4.64], R9 ;
"""
# A tile of 64 x 64 in 256 threads, 4 x 4 results each: 4 steps of depth 16.
TILES = 4
DEPTH = 16
TILE = """
[B------:R-:W0:-:S02] LDG.E.128 R48, [R2.64] ;
[B------:R-:W1:-:S02] LDG.E.128 R52, [R4.64] ;
[B0-----:R-:W-:-:S02] STS.128 [R6], R48 ;
[B-1----:R2:W-:-:S02] STS.128 [R7], R52 ;
[B--2---:R-:W-:-:S05] BAR.SYNC 0x0 ;
"""


def _fragments(step: int) -> list[str]:
    """Loads of four values of each matrix into one of two sets of registers."""
    a = 32 + 8 * (step % 2)
    return [
        f"[B------:R-:W-:-:S01] LDS.128 R{a}, [R8] ;",
        f"[B------:R-:W{3 + step % 2}:-:S01] LDS.128 R{a + 4}, [R9] ;",
    ]


def _step(step: int) -> list[str]:
    """The 16 products of one step, among them the loads for the next one.

    This is how nvcc 13 writes the loop for sm_86: a row's value is kept for reuse, and accumulators
    lie in the other bank than what the second operand takes, so no FFMA reads three registers of
    one bank.
    """
    a = 32 + 8 * (step % 2)
    lines = []
    for k in range(16):
        row, column = divmod(k, 4)
        wait = "B------" if k else ("B---3--", "B----4-")[step % 2]
        reuse = ".reuse" if column < 3 else ""
        sum_ = f"R{12 + 4 * row + (column ^ 1)}"
        lines.append(
            f"[{wait}:R-:W-:-:S01] FFMA {sum_}, R{a + row}{reuse}, R{a + 4 + column}, {sum_} ;"
        )
    if step + 1 < DEPTH:
        lines[3:3], lines[8:8] = _fragments(step + 1)[:1], _fragments(step + 1)[1:]
    return lines


def ffma(sms: int) -> Kernel:
    """Full SMs, nothing but FFMAs."""
    return kernel("ffma", FFMA, 2 * sms, 768, lambda _: np.zeros((0, 32), np.int64))


def saxpy(sms: int) -> Kernel:
    """2^18 elements for 84 SMs, a thread each."""
    ctas = 1024 * sms // max(SIZES)

    def addresses(t: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.stack([X + WORD * t, Y + WORD * t, Y + WORD * t])

    return kernel("saxpy", SAXPY, ctas, 256, addresses)


def gemm(sms: int) -> Kernel:
    """Four tiles of a product of single-precision matrices for each SM."""

    def addresses(t: NDArray[np.int64]) -> NDArray[np.int64]:
        lane = t % 256
        step = [np.full(32, 64 * WORD * k) for k in range(DEPTH)]
        reads = [(s + lane // 16 * 16, s + 4096 + lane % 16 * 16) for s in step]
        inner = [row for pair in reads for row in pair]
        rows: list[Any] = []
        for tile in range(TILES):
            base = (t // 256 * TILES + tile) * 4096
            rows += [X + base + 16 * lane, Y + base + 16 * lane, 16 * lane, 4096 + 16 * lane]
            rows += inner
        return np.stack(rows)

    steps = [line for k in range(DEPTH) for line in _step(k)]
    tile = [TILE, *_fragments(0), *steps, "[B------:R-:W-:-:S05] BAR.SYNC 0x0 ;"]
    text = "\n".join([f".repeat {TILES}", *tile, ".end"])
    return kernel("gemm", text, 4 * sms, 256, addresses)


KERNELS = {"ffma": ffma, "gemm": gemm, "saxpy": saxpy}


@dataclass(frozen=True)
class Row:
    """One kernel's speed. Coalescing its addresses counts; compiling and reading a trace do not.

    What one thread takes is its processor time, which other programs hardly change.
    """

    name: str
    sms: int
    threads: int
    warp_inst: int
    cycles: int
    wall_s: float
    cpu_s: float

    @property
    def seconds(self) -> float:
        return self.cpu_s if self.threads == 1 else self.wall_s

    @property
    def warp_inst_per_s(self) -> float:
        return self.warp_inst / self.seconds

    @property
    def cycles_per_s(self) -> float:
        return self.cycles / self.seconds

    def to_dict(self) -> dict[str, Any]:
        rates = ("warp_inst_per_s", "cycles_per_s")
        return asdict(self) | {rate: getattr(self, rate) for rate in rates}


def rows(sizes: tuple[int, ...] = SIZES, threads: tuple[int, ...] = (1,)) -> Iterator[Row]:
    """Simulate each kernel some times, with the numbers of threads in turn; medians."""
    machine = load(GPU)
    for build in KERNELS.values():
        for sms in sizes:
            loaded = held(build(sms))
            for n in threads:
                _run(loaded, machine, sms, n)
            runs = [_run(loaded, machine, sms, n) for _ in range(RUNS) for n in threads]
            for n in threads:
                mine = [run for run in runs if run.threads == n]
                yield replace(
                    mine[0],
                    wall_s=median(run.wall_s for run in mine),
                    cpu_s=median(run.cpu_s for run in mine),
                )


def _run(kernel: Kernel, machine: Machine, sms: int, threads: int) -> Row:
    """One simulation."""
    begin = time.process_time()
    state = engine.simulate(kernel, machine, sms, threads=threads)
    cpu_s = time.process_time() - begin
    inst, cycles = state.streams.warp_inst, state.execution_cycles
    return Row(kernel.name, sms, threads, inst, cycles, state.wall_s, cpu_s)


def held(lazy: Kernel) -> Kernel:
    """The same kernel with all its CTAs in memory."""
    return replace(lazy, load_cta=[lazy.load_cta(n) for n in range(lazy.n_ctas)].__getitem__)


def text(measured: list[Row]) -> str:
    """A table for people."""
    columns = ("kernel", "SMs", "threads", "warp-instructions", "cycles", "warp-inst/s", "cycles/s")
    return aligned(columns, map(_cells, measured))


def _cells(row: Row) -> tuple[str, ...]:
    counts = (row.sms, row.threads, row.warp_inst, row.cycles)
    return row.name, *map(str, counts), f"{row.warp_inst_per_s:,.0f}", f"{row.cycles_per_s:,.0f}"


def main() -> None:
    """Replace the table of the page by one measured here."""
    measured = text(list(rows(threads=(1, 2))))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    load_average = f"{os.getloadavg()[0]:.1f} programs running"
    table = f"{measured.rstrip()}\n\n{this_machine()}; {load_average}; peak memory {peak} MB"
    replace_tables(PAGE, [table])


def this_machine() -> str:
    """What measured, in a few words."""
    return f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"


def replace_tables(page: Path, tables: Sequence[str], first: int = 0) -> None:
    """Write tables into a page's blocks of code, from block `first` on."""
    parts = page.read_text().split("```\n")
    for number, table in enumerate(tables, first):
        parts[2 * number + 1] = f"{table}\n"
    with whole(page) as stream:
        stream.write("```\n".join(parts).encode())


if __name__ == "__main__":
    main()
