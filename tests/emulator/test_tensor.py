"""Matrix products: whole matrices through CUDA C++ with PTX fragments, against numpy."""

from pathlib import Path

import numpy as np
import pytest

from warpwise.traces import emulator
from warpwise.traces.nvrtc import compile_cuda

pytest.importorskip("cuda.bindings")
SOURCE = Path(__file__).with_name("sources") / "tensor.cu"
RANDOM = np.random.default_rng(2025)


@pytest.fixture(scope="module", params=["sm_75", "sm_86"])
def run(request):
    """Runs a kernel of the source on one warp; arrays are updated in place."""
    cubin = compile_cuda(SOURCE.read_text(), request.param)

    def launch(name, *arrays):
        if request.param == "sm_75" and name in ("f16_k16", "bf16_k16", "tf32_k8", "u8_k32"):
            pytest.skip("needs sm_80")
        emulator.emulate(cubin, name, 1, 32, arrays)

    return launch


def halves(*shape):
    return RANDOM.normal(size=shape).astype(np.float16)


@pytest.mark.parametrize(("name", "k"), [("f16_k8", 8), ("f16_k16", 16)])
def test_half_inputs(run, name, k):
    a, b, c = halves(16, k), halves(k, 8), RANDOM.normal(size=(16, 8)).astype(np.float32)
    expected = (a.astype(float) @ b.astype(float) + c).astype(np.float32)
    run(name, a, b, c)
    assert (c == expected).all()


def test_half_accumulators(run):
    a, b, c = halves(16, 8), halves(8, 8), halves(16, 8)
    expected = (a.astype(float) @ b.astype(float) + c.astype(float)).astype(np.float16)
    run("f16_k8_half", a, b, c)
    assert (c == expected).all()


def test_bfloat16(run):
    """The upper halves of binary32 numbers."""
    whole = [RANDOM.normal(size=s).astype(np.float32) for s in ((16, 16), (16, 8))]
    parts = [(w.view(np.uint32) >> 16).astype(np.uint16) for w in whole]
    exact = [(p.astype(np.uint32) << 16).view(np.float32).astype(float) for p in parts]
    c = np.zeros((16, 8), np.float32)
    run("bf16_k16", *parts, c)
    assert (c == (exact[0] @ exact[1]).astype(np.float32)).all()


def test_tf32_drops_bits(run):
    a, b = (RANDOM.normal(size=s).astype(np.float32) for s in ((16, 8), (8, 8)))
    c = np.ones((16, 8), np.float32)
    cut = [(m.view(np.uint32) & 0xFFFFE000).view(np.float32).astype(float) for m in (a, b)]
    run("tf32_k8", a, b, c)
    assert (c == (cut[0] @ cut[1] + 1).astype(np.float32)).all()


@pytest.mark.parametrize(
    ("name", "kind", "m", "k"), [("s8_k16", np.int8, 8, 16), ("u8_k32", np.uint8, 16, 32)]
)
def test_bytes(run, name, kind, m, k):
    bounds = np.iinfo(kind)
    a, columns = (
        RANDOM.integers(bounds.min, bounds.max, size=s, dtype=kind, endpoint=True)
        for s in ((m, k), (8, k))
    )
    c = RANDOM.integers(-(2**31), 2**31, size=(m, 8), dtype=np.int32)
    expected = (a.astype(np.int64) @ columns.T.astype(np.int64) + c).astype(np.int32)
    run(name, a, columns, c)
    assert (c == expected).all()


def test_transposition(run):
    matrix, out = (
        RANDOM.integers(0, 1 << 16, size=(8, 8), dtype=np.uint16),
        np.zeros((8, 8), np.uint16),
    )
    run("transpose", matrix, out)
    assert (out == matrix.T).all()
