"""Coverage of the corpus: what is counted, and that it never shrinks."""

from __future__ import annotations

from warpwise.traces.emulator.coverage import coverage, is_executed


def test_no_opcode_of_the_set_for_99_percent_of_kernels_is_missing() -> None:
    for part in coverage():
        assert not part.missing


def test_coverage_of_each_architecture() -> None:
    turing, ampere = coverage()
    assert (turing.arch, turing.opcodes) == ("sm_75", 87)
    assert (ampere.arch, ampere.opcodes) == ("sm_86", 90)
    assert turing.instructions_percent == 100
    assert ampere.instructions_percent == 100


def test_a_spelling_counts_only_with_all_its_modifiers() -> None:
    assert is_executed({"opcode": "IMAD", "modifiers": "MOV.U32"})
    assert is_executed({"opcode": "FFMA", "modifiers": ""})
    assert not is_executed({"opcode": "IMAD", "modifiers": "MOV.STRANGE"})
    assert not is_executed({"opcode": "TXQ", "modifiers": ""})
