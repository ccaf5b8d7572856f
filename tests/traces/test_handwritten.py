"""The `.sass` language: what each directive and annotation does, and what mistakes look like."""

import numpy as np
import pytest

from warpwise.isa.errors import InputError
from warpwise.traces import handwritten

FULL = 0xFFFFFFFF


def kernel(body, head=""):
    return handwritten.parse(f".arch sm_86\n.kernel test\n{head}\n{body}", "test.sass").kernels[0]


def path(body, head="", warp=0):
    return kernel(body, head).load_cta(0).warps[warp].path


def rows(body, head="", warp=0):
    return kernel(body, head).load_cta(0).warps[warp].accesses


def test_every_directive():
    k = kernel("EXIT ;", ".block 16 8 2\n.grid 5 4\n.warm icache l1  # comment\n.active 1 2")
    assert (k.block, k.grid) == ((16, 8, 2), (5, 4, 1))
    assert k.warm == {"icache", "l1"}
    assert k.clock_reads
    assert [cta.number for cta in map(k.load_cta, range(2))] == [0, 1]
    assert len(k.load_cta(19).warps) == 8


def test_several_kernels_with_their_own_arch():
    text = """
    .arch sm_75
    .kernel a
    EXIT ;
    .arch sm_86
    .kernel b
    EXIT ;
    .kernel c   // keeps sm_86
    .arch sm_120
    EXIT ;"""
    kernels = handwritten.parse(text).kernels
    archs = [(k.name, k.launch, k.program.arch) for k in kernels]
    assert archs == [("a", 0, "sm_75"), ("b", 1, "sm_86"), ("c", 2, "sm_120")]


def test_control_bits_comments_and_pcs():
    code = kernel("""
    // CuAssembler's notation
    [B0----5:R1:W2:Y:S11] LDG.E R2, [R4.64] ;  # trailing
    EXIT""").program
    control = code.instructions[0].control
    assert (control.wait_mask, control.read_counter, control.write_counter) == (0b100001, 1, 2)
    assert (control.stall, control.yield_) == (11, True)
    assert [i.pc for i in code.instructions] == [0, 16]
    assert code.registers == 6


def test_repeat_unrolls():
    body = """
    .repeat 2
    @repeat 3 NOP ;
    .repeat 2
    FADD R1, R1, R2 ;
    .end
    .end
    EXIT ;"""
    names = [i.opcode for i in kernel(body).program.instructions]
    assert names == (["NOP"] * 3 + ["FADD"] * 2) * 2 + ["EXIT"]


def test_nested_loops_start_again():
    body = """
    outer:
    NOP ;
    inner: NOP ;
    @P0 BRA inner ; @trips 3
    @P1 BRA outer ; @trips 2
    EXIT ;"""
    found = path(body)
    assert found.pcs.tolist() == [0, *[1, 2] * 3, 3] * 2 + [4]
    leaves = found.executed == 0  # a branch that is not taken has no executing lane
    assert np.flatnonzero(leaves).tolist() == [6, 14, 15]
    assert (found.active == FULL).all()


def test_forward_branches():
    body = "BRA there ;\nNOP ;\nthere:\n@P0 BRA end ; {}\nNOP ;\nend: EXIT ;"
    assert path(body.format("@taken")).pcs.tolist() == [0, 2, 4]
    assert path(body.format("@not_taken")).pcs.tolist() == [0, 2, 3, 4]


def test_guards():
    found = path("@!PT NOP ;\n@P3 NOP ;\n@!PT BRA end ;\n@P0 EXIT ; @not_taken\nend: EXIT ;")
    assert found.pcs.tolist() == [0, 1, 2, 3, 4]
    assert found.executed.tolist() == [0, FULL, 0, 0, FULL]


