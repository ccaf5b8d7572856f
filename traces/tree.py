"""The protobuf tree of the MICRO'25 tracer: `dynamic_trace.pb`, a file a CTA, static code as JSON.

A CTA's file is read when the CTA is asked for. Nothing in a file is trusted: paths are made of
numbers only, sizes are bounded, and an error names the file.
"""

from __future__ import annotations

import hashlib
import math
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any, Final
from weakref import WeakValueDictionary

import numpy as np
from pydantic import ValidationError

from ..isa.errors import InputError
from ..isa.program import INSTRUCTION_BYTES, Access, Instruction, Kind, Program, Space
from . import tree_code, tree_schema
from .addresses import Rows, lanes_in_block
from .blocks import ROW_LIMIT, fingerprint
from .copies import Copy, Pending, carried, from_line
from .kernel import WARP_SIZE, Accesses, Cta, Kernel, Path, SharedWindow, Trace, Warp

TRACE: Final = "dynamic_trace.pb"
CODE: Final = "extra_info/enhanced_execution_info.json"
FILE_LIMIT: Final = 1 << 28  # bytes of one file
DEVICE: Final = 0  # the only one that the format's own simulator runs
EVENT: Final = re.compile(r"kernel-(\d{1,9})\.trace")
EXTENT: Final = range(1, 1 << 31)
REMEDY: Final = "the file is damaged or was cut short: copy it again or trace it again"


def find(path: FilePath) -> FilePath | None:
    """The `dynamic_trace.pb` that a path names: itself, or in this folder or its `traces`."""
    if path.name == TRACE:
        return path
    return next((p for p in (path / TRACE, path / "traces" / TRACE) if p.is_file()), None)


def block_file(root: FilePath, launch: Launched, x: int, y: int, z: int) -> FilePath:
    """Where the tree keeps CTA (x, y, z)."""
    s, k = launch.stream, launch.number
    return launch.folder(root) / f"d_{DEVICE}_s_{s}_k_{k}_{x},{y},{z}.pb"


@dataclass(frozen=True)
class Launched:
    """Which launch of a program it is: its stream, and its number from 1."""

    stream: int
    number: int

    def folder(self, root: FilePath) -> FilePath:
        """Where the tree keeps its CTAs."""
        parts = f"device_{DEVICE}", f"stream_{self.stream}", f"kernel_{self.number}"
        return root.joinpath("threadblocks", *parts)


def read(path: FilePath, wanted: Callable[[int, str], bool] = lambda launch, name: True) -> Trace:
    """The launches of a tree that are `wanted` by number and name. Raises InputError."""
    root = path.parent
    trace = _parsed(path, "Trace")
    code = _Code(root / CODE)
    launches = list(_launches(path, trace))
    code.launched = {message.function_unique_id for _, message, _ in launches}
    chosen = carried(
        ((launched, message), copies, wanted(launched.number - 1, _name(message)))
        for launched, message, copies in launches
    )
    kernels = [_Launch(path, *launch, code, copies) for launch, copies in chosen]
    digest = hashlib.sha256(_content(path) + code.data)
    for kernel in kernels:
        kernel.hash_into(digest)
    producer = f"MICRO'25 tracer {trace.accelsim_version}"
    return Trace(tuple(k.kernel(digest.hexdigest()) for k in kernels), str(path), producer)


def _name(message: Any) -> str:
    """A kernel's name, without what tells its variants apart."""
    return tree_code.VARIANT.sub("", message.name)


def _content(path: FilePath) -> bytes:
    try:
        with open(path, "rb") as stream:
            data = stream.read(FILE_LIMIT + 1)
    except OSError as error:
        raise InputError(f"{path}: cannot be opened: {error.strerror}") from error
    if len(data) > FILE_LIMIT:
        raise InputError(f"{path}: over {FILE_LIMIT} bytes found, expected at most that")
    return data


def _parsed(path: FilePath, kind: str) -> Any:
    message = tree_schema.message(kind)()
    try:
        message.ParseFromString(_content(path))
    except tree_schema.damage() as error:
        raise InputError(f"{path}: no `{kind}` message can be read from it; {REMEDY}") from error
    return message


