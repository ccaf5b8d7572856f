"""A device: memory that comes and goes, modules with variables, launches by bytes."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from warpwise import traces
from warpwise.isa.errors import InputError
from warpwise.traces.emulator import Device, EmulationError

KERNELS = Path(traces.__file__).parent / "kernels"
SAXPY = KERNELS / "saxpy.sm_86.cubin"
SAMPLE = Path(__file__).parents[1] / "isa" / "data" / "sample_sm_86.cubin"


def test_memory_keeps_what_is_written() -> None:
    device = Device()
    address = device.allocate(1000)
    assert device.read(address, 1000) == bytes(1000)
    device.fill(address, 0x5A, 1000)
    device.write(address + 996, b"last")
    assert device.read(address + 994, 6) == b"ZZlast"


def test_a_launch_that_is_recorded_finds_the_copies_since_the_last_one() -> None:
    """Written and filled bytes; what a launch that is not recorded found, the next one finds."""
    device = Device()
    saxpy = device.load_module(SAXPY).kernels["saxpy"]
    x, y = device.allocate(256), device.allocate(256)

    def launch(record: bool = True):
        return device.launch(saxpy, 1, 64, struct.pack("<ifQQ", 64, 2, x, y), record=record)

    device.write(x, bytes(256))
    device.fill(y, 0, 128)
    assert launch(record=False) is None
    device.write(y, b"last")
    first, second = launch(), launch()
    assert first is not None
    assert first.copies == ((x, 256), (y, 128), (y, 4))
    assert second is not None
    assert second.copies == ()


@given(st.lists(st.tuples(st.integers(0, 5000), st.booleans()), max_size=30))
def test_live_allocations_never_share_a_byte(steps: list[tuple[int, bool]]) -> None:
    device, live = Device(), []
    for number, (nbytes, drop) in enumerate(steps):
        address = device.allocate(nbytes)
        content = bytes([number]) * nbytes
        device.write(address, content)
        live.append((address, content))
        if drop:
            device.free(live.pop(0)[0])
    assert all(device.read(address, len(content)) == content for address, content in live)
    assert len({address for address, _ in live}) == len(live)


def test_an_allocation_ends_where_it_was_asked_to() -> None:
    device = Device()
    address, _next = device.allocate(100), device.allocate(100)
    for outside in (address + 97, address - 4, address + 512, 0, 1 << 62):
        with pytest.raises(EmulationError, match="outside any allocation"):
            device.read(outside, 4)


def test_freed_memory_is_gone() -> None:
    device = Device()
    address = device.allocate(100)
    device.free(address)
    with pytest.raises(EmulationError, match=f"{address:#x} are outside any allocation"):
        device.write(address, b"x")
    with pytest.raises(EmulationError, match="to be freed"):
        device.free(address)
    with pytest.raises(InputError, match="cannot allocate -1 bytes"):
        device.allocate(-1)


def launch_saxpy(device: Device, x: int, y: int, record: bool = True):
    (program,) = device.load_module(SAXPY.read_bytes()).kernels.values()
    parameters = struct.pack("<ifQQ", 64, 2.0, x, y)
    return device.launch(program, 2, 32, parameters, record=record)


@pytest.mark.parametrize("record", [True, False])
def test_a_launch_takes_its_parameters_as_bytes(record: bool) -> None:
    device = Device()
    x, y = device.allocate(256), device.allocate(256)
    device.write(x, np.arange(64, dtype=np.float32).tobytes())
    kernel = launch_saxpy(device, x, y, record)
    result = np.frombuffer(device.read(y, 256), np.float32)
    assert result.tolist() == [2 * i for i in range(64)]
    assert (kernel is not None) == record


def test_launches_are_numbered() -> None:
    device = Device()
    x, y = device.allocate(256), device.allocate(256)
    assert [launch_saxpy(device, x, y).launch for _ in range(2)] == [0, 1]


def test_a_kernel_must_not_touch_freed_memory() -> None:
    device = Device()
    x, y = device.allocate(256), device.allocate(256)
    device.free(y)
    with pytest.raises(EmulationError, match=r"thread \(0, 0, 0\).*outside any allocation"):
        launch_saxpy(device, x, y)


def test_a_module_names_its_variables() -> None:
    device = Device()
    symbols = device.load_module(SAMPLE).symbols
    assert {name: (s.size, s.constant) for name, s in symbols.items()} == {
        "coefficients": (32, True),
        "counter": (4, False),
        "table": (32, False),
    }
    table = device.read(symbols["table"].address, 32)
    assert struct.unpack("<4d", table) == (1.0, 2.0, 3.0, 4.0)
