"""A design-space sweep: each point a run in a folder of its own, named by what decides its cycles.

A point whose folder holds a whole result is done, so a sweep that was killed goes on where it
stopped, and sweeps of the same folder share their points.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ...isa.errors import InputError
from ...isa.files import whole
from ...traces.load import ACCELSIM_LIST, is_accelsim
from ...traces.tree import TRACE
from ..machine.load import load as load_machine
from ..result import MODEL_VERSION, RESULT
from .designs import MOST_FACTORS, Value, latin_hypercube, screening

if TYPE_CHECKING:
    import pandas as pd

    from ...traces.kernel import Trace

ERROR = "error.json"
TABLE = "sweep.parquet"  # written last: a folder that has it is whole
Progress = Callable[[int, int], None]  # points done, points in all


class Table(BaseModel):
    """A part of a sweep's file."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Input(Table):
    """A trace, a cubin with its launch file, or kernels of the zoo.

    Paths are relative to the sweep's file; `zoo` may be a pattern such as `sgemm_*`.
    """

    trace: str | None = None
    launch: str | None = None
    cubin: str | None = None  # the program of an Accel-Sim trace
    kernel: str | None = None
    zoo: str | None = None
    arch: str = "sm_86"  # of the zoo's cubin

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.trace is None) == (self.zoo is None):
            raise ValueError("an input is either a trace or a kernel of the zoo")
        if self.zoo and (self.launch or self.kernel or self.cubin):
            raise ValueError("launch, cubin and kernel belong to a trace, not to the zoo")
        return self

    @property
    def label(self) -> str:
        """What tables call it."""
        return self.zoo or Path(self.trace or "").name


class Latin(Table):
    """Points that fill ranges evenly."""

    samples: int = Field(ge=1)
    seed: int = Field(default=0, ge=0)
    axes: dict[str, tuple[int | float, int | float]] = Field(min_length=1)  # lowest, highest

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        for name, (low, high) in self.axes.items():
            if low >= high:
                raise ValueError(f"{name}: [{low}, {high}] is no range; the lower end comes first")
        return self


class Screening(Table):
    """Two values of each parameter; few runs tell which parameters matter."""

    foldover: bool = False
    axes: dict[str, tuple[Value, Value]] = Field(min_length=1, max_length=MOST_FACTORS)

    @model_validator(mode="after")
    def _differ(self) -> Self:
        for name, (low, high) in self.axes.items():
            if low == high:
                raise ValueError(f"{name}: two different values are needed, not {low!r} twice")
        return self


class Sweep(Table):
    """What a sweep's file says: the designs add up, each point for every input and seed."""

    inputs: list[Input] = Field(min_length=1)
    gpu: str = "rtx_a6000"
    preset: str = "ref"
    sms: int | None = Field(default=None, ge=1)
    max_cycles: int | None = Field(default=None, ge=1)
    seeds: list[int] = []  # of the inputs of zoo kernels; none: their own
    set: dict[str, Any] = {}  # overrides of every point
    axes: dict[str, list[Value]] = {}  # crossed: parameter, `gpu` or `preset` -> values
    points: list[dict[str, Value]] = []  # taken as they are
    latin: Latin | None = None
    screening: Screening | None = None

    @model_validator(mode="before")
    @classmethod
    def _plain_inputs(cls, table: Any) -> Any:
        """An input may be just a path."""
        if isinstance(table, dict) and isinstance(table.get("inputs"), list):
            inputs = [{"trace": i} if isinstance(i, str) else i for i in table["inputs"]]
            return {**table, "inputs": inputs}
        return table

    @model_validator(mode="after")
    def _seeds_have_a_use(self) -> Self:
        if self.seeds and any(one.trace for one in self.inputs):
            raise ValueError("seeds are for kernels of the zoo; a trace has its data already")
        return self

    def with_program(self, cubin: Path) -> Self:
        """The same with the program of all Accel-Sim traces that do not name theirs.

        Raises InputError if there are none.
        """
        inputs = [
            one.model_copy(update={"cubin": str(cubin.resolve())})
            if one.trace and not one.cubin and is_accelsim(Path(one.trace))
            else one
            for one in self.inputs
        ]
        if inputs == self.inputs:
            raise InputError(f"{cubin}: found as --cubin, expected an Accel-Sim trace without one")
        return self.model_copy(update={"inputs": inputs})

    def settings(self) -> list[dict[str, Value]]:
        """What the designs set, one dictionary a point; a sweep without any has one point."""
        found = list(self.points)
        if self.axes:
            crossed = itertools.product(*self.axes.values())
            found = [dict(zip(self.axes, values, strict=True)) for values in crossed] + found
        if self.latin:
            found += latin_hypercube(self.latin.axes, self.latin.samples, self.latin.seed)
        if self.screening:
            found += screening(self.screening.axes, self.screening.foldover)
        return found or [{}]


