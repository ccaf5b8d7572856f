"""The opcode table: unit, latency class and operand shape of every base opcode.

`opcodes.csv` has one row per opcode. A row named `IMAD.WIDE` applies when that modifier is
present, and a row that names architectures goes before the one for all (`*`). `writes` is what
leads the operands: `R` a destination register, `P` up to so many destination predicates.
Units and classes follow the recommended column of the latency survey (sm-core 5.2).
"""

from __future__ import annotations

import csv
import difflib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources

from .program import Access, Space, Unit


@dataclass(frozen=True, slots=True)
class Opcode:
    """What the table knows about one opcode."""

    name: str
    unit: Unit
    latency_class: str
    fixed: bool
    writes: str
    space: Space = Space.NONE
    access: Access = Access.NONE
    note: str = ""
    known: bool = True


# Prefixes of opcodes outside the table, longest first, and the opcode they are taken to resemble.
FAMILIES = {
    "ATOMS": "ATOMS",
    "ATOM": "ATOMG",
    "RED": "RED",
    "LDS": "LDS",
    "LDL": "LDL",
    "LDC": "LDC",
    "LDG": "LDG",
    "LD": "LD",
    "STS": "STS",
    "STL": "STL",
    "STG": "STG",
    "ST": "ST",
    "SU": "SULD",
    "TEX": "TEX",
    "TLD": "TLD",
    "TX": "TXD",
    "B": "BRA",
    "D": "DFMA",
    "F": "FADD",
    "H": "HFMA2",
    "IM": "IMAD",
    "I": "IADD3",
    "MUFU": "MUFU",
    "S": "SHF",
    "U": "UIADD3",
    "V": "VIADD",
}


@cache
def table() -> dict[tuple[str, str], Opcode]:
    """Rows of the table by (opcode, architecture or `*`)."""
    rows: dict[tuple[str, str], Opcode] = {}
    text = resources.files(__package__).joinpath("opcodes.csv").read_text()
    for row in csv.DictReader(text.splitlines()):
        opcode = Opcode(
            name=row["opcode"],
            unit=Unit[row["unit"]],
            latency_class=row["latency_class"],
            fixed=row["fixed"] == "yes",
            writes=row["writes"],
            space=Space[row["space"] or "NONE"],
            access=Access[row["access"] or "NONE"],
            note=row["note"],
        )
        for arch in row["archs"].split():
            rows[row["opcode"], arch] = opcode
    return rows


@cache
def names() -> frozenset[str]:
    """All base opcodes of the table."""
    return frozenset(name for name, _ in table() if "." not in name)


def latency_classes() -> tuple[str, ...]:
    """All latency classes of the table, sorted."""
    return tuple(sorted({opcode.latency_class for opcode in table().values()}))


def lookup(opcode: str, modifiers: Iterable[str] = (), arch: str = "*") -> Opcode:
    """The row of an opcode, or a guess by family marked `known=False`; never raises."""
    rows = table()
    for name in (*(f"{opcode}.{modifier}" for modifier in modifiers), opcode):
        for where in (arch, "*"):
            if (name, where) in rows:
                return rows[name, where]
    return _guess(opcode, arch)


def nearest(opcode: str) -> str | None:
    """A known opcode that is spelled almost like this one."""
    close = difflib.get_close_matches(opcode, sorted(names()), n=1, cutoff=0.7)
    return close[0] if close else None


def _guess(opcode: str, arch: str) -> Opcode:
    if opcode.endswith("MMA"):
        return _unknown(opcode, lookup("HMMA", arch=arch))
    for prefix, relative in FAMILIES.items():
        if opcode.startswith(prefix):
            return _unknown(opcode, lookup(relative, arch=arch))
    return Opcode(opcode, Unit.MISC, "misc", True, "R", known=False)


def _unknown(opcode: str, like: Opcode) -> Opcode:
    return replace(like, name=opcode, note=f"like {like.name}", known=False)
