"""`warpwise annotate`: the same listing from each kind of file."""

from cli.conftest import KERNELS


def test_sass(command, listing):
    outcome = command("annotate", listing)
    assert "/*0020*/ [B------:R-:W-:-:S01] FFMA R11, R10, R12, R14" in outcome.out


def test_cubin_needs_no_launch_file_and_reads_like_its_trace(command, sample):
    cubin = command("annotate", KERNELS / "matmul.sm_86.cubin")
    assert cubin.code == 0
    assert cubin.out == command("annotate", sample).out


def test_json(command, listing):
    (program,) = command("annotate", listing, "--json").document["programs"]
    assert (program["name"], program["arch"]) == ("read_ports", "sm_86")
    assert program["instructions"][2]["text"] == "FFMA R11, R10, R12, R14"


def test_kernel(command, sample):
    assert command("annotate", sample, "--kernel", "mat*").code == 0
    outcome = command("annotate", KERNELS / "saxpy.sm_86.cubin", "--kernel", "sapxy")
    assert outcome.code == 3
    assert "saxpy" in outcome.err
