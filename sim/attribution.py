"""Where the cycles of one SM go, exactly: warp-cycles by instruction, issue slots by scheduler."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..isa.errors import InputError
from ..isa.program import INSTRUCTION_BYTES
from ..traces.kernel import Kernel
from . import engine
from .core.limits import SUBCORES
from .machine.load import Machine
from .metrics import IDLE, SLOT_METRICS, explained
from .stalls import DRAIN, NOT_RESIDENT, SELECTED, STATES, StateLog

if TYPE_CHECKING:
    import pandas as pd

MOST_CYCLES = 20_000_000  # 1.3 GB


@dataclass(frozen=True)
class Attribution:
    """Two views of the same cycles of SM `sm`, which do not mix.

    `by_pc`: one row a static instruction, warp-cycles by state (columns), which sum to those of the
    SM; each is counted at the instruction that the warp issues next or, of a warp that drains, at
    its last one.
    `issue_slots`: one row a sub-core, cycles by state; a cycle counts as `selected` if the sub-core
    issued, else as the state of most of its warps (at a tie, the first in the order of `STATES`),
    and as `idle` without a warp.
    """

    sm: int
    execution_cycles: int
    by_pc: pd.DataFrame = field(repr=False)
    issue_slots: pd.DataFrame = field(repr=False)


def attribute(
    kernel: Kernel,
    machine: Machine,
    sm: int = 0,
    sms: int | None = None,
    cycles: int | None = None,
    threads: int = 1,
    l2_sets: Any = None,
) -> Attribution:
    """Simulate a kernel with the state of every warp and cycle: 64 bytes a cycle.

    `cycles` are its execution cycles; without them, it is simulated once more to know. `sms` and
    `threads` as for `run`, `l2_sets` is the L2 that the kernel finds; none is an empty one. Raises
    InputError if that is too much memory.
    """

    def simulate(**options: Any) -> engine.RunState:
        found = None if l2_sets is None else l2_sets.copy()
        return engine.simulate(kernel, machine, sms, threads=threads, l2_sets=found, **options)

    if cycles is None:
        cycles = simulate().execution_cycles
    if cycles > MOST_CYCLES:
        raise InputError(
            f"{kernel.name} takes {cycles:,} cycles, attribution at most {MOST_CYCLES:,}; "
            "leave it out, or cut the trace: warpwise convert --ctas"
        )
    log = StateLog(sm, 0, cycles)
    state = simulate(events=True, log=log)
    events = state.events[state.events["sm"] == sm]
    return Attribution(sm, cycles, _by_pc(kernel, events, log), _issue_slots(log))


def _by_pc(kernel: Kernel, events: NDArray[Any], log: StateLog) -> pd.DataFrame:
    import pandas as pd

    total = np.zeros((len(kernel.program), len(STATES)), np.int64)
    for subcore, slot in {(int(e["subcore"]), int(e["slot"])) for e in events}:
        own = events[(events["subcore"] == subcore) & (events["slot"] == slot)]
        own = own[np.argsort(own["issue"])]
        states = log.states[subcore, slot]
        cycles = np.flatnonzero(states != NOT_RESIDENT)
        state = states[cycles].astype(np.int64)
        following = np.searchsorted(own["issue"], cycles)
        place = following - (state == DRAIN)
        np.add.at(total, (own["pc"][place], state), 1)
    frame = pd.DataFrame(total, columns=list(STATES))
    frame.insert(0, "pc", np.arange(len(total)) * INSTRUCTION_BYTES)
    frame.insert(1, "instruction", [inst.text for inst in kernel.program.instructions])
    return explained(frame)


def _issue_slots(log: StateLog) -> pd.DataFrame:
    import pandas as pd

    rows = []
    for states in log.states:
        counts = np.stack([(states == state).sum(axis=0) for state in range(len(STATES))])
        dominant = np.where(counts[SELECTED] > 0, SELECTED, counts.argmax(axis=0))
        dominant[counts.sum(axis=0) == 0] = len(STATES)
        rows.append(np.bincount(dominant, minlength=len(STATES) + 1))
    names = pd.RangeIndex(SUBCORES, name="subcore")
    return explained(pd.DataFrame(rows, columns=[*STATES, IDLE], index=names), SLOT_METRICS)
