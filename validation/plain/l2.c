/* The L2 and the memory behind it, for lines of code: requests in order of (cycle, SM). */
#include <stdlib.h>

#include "plain.h"

typedef struct {
    Cycle request_free, data_free;
    int64_t misses;
    Cycle there[SLICE_MISSES]; /* when the newest of them are served */
} Slice;

typedef struct { /* times in fractions of a core cycle */
    Cycle ready, open_at[ROWS], busy[ROWS];
    int64_t row[ROWS], opened;
} Bank;

typedef struct { Cycle bus_free, activate_free; Bank bank[DRAM_BANKS]; } Channel;

static Slice slices[SLICES];
static Channel channels[CHANNELS];
static Cycle *filled; /* when each line came; -1: not yet. All of the code fits into the L2. */

static Cycle later(Cycle a, Cycle b) { return a > b ? a : b; }

static Cycle activate(Channel *channel, Bank *bank, Cycle at)
{
    Cycle slot = later(at, channel->activate_free);
    channel->activate_free = slot + machine.activate_interval;
    Cycle opened = later(slot, bank->ready);
    bank->ready = opened + machine.row_cycle;
    return opened;
}

/* A row that is still busy with earlier requests is joined; any other is opened. */
static int open_row(Channel *channel, Bank *bank, int64_t row, Cycle at)
{
    for (int k = 0; k < ROWS; k++)
        if (bank->row[k] == row + 1 && bank->busy[k] >= at)
            return k;
    int k = (int)(bank->opened++ % ROWS);
    bank->row[k] = row + 1;
    bank->open_at[k] = activate(channel, bank, at) + machine.activate;
    return k;
}

/* Cycles that reading a line from memory adds. */
static Cycle read_memory(int64_t line, int sectors, Cycle cycle)
{
    int64_t share = machine.slices / machine.channels, slice = slice_of[line];
    int64_t row =
        (line / machine.slices * share + slice % share) / (machine.row_bytes / machine.line_bytes);
    Channel *channel = &channels[slice / share];
    Bank *bank = &channel->bank[(row ^ row >> 4 ^ row >> 8) % DRAM_BANKS];
    Cycle at = cycle * machine.fraction;
    int k = open_row(channel, bank, row, at);
    Cycle turn = later(channel->bus_free, at + machine.column);
    channel->bus_free = turn + sectors * machine.burst;
    Cycle begin = later(turn, bank->open_at[k] + machine.column);
    bank->busy[k] = begin + sectors * machine.burst;
    bank->ready = later(bank->ready, bank->busy[k] - machine.column + machine.precharge);
    int64_t early = at + machine.activate + machine.column - begin;
    int64_t cycles = early / machine.fraction - (early % machine.fraction < 0); /* rounded down */
    return later(machine.dram_latency - cycles, 0);
}

static Cycle line_there(Slice *slice, int64_t line, int sectors, Cycle at)
{
    if (filled[line] >= 0)
        return later(at, filled[line]);
    if (slice->misses >= machine.slice_mshrs) {
        at = later(at, slice->there[(slice->misses - machine.slice_mshrs) % SLICE_MISSES]);
        slice->request_free = later(slice->request_free, at);
    }
    filled[line] = at + read_memory(line, sectors, at);
    slice->there[slice->misses++ % SLICE_MISSES] = filled[line];
    return filled[line];
}

static void deliver(Sm *sm, Cycle at, int miss)
{
    if (sm->in_tail - sm->in_head == MAILS)
        fail("too many answers under way");
    int64_t place = sm->in_tail++;
    for (; place > sm->in_head && sm->in[(place - 1) % MAILS].at > at; place--)
        sm->in[place % MAILS] = sm->in[(place - 1) % MAILS];
    sm->in[place % MAILS] = (Mail){at, 0, miss};
}

static void serve(Sm *sm, const Mail *request)
{
    int sectors = (int)(machine.line_bytes / machine.sector_bytes);
    Slice *slice = &slices[slice_of[request->line]];
    Cycle sent = later(sm->request_free, request->at);
    sm->request_free = sent + 1;
    Cycle at = later(slice->request_free, sent);
    slice->request_free = at + 1;
    at = later(slice->data_free, at);
    slice->data_free = at + sectors;
    at = line_there(slice, request->line, sectors, at);
    Cycle link = later(sm->reply_free, sent);
    sm->reply_free = link + (machine.line_bytes + machine.reply_bytes - 1) / machine.reply_bytes;
    deliver(sm, later(at, link) + machine.round_trip, request->miss);
}

void begin_l2(void)
{
    filled = malloc((size_t)machine.n_lines * sizeof *filled);
    for (int64_t line = 0; line < machine.n_lines; line++)
        filled[line] = -1;
}

/* The earliest request first; of those of one cycle, the one of the first SM. */
void serve_window(Sm *sms)
{
    for (;;) {
        Sm *first = NULL;
        for (Sm *sm = sms; sm < sms + machine.n_sms; sm++)
            if (sm->n_served < sm->n_out &&
                (!first || sm->out[sm->n_served].at < first->out[first->n_served].at))
                first = sm;
        if (!first)
            break;
        serve(first, &first->out[first->n_served++]);
    }
    for (Sm *sm = sms; sm < sms + machine.n_sms; sm++)
        sm->n_out = sm->n_served = 0;
}
