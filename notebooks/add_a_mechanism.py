# %% [markdown]
# # A mechanism of your own
#
# What would an issue scheduler without greed cost? The model has no policy that always takes the
# youngest ready warp, so here is one. A mechanism touches four places: its parameter, its stage,
# the readable twin of the stage, and a test. The notebook makes the changes in a copy of the
# package; in a clone you would edit the files themselves.

# %%
import difflib
import json
import os
import shutil
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pandas as pd

FOLDERS = ("isa", "traces", "sim", "validation")
COPY = Path("mechanism").absolute()
for folder in FOLDERS:
    ignored = shutil.ignore_patterns("__pycache__")
    source, target = str(files(f"warpwise.{folder}")), COPY / "warpwise" / folder
    shutil.copytree(source, target, ignore=ignored, dirs_exist_ok=True)


def edit(file: str, old: str, new: str) -> None:
    """Replace what occurs once in a file of the copy, and show the difference."""
    path = COPY / "warpwise" / file
    before = path.read_text()
    assert before.count(old) == 1, f"{file} does not have this once: {old}"
    after = before.replace(old, new)
    path.write_text(after)
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), file, file, "", "", 1, "")
    print("\n".join(lines), end="\n\n")


# %% [markdown]
# **The parameter.** `sim/machine/schema.py` says which values exist; every GPU, preset, sweep and
# `--set` reads it. Compiled stages see a choice as its position in the list.

# %%
edit("sim/machine/schema.py", '"lrr", "lri"]', '"lrr", "lri", "youngest"]')

# %% [markdown]
# **The stage.** `sim/core/policy.py` orders the warps, which are bits of a mask. Stages are plain
# functions that numba compiles; a change compiles the engine again by itself, in a minute or two.

# %%
edit(
    "sim/core/policy.py",
    "\n\n@compiled\ndef _recent",
    "YOUNGEST = 5\n\n\n@compiled\ndef _recent",
)
edit(
    "sim/core/policy.py",
    "    if policy == LRR:",
    "    if policy == YOUNGEST:\n        return warps.youngest(sc.warps, among)\n"
    "    if policy == LRR:",
)

# %% [markdown]
# **The twin.** `sim/reference` says the same once more, for reading and not for speed.

# %%
edit(
    "sim/reference/issue.py",
    '    if policy == "oldest":\n        return warps\n',
    '    if policy == "oldest":\n        return warps\n'
    '    if policy == "youngest":\n        return warps[::-1]\n',
)

# %% [markdown]
# **The test.** Four warps of one sub-core that start together. The youngest, 12, issues twice and
# has to wait for a stall count of four, so three cycles are left for others: two for warp 8 and one
# for warp 4, from which it then takes the slot back. A greedy policy lets warp 4 go on. Engine and
# twin have to agree on every stage of every instruction.

# %%
TEST = '''
from warpwise.sim import run
from warpwise.sim.machine.load import load
from warpwise.traces.handwritten import parse
from warpwise.validation.differential import compare

TRACE = parse("""
.arch sm_86
.kernel four_warps
.block 416
.active 0 4 8 12
.warm icache l1i const l1
[B------:R-:W-:-:S02] BAR.SYNC 0x0 ;
[B------:R-:W-:-:S02] NOP ;
[B------:R-:W-:Y:S00] NOP ;
[B------:R-:W-:-:S01] FADD R4, R2, 1 ;
[B------:R-:W-:-:S04] FADD R4, R2, 1 ;
@repeat 6 [B------:R-:W-:-:S01] FADD R4, R2, 1 ;
EXIT ;
""")


def issued(policy):
    """The warps in the order of issue, from the first FADD on."""
    result = run(TRACE, sms=1, events=True, **{"sm.issue.policy": policy})
    events = result.kernels[0].events
    body = events[(events["subcore"] == 0) & (events["pc"] >= 3 * 16)]
    return list(body.sort_values("issue")["warp"])


def test_the_youngest_comes_back_as_soon_as_it_can():
    assert issued("youngest")[:8] == [12, 12, 8, 8, 4, 12, 12, 12]
    assert issued("cggty")[:6] == [12, 12, 8, 8, 4, 4]


def test_engine_and_twin_agree():
    machine = load("rtx_a6000", overrides={"sm.issue.policy": "youngest"})
    assert compare(TRACE.kernels[0], machine) is None
'''
(COPY / "test_youngest.py").write_text(TEST)
(COPY / "pytest.ini").touch()  # no settings of a folder above
environment = {**os.environ, "PYTHONPATH": str(COPY)}


def python(*arguments: str) -> str:
    """Run Python on the changed copy."""
    command = [sys.executable, *arguments]
    done = subprocess.run(command, cwd=COPY, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


tested = python("-m", "pytest", "-q", "test_youngest.py")
print(tested)

# %% [markdown]
# **The study.** Now the policy is a value like any other, and a sweep can ask what it is worth.

# %%
PLAN = """
inputs = [{ zoo = "sgemm_*" }, { zoo = "nbody" }, { zoo = "lu_block" }]
sms = 1
[axes]
"sm.issue.policy" = ["lri", "cggty", "gto", "lrr", "oldest", "youngest"]
"""
(COPY / "policies.toml").write_text(PLAN)
document = json.loads(python("-m", "warpwise.sim", "sweep", "policies.toml", "--json"))

# %% [markdown]
# Speed relative to the model's own policy, greedy then least recently issued.

# %%
runs = pd.DataFrame(document["rows"])
cycles = runs.pivot_table(index="input", columns="sm.issue.policy", values="execution_cycles")
speedup = 1 / cycles.div(cycles["lri"], axis="index")
print(speedup.round(3))
