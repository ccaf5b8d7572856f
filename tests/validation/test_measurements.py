"""Measurements of others: errors stay at the level reached; known disagreements fail if solved."""

import json

import pytest

from warpwise import validation
from warpwise.validation.experiments import (
    memory_levels,
    sm86_cache_bandwidth,
    sm86_dram_streams,
    sm86_instruction_cache,
    sm86_l1_strides,
    sm86_pointer_chase,
    sm86_register_ports,
    sm86_shared_memory,
    sm86_warps_per_subcore,
    turing_latency,
)
from warpwise.validation.experiments.measurement import Comparison, Measurement
from warpwise.validation.hardware_checks import (
    EXPERIMENTS,
    ErrorStatistics,
    MeasurementReport,
    measurements,
    validate_measurements,
)

# Of each experiment, the cases of the default run.
SAMPLE = {
    sm86_register_ports: slice(None, None, 14),
    sm86_instruction_cache: slice(2, 20, 8),
    sm86_warps_per_subcore: slice(20 + 21),
    sm86_shared_memory: slice(None),
    sm86_l1_strides: slice(None, None, 4),
    sm86_pointer_chase: slice(None),
    sm86_cache_bandwidth: slice(3, None, 2),
    sm86_dram_streams: slice(11, 15),
    memory_levels: slice(None),
    turing_latency: slice(None),
}
# Highest mean absolute error, percent.
REACHED = {
    "register ports: stall counts": 1.5,
    "register ports: operands": 1,
    "register banks": 2,
    "instruction cache: up to 64 KB": 51,
    "instruction cache: 64 to 128 KB": 40,
    "instruction cache: beyond 128 KB": 7.5,
    "warps per sub-core: each warp": 2.5,
    "warps per sub-core: last warp": 2.5,
    "shared memory": 4.5,
    "L1 strides": 6,
    "pointer chase": 1,
    "pointer chase: edge of the L1": 50,
    "cache bandwidth: L1": 1,
    "cache bandwidth: between L1 and L2": 36,
    "cache bandwidth: L2": 2.5,
    "cache bandwidth: beyond the L2": 5,
    "DRAM streams: init": 3,
    "DRAM streams: read": 3,
    "DRAM streams: scale": 3,
    "DRAM streams: triad": 3,
    "memory rates": 4,
    "memory latencies": 3.5,
    "Turing issue distances: GPR": 12,
    "Turing issue distances: predicate": 0,
    "Turing issue distances: uniform": 0,
    "Turing FP64 latency": 10,
    "Turing FP32 latency": 1,
    "Turing FP32 rate": 1,
    "Turing register banks": 1.5,
}
AGREES = 6  # percent; each case of the others does
DISAGREEMENTS = {
    "instruction cache: up to 64 KB": "26 % too slow, at 32 KB 123 %: deviation 8",
    "instruction cache: 64 to 128 KB": "40 % too fast: deviation 8",
    "warps per sub-core: each warp": "the youngest of five 9 % faster, here all even: deviation 9",
    "shared memory": "waits last one cycle longer, up to 9 %: deviation 10",
    "L1 strides": "whole cycles, up to 22 % from the measured fractions: deviation 15",
    "pointer chase: edge of the L1": "lines are not replaced as LRU does: deviation 16",
    "cache bandwidth: between L1 and L2": "lines are not replaced as LRU does: deviation 16",
    "memory rates": "STS.128: 114 bytes a cycle, model 128: deviation 20",
    "Turing issue distances: GPR": "HMMA.1688: 14 cycles, model 24: deviation 11",
    "Turing FP64 latency": "45 cycles, model 48 and 52: deviation 12",
}

A = Comparison("ports", "a", 4, 5, "S05")
B = Comparison("ports", "b", 10, 9, "S05")
C = Comparison("banks", "c", 2, 2, "S05")


