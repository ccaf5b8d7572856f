# %% [markdown]
# # How many read ports does a register bank need?
#
# The paper's Table 6 asks this for whole applications. Here a stream of FFMAs whose three sources
# lie in one bank shows the mechanism: with one port an instruction needs three cycles, with three
# ports one.

# %%
import pandas as pd

from warpwise.sim import run
from warpwise.traces.handwritten import parse

STREAM = """
.arch sm_86
.kernel stream
.warm icache
@repeat 120 [B------:R-:W-:-:S01] FFMA R1, R2, R4, {third} ;
[B------:R-:W-:-:S01] EXIT ;
"""


# %%
def cycles_per_instruction(third: str, ports: int) -> float:
    """Issue cycles of one FFMA in a long stream; `third` is its third source."""
    trace = parse(STREAM.format(third=third))
    result = run(trace, sms=1, events=True, **{"sm.register_file.read_ports": ports})
    issue = result.kernels[0].events["issue"]
    return (issue.iloc[100] - issue.iloc[20]) / 80


# %%
table = pd.DataFrame(
    {
        ports: {
            "three sources in one bank": cycles_per_instruction("R6", ports),
            "two in one bank": cycles_per_instruction("R5", ports),
        }
        for ports in (1, 2, 3)
    }
).rename_axis(columns="read ports per bank")
print(table)
