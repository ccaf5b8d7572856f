"""The readable twin by itself: numbers of the paper, limits, messages."""

import pytest

from warpwise.isa.errors import DeadlockError, InputError
from warpwise.sim import run
from warpwise.sim.machine.load import load
from warpwise.sim.reference import model
from warpwise.traces.handwritten import parse

WARM = "icache l1i const l1"


@pytest.fixture
def twin(sass):
    def simulate(code, gpu="rtx_a6000", changes=None, max_cycles=2000, **shape):
        kernel = parse(sass(code, warm=WARM, **shape)).kernels[0]
        return model.run(kernel, load(gpu, "ref", changes).gpu, max_cycles)

    return simulate


def issues(outcome, opcode, subcore=0):
    return [
        op.issue
        for op in outcome.ops
        if op.cost.inst.opcode == opcode and op.warp.subcore.number == subcore
    ]


@pytest.mark.parametrize(
    ("x", "y", "cycles"), [("R19", "R21", 5), ("R18", "R21", 6), ("R18", "R20", 7)]
)
def test_listing_1(twin, x, y, cycles):
    clock, ffma = "CS2R.32 R0, SR_CLOCKLO ;", "FFMA R11, R10, R12, R14 ;"
    first, second = issues(
        twin(f"{clock}\nNOP ;\n{ffma}\nFFMA R13, R16, {x}, {y} ;\nNOP ;\n{clock}"), "CS2R"
    )
    assert second - first == cycles


@pytest.mark.parametrize(
    ("stall", "distance"), [("-:S04", 4), ("-:S01", 1), ("Y:S01", 2), ("Y:S00", 46), ("-:S15", 2)]
)
def test_stall_counts(twin, stall, distance):
    first, second = issues(twin(f"[B------:R-:W-:{stall}] NOP ;\nNOP ;"), "NOP")
    assert second - first == distance


@pytest.mark.parametrize(
    ("active", "sixth"), [(1, [13]), (2, [13, 15]), (3, [13, 15, 17]), (4, [13, 15, 17, 19])]
)
def test_table_1(twin, active, sixth):
    """Cycle in which the sixth load of each sub-core issues, if the first does in cycle 2."""
    outcome = twin("@repeat 8 LDG.E R4, [R2.64] ;", block=32 * active)
    loads = [issues(outcome, "LDG", s) for s in range(active)]
    assert [cycles[5] - cycles[0] + 2 for cycles in loads] == sixth


def test_a_kernel_that_hangs_names_its_warps(twin):
    with pytest.raises(DeadlockError, match=r"(?s)2000 cycles.*warp 0: 'EXIT' waits for a barrier"):
        twin("BAR.SYNC 0x1, 0x40 ;")


def test_what_it_leaves_out_is_an_error(twin):
    with pytest.raises(InputError, match="ends at the L1"):
        twin("ATOMG.E.ADD.STRONG.GPU PT, R4, [R2.64], R6 ;")
    with pytest.raises(InputError, match=r"sm\.issue\.depbar is 'hold'"):
        twin("NOP ;", changes={"sm.issue.depbar": "hold"})


def test_run_says_what_is_warm(sass):
    """A cold kernel may run on the twin, with a warning; its fingerprint is not the engine's."""
    trace = parse(sass("FADD R1, R2, R3 ;", warm=""))
    with pytest.warns(UserWarning, match="hits"):
        result = run(trace, model="reference", events=True)
    assert len(result.kernels[0].events) == 2
    assert result.fingerprint != run(trace, sms=1).fingerprint
    assert result.kernels[0].hotspots()["issued"].sum() == 2
