"""The verbs about trace files: `trace` and `convert`."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from typer.core import TyperGroup

from ..isa.errors import InputError
from .cli_text import table

if TYPE_CHECKING:
    from ..traces.info import KernelInfo
    from ..traces.kernel import Trace
    from ..traces.store import Writer

OPCODES_SHOWN = 8
RATE = 4.7e6  # warp-instructions per second, gemm in docs/benchmarks.md; others differ a lot


class TraceGroup(TyperGroup):
    """`trace INPUT` and `trace -- PROGRAM` record; `trace info INPUT` is a command of its own."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Record unless another command is named."""
        if "--" in args and args[0] not in self.commands:
            args = ["program", *args]
        elif args and args[0] not in (*self.commands, "--help"):
            args = ["record", *args]
        return super().parse_args(ctx, args)


def recorded(writer: Writer, path: Path) -> dict[str, Any]:
    """What there is to say about a new `.warptrace`."""
    return {
        "schema": 1,
        "trace": str(path),
        "hash": writer.hash,
        "bytes": path.stat().st_size,
        "kernels": [
            {"name": k.name, "grid": list(k.grid), "block": list(k.block), "arch": k.program.arch}
            for k in writer.kernels
        ],
    }


def parse_launches(launches: str | None) -> range:
    """The launches such as `2:5`, the last excluded; all without a text."""
    if launches is None:
        return range(sys.maxsize)
    found = re.fullmatch(r"(\d+):(\d*)", launches)
    if not found:
        raise InputError(
            f"--launches {launches}: expected FIRST:LAST, the last one excluded, as in 2:5 or 2:"
        )
    return range(int(found[1]), int(found[2] or sys.maxsize))


def read(
    path: Path,
    launch: Path | None,
    kernel: str | None,
    cubin: Path | None,
    launches: str | None,
    ctas: str | None,
) -> Trace:
    """A trace, or what the options choose of it. Raises InputError."""
    from ..traces.convert import cut
    from ..traces.load import load

    chosen = None if launches is None else parse_launches(launches)
    trace = load(path, launch, kernel, cubin, chosen)
    if ctas is None:
        return trace
    found = re.fullmatch(r"(\d+):(\d+)", ctas)
    if not found:
        raise InputError(f"--ctas {ctas}: expected FIRST:LAST, the last one excluded, as in 0:10")
    first, last = map(int, found.groups())
    return replace(trace, kernels=tuple(cut(k, first, last) for k in trace.kernels))


def document(kernels: list[KernelInfo]) -> dict[str, Any]:
    """What `warpwise trace info --json` prints."""
    return {
        "schema": 1,
        "kernels": [
            {
                "name": k.name,
                "launch": k.launch,
                "arch": k.arch,
                "grid": list(k.grid),
                "block": list(k.block),
                "control_bits": k.control_bits,
                "copies": k.copies,
                "copied_bytes": k.copied_bytes,
                "ctas": k.ctas,
                "warps": k.warps,
                "warp_inst": k.instructions,
                "lanes_active": k.lanes_active,
                "footprint_bytes": k.footprint_bytes,
                "opcodes": dict(k.opcodes.most_common()),
            }
            for k in kernels
        ],
    }


def report(kernels: list[KernelInfo]) -> str:
    """The same for readers."""
    return "\n\n".join(map(_kernel, kernels))


def _kernel(k: KernelInfo) -> str:
    sizes = f"grid {'x'.join(map(str, k.grid))}  block {'x'.join(map(str, k.block))}"
    common = [
        (opcode, f"{count / k.instructions:.1%}") for opcode, count in k.opcodes.most_common()
    ]
    rows = [
        ("CTAs", f"{k.ctas:,}", f"{k.warps:,} warps"),
        ("warp instructions", f"{k.instructions:,}", f"about {k.instructions / RATE:.1f} s to run"),
        ("lanes active", f"{k.lanes_active:.1%}", "mean over instructions"),
        ("footprint", f"{k.footprint_bytes:,} B", "of global memory, in sectors of 32 B"),
        ("copied before it", f"{k.copied_bytes:,} B", f"by the host, in {k.copies} copies"),
        ("control bits", "yes" if k.control_bits else "no", ""),
    ]
    parts = [
        f"{k.name}  {sizes}  {k.arch}",
        table(rows, "<><"),
        table(common[:OPCODES_SHOWN], "<>"),
    ]
    return "\n\n".join(parts)
