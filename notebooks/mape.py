# %% [markdown]
# # How far from hardware?
#
# The project has cycles of six microbenchmarks on an RTX A6000, with what two other simulators say
# about them (`validation/hardware/README.md`). Their traces are not public; the programs were
# written anew for this model (`validation/microbenchmarks`) and nothing was fitted on them. The
# same on the command line:
#
#     warpwise validate hardware --traces validation/microbenchmarks -o comparison
#     warpwise report comparison -o report.html

# %%
import tempfile
from importlib.resources import files
from pathlib import Path

import pandas as pd

from warpwise.sim.report import sources
from warpwise.validation import validate_hardware

programs = str(files("warpwise.validation") / "microbenchmarks")
report = validate_hardware(traces=programs, output="comparison")
rows = report.frame
rows.pivot(index="application", columns="model", values="error").round(1)

# %% [markdown]
# ## One number hides much
#
# MAPE is the mean of the absolute errors. Its interval comes from drawing applications again, with
# a fixed seed: six of them say little, and the intervals of the three simulators overlap. Half of
# this model's error is one application: `mem_bw` was hardly measured at the clock that the table
# says (deviation 17).

# %%
summary = report.statistics.set_index("model")
summary[["Average", "Average_low_95", "Average_high_95", "Median", "Q_90", "Pearson_Corr"]].round(2)

# %% [markdown]
# The correlation is close to 1 for all, since two long applications decide it; ranks say more.
# Influence is what one application adds to the MAPE: without `shared_lat`, Accel-Sim's would be
# four points lower, and without `mem_bw` this model's three.

# %%
summary[["Pearson_Corr", "Pearson_Log", "Spearman"]].round(3)

# %%
influence = rows.pivot(index="application", columns="model", values="influence")
influence.round(2)

# %% [markdown]
# ## The way to numbers of your own
#
# No hardware ran the bundled kernels. To show the way, this table claims that the model's own
# cycles, rounded to hundreds, were measured: the errors below are those of the rounding and say
# nothing about the model. A folder names applications by its files; `--traces` takes it.

# %%
kernels = files("warpwise.traces") / "kernels"
NAMES = ["saxpy", "reduction"]

with tempfile.TemporaryDirectory() as name:
    folder = Path(name)
    made_up = pd.DataFrame(
        {"application": NAMES, "metric": "cycles", "value": [3800, 4300], "trust": "made up"}
    )
    made_up.to_csv(folder / "measured.csv", index=False)
    example = validate_hardware(folder / "measured.csv", str(kernels), output=folder / "comparison")
    plots = {plot.name: plot for plot in sources.read([folder / "comparison"]).figures}
example.frame[["application", "hardware", "simulated", "error"]]

# %% [markdown]
# ## Plots
#
# The report's plots of the microbenchmarks; `save` writes PDF, PNG and the data as CSV.

# %%
figures = {plot.name: plot for plot in sources.read([Path("comparison")]).figures}
saved = [path.name for path in figures["correlation"].save("figures")]
figures["correlation"]

# %%
figures["signed_errors"]
