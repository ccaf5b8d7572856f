"""A timeline as a log for the Konata viewer: the Kanata format, version 4.

One command a line, fields separated by tabs, in order of time. The viewer ignores the start cycle
of `C=` and draws arrows only between stages with an X in their name.
"""

from __future__ import annotations

from collections.abc import Iterator

from .pipeline import STAGES, Pipeline, Row

PIPELINE_LANE, STALL_LANE = 0, 1
SUBCORES = 4

# Order of commands in one cycle: an instruction appears, then its stages change, then it ends.
APPEAR, STALL_END, BEGIN, WAKE, RETIRE = range(5)
Command = tuple[int, int, int, str]  # cycle, order, row, text


def kanata(pipeline: Pipeline) -> str:
    """The log. Ids are row numbers; retire and simulator ids count in the order of the trace."""
    place = _trace_order(pipeline.rows)
    commands = [
        command
        for number, row in enumerate(pipeline.rows)
        for command in _commands(number, row, place[number])
    ]
    for arrow in pipeline.arrows:
        cycle = pipeline.rows[arrow.consumer].issue
        commands.append((cycle, WAKE, arrow.consumer, f"W\t{arrow.consumer}\t{arrow.producer}\t0"))
    return "\n".join(["Kanata\t0004", "C=\t0", *_in_time(sorted(commands))]) + "\n"


def _trace_order(rows: tuple[Row, ...]) -> dict[int, int]:
    """Row -> rank by CTA, warp and issue: the same on any machine, so that two logs line up."""
    order = sorted(range(len(rows)), key=lambda n: (rows[n].cta, rows[n].warp, rows[n].issue))
    return {number: place for place, number in enumerate(order)}


def _commands(number: int, row: Row, place: int) -> Iterator[Command]:
    hardware = row.slot * SUBCORES + row.subcore
    begin = min([row.begin, *(stall.begin for stall in row.stalls)])
    yield begin, APPEAR, number, f"I\t{number}\t{place}\t{hardware}"
    yield begin, APPEAR, number, f"L\t{number}\t0\t{row.label}"
    for stage in row.stages:
        text = f"S\t{number}\t{PIPELINE_LANE}\t{stage.name}"
        yield stage.begin, BEGIN, number, f"{text}\nL\t{number}\t2\t{STAGES[stage.kind]}"
    for stall in row.stalls:
        yield stall.begin, BEGIN, number, f"S\t{number}\t{STALL_LANE}\t{stall.name}"
        yield stall.end, STALL_END, number, f"E\t{number}\t{STALL_LANE}\t{stall.name}"
    yield row.end, RETIRE, number, f"R\t{number}\t{place}\t0"


def _in_time(commands: list[Command]) -> Iterator[str]:
    now = 0
    for cycle, _, _, text in commands:
        if cycle > now:
            yield f"C\t{cycle - now}"
            now = cycle
        yield text
