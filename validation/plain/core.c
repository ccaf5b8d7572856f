/* A sub-core: from fetch to write-back. Stages run back to front, so each latch moves once. */
#include "plain.h"

enum { DONE = -1 }; /* instead of a counter's number: an instruction has retired */

static int lowest(Mask mask) { return __builtin_ctz(mask); }
static int max_int(int a, int b) { return a > b ? a : b; }
static int min_int(int a, int b) { return a < b ? a : b; }

/* -- What a coming cycle brings -- */

static void post(Subcore *sc, Cycle now, Cycle cycle, int warp, int counter, int delta)
{
    int event = sc->event_free;
    if (event)
        sc->event_free = sc->event[event].next;
    else
        event = ++sc->n_events;
    if (event > EVENTS || cycle <= now || cycle >= now + WHEEL)
        fail("an event does not fit into the wheel");
    int16_t *head = &sc->event_head[cycle & (WHEEL - 1)];
    sc->event[event] = (Event){*head, (int16_t)warp, (int16_t)counter, (int16_t)delta};
    *head = (int16_t)event;
}

static void update_waiting(Subcore *sc, int warp)
{
    Mask bit = 1u << warp;
    if (sc->warp[warp].wait_mask & sc->warp[warp].raised)
        sc->waiting |= bit;
    else
        sc->waiting &= ~bit;
}

static void change_counter(Subcore *sc, const Event *event)
{
    Warp *warp = &sc->warp[event->warp];
    int bit = 1 << event->counter;
    warp->value[event->counter] += event->delta;
    warp->raised = (int16_t)(warp->value[event->counter] ? warp->raised | bit
                                                         : warp->raised & ~bit);
    update_waiting(sc, event->warp);
}

static void happen(Subcore *sc, Cycle now)
{
    int slot = now & (WHEEL - 1);
    sc->stalled &= ~sc->stall_end[slot];
    sc->stall_end[slot] = 0;
    int event = sc->event_head[slot];
    sc->event_head[slot] = 0;
    while (event) {
        Event *e = &sc->event[event];
        int next = e->next;
        if (e->counter == DONE)
            sc->warp[e->warp].in_flight--;
        else
            change_counter(sc, e);
        e->next = sc->event_free;
        sc->event_free = (int16_t)event;
        event = next;
    }
}

/* -- Decode and the instruction buffer -- */

void respond(Subcore *sc, int warp, int pc, Cycle visible)
{
    sc->response[sc->response_tail++ & (PIPE - 1)] = (Response){visible, pc, (int16_t)warp};
}

static void decode(Subcore *sc, Cycle now)
{
    while (sc->response_head < sc->response_tail) {
        const Response *response = &sc->response[sc->response_head & (PIPE - 1)];
        if (response->at > now)
            return;
        sc->response_head++;
        Warp *warp = &sc->warp[response->warp];
        int distance = response->pc - warp->head;
        if (distance < 0 || distance >= warp->entries)
            continue;
        warp->decoded = (int16_t)(warp->decoded | 1 << distance);
        if (distance == 0) {
            sc->valid |= 1u << response->warp;
            sc->redirected &= ~(1u << response->warp);
        }
    }
}

static void redirect(Subcore *sc, int warp, int pc)
{
    sc->warp[warp].head = pc;
    sc->warp[warp].entries = 0;
    sc->warp[warp].decoded = 0;
    sc->valid &= ~(1u << warp);
    sc->redirected |= 1u << warp;
    for (int slot = 0; slot < PIPE; slot++)
        if (sc->response[slot].warp == warp)
            sc->response[slot].pc = -1;
}

static void update_room(Subcore *sc, int w)
{
    const Warp *warp = &sc->warp[w];
    if (warp->entries < machine.buffer_entries && warp->entries < warp->left &&
        warp->head + warp->entries < machine.n_instructions)
        sc->room |= 1u << w;
    else
        sc->room &= ~(1u << w);
}

/* -- Write-back: results in order of arrival, each as soon as its banks have a free port -- */

static void retire(Subcore *sc, const Instruction *inst, int warp, Cycle cycle, Cycle now)
{
    if (cycle <= now)
        sc->warp[warp].in_flight--;
    else
        post(sc, now, cycle, warp, DONE, 0);
    if (inst->write_counter >= 0)
        post(sc, now, cycle + 1, warp, inst->write_counter, -1);
}

