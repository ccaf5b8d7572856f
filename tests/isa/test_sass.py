"""What one line of SASS reads, writes and addresses.

Cases are lines that nvdisasm prints for compiled kernels; encodings are given where they decide.
"""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warpwise.isa import control_bits, operands, sass
from warpwise.isa.errors import InputError
from warpwise.isa.program import PT, Access, Control, Kind, Space, Unit


def parse(text, arch="sm_86", **options):
    return sass.parse_instruction(text, 0, arch, **options)


def spans(runs):
    """Registers as text: `R2-3` for a pair."""
    return " ".join(
        f"R{run.first}" if run.count == 1 else f"R{run.first}-{run.first + run.count - 1}"
        for run in runs
    )


@pytest.mark.parametrize(
    ("text", "dests", "sources"),
    [
        ("IADD3 R0, R1, 0x1, R3", "R0", "R1 R3"),
        ("IMAD.MOV.U32 R4, RZ, RZ, R6", "R4", "R6"),
        ("IMAD.WIDE R2, R4, R5, R6", "R2-3", "R4 R5 R6-7"),
        ("IMAD.WIDE.U32 R18, R18, R19, c[0x0][0x160]", "R18-19", "R18 R19"),
        ("IMAD.HI.U32 R3, R4, R5, R6", "R3", "R4 R5 R6"),
        ("SHF.R.U64 R8, R10, R0, R11", "R8", "R10 R0 R11"),
        ("DFMA R12, R4, -R6, R12", "R12-13", "R4-5 R6-7 R12-13"),
        ("DSETP.GT.AND P0, PT, |R12|, 3.5, PT", "", "R12-13"),
        ("MUFU.RCP64H R11, R19", "R11", "R19"),
        ("CS2R R2, SR_CLOCKLO", "R2-3", ""),
        ("CS2R.32 R5, SR_CLOCKLO", "R5", ""),
        ("LEPC R2", "R2-3", ""),
        ("F2F.F64.F32 R20, R9", "R20-21", "R9"),
        ("F2F.F32.F64 R10, R12", "R10", "R12-13"),
        ("I2F.F64 R2, R0", "R2-3", "R0"),
        ("I2F.F64.S64 R10, R12", "R10-11", "R12-13"),
        ("I2F.U64.RP R13, R10", "R13", "R10-11"),
        ("F2I.U64.TRUNC R14, R13", "R14-15", "R13"),
        ("F2I.S64.F64.TRUNC R20, R22", "R20-21", "R22-23"),
        ("FRND.F64.FLOOR R14, R16", "R14-15", "R16-17"),
        ("LDG.E.128 R8, [R2.64+0x10]", "R8-11", "R2-3"),
        ("LDG.E.U8 R8, [R2.64]", "R8", "R2-3"),
        ("STG.E.64 [R2.64], R6", "", "R2-3 R6-7"),
        ("LDS.64 R8, [R3.X8+0x100]", "R8-9", "R3"),
        ("STS.128 [R17.X16], R8", "", "R17 R8-11"),
        ("LDSM.16.M88.4 R8, [R4]", "R8-11", "R4"),
        ("LDSM.16.MT88.2 R2, [R4]", "R2-3", "R4"),
        ("LDC.64 R6, c[0x2][R10+0x8]", "R6-7", "R10"),
        ("ATOMG.E.CAS.64.STRONG.GPU PT, R6, [R12.64], R4, R8", "R6-7", "R12-13 R4-5 R8-9"),
        ("ATOMG.E.ADD.F64.RN.STRONG.GPU PT, R4, [R2.64], R16", "R4-5", "R2-3 R16-17"),
        ("ATOMS.CAST.SPIN.64 R10, [R3+0x100], R8, R12", "R10", "R3 R8-9 R12-13"),
        ("RED.E.ADD.STRONG.GPU [R8.64], R3", "", "R8-9 R3"),
        ("LDGSTS.E.BYPASS.128 [R29+0x10][R2.64+0x10]", "", "R29 R2-3"),
        ("MATCH.ANY.U64 R4, R6", "R4", "R6-7"),
        ("SHFL.IDX PT, R7, R4, R5, 0x1f", "R7", "R4 R5"),
        ("RET.REL.NODEC R20, 0x0", "", "R20-21"),
        ("BRX R2, -0x530", "", "R2-3"),
        ("HMMA.16816.F32 R8, R12, R2, R4", "R8-11", "R12-15 R2-3 R4-7"),
        ("HMMA.16816.F16 R24, R12, R2, R18", "R24-25", "R12-15 R2-3 R18-19"),
        ("HMMA.1688.F32 R24, R14, R0, R8", "R24-27", "R14-15 R0 R8-11"),
        ("HMMA.1684.F32.TF32 R12, R24, R14, R16", "R12-15", "R24-25 R14 R16-19"),
        ("HMMA.SP.16816.F32 R16, R24, R6, RZ, R2, 0x0", "R16-19", "R24-25 R6-7 R2"),
        ("HMMA.884.F32.F32.STEP0 R12, R8.ROW, R6.COL, R12", "R12-13", "R8-9 R6-7 R12-13"),
        ("IMMA.8816.S8.S8 R12, R2.ROW, R3.COL, R4", "R12-13", "R2 R3 R4-5"),
        ("IMMA.16864.S4.S4 R20, R20.ROW, R2.COL, R12", "R20-23", "R20-23 R2-3 R12-15"),
        ("BMMA.168256.XOR.POPC R8, R24.ROW, R2.COL, RZ", "R8-11", "R24-27 R2-3"),
        ("DMMA.884 R20, R22, R2, R24", "R20-23", "R22-23 R2-3 R24-27"),
        ("TEX.SCR.LL R11, R14, R12, R10, 0x0, 0x58, 2D, 0x7", "R11 R14-15", "R12-13 R10"),
        ("SULD.D.BA.2D.STRONG.SM.TRAP R21, [R18], 0x0, 0x5c", "R21", "R18-19"),
    ],
)
def test_registers(text, dests, sources):
    instruction = parse(text)
    assert (spans(instruction.dests), spans(instruction.sources)) == (dests, sources)
    assert instruction.known


