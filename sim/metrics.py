"""The statistics by their short names: unit, meaning, and the metric of Nsight Compute beside them.

`relation` says how to compare with that metric: `equal` exactly, `close` in percent, `proxy` side
by side only, `none` if there is no such metric.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from .stalls import STATES

if TYPE_CHECKING:
    import pandas as pd

STALL = "smsp__average_warps_issue_stalled_{}_per_issue_active.ratio"


@dataclass(frozen=True)
class Metric:
    """What a column means."""

    unit: str
    definition: str
    nsight: str = ""
    relation: Literal["equal", "close", "proxy", "none"] = "none"


PIPES = {
    "alu": "integer and logic",
    "fma": "FP32 and integer multiply-add; FP32 on the integer pipe, where it may, counts here",
    "fp16": "packed FP16, where it does not run on the FP32 pipe",
    "fp64": "FP64, one for the SM",
    "xu": "special functions and conversions",
    "tensor": "matrix products",
    "uniform": "uniform datapath",
    "cbu": "branches",
    "lsu": "memory instructions, of the SM's memory unit",
}


def _busy(pipe: str, of: str) -> Metric:
    metric = f"sm__pipe_{pipe}_cycles_active.avg.pct_of_peak_sustained_active"
    return Metric("%", f"active cycles in which the pipe takes instructions: {of}", metric, "proxy")


METRICS = {
    "cycles": Metric("cycle", "launch and execution", "gpc__cycles_elapsed.max", "close"),
    "launch_cycles": Metric("cycle", "from the launch to the first CTA"),
    "execution_cycles": Metric("cycle", "from the first CTA to the end of the last one"),
    "sm_active_cycles": Metric(
        "cycle", "with a CTA on the SM, mean of the SMs", "sm__cycles_active.avg", "close"
    ),
    "duration": Metric("ns", "cycles at the core clock", "gpu__time_duration.sum", "close"),
    "warp_inst": Metric("inst", "issued warp instructions", "smsp__inst_executed.sum", "equal"),
    "warp_inst_issued": Metric(
        "inst", "the same: nothing is issued twice", "smsp__inst_issued.sum", "close"
    ),
    "thread_inst": Metric(
        "inst", "the same times active lanes", "smsp__thread_inst_executed.sum", "equal"
    ),
    "threads_per_inst": Metric(
        "thread/inst",
        "active lanes of an instruction",
        "smsp__thread_inst_executed_per_inst_executed.ratio",
        "equal",
    ),
    "threads_pred_on_per_inst": Metric(
        "thread/inst",
        "active lanes whose guard holds",
        "smsp__thread_inst_executed_pred_on_per_inst_executed.ratio",
        "equal",
    ),
    "ipc_elapsed": Metric(
        "inst/cycle/SM", "over all cycles", "sm__inst_executed.avg.per_cycle_elapsed", "close"
    ),
    "ipc_active": Metric(
        "inst/cycle/SM", "while a CTA is there", "sm__inst_executed.avg.per_cycle_active", "close"
    ),
    "issue_active": Metric(
        "inst/cycle/sub-core",
        "share of active cycles in which a sub-core issues",
        "smsp__issue_active.avg.per_cycle_active",
        "close",
    ),
    "warp_cycles": Metric("cycle", "resident warps, summed over the cycles of all SMs"),
    "warps_active": Metric(
        "warp/cycle/SM", "resident warps", "sm__warps_active.avg.per_cycle_active", "close"
    ),
    "warps_eligible": Metric(
        "warp/cycle/sub-core",
        "warps that could issue, the selected one among them",
        "smsp__warps_eligible.avg.per_cycle_active",
        "close",
    ),
    "occupancy_achieved": Metric(
        "%",
        "resident warps of all warp slots",
        "sm__warps_active.avg.pct_of_peak_sustained_active",
        "close",
    ),
    "occupancy_theoretical": Metric(
        "%",
        "the same if CTAs were never lacking",
        "sm__maximum_warps_per_active_cycle_pct",
        "equal",
    ),
    "warp_latency": Metric(
        "cycle/inst",
        "warp-cycles of an issued instruction; the sum of all states",
        "smsp__average_warp_latency_per_inst_issued.ratio",
        "close",
    ),
    **{f"pipe_{pipe}_busy": _busy(pipe, of) for pipe, of in PIPES.items()},
    "l1_requests_ld": Metric(
        "request",
        "global loads of warps with a lane that loads",
        "l1tex__t_requests_pipe_lsu_mem_global_op_ld.sum",
        "equal",
    ),
    "l1_sectors_ld": Metric(
        "sector",
        "32 bytes that these look up",
        "l1tex__t_sectors_pipe_lsu_mem_global_op_ld.sum",
        "equal",
    ),
    "l1_sectors_per_request": Metric(
        "sector/request",
        "the one over the other; 4, 8 or 16 if neighbours load 32, 64 or 128 bits",
        "l1tex__average_t_sectors_per_request_pipe_lsu_mem_global_op_ld.ratio",
        "equal",
    ),
    "l1_hit_rate": Metric(
        "%", "sectors of loads that hit", "l1tex__t_sector_hit_rate.pct", "close"
    ),
    "l1_wavefronts": Metric("cycle", "of the L1 and shared-memory data stage, all accesses"),
    "shared_wavefronts": Metric(
        "cycle",
        "of these, for shared memory",
        "l1tex__data_pipe_lsu_wavefronts_mem_shared.sum",
        "close",
    ),
    "shared_conflicts": Metric(
        "cycle",
        "of these, beyond what accesses of that width take without bank conflicts",
        "l1tex__data_bank_conflicts_pipe_lsu_mem_shared.sum",
        "close",
    ),
    "l2_sectors": Metric("sector", "32 bytes that reach the L2", "lts__t_sectors.sum", "close"),
    "l2_sectors_from_l1_rd": Metric(
        "sector",
        "of these, loads; instructions and atomics are in neither",
        "lts__t_sectors_srcunit_tex_op_read.sum",
        "close",
    ),
    "l2_sectors_from_l1_wr": Metric(
        "sector", "of these, stores", "lts__t_sectors_srcunit_tex_op_write.sum", "close"
    ),
    "l2_hit_rate": Metric("%", "hits of all sectors", "lts__t_sector_hit_rate.pct", "close"),
    "l2_bytes_per_s": Metric(
        "B/s", "bytes of these over the duration", "lts__t_bytes.sum.per_second", "close"
    ),
    "dram_read": Metric("B", "read from memory", "dram__bytes_read.sum", "close"),
    "dram_write": Metric("B", "written to memory", "dram__bytes_write.sum", "close"),
    "sol_sm": Metric(
        "%",
        "the busiest of issue and pipes, over all cycles",
        "sm__throughput.avg.pct_of_peak_sustained_elapsed",
        "proxy",
    ),
    "sol_mem": Metric(
        "%",
        "the busiest of memory unit, L1 data stage, L2 slices and memory, over all cycles",
        "gpu__compute_memory_throughput.avg.pct_of_peak_sustained_elapsed",
        "proxy",
    ),
    "sol_dram": Metric(
        "%",
        "data on the memory's buses, over all cycles",
        "dram__throughput.avg.pct_of_peak_sustained_elapsed",
        "proxy",
    ),
    "ctas_per_sm": Metric("CTA", "at most at a time, in this grid"),
    "grid_size": Metric("CTA", "of the launch", "launch__grid_size", "equal"),
    "block_size": Metric("thread", "of a CTA", "launch__block_size", "equal"),
    "registers_per_thread": Metric(
        "register", "of the kernel; 0: not known", "launch__registers_per_thread", "equal"
    ),
    "waves_per_sm": Metric(
        "ratio", "CTAs over those that fit", "launch__waves_per_multiprocessor", "equal"
    ),
    "limit_warps": Metric("CTA", "that warp slots allow", "launch__occupancy_limit_warps", "equal"),
    "limit_ctas": Metric("CTA", "that CTA slots allow", "launch__occupancy_limit_blocks", "equal"),
    "limit_registers": Metric(
        "CTA", "that registers allow", "launch__occupancy_limit_registers", "equal"
    ),
    "limit_shared": Metric(
        "CTA", "that shared memory allows", "launch__occupancy_limit_shared_mem", "equal"
    ),
}
# Warp-cycles; Nsight Compute gives them by issued instruction.
STALL_METRICS = {
    state: Metric("cycle", "warp-cycles in this state", STALL.format(state), "close")
    for state in STATES
}


IDLE = "idle"  # a sub-core without a warp
KERNEL_METRICS = METRICS | STALL_METRICS
# Of one sub-core. Nsight Compute samples warps, not issue slots, but for those that issue.
SLOT_METRICS = {
    **{
        state: Metric("cycle", "without issue, in which most of its warps are in this state")
        for state in STATES
    },
    "selected": Metric("cycle", "in which the sub-core issues", "smsp__issue_active.sum", "close"),
    IDLE: Metric("cycle", "in which the sub-core has no warp"),
}


def explained(frame: pd.DataFrame, known: Mapping[str, Metric] = KERNEL_METRICS) -> pd.DataFrame:
    """The same frame, whose `attrs["metrics"]` say what its columns are."""
    names = map(str, frame)
    frame.attrs["metrics"] = {name: asdict(known[name]) for name in names if name in known}
    return frame


def table(frame: pd.DataFrame) -> pd.DataFrame:
    """What `explained` noted, one row a column of the frame."""
    import pandas as pd

    about: dict[str, Any] = frame.attrs.get("metrics", {})
    return pd.DataFrame.from_dict(about, orient="index").rename_axis("name").reset_index()
