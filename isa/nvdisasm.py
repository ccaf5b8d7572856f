"""NVIDIA's disassembler: where it is, and its JSON, kept in the user's cache."""

from __future__ import annotations

import hashlib
import importlib.util
import shutil
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path

from .errors import InputError
from .files import cache_folder, whole


def find() -> Path:
    """The disassembler from its wheel, else from PATH."""
    spec = importlib.util.find_spec("nvidia")
    for folder in (spec.submodule_search_locations if spec else None) or ():
        for tool in sorted(Path(folder).glob("cu*/bin/nvdisasm*"), reverse=True):
            return tool
    if on_path := shutil.which("nvdisasm"):
        return Path(on_path)
    raise InputError("nvdisasm is missing; cubins need it: pip install 'warpwise[cuda]'.")


def listing(cubin: Path, data: bytes) -> bytes:
    """nvdisasm's JSON for a cubin; a second call for the same content reads the cache."""
    tool = find()
    version = subprocess.run([tool, "--version"], capture_output=True, check=True).stdout
    cached = cache_folder() / "disassemblies" / f"{hashlib.sha256(data + version).hexdigest()}.json"
    if cached.is_file():
        return cached.read_bytes()
    with tempfile.NamedTemporaryFile(suffix=".cubin") as copy:  # `data` may be in no file
        copy.write(data)
        copy.flush()
        run = subprocess.run([tool, "-json", copy.name], capture_output=True)
    if run.returncode:
        reason = run.stderr.decode(errors="replace").strip() or f"exit code {run.returncode}"
        raise InputError(f"nvdisasm cannot disassemble {cubin}: {reason}")
    _keep(cached, run.stdout)
    return run.stdout


def _keep(file: Path, content: bytes) -> None:
    """Cache a disassembly; where that cannot be done it only costs time."""
    with suppress(InputError, OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        with whole(file) as stream:
            stream.write(content)