@dataclass(frozen=True)
class Point:
    """One run: plain values, so that it travels to another process or machine."""

    key: str
    input: Input
    seed: int | None
    gpu: str
    preset: str
    sms: int | None
    max_cycles: int | None
    overrides: dict[str, Any]
    setting: dict[str, Value]


def read(path: str | Path) -> Sweep:
    """The sweep in a TOML file, with paths made absolute. Raises InputError."""
    path = Path(path)
    try:
        sweep = Sweep.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not a TOML file: {error}") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise InputError(f"{path}: {where}: {first['msg']}") from None
    return sweep.model_copy(update={"inputs": [_absolute(i, path.parent) for i in sweep.inputs]})


def _absolute(one: Input, folder: Path) -> Input:
    paths = {"trace": one.trace, "launch": one.launch, "cubin": one.cubin}
    return one.model_copy(
        update={name: str((folder / path).resolve()) for name, path in paths.items() if path}
    )


def points(sweep: Sweep) -> list[Point]:
    """All points; those that are the same run share their key.

    Raises InputError for unknown parameters and missing inputs.
    """
    machines = [_machine(sweep, setting) for setting in sweep.settings()]
    seeds: list[int | None] = [*sweep.seeds] or [None]
    return [
        _point(sweep, one, seed, digest, *machine)
        for one in _expanded(sweep.inputs)
        for seed in seeds
        for digest in [_digest(one, seed)]
        for machine in machines
    ]


def _expanded(inputs: Sequence[Input]) -> Iterator[Input]:
    """Inputs with the patterns of zoo kernels resolved."""
    for one in inputs:
        if not one.zoo:
            yield one
            continue
        names = [name for name in _zoo().ZOO if fnmatchcase(name, one.zoo)]
        for name in names or [one.zoo]:  # an unknown name has its own message
            yield one.model_copy(update={"zoo": name})


def _zoo() -> Any:
    """The kernel zoo lies in a later folder, which this one may not import when it is loaded."""
    return import_module("warpwise.validation.kernels")


@lru_cache(maxsize=4)
def _zoo_trace(name: str, arch: str, seed: int | None) -> Trace:
    """Emulated once for many points in a row."""
    seeds = {} if seed is None else {"seed": seed}
    trace: Trace = _zoo().trace_zoo(name, arch, **seeds)
    return trace


def _digest(one: Input, seed: int | None) -> str:
    """Hash of an input's content."""
    if one.zoo:
        from ...traces.store import content_hash

        return content_hash(_zoo_trace(one.zoo, one.arch, seed))
    parts = [one.kernel or ""]
    for name in (one.trace, one.launch, one.cubin):
        for path in _files(Path(name)) if name else []:
            try:
                with path.open("rb") as stream:
                    parts.append(hashlib.file_digest(stream, "sha256").hexdigest())
            except OSError as error:
                raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    return " ".join(parts)


def _files(path: Path) -> list[Path]:
    """All files of an input: a folder, or a list of launches, stands for what is in the folder."""
    folder = path.parent if path.name in (ACCELSIM_LIST, TRACE) else path
    return sorted(p for p in folder.rglob("*") if p.is_file()) if folder.is_dir() else [path]


def _machine(
    sweep: Sweep, setting: Mapping[str, Value]
) -> tuple[Mapping[str, Value], str, str, dict[str, Any], str]:
    """A setting, the GPU, preset and overrides that it means, and the machine's fingerprint."""
    overrides = {**sweep.set, **setting}
    gpu = str(overrides.pop("gpu", sweep.gpu))
    preset = str(overrides.pop("preset", sweep.preset))
    return setting, gpu, preset, overrides, load_machine(gpu, preset, overrides).fingerprint


