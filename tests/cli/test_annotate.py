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


MISTAKES = (
    "[B------:R-:W-:-:S01] FADD R1, R2, R3 ;",
    "[B------:R-:W-:Y:S07] FFMA R5, R1, R1, R1 ;",
    "[B------:R-:W0:-:S02] LDG.E R2, [R10.64] ;",
    "[B------:R-:W-:-:S05] FADD R6, R2, R5 ;",
)


def test_hazards_and_slack_in_the_last_column(command, kernel_file):
    lines = command("annotate", kernel_file(*MISTAKES)).out.splitlines()
    assert lines[0] == "tiny  sm_86  5 instructions  2 hazards"
    assert lines[1].endswith("fixed")
    assert lines[2].endswith("RAW hazard: R1 of FADD at 0x0000 needs 4 cycles, has 1; slack 5")
    assert lines[4].endswith("RAW hazard: R2 may not be written yet by LDG at 0x0020; wait for SB0")


def test_hazards_as_json(command, kernel_file):
    (program,) = command("annotate", kernel_file(*MISTAKES), "--json").document["programs"]
    assert program["checked"] is True
    assert [row["slack"] for row in program["instructions"]] == [0, 5, 0, 0, 0]
    (hazard,) = program["instructions"][1]["hazards"]
    assert hazard.pop("message") == "R1 of FADD at 0x0000 needs 4 cycles, has 1"
    assert hazard == {"kind": "RAW", "register": "R1", "producer": 0, "needed": 4, "found": 1}
    (hazard,) = program["instructions"][3]["hazards"]
    assert (hazard["kind"], hazard["register"], hazard["needed"]) == ("RAW", "R2", None)


def test_code_without_hazards_says_so(command):
    title, *rest = command("annotate", KERNELS / "saxpy.sm_75.cubin").out.splitlines()
    assert title.endswith("  no hazards")
    assert not any("hazard" in line for line in rest)


def test_an_architecture_without_latencies_is_not_checked(command, tmp_path):
    path = tmp_path / "new.sass"
    path.write_text(".arch sm_90\n.kernel new\nEXIT ;\n")
    outcome = command("annotate", path)
    assert "hazard" not in outcome.out
    assert "latencies of sm_90 are not known" in outcome.err
    (program,) = command("annotate", path, "--json").document["programs"]
    assert program["checked"] is False
