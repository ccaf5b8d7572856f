"""Pages of the documentation that the code knows best: parameters, metrics, commands."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path

from warpwise.sim import cli_gpus
from warpwise.sim.machine.load import SOURCES, names, presets
from warpwise.sim.metrics import METRICS, STALL_METRICS, Metric

GPU = "rtx_a6000"  # whose parameters are shown whole


def write(folder: Path) -> None:
    """Write all pages."""
    folder.mkdir(exist_ok=True)
    pages = {"parameters": parameters(), "gpus": gpus(), "metrics": metrics()}
    for name, lines in pages.items():
        (folder / f"{name}.md").write_text("\n".join(lines) + "\n")


def parameters() -> Iterator[str]:
    """All parameters of one GPU, a table for each part of the machine."""
    view = cli_gpus.parameters(GPU)
    found = view.document["parameters"]
    yield f"# Parameters of {GPU}\n"
    yield (
        f"The same as `warpwise gpus {GPU}`; `--set KEY=VALUE` changes a value. Of "
        f"{len(found)} values, {_counts(p['source'] for p in found)}.\n"
    )
    for part, rows in groupby(found, key=lambda p: p["key"].rpartition(".")[0]):
        yield f"## {part or 'the GPU'}\n"
        yield from _table(
            ("parameter", "value", "unit", "source", "meaning"),
            (
                (f"`{p['key']}`", _text(p["value"]), p["unit"], p["source"], _meaning(p))
                for p in rows
            ),
        )


def _counts(sources: Iterable[str]) -> str:
    found = list(sources)
    parts = [f"{found.count(kind)} are {kind}" for kind in SOURCES if kind in found]
    return ", ".join(parts)


def _meaning(parameter: dict[str, str]) -> str:
    note = f" *({parameter['note']})*" if parameter["note"] else ""
    return parameter["meaning"] + note


def _text(value: object) -> str:
    if isinstance(value, list | tuple):
        return " / ".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def gpus() -> Iterator[str]:
    """The GPUs and presets, and what differs between the GPUs."""
    yield "# GPUs and presets\n"
    machines = cli_gpus.overview().document["gpus"]
    columns = ("name", "product", "arch", "sms", "core_mhz", "l2_kib")
    heads = ("name", "product", "architecture", "SMs", "core clock, MHz", "L2, KiB")
    yield from _table(heads, ([str(m[column]) for column in columns] for m in machines))
    yield f"Presets (`--preset`): {', '.join(f'`{name}`' for name in presets())}.\n"
    for other in names():
        if other != GPU:
            yield f"## {other} beside {GPU}\n"
            rows = cli_gpus.difference(GPU, other).document["differences"]
            yield from _table(
                ("parameter", GPU, other),
                ((f"`{row['key']}`", _text(row[GPU]), _text(row[other])) for row in rows),
            )


def metrics() -> Iterator[str]:
    """The statistics and the warp states, with what Nsight Compute calls them."""
    yield "# Statistics\n"
    yield (
        "Columns of `Result.stats`, of run folders and of sweeps. Beside the metric of Nsight "
        "Compute stands how it compares: `equal` exactly, `close` in percent, `proxy` side by side "
        'only. A data frame carries this table in `frame.attrs["metrics"]`.\n'
    )
    yield from _metrics(METRICS)
    yield "## Warp states\n"
    yield (
        "Columns of `Result.stalls`, in the order in which they are decided: each resident warp is "
        "in one of them in each cycle, the first that applies, so they add up to all warp-cycles. "
        "Nsight Compute gives them divided by issued instructions.\n"
    )
    yield from _metrics(STALL_METRICS)


def _metrics(entries: dict[str, Metric]) -> Iterator[str]:
    yield from _table(
        ("name", "unit", "definition", "Nsight Compute", "relation"),
        (
            (f"`{name}`", m.unit, m.definition, m.nsight and f"`{m.nsight}`", m.relation)
            for name, m in entries.items()
        ),
    )


def _table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    """A table in Markdown."""
    heads = list(heads)
    yield _line(heads)
    yield _line("---" for _ in heads)
    yield from map(_line, rows)
    yield ""


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