def _point(
    sweep: Sweep,
    one: Input,
    seed: int | None,
    digest: str,
    setting: Mapping[str, Value],
    gpu: str,
    preset: str,
    overrides: dict[str, Any],
    fingerprint: str,
) -> Point:
    decides = [digest, fingerprint, MODEL_VERSION, sweep.sms, sweep.max_cycles]
    key = hashlib.sha256(json.dumps(decides).encode()).hexdigest()[:16]
    limits = (sweep.sms, sweep.max_cycles)
    return Point(key, one, seed, gpu, preset, *limits, overrides, dict(setting))


def run_point(point: Point, folder: str) -> None:
    """Simulate a point into its folder; an error of the simulation becomes a file there."""
    from ...isa.errors import WarpwiseError
    from ..api import run

    place = Path(folder) / point.key
    if (place / RESULT).exists():  # by another driver, or before this worker was given up
        return
    place.mkdir(parents=True, exist_ok=True)
    (place / ERROR).unlink(missing_ok=True)
    one = point.input
    try:
        trace = _zoo_trace(one.zoo, one.arch, point.seed) if one.zoo else str(one.trace)
        result = run(
            trace,
            point.gpu,
            point.preset,
            kernel=one.kernel,
            launch=one.launch,
            cubin=one.cubin,
            sms=point.sms,
            max_cycles=point.max_cycles,
            **point.overrides,
        )
    except WarpwiseError as error:
        write_error(place, str(error))
    else:
        result.save(place)


def write_error(place: Path, message: str) -> None:
    """Note why a point has no result."""
    place.mkdir(parents=True, exist_ok=True)
    with whole(place / ERROR) as stream:
        stream.write(json.dumps({"error": message}).encode())


def sweep(
    what: Sweep | str | Path,
    folder: str | Path,
    jobs: int = 1,
    scheduler: str | None = None,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Run what is missing of a sweep and return all of it, one row a point and kernel.

    `jobs` processes on this machine (a script that asks for more than one has to start below
    `if __name__ == "__main__":`), or the workers of the Dask scheduler at `scheduler`, which
    must see `folder` under the same name. The table is also written to `sweep.csv` and
    `sweep.parquet`. Points that failed have their message in the column `error`; they are tried
    again by the next call.
    """
    from . import workers

    plan = what if isinstance(what, Sweep) else read(what)
    every = points(plan)
    root = Path(folder)
    runs = {point.key: point for point in every}
    missing = [point for key, point in runs.items() if not (root / key / RESULT).exists()]
    done = len(runs) - len(missing)
    if progress:
        progress(done, len(runs))
    for _ in workers.run(missing, str(root.resolve()), jobs, scheduler):
        done += 1
        if progress:
            progress(done, len(runs))
    frame = table(every, root)
    _write(frame, root)
    return frame


def table(every: Sequence[Point], root: Path) -> pd.DataFrame:
    """The results of points, one row a point and kernel; first what was set, then what came out."""
    import pandas as pd

    frame = pd.DataFrame([row for point in every for row in _rows(point, root / point.key)])
    axes = dict.fromkeys(axis for point in every for axis in point.setting)
    first = [name for name in (*COMMON, *axes) if name in frame]
    return frame[list(dict.fromkeys([*first, *frame]))]


COMMON = ("point", "input", "seed", "gpu", "preset")  # columns of any sweep


def _rows(point: Point, place: Path) -> Iterator[dict[str, Any]]:
    common = {
        "point": point.key,
        "input": point.input.label,
        **({} if point.seed is None else {"seed": point.seed}),
        "gpu": point.gpu,
        "preset": point.preset,
        **point.setting,
    }
    if not (place / RESULT).exists():
        message = "not run"
        if (place / ERROR).exists():
            message = json.loads((place / ERROR).read_text())["error"]
        yield {**common, "error": message}
        return
    for kernel in json.loads((place / RESULT).read_text())["kernels"]:
        numbers = {k: v for k, v in kernel.items() if isinstance(v, str | int | float)}
        numbers.pop("wall_s"), numbers.pop("warp_inst_per_s")  # say nothing about the model
        stalls = {f"stall_{name}": cycles for name, cycles in kernel["stalls"].items()}
        yield {**common, **numbers, **kernel["statistics"], **stalls, "error": None}


def _write(frame: pd.DataFrame, root: Path) -> None:
    root.mkdir(parents=True, exist_ok=True)
    with whole(root / "sweep.csv") as stream:
        frame.to_csv(stream, index=False)
    with whole(root / TABLE) as stream:
        frame.to_parquet(stream, index=False)
