"""Compile the microbenchmarks: `python validation/microbenchmarks/build.py`.

The hardware was measured with CUDA 12.8, and newer compilers make other code of `shared_lat`:
install `nvidia-cuda-nvrtc-cu12==12.8.93` into an environment that has no other NVRTC.
"""

from __future__ import annotations

from pathlib import Path

from warpwise.traces.nvrtc import compile_cuda

HERE = Path(__file__).resolve().parent
ARCH = "sm_86"

if __name__ == "__main__":
    for source in sorted(HERE.glob("*.cu")):
        binary = compile_cuda(source.read_text(encoding="utf-8"), ARCH, ("-lineinfo",), source.name)
        source.with_suffix(f".{ARCH}.cubin").write_bytes(binary)
