"""The models behind native traces: nothing is lost, and what is likely takes little room."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from warpwise.isa.compiled import entry
from warpwise.isa.cubin import load
from warpwise.traces import code_model, entropy, path_model, row_model, templates
from warpwise.validation.kernels.zoo import cubin

MASK = st.one_of(st.sampled_from([0, 1, 3, 2**31, 2**32 - 1]), st.integers(0, 2**32 - 1))
FULL = 2**32 - 1


def instructions(name, arch):
    return [i for program in load(cubin(name, arch)).values() for i in program.instructions]


@pytest.mark.parametrize("arch", ["sm_75", "sm_86"])
@pytest.mark.parametrize("name", ["softmax", "hgemm_tensor", "local_array", "double_division"])
def test_templates_give_the_texts_back(name, arch):
    for inst in instructions(name, arch):
        template = templates.template_of(inst.text, inst.encoding, inst.pc)
        assert templates.write(template, inst.encoding, inst.pc) == inst.text


def test_registers_are_not_in_templates():
    """All 265 FFMAs of a matrix product but those with other operands are one template."""
    ffma = [i for i in instructions("sgemm_outer", "sm_86") if i.opcode == "FFMA"]
    assert len(ffma) > 250
    found = {templates.template_of(i.text, i.encoding, i.pc) for i in ffma}
    assert len(found) <= 2


def encoded(write):
    return entropy.encoded(write, entropy.untaught(14))


def decoded(data, decode):
    """What `decode` makes of bytes, all of which it has to read."""
    coder = entropy.decoder(data, entropy.untaught(14))
    found = decode(coder)
    entropy.check_end(coder)
    return found


# The coder.


def code_flags(flags):
    """Bytes of flags, each in one and the same context."""

    def write(coder):
        coder.state[entropy.USED] = 1
        for value in flags:
            flip(coder, value)

    return encoded(write)


@entry
def flip(coder, value):
    return entropy.flag(coder, 0, value)


@pytest.mark.parametrize("share", [0.5, 0.1, 0.01])
def test_flags_take_as_many_bits_as_they_are_surprising(share):
    """Shannon's entropy and at most 2 % more, once the coder knows how likely they are."""
    flags = (np.random.default_rng(1).random(40_000) < share).astype(np.int64)
    p = flags.mean()
    bits = -(p * np.log2(p) + (1 - p) * np.log2(1 - p)) * len(flags)
    assert bits <= 8 * len(code_flags(flags)) <= 1.02 * bits + 64


@given(st.lists(st.integers(-(1 << 63), (1 << 63) - 1), max_size=40))
def test_any_numbers_survive(numbers):
    numbers = np.array(numbers, np.int64)
    data = encoded(lambda coder: code_model.code_numbers(coder, numbers.copy()))
    found = np.zeros_like(numbers)
    decoded(data, lambda coder: code_model.code_numbers(coder, found))
    np.testing.assert_array_equal(found, numbers)


@given(st.lists(st.tuples(*[st.integers(-(1 << 63), (1 << 63) - 1)] * 3), max_size=20))
def test_any_tables_survive(rows):
    table = np.array(rows, np.int64).reshape(-1, 3)
    data = encoded(lambda coder: code_model.code_table(coder, table.copy()))
    found = np.zeros_like(table)
    decoded(data, lambda coder: code_model.code_table(coder, found))
    np.testing.assert_array_equal(found, table)


@given(st.binary(max_size=200))
def test_any_bytes_survive(octets):
    def write(coder):
        text = np.frombuffer(bytearray(octets), np.uint8)
        code_model.code_text(coder, text)
        code_model.code_octets(coder, text)

    data, found = encoded(write), np.zeros((2, len(octets)), np.uint8)

    def read(coder):
        code_model.code_text(coder, found[0])
        code_model.code_octets(coder, found[1])

    decoded(data, read)
    assert [row.tobytes() for row in found] == [octets] * 2


