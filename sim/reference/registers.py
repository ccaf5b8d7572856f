"""Register file of a sub-core: read ports, register-file cache, write ports (sm-core 4.2-6.2)."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from ...isa.program import Registers
from .clock import Step
from .warp import Life, Op

if TYPE_CHECKING:
    from .subcore import SubCore

BANKS = 2
SLOTS = 3


def _registers(operand: Registers) -> range:
    return range(operand.first, operand.first + operand.count)


class ReadPorts:
    """Reads are booked cycle by cycle; a bank serves `read_ports` of them in each (4.2)."""

    def __init__(self, subcore: SubCore) -> None:
        self.shape = subcore.gpu.sm.register_file
        self._booked: Counter[tuple[int, int]] = Counter()  # by bank and cycle
        self._cache: dict[tuple[int, int], tuple[object, int]] = {}  # by operand slot and bank

    def _free(self, bank: int, cycle: int) -> int:
        return max(self.shape.read_ports - self._booked[bank, cycle], 0)

    def _book(self, bank: int, reads: int, cycle: int) -> None:
        """Take the earliest free reads from `cycle` on."""
        while reads:
            taken = min(self._free(bank, cycle), reads)
            self._booked[bank, cycle] += taken
            reads -= taken
            cycle += 1

    def allocate(self, op: Op, cycle: int) -> bool:
        """Book the reads of a fixed-latency instruction in its window, if they fit."""
        reads = self._reads(op)
        window = range(cycle + 1, cycle + 1 + op.cost.window)
        if any(reads[b] > sum(self._free(b, c) for c in window) for b in range(BANKS)):
            return False
        for bank in range(BANKS):
            self._book(bank, reads[bank], cycle + 1)
        self._update_cache(op)
        return True

    def read_now(self, op: Op, cycle: int) -> bool:
        """A variable-latency instruction begins to read, unless a port that it needs is taken."""
        registers = {r for s in op.cost.inst.sources if s.slot < SLOTS for r in _registers(s)}
        reads = Counter(r % BANKS for r in registers)
        if any(reads[b] and not self._free(b, cycle) for b in range(BANKS)):
            return False
        for bank in range(BANKS):
            self._book(bank, reads[bank], cycle)
        return True

    # The register-file cache (4.3)

    def _reads(self, op: Op) -> Counter[int]:
        """Reads on each bank: distinct registers that the cache does not hold for their slot."""
        missing = set()
        for source in op.cost.inst.sources:
            for register in _registers(source) if source.slot < SLOTS else ():
                entry = self._cache.get((source.slot, register % BANKS))
                if entry != (op.warp, register):
                    missing.add(register)
        return Counter(register % BANKS for register in missing)

    def _update_cache(self, op: Op) -> None:
        """Each operand read clears its entry; the reuse bit fills it anew."""
        if not self.shape.cache:
            return
        for source in op.cost.inst.sources:
            for register in _registers(source) if source.slot < SLOTS else ():
                entry = (source.slot, register % BANKS)
                self._cache.pop(entry, None)
                if op.cost.inst.control.reuse >> source.slot & 1:
                    self._cache[entry] = (op.warp, register)


class WriteBack:
    """Results on their way into the register file, by precedence for the write ports (6.2)."""

    def __init__(self, subcore: SubCore) -> None:
        self.clock, self.ports = subcore.clock, subcore.gpu.sm.register_file.write_ports
        self._fixed: list[tuple[int, Op]] = []  # by arrival in the result queue
        self._special: list[tuple[int, Op]] = []  # by the cycle of the write
        self._loads: list[tuple[int, Op]] = []  # by the cycle of the first beat
        self._written: list[tuple[int, int]] = [(-1, 0)] * BANKS  # last cycle, writes in it
        self._latch_free = 0
        self._beat_at: int | None = None
        self._beats: list[list[int]] = []  # registers of the load in the latch

    def fixed(self, op: Op, at: int) -> None:
        """A fixed-latency result enters the result queue in cycle `at`."""
        self._fixed.append((at, op))

    def special(self, op: Op, at: int) -> None:
        """A special-function result wants to be written in cycle `at`."""
        self._special.append((at, op))

    def load(self, op: Op, at: int) -> None:
        """A result from the SM begins its first beat in cycle `at`."""
        self._loads.append((at, op))

    def run(self) -> Life:
        """The process."""
        while True:
            yield self.clock.next(Step.WRITE)
            for queue in (self._fixed, self._special, self._loads):
                queue.sort(key=lambda entry: entry[0])  # stable: ties in order of arrival
            self._write_fixed()
            self._write_special()
            self._write_load()

    def _free(self, banks: set[int], cycle: int) -> bool:
        """Writes of a bank are in order: none before one that is booked already."""
        return all(
            self._written[b][0] < cycle
            or (self._written[b][0] == cycle and self._written[b][1] < self.ports)
            for b in banks
        )

    def _take(self, bank: int, cycle: int) -> None:
        last, writes = self._written[bank]
        self._written[bank] = (cycle, writes + 1 if last == cycle else 1)

    def _write_fixed(self) -> None:
        """Results that have arrived take their write cycle, which is this one without conflict."""
        now = self.clock.cycle
        while self._fixed and self._fixed[0][0] < now:
            _, op = self._fixed.pop(0)
            registers = _destination(op)
            cycle = now
            while not self._free({r % BANKS for r in registers[:BANKS]}, cycle):
                cycle += 1
            for k, register in enumerate(registers):
                self._take(register % BANKS, cycle + k // BANKS)
            done = cycle + max(len(registers) - 1, 0) // BANKS
            self.clock.call(done, Step.WRITE, op.warp.retire, op)

    def _write_special(self) -> None:
        now = self.clock.cycle
        while self._special and self._special[0][0] <= now:
            op = self._special[0][1]
            banks = {r % BANKS for r in _destination(op)}
            if not self._free(banks, now):
                return
            for bank in banks:
                self._take(bank, now)
            self._special.pop(0)
            op.warp.retire(op)

    def _write_load(self) -> None:
        """One latch serves loads and FP64 in order, beat by beat; each ends with its writes."""
        now = self.clock.cycle
        if self._beat_at is None:
            if not self._loads or max(self._loads[0][0], self._latch_free) > now:
                return
            cost, registers = self._loads[0][1].cost, _destination(self._loads[0][1])
            size = cost.per_beat
            self._beats = [registers[k : k + size] for k in range(0, len(registers), size)]
            self._beat_at = now + cost.beat - 1
        if self._beat_at > now:
            return
        beat = self._beats[0] if self._beats else []
        if not self._free({r % BANKS for r in beat}, now):
            self._beat_at = now + 1
            return
        for register in beat:
            self._take(register % BANKS, now)
        self._beats = self._beats[1:]
        op = self._loads[0][1]
        self._beat_at = now + op.cost.beat if self._beats else None
        if not self._beats:
            self._loads.pop(0)
            self._latch_free = now + 1
            op.warp.retire(op)


def _destination(op: Op) -> list[int]:
    """Registers that an instruction writes, in order."""
    return [r for d in op.cost.inst.dests[:1] for r in _registers(d)]
