"""The table of the zoo, and how to trace its members."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ...isa.errors import InputError
from ...traces.kernel import Trace
from . import applications, arithmetic, graphs, grids, linear_algebra, parallel, vectors  # noqa: F401 - members
from .application import MEMBERS, Application, Make, emulate_application

ARCHITECTURES = ("sm_75", "sm_86")
CUDA = Path(__file__).parent / "cuda"
SEED = 2025
ZOO: dict[str, Make] = dict(sorted(MEMBERS.items()))


def application(name: str, seed: int = SEED) -> Application:
    """The launches of a member, on fresh inputs that are the same every time for a seed."""
    if name not in ZOO:
        raise InputError(f"the zoo has no kernel '{name}'; it has: {', '.join(ZOO)}")
    return ZOO[name](np.random.default_rng(seed))


def cubin(name: str, arch: str) -> Path:
    """The compiled member for one of `ARCHITECTURES`."""
    if arch not in ARCHITECTURES:
        raise InputError(f"the zoo has no cubins for '{arch}'; it has: {', '.join(ARCHITECTURES)}")
    return CUDA / f"{name}.{arch}.cubin"


def description(name: str) -> str:
    """What a member does, in one line."""
    return (ZOO[name].__doc__ or "").partition("\n")[0]


def trace_zoo(name: str, arch: str = "sm_86", seed: int = SEED) -> Trace:
    """Emulate a member, check its results, and return the trace of all its launches.

    Raises InputError for an unknown name or architecture, EmulationError for a wrong result.
    """
    return emulate_application(application(name, seed), cubin(name, arch))
