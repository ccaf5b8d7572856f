"""One SM with its CTAs: run a kernel, get the cycles of every instruction."""

from __future__ import annotations

from dataclasses import dataclass
from operator import attrgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...isa.errors import DeadlockError, InputError
from ...traces.kernel import Kernel
from ..machine.schema import Gpu
from ..occupancy import occupancy
from .clock import Clock, Step
from .costs import costs
from .front_end import Link
from .memory import DoubleUnit, MemoryUnit
from .subcore import SubCore
from .warp import Cta, Life, Op, Warp

SUBCORES = 4
COLUMNS = (
    *("sm", "subcore", "warp", "cta", "pc", "fetch", "decode"),
    *("issue", "control", "allocate", "read_done", "writeback"),
)

# Switches of the machine that only the engine has, and the value that this model implements.
FIXED_CHOICES = {
    "issue.stall_counter": "linear",
    "issue.depbar": "gate",
    "issue.imad_hold": "wide",
    "result_queue.reserve": False,
    "pipes.opcode_map": "hardware",
    "pipes.fp16_on_integer_pipe": False,
    "pipes.finish_conflict": False,
    "tensor.timing": "rate",
    "local_unit.admit": "issue",
    "memory_unit.arbiter": "round_robin",
    "memory_unit.exit_waits_for_stores": False,
    "l1i.port": "round_robin",
    "l0_constant.probe": "candidate",
    "barrier.ids": "decoded",
    "fence.holds": "warp",
    "async_copy.commit": "group",
    "async_copy.uses_data_stage": True,
}


@dataclass
class Outcome:
    """Cycles from the first dispatch to the end of the last CTA, and all instructions."""

    cycles: int
    ops: list[Op]  # by CTA, warp and order of issue

    def events(self) -> NDArray[Any]:
        """The cycles as a table, with the columns that the engine records."""
        rows = [
            (
                *(0, op.warp.subcore.number, op.warp.number, op.warp.cta.number, op.pc),
                *(op.fetch, op.decode, op.issue, op.issue + 1, op.allocate, op.read_done),
                op.writeback,
            )
            for op in self.ops
        ]
        return np.array(rows, [(name, np.int64) for name in COLUMNS])

    def counts(self, instructions: int) -> NDArray[Any]:
        """Per static instruction: how often it issued, and how long warps spent at it."""
        table = np.zeros(instructions, [("issued", np.int64), ("cycles", np.int64)])
        for op in self.ops:
            table[op.pc]["issued"] += 1
            table[op.pc]["cycles"] += op.issue - op.since
        return table


class Model:
    """An SM at time zero."""

    def __init__(self, kernel: Kernel, gpu: Gpu) -> None:
        self.kernel, self.gpu, self.clock = kernel, gpu, Clock()
        table = costs(kernel.program, gpu)
        self.subcores = [
            SubCore(number, self.clock, gpu, table, kernel.warm) for number in range(SUBCORES)
        ]
        scoreboards = gpu.sm.dependence.mode == "scoreboard" or not kernel.program.control_bits
        self.slots = list(range(occupancy(kernel, gpu, 1).ctas))  # free places of CTAs
        self.room = len(self.slots)  # CTAs that may be dispatched
        self.warps: list[Warp] = []
        self.living: dict[Cta, tuple[int, int]] = {}  # slot, warps that have not left
        self.done = self.clock.env.event()
        for subcore in self.subcores:
            subcore.scoreboards = scoreboards
            subcore.when_reclaimed = self._leave

    def run(self, max_cycles: int) -> Outcome:
        """Simulate the kernel. Raises DeadlockError after `max_cycles`."""
        self.clock.env.process(self._dispatch())
        for subcore in self.subcores:
            subcore.start()
        for unit in (Link, MemoryUnit, DoubleUnit):
            self.clock.env.process(unit(self.subcores).run())
        self.clock.env.run(until=self.clock.env.any_of([self.done, self._limit(max_cycles)]))
        if not self.done.triggered:
            waits = "\n".join(map(_stand, (w for s in self.subcores for w in s.warps)))
            raise DeadlockError(
                f"{self.kernel.name} reached the limit of {max_cycles} cycles\n{waits}"
            )
        ops = [op for w in sorted(self.warps, key=_place) for op in w.issued]
        return Outcome(self.clock.cycle + 1, ops)

    def _limit(self, max_cycles: int) -> Any:
        return self.clock.at(max_cycles, Step.LAUNCH)

    def _dispatch(self) -> Life:
        """One CTA after another, into the lowest free slot (1.2)."""
        launch = self.gpu.launch
        for number in range(self.kernel.n_ctas):
            yield self.clock.at(self.clock.cycle, Step.LAUNCH)
            while not self.room:
                yield self.clock.next(Step.LAUNCH)
            self.room -= 1
            self._launch(number, self.slots.pop(self.slots.index(min(self.slots))))
            if number + 1 < self.kernel.n_ctas:
                interval = max(launch.gpu_interval, launch.sm_interval)
                yield self.clock.at(self.clock.cycle + interval, Step.LAUNCH)

    def _launch(self, number: int, slot: int) -> None:
        """Hardware warp h lives on sub-core h mod 4 (1.4)."""
        count = self.kernel.warps_per_cta
        cta = Cta(number, count)
        self.living[cta] = slot, count
        for k, traced in enumerate(self.kernel.load_cta(number).warps):
            hardware = slot * count + k
            subcore = self.subcores[hardware % SUBCORES]
            path = traced.path
            trace = zip(map(int, path.pcs), map(bool, path.executed), strict=True)
            warp = Warp(subcore, hardware // SUBCORES, len(self.warps), cta, k, trace)
            self.warps.append(warp)
            subcore.launch(warp)

    def _make_room(self) -> None:
        self.room += 1

    def _leave(self, warp: Warp) -> None:
        slot, left = self.living[warp.cta]
        self.living[warp.cta] = slot, left - 1
        if left == 1:
            del self.living[warp.cta]
            self.slots.append(slot)
            refill = self.clock.cycle + self.gpu.launch.refill_latency
            self.clock.call(refill, Step.SEND, self._make_room)
            if (
                not self.living
                and len(self.warps) == self.kernel.n_ctas * self.kernel.warps_per_cta
            ):
                self.done.succeed()


def _place(warp: Warp) -> tuple[int, int]:
    return warp.cta.number, warp.number


def _stand(warp: Warp) -> str:
    """Where a warp stands, for messages."""
    text = warp.head.inst.text if warp.left else "its end"
    return f"CTA {warp.cta.number} warp {warp.number}: {text!r} waits for {warp.waited_for}"


def run(kernel: Kernel, gpu: Gpu, max_cycles: int = 100_000) -> Outcome:
    """Simulate `kernel` on one SM of `gpu`, whatever `kernel.warm` says with a warm L1 and L1I.

    Raises InputError for a machine or an instruction that this model leaves out, DeadlockError
    for a kernel that does not end within `max_cycles`.
    """
    for name, choice in FIXED_CHOICES.items():
        value = attrgetter(name)(gpu.sm)
        if value != choice:
            raise InputError(
                f"sm.{name} is {value!r}; the reference model implements {choice!r} only: use the "
                "preset `ref`, or the engine"
            )
    return Model(kernel, gpu).run(max_cycles)
