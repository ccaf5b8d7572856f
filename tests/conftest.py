"""Hand-written kernels on a simulated GPU, for every folder's experiments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import settings

from warpwise.sim import engine
from warpwise.sim.machine.load import load as load_machine
from warpwise.sim.stalls import STATES
from warpwise.traces.handwritten import parse

# How long an example takes says nothing: some compile, and other tests run at the same time.
settings.register_profile("untimed", settings(), deadline=None)
settings.load_profile("untimed")


@dataclass(frozen=True)
class Run:
    """One simulated kernel: a table of cycles, one row an issued instruction."""

    state: engine.RunState

    @property
    def rows(self) -> Any:
        """Recorded cycles in order of issue."""
        events = self.state.events
        return events[np.lexsort((events["subcore"], events["issue"], events["sm"]))]

    def column(self, stage: str, opcode: str = "", **where: int) -> list[int]:
        """One column, of the instructions called `opcode` whose other columns are as in `where`."""
        instructions = self.state.kernel.program.instructions
        rows = self.rows
        keep = np.ones(len(rows), bool)
        if opcode:
            keep &= np.array([instructions[pc].opcode == opcode for pc in rows["pc"]], bool)
        for name, value in where.items():
            keep &= rows[name] == value
        return [int(cycle) for cycle in rows[stage][keep]]

    def issues(self, opcode: str = "", **where: int) -> list[int]:
        return self.column("issue", opcode, **where)

    @property
    def cycles(self) -> int:
        return self.state.execution_cycles

    @property
    def stalls(self) -> dict[str, int]:
        return dict(zip(STATES, map(int, engine.stall_cycles(self.state)), strict=True))

    @property
    def warp_cycles(self) -> int:
        return int(self.state.sms["subcores"]["stalls"]["warp_cycles"].sum())

    def timing(self) -> bytes:
        """Everything that a run says about time, to compare two of them bit by bit."""
        counted = self.state.sms["subcores"]["stalls"]["cycles"]
        return self.rows.tobytes() + counted.tobytes() + bytes(str(self.cycles), "ascii")


def kernel_text(
    code: str,
    block: int = 32,
    grid: str | int = 1,
    warm: str = "icache l1",
    active: str = "",
    arch: str = "sm_86",
) -> str:
    """A `.sass` file with one kernel that ends with an EXIT after `code`."""
    head = [f".arch {arch}", ".kernel experiment", f".block {block}", f".grid {grid}"]
    head += [f".warm {warm}"] if warm else []
    head += [f".active {active}"] if active else []
    return "\n".join([*head, code, "[B------:R-:W-:-:S01] EXIT ;"])


def simulate_kernel(
    code: str,
    *,
    sms: int = 1,
    gpu: str = "rtx_a6000",
    preset: str = "ref",
    events: bool = True,
    window: int | None = None,
    max_cycles: int = 1_000_000,
    changes: dict[str, Any] | None = None,
    **shape: Any,
) -> Run:
    """Run `code` (instructions without the EXIT); caches hit unless `warm` says otherwise.

    `changes` sets parameters of the machine by dotted path, `shape` is that of `kernel_text`.
    """
    kernel = parse(kernel_text(code, **shape)).kernels[0]
    machine = load_machine(gpu, preset, changes)
    return Run(engine.simulate(kernel, machine, sms, max_cycles, events, window=window))


@pytest.fixture(scope="session")
def simulate():
    return simulate_kernel


@pytest.fixture(scope="session")
def sass():
    return kernel_text
