"""`load` picks the reader by suffix and costs nothing to import."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from warpwise.isa.errors import InputError
from warpwise.traces import load, store
from warpwise.traces.copies import Copy
from warpwise.traces.kernel import Trace

KERNELS = Path(__file__).parents[2] / "traces" / "kernels"
TEXT = ".arch sm_86\n.kernel first\nEXIT ;\n.kernel second\nNOP ;\nEXIT ;\n"


@pytest.fixture
def sass(tmp_path):
    path = tmp_path / "two.SASS"
    path.write_text(TEXT)
    return path


def test_formats(sass, tmp_path):
    trace = load(sass)
    store.write(trace, tmp_path / "two.warptrace")
    recorded = load(str(tmp_path / "two.warptrace"))
    assert [k.name for k in trace.kernels] == [k.name for k in recorded.kernels]


def test_kernel_filter(sass):
    assert [k.name for k in load(sass, kernel="sec*").kernels] == ["second"]
    with pytest.raises(InputError, match=r"no kernel matches 'third', only .*: first, second"):
        load(sass, kernel="third")


def test_copies_before_a_launch_that_is_left_out_come_before_the_next(sass, tmp_path):
    first, second = load(sass).kernels
    kernels = replace(first, copies=(Copy(0, 512),)), replace(second, copies=(Copy(512, 4),))
    store.write(Trace(kernels), path := tmp_path / "two.warptrace")
    [kept] = load(path, launches=range(1, 2)).kernels
    assert kept.copies == ((0, 512), (512, 4))


def test_unknown_suffix_names_the_formats():
    with pytest.raises(InputError, match=r"a.txt: .txt found, expected .*warptrace.*sass.*cubin"):
        load("a.txt")
    with pytest.raises(InputError, match="no suffix found"):
        load("a")


def test_launch_file_is_for_cubins(sass):
    with pytest.raises(InputError, match=r"only for a \.cubin"):
        load(sass, launch="launch.toml")
    with pytest.raises(InputError, match="expected --launch FILE"):
        load("a.cubin")


def test_import_loads_nothing_heavy():
    code = "import sys, warpwise.traces; print(*sys.modules)"
    shown = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert not {"numpy", "pydantic", "numba"} & set(shown.stdout.split())


@pytest.mark.parametrize("arch", ["sm_75", "sm_86"])
def test_emulated_cubin_survives_storage(tmp_path, arch):
    """Branch labels, encodings, constant banks and relocations of a real kernel."""
    emulated = load(KERNELS / f"matmul.{arch}.cubin", launch=KERNELS / "matmul.toml")
    store.write(emulated, tmp_path / "matmul.warptrace")
    [kernel], [expected] = load(tmp_path / "matmul.warptrace").kernels, emulated.kernels
    assert kernel.program == expected.program
    for found, warp in zip(kernel.load_cta(3).warps, expected.load_cta(3).warps, strict=True):
        assert found.path.pcs.tolist() == warp.path.pcs.tolist()
        assert found.accesses.addresses.tolist() == warp.accesses.addresses.tolist()
