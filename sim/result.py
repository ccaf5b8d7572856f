"""What a simulation says: cycles, statistics, stall states, events; as frames, JSON, files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..isa.files import whole
from .metrics import explained
from .stalls import ORDER_VERSION, STATES

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from .attribution import Attribution

SCHEMA = 1
TABLES = ("stats", "stalls", "subcore_stalls", "instructions")  # properties of `Result`
EVENTS = "events.parquet"  # of runs that recorded events
ATTRIBUTION = ("pc", "issue_slots")  # properties of `Result`, of runs with attribution
RESULT = "result.json"  # written last: a folder that has it is whole
MODEL_VERSION = 5  # rises with every change that may change cycles

EVENT_COLUMNS = [
    *("sm", "subcore", "warp", "cta", "pc", "opcode", "fetch", "decode"),
    *("issue", "control", "allocate", "read_done", "writeback"),
]


def run_fingerprint(trace_hash: str, machine_fingerprint: str) -> str:
    """What names a run of a trace on a machine by this version of the model."""
    parts = f"{trace_hash} {machine_fingerprint} {MODEL_VERSION}"
    return hashlib.sha256(parts.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class ClockReads:
    """The values that one warp read from the clock, in order."""

    cta: tuple[int, int, int]
    warp: int
    values: tuple[int, ...]


@dataclass(frozen=True)
class KernelResult:
    """One kernel on one machine. Cycles are core cycles; stalls are warp-cycles per state."""

    name: str
    launch: int
    grid: tuple[int, int, int]
    block: tuple[int, int, int]
    arch: str
    launch_cycles: int
    execution_cycles: int
    warp_inst: int
    thread_inst: int
    sms: int
    sm_active_cycles: float
    stalls: dict[str, int]
    statistics: dict[str, float]
    instructions: tuple[str, ...] = field(repr=False)
    counts: NDArray[Any] = field(repr=False)  # issues and cycles per PC
    subcore_stalls: NDArray[Any] | None = field(default=None, repr=False)  # SM, sub-core, state
    scoreboards: bool = False  # kept dependent code apart, instead of control bits
    unknown: dict[str, float] = field(default_factory=dict)  # opcode -> share of warp_inst
    clock_reads: tuple[ClockReads, ...] = field(default=(), repr=False)
    event_rows: NDArray[Any] | None = field(default=None, repr=False)
    attribution: Attribution | None = field(default=None, repr=False)
    wall_s: float = 0.0

    @property
    def cycles(self) -> int:
        return self.launch_cycles + self.execution_cycles

    @property
    def ipc_elapsed(self) -> float:
        """Warp-instructions per elapsed cycle and SM."""
        return self.warp_inst / (self.cycles * self.sms)

    @property
    def events(self) -> pd.DataFrame:
        """Cycles of every issued instruction, one row each; missing where a stage does not exist.

        Raises ValueError if the run did not record events.
        """
        import pandas as pd

        if self.event_rows is None:
            raise ValueError("run with events=True to record events")
        names = self.event_rows.dtype.names or ()
        frame = pd.DataFrame({name: self.event_rows[name] for name in names})
        opcodes = [text.split()[0 if text[0] != "@" else 1] for text in self.instructions]
        frame["opcode"] = [opcodes[pc] for pc in frame["pc"]]
        frame["pc"] *= 16
        stages = ["fetch", "decode", "allocate", "read_done", "writeback"]
        frame[stages] = frame[stages].astype("Int64").where(frame[stages] >= 0)
        return frame[EVENT_COLUMNS].sort_values(["sm", "issue", "subcore"], ignore_index=True)

    def hotspots(self, n: int = 10) -> pd.DataFrame:
        """The `n` instructions at which warps spent most cycles, with how often they issued."""
        import pandas as pd

        frame = pd.DataFrame(
            {
                "pc": np.arange(len(self.instructions)) * 16,
                "instruction": self.instructions,
                "issued": self.counts["issued"],
                "warp_cycles": self.counts["cycles"],
            }
        )
        frame["share"] = frame["warp_cycles"] / max(int(frame["warp_cycles"].sum()), 1)
        return frame.nlargest(n, "warp_cycles").reset_index(drop=True)

    def to_dict(self) -> dict[str, Any]:
        """The kernel's part of `warpwise run --json`."""
        result: dict[str, Any] = {
            "name": self.name,
            "launch": self.launch,
            "grid": list(self.grid),
            "block": list(self.block),
            "arch": self.arch,
            "cycles": self.cycles,
            "launch_cycles": self.launch_cycles,
            "execution_cycles": self.execution_cycles,
            "warp_inst": self.warp_inst,
            "thread_inst": self.thread_inst,
            "ipc_elapsed": self.ipc_elapsed,
            "sm_active_cycles": self.sm_active_cycles,
            "stalls": self.stalls,
            "stall_order": ORDER_VERSION,
            "statistics": self.statistics,
            "scoreboards": self.scoreboards,
            "unknown_opcodes": self.unknown,
            "wall_s": self.wall_s,
            "warp_inst_per_s": self.warp_inst / self.wall_s if self.wall_s else 0.0,
        }
        if self.clock_reads:
            result["clock_reads"] = [
                {"cta": list(r.cta), "warp": r.warp, "values": list(r.values)}
                for r in self.clock_reads
            ]
        return result


