"""Runs an unmodified CUDA program on the emulator and records its launches.

The program is linked to the shared CUDA runtime; a library of ours takes the runtime's place and
passes each call to this process through a socket.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ...isa.errors import InputError
from ..store import Writer
from .build import examine, runtime_folder
from .properties import GpuFacts
from .server import Server, Wanted

__all__ = ["GpuFacts", "ProgramRun", "run_program"]


@dataclass(frozen=True)
class ProgramRun:
    """What a program left behind."""

    launched: tuple[str, ...]  # kernel names of all launches, recorded or not
    exit_code: int  # 128 + n for signal n, as shells count


def run_program(
    command: Sequence[str],
    gpu: GpuFacts,
    writer: Writer,
    wanted: Wanted = lambda launch, name: True,
    stdout: int | None = None,
) -> ProgramRun:
    """Run a program with its arguments; `writer` takes what `wanted(launch, kernel)` chooses.

    `stdout` is a file descriptor for its output. Raises InputError for a program or call that
    cannot be run, EmulationError for what a kernel does wrong; the program has ended by then.
    """
    path = shutil.which(command[0])
    if path is None:
        raise InputError(f"{command[0]}: there is no such program, or it is not executable")
    executable = examine(Path(path))
    server = Server(gpu, executable.cuda, wanted, writer)
    ours, theirs = socket.socketpair()
    environment = _environment(runtime_folder(executable), theirs)
    child = subprocess.Popen(
        [path, *command[1:]], env=environment, pass_fds=[theirs.fileno()], stdout=stdout
    )
    theirs.close()
    try:
        with ours, contextlib.suppress(ConnectionError):  # of a program that was killed
            server.serve(ours)
    finally:
        code = child.wait()  # without its connection, a program ends at its next call
    return ProgramRun(tuple(server.launched), code if code >= 0 else 128 - code)


def _environment(folder: Path, connection: socket.socket) -> dict[str, str]:
    paths = [str(folder), *filter(None, [os.environ.get("LD_LIBRARY_PATH")])]
    return os.environ | {
        "LD_LIBRARY_PATH": os.pathsep.join(paths),
        "WARPWISE_SOCKET": str(connection.fileno()),
    }
