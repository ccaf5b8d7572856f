"""GPU files: find one by name, resolve `extends`, apply overrides, keep each value's source."""

from __future__ import annotations

import difflib
import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ...isa.errors import InputError
from .schema import Gpu

SOURCES = ("measured", "paper", "vendor", "authors", "fitted", "assumed", "user")
_ABSTRACT = {"ampere", "turing", "blackwell"}


@dataclass(frozen=True)
class Source:
    """Where a value comes from."""

    kind: str
    note: str = ""


@dataclass(frozen=True)
class Machine:
    """A validated GPU, the source of each of its values, and what the user changed."""

    key: str
    gpu: Gpu
    sources: Mapping[str, Source]
    preset: str
    overrides: Mapping[str, Any]

    @property
    def fingerprint(self) -> str:
        """Hash of the resolved configuration."""
        return hashlib.sha256(self.gpu.model_dump_json().encode()).hexdigest()[:16]

    def values(self) -> dict[str, Any]:
        """All parameters by dotted path, in file order."""
        return dict(_leaves(self.gpu.model_dump()))


def names() -> list[str]:
    """The GPUs that ship, by the names that `--gpu` takes."""
    return sorted(p for p in _files() if p not in _ABSTRACT)


def presets() -> list[str]:
    """The presets that ship, by the names that `--preset` takes."""
    return ["ref", *sorted(_preset_files())]


def load(
    gpu: str = "rtx_a6000", preset: str = "ref", overrides: Mapping[str, Any] | None = None
) -> Machine:
    """The machine called `gpu` (or a TOML file of that path) with `overrides` by dotted path.

    Raises InputError for unknown names, keys and values out of bounds.
    """
    key, table = _read(gpu)
    table = _merge(table, _preset(preset, table.get("arch", "")))
    sources: dict[str, Source] = {}
    plain = _strip_sources(table, "", sources)
    for path, value in (overrides or {}).items():
        _set(plain, path, value)
        sources[path] = Source("user")
    try:
        validated = Gpu.model_validate(plain)
    except ValidationError as error:
        raise InputError(_explain(key, error)) from None
    return Machine(key, validated, sources, preset, dict(overrides or {}))


def parse_override(text: str) -> tuple[str, Any]:
    """`sm.register_file.read_ports=2` as (path, value); values are TOML, bare words strings."""
    path, separator, value = text.partition("=")
    if not separator or not path.strip():
        raise InputError(f"--set {text}: expected KEY=VALUE, e.g. sm.register_file.read_ports=2")
    try:
        return path.strip(), tomllib.loads(f"v = {value}")["v"]
    except tomllib.TOMLDecodeError:
        return path.strip(), value.strip()


def _files() -> dict[str, Any]:
    folder = resources.files(__package__)
    return {p.name[:-5]: p for p in folder.iterdir() if p.name.endswith(".toml")}


def _preset_files() -> dict[str, Any]:
    folder = resources.files(__package__) / "presets"
    return {p.name[:-5]: p for p in folder.iterdir() if p.name.endswith(".toml")}


def _preset(name: str, arch: str) -> dict[str, Any]:
    """What a preset changes on an architecture; `ref` changes nothing."""
    if name == "ref":
        return {}
    files = _preset_files()
    if name not in files:
        raise InputError(f"unknown preset '{name}'; there is: {', '.join(presets())}")
    table = tomllib.loads(files[name].read_text())
    by_arch = table.pop("arch", {})
    return _merge(table, by_arch.get(arch, {}))


def _read(gpu: str, users: tuple[str, ...] = ()) -> tuple[str, dict[str, Any]]:
    """Key and merged table of a GPU, its base first; `users` are the files that extend it."""
    if gpu in users:
        raise InputError(f"{gpu} extends itself: {' <- '.join((*users, gpu))}")
    files = _files()
    key = gpu.strip().lower().replace("-", "_").replace(" ", "_")
    if gpu.endswith(".toml"):
        path = Path(gpu)
        if not path.is_file():
            raise InputError(f"{gpu}: no such GPU file")
        key, text = path.stem, path.read_text()
    elif key in files:
        text = files[key].read_text()
    else:
        near = difflib.get_close_matches(key, names(), n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise InputError(f"unknown GPU '{gpu}'{hint} There is: {', '.join(names())}")
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{gpu}: not a TOML file: {error}") from None
    if table.pop("schema", 1) != 1:
        raise InputError(f"{gpu}: expected schema = 1")
    base = table.pop("extends", None)
    return key, _merge(_read(base, (*users, gpu))[1], table) if base else table


def _merge(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for name, value in changes.items():
        old = merged.get(name)
        both = isinstance(value, dict) and isinstance(old, dict)
        keep = both and "value" not in value and "source" not in value
        merged[name] = _merge(old, value) if keep and old is not None else value
    return merged


def _strip_sources(value: Any, path: str, sources: dict[str, Source]) -> Any:
    """The table without its provenance, which goes to `sources` by dotted path."""
    if not isinstance(value, dict):
        return value
    value = dict(value)
    if "source" in value:
        kind = value.pop("source")
        if kind not in SOURCES:
            raise InputError(f"{path}: unknown source '{kind}'; expected {', '.join(SOURCES)}")
        sources[path] = Source(kind, value.pop("note", ""))
        if set(value) == {"value"}:
            return value["value"]
    prefix = f"{path}." if path else ""
    return {name: _strip_sources(item, prefix + name, sources) for name, item in value.items()}


def _set(table: dict[str, Any], path: str, value: Any) -> None:
    """Replace one existing value, so that a typing error never passes unseen."""
    *folders, last = path.split(".")
    here: Any = table
    for folder in folders:
        here = here.get(folder) if isinstance(here, dict) else None
    if not isinstance(here, dict) or last not in here:
        known = [name for name, _ in _leaves(table)]
        near = difflib.get_close_matches(path, known, n=1)
        hint = f"; did you mean {near[0]}?" if near else "; `warpwise gpus NAME` lists them"
        raise InputError(f"unknown parameter '{path}'{hint}")
    here[last] = value


def _leaves(value: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    leaves: list[tuple[str, Any]] = []
    for name, item in value.items():
        path = f"{prefix}{name}"
        leaves += _leaves(item, f"{path}.") if isinstance(item, dict) else [(path, item)]
    return leaves


def _explain(key: str, error: ValidationError) -> str:
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    return f"{key}: {where}: {first['msg']} (found {first.get('input')!r})"
