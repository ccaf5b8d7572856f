# %% [markdown]
# # Does a register file need a cache, or more ports?
#
# The paper's Table 6 takes the register-file cache away, and adds read ports, for two extremes:
# MaxFlops, a chain of FFMAs that hardly reuses a register, and Cutlass, whose matrix products
# reuse one in every third instruction. Here the sweep runs the MaxFlops of the microbenchmarks, a
# chain of FFMAs from the zoo, and two matrix products: 4 x 4 results per thread, and 8 x 8 as in
# libraries. One SM is enough: the register file is its own.

# %%
from importlib.resources import files

import pandas as pd

from warpwise.isa.cubin import load
from warpwise.sim import sweep
from warpwise.sim.studies import Sweep
from warpwise.validation.experiments.published import table
from warpwise.validation.kernels.zoo import cubin

MAX_FLOPS = str(files("warpwise.validation") / "microbenchmarks" / "MaxFlops")
KERNELS = ["ffma_chain", "sgemm_registers", "sgemm_outer"]
DESIGNS = {  # of Table 6: read ports of a bank, cache
    "rf_1read_rfc_on": (1, True),
    "rf_1read_rfc_off": (1, False),
    "rf_2read_rfc_off": (2, False),
    "rf_ideal": (3, False),  # no instruction reads more than three registers
}

# %%
plan = Sweep(
    inputs=[
        {"trace": f"{MAX_FLOPS}.sm_86.cubin", "launch": f"{MAX_FLOPS}.toml"},
        *({"zoo": name} for name in KERNELS),
    ],
    sms=1,
    points=[
        {"sm.register_file.read_ports": ports, "sm.register_file.cache": cache}
        for ports, cache in DESIGNS.values()
    ],
)
runs = sweep(plan, "runs/register_file")  # a second time, the points are there

# %% [markdown]
# Speed-up over one port with the cache, and how many of the compiler's instructions ask it to keep
# a register, beside the paper's numbers. Without the cache, one port costs the large matrix product
# a quarter, as it does Cutlass, and FFMA chains nothing. A second port helps MaxFlops more than in
# the paper: its FFMAs read three registers of one bank, and here they are all of its loop.

# %%
names = {shape: name for name, shape in DESIGNS.items()}
shapes = zip(runs["sm.register_file.read_ports"], runs["sm.register_file.cache"], strict=True)
runs["design"] = [names[shape] for shape in shapes]
cycles = runs.pivot_table(index="name", columns="design", values="execution_cycles", sort=False)
speedup = 1 / cycles.div(cycles["rf_1read_rfc_on"], axis="index")


def reuse_share(path: object, kernel: str) -> float:
    """Per cent of a kernel's static instructions that keep a register in the cache."""
    code = load(str(path))[kernel].instructions
    return 100 * sum(inst.control.reuse > 0 for inst in code) / len(code)


paths = {"max_flops": f"{MAX_FLOPS}.sm_86.cubin"} | {k: cubin(k, "sm_86") for k in KERNELS}
speedup["reuse, %"] = pd.Series({name: reuse_share(path, name) for name, path in paths.items()})
paper = pd.DataFrame(table("table_6_register_file")).set_index(["metric", "cuda"])
paper = paper.loc[["MaxFlops speed-up", "Cutlass speed-up"]]
paper = paper[[*DESIGNS, "pct_static_inst_with_reuse"]].astype(float)
print(speedup.round(3).to_string(), paper.to_string(), sep="\n\n")
