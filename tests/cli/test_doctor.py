"""`warpwise doctor`: what is installed, and whether a tiny kernel takes its cycles."""

import platform

from warpwise.sim import doctor


def test_report(command):
    outcome = command("doctor")
    assert outcome.code == 0
    for part in (platform.python_version(), "numba", "nvdisasm", "cache", "self-test", "passed"):
        assert part in outcome.out


def test_json(command):
    document = command("doctor", "--json").document
    assert document["works"] is True
    assert document["cycles"] == document["expected_cycles"] == 7
    assert {"python", "warpwise", "numba", "numpy"} == set(document["versions"])


def test_wrong_cycles_are_a_model_failure(command, monkeypatch):
    monkeypatch.setattr(doctor, "self_test", lambda: 8)
    outcome = command("doctor")
    assert outcome.code == 1
    assert "FAILED: 8 cycles, not 7" in outcome.out


def test_missing_parts_are_named(command, monkeypatch):
    monkeypatch.setattr(doctor, "_nvrtc", lambda: None)
    assert command("doctor", "--json").document["optional"]["nvrtc (rebuilding kernels)"] is None
    assert "missing" in command("doctor").out


def test_coverage_names_the_opcodes_that_are_missing(command):
    document = command("doctor", "--coverage", "--json").document
    assert [part["arch"] for part in document["coverage"]] == ["sm_75", "sm_86"]
    text = command("doctor", "--coverage").out
    for part in document["coverage"]:
        assert ", ".join(part["missing"]) in text
