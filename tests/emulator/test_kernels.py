"""The bundled kernels compute what numpy computes, on every architecture they are built for."""

from __future__ import annotations

import runpy
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
import pytest

from warpwise import traces
from warpwise.isa.errors import InputError
from warpwise.traces.emulator import emulate
from warpwise.traces.launch import load_launch, run_launch

KERNELS = Path(traces.__file__).parent / "kernels"
ARCHITECTURES = ("sm_75", "sm_86")
NAMES = ("saxpy", "reduction", "matmul", "collatz")

pytestmark = pytest.mark.parametrize("arch", ARCHITECTURES)


def cubin(name: str, arch: str) -> Path:
    return KERNELS / f"{name}.{arch}.cubin"


def fused(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    """a b + c with one rounding, by extended precision where it is wide enough."""
    wide = np.longdouble
    return (a.astype(wide) * b.astype(wide) + c.astype(wide)).astype(np.float32)


def test_saxpy_is_exact(arch: str) -> None:
    random = np.random.default_rng(0)
    x, y = random.standard_normal((2, 1000)).astype(np.float32)
    expected = fused(np.float32(1.7) * np.ones_like(x), x, y)
    untouched = y[990:].copy()
    trace = emulate(cubin("saxpy", arch), "saxpy", 8, 128, [990, 1.7, x, y])
    assert np.array_equal(y[:990], expected[:990])
    assert np.array_equal(y[990:], untouched)
    assert trace.kernels[0].n_ctas == 8


def test_reduction_adds_in_the_order_of_its_tree(arch: str) -> None:
    values = np.random.default_rng(1).standard_normal(1000).astype(np.float32)
    sums = np.zeros(4, np.float32)
    emulate(cubin("reduction", arch), None, 4, 256, [1000, values, sums])
    tree = np.zeros((4, 256), np.float32)
    tree.reshape(-1)[:1000] = values
    while tree.shape[1] > 1:
        half = tree.shape[1] // 2
        tree = tree[:, :half] + tree[:, half:]
    assert np.array_equal(sums, tree[:, 0])


def test_matmul_adds_products_in_order(arch: str) -> None:
    n = 48
    a, b = np.random.default_rng(2).standard_normal((2, n, n)).astype(np.float32)
    c = np.zeros((n, n), np.float32)
    emulate(cubin("matmul", arch), "matmul", (3, 3), (16, 16), [n, a, b, c])
    expected = np.zeros((n, n), np.float32)
    for k in range(n):
        expected = fused(a[:, k, None], b[None, k], expected)
    assert np.array_equal(c, expected)


def test_collatz_counts_steps(arch: str) -> None:
    def count(value: int) -> int:
        steps = 0
        while value != 1:
            value = value // 2 if value % 2 == 0 else 3 * value + 1
            steps += 1
        return steps

    steps = np.zeros(300, np.int32)
    emulate(cubin("collatz", arch), "collatz", 3, 128, [300, steps])
    assert steps.tolist() == [count(i + 1) for i in range(300)]


@pytest.mark.parametrize("name", NAMES)
def test_default_launches_run_and_pass_their_checks(name: str, arch: str) -> None:
    trace = run_launch(cubin(name, arch), load_launch(KERNELS / f"{name}.toml"))
    assert [kernel.name for kernel in trace.kernels] == [name]
    assert trace.kernels[0].program.arch == arch


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ([1], "takes 4 arguments, not 1"),
        ([1, 2.0, np.zeros(1), np.int32(0)], "argument 3: .* has 4 bytes, the parameter has 8"),
        ([1, np.float64(2), np.zeros(1), np.zeros(1)], "argument 1: .* has 8 bytes"),
        ([2**40, 2.0, np.zeros(1), np.zeros(1)], "argument 0: int too big"),
        ([np.zeros(1), 2.0, np.zeros(1), np.zeros(1)], "argument 0: an array"),
        ([1, "2", np.zeros(1), np.zeros(1)], "argument 1: '2' cannot be a parameter"),
    ],
)
def test_arguments_must_fit_the_parameters(arch: str, args: list[object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        emulate(cubin("saxpy", arch), "saxpy", 1, 32, args)  # type: ignore[arg-type]


def test_overlapping_arrays_and_bad_shapes_are_refused(arch: str) -> None:
    x = np.zeros(64, np.float32)
    with pytest.raises(InputError, match="overlap"):
        emulate(cubin("saxpy", arch), "saxpy", 1, 32, [32, 1.0, x[:40], x[20:]])
    with pytest.raises(InputError, match="at most 1024 threads"):
        emulate(cubin("saxpy", arch), "saxpy", 1, 2048, [32, 1.0, x, x])
    with pytest.raises(InputError, match="grid"):
        emulate(cubin("saxpy", arch), "saxpy", 0, 32, [32, 1.0, x, x])


def test_rebuilding_gives_the_same_bytes(arch: str, tmp_path: Path) -> None:
    build = runpy.run_path(str(KERNELS / "build.py"))
    try:
        installed = version("nvidia-cuda-nvrtc")
    except PackageNotFoundError:
        installed = "none"
    if installed != build["NVRTC_VERSION"]:
        pytest.skip(f"nvrtc {build['NVRTC_VERSION']} needed, {installed} installed")
    for name in NAMES:
        assert build["cubin"](KERNELS / f"{name}.cu", arch) == cubin(name, arch).read_bytes()
