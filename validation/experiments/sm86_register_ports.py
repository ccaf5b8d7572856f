"""Register-file ports and cache of an RTX 3060: groups of four FFMAs, all operands and reuse bits.

Twelve warps per sub-core repeat a group, as on the card. There a CTA that ends makes room for the
next one; here the time is taken until the first warp ends, so that twelve are alive throughout.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial

from .bench import events
from .measurement import RTX_3060, Measurement
from .published import table

CLOCK_MHZ = 1702  # nominal; it could not be locked
WARPS = tuple(range(3, 24, 4))  # of two CTAs, all on sub-core 3
REPEAT = ".repeat {count}\n{code}\n.end"
GROUPS = 24
FILLING = 16  # instructions until the pipeline is full
# Of the bank test: sub-cores of the card, warps of the grid.
SUBCORES = 4 * 30
GRID_WARPS = 1800 * 512 // 32


def cycles_per_instruction(code: str, count: int) -> float:
    """Cycles per instruction of a sub-core while twelve warps run `code` `count` times."""
    frame = events(REPEAT.format(count=count, code=code), RTX_3060, WARPS, ctas=2)
    end = frame[frame["opcode"] == "EXIT"]["issue"].min()
    issue = frame["issue"][frame["issue"] < end].iloc[FILLING - 1 :]
    return float(issue.iloc[-1] - issue.iloc[0]) / (len(issue) - 1)


def cycles_per_group(code: str) -> float:
    """Cycles per group of four."""
    return 4 * cycles_per_instruction(code, GROUPS)


def controls(description: str) -> list[str]:
    """Control bits of the four instructions from `first: stall 2, other three: stall 1, all Y`."""
    stalls = [int(stall) for stall in re.findall(r"stall (\d+)", description)]
    stalls += [stalls[-1]] * (4 - len(stalls))
    return [f"[B------:R-:W-:{description[-1]}:S{stall:02}]" for stall in stalls]


def group(row: dict[str, str]) -> str:
    """The code of a row: one line per instruction."""
    instructions = row["group_of_4_instructions"].split(" ; ")
    lines = zip(controls(row["control"]), instructions, strict=True)
    return "\n".join(f"{control} {instruction} ;" for control, instruction in lines)


def measured_per_instruction(row: dict[str, str]) -> float:
    """Cycles of a sub-core per instruction from the duration of a bank test."""
    cycles = float(row["mean_ms"]) * CLOCK_MHZ * 1000 * SUBCORES
    return cycles / (GRID_WARPS * int(row["repetitions_per_thread"]))


def measurements() -> Iterator[Measurement]:
    for row in table("sm86_register_ports"):
        yield Measurement(
            "register ports: " + ("operands" if row["variant"] else "stall counts"),
            row["variant"] or row["control"],
            float(row["derived_cycles_per_group_at_1702MHz"]),
            row["source"],
            partial(cycles_per_group, group(row)),
        )
    for row in table("sm86_register_banks"):
        code = f"[B------:R-:W-:-:S01] {row['repeated_instruction']} ;"
        yield Measurement(
            "register banks",
            row["repeated_instruction"],
            measured_per_instruction(row),
            row["source"],
            partial(cycles_per_instruction, code, 4 * GROUPS),
        )
