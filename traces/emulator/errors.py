"""What the emulator raises when a program cannot run or does something it must not do."""

from __future__ import annotations

from ...isa.errors import InputError, WarpwiseError


class EmulationError(WarpwiseError):
    """The emulated program did something wrong: bad address, deadlock, step limit."""


class UnsupportedError(InputError):
    """The program needs an instruction or a feature that has no semantics here."""
