"""What is installed, and whether the simulator works here."""

from __future__ import annotations

import platform
import time
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from ..isa import nvdisasm
from ..isa.errors import InputError
from ..isa.files import cache_folder
from ..traces import handwritten
from .api import run
from .cli_text import table

# Listing 1 of the paper: three operands in one bank delay the second FFMA by two cycles.
# The load is there to run, and so to compile, what handles addresses.
SELF_TEST = """
.arch sm_86
.kernel self_test
.warm icache
CS2R.32 R2, SR_CLOCKLO ;
NOP ;
FFMA R11, R10, R12, R14 ;
FFMA R13, R16, R18, R20 ;
NOP ;
CS2R.32 R3, SR_CLOCKLO ;
LDG.E R4, [R4.64] ;
EXIT ;
"""
EXPECTED = 7  # cycles between the clock reads


@dataclass(frozen=True)
class Findings:
    """What `warpwise doctor` reports."""

    versions: dict[str, str]
    optional: dict[str, str | None]  # where or which; None: missing
    cache: str
    cycles: int  # of the self-test
    wall_s: float

    @property
    def works(self) -> bool:
        return self.cycles == EXPECTED

    def to_dict(self) -> dict[str, Any]:
        """The document of `warpwise doctor --json`."""
        return {"schema": 1, **asdict(self), "expected_cycles": EXPECTED, "works": self.works}

    def __str__(self) -> str:
        verdict = "passed" if self.works else f"FAILED: {self.cycles} cycles, not {EXPECTED}"
        rows = [
            *self.versions.items(),
            *((part, found or "missing") for part, found in self.optional.items()),
            ("cache", self.cache),
            ("self-test", f"{verdict} ({self.wall_s:.1f} s)"),
        ]
        return table(rows, "<<", indent="")


def examine() -> Findings:
    """Look for everything and run the self-test."""
    packages = ("warpwise", "numba", "numpy")
    begin = time.perf_counter()
    cycles = self_test()
    return Findings(
        {"python": platform.python_version()} | {name: version(name) for name in packages},
        {"nvdisasm (cubins)": _nvdisasm(), "nvrtc (rebuilding kernels)": _nvrtc()},
        str(cache_folder()),
        cycles,
        time.perf_counter() - begin,
    )


def self_test() -> int:
    """Cycles between the clock reads of a tiny kernel."""
    result = run(handwritten.parse(SELF_TEST, "self-test"), sms=1)
    first, last = result.kernels[0].clock_reads[0].values
    return last - first


def _nvdisasm() -> str | None:
    try:
        return str(nvdisasm.find())
    except InputError:
        return None


def _nvrtc() -> str | None:
    try:
        return version("nvidia-cuda-nvrtc")
    except PackageNotFoundError:
        return None
