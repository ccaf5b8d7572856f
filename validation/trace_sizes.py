"""How large traces are in each format, and how fast they are written and read.

`python -m warpwise.validation.trace_sizes` measures the zoo, the zoo with longer launches and the
launches of the speed benchmark, and writes the tables of `docs/trace-sizes.md`, in about an hour.
"""

from __future__ import annotations

import lzma
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from ..traces import accelsim_writer, convert, store, tree
from ..traces.kernel import Cta, Trace
from ..traces.load import ACCELSIM_LIST, load
from .batched import batched
from .benchmarks import KERNELS, SIZES, held, replace_tables, this_machine
from .kernels.zoo import ZOO, trace_zoo
from .report import aligned

PAGE = Path(__file__).parents[1] / "docs" / "trace-sizes.md"
# What each format is called, the file it is opened by, and how its text is compressed.
FORMATS = {
    "text": (ACCELSIM_LIST, ""),
    "text.xz": (ACCELSIM_LIST, ".xz"),
    "tree": (tree.TRACE, ""),
    "native": ("trace.warptrace", ""),
}


TIMES = (1, 8, 64)  # inputs of a launch
LONGEST = 5_000_000  # warp-instructions of a trace that is measured more than once
GOALS = {"text": 20, "text.xz": 4}  # times that native files should be smaller


@dataclass(frozen=True)
class Sizes:
    """Bytes of one trace in each format."""

    name: str
    warp_inst: int
    formats: dict[str, int]
    dynamic: int  # of the native ones, what says what the warps did

    def times_smaller(self, other: str) -> float:
        """How much smaller the native file is."""
        return self.formats[other] / self.formats["native"]

    @property
    def dynamic_times_smaller(self) -> float:
        """How much smaller than compressed text that part is; text has no static code either."""
        return self.formats["text.xz"] / self.dynamic


class Rates:
    """Processor seconds of all traces by format and direction."""

    def __init__(self) -> None:
        self.seconds: defaultdict[tuple[str, str], float] = defaultdict(float)
        self.warp_inst = 0

    @contextmanager
    def timed(self, name: str, direction: str) -> Iterator[None]:
        """Count the time of a block."""
        start = time.process_time()
        yield
        self.seconds[name, direction] += time.process_time() - start

    def of(self, name: str, direction: str) -> float:
        """Warp-instructions per second."""
        return self.warp_inst / self.seconds[name, direction]


def measure(name: str, trace: Trace, rates: Rates) -> Sizes:
    """Write a trace in each format and read it back."""
    whole = replace(trace, kernels=tuple(map(held, trace.kernels)))
    n = sum(len(warp.path.pcs) for cta in _ctas(whole) for warp in cta.warps)
    rates.warp_inst += n
    sizes, dynamic = {}, 0
    for key, (file, compression) in FORMATS.items():
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / file
            with rates.timed(key, "write"):
                convert.write(whole, path, compression)
            sizes[key] = sum(p.stat().st_size for p in Path(folder).rglob("*") if p.is_file())
            with rates.timed(key, "open"):
                opened = load(path)
            with rates.timed(key, "read"):
                for _ in _ctas(opened):
                    pass
            if key == "native":
                dynamic = store.block_bytes(path)
    return Sizes(name, n, sizes, dynamic)


def _ctas(trace: Trace) -> Iterator[Cta]:
    return (kernel.load_cta(n) for kernel in trace.kernels for n in range(kernel.n_ctas))


def zoo(rates: Rates, names: Iterable[str] = ZOO) -> Iterator[Sizes]:
    """Kernels of the zoo."""
    for name in names:
        yield measure(name, trace_zoo(name), rates)


def longer(rates: Rates, names: Iterable[str] = KERNELS) -> Iterator[Sizes]:
    """Launches of the speed benchmark for a whole GPU."""
    for name in names:
        yield measure(name, Trace((KERNELS[name](max(SIZES)),)), rates)


def grown(times: int, sizes: Iterable[Sizes]) -> Iterator[Sizes]:
    """The same kernels with launches of as many inputs, unless a trace becomes too long."""
    for one in sizes:
        if one.warp_inst * times <= LONGEST:
            yield streamed(one.name, batched(one.name, times))


def streamed(name: str, trace: Trace) -> Sizes:
    """Sizes of a long trace, of which only the native one becomes a file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trace.warptrace"
        store.write(trace, path)
        native, dynamic = path.stat().st_size, store.block_bytes(path)
    warp_inst = sum(len(warp.path.pcs) for cta in _ctas(trace) for warp in cta.warps)
    parts = list(map(sum, zip(*_text_bytes(trace), strict=True)))
    formats = {"text": parts[0], "text.xz": parts[1], "native": native}
    return Sizes(name, warp_inst, formats, dynamic)


def _text_bytes(trace: Trace) -> Iterator[tuple[int, int]]:
    """Of each kernel's file and its lines of the list: as text, with the file as `.xz`."""
    for number, kernel in enumerate(trace.kernels, 1):
        compressor, text, packed = lzma.LZMACompressor(), 0, 0
        for line in accelsim_writer.lines(kernel, number):
            data = f"{line}\n".encode("ascii")
            text, packed = text + len(data), packed + len(compressor.compress(data))
        listed = accelsim_writer.listed(kernel, number, "")
        yield text + len(listed), packed + len(compressor.flush()) + len(listed) + len(".xz")


