"""Special functions, and the test whether a division needs more than they give."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .floating import Doubles
from .half import half, write_half
from .semantics import semantics
from .step import SIGN, Step, flush

FUNCTIONS: dict[str, Callable[[Doubles], Doubles]] = {
    "RCP": lambda x: 1 / x,
    "RSQ": lambda x: 1 / np.sqrt(x),
    "SQRT": np.sqrt,
    "LG2": np.log2,
    "EX2": np.exp2,
    "SIN": lambda x: np.sin(2 * np.pi * x),  # the argument comes in turns
    "COS": lambda x: np.cos(2 * np.pi * x),
    "TANH": np.tanh,
}


HIGH_WORD_FUNCTIONS = {"RCP64H": "RCP", "RSQ64H": "RSQ"}


@semantics("MUFU", modifiers=f"FTZ F16 {' '.join(FUNCTIONS)} {' '.join(HIGH_WORD_FUNCTIONS)}")
def mufu(s: Step) -> None:
    """Special functions, correctly rounded; the hardware's tables err by one or two ulps more.

    Denormal arguments count as zero: compilers scale them before they come here.
    """
    for name, short in HIGH_WORD_FUNCTIONS.items():
        if s.has(name):
            return mufu_high_word(s, FUNCTIONS[short])
    function = next(FUNCTIONS[m] for m in s.instruction.modifiers if m in FUNCTIONS)
    if s.has("F16"):
        return write_half(s, function(half(s, s.sources[0])))
    a = s.floating(s.sources[0])
    argument = a if s.has("EX2") else flush(a.view(np.uint32)).view(np.float32)
    s.write_float(function(argument.astype(np.float64)).astype(np.float32))


def mufu_high_word(s: Step, function: Callable[[Doubles], Doubles]) -> None:
    """The upper half of a binary64 function of a number whose lower half is zero."""
    (operand,) = s.sources
    high = s.raw(operand)
    high = high & ~SIGN if operand.absolute else high
    high = high ^ SIGN if operand.negated else high
    value = function((high.astype(np.uint64) << np.uint64(32)).view(np.float64))
    s.write((value.view(np.uint64) >> np.uint64(32)).astype(np.uint32))


@semantics("FCHK", modifiers="DIVIDE", destination=False)
def fchk(s: Step) -> None:
    """Tells whether a division needs the slow path: an exponent or a quotient near the limits."""
    a, b = (s.floating(o).view(np.uint32) >> np.uint32(23) & np.uint32(255) for o in s.sources)
    difference = a.astype(np.int64) - b.astype(np.int64)
    narrow = (b < 2) | (b > 252) | (a > 254) | (a < 25)
    s.output(0, narrow | (difference > 125) | (difference < -125))
