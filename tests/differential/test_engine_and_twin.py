"""Drawn programs on both models: every stage of every instruction in the same cycle."""

import pytest
from hypothesis import HealthCheck, given, settings

from warpwise.validation.differential import check

from .programs import programs

SETTINGS = {
    "suppress_health_check": [HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
}


@settings(max_examples=200, **SETTINGS)
@given(program=programs())
def test_every_stage_agrees(program, tmp_path):
    check(program.text, program.gpu, program.changes, tmp_path)


@pytest.mark.slow
@settings(max_examples=2000, **SETTINGS)
@given(program=programs(most=30))
def test_longer_programs_agree(program, tmp_path):
    check(program.text, program.gpu, program.changes, tmp_path)
