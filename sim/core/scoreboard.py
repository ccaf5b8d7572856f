"""Scoreboards: the alternative to the compiler's control bits (sm-core 7.1).

One marks registers with a result on the way (RAW, WAW), the other counts instructions that have not
read a register yet (WAR), up to a maximum of consumers. Stall counts, yield, wait masks and
dependence counters mean nothing in this mode.
"""

from __future__ import annotations

from ..compiled import compiled, pointer_to, record, u
from . import wheel
from .instruction import instruction_at
from .limits import NEVER, WARPS

# Register numbers: regular, uniform, predicate, uniform predicate, one after another.
UNIFORM = 256
PREDICATE = UNIFORM + 64
UNIFORM_PREDICATE = PREDICATE + 8
NUMBERS = UNIFORM_PREDICATE + 8

# In place of a dependence counter: what an instruction releases when it reads, and when it is done.
SOURCES = 6
RESULT = 7

# Columns of the table of bypass latencies: classes of a reader.
CLASSES = ("alu", "fma", "fp16", "fp64", "tensor", "decoupled", "address", "uniform", "guard")
GUARD = len(CLASSES) - 1
WRITTEN, READ = 16, 32

REGISTERS = record(
    ("n_written", "i2"),
    ("n_read", "i2"),
    ("written", "i2", WRITTEN),
    ("read", "i2", READ),  # distinct; the guard, if any, comes last
    ("guarded", "i2"),
    ("reader", "i2"),  # class
    ("bypass", "i2", len(CLASSES)),  # cycles from issue until a reader of each class may issue
)

registers_at = pointer_to(REGISTERS)

State = record(
    ("waiting", "i4"),  # warps whose next instruction is not free to issue;
    ("fixed", "i4"),  # of them, those that wait for a bypass,
    ("long", "i4"),  # and those that wait for a global or local access
    ("releases", "i2", WARPS),  # events that are still to come
    ("board", "i4"),  # number of the sub-core's `BOARD`
)

# Large, and of no use with control bits: so it is not a part of the sub-core's record.
BOARD = record(
    ("pending", "i2", (WARPS, NUMBERS)),  # results on the way that free themselves by an event
    ("issued_at", "i8", (WARPS, NUMBERS)),  # of the last writer with a bypass
    ("writer", "i4", (WARPS, NUMBERS)),  # its PC
    ("readers", "i2", (WARPS, NUMBERS)),  # instructions that have not read the register yet
)

board_at = pointer_to(BOARD)


@compiled
def _write_free_at(board, kernel, warp, register, reader):
    """Cycle from which a reader of some class may follow the register's last writer."""
    if board.pending[u(warp), u(register)]:
        return NEVER
    if board.issued_at[u(warp), u(register)] == 0:
        return 0
    writer = registers_at(kernel.registers, board.writer[u(warp), u(register)])
    return board.issued_at[u(warp), u(register)] + writer.bypass[u(reader)]


@compiled
def _free_at(board, kernel, machine, warp, pc):
    """Cycle from which instruction `pc` may issue; NEVER: some event must come first."""
    inst = registers_at(kernel.registers, pc)
    consumers = machine.sm.dependence.consumers
    at = 0
    for k in range(inst.n_read):
        register = int(inst.read[u(k)])
        if consumers and board.readers[u(warp), u(register)] >= consumers:
            return NEVER
        reader = GUARD if inst.guarded and k == inst.n_read - 1 else int(inst.reader)
        at = max(at, _write_free_at(board, kernel, warp, register, reader))
    for k in range(inst.n_written):
        register = int(inst.written[u(k)])
        if board.readers[u(warp), u(register)]:
            return NEVER
        at = max(at, _write_free_at(board, kernel, warp, register, int(inst.reader)))
    return at


@compiled
def _waits_for_l1tex(board, kernel, warp, pc):
    """Whether a source is on its way from global or local memory."""
    inst = registers_at(kernel.registers, pc)
    for k in range(inst.n_read):
        register = int(inst.read[u(k)])
        writer = int(board.writer[u(warp), u(register)])
        if board.pending[u(warp), u(register)] and instruction_at(kernel.program, writer).l1tex:
            return True
    return False


@compiled
def check(sc, kernel, machine, warp, now):
    """Find out whether the warp's next instruction must wait, and until when."""
    state = sc.scoreboard
    board = board_at(kernel.boards, state.board)
    bit = 1 << warp
    pc = int(sc.decode.head[u(warp)])
    at = _free_at(board, kernel, machine, warp, pc)
    state.waiting &= ~bit
    state.fixed &= ~bit
    state.long &= ~bit
    if at <= now:
        return
    state.waiting |= bit
    if at < NEVER:
        state.fixed |= bit
        wheel.post(sc.wheel, now, at, wheel.RECHECK, warp, 0, 0, 0)
    elif _waits_for_l1tex(board, kernel, warp, pc):
        state.long |= bit


@compiled
def reset(state, kernel, warp):
    """A new warp waits for nothing."""
    state.waiting &= ~(1 << warp)
    board = board_at(kernel.boards, state.board)
    for register in range(NUMBERS):
        board.pending[u(warp), u(register)] = 0
        board.issued_at[u(warp), u(register)] = 0
        board.readers[u(warp), u(register)] = 0


@compiled
def reserve(sc, kernel, machine, inst, warp, pc, now):
    """An instruction issues: its results are on the way, its sources not read."""
    state = sc.scoreboard
    board = board_at(kernel.boards, state.board)
    registers = registers_at(kernel.registers, pc)
    for k in range(registers.n_written):
        register = registers.written[u(k)]
        board.issued_at[u(warp), u(register)] = now
        board.writer[u(warp), u(register)] = pc
        board.pending[u(warp), u(register)] += inst.write_counter == RESULT
    state.releases[u(warp)] += inst.write_counter == RESULT
    state.releases[u(warp)] += inst.read_counter == SOURCES
    if inst.read_counter == SOURCES and machine.sm.dependence.consumers:
        for k in range(registers.n_read):
            board.readers[u(warp), u(registers.read[u(k)])] += 1


@compiled
def release(state, kernel, machine, warp, pc, what):
    """An instruction has read its sources, or its results are written."""
    board = board_at(kernel.boards, state.board)
    registers = registers_at(kernel.registers, pc)
    state.releases[u(warp)] -= 1
    if what == RESULT:
        for k in range(registers.n_written):
            register = registers.written[u(k)]
            board.pending[u(warp), u(register)] -= 1
            board.issued_at[u(warp), u(register)] = 0
    elif machine.sm.dependence.consumers:
        for k in range(registers.n_read):
            board.readers[u(warp), u(registers.read[u(k)])] -= 1
