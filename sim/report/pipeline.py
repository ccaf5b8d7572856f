"""What the pipeline of one SM does in a window of cycles: the source of every timeline."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...isa.errors import InputError
from ...isa.program import NO_COUNTER, Instruction, Program, Unit
from ...traces.kernel import Kernel
from .. import engine
from ..core.limits import COUNTERS
from ..machine.load import Machine
from ..machine.opcode_map import placed
from ..scoreboard_table import register_name, registers_read, registers_written
from ..stalls import NOT_RESIDENT, SELECTED, STATES, StateLog

MOST_CYCLES = 1_000_000  # of a window: its log has 64 bytes a cycle
EXECUTION = {
    Unit.ALU: "Xalu",
    Unit.FMA: "Xfma",
    Unit.FMA_HEAVY: "Xhvy",
    Unit.FP16: "Xfp16",
    Unit.XU: "Xsfu",
    Unit.TENSOR: "Xten",
    Unit.UNIFORM: "Xuni",
    Unit.BRANCH: "Xbr",
    Unit.MISC: "Xmisc",
    Unit.CLOCK: "Xalu",
    Unit.FP64: "Xdp",
    Unit.MEMORY: "Xlsu",
}
STAGES = {
    "F": "fetch",
    "D": "decode",
    "IB": "waits in the instruction buffer",
    "Is": "issue",
    "Ct": "control",
    "Al": "allocate: waits for read ports",
    "Xq": "waits in the queue of its unit; reads its sources",
    "RO": "reads its operands",
    "X": "execution, from the operands to the result",
    "Wb": "write-back, or retirement",
}


@dataclass(frozen=True)
class Span:
    """Cycles begin..end-1 that an instruction spends in a stage, or its warp in a stall state."""

    name: str
    begin: int
    end: int

    @property
    def kind(self) -> str:
        """Key of `STAGES`: the execution stages of all units are one."""
        return "X" if self.name in EXECUTION.values() else self.name


@dataclass(frozen=True)
class Row:
    """One dynamic instruction. `stalls` say why the warp did not issue it earlier."""

    subcore: int
    slot: int  # of the sub-core's warps
    cta: int
    warp: int  # of the CTA
    pc: int  # bytes
    text: str
    issue: int
    stages: tuple[Span, ...]
    stalls: tuple[Span, ...]

    @property
    def begin(self) -> int:
        return self.stages[0].begin

    @property
    def end(self) -> int:
        return self.stages[-1].end

    @property
    def label(self) -> str:
        return f"CTA{self.cta} W{self.warp} {self.pc:04x} {self.text}"


@dataclass(frozen=True)
class Arrow:
    """Row `consumer` needs what row `producer` does: a register, or the fall of a counter."""

    producer: int
    consumer: int
    what: str  # "R2", "P0", "SB1"


@dataclass(frozen=True)
class Window:
    """What to look at: SM `sm` in cycles first..last-1 of a kernel's execution.

    `subcore` and `warps` (numbers in their CTA) narrow it; `by_warp` sorts rows by warp instead of
    by issue. Raises InputError for a window that cannot be.
    """

    first: int
    last: int
    sm: int = 0
    subcore: int | None = None
    warps: tuple[int, ...] | None = None
    by_warp: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.first < self.last:
            raise InputError(f"cycles {self} found, expected 0 <= first < last")
        if self.last - self.first > MOST_CYCLES:
            raise InputError(f"cycles {self} found, expected at most {MOST_CYCLES} of them")

    def __str__(self) -> str:
        return f"{self.first}:{self.last}"

    def visible(self, events: NDArray[Any]) -> NDArray[np.bool_]:
        """Which instructions are somewhere in the pipeline during the window."""
        begin = np.where(events["fetch"] >= 0, events["fetch"], events["issue"])
        end = np.maximum(events["writeback"], events["issue"])
        visible: NDArray[np.bool_] = (begin < self.last) & (end >= self.first)
        return visible & self._chosen(events)

    def _chosen(self, events: NDArray[Any]) -> NDArray[np.bool_]:
        chosen = np.ones(len(events), bool)
        if self.subcore is not None:
            chosen &= events["subcore"] == self.subcore
        if self.warps is not None:
            chosen &= np.isin(events["warp"], self.warps)
        return chosen


@dataclass(frozen=True)
class Pipeline:
    """What a window shows of a kernel; it ends with the kernel if that is earlier."""

    kernel: str
    gpu: str
    core_mhz: float
    window: Window
    execution_cycles: int
    rows: tuple[Row, ...]
    arrows: tuple[Arrow, ...]
    states: tuple[tuple[int, int, Span], ...]  # sub-core, slot, state

    @property
    def cycles(self) -> str:
        """The window in words."""
        first, last = self.window.first, self.window.last - 1
        return f"cycles {first} to {last} of {self.execution_cycles} on SM {self.window.sm}"

    @property
    def stall_cycles(self) -> dict[str, int]:
        """Warp-cycles of the window in each state that occurs, for the warp slots on display."""
        total: dict[str, int] = defaultdict(int)
        for _, _, span in self.states:
            total[span.name] += span.end - span.begin
        return {name: total[name] for name in STATES if name in total}


def record(
    kernel: Kernel,
    machine: Machine,
    window: Window,
    progress: engine.Progress | None = None,
    threads: int = 1,
) -> Pipeline:
    """Simulate a kernel and keep what the window shows.

    Raises InputError for a window in which nothing happens.
    """
    gpu = machine.gpu
    if not 0 <= window.sm < gpu.sms:
        raise InputError(f"SM {window.sm} found, but {gpu.name} has 0 to {gpu.sms - 1}")
    log = StateLog(window.sm, window.first, window.last)
    state = engine.simulate(
        kernel, machine, events=True, progress=progress, threads=threads, log=log
    )
    window = replace(window, last=_end(state, window))
    program = placed(kernel.program, gpu)
    events, previous = _by_warp(state.events[state.events["sm"] == window.sm])
    shown = window.visible(events)
    if not shown.any():
        raise InputError(_nothing_there(state, window))
    events, previous = events[shown], previous[shown]
    if not window.by_warp:
        order = np.lexsort((events["subcore"], events["issue"]))
        events, previous = events[order], previous[order]
    return Pipeline(
        kernel.name,
        gpu.name,
        gpu.clock.core_mhz,
        window,
        state.execution_cycles,
        tuple(_rows(events, previous, program, log)),
        tuple(_arrows(events, program, counters=not state.record.registers)),
        tuple(_states(log, {(int(e["subcore"]), int(e["slot"])) for e in events})),
    )


def _end(state: engine.RunState, window: Window) -> int:
    """Where the window ends, at the latest with the kernel."""
    if window.first >= state.execution_cycles:
        raise InputError(
            f"cycles {window} found, but {state.kernel.name} ends at cycle "
            f"{state.execution_cycles}; choose an earlier window"
        )
    return min(window.last, state.execution_cycles)


def _by_warp(events: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Events warp by warp in order of issue, and when the warp issued before; -1: never."""
    events = events[np.lexsort((events["issue"], events["warp"], events["cta"]))]
    previous = np.full(len(events), -1)
    same = (np.diff(events["cta"]) == 0) & (np.diff(events["warp"]) == 0)
    previous[1:][same] = events["issue"][:-1][same]
    return events, previous


