"""The timing wheel and the queues against plain Python."""

from bisect import bisect_right

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from warpwise.sim.compiled import allocate, entry
from warpwise.sim.core import queue, wheel

POST, STALL, ADVANCE = range(3)
NEVER = 1 << 60


@entry
def turn(wheel_array, orders, happened):
    """Carry out orders (kind, delay, number); note (cycle, event or -1, stall mask) as they happen.

    ADVANCE jumps to the next cycle in which something happens, from slot to slot.
    """
    state = wheel_array[0]
    now = 0
    n = 0
    for k in range(len(orders)):
        kind, delay, number = orders[k]
        if kind == POST:
            wheel.post(state, now, now + delay, wheel.COUNTER, number % 16, number % 6, 1, 0)
        elif kind == STALL:
            wheel.end_stall(state, number % 16, now + delay)
        else:
            before = n
            while n == before:  # a slot may hold only events of a later turn
                following = wheel.next_after(state, now, NEVER)
                if following == NEVER:
                    break
                now = following
                event, stall_end = wheel.vacate(state, now)
                if stall_end:
                    happened[n, 0] = now
                    happened[n, 1] = -1
                    happened[n, 2] = stall_end
                    n += 1
                while event:
                    if state.due[event] > now:
                        event = wheel.postpone(state, now, event)
                        continue
                    happened[n, 0] = now
                    happened[n, 1] = state.warp[event]
                    happened[n, 2] = state.counter[event]
                    n += 1
                    event = wheel.give_back(state, event)
    return n


def plain_turn(orders):
    """The same with a list that is searched."""
    now, pending, stalls, happened = 0, [], {}, []
    for kind, delay, number in orders:
        if kind == POST:
            pending.append((now + delay, number % 16, number % 6))
        elif kind == STALL:
            stalls[now + delay] = stalls.get(now + delay, 0) | 1 << number % 16
        elif pending or stalls:
            now = min([cycle for cycle, *_ in pending] + list(stalls))
            if now in stalls:
                happened.append((now, -1, stalls.pop(now)))
            happened += sorted(e for e in pending if e[0] == now)
            pending = [e for e in pending if e[0] != now]
    return happened


near = st.tuples(st.just(POST), st.integers(1, 60), st.integers(0, 95))
far = st.tuples(st.just(POST), st.integers(61, 1500), st.integers(0, 95))
stall = st.tuples(st.just(STALL), st.integers(1, 46), st.integers(0, 95))
advance = st.just((ADVANCE, 0, 0))


@settings(max_examples=200)
@given(st.lists(st.one_of(near, far, stall, advance, advance), max_size=80))
def test_wheel_against_a_list(orders):
    """Everything happens in its cycle, and nothing twice; jumps never skip anything."""
    orders = [*orders, *[(ADVANCE, 0, 0)] * 100]
    array = allocate(wheel.State, 1)
    happened = np.zeros((len(orders), 3), np.int64)
    n = turn(array, np.array(orders), happened)
    found = [tuple(int(x) for x in row) for row in happened[:n]]
    assert sorted(found) == sorted(plain_turn(orders))
    assert [row[0] for row in found] == sorted(row[0] for row in found)
    assert array[0].overflow == 0


def test_wheel_reports_what_it_cannot_hold():
    """More events than the pool has, or an event that is not later than now."""
    for orders in ([(POST, 5, 0)] * (wheel.EVENTS + 1), [(POST, 0, 0)]):
        array = allocate(wheel.State, 1)
        turn(array, np.array(orders), np.zeros((1, 3), np.int64))
        assert array[0].overflow == 1


SMALL = queue.record(("queue", queue.queue_of(8)))


@entry
def serve(array, orders, served):
    """Push with a due cycle, or pop (due cycle -1); note the numbers of what is popped."""
    line = array[0].queue
    n = 0
    for k in range(len(orders)):
        if orders[k] >= 0:
            queue.push(line, orders[k], 0, k, 0, 0)
        elif queue.length(line):
            served[n] = queue.front(line).pc
            n += 1
            queue.pop(line)
    return n


@settings(max_examples=200)
@given(st.lists(st.one_of(st.integers(0, 9), st.just(-1)), max_size=60))
def test_queue_is_a_stable_priority_queue(orders):
    """Due first, and among equals first come first served; what does not fit is reported."""
    line, expected, overflow = [], [], False
    for number, due in enumerate(orders):
        if due < 0:
            if line:
                expected.append(line.pop(0)[1])
        elif len(line) == 8:
            overflow = True
        else:
            line.insert(bisect_right([d for d, _ in line], due), (due, number))
    array = allocate(SMALL, 1)
    served = np.zeros(len(orders) + 1, np.int64)
    n = serve(array, np.array(orders, np.int64), served)
    assert served[:n].tolist() == expected
    assert bool(array[0].queue.overflow) == overflow
