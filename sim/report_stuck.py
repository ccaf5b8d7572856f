"""What a stuck simulation looks like: per warp, where it stands and what it waits for."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from ..traces.kernel import Kernel
from .core.limits import COUNTERS, SUBCORES, WARPS

_MOST = 40  # warps shown


def describe(kernel: Kernel, sms: Any, table: NDArray[Any], now: int) -> str:
    """One line a resident warp: place, PC, instruction, the condition that fails, since when."""
    lines = []
    for sm in sms:
        for s in range(SUBCORES):
            sc = sm["subcores"][s]
            resident = int(sc["warps"]["resident"])
            for warp in range(WARPS):
                if resident >> warp & 1:
                    lines.append(_line(kernel, int(sm["number"]), s, sc, warp))
    shown = lines[:_MOST]
    if len(lines) > _MOST:
        shown.append(f"... and {len(lines) - _MOST} more warps")
    return "\n".join(shown) if shown else f"no warp is resident at cycle {now}"


def _line(kernel: Kernel, sm: int, s: int, sc: Any, warp: int) -> str:
    pc = int(sc["decode"]["head"][warp])
    where = f"SM {sm} sub-core {s} warp {warp} (CTA {int(sc['warps']['cta'][warp])})"
    if int(sc["warps"]["exited"]) >> warp & 1:
        return f"{where}: exited, {int(sc['writeback']['in_flight'][warp])} instructions in flight"
    text = kernel.program.instructions[pc].text
    since = int(sc["issue"]["issued_at"][warp])
    return f"{where}: PC {pc * 16:#x} '{text}' {_why(sc, warp)}, since cycle {since}"


def _why(sc: Any, warp: int) -> str:
    """The first condition of readiness that fails."""

    def held(mask: Any) -> bool:
        return bool(int(mask) >> warp & 1)

    if held(sc["issue"]["barrier"]):
        return f"is held before it by barrier {int(sc['issue']['barrier_id'][warp])}"
    if not held(sc["decode"]["valid"]):
        return "waits for its instruction"
    if held(sc["dependence"]["waiting"]) or held(sc["dependence"]["gated"]):
        values = [int(sc["dependence"]["value"][warp][k]) for k in range(COUNTERS)]
        mask = int(sc["dependence"]["head_mask"][warp])
        named = [f"SB{k} = {v}" for k, v in enumerate(values) if v and (mask >> k & 1 or not mask)]
        return "waits for " + (", ".join(named) or "DEPBAR")
    if held(sc["issue"]["stalled"]):
        return "waits for its stall count"
    return "is ready; its unit or queue is busy"
