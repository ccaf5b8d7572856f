"""A timeline as Chrome trace JSON, for ui.perfetto.dev; a cycle is a microsecond there."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from .pipeline import Pipeline, Row

LANES = 100  # track numbers of one warp slot: its states, then its lanes
Event = dict[str, Any]


def chrome_trace(pipeline: Pipeline) -> str:
    """The document. The process is the SM; each warp slot has a track of its states and lanes.

    Slices of a track may not overlap and the instructions of a warp do, so each takes the first
    lane that is free. Flow arrows are dependences.
    """
    tracks = _tracks(pipeline.rows)
    events = [*_names(pipeline, tracks), *_states(pipeline)]
    for row, track in zip(pipeline.rows, tracks, strict=True):
        events += _instruction(pipeline.window.sm, row, track)
    events += _flows(pipeline, tracks)
    document = {
        "traceEvents": events,
        "displayTimeUnit": "ns",
        "metadata": {
            "kernel": pipeline.kernel,
            "gpu": pipeline.gpu,
            "core_mhz": pipeline.core_mhz,
            "cycles": [pipeline.window.first, pipeline.window.last],
            "time_unit": "1 us is 1 cycle",
        },
    }
    return json.dumps(document, separators=(",", ":"))


def _base(subcore: int, slot: int) -> int:
    """First track of a warp slot; slots of one sub-core stand together."""
    return (subcore * 16 + slot + 1) * LANES


def _tracks(rows: tuple[Row, ...]) -> list[int]:
    """A track for each row, in which nothing overlaps."""
    free_at: dict[int, list[int]] = defaultdict(list)
    tracks = [0] * len(rows)
    for number in sorted(range(len(rows)), key=lambda n: rows[n].begin):
        row = rows[number]
        base = _base(row.subcore, row.slot)
        lanes = free_at[base]
        lane = next((k for k, end in enumerate(lanes) if end <= row.begin), len(lanes))
        lanes[lane : lane + 1] = [row.end]
        tracks[number] = base + 1 + lane
    return tracks


def _names(pipeline: Pipeline, tracks: list[int]) -> Iterator[Event]:
    yield _meta(pipeline.window.sm, 0, "process_name", f"SM {pipeline.window.sm}")
    for subcore, slot in sorted({(row.subcore, row.slot) for row in pipeline.rows}):
        base = _base(subcore, slot)
        name = f"sub-core {subcore} slot {slot}"
        yield _meta(pipeline.window.sm, base, "thread_name", f"{name} state")
        for track in sorted({t for t in tracks if base < t < base + LANES}):
            yield _meta(pipeline.window.sm, track, "thread_name", f"{name} lane {track - base - 1}")


def _meta(pid: int, tid: int, what: str, name: str) -> Event:
    return {"ph": "M", "pid": pid, "tid": tid, "name": what, "args": {"name": name}}


def _slice(pid: int, tid: int, category: str, name: str, begin: int, end: int) -> Event:
    place = {"ph": "X", "pid": pid, "tid": tid, "cat": category, "name": name}
    return place | {"ts": begin, "dur": end - begin}


def _states(pipeline: Pipeline) -> Iterator[Event]:
    for subcore, slot, span in pipeline.states:
        track = _base(subcore, slot)
        yield _slice(pipeline.window.sm, track, "state", span.name, span.begin, span.end)


def _instruction(sm: int, row: Row, track: int) -> Iterator[Event]:
    whole = _slice(sm, track, "instruction", row.text, row.begin, row.end)
    stalls: dict[str, int] = defaultdict(int)
    for stall in row.stalls:
        stalls[stall.name] += stall.end - stall.begin
    about = {"cta": row.cta, "warp": row.warp, "pc": f"0x{row.pc:04x}"}
    yield whole | {"args": about | stalls}
    for stage in row.stages:
        yield _slice(sm, track, "stage", stage.name, stage.begin, stage.end)


def _flows(pipeline: Pipeline, tracks: list[int]) -> Iterator[Event]:
    """From the producer's last cycle, or the consumer's issue if that is earlier, to the issue."""
    for number, arrow in enumerate(pipeline.arrows):
        producer, consumer = pipeline.rows[arrow.producer], pipeline.rows[arrow.consumer]
        flow = {"id": number, "cat": "dependence", "name": arrow.what, "pid": pipeline.window.sm}
        start = min(producer.end - 1, consumer.issue)
        yield flow | {"ph": "s", "tid": tracks[arrow.producer], "ts": start}
        end = {"ph": "f", "bp": "e", "tid": tracks[arrow.consumer], "ts": consumer.issue}
        yield flow | end
