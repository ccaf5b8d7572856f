"""How fast the engine is: `pytest -m benchmark`. Visits per instruction do not depend on load."""

import pytest

from warpwise.sim import engine
from warpwise.sim.machine.load import load
from warpwise.traces.handwritten import parse

KERNEL = """
.arch sm_86
.kernel {name}
.block {threads}
.grid 2
.warm icache const l1
.repeat 400
{body}
.end
[B------:R-:W-:-:S01] EXIT ;
"""
FFMA = "[B------:R-:W-:-:S01] FFMA R1, R2, R3, R4 ;"
LOAD = """
[B------:R-:W0:-:S02] LDG.E R1, [R2.64] ;
[B0-----:R-:W-:-:S04] FADD R5, R1, R5 ;
"""
KERNELS = {
    "ffma": KERNEL.format(name="ffma", threads=768, body=FFMA),
    "load": KERNEL.format(name="load", threads=768, body=LOAD),
    "one warp a sub-core": KERNEL.format(name="latency", threads=128, body=LOAD),
}


@pytest.mark.benchmark
@pytest.mark.parametrize("name", KERNELS)
def test_one_sm(benchmark, name):
    (kernel,) = parse(KERNELS[name]).kernels
    machine = load()
    engine.simulate(kernel, machine, sms=1)
    state = benchmark(engine.simulate, kernel, machine, sms=1)
    instructions = state.streams.warp_inst
    benchmark.extra_info["warp_inst"] = instructions
    benchmark.extra_info["visits_per_inst"] = int(state.sms["visits"].sum()) / instructions
