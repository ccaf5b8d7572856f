"""Texture fetches of compiled code against numpy."""

import numpy as np
import pytest

from warpwise.isa.errors import InputError
from warpwise.traces.emulator import Device, EmulationError, Texture
from warpwise.traces.nvrtc import compile_cuda

SOURCE = """
template <class T> __device__ void fetch(int n, cudaTextureObject_t t, T *out)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    out[i] = tex1Dfetch<T>(t, i - 8);
}
extern "C" __global__ void fetch_float(int n, cudaTextureObject_t t, float *o) { fetch(n, t, o); }
extern "C" __global__ void fetch_float2(int n, cudaTextureObject_t t, float2 *o) { fetch(n, t, o); }
extern "C" __global__ void fetch_float4(int n, cudaTextureObject_t t, float4 *o) { fetch(n, t, o); }
extern "C" __global__ void fetch_int(int n, cudaTextureObject_t t, int *o) { fetch(n, t, o); }
extern "C" __global__ void fetch_y_and_w(int n, cudaTextureObject_t t, float *o)
{
    float4 v = tex1Dfetch<float4>(t, threadIdx.x);
    o[threadIdx.x] = v.y - v.w;
}
extern "C" __global__ void choose(const cudaTextureObject_t *t, const int *which, float *o)
{
    o[threadIdx.x] = tex1Dfetch<float>(t[which[threadIdx.x]], threadIdx.x);
}
extern "C" __global__ void sample1(cudaTextureObject_t t, const float *x, float *o)
{
    o[threadIdx.x] = tex1D<float>(t, x[threadIdx.x]);
}
extern "C" __global__ void sample2(cudaTextureObject_t t, const float *x, const float *y, float *o)
{
    o[threadIdx.x] = tex2D<float>(t, x[threadIdx.x], y[threadIdx.x]);
}
extern "C" __global__ void sample3(const cudaTextureObject_t *t, const float *x, float *o)
{
    float at = x[threadIdx.x];
    o[threadIdx.x] = tex3D<float>(t[0], at, at / 2, at / 4);
}
"""
THREADS = 64


class Bench:
    """A device with arrays, textures and the kernels above."""

    def __init__(self, arch="sm_86"):
        self.device = Device()
        self.kernels = self.device.load_module(compile_cuda(SOURCE, arch)).kernels

    def hold(self, array):
        address = self.device.allocate(array.nbytes)
        self.device.write(address, np.ascontiguousarray(array).tobytes())
        return address

    def texture(self, array, **options):
        """A texture over an array whose last axis is x."""
        texture = Texture(self.hold(array), array.shape[::-1], array.dtype, **options)
        return self.device.create_texture(texture)

    def run(self, kernel, *parameters, dtype=np.float32, count=THREADS):
        """What `count` threads write behind the last parameter."""
        out = self.device.allocate(THREADS * 16)
        block = b"".join(np.asarray(p).tobytes() for p in (*parameters, np.uint64(out)))
        self.device.launch(self.kernels[kernel], 1, count, block)
        return np.frombuffer(self.device.read(out, THREADS * 16), dtype)


@pytest.fixture(scope="module", params=["sm_75", "sm_86"])
def bench(request):
    return Bench(request.param)


def random(*shape):
    return np.random.default_rng(3).random(shape, np.float32)


@pytest.mark.parametrize("channels", [1, 2, 4])
def test_elements_of_linear_memory_and_zeros_outside(bench, channels):
    data = random(40 * channels)
    address = bench.hold(data)
    handle = bench.device.create_texture(Texture(address, (40,), data.dtype, channels))
    name = "fetch_float" + ("" if channels == 1 else str(channels))
    found = bench.run(name, np.uint64(THREADS), np.uint64(handle))
    expected = np.zeros((THREADS, channels), np.float32)
    expected[8:48] = data.reshape(40, channels)
    np.testing.assert_array_equal(found[: THREADS * channels], expected.reshape(-1))


def test_a_mask_picks_components(bench):
    data = random(THREADS * 4)
    texture = Texture(bench.hold(data), (THREADS,), data.dtype, 4)
    handle = bench.device.create_texture(texture)
    found = bench.run("fetch_y_and_w", np.uint64(0), np.uint64(handle))[:THREADS]
    np.testing.assert_array_equal(found, data[1::4] - data[3::4])


@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i2", "u4", "i4"])
def test_integers_are_extended(bench, dtype):
    data = np.random.default_rng(1).integers(0, 256, THREADS * 4, np.uint8).view(dtype)[:THREADS]
    found = bench.run("fetch_int", np.uint64(0), np.uint64(bench.texture(data)), dtype=np.int32)
    kept = min(len(data), THREADS - 8)
    expected = data[:kept].astype(np.int64).astype(np.int32)
    np.testing.assert_array_equal(found[8 : 8 + kept], expected)


@pytest.mark.parametrize(("dtype", "largest"), [("u1", 255), ("i1", 127), ("u2", 65535)])
def test_integers_as_fractions(bench, dtype, largest):
    data = np.random.default_rng(1).integers(0, 256, 56 * 2, np.uint8).view(dtype)[:56]
    handle = bench.texture(data, fractions=True)
    found = bench.run("fetch_float", np.uint64(0), np.uint64(handle))[8:THREADS]
    expected = np.maximum(data.astype(np.float64) / largest, -1).astype(np.float32)
    np.testing.assert_array_equal(found[: len(data)], expected)


