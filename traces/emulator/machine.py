"""Runs a launch: batches of CTAs, each in lock step, until every thread has exited."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import TypeVar

import numpy as np

from ...isa.program import INSTRUCTION_BYTES, Access, Program, Space
from ..kernel import Cta
from .convergence import NOTHING, Status
from .errors import EmulationError
from .recorder import PathPool, Recorder
from .semantics import Bound, Code
from .state import Launch, State
from .step import Group, Step

BATCH_WARPS = 2048  # warps whose CTAs run interleaved: bounds memory, fills numpy's loops
RESIDENT_WARPS = 8192  # of a batch whose CTAs may wait for each other: more than any GPU holds
Result = TypeVar("Result")

MAX_STEPS = 10_000_000  # of one batch; a step may serve all its warps


def run(
    launch: Launch,
    keep: Callable[[Cta], None] | None = None,
    max_steps: int = MAX_STEPS,
    threads: int = 1,
) -> None:
    """Execute all CTAs of a launch, change its memory, and hand what their warps did to `keep`.

    Batches run on several threads unless CTAs speak to each other, which without races takes
    atomics or accesses of strong order. If they do, all CTAs that a GPU can hold are interleaved.
    """
    code = Code(launch.program)
    pool = PathPool()
    together = speak_to_each_other(launch.program)
    threads = 1 if together else threads
    size = max(1, (RESIDENT_WARPS if together else BATCH_WARPS) // launch.warps_per_cta)

    def batch(first: int) -> tuple[int, Recorder | None]:
        with np.errstate(all="ignore"):
            state = State(launch, first, min(size, launch.n_ctas - first))
            recorder = Recorder(state.warps) if keep else None
            run_batch(state, code, max_steps, recorder)
            return first, recorder

    with ThreadPoolExecutor(threads) as executor:
        for first, recorder in in_order(executor, batch, range(0, launch.n_ctas, size), threads):
            if keep and recorder:
                for cta in recorder.ctas(first, launch.warps_per_cta, pool):
                    keep(cta)


def in_order(
    executor: Executor, work: Callable[[int], Result], items: Iterable[int], ahead: int
) -> Iterator[Result]:
    """Results in the order of the items, of which at most `ahead` more are begun."""
    begun: deque[Future[Result]] = deque()
    for item in items:
        begun.append(executor.submit(work, item))
        if len(begun) > ahead:
            yield begun.popleft().result()
    while begun:
        yield begun.popleft().result()


def speak_to_each_other(program: Program) -> bool:
    """Whether CTAs of a program have ways to see what others do while they run."""
    return any(
        i.space in (Space.GLOBAL, Space.GENERIC)
        and (i.access in (Access.ATOMIC, Access.REDUCTION) or "STRONG" in i.modifiers)
        for i in program.instructions
    )


def run_batch(state: State, code: Code, max_steps: int, recorder: Recorder | None) -> None:
    """Execute the CTAs of one batch to their end.

    Each turn takes the lowest key among all warps and serves every warp that has the same one.
    """
    fragments = state.fragments
    while (key := fragments.key.min()) != NOTHING:
        if state.clock >= max_steps:
            raise EmulationError(report(state, f"is still running after {max_steps} steps"))
        group = Group(fragments, np.flatnonzero(fragments.key == key))
        block = code.block(int(key & 0xFFFF_FFFF))
        if not block:
            raise EmulationError(report(state, "ran into bytes that are not reachable code"))
        if block[0].meaning.control:
            run_control(state, block[0], group, recorder)
        else:
            run_block(state, block, group, recorder)
    if fragments.lanes.any():
        raise EmulationError(report(state, "waits at barriers that cannot open"))


def run_block(
    state: State, block: Sequence[Bound], group: Group, recorder: Recorder | None
) -> None:
    """Execute instructions that keep the lanes of the group together."""
    for bound in block:
        state.clock += 1
        step = Step(state, bound, group)
        bound.meaning.execute(step)
        if recorder:
            recorder.record(step)
    state.fragments.advance(group.warps, len(block))


def run_control(state: State, bound: Bound, group: Group, recorder: Recorder | None) -> None:
    """Execute a control instruction: only the lanes that execute it go where it says."""
    fragments, warps = state.fragments, group.warps
    state.clock += 1
    fragments.age[warps, fragments.slot[warps]] += 1
    step = Step(state, bound, group)
    if recorder:
        recorder.record(step)
    if step.unguarded:
        bound.meaning.execute(step)
    else:
        going = step.executed_bits
        fragments.split(warps, going)
        if going.any():
            bound.meaning.execute(Step(state, bound, Group(fragments, warps[going != 0])))
    fragments.choose(warps)


def report(state: State, what: str) -> str:
    """What the first fragments do, for a kernel that cannot go on."""
    program = state.launch.program
    lines = [f"kernel {program.name} {what}:"]
    fragments = state.fragments
    warps, slots = np.nonzero(fragments.lanes)
    for warp, slot in list(zip(warps.tolist(), slots.tolist(), strict=True))[:8]:
        index = int(fragments.pc[warp, slot])
        text = program.instructions[index].text if index < len(program) else "past the end"
        lines.append(
            f"  {state.describe(warp, slot)} and {fragments.lanes[warp, slot].bit_count() - 1} "
            f"more lanes: {Status(fragments.status[warp, slot]).name.lower()} at "
            f"{INSTRUCTION_BYTES * index:#06x} {text}"
        )
    if len(warps) > 8:
        lines.append(f"  ... and {len(warps) - 8} more")
    return "\n".join(lines)
