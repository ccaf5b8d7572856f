"""Hand-written samples: one for each tracer version, and one for each thing that may be wrong."""

from functools import partial

import pytest

from traces import golden
from warpwise.traces import accelsim

DATA = golden.DATA / "accelsim"
BAD = sorted(path.stem for path in (DATA / "bad").glob("*.traceg"))
VERSIONS = sorted((DATA / "good").glob("version-*.traceg"))


@pytest.mark.parametrize("path", VERSIONS, ids=[path.stem for path in VERSIONS])
def test_every_version_says_the_same(path):
    """Modes 0, 1 and 2 are in each of them."""
    [kernel] = accelsim.read(path).kernels
    [warp] = kernel.load_cta(0).warps
    assert warp.path.pcs.tolist() == [1, 2, 3, 4, 5, 6]
    assert warp.path.executed.tolist() == [0xFFFFFFFF, 0xF, 0xF0, 5, 0, 0xFFFFFFFF]
    rows = warp.accesses.addresses
    assert rows[0, :5].tolist() == [0x7F5A00000000 + 4 * k for k in range(4)] + [0]
    assert rows[1, 4:8].tolist() == [0x100, 0x108, 0xF8, 0x138]
    assert rows[2, :4].tolist() == [0x7F5A40000000, 0, 0x7F5A40000080, 0]
    assert not rows[3].any()


def test_older_architectures_are_read_as_the_nearest():
    """Pascal's instructions are 8 bytes apart."""
    with pytest.warns(UserWarning, match="code for sm_61 is read as sm_75"):
        [kernel] = accelsim.read(DATA / "good/pascal.traceg").kernels
    assert kernel.program.arch == "sm_75"
    assert kernel.load_cta(0).warps[0].path.pcs.tolist() == [1, 2, 5]


def test_messages():
    folder = DATA / "bad"
    found = {
        name: golden.message(partial(accelsim.read, folder / f"{name}.traceg"), DATA)
        for name in BAD
    }
    golden.compare(DATA / "messages.txt", found)
