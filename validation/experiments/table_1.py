"""Table 1: when the memory instructions of one warp per sub-core issue, 1 to 4 sub-cores active.

Five are buffered in a sub-core; then address calculation takes one in 4 cycles, and the SM takes
one in 2 cycles from all sub-cores together. The first issues in cycle 2.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from .bench import events
from .case import Case
from .published import table

ACCESSES = ("LDG.E R4, [R2.64]", "STG.E [R2.64], R4", "LDS R4, [R2]", "STS [R2], R4")
COUNT = 10
FIRST = 2


def issue_cycles(access: str, subcores: int, rank: int, gpu: str) -> str:
    """Issue cycles of a stream of `access` on sub-core 1, 2, ..."""
    code = f"@repeat {COUNT} [B------:R-:W-:-:S01] {access} ;"
    frame = events(code, gpu, tuple(range(subcores)))
    issue = frame["issue"] - frame["issue"].min() + FIRST
    return " ".join(map(str, issue[frame["subcore"] == rank - 1].iloc[:COUNT]))


def expected() -> dict[tuple[int, int], str]:
    """Issue cycles by active sub-cores and sub-core; 9 and 10 by the table's formula."""
    columns: dict[tuple[int, int], list[int]] = {}
    steps: dict[tuple[int, int], int] = {}
    for row in table("table_1_issue_cycles"):
        key = int(row["active_subcores"]), int(row["subcore_rank"])
        columns.setdefault(key, []).append(int(row["issue_cycle"]))
        steps[key] = int(row["formula_for_i_gt_8"].partition("+")[2])
    for key, column in columns.items():
        while len(column) < COUNT:
            column.append(column[-1] + steps[key])
    return {key: " ".join(map(str, column)) for key, column in columns.items()}


def cases() -> Iterator[Case]:
    for access in ACCESSES:
        for (subcores, rank), cycles in sorted(expected().items()):
            yield Case(
                "table 1",
                f"{access.split()[0]}, {subcores} active, sub-core {rank}: issue cycles",
                cycles,
                "paper, table 1",
                partial(issue_cycles, access, subcores, rank),
            )
