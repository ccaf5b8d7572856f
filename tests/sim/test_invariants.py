"""What holds for every program: random small kernels, and what must not change their cycles."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

TESTS = Path(__file__).parents[1]
examples = settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow], derandomize=True)

registers = st.integers(2, 9)
pairs = st.sampled_from([2, 4, 6, 8])
# Operands: {a} a destination pair, {b} and {c} sources, {p} a source pair, {n} a small number.
TEMPLATES = [
    "NOP",
    "FADD R{a}, R{b}, R{c}",
    "FFMA R{a}, R{b}, R{c}, R{b}",
    "FFMA R{a}, R{b}.reuse, R{c}, R{p}",
    "IADD3 R{a}, R{b}, R{c}, RZ",
    "ISETP.GE.AND P0, PT, R{b}, R{c}, PT",
    "IMAD R{a}, R{b}, R{c}, R{p}",
    "IMAD.WIDE R{a}, R{b}, R{c}, R{p}",
    "HFMA2 R{a}, R{b}, R{c}, R{p}",
    "MUFU.RCP R{a}, R{b}",
    "POPC R{a}, R{b}",
    "UIADD3 UR4, UR5, UR6, URZ",
    "DADD R{a}, R{p}, R8",
    "DFMA R{a}, R{p}, R2, R8",
    "HMMA.16816.F32 R12, R16, R20, R12",
    "S2R R{a}, SR_TID.X",
    "SHFL.IDX PT, R{a}, R{b}, R{c}, R{p}",
    "LDG.E R{a}, [R{p}.64] ; @addr base={n}00 stride={n}",
    "LDG.E.128 R12, [R{p}.64] ; @addr base={n}0000 stride=16",
    "STG.E [R{p}.64], R{b} ; @addr base={n}00 stride={n}",
    "RED.E.ADD.STRONG.GPU [R{p}.64], R{b} ; @addr base={n}00 stride=4",
    "ATOMG.E.ADD.STRONG.GPU PT, R{a}, [R{p}.64], R{b} ; @addr base={n}00 stride=4",
    "RED.E.ADD.STRONG.GPU [R{p}.64], R{b} ; @addr base=0x300 stride=0",
    "LDG.E.STRONG.GPU R{a}, [R{p}.64] ; @addr base={n}00 stride=4",
    "LDG.E.EF.LTC128B R{a}, [R{p}.64] ; @addr base={n}00 stride={n}",
    "LD.E R{a}, [R{p}.64] ; @addr base=0x300000000 stride={n}",
    "STG.E.STRONG.SYS [R{p}.64], R{b} ; @addr base={n}00 stride=4",
    "CCTL.IVALL",
    "ATOMS.ADD R{a}, [R{b}], R{c} ; @addr base=0 stride={n}",
    "LDS R{a}, [R{b}] ; @addr base=0 stride={n}",
    "STS [R{b}], R{c} ; @addr base=0 stride={n}",
    "LDC R{a}, c[0x0][R{b}]",
    "LDGSTS.E [R{b}], [R{p}.64] ; @addr base={n}00 stride=4",
    "BAR.SYNC 0x0",
    "BAR.ARV 0x1, 0x20",
    "LDGDEPBAR",
    "DEPBAR.LE SB0, 0x1",
    "MEMBAR.SC.GPU",
    "@!PT LDG.E R{a}, [R{p}.64]",
]


@st.composite
def controls(draw):
    wait = "".join(str(k) if draw(st.integers(0, 7)) == 0 else "-" for k in range(6))
    counters = [draw(st.sampled_from("------012345")) for _ in range(2)]
    yields = "Y" if draw(st.integers(0, 7)) == 0 else "-"
    stall = draw(st.sampled_from([1, 1, 1, 2, 2, 3, 4, 5, 6, 11, 0, 13, 15]))
    return f"[B{wait}:R{counters[0]}:W{counters[1]}:{yields}:S{stall:02}]"


@st.composite
def statements(draw):
    text = draw(st.sampled_from(TEMPLATES)).format(
        a=draw(pairs),
        b=draw(registers),
        c=draw(registers),
        p=draw(pairs),
        n=4 * draw(st.integers(0, 40)),
    )
    instruction, _, note = text.partition(" ;")
    return f"{note} @repeat {draw(st.integers(1, 4))} {draw(controls())} {instruction} ;".strip()


@st.composite
def kernels(draw):
    """(code, shape) of a kernel with up to twelve warps a CTA."""
    code = "\n".join(draw(st.lists(statements(), min_size=1, max_size=12)))
    if draw(st.booleans()):
        code = f"top:\n{code}\n@trips {draw(st.integers(2, 4))} @P0 BRA top ;"
    shape = {
        "block": draw(st.integers(1, 12)) * 32 - draw(st.sampled_from([0, 0, 9])),
        "grid": draw(st.integers(1, 7)),
        "warm": draw(st.sampled_from(["", "icache", "icache l1"])),
        "changes": {
            "sm.occupancy.ctas": draw(st.sampled_from([1, 16])),  # 1: places are refilled
            "sm.issue.policy": draw(st.sampled_from(["cggty", "cggty", "gto", "lrr", "lri"])),
            "sm.dependence.mode": draw(st.sampled_from(["control_bits"] * 3 + ["scoreboard"])),
        },
        "preset": draw(st.sampled_from(["ref", "ref", "authors"])),
    }
    return code, shape


@examples
@given(kernels())
def test_stall_states_partition_warp_cycles(simulate, kernel):
    """One state per resident warp and cycle, `selected` once an instruction, nothing left over."""
    code, shape = kernel
    run = simulate(code, sms=2, **shape)
    assert sum(run.stalls.values()) == run.warp_cycles
    assert run.stalls["misc"] == 0
    assert run.stalls["selected"] == run.state.streams.warp_inst == len(run.rows)


@examples
@given(kernels())
def test_cycles_of_an_instruction_are_in_order(simulate, kernel):
    """Stages follow one another, and a sub-core issues one instruction a cycle."""
    code, shape = kernel
    rows = simulate(code, sms=1, **shape).rows
    assert (rows["decode"] < rows["issue"]).all()
    assert (rows["control"] == rows["issue"] + 1).all()
    allocated = rows["allocate"] >= 0
    assert (rows["allocate"] > rows["control"])[allocated].all()
    read = rows["read_done"] >= 0
    assert (rows["read_done"] > rows["control"])[read].all()
    assert (rows["writeback"] > rows["control"]).all()
    slots = list(zip(rows["subcore"], rows["issue"], strict=True))
    assert len(set(slots)) == len(slots)


@examples
@given(kernels())
def test_windows_and_repetition_change_nothing(simulate, kernel):
    """Windows between SMs and L2 of 1, 5 and 20 cycles and the full round trip: the same bits."""
    code, shape = kernel
    full = simulate(code, sms=3, **shape).timing()
    assert simulate(code, sms=3, **shape).timing() == full
    for window in (1, 5, 20):
        assert simulate(code, sms=3, window=window, **shape).timing() == full


@examples
@given(kernels())
def test_recording_changes_no_cycle(simulate, kernel):
    code, shape = kernel
    seen, unseen = (simulate(code, sms=1, events=on, **shape) for on in (True, False))
    assert (seen.cycles, seen.stalls) == (unseen.cycles, unseen.stalls)
    assert len(unseen.state.events) == 0


@settings(max_examples=25)
@given(st.lists(st.tuples(registers, registers, registers, st.booleans()), min_size=2, max_size=12))
def test_more_read_ports_never_slow_a_stream(simulate, operands):
    """One warp, FP32 only: ports are all that an instruction can wait for."""
    lines = [f"FFMA R1, R{a}{'.reuse' * kept}, R{b}, R{c} ;" for a, b, c, kept in operands]
    ends = [
        simulate("\n".join(lines), changes={"sm.register_file.read_ports": ports}).issues("EXIT")[0]
        for ports in (1, 2, 3, 8)
    ]
    assert ends == sorted(ends, reverse=True)
    assert ends[-1] == 4 + len(operands)


subcores = st.sets(st.integers(0, 3), min_size=2, max_size=2).map(sorted)


@examples
@given(st.lists(statements(), min_size=1, max_size=8), subcores)
def test_equal_warps_end_alike_wherever_they_run(simulate, code, where):
    """Two warps on any two sub-cores: the same cycles, since all are served in turn."""
    ends = []
    for active in ([0, 1], where):
        shape = {"block": 128, "active": " ".join(map(str, active)), "warm": "icache l1"}
        run = simulate("\n".join(code), **shape)
        ends.append([run.issues("EXIT", warp=warp)[-1] for warp in active])
    assert ends[0] == ends[1]


def test_states_partition_with_a_long_issue_hold(simulate):
    """The hold after IMAD.WIDE is a parameter; held warps are in `dispatch_stall`."""
    changes = {"sm.issue.imad_hold_cycles": 9}
    run = simulate("@repeat 5 IMAD.WIDE R6, R4, R8, R10 ;", block=256, changes=changes)
    assert run.stalls["misc"] == 0


SAMPLES = {
    "arithmetic": (
        "FFMA R1, R2.reuse, R4, R6 ;\nIMAD.WIDE R8, R3, R5, RZ ;\nMUFU.RCP R1, R2 ;",
        96,
    ),
    "loop": (
        "top:\n@repeat 9 NOP ;\n[B------:R-:W-:Y:S02] FADD R1, R2, R5 ;\n@trips 3 @P0 BRA top ;",
        64,
    ),
    "memory": (
        """[B------:R0:W1:-:S02] LDG.E R4, [R2.64] ; @addr base=0x4000 stride=12
