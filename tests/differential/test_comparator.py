"""The comparator names the first divergence, with a program that reproduces it."""

import pytest

from warpwise.sim.reference import costs
from warpwise.validation.differential import check

CODE = """[B------:R-:W0:-:S02] LDG.E R4, [R2.64] ;
[B0-----:R-:W-:-:S01] FADD R5, R4, R4 ;"""


def test_the_first_divergence(sass, tmp_path, monkeypatch):
    """A twin whose loads return a cycle late: the write-back differs before the waiting FADD."""
    text = sass(CODE, warm="icache l1i const l1")
    check(text, "rtx_a6000", {})
    exact = costs._data_latency
    monkeypatch.setattr(costs, "_data_latency", lambda *arguments: exact(*arguments) + 1)
    with pytest.raises(AssertionError, match="LDG") as caught:
        check(text, "rtx_a6000", {"sm.fetch.buffer_entries": 4}, tmp_path)
    message = str(caught.value)
    assert "CTA 0 warp 0, PC 0x0, 'LDG.E R4, [R2.64]': writeback in cycle 35 (engine)" in message
    assert "and 36 (twin)" in message
    reproduced = (tmp_path / "divergence.sass").read_text()
    assert "# --set sm.fetch.buffer_entries=4" in reproduced
    assert reproduced.endswith(text)
