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
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ...isa.errors import InputError
from ...isa.files import whole
from ..machine.load import load as load_machine
from ..result import MODEL_VERSION, RESULT

if TYPE_CHECKING:
    import pandas as pd

ERROR = "error.json"
Progress = Callable[[int, int], None]  # points done, points in all
Value = str | int | float | bool


class Input(BaseModel):
    """A trace, or a cubin with its launch file; paths are relative to the sweep's file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    trace: str
    launch: str | None = None
    kernel: str | None = None


class Sweep(BaseModel):
    """What a sweep's file says: `axes` are crossed, `points` are taken as they are."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    inputs: list[Input] = Field(min_length=1)
    gpu: str = "rtx_a6000"
    preset: str = "ref"
    sms: int | None = Field(default=None, ge=1)
    max_cycles: int | None = Field(default=None, ge=1)
    set: dict[str, Any] = {}  # overrides of every point
    axes: dict[str, list[Value]] = {}  # parameter, `gpu` or `preset` -> values
    points: list[dict[str, Value]] = []

    @model_validator(mode="before")
    @classmethod
    def _plain_inputs(cls, table: Any) -> Any:
        """An input may be just a path."""
        if isinstance(table, dict) and isinstance(table.get("inputs"), list):
            inputs = [{"trace": i} if isinstance(i, str) else i for i in table["inputs"]]
            return {**table, "inputs": inputs}
        return table

    def settings(self) -> list[dict[str, Value]]:
        """What the axes and the list of points set, one dictionary a point."""
        crossed = itertools.product(*self.axes.values()) if self.axes or not self.points else []
        return [dict(zip(self.axes, values, strict=True)) for values in crossed] + self.points


@dataclass(frozen=True)
class Point:
    """One run: plain values, so that it travels to another process or machine."""

    key: str
    input: str
    launch: str | None
    kernel: str | None
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
    launch = one.launch and str((folder / one.launch).resolve())
    return one.model_copy(update={"trace": str((folder / one.trace).resolve()), "launch": launch})


def points(sweep: Sweep) -> list[Point]:
    """All points, each once. Raises InputError for unknown parameters and missing inputs."""
    digests = {i: _digest(i) for i in sweep.inputs}
    found = (
        _point(sweep, one, digests[one], setting)
        for one, setting in itertools.product(sweep.inputs, sweep.settings())
    )
    return list({point.key: point for point in found}.values())


def _digest(one: Input) -> str:
    """Hash of an input's content."""
    parts = [one.kernel or ""]
    for name in (one.trace, one.launch):
        if name:
            try:
                parts.append(hashlib.sha256(Path(name).read_bytes()).hexdigest())
            except OSError as error:
                raise InputError(f"{name}: cannot be read: {error.strerror}") from None
    return " ".join(parts)


def _point(sweep: Sweep, one: Input, digest: str, setting: Mapping[str, Value]) -> Point:
    overrides = {**sweep.set, **setting}
    gpu = str(overrides.pop("gpu", sweep.gpu))
    preset = str(overrides.pop("preset", sweep.preset))
    machine = load_machine(gpu, preset, overrides)
    decides = [digest, machine.fingerprint, MODEL_VERSION, sweep.sms, sweep.max_cycles]
    key = hashlib.sha256(json.dumps(decides).encode()).hexdigest()[:16]
    return Point(
        *(key, one.trace, one.launch, one.kernel, gpu, preset),
        *(sweep.sms, sweep.max_cycles, overrides, dict(setting)),
    )


def run_point(point: Point, folder: str) -> None:
    """Simulate a point into its folder; an error of the simulation becomes a file there."""
    from ...isa.errors import WarpwiseError
    from ..api import run

    place = Path(folder) / point.key
    place.mkdir(parents=True, exist_ok=True)
    (place / ERROR).unlink(missing_ok=True)
    try:
        result = run(
            point.input,
            point.gpu,
            point.preset,
            kernel=point.kernel,
            launch=point.launch,
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
    missing = [point for point in every if not (root / point.key / RESULT).exists()]
    done = len(every) - len(missing)
    if progress:
        progress(done, len(every))
    for _ in workers.run(missing, str(root.resolve()), jobs, scheduler):
        done += 1
        if progress:
            progress(done, len(every))
    frame = table(every, root)
    _write(frame, root)
    return frame


def table(every: Sequence[Point], root: Path) -> pd.DataFrame:
    """The results of points, one row a point and kernel."""
    import pandas as pd

    return pd.DataFrame([row for point in every for row in _rows(point, root / point.key)])


def _rows(point: Point, place: Path) -> Iterator[dict[str, Any]]:
    common = {
        "point": point.key,
        "input": Path(point.input).name,
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
    with whole(root / "sweep.parquet") as stream:
        frame.to_parquet(stream, index=False)