@pytest.mark.parametrize(
    ("text", "arch", "sources", "uniforms"),
    [
        ("LDG.E.SYS R4, [R18]", "sm_75", "R18-19", ()),
        ("LDG.E.U8.SYS R0, [R8.64+UR4+0x3]", "sm_75", "R8-9", (4, 5)),
        ("LDG.E.SYS R0, [R8.U32+UR6]", "sm_75", "R8", (6, 7)),
        ("LDG.E.SYS R0, [UR4+0xc]", "sm_75", "", (4, 5)),
        ("LDG.E R4, [R18.64]", "sm_86", "R18-19", ()),
        ("LDG.E R4, desc[UR36][R18.64+0x8]", "sm_90", "R18-19", (36, 37)),
        ("LDS R4, [R2+UR4]", "sm_90", "R2", (4,)),
        ("QSPC.E.S P0, RZ, [R16]", "sm_86", "R16-17", ()),
    ],
)
def test_addresses_of_each_architecture(text, arch, sources, uniforms):
    instruction = parse(text, arch)
    assert (spans(instruction.sources), instruction.source_uniforms) == (sources, uniforms)


def test_hidden_descriptor_of_ampere_comes_from_the_encoding():
    encoding = 0x000EA2000C1E190000000024_12047981
    load = parse("LDG.E R4, [R18.64]", encoding=encoding)
    assert load.source_uniforms == (0x24, 0x25)


@pytest.mark.parametrize(
    ("text", "written", "read"),
    [
        ("ISETP.GE.AND P0, PT, R2, R3, P1", (0,), (1,)),
        ("IADD3 R20, P0, P1, -R20, R11, R2", (0, 1), ()),
        ("IADD3.X R21, ~R0, R21, R3, P0, P1", (), (0, 1)),
        ("LEA R26, P0, R24, R5, 0x3", (0,), ()),
        ("LOP3.LUT P2, RZ, R5, 0x8, RZ, 0xc0, !PT", (2,), ()),
        ("SEL R6, R5, R7, !P3", (), (3,)),
        ("PLOP3.LUT P0, PT, P1, P2, PT, 0x80, 0x0", (0,), (1, 2)),
        ("SHFL.UP P0, R9, R6, 0x3, RZ", (0,), ()),
        ("VOTE.ANY R8, PT, P0", (), (0,)),
        ("VOTE.ALL P1, P0", (1,), (0,)),
        ("BAR.RED.OR 0x0, P0", (), (0,)),
        ("FCHK P0, R11, R0", (0,), ()),
        ("R2P PR, R0, 0x5", (0, 2), ()),
        ("P2R R26, PR, RZ, 0x6", (), (1, 2)),
        ("MATCH.ALL P0, R6, R7", (0,), ()),
        ("@P5 BRA 0x0", (), ()),  # the guard is not among them
    ],
)
def test_predicates(text, written, read):
    instruction = parse(text)
    assert (instruction.dest_predicates, instruction.source_predicates) == (written, read)


