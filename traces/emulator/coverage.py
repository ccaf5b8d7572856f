"""Which opcodes of real kernels the emulator executes.

The tables count 550 distinct kernels of public CUDA benchmark suites (PolyBench-GPU, Rodinia 3.1,
Parboil, SHOC, Pannotia, LonestarGPU, Tango and others), compiled by nvcc 13.0.88 with -O3 for
sm_75 and sm_86 and disassembled by nvdisasm 13.5. `corpus_opcodes.csv` counts every spelling;
`corpus_priority.csv` orders the opcodes so that complete kernels become runnable soonest.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from importlib import resources

from .semantics import TABLE

TARGET_PERCENT = 99.0  # of kernels; the opcodes up to there are the ones that matter


@dataclass(frozen=True)
class Coverage:
    """How much of the corpus of one architecture has semantics."""

    arch: str
    opcodes: int  # that the corpus uses
    executed: int  # of them
    instructions_percent: float  # static instructions whose opcode and modifiers are executed
    missing: tuple[str, ...]  # opcodes of the set that covers 99 % of kernels
    unread_modifiers: tuple[str, ...]  # spellings of executed opcodes that are refused

    def __str__(self) -> str:
        return (
            f"{self.arch}: {self.executed} of {self.opcodes} opcodes, "
            f"{self.instructions_percent:.2f} % of static instructions\n"
            f"  missing of the set for {TARGET_PERCENT:.0f} % of kernels: "
            f"{', '.join(self.missing) or 'none'}\n"
            f"  spellings refused: {', '.join(self.unread_modifiers) or 'none'}"
        )


def coverage() -> list[Coverage]:
    """Coverage of each architecture of the corpus."""
    spellings, ranks = _rows("corpus_opcodes.csv"), _rows("corpus_priority.csv")
    return [_of_arch(arch, spellings, ranks) for arch in sorted({row["arch"] for row in spellings})]


def _of_arch(arch: str, spellings: list[dict[str, str]], ranks: list[dict[str, str]]) -> Coverage:
    spellings = [row for row in spellings if row["arch"] == arch]
    used = {row["opcode"] for row in spellings}
    total = sum(int(row["static_count"]) for row in spellings)
    executed = sum(int(row["static_count"]) for row in spellings if is_executed(row))
    refused = [row for row in spellings if row["opcode"] in TABLE and not is_executed(row)]
    return Coverage(
        arch,
        len(used),
        len(used & TABLE.keys()),
        100 * executed / total,
        tuple(name for name in needed(arch, ranks) if name not in TABLE),
        tuple(f"{row['opcode']}.{row['modifiers']}" for row in refused),
    )


def is_executed(row: dict[str, str]) -> bool:
    """Whether an opcode has semantics with all its modifiers; operands may still be refused."""
    meaning = TABLE.get(row["opcode"])
    modifiers = filter(None, row["modifiers"].split("."))
    return meaning is not None and meaning.modifiers.issuperset(modifiers)


def needed(arch: str, ranks: list[dict[str, str]]) -> list[str]:
    """The opcodes that together cover the target share of kernels, in order of priority."""
    rows = [row for row in ranks if row["arch"] == arch]
    end = next(i for i, r in enumerate(rows) if float(r["percent_covered"]) >= TARGET_PERCENT)
    return [row["opcode"] for row in rows[: end + 1]]


def _rows(name: str) -> list[dict[str, str]]:
    """A table of the corpus."""
    text = (resources.files(__package__) / name).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))
