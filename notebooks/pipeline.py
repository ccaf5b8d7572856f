# %% [markdown]
# # A walk through the pipeline, with the readable twin
#
# `sim/reference` is the SM once more, as SimPy processes: small enough to read, and equal to the
# engine in every cycle that it models. Here it runs Listing 1 and Figure 4 of the paper.

# %%
import matplotlib.pyplot as plt
import pandas as pd

from warpwise.sim.machine.load import load
from warpwise.sim.reference import model
from warpwise.traces.handwritten import parse

GPU = load("rtx_a6000").gpu
HEAD = ".arch sm_86\n.kernel listing\n.block {threads}\n.warm icache l1i const l1\n"
STAGES = {"fetch": "F", "decode": "D", "issue": "I", "control": "C", "allocate": "A"}


def simulate(code: str, threads: int = 32, active: str = "") -> pd.DataFrame:
    """The cycles of every instruction; `code` ends with an EXIT."""
    head = HEAD.format(threads=threads) + (f".active {active}\n" if active else "")
    kernel = parse(head + code).kernels[0]
    frame = pd.DataFrame(model.run(kernel, GPU).events())
    texts = [inst.text.split(";")[0].strip() for inst in kernel.program.instructions]
    return frame.assign(instruction=[texts[pc] for pc in frame["pc"]])


# %% [markdown]
# ## Listing 1: two FFMAs and the read ports
#
# Each register bank has one read port. The first FFMA reads three even registers and books its bank
# for three cycles; how long the second one waits in Allocate depends on its own registers, and the
# clock read behind it cannot pass. Registers are read in the three cycles after A.

# %%
LISTING_1 = """
CS2R.32 R0, SR_CLOCKLO ;
NOP ;
FFMA R11, R10, R12, R14 ;
FFMA R13, R16, {x}, {y} ;
NOP ;
CS2R.32 R1, SR_CLOCKLO ;
EXIT ;
"""


def diagram(frame: pd.DataFrame) -> pd.DataFrame:
    """One row an instruction, one column a cycle, a letter for each stage; r: operands are read."""
    first = int(frame["fetch"].min())
    rows = []
    for _, row in frame.iterrows():
        cells = {int(row[stage]) - first: letter for stage, letter in STAGES.items()}
        reads = range(int(row["allocate"]) + 1, int(row["read_done"]) + 1)
        cells.update({cycle - first: "r" for cycle in reads})
        rows.append({"instruction": row["instruction"], **dict(sorted(cells.items()))})
    table = pd.DataFrame(rows).set_index("instruction").fillna("")
    return table.reindex(columns=sorted(table.columns))


# %%
elapsed = {}
for x, y in (("R19", "R21"), ("R18", "R21"), ("R18", "R20")):
    frame = simulate(LISTING_1.format(x=x, y=y))
    clocks = frame[frame["instruction"].str.startswith("CS2R")]["control"]
    elapsed[x, y] = int(clocks.iloc[1] - clocks.iloc[0])
    print(f"\nFFMA R13, R16, {x}, {y}: {elapsed[x, y]} cycles between the clock reads")
    print(diagram(frame).to_string())

# %% [markdown]
# ## Figure 4: which warp issues
#
# Four warps of one sub-core, each with the same 32 instructions. The scheduler stays with a warp as
# long as it can (greedy) and else takes the youngest. (b) The second instruction has a stall count
# of four: the others fill the gap. (c) It has the yield bit: the warp gives way for one cycle. A
# barrier and a long stall in front let all start together, with full instruction buffers.

# %%
ACTIVE = "0 4 8 12"  # warps of sub-core 0
START = (
    "[B------:R-:W-:-:S02] BAR.SYNC 0x0 ;\n"
    "[B------:R-:W-:-:S02] NOP ;\n"
    "[B------:R-:W-:Y:S00] NOP ;\n"
)
PLAIN = "[B------:R-:W-:-:S01] FADD R4, R2, 1 ;\n"
MIDDLE = {
    "(b) stall count 4": "[B------:R-:W-:-:S04] FADD R4, R2, 1 ;\n",
    "(c) yield": "[B------:R-:W-:Y:S01] FADD R4, R2, 1 ;\n",
}
figure, axes = plt.subplots(len(MIDDLE), sharex=True, figsize=(9, 3), layout="constrained")
issued = {}
for axis, (title, second) in zip(axes, MIDDLE.items(), strict=True):
    code = START + PLAIN + second + PLAIN * 29 + "EXIT ;"
    frame = simulate(code, threads=13 * 32, active=ACTIVE)
    issued[title] = frame[(frame["subcore"] == 0) & (frame["pc"] >= 3)].sort_values("issue")
    axis.scatter(issued[title]["issue"], issued[title]["warp"] // 4, marker="s", s=12)
    axis.set(title=title, yticks=range(4), ylabel="warp")
axes[-1].set_xlabel("cycle")
