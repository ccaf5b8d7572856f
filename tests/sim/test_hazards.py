"""Control bits against what code needs: hand-made mistakes are found, compiled code has none."""

from dataclasses import replace
from pathlib import Path

import pytest

from warpwise.isa import cubin, sass
from warpwise.sim.hazards import check
from warpwise.sim.machine.load import load as load_machine
from warpwise.traces.nvrtc import compile_cuda
from warpwise.validation.experiments import listing_1, listing_2, listing_3, listing_4

ROOT = Path(__file__).parents[2]
COMPILED = sorted((ROOT / "traces/kernels").glob("*.cubin")) + sorted(
    (ROOT / "tests/isa/data").glob("sample*.cubin")
)
GPUS = {
    arch: load_machine(name).gpu
    for arch, name in {"sm_75": "rtx_2080_ti", "sm_86": "rtx_a6000"}.items()
}

# What compilers guard in unusual ways: doubles and conversions share one queue and results come in
# order, both sides of a condition write one register, shared loads share a counter, calls return.
SOURCE = """
__device__ __noinline__ float chain(float a, int n) {
    float s = a;
    for (int i = 0; i < n; i++) s = s * a + i;
    return s;
}
extern "C" __global__ void mixed(double* d, float* f, long long* l, int* x, int n) {
    __shared__ float4 tile[64];
    int t = threadIdx.x;
    tile[t] = make_float4(f[t], f[t + n], d[t], x[t] % n);
    __syncthreads();
    d[t] = (double)x[t] * d[t + 1] + (d[t + 2] > 1.0 ? pow(d[t + 3], 1.7) : fmod(d[t + 4], 3.3));
    l[t] = (long long)d[t + 5] + __float2ll_rz(f[t + 9]) * (l[t + 1] / (n + 3));
    for (int s = 32; s; s >>= 1) {
        if (t < s) tile[t].x += tile[t + s].y;
        __syncthreads();
    }
    f[t] = chain(tile[t].x, n) + sinf(f[t + 1] * 1e6f) / sqrtf(f[t + 2]);
    x[t] = __shfl_xor_sync(~0u, x[t + 1], 1) + __popc(x[t + 2]) + atomicAdd(x + 3, n);
}
"""


def program(code, arch="sm_86"):
    return sass.from_text("code", arch, [line for line in code.splitlines() if line.strip()])


def hazards(code, arch="sm_86"):
    """Kind, register, cycles needed and found of all hazards, in order."""
    found = check(program(code, arch), GPUS[arch])
    return [(h.kind, h.register, h.needed, h.found) for f in found for h in f.hazards]


def slack(code):
    return [f.slack for f in check(program(code), GPUS["sm_86"])]


def with_bits(code, number, **bits):
    """A program with other control bits in one instruction."""
    instructions = list(code.instructions)
    inst = instructions[number]
    instructions[number] = replace(inst, control=replace(inst.control, **bits))
    return replace(code, instructions=tuple(instructions))


def count(code):
    return sum(len(found.hazards) for found in check(code, GPUS[code.arch]))


@pytest.mark.parametrize(("stall", "expected"), [(1, [("RAW", "R1", 4, 1)]), (4, [])])
def test_listing_2_a_stall_count_too_small(stall, expected):
    """The paper's example: with a stall count of 1 the FFMA computes with the old R1."""
    assert hazards(listing_2.CODE.format(stall=stall))[: len(expected) or None] == expected


@pytest.mark.parametrize(
    ("move", "load", "expected"),
    [
        (4, 5, []),
        (3, 5, [("RAW", "R43", 4, 3)]),
        (4, 4, [("RAW", "R41", 5, 4)]),
    ],
)
def test_listing_3_addresses_need_a_cycle_more(move, load, expected):
    lines = listing_3.CODE.strip().splitlines()
    lines[0] = lines[0].replace("S01", f"S{move:02}")
    lines[1] = lines[1].replace("S01", f"S{load:02}")
    assert hazards("\n".join(lines)) == expected


@pytest.mark.parametrize("example", listing_4.SECOND)
def test_listing_4_has_no_dependences(example):
    assert hazards(listing_4.CODE.format(second=listing_4.SECOND[example])) == []


