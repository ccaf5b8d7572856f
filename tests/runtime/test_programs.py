"""`warpwise trace -- PROGRAM`: unmodified programs run, check themselves, and leave a trace."""

import json
import os

import pytest

from warpwise.sim import api
from warpwise.traces import store


@pytest.mark.parametrize(
    ("name", "kernels"),
    [
        ("pipeline", ["scale", "scale", "sum"]),
        ("image", ["filter", "histogram", "histogram"]),
        ("device", ["increment", "rounds"]),
        ("texture", ["gather", "shift"]),
    ],
)
def test_programs_pass_their_checks_and_their_traces_simulate(
    build, warpwise, tmp_path, name, kernels
):
    path = tmp_path / "x.warptrace"
    done = warpwise("trace", "-o", path, "--", build(name))
    assert done.returncode == 0, done.stderr
    trace = store.read(path)
    assert len(trace.kernels) == len(kernels)
    assert all(k in recorded.name for k, recorded in zip(kernels, trace.kernels, strict=True))
    result = api.run(trace, "rtx_a6000")
    assert all(k.cycles > 0 for k in result.kernels)


def test_traces_keep_what_the_program_copied(build, warpwise, tmp_path):
    """A row of a pitched memset or copy each, two symbol copies; managed memory does not count."""
    warpwise("trace", "-o", "x.warptrace", "--", build("image"))
    first, *others = (k.copies for k in store.read(tmp_path / "x.warptrace").kernels)
    height, row = 19, 45 * 4
    assert [size for _, size in first] == [row] * 2 * height + [4 * 4, 5 * 4]
    assert first[1].address - first[0].address == 512  # the pitch
    assert first[-1].address == first[-2].address + 4 * 4
    assert others == [(), ()]


def test_a_texture_of_an_array_is_refused(build, warpwise):
    done = warpwise("trace", "--", build("texture"), "array")
    assert done.returncode == 3
    assert "only textures over linear and pitched memory are emulated" in done.stderr


def test_arguments_and_output_pass_through(build, warpwise, tmp_path):
    done = warpwise("trace", "--", build("pipeline"), "500")
    assert done.returncode == 0
    assert done.stdout == f"sum {3 * 500 * 499 // 2}\n"
    assert [p.suffix for p in tmp_path.iterdir()] == [".warptrace"]  # named after the program


def test_exit_code_passes_through_and_the_trace_is_kept(build, warpwise, tmp_path):
    done = warpwise("trace", "-o", "x.warptrace", "--", build("misuse"), "5")
    assert done.returncode == 5
    assert len(store.read(tmp_path / "x.warptrace").kernels) == 2


def test_a_killed_program_counts_as_in_a_shell(build, warpwise):
    assert warpwise("trace", "--", build("misuse"), "abort").returncode == 128 + 6


def test_json_is_alone_on_stdout(build, warpwise):
    done = warpwise("trace", "--json", "--", build("pipeline"))
    document = json.loads(done.stdout)
    assert [k["grid"][0] for k in document["kernels"]] == [4, 4, 8]
    assert document["exit_code"] == 0
    assert "sum 1498500" in done.stderr


@pytest.mark.parametrize(
    ("options", "recorded"),
    [
        (["--kernel", "sum"], [2]),
        (["--launches", "1:3"], [1, 2]),
        (["--launches", "1:"], [1, 2]),
        (["--launches", "0:2", "--kernel", "scale*"], [0, 1]),
    ],
)
def test_filters_choose_launches_and_leave_results_alone(
    build, warpwise, tmp_path, options, recorded
):
    done = warpwise("trace", "-o", "x.warptrace", *options, "--", build("pipeline"))
    assert done.stdout == "sum 1498500\n"
    assert [k.launch for k in store.read(tmp_path / "x.warptrace").kernels] == recorded


def test_a_filter_that_fits_nothing_names_what_was_launched(build, warpwise, tmp_path):
    done = warpwise("trace", "--kernel", "nothing", "--", build("pipeline"))
    assert done.returncode == 3
    assert "scale" in done.stderr
    assert not list(tmp_path.iterdir())


