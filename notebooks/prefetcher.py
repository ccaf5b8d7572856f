# %% [markdown]
# # How many lines should the instruction prefetcher hold?
#
# The paper's Table 5 asks this for 128 applications on an RTX A6000. Here a sweep asks it for
# kernels of the zoo that take at least ten thousand cycles; shorter ones show little but the start
# of a kernel with empty caches. Even so they miss more instructions than applications do: the gains
# are larger than the paper's, the shape is the same.

# %%
import numpy as np
import pandas as pd

from warpwise.sim import sweep
from warpwise.sim.studies import Sweep
from warpwise.validation.experiments.published import table

KERNELS = [
    *("attention", "bitonic_sort", "lennard_jones", "lu_block", "n_queens", "nbody"),
    *("needleman_wunsch", "ray_spheres", "sgemm_outer", "sgemm_registers", "sha256"),
]
LINES = [0, 1, 2, 4, 8, 16, 32]

# %%
plan = Sweep(
    inputs=[{"zoo": name} for name in KERNELS],
    sms=1,
    axes={"sm.stream_buffer.lines": LINES},
    points=[{"preset": "perfect_icache"}],
)
runs = sweep(plan, "runs/prefetcher")  # a second time, the points are there

# %% [markdown]
# Speed-up over no prefetcher, without the launch itself; below, the geometric mean over the kernels
# beside the paper's. Eight lines reach what sixteen do but for a few per cent, and more than nine
# tenths of a perfect instruction cache.

# %%
runs["prefetcher"] = np.where(
    runs["preset"] == "perfect_icache",
    "perfect icache",
    "stream buffer " + runs["sm.stream_buffer.lines"].fillna(0).astype(int).astype(str),
)
cycles = runs.pivot_table(
    index="prefetcher", columns="input", values="execution_cycles", sort=False
)
speedup = cycles.loc["stream buffer 0"] / cycles
print(speedup.T.round(2).to_string())

# %%
paper = {row["prefetcher"]: float(row["speedup_vs_disabled"]) for row in table("table_5_prefetch")}
result = pd.DataFrame(
    {
        "these kernels": np.exp(np.log(speedup).mean(axis="columns")),
        "paper": pd.Series(paper).rename({"disabled": "stream buffer 0"}),
    }
).loc[cycles.index]
result["of perfect"] = result["these kernels"] / result["these kernels"]["perfect icache"]
result["of perfect, paper"] = result["paper"] / result["paper"]["perfect icache"]
print(result.round(2))

# %%
axes = result[["these kernels", "paper"]].plot.line(marker="o", figsize=(8, 4), rot=30)
axes.set_ylabel("speed-up over no prefetcher")