def _nothing_there(state: engine.RunState, window: Window) -> str:
    """Why a view is empty, and what would not be."""
    place = f"SM {window.sm}"
    events = state.events[state.events["sm"] == window.sm]
    if window.subcore is not None:
        place = f"sub-core {window.subcore} of {place}"
        events = events[events["subcore"] == window.subcore]
    if len(events) == 0:
        busy = _ranges(sorted({int(number) for number in state.events["sm"]}))
        return f"{place} executes nothing of {state.kernel.name}; these SMs do: {busy}"
    present = _ranges(sorted({int(number) for number in events["warp"]}))
    return (
        f"no instruction of the chosen warps is on {place} in cycles {window}; "
        f"there, warps {present} issue in cycles {int(events['issue'].min())} to "
        f"{int(events['issue'].max())}"
    )


def _ranges(numbers: Sequence[int]) -> str:
    """1, 2, 3, 5 as "1-3, 5"."""
    parts = []
    for _, group in groupby(enumerate(numbers), lambda pair: pair[1] - pair[0]):
        run = [number for _, number in group]
        parts.append(f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]))
    return ", ".join(parts)


def _rows(
    events: NDArray[Any], previous: NDArray[np.int64], program: Program, log: StateLog
) -> Iterator[Row]:
    for event, before in zip(events, previous, strict=True):
        inst = program.instructions[int(event["pc"])]
        yield Row(
            subcore=int(event["subcore"]),
            slot=int(event["slot"]),
            cta=int(event["cta"]),
            warp=int(event["warp"]),
            pc=inst.pc,
            text=inst.text,
            issue=int(event["issue"]),
            stages=tuple(_stages(event, inst)),
            stalls=tuple(_stalls(log, event, int(before) + 1)),
        )


