"""Compile the bundled kernels to cubins: `python traces/kernels/build.py [directory]`.

Needs the NVRTC wheel in the version below (`pip install nvidia-cuda-nvrtc==13.0.88`) but neither
a GPU nor a host compiler. The same version gives the same bytes, which a test checks.
"""

from __future__ import annotations

import contextlib
import ctypes
import sys
from importlib.metadata import distribution
from pathlib import Path

NVRTC_VERSION = "13.0.88"
ARCHITECTURES = ("sm_75", "sm_86")
OPTIONS = ("-lineinfo",)
SOURCES = Path(__file__).resolve().parent


class Compiler:
    """NVRTC, loaded from its wheel."""

    def __init__(self) -> None:
        wheel = distribution("nvidia-cuda-nvrtc")
        if wheel.version != NVRTC_VERSION:
            raise SystemExit(f"nvidia-cuda-nvrtc {wheel.version} found, {NVRTC_VERSION} needed")
        files = {file.name: str(wheel.locate_file(file)) for file in wheel.files or ()}
        ctypes.CDLL(files["libnvrtc-builtins.so.13.0"])  # NVRTC asks for it by bare name
        self._nvrtc = ctypes.CDLL(files["libnvrtc.so.13"])

    def cubin(self, source: Path, arch: str) -> bytes:
        """The cubin of one source file."""
        program = ctypes.c_void_p()
        text, name = source.read_bytes(), source.name.encode()
        self._call("CreateProgram", ctypes.byref(program), text, name, 0, None, None)
        options = [option.encode() for option in (f"-arch={arch}", *OPTIONS)]
        try:
            array = (ctypes.c_char_p * len(options))(*options)
            with contextlib.chdir("/"):  # line tables name the working directory
                status = self._nvrtc.nvrtcCompileProgram(program, len(options), array)
            if status:
                log = self._fetch(program, "ProgramLog").rstrip(b"\0").decode()
                raise SystemExit(f"{source.name} for {arch}:\n{log}")
            return self._fetch(program, "CUBIN")
        finally:
            self._call("DestroyProgram", ctypes.byref(program))

    def _fetch(self, program: ctypes.c_void_p, what: str) -> bytes:
        size = ctypes.c_size_t()
        self._call(f"Get{what}Size", program, ctypes.byref(size))
        buffer = ctypes.create_string_buffer(size.value)
        self._call(f"Get{what}", program, buffer)
        return buffer.raw

    def _call(self, function: str, *arguments: object) -> None:
        status = getattr(self._nvrtc, f"nvrtc{function}")(*arguments)
        if status:
            raise SystemExit(f"nvrtc{function} failed with status {status}")


def build(directory: Path) -> list[Path]:
    """Compile every kernel for every architecture into `directory`; return the files."""
    compiler = Compiler()
    written = []
    for source in sorted(SOURCES.glob("*.cu")):
        for arch in ARCHITECTURES:
            path = directory / f"{source.stem}.{arch}.cubin"
            path.write_bytes(compiler.cubin(source, arch))
            written.append(path)
    return written


if __name__ == "__main__":
    for path in build(Path(sys.argv[1]) if len(sys.argv) > 1 else SOURCES):
        print(path)
