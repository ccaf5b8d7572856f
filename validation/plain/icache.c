/* Instructions: L0I and stream buffer of a sub-core, the L1I that its SM's sub-cores share. */
#include "plain.h"

enum { FREE, QUEUED, SENT };        /* states of a miss of the L0I */
enum { FROM_MISS, FROM_STREAM };    /* who brings the line that a pair waits for */
enum { DEMAND = 0, PREFETCH = SUBCORES }; /* users of the link: sub-core, plus the class */

/* -- Tags of a set-associative cache with LRU replacement -- */

static int find(const Tag *tags, int64_t sets, int64_t ways, int64_t line)
{
    int first = (int)(line % sets * ways);
    for (int way = first; way < first + ways; way++)
        if (tags[way].line == line + 1)
            return way;
    return -1;
}

static void fill(Tag *tags, int64_t *uses, int64_t sets, int64_t ways, int64_t line)
{
    int way = find(tags, sets, ways, line);
    if (way < 0) {
        int first = (int)(line % sets * ways);
        way = first;
        for (int other = first; other < first + ways; other++)
            if (tags[other].used < tags[way].used)
                way = other;
        tags[way].line = line + 1;
    }
    tags[way].used = ++*uses;
}

/* -- The stream buffer: consecutive lines, of which only the first is compared -- */

static bool heads(const StreamBuffer *stream, int64_t line)
{
    return stream->head < stream->tail && stream->line[stream->head % PREFETCHED] == line;
}

static void start_stream(StreamBuffer *stream, int64_t line)
{
    if (machine.stream_lines == 0 || stream->requested || stream->next == line)
        return;
    stream->head = stream->tail;
    stream->next = line;
    stream->running = true;
    stream->epoch++;
}

static void stream_arrives(StreamBuffer *stream, int64_t line, int64_t epoch, Cycle at)
{
    if (epoch != stream->epoch)
        return;
    for (int64_t place = stream->head; place < stream->tail; place++)
        if (stream->line[place % PREFETCHED] == line)
            stream->at[place % PREFETCHED] = at;
}

/* -- The L0I -- */

static int find_miss(const L0I *l0, int64_t line)
{
    for (int k = 0; k < L0I_MISSES && l0->misses; k++)
        if (l0->miss[k].state != FREE && l0->miss[k].line == line)
            return k;
    return -1;
}

static bool new_miss(L0I *l0, int64_t line)
{
    if (l0->queued == machine.l0i_miss_queue)
        return false;
    for (int k = 0; k < machine.l0i_mshrs; k++)
        if (l0->miss[k].state == FREE) {
            l0->queued++;
            l0->miss[k] = (Miss){QUEUED, line, ++l0->misses, NEVER};
            return true;
        }
    return false;
}

static int waiting(const L0I *l0, int64_t line, int source)
{
    int n = 0;
    for (int k = 0; k < l0->n_pairs; k++)
        n += l0->pair[k].line == line && l0->pair[k].source == source;
    return n;
}

static int wait_for(L0I *l0, int64_t line, int source, int warp, int pc)
{
    l0->pair[l0->n_pairs++] = (Pair){line, source, warp, pc};
    return WAITS;
}

int access_l0i(Subcore *sc, int warp, int pc)
{
    L0I *l0 = &sc->l0i;
    StreamBuffer *stream = &sc->stream;
    int64_t line = pc * 16 / machine.line_bytes;
    bool at_head = heads(stream, line);
    if (l0->n_pairs == 0 && l0->newest == line + 1 && !at_head)
        return HIT;
    for (int k = 0; k < l0->n_pairs; k++)
        if (l0->pair[k].warp == warp && l0->pair[k].pc == pc)
            return WAITS;
    if (l0->n_pairs == PAIRS)
        return REFUSED;
    int way = find(l0->tag, machine.l0i_sets, machine.l0i_ways, line);
    if (way < 0 && !at_head && !heads(stream, line + 1))
        start_stream(stream, line + 1);
    if (at_head) {
        stream->requested = true;
        return wait_for(l0, line, FROM_STREAM, warp, pc);
    }
    if (way >= 0) {
        l0->tag[way].used = ++l0->uses;
        l0->newest = line + 1;
        return HIT;
    }
    bool missing = find_miss(l0, line) >= 0;
    if (missing && waiting(l0, line, FROM_MISS) == machine.l0i_merges)
        return REFUSED;
    if (!missing && !new_miss(l0, line))
        return REFUSED;
    return wait_for(l0, line, FROM_MISS, warp, pc);
}

