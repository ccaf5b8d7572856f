"""Hand-written samples: one for each tracer version, and one for each thing that may be wrong.

The messages are golden files: `WARPWISE_GOLDEN=1 pytest tests/traces/test_samples.py` writes them
anew, to be read before they are committed.
"""

import os
from pathlib import Path

import pytest

from warpwise.isa.errors import InputError
from warpwise.traces import accelsim

DATA = Path(__file__).parent / "data/accelsim"
MESSAGES = DATA / "messages.txt"
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


def message(name):
    with pytest.raises(InputError) as caught:
        accelsim.read(DATA / f"bad/{name}.traceg")
    text = str(caught.value).replace(f"{DATA}/", "")
    return text if len(text) < 300 else f"{text[:150]} ... {text[-140:]}"


@pytest.mark.skipif("WARPWISE_GOLDEN" not in os.environ, reason="writes the golden file")
def test_write_the_messages():
    MESSAGES.write_text("".join(f"{name} = {message(name)}\n" for name in BAD))


@pytest.mark.parametrize("name", BAD)
def test_messages(name):
    golden = dict(line.split(" = ", 1) for line in MESSAGES.read_text().splitlines())
    assert message(name) == golden[name]
    assert golden.keys() == set(BAD)
