"""GPU files: sources, inheritance, overrides, errors that name what is wrong."""

import re

import pytest

from warpwise.isa.errors import InputError
from warpwise.sim.machine import load as files
from warpwise.sim.machine.load import SOURCES, load, names, parse_override
from warpwise.sim.machine.record import to_record

NOT_VALUES = {"name", "arch"}  # they name the machine, they are not measured


def without_source(machine):
    """Values for which neither the value nor its row of a table says where it comes from."""
    return [
        path
        for path in machine.values()
        if path not in NOT_VALUES and not {path, path.rpartition(".")[0]} & set(machine.sources)
    ]


@pytest.mark.parametrize("gpu", names())
def test_every_value_has_a_source(gpu):
    assert without_source(load(gpu)) == []


@pytest.mark.parametrize("gpu", names())
def test_sources_are_of_known_kinds(gpu):
    assert {source.kind for source in load(gpu).sources.values()} <= set(SOURCES) - {"user"}


@pytest.mark.parametrize("spelling", ["rtx_a6000", "RTX A6000", "rtx-a6000", " Rtx_A6000 "])
def test_names_are_forgiving(spelling):
    assert load(spelling).key == "rtx_a6000"


@pytest.mark.parametrize(
    ("gpu", "message"),
    [
        ("rtx_a600", "unknown GPU 'rtx_a600'.*did you mean rtx_a6000"),
        ("voodoo", "unknown GPU 'voodoo'.*rtx_a6000"),
        ("missing.toml", "missing.toml: no such GPU file"),
    ],
)
def test_unknown_gpus(gpu, message):
    with pytest.raises(InputError, match=message):
        load(gpu)


def test_unknown_preset():
    with pytest.raises(InputError, match=r"unknown preset 'turbo'; there is: .*ref"):
        load("rtx_a6000", "turbo")


def test_override_by_path_reaches_the_record():
    changes = {
        "sm.register_file.read_ports": 2,
        "sm.latency.mufu.interval": 4,
        "clock.core_mhz": 1000.5,
    }
    machine = load("rtx_a6000", "ref", changes)
    assert machine.gpu.sm.register_file.read_ports == 2
    assert machine.gpu.sm.latency["mufu"].interval == 4
    record = to_record(machine.gpu)[0]
    assert (record.sm.register_file.read_ports, record.clock.core_mhz) == (2, 1000.5)
    assert {machine.sources[path].kind for path in changes} == {"user"}
    assert machine.overrides == changes


def test_every_scalar_is_in_the_record():
    """Stages read the same numbers that `warpwise gpus` prints."""
    machine = load("rtx_a6000")
    record = to_record(machine.gpu)[0]
    for path, value in machine.values().items():
        if isinstance(value, int | float) and not path.startswith(
            ("sm.latency.", "sm.local_unit.")
        ):
            here = record
            for name in path.split("."):
                here = here[name]
            assert here == value, path


def test_fingerprint_is_that_of_the_values():
    plain = load("rtx_a6000")
    same = load("rtx_a6000", "ref", {"sm.register_file.read_ports": 1})
    other = load("rtx_a6000", "ref", {"sm.register_file.read_ports": 2})
    assert plain.fingerprint == same.fingerprint != other.fingerprint


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (
            "sm.register_file.read_port",
            2,
            "unknown parameter .*did you mean sm.register_file.read_ports",
        ),
        ("sm.register_fil.read_ports", 2, "did you mean sm.register_file.read_ports"),
        ("nonsense", 1, "unknown parameter 'nonsense'"),
        ("sm.register_file.read_ports.more", 1, "unknown parameter"),
        (
            "sm.register_file.read_ports",
            0,
            "sm.register_file.read_ports: .*greater than or equal to 1",
        ),
        ("sm.register_file.read_ports", 9, "less than or equal to 8"),
        ("sm.register_file.read_ports", "two", "valid integer"),
        ("sm.fetch.buffer_entries", 9, "less than or equal to 8"),
        ("sm.stream_buffer.lines", 33, "less than or equal to 32"),
        ("sm.l1i.mshrs", 65, "less than or equal to 64"),
        ("sm.occupancy.ctas", 33, "less than or equal to 32"),
        ("dram.latency", -1, "greater than or equal to 0"),
        ("clock.core_mhz", 0, "greater than 0"),
        ("sm.fetch", 3, "sm.fetch: "),
        ("arch", "86", "arch: "),
    ],
)
def test_bad_overrides(path, value, message):
    with pytest.raises(InputError, match=message):
        load("rtx_a6000", "ref", {path: value})


