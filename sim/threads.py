"""Windows of SMs on several threads: compiled code runs without Python's lock."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from .compiled import address, allocate, join
from .core.instruction import COUNT, KERNEL
from .events import EVENT
from .gpu.exchange import ENTRY, ORDER
from .gpu.team import MEMBER
from .sm.outbox import CAPACITY


class Workers:
    """What each thread has of its own: the kernel's record, counters, events, and room to sort."""

    def __init__(self, record: Any, threads: int, sms: int, instructions: int, events: int) -> None:
        self.team = allocate(MEMBER, threads)
        self.orders = allocate(ORDER, threads)
        self._entries = allocate(ENTRY, threads * sms * CAPACITY)
        for worker, order in enumerate(self.orders):
            order.entries = address(self._entries[worker * sms * CAPACITY :])
        self.kernels = allocate(KERNEL, threads)
        self.kernels[:] = record
        self._counts = [allocate(COUNT, instructions) for _ in range(threads)]
        self._events = [allocate(EVENT, events) for _ in range(threads)]
        for kernel, counts, recorded in zip(self.kernels, self._counts, self._events, strict=True):
            kernel.counts = address(counts)
            if events:
                kernel.events = address(recorded)
                kernel.event_capacity = events

    def counts(self) -> Any:
        """Issues and cycles per PC, over all threads."""
        total = self._counts[0].copy()
        for counts in self._counts[1:]:
            for name in COUNT.names or ():
                total[name] += counts[name]
        return total

    def events(self) -> Any:
        """Recorded cycles in order of issue, then of SM and sub-core."""
        used = [int(n) for n in self.kernels["event_next"]]
        rows = join(EVENT, [e[:n] for e, n in zip(self._events, used, strict=True)])[: sum(used)]
        return rows[np.lexsort((rows["subcore"], rows["sm"], rows["issue"]))]


def together(
    function: Callable[..., Any], gpu_array: Any, threads: int, pool: ThreadPoolExecutor, *more: int
) -> Any:
    """Run `function(gpu_array, worker, workers, ...)` as each worker, the first in this thread."""
    others = [pool.submit(function, gpu_array, n, threads, *more) for n in range(1, threads)]
    result = function(gpu_array, 0, threads, *more)
    for other in others:
        other.result()
    return result
