"""The kernel zoo: every kernel computes what numpy does, on every architecture, and simulates."""

from __future__ import annotations

import runpy
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
import pytest

from warpwise import traces
from warpwise.isa.errors import InputError
from warpwise.sim import run
from warpwise.traces import load
from warpwise.traces.emulator import EmulationError
from warpwise.validation.kernels import ARCHITECTURES, ZOO, trace_zoo
from warpwise.validation.kernels.__main__ import main
from warpwise.validation.kernels.application import Output
from warpwise.validation.kernels.zoo import CUDA, application, cubin, description

GPUS = {"sm_75": "rtx_2080_ti", "sm_86": "rtx_a6000"}
SIMULATED = ("saxpy", "reduce_shuffle", "sgemm_tiled")  # by default; all of them when slow
SMS = 8

both = pytest.mark.parametrize("arch", ARCHITECTURES)


@both
@pytest.mark.parametrize("name", ZOO)
def test_result_is_that_of_numpy(name: str, arch: str) -> None:
    trace = trace_zoo(name, arch)
    assert [kernel.name for kernel in trace.kernels] == [
        launch.kernel for launch in application(name).launches
    ]
    assert all(kernel.program.arch == arch for kernel in trace.kernels)


@pytest.mark.parametrize("name", ZOO)
def test_check_fails_before_the_launch(name: str) -> None:
    """A check that the untouched inputs pass would say nothing."""
    assert not any(output.is_right() for output in application(name).outputs)


def simulate(name: str, arch: str) -> None:
    trace = trace_zoo(name, arch)
    result = run(trace, GPUS[arch], sms=SMS, max_cycles=2_000_000)
    for kernel, simulated in zip(trace.kernels, result.kernels, strict=True):
        assert not simulated.unknown
        assert simulated.warp_inst > 0
        assert simulated.execution_cycles > simulated.warp_inst / (4 * SMS), kernel.name


@both
@pytest.mark.parametrize("name", SIMULATED)
def test_some_traces_simulate(name: str, arch: str) -> None:
    simulate(name, arch)


@pytest.mark.slow
@both
@pytest.mark.parametrize("name", [name for name in ZOO if name not in SIMULATED])
def test_all_traces_simulate(name: str, arch: str) -> None:
    simulate(name, arch)


def test_sources_cubins_and_descriptions_belong_to_each_other() -> None:
    files = {path.name for path in CUDA.iterdir()}
    suffixes = ("cu", *(f"{arch}.cubin" for arch in ARCHITECTURES))
    assert files == {f"{name}.{suffix}" for name in ZOO for suffix in suffixes}
    assert all(description(name).endswith(".") for name in ZOO)


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
