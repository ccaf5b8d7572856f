"""`python -m warpwise.validation.kernels [NAME --arch sm_86 -o x.warptrace]`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ...isa.errors import InputError
from ...traces import store
from ...traces.emulator import EmulationError
from .zoo import ARCHITECTURES, ZOO, description, trace_zoo


def main(arguments: list[str] | None = None) -> str:
    """List the zoo, or trace one member of it; returns what to print."""
    parser = argparse.ArgumentParser(
        prog="python -m warpwise.validation.kernels",
        description="Emulate a kernel of the zoo, check its result and write its trace; "
        "without a name, list the zoo.",
    )
    parser.add_argument("name", nargs="?", metavar="NAME")
    parser.add_argument("--arch", choices=ARCHITECTURES, default="sm_86")
    parser.add_argument("-o", "--output", type=Path, help="default: NAME.ARCH.warptrace")
    options = parser.parse_args(arguments)
    if options.name is None:
        width = max(map(len, ZOO))
        return "\n".join(f"{name:{width}}  {description(name)}" for name in ZOO)
    trace = trace_zoo(options.name, options.arch)
    path = options.output or Path(f"{options.name}.{options.arch}.warptrace")
    store.write(trace, path)
    return f"{path}: {len(trace.kernels)} launch(es), results are right"


if __name__ == "__main__":
    try:
        print(main())
    except (InputError, EmulationError) as error:
        sys.exit(f"error: {error}")
