"""The messages of the protobuf trace tree, built when they are first needed.

Each line is a field: its number, its type and its name; nothing has to be compiled.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Final

from ..isa.errors import InputError

PACKAGE: Final = "dynamic_trace"
MESSAGES: Final = {
    "Trace": """
        1 string name
        2 int32 binary_version
        3 string nvbit_version
        4 int32 accelsim_version
        5 bool is_gathered_registers_values
        6 map:int64:gpu_device gpu_device
    """,
    "gpu_device": """
        1 uint32 id
        2 map:int64:cuda_stream streams
    """,
    "cuda_stream": """
        1 int64 id
        2 repeated:kernel kernels
        3 repeated:string ordered_cuda_events
    """,
    "kernel": """
        1 int32 id
        2 string name
        3 int32 function_unique_id
        4 int32 size_shared_memory
        5 int32 number_of_registers
        6 int64 shared_memory_base_address
        7 int64 local_memory_base_address
        8 dim3d grid_dim
        9 dim3d block_dim
    """,
    "dim3d": """
        1 int32 x
        2 int32 y
        3 int32 z
    """,
    "threadblock": """
        1 dim3d block_id
        2 map:int32:warp warps
    """,
    "warp": """
        1 int32 id
        2 repeated:instruction instructions
    """,
    "instruction": """
        1 uint32 pc
        2 uint32 active_mask
        3 uint32 predicate_mask
        4 int32 function_unique_id
        5 repeated:address addresses
    """,
    "address": """
        1 int32 data_width
        2 uint32 udesc_value
        3 int32 compression_format
        4 uint64 base_address
        5 int32 stride
        6 repeated:int64 addrs
    """,
}


@cache
def message(name: str) -> Any:
    """The class of a message. Raises InputError if the package `protobuf` is not installed."""
    try:
        from google.protobuf import descriptor_pool, message_factory
    except ImportError:
        raise InputError(
            "protobuf traces need another package: pip install 'warpwise[protobuf]'"
        ) from None
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(_file())
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{PACKAGE}.{name}"))


@cache
def damage() -> type[Exception]:
    """What a message raises on bytes that it cannot be read from."""
    from google.protobuf.message import DecodeError

    error: type[Exception] = DecodeError
    return error


def _file() -> bytes:
    from google.protobuf.descriptor_pb2 import FileDescriptorProto

    file = FileDescriptorProto(name="dynamic_trace.proto", package=PACKAGE, syntax="proto3")
    for name, fields in MESSAGES.items():
        target = file.message_type.add(name=name)
        for line in fields.strip().splitlines():
            number, kind, field = line.split()
            _add_field(target, int(number), kind, field)
    data: bytes = file.SerializeToString()
    return data


def _add_field(target: Any, number: int, kind: str, name: str) -> None:
    label, *arguments = kind.split(":")
    field = target.field.add(name=name, number=number)
    field.label = field.LABEL_REPEATED if arguments else field.LABEL_OPTIONAL
    if label == "map":
        # Protobuf's own rule: a map is a repeated message NameEntry, in its message.
        entry = target.nested_type.add(name=f"{name.title().replace('_', '')}Entry")
        entry.options.map_entry = True
        _add_field(entry, 1, arguments[0], "key")
        _add_field(entry, 2, arguments[1], "value")
        field.type = field.TYPE_MESSAGE
        field.type_name = f".{PACKAGE}.{target.name}.{entry.name}"
        return
    plain = arguments[-1] if arguments else label
    if plain in MESSAGES:
        field.type, field.type_name = field.TYPE_MESSAGE, f".{PACKAGE}.{plain}"
    else:
        field.type = getattr(field, f"TYPE_{plain.upper()}")
