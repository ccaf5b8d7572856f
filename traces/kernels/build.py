"""Compile the bundled kernels to cubins: `python traces/kernels/build.py [directory]`.

Needs the NVRTC wheel in the version below (`pip install nvidia-cuda-nvrtc==13.0.88`) but neither
a GPU nor a host compiler. The same version gives the same bytes, which a test checks.
"""

from __future__ import annotations

import sys
from importlib.metadata import version
from pathlib import Path

from warpwise.traces.nvrtc import compile_cuda

NVRTC_VERSION = "13.0.88"
ARCHITECTURES = ("sm_75", "sm_86")
OPTIONS = ("-lineinfo",)
SOURCES = Path(__file__).resolve().parent


def cubin(source: Path, arch: str) -> bytes:
    """The cubin of one source file, by the version of NVRTC that the repository's came from."""
    found = version("nvidia-cuda-nvrtc")
    if found != NVRTC_VERSION:
        raise SystemExit(f"nvidia-cuda-nvrtc {found} found, {NVRTC_VERSION} needed")
    return compile_cuda(source.read_text(encoding="utf-8"), arch, OPTIONS, source.name)


def build(directory: Path) -> list[Path]:
    """Compile every kernel for every architecture into `directory`; return the files."""
    written = []
    for source in sorted(SOURCES.glob("*.cu")):
        for arch in ARCHITECTURES:
            path = directory / f"{source.stem}.{arch}.cubin"
            path.write_bytes(cubin(source, arch))
            written.append(path)
    return written


if __name__ == "__main__":
    for path in build(Path(sys.argv[1]) if len(sys.argv) > 1 else SOURCES):
        print(path)
