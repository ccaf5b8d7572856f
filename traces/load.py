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

ACCELSIM_LIST: Final = "kernelslist.g"
FORMATS: Final = (
    ".warptrace (recorded), .sass (hand-written), .cubin (with a launch file), Accel-Sim's "
    "kernelslist.g and .traceg, or a folder with dynamic_trace.pb"
)


def is_accelsim(path: Path) -> bool:
    """Whether a file's name is that of an Accel-Sim list or of one of its kernels."""
    from . import accelsim

    return accelsim.is_accelsim(path)


def load(
    path: str | Path,
    launch: str | Path | None = None,
    kernel: str | None = None,
    cubin: str | Path | None = None,
    launches: range | None = None,
) -> Trace:
    """The trace in a file; a cubin is emulated as the TOML file `launch` says.

    `cubin` gives an Accel-Sim trace the code that it was traced from, control bits included.

    `kernel`, a name or a pattern such as `mat*`, keeps only the kernels that match, `launches`
    only the launches with these numbers, from 0. Copies by the host before a launch that is left
    out come before the next that is kept.
    """
    from .kernel import kept

    wanted = _Wanted(kernel, launches)
    trace = _read(Path(path), launch, Path(cubin) if cubin else None, wanted)
    kernels = kept(trace.kernels, lambda k: wanted(k.launch, k.name))
    if not kernels:
        wanted.complain(path)
    return replace(trace, kernels=kernels)


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
    wanted = _Wanted(kernel)
    with store.writing(path, PRODUCER) as writer:
        run_launch(cubin, load_launch(launch), writer, wanted)
        if not writer.kernels:
            wanted.complain(cubin)
    return writer


class _Wanted:
    """Whether a launch is asked for; keeps the names that it was asked about, for a message."""

    def __init__(self, kernel: str | None, launches: range | None = None) -> None:
        self._kernel, self._launches = kernel, launches
        self._names: set[str] = set()
        self._count = 0

    def __call__(self, launch: int, name: str) -> bool:
        self._names.add(name)
        self._count = max(self._count, launch + 1)
        return (self._launches is None or launch in self._launches) and (
            self._kernel is None or matches(name, self._kernel)
        )

    def complain(self, path: str | Path) -> None:
        """Say that nothing was found, if something was asked for."""
        there = ", ".join(sorted(self._names))
        if self._kernel is not None and not any(matches(n, self._kernel) for n in self._names):
            raise InputError(
                f"{path}: no kernel matches {self._kernel!r}, only these are there: {there}"
            )
        if self._launches is not None:
            raise InputError(
                f"{path}: none of its {self._count} launches is that of a kernel asked for and in "
                f"{self._launches.start}:{self._launches.stop}"
            )


def matches(name: str, kernel: str) -> bool:
    """Whether a kernel's full or plain name is `kernel` or fits that pattern."""
    from ..isa.cubin import plain_name

    return any(fnmatch.fnmatchcase(text, kernel) for text in (name, plain_name(name)))


def _read(path: Path, launch: str | Path | None, cubin: Path | None, wanted: _Wanted) -> Trace:
    from . import accelsim, tree

    suffix = path.suffix.lower()
    if is_accelsim(path) and launch is None:
        return accelsim.read(path, cubin, wanted)
    if cubin is not None:
        raise InputError(f"{path}: --cubin found with it, expected that only for Accel-Sim traces")
    if launch is not None and suffix != ".cubin":
        raise InputError(f"{path}: a launch file found with it, expected that only for a .cubin")
    if launches := tree.find(path):
        return tree.read(launches, wanted)
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
