"""Loads, stores and atomics: what they move, what they record, and what they refuse."""

from __future__ import annotations

import numpy as np
import pytest
from emulator.experiments import LANES, Experiment

from warpwise.isa.program import Space
from warpwise.traces.emulator import EmulationError
from warpwise.traces.emulator.memory import GlobalMemory
from warpwise.traces.emulator.recorder import PathPool

FIRST = GlobalMemory.BASE + 512  # address of the first array
ADDRESS = f"""
    MOV R4, {FIRST & 0xFFFF_FFFF:#x}
    MOV R5, {FIRST >> 32:#x}
    S2R R1, SR_LANEID
    IMAD.WIDE R6, R1, 0x4, R4
"""


def rows(experiment: Experiment) -> list[list[int]]:
    """Recorded addresses of the first warp."""
    recorder = experiment.run()
    return recorder.ctas(0, 1, PathPool())[0].warps[0].accesses.addresses.tolist()


def test_each_lane_loads_its_own_word() -> None:
    data = np.arange(100, 132, dtype=np.int32)
    e = Experiment(ADDRESS + "LDG.E R2, [R6.64]", arrays=(data,))
    assert rows(e) == [[FIRST + 4 * i for i in range(32)]]
    assert e.register(2).tolist() == data.tolist()


def test_lanes_that_do_not_execute_have_address_zero_and_touch_nothing() -> None:
    data = np.zeros(4, np.int32)  # only the first four lanes are in bounds
    e = Experiment(
        ADDRESS
        + "ISETP.LT.AND P0, PT, R1, 0x4, PT\n@P0 STG.E [R6.64+0x0], R1\n@!PT STG.E [R6.64], R1",
        arrays=(data,),
    )
    assert rows(e) == [[FIRST + 4 * i if i < 4 else 0 for i in range(32)], [0] * 32]
    assert data.tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("form", "dtype"),
    [(".U8", np.uint8), (".S8", np.int8), (".U16", np.uint16), (".S16", np.int16)],
)
def test_parts_of_a_word_are_extended(form: str, dtype: type[np.integer]) -> None:
    data = (np.arange(32) * 2011).astype(dtype)
    out = np.zeros(32, dtype)
    step = data.itemsize
    e = Experiment(
        ADDRESS
        + f"IMAD.WIDE R6, R1, {step:#x}, R4\nLDG.E{form} R2, [R6.64]\n"
        + f"STG.E{form} [R6.64+0x400], R2",
        arrays=(data, out),
    )
    e.run()
    assert e.register(2).view(np.int32).tolist() == data.tolist() == out.tolist()


def test_vectors_move_consecutive_registers() -> None:
    data = np.arange(128, dtype=np.uint32)
    e = Experiment(
        ADDRESS + "IMAD.WIDE R6, R1, 0x10, R4\nLDG.E.128 R8, [R6.64]\nIADD3 R10, R10, 0x1, RZ\n"
        "STG.E.64 [R6.64], R10\nLDG.E.64 R12, [R6.64+0x8]",
        arrays=(data,),
    )
    e.run()
    expected = np.arange(128, dtype=np.uint32).reshape(32, 4)
    assert np.array_equal(data.reshape(32, 4)[:, 0], expected[:, 2] + 1)
    assert np.array_equal(data.reshape(32, 4)[:, 1], expected[:, 3])
    assert np.array_equal(e.register(13), expected[:, 3])


def test_turing_spells_a_register_pair_without_suffix() -> None:
    data = np.arange(32, dtype=np.int32)
    text = ADDRESS + f"UMOV UR4, {FIRST & 0xFFFF_FFFF:#x}\nUMOV UR5, {FIRST >> 32:#x}\n"
    text += "SHF.L.U32 R8, R1, 0x2, RZ\nLDG.E.SYS R2, [R6]\nLDG.E.SYS R3, [R8.U32+UR4]"
    e = Experiment(text, arch="sm_75", arrays=(data,))
    e.run()
    assert e.register(2).tolist() == e.register(3).tolist() == data.tolist()


