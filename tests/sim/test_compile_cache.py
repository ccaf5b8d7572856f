"""Compiled code is kept under a digest of all that it depends on: never stale (style 1.4)."""

import os
import subprocess
import sys

import numpy as np
import pytest

from warpwise.isa.compiled import digest_of
from warpwise.sim import warmup
from warpwise.sim.compiled import record
from warpwise.sim.sm import coalescer

CALLEE = """
from warpwise.sim.compiled import compiled

FACTOR = 2


@compiled
def scale(x):
    return x * FACTOR + 1


@compiled
def unrelated(x):
    return x - 1
"""
CALLER = """
from warpwise.sim.compiled import entry
import callee


@entry
def total(n):
    sum = 0
    for k in range(n):
        sum += callee.scale(k)
    return sum


@entry
def other(n):
    return callee.unrelated(n)


print(total(4), other(4))
"""


class Package:
    """Two files and a cache folder of their own; each run is a fresh interpreter."""

    def __init__(self, folder):
        self.folder = folder
        self.cache = folder / "cache"
        self.write("callee", CALLEE)
        self.write("caller", CALLER)

    def write(self, module, text):
        (self.folder / f"{module}.py").write_text(text)

    def edit(self, module, old, new):
        text = (self.folder / f"{module}.py").read_text()
        assert old in text
        self.write(module, text.replace(old, new))

    def run(self, **environment):
        """The numbers that the caller prints."""
        path = os.pathsep.join([str(self.folder), *sys.path])
        environment = {"PYTHONPATH": path, "WARPWISE_CACHE": str(self.cache)} | environment
        result = subprocess.run(
            [sys.executable, "-B", "caller.py"],
            cwd=self.folder,
            env=os.environ | environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == 0, result.stderr
        return [int(word) for word in result.stdout.split()]

    def compiled(self):
        """Files of machine code and when they were written."""
        return {
            str(path.relative_to(self.cache)): path.stat().st_mtime_ns
            for path in self.cache.rglob("*.nbc")
        }

    def digests(self):
        return {path.split(os.sep)[1] for path in self.compiled()}


@pytest.fixture
def package(tmp_path):
    return Package(tmp_path)


def test_second_run_compiles_nothing(package):
    assert package.run() == [16, 3]
    before = package.compiled()
    assert len(package.digests()) == 4
    assert package.run() == [16, 3]
    assert package.compiled() == before


@pytest.mark.parametrize(
    ("old", "new", "result"),
    [
        ("x * FACTOR + 1", "x * FACTOR + 2", 20),  # a constant in the code
        ("FACTOR = 2", "FACTOR = 5", 34),  # a constant of the module
        ("@compiled\ndef scale", "@compiled(inline=False)\ndef scale", 16),  # how it is called
    ],
)
def test_edit_in_another_file_recompiles_what_depends_on_it(package, old, new, result):
    """Callee and caller are compiled anew, the two unrelated functions are not."""
    package.run()
    before = package.digests()
    package.edit("callee", old, new)
    assert package.run() == [result, 3]
    assert len(package.digests() - before) == 2
    assert package.digests() >= before


def test_undoing_an_edit_finds_the_old_entry(package):
    package.run()
    package.edit("callee", "FACTOR = 2", "FACTOR = 5")
    package.run()
    before = package.compiled()
    package.edit("callee", "FACTOR = 5", "FACTOR = 2")
    assert package.run() == [16, 3]
    assert package.compiled() == before


def test_bounds_checked_code_is_kept_apart(package):
    package.run()
    before = package.compiled()
    assert package.run(NUMBA_BOUNDSCHECK="1") == [16, 3]
    after = package.compiled()
    assert {path: after[path] for path in before} == before
    assert len(package.digests()) == 8


def test_default_argument_of_a_callee(package):
    """A default is part of what the callee does."""
    package.edit(
        "callee",
        "def scale(x):\n    return x * FACTOR + 1",
        "def scale(x, f=2):\n    return x * f + 1",
    )
    assert package.run() == [16, 3]
    package.edit("callee", "f=2", "f=5")
    assert package.run() == [34, 3]


def test_constant_behind_two_modules(package):
    """`package.module.CONSTANT`, read through a name that the function's own module imports."""
    (package.folder / "inner").mkdir()
    package.write("inner/__init__", "")
    package.write("inner/numbers", "FACTOR = 2\n")
    package.edit("callee", "FACTOR = 2\n", "import inner.numbers\n")
    package.edit("callee", "x * FACTOR", "x * inner.numbers.FACTOR")
    assert package.run() == [16, 3]
    package.write("inner/numbers", "FACTOR = 5\n")
    assert package.run() == [34, 3]


def function(source, **scope):
    exec(source, scope)
    return next(f for name, f in scope.items() if name == "f")


SOURCES = {
    "plain": "def f(x):\n    return x + 1",
    "constant": "def f(x):\n    return x + 2",
    "operation": "def f(x):\n    return x * 1",
    "nested": "def f(x):\n    def g(y):\n        return y + 1\n    return g(x)",
    "nested constant": "def f(x):\n    def g(y):\n        return y + 2\n    return g(x)",
}


def test_digest_tells_functions_apart():
    digests = {name: digest_of(function(source)) for name, source in SOURCES.items()}
    assert len(set(digests.values())) == len(SOURCES)


@pytest.mark.parametrize(
    "name",
    [
        "plain",
        "nested",
    ],
)
def test_digest_does_not_depend_on_where_the_code_lies(name):
    """The same text, compiled twice: otherwise the cache would never be hit."""
    functions = [function(SOURCES[name]) for _ in range(2)]
    assert digest_of(functions[0]) == digest_of(functions[1])


def test_digest_covers_what_is_read():
    """Values, the layout of records, the digest of functions that are called."""
    source = "def f(x):\n    return x + K"

    class Called:
        digest = "aa"

    class Edited:
        digest = "ab"

    small, large = record(("a", "i4")), record(("a", "i8"))
    middle = np.arange(5000)
    middle[2500] = 0  # which is not in its text
    values = [1, 2, 1.5, (1, 2), small, large, Called, Edited, np.arange(5000), middle]
    assert len({digest_of(function(source, K=value)) for value in values}) == len(values)
    assert digest_of(function(source, K=1, unused=2)) == digest_of(function(source, K=1))


@pytest.mark.parametrize("name", ["later", "len"])
def test_what_is_read_must_be_there(name):
    """A change of what is defined behind a function would not be noticed."""
    source = f"def f(x):\n    return {name}(x)"
    if name == "len":
        digest_of(function(source))
    else:
        with pytest.raises(NameError, match="f reads later, which is defined behind it"):
            digest_of(function(source))


def test_both_halves_of_the_engine_compile_by_themselves():
    """What the second process says about an error is not shown, so it must not have any."""
    warmup.compile_subcore()
    warmup.compile_sm_units()
    assert coalescer.coalesce.signatures


# Compiles the engine in an empty cache; prints how often its LLVM text counts references.
INSPECT = """
from conftest import simulate_kernel
simulate_kernel("NOP ;")
from warpwise.sim.gpu import gpu
[text] = gpu.run.inspect_llvm().values()
print(text.count("define"), text.count("NRT_incref"))
"""


@pytest.mark.slow
def test_engine_counts_no_references(tmp_path):
    """One NRT_incref in the cycle loop costs more than the loop itself."""
    tests = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    result = subprocess.run(
        [sys.executable, "-c", INSPECT],
        env=os.environ
        | {"PYTHONPATH": os.pathsep.join([*sys.path, tests]), "WARPWISE_CACHE": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    functions, increments = map(int, result.stdout.split())
    assert functions > 0
    assert increments == 0
