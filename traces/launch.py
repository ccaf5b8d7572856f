"""Launch files: the TOML that says how to start a cubin's kernels, on which buffers.

A file has one `[[launch]]` for each kernel launch, in order, and one `[buffer.NAME]` for each
array; launches share the buffers. `checks` names optional checks of the emulator.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeInt,
    PositiveInt,
    ValidationError,
    model_validator,
)

from ..isa.cubin import find_kernel
from ..isa.errors import InputError
from .emulator import PRODUCER, Device, EmulationError
from .emulator.arguments import Buffers, pack_arguments
from .emulator.checks import Check
from .kernel import Trace
from .store import Writer

DTYPES = {
    name: np.dtype(f"<{name[0]}{int(name[1:]) // 8}")
    for name in ("i8", "u8", "i16", "u16", "i32", "u32", "i64", "u64", "f16", "f32", "f64")
}
SHOWN_DIFFERENCES = 5


def _known_argument(argument: dict[str, str | int | float]) -> dict[str, str | int | float]:
    if len(argument) != 1:
        raise ValueError("an argument has one key: its type or 'buffer'")
    ((kind, value),) = argument.items()
    if kind == "buffer":
        if not isinstance(value, str):
            raise ValueError("'buffer' takes the name of a buffer")
    elif kind not in DTYPES:
        raise ValueError(f"unknown type '{kind}'; known are buffer, {', '.join(DTYPES)}")
    elif not isinstance(value, (int, float) if kind[0] == "f" else int):
        raise ValueError(f"'{kind}' takes a number of that type, not {value!r}")
    return argument


ArgumentSpec = Annotated[dict[str, str | int | float], AfterValidator(_known_argument)]
Size = Annotated[list[PositiveInt], Field(min_length=1, max_length=3)]


class _Table(BaseModel):
    """A table of the file: unknown keys and wrong types are errors."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class LaunchSpec(_Table):
    """One kernel launch."""

    kernel: str
    grid: Size
    block: Size
    shared: NonNegativeInt = 0  # dynamic, bytes
    args: list[ArgumentSpec] = []


class BufferSpec(_Table):
    """One array in device memory, its first content, and what it must hold at the end."""

    dtype: str | None = None
    shape: Annotated[list[PositiveInt], Field(min_length=1)] | None = None
    init: Literal["zeros", "ones", "arange", "random"] = "zeros"
    seed: NonNegativeInt = 0  # of random
    file: str | None = None
    check: str | None = None

    @property
    def has_content(self) -> bool:
        """Whether the file says what the host copies there before the first launch."""
        return self.file is not None or "init" in self.model_fields_set

    @model_validator(mode="after")
    def _complete(self) -> BufferSpec:
        if self.dtype is not None and self.dtype not in DTYPES:
            raise ValueError(f"unknown dtype '{self.dtype}'; known are {', '.join(DTYPES)}")
        if self.file is None and (self.dtype is None or self.shape is None):
            raise ValueError("needs dtype and shape, or a file")
        if self.file is not None and "init" in self.model_fields_set:
            raise ValueError("has both init and file")
        return self


class LaunchFile(_Table):
    """The whole file; paths in it are relative to its folder."""

    path: Path
    launch: Annotated[list[LaunchSpec], Field(min_length=1)]
    buffer: dict[str, BufferSpec] = {}
    checks: list[Check] = []  # of the emulator, beside those of bounds

    @model_validator(mode="after")
    def _buffers_exist(self) -> LaunchFile:
        for number, launch in enumerate(self.launch):
            for argument in launch.args:
                if "buffer" in argument and argument["buffer"] not in self.buffer:
                    raise ValueError(f"launch {number} uses buffer '{argument['buffer']}', "
                                     "which the file does not define")  # fmt: skip
        return self


def load_launch(path: str | Path) -> LaunchFile:
    """Read and check a launch file."""
    path = Path(path)
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
        return LaunchFile(path=path, **content)
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from error
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path}: not TOML: {error}") from error
    except ValidationError as error:
        raise InputError(f"{path}: {_explain(error)}") from error


def _explain(error: ValidationError) -> str:
    problems = []
    for problem in error.errors():
        key = ".".join(str(part) for part in problem["loc"])
        message = problem["msg"].removeprefix("Value error, ")
        unknown = problem["type"] == "extra_forbidden"
        message = "unknown key" if unknown else message
        problems.append(f"{key}: {message}" if key else message)
    return "; ".join(problems)


