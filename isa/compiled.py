"""Compiles Python functions with numba, and keeps the machine code until the code changes.

`compiled` and `entry` are the only users of `numba.njit`. Numba's own cache looks at the caller's
file alone and returns old machine code when a function that it calls was edited; here the cache
folder is named by a digest of the function's code and of everything it reads or calls.
"""

from __future__ import annotations

import builtins
import dis
import hashlib
from collections.abc import Callable, Iterator
from enum import EnumMeta
from functools import partial
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

import numba
import numpy as np
from numba import types

from .files import cache_folder

INLINED_BYTES = 480  # of bytecode, where nothing else is said


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
    if isinstance(value, np.ndarray):  # whose text leaves out what is in the middle
        return hash_of(value.dtype, value.shape, value.tobytes().hex())
    return str(getattr(value, "__qualname__", None) or value)


def hash_of(*parts: object) -> str:
    return hashlib.blake2b("\n".join(map(str, parts)).encode(), digest_size=8).hexdigest()


# What every function's machine code depends on: this file, numba's settings and versions.
_COMMON = hash_of(
    Path(__file__).read_text(), numba.config.BOUNDSCHECK, numba.__version__, np.__version__
)


def _check_order(code: CodeType, scope: dict[str, Any]) -> None:
    """Raise for a global that is not defined yet: changes of it would go unnoticed."""
    for step in dis.get_instructions(code):
        if step.opname == "LOAD_GLOBAL" and step.argval not in scope.keys() | vars(builtins):
            raise NameError(f"{code.co_name} reads {step.argval}, which is defined behind it")


def digest_of(function: Callable[..., Any]) -> str:
    """Hash of a function's code, of its constants, and of all that it reads or calls."""
    codes = list(_codes(function.__code__))
    for code in codes:
        _check_order(code, function.__globals__)
    names = {name for code in codes for name in code.co_names}
    constants = [c for code in codes for c in code.co_consts if not isinstance(c, CodeType)]
    read = [f"{name}={_fingerprint(value)}" for name, value in _values(names, function.__globals__)]
    body = [code.co_code.hex() for code in codes]
    return hash_of(_COMMON, *body, constants, function.__defaults__, *read)


def _widen(kind: Any) -> Any:
    """All integers are passed as int64: one specialisation of a stage is enough."""
    return types.int64 if isinstance(kind, types.Integer | types.IntegerLiteral) else kind


def _compile(function: Callable[..., Any], **options: bool | str) -> Any:
    digest = hash_of(digest_of(function), options)
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


def compiled(function: Callable[..., Any] | None = None, *, inline: bool | None = None) -> Any:
    """Compile a stage, which only other compiled functions call.

    Its machine code is cached under the digest of all that it depends on. It has no wrapper for
    Python, which halves the time to compile, and no reference counts, since it allocates nothing.

    Small functions become part of their callers, which LLVM would do less often. `inline=True`
    says so of a large one: a call costs some twenty machine instructions (numba hands back status,
    result and exception through memory), which is what an idle stage has to do. It pays for what
    runs every cycle and has one caller, or two; more copies take long to compile. `inline=False`
    keeps out of its callers what is seldom needed.
    """
    if function is None:
        return partial(compiled, inline=inline)
    if inline is None:
        inline = len(function.__code__.co_code) <= INLINED_BYTES
    return _compile(
        function, no_cpython_wrapper=True, no_cfunc_wrapper=True, _nrt=False, forceinline=inline
    )


def merged(function: Callable[..., Any]) -> Any:
    """Make a function part of its callers before they are compiled; it is not compiled by itself.

    For what calls the engine's loop: numba optimises all that a function calls once more with it,
    which takes seconds for each level above the loop.
    """
    return _compile(function, inline="always", no_cpython_wrapper=True, no_cfunc_wrapper=True)


def entry(function: Callable[..., Any]) -> Any:
    """Compile a function that Python calls; it may allocate arrays."""
    return _compile(function)
