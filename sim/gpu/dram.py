"""DRAM channels: a data bus, banks with open rows, limits on activations (memory 5.5, 6).

Requests come in the order in which the L2 sees them. First ready, first come is bounded like this:
a request whose row is still busy with requests that were there when it arrived joins them and needs
the bus alone; any other opens its row. Rows close when nobody waits for them. The bus and the
limits on activations count their work in order of arrival, so no request blocks a later one that
its bank could serve. Writes wait in a buffer and are drained in batches that cost the bus their
time and two turnarounds.

Times inside are fractions of a core cycle, since the memory has a clock of its own.
"""

from __future__ import annotations

from ..compiled import compiled, popcount, record, u

CHANNELS = 32
BANKS = 16
ROWS = 4  # rows that a bank remembers
FRACTION = 256  # of a core cycle

BANK = record(
    ("ready", "i8"),  # from when it may open a row
    ("row", "i8", ROWS),  # the newest rows + 1
    ("open_at", "i8", ROWS),  # when each may be read
    ("busy", "i8", ROWS),  # end of the last transfer from each
    ("opened", "i8"),  # number of activations
)

CHANNEL = record(
    ("sectors_read", "i8"),
    ("sectors_written", "i8"),
    ("bus_free", "i8"),
    ("activate_free", "i8"),  # from when it may open another row
    ("waiting_writes", "i8"),  # sectors
    ("written_from", "i8"),  # begin of the batch of writes before those that wait
    ("reads", "i2"),  # have used the bus since that batch
    ("bank", BANK, BANKS),
)

STATE = record(
    ("burst", "i8"),  # times, in fractions of a core cycle
    ("activate", "i8"),
    ("column", "i8"),
    ("row_cycle", "i8"),
    ("precharge", "i8"),
    ("activate_interval", "i8"),
    ("turnaround", "i8"),
    ("channel", CHANNEL, CHANNELS),
)


@compiled
def begin(memory, machine):
    """Convert the timings of the memory to core cycles."""
    dram = machine.dram
    cycle = machine.clock.core_mhz * FRACTION / 1000  # fractions per nanosecond
    burst_ns = machine.dram.burst_clocks * 1000 / machine.clock.dram_mhz
    memory.burst = round(burst_ns * cycle / (1 - dram.refresh_share))
    memory.activate = round(dram.rcd_ns * cycle)
    memory.column = round(dram.cl_ns * cycle)
    memory.row_cycle = round(dram.rc_ns * cycle)
    memory.precharge = round((dram.rtp_ns + dram.rp_ns) * cycle)
    memory.activate_interval = round(max(dram.rrd_ns, dram.faw_ns / 4) * cycle)
    memory.turnaround = round((dram.read_to_write_ns + dram.wtr_ns + dram.cl_ns) * cycle)


@compiled
def _activation(memory, channel, bank, at):
    """Open a row at `at` or as soon as bank and channel may; returns when."""
    slot = max(at, channel.activate_free)
    channel.activate_free = slot + memory.activate_interval
    opened = max(slot, bank.ready)
    bank.ready = opened + memory.row_cycle
    return opened


@compiled
def _joined(bank, row, at):
    """Which of the bank's rows a request that arrives at `at` may join; -1: none."""
    for k in range(ROWS):
        if bank.row[u(k)] == row + 1 and bank.busy[u(k)] >= at:
            return k
    return -1


@compiled(inline=True)
def _transfer(memory, channel, row, at, bursts):
    """Read `bursts` from a row; returns when the first one begins on the bus."""
    bank = channel.bank[u((row ^ row >> 4 ^ row >> 8) % BANKS)]
    k = _joined(bank, row, at)
    if k < 0:
        k = bank.opened % ROWS
        bank.opened += 1
        bank.row[u(k)] = row + 1
        bank.open_at[u(k)] = _activation(memory, channel, bank, at) + memory.activate
    turn = max(channel.bus_free, at + memory.column)
    channel.bus_free = turn + bursts * memory.burst
    channel.reads = 1
    begin_ = max(turn, bank.open_at[u(k)] + memory.column)
    bank.busy[u(k)] = begin_ + bursts * memory.burst
    bank.ready = max(bank.ready, bank.busy[u(k)] - memory.column + memory.precharge)
    return begin_


@compiled
def _place(machine, slice_, group):
    """Channel of a slice and row of its line `group`: neighbouring lines share a row."""
    share = machine.l2.slices // machine.dram.channels
    lines = machine.dram.row_bytes // machine.l2.line_bytes
    return slice_ // share, (group * share + slice_ % share) // lines


@compiled
def read(memory, machine, slice_, group, sectors, at):
    """Fetch `sectors` of a slice's line, asked for in cycle `at`; returns the cycles it adds."""
    c, row = _place(machine, slice_, group)
    bursts = popcount(sectors)
    channel = memory.channel[u(c)]
    channel.sectors_read += bursts
    arrives = at * FRACTION
    begin_ = _transfer(memory, channel, row, arrives, bursts)
    unloaded = arrives + memory.activate + memory.column
    return max(machine.dram.latency - (unloaded - begin_) // FRACTION, 0)


@compiled
def write(memory, machine, slice_, sectors, at):
    """Take what the L2 evicts in cycle `at`; returns when there is room, behind one batch."""
    c = slice_ // (machine.l2.slices // machine.dram.channels)
    channel = memory.channel[u(c)]
    channel.waiting_writes += popcount(sectors)
    channel.sectors_written += popcount(sectors)
    at = max(at, channel.written_from // FRACTION)
    if channel.waiting_writes >= machine.dram.write_batch:
        turns = memory.turnaround if channel.reads else 0
        channel.written_from = max(channel.bus_free, at * FRACTION)
        channel.bus_free = channel.written_from + channel.waiting_writes * memory.burst + turns
        channel.waiting_writes = 0
        channel.reads = 0
    return at
