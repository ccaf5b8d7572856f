"""Folders of results: two runs, a validation and a sweep."""

import pytest

from warpwise.sim import run, sweep
from warpwise.sim.studies import Sweep
from warpwise.traces.handwritten import parse
from warpwise.validation import validate_hardware

KERNEL = """
.arch sm_86
.kernel {name}
.block 64
@repeat {n} [B------:R-:W-:-:S04] FADD R1, R2, R3 ;
[B------:R-:W-:-:S01] EXIT ;
"""


def kernel(n, name="chain"):
    return KERNEL.format(n=n, name=name)


@pytest.fixture(scope="session")
def folders(tmp_path_factory):
    """Name -> folder."""
    root = tmp_path_factory.mktemp("results")
    run(parse(kernel(40)), sms=1, events=True, attribution=True).save(root / "first")
    run(parse(kernel(40)), sms=1, preset="perfect_icache").save(root / "second")
    validate_hardware(output=root / "validation")
    for n in (4, 40):
        (root / f"chain_{n}.sass").write_text(kernel(n, f"chain_{n}"))
    plan = Sweep(
        inputs=[{"trace": str(root / f"chain_{n}.sass")} for n in (4, 40)],
        sms=1,
        axes={"sm.stream_buffer.lines": [0, 8], "sm.register_file.cache": [True, False]},
    )
    sweep(plan, root / "sweep")
    return {name: root / name for name in ("first", "second", "validation", "sweep")}