[B01----:R-:W-:-:S01] LDS R5, [R4] ; @addr base=0 stride=8
[B------:R2:W-:-:S02] STG.E [R2.64], R4 ;
[B--2---:R-:W-:-:S04] DEPBAR.LE SB1, 0x0 ;
BAR.SYNC 0x0 ;
[B------:R-:W3:-:S02] DFMA R8, R2, R4, R6 ;
[B---3--:R-:W-:-:S01] NOP ;""",
        160,
    ),
}
# Runs the samples in a fresh interpreter and prints the cycles of every instruction.
CHILD = """
import json, sys
from conftest import simulate_kernel
samples = json.load(sys.stdin)
runs = {n: simulate_kernel(c, block=b, grid=3, warm="", sms=2) for n, (c, b) in samples.items()}
print(json.dumps({n: run.rows.tolist() for n, run in runs.items()}))
"""


def in_a_child(**environment):
    result = subprocess.run(
        [sys.executable, "-c", CHILD],
        input=json.dumps(SAMPLES),
        env=os.environ | {"PYTHONPATH": os.pathsep.join([*sys.path, str(TESTS)])} | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return {name: [tuple(row) for row in rows] for name, rows in json.loads(result.stdout).items()}


def compiled_rows(simulate):
    runs = {n: simulate(c, block=b, grid=3, warm="", sms=2) for n, (c, b) in SAMPLES.items()}
    return {name: run.rows.tolist() for name, run in runs.items()}


def test_interpreted_equals_compiled(simulate):
    """The same source runs as plain Python: every stage of every instruction in the same cycle."""
    assert in_a_child(NUMBA_DISABLE_JIT="1") == compiled_rows(simulate)


@pytest.mark.slow
def test_with_bounds_checks(simulate):
    """Every index stays inside its array."""
    assert in_a_child(NUMBA_BOUNDSCHECK="1") == compiled_rows(simulate)
