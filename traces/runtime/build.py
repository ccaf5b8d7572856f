"""Builds the replacement of libcudart that a program needs, once, into the user's cache."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile

from ...isa.errors import InputError
from ...isa.files import cache_folder

MAJORS = (12, 13)
LIBRARY = "libcudart.so."
FLAGS = ("-std=gnu11", "-O2", "-Wall", "-fPIC", "-shared", "-pthread")


@dataclass(frozen=True)
class Executable:
    """A program that is linked to the shared CUDA runtime."""

    path: Path
    cuda: int  # major version of the runtime
    calls: frozenset[str]  # functions of the runtime


def examine(program: Path) -> Executable:
    """What a program wants of the CUDA runtime; raises InputError if it is nothing."""
    hint = "expected a CUDA program that was compiled with nvcc -cudart shared"
    try:
        with open(program, "rb") as stream:
            elf: Any = ELFFile(stream)
            dynamic = elf.get_section_by_name(".dynamic")
            tags = dynamic.iter_tags() if dynamic else ()
            needed = [tag.needed for tag in tags if tag.entry.d_tag == "DT_NEEDED"]
            symbols = elf.get_section_by_name(".dynsym")
            names = [
                symbol.name
                for symbol in (symbols.iter_symbols() if symbols else ())
                if symbol["st_shndx"] == "SHN_UNDEF"
            ]
    except OSError as error:
        raise InputError(f"{program}: cannot be read: {error.strerror}") from error
    except ELFError as error:
        raise InputError(f"{program}: not an executable for Linux; {hint}") from error
    runtime = next((name for name in needed if name.startswith(LIBRARY)), None)
    if runtime is None:
        raise InputError(f"{program}: not linked to {LIBRARY}*; {hint}")
    version = runtime.removeprefix(LIBRARY)
    if version not in map(str, MAJORS):
        raise InputError(f"{program}: needs {runtime}, expected CUDA 12 or 13")
    calls = frozenset(name for name in names if name.lstrip("_").startswith("cuda"))
    return Executable(program, int(version), calls)


def runtime_folder(executable: Executable) -> Path:
    """The folder for LD_LIBRARY_PATH; raises InputError where there is no C compiler."""
    compiler = os.environ.get("CC") or "cc"
    source = (files(__package__) / "cudart.c").read_text()
    stubs = "".join(map(_stub, sorted(executable.calls - _defined(source))))
    text = source + stubs
    key = hashlib.sha256(f"{compiler} {FLAGS} {executable.cuda}\n{text}".encode()).hexdigest()[:16]
    folder = cache_folder() / "cudart" / key
    if not folder.is_dir():
        _compile(compiler, text, executable.cuda, folder)
    return folder


def _defined(source: str) -> frozenset[str]:
    """Names of the runtime that some C code defines, or mentions as functions."""
    return frozenset(re.findall(r"\b_*cuda\w+(?=\()|(?<=DONE\()cuda\w+", source))


def _stub(name: str) -> str:
    return f'void {name}(void) {{ warpwise_unsupported("{name}"); }}\n'


def _compile(compiler: str, text: str, cuda: int, folder: Path) -> None:
    """Build in a folder beside the final one, so that a library is whole or absent."""
    if shutil.which(compiler) is None:
        raise InputError(
            f"there is no C compiler {compiler!r}, which builds the replacement of the CUDA "
            "runtime; install one (gcc or clang), or name one in the variable CC"
        )
    soname = f"{LIBRARY}{cuda}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        place = Path(scratch)
        (place / "cudart.c").write_text(text)
        (place / "versions").write_text(f"{soname} {{ global: *cuda*; local: *; }};\n")
        command = [
            *(compiler, *FLAGS, f"-DCUDA_MAJOR={cuda}", f"-Wl,-soname,{soname}"),
            *(f"-Wl,--version-script,{place / 'versions'}", "-o", str(place / soname)),
            str(place / "cudart.c"),
        ]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise InputError(f"{compiler} cannot build the CUDA runtime:\n{done.stderr}")
        ready = place / "ready"
        ready.mkdir()
        (place / soname).rename(ready / soname)
        try:
            ready.rename(folder)
        except OSError:
            if not folder.is_dir():  # else another process was faster
                raise
