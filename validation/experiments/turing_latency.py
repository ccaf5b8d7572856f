"""Latencies and rates of instructions on Turing cards, and the issue distances of the compiler.

Issue distances are what scoreboards keep apart: with control bits, the code says them. Other
published rows cannot be compared; `validation/hardware/README.md` says why.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from .bench import clock_difference, distance, simulate
from .measurement import Measurement
from .published import table

TU102 = "rtx_2080_ti"  # the TITAN RTX has the same die
TU104 = "rtx_2070_super"  # the RTX 2070 has the same SM
SCOREBOARD: dict[str, Any] = {"sm.dependence.mode": "scoreboard"}

PAIR = """
[B------:R-:W-:-:S01] {first} ;
[B------:R-:W-:-:S01] {second} ;
"""
# Instructions of the classes of the vendor's table: one that writes, one that reads.
WRITERS = {
    "GPR": {
        "CoupledAlu": "IADD3 R4, R6, R7, RZ",
        "CoupledFMA": "FFMA R4, R6, R7, R8",
        "IMADLo": "IMAD R4, R6, R7, R8",
        "RedirectedFP16": "HADD2 R4, R6, R7",
        "CoupledDisp64": "CS2R R4, SR_CLOCKLO",
        "HMMA_1688": "HMMA.1688.F32 R4, R12, R14, R8",
    },
    "predicate": {"CoupledAlu": "ISETP.EQ.AND P0, PT, R6, R7, PT"},
    "uniform": {
        "Udp": "UIADD3 UR4, UR6, UR7, URZ",
        "Uldc": "ULDC UR4, c[0x0][0x160]",
        "Umov": "UMOV UR4, 0x8",
    },
}
READERS = {
    "GPR": {
        "CoupledAlu": "IADD3 R20, R4, R7, RZ",
        "CoupledFMA": "FFMA R20, R4, R7, R8",
        "IMADLo": "IMAD R20, R4, R7, R8",
        "RedirectedFP16": "HADD2 R20, R4, R7",
        "RedirectedFP64": "DADD R20, R4, R10",
        "Decoupled": "MUFU.RCP R20, R4",
    },
    "predicate": {
        "CoupledAlu": "FSEL R20, R6, R7, P0",
        "Guard": "@P0 IADD3 R20, R6, R7, RZ",
    },
    "uniform": {
        "Udp": "UIADD3 UR8, UR4, UR7, URZ",
        "VectorCoupled": "IADD3 R20, R6, UR4, RZ",
        "VectorDecoupled": "LDS R20, [R6+UR4]",
    },
}

FP64 = {"DADD": "DADD R4, R6, R8", "DMUL": "DMUL R4, R6, R8", "DFMA": "DFMA R4, R6, R8, R10"}
AWAITED = """
[B------:R-:W0:-:S02] {instruction} ;
[B0-----:R-:W-:-:S01] NOP ;
"""

# By the name in the table; each reads the result of the one before.
FP32 = {"FADD": "FADD", "FSUB": "FADD", "FMUL": "FMUL", "FMA": "FFMA"}
OPERANDS = {"FADD": "R6", "FMUL": "R6", "FFMA": "R6, R7"}
WARPS = tuple(range(32))
CHAIN = 256

BANK_TEST = """
[B------:R-:W-:-:S02] CS2R.32 R6, SR_CLOCKLO ;
{adds}
[B------:R-:W-:-:S04] CS2R.32 R7, SR_CLOCKLO ;
"""
ADDS = 64
# Sources of the k-th IADD3: R10 and R12 are even, so every register R10 + 2k is in their bank.
SOURCES: dict[str, Callable[[int], str]] = {
    "IADD3 conflict": lambda k: f"R{10 + 2 * k}, R{12 + 2 * k}, R10",
    "IADD3 no conflict": lambda k: f"R{10 + 2 * k}, R{11 + 2 * k}, R10",
    "IADD3 reuse": lambda k: f"R12.reuse, R{14 + 2 * k}, R10",
    "IADD3 double reuse": lambda k: f"R12.reuse, R11.reuse, R{14 + 2 * k}",
}


def issue_distance(first: str, second: str) -> int:
    """Cycles between two dependent instructions if scoreboards keep them apart."""
    return distance(PAIR.format(first=first, second=second), TU102, **SCOREBOARD)


def chain_latency(opcode: str) -> int:
    operands = OPERANDS[opcode]
    return issue_distance(f"{opcode} R4, R2, {operands}", f"{opcode} R20, R4, {operands}")


def chain_rate(opcode: str) -> float:
    """Operations per cycle of an SM with 32 warps, each a chain."""
    code = f"@repeat {CHAIN} [B------:R-:W-:-:S04] {opcode} R4, R4, {OPERANDS[opcode]} ;"
    result = simulate(code, TU102, WARPS).events
    issue = result[result["opcode"] == opcode]["issue"]
    return 32 * len(issue) / int(issue.max() - issue.min() + 1)


def fp64_latency(instruction: str) -> int:
    return distance(AWAITED.format(instruction=instruction), TU102)


def bank_cycles(name: str) -> float:
    """Cycles per IADD3 of a sequence, clock reads included as on the card."""
    adds = (f"[B------:R-:W-:-:S01] IADD3 R10, {SOURCES[name](k)} ;" for k in range(ADDS))
    return clock_difference(BANK_TEST.format(adds="\n".join(adds)), TU104) / ADDS


def _distances() -> Iterator[Measurement]:
    for row in table("sm75_issue_distance"):
        kind, first, second = row["register_file"], row["first_class"], row["second_class"]
        yield Measurement(
            f"Turing issue distances: {kind}",
            f"{first} to {second}",
            int(row["min_issue_distance_cycles"]),
            row["source"],
            partial(issue_distance, WRITERS[kind][first], READERS[kind][second]),
        )


def _instruction(row: dict[str, str]) -> tuple[str, Callable[[], float]]:
    """What a row of the instruction table measures, and its simulation."""
    name = row["instruction"]
    if name in SOURCES:
        return "register banks", partial(bank_cycles, name)
    if row["sass_sequence"] in FP64:
        return "FP64 latency", partial(fp64_latency, FP64[row["sass_sequence"]])
    if row["kind"] == "dependent chain latency":
        return "FP32 latency", partial(chain_latency, FP32[name])
    return "FP32 rate", partial(chain_rate, FP32[name])


def measurements() -> Iterator[Measurement]:
    yield from _distances()
    for row in table("sm75_instructions"):
        what, simulated = _instruction(row)
        yield Measurement(
            f"Turing {what}",
            f"{row['gpu']}: {row['instruction']}, {row['kind']}",
            float(row["cycles"]),
            row["source"],
            simulated,
        )
