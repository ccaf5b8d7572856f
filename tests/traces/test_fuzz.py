"""No reader crashes, hangs or takes memory without bound, whatever is in a file."""

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from traces import fuzz

pytest.importorskip("google.protobuf")
SECONDS = 20
CHANGE = st.tuples(
    st.integers(0, 1 << 16),  # where
    st.integers(0, 40),  # how much goes
    st.binary(max_size=6) | st.sampled_from([b"-1", b"9" * 12, b"ffffffff", b"\n" * 30, b"0x"]),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("fuzz")
    fuzz.write_all(path)
    return path


def changed(data, changes):
    for place, length, text in changes:
        place %= len(data) + 1
        data = data[:place] + text + data[place + length :]
    return data


@pytest.mark.parametrize("reader", fuzz.READERS)
def test_damaged_files_are_read_or_refused(folder, reader):
    path = folder / fuzz.READERS[reader][0]
    whole = path.read_bytes()

    @settings(max_examples=120, derandomize=True)
    @given(st.lists(CHANGE, min_size=1, max_size=4))
    def any_changes(changes):
        fuzz.read_or_refuse(folder, reader, changed(whole, changes))

    try:
        any_changes()
    finally:
        path.write_bytes(whole)


@pytest.mark.slow
@pytest.mark.parametrize("reader", fuzz.READERS)
def test_guided_by_coverage(tmp_path, reader):
    """Atheris: thirty seconds for one input or a gigabyte for all are a failure."""
    pytest.importorskip("atheris")
    limits = [
        f"-max_total_time={SECONDS}",
        "-seed=1",
        "-runs=300",
        "-timeout=30",
        "-rss_limit_mb=1024",
        "-max_len=4096",
    ]
    command = [sys.executable, fuzz.__file__, reader, str(tmp_path), *limits]
    done = subprocess.run(
        command, cwd=Path(tmp_path), capture_output=True, text=True, timeout=SECONDS * 6
    )
    assert done.returncode == 0, done.stderr[-3000:]
