"""Every kernel of the zoo, written in each format, simulates in the cycles of what was emulated."""

import pytest

from warpwise.sim import run
from warpwise.traces import convert
from warpwise.traces.load import load
from warpwise.validation.kernels.zoo import ZOO, cubin, trace_zoo

SMS = 8
FAST = ("bfs_level", "hgemm_tensor")  # in the default run: divergence, and LDGSTS or wide operands


@pytest.fixture(scope="module")
def emulated():
    """A kernel's trace and its cycles; the last ones are kept for the next format."""
    kept = {}

    def emulate(name):
        if name not in kept:
            kept.clear()
            trace = trace_zoo(name)
            kept[name] = trace, cycles(trace)
        return kept[name]

    return emulate


def cycles(trace):
    return [kernel.cycles for kernel in run(trace, sms=SMS, max_cycles=2_000_000).kernels]


NAMES = [pytest.param(n, marks=() if n in FAST else pytest.mark.slow) for n in ZOO]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("target", ["a.warptrace", "kernelslist.g", "dynamic_trace.pb"])
def test_cycles_are_those_of_the_emulated_trace(tmp_path, emulated, name, target):
    """Text needs the cubin for that."""
    if target == "dynamic_trace.pb":
        pytest.importorskip("google.protobuf")
    trace, expected = emulated(name)
    convert.write(trace, tmp_path / target)
    code = cubin(name, "sm_86") if target == "kernelslist.g" else None
    assert cycles(load(tmp_path / target, cubin=code)) == expected
