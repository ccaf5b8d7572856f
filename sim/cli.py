"""The command `warpwise`: each verb parses, calls one function, prints.

Anything heavy is imported inside the verb that needs it, so that help appears at once.
"""

from __future__ import annotations

import hashlib
import json
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from enum import StrEnum
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ..isa.errors import DeadlockError, InputError, WarpwiseError
from .cli_traces import TraceGroup

if TYPE_CHECKING:
    from ..isa.program import Program
    from ..traces.kernel import Trace
    from .result import Result

FAILED, BAD_INPUT, STUCK = 1, 3, 4  # exit codes; typer adds 2, usage, and 130, interrupted
EVENT_SUFFIXES = (".csv", ".parquet")

app = typer.Typer(
    help="Simulate the cores of modern NVIDIA GPUs cycle by cycle.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
validate_app = typer.Typer(rich_markup_mode=None, no_args_is_help=True)
trace_app = typer.Typer(rich_markup_mode=None, no_args_is_help=True, cls=TraceGroup)


def main(args: Sequence[str] | None = None) -> None:
    """Run the command; warnings and errors become sentences on stderr, and an exit code."""
    with warnings.catch_warnings():
        warnings.showwarning = lambda message, *_, **__: _complain(message)
        try:
            app(args, prog_name="warpwise")
        except WarpwiseError as error:
            _complain(error)
            sys.exit(_exit_code(error))


def _complain(about: Warning | WarpwiseError | str) -> None:
    typer.echo(f"warpwise: {about}", err=True)


def _exit_code(error: WarpwiseError) -> int:
    if isinstance(error, DeadlockError):
        return STUCK
    return BAD_INPUT if isinstance(error, InputError) else FAILED


def _examples(*lines: str) -> str:
    """The end of a help page, its lines as they are."""
    return "\n".join(["\b", "Example:", *(f"  {line}" for line in lines)])


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"warpwise {version('warpwise')}")
        raise typer.Exit


def _events_path(path: Path | None) -> Path | None:
    """Complain before a long simulation rather than after it."""
    if path is None:
        return None
    if path.suffix not in EVENT_SUFFIXES:
        raise typer.BadParameter(f"{path} has to end in {' or '.join(EVENT_SUFFIXES)}")
    if not path.parent.is_dir():
        raise typer.BadParameter(f"there is no folder {path.parent}")
    return path


def _trace_path(path: Path) -> Path:
    if path.suffix != ".warptrace":
        raise typer.BadParameter(f"{path} has to end in .warptrace")
    return path


class Engine(StrEnum):
    """Which of the two models runs."""

    FAST = "fast"
    REFERENCE = "reference"


GpuOption = Annotated[str, typer.Option("--gpu", metavar="NAME", help="A GPU, or a TOML file.")]
PresetOption = Annotated[
    str, typer.Option("--preset", metavar="NAME", help="Variant of the model on top of the GPU.")
]
ChangesOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change a parameter; repeatable."),
]
LaunchOption = Annotated[
    Path | None,
    typer.Option("--launch", metavar="FILE", help="How to launch the kernels of a cubin (TOML)."),
]
KernelOption = Annotated[
    str | None,
    typer.Option("--kernel", "-k", metavar="FILTER", help="Only kernels of this name or pattern."),
]
CubinOption = Annotated[
    Path | None,
    typer.Option(
        "--cubin", metavar="FILE", help="The program of an Accel-Sim trace: its control bits."
    ),
]
LaunchesOption = Annotated[
    str | None,
    typer.Option(
        "--launches", metavar="FIRST:LAST", help="Only these launches, the last excluded."
    ),
]
CtasOption = Annotated[
    str | None,
    typer.Option("--ctas", metavar="FIRST:LAST", help="Only these CTAs, the last excluded."),
]
ThreadsOption = Annotated[
    int, typer.Option("-j", "--threads", min=1, metavar="N", help="Threads to run the SMs on.")
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Print one JSON document and nothing else on stdout.")
]
CoverageOption = Annotated[
    bool, typer.Option("--coverage", help="Show which opcodes of real kernels can be emulated.")
]


