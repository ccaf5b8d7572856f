"""The protobuf tree: what survives a round trip, and what is refused."""

import contextlib
import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from traces.drawn import MASKS, drawn_kernel, rows

from traces import golden
from warpwise.isa.errors import InputError
from warpwise.sim import run
from warpwise.traces import tree, tree_schema, tree_writer
from warpwise.traces.kernel import Trace
from warpwise.traces.load import load

pytest.importorskip("google.protobuf")
KERNELS = Path(__file__).parents[2] / "traces/kernels"


@pytest.mark.parametrize("name", ["saxpy", "matmul", "reduction", "collatz"])
def test_the_cycles_are_those_of_the_native_trace(tmp_path, name):
    native = load(KERNELS / f"{name}.sm_86.cubin", KERNELS / f"{name}.toml")
    tree_writer.write(native, tmp_path / "traces/dynamic_trace.pb")
    read = load(tmp_path)
    assert run(read, sms=8).cycles == run(native, sms=8).cycles
    for kernel, expected in zip(read.kernels, native.kernels, strict=True):
        assert_same(kernel, expected)


def assert_same(kernel, expected):
    """Same shapes, same code, same warps."""
    for field in ("name", "grid", "block", "shared_bytes"):
        assert getattr(kernel, field) == getattr(expected, field)
    code = zip(kernel.program.instructions, expected.program.instructions, strict=True)
    for inst, other in code:
        assert replace(inst, text="", operands=()) == replace(other, text="", operands=())
    for number in range(expected.n_ctas):
        warps = kernel.load_cta(number).warps, expected.load_cta(number).warps
        for warp, other in zip(*warps, strict=True):
            for column in ("pcs", "active", "executed"):
                assert np.array_equal(getattr(warp.path, column), getattr(other.path, column))
            assert np.array_equal(warp.accesses.addresses, other.accesses.addresses)
            assert np.array_equal(warp.accesses.shared, other.accesses.shared)


CODE = """.arch sm_86
.kernel drawn
LDG.E R4, [R2.64] ;
@!P1 STS.64 [R8], R10.reuse ;
LDGSTS.E.128 [R12], [R14.64] ;
LDC R6, c[0x3][R4+0x10] ;
[B0-2---:R1:W3:Y:S07] IADD3 R5, -R4, R6, RZ ;
FADD R7, |R5|, 1.5 ;
EXIT ;
"""
ROWS = rows(-(1 << 63), (1 << 63) - 1)
STEPS = st.tuples(st.integers(0, 6), MASKS, MASKS, ROWS, ROWS)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(STEPS, min_size=1, max_size=12))
def test_everything_but_names_survives(tmp_path, steps):
    """Any masks, any addresses, any 64 bits: the same after writing and reading."""
    kernel = drawn_kernel(CODE, steps)
    tree_writer.write(Trace((kernel,)), tmp_path / "dynamic_trace.pb")
    [read] = load(tmp_path).kernels
    assert_same(read, kernel)


def test_code_without_control_bits_stays_so(tmp_path):
    kernel = drawn_kernel(CODE, [(6, 1, 1, [0] * 32, [0] * 32)])
    bare = replace(kernel, program=replace(kernel.program, control_bits=False))
    tree_writer.write(Trace((bare,)), tmp_path / "dynamic_trace.pb")
    assert not load(tmp_path).kernels[0].program.control_bits


# What a tree may have wrong


@pytest.fixture
def small(tmp_path):
    """A tree of one CTA that loads, stores and exits."""
    row = [4 * k for k in range(32)]
    steps = [(0, 0xFF, 0xF, row, row), (2, 0xF, 0xF, row, row), (6, 0xF, 0xF, row, row)]
    path = tmp_path / "traces/dynamic_trace.pb"
    tree_writer.write(Trace((drawn_kernel(CODE, steps),)), path)
    return path


def block_of(path):
    return path.parent / "threadblocks/device_0/stream_0/kernel_1/d_0_s_0_k_1_0,0,0.pb"


def change(path, kind, edit):
    """Parse a message, edit it, write it back."""
    message = tree_schema.message(kind)()
    message.ParseFromString(path.read_bytes())
    edit(message)
    path.write_bytes(message.SerializeToString())


def read_all(path):
    for kernel in tree.read(path).kernels:
        for number in range(kernel.n_ctas):
            kernel.load_cta(number)


def kernel_1(message):
    return message.gpu_device[0].streams[0].kernels[0]


def step(number):
    return lambda message: message.warps[0].instructions[number]


