"""What lanes of a warp exchange: votes, shuffles, and moves to the uniform datapath."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...isa.program import Kind
from .fragments import pack
from .integer import words
from .semantics import semantics
from .step import ZERO, Step


@semantics("VOTE", "VOTEU", modifiers="ANY ALL EQ", destination=False)
def vote(s: Step) -> None:
    """Collects a predicate from the lanes that execute: as a mask, and whether any or all hold."""
    *results, source = s.instruction.operands
    votes = s.executed & s.predicate(source)
    ballot = pack(votes)[:, None]
    everyone = s.executed_bits[:, None]
    if s.has("ALL"):
        outcome = ballot == everyone
    elif s.has("EQ"):
        outcome = (ballot == everyone) | (ballot == 0)
    else:
        outcome = ballot != 0
    for operand in results:
        if operand.kind in (Kind.PREDICATE, Kind.UNIFORM_PREDICATE):
            s.write_predicate(operand, outcome)
        else:
            s.write_to(operand, ballot)


@semantics("SHFL", modifiers="IDX UP DOWN BFLY")
def shfl(s: Step) -> None:
    """Reads a register of another lane; a lane outside its segment reads its own."""
    value, by, clamp = (np.broadcast_to(s.integer(o), s.executed.shape) for o in s.sources)
    lane = np.broadcast_to(np.arange(32, dtype=np.uint32), value.shape)
    segment, limit, step = clamp >> np.uint32(8) & 31, clamp & np.uint32(31), by & np.uint32(31)
    first, last = lane & segment, (lane & segment) | (limit & ~segment)
    if s.has("UP"):
        source = lane - step
        inside = source.view(np.int32) >= last.view(np.int32)
    else:
        if s.has("DOWN"):
            source = lane + step
        elif s.has("BFLY"):
            source = lane ^ step
        else:
            source = first | (step & ~segment)
        inside = source <= last
    source = np.where(inside, source, lane)
    result = np.take_along_axis(value, source.astype(np.int64), axis=1)
    s.output(0, inside)
    s.write(result)


@semantics("MATCH", modifiers="ANY ALL U64")
def match(s: Step) -> None:
    """The executing lanes with the same value; ALL gives a mask only if all have the same."""
    source: Any = s.wide(s.sources[0]) if s.has("U64") else s.integer(s.sources[0])
    value = np.broadcast_to(source, s.executed.shape)
    equal = (value[:, :, None] == value[:, None, :]) & s.executed[:, None, :]
    masks = pack(equal.reshape(-1, 32)).reshape(s.executed.shape)
    if s.has("ALL"):
        same = masks == s.executed_bits[:, None]
        s.output(0, same)
        masks = np.where(same, masks, np.uint32(0))
    s.write(masks)


@semantics("R2UR")
def r2ur(s: Step) -> None:
    """Moves a word to the uniform registers, from the lowest lane that executes."""
    s.write(s.integer(s.sources[0]))


@semantics("S2R", "S2UR", "CS2R", modifiers="32")
def s2r(s: Step) -> None:
    """Reads a special register; the clock counts the emulator's steps. CS2R reads 64 bits."""
    value = s.state.special(s.sources[0].text)[s.rows]
    if s.instruction.opcode == "CS2R" and not s.has("32"):
        return s.write(value, ZERO)
    s.write(value)


@semantics("REDUX", modifiers="SUM MIN MAX AND OR XOR S32 U32")
def redux(s: Step) -> None:
    """Combines a word of all lanes that execute."""
    value = np.broadcast_to(s.integer(s.sources[0]), s.executed.shape)
    numbers = value.view(np.int32) if s.has("S32") else value
    wide, where = numbers.astype(np.int64), s.executed
    if s.has("SUM"):
        result = wide.sum(axis=1, where=where)
    elif s.has("MIN"):
        result = wide.min(axis=1, where=where, initial=2**32)
    elif s.has("MAX"):
        result = wide.max(axis=1, where=where, initial=-(2**31))
    elif s.has("AND"):
        result = np.bitwise_and.reduce(wide, axis=1, where=where)
    elif s.has("XOR"):
        result = np.bitwise_xor.reduce(wide, axis=1, where=where)
    else:
        result = np.bitwise_or.reduce(wide, axis=1, where=where)
    s.write(words(result.view(np.uint64))[:, None])
