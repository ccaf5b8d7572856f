"""The L0 constant cache for operands of fixed-latency instructions (sm-core 3.5).

Issue looks it up for the warp it has chosen. A miss stops the whole sub-core for some cycles, once
for each instruction; after that other warps may issue until the line is here.
"""

from __future__ import annotations

from ..compiled import compiled, record, u
from . import tags
from .limits import NEVER, WARPS

LINES = 64
MISSES = WARPS

# States of a miss.
FREE = 0
QUEUED = 1  # waits for the port to the L1.5
SENT = 2

State = record(
    ("waiting", "i4"),  # warps whose next instruction waits for a line
    ("stopped", "i4"),  # warps whose next instruction has stopped the sub-core already
    ("queued", "i8"),
    ("stop_until", "i8"),  # cycle from which the sub-core may issue again
    ("tags", tags.tags(LINES)),
    ("line", "i8", WARPS),  # that a waiting warp waits for
    ("miss_state", "i2", MISSES),
    ("miss_line", "i8", MISSES),
    ("miss_at", "i8", MISSES),  # cycle in which the line arrives
)


@compiled
def _find_miss(constants, line):
    for k in range(MISSES):
        if constants.miss_state[u(k)] != FREE and constants.miss_line[u(k)] == line:
            return k
    return -1


@compiled
def present(constants, machine, line):
    """Whether the operand's line is here."""
    way = tags.find(constants.tags, machine.sm.l0_constant.sets, machine.sm.l0_constant.ways, line)
    if way < 0:
        return False
    tags.touch(constants.tags, way)
    return True


@compiled
def request(constants, warp, line):
    """Let `warp` wait for `line`, and ask for it unless it is on its way."""
    constants.waiting |= 1 << warp
    constants.line[u(warp)] = line
    if _find_miss(constants, line) < 0:
        k = 0
        while constants.miss_state[u(k)] != FREE:  # each waiting warp has at most one
            k += 1
        constants.miss_state[u(k)] = QUEUED
        constants.miss_line[u(k)] = line
        constants.miss_at[u(k)] = NEVER
        constants.queued += 1


@compiled
def miss(constants, machine, warp, line, now):
    """Let `warp` wait for `line`; True if the sub-core stops, which it does once."""
    request(constants, warp, line)
    bit = 1 << warp
    if constants.stopped & bit:
        return False
    constants.stopped |= bit
    constants.stop_until = now + machine.sm.l0_constant.stop_cycles
    return True


@compiled
def send(constants):
    """A queued miss passes the port; returns its line."""
    k = 0
    while constants.miss_state[u(k)] != QUEUED:
        k += 1
    constants.miss_state[u(k)] = SENT
    constants.queued -= 1
    return constants.miss_line[u(k)]


@compiled
def arrive(constants, machine, l15_line, at):
    """A line of the L1.5 is on its way: the missing lines in it are here in cycle `at`."""
    ratio = machine.sm.l1i.line_bytes // machine.sm.l0_constant.line_bytes
    for k in range(MISSES):
        sent = constants.miss_state[u(k)] == SENT and constants.miss_at[u(k)] == NEVER
        if sent and constants.miss_line[u(k)] // ratio == l15_line:
            constants.miss_at[u(k)] = at


@compiled
def forget(constants, warp):
    """The warp has issued; its next instruction may stop the sub-core again."""
    constants.stopped &= ~(1 << warp)


@compiled(inline=True)
def step(constants, machine, now):
    """Lines that arrive in this cycle can be used in it."""
    if constants.waiting == 0:
        return
    for k in range(MISSES):
        if constants.miss_state[u(k)] == SENT and constants.miss_at[u(k)] <= now:
            line = constants.miss_line[u(k)]
            tags.fill(
                constants.tags, machine.sm.l0_constant.sets, machine.sm.l0_constant.ways, line
            )
            constants.miss_state[u(k)] = FREE
            for warp in range(WARPS):
                if constants.waiting >> warp & 1 and constants.line[u(warp)] == line:
                    constants.waiting &= ~(1 << warp)


@compiled
def next_at(constants):
    """The next cycle in which a line arrives."""
    at = NEVER
    if constants.waiting:
        for k in range(MISSES):
            if constants.miss_state[u(k)] == SENT:
                at = min(at, constants.miss_at[u(k)])
    return at