@dataclass(frozen=True)
class Result:
    """All kernels of a run, and what identifies the run."""

    gpu: str
    preset: str
    overrides: dict[str, Any]
    trace_hash: str
    machine_fingerprint: str
    kernels: tuple[KernelResult, ...]

    @property
    def cycles(self) -> int:
        return sum(kernel.cycles for kernel in self.kernels)

    @property
    def warp_inst(self) -> int:
        return sum(kernel.warp_inst for kernel in self.kernels)

    @property
    def fingerprint(self) -> str:
        """Hash of trace, resolved machine and version of the model: the same cycles, always."""
        return run_fingerprint(self.trace_hash, self.machine_fingerprint)

    @property
    def unknown(self) -> dict[str, float]:
        """Opcodes outside the table, with their largest share of a kernel's instructions."""
        shares: dict[str, float] = {}
        for kernel in self.kernels:
            for opcode, share in kernel.unknown.items():
                shares[opcode] = max(share, shares.get(opcode, 0.0))
        return shares

    @property
    def stats(self) -> pd.DataFrame:
        """One row a kernel: cycles, instructions, rates, cache statistics."""
        import pandas as pd

        rows = []
        for kernel in self.kernels:
            row = kernel.to_dict()
            row.update(row.pop("statistics"))
            for nested in ("stalls", "unknown_opcodes", "clock_reads"):
                row.pop(nested, None)
            rows.append(row)
        return explained(pd.DataFrame(rows))

    @property
    def stalls(self) -> pd.DataFrame:
        """Warp-cycles per kernel (rows) and state (columns, Nsight Compute's names)."""
        import pandas as pd

        names = [f"{kernel.launch}:{kernel.name}" for kernel in self.kernels]
        frame = pd.DataFrame([k.stalls for k in self.kernels], index=names, columns=list(STATES))
        return explained(frame)

    @property
    def subcore_stalls(self) -> pd.DataFrame:
        """Warp-cycles per launch, SM and sub-core (rows) and state: sums to `stalls`."""
        import pandas as pd

        parts = []
        for kernel in self.kernels:
            if kernel.subcore_stalls is None:  # the reference model counts none
                continue
            sms, subcores, states = kernel.subcore_stalls.shape
            part = pd.DataFrame(kernel.subcore_stalls.reshape(-1, states), columns=list(STATES))
            part.insert(0, "launch", kernel.launch)
            part.insert(1, "sm", np.repeat(np.arange(sms), subcores))
            part.insert(2, "subcore", np.tile(np.arange(subcores), sms))
            parts.append(part)
        if not parts:
            return pd.DataFrame(columns=["launch", "sm", "subcore", *STATES])
        return explained(pd.concat(parts, ignore_index=True))

    @property
    def pc(self) -> pd.DataFrame:
        """Warp-cycles per launch and static instruction (rows) and state, of SM 0.

        They sum to those of the SM in `subcore_stalls`. Raises ValueError without attribution.
        """
        return self._attributed("by_pc")

    @property
    def issue_slots(self) -> pd.DataFrame:
        """Cycles per launch and sub-core (rows) of SM 0, by what its issue slot was used for.

        Each row sums to the execution cycles. Raises ValueError without attribution.
        """
        return self._attributed("issue_slots")

    def _attributed(self, view: str) -> pd.DataFrame:
        import pandas as pd

        parts = []
        for kernel in self.kernels:
            if kernel.attribution is None:
                raise ValueError("run with attribution=True to attribute cycles")
            part: pd.DataFrame = getattr(kernel.attribution, view).copy()
            part.insert(0, "launch", kernel.launch)
            parts.append(part)
        frame = pd.concat(parts)
        frame.attrs = parts[0].attrs
        return frame

    def hotspots(self, n: int = 10) -> pd.DataFrame:
        """The costliest instructions of the kernel that took most cycles."""
        return max(self.kernels, key=lambda kernel: kernel.cycles).hotspots(n)

    def timeline(self, kernel: int = 0, first: int = 0, last: int | None = None) -> Axes:
        """Which warp issues when, on matplotlib axes; needs a run with events=True."""
        from .report.timeline import draw

        return draw(self.kernels[kernel].events, first, last)

    def to_dict(self) -> dict[str, Any]:
        """What `warpwise run --json` prints."""
        return {
            "schema": SCHEMA,
            "gpu": self.gpu,
            "preset": self.preset,
            "overrides": self.overrides,
            "fingerprint": self.fingerprint,
            "trace_hash": self.trace_hash,
            "machine_fingerprint": self.machine_fingerprint,
            "model_version": MODEL_VERSION,
            "kernels": [kernel.to_dict() for kernel in self.kernels],
            "total": {
                "cycles": self.cycles,
                "warp_inst": self.warp_inst,
                "wall_s": sum(kernel.wall_s for kernel in self.kernels),
            },
        }

    @property
    def instructions(self) -> pd.DataFrame:
        """Every static instruction: how often it issued, and the cycles that warps spent at it."""
        import pandas as pd

        frames = [k.hotspots(len(k.instructions)).assign(launch=k.launch) for k in self.kernels]
        return pd.concat(frames, ignore_index=True).sort_values(["launch", "pc"], ignore_index=True)

    def save(self, folder: str | Path) -> Path:
        """Write the run into `folder`: tables as Parquet, then `result.json`, whose path returns.

        Each file is whole or absent, and the folder is whole if it holds `result.json`.
        """
        path = Path(folder) / RESULT
        path.parent.mkdir(parents=True, exist_ok=True)
        optional = (EVENTS, *(f"{name}.parquet" for name in ATTRIBUTION))
        for old in (path, *map(path.with_name, optional)):
            old.unlink(missing_ok=True)
        attributed = all(kernel.attribution is not None for kernel in self.kernels)
        for name in (*TABLES, *(ATTRIBUTION if attributed else ())):
            with whole(path.with_name(f"{name}.parquet")) as stream:
                getattr(self, name).to_parquet(stream)
        if all(kernel.event_rows is not None for kernel in self.kernels):
            write_events(self.kernels, path.with_name(EVENTS))
        with whole(path) as stream:
            stream.write(json.dumps(self.to_dict(), indent=1).encode())
        return path

    def __repr__(self) -> str:
        kernels = f"{len(self.kernels)} kernel{'s' * (len(self.kernels) != 1)}"
        return f"<Result {self.gpu}: {self.cycles} cycles, {self.warp_inst} warp-inst, {kernels}>"

    def _repr_html_(self) -> str:
        columns = ["name", "cycles", "warp_inst", "ipc_elapsed"]
        return str(self.stats[columns].to_html(index=False))


def write_events(kernels: Sequence[KernelResult], path: Path) -> None:
    """Write the events of all kernels to a `.csv` or `.parquet` file."""
    import pandas as pd

    frames = [kernel.events.assign(launch=kernel.launch) for kernel in kernels]
    frame = pd.concat(frames) if len(frames) > 1 else frames[0].drop(columns="launch")
    with whole(path) as stream:
        if path.suffix == ".parquet":
            frame.to_parquet(stream, index=False)
        else:
            frame.to_csv(stream, index=False)
