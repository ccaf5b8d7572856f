"""What the host copied before a kernel is in the L2 when it starts (memory 5.7)."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from warpwise.sim import run
from warpwise.traces.copies import Copy
from warpwise.traces.handwritten import parse

PLACE, LINE, LOADS = 1 << 42, 128, 8
ROOM = 6144 * 1024
L2_HIT, MEMORY = 249, 488  # cycles of a load on the RTX A6000 that finds nothing in the L1
CHASE = "\n".join(
    f"[B0-----:R-:W0:-:S02] LDG.E.STRONG.GPU R4, [R4.64] ; @addr uniform={PLACE + LINE * k:#x}"
    for k in range(LOADS)
)
WRITE = "\n".join(
    f"[B------:R-:W-:-:S02] STG.E [R2.64], R4 ; @addr base={PLACE + LINE * k:#x} stride=4"
    for k in range(LOADS)
)
KERNEL = """
.arch sm_86
.kernel chase
.warm icache const
{code}
[B0-----:R-:W-:-:S01] EXIT ;
"""


def chase(*copies, before="", **parameters):
    """A kernel that loads one line after the other, each when the last one is there."""
    text = KERNEL.format(code=before) * bool(before) + KERNEL.format(code=CHASE)
    trace = parse(text)
    *first, kernel = trace.kernels
    copied = replace(kernel, copies=tuple(Copy(*copy) for copy in copies))
    return run(replace(trace, kernels=(*first, copied)), sms=1, **parameters).kernels[-1]


def loads_from_memory(result):
    """How many of the loads took as long as one from memory, if the others hit the L2."""
    none = chase((PLACE, LOADS * LINE)).execution_cycles
    found, rest = divmod(result.execution_cycles - none, MEMORY - L2_HIT)
    assert rest == 0
    return found


@pytest.mark.parametrize("lines", range(LOADS + 1))
def test_a_copied_line_takes_as_long_as_a_hit(lines):
    result = chase((PLACE, lines * LINE))
    assert loads_from_memory(result) == LOADS - lines
    assert result.statistics["l2_hit_rate"] == 100 * lines / LOADS


def test_without_the_parameter_copies_fill_nothing():
    result = chase((PLACE, LOADS * LINE), **{"l2.memcpy_fills_l2": False})
    assert loads_from_memory(result) == LOADS


def test_one_byte_brings_its_line():
    assert loads_from_memory(chase((PLACE + LINE - 1, 2))) == LOADS - 2


def test_copies_between_kernels_displace_what_kernels_left():
    """The first kernel writes all lines; copies as large as the L2, elsewhere, push them out."""
    elsewhere = [(2 * ROOM * k, ROOM) for k in range(3)]
    assert loads_from_memory(chase(before=WRITE)) == 0
    assert loads_from_memory(chase(*elsewhere, before=WRITE)) == LOADS
    cleared = {"l2.between_kernels": "clear"}
    assert loads_from_memory(chase((PLACE, 4 * LINE), before=WRITE, **cleared)) == LOADS - 4


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 1 << 40))
def test_of_a_long_copy_the_end_is_there(more):
    """As much as the L2 has room for."""
    size, end = ROOM + more, PLACE + 5 * LINE
    assert loads_from_memory(chase((end - size, size))) == LOADS - 5
    assert loads_from_memory(chase((PLACE, size + LOADS * LINE))) == LOADS


def test_authors_preset_fills_nothing():
    """Its simulator fills other lines, whose addresses are cut to 32 bits."""
    copied = chase((PLACE, LOADS * LINE), preset="authors")
    assert copied.execution_cycles == chase(preset="authors").execution_cycles
