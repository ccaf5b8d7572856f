"""Rates of the L1 and of shared memory on an RTX 3060; latencies there and on an RTX 2070.

Two of the four widths of Turing's shared memory were fitted on the RTX 2070's latencies, which are
left out. So are L2 and memory, which are another chip's: an A40 stands for them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from .bench import clock_difference, distance, simulate
from .measurement import RTX_3060, Measurement
from .published import table

RTX_2070 = "rtx_2070_super"  # the same SM
WARPS = tuple(range(32))
COUNT = 64  # of each warp
STREAM = "@repeat {count} [B------:R-:W-:-:S02] {instruction} ;"
LOADS = 500
CHASE = """
[B------:R-:W-:-:S02] CS2R.32 R8, SR_CLOCKLO ;
@repeat {loads} [B0-----:R-:W0:-:S04] {load} ;
[B0-----:R-:W-:-:S02] CS2R.32 R10, SR_CLOCKLO ;
"""
WIDTHS = {"32": "", "64": ".64", "128": ".128"}


def rate(instruction: str, lane_bytes: int) -> float:
    """Bytes per cycle of an SM with 32 warps, from the first result to the last."""
    code = STREAM.format(count=COUNT, instruction=instruction)
    rows = simulate(code, RTX_3060, WARPS).events
    ends = rows[rows["opcode"].str.startswith(instruction.split(".")[0].split()[0])]["writeback"]
    return 32 * lane_bytes * (len(ends) - 1) / int(ends.max() - ends.min())


def latency(load: str) -> float:
    """Cycles of a load in a chain."""
    return clock_difference(CHASE.format(loads=LOADS, load=load), RTX_3060) / LOADS


def _turing(load: str) -> int:
    use = "[B0-----:R-:W-:-:S01] NOP ;"
    return distance(f"[B------:R-:W0:-:S02] {load} ;\n{use}", RTX_2070)


def _stream(quantity: str) -> Callable[[], float]:
    """The simulation of a rate such as "bandwidth, LDG.32"."""
    opcode, width = quantity.split()[-1].split(".")
    operands = {"LDG": "R8, [R2.64]", "STS": "[R2], R8"}[opcode]
    name = f"{opcode}{'.E' if opcode == 'LDG' else ''}{WIDTHS[width]}"
    return partial(rate, f"{name} {operands}", int(width) // 8)


LATENCIES: dict[tuple[str, str], Callable[[], float]] = {
    ("sm_86", "L1D"): partial(latency, "LDG.E.64 R2, [R2.64]"),
    ("sm_75", "L1D"): partial(_turing, "LDG.E.SYS R4, [R2]"),
}


def measurements() -> Iterator[Measurement]:
    for row in table("memory_levels"):
        fast = row["unit"] == "B/clk/SM"
        yield Measurement(
            f"memory {'rates' if fast else 'latencies'}",
            f"{row['gpu']}: {row['level']}, {row['quantity']}",
            float(row["value"]),
            row["source"],
            _stream(row["quantity"]) if fast else LATENCIES[row["arch"], row["level"]],
        )
