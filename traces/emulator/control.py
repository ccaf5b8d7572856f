"""Branches, calls, convergence and CTA barriers: where the lanes of a step go on."""

from __future__ import annotations

import numpy as np

from ...isa.program import INSTRUCTION_BYTES, Kind, Operand
from ..kernel import lanes_of
from .constants import outside_functions
from .convergence import CTA_BARRIERS
from .fragments import Warps, pack
from .semantics import semantics
from .step import ZERO, Step

VERDICTS = ("POPC", "OR", "AND")  # of BAR.RED
ANY_BARRIER = -1  # WARPSYNC waits at no convergence barrier


def barrier_operand(s: Step) -> Operand:
    """The convergence barrier register of an instruction."""
    return next(o for o in s.instruction.operands if o.kind is Kind.BARRIER)


@semantics("BRA", modifiers="U DIV CONV", destination=False, control=True)
def bra(s: Step) -> None:
    """Jumps; lanes whose guard or predicate fails go on behind the branch.

    CONV jumps only if the lanes are all those of a mask, DIV only if not.
    """
    assert s.instruction.target is not None
    if not (s.has("DIV") or s.has("CONV")):
        return s.go(s.instruction.target)
    masks = [s.raw(o)[:, 0] for o in s.sources if o.kind is Kind.UNIFORM]
    converged = s.active_bits == (masks[0] if masks else np.uint32(0xFFFF_FFFF))
    taken = converged if s.has("CONV") else ~converged
    fragments = s.state.fragments
    fragments.jump(s.warps[taken], s.instruction.target // INSTRUCTION_BYTES)
    fragments.jump(s.warps[~taken], s.bound.index + 1)


@semantics("BRX", destination=False, control=True)
def brx(s: Step) -> None:
    """Jumps by a number of bytes in registers, counted from behind the instruction and a constant.

    Jump tables hold offsets in the code of the kernel, which begins at address zero.
    """
    start, distance = s.sources
    following = s.instruction.pc + INSTRUCTION_BYTES
    s.go_each(s.wide(start).view(np.int64) + s.wide(distance).view(np.int64) + following)


@semantics("LEPC")
def lepc(s: Step) -> None:
    """The address of the instruction itself."""
    s.write_wide(np.full((1, 1), s.instruction.pc, np.uint64))


@semantics("CALL", modifiers="REL ABS NOINC", destination=False, control=True)
def call(s: Step) -> None:
    """Jumps to a subroutine; the return address is already in registers."""
    if s.instruction.target is None:
        return call_register(s)
    s.go(s.instruction.target)


def call_register(s: Step) -> None:
    """Jumps to the address in a register pair; functions outside the program are errors."""
    target = np.broadcast_to(s.wide(s.sources[0]).view(np.int64), s.executed.shape)
    names = dict(outside_functions(s.state.launch.program).values())
    outside = s.executed & np.isin(target, list(names))
    if outside.any():
        s.fault(outside, lambda r, i: f"calls {names[int(target[r, i])]}, which is not emulated")
    s.go_each(target)


@semantics("RET", modifiers="REL NODEC", destination=False, control=True)
def ret(s: Step) -> None:
    """Jumps to the address in a register, which may differ between lanes."""
    s.go_each(s.register(s.sources[0].index).astype(np.int64))


@semantics("EXIT", destination=False, control=True)
def exit_(s: Step) -> None:
    """Ends threads and takes them out of every barrier."""
    s.state.fragments.exit(s.warps)
    s.open_cta_barriers()


@semantics("BSSY", modifiers="RECONVERGENT RELIABLE", destination=False)
def bssy(s: Step) -> None:
    """Notes in a barrier register which lanes are to meet again."""
    lanes = np.broadcast_to(s.active_bits[:, None], s.executed.shape)
    s.put_barrier(barrier_operand(s), lanes)


@semantics("BSYNC", modifiers="RECONVERGENT RELIABLE", destination=False, control=True)
def bsync(s: Step) -> None:
    """Waits for all live lanes that the barrier register names."""
    register = barrier_operand(s).index
    assert register is not None
    fragments = s.state.fragments
    wanted = s.state.barriers[register, s.warps, fragments.slot[s.warps]]
    fragments.wait(s.warps, wanted, register)


@semantics("BREAK", destination=False)
def break_(s: Step) -> None:
    """Takes lanes out of a barrier register, in the copies of all lanes that it names."""
    register = barrier_operand(s).index
    assert register is not None
    leaving = s.executed_bits
    copies = s.state.barriers[register, s.warps]
    named = np.bitwise_or.reduce(np.where(s.executed, copies, np.uint32(0)), axis=1)
    copies = np.where(lanes_of(named), copies & ~leaving[:, None], copies)
    s.state.barriers[register, s.warps] = copies
    s.state.fragments.forget(s.warps, register, leaving)


@semantics("BMOV", modifiers="32 CLEAR", destination=False)
def bmov(s: Step) -> None:
    """Moves a barrier register to or from a register; CLEAR empties it."""
    first, second = s.instruction.operands
    if first.kind is Kind.BARRIER:
        return s.put_barrier(first, np.broadcast_to(s.raw(second), s.executed.shape))
    assert second.index is not None
    s.write_to(first, s.state.barriers[second.index, s.warps])
    if s.has("CLEAR"):
        s.put_barrier(second, np.broadcast_to(ZERO, s.executed.shape))


@semantics("WARPSYNC", modifiers="ALL EXCLUSIVE COLLECTIVE", destination=False, control=True)
def warpsync(s: Step) -> None:
    """Waits until the named lanes arrive."""
    fragments = s.state.fragments
    if s.sources:
        named = np.broadcast_to(s.integer(s.sources[0]), s.executed.shape)
        wanted = named[np.arange(len(s.warps)), fragments.slot[s.warps]]
    else:
        wanted = np.full(len(s.warps), 0xFFFF_FFFF, np.uint32)
    fragments.wait(s.warps, wanted, ANY_BARRIER)


@semantics(
    "BAR",
    modifiers=f"SYNC ARV RED {' '.join(VERDICTS)} DEFER_BLOCKING",
    destination=False,
    control=True,
)
def bar(s: Step) -> None:
    """Waits at a numbered barrier of the CTA until all live threads, or a number, arrive.

    ARV arrives and goes on. RED combines a predicate of all threads, for B2R to read.
    """
    fragments = s.state.fragments
    barrier, threads = barrier_and_threads(s)
    if s.has("ARV"):
        fragments.announce(s.warps, barrier)
        s.go(s.instruction.pc + INSTRUCTION_BYTES)
    else:
        votes = s.predicate(s.bound.inputs[0]) if s.has("RED") else np.zeros((1, 1), np.bool)
        fragments.wait_for_cta(s.warps, barrier, threads, pack(s.executed & votes))
        s.state.verdict[s.warps] = next((i for i, m in enumerate(VERDICTS) if s.has(m)), 0)
    s.open_cta_barriers()


@semantics("B2R", modifiers="RESULT")
def b2r(s: Step) -> None:
    """The result of the last BAR.RED: how many predicates held, and whether the verdict does."""
    votes, lanes = s.state.fragments.tally[s.warps].T
    holds = np.choose(s.state.verdict[s.warps], [votes > 0, votes > 0, votes == lanes])
    s.write(votes.astype(np.uint32)[:, None])
    s.output(0, holds[:, None])


def barrier_and_threads(s: Step) -> tuple[Warps, Warps]:
    """Number of each warp's CTA barrier and of the threads that it waits for, 0 for all.

    Where both are the same register, the threads are in its upper half.
    """
    number, *others = s.sources
    barrier = s.one_each(s.raw(number)).astype(np.int64) % CTA_BARRIERS
    if not others:
        return barrier, np.zeros_like(barrier)
    threads = s.one_each(s.raw(others[0])).astype(np.int64)
    packed = others[0].kind is Kind.REGISTER and others[0].index == number.index
    return barrier, (threads >> 16 if packed else threads) & 0xFFF


@semantics("YIELD", "NANOSLEEP", destination=False, control=True)
def yield_(s: Step) -> None:
    """Lets other fragments go first."""
    s.state.fragments.end_turn(s.warps)
    s.go(s.instruction.pc + INSTRUCTION_BYTES)


@semantics(
    "NOP", "MEMBAR", "ERRBAR", "CCTL", "DEPBAR", "LDGDEPBAR", "FENCE",
    "CGAERRBAR", "ENDCOLLECTIVE",
    modifiers="SC ALL GPU CTA SYS VC IVALL LE VIEW ASYNC",
    destination=False,
)  # fmt: skip
def nothing(s: Step) -> None:
    """Orders or delays memory traffic, which is in order here."""
