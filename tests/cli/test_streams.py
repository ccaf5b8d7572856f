"""Results go to stdout, the rest to stderr; colours and progress to terminals only."""

import io
import os
import pty
import subprocess
import sys

import pytest

from warpwise.sim import cli_progress
from warpwise.sim.cli_progress import ERASE, ProgressLine

COMMAND = (sys.executable, "-m", "warpwise.sim")
ESCAPE = b"\033["


def on_terminal(*args, **environment):
    """What the command writes where stdout and stderr are a terminal."""
    parent, child = pty.openpty()
    subprocess.run(
        [*COMMAND, *args], stdout=child, stderr=child, env={**os.environ, **environment}, check=True
    )
    os.close(child)
    chunks = []
    try:
        while chunk := os.read(parent, 1 << 16):
            chunks.append(chunk)
    except OSError:  # all is read
        pass
    finally:
        os.close(parent)
    return b"".join(chunks)


def test_no_colour_on_a_terminal_that_wants_none():
    assert ESCAPE not in on_terminal("gpus", NO_COLOR="1")
    assert ESCAPE not in on_terminal("run", "--help", NO_COLOR="1")


def test_no_escape_sequences_in_a_pipe(listing):
    run = subprocess.run([*COMMAND, "run", listing], capture_output=True, check=True)
    assert ESCAPE not in run.stdout + run.stderr


def test_json_is_all_of_stdout_also_on_errors(command, listing, kernel_file):
    command("run", listing, "--json").document  # noqa: B018 - parses
    assert command("run", "missing.sass", "--json").out == ""


def test_a_closed_pipe_is_no_error_message():
    run = subprocess.run(
        f"'{sys.executable}' -m warpwise.sim gpus rtx_a6000 | head -1",
        shell=True,
        capture_output=True,
        check=True,
    )
    assert run.stdout.startswith(b"parameter")
    assert not run.stderr


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def clock(monkeypatch):
    """Seconds that pass only when a test says so."""
    seconds = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: seconds[0])
    return seconds


def test_progress_on_a_terminal(clock):
    stream = Terminal()
    with ProgressLine(stream) as progress:
        clock[0] = 3.0
        progress(14784, 64, 256)
        progress(20000, 65, 256)  # at once: not shown
    assert stream.getvalue() == (f"{ERASE}cycle 14,784  CTAs 64 of 256  about 9 s to go{ERASE}")


def test_progress_of_the_next_kernel_starts_anew(clock):
    stream = Terminal()
    progress = ProgressLine(stream)
    for seconds, cycle, started in ((100.0, 5000, 8), (101.0, 100, 1), (103.0, 200, 4)):
        clock[0] = seconds
        progress(cycle, started, 8)
    assert stream.getvalue().endswith("CTAs 4 of 8  about 2 s to go")


def test_no_progress_elsewhere(clock):
    stream = io.StringIO()
    with ProgressLine(stream) as progress:
        clock[0] = 3.0
        progress(14784, 64, 256)
    assert not stream.getvalue()


@pytest.mark.parametrize("arguments", [["--help"], ["gpus"], ["gpus", "rtx_a6000", "--json"]])
def test_light_commands_import_nothing_heavy(arguments):
    run = subprocess.run(
        [sys.executable, "-X", "importtime", *COMMAND[1:], *arguments],
        capture_output=True,
        text=True,
        check=True,
    )
    imported = {line.rpartition("|")[2].strip() for line in run.stderr.splitlines()}
    assert "warpwise.sim.cli" in imported
    assert not imported & {"numba", "numpy", "pandas", "matplotlib"}


def test_warnings_are_sentences_on_stderr(command, launched):
    cubin, *launch = launched("saxpy")
    turing = cubin.with_name("saxpy.sm_75.cubin")
    outcome = command("run", turing, *launch, "--sms", 1, "--json")
    assert outcome.document["kernels"][0]["arch"] == "sm_75"
    assert outcome.err.startswith("warpwise: saxpy is compiled for sm_75")


@pytest.mark.parametrize("compiled", [False, True])
def test_compilation_is_announced_once(monkeypatch, capsys, compiled):
    done = []
    monkeypatch.setattr(cli_progress, "is_compiled", lambda: compiled)
    monkeypatch.setattr(cli_progress, "compile_engine", lambda: done.append(True))
    cli_progress.compile_once()
    said = capsys.readouterr().err
    assert said.startswith("warpwise: compiling the engine, once") is not compiled
    assert bool(done) is not compiled


def test_runs_interpreted(listing, tmp_path):
    """Without numba's compiler there is nothing to announce, and nothing is cached."""
    environment = {**os.environ, "WARPWISE_CACHE": str(tmp_path), "NUMBA_DISABLE_JIT": "1"}
    run = subprocess.run(
        [*COMMAND, "run", listing], capture_output=True, text=True, env=environment, check=True
    )
    assert run.stderr == ""
    assert not list(tmp_path.rglob("*.nbi"))
