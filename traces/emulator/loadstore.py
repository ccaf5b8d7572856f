"""Loads, stores and atomics of global, shared, local and constant memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...isa.program import Kind, Operand, Space
from ..kernel import WINDOW_BYTES
from .checks import Use, check_written
from .constants import WINDOW_ADDRESSES
from .fragments import Warps
from .half import double_to_half, half_to_double
from .lanes import gather, scatter, whole
from .memory import Memory
from .semantics import semantics
from .step import Floats, Lanes, Step, Wide, Words, flush
from .tensor import transposed

Address = NDArray[np.int64]

CACHING = (
    "E SYS CTA GPU SM STRONG WEAK CONSTANT MMIO EF EL LU EU NA U BYPASS ZD LTC64B LTC128B LTC256B"
)
WIDTHS = "U8 S8 U16 S16 32 64 128"
ROWS, ROW_BYTES = 8, 16  # of the matrices that LDSM reads
PARTS: dict[str, type[np.integer[Any]]] = {
    "U8": np.uint8,
    "S8": np.int8,
    "U16": np.uint16,
    "S16": np.int16,
}


def part(s: Step) -> type[np.integer[Any]]:
    """Type of one element in memory: a word, or the part of one that the modifiers name."""
    return next((PARTS[m] for m in s.instruction.modifiers if m in PARTS), np.uint32)


def width(s: Step) -> int:
    """Bytes that a thread moves."""
    words = 4 if s.has("128") else 2 if s.has("64") else 1
    return words * np.dtype(part(s)).itemsize


def address_of(s: Step, operand: Operand, space: Space) -> Address:
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
        if s.has("E") and space is not Space.SHARED:
            total = total + (s.uniform(operand.uniform, 1).astype(np.int64) << 32)
    return total


@dataclass(frozen=True, slots=True)
class Piece:
    """Some lanes of an access and where in one memory they go; offset 0 in the other lanes."""

    memory: Memory
    offset: Address
    lanes: Lanes


def locate(s: Step, size: int, use: Use) -> list[Piece]:
    """Where an access goes, checked in all lanes that execute.

    A generic access has a piece for each memory: the shared and the local one are behind windows
    of the address space.
    """
    operand = next(o for o in s.instruction.operands if o.kind is Kind.ADDRESS)
    address = address_of(s, operand, s.instruction.space)
    s.addresses = np.where(s.executed, address, 0)
    if s.instruction.space is not Space.GENERIC:
        return [piece(s, s.instruction.space, address, size, s.executed, use)]
    pieces, remaining = [], s.executed
    for space, start in WINDOW_ADDRESSES.items():
        inside = s.executed & in_window(address, space)
        if inside.any():
            pieces.append(piece(s, space, address, size, inside, use, start))
            remaining = remaining & ~inside
    return [piece(s, Space.GLOBAL, address, size, remaining, use), *pieces]


@semantics("QSPC", modifiers="E G S L")
def query_space(s: Step) -> None:
    """Tells whether a generic address is in global, shared or local memory."""
    address = address_of(s, s.sources[0], Space.GENERIC)
    shared, local = (in_window(address, space) for space in (Space.SHARED, Space.LOCAL))
    holds = shared if s.has("S") else local if s.has("L") else ~(shared | local)
    s.output(0, holds)
    s.write(holds.astype(np.uint32))


def in_window(address: Address, space: Space) -> Lanes:
    """Whether generic addresses are behind the window of a memory."""
    start = WINDOW_ADDRESSES[space]
    return (address >= start) & (address < start + WINDOW_BYTES)


def piece(
    s: Step,
    space: Space,
    address: Address,
    size: int,
    lanes: Lanes,
    use: Use,
    start: int = 0,
) -> Piece:
    """The lanes of an access that go to one memory, checked; `start` is where its window begins."""
    memory = s.state.memories[space]
    places = address - start if start else address
    offset, bad = memory.locate(s.warps, places, whole(lanes, address.shape), size)
    if bad >= 0:
        row, lane = divmod(bad, address.shape[1])
        found = address[row, lane]
        what = f"is not a multiple of {size}" if found & (size - 1) else "is outside any allocation"
        s.fault_at(row, lane, f"{space.name.lower()} address {found:#x} {what}")
    if s.state.launch.checks and lanes.any():
        check(s, use, space, offset, lanes, size)
    return Piece(memory, offset, lanes)


def check(s: Step, use: Use, space: Space, offset: Address, lanes: Lanes, size: int) -> None:
    """The optional checks of an access to one memory."""
    numbers = np.flatnonzero(lanes)
    places = offset[lanes][:, None] + np.arange(size)
    written = s.state.memories[space].written
    if written is not None:
        check_written(s, use, written, numbers, places, space.name.lower())
    if space is Space.SHARED and s.state.races and use is not Use.ATOMIC:
        s.state.races.check(s, use, numbers, places)


@semantics("LD", "LDG", "LDS", "LDL", modifiers=f"{CACHING} {WIDTHS}", predicates=False)
def load(s: Step) -> None:
    """Reads up to four consecutive words; parts of a word are extended to 32 bits."""
    size, element = width(s), part(s)
    first, *others = locate(s, size, Use.READ)
    words = fetch(first, size, element)
    for other in others:
        found = fetch(other, size, element)
        words = [np.where(other.lanes, new, old) for new, old in zip(found, words, strict=True)]
    s.write(*words)


def fetch(where: Piece, size: int, element: type[np.integer[Any]]) -> list[Words]:
    """The words of an access, or its part of a word extended to 32 bits."""
    if element is np.uint32:
        return list(gather(where.memory.data.view(np.uint32), where.offset, max(1, size // 4)))
    values = where.memory.data.view(element)
    return [values[where.offset // np.dtype(element).itemsize].astype(np.uint32)]


@semantics(
    "ST", "STG", "STS", "STL", modifiers=f"{CACHING} {WIDTHS}", destination=False, predicates=False
)
def store(s: Step) -> None:
    """Writes up to four consecutive words; where lanes collide, the highest one stays."""
    size, element = width(s), part(s)
    words = [s.raw(s.sources[1], i) for i in range(max(1, size // 4))]
    for where in locate(s, size, Use.WRITE):
        values = where.memory.data.view(element)
        lanes = whole(where.lanes, where.offset.shape)
        for i, word in enumerate(words):
            scatter(values, where.offset // values.itemsize + i, lanes, whole(word, lanes.shape))


@semantics("LDSM", modifiers="16 M88 MT88 2 4", predicates=False)
def load_matrices(s: Step) -> None:
    """Reads 8 x 8 matrices of 16-bit elements from shared memory, with MT88 transposed.

    Eight lanes after the other give the addresses of the rows of a matrix.
    """
    count = next((int(m) for m in s.instruction.modifiers if m in ("2", "4")), 1)
    address = address_of(s, s.sources[0], Space.SHARED)
    s.addresses = np.where(s.executed, address, 0)
    giving = s.executed & (np.arange(32) < ROWS * count)
    where = piece(s, Space.SHARED, address, ROW_BYTES, giving, Use.READ)
    words = where.memory.data.view(np.uint32)
    results = []
    for matrix in range(count):
        row = where.offset[:, ROWS * matrix : ROWS * (matrix + 1), None] // 4
        found = words[row + np.arange(ROW_BYTES // 4)]
        results.append(transposed(found) if s.has("MT88") else found.reshape(-1, 32))
    s.write(*results)


@semantics("LDGSTS", modifiers=f"{CACHING} 64 128 ACCESS ZFILL", destination=False)
def copy(s: Step) -> None:
    """Copies words from global to shared memory, at once: whoever waits for them finds them.

    With ZFILL, lanes whose predicate fails read nothing and write zeros.
    """
    size = width(s)
    target, source = s.sources
    from_, to = address_of(s, source, Space.GLOBAL), address_of(s, target, Space.SHARED)
    s.addresses, s.shared_addresses = (np.where(s.executed, a, 0) for a in (from_, to))
    reading = s.executed & s.input(0, True)
    found = fetch(piece(s, Space.GLOBAL, from_, size, reading, Use.READ), size, np.uint32)
    where = piece(s, Space.SHARED, to, size, s.executed, Use.WRITE)
    values = where.memory.data.view(np.uint32)
    first = where.offset[s.executed] // 4
    for i, word in enumerate(found):
        values[first + i] = np.where(reading, word, np.uint32(0))[s.executed]


@semantics("LDC", "ULDC", "LDCU", modifiers=WIDTHS, predicates=False)
def load_constant(s: Step) -> None:
    """Reads constant memory."""
    operand = s.sources[0]
    size, element = width(s), part(s)
    bank = s.state.launch.banks[operand.bank]
    registers = s.register(operand.index), s.uniform(operand.uniform)
    address = operand.offset + sum(r.view(np.int32).astype(np.int64) for r in registers)
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


# Atomics: (old value, operand) -> new value, on unsigned numbers of 32 or 64 bits

Unsigned = NDArray[np.unsignedinteger[Any]]
Combine = Callable[[Any, Any], Any]


def _signed(function: Callable[..., Any]) -> Combine:
    def combine(old: Unsigned, x: Unsigned) -> Any:
        kind = np.int64 if old.itemsize == 8 else np.int32
        return function(old.view(kind), x.view(kind)).view(old.dtype)

    return combine


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


def add_floats(s: Step) -> Combine:
    """Addition of binary32, flushing denormals if asked to."""

    def add(old: Words, x: Words) -> Words:
        terms = [flush(v) if s.has("FTZ") else v for v in (old, x)]
        total: Floats = terms[0].view(np.float32) + terms[1].view(np.float32)
        return total.view(np.uint32)

    return add


def add_doubles(old: Wide, x: Wide) -> Any:
    """Addition of binary64."""
    return (old.view(np.float64) + x.view(np.float64)).view(np.uint64)


def add_halves(old: Words, x: Words) -> Words:
    """Addition of pairs of binary16."""
    low, high = (
        double_to_half(half_to_double(old >> by) + half_to_double(x >> by))
        for by in (np.uint32(0), np.uint32(16))
    )
    return low | high << np.uint32(16)


def combination(s: Step) -> Combine:
    """The operation that the modifiers of an atomic name."""
    if s.has("F32"):
        return add_floats(s)
    if s.has("F64"):
        return add_doubles
    if s.has("F16x2"):
        return add_halves
    name = next(m for m in s.instruction.modifiers if m in COMBINE)
    signed = s.has("S32") or s.has("S64")
    return SIGNED.get(name, COMBINE[name]) if signed else COMBINE[name]


def rounds(offset: Address) -> list[Warps]:
    """Partition accesses, in order, into rounds without a repeated address."""
    order = np.argsort(offset, kind="stable")
    ordered = offset[order]
    positions = np.arange(len(ordered))
    starts = np.concatenate(([True], ordered[1:] != ordered[:-1]))
    rank = positions - np.maximum.accumulate(np.where(starts, positions, 0))
    by_rank = np.argsort(rank, kind="stable")
    return np.split(order[by_rank], np.flatnonzero(np.diff(rank[by_rank])) + 1)


ATOMIC = f"{CACHING} {' '.join(COMBINE)} S32 U32 F32 64 U64 S64 F64 F16x2 FTZ RN"


def operands(s: Step) -> list[NDArray[Any]]:
    """What an atomic combines with memory, each lane's beside the other's."""
    values = [s.wide(o) if is_wide(s) else s.raw(o) for o in s.sources[1:]]
    return [np.broadcast_to(value, s.executed.shape).reshape(-1) for value in values]


def is_wide(s: Step) -> bool:
    """Whether an atomic has 64-bit operands."""
    return not {"64", "U64", "S64", "F64"}.isdisjoint(s.instruction.modifiers)


@semantics("RED", "REDG", modifiers=ATOMIC, destination=False, predicates=False)
def reduction(s: Step) -> None:
    """Combines numbers with memory, lane by lane."""
    (x,) = operands(s)
    atomic(s, lambda old, lanes: combination(s)(old, x[lanes]))


@semantics("ATOM", "ATOMG", "ATOMS", modifiers=f"{ATOMIC} CAS CAST SPIN POPC 32")
def exchange(s: Step) -> None:
    """Combines numbers with memory, lane by lane, and returns what was there before.

    CAST tells whether the exchange took place instead.
    """
    if s.has("POPC"):  # POPC.INC counts lanes
        return s.write(atomic(s, lambda old, lanes: old + np.uint32(1)).astype(np.uint32))
    first, *more = operands(s)
    if s.has("CAS") or s.has("CAST"):
        old = atomic(s, lambda old, lanes: np.where(old == first[lanes], more[0][lanes], old))
    else:
        old = atomic(s, lambda old, lanes: combination(s)(old, first[lanes]))
    s.output(0, np.full((1, 1), True))
    if s.has("CAST"):
        return s.write((old == first.reshape(old.shape)).astype(np.uint32))
    return s.write_wide(old) if is_wide(s) else s.write(old)


def atomic(s: Step, new_value: Callable[[Any, Warps], Any]) -> Any:
    """Apply `new_value` to memory, one access after the other; the old values.

    `new_value` takes what is there and the numbers of the lanes, counted through all warps.
    """
    kind = np.uint64 if is_wide(s) else np.uint32
    size = np.dtype(kind).itemsize
    result = np.zeros(s.executed.shape, kind)
    for where in locate(s, size, Use.ATOMIC):
        values = where.memory.data.view(kind)
        lanes, places = np.flatnonzero(where.lanes), where.offset[where.lanes] // size
        seen = np.zeros(len(places), kind)
        for chosen in rounds(places) if len(places) else ():
            seen[chosen] = values[places[chosen]]
            values[places[chosen]] = new_value(seen[chosen], lanes[chosen])
        result[where.lanes] = seen
    return result