def test_each_lane_may_read_a_texture_of_its_own(bench):
    tables = [random(THREADS), -random(THREADS)]
    handles = bench.hold(np.array([bench.texture(t) for t in tables], np.uint64))
    which = np.random.default_rng(2).integers(0, 2, THREADS, np.int32)
    found = bench.run("choose", np.uint64(handles), np.uint64(bench.hold(which)))[:THREADS]
    np.testing.assert_array_equal(found, np.choose(which, tables))


MODES = {
    "clamp": lambda i, n: np.clip(i, 0, n - 1),
    "wrap": lambda i, n: i % n,
    "mirror": lambda i, n: np.concatenate([np.arange(n), np.arange(n)[::-1]])[i % (2 * n)],
}


@pytest.mark.parametrize("mode", MODES)
def test_coordinates_outside(bench, mode):
    data, at = random(16), np.linspace(-2, 3, THREADS, dtype=np.float32)
    handle = bench.texture(data, normalized=True, address_modes=(mode,))
    found = bench.run("sample1", np.uint64(handle), np.uint64(bench.hold(at)))[:THREADS]
    index = np.floor(at.astype(np.float64) * 16).astype(int)
    np.testing.assert_array_equal(found, data[MODES[mode](index, 16)])


def test_a_border_is_zero(bench):
    data, at = random(16), np.linspace(-4, 20, THREADS, dtype=np.float32)
    handle = bench.texture(data, address_modes=("border",))
    found = bench.run("sample1", np.uint64(handle), np.uint64(bench.hold(at)))[:THREADS]
    inside = (at >= 0) & (at < 16)
    np.testing.assert_array_equal(found != 0, inside)


def test_rows_have_a_pitch(bench):
    data = random(8, 16)
    wide = np.zeros((8, 32), np.float32)
    wide[:, :16] = data
    texture = Texture(bench.hold(wide), (16, 8), data.dtype, pitch=128)
    handle = bench.device.create_texture(texture)
    x, y = (np.random.default_rng(5).uniform(0, n, THREADS).astype(np.float32) for n in (16, 8))
    places = [np.uint64(bench.hold(c)) for c in (x, y)]
    found = bench.run("sample2", np.uint64(handle), *places)[:THREADS]
    np.testing.assert_array_equal(found, data[y.astype(int), x.astype(int)])


def test_interpolation_between_four_elements(bench):
    """At 8 bits of weight, as the CUDA C++ Programming Guide says."""
    data = random(8, 16)
    handle = bench.texture(data, linear=True)
    x, y = (np.random.default_rng(5).uniform(1, n - 1, THREADS).astype(np.float32) for n in (16, 8))
    places = [np.uint64(bench.hold(c)) for c in (x, y)]
    found = bench.run("sample2", np.uint64(handle), *places)[:THREADS]
    i, j = np.floor(x - 0.5).astype(int), np.floor(y - 0.5).astype(int)
    a, b = x - 0.5 - i, y - 0.5 - j
    upper = (1 - a) * data[j, i] + a * data[j, i + 1]
    lower = (1 - a) * data[j + 1, i] + a * data[j + 1, i + 1]
    np.testing.assert_allclose(found, (1 - b) * upper + b * lower, atol=1 / 256)
    assert not np.allclose(found, data[y.astype(int), x.astype(int)], atol=0.05)


def test_three_dimensions(bench):
    data, at = random(4, 8, 16), np.linspace(0, 15.9, THREADS, dtype=np.float32)
    handles = bench.hold(np.array([bench.texture(data)], np.uint64))
    found = bench.run("sample3", np.uint64(handles), np.uint64(bench.hold(at)))[:THREADS]
    i = [np.floor(at / scale).astype(int) for scale in (4, 2, 1)]
    np.testing.assert_array_equal(found, data[i[0], i[1], i[2]])


def test_a_handle_that_is_no_texture(bench):
    place = r"fetch_float.*thread \(0, 0, 0\)"
    with pytest.raises(EmulationError, match=f"{place}: 0x63 is no texture"):
        bench.run("fetch_float", np.uint64(0), np.uint64(99))
    handle = bench.texture(random(8))
    bench.device.destroy_texture(handle)
    with pytest.raises(EmulationError, match="is no texture"):
        bench.run("fetch_float", np.uint64(0), np.uint64(handle))


def test_a_texture_with_more_dimensions_than_the_fetch(bench):
    handle = bench.texture(random(8, 16))
    with pytest.raises(EmulationError, match="more dimensions than the 1 of the coordinates"):
        bench.run("fetch_float", np.uint64(0), np.uint64(handle))


def test_textures_that_cannot_be(bench):
    address = bench.hold(random(8))
    with pytest.raises(EmulationError, match="outside any allocation"):
        bench.device.create_texture(Texture(address, (9,), np.dtype("f4")))
    with pytest.raises(InputError, match="3 channels"):
        Texture(address, (1,), np.dtype("f4"), 3)
    with pytest.raises(InputError, match="address mode"):
        Texture(address, (1,), np.dtype("f4"), address_modes=("tile",))


def test_the_trace_simulates():
    from warpwise.sim import run
    from warpwise.traces.kernel import Trace

    bench = Bench()
    handle = bench.texture(random(40))
    out = bench.device.allocate(THREADS * 4)
    block = b"".join(np.uint64(x).tobytes() for x in (0, handle, out))
    kernel = bench.device.launch(bench.kernels["fetch_float"], 1, THREADS, block)
    assert run(Trace((kernel,)), sms=1).cycles > 0