def run_launch(
    cubin: str | Path,
    launch: LaunchFile,
    writer: Writer | None = None,
    wanted: Callable[[int, str], bool] = lambda launch, name: True,
) -> Trace:
    """Emulate all launches in order, compare the buffers that have a `check`, return the trace.

    Launches `wanted` by number and name are recorded: in the trace, or by `writer` alone.
    """
    buffers = {name: first_content(launch, name) for name in launch.buffer}
    device = Device(launch.checks)
    untouched = [buffers[name] for name, spec in launch.buffer.items() if not spec.has_content]
    placed = Buffers(device, list(buffers.values()), untouched)
    programs = device.load_module(cubin).kernels
    kernels = []
    for number, spec in enumerate(launch.launch):
        program = programs[find_kernel(programs, spec.kernel)]
        args = arguments(launch, number, buffers)
        record = (writer or True) if wanted(number, program.name) else False
        parameters = pack_arguments(program, args, placed)
        kernel = device.launch(program, spec.grid, spec.block, parameters, spec.shared, record)
        if kernel:
            kernels.append(kernel)
    placed.copy_back()
    for name, content in buffers.items():
        compare_with_check(launch, name, content)
    return Trace(tuple(kernels), source=str(cubin), producer=PRODUCER)


def arguments(
    launch: LaunchFile, number: int, buffers: dict[str, NDArray[Any]]
) -> Sequence[NDArray[Any] | np.generic]:
    """The arguments of one launch: buffers, and scalars of the types that the file gives."""
    result: list[NDArray[Any] | np.generic] = []
    for position, argument in enumerate(launch.launch[number].args):
        ((kind, value),) = argument.items()
        if kind == "buffer":
            result.append(buffers[str(value)])
            continue
        try:
            result.append(DTYPES[kind].type(value))
        except OverflowError as error:
            place = f"launch.{number}.args.{position}"
            raise InputError(f"{launch.path}: {place}: {value} is no {kind}") from error
    return result


def first_content(launch: LaunchFile, name: str) -> NDArray[Any]:
    """A buffer as the first launch finds it."""
    spec = launch.buffer[name]
    if spec.file is not None:
        array = load_array(launch, f"buffer.{name}.file", spec.file)
        _require_match(launch, name, spec, array)
        return array
    assert spec.dtype is not None
    assert spec.shape is not None
    dtype, count = DTYPES[spec.dtype], int(np.prod(spec.shape))
    match spec.init:
        case "zeros":
            flat = np.zeros(count, dtype)
        case "ones":
            flat = np.ones(count, dtype)
        case "arange":
            flat = np.arange(count).astype(dtype)
        case "random":
            flat = random_numbers(dtype, count, spec.seed)
    return flat.reshape(spec.shape)


def random_numbers(dtype: np.dtype[Any], count: int, seed: int) -> NDArray[Any]:
    """Floats in [0, 1), integers over their whole range."""
    generator = np.random.default_rng(seed)
    if dtype.kind == "f":
        return generator.random(count).astype(dtype)
    limits = np.iinfo(dtype)
    return generator.integers(limits.min, limits.max, count, dtype, endpoint=True)


def load_array(launch: LaunchFile, key: str, name: str) -> NDArray[Any]:
    """An array beside the launch file."""
    try:
        array = np.load(launch.path.parent / name, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"{launch.path}: {key}: cannot read {name}: {error}") from error
    if not isinstance(array, np.ndarray):
        raise InputError(f"{launch.path}: {key}: {name} is not a .npy file")
    return array


def _require_match(launch: LaunchFile, name: str, spec: BufferSpec, array: NDArray[Any]) -> None:
    if spec.dtype is not None and array.dtype != DTYPES[spec.dtype]:
        raise InputError(f"{launch.path}: buffer.{name}: the file holds {array.dtype}")
    if spec.shape is not None and list(array.shape) != spec.shape:
        raise InputError(f"{launch.path}: buffer.{name}: the file has shape {array.shape}")


def compare_with_check(launch: LaunchFile, name: str, content: NDArray[Any]) -> None:
    """Raise an error that shows the first elements which differ from the expected ones."""
    check = launch.buffer[name].check
    if check is None:
        return
    expected = load_array(launch, f"buffer.{name}.check", check)
    if expected.shape != content.shape or expected.dtype != content.dtype:
        raise InputError(
            f"{launch.path}: buffer.{name}.check: {check} holds {expected.dtype} of shape "
            f"{expected.shape}, the buffer {content.dtype} of shape {content.shape}"
        )
    same = (content == expected) | ((content != content) & (expected != expected))  # NaNs
    wrong = np.argwhere(~same)
    if len(wrong):
        shown = "\n".join(
            f"  {name}{place.tolist()} = {content[tuple(place)]}, not {expected[tuple(place)]}"
            for place in wrong[:SHOWN_DIFFERENCES]
        )
        raise EmulationError(
            f"{launch.path}: buffer.{name}.check: {len(wrong)} of {content.size} elements differ "
            f"from {check}:\n{shown}"
        )
