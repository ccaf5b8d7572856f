"""`warpwise run`: its report, its document, its files."""

import csv
import json

import pytest

from warpwise.sim.stalls import STATES

# What the documented schema promises.
TOP = {"schema", "gpu", "preset", "overrides", "fingerprint", "kernels", "total"}
KERNEL = {
    *("name", "launch", "grid", "block", "arch", "cycles", "launch_cycles", "execution_cycles"),
    *("warp_inst", "thread_inst", "ipc_elapsed", "sm_active_cycles", "stalls"),
    *("wall_s", "warp_inst_per_s"),
}

EVENTS = "sm,subcore,warp,cta,pc,opcode,fetch,decode,issue,control,allocate,read_done,writeback"


def without_times(value):
    """A document without what depends on the machine it was made on."""
    if isinstance(value, dict):
        times = ("wall_s", "warp_inst_per_s")
        return {k: without_times(v) for k, v in value.items() if k not in times}
    return [without_times(v) for v in value] if isinstance(value, list) else value


def test_json_has_the_documented_keys(command, sample):
    document = command("run", sample, "--json").document
    (kernel,) = document["kernels"]
    assert set(document) >= TOP
    assert set(kernel) >= KERNEL
    assert (document["schema"], document["gpu"], document["preset"]) == (1, "rtx_a6000", "ref")
    assert (kernel["name"], kernel["grid"], kernel["block"]) == ("matmul", [4, 4, 1], [16, 16, 1])
    assert kernel["cycles"] == kernel["launch_cycles"] + kernel["execution_cycles"]
    assert list(kernel["stalls"]) == list(STATES)
    assert set(document["total"]) == {"cycles", "warp_inst", "wall_s"}


def test_two_runs_print_the_same_but_times(command, sample):
    first, second = (command("run", sample, "--json").document for _ in range(2))
    assert without_times(first) == without_times(second)


def test_overrides_are_reported_and_change_cycles(command, listing):
    option = "--set", "sm.register_file.read_ports=2"
    plain = command("run", listing, "--json").document
    changed = command("run", listing, *option, "--json").document
    assert changed["overrides"] == {"sm.register_file.read_ports": 2}
    assert changed["fingerprint"] != plain["fingerprint"]
    assert clock_differences(plain) == [7]
    assert clock_differences(changed) == [5]


def clock_differences(document):
    (read,) = document["kernels"][0]["clock_reads"]
    assert (read["cta"], read["warp"]) == ([0, 0, 0], 0)
    return [b - a for a, b in zip(read["values"], read["values"][1:], strict=False)]


def test_report_shows_cycles_stalls_and_hotspots(command, sample):
    outcome = command("run", sample)
    assert outcome.code == 0
    assert not outcome.err
    head = outcome.out.splitlines()[0]
    assert head == "matmul  grid 4x4x1  block 16x16x1  sm_86  on 84 SMs of rtx_a6000"
    for part in ("long_scoreboard", "cycles/issue", "0x0000  MOV R1", "fingerprint", "IPC"):
        assert part in outcome.out


def test_report_shows_clock_reads(command, listing):
    assert "CTA 0,0,0 warp 0  7 " in command("run", listing).out


def test_clock_reads_of_many_warps_are_cut(command, kernel_file):
    outcome = command("run", kernel_file(".block 320", "CS2R.32 R2, SR_CLOCKLO ;"))
    assert "and 2 more warps" in outcome.out


def test_unknown_opcodes_mark_the_cycles_until_allowed(command, kernel_file):
    path = kernel_file("FROB R1, R2 ;", "NOP ;", "NOP ;")
    marked, allowed = command("run", path), command("run", path, "--allow-unknown")
    assert marked.code == allowed.code == 0
    assert cycles(marked).endswith("*")
    assert "FROB (25.00%)" in marked.err
    assert not cycles(allowed).endswith("*")
    assert not allowed.err
    assert "FROB  25.00% of warp instructions" in allowed.out


def cycles(outcome):
    (line,) = (row for row in outcome.out.splitlines() if row.startswith("  cycles "))
    return line.split()[1]


def test_unknown_opcodes_are_in_the_document(command, kernel_file):
    outcome = command("run", kernel_file("FROB R1, R2 ;"), "--json")
    assert outcome.document["kernels"][0]["unknown_opcodes"] == {"FROB": 0.5}
    assert "FROB" in outcome.err


def test_several_inputs_make_one_document(command, listing, sample):
    both = command("run", listing, sample, "--json").document
    alone = [command("run", path, "--json").document for path in (listing, sample)]
    assert [k["name"] for k in both["kernels"]] == ["read_ports", "matmul"]
    assert both["total"]["cycles"] == sum(d["total"]["cycles"] for d in alone)
    assert both["fingerprint"] not in [d["fingerprint"] for d in alone]
    assert "2 kernels" in command("run", listing, sample).out


def test_output_folder_holds_the_document(command, listing, tmp_path):
    outcome = command("run", listing, "-o", tmp_path / "new/folder", "--json")
    assert json.loads((tmp_path / "new/folder/result.json").read_text()) == outcome.document


def test_events_have_the_documented_columns(command, listing, tmp_path):
    path = tmp_path / "events.csv"
    command("run", listing, "--events", path)
    rows = list(csv.DictReader(path.open()))
    assert ",".join(rows[0]) == EVENTS
    assert [int(row["pc"]) for row in rows] == [16 * i for i in range(7)]
    assert [row["opcode"] for row in rows[1:4]] == ["NOP", "FFMA", "FFMA"]


def test_events_as_parquet(command, listing, tmp_path):
    import pandas as pd

    path = tmp_path / "events.parquet"
    command("run", listing, "--events", path)
    assert ",".join(pd.read_parquet(path).columns) == EVENTS


@pytest.mark.parametrize("name", ["saxpy", "matmul", "reduction", "collatz"])
def test_bundled_kernels_on_one_sm(command, launched, name):
    outcome = command("run", *launched(name), "--gpu", "rtx_a6000", "--sms", 1, "--json")
    assert outcome.code == 0
    (kernel,) = outcome.document["kernels"]
    assert kernel["name"] == name
    assert not kernel["unknown_opcodes"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["saxpy", "matmul", "reduction", "collatz"])
def test_bundled_kernels_on_the_whole_gpu(command, launched, name):
    one, all_sms = (
        command("run", *launched(name), *sms, "--json").document for sms in ((), ("--sms", 1))
    )
    assert one["total"]["warp_inst"] == all_sms["total"]["warp_inst"]
    assert one["total"]["cycles"] < all_sms["total"]["cycles"]


def test_attribution_says_where_and_keeps_it(command, listing, tmp_path):
    outcome = command("run", listing, "--attribution", "-o", tmp_path / "run")
    assert outcome.code == 0
    assert "issue slots of SM 0" in outcome.out
    assert "where warps of SM 0 are" in outcome.out
    assert (tmp_path / "run/pc.parquet").is_file()
    assert "issue slots" not in command("run", listing).out
