"""The zoo's sources compiled for other architectures than those of its cubins."""

import pytest

from warpwise.sim import run
from warpwise.traces.nvrtc import compile_cuda
from warpwise.validation.kernels import ZOO, zoo
from warpwise.validation.kernels.application import emulate_application

pytest.importorskip("nvidia.cu13", reason="needs the NVRTC wheel")

OTHERS = ("sm_80", "sm_89", "sm_90", "sm_120")
# Calls, collective shuffles, double precision, strings, atomics, generic addresses, tensor cores
QUICK = (
    "recursion",
    "scan_three_kernels",
    "double_polynomial",
    "string_search",
    "spin_lock",
    "precise_functions",
    "hgemm_tensor",
)


def trace(name, arch, folder):
    """The checked trace of a member of the zoo."""
    source = (zoo.CUDA / f"{name}.cu").read_text()
    path = folder / f"{name}.{arch}.cubin"
    path.write_bytes(compile_cuda(source, arch))
    return emulate_application(zoo.application(name), path)


@pytest.mark.parametrize("arch", OTHERS)
@pytest.mark.parametrize("name", QUICK)
def test_results_are_right(name, arch, tmp_path):
    assert trace(name, arch, tmp_path).kernels


@pytest.mark.slow
@pytest.mark.parametrize("arch", OTHERS)
@pytest.mark.parametrize("name", sorted(set(ZOO) - set(QUICK)))
def test_results_of_the_others_are_right(name, arch, tmp_path):
    assert trace(name, arch, tmp_path).kernels


@pytest.mark.parametrize("name", ["recursion", "string_search"])
def test_blackwell_code_simulates_on_its_gpu(name, tmp_path):
    assert run(trace(name, "sm_120", tmp_path), "rtx_5070_ti", sms=2).cycles > 0
