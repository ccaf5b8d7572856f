"""Build the dictionary from which the coder of native traces' heads learns what is likely.

`python traces/dictionary/build.py` compiles the kernels of `common.cu`, and writes the heads of
files that hold one of them each. The result is part of the format: a new one is a new version.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from warpwise.isa.cubin import programs
from warpwise.isa.elf import Binary
from warpwise.isa.program import Program
from warpwise.traces import head, store
from warpwise.traces.emulator import PRODUCER
from warpwise.traces.head import Head
from warpwise.traces.kernel import Accesses, Cta, Kernel, Warp
from warpwise.traces.kernel import Path as Steps
from warpwise.traces.nvrtc import compile_cuda

HERE = Path(__file__).resolve().parent


def head_of(program: Program) -> Head:
    """The head of a file with one warp that did nothing."""
    steps = Steps(*np.zeros((3, 0), np.uint32))
    rows = np.zeros((2, 0, 32), np.int64)
    cta = Cta(0, (Warp(steps, Accesses(*rows)),))
    writer = store.Writer(lambda block: None)
    writer.add(Kernel(program, (1, 1, 1), (32, 1, 1), lambda number: cta))
    return writer.head(PRODUCER)


if __name__ == "__main__":
    code = compile_cuda((HERE / "common.cu").read_text(encoding="utf-8"), "sm_86")
    found = map(head_of, programs(Binary(code)).values())
    head.DICTIONARY.write_bytes(head.dictionary_of(found))