def test_the_device_is_the_chosen_gpu(build, warpwise):
    done = warpwise("trace", "--gpu", "rtx_3080", "--", build("device"))
    assert done.returncode == 0, done.stderr
    assert done.stdout == "NVIDIA RTX 3080: 68 SMs, compute capability 8.6\n"


@pytest.mark.parametrize("mode", ["none", "speed", "size", "balance"])
def test_compressed_code_is_the_same_code(build, warpwise, tmp_path, mode):
    hashes = set()
    for options in (["-arch=sm_86"], ["-arch=sm_86", f"--compress-mode={mode}"]):
        done = warpwise("trace", "-o", "x.warptrace", "--", build("image", *options))
        assert done.returncode == 0, done.stderr
        hashes.add(store.read(tmp_path / "x.warptrace").hash)
    assert len(hashes) == 1


def test_the_gpu_chooses_among_architectures(build, warpwise, tmp_path):
    both = build(
        "pipeline", "-gencode=arch=compute_75,code=sm_75", "-gencode=arch=compute_86,code=sm_86"
    )
    for gpu, arch in (("rtx_2080_ti", "sm_75"), ("rtx_a6000", "sm_86")):
        assert warpwise("trace", "-o", "x.warptrace", "--gpu", gpu, "--", both).returncode == 0
        assert store.read(tmp_path / "x.warptrace").kernels[0].program.arch == arch


def test_separate_compilation_is_refused_with_the_option_to_drop(build, warpwise):
    done = warpwise("trace", "--", build("image", "-arch=sm_86", "-rdc=true"))
    assert done.returncode == 3
    assert "-rdc=true" in done.stderr


def test_a_wrong_address_ends_the_program_with_the_emulators_message(build, warpwise, tmp_path):
    done = warpwise("trace", "-o", "x.warptrace", "--", build("misuse"), "bounds")
    assert done.returncode == 1
    assert done.stdout == "begin bounds\n"
    assert "launch 1 (store)" in done.stderr
    assert "thread" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())


def test_a_call_that_is_missing_is_named(build, warpwise):
    done = warpwise("trace", "--", build("misuse"), "array")
    assert done.returncode == 3
    assert done.stdout == "begin array\n"
    assert "cudaMallocArray" in done.stderr


def test_missing_calls_that_are_not_made_do_not_matter(build, warpwise):
    assert warpwise("trace", "--", build("misuse"), "0").returncode == 0


def test_code_for_another_gpu(build, warpwise):
    done = warpwise("trace", "--", build("pipeline", "-arch=sm_90"))
    assert done.returncode == 3
    assert "sm_90" in done.stderr
    assert "nvcc -arch=sm_86" in done.stderr


def test_static_runtime(build, warpwise):
    done = warpwise("trace", "--", build("pipeline", "-arch=sm_86", "-cudart=static"))
    assert done.returncode == 3
    assert "-cudart shared" in done.stderr


@pytest.mark.parametrize("program", ["/bin/ls", __file__, "no-such-program"])
def test_what_is_no_cuda_program(warpwise, tmp_path, program):
    script = tmp_path / "script"
    if program == __file__:
        script.write_text("#!/bin/sh\ntrue\n")
        script.chmod(0o755)
        program = script
    done = warpwise("trace", "--", program)
    assert done.returncode == 3
    assert str(program) in done.stderr
    assert "Traceback" not in done.stderr


def test_a_missing_compiler(build, warpwise, tmp_path):
    environment = {"CC": "no-such-compiler", "WARPWISE_CACHE": str(tmp_path / "cache")}
    done = warpwise("trace", "--", build("pipeline"), **environment)
    assert done.returncode == 3
    assert "no-such-compiler" in done.stderr
    assert "install" in done.stderr


def test_outside_of_the_command_the_runtime_says_what_to_do(build, warpwise, tmp_path):
    import subprocess

    cache = tmp_path / "cache"
    program = build("pipeline")
    warpwise("trace", "--", program, WARPWISE_CACHE=str(cache))
    (library,) = cache.rglob("libcudart.so.*")
    environment = os.environ | {"LD_LIBRARY_PATH": str(library.parent)}
    done = subprocess.run([program], env=environment, capture_output=True, text=True)
    assert done.returncode == 1
    assert "warpwise trace -- PROGRAM" in done.stderr
