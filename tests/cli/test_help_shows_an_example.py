"""Every page of help ends with an example that can be copied."""

import shlex
from importlib.metadata import version

import pytest

COMMANDS = [
    *("", "run", "view", "convert", "annotate", "gpus", "sweep", "report", "bench", "doctor"),
    *("trace", "trace record", "trace info"),
    *("validate", "validate paper", "validate measurements", "validate hardware"),
]


@pytest.mark.parametrize("name", COMMANDS)
def test_help_shows_an_example(command, name):
    outcome = command(*name.split(), "--help")
    assert outcome.code == 0
    _, example = outcome.out.split("Example:\n")
    assert example.strip().startswith(f"warpwise {name}".strip())


@pytest.mark.parametrize("name", COMMANDS)
def test_options_of_examples_exist(command, name):
    page = command(*name.split(), "--help").out
    options, example = page.split("Example:\n")
    used = {word for word in shlex.split(example) if word.startswith("-")}
    if name:
        assert used <= set(options.replace(",", " ").split())


def test_version(command):
    assert command("--version").out == f"warpwise {version('warpwise')}\n"
