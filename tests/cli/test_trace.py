"""`warpwise trace`: what is recorded simulates like what is emulated."""

from warpwise.traces import store


def test_trace_simulates_like_the_emulated_cubin(command, launched, tmp_path):
    path = tmp_path / "matmul.warptrace"
    written = command("trace", *launched("matmul"), "-o", path)
    assert written.code == 0
    assert str(path) in written.out
    recorded = command("run", path, "--json").document["kernels"][0]
    emulated = command("run", *launched("matmul"), "--json").document["kernels"][0]
    assert recorded["cycles"] == emulated["cycles"]
    assert recorded["stalls"] == emulated["stalls"]


def test_document_names_hash_and_kernels(command, launched, tmp_path):
    path = tmp_path / "saxpy.warptrace"
    document = command("trace", *launched("saxpy"), "-o", path, "--json").document
    assert document["hash"] == store.read(path).hash
    assert document["bytes"] == path.stat().st_size
    assert document["kernels"] == [
        {"name": "saxpy", "grid": [256, 1, 1], "block": [128, 1, 1], "arch": "sm_86"}
    ]


def test_the_sample_is_what_the_command_records(command, launched, sample, tmp_path):
    path = tmp_path / "matmul.warptrace"
    command("trace", *launched("matmul"), "-o", path)
    assert store.read(path).hash == store.read(sample).hash
    assert sample.stat().st_size < 200_000


def test_kernel_filter(command, launched, tmp_path):
    outcome = command("trace", *launched("saxpy"), "-k", "mat*", "-o", tmp_path / "x.warptrace")
    assert outcome.code == 3
    assert "saxpy" in outcome.err
    assert not list(tmp_path.iterdir())
