"""Would the differential tests notice? Faults are put into the engine, one at a time.

Patched functions have to be interpreted, so these tests run without numba's compiler, in a process
of their own (`test_all_faults_are_found`); by themselves they are skipped.
"""

import ast
import functools
import inspect
import os
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numba
import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings

from warpwise.sim import lowering
from warpwise.sim.core import (
    allocate,
    async_copy,
    decode,
    dependence,
    execute,
    fetch,
    fp64_queue,
    issue,
    l0_constant,
    l0_icache,
    memory_queue,
    policy,
    register_file,
    scoreboard,
    subcore,
    writeback,
)
from warpwise.sim.machine.load import load
from warpwise.sim.reference import model
from warpwise.sim.sm import barrier, fp64, memory_unit
from warpwise.traces.handwritten import parse
from warpwise.validation.differential import against

from .programs import programs

# Seeds. The first one has barriers with dead warps, guards, cold caches, ...: it shows nearly all.
POPULATIONS = (12, 13, 14)
MOST_PROGRAMS = 400
MOST_INSTRUCTIONS = 120  # interpreted stages are slow


@dataclass(frozen=True)
class Fault:
    """Replace `old`, which occurs once in a function, by `new`."""

    what: str
    module: ModuleType
    function: str
    old: str
    new: str

    def seed(self, monkeypatch) -> None:
        source = textwrap.dedent(inspect.getsource(getattr(self.module, self.function)))
        assert source.count(self.old) == 1
        tree = ast.parse(source.replace(self.old, self.new))
        namespace = dict(self.module.__dict__)
        exec(compile(tree, self.module.__name__, "exec"), self.module.__dict__, namespace)
        monkeypatch.setattr(self.module, self.function, namespace[self.function])


