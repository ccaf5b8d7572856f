"""Loads, stores and atomics of global, shared, local and constant memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...isa.program import Kind, Operand, Space
from .fragments import Warps
from .memory import Memory
from .semantics import semantics
from .step import Floats, Step, Words, flush

Address = NDArray[np.int64]

CACHING = (
    "E SYS CTA GPU SM STRONG WEAK CONSTANT MMIO EF EL LU EU NA U BYPASS ZD LTC64B LTC128B LTC256B"
)
WIDTHS = "U8 S8 U16 S16 32 64 128"
PARTS: dict[str, type[np.integer[Any]]] = {
    "U8": np.uint8,
    "S8": np.int8,
    "U16": np.uint16,
    "S16": np.int16,
}
SPACES = {
    "LDG": Space.GLOBAL,
    "STG": Space.GLOBAL,
    "RED": Space.GLOBAL,
    "ATOMG": Space.GLOBAL,
    "LDS": Space.SHARED,
    "STS": Space.SHARED,
    "ATOMS": Space.SHARED,
    "LDL": Space.LOCAL,
    "STL": Space.LOCAL,
}


def part(s: Step) -> type[np.integer[Any]]:
    """Type of one element in memory: a word, or the part of one that the modifiers name."""
    return next((PARTS[m] for m in s.instruction.modifiers if m in PARTS), np.uint32)


def width(s: Step) -> int:
    """Bytes that a thread moves."""
    words = 4 if s.has("128") else 2 if s.has("64") else 1
    return words * np.dtype(part(s)).itemsize


def address_of(s: Step, operand: Operand) -> Address:
    """Byte address of each lane: register, uniform register and constant offset.

    A 64-bit global address takes register pairs; anything else is a 32-bit number.
    """
    long = operand.registers == 2
    total = np.full(s.executed.shape, operand.offset, np.int64)
    if operand.index is not None:
        base = s.wide(operand).view(np.int64) if long else s.raw(operand).astype(np.int64)
        scale = next((int(x[1:]) for x in operand.suffixes if x[0] == "X"), 1)
        total = total + base * scale
    if operand.uniform is not None:
        total = total + s.uniform(operand.uniform).astype(np.int64)
        if "E" in s.instruction.modifiers:
            total = total + (s.uniform(operand.uniform, 1).astype(np.int64) << 32)
    return total


def locate(s: Step, size: int) -> tuple[Memory, Address]:
    """Memory and offsets of an access, checked in all lanes that execute; 0 in the others."""
    operand = next(o for o in s.instruction.operands if o.kind is Kind.ADDRESS)
    memory = s.state.memories[SPACES[s.instruction.opcode]]
    address = address_of(s, operand)
    s.addresses = np.where(s.executed, address, 0)
    misaligned = s.executed & (address & (size - 1) != 0)
    if misaligned.any():
        s.fault(misaligned, lambda r, i: f"address {address[r, i]:#x} is not a multiple of {size}")
    offset, allowed = memory.locate(s.warps, address, size)
    outside = s.executed & ~allowed
    if outside.any():
        s.fault(outside, lambda r, i: f"address {address[r, i]:#x} is outside any allocation")
    return memory, offset if s.everyone else np.where(s.executed, offset, 0)


@semantics("LDG", "LDS", "LDL", modifiers=f"{CACHING} {WIDTHS}", predicates=False)
def load(s: Step) -> None:
    """Reads up to four consecutive words; parts of a word are extended to 32 bits."""
    size, element = width(s), part(s)
    memory, offset = locate(s, size)
    values = memory.data.view(element)
    first = offset // np.dtype(element).itemsize
    s.write(*(values[first + i].astype(np.uint32) for i in range(max(1, size // 4))))


@semantics(
    "STG", "STS", "STL", modifiers=f"{CACHING} {WIDTHS}", destination=False, predicates=False
)
def store(s: Step) -> None:
    """Writes up to four consecutive words; where lanes collide, the highest one stays."""
    size, element = width(s), part(s)
    memory, offset = locate(s, size)
    values = memory.data.view(element)
    first = offset[s.executed] // np.dtype(element).itemsize
    for i in range(max(1, size // 4)):
        word = np.broadcast_to(s.raw(s.sources[1], i), s.executed.shape)
        values[first + i] = word[s.executed].astype(element)


@semantics("LDC", "ULDC", modifiers=WIDTHS, predicates=False)
def load_constant(s: Step) -> None:
    """Reads constant memory."""
    operand = s.sources[0]
    size, element = width(s), part(s)
    bank = s.state.launch.banks[operand.bank]
    register = s.raw(operand) if operand.kind is Kind.ADDRESS else s.register(operand.index)
    address = operand.offset + register.view(np.int32).astype(np.int64)
    everywhere = np.broadcast_to(address, s.executed.shape)
    inside = (everywhere >= 0) & (everywhere + size <= bank.nbytes)
    bad = s.executed & ~(inside & (everywhere & (size - 1) == 0))
    if bad.any():
        s.fault(
            bad, lambda r, i: f"constant address {everywhere[r, i]:#x} is outside or misaligned"
        )
    s.addresses = np.where(s.executed, everywhere, 0)
    values = bank.view(element)
    first = np.clip(address, 0, bank.nbytes - size) // np.dtype(element).itemsize
    s.write(*(values[first + i].astype(np.uint32) for i in range(max(1, size // 4))))


# Atomics: (old value, operand) -> new value

Combine = Callable[[Words, Words], Words]


def _signed(function: Callable[..., Any]) -> Combine:
    return lambda old, x: function(old.view(np.int32), x.view(np.int32)).view(np.uint32)


COMBINE: dict[str, Combine] = {
    "ADD": lambda old, x: old + x,
    "MIN": np.minimum,
    "MAX": np.maximum,
    "AND": lambda old, x: old & x,
    "OR": lambda old, x: old | x,
    "XOR": lambda old, x: old ^ x,
    "EXCH": lambda old, x: x + np.zeros_like(old),
    "INC": lambda old, x: np.where(old >= x, np.uint32(0), old + np.uint32(1)),
    "DEC": lambda old, x: np.where((old == 0) | (old > x), x, old - np.uint32(1)),
}
SIGNED: dict[str, Combine] = {"MIN": _signed(np.minimum), "MAX": _signed(np.maximum)}


def combine_floats(s: Step) -> Combine:
    """Addition of binary32, flushing denormals if asked to."""

    def add(old: Words, x: Words) -> Words:
        terms = [flush(v) if s.has("FTZ") else v for v in (old, x)]
        total: Floats = terms[0].view(np.float32) + terms[1].view(np.float32)
        return total.view(np.uint32)

    return add


def combination(s: Step) -> Combine:
    """The operation that the modifiers of an atomic name."""
    if s.has("F32"):
        return combine_floats(s)
    name = next(m for m in s.instruction.modifiers if m in COMBINE)
    return SIGNED.get(name, COMBINE[name]) if s.has("S32") else COMBINE[name]


def rounds(offset: Address) -> list[Warps]:
    """Partition accesses, in order, into rounds without a repeated address."""
    order = np.argsort(offset, kind="stable")
    ordered = offset[order]
    positions = np.arange(len(ordered))
    starts = np.concatenate(([True], ordered[1:] != ordered[:-1]))
    rank = positions - np.maximum.accumulate(np.where(starts, positions, 0))
    by_rank = np.argsort(rank, kind="stable")
    return np.split(order[by_rank], np.flatnonzero(np.diff(rank[by_rank])) + 1)


ATOMIC = f"{CACHING} {' '.join(COMBINE)} S32 U32 F32 FTZ RN"


@semantics("RED", modifiers=ATOMIC, destination=False, predicates=False)
def reduction(s: Step) -> None:
    """Combines words with memory, lane by lane."""
    operand = np.broadcast_to(s.raw(s.sources[1]), s.executed.shape)
    atomic(s, lambda old, chosen: combination(s)(old, operand[s.executed][chosen]))


@semantics("ATOMG", "ATOMS", modifiers=f"{ATOMIC} CAS POPC 32")
def exchange(s: Step) -> None:
    """Combines words with memory, lane by lane, and returns what was there before."""
    if s.has("POPC"):  # POPC.INC counts lanes
        return s.write(atomic(s, lambda old, chosen: old + np.uint32(1)))
    first, *more = (np.broadcast_to(s.raw(o), s.executed.shape) for o in s.sources[1:])
    x = first[s.executed]

    def swap(old: Words, chosen: Warps) -> Words:
        return np.where(old == x[chosen], more[0][s.executed][chosen], old)

    if s.has("CAS"):
        old = atomic(s, swap)
    else:
        old = atomic(s, lambda old, chosen: combination(s)(old, x[chosen]))
    s.output(0, np.full((1, 1), True))
    s.write(old)


def atomic(s: Step, new_value: Callable[[Words, Warps], Words]) -> Words:
    """Apply `new_value` to memory, one access after the other; the old values."""
    memory, offset = locate(s, 4)
    values = memory.data.view(np.uint32)
    where = offset[s.executed] // 4
    seen = np.zeros(len(where), np.uint32)
    for chosen in rounds(where) if len(where) else ():
        seen[chosen] = values[where[chosen]]
        values[where[chosen]] = new_value(seen[chosen], chosen)
    result = np.zeros(s.executed.shape, np.uint32)
    result[s.executed] = seen
    return result