@app.callback(epilog=_examples("warpwise run traces/samples/matmul.warptrace --gpu rtx_a6000"))
def _options(
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """Simulate the cores of modern NVIDIA GPUs cycle by cycle."""


@app.command(
    epilog=_examples(
        "warpwise run traces/samples/matmul.warptrace --set sm.register_file.read_ports=2",
        "warpwise run traces/kernels/saxpy.sm_86.cubin --launch traces/kernels/saxpy.toml",
    )
)
def run(
    inputs: Annotated[
        list[Path],
        typer.Argument(
            metavar="INPUT", help="A .warptrace, a .sass, an Accel-Sim trace, or a .cubin."
        ),
    ],
    gpu: GpuOption = "rtx_a6000",
    preset: PresetOption = "ref",
    changes: ChangesOption = None,
    kernel: KernelOption = None,
    launch: LaunchOption = None,
    cubin: CubinOption = None,
    launches: LaunchesOption = None,
    ctas: CtasOption = None,
    sms: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Use only the first N SMs.")
    ] = None,
    max_cycles: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Give a kernel up after N cycles.")
    ] = None,
    threads: ThreadsOption = 1,
    engine: Annotated[
        Engine, typer.Option(help="The engine, or its readable twin: one SM, all caches warm.")
    ] = Engine.FAST,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="DIR", help="Write the run to this folder."),
    ] = None,
    events: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            callback=_events_path,
            help="Write the cycles of every issued instruction (.csv or .parquet).",
        ),
    ] = None,
    clock_reads: Annotated[
        bool, typer.Option("--clock-reads", help="Report the clock values that warps read.")
    ] = False,
    attribution: Annotated[
        bool,
        typer.Option(
            "--attribution", help="Attribute the cycles of SM 0 to instructions; see report."
        ),
    ] = False,
    allow_unknown: Annotated[
        bool, typer.Option("--allow-unknown", help="Do not mark cycles for unknown opcodes.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Simulate kernels: cycles, IPC, what warps waited for."""
    from . import cli_text, cli_traces
    from .machine.load import parse_override
    from .result import write_events

    result = _simulate(
        lambda: [cli_traces.read(p, launch, kernel, cubin, launches, ctas) for p in inputs],
        gpu,
        preset,
        dict(map(parse_override, changes or ())),
        sms=sms,
        max_cycles=max_cycles,
        events=events is not None,
        clock_reads=clock_reads,
        attribution=attribution,
        threads=threads,
        model=engine.value,
    )
    if output:
        with _writing(output):
            result.save(output)
    if events:
        with _writing(events):
            write_events(result.kernels, events)
    if as_json:
        _print_json(result.to_dict())
    else:
        typer.echo(cli_text.run_report(result, allow_unknown))
    if result.unknown and not allow_unknown:
        _complain(cli_text.unknown_note(result.unknown))


def _simulate(
    read: Callable[[], list[Trace]],
    gpu: str,
    preset: str,
    changes: dict[str, Any],
    **options: Any,
) -> Result:
    """One result for all inputs; those that cannot be read fail before anything is simulated."""
    from . import api
    from .cli_progress import ProgressLine, warm_up
    from .machine.load import load as load_machine

    load_machine(gpu, preset, changes)  # complains before a long emulation
    traces = read()
    warm_up()
    with ProgressLine(sys.stderr) as progress:
        results = [
            api.run(trace, gpu, preset, progress=progress, **options, **changes) for trace in traces
        ]
    return results[0] if len(results) == 1 else _joined(results)


def _joined(results: Sequence[Result]) -> Result:
    """The kernels of several inputs in their order, under a hash of the traces' hashes."""
    hashes = " ".join(result.trace_hash for result in results)
    return replace(
        results[0],
        trace_hash=hashlib.sha256(hashes.encode()).hexdigest(),
        kernels=tuple(kernel for result in results for kernel in result.kernels),
    )


@app.command(
    epilog=_examples(
        "warpwise view traces/samples/matmul.warptrace --cycles 0:400 -o matmul.html",
        "warpwise view listing.sass --format konata -o listing.log.gz",
    )
)
def view(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="INPUT", help="A .warptrace, a .sass, an Accel-Sim trace, or a .cubin."
        ),
    ],
    output: Annotated[
        Path,
        typer.Option("-o", "--output", metavar="FILE", help="Where to; .gz and .zst compress."),
    ],
    format: Annotated[
        Literal["html", "konata", "perfetto"],
        typer.Option(help="A page, a log for Konata, or a trace for ui.perfetto.dev."),
    ] = "html",
    cycles: Annotated[
        str, typer.Option(metavar="FIRST:LAST", help="Cycles since execution began.")
    ] = "0:500",
    sm: Annotated[int, typer.Option(min=0, metavar="N", help="The SM to look at.")] = 0,
    subcore: Annotated[
        int | None, typer.Option(min=0, max=3, metavar="N", help="Only this sub-core of it.")
    ] = None,
    warps: Annotated[
        str | None, typer.Option(metavar="LIST", help="Only these warps of each CTA: 0,4-7.")
    ] = None,
    order: Annotated[
        Literal["issue", "warp"], typer.Option(help="How instructions are sorted.")
    ] = "issue",
    gpu: GpuOption = "rtx_a6000",
    preset: PresetOption = "ref",
    changes: ChangesOption = None,
    kernel: KernelOption = None,
    launch: LaunchOption = None,
    cubin: CubinOption = None,
    threads: ThreadsOption = 1,
    as_json: JsonOption = False,
) -> None:
    """Draw the pipeline of an SM cycle by cycle; of several kernels, the first."""
    from ..traces.load import load
    from . import api, cli_view
    from .cli_progress import ProgressLine, warm_up
    from .machine.load import load as load_machine
    from .machine.load import parse_override
    from .report import pipeline

    window = pipeline.Window(
        *cli_view.parse_cycles(cycles),
        sm,
        subcore,
        None if warps is None else cli_view.parse_warps(warps),
        by_warp=order == "warp",
    )
    machine = load_machine(gpu, preset, dict(map(parse_override, changes or ())))
    kernels = load(source, launch, kernel, cubin).kernels
    if len(kernels) > 1:
        _complain(f"{source} has {len(kernels)} kernels; this is the first, {kernels[0].name}")
    api.warn_of_differences(kernels[0], machine)
    warm_up()
    with ProgressLine(sys.stderr) as progress:
        seen = pipeline.record(kernels[0], machine, window, progress, threads)
    with _writing(output):
        cli_view.write(seen, output, format)
    if as_json:
        _print_json(cli_view.document(seen, output, format))
    else:
        typer.echo(cli_view.text(seen, output))