def test_uniform_predicates_are_apart_from_regular_ones():
    setp = parse("UISETP.NE.AND UP0, UPT, UR4, UR6, UP1")
    assert (setp.dest_uniform_predicates, setp.source_uniform_predicates) == ((0,), (1,))
    assert (setp.dest_predicates, setp.source_predicates) == ((), ())
    assert setp.source_uniforms == (4, 6)
    guarded = parse("@!UP2 UMOV UR4, 0x1")
    assert (guarded.guard, guarded.guard_negated, guarded.guard_uniform) == (2, True, True)


@pytest.mark.parametrize(
    ("text", "dests", "sources"),
    [
        ("ULDC.64 UR4, c[0x0][0x118]", (4, 5), ()),
        ("UIMAD.WIDE UR6, UR4, UR5, UR8", (6, 7), (4, 5, 8, 9)),
        ("IMAD R2, R0, UR5, RZ", (), (5,)),
        ("R2UR UR4, R14", (4,), ()),
        ("REDUX.SUM.S32 UR4, R7", (4,), ()),
        ("UIADD3 UR36, UP0, UR36, 0xc, URZ", (36,), (36,)),
        ("DADD R4, R6, UR8", (), (8, 9)),
    ],
)
def test_uniform_registers(text, dests, sources):
    instruction = parse(text)
    assert (instruction.dest_uniforms, instruction.source_uniforms) == (dests, sources)


@pytest.mark.parametrize(
    ("text", "slots"),
    [
        ("FFMA R1, R2, R3, R4", [0, 1, 2]),
        ("FFMA R1, R2, c[0x0][0x0], R4", [0, 2]),
        ("FFMA R1, R2, R3, c[0x0][0x0]", [0, 1]),
        ("IMAD.MOV.U32 R1, RZ, RZ, R4", [2]),
        ("FADD R1, R2, R3", [0, 2]),  # the addend enters where FFMA takes its own
        ("DADD R2, R4, R6", [0, 2]),
        ("FMUL R1, R2, R3", [0, 1]),
        ("MOV R1, R2", [1]),
        ("MUFU.RCP R1, R2", [1]),
    ],
)
def test_operand_slots(text, slots):
    assert [run.slot for run in parse(text).sources] == slots


@pytest.mark.parametrize(
    ("text", "reuse"),
    [
        ("FFMA R1, R2.reuse, R2, R4", 0b001),
        ("FFMA R1, R2, R2.reuse, R4", 0b010),
        ("FFMA R1, -|R2|.reuse, R3.reuse, R4.reuse", 0b111),
        ("HADD2.F32 R9, -RZ, R0.reuse.H0_H0", 0b100),
        ("IMMA.8816.S8.S8 R8, R0.ROW, R4.reuse.COL, RZ", 0b010),
    ],
)
def test_reuse_suffixes_become_bits_by_slot(text, reuse):
    assert parse(text).control.reuse == reuse


@pytest.mark.parametrize(
    ("text", "space", "access", "width", "uniform"),
    [
        ("LDG.E.64 R2, [R4.64]", Space.GLOBAL, Access.LOAD, 64, False),
        ("LDG.E.S16 R2, [UR4]", Space.GLOBAL, Access.LOAD, 16, True),
        ("ST.E.U8 [R4.64], R2", Space.GENERIC, Access.STORE, 8, False),
        ("LDL.128 R4, [R1+0x10]", Space.LOCAL, Access.LOAD, 128, False),
        ("STS [0x40], R2", Space.SHARED, Access.STORE, 32, True),
        ("LDSM.16.M88.4 R8, [R4]", Space.SHARED, Access.LOAD, 128, False),
        ("LDC R1, c[0x0][0x28]", Space.CONSTANT, Access.LOAD, 32, True),
        ("LDC.U8 R1, c[0x3][R2]", Space.CONSTANT, Access.LOAD, 8, False),
        ("ATOMS.ADD RZ, [RZ+0x4], R21", Space.SHARED, Access.ATOMIC, 32, True),
        ("RED.E.ADD.64.STRONG.GPU [R8.64], R4", Space.GLOBAL, Access.REDUCTION, 64, False),
        ("LDGSTS.E.64 [R29][R2.64]", Space.GLOBAL, Access.ASYNC_COPY, 64, False),
        ("SHFL.BFLY PT, R5, R0, 0x1, 0x1f", Space.NONE, Access.NONE, 0, False),
    ],
)
def test_memory_access(text, space, access, width, uniform):
    instruction = parse(text)
    assert (instruction.space, instruction.access) == (space, access)
    assert (instruction.width, instruction.uniform_address) == (width, uniform)


