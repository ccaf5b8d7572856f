/*
 * SMs that run kernels of fixed-latency instructions, cycle by cycle, in plain C.
 *
 * Stages, conditions and counts are those of the engine (sim/core, sim/sm, sim/gpu), which has to
 * find the same. Left out is what such kernels do not use: memory, barriers, special functions,
 * constants that miss, DEPBAR, scoreboards, tables of events. Every cycle is visited, where the
 * engine skips those in which nothing can change.
 */
#ifndef PLAIN_H
#define PLAIN_H

#include <stdbool.h>
#include <stdint.h>

enum {
    SUBCORES = 4, WARPS = 16, COUNTERS = 6, BANKS = 2, SLOTS = 3, UNITS = 12, CTAS = 32,
    WHEEL = 128, EVENTS = 512, RING = 16, RESULTS = 64, PIPE = 4,
    L0I_LINES = 512, L0I_MISSES = 32, PAIRS = 64, PREFETCHED = 32,
    L1I_LINES = 2048, L1I_MISSES = 64, LINK = 64, MAILS = 256,
    SLICES = 128, SLICE_MISSES = 256, CHANNELS = 32, DRAM_BANKS = 16, ROWS = 4
};

enum { SLOT_TO_ISSUE = 3, COUNTER_VISIBLE = 2 }; /* cycles, as in sim/core */
enum { ALU = 0, FMA = 1, FMA_HEAVY = 2, FP16 = 3 }; /* units with a choice of pipe */

/* What a resident warp does in a cycle; the first that applies. Numbers as in sim/stalls.py. */
enum {
    SELECTED = 0, DRAIN = 1, BRANCH_RESOLVING = 4, NO_INSTRUCTION = 5, WAIT = 6,
    SHORT_SCOREBOARD = 8, MATH_PIPE_THROTTLE = 12, DISPATCH_STALL = 13, NOT_SELECTED = 14,
    MISC = 15, STATES = 16
};

typedef int64_t Cycle;
typedef uint32_t Mask; /* one bit a warp */
static const Cycle NEVER = (Cycle)1 << 60;

typedef struct {
    int64_t n_sms, gpu_interval, sm_interval, cta_latency;
    int64_t buffer_entries, recency_cycles, read_ports, write_ports, register_file_cache;
    int64_t fp32_on_integer_pipe, warm_icache;
    int64_t l0i_sets, l0i_ways, line_bytes, l0i_mshrs, l0i_merges, l0i_miss_queue;
    int64_t stream_lines, l1i_sets, l1i_ways, l1i_mshrs, request_latency, reply_latency;
    int64_t slices, slice_mshrs, round_trip, reply_bytes, sector_bytes;
    int64_t channels, row_bytes, dram_latency, fraction; /* the next in fractions of a cycle */
    int64_t burst, activate, column, row_cycle, precharge, activate_interval;
    int64_t n_instructions, n_lines, n_ctas, warps_per_cta, n_path;
} Machine;

typedef struct {
    int16_t unit, distance, wait_mask, write_counter, read_counter, reuse, hold;
    int16_t window, interval, latency, dest, dest_count;
    int16_t reads[BANKS], source[SLOTS], source_count[SLOTS];
} Instruction;

typedef struct { int64_t path, length; } Stream;
typedef struct { int64_t issued, cycles; } Count;

extern Machine machine;
extern Instruction *program;
extern int32_t *path;    /* PCs of the warps' dynamic instructions */
extern Stream *streams;  /* of the warps, CTA by CTA */
extern Count *counts;    /* by PC */
extern int32_t *slice_of; /* of the lines of the code */

/* -- Caches -- */

typedef struct { int64_t line, used; } Tag; /* line + 1, order of last use */
typedef struct { int64_t line; int source, warp, pc; } Pair;
typedef struct { int state; int64_t line, order; Cycle at; } Miss;

typedef struct {
    bool refused;     /* the last access found no room */
    int n_pairs, queued;
    int64_t misses, uses;
    int64_t newest;   /* line + 1 of the last hit */
    Tag tag[L0I_LINES];
    Miss miss[L0I_MISSES];
    Pair pair[PAIRS]; /* (warp, PC) that wait for a line */
} L0I;

