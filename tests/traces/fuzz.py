"""A file of any bytes is read whole or refused: what the fuzzers of every reader share.

As a program, `python fuzz.py READER FOLDER [options of libFuzzer]` runs atheris on one reader.
"""

import contextlib
import gzip
import lzma
import shutil
import sys
import types
import warnings
from pathlib import Path

import zstandard

from warpwise.isa.errors import InputError
from warpwise.traces import accelsim_writer, store, tree_writer
from warpwise.traces.handwritten import parse
from warpwise.traces.load import load

CODE = """.arch sm_86
.kernel tiny
.grid 2
LDG.E R4, [R2.64] ;
STS [R8], R4 ;
EXIT ;
"""
TEXT = "text/kernel-1.traceg"
PROTOBUF = "tree/threadblocks/device_0/stream_0/kernel_1/d_0_s_0_k_1_1,0,0.pb"
# The file that is damaged, and the one that is opened to read it.
READERS = {
    "text": (TEXT, TEXT),
    "gz": (f"{TEXT}.gz", f"{TEXT}.gz"),
    "xz": (f"{TEXT}.xz", f"{TEXT}.xz"),
    "zst": (f"{TEXT}.zst", f"{TEXT}.zst"),
    "list": ("text/kernelslist.g", "text/kernelslist.g"),
    "launches": ("tree/dynamic_trace.pb", "tree/dynamic_trace.pb"),
    "cta": (PROTOBUF, "tree/dynamic_trace.pb"),
    "code": ("tree/extra_info/enhanced_execution_info.json", "tree/dynamic_trace.pb"),
    "native": ("tiny.warptrace", "tiny.warptrace"),
    "sass": ("tiny.sass", "tiny.sass"),
}


def write_all(folder):
    """The same small trace in every format."""
    trace = parse(CODE)
    (folder / "tiny.sass").write_text(CODE)
    store.write(trace, folder / "tiny.warptrace")
    tree_writer.write(trace, folder / "tree/dynamic_trace.pb")
    accelsim_writer.write(trace, folder / "text/kernelslist.g")
    content = (folder / TEXT).read_bytes()
    for suffix, pack in (
        ("gz", gzip.compress),
        ("xz", lzma.compress),
        ("zst", zstandard.ZstdCompressor().compress),
    ):
        (folder / f"{TEXT}.{suffix}").write_bytes(pack(content))


def read_or_refuse(folder, reader, data):
    """Put `data` in place of the reader's file; any error but InputError is a defect."""
    damaged, opened = READERS[reader]
    (folder / damaged).write_bytes(data)
    with contextlib.suppress(InputError), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for kernel in load(folder / opened).kernels:
            for number in range(min(kernel.n_ctas, 3)):
                kernel.load_cta(number)


def main(reader, folder, *options):
    import atheris

    folder = Path(folder)
    write_all(folder)
    seeds = folder / "seeds"
    seeds.mkdir()
    shutil.copy(folder / READERS[reader][0], seeds)
    for module in list(sys.modules.values()):
        if getattr(module, "__name__", "").startswith("warpwise.traces."):
            instrument(atheris, module, module.__name__)
    atheris.Setup(
        [sys.argv[0], *options, str(seeds)], lambda data: read_or_refuse(folder, reader, data)
    )
    atheris.Fuzz()


def instrument(atheris, owner, module):
    """Have atheris see the branches of a module's functions and methods."""
    for name, value in list(vars(owner).items()):
        if getattr(value, "__module__", None) != module:
            continue
        if isinstance(value, types.FunctionType):
            setattr(owner, name, atheris.instrument_func(value))
        elif isinstance(value, type) and owner is not value:
            instrument(atheris, value, module)


if __name__ == "__main__":
    main(*sys.argv[1:])