static bool can_write(const Subcore *sc, int first, int count, Cycle cycle)
{
    for (int r = first; r < first + count; r++) {
        int bank = r & 1;
        if (sc->write_at[bank] > cycle ||
            (sc->write_at[bank] == cycle && sc->write_used[bank] >= machine.write_ports))
            return false;
    }
    return true;
}

static Cycle write_registers(Subcore *sc, int first, int count, Cycle cycle)
{
    for (int k = 0; k < count; k++) {
        int bank = (first + k) & 1;
        if (sc->write_at[bank] < cycle + k / BANKS) {
            sc->write_at[bank] = cycle + k / BANKS;
            sc->write_used[bank] = 0;
        }
        sc->write_used[bank]++;
    }
    return cycle + max_int(count - 1, 0) / BANKS;
}

static void push_result(Subcore *sc, Cycle at, int warp, int pc)
{
    if (sc->result_tail - sc->result_head == RESULTS)
        fail("the result queue is full");
    int64_t place = sc->result_tail++;
    for (; place > sc->result_head && sc->result[(place - 1) & (RESULTS - 1)].at > at; place--)
        sc->result[place & (RESULTS - 1)] = sc->result[(place - 1) & (RESULTS - 1)];
    sc->result[place & (RESULTS - 1)] = (Result){at, pc, (int16_t)warp};
}

static void write_back(Subcore *sc, Cycle now)
{
    while (sc->result_head < sc->result_tail) {
        const Result *result = &sc->result[sc->result_head & (RESULTS - 1)];
        if (result->at >= now)
            return;
        const Instruction *inst = &program[result->pc];
        Cycle cycle = result->at + 1;
        while (!can_write(sc, inst->dest, min_int(inst->dest_count, BANKS), cycle))
            cycle++;
        cycle = write_registers(sc, inst->dest, inst->dest_count, cycle);
        retire(sc, inst, result->warp, cycle, now);
        sc->result_head++;
    }
}

/* -- Register-file read ports and the register-file cache -- */

static int booked(const Subcore *sc, int bank, Cycle cycle)
{
    int slot = cycle & (RING - 1);
    return sc->booked_at[bank][slot] == cycle ? sc->booked[bank][slot] : 0;
}

static bool fits(const Subcore *sc, int bank, int reads, Cycle first, Cycle last)
{
    int free = 0;
    for (Cycle cycle = first; cycle <= last && free < reads; cycle++)
        free += max_int((int)machine.read_ports - booked(sc, bank, cycle), 0);
    return free >= reads;
}

static void book(Subcore *sc, int bank, int reads, Cycle cycle)
{
    for (; reads > 0; cycle++) {
        int taken = booked(sc, bank, cycle);
        int more = min_int((int)machine.read_ports - taken, reads);
        if (more > 0) {
            sc->booked_at[bank][cycle & (RING - 1)] = cycle;
            sc->booked[bank][cycle & (RING - 1)] = (int16_t)(taken + more);
            reads -= more;
        }
    }
}

static int tag_of(int warp, int reg) { return warp * 256 + reg + 1; }

static bool is_cached(const Subcore *sc, int warp, int slot, int reg)
{
    return sc->cached[reg & 1][slot] == tag_of(warp, reg);
}

/* Whether operand `slot` reads `reg` from the file, and no earlier operand does. */
static bool needs_port(const Subcore *sc, const Instruction *inst, int warp, int slot, int reg)
{
    if (is_cached(sc, warp, slot, reg))
        return false;
    for (int earlier = 0; earlier < slot; earlier++) {
        int first = inst->source[earlier];
        if (first <= reg && reg < first + inst->source_count[earlier] &&
            !is_cached(sc, warp, earlier, reg))
            return false;
    }
    return true;
}

static void reads_after_cache(const Subcore *sc, const Instruction *inst, int warp, int *reads)
{
    reads[0] = inst->reads[0];
    reads[1] = inst->reads[1];
    if (!machine.register_file_cache || sc->n_cached == 0)
        return;
    reads[0] = reads[1] = 0;
    for (int slot = 0; slot < SLOTS; slot++)
        for (int k = 0; k < inst->source_count[slot]; k++)
            if (needs_port(sc, inst, warp, slot, inst->source[slot] + k))
                reads[(inst->source[slot] + k) & 1]++;
}

