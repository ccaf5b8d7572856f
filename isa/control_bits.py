"""The 21 control bits of a 128-bit instruction, as a number and as CuAssembler writes them.

Bit 105 up: stall count (4), yield (1, inverted), write counter (3), read counter (3), wait mask
(6), reuse (4). The text form `[B0-----:R-:W2:Y:S04]` leaves reuse out, because it is a suffix of
the operand.
"""

from __future__ import annotations

import re

from .errors import InputError
from .program import NO_COUNTER, Control

FIRST_BIT = 105
COUNTERS = 6  # SB0..SB5

_TEXT = re.compile(
    r"\[B(?P<wait>[0-5-]{6}):R(?P<read>[0-5-]):W(?P<write>[0-5-]):(?P<yield>[Y-]):S(?P<stall>\d\d?)\]"
)


def decode(word: int) -> Control:
    """Read the control bits of a 128-bit instruction word."""
    bits = word >> FIRST_BIT
    return Control(
        stall=bits & 15,
        yield_=not bits >> 4 & 1,
        write_counter=bits >> 5 & 7,
        read_counter=bits >> 8 & 7,
        wait_mask=bits >> 11 & 63,
        reuse=bits >> 17 & 15,
    )


def encode(control: Control) -> int:
    """The control bits in their place; the rest of the 128-bit word is 0."""
    bits = (
        control.stall
        | (not control.yield_) << 4
        | control.write_counter << 5
        | control.read_counter << 8
        | control.wait_mask << 11
        | control.reuse << 17
    )
    return bits << FIRST_BIT


def parse(text: str) -> Control:
    """Read `[B0-----:R-:W2:Y:S04]`; a waited-for counter stands as its digit at its place."""
    match = _TEXT.fullmatch(text.strip())
    if match is None:
        raise InputError(
            f"control bits {text.strip()!r} are not of the form [B------:R-:W-:-:S01]."
        )
    stall = int(match["stall"])
    if stall > 15:
        raise InputError(
            f"control bits {text.strip()!r} have stall count {stall}; at most 15 fits."
        )
    return Control(
        stall=stall,
        yield_=match["yield"] == "Y",
        write_counter=_counter(match["write"]),
        read_counter=_counter(match["read"]),
        wait_mask=_wait_mask(match["wait"], text.strip()),
    )


def format(control: Control) -> str:
    """Write control bits the CuAssembler way."""
    wait = "".join(str(i) if control.wait_mask >> i & 1 else "-" for i in range(COUNTERS))
    yield_ = "Y" if control.yield_ else "-"
    return (
        f"[B{wait}:R{_digit(control.read_counter)}:W{_digit(control.write_counter)}"
        f":{yield_}:S{control.stall:02d}]"
    )


def _counter(digit: str) -> int:
    return NO_COUNTER if digit == "-" else int(digit)


def _digit(counter: int) -> str:
    return "-" if counter == NO_COUNTER else str(counter)


def _wait_mask(digits: str, text: str) -> int:
    mask = 0
    for place, digit in enumerate(digits):
        if digit == "-":
            continue
        if digit != str(place):
            raise InputError(
                f"control bits {text!r} wait for counter {digit} at the place of counter {place}; "
                f"expected {place} or '-' there."
            )
        mask |= 1 << place
    return mask