def test_listing_1_has_no_dependences():
    code = listing_1.CODE.format(rx="R18", ry="R20", last_nop="")
    assert hazards(code) == []
    assert set(slack(code)) == {0}


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        pytest.param(
            """[B------:R-:W0:-:S02] LDG.E R2, [R10.64] ;
            [B------:R-:W-:-:S04] FADD R6, R2, R4 ;""",
            [("RAW", "R2", None, 2)],
            id="no wait",
        ),
        pytest.param(
            """[B------:R-:W0:-:S01] LDG.E R2, [R10.64] ;
            [B0-----:R-:W-:-:S04] FADD R6, R2, R4 ;""",
            [("RAW", "R2", None, 1)],
            id="the counter is seen after two cycles",
        ),
        pytest.param(
            """[B------:R-:W0:-:S02] LDG.E R2, [R10.64] ;
            [B-1----:R-:W-:-:S04] FADD R6, R2, R4 ;""",
            [("RAW", "R2", None, 2)],
            id="wrong counter",
        ),
        pytest.param(
            """[B------:R-:W-:-:S02] MUFU.RCP R2, R3 ;
            [B012345:R-:W-:-:S04] FADD R6, R2, R4 ;""",
            [("RAW", "R2", None, 2)],
            id="no counter",
        ),
        pytest.param(
            """[B------:R-:W0:-:S02] LDG.E.64 R2, [R10.64] ;
            [B------:R-:W-:-:S04] MOV R3, 0x1 ;""",
            [("WAW", "R3", None, 2)],
            id="overwritten too early",
        ),
        pytest.param(
            """[B------:R-:W-:-:S02] STG.E [R10.64], R6 ;
            [B------:R-:W-:-:S04] MOV R11, 0x1 ;""",
            [("WAR", "R11", None, 2)],
            id="no read counter",
        ),
        pytest.param(
            """[B------:R3:W-:-:S02] STG.E [R10.64], R6 ;
            [B---3--:R-:W-:-:S04] MOV R11, 0x1 ;""",
            [],
            id="read counter",
        ),
        pytest.param(
            """[B------:R-:W3:-:S02] LDG.E R2, [R10.64] ;
            [B---3--:R-:W-:-:S04] MOV R11, 0x1 ;""",
            [],
            id="what has its result has read its sources",
        ),
        pytest.param(
            """[B------:R-:W-:Y:S12] ISETP.GE.AND P0, PT, R2, R3, PT ;
            [B------:R-:W-:-:S01] @P0 MOV R4, R5 ;""",
            [("RAW", "P0", 13, 12)],
            id="guard",
        ),
        pytest.param(
            """[B------:R-:W-:-:S04] ISETP.GE.AND P0, PT, R2, R3, PT ;
            [B------:R-:W-:-:S01] SEL R4, R5, R6, P0 ;""",
            [],
            id="predicate as an operand",
        ),
        pytest.param(
            """[B------:R-:W-:-:S04] LDS R2, [R10] ;
            [B------:R-:W0:-:S02] LDS R4, [R10+0x80] ;
            [B0-----:R-:W-:-:S04] FADD R6, R2, R4 ;""",
            [],
            id="shared memory returns in order",
        ),
        pytest.param(
            """[B------:R-:W-:-:S04] LDG.E R2, [R10.64] ;
            [B------:R-:W0:-:S02] LDG.E R4, [R10.64+0x80] ;
            [B0-----:R-:W-:-:S04] FADD R6, R2, R4 ;""",
            [("RAW", "R2", None, 6)],
            id="global memory does not",
        ),
        pytest.param(
            """[B------:R-:W-:-:S02] SHFL.BFLY PT, R2, R2, 0x1, 0x1f ;
            [B------:R-:W0:-:S02] SHFL.BFLY PT, R4, R4, 0x1, 0x1f ;
            [B0-----:R-:W-:-:S04] FADD R6, R2, R4 ;""",
            [],
            id="shuffles are in order",
        ),
        pytest.param(
            """[B------:R-:W-:-:S04] STS [R10], R4 ;
            [B------:R-:W-:-:S05] BAR.SYNC 0x0 ;
            [B------:R-:W-:-:S04] MOV R10, R5 ;""",
            [],
            id="behind a barrier, stores have read their sources",
        ),
        pytest.param(
            """[B------:R0:W-:-:S02] LDGSTS.E [R2], [R10.64] ;
            [B------:R-:W1:-:S02] LDG.E R4, [R12.64] ;
            [B------:R-:W-:-:S04] DEPBAR.LE SB1, 0x0 ;
            [B------:R-:W-:-:S04] FADD R4, R4, 1 ;
            [B------:R-:W-:-:S01] MOV R10, R5 ;""",
            [],
            id="DEPBAR, and one queue reads in order",
        ),
        pytest.param(
            """[B------:R2:W3:-:S06] @P0 DADD R4, R12, R14 ;
            [B------:R-:W-:-:S02] @!P0 MOV R4, R6 ;""",
            [],
            id="no thread executes both",
        ),
        pytest.param(
            """[B------:R2:W3:-:S04] @P0 DADD R4, R12, R14 ;
            [B------:R-:W-:Y:S13] ISETP.GE.AND P0, PT, R2, R3, PT ;
            [B------:R-:W-:-:S02] @!P0 MOV R4, R6 ;""",
            [("WAW", "R4", None, 17)],
            id="another condition under the same name",
        ),
    ],
)
def test_dependences(code, expected):
    assert hazards(code) == expected