static void fill_l0i(L0I *l0, int64_t line)
{
    l0->newest = 0;
    fill(l0->tag, &l0->uses, machine.l0i_sets, machine.l0i_ways, line);
}

/* Give the response slot to the first pair that waits for a line. */
static void answer(Subcore *sc, int64_t line, int source, Cycle now)
{
    L0I *l0 = &sc->l0i;
    int k = 0;
    while (k < l0->n_pairs && !(l0->pair[k].line == line && l0->pair[k].source == source))
        k++;
    if (k == l0->n_pairs)
        return;
    respond(sc, l0->pair[k].warp, l0->pair[k].pc, now + SLOT_TO_ISSUE);
    l0->n_pairs--;
    for (; k < l0->n_pairs; k++)
        l0->pair[k] = l0->pair[k + 1];
}

/* The miss with pairs to answer that arrived first; lines that arrive now enter the L0I. */
static Miss *oldest_arrived(L0I *l0, Cycle now)
{
    Miss *oldest = 0;
    for (int k = 0; k < L0I_MISSES; k++) {
        Miss *miss = &l0->miss[k];
        if (miss->state != SENT || miss->at > now)
            continue;
        if (miss->at == now)
            fill_l0i(l0, miss->line);
        if (!oldest || miss->at < oldest->at)
            oldest = miss;
    }
    return oldest;
}

void step_l0i(Subcore *sc, Cycle now, bool slot_taken)
{
    L0I *l0 = &sc->l0i;
    StreamBuffer *stream = &sc->stream;
    if (l0->n_pairs == 0)
        return;
    Miss *miss = oldest_arrived(l0, now);
    if (slot_taken)
        return;
    if (miss) {
        answer(sc, miss->line, FROM_MISS, now);
        if (waiting(l0, miss->line, FROM_MISS) == 0)
            miss->state = FREE;
    } else if (stream->requested && stream->head < stream->tail &&
               stream->at[stream->head % PREFETCHED] <= now) {
        int64_t line = stream->line[stream->head % PREFETCHED];
        fill_l0i(l0, line);
        answer(sc, line, FROM_STREAM, now);
        if (waiting(l0, line, FROM_STREAM) == 0) {
            stream->head++;
            stream->requested = false;
        }
    }
}

/* -- The L1I and its link: one request enters a cycle, one reply leaves -- */

static void reply(Sm *sm, int64_t line, int user, int64_t epoch, Cycle now)
{
    L1I *l1i = &sm->l1i;
    Cycle slot = now > l1i->reply_free ? now : l1i->reply_free;
    Cycle at = slot + machine.reply_latency;
    Subcore *sc = &sm->subcore[user % SUBCORES];
    l1i->reply_free = slot + 1;
    if (user >= PREFETCH)
        stream_arrives(&sc->stream, line, epoch, at);
    else
        sc->l0i.miss[find_miss(&sc->l0i, line)].at = at;
}

static int find_l1i_miss(const L1I *l1i, int64_t line)
{
    for (int k = 0; k < L1I_MISSES; k++)
        if (l1i->miss[k].line == line + 1)
            return k;
    return -1;
}

