"""`warpwise validate paper`: prints the report, fails if a value is wrong."""

import sys
from types import SimpleNamespace

import pytest


class Report:
    def __init__(self, n_wrong):
        self.n_wrong = n_wrong

    def __str__(self):
        return f"{self.n_wrong} wrong"

    def to_dict(self):
        return {"n_wrong": self.n_wrong}


@pytest.fixture
def wrong(monkeypatch):
    """Replaces the experiments by a report with so many wrong values."""

    def replace(n):
        fake = SimpleNamespace(validate_paper=lambda gpu: Report(n))
        monkeypatch.setitem(sys.modules, "warpwise.validation", fake)

    return replace


@pytest.mark.parametrize(("n", "code"), [(0, 0), (3, 1)])
def test_exit_code_says_whether_a_value_is_wrong(command, wrong, n, code):
    wrong(n)
    outcome = command("validate", "paper")
    assert (outcome.code, outcome.out) == (code, f"{n} wrong\n")


def test_json(command, wrong):
    wrong(3)
    assert command("validate", "paper", "--json").document == {"n_wrong": 3}