def test_room_does_not_matter(monkeypatch):
    octets = np.random.default_rng(1).integers(0, 256, 5000, np.uint8)
    data = encoded(lambda coder: code_model.code_octets(coder, octets))
    monkeypatch.setattr(entropy, "ROOM", 10)
    assert encoded(lambda coder: code_model.code_octets(coder, octets)) == data


def test_tables_are_the_same_on_every_machine():
    """The logarithms behind them are not near the middle of two integers."""
    steps = np.arange(-entropy.EDGE, entropy.EDGE + 1) / entropy.STEPS
    upper = np.arange(4096)
    for exact, table in (
        (65536 / (1 + np.exp(-steps)), entropy.SQUASH),
        (np.log((upper + 0.5) / (4095.5 - upper)) * entropy.STEPS, entropy.STRETCH),
    ):
        assert len(exact) == len(table)
        assert (np.abs(exact % 1 - 0.5) > 1e-9 * np.abs(exact)).all()


def test_interpreted_code_finds_the_same_bytes():
    """Numba wraps integers at 64 bits, Python does not."""
    script = """
import numpy as np
from traces import test_models as t
random = np.random.default_rng(1)
masks = random.integers(0, 1 << 32, (2, 40))
paths = [[(k % 4, int(a), int(a & e)) for k, (a, e) in enumerate(masks.T)]] * 2
print(t.path_bytes(paths, [-1, 0, 3, 8]).hex())
rows = random.integers(-(1 << 63), (1 << 63) - 1, (4, 32))
print(t.row_bytes([0, 1, 0, 1, 2, 2], [*rows, np.arange(32), rows[0] + 4]).hex())
"""
    outputs = {
        subprocess.run(
            [sys.executable, "-W", "ignore::RuntimeWarning", "-c", script],
            cwd=Path(__file__).parents[1],
            env=os.environ | {"NUMBA_DISABLE_JIT": switch},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for switch in "01"
    }
    assert len(outputs) == 1


# Paths.


def path_bytes(paths, guards):
    """Paths of (pc, active, executed) as bytes, after a check that they are read as they were."""
    steps = np.array([step for path in paths for step in path], np.int64).reshape(-1, 3)
    lengths = np.array([len(path) for path in paths], np.int64)
    bounds = np.zeros_like(lengths), np.full_like(lengths, len(guards))
    shape = lengths, *bounds, np.array(guards, np.int64)
    columns = steps.T.copy()
    data = encoded(lambda coder: path_model.code_paths(coder, *shape, *columns))
    found = np.zeros_like(columns)
    assert decoded(data, lambda coder: path_model.code_paths(coder, *shape, *found))
    np.testing.assert_array_equal(found, steps.T)
    return data


@given(
    st.lists(st.lists(st.tuples(st.integers(0, 5), MASK, MASK), max_size=90), max_size=3),
    st.lists(st.integers(-1, 31), min_size=6, max_size=6),
)
def test_any_paths_survive(paths, guards):
    """Also where more masks come up than are remembered."""
    steps = [[(pc, active, active & mask) for pc, active, mask in path] for path in paths]
    path_bytes(steps, guards)


def test_a_loop_takes_no_room():
    """A thousand passes take a bit each."""
    one = [(pc, FULL, FULL) for pc in range(10)]
    assert len(path_bytes([one * 1000], [-1] * 10)) < 40


def test_random_lanes_take_a_bit_each():
    """@P0 BRA, @!P0 ADD, @P0 ADD: the lanes of the first say those of the others."""
    masks = [int(mask) for mask in np.random.default_rng(1).integers(0, 1 << 32, 500)]
    path = [
        step
        for mask in masks
        for step in ((0, FULL, mask), (1, FULL, FULL & ~mask), (2, FULL, mask), (3, FULL, FULL))
    ]
    assert 4 * len(masks) <= len(path_bytes([path], [0, 1, 0, -1])) < 4.2 * len(masks)


def test_both_sides_of_a_branch_take_its_lanes():
    """The lanes that jump, the others, and all of them: of three masks one is new."""
    masks = [int(mask) for mask in np.random.default_rng(2).integers(1, FULL, 300)]
    path = [
        step
        for mask in masks
        for step in ((0, FULL, mask), (2, mask, mask), (1, FULL & ~mask, FULL & ~mask))
    ]
    assert len(path_bytes([path], [0, -1, -1])) < 4.6 * len(masks)


# Rows of addresses.


def row_bytes(groups, addresses, warps=1, masks=None):
    """Rows, equally many of each warp, as bytes, after a check that they are read as they were."""
    addresses = np.array(addresses, np.int64).reshape(-1, 32)
    groups = np.array(groups, np.int64)
    masks = np.full(len(groups), FULL) if masks is None else np.array(masks, np.int64)
    new_warp = np.zeros(len(groups), np.uint8)
    new_warp[:: max(len(groups) // warps, 1)] = 1
    shape = groups, masks, new_warp
    shifts = np.zeros(int(groups.max(initial=-1)) + 1, np.int64)
    row_model.find_shifts(groups, masks, addresses, shifts)
    data = encoded(lambda coder: row_model.code_rows(coder, *shape, shifts, addresses))
    found, unknown = np.zeros_like(addresses), np.zeros_like(shifts)
    assert decoded(data, lambda coder: row_model.code_rows(coder, *shape, unknown, found))
    np.testing.assert_array_equal(found, addresses)
    return data


NUMBER = st.one_of(st.integers(-(1 << 63), (1 << 63) - 1), st.integers(-40, 40))


@given(st.lists(st.tuples(st.integers(0, 2), MASK, NUMBER, NUMBER, st.booleans()), max_size=12))
def test_any_rows_survive(rows):
    """With strides, without, and like another one."""
    lanes = np.arange(32)
    values = [
        np.array(base, np.int64) + np.array(stride, np.int64) * (lanes**2 if bent else lanes)
        for _, _, base, stride, bent in rows
    ]
    masks = np.array([mask for _, mask, *_ in rows], np.int64)
    executes = (masks[:, None] >> lanes & 1).astype(bool)
    addresses = np.where(executes, np.reshape(values, (-1, 32)), 0)
    row_bytes([row[0] for row in rows], addresses, masks=masks)


def test_regular_rows_take_no_room():
    """Ten warps of a hundred steps each: a stride from lane to lane, step to step, warp to warp."""
    rows = [
        [w * 12800 + k * 128 + a * (1 << 20) + 4 * np.arange(32) for a in (0, 1)]
        for w in range(10)
        for k in range(100)
    ]
    assert len(row_bytes([0, 1] * 1000, rows, warps=10)) < 40


def test_rows_at_one_distance_from_an_earlier_row_take_no_room():
    """The ends of lists lie behind their starts."""
    starts = np.random.default_rng(1).integers(0, 1 << 10, (100, 32)) * 4
    alone = len(row_bytes([0] * 100, starts))
    both = len(row_bytes([0, 1] * 100, np.stack([starts, starts + 4], axis=1)))
    assert both < alone + 30


def test_random_addresses_take_their_bits():
    """Of one in 256 places 8, of which at most 5 % more are learning."""
    places = np.random.default_rng(1).integers(0, 256, (400, 32)) * 4
    assert places.size <= len(row_bytes([0] * 400, places + (1 << 32))) < 1.05 * places.size


def test_what_is_read_again_leads_to_the_same_places():
    """A second pass over a list of indices: what it points to is known from the first."""
    rng = np.random.default_rng(1)
    lists = [
        [4096 + 128 * k + 4 * np.arange(32), rng.integers(0, 1 << 16, 32) * 4] for k in range(99)
    ]
    once = len(row_bytes([0, 1] * 99, lists))
    assert len(row_bytes([0, 1] * 198, lists * 2)) < 1.1 * once


def test_lanes_that_walk_are_coded_by_their_steps():
    rng = np.random.default_rng(1)
    start = rng.integers(0, 1 << 30, 32) * 4
    steps = rng.integers(0, 4, (200, 32)).cumsum(axis=0) * 4
    assert len(row_bytes([0] * 200, start + steps)) < 2.3 / 8 * steps.size + 200