def _launches(path: FilePath, trace: Any) -> Iterator[tuple[Launched, Any, tuple[Copy, ...]]]:
    """Launches in the order of the events, with the copies before each."""
    pending = Pending()
    if DEVICE not in trace.gpu_device:
        raise InputError(f"{path}: devices {sorted(trace.gpu_device)} found, expected device 0")
    streams = trace.gpu_device[DEVICE].streams
    for number in sorted(streams):
        kernels = streams[number].kernels
        for event in streams[number].ordered_cuda_events:
            if copy := _copy(path, event):
                pending.add(copy)
            found = EVENT.fullmatch(event)
            if not found:
                continue
            if not 1 <= int(found[1]) <= len(kernels):
                raise InputError(f"{path}: {event!r} found, expected one of {len(kernels)} kernels")
            yield Launched(number, int(found[1])), kernels[int(found[1]) - 1], pending.take()


def _copy(path: FilePath, event: str) -> Copy | None:
    try:
        return from_line(event)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


class _Code:
    """The functions of the program, decoded as launches need them."""

    def __init__(self, path: FilePath) -> None:
        self.path = path
        self.data = _content(path)
        try:
            functions = tree_code.StaticCode.model_validate_json(self.data).kernels
        except ValidationError as error:
            problem = error.errors()[0]
            place = ".".join(map(str, problem["loc"])) or "JSON"
            raise InputError(f"{path}: {place}: {problem['msg']}") from error
        self._functions = {function.unique_function_id: function for function in functions}
        if len(self._functions) != len(functions):
            raise InputError(f"{path}: one unique_function_id found twice, expected one each")
        self.launched: set[int] = set()
        self._programs: dict[int, tuple[Program, dict[int, int]]] = {}

    def program(self, number: int) -> tuple[Program, dict[int, int]]:
        """Code of function `number` and of those that no launch names; see `tree_code`."""
        if number not in self._functions:
            known = ", ".join(map(str, sorted(self._functions)))
            raise InputError(f"{self.path}: function {number} is missing, it has {known}")
        if number not in self._programs:
            others = [f for n, f in self._functions.items() if n not in self.launched]
            first = self._functions[number]
            called = [f for f in others if f.architecture_version == first.architecture_version]
            try:
                self._programs[number] = tree_code.program([first, *called])
            except InputError as error:
                raise InputError(f"{self.path}: {error}") from None
        return self._programs[number]


