"""Table 2: how long after a memory instruction its registers may be used again.

WAR: until the sources are read. RAW/WAW: until the result is written. A NOP waits for the counter
of one or the other. All accesses hit; lanes access consecutive addresses.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from .bench import distance
from .case import Case
from .published import table

CODE = """
[B------:{counters}:-:S02] {access} ;
[B0-----:R-:W-:-:S01] NOP ;
"""
WAR, RAW = "R0:W-", "R-:W0"
ADDRESS = {
    ("Global", "Regular"): "[R2.64]",
    ("Global", "Uniform"): "[UR4.64]",
    ("Shared", "Regular"): "[R2]",
    ("Shared", "Uniform"): "[UR4]",
    ("Constant", "Regular"): "c[0x3][R2]",
    ("Constant", "Immediate"): "c[0x3][0x0]",
}
OPCODE = {
    ("Load", "Global"): "LDG.E",
    ("Store", "Global"): "STG.E",
    ("Load", "Shared"): "LDS",
    ("Store", "Shared"): "STS",
    ("Load", "Constant"): "LDC",
}


def instruction(operation: str, space: str, bits: str, address: str) -> str:
    """SASS of a row of the table."""
    width = "" if bits == "32" else f".{bits}"
    if operation == "LDGSTS":
        return f"LDGSTS.E{width} [R6], [R2.64]"
    opcode = OPCODE[operation, space] + width
    where = ADDRESS[space, address]
    return f"{opcode} {where}, R8" if operation == "Store" else f"{opcode} R8, {where}"


def cases() -> Iterator[Case]:
    for row in table("table_2_memory_latency"):
        kind = row["operation"], row["space"], row["bits_per_thread"], row["address_register_type"]
        source = "paper, table 2" + (" (approximate)" if row["approximate"] == "yes" else "")
        hazards = (("WAR", WAR, row["war_latency"]), ("RAW/WAW", RAW, row["raw_waw_latency"]))
        for hazard, counters, latency in hazards:
            if latency:
                yield Case(
                    "table 2",
                    f"{row['instruction']}, {row['address_register_type'].lower()}: {hazard}",
                    int(latency),
                    source,
                    partial(distance, CODE.format(counters=counters, access=instruction(*kind))),
                )