def test_constant_operands():
    assert parse("FADD R0, R1, -c[0x3][0xc]").constant == (3, 0xC)
    assert parse("LDC R0, c[0x3][R4+0xc]").constant is None
    [_, address] = parse("LDC R0, c[0x3][R4+0xc]").operands
    assert (address.kind, address.bank, address.index, address.offset) == (
        Kind.CONSTANT, 3, 4, 0xC,
    )  # fmt: skip


def test_signs_and_suffixes():
    [_, a, b, c] = parse("HFMA2 R0, -|R1|.H0_H0, ~R2, -c[0x0][0x4]").operands
    assert (a.negated, a.absolute, a.inverted, a.suffixes) == (True, True, False, ("H0_H0",))
    assert (b.negated, b.absolute, b.inverted, b.suffixes) == (False, False, True, ())
    assert (c.negated, c.kind) == (True, Kind.CONSTANT)


def test_counters_of_a_dependence_barrier():
    [counter, limit, others] = parse("DEPBAR.LE SB5, 0x2, {4, 3}").operands
    assert (counter.kind, counter.index, limit.bits) == (Kind.COUNTER, 5, 2)
    assert (others.kind, others.text) == (Kind.OTHER, "{4, 3}")


def test_negative_offsets():
    assert parse("LDG.E R0, [R10.64+-0xc]").operands[1].offset == -12


# ---- immediates ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "bits"),
    [
        ("IADD3 R1, R1, -0x8, RZ", 0xFFFFFFF8),
        ("IADD3 R1, R1, 4, RZ", 4),
        ("FADD R1, R1, -1.5", 0xBFC00000),
        ("FADD R1, R1, 1", 0x3F800000),
        ("FADD R1, R1, 0x3f800000", 0x3F800000),
        ("FMUL R1, R1, -INF", 0xFF800000),
        ("DADD R2, R2, 0.5", 0x3FE00000),
        ("HADD2.F32 R1, R1, 2.5", 0x4100),
        ("HFMA2.BF16_V2 R1, R1, 2.5, R2", 0x4020),
        ("FLO.U32 R1, 8", 8),
    ],
)
def test_immediates(text, bits):
    assert [o.bits for o in parse(text).operands if o.kind is Kind.IMMEDIATE] == [bits]


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_float_text_round_trips_through_its_bits(value):
    assert operands.is_float(repr(value), "FADD")
    bits = operands.float_bits(repr(value), "FADD")
    assert struct.unpack("<f", struct.pack("<I", bits))[0] == value


def test_exact_floats_come_from_the_encoding():
    encoding = 0x000FE200_00000008_94019400_0C097831
    add = parse("HFMA2 R9, R12.H0_H0, -0.0009765625, -0.0009775, R8", encoding=encoding)
    assert [o.bits for o in add.operands if o.kind is Kind.IMMEDIATE] == [0x9401, 0x9400]


# ---- branches ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("BRA 0x470", 0x470),
        ("@!P0 BRA `(.L_x_1)", 0x80),
        ("BRA.DIV ~UR4, loop", 0x20),
        ("BSSY B6, 0x480", 0x480),
        ("CALL.REL.NOINC function", 0x100),
        ("CALL.REL.NOINC R6, function", None),
        ("CALL.ABS.NOINC R8", None),
        ("RET.REL.NODEC R20, function", None),
        ("BRX R2, -0x530", None),
        ("WARPSYNC 0xffffffff", None),
        ("WARPSYNC.COLLECTIVE R9, 0x1c0", 0x1C0),
        ("BSYNC B6", None),
    ],
)
def test_targets(text, target):
    labels = {".L_x_1": 0x80, "loop": 0x20, "function": 0x100}
    assert parse(text, labels=labels).target == target


# ---- whole lines ---------------------------------------------------------------------------------


