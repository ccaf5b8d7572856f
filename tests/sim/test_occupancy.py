"""How many CTAs an SM holds: cases computed by hand (sm-core 1.3, memory 3.1)."""

from dataclasses import replace

import pytest

from warpwise.isa.errors import InputError
from warpwise.sim.machine.load import load
from warpwise.sim.occupancy import occupancy
from warpwise.traces.handwritten import parse

KERNEL = parse(".arch sm_86\n.kernel k\nEXIT ;").kernels[0]


def fits(threads, registers=16, shared=0, ctas=100_000, sms=1, **changes):
    kernel = replace(
        KERNEL, block=(threads, 1, 1), registers=registers, shared_bytes=shared, grid=(ctas, 1, 1)
    )
    return occupancy(kernel, load("rtx_a6000", "ref", changes).gpu, sms)


@pytest.mark.parametrize(
    ("threads", "registers", "shared", "ctas"),
    [
        (32, 16, 0, 16),  # CTA slots
        (128, 16, 0, 12),  # 48 warps / 4
        (1024, 16, 0, 1),  # 48 / 32
        (100, 16, 0, 12),  # padded to four warps
        # 41 registers: 41 * 32 = 1312 -> 1536 a warp; 16384 / 1536 = 10 a sub-core; 40 / 4
        (128, 41, 0, 10),
        (128, 40, 0, 12),  # 1280 a warp, 12 a sub-core, 48 warps
        (256, 255, 0, 1),  # 8160 -> 8192 a warp, 2 a sub-core, 8 warps
        (96, 168, 0, 4),  # 5376 a warp, 3 a sub-core, 12 warps / 3
        (128, 16, 48 * 1024, 2),  # 49152 + 1024 of 102400
        (128, 16, 33 * 1024, 2),  # three without the reserve
        (128, 16, 32 * 1024, 3),  # 33792 each
        (64, 16, 6000, 14),  # 7024 -> 7040 each: 14.5
    ],
)
def test_limits(threads, registers, shared, ctas):
    assert fits(threads, registers, shared).ctas == ctas


@pytest.mark.parametrize(
    ("ctas", "sms", "resident"), [(1, 84, 1), (84, 84, 1), (85, 84, 2), (1000, 84, 12), (5, 2, 3)]
)
def test_grids_that_do_not_fill_the_gpu_are_spread(ctas, sms, resident):
    assert fits(128, ctas=ctas, sms=sms).ctas == resident


@pytest.mark.parametrize(
    ("shared", "ctas", "carveout", "ways"),
    [  # 128 KiB are 4 sets of 256 lines; shared memory takes the smallest size that suffices
        (0, 100_000, 0, 256),
        (1024, 1, 8, 240),
        (7 * 1024, 1, 8, 240),  # exactly, with the reserve
        (7 * 1024 + 1, 1, 16, 224),
        (20 * 1024, 100_000, 100, 56),  # 21 KiB, four CTAs
    ],
)
def test_shared_memory_is_carved_out_of_the_l1(shared, ctas, carveout, ways):
    place = fits(128, shared=shared, ctas=ctas)
    assert (place.carveout_kib, place.l1_ways) == (carveout, ways)


@pytest.mark.parametrize(
    ("shape", "reason"),
    [
        ({"threads": 1024, "registers": 128}, "registers"),
        ({"threads": 32, "shared": 100 * 1024}, "shared memory"),
        ({"threads": 1024, "sm.occupancy.warps": 16}, "warps"),
    ],
)
def test_a_cta_that_does_not_fit_is_an_input_error(shape, reason):
    with pytest.raises(InputError, match=rf"k: not one CTA fits .*RTX A6000.*{reason}"):
        fits(**shape)