LOOP = """
[B------:R-:W-:-:S05] MOV R2, R3 ;
again:
[B------:R-:W-:-:S04] IADD3 R4, R2, R4, RZ ;
[B------:R-:W-:-:S{stall:02}] MOV R2, R5 ;
[B------:R-:W-:-:S{branch:02}] @P0 BRA again ;
[B------:R-:W-:-:S05] EXIT ;
"""


@pytest.mark.parametrize(("stall", "branch", "n"), [(1, 2, 1), (1, 5, 0), (4, 1, 0)])
def test_a_loop_brings_a_value_back_to_its_start(stall, branch, n):
    code = LOOP.format(stall=stall, branch=branch).replace("again:\n", "")
    code = code.replace("BRA again", "BRA 0x10")
    assert len(hazards(code)) == n


def test_the_worst_of_two_paths():
    """On the short way the value is one cycle old."""
    code = """
    [B------:R-:W-:-:S01] MOV R2, R3 ;
    [B------:R-:W-:-:S01] @P0 BRA 0x30 ;
    [B------:R-:W-:-:S15] NOP ;
    [B------:R-:W-:-:S01] IADD3 R4, R2, R4, RZ ;
    [B------:R-:W-:-:S01] EXIT ;"""
    assert hazards(code) == [("RAW", "R2", 4, 2)]


def test_slack():
    """IADD3 to FADD needs 5 cycles and to ISETP 4; ISETP to EXIT needs 13; nothing reads R4, R7."""
    code = """
    [B------:R-:W-:Y:S07] IADD3 R2, R3, 0x1, RZ ;
    [B------:R-:W-:-:S06] FADD R4, R2, R2 ;
    [B------:R-:W-:Y:S12] ISETP.GE.AND P0, PT, R2, R3, PT ;
    [B------:R-:W-:-:S03] MOV R7, R8 ;
    [B------:R-:W-:-:S05] @P0 EXIT ;"""
    assert slack(code) == [2, 5, 2, 2, 0]


def test_unknown_opcodes_are_left_alone():
    assert hazards("[B------:R-:W-:-:S01] XYZ R2, R3 ;\n[B------:R-:W-:-:S01] MOV R4, R2 ;") == []


@pytest.mark.parametrize("path", COMPILED, ids=lambda path: path.stem)
def test_compiled_code_has_no_hazards(path):
    for code in cubin.load(path).values():
        assert [h for found in check(code, GPUS[code.arch]) for h in found.hazards] == []


@pytest.mark.parametrize("arch", GPUS)
def test_code_that_is_hard_to_guard_has_no_hazards(arch, tmp_path):
    pytest.importorskip("nvidia.cu13", reason="needs the NVRTC wheel")
    path = tmp_path / "mixed.cubin"
    path.write_bytes(compile_cuda(SOURCE, arch))
    (code,) = cubin.load(path).values()
    assert len(code) > 500
    assert [h for found in check(code, GPUS[arch]) for h in found.hazards] == []


@pytest.fixture(scope="module")
def reduction():
    return cubin.load(ROOT / "traces/kernels/reduction.sm_86.cubin")["reduction"]


def test_a_compiler_that_forgets_a_wait_or_a_counter_is_caught(reduction):
    """Of the control bits of a compiled kernel, each alone; a few are not needed."""
    caught = []
    for number, inst in enumerate(reduction.instructions):
        mask = inst.control.wait_mask
        changes = [{"wait_mask": mask & ~(1 << c)} for c in range(6) if mask >> c & 1]
        changes += [{"write_counter": 7}] * (inst.control.write_counter != 7)
        caught += [count(with_bits(reduction, number, **change)) > 0 for change in changes]
    assert len(caught) > 20
    assert sum(caught) >= 0.9 * len(caught)


def test_slack_alone_may_go_and_a_cycle_more_may_not(reduction):
    """Taking an instruction's slack makes no hazard; a further cycle does, where it has slack."""
    for number, found in enumerate(check(reduction, GPUS["sm_86"])):
        stall = reduction.instructions[number].control.stall
        if found.slack:
            assert count(with_bits(reduction, number, stall=stall - found.slack)) == 0
            if found.slack < stall - 1:
                assert count(with_bits(reduction, number, stall=stall - found.slack - 1)) > 0
