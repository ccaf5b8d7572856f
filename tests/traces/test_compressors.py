"""What the columns of native traces are made of: texts, masks, rows; nothing is lost in any."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from warpwise.isa.cubin import load
from warpwise.traces import address_columns, mask_columns, mask_ranks, templates
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


@given(st.lists(st.lists(st.tuples(st.integers(0, 5), MASK, MASK), max_size=90), max_size=3))
def test_masks_survive(paths):
    """Also where more masks come up than are remembered."""
    steps = [(pc, active, active & mask) for path in paths for pc, active, mask in path]
    pcs, active, executed = np.array(steps, np.uint32).reshape(-1, 3).T
    lengths = np.array([len(path) for path in paths], np.uint32)
    found = mask_columns.compress(lengths, pcs, active, executed)
    again = mask_columns.expand(found, lengths, pcs)
    assert [masks.tolist() for masks in again] == [active.tolist(), executed.tolist()]


def test_masks_that_came_up_before_are_not_listed():
    """An if, its else, and the end of both: of three masks one is new."""
    then, other = 0xFF, FULL - 0xFF
    active = np.array([FULL, FULL, then, other, FULL], np.uint32)
    executed = np.array([FULL, then, then, other, FULL], np.uint32)
    found = mask_columns.compress(np.array([5]), np.arange(5), active, executed)
    assert found["masks"].tolist() == [FULL]
    assert found["skipped"].tolist() == [other]
    ranks = found["mask_kind"] >> 1
    assert ranks.tolist() == [0, 0, 1, 2, 2]
    assert (ranks < mask_ranks.DEPTH).all()


def rows(pcs, addresses):
    """Columns of full rows."""
    return address_columns.compress(np.array(addresses), np.array(pcs), np.full(len(pcs), FULL))


def test_rows_at_one_distance_from_an_earlier_row_are_not_listed():
    """The ends of lists lie behind their starts."""
    random = np.random.default_rng(1).integers(0, 1 << 30, (2, 32)) * 4
    found = rows([3, 7, 3, 7], [random[0], random[0] + 4, random[1], random[1] + 4])
    assert found["form"].tolist() == [1, 1, 2, 2]
    assert found["like"].tolist() == [1, 1]
    assert found["offset"].tolist() == [2 * 4, 0]
    assert len(found["list"]) == 64


def test_listed_addresses_are_stored_in_the_smaller_way():
    """Random ones differ less from the lowest than from each other, walking ones from the last."""
    random = np.random.default_rng(1)
    scattered = random.integers(0, 1 << 8, (64, 32)) * 4
    start, step = random.integers(0, 1 << 30, (2, 32)) * 4
    walking = start + step * np.arange(64)[:, None]
    found = rows([1] * 64 + [2] * 64, [*scattered, *walking])
    assert found["form"].tolist() == [1] * 128
    assert found["steady"].tolist() == [1, 0]