/* Note who waits for a line; the first one asks the L2. */
static bool miss_l1i(Sm *sm, const Request *request, Cycle now)
{
    L1I *l1i = &sm->l1i;
    int k = find_l1i_miss(l1i, request->line);
    if (k < 0) {
        k = find_l1i_miss(l1i, -1);
        if (k < 0 || k >= machine.l1i_mshrs)
            return false;
        if (sm->n_out == MAILS)
            fail("too many requests in a window");
        l1i->miss[k] = (L1IMiss){.line = request->line + 1};
        sm->out[sm->n_out++] = (Mail){now, request->line, k};
    }
    l1i->miss[k].users |= 1u << request->user;
    if (request->user >= PREFETCH)
        l1i->miss[k].epoch[request->user - PREFETCH] = request->epoch;
    return true;
}

void step_l1i(Sm *sm, Cycle now)
{
    L1I *l1i = &sm->l1i;
    while (l1i->head < l1i->tail) {
        Request *request = &l1i->request[l1i->head % LINK];
        if (request->at > now)
            return;
        int way = find(l1i->tag, machine.l1i_sets, machine.l1i_ways, request->line);
        if (way >= 0) {
            l1i->tag[way].used = ++l1i->uses;
            reply(sm, request->line, request->user, request->epoch, now);
        } else if (!miss_l1i(sm, request, now)) {
            request->at = now + 1;
            return;
        }
        l1i->head++;
    }
}

void refill(Sm *sm, int k, Cycle now)
{
    L1IMiss *miss = &sm->l1i.miss[k];
    fill(sm->l1i.tag, &sm->l1i.uses, machine.l1i_sets, machine.l1i_ways, miss->line - 1);
    for (uint32_t users = miss->users; users; users &= users - 1) {
        int user = __builtin_ctz(users);
        reply(sm, miss->line - 1, user, miss->epoch[user % SUBCORES], now);
    }
    miss->line = 0;
}

static void enter(L1I *l1i, int64_t line, int user, int64_t epoch, Cycle now)
{
    l1i->request[l1i->tail++ % LINK] = (Request){now + machine.request_latency, line, epoch, user};
}

static int64_t send_oldest(L0I *l0)
{
    Miss *oldest = 0;
    for (int k = 0; k < L0I_MISSES; k++)
        if (l0->miss[k].state == QUEUED && (!oldest || l0->miss[k].order < oldest->order))
            oldest = &l0->miss[k];
    oldest->state = SENT;
    l0->queued--;
    return oldest->line;
}

/* Whether a sub-core's stream pushes its next line; one that meets a known line stops. */
static bool prefetch_due(Subcore *sc)
{
    StreamBuffer *stream = &sc->stream;
    if (!stream->running || stream->tail - stream->head >= machine.stream_lines)
        return false;
    stream->running =
        find(sc->l0i.tag, machine.l0i_sets, machine.l0i_ways, stream->next) < 0 &&
        find_miss(&sc->l0i, stream->next) < 0;
    return stream->running;
}

/* Demand misses before prefetches, in turn inside each class. */
void grant(Sm *sm, Cycle now)
{
    L1I *l1i = &sm->l1i;
    for (int k = 1; k <= SUBCORES + 1; k++) {
        int s = (l1i->last_demand + k) % (SUBCORES + 1); /* the last: constants of loads, none */
        if (s == SUBCORES || !sm->subcore[s].l0i.queued)
            continue;
        enter(l1i, send_oldest(&sm->subcore[s].l0i), DEMAND + s, 0, now);
        l1i->last_demand = s;
        return;
    }
    for (int k = 1; k <= SUBCORES; k++) {
        int s = (l1i->last_prefetch + k) % SUBCORES;
        StreamBuffer *stream = &sm->subcore[s].stream;
        if (!prefetch_due(&sm->subcore[s]))
            continue;
        stream->line[stream->tail % PREFETCHED] = stream->next;
        stream->at[stream->tail++ % PREFETCHED] = NEVER;
        enter(l1i, stream->next++, PREFETCH + s, stream->epoch, now);
        l1i->last_prefetch = s;
        return;
    }
}
