"""Dependence counters SB0..SB5: wait masks and DEPBAR (sm-core 1.8, 3.3, 6.3).

Changes arrive as events in the cycle in which the issue logic first sees them: an increment two
cycles after issue (it happens at the end of the first cycle in Control), a decrement one cycle
after the read or write that causes it.
"""

from __future__ import annotations

from ..compiled import compiled, lowest, record, u
from .limits import COUNTERS, WARPS

# Is a DEPBAR in force?
OFF = 0
BEHIND = 1  # for what follows it, until it holds once
HEAD = 2  # for itself, until it issues

State = record(
    ("changed", "i4"),  # warps whose counters or gate changed in this cycle
    ("waiting", "i4"),  # warps held by their wait mask
    ("gated", "i4"),  # warps held by a DEPBAR
    ("long", "i4"),  # held warps that wait for a global or local access
    ("value", "i2", (WARPS, COUNTERS)),
    ("raised", "i2", WARPS),  # counters that are not zero
    ("l1tex", "i2", WARPS),  # counters last incremented by a global or local access
    ("head_mask", "i2", WARPS),  # wait mask of the warp's next instruction
    ("gate_on", "i2", WARPS),
    ("gate_counter", "i2", WARPS),
    ("gate_limit", "i2", WARPS),
    ("gate_mask", "i2", WARPS),
)


@compiled(inline=True)
def _update(dependence, warp):
    bit = 1 << warp
    nonzero = int(dependence.raised[u(warp)])
    blocking = int(dependence.head_mask[u(warp)]) & nonzero
    if blocking:
        dependence.waiting |= bit
    else:
        dependence.waiting &= ~bit
    if dependence.gate_on[u(warp)]:
        counter = int(dependence.gate_counter[u(warp)])
        unmet = int(dependence.gate_mask[u(warp)]) & nonzero
        if dependence.value[u(warp), u(counter)] > dependence.gate_limit[u(warp)]:
            unmet |= 1 << counter
        if unmet:
            dependence.gated |= bit
            blocking |= unmet
        else:
            dependence.gated &= ~bit
            if dependence.gate_on[u(warp)] == BEHIND:
                dependence.gate_on[u(warp)] = OFF
    if blocking & int(dependence.l1tex[u(warp)]):
        dependence.long |= bit
    else:
        dependence.long &= ~bit


@compiled
def set_head(dependence, warp, wait_mask):
    """The warp's next instruction waits for the counters in `wait_mask`."""
    dependence.head_mask[u(warp)] = wait_mask
    if dependence.gate_on[u(warp)] == HEAD:
        dependence.gate_on[u(warp)] = OFF
        dependence.gated &= ~(1 << warp)
    _update(dependence, warp)


@compiled
def reset(dependence, warp):
    """A new warp starts with all counters at zero."""
    for counter in range(COUNTERS):
        dependence.value[u(warp), u(counter)] = 0
    dependence.raised[u(warp)] = 0
    dependence.l1tex[u(warp)] = 0
    dependence.gate_on[u(warp)] = 0
    set_head(dependence, warp, 0)


@compiled
def mark(dependence, warp, counter, l1tex):
    """Remember whether a counter's newest producer is a global or local access."""
    if l1tex:
        dependence.l1tex[u(warp)] |= 1 << counter
    else:
        dependence.l1tex[u(warp)] &= ~(1 << counter) & 63


@compiled
def change(dependence, warp, counter, delta):
    """Add `delta` to a counter; `settle` follows when all changes of the cycle are made."""
    value = dependence.value[u(warp), u(counter)] + delta
    dependence.value[u(warp), u(counter)] = value
    if value:
        dependence.raised[u(warp)] |= 1 << counter
    else:
        dependence.raised[u(warp)] &= ~(1 << counter) & 63
    dependence.changed |= 1 << warp


@compiled
def settle(dependence):
    """Find out who waits, after the changes of a cycle: a gate must not see half of them."""
    while dependence.changed:
        warp = lowest(dependence.changed)
        dependence.changed &= dependence.changed - 1
        _update(dependence, warp)


@compiled
def arm(dependence, warp, inst):
    """Remember what a DEPBAR demands; it is put into force some cycles later."""
    dependence.gate_counter[u(warp)] = inst.gate_counter
    dependence.gate_limit[u(warp)] = inst.gate_limit
    dependence.gate_mask[u(warp)] = inst.gate_mask


@compiled
def enforce(dependence, warp):
    """From now on the warp is not ready until its DEPBAR has held once."""
    dependence.gate_on[u(warp)] = BEHIND
    dependence.changed |= 1 << warp


@compiled
def hold_head(dependence, warp):
    """The warp's next instruction, a DEPBAR, does not issue until it holds itself."""
    dependence.gate_on[u(warp)] = HEAD
    _update(dependence, warp)