# A change of `dynamic_trace.pb`, and what the message says about it.
LAUNCH_ERRORS = {
    "grid": (lambda m: setattr(kernel_1(m).grid_dim, "x", 0), r"grid_dim \(0, 1, 1\) found"),
    "CTAs": (lambda m: setattr(kernel_1(m).grid_dim, "y", 1 << 30), "1 CTAs found, expected 1073"),
    "block": (lambda m: setattr(kernel_1(m).block_dim, "x", -1), r"block_dim \(-1, 1, 1\) found"),
    "shared": (lambda m: setattr(kernel_1(m), "size_shared_memory", -4), "size_shared_memory -4"),
    "function": (lambda m: setattr(kernel_1(m), "function_unique_id", 9), "function 9 is missing"),
    "device": (lambda m: m.gpu_device.pop(0), r"devices \[\] found, expected device 0"),
    "event": (
        lambda m: m.gpu_device[0].streams[0].ordered_cuda_events.append("kernel-2.trace"),
        "'kernel-2.trace' found, expected one of 1 kernels",
    ),
}
# The same for the file of a CTA.
BLOCK_ERRORS = {
    "no warp": (lambda m: m.warps.pop(0), r"warps \[\] found, expected 0 to 0"),
    "a warp more": (lambda m: m.warps[7].instructions.add(), r"warps \[0, 7\] found"),
    "no steps": (lambda m: m.warps[0].ClearField("instructions"), "warp 0 has no instructions"),
    "PC": (lambda m: setattr(step(0)(m), "pc", 0x1000), "PC 0x1000 found"),
    "odd PC": (lambda m: setattr(step(0)(m), "pc", 4), "PC 0x4 found"),
    "function": (lambda m: setattr(step(0)(m), "function_unique_id", 5), "function 5 found"),
    "no addresses": (lambda m: step(0)(m).ClearField("addresses"), "0 address lists found for LDG"),
    "half a copy": (lambda m: step(1)(m).addresses.pop(), "1 address lists found for LDGSTS"),
    "mode": (lambda m: setattr(step(0)(m).addresses[0], "compression_format", 3), "mode 3 found"),
    "a gap": (lambda m: setattr(step(0)(m), "predicate_mask", 0b101), "a stride over lanes 0x0000"),
    "a list": (
        lambda m: setattr(step(0)(m).addresses[0], "compression_format", 0),
        "0 addresses found, expected 4, one a lane",
    ),
}


@pytest.mark.parametrize("case", LAUNCH_ERRORS)
def test_a_wrong_launch(small, case):
    edit, message = LAUNCH_ERRORS[case]
    change(small, "Trace", edit)
    with pytest.raises(InputError, match=message):
        read_all(small)


@pytest.mark.parametrize("case", BLOCK_ERRORS)
def test_a_wrong_cta(small, case):
    """The message names the file of the CTA."""
    edit, message = BLOCK_ERRORS[case]
    change(block_of(small), "threadblock", edit)
    with pytest.raises(InputError, match=message) as caught:
        read_all(small)
    assert "0,0,0.pb" in str(caught.value)


def test_messages(small):
    """Word for word, of everything that may be wrong."""
    files = {"Trace": (small, LAUNCH_ERRORS), "threadblock": (block_of(small), BLOCK_ERRORS)}
    found = {}
    for kind, (path, errors) in files.items():
        whole = path.read_bytes()
        for case, (edit, _) in errors.items():
            change(path, kind, edit)
            found[f"{kind}: {case}"] = golden.message(partial(read_all, small), small.parent)
            path.write_bytes(whole)
    golden.compare(golden.DATA / "tree/messages.txt", found)


def test_lanes_that_the_block_lacks(small):
    change(small, "Trace", lambda m: setattr(kernel_1(m).block_dim, "x", 4))
    with pytest.raises(InputError, match="lanes 0x000000ff found, where the warp has 0x0000000f"):
        read_all(small)


def test_the_static_code_is_checked(small):
    path = small.parent / tree.CODE
    code = json.loads(path.read_text())
    inst = code["kernels"][0]["instructions"][4]
    inst["control_bits"]["stall_count"] = 16
    path.write_text(json.dumps(code))
    with pytest.raises(InputError, match=r"instructions\.4\.control_bits\.stall_count: .* 15"):
        read_all(small)
    path.write_text("{")
    with pytest.raises(InputError, match=r"enhanced_execution_info\.json: JSON"):
        read_all(small)


def test_filters_come_before_files(small):
    """A launch that is not asked for may lack its CTAs."""
    block_of(small).unlink()
    assert tree.read(small, lambda launch, name: name != "drawn").kernels == ()
    with pytest.raises(InputError, match="0 CTAs found"):
        load(small)
    with pytest.raises(InputError, match="no kernel matches 'x', only these are there: drawn"):
        load(small, kernel="x")


PLACES = st.tuples(
    st.sampled_from(["launch", "block", "code"]), st.integers(0, 1 << 16), st.binary(max_size=3)
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(PLACES, min_size=1, max_size=4))
def test_damaged_trees_are_read_or_refused(small, changes):
    files = {"launch": small, "block": block_of(small), "code": small.parent / tree.CODE}
    whole = {name: path.read_bytes() for name, path in files.items()}
    damaged = {name: bytearray(data) for name, data in whole.items()}
    for name, place, data in changes:
        place %= len(damaged[name]) + 1
        damaged[name][place : place + 2] = data
    try:
        for name, path in files.items():
            path.write_bytes(damaged[name])
        with contextlib.suppress(InputError):
            read_all(small)
    finally:
        for name, path in files.items():
            path.write_bytes(whole[name])
