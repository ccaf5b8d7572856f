"""Requests of the program and answers of the emulator; `cudart.c` is the other end."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum, auto
from socket import MSG_WAITALL, socket

REQUEST = struct.Struct("<10Q")  # operation, eight arguments, bytes that follow
REPLY = struct.Struct("<4Q")  # cudaError_t, two values, bytes that follow


class Operation(IntEnum):
    """What a program asks for, numbered as in `cudart.c`."""

    MODULE = 0
    FUNCTION = auto()
    VARIABLE = auto()
    PARAMETERS = auto()
    LAUNCH = auto()
    ALLOCATE = auto()
    FREE = auto()
    READ = auto()
    WRITE = auto()
    FILL = auto()
    COPY = auto()
    SYMBOL = auto()
    ATTRIBUTES = auto()
    PROPERTIES = auto()
    DEVICE_ATTRIBUTE = auto()
    OCCUPANCY = auto()
    MEMORY = auto()
    UNSUPPORTED = auto()
    OWNS = auto()
    TEXTURE = auto()
    FORGET_TEXTURE = auto()


@dataclass(frozen=True)
class Request:
    """One call: eight numbers and some bytes, whose meaning depends on the operation."""

    operation: Operation
    arguments: tuple[int, ...]
    data: bytes


@dataclass(frozen=True)
class Reply:
    """A cudaError_t, two numbers and some bytes."""

    status: int = 0
    values: tuple[int, int] = (0, 0)
    data: bytes = b""


def receive(connection: socket) -> Request | None:
    """The next request; None when the program has ended."""
    header = _exactly(connection, REQUEST.size)
    if header is None:
        return None
    operation, *arguments, length = REQUEST.unpack(header)
    data = _exactly(connection, length)
    return None if data is None else Request(Operation(operation), tuple(arguments), data)


def answer(connection: socket, reply: Reply) -> None:
    """Send an answer."""
    connection.sendall(REPLY.pack(reply.status, *reply.values, len(reply.data)))
    connection.sendall(reply.data)


def _exactly(connection: socket, length: int) -> bytes | None:
    data = bytearray()
    while len(data) < length:
        part = connection.recv(min(length - len(data), 1 << 24), MSG_WAITALL)
        if not part:
            return None
        data += part
    return bytes(data)
