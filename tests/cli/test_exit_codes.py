"""0 ok, 1 model or comparison failure, 2 usage, 3 bad input, 4 deadlock, 130 interrupted."""

import numpy as np
import pytest
from cli.conftest import KERNELS

from warpwise.sim import api
from warpwise.traces.emulator.errors import EmulationError


def failed(outcome, code):
    """Whether the command failed as it should: a sentence on stderr, nothing on stdout."""
    sentence = outcome.err.startswith("warpwise: ") and "Traceback" not in outcome.err
    return outcome.code == code and sentence and not outcome.out


@pytest.mark.parametrize(
    "line", ["[B------:R-:W-:-:S99] NOP ;", ".blok 32", "@trips 0 BRA nowhere ;", "FFMA R1, ? ;"]
)
def test_malformed_sass_names_its_line(command, kernel_file, line):
    path = kernel_file(line)
    outcome = command("run", path)
    assert failed(outcome, 3)
    assert f"{path}:3: " in outcome.err


@pytest.mark.parametrize("share", [0.0, 0.3, 0.99])
def test_truncated_trace(command, sample, tmp_path, share):
    data = sample.read_bytes()
    path = tmp_path / "short.warptrace"
    path.write_bytes(data[: int(len(data) * share)])
    outcome = command("run", path)
    assert failed(outcome, 3)
    assert str(path) in outcome.err


def test_damaged_trace(command, sample, tmp_path):
    data = bytearray(sample.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path = tmp_path / "damaged.warptrace"
    path.write_bytes(data)
    assert failed(command("run", path), 3)


def test_cubin_of_an_unknown_architecture(command, tmp_path):
    data = bytearray((KERNELS / "saxpy.sm_86.cubin").read_bytes())
    data[0x30:0x34] = bytes(50 if byte == 86 else byte for byte in data[0x30:0x34])  # e_flags
    path = tmp_path / "maxwell.cubin"
    path.write_bytes(data)
    outcome = command("annotate", path)
    assert failed(outcome, 3)
    assert "sm_50" in outcome.err


@pytest.mark.parametrize(
    ("options", "hint"),
    [
        (["--gpu", "rtx_a600"], "did you mean rtx_a6000?"),
        (["--preset", "rev"], "there is: "),
        (["--set", "sm.register_file.read_port=2"], "did you mean sm.register_file.read_ports?"),
        (["--set", "sm.register_file.read_ports"], "expected KEY=VALUE"),
        (["--set", "sm.register_file.read_ports=0"], "greater than or equal to 1"),
        (["--kernel", "saxpy"], "read_ports"),
        (["--launch", "launch.toml"], "only for a .cubin"),
    ],
)
def test_unknown_values_are_bad_input_with_a_hint(command, listing, options, hint):
    outcome = command("run", listing, *options)
    assert failed(outcome, 3)
    assert hint in outcome.err


@pytest.mark.parametrize("name", ["missing.sass", "missing.warptrace", "missing.cubin", "missing"])
def test_missing_input(command, name):
    assert failed(command("annotate", name), 3)


def test_cubin_without_launch_file(command):
    outcome = command("run", KERNELS / "saxpy.sm_86.cubin")
    assert failed(outcome, 3)
    assert "--launch" in outcome.err


def test_output_that_cannot_be_written(command, listing, tmp_path):
    (tmp_path / "file").touch()
    assert failed(command("run", listing, "-o", tmp_path / "file"), 3)


@pytest.mark.parametrize(
    "arguments",
    [
        ["run"],
        ["run", "x.sass", "--frob"],
        ["run", "x.sass", "--sms", "0"],
        ["run", "x.sass", "--max-cycles", "many"],
        ["run", "x.sass", "--events", "events.txt"],
        ["run", "x.sass", "--events", "no/such/folder/events.csv"],
        ["trace", "x.cubin", "-o", "x.trace"],
        ["gpus", "--diff", "rtx_a6000"],
        ["validate", "hardwear"],
        ["frob"],
    ],
)
def test_usage(command, arguments):
    outcome = command(*arguments)
    assert outcome.code == 2
    assert "Usage: warpwise" in outcome.err
    assert not outcome.out


def test_failed_check_is_a_comparison_failure(command, tmp_path):
    launch = (KERNELS / "collatz.toml").read_text()
    (tmp_path / "collatz.toml").write_text(launch)
    np.save(tmp_path / "collatz_steps.npy", np.zeros(4096, np.int32))
    outcome = command("run", KERNELS / "collatz.sm_86.cubin", "--launch", tmp_path / "collatz.toml")
    assert failed(outcome, 1)
    assert "elements differ" in outcome.err


def test_error_of_the_emulated_program_is_a_model_failure(command, listing, monkeypatch):
    monkeypatch.setattr(api, "run", raising(EmulationError("bad address")))
    assert failed(command("run", listing), 1)


def test_interrupt(command, listing, monkeypatch):
    monkeypatch.setattr(api, "run", raising(KeyboardInterrupt()))
    outcome = command("run", listing)
    assert outcome.code == 130
    assert not outcome.out


def test_cycle_limit(command, sample):
    outcome = command("run", sample, "--max-cycles", 300)
    assert failed(outcome, 4)
    assert "matmul reached the cycle limit at cycle 300" in outcome.err


def test_deadlock_reports_what_each_warp_waits_for(command, kernel_file):
    outcome = command(
        "run", kernel_file(".block 32", "BAR.SYNC 0x0, 0x40 ;")
    )  # 64 threads never come
    assert failed(outcome, 4)
    assert "makes no progress" in outcome.err
    assert (
        "SM 0 sub-core 0 warp 0 (CTA 0): PC 0x10 'EXIT' is held before it by barrier 0"
        in outcome.err
    )


def raising(error):
    def run(*_args, **_options):
        raise error

    return run
