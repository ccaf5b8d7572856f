"""A trace of 100 million warp-instructions: to look at it, or to stream it, takes little memory."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from warpwise.traces import store
from warpwise.traces.kernel import Trace
from warpwise.validation.benchmarks import gemm

INSTRUCTIONS = 100_000_000
GIB = 1 << 30
STATUS = Path("/proc/self/status")
pytestmark = pytest.mark.skipif(not STATUS.exists(), reason="peak memory as Linux tells it")
# The command, and behind its output a line with its peak memory in bytes and its seconds. The peak
# of `resource.getrusage` would not do: it begins with that of the process that starts the command.
MEASURED = f"""
import sys, time
from warpwise.sim import cli
try:
    cli.main(sys.argv[1:])
finally:
    [peak] = [line for line in open("{STATUS}") if line.startswith("VmHWM")]
    print(int(peak.split()[1]) * 1024, time.process_time(), file=sys.stderr)
"""


@pytest.fixture(scope="module")
def long(tmp_path_factory):
    one_sm = gemm(1)
    warps = [w for n in range(one_sm.n_ctas) for w in one_sm.load_cta(n).warps]
    sms = -(-INSTRUCTIONS // sum(len(warp.path.pcs) for warp in warps))
    path = tmp_path_factory.mktemp("long") / "gemm.warptrace"
    store.write(Trace((gemm(sms),)), path)
    return path


def measured(*arguments):
    """Output, bytes and seconds of the command in a process of its own."""
    command = [sys.executable, "-c", MEASURED, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    size, seconds = done.stderr.split()[-2:]
    print(f"{' '.join(command[3:])}: {int(size) / GIB:.2f} GiB, {float(seconds):.1f} s")
    return done.stdout, int(size)


@pytest.mark.slow
def test_the_first_ten_ctas_are_simulated(long):
    text, size = measured("run", long, "--ctas", "0:10", "--json")
    [kernel] = json.loads(text)["kernels"]
    assert kernel["warp_inst"] == 10 * 8 * 1177
    assert size < GIB


@pytest.mark.slow
def test_all_of_it_is_looked_at(long):
    text, size = measured("trace", "info", long, "--json")
    [kernel] = json.loads(text)["kernels"]
    assert kernel["warp_inst"] >= INSTRUCTIONS
    assert size < GIB


@pytest.mark.slow
def test_it_is_converted(long, tmp_path):
    _, size = measured("convert", long, tmp_path / "copy.warptrace")
    assert (tmp_path / "copy.warptrace").read_bytes() == long.read_bytes()
    assert size < GIB