def _stages(event: Any, inst: Instruction) -> Iterator[Span]:
    """Stages that take time. What an instruction waits in Control counts as Allocate."""
    fetch, decode, issue = int(event["fetch"]), int(event["decode"]), int(event["issue"])
    control, allocate = int(event["control"]), int(event["allocate"])
    read_done, writeback = int(event["read_done"]), int(event["writeback"])
    if fetch >= 0:
        yield Span("F", fetch, decode)
        yield Span("D", decode, decode + 1)
        if decode + 1 < issue:
            yield Span("IB", decode + 1, issue)
    yield Span("Is", issue, control)
    yield Span("Ct", control, control + 1)
    at = control + 1
    if allocate >= 0:
        yield Span("Al", at, allocate + 1)
        at = allocate + 1
    if read_done >= at:
        yield Span("Xq" if allocate < 0 else "RO", at, read_done + 1)
        at = read_done + 1
    if writeback > at:
        yield Span(EXECUTION[inst.unit], at, writeback)
    if writeback >= at:
        yield Span("Wb", writeback, writeback + 1)


def _runs(states: NDArray[np.int8], begin: int) -> Iterator[tuple[int, Span]]:
    """Equal neighbours as one span each, which begins at `begin` for the first."""
    edges = np.flatnonzero(np.diff(states)) + 1
    starts = [0, *map(int, edges)] if len(states) else []
    for start, end in zip(starts, [*starts[1:], len(states)], strict=True):
        state = int(states[start])
        yield state, Span(STATES[state], begin + start, begin + end)


def _stalls(log: StateLog, event: Any, begin: int) -> Iterator[Span]:
    """States of a warp from `begin` to its issue, as far as they are in the window."""
    begin, end = max(begin, log.begin), min(int(event["issue"]), log.end)
    if begin < end:
        states = log.states[event["subcore"], event["slot"], begin - log.begin : end - log.begin]
        for state, span in _runs(states, begin):
            if state != NOT_RESIDENT and state != SELECTED:
                yield span


def _states(log: StateLog, shown: set[tuple[int, int]]) -> Iterator[tuple[int, int, Span]]:
    """All states of the warp slots on display."""
    for subcore, slot in sorted(shown):
        for state, span in _runs(log.states[subcore, slot], log.begin):
            if state != NOT_RESIDENT:
                yield subcore, slot, span


def _arrows(events: NDArray[Any], program: Program, counters: bool) -> Iterator[Arrow]:
    """Who waits for whom, warp by warp in order of issue."""
    warps: dict[tuple[int, int], _Dependences] = defaultdict(_Dependences)
    for number in np.argsort(events["issue"], kind="stable"):
        event = events[number]
        inst = program.instructions[int(event["pc"])]
        warp = warps[int(event["cta"]), int(event["warp"])]
        yield from warp.arrows(int(number), inst, counters)


class _Dependences:
    """The last writer of each register of a warp, and who raised its counters."""

    def __init__(self) -> None:
        self._writer: dict[int, int] = {}
        self._raised: list[list[int]] = [[] for _ in range(COUNTERS)]

    def arrows(self, number: int, inst: Instruction, counters: bool) -> Iterator[Arrow]:
        """Arrows to the next instruction of the warp; the registers of one producer share one."""
        producers: dict[int, list[int]] = defaultdict(list)
        for register in registers_read(inst):
            if register in self._writer:
                producers[self._writer[register]].append(register)
        for producer, registers in producers.items():
            yield Arrow(producer, number, " ".join(map(register_name, registers)))
        if counters:
            yield from self._waits(number, inst, producers)
        self._writer |= dict.fromkeys(registers_written(inst), number)

    def _waits(self, number: int, inst: Instruction, known: Iterable[int]) -> Iterator[Arrow]:
        """Arrows for counters alone: nothing is read from those who raised them."""
        control = inst.control
        for counter in range(COUNTERS):
            if control.wait_mask >> counter & 1:
                for producer in self._raised[counter]:
                    if producer not in known:
                        yield Arrow(producer, number, f"SB{counter}")
                self._raised[counter] = []
        for counter in {control.read_counter, control.write_counter} - {NO_COUNTER}:
            self._raised[counter].append(number)
