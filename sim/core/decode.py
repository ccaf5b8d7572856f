"""From the L0I's response slot through the decode stage into the instruction buffer (sm-core 2.3).

The buffer of a warp holds consecutive PCs, since a taken branch empties it; an entry is known by
its distance to the head. A response whose entry was flushed is dropped in decode.
"""

from __future__ import annotations

from ..compiled import compiled, record, u
from .limits import BUFFER, NEVER, WARPS

SLOT_TO_ISSUE = 3  # response slot, latch, decode: one cycle each
PIPE = 4  # power of two above SLOT_TO_ISSUE
FLUSHED = -1  # PC of a response that no entry waits for

State = record(
    ("valid", "i4"),  # warps whose oldest entry is decoded
    ("redirected", "i4"),  # warps whose taken branch has not delivered its target yet
    ("pipe_head", "i8"),  # ring positions of the responses in latch and decode stage
    ("pipe_tail", "i8"),
    ("head", "i4", WARPS),  # PC of the oldest entry
    ("entries", "i2", WARPS),  # in the buffer, those still being fetched included
    ("decoded", "i2", WARPS),  # bit i: the i-th entry from the head
    ("pipe_at", "i8", PIPE),  # when the issue logic sees the response; in order
    ("pipe_warp", "i2", PIPE),
    ("pipe_pc", "i4", PIPE),
    ("fetched_at", "i8", (WARPS, BUFFER)),  # by PC modulo BUFFER, for the event table
    ("decoded_at", "i8", (WARPS, BUFFER)),
)


@compiled
def respond(decode, warp, pc, visible):
    """The L0I answers `warp`; the issue logic sees the instruction in cycle `visible`."""
    slot = decode.pipe_tail % PIPE
    decode.pipe_tail += 1
    decode.pipe_at[u(slot)] = visible
    decode.pipe_warp[u(slot)] = warp
    decode.pipe_pc[u(slot)] = pc


@compiled(inline=True)
def step(decode, now):
    """Responses that have left the decode stage become valid."""
    while decode.pipe_head < decode.pipe_tail:
        slot = decode.pipe_head % PIPE
        if decode.pipe_at[u(slot)] > now:
            return
        decode.pipe_head += 1
        warp = int(decode.pipe_warp[u(slot)])
        pc = int(decode.pipe_pc[u(slot)])
        distance = pc - decode.head[u(warp)]
        if 0 <= distance < decode.entries[u(warp)]:
            decode.decoded[u(warp)] |= 1 << distance
            decode.decoded_at[u(warp), u(pc % BUFFER)] = decode.pipe_at[u(slot)] - 1
            if distance == 0:
                decode.valid |= 1 << warp
                decode.redirected &= ~(1 << warp)


@compiled
def pop(decode, warp):
    """The oldest entry leaves the buffer."""
    decode.head[u(warp)] += 1
    decode.entries[u(warp)] -= 1
    decode.decoded[u(warp)] >>= 1
    if decode.decoded[u(warp)] & 1 == 0:
        decode.valid &= ~(1 << warp)


@compiled
def redirect(decode, warp, pc):
    """Empty the buffer; the next entry will be `pc`."""
    decode.head[u(warp)] = pc
    decode.entries[u(warp)] = 0
    decode.decoded[u(warp)] = 0
    decode.valid &= ~(1 << warp)
    decode.redirected |= 1 << warp
    for slot in range(PIPE):
        if decode.pipe_warp[u(slot)] == warp:
            decode.pipe_pc[u(slot)] = FLUSHED


@compiled
def next_at(decode):
    """The next cycle in which a warp's next instruction becomes valid; others can wait."""
    for position in range(decode.pipe_head, decode.pipe_tail):
        slot = position % PIPE
        if decode.pipe_pc[u(slot)] == decode.head[u(decode.pipe_warp[u(slot)])]:
            return decode.pipe_at[u(slot)]
    return NEVER
