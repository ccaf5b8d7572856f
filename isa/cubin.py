"""A cubin -> the `Program` of each kernel.

Text comes from nvdisasm's JSON, encodings and resources from the ELF sections; the registers of
every instruction are compared between the two.
"""

from __future__ import annotations

import difflib
import json
import os
import re
from collections.abc import Iterable, Mapping
from typing import Any

from . import nvdisasm, sass
from .elf import TEXT, Binary
from .errors import InputError
from .program import INSTRUCTION_BYTES, Instruction, Program


def load(path: str | os.PathLike[str], kernel: str | None = None) -> dict[str, Program]:
    """Programs of a cubin by full kernel name; with `kernel`, only the one so named.

    `kernel` is the full name or, for a mangled one, the plain function name.
    """
    return programs(Binary(path), kernel)


def programs(binary: Binary, kernel: str | None = None) -> dict[str, Program]:
    """The same for a cubin that has been read."""
    wanted = binary.kernels if kernel is None else (find_kernel(binary.kernels, kernel),)
    for name in wanted:
        if binary.needs_linking(name):
            raise InputError(
                f"kernel {name} of {binary.path} refers to code or data that is linked later; "
                "build an executable cubin, without -rdc=true and -G."
            )
    listing = _listing(binary)
    return {name: _program(binary, name, listing.get(name, [])) for name in wanted}


def find_kernel(names: Iterable[str], wanted: str) -> str:
    """The one of `names` that is `wanted` or mangles it (`_Z5saxpyifPfS_` for `saxpy`)."""
    names = tuple(names)
    if wanted in names:
        return wanted
    matches = [name for name in names if plain_name(name) == wanted]
    if len(matches) == 1:
        return matches[0]
    if matches:
        raise InputError(f"kernel {wanted!r} is ambiguous; it may be {' or '.join(matches)}.")
    close = difflib.get_close_matches(wanted, [*names, *map(plain_name, names)], n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    raise InputError(f"there is no kernel {wanted!r}; there are: {', '.join(names)}.{hint}")


def plain_name(mangled: str) -> str:
    """Function name inside a mangled C++ name, without namespaces, templates and arguments."""
    start = re.match(r"_Z(N?)", mangled)
    if start is None:
        return mangled
    name, rest = mangled, mangled[start.end() :]
    while length := re.match(r"\d+", rest):
        end = length.end() + int(length[0])
        name, rest = rest[length.end() : end], rest[end:]
        if not start[1]:
            break
    return name


def _listing(binary: Binary) -> dict[str, list[dict[str, Any]]]:
    """Disassembled instructions of each kernel, in order."""
    functions = json.loads(nvdisasm.listing(binary.path, binary.data))[1]
    kernels: dict[str, list[dict[str, Any]]] = {}
    for function in sorted(functions, key=lambda function: int(function["start"])):
        kernel = binary.kernel_of(function["function-name"])
        kernels.setdefault(kernel, []).extend(function["sass-instructions"])
    return kernels


def _program(binary: Binary, kernel: str, listing: list[dict[str, Any]]) -> Program:
    code = binary.content(TEXT + kernel)
    if len(code) != len(listing) * INSTRUCTION_BYTES:
        raise InputError(
            f"kernel {kernel} has {len(code)} bytes of code but nvdisasm decoded {len(listing)} "
            f"instructions of {INSTRUCTION_BYTES} bytes."
        )
    labels = binary.functions(kernel)
    parameter_base, parameters = binary.parameters(kernel)
    return Program(
        name=kernel,
        arch=binary.arch,
        instructions=tuple(
            _instruction(binary, kernel, item, code, i * INSTRUCTION_BYTES, labels)
            for i, item in enumerate(listing)
        ),
        registers=binary.registers(kernel),
        shared_bytes=binary.size(f".nv.shared.{kernel}"),
        local_bytes=binary.local_bytes(kernel),
        parameter_base=parameter_base,
        parameters=parameters,
        constants=binary.constants(kernel),
        global_image=binary.global_image(),
        relocations=binary.relocations(),
    )


def _instruction(
    binary: Binary,
    kernel: str,
    item: Mapping[str, Any],
    code: bytes,
    pc: int,
    labels: Mapping[str, int],
) -> Instruction:
    encoding = int.from_bytes(code[pc : pc + INSTRUCTION_BYTES], "little")
    try:
        return sass.parse_instruction(
            _text(item), pc, binary.arch, encoding=encoding, labels=labels
        )
    except InputError as error:
        raise InputError(f"{binary.path}, kernel {kernel}, offset 0x{pc:x}: {error}") from None


def _text(item: Mapping[str, Any]) -> str:
    """One line of SASS; nvdisasm puts the PR operand of P2R where the guard belongs."""
    guard, operands = item.get("predicate", ""), item.get("operands", "")
    if item["opcode"].startswith("P2R"):
        guard, operands = "", operands.replace(",", f",{guard},", 1)
    return f"{guard} {item['opcode']} {operands}".strip()
