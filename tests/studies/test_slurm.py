"""The batch script of the documentation, with `sbatch` and `srun` that start their command here."""

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from studies.stream import KERNEL
from studies.test_kills import free_port

pytest.importorskip("distributed")

SCRIPT = Path(__file__).parents[2] / "docs/slurm.sh"
PLAN = """
inputs = ["stream.sass"]
sms = 1
[axes]
"sm.stream_buffer.lines" = [0, 2, 4, 8]
"""
SBATCH = """#!/bin/bash
# Checks the options, as Slurm reads them from the comments, and runs the job.
grep -q '^#SBATCH .*--ntasks=50' "$1" && exec bash "$@"
"""
SRUN = """#!/bin/bash
# Two tasks instead of fifty.
"$@" & "$@" & wait
"""


@pytest.mark.slow
def test_the_batch_script_runs_a_whole_sweep(tmp_path):
    (tmp_path / "stream.sass").write_text(KERNEL)
    (tmp_path / "sweep.toml").write_text(PLAN)
    bin_ = tmp_path / "bin"
    bin_.mkdir()
    for name, text in (("sbatch", SBATCH), ("srun", SRUN)):
        (bin_ / name).write_text(text)
        (bin_ / name).chmod(0o755)
    paths = [str(bin_), str(Path(sys.executable).parent), os.environ["PATH"]]
    environment = os.environ | {"PATH": os.pathsep.join(paths), "PORT": str(free_port())}
    command = ["sbatch", str(SCRIPT), "sweep.toml", "runs"]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    frame = pd.read_parquet(tmp_path / "runs/sweep.parquet")
    assert frame["sm.stream_buffer.lines"].tolist() == [0, 2, 4, 8]
    assert frame["error"].isna().all()
