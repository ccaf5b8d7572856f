"""Sizes that shape records and loops: the largest geometry of any modelled GPU.

The machine record says how much of it a GPU uses, so that a sweep never recompiles.
"""

SUBCORES = 4
WARPS = 16  # warp slots of a sub-core
CTAS = 32  # CTA slots of an SM
COUNTERS = 6  # dependence counters SB0..SB5
BUFFER = 8  # instruction buffer entries of a warp
BANKS = 2  # register-file banks
SLOTS = 3  # operand slots with a register-file cache entry
SECTORS = 4  # of a line of the data caches
SECTOR_BYTES = 32
ALL_BYTES = (1 << SECTOR_BYTES) - 1  # of a sector, one bit each
NEVER = 1 << 60  # a cycle that does not come