@pytest.mark.parametrize(
    ("instruction", "message"),
    [
        ("LDG.E R2, [R6.64+0x4]", f"address {FIRST + 128:#x} is outside any allocation"),
        ("LDG.E R2, [R6.64+-0x4]", f"address {FIRST - 4:#x} is outside any allocation"),
        ("LDG.E R2, [R8.64+0x100]", "address 0x100 is outside any allocation"),
        ("STG.E [R6.64+0x2], R1", f"address {FIRST + 2:#x} is not a multiple of 4"),
        ("LDG.E.128 R8, [R6.64]", f"address {FIRST + 4:#x} is not a multiple of 16"),
        ("LDS R2, [R1.X4]", "address 0x60 is outside any allocation"),
        ("LDL R2, [R8+0x1000]", "address 0x1000 is outside any allocation"),
    ],
)
def test_bad_addresses_name_kernel_instruction_thread_and_address(
    instruction: str, message: str
) -> None:
    e = Experiment(ADDRESS + instruction, arrays=(np.zeros(32, np.int32),), shared=96)
    with pytest.raises(EmulationError) as error:
        e.run()
    text = str(error.value)
    assert text.startswith(f"kernel experiment, 0x0040 {instruction}: CTA (0, 0, 0), thread (")
    assert message in text


def test_local_memory_belongs_to_each_thread() -> None:
    e = Experiment(
        "MOV R1, c[0x0][0x28]\nS2R R2, SR_TID.X\nSTL [R1+-0x10], R2\nMOV R2, RZ\n"
        "LDL R3, [R1+-0x10]",
        warps=2,
    )
    e.run()
    assert e.state.registers[3].reshape(-1).tolist() == list(range(64))


def test_shared_addresses_scale_registers() -> None:
    e = Experiment(
        "S2R R1, SR_LANEID\nSTS [R1.X4+0x80], R1\nLDS.U.64 R2, [R1.X8]\nLDS R4, [0xfc]", shared=256
    )
    assert rows(e)[1] == [8 * i for i in range(32)]
    assert e.register(4).tolist() == [31] * 32
    assert e.register(3)[16:].tolist() == list(range(1, 32, 2))


ATOMICS = {
    "ADD": lambda values: sum(values),
    "MAX": max,
    "OR": lambda values: np.bitwise_or.reduce(values),
    "XOR": lambda values: np.bitwise_xor.reduce(values),
    "EXCH": lambda values: values[-1],
}


@pytest.mark.parametrize("name", ATOMICS)
def test_colliding_atomics_run_one_after_the_other(name: str) -> None:
    data = np.zeros(2, np.uint32)
    e = Experiment(
        ADDRESS + "LOP3.LUT R8, R1, 0x1, RZ, 0xc0, !PT\nIMAD.WIDE R6, R8, 0x4, R4\n"
        f"ATOMG.E.{name}.STRONG.GPU PT, R2, [R6.64], R1",
        arrays=(data,),
    )
    e.run()
    assert data.tolist() == [ATOMICS[name](list(range(first, 32, 2))) for first in (0, 1)]
    if name == "ADD":
        assert e.register(2).tolist() == [sum(range(i % 2, i, 2)) for i in range(32)]