@pytest.fixture(scope="module")
def sampled():
    cases = (list(module.measurements())[part] for module, part in SAMPLE.items())
    return MeasurementReport(tuple(case.compare() for part in cases for case in part))


@pytest.mark.parametrize("experiment", REACHED)
def test_errors_stay_at_the_level_reached(sampled, experiment):
    means = {entry.experiment: entry.mean for entry in sampled.statistics}
    assert means[experiment] <= REACHED[experiment]


@pytest.mark.parametrize(
    "experiment",
    [
        pytest.param(name, marks=pytest.mark.xfail(strict=True, reason=DISAGREEMENTS[name]))
        if name in DISAGREEMENTS
        else name
        for name in REACHED
    ],
)
def test_every_case_agrees(sampled, experiment):
    assert all(abs(row.error) < AGREES for row in sampled.rows if row.experiment == experiment)


@pytest.mark.slow
def test_errors_of_all_measurements_stay_at_the_level_reached():
    means = {entry.experiment: entry.mean for entry in validate_measurements().statistics}
    assert means.keys() == REACHED.keys()
    assert not {name: mean for name, mean in means.items() if mean > REACHED[name]}


def test_round_robin_would_share_the_issue_slots_as_measured():
    shared = sm86_warps_per_subcore.cycles_per_ffma(16, **{"sm.issue.policy": "lrr"})
    assert shared == pytest.approx([6.12] * 16, rel=0.03)


def test_a_faster_first_level_would_hide_instruction_misses_as_measured():
    nearer = {"sm.l1i.request_latency": 31, "sm.l1i.reply_latency": 30}
    assert sm86_instruction_cache.cycles_per_instruction(384, **nearer) < 1.01


def test_samples_are_of_all_experiments():
    assert tuple(SAMPLE) == EXPERIMENTS


def test_every_measurement_has_its_own_name():
    names = [(case.experiment, case.case) for case in measurements()]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("description", "stalls"),
    [
        ("all four: stall 12, Y", "Y:S12 Y:S12 Y:S12 Y:S12"),
        ("all: stall 1, -", "-:S01 -:S01 -:S01 -:S01"),
        ("first: stall 3, other three: stall 1, all Y", "Y:S03 Y:S01 Y:S01 Y:S01"),
    ],
)
def test_control_bits_of_a_group(description, stalls):
    expected = [f"[B------:R-:W-:{control}]" for control in stalls.split()]
    assert sm86_register_ports.controls(description) == expected


def test_durations_of_the_bank_test_become_cycles():
    row = {"mean_ms": "1.162", "repetitions_per_thread": "4096"}
    assert sm86_register_ports.measured_per_instruction(row) == pytest.approx(2.012, abs=0.001)


def test_a_measurement_becomes_a_comparison():
    assert Measurement("ports", "a", 4, "S05", simulate=lambda: 5).compare() == A
    assert A.error == 25


def test_statistics():
    ports, banks = MeasurementReport((A, B, C)).statistics
    assert banks == ErrorStatistics("banks", 1, 0, 0, 0)
    assert (ports.number, ports.worst) == (2, 25)
    assert ports.mean == ports.median == pytest.approx(17.5)


def test_text_ends_with_the_statistics():
    lines = str(MeasurementReport((A, B, C))).splitlines()
    assert lines[1].split() == ["ports", "a", "4", "5", "+25.0", "%", "S05"]
    assert lines[-2].split() == ["ports", "2", "17.5", "%", "17.5", "%", "+25.0", "%"]


def test_frame_and_json():
    report = MeasurementReport((A, B, C))
    assert list(report.frame["error"]) == pytest.approx([25, -10, 0])
    document = json.loads(json.dumps(report.to_dict()))
    assert document["rows"][0]["simulated"] == 5
    assert document["statistics"][0]["number"] == 2


def test_public_names():
    assert validation.MeasurementReport is MeasurementReport
    assert validation.validate_measurements is validate_measurements
