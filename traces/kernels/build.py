"""Compile the bundled kernels to cubins: `python traces/kernels/build.py [folder ...]`.

Every cubin lies beside its source: here, and in the kernel zoo of `validation/kernels/cuda`.
Needs the NVRTC wheel in the version below (`pip install nvidia-cuda-nvrtc==13.0.88`) but neither
a GPU nor a host compiler. The same version gives the same bytes, which tests check.
"""

from __future__ import annotations

import sys
from importlib.metadata import version
from pathlib import Path

from warpwise.traces.nvrtc import compile_cuda

NVRTC_VERSION = "13.0.88"
ARCHITECTURES = ("sm_75", "sm_86")
OPTIONS = ("-lineinfo",)
HERE = Path(__file__).resolve().parent
FOLDERS = (HERE, HERE.parents[1] / "validation" / "kernels" / "cuda")


def cubin(source: Path, arch: str) -> bytes:
    """The cubin of one source file, by the version of NVRTC that the repository's came from."""
    found = version("nvidia-cuda-nvrtc")
    if found != NVRTC_VERSION:
        raise SystemExit(f"nvidia-cuda-nvrtc {found} found, {NVRTC_VERSION} needed")
    return compile_cuda(source.read_text(encoding="utf-8"), arch, OPTIONS, source.name)


def build(folder: Path) -> list[Path]:
    """Compile every kernel of a folder for every architecture; return the files."""
    written = []
    for source in sorted(folder.glob("*.cu")):
        for arch in ARCHITECTURES:
            path = source.with_name(f"{source.stem}.{arch}.cubin")
            path.write_bytes(cubin(source, arch))
            written.append(path)
    return written


if __name__ == "__main__":
    for folder in map(Path, sys.argv[1:] or FOLDERS):
        for path in build(folder):
            print(path)
