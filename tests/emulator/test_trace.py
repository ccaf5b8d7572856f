"""The trace of an emulated kernel: paths, masks and addresses of its warps."""

from __future__ import annotations

import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from warpwise import traces
from warpwise.isa.program import Access
from warpwise.traces import store
from warpwise.traces.emulator import Device, EmulationError, emulate, emulate_program, machine
from warpwise.traces.emulator.arguments import Buffers
from warpwise.traces.emulator.memory import GlobalMemory
from warpwise.traces.kernel import Kernel, Trace
from warpwise.validation.kernels import ZOO, zoo

KERNELS = Path(traces.__file__).parent / "kernels"
FULL = 0xFFFF_FFFF


def saxpy(n: int, ctas: int) -> Kernel:
    x, y = np.zeros((2, 32 * 4 * ctas), np.float32)
    args = [n, 2.0, x.copy(), y.copy()]
    return emulate(KERNELS / "saxpy.sm_86.cubin", "saxpy", ctas, 128, args).kernels[0]


def collatz() -> Kernel:
    steps = np.zeros(192, np.int32)
    return emulate(KERNELS / "collatz.sm_86.cubin", "collatz", 3, 64, [180, steps]).kernels[0]


def test_warps_that_do_the_same_share_one_path() -> None:
    kernel = saxpy(1000, 8)
    warps = [warp for i in range(8) for warp in kernel.load_cta(i).warps]
    assert len(warps) == 32
    assert len({id(warp.path) for warp in warps}) == 2  # the last warp is cut off at 1000
    assert warps[0].path is warps[30].path


def test_masks_show_lanes_that_left() -> None:
    last = saxpy(1000, 8).load_cta(7).warps[3].path
    guarded = last.pcs.tolist().index(5)  # @P0 EXIT
    inside = 0xFF
    assert last.active[: guarded + 1].tolist() == [FULL] * (guarded + 1)
    assert last.executed[guarded] == FULL & ~inside
    assert set(last.active[guarded + 1 :].tolist()) == {inside}


def test_rows_exist_for_every_access_and_only_for_those() -> None:
    for kernel in (saxpy(1000, 8), collatz()):
        accesses = np.array([i.access is not Access.NONE for i in kernel.program.instructions])
        for number in range(kernel.n_ctas):
            cta = kernel.load_cta(number)
            assert cta.number == number
            for warp in cta.warps:
                rows = accesses[warp.path.pcs].sum()
                assert warp.accesses.addresses.shape == (rows, 32)
                assert warp.accesses.shared.shape == (0, 32)


def test_addresses_are_those_of_the_elements() -> None:
    kernel = saxpy(1000, 8)
    code = kernel.program.instructions
    warp = kernel.load_cta(7).warps[3]
    loads = [code[pc] for pc in warp.path.pcs if code[pc].access is not Access.NONE]
    row = next(i for i, instruction in enumerate(loads) if instruction.opcode == "LDG")
    first = GlobalMemory.BASE + 512 + 4 * 31 * 32
    assert warp.accesses.addresses[row].tolist() == [
        first + 4 * i if i < 8 else 0 for i in range(32)
    ]


def test_every_path_is_consistent_with_the_program() -> None:
    kernel = collatz()
    for number in range(kernel.n_ctas):
        for warp in kernel.load_cta(number).warps:
            path = warp.path
            assert path.pcs[0] == 0
            assert path.pcs.dtype == path.active.dtype == path.executed.dtype == np.uint32
            assert not np.any(path.executed & ~path.active)
            assert np.all(path.active)
            unguarded = np.array([i.guard == 7 for i in kernel.program.instructions])[path.pcs]
            assert np.array_equal(path.executed[unguarded], path.active[unguarded])


def test_batches_do_not_change_the_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = collatz()
    monkeypatch.setattr(machine, "BATCH_WARPS", 2)
    parts = collatz()
    for number in range(whole.n_ctas):
        for a, b in zip(whole.load_cta(number).warps, parts.load_cta(number).warps, strict=True):
            assert np.array_equal(a.path.pcs, b.path.pcs)
            assert np.array_equal(a.path.active, b.path.active)
            assert np.array_equal(a.accesses.addresses, b.accesses.addresses)


def test_emulating_twice_gives_the_same_trace() -> None:
    first, second = collatz(), collatz()
    for a, b in zip(first.load_cta(2).warps, second.load_cta(2).warps, strict=True):
        assert a.path.pcs.tobytes() == b.path.pcs.tobytes()


def test_threads_change_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(machine, "BATCH_WARPS", 8)
    x = np.random.default_rng(1).random((2, 4096), np.float32)
    written = []
    for threads in (1, 2, 3):
        device = Device(threads=threads)
        buffers = Buffers(device, [a := x[0].copy(), b := x[1].copy()])
        (program,) = device.load_module(KERNELS / "saxpy.sm_86.cubin").kernels.values()
        kernel = emulate_program(device, program, 32, 128, [4000, 2.0, a, b], buffers)
        buffers.copy_back()
        np.testing.assert_array_equal(b[:4000], np.float32(2) * x[0][:4000] + x[1][:4000])
        store.write(Trace((kernel,)), path := tmp_path / f"{threads}.warptrace")
        written.append(path.read_bytes())
    assert written[0] == written[1] == written[2]


def test_which_programs_may_run_their_ctas_in_any_order() -> None:
    programs = [Device().load_module(zoo.cubin(name, "sm_86")).kernels for name in ZOO]
    found = {
        name: machine.speak_to_each_other(p) for kernels in programs for name, p in kernels.items()
    }
    assert all(found[name] for name in ("histogram_global", "spin_lock", "bfs_queue"))
    assert not any(found[name] for name in ("saxpy", "sgemm_tiled", "softmax"))


def test_a_writer_takes_what_would_be_returned(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Batch by batch while the kernel runs, and the same bytes in the end."""
    monkeypatch.setattr(machine, "BATCH_WARPS", 8)
    device = Device()
    x = device.allocate(4 * 4096)
    (program,) = device.load_module(KERNELS / "saxpy.sm_86.cubin").kernels.values()
    launch = program, 32, 128, struct.pack("<ifQQ", 4000, 2.0, x, x)
    with store.writing(streamed := tmp_path / "streamed.warptrace") as writer:
        assert device.launch(*launch, record=writer) is None
    kernel = device.launch(*launch)
    assert kernel is not None
    store.write(Trace((replace(kernel, launch=0),)), at_once := tmp_path / "at_once.warptrace")
    assert streamed.read_bytes() == at_once.read_bytes()


def test_a_kernel_that_fails_leaves_no_file(tmp_path: Path) -> None:
    device = Device()
    (program,) = device.load_module(KERNELS / "saxpy.sm_86.cubin").kernels.values()
    null = struct.pack("<ifQQ", 128, 2.0, 0, 0)
    with (
        pytest.raises(EmulationError, match="outside any allocation"),
        store.writing(tmp_path / "x.warptrace") as writer,
    ):
        device.launch(program, 1, 128, null, record=writer)
    assert not list(tmp_path.iterdir())


def test_a_file_with_missing_ctas_is_not_written(tmp_path: Path) -> None:
    kernel = saxpy(1000, 8)

    def write_seven() -> None:
        with store.writing(tmp_path / "x.warptrace") as writer, writer.kernel(kernel) as add:
            for number in range(7):
                add(kernel.load_cta(number))

    with pytest.raises(ValueError, match="7 CTAs of 8"):
        write_seven()
    assert not list(tmp_path.iterdir())
