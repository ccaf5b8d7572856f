"""Records that hold the state of the hot loops, and their bit operations."""

from __future__ import annotations

import ctypes
import mmap
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, overload
from numpy.typing import NDArray

from ..isa.compiled import compiled, entry, hash_of, merged

__all__ = [
    "address", "allocate", "compiled", "entry", "join", "load_acquire", "lowest", "merged",
    "pointer_to", "popcount", "record", "sleep", "store_release", "u",
]  # fmt: skip

MAPPED_BYTES = 1 << 22
# The system's function that sleeps, and its shortest time. A thread that wakes gets an idle core,
# while one that only yields may share a core with the thread that it waits for.
SLEEPS = ("Sleep", 0) if os.name == "nt" else ("usleep", 1)
TEXT = Path(__file__).read_text()  # machine code that uses what is below depends on it


def record(*fields: Any) -> np.dtype[Any]:
    """A dtype whose scalars have attributes, compiled or not; nested records nest."""
    hidden = [f[0] for f in fields if hasattr(np.record, f[0])]
    if hidden:
        raise ValueError(f"field names that numpy's records use themselves: {hidden}")
    plain = np.dtype([(f[0], _plain(f[1]), *f[2:]) for f in fields], align=True)
    return _with_attributes(plain)


def _plain(kind: Any) -> Any:
    """A record without its attributes: numpy forgets the alignment of one that has them."""
    if not isinstance(kind, np.dtype) or kind.names is None:
        return kind
    fields = [(name, *_field(kind, name, _plain)) for name in kind.names]
    return np.dtype(fields, align=True)


def _with_attributes(kind: np.dtype[Any]) -> np.dtype[Any]:
    """The same layout, with attribute access at every level."""
    if kind.names is None:
        return kind
    layout = {
        "names": list(kind.names),
        "formats": [_field(kind, name, _with_attributes) for name in kind.names],
        "offsets": [kind.fields[name][1] for name in kind.names],  # type: ignore[index]
        "itemsize": kind.itemsize,
    }
    return np.dtype((np.record, np.dtype(layout)))  # type: ignore[call-overload]


def _field(
    kind: np.dtype[Any], name: str, convert: Callable[[np.dtype[Any]], Any]
) -> tuple[Any, tuple[int, ...]]:
    """Converted element type and shape of a field."""
    field = kind[name]
    return convert(field.base), field.shape


def allocate(dtype: np.dtype[Any], n: int) -> Any:
    """`n` zeroed records.

    Large arrays are mapped by hand, in huge pages: a page fault takes longer than to zero a page.
    """
    size = n * dtype.itemsize
    if size < MAPPED_BYTES:
        return np.zeros(n, dtype).view(np.recarray)
    mapped = mmap.mmap(-1, size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        mapped.madvise(mmap.MADV_HUGEPAGE)
    return np.frombuffer(mapped, dtype).view(np.recarray)


def join(dtype: np.dtype[Any], parts: list[Any]) -> Any:
    """Arrays of records one after another; `np.concatenate` would drop the padding."""
    joined = allocate(dtype, max(sum(map(len, parts)), 1))
    at = 0
    for part in parts:
        joined[at : at + len(part)] = part
        at += len(part)
    return joined


def address(array: NDArray[Any]) -> int:
    """Where an array's data starts; the owner must keep the array alive and contiguous."""
    return int(array.ctypes.data)


def pointer_to(dtype: np.dtype[Any]) -> Any:
    """A function `at(address, i)` that gives record `i` of an array of `dtype` at `address`.

    An array argument costs seven words and reference counts at every call; a record is one pointer.
    """
    record_type = numba.from_dtype(dtype)
    size = dtype.itemsize

    @intrinsic
    def _at(context: Any, base: Any, index: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            offset = builder.mul(args[1], ir.Constant(ir.IntType(64), size))
            return builder.inttoptr(
                builder.add(args[0], offset), context.get_value_type(record_type)
            )

        return record_type(types.int64, types.int64), generate

    def at(base: int, index: int) -> Any:
        buffer = (ctypes.c_char * size).from_address(int(base) + int(index) * size)
        return np.frombuffer(memoryview(buffer), dtype).view(np.recarray)[0]

    @overload(at)
    def _overloaded(base, index):
        return lambda base, index: _at(np.int64(base), np.int64(index))

    at.digest = hash_of(TEXT, dtype.descr, size)  # type: ignore[attr-defined]
    return at


def u(index: int) -> int:
    """An index known to be at least 0: spares the test for Python's negative indices."""
    return index


@intrinsic
def _unsigned(context: Any, x: Any) -> Any:
    return types.uint64(types.int64), lambda c, b, s, a: a[0]


@overload(u)
def _u(index):
    return lambda index: _unsigned(np.int64(index))


@intrinsic
def _trailing_zeros(context: Any, x: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.cttz(args[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.int64), generate


@intrinsic
def _population(context: Any, x: Any) -> Any:
    return types.int64(types.int64), lambda c, b, s, a: b.ctpop(a[0])


def lowest(x: int) -> int:
    """Position of the lowest set bit; `x` is not 0."""
    x = int(x)
    return (x & -x).bit_length() - 1


@overload(lowest)
def _lowest(x):
    return lambda x: _trailing_zeros(np.int64(x))


def popcount(x: int) -> int:
    """Number of set bits."""
    return int(x).bit_count()


@overload(popcount)
def _popcount(x):
    return lambda x: _population(np.int64(x))


@intrinsic
def _load_acquire(context: Any, address: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = builder.inttoptr(args[0], ir.IntType(64).as_pointer())
        return builder.load_atomic(pointer, "acquire", 8)

    return types.int64(types.int64), generate


@intrinsic
def _store_release(context: Any, address: Any, value: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = builder.inttoptr(args[0], ir.IntType(64).as_pointer())
        builder.store_atomic(args[1], pointer, "release", 8)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), generate


@intrinsic
def _sleep(context: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        number = ir.IntType(32)
        kind = ir.FunctionType(number, [number])
        name, shortest = SLEEPS
        function = cgutils.get_or_insert_function(builder.module, kind, name)
        builder.call(function, [ir.Constant(number, shortest)])
        return context.get_dummy_value()

    return types.void(), generate


def load_acquire(address: int) -> int:
    """The 64-bit integer at an address, and with it all that was written before it."""
    return ctypes.c_int64.from_address(int(address)).value


@overload(load_acquire)
def _load_acquire_overload(address):
    return lambda address: _load_acquire(np.int64(address))


def store_release(address: int, value: int) -> None:
    """Write a 64-bit integer after all that was written before."""
    ctypes.c_int64.from_address(int(address)).value = int(value)


@overload(store_release)
def _store_release_overload(address, value):
    return lambda address, value: _store_release(np.int64(address), np.int64(value))


def sleep() -> None:
    """Leave the core for a moment."""
    time.sleep(0)


@overload(sleep)
def _sleep_overload():
    return lambda: _sleep()


u.digest = lowest.digest = popcount.digest = hash_of(TEXT)  # type: ignore[attr-defined]
load_acquire.digest = store_release.digest = sleep.digest = hash_of(TEXT)  # type: ignore[attr-defined]
