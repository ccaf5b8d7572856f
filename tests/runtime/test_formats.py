"""Fat binaries and cudaDeviceProp, as bytes."""

import struct

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from warpwise.isa.errors import InputError
from warpwise.sim.machine.load import load as load_machine
from warpwise.sim.simulated_gpu import facts
from warpwise.traces.runtime.fatbin import CONTAINER, CUBIN, ENTRY, MAGIC, ZSTD, cubin_for
from warpwise.traces.runtime.properties import device_properties

PTX = 1


def entry(kind, arch, payload, flags=0, plain=0):
    padded = -(-len(payload) // 8) * 8
    header = ENTRY.pack(kind, 0x101, ENTRY.size, padded, len(payload), arch, flags, plain)
    return header + payload.ljust(padded, b"\0")


def fat(*entries):
    body = b"".join(entries)
    return CONTAINER.pack(MAGIC, 1, CONTAINER.size, len(body)) + body


def test_the_newest_code_of_the_generation_is_taken():
    some = fat(*(entry(CUBIN, arch, b"code %3d" % arch) for arch in (75, 86, 80, 89, 90)))
    found = {arch: cubin_for(some, f"sm_{arch}") for arch in (75, 80, 86, 87)}
    assert found == {75: b"code  75", 80: b"code  80", 86: b"code  86", 87: b"code  86"}


def test_what_is_there_instead_is_named():
    with pytest.raises(InputError, match=r"sm_86, only sm_90, PTX of compute_86"):
        cubin_for(fat(entry(CUBIN, 90, b"machine."), entry(PTX, 86, b"assembly")), "sm_86")


@given(st.binary(min_size=1, max_size=200))
def test_compressed_entries_come_back(content):
    packed = zstandard.compress(content)
    assert cubin_for(fat(entry(CUBIN, 86, packed, ZSTD, len(content))), "sm_86") == content


@given(st.data())
def test_cut_and_damaged_fat_binaries_are_recognised(data):
    whole = fat(entry(CUBIN, 86, b"x" * 64))
    with pytest.raises(InputError):
        cubin_for(whole[: data.draw(st.integers(0, len(whole) - 1))], "sm_86")
    with pytest.raises(InputError):
        cubin_for(b"ELF?" + whole[4:], "sm_86")


# Offsets and sizes as a C++ compiler prints them for driver_types.h of both versions.
LAYOUT = {
    12: (
        1032,
        {
            "major": 360,
            "multiProcessorCount": 388,
            "l2CacheSize": 616,
            "maxThreadsPerMultiProcessor": 624,
            "cooperativeLaunch": 688,
            "maxBlocksPerMultiProcessor": 712,
        },
    ),
    13: (
        1008,
        {
            "major": 360,
            "multiProcessorCount": 384,
            "l2CacheSize": 596,
            "maxThreadsPerMultiProcessor": 604,
            "cooperativeLaunch": 668,
            "maxBlocksPerMultiProcessor": 688,
        },
    ),
}


@pytest.mark.parametrize("cuda", LAYOUT)
def test_properties_have_the_layout_of_the_headers(cuda):
    machine = load_machine("rtx_a6000").gpu
    content = device_properties(facts(machine), cuda)
    size, offsets = LAYOUT[cuda]
    assert len(content) == size
    expected = {
        "major": 8,
        "multiProcessorCount": 84,
        "l2CacheSize": 6 << 20,
        "maxThreadsPerMultiProcessor": 1536,
        "cooperativeLaunch": 1,
        "maxBlocksPerMultiProcessor": 16,
    }
    found = {name: struct.unpack_from("<i", content, offsets[name])[0] for name in expected}
    assert found == expected
    assert content.startswith(b"NVIDIA RTX A6000\0")