def total(sizes: list[Sizes]) -> Sizes:
    """All traces together."""
    formats = {key: sum(s.formats[key] for s in sizes) for key in sizes[0].formats}
    parts = ((s.warp_inst, s.dynamic) for s in sizes)
    warp_inst, dynamic = map(sum, zip(*parts, strict=True))
    return Sizes("all", warp_inst, formats, dynamic)


def size_table(sizes: list[Sizes]) -> str:
    """Bytes per warp-instruction, and how much smaller native files are."""
    columns = ("kernel", "warp-inst", *FORMATS, "text/native", "text.xz/native", "text.xz/dynamic")
    return aligned(columns, map(_cells, sizes))


def _cells(s: Sizes) -> tuple[str, ...]:
    each = (f"{s.formats[key] / s.warp_inst:.3f}" for key in FORMATS)
    ratios = (s.times_smaller("text"), s.times_smaller("text.xz"), s.dynamic_times_smaller)
    return s.name, str(s.warp_inst), *each, *(f"{ratio:.1f}" for ratio in ratios)


def growth_table(measured: list[list[Sizes]]) -> str:
    """How much smaller than compressed text, by kernel and `TIMES`."""
    later = [{s.name: s for s in sizes} for sizes in measured]
    columns = ("kernel", "warp-inst", *(f"x{times}" for times in TIMES))
    rows = [
        (one.name, str(one.warp_inst), *(_ratio(sizes.get(one.name)) for sizes in later))
        for one in measured[0]
    ]
    return aligned(columns, rows)


def _ratio(sizes: Sizes | None) -> str:
    return f"{sizes.times_smaller('text.xz'):.1f}" if sizes else "-"


def growth_summary(measured: list[list[Sizes]]) -> str:
    """Of all kernels of each length: the ratios of their sums, medians, and who reaches the goals.

    The first line in each length is that of all that was measured, the second that of the kernels
    which were measured in every length.
    """
    everywhere = set.intersection(*({s.name for s in sizes} for sizes in measured))
    rows = []
    for times, sizes in zip(TIMES, measured, strict=True):
        for chosen in (sizes, [s for s in sizes if s.name in everywhere]):
            rows.append((f"x{times}", str(len(chosen)), *_growth_cells(chosen)))
    heads = (f"{what} {format_}" for format_ in GOALS for what in ("all,", "median,", "reach"))
    return aligned(("length", "kernels", "warp-inst", *heads), rows)


def _growth_cells(sizes: list[Sizes]) -> Iterator[str]:
    together = total(sizes)
    yield str(together.warp_inst)
    for key, goal in GOALS.items():
        ratios = [s.times_smaller(key) for s in sizes]
        yield f"{together.times_smaller(key):.1f}"
        yield f"{statistics.median(ratios):.1f}"
        yield f"{sum(ratio >= goal for ratio in ratios)}"


def rate_table(rates: Rates) -> str:
    """Warp-instructions per second of processor time."""
    directions = ("write", "open", "read")
    rows = [(key, *(f"{rates.of(key, d):,.0f}" for d in directions)) for key in FORMATS]
    return aligned(("format", *directions), rows)


def summary(sizes: list[Sizes]) -> str:
    """How many kernels reach the goals."""
    reached = {
        "20 times smaller than text": [s.times_smaller("text") >= 20 for s in sizes],
        "4 times smaller than text.xz": [s.times_smaller("text.xz") >= 4 for s in sizes],
        "the same, without head": [s.dynamic_times_smaller >= 4 for s in sizes],
    }
    return "\n".join(f"{goal}: {sum(r)} of {len(r)} kernels" for goal, r in reached.items())


def main(names: Iterable[str] = ZOO, longer_names: Iterable[str] = KERNELS) -> None:
    """Replace the tables of the page by ones measured here."""
    rates, long_rates = Rates(), Rates()
    measure("warm-up", trace_zoo("saxpy"), Rates())  # compiles
    sizes = list(zoo(rates, names))
    long_sizes = list(longer(long_rates, longer_names))
    sizes.sort(key=lambda s: s.warp_inst)
    longer_sizes = [sizes, *(list(grown(times, sizes)) for times in TIMES[1:])]
    tables = (
        size_table([*sizes, total(sizes)]),
        summary(sizes),
        growth_summary(longer_sizes),
        growth_table(longer_sizes),
        rate_table(rates),
        size_table(long_sizes),
        f"{rate_table(long_rates)}\n\n{this_machine()}",
    )
    replace_tables(PAGE, tables)


if __name__ == "__main__":
    main()
