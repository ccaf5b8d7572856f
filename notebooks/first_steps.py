# %% [markdown]
# # From CUDA source to cycles, without a GPU
#
# Compile, emulate, simulate: `pip install 'warpwise[cuda]'` brings NVIDIA's runtime compiler and
# disassembler, and neither needs a GPU. The kernel sums rows of a matrix, a thread for each.

# %%
import numpy as np
import pandas as pd

from warpwise.isa import control_bits
from warpwise.sim import run
from warpwise.traces.emulator import emulate
from warpwise.traces.nvrtc import compile_cuda

SOURCE = """
extern "C" __global__ void row_sums(int columns, const float *matrix, float *sums) {
    int row = blockIdx.x * blockDim.x + threadIdx.x;
    float sum = 0.0f;
#pragma unroll UNROLL
    for (int column = 0; column < columns; column++) sum += matrix[column * ROWS + row];
    sums[row] = sum;
}
"""
ROWS, COLUMNS, SMS = 4096, 64, 4


def simulate(unroll: int):
    """The kernel with its loop unrolled so many times: its trace, and what the model says."""
    options = (f"-DUNROLL={unroll}", f"-DROWS={ROWS}")
    cubin = compile_cuda(SOURCE, "sm_86", options)
    matrix = np.arange(ROWS * COLUMNS, dtype=np.float32).reshape(COLUMNS, ROWS) % 251
    sums = np.zeros(ROWS, np.float32)
    trace = emulate(cubin, "row_sums", ROWS // 128, 128, [COLUMNS, matrix, sums])
    assert (sums == matrix.sum(axis=0)).all()  # the emulator computes what a GPU would
    return trace, run(trace, "rtx_a6000", sms=SMS).kernels[0]


# %% [markdown]
# The code with the control bits that the compiler set: `B` the counters that must be zero, `W` the
# counter that a load raises until its value is here, `S` the cycles to the next instruction. The
# FADD waits (`B`) for the load in front of it, in each turn of the loop.

# %%
trace, kernel = simulate(unroll=1)
for line in trace.kernels[0].program.instructions:
    print(f"{line.pc:04x}  {control_bits.format(line.control)}  {line.text}")
    if line.opcode == "EXIT":
        break

# %% [markdown]
# Cycles and instructions, and the CPI stack: warp-cycles per warp-instruction, by what the warp did
# in them. They add up, exactly, to all cycles in which warps were there.

# %%
stack = pd.Series(kernel.stalls) / kernel.warp_inst
print(f"{kernel.execution_cycles} cycles, {kernel.warp_inst} warp-instructions")
print(stack[stack > 0.05].round(2).to_string())

# %%
axes = stack[stack > 0.05].to_frame("unroll 1").T.plot.barh(stacked=True, figsize=(9, 2))
axes.set_xlabel("warp-cycles per warp-instruction")

# %% [markdown]
# Nearly all of it is `long_scoreboard`: one load at a time waits for memory. Unrolled eight times,
# the compiler puts eight loads in front of the additions.

# %%
_, unrolled = simulate(unroll=8)
print(f"{kernel.execution_cycles} cycles before, {unrolled.execution_cycles} after")
