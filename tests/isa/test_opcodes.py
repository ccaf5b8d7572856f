"""The opcode table: one row per opcode, the right unit on each architecture, guesses marked."""

import csv
from importlib import resources

import pytest

from warpwise.isa import opcodes
from warpwise.isa.program import Access, Space, Unit


def test_no_row_is_repeated():
    text = resources.files("warpwise.isa").joinpath("opcodes.csv").read_text()
    keys = [
        (row["opcode"], arch)
        for row in csv.DictReader(text.splitlines())
        for arch in row["archs"].split()
    ]
    assert len(keys) == len(set(keys)) > 200


@pytest.mark.parametrize(
    ("unit", "fixed", "name", "arch"),
    [
        (Unit.ALU, True, "IADD3", "sm_86"),
        (Unit.ALU, True, "FMNMX", "sm_86"),
        (Unit.ALU, True, "F2FP", "sm_86"),
        (Unit.FMA, True, "FFMA", "sm_75"),
        (Unit.FMA_HEAVY, True, "IMAD", "sm_75"),
        (Unit.FP16, True, "HFMA2", "sm_75"),
        (Unit.FMA_HEAVY, True, "HFMA2", "sm_86"),
        (Unit.FMA_HEAVY, True, "HFMA2", "sm_120"),
        (Unit.ALU, True, "HSETP2", "sm_86"),
        (Unit.XU, False, "POPC", "sm_86"),
        (Unit.XU, False, "F2F.F16.F32", "sm_86"),
        (Unit.FP64, False, "F2F.F64.F32", "sm_86"),
        (Unit.FP64, False, "DFMA", "sm_86"),
        (Unit.TENSOR, False, "HMMA.1688.F32", "sm_75"),
        (Unit.TENSOR, True, "HMMA.16816.F32", "sm_86"),
        (Unit.UNIFORM, False, "R2UR", "sm_86"),
        (Unit.UNIFORM, True, "R2UR", "sm_120"),
        (Unit.MEMORY, False, "S2R", "sm_86"),
        (Unit.MISC, False, "ERRBAR", "sm_86"),
        (Unit.BRANCH, True, "BRA", "sm_86"),
    ],
)
def test_unit_and_latency(unit, fixed, name, arch):
    opcode, *modifiers = name.split(".")
    entry = opcodes.lookup(opcode, modifiers, arch)
    assert (entry.unit, entry.fixed, entry.known) == (unit, fixed, True)


@pytest.mark.parametrize(
    ("latency_class", "name"),
    [
        ("imad", "IMAD.MOV.U32"),
        ("imad_wide", "IMAD.WIDE.U32"),
        ("cs2r", "CS2R"),
        ("uniform", "UIADD3"),
        ("uniform_load", "ULDC.64"),
    ],
)
def test_a_modifier_can_choose_the_class(latency_class, name):
    opcode, *modifiers = name.split(".")
    assert opcodes.lookup(opcode, modifiers).latency_class == latency_class


def test_memory_queue_without_access():
    for name in ("SHFL", "S2R", "MATCH", "QSPC", "CCTL", "MEMBAR", "S2UR"):
        entry = opcodes.lookup(name)
        assert (entry.unit, entry.space, entry.access) == (Unit.MEMORY, Space.NONE, Access.NONE)


@pytest.mark.parametrize(
    ("unit", "access", "name"),
    [
        (Unit.UNIFORM, Access.NONE, "UNEWOP"),
        (Unit.MEMORY, Access.LOAD, "LDNEW"),
        (Unit.MEMORY, Access.STORE, "STNEW"),
        (Unit.MEMORY, Access.ATOMIC, "ATOMNEW"),
        (Unit.TENSOR, Access.NONE, "QGMMA"),
        (Unit.MISC, Access.NONE, "ZZZ"),
    ],
)
def test_unknown_opcodes_are_guessed_by_family_and_marked(unit, access, name):
    entry = opcodes.lookup(name, (), "sm_86")
    assert (entry.unit, entry.access, entry.known) == (unit, access, False)


def test_nearest_opcode():
    assert opcodes.nearest("FMFA") == "FFMA"
    assert opcodes.nearest("QQQQQQ") is None
