# %% [markdown]
# # How many lines should the instruction prefetcher hold?
#
# The paper's Table 5 asks this for 128 applications on an RTX A6000. Here a sweep asks it for the
# bundled kernels. They are short and start with cold caches, so they miss more instructions than
# the paper's applications: the gains are larger, the shape is the same. Eight lines are nearly as
# good as sixteen, and a perfect instruction cache is not far away.

# %%
import tempfile
from importlib.resources import files

import numpy as np
import pandas as pd

from warpwise.sim import sweep
from warpwise.sim.studies import Sweep
from warpwise.validation.experiments.published import table

KERNELS = files("warpwise.traces") / "kernels"
NAMES = ["saxpy", "reduction", "matmul"]
LINES = [0, 1, 2, 4, 8, 16, 32]

# %%
plan = Sweep(
    inputs=[
        {"trace": f"{KERNELS / name}.sm_86.cubin", "launch": f"{KERNELS / name}.toml"}
        for name in NAMES
    ],
    axes={"sm.stream_buffer.lines": LINES},
    points=[{"preset": "perfect_icache"}],
)
with tempfile.TemporaryDirectory() as folder:
    runs = sweep(plan, folder)

# %% [markdown]
# Speed-up over no prefetcher: the geometric mean over the kernels, without the launch itself,
# beside the paper's numbers.

# %%
runs["prefetcher"] = np.where(
    runs["preset"] == "perfect_icache",
    "perfect icache",
    "stream buffer " + runs["sm.stream_buffer.lines"].fillna(0).astype(int).astype(str),
)
cycles = runs.pivot_table(index="prefetcher", columns="name", values="execution_cycles", sort=False)
speedup = cycles.loc["stream buffer 0"] / cycles
paper = {row["prefetcher"]: float(row["speedup_vs_disabled"]) for row in table("table_5_prefetch")}
result = pd.DataFrame(
    {
        "these kernels": np.exp(np.log(speedup).mean(axis="columns")),
        "paper": pd.Series(paper).rename({"disabled": "stream buffer 0"}),
    }
).loc[cycles.index]
print(result.round(2))