static void update_cache(Subcore *sc, const Instruction *inst, int warp)
{
    int n_cached = sc->n_cached;
    if (!machine.register_file_cache || (n_cached == 0 && inst->reuse == 0))
        return;
    for (int slot = 0; slot < SLOTS; slot++) {
        int keeps = inst->reuse >> slot & 1;
        for (int k = 0; k < inst->source_count[slot]; k++) {
            int reg = inst->source[slot] + k;
            int32_t *cached = &sc->cached[reg & 1][slot];
            n_cached += keeps - (*cached != 0);
            *cached = keeps ? tag_of(warp, reg) : 0;
        }
    }
    sc->n_cached = n_cached;
}

/* -- Allocate and Control -- */

static void allocate(Subcore *sc, Cycle now)
{
    Latch *latch = &sc->allocate;
    if (!latch->full)
        return;
    const Instruction *inst = &program[latch->pc];
    int reads[BANKS];
    reads_after_cache(sc, inst, latch->warp, reads);
    Cycle end = now + inst->window;
    if (!fits(sc, 0, reads[0], now + 1, end) || !fits(sc, 1, reads[1], now + 1, end)) {
        sc->pipe_free[latch->pipe]++;
        if (sc->control.full)
            sc->pipe_free[sc->control.pipe]++;
        return;
    }
    book(sc, 0, reads[0], now + 1);
    book(sc, 1, reads[1], now + 1);
    update_cache(sc, inst, latch->warp);
    if (inst->read_counter >= 0)
        post(sc, now, end + 1, latch->warp, inst->read_counter, -1);
    push_result(sc, end + inst->latency, latch->warp, latch->pc);
    latch->full = false;
}

static void control(Subcore *sc)
{
    if (sc->control.full && !sc->allocate.full) {
        sc->allocate = sc->control;
        sc->control.full = false;
    }
}

/* -- Issue -- */

static int pipe_of(const Subcore *sc, int unit, Cycle now)
{
    int pipe = unit == FMA_HEAVY || unit == FP16 ? FMA : unit;
    if (sc->pipe_free[pipe] <= now)
        return pipe;
    if (unit == FMA && machine.fp32_on_integer_pipe && sc->pipe_free[ALU] <= now)
        return ALU;
    return -1;
}

static Mask busy_warps(const Subcore *sc, Cycle now)
{
    Mask busy = 0;
    for (Mask units = sc->wanted; units; units &= units - 1)
        if (pipe_of(sc, lowest(units), now) < 0)
            busy |= sc->heads[lowest(units)];
    return busy;
}

static int youngest(const Subcore *sc, Mask among)
{
    int best = lowest(among);
    while (among &= among - 1)
        if (sc->warp[lowest(among)].serial > sc->warp[best].serial)
            best = lowest(among);
    return best;
}

static bool recent(const Subcore *sc, int warp, Cycle now)
{
    return now - sc->warp[warp].issued_at <= machine.recency_cycles && sc->started >> warp & 1;
}

/* The greedy warp, else that whose last issue is longest ago, else the youngest. */
static int select_warp(const Subcore *sc, Mask candidates, Cycle now)
{
    int greedy = sc->greedy, best = -1;
    if (greedy >= 0 && candidates >> greedy & 1 && recent(sc, greedy, now))
        return greedy;
    for (Mask left = candidates; left; left &= left - 1) {
        int warp = lowest(left);
        if (recent(sc, warp, now) &&
            (best < 0 || sc->warp[warp].issued_at < sc->warp[best].issued_at))
            best = warp;
    }
    return best >= 0 ? best : youngest(sc, candidates);
}

static Mask take(Subcore *sc, int state, Mask warps, Mask left)
{
    sc->state_cycles[state] += __builtin_popcount(warps & left);
    return left & ~warps;
}

static void count_states(Subcore *sc, Mask selected, bool held, Mask busy)
{
    Mask left = sc->resident;
    sc->warp_cycles += __builtin_popcount(left);
    left = take(sc, SELECTED, selected, left);
    left = take(sc, DRAIN, sc->exited, left);
    left = take(sc, BRANCH_RESOLVING, sc->redirected & ~sc->valid, left);
    left = take(sc, NO_INSTRUCTION, ~sc->valid, left);
    left = take(sc, WAIT, sc->stalled, left);
    left = take(sc, SHORT_SCOREBOARD, sc->waiting, left);
    left = take(sc, MATH_PIPE_THROTTLE, busy, left);
    take(sc, held ? DISPATCH_STALL : selected ? NOT_SELECTED : MISC, left, left);
}