typedef struct {
    int64_t head, tail, next, epoch;
    bool running, requested;
    int64_t line[PREFETCHED];
    Cycle at[PREFETCHED];
} StreamBuffer;

typedef struct { Cycle at; int64_t line, epoch; int user; } Request;
typedef struct { int64_t line, epoch[SUBCORES]; uint32_t users; } L1IMiss;

typedef struct {
    int64_t head, tail, uses;
    Request request[LINK]; /* on their way to the look-up */
    int last_demand, last_prefetch;
    Cycle reply_free;
    Tag tag[L1I_LINES];
    L1IMiss miss[L1I_MISSES];
} L1I;

/* -- A sub-core -- */

typedef struct {
    int64_t position, left; /* next path element; instructions not issued yet */
    int64_t serial;         /* launch order */
    Cycle issued_at;
    int32_t head;           /* PC of the oldest entry of the instruction buffer */
    int16_t entries;        /* in the buffer, those being fetched included */
    int16_t decoded;        /* bit i: the i-th entry */
    int16_t wait_mask;      /* of the next instruction */
    int16_t raised;         /* counters that are not zero */
    int16_t value[COUNTERS];
    int16_t in_flight, unit, cta_slot;
} Warp;

typedef struct { bool full; int16_t warp, pipe; int32_t pc; } Latch;
typedef struct { int16_t next, warp, counter, delta; } Event;
typedef struct { Cycle at; int32_t pc; int16_t warp; } Result;
typedef struct { Cycle at; int32_t pc; int16_t warp; } Response;

typedef struct {
    Mask resident, exited;
    Mask valid, redirected, room;          /* oldest entry decoded; target awaited; may fetch */
    Mask stalled, waiting, started;        /* by stall count; by counters; has issued */
    Mask heads[UNITS];                     /* warps whose next instruction uses a unit */
    Mask wanted;                           /* units with such warps */
    int greedy;
    Cycle port_free, pipe_free[UNITS];
    Latch control, allocate;
    Cycle booked_at[BANKS][RING];          /* read ports */
    int16_t booked[BANKS][RING];
    int32_t cached[BANKS][SLOTS];          /* register-file cache: warp * 256 + register + 1 */
    int n_cached;
    int64_t result_head, result_tail;
    Result result[RESULTS];                /* result queue, by arrival */
    Cycle write_at[BANKS];                 /* last cycle in which a bank was written */
    int write_used[BANKS];
    int64_t response_head, response_tail;
    Response response[PIPE];               /* from the L0I through decode */
    Mask stall_end[WHEEL];                 /* what the coming cycles bring */
    int16_t event_head[WHEEL], event_free, n_events;
    Event event[EVENTS + 1];
    int64_t state_cycles[STATES], warp_cycles;
    Warp warp[WARPS];
    L0I l0i;
    StreamBuffer stream;
} Subcore;

/* -- An SM and what it sends to the L2 -- */

typedef struct { Cycle at; int64_t line; int miss; } Mail;

typedef struct {
    Cycle now;
    Subcore subcore[SUBCORES];
    L1I l1i;
    Cycle cta_at[CTAS];    /* launches, in order of time */
    int cta_number[CTAS], cta_warps[CTAS];
    int n_assigned, n_launched, n_ended;
    int64_t serials;
    Cycle last_end;
    Mail out[MAILS], in[MAILS];
    int64_t n_out, n_served, in_head, in_tail;
    Cycle request_free, reply_free; /* its links */
} Sm;

void fail(const char *why);

/* sm.c */
void run(Sm *sm, Cycle until);

/* core.c */
void launch(Subcore *sc, int warp, int cta_slot, const Stream *stream, int64_t serial, Cycle now);
void step(Subcore *sc, Cycle now);
void respond(Subcore *sc, int warp, int pc, Cycle visible);

/* icache.c */
enum { HIT, WAITS, REFUSED };
int access_l0i(Subcore *sc, int warp, int pc);
void step_l0i(Subcore *sc, Cycle now, bool slot_taken);
void step_l1i(Sm *sm, Cycle now);
void grant(Sm *sm, Cycle now);
void refill(Sm *sm, int miss, Cycle now);

/* l2.c */
void begin_l2(void);
void serve_window(Sm *sms);

#endif
