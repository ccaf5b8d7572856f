"""Writes the protobuf tree that `tree.py` reads, and the MICRO'25 simulator."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path as FilePath
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ..isa.errors import InputError
from ..isa.files import whole
from ..isa.program import INSTRUCTION_BYTES, Access, Instruction, Program, Space
from . import tree, tree_code, tree_schema
from .addresses import encode
from .copies import to_line
from .kernel import LOCAL_WINDOW, SHARED_WINDOW, Kernel, Trace, Warp, lanes_of

TRACER_VERSION: Final = 4
NO_DESCRIPTOR: Final = 133
STREAM: Final = 0
LOSSES: Final = (
    "the protobuf tree has no warm caches, clock reads to report, contents of constant banks, "
    "parameters and names of labels, and numbers launches anew"
)


def write(trace: Trace, path: FilePath) -> None:
    """Write `path`, a `dynamic_trace.pb`, last, and beside it the code and a file for each CTA.

    Raises InputError if a file cannot be written.
    """
    programs = _distinct(kernel.program for kernel in trace.kernels)
    names = _names(list(programs))
    code = tree_code.document(path.parent.parent.name, programs, names)
    try:
        path.unlink(missing_ok=True)  # what is half written does not pass for whole
        (path.parent / tree.CODE).parent.mkdir(parents=True, exist_ok=True)
        (path.parent / tree.CODE).write_text(json.dumps(code))
        for number, kernel in enumerate(trace.kernels, 1):
            function = _number(programs, kernel.program)
            _write_blocks(path.parent, tree.Launched(STREAM, number), kernel, function)
    except OSError as error:
        raise InputError(f"{error.filename}: cannot be written: {error.strerror}") from error
    with whole(path) as stream:
        stream.write(_launches(trace, programs, names).SerializeToString(deterministic=True))


def _distinct(programs: Iterable[Program]) -> list[Program]:
    found: list[Program] = []
    for program in programs:
        if program not in found:
            found.append(program)
    return found


def _number(programs: list[Program], program: Program) -> int:
    """Its unique_function_id."""
    return programs.index(program) + 1


def _names(programs: list[Program]) -> list[str]:
    """Names with the number of the variant, which tells programs of one name apart."""
    earlier = [program.name for program in programs]
    return [f"{name}___{earlier[:place].count(name)}" for place, name in enumerate(earlier)]


def _launches(trace: Trace, programs: list[Program], names: list[str]) -> Any:
    arch = trace.kernels[0].program.arch.removeprefix("sm_") if trace.kernels else 0
    message = tree_schema.message("Trace")(
        name=trace.source, binary_version=int(arch), accelsim_version=TRACER_VERSION
    )
    device = message.gpu_device[tree.DEVICE]
    device.id = tree.DEVICE
    stream = device.streams[STREAM]
    stream.id = STREAM
    for number, kernel in enumerate(trace.kernels, 1):
        function = _number(programs, kernel.program)
        one = stream.kernels.add(
            id=number,
            name=names[function - 1],
            function_unique_id=function,
            size_shared_memory=kernel.shared_bytes,
            number_of_registers=kernel.registers or kernel.program.registers,
            shared_memory_base_address=SHARED_WINDOW,
            local_memory_base_address=LOCAL_WINDOW,
        )
        for field, shape in ((one.grid_dim, kernel.grid), (one.block_dim, kernel.block)):
            field.x, field.y, field.z = shape
        stream.ordered_cuda_events.extend([*map(to_line, kernel.copies), f"kernel-{number}.trace"])
    return message


def _write_blocks(root: FilePath, launched: tree.Launched, kernel: Kernel, function: int) -> None:
    folder = launched.folder(root)
    folder.mkdir(parents=True, exist_ok=True)
    for stale in folder.glob("*.pb"):
        stale.unlink()
    for number in range(kernel.n_ctas):
        place = kernel.cta_index(number)
        block = tree_schema.message("threadblock")()
        block.block_id.x, block.block_id.y, block.block_id.z = place
        for w, warp in enumerate(kernel.load_cta(number).warps):
            block.warps[w].id = w
            _fill(block.warps[w], warp, kernel.program, function)
        data = block.SerializeToString(deterministic=True)
        tree.block_file(root, launched, *place).write_bytes(data)


def _fill(message: Any, warp: Warp, program: Program, function: int) -> None:
    row = 0
    path = warp.path
    columns = (column.tolist() for column in (path.pcs, path.active, path.executed))
    for pc, active, executed in zip(*columns, strict=True):
        inst = program.instructions[pc]
        step = message.instructions.add(
            pc=pc * INSTRUCTION_BYTES,
            active_mask=active,
            predicate_mask=executed,
            function_unique_id=function,
        )
        if inst.access == Access.NONE:
            continue
        accesses = warp.accesses
        _add_address(step, inst, accesses.addresses[row], executed)
        if inst.access == Access.ASYNC_COPY:
            _add_address(step, inst, accesses.shared[row], executed)
        row += 1


def _add_address(step: Any, inst: Instruction, row: NDArray[np.int64], mask: int) -> None:
    """One list of addresses; of a constant, what is added to the offset, if anything is."""
    if inst.space == Space.CONSTANT:
        row = row - tree.constant_offset(inst)
        executing = lanes_of(np.array([mask], np.uint32))[0]
        if inst.constant is not None and not row[executing].any():
            return
    mode, base, stride, deltas = encode(row, mask)
    step.addresses.add(
        data_width=max(inst.width // 8, 1),
        udesc_value=NO_DESCRIPTOR,
        compression_format=mode,
        base_address=base,
        stride=stride,
        addrs=deltas,
    )
