"""Stores that write a part of a sector: what a later load finds (memory 3.2, 5.1)."""

import numpy as np
import pytest

STORE = "[B------:R0:W-:-:S02] STG.E{width} [R2.64], R4 ; @addr base={base:#x} stride={stride}\n"
# Long enough for the store to be in the L2.
LATER = "@repeat 50 [B0-----:R-:W-:-:S10] NOP ;\n"
LOAD = (
    "[B------:R-:W1:-:S02] LDG.E{scope} R8, [R2.64] ; @addr base=0x10000 stride=32\n"
    "[B-1----:R-:W-:-:S01] FADD R1, R8, R5 ;"
)
WHOLE = ((".128", 0x10000, 32), (".128", 0x10010, 32))  # together all bytes of 32 sectors


def sectors_read(simulate, stores, **options):
    """Sectors that come from memory for a load of one word of each of 32 sectors."""
    stores = "".join(STORE.format(width=w, base=b, stride=s) for w, b, s in stores)
    run = simulate(stores + LATER + LOAD.format(scope=".STRONG.GPU"), warm="icache", **options)
    return int(run.state.gpu.dram.channel["sectors_read"].sum())


@pytest.mark.parametrize(
    ("stores", "read"),
    [
        ([], 32),
        ([("", 0x10000, 32)], 32),  # a word of each sector
        ([("", 0x10000, 4)], 28),  # all of four sectors
        ([("", 0x10010, 4)], 29),  # all of three, a half of two
        (WHOLE[:1], 32),
        (WHOLE, 0),
        ([*WHOLE[:1], *WHOLE[:1]], 32),
    ],
)
def test_a_sector_is_fetched_unless_all_its_bytes_were_written(simulate, stores, read):
    assert sectors_read(simulate, stores) == read


def test_words_from_many_stores_complete_a_sector(simulate):
    words = [("", 0x10000 + 4 * k, 32) for k in range(8)]
    assert [sectors_read(simulate, words[:n]) for n in (1, 7, 8)] == [32, 32, 0]


@pytest.mark.parametrize(
    ("gpu", "store", "hits"),
    [
        ("rtx_2080_ti", ("", 0x10000, 4), 1),  # what was stored is in the L1
        ("rtx_2080_ti", ("", 0x10000, 32), 0),  # of each sector a word
        ("rtx_a6000", ("", 0x10000, 4), 0),
    ],
)
def test_a_store_leaves_whole_sectors_in_the_l1(simulate, gpu, store, hits):
    width, base, stride = store
    code = STORE.format(width=width, base=base, stride=stride) + LATER
    load = LOAD.format(scope="").replace("stride=32", f"stride={stride}")
    run = simulate(code + load, warm="icache", gpu=gpu)
    assert int(run.state.sms["l1d"]["sector_hits"].sum()) == hits * np.ceil(32 * stride / 128)
