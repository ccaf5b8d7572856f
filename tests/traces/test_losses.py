"""What a format cannot carry is lost, nothing else is, and the format says so."""

from dataclasses import fields, replace

import pytest

from warpwise.traces import convert
from warpwise.traces.copies import Copy
from warpwise.traces.kernel import Trace
from warpwise.traces.load import load
from warpwise.validation.kernels.zoo import cubin, trace_zoo

COPIES = (Copy(0x7F5A00000000, 1 << 40), Copy(0x7F5A00000000, 1))
NAME = "bfs_level"  # lanes that are active and do not execute
# What is lost, and the words for it.
CALLER = {"launch": "launch", "warm": "warm caches", "clock_reads": "clock reads to report"}
BINARY = {
    "program.constants": "constant",
    "program.parameters": "parameters",
    "program.parameter_base": "parameters",
}
LOST = {
    "a.warptrace": {},
    "dynamic_trace.pb": CALLER | BINARY,
    "kernelslist.g": CALLER
    | BINARY
    | {
        "active": "lanes that are active and do not execute",
        "program.control_bits": "control bits",
        "program.instructions": "predicates, uniform registers",
    },
}
NOT_CONTENT = ("program", "program.registers", "load_cta", "hash")  # what they mean is there
RESTORED = {*BINARY, "program.control_bits", "program.instructions"}  # by a cubin


@pytest.fixture(scope="module")
def kernel():
    """A launch in which nothing is as it would be by default."""
    second = trace_zoo(NAME).kernels[1]
    return replace(second, launch=3, warm=frozenset({"l1"}), clock_reads=True, copies=COPIES)


def content(kernel):
    """Everything about a launch by name."""
    found = {
        **{f.name: getattr(kernel, f.name) for f in fields(kernel)},
        **{f"program.{f.name}": getattr(kernel.program, f.name) for f in fields(kernel.program)},
    }
    found["registers"] = kernel.registers or kernel.program.registers
    warps = [w for number in range(kernel.n_ctas) for w in kernel.load_cta(number).warps]
    for part, names in (("path", ("pcs", "active", "executed")), ("accesses", ("addresses",))):
        for name in names:
            found[name] = [getattr(getattr(warp, part), name).tolist() for warp in warps]
    return {k: v for k, v in found.items() if k not in NOT_CONTENT}


def lost(kernel, path, code=None):
    """What differs after writing and reading, and what the writer says."""
    said = convert.write(Trace((kernel,)), path)
    [read] = load(path, cubin=code).kernels
    before, after = content(kernel), content(read)
    return {name for name in after if before[name] != after[name]}, said or ""


@pytest.mark.parametrize("target", LOST)
def test_what_is_lost_is_said(kernel, tmp_path, target):
    if target == "dynamic_trace.pb":
        pytest.importorskip("google.protobuf")
    found, said = lost(kernel, tmp_path / target)
    assert found == LOST[target].keys()
    assert [words for words in LOST[target].values() if words not in said] == []


def test_what_a_cubin_restores(kernel, tmp_path):
    found, _ = lost(kernel, tmp_path / "kernelslist.g", cubin(NAME, "sm_86"))
    assert found == LOST["kernelslist.g"].keys() - RESTORED