@trace_app.command(
    epilog=_examples(
        "warpwise trace record traces/kernels/matmul.sm_86.cubin"
        " --launch traces/kernels/matmul.toml -o matmul.warptrace"
    )
)
def record(
    source: Annotated[Path, typer.Argument(metavar="INPUT", help="A .cubin.")],
    output: Annotated[
        Path,
        typer.Option("-o", "--output", metavar="OUT", callback=_trace_path, help="A .warptrace."),
    ],
    launch: LaunchOption = None,
    kernel: KernelOption = None,
    as_json: JsonOption = False,
) -> None:
    """Emulate a cubin and record what its warps do."""
    from ..traces.load import record as record_cubin
    from . import cli_traces

    writer = record_cubin(source, launch, output, kernel)
    document = cli_traces.recorded(writer, output)
    if as_json:
        _print_json(document)
    else:
        names = ", ".join(k.name for k in writer.kernels)
        typer.echo(f"{output}: {names}, {document['bytes']:,} bytes, hash {document['hash']}")


@trace_app.command(
    epilog=_examples(
        "warpwise trace -o app.warptrace --kernel 'stencil*' -- ./app 1024",
        "nvcc -cudart shared -arch=sm_86 app.cu -o app  # how to compile it",
    )
)
def program(
    command: Annotated[
        list[str], typer.Argument(metavar="-- PROGRAM [ARGS]", help="A CUDA program.")
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="OUT",
            callback=lambda path: path and _trace_path(path),
            help="A .warptrace; PROGRAM.warptrace by default.",
        ),
    ] = None,
    gpu: GpuOption = "rtx_a6000",
    kernel: KernelOption = None,
    launches: LaunchesOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run an unmodified CUDA program on the emulator and record its kernels.

    The program is to be compiled with nvcc -cudart shared. Its exit code is that of this command.
    """
    from ..traces import store
    from ..traces.emulator import PRODUCER
    from ..traces.load import matches
    from ..traces.runtime import run_program
    from . import cli_traces
    from .machine.load import load as load_machine
    from .simulated_gpu import facts

    chosen = cli_traces.parse_launches(launches)
    path = output or Path(f"{Path(command[0]).name}.warptrace")
    with store.writing(path, PRODUCER) as writer:
        run = run_program(
            command,
            facts(load_machine(gpu).gpu),
            writer,
            lambda launch, name: launch in chosen and (kernel is None or matches(name, kernel)),
            stdout=sys.stderr.fileno() if as_json else None,
        )
        if not writer.kernels and run.exit_code:
            raise typer.Exit(run.exit_code)
        if not writer.kernels:
            names = ", ".join(sorted(set(run.launched))) or "nothing"
            raise InputError(f"{command[0]}: no launch was recorded; it launched {names}")
    document = cli_traces.recorded(writer, path)
    document["exit_code"] = run.exit_code
    if as_json:
        _print_json(document)
    _complain(
        f"{path}: {len(writer.kernels)} of {len(run.launched)} launches, "
        f"{document['bytes']:,} bytes, hash {document['hash']}"
    )
    raise typer.Exit(run.exit_code)


@trace_app.command(epilog=_examples("warpwise trace info traces/samples/matmul.warptrace"))
def info(
    source: Annotated[Path, typer.Argument(metavar="INPUT", help="Any trace.")],
    launch: LaunchOption = None,
    kernel: KernelOption = None,
    cubin: CubinOption = None,
    launches: LaunchesOption = None,
    ctas: CtasOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what is in a trace: kernels, instructions, opcodes, footprint, divergence."""
    from ..traces.info import info as look
    from . import cli_traces

    found = [
        look(k) for k in cli_traces.read(source, launch, kernel, cubin, launches, ctas).kernels
    ]
    if as_json:
        _print_json(cli_traces.document(found))
    else:
        typer.echo(cli_traces.report(found))


