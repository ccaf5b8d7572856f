"""Native traces are small, and the page that says how small can be written anew."""

import pytest

from warpwise.validation import trace_sizes
from warpwise.validation.batched import batched
from warpwise.validation.kernels.zoo import ZOO, trace_zoo
from warpwise.validation.trace_sizes import Rates, longer, streamed, total, zoo

pytest.importorskip("google.protobuf")


@pytest.mark.parametrize(("name", "times"), [("sgemm_tiled", 750), ("bfs_level", 50)])
def test_native_files_are_small(name, times):
    [sizes] = zoo(Rates(), [name])
    assert sizes.times_smaller("text") > times
    assert sizes.dynamic_times_smaller > 3


def test_a_batched_launch_is_several_launches():
    """The CTAs of two runs on data of their own; the first run is that of the zoo."""
    [one], [two] = trace_zoo("spmv_rows").kernels, batched("spmv_rows", 2).kernels
    assert two.n_ctas == 2 * one.n_ctas
    assert two.copies[: len(one.copies)] == one.copies
    for number in range(one.n_ctas):
        first, second, original = (
            k.load_cta(n).warps[0].accesses.addresses
            for k, n in ((two, number), (two, one.n_ctas + number), (one, number))
        )
        assert (first == original).all()
        assert second.max() > original.max()


def test_long_traces_are_measured_as_short_ones():
    [sizes], trace = zoo(Rates(), ["scan_three_kernels"]), trace_zoo("scan_three_kernels")
    found = streamed(sizes.name, trace)
    assert found.formats == {key: sizes.formats[key] for key in found.formats}
    assert (found.warp_inst, found.dynamic) == (sizes.warp_inst, sizes.dynamic)


@pytest.mark.slow
def test_launches_of_a_whole_gpu_are_smaller_than_compressed_text():
    """Without the loop of 1.6 million FFMAs, which any format compresses."""
    [sizes] = longer(Rates(), ["saxpy"])
    assert sizes.times_smaller("text.xz") > 4


@pytest.mark.slow
def test_the_zoo():
    """270 times smaller than text; what the warps did, 4.2 times smaller than its .xz."""
    sizes = list(zoo(Rates()))
    assert len(sizes) == len(ZOO)
    assert total(sizes).times_smaller("text") > 270
    assert total(sizes).times_smaller("text.xz") > 2.6
    assert total(sizes).dynamic_times_smaller > 4.1


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