class _Launch:
    """One launch, checked; gives its CTAs."""

    def __init__(
        self,
        path: FilePath,
        launched: Launched,
        message: Any,
        code: _Code,
        copies: tuple[Copy, ...],
    ) -> None:
        self._path, self._root, self._launched = path, path.parent, launched
        self._message, self._before = message, copies
        self._grid = self._shape("grid_dim")
        self._block = self._shape("block_dim")
        for name in ("size_shared_memory", "number_of_registers"):
            if getattr(message, name) < 0:
                self._fail(f"{name} {getattr(message, name)} found, expected 0 or more")
        self._check_files()
        self._program, self._starts = code.program(message.function_unique_id)
        self._copies = any(i.access == Access.ASYNC_COPY for i in self._program.instructions)
        self._window = SharedWindow(self._program, message.shared_memory_base_address)
        self._paths: WeakValueDictionary[bytes, Path] = WeakValueDictionary()

    def kernel(self, digest: str) -> Kernel:
        """The launch, in a trace with this digest."""
        message = self._message
        return Kernel(
            self._program,
            self._grid,
            self._block,
            self._load,
            launch=self._launched.number - 1,
            registers=message.number_of_registers,
            shared_bytes=message.size_shared_memory,
            hash=digest,
            copies=self._before,
        )

    def hash_into(self, digest: Any) -> None:
        """Add the content of all CTAs."""
        for number in range(math.prod(self._grid)):
            digest.update(hashlib.sha256(_content(self._file(number))).digest())

    def _shape(self, name: str) -> tuple[int, int, int]:
        dim = getattr(self._message, name)
        shape = dim.x, dim.y, dim.z
        if not all(extent in EXTENT for extent in shape):
            self._fail(f"{name} {shape} found, expected three numbers from 1 on")
        return shape

    def _fail(self, reason: str) -> None:
        raise InputError(f"{self._path}: launch {self._launched.number}: {reason}")

    def _check_files(self) -> None:
        """As many files as the grid has CTAs; which ones they are shows when they are read."""
        folder = self._launched.folder(self._root)
        try:
            found = sum(entry.name.endswith(".pb") for entry in os.scandir(folder))
        except OSError as error:
            raise InputError(f"{folder}: cannot be opened: {error.strerror}") from error
        if found != math.prod(self._grid):
            raise InputError(
                f"{folder}: {found} CTAs found, expected {math.prod(self._grid)} for its grid"
            )

    def _file(self, number: int) -> FilePath:
        x, y, _ = self._grid
        place = number % x, number // x % y, number // (x * y)
        return block_file(self._root, self._launched, *place)

    def _load(self, number: int) -> Cta:
        file = self._file(number)
        block = _parsed(file, "threadblock")
        threads = math.prod(self._block)
        warps = -(-threads // WARP_SIZE)
        if sorted(block.warps) != list(range(warps)):
            raise InputError(
                f"{file}: warps {sorted(block.warps)[:9]} found, expected 0 to {warps - 1}"
            )
        try:
            return Cta(
                number,
                tuple(
                    self._warp(w, block.warps[w], lanes_in_block(w, threads)) for w in range(warps)
                ),
            )
        except InputError as error:
            raise InputError(f"{file}: {error}") from None

    def _warp(self, number: int, message: Any, lanes: int) -> Warp:
        if not message.instructions:
            raise InputError(f"warp {number} has no instructions, expected at least one")
        pcs, active, executed = [], [], []
        addresses, shared = Rows(), Rows()
        for place, step in enumerate(message.instructions):
            try:
                index = self._index(step)
                mask = step.active_mask & step.predicate_mask
                if step.active_mask & ~lanes:
                    raise InputError(
                        f"lanes {step.active_mask:#010x} found, where the warp has {lanes:#010x}"
                    )
                _add_row(self._program.instructions[index], step, mask, addresses, shared)
            except InputError as error:
                raise InputError(f"warp {number}, instruction {place}: {error}") from None
            pcs.append(index)
            active.append(step.active_mask)
            executed.append(mask)
        if len(addresses) > ROW_LIMIT:
            raise InputError(f"{len(addresses)} memory instructions found, over {ROW_LIMIT}")
        path = Path(*(np.array(column, np.uint32) for column in (pcs, active, executed)))
        path = self._paths.setdefault(fingerprint(path), path)  # warps that do the same share it
        rows = shared.array() if self._copies else np.empty((0, WARP_SIZE), np.int64)
        return Warp(path, Accesses(self._window.to_ours(addresses.array(), path.pcs), rows))

    def _index(self, step: Any) -> int:
        """Number of the static instruction in the program."""
        function = step.function_unique_id
        if function not in self._starts:
            raise InputError(f"function {function} found, which the static code does not have")
        following = [start for start in self._starts.values() if start > self._starts[function]]
        index: int = self._starts[function] + step.pc // INSTRUCTION_BYTES
        if step.pc % INSTRUCTION_BYTES or index >= min(following, default=len(self._program)):
            raise InputError(f"PC {step.pc:#x} found, where function {function} has no instruction")
        return index


def _add_row(inst: Instruction, step: Any, mask: int, addresses: Rows, shared: Rows) -> None:
    """Rows of one instruction. Constants hold the register, without the operand's offset."""
    if inst.access == Access.NONE:
        return
    entries = step.addresses
    constant = inst.space == Space.CONSTANT
    copy = inst.access == Access.ASYNC_COPY
    expected = 2 if copy else 1
    if len(entries) != expected and not (constant and not entries):
        raise InputError(f"{len(entries)} address lists found for {inst.name}, expected {expected}")
    offset = constant_offset(inst) if constant else 0
    if entries:
        _add_entry(entries[0], mask, offset, addresses)
    else:
        addresses.affine(mask, offset if mask else 0, 0)
    if copy:
        _add_entry(entries[1], mask, 0, shared)
    else:
        shared.affine(mask, 0, 0)


def _add_entry(entry: Any, mask: int, offset: int, rows: Rows) -> None:
    values = list(entry.addrs)
    if entry.compression_format == 0:
        values = [value + offset for value in values]
    base = entry.base_address + (offset if mask else 0)
    rows.add(mask, entry.compression_format, base, entry.stride, values)


def constant_offset(inst: Instruction) -> int:
    """What the constant operand of LDC adds to its register."""
    return next((o.offset for o in inst.operands if o.kind == Kind.CONSTANT), 0)
