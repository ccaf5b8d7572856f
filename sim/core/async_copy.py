"""Groups of asynchronous copies: LDGSTS, closed by LDGDEPBAR, awaited by DEPBAR (sm-core 1.8).

LDGDEPBAR counts up a dependence counter, which drops when all copies of the warp before it have
written shared memory, group by group in order. A copy's group is told by its row in the trace's
address stream: a group ends at the row that its LDGDEPBAR found next.
"""

from __future__ import annotations

from ..compiled import compiled, record, u
from . import wheel
from .limits import WARPS

GROUPS = 64  # a dependence counter counts to 63
COUNT_TO_DROP = 1  # a counter drops after it was seen to count up
NONE = 0

State = record(
    ("held", "i4"),  # warps whose next instruction, LDGDEPBAR, waits for all copies
    ("overflow", "i2"),
    ("oldest", "i8", WARPS),  # ring positions: first group that is not complete,
    ("open", "i8", WARPS),  # and the group that the next LDGSTS belongs to
    ("pending", "i2", (WARPS, GROUPS)),  # copies of a group that are not done
    ("end", "i8", (WARPS, GROUPS)),  # first row of the address stream behind a closed group
    ("counter", "i2", (WARPS, GROUPS)),
    ("counted_at", "i8", (WARPS, GROUPS)),  # first cycle in which its counter may drop
    ("written_at", "i8", WARPS),  # when the warp's last write to shared memory is seen
    ("in_flight", "i2", WARPS),
    ("reader", "i2"),  # warp whose copy has read global memory in this cycle + 1, or NONE
    ("read_access", "i8"),  # and the copy's row in the address stream
)

# Choices of `sm.async_copy.commit`.
GROUP = 0
WAIT = 1


@compiled
def reset(copies, warp):
    """A new warp has no copies."""
    copies.oldest[u(warp)] = 0
    copies.open[u(warp)] = 0
    copies.pending[u(warp), 0] = 0
    copies.written_at[u(warp)] = 0
    copies.held &= ~(1 << warp)


@compiled
def start(copies, warp):
    """An LDGSTS issues."""
    copies.in_flight[u(warp)] += 1
    copies.pending[u(warp), u(copies.open[u(warp)] % GROUPS)] += 1


@compiled
def _settle(sc, warp, now):
    """Drop the counter of each complete group that none before it holds back."""
    copies = sc.copies
    while copies.oldest[u(warp)] < copies.open[u(warp)]:
        group = copies.oldest[u(warp)] % GROUPS
        if copies.pending[u(warp), u(group)]:
            return
        counter = int(copies.counter[u(warp), u(group)])
        visible = max(copies.written_at[u(warp)], copies.counted_at[u(warp), u(group)])
        wheel.post(sc.wheel, now, visible, wheel.COUNTER, warp, counter, -1, 0)
        sc.next_at = min(sc.next_at, visible)
        copies.oldest[u(warp)] += 1


@compiled
def close(sc, inst, warp, visible, now):
    """An LDGDEPBAR issues; its increment is seen in cycle `visible`."""
    copies = sc.copies
    group = copies.open[u(warp)] % GROUPS
    counter = int(inst.commits) - 1
    wheel.post(sc.wheel, now, visible, wheel.COUNTER, warp, counter, 1, 0)
    copies.counter[u(warp), u(group)] = counter
    copies.counted_at[u(warp), u(group)] = visible + COUNT_TO_DROP
    copies.end[u(warp), u(group)] = sc.warps.access[u(warp)]
    copies.open[u(warp)] += 1
    copies.pending[u(warp), u(copies.open[u(warp)] % GROUPS)] = 0
    if copies.open[u(warp)] - copies.oldest[u(warp)] == GROUPS:
        copies.overflow = 1
    _settle(sc, warp, now)


@compiled
def read(copies, warp, access):
    """The LDGSTS with row `access` has read global memory; one a cycle, as the latch takes them."""
    copies.reader = warp + 1
    copies.read_access = access


@compiled
def written(sc, visible, now):
    """That LDGSTS writes shared memory too, which is seen in cycle `visible`."""
    copies = sc.copies
    warp, access = int(copies.reader) - 1, copies.read_access
    copies.reader = NONE
    group = copies.oldest[u(warp)]
    while group < copies.open[u(warp)] and copies.end[u(warp), u(group % GROUPS)] <= access:
        group += 1
    copies.pending[u(warp), u(group % GROUPS)] -= 1
    copies.in_flight[u(warp)] -= 1
    if copies.in_flight[u(warp)] == 0:
        copies.held &= ~(1 << warp)
        sc.next_at = min(sc.next_at, now + 1)
    copies.written_at[u(warp)] = visible
    _settle(sc, warp, now)


@compiled
def set_head(copies, machine, warp, inst):
    """The warp's next instruction is known."""
    waits = inst.commits and machine.sm.async_copy.commit == WAIT and copies.in_flight[u(warp)]
    if waits:
        copies.held |= 1 << warp
    else:
        copies.held &= ~(1 << warp)
