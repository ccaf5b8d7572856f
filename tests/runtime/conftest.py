"""CUDA programs with host code, compiled once, and the command that runs them."""

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

PROGRAMS = Path(__file__).parent / "programs"
WHEEL = Path(sysconfig.get_path("purelib")) / "nvidia/cu13/bin/nvcc"


@pytest.fixture(scope="session")
def build(tmp_path_factory):
    """Compiles one of the programs with some options of nvcc."""
    nvcc = shutil.which("nvcc") or (WHEEL.is_file() and WHEEL)
    if not nvcc:
        pytest.skip("there is no nvcc")
    folder = tmp_path_factory.mktemp("programs")
    done = {}

    def compiled(name, *options):
        options = options or ("-arch=sm_86",)
        if (name, options) not in done:
            target = folder / f"{name}{len(done)}"
            source = PROGRAMS / f"{name}.cu"
            command = [nvcc, "-cudart", "shared", *options, source, "-o", target]
            subprocess.run(command, check=True)
            done[name, options] = target
        return done[name, options]

    return compiled


@pytest.fixture
def warpwise(tmp_path):
    """Runs the command in a process of its own, in an empty folder."""

    def run(*args, **environment):
        return subprocess.run(
            [sys.executable, "-m", "warpwise.sim", *map(str, args)],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env=os.environ | environment,
            timeout=120,
        )

    return run