@app.command(
    epilog=_examples(
        "warpwise convert traces/samples/matmul.warptrace matmul/kernelslist.g --compress .xz",
        "warpwise convert matmul/kernelslist.g matmul.warptrace"
        " --cubin traces/kernels/matmul.sm_86.cubin",
        "warpwise convert traces/samples/matmul.warptrace matmul/traces/dynamic_trace.pb",
    )
)
def convert(
    source: Annotated[Path, typer.Argument(metavar="IN", help="Any trace.")],
    target: Annotated[
        Path,
        typer.Argument(metavar="OUT", help="A .warptrace, kernelslist.g or dynamic_trace.pb."),
    ],
    launch: LaunchOption = None,
    kernel: KernelOption = None,
    cubin: CubinOption = None,
    launches: LaunchesOption = None,
    ctas: CtasOption = None,
    compress: Annotated[
        str, typer.Option(metavar="SUFFIX", help="Of text: .gz, .xz or .zst; none by default.")
    ] = "",
) -> None:
    """Write a trace in another format, whole or some of its CTAs."""
    from ..traces import convert as formats
    from . import cli_traces

    trace = cli_traces.read(source, launch, kernel, cubin, launches, ctas)
    lost = formats.write(trace, target, compress)
    if lost:
        _complain(lost)
    typer.echo(f"{target}: {', '.join(k.name for k in trace.kernels)}")


