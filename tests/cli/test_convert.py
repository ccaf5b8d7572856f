"""`warpwise convert`, `warpwise trace info`, and Accel-Sim traces in `warpwise run`."""

import pytest

from warpwise.traces import convert as formats
from warpwise.traces import store
from warpwise.traces.kernel import Trace
from warpwise.validation.kernels import zoo


@pytest.fixture
def as_text(command, sample, tmp_path):
    """The bundled trace in Accel-Sim's format."""
    path = tmp_path / "text/kernelslist.g"
    outcome = command("convert", sample, path, "--compress", ".xz")
    assert outcome.code == 0
    assert "no control bits" in outcome.err
    return path


def test_there_and_back(command, as_text, launched, sample, tmp_path):
    """With the cubin, the text format simulates like the native one."""
    back = tmp_path / "back.warptrace"
    cubin = launched("matmul")[0]
    assert command("convert", as_text, back, "--cubin", cubin).code == 0
    expected = command("run", sample, "--sms", "4", "--json").document["total"]["cycles"]
    for source in ([back], [as_text, "--cubin", cubin]):
        outcome = command("run", *source, "--sms", "4", "--json")
        assert outcome.document["total"]["cycles"] == expected


def test_without_the_cubin_it_says_so(command, as_text):
    outcome = command("run", as_text, "--sms", "1", "--json")
    assert outcome.document["kernels"][0]["scoreboards"]
    assert "scoreboards stand in" in outcome.err


def test_a_range_of_ctas(command, sample, tmp_path):
    part = tmp_path / "part.warptrace"
    assert command("convert", sample, part, "--ctas", "4:6").code == 0
    [kernel], [whole] = store.read(part).kernels, store.read(sample).kernels
    assert kernel.grid == (2, 1, 1)
    found, expected = kernel.load_cta(1).warps[0], whole.load_cta(5).warps[0]
    assert (found.accesses.addresses == expected.accesses.addresses).all()
    for wrong in ("4", "6:4", "0:99"):
        outcome = command("convert", sample, tmp_path / "x.warptrace", "--ctas", wrong)
        assert outcome.code == 3
        assert wrong in outcome.err


def test_run_and_info_take_a_range_of_ctas(command, sample, tmp_path):
    """The first CTAs of a trace are a launch of so many CTAs."""
    part = tmp_path / "part.warptrace"
    assert command("convert", sample, part, "--ctas", "0:3").code == 0
    expected = command("run", part, "--sms", "2", "--json").document
    found = command("run", sample, "--ctas", "0:3", "--sms", "2", "--json").document
    assert found["total"]["cycles"] == expected["total"]["cycles"]
    assert found["trace_hash"] == expected["trace_hash"]
    [info] = command("trace", "info", sample, "--ctas", "0:3", "--json").document["kernels"]
    assert info["ctas"] == 3
    assert info["warp_inst"] == 27_648 * 3 // 16


@pytest.mark.parametrize("target", ["k.warptrace", "kernelslist.g", "dynamic_trace.pb"])
def test_a_range_of_launches(command, tmp_path, target):
    """In every format; what is not asked for may be unreadable in the foreign ones."""
    pytest.importorskip("google.protobuf")
    launches = zoo.trace_zoo("bfs_level").kernels[:3]
    formats.write(Trace(launches), tmp_path / target)
    cut = tmp_path / "cut.warptrace"
    assert command("convert", tmp_path / target, cut, "--launches", "1:3").code == 0
    found = store.read(cut).kernels
    assert [k.launch for k in found] == [1, 2]
    for kernel, expected in zip(found, launches[1:], strict=True):
        addresses = (k.load_cta(0).warps[1].accesses.addresses for k in (kernel, expected))
        assert (next(addresses) == next(addresses)).all()
    outcome = command("trace", "info", tmp_path / target, "--launches", "5:9")
    assert outcome.code == 3
    assert "none of its 3 launches" in outcome.err


def test_unknown_targets(command, sample, tmp_path):
    outcome = command("convert", sample, tmp_path / "x.trace")
    assert outcome.code == 3
    assert "kernelslist.g" in outcome.err


def test_info(command, sample):
    document = command("trace", "info", sample, "--json").document
    [kernel] = document["kernels"]
    assert kernel["ctas"] == 16
    assert kernel["warp_inst"] == 27_648 == sum(kernel["opcodes"].values())
    assert kernel["footprint_bytes"] == 3 * 64 * 64 * 4  # three matrices of 64 x 64 floats
    assert kernel["lanes_active"] == 1
    assert kernel["control_bits"]
    assert (kernel["copies"], kernel["copied_bytes"]) == (2, 2 * 64 * 64 * 4)
    text = command("trace", "info", sample).out
    assert "27,648" in text
    assert "LDS" in text


def test_the_protobuf_tree(command, sample, tmp_path):
    pytest.importorskip("google.protobuf")
    target = tmp_path / "app/traces/dynamic_trace.pb"
    outcome = command("convert", sample, target)
    assert outcome.code == 0
    assert "no warm caches" in outcome.err
    for verb in (["trace", "info"], ["run", "--sms", "4"]):
        found = command(*verb, tmp_path / "app", "--json").document["kernels"][0]
        expected = command(*verb, sample, "--json").document["kernels"][0]
        for key in ("warp_inst", "cycles", "footprint_bytes", "grid"):
            assert found.get(key) == expected.get(key)
