"""Fetch, decode, the L0 instruction cache and its stream buffer (sm-core 2)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ...isa.program import INSTRUCTION_BYTES
from .clock import Step
from .issue import in_order
from .lines import Lines
from .warp import Entry, Life, Warp

if TYPE_CHECKING:
    from .subcore import SubCore

SLOT_TO_ISSUE = 3  # response slot, latch, decode: one cycle each (2.3)

Pair = tuple[Warp, int]  # a warp and the PC that it waits for


@dataclass
class Miss:
    """A line on its way to the L0, and who waits for it."""

    line: int
    pairs: list[Pair] = field(default_factory=list)
    arrived_at: int | None = None


class Stream:
    """The prefetcher: a FIFO of consecutive lines, of which only the head is compared (2.5)."""

    def __init__(self, lines: int) -> None:
        self.capacity = lines
        self.fifo: list[Miss] = []
        self.next: int | None = None
        self.running = False

    def head_is(self, line: int) -> bool:
        """Whether `line` is at the head."""
        return bool(self.fifo) and self.fifo[0].line == line

    def start(self, line: int) -> None:
        """A new stream; prefetches of the old one are dropped when they return."""
        waited_for = bool(self.fifo) and bool(self.fifo[0].pairs)
        if self.capacity and not waited_for and line != self.next:
            self.fifo = []
            self.next = line
            self.running = True

    @property
    def due(self) -> bool:
        """There is room for a line."""
        return self.running and len(self.fifo) < self.capacity


class FrontEnd:
    """One fetch and one answer a cycle."""

    def __init__(self, subcore: SubCore) -> None:
        self.subcore, self.clock, self.sm = subcore, subcore.clock, subcore.gpu.sm
        shape = self.sm.l0i
        self.lines = Lines(shape.sets, shape.ways)
        self.misses: list[Miss] = []  # oldest first
        self.to_send: list[Miss] = []
        self.stream = Stream(self.sm.stream_buffer.lines)

    def fetch(self) -> Life:
        """The fetch scheduler: greedy, then youngest; warps at a barrier come last (2.2)."""
        while True:
            yield self.clock.next(Step.FETCH)
            hit = self._fetch()
            yield self.clock.at(self.clock.cycle, Step.ANSWER)
            if not hit:
                self._answer()

    def _fetch(self) -> bool:
        """Whether a hit takes the response slot."""
        room = [w for w in self.subcore.warps if self._may_fetch(w)]
        running = [w for w in room if not w.at_barrier]
        greedy, recency = self.subcore.slot.greedy_before, self.sm.issue.recency_cycles
        policy, now = self.sm.fetch.policy, self.clock.cycle
        for warp in in_order(policy, running or room, greedy, now, recency)[:1]:
            pc = self._next_pc(warp)
            found = self._look_up(warp, pc)
            if found is not None:
                warp.buffer.append(Entry(pc, self.clock.cycle))
            if found:
                self._respond(warp, pc)
            return bool(found)
        return False

    def _next_pc(self, warp: Warp) -> int:
        return warp.buffer[-1].pc + 1 if warp.buffer else warp.trace[len(warp.issued)][0]

    def _may_fetch(self, warp: Warp) -> bool:
        """A free entry, and something left to fetch."""
        room = len(warp.buffer) < min(self.sm.fetch.buffer_entries, warp.left)
        in_code = room and self._next_pc(warp) < len(self.subcore.costs)
        return in_code and self.clock.cycle >= warp.fetch_from

    def _respond(self, warp: Warp, pc: int) -> None:
        """The response slot is taken: latch and decode follow."""
        cycles = SLOT_TO_ISSUE - 1 if self.sm.fetch.perfect else SLOT_TO_ISSUE
        seen_at = self.clock.cycle + cycles
        self.clock.call(seen_at, Step.CHANGE, self._decode, warp, pc, warp.stream)

    def _decode(self, warp: Warp, pc: int, stream: int) -> None:
        """The entry is valid, unless it was flushed."""
        for entry in warp.buffer:
            if entry.pc == pc and warp.stream == stream:
                entry.decoded = self.clock.cycle - 1

    # The L0 instruction cache (2.4)

    def _look_up(self, warp: Warp, pc: int) -> bool | None:
        """True: hit. False: the warp waits for an answer. None: no room, try again."""
        if self.subcore.warm_code or self.sm.fetch.perfect:
            return True
        line = pc * INSTRUCTION_BYTES // self.sm.l0i.line_bytes
        if self._waits_already(warp, pc):
            return False
        at_head = self.stream.head_is(line)
        if line not in self.lines and not at_head and not self.stream.head_is(line + 1):
            self.stream.start(line + 1)
        if at_head:
            self.stream.fifo[0].pairs.append((warp, pc))
            return False
        if self.lines.use(line):
            return True
        return False if self._miss(line, (warp, pc)) else None

    def _waits_already(self, warp: Warp, pc: int) -> bool:
        """After a redirect, a request may still be on its way (2.3)."""
        return any((warp, pc) in miss.pairs for miss in (*self.misses, *self.stream.fifo[:1]))

    def _miss(self, line: int, pair: Pair) -> bool:
        """Note who waits; the first one makes the request. False without room."""
        shape = self.sm.l0i
        for miss in self.misses:
            if miss.line == line:
                if len(miss.pairs) == shape.merges:
                    return False
                miss.pairs.append(pair)
                return True
        if len(self.misses) == shape.mshrs or len(self.to_send) == shape.miss_queue:
            return False
        miss = Miss(line, [pair])
        self.misses.append(miss)
        self.to_send.append(miss)
        return True

    def arrive(self, miss: Miss) -> None:
        """The L1I has answered a demand miss: its line is kept."""
        miss.arrived_at = self.clock.cycle
        self.lines.fill(miss.line)

    def prefetched(self, miss: Miss) -> None:
        """The L1I has answered a prefetch, which only a demand moves into the L0 (2.5)."""
        miss.arrived_at = self.clock.cycle

    def _answer(self) -> None:
        """One waiting warp takes the response slot: of demand misses first, then of the stream."""
        arrived = [miss for miss in self.misses if miss.arrived_at is not None]
        head = self.stream.fifo[:1]
        if arrived:
            miss = min(arrived, key=lambda m: m.arrived_at or 0)
            self._respond(*miss.pairs.pop(0))
            if not miss.pairs:
                self.misses.remove(miss)
        elif head and head[0].pairs and head[0].arrived_at is not None:
            self.lines.fill(head[0].line)
            self._respond(*head[0].pairs.pop(0))
            if not head[0].pairs:
                self.stream.fifo.pop(0)

    # What goes to the L1 instruction cache (2.5, 2.6)

    def next_prefetch(self) -> Miss | None:
        """The line that the stream asks for; a stream that meets a known line ends."""
        if not self.stream.due or self.stream.next is None:
            return None
        line = self.stream.next
        if line in self.lines or any(miss.line == line for miss in self.misses):
            self.stream.running = False
            return None
        self.stream.next = line + 1
        self.stream.fifo.append(Miss(line))
        return self.stream.fifo[-1]


class Link:
    """The way to the L1 instruction cache of the SM, which always hits: one request a cycle."""

    def __init__(self, subcores: list[SubCore]) -> None:
        self.subcores, self.clock = subcores, subcores[0].clock
        l1i = subcores[0].gpu.sm.l1i
        self.latency = l1i.request_latency + l1i.reply_latency
        self._demand, self._prefetch = list(subcores), list(subcores)  # least recently served first

    def run(self) -> Life:
        """The process: demands before prefetches, round robin inside each class."""
        while True:
            yield self.clock.next(Step.SEND)
            if not self._send_demand():
                self._send_prefetch()

    def _send_demand(self) -> bool:
        for subcore in self._demand:
            constants, front = subcore.slot.constants, subcore.front_end
            if constants.to_send:
                self._call(Step.CHANGE, constants.arrive, constants.to_send.pop(0))
            elif front.to_send:
                self._call(Step.FILL, front.arrive, front.to_send.pop(0))
            else:
                continue
            self._serve(self._demand, subcore)
            return True
        return False

    def _send_prefetch(self) -> None:
        for subcore in self._prefetch:
            miss = subcore.front_end.next_prefetch()
            if miss:
                self._call(Step.FILL, subcore.front_end.prefetched, miss)
                self._serve(self._prefetch, subcore)
                return

    def _call(self, step: Step, function: Callable[[Any], None], what: object) -> None:
        self.clock.call(self.clock.cycle + self.latency, step, function, what)

    @staticmethod
    def _serve(turn: list[SubCore], subcore: SubCore) -> None:
        """Whoever was served is last, those behind keep their order."""
        while turn[-1] is not subcore:
            turn.append(turn.pop(0))
