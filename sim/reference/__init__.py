"""The SM a second time, written to be read: a SimPy model beside the engine (style 1.6).

Every warp is a process, and so is every instruction in flight; stages and units are what they wait
for. It knows `isa`, `traces` and the parameters of the machine, and nothing of the engine, so that
the two can check each other instruction by instruction (`validation/differential.py`).

What it leaves out: misses behind the SM (every look-up in the L1I, the L1D and the constant cache
of LDC hits, and accesses are free of bank conflicts), and the switches that imitate the authors'
simulator. Read `clock.py` first, then `warp.py`, `issue.py`, `pipeline.py` and `memory.py`.
"""

from __future__ import annotations