def test_inactive_and_partial_warps():
    body, head = "NOP ;\nEXIT ;", ".block 70\n.active 0 2"
    assert path(body, head, 0).pcs.tolist() == [0, 1]
    assert path(body, head, 1).pcs.tolist() == [1]
    assert path(body, head, 2).active.tolist() == [0x3F, 0x3F]


def test_warps_that_do_the_same_share_it():
    warps = kernel("NOP ;\nEXIT ;", ".block 256\n.active 0 1 2").load_cta(0).warps
    assert len(set(map(id, warps))) == 2


@pytest.mark.parametrize(
    ("instruction", "first", "stride"),
    [
        ("LDG.E R2, [R4.64]", 0x10000, 4),
        ("LDG.E.128 R4, [R2.64]", 0x10000, 16),
        ("STG.E.64 [R4.64], R2 ; @addr base=512", 512, 8),
        ("LDG.E R2, [R4.64] ; @addr base=0x100 stride=-4", 0x100, -4),
        ("@addr uniform=0x40 LDG.E R2, [R4.64]", 0x40, 0),
        ("LDG.E R2, [UR4]", 0x10000, 0),
        ("LDS.64 R2, [R4]", 0, 8),
        ("LDC R2, c[0x0][0x160]", 0x160, 0),
    ],
)
def test_addresses(instruction, first, stride):
    found = rows(f"{instruction} ;\nEXIT ;" if ";" not in instruction else f"{instruction}\nEXIT ;")
    assert found.addresses.tolist() == [[first + stride * lane for lane in range(32)]]
    assert found.shared.shape == (0, 32)


def test_addresses_exist_only_in_executing_lanes():
    found = rows("@!PT LDG.E R2, [R4.64] ;\nLDG.E R2, [R4.64] ;\nEXIT ;", ".block 2")
    assert np.count_nonzero(found.addresses, axis=1).tolist() == [0, 2]


def test_asynchronous_copies_have_two_addresses():
    body = """
    LDG.E R8, [R4.64] ;
    @addr base=0x2000 @shared base=0x40 stride=32 LDGSTS.E [R0], [R2.64] ;
    EXIT ;"""
    found = rows(body)
    assert found.addresses[:, 1].tolist() == [0x10004, 0x2004]
    assert found.shared[:, 1].tolist() == [0, 0x60]


