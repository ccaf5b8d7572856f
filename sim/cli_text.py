"""Results as text for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .attribution import Attribution
    from .result import ClockReads, KernelResult, Result

HOTSPOTS = 5
WARPS_SHOWN = 8  # of those that read the clock


def table(rows: Iterable[Sequence[str]], align: str, indent: str = "  ") -> str:
    """Rows in columns; `align` has `<` or `>` for each."""
    cells = list(rows)
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = (
        "  ".join(f"{cell:{a}{w}}" for cell, a, w in zip(row, align, widths, strict=True))
        for row in cells
    )
    return "\n".join(indent + line.rstrip() for line in lines)


def run_report(result: Result, allow_unknown: bool) -> str:
    """What `warpwise run` prints: each kernel, then the whole run."""
    mark = "" if allow_unknown else "*"
    parts = [_kernel(kernel, result.gpu, mark) for kernel in result.kernels]
    return "\n\n".join([*parts, _summary(result, mark)])


def unknown_note(shares: Mapping[str, float]) -> str:
    """Which opcodes the model had to guess, and how much that matters."""
    named = ", ".join(f"{opcode} ({share:.2%})" for opcode, share in shares.items())
    return (
        f"cycles marked * rest on guesses for opcodes that are not known, here with their share "
        f"of the executed instructions: {named}; --allow-unknown drops the mark"
    )


def _kernel(kernel: KernelResult, gpu: str, mark: str) -> str:
    parts = [
        f"{kernel.name}  grid {_shape(kernel.grid)}  block {_shape(kernel.block)}  {kernel.arch}"
        f"  on {kernel.sms} SM{'s' * (kernel.sms != 1)} of {gpu}",
        table(_headlines(kernel, mark), "<><"),
        table(_stalls(kernel), "<>>>"),
        table(_hotspots(kernel), "<<>>"),
    ]
    if kernel.attribution:
        parts.append(table(_issue_slots(kernel.attribution), "<>>"))
        parts.append(table(_waits(kernel.attribution), "<<><"))
    if kernel.clock_reads:
        parts.append(table(_clock_reads(kernel.clock_reads), "<<<"))
    return "\n\n".join(parts)


def _shape(sizes: tuple[int, int, int]) -> str:
    return "x".join(map(str, sizes))


def _headlines(kernel: KernelResult, mark: str) -> list[tuple[str, str, str]]:
    statistics = kernel.statistics
    rows = [
        (
            "cycles",
            f"{kernel.cycles:,}{mark if kernel.unknown else ''}",
            f"launch {kernel.launch_cycles:,} + execution {kernel.execution_cycles:,}",
        ),
        (
            "warp instructions",
            f"{kernel.warp_inst:,}",
            f"{kernel.thread_inst:,} thread instructions",
        ),
        (
            "IPC",
            f"{kernel.ipc_elapsed:.3f}",
            f"per SM; {statistics['ipc_active']:.3f} while active",
        ),
        ("SM-active cycles", f"{kernel.sm_active_cycles:,.0f}", "mean of the SMs"),
    ]
    if "warps_active" in statistics:  # not counted by the reference model
        rows.append(
            (
                "occupancy",
                f"{statistics['warps_active']:.1f}",
                f"warps per active SM; CTAs per SM: at most {statistics['ctas_per_sm']}",
            )
        )
    return rows + [
        ("unknown opcode", opcode, f"{share:.2%} of warp instructions")
        for opcode, share in kernel.unknown.items()
    ]


def _stalls(kernel: KernelResult) -> list[tuple[str, str, str, str]]:
    total = max(sum(kernel.stalls.values()), 1)
    ordered = sorted(kernel.stalls.items(), key=lambda item: -item[1])
    return [("warp state", "warp-cycles", "share", "cycles/issue")] + [
        (state, f"{cycles:,}", f"{cycles / total:.1%}", f"{cycles / kernel.warp_inst:.2f}")
        for state, cycles in ordered
        if cycles
    ]


def _hotspots(kernel: KernelResult) -> list[tuple[str, str, str, str]]:
    return [("PC", "costliest instructions", "issued", "share of warp-cycles")] + [
        (
            f"{spot['pc']:#06x}",
            spot["instruction"],
            f"{spot['issued']:,}",
            f"{spot['share']:.1%}",
        )
        for spot in kernel.hotspots(HOTSPOTS).to_dict("records")
        if spot["warp_cycles"]
    ]


def _issue_slots(attribution: Attribution) -> list[tuple[str, str, str]]:
    cycles = attribution.issue_slots.sum().sort_values(ascending=False)
    return [(f"issue slots of SM {attribution.sm}", "cycles", "share")] + [
        (str(state), f"{count:,}", f"{count / cycles.sum():.1%}")
        for state, count in cycles.items()
        if count
    ]


def _waits(attribution: Attribution) -> list[tuple[str, str, str, str]]:
    """The costliest instructions, and their two largest states."""
    by_pc = attribution.by_pc.set_index(["pc", "instruction"])
    cost, total = by_pc.sum(axis=1), max(int(by_pc.to_numpy().sum()), 1)
    rows = [("PC", f"where warps of SM {attribution.sm} are", "share", "mostly")]
    for place in cost.nlargest(HOTSPOTS).index:
        largest = by_pc.loc[place].nlargest(2)
        mostly = ", ".join(f"{s} {n / cost[place]:.0%}" for s, n in largest.items() if n)
        rows.append((f"{place[0]:#06x}", place[1], f"{cost[place] / total:.1%}", mostly))
    return rows


def _clock_reads(reads: Sequence[ClockReads]) -> list[tuple[str, str, str]]:
    rows = [("clock reads", "cycles between them", "values")] + [
        (
            f"CTA {','.join(map(str, read.cta))} warp {read.warp}",
            " ".join(str(b - a) for a, b in zip(read.values, read.values[1:], strict=False)),
            " ".join(map(str, read.values)),
        )
        for read in reads[:WARPS_SHOWN]
    ]
    left = len(reads) - WARPS_SHOWN
    return [*rows, (f"and {left} more warps", "", "")] if left > 0 else rows


def _summary(result: Result, mark: str) -> str:
    seconds = sum(kernel.wall_s for kernel in result.kernels)
    speed = result.warp_inst / seconds if seconds else 0.0
    rows = [
        ("trace", result.trace_hash[:16]),
        ("fingerprint", result.fingerprint),
        ("simulated in", f"{seconds:.2f} s, {speed:,.0f} warp instructions per second"),
    ]
    if len(result.kernels) > 1:
        cycles = f"{result.cycles:,}{mark if result.unknown else ''}"
        rows.insert(0, ("total", f"{cycles} cycles, {len(result.kernels)} kernels"))
    return table(rows, "<<", indent="")
