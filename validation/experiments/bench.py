"""The bench on which experiments run: a few instructions in, cycles out.

Caches are warm unless an experiment says otherwise, and each warp begins with a NOP of stall 0 and
yield: its 46 cycles fill the instruction buffer.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, lru_cache
from typing import Any

import pandas as pd

from ...sim import KernelResult, run
from ...sim.machine.load import load
from ...traces.handwritten import parse

KERNEL = """
.arch {arch}
.kernel experiment
.block {threads}
.grid {ctas}
.active {active}
.warm {warm}
[B------:R-:W-:Y:S00] NOP ;
{code}
[B------:R-:W-:-:S01] EXIT ;
"""


WARM = "icache const l1"


@cache
def _arch(gpu: str) -> str:
    return load(gpu).gpu.arch


@lru_cache(maxsize=64)
def simulate(
    code: str,
    gpu: str,
    active: Sequence[int] = (0,),
    warm: str = WARM,
    ctas: int = 1,
    **overrides: Any,
) -> KernelResult:
    """Run `code` in the warps `active` of each CTA; warp w runs on sub-core w mod 4."""
    text = KERNEL.format(
        arch=_arch(gpu),
        threads=32 * (max(active) + 1),
        ctas=ctas,
        active=" ".join(map(str, active)),
        warm=warm,
        code=code,
    )
    return run(parse(text), gpu, sms=1, events=True, **overrides).kernels[0]


def events(code: str, gpu: str, active: Sequence[int] = (0,), **overrides: Any) -> pd.DataFrame:
    """Cycles of the instructions of `code` and of the EXIT, in the order of issue."""
    frame = simulate(code, gpu, active, **overrides).events
    return frame[(frame["pc"] > 0) & frame["warp"].isin(active)].reset_index(drop=True)


def distance(code: str, gpu: str, first: int = 0, **overrides: Any) -> int:
    """Issue cycles from instruction `first` of `code` to the next one."""
    issue = events(code, gpu, **overrides)["issue"]
    return int(issue[first + 1] - issue[first])


def clock_difference(code: str, gpu: str, **overrides: Any) -> int:
    """Difference of the two clock reads in `code`."""
    first, second = simulate(code, gpu, **overrides).clock_reads[0].values
    return second - first
