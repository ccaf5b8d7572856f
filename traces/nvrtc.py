"""CUDA C++ -> cubin, with the NVRTC wheel: neither a GPU nor a host compiler is needed."""

from __future__ import annotations

import contextlib
import ctypes
from collections.abc import Sequence
from functools import cache
from importlib.metadata import Distribution, PackageNotFoundError, distribution

from ..isa.errors import InputError


def compile_cuda(
    source: str, arch: str = "sm_86", options: Sequence[str] = (), name: str = "source.cu"
) -> bytes:
    """The cubin of device code; `name` is what messages and line tables call it.

    Raises InputError with the compiler's log, or where the wheel is missing.
    """
    nvrtc, program = _library(), ctypes.c_void_p()
    text = source.encode()
    _call("CreateProgram", ctypes.byref(program), text, name.encode(), 0, None, None)
    flags = [option.encode() for option in (f"-arch={arch}", *options)]
    try:
        array = (ctypes.c_char_p * len(flags))(*flags)
        with contextlib.chdir("/"):  # line tables name the working directory
            status = nvrtc.nvrtcCompileProgram(program, len(flags), array)
        if status:
            log = _fetch(program, "ProgramLog").rstrip(b"\0").decode(errors="replace")
            raise InputError(f"{name} does not compile for {arch}:\n{log}")
        return _fetch(program, "CUBIN")
    finally:
        _call("DestroyProgram", ctypes.byref(program))


@cache
def _library() -> ctypes.CDLL:
    """NVRTC, loaded from its wheel."""
    wheel = _wheel()
    files = {file.name: str(wheel.locate_file(file)) for file in wheel.files or ()}
    builtins = next(name for name in files if name.startswith("libnvrtc-builtins.so."))
    ctypes.CDLL(files[builtins])  # NVRTC asks for it by bare name
    return ctypes.CDLL(files[next(name for name in files if name.startswith("libnvrtc.so."))])


def _wheel() -> Distribution:
    """The wheel of CUDA 13, or of CUDA 12 where that one is missing."""
    for name in ("nvidia-cuda-nvrtc", "nvidia-cuda-nvrtc-cu12"):
        with contextlib.suppress(PackageNotFoundError):
            return distribution(name)
    raise InputError("the NVRTC wheel is missing; CUDA C++ needs it: pip install 'warpwise[cuda]'.")


def _fetch(program: ctypes.c_void_p, what: str) -> bytes:
    size = ctypes.c_size_t()
    _call(f"Get{what}Size", program, ctypes.byref(size))
    buffer = ctypes.create_string_buffer(size.value)
    _call(f"Get{what}", program, buffer)
    return buffer.raw


def _call(function: str, *arguments: object) -> None:
    status = getattr(_library(), f"nvrtc{function}")(*arguments)
    if status:
        raise InputError(f"nvrtc{function} failed with status {status}")
