"""`warpwise gpus`: the list, the parameters of one with units and sources, a difference."""

import pytest

from warpwise.sim.machine.load import load, names


def test_list_has_all_gpus(command):
    listed = command("gpus", "--json").document["gpus"]
    assert [gpu["name"] for gpu in listed] == names()
    assert "\nrtx_a6000 " in command("gpus").out


@pytest.mark.parametrize("gpu", names())
def test_every_parameter_is_shown(command, gpu):
    document = command("gpus", gpu, "--json").document
    shown = {p["key"]: p["value"] for p in document["parameters"]}
    expected = load(gpu).values()
    assert list(shown) == list(expected)
    assert all(shown[k] == (list(v) if isinstance(v, tuple) else v) for k, v in expected.items())


@pytest.mark.parametrize(
    ("key", "value", "unit", "source"),
    [
        ("sms", 84, "", "vendor"),
        ("clock.core_mhz", 1800, "MHz", "paper"),
        ("l2.size_kib", 6144, "KiB", "vendor"),
        ("sm.register_file.read_ports", 1, "", "measured"),
        ("sm.l1i.request_latency", 40, "cycles", "authors"),
        ("sm.l0i.line_bytes", 128, "bytes", "authors"),
    ],
)
def test_units_and_sources(command, key, value, unit, source):
    parameters = command("gpus", "rtx_a6000", "--json").document["parameters"]
    (found,) = (p for p in parameters if p["key"] == key)
    assert (found["value"], found["unit"], found["source"]) == (value, unit, source)


def test_text_explains_a_value(command):
    (line,) = (row for row in command("gpus", "RTX-A6000").out.splitlines() if "round_trip" in row)
    assert line.split()[:4] == ["l2.round_trip", "231", "cycles", "measured"]
    assert "a 64-bit load that hits L2 takes 249" in line


def test_difference(command, tmp_path):
    other = tmp_path / "half.toml"
    other.write_text('schema = 1\nextends = "rtx_a6000"\nname = "Half"\nsms = 42\n')
    document = command("gpus", "rtx_a6000", "--diff", other, "--json").document
    assert document["differences"] == [
        {"key": "name", "rtx_a6000": "RTX A6000", "half": "Half"},
        {"key": "sms", "rtx_a6000": 84, "half": 42},
    ]
    assert command("gpus", "rtx_a6000", "--diff", other).out.splitlines()[2].split() == [
        *("sms", "84", "42")
    ]


def test_no_difference(command):
    outcome = command("gpus", "rtx_a6000", "--diff", "rtx_a6000", "--json")
    assert outcome.document["differences"] == []
