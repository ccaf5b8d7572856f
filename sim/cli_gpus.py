"""GPUs and their parameters, as text and as plain values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, get_args, get_type_hints

from .cli_text import table
from .machine.load import Machine, Source, load, names
from .machine.schema import Cycles, Section

# By the last word of a key.
UNITS = {"mhz": "MHz", "kib": "KiB", "bytes": "bytes", "ns": "ns"} | dict.fromkeys(
    ("cycles", "delay", "interval", "latency", "trip", "window"), "cycles"
)
UNSOURCED = Source("")


@dataclass(frozen=True)
class Parameter:
    """One value of a GPU."""

    key: str
    value: Any
    unit: str
    source: str
    note: str
    meaning: str


@dataclass(frozen=True)
class View:
    """The same for readers and for programs."""

    text: str
    document: dict[str, Any]


def overview() -> View:
    """The GPUs that ship, one line each."""
    machines = [load(name) for name in names()]
    entries = [
        {
            "name": m.key,
            "product": m.gpu.name,
            "arch": m.gpu.arch,
            "sms": m.gpu.sms,
            "core_mhz": m.gpu.clock.core_mhz,
            "l2_kib": m.gpu.l2.size_kib,
        }
        for m in machines
    ]
    rows: list[tuple[str, ...]] = [("name", "product", "arch", "SMs", "core MHz", "L2 KiB")]
    rows += [tuple(_plain(value) for value in entry.values()) for entry in entries]
    return View(table(rows, "<<<>>>", indent=""), {"schema": 1, "gpus": entries})


def parameters(name: str) -> View:
    """All parameters of a GPU."""
    machine = load(name)
    found = list(_parameters(machine, machine.gpu, ""))
    rows = [("parameter", "value", "unit", "source", "meaning (note)")]
    rows += [(p.key, _plain(p.value), p.unit, p.source, _explanation(p)) for p in found]
    document = {
        "schema": 1,
        "gpu": machine.key,
        "fingerprint": machine.fingerprint,
        "parameters": [asdict(p) for p in found],
    }
    return View(table(rows, "<><<<", indent=""), document)


def difference(name: str, other: str) -> View:
    """The parameters whose values differ; a parameter that a GPU lacks has no value there."""
    one, two = load(name), load(other)
    values, others = one.values(), two.values()
    keys = [key for key in {**values, **others} if values.get(key) != others.get(key)]
    entries = [{"key": k, one.key: values.get(k), two.key: others.get(k)} for k in keys]
    rows = [("parameter", one.key, two.key)]
    rows += [(k, _plain(values.get(k)), _plain(others.get(k))) for k in keys]
    document = {"schema": 1, "gpus": [one.key, two.key], "differences": entries}
    return View(table(rows, "<>>", indent=""), document)


def _parameters(machine: Machine, section: Section, prefix: str) -> Iterator[Parameter]:
    hints = get_type_hints(type(section), include_extras=True)
    for name, field in type(section).model_fields.items():
        value, key = getattr(section, name), prefix + name
        inner = value if isinstance(value, dict) else {"": value}
        for last, item in inner.items():
            path = f"{key}.{last}" if last else key
            if isinstance(item, Section):
                yield from _parameters(machine, item, f"{path}.")
            else:
                meaning = field.description or ""
                source = _source(machine, path)
                unit = _unit(name, hints[name], meaning)
                yield Parameter(path, item, unit, source.kind, source.note, meaning)


def _source(machine: Machine, path: str) -> Source:
    """The source of a value, or of the table that it is part of."""
    while path not in machine.sources and "." in path:
        path = path.rpartition(".")[0]
    return machine.sources.get(path, UNSOURCED)


def _unit(name: str, hint: Any, meaning: str) -> str:
    if unit := UNITS.get(name.rpartition("_")[2]):
        return unit
    in_cycles = Cycles in (hint, *get_args(hint)) or meaning.startswith("cycles")
    return "cycles" if in_cycles else ""


def _plain(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return "/".join(map(_plain, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _explanation(parameter: Parameter) -> str:
    note = f"({parameter.note})" if parameter.note else ""
    return f"{parameter.meaning} {note}".strip()
