"""Applications on hardware against the model, and against the models that others published."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..isa.errors import InputError
from ..isa.files import whole
from ..sim.machine.load import Machine
from ..sim.machine.load import load as load_machine
from .correlate import SEED, by_group, influence, signed_errors
from .experiments.published import FOLDER, table
from .hardware_table import normal_gpu, normal_kernel, read
from .report import Report, aligned
from .simulated import Application, Progress, documents

if TYPE_CHECKING:
    import pandas as pd

SCHEMA = 1
OURS = "warpwise"
DEFAULT_TABLE = FOLDER / "a6000_microbenchmarks.csv"
DOCUMENT = "validation.json"  # written last: a folder that has it is whole
KEY = ["suite", "application", "arguments"]


def validate_hardware(
    hardware: str | Path | None = None,
    traces: str | Path | None = None,
    gpu: str = "rtx_a6000",
    preset: str = "ref",
    *,
    cubin: str | Path | None = None,
    output: str | Path | None = None,
    min_cycles: float = 0,
    seed: int = SEED,
    threads: int = 1,
    progress: Progress | None = None,
    **overrides: Any,
) -> HardwareReport:
    """Compare elapsed cycles by application: simulated from `traces`, and published, with hardware.

    `hardware` is a table or a report of Nsight Compute (`hardware_table.read`; without it, that of
    this project), `traces` a folder (`simulated`; without it, only published models are compared),
    `cubin` the program of the Accel-Sim traces in it. Applications whose hardware takes less than
    `min_cycles` are left out. `output` keeps the runs and the report. Raises InputError.
    """
    path = Path(hardware) if hardware else DEFAULT_TABLE
    machine = load_machine(gpu, preset, overrides)
    if cubin and not traces:
        raise InputError(f"{cubin}: found as the program of traces, but there are no --traces")
    rows = read(path)
    key = normal_gpu(machine.key)
    of_gpu = rows[(rows["gpu"] == "") | (rows["gpu"].map(normal_gpu) == key)]
    if of_gpu.empty:
        names = ", ".join(sorted(rows["gpu"].unique()))
        raise InputError(f"{path}: only rows of {names} found, expected some of {machine.key}")
    measured = _by_application(of_gpu[of_gpu["model"] == ""])
    if "cycles" not in measured:
        raise InputError(f"{path}: no cycles of hardware on {machine.key} (rows without a model)")
    notes = list(_clock_notes(of_gpu, machine))
    parts = list(_published(of_gpu[of_gpu["model"] != ""]))
    if traces:
        folder = Path(output) if output else None
        program = Path(cubin) if cubin else None
        simulated = _simulated(Path(traces), program, measured, machine, folder, threads, progress)
        notes += _left_out(measured, simulated)
        parts.append(simulated)
    else:
        notes.append("no --traces: only models that others published are compared")
    frame, dropped = _compared(measured, parts, min_cycles)
    if dropped:
        notes.append(f"{dropped} applications under {min_cycles:g} cycles of hardware left out")
    report = HardwareReport(machine.key, preset, dict(overrides), path.name, seed, frame, notes)
    if output:
        report.save(output)
    return report


def _by_application(rows: pd.DataFrame) -> pd.DataFrame:
    """One row an application: metrics summed over launches, after the mean over repeated runs.

    `low` and `high` are the sums of the smallest and largest repetitions of the cycles.
    """
    if rows.empty:
        return rows[KEY]
    repeated = rows.groupby([*KEY, "kernel", "launch", "metric"], dropna=False, sort=False)["value"]
    once = repeated.agg(["mean", "min", "max", "count"]).reset_index()
    sums = once.groupby([*KEY, "metric"], sort=False)[["mean", "min", "max"]].sum().reset_index()
    wide = sums.pivot(index=KEY, columns="metric", values="mean").reset_index()
    cycles = sums[sums["metric"] == "cycles"].rename(columns={"min": "low", "max": "high"})
    kernels = once[(once["metric"] == "cycles") & (once["kernel"] != "")]
    named = kernels.groupby(KEY, sort=False)["kernel"].agg(list).rename("kernels").reset_index()
    wide = wide.merge(cycles[[*KEY, "low", "high"]], on=KEY, how="left")
    return wide.merge(named, on=KEY, how="left")


def _clock_notes(rows: pd.DataFrame, machine: Machine) -> Iterator[str]:
    """Memory takes another number of core cycles at another core clock."""
    ours = machine.gpu.clock.core_mhz
    for theirs in sorted(set(rows["core_mhz"].dropna()) - {ours}):
        yield f"hardware ran at {theirs:g} MHz, the model at {ours:g} MHz"


def _published(rows: pd.DataFrame) -> Iterator[pd.DataFrame]:
    for model, part in rows.groupby("model", sort=False):
        frame = _by_application(part)
        if "cycles" in frame:
            yield frame[[*KEY, "cycles"]].assign(model=model, work="")


def _simulated(
    folder: Path,
    cubin: Path | None,
    measured: pd.DataFrame,
    machine: Machine,
    output: Path | None,
    threads: int,
    progress: Progress | None,
) -> pd.DataFrame:
    """Cycles of what is both measured and in the folder, and whether the work is the same."""
    import pandas as pd

    places = {(row["application"], row["arguments"]): row for row in measured.to_dict("records")}

    def wanted(one: Application) -> bool:
        return (one.name, one.arguments) in places

    rows = []
    for one, document in documents(folder, wanted, machine, cubin, output, threads, progress):
        row = places[one.name, one.arguments]
        rows.append(
            {
                **{column: row[column] for column in KEY},
                "cycles": sum(kernel["cycles"] for kernel in document["kernels"]),
                "model": OURS,
                "work": _difference(row, document["kernels"]),
            }
        )
    if not rows:
        names = ", ".join(f"{name} {arguments}" for name, arguments in places)
        raise InputError(f"{folder}: none of the measured applications is there: {names}")
    return pd.DataFrame(rows)


def _difference(row: dict[Any, Any], kernels: list[dict[str, Any]]) -> str:
    """Why the trace is not the work that the hardware did; empty if nothing shows that."""
    launches = row["kernels"] if isinstance(row["kernels"], list) else []
    if launches:
        theirs = sorted(map(normal_kernel, launches))
        ours = sorted(normal_kernel(kernel["name"]) for kernel in kernels)
        if theirs != ours:
            return f"launches of {', '.join(theirs)} measured, of {', '.join(ours)} in the trace"
    expected = row.get("warp_inst", math.nan)
    found = sum(kernel["warp_inst"] for kernel in kernels)
    if not math.isnan(expected) and expected != found:
        return f"{expected:.0f} warp-instructions measured, {found} in the trace"
    return ""


def _left_out(measured: pd.DataFrame, simulated: pd.DataFrame) -> Iterator[str]:
    names = [" ".join(row) for row in measured[KEY[1:]].itertuples(index=False)]
    done = {" ".join(row) for row in simulated[KEY[1:]].itertuples(index=False)}
    missing = [name for name in names if name not in done]
    if missing:
        yield f"no trace of {len(missing)} measured applications: {', '.join(missing)}"


def _compared(
    measured: pd.DataFrame, parts: list[pd.DataFrame], min_cycles: float
) -> tuple[pd.DataFrame, int]:
    """One row an application and model, and how many applications were too short."""
    import pandas as pd

    kept = measured[measured["cycles"] >= min_cycles]
    hardware = kept[[*KEY, "cycles", "low", "high"]].rename(columns={"cycles": "hardware"})
    if not parts:
        raise InputError("no model to compare: the table has no published one, and no --traces")
    models = pd.concat(parts).rename(columns={"cycles": "simulated"})
    frame = hardware.merge(models, on=KEY, how="inner")
    if frame.empty:
        raise InputError(f"no application has both sides and {min_cycles:g} cycles of hardware")
    values = (frame[side].to_numpy(float) for side in ("hardware", "simulated"))
    frame["error"] = signed_errors(*values)
    frame["ape"] = frame["error"].abs()
    same = frame[frame["work"] == ""]
    frame["influence"] = same.groupby("model")["ape"].transform(lambda s: influence(s.to_numpy()))
    return frame, len(measured) - len(kept)


@dataclass(frozen=True)
class HardwareReport(Report):
    """Errors by application and model. Applications that did other work do not count."""

    gpu: str
    preset: str
    overrides: dict[str, Any]
    hardware: str
    seed: int
    rows: pd.DataFrame = field(repr=False)
    notes: list[str] = field(repr=False)

    @property
    def frame(self) -> pd.DataFrame:
        """One row an application and model; errors in percent, influence in points of MAPE."""
        return self.rows

    @property
    def n_different(self) -> int:
        """Applications whose trace is not the work that was measured."""
        return int((self.rows["work"] != "").sum())

    @property
    def statistics(self) -> pd.DataFrame:
        """One row a model over all applications, then, of several suites, one a model and suite."""
        import pandas as pd

        same = self.rows[self.rows["work"] == ""]
        if same.empty:
            return pd.DataFrame()
        group = ["model", "suite"]
        of_all = by_group(same.assign(suite="all"), group, self.seed)
        if same["suite"].nunique() == 1:
            return of_all
        return pd.concat([of_all, by_group(same, group, self.seed)], ignore_index=True)

    @property
    def published(self) -> list[dict[str, str]]:
        """MAPE and correlation that the paper gives for this GPU over all of its applications."""
        rows = table("table_4_gpus")
        return [row for row in rows if normal_gpu(row["gpu"]) == normal_gpu(self.gpu)]

    @property
    def summary(self) -> str:
        parts = [self._statistics_text()]
        for row in self.published:
            authors, accel_sim = row["paper_model_mape_pct"], row["accel_sim_mape_pct"] or "-"
            parts.append(
                f"published MAPE over all applications of the paper on {row['gpu']}: "
                f"{authors} % (the authors' simulator), {accel_sim} % (Accel-Sim)"
            )
        parts += [f"note: {note}" for note in self.notes]
        return "\n".join(parts)

    def _statistics_text(self) -> str:
        frame = self.statistics
        if frame.empty:
            return "no application did the same work on both sides"
        names = [str(c) for c in frame if c not in ("model", "suite")]
        header = ["", *(f"{row.model}: {row.suite}" for row in frame.itertuples())]
        return aligned(header, ([name, *(_cell(name, v) for v in frame[name])] for name in names))

    def records(self) -> list[dict[str, Any]]:
        rows = self.rows.astype(object).where(self.rows.notna(), None)
        return [{str(k): v for k, v in row.items()} for row in rows.to_dict("records")]

    def table(self) -> str:
        columns = (
            "application",
            "arguments",
            "model",
            "hardware",
            "simulated",
            "error",
            "influence",
        )
        return aligned((*columns, "other work"), map(_cells, self.records()))

    def to_dict(self) -> dict[str, Any]:
        """What `warpwise validate hardware --json` prints, and `validation.json` holds."""
        frame = self.statistics
        statistics = frame.astype(object).where(frame.notna(), None).to_dict("records")
        return {
            "schema": SCHEMA,
            "kind": "hardware validation",
            "gpu": self.gpu,
            "preset": self.preset,
            "overrides": self.overrides,
            "hardware": self.hardware,
            "seed": self.seed,
            "statistics": statistics,
            "published": self.published,
            "rows": self.records(),
            "notes": self.notes,
        }

    def save(self, folder: str | Path) -> Path:
        """Write `validation.csv`, then `validation.json`, whose path returns."""
        path = Path(folder) / DOCUMENT
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        with whole(path.with_suffix(".csv")) as stream:
            self.rows.to_csv(stream, index=False)
        with whole(path) as stream:
            stream.write(json.dumps(self.to_dict(), indent=1).encode())
        return path


def _cell(name: str, value: float) -> str:
    if math.isnan(value):
        return "-"
    if name.startswith("Apps"):
        return f"{value:.0f}"
    return f"{value:.3f}" if "Pearson" in name or name == "Spearman" else f"{value:.2f}"


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    influence = "-" if row["influence"] is None else f"{row['influence']:+.2f}"
    numbers = f"{row['hardware']:,.0f}", f"{row['simulated']:,.0f}", f"{row['error']:+.1f} %"
    return row["application"], row["arguments"], row["model"], *numbers, influence, row["work"]
