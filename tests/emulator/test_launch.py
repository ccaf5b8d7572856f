"""Launch files: what they may say, and the message when they say something else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from warpwise import traces
from warpwise.isa.errors import InputError
from warpwise.traces.emulator import EmulationError
from warpwise.traces.launch import first_content, load_launch, run_launch

CUBIN = Path(traces.__file__).parent / "kernels" / "saxpy.sm_86.cubin"

LAUNCH = """
[[launch]]
kernel = "saxpy"
grid = [2]
block = [32, 1, 1]
args = [{ i32 = 64 }, { f32 = 2 }, { buffer = "x" }, { buffer = "y" }]
"""
BUFFERS = """
[buffer.x]
dtype = "f32"
shape = [64]
init = "arange"
[buffer.y]
dtype = "f32"
shape = [64]
init = "ones"
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "launch.toml"
    path.write_text(text)
    return path


def test_launches_share_buffers(tmp_path: Path) -> None:
    np.save(tmp_path / "y.npy", np.arange(64, dtype=np.float32) * 4 + 1)
    path = written(tmp_path, LAUNCH * 2 + BUFFERS + 'check = "y.npy"\n')
    trace = run_launch(CUBIN, load_launch(path))
    assert [kernel.launch for kernel in trace.kernels] == [0, 1]
    first, second = (k.load_cta(0).warps[0].accesses.addresses for k in trace.kernels)
    assert np.array_equal(first, second)


def test_buffers_with_a_content_are_copied_before_the_first_launch(tmp_path: Path) -> None:
    """`y` is only allocated, and is zero."""
    path = written(tmp_path, LAUNCH * 2 + BUFFERS.replace('init = "ones"', ""))
    first, second = run_launch(CUBIN, load_launch(path)).kernels
    x = int(first.load_cta(0).warps[0].accesses.addresses[:, 0].min())
    assert first.copies == ((x, 64 * 4),)
    assert second.copies == ()


def test_a_failed_check_shows_the_first_differences(tmp_path: Path) -> None:
    expected = np.arange(64, dtype=np.float32) * 2 + 1
    expected[[3, 40]] = 0
    np.save(tmp_path / "y.npy", expected)
    path = written(tmp_path, LAUNCH + BUFFERS + 'check = "y.npy"\n')
    with pytest.raises(EmulationError, match="2 of 64 elements differ") as error:
        run_launch(CUBIN, load_launch(path))
    assert "y[3] = 7.0, not 0.0" in str(error.value)
    assert "y[40] = 81.0, not 0.0" in str(error.value)


def test_buffers_come_from_files_and_seeds(tmp_path: Path) -> None:
    x = np.linspace(0, 1, 64, dtype=np.float32)
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "y.npy", x * 2)
    buffers = '[buffer.x]\nfile = "x.npy"\n[buffer.y]\ndtype="f32"\nshape=[64]\ncheck="y.npy"\n'
    run_launch(CUBIN, load_launch(written(tmp_path, LAUNCH + buffers)))
    random = LAUNCH + BUFFERS.replace("arange", "random")
    first, again = (first_content(load_launch(written(tmp_path, random)), "x") for _ in range(2))
    assert np.array_equal(first, again)
    other = load_launch(written(tmp_path, random + "seed = 1\n"))
    assert other.buffer["y"].seed == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("launch = [", "not TOML"),
        ("", "launch: Field required"),
        (LAUNCH, "launch 0 uses buffer 'x', which the file does not define"),
        (LAUNCH + BUFFERS + "colour = 1\n", "buffer.y.colour: unknown key"),
        (LAUNCH.replace("grid", "gird") + BUFFERS, "launch.0.gird: unknown key"),
        (LAUNCH.replace("[2]", '"2"') + BUFFERS, "launch.0.grid: Input should be a valid list"),
        (LAUNCH.replace("[2]", "[0]") + BUFFERS, "launch.0.grid.0: Input should be greater"),
        (LAUNCH.replace("i32 = 64", "i32 = 6.4") + BUFFERS, "launch.0.args.0: 'i32' takes"),
        (LAUNCH.replace("i32", "int") + BUFFERS, "launch.0.args.0: unknown type 'int'"),
        (LAUNCH.replace("i32 = 64", "") + BUFFERS, "launch.0.args.0: an argument has one key"),
        (LAUNCH + BUFFERS.replace("f32", "float"), "buffer.x: unknown dtype 'float'"),
        (LAUNCH + BUFFERS.replace("ones", "twos"), "buffer.y.init: Input should be 'zeros'"),
        (LAUNCH + BUFFERS.replace("shape = [64]", ""), "buffer.x: needs dtype and shape"),
        (LAUNCH + BUFFERS + 'file = "y.npy"\n', "buffer.y: has both init and file"),
    ],
)
def test_mistakes_are_named_with_file_and_key(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError) as error:
        load_launch(written(tmp_path, text))
    assert str(error.value).startswith(f"{tmp_path / 'launch.toml'}: ")
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("i32 = 64", "i32 = 5000000000", "launch.0.args.0: 5000000000 is no i32"),
        ("i32 = 64", "i64 = 64", "kernel saxpy, argument 0: np.int64(64) has 8 bytes"),
        ('init = "arange"', 'file = "no.npy"', "buffer.x.file: cannot read no.npy"),
        ('init = "arange"', 'file = "pickle.npy"', "buffer.x.file: cannot read pickle.npy"),
        ('init = "arange"', 'file = "short.npy"', "buffer.x: the file has shape (3,)"),
        ('init = "arange"', 'file = "double.npy"', "buffer.x: the file holds float64"),
        ('kernel = "saxpy"', 'kernel = "saxpi"', "there is no kernel 'saxpi'"),
    ],
)
def test_mistakes_that_show_only_at_the_run(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    np.save(tmp_path / "pickle.npy", np.array([{}]), allow_pickle=True)
    np.save(tmp_path / "short.npy", np.zeros(3, np.float32))
    np.save(tmp_path / "double.npy", np.zeros(64))
    launch = load_launch(written(tmp_path, (LAUNCH + BUFFERS).replace(old, new)))
    with pytest.raises(InputError) as error:
        run_launch(CUBIN, launch)
    assert message in str(error.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        load_launch(tmp_path / "none.toml")
