# %% [markdown]
# # Where does the time of a kernel go?
#
# And what would change it? Three kernels transpose a matrix. The first writes columns, a sector of
# 32 bytes for each lane's 4. The second goes through shared memory, so that it reads and writes
# rows, but reads columns of its tile, and these lie in one bank. The third pads the tile by a
# column, which spreads them over all banks.

# %%
import numpy as np
import pandas as pd

from warpwise.sim import run
from warpwise.traces.emulator import emulate
from warpwise.traces.nvrtc import compile_cuda

SOURCE = """
extern "C" __global__ void direct(float* out, const float* in, int n) {
    int x = blockIdx.x * 32 + threadIdx.x, y = blockIdx.y * 32 + threadIdx.y;
    for (int i = 0; i < 32; i += 8) out[x * n + y + i] = in[(y + i) * n + x];
}

template <int pitch> __device__ void by_tile(float* out, const float* in, int n) {
    __shared__ float tile[32 * pitch];
    int x = blockIdx.x * 32 + threadIdx.x, y = blockIdx.y * 32 + threadIdx.y;
    for (int i = 0; i < 32; i += 8)
        tile[(threadIdx.y + i) * pitch + threadIdx.x] = in[(y + i) * n + x];
    __syncthreads();
    x = blockIdx.y * 32 + threadIdx.x, y = blockIdx.x * 32 + threadIdx.y;
    for (int i = 0; i < 32; i += 8)
        out[(y + i) * n + x] = tile[threadIdx.x * pitch + threadIdx.y + i];
}

extern "C" __global__ void tiled(float* out, const float* in, int n) { by_tile<32>(out, in, n); }
extern "C" __global__ void padded(float* out, const float* in, int n) { by_tile<33>(out, in, n); }
"""
N = 512
SMS = 4  # few, so that each has work for a while

# %%
cubin = compile_cuda(SOURCE, "sm_86")
matrix = np.arange(N * N, dtype=np.float32).reshape(N, N)
results, traces = {}, {}
for name in ("direct", "tiled", "padded"):
    transposed = np.zeros_like(matrix)
    trace = emulate(cubin, name, (N // 32, N // 32), (32, 8), [transposed, matrix, N])
    assert (transposed == matrix.T).all()  # the emulator computes what a GPU would
    traces[name] = trace
    results[name] = run(trace, "rtx_a6000", sms=SMS).kernels[0]

# %% [markdown]
# The CPI stack: warp-cycles per warp-instruction, by what the warp did in them; `selected` is the
# instruction's own issue. The first two kernels take as long as 32 steps for each of their stores
# or loads: to 32 sectors of memory, or to 32 words of one bank. In the first, warps wait for the
# loads behind those stores; in the second, for the queues of the memory instructions.

# %%
stack = pd.DataFrame(
    {name: {s: n / k.warp_inst for s, n in k.stalls.items()} for name, k in results.items()}
).T
stack = stack.loc[:, stack.max() > 0.05]
summary = pd.DataFrame(
    {
        "cycles": {name: k.execution_cycles for name, k in results.items()},
        "warp_inst": {name: k.warp_inst for name, k in results.items()},
        "cpi": {name: sum(k.stalls.values()) / k.warp_inst for name, k in results.items()},
    }
)
print(summary.round(1))
print(stack.round(1).T)

# %%
axes = stack.plot.bar(stacked=True, colormap="tab20", rot=0, figsize=(8, 5))
axes.set_ylabel("warp-cycles per warp-instruction")
axes.legend(loc="upper right")

# %% [markdown]
# Which instructions is that? The costliest of each kernel; a warp's wait counts at the instruction
# that it could not issue.

# %%
hotspots = {name: kernel.hotspots(4) for name, kernel in results.items()}
for name, table in hotspots.items():
    print(f"{name}\n{table.round(2).to_string(index=False)}\n")

# %% [markdown]
# What if the machine were another one? Cycles relative to the RTX A6000. The first two kernels live
# on the data stage of the L1: at half its rate they take nearly twice as long, and nothing else
# here matters to them. The third does not notice; it waits for the memory unit, which takes an
# instruction of the SM every second cycle.

# %%
CHANGES = {
    "L1 data stage at half rate": {"sm.l1d.stage_cycles": 2},
    "memory unit at double rate": {"sm.memory_unit.grant_interval": 1},
    "L2 at half the distance": {"l2.round_trip": 115},
    "two read ports": {"sm.register_file.read_ports": 2},
}
changed = {
    change: {
        name: run(trace, "rtx_a6000", sms=SMS, **setting).kernels[0].execution_cycles
        for name, trace in traces.items()
    }
    for change, setting in CHANGES.items()
}
what_if = pd.DataFrame(changed).T / summary["cycles"]
print(what_if.round(2).to_string())