# Geometry that the engine's records cannot hold, or a time that its wheel cannot.
TOO_LARGE = {
    "sm.l0i.ways": 4096,  # 512 lines in the record
    "sm.l1i.ways": 4096,  # 2048
    "sm.l1d.size_kib": 4096,  # 1024
    "sm.issue.long_stall_cycles": 2000,  # stall ends reach 127 cycles ahead
}


@pytest.mark.parametrize(("path", "value"), TOO_LARGE.items())
def test_what_the_engine_cannot_hold_is_an_error(path, value):
    with pytest.raises(InputError, match=path.rpartition(".")[0]):
        load("rtx_a6000", "ref", {path: value})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sm.register_file.read_ports=2", ("sm.register_file.read_ports", 2)),
        ("sm.fetch.perfect = true", ("sm.fetch.perfect", True)),
        ("clock.core_mhz=1.5e3", ("clock.core_mhz", 1500.0)),
        ("sm.l1d.carveouts_kib=[0, 64]", ("sm.l1d.carveouts_kib", [0, 64])),
        ("name=my GPU", ("name", "my GPU")),
    ],
)
def test_overrides_as_text(text, expected):
    assert parse_override(text) == expected


@pytest.mark.parametrize("text", ["", "sms", "=3"])
def test_overrides_that_are_none(text):
    with pytest.raises(InputError, match=re.escape(f"--set {text}: expected KEY=VALUE")):
        parse_override(text)


def user_file(tmp_path, text):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    return str(path)


def test_a_file_of_ones_own(tmp_path):
    """What it does not say it takes from the GPU that it extends, sources included."""
    path = user_file(
        tmp_path,
        'extends = "rtx_a6000"\nname = "Mine"\n[sm.register_file]\nread_ports = 2\n'
        '[l2]\nsize_kib = { value = 12288, source = "vendor", note = "doubled" }\n',
    )
    mine, base = load(path), load("rtx_a6000")
    assert (mine.key, mine.gpu.name, mine.gpu.sm.register_file.read_ports) == ("mine", "Mine", 2)
    changed = {p for p, v in mine.values().items() if v != base.values()[p]}
    assert changed == {"name", "sm.register_file.read_ports", "l2.size_kib"}
    assert (mine.sources["l2.size_kib"].kind, mine.sources["l2.size_kib"].note) == (
        "vendor",
        "doubled",
    )
    assert mine.sources["sm.barrier.latency"] == base.sources["sm.barrier.latency"]


def test_an_own_file_runs(tmp_path, simulate):
    path = user_file(tmp_path, 'extends = "rtx_a6000"\nname = "Slow"\n[sm.barrier]\nlatency = 33\n')
    run = simulate("BAR.SYNC 0x0 ;\nNOP ;", gpu=path)
    assert run.issues("NOP")[0] - run.issues("BAR")[0] == 33


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('extends = "rtx_a600"', "unknown GPU 'rtx_a600'.*did you mean rtx_a6000"),
        ('extends = "rtx_a6000"\nsmms = 3', "mine: smms: "),
        ('extends = "rtx_a6000"\n[sm.fetch]\nbufer_entries = 3', "sm.fetch.bufer_entries"),
        (
            'extends = "rtx_a6000"\nsms = { value = 3, source = "guess" }',
            "sms: unknown source 'guess'.*measured",
        ),
        ('extends = "rtx_a6000"\nschema = 2', "expected schema = 1"),
        ("sms = 1", "mine: .*Field required"),
        ("sms = [", "mine.toml: not a TOML file"),
    ],
)
def test_bad_files(tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        load(user_file(tmp_path, text))


def test_a_file_that_extends_itself(tmp_path):
    """A circle is the user's error, not an endless recursion."""
    path = user_file(tmp_path, "")
    user_file(tmp_path, f'extends = "{path}"')
    with pytest.raises(InputError):
        load(path)


def test_shipped_files_are_found_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "rtx_a6000" in names()
    assert all(key not in names() for key in files._ABSTRACT)
