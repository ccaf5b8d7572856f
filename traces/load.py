"""One function that reads every kind of input. Readers are imported when they are needed."""

from __future__ import annotations

import fnmatch
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ..isa.errors import InputError

if TYPE_CHECKING:
    from .kernel import Trace
    from .store import Writer

FORMATS: Final = (
    ".warptrace (recorded), .sass (hand-written), .cubin (with a launch file), or Accel-Sim's "
    "kernelslist.g and .traceg"
)


def load(
    path: str | Path,
    launch: str | Path | None = None,
    kernel: str | None = None,
    cubin: str | Path | None = None,
) -> Trace:
    """The trace in a file; a cubin is emulated as the TOML file `launch` says.

    `cubin` gives an Accel-Sim trace the code that it was traced from, control bits included.

    `kernel`, a name or a pattern such as `mat*`, keeps only the kernels that match.
    """
    trace = _read(Path(path), launch, Path(cubin) if cubin else None)
    if kernel is None:
        return trace
    kept = tuple(k for k in trace.kernels if matches(k.name, kernel))
    if not kept:
        raise _no_match(path, kernel, {k.name for k in trace.kernels})
    return replace(trace, kernels=kept)


def record(
    cubin: str | Path, launch: str | Path | None, path: str | Path, kernel: str | None = None
) -> Writer:
    """Emulate a cubin as a launch file says, and write a `.warptrace`, batch by batch.

    What is written is in the `kernels` and the `hash` of the result. Raises InputError.
    """
    from . import store
    from .emulator import PRODUCER
    from .launch import load_launch, run_launch

    if Path(cubin).suffix.lower() != ".cubin" or launch is None:
        raise InputError(f"{cubin}: expected a .cubin and --launch FILE, which says what to launch")
    names: set[str] = set()

    def wanted(name: str) -> bool:
        names.add(name)
        return kernel is None or matches(name, kernel)

    with store.writing(path, PRODUCER) as writer:
        run_launch(cubin, load_launch(launch), writer, wanted)
        if not writer.kernels:
            raise _no_match(cubin, kernel, names)
    return writer


def _no_match(path: str | Path, kernel: str | None, names: set[str]) -> InputError:
    there = ", ".join(sorted(names))
    return InputError(f"{path}: no kernel matches {kernel!r}, only these are there: {there}")


def matches(name: str, kernel: str) -> bool:
    """Whether a kernel's full or plain name is `kernel` or fits that pattern."""
    from ..isa.cubin import plain_name

    return any(fnmatch.fnmatchcase(text, kernel) for text in (name, plain_name(name)))


def _read(path: Path, launch: str | Path | None, cubin: Path | None) -> Trace:
    from . import accelsim

    suffix = path.suffix.lower()
    if accelsim.is_accelsim(path) and launch is None:
        return accelsim.read(path, cubin)
    if cubin is not None:
        raise InputError(f"{path}: --cubin found with it, expected that only for Accel-Sim traces")
    if launch is not None and suffix != ".cubin":
        raise InputError(f"{path}: a launch file found with it, expected that only for a .cubin")
    match suffix:
        case ".warptrace":
            from . import store

            return store.read(path)
        case ".sass":
            from . import handwritten

            return handwritten.read(path)
        case ".cubin":
            return _emulate(path, launch)
    raise InputError(f"{path}: {suffix or 'no suffix'} found, expected {FORMATS}")


def _emulate(path: Path, launch: str | Path | None) -> Trace:
    if launch is None:
        raise InputError(f"{path}: a cubin does not say what to launch, expected --launch FILE too")
    from .launch import load_launch, run_launch

    return run_launch(path, load_launch(launch))
