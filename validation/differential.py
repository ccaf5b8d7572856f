"""The engine and its readable twin, compared instruction by instruction (style 1.6).

Both simulate a hand-written kernel on one SM; every stage of every instruction has to fall into the
same cycle. The first divergence is the message: where, when, and what each side waited for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..isa.errors import DeadlockError
from ..sim import engine
from ..sim.machine.load import Machine, load
from ..sim.reference import model
from ..sim.reference.warp import Op
from ..traces.handwritten import parse
from ..traces.kernel import Kernel

STAGES = ("fetch", "decode", "issue", "allocate", "read_done", "writeback")
MOST_CYCLES = 100_000


@dataclass(frozen=True)
class Divergence:
    """The earliest cycle in which engine and twin differ."""

    cta: int
    warp: int
    pc: int
    instruction: str
    stage: str
    engine: int
    twin: int
    engine_waited: str
    twin_waited: str

    def __str__(self) -> str:
        return (
            f"CTA {self.cta} warp {self.warp}, PC {self.pc * 16:#x}, '{self.instruction}': "
            f"{self.stage} in cycle {self.engine} (engine) and {self.twin} (twin)\n"
            f"  before its issue the engine says: {self.engine_waited}\n"
            f"  before its issue the twin waited for {self.twin_waited or 'nothing'}"
        )


def compare(kernel: Kernel, machine: Machine) -> Divergence | None:
    """Simulate on both; None if every stage of every instruction agrees."""
    return against(model.run(kernel, machine.gpu, MOST_CYCLES), kernel, machine)


def against(twin: model.Outcome, kernel: Kernel, machine: Machine) -> Divergence | None:
    """The same, for what the twin has found already."""
    state = engine.simulate(kernel, machine, 1, MOST_CYCLES, events=True)
    rows, ops = _rows(state), twin.ops
    found = [
        (min(int(row[stage]), getattr(op, stage)), STAGES.index(stage), k)
        for k, (row, op) in enumerate(zip(rows, ops, strict=True))
        for stage in STAGES
        if row[stage] != getattr(op, stage)
    ]
    if found:
        _, stage, k = min(found)
        cycles = int(rows[k][STAGES[stage]]), int(getattr(ops[k], STAGES[stage]))
        waited = _engine_waited(kernel, machine, ops[k], int(rows[k]["issue"]))
        return _divergence(ops[k], STAGES[stage], cycles, waited)
    end = int(state.sms["cta"]["last_end"].max()) + 1
    if end != twin.cycles:
        return _divergence(ops[-1], "end of the kernel", (end, twin.cycles), "nothing")
    return None


def _divergence(op: Op, stage: str, cycles: tuple[int, int], waited: str) -> Divergence:
    where = op.warp.cta.number, op.warp.number, op.pc, op.cost.inst.text
    return Divergence(*where, stage, *cycles, waited, op.waited_for)


def _rows(state: engine.RunState) -> Any:
    """Recorded cycles by CTA, warp and order of issue."""
    events = state.events
    return events[np.lexsort((events["issue"], events["warp"], events["cta"]))]


def _engine_waited(kernel: Kernel, machine: Machine, op: Op, issue: int) -> str:
    """Stop the engine in the cycle before the issue and ask it."""
    try:
        engine.simulate(kernel, machine, 1, issue)
    except DeadlockError as stopped:
        where = f"sub-core {op.warp.subcore.number} warp {op.warp.place} (CTA"
        lines = [line for line in str(stopped).splitlines() if where in line]
        return lines[0] if lines else "the warp has not been launched"
    return "nothing"


def check(text: str, gpu: str, changes: Mapping[str, Any], folder: Path | None = None) -> None:
    """Raise AssertionError if the twins differ on the kernel in `text`.

    The message names the first divergence; `folder` gets a `.sass` file that reproduces it.
    """
    divergence = compare(parse(text).kernels[0], load(gpu, "ref", dict(changes)))
    if divergence is None:
        return
    message = str(divergence)
    if folder:
        file = folder / "divergence.sass"
        file.write_text(_with_recipe(text, gpu, changes, message), encoding="utf-8")
        message += f"\n  reproduced by {file}"
    raise AssertionError(message)


def _with_recipe(text: str, gpu: str, changes: Mapping[str, Any], message: str) -> str:
    recipe = [f"on {gpu}", *(f"--set {name}={value}" for name, value in changes.items())]
    return "".join(f"# {line}\n" for line in [*message.splitlines(), *recipe]) + text
