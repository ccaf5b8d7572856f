"""The model's side of a comparison: traces, cubins and finished runs in a folder of the user's.

    DIR/SUITE/APPLICATION/ARGUMENTS/kernelslist.g     Accel-Sim's layout, also below traces/
    DIR/APPLICATION/ARGUMENTS/traces/dynamic_trace.pb the authors' protobuf tree
    DIR/APPLICATION/ARGUMENTS/anything.warptrace      or result.json, as `warpwise run -o` leaves it
    DIR/APPLICATION.warptrace                         for a program without arguments
    DIR/APPLICATION.sm_86.cubin + APPLICATION.toml    emulated as the launch file says

The folder of a file says which application and arguments it is; a finished run wins over a trace
beside it, so that nothing is simulated twice.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..isa.errors import InputError
from ..sim import run
from ..sim.machine.load import Machine
from ..sim.result import RESULT, run_fingerprint
from ..traces.load import ACCELSIM_LIST, is_accelsim
from ..traces.tree import TRACE
from .hardware_table import NO_ARGUMENTS

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Application:
    """One program with its arguments, and the file that says what it does."""

    name: str
    arguments: str
    path: Path
    launch: Path | None = None

    @property
    def finished(self) -> bool:
        """Whether the file is a result."""
        return self.path.name == RESULT


def applications(folder: Path, arch: str) -> list[Application]:
    """All programs below a folder. Raises InputError if there are none, or two files for one."""
    if not folder.is_dir():
        raise InputError(f"{folder}: there is no such folder; expected one with traces or runs")
    found: dict[tuple[str, str], Application] = {}
    for one in sorted(_files(folder, arch), key=lambda a: (not a.finished, a.path)):
        first = found.setdefault((one.name, one.arguments), one)
        if first is not one and not first.finished:
            raise InputError(
                f"{one.path}: {first.path} is {one.name} {one.arguments} too; expected one file"
            )
    if not found:
        raise InputError(
            f"{folder}: no trace or run found, expected APPLICATION/ARGUMENTS/kernelslist.g, "
            f"APPLICATION/ARGUMENTS/traces/{TRACE}, APPLICATION/ARGUMENTS/*.warptrace or {RESULT}, "
            f"APPLICATION.warptrace, or "
            f"APPLICATION.{arch}.cubin with APPLICATION.toml"
        )
    return list(found.values())


def _files(folder: Path, arch: str) -> Iterator[Application]:
    for path in folder.rglob("*"):
        name = path.name
        lists = name.startswith(ACCELSIM_LIST) or name == TRACE
        if lists or path.suffix == ".warptrace" or name == RESULT:
            yield Application(*_place(path, folder), path)
        elif name.endswith(f".{arch}.cubin"):
            launch = path.with_name(name.removesuffix(f".{arch}.cubin") + ".toml")
            if launch.exists():
                yield Application(*_place(launch, folder), path, launch)


def _place(path: Path, folder: Path) -> tuple[str, str]:
    """Application and arguments, from the last two folders; without folders, from the name."""
    parts = [part for part in path.relative_to(folder).parent.parts if part != "traces"]
    if len(parts) < 2:
        own = path.stem.split(".")[0]
        return (parts[0] if parts and path.name == RESULT else own), NO_ARGUMENTS
    return parts[-2], parts[-1]


def documents(
    folder: Path,
    wanted: Callable[[Application], bool],
    machine: Machine,
    cubin: Path | None = None,
    output: Path | None = None,
    threads: int = 1,
    progress: Progress | None = None,
) -> Iterator[tuple[Application, dict[str, Any]]]:
    """The result, as in `result.json`, of each application that is wanted.

    `cubin` is the program of all that are Accel-Sim traces.
    What is simulated here is kept below `output`, laid out so that it can be the next `folder`.
    """
    for one in applications(folder, machine.gpu.arch):
        if not wanted(one):
            continue
        if one.finished:
            yield one, _finished(one.path, machine)
            continue
        if progress:
            progress(f"{one.name} {one.arguments}")
        with warnings.catch_warnings():
            warnings.simplefilter("once")
            result = run(
                one.path,
                machine.key,
                machine.preset,
                launch=one.launch,
                cubin=cubin if is_accelsim(one.path) else None,
                threads=threads,
                **machine.overrides,
            )
        if output:
            result.save(output / one.name / one.arguments)
        yield one, result.to_dict()


def _finished(path: Path, machine: Machine) -> dict[str, Any]:
    try:
        document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        fingerprint, trace_hash = document["fingerprint"], document["trace_hash"]
        kernels = [
            (k["name"], k["launch"], k["cycles"], k["warp_inst"]) for k in document["kernels"]
        ]
    except (OSError, ValueError, KeyError, TypeError):
        raise InputError(f"{path}: not a result, expected what `warpwise run -o` writes") from None
    if fingerprint != run_fingerprint(trace_hash, machine.fingerprint):
        raise InputError(
            f"{path}: found a run of {document.get('gpu')} with other parameters or of another "
            f"version, expected {machine.key}; give its --gpu, --preset and --set, or run it again"
        )
    if not kernels:
        raise InputError(f"{path}: no kernel in this run")
    return document
