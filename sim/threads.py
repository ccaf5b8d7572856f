"""Windows of SMs on several threads: compiled code runs without Python's lock."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from .compiled import address, allocate, join
from .core.instruction import COUNT, KERNEL
from .events import EVENT
from .gpu import gpu as whole

# Windows, cycles of a window, last cycle, patience -> how it ended.
Runner = Callable[[int, int, int, int], int]


class Workers:
    """The kernel's record once for each thread, with counters and recorded events of its own."""

    def __init__(self, record: Any, threads: int, instructions: int, events: int) -> None:
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


def runner(gpu_array: Any, threads: int, pool: ThreadPoolExecutor) -> Runner:
    """Like `gpu.run` on `gpu_array`, on as many threads; the result is the same."""
    if threads == 1:
        return lambda *limits: int(whole.run(gpu_array, *limits))

    def run(windows: int, window: int, max_cycle: int, patience: int) -> int:
        for _ in range(windows):
            until = min(int(gpu_array[0].now) + window, max_cycle)
            shares = [
                pool.submit(whole.run_share, gpu_array, worker, threads, until)
                for worker in range(threads)
            ]
            for share in shares:
                share.result()
            status = int(whole.end_window(gpu_array, threads, until, patience))
            if status != whole.RUNNING or until == max_cycle:
                return status
        return whole.RUNNING

    return run
