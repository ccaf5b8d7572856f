"""Hardware numbers from files: the tidy table of this project, and reports of Nsight Compute."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..isa.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = (
    *("suite", "application", "arguments", "kernel", "launch", "gpu", "core_mhz", "memory_mhz"),
    *("cuda", "model", "metric", "value", "trust", "source"),
)
NEEDED = ("application", "metric", "value")
NUMBERS = ("launch", "core_mhz", "memory_mhz")
NO_ARGUMENTS = "NO_ARGS"
# Metrics that can be compared, by all names under which files have them.
METRICS = {
    "cycles": (
        *("cycles", "gpc__cycles_elapsed.max", "gpc__cycles_elapsed.avg", "Elapsed Cycles"),
        *("sm__cycles_elapsed.max", "sm__cycles_elapsed.avg"),
    ),
    "warp_inst": ("warp_inst", "smsp__inst_executed.sum", "Executed Instructions"),
}
_UNITS = {"cycles": "cycle", "warp_inst": "inst"}
_SHORT = {name: short for short, names in METRICS.items() for name in names}
_GPU_NAME = "device__attribute_display_name"
_ABOUT = ("ID", "Process Name", "Kernel Name")  # what every export has in its header


def read(path: str | Path) -> pd.DataFrame:
    """One row a number, columns `COLUMNS`: hardware, or a published `model` if that is not empty.

    `path` is a tidy CSV file, an export `ncu --csv` with `--page raw` or `--page details`, a
    `.ncu-rep`, or a folder of the last two laid out as `application/arguments/file`.
    Raises InputError with file and line.
    """
    import pandas as pd

    path = Path(path)
    if not path.exists():
        raise InputError(f"{path}: there is no such file or folder")
    rows = list(_folder(path) if path.is_dir() else _file(path))
    if not rows:
        raise InputError(f"{path}: no row of a metric that can be compared: {', '.join(METRICS)}")
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _folder(path: Path) -> Iterator[dict[str, Any]]:
    files = sorted(p for p in path.rglob("*") if p.suffix in (".csv", ".ncu-rep"))
    for file in files:
        *_, application, arguments = ("", "", *file.relative_to(path).parent.parts)
        place = {"application": application, "arguments": arguments} if arguments else {}
        for row in _file(file):
            yield row | place


def _file(path: Path) -> Iterator[dict[str, Any]]:
    if path.suffix == ".ncu-rep":
        return _report(path)
    text = _text(path)
    # Nsight Compute writes lines of its own before the table.
    lines = [(n, t) for n, t in enumerate(text.splitlines(), 1) if t and not t.startswith("==")]
    if not lines:
        raise InputError(f"{path}: empty, expected a table with the columns {', '.join(COLUMNS)}")
    header = next(csv.reader([lines[0][1]]))
    if not set(_ABOUT) <= set(header):
        return _tidy(path, text)
    numbered = _numbered(path, header, lines)
    return _details(path, numbered) if "Metric Value" in header else _raw(path, numbered)


def _text(path: Path) -> str:
    try:
        content = path.read_bytes()
        wide = content.startswith((b"\xff\xfe", b"\xfe\xff"))
        return content.decode("utf-16" if wide else "utf-8-sig")
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: byte {error.start} is not text, expected a CSV file") from None


def _tidy(path: Path, text: str) -> Iterator[dict[str, Any]]:
    reader = csv.DictReader(io.StringIO(text))
    header = reader.fieldnames or []
    for column in header:
        if column not in COLUMNS:
            raise InputError(
                f"{path}, line 1: column {column!r} found, expected some of {', '.join(COLUMNS)}"
            )
    for column in NEEDED:
        if column not in header:
            raise InputError(f"{path}, line 1: there is no column {column!r}; it is needed")
    for row in reader:
        where = f"{path}, line {reader.line_num}"
        if None in row or None in row.values():
            raise InputError(f"{where}: expected {len(header)} cells, as in the header")
        yield _checked(row, where)


def _checked(row: dict[str, str], where: str) -> dict[str, Any]:
    cells: dict[str, Any] = dict.fromkeys(COLUMNS, "") | {k: v.strip() for k, v in row.items()}
    for column in NEEDED:
        if not cells[column]:
            raise InputError(f"{where}: {column} is empty; it is needed")
    if cells["metric"] not in _SHORT:
        known = ", ".join(_SHORT)
        raise InputError(f"{where}: metric {cells['metric']!r} found, expected one of {known}")
    cells["metric"] = _SHORT[cells["metric"]]
    cells["arguments"] = cells["arguments"] or NO_ARGUMENTS
    cells["value"] = _positive(cells["value"], "value", where)
    for column in NUMBERS:
        text = cells[column]
        cells[column] = _number(text, column, where) if text else float("nan")
    return cells


def _number(text: str, column: str, where: str) -> float:
    try:
        return float(text.replace(",", ""))  # Nsight Compute groups digits
    except ValueError:
        raise InputError(f"{where}: {column} {text!r} found, expected a number") from None


def _positive(text: str, column: str, where: str) -> float:
    number = _number(text, column, where)
    if not 0 < number < float("inf"):
        raise InputError(f"{where}: {column} {text!r} found, expected a number above 0")
    return number


Lines = Iterator[tuple[str, dict[str, str]]]  # where, cells


def _numbered(path: Path, header: list[str], lines: list[tuple[int, str]]) -> Lines:
    for number, line in lines[1:]:
        cells = next(csv.reader([line]))
        if len(cells) != len(header):
            raise InputError(
                f"{path}, line {number}: {len(cells)} cells found, expected {len(header)}"
            )
        yield f"{path}, line {number}", dict(zip(header, cells, strict=True))


def _details(path: Path, lines: Lines) -> Iterator[dict[str, Any]]:
    """One line a metric; several sections may repeat one."""
    seen = set()
    for where, cells in lines:
        name = cells["Metric Name"]
        if name in _SHORT and (cells["ID"], _SHORT[name]) not in seen:
            seen.add((cells["ID"], _SHORT[name]))
            _check_unit(name, cells.get("Metric Unit", ""), where)
            yield _profiled(cells, name, cells["Metric Value"], where, path)


def _raw(path: Path, lines: Lines) -> Iterator[dict[str, Any]]:
    """One line a launch; the first one after the header has units and no ID."""
    for where, cells in lines:
        if cells["ID"]:
            yield from _metrics(cells, where, path)
        else:
            for name in _SHORT.keys() & cells.keys():
                _check_unit(name, cells[name], where)


def _check_unit(name: str, unit: str, where: str) -> None:
    """Nsight Compute may scale what it prints."""
    expected = _UNITS[_SHORT[name]]
    if unit not in ("", expected):
        raise InputError(
            f"{where}: {name} in {unit!r} found, expected {expected!r}: --print-units base"
        )


def _metrics(cells: dict[str, str], where: str, path: Path) -> Iterator[dict[str, Any]]:
    """Each metric once, under the first of its names."""
    for names in METRICS.values():
        name = next((n for n in names if cells.get(n)), None)
        if name is not None:
            yield _profiled(cells, name, cells[name], where, path)


def _profiled(
    cells: dict[str, str], metric: str, value: str, where: str, path: Path
) -> dict[str, Any]:
    row = {
        "application": Path(cells["Process Name"] or path.name).name.split(".")[0],
        "kernel": cells["Kernel Name"],
        "launch": cells["ID"],
        "gpu": cells.get(_GPU_NAME, ""),
        "metric": metric,
        "value": value,
        "trust": "measured",
        "source": path.name,
    }
    return _checked(row, where)


def _report(path: Path) -> Iterator[dict[str, Any]]:
    """Launches are numbered from 0 in the order of the report, as in the exports."""
    try:
        import ncu_report
    except ImportError:
        raise InputError(
            f"{path}: reading it needs the extra 'ncu' (pip install 'warpwise[ncu]'); or export it "
            f"with: ncu --import {path.name} --csv --page raw > {path.stem}.csv"
        ) from None
    context = ncu_report.load_report(str(path))
    ranges = [context.range_by_idx(n) for n in range(context.num_ranges())] if context else []
    actions = [group.action_by_idx(n) for group in ranges for n in range(group.num_actions())]
    if not actions:
        raise InputError(f"{path}: no kernel launch found, expected a report of Nsight Compute")
    for number, action in enumerate(actions):
        wanted = [*_SHORT, _GPU_NAME]
        found = {name: action.metric_by_name(name) for name in wanted}
        cells = {name: str(metric.value()) for name, metric in found.items() if metric}
        about = {"ID": str(number), "Process Name": path.stem, "Kernel Name": action.name()}
        yield from _metrics(about | cells, f"{path}, launch {number}", path)


def normal_kernel(name: str) -> str:
    """A kernel's bare name from any of its spellings: mangled, demangled, with a return type."""
    from ..isa.cubin import plain_name

    bare = re.sub(r"<.*", "", name.split("(")[0]).strip()
    return plain_name(bare.split(" ")[-1].split("::")[-1])


def normal_gpu(name: str) -> str:
    """`NVIDIA RTX A6000` as `rtx_a6000`, the way this project names GPUs."""
    return re.sub(r"^(nvidia |geforce )+", "", name.strip().lower()).replace(" ", "_")
