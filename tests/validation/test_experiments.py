"""The paper's numbers, exactly. Known gaps fail here as soon as they are closed."""

import pytest

from warpwise.validation.paper import cases

GPU = "rtx_a6000"


def param(case):
    marks = pytest.mark.xfail(strict=True, reason=case.known_gap) if case.known_gap else ()
    name = f"{case.experiment}: {case.name}"
    return pytest.param(case.expected, case.simulate, id=name, marks=marks)


@pytest.mark.parametrize(("expected", "simulate"), [param(case) for case in cases()])
def test_paper(expected, simulate):
    assert expected == simulate(GPU)