MISTAKES = [
    ("EXTI", r"runs past this last instruction, expected EXIT at the end"),
    ("NOP ;", r"test.sass:4: NOP ;: .*expected EXIT at the end"),
    (".kernle x", r"test.sass:4: .kernle x: unknown directive '.kernle', did you mean .kernel\?"),
    ("@tripz 4 BRA x ;", r"unknown annotation 'tripz', did you mean trips\?"),
    (".warm icach", r"unknown cache 'icach', did you mean icache\?"),
    (".warm all", r"unknown cache 'all', expected one of: icache, l1i, const, l1"),
    (".block 32 1 1 1", r"4 numbers found, expected x, x y or x y z"),
    (".block 32 32 2", r"2048 threads found, expected at most 1024"),
    (".block many", r"'many' found, expected a whole number"),
    (".grid 0", r"0 found, expected at least 1"),
    (".active 1\nEXIT ;", r".active names warp 1, but a CTA has 1 warps"),
    ("x:\nx:", r"test.sass:5: x:: label x is already defined"),
    ("loop:\nBRA lop ; @taken\nEXIT ;", r"test.sass:5: .*label 'lop' .*did you mean 'loop'"),
    ("x: @P0 BRA x ;\nEXIT ;", r"a loop, expected @trips N"),
    ("x: BRA x ; @taken\nEXIT ;", r"a loop, expected @trips N"),
    ("@P0 BRA x ;\nx: EXIT ;", r"conditions are not evaluated, expected @taken or @not_taken"),
    ("@P0 EXIT ;", r"expected @taken or @not_taken"),
    ("BRA P0, x ;\nx: EXIT ;", r"expected @taken or @not_taken"),
    ("BRA x ; @trips 2\nx: EXIT ;", r"@trips is for backward branches"),
    ("BRA 0x44 ;\nEXIT ;", r"no target found, expected a label or a multiple of 16"),
    ("NOP ; @taken\nEXIT ;", r"are for BRA and EXIT"),
    ("NOP ; @addr base=4\nEXIT ;", r"@addr is for instructions that address memory"),
    ("LDS R1, [R2] ; @shared base=4\nEXIT ;", r"@shared is for LDGSTS"),
    ("LDS R1, [R2] ; @addr stride=4\nEXIT ;", r"expected base=ADDRESS or uniform=ADDRESS"),
    ("LDS R1, [R2] ; @addr uniform=4 base=1\nEXIT ;", r"expected it alone"),
    ("LDS R1, [R2] ; @addr bse=4\nEXIT ;", r"unknown address key 'bse', did you mean base\?"),
    ("NOP ; NOP ;\nEXIT ;", r"'NOP ;' found after the instruction"),
    ("@repeat 4\nEXIT ;", r"test.sass:4: @repeat 4: no instruction found"),
    ("@repeat NOP ;", r"0 arguments found, expected 1"),
    ("RET.REL.NODEC R2 x ;\nx: EXIT ;", r"test.sass:4"),
    ("BRX R2 0x0 ;\nEXIT ;", r"test.sass:4"),
    (".repeat 2\nNOP ;", r"test.sass:4: .repeat 2: no .end follows"),
    (".end", r"no .repeat is open"),
    (".repeat 2\nx:\n.end", r"test.sass:4: .repeat 2: it would define label x 2 times"),
    ("@repeat 2000000 NOP ;", r"grows beyond 1048576 instructions"),
    ("x: NOP ;\n@P0 BRA x ; @trips 10000000\nEXIT ;", r"executes over 4194304 instructions"),
    ("[B------:R-:W-:-:S99] NOP ;\nEXIT ;", r"test.sass:4: .*stall"),
    ("FADD R1, R2 R3 ;\nEXIT ;", r"test.sass:4"),
]


@pytest.mark.parametrize(("body", "message"), MISTAKES, ids=[body for body, _ in MISTAKES])
def test_mistakes(body, message):
    with pytest.raises(InputError, match=message):
        kernel(body)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "x.sass: no kernel found"),
        (".kernel k\nEXIT ;", "x.sass:1: .kernel k: no architecture given"),
        (".arch 86\n", "'86' found, expected an architecture such as sm_86"),
        (".arch sm_86\nEXIT ;", "x.sass:2: EXIT ;: expected a line `.kernel NAME` first"),
        (".arch sm_86\n.kernel k\n", "x.sass:2: .kernel k: no instructions follow"),
        (".arch sm_86\n.kernel a b\n", "2 arguments found, expected 1"),
    ],
)
def test_missing_head(text, message):
    with pytest.raises(InputError, match=message):
        handwritten.parse(text, "x.sass")


def test_files(tmp_path):
    with pytest.raises(InputError, match="cannot be opened"):
        handwritten.read(tmp_path / "absent.sass")
    (tmp_path / "binary.sass").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="not text in UTF-8"):
        handwritten.read(tmp_path / "binary.sass")


def test_documented_example():
    k = kernel("""
    [B------:R-:W-:-:S01] CS2R.32 R2, SR_CLOCKLO ;
    [B------:R-:W-:-:S01] NOP ;
    [B------:R-:W-:-:S01] FFMA R11, R10, R12, R14 ;
    [B------:R-:W-:-:S01] FFMA R13, R16, R19, R21 ;
    [B------:R-:W-:-:S01] NOP ;
    [B------:R-:W-:-:S01] CS2R.32 R3, SR_CLOCKLO ;
    [B------:R-:W-:-:S01] EXIT ;""")
    assert len(k.program) == 7
    assert all(inst.known for inst in k.program.instructions)