FAULTS = [
    Fault("ties: oldest first", policy, "_least_recent", "warps.youngest(sc", "warps.oldest(sc"),
    Fault("not greedy", policy, "_least_recent", "greedy >= 0 and", "greedy > 99 and"),
    Fault("most recent first", policy, "_least_recent", "at < earliest", "at > earliest - 99"),
    Fault("forgets a cycle late", policy, "_recent", "recency_cycles", "recency_cycles + 1"),
    Fault("cggty: oldest first", policy, "first", "warps.youngest(sc", "warps.oldest(sc"),
    Fault(
        "lrr begins with itself",
        policy,
        "first",
        "following(among, max",
        "following(among, -1 + max",
    ),
    Fault(
        "SB2 not waited for",
        dependence,
        "_update",
        "head_mask[u(warp)]) &",
        "head_mask[u(warp)]) & 3 &",
    ),
    Fault(
        "DEPBAR one more",
        dependence,
        "_update",
        "> dependence.gate_limit",
        "- 1 > dependence.gate_limit",
    ),
    Fault(
        "DEPBAR gates late",
        issue,
        "_stall",
        "now + machine.sm.issue.depbar",
        "now + 1 + machine.sm.issue.depbar",
    ),
    Fault("increment early", issue, "_raise_counters", "now + COUNTER_VISIBLE", "now + 1"),
    Fault("unit free early", issue, "_send", "now + inst.interval", "now + inst.interval - 1"),
    Fault("IMAD.WIDE holds no port", issue, "_send", "now + 1 + inst.hold", "now + 1"),
    Fault("yield ignored", lowering, "distance", "2 if inst.control.yield_ else 1", "1"),
    Fault(
        "long stalls honoured",
        lowering,
        "distance",
        "return issue.unyielded_stall_cycles",
        "return stall",
    ),
    Fault(
        "latency off by one",
        allocate,
        "step",
        "inst, end + inst.latency,",
        "inst, end + inst.latency + 1,",
    ),
    Fault("window off by one", allocate, "step", "now + inst.window", "now + inst.window - 1"),
    Fault("a held pipe is not taken", allocate, "hold", "+= 1", "+= 0"),
    Fault(
        "reuse not invalidated",
        register_file,
        "update_cache",
        "if keeps else 0",
        "if keeps else int(ports.cached[u(bank), u(slot)])",
    ),
    Fault("cached for any warp", register_file, "_tag", "warp * 256 + ", ""),
    Fault(
        "a register twice counts twice",
        register_file,
        "_needs_port",
        "return False\n    return True",
        "return True\n    return True",
    ),
    Fault("banks of pairs", register_file, "_book", "cycle += 1", "cycle += 2"),
    Fault(
        "latch free early",
        writeback,
        "_write_load",
        "results.latch_free = now + 1",
        "results.latch_free = now",
    ),
    Fault("one write port too many", writeback, "_port_free", "< n_ports", "<= n_ports"),
    Fault("load before its beat", writeback, "_write_load", "+ inst.beat - 1", "+ inst.beat - 2"),
    Fault("result counter late", writeback, "retire", "max(cycle, now) + 1", "max(cycle, now) + 2"),
    Fault(
        "special reads early",
        execute,
        "step",
        "if entry.at + ISSUE_TO_READ > now",
        "if entry.at + 2 > now",
    ),
    Fault(
        "FP32 keeps to its pipe",
        execute,
        "pipe_of",
        "fp32_on_integer_pipe and",
        "fp32_on_integer_pipe and 0 and",
    ),
    Fault(
        "FP64 transfers overlap", fp64_queue, "push", "transfer_free = at", "transfer_free = begin"
    ),
    Fault(
        "FP64 by number",
        fp64,
        "_first",
        "unit.waiting_at[u(s)] < unit.waiting_at[u(first)]",
        "unit.waiting_at[u(first)] == NEVER",
    ),
    Fault("queue one longer", memory_queue, "full", ">= machine", "> machine"),
    Fault(
        "address stage early",
        memory_queue,
        "step",
        "now + inst.occupancy",
        "now + inst.occupancy - 1",
    ),
    Fault(
        "arbiter keeps its sub-core", memory_unit, "step", "int(unit.last) + 1", "int(unit.last)"
    ),
    Fault(
        "grants too soon",
        memory_unit,
        "_grant",
        "memory_unit.grant_interval",
        "memory_unit.grant_interval - 1",
    ),
    Fault(
        "data stage for all", memory_unit, "_enter_stage", "max(unit.stage_free, begin)", "begin"
    ),
    Fault("barrier late", barrier, "_release", "now + max", "now + 1 + max"),
    Fault(
        "barrier waits for the dead",
        barrier,
        "leave",
        ".live[u(cta_slot)] -= 1",
        ".live[u(cta_slot)] -= 0",
    ),
    Fault("groups settle early", async_copy, "close", "visible + COUNT_TO_DROP", "visible"),
    Fault("any group", async_copy, "_settle", "if copies.pending[u(warp), u(group)]:", "if 0:"),
    Fault("buffer one longer", fetch, "update_room", "entries < machine", "entries <= machine"),
    Fault("fetch forgets the greedy", fetch, "_candidate", "room, greedy", "room, -1"),
    Fault(
        "decode late",
        decode,
        "respond",
        "decode.pipe_at[u(slot)] = visible",
        "decode.pipe_at[u(slot)] = visible + 4",
    ),
    Fault("flushed answers count", decode, "redirect", "decode.pipe_pc[u(slot)] = FLUSHED", "pass"),
    Fault(
        "prefetch skips a line",
        l0_icache,
        "access",
        "start(stream, line + 1,",
        "start(stream, line + 2,",
    ),
    Fault("constants stop longer", l0_constant, "miss", "now + machine", "now + 1 + machine"),
    Fault(
        "WAR ignored", scoreboard, "_free_at", "if board.readers[u(warp), u(register)]:", "if 0:"
    ),
    Fault(
        "guard as a source",
        scoreboard,
        "_free_at",
        "GUARD if inst.guarded and",
        "0 if inst.guarded and",
    ),
    Fault(
        "places given back early",
        subcore,
        "_idle",
        "idle and sc.dependence.raised[u(warp)] == 0",
        "idle",
    ),
]


@functools.cache
def expected(population):
    """Programs, and what the twin says of them."""
    drawn = []

    @seed(population)
    @settings(
        max_examples=MOST_PROGRAMS,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(programs(least=6, most=10))
    def draw(program):
        kernel = parse(program.text).kernels[0]
        machine = load(program.gpu, "ref", program.changes)
        drawn.append((model.run(kernel, machine.gpu), kernel, machine))

    draw()
    return [program for program in drawn if len(program[0].ops) <= MOST_INSTRUCTIONS]


def finds(twin, kernel, machine) -> bool:
    """Whether a program shows that the engine is wrong: another cycle, a hang or a crash."""
    try:
        return against(twin, kernel, machine) is not None
    except Exception:
        return True


@pytest.mark.slow
@pytest.mark.skipif(not numba.config.DISABLE_JIT, reason="patches interpreted functions")
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.what)
def test_a_fault_is_found(fault, monkeypatch):
    fault.seed(monkeypatch)
    assert any(finds(*program) for number in POPULATIONS for program in expected(number))


@pytest.mark.slow
def test_all_faults_are_found():
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-m",
        "slow",
        "-k",
        "a_fault_is_found",
        "-n",
        "auto",
        __file__,
    ]
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    root = Path(__file__).parents[2]
    run = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True)
    assert f"{len(FAULTS)} passed" in run.stdout, run.stdout[-3000:]
