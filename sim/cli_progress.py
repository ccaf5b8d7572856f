"""What a waiting user sees on stderr."""

from __future__ import annotations

import time
from typing import Self, TextIO

import typer

from .doctor import self_test
from .warmup import compile_engine, is_compiled

INTERVAL_S = 0.2  # between two updates
ERASE = "\r\033[K"


def compile_once() -> None:
    """Compile the engine if it is not in the cache, and say why that takes a while."""
    if not is_compiled():
        typer.echo("warpwise: compiling the engine, once; this takes about a minute", err=True)
        compile_engine()


def warm_up() -> None:
    """Compile or load the engine, so that this does not count as time of a simulation."""
    compile_once()
    self_test()


class ProgressLine:
    """Cycle, CTAs and remaining time of a kernel in one line; nothing if not on a terminal."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._visible = stream.isatty()
        self._cycle = 0
        self._began = self._shown = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._write(ERASE)

    def __call__(self, cycle: int, started: int, total: int) -> None:
        """Called by the engine now and then; a cycle that falls is the next kernel's."""
        now = time.monotonic()
        if cycle < self._cycle:
            self._began = now
        self._cycle = cycle
        if now - self._shown >= INTERVAL_S:
            self._shown = now
            left = (now - self._began) * (total - started) / max(started, 1)
            self._write(
                f"{ERASE}cycle {cycle:,}  CTAs {started:,} of {total:,}  about {left:.0f} s to go"
            )

    def _write(self, text: str) -> None:
        if self._visible:
            self._stream.write(text)
            self._stream.flush()
