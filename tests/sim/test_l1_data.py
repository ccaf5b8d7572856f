"""Tags, sectors and requests of the L1 data cache against plain Python (memory 3)."""

from collections import OrderedDict

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from warpwise.sim.compiled import allocate, entry
from warpwise.sim.machine.load import load
from warpwise.sim.machine.record import to_record
from warpwise.sim.sm import l1_data

LOAD, ANSWER, STORE = range(3)
SETS = 4
WAYS = 3
ARRAY = l1_data.record(("l1", l1_data.State))


@entry
def access_all(array, machine_array, ways, orders, absent):
    """LOAD sectors of a line, ANSWER the oldest request, STORE into sectors of a line.

    Notes for each load the sectors that it has to request; -1 where no way could be had.
    """
    l1, machine = array[0].l1, machine_array[0]
    numbers = np.zeros(len(orders), np.int64)
    first = 0
    last = 0
    l1_data.clear(l1)
    for k in range(len(orders)):
        kind, line, sectors = orders[k]
        if kind == STORE:
            l1_data.drop_sectors(l1, line, sectors)
        elif kind == ANSWER:
            if first < last:
                l1_data.complete(l1, numbers[first])
                first += 1
        else:
            way = l1_data.find(l1, line)
            if way < 0:
                way = l1_data.allocate(l1, machine, ways, line)
            absent[k] = -1
            if way >= 0:
                l1_data.touch(l1, machine, way)
                new = sectors & ~int(l1.valid[way]) & ~int(l1.coming[way])
                absent[k] = new
                if new:
                    numbers[last] = l1_data.new_request(l1, line, new)
                    l1_data.expect(l1, way, new, numbers[last])
                    last += 1
    return l1_data.requests_in_use(l1)


class PlainCache:
    """Each set is an ordered dictionary, oldest first, of line -> [valid, coming]."""

    def __init__(self):
        self.sets = [OrderedDict() for _ in range(SETS)]
        self.requests = []

    def load(self, line, sectors):
        ways = self.sets[line % SETS]
        if line not in ways:
            if len(ways) == WAYS:
                idle = [old for old, (_, coming) in ways.items() if not coming]
                if not idle:
                    return -1
                del ways[idle[0]]
            ways[line] = [0, 0]
        ways.move_to_end(line)
        valid, coming = ways[line]
        new = sectors & ~valid & ~coming
        ways[line][1] |= new
        if new:
            self.requests.append((line, new))
        return new

    def answer(self):
        if self.requests:
            line, sectors = self.requests.pop(0)
            entry = self.sets[line % SETS][line]
            entry[0] |= sectors
            entry[1] &= ~sectors

    def store(self, line, sectors):
        if line in self.sets[line % SETS]:
            self.sets[line % SETS][line][0] &= ~sectors


lines = st.integers(0, 23)
sectors = st.integers(1, 15)
order = st.one_of(
    st.tuples(st.just(LOAD), lines, sectors),
    st.tuples(st.just(LOAD), lines, sectors),
    st.tuples(st.just(ANSWER), st.just(0), st.just(0)),
    st.tuples(st.just(STORE), lines, sectors),
)
MACHINE = to_record(load("rtx_a6000", "ref", {"sm.l1d.sets": SETS}).gpu)


@settings(max_examples=300)
@given(st.lists(order, min_size=1, max_size=120))
def test_against_least_recently_used_lists(orders):
    """Six lines compete for each set of three ways; lines with sectors on their way stay."""
    plain, expected = PlainCache(), []
    for kind, line, mask in orders:
        if kind == LOAD:
            expected.append(plain.load(line, mask))
        elif kind == ANSWER:
            plain.answer()
        else:
            plain.store(line, mask)
    absent = np.zeros(len(orders), np.int64)
    in_use = access_all(allocate(ARRAY, 1), MACHINE, WAYS, np.array(orders), absent)
    loads = [k for k, (kind, _, _) in enumerate(orders) if kind == LOAD]
    assert absent[loads].tolist() == expected
    assert in_use == len(plain.requests)


def test_a_line_of_every_way_fits():
    """256 ways of 4 sets: 1024 lines stay, one more displaces the oldest of its set only."""
    lines = [*range(1024), 1024, *range(1, 1024), 0]
    orders = [order for line in lines for order in ((LOAD, line, 15), (ANSWER, 0, 0))]
    absent = np.zeros(len(orders), np.int64)
    access_all(allocate(ARRAY, 1), MACHINE, 256, np.array(orders), absent)
    found = absent[::2].tolist()
    assert found[:1025] == [15] * 1025
    missing = {line for line, sectors in zip(lines[1025:], found[1025:], strict=True) if sectors}
    assert missing == {0}