@app.command(epilog=_examples("warpwise annotate traces/kernels/saxpy.sm_86.cubin"))
def annotate(
    source: Annotated[
        Path, typer.Argument(metavar="CUBIN|SASS|TRACE", help=".cubin, .sass or .warptrace.")
    ],
    kernel: KernelOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print SASS with control bits, units, latency classes, hazards and slack."""
    from . import cli_annotate

    programs = _programs(source, kernel)
    if reason := cli_annotate.unchecked(programs):
        _complain(f"{source}: {reason}")
    if as_json:
        _print_json(cli_annotate.document(programs))
    else:
        typer.echo(cli_annotate.text(programs), nl=False)


def _programs(source: Path, kernel: str | None) -> list[Program]:
    """The code of a file, once for each kernel; a cubin needs no launch file for that."""
    from ..isa import cubin
    from ..traces.load import load

    if source.suffix.lower() == ".cubin":
        return list(cubin.load(source, kernel).values())
    kernels = load(source, kernel=kernel).kernels
    return list({id(k.program): k.program for k in kernels}.values())


@app.command(
    epilog=_examples(
        "warpwise gpus",
        "warpwise gpus rtx_a6000",
        "warpwise gpus rtx_a6000 --diff rtx_3080",
    )
)
def gpus(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="Show all parameters of this GPU.")
    ] = None,
    diff: Annotated[
        str | None,
        typer.Option(metavar="OTHER", help="Show only what is different on this other GPU."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List the GPUs, or the parameters of one."""
    from . import cli_gpus

    if name is None and diff is not None:
        raise typer.BadParameter("--diff needs a NAME to compare with")
    if name is None:
        view: cli_gpus.View = cli_gpus.overview()
    elif diff is None:
        view = cli_gpus.parameters(name)
    else:
        view = cli_gpus.difference(name, diff)
    if as_json:
        _print_json(view.document)
    else:
        typer.echo(view.text)


@validate_app.callback(epilog=_examples("warpwise validate paper"))
def _validate() -> None:
    """Compare the model with measurements."""


@validate_app.command(epilog=_examples("warpwise validate paper --gpu rtx_a6000"))
def paper(gpu: GpuOption = "rtx_a6000", as_json: JsonOption = False) -> None:
    """Compare the paper's microbenchmarks with the model."""
    from .cli_progress import warm_up

    warm_up()
    report = import_module("warpwise.validation").validate_paper(gpu)
    if as_json:
        _print_json(report.to_dict())
    else:
        typer.echo(str(report))
    if report.n_wrong:
        raise typer.Exit(FAILED)


@validate_app.command(
    epilog=_examples(
        "warpwise validate measurements", "warpwise validate measurements --figures figures"
    )
)
def measurements(
    plots: Annotated[
        Path | None,
        typer.Option("--figures", metavar="DIR", help="Keep a plot of each: PDF, PNG, CSV."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Compare measurements of other sm_86 and sm_75 cards with the model; takes some minutes."""
    from .cli_progress import warm_up

    if plots:
        with _writing(plots):
            plots.mkdir(parents=True, exist_ok=True)  # complains before the simulations
    warm_up()
    report = import_module("warpwise.validation").validate_measurements()
    if plots:
        with _writing(plots):
            for figure in report.figures():
                figure.save(plots)
    if as_json:
        _print_json(report.to_dict())
    else:
        typer.echo(str(report))


@validate_app.command(
    epilog=_examples(
        "warpwise validate hardware",
        "warpwise validate hardware --hardware measured.csv --traces traces -o comparison",
    )
)
def hardware(
    table: Annotated[
        Path | None,
        typer.Option(
            "--hardware", metavar="FILE", help="A tidy CSV, an ncu CSV export or a .ncu-rep."
        ),
    ] = None,
    traces: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="APPLICATION/ARGUMENTS/ with a trace or a finished run."),
    ] = None,
    cubin: CubinOption = None,
    gpu: GpuOption = "rtx_a6000",
    preset: PresetOption = "ref",
    changes: ChangesOption = None,
    min_cycles: Annotated[
        float, typer.Option(min=0, metavar="N", help="Leave shorter applications out.")
    ] = 0,
    seed: Annotated[int, typer.Option(metavar="N", help="Of the bootstrap interval.")] = 0,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="DIR", help="Keep the runs and the report here."),
    ] = None,
    threads: ThreadsOption = 1,
    as_json: JsonOption = False,
) -> None:
    """Compare applications on hardware with the model, and with published models."""
    from .machine.load import parse_override

    if traces:
        from .cli_progress import compile_once

        compile_once()
    report = import_module("warpwise.validation").validate_hardware(
        table,
        traces,
        gpu,
        preset,
        cubin=cubin,
        output=output,
        min_cycles=min_cycles,
        seed=seed,
        threads=threads,
        progress=lambda name: typer.echo(f"simulating {name}", err=True),
        **dict(map(parse_override, changes or ())),
    )
    if as_json:
        _print_json(report.to_dict())
    else:
        typer.echo(str(report))
    if report.n_different:
        raise typer.Exit(FAILED)


app.add_typer(validate_app, name="validate")
app.add_typer(
    trace_app,
    name="trace",
    help="Record what the warps of a kernel do, or look at it.",
    epilog=_examples(
        "warpwise trace info traces/samples/matmul.warptrace",
        "warpwise trace program ./app 1024",
    ),
)


@app.command(epilog=_examples("warpwise sweep sweep.toml -j 2 -o runs"))
def sweep(
    source: Annotated[Path, typer.Argument(metavar="FILE", help="What to vary (TOML).")],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="DIR", help="Where the runs are kept.")
    ] = Path("runs"),
    jobs: Annotated[int, typer.Option("-j", min=1, metavar="N", help="Processes.")] = 1,
    scheduler: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Dask scheduler to use instead.")
    ] = None,
    cubin: CubinOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run every point of a design-space sweep that has no result yet."""
    from . import cli_sweep, studies
    from .cli_progress import compile_once

    compile_once()
    plan = studies.read(source)
    if cubin:
        plan = plan.with_program(cubin)
    frame = studies.sweep(plan, output, jobs, scheduler, cli_sweep.Line(sys.stderr))
    if as_json:
        _print_json(cli_sweep.document(frame, plan))
    else:
        typer.echo(cli_sweep.text(frame, plan))
    if frame["error"].notna().any():
        raise typer.Exit(FAILED)


@app.command(epilog=_examples("warpwise report comparison -o report.html --figures figures"))
def report(
    folders: Annotated[
        list[Path],
        typer.Argument(metavar="DIR", help="A run, or several; a validation; or a sweep."),
    ],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FILE", help="The page.")
    ] = Path("report.html"),
    plots: Annotated[
        Path | None,
        typer.Option("--figures", metavar="DIR", help="Also keep each plot: PDF, PNG, CSV."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Write one HTML page about runs, a validation or a sweep."""
    from ..isa.files import whole
    from .report import report_page, sources

    content = sources.read(folders)
    with _writing(output), whole(output) as stream:
        stream.write(report_page.page(content).encode())
    if plots:
        with _writing(plots):
            files = [str(path) for figure in content.figures for path in figure.save(plots)]
    else:
        files = []
    if as_json:
        _print_json({"schema": 1, "file": str(output), "facts": content.facts, "figures": files})
    else:
        typer.echo(f"{output}: {content.title}, {len(content.figures)} figures")


@app.command(epilog=_examples("warpwise bench --json"))
def bench(threads: ThreadsOption = 1, as_json: JsonOption = False) -> None:
    """Measure how fast the simulator is on this machine."""
    from . import cli_bench
    from .cli_progress import compile_once

    compile_once()
    rows = cli_bench.measure(threads)
    if as_json:
        _print_json(cli_bench.document(rows))
    else:
        typer.echo(cli_bench.text(rows))


@app.command(epilog=_examples("warpwise doctor", "warpwise doctor --coverage"))
def doctor(as_json: JsonOption = False, coverage: CoverageOption = False) -> None:
    """Show versions and optional parts, and run a self-test."""
    if coverage:
        return _show_coverage(as_json)
    from . import doctor as examination
    from .cli_progress import compile_once

    compile_once()
    findings = examination.examine()
    if as_json:
        _print_json(findings.to_dict())
    else:
        typer.echo(str(findings))
    if not findings.works:
        raise typer.Exit(FAILED)


def _show_coverage(as_json: bool) -> None:
    """What the emulator executes of the opcodes of real kernels."""
    from ..traces.emulator.coverage import coverage

    parts = coverage()
    if as_json:
        _print_json({"schema": 1, "coverage": [asdict(part) for part in parts]})
    else:
        typer.echo("\n".join(map(str, parts)))


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Explain why an output cannot be written."""
    try:
        yield
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror}") from error


def _print_json(document: dict[str, Any]) -> None:
    typer.echo(json.dumps(document, indent=1))
