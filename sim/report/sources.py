"""What a folder of results has to say: headlines, figures and tables of its report."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...isa.errors import InputError
from ..metrics import METRICS
from ..result import ATTRIBUTION, EVENTS, RESULT
from ..stalls import STATES
from ..studies.sweep import TABLE
from . import figures, stacks
from .figures import Figure

if TYPE_CHECKING:
    import pandas as pd

VALIDATION = "validation.json"
EXPECTED = f"{RESULT} (a run), {VALIDATION} (validate hardware -o) or {TABLE} (a sweep)"
POINT_COLUMNS = ("point", "input")
MOST_KERNELS = 40  # bars of a stack
FEW_KERNELS = 6  # columns of a table
MOST_ROWS = 2000  # of a listing
PCS, SLOTS = (f"{name}.parquet" for name in ATTRIBUTION)
KERNEL_COLUMNS = (
    *("cycles", "launch_cycles", "execution_cycles", "warp_inst", "thread_inst", "ipc_elapsed"),
    *("sm_active_cycles", "arch"),
)


@dataclass(frozen=True)
class Content:
    """Of one report. `facts` are its headlines, `notes` what has to be known to read it."""

    title: str
    subtitle: str
    facts: dict[str, str]
    figures: list[Figure] = field(repr=False)
    tables: dict[str, pd.DataFrame] = field(repr=False)
    notes: list[str] = field(default_factory=list)


def read(folders: Sequence[Path]) -> Content:
    """The content of a validation, a sweep, or one or more runs. Raises InputError."""
    for folder in folders:
        names = (RESULT, VALIDATION, TABLE)
        if not any((folder / name).is_file() for name in names):
            raise InputError(f"{folder}: no results here, expected {EXPECTED}")
    if all((folder / RESULT).is_file() for folder in folders):
        return _runs(folders)
    if len(folders) > 1:
        raise InputError("several folders found, expected that only for runs")
    folder = folders[0]
    return _validation(folder) if (folder / VALIDATION).is_file() else _sweep(folder)


def _document(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read as JSON: {error}") from None
    if not isinstance(document, dict):
        raise InputError(f"{path}: a JSON object was expected")
    return document


def _frame(path: Path) -> pd.DataFrame:
    import pandas as pd

    try:
        return pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read as Parquet: {error}") from None


def _validation(folder: Path) -> Content:
    import pandas as pd

    path = folder / VALIDATION
    document = _document(path)
    try:
        rows, statistics = pd.DataFrame(document["rows"]), pd.DataFrame(document["statistics"])
        same = rows[rows["work"] == ""]
        overall = statistics[statistics["suite"] == "all"].set_index("model")
    except KeyError as error:
        raise InputError(f"{path}: {error} is missing, expected a hardware validation") from None
    if same.empty:
        raise InputError(f"{path}: no application did the same work on both sides")
    labels = {
        str(model): f"{model} [r={_number(row['Pearson_Corr'])}, MAPE={row['Average']:.1f} %, "
        f"n={row['Apps']:.0f}]"
        for model, row in overall.iterrows()
    }
    facts = {f"MAPE, {model}": f"{row['Average']:.1f} %" for model, row in overall.iterrows()}
    notes = [*document["notes"]]
    for row in document["published"]:
        notes.append(
            f"published over all applications of the paper on {row['gpu']}: "
            f"{row['paper_model_mape_pct']} % (the authors' simulator), "
            f"{row['accel_sim_mape_pct'] or '-'} % (Accel-Sim)"
        )
    plots = [figures.correlation(same, labels), figures.ape_curve(same), figures.signed_bars(same)]
    columns = ["suite", "application", "arguments", "model", "hardware", "simulated", "error"]
    tables = {
        "Applications": rows[[*columns, "influence", "work"]],
        "Statistics of the absolute errors (%)": _transposed(statistics),
    }
    gpu, table = document["gpu"], document["hardware"]
    subtitle = f"{gpu}, preset {document['preset']}, hardware from {table}"
    return Content("Model against hardware", subtitle, facts, plots, tables, notes)


def _number(value: float | None) -> str:
    return "-" if value is None or np.isnan(value) else f"{value:.3f}"


def _transposed(statistics: pd.DataFrame) -> pd.DataFrame:
    names = statistics["model"] + ": " + statistics["suite"]
    numbers = statistics.drop(columns=["model", "suite"]).set_axis(names, axis=0)
    return numbers.T.reset_index(names="statistic")


def _runs(folders: Sequence[Path]) -> Content:
    import pandas as pd

    documents = [_document(folder / RESULT) for folder in folders]
    runs = list(zip(folders, documents, strict=True))
    kernels = [(folder, kernel) for folder, document in runs for kernel in document["kernels"]]
    several = len(folders) > 1
    names = [
        f"{folder.name}: {kernel['name']}" if several else f"{kernel['launch']}: {kernel['name']}"
        for folder, kernel in kernels
    ]
    stalls = pd.DataFrame([k["stalls"] for _, k in kernels], columns=list(STATES), index=names)
    issued = [k["warp_inst"] for _, k in kernels]
    stacked = stalls.iloc[:MOST_KERNELS]
    plots = [stacks.cpi_stack(stacked, issued[:MOST_KERNELS])]
    if len(folders) == 2:
        plots.append(_difference(folders, documents))
    tables = {"Kernels": _kernels(kernels)}
    if (folders[0] / PCS).is_file():
        plots += _attributed(folders[0], documents[0], f"{folders[0].name}: " * several)
        tables["Warp-cycles by instruction, SM 0"] = _listing(folders[0])
    if (folders[0] / EVENTS).is_file():
        plots.append(figures.issue_timeline(_frame(folders[0] / EVENTS)))
    statistics = pd.DataFrame([kernel["statistics"] for _, kernel in kernels], index=names)
    hot = [_frame(folder / "instructions.parquet").assign(run=folder.name) for folder in folders]
    spots = pd.concat(hot).nlargest(30, "warp_cycles")
    spots["pc"] = spots["pc"].map("{:#06x}".format)
    facts = {f"cycles, {folder.name}": f"{d['total']['cycles']:,}" for folder, d in runs}
    tables |= {
        "Costliest instructions": spots[["run", "launch", "pc", "instruction", "issued", "share"]],
        "Statistics": _explained(statistics),
    }
    about = "; ".join(f"{d['gpu']}, preset {d['preset']}, {d['fingerprint']}" for d in documents)
    title = "Simulated runs" if several else "Simulated run"
    return Content(title, about, facts, plots, tables, list(_marks(documents)))


def _kernels(kernels: Sequence[tuple[Path, dict[str, Any]]]) -> pd.DataFrame:
    """Launch, size and cycles of each kernel."""
    import pandas as pd

    rows = [
        {"run": folder.name, "launch": kernel["launch"], "name": kernel["name"]}
        | {shape: " x ".join(map(str, kernel[shape])) for shape in ("grid", "block")}
        | {name: kernel[name] for name in KERNEL_COLUMNS}
        for folder, kernel in kernels
    ]
    return pd.DataFrame(rows)


def _explained(statistics: pd.DataFrame) -> pd.DataFrame:
    """Of few kernels a row a statistic, with its meaning; of many a row a kernel."""
    if len(statistics) > FEW_KERNELS:
        return statistics.reset_index(names="kernel")
    table = statistics.T.rename_axis("name").reset_index()
    about = [METRICS[name] for name in table["name"]]
    table.insert(1, "unit", [metric.unit for metric in about])
    table["definition"] = [metric.definition for metric in about]
    table["Nsight Compute"] = [metric.nsight for metric in about]
    return table


def _attributed(folder: Path, document: dict[str, Any], run: str) -> list[Figure]:
    """Issue slots and instructions of the kernel with most cycles; `run` stands before its name."""
    kernel = max(document["kernels"], key=lambda kernel: kernel["cycles"])
    by_pc, slots = _frame(folder / PCS), _frame(folder / SLOTS)
    by_pc = by_pc[by_pc["launch"] == kernel["launch"]].drop(columns="launch")
    slots = slots[slots["launch"] == kernel["launch"]].drop(columns="launch")
    return [
        stacks.issue_slots(slots, run + kernel["name"]),
        stacks.instructions(by_pc.reset_index(drop=True), run + kernel["name"]),
    ]


def _listing(folder: Path) -> pd.DataFrame:
    """All instructions of the run in the order of the code, with the states that occur."""
    by_pc = _frame(folder / PCS)
    states = by_pc[list(STATES)]
    states = states.loc[:, states.any()]
    cost = states.sum(axis=1)
    table = by_pc[["launch", "pc", "instruction"]].assign(
        pc=by_pc["pc"].map("{:#06x}".format),
        share=cost / cost.groupby(by_pc["launch"]).transform("sum"),
    )
    return table.join(states).iloc[:MOST_ROWS]


def _difference(folders: Sequence[Path], documents: list[dict[str, Any]]) -> Figure:
    """Of two runs as wholes: all of their kernels together."""
    import pandas as pd

    rows = [pd.DataFrame([k["stalls"] for k in d["kernels"]]).sum() for d in documents]
    names = [folder.name for folder in folders]
    names = names if names[0] != names[1] else [str(folder) for folder in folders]
    issued = [sum(k["warp_inst"] for k in d["kernels"]) for d in documents]
    return stacks.cpi_difference(pd.DataFrame(rows, index=names), issued)


def _marks(documents: list[dict[str, Any]]) -> Iterator[str]:
    for document in documents:
        if document["overrides"]:
            changes = ", ".join(f"{k} = {v}" for k, v in document["overrides"].items())
            yield f"{document['fingerprint']}: {changes}"
        for kernel in document["kernels"]:
            if kernel["unknown_opcodes"]:
                names = ", ".join(kernel["unknown_opcodes"])
                yield f"cycles of {kernel['name']} rest on guesses for unknown opcodes: {names}"


def _sweep(folder: Path) -> Content:
    path = folder / TABLE
    frame = _frame(path)
    whole = frame[frame["error"].isna()]
    if whole.empty:
        raise InputError(f"{path}: no point of this sweep has a result")
    before = list(frame.columns)[: list(frame.columns).index("name")]
    axes = [c for c in before if c not in POINT_COLUMNS and whole[c].nunique() > 1]
    effects = {axis: effect(_one_design(whole, axes, axis), axis) for axis in axes}
    plots = [figures.tornado(effects)] if effects else []
    plots += [figures.sensitivity(table, axis) for axis, table in effects.items()]
    failed = frame[frame["error"].notna()]
    facts = {
        "points": f"{frame['point'].nunique()}",
        "failed": f"{failed['point'].nunique()}",
        "axes": f"{len(axes)}",
    }
    tables = {"Points": whole[[*POINT_COLUMNS, *axes, "name", "launch", "cycles", "ipc_elapsed"]]}
    if len(failed):
        tables["Failed points"] = failed[[*POINT_COLUMNS, *axes, "error"]]
    return Content("Design-space sweep", str(folder.name), facts, plots, tables)


def _one_design(whole: pd.DataFrame, axes: list[str], axis: str) -> pd.DataFrame:
    """The rows to compare values of an axis by: most of those that set the same axes.

    All rows, if these have but one value of it: a preset beside a grid, for instance.
    """
    given = whole[whole[axis].notna()]
    sets = given[axes].notna().astype(int).astype(str).agg("".join, axis="columns")
    chosen = given[sets == sets.mode()[0]]
    return chosen if chosen[axis].nunique() > 1 else given


def effect(whole: pd.DataFrame, axis: str) -> pd.DataFrame:
    """Speed-up of each value of an axis over its first one, by kernel, over all other axes.

    Columns: `value`; `speedup`, the geometric mean over kernels; `low` and `high` among them.
    """
    import pandas as pd

    logs = whole.assign(log=np.log(whole["cycles"].to_numpy(float)))
    means = logs.groupby(["input", "name", "launch", axis], sort=False)["log"].mean().unstack(axis)
    values = sorted(means.columns) if pd.api.types.is_numeric_dtype(whole[axis]) else means.columns
    means = means.reindex(columns=list(values))  # by label: booleans would choose rows
    gains = np.exp(-means.sub(means.iloc[:, 0], axis=0))
    return pd.DataFrame(
        {
            "value": list(values),
            "speedup": np.exp(np.log(gains).mean()).to_numpy(),
            "low": gains.min().to_numpy(),
            "high": gains.max().to_numpy(),
        }
    )