/* Note what the warp's next instruction waits for and where it goes. */
static void set_head(Subcore *sc, int w)
{
    Warp *warp = &sc->warp[w];
    Mask bit = 1u << w;
    sc->heads[warp->unit] &= ~bit;
    if (sc->heads[warp->unit] == 0)
        sc->wanted &= ~(1u << warp->unit);
    warp->wait_mask = 0;
    if (warp->left) {
        const Instruction *inst = &program[warp->head];
        warp->unit = inst->unit;
        sc->heads[inst->unit] |= bit;
        sc->wanted |= 1u << inst->unit;
        warp->wait_mask = inst->wait_mask;
    }
    update_waiting(sc, w);
}

/* Move to the warp's next dynamic instruction; a taken branch empties the buffer. */
static void advance(Subcore *sc, int w, int pc)
{
    Warp *warp = &sc->warp[w];
    warp->position++;
    warp->left--;
    warp->head++;
    warp->entries--;
    warp->decoded >>= 1;
    if (!(warp->decoded & 1))
        sc->valid &= ~(1u << w);
    if (warp->left == 0) {
        redirect(sc, w, 0);
        sc->exited |= 1u << w;
    } else if (path[warp->position] != pc + 1) {
        redirect(sc, w, path[warp->position]);
    }
    update_room(sc, w);
    set_head(sc, w);
}

static void issue(Subcore *sc, int w, Cycle now)
{
    Warp *warp = &sc->warp[w];
    int pc = warp->head;
    const Instruction *inst = &program[pc];
    counts[pc].issued++;
    counts[pc].cycles += now - warp->issued_at;
    warp->issued_at = now;
    warp->in_flight++;
    sc->greedy = w;
    sc->started |= 1u << w;
    if (inst->distance > 1 && warp->left > 1) {
        sc->stalled |= 1u << w;
        sc->stall_end[(now + inst->distance) & (WHEEL - 1)] |= 1u << w;
    }
    if (inst->write_counter >= 0)
        post(sc, now, now + COUNTER_VISIBLE, w, inst->write_counter, 1);
    if (inst->read_counter >= 0)
        post(sc, now, now + COUNTER_VISIBLE, w, inst->read_counter, 1);
    int pipe = pipe_of(sc, inst->unit, now);
    sc->pipe_free[pipe] = now + inst->interval;
    sc->control = (Latch){true, (int16_t)w, (int16_t)pipe, pc};
    sc->port_free = now + 1 + inst->hold;
    advance(sc, w, pc);
}

static void step_issue(Subcore *sc, Cycle now)
{
    Mask busy = busy_warps(sc, now);
    Mask candidates = sc->valid & ~(sc->stalled | sc->waiting | busy);
    bool held = sc->control.full || now < sc->port_free;
    int warp = candidates && !held ? select_warp(sc, candidates, now) : -1;
    count_states(sc, warp < 0 ? 0 : 1u << warp, held, busy);
    if (warp >= 0)
        issue(sc, warp, now);
}

/* -- Fetch: the greedy warp, else the youngest, of those with room -- */

static bool fetch(Subcore *sc, int greedy, Cycle now)
{
    if (sc->room == 0)
        return false;
    int w = greedy >= 0 && sc->room >> greedy & 1 ? greedy : youngest(sc, sc->room);
    int pc = sc->warp[w].head + sc->warp[w].entries;
    int outcome = machine.warm_icache ? HIT : access_l0i(sc, w, pc);
    sc->l0i.refused = outcome == REFUSED;
    if (outcome == REFUSED)
        return false;
    sc->warp[w].entries++;
    update_room(sc, w);
    if (outcome == WAITS)
        return false;
    respond(sc, w, pc, now + SLOT_TO_ISSUE);
    return true;
}

/* -- The sub-core -- */

void launch(Subcore *sc, int w, int cta_slot, const Stream *stream, int64_t serial, Cycle now)
{
    int unit = sc->warp[w].unit;
    sc->resident |= 1u << w;
    sc->started &= ~(1u << w);
    if (sc->greedy == w)
        sc->greedy = -1;
    sc->warp[w] = (Warp){.position = stream->path, .left = stream->length, .serial = serial,
                         .issued_at = now, .unit = (int16_t)unit, .cta_slot = (int16_t)cta_slot};
    redirect(sc, w, path[stream->path]);
    sc->redirected &= ~(1u << w);
    update_room(sc, w);
    set_head(sc, w);
}

void step(Subcore *sc, Cycle now)
{
    happen(sc, now);
    decode(sc, now);
    write_back(sc, now);
    allocate(sc, now);
    control(sc);
    int greedy = sc->greedy;
    step_issue(sc, now);
    step_l0i(sc, now, fetch(sc, greedy, now));
}