def test_a_line_with_everything():
    line = "[B0-----:R-:W2:Y:S04] @!P0 LDG.E.CONSTANT R0, [R2.64+0x10] ;"
    load = parse(line)
    assert load.control == Control(stall=4, yield_=True, write_counter=2, wait_mask=1)
    assert (load.guard, load.guard_negated, load.guard_uniform) == (0, True, False)
    assert (load.opcode, load.modifiers, load.name) == (
        "LDG", ("E", "CONSTANT"), "LDG.E.CONSTANT",
    )  # fmt: skip
    assert load.text == "@!P0 LDG.E.CONSTANT R0, [R2.64+0x10]"


def test_control_argument_goes_before_the_bracket():
    given_control = Control(stall=9)
    assert parse("[B------:R-:W-:-:S01] NOP", control=given_control).control == given_control


def test_program_from_lines():
    program = sass.from_text("k", "sm_86", ["NOP", "BRA start", "EXIT"], {"start": 0})
    assert [i.pc for i in program.instructions] == [0, 16, 32]
    assert program.instructions[1].target == 0


def test_guard_and_control_bits_come_from_the_encoding():
    control = Control(stall=4, write_counter=1, reuse=0)
    encoding = control_bits.encode(control) | 0x3F << 32 | 1 << 15 | 3 << 12 | 7 << 16 | 0x802
    move = parse("@!P3 MOV R7, 0x3f", encoding=encoding)
    assert (move.control, move.guard, move.guard_negated) == (control, 3, True)


registers = st.integers(0, 254)


@given(registers, registers, registers, st.booleans(), st.booleans())
def test_operand_text_round_trips(a, b, c, negated, absolute):
    text = f"{'-' * negated}{'|' * absolute}R{b}{'|' * absolute}"
    fma = parse(f"FFMA R{a}, {text}, R{c}, RZ")
    assert [d.first for d in fma.dests] == [a]
    assert [s.first for s in fma.sources] == [b, c]
    operand = fma.operands[1]
    assert (operand.text, operand.negated, operand.absolute) == (text, negated, absolute)


@given(st.integers(-(1 << 23), (1 << 23) - 1), registers)
def test_addresses_round_trip(offset, register):
    [_, address] = parse(f"LDS R0, [R{register}+{offset:#x}]").operands
    assert (address.kind, address.index, address.offset) == (Kind.ADDRESS, register, offset)


# ---- unknown opcodes and mistakes ----------------------------------------------------------------


def test_an_unknown_opcode_is_guessed_and_marked():
    unknown = parse("UNEWOP.X UR4, UR5")
    assert (unknown.known, unknown.unit, unknown.guard) == (False, Unit.UNIFORM, PT)
    assert unknown.dest_uniforms == (4,)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("FFMA R255, R1, R2, R3", r"'R255' is not a register; expected R0..R254 or RZ"),
        ("@P8 BRA 0x0", r"'@P8' is not a register; expected P0..P6 or PT"),
        ("DEPBAR.LE SB6, 0x0", r"'SB6' is not a register; expected SB0..SB5\."),
        ("FFMA R1, R2, RR3, R4", r"'RR3' is none of .* did you mean R"),
        ("LDG.E R0, [R2.64+foo]", r"'foo' in '\[R2.64\+foo\]' is neither"),
        ("BRA lop", r"label 'lop' is not defined; did you mean 'loop'\?"),
        ("HADD2 R0, R1, 1e9", "1e9 is too large for a floating-point operand of HADD2"),
        ("ffma r1, r2, r3, r4", r"expected \[control bits\] @guard OPCODE"),
        ("[B------:R-:W-:S01] NOP", "not of the form"),
    ],
)
def test_mistakes_name_the_line_and_what_was_expected(text, message):
    with pytest.raises(InputError, match=message) as error:
        parse(text, labels={"loop": 0})
    assert text in str(error.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("IADD3 R1, R2, R3, R4", "it does not write R1"),
        ("IADD3 R0, R2, R9, R4", "it does not read R9"),
        ("@P0 IADD3 R0, R2, R3, R4", "it has another guard"),
        ("IADD3 R0, R2.reuse, R3, R4", "its reuse bits are 0000"),
    ],
)
def test_text_that_contradicts_its_encoding(text, message):
    encoding = control_bits.encode(Control()) | 4 << 64 | 3 << 32 | 2 << 24 | 7 << 12 | 0x210
    assert spans(parse("IADD3 R0, R2, R3, R4", encoding=encoding).sources) == "R2 R3 R4"
    with pytest.raises(InputError, match=message):
        parse(text, encoding=encoding)
