"""Who runs the points of a sweep: processes of this machine, or the workers of a Dask scheduler."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path

from ...isa.errors import InputError
from .sweep import Point, run_point, write_error

ATTEMPTS = 3  # of a point whose worker dies
SCHEDULER_TIMEOUT = "10s"


def run(points: Sequence[Point], folder: str, jobs: int, scheduler: str | None) -> Iterator[Point]:
    """Run points and give each when it is done, in any order."""
    if scheduler:
        return _on_dask(points, folder, scheduler)
    return _in_processes(points, folder, jobs) if jobs > 1 else _here(points, folder)


def _here(points: Sequence[Point], folder: str) -> Iterator[Point]:
    """In this process: a script needs no guard against being imported by its workers."""
    for point in points:
        run_point(point, folder)
        yield point


def _in_processes(points: Sequence[Point], folder: str, jobs: int) -> Iterator[Point]:
    """A worker that dies takes the pool with it: the points left start again in a new one."""
    left = list(points)
    for _ in range(ATTEMPTS):
        if not left:
            return
        unfinished: list[Point] = []
        with ProcessPoolExecutor(min(jobs, len(left)), get_context("spawn")) as pool:
            futures: dict[Future[None], Point] = {
                pool.submit(run_point, point, folder): point for point in left
            }
            for future in as_completed(futures):
                try:
                    future.result()
                    yield futures[future]
                except BrokenProcessPool:
                    unfinished.append(futures[future])
        left = unfinished
    for point in left:
        write_error(Path(folder) / point.key, f"its process died {ATTEMPTS} times")
        yield point


def _on_dask(points: Sequence[Point], folder: str, scheduler: str) -> Iterator[Point]:
    """Dask moves the points of a worker that dies to another one; a lost scheduler is an error."""
    try:
        import distributed
    except ImportError:
        raise InputError("--scheduler needs Dask: pip install 'warpwise[dask]'") from None
    try:
        client = distributed.Client(scheduler, timeout=SCHEDULER_TIMEOUT)
    except OSError:
        raise InputError(
            f"no Dask scheduler answers at {scheduler}; start one with: dask scheduler"
        ) from None
    with client:
        futures = {
            client.submit(run_point, point, folder, key=point.key, retries=ATTEMPTS): point
            for point in points
        }
        for future in distributed.as_completed(futures):
            point = futures[future]
            if future.status == "cancelled":  # all that are left, when the connection breaks
                raise InputError(
                    f"the Dask scheduler at {scheduler} is gone; the results so far are kept, "
                    "and the same command goes on from there"
                )
            if future.status == "error":
                write_error(Path(folder) / point.key, str(future.exception()))
            yield point
