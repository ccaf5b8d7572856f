"""Static facts of one instruction, decoded once per PC, and the streams of a kernel's warps."""

from __future__ import annotations

from ..compiled import pointer_to, record
from .limits import BANKS, SECTORS, SLOTS

# Routes: which way an instruction takes after Control.
FIXED = 0  # Allocate, read window, unit
SPECIAL = 1  # variable latency, straight to its unit
DOUBLE = 2  # the FP64 unit that all sub-cores of an SM share
QUEUED = 3  # the sub-core's memory queue

# What BAR does.
SYNC = 1  # arrives and waits
ARRIVE = 2

# Where a fixed-latency result goes, predicates included.
RESULT = 1
UNIFORM_RESULT = 2

# Data paths of a granted memory instruction.
NO_ACCESS = 0  # SHFL, S2R
L1_LOAD = 1
L1_STORE = 2
L2_READ = 3  # past the L1D: accesses that other SMs have to see
L2_WRITE = 4
ATOMIC = 5  # at the L2, with a result
REDUCTION = 6  # without
SHARED = 7
CONSTANT = 8
TEXTURE = 9  # of which no addresses are known

# Where a line goes that an L1 load allocates.
NEWEST = 0
OLDEST = 1  # evicted first
NOWHERE = 2

# The L1.5 holds instructions, from address 0 on, and constants, from here on, bank by bank.
CONSTANTS = 1 << 40
CONSTANT_BANK = 1 << 16

# 128 bytes: finding one is a shift, not a multiplication.
INSTRUCTION = record(
    ("route", "i2"),
    ("unit", "i2"),  # isa.Unit
    ("distance", "i2"),  # cycles to the next issue of the same warp, from stall count and yield
    ("wait_mask", "i2"),
    ("write_counter", "i1"),  # -1: none; with scoreboards `scoreboard.RESULT`
    ("read_counter", "i1"),
    ("reuse", "i2"),
    ("hold", "i2"),  # extra cycles that the issue port stays taken
    ("result", "i2"),  # RESULT, UNIFORM_RESULT or 0
    ("window", "i2"),  # cycles to read the operands
    ("interval", "i4"),  # cycles that the unit's input stays taken
    ("latency", "i4"),
    ("read_latency", "i4"),  # variable latency: issue to release of the sources
    ("read_with_result", "i2"),
    ("n_sources", "i2"),  # operands that are registers
    ("source", "i2", SLOTS),  # first register of an operand slot
    ("source_count", "i2", SLOTS),
    ("reads", "i2", BANKS),  # distinct registers, before the register-file cache
    ("dest", "i2"),  # first register written
    ("dest_count", "i2"),
    ("constant", "i8"),  # line of a constant operand in the L0 constant cache + 1; 0: none
    ("bank", "i8"),  # LDC: first byte of its bank in the L1.5's address space
    ("clock", "i2"),  # reads the clock
    ("barrier", "i2"),  # SYNC, ARRIVE or 0
    ("barrier_id", "i2"),
    ("barrier_warps", "i2"),  # 0: all warps of the CTA
    ("fence", "i2"),  # MEMBAR: cycles that it holds its warp at least
    ("copies", "i2"),  # LDGSTS
    ("commits", "i2"),  # LDGDEPBAR: the dependence counter of its group + 1
    ("gate", "i2"),  # DEPBAR
    ("gate_counter", "i2"),
    ("gate_limit", "i2"),
    ("gate_mask", "i2"),  # counters that must be zero besides
    ("accesses", "i2"),  # has a row in the trace's address stream
    ("path", "i2"),  # data path
    ("stores", "i2"),  # returns nothing
    ("place", "i2"),  # of new lines in the L1D: NEWEST, OLDEST or NOWHERE
    ("prefetch", "i2"),  # sectors that the L2 fetches together, aligned
    ("invalidates", "i2"),  # the whole L1D
    ("l1tex", "i2"),  # waits for it are long-scoreboard stalls
    ("occupancy", "i2"),  # of the address stage
    ("grant", "i2"),  # issue to grant, unloaded
    ("wavefronts", "i2"),  # of a conflict-free access; contained in the unloaded latency
    ("first_beat", "i4"),  # grant to first beat of the result, unloaded hit
    ("behind_data", "i2"),  # what of it is behind the arrival of the last data
    ("beat", "i2"),  # cycles of a beat
    ("per_beat", "i2"),  # registers of a beat
)

STREAM = record(
    ("path", "i8"),  # first element in the array of path elements
    ("length", "i8"),
    ("access", "i8"),  # first row in the array of accesses
    ("clock", "i8"),  # first element in the array of clock reads
)

ACCESS = record(
    ("first", "i8"),  # of its lines
    ("wavefronts", "i4"),  # cycles of the L1 or shared-memory data stage
    ("lines", "i2"),  # distinct 128-byte lines
    ("copied", "i2"),  # the same, of an LDGSTS that writes shared memory
)

LINE = record(
    ("line", "i8"),
    ("bytes", "i4"),  # of a store that leaves sectors incomplete: row in the array of them
    ("turns", "i2"),  # of an atomic at the L2: sectors, each as often as lanes share a word
    ("sectors", "i1"),
    ("whole", "i1"),  # sectors of which a store writes all bytes
)

BYTES = record(("of_sector", "u4", SECTORS))  # that a store writes

PC = record(("pc", "i4"))
CLOCK = record(("cycle", "i8"))
COUNT = record(("issued", "i8"), ("cycles", "i8"))

instruction_at = pointer_to(INSTRUCTION)
stream_at = pointer_to(STREAM)
access_at = pointer_to(ACCESS)
line_at = pointer_to(LINE)
bytes_at = pointer_to(BYTES)
pc_at = pointer_to(PC)
clock_at = pointer_to(CLOCK)
count_at = pointer_to(COUNT)

KERNEL = record(
    ("program", "i8"),  # addresses of arrays
    ("registers", "i8"),  # 0: control bits rule, no scoreboards
    ("boards", "i8"),  # one for each sub-core
    ("streams", "i8"),  # CTA by CTA, warp by warp
    ("pcs", "i8"),
    ("accesses", "i8"),
    ("lines", "i8"),
    ("store_bytes", "i8"),
    ("clocks", "i8"),  # 0: not recorded
    ("counts", "i8"),  # issues and cycles per PC
    ("events", "i8"),  # 0: not recorded
    ("event_capacity", "i8"),
    ("event_next", "i8"),
    ("n_instructions", "i8"),
    ("n_ctas", "i8"),
    ("warps_per_cta", "i8"),
    ("ctas_per_sm", "i8"),
    ("parameter_lines", "i8"),  # 128-byte lines of constant bank 0
    ("l1_ways", "i8"),  # left by shared memory
    ("acknowledges", "i2"),  # somebody waits for the L2's answers to stores
    ("warm_icache", "i2"),
    ("warm_l1i", "i2"),
    ("warm_l1", "i2"),
    ("warm_constants", "i2"),
)
