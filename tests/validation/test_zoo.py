"""The kernel zoo: every kernel computes what numpy does, and its trace simulates."""

from __future__ import annotations

import runpy
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
import pytest

from warpwise import traces
from warpwise.isa.errors import InputError
from warpwise.sim import KernelResult, run
from warpwise.traces import load
from warpwise.traces.emulator import EmulationError
from warpwise.validation.kernels import ARCHITECTURES, ZOO, trace_zoo
from warpwise.validation.kernels.__main__ import main
from warpwise.validation.kernels.application import Output
from warpwise.validation.kernels.zoo import CUDA, application, cubin, description

GPUS = {"sm_75": "rtx_2080_ti", "sm_86": "rtx_a6000"}
SMS = 8
SIMULATED = ("saxpy", "reduce_shuffle", "sgemm_tiled", "bfs_level")  # in the default run

both = pytest.mark.parametrize("arch", ARCHITECTURES)


def cases(*, fast: Callable[[str, str], bool]) -> pytest.MarkDecorator:
    """Every kernel on every architecture; those that are not `fast` wait for the slow run."""
    rows = [(name, arch) for name in ZOO for arch in ARCHITECTURES]
    marked = [pytest.param(*row, marks=() if fast(*row) else pytest.mark.slow) for row in rows]
    return pytest.mark.parametrize(("name", "arch"), marked)


@cases(fast=lambda name, arch: arch == "sm_86" or name in SIMULATED)
def test_result_is_that_of_numpy(name: str, arch: str) -> None:
    trace = trace_zoo(name, arch)
    assert {kernel.program.arch for kernel in trace.kernels} == {arch}


@pytest.mark.parametrize("name", ZOO)
def test_check_fails_before_the_launch(name: str) -> None:
    """A check that the untouched inputs pass would say nothing."""
    outputs = application(name).outputs
    assert outputs
    assert not any(output.is_right() for output in outputs)


def simulate(name: str, arch: str = "sm_86", **parameters: object) -> Sequence[KernelResult]:
    trace = trace_zoo(name, arch)
    return run(trace, GPUS[arch], sms=SMS, max_cycles=2_000_000, **parameters).kernels


@cases(fast=lambda name, arch: name in SIMULATED)
def test_trace_simulates(name: str, arch: str) -> None:
    kernels = simulate(name, arch)
    assert [kernel.name for kernel in kernels] == [x.kernel for x in application(name).launches]
    for kernel in kernels:
        assert not kernel.unknown
        assert kernel.execution_cycles > kernel.warp_inst / (4 * SMS)  # one per cycle and sub-core


def test_ffma_chain_takes_its_latency() -> None:
    """1024 dependent FFMAs of four cycles each, and the start of a cold kernel."""
    (kernel,) = simulate("ffma_chain")
    assert 4 * 1024 < kernel.execution_cycles < 6 * 1024 + 3000


def test_strides_meet_in_banks() -> None:
    """With a stride of 32 words all lanes read one bank: a wavefront for each of them."""
    wavefronts = [kernel.statistics["l1_wavefronts"] for kernel in simulate("bank_conflicts")]
    loads = 64 * 4  # of four warps
    extra = [round((count - wavefronts[0]) / loads) for count in wavefronts]
    assert extra == [0, 1, 7, 31]


@pytest.mark.parametrize(("name", "nbytes"), [("stream_l2", 1 << 17), ("stream_dram", 1 << 20)])
def test_streams_read_their_array_once_from_memory(name: str, nbytes: int) -> None:
    """Unless it was copied: all of it has room in the L2."""
    (kernel,) = simulate(name, **{"l2.memcpy_fills_l2": False})
    assert nbytes <= kernel.statistics["dram_read"] < 1.05 * nbytes
    (copied,) = simulate(name)
    assert copied.statistics["dram_read"] < 0.05 * nbytes


def test_staging_a_transpose_saves_wavefronts() -> None:
    (naive,), (tiled,) = simulate("transpose_naive"), simulate("transpose_tiled")
    assert naive.statistics["l1_wavefronts"] > 2 * tiled.statistics["l1_wavefronts"]


def test_sources_cubins_and_descriptions_belong_to_each_other() -> None:
    files = {path.name for path in CUDA.iterdir()}
    suffixes = ("cu", *(f"{arch}.cubin" for arch in ARCHITECTURES))
    assert files == {f"{name}.{suffix}" for name in ZOO for suffix in suffixes}
    assert all(description(name).endswith(".") for name in ZOO)


@pytest.mark.slow
@both
def test_rebuilding_gives_the_same_bytes(arch: str) -> None:
    build = runpy.run_path(str(Path(traces.__file__).parent / "kernels" / "build.py"))
    try:
        installed = version("nvidia-cuda-nvrtc")
    except PackageNotFoundError:
        installed = "none"
    if installed != build["NVRTC_VERSION"]:
        pytest.skip(f"nvrtc {build['NVRTC_VERSION']} needed, {installed} installed")
    assert CUDA in build["FOLDERS"]
    for name in ZOO:
        assert build["cubin"](CUDA / f"{name}.cu", arch) == cubin(name, arch).read_bytes()


def test_a_wrong_result_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(random: np.random.Generator):
        right = saxpy(random)
        (output,) = right.outputs
        changed = output.expected + np.float32(0.01)
        return type(right)(right.launches, (Output(output.array, changed, output.tolerance),))

    saxpy = ZOO["saxpy"]
    monkeypatch.setitem(ZOO, "saxpy", wrong)
    with pytest.raises(EmulationError, match=r"saxpy.sm_86.cubin: output 0 has a relative error"):
        trace_zoo("saxpy")


def test_nan_and_other_shapes_are_wrong() -> None:
    one = np.ones(2)
    assert not Output(np.array([1, np.nan]), one, 0.1).is_right()
    assert not Output(np.ones(1), one, 0.1).is_right()
    assert Output(np.array([1, 1.05]), one, 0.1).is_right()


def test_unknown_names_and_architectures_are_explained() -> None:
    with pytest.raises(InputError, match=r"no kernel 'zebra'; it has: .*saxpy"):
        trace_zoo("zebra")
    with pytest.raises(InputError, match="no cubins for 'sm_90'; it has: sm_75, sm_86"):
        trace_zoo("saxpy", "sm_90")


def test_module_writes_a_trace_and_lists_the_zoo(tmp_path: Path) -> None:
    path = tmp_path / "x.warptrace"
    assert "results are right" in main(["saxpy", "--arch", "sm_75", "-o", str(path)])
    assert load(path).kernels[0].program.arch == "sm_75"
    listing = main([])
    assert all(f"{name} " in listing for name in ZOO)
