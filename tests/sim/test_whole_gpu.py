"""Many SMs against one L2 and memory: rates of the whole, and the order in which they share."""

import numpy as np
import pytest

from warpwise.sim import engine
from warpwise.sim.machine.load import load
from warpwise.validation.experiments.addressed import kernel

LOAD = "[B------:R-:W0:-:S02] LDG.E R1, [R2.64] ;\n"
USE = "[B0-----:R-:W-:-:S04] FADD R5, R1, R5 ;"
N = 8  # loads of a thread


def stream(ctas, block=256):
    """Each thread reads N words; together they read an array once."""
    threads = ctas * block

    def addresses(t):
        return 0x10000000 + 4 * (np.arange(N)[:, None] * threads + t)

    return kernel("stream", N * LOAD + USE, ctas, block, addresses)


@pytest.fixture(scope="module")
def read_stream():
    return engine.simulate(stream(84 * 6), load("rtx_a6000"))


def test_stream_of_reads_nears_the_rate_of_the_memory(read_stream):
    """426.7 bytes a cycle, less 2.4 % for refresh, behind the first one's 500 cycles."""
    read = int(read_stream.gpu.dram.channel["sectors_read"].sum()) * 32
    assert read == 84 * 6 * 256 * N * 4
    assert read / (read_stream.execution_cycles - 500) == pytest.approx(416, rel=0.02)


def test_few_misses_of_a_slice_limit_the_rate():
    """Four lines of 128 bytes in each of 48 slices, and each takes 239 cycles or more."""
    few = engine.simulate(stream(84), load("rtx_a6000", "ref", {"l2.mshrs": 4}))
    read = int(few.gpu.dram.channel["sectors_read"].sum()) * 32
    assert 0.8 < read / (few.execution_cycles - 500) / (4 * 128 * 48 / 239) <= 1


@pytest.mark.parametrize("bytes_", [64, 100])
def test_a_gpc_limits_what_its_sms_receive(bytes_):
    """Seven GPCs, each with so many bytes a cycle; the memory could give 416."""
    changes = {"interconnect.gpc_bytes": bytes_ // 2}
    narrow = engine.simulate(stream(84 * 6), load("rtx_a6000", "ref", changes))
    read = int(narrow.gpu.dram.channel["sectors_read"].sum()) * 32
    rate = read / (narrow.execution_cycles - 500)
    assert rate == pytest.approx(min(7 * bytes_ // 2, 416), rel=0.03)


PAGE = 1 << 21


@pytest.mark.parametrize(
    ("addresses", "late"),
    [
        ((0,), 250),
        ((0, 0), 250),  # the page is known
        ((0, PAGE), 500),
        ((0, PAGE, 0), 500),
        ((0, PAGE, 2 * PAGE, 0), 1000),  # a table of two pages has forgotten the first
        ((0, PAGE, 0, 2 * PAGE, 0), 750),  # but not the one used last
    ],
)
def test_a_page_that_a_gpc_does_not_know_is_late(simulate, addresses, late):
    loads = [
        f"[B0-----:R-:W0:-:S02] LDG.E.STRONG.GPU R4, [R2.64] ; @addr base={a:#x} stride=0"
        for a in addresses
    ]
    code = "\n".join([*loads, "[B0-----:R-:W-:-:S01] NOP ;"])
    table = {"translation.miss_cycles": 250, "translation.pages": 2}
    near, far = (simulate(code, warm="icache", changes=changes) for changes in ({}, table))
    assert far.issues("NOP")[0] - near.issues("NOP")[0] == late


@pytest.mark.parametrize(("mshrs", "added"), [(1, 2 * 239), (2, 239 + 2)])
def test_a_miss_waits_for_those_before_it(simulate, mshrs, added):
    """Two sectors of a line are two misses of a slice: one after the other, or a burst apart."""
    loads = [f"[B------:R-:W0:-:S02] LDG.E R4, [R2.64] ; @addr base={a:#x} stride=0" for a in ROW]
    use = "[B0-----:R-:W-:-:S01] NOP ;"
    run = simulate("\n".join([*loads, use]), warm="icache", changes={"l2.mshrs": mshrs})
    assert run.issues("NOP")[0] - run.issues()[0] == 250 + added


ROW = (0x10000, 0x10020)


@pytest.mark.parametrize("window", [1, 32, 128])
def test_the_window_does_not_change_a_cycle(window):
    one_wave = stream(8, 128)
    whole = engine.simulate(one_wave, load(), 4, events=True)
    parts = engine.simulate(one_wave, load(), 4, events=True, window=window)
    assert parts.execution_cycles == whole.execution_cycles
    assert parts.events.tobytes() == whole.events.tobytes()


MIXED = """
[B------:R-:W0:-:S02] LDG.E.STRONG.GPU R1, [R2.64] ;
[B------:R-:W1:-:S02] LDG.E.EF.LTC128B R4, [R2.64] ;
[B01----:R-:W0:-:S02] ATOMG.E.ADD.STRONG.GPU PT, R5, [R2.64], R1 ;
[B------:R-:W-:-:S02] RED.E.ADD.STRONG.GPU [R2.64], R4 ;
[B0-----:R-:W-:-:S02] STG.E [R2.64], R5 ;
[B------:R-:W0:-:S02] LD.E R6, [R2.64] ;
[B------:R-:W-:Y:S05] CCTL.IVALL ;
[B0-----:R-:W-:-:S04] FADD R5, R6, R5 ;"""
SMALL_L2 = {"l2.size_kib": 96, "l2.mshrs": 2, "dram.write_batch": 8, "sm.occupancy.ctas": 2}


def mixed(changes, **options):
    """All that SMs share: words that all change, misses that wait, lines that displace others."""

    def addresses(threads):
        own = 0x10000000 + 256 * threads
        one = np.full_like(own, 0x20000000)
        return np.stack([own, own + 64, one, one + threads % 5, own + 128, 0x300000000 + 0 * own])

    kernel_ = kernel("mixed", MIXED, 24, 128, addresses)
    return engine.simulate(
        kernel_, load("rtx_a6000", "ref", SMALL_L2 | changes), 3, events=True, **options
    )


SHARED_LINKS = {
    "interconnect.gpcs": 2,
    "interconnect.gpc_bytes": 8,
    "translation.miss_cycles": 250,
    "translation.pages": 2,
    "launch.refill_latency": 5,
}


@pytest.mark.parametrize("changes", [{}, SHARED_LINKS])
@pytest.mark.parametrize("options", [{"window": 1}, {"window": 50}, {"threads": 2}, {"threads": 3}])
def test_neither_windows_nor_threads_change_what_sms_share(options, changes):
    one, other = mixed(changes), mixed(changes, **options)
    assert int(one.gpu.dram.channel["sectors_written"].sum()) > 0
    assert other.execution_cycles == one.execution_cycles
    assert other.events.tobytes() == one.events.tobytes()


def with_threads(threads, events):
    """Twelve full SMs of CTAs on three SMs, so that places are refilled."""
    return engine.simulate(stream(12 * 6), load(), 3, events=events, threads=threads)


@pytest.mark.parametrize("threads", [2, 3])
def test_the_number_of_threads_does_not_change_a_bit(threads):
    one, more = with_threads(1, False), with_threads(threads, False)
    assert one.execution_cycles == more.execution_cycles
    assert one.counts.tobytes() == more.counts.tobytes()
    assert one.sms.tobytes() == more.sms.tobytes()


def test_the_number_of_threads_does_not_change_what_is_recorded():
    assert with_threads(1, True).events.tobytes() == with_threads(2, True).events.tobytes()
