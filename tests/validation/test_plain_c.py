"""The plain C program gives the cycles, states and counts of the engine."""

import shutil
from typing import Any

import pytest
from differential import programs
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from warpwise.isa.errors import InputError
from warpwise.sim import engine
from warpwise.sim.machine.load import load
from warpwise.traces.handwritten import parse
from warpwise.validation import plain_c
from warpwise.validation.benchmarks import GPU, ffma

needs_c = pytest.mark.skipif(
    shutil.which(plain_c.compiler()) is None, reason="there is no C compiler"
)


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    path = tmp_path_factory.mktemp("plain") / "plain"
    plain_c.compile_c("-O2", path)
    return path


def both(program, kernel, machine, sms):
    """What C and the engine find."""
    state = engine.simulate(kernel, machine, sms)
    return plain_c.simulate(program, plain_c.input_of(state)), plain_c.outcome_of(state)


@needs_c
@pytest.mark.parametrize(
    ("sms", "warm", "cold"), [(1, 4827, 5682), (8, 4832, 5678), (84, 4908, 5769)]
)
def test_ffma(program, sms, warm, cold):
    """Cold caches: lines of code come from memory, and SMs meet at the L2's slices."""
    for kernel, cycles in ((ffma(sms), warm), (plain_c.cold(ffma(sms)), cold)):
        found, expected = both(program, kernel, load(GPU), sms)
        assert found.cycles == cycles
        assert found.same_as(expected)


MACHINES = programs.parameters(
    register_file__read_ports=[2, 3],
    register_file__write_ports=[2],
    register_file__read_window=[4, 5],
    register_file__cache=[False],
    latency__fma__latency=[2, 3, 7],
    latency__alu__interval=[1, 3],
    issue__recency_cycles=[0, 4],
    fetch__buffer_entries=[1, 2, 4],
    stream_buffer__lines=[0, 1, 2],
    l1i__request_latency=[3],
    l1i__mshrs=[1],
    l0i__sets=[1],
    l0i__ways=[1, 2],
    l0i__merges=[1, 2],
    l0i__mshrs=[1],
)
FIXED = [programs.FLOAT, programs.INTEGER, programs.HEAVY, programs.OTHER, programs.TENSOR]


@st.composite
def kernels(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """Fixed-latency code with any control bits, a loop and a branch; changed parameters."""
    line = st.tuples(programs.controls(), st.one_of(*FIXED)).map(lambda p: f"{p[0]} {p[1]} ;")
    before, loop, after = (draw(st.lists(line, max_size=8)) for _ in range(3))
    back = f"{draw(programs.controls())} @P0 BRA again ; @trips {draw(st.integers(1, 3))}"
    taken = draw(st.sampled_from(["@taken", "@not_taken"]))
    out = f"{draw(programs.controls())} @P1 BRA out ; {taken}"
    far = draw(st.sampled_from([[], ["@repeat 40 NOP ;"]]))
    head = [".arch sm_86", ".kernel drawn", f".block {32 * draw(st.integers(1, 16))}"]
    head += [f".grid {draw(st.integers(1, 3))}", f".warm {draw(st.sampled_from(['l1', 'icache']))}"]
    code = [*before, "again:", *loop, back, out, *far, "out:", *after]
    return "\n".join([*head, *code, "[B------:R-:W-:-:S01] EXIT ;", ""]), draw(MACHINES)


@needs_c
@given(drawn=kernels(), sms=st.integers(1, 3))
@settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))
def test_kernels_of_fixed_latency(program, drawn, sms):
    text, changes = drawn
    found, expected = both(program, parse(text).kernels[0], load(GPU, overrides=changes), sms)
    assert found.cycles == expected.cycles
    assert found.same_as(expected)


KERNEL = """
.arch sm_86
.kernel k
.block 32
.grid {grid}
[B------:R-:W-:-:S01] {instruction} ;
[B------:R-:W-:-:S01] EXIT ;
"""


@pytest.mark.parametrize(
    ("instruction", "grid", "changes", "message"),
    [
        ("LDS R2, [R4]", 1, {}, "LDS: the C program has only fixed-latency instructions"),
        ("NOP", 1, {"sm.issue.policy": "gto"}, "sm.issue.policy is gto; .* has only lri"),
        ("NOP", 17, {}, "starts all CTAs at once: use fewer, or more SMs"),
    ],
)
def test_what_c_does_not_have(instruction, grid, changes, message):
    [kernel] = parse(KERNEL.format(grid=grid, instruction=instruction)).kernels
    state = engine.simulate(kernel, load(GPU, overrides=changes), 1)
    with pytest.raises(InputError, match=message):
        plain_c.input_of(state)


def test_compiler_errors_are_passed_on(tmp_path, monkeypatch):
    monkeypatch.setenv("CC", "false")
    with pytest.raises(InputError, match="false -std=c11"):
        plain_c.compile_c("-O2", tmp_path / "plain")


def test_without_a_compiler(monkeypatch, tmp_path):
    monkeypatch.setenv("CC", "no-such-compiler")
    with pytest.raises(InputError, match=r"no-such-compiler: cannot be run: .*; set CC"):
        plain_c.compile_c("-O2", tmp_path / "plain")
