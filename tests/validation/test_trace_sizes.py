"""Native traces are small, and the page that says how small can be written anew."""

import pytest

from warpwise.validation import trace_sizes
from warpwise.validation.kernels.zoo import ZOO
from warpwise.validation.trace_sizes import Rates, longer, total, zoo

pytest.importorskip("google.protobuf")


@pytest.mark.parametrize(("name", "times"), [("sgemm_tiled", 350), ("bfs_level", 35)])
def test_native_files_are_small(name, times):
    [sizes] = zoo(Rates(), [name])
    assert sizes.times_smaller("text") > times
    assert sizes.dynamic_times_smaller > 3


@pytest.mark.slow
def test_launches_of_a_whole_gpu_are_smaller_than_compressed_text():
    """Without the loop of 1.6 million FFMAs, which any format compresses."""
    [sizes] = longer(Rates(), ["saxpy"])
    assert sizes.times_smaller("text.xz") > 4


@pytest.mark.slow
def test_the_zoo():
    """150 times smaller than text; what the warps did, 3.6 times smaller than its .xz."""
    sizes = list(zoo(Rates()))
    assert len(sizes) == len(ZOO)
    assert total(sizes).times_smaller("text") > 145
    assert total(sizes).times_smaller("text.xz") > 1.4
    assert total(sizes).dynamic_times_smaller > 3.5


def test_the_page_is_written(tmp_path, monkeypatch):
    page = tmp_path / "page.md"
    text = trace_sizes.PAGE.read_text()
    page.write_text(text)
    monkeypatch.setattr(trace_sizes, "PAGE", page)
    trace_sizes.main(["saxpy", "gather"], ["saxpy"])
    written = page.read_text()
    assert [line for line in written.splitlines() if line.startswith("saxpy ")]
    assert "of 2 kernels" in written
    assert written.split("```\n")[::2] == text.split("```\n")[::2]
