"""All of numba's settings, the records that hold state, and the bit operations of the hot loops.

`compiled` and `entry` are the only users of `numba.njit`. Numba's own cache looks at the caller's
file alone and returns old machine code when a function that it calls was edited; here the cache
folder is named by a digest of the function's code and of everything it reads or calls.
"""

from __future__ import annotations

import hashlib
import mmap
from collections.abc import Callable, Iterator
from enum import EnumMeta
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic, overload
from numpy.typing import NDArray

from ..isa.files import cache_folder

INLINED_BYTES = 480  # of bytecode
MAPPED_BYTES = 1 << 22


def _codes(code: CodeType) -> Iterator[CodeType]:
    """A function's code and that of the functions defined in it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)


def _values(names: set[str], scope: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """What some names stand for in a module, and in the modules among them."""
    for name in sorted(names & scope.keys()):
        value = scope[name]
        if isinstance(value, ModuleType):
            yield from _values(names, vars(value))
        else:
            yield name, value


def _fingerprint(value: Any) -> str:
    """What of a global decides the machine code: a digest, the members of an enum, or the value."""
    digest = getattr(value, "digest", None)
    if digest is not None:
        return str(digest)
    if isinstance(value, EnumMeta):
        return repr(list(value))
    if isinstance(value, np.dtype):
        return repr((value.descr, value.itemsize))
    return str(getattr(value, "__qualname__", None) or value)


def _hash(*parts: object) -> str:
    return hashlib.blake2b("\n".join(map(str, parts)).encode(), digest_size=8).hexdigest()


# What every function's machine code depends on: this file, numba's settings and versions.
_COMMON = _hash(
    Path(__file__).read_text(), numba.config.BOUNDSCHECK, numba.__version__, np.__version__
)


def digest_of(function: Callable[..., Any]) -> str:
    """Hash of a function's code, of its constants, and of all that it reads or calls."""
    codes = list(_codes(function.__code__))
    names = {name for code in codes for name in code.co_names}
    constants = [c for code in codes for c in code.co_consts if not isinstance(c, CodeType)]
    read = [f"{name}={_fingerprint(value)}" for name, value in _values(names, function.__globals__)]
    body = [code.co_code.hex() for code in codes]
    return _hash(_COMMON, *body, constants, function.__defaults__, *read)


def _widen(kind: Any) -> Any:
    """All integers are passed as int64: one specialisation of a stage is enough."""
    return types.int64 if isinstance(kind, types.Integer | types.IntegerLiteral) else kind


def _compile(function: Callable[..., Any], **options: bool) -> Any:
    digest = digest_of(function)
    before = numba.config.CACHE_DIR
    numba.config.CACHE_DIR = str(cache_folder() / "code" / digest)
    try:
        result = numba.njit(cache=True, nogil=True, error_model="numpy", **options)(function)
    finally:
        numba.config.CACHE_DIR = before
    if hasattr(result, "get_call_template"):  # else numba is switched off
        by_arguments = result.get_call_template
        result.get_call_template = lambda args, kws: by_arguments(tuple(map(_widen, args)), kws)
    result.digest = digest
    return result


def compiled(function: Callable[..., Any]) -> Any:
    """Compile a stage, which only other compiled functions call.

    Its machine code is cached under the digest of all that it depends on. It has no wrapper for
    Python, which halves the time to compile, and no reference counts, since it allocates nothing.
    Small functions become part of their callers, which LLVM would do less often: a third faster
    for a tenth more time to compile.
    """
    small = len(function.__code__.co_code) <= INLINED_BYTES
    return _compile(
        function, no_cpython_wrapper=True, no_cfunc_wrapper=True, _nrt=False, forceinline=small
    )


def entry(function: Callable[..., Any]) -> Any:
    """Compile a function that Python calls; it may allocate arrays."""
    return _compile(function)


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

    Large arrays are mapped by hand: numpy asks for huge pages, and to zero these costs more than a
    short kernel, since most of an SM's record is never touched.
    """
    size = n * dtype.itemsize
    if size < MAPPED_BYTES:
        return np.zeros(n, dtype).view(np.recarray)
    return np.frombuffer(mmap.mmap(-1, size), dtype).view(np.recarray)


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
        import ctypes

        buffer = (ctypes.c_char * size).from_address(int(base) + int(index) * size)
        return np.frombuffer(memoryview(buffer), dtype).view(np.recarray)[0]

    @overload(at)
    def _overloaded(base, index):
        return lambda base, index: _at(np.int64(base), np.int64(index))

    at.digest = _hash(dtype.descr, size)  # type: ignore[attr-defined]
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