def test_reductions_and_compare_and_swap() -> None:
    data = np.array([5, 0, 0], np.int32)
    floats = data[2:].view(np.float32)
    e = Experiment(
        ADDRESS
        + """
        RED.E.MIN.S32.STRONG.GPU [R4.64], R1
        ATOMG.E.CAS.STRONG.GPU PT, R2, [R4.64+0x4], R1, R8
        MOV R9, 0x3f000000
        RED.E.ADD.F32.FTZ.RN.STRONG.GPU [R4.64+0x8], R9
        ATOMS.ADD R10, [RZ], R1
        """,
        arrays=(data,),
        shared=4,
    )
    e.run({8: LANES + 1})
    assert data[:2].tolist() == [0, 32]
    assert floats.tolist() == [16.0]
    assert e.register(2).tolist() == list(range(32))
    assert e.register(10).tolist() == [i * (i - 1) // 2 for i in range(32)]


def test_constants_come_by_number_or_by_register() -> None:
    e = Experiment(
        "S2R R1, SR_LANEID\nLOP3.LUT R2, R1, 0x3, RZ, 0xc0, !PT\nSHF.L.U32 R2, R2, 0x2, RZ\n"
        "LDC R3, c[0x0][R2]\nIADD3 R4, R1, c[0x0][0x0], RZ",
        block=24,
    )
    assert rows(e) == [[4 * (i % 4) if i < 24 else 0 for i in range(32)]]
    assert e.register(3)[:4].tolist() == [24, 1, 1, 1]
    assert e.register(4)[:3].tolist() == [24, 25, 26]


# Generic addresses

GENERIC = """
    S2R R1, SR_LANEID
    IMAD.WIDE.U32 R6, R1, 0x8, c[0x0][0x18]
    IADD3 R2, R1, 0x64, RZ
    STS.64 [R1.X8], R2
"""


def test_generic_addresses_reach_shared_local_and_global_memory_together() -> None:
    """A third of the lanes each: the window registers come from the constants of the driver."""
    data = np.arange(1000, 1032, dtype=np.int32)
    e = Experiment(
        GENERIC
        + ADDRESS.replace("R6", "R8")
        + """
        STL [RZ], R1
        ISETP.LT.AND P0, PT, R1, 0xa, PT
        ISETP.LT.AND P1, PT, R1, 0x14, PT
        @!P0 MOV R6, R8
        @!P0 MOV R7, R9
        @!P1 MOV R6, c[0x0][0x20]
        @!P1 MOV R7, c[0x0][0x24]
        LD.E R10, [R6.64]
        IADD3 R10, R10, 0x1, RZ
        ST.E [R6.64], R10
        LD.E R11, [R6.64]
        LDL R12, [RZ]
        LDS R13, [R1.X8]
        """,
        arrays=(data,),
        shared=256,
    )
    recorded = rows(e)[-5]
    lane = LANES.astype(np.int64)
    where = [lane < 10, lane < 20]
    assert np.array_equal(e.register(11), np.select(where, [lane + 101, lane + 1001], lane + 1))
    assert np.array_equal(data, np.where(~where[0] & where[1], 1001 + lane, 1000 + lane))
    assert np.array_equal(e.register(12), np.where(where[1], lane, lane + 1))
    assert np.array_equal(e.register(13), np.where(where[0], lane + 101, lane + 100))
    assert recorded[10] == FIRST + 40
    assert len({recorded[0], recorded[20]}) == 2


def test_a_generic_address_behind_shared_memory_is_an_error() -> None:
    e = Experiment(GENERIC + "LD.E R10, [R6.64+0x8]", shared=256)
    with pytest.raises(
        EmulationError, match=r"\(31, 0, 0\): shared address 0x[0-9a-f]+ is outside"
    ):
        e.run()


@pytest.mark.parametrize("window", ["0x18", "0x20"])
def test_generic_atomics(window: str) -> None:
    e = Experiment(
        f"MOV R4, c[0x0][{window}]\nIMAD.MOV.U32 R5, RZ, RZ, c[0x0][{int(window, 16) + 4:#x}]\n"
        "S2R R1, SR_LANEID\nATOM.E.ADD.STRONG.GPU PT, R2, [R4.64+0x10], R1\n"
        "LD.E R3, [R4.64+0x10]",
        shared=64,
    )
    e.run()
    if window == "0x18":
        assert e.register(2).tolist() == [i * (i - 1) // 2 for i in range(32)]
        assert e.register(3)[0] == 31 * 16
    else:
        assert not e.register(2).any()
        assert e.register(3).tolist() == list(range(32))


# 64-bit and packed atomics

WIDE_ATOMICS = {
    "ADD.64": lambda x, y: (x + y) % 2**64,
    "MAX.64": max,
    "MIN.S64": lambda x, y: min(x, y, key=lambda v: v - 2**64 if v >> 63 else v),
    "AND.64": lambda x, y: x & y,
    "EXCH.64": lambda _, y: y,
}


@pytest.mark.parametrize("name", WIDE_ATOMICS)
def test_wide_atomics_run_one_after_the_other(name: str) -> None:
    values = np.random.default_rng(3).integers(0, 2**64, 32, dtype=np.uint64)
    start = 0x8000_0000_1234_5678
    data = np.array([start], np.uint64)
    e = Experiment(ADDRESS + f"ATOMG.E.{name}.STRONG.GPU PT, R10, [R4.64], R8", arrays=(data,))
    e.run({8: values.astype(np.uint32), 9: (values >> np.uint64(32)).astype(np.uint32)})
    held = start
    for lane, value in enumerate(values.tolist()):
        assert int(e.register(11)[lane]) << 32 | int(e.register(10)[lane]) == held
        held = WIDE_ATOMICS[name](held, value)
    assert data.tolist() == [held]


def test_sums_of_doubles_and_of_packed_halves() -> None:
    data = np.array([0.5], np.float64)
    halves = np.array([1, 2], np.float16)
    e = Experiment(
        ADDRESS
        + "RED.E.ADD.F64.RN.STRONG.GPU [R4.64], R8\n"
        + "RED.E.ADD.F16x2.RN.STRONG.GPU [R4.64+0x400], R10",
        arrays=(data, halves),
    )
    e.run({9: np.full(32, 0x3FD0_0000), 10: np.full(32, 0xBC00_3C00)})
    assert data.tolist() == [0.5 + 32 / 4]
    assert halves.tolist() == [33, -30]


def test_compare_and_swap_of_64_bits_and_its_success_flag() -> None:
    data = np.array([7], np.uint64)
    e = Experiment(
        ADDRESS
        + "ATOMG.E.CAS.64.STRONG.GPU PT, R14, [R4.64], R8, R10\n"
        + "ATOMS.CAST.SPIN R16, [RZ], R1, R12",
        arrays=(data,),
        shared=4,
    )
    e.run({8: np.where(LANES == 5, 7, 8), 10: LANES, 11: LANES, 12: LANES + 1})
    assert data.tolist() == [5 << 32 | 5]
    assert e.register(14).tolist() == [7] * 6 + [5] * 26
    assert e.register(16).tolist() == [1] * 32


# Matrices and copies


@pytest.mark.parametrize(("form", "transposes"), [("M88", False), ("MT88", True)])
def test_ldsm_loads_matrices_by_the_addresses_of_their_rows(form: str, transposes: bool) -> None:
    random = np.random.default_rng(4)
    content = random.integers(0, 2**16, 4 * 64, dtype=np.uint16)
    order = random.permutation(32)  # where the rows of the four matrices are
    e = Experiment(f"LDSM.16.{form}.4 R4, [R1]", shared=512)
    e.state.memories[Space.SHARED].data[:512] = content.view(np.uint8)
    e.run({1: 16 * order})
    for number in range(4):
        matrix = content.reshape(32, 8)[order[8 * number : 8 * number + 8]]
        got = e.register(4 + number).view(np.uint16).reshape(8, 8)
        assert np.array_equal(got, matrix.T if transposes else matrix)


def test_ldsm_ignores_the_addresses_of_other_lanes() -> None:
    e = Experiment("LDSM.16.M88 R4, [R1]", shared=128)
    e.run({1: np.where(LANES < 8, 16 * LANES, 0xFFFF)})
    with pytest.raises(EmulationError, match="0xffff is not a multiple of 16"):
        Experiment("LDSM.16.M88.2 R4, [R1]", shared=256).run(
            {1: np.where(LANES < 8, 16 * LANES, 0xFFFF)}
        )


def test_copies_from_global_to_shared_memory_have_two_addresses() -> None:
    data = np.arange(128, dtype=np.int32)
    e = Experiment(
        ADDRESS
        + """
        ISETP.GE.AND P0, PT, R1, 0x4, PT
        IMAD.WIDE R6, R1, 0x10, R4
        SHF.L.U32 R8, R1, 0x4, RZ
        MOV R2, 0x9
        STS [R8+0x4], R2
        LDGSTS.E.BYPASS.128.ZFILL [R8], [R6.64], P0
        LDGDEPBAR
        DEPBAR.LE SB0, 0x0
        LDS.128 R12, [R8]
        """,
        arrays=(data,),
        shared=512,
    )
    accesses = e.run().ctas(0, 1, PathPool())[0].warps[0].accesses
    expected = data.reshape(32, 4) * (LANES >= 4)[:, None]
    assert np.array_equal(np.stack([e.register(12 + i) for i in range(4)], axis=1), expected)
    assert accesses.addresses[1].tolist() == [FIRST + 16 * i for i in range(32)]
    assert accesses.shared[1].tolist() == [16 * i for i in range(32)]
    assert not accesses.shared[0].any()
    assert accesses.shared.shape == accesses.addresses.shape
